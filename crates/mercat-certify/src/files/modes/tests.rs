use super::*;

#[test]
fn modes_are_notable_when_they_give_away_more_than_usual() {
    let of = |named, mode| notable(named, mode, &[]).is_some();
    assert!(of(Named::File, 0o4755) && of(Named::File, 0o2755) && of(Named::File, 0o666));
    assert!(of(Named::Directory, 0o777) && !of(Named::Directory, 0o1777) && !of(Named::Directory, 0o2755));
    assert!(!of(Named::File, 0o755) && !of(Named::Other, 0o777));
    let ping = [1_u8, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let found = |value: &[u8]| {
        let attributes = [("security.capability".to_owned(), value.to_vec())];
        notable(Named::File, 0o755, &attributes).expect("notable").capabilities
    };
    assert_eq!(found(&ping), "cap_net_raw");
    assert_eq!(found(&ping[..9]), "unreadable");
    assert_eq!(found(&[]), "unreadable");
}
