//! Webhooks over the API.

use super::{Answer, Shared, body, fail, no_content};
use crate::guard::Caller;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json};
use mercat_app::{AppError, rfc3339};
use mercat_store::{MessageLogRow, WebhookRow, find};
use serde::Deserialize;
use serde_json::{Value, json};

fn document(row: &WebhookRow) -> Value {
    json!({
        "id": row.id, "url": row.url, "events": row.events, "active": row.active, "created": rfc3339(row.created),
        "secrets": row.secrets.iter().map(|secret| json!({
            "until": (secret.until > 0).then(|| rfc3339(secret.until)),
        })).collect::<Vec<_>>(),
    })
}

fn message(row: &MessageLogRow) -> Value {
    json!({
        "id": row.id, "event": row.event, "type": row.kind, "state": row.state, "response": row.response,
        "attempts": row.attempts, "next": (row.next > 0).then(|| rfc3339(row.next)), "created": rfc3339(row.at),
        "body": serde_json::from_str::<Value>(&row.body).unwrap_or(Value::Null),
    })
}

pub(super) async fn all(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    let rows = find::<WebhookRow>(&*site.app.ledger, "publisher", &publisher).await;
    let rows = rows.map_err(|error| fail(&caller)(AppError::from(error)))?;
    Ok(Json(rows.iter().map(|row| document(&row.row)).collect::<Vec<_>>()).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewWebhook {
    url: String,
    #[serde(default)]
    events: Vec<String>,
}

pub(super) async fn create(
    State(site): Shared,
    caller: Caller,
    Path(publisher): Path<String>,
    bytes: Bytes,
) -> Answer {
    let new: NewWebhook = body(&bytes)?;
    let made = site.app.create_webhook(caller.actor(), &publisher, &new.url, &new.events).await;
    let (row, secret) = made.map_err(fail(&caller))?;
    let mut body = document(&row);
    body["secret"] = json!(secret);
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

type One = Path<(String, String)>;

pub(super) async fn remove(State(site): Shared, caller: Caller, Path((publisher, id)): One) -> Answer {
    site.app.remove_webhook(caller.actor(), &publisher, &id).await.map_err(fail(&caller))?;
    Ok(no_content())
}

pub(super) async fn rotate(State(site): Shared, caller: Caller, Path((publisher, id)): One) -> Answer {
    let secret = site.app.rotate_webhook(caller.actor(), &publisher, &id).await.map_err(fail(&caller))?;
    Ok(Json(json!({ "secret": secret })).into_response())
}

pub(super) async fn ping(State(site): Shared, caller: Caller, Path((publisher, id)): One) -> Answer {
    let row = site.app.ping_webhook(&publisher, &id).await.map_err(fail(&caller))?;
    Ok((StatusCode::ACCEPTED, Json(message(&row))).into_response())
}

pub(super) async fn messages(State(site): Shared, caller: Caller, Path((publisher, id)): One) -> Answer {
    let rows = site.app.messages(&publisher, &id).await.map_err(fail(&caller))?;
    Ok(Json(rows.iter().map(message).collect::<Vec<_>>()).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    id: String,
}

pub(super) async fn replay(
    State(site): Shared,
    caller: Caller,
    Path((publisher, _)): One,
    bytes: Bytes,
) -> Answer {
    let which: Which = body(&bytes)?;
    let row = site.app.replay_message(&publisher, &which.id).await.map_err(fail(&caller))?;
    Ok((StatusCode::ACCEPTED, Json(message(&row))).into_response())
}
