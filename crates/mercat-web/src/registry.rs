//! The pull side of the distribution specification 1.1 at `/v2/`.
//!
//! Production repositories are `publisher/offer/plan`, previews stand below `preview/`.
//! What the caller may not see is answered exactly as what does not exist.

use crate::ranges::{Asked, asked};
use crate::{Site, problem};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{
    ACCEPT_RANGES, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use axum::routing::{any, get};
use base64::Engine;
use mercat_app::{AppError, Repository, SPECIMEN_USER, hash_secret};
use mercat_domain::access::Principal;
use mercat_domain::{Digest, tags};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

pub(crate) fn router() -> Router<Arc<Site>> {
    Router::new().route("/v2/", get(ping)).route("/v2/token", get(token)).route("/v2/{*path}", any(dispatch))
}

type Answer = Response<Body>;

fn error(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = json!({"errors": [{"code": code, "message": message, "detail": null}]}).to_string();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, axum::http::HeaderValue::from_static("application/json"));
    response
}

fn unknown() -> Answer {
    error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "repository name not known to registry")
}

fn broken(cause: &AppError) -> Answer {
    match cause {
        AppError::NotFound => unknown(),
        other => {
            tracing::warn!(error = %other, "a pull could not be decided");
            error(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "try again in a moment")
        }
    }
}

fn challenge(site: &Site) -> Answer {
    let mut response = error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required");
    let base = &site.app.settings.base_url;
    let text = format!("Bearer realm=\"{base}/v2/token\",service=\"mercat\"");
    if let Ok(value) = text.parse() {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}

/// Clients learn here how to sign in; without credentials they come back with an anonymous token.
async fn ping(State(site): State<Arc<Site>>, headers: HeaderMap) -> Answer {
    if !headers.contains_key(AUTHORIZATION) {
        return challenge(&site);
    }
    Response::new(Body::from("{}"))
}

#[derive(Deserialize)]
struct TokenQuery {
    #[serde(rename = "service")]
    _service: Option<String>,
}

/// Exchanges a subscription id and its pull token for a short-lived token. Strangers get an empty one.
async fn token(State(site): State<Arc<Site>>, Query(_): Query<TokenQuery>, headers: HeaderMap) -> Answer {
    let basic = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|v| v.strip_prefix("Basic "));
    let Some(basic) = basic else {
        return Response::new(Body::from(json!({"token": "anonymous", "expires_in": 300}).to_string()));
    };
    let decoded = base64::engine::general_purpose::STANDARD.decode(basic.trim()).unwrap_or_default();
    let pair = String::from_utf8(decoded).unwrap_or_default();
    let (name, secret) = pair.split_once(':').unwrap_or(("", ""));
    if name == SPECIMEN_USER {
        // Scanners that only know names and passwords; the token stays what it is, and no longer.
        return match site.app.by_registry_token(secret).await {
            Ok(who) if who.specimen.is_some() => {
                Response::new(Body::from(json!({"token": secret, "expires_in": 60}).to_string()))
            }
            Ok(_) => challenge(&site),
            Err(cause) => broken(&cause),
        };
    }
    let hash = hash_secret(secret);
    match site.app.by_pull_token(&hash).await {
        Ok(who) if who.subscriptions.iter().any(|id| id.eq_ignore_ascii_case(name)) => {
            match site.app.registry_token(&hash).await {
                Ok(token) => {
                    Response::new(Body::from(json!({"token": token, "expires_in": 300}).to_string()))
                }
                Err(cause) => broken(&cause),
            }
        }
        Ok(_) => challenge(&site),
        Err(cause) => broken(&cause),
    }
}

async fn caller(site: &Site, headers: &HeaderMap) -> Result<Principal, AppError> {
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "));
    match bearer {
        Some(token) => site.app.by_registry_token(token).await,
        None => Ok(Principal::default()),
    }
}

enum Wanted<'a> {
    Manifest(&'a str),
    Blob(&'a str),
    Tags,
    Referrers,
}

/// Splits `<name>/manifests/<reference>` and its siblings, from the right.
fn split(path: &str) -> Option<(&str, Wanted<'_>)> {
    if let Some(name) = path.strip_suffix("/tags/list") {
        return Some((name, Wanted::Tags));
    }
    let (rest, last) = path.rsplit_once('/')?;
    let (name, kind) = rest.rsplit_once('/')?;
    match kind {
        "manifests" => Some((name, Wanted::Manifest(last))),
        "blobs" => Some((name, Wanted::Blob(last))),
        "referrers" => Some((name, Wanted::Referrers)),
        _ => None,
    }
}

async fn dispatch(
    State(site): State<Arc<Site>>,
    Path(path): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    if !matches!(method, Method::GET | Method::HEAD) {
        return error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "this registry is for pulling");
    }
    let Some((name, wanted)) = split(&path) else { return unknown() };
    if !tags::is_repository(name) {
        return error(StatusCode::BAD_REQUEST, "NAME_INVALID", "invalid repository name");
    }
    let repository = match repository(&site, &headers, name).await {
        Ok(repository) => repository,
        Err(cause) => return broken(&cause),
    };
    let head = method == Method::HEAD;
    match wanted {
        Wanted::Tags => tag_list(&repository, uri.query().unwrap_or("")),
        Wanted::Manifest(reference) => {
            if !head {
                count_pull(&site, &repository, reference).await;
            }
            manifest(&site, &repository, reference, head).await
        }
        Wanted::Blob(digest) => blob(&site, &repository, digest, &headers, head).await,
        Wanted::Referrers => {
            let body = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []});
            typed(OCI_INDEX, body.to_string())
        }
    }
}

