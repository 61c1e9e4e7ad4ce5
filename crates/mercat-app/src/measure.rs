//! What steps take on this server, and where work stands in the queue.

use crate::{App, AppError, STEPS};
use mercat_domain::OfferKind;
use mercat_domain::run::{Measured, Step, StepStatus, itinerary};
use mercat_store::{Query, TimingRow, list};
use std::collections::BTreeMap;

/// The last ended steps that count.
const LAST: u32 = 100;

impl App {
    /// Median and 90th percentile of each step of a kind, over the last hundred that were completed.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn measures(&self, kind: OfferKind) -> Result<BTreeMap<Step, Measured>, AppError> {
        let mut out = BTreeMap::new();
        for step in itinerary(kind) {
            let index = Some(("step", format!("{}/{}", kind.name(), step.name())));
            let query = Query { index, limit: LAST, newest_first: true, ..Query::default() };
            let rows = list::<TimingRow>(&*self.ledger, query).await?;
            let complete = rows.iter().filter(|row| row.row.status == StepStatus::Complete.name());
            let measured = Measured::of(complete.map(|row| row.row.ended - row.row.began).collect());
            out.extend(measured.map(|measured| (*step, measured)));
        }
        Ok(out)
    }

    /// How many steps are before the waiting work of a submission; `None` when no work of it waits for
    /// a free worker.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn queue_before(&self, submission: &str) -> Result<Option<usize>, AppError> {
        let own = self.ledger.tasks(submission).await?;
        let now = self.ledger.now().await?;
        let waits =
            |task: &&mercat_store::TaskView| task.queue == STEPS && !task.leased && task.not_before <= now;
        let Some(own) = own.iter().find(waits) else { return Ok(None) };
        let all = self.ledger.tasks("").await?;
        let place = (own.not_before, &own.id);
        Ok(Some(all.iter().filter(waits).filter(|task| (task.not_before, &task.id) < place).count()))
    }
}
