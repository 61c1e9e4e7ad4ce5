//! What references mean right now, without copying anything.

use crate::import::open;
use crate::source::{Credentials, Source, SourceError};
use futures::TryStreamExt;
use mercat_artifact::oci::reference::Source as Place;
use mercat_artifact::oci::{self, Descriptor, Manifest};
use mercat_domain::Digest;
use mercat_domain::limits::CONFIG_BYTES_MAX;
use mercat_egress::Egress;
use sha2::{Digest as _, Sha256};

/// References that are looked up at a time.
const REFERENCES_MAX: usize = 32;
/// Images of an index whose sizes are asked for; the others are named by their platform alone.
const CHILDREN_MAX: usize = 16;

/// What a reference means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    /// Tag, digest or version.
    pub reference: String,
    /// Digest of the manifest or index; empty where only copying would tell.
    pub digest: String,
    /// Platforms, attestations left out.
    pub platforms: Vec<String>,
    /// Bytes to copy, packed; 0 where the source does not say.
    pub size: u64,
}

/// Looks references up; with none named, all that a local source lists.
///
/// # Errors
/// As for copying; the first reference that cannot be had ends it.
pub async fn resolve(
    egress: &Egress,
    place: &Place,
    credentials: Credentials,
    references: &[String],
) -> Result<Vec<Resolved>, SourceError> {
    let source = open(egress, place, credentials).await?;
    let mut references = if references.is_empty() { source.references() } else { references.to_vec() };
    references.truncate(REFERENCES_MAX);
    let mut out = Vec::new();
    for reference in references {
        out.push(one(&source, reference).await?);
    }
    Ok(out)
}

async fn one(source: &Source, reference: String) -> Result<Resolved, SourceError> {
    let found = source.manifest(&reference).await?;
    let digest = Digest::from_sha256(&Sha256::digest(&found.bytes));
    if let Some(wanted) = Digest::parse(&reference).filter(|wanted| *wanted != digest) {
        let what = format!("{wanted} holds the bytes of {digest}");
        return Err(SourceError::Refused { code: "CTR-13", what });
    }
    let (manifest, _) = oci::parse_manifest(&found.bytes, found.media_type.as_deref())?;
    let mut out = Resolved { reference, digest: digest.to_string(), ..Resolved::default() };
    match manifest {
        Manifest::Image { config, layers } => {
            out.size = total(&config, &layers);
            out.platforms.push(platform(source, &config).await?);
        }
        Manifest::Index(entries) => {
            let images = entries.iter().filter(|entry| !entry.claims_attestation());
            for (at, entry) in images.enumerate() {
                out.platforms.push(entry.platform.clone().unwrap_or_default());
                if at < CHILDREN_MAX {
                    let child = source.manifest(entry.digest.as_str()).await?;
                    let parsed = oci::parse_manifest(&child.bytes, Some(&entry.media_type))?.0;
                    if let Manifest::Image { config, layers } = parsed {
                        out.size = out.size.saturating_add(total(&config, &layers));
                    }
                }
            }
        }
    }
    out.platforms.sort();
    out.platforms.dedup();
    Ok(out)
}

fn total(config: &Descriptor, layers: &[Descriptor]) -> u64 {
    layers.iter().map(|layer| layer.size).fold(config.size, u64::saturating_add)
}

async fn platform(source: &Source, config: &Descriptor) -> Result<String, SourceError> {
    let cut = |what: String| SourceError::Refused { code: "CTR-29", what };
    if config.size > CONFIG_BYTES_MAX {
        return Err(cut(format!("a config of {} bytes; the limit is {CONFIG_BYTES_MAX}", config.size)));
    }
    let mut stream = source.blob(&config.digest).await?;
    let mut bytes = Vec::new();
    let broken = |error: Box<dyn std::error::Error + Send + Sync>| SourceError::Unreachable {
        host: "the source".to_owned(),
        why: error.to_string(),
    };
    while let Some(chunk) = stream.try_next().await.map_err(broken)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > config.size {
            return Err(cut(format!("a config of more than the {} bytes that it should have", config.size)));
        }
    }
    if Digest::from_sha256(&Sha256::digest(&bytes)) != config.digest {
        let what = format!("{} came as other bytes", config.digest);
        return Err(SourceError::Refused { code: "CTR-13", what });
    }
    Ok(oci::parse_config(&bytes)?.platform)
}
