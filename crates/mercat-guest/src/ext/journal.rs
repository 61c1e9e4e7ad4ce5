//! The journal (JBD2) of a file system that was not unmounted: committed blocks replace those in place,
//! in memory only, so that a disk reads as the next mount would show it.

use super::super::bytes::{be16, be32, halves, part};
use super::super::source::{Content, Run, push_run};
use super::superblock::Superblock;
use super::{Ext, checksum};
use crate::ReadError;
use std::collections::{BTreeMap, HashMap};

const MAGIC: u32 = 0xc03b_3998;
const DESCRIPTOR: u32 = 1;
const COMMIT: u32 = 2;
const REVOKE: u32 = 5;

const WIDE: u32 = 0x2;
const SUM_V2: u32 = 0x8;
const SUM_V3: u32 = 0x10;
/// Features that are read: revoke, 64bit, async_commit, csum_v2, csum_v3; not fast_commit.
const KNOWN: u32 = 0x1 | WIDE | 0x4 | SUM_V2 | SUM_V3;

const ESCAPED: u32 = 1;
const SAME_UUID: u32 = 2;
const DELETED: u32 = 4;
const LAST: u32 = 8;

/// Blocks that the journal has in a newer version.
#[derive(Default)]
pub(super) struct Overlay(BTreeMap<u64, Copy>);

#[derive(Clone, Copy)]
struct Copy {
    /// First byte on the volume.
    at: u64,
    /// Whether the first four bytes are the journal's magic, stored as zeros.
    escaped: bool,
}

/// A block that a descriptor announces.
struct Tag {
    block: u64,
    transaction: u32,
    copy: Copy,
}

struct Log<'a> {
    ext: &'a Ext,
    runs: Vec<Run>,
    block_bytes: u64,
    blocks: u64,
    first: u64,
    features: u32,
    seed: u32,
}

fn refuse(at: u64, what: impl std::fmt::Display) -> ReadError {
    let what = format!("the journal must be replayed, but {what}; mount and unmount the file system once");
    ReadError::refused("EXT-17", at, what)
}

impl Ext {
    /// Reads the journal when the file system says that it must be. Where it does not say so and the journal has
    /// transactions all the same, the kernel forgets them and `e2fsck` replays them: that is refused.
    pub(super) fn replay(&mut self) -> Result<(), ReadError> {
        let recover = self.superblock.must_recover();
        let number = match self.superblock.journal {
            Some(number) => number,
            None if recover => return Err(refuse(0, "there is none inside")),
            None => return Ok(()),
        };
        let inode = self.inode(number)?;
        let runs = self.runs(&inode)?;
        let size = self.superblock.block_bytes;
        let mut header = vec![0; 1024];
        Content::new(&self.source, runs.clone(), inode.size).read_at(0, &mut header)?;
        if !recover {
            return match be32(&header, 0) == MAGIC && be32(&header, 0x1c) != 0 {
                true => Err(refuse(inode.at, "the file system says that it need not be")),
                false => Ok(()),
            };
        }
        let kind = be32(&header, 4);
        let features = if kind == 4 { be32(&header, 0x28) } else { 0 };
        if be32(&header, 0) != MAGIC || !matches!(kind, 3 | 4) || u64::from(be32(&header, 0xc)) != size {
            return Err(refuse(inode.at, "its superblock is broken"));
        }
        if features & !KNOWN != 0 {
            return Err(refuse(inode.at, format_args!("it has the features {features:#x}")));
        }
        let summed = features & (SUM_V2 | SUM_V3) != 0;
        if summed && !sum_at(&header, 0xfc, !0) {
            return Err(refuse(inode.at, "the checksum of its superblock is wrong"));
        }
        let (blocks, first) = (u64::from(be32(&header, 0x10)), u64::from(be32(&header, 0x14)));
        let start = u64::from(be32(&header, 0x1c));
        if start == 0 {
            return Ok(());
        }
        let fits = blocks.checked_mul(size).is_some_and(|bytes| bytes <= inode.size);
        if !fits || first == 0 || !(first..blocks).contains(&start) {
            return Err(refuse(inode.at, format_args!("it has blocks {first} to {blocks}, start {start}")));
        }
        let seed = checksum(!0, part(&header, 0x30, 16));
        let log = Log { ext: self, runs, block_bytes: size, blocks, first, features, seed };
        let overlay = log.read(start, be32(&header, 0x18))?;
        self.overlay = overlay;
        self.check_superblock()
    }

