//! Terms and deployments of the caller's subscriptions.

use super::{Answer, Query, Shared, body, fail};
use crate::guard::Caller;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json};
use mercat_app::{AppError, Deployment, Terms, Urn, rfc3339};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, Default)]
pub(super) struct Slot {
    #[serde(default)]
    preview: bool,
}

fn document(terms: &Terms) -> Value {
    json!({
        "terms": terms.text, "digest": terms.digest.as_str(), "accepted": terms.accepted.map(rfc3339),
    })
}

fn urn(caller: &Caller, text: &str) -> Result<Urn, axum::response::Response> {
    Urn::parse(text).ok_or_else(|| fail(caller)(AppError::NotFound))
}

pub(super) async fn terms(
    State(site): Shared,
    caller: Caller,
    Path((id, text)): Path<(String, String)>,
    Query(slot): Query<Slot>,
) -> Answer {
    let urn = urn(&caller, &text)?;
    let terms = site.app.terms(&caller.who, &id, &urn, slot.preview).await.map_err(fail(&caller))?;
    Ok(Json(document(&terms)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acceptance {
    digest: String,
    #[serde(default)]
    market: String,
}

pub(super) async fn accept(
    State(site): Shared,
    caller: Caller,
    Path((id, text)): Path<(String, String)>,
    Query(slot): Query<Slot>,
    bytes: Bytes,
) -> Answer {
    let (urn, read) = (urn(&caller, &text)?, body::<Acceptance>(&bytes)?);
    let terms =
        site.app.accept_terms(&caller.who, &id, &urn, slot.preview, (&read.digest, &read.market)).await;
    Ok(Json(document(&terms.map_err(fail(&caller))?)).into_response())
}

pub(super) async fn deployments(State(site): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    let rows = site.app.deployments(&caller.who, &id).await.map_err(fail(&caller))?;
    Ok(Json(rows).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewDeployment {
    urn: String,
    target: String,
    success: bool,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    preview: bool,
}

pub(super) async fn deploy(
    State(site): Shared,
    caller: Caller,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Answer {
    let new: NewDeployment = body(&bytes)?;
    let deployment =
        Deployment { urn: new.urn, target: new.target, success: new.success, detail: new.detail };
    let row = site.app.record_deployment(&caller.who, &id, &deployment, new.preview).await;
    Ok((StatusCode::CREATED, Json(row.map_err(fail(&caller))?)).into_response())
}
