//! The start test of a stored image (CTR-25), where the policy asks for it.

use super::Work;
use super::certify::spool;
use mercat_app::{AppError, Report};
use mercat_artifact::ReadError;
use mercat_artifact::oci::{self, Descriptor, Manifest};
use mercat_boot::start::{self, Image, Layer, Started};
use mercat_certify::{Boot, Knowledge};
use mercat_depot::Imported;
use mercat_domain::Digest;
use mercat_domain::Outcome;
use mercat_domain::finding::{Finding, Place, Severity, judge};
use mercat_domain::limits::MANIFEST_BYTES_MAX;
use mercat_store::{Expect, PaperRow, load, put};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Indexes below one another.
const DEPTH_MAX: u32 = 4;

/// Starts an image that nothing else was found against. That it starts is kept for the next time.
pub(super) async fn test(
    work: &Work<'_>,
    image: &Imported,
    others: &[Finding],
    knowledge: &Knowledge,
    report: &mut Report,
) -> Result<Vec<Finding>, AppError> {
    let policy = &knowledge.policy.containers;
    if policy.start == Boot::Off || judge(others) != Outcome::Pass {
        return Ok(Vec::new());
    }
    let seconds = policy.start_seconds;
    let key = format!("start/{}/{seconds}/{}", image.digest, env!("CARGO_PKG_VERSION"));
    let kept = load::<PaperRow>(&*work.worker.app.ledger, &key).await?;
    let kept = kept.and_then(|row| serde_json::from_str::<Started>(&row.row.text).ok());
    let started = match kept.filter(Started::holds) {
        Some(started) => started,
        None => {
            let started = run(work, image, seconds).await;
            if started.holds() {
                let text = serde_json::to_string(&started).unwrap_or_default();
                let row = PaperRow { key, text, made: work.worker.app.ledger.now().await? };
                report.writes.push(put(&row, Expect::Any));
            }
            started
        }
    };
    let named = ("image", image.reference.as_str());
    let (severity, observed) = match started {
        Started::Runs => {
            report.say("information", "message-start-runs", &[named, ("seconds", &seconds.to_string())]);
            return Ok(Vec::new());
        }
        Started::Ended => {
            report.say("information", "message-start-ended", &[named]);
            return Ok(Vec::new());
        }
        Started::Failed { why } => (knowledge.policy.severity("CTR-25"), why),
        Started::NotRun { why } => {
            report.say("information", "message-start-not-run", &[named, ("detail", &why)]);
            let required = policy.start == Boot::Required;
            (required.then_some(Severity::Inconclusive), format!("not started: {why}"))
        }
    };
    let finding = |severity| Finding {
        rule: "CTR-25".to_owned(),
        severity,
        place: Place::default(),
        observed,
        required: format!("an entry point that runs, or ends with code 0, within {seconds} seconds"),
        fix: "let the image start with its own settings: without network, privileges, volumes or variables"
            .to_owned(),
    };
    Ok(severity.map(finding).into_iter().collect())
}

async fn run(work: &Work<'_>, image: &Imported, seconds: u32) -> Started {
    let (directory, _spool) = match spool(work, image).await {
        Ok(found) => found,
        Err(why) => return Started::NotRun { why },
    };
    let (program, root) = (work.worker.inspector.program.clone(), image.digest.clone());
    let started = tokio::task::spawn_blocking(move || match of_this_machine(&directory, &root, 0) {
        Ok(Some(image)) => start::start(&program, &image, seconds),
        Ok(None) => Started::NotRun { why: format!("there is no image for {}", platform()) },
        Err(error) => Started::NotRun { why: error.to_string() },
    });
    started.await.unwrap_or_else(|error| Started::NotRun { why: error.to_string() })
}

/// `os/architecture` of this machine, in the words of image indexes.
fn platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("linux/{architecture}")
}

fn blob(directory: &Path, digest: &Digest) -> PathBuf {
    directory.join("sha256").join(&digest.hex()[..2]).join(digest.hex())
}

fn small(directory: &Path, digest: &Digest) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    std::fs::File::open(blob(directory, digest))?.take(MANIFEST_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The image below a manifest that this machine can run.
fn of_this_machine(directory: &Path, root: &Digest, depth: u32) -> Result<Option<Image>, ReadError> {
    let (manifest, _) = oci::parse_manifest(&small(directory, root)?, None)?;
    match manifest {
        Manifest::Index(entries) if depth < DEPTH_MAX => {
            let images = entries.iter().filter(|entry| !entry.claims_attestation());
            for entry in images {
                if let Some(image) = of_this_machine(directory, &entry.digest, depth + 1)? {
                    return Ok(Some(image));
                }
            }
            Ok(None)
        }
        Manifest::Index(_) => Ok(None),
        Manifest::Image { config, layers } => {
            let config = oci::parse_config(&small(directory, &config.digest)?)?;
            if !config.platform.starts_with(&platform()) {
                return Ok(None);
            }
            let layer = |layer: &Descriptor| {
                Ok(Layer::new(blob(directory, &layer.digest), oci::compression(&layer.media_type)?))
            };
            Ok(Some(Image {
                layers: layers.iter().map(layer).collect::<Result<_, ReadError>>()?,
                command: config.command,
                environment: config.env,
                directory: config.directory,
                user: config.user,
            }))
        }
    }
}
