//! A small but real container image, made in memory: three layers, a package database, an entry point.

use anyhow::Context;
use base64::Engine;
use flate2::Compression;
use flate2::write::GzEncoder;
use mercat_artifact::oci::{OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::Path;

const GZIP_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Writes an OCI layout with the tags `latest` and `version`. `planted` puts a private key into the top layer.
pub(crate) fn write(root: &Path, version: &str, planted: bool) -> anyhow::Result<()> {
    let blobs = root.join("blobs/sha256");
    fs_err::create_dir_all(&blobs)?;
    let base = layer(&[
        Member::Directory("etc"),
        Member::File("etc/os-release", OS_RELEASE.as_bytes(), 0o644),
        Member::File(
            "etc/passwd",
            b"root:x:0:0:root:/root:/sbin/nologin\napp:x:1000:1000::/srv:/sbin/nologin\n",
            0o644,
        ),
        Member::Directory("var/lib/dpkg"),
        Member::File("var/lib/dpkg/status", DPKG.as_bytes(), 0o644),
    ])?;
    let library = layer(&[
        Member::Directory("usr/share/greeter"),
        Member::File("usr/share/greeter/words.txt", "hello\nこんにちは\n".repeat(2000).as_bytes(), 0o644),
    ])?;
    let key = if planted { private_key()? } else { String::new() };
    let program = program();
    let mut top = vec![
        Member::Directory("usr/bin"),
        Member::File("usr/bin/greeter", &program, 0o755),
        Member::File("usr/share/greeter/version", version.as_bytes(), 0o644),
    ];
    if planted {
        top.push(Member::Directory("srv/.ssh"));
        top.push(Member::File("srv/.ssh/id_ed25519", key.as_bytes(), 0o600));
    }
    let layers = [base, library, layer(&top)?];
    let put = |bytes: &[u8], kind: &str| -> anyhow::Result<Value> {
        let digest = hex(bytes);
        fs_err::write(blobs.join(&digest), bytes)?;
        Ok(json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": bytes.len()}))
    };
    let diff_ids: Vec<String> = layers.iter().map(|(tar, _)| format!("sha256:{}", hex(tar))).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": {
            "User": "1000", "Entrypoint": ["/usr/bin/greeter"], "WorkingDir": "/srv",
            "Labels": {
                "org.opencontainers.image.title": "Greeter", "org.opencontainers.image.version": version,
                "org.opencontainers.image.source": "https://example.org/greeter",
                "org.opencontainers.image.licenses": "Apache-2.0", "org.opencontainers.image.vendor": "Aurora Labs",
            },
        },
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": layers.iter().map(|_| json!({"created_by": "mercat demo"})).collect::<Vec<_>>(),
    });
    let config = put(config.to_string().as_bytes(), OCI_CONFIG)?;
    let layers = layers.iter().map(|(_, gz)| put(gz, GZIP_LAYER)).collect::<anyhow::Result<Vec<_>>>()?;
    let manifest = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers});
    let manifest = put(manifest.to_string().as_bytes(), OCI_MANIFEST)?;
    let tagged = |tag: &str| {
        let mut entry = manifest.clone();
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        entry
    };
    let index =
        json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [tagged("latest"), tagged(version)]});
    fs_err::write(root.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    std::fs::write(root.join("index.json"), index.to_string()).context("the demo image")
}

enum Member<'a> {
    Directory(&'a str),
    File(&'a str, &'a [u8], u32),
}

