//! Promised durations, and business-day arithmetic (seed statement S4-21).

use crate::Millis;

/// One minute.
pub const MINUTE: Millis = 60_000;
/// One hour.
pub const HOUR: Millis = 60 * MINUTE;
/// One day.
pub const DAY: Millis = 24 * HOUR;
const WEEK: Millis = 7 * DAY;
const WEEKS: i64 = 12;

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

/// The first instant of each of the last twelve weeks, the oldest first; weeks begin on Mondays in UTC.
pub fn weeks(now: Millis) -> Vec<Millis> {
    // Day 0 of the epoch was a Thursday; the Monday before it is three days earlier.
    let this = (now + 3 * DAY).div_euclid(WEEK) * WEEK - 3 * DAY;
    (0..WEEKS).rev().map(|back| this - back * WEEK).collect()
}

/// How many of these instants lie in each week.
pub fn per_week(weeks: &[Millis], at: impl Iterator<Item = Millis>) -> Vec<usize> {
    let mut out = vec![0; weeks.len()];
    for at in at {
        if let Some(week) = weeks.iter().rposition(|week| *week <= at) {
            out[week] += 1;
        }
    }
    out
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

    #[test]
    fn weeks_begin_on_mondays_and_every_instant_is_in_one() {
        let thursday = 1_764_201_600_000; // 2025-11-27T00:00:00Z
        let weeks = weeks(thursday);
        assert_eq!(weeks.len(), 12);
        assert_eq!(weeks.last(), Some(&(thursday - 3 * DAY)));
        let counted = per_week(&weeks, [thursday, thursday - 3 * DAY, thursday - 4 * DAY, 0].into_iter());
        assert_eq!((counted[11], counted[10], counted.iter().sum::<usize>()), (2, 1, 3));
    }
}
