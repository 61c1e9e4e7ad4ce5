//! Writing disks in another format without a second copy: the bytes of the whole file are
//! described, and any range of them can be had.
//!
//! The same disk, target and identity give the same bytes: there is no clock and no randomness.

mod qcow2;
mod runs;
pub(crate) mod vhd;
mod vhdx;

use super::{Format, ReadAt, check_size, past_the_end};
use crate::ReadError;
use runs::Runs;
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::sync::Arc;

/// Generated tables come in pieces of this many bytes.
const TABLE_PIECE_BYTES: u64 = 64 << 10;

/// The formats that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// The disk's bytes.
    Raw,
    /// Fixed VHD, its size rounded up to 1 MiB.
    VhdFixed,
    /// Dynamic VHDX.
    Vhdx,
    /// qcow2 version 3 with clusters of 64 KiB.
    Qcow2,
}

impl Target {
    /// The format that a reader will see.
    pub fn format(self) -> Format {
        match self {
            Self::Raw => Format::Raw,
            Self::VhdFixed => Format::VhdFixed,
            Self::Vhdx => Format::Vhdx,
            Self::Qcow2 => Format::Qcow2,
        }
    }

    /// The target of a format's name, as [`Format::name`] gives it.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Raw, Self::VhdFixed, Self::Vhdx, Self::Qcow2]
            .into_iter()
            .find(|target| target.format().name() == name)
    }

    /// The usual extension of its files, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::VhdFixed => "vhd",
            Self::Vhdx => "vhdx",
            Self::Qcow2 => "qcow2",
        }
    }
}

/// Counts the ways in which [`layout`] writes files: digests that were told are those of one of them.
pub const LAYOUT_VERSION: u32 = 1;

/// The identity that [`layout`] puts into the files of a disk: the same disk gives the same files.
pub fn identity(disk: &mercat_domain::Digest) -> [u8; 16] {
    let mut out = [0; 16];
    let digits = disk.hex().as_bytes().chunks_exact(2);
    for (byte, digits) in out.iter_mut().zip(digits) {
        let text = std::str::from_utf8(digits).unwrap_or("0");
        *byte = u8::from_str_radix(text, 16).unwrap_or(0);
    }
    out
}

/// Consecutive bytes of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Bytes of the disk, from an offset on.
    Disk {
        /// Offset in the disk.
        offset: u64,
        /// Bytes.
        size: u64,
    },
    /// That many zeros.
    Zeros(u64),
}

impl Piece {
    /// Bytes of the file that the piece stands for.
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Disk { size, .. } => *size,
            Self::Zeros(size) => *size,
        }
    }
}

/// What the bytes of a segment are.
#[derive(Debug)]
enum Content {
    Bytes(Vec<u8>),
    Disk(u64),
    Zeros,
    /// Made from the runs when it is wanted.
    Table(Table),
}

/// Tables that grow with the disk.
#[derive(Debug, Clone, Copy)]
enum Table {
    Refcounts { clusters: u64 },
    L2 { data_at: u64 },
    Blocks(vhdx::Blocks),
}

#[derive(Debug)]
struct Segment {
    /// Offset in the file.
    start: u64,
    content: Content,
}

/// The bytes of a file, described.
#[derive(Debug)]
pub struct Layout {
    segments: Vec<Segment>,
    size: u64,
    virtual_bytes: u64,
    runs: Runs,
}

/// Describes a disk of `virtual_bytes` in a format. `data` are the ranges that may hold something
/// else than zeros, in rising order; [`data_ranges`] gives them. Identifiers in the file derive from
/// `identity`.
///
/// # Errors
/// `DSK-06` for a disk that is empty, over 64 TiB or not a multiple of 512 bytes; `DSK-09` for ranges
/// that are out of order, empty, or behind the end of the disk.
pub fn layout(
    target: Target,
    virtual_bytes: u64,
    data: &[Range<u64>],
    identity: [u8; 16],
) -> Result<Layout, ReadError> {
    check_size(virtual_bytes, 0)?;
    let mut end = 0;
    for range in data {
        if range.start < end || range.is_empty() || range.end > virtual_bytes {
            return Err(ReadError::refused("DSK-09", range.start, format!("data at {range:?} behind {end}")));
        }
        end = range.end;
    }
    Ok(match target {
        Target::Raw => {
            let mut build = Build::default();
            build.data(data, 0..virtual_bytes);
            build.finish(virtual_bytes, Runs::default())
        }
        Target::VhdFixed => vhd::fixed(virtual_bytes, data, identity),
        Target::Vhdx => vhdx::dynamic(virtual_bytes, data, identity),
        Target::Qcow2 => qcow2::version_3(virtual_bytes, data),
    })
}

/// Every range of a disk that may hold something else than zeros, as [`layout`] takes them.
///
/// # Errors
/// As [`ReadAt::next_data`].
pub fn data_ranges(disk: &dyn ReadAt) -> Result<Vec<Range<u64>>, ReadError> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let mut at = 0;
    while let Some(range) = disk.next_data(at)? {
        at = range.end;
        match ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range),
        }
    }
    Ok(ranges)
}

impl Layout {
    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of the disk in the file: what was asked for, rounded up where the format wants it.
    pub fn virtual_bytes(&self) -> u64 {
        self.virtual_bytes
    }

