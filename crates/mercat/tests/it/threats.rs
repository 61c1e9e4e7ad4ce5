//! Planted threats: in layers, in files deleted later, inside archives; each found with layer and path.

use crate::house::{BIN, gzip, layout, sha256, tar};
use serde_json::Value;
use std::io::Write;
use std::process::Command;

fn test_string() -> Vec<u8> {
    ["X5O!P%@AP[4\\PZX54(P^)7CC)", "7}$EICAR-STANDARD-ANTI", "VIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

fn canary() -> Vec<u8> {
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

fn zip(name: &str, body: &[u8]) -> Vec<u8> {
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
