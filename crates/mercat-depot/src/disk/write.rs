//! Stores a disk while its data goes by, and goes on after a crash.

use super::chunks::{Chunker, Sizes};
use super::{
    AT_KEY, CHUNK_TYPE, DIGEST_KEY, DISK_TYPE, Described, EXTENTS_TYPE, Extents, FACTS_KEY, Index,
    SEGMENT_TYPE, SIZE_KEY, SPAN_KEY, Segment, span,
};
use crate::{Depot, DepotError};
use bytes::Bytes;
use mercat_artifact::oci::{OCI_INDEX, OCI_MANIFEST};
use mercat_disk::Facts;
use mercat_disk::digest::DiskDigest;
use mercat_domain::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};
use tokio::runtime::Handle;

/// Chunks that wait to become durable together, in bytes.
const SETTLE_BYTES: u64 = 256 << 20;

/// How far a disk is stored. Kept by the caller after each segment, so that a next try goes on there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Offset from which data is still wanted.
    pub from: u64,
    size: u64,
    file_bytes: u64,
    lines: String,
    segments: Vec<(u64, String, u64)>,
}

impl Stage {
    /// Whether it was kept for an image that says the same of itself.
    pub fn fits(&self, facts: &Facts) -> bool {
        self.size == facts.virtual_bytes && self.file_bytes == facts.file_bytes
    }
}

/// Writes one disk. Blocking: for a thread of its own, with the runtime at hand.
pub struct DiskWriter<'a> {
    depot: &'a Depot,
    runtime: Handle,
    facts: Facts,
    span: u64,
    digest: DiskDigest,
    chunker: Chunker,
    open: u64,
    segment: Vec<(u64, Digest, u64)>,
    segments: Vec<(u64, String, u64)>,
    unsettled: u64,
    /// Bytes of chunks that the depot did not have.
    pub new_bytes: u64,
}

