//! The publish run: its states, what may happen to it, and what follows.
//!
//! A run works on one immutable snapshot. [`decide`] takes a run and an input
//! and returns the next run with the effects that must be committed together
//! with it, or a refusal that says why nothing changes.

mod measure;
mod shown;
mod steps;

pub use measure::Measured;
pub use shown::Shown;
pub use steps::{Estimate, Step, StepStatus, estimate, itinerary, overall_business_days, title_key};

use crate::notice::NoticeKind;
use crate::{Digest, Millis, OfferKind};

/// The state of a run as a whole (domain rules 1.4, 1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// A step is being worked on.
    Running,
    /// The preview is open; the publisher decides.
    WaitingForPublisherReview,
    /// Every check has passed; the certification team decides.
    WaitingForApproval,
    /// In production.
    Succeeded,
    /// A step found an error; over.
    Failed,
    /// The publisher cancelled, or published again; over.
    Canceled,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Running,
        Self::WaitingForPublisherReview,
        Self::WaitingForApproval,
        Self::Succeeded,
        Self::Failed,
        Self::Canceled,
    ];

    /// The name used in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::WaitingForPublisherReview => "waitingForPublisherReview",
            Self::WaitingForApproval => "waitingForApproval",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Reads [`State::name`] back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing can change any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

/// Whose turn it is to repair a failed run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The publisher can fix what was found.
    Publisher,
    /// Our side could not finish; nothing is held against the publisher.
    Ours,
}

impl Fault {
    /// The name used in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Ours => "ours",
        }
    }

    /// Reads [`Fault::name`] back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Publisher, Self::Ours].into_iter().find(|fault| fault.name() == name)
    }
}

/// One step of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepRun {
    /// Which step.
    pub step: Step,
    /// How far it is.
    pub status: StepStatus,
    /// When it began.
    pub started: Option<Millis>,
    /// When it ended.
    pub ended: Option<Millis>,
}

/// A publish run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What is published.
    pub kind: OfferKind,
    /// Digest of the snapshot that every step works on.
    pub snapshot: Digest,
    /// The state of the whole.
    pub state: State,
    /// Who must act when it failed.
    pub fault: Option<Fault>,
    /// How often work was begun; results of an earlier turn are refused.
    pub turn: u32,
    /// The itinerary with its progress.
    pub steps: Vec<StepRun>,
}

/// When a submission may be cancelled (domain rules 1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CancelRule {
    /// Only while it waits at publisher sign-off.
    #[default]
    FromSignOff,
    /// From acceptance until Go Live was accepted.
    AnyTime,
}

impl CancelRule {
    /// Reads the value of `publishing.cancel`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "from-sign-off" => Some(Self::FromSignOff),
            "any-time" => Some(Self::AnyTime),
            _ => None,
        }
    }
}

/// Which submissions the certification team looks at before their preview opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReviewRule {
    /// None: the checks decide.
    #[default]
    Never,
    /// This many in a hundred, by numbers that nobody outside of the server knows.
    Sample(u8),
}

impl ReviewRule {
    /// Reads the value of `publishing.review`: `never`, `always`, or for example `10%`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "never" => Some(Self::Never),
            "always" => Some(Self::Sample(100)),
            share => {
                let share = share.strip_suffix('%')?.parse().ok().filter(|share| *share <= 100)?;
                Some(Self::Sample(share))
            }
        }
    }

    /// Whether a submission is looked at, by a number that was drawn for it.
    pub fn wants(self, drawn: u32) -> bool {
        match self {
            Self::Never => false,
            Self::Sample(share) => drawn % 100 < u32::from(share),
        }
    }
}

/// What can happen to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The step of this turn did its work.
    Passed {
        /// The turn that reports.
        turn: u32,
    },
    /// Certification of this turn passed, and the certification team is asked before the run goes on.
    PassedForReview {
        /// The turn that reports.
        turn: u32,
    },
    /// The certification team lets the run go on.
    Approve,
    /// The certification team sends it back.
    Reject,
    /// The step of this turn found errors that the publisher must fix.
    Blocked {
        /// The turn that reports.
        turn: u32,
    },
    /// The step of this turn cannot be finished by us.
    GaveUp {
        /// The turn that reports.
        turn: u32,
    },
    /// Cancel Publish was pressed.
    Cancel(CancelRule),
    /// Go Live was pressed for the snapshot that was previewed.
    GoLive {
        /// The digest that the publisher saw.
        snapshot: Digest,
    },
    /// The publisher published again while this run waited at sign-off.
    Supersede,
}

