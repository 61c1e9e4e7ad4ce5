//! Leads over the API.

use super::{Answer, Query, Shared, body, fail, listing_key, no_content};
use crate::Site;
use crate::guard::Caller;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json};
use mercat_app::{AppError, Interest, rfc3339};
use mercat_domain::OfferKey;
use mercat_domain::csv;
use mercat_domain::lead::{LeadKind, Person};
use mercat_domain::offer::Problem;
use mercat_store::LeadRow;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

const PAGE: u32 = 200;

/// What somebody sends who wants an offer, by the API or by the form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[derive(Default)]
pub(crate) struct Asked {
    kind: String,
    plan: String,
    first_name: String,
    last_name: String,
    email: String,
    phone: String,
    country: String,
    company: String,
    title: String,
    description: String,
    consent: bool,
}

impl Asked {
    /// What a form sent; of what is not there, nothing.
    pub(crate) fn from_form(texts: &BTreeMap<String, String>) -> Self {
        let text = |name: &str| texts.get(name).cloned().unwrap_or_default();
        Self {
            kind: text("kind"),
            plan: text("plan"),
            first_name: text("firstName"),
            last_name: text("lastName"),
            email: text("email"),
            phone: text("phone"),
            country: text("country"),
            company: text("company"),
            title: text("title"),
            description: text("description"),
            consent: text("consent") == "true",
        }
    }

    pub(crate) fn into_interest(self) -> Result<Interest, AppError> {
        let kind = LeadKind::parse(&self.kind).filter(|kind| *kind != LeadKind::Test).ok_or_else(|| {
            AppError::Problems(vec![Problem::new("F003", "kind", &self.kind, "getItNow or contactMe")])
        })?;
        let person = Person {
            first_name: self.first_name,
            last_name: self.last_name,
            email: self.email,
            phone: self.phone,
            country: self.country.to_ascii_uppercase(),
            company: self.company,
            title: self.title,
        };
        let description = self.description.replace("\r\n", "\n");
        Ok(Interest { kind, plan: self.plan, person, description, consent: self.consent })
    }
}

async fn interest(site: &Site, caller: &Caller, id: &str, preview: bool, bytes: &Bytes) -> Answer {
    let asked: Asked = body(bytes)?;
    let made = async {
        let interest = asked.into_interest()?;
        site.app.record_interest(&caller.who, &listing_key(id)?, preview, &interest).await
    };
    let row = made.await.map_err(fail(caller))?;
    // Whether the publisher's system works is the publisher's business.
    Ok((StatusCode::ACCEPTED, Json(json!({"lead": row.id}))).into_response())
}

pub(super) async fn ask(State(site): Shared, caller: Caller, Path(id): Path<String>, bytes: Bytes) -> Answer {
    interest(&site, &caller, &id, false, &bytes).await
}

pub(super) async fn ask_in_preview(
    State(site): Shared,
    caller: Caller,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Answer {
    interest(&site, &caller, &id, true, &bytes).await
}

#[derive(Deserialize)]
pub(super) struct After {
    #[serde(default)]
    after: String,
}

fn document(row: &LeadRow) -> Value {
    json!({
        "lead": row.id, "offer": format!("{}/{}", row.publisher, row.offer), "plan": row.plan, "kind": row.kind,
        "environment": row.environment, "person": row.person, "description": row.description,
        "consent": (row.consent > 0).then(|| rfc3339(row.consent)), "created": rfc3339(row.at),
        "delivery": {
            "destination": row.destination, "state": row.state, "attempts": row.attempts, "response": row.response,
            "next": (row.next > 0).then(|| rfc3339(row.next)),
        },
        "erased": row.erased,
    })
}

pub(super) async fn all(
    State(site): Shared,
    caller: Caller,
    Path(publisher): Path<String>,
    Query(page): Query<After>,
) -> Answer {
    let rows = site.app.leads(&publisher, &page.after, PAGE).await.map_err(fail(&caller))?;
    let next = rows.last().filter(|_| rows.len() == PAGE as usize).map(|row| row.id.clone());
    let items: Vec<Value> = rows.iter().map(document).collect();
    Ok(Json(json!({"items": items, "next": next})).into_response())
}

const COLUMNS: [&str; 19] = [
    "lead",
    "created",
    "offer",
    "plan",
    "kind",
    "environment",
    "firstName",
    "lastName",
    "email",
    "phone",
    "country",
    "company",
    "title",
    "description",
    "consent",
    "destination",
    "state",
    "attempts",
    "response",
];

fn record(row: &LeadRow) -> String {
    let person = &row.person;
    let consent = if row.consent > 0 { rfc3339(row.consent) } else { String::new() };
    csv::line([
        &row.id,
        &rfc3339(row.at),
        &row.offer,
        &row.plan,
        &row.kind,
        &row.environment,
        &person.first_name,
        &person.last_name,
        &person.email,
        &person.phone,
        &person.country,
        &person.company,
        &person.title,
        &row.description,
        &consent,
        &row.destination,
        &row.state,
        &row.attempts.to_string(),
        &row.response,
    ])
}

/// However many there are, a page of them is in memory at a time.
pub(crate) async fn csv(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    // An error of the ledger before the first line is an answer; after it, the stream breaks off.
    let first = site.app.leads(&publisher, "", PAGE).await.map_err(fail(&caller))?;
    let (send, receive) = mpsc::channel::<io::Result<String>>(2);
    tokio::spawn(pages(site, publisher.clone(), first, send));
    let name = format!("attachment; filename=\"leads-{publisher}.csv\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(receive))).into_response())
}

async fn pages(
    site: Arc<Site>,
    publisher: String,
    first: Vec<LeadRow>,
    send: mpsc::Sender<io::Result<String>>,
) {
    let (mut rows, mut text) = (first, csv::line(COLUMNS));
    loop {
        text.extend(rows.iter().map(record));
        if send.send(Ok(std::mem::take(&mut text))).await.is_err() || rows.len() < PAGE as usize {
            return;
        }
        let after = rows.last().map(|row| row.id.clone()).unwrap_or_default();
        match site.app.leads(&publisher, &after, PAGE).await {
            Ok(next) => rows = next,
            Err(error) => {
                let _ = send.send(Err(io::Error::other(error.to_string()))).await;
                return;
            }
        }
    }
}

pub(super) async fn replay(
    State(site): Shared,
    caller: Caller,
    Path((publisher, lead)): Path<(String, String)>,
) -> Answer {
    let row = site.app.replay_lead(caller.actor(), &publisher, &lead).await.map_err(fail(&caller))?;
    Ok((StatusCode::ACCEPTED, Json(document(&row))).into_response())
}

pub(super) async fn erase(
    State(site): Shared,
    caller: Caller,
    Path((publisher, lead)): Path<(String, String)>,
) -> Answer {
    site.app.erase_lead(caller.actor(), &publisher, &lead).await.map_err(fail(&caller))?;
    Ok(no_content())
}

pub(super) async fn test(
    State(site): Shared,
    caller: Caller,
    Path((publisher, offer)): Path<(String, String)>,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let row = site.app.send_test_lead(caller.actor(), &key).await.map_err(fail(&caller))?;
    Ok((StatusCode::ACCEPTED, Json(document(&row))).into_response())
}
