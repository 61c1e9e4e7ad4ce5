//! Headers and region tables: both are there twice.

use super::format::{
    CHECKSUM_AT, HEADER_AT, HEADER_BYTES, MIB, REGION_BLOCKS, REGION_METADATA, REGION_TABLE_AT,
    REGION_TABLE_BYTES,
};
use crate::ReadAt;
use crate::ReadError;
use crate::checksum::crc32c;
use crate::fields::{le16, le32, le64, read_structure};
use crate::mapped::Claims;
use std::ops::Range;

const REGIONS_MAX: u32 = 2047;

/// Where the block allocation table and the metadata are.
pub(super) struct Regions {
    pub(super) table: Range<u64>,
    pub(super) metadata: Range<u64>,
}

impl Regions {
    pub(super) fn read(file: &dyn ReadAt, claims: &mut Claims) -> Result<Self, ReadError> {
        if !claims.claim(0, MIB) {
            return Err(ReadError::refused("DSK-05", 0, "a VHDX file without its headers"));
        }
        let log = current_header(file)?;
        if log.end > log.start {
            claim(file, claims, &log, "the log")?;
        }
        let table = region_table(file)?;
        let count = le32(&table, 8);
        if count > REGIONS_MAX {
            return Err(ReadError::refused("VHX-07", REGION_TABLE_AT[0] + 8, format!("{count} regions")));
        }
        let (mut blocks, mut metadata) = (None, None);
        for index in 0..count as usize {
            let entry = &table[16 + index * 32..48 + index * 32];
            let range = le64(entry, 16)..le64(entry, 16).saturating_add(u64::from(le32(entry, 24)));
            let slot = match entry.first_chunk::<16>() {
                Some(&REGION_BLOCKS) => &mut blocks,
                Some(&REGION_METADATA) => &mut metadata,
                _ if le32(entry, 28) & 1 == 0 => {
                    claim(file, claims, &range, "a region")?;
                    continue;
                }
                _ => {
                    let at = REGION_TABLE_AT[0] + 16 + index as u64 * 32;
                    return Err(ReadError::refused("VHX-08", at, "a required region of an unknown kind"));
                }
            };
            claim(file, claims, &range, "a region")?;
            if slot.replace(range).is_some() {
                return Err(ReadError::refused("VHX-07", REGION_TABLE_AT[0], "a region is there twice"));
            }
        }
        match (blocks, metadata) {
            (Some(table), Some(metadata)) => Ok(Self { table, metadata }),
            _ => Err(ReadError::refused("VHX-07", REGION_TABLE_AT[0], "no block table or no metadata")),
        }
    }
}

fn claim(file: &dyn ReadAt, claims: &mut Claims, range: &Range<u64>, what: &str) -> Result<(), ReadError> {
    let aligned = range.start.is_multiple_of(MIB) && range.end.is_multiple_of(MIB);
    if !aligned || range.start == 0 || range.end <= range.start {
        return Err(ReadError::refused("VHX-07", range.start, format!("{what} at {range:x?}")));
    }
    if range.end > file.size() {
        let what = format!("{what} ends behind the {} bytes of the file", file.size());
        return Err(ReadError::refused("DSK-05", range.start, what));
    }
    if claims.claim(range.start, range.end - range.start) {
        return Ok(());
    }
    Err(ReadError::refused("VHX-15", range.start, format!("{what} in a place that is in use")))
}

/// A structure with its signature and a right CRC-32C.
fn sealed(file: &dyn ReadAt, at: u64, bytes: u64, magic: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
    let bytes = read_structure(file, at, bytes, "VHDX header")?;
    let right = bytes.starts_with(magic) && le32(&bytes, CHECKSUM_AT) == crc32c(&bytes, CHECKSUM_AT);
    Ok(right.then_some(bytes))
}

/// The place of the log, from the valid header with the higher sequence number.
fn current_header(file: &dyn ReadAt) -> Result<Range<u64>, ReadError> {
    let first = sealed(file, HEADER_AT[0], HEADER_BYTES, b"head")?;
    let second = sealed(file, HEADER_AT[1], HEADER_BYTES, b"head")?;
    let sequence = |header: &[u8]| le64(header, 8);
    let (at, header) = match (first, second) {
        (Some(first), Some(second)) if sequence(&first) == sequence(&second) && first != second => {
            return Err(ReadError::refused("VHX-02", HEADER_AT[1], "two headers with one sequence number"));
        }
        (Some(first), Some(second)) if sequence(&second) > sequence(&first) => (HEADER_AT[1], second),
        (Some(first), _) => (HEADER_AT[0], first),
        (None, Some(second)) => (HEADER_AT[1], second),
        (None, None) => {
            return Err(ReadError::refused("VHX-01", HEADER_AT[0], "no header with a right checksum"));
        }
    };
    let (log_version, version) = (le16(&header, 64), le16(&header, 66));
    if log_version != 0 || version != 1 {
        let what = format!("version {version}, log version {log_version}");
        return Err(ReadError::refused("VHX-03", at + 64, what));
    }
    if header[48..64].iter().any(|byte| *byte != 0) {
        return Err(ReadError::refused("VHX-04", at + 48, "a log that must be replayed"));
    }
    let start = le64(&header, 72);
    Ok(start..start.saturating_add(u64::from(le32(&header, 68))))
}

fn region_table(file: &dyn ReadAt) -> Result<Vec<u8>, ReadError> {
    let first = sealed(file, REGION_TABLE_AT[0], REGION_TABLE_BYTES, b"regi")?;
    let second = sealed(file, REGION_TABLE_AT[1], REGION_TABLE_BYTES, b"regi")?;
    match (first, second) {
        (Some(first), Some(second)) if first != second => {
            Err(ReadError::refused("VHX-06", REGION_TABLE_AT[1], "the region tables differ"))
        }
        (Some(table), _) | (None, Some(table)) => Ok(table),
        (None, None) => {
            Err(ReadError::refused("VHX-05", REGION_TABLE_AT[0], "no region table with a right checksum"))
        }
    }
}
