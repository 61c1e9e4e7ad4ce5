//! Where the blocks of a file are: extent trees and block maps.

use super::super::bytes::{halves, le16, le32, part};
use super::super::source::Run;
use super::inode::{EXTENTS, Inode, MAP_BYTES};
use super::{Ext, checksum};
use crate::ReadError;

const MAGIC: u16 = 0xf30a;
const DEPTH_MAX: u16 = 5;
/// Runs that one file may have; bounds memory.
const RUNS_MAX: usize = 2_000_000;

/// A node of an extent tree on the way down.
struct Node {
    raw: Vec<u8>,
    depth: u16,
    next: u16,
    entries: u16,
    /// The first file block behind the part that the node covers.
    end: u64,
}

impl Ext {
    /// The runs of a file, in rising order without overlap.
    pub(super) fn runs(&self, inode: &Inode) -> Result<Vec<Run>, ReadError> {
        if inode.flags & EXTENTS != 0 { self.extents(inode) } else { self.block_map(inode) }
    }

    fn push(
        &self,
        inode: &Inode,
        runs: &mut Vec<Run>,
        at: u64,
        count: u64,
        from: u64,
    ) -> Result<(), ReadError> {
        let by = || format!("inode {}", inode.number);
        let start = self.block_at(from, &by())?;
        self.block_at(from + count - 1, &by())?;
        let size = self.superblock.block_bytes;
        self.push_mapped(runs, Run { at: at * size, length: count * size, from: start })?;
        if runs.len() > RUNS_MAX {
            let what = format!("inode {} has more than {RUNS_MAX} pieces", inode.number);
            return Err(ReadError::refused("EXT-08", inode.at, what));
        }
        Ok(())
    }

    fn extents(&self, inode: &Inode) -> Result<Vec<Run>, ReadError> {
        let mut runs = Vec::new();
        let mut covered = 0;
        let root = self.node(inode, inode.block_map().to_vec(), None, 1 << 32)?;
        let mut stack = vec![root];
        while let Some(node) = stack.last_mut() {
            if node.next == node.entries {
                stack.pop();
                continue;
            }
            let entry: [u8; 12] =
                part(&node.raw, 12 + 12 * usize::from(node.next), 12).try_into().unwrap_or([0; 12]);
            node.next += 1;
            let at = u64::from(le32(&entry, 0));
            if at < covered || at >= node.end {
                let what = format!("the extents of inode {} are out of order at block {at}", inode.number);
                return Err(ReadError::refused("EXT-08", inode.at, what));
            }
            if node.depth == 0 {
                let raw_length = u64::from(le16(&entry, 4));
                let (unwritten, count) =
                    if raw_length > 0x8000 { (true, raw_length - 0x8000) } else { (false, raw_length) };
                if count == 0 || at + count > node.end {
                    let what = format!("an extent of {count} blocks in inode {} at block {at}", inode.number);
                    return Err(ReadError::refused("EXT-08", inode.at, what));
                }
                covered = at + count;
                let from = halves(u32::from(le16(&entry, 6)), le32(&entry, 8));
                if unwritten {
                    self.block_at(from, &format!("inode {}", inode.number))?;
                } else {
                    self.push(inode, &mut runs, at, count, from)?;
                }
                continue;
            }
            let following = (node.next < node.entries)
                .then(|| u64::from(le32(&node.raw, 12 + 12 * usize::from(node.next))));
            let end = following.unwrap_or(node.end).min(node.end);
            let depth = node.depth;
            let block = halves(u32::from(le16(&entry, 8)), le32(&entry, 4));
            let raw = self.block(block, &format!("the extent tree of inode {}", inode.number))?;
            stack.push(self.node(inode, raw, Some(depth), end)?);
        }
        Ok(runs)
    }

    /// Checks a node; `above` is the depth of its parent.
    fn node(&self, inode: &Inode, raw: Vec<u8>, above: Option<u16>, end: u64) -> Result<Node, ReadError> {
        let (entries, most, depth) = (le16(&raw, 2), le16(&raw, 4), le16(&raw, 6));
        let right_depth = above.map_or(depth <= DEPTH_MAX, |above| depth.checked_add(1) == Some(above));
        let fits = 12 + 12 * usize::from(most) <= raw.len();
        if le16(&raw, 0) != MAGIC || !right_depth || entries > most || !fits {
            let what = format!(
                "an extent node of inode {} with {entries} of {most} entries and depth {depth}",
                inode.number
            );
            return Err(ReadError::refused("EXT-08", inode.at, what));
        }
        if above.is_some() {
            // A tree never keeps an empty node, and a cycle of them would not end.
            if entries == 0 {
                let what = format!("an empty extent node in inode {}", inode.number);
                return Err(ReadError::refused("EXT-08", inode.at, what));
            }
            let tail = 12 + 12 * usize::from(most);
            if self.superblock.sums && checksum(inode.seed, part(&raw, 0, tail)) != le32(&raw, tail) {
                let what = format!("the checksum of an extent node of inode {} is wrong", inode.number);
                return Err(ReadError::refused("EXT-09", inode.at, what));
            }
        }
        Ok(Node { raw, depth, next: 0, entries, end })
    }

    /// The map of ext2 and ext3: twelve blocks, then one, two and three levels of blocks of numbers.
    fn block_map(&self, inode: &Inode) -> Result<Vec<Run>, ReadError> {
        let mut runs = Vec::new();
        let last = inode.size.div_ceil(self.superblock.block_bytes);
        let mut at = 0;
        for slot in 0..MAP_BYTES / 4 {
            let block = u64::from(le32(inode.block_map(), 4 * slot));
            let levels = slot.saturating_sub(11);
            self.indirect(inode, &mut runs, block, levels, &mut at, last)?;
        }
        Ok(runs)
    }

    fn indirect(
        &self,
        inode: &Inode,
        runs: &mut Vec<Run>,
        block: u64,
        levels: usize,
        at: &mut u64,
        last: u64,
    ) -> Result<(), ReadError> {
        let per_block = self.superblock.block_bytes / 4;
        if *at >= last {
            return Ok(());
        }
        if block == 0 {
            *at += (0..levels).fold(1, |count, _| count * per_block);
            return Ok(());
        }
        if levels == 0 {
            self.push(inode, runs, *at, 1, block)?;
            *at += 1;
            return Ok(());
        }
        // At most three levels deep, by the fifteen slots of a map.
        let raw = self.block(block, &format!("the block map of inode {}", inode.number))?;
        for entry in raw.chunks(4) {
            self.indirect(inode, runs, u64::from(le32(entry, 0)), levels - 1, at, last)?;
        }
        Ok(())
    }
}
