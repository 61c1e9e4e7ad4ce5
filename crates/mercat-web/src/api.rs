//! The API: handlers extract, call a verb, map and return. The guard has decided already.

mod announcements;
mod deploy;
mod events;
pub(crate) mod exceptions;
pub(crate) mod insights;
pub(crate) mod leads;
mod offers;
pub(crate) mod people;
mod subscribers;
pub(crate) mod support;
mod uploads;
mod verdicts;
mod webhooks;

use crate::guard::Caller;
use crate::pages::Where;
use crate::{Site, openapi_document, problem};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{delete, get, post, put};
use mercat_app::{AppError, Entry};
use mercat_domain::OfferKey;
use mercat_store::{OfferRow, Query as Listing, list};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) type Shared = State<Arc<Site>>;
pub(crate) type Answer = Result<Response, Response>;

const P: &str = "/api/v1/publishers/{publisher}";

pub(crate) fn router() -> Router<Arc<Site>> {
    let offer = |tail: &str| format!("{P}/offers/{{offer}}{tail}");
    Router::new()
        .route("/api/openapi.json", get(async || Json(openapi_document())))
        .route("/api/v1/health", get(health))
        .route("/api/v1/me", get(people::me))
        .route("/api/v1/catalogue", get(catalogue))
        .route("/api/v1/catalogue/{id}", get(live_listing))
        .route("/api/v1/preview/{id}", get(preview_listing))
        .route("/api/v1/publishers", get(people::publishers).post(people::new_publisher))
        .route(&format!("{P}/members"), get(people::members).post(people::new_member))
        .route(&format!("{P}/members/{{user}}"), delete(people::remove_member))
        .route(&format!("{P}/mail"), get(people::mail))
        .route(&format!("{P}/uploads"), get(uploads::list).post(uploads::begin))
        .route(&format!("{P}/offers"), get(offers::all))
        .route(&offer(""), get(offers::draft).put(offers::save).delete(offers::remove))
        .route(&offer("/slot/{slot}"), get(offers::slot))
        .route(&offer("/status"), get(offers::status))
        .route(&offer("/history"), get(offers::history))
        .route(&offer("/submissions"), get(offers::submissions))
        .route(&offer("/submissions/{submission}"), get(offers::submission))
        .route(&offer("/submissions/{submission}/verdicts/{digest}"), get(verdicts::one))
        .route(&offer("/submissions/{submission}/boot/{digest}/{part}"), get(offers::boot))
        .route(&offer("/sboms/{digest}"), get(offers::sbom))
        .route(&offer("/validate"), post(offers::validate))
        .route(&offer("/publish"), post(offers::publish))
        .route(&offer("/golive"), post(offers::go_live))
        .route(&offer("/cancel"), post(offers::cancel))
        .route(&offer("/retry"), post(offers::retry))
        .route(&offer("/audience"), put(offers::audience))
        .route("/api/v1/catalogue/{id}/leads", post(leads::ask))
        .route("/api/v1/preview/{id}/leads", post(leads::ask_in_preview))
        .route(&format!("{P}/leads"), get(leads::all))
        .route(&format!("{P}/leads.csv"), get(leads::csv))
        .route(&format!("{P}/leads/{{lead}}"), delete(leads::erase))
        .route(&format!("{P}/leads/{{lead}}/replay"), post(leads::replay))
        .route(&offer("/test-lead"), post(leads::test))
        .route(&offer("/resolve"), post(crate::pages::resolve))
        .route(&offer("/submissions/{submission}/exceptions"), post(exceptions::ask))
        .route(&format!("{P}/exceptions"), get(exceptions::all))
        .route(&format!("{P}/exceptions/{{exception}}"), post(exceptions::inform))
        .route(&format!("{P}/exceptions/{{exception}}/attachments/{{digest}}"), get(exceptions::file))
        .route("/api/v1/exceptions", get(exceptions::queue))
        .route("/api/v1/exceptions/{exception}/attachments/{digest}", get(exceptions::file_of_queue))
        .route("/api/v1/exceptions/{exception}", post(exceptions::decide))
        .route(&format!("{P}/subscribers"), get(subscribers::all))
        .route(&format!("{P}/subscribers/{{email}}"), put(subscribers::put).delete(subscribers::remove))
        .route(&format!("{P}/subscription"), put(subscribers::put_own).delete(subscribers::remove_own))
        .route(&format!("{P}/insights"), get(insights::all))
        .route(&format!("{P}/insights.csv"), get(insights::csv))
        .route(&offer("/deprecations"), post(announcements::deprecate))
        .route("/api/v1/recertifications", post(announcements::recertify))
        .route("/api/v1/support", get(support::all).post(support::open))
        .route("/api/v1/support/{id}", get(support::one))
        .route("/api/v1/support/{id}/replies", post(support::reply))
        .route("/api/v1/support/{id}/attachments/{digest}", get(support::attachment))
        .route(&format!("{P}/webhooks"), get(webhooks::all).post(webhooks::create))
        .route(&format!("{P}/webhooks/{{webhook}}"), delete(webhooks::remove))
        .route(&format!("{P}/webhooks/{{webhook}}/rotate"), post(webhooks::rotate))
        .route(&format!("{P}/webhooks/{{webhook}}/test"), post(webhooks::ping))
        .route(&format!("{P}/webhooks/{{webhook}}/deliveries"), get(webhooks::messages))
        .route(&format!("{P}/webhooks/{{webhook}}/replay"), post(webhooks::replay))
        .route("/api/v1/tokens", get(people::tokens).post(people::new_token))
        .route("/api/v1/tokens/{id}", delete(people::revoke_token))
        .route("/api/v1/subscriptions", get(people::subscriptions).post(people::new_subscription))
        .route(
            "/api/v1/subscriptions/{id}/pull-tokens",
            get(people::pull_tokens).post(people::new_pull_token),
        )
        .route("/api/v1/subscriptions/{id}/pull-tokens/{token}", delete(people::revoke_pull_token))
        .route("/api/v1/subscriptions/{id}/terms/{urn}", get(deploy::terms).post(deploy::accept))
        .route("/api/v1/subscriptions/{id}/deployments", get(deploy::deployments).post(deploy::deploy))
}

