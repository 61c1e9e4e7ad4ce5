//! Copies an image by digest into the depot, so that a tag moved later cannot matter.

use crate::disk::{DiskError, DiskIndex};
use crate::source::{Archive, Credentials, Layout, Registry, Source, SourceError};
use crate::{Depot, DepotError, Progress};
use mercat_artifact::oci::reference::{Selector, Source as Place};
use mercat_artifact::oci::{self, Descriptor, Manifest};
use mercat_domain::Digest;
use mercat_domain::limits::{CONFIG_BYTES_MAX, IMAGE_BYTES_MAX, INDEX_DEPTH_MAX};
use mercat_egress::Egress;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

/// One reference, resolved and copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The tag or digest.
    pub reference: String,
    /// Digest of the manifest or index.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// The children of an index, with their platforms.
    pub children: Vec<(Digest, String)>,
    /// Platforms, attestations left out.
    pub platforms: Vec<String>,
    /// Every manifest below, itself included, with its media type.
    pub manifests: Vec<(Digest, String)>,
    /// Every blob below, with its size in bytes.
    pub blobs: Vec<(Digest, u64)>,
}

struct Importer<'a> {
    depot: &'a Depot,
    source: Source,
    progress: &'a dyn Progress,
    done: AtomicU64,
    total: AtomicU64,
}

/// Copies the named references (tags or digests) and everything below them. With none named, copies all
/// that a local source lists.
///
/// # Errors
/// See [`SourceError`]; what was copied before stays and is found again by the next try.
pub async fn import(
    depot: &Depot,
    egress: &Egress,
    place: &Place,
    credentials: Credentials,
    references: &[String],
    progress: &dyn Progress,
) -> Result<Vec<Imported>, SourceError> {
    let source = open(egress, place, credentials).await?;
    let references = if references.is_empty() { source.references() } else { references.to_vec() };
    let zero = || AtomicU64::new(0);
    let importer = Importer { depot, source, progress, done: zero(), total: zero() };
    let mut out = Vec::new();
    for reference in references {
        out.push(importer.reference(&reference).await?);
    }
    Ok(out)
}

pub(crate) async fn open(
    egress: &Egress,
    place: &Place,
    credentials: Credentials,
) -> Result<Source, SourceError> {
    Ok(match place {
        Place::Registry { host, repository } => {
            Source::Registry(Registry::new(egress.clone(), host, repository, credentials))
        }
        Place::Layout(path) => Source::Layout(Layout::open(path).await?),
        Place::Archive(path) => Source::Archive(Archive::open(path, false).await?),
        Place::DockerArchive(path) => Source::Archive(Archive::open(path, true).await?),
    })
}

/// What the depot holds of an image that was copied before.
///
/// # Errors
/// When something of it is missing.
pub async fn held(depot: &Depot, digest: &Digest) -> Result<Imported, SourceError> {
    let zero = || AtomicU64::new(0);
    let source = Source::Depot(depot.clone());
    let importer = Importer { depot, source, progress: &(), done: zero(), total: zero() };
    importer.reference(digest.as_str()).await
}

/// What the depot holds of a disk that was stored before, under a reference.
///
/// # Errors
/// When something of it is missing.
pub async fn held_disk(depot: &Depot, root: &Digest, reference: &str) -> Result<Imported, DiskError> {
    let index = DiskIndex::load(depot, root).await?;
    let holdings = index.holdings(depot).await?;
    Ok(Imported {
        reference: reference.to_owned(),
        digest: root.clone(),
        media_type: oci::OCI_INDEX.to_owned(),
        size: index.index_bytes,
        children: Vec::new(),
        platforms: Vec::new(),
        manifests: holdings.manifests,
        blobs: holdings.blobs,
    })
}

/// The reference that a selector means, or all of a local source.
pub fn selected(selector: &Selector) -> Vec<String> {
    match selector {
        Selector::Tag(tag) => vec![tag.clone()],
        Selector::Digest(digest) => vec![digest.to_string()],
        Selector::Any => Vec::new(),
    }
}

