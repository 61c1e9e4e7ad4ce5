//! The client side of the pluggable scanner adapter API 1.0, 1.1 and 1.2.

use super::Scanner;
use super::report::{Named, REPORT_BYTES_MAX, ScanReport, read, text};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mercat_domain::Digest;
use mercat_egress::EgressError;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;
use url::Url;

/// Bytes of an adapter's description, and of its answer to a request.
const METADATA_BYTES_MAX: usize = 1 << 20;
/// Times that one report is asked for.
const POLLS_MAX: u32 = 1000;
/// Seconds between two of them: where the adapter says nothing, at least, and at most.
const REFRESH_SECS: (u64, u64, u64) = (2, 1, 60);
/// Tries of a request while nobody accepts the connection, or the adapter is not ready.
const TRIES: u32 = 3;
/// Characters of a scan's id.
const SCAN_ID_CHARS_MAX: usize = 256;

/// Reports that are understood, best first (1.1 of the specification, 1.0, and how it was first called).
const REPORTS: [&str; 3] = [
    "application/vnd.security.vulnerability.report; version=1.1",
    "application/vnd.security.vulnerability.report; version=1.0",
    "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0",
];
const REQUEST: &str = "application/vnd.scanner.adapter.scan.request+json; version=";
const AUTHORIZATION_TYPE: &str = "harbor.scanner-adapter/registry-authorization-type";
const UPDATED_AT: &str = "harbor.scanner-adapter/vulnerability-database-updated-at";

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanError {
    /// Publishers read this text: where the adapter is stands in the log only.
    #[error("its adapter does not answer")]
    Egress(String),
    #[error("{what} was answered with {status}{said}")]
    Status { what: &'static str, status: u16, said: String },
    #[error("the answer to {what} has more than {limit_bytes} bytes ({limit})")]
    TooLarge { what: &'static str, limit: &'static str, limit_bytes: usize },
    #[error("the answer to {what} is not understood: {why}")]
    Malformed { what: &'static str, why: String },
    #[error("it makes no vulnerability report that is understood of {0}")]
    NotTaken(String),
    #[error("no report within {0} seconds (timeout_secs)")]
    TimedOut(u64),
    #[error("no report after it was asked for {POLLS_MAX} times (POLLS_MAX)")]
    Polls,
    #[error("{0}")]
    Specimen(String),
}

impl ScanError {
    /// All that is known, for the operator.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Egress(cause) => format!("{self}: {cause}"),
            _ => self.to_string(),
        }
    }
}

/// What an adapter says about itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) scanner: Named,
    capabilities: Vec<Capability>,
    #[serde(default)]
    properties: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct Capability {
    /// Since 1.2; a capability without one is about vulnerabilities.
    #[serde(rename = "type")]
    kind: Option<String>,
    consumes_mime_types: Vec<String>,
    produces_mime_types: Vec<String>,
}

impl Metadata {
    fn property(&self, name: &str) -> String {
        let value = self.properties.as_ref().and_then(|all| all.get(name));
        value.and_then(Value::as_str).map(text).unwrap_or_default()
    }

    /// When its database was renewed, as it says; empty when it does not.
    pub(crate) fn database(&self) -> String {
        self.property(UPDATED_AT)
    }

    /// The media type of the report, as the adapter writes it, and whether it knows kinds of capabilities (1.2).
    fn report_of(&self, media_type: &str) -> Option<(String, bool)> {
        let same = |one: &str, two: &str| one.replace(' ', "").eq_ignore_ascii_case(&two.replace(' ', ""));
        let fits = |capability: &&Capability| {
            capability.kind.as_deref().is_none_or(|kind| kind == "vulnerability")
                && capability.consumes_mime_types.iter().any(|kind| same(kind, media_type))
        };
        REPORTS.iter().find_map(|wanted| {
            self.capabilities.iter().filter(fits).find_map(|capability| {
                let kind = capability.produces_mime_types.iter().find(|kind| same(kind, wanted))?;
                Some((kind.clone(), capability.kind.is_some()))
            })
        })
    }
}

/// What is to be scanned, and where and how it is pulled.
pub(crate) struct Specimen<'a> {
    pub(crate) digest: &'a Digest,
    pub(crate) media_type: &'a str,
    /// A token for the repository of this digest.
    pub(crate) token: String,
}

