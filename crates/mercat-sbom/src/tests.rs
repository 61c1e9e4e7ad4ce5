use super::*;
use serde_json::Value;

fn component(kind: &str, name: &str, evidence: Evidence, path: &str, licence: &str) -> Component {
    let version = "1.0".to_owned();
    let (kind, name, licence) = (kind.to_owned(), name.to_owned(), licence.to_owned());
    Component {
        kind,
        name,
        version,
        licence,
        path: path.to_owned(),
        evidence,
        owner: String::new(),
        also: Vec::new(),
        roots: Vec::new(),
    }
}

fn documents() -> (Value, Value) {
    let components = [
        component("npm", "@s/a", Evidence::Installed, "app/node_modules/@s/a/package.json", "MIT"),
        component("npm", "@s/a", Evidence::Intent, "app/package-lock.json", ""),
        component("npm", "@s/a", Evidence::Claim, "app/bom.json", "ISC"),
        component("npm", "listed", Evidence::Intent, "app/yarn.lock", ""),
        component("pypi", "b", Evidence::Installed, "b.dist-info/METADATA", "see LICENSE"),
    ];
    let removed = [component("gem", "c", Evidence::Installed, "c.gemspec", "")];
    let gone = [Package {
        name: "curl".into(),
        version: "7.88".into(),
        architecture: "amd64".into(),
        source: "curl".into(),
        source_version: "7.88".into(),
        module: String::new(),
    }];
    let unpackaged = [Unpackaged { path: "opt/tool".to_owned(), bytes: 3, sha256: "ab".repeat(32) }];
    let licences = [("libc6".to_owned(), "GPL-2.0-only OR MIT".to_owned())].into();
    let os = OsRelease { id: "debian".into(), version_id: "12".into(), pretty_name: "Debian".into() };
    let packages = [Package {
        name: "libc6".into(),
        version: "2.36-9".into(),
        architecture: "amd64".into(),
        source: "glibc".into(),
        source_version: "2.36-9".into(),
        module: String::new(),
    }];
    let subject = "sha256:00";
    let older = OsRelease { version_id: "11".into(), ..os.clone() };
    let old = ["opt/old".to_owned()];
    let rooted = [Rooted { os: &older, packages: vec![(&packages[0], &old)] }];
    let materials = Materials {
        kind: "container",
        subject,
        os: &os,
        packages: &packages,
        rooted: &rooted,
        gone: &gone,
        licences: &licences,
        components: &components,
        removed: &removed,
        unpackaged: &unpackaged,
        left: 0,
    };
    let of = || write(&materials);
    let (one, again) = (of(), of());
    assert_eq!((&one.cyclonedx, &one.spdx), (&again.cyclonedx, &again.spdx), "the same every time");
    let read = |text: &str| serde_json::from_str(text).expect("JSON");
    (read(&one.cyclonedx), read(&one.spdx))
}

#[test]
fn what_was_found_what_was_claimed_and_what_is_gone_are_lines_of_their_own() {
    let (bom, _) = documents();
    let line = |reference: &str| {
        let all = bom["components"].as_array().expect("components");
        all.iter().find(|part| part["bom-ref"] == reference).unwrap_or_else(|| panic!("{reference}")).clone()
    };
    let found = line("pkg:npm/%40s/a@1.0");
    assert_eq!(found["evidence"]["occurrences"].as_array().map(Vec::len), Some(2));
    assert_eq!(found["licenses"][0]["license"]["id"], "MIT");
    let scopes = ["pkg:npm/listed@1.0", "pkg:gem/c@1.0#removed", "pkg:npm/%40s/a@1.0"]
        .map(|of| line(of)["scope"].clone());
    assert_eq!(scopes, ["optional".into(), "excluded".into(), Value::Null]);
    assert_eq!(line("pkg:npm/%40s/a@1.0#claimed")["properties"][0]["value"], "claim");
    assert_eq!(line("pkg:gem/c@1.0#removed")["properties"][0]["name"], "mercat:removed");
    let gone = line("pkg:deb/debian/curl@7.88?arch=amd64#removed");
    let told = gone["properties"].as_array().expect("properties").iter();
    assert_eq!(told.filter(|property| property["name"] == "mercat:removed").count(), 1);
    assert_eq!(line("pkg:pypi/b@1.0")["licenses"][0]["license"]["name"], "see LICENSE");
    assert_eq!(
        line("pkg:deb/debian/libc6@2.36-9?arch=amd64")["licenses"][0]["expression"],
        "GPL-2.0-only OR MIT"
    );
    let of_other = line("pkg:deb/debian/libc6@2.36-9?arch=amd64#below:debian%2011");
    assert_eq!(of_other["evidence"]["occurrences"][0]["location"], "opt/old");
    assert_eq!(of_other["properties"][1]["value"], "debian 11");
    assert_eq!(line("file:/opt/tool")["hashes"][0]["content"], "ab".repeat(32));
}

#[test]
fn spdx_contains_what_is_there_and_not_what_is_gone() {
    let (_, spdx) = documents();
    let packages = spdx["packages"].as_array().expect("packages");
    let id = |name: &str| {
        let found = packages.iter().find(|package| package["name"] == name);
        found.unwrap_or_else(|| panic!("{name}"))["SPDXID"].clone()
    };
    let how = |name: &str| {
        let all = spdx["relationships"].as_array().expect("relationships");
        let found = all.iter().find(|relationship| relationship["relatedSpdxElement"] == id(name));
        found.expect("related")["relationshipType"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!((how("libc6").as_str(), how("c").as_str()), ("CONTAINS", "OTHER"));
    assert_eq!(spdx["spdxVersion"], "SPDX-2.3");
}

#[test]
fn package_urls_name_makers_as_advisories_do() {
    let package = Package {
        name: "bash".into(),
        version: "1:5.1-2".into(),
        architecture: "x86_64".into(),
        source: "bash".into(),
        source_version: "1:5.1-2".into(),
        module: String::new(),
    };
    for (id, maker) in
        [("rhel", "redhat"), ("sles", "suse"), ("opensuse-leap", "opensuse"), ("rocky", "rocky")]
    {
        let os = OsRelease { id: id.into(), ..OsRelease::default() };
        assert_eq!(purl(&os, &package), format!("pkg:rpm/{maker}/bash@5.1-2?arch=x86_64&epoch=1"));
    }
    let odd = Package { architecture: "a&b=\u{1b}".into(), version: "1".into(), ..package };
    assert_eq!(purl(&OsRelease::default(), &odd), "pkg:deb/debian/bash@1?arch=a%26b%3D%1B");
}
