//! The review queue of the certification team.

use super::filled::{Form, Texts, text};
use super::look::Look;
use super::{Answer, Frame, error_page, fail, see, show};
use crate::Site;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mercat_app::{AppError, Decision};
use mercat_domain::access::{Action, Object};
use mercat_domain::run::{Shown, Step};
use mercat_domain::{Millis, OfferKey};
use mercat_store::{FindingRow, OfferRow, ReportRow, ReviewRow, SubmissionRow, UserRow, load};
use std::sync::Arc;

struct Line {
    row: ReviewRow,
    offer: OfferRow,
    /// Whose it is, in words.
    claimed: String,
    /// Whether the caller may not decide: it is of a publisher of their own.
    conflict: bool,
    shown: Shown,
}

impl Line {
    fn tone(&self) -> &'static str {
        self.shown.tone()
    }

    fn icon(&self) -> &'static str {
        self.shown.icon()
    }

    fn key(&self) -> &'static str {
        self.shown.key()
    }
}

#[derive(Template)]
#[template(path = "reviews.html")]
struct Reviews {
    f: Frame,
    lines: Vec<Line>,
    oldest: Option<Millis>,
}

async fn who(site: &Site, f: &Frame, id: &str) -> Result<String, AppError> {
    if id.is_empty() {
        return Ok(String::new());
    }
    let user = load::<UserRow>(&*site.app.ledger, id).await?;
    Ok(user
        .map(|user| user.row.email)
        .filter(|email| !email.is_empty())
        .unwrap_or_else(|| f.t("ui-operator")))
}

fn shown(row: &ReviewRow) -> Shown {
    if !row.question.is_empty() && row.answer.is_empty() { Shown::NeedsInformation } else { Shown::InReview }
}

pub(super) async fn queue(State(site): State<Arc<Site>>, caller: Caller) -> Answer {
    let f = Frame::new(&caller);
    let read = async {
        let mut lines = Vec::new();
        for (row, offer) in site.app.reviews().await? {
            let may = site.app.permit(&caller.who, Action::Review, Object::Publisher(&row.publisher));
            let claimed = who(&site, &f, &row.claimed_by).await?;
            lines.push(Line { shown: shown(&row), conflict: may.is_err(), claimed, row, offer });
        }
        Ok::<_, AppError>(lines)
    };
    let lines = read.await.map_err(fail(&caller))?;
    let oldest = lines.iter().map(|line| line.row.since).min();
    Ok(show(StatusCode::OK, &Reviews { f, lines, oldest }))
}

#[derive(Template)]
#[template(path = "review.html")]
struct Review {
    f: Frame,
    row: ReviewRow,
    submission: SubmissionRow,
    findings: Vec<FindingRow>,
    verdicts: Vec<(String, String)>,
    claimed: String,
    mine: bool,
    open: bool,
    problem: Option<String>,
    /// What was typed, when it was refused.
    sent: Texts,
}

impl Review {
    /// What was typed into a field of a finding; what stands there at first.
    fn typed<'a>(&'a self, name: &str, at: &usize, usual: &'a str) -> &'a str {
        self.sent.get(&format!("{name}.{at}")).map_or(usual, String::as_str)
    }

    fn key(&self) -> OfferKey {
        OfferKey::new(&self.row.publisher, &self.row.offer)
    }

    fn rule(&self, finding: &FindingRow) -> String {
        mercat_text::rule(self.f.locale, &finding.rule)
    }
}

async fn draw(
    site: &Site,
    caller: &Caller,
    id: &str,
    (problem, sent): (Option<String>, Texts),
) -> Result<Review, AppError> {
    let f = Frame::new(caller);
    let row = site.app.review(&caller.who, id).await?.row;
    let submission = load::<SubmissionRow>(&*site.app.ledger, id).await?.ok_or(AppError::NotFound)?.row;
    let report = load::<ReportRow>(&*site.app.ledger, &format!("{id}/{}", Step::Certify.name())).await?;
    let report = report.map(|report| report.row).unwrap_or_default();
    let place = |digest: &String| {
        let place = format!("/api/v1/publishers/{}/offers/{}", row.publisher, row.offer);
        let escaped = percent_encoding::utf8_percent_encode(digest, percent_encoding::NON_ALPHANUMERIC);
        (digest.clone(), format!("{place}/submissions/{id}/verdicts/{escaped}?format=html"))
    };
    Ok(Review {
        verdicts: report.verdicts.keys().map(place).collect(),
        findings: report.findings,
        claimed: who(site, &f, &row.claimed_by).await?,
        mine: row.claimed_by == caller.actor(),
        open: row.decision.is_empty(),
        f,
        row,
        submission,
        problem,
        sent,
    })
}

pub(super) async fn page(State(site): State<Arc<Site>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let page = draw(&site, &caller, &id, Default::default()).await.map_err(fail(&caller))?;
    Ok(show(StatusCode::OK, &page))
}

/// One form with several buttons: what is pressed says what is meant.
pub(super) async fn act(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(id): Path<String>,
    Form(sent): Form<Texts>,
) -> Answer {
    let text = |name: &str| text(&sent, name);
    let done = match text("action") {
        "claim" => site.app.claim_review(&caller.who, &id).await,
        "ask" => site.app.ask_publisher(&caller.who, &id, text("question")).await,
        "approve" => site.app.decide_review(&caller.who, &id, &Decision::Approve).await.map(|_| ()),
        "reject" => {
            let chosen = |name: &String| name.strip_prefix("finding.")?.parse::<usize>().ok();
            let findings = sent.keys().filter_map(chosen);
            let findings = findings.map(|at| (at, text(&format!("why.{at}")).to_owned())).collect();
            let decision = Decision::Reject { reason: text("reason").to_owned(), findings };
            site.app.decide_review(&caller.who, &id, &decision).await.map(|_| ())
        }
        _ => Err(AppError::NotFound),
    };
    let problem = match done {
        Ok(()) if matches!(text("action"), "approve" | "reject") => return Ok(see("/portal/review")),
        Ok(()) => return Ok(see(&format!("/portal/review/{id}"))),
        Err(AppError::Problems(_)) => "ui-reason-needed",
        Err(AppError::Claimed) => "ui-claimed",
        Err(AppError::Refused(refusal)) => refusal.code(),
        Err(error) => return Err(error_page(&caller, &error)),
    };
    let words = Frame::new(&caller).t(problem);
    let page = draw(&site, &caller, &id, (Some(words), sent)).await.map_err(fail(&caller))?;
    Ok(show(StatusCode::UNPROCESSABLE_ENTITY, &page))
}

#[derive(serde::Deserialize)]
pub(super) struct Answered {
    answer: String,
}

/// The publisher's answer, from the Status tab.
pub(super) async fn answer(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer)): Path<(String, String)>,
    Form(sent): Form<Answered>,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    site.app.answer_review(caller.actor(), &key, &sent.answer).await.map_err(fail(&caller))?;
    Ok(see(&format!("/portal/offers/{key}/status")))
}
