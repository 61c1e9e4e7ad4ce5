//! The ledger: the only room that knows SQL.
//!
//! Metadata is kept as versioned records with index entries, an append-only
//! history, and leased tasks. One [`Commit`] changes all of them in one
//! transaction, under preconditions, exactly once even when its answer was
//! lost. SQLite and PostgreSQL stand behind the same small [`Ledger`] trait,
//! and so does a model in memory with injectable faults.

pub mod document;
mod faults;
mod memory;
mod rows;
mod sql;
#[cfg(any(test, feature = "suite"))]
pub mod suite;

pub use faults::{Fault, Faulty, Plan};
pub use memory::Memory;
pub use rows::*;
pub use sql::{Postgres, Sqlite, open};

use async_trait::async_trait;
use mercat_domain::Millis;
use std::sync::Arc;

/// A versioned record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Key, unique within its kind.
    pub key: String,
    /// Counts up from 1 with every write.
    pub version: u64,
    /// JSON.
    pub body: String,
}

/// What a write expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Whatever is there.
    Any,
    /// Nothing.
    Absent,
    /// Exactly this version.
    Version(u64),
}

/// One write of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Kind of record.
    pub kind: &'static str,
    /// Its key.
    pub key: String,
    /// What must be there before.
    pub expect: Expect,
    /// The new JSON body; `None` deletes the record.
    pub body: Option<String>,
    /// Index entries of the record, `(name, value)`; they replace the earlier ones.
    pub index: Vec<(&'static str, String)>,
}

/// A line of history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewEvent {
    /// What it is about, for example `offer:aurora/gateway`.
    pub subject: String,
    /// The run that it belongs to, or empty.
    pub run: String,
    /// What happened, for example `submission.accepted`.
    pub kind: String,
    /// Who did it: a user id, `worker`, or empty.
    pub actor: String,
    /// JSON.
    pub body: String,
}

/// A line of history as read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Order of the whole history.
    pub seq: i64,
    /// Database time.
    pub at: Millis,
    /// What was written.
    pub event: NewEvent,
}

/// Work for some worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// Deterministic id: the same work is queued once.
    pub id: String,
    /// The run that it belongs to; [`Commit::stop_run`] drops all of a run's tasks in a queue.
    pub run: String,
    /// Which workers take it.
    pub queue: &'static str,
    /// JSON.
    pub body: String,
    /// Milliseconds from now before it is due.
    pub delay: Millis,
}

/// The right to work on a task, until it lapses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Task id.
    pub task: String,
    /// Who holds it.
    pub owner: String,
    /// Fencing epoch: every claim raises it.
    pub epoch: i64,
}

/// A claimed task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The right to work on it.
    pub lease: Lease,
    /// The run that it belongs to.
    pub run: String,
    /// Which queue it came from.
    pub queue: String,
    /// JSON.
    pub body: String,
    /// How often it was claimed, this time included; counted before the work begins.
    pub attempts: u32,
    /// How often it was put back on purpose. What remains of `attempts` are deaths of the process.
    pub postponed: u32,
    /// Why it was put back last.
    pub note: String,
}

impl Task {
    /// Earlier claims that ended in neither a result nor a postponement.
    pub fn crashes(&self) -> u32 {
        self.attempts.saturating_sub(self.postponed + 1)
    }
}

/// A task as seen by a watcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskView {
    /// Task id.
    pub id: String,
    /// The run that it belongs to.
    pub run: String,
    /// Queue.
    pub queue: String,
    /// Whether a worker holds it now.
    pub leased: bool,
    /// When it is due.
    pub not_before: Millis,
    /// Claims so far.
    pub attempts: u32,
    /// Why it was put back last.
    pub note: String,
}

/// How a commit uses the lease that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseUse {
    /// The work goes on.
    Hold,
    /// The work is done: the task goes away in the same transaction.
    Finish,
}

/// One atomic change of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Unique id; a commit that is sent again under its id is applied once.
    pub id: String,
    /// The lease under which it is made. It is refused when the lease is lost.
    pub lease: Option<(Lease, LeaseUse)>,
    /// Records.
    pub writes: Vec<Write>,
    /// History.
    pub events: Vec<NewEvent>,
    /// Runs whose tasks in the given queue are dropped, before new ones are queued.
    pub stop_run: Option<(String, &'static str)>,
    /// Work.
    pub tasks: Vec<NewTask>,
}

