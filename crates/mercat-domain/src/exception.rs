//! Exceptions: a reviewer lets one finding pass, for exactly what was found, until a day.

use crate::Millis;
use crate::calendar::DAY;
use crate::finding::{Finding, Place, Severity};
use std::collections::BTreeSet;

/// How long an exception may last at most.
pub const LIFE_MAX: Millis = 366 * DAY;

/// How far a request for an exception is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExceptionState {
    /// A reviewer has to decide.
    Requested,
    /// The publisher has to say more.
    NeedsInformation,
    /// The finding does not block until the end date.
    Granted,
    /// The finding blocks.
    Denied,
    /// It was granted, and is not any more: the finding blocks.
    Withdrawn,
}

impl ExceptionState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Requested, Self::NeedsInformation, Self::Granted, Self::Denied, Self::Withdrawn];

    /// The name used in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::NeedsInformation => "needsInformation",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Reads [`ExceptionState::name`] back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The key of the state's words.
    pub fn key(self) -> &'static str {
        match self {
            Self::Requested => "exception-requested",
            Self::NeedsInformation => "exception-needs-information",
            Self::Granted => "exception-granted",
            Self::Denied => "exception-denied",
            Self::Withdrawn => "exception-withdrawn",
        }
    }

    /// Whether nothing is to be done about it, and it lets nothing pass.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Denied | Self::Withdrawn)
    }
}

/// The state that a reviewer's decision leads to; nothing where it does not follow. What is denied or granted can be
/// decided anew, and to deny what was granted is to withdraw it.
pub fn decided(from: ExceptionState, decision: ExceptionState) -> Option<ExceptionState> {
    use ExceptionState::{Denied, Granted, NeedsInformation, Requested, Withdrawn};
    match (from, decision) {
        (_, Requested) | (Granted | Denied | Withdrawn, NeedsInformation) => None,
        (Granted | Withdrawn, Denied | Withdrawn) => Some(Withdrawn),
        (_, Withdrawn) => None,
        (_, other) => Some(other),
    }
}

/// What a decision about a finding is bound to, as text: the rule, and the bytes that it was found in. A file counts
/// as the same wherever it lies, in this image or the next. `images` are the digests of the plan's images; they stand
/// in where a place names neither file nor layer by its bytes.
pub fn binding(rule: &str, place: &Place, observed: &str, images: &[String]) -> String {
    let Place { layer, path, file, package, field, .. } = place;
    if !file.is_empty() && package.is_empty() {
        return [rule, "file", file].join("\n");
    }
    // One package has many vulnerabilities; what is told of each changes by the day, but for its names.
    // A configuration has many values and no file of its own.
    let about = match package.is_empty() {
        true if path.starts_with("config") && layer.is_empty() => observed,
        true => "",
        false => observed.split(" (").next().unwrap_or_default(),
    };
    // A volume of a disk goes by a name that other bytes may have too.
    if layer.starts_with("sha256:") {
        return [rule, "layer", layer, path, package, about].join("\n");
    }
    if path.is_empty() && package.is_empty() && !field.is_empty() {
        return [rule, "field", field, observed].join("\n");
    }
    let mut images = images.to_vec();
    images.sort();
    images.dedup();
    [rule, "images", &images.join(" "), layer, path, package, about].join("\n")
}

/// The key of the words for what a [`binding`] holds to.
pub fn scope(binding: &str) -> &'static str {
    match binding.split('\n').nth(1) {
        Some("file") => "exception-scope-file",
        Some("layer") => "exception-scope-layer",
        Some("field") => "exception-scope-field",
        _ => "exception-scope-images",
    }
}

/// Whether two bindings are about the same rule and place, but for the bytes.
fn differs_in_bytes(one: &str, other: &str) -> bool {
    // Rule, kind, bytes, and what it is about there. Of a file nothing but its bytes is known.
    let parts = |binding: &str| binding.splitn(4, '\n').map(str::to_owned).collect::<Vec<_>>();
    match (&parts(one)[..], &parts(other)[..]) {
        ([rule, kind, _, about], [same_rule, same_kind, _, same]) => {
            // Without a package, nothing tells whether it is the same that was found there.
            let is_same = (rule, kind, about) == (same_rule, same_kind, same);
            kind != "field" && is_same && !about.ends_with("\n\n")
        }
        _ => false,
    }
}

