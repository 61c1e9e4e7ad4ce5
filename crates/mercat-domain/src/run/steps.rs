//! The itinerary of each kind of offer: order, titles and promises.

use crate::calendar::{DAY, HOUR, MINUTE};
use crate::{Millis, OfferKind};

/// A publishing step (domain rules 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Validate prerequisites.
    Validate,
    /// Certification.
    Certify,
    /// Provisioning to every region, for the preview.
    Provision,
    /// Packaging and lead generation registration.
    Package,
    /// Offer available in preview; a milestone without duration.
    Preview,
    /// Publisher sign-off; a person acts.
    Signoff,
    /// Replication to production.
    ProvisionProd,
    /// Live.
    Live,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 8] = [
        Self::Validate,
        Self::Certify,
        Self::Provision,
        Self::Package,
        Self::Preview,
        Self::Signoff,
        Self::ProvisionProd,
        Self::Live,
    ];

    /// The id used in the API and the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Certify => "certify",
            Self::Provision => "provision",
            Self::Package => "package",
            Self::Preview => "preview",
            Self::Signoff => "signoff",
            Self::ProvisionProd => "provision-prod",
            Self::Live => "live",
        }
    }

    /// Reads [`Step::name`] back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

/// How far a step is (domain rules 1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepStatus {
    /// Not reached.
    NotStarted,
    /// A worker has it, or it is queued for one.
    InProgress,
    /// The publisher must act.
    WaitingForPublisherReview,
    /// The certification team must act.
    WaitingForApproval,
    /// It found an error; the run is over.
    Blocked,
    /// Done.
    Complete,
}

impl StepStatus {
    const ALL: [Self; 6] = [
        Self::NotStarted,
        Self::InProgress,
        Self::WaitingForPublisherReview,
        Self::WaitingForApproval,
        Self::Blocked,
        Self::Complete,
    ];

    /// Whether this is the step that is worked on or waited for.
    pub fn is_current(self) -> bool {
        matches!(self, Self::InProgress | Self::WaitingForPublisherReview | Self::WaitingForApproval)
    }

    /// The name used in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotStarted => "notStarted",
            Self::InProgress => "inProgress",
            Self::WaitingForPublisherReview => "waitingForPublisherReview",
            Self::WaitingForApproval => "waitingForApproval",
            Self::Blocked => "blocked",
            Self::Complete => "complete",
        }
    }

    /// Reads [`StepStatus::name`] back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// The steps of one kind of offer, in order (domain rules 2.2).
pub fn itinerary(kind: OfferKind) -> &'static [Step] {
    match kind {
        OfferKind::Container => &[
            Step::Validate,
            Step::Certify,
            Step::Package,
            Step::Preview,
            Step::Signoff,
            Step::ProvisionProd,
            Step::Live,
        ],
        OfferKind::VirtualMachine => &Step::ALL,
    }
}

/// The key of the title shown: containers show "Packaging" twice, virtual machines "Provisioning".
pub fn title_key(kind: OfferKind, step: Step) -> &'static str {
    match (kind, step) {
        (_, Step::Validate) => "step-validate",
        (_, Step::Certify) => "step-certify",
        (OfferKind::Container, Step::Package | Step::ProvisionProd) => "step-packaging",
        (OfferKind::VirtualMachine, Step::Package) => "step-packaging-leads",
        (_, Step::Provision | Step::ProvisionProd) => "step-provisioning",
        (_, Step::Preview) => "step-preview",
        (_, Step::Signoff) => "step-signoff",
        (_, Step::Live) => "step-live",
    }
}

/// A promised duration: the key of its words, and the maximum behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Key of the text, for example `estimate-one-week`.
    pub key: &'static str,
    /// After this the step is overdue.
    pub max: Millis,
}

/// What the founding documents promise for a step; `None` where they promise nothing.
pub fn estimate(kind: OfferKind, step: Step) -> Option<Estimate> {
    let of = |key, max| Some(Estimate { key, max });
    match (kind, step) {
        (OfferKind::Container, Step::Validate) => of("estimate-15-minutes", 15 * MINUTE),
        (OfferKind::Container, Step::Certify) => of("estimate-one-week", 7 * DAY),
        (OfferKind::Container, Step::Package | Step::ProvisionProd) => of("estimate-one-hour", HOUR),
        (OfferKind::Container, Step::Live) => of("estimate-4-days", 4 * DAY),
        (OfferKind::VirtualMachine, Step::Validate | Step::Provision) => of("estimate-within-1-day", DAY),
        (OfferKind::VirtualMachine, Step::Certify) => of("estimate-within-5-days", 5 * DAY),
        (OfferKind::VirtualMachine, Step::Package) => of("estimate-within-1-hour", HOUR),
        (OfferKind::VirtualMachine, Step::ProvisionProd | Step::Live) => of("estimate-hours", 8 * HOUR),
        (OfferKind::Container, Step::Provision) | (_, Step::Preview | Step::Signoff) => None,
    }
}

/// Business days to allow for the whole run, where the founding documents say so (S4-21).
pub fn overall_business_days(kind: OfferKind) -> Option<u32> {
    (kind == OfferKind::Container).then_some(10)
}
