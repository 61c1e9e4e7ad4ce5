//! Packaging: copies for the preview, the product page, and the lead destination with its test lead.

use super::validate::held;
use super::{Ended, Work, provision, regions};
use mercat_app::{AppError, Delivered, Media, Report, compose_listing};
use mercat_depot::Imported;
use mercat_depot::disk::DiskIndex;
use mercat_domain::OfferKind;
use mercat_domain::lead::Destination;
use mercat_store::{Expect, FindingRow, LeadRow, ListedDisk, PublisherRow, load, put};

/// Tries of a destination that does not answer before the publisher is asked to look at it.
const LEAD_TRIES: u32 = 4;

pub(super) async fn run(work: &Work<'_>) -> Result<Ended, AppError> {
    let images = match held(work).await? {
        Ok(images) => images,
        Err(waits) => return Ok(waits),
    };
    let mut report = Report::default();
    // Disks were brought to the regions by the step before.
    let disks = work.document.kind == OfferKind::VirtualMachine;
    if !disks {
        match regions::preview(work, &images).await? {
            Ok(sent) => regions::say(&mut report, work, sent),
            Err(waits) => return Ok(waits),
        }
    }
    let publisher = load::<PublisherRow>(&*work.worker.app.ledger, &work.submission.publisher).await?;
    let name = publisher.map(|row| row.row.name).unwrap_or_default();
    let mut media = media(&images, disks);
    if disks {
        for (plan, image) in &images {
            match listed_disk(work, image).await? {
                Ok(disk) => media.entry(plan.clone()).or_default().disks.push(disk),
                Err(waits) => return Ok(waits),
            }
        }
    }
    report.listing = Some(compose_listing(&work.submission.id, &name, &work.document, &media));
    report.say("information", "message-page-made", &[]);
    if let Some(ended) = send_test_lead(work, &mut report).await? {
        return Ok(ended);
    }
    Ok(Ended::passed(report))
}

async fn listed_disk(work: &Work<'_>, image: &Imported) -> Result<Result<ListedDisk, Ended>, AppError> {
    let index = match DiskIndex::load(&work.worker.depot, &image.digest).await {
        Ok(index) => index,
        Err(error) => return Ok(Err(Ended::Wait { on: "wait-store", detail: crate::chain(&error) })),
    };
    Ok(Ok(ListedDisk {
        reference: image.reference.clone(),
        root: image.digest.to_string(),
        digest: index.disk.to_string(),
        size: index.size,
        downloads: provision::known(work, &index).await?,
    }))
}

fn media(images: &[(String, Imported)], disks: bool) -> Media {
    let mut out = Media::new();
    for (plan, image) in images {
        let listed = out.entry(plan.clone()).or_default();
        for tag in regions::tags(images, plan, image) {
            listed.tags.insert(tag, image.digest.to_string());
        }
        let manifests = image.manifests.iter().map(|(digest, kind)| (digest.to_string(), kind.clone()));
        listed.manifests.extend(manifests);
        if disks {
            continue;
        }
        listed.blobs.extend(image.blobs.iter().map(|(digest, _)| digest.to_string()));
        listed.blobs.sort();
        listed.blobs.dedup();
        listed.platforms.extend(image.platforms.iter().cloned());
        listed.platforms.sort();
        listed.platforms.dedup();
    }
    out
}

/// Sends the test lead under an id that belongs to the submission: a repeat is the same lead.
async fn send_test_lead(work: &Work<'_>, report: &mut Report) -> Result<Option<Ended>, AppError> {
    let (app, key) = (&work.worker.app, work.key());
    let id = format!("{}-test", work.submission.id);
    let Some(row) = app.test_lead_row(&id, &key, &work.document, "preview", work.submission.created)? else {
        report.say("information", "message-no-lead", &[]);
        return Ok(None);
    };
    let lead = app.lead_to_send(&key, &work.document, row)?;
    let sent = work.worker.send_lead(&lead).await?;
    let (state, response) = match &sent {
        Delivered::Taken(response) => ("delivered", response.clone()),
        Delivered::Failed { response, .. } => ("failed", response.clone()),
    };
    let waits = ["lead.timeout", "lead.unreachable"].iter().any(|code| response.starts_with(code));
    if state == "failed" && waits && work.task.attempts < LEAD_TRIES {
        return Ok(Some(Ended::Wait { on: "wait-source", detail: response }));
    }
    let now = app.ledger.now().await?;
    let tried = LeadRow {
        state: state.to_owned(),
        response: response.clone(),
        attempts: work.task.attempts,
        next: 0,
        at: now,
        ..lead.row.row
    };
    if state == "delivered" {
        report.say("information", "message-test-lead", &[("id", &id), ("detail", &response)]);
        report.writes.push(put(&tried, Expect::Any));
        return Ok(None);
    }
    let (code, detail) = response.split_once(": ").unwrap_or(("lead.rejected", &response));
    let mut blocked = Report::default();
    blocked.findings.push(FindingRow {
        rule: code.to_owned(),
        severity: "error".to_owned(),
        field: lead.destination.as_ref().map_or("leadDestination", Destination::field).to_owned(),
        observed: detail.to_owned(),
        required: "an answer of 2xx to the test lead".to_owned(),
        fix: "correct the lead destination, or choose none, and publish again".to_owned(),
        ..FindingRow::default()
    });
    blocked.say("error", "message-lead-failed", &[("detail", &response)]);
    blocked.writes.push(put(&tried, Expect::Any));
    Ok(Some(Ended::blocked(blocked)))
}
