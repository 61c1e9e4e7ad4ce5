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
    /// Blobs.
    pub blobs: Vec<Digest>,
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
    /// already is checked, not sent again.
    ///
    /// # Errors
    /// See [`RegionError`].
    pub async fn copy(
        &self,
        depot: &Depot,
        part: &str,
        copies: &Copies,
        progress: &dyn Progress,
    ) -> Result<(), RegionError> {
        match self {
            Self::Directory { path, .. } => directory::copy(&path.join(part), depot, copies, progress).await,
            Self::Registry { host, prefix, credentials, egress, .. } => {
                let repository = [prefix.as_str(), part, &copies.repository];
                let repository =
                    repository.iter().filter(|s| !s.is_empty()).copied().collect::<Vec<_>>().join("/");
                remote::copy(egress, host, &repository, credentials, depot, copies, progress).await
            }
        }
    }

    /// Takes a repository of a part away; it may be gone already.
    ///
    /// # Errors
    /// See [`RegionError`].
    pub async fn remove(&self, part: &str, repository: &str) -> Result<(), RegionError> {
        match self {
            Self::Directory { path, .. } => directory::remove(&path.join(part).join(repository)).await,
            // Registries differ in what they let clients delete; nothing of a preview is public by its name.
            Self::Registry { .. } => Ok(()),
        }
    }
}
