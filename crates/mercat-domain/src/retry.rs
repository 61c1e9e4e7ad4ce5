//! Back-off: bounded, jittered, computed from persisted attempt counts.

use crate::Millis;

/// The delay before attempt `attempt + 1`, in `[half, full]` of the exponential step.
///
/// `jitter` is any 64-bit random number. The step doubles from `base` up to `cap`.
pub fn backoff(attempt: u32, base: Millis, cap: Millis, jitter: u64) -> Millis {
    let full = base.saturating_mul(1_i64 << attempt.min(20)).min(cap).max(1);
    let half = full / 2;
    half + (jitter % (full - half + 1).unsigned_abs()).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_delay_stays_between_half_and_cap(attempt in 0_u32..200, jitter: u64) {
            let delay = backoff(attempt, 1_000, 60_000, jitter);
            prop_assert!((500..=60_000).contains(&delay));
        }
    }
}