    /// The pieces of a range of the file, in order and without gaps. What lies behind the end of the
    /// file is left out. Pieces of the disk come in rising order; none of them is behind its end.
    pub fn pieces_in(&self, range: Range<u64>) -> impl Iterator<Item = Piece> + '_ {
        let index = self.segments.partition_point(|segment| segment.start <= range.start).saturating_sub(1);
        Pieces { layout: self, index, at: range.start, end: range.end.min(self.size) }
    }

    fn table_piece(&self, table: Table, piece: u64) -> Vec<u8> {
        match table {
            Table::Refcounts { clusters } => qcow2::refcount_block(clusters, piece),
            Table::L2 { data_at } => qcow2::l2_table(&self.runs, data_at, piece),
            Table::Blocks(blocks) => blocks.piece(&self.runs, piece),
        }
    }
}

struct Pieces<'a> {
    layout: &'a Layout,
    index: usize,
    at: u64,
    end: u64,
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if self.at >= self.end {
            return None;
        }
        let segment = self.layout.segments.get(self.index)?;
        let next = self.layout.segments.get(self.index + 1).map_or(self.layout.size, |next| next.start);
        let within = self.at - segment.start;
        let size = next.min(self.end) - self.at;
        let piece = match &segment.content {
            Content::Zeros => Piece::Zeros(size),
            Content::Disk(offset) => Piece::Disk { offset: offset + within, size },
            Content::Bytes(bytes) => Piece::Bytes(part(bytes, within, size)),
            Content::Table(table) => {
                let made = self.layout.table_piece(*table, within / TABLE_PIECE_BYTES);
                let within = within % TABLE_PIECE_BYTES;
                Piece::Bytes(part(&made, within, size.min(TABLE_PIECE_BYTES - within)))
            }
        };
        self.at += piece.size();
        self.index += usize::from(self.at == next);
        Some(piece)
    }
}

fn part(bytes: &[u8], start: u64, size: u64) -> Vec<u8> {
    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    bytes[index(start)..index(start.saturating_add(size))].to_vec()
}

/// Appends segments.
#[derive(Default)]
struct Build {
    segments: Vec<Segment>,
    at: u64,
}

impl Build {
    fn push(&mut self, content: Content, size: u64) {
        let goes_on = matches!(
            (&content, self.segments.last()),
            (Content::Zeros, Some(Segment { content: Content::Zeros, .. }))
        );
        if size > 0 && !goes_on {
            self.segments.push(Segment { start: self.at, content });
        }
        self.at += size;
    }

    fn bytes(&mut self, bytes: Vec<u8>) {
        let size = bytes.len() as u64;
        self.push(Content::Bytes(bytes), size);
    }

    /// Zeros up to an offset of the file.
    fn zeros_to(&mut self, offset: u64) {
        self.push(Content::Zeros, offset.saturating_sub(self.at));
    }

    /// A range of the disk: the data in it, and zeros between.
    fn data(&mut self, data: &[Range<u64>], range: Range<u64>) {
        let shift = self.at;
        let first = data.partition_point(|data| data.end <= range.start);
        for data in data[first..].iter().take_while(|data| data.start < range.end) {
            let (start, end) = (data.start.max(range.start), data.end.min(range.end));
            self.zeros_to(shift + (start - range.start));
            self.push(Content::Disk(start), end - start);
        }
        self.zeros_to(shift + (range.end - range.start));
    }

    fn finish(self, virtual_bytes: u64, runs: Runs) -> Layout {
        Layout { segments: self.segments, size: self.at, virtual_bytes, runs }
    }
}

/// An identifier of version 8 (RFC 9562) for one purpose.
fn derived(identity: [u8; 16], purpose: &str) -> [u8; 16] {
    let digest = Sha256::new().chain_update(purpose).chain_update(identity).finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    id
}

/// The file that a layout describes, made while it is read.
pub struct LaidOut {
    layout: Layout,
    disk: Arc<dyn ReadAt>,
}

impl LaidOut {
    /// Joins a layout with the disk that it was made for.
    pub fn new(layout: Layout, disk: Arc<dyn ReadAt>) -> Self {
        Self { layout, disk }
    }

    /// The layout.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

impl ReadAt for LaidOut {
    fn size(&self) -> u64 {
        self.layout.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let end = offset.checked_add(buffer.len() as u64).filter(|end| *end <= self.layout.size);
        let Some(end) = end else { return Err(past_the_end(offset, buffer.len())) };
        let mut rest = buffer;
        for piece in self.layout.pieces_in(offset..end) {
            let size = usize::try_from(piece.size()).map_or(rest.len(), |size| size.min(rest.len()));
            let (now, later) = rest.split_at_mut(size);
            match piece {
                Piece::Bytes(bytes) => now.copy_from_slice(&bytes),
                Piece::Disk { offset, .. } => self.disk.read_at(offset, now)?,
                Piece::Zeros(_) => now.fill(0),
            }
            rest = later;
        }
        Ok(())
    }

    fn next_data(&self, offset: u64) -> Result<Option<Range<u64>>, ReadError> {
        let segments = &self.layout.segments;
        let mut index = segments.partition_point(|segment| segment.start <= offset).saturating_sub(1);
        while let Some(segment) = segments.get(index).filter(|_| offset < self.layout.size) {
            let end = segments.get(index + 1).map_or(self.layout.size, |next| next.start);
            if !matches!(segment.content, Content::Zeros) {
                return Ok(Some(segment.start.max(offset)..end));
            }
            index += 1;
        }
        Ok(None)
    }
}