    /// A superblock in the journal must describe the same layout.
    fn check_superblock(&self) -> Result<(), ReadError> {
        let raw = self.metadata(1024, 1024)?;
        let newer = Superblock::parse(&raw, self.source.size())?;
        if newer.layout() != self.superblock.layout() {
            return Err(refuse(1024, "it changes the layout of the file system"));
        }
        Ok(())
    }

    /// Bytes of metadata, with what the journal has newer.
    pub(super) fn metadata(&self, at: u64, length: usize) -> Result<Vec<u8>, ReadError> {
        let size = self.superblock.block_bytes;
        match self.overlay.0.get(&(at / size)) {
            None => self.source.bytes(at, length),
            Some(copy) => {
                let mut block = self.source.bytes(copy.at, self.block_bytes())?;
                if copy.escaped {
                    block[..4].copy_from_slice(&MAGIC.to_be_bytes());
                }
                let skip = usize::try_from(at % size).unwrap_or(0);
                match skip.checked_add(length).and_then(|end| block.get(skip..end)) {
                    Some(found) => Ok(found.to_vec()),
                    None => Err(ReadError::refused("FS-04", at, "a structure that crosses its block")),
                }
            }
        }
    }

    /// Adds a run of file content, from the journal where that is newer.
    pub(super) fn push_mapped(&self, runs: &mut Vec<Run>, run: Run) -> Result<(), ReadError> {
        let size = self.superblock.block_bytes;
        let (first, last) = (run.from / size, (run.from + run.length) / size);
        let mut done = 0;
        for (block, copy) in self.overlay.0.range(first..last) {
            let skip = (block - first) * size;
            if skip > done {
                push_run(runs, Run { at: run.at + done, length: skip - done, from: run.from + done });
            }
            if copy.escaped {
                return Err(refuse(copy.at, "file content in it looks like a part of the journal"));
            }
            push_run(runs, Run { at: run.at + skip, length: size, from: copy.at });
            done = skip + size;
        }
        if done < run.length {
            push_run(runs, Run { at: run.at + done, length: run.length - done, from: run.from + done });
        }
        Ok(())
    }
}

/// Whether the big-endian checksum at a place is that of the rest.
fn sum_at(raw: &[u8], at: usize, seed: u32) -> bool {
    let sum = checksum(checksum(seed, part(raw, 0, at)), &[0; 4]);
    checksum(sum, raw.get(at + 4..).unwrap_or(&[])) == be32(raw, at)
}

