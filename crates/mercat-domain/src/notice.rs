//! Notices: what people are told, with every fact fixed when it was decided.

/// Which notice (domain rules 2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    /// N1: a submission was accepted.
    Accepted,
    /// N2: a step failed.
    StepFailed,
    /// N3: certification has findings.
    CertificationFeedback,
    /// N4: the offer is available in preview and waits for sign-off.
    PreviewReady,
    /// N6: the offer is live.
    Live,
    /// N7: the submission was cancelled.
    Canceled,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Accepted,
        Self::StepFailed,
        Self::CertificationFeedback,
        Self::PreviewReady,
        Self::Live,
        Self::Canceled,
    ];

    /// The stable id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Accepted => "N1",
            Self::StepFailed => "N2",
            Self::CertificationFeedback => "N3",
            Self::PreviewReady => "N4",
            Self::Live => "N6",
            Self::Canceled => "N7",
        }
    }

    /// Reads [`NoticeKind::id`] back.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }
}
