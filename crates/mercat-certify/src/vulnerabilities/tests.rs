use super::*;
use crate::advisories::{Advisories, Advisory, Interval, vex};
use crate::{Extra, Policy};

const TODAY: &str = "2026-11-26";

fn day(text: &str) -> Day {
    Day::parse(text).expect("a date")
}

fn record(ecosystem: &str, package: &str, id: &str, fixed: &str) -> Advisory {
    Advisory {
        ecosystem: ecosystem.into(),
        package: package.into(),
        id: id.into(),
        modified: "2026-11-01T00:00:00Z".into(),
        level: "high".into(),
        ranges: vec![Interval { from: "0".into(), fixed: fixed.into(), ..Interval::default() }],
        ..Advisory::default()
    }
}

/// With as many advisories of each ecosystem as are taken for all of them.
fn knowledge(mut records: Vec<Advisory>, imported: &str) -> Knowledge {
    let ecosystems: BTreeSet<String> = records.iter().map(|record| record.ecosystem.clone()).collect();
    for ecosystem in &ecosystems {
        let other = |number| Advisory {
            modified: records[0].modified.clone(),
            ..record(ecosystem, &format!("other-{number}"), &format!("OTHER-{ecosystem}-{number}"), "1")
        };
        let others: Vec<Advisory> = (0..100).map(other).collect();
        records.extend(others);
    }
    known(records, imported)
}

fn known(records: Vec<Advisory>, imported: &str) -> Knowledge {
    let advisories = Advisories::of(records, day(imported)).expect("fits");
    let mut knowledge =
        Knowledge::load(&Extra::default(), advisories).unwrap_or_else(|error| panic!("{error}"));
    knowledge.today = Some(day(TODAY));
    knowledge
}

fn os(id: &str, version_id: &str) -> OsRelease {
    OsRelease { id: id.into(), version_id: version_id.into(), pretty_name: id.into() }
}

fn package(name: &str, source: &str, version: &str) -> Package {
    Package {
        name: name.into(),
        version: version.into(),
        architecture: "x86_64".into(),
        source: source.into(),
        source_version: version.into(),
        module: String::new(),
    }
}

fn component(kind: &str, name: &str, version: &str) -> Component {
    Component {
        kind: kind.into(),
        name: name.into(),
        version: version.into(),
        path: "app/x".into(),
        ..Component::default()
    }
}

fn rules(installed: &Installed<'_>, knowledge: &Knowledge) -> Vec<String> {
    judge(installed, knowledge).findings.into_iter().map(|finding| finding.rule).collect()
}

fn of_packages(os: &OsRelease, packages: &[Package], knowledge: &Knowledge) -> Vec<Finding> {
    judge(&Installed { os, packages, components: &[], digests: &[] }, knowledge).findings
}

fn of_components(components: &[Component], knowledge: &Knowledge) -> Vec<Finding> {
    let os = os("debian", "12");
    judge(&Installed { os: &os, packages: &[], components, digests: &[] }, knowledge).findings
}

#[test]
fn advisories_of_rpm_distributions_match_by_package_and_by_source() {
    let records = ["openssl", "openssl-libs", "bash"];
    let records = records.map(|name| record("Rocky Linux:9", name, &format!("RLSA-{name}"), "0:3.0.7-2.el9"));
    let knowledge = knowledge(records.to_vec(), TODAY);
    let os = os("rocky", "9.4");
    let found = of_packages(&os, &[package("openssl-libs", "openssl", "3.0.7-1.el9")], &knowledge);
    assert_eq!(found.iter().filter(|finding| finding.rule == "CTR-22").count(), 2, "{found:?}");
    assert_eq!(found[0].place.package, "pkg:rpm/rocky/openssl-libs@3.0.7-1.el9?arch=x86_64");
    assert_eq!(of_packages(&os, &[package("openssl-libs", "openssl", "3.0.7-2.el9")], &knowledge), []);
}

