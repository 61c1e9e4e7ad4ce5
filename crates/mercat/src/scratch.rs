//! Directories for copies of images, which go away also where the program that made them was killed.

use anyhow::Context;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;
use tempfile::{NamedTempFile, TempDir};

/// A file in them that is locked as long as they are in use.
const LOCK: &str = "lock";

/// A directory for one run.
pub(crate) struct Scratch {
    directory: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes one for a command, and takes away what killed runs of it left behind.
    ///
    /// # Errors
    /// A temporary directory that cannot be written.
    pub(crate) fn new(command: &str) -> anyhow::Result<Self> {
        Self::new_in(&std::env::temp_dir(), command)
    }

    fn new_in(place: &Path, command: &str) -> anyhow::Result<Self> {
        let prefix = format!("mercat-{command}-{}-", machine());
        let directory = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(place)
            .with_context(|| format!("no temporary directory in {}", place.display()))?;
        // Under its name it is locked from the beginning, so that nobody takes it for left behind. Where files cannot be
        // locked nobody can tell, and it stays.
        let unlocked = directory.path().join("unlocked");
        let lock = File::create(&unlocked)?;
        if lock.lock().is_ok() {
            fs::rename(&unlocked, directory.path().join(LOCK))?;
        }
        sweep(place, &prefix, fs::metadata(directory.path())?.uid());
        Ok(Self { directory, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Begins of names of files that replace others when they are whole.
const PART: &str = ".mercat-part-";
/// Younger ones may not be locked yet.
const PART_AGE: Duration = Duration::from_secs(60);

/// A file in a directory, to replace another one when it is whole. Those that killed runs left there go away.
///
/// # Errors
/// A directory that cannot be written.
pub(crate) fn beside(directory: &Path) -> anyhow::Result<NamedTempFile> {
    let part =
        part_in(directory, 0o600).with_context(|| format!("{} cannot be written", directory.display()))?;
    let _ = part.as_file().lock();
    let owner = part.as_file().metadata()?.uid();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_old = |found: &fs::Metadata| {
            found.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > PART_AGE))
        };
        let is_left = entry.file_name().to_str().is_some_and(|name| name.starts_with(PART))
            && fs::symlink_metadata(entry.path())
                .is_ok_and(|found| found.is_file() && found.uid() == owner && is_old(&found))
            && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
        if is_left {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(part)
}

fn part_in(directory: &Path, mode: u32) -> std::io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(PART).permissions(Permissions::from_mode(mode)).tempfile_in(directory)
}

/// Writes a file so that it is whole or what it was before. What is no plain file, such as a pipe, is written as it is.
///
/// # Errors
/// A file or directory that cannot be written.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let told = || format!("{} cannot be written", file.display());
    let target = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_other = target.exists() && !target.is_file();
    // As the umask has it, like any file.
    match part_in(parent, 0o666) {
        Ok(mut part) if !is_other => {
            part.write_all(bytes).with_context(told)?;
            // Who may read it may go on to, and nobody else.
            if let Ok(before) = fs::metadata(&target) {
                part.as_file().set_permissions(before.permissions()).with_context(told)?;
            }
            part.persist(&target).map_err(|error| error.error).with_context(told)?;
            Ok(())
        }
        _ => fs::write(file, bytes).with_context(told),
    }
}

/// Tells machines apart: locks of another may not be seen where directories are shared. One without an id of its own is
/// known by its start, and what it left behind then stays.
fn machine() -> String {
    let ids = ["/etc/machine-id", "/proc/sys/kernel/random/boot_id"];
    let read = |path: &&str| fs::read_to_string(path).ok().filter(|id| id.trim().len() >= 8);
    ids.iter().find_map(read).unwrap_or_default().chars().take(8).collect()
}

/// Removes directories of one owner that nobody holds.
fn sweep(place: &Path, prefix: &str, owner: u32) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_named = entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix));
        // What others own may be anything, and a lock that is no file would hold whoever opens it.
        let is_own = |path: &Path, is_kind: fn(&fs::Metadata) -> bool| {
            fs::symlink_metadata(path).is_ok_and(|found| is_kind(&found) && found.uid() == owner)
        };
        let (directory, lock) = (entry.path(), entry.path().join(LOCK));
        if is_named
            && is_own(&directory, fs::Metadata::is_dir)
            && is_own(&lock, fs::Metadata::is_file)
            && File::open(lock).is_ok_and(|lock| lock.try_lock().is_ok())
        {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_what_it_was() {
        let place = tempfile::tempdir().expect("a directory");
        let (file, link) = (place.path().join("report"), place.path().join("link"));
        replace(&file, b"one").expect("written");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("set");
        std::os::unix::fs::symlink(&file, &link).expect("made");
        replace(&link, b"two").expect("written");
        assert_eq!(fs::read(&file).expect("read"), b"two");
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        // Nothing is left beside it, and what cannot be made is told by its name.
        assert_eq!(fs::read_dir(place.path()).expect("read").count(), 2);
        let error = replace(&place.path().join("no/report"), b"x").expect_err("no directory");
        assert!(format!("{error:#}").contains("no/report cannot be written"), "{error:#}");
        replace(Path::new("/dev/null"), b"x").expect("written");
    }

    #[test]
    fn parts_that_killed_imports_left_behind_go_away() {
        let place = tempfile::tempdir().expect("a directory");
        let [left, young, other] =
            [".mercat-part-left", ".mercat-part-young", "other"].map(|name| place.path().join(name));
        let old = std::time::SystemTime::now() - PART_AGE * 2;
        for file in [&left, &young, &other] {
            let file_of = File::create(file).expect("made");
            if *file != young {
                file_of.set_modified(old).expect("set");
            }
        }
        let used = beside(place.path()).expect("made");
        used.as_file().set_modified(old).expect("set");
        let next = beside(place.path()).expect("made");
        assert!(used.path().exists() && next.path().exists() && young.exists() && other.exists());
        assert!(!left.exists());
    }

    #[test]
    fn what_a_killed_run_left_behind_goes_away_and_what_is_in_use_stays() {
        let place = tempfile::tempdir().expect("a directory");
        let used = Scratch::new_in(place.path(), "certify").expect("made");
        let left = place.path().join(format!("mercat-certify-{}-left", machine()));
        let other = place.path().join("other");
        for directory in [&left, &other] {
            fs::create_dir(directory).expect("made");
            fs::write(directory.join(LOCK), "").expect("written");
        }
        let next = Scratch::new_in(place.path(), "certify").expect("made");
        assert!(used.path().is_dir() && next.path().is_dir() && other.is_dir());
        assert!(!left.exists());
        let path = next.path().to_owned();
        drop(next);
        assert!(!path.exists());
    }
}