impl Specimen<'_> {
    /// The authorization that the adapter shows to the registry. Names and passwords are what Harbor's adapters
    /// expect where they say nothing.
    fn authorization(&self, metadata: &Metadata) -> String {
        match metadata.property(AUTHORIZATION_TYPE).as_str() {
            "Bearer" => format!("Bearer {}", self.token),
            _ => {
                let pair = format!("{}:{}", mercat_app::SPECIMEN_USER, self.token);
                format!("Basic {}", STANDARD.encode(pair))
            }
        }
    }
}

/// An answer, read whole.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    fn refused(&self, what: &'static str) -> ScanError {
        let error: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let said = error.pointer("/error/message").and_then(Value::as_str).map(text).unwrap_or_default();
        let said = if said.is_empty() { said } else { format!(": {said}") };
        ScanError::Status { what, status: self.status.as_u16(), said }
    }
}

const METADATA: &str = "the question for its metadata";
const SCAN: &str = "the request to scan";
const REPORT: &str = "the question for the report";

impl Scanner {
    /// Asks the adapter about itself.
    pub(crate) async fn metadata(&self) -> Result<Metadata, ScanError> {
        let url = self.at(&["metadata"]);
        let limit = ("METADATA_BYTES_MAX", METADATA_BYTES_MAX);
        let answer = self.ask(METADATA, (Method::GET, url), &[], None, limit).await?;
        if answer.status != StatusCode::OK {
            return Err(answer.refused(METADATA));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| ScanError::Malformed { what: METADATA, why: text(&error.to_string()) })
    }

    /// Has an image scanned, and waits for the report.
    pub(crate) async fn scan(
        &self,
        metadata: &Metadata,
        specimen: &Specimen<'_>,
    ) -> Result<ScanReport, ScanError> {
        let not_taken = || ScanError::NotTaken(text(specimen.media_type));
        let (report_type, typed) = metadata.report_of(specimen.media_type).ok_or_else(not_taken)?;
        let id = self.accepted(metadata, specimen, &report_type, typed).await?;
        let url = self.at(&["scan", &id, "report"]);
        for _ in 0..POLLS_MAX {
            let limit = ("REPORT_BYTES_MAX", REPORT_BYTES_MAX);
            let headers = [(ACCEPT, report_type.as_str())];
            let answer = self.ask(REPORT, (Method::GET, url.clone()), &headers, None, limit).await?;
            match answer.status {
                StatusCode::OK => return understood(&answer, specimen.digest),
                // It is not followed: it says that the report is not there yet.
                StatusCode::FOUND => {
                    let (unsaid, least, most) = REFRESH_SECS;
                    let after = answer.header("refresh-after").parse().unwrap_or(unsaid);
                    tokio::time::sleep(Duration::from_secs(after.clamp(least, most))).await;
                }
                _ => return Err(answer.refused(REPORT)),
            }
        }
        Err(ScanError::Polls)
    }

    /// Hands a request in; the id under which its report is asked for.
    async fn accepted(
        &self,
        metadata: &Metadata,
        specimen: &Specimen<'_>,
        report_type: &str,
        typed: bool,
    ) -> Result<String, ScanError> {
        let mut body = json!({
            "registry": {"url": self.pull_url, "authorization": specimen.authorization(metadata)},
            "artifact": {
                "repository": format!("certify/{}", specimen.digest.hex()),
                "digest": specimen.digest.as_str(), "mime_type": specimen.media_type,
            },
        });
        if typed {
            body["enabled_capabilities"] =
                json!([{"type": "vulnerability", "produces_mime_types": [report_type]}]);
        }
        let kind = format!("{REQUEST}{}", if typed { "1.1" } else { "1.0" });
        let headers = [(CONTENT_TYPE, kind.as_str())];
        let limit = ("METADATA_BYTES_MAX", METADATA_BYTES_MAX);
        let request = (Method::POST, self.at(&["scan"]));
        let answer = self.ask(SCAN, request, &headers, Some(body.to_string()), limit).await?;
        if !answer.status.is_success() {
            return Err(answer.refused(SCAN));
        }
        let found: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let id = found.get("id").and_then(Value::as_str).unwrap_or("");
        let plain = !matches!(id, "" | "." | "..")
            && id.len() <= SCAN_ID_CHARS_MAX
            && id.bytes().all(|byte| byte.is_ascii_graphic());
        let why = || format!("no id of at most {SCAN_ID_CHARS_MAX} printed characters (SCAN_ID_CHARS_MAX)");
        if plain { Ok(id.to_owned()) } else { Err(ScanError::Malformed { what: SCAN, why: why() }) }
    }

