//! Reads OSV records (schema 1.7), as JSON and as YAML.

use crate::record::{Advisory, Interval};
use crate::severity;
use crate::versions::Scheme;
use crate::{Day, record};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Ordering;

/// Bytes of one record.
pub const RECORD_BYTES_MAX: u64 = 16 << 20;
/// Packages of one record.
pub const PACKAGES_MAX: usize = 20_000;
/// Events of one range.
pub const EVENTS_MAX: usize = 10_000;
/// Names of vulnerabilities of one record, over all of its packages.
const NAMES_MAX: usize = 2_000_000;
/// Streams of modules of one record.
const MODULES_MAX: usize = 100;
/// Bytes of an id, an ecosystem or a name of a package.
pub const NAME_BYTES_MAX: usize = 512;

/// Why a record is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OsvError {
    /// Not JSON, or not YAML.
    #[error("OSV-01: it cannot be read: {0}")]
    Syntax(String),
    /// A field that must be there is not, or has another type.
    #[error("OSV-02: {field} is missing or is not {want}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it has to be.
        want: &'static str,
    },
    /// More of something than is read.
    #[error("OSV-03: {what} has {found} {unit}; the limit is {limit} {unit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large.
        found: usize,
        /// How large it may be.
        limit: usize,
        /// What is counted.
        unit: &'static str,
    },
}

/// A record: one vulnerability with what it says about packages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// OSV id.
    pub id: String,
    /// When it was changed last, RFC 3339.
    pub modified: String,
    /// Whether it was taken back.
    pub withdrawn: bool,
    /// What it says about packages; empty when withdrawn.
    pub advisories: Vec<Advisory>,
    /// Packages that it describes by commits alone, which no version can be compared with.
    pub by_commits_alone: u32,
}

/// Reads one record in JSON.
///
/// # Errors
/// What is wrong with it.
pub fn read_json(text: &[u8]) -> Result<Record, OsvError> {
    check_size(text)?;
    read(&mercat_artifact::json::parse(text).map_err(|error| OsvError::Syntax(error.to_string()))?)
}

/// Reads one record in YAML, as the Python Packaging Advisory Database keeps them.
///
/// # Errors
/// What is wrong with it.
pub fn read_yaml(text: &[u8]) -> Result<Record, OsvError> {
    check_size(text)?;
    let text = std::str::from_utf8(text).map_err(|error| OsvError::Syntax(error.to_string()))?;
    let value: Value = serde_saphyr::from_str(text)
        .map_err(|error| OsvError::Syntax(error.to_string().lines().next().unwrap_or_default().to_owned()))?;
    read(&value)
}

fn check_size(text: &[u8]) -> Result<(), OsvError> {
    let limit = usize::try_from(RECORD_BYTES_MAX).unwrap_or(usize::MAX);
    within("the record", text.len(), limit, "bytes")
}

fn within(what: &'static str, found: usize, limit: usize, unit: &'static str) -> Result<(), OsvError> {
    if found > limit { Err(OsvError::TooLarge { what, found, limit, unit }) } else { Ok(()) }
}

fn word(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn items<'a>(value: &'a Value, key: &'static str) -> Result<&'a [Value], OsvError> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(OsvError::Field { field: key, want: "a list" }),
    }
}

fn words(value: &Value, key: &'static str) -> Result<Vec<String>, OsvError> {
    let one = |item: &Value| {
        item.as_str().map(str::to_owned).ok_or(OsvError::Field { field: key, want: "a list of texts" })
    };
    items(value, key)?.iter().map(one).collect()
}

/// A name that is shown and looked up: not empty, not long, no control characters.
fn name(value: &Value, key: &'static str) -> Result<String, OsvError> {
    let text = word(value, key);
    within(key, text.len(), NAME_BYTES_MAX, "bytes")?;
    let right = !text.is_empty() && !text.chars().any(char::is_control);
    if right {
        Ok(text)
    } else {
        Err(OsvError::Field { field: key, want: "a text without control characters" })
    }
}

