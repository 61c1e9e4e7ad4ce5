//! Members in the order of the central directory, unpacked.

use super::end::End;
use super::member::{Central, ENTRY, LOCAL, LOCAL_BYTES, central, is_encrypted};
use super::{METHODS, Source};
use crate::archive::{Member, le, member};
use crate::{Positioned, ReadError};
use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, BufRead, Read};

/// Packed bytes that are read at a time; where a member is small, its header with them.
const PACKED_BYTES: usize = 16 << 10;

/// Who is shown the members, each with its content or why that is not opened; `false` ends the walk.
pub type Visit<'v> = dyn FnMut(Member<'_>, Result<&mut dyn Read, ReadError>) -> bool + 'v;

/// The members of a zip that has a directory, and in which nothing lies over another.
pub struct Members<'b> {
    bytes: &'b dyn Positioned,
    directory: Source<'b>,
    /// Where in the directory the next is.
    at: usize,
    /// What must be added to offsets of the archive.
    shift: usize,
}

impl<'b> Members<'b> {
    pub(super) fn new(bytes: &'b dyn Positioned, end: &End) -> io::Result<Self> {
        let mut directory = Source::new(bytes)?;
        directory.size = end.directory_end;
        Ok(Self { bytes, directory, at: end.directory, shift: end.shift })
    }

    /// Shows each member that is no directory.
    ///
    /// # Errors
    /// When the bytes cannot be read. What is wrong with the content of one member is an error of its reader
    /// (`ZIP-18`), and the others are shown all the same.
    pub fn walk(mut self, visit: &mut Visit<'_>) -> io::Result<()> {
        let mut packed = Packed::new(self.bytes);
        let mut inflate = Decompress::new(false);
        while self.directory.is(self.at, ENTRY)? {
            let Some(entry) = central(&mut self.directory, self.at)? else { break };
            let offset = self.at as u64;
            self.at = entry.next;
            let fields = &entry.fields;
            // A deflated nothing has two bytes.
            if entry.name.ends_with(b"/") && fields.unpacked == 0 && fields.packed <= 2 {
                continue;
            }
            let name = member::text(&entry.name);
            let shown = Member { name: &name, size: Some(fields.unpacked) };
            let goes_on = match self.begin(&entry, offset, &mut packed)? {
                Err(refused) => visit(shown, Err(refused)),
                Ok(()) => {
                    inflate.reset(false);
                    let inflate = (fields.method != 0).then_some(&mut inflate);
                    visit(shown, Ok(&mut Content::new(&mut packed, inflate, &entry)))
                }
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Goes to the content of a member, or tells why it is not opened.
    fn begin(
        &self,
        entry: &Central,
        offset: u64,
        packed: &mut Packed<'b>,
    ) -> io::Result<Result<(), ReadError>> {
        if is_encrypted(&entry.fields) {
            return Ok(Err(ReadError::refused("ZIP-10", offset, "it is encrypted")));
        }
        if !METHODS.contains(&entry.fields.method) {
            let what = format!("it has method {}", entry.fields.method);
            return Ok(Err(ReadError::refused("ZIP-09", offset, what)));
        }
        let end = self.directory.size as u64;
        let start = entry.local.checked_add(self.shift as u64);
        let header = match start {
            Some(start) => packed.header(start, end)?,
            None => None,
        };
        let content = header.and_then(|length| start?.checked_add(length));
        let fits = content.and_then(|content| content.checked_add(entry.fields.packed));
        if content.is_none() || fits.is_none_or(|stop| stop > end) {
            return Ok(Err(ReadError::refused("ZIP-01", offset, "no local header where it should be")));
        }
        packed.left = entry.fields.packed;
        Ok(Ok(()))
    }
}

/// The packed bytes of a member.
struct Packed<'b> {
    bytes: &'b dyn Positioned,
    buffer: Vec<u8>,
    /// What of the buffer is there and was not given.
    near: std::ops::Range<usize>,
    /// Where the bytes behind the buffer are.
    next: u64,
    /// Bytes of the member that were not given.
    left: u64,
}

impl<'b> Packed<'b> {
    fn new(bytes: &'b dyn Positioned) -> Self {
        Self { bytes, buffer: vec![0; PACKED_BYTES], near: 0..0, next: 0, left: 0 }
    }

    /// Reads a local header, with what stands behind it, and gives its length; nothing where there is none.
    fn header(&mut self, start: u64, end: u64) -> io::Result<Option<u64>> {
        let there = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        let count = there.min(self.buffer.len());
        if count < LOCAL_BYTES {
            return Ok(None);
        }
        self.bytes.read_exact_at(&mut self.buffer[..count], start)?;
        let fixed = &self.buffer[..LOCAL_BYTES];
        if !fixed.starts_with(LOCAL) {
            return Ok(None);
        }
        let length = LOCAL_BYTES as u64 + le(&fixed[26..28]) + le(&fixed[28..30]);
        let behind = usize::try_from(length).unwrap_or(usize::MAX).min(count);
        self.near = behind..count;
        // A header that is longer than the buffer is passed over.
        self.next = start + length.max(count as u64);
        Ok(Some(length))
    }
}

impl Read for Packed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Packed<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        if self.near.is_empty() && left > 0 {
            let count = left.min(self.buffer.len());
            self.bytes.read_exact_at(&mut self.buffer[..count], self.next)?;
            self.next += count as u64;
            self.near = 0..count;
        }
        let near = &self.buffer[self.near.clone()];
        Ok(&near[..near.len().min(left)])
    }

