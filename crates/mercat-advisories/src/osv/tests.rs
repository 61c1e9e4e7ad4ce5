use super::*;
use crate::record::Standing;
use proptest::prelude::*;

fn record(affected: &str) -> String {
    format!(
        r#"{{"id": "GHSA-1", "modified": "2026-01-02T00:00:00Z", "aliases": ["CVE-2026-1"], "affected": [{affected}]}}"#
    )
}

fn range(events: &str) -> String {
    record(&format!(
        r#"{{"package": {{"ecosystem": "npm", "name": "a"}}, "ranges": [{{"type": "SEMVER", "events": [{events}]}}]}}"#
    ))
}

fn standing(text: &str, version: &str) -> Standing {
    read_json(text.as_bytes()).expect("reads").advisories[0].judge(Scheme::SemVer, version)
}

fn fixed(version: &str) -> Standing {
    Standing::Affected { fixed: Some(version.to_owned()) }
}

#[test]
fn ranges_hold_as_the_specification_evaluates_them() {
    let one =
        range(r#"{"introduced": "0"}, {"fixed": "1.2.0"}, {"introduced": "2.0.0"}, {"fixed": "2.1.0"}"#);
    assert_eq!(standing(&one, "1.1.9"), fixed("1.2.0"));
    assert_eq!(standing(&one, "1.2.0"), Standing::Clear);
    assert_eq!(standing(&one, "2.0.0"), fixed("2.1.0"));
    assert_eq!(standing(&one, "2.1.0-rc.1"), fixed("2.1.0"));
    let out_of_order =
        range(r#"{"fixed": "2.1.0"}, {"introduced": "2.0.0"}, {"fixed": "1.2.0"}, {"introduced": "0"}"#);
    assert_eq!(standing(&out_of_order, "1.5.0"), Standing::Clear);
    let last = range(r#"{"introduced": "1.0.0"}, {"last_affected": "1.4.0"}"#);
    assert_eq!(standing(&last, "1.4.0"), Standing::Affected { fixed: None });
    assert_eq!(standing(&last, "1.4.1"), Standing::Clear);
    assert_eq!(standing(&last, "0.9.0"), Standing::Clear);
    let limit = range(r#"{"introduced": "1.0.0"}, {"limit": "1.3.0"}, {"limit": "1.2.0"}"#);
    assert_eq!(standing(&limit, "1.2.9"), Standing::Affected { fixed: None });
    assert_eq!(standing(&limit, "1.3.0"), Standing::Clear);
}

#[test]
fn a_fix_that_another_range_affects_is_not_told() {
    let text = record(
        r#"{"package": {"ecosystem": "npm", "name": "a"}, "ranges": [
        {"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2.0"}]},
        {"type": "SEMVER", "events": [{"introduced": "1.2.0"}, {"fixed": "1.3.0"}]}]}"#,
    );
    assert_eq!(standing(&text, "1.0.0"), fixed("1.3.0"));
}

#[test]
fn a_version_that_cannot_be_compared_is_undecided_and_a_listed_one_is_affected() {
    let text = range(r#"{"introduced": "1.0.0"}, {"fixed": "1.2.0"}"#);
    assert!(matches!(standing(&text, "unknown"), Standing::Undecided(_)));
    let listed = record(r#"{"package": {"ecosystem": "npm", "name": "a"}, "versions": ["odd", "1.0.0"]}"#);
    assert_eq!(standing(&listed, "odd"), Standing::Affected { fixed: None });
    assert_eq!(standing(&listed, "1.0.0+build"), Standing::Affected { fixed: None });
    assert_eq!(standing(&listed, "1.0.1"), Standing::Clear);
    assert!(matches!(standing(&listed, "other"), Standing::Undecided(_)));
}

#[test]
fn commits_alone_are_counted_and_give_no_advisory() {
    let text = record(
        r#"{"package": {"ecosystem": "npm", "name": "a"}, "ranges": [{"type": "GIT", "repo": "https://x",
        "events": [{"introduced": "0"}, {"fixed": "abc"}]}]}, {"ranges": [{"type": "GIT", "events": []}]}"#,
    );
    let read = read_json(text.as_bytes()).expect("reads");
    assert_eq!((read.advisories.len(), read.by_commits_alone), (0, 2));
}

