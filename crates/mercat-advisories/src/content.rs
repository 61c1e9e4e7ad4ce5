//! What a snapshot is made of, in memory, while records are imported.

use crate::Day;
use crate::osv::Record;
use crate::signals::{Epss, Kev, Table};
use crate::snapshot::{Import, Meta, Posting, Snapshot, SnapshotError, write};
use std::collections::BTreeMap;
use std::io::Write;

/// Imports whose provenance is kept.
pub const IMPORTS_MAX: usize = 200;

/// Everything that a snapshot will hold.
#[derive(Debug, Clone, Default)]
pub struct Content {
    pub(crate) records: BTreeMap<String, Record>,
    pub(crate) kev: Table<Kev>,
    pub(crate) epss: Table<Epss>,
    pub(crate) imported: BTreeMap<String, Day>,
    pub(crate) imports: Vec<Import>,
}

/// Why an import is refused: the data is older than what is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "SNP-09: the newest {what} is of {new}, the snapshot has one of {old}: this would go back; say so with --allow-older"
)]
pub struct Rollback {
    /// What is older.
    pub what: String,
    /// The date of what would be imported.
    pub new: String,
    /// The date of what is there.
    pub old: String,
}

/// Records and tables that belong to one import.
#[derive(Debug, Default)]
pub struct Batch {
    /// Records.
    pub records: Vec<Record>,
    /// KEV catalogues.
    pub kev: Option<Table<Kev>>,
    /// EPSS tables.
    pub epss: Option<Table<Epss>>,
    /// Records that could not be used.
    pub unread: u64,
}

/// Days by which a date may be ahead: clocks and time zones differ.
const AHEAD_DAYS_MAX: i64 = 1;

/// Whether a record says that it was changed on a day that is yet to come. It is used; its date says nothing.
pub fn is_to_come(modified: &str, today: Day) -> bool {
    Day::parse(modified).is_some_and(|day| day.since(today) > AHEAD_DAYS_MAX)
}

/// A timestamp in the order of time: the second, and what there is of the next, as records have them (RFC 3339, UTC).
fn time_of(modified: &str) -> (&str, &str) {
    let (second, rest) = modified.split_at_checked(19).unwrap_or((modified, ""));
    let fraction = rest.strip_prefix('.').unwrap_or_default();
    let end = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
    (second, fraction[..end].trim_end_matches('0'))
}

