//! Planted threats: in layers, in files deleted later, inside archives; each found with layer and path.

use crate::house::{BIN, gzip, layout, run, sha256, tar};
use crate::standing::{RELEASE, STATUS, advisory};
use serde_json::Value;
use std::io::Write;
use std::process::Command;

pub(crate) fn test_string() -> Vec<u8> {
    ["X5O!P%@AP[4\\PZX54(P^)7CC)", "7}$EICAR-STANDARD-ANTI", "VIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

pub(crate) fn canary() -> Vec<u8> {
    ["MERCAT-YA", "RA-CANARY-7f3", "a9c1e"].concat().into_bytes()
}

fn private_key() -> Vec<u8> {
    [
        "-----BEGIN RSA PRIV",
        "ATE KEY-----\nMIIEpAIBAAKCAQEA7bq1Xk9Jx2vQm0fT8cWz3yHn5LrPdGsUoEiBaKt4M6ZwVhC\n-----END",
    ]
    .concat()
    .into_bytes()
}

fn access_key() -> Vec<u8> {
    ["aws_access_key_id = AK", "IAZ7QX4M2LT9WB3KDE\n"].concat().into_bytes()
}

pub(crate) fn zip(name: &str, body: &[u8]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    out.start_file(name, zip::write::SimpleFileOptions::default()).expect("memory");
    out.write_all(body).expect("memory");
    out.finish().expect("memory").into_inner()
}

fn certify(layers: &[Vec<u8>]) -> (Option<i32>, Value) {
    let dir = tempfile::tempdir().expect("a directory");
    layout(dir.path(), layers, &["latest"]);
    let out = Command::new(BIN)
        .args(["--data", dir.path().join("none").to_str().expect("plain"), "certify", "--output", "json"])
        .arg(format!("oci:{}:latest", dir.path().display()))
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let verdict = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text} {}", String::from_utf8_lossy(&out.stderr)));
    (out.status.code(), verdict)
}

/// The rules found at a layer and path.
fn found(verdict: &Value, layer: &str, path: &str) -> Vec<String> {
    let findings = verdict["findings"].as_array().expect("a list");
    let here =
        findings.iter().filter(|f| f["layer"] == layer && f["path"].as_str().unwrap_or("").starts_with(path));
    here.map(|f| format!("{} {}", f["rule"].as_str().unwrap_or(""), f["observed"].as_str().unwrap_or("")))
        .collect()
}

/// S4-8, S4-9, S4-11: viruses, malware, and what endangers whoever runs it.
#[test]
fn each_threat_is_found_with_its_layer_and_path() {
    let threats: [(&str, Vec<u8>, &str); 4] = [
        ("virus", test_string(), "CTR-20 virus signature"),
        ("malware", canary(), "CTR-20 malware rule"),
        ("key", private_key(), "CTR-21 private key"),
        ("aws", access_key(), "CTR-21 AWS access key id"),
    ];
    for (name, bytes, expected) in threats {
        let inside = tar(&[("deep/file", &bytes)]);
        let zipped = zip("inner.tar.gz", &gzip(&inside));
        let files: Vec<(&str, Vec<u8>)> = vec![
            ("plain", bytes.clone()),
            ("in.zip", zip("member", &bytes)),
            ("in.tar.gz", gzip(&inside)),
            ("in.zip.zip", zip("a.zip", &zip("member", &bytes))),
            ("zip-with-tar-gz.zip", zipped),
            ("late", [vec![b'.'; 5_000_000], bytes.clone()].concat()),
        ];
        let members: Vec<(&str, &[u8])> = files.iter().map(|(name, body)| (*name, body.as_slice())).collect();
        let bottom = tar(&members);
        let removed: Vec<(String, Vec<u8>)> =
            files.iter().map(|(name, _)| (format!(".wh.{name}"), Vec::new())).collect();
        let removed: Vec<(&str, &[u8])> =
            removed.iter().map(|(name, body)| (name.as_str(), body.as_slice())).collect();
        let (code, verdict) = certify(&[bottom.clone(), tar(&removed)]);
        assert_eq!(code, Some(1), "{name}");
        let layer = sha256(&gzip(&bottom));
        for (path, _) in &files {
            let here = found(&verdict, &layer, path);
            assert!(here.iter().any(|text| text.starts_with(expected)), "{name} in {path}: {here:?}");
        }
    }
}

#[test]
fn what_every_scanner_saw_is_what_was_unpacked() {
    let (code, verdict) = certify(&[tar(&[("a", b"hello"), ("b", &[7; 9_000_000])]), tar(&[("c", b"")])]);
    assert_eq!(code, Some(0), "{verdict:#}");
    for layer in verdict["images"][0]["layers"].as_array().expect("layers") {
        assert_eq!(layer["fileBytes"], layer["scannedBytes"]);
    }
}

#[test]
fn packages_without_advisories_are_our_gap_and_never_a_pass() {
    let status = b"Package: bash\nStatus: install ok installed\nVersion: 5.2\nArchitecture: amd64\n";
    let release = b"ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n";
    let (code, verdict) = certify(&[tar(&[("var/lib/dpkg/status", status), ("etc/os-release", release)])]);
    assert_eq!((code, verdict["outcome"].as_str()), (Some(2), Some("inconclusive")));
}

fn rules(verdict: &Value) -> Vec<&str> {
    verdict["findings"].as_array().expect("a list").iter().filter_map(|f| f["rule"].as_str()).collect()
}

#[test]
fn a_thousand_small_notes_do_not_hide_a_virus() {
    let seven: &[u8] = b"7z\xbc\xaf\x27\x1c";
    let names: Vec<String> = (0..1200).map(|n| format!("a{n:04}.7z")).collect();
    let mut files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), seven)).collect();
    let virus = test_string();
    files.push(("z", &virus));
    let (code, verdict) = certify(&[tar(&files)]);
    assert_eq!(code, Some(1));
    assert!(rules(&verdict).contains(&"CTR-20") && rules(&verdict).contains(&"INC-05"));
}

