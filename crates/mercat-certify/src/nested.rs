//! Archives inside files: opened here, so that scanners only see plain bytes.

use crate::facts::{Body, Note};
use crate::files;
use crate::kept::{Bytes, Kept};
use crate::scan::{OURS, Rules, Scan, Want, Whence};
use crate::seeking::Watched;
use crate::shown::Shown;
use crate::space;
pub(crate) use archive::Format;
use lzma_rust2::XzReader;
use mercat_artifact::archive::{self, Member};
use mercat_artifact::layer::ZstdReader;
use mercat_artifact::layer::tar::{Kind, TarReader};
use mercat_artifact::pkgdb::root_of_record;
use mercat_artifact::{Positioned, ReadError};
use mercat_disk::ReadAt;
use mercat_guest::{Contents, Entry, Guest, Kind as EntryKind, Visit};
use mercat_inventory::ClassRoots;
use std::collections::HashSet;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

/// Bytes that may come out of what is no zlib stream.
const CHANCE_BYTES: u64 = 4096;

/// How far back an archive may look: what zstd takes at most, as a power of two, and KiB for xz. Those inside of each other
/// are open at the same time, so that deep ones get what tools take by default.
fn windows(depth: u32) -> (u32, u32) {
    const OUTER: u32 = 2;
    if depth <= OUTER { (27, 160 << 10) } else { (23, 24 << 10) }
}

/// Opens an archive whose bytes pass, and shows its members to the scanners. Damage becomes a note where it is sure
/// that it is one: what came before it was scanned, and so is the rest of the bytes around it.
pub(crate) fn walk<'k>(
    scan: &Scan<'k>,
    path: &str,
    depth: u32,
    (format, sure): (Format, bool),
    input: &mut Shown<'_, 'k>,
) {
    let max = scan.limits().nested_total_bytes;
    let mut member = |member: Member<'_>, body: &mut dyn Read| {
        let want = Want { size: member.size, ..Want::default() };
        scan.content(&format!("{path}!/{}", member.name), depth, body, want).map(drop)
    };
    let done = match format {
        Format::Zip => {
            waiting(scan, path, input).map_or(Ok(()), |bytes| zip(scan, path, depth, bytes.positioned()))
        }
        Format::GitPack => {
            waiting(scan, path, input).map_or(Ok(()), |bytes| git(scan, path, depth, bytes.positioned()))
        }
        // All members of a gzip file: archives inside files follow the format's own rule, not the layers'.
        Format::Gzip => stream(scan, path, depth, flate2::bufread::MultiGzDecoder::new(input)),
        Format::Zstd => stream(scan, path, depth, ZstdReader::within(input, windows(depth).0).skipping()),
        Format::Xz => stream(scan, path, depth, XzReader::new_mem_limit(input, true, windows(depth).1)),
        Format::Bzip2 => {
            // A block takes 3.6 MB.
            input.shed();
            let want = Want { is_slow: true, ..Want::default() };
            let mut unpacked = bzip2::bufread::MultiBzDecoder::new(input);
            scan.content(&format!("{path}!/content"), depth, &mut unpacked, want).map(drop)
        }
        Format::Lz4 => stream(scan, path, depth, archive::Lz4Reader::new(input)),
        Format::Compress => stream(scan, path, depth, archive::CompressReader::new(input)),
        Format::Zlib => {
            let came = || scan.with(|facts| facts.nested_bytes);
            let before = came();
            let done = stream(scan, path, depth, flate2::bufread::ZlibDecoder::new(input));
            // What gives next to nothing only begins like it.
            if came() - before > CHANCE_BYTES { done } else { Ok(()) }
        }
        Format::Tar => tar(scan, path, depth, input),
        Format::Ar => archive::ar::walk(input, &mut member),
        Format::Cpio => archive::cpio::walk(input, &mut member),
        Format::Rpm => archive::rpm::walk(input, &mut member),
        Format::Cab => {
            whole(scan, path, input).map_or(Ok(()), |bytes| archive::cab::walk(&bytes, max, &mut member))
        }
        Format::SevenZip => {
            whole(scan, path, input).map_or(Ok(()), |bytes| archive::sevenz::walk(&bytes, max, &mut member))
        }
        _ => {
            if format == Format::Disk {
                return unopened(scan, path, "a file system or disk behind a program, which is not opened");
            }
            let observed = format!("an archive in the format {}, which is not opened", format.name());
            let fix =
                "ship the content unpacked, or as zip, 7z, tar, cpio, ar, cab, gzip, zstd, xz, lz4 or bzip2";
            scan.note(Note::new("INC-04", path, observed, "a format that is opened", fix));
            Ok(())
        }
    };
    // Six bytes are hardly there by chance, and all that is behind them was taken.
    if let Err(error) = done
        && (sure || format == Format::SevenZip)
    {
        damaged(scan, path, &error);
    }
}

