//! The API as seen from the command line.

use anyhow::{Context, bail};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// A server and a token for it.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// An answer with its ETag.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) etag: Option<String>,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn new(base: &str, token: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), token: token.to_owned() })
    }

    /// Sends a request; problem documents come back as answers.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        etag: Option<&str>,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(etag) = etag {
            request = request.header("if-match", etag);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.with_context(|| format!("{} does not answer", self.base))?;
        let status = answer.status();
        let etag = answer.headers().get("etag").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let text = answer.text().await?;
        let body =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::Null) };
        Ok(Answer { status, etag, body })
    }

    /// Sends a request that must succeed; a problem becomes an error with its fields.
    pub(crate) async fn must(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let answer = self.call(method, path, None, body).await?;
        if !answer.status.is_success() {
            bail!("{}", problem_text(&answer));
        }
        Ok(answer.body)
    }

    /// A request that the caller completes.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// Uploads a PNG; its digest comes back.
    pub(crate) async fn upload(&self, publisher: &str, bytes: Vec<u8>) -> anyhow::Result<String> {
        let url = format!("{}/api/v1/publishers/{publisher}/media", self.base);
        let request =
            self.http.post(url).bearer_auth(&self.token).header("content-type", "image/png").body(bytes);
        let answer = request.send().await.with_context(|| format!("{} does not answer", self.base))?;
        let status = answer.status();
        let body: Value = serde_json::from_str(&answer.text().await?).unwrap_or(Value::Null);
        if status == StatusCode::NOT_FOUND {
            bail!("there is no such publisher, or the token may not change its offers");
        }
        if !status.is_success() {
            bail!("{}", problem_text(&Answer { status, etag: None, body }));
        }
        Ok(body["digest"].as_str().unwrap_or_default().to_owned())
    }
}

/// What to do about an answer that says too little by itself.
fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => {
            "the token is unknown or over; make one on the Account page (--token, MERCAT_TOKEN)"
        }
        StatusCode::FORBIDDEN => {
            "whoever made the token must be a member of the publisher, and the token needs the scope (golive to go live)"
        }
        StatusCode::PAYLOAD_TOO_LARGE => "it is larger than this server takes",
        _ => "",
    }
}

/// A problem document for people: title, detail, and every field.
pub(crate) fn problem_text(answer: &Answer) -> String {
    let word = |key: &str| answer.body.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut out = format!("{} ({})", word("title"), answer.status.as_u16());
    if !word("detail").is_empty() {
        out = format!("{out}: {}", word("detail"));
    }
    if !advice(answer.status).is_empty() {
        out = format!("{out}; {}", advice(answer.status));
    }
    for error in answer.body.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let part = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
        out = format!(
            "{out}\n  {} {}: {} (found {:?}, required: {})",
            part("code"),
            part("pointer"),
            part("message"),
            part("observed"),
            part("required")
        );
    }
    out
}
