//! Offers and submissions over the API.

use super::{Answer, Shared, body, etag, fail, if_match, no_content, words};
use crate::guard::Caller;
use crate::{media, problem};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use mercat_app::{AppError, PublishRequest, clone_public, hash_secret, rfc3339};
use mercat_domain::{Digest, OfferKey};
use mercat_store::document::from_json;
use mercat_store::{BootRow, EventQuery, OfferRow, PaperRow, Query, SubmissionRow, find, list, load};
use serde::Deserialize;
use serde_json::{Value, json};

type Key = Path<(String, String)>;

fn key(path: &(String, String)) -> OfferKey {
    OfferKey::new(&path.0, &path.1)
}

pub(super) async fn all(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    let rows = find::<OfferRow>(&*site.app.ledger, "publisher", &publisher).await;
    let rows = rows.map_err(|error| fail(&caller)(error.into()))?;
    let mut out = Vec::new();
    for row in rows {
        let row = row.row;
        let status = match &row.latest {
            None => "neverPublished".to_owned(),
            Some(id) => {
                let found = load::<SubmissionRow>(&*site.app.ledger, id).await;
                found
                    .map_err(|error| fail(&caller)(error.into()))?
                    .map(|s| s.row.run.state)
                    .unwrap_or_default()
            }
        };
        out.push(json!({
            "publisher": row.publisher, "offer": row.offer, "type": row.kind, "name": row.name, "status": status,
            "live": row.live.is_some(), "version": row.submissions,
        }));
    }
    Ok(Json(out).into_response())
}

fn with_etag(status: StatusCode, version: u64, body: Value) -> Response {
    (status, [(header::ETAG, etag(version))], Json(body)).into_response()
}

pub(super) async fn draft(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    let draft = site.app.draft(&key(&path)).await.map_err(fail(&caller))?;
    Ok(with_etag(StatusCode::OK, draft.version, clone_public(&draft.document)))
}

pub(super) async fn save(
    State(site): Shared,
    caller: Caller,
    Path(path): Key,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let json: Value = body(&bytes)?;
    let document = from_json(&json).map_err(|problems| fail(&caller)(AppError::Problems(problems)))?;
    if document.key != key(&path) {
        return Err(problem::malformed("/offer", "publisher and offer in the body differ from the path"));
    }
    let expected = if_match(&headers)?;
    let saved = site.app.save_draft(caller.actor(), document, expected).await;
    let saved = match saved {
        Err(AppError::Exists) => {
            let detail = "the offer exists: send If-Match with the ETag that you read, or *";
            let mut response = problem::malformed("/If-Match", detail);
            *response.status_mut() = StatusCode::PRECONDITION_REQUIRED;
            return Err(response);
        }
        other => other.map_err(fail(&caller))?,
    };
    let status = if saved.version == 1 { StatusCode::CREATED } else { StatusCode::OK };
    Ok(with_etag(status, saved.version, clone_public(&saved.document)))
}

pub(super) async fn remove(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    site.app.delete_offer(caller.actor(), &key(&path)).await.map_err(fail(&caller))?;
    Ok(no_content())
}

