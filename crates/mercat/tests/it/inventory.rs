//! What is in an image besides the packages of a distribution, by the binary; measured against the
//! validators of both formats, and against another program that makes inventories.

use crate::house::{BIN, has, layout, skipped, tar};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const PYTHON: &str = "opt/py/six-1.16.0.dist-info/METADATA";
const NODE: &str = "opt/js/node_modules/left-pad/package.json";
const LOCK: &str = "opt/js/package-lock.json";
const GEM: &str = "var/lib/gems/3.1.0/specifications/rake-13.0.6.gemspec";
const COMPOSER: &str = "opt/php/vendor/composer/installed.json";
const DOTNET: &str = "opt/net/App.deps.json";

fn layers() -> Vec<Vec<u8>> {
    let status = b"Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\nArchitecture: amd64\n";
    let gemspec = b"# -*- encoding: utf-8 -*-\nGem::Specification.new do |s|\n  s.name = \"rake\".freeze\n  s.version = \"13.0.6\"\n  s.licenses = [\"MIT\".freeze]\nend\n";
    let lock = br#"{"name":"app","lockfileVersion":3,"packages":{"":{"name":"app"},"node_modules/left-pad":{"version":"1.3.0","license":"WTFPL"}}}"#;
    let composer = br#"{"packages":[{"name":"monolog/monolog","version":"3.4.0","license":["MIT"]}],"dev":true,"dev-package-names":[]}"#;
    let dotnet = br#"{"runtimeTarget":{"name":".NETCoreApp,Version=v8.0"},"targets":{".NETCoreApp,Version=v8.0":{"Newtonsoft.Json/13.0.3":{"runtime":{"lib/net6.0/Newtonsoft.Json.dll":{}}}}},
        "libraries":{"Newtonsoft.Json/13.0.3":{"type":"package","serviceable":true,"sha512":"sha512-x","path":"newtonsoft.json/13.0.3"}}}"#;
    let python = b"Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\nLicense: MIT\n";
    let node = br#"{"name":"left-pad","version":"1.3.0","license":"WTFPL"}"#;
    vec![
        tar(&[
            ("etc/os-release", b"ID=debian\nVERSION_ID=12\nPRETTY_NAME=Debian\n"),
            ("var/lib/dpkg/status", status),
            (PYTHON, python),
            (NODE, node),
            (LOCK, lock),
            (GEM, gemspec),
            (COMPOSER, composer),
            (DOTNET, dotnet),
            ("opt/gone/node_modules/is-odd/package.json", br#"{"name":"is-odd","version":"3.0.1"}"#),
            ("opt/tool", b"\x7fELF of nobody"),
            ("opt/bom.json", br#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"type":"library","name":"z","version":"1.3","purl":"pkg:generic/z@1.3"}]}"#),
        ]),
        tar(&[("opt/gone/.wh.node_modules", b"")]),
    ]
}

/// Certifies the image, and gives the documents that it wrote: CycloneDX, SPDX.
fn documents(dir: &Path) -> (PathBuf, PathBuf, Value) {
    let image = dir.join("image");
    layout(&image, &layers(), &["latest"]);
    let out = dir.join("sbom");
    let done = Command::new(BIN)
        .args(["--data", "/nonexistent-mercat", "certify", "--output", "json", "--sbom"])
        .arg(&out)
        .arg(format!("oci:{}:latest", image.display()))
        .output()
        .expect("it starts");
    let verdict = serde_json::from_slice(&done.stdout).expect("a verdict");
    let written = std::fs::read_dir(&out).expect("documents").map(|entry| entry.expect("an entry").path());
    let written: Vec<PathBuf> = written.collect();
    let of = |end: &str| {
        let found = written.iter().find(|path| path.to_string_lossy().ends_with(end));
        found.unwrap_or_else(|| panic!("no {end} in {written:?}")).clone()
    };
    (of(".cdx.json"), of(".spdx.json"), verdict)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("read")).expect("JSON")
}

