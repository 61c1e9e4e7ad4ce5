//! Promised durations, and business-day arithmetic (seed statement S4-21).

use crate::Millis;

/// One minute.
pub const MINUTE: Millis = 60_000;
/// One hour.
pub const HOUR: Millis = 60 * MINUTE;
/// One day.
pub const DAY: Millis = 24 * HOUR;

/// The instant `days` business days after `start`; Saturdays and Sundays (UTC) do not count.
pub fn add_business_days(start: Millis, days: u32) -> Millis {
    let mut at = start;
    let mut left = days;
    while left > 0 {
        at += DAY;
        if !is_weekend(at) {
            left -= 1;
        }
    }
    at
}

/// Whether the instant falls on a Saturday or Sunday in UTC. Day 0 of the epoch was a Thursday.
fn is_weekend(at: Millis) -> bool {
    matches!((at.div_euclid(DAY) + 4).rem_euclid(7), 0 | 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_business_days_from_a_friday_span_two_weekends() {
        let friday = 1_763_683_200_000; // 2025-11-21T00:00:00Z
        assert_eq!(add_business_days(friday, 10), friday + 14 * DAY);
        assert_eq!(add_business_days(friday, 1), friday + 3 * DAY);
        let saturday = friday + DAY;
        assert_eq!(add_business_days(saturday, 1), saturday + 2 * DAY);
    }
}
