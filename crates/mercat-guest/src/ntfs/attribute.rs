//! Attributes: in one record or in pieces over several, with their content inside or in runs.

use super::super::bytes::{byte, le16, le32, le64, part};
use super::super::source::{Run, push_run};
use super::record::Record;
use super::{ATTRIBUTE_LIST, Id, Ntfs};
use crate::ReadError;

const END: u32 = 0xffff_ffff;
/// Largest list, as Windows has it.
const LIST_BYTES_MAX: u64 = 256 << 10;
const RUNS_MAX: usize = 2_000_000;
/// Units of compression are 16 clusters.
const UNIT_MAX: u8 = 4;

/// What an attribute holds.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Bytes in the record.
    Resident(Vec<u8>),
    /// Runs on the volume, which go no further than what was initialized.
    Runs { runs: Vec<Run>, size: u64, initialized: u64 },
}

/// A whole attribute.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub(super) kind: u32,
    pub(super) name: String,
    pub(super) flags: u16,
    /// Clusters of a unit of compression, as a power of two.
    pub(super) unit: u8,
    pub(super) value: Value,
}

impl Attribute {
    pub(super) fn size(&self) -> u64 {
        match &self.value {
            Value::Resident(bytes) => bytes.len() as u64,
            Value::Runs { size, .. } => *size,
        }
    }
}

/// The part of an attribute that one record has.
pub(super) struct Piece {
    pub(super) kind: u32,
    pub(super) name: String,
    /// The first cluster that it maps.
    pub(super) lowest: u64,
    number: u16,
    flags: u16,
    at: u64,
    body: Body,
}

enum Body {
    Resident(Vec<u8>),
    Mapped { pairs: Vec<u8>, highest: u64, unit: u8, size: u64, initialized: u64 },
}

/// One line of an attribute list.
pub(super) struct ListEntry {
    pub(super) kind: u32,
    pub(super) name: String,
    pub(super) lowest: u64,
    pub(super) id: Id,
    number: u16,
}

pub(super) fn name(raw: &[u8]) -> String {
    let units: Vec<u16> = raw.chunks_exact(2).map(|unit| le16(unit, 0)).collect();
    String::from_utf16_lossy(&units)
}

/// The attributes in the body of a record.
pub(super) fn pieces(raw: &[u8], mut at: usize, place: u64) -> Result<Vec<Piece>, ReadError> {
    let refuse = |what: &str| Err(ReadError::refused("NTF-04", place, format!("an attribute {what}")));
    let mut pieces = Vec::new();
    while le32(raw, at) != END {
        let length = usize::try_from(le32(raw, at + 4)).unwrap_or(usize::MAX);
        let here = part(raw, at, length);
        if here.len() < 24 || !length.is_multiple_of(8) {
            return refuse(&format!("of {length} bytes that does not fit its record"));
        }
        let title = part(here, usize::from(le16(here, 10)), 2 * usize::from(byte(here, 9)));
        if title.len() != 2 * usize::from(byte(here, 9)) {
            return refuse("whose name does not fit");
        }
        let (body, lowest) = if byte(here, 8) == 0 {
            let size = usize::try_from(le32(here, 16)).unwrap_or(usize::MAX);
            let value = part(here, usize::from(le16(here, 20)), size);
            if value.len() != size {
                return refuse("whose value does not fit");
            }
            (Body::Resident(value.to_vec()), 0)
        } else {
            let pairs = here.get(usize::from(le16(here, 32))..).unwrap_or(&[]).to_vec();
            let unit = byte(here, 34);
            if here.len() < 64 || unit > UNIT_MAX {
                return refuse("with a head that is too short or a unit that is too large");
            }
            let (size, initialized) = (le64(here, 48), le64(here, 56));
            // Only the first piece has sizes.
            let first = le64(here, 16) == 0;
            if first && (i64::try_from(size).is_err() || initialized > size) {
                return refuse(&format!("of {size} bytes, {initialized} of them initialized"));
            }
            (Body::Mapped { pairs, highest: le64(here, 24), unit, size, initialized }, le64(here, 16))
        };
        pieces.push(Piece {
            kind: le32(here, 0),
            name: name(title),
            lowest,
            number: le16(here, 14),
            flags: le16(here, 12),
            at: place,
            body,
        });
        at += length;
    }
    Ok(pieces)
}

