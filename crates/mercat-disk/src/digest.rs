//! One digest for a disk, whatever container it lies in.

use crate::ReadAt;
use crate::ReadError;
use mercat_domain::Digest;
use sha2::{Digest as _, Sha256};
use std::ops::Range;

/// Bytes of the pieces that are hashed on their own.
pub const PIECE_BYTES: u64 = 4 << 20;
/// Disks are read in windows of this many bytes, and zeros are left out in blocks of [`BLOCK_BYTES`].
const WINDOW_BYTES: u64 = 1 << 20;
/// Bytes of a block: all zeros, or data.
pub const BLOCK_BYTES: u64 = 4096;

/// Shows every block of a disk that is not all zeros, in rising order, at most
/// 1 MiB at a time. What is not allocated is not read.
///
/// # Errors
/// Those of the disk and of the visitor.
pub fn each_data<E: From<ReadError>>(
    disk: &dyn ReadAt,
    from: u64,
    each: impl FnMut(u64, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    Parts::new(disk).each_data(from..disk.size(), each)
}

/// Shows parts of a disk, one behind the other. What the container told of it is not asked again for each.
pub struct Parts<'d> {
    disk: &'d dyn ReadAt,
    /// The range of data that was told last, and from where on it was asked for.
    known: Range<u64>,
    asked: u64,
    window: Vec<u8>,
}

impl<'d> Parts<'d> {
    /// Begins to show parts of a disk.
    pub fn new(disk: &'d dyn ReadAt) -> Self {
        Self { disk, known: 0..0, asked: 0, window: Vec::new() }
    }

    /// As [`each_data`], of a part of the disk, which may begin and end inside of a block.
    ///
    /// # Errors
    /// Those of the disk, and what `each` returns.
    pub fn each_data<E: From<ReadError>>(
        &mut self,
        part: Range<u64>,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut at = part.start;
        while at < part.end
            && let Some(range) = self.next_data(at)?
        {
            // Containers may map in units that are no multiple of a block.
            at = at.max(range.start - range.start % BLOCK_BYTES);
            let end = range.end.next_multiple_of(BLOCK_BYTES).min(part.end);
            while at < end {
                let size = (WINDOW_BYTES - at % WINDOW_BYTES).min(end - at);
                if self.window.len() < size as usize {
                    self.window.resize(size as usize, 0);
                }
                let window = &mut self.window[..size as usize];
                self.disk.read_at(at, window)?;
                each_run(at, window, &mut each)?;
                at += size;
            }
        }
        Ok(())
    }

    /// As [`ReadAt::next_data`].
    fn next_data(&mut self, from: u64) -> Result<Option<Range<u64>>, ReadError> {
        if !(self.asked..self.known.end).contains(&from) {
            let Some(told) = self.disk.next_data(from)? else { return Ok(None) };
            (self.known, self.asked) = (told, from);
        }
        Ok(Some(self.known.start.max(from)..self.known.end))
    }
}

fn each_run<E>(at: u64, window: &[u8], each: &mut impl FnMut(u64, &[u8]) -> Result<(), E>) -> Result<(), E> {
    let block = BLOCK_BYTES as usize;
    // Blocks are those of the disk, wherever the window begins: containers tell of other parts of it.
    let into = (at % BLOCK_BYTES) as usize;
    let (mut from, mut start) = (0, None);
    while from < window.len() {
        let to = if from == 0 { block - into } else { from + block }.min(window.len());
        match (is_zero(&window[from..to]), start) {
            (false, None) => start = Some(from),
            (true, Some(first)) => {
                each(at + first as u64, &window[first..from])?;
                start = None;
            }
            _ => {}
        }
        from = to;
    }
    start.map_or(Ok(()), |first| each(at + first as u64, &window[first..]))
}

fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<16>();
    words.iter().all(|word| u128::from_ne_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}

/// Collects a disk's digest while its data goes by.
///
/// The digest is SHA-256 over the line `mercat.disk/1`, a line with the disk's size in bytes, and a line
/// with index and SHA-256 of every piece of [`PIECE_BYTES`] that is not all zeros; the last
/// piece may be shorter. Containers that hold the same disk give the same digest.
#[derive(Debug, Clone)]
pub struct DiskDigest {
    size: u64,
    lines: String,
    piece: Option<(u64, u64, Sha256)>,
}

impl DiskDigest {
    /// Begins the digest of a disk of a size.
    pub fn new(size: u64) -> Self {
        Self { size, lines: String::new(), piece: None }
    }

    /// Goes on behind the lines of pieces that were hashed before.
    pub fn resume(size: u64, lines: String) -> Self {
        Self { size, lines, piece: None }
    }