#[test]
fn the_inventory_of_an_image_is_written_in_two_formats_that_agree() {
    let dir = tempfile::tempdir().expect("a directory");
    let (bom, spdx, verdict) = documents(dir.path());
    let bom = read(&bom);
    let of = |key: &str| -> BTreeSet<String> {
        let all = bom["components"].as_array().expect("components").iter();
        all.filter_map(|part| part[key].as_str().map(str::to_owned)).collect()
    };
    let references = of("bom-ref");
    for wanted in [
        "pkg:deb/debian/libc6@2.36-9?arch=amd64",
        "pkg:pypi/six@1.16.0",
        "pkg:npm/left-pad@1.3.0",
        "pkg:gem/rake@13.0.6",
        "pkg:composer/monolog/monolog@3.4.0",
        "pkg:nuget/Newtonsoft.Json@13.0.3",
        "pkg:npm/is-odd@3.0.1#removed",
        "pkg:generic/z@1.3#claimed",
        "file:/opt/tool",
    ] {
        assert!(references.contains(wanted), "{wanted} in {references:?}");
    }
    assert_eq!(references.len(), 10, "and the operating system: {references:?}");
    let spdx = read(&spdx);
    let locators: BTreeSet<String> = spdx["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .filter_map(|package| Some(package["externalRefs"][0]["referenceLocator"].as_str()?.to_owned()))
        .collect();
    assert_eq!(locators, of("purl"));
    let files = &verdict["images"][0]["files"];
    assert_eq!((&files["unpackaged"], &files["programs"]), (&1.into(), &1.into()), "{files}");
}

/// A Python with the validators, by `MERCAT_TEST_PYTHON` or on the path; nothing, said aloud, without them.
fn python() -> Option<String> {
    let python = std::env::var("MERCAT_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let modules = "import cyclonedx.validation.json, spdx_tools.spdx.parser.parse_anything, jsonschema";
    let found = Command::new(&python).args(["-c", modules]).output().is_ok_and(|out| out.status.success());
    if !found {
        skipped(&format!(
            "skipped: {python} has no cyclonedx-python-lib[json-validation] and spdx-tools, so no SBOM was validated"
        ));
    }
    found.then_some(python)
}

const VALIDATE: &str = r"
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
bad = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
if bad is not None: print('CycloneDX:', bad)
for message in validate_full_spdx_document(parse_file(sys.argv[2])): print('SPDX:', message.validation_message, message.context)
";

#[test]
fn both_documents_are_valid_by_the_validators_of_their_formats() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let (bom, spdx, _) = documents(dir.path());
    let out = Command::new(&python).args(["-c", VALIDATE]).args([&bom, &spdx]).output().expect("it starts");
    let told = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && !told.contains("CycloneDX:") && !told.contains("SPDX:"), "{told}");
    // The validator must be able to say no.
    let spoiled = std::fs::read_to_string(&bom).expect("read").replace("\"library\"", "\"librarian\"");
    std::fs::write(&bom, spoiled).expect("written");
    let out = Command::new(&python).args(["-c", VALIDATE]).args([&bom, &spdx]).output().expect("it starts");
    assert!(String::from_utf8_lossy(&out.stdout).contains("CycloneDX:"), "a wrong type is accepted");
}

#[test]
fn another_inventory_names_nothing_that_is_missed_here() {
    if !has("syft") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (bom, ..) = documents(dir.path());
    let image = format!("oci-dir:{}", dir.path().join("image").display());
    let out = Command::new("syft").args(["-q", "-o", "json", &image]).output().expect("it starts");
    let theirs: Value = match serde_json::from_slice(&out.stdout) {
        Ok(theirs) => theirs,
        Err(_) => return skipped("skipped: syft gave no document, so nothing was compared"),
    };
    let plain = |purl: &str| purl.split('?').next().unwrap_or(purl).to_owned();
    let artifacts = theirs["artifacts"].as_array().expect("artifacts").iter();
    let theirs: BTreeSet<String> = artifacts
        .filter_map(|found| found["purl"].as_str())
        .filter(|purl| !purl.is_empty())
        .map(plain)
        .collect();
    let bom = read(&bom);
    let ours: BTreeSet<String> = bom["components"]
        .as_array()
        .expect("components")
        .iter()
        .filter_map(|part| part["purl"].as_str().map(plain))
        .collect();
    assert!(theirs.len() >= 5, "it found {theirs:?}");
    let missed: Vec<&String> = theirs.difference(&ours).collect();
    assert_eq!(missed, Vec::<&String>::new(), "ours: {ours:?}");
}