#[test]
fn packages_of_languages_match_by_their_ecosystem() {
    let knowledge = knowledge(vec![record("PyPI", "jinja2", "PYSEC-1", "2.10")], TODAY);
    let found =
        of_components(&[component("pypi", "Jinja2", "2.9"), component("pypi", "other", "1")], &knowledge);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].rule.as_str(), found[0].required.as_str()), ("CTR-22", "2.10 or newer"));
    assert_eq!(of_components(&[component("pypi", "jinja2", "2.10")], &knowledge), []);
    let listed = Component { evidence: Evidence::Intent, ..component("pypi", "jinja2", "2.9") };
    assert_eq!(of_components(&[listed], &knowledge)[0].rule, "CTR-22-BELOW");
    // One that nobody rated is not shown as if somebody had.
    let unrated = Advisory { level: String::new(), ..record("PyPI", "jinja2", "PYSEC-2", "2.10") };
    let found = of_components(&[component("pypi", "jinja2", "2.9")], &self::knowledge(vec![unrated], TODAY));
    assert_eq!(found[0].observed, "PYSEC-2 (not rated, counts as medium) in jinja2 2.9");
    // A package that was made to do harm, which nobody rates or fixes.
    let harmful =
        Advisory { level: String::new(), ranges: Vec::new(), ..record("npm", "evil", "MAL-2024-1", "") };
    let known = self::knowledge(vec![Advisory { versions: vec!["1.0.0".into()], ..harmful }], TODAY);
    let evil = component("npm", "evil", "1.0.0");
    let found = of_components(std::slice::from_ref(&evil), &known);
    assert_eq!(
        (found[0].rule.as_str(), found[0].observed.as_str()),
        ("CTR-20", "MAL-2024-1 (malicious) in evil 1.0.0")
    );
    let listed = Component { evidence: Evidence::Intent, ..evil };
    assert_eq!(of_components(&[listed], &known)[0].rule, "CTR-20-SUSPECT");
    let uncovered =
        of_components(&[component("npm", "a", "1.0.0"), component("npm", "b", "1.0.0")], &knowledge);
    assert_eq!(uncovered.len(), 1);
    assert_eq!(
        (uncovered[0].rule.as_str(), knowledge.policy.severity("INC-18")),
        ("INC-18", Some(Severity::Warning))
    );
}

#[test]
fn a_version_that_cannot_be_compared_is_inconclusive_once_a_package() {
    let records = vec![record("PyPI", "jinja2", "A", "2.10"), record("PyPI", "jinja2", "B", "2.11")];
    let knowledge = knowledge(records, TODAY);
    let found = of_components(&[component("pypi", "jinja2", "local")], &knowledge);
    assert_eq!((found.len(), found[0].rule.as_str()), (1, "INC-12"));
    assert!(found[0].observed.contains("2 records"), "{}", found[0].observed);
    // What a list alone names does not block.
    let listed = Component { evidence: Evidence::Intent, ..component("pypi", "jinja2", "local") };
    assert_eq!(of_components(&[listed], &knowledge)[0].rule, "CTR-22-BELOW");
}

#[test]
fn old_data_is_inconclusive_by_import_and_by_newest_record() {
    let old = |imported: &str, modified: &str| {
        let newest = Advisory { modified: modified.into(), ..record("PyPI", "a", "A", "2") };
        of_components(&[component("pypi", "b", "1")], &knowledge(vec![newest], imported))
    };
    assert_eq!(old("2026-11-01", "2026-10-01"), []);
    assert_eq!(old("2026-10-26", "2026-10-01")[0].rule, "INC-13");
    assert_eq!(old("2026-11-26", "2025-10-01")[0].rule, "INC-13");
}

#[test]
fn a_snapshot_that_cannot_be_used_is_inconclusive_and_never_clean() {
    let broken = Advisories::open(std::sync::Arc::new(b"no snapshot at all".to_vec()), None);
    let knowledge = Knowledge::load(&Extra::default(), broken).unwrap_or_else(|error| panic!("{error}"));
    let found = of_packages(&os("debian", "12"), &[package("a", "a", "1")], &knowledge);
    assert_eq!((found.len(), found[0].rule.as_str()), (1, "INC-17"));
    assert!(knowledge.about_advisories()[0].starts_with("SNP-02"));
}

