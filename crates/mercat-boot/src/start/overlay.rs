//! What an image writes while it runs: in memory, up to a limit, over a tree that stays as it was unpacked.

use rustix::mount::{MountFlags, mount as mount_at};
use rustix::process::{DumpableBehavior, chdir, getegid, geteuid, set_dumpable_behavior};
use rustix::thread::UnshareFlags;
use std::ffi::CString;
use std::fs;
use std::path::Path;

/// The unpacked image, in the place of a test.
pub(super) const TREE: &str = "tree";
/// Where the memory is.
pub(super) const OVER: &str = "over";
/// Both, one over the other: the root of the container.
pub(super) const ROOT: &str = "over/root";
/// Bytes that an image may write in all.
pub(super) const BYTES_MAX: u64 = 512 << 20;
/// Files that it may make.
const FILES_MAX: u64 = 100_000;

/// Lays memory over the tree, for this process and its children only. This process has one thread, and is not root.
pub(super) fn mount(place: &Path) -> Result<(), String> {
    own_mounts().map_err(|error| format!("mounts and a network of its own: {error}"))?;
    // Relative paths have no letters that the options of an overlay give a meaning.
    chdir(place).map_err(|error| format!("the tree: {error}"))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let at = |target: &str, kind: &str, options: &str| {
        let options = CString::new(options).map_err(|error| error.to_string())?;
        mount_at(kind, target, kind, flags, Some(options.as_c_str()))
            .map_err(|error| format!("{kind}: {error}"))
    };
    at(OVER, "tmpfs", &format!("mode=0755,size={BYTES_MAX},nr_inodes={FILES_MAX}"))?;
    for name in ["upper", "work", "root"] {
        fs::create_dir(Path::new(OVER).join(name)).map_err(|error| format!("{OVER}/{name}: {error}"))?;
    }
    at(ROOT, "overlay", &format!("userxattr,lowerdir={TREE},upperdir={OVER}/upper,workdir={OVER}/work"))
}

/// A user namespace in which this user stays who it is, with mounts that nobody else sees, and a network that nobody
/// else is in.
fn own_mounts() -> std::io::Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    // Whoever was root is not asked to say who it is, otherwise.
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS | UnshareFlags::NEWNET)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

#[expect(
    deprecated,
    reason = "what its successor warns of, in an unsafe name, is sharing files between threads"
)]
fn unshare(flags: UnshareFlags) -> std::io::Result<()> {
    Ok(rustix::thread::unshare(flags)?)
}