    /// Takes data at an offset behind all that came before; blocks of zeros are left out.
    pub fn data(&mut self, mut offset: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let index = offset / PIECE_BYTES;
            if self.piece.as_ref().is_some_and(|(open, ..)| *open != index) {
                self.close();
            }
            let (_, at, hash) = self.piece.get_or_insert_with(|| (index, index * PIECE_BYTES, Sha256::new()));
            zeros(hash, offset.saturating_sub(*at));
            let here = ((index + 1) * PIECE_BYTES - offset).min(bytes.len() as u64);
            let (now, rest) = bytes.split_at(here as usize);
            hash.update(now);
            offset += here;
            *at = offset;
            bytes = rest;
        }
    }

    fn close(&mut self) {
        if let Some((index, at, mut hash)) = self.piece.take() {
            let end = ((index + 1) * PIECE_BYTES).min(self.size);
            zeros(&mut hash, end.saturating_sub(at));
            let digest = Digest::from_sha256(&hash.finalize());
            self.lines.push_str(&format!("{index} {}\n", digest.hex()));
        }
    }

    /// The lines of the pieces so far, to [`DiskDigest::resume`] from. Data that
    /// follows must lie in a later piece.
    pub fn lines(&mut self) -> &str {
        self.close();
        &self.lines
    }

    /// The digest.
    pub fn finish(mut self) -> Digest {
        self.close();
        let text = format!("mercat.disk/1\n{}\n{}", self.size, self.lines);
        Digest::from_sha256(&Sha256::digest(text.as_bytes()))
    }
}

fn zeros(hash: &mut Sha256, mut count: u64) {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    while count > 0 {
        let here = count.min(ZEROS.len() as u64);
        hash.update(&ZEROS[..here as usize]);
        count -= here;
    }
}

/// The digest of a whole disk, see [`DiskDigest`].
///
/// # Errors
/// Those of the disk.
pub fn disk_digest(disk: &dyn ReadAt) -> Result<Digest, ReadError> {
    let mut digest = DiskDigest::new(disk.size());
    each_data(disk, 0, |offset, bytes| {
        digest.data(offset, bytes);
        Ok::<_, ReadError>(())
    })?;
    Ok(digest.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sparse() -> Vec<u8> {
        let mut disk = vec![0; (9 << 20) + 512];
        disk[0] = 1;
        disk[(4 << 20) - 1] = 2;
        disk[(8 << 20) + 4096] = 3;
        disk[(9 << 20) + 511] = 4;
        disk
    }

    /// Tells of data in units of its own, as containers do.
    struct Units<'d>(&'d Vec<u8>, u64);

    impl ReadAt for Units<'_> {
        fn size(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
            self.0.read_at(offset, buffer)
        }

        fn next_data(&self, from: u64) -> Result<Option<Range<u64>>, ReadError> {
            let unit = |at: u64| at / self.1 * self.1..(at / self.1 * self.1 + self.1).min(self.size());
            let units = (from / self.1..self.size().div_ceil(self.1)).map(|index| unit(index * self.1));
            let is_data = |range: &Range<u64>| !is_zero(&self.0[range.start as usize..range.end as usize]);
            Ok(units.into_iter().find(is_data).map(|range| range.start.max(from)..range.end))
        }
    }

    #[test]
    fn parts_of_a_disk_are_the_same_whatever_its_container_tells_of() {
        let mut disk = sparse();
        disk[5000..13_000].fill(7);
        disk[(8 << 20) + 700] = 8;
        let of = |units: u64| {
            let mut seen = Vec::new();
            let disk = Units(&disk, units);
            let mut parts = Parts::new(&disk);
            for part in [100..9 << 20, 6001..(8 << 20) + 701, 4096..12_288, 12_000..12_500] {
                let each = |at: u64, bytes: &[u8]| {
                    seen.extend(bytes.iter().enumerate().map(|(index, byte)| (at + index as u64, *byte)));
                    Ok::<_, ReadError>(())
                };
                parts.each_data(part, each).unwrap();
            }
            seen
        };
        let whole = of(disk.len() as u64);
        assert!(!whole.is_empty());
        for units in [512, 4096, 65_536, 1 << 20] {
            assert_eq!(of(units), whole, "{units}");
        }
    }

    #[test]
    fn the_digest_is_that_of_the_written_rule() {
        let disk = sparse();
        let mut text = format!("mercat.disk/1\n{}\n", disk.len());
        for (index, piece) in disk.chunks(4 << 20).enumerate() {
            if piece.iter().any(|byte| *byte != 0) {
                text.push_str(&format!("{index} {}\n", Digest::from_sha256(&Sha256::digest(piece)).hex()));
            }
        }
        assert_eq!(text.lines().count(), 4);
        assert_eq!(disk_digest(&disk).unwrap(), Digest::from_sha256(&Sha256::digest(text.as_bytes())));
    }

    #[test]
    fn a_digest_goes_on_behind_the_pieces_of_an_earlier_try() {
        let disk = sparse();
        let mut first = DiskDigest::new(disk.len() as u64);
        first.data(0, &disk[..4096]);
        first.data((4 << 20) - 4096, &disk[(4 << 20) - 4096..4 << 20]);
        let mut second = DiskDigest::resume(disk.len() as u64, first.lines().to_owned());
        each_data(&disk, 4 << 20, |offset, bytes| {
            second.data(offset, bytes);
            Ok::<_, ReadError>(())
        })
        .unwrap();
        assert_eq!(second.finish(), disk_digest(&disk).unwrap());
    }

    #[test]
    fn blocks_of_zeros_are_not_shown() {
        let mut seen = Vec::new();
        each_data(&sparse(), 0, |offset, bytes| {
            seen.push((offset, bytes.len()));
            Ok::<_, ReadError>(())
        })
        .unwrap();
        let at = |mib: u64| mib << 20;
        assert_eq!(seen, [(0, 4096), (at(4) - 4096, 4096), (at(8) + 4096, 4096), (at(9), 512)]);
    }
}
