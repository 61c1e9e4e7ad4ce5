//! The report as the industry's self-test tool for virtual machine images writes it (domain 5.5).

use anyhow::Context;
use mercat_certify::{Check, Verdict};
use mercat_domain::{Finding, Outcome, Severity};
use mercat_text::Locale;
use serde_json::{Value, json};

/// Names this program as the one that tested.
const PROVIDER: &str = "6d657263-6174-4d00-8000-000000000001";

/// The document of a verdict. Passes are listed too. Its `TestResult` is `Pass`, `Fail`, or `Inconclusive`
/// where this machine could not finish: that is never a pass.
pub(super) fn document(verdict: &str) -> anyhow::Result<String> {
    let (outcome, findings) = Verdict::findings_of(verdict).context("the verdict cannot be read")?;
    let checks = Verdict::checks_of(verdict).context("the verdict cannot be read")?;
    let parsed: Value = serde_json::from_str(verdict)?;
    let disk = &parsed["disk"];
    let word = |key: &str| disk[key].as_str().unwrap_or_default();
    let kernel = word("kernel").split(", ").next().unwrap_or_default();
    let short = kernel.split('-').next().unwrap_or_default();
    let created = jiff::Timestamp::now().strftime("%m/%d/%Y %H:%M:%S").to_string();
    // Tests with an id of the tool come first, in its order.
    let (with, without): (Vec<&Check>, Vec<&Check>) =
        checks.iter().partition(|check| !check.test_id.is_empty());
    let mut tests: Vec<Value> = with.into_iter().chain(without).map(test).collect();
    let known = |finding: &&Finding| {
        let rule = finding.rule.trim_end_matches("-ADVICE");
        !checks.iter().any(|check| check.rule == rule)
    };
    tests.extend(findings.iter().filter(known).map(other));
    let document = json!({
        "SchemaVersion": 1,
        "AppCertificationCategory": "Microsoft Single VM Certification",
        "ProviderID": PROVIDER,
        "OSName": word("os"),
        "OSDistro": word("osId"),
        "KernelVersion": short,
        "KernelFullVersion": kernel,
        "OSVersion": word("osVersion"),
        "CreatedDate": created,
        "TestResult": match outcome {
            Outcome::Pass => "Pass",
            Outcome::Findings => "Fail",
            Outcome::Inconclusive => "Inconclusive",
        },
        "APIVersion": "1.5",
        "Tests": tests,
    });
    Ok(serde_json::to_string_pretty(&document)?)
}

fn test(check: &Check) -> Value {
    let id = if check.test_id.is_empty() { &check.rule } else { &check.test_id };
    let description = mercat_text::rule(Locale::En, &check.rule);
    json!({
        "TestID": id, "TestCaseName": check.title, "Description": description,
        "Result": result(&check.result), "ActualValue": check.observed, "RequiredValue": check.required,
    })
}

/// A finding of an engine that is no single test: scanners, package databases, file systems.
fn other(finding: &Finding) -> Value {
    let title = mercat_text::rule(Locale::En, &finding.rule);
    json!({
        "TestID": finding.rule, "TestCaseName": title, "Description": place(finding),
        "Result": result(finding.severity.name()), "ActualValue": finding.observed,
        "RequiredValue": finding.required,
    })
}

fn place(finding: &Finding) -> String {
    let place = &finding.place;
    let parts = [&place.platform, &place.layer, &place.path, &place.package];
    parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn result(name: &str) -> &'static str {
    match (name, Severity::parse(name)) {
        ("passed", _) => "Passed",
        ("not-applicable", _) => "NotApplicable",
        ("boot-only", _) => "NotRun",
        ("off", _) => "Ignored",
        (_, Some(Severity::Error)) => "Failed",
        (_, Some(Severity::Warning | Severity::Info)) => "Warning",
        _ => "Inconclusive",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(outcome: &str, result: &str) -> String {
        json!({
            "outcome": outcome,
            "disk": {"os": "Debian 12", "osId": "debian", "osVersion": "12", "kernel": "6.1.0-31-amd64, 5.10"},
            "checks": [
                {"rule": "VHD-01", "result": "passed"},
                {"rule": "LNX-04", "testId": "41", "title": "Swap", "result": result, "observed": "0"},
            ],
            "findings": [
                {"rule": "LNX-04", "severity": result, "observed": "x"},
                {"rule": "CTR-20", "severity": "info", "path": "a"},
            ],
        })
        .to_string()
    }

    fn read(outcome: &str, result: &str) -> Value {
        serde_json::from_str(&document(&verdict(outcome, result)).expect("a document")).expect("JSON")
    }

    #[test]
    fn tests_of_the_tool_come_first_and_other_findings_last() {
        let document = read("findings", "error");
        assert_eq!(document["TestResult"], "Fail");
        let ids: Vec<&str> = document["Tests"]
            .as_array()
            .expect("tests")
            .iter()
            .filter_map(|t| t["TestID"].as_str())
            .collect();
        assert_eq!(ids, ["41", "VHD-01", "CTR-20"]);
        assert_eq!(document["Tests"][0]["Result"], "Failed");
        assert_eq!(document["KernelVersion"], "6.1.0");
    }

    #[test]
    fn fixes_are_the_same_words_in_the_rules_and_in_english() {
        for rule in mercat_certify::disk::rules() {
            assert_eq!(mercat_text::fix(Locale::En, rule.id).as_deref(), Some(rule.fix), "{}", rule.id);
        }
    }

    #[test]
    fn what_is_inconclusive_is_never_a_pass() {
        let document = read("inconclusive", "inconclusive");
        assert_eq!(document["TestResult"], "Inconclusive");
        assert_eq!(document["Tests"][0]["Result"], "Inconclusive");
        assert_eq!(read("pass", "warning")["Tests"][0]["Result"], "Warning");
    }
}
