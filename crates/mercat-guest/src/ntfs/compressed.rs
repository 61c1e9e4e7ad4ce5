//! Content that NTFS compressed (LZNT1), in units that are compressed, stored or empty each.

use super::super::bytes::{byte, le16, part};
use super::super::source::{Content, Run, Source};
use super::File;
use crate::ReadError;
use std::io::{self, Read};

const UNIT_BYTES_MAX: u64 = 1 << 20;
/// Bytes that one chunk gives.
const CHUNK: usize = 4096;

/// Reads unit by unit.
pub(super) struct Reader<'a> {
    source: &'a Source,
    runs: &'a [Run],
    size: u64,
    unit: u64,
    position: u64,
    current: Vec<u8>,
    record: u64,
    at: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        source: &'a Source,
        runs: &'a [Run],
        size: u64,
        unit: u64,
        file: &File,
    ) -> Result<Self, ReadError> {
        if unit > UNIT_BYTES_MAX {
            let what = format!("file record {} has units of {unit} bytes", file.record);
            return Err(ReadError::refused("NTF-08", file.at, what));
        }
        let (record, at) = (file.record, file.at);
        Ok(Self { source, runs, size, unit, position: 0, current: Vec::new(), record, at })
    }

    fn load(&mut self) -> Result<(), ReadError> {
        let (start, end) = (self.position, self.position + self.unit);
        let first = self.runs.partition_point(|run| run.at + run.length <= start);
        let mut inside = Vec::new();
        let mut stored = 0;
        for run in self.runs.iter().skip(first).take_while(|run| run.at < end) {
            let from = run.at.max(start);
            let length = (run.at + run.length).min(end) - from;
            let gap = from - start != stored;
            if gap {
                let what = format!("file record {} has a unit with a hole in front", self.record);
                return Err(ReadError::refused("NTF-08", self.at, what));
            }
            inside.push(Run { at: stored, length, from: run.from + (from - run.at) });
            stored += length;
        }
        let wanted = usize::try_from(self.unit.min(self.size - start)).unwrap_or(0);
        let raw = Content::new(self.source, inside, stored).all(UNIT_BYTES_MAX)?;
        self.current = if stored == self.unit {
            raw
        } else if stored == 0 {
            self.source.spend_zeros(wanted as u64)?;
            vec![0; wanted]
        } else {
            let unit = usize::try_from(self.unit).unwrap_or(0);
            let unpacked = unpack(&raw, unit).filter(|bytes| bytes.len() <= unit);
            let refuse = || {
                let what = format!("a unit of file record {} does not decompress", self.record);
                ReadError::refused("NTF-08", self.at, what)
            };
            unpacked.ok_or_else(refuse)?
        };
        self.current.resize(wanted, 0);
        Ok(())
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        let skip = self.position % self.unit;
        if skip == 0 {
            self.load()?;
        }
        let have = self.current.get(usize::try_from(skip).unwrap_or(0)..).unwrap_or(&[]);
        let count = have.len().min(buffer.len());
        buffer[..count].copy_from_slice(&have[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

/// LZNT1: chunks of literals and pairs of a distance and a length, whose widths depend on how far the
/// chunk has come.
fn unpack(raw: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0;
    while out.len() < limit {
        let header = le16(raw, at);
        if header == 0 {
            break;
        }
        let length = usize::from(header & 0xfff) + 1;
        let chunk = part(raw, at + 2, length);
        if chunk.len() != length {
            return None;
        }
        at += 2 + length;
        let start = out.len();
        if header & 0x8000 == 0 {
            out.extend_from_slice(chunk);
        } else {
            unpack_chunk(chunk, &mut out)?;
        }
        let full = out.len() - start;
        if full > CHUNK {
            return None;
        }
        // Every chunk but the last one gives 4096 bytes.
        if full < CHUNK && le16(raw, at) != 0 && out.len() < limit {
            out.resize(start + CHUNK, 0);
        }
    }
    Some(out)
}

fn unpack_chunk(chunk: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    let mut at = 0;
    while at < chunk.len() {
        let flags = byte(chunk, at);
        at += 1;
        for bit in 0..8 {
            if at >= chunk.len() {
                break;
            }
            if flags & 1 << bit == 0 {
                out.push(byte(chunk, at));
                at += 1;
                continue;
            }
            let done = out.len() - start;
            let pair = part(chunk, at, 2);
            if pair.is_empty() || done == 0 {
                return None;
            }
            at += 2;
            // As many bits for the distance as it takes to reach the start, at least four.
            let bits = (usize::BITS - (done - 1).leading_zeros()).max(4);
            let pair = usize::from(le16(pair, 0));
            let distance = (pair >> (16 - bits)) + 1;
            let length = (pair & ((1 << (16 - bits)) - 1)) + 3;
            if distance > done || done + length > CHUNK {
                return None;
            }
            for _ in 0..length {
                out.push(out[out.len() - distance]);
            }
        }
        if out.len() - start > CHUNK {
            return None;
        }
    }
    Some(())
}
