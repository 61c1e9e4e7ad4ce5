//! Certification: tag rules, listing rules, and an inspection of every image in a confined child.

use super::links;
use super::validate::held;
use super::{Ended, Extent, Work};
use crate::inspect::{Reuse, keys, verdict_key};
use crate::{InspectError, Inspection, Inspector};
use mercat_app::{AppError, Report, StepOutcome};
use mercat_artifact::oci::{self, Config, Manifest};
use mercat_certify::{Knowledge, LayerFacts, Verdict};
use mercat_depot::{Depot, Imported};
use mercat_domain::exception;
use mercat_domain::finding::{Finding, Place, Severity, judge};
use mercat_domain::limits::CONFIG_BYTES_MAX;
use mercat_domain::tags::{self, Published, Resolved};
use mercat_domain::{Digest, OfferKind, Outcome};
use mercat_listing::{inspect_exposed, inspect_listing};
use mercat_store::{Expect, FindingRow, OfferRow, PaperRow, load, put};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Tries of an inspector that crashes or runs out of time before the step is given up as ours.
const INSPECTOR_TRIES: u32 = 3;

pub(super) async fn run(work: &Work<'_>) -> Result<Ended, AppError> {
    let images = match held(work).await? {
        Ok(images) => images,
        Err(waits) => return Ok(waits),
    };
    let knowledge = match work.worker.inspector.ready().await {
        Ok(knowledge) => knowledge,
        Err(why) => return Ok(Ended::Wait { on: "wait-store", detail: why }),
    };
    let machines = work.document.kind == OfferKind::VirtualMachine;
    let mut report = Report::default();
    let mut findings = Vec::new();
    if work.extent == Extent::Whole {
        let others = work.worker.app.listed_titles(&work.submission.publisher).await?;
        findings = inspect_listing(&work.document, &others, &knowledge.policy, knowledge.secrets());
        if !machines {
            findings.extend(tag_findings(work, &images, &knowledge).await?);
            findings.extend(exposed(work, &images, &knowledge).await);
        }
    }
    let judged = match machines {
        true => disks(work, &images, &knowledge, &mut report).await?,
        false => containers(work, &images, &knowledge, &mut report).await?,
    };
    match judged {
        Ok(found) => findings.extend(found),
        Err(waits) => return Ok(waits),
    }
    if work.extent == Extent::Whole {
        findings.extend(links::findings(work, &knowledge.policy).await);
    }
    findings.sort();
    findings.dedup();
    excuse(work, &images, &mut findings, &mut report).await?;
    // Of a machine that nobody can connect to (PRV-08) the tests say little.
    let locked_down = machines && work.document.plans.iter().any(|plan| plan.flag("noRemoteConnection"));
    report.review = locked_down
        || findings
            .iter()
            .any(|finding| finding.rule == "CTR-20-SUSPECT" && finding.severity != Severity::Info);
    Ok(end(report, &findings, if machines { "message-disks-reused" } else { "message-reused" }))
}

type Images = [(String, Imported)];

async fn disks(
    work: &Work<'_>,
    images: &Images,
    knowledge: &Knowledge,
    report: &mut Report,
) -> Result<Result<Vec<Finding>, Ended>, AppError> {
    let mut findings = Vec::new();
    let mut tested = super::boot::Tested::new();
    for (plan, image) in images {
        let start = (work.extent == Extent::Whole).then_some(&mut tested);
        match super::disk_certify::one_disk(work, plan, image, knowledge, (report, start)).await? {
            Ok(found) => findings.extend(found),
            Err(waits) => return Ok(Err(waits)),
        }
    }
    Ok(Ok(findings))
}

