//! When a delivery is tried again, and when it is given up.

use crate::Millis;
use crate::calendar::{DAY, HOUR, MINUTE};
use crate::retry::backoff;

/// How deliveries are repeated (domain rules 7.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Wait after the first failure.
    pub first: Millis,
    /// Longest wait.
    pub most: Millis,
    /// How long after it was made a delivery is given up.
    pub life: Millis,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { first: MINUTE, most: 6 * HOUR, life: 7 * DAY }
    }
}

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Tried again after this many milliseconds.
    Again(Millis),
    /// Given up; a person can send it again.
    GiveUp,
}

/// What follows failure number `failures` (from 1) of a delivery that began at `since`. A wait that the receiver
/// asked for is kept, up to the longest wait.
pub fn after_failure(
    policy: RetryPolicy,
    failures: u32,
    since: Millis,
    now: Millis,
    asked: Option<Millis>,
    jitter: u64,
) -> Next {
    if now - since >= policy.life {
        return Next::GiveUp;
    }
    let own = backoff(failures.saturating_sub(1), policy.first, policy.most, jitter);
    Next::Again(asked.map_or(own, |asked| asked.clamp(own, policy.most)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_a_minute_to_six_hours_and_end_after_seven_days() {
        let policy = RetryPolicy::default();
        let (mut now, mut waits) = (0, Vec::new());
        while let Next::Again(wait) = after_failure(policy, waits.len() as u32 + 1, 0, now, None, u64::MAX) {
            now += wait;
            waits.push(wait);
        }
        assert!(waits[0] <= MINUTE && waits[0] >= MINUTE / 2);
        assert!(waits.iter().all(|wait| *wait <= 6 * HOUR));
        assert!((7 * DAY..7 * DAY + 6 * HOUR).contains(&now), "{now}");
        assert!((30..100).contains(&waits.len()), "{}", waits.len());
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_but_not_for_all_of_it() {
        let policy = RetryPolicy::default();
        let asked = |ms| after_failure(policy, 1, 0, 0, Some(ms), 0);
        assert_eq!(asked(2 * HOUR), Next::Again(2 * HOUR));
        assert_eq!(asked(1_000_000_000_000), Next::Again(6 * HOUR));
        assert!(matches!(asked(0), Next::Again(wait) if wait >= MINUTE / 2));
    }
}
