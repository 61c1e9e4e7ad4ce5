//! The operator's test cases: a document and what the policy must find in it.

use crate::{Eligibility, Found};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A case file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it shows.
    note: String,
    /// The verdict document, or as much of it as the rules look at.
    verdict: Value,
    /// The listing.
    #[serde(default)]
    listing: Option<Value>,
    /// What must be found, no more and no less: `rule`, and any of the finding's other words.
    expect: Vec<BTreeMap<String, String>>,
}

/// How a case came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseResult {
    /// As expected, with the number of findings.
    Passed(usize),
    /// Differences, one a line.
    Failed(Vec<String>),
    /// The policy could not be evaluated.
    Inconclusive(String),
}

/// Why a case cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// It is not what a case looks like.
    #[error("not a test case: {0}")]
    Form(#[from] serde_json::Error),
    /// It expects what no policy can say.
    #[error("expect names {0}")]
    Expected(String),
}

/// Runs one case; returns its note with the result.
///
/// # Errors
/// When the text is no case.
pub fn run_case(policies: &Eligibility, text: &str) -> Result<(String, CaseResult), CaseError> {
    let case: Case = serde_json::from_str(text)?;
    if let Some(wrong) = case.expect.iter().flatten().find_map(|(key, value)| impossible(key, value)) {
        return Err(CaseError::Expected(wrong));
    }
    let listing = case.listing.as_ref().map(Value::to_string);
    let result = match policies.judge(&case.verdict.to_string(), listing.as_deref()) {
        Ok(found) => compare(&case.expect, &found),
        Err(error) => CaseResult::Inconclusive(error.to_string()),
    };
    Ok((case.note, result))
}

/// What no finding of a policy has: such a case could never pass.
fn impossible(key: &str, value: &str) -> Option<String> {
    const KEYS: [&str; 11] = [
        "rule", "severity", "observed", "required", "fix", "plan", "platform", "layer", "path", "package",
        "field",
    ];
    const SEVERITIES: [&str; 4] = ["error", "warning", "info", "shadow"];
    match key {
        "severity" if !SEVERITIES.contains(&value) => {
            Some(format!("the severity {value:?}; there are {}", SEVERITIES.join(", ")))
        }
        key if !KEYS.contains(&key) => Some(format!("the word {key:?}; there are {}", KEYS.join(", "))),
        _ => None,
    }
}

fn compare(expected: &[BTreeMap<String, String>], found: &[Found]) -> CaseResult {
    let mut left: Vec<&Found> = found.iter().collect();
    let mut differences = Vec::new();
    // The most exact expectations choose first, or a loose one could take what only an exact one fits.
    let mut wanted: Vec<&BTreeMap<String, String>> = expected.iter().collect();
    wanted.sort_by_key(|one| std::cmp::Reverse(one.len()));
    for one in wanted {
        let at = left.iter().position(|found| one.iter().all(|(key, value)| word(found, key) == Some(value)));
        match at {
            Some(at) => {
                left.remove(at);
            }
            None => {
                let words: Vec<String> = one.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                differences.push(format!("not found: {}", words.join(", ")));
            }
        }
    }
    differences.extend(left.iter().map(|found| {
        let severity = word(found, "severity").unwrap_or_default();
        format!("not expected: {} ({severity}) {}", found.finding.rule, found.finding.observed)
    }));
    if differences.is_empty() { CaseResult::Passed(found.len()) } else { CaseResult::Failed(differences) }
}

fn word<'a>(found: &'a Found, key: &str) -> Option<&'a str> {
    let (finding, place) = (&found.finding, &found.finding.place);
    Some(match key {
        "rule" => &finding.rule,
        "severity" if found.shadow => "shadow",
        "severity" => finding.severity.name(),
        "observed" => &finding.observed,
        "required" => &finding.required,
        "fix" => &finding.fix,
        "plan" => &place.plan,
        "platform" => &place.platform,
        "layer" => &place.layer,
        "path" => &place.path,
        "file" => &place.file,
        "package" => &place.package,
        "field" => &place.field,
        _ => return None,
    })
}