impl Ntfs {
    /// The runs of one piece. Pairs of a length and a distance to the run before, in as many bytes as
    /// the nibbles in front say; no distance at all is a hole.
    fn runs(&self, piece: &Piece, pairs: &[u8], highest: u64) -> Result<Vec<Run>, ReadError> {
        let refuse = |what: &str| {
            let what = format!("the runs of an attribute of type {:#x} {what}", piece.kind);
            ReadError::refused("NTF-05", piece.at, what)
        };
        let mut runs = Vec::new();
        let (mut at, mut cluster, mut previous) = (0, piece.lowest, 0_i64);
        while byte(pairs, at) != 0 {
            let (long, wide) = (usize::from(byte(pairs, at) & 15), usize::from(byte(pairs, at) >> 4));
            let (length, distance) = (part(pairs, at + 1, long), part(pairs, at + 1 + long, wide));
            if !(1..=8).contains(&length.len()) || distance.len() != wide || wide > 8 {
                return Err(refuse("have numbers that do not fit"));
            }
            at += 1 + long + wide;
            let count = u64::try_from(signed(length)).unwrap_or(0);
            let next = cluster.checked_add(count).filter(|next| *next <= 1 << 51 && count > 0);
            let next = next.ok_or_else(|| refuse(&format!("have one of {} clusters", signed(length))))?;
            if wide > 0 {
                previous = previous.wrapping_add(signed(distance));
                let first = u64::try_from(previous).ok();
                let first =
                    first.filter(|first| first.checked_add(count).is_some_and(|end| end <= self.clusters));
                let first =
                    first.ok_or_else(|| refuse(&format!("leave the volume at cluster {previous}")))?;
                let size = self.cluster_bytes;
                let run = Run { at: cluster * size, length: count * size, from: first * size };
                push_run(&mut runs, run);
            }
            if runs.len() > RUNS_MAX {
                return Err(refuse(&format!("are more than {RUNS_MAX}")));
            }
            cluster = next;
        }
        if at >= pairs.len() || cluster != highest.wrapping_add(1) {
            return Err(refuse(&format!("end with cluster {cluster}, not behind {highest}")));
        }
        Ok(runs)
    }

    /// The value of one piece, as far as that has it.
    pub(super) fn value(&self, piece: &Piece) -> Result<Value, ReadError> {
        match &piece.body {
            Body::Resident(bytes) => Ok(Value::Resident(bytes.clone())),
            Body::Mapped { pairs, highest, size, initialized, .. } => {
                let mut runs = self.runs(piece, pairs, *highest)?;
                // Windows gives zeros behind what was initialized; compressed units are read whole.
                let whole = piece.flags & super::COMPRESSED != 0;
                let initialized = if whole { u64::MAX } else { *initialized };
                if piece.lowest == 0 {
                    cut(&mut runs, initialized);
                }
                Ok(Value::Runs { runs, size: *size, initialized })
            }
        }
    }

    /// All attributes of a file, put together.
    pub(super) fn attributes(&self, id: Id, record: &Record) -> Result<Vec<Attribute>, ReadError> {
        let entries = self.list_entries(id, record)?;
        let mut found: Vec<Attribute> = Vec::new();
        if entries.is_empty() {
            for piece in record.pieces.iter().filter(|piece| piece.kind != ATTRIBUTE_LIST) {
                self.join(&mut found, piece)?;
            }
            return Ok(found);
        }
        let mut loaded: Option<(u64, Record)> = None;
        for entry in entries {
            let holder = if entry.id.record == id.record {
                record
            } else {
                if loaded.as_ref().is_none_or(|(number, _)| *number != entry.id.record) {
                    loaded = Some((entry.id.record, self.record(entry.id)?));
                }
                match &loaded {
                    Some((_, holder)) if holder.base == id.record => holder,
                    _ => return Err(list_refused(record.at, "names a record of another file")),
                }
            };
            let piece = holder.pieces.iter().find(|piece| {
                (piece.kind, piece.number, piece.lowest) == (entry.kind, entry.number, entry.lowest)
                    && piece.name == entry.name
            });
            let missing = || list_refused(record.at, "names an attribute that is not there");
            self.join(&mut found, piece.ok_or_else(missing)?)?;
        }
        Ok(found)
    }