async fn containers(
    work: &Work<'_>,
    images: &Images,
    knowledge: &Knowledge,
    report: &mut Report,
) -> Result<Result<Vec<Finding>, Ended>, AppError> {
    let mut findings = Vec::new();
    // The same image under other statements is judged on its own, and so is one that is started otherwise.
    let mut seen: BTreeMap<(Digest, String), Vec<Finding>> = BTreeMap::new();
    let mut started: BTreeMap<(Digest, String), Vec<Finding>> = BTreeMap::new();
    for (plan, image) in images {
        let subject = (image.digest.clone(), statements(work, plan).unwrap_or_default());
        let mut known = match seen.get(&subject) {
            Some(known) => known.clone(),
            None => {
                let mut found = match one_image(work, plan, image, knowledge, report).await? {
                    Ok(found) => found,
                    Err(waits) => return Ok(Err(waits)),
                };
                if work.extent == Extent::Whole {
                    // Beside the verdict, which is our own and may be a kept one.
                    found.extend(crate::scanners::judge(work, image, knowledge, report).await?);
                }
                seen.insert(subject, found.clone());
                found
            }
        };
        // The verdict tells of the settings in the image.
        if super::start::is_started_otherwise(work, plan) {
            known.retain(|finding| finding.rule != "CTR-25");
        }
        if work.extent == Extent::Whole {
            let subject = (image.digest.clone(), super::start::defaults(work, plan));
            let found = match started.get(&subject) {
                Some(found) => found.clone(),
                None => super::start::test(work, (plan, image), &known, knowledge, report).await?,
            };
            started.insert(subject, found.clone());
            known.extend(found);
        }
        findings.extend(known.into_iter().map(|mut finding| {
            finding.place.plan.clone_from(plan);
            finding
        }));
    }
    Ok(Ok(findings))
}

/// Lets pass what reviewers granted exceptions for. The verdict documents stay as they are.
async fn excuse(
    work: &Work<'_>,
    images: &Images,
    findings: &mut [Finding],
    report: &mut Report,
) -> Result<(), AppError> {
    let granted = work.worker.app.granted_exceptions(&work.submission.publisher).await?;
    let of_plan = |plan: &str| {
        let own = images.iter().filter(|(of, _)| of == plan);
        own.map(|(_, image)| image.digest.to_string()).collect()
    };
    let exception::Excused { count, elsewhere } =
        exception::excuse(findings, &granted, &work.submission.offer, of_plan);
    if count > 0 {
        report.say("information", "message-excused", &[("count", &count.to_string())]);
    }
    if !elsewhere.is_empty() {
        let numbers = elsewhere.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        report.say("information", "message-excused-elsewhere", &[("numbers", &numbers)]);
    }
    Ok(())
}

/// `reused` is the key of the words for results that were used again.
fn end(mut report: Report, findings: &[Finding], reused: &str) -> Ended {
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count().to_string();
    report.findings = findings.iter().map(FindingRow::from).collect();
    let total = report.layers_read + report.layers_reused;
    if report.layers_reused > 0 {
        let (count, total) = (report.layers_reused.to_string(), total.to_string());
        report.say("information", reused, &[("reused", &count), ("total", &total)]);
    }
    match judge(findings) {
        Outcome::Pass => Ended::passed(report),
        Outcome::Findings => {
            report.say("error", "message-blocked", &[("count", &count(Severity::Error))]);
            Ended::blocked(report)
        }
        Outcome::Inconclusive => {
            report.say("error", "message-inconclusive", &[("count", &count(Severity::Inconclusive))]);
            Ended::Result(StepOutcome::GaveUp, Box::new(report))
        }
    }
}

async fn tag_findings(
    work: &Work<'_>,
    images: &Images,
    knowledge: &Knowledge,
) -> Result<Vec<Finding>, AppError> {
    let offer = load::<OfferRow>(&*work.worker.app.ledger, &work.key().to_string()).await?;
    let offer = offer.map(|offer| offer.row).unwrap_or_default();
    let digests = |tags: BTreeMap<String, String>| -> BTreeMap<String, Digest> {
        tags.into_iter().filter_map(|(tag, digest)| Some((tag, Digest::parse(&digest)?))).collect()
    };
    let mut out = Vec::new();
    for plan in &work.document.plans {
        let resolved: Vec<Resolved> = images
            .iter()
            .filter(|(of, _)| *of == plan.id)
            .map(|(_, image)| Resolved {
                reference: image.reference.clone(),
                digest: image.digest.clone(),
                is_index: image.media_type.contains("index") || image.media_type.contains("list"),
                platforms: image.platforms.clone(),
                children: image.children.iter().map(|(digest, _)| digest.clone()).collect(),
            })
            .collect();
        let live = digests(offer.tags.get(&plan.id).cloned().unwrap_or_default());
        let ever = digests(offer.published_of(&plan.id));
        let published = Published { live: &live, ever: &ever };
        let severity = |rule: &str| knowledge.policy.severity(rule);
        out.extend(tags::check(&plan.id, &resolved, published, plan.list("platforms"), &severity));
    }
    Ok(out)
}

/// What images open to the outside that no text of the listing tells. An image that cannot be read is told by its
/// inspection.
async fn exposed(work: &Work<'_>, images: &Images, knowledge: &Knowledge) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    for (plan, image) in images {
        for (digest, _) in image.manifests.iter().filter(|(digest, _)| seen.insert((plan, digest.clone()))) {
            if let Some(config) = config_of(&work.worker.depot, digest).await {
                out.extend(inspect_exposed(&work.document, plan, &config, &knowledge.policy));
            }
        }
    }
    out
}

