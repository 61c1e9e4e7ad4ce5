//! What a snapshot says about one installed package: every vulnerability once, with all its names.

use crate::record::Standing;
use crate::severity::LEVELS;
use crate::snapshot::{Key, Posting, Snapshot, SnapshotError};
use crate::versions::{CannotCompare, Scheme};
use crate::{Advisories, Advisory, Epss, Kev, canonical_name};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// A vulnerability of an installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vulnerability {
    /// All names: the CVE first where there is one.
    pub names: Vec<String>,
    /// Those of the vulnerabilities that it consists of, where a record is about several at once, as advisories of
    /// distributions are. What is known of one of them says nothing of the others.
    pub parts: Vec<String>,
    /// Names of what it is as a whole.
    pub whole: Vec<String>,
    /// Worst level of the records that are about it, or empty when none has one.
    pub level: String,
    /// The first version without it by all records that tell one.
    pub fixed: Option<String>,
    /// That it is exploited.
    pub kev: Option<Kev>,
    /// How likely it is exploited: the highest of its names.
    pub epss: Option<Epss>,
}

impl Vulnerability {
    /// What of it is left when what these claims name does not count, each by names of one vulnerability: the parts that none of
    /// them names. `None` when nothing is left. Who names a part names no more than that.
    pub fn left<'c>(&self, claims: impl IntoIterator<Item = &'c [String]>) -> Option<Vec<&str>> {
        let mut left: Vec<&str> = self.parts.iter().map(String::as_str).collect();
        for claim in claims {
            let names = |name: &str| claim.iter().any(|named| named.eq_ignore_ascii_case(name));
            let whole = if self.parts.is_empty() { &self.names } else { &self.whole };
            let of_part = self.parts.iter().any(|part| names(part));
            if !of_part && whole.iter().any(|name| names(name)) {
                return None;
            }
            left.retain(|part| !names(part));
        }
        (self.parts.is_empty() || !left.is_empty()).then_some(left)
    }
}

/// Records that cannot be told about a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecided {
    /// How many.
    pub records: usize,
    /// The first of them.
    pub first: String,
    /// Why that one.
    pub why: CannotCompare,
}

/// What is known about an installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Vulnerabilities that it has, by their first name.
    pub vulnerabilities: Vec<Vulnerability>,
    /// What could not be decided; never to be taken for "not affected".
    pub undecided: Option<Undecided>,
}

impl Advisories {
    /// What is known about a version of a package that is known by these names, and of a module's stream or of none.
    ///
    /// # Errors
    /// When the snapshot cannot be used or read; also when there is none, because "nothing is known" and
    /// "there is nothing" are not the same ([`SnapshotError::Empty`]).
    pub fn find(
        &self,
        scheme: Scheme,
        ecosystem: &str,
        names: &[&str],
        (version, module): (&str, &str),
    ) -> Result<Found, SnapshotError> {
        let snapshot = self.snapshot().ok_or(SnapshotError::Empty)?;
        let mut records = Vec::new();
        let unique: BTreeSet<String> = names.iter().map(|name| canonical_name(ecosystem, name)).collect();
        for name in &unique {
            records.extend(snapshot.package(ecosystem, name)?);
        }
        records.retain(|advisory| advisory.is_of(module));
        snapshot.judge(scheme, &records, version)
    }
}

impl Snapshot {
    /// The groups in which a package of this name has advisories (Maven).
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn groups_of(&self, ecosystem: &str, artifact: &str) -> Result<Vec<String>, SnapshotError> {
        let postings = self.find(Key::Artifact(ecosystem, artifact))?;
        let of_it = postings.into_iter().filter_map(|posting| match posting {
            Posting::Artifact { ecosystem: of, artifact: name, groups } => {
                (of == ecosystem && name == artifact).then_some(groups)
            }
            _ => None,
        });
        Ok(of_it.flatten().collect())
    }

    /// Whether there are advisories about packages of groups with this [`root_of`](crate::root_of).
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn has_root(&self, ecosystem: &str, root: &str) -> Result<bool, SnapshotError> {
        let is_it = |posting: &Posting| matches!(posting, Posting::Root { ecosystem: of, root: known } if of == ecosystem && known == root);
        Ok(self.find(Key::Root(ecosystem, root))?.iter().any(is_it))
    }

