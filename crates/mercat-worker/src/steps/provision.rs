//! Provisioning: disks in every region, and the digests of what customers will download.

use super::validate::held;
use super::{Ended, Waiting, Work, regions};
use mercat_app::{AppError, Report};
use mercat_artifact::ReadError;
use mercat_depot::Imported;
use mercat_depot::disk::{DiskIndex, Stored};
use mercat_disk::ReadAt;
use mercat_disk::layout::{LAYOUT_VERSION, LaidOut, Target, data_ranges, identity, layout};
use mercat_domain::Digest;
use mercat_store::{Commit, DownloadRow, Expect, PaperRow, commit_surely, load, put};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;

const WINDOW_BYTES: usize = 1 << 20;

pub(super) async fn run(work: &Work<'_>) -> Result<Ended, AppError> {
    let images = match held(work).await? {
        Ok(images) => images,
        Err(waits) => return Ok(waits),
    };
    let (copied, downloads) =
        futures::future::join(regions::preview(work, &images), downloads(work, &images)).await;
    let sent = match copied? {
        Ok(sent) => sent,
        Err(waits) => return Ok(waits),
    };
    if let Err(waits) = downloads? {
        return Ok(waits);
    }
    let mut report = Report::default();
    regions::say(&mut report, work, sent);
    Ok(Ended::passed(report))
}

/// Downloads depend on what is stored, not on the container that it came in.
fn key(index: &DiskIndex) -> String {
    format!("download/{LAYOUT_VERSION}/{}", index.content())
}

/// Computes what was not computed for the same disk before.
async fn downloads(work: &Work<'_>, images: &[(String, Imported)]) -> Result<Result<(), Ended>, AppError> {
    let app = &work.worker.app;
    let mut done_here = BTreeSet::new();
    for (_, image) in images {
        let index = match DiskIndex::load(&work.worker.depot, &image.digest).await {
            Ok(index) => index,
            Err(error) => return Ok(Err(Ended::Wait { on: "wait-store", detail: crate::chain(&error) })),
        };
        let key = key(&index);
        if !done_here.insert(key.clone()) || load::<PaperRow>(&*app.ledger, &key).await?.is_some() {
            continue;
        }
        let (root, depot) = (image.digest.clone(), work.worker.depot.clone());
        let runtime = tokio::runtime::Handle::current();
        let part = work.tracker.handle(&image.reference);
        let (_waiting, wanted) = Waiting::new();
        let done = tokio::task::spawn_blocking(move || {
            let disk = Arc::new(Stored::open(&root, depot.chunks(runtime))?);
            hash_all(&disk, |done, total| {
                part.set(done, total);
                wanted.still()
            })
        });
        match done.await {
            Ok(Ok(rows)) => {
                let text = serde_json::to_string(&rows).unwrap_or_default();
                let row = PaperRow { key, text, made: app.ledger.now().await? };
                // At once: the next try of a step that died does not hash this disk again.
                let mut commit = Commit::new();
                commit.writes.push(put(&row, Expect::Any));
                commit_surely(&*app.ledger, &commit).await?;
            }
            Ok(Err(error)) => {
                return Ok(Err(Ended::Wait { on: "wait-store", detail: crate::chain(&error) }));
            }
            Err(error) => return Ok(Err(Ended::Wait { on: "wait-store", detail: error.to_string() })),
        }
    }
    Ok(Ok(()))
}

/// The digests that were computed for a disk.
pub(super) async fn known(work: &Work<'_>, index: &DiskIndex) -> Result<Vec<DownloadRow>, AppError> {
    let row = load::<PaperRow>(&*work.worker.app.ledger, &key(index)).await?;
    Ok(row.and_then(|row| serde_json::from_str(&row.row.text).ok()).unwrap_or_default())
}

fn hash_all(disk: &Arc<Stored>, tell: impl Fn(u64, u64) -> bool) -> Result<Vec<DownloadRow>, ReadError> {
    let data = data_ranges(disk)?;
    let identity = identity(&disk.index().disk);
    let files = [Target::Raw, Target::VhdFixed, Target::Vhdx, Target::Qcow2]
        .into_iter()
        .map(|target| Ok((target, LaidOut::new(layout(target, disk.size(), &data, identity)?, disk.clone()))))
        .collect::<Result<Vec<_>, ReadError>>()?;
    let total = files.iter().map(|(_, file)| file.size()).sum();
    let mut done = 0;
    let mut window = vec![0; WINDOW_BYTES];
    let mut rows = Vec::new();
    for (target, file) in &files {
        let mut hash = Sha256::new();
        let mut at = 0;
        while at < file.size() {
            let size = (file.size() - at).min(WINDOW_BYTES as u64);
            let part = &mut window[..usize::try_from(size).unwrap_or(WINDOW_BYTES)];
            file.read_at(at, part)?;
            hash.update(part);
            at += size;
            done += size;
            if !tell(done, total) {
                return Err(ReadError::Io(std::io::Error::other("nobody waits for it any more")));
            }
        }
        let sha256 = Digest::from_sha256(&hash.finalize()).hex().to_owned();
        rows.push(DownloadRow { format: target.format().name().to_owned(), size: file.size(), sha256 });
    }
    Ok(rows)
}
