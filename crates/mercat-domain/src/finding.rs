//! What certification reports, and the three-valued judgement over it.

/// How much a finding weighs, decided by the policy pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Told, never weighed.
    Info,
    /// Shown; does not block.
    Warning,
    /// Blocks certification; the publisher can fix it.
    Error,
    /// Our side could not finish the check: blocks approval, is never a rejection.
    Inconclusive,
}

impl Severity {
    /// What weighs more stands for several: an error even where others could not be decided.
    pub fn weight(self) -> u8 {
        match self {
            Self::Info => 0,
            Self::Warning => 1,
            Self::Inconclusive => 2,
            Self::Error => 3,
        }
    }

    /// The name used in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// Reads [`Severity::name`] back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Info, Self::Warning, Self::Error, Self::Inconclusive]
            .into_iter()
            .find(|severity| severity.name() == name)
    }
}

/// Where a finding sits. Empty parts do not apply.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Place {
    /// Plan id.
    pub plan: String,
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// Layer digest; of a disk, the name of the volume.
    pub layer: String,
    /// Path in the layer; members of nested archives follow after `!/`.
    pub path: String,
    /// Digest of the file's bytes, where they were at hand when it was found.
    pub file: String,
    /// Package URL of the package concerned.
    pub package: String,
    /// Field path in the offer, for listing rules.
    pub field: String,
    /// Line of the file, from 1, where it is known.
    pub line: Option<u32>,
}

impl Place {
    /// The path, with the line behind it where that is known.
    pub fn path_and_line(&self) -> String {
        at_line(&self.path, self.line)
    }
}

/// A path and a line of that file, as compilers and editors write it.
pub fn at_line(path: &str, line: Option<u32>) -> String {
    match line {
        Some(line) if !path.is_empty() => format!("{path}:{line}"),
        _ => path.to_owned(),
    }
}

/// One thing that certification has to say.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Finding {
    /// Stable rule id, for example `CTR-21` or `TAR-07`.
    pub rule: String,
    /// Weight, from the policy pack.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// What was seen; secrets are redacted before they get here.
    pub observed: String,
    /// What would have been right.
    pub required: String,
    /// What to do next.
    pub fix: String,
}

/// The judgement over a list of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing blocks.
    Pass,
    /// The publisher must fix something.
    Findings,
    /// Our side could not finish; blocks, and is shown as our fault.
    Inconclusive,
}

impl Outcome {
    /// The name used in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Findings => "findings",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// Reads [`Outcome::name`] back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Pass, Self::Findings, Self::Inconclusive].into_iter().find(|o| o.name() == name)
    }
}

/// Judges findings: a blocking finding outweighs an inconclusive one, because
/// it is certain and the publisher can act on it now.
pub fn judge<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Outcome {
    findings.into_iter().fold(Outcome::Pass, |worst, finding| match finding.severity {
        Severity::Error => Outcome::Findings,
        Severity::Inconclusive if worst == Outcome::Pass => Outcome::Inconclusive,
        _ => worst,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(severity: Severity) -> Finding {
        Finding {
            rule: "X".into(),
            severity,
            place: Place::default(),
            observed: String::new(),
            required: String::new(),
            fix: String::new(),
        }
    }

    #[test]
    fn an_inconclusive_check_is_never_a_pass_and_never_hides_a_finding() {
        assert_eq!(judge(&[]), Outcome::Pass);
        assert_eq!(judge(&[of(Severity::Warning)]), Outcome::Pass);
        assert_eq!(judge(&[of(Severity::Inconclusive), of(Severity::Info)]), Outcome::Inconclusive);
        assert_eq!(judge(&[of(Severity::Inconclusive), of(Severity::Error)]), Outcome::Findings);
        assert_eq!(judge(&[of(Severity::Error), of(Severity::Inconclusive)]), Outcome::Findings);
    }
}
