//! Layers: compression, tar, and the whole scan.

use mercat_artifact::layer::tar::TarReader;
use mercat_artifact::layer::{Caps, LayerReader};
use mercat_artifact::oci::Compression;
use mercat_certify::advisories::Advisories;
use mercat_certify::{Blobs, Extra, Knowledge, LayerFacts, Reused, Specimen};
use mercat_domain::Digest;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::sync::OnceLock;

/// A layer, entry by entry, content too.
pub fn layer(data: &[u8], compression: Compression) {
    let caps = Caps { unpacked_bytes: crate::READ_BYTES_MAX, ..Caps::default() };
    let mut tar = TarReader::new(LayerReader::new(data, compression, caps), 10_000);
    let mut buffer = [0; 4096];
    while let Ok(Some(entry)) = tar.next_entry() {
        assert!(!entry.path.starts_with('/'), "{:?}", entry.path);
        assert!(!entry.path.split('/').any(|part| part == ".."), "{:?}", entry.path);
        let _ = entry.whiteout();
        while let Ok(1..) = tar.read_body(&mut buffer) {}
    }
}

/// The stream alone.
pub fn stream(data: &[u8], compression: Compression) {
    let caps = Caps { unpacked_bytes: crate::READ_BYTES_MAX, ..Caps::default() };
    let _ = crate::drain(&mut LayerReader::new(data, compression, caps));
}

struct Memory(BTreeMap<String, Vec<u8>>);

impl Memory {
    fn add(&mut self, bytes: &[u8]) -> Digest {
        let digest = Digest::from_sha256(&Sha256::digest(bytes));
        self.0.insert(digest.to_string(), bytes.to_vec());
        digest
    }
}

impl Blobs for Memory {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.0.get(digest.as_str()).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(bytes.clone())))
    }
    fn size(&self, digest: &Digest) -> io::Result<u64> {
        Ok(self.0.get(digest.as_str()).ok_or(io::ErrorKind::NotFound)?.len() as u64)
    }
}

struct Nothing;

impl Reused for Nothing {
    fn find(&self, _: &str) -> Option<LayerFacts> {
        None
    }
    fn keep(&self, _: &str, _: &LayerFacts) {}
    fn progress(&self, _: u64, _: u64) {}
}

/// An image of one plain layer, through every scanner to the verdict. Bytes that are no tar are a file in
/// one, so that archives and inventories are reached: the first byte chooses its name.
pub fn scan(data: &[u8]) {
    const NAMES: [&str; 18] = [
        "",
        "a",
        "usr/bin/x",
        "var/lib/dpkg/status",
        "lib/apk/db/installed",
        "var/lib/rpm/Packages",
        "usr/lib/sysimage/rpm/Packages.db",
        "var/lib/rpm/rpmdb.sqlite",
        "etc/os-release",
        "app/x.jar",
        "app/package-lock.json",
        "app/bom.json",
        "app/yarn.lock",
        "app/pnpm-lock.yaml",
        "app/x.deps.json",
        "app/Gemfile.lock",
        "p/x.dist-info/METADATA",
        "etc/passwd",
    ];
    static KNOWLEDGE: OnceLock<Knowledge> = OnceLock::new();
    let knowledge = KNOWLEDGE.get_or_init(|| {
        Knowledge::load(&Extra::default(), Advisories::default()).unwrap_or_else(|error| panic!("{error}"))
    });
    let Some((choice, body)) = data.split_first() else { return };
    let name = NAMES[usize::from(*choice) % NAMES.len()];
    let layer = if name.is_empty() { body.to_vec() } else { tar(name, body) };
    let mut blobs = Memory(BTreeMap::new());
    let size = layer.len();
    let digest = blobs.add(&layer);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{digest}"]}}}}"#
    );
    let of_config = blobs.add(config.as_bytes());
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{of_config}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{digest}","size":{size}}}]}}"#,
        config.len()
    );
    let root = blobs.add(manifest.as_bytes());
    let specimen = Specimen { root, blobs: &blobs };
    let verdict = mercat_certify::inspect(&specimen, knowledge, &Nothing).expect("bytes in memory are there");
    let _ = verdict.to_json();
}

fn tar(name: &str, body: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..107].copy_from_slice(b"0000755");
    header[124..135].copy_from_slice(format!("{:011o}", body.len()).as_bytes());
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut out = [header, body.to_vec()].concat();
    out.resize(out.len().next_multiple_of(512) + 1024, 0);
    out
}
