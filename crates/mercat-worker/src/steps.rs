//! The steps of a run: each may run twice, and gives the same result.

pub(crate) mod again;
mod boot;
mod certify;
mod disk_certify;
pub(crate) mod disks;
mod links;
mod package;
mod provision;
mod regions;
mod start;
pub(crate) mod validate;

use crate::Worker;
use crate::progress::Tracker;
use mercat_app::{AppError, Report, StepOutcome, StepTask};
use mercat_domain::run::Step;
use mercat_domain::{Document, OfferKey};
use mercat_store::document::from_json;
use mercat_store::{SubmissionRow, Task, load};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How a step ended, before it is recorded.
pub(crate) enum Ended {
    /// With a result.
    Result(StepOutcome, Box<Report>),
    /// It waits for somebody else.
    Wait {
        /// Key of the words.
        on: &'static str,
        /// Who or what.
        detail: String,
    },
}

impl Ended {
    pub(crate) fn passed(mut report: Report) -> Self {
        report.say("information", "message-step-complete", &[]);
        Self::Result(StepOutcome::Passed, Box::new(report))
    }

    pub(crate) fn blocked(report: Report) -> Self {
        Self::Result(StepOutcome::Blocked, Box::new(report))
    }
}

/// What every step works on.
pub(crate) struct Work<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) submission: SubmissionRow,
    pub(crate) document: Document,
    pub(crate) tracker: &'a Tracker,
    pub(crate) task: &'a Task,
    pub(crate) extent: Extent,
}

/// How much of a submission certification looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it, with tests that start it, and other scanners. What was found is kept for the next submission.
    Whole,
    /// What our own inspectors say about its artifacts by what is known now: listing and tags stay as they are, nothing
    /// is started, and no verdict is kept that would lie there for every state of the advisories.
    Artifacts,
}

impl Work<'_> {
    pub(crate) fn key(&self) -> OfferKey {
        self.document.key.clone()
    }
}

pub(crate) async fn run(
    worker: &Worker,
    task: &Task,
    step: &StepTask,
    tracker: &Tracker,
) -> Result<Ended, AppError> {
    let submission =
        load::<SubmissionRow>(&*worker.app.ledger, &step.submission).await?.ok_or(AppError::NotFound)?.row;
    let document = from_json(&submission.document).map_err(AppError::Problems)?;
    let work = Work { worker, submission, document, tracker, task, extent: Extent::Whole };
    match Step::parse(&step.step) {
        Some(Step::Validate) => validate::run(&work).await,
        Some(Step::Certify) => certify::run(&work).await,
        Some(Step::Provision) => provision::run(&work).await,
        Some(Step::Package) => package::run(&work).await,
        Some(Step::ProvisionProd) => regions::production(&work).await,
        Some(Step::Live) => regions::live(&work).await,
        // Nothing to do but to wait for people.
        Some(Step::Preview | Step::Signoff) | None => Ok(Ended::passed(Report::default())),
    }
}

/// Held while a thread's answer is waited for; aborted work drops it.
pub(crate) struct Waiting(Arc<AtomicBool>);

/// The thread's side of [`Waiting`].
pub(crate) struct Wanted(Arc<AtomicBool>);

impl Waiting {
    pub(crate) fn new() -> (Self, Wanted) {
        let flag = Arc::new(AtomicBool::new(true));
        (Self(flag.clone()), Wanted(flag))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Wanted {
    /// Whether anybody still waits.
    pub(crate) fn still(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bytes in words.
pub(crate) fn amount(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// Where a region keeps the preview of a plan: by submission, so that an earlier preview can come back.
pub(crate) fn preview_repository(submission: &SubmissionRow, plan: &str) -> String {
    format!("{}/{}/{plan}/submission-{}", submission.publisher, submission.offer, submission.number)
}
