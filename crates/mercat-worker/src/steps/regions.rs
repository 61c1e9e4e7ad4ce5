//! Copies in every region, with progress a region.

use super::validate::held;
use super::{Ended, Work, preview_repository};
use futures::future::join_all;
use mercat_app::{AppError, Report};
use mercat_depot::{Copies, Imported, Progress, Region};
use mercat_domain::Digest;
use mercat_domain::offer::disk;
use mercat_domain::tags::parse_triple;
use mercat_store::ListingRow;
use std::collections::BTreeMap;

struct OneRegion<'a, 'w> {
    work: &'a Work<'w>,
    name: String,
    before: u64,
}

impl Progress for OneRegion<'_, '_> {
    fn at(&self, done: u64, _: u64) {
        self.work.tracker.part(&self.name, |part| part.done = self.before + done);
    }
}

/// The tags of an image: its reference unless that is a digest, and `latest` for the newest version of a disk.
pub(super) fn tags(images: &[(String, Imported)], plan: &str, image: &Imported) -> Vec<String> {
    let version = |reference: &str| match disk::of_reference(reference) {
        Some((version, None)) => parse_triple(version),
        _ => None,
    };
    let mut out = Vec::new();
    if Digest::parse(&image.reference).is_none() {
        out.push(image.reference.clone());
    }
    let is_disk = image.platforms.is_empty() && version(&image.reference).is_some();
    let newest =
        images.iter().filter(|(of, _)| of == plan).filter_map(|(_, image)| version(&image.reference)).max();
    if is_disk && version(&image.reference) == newest {
        out.push("latest".to_owned());
    }
    out
}

/// What each plan's repository must hold.
pub(super) fn copies(
    images: &[(String, Imported)],
    repository: impl Fn(&str) -> String,
    near: impl Fn(&str) -> String,
) -> Vec<Copies> {
    let mut by_plan: BTreeMap<&str, Copies> = BTreeMap::new();
    for (plan, image) in images {
        let copies = by_plan.entry(plan).or_insert_with(|| Copies {
            repository: repository(plan),
            near: near(plan),
            ..Copies::default()
        });
        for tag in tags(images, plan, image) {
            copies.tags.insert(tag, image.digest.clone());
        }
        copies.manifests.extend(image.manifests.iter().cloned());
        copies.blobs.extend(image.blobs.iter().cloned());
        copies.blobs.sort();
        copies.blobs.dedup();
    }
    by_plan.into_values().collect()
}

/// Brings all regions to hold the copies; tells the bytes that were sent, or what is waited for.
pub(super) async fn bring(work: &Work<'_>, part: &str, copies: &[Copies]) -> Result<u64, Ended> {
    let mut total = 0;
    for one in copies {
        total += bytes(work, one).await;
    }
    for region in work.worker.regions.iter() {
        work.tracker.part(region.name(), |part| part.total = total);
    }
    let mut all = Vec::new();
    for region in work.worker.regions.iter() {
        all.push(one_region(work, region, part, copies, total));
    }
    let (mut sent, mut late) = (0, Vec::new());
    for region in join_all(all).await {
        match region {
            Ok(bytes) => sent += bytes,
            Err(why) => late.push(why),
        }
    }
    if late.is_empty() { Ok(sent) } else { Err(Ended::Wait { on: "wait-region", detail: late.join("; ") }) }
}

async fn bytes(work: &Work<'_>, copies: &Copies) -> u64 {
    let mut total = copies.blobs.iter().map(|(_, size)| size).sum();
    for digest in copies.manifests.keys() {
        total += work.worker.depot.size(digest).await.ok().flatten().unwrap_or(0);
    }
    total
}

async fn one_region(
    work: &Work<'_>,
    region: &Region,
    part: &str,
    copies: &[Copies],
    total: u64,
) -> Result<u64, String> {
    let (mut before, mut sent) = (0, 0);
    for one in copies {
        let progress = OneRegion { work, name: region.name().to_owned(), before };
        match region.copy(&work.worker.depot, part, one, &progress).await {
            Ok(bytes) => sent += bytes,
            Err(error) => {
                let why = crate::chain(&error);
                work.tracker.part(region.name(), |part| part.note.clone_from(&why));
                return Err(format!("{}: {why}", region.name()));
            }
        }
        before += bytes(work, one).await;
    }
    work.tracker.part(region.name(), |part| {
        part.done = total;
        part.complete = true;
        part.note.clear();
    });
    Ok(sent)
}

/// The preview copies of a submission: the bytes sent, or what is waited for.
pub(super) async fn preview(
    work: &Work<'_>,
    images: &[(String, Imported)],
) -> Result<Result<u64, Ended>, AppError> {
    let key = work.key();
    let near = |plan: &str| format!("production/{}/{}/{plan}", key.publisher, key.offer);
    let copies = copies(images, |plan| preview_repository(&work.submission, plan), near);
    Ok(bring(work, "preview", &copies).await)
}

/// Says how many regions hold the copies, and what that took.
pub(super) fn say(report: &mut Report, work: &Work<'_>, sent: u64) {
    let (count, bytes) = (work.worker.regions.len().to_string(), super::amount(sent));
    report.say("information", "message-regions", &[("count", &count), ("bytes", &bytes)]);
}

/// The second packaging or provisioning: everything in the production part of every region.
pub(super) async fn production(work: &Work<'_>) -> Result<Ended, AppError> {
    let images = match held(work).await? {
        Ok(images) => images,
        Err(waits) => return Ok(waits),
    };
    let key = work.key();
    let near = |plan: &str| format!("preview/{}", preview_repository(&work.submission, plan));
    let copies = copies(&images, |plan| format!("{}/{}/{plan}", key.publisher, key.offer), near);
    let sent = match bring(work, "production", &copies).await {
        Ok(sent) => sent,
        Err(waits) => return Ok(waits),
    };
    let mut report = Report::default();
    say(&mut report, work, sent);
    Ok(Ended::passed(report))
}

/// Live: what was previewed is what is released.
pub(super) async fn live(work: &Work<'_>) -> Result<Ended, AppError> {
    let listing = mercat_store::load::<ListingRow>(&*work.worker.app.ledger, &work.submission.id).await?;
    let listing = listing.ok_or(AppError::NotFound)?.row;
    let images = match held(work).await? {
        Ok(images) => images,
        Err(waits) => return Ok(waits),
    };
    for (plan, image) in &images {
        let listed = listing.plans.iter().find(|listed| listed.id == *plan);
        if !listed.is_some_and(|listed| listed.manifests.contains_key(image.digest.as_str())) {
            let detail = format!("{plan} {} is not what was previewed", image.digest);
            return Ok(Ended::Wait { on: "wait-store", detail });
        }
    }
    Ok(Ended::passed(Report::default()))
}
