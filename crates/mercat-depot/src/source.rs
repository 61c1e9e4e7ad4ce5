//! Where images are read from.

mod archive;
mod layout;
mod registry;

pub(crate) use archive::Archive;
pub(crate) use layout::Layout;
pub(crate) use registry::Registry;

use bytes::Bytes;
use futures::stream::BoxStream;
use mercat_domain::Digest;
use mercat_egress::EgressError;

/// A name and a secret for a registry.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Name; empty for anonymous.
    pub username: String,
    /// Password or token.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", if self.username.is_empty() { "anonymous" } else { "set" })
    }
}

/// Why an image was not copied.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The registry refuses the credentials.
    #[error("{host} refuses the credentials for {repository}")]
    Unauthorized {
        /// Host and port.
        host: String,
        /// Repository.
        repository: String,
    },
    /// The tag, digest or file does not exist.
    #[error("{0} does not exist")]
    NotFound(String),
    /// There is no such file or directory on this server.
    #[error("{0} does not exist on this server")]
    NoSuchFile(String),
    /// What came is malformed or not what its digest says: the publisher's to fix.
    #[error("{code}: {what}")]
    Refused {
        /// Stable code.
        code: &'static str,
        /// What was found.
        what: String,
    },
    /// A whole archive of images that is compressed.
    #[error("{0} is compressed; unpack it first, to a tar file")]
    Compressed(String),
    /// This server's rules do not allow the source.
    #[error("{0}")]
    Denied(String),
    /// Nobody answers, or the answer is an error of theirs: tried again later.
    #[error("{host}: {why}")]
    Unreachable {
        /// Host and port, or path.
        host: String,
        /// What happened.
        why: String,
    },
    /// There is no host of this name, as far as this server knows.
    #[error("{0}: there is no host of this name")]
    NoSuchHost(String),
    /// Our own store failed: tried again later.
    #[error("the depot could not take it")]
    Depot(#[from] crate::DepotError),
}

impl From<EgressError> for SourceError {
    fn from(error: EgressError) -> Self {
        let nameless = error.is_nameless();
        match error {
            EgressError::Denied { .. } => Self::Denied(error.to_string()),
            EgressError::Unreachable { host, .. } if nameless => Self::NoSuchHost(host),
            EgressError::Unreachable { host, cause } => {
                let mut why = cause.to_string();
                let mut deeper = std::error::Error::source(&cause);
                while let Some(error) = deeper {
                    why = error.to_string();
                    deeper = error.source();
                }
                Self::Unreachable { host, why }
            }
            EgressError::Redirects { ref host } => {
                Self::Unreachable { host: host.clone(), why: error.to_string() }
            }
        }
    }
}

impl From<mercat_artifact::ReadError> for SourceError {
    fn from(error: mercat_artifact::ReadError) -> Self {
        match error {
            mercat_artifact::ReadError::Refused { code, what, offset } => {
                Self::Refused { code, what: format!("{what}, at byte {offset}") }
            }
            mercat_artifact::ReadError::Io(error) => {
                Self::Unreachable { host: "the file".to_owned(), why: error.to_string() }
            }
        }
    }
}

/// A stream of bytes from a source.
pub(crate) type Stream = BoxStream<'static, Result<Bytes, Box<dyn std::error::Error + Send + Sync>>>;

/// A manifest as found.
pub(crate) struct Found {
    /// The exact bytes.
    pub(crate) bytes: Bytes,
    /// The media type under which it was served, when the source says so.
    pub(crate) media_type: Option<String>,
}

/// Refuses names that two images have: which of them is meant, readers decide each in its own way.
pub(crate) fn unambiguous<'a>(
    names: impl IntoIterator<Item = (&'a str, &'a Digest)>,
) -> Result<(), SourceError> {
    let mut known = std::collections::BTreeMap::new();
    for (name, digest) in names {
        if *known.entry(name).or_insert(digest) != digest {
            return Err(ambiguous(name));
        }
    }
    Ok(())
}

fn ambiguous(name: &str) -> SourceError {
    let what = format!("two images have the tag {name}; save each into a place of its own");
    SourceError::Refused { code: "MAN-05", what }
}

/// The first of some names, in one line, without what terminals would do.
pub fn some_of(names: &[String]) -> String {
    const TOLD_MAX: usize = 10;
    let more = names.len().saturating_sub(TOLD_MAX);
    let told = names.iter().take(TOLD_MAX).map(|name| name.escape_debug().to_string());
    let told = told.collect::<Vec<_>>().join(", ");
    match (names.is_empty(), more) {
        (true, _) => "no image".to_owned(),
        (false, 0) => told,
        (false, more) => format!("{told} and {more} more"),
    }
}

/// What every source can do.
pub(crate) enum Source {
    Registry(Registry),
    Layout(Layout),
    Archive(Archive),
    /// What was copied before.
    Depot(crate::Depot),
}

impl Source {
    pub(crate) async fn manifest(&self, reference: &str) -> Result<Found, SourceError> {
        match self {
            Self::Registry(registry) => registry.manifest(reference).await,
            Self::Layout(layout) => layout.manifest(reference).await,
            Self::Archive(archive) => archive.manifest(reference).await,
            Self::Depot(depot) => {
                let digest =
                    Digest::parse(reference).ok_or_else(|| SourceError::NotFound(reference.to_owned()))?;
                Ok(Found { bytes: depot.get(&digest).await?, media_type: None })
            }
        }
    }

    pub(crate) async fn blob(&self, digest: &Digest) -> Result<Stream, SourceError> {
        match self {
            Self::Registry(registry) => registry.blob(digest).await,
            Self::Layout(layout) => layout.blob(digest).await,
            Self::Archive(archive) => archive.blob(digest).await,
            Self::Depot(_) => Err(SourceError::NotFound(digest.to_string())),
        }
    }

    /// Whether the source has a blob.
    pub(crate) async fn has(&self, digest: &Digest) -> Result<bool, SourceError> {
        let found = match self {
            Self::Registry(registry) => return registry.has(digest).await,
            Self::Depot(_) => return Ok(true),
            Self::Layout(layout) => layout.blob(digest).await,
            Self::Archive(archive) => archive.blob(digest).await,
        };
        match found {
            Ok(_) => Ok(true),
            Err(SourceError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// References found in the source itself, for local sources.
    pub(crate) fn references(&self) -> Vec<String> {
        match self {
            Self::Registry(_) | Self::Depot(_) => Vec::new(),
            Self::Layout(layout) => layout.references(),
            Self::Archive(archive) => archive.references(),
        }
    }
}