#[test]
fn statements_hide_nothing_and_say_who_claims_what() {
    let mut knowledge = knowledge(vec![record("PyPI", "jinja2", "CVE-2026-1", "2.10")], TODAY);
    let statement = |name: &str, expires: &str| {
        let text = format!(
            r#"{{"@context": "https://openvex.dev/ns/v0.2.0", "author": "A. Author", "statements": [{{"vulnerability": {{"name": "{name}"}},
            "products": [{{"@id": "pkg:pypi/jinja2"}}], "status": "not_affected", "justification": "component_not_present",
            "expires": "{expires}"}}]}}"#
        );
        vex::read(text.as_bytes()).expect("reads").remove(0)
    };
    knowledge.vex = vec![statement("CVE-2026-1", "2026-12-31"), statement("CVE-2026-9", "2026-12-31")];
    let (os, components) = (os("debian", "12"), [component("pypi", "jinja2", "2.9")]);
    let installed = Installed { os: &os, packages: &[], components: &components, digests: &[] };
    let judged = judge(&installed, &knowledge);
    assert_eq!(judged.findings.len(), 1);
    assert_eq!(judged.findings[0].rule, "CTR-22-VEX");
    assert!(judged.findings[0].observed.contains("A. Author claims not_affected"), "{:?}", judged.findings);
    let rest = unmatched(&judged.statements, &knowledge);
    assert_eq!((rest.len(), rest[0].rule.as_str()), (1, "VEX-01"));
    assert!(rest[0].observed.ends_with("about CVE-2026-9"), "{rest:?}");
    // The vulnerability is there, and lies in something else.
    for (name, told) in [("jinja3", "which it does not name"), ("jinja2", "of which it names no version")] {
        let text = format!(
            r#"{{"@context": "https://openvex.dev/ns/v0.2.0", "author": "A. Author", "statements": [{{"vulnerability":
            {{"name": "CVE-2026-1"}}, "products": [{{"@id": "pkg:pypi/{name}"}}], "status": "fixed"}}]}}"#
        );
        knowledge.vex = vex::read(text.as_bytes()).expect("reads");
        let rest = unmatched(&judge(&installed, &knowledge).statements, &knowledge);
        let told = format!("about CVE-2026-1; found in pkg:pypi/jinja2@2.9, {told}");
        assert!(rest.len() == 1 && rest[0].observed.ends_with(&told), "{rest:?}");
    }
    knowledge.vex = vec![statement("CVE-2026-1", "2026-11-25")];
    assert_eq!(rules(&installed, &knowledge), ["VEX-02", "CTR-22"]);
    // One of tomorrow may be of another time zone; one of next year is nobody's knowledge, and takes no older word back.
    let dated = |of: &str, status| vex::Statement {
        day: Some(day(of)),
        status,
        ..statement("CVE-2026-1", "2099-01-01")
    };
    let (tomorrow, next_year) = ("2026-11-27", "2027-11-26");
    for (said, expected) in [
        (vec![dated(tomorrow, vex::Status::NotAffected)], &["CTR-22-VEX"][..]),
        (vec![dated(next_year, vex::Status::NotAffected)], &["VEX-02", "CTR-22"]),
        (
            vec![dated(TODAY, vex::Status::Affected), dated(next_year, vex::Status::NotAffected)],
            &["VEX-02", "CTR-22"],
        ),
        (vec![dated(TODAY, vex::Status::NotAffected), dated(next_year, vex::Status::Affected)], &["CTR-22"]),
    ] {
        knowledge.vex = said;
        assert_eq!(rules(&installed, &knowledge), expected, "{:?}", knowledge.vex);
    }
    // The publisher's own word is told, and counts where the policy says so.
    let own = vex::Statement { of_publisher: true, ..statement("CVE-2026-1", "2026-12-31") };
    knowledge.vex = vec![own.clone()];
    let judged = judge(&installed, &knowledge);
    assert_eq!(judged.findings[0].rule, "CTR-22");
    assert!(
        judged.findings[0].observed.contains("the publisher states, as \"A. Author\": not_affected"),
        "{:?}",
        judged.findings
    );
    knowledge.policy.vulnerabilities.accept_publisher_vex = true;
    assert_eq!(rules(&installed, &knowledge), ["CTR-22-VEX"]);
    // Whatever the policy says, who admits to be affected is believed.
    knowledge.vex =
        vec![statement("CVE-2026-1", "2026-12-31"), vex::Statement { status: vex::Status::Affected, ..own }];
    assert_eq!(rules(&installed, &knowledge), ["CTR-22"]);
}

