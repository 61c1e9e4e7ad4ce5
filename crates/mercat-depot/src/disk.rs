//! Disks as chunks: an OCI index over segments of the address space, each an artifact
//! manifest whose layers are the chunks of that segment.
//!
//! A chunk has the same digest wherever it appears, so two versions of a disk, or two offers, share
//! what they have in common, and every copy of a region sends it once. Zeros have no chunk.
//! Offsets in a segment count from its start: a segment that did not change keeps its digest.

mod chunks;
mod stored;
mod write;

pub use stored::{ChunkSource, Stored, read_file};
pub use write::{DiskWriter, Stage};

use crate::{Depot, DepotError};
use mercat_artifact::oci::{OCI_INDEX, OCI_MANIFEST};
use mercat_disk::Facts;
use mercat_domain::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Artifact type of the index.
pub const DISK_TYPE: &str = "application/vnd.mercat.disk.v1";
/// Artifact type of a segment.
const SEGMENT_TYPE: &str = "application/vnd.mercat.disk.segment.v1";
/// Media type of a segment's config: where its chunks lie.
const EXTENTS_TYPE: &str = "application/vnd.mercat.disk.extents.v1+json";
/// Media type of a chunk.
const CHUNK_TYPE: &str = "application/vnd.mercat.disk.chunk.v1";

const SIZE_KEY: &str = "mercat.disk.size";
const DIGEST_KEY: &str = "mercat.disk.digest";
const FACTS_KEY: &str = "mercat.disk.facts";
const SPAN_KEY: &str = "mercat.disk.span";
const AT_KEY: &str = "mercat.disk.segment";

/// Bytes of address space of one segment: at least 256 MiB, and at most 128 segments a disk.
pub fn span(disk_bytes: u64) -> u64 {
    (disk_bytes / 128).next_power_of_two().max(256 << 20)
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: String,
    artifact_type: String,
    manifests: Vec<Described>,
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Segment {
    schema_version: u32,
    media_type: String,
    artifact_type: String,
    config: Described,
    layers: Vec<Described>,
}

/// Where the chunks of a segment lie: offset in the segment, index of the layer.
#[derive(Debug, Serialize, Deserialize)]
struct Extents {
    extents: Vec<(u64, u32)>,
}

/// What the index says about its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskIndex {
    /// Digest of the index.
    pub root: Digest,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Bytes of the disk.
    pub size: u64,
    /// The disk's digest, whatever its container: [`mercat_disk::digest`].
    pub disk: Digest,
    /// The container that it came in.
    pub facts: Facts,
    /// Bytes of address space of a segment.
    pub span: u64,
    /// Segments that hold data: position and manifest.
    pub segments: Vec<(u64, Digest)>,
}

/// Why a stored disk cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The depot failed.
    #[error("the depot could not give it")]
    Depot(#[from] DepotError),
    /// A document in the depot is not what we wrote.
    #[error("{0} does not describe a disk: {1}")]
    Broken(Digest, String),
}

impl DiskIndex {
    /// Reads an index that lies in the depot under its digest.
    ///
    /// # Errors
    /// When the bytes are not those of a disk's index.
    pub fn parse(root: &Digest, bytes: &[u8]) -> Result<Self, DiskError> {
        let broken = |what: &str| DiskError::Broken(root.clone(), what.to_owned());
        let index: Index = serde_json::from_slice(bytes).map_err(|error| broken(&error.to_string()))?;
        if index.artifact_type != DISK_TYPE {
            return Err(broken("another artifact type"));
        }
        let note = |key: &str| index.annotations.get(key).map(String::as_str).ok_or_else(|| broken(key));
        let number = |text: &str| text.parse::<u64>().map_err(|_| broken("a number"));
        let size = number(note(SIZE_KEY)?)?;
        let span = number(note(SPAN_KEY)?)?;
        let mut segments = Vec::new();
        for entry in &index.manifests {
            let at = number(entry.annotations.get(AT_KEY).map_or("", String::as_str))?;
            let digest = Digest::parse(&entry.digest).ok_or_else(|| broken("a digest"))?;
            segments.push((at, digest));
        }
        if span == 0 || segments.iter().any(|(at, _)| at.checked_mul(span).is_none_or(|at| at >= size)) {
            return Err(broken("a segment behind the end"));
        }
        Ok(Self {
            root: root.clone(),
            index_bytes: bytes.len() as u64,
            size,
            disk: Digest::parse(note(DIGEST_KEY)?).ok_or_else(|| broken(DIGEST_KEY))?,
            facts: serde_json::from_str(note(FACTS_KEY)?).map_err(|error| broken(&error.to_string()))?,
            span,
            segments,
        })
    }

    /// Reads the index of a disk from the depot.
    ///
    /// # Errors
    /// See [`DiskError`].
    pub async fn load(depot: &Depot, root: &Digest) -> Result<Self, DiskError> {
        Self::parse(root, &depot.get(root).await?)
    }

    /// Digest of what is stored, without the container that it came in: disks with the same one have the same
    /// chunks at the same places.
    pub fn content(&self) -> Digest {
        let mut text = format!("{}\n{}\n", self.size, self.span);
        for (at, digest) in &self.segments {
            text.push_str(&format!("{at} {digest}\n"));
        }
        Digest::from_sha256(&Sha256::digest(text.as_bytes()))
    }

    /// Everything that a copy of the disk needs.
    ///
    /// # Errors
    /// See [`DiskError`].
    pub async fn holdings(&self, depot: &Depot) -> Result<Holdings, DiskError> {
        let mut out = Holdings { manifests: vec![(self.root.clone(), OCI_INDEX.to_owned())], blobs: vec![] };
        for (_, digest) in &self.segments {
            let bytes = depot.get(digest).await?;
            let segment = parse_segment(digest, &bytes)?;
            out.manifests.push((digest.clone(), OCI_MANIFEST.to_owned()));
            for blob in std::iter::once(&segment.config).chain(&segment.layers) {
                let digest = Digest::parse(&blob.digest)
                    .ok_or_else(|| DiskError::Broken(digest.clone(), "a digest".to_owned()))?;
                out.blobs.push((digest, blob.size));
            }
        }
        out.manifests.sort();
        out.manifests.dedup();
        out.blobs.sort();
        out.blobs.dedup();
        Ok(out)
    }
}

/// The documents and blobs of a disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Index and segments with their media types.
    pub manifests: Vec<(Digest, String)>,
    /// Extents and chunks with their sizes in bytes.
    pub blobs: Vec<(Digest, u64)>,
}

fn parse_segment(digest: &Digest, bytes: &[u8]) -> Result<Segment, DiskError> {
    let broken = |what: String| DiskError::Broken(digest.clone(), what);
    let segment: Segment = serde_json::from_slice(bytes).map_err(|error| broken(error.to_string()))?;
    if segment.artifact_type != SEGMENT_TYPE {
        return Err(broken("another artifact type".to_owned()));
    }
    Ok(segment)
}

#[cfg(test)]
mod tests;
