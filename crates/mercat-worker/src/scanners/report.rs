//! What other scanners report, as findings. Everything in a report is text of strangers.
//!
//! Source: pluggable scanner adapter API 1.2, `HarborVulnerabilityReport`.

use super::Mode;
use mercat_certify::Policy;
use mercat_domain::Digest;
use mercat_domain::finding::{Finding, Place, Severity};
use mercat_domain::plain::plain;
use serde::{Deserialize, Deserializer, Serialize};

/// Bytes of a report.
pub(crate) const REPORT_BYTES_MAX: usize = 16 << 20;
/// Vulnerabilities of a report.
pub(crate) const REPORT_ITEMS_MAX: usize = 20_000;
/// Findings that are listed of one report; the others are counted.
const LISTED_MAX: usize = 500;
/// Characters of an identifier, a name or a version that are kept.
const NAME_CHARS_MAX: usize = 160;

/// What a scanner calls itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) vendor: String,
    pub(crate) version: String,
}

impl Named {
    pub(crate) fn bounded(&self) -> Self {
        Self { name: text(&self.name), vendor: text(&self.vendor), version: text(&self.version) }
    }
}

/// A scale of six; whatever else stands there is no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Level {
    Unknown,
    #[serde(alias = "None")]
    Negligible,
    Low,
    Medium,
    High,
    Critical,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            // Nobody rated it: the policy says what it counts as.
            Self::Unknown => "",
            Self::Negligible => "negligible",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// One vulnerability.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) package: String,
    #[serde(default, deserialize_with = "nothing")]
    pub(crate) version: String,
    #[serde(default, deserialize_with = "nothing")]
    pub(crate) fix_version: String,
    pub(crate) severity: Level,
}

fn nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}

/// A list that must be there; Go writes an empty one as `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Item>, D::Error> {
    Ok(Option::<Vec<Item>>::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Deserialize)]
struct Wire {
    artifact: WireArtifact,
    #[serde(default)]
    scanner: Named,
    #[serde(deserialize_with = "present")]
    vulnerabilities: Vec<Item>,
}

#[derive(Deserialize)]
struct WireArtifact {
    digest: String,
}

/// A report that was understood; its texts are bounded and harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ScanReport {
    pub(crate) scanner: Named,
    pub(crate) items: Vec<Item>,
}

/// Reads a report about a digest.
///
/// # Errors
/// What about it is not understood, or that it is about something else.
pub(crate) fn read(bytes: &[u8], wanted: &Digest) -> Result<ScanReport, String> {
    let wire: Wire = serde_json::from_slice(bytes).map_err(|error| text(&error.to_string()))?;
    if wire.artifact.digest != wanted.as_str() {
        return Err(format!("it is about {}, asked was {wanted}", text(&wire.artifact.digest)));
    }
    if wire.vulnerabilities.len() > REPORT_ITEMS_MAX {
        return Err(format!(
            "{} vulnerabilities, over the limit REPORT_ITEMS_MAX of {REPORT_ITEMS_MAX}",
            wire.vulnerabilities.len()
        ));
    }
    let mut items: Vec<Item> = wire.vulnerabilities.iter().map(bounded).collect();
    items.sort();
    items.dedup();
    Ok(ScanReport { scanner: wire.scanner.bounded(), items })
}

fn bounded(item: &Item) -> Item {
    Item {
        id: text(&item.id),
        package: text(&item.package),
        version: text(&item.version),
        fix_version: text(&item.fix_version),
        severity: item.severity,
    }
}

/// Text of a stranger in one short line, without anything that is not seen.
pub(crate) fn text(raw: &str) -> String {
    let mut out: String = raw.chars().take(NAME_CHARS_MAX).collect();
    if raw.chars().nth(NAME_CHARS_MAX).is_some() {
        out.push('…');
    }
    plain(out.trim())
}