#[test]
fn statements_excuse_what_they_name_and_the_newest_of_an_author_counts() {
    let several = Advisory {
        upstream: vec!["CVE-2026-1".into(), "CVE-2026-2".into()],
        ..record("PyPI", "jinja2", "DSA-5", "2.10")
    };
    let mut knowledge = knowledge(vec![several], TODAY);
    let statement = |name: &str, author: &str, status: &str, day: &str| {
        let dated =
            if day.is_empty() { String::new() } else { format!(r#", "timestamp": "{day}T00:00:00Z""#) };
        let text = format!(
            r#"{{"@context": "https://openvex.dev/ns", "author": "{author}"{dated}, "statements": [{{"vulnerability":
            {{"name": "{name}"}}, "products": [{{"@id": "pkg:pypi/jinja2@2.9"}}], "status": "{status}", "justification": "component_not_present"}}]}}"#
        );
        vex::read(text.as_bytes()).expect("reads").remove(0)
    };
    let (os, components) = (os("debian", "12"), [component("pypi", "jinja2", "2.9")]);
    let installed = Installed { os: &os, packages: &[], components: &components, digests: &[] };
    let no = |name, day| statement(name, "A", "not_affected", day);
    let wait = |author, day| statement("CVE-2026-1", author, "under_investigation", day);
    let (first, second) = (no("CVE-2026-1", "2026-01-01"), no("cve-2026-2", "2026-01-02"));
    let of =
        |author: &str, statement: vex::Statement| vex::Statement { author: author.to_owned(), ..statement };
    let affected_by = |day: &str| {
        let names = ["DSA-5", "CVE-2026-1", "CVE-2026-2"].map(str::to_owned).to_vec();
        vex::Statement { vulnerability: names, ..statement("DSA-5", "A", "affected", day) }
    };
    for (said, expected) in [
        (vec![first.clone()], "CTR-22"),
        (vec![first.clone(), second.clone()], "CTR-22-VEX"),
        (vec![no("DSA-5", "2026-01-01")], "CTR-22-VEX"),
        (vec![first.clone(), second.clone(), wait("A", "2026-02-01")], "CTR-22"),
        (vec![first.clone(), second.clone(), wait("A", "2025-02-01")], "CTR-22-VEX"),
        (vec![first.clone(), second.clone(), wait("B", "2026-02-01")], "CTR-22-VEX"),
        (
            vec![first.clone(), second.clone(), statement("CVE-2026-2", "A", "affected", "2026-02-01")],
            "CTR-22",
        ),
        (
            vec![first.clone(), second.clone(), statement("CVE-2026-2", "A", "affected", "2025-02-01")],
            "CTR-22-VEX",
        ),
        (
            vec![first.clone(), second.clone(), statement("CVE-2026-2", "B", "affected", "2025-02-01")],
            "CTR-22",
        ),
        (vec![statement("CVE-2026-1", "A", "fixed", "2026-01-01"), second.clone()], "CTR-22-VEX"),
        // What is taken back of one part is not of the other, and an alias makes a part no whole.
        (vec![affected_by("2025-02-01"), no("CVE-2026-1", "2026-01-01"), of("B", second.clone())], "CTR-22"),
        (vec![affected_by(""), first.clone(), second.clone()], "CTR-22"),
        (
            vec![vex::Statement {
                vulnerability: vec!["CVE-2026-1".into(), "DSA-5".into()],
                ..first.clone()
            }],
            "CTR-22",
        ),
    ] {
        knowledge.vex = said;
        assert_eq!(rules(&installed, &knowledge), [expected], "{:?}", knowledge.vex);
    }
    knowledge.vex = vec![first];
    let observed = &judge(&installed, &knowledge).findings[0].observed;
    assert!(
        observed.ends_with("(2026-01-01); nothing of the kind is claimed about CVE-2026-2"),
        "{observed}"
    );
}

