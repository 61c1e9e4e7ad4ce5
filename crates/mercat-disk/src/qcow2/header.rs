//! The header and its extensions: what they may say, and what makes a disk unreadable here.

use crate::ReadError;
use crate::fields::{be32, be64, read_structure};
use crate::{ReadAt, check_size};

const HEADER_2_BYTES: u64 = 72;
const HEADER_3_BYTES: u64 = 104;
const CLUSTER_BITS: std::ops::RangeInclusive<u32> = 9..=21;
const REFCOUNT_ORDER_MAX: u32 = 6;

const DIRTY: u64 = 1;
const CORRUPT: u64 = 1 << 1;
const DATA_FILE: u64 = 1 << 2;
const COMPRESSION: u64 = 1 << 3;
const EXTENDED_L2: u64 = 1 << 4;

const EXTENSION_END: u32 = 0;
const EXTENSION_BACKING_FORMAT: u32 = 0xe279_2aca;
const EXTENSION_FEATURE_NAMES: u32 = 0x6803_f857;
const EXTENSION_BITMAPS: u32 = 0x2385_2875;
const EXTENSION_ENCRYPTION: u32 = 0x0537_be77;
const EXTENSION_DATA_FILE: u32 = 0x4441_5441;

pub(super) struct Header {
    pub(super) version: u32,
    pub(super) cluster_bits: u32,
    pub(super) virtual_bytes: u64,
    pub(super) l1_entries: u64,
    pub(super) l1_at: u64,
    pub(super) refcounts_at: u64,
    pub(super) refcount_clusters: u64,
    pub(super) zstd: bool,
}

fn refused<T>(code: &'static str, at: u64, what: impl Into<String>) -> Result<T, ReadError> {
    Err(ReadError::refused(code, at, what))
}

impl Header {
    pub(super) fn cluster_bytes(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Bytes of the disk under one L2 table.
    pub(super) fn reach_bytes(&self) -> u64 {
        1 << (2 * self.cluster_bits - 3)
    }

    pub(super) fn read(file: &dyn ReadAt) -> Result<Self, ReadError> {
        let start = read_structure(file, 0, HEADER_2_BYTES, "qcow2 header")?;
        let version = be32(&start, 4);
        if !(2..=3).contains(&version) {
            return refused("QCW-01", 4, format!("version {version}"));
        }
        let header = Self {
            version,
            cluster_bits: be32(&start, 20),
            virtual_bytes: be64(&start, 24),
            l1_entries: u64::from(be32(&start, 36)),
            l1_at: be64(&start, 40),
            refcounts_at: be64(&start, 48),
            refcount_clusters: u64::from(be32(&start, 56)),
            zstd: false,
        };
        if be64(&start, 8) != 0 || be32(&start, 16) != 0 {
            return refused("QCW-02", 8, "a backing file");
        }
        if be32(&start, 32) != 0 {
            return refused("QCW-20", 32, format!("encryption method {}", be32(&start, 32)));
        }
        if !CLUSTER_BITS.contains(&header.cluster_bits) {
            return refused("QCW-08", 20, format!("clusters of 2^{} bytes", header.cluster_bits));
        }
        check_size(header.virtual_bytes, 24)?;
        if be32(&start, 60) != 0 {
            return refused("QCW-16", 60, format!("{} internal snapshots", be32(&start, 60)));
        }
        header.read_rest(file)
    }

    /// What only version 3 has, and the extensions of both.
    fn read_rest(mut self, file: &dyn ReadAt) -> Result<Self, ReadError> {
        let cluster = self.cluster_bytes();
        let mut length = HEADER_2_BYTES;
        if self.version == 3 {
            let bytes = read_structure(file, 0, HEADER_3_BYTES, "qcow2 header")?;
            check_features(be64(&bytes, 72))?;
            if be64(&bytes, 88) != 0 {
                return refused("QCW-17", 88, format!("autoclear feature bits {:#x}", be64(&bytes, 88)));
            }
            if be32(&bytes, 96) > REFCOUNT_ORDER_MAX {
                return refused("QCW-08", 96, format!("refcounts of 2^{} bits", be32(&bytes, 96)));
            }
            length = u64::from(be32(&bytes, 100));
            if length < HEADER_3_BYTES || !length.is_multiple_of(8) || length > cluster {
                return refused("QCW-07", 100, format!("a header of {length} bytes"));
            }
            self.zstd = compression(file, length, be64(&bytes, 72) & COMPRESSION != 0)?;
        }
        check_extensions(file, length, cluster)?;
        Ok(self)
    }
}

fn check_features(incompatible: u64) -> Result<(), ReadError> {
    let set = |bits| incompatible & bits != 0;
    if set(DATA_FILE) {
        return refused("QCW-03", 72, "the data is in another file");
    }
    if set(DIRTY | CORRUPT) {
        return refused("QCW-05", 72, "marked dirty or corrupt");
    }
    if set(EXTENDED_L2) {
        return refused("QCW-06", 72, "extended L2 entries");
    }
    if set(!COMPRESSION) {
        return refused("QCW-04", 72, format!("incompatible feature bits {incompatible:#x}"));
    }
    Ok(())
}

/// Whether clusters are packed with zstd.
fn compression(file: &dyn ReadAt, header_bytes: u64, stated: bool) -> Result<bool, ReadError> {
    let kind = match header_bytes > HEADER_3_BYTES {
        true => read_structure(file, HEADER_3_BYTES, 1, "qcow2 header")?.first().copied().unwrap_or(0),
        false => 0,
    };
    match (stated, kind) {
        (false, 0) => Ok(false),
        (true, 1) => Ok(true),
        _ => refused("QCW-09", HEADER_3_BYTES, format!("compression type {kind}")),
    }
}

fn check_extensions(file: &dyn ReadAt, start: u64, end: u64) -> Result<(), ReadError> {
    let area = read_structure(file, 0, end.min(file.size()), "qcow2 header cluster")?;
    let mut at = usize::try_from(start).unwrap_or(usize::MAX);
    while let Some(head) = area.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let (kind, length) = (be32(head, 0), be32(head, 4));
        let place = at as u64;
        match kind {
            EXTENSION_END => return Ok(()),
            EXTENSION_FEATURE_NAMES => {}
            EXTENSION_BACKING_FORMAT => return refused("QCW-02", place, "a backing file format"),
            EXTENSION_DATA_FILE => return refused("QCW-03", place, "the name of an external data file"),
            EXTENSION_BITMAPS => return refused("QCW-17", place, "bitmaps"),
            EXTENSION_ENCRYPTION => return refused("QCW-20", place, "an encryption header"),
            other => return refused("QCW-21", place, format!("header extension {other:#010x}")),
        }
        let padded = usize::try_from(length).ok().and_then(|length| length.checked_next_multiple_of(8));
        let next = padded.and_then(|length| length.checked_add(at + 8)).filter(|next| *next <= area.len());
        let Some(next) = next else {
            return refused("QCW-07", place, format!("a header extension of {length} bytes"));
        };
        at = next;
    }
    Ok(())
}