pub(super) async fn slot(
    State(site): Shared,
    caller: Caller,
    Path((publisher, offer, slot)): Path<(String, String, String)>,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let found = async {
        let row = load::<OfferRow>(&*site.app.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?.row;
        let id = match slot.as_str() {
            "draft" => return Ok(clone_public(&site.app.draft(&key).await?.document)),
            "preview" => row.preview,
            "production" => row.live,
            _ => None,
        };
        let submission = load::<SubmissionRow>(&*site.app.ledger, &id.ok_or(AppError::NotFound)?).await?;
        let document = submission.ok_or(AppError::NotFound)?.row.document;
        from_json(&document).map(|document| clone_public(&document)).map_err(AppError::Problems)
    };
    Ok(Json(found.await.map_err(fail(&caller))?).into_response())
}

pub(super) async fn status(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    let view = site.app.status(&key(&path), None).await.map_err(fail(&caller))?;
    Ok(Json(view.to_json(&site.app.settings.base_url, &words(&caller))).into_response())
}

pub(super) async fn submission(
    State(site): Shared,
    caller: Caller,
    Path((publisher, offer, id)): Path<(String, String, String)>,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let view = site.app.status(&key, Some(&id)).await.map_err(fail(&caller))?;
    Ok(Json(view.to_json(&site.app.settings.base_url, &words(&caller))).into_response())
}

pub(super) async fn submissions(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    let index = Some(("offer", key(&path).to_string()));
    let query = Query { index, limit: 100, newest_first: true, ..Query::default() };
    let rows = list::<SubmissionRow>(&*site.app.ledger, query).await.map_err(|e| fail(&caller)(e.into()))?;
    let one = |row: &SubmissionRow| {
        json!({
            "id": row.id, "number": row.number, "submissionType": "publish", "submissionState": row.run.state,
            "createdDateTime": rfc3339(row.created), "createdBy": row.created_by, "snapshotDigest": row.run.snapshot,
        })
    };
    Ok(Json(rows.iter().map(|row| one(&row.row)).collect::<Vec<_>>()).into_response())
}

pub(super) async fn history(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    let subject = Some(format!("offer:{}", key(&path)));
    let query = EventQuery { subject, limit: 1000, ..EventQuery::default() };
    let events = site.app.ledger.events(&query).await.map_err(|error| fail(&caller)(error.into()))?;
    let one = |event: &mercat_store::Event| {
        let body: Value = serde_json::from_str(&event.event.body).unwrap_or(Value::Null);
        json!({
            "id": event.seq, "at": rfc3339(event.at), "type": event.event.kind, "user": event.event.actor,
            "submission": event.event.run, "detail": body,
        })
    };
    Ok(Json(events.iter().map(one).collect::<Vec<_>>()).into_response())
}

/// The evidence of a boot test: `report`, `console` or `screenshot`.
pub(super) async fn boot(
    State(site): Shared,
    caller: Caller,
    Path((publisher, offer, id, digest, part)): Path<(String, String, String, String, String)>,
) -> Answer {
    let found = async {
        site.app.status(&OfferKey::new(publisher, offer), Some(&id)).await?;
        let row = load::<BootRow>(&*site.app.ledger, &format!("{id}/{digest}")).await?;
        Ok(row.ok_or(AppError::NotFound)?.row)
    };
    let row = found.await.map_err(fail(&caller))?;
    match part.as_str() {
        "report" => Ok(Json(row).into_response()),
        "console" => Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], row.console).into_response()),
        "screenshot" => {
            let digest = Digest::parse(&row.screenshot).ok_or_else(|| fail(&caller)(AppError::NotFound))?;
            let bytes = site.depot.get(&digest).await.map_err(|_| fail(&caller)(AppError::NotFound))?;
            Ok(([(header::CONTENT_TYPE, "image/png")], bytes).into_response())
        }
        _ => Err(fail(&caller)(AppError::NotFound)),
    }
}

pub(super) async fn sbom(
    State(site): Shared,
    caller: Caller,
    Path((publisher, offer, digest)): Path<(String, String, String)>,
) -> Answer {
    let found = async {
        site.app.status(&OfferKey::new(publisher, offer), None).await?;
        let paper = load::<PaperRow>(&*site.app.ledger, &format!("sbom/{digest}")).await?;
        Ok(paper.ok_or(AppError::NotFound)?.row.text)
    };
    let text = found.await.map_err(fail(&caller))?;
    let spdx = text.starts_with("{\n  \"spdxVersion\"");
    let media_type = if spdx { "application/spdx+json" } else { "application/vnd.cyclonedx+json" };
    Ok(([(header::CONTENT_TYPE, media_type)], text).into_response())
}

