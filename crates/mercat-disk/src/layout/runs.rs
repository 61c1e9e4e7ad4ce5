//! Which units of a disk are written, and where.

use std::ops::Range;

/// Units (clusters, blocks) that follow each other in the disk and in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// First unit of the disk.
    pub(super) unit: u64,
    pub(super) units: u64,
    /// Number of the first unit among all that are written.
    pub(super) rank: u64,
}

/// Every run, in order, and the tables that are written for them.
#[derive(Debug, Default)]
pub(super) struct Runs {
    runs: Vec<Run>,
    tables: Vec<usize>,
}

impl Runs {
    /// The units that the data touches.
    pub(super) fn of(data: &[Range<u64>], unit_bytes: u64) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let mut rank = 0;
        for range in data {
            let (mut first, end) = (range.start / unit_bytes, range.end.div_ceil(unit_bytes));
            if let Some(last) = runs.last_mut() {
                first = first.max(last.unit + last.units);
                if first == last.unit + last.units {
                    last.units += end.saturating_sub(first);
                    rank += end.saturating_sub(first);
                    continue;
                }
            }
            runs.push(Run { unit: first, units: end - first, rank });
            rank += end - first;
        }
        Self { runs, tables: Vec::new() }
    }

    /// Keeps the numbers of the tables that are written, in order.
    pub(super) fn with_tables(self, tables: Vec<usize>) -> Self {
        Self { tables, ..self }
    }

    /// The number of the table of that rank.
    pub(super) fn table(&self, rank: u64) -> u64 {
        usize::try_from(rank).ok().and_then(|rank| self.tables.get(rank)).map_or(0, |table| *table as u64)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Run> + '_ {
        self.runs.iter().copied()
    }

    /// Units that are written.
    pub(super) fn units(&self) -> u64 {
        self.runs.last().map_or(0, |last| last.rank + last.units)
    }

    /// The runs that meet a range of units of the disk.
    pub(super) fn within(&self, units: Range<u64>) -> impl Iterator<Item = Run> + '_ {
        let first = self.runs.partition_point(|run| run.unit + run.units <= units.start);
        self.runs[first..].iter().copied().take_while(move |run| run.unit < units.end)
    }

    /// The number of a unit among all that are written.
    pub(super) fn rank(&self, unit: u64) -> Option<u64> {
        self.within(unit..unit + 1).next().map(|run| run.rank + (unit - run.unit))
    }
}