impl Content {
    /// What a snapshot holds, to add to it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(snapshot: &Snapshot) -> Result<Self, SnapshotError> {
        let mut out = Self::default();
        snapshot.each(|posting| match posting {
            Posting::Package(advisories) => {
                for advisory in advisories {
                    let record = out.records.entry(advisory.id.clone()).or_default();
                    record.id.clone_from(&advisory.id);
                    record.modified.clone_from(&advisory.modified);
                    record.advisories.push(advisory);
                }
            }
            Posting::Bare { id, modified, withdrawn, by_commits_alone } => {
                let record = out.records.entry(id.clone()).or_default();
                (record.id, record.modified) = (id, modified);
                (record.withdrawn, record.by_commits_alone) = (withdrawn, by_commits_alone);
            }
            Posting::Kev(cve, kev) => drop(out.kev.entries.insert(cve, kev)),
            Posting::Epss(cve, epss) => drop(out.epss.entries.insert(cve, epss)),
            // What follows from the names of packages is written anew.
            Posting::Artifact { .. } | Posting::Root { .. } => {}
        })?;
        // The order in which postings are kept is not that of the record.
        out.records.values_mut().for_each(|record| record.advisories.sort());
        let meta = snapshot.meta();
        out.kev.day = meta.kev.map(|(day, _)| day).unwrap_or_default();
        out.epss.day = meta.epss.map(|(day, _)| day).unwrap_or_default();
        out.imported = meta.ecosystems.iter().map(|(name, known)| (name.clone(), known.imported)).collect();
        out.imports.clone_from(&meta.imports);
        Ok(out)
    }

    /// Whether a batch is older than what is there: by ecosystem, and by table. Dates that are yet to come do not count: one
    /// of them would keep out all that follows.
    ///
    /// # Errors
    /// The first that is.
    pub fn check_newer(&self, batch: &Batch, today: Day) -> Result<(), Rollback> {
        let newest = |records: &mut dyn Iterator<Item = &Record>| {
            let mut out: BTreeMap<String, String> = BTreeMap::new();
            let counted = records.filter(|record| !is_to_come(&record.modified, today));
            for advisory in counted.flat_map(|record| &record.advisories) {
                let known = out.entry(advisory.ecosystem.clone()).or_default();
                if time_of(known) < time_of(&advisory.modified) {
                    known.clone_from(&advisory.modified);
                }
            }
            out
        };
        let old = newest(&mut self.records.values());
        for (ecosystem, new) in newest(&mut batch.records.iter()) {
            if let Some(old) = old.get(&ecosystem).filter(|old| time_of(old) > time_of(&new)) {
                return Err(Rollback { what: format!("record about {ecosystem}"), new, old: old.clone() });
            }
        }
        let tables = [
            ("KEV catalogue", batch.kev.as_ref().map(|table| table.day), self.kev.day),
            ("EPSS table", batch.epss.as_ref().map(|table| table.day), self.epss.day),
        ];
        for (what, new, old) in tables {
            if let Some(new) = new.filter(|new| *new < old && old.since(today) <= AHEAD_DAYS_MAX) {
                return Err(Rollback { what: what.to_owned(), new: new.to_string(), old: old.to_string() });
            }
        }
        Ok(())
    }

    /// Adds a batch: records that are not newer than those that are there are kept as they are, unless
    /// `older_too`. The import's counts are filled in here.
    pub fn add(&mut self, batch: Batch, older_too: bool, mut import: Import) {
        let day = Day::of_unix(import.at_unix);
        for mut record in batch.records {
            import.records += 1;
            record.advisories.sort();
            record.advisories.dedup();
            if time_of(&import.newest) < time_of(&record.modified) && !is_to_come(&record.modified, day) {
                import.newest.clone_from(&record.modified);
            }
            for advisory in &record.advisories {
                self.imported.insert(advisory.ecosystem.clone(), day);
            }
            let known = self.records.get(&record.id);
            let is_newer = |known: &Record| {
                match (is_to_come(&known.modified, day), is_to_come(&record.modified, day)) {
                    (true, false) => *known != record,
                    // It would be forgotten how new that is which is known.
                    (false, true) => older_too,
                    _ => {
                        time_of(&known.modified) < time_of(&record.modified) || older_too && *known != record
                    }
                }
            };
            if known.is_none_or(is_newer) {
                import.changed += 1;
                self.records.insert(record.id.clone(), record);
            }
        }
        import.unread = batch.unread;
        if let Some(kev) = batch.kev {
            self.kev = kev;
        }
        if let Some(epss) = batch.epss {
            self.epss = epss;
        }
        self.imports.push(import);
        let excess = self.imports.len().saturating_sub(IMPORTS_MAX);
        self.imports.drain(..excess);
    }

    /// Writes the snapshot.
    ///
    /// # Errors
    /// When it cannot be written, or something in it is too large.
    pub fn write(&self, out: &mut dyn Write) -> Result<Meta, SnapshotError> {
        write(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_of_seconds_are_behind_their_second() {
        let times = [
            "",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.09Z",
            "2026-01-01T00:00:00.9Z",
            "2026-01-01T00:00:01Z",
        ];
        assert!(times.is_sorted_by(|a, b| time_of(a) < time_of(b)));
        assert_eq!(time_of("2026-01-01T00:00:00.500Z"), time_of("2026-01-01T00:00:00.5Z"));
        assert_eq!(time_of("2026-01-01T00:00:00.000Z"), time_of("2026-01-01T00:00:00Z"));
        assert_eq!(time_of("2026-01-01T00:00:0é"), ("2026-01-01T00:00:0é", ""));
    }
}