/// Opens a zip that stands behind other content.
pub(crate) fn behind(scan: &Scan<'_>, path: &str, depth: u32, bytes: io::Result<&dyn Positioned>) {
    if scan.may_open(path, depth)
        && let Err(error) = zip(scan, path, depth + 1, bytes)
    {
        damaged(scan, path, &error);
    }
}

/// Opens a file system or the disk of a machine, all of whose bytes have passed, and shows its files to the scanners;
/// where a container was around the disk, which may pack it, also what is in none of them.
pub(crate) fn disk(scan: &Scan<'_>, path: &str, depth: u32, kept: Option<Bytes<'_>>) {
    // In this order: a file of ours is given back when nobody reads it any more.
    let (_lent, bytes): (_, Arc<dyn ReadAt>) = match kept {
        Some(Bytes::Memory(bytes)) => (None, Arc::new(bytes)),
        Some(Bytes::Lent(file)) => match file.and_then(|file| Ok((file.to_disk()?, file))) {
            Ok((disk, file)) => (Some(file), disk),
            Err(error) => return unopened(scan, path, &error.to_string()),
        },
        None => {
            return unopened(
                scan,
                path,
                "a file system or disk that is too large to be held, or stands inside too many others",
            );
        }
    };
    // Without a container around it, it is one.
    let walked = match mercat_disk::open(Arc::clone(&bytes), None) {
        Ok(disk) => {
            let disk: Arc<dyn ReadAt> = Arc::new(disk);
            volumes(scan, path, depth, &disk)
                .and_then(|given| beside_files(scan, path, depth, (&*disk, given)))
        }
        Err(ReadError::Refused { code: "DSK-01", .. }) => volumes(scan, path, depth, &bytes).map(drop),
        Err(error) => Err(error),
    };
    if let Err(error) = walked
        && !scan.is_cut()
    {
        unopened(scan, path, &format!("a file system or disk that cannot be read to its end ({error})"));
    }
}

/// Shows the files of all volumes, and gives the ranges of the disk that they are in.
fn volumes(
    scan: &Scan<'_>,
    path: &str,
    depth: u32,
    disk: &Arc<dyn ReadAt>,
) -> Result<Vec<Range<u64>>, ReadError> {
    let guest = Guest::open(Arc::clone(disk))?;
    let mut given = Vec::new();
    for volume in &guest.volumes {
        let front =
            if guest.volumes.len() == 1 { format!("{path}!") } else { format!("{path}!/{}", volume.name) };
        match &volume.contents {
            Contents::FileSystem(_) => {
                let tree = guest.tree(volume)?;
                let numbered = matches!(tree.kind(), "ext2" | "ext3" | "ext4" | "xfs" | "squashfs");
                let seen = numbered.then(HashSet::new);
                tree.walk(&mut Members { scan, front, depth, seen })?;
                given.extend(tree.given().into_iter().flat_map(|range| guest.on_disk(volume, range)));
            }
            // Firmware and the like: its bytes are looked at as they are.
            Contents::Unreadable { code: "FS-03", .. } => {}
            Contents::Unreadable { what, .. } => unopened(scan, path, &format!("{what}, which is not read")),
            Contents::Swap | Contents::LvmPhysical | Contents::Empty => {}
        }
    }
    Ok(given)
}

