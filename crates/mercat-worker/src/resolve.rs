//! What the references of a plan mean right now, for whoever writes the offer.

use crate::steps::{disks, validate};
use crate::{Worker, chain};
use mercat_app::AppError;
use mercat_artifact::oci::reference;
use mercat_depot::{Credentials, Resolved, SourceError, resolve};
use mercat_domain::{OfferKey, OfferKind, Plan};
use mercat_store::FindingRow;

impl Worker {
    /// Looks up what a plan names, or says what stands in the way, as the first step would.
    ///
    /// # Errors
    /// When the ledger does not answer, or a secret does not open.
    pub async fn resolve(
        &self,
        key: &OfferKey,
        kind: OfferKind,
        plan: &Plan,
    ) -> Result<Result<Vec<Resolved>, Box<FindingRow>>, AppError> {
        if kind == OfferKind::VirtualMachine {
            return Ok(disks::look(self, key, plan).await);
        }
        let text = plan.text("image");
        let refused = |error: &SourceError| {
            let ours = || FindingRow {
                rule: "F021".to_owned(),
                severity: "inconclusive".to_owned(),
                plan: plan.id.clone(),
                field: format!("plans/{}/image", plan.id),
                observed: chain(error),
                required: "a source that answers".to_owned(),
                ..FindingRow::default()
            };
            Box::new(validate::verdict_on(&plan.id, error).unwrap_or_else(ours))
        };
        let place = match reference::parse(text) {
            Ok((place, _)) => place,
            Err(error) => {
                return Ok(Err(refused(&SourceError::Refused { code: "F003", what: error.to_string() })));
            }
        };
        if let Some(error) = validate::unreadable(text, &place, &self.local_sources) {
            return Ok(Err(refused(&error)));
        }
        let password = self.app.open_secret(&format!("{key}/{}", plan.id), "password", &plan.fields)?;
        let credentials = Credentials { username: plan.text("username").to_owned(), password };
        let found = resolve(&self.egress, &place, credentials, plan.list("tags")).await;
        Ok(found.map_err(|error| refused(&error)))
    }
}
