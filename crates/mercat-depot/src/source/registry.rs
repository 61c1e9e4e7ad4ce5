//! The pull side of a registry (distribution-spec 1.1; token flow as the Docker registry documents it).
//!
//! Written on the egress client rather than taken from a library, because the registry's
//! host, its token realm and its redirects are all named by others and must pass the
//! same checks.

use super::{Credentials, Found, SourceError, Stream};
use futures::StreamExt;
use mercat_artifact::oci::MANIFEST_TYPES;
use mercat_domain::Digest;
use mercat_domain::limits::MANIFEST_BYTES_MAX;
use mercat_egress::{BodyError, Egress, body};
use reqwest::header::{ACCEPT, CONTENT_TYPE, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::sync::Mutex;
use std::time::Duration;
use url::Url;

/// How long a manifest or token may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Registry {
    egress: Egress,
    host: String,
    repository: String,
    credentials: Credentials,
    token: Mutex<Option<String>>,
}

impl Registry {
    pub(crate) fn new(egress: Egress, host: &str, repository: &str, credentials: Credentials) -> Self {
        let (host, repository) = (host.to_owned(), repository.to_owned());
        Self { egress, host, repository, credentials, token: Mutex::new(None) }
    }

    fn unreachable(&self, why: impl Into<String>) -> SourceError {
        SourceError::Unreachable { host: self.host.clone(), why: why.into() }
    }

    fn authorization(&self) -> Option<String> {
        self.token.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    async fn get(&self, path: &str, accept: &str) -> Result<Response, SourceError> {
        self.ask(Method::GET, path, accept).await
    }

    pub(crate) async fn has(&self, digest: &Digest) -> Result<bool, SourceError> {
        match self.ask(Method::HEAD, &format!("blobs/{digest}"), "*/*").await {
            Ok(_) => Ok(true),
            Err(SourceError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn ask(&self, method: Method, path: &str, accept: &str) -> Result<Response, SourceError> {
        let url = format!(
            "{}://{}/v2/{}/{path}",
            self.egress.scheme(&with_port(&self.host)),
            self.host,
            self.repository
        );
        let mut signed_in = false;
        loop {
            let mut request = self.egress.http().request(method.clone(), &url).header(ACCEPT, accept);
            if let Some(authorization) = self.authorization() {
                request = request.header("authorization", authorization);
            }
            let request = request.build().map_err(|error| self.unreachable(error.to_string()))?;
            let answer = self.egress.send(request).await?;
            match answer.status() {
                StatusCode::OK => return Ok(answer),
                StatusCode::UNAUTHORIZED if !signed_in => {
                    self.sign_in(&answer).await?;
                    signed_in = true;
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    let (host, repository) = (self.host.clone(), self.repository.clone());
                    return Err(SourceError::Unauthorized { host, repository });
                }
                StatusCode::NOT_FOUND => {
                    return Err(SourceError::NotFound(format!("{}/{} {path}", self.host, self.repository)));
                }
                StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                    return Err(self.unreachable(format!("answers {}", answer.status())));
                }
                status if status.is_client_error() => {
                    let what = format!("{}/{} {path} is answered {status}", self.host, self.repository);
                    return Err(SourceError::Refused { code: "CTR-13", what });
                }
                status => return Err(self.unreachable(format!("answers {status}"))),
            }
        }
    }

    /// Answers a challenge: Basic with the credentials, Bearer with a token from the realm.
    async fn sign_in(&self, challenge: &Response) -> Result<(), SourceError> {
        let header =
            challenge.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let refused =
            || SourceError::Unauthorized { host: self.host.clone(), repository: self.repository.clone() };
        let (scheme, parameters) = header.split_once(' ').unwrap_or((header, ""));
        let authorization = if scheme.eq_ignore_ascii_case("basic") {
            if self.credentials.username.is_empty() {
                return Err(refused());
            }
            basic(&self.credentials)
        } else if scheme.eq_ignore_ascii_case("bearer") {
            format!("Bearer {}", self.token(parameters).await?)
        } else {
            return Err(refused());
        };
        *self.token.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(authorization);
        Ok(())
    }

    async fn token(&self, parameters: &str) -> Result<String, SourceError> {
        let value = |key: &str| {
            let at = parameters.find(&format!("{key}=\""))? + key.len() + 2;
            parameters[at..].split('"').next().map(str::to_owned)
        };
        let realm = value("realm").unwrap_or_default();
        let mut url = Url::parse(&realm).map_err(|_| self.unreachable("names no token realm"))?;
        url.query_pairs_mut()
            .append_pair("service", &value("service").unwrap_or_default())
            .append_pair("scope", &format!("repository:{}:pull", self.repository));
        let mut request = self.egress.http().get(url);
        if !self.credentials.username.is_empty() {
            request = request.header("authorization", basic(&self.credentials));
        }
        let request = request.build().map_err(|error| self.unreachable(error.to_string()))?;
        let answer = self.egress.send(request).await?;
        match answer.status() {
            StatusCode::OK => {}
            status if status.is_client_error() => {
                let (host, repository) = (self.host.clone(), self.repository.clone());
                return Err(SourceError::Unauthorized { host, repository });
            }
            status => return Err(self.unreachable(format!("the token realm answers {status}"))),
        }
        let body =
            body(answer, 1 << 20, PATIENCE).await.map_err(|error| self.unreachable(error.to_string()))?;
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let token = body.get("token").or_else(|| body.get("access_token")).and_then(Value::as_str);
        token.map(str::to_owned).ok_or_else(|| self.unreachable("the token realm gives no token"))
    }

    pub(crate) async fn manifest(&self, reference: &str) -> Result<Found, SourceError> {
        let answer = self.get(&format!("manifests/{reference}"), &MANIFEST_TYPES.join(", ")).await?;
        let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let media_type =
            header(CONTENT_TYPE.as_str()).map(|t| t.split(';').next().unwrap_or("").trim().to_owned());
        let announced = header("docker-content-digest");
        if answer.content_length().is_some_and(|length| length > MANIFEST_BYTES_MAX) {
            let what = format!("the manifest {reference} is larger than {MANIFEST_BYTES_MAX} bytes");
            return Err(SourceError::Refused { code: "MAN-01", what });
        }
        let bytes = body(answer, MANIFEST_BYTES_MAX as usize, PATIENCE).await.map_err(|why| match why {
            BodyError::TooLong(_) => {
                SourceError::Refused { code: "MAN-01", what: format!("the manifest {reference} has no end") }
            }
            why => self.unreachable(why.to_string()),
        })?;
        if let Some(announced) = announced.filter(|text| text.starts_with("sha256:")) {
            let found = Digest::from_sha256(&Sha256::digest(&bytes));
            if found.as_str() != announced {
                let what = format!("{reference} was announced as {announced} and is {found}");
                return Err(SourceError::Refused { code: "CTR-13", what });
            }
        }
        Ok(Found { bytes: bytes.into(), media_type: media_type.filter(|media_type| !media_type.is_empty()) })
    }

    pub(crate) async fn blob(&self, digest: &Digest) -> Result<Stream, SourceError> {
        let answer = self.get(&format!("blobs/{digest}"), "*/*").await?;
        Ok(answer.bytes_stream().map(|chunk| chunk.map_err(Into::into)).boxed())
    }
}

fn with_port(host: &str) -> String {
    if host.contains(':') { host.to_owned() } else { format!("{host}:443") }
}

pub(crate) fn basic(credentials: &Credentials) -> String {
    use base64::Engine;
    let pair = format!("{}:{}", credentials.username, credentials.password);
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}
