//! What publishers learn about the use of their offers, and what they do not (domain rules 9.6).

use std::collections::BTreeMap;

/// Groups smaller than this are not told apart, where the operator says nothing else.
pub const FLOOR: u64 = 5;

/// A number that may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<G> {
    /// All together; `None` when that is below the floor.
    pub total: Option<u64>,
    /// Groups that are large enough.
    pub groups: BTreeMap<G, u64>,
    /// Groups that are too small to be told apart, together. Never below the floor unless it is 0.
    pub others: u64,
}

/// Keeps small groups from being told apart: the smallest are put together until what they are together is large
/// enough, so that no group can be worked out from the others and the total.
pub fn told<G: Ord + Clone>(counts: &BTreeMap<G, u64>, floor: u64) -> Told<G> {
    let total: u64 = counts.values().sum();
    if total < floor.max(1) {
        return Told { total: (total == 0).then_some(0), groups: BTreeMap::new(), others: 0 };
    }
    let mut sorted: Vec<(&G, u64)> =
        counts.iter().filter(|(_, count)| **count > 0).map(|(group, count)| (group, *count)).collect();
    sorted.sort_by_key(|(_, count)| *count);
    let mut others = 0;
    let mut at = 0;
    while at < sorted.len() && (sorted[at].1 < floor || (others > 0 && others < floor)) {
        others += sorted[at].1;
        at += 1;
    }
    let groups = sorted[at..].iter().map(|(group, count)| ((*group).clone(), *count)).collect();
    Told { total: Some(total), groups, others }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_small_group_takes_the_next_with_it() {
        let counts = BTreeMap::from([("a", 2), ("b", 9), ("c", 100)]);
        let told = told(&counts, 5);
        assert_eq!((told.total, told.others), (Some(111), 11));
        assert_eq!(told.groups, BTreeMap::from([("c", 100)]));
    }

    #[test]
    fn next_to_nothing_is_not_told_and_nothing_is() {
        assert_eq!(told(&BTreeMap::from([("a", 4)]), 5).total, None);
        assert_eq!(told(&BTreeMap::<&str, u64>::new(), 5).total, Some(0));
    }

    proptest! {
        #[test]
        fn whatever_is_told_is_at_least_the_floor_and_adds_up(
            counts in proptest::collection::btree_map(0_u32..50, 0_u64..30, 0..20), floor in 1_u64..10,
        ) {
            let told = told(&counts, floor);
            prop_assert!(told.groups.values().all(|count| *count >= floor));
            prop_assert!(told.others == 0 || told.others >= floor || told.total.is_none());
            if let Some(total) = told.total {
                prop_assert_eq!(told.groups.values().sum::<u64>() + told.others, total);
                prop_assert_eq!(counts.values().sum::<u64>(), total);
            }
        }
    }
}
