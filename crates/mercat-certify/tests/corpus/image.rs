//! Images in memory.

use super::bytes::tar_of;
use mercat_certify::Blobs;
use mercat_domain::Digest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
pub(super) const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(super) const TAR_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

pub(super) fn digest(bytes: &[u8]) -> Digest {
    Digest::from_sha256(&Sha256::digest(bytes))
}

/// A descriptor of some bytes.
pub(super) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(bytes).to_string(), "size": bytes.len()})
}

/// Blobs, and the digest of the document at their root.
#[derive(Clone)]
pub(super) struct Image {
    pub(super) root: Digest,
    blobs: BTreeMap<String, Vec<u8>>,
}

impl Image {
    pub(super) fn of(root: &[u8], blobs: &[&[u8]]) -> Self {
        let root_too = [root];
        let all = blobs.iter().chain(&root_too).map(|bytes| (digest(bytes).to_string(), bytes.to_vec()));
        Self { root: digest(root), blobs: all.collect() }
    }

    /// An image of layers: media type, blob, and the tar in it.
    pub(super) fn of_layers(layers: &[(&str, Vec<u8>, &[u8])]) -> Self {
        let ids: Vec<String> = layers.iter().map(|(_, _, tar)| digest(tar).to_string()).collect();
        let config = config(&ids).to_string();
        let listed: Vec<Value> = layers.iter().map(|(kind, blob, _)| descriptor(kind, blob)).collect();
        let root = manifest(&config, &listed).to_string();
        let blobs: Vec<&[u8]> =
            layers.iter().map(|(_, blob, _)| &blob[..]).chain([config.as_bytes()]).collect();
        Self::of(root.as_bytes(), &blobs)
    }

    /// An image of one layer that is a plain tar.
    pub(super) fn of_tar(tar: &[u8]) -> Self {
        Self::of_layers(&[(TAR, tar.to_vec(), tar)])
    }

    /// An image with one file in it.
    pub(super) fn of_file(path: &str, content: &[u8]) -> Self {
        Self::of_tar(&tar_of(&[(path, content)]))
    }

    /// Puts other bytes behind the digest of a blob, or takes it away.
    pub(super) fn spoil(mut self, blob: &[u8], bytes: Option<&[u8]>) -> Self {
        let key = digest(blob).to_string();
        match bytes {
            Some(bytes) => self.blobs.insert(key, bytes.to_vec()),
            None => self.blobs.remove(&key),
        };
        self
    }
}

impl Blobs for Image {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.blobs.get(digest.as_str()).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(bytes.clone())))
    }
    fn size(&self, digest: &Digest) -> io::Result<u64> {
        let bytes = self.blobs.get(digest.as_str()).ok_or(io::ErrorKind::NotFound)?;
        Ok(bytes.len() as u64)
    }
}

/// A config that no rule has anything to say about.
pub(super) fn config(diff_ids: &[String]) -> Value {
    let labels = ["title", "version", "source", "licenses", "vendor"]
        .map(|label| (format!("org.opencontainers.image.{label}"), json!("x")));
    json!({
        "architecture": "amd64", "os": "linux",
        "config": {"User": "1000", "Labels": Value::Object(labels.into_iter().collect())},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    })
}

pub(super) fn manifest(config: &str, layers: &[Value]) -> Value {
    let config = descriptor(CONFIG, config.as_bytes());
    json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers})
}
