//! The ledger in memory: the model that the SQL stores are compared with, and the one for fast tests.

use crate::{
    Commit, Event, EventQuery, Expect, Lease, LeaseUse, Ledger, LedgerError, Query, Record, Result, Task,
    TaskView,
};
use async_trait::async_trait;
use mercat_domain::Millis;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Version, body and index entries.
type Held = (u64, String, Vec<(&'static str, String)>);

#[derive(Clone, Default)]
struct State {
    records: BTreeMap<(String, String), Held>,
    events: Vec<Event>,
    tasks: BTreeMap<String, Row>,
    commits: BTreeSet<String>,
}

#[derive(Clone)]
struct Row {
    run: String,
    queue: &'static str,
    body: String,
    not_before: Millis,
    owner: String,
    lease_until: Millis,
    epoch: i64,
    attempts: u32,
    postponed: u32,
    note: String,
}

/// A ledger without a database; its clock is given.
pub struct Memory {
    state: Mutex<State>,
    clock: Arc<dyn Fn() -> Millis + Send + Sync>,
}

impl Memory {
    /// An empty ledger that reads time from `clock`.
    pub fn new(clock: Arc<dyn Fn() -> Millis + Send + Sync>) -> Self {
        Self { state: Mutex::default(), clock }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn holds(state: &State, lease: &Lease) -> bool {
    state.tasks.get(&lease.task).is_some_and(|row| row.owner == lease.owner && row.epoch == lease.epoch)
}

fn apply(state: &mut State, commit: &Commit, now: Millis) -> Result<()> {
    if !state.commits.insert(commit.id.clone()) {
        return Ok(());
    }
    if let Some((lease, how)) = &commit.lease {
        if !holds(state, lease) {
            return Err(LedgerError::LeaseLost { task: lease.task.clone() });
        }
        if *how == LeaseUse::Finish {
            state.tasks.remove(&lease.task);
        }
    }
    for write in &commit.writes {
        let key = (write.kind.to_owned(), write.key.clone());
        let found = state.records.get(&key).map(|(version, ..)| *version);
        let fits = match write.expect {
            Expect::Any => true,
            // Deleting what must be absent never finds a row, as in the SQL stores.
            Expect::Absent => found.is_none() && write.body.is_some(),
            Expect::Version(version) => found == Some(version),
        };
        if !fits {
            return Err(LedgerError::Conflict { kind: write.kind.into(), key: write.key.clone() });
        }
        match &write.body {
            Some(body) => {
                let version = found.unwrap_or(0) + 1;
                state.records.insert(key, (version, body.clone(), write.index.clone()));
            }
            None => {
                state.records.remove(&key);
            }
        }
    }
    if let Some((run, queue)) = &commit.stop_run {
        state.tasks.retain(|_, row| row.run != *run || row.queue != *queue);
    }
    for task in &commit.tasks {
        state.tasks.entry(task.id.clone()).or_insert_with(|| Row {
            run: task.run.clone(),
            queue: task.queue,
            body: task.body.clone(),
            not_before: now + task.delay,
            owner: String::new(),
            lease_until: 0,
            epoch: 0,
            attempts: 0,
            postponed: 0,
            note: String::new(),
        });
    }
    for event in &commit.events {
        let seq = i64::try_from(state.events.len()).unwrap_or(i64::MAX) + 1;
        state.events.push(Event { seq, at: now, event: event.clone() });
    }
    Ok(())
}

#[async_trait]
impl Ledger for Memory {
    async fn get(&self, kind: &'static str, key: &str) -> Result<Option<Record>> {
        let state = self.state();
        let found = state.records.get(&(kind.to_owned(), key.to_owned()));
        Ok(found.map(|(version, body, _)| Record {
            key: key.to_owned(),
            version: *version,
            body: body.clone(),
        }))
    }

    async fn list(&self, query: &Query) -> Result<Vec<Record>> {
        let state = self.state();
        let wanted = |key: &str, index: &[(&'static str, String)]| {
            let after = match query.newest_first {
                false => key > query.after.as_str(),
                true => query.after.is_empty() || key < query.after.as_str(),
            };
            after && query.index.as_ref().is_none_or(|wanted| index.contains(wanted))
        };
        let mut found: Vec<Record> = state
            .records
            .iter()
            .filter(|((kind, key), (_, _, index))| kind == query.kind && wanted(key, index))
            .map(|((_, key), (version, body, _))| Record {
                key: key.clone(),
                version: *version,
                body: body.clone(),
            })
            .collect();
        if query.newest_first {
            found.reverse();
        }
        found.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    async fn commit(&self, commit: &Commit) -> Result<()> {
        let now = (self.clock)();
        let mut state = self.state();
        let mut next = state.clone();
        apply(&mut next, commit, now)?;
        *state = next;
        Ok(())
    }

    async fn events(&self, query: &EventQuery) -> Result<Vec<Event>> {
        let fits = |event: &&Event| {
            event.seq > query.after
                && (query.before == 0 || event.seq < query.before)
                && query.subject.as_ref().is_none_or(|subject| *subject == event.event.subject)
                && query.run.as_ref().is_none_or(|run| *run == event.event.run)
        };
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let state = self.state();
        let fitting = state.events.iter().filter(fits);
        Ok(match query.newest_first {
            true => fitting.rev().take(limit).cloned().collect(),
            false => fitting.take(limit).cloned().collect(),
        })
    }

    async fn claim(&self, queues: &[&str], owner: &str, lease_ms: Millis) -> Result<Option<Task>> {
        let now = (self.clock)();
        let mut state = self.state();
        for queue in queues {
            let due = state
                .tasks
                .iter()
                .filter(|(_, row)| row.queue == *queue && row.not_before <= now && row.lease_until <= now)
                .min_by_key(|(id, row)| (row.not_before, (*id).clone()))
                .map(|(id, _)| id.clone());
            let Some(id) = due else { continue };
            let Some(row) = state.tasks.get_mut(&id) else { continue };
            row.owner = owner.to_owned();
            row.lease_until = now + lease_ms;
            row.epoch += 1;
            row.attempts += 1;
            return Ok(Some(Task {
                lease: Lease { task: id, owner: owner.to_owned(), epoch: row.epoch },
                run: row.run.clone(),
                queue: row.queue.to_owned(),
                body: row.body.clone(),
                attempts: row.attempts,
                postponed: row.postponed,
                note: row.note.clone(),
            }));
        }
        Ok(None)
    }

    async fn heartbeat(&self, lease: &Lease, lease_ms: Millis) -> Result<bool> {
        let now = (self.clock)();
        let mut state = self.state();
        let held = holds(&state, lease);
        if let Some(row) = state.tasks.get_mut(&lease.task).filter(|_| held) {
            row.lease_until = now + lease_ms;
        }
        Ok(held)
    }

    async fn postpone(&self, lease: &Lease, delay: Millis, note: &str) -> Result<bool> {
        let now = (self.clock)();
        let mut state = self.state();
        let held = holds(&state, lease);
        if let Some(row) = state.tasks.get_mut(&lease.task).filter(|_| held) {
            row.owner.clear();
            row.lease_until = 0;
            row.postponed += 1;
            row.not_before = now + delay;
            note.clone_into(&mut row.note);
        }
        Ok(held)
    }

    async fn hurry(&self, run: &str) -> Result<u64> {
        let now = (self.clock)();
        let mut state = self.state();
        let waits = |row: &&mut Row| row.run == run && row.lease_until <= now && row.not_before > now;
        Ok(state.tasks.values_mut().filter(waits).map(|row| row.not_before = now).count() as u64)
    }

    async fn tasks(&self, run: &str) -> Result<Vec<TaskView>> {
        let now = (self.clock)();
        let state = self.state();
        let view = |(id, row): (&String, &Row)| TaskView {
            id: id.clone(),
            run: row.run.clone(),
            queue: row.queue.to_owned(),
            leased: row.lease_until > now,
            not_before: row.not_before,
            attempts: row.attempts,
            note: row.note.clone(),
        };
        Ok(state.tasks.iter().filter(|(_, row)| run.is_empty() || row.run == run).map(view).collect())
    }

    async fn now(&self) -> Result<Millis> {
        Ok((self.clock)())
    }

    async fn tidy(&self) -> Result<()> {
        Ok(())
    }
}
