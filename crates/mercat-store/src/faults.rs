//! Injected faults, for any ledger.

use crate::{
    Commit, Event, EventQuery, Lease, Ledger, LedgerError, Query, Record, Result, SharedLedger, Task,
    TaskView,
};
use async_trait::async_trait;
use mercat_domain::Millis;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused before anything happened.
    Refused,
    /// Applied, and then the answer was lost.
    AppliedThenTimeout,
}

/// Decides per call, by method name, whether it fails.
pub type Plan = Box<dyn Fn(&'static str) -> Option<Fault> + Send + Sync>;

/// A ledger that fails as told.
pub struct Faulty {
    inner: SharedLedger,
    plan: Plan,
}

impl Faulty {
    /// Wraps a ledger.
    pub fn new(inner: SharedLedger, plan: Plan) -> Self {
        Self { inner, plan }
    }
}

macro_rules! with_fault {
    ($self:ident, $name:literal, $call:expr) => {
        match ($self.plan)($name) {
            None => $call.await,
            Some(Fault::Refused) => {
                Err(LedgerError::unavailable(std::io::Error::other("refused by the test")))
            }
            Some(Fault::AppliedThenTimeout) => {
                let _ = $call.await?;
                Err(LedgerError::unavailable(std::io::Error::other("answer lost by the test")))
            }
        }
    };
}

#[async_trait]
impl Ledger for Faulty {
    async fn get(&self, kind: &'static str, key: &str) -> Result<Option<Record>> {
        with_fault!(self, "get", self.inner.get(kind, key))
    }
    async fn list(&self, query: &Query) -> Result<Vec<Record>> {
        with_fault!(self, "list", self.inner.list(query))
    }
    async fn commit(&self, commit: &Commit) -> Result<()> {
        with_fault!(self, "commit", self.inner.commit(commit))
    }
    async fn events(&self, query: &EventQuery) -> Result<Vec<Event>> {
        with_fault!(self, "events", self.inner.events(query))
    }
    async fn claim(&self, queues: &[&str], owner: &str, lease_ms: Millis) -> Result<Option<Task>> {
        with_fault!(self, "claim", self.inner.claim(queues, owner, lease_ms))
    }
    async fn heartbeat(&self, lease: &Lease, lease_ms: Millis) -> Result<bool> {
        with_fault!(self, "heartbeat", self.inner.heartbeat(lease, lease_ms))
    }
    async fn postpone(&self, lease: &Lease, delay: Millis, note: &str) -> Result<bool> {
        with_fault!(self, "postpone", self.inner.postpone(lease, delay, note))
    }
    async fn hurry(&self, run: &str) -> Result<u64> {
        with_fault!(self, "hurry", self.inner.hurry(run))
    }
    async fn tasks(&self, run: &str) -> Result<Vec<TaskView>> {
        with_fault!(self, "tasks", self.inner.tasks(run))
    }
    async fn now(&self) -> Result<Millis> {
        with_fault!(self, "now", self.inner.now())
    }
    async fn tidy(&self) -> Result<()> {
        with_fault!(self, "tidy", self.inner.tidy())
    }
}