#[test]
fn damaged_and_prefixed_archives_are_never_a_pass() {
    let mut broken = gzip(&[test_string(), vec![b'x'; 100]].concat());
    let at = broken.len() - 8;
    broken[at] ^= 1;
    let (code, verdict) = certify(&[tar(&[("broken.gz", &broken)])]);
    assert_eq!(code, Some(1), "what came before the damage was scanned: {verdict:#}");
    let jar = [b"#!/bin/sh\nexec java -jar $0\n".to_vec(), zip("member", &test_string())].concat();
    let (code, verdict) = certify(&[tar(&[("run.jar", &jar)])]);
    assert_eq!(code, Some(1), "{verdict:#}");
    let (code, _) = certify(&[tar(&[("odd.7z", b"7z\xbc\xaf\x27\x1c123")])]);
    assert_eq!(code, Some(2), "what was not opened is inconclusive");
}

#[test]
fn an_emptied_or_foreign_package_database_is_never_a_pass() {
    let status: &[u8] = b"Package: bash\nStatus: install ok installed\nVersion: 5.2\nArchitecture: amd64\n";
    let debian: &[u8] = b"ID=debian\nVERSION_ID=\"12\"\n";
    let odd: &[u8] = b"ID=mylinux\nVERSION_ID=\"1\"\n";
    let (path, release) = ("var/lib/dpkg/status", "etc/os-release");
    let (code, verdict) = certify(&[tar(&[(path, status), (release, debian)]), tar(&[(path, b"")])]);
    assert_eq!(code, Some(2), "{verdict:#}");
    assert!(rules(&verdict).contains(&"PKG-02"));
    let (code, verdict) = certify(&[tar(&[(path, status), (release, odd)])]);
    assert_eq!((code, rules(&verdict).contains(&"INC-07")), (Some(2), true));
    let (code, verdict) = certify(&[tar(&[("var/lib/rpm/rpmdb.sqlite", b"SQLite format 3")])]);
    assert_eq!((code, rules(&verdict).contains(&"INC-08")), (Some(2), true));
}