impl Commit {
    /// An empty commit under a fresh id.
    pub fn new() -> Self {
        Self::with_id(uuid::Uuid::now_v7().to_string())
    }

    /// An empty commit under the caller's id.
    pub fn with_id(id: String) -> Self {
        Self { id, lease: None, writes: vec![], events: vec![], stop_run: None, tasks: vec![] }
    }
}

impl Default for Commit {
    fn default() -> Self {
        Self::new()
    }
}

/// Which records to list.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Kind of record.
    pub kind: &'static str,
    /// Index name and value; `None` lists the whole kind.
    pub index: Option<(&'static str, String)>,
    /// Continue after this key.
    pub after: String,
    /// At most this many.
    pub limit: u32,
    /// Descending keys; `after` is then an upper bound, empty for none.
    pub newest_first: bool,
}

/// Which history to read.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Only this subject.
    pub subject: Option<String>,
    /// Only this run.
    pub run: Option<String>,
    /// Only after this place.
    pub after: i64,
    /// Only before this place; 0 for no end.
    pub before: i64,
    /// At most this many, oldest first unless told otherwise.
    pub limit: u32,
    /// The newest first.
    pub newest_first: bool,
}

/// Why the ledger could not answer.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database did not answer, or refused; whether a write was applied is unknown.
    #[error("the ledger is not available; try again in a moment")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A precondition of a commit does not hold.
    #[error("{kind} {key} was changed by somebody else; read it again")]
    Conflict {
        /// Kind of record.
        kind: String,
        /// Its key.
        key: String,
    },
    /// The lease named by a commit has passed to somebody else.
    #[error("the lease on task {task} was lost; its result is dropped")]
    LeaseLost {
        /// Task id.
        task: String,
    },
    /// A stored row cannot be read.
    #[error("record {kind} {key} cannot be read: {why}")]
    Corrupt {
        /// Kind of record.
        kind: String,
        /// Its key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

impl LedgerError {
    pub(crate) fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Box::new(cause))
    }
}

/// Shorthand.
pub type Result<T> = std::result::Result<T, LedgerError>;

/// The metadata store. Every method may run twice; time is the database's.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// One record.
    async fn get(&self, kind: &'static str, key: &str) -> Result<Option<Record>>;
    /// Records in key order.
    async fn list(&self, query: &Query) -> Result<Vec<Record>>;
    /// Applies a commit as a whole, or not at all.
    async fn commit(&self, commit: &Commit) -> Result<()>;
    /// History.
    async fn events(&self, query: &EventQuery) -> Result<Vec<Event>>;
    /// Takes the task that has been due longest in one of the queues.
    async fn claim(&self, queues: &[&str], owner: &str, lease_ms: Millis) -> Result<Option<Task>>;
    /// Extends a lease; `false` when it was lost.
    async fn heartbeat(&self, lease: &Lease, lease_ms: Millis) -> Result<bool>;
    /// Gives a task back, due again after a delay; `false` when the lease was lost.
    async fn postpone(&self, lease: &Lease, delay: Millis, note: &str) -> Result<bool>;
    /// Makes the tasks of a run that wait for a later time due now; how many there were.
    async fn hurry(&self, run: &str) -> Result<u64>;
    /// The tasks of one run, or all when `run` is empty.
    async fn tasks(&self, run: &str) -> Result<Vec<TaskView>>;
    /// Database time.
    async fn now(&self) -> Result<Millis>;
    /// Forgets commit ids older than a day.
    async fn tidy(&self) -> Result<()>;
}

/// A shared ledger.
pub type SharedLedger = Arc<dyn Ledger>;

/// Commits, and repeats under the same id while the answer is lost: the change is applied once.
///
/// # Errors
/// As [`Ledger::commit`], after five tries.
pub async fn commit_surely(ledger: &dyn Ledger, commit: &Commit) -> Result<()> {
    let mut tries = 0;
    loop {
        match ledger.commit(commit).await {
            Err(LedgerError::Unavailable(cause)) if tries < 4 => {
                tries += 1;
                tracing::warn!(commit.id = %commit.id, error = %cause, "commit gave no answer, trying again");
                tokio::time::sleep(std::time::Duration::from_millis(50 << tries)).await;
            }
            other => return other,
        }
    }
}
