//! Many inventories against one snapshot: an inverted index from packages to those that hold them.
//!
//! Inventories of a marketplace share most of their packages. Every pair of package and version is judged
//! once, whoever holds it; when only some advisories change, only their packages are judged.

use crate::canonical_name;
use crate::find::Found;
use crate::snapshot::{Snapshot, SnapshotError};
use crate::versions::Scheme;
use std::collections::{BTreeSet, HashMap};

/// Ecosystem and package, and which holders have which of its versions.
type Versions<'a> = (&'a (String, String), &'a HashMap<String, Vec<u32>>);

/// Inventories, turned around.
#[derive(Debug, Default)]
pub struct Catalogue {
    packages: HashMap<(String, String), HashMap<String, Vec<u32>>>,
}

/// A version with something to tell, and who holds it.
#[derive(Debug)]
pub struct Struck<'a> {
    /// Ecosystem.
    pub ecosystem: &'a str,
    /// Canonical name of the package.
    pub package: &'a str,
    /// Version.
    pub version: &'a str,
    /// The inventories that hold it.
    pub holders: &'a [u32],
    /// What is known about it.
    pub found: Found,
}

impl Catalogue {
    /// Adds a package of an inventory.
    pub fn add(&mut self, holder: u32, ecosystem: &str, package: &str, version: &str) {
        let key = (ecosystem.to_owned(), canonical_name(ecosystem, package));
        self.packages.entry(key).or_default().entry(version.to_owned()).or_default().push(holder);
    }

    /// Different packages.
    pub fn packages(&self) -> usize {
        self.packages.len()
    }

    /// Different pairs of package and version.
    pub fn versions(&self) -> usize {
        self.packages.values().map(HashMap::len).sum()
    }

    /// Judges every version of every package, in as many threads as are told; packages whose ecosystem has
    /// no known order are left out.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn judge(&self, snapshot: &Snapshot, threads: usize) -> Result<Vec<Struck<'_>>, SnapshotError> {
        let all: Vec<_> = self.packages.iter().collect();
        let share = all.len().div_ceil(threads.max(1)).max(1);
        std::thread::scope(|scope| {
            let judge = |part| move || Self::judge_part(snapshot, part);
            let running: Vec<_> = all.chunks(share).map(|part| scope.spawn(judge(part))).collect();
            let mut out = Vec::new();
            for thread in running {
                out.extend(thread.join().expect("judging does not panic")?);
            }
            Ok(out)
        })
    }

    /// Judges only these packages, which is what a change of some advisories needs.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn judge_only(
        &self,
        snapshot: &Snapshot,
        packages: &BTreeSet<(String, String)>,
    ) -> Result<Vec<Struck<'_>>, SnapshotError> {
        let part: Vec<_> = packages.iter().filter_map(|key| self.packages.get_key_value(key)).collect();
        Self::judge_part(snapshot, &part)
    }

    fn judge_part<'a>(snapshot: &Snapshot, part: &[Versions<'a>]) -> Result<Vec<Struck<'a>>, SnapshotError> {
        let mut out = Vec::new();
        for ((ecosystem, package), versions) in part {
            let Some(scheme) = Scheme::of(ecosystem) else { continue };
            let records = snapshot.package(ecosystem, package)?;
            if records.is_empty() {
                continue;
            }
            for (version, holders) in *versions {
                let found = snapshot.judge(scheme, &records, version)?;
                if found != Found::default() {
                    out.push(Struck { ecosystem, package, version, holders, found });
                }
            }
        }
        Ok(out)
    }
}