fn read(value: &Value) -> Result<Record, OsvError> {
    let id = name(value, "id")?;
    let modified = name(value, "modified")?;
    if Day::parse(&modified).is_none() {
        return Err(OsvError::Field { field: "modified", want: "a timestamp" });
    }
    let withdrawn = is_withdrawn(value)?;
    let mut out = Record { id, modified, withdrawn, ..Record::default() };
    if withdrawn {
        return Ok(out);
    }
    let affected = items(value, "affected")?;
    within("the record", affected.len(), PACKAGES_MAX, "packages")?;
    // Each package has them all.
    let names = ["aliases", "upstream", "related"].iter().map(|key| items(value, key).map(<[Value]>::len));
    let names = names.sum::<Result<usize, OsvError>>()?;
    within(
        "the record",
        names.saturating_mul(affected.len()),
        NAMES_MAX,
        "names of others for its packages",
    )?;
    let head = Advisory {
        id: out.id.clone(),
        modified: out.modified.clone(),
        aliases: words(value, "aliases")?,
        upstream: words(value, "upstream")?,
        related: words(value, "related")?,
        ..Advisory::default()
    };
    for affected in affected {
        match read_affected(value, affected, &head)? {
            Some(advisory) => out.advisories.push(advisory),
            None => out.by_commits_alone += 1,
        }
    }
    Ok(out)
}

/// Whether a record was taken back, which it says with a time.
fn is_withdrawn(value: &Value) -> Result<bool, OsvError> {
    let Some(at) = value.get("withdrawn").filter(|at| !at.is_null()) else { return Ok(false) };
    let wrong = OsvError::Field { field: "withdrawn", want: "a timestamp" };
    at.as_str().and_then(Day::parse).ok_or(wrong).map(|_| true)
}

/// What a record says about one package; `None` when it names no package or only commits of it.
fn read_affected(record: &Value, affected: &Value, head: &Advisory) -> Result<Option<Advisory>, OsvError> {
    let Some(package) = affected.get("package") else { return Ok(None) };
    let ecosystem = record::canonical_ecosystem(&name(package, "ecosystem")?);
    let package = record::canonical_name(&ecosystem, &name(package, "name")?);
    let scheme = Scheme::of(&ecosystem);
    let (mut ranges, mut git_ranges) = (Vec::new(), 0);
    for range in items(affected, "ranges")? {
        match word(range, "type").as_str() {
            "GIT" => git_ranges += 1,
            "SEMVER" | "ECOSYSTEM" => ranges.extend(read_events(items(range, "events")?, scheme)?),
            _ => return Err(OsvError::Field { field: "ranges[].type", want: "SEMVER, ECOSYSTEM or GIT" }),
        }
    }
    let versions = words(affected, "versions")?;
    if ranges.is_empty() && versions.is_empty() {
        return Ok(None);
    }
    let (level, vectors) = severity::read(
        [items(affected, "severity")?, items(record, "severity")?],
        [
            affected.get("ecosystem_specific"),
            affected.get("database_specific"),
            record.get("database_specific"),
        ],
    );
    let mut advisory =
        Advisory { ecosystem, package, level, vectors, ranges, versions, git_ranges, ..head.clone() };
    let is_of_module = |range: &Interval| record::is_of_module(&range.fixed);
    if scheme == Some(Scheme::Rpm) && advisory.ranges.iter().any(is_of_module) {
        advisory.modules = streams(&word(record, "summary"));
    }
    Ok(Some(advisory))
}

/// Streams of modules that a summary names, as `nodejs:20` in `Important: nodejs:20 security update`: nothing else of
/// these records says so.
fn streams(summary: &str) -> Vec<String> {
    let is_stream = |word: &&str| {
        let plain = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
        };
        word.split_once(':').is_some_and(|(name, stream)| plain(name) && plain(stream))
    };
    let words = summary.split_whitespace().map(|word| word.trim_end_matches([',', ';']));
    words.filter(is_stream).take(MODULES_MAX).map(str::to_owned).collect()
}