impl Importer<'_> {
    async fn reference(&self, reference: &str) -> Result<Imported, SourceError> {
        let found = self.source.manifest(reference).await?;
        let digest = Digest::from_sha256(&Sha256::digest(&found.bytes));
        if let Some(wanted) = Digest::parse(reference).filter(|wanted| *wanted != digest) {
            let what = format!("{wanted} holds the bytes of {digest}");
            return Err(SourceError::Refused { code: "CTR-13", what });
        }
        let (manifest, media_type) = oci::parse_manifest(&found.bytes, found.media_type.as_deref())?;
        let size = found.bytes.len() as u64;
        self.depot.put(found.bytes).await?;
        let mut out = Imported {
            reference: reference.to_owned(),
            digest: digest.clone(),
            media_type: media_type.clone(),
            size,
            children: Vec::new(),
            platforms: Vec::new(),
            manifests: vec![(digest, media_type)],
            blobs: Vec::new(),
        };
        if let Manifest::Index(entries) = &manifest {
            let named =
                |entry: &Descriptor| (entry.digest.clone(), entry.platform.clone().unwrap_or_default());
            out.children = entries.iter().map(named).collect();
        }
        let documents = self.below(manifest, &mut out).await?;
        out.children.retain(|(digest, _)| !documents.contains(digest));
        out.platforms.sort();
        out.platforms.dedup();
        out.manifests.sort();
        out.manifests.dedup();
        out.blobs.sort();
        out.blobs.dedup();
        Ok(out)
    }

    /// Walks the tree of manifests without recursion: depth and width are bounded by the reader. Gives those that are
    /// attestations: what only claims to be one is an image.
    async fn below(&self, root: Manifest, out: &mut Imported) -> Result<BTreeSet<Digest>, SourceError> {
        let mut documents = BTreeSet::new();
        let mut queue = vec![(root, 0, false)];
        let mut seen = BTreeSet::new();
        while let Some((manifest, depth, attestation)) = queue.pop() {
            match manifest {
                Manifest::Image { config, layers } => self.image(&config, &layers, attestation, out).await?,
                Manifest::Index(_) if depth > INDEX_DEPTH_MAX => {
                    let what = format!("indexes nested deeper than {INDEX_DEPTH_MAX}");
                    return Err(SourceError::Refused { code: "CTR-29", what });
                }
                Manifest::Index(entries) => {
                    for entry in entries.into_iter().filter(|entry| seen.insert(entry.digest.clone())) {
                        let child = self.child(&entry, out).await?;
                        let is_document =
                            matches!(&child, Manifest::Image { layers, .. } if oci::holds_documents(layers));
                        if is_document && entry.claims_attestation() {
                            documents.insert(entry.digest.clone());
                        }
                        queue.push((child, depth + 1, entry.claims_attestation()));
                    }
                }
            }
        }
        Ok(documents)
    }

    async fn child(&self, entry: &Descriptor, out: &mut Imported) -> Result<Manifest, SourceError> {
        let found = self.source.manifest(entry.digest.as_str()).await?;
        let digest = Digest::from_sha256(&Sha256::digest(&found.bytes));
        if digest != entry.digest || found.bytes.len() as u64 != entry.size {
            let what = format!("{} with {} bytes came as {digest}", entry.digest, entry.size);
            return Err(SourceError::Refused { code: "CTR-13", what });
        }
        let (manifest, media_type) = oci::parse_manifest(&found.bytes, Some(&entry.media_type))?;
        self.depot.put(found.bytes).await?;
        out.manifests.push((digest, media_type));
        Ok(manifest)
    }

    async fn image(
        &self,
        config: &Descriptor,
        layers: &[Descriptor],
        attestation: bool,
        out: &mut Imported,
    ) -> Result<(), SourceError> {
        if config.size > CONFIG_BYTES_MAX {
            let what = format!("a config of {} bytes; the limit is {CONFIG_BYTES_MAX}", config.size);
            return Err(SourceError::Refused { code: "CTR-29", what });
        }
        let attestation = attestation && oci::holds_documents(layers);
        let sizes: u64 = layers.iter().map(|layer| layer.size).fold(config.size, u64::saturating_add);
        if sizes > IMAGE_BYTES_MAX {
            let what = format!("an image of {sizes} bytes; the limit is {IMAGE_BYTES_MAX}");
            return Err(SourceError::Refused { code: "CTR-29", what });
        }
        self.total.fetch_add(sizes, Ordering::Relaxed);
        for blob in std::iter::once(config).chain(layers) {
            self.blob(blob).await?;
            out.blobs.push((blob.digest.clone(), blob.size));
        }
        if !attestation {
            let bytes = self.depot.get(&config.digest).await?;
            out.platforms.push(oci::parse_config(&bytes)?.platform);
        }
        Ok(())
    }

    async fn blob(&self, blob: &Descriptor) -> Result<(), SourceError> {
        let tell = |count: u64| {
            let done = self.done.fetch_add(count, Ordering::Relaxed) + count;
            self.progress.at(done, self.total.load(Ordering::Relaxed));
        };
        if self.depot.size(&blob.digest).await? == Some(blob.size) {
            // Who names a blob must have it: the depot holds other publishers' layers too.
            if !self.source.has(&blob.digest).await? {
                return Err(SourceError::NotFound(blob.digest.to_string()));
            }
            tell(blob.size);
            return Ok(());
        }
        let stream = self.source.blob(&blob.digest).await?;
        match self.depot.put_stream(&blob.digest, blob.size, stream, tell).await {
            Err(error @ DepotError::Mismatch { .. }) => {
                Err(SourceError::Refused { code: "CTR-13", what: error.to_string() })
            }
            Err(DepotError::Stream(error)) => {
                Err(SourceError::Unreachable { host: "the source".to_owned(), why: error.to_string() })
            }
            other => Ok(other?),
        }
    }
}