/// Shows what is not among the given ranges of a disk.
fn beside_files(
    scan: &Scan<'_>,
    path: &str,
    depth: u32,
    (disk, given): (&dyn ReadAt, Vec<Range<u64>>),
) -> Result<(), ReadError> {
    space::pieces(disk.size(), given, 1).iter().try_for_each(|piece| {
        space::each_part(disk, piece, &mut |part| {
            let path = format!("{path}!/@{}-{}", part.range.start, part.range.end);
            if scan.count(&path, depth, part.bytes.len() - part.carried) {
                scan.window((&path, depth), Whence::default(), (part.bytes, part.carried), Rules::Window);
            }
        })
    })
}

pub(crate) fn unopened(scan: &Scan<'_>, path: &str, observed: &str) {
    let fix = "ship the files themselves";
    scan.note(Note::new("INC-23", path, observed.to_owned(), "files that are opened", fix));
}

/// The files of a file system inside of a file.
struct Members<'s, 'k> {
    scan: &'s Scan<'k>,
    /// The path of the file, and of the volume where there are several.
    front: String,
    depth: u32,
    /// What was read under another name, where a number stands for one content.
    seen: Option<HashSet<u64>>,
}

impl Visit for Members<'_, '_> {
    fn entry(&mut self, entry: &Entry) -> Result<bool, ReadError> {
        let path = format!("{}/{}", self.front, entry.path);
        self.scan.name(&path, &entry.link, &entry.xattrs);
        if entry.kind == EntryKind::Symlink {
            self.scan.link_below(&path, &entry.link);
        }
        // Under another name it may be a record of packages.
        let first = self.seen.as_mut().is_none_or(|seen| seen.insert(entry.inode));
        Ok(entry.kind == EntryKind::File && (first || root_of_record(&path).is_some()))
    }

    fn content(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), ReadError> {
        let want = Want { size: Some(entry.size), ..Want::default() };
        self.scan.content(&format!("{}/{}", self.front, entry.path), self.depth, content, want).map(drop)
    }
}

fn damaged(scan: &Scan<'_>, path: &str, error: &ReadError) {
    if scan.is_cut() {
        return;
    }
    let fix = "replace the archive with one that unpacks, or remove it";
    let observed = format!("the archive cannot be read to its end ({error})");
    scan.note(Note::new("INC-05", path, observed, "an archive that can be read whole", fix));
}

/// Tells that what waited in a file of ours could not be read again.
pub(crate) fn lost(scan: &Scan<'_>, path: &str, error: &io::Error) {
    let observed = format!("what waited to be opened is lost: {error}");
    scan.note(Note::new("INC-02", path, observed, "every byte scanned", OURS));
}

/// The whole of an archive whose table stands at its end, in memory.
fn whole<'k>(scan: &Scan<'k>, path: &str, input: &mut Shown<'_, 'k>) -> Option<Vec<u8>> {
    kept(scan, path, input, Kept::in_memory).and_then(Bytes::in_memory)
}

/// The same, where there is room for it.
fn waiting<'k>(scan: &Scan<'k>, path: &str, input: &mut Shown<'_, 'k>) -> Option<Bytes<'k>> {
    kept(scan, path, input, |size| scan.keep(size))
}

fn kept<'k>(
    scan: &Scan<'k>,
    path: &str,
    input: &mut Shown<'_, 'k>,
    room: impl FnOnce(Option<u64>) -> Kept<'k>,
) -> Option<Bytes<'k>> {
    let max = scan.nested_bytes_max();
    let mut kept = room(input.known_size().filter(|size| *size <= max));
    match input.rest(max, &mut kept) {
        Ok(true) => Some(kept.finish()),
        Ok(false) => {
            let required = format!("at most {max} bytes to be opened");
            let observed = "an archive of more bytes than are held at once".to_owned();
            let fix = "raise nested_file_bytes in the policy pack";
            scan.note(Note::new("INC-03", path, observed, &required, fix));
            None
        }
        // Whoever reads the stream around it tells what broke.
        Err(_) => None,
    }
}

fn stream(scan: &Scan<'_>, path: &str, depth: u32, mut reader: impl Read) -> Result<(), ReadError> {
    scan.content(&format!("{path}!/content"), depth, &mut reader, Want::default()).map(drop)
}

