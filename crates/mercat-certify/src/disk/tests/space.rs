//! What lies on a disk and is in no file.

use super::hostile::{bytes_of, judge, small};
use super::rules::private_key;
use super::*;
use crate::signatures::test_string;
use mercat_domain::finding::Finding;

fn at(place: u64) -> usize {
    usize::try_from(place).expect("fits")
}

fn put(mut bytes: Vec<u8>, place: usize, what: &[u8]) -> Vec<u8> {
    let there = &mut bytes[place..place + what.len()];
    assert!(there.iter().all(|byte| *byte == 0), "something is at {place}");
    there.copy_from_slice(what);
    bytes
}

/// Rule and place of what was found outside of files.
fn outside(verdict: &Verdict) -> Vec<(String, String, Severity)> {
    let of = |finding: &Finding| (finding.rule.clone(), finding.place.path.clone(), finding.severity);
    verdict.findings.iter().filter(|finding| finding.place.layer == "unallocated").map(of).collect()
}

#[test]
fn what_is_in_no_file_is_looked_at_too() {
    let mut machine = small();
    machine.file("opt/short", "the end of a block of ours");
    let Some(clean) = bytes_of(&machine) else { return };
    let verdict = judge(&machine, clean.clone());
    assert_eq!((outside(&verdict), verdict.outcome()), (vec![], Judged::Pass));
    let seen = |verdict: &Verdict| verdict.disk.as_ref().map_or(0, |disk| disk.unallocated_bytes);
    assert!(seen(&verdict) > 4096, "{}", seen(&verdict));
    let short = memchr::memmem::find(&clean, b"the end of a block of ours").expect("there");
    let places = [
        ("between the table and the first partition", 40 * 512),
        ("behind the partitions", at(26 * MIB) + 4096 - 20),
        ("in a block that no file has", at(24 * MIB)),
        ("behind the end of a file in its last block", short + 100),
    ];
    for (name, place) in places {
        let verdict = judge(&machine, put(clean.clone(), place, &test_string()));
        let found = outside(&verdict);
        let [(rule, path, severity)] = found.as_slice() else { panic!("{name}: {found:?}") };
        assert_eq!((rule.as_str(), *severity), ("CTR-20", Severity::Error), "{name}");
        let (from, to) = path.trim_start_matches('@').split_once('-').expect("a range");
        let [from, to]: [usize; 2] = [from, to].map(|number| number.parse().expect("a number"));
        assert!((from..to).contains(&place), "{name}: {path}, not {place}");
        assert_eq!(verdict.outcome(), Judged::Findings, "{name}");
    }
}

#[test]
fn a_credential_that_was_deleted_is_told_and_does_not_block() {
    let machine = small();
    let Some(clean) = bytes_of(&machine) else { return };
    let verdict = judge(&machine, put(clean, at(24 * MIB), private_key().as_bytes()));
    let found = outside(&verdict);
    let [(rule, _, severity)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((rule.as_str(), *severity), ("CTR-21-UNALLOCATED", Severity::Warning));
    assert_eq!(verdict.outcome(), Judged::Pass);
}

#[test]
fn what_lies_across_two_windows_is_found() {
    let machine = small();
    let Some(clean) = bytes_of(&machine) else { return };
    let mut bytes = clean;
    bytes.resize(at(40 * MIB), 0);
    // Runs begin where the first byte is, so the second window begins 4 MiB later.
    bytes[at(26 * MIB)..].fill(b'.');
    let place = at(30 * MIB) - 20;
    bytes[place..place + test_string().len()].copy_from_slice(&test_string());
    let found = outside(&judge(&machine, bytes));
    assert!(matches!(found.as_slice(), [(rule, ..)] if rule == "CTR-20"), "{found:?}");
}
