//! Support requests over the API.

use super::{Answer, Query, Shared, body, fail};
use crate::Site;
use crate::guard::Caller;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mercat_app::{AppError, Concern, NewRequest, Reply, rfc3339};
use mercat_domain::Digest;
use mercat_domain::offer::Problem;
use mercat_domain::support::Side;
use mercat_store::{AttachmentRow, LedgerError, RequestRow};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

/// Bytes of one attachment.
const ATTACHMENT_BYTES_MAX: usize = 8 << 20;

/// Stores a file that somebody attached. It is never looked into, and only ever given back as a download.
pub(crate) async fn attach(site: &Site, name: &str, bytes: Vec<u8>) -> Result<AttachmentRow, AppError> {
    let refuse = |observed: String, required: &str| {
        AppError::Problems(vec![Problem::new("F008", "attachments", observed, required)])
    };
    if bytes.len() > ATTACHMENT_BYTES_MAX {
        return Err(refuse(format!("{} bytes", bytes.len()), "at most 8 MiB a file"));
    }
    let last = name.rsplit(['/', '\\']).next().unwrap_or("");
    let plain: String =
        last.chars().filter(|c| !mercat_domain::plain::is_hidden(*c) && *c != '"').take(100).collect();
    let size = bytes.len() as u64;
    let digest = site.depot.put(bytes.into()).await;
    let digest = digest.map_err(|error| AppError::Ledger(LedgerError::Unavailable(Box::new(error))))?;
    Ok(AttachmentRow {
        name: if plain.is_empty() { "file".to_owned() } else { plain },
        digest: digest.to_string(),
        size,
    })
}

/// A file in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    name: String,
    /// Base64.
    content: String,
}

pub(super) async fn stored(site: &Site, files: Vec<File>) -> Result<Vec<AttachmentRow>, AppError> {
    let mut out = Vec::new();
    for file in files {
        let bytes = STANDARD.decode(&file.content).map_err(|_| {
            AppError::Problems(vec![Problem::new(
                "F003",
                "attachments",
                file.name.clone(),
                "content in base64",
            )])
        })?;
        out.push(attach(site, &file.name, bytes).await?);
    }
    Ok(out)
}

pub(crate) fn document(row: &RequestRow, side: Option<Side>) -> Value {
    let message = |message: &mercat_store::ThreadMessageRow| {
        json!({
            "side": if message.helper { "helper" } else { "requester" }, "author": message.author, "text": message.text,
            "at": rfc3339(message.at), "attachments": message.attachments,
        })
    };
    json!({
        "id": row.id, "number": row.number, "to": if row.to_publisher { "publisher" } else { "operator" },
        "title": row.title, "category": row.category, "priority": row.priority, "state": row.state,
        "publisher": row.publisher, "offer": row.offer, "submission": row.submission, "step": row.step, "rules": row.rules,
        "engineer": row.engineer, "created": rfc3339(row.created), "updated": rfc3339(row.updated),
        "messages": side.map(|_| row.messages.iter().map(message).collect::<Vec<_>>()),
    })
}

#[derive(Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    queue: bool,
}

pub(super) async fn all(State(site): Shared, caller: Caller, Query(which): Query<Which>) -> Answer {
    let rows = match which.queue {
        true => site.app.request_queue(&caller.who).await,
        false => site.app.my_requests(&caller.who).await,
    };
    let rows = rows.map_err(fail(&caller))?;
    Ok(Json(rows.iter().map(|row| document(row, None)).collect::<Vec<_>>()).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct New {
    title: String,
    category: String,
    priority: String,
    text: String,
    #[serde(default)]
    to_publisher: bool,
    #[serde(default)]
    publisher: String,
    #[serde(default)]
    offer: String,
    #[serde(default)]
    submission: String,
    #[serde(default)]
    step: String,
    #[serde(default)]
    attachments: Vec<File>,
}

pub(super) async fn open(State(site): Shared, caller: Caller, bytes: Bytes) -> Answer {
    let new: New = body(&bytes)?;
    let made = async {
        let concern = Concern {
            to_publisher: new.to_publisher,
            publisher: new.publisher,
            offer: new.offer,
            submission: new.submission,
            step: new.step,
            rules: vec![],
        };
        // Who may not ask about it stores nothing here.
        site.app.concern(&caller.who, concern.clone()).await?;
        let request = NewRequest {
            concern,
            title: new.title,
            category: new.category,
            priority: new.priority,
            text: new.text,
            attachments: stored(&site, new.attachments).await?,
            locale: caller.locale.code().to_owned(),
        };
        site.app.open_request(&caller.who, &request).await
    };
    let row = made.await.map_err(fail(&caller))?;
    Ok((StatusCode::CREATED, Json(document(&row, Some(Side::Requester)))).into_response())
}

pub(super) async fn one(State(site): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    let (found, side) = site.app.request(&caller.who, &id).await.map_err(fail(&caller))?;
    Ok(Json(document(&found.row, Some(side))).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewReply {
    #[serde(default)]
    text: String,
    #[serde(default)]
    close: bool,
    priority: Option<String>,
    engineer: Option<String>,
    #[serde(default)]
    attachments: Vec<File>,
}

pub(super) async fn reply(
    State(site): Shared,
    caller: Caller,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Answer {
    let new: NewReply = body(&bytes)?;
    let made = async {
        let (_, side) = site.app.request(&caller.who, &id).await?;
        let attachments = stored(&site, new.attachments).await?;
        let reply = Reply {
            text: new.text,
            attachments,
            close: new.close,
            priority: new.priority,
            engineer: new.engineer,
        };
        Ok::<_, AppError>((site.app.reply(&caller.who, &id, &reply).await?, side))
    };
    let (row, side) = made.await.map_err(fail(&caller))?;
    Ok(Json(document(&row, Some(side))).into_response())
}

/// A file of a request that the caller has a part in.
pub(crate) async fn attachment(
    State(site): Shared,
    caller: Caller,
    Path((id, digest)): Path<(String, String)>,
) -> Answer {
    let found = async {
        let (found, _) = site.app.request(&caller.who, &id).await?;
        let files = found.row.messages.iter().flat_map(|message| &message.attachments);
        let file = files.into_iter().find(|file| file.digest == digest).cloned().ok_or(AppError::NotFound)?;
        download(&site, &file).await
    };
    found.await.map_err(fail(&caller))
}

/// What somebody attached, as a download that nothing opens by itself.
pub(crate) async fn download(
    site: &Site,
    file: &AttachmentRow,
) -> Result<axum::response::Response, AppError> {
    let digest = Digest::parse(&file.digest).ok_or(AppError::NotFound)?;
    let bytes = site.depot.get(&digest).await.map_err(|_| AppError::NotFound)?;
    let name = utf8_percent_encode(&file.name, NON_ALPHANUMERIC);
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename*=UTF-8''{name}")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, bytes).into_response())
}
