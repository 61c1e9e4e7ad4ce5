//! All offers, New offer, Publish, Status, Mailbox.

use super::compare::{self, Line};
use super::filled::{Filled, Form, Query, Texts, text, whole_sentence};
use super::{Answer, Frame, error_page, fail, see, show};
use crate::Site;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mercat_app::{AppError, PublishRequest};
use mercat_domain::offer::fields::Tab;
use mercat_domain::offer::{Problem, tab_of};
use mercat_domain::{Document, OfferKey, OfferKind};
use mercat_store::{MailRow, OfferRow, PublisherRow, Query as Rows, list, load};
use serde::Deserialize;
use std::sync::Arc;

type Shared = State<Arc<Site>>;
type Key = Path<(String, String)>;

fn key(path: &(String, String)) -> OfferKey {
    OfferKey::new(&path.0, &path.1)
}

pub(super) async fn my_publishers(site: &Site, caller: &Caller) -> Result<Vec<String>, AppError> {
    if !caller.who.operator {
        return Ok(caller.who.roles.iter().map(|(id, _)| id.clone()).collect());
    }
    let rows = list::<PublisherRow>(&*site.app.ledger, Rows { limit: 1000, ..Rows::default() }).await?;
    Ok(rows.into_iter().map(|row| row.row.id).collect())
}

#[derive(Template)]
#[template(path = "new.html")]
struct New {
    f: Frame,
    publishers: Vec<String>,
    /// For which of them.
    chosen: String,
    kinds: [OfferKind; 2],
    filled: Filled,
}

async fn new_form(site: &Site, caller: &Caller, wanted: &str, filled: Filled) -> Answer {
    let mut publishers = my_publishers(site, caller).await.map_err(fail(caller))?;
    // A form that was refused comes back for whom it was, whoever else is listed.
    if filled.is_refused() && !publishers.iter().any(|id| id == wanted) {
        publishers.push(wanted.to_owned());
    }
    let chosen =
        publishers.iter().find(|id| *id == wanted).or(publishers.first()).cloned().unwrap_or_default();
    let f = Frame::new(caller);
    Ok(show(filled.status(), &New { f, publishers, chosen, kinds: OfferKind::ALL, filled }))
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    publisher: String,
}

pub(super) async fn new_page(State(site): Shared, caller: Caller, Query(wanted): Query<Wanted>) -> Answer {
    new_form(&site, &caller, &wanted.publisher, Filled::default()).await
}

pub(super) async fn create(
    State(site): Shared,
    caller: Caller,
    Path(publisher): Path<String>,
    Form(new): Form<Texts>,
) -> Answer {
    let Some(kind) = OfferKind::parse(text(&new, "kind")) else {
        let wrong = Problem::new("F003", "kind", text(&new, "kind"), "container or virtual-machine");
        let filled = Filled::refused(&caller, AppError::Problems(vec![wrong]), &new)?;
        return new_form(&site, &caller, &publisher, filled).await;
    };
    let key = OfferKey::new(&publisher, text(&new, "offer"));
    let mut document = Document::new(key.clone(), kind);
    document.fields.insert("name".into(), mercat_domain::Value::Text(text(&new, "name").to_owned()));
    document.plans.push(mercat_domain::Plan { id: "standard".into(), ..mercat_domain::Plan::default() });
    match site.app.save_draft(caller.actor(), document, None).await {
        Ok(_) => Ok(see(&format!("/portal/offers/{key}/editor"))),
        Err(error) => new_form(&site, &caller, &publisher, Filled::refused(&caller, error, &new)?).await,
    }
}

#[derive(Template)]
#[template(path = "publish.html")]
struct PublishPage {
    f: Frame,
    key: OfferKey,
    emails: String,
    notes: String,
    version: u64,
    waiting: bool,
    replace: bool,
    live: bool,
    lines: Vec<Line>,
    problems: Vec<String>,
    /// Whether it is the addresses that are wrong.
    at_emails: bool,
    /// Whether no field of the draft needs attention.
    complete: bool,
}

