//! What a step really takes here, beside what is promised.

use crate::Millis;

/// Durations of the last ended steps of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// How many there were.
    pub count: usize,
    /// Half of them took no longer.
    pub median: Millis,
    /// Nine in ten took no longer.
    pub p90: Millis,
}

impl Measured {
    /// By nearest rank; `None` when nothing was measured.
    pub fn of(mut durations: Vec<Millis>) -> Option<Self> {
        durations.sort_unstable();
        let rank = |percent: usize| {
            let at = (durations.len() * percent).div_ceil(100).saturating_sub(1);
            durations.get(at).copied()
        };
        Some(Self { count: durations.len(), median: rank(50)?, p90: rank(90)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_real_durations() {
        assert_eq!(Measured::of(vec![]), None);
        assert_eq!(Measured::of(vec![7]), Some(Measured { count: 1, median: 7, p90: 7 }));
        let ten = Measured::of((1..=10).rev().collect());
        assert_eq!(ten, Some(Measured { count: 10, median: 5, p90: 9 }));
    }
}
