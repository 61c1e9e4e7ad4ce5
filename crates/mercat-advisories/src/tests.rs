use super::*;
use crate::versions::Scheme;

fn advisory(id: &str, aliases: &[&str], level: &str, fixed: &str) -> Advisory {
    Advisory {
        ecosystem: "PyPI".into(),
        package: "jinja2".into(),
        id: id.into(),
        modified: "2026-01-01T00:00:00Z".into(),
        aliases: aliases.iter().map(ToString::to_string).collect(),
        level: level.into(),
        ranges: vec![Interval { from: "0".into(), fixed: fixed.into(), ..Interval::default() }],
        ..Advisory::default()
    }
}

fn find(records: Vec<Advisory>, version: &str) -> Found {
    let known = Advisories::of(records, Day::default()).expect("fits");
    known.find(Scheme::Pep440, "PyPI", &["Jinja2"], (version, "")).expect("reads")
}

#[test]
fn one_vulnerability_under_several_names_is_found_once_with_the_later_fix() {
    let found = find(
        vec![
            advisory("GHSA-1", &["CVE-2026-1"], "medium", "2.10"),
            advisory("PYSEC-1", &["CVE-2026-1"], "high", "2.9"),
            advisory("GHSA-2", &["CVE-2026-2"], "", ""),
        ],
        "2.8",
    );
    let names: Vec<_> = found.vulnerabilities.iter().map(|found| found.names.join(" ")).collect();
    assert_eq!(names, ["CVE-2026-1 GHSA-1 PYSEC-1", "CVE-2026-2 GHSA-2"]);
    let first = &found.vulnerabilities[0];
    assert_eq!((first.level.as_str(), first.fixed.as_deref()), ("high", Some("2.10")));
    assert_eq!(found.vulnerabilities[1].fixed, None);
}

#[test]
fn a_record_about_several_vulnerabilities_does_not_make_them_one() {
    let bundle = Advisory {
        upstream: vec!["CVE-2026-1".into(), "CVE-2026-2".into()],
        ..advisory("DSA-1", &[], "", "3")
    };
    let records =
        vec![bundle, advisory("CVE-2026-1", &[], "low", "3"), advisory("CVE-2026-2", &[], "low", "3")];
    assert_eq!(find(records, "2").vulnerabilities.len(), 3);
}

#[test]
fn what_cannot_be_compared_is_counted_and_not_taken_for_clear() {
    let found = find(vec![advisory("A", &[], "", "2"), advisory("B", &[], "", "3")], "not a version");
    assert_eq!(found.vulnerabilities, []);
    assert_eq!(
        found.undecided.map(|undecided| (undecided.records, undecided.first)),
        Some((2, "A".to_owned()))
    );
}

#[test]
fn without_a_snapshot_nothing_is_said_and_nothing_is_denied() {
    let none = Advisories::default();
    assert!(none.is_empty() && none.coverage("PyPI").is_none() && none.trouble().is_none());
    assert!(none.find(Scheme::Pep440, "PyPI", &["a"], ("1", "")).is_err());
    let broken = Advisories::open(std::sync::Arc::new(Vec::new()), None);
    assert!(matches!(broken.trouble(), Some(SnapshotError::Empty)));
}

#[test]
fn a_catalogue_finds_what_each_inventory_would() {
    let known =
        Advisories::of(vec![advisory("A", &[], "", "2"), advisory("B", &[], "", "3")], Day::default())
            .expect("fits");
    let mut catalogue = Catalogue::default();
    for (holder, version) in [(1, "1"), (2, "2.5"), (3, "3"), (4, "1")] {
        catalogue.add(holder, "PyPI", "jinja2", version);
        catalogue.add(holder, "PyPI", "other", "1");
    }
    assert_eq!((catalogue.packages(), catalogue.versions()), (2, 4));
    let snapshot = known.snapshot().expect("is open");
    let mut struck: Vec<_> = catalogue.judge(snapshot, 2).expect("reads");
    struck.sort_by_key(|struck| struck.version);
    let told: Vec<_> =
        struck.iter().map(|s| (s.version, s.holders.to_vec(), s.found.vulnerabilities.len())).collect();
    assert_eq!(told, [("1", vec![1, 4], 2), ("2.5", vec![2], 1)]);
    let only = [("PyPI".to_owned(), "other".to_owned())].into();
    assert_eq!(catalogue.judge_only(snapshot, &only).expect("reads").len(), 0);
}

#[test]
fn a_fix_of_a_module_says_nothing_of_the_package_outside_of_modules() {
    let fixed = |fixed: &str| Advisory {
        ecosystem: "Red Hat:enterprise_linux:9".into(),
        package: "nginx".into(),
        ..advisory("RHSA-2026:1", &["CVE-2026-1"], "high", fixed)
    };
    let judged = |record: &Advisory, version: &str| record.judge(Scheme::Rpm, version);
    let module = fixed("1:1.22.1-8.module+el9.5.0+22993+b8a49a1a");
    assert_eq!(judged(&module, "1:1.20.1-20.el9"), Standing::Clear);
    assert!(matches!(
        judged(&module, "1:1.22.1-3.module+el9.1.0.z+17617+3e4cb87e"),
        Standing::Affected { .. }
    ));
    let plain = fixed("1:1.20.1-22.el9_6.2");
    assert!(matches!(judged(&plain, "1:1.20.1-20.el9"), Standing::Affected { .. }));
    assert_eq!(judged(&plain, "1:1.18.0-3.module+el9.1.0.z+17617+3e4cb87e"), Standing::Clear);
    // Where both say which stream they are of, that of another is none of it.
    let text = r#"{"id":"RHSA-2026:2","modified":"2026-01-01T00:00:00Z","summary":"Important: nodejs:22 security update",
        "affected":[{"package":{"ecosystem":"Red Hat:enterprise_linux:9::appstream","name":"nodejs"},"ranges":[{
        "type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1:22.23.2-2.module+el9.8.0+24958+80b2ac6e"}]}]}]}"#;
    let record = crate::osv::read_json(text.as_bytes()).expect("reads").advisories;
    assert_eq!(record[0].modules, ["nodejs:22"]);
    let known = Advisories::of(record, Day::default()).expect("fits");
    let found = |version: &str, module: &str| {
        let found = known.find(Scheme::Rpm, "Red Hat:enterprise_linux:9", &["nodejs"], (version, module));
        found.expect("reads").vulnerabilities.len()
    };
    let (old, other) = ("1:22.1.0-1.module+el9.5.0+1+a", "1:20.11.1-1.module+el9.3.0+1+a");
    assert_eq!((found(old, "nodejs:22"), found(other, "nodejs:20"), found(other, "")), (1, 0, 1));
}