    /// All advisories about a package, by its canonical name.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn package(&self, ecosystem: &str, package: &str) -> Result<Vec<Advisory>, SnapshotError> {
        let mut out = Vec::new();
        for posting in self.find(Key::Package(ecosystem, package))? {
            if let Posting::Package(advisories) = posting {
                out.extend(
                    advisories.into_iter().filter(|a| a.ecosystem == ecosystem && a.package == package),
                );
            }
        }
        Ok(out)
    }

    /// Judges a version by advisories about its package.
    ///
    /// # Errors
    /// When the tables of exploitation cannot be read.
    pub fn judge(&self, scheme: Scheme, records: &[Advisory], version: &str) -> Result<Found, SnapshotError> {
        let mut hits: Vec<(&Advisory, Option<String>)> = Vec::new();
        let mut undecided: Option<Undecided> = None;
        for advisory in records {
            match advisory.judge(scheme, version) {
                Standing::Clear => {}
                Standing::Affected { fixed } => hits.push((advisory, fixed)),
                Standing::Undecided(why) => {
                    let first = || Undecided { records: 0, first: advisory.id.clone(), why };
                    undecided.get_or_insert_with(first).records += 1;
                }
            }
        }
        let mut vulnerabilities = merge(scheme, &hits);
        for found in &mut vulnerabilities {
            self.signals(found)?;
        }
        vulnerabilities.sort_by(|a, b| a.names.cmp(&b.names));
        Ok(Found { vulnerabilities, undecided })
    }

    fn signals(&self, found: &mut Vulnerability) -> Result<(), SnapshotError> {
        let (kev, epss) = (self.meta().kev.is_some(), self.meta().epss.is_some());
        for name in found.names.iter().filter(|name| name.starts_with("CVE-")) {
            if kev {
                let entry = self.find(Key::Kev(name))?.into_iter().find_map(|posting| match posting {
                    Posting::Kev(cve, entry) if cve == *name => Some(entry),
                    _ => None,
                });
                found.kev = found.kev.take().or(entry);
            }
            if epss {
                let entry = self.find(Key::Epss(name))?.into_iter().find_map(|posting| match posting {
                    Posting::Epss(cve, entry) if cve == *name => Some(entry),
                    _ => None,
                });
                found.epss = found.epss.max_by_probability(entry);
            }
        }
        Ok(())
    }
}

trait MaxByProbability {
    fn max_by_probability(self, other: Self) -> Self;
}

impl MaxByProbability for Option<Epss> {
    fn max_by_probability(self, other: Self) -> Self {
        [self, other].into_iter().flatten().max_by_key(|epss| epss.probability)
    }
}

/// The names under which a record is the same as another: only its own when it is about several vulnerabilities at once,
/// as advisories of distributions are; and those of the several.
fn own_names(advisory: &Advisory) -> (Vec<&str>, BTreeSet<&str>) {
    let own = || std::iter::once(&advisory.id).chain(&advisory.aliases).map(String::as_str);
    let upstream = || advisory.upstream.iter().map(String::as_str);
    let cves: BTreeSet<&str> = own().chain(upstream()).filter(|name| name.starts_with("CVE-")).collect();
    match cves.len() {
        0 if advisory.upstream.len() < 2 => (own().collect(), BTreeSet::new()),
        0 => (own().collect(), upstream().collect()),
        1 => (own().chain(upstream()).collect(), BTreeSet::new()),
        _ => (vec![&advisory.id], cves.into_iter().chain(upstream()).collect()),
    }
}

fn root(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

fn merge(scheme: Scheme, hits: &[(&Advisory, Option<String>)]) -> Vec<Vulnerability> {
    let mut parents: Vec<usize> = (0..hits.len()).collect();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, (advisory, _)) in hits.iter().enumerate() {
        for name in own_names(advisory).0 {
            let other = *seen.entry(name).or_insert(at);
            let (one, other) = (root(&mut parents, at), root(&mut parents, other));
            parents[one.max(other)] = one.min(other);
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..hits.len() {
        groups.entry(root(&mut parents, at)).or_default().push(at);
    }
    groups.into_values().map(|group| one(scheme, group.into_iter().map(|at| &hits[at]))).collect()
}

fn one<'a>(scheme: Scheme, hits: impl Iterator<Item = &'a (&'a Advisory, Option<String>)>) -> Vulnerability {
    let (mut out, mut names) = (Vulnerability::default(), BTreeSet::new());
    let (mut whole, mut parts) = (BTreeSet::new(), BTreeSet::new());
    let rank = |level: &str| LEVELS.iter().position(|known| *known == level);
    for (advisory, fixed) in hits {
        names.insert(&advisory.id);
        names.extend(&advisory.aliases);
        names.extend(&advisory.upstream);
        let (own, several) = own_names(advisory);
        whole.extend(own);
        parts.extend(several);
        if rank(&out.level) < rank(&advisory.level) {
            out.level.clone_from(&advisory.level);
        }
        let later = |fix: &String| {
            out.fixed.as_ref().is_none_or(|known| scheme.compare(known, fix) == Ok(Ordering::Less))
        };
        if let Some(fix) = fixed.as_ref().filter(|fix| later(fix)) {
            out.fixed = Some(fix.clone());
        }
    }
    let (mut first, rest): (Vec<String>, Vec<String>) =
        names.into_iter().cloned().partition(|name| name.starts_with("CVE-"));
    first.extend(rest);
    out.names = first;
    if !parts.is_empty() {
        out.whole = whole.difference(&parts).map(|&name| name.to_owned()).collect();
        out.parts = parts.into_iter().map(str::to_owned).collect();
    }
    out
}
