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
    /// N5: a submission still waits for sign-off.
    Reminder,
    /// N8: a step takes longer than was promised.
    Overdue,
    /// N9: a support request was received, answered or closed.
    Support,
    /// N10: a customer asks for support.
    CustomerTicket,
    /// N11: leads or webhooks do not arrive.
    DeliveryFailing,
    /// N12: rules change, and what is live must be certified again.
    Recertification,
    /// N13: a version will be withdrawn.
    Deprecation,
    /// A lead arrived.
    LeadArrived,
    /// A request for an exception was made, asked about or decided.
    Exception,
    /// The notices of a day.
    Digest,
    /// The certification team asks the publisher something, or is answered.
    Question,
    /// A link to sign in with, for who asked for one.
    SignIn,
    /// What is live would not pass by what is known now.
    Standing,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 19] = [
        Self::Accepted,
        Self::StepFailed,
        Self::CertificationFeedback,
        Self::PreviewReady,
        Self::Live,
        Self::Canceled,
        Self::Reminder,
        Self::Overdue,
        Self::Support,
        Self::CustomerTicket,
        Self::DeliveryFailing,
        Self::Recertification,
        Self::Deprecation,
        Self::LeadArrived,
        Self::Exception,
        Self::Digest,
        Self::Question,
        Self::SignIn,
        Self::Standing,
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
            Self::Reminder => "N5",
            Self::Overdue => "N8",
            Self::Support => "N9",
            Self::CustomerTicket => "N10",
            Self::DeliveryFailing => "N11",
            Self::Recertification => "N12",
            Self::Deprecation => "N13",
            Self::LeadArrived => "L1",
            Self::Exception => "X1",
            Self::Digest => "D1",
            Self::Question => "X2",
            Self::SignIn => "S1",
            Self::Standing => "X3",
        }
    }

    /// Reads [`NoticeKind::id`] back.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }
}
