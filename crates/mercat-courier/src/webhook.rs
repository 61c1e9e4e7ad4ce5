//! Webhooks: Standard Webhooks 1.0 (symmetric signatures) around CloudEvents 1.0.

use crate::lead::{LeadFailure, Leads};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use mercat_domain::lead::Secret;
use sha2::Sha256;

/// What a webhook's secrets begin with.
pub const SECRET_PREFIX: &str = "whsec_";

/// The value of `webhook-signature`: one signature a secret, so that receivers can change theirs one after the other.
/// A secret that is not base64 behind its prefix signs nothing.
pub fn sign(secrets: &[Secret], id: &str, timestamp: i64, body: &str) -> String {
    let one = |secret: &Secret| {
        let key = STANDARD.decode(secret.reveal().strip_prefix(SECRET_PREFIX)?).ok()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    };
    secrets.iter().filter_map(one).collect::<Vec<_>>().join(" ")
}

impl Leads {
    /// Tells a webhook of an event. The receiver knows repeats by `webhook-id`.
    ///
    /// # Errors
    /// As [`Leads::deliver`]; `lead.not_found` with `HTTP 410` says that nothing is wanted any more.
    pub async fn tell(
        &self,
        url: &str,
        secrets: &[Secret],
        id: &str,
        now_secs: i64,
        body: &str,
    ) -> Result<String, LeadFailure> {
        let request = self
            .post(url)?
            .header("content-type", "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", id)
            .header("webhook-timestamp", now_secs.to_string())
            .header("webhook-signature", sign(secrets, id, now_secs, body))
            .body(body.to_owned());
        self.taken(request).await
    }
}
