//! Disks of virtual machine offers: fetched, read by a confined child, stored as chunks.

use super::validate::NAME_WAITS;
use super::{Ended, Work};
use crate::Worker;
use crate::decode::{self, DecodeError, Watch};
use crate::progress::PartHandle;
use mercat_app::{AppError, Report, StepOutcome, rfc3339};
use mercat_depot::disk::{DiskIndex, Stage};
use mercat_depot::{FetchError, Resolved, SourceError, Spool, SpoolError};
use mercat_disk::{Declared, VIRTUAL_BYTES_MAX};
use mercat_domain::document::rows;
use mercat_domain::offer::disk::{self, DiskSource};
use mercat_domain::{Digest, OfferKey, Plan};
use mercat_egress::EgressError;
use mercat_store::{FindingRow, ImageRow, OfferRow, load};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use url::Url;

/// Tries of a child that dies or runs out of time before the step is given up as ours.
const CHILD_TRIES: u32 = 3;
/// Which readers stored a disk: others may see it in another way.
const READER: &str = env!("CARGO_PKG_VERSION");
/// A shared-access URL must hold that much longer, in milliseconds.
const SOON_MS: i64 = 3_600_000;

/// One disk that a plan lists.
struct Listed<'a> {
    plan: &'a str,
    reference: String,
    field: String,
    text: &'a str,
}

/// A file on this machine, and what tells its content from another.
struct Local {
    path: PathBuf,
    declared: Option<Declared>,
    /// Empty when the source says nothing by which its content could be recognised.
    identity: String,
}

/// What was stored from a source before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    validator: String,
    root: String,
}

/// What is asked of a version that was published before.
const PUBLISHED_DISKS: &str = "the disks of the published version; changed disks are a new version";

/// Why there is no disk: the publisher's to fix, ours, or something to wait for.
enum Missing {
    Finding(Box<FindingRow>),
    Wait { on: &'static str, detail: String },
}

fn listed(plan: &Plan) -> Vec<Listed<'_>> {
    let mut out = Vec::new();
    for (index, row) in rows(&plan.fields, "versions").iter().enumerate() {
        let cell = |key: &str| row.get(key).map_or("", String::as_str);
        let mut push = |lun, column: &str, text| {
            let field = format!("plans/{}/versions/{index}/{column}", plan.id);
            let reference = disk::reference(cell("version"), lun);
            out.push(Listed { plan: &plan.id, reference, field, text });
        };
        push(None, "osDiskUrl", cell("osDiskUrl"));
        for (lun, text) in cell("dataDisks").split_whitespace().enumerate() {
            push(Some(lun), "dataDisks", text);
        }
    }
    out
}

/// Validate prerequisites: every disk can be read, and lies in the depot.
pub(super) async fn validate(work: &Work<'_>) -> Result<Ended, AppError> {
    let offer = load::<OfferRow>(&*work.worker.app.ledger, &work.key().to_string()).await?;
    let offer = offer.map(|offer| offer.row).unwrap_or_default();
    let mut report = Report::default();
    let mut images = Vec::new();
    let mut new_bytes = 0;
    for plan in &work.document.plans {
        let published = offer.published_of(&plan.id);
        for one in listed(plan) {
            let live = offer.tags.get(&plan.id).and_then(|tags| tags.get(&one.reference));
            let stored = match live.and_then(|digest| Digest::parse(digest)) {
                // A published version never changes: its bytes are not asked for again.
                Some(root) => stored(work, &root).await,
                None => bring(work, &one, &mut new_bytes).await?,
            };
            // One that left production comes back as it was.
            let then = published.get(&one.reference);
            let stored = match (stored, then) {
                (Ok((root, _)), Some(then)) if root.as_str() != then.as_str() => {
                    let fix = "publish the new content under a new version tag".to_owned();
                    let row = one.row("F006", &one.reference, PUBLISHED_DISKS);
                    Err(Missing::Finding(Box::new(FindingRow { fix, ..row })))
                }
                (stored, _) => stored,
            };
            match stored {
                Ok((root, size)) => images.push(ImageRow {
                    plan: plan.id.clone(),
                    reference: one.reference,
                    digest: root.to_string(),
                    media_type: mercat_artifact::oci::OCI_INDEX.to_owned(),
                    size,
                }),
                Err(Missing::Finding(finding)) => report.findings.push(*finding),
                Err(Missing::Wait { on, detail }) => return Ok(Ended::Wait { on, detail }),
            }
        }
    }
    if report.findings.is_empty() {
        let (count, bytes) = (images.len().to_string(), super::amount(new_bytes));
        report.say("information", "message-disks-stored", &[("count", &count), ("bytes", &bytes)]);
        report.images = Some(images);
        return Ok(Ended::passed(report));
    }
    let count = report.findings.len().to_string();
    if report.findings.iter().any(|finding| finding.severity == "error") {
        report.say("error", "message-blocked", &[("count", &count)]);
        return Ok(Ended::blocked(report));
    }
    report.say("error", "message-inconclusive", &[("count", &count)]);
    Ok(Ended::Result(StepOutcome::GaveUp, Box::new(report)))
}