fn tar(scan: &Scan<'_>, path: &str, depth: u32, input: &mut dyn Read) -> Result<(), ReadError> {
    let mut tar = TarReader::new(input, scan.limits().layer_entries);
    while let Some(entry) = tar.next_entry()? {
        if entry.kind == Kind::File {
            let want = Want { size: Some(entry.size), ..Want::default() };
            scan.content(&format!("{path}!/{}", entry.path), depth, &mut Body(&mut tar), want)?;
        } else if matches!(entry.kind, Kind::HardLink | Kind::Symlink) {
            let inside = format!("{path}!/{}", entry.path);
            scan.link_below(&inside, &entry.link);
        }
    }
    Ok(())
}

fn zip(scan: &Scan<'_>, path: &str, depth: u32, bytes: io::Result<&dyn Positioned>) -> Result<(), ReadError> {
    held(scan, path, bytes, |bytes| zip_members(scan, path, depth, bytes))
}

fn git(scan: &Scan<'_>, path: &str, depth: u32, bytes: io::Result<&dyn Positioned>) -> Result<(), ReadError> {
    held(scan, path, bytes, |bytes| {
        let apart = archive::git::walk(bytes, &mut |member, body| {
            // A part of an object has not its lines.
            let is_part = member.name.starts_with("change@");
            let want = Want { size: member.size, is_part, ..Want::default() };
            scan.content(&format!("{path}!/{}", member.name), depth, body, want).map(drop)
        })?;
        if apart > 0 {
            let observed = format!("{apart} objects of a pack of git that were not put together");
            let required = format!(
                "changes of at most {} bytes in a pack that needs no other",
                archive::git::OBJECT_BYTES_MAX
            );
            let fix = "leave .git out of the image, or pack it anew with git gc";
            scan.note(Note::new("INC-03", path, observed, &required, fix));
        }
        Ok(())
    })
}

/// Reads an archive by position. What fails is told as ours, and is no damage.
fn held(
    scan: &Scan<'_>,
    path: &str,
    bytes: io::Result<&dyn Positioned>,
    read: impl FnOnce(&Watched<'_>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => {
            lost(scan, path, &error);
            return Ok(());
        }
    };
    let watched = Watched::new(bytes);
    let done = read(&watched);
    match watched.failed() {
        Some(error) => {
            lost(scan, path, &error);
            Ok(())
        }
        None => done,
    }
}

fn zip_members(scan: &Scan<'_>, path: &str, depth: u32, bytes: &Watched<'_>) -> Result<(), ReadError> {
    let checked = archive::zip::check(bytes)?;
    let required = "a zip that every reader understands alike and opens";
    for problem in checked.refusals {
        let ReadError::Refused { code, what, .. } = problem else { continue };
        if code == "ZIP-07" {
            let observed = "a zip whose members overlap".to_owned();
            scan.note(Note::new("CTR-29", path, observed, "members side by side", "remove the archive"));
        }
        let fix = "rebuild the archive with a current tool, without encryption";
        scan.note(Note::new(code, path, what, required, fix));
    }
    let Some(members) = checked.members else { return Ok(()) };
    let mut classes = ClassRoots::of(path);
    members.walk(&mut |member, content| {
        let name = member.name;
        if let Some(classes) = &mut classes {
            classes.member(name);
        }
        match content {
            Err(error) => {
                let observed = format!("member {name} cannot be opened: {error}");
                let is_sealed = matches!(error, ReadError::Refused { code: "ZIP-10", .. });
                let fix = if is_sealed { "store it without encryption" } else { "rebuild the archive" };
                scan.note(Note::new("INC-05", path, observed, "members that open", fix));
            }
            Ok(content) => {
                let want = Want { size: member.size, ..Want::default() };
                let done = scan.content(&format!("{path}!/{name}"), depth, content, want);
                if let Err(error) = done.map(drop)
                    && !scan.is_cut()
                {
                    let observed = format!("member {name} cannot be read to its end ({error})");
                    let required = "members that can be read whole";
                    scan.note(Note::new("INC-05", path, observed, required, "rebuild the archive"));
                }
            }
        }
        !scan.is_cut()
    })?;
    files::add(scan, classes.and_then(ClassRoots::component).into_iter().collect());
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
