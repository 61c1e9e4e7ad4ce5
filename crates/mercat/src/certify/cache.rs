//! What `mercat certify --cache` keeps between runs: facts of layers and whole verdicts, each by all that it depends
//! on, so that an image is read again only as far as it, the rules or this program changed.

use super::{Bar, Found, bar};
use anyhow::Context;
use mercat_certify::Verdict;
use mercat_depot::{Imported, Progress};
use mercat_domain::{Digest, Outcome};
use mercat_worker::inspect::{Reuse, keys, verdict_key};
use mercat_worker::{Inspection, Inspector};
use sha2::{Digest as _, Sha256};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

pub(super) struct Cache(PathBuf);

impl Cache {
    /// Whoever can write into it can decide verdicts: it is this user's only.
    pub(super) fn open(directory: &Path) -> anyhow::Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .with_context(|| format!("the cache {} cannot be made", directory.display()))?;
        Ok(Self(directory.to_owned()))
    }

    fn path(&self, key: &str) -> PathBuf {
        self.0.join(Digest::from_sha256(&Sha256::digest(key.as_bytes())).hex()).with_extension("json")
    }

    /// What was kept under a key, unless it was damaged since: then it is made again.
    fn get(&self, key: &str) -> Option<String> {
        let kept = std::fs::read_to_string(self.path(key)).ok()?;
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

/// Inspects an image, or finds what was found before. SBOMs are made of facts, never found.
pub(super) async fn inspect(
    inspector: &Inspector,
    (found, image): (&Found, &Imported),
    cache: Option<&Cache>,
    sboms: bool,
) -> anyhow::Result<Inspection> {
    let mut reuse = Reuse::default();
    let mut whole = None;
    if let Some(cache) = cache {
        let knowledge = inspector.knowledge().await.map_err(anyhow::Error::msg)?;
        let key = verdict_key(&image.digest, &knowledge, None);
        if let (false, Some(verdict)) = (sboms, cache.get(&key)) {
            return Ok(Inspection { verdict, ..Inspection::default() });
        }
        let wanted = keys(&image.digest, &found.root, found.layout, &knowledge).unwrap_or_default();
        for key in wanted.keys() {
            let kept = cache.get(key).and_then(|text| serde_json::from_str(&text).ok());
            reuse.facts.extend(kept.map(|kept| (key.clone(), kept)));
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
        // What could not be finished is tried again next time.
        let outcome = Verdict::outcome_of(&inspection.verdict);
        if outcome.is_some_and(|outcome| outcome != Outcome::Inconclusive) {
            cache.put(&key, &inspection.verdict)?;
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
