//! The report as the industry's self-test tool for virtual machine images writes it (domain 5.5).

use crate::{Check, Report, place};
use mercat_domain::plain::plain_json;
use mercat_domain::{Finding, Outcome, Severity};
use mercat_text::Locale;
use serde_json::{Value, json};

/// What the tool calls what it tests.
const VIRTUAL_MACHINE: &str = "Microsoft Single VM Certification";
/// The tool knows no container images.
const CONTAINER: &str = "Container Image Certification";
/// Names this program as the one that tested.
const PROVIDER: &str = "6d657263-6174-4d00-8000-000000000001";

/// The document of a report. Passes are listed too. Its `TestResult` is `Pass`, `Fail`, or `Inconclusive`
/// where this machine could not finish: that is never a pass. `created` is `MM/DD/YYYY HH:MM:SS` in UTC.
pub fn self_test(report: &Report, created: &str) -> String {
    let disk = report.disk.as_ref();
    let kernel = disk.map_or("", |disk| disk.kernel.split(", ").next().unwrap_or_default());
    let short = kernel.split('-').next().unwrap_or_default();
    // Tests with an id of the tool come first, in its order.
    let (with, without): (Vec<&Check>, Vec<&Check>) =
        report.checks.iter().partition(|check| !check.test_id.is_empty());
    let mut tests: Vec<Value> = with.into_iter().chain(without).map(test).collect();
    tests.extend(report.beside_checks().map(other));
    let document = json!({
        "SchemaVersion": 1,
        "AppCertificationCategory": if disk.is_some() { VIRTUAL_MACHINE } else { CONTAINER },
        "ProviderID": PROVIDER,
        "OSName": disk.map_or("", |disk| &disk.os),
        "OSDistro": disk.map_or("", |disk| &disk.os_id),
        "KernelVersion": short,
        "KernelFullVersion": kernel,
        "OSVersion": disk.map_or("", |disk| &disk.os_version),
        "CreatedDate": created,
        "TestResult": match report.outcome {
            Outcome::Pass => "Pass",
            Outcome::Findings => "Fail",
            Outcome::Inconclusive => "Inconclusive",
        },
        "APIVersion": "1.5",
        "Tests": tests,
    });
    plain_json(&serde_json::to_string_pretty(&document).expect("plain data")) + "\n"
}

fn test(check: &Check) -> Value {
    let id = if check.test_id.is_empty() { &check.rule } else { &check.test_id };
    // What a test asks for reads right beside every result; what many are called is their fault.
    json!({
        "TestID": id, "TestCaseName": check.title, "Description": mercat_text::asked(Locale::En, &check.rule),
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
