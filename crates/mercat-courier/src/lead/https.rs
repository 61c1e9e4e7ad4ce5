//! An endpoint of the publisher's own (domain rules 7.3).

use super::{LeadFailure, Leads, payload};
use hmac::{Hmac, KeyInit, Mac};
use mercat_domain::lead::{Lead, Secret};
use sha2::Sha256;

impl Leads {
    /// The receiver can drop repeats by `Idempotency-Key` and check the signature
    /// `X-Mercat-Signature: t=SECONDS,v1=HMAC-SHA256(secret, "SECONDS.body")`.
    pub(super) async fn https(
        &self,
        url: &str,
        secret: &Secret,
        lead: &Lead,
        now_secs: i64,
    ) -> Result<String, LeadFailure> {
        let body = payload(lead);
        let mut request =
            self.post(url)?.header("content-type", "application/json").header("idempotency-key", &lead.id);
        if !secret.reveal().is_empty() {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes())
                .map_err(|_| LeadFailure::new("lead.denied", "the secret cannot be used"))?;
            mac.update(format!("{now_secs}.{body}").as_bytes());
            let signature: String =
                mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            request = request.header("x-mercat-signature", format!("t={now_secs},v1={signature}"));
        }
        self.taken(request.body(body)).await
    }
}
