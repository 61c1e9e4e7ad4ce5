use super::*;
use mercat_advisories::canonical_ecosystem;
use mercat_advisories::versions::Scheme;

#[test]
fn distributions_have_the_ecosystem_under_which_their_advisories_are_kept() {
    let of = |id: &str, version: &str, name: &str| {
        ecosystem(&OsRelease { id: id.into(), version_id: version.into(), pretty_name: name.into() })
    };
    let cases = [
        (of("rhel", "9.4", "Red Hat Enterprise Linux 9.4 (Plow)"), "Red Hat:enterprise_linux:9::baseos"),
        (of("rhel", "10.1", "Red Hat Enterprise Linux 10.1 (Coughlan)"), "Red Hat:enterprise_linux:10.0"),
        (
            of("sles", "15.5", "SUSE Linux Enterprise Server 15 SP5"),
            "SUSE:Linux Enterprise Server 15 SP5-LTSS",
        ),
        (of("sles_sap", "15.5", ""), "SUSE:Linux Enterprise Module for Basesystem 15 SP5"),
        (of("sles", "15", ""), "SUSE:Linux Enterprise Server 15-LTSS"),
        (of("sles", "16.0", ""), "SUSE:Linux Enterprise Server 16.0"),
        (of("sle-micro", "5.3", ""), "SUSE:Linux Enterprise Micro 5.3"),
        (of("sl-micro", "6.0", ""), "SUSE:Linux Micro 6.0"),
        (of("openEuler", "22.03", "openEuler 22.03 (LTS-SP3)"), "openEuler:22.03-LTS-SP3"),
        (of("mariner", "2.0", ""), "Azure Linux:2"),
        (of("ubuntu", "24.04", "Ubuntu 24.04.1 LTS"), "Ubuntu:24.04:LTS"),
        (of("debian", "12", ""), "Debian:12"),
    ];
    for (found, published) in cases {
        assert_eq!(found, canonical_ecosystem(published));
    }
    // Other products of the same makers are none of these.
    for published in ["Red Hat:rhel_eus:9.2::baseos", "Red Hat:openshift:4.9::el8", "SUSE:Manager Server 4.3"]
    {
        assert_eq!(canonical_ecosystem(published), published);
    }
    // Part of the packages of SLES 12 come from modules that name no service pack.
    for (id, version) in [("sles", "12.5"), ("fedora", "41"), ("ol", "9.4"), ("amzn", "2023")] {
        assert_eq!(Scheme::of(&of(id, version, "")), None, "{id} {version}");
    }
}

#[test]
fn a_record_says_what_its_file_says() {
    let stanza = |name: &str, version: &str| {
        format!(
            "Package: {name}\nStatus: install ok installed\nVersion: {version}\nArchitecture: all\nDescription: x\n y\n\n"
        )
    };
    let two = stanza("a", "1.0-1") + &stanza("b", "2:3~rc1");
    let apk = "P:a\nV:1.0-r0\nA:x86_64\nT:words\n\n";
    for (path, text, is_listed) in [
        ("var/lib/dpkg/status", two.as_str(), true),
        ("lib/apk/db/installed", apk, true),
        ("var/lib/dpkg/status", "\n\n", true),
        ("var/lib/dpkg/status", "", true),
        ("var/lib/dpkg/status", &stanza("a", "1.0\t2"), false),
        ("var/lib/dpkg/status", "no field", false),
        ("etc/os-release", "ID=debian\n", false),
    ] {
        let record = Record::of(path, text.as_bytes()).expect("is kept");
        assert_eq!(matches!(record, Record::Packages(_)), is_listed, "{text}");
        match parse(path, text) {
            Some(read) => assert_eq!(record.packages(), read.map_err(broken), "{text}"),
            None => assert_eq!(record.text(), text),
        }
        assert_eq!(record.is_empty(), text.trim().is_empty(), "{text}");
    }
    // Without a package it is none, whatever else it says.
    let gone = stanza("a", "1").replace("ok installed", "ok config-files");
    assert!(Record::of("var/lib/dpkg/status", gone.as_bytes()).expect("is kept").is_empty());
}

#[test]
fn of_a_database_that_is_broken_no_more_is_kept_than_why() {
    let line = "x".repeat(10_000_000);
    let long = format!("Package: a\nVersion: 1\nArchitecture: {line}\n");
    let tab = "Package: a\nVersion: 1\nSource: b\tc\n";
    for (path, text) in [
        ("var/lib/dpkg/status", line.as_str()),
        ("var/lib/dpkg/status", &long),
        ("var/lib/dpkg/status", tab),
        ("lib/apk/db/installed", &line),
    ] {
        let record = Record::of(path, text.as_bytes()).expect("is kept");
        assert!(record.text().len() < 200 && !record.is_empty(), "{}", record.text());
        assert_eq!(record.packages().map_err(|finding| finding.rule), Err("PKG-05".to_owned()));
    }
    let refused = Record::of("etc/os-release", line.as_bytes()).map_err(|finding| finding.observed);
    assert_eq!(refused, Err("the name of the distribution in 10000000 bytes".to_owned()));
}

