//! Other scanners, by the pluggable scanner adapter API: asked about every image after our own inspection.
//!
//! An adapter pulls the image from this server with a token for that one digest. Its report becomes findings
//! under its own name; in shadow mode they are recorded and weigh nothing. What it reported is kept and weighed
//! anew by the policy each time.

mod client;
mod report;

use crate::steps::Work;
use client::{Metadata, ScanError, Specimen};
use mercat_app::{AppError, Report};
use mercat_certify::Knowledge;
use mercat_depot::{Depot, Imported};
use mercat_domain::Digest;
use mercat_domain::finding::{Finding, Place, Severity};
use mercat_egress::Egress;
use mercat_store::{Commit, Expect, PaperRow, commit_surely, load, put};
use report::{ScanReport, findings, text};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use url::Url;

/// Images below an index that scanners are asked about.
const SPECIMENS_MAX: usize = 64;
/// Seconds that a token for pulling outlives the time that the scanner has.
const TOKEN_GRACE_SECS: u32 = 30;

/// Whether what a scanner reports weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By the policy.
    Enforce,
    /// Never: it is recorded as information.
    Shadow,
}

/// A scanner that the operator named.
#[derive(Clone)]
pub struct Scanner {
    /// Its name here.
    pub name: String,
    /// Where its adapter is, without `/api/v1`.
    pub url: Url,
    /// Whether its reports weigh.
    pub mode: Mode,
    /// The value of the `Authorization` header for the adapter; empty for none.
    pub authorization: String,
    /// Seconds that it has for one image, pulling included.
    pub timeout_secs: u32,
    /// Where the adapter reaches this server's `/v2/`.
    pub pull_url: String,
    /// The way to it: this adapter is the only exception.
    pub egress: Egress,
}

impl Scanner {
    /// What the adapter says about itself, in one line.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn describe(&self) -> Result<String, String> {
        let asked = tokio::time::timeout(self.limit(), self.metadata()).await;
        let metadata = asked.map_err(|_| self.late().to_string())?.map_err(|error| error.detail())?;
        let scanner = metadata.scanner.bounded();
        let database = match metadata.database() {
            day if day.is_empty() => "the age of its database is not told".to_owned(),
            day => format!("database of {day}"),
        };
        Ok(format!("{} {} of {}, {database}", scanner.name, scanner.version, scanner.vendor))
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(u64::from(self.timeout_secs))
    }

    fn late(&self) -> ScanError {
        ScanError::TimedOut(u64::from(self.timeout_secs))
    }

    /// The key of a report. One without the day of its database holds for a day.
    fn key(&self, metadata: &Metadata, digest: &Digest) -> String {
        let scanner = &metadata.scanner;
        let database = match metadata.database() {
            day if day.is_empty() => crate::today().to_string(),
            day => day,
        };
        let parts = [
            digest.as_str(),
            &self.name,
            self.url.as_str(),
            match self.mode {
                Mode::Enforce => "enforce",
                Mode::Shadow => "shadow",
            },
            &scanner.name,
            &scanner.vendor,
            &scanner.version,
            &database,
        ];
        // Written as JSON, so that no part can look like two.
        let text = serde_json::json!(parts).to_string();
        format!("scan/{}", Digest::from_sha256(&Sha256::digest(text.as_bytes())))
    }

    fn inconclusive(&self, platform: &str, error: &ScanError, knowledge: &Knowledge) -> Option<Finding> {
        let severity = knowledge.policy.severity("INC-15")?;
        Some(Finding {
            rule: "INC-15".to_owned(),
            severity: if self.mode == Mode::Shadow { Severity::Info } else { severity },
            place: Place { platform: platform.to_owned(), ..Place::default() },
            observed: format!("{}: {error}", self.name),
            required: "a report of the scanner".to_owned(),
            fix: "nothing to do for the publisher: the operator of this server must look into it".to_owned(),
        })
    }
}

/// An image of one platform.
struct Target {
    digest: Digest,
    media_type: String,
    platform: String,
}

/// What one scanner said.
struct Said {
    platform: String,
    digest: Digest,
    report: Result<ScanReport, ScanError>,
    reused: bool,
}

