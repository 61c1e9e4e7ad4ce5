//! Refcount, L1 and L2 tables. No cluster of the file has two users.

use super::{Header, TABLE_BYTES_MAX, overlap};
use crate::ReadAt;
use crate::ReadError;
use crate::fields::{be64, read_structure};
use crate::mapped::{Claims, Place};

const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
const ZERO: u64 = 1;

/// What an L2 entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// Never written.
    Empty,
    /// Zeros; a cluster may be reserved for it.
    Zero { host: u64 },
    /// A cluster.
    Data { host: u64 },
    /// Packed bytes, up to the end of their last sector.
    Packed { host: u64, bytes: u64 },
}

impl Entry {
    /// `None` when reserved bits are set or the offset is not a cluster's.
    pub(super) fn parse(raw: u64, header: &Header) -> Option<Self> {
        if raw & COMPRESSED != 0 {
            let offset_bits = 62 - (header.cluster_bits - 8);
            let host = raw & ((1 << offset_bits) - 1);
            let sectors = ((raw & (COMPRESSED - 1)) >> offset_bits) + 1;
            let right = raw & COPIED == 0 && host != 0;
            return right.then_some(Self::Packed { host, bytes: sectors * 512 - host % 512 });
        }
        let host = raw & OFFSET;
        let zero = raw & ZERO != 0;
        let reserved = raw & !(OFFSET | COPIED | ZERO) != 0 || (zero && header.version == 2);
        if reserved || !host.is_multiple_of(header.cluster_bytes()) || (host == 0 && raw & COPIED != 0) {
            return None;
        }
        Some(match (zero, host) {
            (true, host) => Self::Zero { host },
            (false, 0) => Self::Empty,
            (false, host) => Self::Data { host },
        })
    }

    pub(super) fn place(self) -> Place {
        match self {
            Self::Empty | Self::Zero { .. } => Place::Zero,
            Self::Data { host } => Place::At(host),
            Self::Packed { .. } => Place::Own,
        }
    }
}

pub(super) fn entry(table: &[u8], index: usize) -> Option<u64> {
    table.as_chunks().0.get(index).map(|raw| u64::from_be_bytes(*raw))
}

pub(super) fn bad_entry(table_at: u64, index: usize, raw: Option<u64>) -> ReadError {
    let at = table_at.saturating_add(index as u64 * 8);
    ReadError::refused("QCW-12", at, format!("L2 entry {:#018x}", raw.unwrap_or(0)))
}

fn claim(
    claims: &mut Claims,
    file: &dyn ReadAt,
    start: u64,
    bytes: u64,
    what: &str,
) -> Result<(), ReadError> {
    if start.checked_add(bytes).is_none_or(|end| end > file.size()) {
        return Err(ReadError::refused("QCW-14", start, format!("{what} behind the end of the file")));
    }
    if claims.claim(start, bytes) { Ok(()) } else { Err(overlap(start, what)) }
}

/// The refcounts themselves do not change what is read; their places must be their own.
pub(super) fn claim_refcounts(
    file: &dyn ReadAt,
    header: &Header,
    claims: &mut Claims,
) -> Result<(), ReadError> {
    let (at, cluster) = (header.refcounts_at, header.cluster_bytes());
    let bytes = header.refcount_clusters.saturating_mul(cluster);
    if at == 0 || !at.is_multiple_of(cluster) || bytes == 0 || bytes > TABLE_BYTES_MAX {
        return Err(ReadError::refused(
            "QCW-19",
            48,
            format!("a refcount table of {bytes} bytes at {at:#x}"),
        ));
    }
    claim(claims, file, at, bytes, "a refcount table")?;
    let table = read_structure(file, at, bytes, "refcount table")?;
    for (index, raw) in table.as_chunks().0.iter().enumerate() {
        let block = u64::from_be_bytes(*raw);
        if block == 0 {
            continue;
        }
        if !block.is_multiple_of(cluster) {
            let place = at + index as u64 * 8;
            return Err(ReadError::refused("QCW-19", place, format!("a refcount block at {block:#x}")));
        }
        claim(claims, file, block, cluster, "a refcount block")?;
    }
    Ok(())
}

