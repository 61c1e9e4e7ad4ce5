//! History: every change with who, when and what; and the submissions.

use super::compare::Line;
use super::filled::Query;
use super::{Answer, Frame, fail, show};
use crate::Site;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use mercat_app::{AppError, rfc3339};
use mercat_domain::csv::line;
use mercat_domain::offer::Change;
use mercat_domain::offer::fields::FIELDS;
use mercat_domain::run::{Step, title_key};
use mercat_domain::{Millis, OfferKey, OfferKind};
use mercat_store::{EventQuery, OfferRow, Query as Listing, SubmissionRow, UserRow, list, load};
use mercat_text::has;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Events of a page.
const PAGE: usize = 50;
/// Events that are read for one page, and for one file.
const READ_MAX: u32 = 2000;
const FILE_MAX: u32 = 10_000;

/// Kinds of events that a person can choose.
const KINDS: [&str; 26] = [
    "offer.created",
    "draft.saved",
    "audience.changed",
    "submission.accepted",
    "step.complete",
    "submission.waiting",
    "submission.failed",
    "submission.canceled",
    "submission.live",
    "standing.changed",
    "submission.in-review",
    "review.claimed",
    "review.asked",
    "review.answered",
    "submission.reviewed",
    "exception.requested",
    "exception.informed",
    "exception.needsInformation",
    "exception.granted",
    "exception.denied",
    "exception.withdrawn",
    "lead.created",
    "lead.delivered",
    "lead.dead",
    "lead.replayed",
    "lead.erased",
];

#[derive(Deserialize, Default, Clone)]
pub(super) struct Asked {
    #[serde(default)]
    event: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    before: i64,
}

struct Happened {
    seq: i64,
    at: Millis,
    kind: String,
    words: String,
    who: String,
    run: String,
    detail: String,
    lines: Vec<Line>,
}

