//! What is known about vulnerabilities beside the records: that they are exploited (KEV of CISA), and how
//! likely that is to be seen (EPSS of FIRST).

use crate::Day;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

/// Bytes of a KEV catalogue.
pub(crate) const KEV_BYTES_MAX: usize = 256 << 20;
/// Bytes of one line of an EPSS table.
pub(crate) const EPSS_LINE_BYTES_MAX: u64 = 1_024;
/// Lines of an EPSS table.
pub(crate) const EPSS_LINES_MAX: usize = 5_000_000;
/// One in units of [`Epss::probability`] and [`Epss::percentile`].
pub const EPSS_ONE: u32 = 1_000_000;

/// An entry of the catalogue of known exploited vulnerabilities.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kev {
    /// The day on which it was added (`dateAdded`).
    pub added: Day,
    /// The day until which agencies had to act (`dueDate`).
    pub due: Day,
    /// Whether ransomware is known to use it.
    pub ransomware: bool,
}

/// A line of the EPSS table, in millionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epss {
    /// Probability of exploitation in the next 30 days.
    pub probability: u32,
    /// Share of vulnerabilities with the same or a lower probability.
    pub percentile: u32,
}

/// A table by CVE, and its date.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table<T> {
    /// The day of its content, as it says itself.
    pub day: Day,
    /// Entries by CVE.
    pub entries: BTreeMap<String, T>,
}

/// Why a table is not used.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// Not what it should be.
    #[error("SIG-01: it is no {0}")]
    NotThat(&'static str),
    /// An entry that cannot be read. A table with such an entry is not used at all.
    #[error("SIG-02: entry {at} cannot be read: {why}")]
    Entry {
        /// Its number, from 1.
        at: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// It is too large.
    #[error("SIG-03: it is larger than {limit} {unit}")]
    TooLarge {
        /// How large it may be.
        limit: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// Bytes could not be had.
    #[error("SIG-04: it cannot be read to its end")]
    Read(#[from] io::Error),
}

fn is_cve(name: &str) -> bool {
    let rest = name.strip_prefix("CVE-").and_then(|rest| rest.split_once('-'));
    let digits = |text: &str, least: usize| {
        text.len() >= least && text.len() <= 19 && text.bytes().all(|b| b.is_ascii_digit())
    };
    rest.is_some_and(|(year, number)| year.len() == 4 && digits(year, 4) && digits(number, 4))
}

/// Whether a JSON document is a KEV catalogue.
pub fn is_kev(value: &Value) -> bool {
    value.get("catalogVersion").is_some() && value.get("vulnerabilities").is_some_and(Value::is_array)
}

/// Reads the KEV catalogue (JSON schema of cisa.gov).
///
/// # Errors
/// When it is no catalogue, or one of its entries cannot be read.
pub fn read_kev(text: &[u8]) -> Result<Table<Kev>, SignalError> {
    if text.len() > KEV_BYTES_MAX {
        return Err(SignalError::TooLarge { limit: KEV_BYTES_MAX as u64, unit: "bytes" });
    }
    let value = mercat_artifact::json::parse(text).ok().filter(is_kev);
    let value = value.ok_or(SignalError::NotThat("KEV catalogue"))?;
    let word =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let day = Day::parse(&word(&value, "dateReleased"))
        .or_else(|| Day::parse(&word(&value, "catalogVersion").replace('.', "-")));
    let mut out = Table {
        day: day.ok_or(SignalError::NotThat("KEV catalogue with a date"))?,
        entries: BTreeMap::new(),
    };
    for (at, entry) in
        value.get("vulnerabilities").and_then(Value::as_array).into_iter().flatten().enumerate()
    {
        let wrong = |why| SignalError::Entry { at: at + 1, why };
        let cve = Some(word(entry, "cveID")).filter(|cve| is_cve(cve)).ok_or(wrong("cveID is no CVE"))?;
        let added = Day::parse(&word(entry, "dateAdded")).ok_or(wrong("dateAdded is no date"))?;
        let due = Day::parse(&word(entry, "dueDate")).unwrap_or(added);
        let ransomware = word(entry, "knownRansomwareCampaignUse") == "Known";
        out.entries.insert(cve, Kev { added, due, ransomware });
    }
    Ok(out)
}

/// Reads the EPSS table (CSV of first.org, unpacked): a comment with its date, a heading, a line a CVE.
///
/// # Errors
/// When it is no such table, or one of its lines cannot be read.
pub fn read_epss(text: &mut dyn BufRead) -> Result<Table<Epss>, SignalError> {
    let comment = line(text)?.unwrap_or_default();
    let date =
        comment.strip_prefix('#').and_then(|rest| rest.split("score_date:").nth(1)).and_then(Day::parse);
    let day = date.ok_or(SignalError::NotThat("EPSS table with a date"))?;
    if line(text)?.as_deref() != Some("cve,epss,percentile") {
        return Err(SignalError::NotThat("EPSS table with the columns cve, epss and percentile"));
    }
    let mut out = Table { day, entries: BTreeMap::new() };
    let mut at = 2;
    while let Some(line) = line(text)? {
        at += 1;
        if at > EPSS_LINES_MAX {
            return Err(SignalError::TooLarge { limit: EPSS_LINES_MAX as u64, unit: "lines" });
        }
        let wrong = |why| SignalError::Entry { at, why };
        let mut parts = line.split(',');
        let (Some(cve), Some(epss), Some(percentile), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong("it has not three columns"));
        };
        let share = |text: &str| millionths(text).ok_or(wrong("a share is not between 0 and 1"));
        if !is_cve(cve) {
            return Err(wrong("the first column is no CVE"));
        }
        out.entries
            .insert(cve.to_owned(), Epss { probability: share(epss)?, percentile: share(percentile)? });
    }
    Ok(out)
}

fn line(text: &mut dyn BufRead) -> Result<Option<String>, SignalError> {
    let mut out = Vec::new();
    text.take(EPSS_LINE_BYTES_MAX + 1).read_until(b'\n', &mut out)?;
    if out.len() as u64 > EPSS_LINE_BYTES_MAX {
        return Err(SignalError::TooLarge { limit: EPSS_LINE_BYTES_MAX, unit: "bytes in one line" });
    }
    if out.is_empty() {
        return Ok(None);
    }
    let line = String::from_utf8(out).map_err(|_| SignalError::NotThat("text"))?;
    Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned()))
}