/// The offset of each L2 table of the disk.
pub(super) fn read_l1(
    file: &dyn ReadAt,
    header: &Header,
    claims: &mut Claims,
) -> Result<Vec<u64>, ReadError> {
    let (at, cluster, entries) = (header.l1_at, header.cluster_bytes(), header.l1_entries);
    let needed = header.virtual_bytes.div_ceil(header.reach_bytes());
    if entries < needed || entries * 8 > TABLE_BYTES_MAX || at == 0 || !at.is_multiple_of(cluster) {
        let what = format!("an L1 table of {entries} entries at {at:#x} for {needed} L2 tables");
        return Err(ReadError::refused("QCW-10", 36, what));
    }
    claim(claims, file, at, entries * 8, "an L1 table")?;
    let bytes = read_structure(file, at, entries * 8, "L1 table")?;
    let mut l1 = Vec::with_capacity(bytes.len() / 8);
    for (index, raw) in bytes.as_chunks().0.iter().enumerate() {
        let raw = u64::from_be_bytes(*raw);
        let (table, place) = (raw & OFFSET, at + index as u64 * 8);
        if raw == 0 {
            l1.push(0);
            continue;
        }
        if index as u64 >= needed {
            return Err(ReadError::refused("QCW-15", place, "an L2 table behind the end of the disk"));
        }
        if raw & !(OFFSET | COPIED) != 0 || table == 0 || !table.is_multiple_of(cluster) {
            return Err(ReadError::refused("QCW-11", place, format!("L1 entry {raw:#018x}")));
        }
        claim(claims, file, table, cluster, "an L2 table")?;
        l1.push(table);
    }
    Ok(l1)
}

/// Looks at every L2 entry once; gives the bytes that are allocated.
pub(super) fn check_l2(
    file: &dyn ReadAt,
    header: &Header,
    l1: &[u64],
    claims: &mut Claims,
) -> Result<u64, ReadError> {
    let cluster = header.cluster_bytes();
    let mut shared = Claims::new(file.size(), cluster)
        .ok_or_else(|| ReadError::refused("QCW-22", 20, "more clusters than are checked for overlaps"))?;
    let mut table = vec![0; usize::try_from(cluster).unwrap_or(0)];
    let mut mapped_bytes = 0;
    for (index, at) in l1.iter().enumerate().filter(|(_, at)| **at != 0) {
        file.read_at(*at, &mut table)?;
        let first = index as u64 * header.reach_bytes();
        for slot in (0..table.len() / 8).filter(|slot| be64(&table, slot * 8) != 0) {
            let raw = be64(&table, slot * 8);
            let entry = Entry::parse(raw, header).ok_or_else(|| bad_entry(*at, slot, Some(raw)))?;
            let left = header.virtual_bytes.saturating_sub(first.saturating_add(slot as u64 * cluster));
            let bytes = left.min(cluster);
            if bytes == 0 {
                let place = at + slot as u64 * 8;
                return Err(ReadError::refused("QCW-15", place, "a cluster behind the end of the disk"));
            }
            if check_entry(file, entry, bytes, claims, &mut shared)? {
                mapped_bytes += bytes;
            }
        }
    }
    Ok(mapped_bytes)
}

/// Whether the entry has data. Packed clusters may share a cluster of the file with each other only.
fn check_entry(
    file: &dyn ReadAt,
    entry: Entry,
    bytes: u64,
    claims: &mut Claims,
    shared: &mut Claims,
) -> Result<bool, ReadError> {
    match entry {
        Entry::Empty | Entry::Zero { host: 0 } => Ok(false),
        Entry::Zero { host } | Entry::Data { host } => {
            if shared.touches(host, bytes) {
                return Err(overlap(host, "a cluster"));
            }
            claim(claims, file, host, bytes, "a cluster")?;
            Ok(matches!(entry, Entry::Data { .. }))
        }
        Entry::Packed { host, bytes } => {
            if host >= file.size() || host.saturating_add(bytes) > file.size().saturating_add(511) {
                return Err(ReadError::refused(
                    "QCW-14",
                    host,
                    "a packed cluster behind the end of the file",
                ));
            }
            let bytes = bytes.min(file.size() - host);
            if claims.touches(host, bytes) {
                return Err(overlap(host, "a packed cluster"));
            }
            shared.claim(host, bytes);
            Ok(true)
        }
    }
}
