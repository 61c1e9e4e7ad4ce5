//! Packaging: copies for the preview, the product page, and the lead destination with its test lead.

use super::validate::held;
use super::{Ended, Work, provision, regions};
use mercat_app::{AppError, Media, Report, compose_listing, rfc3339};
use mercat_courier::{LeadFailure, deliver, payload};
use mercat_depot::Imported;
use mercat_depot::disk::DiskIndex;
use mercat_domain::OfferKind;
use mercat_domain::lead::test_lead;
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
    if work.document.text("leadDestination") == "https" {
        if let Some(ended) = send_test_lead(work, &mut report).await? {
            return Ok(ended);
        }
    } else {
        report.say("information", "message-no-lead", &[]);
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
    let app = &work.worker.app;
    let key = work.key();
    let id = format!("{}-test", work.submission.id);
    let url = work.document.text("leadHttpsUrl").to_owned();
    let secret = app.open_secret(&key.to_string(), "leadSecret", &work.document.fields)?;
    let title = work.document.text("title");
    let lead = test_lead(&id, &key.publisher, &key.offer, title, "preview", rfc3339(work.submission.created));
    let now = app.ledger.now().await?;
    let sent = deliver(&work.worker.egress, &url, &secret, &lead, now / 1000).await;
    let row = |state: &str, response: String| LeadRow {
        id: id.clone(),
        publisher: key.publisher.clone(),
        offer: key.offer.clone(),
        test: true,
        destination: url.split('?').next().unwrap_or("").to_owned(),
        payload: payload(&lead),
        state: state.to_owned(),
        response,
        at: now,
    };
    match sent {
        Ok(status) => {
            let response = format!("HTTP {status}");
            report.say("information", "message-test-lead", &[("id", &id), ("detail", &response)]);
            report.writes.push(put(&row("delivered", response), Expect::Any));
            Ok(None)
        }
        Err(LeadFailure { code: "lead.timeout" | "lead.unreachable", detail })
            if work.task.attempts < LEAD_TRIES =>
        {
            Ok(Some(Ended::Wait { on: "wait-source", detail }))
        }
        Err(failure) => {
            let mut blocked = Report::default();
            blocked.findings.push(FindingRow {
                rule: failure.code.to_owned(),
                severity: "error".to_owned(),
                field: "leadHttpsUrl".to_owned(),
                observed: failure.detail.clone(),
                required: "an answer of 2xx to the test lead".to_owned(),
                fix: "correct the lead endpoint, or choose none, and publish again".to_owned(),
                ..FindingRow::default()
            });
            blocked.say("error", "message-lead-failed", &[("detail", &failure.to_string())]);
            blocked.writes.push(put(&row("failed", failure.to_string()), Expect::Any));
            Ok(Some(Ended::blocked(blocked)))
        }
    }
}
