//! Days, as the callers' clocks and the records' timestamps name them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A day of the Gregorian calendar, UTC; counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Day(i64);

impl Day {
    /// Reads the day of a date or RFC 3339 timestamp; `None` when its first ten characters are no date.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.get(..10)?;
        let number = |from: usize, to: usize| -> Option<i64> {
            let part = text.get(from..to)?;
            part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
        };
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let dashes = text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
        let right = dashes && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
        right.then(|| Self(days_before(year, month) + day - 1))
    }

    /// The day of a Unix time in seconds.
    pub fn of_unix(secs: i64) -> Self {
        Self(secs.div_euclid(86_400))
    }

    /// Days from `earlier` to this one; negative when `earlier` is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

fn days_of(year: i64, month: i64) -> i64 {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let before = year - 1;
    let years = before * 365 + before / 4 - before / 100 + before / 400 - 719_162;
    years + (1..month).map(|month| days_of(year, month)).sum::<i64>()
}

impl fmt::Display for Day {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut year = 1970 + self.0.div_euclid(if self.0 < 0 { 365 } else { 366 });
        while days_before(year + 1, 1) <= self.0 {
            year += 1;
        }
        let month = (1..=12).rev().find(|month| days_before(year, *month) <= self.0).unwrap_or(1);
        write!(out, "{year:04}-{month:02}-{:02}", self.0 - days_before(year, month) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_read_and_print_as_the_calendar_counts_them() {
        for (text, count) in [("1970-01-01", 0), ("2000-02-29", 11_016), ("2026-11-26", 20_783)] {
            assert_eq!(Day::parse(text), Some(Day(count)), "{text}");
            assert_eq!(Day(count).to_string(), text);
        }
        for at in (-100_000..100_000).step_by(17) {
            assert_eq!(Day::parse(&Day(at).to_string()), Some(Day(at)));
        }
        for text in ["2026-13-01", "2026-02-29", "26-01-01", "2026/01/01", "", "2026-1-011", "２026-01-01"] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
        assert_eq!(Day::of_unix(86_399), Day(0));
        assert_eq!(Day::of_unix(-1), Day(-1));
    }
}