/// Of containers that lie in an image, and of what something is built in.
#[test]
fn packages_of_other_roots_are_looked_up_in_their_own_distribution() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data, record) = (dir.path().join("data"), dir.path().join("record.json"));
    std::fs::write(&record, advisory("openssl", "2026-06-01", "3.0.2").to_string()).expect("written");
    let data = data.to_str().expect("plain");
    run(BIN, &["--data", data, "advisories", "import", record.to_str().expect("plain")]);
    let alpine: &[u8] = b"P:musl\nV:1.2.5-r0\nA:x86_64\n";
    let of_alpine: &[u8] = b"ID=alpine\nVERSION_ID=3.20.1\n";
    let base = |release: &[u8]| {
        tar(&[
            ("etc/os-release", of_alpine),
            ("lib/apk/db/installed", alpine),
            ("srv/old/etc/os-release", release),
            ("srv/old/var/lib/dpkg/status", STATUS),
        ])
    };
    let found = |layers: &[Vec<u8>]| {
        let image = tempfile::tempdir().expect("a directory");
        layout(image.path(), layers, &["latest"]);
        let reference = format!("oci:{}:latest", image.path().display());
        let out =
            Command::new(BIN).args(["--data", data, "certify", "--output", "json", &reference]).output();
        let verdict: Value = serde_json::from_slice(&out.expect("it starts").stdout).expect("JSON");
        let all = verdict["findings"].as_array().expect("a list").iter();
        let found =
            all.map(|one| ["rule", "path"].map(|key| one[key].as_str().unwrap_or_default().to_owned()));
        found.collect::<Vec<_>>()
    };
    let is_told = |found: &[[String; 2]], rule: &str, path: &str| found.contains(&[rule.into(), path.into()]);
    let all = found(&[base(RELEASE)]);
    assert!(is_told(&all, "CTR-22", "srv/old"), "{all:?}");
    let record = "srv/old/var/lib/dpkg/status";
    let all = found(&[base(RELEASE), tar(&[("srv/old/var/lib/dpkg/.wh.status", b"")])]);
    assert!(is_told(&all, "CTR-22", "srv/old") && is_told(&all, "PKG-02", record), "{all:?}");
    // Who takes all of it away takes its packages away.
    for upper in [[("srv/.wh.old", &b""[..])], [("srv/old/.wh..wh..opq", b"")]] {
        let all = found(&[base(RELEASE), tar(&upper)]);
        assert!(all.iter().all(|[rule, path]| rule != "CTR-22" && path != record), "{all:?}");
    }
    // Where its directories are links, and the record lies somewhere else, what it is of is not known.
    let moved = tar(&[
        ("etc/os-release", of_alpine),
        ("lib/apk/db/installed", alpine),
        ("srv/data/lib/dpkg/status", STATUS),
    ]);
    assert!(is_told(&found(&[moved]), "INC-07", "srv/data/lib"));
    // Of no distribution, and not of the image's own.
    let all = found(&[base(b"")]);
    assert!(is_told(&all, "INC-07", "srv/old"), "{all:?}");
    // In an archive, whose upper layer does not repeat what the lower one is; that has what the image has, by chance.
    let saved = |lower: &[u8], upper: &[u8]| {
        let lower = tar(&[("etc/os-release", RELEASE), ("var/lib/dpkg/status", lower)]);
        let upper = tar(&[("var/lib/dpkg/status", upper)]);
        gzip(&tar(&[("a/layer.tar", &lower), ("b/layer.tar", &upper)]))
    };
    let archive = || tar(&[("opt/app.tar.gz", &saved(b"Package: a\nVersion: 1\n", STATUS))]);
    let all = found(&[base(b""), archive()]);
    assert!(all.iter().any(|[rule, path]| rule == "CTR-22" && path.ends_with("!/b/layer.tar!")), "{all:?}");
    assert!(is_told(&all, "INC-07", "srv/old"), "a chroot is not what a layer is: {all:?}");
    // Which layers belong together nobody says: what one has is not hidden by what another has newer.
    let newer = String::from_utf8_lossy(STATUS).replace("3.0.1-1", "3.0.9-1");
    let all = found(&[base(of_alpine), tar(&[("opt/app.tar.gz", &saved(STATUS, newer.as_bytes()))])]);
    assert!(all.iter().any(|[rule, path]| rule == "CTR-22" && path.ends_with("!/a/layer.tar!")), "{all:?}");
    // A directory that is called as an archive would be hides none.
    let other = tar(&[("etc/os-release", RELEASE), ("var/lib/dpkg/status", STATUS)]);
    let both = tar(&[("srv/a", &other), ("srv/a!/var/lib/dpkg/status", newer.as_bytes())]);
    assert!(is_told(&found(&[base(of_alpine), both]), "CTR-22", "srv/a!"));
    for upper in [("opt/.wh.app.tar.gz", &b""[..]), ("opt/app.tar.gz", b"another")] {
        let all = found(&[base(b""), archive(), tar(&[upper])]);
        assert!(all.iter().all(|[rule, _]| !rule.starts_with("CTR-22")), "{all:?}");
    }
    let all = found(&[base(of_alpine)]);
    assert!(is_told(&all, "PKG-03", "srv/old"), "{all:?}");
}

