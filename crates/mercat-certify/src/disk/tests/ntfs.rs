//! Real NTFS volumes for tests: made by `mkntfs`, filled through a mount of `ntfs-3g`.

use super::drive::Drive;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Bytes of the volume of drive C.
const VOLUME_BYTES: u64 = 24 << 20;
/// First byte of the volume on the disk.
const START: u64 = 1 << 20;
/// First byte of a second partition of 1 MiB.
const SECOND: u64 = 64 << 20;
/// Bytes of the disk: the least that the default pack allows Windows.
pub(crate) const DISK_BYTES: u64 = 30 << 30;

fn command(name: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let mut command = Command::new(name);
    command.env("PATH", path);
    command
}

fn succeeded(name: &str, out: &Output) {
    assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A mounted volume; unmounted when dropped.
struct Mounted {
    ntfs: Child,
    at: PathBuf,
}

impl Mounted {
    /// The reason where it does not mount here.
    fn new(volume: &Path, at: &Path) -> Result<Self, String> {
        fs::create_dir_all(at).expect("made");
        let device = || fs::metadata(at).map(|of| of.dev()).unwrap_or_default();
        let before = device();
        // In the foreground, so that its end says that everything is written.
        let mut command = command("ntfs-3g");
        command.args(["-o", "no_detach"]).args([volume, at]).stdin(Stdio::null()).stderr(Stdio::piped());
        let ntfs = command.spawn().map_err(|error| format!("ntfs-3g: {error}"))?;
        let mut mounted = Self { ntfs, at: at.to_owned() };
        let limit = Instant::now() + Duration::from_secs(30);
        while device() == before {
            if mounted.ntfs.try_wait().expect("waits").is_some() {
                let mut said = String::new();
                let _ = mounted.ntfs.stderr.take().map(|mut stderr| stderr.read_to_string(&mut said));
                return Err(format!("ntfs-3g: {}", said.trim()));
            }
            assert!(Instant::now() < limit, "ntfs-3g does not mount");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.ntfs.try_wait().is_ok_and(|ended| ended.is_none()) {
            let unmounted = command("umount").arg(&self.at).status();
            if !unmounted.is_ok_and(|status| status.success()) {
                // It would not end by itself.
                let _ = self.ntfs.kill();
            }
        }
        let _ = self.ntfs.wait();
    }
}

/// Writes what a drive has more or otherwise than the one before, and removes what it has not.
fn update(volume: &Path, before: Option<&Drive>, drive: &Drive) -> Result<(), String> {
    let mounted = Mounted::new(volume, &volume.with_extension("mounted"))?;
    let (old, new) = (before.map(Drive::contents).unwrap_or_default(), drive.contents());
    for path in old.keys().filter(|path| !new.contains_key(*path)) {
        fs::remove_file(mounted.at.join(path)).expect("removed");
    }
    for (path, content) in new.iter().filter(|(path, content)| old.get(*path) != Some(content)) {
        let path = mounted.at.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(&path, content).expect("written");
    }
    Ok(())
}

/// A clean NTFS volume of a drive, in a file; `None`, said aloud, where this machine cannot make one.
pub(crate) fn volume(directory: &Path, drive: &Drive) -> Option<PathBuf> {
    let path = directory.join("clean.ntfs");
    fs::File::create(&path).expect("made").set_len(VOLUME_BYTES).expect("sized");
    let made = command("mkntfs").args(["-F", "-Q", "-q", "-p", "2048"]).arg(&path).output();
    let reason = match made {
        Err(error) => format!("mkntfs: {error}"),
        Ok(out) => {
            succeeded("mkntfs", &out);
            match update(&path, None, drive) {
                Ok(()) => return Some(path),
                Err(reason) => reason,
            }
        }
    };
    // Past the capture of the test runner.
    let _ = writeln!(std::io::stderr(), "skipped: no NTFS volume can be made here: {reason}");
    None
}

/// Another drive from a volume of one, as a copy.
pub(crate) fn changed(clean: &Path, before: &Drive, drive: &Drive) -> PathBuf {
    let path = clean.with_file_name("changed.ntfs");
    fs::copy(clean, &path).expect("copied");
    update(&path, Some(before), drive).expect("what mounted once mounts again");
    path
}

/// A disk with the volume in its first partition, and a second one that begins with `second` where that
/// is not empty.
pub(crate) fn disk(volume: &Path, second: &[u8]) -> PathBuf {
    let path = volume.with_extension("raw");
    let mut disk = fs::File::create(&path).expect("made");
    disk.set_len(DISK_BYTES).expect("sized");
    let mut sector = vec![0; 512];
    sector[..3].copy_from_slice(&[0x33, 0xc0, 0x8e]);
    let mut entry = |slot: usize, start: u64, bytes: u64| {
        let at = 446 + 16 * slot;
        let half = |bytes: u64| u32::try_from(bytes / 512).expect("fits").to_le_bytes();
        sector[at] = if slot == 0 { 0x80 } else { 0 };
        sector[at + 4] = 7;
        sector[at + 8..at + 12].copy_from_slice(&half(start));
        sector[at + 12..at + 16].copy_from_slice(&half(bytes));
    };
    entry(0, START, VOLUME_BYTES);
    if !second.is_empty() {
        entry(1, SECOND, 1 << 20);
    }
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    disk.write_all(&sector).expect("written");
    let bytes = fs::read(volume).expect("reads");
    for (at, chunk) in (START..).step_by(4096).zip(bytes.chunks(4096)) {
        if chunk.iter().any(|byte| *byte != 0) {
            disk.seek(SeekFrom::Start(at)).expect("there");
            disk.write_all(chunk).expect("written");
        }
    }
    disk.seek(SeekFrom::Start(SECOND)).expect("there");
    disk.write_all(second).expect("written");
    path
}