/// A share between 0 and 1 in millionths.
pub(crate) fn millionths(text: &str) -> Option<u32> {
    let share: f64 = text.parse().ok().filter(|share| (0.0..=1.0).contains(share))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
    Some((share * f64::from(EPSS_ONE)).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEV: &str = r#"{"title": "t", "catalogVersion": "2026.11.20", "dateReleased": "2026-11-20T15:00:00.1Z", "count": 1,
        "vulnerabilities": [{"cveID": "CVE-2021-44228", "dateAdded": "2021-12-10", "dueDate": "2021-12-24",
        "knownRansomwareCampaignUse": "Known"}]}"#;

    #[test]
    fn the_catalogue_of_exploited_vulnerabilities_reads() {
        let kev = read_kev(KEV.as_bytes()).expect("reads");
        assert_eq!(kev.day.to_string(), "2026-11-20");
        assert_eq!(kev.entries["CVE-2021-44228"].added.to_string(), "2021-12-10");
        assert!(kev.entries["CVE-2021-44228"].ransomware);
        let broken = KEV.replace("CVE-2021-44228", "CVE-x");
        assert!(matches!(read_kev(broken.as_bytes()), Err(SignalError::Entry { at: 1, .. })));
        assert!(matches!(read_kev(b"{}"), Err(SignalError::NotThat(_))));
    }

    #[test]
    fn the_table_of_probabilities_reads_and_a_wrong_line_is_named() {
        let text = "#model_version:v2025.03.14,score_date:2026-11-25T00:00:00+0000\ncve,epss,percentile\n\
             CVE-2021-44228,0.97547,0.99998\nCVE-2020-0001,0.00043,0.1\n";
        let table = read_epss(&mut text.as_bytes()).expect("reads");
        assert_eq!(table.day.to_string(), "2026-11-25");
        assert_eq!(table.entries["CVE-2021-44228"], Epss { probability: 975_470, percentile: 999_980 });
        let wrong = text.replace("0.00043", "1.5");
        assert!(matches!(read_epss(&mut wrong.as_bytes()), Err(SignalError::Entry { at: 4, .. })));
        let long = text.replace("0.00043", &"0".repeat(2_000));
        assert!(matches!(read_epss(&mut long.as_bytes()), Err(SignalError::TooLarge { .. })));
        assert!(matches!(read_epss(&mut &b""[..]), Err(SignalError::NotThat(_))));
    }
}
