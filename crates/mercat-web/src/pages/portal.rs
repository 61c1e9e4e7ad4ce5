//! All offers, New offer, Publish, Status, Mailbox.

use super::{Answer, Frame, error_page, fail, see, show};
use crate::Site;
use crate::guard::Caller;
use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mercat_app::{AppError, PublishRequest};
use mercat_domain::offer::status_key;
use mercat_domain::run::State as RunState;
use mercat_domain::{Document, OfferKey, OfferKind};
use mercat_store::{MailRow, OfferRow, PublisherRow, Query, SubmissionRow, find, list, load};
use serde::Deserialize;
use std::sync::Arc;

type Shared = State<Arc<Site>>;
type Key = Path<(String, String)>;

fn key(path: &(String, String)) -> OfferKey {
    OfferKey::new(&path.0, &path.1)
}

struct OfferLine {
    row: OfferRow,
    status: &'static str,
}

#[derive(Template)]
#[template(path = "offers.html")]
struct Offers {
    f: Frame,
    offers: Vec<OfferLine>,
    publishers: Vec<String>,
}

async fn my_publishers(site: &Site, caller: &Caller) -> Result<Vec<String>, AppError> {
    if !caller.who.operator {
        return Ok(caller.who.roles.iter().map(|(id, _)| id.clone()).collect());
    }
    let rows = list::<PublisherRow>(&*site.app.ledger, Query { limit: 1000, ..Query::default() }).await?;
    Ok(rows.into_iter().map(|row| row.row.id).collect())
}

pub(super) async fn offers(State(site): Shared, caller: Caller) -> Answer {
    let loaded = async {
        let publishers = my_publishers(&site, &caller).await?;
        let mut offers = Vec::new();
        for publisher in &publishers {
            for row in find::<OfferRow>(&*site.app.ledger, "publisher", publisher).await? {
                let state = match &row.row.latest {
                    None => None,
                    Some(id) => load::<SubmissionRow>(&*site.app.ledger, id).await?,
                };
                let state = state.and_then(|row| RunState::parse(&row.row.run.state));
                offers.push(OfferLine { row: row.row, status: status_key(state) });
            }
        }
        Ok::<_, AppError>((publishers, offers))
    };
    let (publishers, offers) = loaded.await.map_err(fail(&caller))?;
    Ok(show(StatusCode::OK, &Offers { f: Frame::new(&caller), offers, publishers }))
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
    version: u64,
    waiting: bool,
}

pub(super) async fn publish_page(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    let key = key(&path);
    let loaded = async {
        let problems = site.app.check_draft(&key).await?;
        let draft = site.app.draft(&key).await?;
        let offer = load::<OfferRow>(&*site.app.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?;
        Ok::<_, AppError>((problems, draft.version, offer.row))
    };
    let (problems, version, offer) = loaded.await.map_err(fail(&caller))?;
    if !problems.is_empty() {
        return Ok(see(&format!("/portal/offers/{key}/editor?check=1")));
    }
    let waiting = offer.active.is_some();
    let page = PublishPage { f: Frame::new(&caller), key, emails: offer.emails.join("\n"), version, waiting };
    Ok(show(StatusCode::OK, &page))
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
        notes: asked.notes.unwrap_or_default(),
        locale: caller.locale.code().to_owned(),
        version: asked.version,
        replace: asked.replace.is_some(),
        once: None,
    };
    let key = key(&path);
    match site.app.publish(caller.actor(), &key, &request).await {
        Ok(_) => Ok(see(&format!("/portal/offers/{key}/status"))),
        Err(error) => Err(error_page(&caller, &error)),
    }
}

pub(super) async fn delete(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    site.app.delete_offer(caller.actor(), &key(&path)).await.map_err(fail(&caller))?;
    Ok(see("/portal"))
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
