//! What file-system readers read through: one budget that ends every cycle, and a cache that turns
//! their small reads into few large ones.

use crate::ReadError;
use mercat_disk::ReadAt;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

const BLOCK: u64 = 64 << 10;
/// Blocks read at once, at most, when reads go forward: 1 MiB.
const AHEAD: u64 = 16;
/// Ranges that were given as content and are remembered: 64 MiB.
const GIVEN_MAX: usize = 4 << 20;
/// Places where reads may go forward at the same time: tables, directories, content.
const STREAMS: usize = 8;
/// Blocks kept: 16 MiB.
const KEPT: usize = 256;

/// A volume as one file-system reader sees it.
pub(crate) struct Source {
    bytes: Arc<dyn ReadAt>,
    cache: RefCell<Cache>,
    reads_left: Cell<u64>,
    bytes_left: Cell<u64>,
    zeros_left: Cell<u64>,
    given: RefCell<Vec<Range<u64>>>,
}

#[derive(Default)]
struct Cache {
    blocks: HashMap<u64, (u64, Box<[u8]>)>,
    /// Memory of blocks that were put out, used again: fresh memory costs more than the bytes that go into it.
    spare: Vec<Box<[u8]>>,
    /// Where a load is read before it is cut into blocks.
    window: Vec<u8>,
    clock: u64,
    /// Where the last loads ended, and how many blocks they had.
    ends: [(u64, u64); STREAMS],
}

impl Source {
    /// A volume on a disk that holds so many bytes of data.
    pub(crate) fn new(bytes: Arc<dyn ReadAt>, mapped: u64) -> Self {
        Self {
            bytes,
            cache: RefCell::default(),
            // What a small one may cost beside is small: there may be many, each inside of a file.
            reads_left: Cell::new((mapped / 64).saturating_add(mapped.clamp(64 << 10, 4 << 20))),
            bytes_left: Cell::new(mapped.saturating_mul(16).saturating_add(256 << 20)),
            zeros_left: Cell::new(
                mapped
                    .saturating_mul(16)
                    .saturating_add(mapped.saturating_mul(1024).clamp(64 << 20, 4 << 30)),
            ),
            given: RefCell::default(),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.bytes.size()
    }

    /// Fills the buffer through the cache.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.check(offset, buffer.len() as u64)?;
        let mut done = 0;
        while done < buffer.len() {
            let at = offset + done as u64;
            let index = at / BLOCK;
            let skip = usize::try_from(at % BLOCK).unwrap_or(0);
            let mut cache = self.cache.borrow_mut();
            if !cache.blocks.contains_key(&index) {
                self.load(&mut cache, index)?;
            }
            cache.clock += 1;
            let clock = cache.clock;
            let Some((stamp, block)) = cache.blocks.get_mut(&index) else { continue };
            *stamp = clock;
            let have = &block[skip..];
            let count = have.len().min(buffer.len() - done);
            buffer[done..done + count].copy_from_slice(&have[..count]);
            done += count;
        }
        Ok(())
    }

    /// A structure of so many bytes, through the cache.
    pub(crate) fn bytes(&self, offset: u64, length: usize) -> Result<Vec<u8>, ReadError> {
        self.check(offset, length as u64)?;
        let mut bytes = vec![0; length];
        self.read(offset, &mut bytes)?;
        Ok(bytes)
    }

    fn check(&self, offset: u64, length: u64) -> Result<(), ReadError> {
        spend(&self.reads_left, 1, offset)?;
        match offset.checked_add(length) {
            Some(end) if end <= self.size() => Ok(()),
            _ => {
                let what = format!("{length} bytes are wanted behind the end of the volume");
                Err(ReadError::refused("FS-04", offset, what))
            }
        }
    }

    fn load(&self, cache: &mut Cache, index: u64) -> Result<(), ReadError> {
        if cache.blocks.len() >= KEPT {
            let mut stamps: Vec<u64> = cache.blocks.values().map(|(stamp, _)| *stamp).collect();
            stamps.sort_unstable();
            let oldest = stamps[stamps.len() / 4];
            let Cache { blocks, spare, .. } = cache;
            spare.extend(blocks.extract_if(|_, (stamp, _)| *stamp <= oldest).map(|(_, (_, block))| block));
        }
        // What goes on where an earlier load ended gets twice as much, so lone reads stay small.
        let stream = cache.ends.iter().position(|(end, _)| *end == index);
        let count = stream.map_or(1, |stream| (cache.ends[stream].1 * 2).clamp(1, AHEAD));
        let stream = stream.unwrap_or(STREAMS - 1);
        cache.ends[..=stream].rotate_right(1);
        cache.ends[0] = (index + count, count);
        let start = index * BLOCK;
        let length = (count * BLOCK).min(self.size() - start);
        spend(&self.bytes_left, length, start)?;
        let length = usize::try_from(length).unwrap_or(0);
        let Cache { blocks, spare, window, clock, .. } = cache;
        if window.len() < length {
            window.resize(length, 0);
        }
        let window = &mut window[..length];
        self.bytes.read_at(start, window)?;
        *clock += 1;
        for (index, bytes) in (index..).zip(window.chunks(BLOCK as usize)) {
            let block = match spare.pop() {
                Some(mut block) if block.len() == bytes.len() => {
                    block.copy_from_slice(bytes);
                    block
                }
                _ => bytes.into(),
            };
            let replaced = blocks.insert(index, (*clock, block));
            spare.extend(replaced.map(|(_, block)| block));
        }
        Ok(())
    }