fn root(path: &str, release: &str, packages: &[(&str, &str)]) -> Root {
    let of = |(name, version): &(&str, &str)| Package {
        name: (*name).to_owned(),
        version: (*version).to_owned(),
        architecture: "amd64".to_owned(),
        source: (*name).to_owned(),
        source_version: (*version).to_owned(),
        module: String::new(),
    };
    let packages: Vec<Package> = packages.iter().map(of).collect();
    let place = |end: &str| Place { path: format!("{path}/{end}"), ..Place::default() };
    let records = [
        (place("etc/os-release"), Record::Text(release.to_owned())),
        (place("var/lib/dpkg/status"), Record::listed(&packages).expect("as written")),
    ];
    Root::of(path, records.iter().map(|(place, record)| (place.clone(), record))).0
}

/// Distribution, package, version, and roots.
fn settled(roots: Vec<Root>) -> Vec<String> {
    let (rooted, _) = Root::settle(roots);
    let all = rooted.iter().flat_map(|Rooted { os, packages }| {
        packages.iter().map(move |(package, roots)| {
            format!("{}{} {} {} {roots:?}", os.id, os.version_id, package.name, package.version)
        })
    });
    all.collect()
}

const DEBIAN_12: &str = "ID=debian\nVERSION_ID=12\n";
const DEBIAN_11: &str = "ID=debian\nVERSION_ID=11\n";

#[test]
fn layers_without_a_name_are_what_those_beside_them_are_and_other_roots_are_not() {
    let layer = |image: &str, layer: &str| format!("opt/{image}.tar!/blobs/sha256/{layer}!");
    // Named by a layer without a database; the other archive has another release.
    let found = settled(vec![
        root(&layer("one", "a"), DEBIAN_11, &[]),
        root(&layer("one", "b"), "", &[("leaky", "1.0")]),
        root(&layer("two", "a"), DEBIAN_12, &[("leaky", "1.0")]),
        root("srv/chroot", "", &[("leaky", "1.0")]),
    ]);
    assert_eq!(
        found,
        [
            r#" leaky 1.0 ["srv/chroot"]"#,
            r#"debian11 leaky 1.0 ["opt/one.tar!/blobs/sha256/b!"]"#,
            r#"debian12 leaky 1.0 ["opt/two.tar!/blobs/sha256/a!"]"#,
        ]
    );
    let packed = settled(vec![
        root("a.tar!/blobs/sha256/a!/content!", DEBIAN_12, &[]),
        root("a.tar!/blobs/sha256/b!/content!", "", &[("x", "1")]),
    ]);
    assert_eq!(packed, [r#"debian12 x 1 ["a.tar!/blobs/sha256/b!/content!"]"#]);
    // Of two that fit neither is taken, unless the packages contradict one.
    let both = |name: &str, version: &str| {
        let upper = root("d/overlay2/c/diff", "", &[(name, version)]);
        settled(vec![
            root("d/overlay2/a/diff", DEBIAN_11, &[]),
            root("d/overlay2/b/diff", DEBIAN_12, &[]),
            upper,
        ])
    };
    assert_eq!(both("leaky", "1.0"), [r#" leaky 1.0 ["d/overlay2/c/diff"]"#]);
    assert_eq!(
        both("base-files", "12.4+deb12u5"),
        [r#"debian12 base-files 12.4+deb12u5 ["d/overlay2/c/diff"]"#]
    );
}

#[test]
fn a_package_is_one_line_with_every_root_that_has_it() {
    let found = settled(vec![
        root("v/overlay2/a/diff", DEBIAN_12, &[("x", "1.0"), ("y", "1")]),
        root("v/overlay2/b/diff", DEBIAN_12, &[("x", "1.10"), ("y", "1")]),
        root("srv/old", DEBIAN_11, &[("y", "1")]),
    ]);
    assert_eq!(
        found,
        [
            r#"debian11 y 1 ["srv/old"]"#,
            r#"debian12 x 1.0 ["v/overlay2/a/diff"]"#,
            r#"debian12 x 1.10 ["v/overlay2/b/diff"]"#,
            r#"debian12 y 1 ["v/overlay2/a/diff", "v/overlay2/b/diff"]"#,
        ]
    );
}

#[test]
fn too_many_roots_are_told_and_take_no_time() {
    let of = |at: usize| {
        let release =
            if at.is_multiple_of(2) { format!("ID=debian\nVERSION_ID={at}\n") } else { String::new() };
        root(&format!("a.tar!/{at}!"), &release, &[("base-files", "12.4+deb12u5")])
    };
    let (rooted, findings) = Root::settle((0..30_000).map(of).collect());
    assert!(findings.iter().any(|finding| finding.rule == "INC-16" && finding.observed.ends_with("30000")));
    assert!(rooted.iter().any(|rooted| rooted.os == OsRelease::default()), "of too many names none is taken");
}

#[test]
fn what_is_no_record_below_the_root_does_not_block_and_a_broken_one_does() {
    let rules = |text: &str| {
        let record = Record::of("x/var/lib/dpkg/status", text.as_bytes()).expect("is kept");
        let place = Place { path: "x/var/lib/dpkg/status".to_owned(), ..Place::default() };
        let (root, found) = Root::of("x", [(place, &record)]);
        (root.packages.len(), found.into_iter().map(|finding| finding.rule).collect::<Vec<_>>())
    };
    assert_eq!(rules("what a test reads\n"), (0, vec!["PKG-07".to_owned()]));
    assert_eq!(rules("Package: a\nVersion: 1\n\nno field\n"), (0, vec!["PKG-05".to_owned()]));
    assert_eq!(rules("package: a\nVERSION: 1\n\nno field\n"), (0, vec!["PKG-05".to_owned()]));
    assert_eq!(rules("Package: a\nVersion: 1\n"), (1, Vec::new()));
}