/// The configuration of an image for one platform, where the manifest is of one.
async fn config_of(depot: &Depot, manifest: &Digest) -> Option<Config> {
    let manifest = oci::parse_manifest(&depot.get(manifest).await.ok()?, None).ok()?.0;
    let Manifest::Image { config, .. } = manifest else { return None };
    let is_small = depot.size(&config.digest).await.ok()?.is_some_and(|size| size <= CONFIG_BYTES_MAX);
    oci::parse_config(&if is_small { depot.get(&config.digest).await.ok() } else { None }?).ok()
}

async fn one_image(
    work: &Work<'_>,
    plan: &str,
    image: &Imported,
    knowledge: &Knowledge,
    report: &mut Report,
) -> Result<Result<Vec<Finding>, Ended>, AppError> {
    let inspector = of_plan(work, plan, knowledge);
    let reuse = verdict_key(&image.digest, knowledge, Some(&inspector));
    if let Some(findings) = reused(work, plan, image, &reuse, report).await? {
        return Ok(Ok(findings));
    }
    let (directory, _spool) = match spool(work, image).await {
        Ok(found) => found,
        Err(why) => return Ok(Err(Ended::Wait { on: "wait-store", detail: why })),
    };
    let wanted = match keys(&image.digest, &directory, false, knowledge) {
        Ok(wanted) => wanted,
        Err(error) => return Ok(Err(Ended::Wait { on: "wait-store", detail: error.to_string() })),
    };
    let mut facts: BTreeMap<String, LayerFacts> = BTreeMap::new();
    for key in wanted.keys() {
        let kept = load::<PaperRow>(&*work.worker.app.ledger, key).await?;
        if let Some(kept) = kept.and_then(|row| serde_json::from_str(&row.row.text).ok()) {
            facts.insert(key.clone(), kept);
        }
    }
    let reused = u32::try_from(facts.len()).unwrap_or(u32::MAX);
    let bytes = image.blobs.iter().map(|(_, size)| size).sum();
    let name = image.reference.clone();
    let progress = |done, total| {
        work.tracker.part(&name, |part| {
            part.done = part.done.max(done);
            part.total = total;
            part.complete = done >= total;
        });
    };
    let layers = u32::try_from(wanted.len()).unwrap_or(u32::MAX);
    let earlier = Reuse { facts, wanted };
    match inspector.inspect(&image.digest, &directory, false, bytes, earlier, progress).await {
        Ok(inspection) => {
            report.layers_reused += reused;
            report.layers_read += layers - reused;
            let verdict = inspection.verdict.clone();
            let kept = keep(work, image, plan, inspection, report).await?;
            if work.extent == Extent::Whole && kept.as_ref().is_ok_and(|findings| is_whole(findings)) {
                let row = PaperRow { key: reuse, text: verdict, made: work.worker.app.ledger.now().await? };
                report.writes.push(put(&row, Expect::Any));
            }
            Ok(kept)
        }
        Err(error) => Ok(broken(work, &error)),
    }
}

/// Whether a verdict is kept for the next time. What we could not finish is tried again.
pub(super) fn is_whole(findings: &[Finding]) -> bool {
    judge(findings) != Outcome::Inconclusive
}

/// The findings of a verdict that is kept under a key; it becomes this submission's too.
async fn reused(
    work: &Work<'_>,
    plan: &str,
    image: &Imported,
    key: &str,
    report: &mut Report,
) -> Result<Option<Vec<Finding>>, AppError> {
    let Some(kept) = load::<PaperRow>(&*work.worker.app.ledger, key).await? else { return Ok(None) };
    let Some((_, findings)) = Verdict::findings_of(&kept.row.text) else { return Ok(None) };
    report.layers_reused += Verdict::layers_of(&kept.row.text);
    let name = verdict_name(report, image, plan);
    let key = format!("verdict/{}/{name}", work.submission.id);
    report.writes.push(put(&PaperRow { key: key.clone(), ..kept.row }, Expect::Any));
    report.verdicts.insert(name, key);
    let bytes: u64 = image.blobs.iter().map(|(_, size)| size).sum();
    work.tracker.handle(&image.reference).set(bytes, bytes);
    Ok(Some(findings))
}

