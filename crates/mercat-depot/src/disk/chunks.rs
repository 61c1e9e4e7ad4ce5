//! Cuts runs of data where their content says so, so that data which moved is recognised.

use fastcdc::v2020::FastCDC;
use std::ops::Range;

/// Chunk sizes in bytes for a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    min: usize,
    average: usize,
    max: usize,
}

impl Sizes {
    /// 16 384 average chunks fill a segment: its manifest stays below 4 MiB, which registries take. Small
    /// chunks are what makes an update cheap: a rebuilt guest differs in many places by a few blocks.
    pub(super) fn of(span: u64) -> Self {
        let average = usize::try_from(span / 16_384).unwrap_or(1 << 22).clamp(16 << 10, 4 << 20);
        Self { min: average / 2, average, max: average * 4 }
    }
}

/// Joins data into runs and cuts them.
pub(super) struct Chunker {
    sizes: Sizes,
    start: u64,
    run: Vec<u8>,
}

impl Chunker {
    pub(super) fn new(sizes: Sizes) -> Self {
        Self { sizes, start: 0, run: Vec::new() }
    }

    /// Takes data behind all that came before. A gap as long as a chunk ends the run; a shorter one is
    /// written as zeros, so that scattered blocks do not each become a chunk.
    pub(super) fn data<E>(
        &mut self,
        offset: u64,
        bytes: &[u8],
        each: &mut impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let gap = offset.saturating_sub(self.start + self.run.len() as u64);
        if gap >= self.sizes.average as u64 {
            self.end(each)?;
        }
        if self.run.is_empty() {
            self.start = offset;
        } else {
            self.run.resize(self.run.len() + usize::try_from(gap).unwrap_or(0), 0);
        }
        self.run.extend_from_slice(bytes);
        // Cut in batches: what is left behind is moved to the front once for many chunks.
        if self.run.len() >= self.sizes.max * 8 {
            self.cut(self.sizes.max, each)?;
        }
        Ok(())
    }

    /// Ends the run.
    pub(super) fn end<E>(&mut self, each: &mut impl FnMut(u64, &[u8]) -> Result<(), E>) -> Result<(), E> {
        self.cut(1, each)
    }

    /// Gives chunks while at least `keep` bytes are left: a cut looks that far ahead.
    fn cut<E>(&mut self, keep: usize, each: &mut impl FnMut(u64, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut done = 0;
        let Sizes { min, average, max } = self.sizes;
        let cutter = FastCDC::new(&self.run, min, average, max);
        let mut cuts: Vec<Range<usize>> = Vec::new();
        while self.run.len() - done >= keep {
            let (_, end) = cutter.cut(done, self.run.len() - done);
            cuts.push(done..end);
            done = end;
        }
        for cut in cuts {
            each(self.start + cut.start as u64, &self.run[cut])?;
        }
        self.run.drain(..done);
        self.start += done as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn noise(seed: u64, bytes: usize) -> Vec<u8> {
        let mut state = seed;
        (0..bytes)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as u8
            })
            .collect()
    }

    fn chunks(parts: &[(u64, &[u8])]) -> Vec<(u64, Vec<u8>)> {
        let mut out = Vec::new();
        let mut each = |offset: u64, bytes: &[u8]| {
            out.push((offset, bytes.to_vec()));
            Ok::<_, ()>(())
        };
        let mut chunker = Chunker::new(Sizes::of(1 << 30));
        for (offset, bytes) in parts {
            chunker.data(*offset, bytes, &mut each).unwrap();
        }
        chunker.end(&mut each).unwrap();
        out
    }

    #[test]
    fn the_cuts_do_not_depend_on_how_the_data_came() {
        let data = noise(1, 9 << 20);
        let whole = chunks(&[(0, &data)]);
        let pieces: Vec<(u64, &[u8])> =
            data.chunks(12_345).enumerate().map(|(at, part)| (at as u64 * 12_345, part)).collect();
        assert_eq!(chunks(&pieces), whole);
        assert_eq!(whole.iter().flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>(), data);
        assert!(whole.len() > 9 * 4 && whole.len() < 9 * 32, "{}", whole.len());
    }

    #[test]
    fn data_that_moved_keeps_its_chunks() {
        let data = noise(2, 4 << 20);
        let moved = [noise(3, 4096), data.clone()].concat();
        let set =
            |list: Vec<(u64, Vec<u8>)>| list.into_iter().map(|(_, bytes)| bytes).collect::<BTreeSet<_>>();
        let (before, after) = (set(chunks(&[(0, &data)])), set(chunks(&[(0, &moved)])));
        assert!(after.difference(&before).count() <= 2);
    }

    #[test]
    fn a_long_gap_costs_nothing_and_a_short_one_is_filled() {
        let data = noise(4, 8192);
        assert_eq!(chunks(&[(0, &data), (1 << 20, &data)]), [(0, data.clone()), (1 << 20, data.clone())]);
        let short = chunks(&[(0, &data), (16_384, &data)]);
        assert_eq!(short, [(0, [data.clone(), vec![0; 8192], data].concat())]);
    }
}