#[test]
fn every_pack_weighs_what_is_found_here() {
    for pack in ["default", "legacy-2017", "legacy-2021"] {
        let policy = Policy::parse(Policy::named(pack).expect("is there")).expect("reads");
        let severity = |rule| policy.severity(rule).map(Severity::name);
        for rule in ["INC-12", "INC-13", "INC-17"] {
            assert_eq!(severity(rule), Some("inconclusive"), "{rule} of {pack}");
        }
        assert_eq!(
            [severity("CTR-22-VEX"), severity("VEX-01"), severity("VEX-02"), severity("VEX-03")],
            [Some("info"), Some("info"), Some("warning"), Some("error")]
        );
    }
}

#[test]
fn a_package_is_the_distributions_when_the_advisories_know_it_and_it_is_installed() {
    let knowledge = knowledge(vec![record("Debian:12", "gnutls28", "DSA-1", "3.0")], TODAY);
    let installed = [package("libgnutls30", "gnutls28", "3.7.9"), package("own", "own", "1")];
    let is = |os: &OsRelease, name: &str| is_of_distribution(os, &installed, name, &knowledge);
    let debian = os("debian", "12");
    assert!(is(&debian, "libgnutls30"));
    assert!(!is(&debian, "own") && !is(&debian, "gnutls28") && !is(&debian, ""));
    assert!(!is(&os("debian", "11"), "libgnutls30") && !is(&os("other", "12"), "libgnutls30"));
}

#[test]
fn java_archives_without_a_group_are_told_as_not_matched() {
    let others =
        (0..100).map(|number| record("Maven", &format!("g:a{number}"), &format!("GHSA-{number}"), "1"));
    let knowledge = knowledge(others.collect(), TODAY);
    let with = component("maven", "org.example:a", "1");
    assert!(of_components(std::slice::from_ref(&with), &knowledge).is_empty());
    let mut all: Vec<Component> =
        (0..6).map(|number| component("maven", &format!("beans-{number}"), "5.3")).collect();
    all.push(with);
    let told = of_components(&all, &knowledge);
    assert_eq!((told.len(), told[0].rule.as_str()), (1, "INC-24"), "{told:?}");
    assert!(
        told[0].observed.starts_with(
            "6 Java archives without a group, first beans-0 5.3 in app/x, beans-1 5.3 in app/x,"
        )
    );
    let told = of_components(&all[..1], &knowledge);
    assert_eq!(told[0].observed, "Java archives without a group: beans-0 5.3 in app/x");
    assert_eq!(knowledge.policy.severity("INC-24"), Some(Severity::Warning));
    // Sources and documentation have no classes; what has some is looked for, whatever it is called.
    for (path, classes, count) in [
        ("a/x-1-sources.jar", None, 0),
        ("a/x-1-javadoc.jar!/META-INF/MANIFEST.MF", None, 0),
        ("a/x-1-sources.jar", Some("g"), 1),
    ] {
        let roots = classes.map(str::to_owned).into_iter().collect();
        let jar = Component { path: path.to_owned(), roots, ..component("maven", "x-1", "5.3") };
        assert_eq!(of_components(&[jar], &knowledge).len(), count, "{path} {classes:?}");
    }
}