/// What must be committed together with the new state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Start work on a step.
    Begin(Step),
    /// Drop work of this run that is queued or leased.
    Stop,
    /// Point the preview slot at this run.
    OpenPreview,
    /// Take this run's preview down.
    ClosePreview,
    /// Remove what this run has copied for its preview.
    Clean,
    /// Point the production slot at this run.
    OpenProduction,
    /// Tell people.
    Tell(NoticeKind),
}

/// Why nothing changed. The code has words in every language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A result of an earlier turn, or of a run that is over.
    Stale,
    /// Nothing waits for Go Live.
    NotAtSignOff,
    /// Nothing waits for the certification team.
    NotInReview,
    /// The digest is not the one that was previewed.
    OtherSnapshot,
    /// Cancelling is possible once publisher sign-off is reached.
    CancelTooEarly,
    /// Go Live was accepted; publish the previous version to go back.
    CancelTooLate,
    /// The run is over.
    Over,
}

impl Refusal {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Stale => "run-stale",
            Self::NotAtSignOff => "run-not-at-sign-off",
            Self::NotInReview => "run-not-in-review",
            Self::OtherSnapshot => "run-other-snapshot",
            Self::CancelTooEarly => "run-cancel-too-early",
            Self::CancelTooLate => "run-cancel-too-late",
            Self::Over => "run-over",
        }
    }
}

/// A new run and the effects that start it. The synchronous field check has passed.
pub fn start(kind: OfferKind, snapshot: Digest, now: Millis) -> (Run, Vec<Effect>) {
    let steps = itinerary(kind)
        .iter()
        .map(|step| StepRun { step: *step, status: StepStatus::NotStarted, started: None, ended: None })
        .collect();
    let mut run = Run { kind, snapshot, state: State::Running, fault: None, turn: 0, steps };
    let mut effects = vec![Effect::Tell(NoticeKind::Accepted)];
    advance(&mut run, now, &mut effects);
    (run, effects)
}

/// Decides what an input does to a run. Pure; never changes its arguments.
///
/// # Errors
/// A [`Refusal`] when the input does not apply; the run is then unchanged.
pub fn decide(run: &Run, input: &Input, now: Millis) -> Result<(Run, Vec<Effect>), Refusal> {
    let mut next = run.clone();
    let mut effects = Vec::new();
    match input {
        Input::Passed { turn } => {
            let at = current(run, *turn)?;
            finish(&mut next.steps[at], StepStatus::Complete, now);
            advance(&mut next, now, &mut effects);
        }
        Input::PassedForReview { turn } => {
            let at = current(run, *turn)?;
            if next.steps[at].step != Step::Certify {
                return Err(Refusal::Stale);
            }
            next.steps[at].status = StepStatus::WaitingForApproval;
            next.state = State::WaitingForApproval;
        }
        Input::Approve => {
            let at = in_review(run)?;
            finish(&mut next.steps[at], StepStatus::Complete, now);
            next.state = State::Running;
            advance(&mut next, now, &mut effects);
        }
        Input::Reject => fail(&mut next, in_review(run)?, Fault::Publisher, now, &mut effects),
        Input::Blocked { turn } => fail(&mut next, current(run, *turn)?, Fault::Publisher, now, &mut effects),
        Input::GaveUp { turn } => fail(&mut next, current(run, *turn)?, Fault::Ours, now, &mut effects),
        Input::Cancel(rule) => {
            may_cancel(run, *rule)?;
            end_early(&mut next, &mut effects);
            effects.push(Effect::Tell(NoticeKind::Canceled));
        }
        Input::Supersede => {
            if run.state != State::WaitingForPublisherReview {
                return Err(Refusal::NotAtSignOff);
            }
            end_early(&mut next, &mut effects);
            effects.push(Effect::Tell(NoticeKind::Canceled));
        }
        Input::GoLive { snapshot } => {
            if run.state != State::WaitingForPublisherReview {
                return Err(if run.state.is_over() { Refusal::Over } else { Refusal::NotAtSignOff });
            }
            if *snapshot != run.snapshot {
                return Err(Refusal::OtherSnapshot);
            }
            let at = position(&next, Step::Signoff);
            finish(&mut next.steps[at], StepStatus::Complete, now);
            next.state = State::Running;
            advance(&mut next, now, &mut effects);
        }
    }
    Ok((next, effects))
}