/// The findings of a report, weighed by the policy; in shadow mode all of them are information.
pub(crate) fn findings(
    report: &ScanReport,
    (name, mode): (&str, Mode),
    platform: &str,
    policy: &Policy,
) -> Vec<Finding> {
    let by = format!("{name} ({})", format!("{} {}", report.scanner.name, report.scanner.version).trim());
    let place = Place { platform: platform.to_owned(), ..Place::default() };
    let weigh = |rule: &'static str| {
        let severity = policy.severity(rule)?;
        Some(if mode == Mode::Shadow { Severity::Info } else { severity })
    };
    let mut told: Vec<(&'static str, &Item)> = report
        .items
        .iter()
        .map(|item| {
            let blocks = policy.vulnerability_blocks(item.severity.word(), !item.fix_version.is_empty());
            (if blocks { "SCN-01" } else { "SCN-01-BELOW" }, item)
        })
        .collect();
    told.sort_by_key(|(rule, item)| (*rule != "SCN-01", std::cmp::Reverse(item.severity)));
    let rest = told.get(LISTED_MAX).map(|(rule, _)| (*rule, told.len() - LISTED_MAX));
    let mut out: Vec<Finding> = Vec::new();
    for (rule, item) in told.into_iter().take(LISTED_MAX) {
        let Some(severity) = weigh(rule) else { continue };
        let fixed = !item.fix_version.is_empty();
        out.push(Finding {
            rule: rule.to_owned(),
            severity,
            place: place.clone(),
            observed: format!("{by}: {} ({:?}) in {} {}", item.id, item.severity, item.package, item.version),
            required: if fixed { format!("{} or newer", item.fix_version) } else { "not fixed yet".into() },
            fix: match fixed {
                true => format!("upgrade {} and rebuild", item.package),
                false => "watch for a fix, or remove the package".to_owned(),
            },
        });
    }
    if let Some((rule, count)) = rest
        && let Some(severity) = weigh(rule)
    {
        out.push(Finding {
            rule: rule.to_owned(),
            severity,
            place,
            observed: format!("{by}: {count} more vulnerabilities, no graver than those listed"),
            required: format!("at most {LISTED_MAX} are listed (LISTED_MAX)"),
            fix: "mend those that are listed first".to_owned(),
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wanted() -> Digest {
        Digest::from_sha256(&[1; 32])
    }

    fn report(items: &serde_json::Value) -> Result<ScanReport, String> {
        let artifact = json!({"repository": "r", "digest": wanted().to_string()});
        let scanner = json!({"name": "S\u{1b}[31m", "vendor": "V", "version": "1"});
        let all = json!({"artifact": artifact, "scanner": scanner, "vulnerabilities": items, "other": [1]});
        read(all.to_string().as_bytes(), &wanted())
    }

    fn item(id: &str, level: &str, fix: &str) -> serde_json::Value {
        json!({"id": id, "package": "p", "version": "1", "fix_version": fix, "severity": level, "links": []})
    }

    fn rules(report: &ScanReport, mode: Mode) -> Vec<(String, Severity)> {
        let policy = Policy::parse(Policy::built_in()).expect("reads");
        let found = findings(report, ("s", mode), "linux/amd64", &policy);
        found.into_iter().map(|finding| (finding.rule, finding.severity)).collect()
    }

    #[test]
    fn the_policy_weighs_in_enforce_mode_and_shadow_mode_only_tells() {
        let items = json!([
            item("A", "Critical", "2"),
            item("B", "Critical", ""),
            item("C", "Medium", "2"),
            item("D", "Unknown", "2"),
            item("E", "Negligible", "2"),
            item("F", "High", "2"),
        ]);
        let read = report(&items).expect("understood");
        let told = rules(&read, Mode::Enforce);
        let below = ("SCN-01-BELOW".to_owned(), Severity::Info);
        assert_eq!(
            told[..2],
            [("SCN-01".to_owned(), Severity::Error), ("SCN-01".to_owned(), Severity::Error)]
        );
        assert!(told.len() == 6 && told[2..].iter().all(|told| *told == below), "{told:?}");
        assert!(rules(&read, Mode::Shadow).iter().all(|(_, severity)| *severity == Severity::Info));
        assert_eq!(report(&json!(null)).expect("understood").items, []);
    }

    #[test]
    fn what_is_no_report_about_the_digest_is_refused_with_the_reason() {
        for (text, why) in [
            ("{}", "artifact"),
            ("[]", "invalid"),
            ("", "EOF"),
            ("{\"artifact\": {\"digest\": \"sha256:00\"}, \"vulnerabilities\": []}", "it is about sha256:00"),
        ] {
            let error = read(text.as_bytes(), &wanted()).expect_err("no report");
            assert!(error.contains(why), "{error}");
        }
        let artifact = json!({"artifact": {"digest": wanted().to_string()}}).to_string();
        assert!(read(artifact.as_bytes(), &wanted()).expect_err("no list").contains("vulnerabilities"));
        assert!(report(&json!([item("A", "Worst", "")])).expect_err("no level").contains("Worst"));
        assert!(report(&json!([{"id": "A"}])).is_err());
        let many: Vec<_> = (0..=REPORT_ITEMS_MAX).map(|at| item(&at.to_string(), "Low", "")).collect();
        assert!(report(&json!(many)).expect_err("too many").contains("REPORT_ITEMS_MAX"));
        let deep = "[".repeat(100_000);
        assert!(read(deep.as_bytes(), &wanted()).is_err());
    }

    #[test]
    fn names_are_bounded_and_harmless_and_what_is_not_listed_is_counted() {
        let mut hostile = item("CVE\n\u{202e}", "High", "2");
        hostile["package"] = json!("x".repeat(100_000));
        let read = report(&json!([hostile])).expect("understood");
        assert_eq!(
            (read.items[0].id.as_str(), read.scanner.name.as_str()),
            ("CVE\\n\\u{202e}", "S\\u{1b}[31m")
        );
        assert_eq!(read.items[0].package.chars().count(), NAME_CHARS_MAX + 1);
        let many: Vec<_> = (0..LISTED_MAX + 7).map(|at| item(&at.to_string(), "High", "2")).collect();
        let read = report(&json!(many)).expect("understood");
        let policy = Policy::parse(Policy::built_in()).expect("reads");
        let found = findings(&read, ("s", Mode::Enforce), "", &policy);
        assert_eq!(found.len(), LISTED_MAX + 1);
        let last = found.last().expect("one");
        assert!(last.observed.contains("7 more") && last.severity == Severity::Error, "{last:?}");
    }
}