pub(super) async fn validate(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    let problems = site.app.check_draft(&key(&path)).await.map_err(fail(&caller))?;
    let errors = problem::field_errors(caller.locale, &problems);
    Ok(Json(json!({"ready": errors.is_empty(), "errors": errors})).into_response())
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Publishing {
    #[serde(default)]
    notification_emails: Vec<String>,
    #[serde(default)]
    metadata: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    notes: String,
    base_etag: Option<String>,
    #[serde(default)]
    replace: bool,
    locale: Option<String>,
}

pub(super) async fn publish(
    State(site): Shared,
    caller: Caller,
    Path(path): Key,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let asked: Publishing = body(&bytes)?;
    let mut emails = asked.notification_emails;
    let listed = asked.metadata.get("notification-emails").map(String::as_str).unwrap_or("");
    emails.extend(listed.split(',').map(str::trim).filter(|email| !email.is_empty()).map(str::to_owned));
    let version = match &asked.base_etag {
        None => None,
        Some(tag) => {
            let version =
                tag.trim_matches('"').parse().map_err(|_| problem::malformed("/baseEtag", "not an ETag"))?;
            Some(version)
        }
    };
    let once = headers.get("idempotency-key").map(|value| {
        let hash = hash_secret(&format!("{}\n{}", caller.path, String::from_utf8_lossy(&bytes)));
        (String::from_utf8_lossy(value.as_bytes()).into_owned(), hash)
    });
    let request = PublishRequest {
        emails,
        notes: asked.notes,
        locale: asked.locale.unwrap_or_else(|| caller.locale.code().to_owned()),
        version,
        replace: asked.replace,
        once,
    };
    let row = site.app.publish(caller.actor(), &key(&path), &request).await.map_err(fail(&caller))?;
    Ok(accepted(&row))
}

fn accepted(row: &SubmissionRow) -> Response {
    let location =
        format!("/api/v1/publishers/{}/offers/{}/submissions/{}", row.publisher, row.offer, row.id);
    let body = json!({
        "submission": row.id, "number": row.number, "status": row.run.state, "operation": location,
        "snapshotDigest": row.run.snapshot,
    });
    let headers = [("location", location.clone()), ("operation-location", location)];
    (StatusCode::ACCEPTED, headers, Json(body)).into_response()
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct GoingLive {
    snapshot_digest: Option<String>,
    #[serde(rename = "metadata")]
    _metadata: Option<Value>,
}

pub(super) async fn go_live(State(site): Shared, caller: Caller, Path(path): Key, bytes: Bytes) -> Answer {
    let asked: GoingLive = body(&bytes)?;
    let seen = asked.snapshot_digest.ok_or_else(|| {
        let required = "the snapshotDigest of the status, as previewed";
        let problem = mercat_domain::offer::Problem::new("F001", "snapshotDigest", "", required);
        fail(&caller)(AppError::Problems(vec![problem]))
    })?;
    let row = site.app.go_live(caller.actor(), &key(&path), &seen).await;
    Ok(accepted(&row.map_err(fail(&caller))?))
}

pub(super) async fn retry(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    let count = site.app.retry_now(caller.actor(), &key(&path)).await.map_err(fail(&caller))?;
    Ok((StatusCode::ACCEPTED, Json(json!({"retried": count}))).into_response())
}

pub(super) async fn cancel(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    let row = site.app.cancel(caller.actor(), &key(&path)).await.map_err(fail(&caller))?;
    Ok(Json(json!({"submission": row.id, "number": row.number, "status": row.run.state})).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Audience {
    subscriptions: Vec<String>,
}

pub(super) async fn audience(State(site): Shared, caller: Caller, Path(path): Key, bytes: Bytes) -> Answer {
    let asked: Audience = body(&bytes)?;
    let now = site.app.set_audience(caller.actor(), &key(&path), &asked.subscriptions).await;
    Ok(Json(json!({"subscriptions": now.map_err(fail(&caller))?})).into_response())
}

pub(super) async fn upload(
    State(site): Shared,
    caller: Caller,
    Path(publisher): Path<String>,
    bytes: Bytes,
) -> Answer {
    let row = media::store(&site, &publisher, "media", bytes.to_vec()).await.map_err(fail(&caller))?;
    let body = json!({"digest": row.digest, "width": row.width, "height": row.height});
    Ok((StatusCode::CREATED, Json(body)).into_response())
}
