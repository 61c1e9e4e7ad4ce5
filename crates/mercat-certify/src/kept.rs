//! The bytes of a file that somebody asked for, kept while they pass.

use crate::seeking::Seeking;
use mercat_artifact::layer::HashingReader;
use mercat_artifact::{Positioned, ReadError};
use mercat_disk::ReadAt;
use mercat_domain::Digest;
use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Bytes of a program, disk, archive or what else waits, in a file of ours where there is one, and not in memory.
const LARGE_BYTES_MIN: u64 = 1 << 20;
/// Bytes of what waits in one although others may need it more.
const NEEDED_BYTES_MIN: u64 = 8 << 20;

/// Bytes for which room is made because they are announced; what is inside of others is open together with them.
pub(crate) const ANNOUNCED_BYTES_MAX: u64 = 16 << 20;

/// Files of ours, without names, in which large programs wait until all of them has passed: what a reader wants of them
/// is told by a table at their end. Whoever lends them sees to it that they can grow to
/// [`PROGRAM_BYTES_MAX`](mercat_inventory::PROGRAM_BYTES_MAX).
///
/// Each layer or volume has a share of its own: what is opened in one must not depend on what others hold at that moment.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    shares: Mutex<Vec<Vec<File>>>,
    returned: Condvar,
    /// How many shares there are.
    count: usize,
}

/// Files of one share.
pub const SHARE_FILES: usize = 8;
/// Files of a share that are left to large programs and disks, of which so many can wait inside one another: what
/// memory has room for takes none of them.
const RESERVED_FILES: usize = 4;

impl Scratch {
    /// Divides files into shares; with fewer than one has, there is one of them all.
    pub(crate) fn new(mut files: Vec<File>) -> Self {
        let mut shares = Vec::new();
        while files.len() > SHARE_FILES {
            shares.push(files.split_off(files.len() - SHARE_FILES));
        }
        if files.len() == SHARE_FILES || shares.is_empty() && !files.is_empty() {
            shares.push(files);
        }
        let count = shares.len();
        Self { shares: Mutex::new(shares), returned: Condvar::new(), count }
    }

    /// A share, which is taken when the first file of it is wanted.
    pub(crate) fn share(&self) -> Share<'_> {
        Share(Arc::new(Taken { scratch: self, files: Mutex::new(None) }))
    }

    /// The next share. Whoever has one never waits for another, so that it comes.
    fn take(&self) -> Vec<File> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match shares.pop() {
                Some(share) => return share,
                None if self.count == 0 => return Vec::new(),
                None => shares = self.returned.wait(shares).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// The share of one layer or volume; a thread has one at a time.
pub(crate) struct Share<'s>(Arc<Taken<'s>>);

#[derive(Debug)]
struct Taken<'s> {
    scratch: &'s Scratch,
    files: Mutex<Option<Vec<File>>>,
}

impl<'s> Share<'s> {
    /// An empty file for a program or disk of this size, where it is large and one of the share is free.
    pub(crate) fn lend(&self, bytes: u64) -> Option<Lent<'s>> {
        self.lend_above(bytes, if bytes < NEEDED_BYTES_MIN { RESERVED_FILES } else { 0 })
    }

    /// The same for what waits in memory as well.
    pub(crate) fn lend_spare(&self, bytes: u64) -> Option<Lent<'s>> {
        self.lend_above(bytes, RESERVED_FILES)
    }

    /// A file, where more than so many are free.
    fn lend_above(&self, bytes: u64, left: usize) -> Option<Lent<'s>> {
        if bytes < LARGE_BYTES_MIN {
            return None;
        }
        let mut files = self.0.files.lock().unwrap_or_else(PoisonError::into_inner);
        let free = files.get_or_insert_with(|| self.0.scratch.take());
        let file = if free.len() > left { free.pop() } else { None };
        file.map(|file| Lent { share: Arc::clone(&self.0), file: Some(Arc::new(file)) })
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let files = self.files.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(files) = files.filter(|_| self.scratch.count > 0) {
            self.scratch.shares.lock().unwrap_or_else(PoisonError::into_inner).push(files);
            self.scratch.returned.notify_one();
        }
    }
}

/// A file that is given back empty.
#[derive(Debug)]
pub(crate) struct Lent<'s> {
    share: Arc<Taken<'s>>,
    file: Option<Arc<File>>,
}

impl Lent<'_> {
    fn file(&self) -> io::Result<&File> {
        self.file.as_deref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The bytes for a reader of disks. A file that is still read when it should be given back is not lent again.
    pub(crate) fn to_disk(&self) -> io::Result<Arc<dyn ReadAt>> {
        let file = self.file.clone().ok_or(io::ErrorKind::NotFound)?;
        let size = file.metadata()?.len();
        Ok(Arc::new(OnDisk { file, size }))
    }
}

/// A file of ours as the address space of a disk.
struct OnDisk {
    file: Arc<File>,
    size: u64,
}

impl ReadAt for OnDisk {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        match offset.checked_add(buffer.len() as u64) {
            Some(end) if end <= self.size => Ok(FileExt::read_exact_at(&*self.file, buffer, offset)?),
            _ => Err(mercat_disk::past_the_end(offset, buffer.len())),
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        // One that cannot be emptied would show a program what another was.
        let file = self.file.take().and_then(Arc::into_inner);
        if let Some(file) = file.filter(|file| file.set_len(0).is_ok()) {
            let mut files = self.share.files.lock().unwrap_or_else(PoisonError::into_inner);
            files.get_or_insert_default().push(file);
        }
    }
}