/// What is known of a plan's disks without fetching them: that they are there, and how large the files are.
pub(crate) async fn look(
    worker: &Worker,
    key: &OfferKey,
    plan: &Plan,
) -> Result<Vec<Resolved>, Box<FindingRow>> {
    let mut out = Vec::new();
    for one in listed(plan) {
        let finding = |missing: Missing| match missing {
            Missing::Finding(finding) => finding,
            Missing::Wait { detail, .. } => {
                let row = one.row("F015", &detail, "a source that answers");
                Box::new(FindingRow { severity: "inconclusive".to_owned(), ..row })
            }
        };
        let source = DiskSource::parse(one.text)
            .map_err(|(code, observed, required)| finding(one.finding(code, &observed, required)))?;
        let size = match source {
            DiskSource::File(path) => {
                let path = PathBuf::from(path);
                let meta = path.metadata().ok().filter(std::fs::Metadata::is_file);
                match meta.filter(|_| super::validate::allowed(&path, &worker.local_sources)) {
                    Some(meta) => meta.len(),
                    None => {
                        let required = "a file below a directory of sources.directories on this server";
                        return Err(finding(one.unusable(required)));
                    }
                }
            }
            DiskSource::Upload(id) => match worker.spool.find(id) {
                Ok(upload) if upload.publisher == key.publisher && upload.offset == upload.size => {
                    upload.size
                }
                _ => return Err(finding(one.unusable("an upload of this publisher that is complete"))),
            },
            DiskSource::Url(text) => {
                let url = Url::parse(text)
                    .map_err(|error| finding(one.finding("F015", &error.to_string(), "a URL")))?;
                let request = worker.egress.http().head(url).build();
                let request =
                    request.map_err(|error| finding(one.finding("F015", &error.to_string(), "a URL")))?;
                let answer = worker.egress.send(request).await;
                let answer =
                    answer.map_err(|error| finding(unfetched(&one, &FetchError::Egress(error), true)))?;
                if !answer.status().is_success() {
                    let error = FetchError::Status(answer.status().as_u16());
                    return Err(finding(unfetched(&one, &error, true)));
                }
                let length = answer.headers().get("content-length");
                length.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0)
            }
        };
        out.push(Resolved { reference: one.reference.clone(), size, ..Resolved::default() });
    }
    Ok(out)
}

async fn stored(work: &Work<'_>, root: &Digest) -> Result<(Digest, u64), Missing> {
    let depot = &work.worker.depot;
    let found = async {
        let index = DiskIndex::load(depot, root).await?;
        index.holdings(depot).await?;
        Ok::<_, mercat_depot::disk::DiskError>(index.index_bytes)
    };
    match found.await {
        Ok(bytes) => Ok((root.clone(), bytes)),
        Err(error) => Err(Missing::Wait { on: "wait-store", detail: crate::chain(&error) }),
    }
}

async fn bring(
    work: &Work<'_>,
    one: &Listed<'_>,
    new_bytes: &mut u64,
) -> Result<Result<(Digest, u64), Missing>, AppError> {
    let spool = &work.worker.spool;
    let part = work.tracker.handle(&format!("{} {}", one.plan, one.reference));
    let source = match DiskSource::parse(one.text) {
        Ok(source) => source,
        Err((code, observed, required)) => return Ok(Err(one.finding(code, &observed, required))),
    };
    // What one offer learned is not another's: sources may lie about what identifies their content.
    let scope = scope(&work.key(), source);
    let note = format!("disk {scope}");
    let known: Option<Known> = spool.take_note(&note);
    let now = work.worker.app.ledger.now().await?;
    let local = match local(work, one, source, known.as_ref(), now, &part).await {
        Ok(Some(local)) => local,
        Ok(None) => {
            let root = known.as_ref().and_then(|known| Digest::parse(&known.root));
            part.set(1, 1);
            return Ok(match root {
                Some(root) => stored(work, &root).await,
                None => Err(Missing::Wait { on: "wait-store", detail: "a note was lost".into() }),
            });
        }
        Err(missing) => return Ok(Err(missing)),
    };
    if let Some(root) = known
        .filter(|known| !local.identity.is_empty() && known.validator == local.identity)
        .and_then(|known| Digest::parse(&known.root))
        && let Ok(found) = stored(work, &root).await
    {
        part.set(1, 1);
        return Ok(Ok(found));
    }
    let stage_note = format!("stage {scope} {} {:?}", local.identity, local.declared);
    let stage = if local.identity.is_empty() { None } else { spool.take_note::<Stage>(&stage_note) };
    let watch = Arc::new(Keeper { spool: spool.clone(), note: stage_note.clone(), part });
    let inspector = &work.worker.inspector;
    let done = decode::store(inspector, &work.worker.depot, &local.path, local.declared, stage, watch).await;
    let kept = match done {
        Ok(kept) => kept,
        Err(error) => {
            if matches!(error, DecodeError::Refused { .. } | DecodeError::Stale) {
                clear(spool, &stage_note, source);
            }
            return Ok(Err(refused(work, one, &error)));
        }
    };
    *new_bytes += kept.new_bytes;
    let known = Known { validator: local.identity, root: kept.root.to_string() };
    if let Err(error) = spool.keep_note(&note, &known) {
        tracing::warn!(%error, "a note that saves work was not written");
    }
    clear(spool, &stage_note, source);
    Ok(Ok((kept.root, kept.index_bytes)))
}

