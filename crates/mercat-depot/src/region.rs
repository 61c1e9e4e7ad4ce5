//! Regions: every blob copied by digest, verified on arrival, resumed where it stopped.

mod directory;
mod remote;

use crate::source::Credentials;
use crate::{Depot, DepotError, Progress};
use mercat_domain::Digest;
use mercat_egress::Egress;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What one repository of a region must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copies {
    /// Repository, for example `aurora/gateway/standard`.
    pub repository: String,
    /// Tags.
    pub tags: BTreeMap<String, Digest>,
    /// Manifests and indexes with their media types.
    pub manifests: BTreeMap<Digest, String>,
    /// Blobs with their sizes in bytes.
    pub blobs: Vec<(Digest, u64)>,
    /// A repository of the same region that may hold many of the blobs already, with its part in front.
    pub near: String,
}

/// Why a region does not hold its copies yet.
#[derive(Debug, thiserror::Error)]
pub enum RegionError {
    /// It does not answer, or has no room: tried again later.
    #[error("{0}")]
    Unreachable(String),
    /// What arrived is not what was sent.
    #[error("{0} arrived damaged")]
    Damaged(String),
    /// Our own depot failed.
    #[error("the depot could not give it")]
    Depot(#[from] DepotError),
}

/// A place that serves copies.
#[derive(Clone)]
pub enum Region {
    /// OCI layouts below a directory.
    Directory {
        /// Name of the region.
        name: String,
        /// Its root.
        path: PathBuf,
    },
    /// A registry.
    Registry {
        /// Name of the region.
        name: String,
        /// Host and port.
        host: String,
        /// Put before repository names; empty for none.
        prefix: String,
        /// How to sign in.
        credentials: Credentials,
        /// The way there.
        egress: Egress,
    },
}

impl Region {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Directory { name, .. } | Self::Registry { name, .. } => name,
        }
    }

    /// Makes the region hold a repository in the given part (`preview` or `production`). What it holds
    /// already, in whatever repository, is checked and not sent again. Tells the bytes that were sent.
    ///
    /// # Errors
    /// See [`RegionError`].
    pub async fn copy(
        &self,
        depot: &Depot,
        part: &str,
        copies: &Copies,
        progress: &dyn Progress,
    ) -> Result<u64, RegionError> {
        match self {
            Self::Directory { path, .. } => directory::copy(path, part, depot, copies, progress).await,
            Self::Registry { host, prefix, credentials, egress, .. } => {
                let join = |parts: &[&str]| {
                    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/")
                };
                let repository = join(&[prefix, part, &copies.repository]);
                let near = if copies.near.is_empty() { String::new() } else { join(&[prefix, &copies.near]) };
                let place = remote::Place { host, repository: &repository, near: &near, credentials };
                remote::copy(egress, &place, depot, copies, progress).await
            }
        }
    }

    /// Takes a repository of a part away; it may be gone already.
    ///
    /// # Errors
    /// See [`RegionError`].
    pub async fn remove(&self, part: &str, repository: &str) -> Result<(), RegionError> {
        match self {
            Self::Directory { path, .. } => directory::remove(path, part, repository).await,
            // Registries differ in what they let clients delete; nothing of a preview is public by its name.
            Self::Registry { .. } => Ok(()),
        }
    }
}
