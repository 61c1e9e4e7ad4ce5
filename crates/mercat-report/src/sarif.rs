//! SARIF 2.1.0 (OASIS standard, 27 March 2020): one run for each report.
//!
//! What could not be decided is `kind: open` (section 3.27.9) and makes the invocation unsuccessful (3.20.14), so
//! that no reader takes it for a pass.

use crate::{Check, Report, place};
use mercat_domain::finding::Place;
use mercat_domain::plain::{plain, plain_json};
use mercat_domain::{Finding, Outcome, Severity};
use mercat_text::Locale;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The document over all reports. `version` is this program's.
pub fn sarif(reports: &[Report], version: &str, locale: Locale) -> String {
    let runs: Vec<Value> = reports.iter().map(|report| run(report, version, locale)).collect();
    let document = json!({"$schema": SCHEMA, "version": "2.1.0", "runs": runs});
    plain_json(&serde_json::to_string_pretty(&document).expect("plain data")) + "\n"
}

fn run(report: &Report, version: &str, locale: Locale) -> Value {
    let ids: BTreeSet<&str> = report
        .findings
        .iter()
        .map(|finding| finding.rule.as_str())
        .chain(report.checks.iter().map(|check| check.rule.as_str()))
        .collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let index = |rule: &str| ids.binary_search(&rule).unwrap_or_default();
    let mut results: Vec<Value> = report
        .by_weight()
        .into_iter()
        .map(|found| result(report, found, index(&found.rule), locale))
        .collect();
    results
        .extend(report.checks.iter().filter_map(|check| unfound(report, check, index(&check.rule), locale)));
    let subject = if report.subject.is_empty() { "none" } else { &report.subject };
    json!({
        "tool": {"driver": {
            "name": "mercat", "version": version, "semanticVersion": version,
            "rules": ids.iter().map(|id| rule(id, locale)).collect::<Vec<_>>(),
        }},
        "automationDetails": {"id": format!("mercat/{}", plain(subject))},
        "invocations": [{
            "executionSuccessful": report.outcome != Outcome::Inconclusive,
            "toolExecutionNotifications": notifications(report, locale),
        }],
        "results": results,
        "properties": {
            "name": plain(&report.name), "subject": report.subject, "outcome": report.outcome.name(),
            "policy": {"name": report.policy[0], "date": report.policy[1], "digest": report.policy[2]},
        },
    })
}

fn notifications(report: &Report, locale: Locale) -> Vec<Value> {
    let ours = report.findings.iter().filter(|finding| finding.severity == Severity::Inconclusive);
    ours.map(|finding| {
        let observed = mercat_text::observed(locale, &finding.observed);
        json!({"level": "error", "message": {"text": plain(&observed)}, "descriptor": {"id": finding.rule}})
    })
    .collect()
}

fn rule(id: &str, locale: Locale) -> Value {
    let title = mercat_text::rule(locale, id);
    let title = if title.is_empty() { id.to_owned() } else { title };
    let mut rule = json!({"id": plain(id), "shortDescription": {"text": plain(&title)}});
    if let Some(fix) = mercat_text::advice(locale, id) {
        rule["help"] = json!({"text": fix});
    }
    rule
}

/// A result that is a finding. The level of what is not `fail` is `none` (3.27.10).
fn result(report: &Report, finding: &Finding, index: usize, locale: Locale) -> Value {
    let (kind, level) = match finding.severity {
        Severity::Error => ("fail", "error"),
        Severity::Warning => ("fail", "warning"),
        Severity::Info => ("fail", "note"),
        Severity::Inconclusive => ("open", "none"),
    };
    let word = |key: &str| mercat_text::text(locale, key, &[]);
    let fix = mercat_text::remedy(locale, &finding.rule, &finding.fix);
    let text = format!(
        "{} — {} {}; {} {}",
        plain(&mercat_text::observed(locale, &finding.observed)),
        word("text-required"),
        plain(&mercat_text::required(locale, &finding.rule, &finding.required)),
        word("text-fix"),
        plain(&fix)
    );
    // What was observed tells the findings of one file apart; of packages the advisory does, whatever is known of it by now,
    // and of what this side could not do the rule, and what it was about where no place says it.
    let is_placed = !finding.place.path.is_empty() || !finding.place.package.is_empty();
    let lacking = finding.observed.replace(|c: char| c.is_ascii_digit(), "#");
    let about = match finding.observed.as_str() {
        _ if finding.rule.starts_with("INC-") => {
            if is_placed {
                ""
            } else {
                &lacking
            }
        }
        observed if !finding.place.package.is_empty() => observed.split(" (").next().unwrap_or_default(),
        observed => observed,
    };
    // A line moves when something is written above it, and the layer of a file is another whenever it is built.
    let layer = if finding.place.path.is_empty() { finding.place.layer.clone() } else { String::new() };
    let lasting = Finding { place: Place { line: None, layer, ..finding.place.clone() }, ..finding.clone() };
    let same = format!("{} {} {about}", finding.rule, place(&lasting)).trim_end().to_owned();
    let mut logical: Vec<Value> = Vec::new();
    for (kind, name) in [("platform", &finding.place.platform), ("package", &finding.place.package)] {
        if !name.is_empty() {
            logical.push(json!({"kind": kind, "fullyQualifiedName": plain(name)}));
        }
    }
    let mut physical = json!({"artifactLocation": {"uri": uri(report, finding)}});
    if let Some(line) = finding.place.line {
        physical["region"] = json!({"startLine": line});
    }
    let mut location = Map::new();
    location.insert("physicalLocation".into(), physical);
    if !logical.is_empty() {
        location.insert("logicalLocations".into(), logical.into());
    }
    json!({
        "ruleId": plain(&finding.rule), "ruleIndex": index, "kind": kind, "level": level,
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"mercatFinding/v1": plain(&same)},
        "properties": {"severity": report.weight(finding), "layer": finding.place.layer},
    })
}

/// A check that found nothing, told by its kind; `None` for one whose finding is among the results.
fn unfound(report: &Report, check: &Check, index: usize, locale: Locale) -> Option<Value> {
    let kind = match check.result.as_str() {
        "passed" => "pass",
        "not-applicable" | "off" => "notApplicable",
        "boot-only" => "informational",
        result if Severity::parse(result).is_some() => return None,
        _ => "open",
    };
    let observed = mercat_text::observed(locale, &check.observed);
    let text =
        format!("{}: {} ({})", check.shown_title(locale), check.shown_result(locale), plain(&observed));
    Some(json!({
        "ruleId": check.rule, "ruleIndex": index, "kind": kind, "level": "none",
        "message": {"text": plain(&text)},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": escape(&report.subject)}}}],
    }))
}

/// The file, else the layer, else the subject, as a relative reference.
fn uri(report: &Report, finding: &Finding) -> String {
    let place = &finding.place;
    let named = [&place.path, &place.layer, &report.subject, &report.name];
    escape(named.into_iter().find(|name| !name.is_empty()).map_or("subject", String::as_str))
}

/// RFC 3986: everything but unreserved characters and the slash is escaped; no reference starts with a slash.
fn escape(path: &str) -> String {
    let mut out = String::new();
    for byte in path.trim_start_matches('/').bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    if out.is_empty() { "subject".to_owned() } else { out }
}