#[test]
fn only_what_names_a_time_is_withdrawn() {
    let withdrawn = |at: &str| {
        let text = range(r#"{"introduced": "0"}"#).replacen('{', &format!(r#"{{"withdrawn": {at}, "#), 1);
        read_json(text.as_bytes()).map(|record| record.withdrawn).map_err(|error| error.to_string())
    };
    assert_eq!(withdrawn("null"), Ok(false));
    for at in ["2026-01-01T00:00:00Z", "2026-01-02T23:00:00.5Z", "2026-01-03T01:00:00+09:00"] {
        assert_eq!(withdrawn(&format!("\"{at}\"")), Ok(true), "{at}");
    }
    for at in ["false", "true", "\"\"", "\"no\"", "0", "{}"] {
        assert!(withdrawn(at).expect_err(at).starts_with("OSV-02: withdrawn"), "{at}");
    }
}

#[test]
fn names_of_others_are_bounded_over_all_packages() {
    let of = |names: usize, packages: usize| {
        let names = vec!["\"CVE-2026-1\""; names].join(",");
        let package = r#"{"package": {"ecosystem": "npm", "name": "a"}, "versions": ["1"]}"#;
        let text = record(&vec![package; packages].join(",")).replace("\"CVE-2026-1\"", &names);
        read_json(text.as_bytes()).map(|record| record.advisories.len()).map_err(|error| error.to_string())
    };
    assert_eq!(of(2_000, 30), Ok(30), "as kernels have them");
    assert!(of(NAMES_MAX / 10 + 1, 10).expect_err("is refused").starts_with("OSV-03: the record has"));
}

#[test]
fn wrong_records_name_what_is_wrong() {
    let code = |text: &str| read_json(text.as_bytes()).expect_err("is refused").to_string();
    assert!(code("[").starts_with("OSV-01"));
    assert!(code("{}").starts_with("OSV-02: id"));
    assert!(code(r#"{"id": "a"}"#).contains("modified"));
    assert!(code(&range(r#"{"introduced": 1}"#)).starts_with("OSV-02: events[]"));
    assert!(
        code(&record(r#"{"package": {"ecosystem": "npm", "name": "a\u0007"}, "versions": ["1"]}"#))
            .contains("name")
    );
    let other = range(r#"{"introduced": "0"}"#).replace("SEMVER", "CALVER");
    assert!(code(&other).contains("ranges[].type"));
    let many = vec![r#"{"introduced": "0"}"#; EVENTS_MAX + 1].join(",");
    assert!(code(&range(&many)).contains("10000 events"));
    let withdrawn = range("").replacen('{', r#"{"withdrawn": "2026-02-02T00:00:00Z","#, 1);
    assert!(read_json(withdrawn.as_bytes()).expect("reads").withdrawn);
}

#[test]
fn records_as_published_read_and_match() {
    let read = |name: &str| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/").to_owned() + name;
        let text = std::fs::read(path).expect("is there");
        if name.ends_with("yaml") { read_yaml(&text) } else { read_json(&text) }.expect("reads")
    };
    let jinja = read("PYSEC-2014-8.yaml");
    assert_eq!(jinja.advisories[0].aliases[0], "CVE-2014-1402");
    assert_eq!(jinja.advisories[0].judge(Scheme::Pep440, "2.7.1"), fixed("2.7.2"));
    assert_eq!(jinja.advisories[0].judge(Scheme::Pep440, "2.7.2"), Standing::Clear);
    let debian = read("DSA-3029-1.json");
    assert_eq!(debian.advisories[0].judge(Scheme::Debian, "1.2.1-2.2+wheezy2"), fixed("1.2.1-2.2+wheezy3"));
    let maven = read("GHSA-838r-hvwh-24h8.json");
    assert_eq!(maven.advisories[0].level, "critical");
    assert_eq!(maven.advisories[0].judge(Scheme::Maven, "2.5-SNAPSHOT"), fixed("2.5"));
    assert_eq!(maven.advisories[0].judge(Scheme::Maven, "2.5"), Standing::Clear);
    let ubuntu = read("UBUNTU-CVE-2025-38094.json");
    assert_eq!((ubuntu.advisories[0].level.as_str(), ubuntu.advisories[0].upstream.len()), ("medium", 1));
}

const ODD: [&str; 12] =
    ["\"", "{", "}", "[", "null", "0", "-1", "1e999", ":", "\\u0000", "\u{202e}", "ranges"];

proptest! {
    #[test]
    fn no_mutation_of_a_record_makes_the_readers_panic(
        at in 0..900_usize, cut in 0..40_usize, odd in 0..ODD.len(), yaml: bool
    ) {
        let text = record(r#"{"package": {"ecosystem": "Maven", "name": "a:b"}, "severity": [{"type": "CVSS_V2",
            "score": "AV:N/AC:L/Au:N/C:P/I:P/A:P"}], "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"},
            {"fixed": "1.2"}, {"introduced": "2"}, {"last_affected": "2.2"}, {"limit": "3"}]}], "versions": ["1.0"]}"#);
        let at = at % text.len();
        let end = (at + cut).min(text.len());
        let mutated = format!("{}{}{}", &text[..at], ODD[odd], &text[end..]);
        let read = if yaml { read_yaml(mutated.as_bytes()) } else { read_json(mutated.as_bytes()) };
        for advisory in read.map(|record| record.advisories).unwrap_or_default() {
            let _ = advisory.judge(Scheme::Maven, "1.1");
        }
    }

    #[test]
    fn bytes_of_any_kind_do_not_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_json(&bytes);
        let _ = read_yaml(&bytes);
    }

    #[test]
    fn what_a_record_affects_matches_and_its_fix_does_not(numbers in prop::collection::vec(0..50_u8, 4..12)) {
        let mut sorted: Vec<u8> = numbers;
        sorted.sort_unstable();
        sorted.dedup();
        let pairs: Vec<&[u8]> = sorted.chunks_exact(2).collect();
        let event = |pair: &&[u8]| format!(r#"{{"fixed": "{}.0.0"}}, {{"introduced": "{}.0.0"}}"#, pair[1], pair[0]);
        let text = range(&pairs.iter().rev().map(event).collect::<Vec<_>>().join(","));
        for pair in pairs {
            prop_assert_eq!(standing(&text, &format!("{}.0.0", pair[0])), fixed(&format!("{}.0.0", pair[1])));
            prop_assert_eq!(standing(&text, &format!("{}.9.9", pair[1] - 1)), fixed(&format!("{}.0.0", pair[1])));
            prop_assert_eq!(standing(&text, &format!("{}.0.0", pair[1])), Standing::Clear);
        }
    }
}
