//! Leads on the wire: one destination each (domain rules 7.2 to 7.6).

mod dynamics;
mod forms;
mod https;
mod table;

use mercat_domain::Millis;
use mercat_domain::lead::{Destination, Lead, LeadKind};
use mercat_egress::{Egress, EgressError, body, host_and_port};
use reqwest::header::RETRY_AFTER;
use reqwest::{Method, Request, RequestBuilder, Response};
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// How long a destination has for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read, for the code of an error.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Services that are the same for all publishers; other ones for national clouds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadServices {
    /// Where applications of Dynamics 365 sign in.
    pub authority: String,
    /// Where Salesforce takes web-to-lead.
    pub salesforce: String,
    /// Where HubSpot takes forms.
    pub hubspot: String,
}

impl Default for LeadServices {
    fn default() -> Self {
        Self {
            authority: "https://login.microsoftonline.com".to_owned(),
            salesforce: "https://webto.salesforce.com".to_owned(),
            hubspot: "https://api.hsforms.com".to_owned(),
        }
    }
}

/// Why a destination did not take a lead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct LeadFailure {
    /// `lead.auth`, `lead.permission`, `lead.not_found`, `lead.timeout`, `lead.tls`, `lead.rejected`,
    /// `lead.denied` or `lead.unreachable` (domain rules 7.5).
    pub code: &'static str,
    /// The status and the destination's error code, or what happened to the connection. Never the text of the
    /// answer, in which a secret may be repeated.
    pub detail: String,
    /// Milliseconds that the destination asked to be left alone.
    pub retry_after: Option<Millis>,
    /// Whether it is the lead that was refused, and not the destination that is out of order.
    pub about_the_lead: bool,
}

impl LeadFailure {
    fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after: None, about_the_lead: false }
    }
}

/// The JSON of a lead: the legacy fields, and ours beside them.
pub fn payload(lead: &Lead) -> String {
    let person = &lead.person;
    json!({
        "UserDetails": {
            "FirstName": person.first_name, "LastName": person.last_name, "Email": person.email,
            "Phone": person.phone, "Country": person.country, "Company": person.company, "Title": person.title,
        },
        "LeadSource": lead.source(),
        "ActionCode": lead.kind.action(),
        "OfferTitle": lead.offer_title,
        "Description": lead.description,
        "leadId": lead.id,
        "publisherId": lead.publisher,
        "offerId": lead.offer,
        "planId": lead.plan,
        "environment": lead.environment,
        "test": lead.kind == LeadKind::Test,
        "createdAt": lead.created_at,
        "schemaVersion": 1,
    })
    .to_string()
}

/// Sends leads.
#[derive(Clone)]
pub struct Leads {
    /// The way out.
    pub egress: Egress,
    /// Services with one address for all.
    pub services: LeadServices,
}

impl Leads {
    /// Sends a lead; what the destination answered, for the publisher to see. Whoever sends it again sends it
    /// under the same id. [`Destination::Email`] is not for this door and is refused.
    ///
    /// # Errors
    /// [`LeadFailure`] with a class that the publisher can act on.
    pub async fn deliver(
        &self,
        destination: &Destination,
        lead: &Lead,
        now_secs: i64,
    ) -> Result<String, LeadFailure> {
        match destination {
            Destination::Https { url, secret } => self.https(url, secret, lead, now_secs).await,
            Destination::Table(account) => self.table(account, lead, now_secs).await,
            Destination::Dynamics(dynamics) => self.dynamics(dynamics, lead).await,
            Destination::Salesforce { organisation } => self.salesforce(organisation, lead).await,
            Destination::Marketo { server, munchkin, form } => {
                self.marketo(server, munchkin, form, lead).await
            }
            Destination::HubSpot { portal, form } => self.hubspot(portal, form, lead).await,
            Destination::Email => Err(LeadFailure::new("lead.denied", "mail goes out by the mail server")),
        }
    }

    /// Sends a request; what is not 2xx is a failure.
    pub(crate) async fn taken(&self, request: RequestBuilder) -> Result<String, LeadFailure> {
        let answer = self.send(request).await?;
        match answer.taken() {
            true => Ok(format!("HTTP {}", answer.status)),
            false => Err(answer.failure("")),
        }
    }

    pub(crate) fn post(&self, url: &str) -> Result<RequestBuilder, LeadFailure> {
        self.request(Method::POST, url)
    }

    fn request(&self, method: Method, url: &str) -> Result<RequestBuilder, LeadFailure> {
        let url = Url::parse(url).map_err(|error| LeadFailure::new("lead.denied", error.to_string()))?;
        Ok(self.egress.http().request(method, url).timeout(ANSWER_TIMEOUT))
    }

    /// `https`, or `http` where the operator made an exception for this host.
    fn scheme(&self, host: &str) -> &'static str {
        let at = Url::parse(&format!("https://{host}/")).map(|url| host_and_port(&url)).unwrap_or_default();
        self.egress.scheme(&at)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, LeadFailure> {
        let request: Request = request
            .build()
            .map_err(|error| LeadFailure::new("lead.denied", error.without_url().to_string()))?;
        let failed = |error: EgressError| match &error {
            EgressError::Unreachable { cause, .. } if cause.is_timeout() => {
                LeadFailure::new("lead.timeout", format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()))
            }
            EgressError::Unreachable { .. } if error.is_tls() => {
                LeadFailure::new("lead.tls", "its certificate cannot be trusted, or it speaks no TLS")
            }
            EgressError::Denied { .. } => LeadFailure::new("lead.denied", error.to_string()),
            _ => LeadFailure::new("lead.unreachable", error.to_string()),
        };
        Ok(Answer::of(self.egress.send_once(request).await.map_err(failed)?).await)
    }
}

/// What came back: status and headers, and as much of the body as was there.
struct Answer {
    status: u16,
    retry_after: Option<Millis>,
    /// `Is-Processed` of Salesforce.
    processed: String,
    /// `x-ms-error-code` of Azure.
    error_code: String,
    body: Vec<u8>,
}

impl Answer {
    async fn of(answer: Response) -> Self {
        let header =
            |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        let retry_after =
            header(RETRY_AFTER.as_str()).parse::<u32>().ok().map(|secs| Millis::from(secs) * 1000);
        let (processed, error_code) =
            (header("is-processed").to_owned(), header("x-ms-error-code").to_owned());
        let status = answer.status().as_u16();
        // A broken body changes nothing about an answer whose status is known.
        let body = body(answer, ANSWER_BYTES_MAX, ANSWER_TIMEOUT).await.unwrap_or_default();
        Self { status, retry_after, processed, error_code, body }
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    fn taken(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The failure of a status, with the destination's own code where it is one.
    fn failure(&self, code: &str) -> LeadFailure {
        let class = match self.status {
            401 => "lead.auth",
            403 => "lead.permission",
            404 | 410 => "lead.not_found",
            408 | 504 => "lead.timeout",
            429 | 500..=599 => "lead.unreachable",
            // A redirect leads to a page for signing in, or to a place that was not configured.
            _ => "lead.rejected",
        };
        let mut failure = LeadFailure::new(class, format!("HTTP {}{}", self.status, shown(code)));
        failure.retry_after = self.retry_after;
        failure.about_the_lead = matches!(self.status, 400 | 409 | 413 | 422);
        failure
    }
}

/// A code of a destination's error, when it is one: letters and digits, and not as long as a secret.
fn shown(code: &str) -> String {
    let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if plain && (1..=40).contains(&code.len()) { format!(" ({code})") } else { String::new() }
}

#[cfg(test)]
mod tests;
