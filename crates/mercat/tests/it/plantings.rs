//! Plantings: every kind of threat in every kind of wrapping, each found with its layer and path.

use crate::house::{BIN, gzip, has, noise, sha256, skipped, tar};
use crate::threats;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

/// A kind of threat: a name for paths, its bytes, and how its finding begins.
struct Threat {
    name: &'static str,
    bytes: Vec<u8>,
    expected: &'static str,
}

/// Bytes that are put together here, so that this file holds none of them whole.
fn threats() -> Vec<Threat> {
    let threat = |name, parts: &[&str], expected| {
        let bytes = format!("\n{}\n", parts.concat()).into_bytes();
        Threat { name, bytes, expected }
    };
    let hex40 = "3f9a1c7e5b2d8064a9e1f37c5d0b8246e7a1c953";
    let mixed36 = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6";
    let base64_40 = "k7XzQ2mN9pL4vB8wR1tY6uI3oA5sD0fGhJkLzXcV";
    let base64_86 = "R5Qm7xK2vL9pT4wZ8rN1cY6uB3oH5sD0fGhJkLzXcVbN4mQ8wE2rT6yU1iO9pA3sD7fG5hJ0kLzX4cV8bN2mQw";
    vec![
        Threat { name: "virus", bytes: threats::test_string(), expected: "CTR-20 virus signature" },
        Threat { name: "malware", bytes: threats::canary(), expected: "CTR-20 malware rule" },
        threat(
            "private-key",
            &[
                "-----BEGIN RSA PRIV",
                "ATE KEY-----\nMIIEpAIBAAKCAQEA7bq1Xk9Jx2vQm0fT8cWz3yHn5LrPdGsUoEiBaKt4M6ZwVhC\n",
                "q8sT1vW4yZ7bC0eF3hJ6aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6aB3dE6g\n-----END RSA PRIVATE KEY-----",
            ],
            "CTR-21",
        ),
        threat("aws-id", &["aws_access_key_id = AK", "IAZ7QX4M2LT9WB3KDE"], "CTR-21"),
        threat("aws-secret", &["AWS_SECRET_ACCESS", "_KEY=", base64_40], "CTR-21"),
        threat(
            "slack",
            &["https://hooks.slack.", "com/services/T0A1B2C3D/B4E5F6G7H/aB3dE6gH9jK2mN5pQ8sT1vW4"],
            "CTR-21",
        ),
        threat("google-account", &["\"private_key", "_id\": \"", hex40, "\""], "CTR-21"),
        threat("stripe", &["sk_li", "ve_", "4eC39HqLyjWDarjtT1zdp7dc"], "CTR-21"),
        threat("docker-hub", &["dckr_", "pat_", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7"], "CTR-21"),
        threat(
            "digitalocean",
            &["dop_", "v1_", "3f9a1c7e5b2d8064a9e1f37c5d0b8246e7a1c9533f9a1c7e5b2d8064a9e1f37c"],
            "CTR-21",
        ),
        threat(
            "sendgrid",
            &["SG.", "aB3dE6gH9jK2mN5pQ8sT1v.", "W4yZ7bC0eF3hJ6aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC"],
            "CTR-21",
        ),
        threat("azure-storage", &["AccountK", "ey=", base64_86, "=="], "CTR-21"),
        threat("url", &["postgres://app:Xk9", "_pQ2vL7mZ@db.internal-host.org/x"], "CTR-21"),
        threat("google-key", &["AI", "za", "SyD4fK9xQ2mN7pL1vB8wR5tY3uI6oA0sGhJ"], "CTR-21"),
        threat("gitlab", &["glp", "at-", "aB3dE6gH9jK2mN5pQ8sT"], "CTR-21"),
        threat("vault", &["hv", "s.", mixed36, mixed36, "aB3dE6gH9jK2mN5pQ8sT1vW4"], "CTR-21"),
        threat(
            "shadow",
            &[
                "root:$6",
                "$k3Tq9LwZ$",
                "ERb5DesmT6DUlD/zYHvVshp2oo..yzttJMxyvxVKaSZ",
                "tqFgOK.PgLRL7Mv76ufEaRXaZSU/3dvxnD5QRE5lTJc",
                ":19000:0:99999:7:::",
            ],
            "CTR-21",
        ),
    ]
}

type Wrap = (&'static str, fn(&[u8]) -> Vec<u8>);

fn zip(body: &[u8]) -> Vec<u8> {
    threats::zip("member", body)
}

fn stored(body: &[u8]) -> Vec<u8> {
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    out.start_file("member", options).expect("memory");
    out.write_all(body).expect("memory");
    out.finish().expect("memory").into_inner()
}

fn bzip2(body: &[u8]) -> Vec<u8> {
    let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    out.write_all(body).expect("memory");
    out.finish().expect("memory")
}

fn xz(body: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut out = lzma_rust2::XzWriter::new(Vec::new(), options).expect("memory");
    out.write_all(body).expect("memory");
    out.finish().expect("memory")
}

fn zstd(body: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(body, 1).expect("memory")
}

fn lz4(body: &[u8]) -> Vec<u8> {
    let mut out = lz4_flex::frame::FrameEncoder::new(Vec::new());
    out.write_all(body).expect("memory");
    out.finish().expect("memory")
}

fn in_tar(body: &[u8]) -> Vec<u8> {
    tar(&[("deep/member", body)])
}

fn ar(body: &[u8]) -> Vec<u8> {
    let header = format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "member/", 0, 0, 0, 100_644, body.len());
    let padding: &[u8] = if body.len().is_multiple_of(2) { b"" } else { b"\n" };
    [b"!<arch>\n", header.as_bytes(), body, padding].concat()
}

fn cpio(body: &[u8]) -> Vec<u8> {
    let entry = |name: &str, mode: u32, body: &[u8]| {
        let fields = [1, mode, 0, 0, 1, 0, body.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        let mut out = b"070701".to_vec();
        fields.iter().for_each(|field| out.extend(format!("{field:08x}").bytes()));
        out.extend(name.bytes().chain([0]));
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(body);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    };
    [entry("member", 0o100_644, body), entry("TRAILER!!!", 0, b"")].concat()
}

/// A program with a zip behind it.
fn behind(body: &[u8]) -> Vec<u8> {
    [&b"#!/bin/sh\nexec java -jar \"$0\"\n"[..], &zip(body)].concat()
}

/// Across the border of what scanners see at a time.
fn late(body: &[u8]) -> Vec<u8> {
    [&noise((4 << 20) - 40, 7), body].concat()
}

fn deb(body: &[u8]) -> Vec<u8> {
    ar(&xz(&in_tar(body)))
}

const WRAPS: [Wrap; 16] = [
    ("plain", |body| body.to_vec()),
    ("gzip", gzip),
    ("bzip2", bzip2),
    ("xz", xz),
    ("zstd", zstd),
    ("lz4", lz4),
    ("zip", zip),
    ("stored-zip", stored),
    ("tar", in_tar),
    ("tar.gz", |body| gzip(&in_tar(body))),
    ("zip-in-zip", |body| zip(&zip(body))),
    ("ar", ar),
    ("deb", deb),
    ("cpio.gz", |body| gzip(&cpio(body))),
    ("script-and-zip", behind),
    ("window-border", late),
];

fn blob(root: &Path, bytes: &[u8], kind: &str) -> Value {
    let digest = sha256(bytes);
    let blobs = root.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("made");
    fs::write(blobs.join(&digest[7..]), bytes).expect("written");
    json!({"mediaType": kind, "digest": digest, "size": bytes.len()})
}

/// Writes an image of layers that are stored already: descriptors with the digests of their tars.
fn image(root: &Path, layers: &[(Value, String)], config: &Value) {
    let mut config = config.clone();
    config["architecture"] = json!("amd64");
    config["os"] = json!("linux");
    config["rootfs"] =
        json!({"type": "layers", "diff_ids": layers.iter().map(|(_, id)| id).collect::<Vec<_>>()});
    let config = blob(root, config.to_string().as_bytes(), "application/vnd.oci.image.config.v1+json");
    let layers: Vec<&Value> = layers.iter().map(|(layer, _)| layer).collect();
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers});
    let manifest = blob(root, manifest.to_string().as_bytes(), kind);
    fs::write(root.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
    fs::write(root.join("index.json"), json!({"schemaVersion": 2, "manifests": [manifest]}).to_string())
        .expect("written");
}

fn gzipped(root: &Path, layer: &[u8]) -> (Value, String) {
    let packed = gzip(layer);
    (blob(root, &packed, "application/vnd.oci.image.layer.v1.tar+gzip"), sha256(layer))
}

fn certified(root: &Path) -> Value {
    let out = Command::new(BIN)
        .args(["--data", "/nonexistent", "certify", "--output", "json"])
        .arg(format!("oci:{}", root.display()))
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text} {}", String::from_utf8_lossy(&out.stderr)))
}

/// Rule and observation of every finding, with its path.
fn findings(verdict: &Value) -> Vec<(String, String)> {
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap_or("").to_owned();
    let all = verdict["findings"].as_array().expect("a list").iter();
    all.map(|f| (word(f, "path"), format!("{} {}", word(f, "rule"), word(f, "observed")))).collect()
}

fn missing(verdict: &Value, planted: &[(String, &str)]) -> Vec<String> {
    let found = findings(verdict);
    let is_found = |path: &str, expected: &str| {
        found.iter().any(|(at, what)| at.starts_with(path) && what.starts_with(expected))
    };
    planted
        .iter()
        .filter(|(path, expected)| !is_found(path, expected))
        .map(|(path, _)| path.clone())
        .collect()
}

fn assert_every_byte_was_scanned(verdict: &Value) {
    for layer in verdict["images"][0]["layers"].as_array().expect("layers") {
        assert_eq!(layer["fileBytes"], layer["scannedBytes"], "{layer}");
        assert_eq!(layer["nestedBytes"], layer["nestedScannedBytes"], "{layer}");
    }
    let silent = findings(verdict).iter().any(|(_, what)| what.starts_with("INC-02"));
    assert!(!silent, "a scanner did not come to its end");
}

#[test]
fn every_threat_in_every_wrapping_is_found_even_when_a_later_layer_deletes_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut planted = Vec::new();
    let mut layers = Vec::new();
    let threats = threats();
    for (wrapping, wrap) in WRAPS {
        let bodies: Vec<(String, Vec<u8>)> = threats
            .iter()
            .map(|threat| (format!("opt/{wrapping}/{}", threat.name), wrap(&threat.bytes)))
            .collect();
        planted
            .extend(bodies.iter().zip(&threats).map(|((path, _), threat)| (path.clone(), threat.expected)));
        let files: Vec<(&str, &[u8])> =
            bodies.iter().map(|(path, body)| (path.as_str(), body.as_slice())).collect();
        layers.push(gzipped(dir.path(), &tar(&files)));
    }
    layers.push(gzipped(dir.path(), &tar(&[(".wh.opt", b"")])));
    image(dir.path(), &layers, &json!({"config": {"User": "app"}}));
    let verdict = certified(dir.path());
    assert!(planted.len() >= 200, "{} plantings", planted.len());
    assert_eq!(missing(&verdict, &planted), [""; 0], "of {} plantings", planted.len());
    println!("{} plantings, all found", planted.len());
    assert_every_byte_was_scanned(&verdict);
    // Nothing is found where nothing was planted.
    let places: BTreeSet<String> = planted.into_iter().map(|(path, _)| path).collect();
    let elsewhere: Vec<_> = findings(&verdict)
        .into_iter()
        .filter(|(path, what)| {
            (what.starts_with("CTR-20") || what.starts_with("CTR-21"))
                && !places.iter().any(|place| path.starts_with(place.as_str()))
        })
        .collect();
    assert_eq!(elsewhere, []);
}

