//! A region as OCI layouts in a directory.
//!
//! Blobs lie once in `blobs/` of the region; every layout that holds one has a link to it.

use super::{Copies, RegionError};
use crate::{Depot, Progress};
use futures::StreamExt;
use mercat_artifact::oci::{OCI_INDEX, OCI_MANIFEST};
use mercat_domain::Digest;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tokio::fs;
use tokio::io::AsyncWriteExt;

/// Blobs up to this size are copied many at a time, and become durable together.
const SMALL_BYTES: u64 = 8 << 20;
const BATCH: usize = 128;

fn broken(path: &Path) -> impl Fn(io::Error) -> RegionError {
    move |error| RegionError::Unreachable(format!("{}: {error}", path.display()))
}

/// One blob on its way.
#[derive(Clone)]
struct Item {
    digest: Digest,
    size: u64,
    /// The file in the depot, when it is a directory.
    from: Option<PathBuf>,
    /// Its place in the region.
    pool: PathBuf,
    /// Its name in the layout.
    link: PathBuf,
}

pub(super) async fn copy(
    region: &Path,
    part: &str,
    depot: &Depot,
    copies: &Copies,
    progress: &dyn Progress,
) -> Result<u64, RegionError> {
    let layout = region.join(part).join(&copies.repository);
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).await.map_err(broken(&blobs))?;
    let mut wanted = copies.blobs.clone();
    for digest in copies.manifests.keys() {
        let size = depot.size(digest).await?.ok_or_else(|| crate::DepotError::Missing(digest.to_string()))?;
        wanted.push((digest.clone(), size));
    }
    let total: u64 = wanted.iter().map(|(_, size)| size).sum();
    let (large, small): (Vec<Item>, Vec<Item>) = wanted
        .into_iter()
        .map(|(digest, size)| Item {
            from: depot.local_path(&digest),
            pool: pooled(region, &digest),
            link: blobs.join(digest.hex()),
            digest,
            size,
        })
        .partition(|item| item.size > SMALL_BYTES || item.from.is_none());
    let (mut done, mut sent) = (0, 0);
    progress.at(0, total);
    for item in large {
        let at = done;
        sent += one(depot, &item, &|count| progress.at((at + count).min(total), total)).await?;
        done += item.size;
        progress.at(done, total);
    }
    let mut small = small.into_iter().peekable();
    while small.peek().is_some() {
        let batch: Vec<Item> = small.by_ref().take(BATCH).collect();
        done += batch.iter().map(|item| item.size).sum::<u64>();
        let copied =
            tokio::task::spawn_blocking(move || batch.iter().map(here).sum::<Result<u64, _>>()).await;
        sent += copied.map_err(|error| RegionError::Unreachable(error.to_string()))??;
        progress.at(done, total);
    }
    // All blobs are durable before anything names them.
    let directory = File::open(&blobs).map_err(broken(&blobs))?;
    tokio::task::spawn_blocking(move || rustix::fs::syncfs(directory))
        .await
        .map_err(|error| RegionError::Unreachable(error.to_string()))?
        .map_err(|error| broken(&blobs)(error.into()))?;
    name(&layout, copies).await?;
    Ok(sent)
}

async fn name(layout: &Path, copies: &Copies) -> Result<(), RegionError> {
    let blobs = layout.join("blobs/sha256");
    let manifests: Vec<_> = copies
        .tags
        .iter()
        .map(|(tag, digest)| {
            let media_type = copies.manifests.get(digest).map_or(OCI_MANIFEST, String::as_str);
            let size = std::fs::metadata(blobs.join(digest.hex())).map_or(0, |meta| meta.len());
            json!({
                "mediaType": media_type, "digest": digest.as_str(), "size": size,
                "annotations": {"org.opencontainers.image.ref.name": tag},
            })
        })
        .collect();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
    write(&layout.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#).await?;
    write(&layout.join("index.json"), index.to_string().as_bytes()).await
}

fn pooled(region: &Path, digest: &Digest) -> PathBuf {
    region.join("blobs/sha256").join(&digest.hex()[..2]).join(digest.hex())
}

/// Whether the file is there with the right bytes: read back, not believed.
fn holds(path: &Path, item: &Item) -> Result<bool, RegionError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(broken(path)(error)),
    };
    if file.metadata().map_err(broken(path))?.len() != item.size {
        return Ok(false);
    }
    let mut hash = Sha256::new();
    let mut chunk = vec![0; usize::try_from(item.size.clamp(1, 1 << 20)).unwrap_or(1 << 20)];
    loop {
        let count = file.read(&mut chunk).map_err(broken(path))?;
        if count == 0 {
            break;
        }
        hash.update(&chunk[..count]);
    }
    Ok(Digest::from_sha256(&hash.finalize()) == item.digest)
}

/// Brings one blob from a depot in a directory; tells the bytes sent.
fn here(item: &Item) -> Result<u64, RegionError> {
    let mut sent = 0;
    if !holds(&item.pool, item)? {
        let from = item.from.as_deref().unwrap_or(&item.pool);
        let part = temporary(&item.pool);
        make_parent(&item.pool)?;
        let copied = std::fs::copy(from, &part).map_err(broken(from))?;
        std::fs::rename(&part, &item.pool).map_err(broken(&item.pool))?;
        sent = copied;
        if !holds(&item.pool, item)? {
            let _ = std::fs::remove_file(&item.pool);
            return Err(RegionError::Damaged(item.digest.to_string()));
        }
    }
    link(item)?;
    Ok(sent)
}

