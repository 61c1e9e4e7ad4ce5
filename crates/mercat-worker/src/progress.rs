//! Progress of a step, written a few times a second, outside the run's own record.

use mercat_app::StepTask;
use mercat_depot::Progress;
use mercat_store::{Commit, Expect, Ledger, PartRow, ProgressRow, SharedLedger, WaitRow, load, put};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(300);

struct Shared {
    done: AtomicU64,
    total: AtomicU64,
    changed: AtomicBool,
    parts: Mutex<Vec<PartRow>>,
}

/// Collects progress from many places and writes it.
pub(crate) struct Tracker {
    shared: Arc<Shared>,
    writer: tokio::task::JoinHandle<()>,
    ledger: SharedLedger,
    step: StepTask,
}

impl Tracker {
    pub(crate) fn start(ledger: SharedLedger, step: &StepTask) -> Self {
        let shared = Arc::new(Shared {
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            changed: AtomicBool::new(false),
            parts: Mutex::default(),
        });
        let (copy, to, what) = (shared.clone(), ledger.clone(), step.clone());
        let writer = tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                if copy.changed.swap(false, Ordering::Relaxed) {
                    write(&*to, &copy.row(&what)).await;
                }
            }
        });
        Self { shared, writer, ledger, step: step.clone() }
    }

    /// Progress of one named part; the parts add up.
    pub(crate) fn part(&self, name: &str, change: impl FnOnce(&mut PartRow)) {
        self.shared.part(name, change);
    }

    /// A part by name, to be told from another thread.
    pub(crate) fn handle(&self, name: &str) -> PartHandle {
        PartHandle { shared: self.shared.clone(), name: name.to_owned() }
    }

    /// Writes what is there and ends.
    pub(crate) async fn stop(self) {
        self.writer.abort();
        if self.shared.total.load(Ordering::Relaxed) > 0 {
            write(&*self.ledger, &self.shared.row(&self.step)).await;
        }
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

impl Progress for Tracker {
    fn at(&self, done: u64, total: u64) {
        self.shared.done.store(done, Ordering::Relaxed);
        self.shared.total.store(total, Ordering::Relaxed);
        self.shared.changed.store(true, Ordering::Relaxed);
    }
}

/// One part of a tracker.
#[derive(Clone)]
pub(crate) struct PartHandle {
    shared: Arc<Shared>,
    name: String,
}

impl PartHandle {
    /// How much of the part is done.
    pub(crate) fn set(&self, done: u64, total: u64) {
        self.shared.part(&self.name, |part| {
            part.done = done;
            part.total = total;
            part.complete = total > 0 && done >= total;
        });
    }
}

impl Shared {
    fn part(&self, name: &str, change: impl FnOnce(&mut PartRow)) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let at = parts.iter().position(|part| part.name == name).unwrap_or_else(|| {
            parts.push(PartRow { name: name.to_owned(), ..PartRow::default() });
            parts.len() - 1
        });
        change(&mut parts[at]);
        self.done.store(parts.iter().map(|part| part.done).sum(), Ordering::Relaxed);
        self.total.store(parts.iter().map(|part| part.total).sum(), Ordering::Relaxed);
        self.changed.store(true, Ordering::Relaxed);
    }

    fn row(&self, step: &StepTask) -> ProgressRow {
        ProgressRow {
            submission: step.submission.clone(),
            step: step.step.clone(),
            done: self.done.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
            parts: self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            wait: None,
        }
    }
}

async fn write(ledger: &dyn Ledger, row: &ProgressRow) {
    let mut commit = Commit::new();
    commit.writes.push(put(row, Expect::Any));
    // Progress is a courtesy: the next write brings it up to date.
    if let Err(error) = ledger.commit(&commit).await {
        tracing::debug!(error = %error, "progress was not written");
    }
}

pub(crate) async fn note_wait(
    ledger: &dyn Ledger,
    step: &StepTask,
    on: &str,
    detail: &str,
    delay: i64,
    tries: u32,
) {
    let (Ok(now), Ok(before)) = (
        ledger.now().await,
        load::<ProgressRow>(ledger, &format!("{}/{}", step.submission, step.step)).await,
    ) else {
        return;
    };
    let mut row = before.map_or_else(
        || ProgressRow {
            submission: step.submission.clone(),
            step: step.step.clone(),
            done: 0,
            total: 0,
            parts: vec![],
            wait: None,
        },
        |found| found.row,
    );
    let since = row.wait.as_ref().map_or(now, |wait| wait.since);
    row.wait =
        Some(WaitRow { on: on.to_owned(), detail: detail.to_owned(), since, next: now + delay, tries });
    write(ledger, &row).await;
}
