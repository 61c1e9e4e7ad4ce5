//! The log, of which only this is asked: whether a mount would replay anything.

use super::super::bytes::{be32, byte, part};
use super::super::source::Source;
use super::superblock::Superblock;
use crate::ReadError;

const BLOCK: u64 = 512;
const CHUNK: u64 = 1 << 20;
const MAGIC: u32 = 0xfeed_babe;
/// Header bytes that one header block describes.
const PER_HEADER: u32 = 32 << 10;
const UNMOUNT: u8 = 0x20;

/// A record that begins in the log.
#[derive(Clone, Copy)]
struct Record {
    block: u64,
    /// Blocks, with headers.
    blocks: u64,
    is_unmount: bool,
}

/// Refuses a log that was not closed by an unmount. Blocks in front of the end have the number of the
/// current cycle, those behind it the one before; only then does every system find the same end.
pub(super) fn check(source: &Source, superblock: &Superblock) -> Result<(), ReadError> {
    let (start, blocks) = superblock.log;
    let Some(at) = superblock.place(start, blocks).filter(|_| start != 0) else {
        let what = format!("a log of {blocks} blocks at block {start}: on another device or nowhere");
        return Err(ReadError::refused("XFS-11", 48, what));
    };
    let size = blocks * superblock.block_bytes;
    let refuse = |block: u64, what: &str| {
        let what = format!("the log must be replayed ({what}); mount and unmount the file system once");
        Err(ReadError::refused("XFS-11", at + block * BLOCK, what))
    };
    let (mut end, mut cycle) = (None, None);
    let mut last: Option<Record> = None;
    let mut newest: Option<Record> = None;
    let mut chunk = Vec::new();
    let mut loaded = u64::MAX;
    let blocks_of_log = size / BLOCK;
    for block in 0..blocks_of_log {
        let offset = block * BLOCK;
        if loaded != offset / CHUNK {
            loaded = offset / CHUNK;
            let length = usize::try_from(CHUNK.min(size - loaded * CHUNK)).unwrap_or(0);
            chunk = source.bytes(at + loaded * CHUNK, length)?;
        }
        let raw = part(&chunk, usize::try_from(offset % CHUNK).unwrap_or(0), 512);
        let is_header = be32(raw, 0) == MAGIC;
        let here = if is_header { be32(raw, 4) } else { be32(raw, 0) };
        match cycle {
            None => cycle = Some(here),
            Some(first) if end.is_none() && here.checked_add(1) == Some(first) => {
                end = Some(block);
                newest = last;
            }
            Some(first) if here != first - u32::from(end.is_some()) => {
                return refuse(block, "its cycles are out of order");
            }
            Some(_) => {}
        }
        if is_header {
            last = Some(record(source, at, size, block, raw)?);
        }
    }
    let end = end.unwrap_or(blocks_of_log);
    // When the end is right at the front, the newest record is the last of the log.
    let newest = newest.or(last);
    match newest {
        Some(record)
            if record.is_unmount && (record.block + record.blocks) % blocks_of_log == end % blocks_of_log =>
        {
            Ok(())
        }
        Some(record) => refuse(record.block, "it does not end with an unmount"),
        None => refuse(0, "it has no records"),
    }
}

fn record(source: &Source, at: u64, size: u64, block: u64, raw: &[u8]) -> Result<Record, ReadError> {
    let bytes = be32(raw, 12);
    let headers =
        if be32(raw, 8) & 2 != 0 { u64::from(be32(raw, 320).div_ceil(PER_HEADER)).max(1) } else { 1 };
    let blocks = headers + u64::from(bytes).div_ceil(BLOCK);
    let first = (block + headers) * BLOCK;
    let is_unmount =
        be32(raw, 40) == 1 && first + BLOCK <= size && byte(&source.bytes(at + first, 16)?, 9) & UNMOUNT != 0;
    Ok(Record { block, blocks, is_unmount })
}