/// Asks every scanner about an image.
pub(crate) async fn judge(
    work: &Work<'_>,
    image: &Imported,
    knowledge: &Knowledge,
    report: &mut Report,
) -> Result<Vec<Finding>, AppError> {
    let scanners = &work.worker.scanners;
    if scanners.is_empty() {
        return Ok(Vec::new());
    }
    let targets = targets(&work.worker.depot, image).await;
    let all = scanners.iter().map(|scanner| one(work, scanner, &targets));
    let mut out = Vec::new();
    for (scanner, said) in scanners.iter().zip(futures::future::join_all(all).await) {
        for said in said? {
            match &said.report {
                Ok(read) => {
                    let (count, digest) = (read.items.len().to_string(), said.digest.to_string());
                    let code = if said.reused { "message-scan-reused" } else { "message-scanned" };
                    let args = [("scanner", scanner.name.as_str()), ("digest", &digest), ("count", &count)];
                    report.say("information", code, &args);
                    out.extend(findings(
                        read,
                        (&scanner.name, scanner.mode),
                        &said.platform,
                        &knowledge.policy,
                    ));
                }
                Err(error) => {
                    tracing::warn!(scanner = %scanner.name, digest = %said.digest, error = %error.detail(), "no report");
                    out.extend(scanner.inconclusive(&said.platform, error, knowledge));
                }
            }
        }
    }
    Ok(out)
}

fn is_index(media_type: &str) -> bool {
    [mercat_artifact::oci::OCI_INDEX, mercat_artifact::oci::DOCKER_LIST].contains(&media_type)
}

/// The images below a manifest or index, attestations left out.
async fn targets(depot: &Depot, image: &Imported) -> Result<Vec<Target>, String> {
    let mut out = Vec::new();
    let mut open = vec![(image.clone(), String::new())];
    while let Some((image, platform)) = open.pop() {
        if !is_index(&image.media_type) {
            out.push(Target { digest: image.digest, media_type: image.media_type, platform });
        } else if image.children.is_empty() {
            return Err(format!("{} is an index without images", image.digest));
        }
        if out.len() + open.len() + image.children.len() > SPECIMENS_MAX {
            return Err(format!("more than {SPECIMENS_MAX} images below one index (SPECIMENS_MAX)"));
        }
        for (digest, platform) in &image.children {
            let child = mercat_depot::held(depot, digest).await.map_err(|error| crate::chain(&error))?;
            open.push((child, platform.clone()));
        }
    }
    out.sort_by(|one, two| (&one.platform, &one.digest).cmp(&(&two.platform, &two.digest)));
    Ok(out)
}

/// Asks one scanner about all images, one after the other.
async fn one(
    work: &Work<'_>,
    scanner: &Scanner,
    targets: &Result<Vec<Target>, String>,
) -> Result<Vec<Said>, AppError> {
    let nothing = |error| {
        let digest = Digest::from_sha256(&[0; 32]);
        Ok(vec![Said { platform: String::new(), digest, report: Err(error), reused: false }])
    };
    let targets = match targets {
        Ok(targets) => targets,
        Err(why) => return nothing(ScanError::Specimen(text(why))),
    };
    let metadata = match tokio::time::timeout(scanner.limit(), scanner.metadata()).await {
        Ok(Ok(metadata)) => metadata,
        Ok(Err(error)) => return nothing(error),
        Err(_) => return nothing(scanner.late()),
    };
    let mut out = Vec::new();
    for target in targets {
        let (report, reused) = about(work, scanner, &metadata, target).await?;
        out.push(Said { platform: target.platform.clone(), digest: target.digest.clone(), report, reused });
    }
    Ok(out)
}

/// The report about one image: the kept one, or a new one, which is kept at once: a step that is done again does
/// not ask again. What failed is not kept.
async fn about(
    work: &Work<'_>,
    scanner: &Scanner,
    metadata: &Metadata,
    target: &Target,
) -> Result<(Result<ScanReport, ScanError>, bool), AppError> {
    let (app, key) = (&work.worker.app, scanner.key(metadata, &target.digest));
    let kept = load::<PaperRow>(&*app.ledger, &key).await?;
    if let Some(report) = kept.and_then(|kept| serde_json::from_str(&kept.row.text).ok()) {
        return Ok((Ok(report), true));
    }
    let token = app.specimen_token(&target.digest, scanner.timeout_secs + TOKEN_GRACE_SECS).await?;
    let specimen = Specimen { digest: &target.digest, media_type: &target.media_type, token };
    let report = match tokio::time::timeout(scanner.limit(), scanner.scan(metadata, &specimen)).await {
        Ok(report) => report,
        Err(_) => Err(scanner.late()),
    };
    if let Ok(report) = &report {
        let text = serde_json::to_string(report).unwrap_or_default();
        let mut commit = Commit::new();
        commit.writes.push(put(&PaperRow { key, text, made: app.ledger.now().await? }, Expect::Any));
        commit_surely(&*app.ledger, &commit).await?;
    }
    Ok((report, false))
}
