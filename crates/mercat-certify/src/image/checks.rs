//! What was looked for in an image, and how it came out: passes too.

use super::{Facts, Image};
use crate::Knowledge;
use crate::facts::facts_key;
use crate::verdict::{Check, ImageReport};
use Over::{Bytes, Documents, Packages};
use mercat_domain::Severity;
use mercat_domain::finding::Finding;
use std::collections::BTreeSet;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    /// Manifests and configs, which are there or refused.
    Documents,
    /// Every byte of every layer.
    Bytes,
    /// The packages, and advisories about them.
    Packages,
}

/// What is looked for: its rule, what a pass must have seen, what it is about, and what is right.
const SOUGHT: &[(&str, Over, &str, &str)] = &[
    ("CTR-13", Documents, "Manifests, configs and layers", "every part there, as it is announced"),
    ("CTR-20", Bytes, "Viruses and malware", "no known virus and no malware"),
    ("CTR-20-SUSPECT", Bytes, "What is suspicious", "nothing that people have to look at"),
    ("CTR-21", Bytes, "Credentials", "no credentials in layers, config or history"),
    ("CTR-22", Packages, "Vulnerabilities", "none over the threshold of the policy pack"),
    ("CTR-24", Documents, "User", "a user other than root"),
    ("CTR-27", Bytes, "Licence and notices", "a licence and the notices of what it contains"),
    ("CTR-28", Documents, "Labels", "the standard OCI labels"),
    ("CTR-29", Bytes, "Sizes and nesting", "what unpacks within the limits of the policy pack"),
    ("CTR-32", Bytes, "Programs with privileges", "setuid and setgid programs of packages only"),
    ("CTR-33", Bytes, "Files that everybody may write", "none outside of directories for that"),
    ("CTR-35", Bytes, "Passwords of accounts", "locked passwords"),
    ("PKG-06", Bytes, "Programs of packages", "programs as their package installed them"),
];

/// Rules of findings that only say that something is not known of packages.
const OF_PACKAGES: [&str; 12] = [
    "INC-06", "INC-07", "INC-08", "INC-12", "INC-13", "INC-16", "INC-17", "INC-18", "INC-24", "PKG-05",
    "PKG-07", "PKG-08",
];

/// What is not known, by the rules that say so, before a policy pack weighs them: whatever it makes of one, nothing
/// passes over bytes that were not seen.
pub(super) fn unknown(findings: &[Finding]) -> BTreeSet<String> {
    let rules = findings.iter().map(|finding| finding.rule.clone());
    rules.filter(|rule| rule.starts_with("INC-") || OF_PACKAGES.contains(&rule.as_str())).collect()
}

/// The checks of the images of a specimen together; none where there is no image.
pub(super) fn of(
    (images, facts): (&[Image], &Facts),
    reports: &[ImageReport],
    (findings, unknown): (&[Finding], &BTreeSet<String>),
    knowledge: &Knowledge,
) -> Vec<Check> {
    if reports.is_empty() {
        return Vec::new();
    }
    let engines = knowledge.engine_digest();
    let mut layers = images.iter().flat_map(|image| &image.layers);
    let all_read = layers.all(|layer| {
        let kept = facts.get(&facts_key(&layer.descriptor.digest, layer.compression, &engines));
        kept.is_some_and(|kept| kept.as_ref().is_some_and(|facts| !facts.refused && !facts.blob.is_empty()))
    });
    let bytes_seen = all_read && unknown.iter().all(|rule| OF_PACKAGES.contains(&rule.as_str()));
    let packages_seen = all_read && unknown.is_empty();
    let seen = seen(reports);
    let check = |(rule, over, title, required): &(&str, Over, &str, &str)| {
        // Of accounts all is one check, whatever the weight.
        let is_of = |found: &str| found == *rule || *rule == "CTR-35" && found.starts_with("CTR-35-");
        let found = findings.iter().filter(|finding| is_of(&finding.rule));
        let worst = found.clone().map(|finding| finding.severity).max_by_key(|severity| severity.weight());
        let enough = match over {
            Documents => true,
            Bytes => bytes_seen,
            Packages => packages_seen,
        };
        let (result, observed) = match worst {
            _ if knowledge.policy.severity(rule).is_none() => ("off", String::new()),
            Some(worst) if enough || worst == Severity::Error => {
                (worst.name(), counted(found.count() as u64, "finding"))
            }
            _ if !enough => ("inconclusive", "not all of it could be looked into".to_owned()),
            _ => ("passed", seen.clone()),
        };
        Check {
            rule: (*rule).to_owned(),
            test_id: String::new(),
            title: (*title).to_owned(),
            result: result.to_owned(),
            observed,
            required: (*required).to_owned(),
        }
    };
    let start = start(knowledge, findings.iter().find(|finding| finding.rule == "CTR-25"));
    SOUGHT.iter().map(check).chain(start).collect()
}

/// What the start test shows, which the server runs where the policy pack asks for it, unless the image cannot start.
fn start(knowledge: &Knowledge, found: Option<&Finding>) -> Option<Check> {
    let asked = knowledge.policy.containers.start != mercat_policy::Boot::Off;
    let (result, observed) = match found {
        Some(found) => (found.severity.name(), found.observed.clone()),
        None if asked && knowledge.policy.severity("CTR-25").is_some() => {
            ("boot-only", "shown by the start test, which the server runs".to_owned())
        }
        None => return None,
    };
    let check = Check {
        rule: "CTR-25".to_owned(),
        test_id: String::new(),
        title: "Start of the entry point".to_owned(),
        result: result.to_owned(),
        observed,
        required: "an entry point that starts with default settings".to_owned(),
    };
    Some(check)
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn seen(reports: &[ImageReport]) -> String {
    let layers = || reports.iter().flat_map(|report| &report.layers);
    let scanned: u64 = layers().map(|layer| layer.scanned_bytes + layer.nested_scanned_bytes).sum();
    let packages: usize = reports.iter().map(|report| report.packages + report.components).sum();
    let layers = counted(layers().count() as u64, "layer");
    format!("{layers}, {} scanned, {}", counted(scanned, "byte"), counted(packages as u64, "package"))
}

#[cfg(test)]
mod tests;