#[test]
fn nesting_is_opened_to_sixteen_and_told_beyond() {
    let dir = tempfile::tempdir().expect("a directory");
    let threats = threats();
    let mut layers = Vec::new();
    let mut planted = Vec::new();
    // A layer for each: beyond 200 findings of one rule, a layer tells only that there are more.
    for threat in &threats[..2] {
        for (name, wrap) in [("zip", zip as fn(&[u8]) -> Vec<u8>), ("gzip", gzip), ("tar", in_tar)] {
            let mut files = Vec::new();
            let mut body = threat.bytes.clone();
            for depth in 0..=16 {
                let path = format!("{}-{name}-{depth:02}", threat.name);
                planted.push((path.clone(), threat.expected));
                files.push((path, body.clone()));
                body = wrap(&body);
            }
            files.push((format!("{}-{name}-17", threat.name), body));
            let files: Vec<(&str, &[u8])> =
                files.iter().map(|(path, body)| (path.as_str(), body.as_slice())).collect();
            layers.push(gzipped(dir.path(), &tar(&files)));
        }
    }
    image(dir.path(), &layers, &json!({"config": {"User": "app"}}));
    let verdict = certified(dir.path());
    assert_eq!(missing(&verdict, &planted), [""; 0]);
    let found = findings(&verdict);
    for name in ["zip", "gzip"] {
        let path = format!("virus-{name}-17");
        let told = found.iter().any(|(at, what)| at.starts_with(&path) && what.starts_with("CTR-29"));
        assert!(told, "{path}: {found:?}");
    }
}

