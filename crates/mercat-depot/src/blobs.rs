//! Blobs by digest, written once, verified while they are written.

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use mercat_domain::Digest;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload};
use sha2::{Digest as _, Sha256};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const PART_BYTES: usize = 8 << 20;
/// Bytes per second, on average over a minute, below which a stream is given up.
const RATE_MIN: u64 = 1024;

/// Why a blob was not stored or read.
#[derive(Debug, thiserror::Error)]
pub enum DepotError {
    /// The store did not answer, or has no room.
    #[error("the blob store is not available")]
    Store(#[source] object_store::Error),
    /// The bytes are not those of the digest.
    #[error("{wanted} with {wanted_bytes} bytes was announced, {found} with {found_bytes} bytes came")]
    Mismatch {
        /// As announced.
        wanted: String,
        /// As announced.
        wanted_bytes: u64,
        /// As computed.
        found: String,
        /// As counted.
        found_bytes: u64,
    },
    /// The stream that brought the bytes broke.
    #[error("the stream broke")]
    Stream(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No such blob.
    #[error("{0} is not in the depot")]
    Missing(String),
}

impl From<object_store::Error> for DepotError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { path, .. } => Self::Missing(path),
            other => Self::Store(other),
        }
    }
}

/// The blob store.
#[derive(Clone)]
pub struct Depot {
    store: Arc<dyn ObjectStore>,
    root: Option<PathBuf>,
}

fn local(source: std::io::Error) -> DepotError {
    DepotError::Store(object_store::Error::Generic { store: "local", source: Box::new(source) })
}

fn key(digest: &Digest) -> Key {
    Key::from(format!("sha256/{}/{}", &digest.hex()[..2], digest.hex()))
}