#[derive(Template)]
#[template(path = "history.html")]
struct History {
    f: Frame,
    key: OfferKey,
    asked: Asked,
    kinds: Vec<(&'static str, String)>,
    events: Vec<Happened>,
    older: Option<String>,
}

fn words(f: &Frame, kind: &str) -> String {
    f.word("event", &kind.replace('.', "-"))
}

/// What is told beside the event: the step, where there is one.
fn detail(f: &Frame, kind: OfferKind, body: &Value) -> String {
    let step = body["step"].as_str().filter(|step| !step.is_empty()).and_then(Step::parse);
    if let (Some(new), Some(blocking)) = (body["new"].as_u64(), body["blocking"].as_u64()) {
        let (new, blocking) = (new.to_string(), blocking.to_string());
        return mercat_text::text(f.locale, "history-standing", &[("new", &new), ("blocking", &blocking)]);
    }
    if let Some(number) = body["exception"].as_u64() {
        let rule = body["rule"].as_str().unwrap_or_default();
        return format!("{} {number}: {rule}", f.t("ui-exception-number"));
    }
    let reason = body["reason"].as_str().unwrap_or_default();
    let step = step.map(|step| f.t(title_key(kind, step))).unwrap_or_default();
    [step, reason.to_owned()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ")
}

fn lines(f: &Frame, body: &Value) -> Vec<Line> {
    let word = |change: &Value, name: &str| change[name].as_str().unwrap_or_default().to_owned();
    let line = |change: &Value| {
        let key = word(change, "key");
        let key = FIELDS.iter().map(|field| field.key).find(|known| *known == key).unwrap_or("plan");
        let change = Change {
            path: word(change, "path"),
            key,
            before: word(change, "before"),
            after: word(change, "after"),
        };
        Line::new(f, change)
    };
    body["changes"].as_array().into_iter().flatten().map(line).collect()
}

/// The newest events that fit, and whether there are older ones.
async fn read(
    site: &Site,
    f: &Frame,
    key: &OfferKey,
    asked: &Asked,
    (count, most): (usize, u32),
) -> Result<(Vec<Happened>, bool), AppError> {
    let offer = load::<OfferRow>(&*site.app.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?.row;
    let kind = OfferKind::parse(&offer.kind).unwrap_or(OfferKind::Container);
    let query = EventQuery {
        subject: Some(format!("offer:{key}")),
        before: asked.before,
        limit: most,
        newest_first: true,
        ..EventQuery::default()
    };
    let events = site.app.ledger.events(&query).await?;
    let whole = events.len() < most as usize;
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut out = Vec::new();
    for event in events {
        if !asked.event.is_empty() && asked.event != event.event.kind {
            continue;
        }
        let actor = event.event.actor;
        if !names.contains_key(&actor) {
            let user = load::<UserRow>(&*site.app.ledger, &actor).await?;
            let name = match (user, actor.as_str()) {
                (Some(user), _) if !user.row.email.is_empty() => user.row.email,
                (Some(_), _) => f.t("ui-operator"),
                (None, "" | "worker") => "Mercat".to_owned(),
                (None, "customer") => f.t("ui-customer"),
                (None, _) => f.t("ui-unidentified"),
            };
            names.insert(actor.clone(), name);
        }
        let who = names.get(&actor).cloned().unwrap_or_default();
        if !who.to_lowercase().contains(&asked.user.trim().to_lowercase()) {
            continue;
        }
        if out.len() == count {
            return Ok((out, true));
        }
        let body: Value = serde_json::from_str(&event.event.body).unwrap_or_default();
        out.push(Happened {
            seq: event.seq,
            at: event.at,
            words: words(f, &event.event.kind),
            kind: event.event.kind,
            who,
            run: event.event.run,
            detail: detail(f, kind, &body),
            lines: lines(f, &body),
        });
    }
    Ok((out, !whole))
}

pub(super) async fn page(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let f = Frame::new(&caller);
    let (events, more) = read(&site, &f, &key, &asked, (PAGE, READ_MAX)).await.map_err(fail(&caller))?;
    let older = events.last().filter(|_| more).map(|last| {
        let pairs = [("event", &asked.event), ("user", &asked.user), ("before", &last.seq.to_string())];
        let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("/portal/offers/{key}/history?{query}")
    });
    let known = |kind: &&str| has(f.locale, &format!("event-{}", kind.replace('.', "-")));
    let kinds = KINDS.into_iter().filter(known).map(|kind| (kind, words(&f, kind))).collect();
    Ok(show(StatusCode::OK, &History { f, key, asked, kinds, events, older }))
}

pub(super) async fn csv(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let f = Frame::new(&caller);
    let all = (FILE_MAX as usize, FILE_MAX);
    let (events, _) = read(&site, &f, &key, &asked, all).await.map_err(fail(&caller))?;
    let mut text = "time,event,user,submission,detail,field,before,after\r\n".to_owned();
    for event in events {
        let head = [rfc3339(event.at), event.kind, event.who, event.run, event.detail];
        if event.lines.is_empty() {
            text.push_str(&line(head.iter().map(String::as_str).chain(["", "", ""])));
        }
        for shown in event.lines {
            let Change { path, before, after, .. } = shown.change;
            text.push_str(&line(head.iter().chain(&[path, before, after])));
        }
    }
    let name = "attachment; filename=\"history.csv\"";
    let headers = [(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, text).into_response())
}

#[derive(Template)]
#[template(path = "versions.html")]
struct Versions {
    f: Frame,
    key: OfferKey,
    live: Option<String>,
    preview: Option<String>,
    rows: Vec<SubmissionRow>,
}

impl Versions {
    fn state(&self, row: &SubmissionRow) -> String {
        let state = mercat_domain::run::State::parse(&row.run.state);
        self.f.t(mercat_domain::offer::status_key(state))
    }

    fn is(&self, slot: &Option<String>, row: &SubmissionRow) -> bool {
        slot.as_ref() == Some(&row.id)
    }

    /// Tags and versions that were listed, each once.
    fn images(&self, row: &SubmissionRow) -> String {
        row.images
            .iter()
            .map(|image| format!("{} {}", image.plan, image.reference))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

pub(super) async fn versions(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer)): Path<(String, String)>,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let read = async {
        let offer =
            load::<OfferRow>(&*site.app.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?.row;
        let index = Some(("offer", key.to_string()));
        let query = Listing { index, limit: 200, newest_first: true, ..Listing::default() };
        let rows = list::<SubmissionRow>(&*site.app.ledger, query).await?;
        Ok::<_, AppError>((offer, rows.into_iter().map(|row| row.row).collect()))
    };
    let (offer, rows) = read.await.map_err(fail(&caller))?;
    let f = Frame::new(&caller);
    Ok(show(StatusCode::OK, &Versions { f, key, live: offer.live, preview: offer.preview, rows }))
}
