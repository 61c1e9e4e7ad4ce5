//! Verdict documents in the forms that other programs and people read.
//!
//! [`Report::parse`] reads a document (`mercat.verdict/1`); every form is then one function over reports. Words of
//! strangers pass [`mercat_domain::plain`] on their way into each form.

mod html;
mod junit;
mod parse;
mod sarif;
mod self_test;
mod text;

pub use html::html;
pub use junit::junit;
pub use parse::ReportError;
pub use sarif::sarif;
pub use self_test::self_test;
pub use text::{Style, WIDTH_MIN, text};

use mercat_domain::plain::plain;
use mercat_domain::{Finding, Outcome, Severity};
use mercat_text::Locale;
use std::collections::BTreeSet;

/// JSON Schema (draft 2020-12) of the document.
pub const SCHEMA: &str = include_str!("../schema/verdict-1.schema.json");

/// One layer, as far as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Digest of the blob.
    pub digest: String,
    /// Bytes of the blob.
    pub packed_bytes: u64,
    /// Regular files.
    pub files: u64,
    /// Bytes that every scanner saw.
    pub scanned_bytes: u64,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// Manifest digest.
    pub manifest: String,
    /// Installed packages found.
    pub packages: u64,
    /// Packages of languages found.
    pub components: u64,
    /// Layers, lowest first.
    pub layers: Vec<Layer>,
}

/// One volume of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// `part1`, `vg0/root`, or `disk`.
    pub name: String,
    /// Its file system, or what else it holds.
    pub contents: String,
    /// Bytes.
    pub bytes: u64,
    /// Regular files.
    pub files: u64,
    /// Bytes that every scanner saw.
    pub scanned_bytes: u64,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Bytes of the disk.
    pub bytes: u64,
    /// The operating system, as it calls itself.
    pub os: String,
    /// `ID` of os-release.
    pub os_id: String,
    /// `VERSION_ID` of os-release.
    pub os_version: String,
    /// Kernel releases, newest first.
    pub kernel: String,
    /// Installed packages found.
    pub packages: u64,
    /// Packages of languages found.
    pub components: u64,
    /// Its volumes.
    pub volumes: Vec<Volume>,
}

/// How one rule about a disk came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Rule id.
    pub rule: String,
    /// Test id of the industry's self-test tool, or empty.
    pub test_id: String,
    /// What it is about.
    pub title: String,
    /// `passed`, `not-applicable`, `inconclusive`, `boot-only`, `off`, or the severity of what was found.
    pub result: String,
    /// What was seen.
    pub observed: String,
    /// What is right.
    pub required: String,
}

/// Whether a result of a check has a word: one of its own, or that of a severity.
pub(crate) fn has_word(result: &str) -> bool {
    Severity::parse(result).is_some() || ["passed", "not-applicable", "boot-only", "off"].contains(&result)
}

impl Check {
    /// What it is about, in a language; where nothing was found, in words that say no fault.
    pub(crate) fn shown_title(&self, locale: Locale) -> String {
        let calm = ["passed", "not-applicable", "boot-only", "off"].contains(&self.result.as_str());
        plain(&match locale {
            Locale::En => self.title.clone(),
            _ if calm => mercat_text::asked(locale, &self.rule),
            _ => mercat_text::rule(locale, &self.rule),
        })
    }

    /// What it asks, in a language: the same however it came out, for those who compare.
    pub(crate) fn asked_title(&self, locale: Locale) -> String {
        match locale {
            Locale::En => plain(&self.title),
            _ => plain(&mercat_text::asked(locale, &self.rule)),
        }
    }

    /// Its result in a language: a word of its own, or the word of a severity.
    pub(crate) fn shown_result(&self, locale: Locale) -> String {
        match locale {
            Locale::En => plain(&self.result),
            _ if has_word(&self.result) => mercat_text::text(locale, &format!("report-{}", self.result), &[]),
            _ => plain(&self.result),
        }
    }
}

/// A verdict document, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How the caller calls it: a reference, or a file.
    pub name: String,
    /// Digest of what was judged; empty for what is no disk, or lists no image.
    pub subject: String,
    /// The three-valued judgement.
    pub outcome: Outcome,
    /// Name, date and digest of the policy pack.
    pub policy: [String; 3],
    /// Newest record of the advisories, or their digest where no date counts; empty without any.
    pub advisories: String,
    /// Images below the subject.
    pub images: Vec<Image>,
    /// The disk, when the subject is one.
    pub disk: Option<Disk>,
    /// Every rule about the disk.
    pub checks: Vec<Check>,
    /// Findings.
    pub findings: Vec<Finding>,
    /// Rules that are recorded only.
    pub shadow: BTreeSet<String>,
}

impl Report {
    /// Findings, the weightiest first.
    pub fn by_weight(&self) -> Vec<&Finding> {
        let mut sorted: Vec<&Finding> = self.findings.iter().collect();
        sorted.sort_by_key(|finding| match finding.severity {
            Severity::Error => 0,
            Severity::Inconclusive => 1,
            Severity::Warning => 2,
            Severity::Info => 3,
        });
        sorted
    }

    /// The same, where findings that differ only in their places are together.
    pub(crate) fn grouped(&self) -> Vec<Vec<&Finding>> {
        fn said(Finding { rule, severity, observed, required, fix, .. }: &Finding) -> (Severity, [&str; 4]) {
            (*severity, [rule, observed, required, fix])
        }
        let mut groups: Vec<Vec<&Finding>> = Vec::new();
        for finding in self.by_weight() {
            match groups.iter_mut().find(|group| said(group[0]) == said(finding)) {
                Some(group) => group.push(finding),
                None => groups.push(vec![finding]),
            }
        }
        groups
    }

    /// Findings of rules that are not among the checks: scanners, package databases, file systems.
    pub(crate) fn beside_checks(&self) -> impl Iterator<Item = &Finding> {
        let checked: BTreeSet<&str> = self.checks.iter().map(|check| check.rule.as_str()).collect();
        self.findings
            .iter()
            .filter(move |finding| !checked.contains(finding.rule.trim_end_matches("-ADVICE")))
    }

    /// Plain severity, or `shadow` for what is recorded only. What blocks is never called shadow.
    pub(crate) fn weight(&self, finding: &Finding) -> &'static str {
        let told = finding.severity == Severity::Info;
        if told && self.shadow.contains(&finding.rule) { "shadow" } else { finding.severity.name() }
    }
}

/// Where a finding sits, in one line; empty when nowhere in particular.
pub(crate) fn place(finding: &Finding) -> String {
    let place = &finding.place;
    let path = place.path_and_line();
    let parts = [&place.plan, &place.platform, &place.layer, &path, &place.package, &place.field];
    parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