impl Depot {
    /// A depot in a local directory.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn local(root: &Path) -> Result<Self, DepotError> {
        std::fs::create_dir_all(root).map_err(local)?;
        let root = root.canonicalize().map_err(local)?;
        let store = LocalFileSystem::new_with_prefix(&root)?.with_fsync(true);
        Ok(Self { store: Arc::new(store), root: Some(root) })
    }

    /// A depot in any object store.
    pub fn remote(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, root: None }
    }

    /// The file of a blob, when the depot is a local directory.
    pub fn local_path(&self, digest: &Digest) -> Option<PathBuf> {
        self.root.as_ref().map(|root| root.join("sha256").join(&digest.hex()[..2]).join(digest.hex()))
    }

    /// The size of a blob, or nothing.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn size(&self, digest: &Digest) -> Result<Option<u64>, DepotError> {
        match self.store.head(&key(digest)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores bytes and tells their digest.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn put(&self, bytes: Bytes) -> Result<Digest, DepotError> {
        let digest = Digest::from_sha256(&Sha256::digest(&bytes));
        if self.size(&digest).await? != Some(bytes.len() as u64) {
            self.store.put(&key(&digest), PutPayload::from_bytes(bytes)).await?;
        }
        Ok(digest)
    }

    /// Stores bytes under their digest, durable only after the next [`Depot::settle`]: for many small blobs,
    /// whose manifest is stored behind them. A blob that a crash left damaged is written again.
    /// Tells whether the depot did not have it. Blocking.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn put_unsettled(
        &self,
        runtime: &tokio::runtime::Handle,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<bool, DepotError> {
        let Some(path) = self.local_path(digest) else {
            let new = runtime.block_on(self.size(digest))? != Some(bytes.len() as u64);
            if new {
                let payload = PutPayload::from_bytes(Bytes::copy_from_slice(bytes));
                runtime.block_on(self.store.put(&key(digest), payload))?;
            }
            return Ok(new);
        };
        let length = std::fs::metadata(&path).map(|meta| meta.len()).ok();
        if length == Some(bytes.len() as u64) && std::fs::read(&path).map_err(local)? == bytes {
            return Ok(false);
        }
        let directory = path.parent().unwrap_or(&path);
        // The same chunk may arrive twice at the same time.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let part = directory.join(format!(".{}.{}-{next}.part", digest.hex(), std::process::id()));
        let write = || std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, &path));
        write()
            .or_else(|error| match error.kind() {
                std::io::ErrorKind::NotFound => std::fs::create_dir_all(directory).and_then(|()| write()),
                _ => Err(error),
            })
            .map_err(local)?;
        Ok(true)
    }

    /// Makes all that was stored so far durable. Blocking.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn settle(&self) -> Result<(), DepotError> {
        let Some(root) = &self.root else { return Ok(()) };
        let directory = std::fs::File::open(root).map_err(local)?;
        rustix::fs::syncfs(directory).map_err(|error| local(error.into()))
    }

    /// Stores a stream under the digest and size it was announced with; nothing is visible before both are right.
    ///
    /// # Errors
    /// [`DepotError::Mismatch`] when other bytes came, and when stream or store fail.
    pub async fn put_stream<E>(
        &self,
        digest: &Digest,
        size: u64,
        mut stream: impl Stream<Item = Result<Bytes, E>> + Unpin,
        mut each: impl FnMut(u64),
    ) -> Result<(), DepotError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut upload = self.store.put_multipart(&key(digest)).await?;
        let mut hash = Sha256::new();
        let mut count = 0_u64;
        let mut part: Vec<u8> = Vec::new();
        let started = std::time::Instant::now();
        let received = async {
            while let Some(chunk) = stream.next().await {
                let chunk = chunk.map_err(|error| DepotError::Stream(error.into()))?;
                count += chunk.len() as u64;
                if count > size {
                    break;
                }
                let secs = started.elapsed().as_secs();
                if secs > 60 && count / secs < RATE_MIN {
                    return Err(DepotError::Stream("slower than 1 KiB/s".into()));
                }
                hash.update(&chunk);
                part.extend_from_slice(&chunk);
                each(chunk.len() as u64);
                if part.len() >= PART_BYTES {
                    upload.put_part(PutPayload::from(std::mem::take(&mut part))).await?;
                }
            }
            let found = Digest::from_sha256(&hash.finalize_reset());
            if found != *digest || count != size {
                return Err(DepotError::Mismatch {
                    wanted: digest.to_string(),
                    wanted_bytes: size,
                    found: found.to_string(),
                    found_bytes: count,
                });
            }
            upload.put_part(PutPayload::from(std::mem::take(&mut part))).await?;
            Ok(())
        }
        .await;
        match received {
            Ok(()) => {
                upload.complete().await?;
                Ok(())
            }
            Err(error) => {
                // The failure that is told is the first one; what abort leaves is swept later.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    /// A small blob, whole.
    ///
    /// # Errors
    /// When it is not there or the store does not answer.
    pub async fn get(&self, digest: &Digest) -> Result<Bytes, DepotError> {
        Ok(self.store.get(&key(digest)).await?.bytes().await?)
    }

    /// A blob as a stream, whole or in part.
    ///
    /// # Errors
    /// As [`Depot::get`].
    pub async fn stream(
        &self,
        digest: &Digest,
        range: Option<Range<u64>>,
    ) -> Result<BoxStream<'static, Result<Bytes, DepotError>>, DepotError> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let found = self.store.get_opts(&key(digest), options).await?;
        Ok(found.into_stream().map_err(DepotError::from).boxed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;

    #[tokio::test]
    async fn other_bytes_than_announced_never_become_visible() {
        let dir = tempfile::tempdir().expect("a directory");
        let depot = Depot::local(dir.path()).expect("opens");
        let digest = Digest::from_sha256(&Sha256::digest(b"right"));
        let chunks = |text: &'static [u8]| stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(text))]);
        for wrong in [&b"wrong"[..], b"right and more", b"rig"] {
            let put = depot.put_stream(&digest, 5, chunks(wrong), |_| {}).await;
            assert!(matches!(put, Err(DepotError::Mismatch { .. })), "{put:?}");
            assert_eq!(depot.size(&digest).await.expect("answers"), None);
        }
        depot.put_stream(&digest, 5, chunks(b"right"), |_| {}).await.expect("stored");
        assert_eq!(depot.get(&digest).await.expect("there"), "right");
        let part: Vec<Bytes> =
            depot.stream(&digest, Some(1..3)).await.expect("there").try_collect().await.expect("reads");
        assert_eq!(part.concat(), b"ig");
    }
}
