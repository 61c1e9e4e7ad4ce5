//! What `mercat certify --cache` keeps between runs: facts of layers and whole verdicts, each by all that it depends
//! on, so that an image is read again only as far as it, the rules or this program changed.

use super::{Bar, Found, bar};
use anyhow::{Context, bail};
use mercat_certify::{LayerFacts, Verdict};
use mercat_depot::{Imported, Progress};
use mercat_domain::{Digest, Outcome};
use mercat_worker::inspect::{Reuse, keys, verdict_key};
use mercat_worker::{Inspection, Inspector};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

pub(super) struct Cache(PathBuf);

impl Cache {
    /// Whoever can write into it can decide verdicts: it must be this user's only.
    pub(super) fn open(directory: &Path) -> anyhow::Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .with_context(|| format!("the cache {} cannot be made", directory.display()))?;
        let about = fs_err::metadata(directory)?;
        if about.uid() != rustix::process::geteuid().as_raw() || about.mode() & 0o022 != 0 {
            bail!(
                "the cache {} belongs to somebody else, or others may write into it, and so decide verdicts: name a \
                 directory that is yours alone (chmod go-w, chown)",
                directory.display()
            );
        }
        Ok(Self(directory.to_owned()))
    }

    fn path(&self, key: &str) -> PathBuf {
        self.0.join(Digest::from_sha256(&Sha256::digest(key.as_bytes())).hex()).with_extension("json")
    }

    /// What was kept under a key, unless it was damaged since: then it is made again.
    fn get(&self, key: &str) -> Option<String> {
        let path = self.path(key);
        if !std::fs::symlink_metadata(&path).ok()?.is_file() {
            return None;
        }
        let kept = std::fs::read_to_string(path).ok()?;
        let (sum, text) = kept.split_once('\n')?;
        (sum == Self::sum(key, text)).then(|| text.to_owned())
    }

    fn put(&self, key: &str, text: &str) -> anyhow::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
        file.write_all(format!("{}\n{text}", Self::sum(key, text)).as_bytes())?;
        file.persist(self.path(key))?;
        Ok(())
    }

    /// Guards against damage, not against whoever may write here.
    fn sum(key: &str, text: &str) -> String {
        let hash = Sha256::new().chain_update(key).chain_update("\n").chain_update(text);
        Digest::from_sha256(&hash.finalize()).to_string()
    }
}

/// A verdict, and which blobs were there with how many bytes.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    blobs: BTreeMap<String, u64>,
    verdict: String,
}

/// The blobs of the layout that an image is in. Their sizes are all that is looked at: whoever takes the image by its digest
/// gets other bytes from nobody. What was copied by digest was read then.
struct There(Option<BTreeMap<String, u64>>);

impl There {
    fn of(found: &Found, image: &Imported) -> Self {
        let blobs = || image.blobs.iter().map(|(digest, size)| (digest.to_string(), *size)).collect();
        Self(found.layout.then(blobs))
    }

    fn has(&self, digest: &str, size: u64) -> bool {
        self.0.as_ref().is_none_or(|blobs| blobs.get(digest) == Some(&size))
    }
}

/// Inspects an image, or finds what was found before. SBOMs are made of facts, never found.
pub(super) async fn inspect(
    inspector: &Inspector,
    (found, image): (&Found, &Imported),
    cache: Option<&Cache>,
    sboms: bool,
) -> anyhow::Result<Inspection> {
    let there = There::of(found, image);
    let mut reuse = Reuse::default();
    let mut whole = None;
    if let Some(cache) = cache {
        let knowledge = inspector.knowledge().await.map_err(anyhow::Error::msg)?;
        let key = verdict_key(&image.digest, &knowledge, None);
        let kept = if sboms { None } else { cache.get(&key) };
        let kept: Option<Kept> = kept.and_then(|text| serde_json::from_str(&text).ok());
        let is_there = |kept: &Kept| kept.blobs.iter().all(|(digest, size)| there.has(digest, *size));
        if let Some(kept) = kept.filter(is_there) {
            return Ok(Inspection { verdict: kept.verdict, ..Inspection::default() });
        }
        let wanted = keys(&image.digest, &found.root, found.layout, &knowledge).unwrap_or_default();
        for (key, blob) in &wanted {
            let kept: Option<LayerFacts> = cache.get(key).and_then(|text| serde_json::from_str(&text).ok());
            let is_there = |kept: &LayerFacts| there.has(blob.as_str(), kept.packed_bytes);
            reuse.facts.extend(kept.filter(is_there).map(|kept| (key.clone(), kept)));
        }
        reuse.wanted = wanted;
        whole = Some((cache, key));
    }
    let bar = bar("inspecting")?;
    let bytes = image.blobs.iter().map(|(_, size)| size).sum();
    let at = |done, total| Bar(bar.clone()).at(done, total);
    let done = inspector.inspect(&image.digest, &found.root, found.layout, bytes, reuse, at).await;
    bar.finish_and_clear();
    let inspection = done?;
    if let Some((cache, key)) = whole {
        for (key, facts) in &inspection.facts {
            cache.put(key, &serde_json::to_string(facts)?)?;
        }
        // What could not be finished is tried again next time. That bytes are missing or others is said of a copy of the
        // image, and not of the image.
        let outcome = Verdict::outcome_of(&inspection.verdict);
        let findings = Verdict::findings_of(&inspection.verdict).map(|(_, findings)| findings);
        let is_whole =
            findings.is_some_and(|findings| findings.iter().all(|finding| finding.rule != "CTR-13"));
        if is_whole && outcome.is_some_and(|outcome| outcome != Outcome::Inconclusive) {
            let kept = Kept { blobs: there.0.unwrap_or_default(), verdict: inspection.verdict.clone() };
            cache.put(&key, &serde_json::to_string(&kept)?)?;
        }
    }
    Ok(inspection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_damaged_is_not_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let cache = Cache::open(directory.path()).expect("opens");
        let text = "{\n  \"outcome\": \"pass\"\n}\n";
        cache.put("key", text).expect("written");
        assert_eq!(cache.get("key").as_deref(), Some(text));
        assert_eq!(cache.get("other"), None);
        let path = cache.path("key");
        let whole = std::fs::read(&path).expect("kept");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, &damaged).expect("written");
            assert_eq!(cache.get("key"), None, "byte {at}");
            std::fs::write(&path, &whole[..at]).expect("written");
            assert_eq!(cache.get("key"), None, "{at} bytes");
        }
        // Another entry under this name.
        std::fs::copy(&path, cache.path("other")).expect("copied");
        std::fs::write(cache.path("other"), &whole).expect("written");
        assert_eq!(cache.get("other"), None);
        cache.put("key", text).expect("written");
        assert_eq!(cache.get("key").as_deref(), Some(text));
    }
}