/// The inspector of a plan. Only policies of the operator look at the listing.
pub(super) fn of_plan(work: &Work<'_>, plan: &str, knowledge: &Knowledge) -> Inspector {
    let own = knowledge.eligibility.is_of_operator();
    let listing = own.then(|| mercat_app::clone_public(&work.document).to_string());
    let expected = Some(knowledge.files_digest().to_string());
    // Somebody waits for a certification; for what is live, whoever looks at a page goes first.
    let gentle = work.extent == Extent::Artifacts;
    let statements = statements(work, plan);
    Inspector { listing, statements, expected, gentle, ..work.worker.inspector.clone() }
}

/// What the publisher states about vulnerabilities in a plan.
fn statements(work: &Work<'_>, plan: &str) -> Option<String> {
    let text = work.document.plan(plan)?.text("vex");
    (!text.trim().is_empty()).then(|| text.to_owned())
}

/// Blobs as files below one directory: the depot itself, or copies of what lies in a remote one.
pub(super) async fn spool(
    work: &Work<'_>,
    image: &Imported,
) -> Result<(PathBuf, Option<tempfile::TempDir>), String> {
    let depot = &work.worker.depot;
    if let Some(path) = depot.local_path(&image.digest) {
        let root = path.ancestors().nth(3).map(PathBuf::from);
        return root.map(|root| (root, None)).ok_or_else(|| "the depot has no root".to_owned());
    }
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let blobs = image.blobs.iter().map(|(digest, _)| digest);
    for digest in blobs.chain(image.manifests.iter().map(|(digest, _)| digest)) {
        let path = dir.path().join("sha256").join(&digest.hex()[..2]);
        tokio::fs::create_dir_all(&path).await.map_err(|error| error.to_string())?;
        let mut file =
            tokio::fs::File::create(path.join(digest.hex())).await.map_err(|error| error.to_string())?;
        let mut stream = depot.stream(digest, None).await.map_err(|error| crate::chain(&error))?;
        while let Some(chunk) = futures::StreamExt::next(&mut stream).await {
            let chunk = chunk.map_err(|error| crate::chain(&error))?;
            tokio::io::AsyncWriteExt::write_all(&mut file, &chunk)
                .await
                .map_err(|error| error.to_string())?;
        }
        tokio::io::AsyncWriteExt::flush(&mut file).await.map_err(|error| error.to_string())?;
    }
    Ok((dir.path().to_owned(), Some(dir)))
}

pub(super) async fn keep(
    work: &Work<'_>,
    image: &Imported,
    plan: &str,
    inspection: Inspection,
    report: &mut Report,
) -> Result<Result<Vec<Finding>, Ended>, AppError> {
    let Some((_, findings)) = Verdict::findings_of(&inspection.verdict) else {
        return Ok(broken(work, &InspectError::Ended("the verdict cannot be read".into())));
    };
    let made = work.worker.app.ledger.now().await?;
    let name = verdict_name(report, image, plan);
    let mut paper = |key: String, text: String| {
        report.writes.push(put(&PaperRow { key, text, made }, Expect::Any));
    };
    for (key, facts) in inspection.facts {
        paper(key, serde_json::to_string(&facts).unwrap_or_default());
    }
    for (digest, text) in inspection.sboms {
        paper(format!("sbom/{digest}"), text);
    }
    let key = format!("verdict/{}/{name}", work.submission.id);
    paper(key.clone(), inspection.verdict);
    report.verdicts.insert(name, key);
    Ok(Ok(findings))
}

/// The name of a verdict: the digest, and more where the same disk is sold twice under other claims.
pub(super) fn verdict_name(report: &Report, image: &Imported, plan: &str) -> String {
    let digest = image.digest.to_string();
    let taken = report.verdicts.contains_key(&digest);
    if taken { format!("{digest}/{plan}/{}", image.reference) } else { digest }
}

/// An inspector that broke is tried again; after that the check is inconclusive, and ours.
pub(super) fn broken(work: &Work<'_>, error: &InspectError) -> Result<Vec<Finding>, Ended> {
    tracing::warn!(submission = %work.submission.id, error = %crate::chain(error), "an inspection broke");
    if work.task.attempts < INSPECTOR_TRIES {
        return Err(Ended::Wait { on: "wait-store", detail: error.to_string() });
    }
    Ok(vec![Finding {
        rule: "INC-02".to_owned(),
        severity: Severity::Inconclusive,
        place: Place::default(),
        observed: error.to_string(),
        required: "an inspection that ends by itself".to_owned(),
        fix: "nothing to do for the publisher: the operator of this server must look into it".to_owned(),
    }])
}