fn scope(key: &OfferKey, source: DiskSource<'_>) -> String {
    format!("{READER} {key} {}", source.identity())
}

/// Takes away what a source that is stored or refused leaves in the spool.
fn clear(spool: &Spool, stage_note: &str, source: DiskSource<'_>) {
    let mut done = vec![spool.drop_note(stage_note)];
    if let DiskSource::Url(text) = source
        && let Ok(url) = Url::parse(text)
    {
        done.push(spool.remove_fetched(&url));
    }
    for error in done.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "a file of the spool was not removed");
    }
}

struct Keeper {
    spool: Spool,
    note: String,
    part: PartHandle,
}

impl Watch for Keeper {
    fn at(&self, offset: u64, size: u64) {
        self.part.set(offset, size);
    }
    fn keep(&self, stage: &Stage) {
        if let Err(error) = self.spool.keep_note(&self.note, stage) {
            tracing::warn!(%error, "how far a disk is stored was not noted");
        }
    }
}

/// The file of a source; `None` when the source says that nothing changed since it was stored.
async fn local(
    work: &Work<'_>,
    one: &Listed<'_>,
    source: DiskSource<'_>,
    known: Option<&Known>,
    now: i64,
    part: &PartHandle,
) -> Result<Option<Local>, Missing> {
    let declared = source.extension().and_then(|extension| Declared::from_extension(&extension));
    match source {
        DiskSource::File(path) => {
            let path = PathBuf::from(path);
            if !super::validate::allowed(&path, &work.worker.local_sources) {
                let required = "a file below a directory of sources.directories on this server";
                return Err(one.unusable(required));
            }
            let meta = path.metadata().ok().filter(std::fs::Metadata::is_file);
            let Some(meta) = meta else {
                return Err(one.unusable("a plain file that can be read"));
            };
            let changed =
                format!("{}.{} {}.{}", meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
            let identity = format!("{} {} {} {changed}", meta.dev(), meta.ino(), meta.len());
            Ok(Some(Local { path, declared, identity }))
        }
        DiskSource::Upload(id) => match work.worker.spool.find(id) {
            Ok(upload) if upload.publisher != work.key().publisher => {
                Err(one.unusable("an upload of this publisher"))
            }
            Ok(upload) if upload.offset < upload.size => {
                let observed = format!("{} of {} bytes", upload.offset, upload.size);
                Err(one.finding("F015", &observed, "an upload that is complete"))
            }
            Ok(upload) => {
                let declared =
                    disk::extension(&upload.name).and_then(|extension| Declared::from_extension(&extension));
                let path = work.worker.spool.path(id);
                Ok(Some(Local { path, declared, identity: format!("{id} {}", upload.size) }))
            }
            Err(SpoolError::Missing) => Err(one.unusable("an upload that exists")),
            Err(error) => Err(Missing::Wait { on: "wait-store", detail: crate::chain(&error) }),
        },
        DiskSource::Url(text) => {
            let (from, to) = (rfc3339(now), rfc3339(now + SOON_MS));
            if let Err((code, observed, required)) = disk::check_validity(text, &from, &to) {
                return Err(one.finding(code, &observed, required));
            }
            let url = Url::parse(text).map_err(|error| one.finding("F015", &error.to_string(), "a URL"))?;
            let known = known.map_or("", |known| known.validator.as_str());
            let fetched = work.worker.spool.fetch(
                &work.worker.egress,
                &url,
                known,
                VIRTUAL_BYTES_MAX,
                |done, total| {
                    part.set(done, total);
                },
            );
            match fetched.await {
                Ok(None) => Ok(None),
                Ok(Some(fetched)) => {
                    Ok(Some(Local { path: fetched.path, declared, identity: fetched.validator }))
                }
                Err(error) => Err(unfetched(one, &error, work.task.postponed >= NAME_WAITS)),
            }
        }
    }
}

/// Which rule an answer breaks, or what is waited for. `asked_enough`: a name that does not exist is not one that a resolver
/// does not know yet.
fn unfetched(one: &Listed<'_>, error: &FetchError, asked_enough: bool) -> Missing {
    let observed = error.to_string();
    match error {
        FetchError::Status(401 | 403) => {
            one.finding("SAS-05", &observed, "a signature that is valid and permits to read the object")
        }
        FetchError::Status(404 | 409 | 410 | 412) => {
            one.finding("SAS-10", &observed, "an object that exists and is not in use")
        }
        FetchError::Status(status @ 400..=499) if ![408, 425, 429].contains(status) => {
            one.finding("F015", &observed, "an answer of 200 to GET")
        }
        FetchError::Egress(EgressError::Denied { .. }) => one.finding(
            "SAS-11",
            &observed,
            "an https address on the internet, or one that the operator allows",
        ),
        FetchError::Egress(error @ EgressError::Unreachable { host, .. })
            if asked_enough && error.is_nameless() =>
        {
            let observed = SourceError::NoSuchHost(host.clone()).to_string();
            one.finding("SAS-11", &observed, "a host that exists")
        }
        FetchError::TooLarge(..) => one.finding("DSK-06", &observed, "a disk of at most 64 TiB"),
        FetchError::Io(_) => Missing::Wait { on: "wait-store", detail: crate::chain(error) },
        FetchError::Egress(_) => {
            Missing::Wait { on: "wait-source", detail: format!("SAS-11: {}", crate::chain(error)) }
        }
        FetchError::Status(_) | FetchError::Broken(_) => {
            Missing::Wait { on: "wait-source", detail: observed }
        }
    }
}

fn refused(work: &Work<'_>, one: &Listed<'_>, error: &DecodeError) -> Missing {
    match error {
        DecodeError::Refused { code, offset, what } => {
            let meaning = mercat_disk::CODES.iter().find(|(known, _)| known == code);
            let meaning = meaning.map_or(String::new(), |(_, meaning)| format!(" ({meaning})"));
            let required = "an image that is complete, names no other file and can be read in one way only";
            let mut finding = one.row(code, &format!("{what}, at byte {offset}{meaning}"), required);
            if error.is_inconclusive() {
                "inconclusive".clone_into(&mut finding.severity);
            }
            "create the image again as a fixed VHD, VHDX, qcow2 or raw file without references to other files"
                .clone_into(&mut finding.fix);
            Missing::Finding(Box::new(finding))
        }
        DecodeError::Stale => Missing::Wait { on: "wait-source", detail: error.to_string() },
        DecodeError::Depot(_) => Missing::Wait { on: "wait-store", detail: crate::chain(error) },
        DecodeError::Child(_) if work.task.attempts < CHILD_TRIES => {
            Missing::Wait { on: "wait-store", detail: crate::chain(error) }
        }
        DecodeError::Child(_) => {
            let mut finding = one.row("INC-02", &crate::chain(error), "a reader that ends by itself");
            "inconclusive".clone_into(&mut finding.severity);
            "nothing to do for the publisher: the operator of this server must look into it"
                .clone_into(&mut finding.fix);
            Missing::Finding(Box::new(finding))
        }
    }
}

impl Listed<'_> {
    fn row(&self, code: &str, observed: &str, required: &str) -> FindingRow {
        FindingRow {
            rule: code.to_owned(),
            severity: "error".to_owned(),
            plan: self.plan.to_owned(),
            field: self.field.clone(),
            observed: observed.to_owned(),
            required: required.to_owned(),
            fix: "correct the address of the disk, or upload the disk, and publish again".to_owned(),
            ..FindingRow::default()
        }
    }

    /// The source itself is at fault.
    fn unusable(&self, required: &str) -> Missing {
        self.finding("F015", &disk::shown(self.text), required)
    }

    fn finding(&self, code: &str, observed: &str, required: &str) -> Missing {
        Missing::Finding(Box::new(self.row(code, observed, required)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_offer_stored_half_way_is_never_another_offers_beginning() {
        let source = |text| DiskSource::parse(text).expect("a source");
        let one = source("https://store.example.org/a/gw.vhd?sig=1");
        let signed_anew = source("https://store.example.org/a/gw.vhd?sig=2");
        let other = source("https://store.example.org/b/gw.vhd?sig=1");
        let (aurora, borealis) = (OfferKey::new("aurora", "gw"), OfferKey::new("borealis", "gw"));
        assert_eq!(scope(&aurora, one), scope(&aurora, signed_anew));
        assert_ne!(scope(&aurora, one), scope(&aurora, other));
        assert_ne!(scope(&aurora, one), scope(&borealis, one));
    }
}