    /// The address of an operation.
    fn at(&self, parts: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1"]).extend(parts);
        }
        url
    }

    /// One request; again where nobody accepted it.
    async fn ask(
        &self,
        what: &'static str,
        (method, url): (Method, Url),
        headers: &[(reqwest::header::HeaderName, &str)],
        body: Option<String>,
        limit: (&'static str, usize),
    ) -> Result<Answer, ScanError> {
        let mut tried = 1;
        loop {
            let mut request = self.egress.http().request(method.clone(), url.clone());
            for (name, value) in headers {
                request = request.header(name, *value);
            }
            if !self.authorization.is_empty() {
                request = request.header(AUTHORIZATION, &self.authorization);
            }
            if let Some(body) = &body {
                request = request.body(body.clone());
            }
            let request = request.build().map_err(|error| ScanError::Egress(crate::chain(&error)))?;
            match self.egress.send_once(request).await {
                Ok(answer) if !matches!(answer.status().as_u16(), 429 | 502..=504) || tried >= TRIES => {
                    return whole(what, answer, limit).await;
                }
                Ok(_) => {}
                Err(EgressError::Unreachable { cause, .. }) if cause.is_connect() && tried < TRIES => {}
                Err(error) => return Err(ScanError::Egress(crate::chain(&error))),
            }
            tokio::time::sleep(Duration::from_secs(u64::from(tried))).await;
            tried += 1;
        }
    }
}

/// Reads an answer up to a limit.
async fn whole(
    what: &'static str,
    mut answer: reqwest::Response,
    (limit, limit_bytes): (&'static str, usize),
) -> Result<Answer, ScanError> {
    let (status, headers) = (answer.status(), answer.headers().clone());
    let too_large = || ScanError::TooLarge { what, limit, limit_bytes };
    if answer.content_length().is_some_and(|length| length > limit_bytes as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    loop {
        let chunk = answer.chunk().await;
        let chunk = chunk.map_err(|error| ScanError::Egress(crate::chain(&error.without_url())))?;
        let Some(chunk) = chunk else { return Ok(Answer { status, headers, body }) };
        if body.len() + chunk.len() > limit_bytes {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
}

fn understood(answer: &Answer, digest: &Digest) -> Result<ScanReport, ScanError> {
    let malformed = |why: String| ScanError::Malformed { what: REPORT, why };
    let kind = answer.header("content-type").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let known = REPORTS.iter().any(|report| report.split(';').next() == Some(&kind));
    if !known && !matches!(kind.as_str(), "" | "application/json") {
        return Err(malformed(format!("its media type is {}", text(&kind))));
    }
    read(&answer.body, digest).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(capabilities: &Value) -> Metadata {
        let all = json!({"scanner": {"name": "S"}, "capabilities": capabilities, "properties": {"a": 1}});
        serde_json::from_value(all).expect("metadata")
    }

    #[test]
    fn the_newest_report_is_chosen_and_sbom_capabilities_are_not_asked_for_vulnerabilities() {
        let image = "application/vnd.oci.image.manifest.v1+json";
        let old = json!({"consumes_mime_types": [image], "produces_mime_types": [REPORTS[2], REPORTS[0]]});
        assert_eq!(metadata(&json!([old])).report_of(image), Some((REPORTS[0].to_owned(), false)));
        assert_eq!(metadata(&json!([old])).report_of("application/other"), None);
        let sbom =
            json!({"type": "sbom", "consumes_mime_types": [image], "produces_mime_types": [REPORTS[0]]});
        assert_eq!(metadata(&json!([sbom])).report_of(image), None);
        let spaced = REPORTS[1].replace(' ', "");
        let new =
            json!({"type": "vulnerability", "consumes_mime_types": [image], "produces_mime_types": [spaced]});
        assert_eq!(metadata(&json!([sbom, new])).report_of(image), Some((spaced, true)));
        assert!(serde_json::from_value::<Metadata>(json!({"scanner": {}})).is_err());
    }
}
