//! What a certification rule is, and what it can answer.

use super::linux::Readings;
use super::{Claims, Layout, Tree};
use mercat_artifact::pkgdb::{OsRelease, Package};
use mercat_disk::Facts;
use mercat_domain::finding::{Finding, Place};
use mercat_policy::VmPolicy;

/// A rule of domain 5.1 to 5.3.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable id, for example `LNX-04`.
    pub id: &'static str,
    /// The test id of the industry's self-test tool, where it has one.
    pub test_id: Option<&'static str>,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// What to do about a finding; `fix-<id>` in other languages.
    pub fix: &'static str,
    /// The check: looks at the case and nothing else.
    pub check: fn(&Case<'_>) -> Outcome,
}

/// Everything that a rule may look at.
pub struct Case<'a> {
    /// The guest's files.
    pub tree: &'a Tree,
    /// Partitions, volumes and how full they are.
    pub layout: &'a Layout,
    /// What the container says.
    pub facts: &'a Facts,
    /// What the offer says.
    pub claims: &'a Claims,
    /// Parameters of the policy pack.
    pub policy: &'a VmPolicy,
    /// `os-release` of the guest; empty when it has none.
    pub os: &'a OsRelease,
    /// Installed packages.
    pub packages: &'a [Package],
    /// What the scanners and the advisories found, already weighed.
    pub findings: &'a [Finding],
    /// What rules have read; empty at first.
    pub readings: Readings<'a>,
}

/// How a rule came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// As required.
    Passed,
    /// Not as required; how much that weighs is the policy pack's word.
    Found,
    /// The rule is about something that this disk is not.
    NotApplicable,
    /// It could not be decided here: ours.
    Inconclusive,
    /// Only a running machine can show it: the boot test decides.
    BootOnly,
}

impl Status {
    /// The name used in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Found => "found",
            Self::NotApplicable => "not-applicable",
            Self::Inconclusive => "inconclusive",
            Self::BootOnly => "boot-only",
        }
    }
}

/// One thing that is not as required.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What was seen.
    pub observed: String,
    /// Whether it only misses a recommendation: it then counts under `<id>-ADVICE`.
    pub advice: bool,
}

/// What a rule answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it came out.
    pub status: Status,
    /// What was seen, in one line; for a pass too.
    pub observed: String,
    /// What is right.
    pub required: String,
    /// What is not right. Empty when another engine reports it under rules of its own.
    pub faults: Vec<Fault>,
}

impl Outcome {
    /// As required.
    pub fn passed(observed: impl Into<String>, required: impl Into<String>) -> Self {
        Self::of(Status::Passed, observed, required)
    }

    /// Not about this disk.
    pub fn not_applicable(why: impl Into<String>) -> Self {
        Self::of(Status::NotApplicable, why, "")
    }

    /// Not decided, by our fault.
    pub fn inconclusive(why: impl Into<String>, required: impl Into<String>) -> Self {
        Self::of(Status::Inconclusive, why, required)
    }

    /// For the boot test.
    pub fn boot_only(required: impl Into<String>) -> Self {
        Self::of(Status::BootOnly, "shown by the boot test", required)
    }

    /// One fault at a place.
    pub fn found(place: Place, observed: impl Into<String>, required: impl Into<String>) -> Self {
        Self::judged(vec![Fault { place, observed: observed.into(), advice: false }], "", required)
    }

    /// One missed recommendation.
    pub fn advice(place: Place, observed: impl Into<String>, required: impl Into<String>) -> Self {
        Self::judged(vec![Fault { place, observed: observed.into(), advice: true }], "", required)
    }

    /// Passed with `observed` when there are no faults.
    pub fn judged(faults: Vec<Fault>, observed: impl Into<String>, required: impl Into<String>) -> Self {
        let Some(first) = faults.first() else { return Self::passed(observed, required) };
        let more = match faults.len() {
            1 => String::new(),
            many => format!(" and {} more", many - 1),
        };
        let observed = format!("{}{more}", first.observed);
        Self { faults, ..Self::of(Status::Found, observed, required) }
    }

    /// Found by another engine, which reports it itself.
    pub fn elsewhere(observed: impl Into<String>, required: impl Into<String>) -> Self {
        Self::of(Status::Found, observed, required)
    }

    fn of(status: Status, observed: impl Into<String>, required: impl Into<String>) -> Self {
        Self { status, observed: observed.into(), required: required.into(), faults: Vec::new() }
    }
}