/// One tar entry of any kind, with pax records before it.
fn entry(name: &str, kind: u8, link: &str, body: &[u8], records: &[(&str, &[u8])]) -> Vec<u8> {
    let header = |name: &str, kind: u8, link: &str, size: usize| {
        let mut out = tar(&[(name, b"")])[..512].to_vec();
        out[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        out[156] = kind;
        out[157..157 + link.len()].copy_from_slice(link.as_bytes());
        out[148..156].fill(b' ');
        let sum: u32 = out.iter().map(|byte| u32::from(*byte)).sum();
        out[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out
    };
    let padded = |mut bytes: Vec<u8>| {
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    };
    let mut out = Vec::new();
    if !records.is_empty() {
        let mut pax = Vec::new();
        for (key, value) in records {
            let rest = [&b" "[..], key.as_bytes(), b"=", value, b"\n"].concat();
            let mut length = rest.len() + 1;
            while length != rest.len() + length.to_string().len() {
                length = rest.len() + length.to_string().len();
            }
            pax.extend(length.to_string().bytes().chain(rest));
        }
        out.extend(header("pax", b'x', "", pax.len()));
        out.extend(padded(pax));
    }
    out.extend(header(name, kind, link, body.len()));
    out.extend(padded(body.to_vec()));
    out
}

#[test]
fn threats_beside_the_content_of_files_are_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let threats = threats();
    let virus = std::str::from_utf8(&threats[0].bytes).expect("text").to_owned();
    let mut layer = entry("with-attribute", b'0', "", b"x", &[("SCHILY.xattr.user.note", &threats[0].bytes)]);
    layer.extend(entry("link", b'2', &virus, b"", &[]));
    layer.extend(entry(&format!("name-{virus}"), b'0', "", b"x", &[]));
    layer.resize(layer.len() + 1024, 0);
    let secret = |at: usize| String::from_utf8(threats[at].bytes.clone()).expect("text").trim().to_owned();
    let config = json!({
        "config": {"User": "app", "Env": [format!("A={}", secret(5))], "Cmd": ["run", secret(7)],
            "Labels": {"note": secret(8)}},
        "history": [{"created_by": format!("RUN login {}", secret(9))}],
    });
    image(dir.path(), &[gzipped(dir.path(), &layer)], &config);
    let verdict = certified(dir.path());
    let planted = [("with-attribute#", "CTR-20"), ("link", "CTR-20"), ("name-X5O", "CTR-20")];
    let planted: Vec<(String, &str)> = planted.map(|(path, rule)| (path.to_owned(), rule)).into();
    assert_eq!(missing(&verdict, &planted), [""; 0]);
    for place in ["config: Env", "config: Cmd", "config: Labels", "config: history, step 1"] {
        assert_eq!(missing(&verdict, &[(place.to_owned(), "CTR-21")]), [""; 0]);
    }
    // Of an entry point, with arguments behind it and without.
    for command in [json!(["run"]), json!([])] {
        let config = json!({"config": {"User": "app", "Entrypoint": ["start", secret(7)], "Cmd": command}});
        image(dir.path(), &[gzipped(dir.path(), &layer)], &config);
        let told = certified(dir.path());
        assert_eq!(missing(&told, &[("config: Entrypoint".to_owned(), "CTR-21")]), [""; 0]);
        assert!(!told.to_string().contains("config: Cmd"), "{told}");
    }
    let text = verdict.to_string();
    for threat in &threats[2..] {
        let whole = String::from_utf8_lossy(&threat.bytes).trim().to_owned();
        assert!(!text.contains(&whole), "{} is in the verdict whole", threat.name);
    }
}

#[test]
fn a_virus_behind_two_gigabytes_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let blobs = dir.path().join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("made");
    let virus = &threats()[0].bytes;
    let size = (2_u64 << 30) + 5_000_000;
    let mut header = tar(&[("large", b"")])[..512].to_vec();
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let path = dir.path().join("layer");
    let mut file = fs::File::create(&path).expect("made");
    file.write_all(&header).expect("written");
    file.seek(SeekFrom::Start(512 + size - virus.len() as u64)).expect("sparse");
    file.write_all(virus).expect("written");
    let end = (512 + size).next_multiple_of(512) + 1024;
    file.set_len(end).expect("sized");
    let digest = crate::house::run("sha256sum", &[path.to_str().expect("plain")]);
    let digest = digest.split_whitespace().next().expect("a digest").to_owned();
    fs::rename(&path, blobs.join(&digest)).expect("named");
    let digest = format!("sha256:{digest}");
    let layer = json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": end});
    image(dir.path(), &[(layer, digest)], &json!({"config": {"User": "app"}}));
    let verdict = certified(dir.path());
    assert_eq!(missing(&verdict, &[("large".to_owned(), "CTR-20 virus")]), [""; 0]);
    assert_every_byte_was_scanned(&verdict);
}

