//! Directories for copies of images, which go away also where the program that made them was killed.

use anyhow::Context;
use std::fs::{self, File};
use std::path::Path;
use tempfile::TempDir;

/// Beginning of the names of such directories.
const PREFIX: &str = "mercat-certify-";
/// A file in them that is locked as long as they are in use.
const LOCK: &str = "lock";

/// A directory for one run.
pub(crate) struct Scratch {
    directory: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes one, after taking away what killed runs left behind.
    ///
    /// # Errors
    /// A temporary directory that cannot be written.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Self::new_in(&std::env::temp_dir())
    }

    fn new_in(place: &Path) -> anyhow::Result<Self> {
        sweep(place);
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(place)
            .with_context(|| format!("no temporary directory in {}", place.display()))?;
        // Under its name it is locked from the beginning, so that nobody takes it for left behind.
        let unlocked = directory.path().join("unlocked");
        let lock = File::create(&unlocked)?;
        lock.lock()?;
        fs::rename(&unlocked, directory.path().join(LOCK))?;
        Ok(Self { directory, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Removes directories that nobody holds; those of other users cannot be removed and stay.
fn sweep(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_ours
            && is_directory
            && let Ok(lock) = File::open(entry.path().join(LOCK))
            && lock.try_lock().is_ok()
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_behind_goes_away_and_what_is_in_use_stays() {
        let place = tempfile::tempdir().expect("a directory");
        let used = Scratch::new_in(place.path()).expect("made");
        let left = place.path().join(format!("{PREFIX}left"));
        let other = place.path().join("other");
        for directory in [&left, &other] {
            fs::create_dir(directory).expect("made");
            fs::write(directory.join(LOCK), "").expect("written");
        }
        let next = Scratch::new_in(place.path()).expect("made");
        assert!(used.path().is_dir() && next.path().is_dir() && other.is_dir());
        assert!(!left.exists());
        let path = next.path().to_owned();
        drop(next);
        assert!(!path.exists());
    }
}
