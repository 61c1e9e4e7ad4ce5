//! JUnit XML, as build servers read it: a suite for each report, a case for each rule that was checked or found.

use crate::{Check, Report, place};
use mercat_domain::plain::plain;
use mercat_domain::{Finding, Outcome, Severity};
use mercat_text::Locale;
use std::collections::BTreeMap;

/// What a case holds.
enum Body {
    Nothing,
    /// The publisher's to fix.
    Failure(String, String),
    /// This side could not finish.
    Error(String, String),
    Skipped(String),
    /// Told without weight.
    Told(String),
}

struct Case {
    class: String,
    name: String,
    body: Body,
}

/// The document over all reports.
pub fn junit(reports: &[Report], locale: Locale) -> String {
    let suites: Vec<(&Report, Vec<Case>)> =
        reports.iter().map(|report| (report, cases(report, locale))).collect();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all = || suites.iter().flat_map(|(_, cases)| cases);
    out.push_str(&format!("<testsuites name=\"mercat\" {}>\n", counts(all)));
    for (report, cases) in &suites {
        let name = format!("{} {}", report.name, report.subject);
        out.push_str(&format!(
            "  <testsuite name=\"{}\" {}>\n",
            attribute(name.trim()),
            counts(|| cases.iter())
        ));
        out.push_str(&properties(report));
        cases.iter().for_each(|case| out.push_str(&element(case)));
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn counts<'a, I: Iterator<Item = &'a Case>>(cases: impl Fn() -> I) -> String {
    let count = |wanted: fn(&Body) -> bool| cases().filter(|case| wanted(&case.body)).count();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        count(|_| true),
        count(|body| matches!(body, Body::Failure(..))),
        count(|body| matches!(body, Body::Error(..))),
        count(|body| matches!(body, Body::Skipped(_))),
    )
}

fn properties(report: &Report) -> String {
    let rows = [
        ("subject", &report.subject),
        ("policy", &report.policy[0]),
        ("policyDigest", &report.policy[2]),
        ("advisories", &report.advisories),
    ];
    let row = |(name, value): (&str, &String)| {
        format!("      <property name=\"{name}\" value=\"{}\"/>\n", attribute(value))
    };
    format!("    <properties>\n{}    </properties>\n", rows.into_iter().map(row).collect::<String>())
}

/// The verdict itself first, so that a suite never looks empty; then checks, then what was found beside them.
fn cases(report: &Report, locale: Locale) -> Vec<Case> {
    let mut found: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        found.entry(finding.rule.as_str()).or_default().push(finding);
    }
    let word = |key: &str| mercat_text::text(locale, key, &[]);
    let verdict = match report.outcome {
        Outcome::Pass => Body::Nothing,
        Outcome::Findings => Body::Failure("findings".into(), word("report-outcome-findings")),
        Outcome::Inconclusive => Body::Error("inconclusive".into(), word("report-outcome-inconclusive")),
    };
    let mut out = vec![Case { class: "mercat".into(), name: "verdict".into(), body: verdict }];
    for check in &report.checks {
        let advice = format!("{}-ADVICE", check.rule);
        let all: Vec<&Finding> = [check.rule.as_str(), advice.as_str()]
            .iter()
            .flat_map(|rule| found.get(rule).cloned().unwrap_or_default())
            .collect();
        let observed = mercat_text::observed(locale, &check.observed);
        let skipped = || Body::Skipped(format!("{}: {observed}", check.shown_result(locale)));
        let body = match check.result.as_str() {
            "passed" if all.is_empty() => Body::Nothing,
            "not-applicable" | "off" | "boot-only" if all.is_empty() => skipped(),
            // What a policy pack lets pass unknown fails no build.
            "inconclusive" if all.is_empty() && report.outcome == Outcome::Pass => skipped(),
            _ if all.is_empty() => told(check, locale),
            _ => body(report, &all, locale),
        };
        out.push(Case { class: check.rule.clone(), name: check.asked_title(locale), body });
    }
    let mut beside: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in report.beside_checks() {
        beside.entry(finding.rule.as_str()).or_default().push(finding);
    }
    for (rule, findings) in beside {
        let title = mercat_text::rule(locale, rule);
        let name = if title.is_empty() { rule.to_owned() } else { title };
        out.push(Case { class: rule.to_owned(), name, body: body(report, &findings, locale) });
    }
    out
}

/// A check whose finding is not in the list: its own words are all there is.
fn told(check: &Check, locale: Locale) -> Body {
    let word = |key: &str| mercat_text::text(locale, key, &[]);
    let observed = mercat_text::observed(locale, &check.observed);
    let required = mercat_text::required(locale, &check.rule, &check.required);
    let text = format!("{} {observed}\n{} {required}", word("text-observed"), word("text-required"));
    match Severity::parse(&check.result) {
        Some(Severity::Error) => Body::Failure(check.result.clone(), text),
        Some(Severity::Warning | Severity::Info) => Body::Told(text),
        _ => Body::Error(check.result.clone(), text),
    }
}

fn body(report: &Report, findings: &[&Finding], locale: Locale) -> Body {
    let word = |key: &str| mercat_text::text(locale, key, &[]);
    let observed = |finding: &Finding| mercat_text::observed(locale, &finding.observed);
    let line = |finding: &&Finding| {
        let parts = [
            ("text-severity", word(&format!("text-{}", report.weight(finding)))),
            ("text-where", place(finding)),
            ("text-observed", observed(finding)),
            ("text-required", mercat_text::required(locale, &finding.rule, &finding.required)),
            ("text-fix", mercat_text::remedy(locale, &finding.rule, &finding.fix)),
        ];
        parts
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| format!("{} {}\n", word(name), plain(text)))
            .collect::<String>()
    };
    let text = findings.iter().map(line).collect::<Vec<_>>().join("\n");
    let has = |severity| findings.iter().any(|finding| finding.severity == severity);
    let first = |severity| {
        let found = findings.iter().find(|finding| finding.severity == severity);
        found.map(|finding| observed(finding)).unwrap_or_default()
    };
    if has(Severity::Error) {
        Body::Failure(first(Severity::Error), text)
    } else if has(Severity::Inconclusive) {
        Body::Error(first(Severity::Inconclusive), text)
    } else {
        Body::Told(text)
    }
}

fn element(case: &Case) -> String {
    let head =
        format!("    <testcase classname=\"{}\" name=\"{}\"", attribute(&case.class), attribute(&case.name));
    let inner = match &case.body {
        Body::Nothing => return format!("{head}/>\n"),
        Body::Failure(message, text) => {
            format!(
                "<failure type=\"finding\" message=\"{}\">{}</failure>",
                attribute(message),
                content(text)
            )
        }
        Body::Error(message, text) => {
            format!(
                "<error type=\"inconclusive\" message=\"{}\">{}</error>",
                attribute(message),
                content(text)
            )
        }
        Body::Skipped(message) => format!("<skipped message=\"{}\"/>", attribute(message)),
        Body::Told(text) => format!("<system-out>{}</system-out>", content(text)),
    };
    format!("{head}>\n      {inner}\n    </testcase>\n")
}

fn attribute(text: &str) -> String {
    escape(&plain(text))
}

/// Lines stay lines; everything hidden in them is written out.
fn content(text: &str) -> String {
    text.lines().map(|line| escape(&plain(line))).collect::<Vec<_>>().join("\n")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
