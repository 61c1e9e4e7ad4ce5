//! One walk over every volume: each file goes once through every scanner, and what rules need is kept.

use super::measure::{self, Measure};
use crate::facts::{LayerFacts, Note};
use crate::files::Named;
use crate::kept::Bytes;
use crate::scan::{OURS, Rules, Scan, Want, Whence};
use crate::{Knowledge, files, inventory, space};
use mercat_artifact::ReadError;
use mercat_artifact::pkgdb::root_of_record;
use mercat_disk::ReadAt;
use mercat_guest::{Contents, Entry, Guest, Kind, Visit, Volume};
use mercat_machine::{HEAD_BYTES, Node, Passed, Passing, VolumeTree, Wanted, is_swap, wanted};
use std::collections::HashMap;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Walks of one volume at a time; each reads the content of its share of the files. A number of its own,
/// not the machine's: what is found must not depend on the machine.
const SHARDS: u64 = 2;
/// Numbers of files that are neighbours.
const NEIGHBOURS: u64 = 256;
/// Files of so many bytes are large.
const LARGE_BYTES: u64 = 1 << 20;
/// Pieces into which what is beside files is cut, for both threads to have enough; a number of its own for the same reason.
const PIECES_MAX: usize = 16;

/// How much is kept for rules.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of one file.
    pub(super) file_bytes: u64,
    /// Bytes of all files.
    pub(super) bytes: u64,
    /// Names.
    pub(super) names: u64,
}

/// What a real system stays far below.
pub(super) const LIMITS: Limits = Limits { file_bytes: 256 << 20, bytes: 512 << 20, names: 500_000 };

/// Told how many bytes are done, of how many.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// What was read of one volume.
pub(super) struct Walked {
    pub(super) tree: VolumeTree,
    pub(super) facts: LayerFacts,
}

/// What all walks gave.
pub(super) struct Walks {
    pub(super) measure: Measure,
    /// What scanners found outside of files.
    pub(super) space: LayerFacts,
    /// By the volume's place in [`Guest::volumes`]; `None` for one without a file system.
    pub(super) volumes: Vec<Option<Walked>>,
    /// Which limit was passed. The trees are empty then: which of the files were kept was a matter of time.
    pub(super) passed: Option<String>,
}

enum Job<'g> {
    Measure(Range<u64>),
    /// Place of a volume, and number of the shard.
    Shard(usize, &'g Volume, u64),
}

/// What a job gave.
enum Done {
    Measure(measure::Measured),
    Shard(usize, Box<Option<Walked>>),
}

/// Counts shared by all threads.
struct Shared<'a> {
    done: AtomicU64,
    total: u64,
    kept_bytes: AtomicU64,
    names: AtomicU64,
    limits: Limits,
    progress: Progress<'a>,
}

impl Shared<'_> {
    fn read(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        (self.progress)(done.min(self.total), self.total);
    }

    /// The limit that was passed.
    fn passed(&self) -> Option<String> {
        let Limits { bytes, names, .. } = self.limits;
        if self.names.load(Ordering::Relaxed) > names {
            Some(format!("more than {names} names that rules look at"))
        } else if self.kept_bytes.load(Ordering::Relaxed) > bytes {
            Some(format!("more than {bytes} bytes in files that rules look at"))
        } else {
            None
        }
    }
}

