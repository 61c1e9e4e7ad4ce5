//! What every delivery has in common, whether a lead or a webhook: destinations that rest, tries, and giving up.

use crate::leads::Delivered;
use crate::{App, AppError};
use mercat_domain::Millis;
use mercat_domain::lead::{Breaker, Next, after_failure};
use mercat_store::{BreakerRow, Commit, Expect, LedgerError, Versioned, Write, commit_surely, load, put};

/// A delivery before its outcome is judged.
pub(crate) struct Try<'a> {
    /// Which try this was, from 1.
    pub(crate) number: u32,
    /// When the delivery began.
    pub(crate) since: Millis,
    /// Publisher and place.
    pub(crate) place: &'a str,
    /// Whether it is tried once only.
    pub(crate) once: bool,
}

/// What follows a try.
pub(crate) struct Judged {
    /// `pending`, `delivered`, `failed` or `dead`.
    pub(crate) state: &'static str,
    pub(crate) response: String,
    /// When it is tried next; 0 for not.
    pub(crate) next: Millis,
    /// Milliseconds until then.
    pub(crate) again: Option<Millis>,
    /// What is now known about the destination.
    pub(crate) write: Option<Write>,
    /// Whether somebody should look at the destination.
    pub(crate) tell: bool,
}

impl App {
    pub(crate) async fn breaker(&self, place: &str) -> Result<Option<Versioned<BreakerRow>>, AppError> {
        Ok(load::<BreakerRow>(&*self.ledger, place).await?)
    }

    /// Until when a destination is left alone; `None` while it is trusted or on trial.
    pub(crate) async fn rests(&self, place: &str) -> Result<Option<Millis>, AppError> {
        let Some(found) = self.breaker(place).await? else { return Ok(None) };
        let now = self.ledger.now().await?;
        Ok(Some(found.row.closed_until).filter(|until| *until > now && found.row.trial.is_empty()))
    }

    /// Asks whether the delivery `id` may be tried now; a destination that failed is tried once at a time.
    pub(crate) async fn enter(
        &self,
        id: &str,
        breaker: Option<&Versioned<BreakerRow>>,
    ) -> Result<Result<(), Millis>, AppError> {
        let Some(found) = breaker else { return Ok(Ok(())) };
        let now = self.ledger.now().await?;
        let before = found.row.to_breaker();
        match before.clone().enter(id, self.settings.leads.retry.first, now) {
            Err(until) => Ok(Err((until - now).max(1))),
            Ok(after) if after == before => Ok(Ok(())),
            Ok(after) => {
                let mut commit = Commit::new();
                commit.writes.push(put(&breaker_row(&found.row.key, after), Expect::Version(found.version)));
                match commit_surely(&*self.ledger, &commit).await {
                    // Somebody else tries it right now.
                    Err(LedgerError::Conflict { .. }) => Ok(Err(1_000)),
                    other => Ok(Ok(other?)),
                }
            }
        }
    }

    /// Judges how a try ended.
    pub(crate) async fn judge(
        &self,
        tried: &Try<'_>,
        ended: Delivered,
        jitter: u64,
    ) -> Result<Judged, AppError> {
        let now = self.ledger.now().await?;
        let policy = self.settings.leads.retry;
        // A trial that was let through changed the record; what happened now is newer than all of it.
        let before = self.breaker(tried.place).await?.map(|found| found.row.to_breaker()).unwrap_or_default();
        let keep = |breaker: Breaker| Some(put(&breaker_row(tried.place, breaker), Expect::Any));
        let open =
            |before: Breaker| (before != Breaker::default()).then(|| before.succeeded()).and_then(keep);
        let mut judged = Judged {
            state: "delivered",
            response: String::new(),
            next: 0,
            again: None,
            write: None,
            tell: false,
        };
        match ended {
            Delivered::Taken(response) => {
                judged.response = response;
                judged.write = open(before);
            }
            Delivered::Failed { response, retry_after, about_it } => {
                judged.response = response;
                judged.state = "pending";
                match after_failure(policy, tried.number, tried.since, now, retry_after, jitter) {
                    _ if tried.once => judged.state = "failed",
                    Next::GiveUp => judged.state = "dead",
                    Next::Again(delay) => (judged.next, judged.again) = (now + delay, Some(delay)),
                }
                judged.tell = !tried.once && judged.state == "dead";
                if about_it {
                    // Whoever refuses this one answers: the next one need not wait for a trial.
                    judged.write = open(before);
                } else if !tried.once {
                    let after = before.failed(policy.first, now, jitter);
                    judged.tell |= after.just_closed();
                    judged.write = keep(after);
                }
            }
        }
        Ok(judged)
    }
}

pub(crate) fn breaker_key(publisher: &str, place: &str) -> String {
    format!("{publisher} {place}")
}

fn breaker_row(key: &str, breaker: Breaker) -> BreakerRow {
    BreakerRow {
        key: key.to_owned(),
        failures: breaker.failures,
        closed_until: breaker.closed_until,
        trial: breaker.trial,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MasterKey, Settings};
    use mercat_store::Memory;
    use std::sync::Arc;

    #[tokio::test]
    async fn a_destination_that_refuses_one_delivery_is_open_to_the_next() {
        let ledger = Arc::new(Memory::new(Arc::new(|| 1)));
        let app = App::new(ledger, Settings::new("http://here"), MasterKey::new([7; 32]));
        let tried = Try { number: 1, since: 1, place: "aurora https://x.example", once: false };
        let failed = async |about_it| {
            let ended = Delivered::Failed { response: "no".to_owned(), retry_after: None, about_it };
            let judged = app.judge(&tried, ended, 0).await.unwrap_or_else(|error| panic!("{error}"));
            let mut commit = Commit::new();
            commit.writes.extend(judged.write);
            commit_surely(&*app.ledger, &commit).await.unwrap_or_else(|error| panic!("{error}"));
            let breaker = app.breaker(tried.place).await.unwrap_or_else(|error| panic!("{error}"));
            app.enter("lead-1", breaker.as_ref()).await.unwrap_or_else(|error| panic!("{error}")).is_ok()
        };
        for _ in 0..4 {
            assert!(failed(false).await);
        }
        assert!(!failed(false).await, "it rests");
        assert!(failed(true).await, "it answered");
    }
}
