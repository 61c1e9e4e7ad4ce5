//! qcow2, versions 2 and 3 (QEMU `docs/interop/qcow2.rst`).

mod header;
mod table;

use super::mapped::{Cache, Claims, Map, Mapped, Place, Run};
use super::unpack::{Packing, Unpacker};
use super::{ReadAt, fields};
use crate::ReadError;
use header::Header;
use std::sync::Arc;
use table::Entry;

/// L1 tables and refcount tables of more bytes are refused.
const TABLE_BYTES_MAX: u64 = 32 << 20;

pub(super) struct Qcow2 {
    file: Arc<dyn ReadAt>,
    header: Header,
    /// Offset of each L2 table; 0 where there is none.
    l1: Vec<u64>,
    tables: Cache,
    unpacked: Cache,
    unpacker: Unpacker,
}

/// The disk and its allocated bytes.
pub(super) fn open(file: Arc<dyn ReadAt>) -> Result<(Mapped<Qcow2>, u64), ReadError> {
    let header = Header::read(&file)?;
    let cluster = header.cluster_bytes();
    let packing = if header.zstd { Packing::Zstd } else { Packing::Deflate };
    let mut claims = Claims::new(file.size(), cluster)
        .ok_or_else(|| ReadError::refused("QCW-22", 20, "more clusters than are checked for overlaps"))?;
    claims.claim(0, cluster);
    let l1 = table::read_l1(&file, &header, &mut claims)?;
    table::claim_refcounts(&file, &header, &mut claims)?;
    let mapped_bytes = table::check_l2(&file, &header, &l1, &mut claims)?;
    let map = Qcow2 {
        file: Arc::clone(&file),
        l1,
        tables: Cache::for_blocks_of(cluster),
        unpacked: Cache::for_blocks_of(cluster),
        unpacker: Unpacker::new(packing),
        header,
    };
    Ok((Mapped { file, size: map.header.virtual_bytes, map }, mapped_bytes))
}

/// The code of two users of one cluster.
fn overlap(host: u64, what: &str) -> ReadError {
    ReadError::refused("QCW-13", host, format!("{what} in a cluster that is in use"))
}

impl Qcow2 {
    /// Offset of the L2 table over an offset of the disk, and the index in it.
    fn place(&self, offset: u64) -> (usize, usize) {
        let cluster = offset >> self.header.cluster_bits;
        let entry_bits = self.header.cluster_bits - 3;
        let index = usize::try_from(cluster >> entry_bits).unwrap_or(usize::MAX);
        (index, usize::try_from(cluster & ((1 << entry_bits) - 1)).unwrap_or(usize::MAX))
    }

    fn table(&self, at: u64) -> Result<Arc<[u8]>, ReadError> {
        let bytes = self.header.cluster_bytes();
        self.tables.get(at, || Ok(fields::read_structure(&self.file, at, bytes, "L2 table")?.into()))
    }

    /// Bytes from an offset to the end of the L2 table's reach, and of empty reaches behind it.
    fn empty(&self, index: usize, offset: u64, wanted: u64) -> u64 {
        let reach = self.header.reach_bytes();
        let wanted_tables = usize::try_from(wanted / reach).unwrap_or(usize::MAX);
        let next = self.l1.iter().skip(index + 1).take(wanted_tables.saturating_add(1));
        let more = next.take_while(|table| **table == 0).count() as u64;
        wanted.min((reach - offset % reach).saturating_add(more.saturating_mul(reach)))
    }

    fn unpack(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let (index, at) = self.place(offset);
        let table = self.table(self.l1.get(index).copied().unwrap_or(0))?;
        let entry = table::entry(&table, at).and_then(|raw| Entry::parse(raw, &self.header));
        let Some(Entry::Packed { host, bytes }) = entry else {
            return Err(ReadError::refused("QCW-12", offset, "the L2 table changed while it was read"));
        };
        // The last sector of the packed bytes may reach behind the end of the file.
        let bytes = bytes.min(self.file.size().saturating_sub(host));
        let length = usize::try_from(bytes).unwrap_or(0);
        let fill = |packed: &mut [u8]| self.file.read_at(host, packed);
        let unpacked = self.unpacker.unpack(length, fill, buffer)?;
        match unpacked {
            Some(unpacked) if unpacked.written == buffer.len() => Ok(()),
            _ => Err(ReadError::refused(
                "QCW-18",
                host,
                "a packed cluster that does not unpack to one cluster",
            )),
        }
    }
}

impl Map for Qcow2 {
    fn run(&self, offset: u64, wanted: u64) -> Result<Run, ReadError> {
        let (index, at) = self.place(offset);
        let table_at = self.l1.get(index).copied().unwrap_or(0);
        if table_at == 0 {
            return Ok(Run { place: Place::Zero, bytes: self.empty(index, offset, wanted) });
        }
        let table = self.table(table_at)?;
        let cluster = self.header.cluster_bytes();
        let within = offset % cluster;
        let place = |at: usize| {
            let raw = table::entry(&table, at);
            let entry = raw.and_then(|raw| Entry::parse(raw, &self.header));
            entry.map(Entry::place).ok_or_else(|| table::bad_entry(table_at, at, raw))
        };
        let first = place(at)?;
        let mut bytes = cluster - within;
        let entries = table.len() / 8;
        for next in at + 1..entries {
            if bytes >= wanted || first == Place::Own {
                break;
            }
            let goes_on = match first {
                Place::At(host) => Place::At(host.saturating_add(bytes + within)),
                other => other,
            };
            if place(next)? != goes_on {
                break;
            }
            bytes += cluster;
        }
        let place = match first {
            Place::At(host) => Place::At(host.saturating_add(within)),
            other => other,
        };
        Ok(Run { place, bytes: bytes.min(wanted) })
    }

    fn read_own(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let cluster = self.header.cluster_bytes();
        if buffer.len() as u64 == cluster {
            return self.unpack(offset, buffer);
        }
        let start = offset - offset % cluster;
        let whole = self.unpacked.get(start, || {
            let mut whole = vec![0; usize::try_from(cluster).unwrap_or(0)];
            self.unpack(start, &mut whole)?;
            Ok(whole.into())
        })?;
        let within = usize::try_from(offset % cluster).unwrap_or(0);
        match whole.get(within..within + buffer.len()) {
            Some(part) => buffer.copy_from_slice(part),
            None => return Err(super::past_the_end(offset, buffer.len())),
        }
        Ok(())
    }
}