/// Reads the whole disk for its digest, and every volume, in two threads beside those of large files.
///
/// # Errors
/// Bytes that could not be had, or a container that refuses.
pub(super) fn walk(
    disk: &dyn ReadAt,
    guest: Option<&Guest>,
    knowledge: &Knowledge,
    limits: Limits,
    progress: Progress<'_>,
) -> Result<Walks, ReadError> {
    let volumes: &[Volume] = guest.map_or(&[], |guest| &guest.volumes);
    let mut jobs = Vec::new();
    for (at, volume) in volumes.iter().enumerate() {
        if matches!(volume.contents, Contents::FileSystem(_)) {
            jobs.extend((0..SHARDS).map(|shard| Job::Shard(at, volume, shard)));
        }
    }
    // These are short, and fill what is left when one thread has nothing else.
    jobs.extend(measure::stretches(disk)?.into_iter().map(Job::Measure));
    let shared = Shared {
        done: AtomicU64::new(0),
        total: measure::extent(disk)?.saturating_mul(2),
        kept_bytes: AtomicU64::new(0),
        names: AtomicU64::new(0),
        limits,
        progress,
    };
    let given = Mutex::default();
    let done = in_two_threads(&jobs, knowledge, |job| match job {
        Job::Measure(stretch) => {
            measure::measure(disk, stretch, &mut |bytes| shared.read(bytes)).map(Done::Measure)
        }
        Job::Shard(at, volume, shard) => {
            let walked = guest.map(|guest| walk_shard(guest, volume, *shard, knowledge, &shared, &given));
            Ok(Done::Shard(*at, Box::new(walked.transpose()?)))
        }
    })?;
    let (mut stretches, mut out) = (Vec::new(), Vec::new());
    out.resize_with(volumes.len(), || None::<Walked>);
    for done in done {
        match done {
            Done::Measure(measured) => stretches.push(measured),
            Done::Shard(at, walked) => {
                let Some((walked, place)) = walked.zip(out.get_mut(at)) else { continue };
                match place {
                    Some(first) => first.join(walked),
                    empty => *empty = Some(walked),
                }
            }
        }
    }
    let given = given.into_inner().unwrap_or_else(PoisonError::into_inner);
    let space = beside_files(disk, given, knowledge)?;
    let passed = shared.passed();
    if passed.is_some() {
        out.iter_mut().flatten().for_each(|walked| {
            walked.tree = VolumeTree::new(&walked.tree.volume, &walked.tree.file_system);
        });
    }
    progress(shared.total, shared.total);
    Ok(Walks { measure: measure::whole(disk, &stretches), space, volumes: out, passed })
}