/// Routes with large bodies.
pub(crate) fn uploads() -> Router<Arc<Site>> {
    Router::new().route(&format!("{P}/media"), post(offers::upload))
}

/// Routes whose bodies or answers last.
pub(crate) fn streams() -> Router<Arc<Site>> {
    Router::new()
        .route(&format!("{P}/offers/{{offer}}/submissions/{{submission}}/events"), get(events::stream))
        .route(
            &format!("{P}/uploads/{{upload}}"),
            get(uploads::show).patch(uploads::append).delete(uploads::remove),
        )
        .route("/api/v1/catalogue/{id}/plans/{plan}/disks/{disk}/{format}", get(crate::disks::live))
        .route("/api/v1/preview/{id}/plans/{plan}/disks/{disk}/{format}", get(crate::disks::preview))
}

/// Turns bad news into a problem document in the caller's language.
pub(crate) fn fail(caller: &Caller) -> impl Fn(AppError) -> Response + '_ {
    |error| problem::document(caller.locale, &error)
}

/// Reads a JSON body; an empty one reads as `{}`.
pub(crate) fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Response> {
    let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| problem::malformed("", &format!("the body: {error}")))
}

pub(crate) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// `If-Match`: nothing, `*` as 0, or a version.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Response> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or("").trim();
    if text == "*" {
        return Ok(Some(0));
    }
    let plain =
        text.trim_start_matches("W/").trim_matches('"').parse::<u64>().ok().filter(|version| *version > 0);
    plain.map(Some).ok_or_else(|| problem::malformed("/If-Match", "If-Match is not an ETag of this server"))
}

pub(crate) fn words(caller: &Caller) -> impl Fn(&str, &[(&str, &str)]) -> String + use<> {
    let locale = caller.locale;
    move |key, args| mercat_text::text(locale, key, args)
}

