//! Which copies are missing where.

use crate::Digest;
use std::collections::BTreeSet;

/// The digests that each region still lacks, in region order.
pub fn missing<'a>(
    wanted: &BTreeSet<Digest>,
    held: impl IntoIterator<Item = (&'a str, &'a BTreeSet<Digest>)>,
) -> Vec<(String, Vec<Digest>)> {
    held.into_iter()
        .map(|(region, have)| (region.to_owned(), wanted.difference(have).cloned().collect()))
        .filter(|(_, lacking): &(String, Vec<Digest>)| !lacking.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_that_holds_everything_is_not_listed() {
        let a = Digest::from_sha256(&[1; 32]);
        let b = Digest::from_sha256(&[2; 32]);
        let wanted = BTreeSet::from([a.clone(), b.clone()]);
        let some = BTreeSet::from([a]);
        assert_eq!(
            missing(&wanted, [("full", &wanted), ("part", &some)]),
            vec![("part".to_owned(), vec![b])]
        );
    }
}
