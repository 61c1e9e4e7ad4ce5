//! Records of the master file table.

use super::super::bytes::{le16, le32, le64, part};
use super::super::source::Run;
use super::attribute::{Piece, Value};
use super::{DATA, Id, Ntfs};
use crate::ReadError;

/// The bytes that a check value guards.
const STRIDE: usize = 512;
const IN_USE: u16 = 1;
const DIRECTORY: u16 = 2;

/// A record that was checked.
pub(super) struct Record {
    pub(super) at: u64,
    pub(super) is_directory: bool,
    /// The record that this one continues, if any.
    pub(super) base: u64,
    pub(super) pieces: Vec<Piece>,
}

/// Puts back the last bytes of every stride, which a check value replaced when it was written.
pub(super) fn fix(raw: &mut [u8], at: u64) -> Result<(), ReadError> {
    let (from, count) = (usize::from(le16(raw, 4)), usize::from(le16(raw, 6)));
    let strides = raw.len() / STRIDE;
    let refuse = |what: &str| Err(ReadError::refused("NTF-02", at, format!("a record {what}")));
    let saved = part(raw, from, 2 * count).to_vec();
    if count != strides + 1 || saved.len() != 2 * count || from + saved.len() > STRIDE - 2 {
        return refuse(&format!("with {count} check values at {from}"));
    }
    for (stride, chunk) in raw.chunks_exact_mut(STRIDE).enumerate() {
        let tail = &mut chunk[STRIDE - 2..];
        if tail != part(&saved, 0, 2) {
            return refuse(&format!("whose stride {stride} was not written with the rest"));
        }
        tail.copy_from_slice(part(&saved, 2 * (stride + 1), 2));
    }
    Ok(())
}

impl Ntfs {
    /// Loads a record that something names.
    pub(super) fn record(&self, id: Id) -> Result<Record, ReadError> {
        let refuse = |code, at, what: String| {
            Err(ReadError::refused(code, at, format!("file record {} {what}", id.record)))
        };
        let bytes = self.record_bytes as u64;
        let place = id.record.checked_mul(bytes).filter(|at| at.saturating_add(bytes) <= self.table_bytes);
        let Some(place) = place else { return refuse("NTF-03", 0, "does not exist".to_owned()) };
        let mut raw = vec![0; self.record_bytes];
        let at = self.read_table(place, &mut raw)?;
        if !raw.starts_with(b"FILE") {
            return refuse("NTF-02", at, "has no magic".to_owned());
        }
        fix(&mut raw, at)?;
        let flags = le16(&raw, 22);
        if flags & IN_USE == 0 {
            return refuse("NTF-03", at, "is named, but deleted".to_owned());
        }
        if id.sequence != 0 && le16(&raw, 16) != id.sequence {
            return refuse("NTF-03", at, "was deleted and used again".to_owned());
        }
        let used = usize::try_from(le32(&raw, 24)).unwrap_or(usize::MAX);
        let Some(body) = raw.get(..used) else {
            return refuse("NTF-02", at, format!("has {used} bytes"));
        };
        let pieces = super::attribute::pieces(body, usize::from(le16(&raw, 20)), at)?;
        let base = Id::of(le64(&raw, 32)).record;
        Ok(Record { at, is_directory: flags & DIRECTORY != 0, base, pieces })
    }

    /// Fills the buffer from a place in the table; gives the place of its first byte on the volume.
    fn read_table(&self, place: u64, raw: &mut [u8]) -> Result<u64, ReadError> {
        let first = self.table.partition_point(|run| run.at + run.length <= place);
        let (mut done, mut found) = (0, None);
        for run in self.table.iter().skip(first) {
            let here = place + done as u64;
            if here < run.at || done == raw.len() {
                break;
            }
            let at = run.from + (here - run.at);
            let left = usize::try_from(run.at + run.length - here).unwrap_or(usize::MAX);
            let count = left.min(raw.len() - done);
            self.source.read(at, &mut raw[done..done + count])?;
            found.get_or_insert(at);
            done += count;
        }
        let whole = found.filter(|_| done == raw.len());
        whole.ok_or_else(|| {
            ReadError::refused("NTF-12", 0, format!("the file table has a hole at byte {place}"))
        })
    }

    /// Finds the whole table: its first record says where the others are, perhaps with the help of
    /// records that are in the part which is known by then.
    pub(super) fn find_table(&mut self) -> Result<(), ReadError> {
        let id = Id { record: 0, sequence: 0 };
        let record = self.record(id)?;
        let refuse = |what: &str| ReadError::refused("NTF-12", record.at, format!("the file table {what}"));
        let first = record.pieces.iter().find(|piece| piece.kind == DATA && piece.name.is_empty());
        let first = first.ok_or_else(|| refuse("has no content"))?;
        let (runs, size) = self.table_part(first).ok_or_else(|| refuse("has its content inside"))??;
        let known = |runs: &[Run]| runs.last().map_or(0, |run| run.at + run.length);
        let whole = size.ok_or_else(|| refuse("does not say its size"))?;
        self.table_bytes = known(&runs).min(whole);
        self.table = runs;
        for entry in self.list_entries(id, &record)? {
            if entry.kind != DATA || entry.lowest == 0 || !entry.name.is_empty() {
                continue;
            }
            let more = self.record(entry.id)?;
            let found = more.pieces.iter().find(|piece| piece.kind == DATA && piece.lowest == entry.lowest);
            let found = found.ok_or_else(|| refuse("misses a part"))?;
            let (runs, _) = self.table_part(found).ok_or_else(|| refuse("has its content inside"))??;
            let joins = runs.first().is_some_and(|run| run.at == known(&self.table));
            if !joins {
                return Err(refuse("has parts that do not follow each other"));
            }
            self.table.extend(runs);
            self.table_bytes = known(&self.table).min(whole);
        }
        if self.table_bytes < whole || self.table.is_empty() {
            return Err(refuse("is shorter than its size"));
        }
        Ok(())
    }

    #[expect(clippy::type_complexity, reason = "runs and the size that only the first part has")]
    fn table_part(&self, piece: &Piece) -> Option<Result<(Vec<Run>, Option<u64>), ReadError>> {
        match self.value(piece) {
            Ok(Value::Runs { runs, size, initialized }) => {
                Some(Ok((runs, (piece.lowest == 0).then_some(size.min(initialized)))))
            }
            Ok(Value::Resident(_)) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
