//! Known vulnerabilities: OSV records and what is known beside them, compiled into one snapshot and
//! matched by package and version; statements of others about them (VEX).
//!
//! Nothing here knows the time: whoever judges the age of a snapshot brings today along as a [`Day`].

mod catalogue;
mod content;
mod day;
mod find;
pub mod osv;
mod record;
mod severity;
mod signals;
mod snapshot;
pub mod versions;
pub mod vex;

pub use catalogue::{Catalogue, Struck};
pub use content::{Batch, Content, IMPORTS_MAX, Rollback, is_to_come};
pub use day::Day;
pub use find::{Found, Undecided, Vulnerability};
pub use record::{
    Advisory, Interval, Standing, canonical_ecosystem, canonical_name, ecosystem_of_purl_type, root_of,
};
pub use severity::LEVELS;
pub use signals::{EPSS_ONE, Epss, Kev, SignalError, Table, is_kev, read_epss, read_kev};
pub use snapshot::{Coverage, Import, Meta, SCHEMA, Snapshot, SnapshotError};

use mercat_artifact::Positioned;
use std::sync::Arc;

/// What certification knows of vulnerabilities: nothing, a snapshot, or one that cannot be used.
#[derive(Debug, Clone, Default)]
pub struct Advisories {
    state: State,
}

#[derive(Debug, Clone, Default)]
enum State {
    #[default]
    None,
    Open(Snapshot),
    Unusable(Arc<SnapshotError>),
}

impl Advisories {
    /// Opens a snapshot. One that cannot be used is kept as such: it covers nothing and says why.
    pub fn open(file: Arc<dyn Positioned>, today: Option<Day>) -> Self {
        match Snapshot::open(file, today) {
            Ok(snapshot) => Self { state: State::Open(snapshot) },
            Err(error) => Self::unusable(error),
        }
    }

    /// What stands for a snapshot that could not be opened.
    pub fn unusable(error: SnapshotError) -> Self {
        Self { state: State::Unusable(Arc::new(error)) }
    }

    /// A snapshot in memory of these advisories, as if imported on a day.
    ///
    /// # Errors
    /// When something in it is too large.
    pub fn of(advisories: Vec<Advisory>, day: Day) -> Result<Self, SnapshotError> {
        let record = |advisory: Advisory| osv::Record {
            id: advisory.id.clone(),
            modified: advisory.modified.clone(),
            advisories: vec![advisory],
            ..osv::Record::default()
        };
        let batch = Batch { records: advisories.into_iter().map(record).collect(), ..Batch::default() };
        let mut content = Content::default();
        let at_unix = day.since(Day::default()) * 86_400;
        content.add(batch, true, Import { at_unix, ..Import::default() });
        let mut file = Vec::new();
        content.write(&mut file)?;
        Ok(Self { state: State::Open(Snapshot::open(Arc::new(file), None)?) })
    }

    /// Why the snapshot cannot be used, when it cannot.
    pub fn trouble(&self) -> Option<&SnapshotError> {
        match &self.state {
            State::Unusable(error) => Some(error),
            State::None | State::Open(_) => None,
        }
    }

    /// The snapshot, when there is one that can be used.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        match &self.state {
            State::Open(snapshot) => Some(snapshot),
            State::None | State::Unusable(_) => None,
        }
    }

    /// What the snapshot says about itself.
    pub fn meta(&self) -> Option<&Meta> {
        self.snapshot().map(Snapshot::meta)
    }

    /// Digest of what it knows; the trouble's text when it cannot be used, and empty when there is none.
    pub fn digest(&self) -> String {
        match &self.state {
            State::None => String::new(),
            State::Open(snapshot) => format!("sha256:{}", snapshot.meta().digest),
            State::Unusable(error) => error.to_string(),
        }
    }

    /// Newest `modified` of the records.
    pub fn newest(&self) -> String {
        self.meta().map(|meta| meta.newest.clone()).unwrap_or_default()
    }

    /// How many advisories.
    pub fn len(&self) -> u64 {
        self.meta().map_or(0, |meta| meta.advisories)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is known about an ecosystem; `None` when no record about it was ever imported.
    pub fn coverage(&self, ecosystem: &str) -> Option<&Coverage> {
        self.meta()?.ecosystems.get(ecosystem)
    }
}

#[cfg(test)]
mod tests;
