//! Leads over HTTPS (domain rules 7.3 to 7.5).

use hmac::{Hmac, KeyInit, Mac};
use mercat_domain::lead::{Lead, LeadKind};
use mercat_egress::{Egress, EgressError};
use serde_json::json;
use sha2::Sha256;
use std::time::Duration;
use url::Url;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a destination did not take a lead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct LeadFailure {
    /// `lead.auth`, `lead.not_found`, `lead.timeout`, `lead.rejected`, `lead.denied` or `lead.unreachable`.
    pub code: &'static str,
    /// The status class, or what happened to the connection. Never the body of the answer.
    pub detail: String,
}

/// The JSON of a lead: the legacy fields, and ours beside them.
pub fn payload(lead: &Lead) -> String {
    let person = &lead.person;
    let action = "INS";
    json!({
        "UserDetails": {
            "FirstName": person.first_name, "LastName": person.last_name, "Email": person.email,
            "Phone": person.phone, "Country": person.country, "Company": person.company, "Title": person.title,
        },
        "LeadSource": format!("AzureMarketplace-{action}|{}.{}", lead.publisher, lead.offer),
        "ActionCode": action,
        "OfferTitle": lead.offer_title,
        "Description": lead.description,
        "leadId": lead.id,
        "publisherId": lead.publisher,
        "offerId": lead.offer,
        "environment": lead.environment,
        "test": lead.kind == LeadKind::Test,
        "createdAt": lead.created_at,
        "schemaVersion": 1,
    })
    .to_string()
}

/// Sends a lead. The receiver can drop repeats by `Idempotency-Key` and check the signature
/// `X-Mercat-Signature: t=SECONDS,v1=HMAC-SHA256(secret, "SECONDS.body")`.
///
/// # Errors
/// [`LeadFailure`] with a class that the publisher can act on.
pub async fn deliver(
    egress: &Egress,
    url: &str,
    secret: &str,
    lead: &Lead,
    now_secs: i64,
) -> Result<u16, LeadFailure> {
    let fail = |code, detail: String| LeadFailure { code, detail };
    let url = Url::parse(url).map_err(|error| fail("lead.denied", error.to_string()))?;
    let body = payload(lead);
    let mut request = egress
        .http()
        .post(url)
        .timeout(ANSWER_TIMEOUT)
        .header("content-type", "application/json")
        .header("idempotency-key", &lead.id);
    if !secret.is_empty() {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
            .map_err(|_| fail("lead.denied", "the secret cannot be used".to_owned()))?;
        mac.update(format!("{now_secs}.{body}").as_bytes());
        let signature: String =
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        request = request.header("x-mercat-signature", format!("t={now_secs},v1={signature}"));
    }
    let request = request.body(body).build().map_err(|error| fail("lead.denied", error.to_string()))?;
    match egress.send(request).await {
        Ok(answer) => match answer.status().as_u16() {
            status @ 200..=299 => Ok(status),
            status @ (401 | 403) => Err(fail("lead.auth", format!("HTTP {status}"))),
            status @ (404 | 410) => Err(fail("lead.not_found", format!("HTTP {status}"))),
            status => Err(fail("lead.rejected", format!("HTTP {status}"))),
        },
        Err(EgressError::Unreachable { cause, .. }) if cause.is_timeout() => {
            Err(fail("lead.timeout", "no answer within 30 seconds".to_owned()))
        }
        Err(error @ EgressError::Denied { .. }) => Err(fail("lead.denied", error.to_string())),
        Err(error) => Err(fail("lead.unreachable", error.to_string())),
    }
}