/// Does all jobs in two threads, beside those of large files; what comes of them is in their order.
///
/// # Errors
/// That of a job, behind which no other begins.
fn in_two_threads<J: Sync, D: Send>(
    jobs: &[J],
    knowledge: &Knowledge,
    work: impl Fn(&J) -> Result<D, ReadError> + Sync,
) -> Result<Vec<D>, ReadError> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<D, ReadError>)>> = Mutex::default();
    let work = || {
        let _member = knowledge.crew.join();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(at) else { return };
            let result = work(job);
            if result.is_err() {
                next.store(jobs.len(), Ordering::Relaxed);
            }
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What scanners find in what is not among the given ranges.
fn beside_files(
    disk: &dyn ReadAt,
    given: Vec<Range<u64>>,
    knowledge: &Knowledge,
) -> Result<LayerFacts, ReadError> {
    let pieces = space::pieces(disk.size(), given, PIECES_MAX);
    let done = in_two_threads(&pieces, knowledge, |piece| {
        let scan = Scan::new(knowledge);
        space::each_part(disk, piece, &mut |part| {
            scan.with(|facts| facts.file_bytes += (part.bytes.len() - part.carried) as u64);
            let path = format!("@{}-{}", part.range.start, part.range.end);
            scan.window((&path, 0), Whence::default(), (part.bytes, part.carried), Rules::Window);
        })?;
        Ok(scan.finish(None))
    })?;
    let joined = done.into_iter().reduce(|mut facts, more| {
        facts.join(more);
        facts
    });
    Ok(joined.unwrap_or_else(|| Scan::new(knowledge).finish(None)))
}

impl Walked {
    fn join(&mut self, other: Self) {
        other.tree.into_nodes().for_each(|node| self.tree.insert(node));
        self.facts.join(other.facts);
    }
}

fn walk_shard(
    guest: &Guest,
    volume: &Volume,
    shard: u64,
    knowledge: &Knowledge,
    shared: &Shared<'_>,
    given: &Mutex<Vec<Range<u64>>>,
) -> Result<Walked, ReadError> {
    let kind = match volume.contents {
        Contents::FileSystem(kind) => kind,
        _ => "",
    };
    let mut visitor = Visitor {
        scan: Scan::new(knowledge),
        tree: VolumeTree::new(&volume.name, kind),
        shard,
        shared,
        seen: Seen::default(),
        programs: HashMap::new(),
        wanted: None,
        path: String::new(),
    };
    let done = guest.tree(volume).and_then(|tree| {
        let done = tree.walk(&mut visitor);
        let on_disk = tree.given().into_iter().flat_map(|range| guest.on_disk(volume, range));
        given.lock().unwrap_or_else(PoisonError::into_inner).extend(on_disk);
        done
    });
    let Visitor { scan, tree, path, .. } = visitor;
    let facts = match done {
        Ok(()) => scan.finish(None),
        Err(ReadError::Io(error)) => return Err(ReadError::Io(error)),
        Err(refused) => scan.finish(Some(Note::refused(&path, &refused))),
    };
    Ok(Walked { tree, facts })
}

/// Inodes that were read, for hard links: one bit each, in blocks, because numbers come in runs.
#[derive(Default)]
struct Seen(HashMap<u64, Box<[u64; 64]>>);

impl Seen {
    /// Whether it is the first time.
    fn insert(&mut self, inode: u64) -> bool {
        let block = self.0.entry(inode >> 12).or_insert_with(|| Box::new([0; 64]));
        let word = &mut block[usize::try_from(inode >> 6 & 63).unwrap_or(0)];
        let bit = 1 << (inode & 63);
        let first = *word & bit == 0;
        *word |= bit;
        first
    }
}

struct Visitor<'k, 's> {
    scan: Scan<'k>,
    tree: VolumeTree,
    shard: u64,
    shared: &'s Shared<'s>,
    seen: Seen,
    /// Programs by their inode, with the name under which they were read.
    programs: HashMap<u64, String>,
    wanted: Option<Wanted>,
    /// Where the walk is, for a refusal.
    path: String,
}

/// Which shard reads a file. Small ones with neighbouring numbers mostly lie side by side on the disk, and are read by one
/// shard; of large ones each has its turn, so that few of them do not come together.
fn shard_of(inode: u64, size: u64) -> u64 {
    let turn = if size < LARGE_BYTES { inode / NEIGHBOURS } else { inode };
    // Numbers may be offsets, all of them even, so their bits are mixed.
    turn.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(1) % SHARDS
}

impl Visitor<'_, '_> {
    fn keep_node(&mut self, node: Node) {
        if self.shared.names.fetch_add(1, Ordering::Relaxed) < self.shared.limits.names {
            self.tree.insert(node);
        }
    }

    /// Whether so many bytes of a file can be kept.
    fn may_keep(&mut self, path: &str, bytes: u64) -> bool {
        let limits = self.shared.limits;
        if bytes > limits.file_bytes {
            let observed = format!("a file of {bytes} bytes");
            let required =
                format!("at most {} bytes, and {} in all such files", limits.file_bytes, limits.bytes);
            self.scan.note(Note::new("INC-10", path, observed, &required, OURS));
            return false;
        }
        let kept = self.shared.kept_bytes.fetch_add(bytes, Ordering::Relaxed);
        kept.saturating_add(bytes) <= limits.bytes
    }

    /// Whether the file was read under another name. ISO 9660 knows no inodes, and streams share theirs.
    fn is_again(&mut self, entry: &Entry) -> bool {
        let shared_number = match self.tree.file_system.as_str() {
            "ntfs" => entry.path.rsplit('/').next().is_some_and(|name| name.contains(':')),
            "iso9660" => true,
            _ => false,
        };
        !shared_number && !self.seen.insert(entry.inode)
    }
}

impl Visit for Visitor<'_, '_> {
    fn entry(&mut self, entry: &Entry) -> Result<bool, ReadError> {
        self.path.clone_from(&entry.path);
        if shard_of(entry.inode, entry.size) != self.shard {
            return Ok(false);
        }
        self.scan.begin(&entry.path, &entry.link, &entry.xattrs);
        let named = match entry.kind {
            Kind::File => Named::File,
            Kind::Directory => Named::Directory,
            Kind::Symlink | Kind::Special => Named::Other,
        };
        // File systems without modes give zero.
        self.scan.with(|facts| facts.told.attributes(&entry.path, named, entry.mode, &entry.xattrs));
        self.wanted = wanted(&self.tree.file_system, entry);
        if entry.kind == Kind::Symlink {
            self.scan.link_below(&entry.path, &entry.link);
        }
        if entry.kind != Kind::File {
            if self.wanted.is_some() {
                self.keep_node(Node::new(entry));
            }
            return Ok(false);
        }
        let again = self.is_again(entry);
        if again && let Some(first) = self.programs.get(&entry.inode) {
            self.scan.hard_link(&entry.path, first);
        }
        // Under another name it may be a record of packages.
        let is_record =
            mercat_inventory::reader_of(&entry.path, b"").is_some() || root_of_record(&entry.path).is_some();
        if again && !is_record && !matches!(self.wanted, Some(Wanted::Head | Wanted::Whole)) {
            if self.wanted.is_some() {
                self.keep_node(Node::new(entry));
            }
            return Ok(false);
        }
        Ok(true)
    }

    fn content(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), ReadError> {
        let wanted = self.wanted.take();
        let whole = wanted == Some(Wanted::Whole) && self.may_keep(&entry.path, entry.size);
        let passing = Passing::new(entry.size);
        let mut bytes = Counted { inner: content, passing, unreported: 0, shared: self.shared };
        let passed = self.scan.file(
            &entry.path,
            entry.size,
            &mut bytes,
            Want { bytes: whole, mode: entry.mode, ..Want::default() },
        )?;
        let (program, kept) = (passed.program, passed.kept.and_then(Bytes::in_memory));
        self.shared.read(bytes.unreported);
        let Passed { head, kernel } = bytes.passing.finish();
        let swap = is_swap(&head);
        if let Some(bytes) = kept.as_ref().filter(|_| inventory::is_database(&entry.path)) {
            files::own(&self.scan, &entry.path, bytes);
        }
        if wanted.is_some() || swap || kernel.is_some() {
            let short = if swap { head.len() } else { head.len().min(HEAD_BYTES) };
            let content = match wanted {
                Some(Wanted::Whole) => kept,
                _ if swap || wanted == Some(Wanted::Head) || kernel.is_some() => {
                    self.may_keep(&entry.path, short as u64).then(|| head[..short].to_vec())
                }
                _ => None,
            };
            self.keep_node(Node { content, kernel, ..Node::new(entry) });
        }
        if program {
            self.programs.entry(entry.inode).or_insert_with(|| entry.path.clone());
        }
        Ok(())
    }
}

/// Looks at the bytes that pass, and counts them.
struct Counted<'r, 's> {
    inner: &'r mut dyn Read,
    passing: Passing,
    unreported: u64,
    shared: &'s Shared<'s>,
}

impl Read for Counted<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.passing.pass(buffer.get(..count).unwrap_or_default());
        self.unreported += count as u64;
        if self.unreported > 4 << 20 {
            self.shared.read(std::mem::take(&mut self.unreported));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_has_a_share_of_small_files_and_of_large_ones() {
        let of = |inodes: Vec<u64>, size: u64| {
            inodes.into_iter().filter(|inode| shard_of(*inode, size) == 0).count()
        };
        assert!((3..=7).contains(&of((12..22).collect(), 60 << 20)));
        // By offsets.
        assert!((30..=70).contains(&of((0..100).map(|at| at * 2048).collect(), 5)));
        assert!((30..=70).contains(&of((0..100).map(|at| at * 2048).collect(), 60 << 20)));
        // Neighbours stay together, and take turns.
        assert_eq!(of((256..512).collect(), 5) % 256, 0);
        assert!((1000..=1560).contains(&of((0..2560).collect(), 5)));
    }
}
