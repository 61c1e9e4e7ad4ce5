//! Reads a disk from its chunks.

use super::{DiskIndex, Extents, parse_segment};
use crate::Depot;
use mercat_artifact::ReadError;
use mercat_disk::ReadAt;
use mercat_domain::Digest;
use sha2::{Digest as _, Sha256};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Chunks that are held in memory.
const HELD: usize = 64;

/// Gives blobs whole; blocking.
pub trait ChunkSource: Send + Sync {
    /// The bytes of a blob, at most `limit` of them.
    ///
    /// # Errors
    /// When they cannot be had or are more.
    fn get(&self, digest: &Digest, limit: u64) -> io::Result<Vec<u8>>;
}

/// The depot, for threads that block.
struct FromDepot {
    depot: Depot,
    runtime: Handle,
}

impl ChunkSource for FromDepot {
    fn get(&self, digest: &Digest, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = match self.depot.local_path(digest) {
            Some(path) => read_file(&path, limit)?,
            None => self.runtime.block_on(self.depot.get(digest)).map_err(io::Error::other)?.to_vec(),
        };
        Ok(bytes)
    }
}

/// Reads a plain file of at most `limit` bytes.
///
/// # Errors
/// When it is something else, or longer.
pub fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let meta = std::fs::symlink_metadata(path)?;
    if !meta.is_file() || meta.len() > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a blob of the announced size"));
    }
    std::fs::read(path)
}

impl Depot {
    /// Blobs for threads that block.
    pub fn chunks(&self, runtime: Handle) -> Box<dyn ChunkSource> {
        Box::new(FromDepot { depot: self.clone(), runtime })
    }
}

#[derive(Debug, Clone)]
struct Extent {
    at: u64,
    size: u64,
    digest: [u8; 32],
}

/// A chunk in memory, under its digest; the newest last.
type Held = ([u8; 32], Arc<Vec<u8>>);

/// A stored disk as one address space. What is read is checked against its digest.
pub struct Stored {
    index: DiskIndex,
    extents: Vec<Extent>,
    source: Box<dyn ChunkSource>,
    held: Mutex<Vec<Held>>,
}

/// Largest manifest or config that is read.
const DOCUMENT_BYTES_MAX: u64 = 64 << 20;

impl Stored {
    /// Opens the disk of an index. Its segments are read here, its chunks when they are wanted.
    ///
    /// # Errors
    /// When a document is missing, damaged or not that of a disk.
    pub fn open(root: &Digest, source: Box<dyn ChunkSource>) -> Result<Self, ReadError> {
        let broken = |what: String| ReadError::Io(io::Error::new(io::ErrorKind::InvalidData, what));
        let document = |digest: &Digest| -> Result<Vec<u8>, ReadError> {
            let bytes = source.get(digest, DOCUMENT_BYTES_MAX)?;
            check(digest, &bytes)?;
            Ok(bytes)
        };
        let index = DiskIndex::parse(root, &document(root)?).map_err(|error| broken(error.to_string()))?;
        let mut extents: Vec<Extent> = Vec::new();
        for (at, digest) in &index.segments {
            let segment =
                parse_segment(digest, &document(digest)?).map_err(|error| broken(error.to_string()))?;
            let config = Digest::parse(&segment.config.digest).ok_or_else(|| broken("a digest".into()))?;
            let listed: Extents =
                serde_json::from_slice(&document(&config)?).map_err(|error| broken(error.to_string()))?;
            for (offset, layer) in listed.extents {
                let layer = segment.layers.get(layer as usize).ok_or_else(|| broken("a layer".into()))?;
                let digest = Digest::parse(&layer.digest).ok_or_else(|| broken("a digest".into()))?;
                extents.push(Extent {
                    at: at.saturating_mul(index.span).saturating_add(offset),
                    size: layer.size,
                    digest: digest.to_raw(),
                });
            }
        }
        let mut end = 0;
        for extent in &extents {
            if extent.at < end || extent.size == 0 {
                return Err(broken(format!("chunks overlap at {}", extent.at)));
            }
            end = extent.at.saturating_add(extent.size);
        }
        if end > index.size {
            return Err(broken("a chunk reaches behind the end".into()));
        }
        Ok(Self { index, extents, source, held: Mutex::default() })
    }

    /// What the index says.
    pub fn index(&self) -> &DiskIndex {
        &self.index
    }

    fn chunk(&self, extent: &Extent) -> Result<Arc<Vec<u8>>, ReadError> {
        let lock = || self.held.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut held = lock();
            if let Some(at) = held.iter().rposition(|(digest, _)| *digest == extent.digest) {
                let found = held.remove(at);
                held.push(found.clone());
                return Ok(found.1);
            }
        }
        let digest = Digest::from_sha256(&extent.digest);
        let bytes = self.source.get(&digest, extent.size)?;
        check(&digest, &bytes)?;
        if bytes.len() as u64 != extent.size {
            return Err(ReadError::Io(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{digest} is short"),
            )));
        }
        let bytes = Arc::new(bytes);
        let mut held = lock();
        if held.len() >= HELD {
            held.remove(0);
        }
        held.push((extent.digest, bytes.clone()));
        Ok(bytes)
    }

    /// The first extent that ends behind an offset.
    fn first(&self, offset: u64) -> usize {
        self.extents.partition_point(|extent| extent.at + extent.size <= offset)
    }
}

fn check(digest: &Digest, bytes: &[u8]) -> io::Result<()> {
    if Digest::from_sha256(&Sha256::digest(bytes)) == *digest {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("{digest} is damaged in the depot")))
}

impl ReadAt for Stored {
    fn size(&self) -> u64 {
        self.index.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let end = offset.checked_add(buffer.len() as u64).filter(|end| *end <= self.index.size);
        let Some(end) = end else { return Err(mercat_disk::past_the_end(offset, buffer.len())) };
        buffer.fill(0);
        for extent in self.extents[self.first(offset)..].iter().take_while(|extent| extent.at < end) {
            let from = extent.at.max(offset);
            let to = (extent.at + extent.size).min(end);
            let bytes = self.chunk(extent)?;
            let part = &bytes[(from - extent.at) as usize..(to - extent.at) as usize];
            buffer[(from - offset) as usize..(to - offset) as usize].copy_from_slice(part);
        }
        Ok(())
    }

    fn next_data(&self, offset: u64) -> Result<Option<Range<u64>>, ReadError> {
        let mut at = self.first(offset);
        let Some(extent) = self.extents.get(at) else { return Ok(None) };
        let start = extent.at.max(offset);
        let mut end = extent.at + extent.size;
        at += 1;
        // Bounded, so that walking a full disk range by range does not look at every extent each time.
        let last = at + 256;
        while let Some(extent) = self.extents.get(at).filter(|extent| extent.at == end && at < last) {
            end = extent.at + extent.size;
            at += 1;
        }
        Ok(Some(start..end))
    }
}
