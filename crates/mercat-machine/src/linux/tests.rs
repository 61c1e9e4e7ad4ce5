use super::*;

#[test]
fn versions_compare_by_their_upstream_part() {
    assert_eq!(upstream("1:3.0.11-1~deb12u2"), "3.0.11");
    assert_eq!(upstream("2.2.45-4~deb10u1"), "2.2.45");
    assert_eq!(upstream("3.13.5-1"), "3.13.5");
    assert!(at_least("2.2.53.1", "2.2.41") && !at_least("2.2.9", "2.2.10"));
    assert!(at_least("1.1.1w", "1.1.1") && at_least("3.5.1", "3.0.0"));
}