impl Positioned for Lent<'_> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self.file()?, buffer, offset)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file()?.metadata()?.len())
    }
}

/// Bytes that are kept. Of a file whose size is known before it is read, parts that nobody reads are left out and
/// read as zeros: memory that is never written is not there, so a large library costs what is read of it.
pub(crate) struct Kept<'s> {
    place: Place<'s>,
    /// Bytes that passed.
    passed: usize,
    holes: Vec<Range<usize>>,
}

enum Place<'s> {
    Memory(Vec<u8>),
    /// All of a file of ours, and whether it could be written.
    Lent(Lent<'s>, io::Result<()>),
}

/// What was kept of a file.
pub(crate) enum Bytes<'s> {
    Memory(Vec<u8>),
    /// In a file of ours, which may have failed.
    Lent(io::Result<Lent<'s>>),
}

impl Bytes<'_> {
    /// The bytes by position.
    ///
    /// # Errors
    /// When the file of ours could not be written.
    pub(crate) fn positioned(&self) -> io::Result<&dyn Positioned> {
        match self {
            Self::Memory(bytes) => Ok(bytes),
            Self::Lent(Ok(lent)) => Ok(lent),
            Self::Lent(Err(error)) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }

    /// All bytes.
    ///
    /// # Errors
    /// When the file of ours cannot be read, or could not be written.
    pub(crate) fn read(&self) -> io::Result<Cow<'_, [u8]>> {
        if let Self::Memory(bytes) = self {
            return Ok(bytes.into());
        }
        let bytes = self.positioned()?;
        let mut all = vec![0; usize::try_from(bytes.length()?).map_err(io::Error::other)?];
        bytes.read_exact_at(&mut all, 0)?;
        Ok(all.into())
    }

    /// Their SHA-256.
    ///
    /// # Errors
    /// As [`Bytes::read`].
    pub(crate) fn sha256(&self) -> io::Result<Digest> {
        let mut reader = HashingReader::new(Seeking::new(self.positioned()?)?);
        io::copy(&mut reader, &mut io::sink())?;
        Ok(reader.finish().digest)
    }

    /// The bytes, of which nobody wanted a part only.
    pub(crate) fn in_memory(self) -> Option<Vec<u8>> {
        match self {
            Self::Memory(bytes) => Some(bytes),
            Self::Lent(_) => None,
        }
    }
}

impl<'s> Kept<'s> {
    /// Keeps everything, in memory.
    pub(crate) fn all() -> Self {
        Self::in_memory(None)
    }

    /// Keeps everything, in memory, with room for what is announced.
    pub(crate) fn in_memory(announced: Option<u64>) -> Self {
        let room = announced.unwrap_or(0).min(ANNOUNCED_BYTES_MAX);
        let room = usize::try_from(room).unwrap_or_default();
        Self { place: Place::Memory(Vec::with_capacity(room)), passed: 0, holes: Vec::new() }
    }

    /// Keeps a file of this size, but for the holes.
    pub(crate) fn sparse(size: u64, holes: Vec<Range<usize>>) -> Self {
        match usize::try_from(size) {
            Ok(size) if !holes.is_empty() => Self { place: Place::Memory(vec![0; size]), passed: 0, holes },
            _ => Self::all(),
        }
    }

    /// Keeps a file of this size, but for the holes, in a file of ours.
    pub(crate) fn lent(lent: Lent<'s>, size: u64, holes: Vec<Range<usize>>) -> Self {
        let sized = lent.file().and_then(|file| file.set_len(size));
        Self { place: Place::Lent(lent, sized), passed: 0, holes }
    }

    /// How many bytes passed.
    pub(crate) fn passed(&self) -> usize {
        self.passed
    }

    /// Takes the next bytes.
    pub(crate) fn push(&mut self, fresh: &[u8]) {
        let (from, to) = (self.passed, self.passed + fresh.len());
        self.passed = to;
        match &mut self.place {
            Place::Memory(bytes) if self.holes.is_empty() => bytes.extend_from_slice(fresh),
            Place::Memory(bytes) => between(&self.holes, from..to, |part| {
                let end = part.end.min(bytes.len());
                if part.start < end {
                    bytes[part.start..end].copy_from_slice(&fresh[part.start - from..end - from]);
                }
            }),
            Place::Lent(lent, written) => between(&self.holes, from..to, |part| {
                let bytes = &fresh[part.start - from..part.end - from];
                if written.is_ok() {
                    *written = lent.file().and_then(|file| file.write_all_at(bytes, part.start as u64));
                }
            }),
        }
    }

    /// What was kept.
    pub(crate) fn finish(self) -> Bytes<'s> {
        match self.place {
            Place::Memory(mut bytes) => {
                if !self.holes.is_empty() {
                    bytes.truncate(self.passed);
                }
                Bytes::Memory(bytes)
            }
            Place::Lent(lent, written) => {
                let cut = written.and_then(|()| lent.file()?.set_len(self.passed as u64));
                Bytes::Lent(cut.map(|()| lent))
            }
        }
    }
}

/// Tells the parts of a range that are in no hole.
fn between(holes: &[Range<usize>], range: Range<usize>, mut part: impl FnMut(Range<usize>)) {
    let mut at = range.start;
    for hole in holes.iter().filter(|hole| hole.start < range.end && hole.end > range.start) {
        if at < hole.start {
            part(at..hole.start);
        }
        at = at.max(hole.end);
    }
    if at < range.end {
        part(at..range.end);
    }
}

#[cfg(test)]
mod tests;