/// Whether Cancel Publish would be accepted now.
///
/// # Errors
/// The refusal that cancelling would meet.
pub fn may_cancel(run: &Run, rule: CancelRule) -> Result<(), Refusal> {
    match run.state {
        State::WaitingForPublisherReview => Ok(()),
        state if state.is_over() => Err(Refusal::Over),
        _ if production_phase(run) => Err(Refusal::CancelTooLate),
        _ if rule == CancelRule::AnyTime => Ok(()),
        _ => Err(Refusal::CancelTooEarly),
    }
}

/// The step being worked on or waited for.
pub fn current_step(run: &Run) -> Option<&StepRun> {
    run.steps.iter().find(|step| step.status.is_current())
}

/// Whether Go Live has been accepted.
pub fn production_phase(run: &Run) -> bool {
    run.steps.iter().any(|step| step.step == Step::Signoff && step.status == StepStatus::Complete)
}

fn position(run: &Run, step: Step) -> usize {
    run.steps.iter().position(|s| s.step == step).unwrap_or(run.steps.len() - 1)
}

fn current(run: &Run, turn: u32) -> Result<usize, Refusal> {
    if run.state != State::Running || run.turn != turn {
        return Err(Refusal::Stale);
    }
    run.steps.iter().position(|step| step.status == StepStatus::InProgress).ok_or(Refusal::Stale)
}

fn in_review(run: &Run) -> Result<usize, Refusal> {
    let at = run.steps.iter().position(|step| step.status == StepStatus::WaitingForApproval);
    at.filter(|_| run.state == State::WaitingForApproval).ok_or(Refusal::NotInReview)
}

fn finish(step: &mut StepRun, status: StepStatus, now: Millis) {
    step.status = status;
    step.started = step.started.or(Some(now));
    step.ended = Some(now);
}

fn fail(run: &mut Run, at: usize, fault: Fault, now: Millis, effects: &mut Vec<Effect>) {
    finish(&mut run.steps[at], StepStatus::Blocked, now);
    if !production_phase(run) {
        effects.push(Effect::Clean);
    }
    run.state = State::Failed;
    run.fault = Some(fault);
    effects.push(Effect::Stop);
    let feedback = run.steps[at].step == Step::Certify && fault == Fault::Publisher;
    effects.push(Effect::Tell(if feedback {
        NoticeKind::CertificationFeedback
    } else {
        NoticeKind::StepFailed
    }));
}

/// The steps go back to their beginning; the history keeps what happened.
fn end_early(run: &mut Run, effects: &mut Vec<Effect>) {
    if run.state == State::WaitingForPublisherReview {
        effects.push(Effect::ClosePreview);
    }
    effects.push(Effect::Clean);
    run.state = State::Canceled;
    for step in &mut run.steps {
        *step = StepRun { step: step.step, status: StepStatus::NotStarted, started: None, ended: None };
    }
    effects.push(Effect::Stop);
}

/// Moves to the next step that needs work or a person.
fn advance(run: &mut Run, now: Millis, effects: &mut Vec<Effect>) {
    let Some(at) = run.steps.iter().position(|step| step.status == StepStatus::NotStarted) else {
        run.state = State::Succeeded;
        effects.push(Effect::OpenProduction);
        effects.push(Effect::Tell(NoticeKind::Live));
        return;
    };
    run.turn += 1;
    run.steps[at].started = Some(now);
    match run.steps[at].step {
        Step::Preview => {
            finish(&mut run.steps[at], StepStatus::Complete, now);
            effects.push(Effect::OpenPreview);
            advance(run, now, effects);
        }
        Step::Signoff => {
            run.steps[at].status = StepStatus::WaitingForPublisherReview;
            run.state = State::WaitingForPublisherReview;
            effects.push(Effect::Tell(NoticeKind::PreviewReady));
        }
        step => {
            run.steps[at].status = StepStatus::InProgress;
            effects.push(Effect::Begin(step));
        }
    }
}

#[cfg(test)]
mod tests;
