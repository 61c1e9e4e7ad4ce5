//! Uploads in parts: the core protocol of tus 1.0.0, with expiry by the spool.

use super::{Answer, Shared, fail, no_content};
use crate::guard::Caller;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, HeaderName, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use base64::Engine;
use futures::StreamExt;
use mercat_app::AppError;
use mercat_depot::{Spool, SpoolError, Upload};
use mercat_domain::offer::Problem;
use mercat_domain::offer::disk::{EXTENSIONS, extension};
use serde_json::json;

/// Bytes of the largest disk that may be uploaded.
const UPLOAD_BYTES_MAX: u64 = 2 << 40;

const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

fn refuse(caller: &Caller, code: &'static str, path: &str, observed: &str, required: &str) -> Response {
    fail(caller)(AppError::Problems(vec![Problem::new(code, path, observed, required)]))
}

/// A value of `Upload-Metadata`: keys with base64 values, separated by commas.
fn metadata(headers: &HeaderMap, key: &str) -> Option<String> {
    let text = headers.get("upload-metadata")?.to_str().ok()?;
    let value = text.split(',').find_map(|pair| pair.trim().strip_prefix(key)?.strip_prefix(' '))?;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(value.trim()).ok()?).ok()
}

fn answered(mut response: Response, upload: &Upload) -> Response {
    let headers = response.headers_mut();
    headers.insert(RESUMABLE, HeaderValue::from_static("1.0.0"));
    headers.insert(OFFSET, upload.offset.into());
    headers.insert(LENGTH, upload.size.into());
    response
}

fn document(upload: &Upload) -> serde_json::Value {
    json!({
        "id": upload.id, "name": upload.name, "size": upload.size, "offset": upload.offset, "fingerprint": upload.fingerprint,
        "complete": upload.offset == upload.size, "source": format!("upload:{}", upload.id),
    })
}

pub(super) async fn begin(
    State(site): Shared,
    caller: Caller,
    Path(publisher): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let size = number(&headers, &LENGTH).filter(|size| (1..=UPLOAD_BYTES_MAX).contains(size));
    let Some(size) = size else {
        let observed = headers.get(&LENGTH).and_then(|value| value.to_str().ok()).unwrap_or("");
        return Err(refuse(
            &caller,
            "F003",
            "Upload-Length",
            observed,
            "the bytes of the file, at most 2 TiB",
        ));
    };
    let name = metadata(&headers, "filename").unwrap_or_default();
    let fingerprint: String =
        metadata(&headers, "fingerprint").unwrap_or_default().chars().take(200).collect();
    if name.len() > 200 || name.chars().any(char::is_control) || extension(&name).is_none() {
        let known = format!("filename in base64, ending in .{}", EXTENSIONS.join(", ."));
        return Err(refuse(&caller, "F003", "Upload-Metadata", &name, &known));
    }
    let upload =
        Upload { id: uuid::Uuid::now_v7().to_string(), publisher, name, size, offset: 0, fingerprint };
    let begun = upload.clone();
    at_disk(&site, &caller, move |spool| spool.begin(&begun)).await?;
    let place = format!("/api/v1/publishers/{}/uploads/{}", upload.publisher, upload.id);
    let body = Json(document(&upload));
    Ok(answered((StatusCode::CREATED, [(LOCATION, place)], body).into_response(), &upload))
}

pub(super) async fn list(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    let all = at_disk(&site, &caller, |spool| Ok(spool.list()?)).await?;
    let own: Vec<_> = all.iter().filter(|upload| upload.publisher == publisher).map(document).collect();
    Ok(Json(own).into_response())
}

/// Work of the spool, which waits for the disk, off the threads that answer.
async fn at_disk<T: Send + 'static>(
    site: &crate::Site,
    caller: &Caller,
    work: impl FnOnce(&Spool) -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, Response> {
    let spool = site.spool.clone();
    let done = tokio::task::spawn_blocking(move || work(&spool)).await;
    let done = done.map_err(|error| crate::problem::internal(&error.to_string()))?;
    done.map_err(|error| failed(caller, &error))
}

async fn own(site: &crate::Site, caller: &Caller, publisher: &str, id: &str) -> Result<Upload, Response> {
    let wanted = id.to_owned();
    let upload = at_disk(site, caller, move |spool| spool.find(&wanted)).await?;
    if upload.publisher == publisher { Ok(upload) } else { Err(fail(caller)(AppError::NotFound)) }
}

pub(super) async fn show(
    State(site): Shared,
    caller: Caller,
    Path((publisher, id)): Path<(String, String)>,
) -> Answer {
    let upload = own(&site, &caller, &publisher, &id).await?;
    Ok(answered(Json(document(&upload)).into_response(), &upload))
}

pub(super) async fn append(
    State(site): Shared,
    caller: Caller,
    Path((publisher, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let mut upload = own(&site, &caller, &publisher, &id).await?;
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    if kind != "application/offset+octet-stream" {
        return Err(refuse(&caller, "F003", "Content-Type", kind, "application/offset+octet-stream"));
    }
    let Some(offset) = number(&headers, &OFFSET) else {
        return Err(refuse(&caller, "F003", "Upload-Offset", "", "the offset at which the part begins"));
    };
    match site.spool.append(&id, offset, body.into_data_stream().boxed()).await {
        Ok(offset) => {
            upload.offset = offset;
            Ok(answered(no_content(), &upload))
        }
        Err(error) => Err(failed(&caller, &error)),
    }
}

pub(super) async fn remove(
    State(site): Shared,
    caller: Caller,
    Path((publisher, id)): Path<(String, String)>,
) -> Answer {
    own(&site, &caller, &publisher, &id).await?;
    at_disk(&site, &caller, move |spool| Ok(spool.remove(&id)?)).await?;
    Ok(no_content())
}

fn failed(caller: &Caller, error: &SpoolError) -> Response {
    let status = match error {
        SpoolError::Missing => return fail(caller)(AppError::NotFound),
        SpoolError::Offset(_) => StatusCode::CONFLICT,
        SpoolError::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
        SpoolError::Busy => StatusCode::LOCKED,
        SpoolError::TooMany => StatusCode::TOO_MANY_REQUESTS,
        SpoolError::Stream(_) => StatusCode::BAD_REQUEST,
        SpoolError::NoRoom(..) | SpoolError::Io(_) => StatusCode::INSUFFICIENT_STORAGE,
    };
    if matches!(error, SpoolError::Io(_)) {
        tracing::error!(%error, "an upload cannot be written");
    }
    let mut response = crate::problem::plain(status, "upload", &error.to_string());
    if let SpoolError::Offset(offset) = error {
        response.headers_mut().insert(OFFSET, (*offset).into());
    }
    response
}
