//! Cancel Publish.

use crate::{App, AppError};
use mercat_domain::OfferKey;
use mercat_domain::run::{Input, Refusal, State};
use mercat_store::{Commit, NewEvent, OfferRow, SubmissionRow, commit_surely, load};

impl App {
    /// Tries at once what waits for its next try, for example a region that did not answer. How many tries there are.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when nothing is under way.
    pub async fn retry_now(&self, actor: &str, key: &OfferKey) -> Result<u64, AppError> {
        let offer = load::<OfferRow>(&*self.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?.row;
        let run = offer.active.ok_or(AppError::NotFound)?;
        let count = self.ledger.hurry(&run).await?;
        if count > 0 {
            let mut commit = Commit::new();
            commit.events.push(NewEvent {
                subject: format!("offer:{key}"),
                run,
                kind: "step.hurried".to_owned(),
                actor: actor.to_owned(),
                body: "{}".to_owned(),
            });
            commit_surely(&*self.ledger, &commit).await?;
            self.bell.notify_waiters();
        }
        Ok(count)
    }

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