    /// Fills a large buffer past the cache, but for what was read ahead of it.
    fn read_content(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        if (buffer.len() as u64) < BLOCK {
            return self.read(offset, buffer);
        }
        self.check(offset, buffer.len() as u64)?;
        // Whoever gets them looks at all of them, wherever they come from.
        spend(&self.bytes_left, buffer.len() as u64, offset)?;
        let cache = self.cache.borrow();
        let kept =
            |at: u64| cache.blocks.get(&(at / BLOCK)).map(|(_, block)| &block[(at % BLOCK) as usize..]);
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let found = kept(at);
            let mut count = ((BLOCK - at % BLOCK) as usize).min(rest.len());
            while found.is_none() && count < rest.len() && kept(at + count as u64).is_none() {
                count = (count + BLOCK as usize).min(rest.len());
            }
            let (now, behind) = rest.split_at_mut(count);
            match found {
                Some(block) => now.copy_from_slice(&block[..count]),
                None => self.bytes.read_at(at, now)?,
            }
            (at, rest) = (at + count as u64, behind);
        }
        Ok(())
    }

    /// The ranges that were read as content of files, in the order of reading.
    pub(crate) fn given(&self) -> Vec<Range<u64>> {
        self.given.take()
    }

    fn give(&self, range: Range<u64>) {
        let mut given = self.given.borrow_mut();
        let has_room = given.len() < GIVEN_MAX;
        match given.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ if has_room => given.push(range),
            // What is not remembered is only looked at twice.
            _ => {}
        }
    }

    /// Accounts for what is in no block of the volume: zeros of a hole, and what unpacking gives.
    pub(crate) fn spend_zeros(&self, count: u64) -> Result<(), ReadError> {
        let left = self.zeros_left.get().checked_sub(count);
        self.zeros_left.set(left.unwrap_or(0));
        let what =
            "the holes and packed blocks of its files hold more than 16 times what the disk holds and 4 GiB";
        left.map(|_| ()).ok_or_else(|| ReadError::refused("FS-06", 0, what))
    }
}

fn spend(left: &Cell<u64>, count: u64, offset: u64) -> Result<(), ReadError> {
    let rest = left.get().checked_sub(count);
    left.set(rest.unwrap_or(0));
    let what = "more is read than 16 times what the disk holds: structures point at each other in circles";
    rest.map(|_| ()).ok_or_else(|| ReadError::refused("FS-05", offset, what))
}

/// A run of a file's bytes; what no run covers is a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// First byte in the file.
    pub(crate) at: u64,
    /// Bytes.
    pub(crate) length: u64,
    /// First byte on the volume.
    pub(crate) from: u64,
}

/// Appends a run, joined to the last one where both continue.
pub(crate) fn push_run(runs: &mut Vec<Run>, run: Run) {
    match runs.last_mut() {
        Some(last) if last.at + last.length == run.at && last.from + last.length == run.from => {
            last.length += run.length;
        }
        _ => runs.push(run),
    }
}

/// The content of a file that lies in runs, in rising order without overlap.
pub(crate) struct Content<'a> {
    source: &'a Source,
    runs: Vec<Run>,
    size: u64,
    position: u64,
    next: usize,
    of_file: bool,
}

impl<'a> Content<'a> {
    pub(crate) fn new(source: &'a Source, runs: Vec<Run>, size: u64) -> Self {
        Self { source, runs, size, position: 0, next: 0, of_file: false }
    }

    /// The content of a file that is given to somebody, and not of a structure: what is read of it counts as given.
    pub(crate) fn of_file(source: &'a Source, runs: Vec<Run>, size: u64) -> Self {
        Self { of_file: true, ..Self::new(source, runs, size) }
    }

    /// Everything, for small files of the file system itself.
    pub(crate) fn all(mut self, limit: u64) -> Result<Vec<u8>, ReadError> {
        if self.size > limit {
            let what = format!("a structure of {} bytes where {limit} are the limit", self.size);
            return Err(ReadError::refused("FS-04", 0, what));
        }
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Fills the buffer from a place in the file; what lies behind the end is refused.
    pub(crate) fn read_at(&mut self, position: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        if position < self.position {
            self.next = 0;
        }
        self.position = position;
        self.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                ReadError::refused("FS-04", position, "a structure reaches behind the end of its file")
            }
            _ => error.into(),
        })
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.size.saturating_sub(self.position).min(buffer.len() as u64);
        if left == 0 {
            return Ok(0);
        }
        while self.runs.get(self.next).is_some_and(|run| run.at + run.length <= self.position) {
            self.next += 1;
        }
        let count = match self.runs.get(self.next) {
            Some(run) if run.at <= self.position => {
                let skip = self.position - run.at;
                let count = left.min(run.length - skip);
                let target = &mut buffer[..usize::try_from(count).unwrap_or(0)];
                let from = run.from + skip;
                self.source.read_content(from, target)?;
                if self.of_file {
                    self.source.give(from..from + count);
                }
                count
            }
            run => {
                let count = run.map_or(left, |run| left.min(run.at - self.position));
                self.source.spend_zeros(count)?;
                buffer[..usize::try_from(count).unwrap_or(0)].fill(0);
                count
            }
        };
        self.position += count;
        Ok(usize::try_from(count).unwrap_or(0))
    }
}