/// Brings one large or remote blob with progress; tells the bytes sent.
async fn one(depot: &Depot, item: &Item, tell: &(dyn Fn(u64) + Sync)) -> Result<u64, RegionError> {
    let mut sent = 0;
    if !held(item).await? {
        make_parent(&item.pool)?;
        let part = temporary(&item.pool);
        let mut file = fs::File::create(&part).await.map_err(broken(&part))?;
        let mut stream = depot.stream(&item.digest, None).await?;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk?;
            file.write_all(&chunk).await.map_err(broken(&part))?;
            sent += chunk.len() as u64;
            tell(sent);
        }
        file.sync_all().await.map_err(broken(&part))?;
        fs::rename(&part, &item.pool).await.map_err(broken(&item.pool))?;
        if !held(item).await? {
            let _ = fs::remove_file(&item.pool).await;
            return Err(RegionError::Damaged(item.digest.to_string()));
        }
    }
    link(item)?;
    Ok(sent)
}

/// [`holds`] for blobs that take long to read.
async fn held(item: &Item) -> Result<bool, RegionError> {
    let item = item.clone();
    tokio::task::spawn_blocking(move || holds(&item.pool, &item))
        .await
        .map_err(|error| RegionError::Unreachable(error.to_string()))?
}

fn make_parent(path: &Path) -> Result<(), RegionError> {
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent).map_err(broken(parent))
}

/// Names the blob in its layout. A name that means other bytes, from a copy that was replaced, is renewed.
fn link(item: &Item) -> Result<(), RegionError> {
    let same = |path: &Path| std::fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    let wanted = same(&item.pool);
    if wanted.is_some() && same(&item.link) == wanted {
        return Ok(());
    }
    let part = temporary(&item.link);
    let _ = std::fs::remove_file(&part);
    std::fs::hard_link(&item.pool, &part)
        .and_then(|()| std::fs::rename(&part, &item.link))
        .map_err(broken(&item.link))
}

async fn write(path: &Path, bytes: &[u8]) -> Result<(), RegionError> {
    let part = temporary(path);
    let mut file = fs::File::create(&part).await.map_err(broken(&part))?;
    file.write_all(bytes).await.map_err(broken(&part))?;
    file.sync_all().await.map_err(broken(&part))?;
    fs::rename(&part, path).await.map_err(broken(path))
}

fn temporary(path: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}-{next}.part", std::process::id()))
}

/// Takes a layout away, and the blobs that no other layout names.
pub(super) async fn remove(region: &Path, part: &str, repository: &str) -> Result<(), RegionError> {
    let layout = region.join(part).join(repository);
    let region = region.to_owned();
    let work = move || {
        let blobs = layout.join("blobs/sha256");
        let names: Vec<_> = match std::fs::read_dir(&blobs) {
            Ok(entries) => entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(broken(&blobs)(error)),
        };
        match std::fs::remove_dir_all(&layout) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(broken(&layout)(error)),
            _ => {}
        }
        for digest in names.iter().filter_map(|hex| Digest::parse(&format!("sha256:{hex}"))) {
            let path = pooled(&region, &digest);
            if std::fs::metadata(&path).is_ok_and(|meta| meta.nlink() == 1) {
                // A copy that needs it at this moment finds it gone, and sends it again.
                let _ = std::fs::remove_file(&path);
            }
        }
        Ok(())
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| RegionError::Unreachable(error.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn copies(repository: &str, blob: &Digest) -> Copies {
        Copies {
            repository: repository.to_owned(),
            tags: BTreeMap::from([("latest".to_owned(), blob.clone())]),
            manifests: BTreeMap::from([(blob.clone(), OCI_MANIFEST.to_owned())]),
            ..Copies::default()
        }
    }

    #[tokio::test]
    async fn a_damaged_copy_is_replaced_and_a_right_one_is_not_sent_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let depot = Depot::local(&dir.path().join("depot")).expect("opens");
        let blob = depot.put("a blob".into()).await.expect("stored");
        let copies = copies("aurora/gateway/standard", &blob);
        let root = dir.path().join("region");
        assert_eq!(copy(&root, "production", &depot, &copies, &()).await.expect("copied"), 6);
        let file = root.join("production/aurora/gateway/standard/blobs/sha256").join(blob.hex());
        std::fs::write(&file, "b blob").expect("flipped");
        copy(&root, "production", &depot, &copies, &()).await.expect("repaired");
        assert_eq!(std::fs::read(&file).expect("there"), b"a blob");
        let before = std::fs::metadata(&file).expect("there").modified().expect("time");
        assert_eq!(copy(&root, "production", &depot, &copies, &()).await.expect("nothing to do"), 0);
        assert_eq!(std::fs::metadata(&file).expect("there").modified().expect("time"), before);
    }

    #[tokio::test]
    async fn what_two_repositories_share_is_sent_once_and_goes_with_the_last() {
        let dir = tempfile::tempdir().expect("a directory");
        let depot = Depot::local(&dir.path().join("depot")).expect("opens");
        let blob = depot.put("a blob".into()).await.expect("stored");
        let root = dir.path().join("region");
        assert_eq!(copy(&root, "preview", &depot, &copies("a/b/c", &blob), &()).await.expect("copied"), 6);
        assert_eq!(copy(&root, "production", &depot, &copies("d/e/f", &blob), &()).await.expect("copied"), 0);
        remove(&root, "preview", "a/b/c").await.expect("gone");
        assert!(pooled(&root, &blob).is_file());
        remove(&root, "production", "d/e/f").await.expect("gone");
        assert!(!pooled(&root, &blob).exists());
    }
}
