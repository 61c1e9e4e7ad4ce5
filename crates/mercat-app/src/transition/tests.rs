use super::*;
use std::collections::BTreeMap;

#[test]
fn what_tags_named_stays_known_after_they_left_and_of_old_rows_too() {
    let tags = |of: &[(&str, &str)]| -> BTreeMap<String, BTreeMap<String, String>> {
        let of = of.iter().map(|(tag, digest)| ((*tag).to_owned(), (*digest).to_owned()));
        BTreeMap::from([("standard".to_owned(), of.collect())])
    };
    // A row from before this was kept.
    let mut offer =
        OfferRow { tags: tags(&[("latest", "a"), ("1.0", "a"), ("1.0.0", "a")]), ..OfferRow::default() };
    remember(&mut offer);
    offer.tags = tags(&[("latest", "b"), ("1.0.0", "b"), ("2.0.0-arm", "c")]);
    remember(&mut offer);
    assert_eq!(offer.published, tags(&[("1.0.0", "a"), ("2.0.0-arm", "c")]));
    assert_eq!(offer.published_of("standard")["1.0.0"], "a");
    assert_eq!(offer.published_of("other"), BTreeMap::new());
}
