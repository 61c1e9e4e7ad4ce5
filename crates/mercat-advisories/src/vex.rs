//! Statements about whether vulnerabilities matter: OpenVEX 0.2.0 and CycloneDX VEX.
//!
//! A statement is a claim of its author. It hides nothing: what it is about stays a finding that says who
//! claimed what.

mod cyclonedx;
mod openvex;
mod product;

pub use product::{Product, Subject};

use crate::Day;

/// Bytes of a document.
pub const DOCUMENT_BYTES_MAX: usize = 64 << 20;
/// Statements of a document.
pub const STATEMENTS_MAX: usize = 100_000;
/// Products of a statement, their parts included.
pub const PRODUCTS_MAX: usize = 10_000;
/// Characters of a publisher's words that are shown.
const PUBLISHER_CHARS_MAX: usize = 120;
/// Characters of a text that is shown; the rest is cut.
pub const TEXT_CHARS_MAX: usize = 500;

/// Why a document is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VexError {
    /// Not JSON.
    #[error("VEX-11: it cannot be read: {0}")]
    Syntax(String),
    /// Neither OpenVEX nor CycloneDX.
    #[error("VEX-12: it is neither an OpenVEX 0.2.0 nor a CycloneDX document with vulnerabilities")]
    Unknown,
    /// A field is missing or wrong.
    #[error("VEX-13: statement {at}: {why}")]
    Statement {
        /// Its number, from 1.
        at: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// The document itself lacks something.
    #[error("VEX-13: {why}")]
    Document {
        /// What is wrong.
        why: &'static str,
    },
    /// More of something than is read.
    #[error("VEX-14: {what}: {found} {unit}; the limit is {limit} {unit}")]
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

/// What is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// The vulnerability does not matter to the product.
    NotAffected,
    /// It does.
    Affected,
    /// It did, in earlier versions.
    Fixed,
    /// It is not known yet.
    UnderInvestigation,
}

impl Status {
    /// Its name in OpenVEX.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotAffected => "not_affected",
            Self::Affected => "affected",
            Self::Fixed => "fixed",
            Self::UnderInvestigation => "under_investigation",
        }
    }
}

/// One claim about one vulnerability of some products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Who claims it, as the document says; this is not proven.
    pub author: String,
    /// When, as the document says.
    pub day: Option<Day>,
    /// Names of the vulnerability.
    pub vulnerability: Vec<String>,
    /// What it is about.
    pub products: Vec<Product>,
    /// What is claimed.
    pub status: Status,
    /// Why, as a label of the format.
    pub justification: String,
    /// Why, in words.
    pub reason: String,
    /// The last day on which the claim holds, when there is one.
    pub expires: Option<Day>,
    /// Whether it is the word of the publisher whose artifact is judged.
    pub of_publisher: bool,
}

impl Statement {
    /// Whether the claim's time is over. Without today it is not judged.
    pub fn is_over(&self, today: Option<Day>) -> bool {
        self.expires.is_some_and(|last| today.is_some_and(|today| today > last))
    }

    /// Whether it is dated after today, by more than clocks and time zones differ. Without today it is not judged.
    pub fn is_ahead(&self, today: Option<Day>) -> bool {
        self.day.is_some_and(|day| today.is_some_and(|today| day.since(today) > 1))
    }

    /// Whether it is about a vulnerability by one of its names, in a package of a subject. What is fixed is fixed in a
    /// version: a package URL without one says nothing of that which is installed.
    pub fn is_about(&self, names: &[String], subject: &Subject<'_>) -> bool {
        let of_version = self.status == Status::Fixed;
        self.names(names) && self.products.iter().any(|product| product.matches(subject, of_version))
    }

    /// Whether it would be about a package of a subject if it named its version: it says that something was fixed.
    pub fn lacks_the_version(&self, subject: &Subject<'_>) -> bool {
        self.status == Status::Fixed && self.products.iter().any(|product| product.matches(subject, false))
    }

