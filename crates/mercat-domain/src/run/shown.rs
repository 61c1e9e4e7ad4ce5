//! What people are shown of a step: whose turn it is, in one word.

use super::{Fault, StepStatus};

/// A step's state as a person sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    /// Not reached.
    NotStarted,
    /// A worker has it.
    InProgress,
    /// It waits for something of ours and goes on by itself.
    Delayed,
    /// Our side gave up; nothing is held against the publisher.
    Ours,
    /// The publisher must fix what was found and publish again.
    NeedsFix,
    /// The certification team has a question to the publisher.
    NeedsInformation,
    /// The certification team decides.
    InReview,
    /// The publisher decides.
    WaitingForYou,
    /// Done.
    Complete,
    /// Done, without looking again at anything: nothing had changed.
    Reused,
}

impl Shown {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::NotStarted,
        Self::InProgress,
        Self::Delayed,
        Self::Ours,
        Self::NeedsFix,
        Self::NeedsInformation,
        Self::InReview,
        Self::WaitingForYou,
        Self::Complete,
        Self::Reused,
    ];

    /// The state of a step: its status, whether it waits, whose fault an ending is, and whether
    /// all of it was known before.
    pub fn of(status: StepStatus, waits: bool, fault: Option<Fault>, reused: bool) -> Self {
        match status {
            StepStatus::NotStarted => Self::NotStarted,
            StepStatus::InProgress if waits => Self::Delayed,
            StepStatus::InProgress => Self::InProgress,
            StepStatus::Blocked if fault == Some(Fault::Ours) => Self::Ours,
            StepStatus::Blocked => Self::NeedsFix,
            StepStatus::WaitingForPublisherReview => Self::WaitingForYou,
            StepStatus::WaitingForApproval => Self::InReview,
            StepStatus::Complete if reused => Self::Reused,
            StepStatus::Complete => Self::Complete,
        }
    }

    /// The key of its words.
    pub fn key(self) -> &'static str {
        match self {
            Self::NotStarted => "shown-not-started",
            Self::InProgress => "shown-in-progress",
            Self::Delayed => "shown-delayed",
            Self::Ours => "shown-ours",
            Self::NeedsFix => "shown-needs-fix",
            Self::NeedsInformation => "shown-needs-information",
            Self::InReview => "shown-in-review",
            Self::WaitingForYou => "shown-waiting-for-you",
            Self::Complete => "shown-complete",
            Self::Reused => "shown-reused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_of_ours_never_looks_like_a_fault_of_the_publisher() {
        let blocked = |fault| Shown::of(StepStatus::Blocked, false, fault, false);
        assert_eq!(blocked(Some(Fault::Ours)), Shown::Ours);
        assert_eq!(blocked(Some(Fault::Publisher)), Shown::NeedsFix);
        assert_eq!(Shown::of(StepStatus::InProgress, true, None, false), Shown::Delayed);
    }
}