fn sbom(arguments: &[&str]) -> (Option<i32>, String, String) {
    let done = Command::new(BIN).args(["--data", "/nonexistent-mercat", "sbom"]).args(arguments).output();
    let done = done.expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

fn image_with(dir: &Path, name: &str, path: &str, bytes: &[u8]) -> String {
    layout(&dir.join(name), &[tar(&[(path, bytes)])], &["latest"]);
    format!("oci:{}:latest", dir.join(name).display())
}

#[test]
fn the_bill_of_materials_alone_is_that_of_a_certification_and_tells_what_it_lacks() {
    let dir = tempfile::tempdir().expect("a directory");
    let (bom, spdx, _) = documents(dir.path());
    let image = format!("oci:{}:latest", dir.path().join("image").display());
    for (form, path) in [("cyclonedx", &bom), ("spdx", &spdx)] {
        let (code, text, told) = sbom(&["--format", form, &image]);
        assert_eq!((code, told.as_str()), (Some(0), ""), "{form}");
        assert_eq!(text.trim_end(), std::fs::read_to_string(path).expect("read").trim_end(), "{form}");
    }
    let out = dir.path().join("alone");
    assert_eq!(sbom(&["--out", out.to_str().expect("plain"), &image]).0, Some(0));
    for path in [&bom, &spdx] {
        let other = out.join(path.file_name().expect("a name"));
        assert_eq!(std::fs::read(other).expect("written"), std::fs::read(path).expect("read"));
    }
    // A layer that is cut short, and an archive that nobody can open.
    let layers = layers();
    let cut = [&layers[0][..layers[0].len() / 2 + 100]];
    let broken = dir.path().join("broken");
    layout(&broken, &cut.map(<[u8]>::to_vec), &["latest"]);
    let (code, _, told) = sbom(&[&format!("oci:{}:latest", broken.display())]);
    assert!(code == Some(1) && told.contains("not whole: TAR-"), "{code:?} {told}");
    let closed = dir.path().join("closed");
    layout(&closed, &[tar(&[("opt/app.jar", b"PK\x03\x04 cut")])], &["latest"]);
    let (code, _, told) = sbom(&[&format!("oci:{}:latest", closed.display())]);
    assert!(code == Some(2) && told.contains("opt/app.jar"), "{code:?} {told}");
    let (code, _, told) = sbom(&[&image_with(dir.path(), "lock", "opt/js/package-lock.json", b"{")]);
    assert!(code != Some(0) && told.contains("PKG-07"), "{code:?} {told}");
    let disk = dir.path().join("closed.raw");
    let mut bytes = vec![0; 1 << 20];
    bytes[..6].copy_from_slice(b"LUKS\xba\xbe");
    std::fs::write(&disk, bytes).expect("written");
    let (code, text, told) = sbom(&[disk.to_str().expect("plain")]);
    assert!(code != Some(0) && text.is_empty() && told.contains("not whole: "), "{code:?} {text} {told}");
    // Several images at once.
    let two = dir.path().join("two");
    layout(&two, &layers, &["latest"]);
    let one = std::fs::read_to_string(two.join("index.json")).expect("read");
    layout(&two, &layers[..1], &["other"]);
    let mut both: Value = serde_json::from_str(&one).expect("JSON");
    let other = read(&two.join("index.json"))["manifests"][0].clone();
    both["manifests"].as_array_mut().expect("a list").push(other);
    std::fs::write(two.join("index.json"), both.to_string()).expect("written");
    let (code, text, told) = sbom(&[&format!("oci:{}", two.display())]);
    assert!(code == Some(64) && text.is_empty() && told.contains("--out"), "{code:?} {text} {told}");
    for wrong in ["oci:/nonexistent:latest", "nothing.raw"] {
        let (code, text, told) = sbom(&[wrong]);
        assert!(code != Some(0) && text.is_empty() && told.starts_with("mercat: "), "{code:?} {text} {told}");
    }
}

#[test]
fn packages_that_a_later_layer_removes_are_told_and_those_that_it_updates_are_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let package = |name: &str, version: &str| {
        format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\nArchitecture: amd64\n\n")
    };
    let lower = [package("libc6", "2.36-9"), package("bash", "5.1"), package("curl", "7.88")].concat();
    let upper = [package("libc6", "2.36-9"), package("bash", "5.2")].concat();
    let release = b"ID=debian\nVERSION_ID=12\nPRETTY_NAME=Debian\n";
    let layers = [
        tar(&[("etc/os-release", release), ("var/lib/dpkg/status", lower.as_bytes())]),
        tar(&[("var/lib/dpkg/status", upper.as_bytes())]),
    ];
    layout(dir.path(), &layers, &["latest"]);
    let reference = format!("oci:{}", dir.path().display());
    let out =
        Command::new(BIN).args(["--data", "/nonexistent", "sbom", &reference]).output().expect("starts");
    let bom: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|error| panic!("{error}: {out:?}"));
    let parts = bom["components"].as_array().expect("components").iter();
    let named: BTreeSet<&str> = parts.filter_map(|part| part["bom-ref"].as_str()).collect();
    let wanted = [
        "pkg:deb/debian/bash@5.2?arch=amd64",
        "pkg:deb/debian/curl@7.88?arch=amd64#removed",
        "pkg:deb/debian/libc6@2.36-9?arch=amd64",
    ];
    let named: Vec<&str> = named.into_iter().filter(|name| name.starts_with("pkg:deb")).collect();
    assert_eq!(
        named,
        wanted.map(|name| named.iter().find(|found| found.starts_with(name)).copied().unwrap_or(name))
    );
    assert_eq!(named.len(), wanted.len(), "{named:?}");
}