#[derive(Clone)]
enum Event {
    From(String),
    Fixed(String),
    Last(String),
}

impl Event {
    fn version(&self) -> &str {
        match self {
            Self::From(version) | Self::Fixed(version) | Self::Last(version) => version,
        }
    }
}

fn read_events(events: &[Value], scheme: Option<Scheme>) -> Result<Vec<Interval>, OsvError> {
    within("a range", events.len(), EVENTS_MAX, "events")?;
    let (mut list, mut limits) = (Vec::new(), Vec::new());
    for event in events {
        let get = |key: &str| event.get(key).and_then(Value::as_str).map(str::to_owned);
        if let Some(from) = get("introduced") {
            list.push(Event::From(from));
        } else if let Some(fixed) = get("fixed") {
            list.push(Event::Fixed(fixed));
        } else if let Some(last) = get("last_affected") {
            list.push(Event::Last(last));
        } else if let Some(limit) = get("limit") {
            limits.push(limit);
        } else {
            let want = "introduced, fixed, last_affected or limit with a text";
            return Err(OsvError::Field { field: "events[]", want });
        }
    }
    let limit = furthest(limits, scheme);
    let mut out = Vec::new();
    let mut open: Option<String> = None;
    let interval = |from: Option<String>, fixed: String, last: String| Interval {
        from: from.unwrap_or_else(|| "0".to_owned()),
        fixed,
        last,
        limit: limit.clone(),
    };
    for event in sorted(list, scheme) {
        match event {
            // A second beginning inside an open range adds nothing.
            Event::From(from) => open = open.or(Some(from)),
            Event::Fixed(fixed) => out.push(interval(open.take(), fixed, String::new())),
            Event::Last(last) => out.push(interval(open.take(), String::new(), last)),
        }
    }
    out.extend(open.map(|from| interval(Some(from), String::new(), String::new())));
    Ok(out)
}

/// A version has to be before one of the limits only: the furthest decides.
fn furthest(limits: Vec<String>, scheme: Option<Scheme>) -> String {
    let later =
        |a: &str, b: &str| scheme.and_then(|scheme| scheme.compare(a, b).ok()) == Some(Ordering::Greater);
    let mut out = String::new();
    for limit in limits {
        if limit == "*" {
            return String::new();
        }
        if out.is_empty() || later(&limit, &out) {
            out = limit;
        }
    }
    out
}

/// Events in the order of their versions; as written when one of them is no version. A merge sort of our
/// own, because the orders of some ecosystems are not total and the library's sort may panic on such.
fn sorted(events: Vec<Event>, scheme: Option<Scheme>) -> Vec<Event> {
    let start = |event: &Event| matches!(event, Event::From(from) if from == "0");
    let Some(scheme) = scheme else { return events };
    if events.iter().any(|event| !start(event) && scheme.check(event.version()).is_err()) {
        return events;
    }
    let before = |a: &Event, b: &Event| {
        start(a) || (!start(b) && scheme.compare(a.version(), b.version()) != Ok(Ordering::Greater))
    };
    let mut runs: Vec<Vec<Event>> = events.into_iter().map(|event| vec![event]).collect();
    while runs.len() > 1 {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
        let mut pairs = runs.into_iter();
        while let Some(one) = pairs.next() {
            merged.push(match pairs.next() {
                None => one,
                Some(other) => merge(one, other, &before),
            });
        }
        runs = merged;
    }
    runs.pop().unwrap_or_default()
}

fn merge(a: Vec<Event>, b: Vec<Event>, before: &dyn Fn(&Event, &Event) -> bool) -> Vec<Event> {
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    while let (Some(one), Some(other)) = (a.peek(), b.peek()) {
        let next = if before(one, other) { a.next() } else { b.next() };
        out.extend(next);
    }
    out.extend(a);
    out.extend(b);
    out
}

#[cfg(test)]
mod tests;
