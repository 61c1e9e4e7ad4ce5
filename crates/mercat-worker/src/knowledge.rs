//! What inspectors know, loaded once, and again only when a file of it changed or a day has passed.

use crate::clamd::{Clamd, Connections};
use crate::inspect::KnowledgeFiles;
use mercat_certify::advisories::Day;
use mercat_certify::{Companion, Knowledge};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Which file it is, as far as the file system tells: device, inode, length, and times in nanoseconds.
type Stamp = Option<(u64, u64, u64, i128, i128)>;
/// What was loaded: on which day, beside which clamd, from which files, and what it was.
type Kept = (KnowledgeFiles, (Day, Option<String>, Vec<Stamp>), Arc<Knowledge>);

/// The knowledge of this process.
#[derive(Default)]
pub struct Loaded(Mutex<Option<Kept>>);

impl std::fmt::Debug for Loaded {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Loaded")
    }
}

impl Loaded {
    /// The knowledge of these files. It reads them: call it where a thread may wait.
    ///
    /// # Errors
    /// As [`KnowledgeFiles::load`].
    pub fn get(&self, files: &KnowledgeFiles) -> Result<Arc<Knowledge>, String> {
        let files = &files.as_they_are();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Before loading: a file that is replaced meanwhile is then loaded once more, never once too few.
        let today = crate::today();
        let clamd = files.clamd.as_ref().map(|config| Clamd::reach(config, today, Connections::None));
        let clamd = clamd.transpose()?.map(|clamd| clamd.version().to_owned());
        let stamp = (today, clamd, files.paths().into_iter().map(stamp).collect());
        if let Some((of, at, knowledge)) = &*kept
            && of == files
            && *at == stamp
        {
            return Ok(knowledge.clone());
        }
        let knowledge = Arc::new(files.load(Some(today))?);
        *kept = Some((files.clone(), stamp, knowledge.clone()));
        Ok(knowledge)
    }
}

fn stamp(path: &Path) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    let nanos = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let modified = nanos(about.mtime(), about.mtime_nsec());
    Some((about.dev(), about.ino(), about.len(), modified, nanos(about.ctime(), about.ctime_nsec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_appears_in_the_directory_is_used_and_one_that_goes_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let (files, loaded) = (KnowledgeFiles::in_directory(dir.path()), Loaded::default());
        assert_eq!(loaded.get(&files).expect("loads").policy.name, "default");
        let other = mercat_certify::Policy::built_in().replace("name = \"default\"", "name = \"other\"");
        std::fs::write(dir.path().join("policy.toml"), other).expect("written");
        assert_eq!(loaded.get(&files).expect("loads").policy.name, "other");
        std::fs::remove_file(dir.path().join("policy.toml")).expect("removed");
        assert_eq!(loaded.get(&files).expect("loads").policy.name, "default");
    }

    #[test]
    fn with_pins_only_files_that_they_name_are_used() {
        use sha2::{Digest as _, Sha256};
        let dir = tempfile::tempdir().expect("a directory");
        let policy = dir.path().join("policy.toml");
        let text = mercat_certify::Policy::built_in();
        std::fs::write(&policy, text).expect("written");
        let digest = mercat_domain::Digest::from_sha256(&Sha256::digest(text.as_bytes()));
        let files = |pin: &str| KnowledgeFiles {
            pins: vec![pin.to_owned()],
            ..KnowledgeFiles::in_directory(dir.path())
        };
        assert!(files(digest.as_str()).load(None).is_ok());
        let why = files("sha256:00").load(None).err().unwrap_or_default();
        assert!(why.contains(digest.as_str()) && why.contains("policy.toml"), "{why}");
        std::fs::remove_file(&policy).expect("removed");
        let why = files(digest.as_str()).load(None).err().unwrap_or_default();
        assert!(why.contains("no file has the digest"), "{why}");
        std::fs::write(&policy, text).expect("written");
        std::fs::write(dir.path().join("rules.yar"), "rule a { condition: false }").expect("written");
        let why = files(digest.as_str()).load(None).err().unwrap_or_default();
        assert!(why.contains("rules.yar") && why.contains("certification.pins"), "{why}");
    }

    #[test]
    fn knowledge_is_loaded_again_when_a_file_of_it_changes_and_only_then() {
        let dir = tempfile::tempdir().expect("a directory");
        let policy = dir.path().join("policy.toml");
        std::fs::write(&policy, mercat_certify::Policy::built_in()).expect("written");
        let files = KnowledgeFiles { policy: Some(policy.clone()), ..KnowledgeFiles::default() };
        let loaded = Loaded::default();
        let first = loaded.get(&files).expect("loads");
        assert!(Arc::ptr_eq(&first, &loaded.get(&files).expect("loads")));
        let other = mercat_certify::Policy::built_in().replace("name = \"default\"", "name = \"other\"");
        std::fs::write(&policy, other).expect("written");
        assert_eq!(loaded.get(&files).expect("loads").policy.name, "other");
        std::fs::write(&policy, "name = 1").expect("written");
        assert!(loaded.get(&files).is_err(), "what cannot be used is not replaced by what could");
    }
}