impl Log<'_> {
    fn summed(&self) -> bool {
        self.features & (SUM_V2 | SUM_V3) != 0
    }

    /// Where a block of the journal is on the volume.
    fn place(&self, block: u64) -> Result<u64, ReadError> {
        let at = block * self.block_bytes;
        let index = self.runs.partition_point(|run| run.at <= at);
        let run = index.checked_sub(1).and_then(|index| self.runs.get(index));
        run.filter(|run| at < run.at + run.length)
            .map(|run| run.from + (at - run.at))
            .ok_or_else(|| refuse(0, format_args!("block {block} of it is a hole")))
    }

    fn after(&self, block: u64) -> u64 {
        if block + 1 < self.blocks { block + 1 } else { self.first }
    }

    /// Goes through the log once: transactions count when their commit block is there.
    fn read(&self, start: u64, sequence: u32) -> Result<Overlay, ReadError> {
        let (mut at, mut left) = (start, self.blocks);
        let mut transaction = 0_u32;
        let (mut tags, mut committed) = (Vec::new(), Vec::new());
        let (mut revoked, mut revokes) = (HashMap::new(), Vec::new());
        let mut spend = |count: u64| {
            left = left.checked_sub(count).ok_or_else(|| refuse(0, "it is longer than itself"))?;
            Ok::<_, ReadError>(())
        };
        loop {
            let place = self.place(at)?;
            let block = self.ext.source.bytes(place, self.ext.block_bytes())?;
            let current = be32(&block, 8) == sequence.wrapping_add(transaction);
            if be32(&block, 0) != MAGIC || !current {
                break;
            }
            spend(1)?;
            at = self.after(at);
            match be32(&block, 4) {
                DESCRIPTOR => {
                    let before = tags.len();
                    at = self.tags(&block, place, at, transaction, &mut tags)?;
                    spend((tags.len() - before) as u64)?;
                }
                REVOKE => self.revokes(&block, place, &mut revokes)?,
                COMMIT => {
                    if self.summed() && !sum_at(&block, 16, self.seed) {
                        break;
                    }
                    revoked.extend(revokes.drain(..).map(|block| (block, transaction)));
                    for tag in tags.drain(..) {
                        self.check_tag(&tag, sequence)?;
                        committed.push(tag.0);
                    }
                    transaction = transaction.wrapping_add(1);
                }
                _ => break,
            }
        }
        let kept = committed
            .into_iter()
            .filter(|tag: &Tag| revoked.get(&tag.block).is_none_or(|revoked| *revoked < tag.transaction));
        Ok(Overlay(kept.map(|tag| (tag.block, tag.copy)).collect()))
    }

    /// The tags of a descriptor block, with their checksums; gives the log's next block.
    fn tags(
        &self,
        raw: &[u8],
        place: u64,
        mut at: u64,
        transaction: u32,
        tags: &mut Vec<(Tag, u32)>,
    ) -> Result<u64, ReadError> {
        let (v2, v3, wide) =
            (self.features & SUM_V2 != 0, self.features & SUM_V3 != 0, self.features & WIDE != 0);
        let mut end = raw.len();
        if self.summed() {
            end -= 4;
            if !sum_at(raw, end, self.seed) {
                return Err(refuse(place, "the checksum of a descriptor in it is wrong"));
            }
        }
        let bytes = if v3 { 16 } else { 8 + if wide { 4 } else { 0 } + if v2 { 2 } else { 0 } };
        let mut position = 12;
        while position + bytes <= end {
            let flags = if v3 { be32(raw, position + 4) } else { u32::from(be16(raw, position + 6)) };
            let sum = if v3 { be32(raw, position + 12) } else { u32::from(be16(raw, position + 4)) };
            let high = if wide { be32(raw, position + 8) } else { 0 };
            let block = halves(high, be32(raw, position));
            if block >= self.ext.superblock.blocks || flags & DELETED != 0 {
                return Err(refuse(place, format_args!("it has block {block} with flags {flags:#x}")));
            }
            let copy = Copy { at: self.place(at)?, escaped: flags & ESCAPED != 0 };
            tags.push((Tag { block, transaction, copy }, sum));
            at = self.after(at);
            position += bytes + if flags & SAME_UUID == 0 { 16 } else { 0 };
            if flags & LAST != 0 {
                return Ok(at);
            }
            if tags.len() as u64 > self.blocks {
                break;
            }
        }
        Err(refuse(place, "a descriptor in it does not end"))
    }

    fn check_tag(&self, (tag, sum): &(Tag, u32), sequence: u32) -> Result<(), ReadError> {
        if !self.summed() {
            return Ok(());
        }
        let number = sequence.wrapping_add(tag.transaction).to_be_bytes();
        // Summed as it stands in the journal, with an escaped magic still put aside.
        let block = self.ext.source.bytes(tag.copy.at, self.ext.block_bytes())?;
        let mask = if self.features & SUM_V3 != 0 { u32::MAX } else { 0xffff };
        if checksum(checksum(self.seed, &number), &block) & mask == *sum {
            return Ok(());
        }
        Err(refuse(tag.copy.at, format_args!("the checksum of block {} in it is wrong", tag.block)))
    }

    fn revokes(&self, raw: &[u8], place: u64, revokes: &mut Vec<u64>) -> Result<(), ReadError> {
        let mut end = raw.len();
        if self.summed() {
            end -= 4;
            if !sum_at(raw, end, self.seed) {
                return Err(refuse(place, "the checksum of a revoke block in it is wrong"));
            }
        }
        let used = usize::try_from(be32(raw, 12)).unwrap_or(usize::MAX);
        if used > end || used < 16 {
            return Err(refuse(place, format_args!("a revoke block in it has {used} bytes")));
        }
        let wide = self.features & WIDE != 0;
        for entry in raw.get(16..used).unwrap_or(&[]).chunks(if wide { 8 } else { 4 }) {
            let (high, low) = if wide { (be32(entry, 0), be32(entry, 4)) } else { (0, be32(entry, 0)) };
            revokes.push(halves(high, low));
        }
        Ok(())
    }
}
