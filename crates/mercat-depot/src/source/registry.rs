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
                // Whoever it redirects to may ask for credentials, and is given none.
                StatusCode::UNAUTHORIZED if !is_own(&answer, &url) => {
                    let asks = answer.url().host_str().unwrap_or_default();
                    let port = answer.url().port().map(|port| format!(":{port}")).unwrap_or_default();
                    let what = format!(
                        "{}/{} {path} is redirected to {asks}{port}, which asks for a sign-in of its own",
                        self.host, self.repository
                    );
                    return Err(SourceError::Refused { code: "CTR-13", what });
                }
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

/// Whether an answer comes from where the URL points, and not from another server by a redirect.
fn is_own(answer: &Response, url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.origin() == answer.url().origin())
}

fn with_port(host: &str) -> String {
    if host.contains(':') { host.to_owned() } else { format!("{host}:443") }
}

pub(crate) fn basic(credentials: &Credentials) -> String {
    use base64::Engine;
    let pair = format!("{}:{}", credentials.username, credentials.password);
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::Arc;

    /// A server whose answer to each request, of which it gets the lines, is `answer`; and its requests.
    fn server(answer: impl Fn(&str, &str) -> String + Send + 'static) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (kept, own) = (asked.clone(), host.clone());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines =
                    BufReader::new(stream.try_clone().expect("a stream")).lines().map_while(Result::ok);
                let text = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
                let said = answer(&text, &own);
                kept.lock().expect("no panic").push(text);
                let _ = write!(stream, "HTTP/1.1 {said}\r\nconnection: close\r\n\r\n");
            }
        });
        (host, asked)
    }

    fn challenge(host: &str) -> String {
        format!("401 X\r\nwww-authenticate: Bearer realm=\"http://{host}/token\"\r\ncontent-length: 0")
    }

    fn registry(hosts: &[&String]) -> Registry {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).clone()).collect();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let egress = Egress::new(&hosts).expect("an egress");
        let credentials = Credentials { username: "me".to_owned(), password: "hunter2".to_owned() };
        Registry::new(egress, &hosts[0], "app", credentials)
    }

    #[tokio::test]
    async fn credentials_are_for_the_registry_and_not_for_where_it_redirects_to() {
        let (elsewhere, asked) = server(|_, own| challenge(own));
        let target = elsewhere.clone();
        let to =
            move |_: &str, _: &str| format!("307 X\r\nlocation: http://{target}/blob\r\ncontent-length: 0");
        let (host, _) = server(to);
        let told = registry(&[&host, &elsewhere]).has(&Digest::from_sha256(&[1; 32])).await;
        let Err(SourceError::Refused { what, .. }) = told else { panic!("{told:?}") };
        assert!(what.contains(&elsewhere) && what.contains("sign-in"), "{what}");
        let asked = asked.lock().expect("no panic").join("\n").to_lowercase();
        assert!(!asked.contains("authorization") && !asked.contains("/token"), "{asked}");
    }

    #[tokio::test]
    async fn the_challenge_of_the_registry_itself_is_answered() {
        let (host, asked) = server(|text, own| match text {
            text if text.contains("/token") => {
                // What the server says behind every answer is no answer to the next request.
                "200 OK\r\nconnection: close\r\ncontent-length: 13\r\n\r\n{\"token\":\"t\"}".to_owned()
            }
            text if text.to_lowercase().contains("authorization: bearer t") => {
                "200 OK\r\ncontent-length: 0".to_owned()
            }
            _ => challenge(own),
        });
        let found = registry(&[&host]).has(&Digest::from_sha256(&[1; 32])).await;
        assert!(matches!(found, Ok(true)), "{found:?} {:?}", asked.lock().expect("no panic"));
    }
}