/// Makes a file system in a file from a tree; `None` when its tool is absent.
fn file_system(kind: &str, tree: &Path, to: &Path) -> Option<()> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let run = |program: &str, arguments: &[&str]| {
        Command::new(program)
            .args(arguments)
            .env("PATH", &path)
            .output()
            .ok()
            .filter(|out| out.status.success())
    };
    let (tree, file) = (tree.to_str()?, to.to_str()?);
    match kind {
        "ext2" | "ext3" | "ext4" => {
            run("mke2fs", &["-q", "-t", kind, "-d", tree, file, "24M"])?;
        }
        "vfat" => {
            fs::File::create(to).ok()?.set_len(40 << 20).ok()?;
            run("mkfs.vfat", &["-F", "32", file])?;
            run("mcopy", &["-s", "-i", file, &format!("{tree}/planted"), "::/"])?;
        }
        _ => {
            run("genisoimage", &["-quiet", "-R", "-J", "-o", file, tree])?;
        }
    }
    Some(())
}

#[test]
fn threats_in_the_file_systems_of_guests_are_found() {
    if !has("mke2fs") {
        return;
    }
    for kind in ["ext2", "ext3", "ext4", "vfat", "iso9660"] {
        let dir = tempfile::tempdir().expect("a directory");
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("planted")).expect("made");
        let mut planted = Vec::new();
        for threat in threats() {
            for (wrapping, wrap) in [WRAPS[0], WRAPS[1], WRAPS[6]] {
                let path = format!("planted/{}-{wrapping}", threat.name);
                fs::write(tree.join(&path), wrap(&threat.bytes)).expect("written");
                planted.push((path, threat.expected));
            }
        }
        let disk = dir.path().join("disk.raw");
        if file_system(kind, &tree, &disk).is_none() {
            skipped(&format!("skipped: no tool here makes {kind}"));
            continue;
        }
        // A raw disk is a whole number of MiB.
        let length = fs::metadata(&disk).expect("there").len().next_multiple_of(1 << 20);
        fs::OpenOptions::new().write(true).open(&disk).expect("opens").set_len(length).expect("sized");
        let out = Command::new(BIN)
            .args(["--data", "/nonexistent", "certify", disk.to_str().expect("plain"), "--output", "json"])
            .output()
            .expect("it starts");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let verdict: Value = serde_json::from_str(&text)
            .unwrap_or_else(|_| panic!("{kind}: {text} {}", String::from_utf8_lossy(&out.stderr)));
        assert_eq!(missing(&verdict, &planted), [""; 0], "{kind}");
    }
}