#[test]
fn java_archives_without_a_group_are_known_by_their_name_and_classes() {
    let records = [
        ("org.springframework:spring-beans", "GHSA-spring"),
        ("com.example.core:databind", "GHSA-bundle"),
        ("log4j:log4j", "GHSA-old"),
        ("com.one:client", "GHSA-one"),
        ("com.two:client", "GHSA-two"),
        ("com.github.bob:utils", "GHSA-bob"),
        ("org.apache.tomcat:tomcat-embed", "GHSA-tomcat"),
        ("com.h2database:h2", "GHSA-h2"),
    ];
    let records = records.map(|(package, id)| record("Maven", package, id, "5.3.18"));
    let knowledge = knowledge(records.to_vec(), TODAY);
    let jar = |path: &str, manifest: Option<(&str, &str)>, roots: &[&str]| {
        let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
        let split = stem.rsplit_once('-').filter(|(_, version)| version.starts_with(char::is_numeric));
        let (name, version) = split.unwrap_or((stem, ""));
        let (name, version) = manifest.unwrap_or((name, version));
        Component {
            path: if manifest.is_some() { format!("{path}!/META-INF/MANIFEST.MF") } else { path.to_owned() },
            evidence: if manifest.is_some() { Evidence::Manifest } else { Evidence::Name },
            roots: roots.iter().map(|root| (*root).to_owned()).collect(),
            ..component("maven", name, version)
        }
    };
    let told = |component: Component| -> Vec<String> {
        let found = of_components(&[component], &knowledge).into_iter();
        found.map(|f| format!("{} {} {}", f.rule, f.place.package, f.observed)).collect()
    };
    let spring = "CTR-22 pkg:maven/org.springframework/spring-beans@5.3.17 GHSA-spring (high) in \
                  org.springframework:spring-beans 5.3.17, by its name and where its classes are";
    let classes = ["org.springframework"];
    assert_eq!(told(jar("spring-beans-5.3.17.jar", None, &classes)), [spring]);
    // The file has the name that a repository knows it by, and the manifest another.
    let titled = Some(("spring.beans", "5.3.17"));
    assert_eq!(told(jar("spring-beans-5.3.17.jar", titled, &classes)), [spring]);
    assert_eq!(told(jar("renamed.jar", Some(("spring-beans", "5.3.17")), &classes)), [spring]);
    assert_eq!(told(jar("renamed.jar", titled, &classes)), [spring], "as modules are written");
    let also = vec!["spring.core".to_owned(), "spring-beans".to_owned()];
    let several = Component { also, ..jar("renamed.jar", Some(("spring.core", "5.3.17")), &classes) };
    assert_eq!(told(several), [spring]);
    assert_eq!(told(jar("Spring-Beans-5.3.17.JAR", None, &classes)), [spring]);
    assert_eq!(told(jar("spring-beans-5.3.18.jar", None, &classes)), [""; 0], "mended");
    let bundle = Some(("com.example.core.databind", "1"));
    assert!(told(jar("databind-1.jar", bundle, &[]))[0].contains("com.example.core:databind 1"));
    assert!(told(jar("log4j-1.jar", None, &["org.apache"]))[0].contains("log4j:log4j 1"));
    assert!(told(jar("client-1.jar", None, &["com.two"]))[0].contains("com.two:client 1"));
    // Both are possible: each is told as itself.
    let both = told(jar("client-1.jar", None, &["com.one", "com.two"]));
    assert!(both.len() == 2 && both[0].contains("com.one/client@1 GHSA-one"), "{both:?}");
    assert!(both[1].contains("com.two/client@1 GHSA-two"), "{both:?}");
    // The version is that of the name that it is known by.
    let other = Some(("my app", "200.1"));
    assert_eq!(told(jar("spring-beans-5.3.17.jar", other, &classes)), [spring]);
    // A manifest tells the maker.
    let made = Some(("org.springframework:Spring Beans", "5.3.17"));
    assert_eq!(told(jar("spring-beans-5.3.17.jar", made, &[])), [spring]);
    // Of hosts that many share the third word tells whose it is, in the classes or the name.
    let shared = |name: &str, root: &str| told(jar(name, None, &[root]));
    assert!(shared("utils-1.jar", "com.github.bob")[0].contains("com.github.bob:utils 1"));
    assert!(
        shared("tomcat-embed-1.jar", "org.apache.catalina")[0].contains("org.apache.tomcat:tomcat-embed")
    );
    let unclear = |component: Component| {
        let told = told(component);
        assert!(told.len() == 1 && told[0].starts_with("INC-24"), "{told:?}");
    };
    unclear(jar("client-1.jar", None, &["org.third"]));
    unclear(jar("spring-beans-5.3.17.jar", None, &[]));
    unclear(jar("spring-beans.jar", None, &classes));
    unclear(jar("utils-1.jar", None, &["com.github.alice"]));
    // A name that no advisory has, of a maker that some are about: it may be that of Spring's own distribution.
    unclear(jar("lib-1.0.jar", None, &classes));
    unclear(jar("lib-1.0.jar", Some(("lib", "1.0")), &classes));
    let own = Some(("org.springframework.beans", "3.0.5"));
    unclear(jar("org.springframework.beans-3.0.5.jar", own, &["org.springframework.beans"]));
    unclear(jar("h2database-1.jar", Some(("com.h2database", "1")), &["org.h2"]));
    unclear(jar("shop-1.0.jar", None, &[]));
    // Of a maker that none is about.
    assert_eq!(told(jar("shop-1.0.jar", None, &["com.acme"])), [""; 0]);
    assert_eq!(told(jar("shop.jar", Some(("com.acme:Shop", "1.0")), &["com.acme.shop"])), [""; 0]);
}

