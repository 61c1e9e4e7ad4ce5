//! Known vulnerabilities: OSV records, compiled into one snapshot and matched by package and version.

pub mod versions;

use mercat_artifact::pkgdb::Package;
use mercat_domain::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Digest as _;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use versions::{is_rpm, order_of};

/// One advisory about one package of one ecosystem.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Advisory {
    /// Ecosystem, for example `Debian:12`.
    pub ecosystem: String,
    /// Package (source package for Debian and Alpine).
    pub package: String,
    /// OSV id.
    pub id: String,
    /// Other names of the same vulnerability.
    pub aliases: Vec<String>,
    /// Level by name, or empty when the record has none.
    pub level: String,
    /// Affected ranges: from, to (exclusive; empty means not fixed), last (inclusive).
    pub ranges: Vec<(String, String, String)>,
    /// Affected versions, listed.
    pub versions: Vec<String>,
}

/// A snapshot of advisories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advisories {
    /// Where they came from, as the operator named it.
    pub source: String,
    /// Newest `modified` of the records.
    pub newest: String,
    records: Vec<Advisory>,
    #[serde(skip)]
    by_package: BTreeMap<(String, String), Vec<usize>>,
    #[serde(skip)]
    ecosystems: BTreeSet<String>,
    #[serde(skip)]
    digest: Option<Digest>,
}

impl Default for Advisories {
    fn default() -> Self {
        Self::new(String::new(), String::new(), Vec::new())
    }
}

/// A vulnerability of an installed package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match<'a> {
    /// The record.
    pub advisory: &'a Advisory,
    /// The first version without it, when there is one.
    pub fixed: Option<&'a str>,
}

impl Advisories {
    /// A snapshot of these records.
    pub fn new(source: String, newest: String, mut records: Vec<Advisory>) -> Self {
        records.sort();
        records.dedup();
        let mut out = Self {
            source,
            newest,
            records,
            by_package: BTreeMap::new(),
            ecosystems: BTreeSet::new(),
            digest: None,
        };
        out.index();
        out
    }

    fn index(&mut self) {
        for (at, record) in self.records.iter().enumerate() {
            let key = (record.ecosystem.clone(), record.package.clone());
            self.by_package.entry(key).or_default().push(at);
            self.ecosystems.insert(record.ecosystem.clone());
        }
        let text = serde_json::to_vec(&self.records).expect("records are plain data");
        self.digest = Some(Digest::from_sha256(&sha2::Sha256::digest(&text)));
    }

    /// Reads a snapshot written by [`Advisories::to_json`].
    ///
    /// # Errors
    /// When the text is not a snapshot.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        let mut out: Self = serde_json::from_str(text)?;
        out.index();
        Ok(out)
    }

    /// The snapshot as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("records are plain data")
    }

    /// Digest of the records.
    pub fn digest(&self) -> String {
        self.digest.as_ref().map(Digest::to_string).unwrap_or_default()
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether any record is about this ecosystem.
    pub fn covers(&self, ecosystem: &str) -> bool {
        self.ecosystems.contains(ecosystem)
    }

    /// What is known about an installed package.
    pub fn matches<'a>(&'a self, ecosystem: &str, package: &Package) -> Vec<Match<'a>> {
        let Some(order) = order_of(ecosystem) else { return Vec::new() };
        // Some rpm distributions name the source, others the package.
        let mut names = vec![&package.source];
        if is_rpm(ecosystem) && package.name != package.source {
            names.push(&package.name);
        }
        let records = names.into_iter().flat_map(|name| {
            let key = (ecosystem.to_owned(), name.clone());
            self.by_package.get(&key).into_iter().flatten().map(|at| &self.records[*at])
        });
        records.filter_map(|advisory| affected(advisory, &package.source_version, order)).collect()
    }
}

fn affected<'a>(
    advisory: &'a Advisory,
    version: &str,
    order: fn(&str, &str) -> Ordering,
) -> Option<Match<'a>> {
    for (from, to, last) in &advisory.ranges {
        let begun = from == "0" || from.is_empty() || order(version, from) != Ordering::Less;
        let over = (!to.is_empty() && order(version, to) != Ordering::Less)
            || (!last.is_empty() && order(version, last) == Ordering::Greater);
        if begun && !over {
            return Some(Match { advisory, fixed: Some(to.as_str()).filter(|to| !to.is_empty()) });
        }
    }
    advisory.versions.iter().any(|v| v == version).then_some(Match { advisory, fixed: None })
}