impl<'a> DiskWriter<'a> {
    /// Begins, or goes on behind the segments of an earlier try at the same disk.
    pub fn new(depot: &'a Depot, runtime: Handle, facts: Facts, stage: Option<Stage>) -> Self {
        let stage = stage.unwrap_or_default();
        let size = facts.virtual_bytes;
        let span = span(size);
        Self {
            depot,
            runtime,
            span,
            digest: DiskDigest::resume(size, stage.lines),
            chunker: Chunker::new(Sizes::of(span)),
            open: stage.from / span,
            segment: Vec::new(),
            segments: stage.segments,
            facts,
            unsettled: 0,
            new_bytes: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn set_span(&mut self, span: u64) {
        self.open = self.open * self.span / span;
        self.span = span;
    }

    /// Takes data behind all that came before; `Some` when segments became durable: the stage to keep.
    ///
    /// # Errors
    /// When the depot fails.
    pub fn data(&mut self, mut offset: u64, mut bytes: &[u8]) -> Result<Option<Stage>, DepotError> {
        let mut stage = None;
        while !bytes.is_empty() {
            let index = offset / self.span;
            if index != self.open {
                self.close()?;
                self.open = index;
                stage = Some(self.stage());
            }
            let here = ((index + 1) * self.span - offset).min(bytes.len() as u64);
            let (now, rest) = bytes.split_at(usize::try_from(here).unwrap_or(bytes.len()));
            self.digest.data(offset, now);
            self.chunk(offset, now)?;
            offset += here;
            bytes = rest;
        }
        Ok(stage)
    }

    fn chunk(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DepotError> {
        let mut found = Vec::new();
        let (depot, runtime) = (self.depot, &self.runtime);
        self.chunker.data(offset, bytes, &mut put(depot, runtime, &mut found, &mut self.new_bytes))?;
        self.take(found)
    }

    fn take(&mut self, found: Vec<(u64, Digest, u64)>) -> Result<(), DepotError> {
        for (offset, digest, size) in found {
            self.unsettled += size;
            self.segment.push((offset - self.open * self.span, digest, size));
        }
        if self.unsettled >= SETTLE_BYTES {
            self.depot.settle()?;
            self.unsettled = 0;
        }
        Ok(())
    }

    fn stage(&mut self) -> Stage {
        Stage {
            from: self.open * self.span,
            size: self.facts.virtual_bytes,
            file_bytes: self.facts.file_bytes,
            lines: self.digest.lines().to_owned(),
            segments: self.segments.clone(),
        }
    }

    fn close(&mut self) -> Result<(), DepotError> {
        let mut found = Vec::new();
        self.chunker.end(&mut put(self.depot, &self.runtime, &mut found, &mut self.new_bytes))?;
        self.take(found)?;
        // What a manifest names is durable before the manifest is.
        self.depot.settle()?;
        self.unsettled = 0;
        let chunks = std::mem::take(&mut self.segment);
        if chunks.is_empty() {
            return Ok(());
        }
        let mut layers: Vec<Described> = Vec::new();
        let mut known: HashMap<Digest, u32> = HashMap::new();
        let mut extents = Vec::new();
        for (offset, digest, size) in chunks {
            let next = u32::try_from(layers.len()).unwrap_or(u32::MAX);
            let layer = *known.entry(digest.clone()).or_insert_with(|| {
                layers.push(described(CHUNK_TYPE, &digest, size));
                next
            });
            extents.push((offset, layer));
        }
        let config = self.document(&Extents { extents })?;
        let segment = Segment {
            schema_version: 2,
            media_type: OCI_MANIFEST.to_owned(),
            artifact_type: SEGMENT_TYPE.to_owned(),
            config: described(EXTENTS_TYPE, &config.0, config.1),
            layers,
        };
        let (digest, size) = self.document(&segment)?;
        self.segments.push((self.open, digest.to_string(), size));
        Ok(())
    }

    fn document(&self, value: &impl Serialize) -> Result<(Digest, u64), DepotError> {
        let bytes = serde_json::to_vec(value).map_err(|error| DepotError::Stream(error.into()))?;
        let size = bytes.len() as u64;
        Ok((self.runtime.block_on(self.depot.put(Bytes::from(bytes)))?, size))
    }

    /// Stores the index; the disk is whole.
    ///
    /// # Errors
    /// When the depot fails.
    pub fn finish(mut self) -> Result<(Digest, u64), DepotError> {
        self.close()?;
        let manifests = std::mem::take(&mut self.segments)
            .into_iter()
            .filter_map(|(at, digest, size)| {
                let mut entry = described(OCI_MANIFEST, &Digest::parse(&digest)?, size);
                entry.artifact_type = Some(SEGMENT_TYPE.to_owned());
                entry.annotations.insert(AT_KEY.to_owned(), at.to_string());
                Some(entry)
            })
            .collect();
        let facts = serde_json::to_string(&self.facts).map_err(|error| DepotError::Stream(error.into()))?;
        let digest = std::mem::replace(&mut self.digest, DiskDigest::new(0)).finish();
        let annotations = BTreeMap::from([
            (SIZE_KEY.to_owned(), self.facts.virtual_bytes.to_string()),
            (SPAN_KEY.to_owned(), self.span.to_string()),
            (DIGEST_KEY.to_owned(), digest.to_string()),
            (FACTS_KEY.to_owned(), facts),
        ]);
        self.document(&Index {
            schema_version: 2,
            media_type: OCI_INDEX.to_owned(),
            artifact_type: DISK_TYPE.to_owned(),
            manifests,
            annotations,
        })
    }
}

fn described(media_type: &str, digest: &Digest, size: u64) -> Described {
    Described {
        media_type: media_type.to_owned(),
        digest: digest.to_string(),
        size,
        artifact_type: None,
        annotations: BTreeMap::new(),
    }
}

fn put<'b>(
    depot: &'b Depot,
    runtime: &'b Handle,
    found: &'b mut Vec<(u64, Digest, u64)>,
    new_bytes: &'b mut u64,
) -> impl FnMut(u64, &[u8]) -> Result<(), DepotError> + use<'b> {
    move |offset, bytes| {
        let digest = Digest::from_sha256(&Sha256::digest(bytes));
        if depot.put_unsettled(runtime, &digest, bytes)? {
            *new_bytes += bytes.len() as u64;
        }
        found.push((offset, digest, bytes.len() as u64));
        Ok(())
    }
}