async fn health(State(site): Shared, caller: Caller) -> Answer {
    let now = site.app.ledger.now().await.map_err(|error| fail(&caller)(error.into()))?;
    Ok(Json(json!({"status": "ok", "time": mercat_app::rfc3339(now)})).into_response())
}

#[derive(Deserialize)]
struct Page {
    category: Option<String>,
    subcategories: Option<String>,
    after: Option<String>,
}

/// What is found of the words and choices of the storefront's addresses, with counts by facet.
async fn found(site: &Site, caller: &Caller, category: &str, at: &Where) -> Answer {
    let found = site.app.search(&caller.who, &at.asked(category)).await.map_err(fail(caller))?;
    let item = |entry: &Entry| {
        json!({
            "id": format!("{}.{}", entry.publisher, entry.offer), "type": entry.kind, "title": entry.title,
            "summary": entry.summary, "publisherName": entry.publisher_name, "platforms": entry.platforms,
            "licenses": entry.licenses, "liveSince": mercat_app::rfc3339(entry.since), "private": !entry.public,
        })
    };
    let values = |values: &Vec<(String, usize)>| {
        values.iter().map(|(value, count)| json!({"value": value, "count": count})).collect::<Vec<_>>()
    };
    let facets: serde_json::Map<String, Value> =
        found.facets.iter().map(|(facet, list)| (facet.name().to_owned(), json!(values(list)))).collect();
    let items: Vec<Value> = found.entries.iter().map(item).collect();
    Ok(Json(json!({"total": found.total, "items": items, "facets": facets})).into_response())
}

/// [`axum::extract::Query`], refused with a problem document.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let read = axum::extract::Query::from_request_parts(parts, state).await;
        read.map(|axum::extract::Query(asked)| Self(asked))
            .map_err(|error| problem::malformed("", &error.body_text()))
    }
}

async fn catalogue(
    State(site): Shared,
    caller: Caller,
    Query(page): Query<Page>,
    Query(at): Query<Where>,
) -> Answer {
    if page.after.is_none() && at.searches() {
        return found(&site, &caller, page.category.as_deref().unwrap_or_default(), &at).await;
    }
    let index = match (page.category, page.subcategories) {
        (Some(category), Some(sub)) => ("category", format!("{category}/{sub}")),
        (Some(category), None) => ("category", category),
        _ => ("live", "yes".to_owned()),
    };
    let query = Listing {
        index: Some(index),
        after: page.after.unwrap_or_default(),
        limit: 50,
        ..Listing::default()
    };
    let rows =
        list::<OfferRow>(&*site.app.ledger, query).await.map_err(|error| fail(&caller)(error.into()))?;
    let next =
        (rows.len() == 50).then(|| rows.last().map(|row| format!("{}/{}", row.row.publisher, row.row.offer)));
    let one = |row: &OfferRow| {
        let card = row.card.clone().unwrap_or_default();
        json!({
            "id": format!("{}.{}", row.publisher, row.offer), "type": row.kind, "title": card.title,
            "summary": card.summary, "logo": format!("/media/{}", card.logo), "categories": card.categories,
        })
    };
    let items: Vec<Value> = rows.iter().map(|row| one(&row.row)).collect();
    Ok(Json(json!({"items": items, "next": next.flatten()})).into_response())
}

pub(crate) fn listing_key(id: &str) -> Result<OfferKey, AppError> {
    let (publisher, offer) = id.split_once('.').ok_or(AppError::NotFound)?;
    Ok(OfferKey::new(publisher, offer))
}

async fn listing(site: &Site, caller: &Caller, id: &str, preview: bool) -> Answer {
    let found = async { site.app.visible_listing(&caller.who, &listing_key(id)?, preview).await };
    let found = found.await.map_err(fail(caller))?;
    Ok(Json(found).into_response())
}

async fn live_listing(State(site): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    listing(&site, &caller, &id, false).await
}

async fn preview_listing(State(site): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    listing(&site, &caller, &id, true).await
}

pub(crate) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
