//! qcow2 version 3: header, L1 table, refcount table and blocks, L2 tables, data; 64 KiB each.

use super::{Build, Content, Layout, Runs, Table};
use std::ops::Range;

const CLUSTER_BITS: u32 = 16;
const CLUSTER: u64 = 1 << CLUSTER_BITS;
const COPIED: u64 = 1 << 63;
/// Refcounts of 16 bits, which is 2 to the power of 4.
const REFCOUNT_ORDER: u32 = 4;
const REFCOUNTS_PER_BLOCK: u64 = CLUSTER / 2;
const ENTRIES: u64 = CLUSTER / 8;
const HEADER_BYTES: u32 = 112;

pub(super) fn version_3(virtual_bytes: u64, data: &[Range<u64>]) -> Layout {
    let runs = Runs::of(data, CLUSTER);
    let tables = l2_tables(&runs);
    let l1_entries = virtual_bytes.div_ceil(CLUSTER * ENTRIES);
    let l1_clusters = (l1_entries * 8).div_ceil(CLUSTER);
    let others = 1 + l1_clusters + tables.len() as u64 + runs.units();
    let (table_clusters, blocks) = refcount_clusters(others);
    let clusters = others + table_clusters + blocks;
    let table_at = (1 + l1_clusters) * CLUSTER;
    let blocks_at = table_at + table_clusters * CLUSTER;
    let l2_at = blocks_at + blocks * CLUSTER;
    let data_at = l2_at + tables.len() as u64 * CLUSTER;

    let mut build = Build::default();
    build.bytes(header(virtual_bytes, l1_entries, table_at, table_clusters));
    build.zeros_to(CLUSTER);
    let mut l1 = vec![0; usize::try_from(l1_entries).unwrap_or(0)];
    for (rank, table) in tables.iter().enumerate() {
        l1[*table] = (l2_at + rank as u64 * CLUSTER) | COPIED;
    }
    build.bytes(big_endian(l1));
    build.zeros_to(table_at);
    build.bytes(big_endian((0..blocks).map(|block| blocks_at + block * CLUSTER)));
    build.zeros_to(blocks_at);
    build.push(Content::Table(Table::Refcounts { clusters }), blocks * CLUSTER);
    build.push(Content::Table(Table::L2 { data_at }), tables.len() as u64 * CLUSTER);
    for run in runs.iter() {
        build.data(data, run.unit * CLUSTER..(run.unit + run.units) * CLUSTER);
    }
    build.finish(virtual_bytes, runs.with_tables(tables))
}

fn big_endian(entries: impl IntoIterator<Item = u64>) -> Vec<u8> {
    entries.into_iter().flat_map(u64::to_be_bytes).collect()
}

/// The L2 tables that are needed, in order.
fn l2_tables(runs: &Runs) -> Vec<usize> {
    let mut tables: Vec<usize> = Vec::new();
    for run in runs.iter() {
        for table in run.unit / ENTRIES..=(run.unit + run.units - 1) / ENTRIES {
            let table = usize::try_from(table).unwrap_or(usize::MAX);
            if tables.last() != Some(&table) {
                tables.push(table);
            }
        }
    }
    tables
}

/// Clusters of the refcount table and of its blocks, which count themselves too.
fn refcount_clusters(others: u64) -> (u64, u64) {
    let (mut table, mut blocks) = (1, 1);
    loop {
        let needed = (others + table + blocks).div_ceil(REFCOUNTS_PER_BLOCK);
        let table_needed = (needed * 8).div_ceil(CLUSTER);
        if (table_needed, needed) == (table, blocks) {
            return (table, blocks);
        }
        (table, blocks) = (table_needed.max(table), needed.max(blocks));
    }
}

fn header(virtual_bytes: u64, l1_entries: u64, refcounts_at: u64, refcount_clusters: u64) -> Vec<u8> {
    let low = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = vec![0; 120];
    bytes[..4].copy_from_slice(b"QFI\xfb");
    bytes[4..8].copy_from_slice(&3_u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&CLUSTER_BITS.to_be_bytes());
    bytes[24..32].copy_from_slice(&virtual_bytes.to_be_bytes());
    bytes[36..40].copy_from_slice(&low(l1_entries));
    bytes[40..48].copy_from_slice(&CLUSTER.to_be_bytes());
    bytes[48..56].copy_from_slice(&refcounts_at.to_be_bytes());
    bytes[56..60].copy_from_slice(&low(refcount_clusters));
    bytes[96..100].copy_from_slice(&REFCOUNT_ORDER.to_be_bytes());
    // The header extensions begin and end behind it.
    bytes[100..104].copy_from_slice(&HEADER_BYTES.to_be_bytes());
    bytes
}

/// A refcount block: every cluster of the file is used once.
pub(super) fn refcount_block(clusters: u64, block: u64) -> Vec<u8> {
    let used = clusters.saturating_sub(block * REFCOUNTS_PER_BLOCK).min(REFCOUNTS_PER_BLOCK);
    (0..REFCOUNTS_PER_BLOCK).flat_map(|cluster| u16::from(cluster < used).to_be_bytes()).collect()
}

/// The L2 table of that rank.
pub(super) fn l2_table(runs: &Runs, data_at: u64, rank: u64) -> Vec<u8> {
    let mut entries = vec![0; ENTRIES as usize];
    let first = runs.table(rank) * ENTRIES;
    for run in runs.within(first..first + ENTRIES) {
        let (start, end) = (run.unit.max(first), (run.unit + run.units).min(first + ENTRIES));
        for unit in start..end {
            let slot = usize::try_from(unit - first).unwrap_or(0);
            entries[slot] = (data_at + (run.rank + unit - run.unit) * CLUSTER) | COPIED;
        }
    }
    big_endian(entries)
}
