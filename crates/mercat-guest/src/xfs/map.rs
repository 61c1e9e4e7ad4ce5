//! Where the blocks of a fork are: lists and trees of extents.

use super::super::bytes::{be16, be32, be64, part};
use super::super::source::{Run, push_run};
use super::Xfs;
use super::inode::{Fork, Inode};
use crate::ReadError;

const LEVELS_MAX: u16 = 9;
const RUNS_MAX: usize = 2_000_000;
const UNWRITTEN: u64 = 1 << 63;

/// A node of a tree on the way down.
struct Node {
    pointers: Vec<u64>,
    next: usize,
    level: u16,
}

impl Xfs {
    fn refuse(&self, inode: &Inode, what: impl std::fmt::Display) -> ReadError {
        ReadError::refused("XFS-07", inode.at, format!("the extents of inode {}: {what}", inode.number))
    }

    /// The runs of a fork, in rising order without overlap.
    pub(super) fn runs(&self, inode: &Inode, fork: &Fork) -> Result<Vec<Run>, ReadError> {
        let (mut runs, mut covered) = (Vec::new(), 0);
        match fork {
            Fork::None | Fork::Local(_) => {}
            Fork::Extents(records) => self.extents(inode, records, &mut covered, &mut runs)?,
            Fork::Tree(root) => self.tree(inode, root, &mut covered, &mut runs)?,
        }
        Ok(runs)
    }

    fn extents(
        &self,
        inode: &Inode,
        records: &[u8],
        covered: &mut u64,
        runs: &mut Vec<Run>,
    ) -> Result<(), ReadError> {
        for record in records.chunks_exact(16) {
            let (high, low) = (be64(record, 0), be64(record, 8));
            let at = high >> 9 & ((1 << 54) - 1);
            let block = (high & 0x1ff) << 43 | low >> 21;
            let count = low & 0x1f_ffff;
            let size = self.superblock.block_bytes;
            let end = at.checked_add(count).and_then(|end| end.checked_mul(size));
            let Some(from) = self.superblock.place(block, count).filter(|_| at >= *covered && end.is_some())
            else {
                let what = format_args!("{count} blocks at {block} for block {at} of the file");
                return Err(self.refuse(inode, what));
            };
            *covered = at + count;
            if high & UNWRITTEN == 0 {
                push_run(runs, Run { at: at * size, length: count * size, from });
            }
            if runs.len() > RUNS_MAX {
                return Err(self.refuse(inode, format_args!("more than {RUNS_MAX} pieces")));
            }
        }
        Ok(())
    }

    fn tree(
        &self,
        inode: &Inode,
        root: &[u8],
        covered: &mut u64,
        runs: &mut Vec<Run>,
    ) -> Result<(), ReadError> {
        let (level, count) = (be16(root, 0), usize::from(be16(root, 2)));
        let most = root.len().saturating_sub(4) / 16;
        if !(1..=LEVELS_MAX).contains(&level) || count == 0 || count > most {
            return Err(self.refuse(inode, format_args!("a root of level {level} with {count} of {most}")));
        }
        let mut stack = vec![Node { pointers: pointers(root, 4 + 8 * most, count), next: 0, level }];
        while let Some(node) = stack.last_mut() {
            let Some(block) = node.pointers.get(node.next).copied() else {
                stack.pop();
                continue;
            };
            node.next += 1;
            let level = node.level - 1;
            let (header, raw) = self.node(inode, block, level)?;
            let count = usize::from(be16(&raw, 6));
            if level == 0 {
                self.extents(inode, part(&raw, header, 16 * count), covered, runs)?;
            } else {
                let most = (raw.len() - header) / 16;
                stack.push(Node { pointers: pointers(&raw, header + 8 * most, count), next: 0, level });
            }
        }
        Ok(())
    }

    /// A block of a tree, with the bytes of its header.
    fn node(&self, inode: &Inode, block: u64, level: u16) -> Result<(usize, Vec<u8>), ReadError> {
        let at = self.superblock.place(block, 1);
        let at = at.ok_or_else(|| self.refuse(inode, format_args!("a node at block {block}")))?;
        let raw = self.source.bytes(at, self.superblock.block_step())?;
        let (header, magic): (usize, &[u8]) = if self.superblock.v5 { (72, b"BMA3") } else { (24, b"BMAP") };
        let (found, count) = (be16(&raw, 4), be16(&raw, 6));
        let most = (raw.len() - header) / 16;
        // No node is empty, so a cycle of them would have to repeat extents, which must rise.
        if !raw.starts_with(magic) || found != level || count == 0 || usize::from(count) > most {
            let what =
                format_args!("a node of level {found} with {count} of {most} in place of level {level}");
            return Err(self.refuse(inode, what));
        }
        if self.superblock.v5 {
            self.check_block(&raw, at, inode, [64, 24, 56])?;
        }
        Ok((header, raw))
    }
}

fn pointers(raw: &[u8], at: usize, count: usize) -> Vec<u64> {
    part(raw, at, 8 * count).chunks_exact(8).map(|pointer| be64(pointer, 0)).collect()
}

/// A 32-bit number of a block as a place in the fork.
pub(super) fn fork_block(raw: &[u8], at: usize) -> u64 {
    u64::from(be32(raw, at))
}
