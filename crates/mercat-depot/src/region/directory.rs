//! A region as OCI layouts in a directory.

use super::{Copies, RegionError};
use crate::{Depot, Progress};
use futures::StreamExt;
use mercat_artifact::oci::{OCI_INDEX, OCI_MANIFEST};
use mercat_domain::Digest;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use tokio::fs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn broken(path: &Path) -> impl Fn(std::io::Error) -> RegionError {
    move |error| RegionError::Unreachable(format!("{}: {error}", path.display()))
}

pub(super) async fn copy(
    root: &Path,
    depot: &Depot,
    copies: &Copies,
    progress: &dyn Progress,
) -> Result<(), RegionError> {
    let layout = root.join(&copies.repository);
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).await.map_err(broken(&blobs))?;
    let wanted: Vec<&Digest> = copies.blobs.iter().chain(copies.manifests.keys()).collect();
    let mut total = 0;
    let mut sizes = Vec::new();
    for digest in &wanted {
        let size = depot.size(digest).await?.ok_or_else(|| crate::DepotError::Missing(digest.to_string()))?;
        sizes.push(size);
        total += size;
    }
    let mut done = 0;
    progress.at(0, total);
    for (digest, size) in wanted.iter().zip(sizes) {
        let target = blobs.join(digest.hex());
        if !holds(&target, digest, size).await? {
            send(depot, digest, &target, |count| progress.at((done + count).min(total), total)).await?;
            if !holds(&target, digest, size).await? {
                let _ = fs::remove_file(&target).await;
                return Err(RegionError::Damaged(digest.to_string()));
            }
        }
        done += size;
        progress.at(done, total);
    }
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

/// Whether the file is there with the right bytes: read back, not believed.
async fn holds(path: &Path, digest: &Digest, size: u64) -> Result<bool, RegionError> {
    let mut file = match fs::File::open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(broken(path)(error)),
    };
    if file.metadata().await.map_err(broken(path))?.len() != size {
        return Ok(false);
    }
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut chunk).await.map_err(broken(path))?;
        if count == 0 {
            break;
        }
        hash.update(&chunk[..count]);
    }
    Ok(Digest::from_sha256(&hash.finalize()) == *digest)
}

async fn send(depot: &Depot, digest: &Digest, target: &Path, tell: impl Fn(u64)) -> Result<(), RegionError> {
    let part = temporary(target);
    let mut file = fs::File::create(&part).await.map_err(broken(&part))?;
    let mut stream = depot.stream(digest, None).await?;
    let mut count = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        file.write_all(&chunk).await.map_err(broken(&part))?;
        count += chunk.len() as u64;
        tell(count);
    }
    file.sync_all().await.map_err(broken(&part))?;
    fs::rename(&part, target).await.map_err(broken(target))
}

async fn write(path: &Path, bytes: &[u8]) -> Result<(), RegionError> {
    let part = temporary(path);
    let mut file = fs::File::create(&part).await.map_err(broken(&part))?;
    file.write_all(bytes).await.map_err(broken(&part))?;
    file.sync_all().await.map_err(broken(&part))?;
    fs::rename(&part, path).await.map_err(broken(path))
}

fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}.part", std::process::id()))
}

pub(super) async fn remove(layout: &Path) -> Result<(), RegionError> {
    match fs::remove_dir_all(layout).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(broken(layout)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[tokio::test]
    async fn a_damaged_copy_is_replaced_and_a_right_one_is_not_sent_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let depot = Depot::local(&dir.path().join("depot")).expect("opens");
        let blob = depot.put("a blob".into()).await.expect("stored");
        let copies = Copies {
            repository: "aurora/gateway/standard".into(),
            tags: BTreeMap::from([("latest".to_owned(), blob.clone())]),
            manifests: BTreeMap::from([(blob.clone(), OCI_MANIFEST.to_owned())]),
            blobs: Vec::new(),
        };
        let root = dir.path().join("region");
        copy(&root, &depot, &copies, &()).await.expect("copied");
        let file = root.join("aurora/gateway/standard/blobs/sha256").join(blob.hex());
        std::fs::write(&file, "b blob").expect("flipped");
        copy(&root, &depot, &copies, &()).await.expect("repaired");
        assert_eq!(std::fs::read(&file).expect("there"), b"a blob");
        let before = std::fs::metadata(&file).expect("there").modified().expect("time");
        copy(&root, &depot, &copies, &()).await.expect("nothing to do");
        assert_eq!(std::fs::metadata(&file).expect("there").modified().expect("time"), before);
    }
}