/// Reads one OSV record (schema 1.x). Withdrawn records give nothing.
///
/// # Errors
/// What is missing.
pub fn read_osv(text: &[u8]) -> Result<(Vec<Advisory>, String), String> {
    let record = mercat_artifact::json::parse(text).map_err(|error| error.to_string())?;
    let word = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let id = word(&record, "id");
    if id.is_empty() {
        return Err("the record has no id".to_owned());
    }
    let modified = word(&record, "modified");
    if record.get("withdrawn").is_some_and(|at| !at.is_null()) {
        return Ok((Vec::new(), modified));
    }
    let items =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let texts = |value: &Value, key: &str| -> Vec<String> {
        items(value, key).iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let mut out = Vec::new();
    for affected in items(&record, "affected") {
        let Some(package) = affected.get("package") else { continue };
        let mut ranges = Vec::new();
        for range in items(&affected, "ranges").iter().filter(|range| word(range, "type") != "GIT") {
            ranges.extend(read_events(&items(range, "events")));
        }
        let level = level(&items(&affected, "severity"))
            .or_else(|| level(&items(&record, "severity")))
            .or_else(|| named_level(affected.get("database_specific")))
            .or_else(|| named_level(affected.get("ecosystem_specific")))
            .or_else(|| named_level(record.get("database_specific")));
        out.push(Advisory {
            ecosystem: word(package, "ecosystem"),
            package: word(package, "name"),
            id: id.clone(),
            aliases: [texts(&record, "aliases"), texts(&record, "upstream")].concat(),
            level: level.unwrap_or_default(),
            ranges,
            versions: texts(&affected, "versions"),
        });
    }
    Ok((out, modified))
}

fn read_events(events: &[Value]) -> Vec<(String, String, String)> {
    let mut out = Vec::new();
    let mut open: Option<String> = None;
    for event in events {
        let get = |key: &str| event.get(key).and_then(Value::as_str).map(str::to_owned);
        if let Some(from) = get("introduced") {
            open = Some(from);
        } else if let Some(to) = get("fixed") {
            out.push((open.take().unwrap_or_else(|| "0".into()), to, String::new()));
        } else if let Some(last) = get("last_affected") {
            out.push((open.take().unwrap_or_else(|| "0".into()), String::new(), last));
        }
    }
    out.extend(open.map(|from| (from, String::new(), String::new())));
    out
}

fn level(severity: &[Value]) -> Option<String> {
    let scores = severity.iter().filter_map(|item| {
        let text = item.get("score")?.as_str()?;
        text.parse::<cvss::Cvss>().ok().map(|cvss| cvss.score()).or_else(|| text.parse().ok())
    });
    let worst = scores.fold(None, |worst: Option<f64>, score| Some(worst.map_or(score, |w| w.max(score))))?;
    Some(
        match worst {
            score if score >= 9.0 => "critical",
            score if score >= 7.0 => "high",
            score if score >= 4.0 => "medium",
            _ => "low",
        }
        .to_owned(),
    )
}

fn named_level(of: Option<&Value>) -> Option<String> {
    let name = of?.get("severity").or_else(|| of?.get("urgency"))?.as_str()?.to_ascii_lowercase();
    match name.as_str() {
        "critical" | "high" | "medium" | "low" => Some(name),
        "moderate" | "important" => Some("medium".to_owned()),
        "negligible" | "unimportant" => Some("low".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"id": "DSA-1-1", "modified": "2026-01-02T00:00:00Z", "aliases": ["CVE-2026-1"],
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "affected": [{"package": {"ecosystem": "Debian:12", "name": "openssl"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.0.11-1~deb12u2"}]}]}]}"#;

    fn package(version: &str) -> Package {
        Package {
            name: "libssl3".into(),
            version: version.into(),
            architecture: "amd64".into(),
            source: "openssl".into(),
            source_version: version.into(),
        }
    }

    #[test]
    fn a_version_before_the_fix_matches_and_the_fix_does_not() {
        let (records, newest) = read_osv(RECORD.as_bytes()).expect("reads");
        assert_eq!((newest.as_str(), records[0].level.as_str()), ("2026-01-02T00:00:00Z", "critical"));
        let advisories = Advisories::new("test".into(), newest, records);
        let old = advisories.matches("Debian:12", &package("3.0.11-1~deb12u1"));
        assert_eq!(old[0].fixed, Some("3.0.11-1~deb12u2"));
        assert_eq!(advisories.matches("Debian:12", &package("3.0.11-1~deb12u2")), []);
        assert_eq!(advisories.matches("Debian:11", &package("1")), []);
        let again = Advisories::from_json(&advisories.to_json()).expect("reads");
        assert_eq!(again.digest(), advisories.digest());
        assert!(again.covers("Debian:12") && !again.covers("Debian:13"));
    }

    #[test]
    fn withdrawn_records_give_nothing_and_broken_ones_an_error() {
        let withdrawn = RECORD.replacen('{', r#"{"withdrawn": "2026-02-02T00:00:00Z","#, 1);
        assert_eq!(read_osv(withdrawn.as_bytes()).expect("reads").0, []);
        assert!(read_osv(b"{}").is_err());
        assert!(read_osv(b"[").is_err());
    }
}
