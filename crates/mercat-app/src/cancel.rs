//! Cancel Publish.

use crate::{App, AppError};
use mercat_domain::OfferKey;
use mercat_domain::run::{Input, Refusal, State};
use mercat_store::{OfferRow, SubmissionRow, load};

impl App {
    /// Cancels the active submission. Cancelling what is cancelled already is fine.
    ///
    /// # Errors
    /// [`AppError::Refused`] when nothing can be cancelled now.
    pub async fn cancel(&self, actor: &str, key: &OfferKey) -> Result<SubmissionRow, AppError> {
        let offer = load::<OfferRow>(&*self.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?;
        let latest = offer.row.latest.ok_or(AppError::Refused(Refusal::Over))?;
        match self.decide(actor, &latest, &Input::Cancel(self.settings.cancel)).await {
            Err(AppError::Refused(Refusal::Over)) => {
                let row = load::<SubmissionRow>(&*self.ledger, &latest).await?.ok_or(AppError::NotFound)?.row;
                if row.run.state == State::Canceled.name() { Ok(row) } else { Err(Refusal::Over.into()) }
            }
            other => other,
        }
    }
}