    /// Whether it names a vulnerability by one of its names, whatever it lies in.
    pub fn names(&self, names: &[String]) -> bool {
        self.vulnerability.iter().any(|name| names.iter().any(|other| other.eq_ignore_ascii_case(name)))
    }

    /// The names of the vulnerability, which are the same in any case of their letters.
    pub fn names_in_lower_case(&self) -> impl Iterator<Item = String> {
        self.vulnerability.iter().map(|name| name.to_ascii_lowercase())
    }

    /// The claim in one line.
    pub fn text(&self) -> String {
        let mut out = match self.of_publisher {
            true => format!("the publisher states, as {}: {}", quoted(&self.author), self.status.name()),
            false => format!("{} claims {}", self.author, self.status.name()),
        };
        for part in [&self.justification, &self.reason] {
            if !part.is_empty() {
                out.push_str(": ");
                out.push_str(&if self.of_publisher { quoted(part) } else { part.clone() });
            }
        }
        if let Some(day) = self.day {
            out.push_str(&format!(" ({day})"));
        }
        out
    }
}

/// Words of a publisher so that nobody takes them for another's: short, in quotation marks, in one direction.
fn quoted(text: &str) -> String {
    let turns = |c: &char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain =
        text.chars().filter(|c| !c.is_control() && !turns(c)).map(|c| if c == '"' { '\'' } else { c });
    let mut out = String::from("\"");
    out.extend(plain.take(PUBLISHER_CHARS_MAX));
    out.push('"');
    out
}

/// Reads a document of either format.
///
/// # Errors
/// What is wrong with it; a document with one wrong statement is not used at all.
pub fn read(text: &[u8]) -> Result<Vec<Statement>, VexError> {
    within("the document", text.len(), DOCUMENT_BYTES_MAX, "bytes")?;
    let value = mercat_artifact::json::parse(text).map_err(|error| VexError::Syntax(error.to_string()))?;
    let context = value.get("@context").and_then(|at| at.as_str()).unwrap_or_default();
    let is_openvex = context.strip_prefix("https://openvex.dev/ns").is_some_and(is_version);
    let is_cyclonedx = value.get("bomFormat").and_then(|at| at.as_str()) == Some("CycloneDX");
    match (is_openvex, is_cyclonedx && value.get("vulnerabilities").is_some()) {
        (true, _) => openvex::read(&value),
        (_, true) => cyclonedx::read(&value),
        _ => Err(VexError::Unknown),
    }
}

/// Whether a context ends as those of OpenVEX up to 0.2 do.
fn is_version(end: &str) -> bool {
    let is_patch = |patch: &str| !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit());
    end.is_empty()
        || ["/v0.0.", "/v0.1.", "/v0.2."].iter().any(|of| end.strip_prefix(of).is_some_and(is_patch))
}

fn within(what: &'static str, found: usize, limit: usize, unit: &'static str) -> Result<(), VexError> {
    if found > limit { Err(VexError::TooLarge { what, found, limit, unit }) } else { Ok(()) }
}

/// A text to show: one line, nothing that is not seen, not long.
fn shown(text: &str) -> String {
    let seen = text.chars().filter(|c| c.is_control() || !mercat_domain::plain::is_hidden(*c));
    let one_line = seen.map(|c| if c.is_control() { ' ' } else { c });
    one_line.take(TEXT_CHARS_MAX).collect::<String>().trim().to_owned()
}

/// The first of some dates; what is there and is no date says nothing of when somebody knew.
fn date(value: &serde_json::Value, keys: &[&str]) -> Result<Option<Day>, &'static str> {
    let mut out = None;
    for text in keys.iter().filter_map(|key| value.get(key)) {
        let day = text.as_str().and_then(Day::parse).ok_or("its timestamp is no date")?;
        out = out.or(Some(day));
    }
    Ok(out)
}

fn word(value: &serde_json::Value, key: &str) -> String {
    value.get(key).and_then(serde_json::Value::as_str).map(shown).unwrap_or_default()
}

#[cfg(test)]
mod tests;
