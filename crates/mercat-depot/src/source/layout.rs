//! An OCI image layout in a directory (image-spec 1.1, "Image Layout").

use super::{Found, SourceError, Stream};
use bytes::Bytes;
use futures::StreamExt;
use mercat_artifact::oci::{self, Descriptor, Manifest};
use mercat_domain::Digest;
use mercat_domain::limits::MANIFEST_BYTES_MAX;
use std::path::{Path, PathBuf};
use tokio_util::io::ReaderStream;

pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";

pub(crate) struct Layout {
    root: PathBuf,
    entries: Vec<Descriptor>,
}

impl Layout {
    pub(crate) async fn open(root: &Path) -> Result<Self, SourceError> {
        let index = read_small(&root.join("index.json")).await?;
        match oci::parse_manifest(&index, Some(oci::OCI_INDEX))? {
            (Manifest::Index(entries), _) => {
                let named =
                    entries.iter().filter_map(|entry| Some((entry.annotation(REF_NAME)?, &entry.digest)));
                super::unambiguous(named)?;
                Ok(Self { root: root.to_owned(), entries })
            }
            _ => Err(SourceError::Refused { code: "MAN-04", what: "index.json is no index".to_owned() }),
        }
    }

    pub(crate) fn references(&self) -> Vec<String> {
        let name =
            |entry: &Descriptor| entry.annotation(REF_NAME).unwrap_or(entry.digest.as_str()).to_owned();
        self.entries.iter().map(name).collect()
    }

    pub(crate) async fn manifest(&self, reference: &str) -> Result<Found, SourceError> {
        let named = |entry: &&Descriptor| {
            entry.annotation(REF_NAME) == Some(reference) || entry.digest.as_str() == reference
        };
        let listed = self.entries.iter().find(named);
        let digest = match (listed, Digest::parse(reference)) {
            (Some(entry), _) => entry.digest.clone(),
            (None, Some(digest)) => digest,
            (None, None) => {
                let has = super::some_of(&self.references());
                let root = self.root.display();
                return Err(SourceError::NotFound(format!("{reference} in {root}, which has {has},")));
            }
        };
        let bytes = read_small(&self.blob_path(&digest)).await?;
        Ok(Found { bytes, media_type: listed.map(|entry| entry.media_type.clone()) })
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    pub(crate) async fn blob(&self, digest: &Digest) -> Result<Stream, SourceError> {
        open_file(&self.blob_path(digest)).await
    }
}

pub(super) async fn open_file(path: &Path) -> Result<Stream, SourceError> {
    // A link in a layout could name any file of this machine.
    let meta = tokio::fs::symlink_metadata(path).await.map_err(|error| file_error(path, &error))?;
    if !meta.is_file() {
        return Err(SourceError::Refused {
            code: "CTR-13",
            what: format!("{} is no regular file", path.display()),
        });
    }
    let file = tokio::fs::File::open(path).await.map_err(|error| file_error(path, &error))?;
    Ok(ReaderStream::with_capacity(file, 256 << 10).map(|chunk| chunk.map_err(Into::into)).boxed())
}

async fn read_small(path: &Path) -> Result<Bytes, SourceError> {
    let mut stream = open_file(path).await?;
    let mut out = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk
            .map_err(|e| SourceError::Unreachable { host: path.display().to_string(), why: e.to_string() })?;
        out.extend_from_slice(&chunk);
        if out.len() as u64 > MANIFEST_BYTES_MAX {
            return Err(SourceError::Refused {
                code: "MAN-01",
                what: format!("{} is too large", path.display()),
            });
        }
    }
    Ok(out.into())
}

pub(super) fn file_error(path: &Path, error: &std::io::Error) -> SourceError {
    if error.kind() == std::io::ErrorKind::NotFound {
        SourceError::NotFound(path.display().to_string())
    } else {
        SourceError::Unreachable { host: path.display().to_string(), why: error.to_string() }
    }
}
