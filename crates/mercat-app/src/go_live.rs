//! Go Live, and the frame for every decision of a person about a run.

use crate::notices::StepFacts;
use crate::transition::{Because, Next, Pair};
use crate::{App, AppError};
use mercat_domain::run::{self, Input, Refusal, current_step};
use mercat_domain::{Digest, OfferKey};
use mercat_store::{Commit, LedgerError, OfferRow, Row, SubmissionRow, commit_surely, load};

impl App {
    /// Takes what was previewed to production. `snapshot` is the digest that the publisher saw.
    ///
    /// # Errors
    /// [`AppError::Refused`] when nothing waits, or something else was previewed.
    pub async fn go_live(
        &self,
        actor: &str,
        key: &OfferKey,
        snapshot: &str,
    ) -> Result<SubmissionRow, AppError> {
        let offer = load::<OfferRow>(&*self.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?;
        let active = offer.row.active.ok_or(AppError::Refused(Refusal::NotAtSignOff))?;
        let snapshot = Digest::parse(snapshot).ok_or(AppError::Refused(Refusal::OtherSnapshot))?;
        self.decide(actor, &active, &Input::GoLive { snapshot }).await
    }

    pub(crate) async fn pair(&self, submission: &str) -> Result<Pair, AppError> {
        let submission = load::<SubmissionRow>(&*self.ledger, submission).await?.ok_or(AppError::NotFound)?;
        let key = format!("{}/{}", submission.row.publisher, submission.row.offer);
        let offer = load::<OfferRow>(&*self.ledger, &key).await?.ok_or(AppError::NotFound)?;
        Ok(Pair { offer, submission })
    }

    /// Applies a person's input; when somebody else was faster, decides again on what is there now.
    pub(crate) async fn decide(
        &self,
        actor: &str,
        submission: &str,
        input: &Input,
    ) -> Result<SubmissionRow, AppError> {
        loop {
            let pair = self.pair(submission).await?;
            let now = self.ledger.now().await?;
            let run = to_run(&pair.submission.row)?;
            let (run, effects) = run::decide(&run, input, now)?;
            let step = current_step(&to_run(&pair.submission.row)?).map(|step| step.step.name().to_owned());
            let facts = StepFacts { step: step.unwrap_or_default(), ..StepFacts::default() };
            let mut commit = Commit::new();
            let next = Next { run, effects };
            let because = Because { actor, facts: &facts, listing: None, now };
            self.write_transition(&mut commit, &pair, &next, &because);
            match commit_surely(&*self.ledger, &commit).await {
                Err(LedgerError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    self.bell.notify_waiters();
                    let row = load::<SubmissionRow>(&*self.ledger, submission).await?;
                    return Ok(row.ok_or(AppError::NotFound)?.row);
                }
            }
        }
    }
}

pub(crate) fn to_run(row: &SubmissionRow) -> Result<run::Run, AppError> {
    row.run.to_run().ok_or_else(|| {
        AppError::Ledger(LedgerError::Corrupt {
            kind: SubmissionRow::KIND.into(),
            key: row.id.clone(),
            why: "the run has a name that this version does not know".into(),
        })
    })
}