    fn consume(&mut self, count: usize) {
        self.near.start += count;
        self.left -= count as u64;
    }
}

/// The content of a member: all that comes out of it, then an error where that is not what was announced.
struct Content<'c, 'b> {
    packed: &'c mut Packed<'b>,
    /// Nothing where it is stored.
    inflate: Option<&'c mut Decompress>,
    sum: crc32fast::Hasher,
    /// Checksum and size that are announced.
    wanted: (u64, u64),
    came: u64,
    /// What the next read tells.
    broken: Option<io::Error>,
    /// All came; then also that it is what was announced.
    ended: bool,
    compared: bool,
}

impl<'c, 'b> Content<'c, 'b> {
    fn new(packed: &'c mut Packed<'b>, inflate: Option<&'c mut Decompress>, entry: &Central) -> Self {
        let wanted = (entry.fields.crc, entry.fields.unpacked);
        Self {
            packed,
            inflate,
            sum: crc32fast::Hasher::new(),
            wanted,
            came: 0,
            broken: None,
            ended: false,
            compared: false,
        }
    }

    fn refused(&self, what: impl Into<String>) -> io::Error {
        ReadError::refused("ZIP-18", self.came, what).into()
    }

    /// The next bytes; none where all came, and sometimes before.
    fn step(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let Some(inflate) = &mut self.inflate else {
            let count = self.packed.read(buffer)?;
            self.ended = count == 0;
            return Ok(count);
        };
        let input = self.packed.fill_buf()?;
        let before = (inflate.total_in(), inflate.total_out());
        let done = inflate.decompress(input, buffer, FlushDecompress::None);
        let used = usize::try_from(inflate.total_in() - before.0).map_err(io::Error::other)?;
        let count = usize::try_from(inflate.total_out() - before.1).map_err(io::Error::other)?;
        self.packed.consume(used);
        match done {
            Err(_) if count > 0 => {
                self.broken = Some(self.refused("the content does not unpack"));
                Ok(count)
            }
            Err(_) => Err(self.refused("the content does not unpack")),
            Ok(Status::StreamEnd) => {
                self.ended = true;
                Ok(count)
            }
            Ok(_) if used == 0 && count == 0 => Err(self.refused("the content ends too early")),
            Ok(_) => Ok(count),
        }
    }

    /// What was announced, against what came.
    fn compare(&self) -> io::Result<()> {
        let (sum, size) = self.wanted;
        if self.came != size {
            return Err(self.refused(format!("{} bytes came out of what should be {size}", self.came)));
        }
        if self.packed.left > 0 {
            return Err(
                self.refused(format!("{} packed bytes behind the end of the content", self.packed.left))
            );
        }
        match u64::from(self.sum.clone().finalize()) == sum {
            true => Ok(()),
            false => Err(self.refused("the content has another checksum")),
        }
    }
}

impl Read for Content<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !buffer.is_empty() {
            let count = self.step(buffer)?;
            self.sum.update(&buffer[..count]);
            self.came += count as u64;
            if count > 0 {
                return Ok(count);
            }
        }
        if self.ended && !self.compared {
            self.compared = true;
            self.compare()?;
        }
        Ok(0)
    }
}