    /// Adds a piece to what its attribute has so far.
    fn join(&self, found: &mut Vec<Attribute>, piece: &Piece) -> Result<(), ReadError> {
        let value = self.value(piece)?;
        let refuse = |what: &str| {
            let what = format!("the attribute of type {:#x} named {:?} {what}", piece.kind, piece.name);
            Err(ReadError::refused("NTF-04", piece.at, what))
        };
        let last = found.iter_mut().find(|one| one.kind == piece.kind && one.name == piece.name);
        match (last, value) {
            (None, value) if piece.lowest == 0 => {
                let unit = match &piece.body {
                    Body::Mapped { unit, .. } => *unit,
                    Body::Resident(_) => 0,
                };
                let (kind, name, flags) = (piece.kind, piece.name.clone(), piece.flags);
                found.push(Attribute { kind, name, flags, unit, value });
                Ok(())
            }
            // Names of a file are attributes that there may be several of.
            (Some(_), Value::Resident(_)) if piece.kind == 0x30 => Ok(()),
            (
                Some(Attribute { value: Value::Runs { runs, initialized, .. }, .. }),
                Value::Runs { runs: more, .. },
            ) if piece.lowest > 0 => {
                let end = runs.last().map_or(0, |run| run.at + run.length);
                if more.first().is_some_and(|run| run.at < end) {
                    return refuse("has pieces that overlap");
                }
                runs.extend(more);
                cut(runs, *initialized);
                Ok(())
            }
            _ => refuse("comes twice or without its beginning"),
        }
    }

    /// The lines of an attribute list; none when all attributes are in the record.
    pub(super) fn list_entries(&self, id: Id, record: &Record) -> Result<Vec<ListEntry>, ReadError> {
        let Some(list) = record.pieces.iter().find(|piece| piece.kind == ATTRIBUTE_LIST) else {
            return Ok(Vec::new());
        };
        let raw = match self.value(list)? {
            Value::Resident(bytes) => bytes,
            Value::Runs { runs, size, .. } => {
                super::Content::new(&self.source, runs, size).all(LIST_BYTES_MAX)?
            }
        };
        let mut entries = Vec::new();
        let mut at = 0;
        while at < raw.len() {
            let length = usize::from(le16(&raw, at + 4));
            let here = part(&raw, at, length);
            let title = part(here, usize::from(byte(here, 7)), 2 * usize::from(byte(here, 6)));
            if here.len() < 26 || title.len() != 2 * usize::from(byte(here, 6)) {
                let what = format!("of record {} has a line of {length} bytes", id.record);
                return Err(list_refused(record.at, &what));
            }
            entries.push(ListEntry {
                kind: le32(here, 0),
                name: name(title),
                lowest: le64(here, 8),
                id: Id::of(le64(here, 16)),
                number: le16(here, 24),
            });
            at += length;
        }
        Ok(entries)
    }
}

fn list_refused(at: u64, what: &str) -> ReadError {
    ReadError::refused("NTF-06", at, format!("an attribute list {what}"))
}

/// A little-endian number of up to eight bytes with a sign.
fn signed(bytes: &[u8]) -> i64 {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let start = if negative { -1 } else { 0 };
    bytes.iter().rev().fold(start, |number, byte| number << 8 | i64::from(*byte))
}

/// Leaves out of the runs what lies behind a place.
fn cut(runs: &mut Vec<Run>, end: u64) {
    runs.retain(|run| run.at < end);
    if let Some(last) = runs.last_mut() {
        last.length = last.length.min(end - last.at);
    }
}
