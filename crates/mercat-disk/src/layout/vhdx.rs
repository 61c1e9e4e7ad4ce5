//! Dynamic VHDX: headers, log, metadata, block allocation table, blocks.

use super::{Build, Content, Layout, Runs, TABLE_PIECE_BYTES, Table, derived};
use crate::checksum::crc32c;
use crate::vhdx::format::{
    CHECKSUM_AT, FILE_PARAMETERS, HEADER_AT, HEADER_BYTES, ITEM_IS_REQUIRED, ITEM_IS_VIRTUAL_DISK,
    LOGICAL_SECTOR, METADATA_TABLE_BYTES, MIB, PAGE_83_DATA, PHYSICAL_SECTOR, REGION_BLOCKS, REGION_METADATA,
    REGION_TABLE_AT, REGION_TABLE_BYTES, STATE_PRESENT, STATE_ZERO, VIRTUAL_DISK_SIZE,
};
use std::ops::Range;

const LOG_AT: u64 = MIB;
const METADATA_AT: u64 = 2 * MIB;
const TABLE_AT: u64 = 3 * MIB;
const SECTOR_BYTES: u32 = 512;
const PHYSICAL_SECTOR_BYTES: u32 = 4096;
const BLOCK_BYTES_MIN: u64 = 2 * MIB;
/// Blocks grow with the disk, so that the table stays within 16 MiB.
const BLOCKS_MAX: u64 = 1 << 21;

pub(super) fn dynamic(virtual_bytes: u64, data: &[Range<u64>], identity: [u8; 16]) -> Layout {
    let block_bytes = virtual_bytes.div_ceil(BLOCKS_MAX).next_power_of_two().max(BLOCK_BYTES_MIN);
    let runs = Runs::of(data, block_bytes);
    let blocks = virtual_bytes.div_ceil(block_bytes);
    let chunk_blocks = (u64::from(SECTOR_BYTES) << 23) / block_bytes;
    let entries = blocks + (blocks - 1) / chunk_blocks;
    let data_at = TABLE_AT + (entries * 8).next_multiple_of(MIB);

    let mut build = Build::default();
    build.bytes(identifier());
    for (at, sequence) in HEADER_AT.into_iter().zip(1..) {
        build.zeros_to(at);
        build.bytes(header(sequence, identity));
    }
    for at in REGION_TABLE_AT {
        build.zeros_to(at);
        build.bytes(regions(data_at - TABLE_AT));
    }
    build.zeros_to(METADATA_AT);
    build.bytes(metadata(virtual_bytes, block_bytes, identity));
    build.zeros_to(TABLE_AT);
    let table = Blocks { blocks, chunk_blocks, block_bytes, data_at };
    build.push(Content::Table(Table::Blocks(table)), entries * 8);
    build.zeros_to(data_at);
    for run in runs.iter() {
        build.data(data, run.unit * block_bytes..(run.unit + run.units) * block_bytes);
    }
    build.finish(virtual_bytes, runs)
}

fn identifier() -> Vec<u8> {
    let creator = "mercat".encode_utf16().flat_map(u16::to_le_bytes);
    b"vhdxfile".iter().copied().chain(creator).collect()
}

fn seal(bytes: &mut [u8]) {
    let sum = crc32c(bytes, CHECKSUM_AT);
    bytes[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
}

fn header(sequence: u64, identity: [u8; 16]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES as usize];
    bytes[..4].copy_from_slice(b"head");
    bytes[8..16].copy_from_slice(&sequence.to_le_bytes());
    bytes[16..32].copy_from_slice(&derived(identity, "vhdx file write"));
    bytes[32..48].copy_from_slice(&derived(identity, "vhdx data write"));
    // No log identifier: there is nothing to replay. Version 1, log version 0.
    bytes[66..68].copy_from_slice(&1_u16.to_le_bytes());
    bytes[68..72].copy_from_slice(&(MIB as u32).to_le_bytes());
    bytes[72..80].copy_from_slice(&LOG_AT.to_le_bytes());
    seal(&mut bytes);
    bytes
}

fn regions(table_bytes: u64) -> Vec<u8> {
    let mut bytes = vec![0; REGION_TABLE_BYTES as usize];
    bytes[..4].copy_from_slice(b"regi");
    bytes[8..12].copy_from_slice(&2_u32.to_le_bytes());
    let entries = [(REGION_BLOCKS, TABLE_AT, table_bytes), (REGION_METADATA, METADATA_AT, MIB)];
    for (entry, (id, at, size)) in bytes[16..].as_chunks_mut::<32>().0.iter_mut().zip(entries) {
        entry[..16].copy_from_slice(&id);
        entry[16..24].copy_from_slice(&at.to_le_bytes());
        entry[24..28].copy_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
        entry[28..32].copy_from_slice(&1_u32.to_le_bytes());
    }
    seal(&mut bytes);
    bytes
}

fn metadata(virtual_bytes: u64, block_bytes: u64, identity: [u8; 16]) -> Vec<u8> {
    let disk = ITEM_IS_REQUIRED | ITEM_IS_VIRTUAL_DISK;
    let items: [([u8; 16], u32, Vec<u8>); 5] = [
        (FILE_PARAMETERS, ITEM_IS_REQUIRED, block_bytes.to_le_bytes().to_vec()),
        (VIRTUAL_DISK_SIZE, disk, virtual_bytes.to_le_bytes().to_vec()),
        (PAGE_83_DATA, disk, derived(identity, "vhdx page 83").to_vec()),
        (LOGICAL_SECTOR, disk, SECTOR_BYTES.to_le_bytes().to_vec()),
        (PHYSICAL_SECTOR, disk, PHYSICAL_SECTOR_BYTES.to_le_bytes().to_vec()),
    ];
    let mut bytes = vec![0; METADATA_TABLE_BYTES as usize];
    bytes[..8].copy_from_slice(b"metadata");
    bytes[10..12].copy_from_slice(&(items.len() as u16).to_le_bytes());
    for (index, (id, flags, value)) in items.into_iter().enumerate() {
        let at = bytes.len() as u32;
        let entry = &mut bytes[32 + index * 32..64 + index * 32];
        entry[..16].copy_from_slice(&id);
        entry[16..20].copy_from_slice(&at.to_le_bytes());
        entry[20..24].copy_from_slice(&(value.len() as u32).to_le_bytes());
        entry[24..28].copy_from_slice(&flags.to_le_bytes());
        bytes.extend(value);
    }
    bytes
}

/// What the block allocation table is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    blocks: u64,
    chunk_blocks: u64,
    block_bytes: u64,
    data_at: u64,
}

impl Blocks {
    pub(super) fn piece(&self, runs: &Runs, piece: u64) -> Vec<u8> {
        let first = piece * (TABLE_PIECE_BYTES / 8);
        (first..first + TABLE_PIECE_BYTES / 8)
            .flat_map(|index| self.entry(runs, index).to_le_bytes())
            .collect()
    }

    /// Between chunks of payload blocks stands an entry for a sector bitmap, which only disks with a
    /// parent have.
    fn entry(&self, runs: &Runs, index: u64) -> u64 {
        let (chunk, place) = (index / (self.chunk_blocks + 1), index % (self.chunk_blocks + 1));
        let block = chunk * self.chunk_blocks + place;
        if place == self.chunk_blocks || block >= self.blocks {
            return 0;
        }
        match runs.rank(block) {
            Some(rank) => (self.data_at + rank * self.block_bytes) | STATE_PRESENT,
            None => STATE_ZERO,
        }
    }
}
