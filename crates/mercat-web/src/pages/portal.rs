//! All offers, New offer, Publish, Status, Mailbox.

use super::compare::{self, Line};
use super::filled::Form;
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
use mercat_store::{MailRow, OfferRow, PublisherRow, Query, list, load};
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
    let rows = list::<PublisherRow>(&*site.app.ledger, Query { limit: 1000, ..Query::default() }).await?;
    Ok(rows.into_iter().map(|row| row.row.id).collect())
}

#[derive(Template)]
#[template(path = "new.html")]
struct New {
    f: Frame,
    publishers: Vec<String>,
    kinds: [OfferKind; 2],
}

pub(super) async fn new_page(State(site): Shared, caller: Caller) -> Answer {
    let publishers = my_publishers(&site, &caller).await.map_err(fail(&caller))?;
    Ok(show(StatusCode::OK, &New { f: Frame::new(&caller), publishers, kinds: OfferKind::ALL }))
}

#[derive(Deserialize)]
pub(super) struct NewOffer {
    offer: String,
    kind: String,
    name: String,
}

pub(super) async fn create(
    State(site): Shared,
    caller: Caller,
    Path(publisher): Path<String>,
    Form(new): Form<NewOffer>,
) -> Answer {
    let kind = OfferKind::parse(&new.kind).unwrap_or(OfferKind::Container);
    let mut document = Document::new(OfferKey::new(&publisher, &new.offer), kind);
    document.fields.insert("name".into(), mercat_domain::Value::Text(new.name));
    document.plans.push(mercat_domain::Plan { id: "standard".into(), ..mercat_domain::Plan::default() });
    site.app.save_draft(caller.actor(), document, None).await.map_err(fail(&caller))?;
    Ok(see(&format!("/portal/offers/{publisher}/{}/editor", new.offer)))
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
    live: bool,
    lines: Vec<Line>,
    problems: Vec<String>,
}

async fn asking(
    site: &Site,
    caller: &Caller,
    key: &OfferKey,
    sent: Option<&Publishing>,
    problems: &[Problem],
) -> Result<Option<PublishPage>, AppError> {
    if sent.is_none() && !site.app.check_draft(key).await?.is_empty() {
        return Ok(None);
    }
    let f = Frame::new(caller);
    let draft = site.app.draft(key).await?;
    let offer = load::<OfferRow>(&*site.app.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?.row;
    let lines = compare::against(site, &f, &draft.document, offer.live.as_ref()).await?;
    let told = |problem: &Problem| {
        format!("{} {}: {} ({})", problem.observed, problem.code, f.t(problem.code), problem.required)
    };
    Ok(Some(PublishPage {
        problems: problems.iter().map(told).collect(),
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
    match asking(&site, &caller, &key, None, &[]).await.map_err(fail(&caller))? {
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
        // An address that is wrong is told beside the addresses; the draft was complete a moment ago.
        Err(AppError::Problems(problems))
            if problems.iter().all(|problem| problem.path.starts_with("notificationEmails")) =>
        {
            let page = asking(&site, &caller, &key, Some(&asked), &problems).await.map_err(fail(&caller))?;
            page.map(|page| show(StatusCode::UNPROCESSABLE_ENTITY, &page))
                .ok_or_else(|| error_page(&caller, &AppError::NotFound))
        }
        Err(error) => Err(error_page(&caller, &error)),
    }
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
    let query = Query { index, limit: 200, newest_first: true, ..Query::default() };
    let rows =
        list::<MailRow>(&*site.app.ledger, query).await.map_err(|error| fail(&caller)(error.into()))?;
    let mails = rows.into_iter().map(|row| row.row).collect();
    Ok(show(StatusCode::OK, &Mailbox { f: Frame::new(&caller), publisher, mails }))
}