/// An exception that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// What it is bound to.
    pub binding: String,
    /// Offer that it was asked for.
    pub offer: String,
    /// Told to people.
    pub number: u64,
    /// The last day, as text.
    pub until: String,
}

/// How the fix of a finding begins that an exception lets pass.
const EXCUSED: &str = "let pass by exception ";

/// The number of the exception that lets a finding pass, by the fix that [`excuse`] wrote.
pub fn excused_by(fix: &str) -> Option<u64> {
    fix.strip_prefix(EXCUSED)?.split(' ').next()?.parse().ok()
}

impl Exception {
    /// What is told in place of the fix of a finding that it lets pass.
    pub fn words(&self) -> String {
        format!("{EXCUSED}{} until {}", self.number, self.until)
    }
}

/// What [`excuse`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Excused {
    /// How many findings were let pass.
    pub count: usize,
    /// The exceptions that are for the same finding in an image or layer of other bytes, by number.
    pub elsewhere: BTreeSet<u64>,
}

/// Lets findings pass that exceptions were granted for. Only what blocks because of the publisher is let pass: what
/// we could not check is not known.
pub fn excuse(
    findings: &mut [Finding],
    exceptions: &[Exception],
    offer: &str,
    images: impl Fn(&str) -> Vec<String>,
) -> Excused {
    let mut out = Excused::default();
    let mut used = BTreeSet::new();
    for finding in findings.iter_mut().filter(|finding| finding.severity == Severity::Error) {
        let bound = binding(&finding.rule, &finding.place, &finding.observed, &images(&finding.place.plan));
        if let Some(exception) = exceptions.iter().find(|exception| exception.binding == bound) {
            finding.severity = Severity::Warning;
            finding.fix = exception.words();
            out.count += 1;
            used.insert(exception.number);
        } else {
            let of_offer = exceptions.iter().filter(|other| other.offer == offer);
            let other = of_offer.filter(|other| differs_in_bytes(&other.binding, &bound));
            out.elsewhere.extend(other.map(|other| other.number));
        }
    }
    // What holds for one of several plans or layers is no trace of an earlier build.
    out.elsewhere.retain(|number| !used.contains(number));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rule: &str, layer: &str, path: &str) -> Finding {
        let place = Place { plan: "p".into(), layer: layer.into(), path: path.into(), ..Place::default() };
        let (observed, required, fix) = ("o".into(), "r".into(), "f".into());
        Finding { rule: rule.into(), severity: Severity::Error, place, observed, required, fix }
    }

    #[test]
    fn an_exception_is_for_these_bytes_and_this_rule_and_nothing_else() {
        let images = |_: &str| vec!["sha256:i".to_owned()];
        let bound = finding("CTR-21", "sha256:l", "etc/key");
        let grant = |finding: &Finding, images: &[String]| Exception {
            binding: binding(&finding.rule, &finding.place, &finding.observed, images),
            offer: "o".into(),
            number: 3,
            until: "2027-01-01".into(),
        };
        let exceptions = [grant(&bound, &[])];
        let mut findings = vec![
            bound.clone(),
            finding("CTR-21", "sha256:other", "etc/key"),
            finding("CTR-21", "sha256:l", "etc/other"),
            finding("CTR-20", "sha256:l", "etc/key"),
            Finding { severity: Severity::Inconclusive, ..bound.clone() },
        ];
        assert_eq!(excuse(&mut findings, &exceptions, "o", images).count, 1);
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(findings[0].fix.contains("exception 3 until 2027-01-01"));
        assert_eq!(excused_by(&findings[0].fix), Some(3));
        assert_eq!(["remove it", "let pass by exception x until"].map(excused_by), [None, None]);
        assert!(findings[1..4].iter().all(|finding| finding.severity == Severity::Error));
        assert_eq!(findings[4].severity, Severity::Inconclusive, "what was not checked is not excused");
        // A file is the same in another layer, and on another disk; a volume's name says nothing of its bytes.
        let mut key = bound.clone();
        key.place.file = "sha256:f".into();
        let exceptions = [grant(&key, &[])];
        let mut moved = key.clone();
        (moved.place.layer, moved.place.path) = ("sha256:other".into(), "srv/key".into());
        let mut changed = key.clone();
        changed.place.file = "sha256:g".into();
        let mut findings = vec![moved, changed, bound];
        assert_eq!(excuse(&mut findings, &exceptions, "o", images).count, 1);
        assert_eq!(findings[0].severity, Severity::Warning);
        let volume = finding("LNX-01", "partition 2", "etc/fstab");
        let exceptions = [grant(&volume, &images(""))];
        assert_eq!(excuse(&mut [volume.clone()], &exceptions, "o", images).count, 1);
        let new = |_: &str| vec!["sha256:new".into()];
        assert_eq!(excuse(&mut [volume], &exceptions, "o", new), Excused::default());
        // One value of a configuration is not the next.
        let mut one = finding("CTR-21", "", "config: Env");
        one.observed = "password in A: x… (12 characters)".into();
        let other = Finding { observed: "password in B: x… (12 characters)".into(), ..one.clone() };
        let exceptions = [grant(&one, &images(""))];
        let mut findings = [one, other];
        assert_eq!(excuse(&mut findings, &exceptions, "o", images).count, 1);
        assert_eq!(findings[1].severity, Severity::Error);
        // Another vulnerability of the same package is another finding.
        let mut old = finding("CTR-22", "", "");
        (old.place.package, old.observed) = ("pkg:deb/x@1".into(), "CVE-1 (high) in x 1; EPSS 0.10 %".into());
        let exceptions = [grant(&old, &images(""))];
        let mut later = old.clone();
        later.observed = "CVE-1 (critical) in x 1; EPSS 9.00 %".into();
        assert_eq!(excuse(&mut [later.clone()], &exceptions, "o", images).count, 1);
        let elsewhere = excuse(&mut [later.clone()], &exceptions, "o", new).elsewhere;
        assert_eq!(elsewhere, [3].into());
        assert_eq!(excuse(&mut [later.clone()], &exceptions, "other", new), Excused::default());
        // The same exception that lets one plan pass is not for an earlier build of the other.
        let of_plan = |plan: &str| if plan == "p" { images("") } else { new("") };
        let mut two = [later.clone(), later.clone()];
        two[1].place.plan = "q".into();
        assert_eq!(excuse(&mut two, &exceptions, "o", of_plan), Excused { count: 1, elsewhere: [].into() });
        later.observed = "CVE-2 (high) in x 1".into();
        assert_eq!(excuse(&mut [later.clone()], &exceptions, "o", new), Excused::default());
        assert_eq!(excuse(&mut [later], &exceptions, "o", images).count, 0);
        // Without a layer, it is the image that must be the same.
        let config = finding("CTR-09", "", "");
        let exceptions = [grant(&config, &images(""))];
        let mut same = vec![config.clone()];
        assert_eq!(excuse(&mut same, &exceptions, "o", images).count, 1);
        assert_eq!(excuse(&mut [config], &exceptions, "o", new).count, 0);
    }

    #[test]
    fn a_reviewer_may_ask_grant_deny_and_change_their_mind() {
        use ExceptionState::*;
        for (from, decision, to) in [
            (Requested, Granted, Some(Granted)),
            (Requested, NeedsInformation, Some(NeedsInformation)),
            (NeedsInformation, Denied, Some(Denied)),
            (Granted, NeedsInformation, None),
            (Granted, Denied, Some(Withdrawn)),
            (Granted, Withdrawn, Some(Withdrawn)),
            (Denied, Granted, Some(Granted)),
            (Withdrawn, Granted, Some(Granted)),
            (Withdrawn, Denied, Some(Withdrawn)),
            (Denied, NeedsInformation, None),
            (Withdrawn, NeedsInformation, None),
            (Requested, Withdrawn, None),
            (Denied, Withdrawn, None),
            (Requested, Requested, None),
        ] {
            assert_eq!(decided(from, decision), to, "{from:?} {decision:?}");
        }
    }
}
