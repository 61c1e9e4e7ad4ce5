//! A live offer, judged by what is known now.

use super::{Ended, Extent, Work, certify};
use crate::progress::Tracker;
use crate::{FAILED, PANICKED, Tried, Worker, counted};
use mercat_app::{AgainTask, AppError, Report, StepOutcome, StepTask};
use mercat_domain::limits::{STEP_DEATHS_MAX, STEP_ERRORS_MAX, STEP_PANICS_MAX, STEP_SECS_MAX};
use mercat_domain::run::Step;
use mercat_store::document::from_json;
use mercat_store::{SubmissionRow, Task};
use std::time::Duration;

/// Tries of what waits for the depot or for rules that can be read.
const TRIES_MAX: u32 = 24;

/// Judges what is live of the offer that a task names, and records it. What facts are kept is not read again.
pub(crate) async fn run(worker: &Worker, task: &Task) -> Result<Tried, AppError> {
    let Ok(about) = serde_json::from_str::<AgainTask>(&task.body) else {
        return worker.drop_task(task).await;
    };
    let wait = |detail| Ok(Tried::Wait { on: "wait-store", detail });
    let known = match worker.known().await {
        Ok(known) => known,
        Err(why) => return wait(why),
    };
    let live = match &known {
        Some(known) => worker.app.to_judge(&about, known).await?,
        None => None,
    };
    let (Some(known), Some(live)) = (known, live) else {
        worker.app.end_again(&task.lease).await?;
        return Ok(Tried::Done);
    };
    let once_more = || Ok(Tried::Again { delay: 1000, note: String::new() });
    let over = counted(task, PANICKED) >= STEP_PANICS_MAX
        || counted(task, FAILED) >= STEP_ERRORS_MAX
        || task.crashes() >= STEP_DEATHS_MAX
        || task.postponed >= TRIES_MAX;
    if over {
        let trouble = if task.note.is_empty() { "the work ended early, again and again" } else { &task.note };
        tracing::warn!(task = %task.lease.task, trouble, "a live offer could not be judged again");
        let recorded = worker.app.record_trouble(&task.lease, &live, trouble).await?;
        return if recorded { Ok(Tried::Done) } else { once_more() };
    }
    let Ok(document) = from_json(&live.document) else {
        let recorded = worker.app.record_trouble(&task.lease, &live, "its document cannot be read").await?;
        return if recorded { Ok(Tried::Done) } else { once_more() };
    };
    // The documents of the certification itself stay what they were.
    let submission = SubmissionRow { id: format!("again/{}", live.id), ..live.clone() };
    let step = StepTask { submission: submission.id.clone(), step: Step::Certify.name().to_owned(), turn: 0 };
    let tracker = Tracker::start(worker.app.ledger.clone(), &step);
    let work = Work { worker, submission, document, tracker: &tracker, task, extent: Extent::Artifacts };
    let ended = tokio::time::timeout(Duration::from_secs(STEP_SECS_MAX), certify::run(&work)).await;
    tracker.stop().await;
    let Ok(ended) = ended else { return wait(format!("not done after {STEP_SECS_MAX} seconds")) };
    match ended? {
        Ended::Wait { on, detail } => Ok(Tried::Wait { on, detail }),
        // What could not be judged stands as it stood, and is queued again by the hour.
        Ended::Result(StepOutcome::GaveUp, report) => {
            let recorded = worker.app.record_trouble(&task.lease, &live, &trouble(&report)).await?;
            if recorded { Ok(Tried::Done) } else { once_more() }
        }
        // By rules that were replaced meanwhile.
        Ended::Result(..) if worker.known().await != Ok(Some(known.clone())) => once_more(),
        Ended::Result(_, report) => {
            let recorded = worker.app.record_standing(&task.lease, &live, &known, *report).await?;
            if recorded { Ok(Tried::Done) } else { once_more() }
        }
    }
}

/// Why there is no judgement.
fn trouble(report: &Report) -> String {
    let why = report.findings.iter().find(|finding| finding.severity == "inconclusive");
    why.map_or_else(|| "no verdict".to_owned(), |finding| format!("{}: {}", finding.rule, finding.observed))
}
