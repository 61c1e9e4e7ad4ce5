use super::*;
use crate::content::{Batch, Content, is_to_come};
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
fn groups_of_a_name_are_found_in_ecosystems_that_have_groups() {
    let mut content = Content::default();
    let names = ["com.one.core:client", "com.two:client", "solo", "log4j:log4j"];
    let records = names.iter().enumerate().flat_map(|(at, name)| {
        ["Maven", "Debian:12"].map(|of| record(&format!("R-{at}-{of}"), of, name, "2026-01-01T00:00:00Z"))
    });
    content.add(Batch { records: records.collect(), ..Batch::default() }, false, Import::default());
    let told = |snapshot: &Snapshot| {
        let groups = |of: &str, name: &str| snapshot.groups_of(of, name).expect("reads");
        assert_eq!(groups("Maven", "client"), ["com.one.core", "com.two"]);
        assert_eq!(groups("Maven", "log4j"), ["log4j"]);
        assert!(groups("Maven", "solo").is_empty() && groups("Debian:12", "client").is_empty());
        let roots = ["com.one", "com.two", "log4j", "com.one.core", "com", "client"];
        let known = roots.map(|root| snapshot.has_root("Maven", root).expect("reads"));
        assert_eq!(known, [true, true, true, false, false, false]);
    };
    let bytes = file(&content);
    let snapshot = open(bytes.clone()).expect("opens");
    told(&snapshot);
    // They follow from the packages, and are the same when more is imported.
    assert_eq!(file(&Content::of(&snapshot).expect("reads")), bytes);
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
fn a_date_that_is_yet_to_come_keeps_nothing_out() {
    // 2026-02-15.
    let (today, at_unix) = (Day::of_unix(86_400 * 20_499), 86_400 * 20_499);
    let of = |package: &str, modified: &str| {
        let records = vec![
            record("R-1", "Debian:12", package, modified),
            record("R-2", "Debian:12", "p2", "2026-02-01T00:00:00Z"),
        ];
        Batch { records, ..Batch::default() }
    };
    let mut known = Content::default();
    known.add(of("ahead", "2099-01-01T00:00:00Z"), false, Import { at_unix, ..Import::default() });
    let snapshot = open(file(&known)).expect("opens");
    assert_eq!(snapshot.package("Debian:12", "ahead").expect("reads").len(), 1, "it is used");
    let meta = snapshot.meta();
    for newest in [&meta.newest, &meta.imports[0].newest, &meta.ecosystems["Debian:12"].newest] {
        assert_eq!(newest, "2026-02-01T00:00:00Z");
    }
    let mut past = Content::default();
    past.add(of("past", "2026-02-10T00:00:00Z"), false, Import { at_unix, ..Import::default() });
    past.add(of("ahead", "2099-01-01T00:00:00Z"), false, Import { at_unix, ..Import::default() });
    past.add(of("older", "2020-01-01T00:00:00Z"), false, Import { at_unix, ..Import::default() });
    let snapshot = open(file(&past)).expect("opens");
    assert_eq!(snapshot.package("Debian:12", "past").expect("reads").len(), 1, "nothing takes its place");
    let next = of("mended", "2026-02-15T00:00:00Z");
    known.check_newer(&next, today).expect("is newer");
    known.add(next, false, Import { at_unix, ..Import::default() });
    let snapshot = open(file(&known)).expect("opens");
    assert_eq!(snapshot.package("Debian:12", "ahead").expect("reads"), []);
    assert_eq!(snapshot.package("Debian:12", "mended").expect("reads").len(), 1);
    assert!(!is_to_come("2026-02-16T23:00:00Z", today) && is_to_come("2026-02-17T00:00:00Z", today));
    let kev = |day: i64| {
        let table = Table { day: Day::of_unix(86_400 * day), entries: [].into() };
        Batch { kev: Some(table), ..Batch::default() }
    };
    known.add(kev(30_000), false, Import { at_unix, ..Import::default() });
    known.check_newer(&kev(20_499), today).expect("a table that is ahead keeps out none");
}

#[test]
fn records_that_are_not_newer_are_kept_and_older_data_is_refused() {
    let mut known = content(10);
    let old =
        Batch { records: vec![record("R-1", "Debian:12", "p0", "2025-01-01T00:00:00Z")], ..Batch::default() };
    let refused = known.check_newer(&old, Day::of_unix(86_400 * 20_500)).expect_err("goes back");
    assert!(refused.to_string().contains("Debian:12"), "{refused}");
    let mixed = vec![
        record("R-1", "Debian:12", "elsewhere", "2026-01-01T00:00:00Z"),
        record("R-2", "Debian:12", "moved", "2026-02-01T00:00:00Z"),
    ];
    let batch = Batch { records: mixed, ..Batch::default() };
    known.check_newer(&batch, Day::of_unix(86_400 * 20_500)).expect("is newer");
    known.add(batch, false, Import { at_unix: 86_400 * 20_100, ..Import::default() });
    let snapshot = open(file(&known)).expect("opens");
    assert_eq!(snapshot.package("Debian:12", "elsewhere").expect("reads"), []);
    assert_eq!(snapshot.package("Debian:12", "moved").expect("reads").len(), 1);
    assert_eq!(snapshot.package("Debian:12", "p1").expect("reads").len(), 1);
    assert_eq!(snapshot.meta().imports[1].changed, 1);
    assert_eq!(snapshot.meta().ecosystems["Debian:12"].imported, Day::of_unix(86_400 * 20_100));
    let kev = Batch { kev: Some(Table { day: Day::of_unix(-1), entries: [].into() }), ..Batch::default() };
    assert!(known.check_newer(&kev, Day::of_unix(0)).is_err());
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
