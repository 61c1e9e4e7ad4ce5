//! A destination that fails again and again is left alone for a while.

use crate::Millis;
use crate::calendar::MINUTE;
use crate::retry::backoff;

/// Failures, one after the other, after which a destination is left alone.
const FAILURES_MAX: u32 = 5;
/// How long one trial may take before the next one is let through.
const TRIAL: Millis = 3 * MINUTE;
/// How soon the others ask again while one is on trial: half a first wait, but no less and no more than this.
const ASK: (Millis, Millis) = (1_000, 30_000);
const REST_MAX: Millis = 30 * MINUTE;

/// What is known about a destination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Breaker {
    /// Failures, one after the other.
    pub failures: u32,
    /// When it may be tried again; 0 while it is trusted.
    pub closed_until: Millis,
    /// The delivery that is on trial; empty while none is.
    pub trial: String,
}

impl Breaker {
    /// Whether the delivery `id` may be tried now, and what to keep before it is: while a destination is on trial,
    /// one delivery at a time. The one on trial may come again as long as its time lasts, as it does after whoever
    /// tried it was killed. `first` is the wait after a first failure.
    ///
    /// # Errors
    /// The instant from which it may ask again.
    pub fn enter(self, id: &str, first: Millis, now: Millis) -> Result<Self, Millis> {
        match self.closed_until {
            0 => Ok(self),
            until if now < until && self.trial.is_empty() => Err(until),
            until if now < until && self.trial == id => Ok(self),
            until if now < until => Err(until.min(now + (first / 2).clamp(ASK.0, ASK.1))),
            _ => Ok(Self { failures: self.failures, closed_until: now + TRIAL, trial: id.to_owned() }),
        }
    }

    /// After a delivery.
    pub fn succeeded(self) -> Self {
        Self::default()
    }

    /// After a failure that is the destination's as a whole, not the lead's. `jitter` is any random number.
    pub fn failed(self, first: Millis, now: Millis, jitter: u64) -> Self {
        let failures = self.failures.saturating_add(1);
        let rest = |over| now + backoff(over, first, REST_MAX, jitter);
        let closed_until = failures.checked_sub(FAILURES_MAX).map_or(0, rest);
        Self { failures, closed_until, trial: String::new() }
    }

    /// Whether this failure was the one after which the destination is left alone.
    pub fn just_closed(&self) -> bool {
        self.failures == FAILURES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_close_it_one_trial_is_let_through_and_a_delivery_opens_it() {
        let mut breaker = Breaker::default();
        for failure in 1..=5 {
            assert_eq!(breaker.clone().enter("a", MINUTE, 100), Ok(breaker.clone()));
            breaker = breaker.failed(MINUTE, 100, 0);
            assert_eq!(breaker.just_closed(), failure == 5);
        }
        let until = breaker.clone().enter("a", MINUTE, 100).expect_err("closed");
        assert!((100 + MINUTE / 2..=100 + MINUTE).contains(&until));
        let trial = breaker.enter("a", MINUTE, until).expect("one trial");
        assert_eq!(trial.clone().enter("b", MINUTE, until + 1), Err(until + 1 + 30_000), "one at a time");
        let later = until + TRIAL - 1;
        assert_eq!(trial.clone().enter("b", MINUTE, later), Err(until + TRIAL));
        let resumed = trial.clone().enter("a", MINUTE, later).expect("its worker was killed");
        assert_eq!(resumed, trial, "its time is not begun anew");
        assert_eq!(trial.clone().enter("b", 50, until + 1), Err(until + 1 + 1_000));
        assert_eq!(trial.clone().enter("b", MINUTE, until + TRIAL).expect("it took too long").trial, "b");
        let again = trial.failed(MINUTE, until, 0);
        assert!(!again.just_closed() && again.closed_until > until && again.trial.is_empty());
        assert_eq!(again.succeeded().enter("a", MINUTE, 0), Ok(Breaker::default()));
        let tired = (0..100).fold(Breaker::default(), |breaker, _| breaker.failed(MINUTE, 0, u64::MAX));
        assert!(tired.closed_until <= REST_MAX);
    }
}