/// Uncompressed and gzip form of a layer.
fn layer(members: &[Member<'_>]) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let mut tar = Vec::new();
    for member in members {
        let (name, body, mode, kind): (String, &[u8], u32, u8) = match member {
            Member::Directory(name) => (format!("{name}/"), b"", 0o755, b'5'),
            Member::File(name, body, mode) => ((*name).to_owned(), body, *mode, b'0'),
        };
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(format!("{mode:07o}\0").as_bytes());
        header[108..116].copy_from_slice(b"0000000\0");
        header[116..124].copy_from_slice(b"0000000\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", body.len()).as_bytes());
        header[136..148].copy_from_slice(b"00000000000\0");
        header[148..156].copy_from_slice(b"        ");
        header[156] = kind;
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend_from_slice(&header);
        tar.extend_from_slice(body);
        tar.resize(tar.len().div_ceil(512) * 512, 0);
    }
    tar.resize(tar.len() + 1024, 0);
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    gz.write_all(&tar)?;
    Ok((tar, gz.finish()?))
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key that looks real and opens nothing.
fn private_key() -> anyhow::Result<String> {
    let mut random = [0; 180];
    getrandom::fill(&mut random).map_err(|_| anyhow::anyhow!("the system gives no randomness"))?;
    // What does not begin like a key is none to the scanner.
    random[..15].copy_from_slice(b"openssh-key-v1\0");
    let body = base64::engine::general_purpose::STANDARD.encode(random);
    let lines: Vec<&str> =
        (0..body.len()).step_by(70).map(|at| &body[at..(at + 70).min(body.len())]).collect();
    let name = ["OPENSSH PRIV", "ATE KEY"].concat();
    Ok(format!("-----BEGIN {name}-----\n{}\n-----END {name}-----\n", lines.join("\n")))
}

/// A static ELF program for Linux on x86-64 that writes one line and ends.
fn program() -> Vec<u8> {
    let text = b"hello from the market square\n";
    let base: u64 = 0x40_0000;
    let start: u64 = 64 + 56;
    let code_bytes: u64 = 39;
    let message = base + start + code_bytes;
    let mut code = vec![0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0x48, 0xbe];
    code.extend_from_slice(&message.to_le_bytes());
    code.push(0xba);
    code.extend_from_slice(&u32::try_from(text.len()).unwrap_or(0).to_le_bytes());
    code.extend_from_slice(&[0x0f, 0x05, 0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05]);
    code.resize(usize::try_from(code_bytes).unwrap_or(0), 0x90);
    let size = start + code_bytes + text.len() as u64;
    let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    elf.extend_from_slice(&2_u16.to_le_bytes());
    elf.extend_from_slice(&62_u16.to_le_bytes());
    elf.extend_from_slice(&1_u32.to_le_bytes());
    elf.extend_from_slice(&(base + start).to_le_bytes());
    elf.extend_from_slice(&64_u64.to_le_bytes());
    elf.extend_from_slice(&0_u64.to_le_bytes());
    elf.extend_from_slice(&0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 0, 0, 0] {
        elf.extend_from_slice(&half.to_le_bytes());
    }
    elf.extend_from_slice(&1_u32.to_le_bytes());
    elf.extend_from_slice(&5_u32.to_le_bytes());
    for word in [0, base, base, size, size, 0x1000] {
        elf.extend_from_slice(&word.to_le_bytes());
    }
    elf.extend_from_slice(&code);
    elf.extend_from_slice(text);
    elf
}

const OS_RELEASE: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n";

const DPKG: &str = "Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 12.4+deb12u11\n\n\
Package: ca-certificates\nStatus: install ok installed\nArchitecture: all\nVersion: 20230311\n\n\
Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nSource: openssl\nVersion: 3.0.17-1~deb12u2\n\n\
Package: tzdata\nStatus: install ok installed\nArchitecture: all\nVersion: 2025b-0+deb12u1\n";

/// OSV records about the demo's distribution: invented, so that the vulnerability check has something to weigh.
pub(crate) const ADVISORIES: [&str; 2] = [
    r#"{"id": "DEMO-2026-0001", "modified": "NOW", "aliases": [],
        "affected": [{"package": {"ecosystem": "Debian:12", "name": "openssl"},
        "database_specific": {"severity": "high"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.0.15-1~deb12u1"}]}]}]}"#,
    r#"{"id": "DEMO-2026-0002", "modified": "NOW", "aliases": [],
        "affected": [{"package": {"ecosystem": "Debian:12", "name": "tzdata"},
        "database_specific": {"severity": "low"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]}"#,
];
