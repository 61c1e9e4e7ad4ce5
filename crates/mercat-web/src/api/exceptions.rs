//! Exceptions over the API.

use super::support::{File, stored};
use super::{Answer, Query, Shared, body, fail};
use crate::Site;
use crate::guard::Caller;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json};
use mercat_app::{AppError, ExceptionDecision, ExceptionRequest, rfc3339};
use mercat_domain::OfferKey;
use mercat_domain::exception::{ExceptionState, scope};
use mercat_domain::offer::Problem;
use mercat_store::ExceptionRow;
use serde::Deserialize;
use serde_json::{Value, json};

fn document(row: &ExceptionRow) -> Value {
    let message = |message: &mercat_store::ThreadMessageRow| {
        json!({
            "side": if message.helper { "reviewer" } else { "publisher" }, "text": message.text,
            "at": rfc3339(message.at), "attachments": message.attachments,
        })
    };
    json!({
        "id": row.id, "number": row.number, "kind": row.kind, "state": row.state, "publisher": row.publisher,
        "offer": row.offer, "submission": row.submission, "finding": row.finding,
        "boundTo": scope(&row.binding).trim_start_matches("exception-scope-"),
        "until": (row.until > 0).then(|| rfc3339(row.until)), "created": rfc3339(row.created),
        "decided": (row.decided > 0).then(|| rfc3339(row.decided)), "reviewer": row.reviewer,
        "messages": row.messages.iter().map(message).collect::<Vec<_>>(),
    })
}

pub(super) async fn all(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    let rows = site.app.exceptions(&publisher).await.map_err(fail(&caller))?;
    Ok(Json(rows.iter().map(document).collect::<Vec<_>>()).into_response())
}

/// Which exceptions are listed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    #[serde(default)]
    state: String,
}

pub(super) async fn queue(State(site): Shared, caller: Caller, Query(which): Query<Which>) -> Answer {
    let decided = match which.state.as_str() {
        "" | "requested" => None,
        "granted" => Some(site.app.exceptions_in_force().await.map_err(fail(&caller))?),
        "over" => Some(site.app.exceptions_over().await.map_err(fail(&caller))?),
        other => {
            let problem = Problem::new("F003", "state", other, "requested, granted or over");
            return Err(fail(&caller)(AppError::Problems(vec![problem])));
        }
    };
    if let Some(rows) = decided {
        return Ok(Json(rows.iter().map(document).collect::<Vec<_>>()).into_response());
    }
    let rows = site.app.exception_queue().await.map_err(fail(&caller))?;
    let one = |(row, notes): &(ExceptionRow, String)| {
        let mut document = document(row);
        document["notesForCertification"] = json!(notes);
        document
    };
    Ok(Json(rows.iter().map(one).collect::<Vec<_>>()).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    #[serde(default = "certify")]
    step: String,
    finding: usize,
    kind: String,
    reason: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    attachments: Vec<File>,
}

fn certify() -> String {
    "certify".to_owned()
}

pub(super) async fn ask(
    State(site): Shared,
    caller: Caller,
    Path((publisher, offer, submission)): Path<(String, String, String)>,
    bytes: Bytes,
) -> Answer {
    let new: New = body(&bytes)?;
    let made = async {
        let request = ExceptionRequest {
            submission,
            step: new.step,
            finding: new.finding,
            kind: new.kind,
            reason: new.reason,
            until: new.until,
            attachments: stored(&site, new.attachments).await?,
            locale: caller.locale.code().to_owned(),
        };
        site.app.request_exception(caller.actor(), &OfferKey::new(publisher, offer), &request).await
    };
    let row = made.await.map_err(fail(&caller))?;
    Ok((StatusCode::CREATED, Json(document(&row))).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct More {
    #[serde(default)]
    text: String,
    #[serde(default)]
    attachments: Vec<File>,
}

pub(super) async fn inform(
    State(site): Shared,
    caller: Caller,
    Path((publisher, id)): Path<(String, String)>,
    bytes: Bytes,
) -> Answer {
    let more: More = body(&bytes)?;
    let made = async {
        let files = stored(&site, more.attachments).await?;
        site.app.inform_exception(caller.actor(), &publisher, &id, &more.text, &files).await
    };
    Ok(Json(document(&made.await.map_err(fail(&caller))?)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decided {
    state: String,
    #[serde(default)]
    note: String,
    until: Option<String>,
    /// The state that was seen.
    from: Option<String>,
}

pub(crate) fn decision(
    state: &str,
    note: String,
    until: Option<String>,
    from: Option<String>,
) -> Result<ExceptionDecision, AppError> {
    let state = ExceptionState::parse(state).filter(|state| *state != ExceptionState::Requested).ok_or_else(
        || {
            let required = "granted, denied, withdrawn or needsInformation";
            AppError::Problems(vec![Problem::new("F003", "state", state, required)])
        },
    )?;
    Ok(ExceptionDecision { state, note, until, from })
}

pub(super) async fn decide(
    State(site): Shared,
    caller: Caller,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Answer {
    let decided: Decided = body(&bytes)?;
    let made = async {
        let decision = decision(&decided.state, decided.note, decided.until, decided.from)?;
        site.app.decide_exception(&caller.who, &id, &decision).await
    };
    Ok(Json(document(&made.await.map_err(fail(&caller))?)).into_response())
}

/// A file that came with a request of the publisher.
pub(super) async fn file(
    State(site): Shared,
    caller: Caller,
    Path((publisher, id, digest)): Path<(String, String, String)>,
) -> Answer {
    attached(&site, &publisher, &id, &digest).await.map_err(fail(&caller))
}

/// The same for a reviewer.
pub(super) async fn file_of_queue(
    State(site): Shared,
    caller: Caller,
    Path((id, digest)): Path<(String, String)>,
) -> Answer {
    attached(&site, "", &id, &digest).await.map_err(fail(&caller))
}

async fn attached(
    site: &Site,
    publisher: &str,
    id: &str,
    digest: &str,
) -> Result<axum::response::Response, AppError> {
    let file = site.app.exception_file(publisher, id, digest).await?;
    super::support::download(site, &file).await
}