/// What a name stands for, when the caller may pull it: a plan's images, or a specimen that is certified.
async fn repository(site: &Site, headers: &HeaderMap, name: &str) -> Result<Arc<Repository>, AppError> {
    let who = caller(site, headers).await?;
    match site.app.specimen(&who, name)? {
        Some(digest) => site.specimens.repository(&site.depot, name, &digest).await,
        None => Ok(Arc::new(site.app.repository(&who, name).await?)),
    }
}

/// A pull begins with what the plan lists; the manifests below an index are part of the same pull.
async fn count_pull(site: &Site, repository: &Repository, reference: &str) {
    let parts: Vec<&str> = repository.name.split('/').collect();
    let [publisher, offer, plan] = parts[..] else { return };
    let tags = &repository.plan.tags;
    let by_digest = || tags.iter().find(|(_, digest)| *digest == reference).map(|(tag, _)| tag.as_str());
    if let Some(version) = tags.get_key_value(reference).map(|(tag, _)| tag.as_str()).or_else(by_digest) {
        site.count((publisher, offer), "pull", plan, version).await;
    }
}

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn typed(kind: &str, body: String) -> Answer {
    let mut response = Response::new(Body::from(body));
    if let Ok(value) = kind.parse() {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

fn tag_list(repository: &Repository, query: &str) -> Answer {
    let value = |key: &str| {
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(k, _)| *k == key).map(|(_, v)| v)
    };
    let last = value("last").unwrap_or("");
    let limit = match value("n").map(str::parse::<usize>) {
        None => usize::MAX,
        Some(Ok(limit)) => limit,
        Some(Err(_)) => return error(StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID", "n is no number"),
    };
    let tags: Vec<&String> =
        repository.plan.tags.keys().filter(|tag| tag.as_str() > last).take(limit).collect();
    typed("application/json", json!({"name": repository.name, "tags": tags}).to_string())
}

async fn manifest(site: &Site, repository: &Repository, reference: &str, head: bool) -> Answer {
    let plan = &repository.plan;
    let digest = plan.tags.get(reference).map_or(reference, String::as_str);
    let unknown = || error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown");
    let (Some(digest), Some(kind)) = (Digest::parse(digest), plan.manifests.get(digest)) else {
        return unknown();
    };
    let bytes = match site.depot.get(&digest).await {
        Ok(bytes) => bytes,
        Err(_) => return problem::internal("a listed manifest is not in the depot"),
    };
    let length = bytes.len();
    let mut response = Response::new(if head { Body::empty() } else { Body::from(bytes) });
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, length.into());
    for (name, value) in [("content-type", kind.as_str()), ("docker-content-digest", digest.as_str())] {
        if let Ok(value) = value.parse() {
            headers.insert(axum::http::HeaderName::from_static(name), value);
        }
    }
    response
}

async fn blob(site: &Site, repository: &Repository, digest: &str, headers: &HeaderMap, head: bool) -> Answer {
    let unknown = || error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "blob unknown to registry");
    let listed = repository.plan.blobs.iter().any(|blob| blob == digest);
    let Some(digest) = Digest::parse(digest) else { return unknown() };
    if !listed {
        match site.disks.holds(&site.depot, &repository.plan, &digest).await {
            Ok(true) => {}
            Ok(false) => return unknown(),
            Err(_) => return problem::internal("a listed disk is not in the depot"),
        }
    }
    let size = match site.depot.size(&digest).await {
        Ok(Some(size)) => size,
        _ => return problem::internal("a listed blob is not in the depot"),
    };
    let range = match asked(headers, size) {
        Asked::Ignored => None,
        Asked::Part(range) => Some(range),
        Asked::Beyond => {
            let mut response =
                error(StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_INVALID", "the range is outside the blob");
            if let Ok(value) = format!("bytes */{size}").parse() {
                response.headers_mut().insert(CONTENT_RANGE, value);
            }
            return response;
        }
    };
    let body = if head {
        Body::empty()
    } else {
        match site.depot.stream(&digest, range.clone()).await {
            Ok(stream) => Body::from_stream(stream),
            Err(_) => return problem::internal("a listed blob is not in the depot"),
        }
    };
    let mut response = Response::new(body);
    let length = range.as_ref().map_or(size, |range| range.end - range.start);
    let mut set = |name: axum::http::HeaderName, value: String| {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    };
    set(CONTENT_LENGTH, length.to_string());
    set(CONTENT_TYPE, "application/octet-stream".to_owned());
    set(ACCEPT_RANGES, "bytes".to_owned());
    set(axum::http::HeaderName::from_static("docker-content-digest"), digest.to_string());
    if let Some(range) = &range {
        set(CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_the_words_of_the_grammar() {
        assert!(matches!(split("a/b/c/manifests/latest"), Some(("a/b/c", Wanted::Manifest("latest")))));
        assert!(matches!(split("a/blobs/c/blobs/x"), Some(("a/blobs/c", Wanted::Blob("x")))));
        assert!(split("a").is_none());
    }
}
