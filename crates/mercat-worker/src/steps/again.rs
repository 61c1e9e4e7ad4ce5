//! A live offer, judged by what is known now.

use super::{Ended, Work, certify};
use crate::progress::Tracker;
use crate::{Tried, Worker};
use mercat_app::{AgainTask, AppError, StepTask};
use mercat_domain::run::Step;
use mercat_store::Task;
use mercat_store::document::from_json;

/// Judges what a task names, and records it. What facts are kept is not read again.
pub(crate) async fn run(worker: &Worker, task: &Task) -> Result<Tried, AppError> {
    let Ok(about) = serde_json::from_str::<AgainTask>(&task.body) else {
        return worker.drop_task(task).await;
    };
    let Some(mut submission) = worker.app.still_live(&about).await? else {
        worker.app.record_standing(&task.lease, &about, None).await?;
        return Ok(Tried::Done);
    };
    let document = from_json(&submission.document).map_err(AppError::Problems)?;
    // The documents of the certification itself stay what they were.
    submission.id = format!("again/{}", submission.id);
    let step = StepTask { submission: submission.id.clone(), step: Step::Certify.name().to_owned(), turn: 0 };
    let tracker = Tracker::start(worker.app.ledger.clone(), &step);
    let work = Work { worker, submission, document, tracker: &tracker, task };
    let ended = certify::again(&work).await;
    tracker.stop().await;
    match ended? {
        Ended::Wait { on, detail } => Ok(Tried::Wait { on, detail }),
        Ended::Result(outcome, report) => {
            worker.app.record_standing(&task.lease, &about, Some((outcome, *report))).await?;
            Ok(Tried::Done)
        }
    }
}
