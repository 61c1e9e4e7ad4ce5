use super::*;
use crate::content::{Batch, Content};
use crate::osv::Record;
use crate::record::Interval;
use crate::signals::Table;
use std::sync::Arc;

fn record(id: &str, ecosystem: &str, package: &str, modified: &str) -> Record {
    let advisory = Advisory {
        ecosystem: ecosystem.into(),
        package: package.into(),
        id: id.into(),
        modified: modified.into(),
        ranges: vec![Interval { from: "0".into(), fixed: "1.0".into(), ..Interval::default() }],
        ..Advisory::default()
    };
    Record { id: id.into(), modified: modified.into(), advisories: vec![advisory], ..Record::default() }
}

fn content(records: usize) -> Content {
    let mut out = Content::default();
    let one =
        |at: usize| record(&format!("R-{at}"), "Debian:12", &format!("p{}", at / 2), "2026-01-01T00:00:00Z");
    let batch = Batch {
        records: (0..records).map(one).collect(),
        kev: Some(Table {
            day: Day::of_unix(0),
            entries: [("CVE-2020-1234".to_owned(), Kev::default())].into(),
        }),
        ..Batch::default()
    };
    out.add(batch, false, Import { at_unix: 86_400 * 20_000, ..Import::default() });
    out
}

fn file(content: &Content) -> Vec<u8> {
    let mut out = Vec::new();
    content.write(&mut out).expect("writes");
    out
}

fn open(file: Vec<u8>) -> Result<Snapshot, SnapshotError> {
    Snapshot::open(Arc::new(file), None)
}

#[test]
fn every_package_is_found_and_others_are_not() {
    let snapshot = open(file(&content(3_000))).expect("opens");
    assert!(snapshot.fences.len() > 5, "several pages");
    for at in 0..1_500 {
        let found = snapshot.package("Debian:12", &format!("p{at}")).expect("reads");
        assert_eq!(found.len(), 2, "p{at}");
    }
    assert_eq!(snapshot.package("Debian:12", "p1500").expect("reads"), []);
    assert_eq!(snapshot.package("Debian:11", "p1").expect("reads"), []);
    assert_eq!(snapshot.meta().ecosystems["Debian:12"].advisories, 3_000);
    snapshot.verify().expect("is whole");
}

#[test]
fn what_is_read_back_is_written_the_same() {
    let first = content(700);
    let bytes = file(&first);
    let again = Content::of(&open(bytes.clone()).expect("opens")).expect("reads");
    assert_eq!(again.records, first.records);
    assert_eq!(file(&again), bytes);
}

#[test]
fn each_way_of_being_broken_has_its_own_error() {
    let whole = file(&content(400));
    let refusal = |bytes: Vec<u8>| open(bytes).expect_err("is refused").to_string();
    assert!(refusal(Vec::new()).starts_with("SNP-01"));
    assert!(refusal(b"{\"records\": []}  ....".to_vec()).starts_with("SNP-02"));
    let mut other = whole.clone();
    other[8] = 9;
    assert!(refusal(other).starts_with("SNP-03"));
    for bytes in [17, 100, whole.len() / 2, whole.len() - 1] {
        assert!(refusal(whole[..bytes].to_vec()).starts_with("SNP-04"), "{bytes} bytes");
    }
    let today = Day::of_unix(86_400 * 19_999);
    let future = Snapshot::open(Arc::new(whole), Some(today)).expect_err("is refused").to_string();
    assert!(future.starts_with("SNP-06"), "{future}");
}

#[test]
fn a_changed_byte_anywhere_is_told_and_never_hides_an_advisory() {
    let whole = file(&content(200));
    for at in (0..whole.len()).step_by(7).chain(whole.len() - TRAILER..whole.len()) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        let Ok(snapshot) = open(bytes) else { continue };
        let found: Result<Vec<_>, _> =
            (0..100).map(|at| snapshot.package("Debian:12", &format!("p{at}"))).collect();
        if let Ok(found) = found {
            assert!(found.iter().all(|records| records.len() == 2), "byte {at} hid an advisory");
            let kev = snapshot.find(Key::Kev("CVE-2020-1234"));
            let verified = snapshot.verify();
            // Two bytes of the header and the zeros between slots are under no CRC that a look-up needs.
            assert!(verified.is_err() || kev.is_err() || (12..16).contains(&at), "byte {at} is noticed");
        }
    }
}

#[test]
fn records_that_are_not_newer_are_kept_and_older_data_is_refused() {
    let mut known = content(10);
    let old =
        Batch { records: vec![record("R-1", "Debian:12", "p0", "2025-01-01T00:00:00Z")], ..Batch::default() };
    let refused = known.check_newer(&old).expect_err("goes back");
    assert!(refused.to_string().contains("Debian:12"), "{refused}");
    let mixed = vec![
        record("R-1", "Debian:12", "elsewhere", "2026-01-01T00:00:00Z"),
        record("R-2", "Debian:12", "moved", "2026-02-01T00:00:00Z"),
    ];
    let batch = Batch { records: mixed, ..Batch::default() };
    known.check_newer(&batch).expect("is newer");
    known.add(batch, false, Import { at_unix: 86_400 * 20_100, ..Import::default() });
    let snapshot = open(file(&known)).expect("opens");
    assert_eq!(snapshot.package("Debian:12", "elsewhere").expect("reads"), []);
    assert_eq!(snapshot.package("Debian:12", "moved").expect("reads").len(), 1);
    assert_eq!(snapshot.package("Debian:12", "p1").expect("reads").len(), 1);
    assert_eq!(snapshot.meta().imports[1].changed, 1);
    assert_eq!(snapshot.meta().ecosystems["Debian:12"].imported, Day::of_unix(86_400 * 20_100));
    let kev = Batch { kev: Some(Table { day: Day::of_unix(-1), entries: [].into() }), ..Batch::default() };
    assert!(known.check_newer(&kev).is_err());
}

#[test]
fn a_withdrawn_record_stays_withdrawn_when_an_older_one_comes_again() {
    let mut known = content(2);
    let withdrawn = Record {
        modified: "2026-03-01T00:00:00Z".into(),
        advisories: Vec::new(),
        withdrawn: true,
        ..record("R-1", "", "", "")
    };
    known.add(Batch { records: vec![withdrawn], ..Batch::default() }, false, Import::default());
    let mut again = Content::of(&open(file(&known)).expect("opens")).expect("reads");
    again.add(
        Batch { records: content(2).records.into_values().collect(), ..Batch::default() },
        false,
        Import::default(),
    );
    let snapshot = open(file(&again)).expect("opens");
    assert_eq!(snapshot.package("Debian:12", "p0").expect("reads").len(), 1);
    assert_eq!(snapshot.meta().withdrawn, 1);
}
