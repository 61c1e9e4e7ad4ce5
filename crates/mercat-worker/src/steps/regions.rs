//! Copies in every region, with progress a region.

use super::validate::held;
use super::{Ended, Work, preview_repository};
use futures::future::join_all;
use mercat_app::{AppError, Report};
use mercat_depot::{Copies, Imported, Progress, Region};
use mercat_domain::Digest;
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

/// What each plan's repository must hold.
pub(super) fn copies(images: &[(String, Imported)], repository: impl Fn(&str) -> String) -> Vec<Copies> {
    let mut by_plan: BTreeMap<&str, Copies> = BTreeMap::new();
    for (plan, image) in images {
        let copies = by_plan
            .entry(plan)
            .or_insert_with(|| Copies { repository: repository(plan), ..Copies::default() });
        if Digest::parse(&image.reference).is_none() {
            copies.tags.insert(image.reference.clone(), image.digest.clone());
        }
        copies.manifests.extend(image.manifests.iter().cloned());
        copies.blobs.extend(image.blobs.iter().cloned());
        copies.blobs.sort();
        copies.blobs.dedup();
    }
    by_plan.into_values().collect()
}

/// Brings all regions to hold the copies; `None` when every one does, else what is waited for.
pub(super) async fn bring(work: &Work<'_>, part: &str, copies: &[Copies]) -> Result<Option<Ended>, AppError> {
    let mut total = 0;
    for one in copies {
        for digest in one.blobs.iter().chain(one.manifests.keys()) {
            total += work.worker.depot.size(digest).await.ok().flatten().unwrap_or(0);
        }
    }
    for region in work.worker.regions.iter() {
        work.tracker.part(region.name(), |part| part.total = total);
    }
    let mut all = Vec::new();
    for region in work.worker.regions.iter() {
        all.push(one_region(work, region, part, copies, total));
    }
    let late: Vec<String> = join_all(all).await.into_iter().flatten().collect();
    Ok((!late.is_empty()).then(|| Ended::Wait { on: "wait-region", detail: late.join("; ") }))
}

async fn one_region(
    work: &Work<'_>,
    region: &Region,
    part: &str,
    copies: &[Copies],
    total: u64,
) -> Option<String> {
    let mut before = 0;
    for one in copies {
        let progress = OneRegion { work, name: region.name().to_owned(), before };
        if let Err(error) = region.copy(&work.worker.depot, part, one, &progress).await {
            let why = crate::chain(&error);
            work.tracker.part(region.name(), |part| part.note.clone_from(&why));
            return Some(format!("{}: {why}", region.name()));
        }
        for digest in one.blobs.iter().chain(one.manifests.keys()) {
            before += work.worker.depot.size(digest).await.ok().flatten().unwrap_or(0);
        }
    }
    work.tracker.part(region.name(), |part| {
        part.done = total;
        part.complete = true;
        part.note.clear();
    });
    None
}

/// The preview copies of a submission.
pub(super) async fn preview(
    work: &Work<'_>,
    images: &[(String, Imported)],
) -> Result<Option<Ended>, AppError> {
    bring(work, "preview", &copies(images, |plan| preview_repository(&work.submission, plan))).await
}

/// The second packaging: everything in the production part of every region.
pub(super) async fn production(work: &Work<'_>) -> Result<Ended, AppError> {
    let images = match held(work).await? {
        Ok(images) => images,
        Err(waits) => return Ok(waits),
    };
    let key = work.key();
    let copies = copies(&images, |plan| format!("{}/{}/{plan}", key.publisher, key.offer));
    if let Some(waits) = bring(work, "production", &copies).await? {
        return Ok(waits);
    }
    let mut report = Report::default();
    let count = work.worker.regions.len().to_string();
    report.say("information", "message-regions", &[("count", &count)]);
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