async fn asking(
    site: &Site,
    caller: &Caller,
    key: &OfferKey,
    sent: Option<(&Publishing, &AppError)>,
) -> Result<Option<PublishPage>, AppError> {
    let missing = site.app.check_draft(key).await?;
    if sent.is_none() && !missing.is_empty() {
        return Ok(None);
    }
    let f = Frame::new(caller);
    let (sent, why) = sent.unzip();
    let mut problems = why.map(|why| refused(&f, why)).unwrap_or_default();
    if let Some(AppError::Stale { .. }) = why {
        problems.extend(missing.iter().map(|problem| about(&f, problem)));
    }
    let draft = site.app.draft(key).await?;
    let offer = load::<OfferRow>(&*site.app.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?.row;
    let lines = compare::against(site, &f, &draft.document, offer.live.as_ref()).await?;
    Ok(Some(PublishPage {
        problems,
        at_emails: matches!(why, Some(AppError::Problems(all)) if all.iter().any(of_emails)),
        complete: missing.is_empty(),
        replace: sent.is_some_and(|sent| sent.replace.is_some()),
        emails: sent.map_or_else(|| offer.emails.join("\n"), |sent| sent.emails.clone()),
        notes: sent.and_then(|sent| sent.notes.clone()).unwrap_or_default(),
        waiting: offer.active.is_some(),
        live: offer.live.is_some(),
        version: draft.version,
        key: key.clone(),
        lines,
        f,
    }))
}

pub(super) async fn publish_page(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    let key = key(&path);
    match asking(&site, &caller, &key, None).await.map_err(fail(&caller))? {
        Some(page) => Ok(show(StatusCode::OK, &page)),
        None => {
            // To the first page with a warning.
            let problems = site.app.check_draft(&key).await.map_err(fail(&caller))?;
            let tab = problems.first().and_then(|problem| tab_of(&problem.path)).unwrap_or(Tab::Settings);
            Ok(see(&format!("/portal/offers/{key}/editor/{}?check=1", tab.key().trim_start_matches("tab-"))))
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Publishing {
    emails: String,
    notes: Option<String>,
    version: Option<u64>,
    replace: Option<String>,
}

pub(super) async fn publish(
    State(site): Shared,
    caller: Caller,
    Path(path): Key,
    Form(asked): Form<Publishing>,
) -> Answer {
    let emails = asked.emails.split(['\n', ',', ';']).map(str::trim).filter(|email| !email.is_empty());
    let request = PublishRequest {
        emails: emails.map(str::to_owned).collect(),
        notes: asked.notes.clone().unwrap_or_default(),
        locale: caller.locale.code().to_owned(),
        version: asked.version,
        replace: asked.replace.is_some(),
        once: None,
    };
    let key = key(&path);
    match site.app.publish(caller.actor(), &key, &request).await {
        Ok(_) => Ok(see(&format!("/portal/offers/{key}/status"))),
        // What was typed stays, whatever it is that changed since the form was opened.
        Err(error @ (AppError::Problems(_) | AppError::Stale { .. } | AppError::InProgress(_))) => {
            let sent = Some((&asked, &error));
            let page = asking(&site, &caller, &key, sent).await.map_err(fail(&caller))?;
            let status = crate::problem::classify(&error).0;
            page.map(|page| show(status, &page)).ok_or_else(|| error_page(&caller, &AppError::NotFound))
        }
        Err(error) => Err(error_page(&caller, &error)),
    }
}

/// Why a submission was not taken, where the form itself can say so.
fn refused(f: &Frame, error: &AppError) -> Vec<String> {
    match error {
        AppError::Problems(problems) => problems.iter().map(|problem| about(f, problem)).collect(),
        AppError::Stale { .. } => vec![f.t("ui-publish-stale")],
        AppError::InProgress(_) => vec![f.t("ui-publish-running")],
        _ => Vec::new(),
    }
}

fn of_emails(problem: &Problem) -> bool {
    problem.path.starts_with("notificationEmails")
}

fn about(f: &Frame, problem: &Problem) -> String {
    if of_emails(problem) {
        // The address itself, where it is one that is wrong.
        let address = if problem.code == "F023" { problem.observed.as_str() } else { "" };
        return whole_sentence(f, address, problem);
    }
    let key = format!("field-{}", problem.path.rsplit('/').next().unwrap_or_default());
    let label = if mercat_text::has(f.locale, &key) { f.t(&key) } else { problem.path.clone() };
    whole_sentence(f, &label, problem)
}

#[derive(Template)]
#[template(path = "mailbox.html")]
struct Mailbox {
    f: Frame,
    publisher: String,
    mails: Vec<MailRow>,
}

pub(super) async fn mailbox(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    let index = Some(("publisher", publisher.clone()));
    let query = Rows { index, limit: 200, newest_first: true, ..Rows::default() };
    let rows =
        list::<MailRow>(&*site.app.ledger, query).await.map_err(|error| fail(&caller)(error.into()))?;
    let mails = rows.into_iter().map(|row| row.row).collect();
    Ok(show(StatusCode::OK, &Mailbox { f: Frame::new(&caller), publisher, mails }))
}