/// A shorter record alone does not take a package away: its programs are still there.
#[test]
fn a_package_that_goes_from_the_record_alone_is_still_looked_up() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data, record) = (dir.path().join("data"), dir.path().join("record.json"));
    std::fs::write(&record, advisory("openssl", "2026-06-01", "3.0.2").to_string()).expect("written");
    let data = data.to_str().expect("plain");
    run(BIN, &["--data", data, "advisories", "import", record.to_str().expect("plain")]);
    let program = std::fs::read("/bin/true").expect("a program");
    let sum = Command::new("md5sum").arg("/bin/true").output().expect("it starts").stdout;
    let sum = format!("{}  usr/bin/openssl\n", &String::from_utf8_lossy(&sum)[..32]);
    let name = String::from_utf8_lossy(STATUS).lines().next().map(str::to_owned).expect("a package");
    let list = format!("var/lib/dpkg/info/{}.md5sums", name.trim_start_matches("Package: "));
    let other: &[u8] = b"Package: other\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n";
    let both = [STATUS, b"\n", other].concat();
    let base = tar(&[
        ("etc/os-release", RELEASE),
        ("usr/bin/openssl", &program),
        (&list, sum.as_bytes()),
        ("var/lib/dpkg/status", &both),
    ]);
    let found = |upper: &[(&str, &[u8])]| {
        let image = tempfile::tempdir().expect("a directory");
        layout(image.path(), &[base.clone(), tar(upper)], &["latest"]);
        let reference = format!("oci:{}:latest", image.path().display());
        let out =
            Command::new(BIN).args(["--data", data, "certify", "--output", "json", &reference]).output();
        let verdict: Value = serde_json::from_slice(&out.expect("it starts").stdout).expect("JSON");
        let rules = rules(&verdict);
        ["CTR-22", "PKG-02"].map(|rule| rules.contains(&rule))
    };
    let status = "var/lib/dpkg/status";
    assert_eq!(found(&[("srv/x", b"")]), [true, false]);
    assert_eq!(found(&[(status, other)]), [true, true], "the program is as it was installed");
    // Its list of files goes as well; the lower layer still tells what they were.
    assert_eq!(found(&[(status, other), ("var/lib/dpkg/info/.wh..wh..opq", b"")]), [true, true]);
    assert_eq!(found(&[(status, other), ("usr/bin/.wh.openssl", b"")]), [false, false]);
    assert_eq!(found(&[(status, other), ("usr/bin/openssl", b"\x7fELF of another")]), [false, false]);
    // What others say of it without its digest takes nothing away.
    for hidden in [
        ("var/lib/dpkg/diversions", "/usr/bin/openssl\n/usr/bin/openssl.d\n:\n".to_owned()),
        (list.as_str(), format!("{}  usr/bin/openssl\n", "0".repeat(32))),
        ("var/lib/dpkg/info/other.list", "/usr/bin/openssl\n".to_owned()),
        ("var/lib/dpkg/info/other.md5sums", format!("{}  bin/openssl\n", "0".repeat(32))),
    ] {
        let of = hidden.0;
        assert_eq!(found(&[(status, other), (of, hidden.1.as_bytes())]), [true, true], "{of}");
    }
    // The same file of a package that took its place.
    let renamed = ("var/lib/dpkg/info/other.md5sums", sum.as_bytes());
    assert_eq!(found(&[(status, other), renamed]), [false, false]);
}

#[test]
fn calling_an_image_an_attestation_changes_nothing() {
    for platform in [("unknown", "unknown"), ("linux", "amd64")] {
        let dir = tempfile::tempdir().expect("a directory");
        let key = private_key();
        layout(dir.path(), &[tar(&[("key", &key)])], &["latest"]);
        let config = dir.path().join("index.json");
        let mut document: Value =
            serde_json::from_str(&std::fs::read_to_string(&config).expect("there")).expect("JSON");
        let mut entry = document["manifests"][0].clone();
        entry["annotations"] = serde_json::json!({"vnd.docker.reference.type": "attestation-manifest"});
        entry["platform"] = serde_json::json!({"os": platform.0, "architecture": platform.1});
        let child = serde_json::json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
        let digest = sha256(child.as_bytes());
        std::fs::write(dir.path().join("blobs/sha256").join(&digest[7..]), &child).expect("written");
        document["manifests"] = serde_json::json!([{
            "mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": child.len(),
            "annotations": {"org.opencontainers.image.ref.name": "latest"},
        }]);
        std::fs::write(&config, document.to_string()).expect("written");
        let reference = format!("oci:{}:latest", dir.path().display());
        let arguments = ["--data", "/nonexistent-mercat", "certify", "--output", "json", &reference];
        let out = Command::new(BIN).args(arguments).output().expect("it starts");
        let verdict: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        assert_eq!(out.status.code(), Some(1), "{platform:?}");
        // Treated as the image that it is: its own platform, its package inventory asked for, the key found.
        assert_eq!(verdict["images"][0]["platform"], "linux/amd64");
        assert!(rules(&verdict).contains(&"CTR-21") && rules(&verdict).contains(&"PKG-04"), "{verdict:#}");
    }
}
