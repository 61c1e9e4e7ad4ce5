//! Bad news: problem documents (RFC 9457) for programs, pages for people.

use crate::guard::Caller;
use crate::pages;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mercat_app::AppError;
use mercat_domain::offer::Problem;
use mercat_text::{Locale, requirement, text};
use serde_json::{Value, json};

/// Status, code and key of the title.
pub(crate) fn classify(error: &AppError) -> (StatusCode, &'static str, &'static str) {
    match error {
        AppError::NotFound => (StatusCode::NOT_FOUND, "not-found", "ui-not-found"),
        AppError::SignIn => (StatusCode::UNAUTHORIZED, "sign-in", "ui-sign-in"),
        AppError::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "ui-forbidden"),
        AppError::Problems(_) => (StatusCode::UNPROCESSABLE_ENTITY, "fields", "ui-error"),
        AppError::Claimed => (StatusCode::CONFLICT, "claimed", "ui-claimed"),
        AppError::Refused(refusal) => (StatusCode::CONFLICT, refusal.code(), refusal.code()),
        AppError::InProgress(_) => (StatusCode::CONFLICT, "operation-in-progress", "status-running"),
        AppError::Stale { .. } => (StatusCode::PRECONDITION_FAILED, "stale", "ui-stale"),
        AppError::Exists => (StatusCode::CONFLICT, "exists", "F005"),
        AppError::Asked(_) => (StatusCode::CONFLICT, "already-asked", "ui-exception-asked"),
        AppError::Published => (StatusCode::CONFLICT, "published", "F006"),
        AppError::Settled => (StatusCode::CONFLICT, "settled", "ui-settled"),
        AppError::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "F005"),
        AppError::Terms => (StatusCode::CONFLICT, "terms-not-accepted", "ui-terms-needed"),
        AppError::Ledger(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "ui-error"),
        AppError::Seal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "ui-error"),
    }
}

/// The fields of a list of problems, with words.
pub(crate) fn field_errors(locale: Locale, problems: &[Problem]) -> Vec<Value> {
    let one = |problem: &Problem| {
        json!({
            "code": problem.code, "pointer": format!("/{}", problem.path), "path": problem.path,
            "message": text(locale, problem.code, &[]), "observed": problem.observed,
            "required": requirement(locale, &problem.required),
        })
    };
    problems.iter().map(one).collect()
}

/// A problem document.
pub(crate) fn document(locale: Locale, error: &AppError) -> Response {
    let (status, code, title) = classify(error);
    let mut body = json!({
        "type": format!("urn:mercat:problem:{code}"), "title": text(locale, title, &[]), "status": status.as_u16(),
        "code": code, "detail": error.to_string(),
    });
    match error {
        AppError::Problems(problems) => body["errors"] = field_errors(locale, problems).into(),
        AppError::InProgress(id) => body["submission"] = json!(id),
        AppError::Asked(number) => body["exception"] = json!(number),
        AppError::Stale { current } => body["currentETag"] = json!(format!("\"{current}\"")),
        AppError::Ledger(_) | AppError::Seal(_) => body["incident"] = json!(log(error)),
        _ => {}
    }
    problem(status, &body)
}

fn problem(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// A malformed request: which part, and what is expected.
pub(crate) fn malformed(pointer: &str, detail: &str) -> Response {
    let body = json!({
        "type": "urn:mercat:problem:malformed", "title": "The request cannot be read", "status": 400,
        "code": "malformed", "detail": detail, "errors": [{"code": "F003", "pointer": pointer, "message": detail}],
    });
    problem(StatusCode::BAD_REQUEST, &body)
}

/// A refusal without fields.
pub(crate) fn plain(status: StatusCode, code: &str, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("That did not work");
    let body = json!({
        "type": format!("urn:mercat:problem:{code}"), "title": title, "status": status.as_u16(), "code": code,
        "detail": detail,
    });
    problem(status, &body)
}

/// Something of ours that broke; the cause stays in the log under an id.
pub(crate) fn internal(what: &str) -> Response {
    let incident = incident(what);
    let body = json!({
        "type": "urn:mercat:problem:internal", "title": "That did not work", "status": 500, "code": "internal",
        "detail": "an error of this server; the operator finds it in the log", "incident": incident,
    });
    problem(StatusCode::INTERNAL_SERVER_ERROR, &body)
}

fn log(error: &AppError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    incident(&text)
}

fn incident(what: &str) -> String {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let id = format!("{}-{count}", std::process::id());
    tracing::error!(incident = %id, cause = %what, "a request failed");
    id
}

/// The right kind of answer to an address that is no text.
pub(crate) fn no_address(caller: &Caller, path: &str, detail: &str) -> Response {
    if path.starts_with("/api") {
        return malformed("", detail);
    }
    pages::unreadable(caller, StatusCode::BAD_REQUEST, detail)
}

/// The right kind of answer for where the request went.
pub(crate) fn answer(caller: &Caller, path: &str, error: &AppError) -> Response {
    if path.starts_with("/api") {
        return document(caller.locale, error);
    }
    pages::error_page(caller, error)
}