#[test]
fn what_no_advisories_are_about_is_told() {
    let known = known(vec![record("Hex", "plug", "EEF-1", "1.15.2")], TODAY);
    let of = |components: &[Component]| -> Vec<String> {
        let found = of_components(components, &known);
        found.iter().map(|finding| format!("{} {}", finding.rule, finding.observed)).collect()
    };
    let told = of(&[component("hex", "plug", "1.15.1")]);
    assert!(told[0].starts_with("INC-18") && told[1].starts_with("CTR-22"), "{told:?}");
    let node = component("generic", "node", "20.1.0");
    assert_eq!(of(std::slice::from_ref(&node)), ["PKG-08 no advisories are about: pkg:generic/node@20.1.0"]);
    let many: Vec<Component> = (1..8).map(|at| component("conda", &format!("c{at}"), "1")).collect();
    let told = of(&many);
    let begin = "PKG-08 no advisories are about 7 of what is there, first pkg:conda/c1@1, pkg:conda/c2@1, ";
    assert!(told.len() == 1 && told[0].starts_with(begin), "{told:?}");
    let claimed = Component { evidence: Evidence::Claim, ..node };
    assert_eq!(of(&[claimed]), [""; 0]);
}

#[test]
fn a_part_of_an_ecosystem_is_told() {
    let packages = [package("openssl", "openssl", "3.0.7-1.el9")];
    let of = |count: usize| {
        let other =
            |number| record("Rocky Linux:9", &format!("other-{number}"), &format!("RLSA-{number}"), "1");
        of_packages(&os("rocky", "9.4"), &packages, &known((0..count).map(other).collect(), TODAY))
    };
    let told = of(99);
    assert_eq!((told[0].rule.as_str(), told.len()), ("INC-18", 1), "{told:?}");
    assert!(told[0].observed.contains("Rocky Linux:9: only 99, too few"), "{told:?}");
    assert!(of(100).is_empty());
}

#[test]
fn only_what_the_distribution_knows_is_judged_as_its_package() {
    let mut records = vec![record("npm", "lodash", "CVE-2026-1", "4.18.0")];
    records.push(record("Debian:12", "node-lodash", "CVE-2026-2", "4.17.11+dfsg-1"));
    let knowledge = knowledge(records, TODAY);
    let os = os("debian", "12");
    let packages = [package("node-lodash", "node-lodash", "4.17.21+dfsg-1"), package("acme", "acme", "1.0")];
    let of = |owner: &str, path: &str| {
        let found =
            Component { owner: owner.into(), path: path.into(), ..component("npm", "lodash", "4.17.10") };
        rules(&Installed { os: &os, packages: &packages, components: &[found], digests: &[] }, &knowledge)
    };
    assert_eq!(of("node-lodash", "usr/share/nodejs/lodash/package.json"), [""; 0]);
    for (owner, path) in [
        ("", "usr/share/nodejs/lodash/package.json"),
        ("acme", "usr/share/nodejs/lodash/package.json"),
        ("diversions", "usr/share/nodejs/lodash/package.json"),
        ("node-lodash", "srv/app/node_modules/lodash/package.json"),
        ("node-lodash", "usr/local/lib/node_modules/lodash/package.json"),
    ] {
        assert_eq!(of(owner, path), ["CTR-22"], "{owner} {path}");
    }
}
