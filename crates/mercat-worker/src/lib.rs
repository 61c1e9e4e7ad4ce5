//! The hands: leased work, done until its result is recorded or the lease is lost.

mod clamd;
pub mod decode;
pub mod deliveries;
pub mod inspect;
mod knowledge;
mod outbox;
mod progress;
mod resolve;
mod sandbox;
pub mod scanners;
mod steps;

pub use clamd::ClamdConfig;
pub use inspect::{DiskSource, InspectError, Inspection, Inspector, KnowledgeFiles, PATIENCE_SECS, today};
pub use knowledge::Loaded;
pub use sandbox::Unconfined;

use mercat_app::{AGAIN, App, AppError, CLEANUP, DELIVERIES, OUTBOX, Report, STEPS, StepOutcome, StepTask};
use mercat_courier::{Leads, Mailer};
use mercat_depot::{Depot, Region, Spool};
use mercat_domain::limits::{
    OUTBOX_ATTEMPTS_MAX, SOURCE_WAITS_MAX, STEP_DEATHS_MAX, STEP_ERRORS_MAX, STEP_PANICS_MAX, STEP_SECS_MAX,
    STEP_WAITS_MAX,
};
use mercat_domain::retry::backoff;
use mercat_egress::Egress;
use mercat_store::{Task, commit_surely};
use progress::Tracker;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const PANICKED: &str = "panicked ";
const FAILED: &str = "failed ";
/// Deliveries at a time.
const DELIVERY_HANDS: usize = 4;
/// How often reminders and the like are looked for.
const CLOCK: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(500);

/// Everything that a worker works with.
#[derive(Clone)]
pub struct Worker {
    /// The verbs.
    pub app: App,
    /// The blobs.
    pub depot: Depot,
    /// Files on their way in.
    pub spool: Spool,
    /// The way out.
    pub egress: Egress,
    /// Where copies go.
    pub regions: Arc<Vec<Region>>,
    /// How mail leaves; without it, mails stay in the built-in mailbox.
    pub mailer: Option<Arc<Mailer>>,
    /// How leads leave.
    pub leads: Leads,
    /// Deliveries under way, by publisher.
    pub under_way: deliveries::UnderWay,
    /// Runs inspections in a confined child.
    pub inspector: Inspector,
    /// Other scanners that are asked about every image.
    pub scanners: Arc<Vec<scanners::Scanner>>,
    /// Directories from which `oci:` and archive references may be read.
    pub local_sources: Arc<Vec<PathBuf>>,
    /// When live offers are judged again.
    pub judge_again: JudgeAgain,
    /// This worker's name.
    pub name: String,
    /// Whether the first of several hands takes mails only.
    pub keep_one_free: bool,
    /// How long a lease lasts without a heartbeat: after a crash, work goes on that much later.
    pub lease_ms: i64,
}

/// What makes live offers be judged again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JudgeAgain {
    /// Nothing.
    Off,
    /// Other advisories, or another policy. What an inspection told of each layer is kept, so images are not read again.
    #[default]
    Advisories,
    /// Anything that verdicts depend on: also signatures and rules, with which every artifact is read again.
    Everything,
}

/// How one try at a task ended.
pub(crate) enum Tried {
    /// Its result is recorded.
    Done,
    /// It waits for somebody else and is tried again.
    Wait {
        /// Key of the words.
        on: &'static str,
        /// Who or what.
        detail: String,
    },
    /// It is tried again, when its own rule says so.
    Again {
        /// Milliseconds from now.
        delay: i64,
        /// What happened.
        note: String,
    },
}

impl Worker {
    /// Works until told to stop; `hands` tasks at a time. With none, this process leaves the work to others.
    pub async fn run(self, hands: usize, stop: watch::Receiver<bool>) {
        let mut all = tokio::task::JoinSet::new();
        for hand in 0..hands {
            // The first hand keeps to mails and clearing up, so that long steps never hold them back.
            let few = hand == 0 && self.keep_one_free;
            let queues: &[&str] = if few { &[OUTBOX, CLEANUP] } else { &[STEPS, OUTBOX, CLEANUP] };
            let worker = Self { name: format!("{}-{hand}", self.name), ..self.clone() };
            all.spawn(worker.one_hand(queues, hand == 0, stop.clone()));
        }
        if hands > 0 {
            all.spawn(self.clone().clock(stop.clone()));
        }
        // What is live waits for no submission, and holds none back.
        if hands > 0 {
            let worker = Self { name: format!("{}-again", self.name), ..self.clone() };
            all.spawn(worker.one_hand(&[AGAIN], false, stop.clone()));
        }
        // Receivers are as slow as they like: they have hands of their own, and hold nothing else back.
        for hand in 0..if hands > 0 { DELIVERY_HANDS } else { 0 } {
            let worker = Self { name: format!("{}-delivery-{hand}", self.name), ..self.clone() };
            all.spawn(worker.one_hand(&[DELIVERIES], false, stop.clone()));
        }
        while all.join_next().await.is_some() {}
    }

    /// Does what is due because time passes.
    async fn clock(self, mut stop: watch::Receiver<bool>) {
        let (mut beat, mut beats) = (tokio::time::interval(CLOCK), 0_u64);
        while !*stop.borrow() {
            tokio::select! {
                _ = beat.tick() => {}
                _ = stop.changed() => return,
            }
            let mut done = self.app.tick().await;
            self.judge_again(beats % 60 == 59).await;
            if beats % 60 == 0 && done.is_ok() {
                done = self.app.erase_old_leads().await.map(|_| ());
            }
            beats += 1;
            if let Err(error) = done {
                tracing::warn!(error = %chain(&error), "the clock could not do what is due; trying again");
            }
        }
    }

    /// Queues what is live when this machine knows something else than before, and hourly what could not be judged.
    async fn judge_again(&self, hourly: bool) {
        let known = match self.known().await {
            Ok(Some(known)) => known,
            Ok(None) => return,
            Err(why) => {
                return tracing::warn!(why, "live offers are not judged again while rules cannot be read");
            }
        };
        match self.app.judge_again(&self.machine(), &known).await {
            Ok(false) => {}
            Ok(true) => tracing::info!("live offers are judged again: more is known"),
            Err(error) => tracing::warn!(error = %chain(&error), "live offers were not queued; trying again"),
        }
        if !hourly {
            return;
        }
        match self.app.judge_again_what_was_not().await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "live offers that could not be judged are tried again"),
            Err(error) => tracing::warn!(error = %chain(&error), "live offers were not queued; trying again"),
        }
    }

    /// Queues more of what is judged again; `false` when there is no more.
    async fn judge_more(&self) -> bool {
        if self.judge_again == JudgeAgain::Off {
            return false;
        }
        self.app
            .judge_more(&self.machine())
            .await
            .unwrap_or_else(|error| {
                tracing::warn!(error = %chain(&error), "live offers were not queued; trying again");
                None
            })
            .is_some()
    }

    /// What decides whether live offers are judged again: a digest; nothing where they are not.
    pub(crate) async fn known(&self) -> Result<Option<String>, String> {
        if self.judge_again == JudgeAgain::Off {
            return Ok(None);
        }
        let knowledge = self.inspector.knowledge().await?;
        Ok(Some(match self.judge_again {
            JudgeAgain::Everything => knowledge.files_digest().to_string(),
            _ => knowledge.judgement_digest().to_string(),
        }))
    }

    /// This machine and its files, which another machine may have otherwise.
    fn machine(&self) -> String {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let directory = self.inspector.knowledge.directory.clone().unwrap_or_default();
        format!("{}:{}", host.trim(), directory.display())
    }

    async fn one_hand(self, queues: &[&str], sweeps: bool, mut stop: watch::Receiver<bool>) {
        let mut idle = 0_u32;
        while !*stop.borrow() {
            match self.app.ledger.claim(queues, &self.name, self.lease_ms).await {
                Ok(Some(task)) => {
                    idle = 0;
                    self.work(task, &mut stop).await;
                }
                Ok(None) if queues == [AGAIN] && self.judge_more().await => {}
                Ok(None) => {
                    idle += 1;
                    if sweeps && idle % 7200 == 1 {
                        let _ = self.app.ledger.tidy().await;
                        let spool = self.spool.clone();
                        let swept = tokio::task::spawn_blocking(move || spool.sweep()).await;
                        if let Ok(Err(error)) = swept {
                            tracing::warn!(%error, "the spool was not swept");
                        }
                    }
                    let bell = self.app.bell.notified();
                    tokio::select! {
                        () = bell => {}
                        () = tokio::time::sleep(POLL) => {}
                        _ = stop.changed() => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the ledger does not answer; trying again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// One task under heartbeats. A panic of the work is counted; a death of this process was, beforehand.
    async fn work(&self, task: Task, stop: &mut watch::Receiver<bool>) {
        let lease = task.lease.clone();
        let (worker, copy) = (self.clone(), task.clone());
        let mut work = tokio::spawn(async move { worker.attempt(&copy).await });
        let mut beat = tokio::time::interval(Duration::from_millis(self.lease_ms.unsigned_abs() / 3));
        beat.tick().await;
        let tried = loop {
            tokio::select! {
                done = &mut work => break done,
                _ = beat.tick() => {
                    if matches!(self.app.ledger.heartbeat(&lease, self.lease_ms).await, Ok(false)) {
                        tracing::warn!(task = %lease.task, "the lease was lost; the work is dropped");
                        work.abort();
                        return;
                    }
                }
                _ = stop.changed() => {
                    work.abort();
                    // Given back at once, so that the next start goes on without waiting for the lease.
                    let _ = self.app.ledger.postpone(&lease, 0, "").await;
                    return;
                }
            }
        };
        let jitter = random();
        let waited = match tried {
            Ok(Ok(Tried::Done)) => return,
            Ok(Ok(Tried::Again { delay, note })) => {
                self.app.ledger.postpone(&lease, delay, &note).await.map(|_| ())
            }
            Ok(Ok(Tried::Wait { on, detail })) => {
                let delay = backoff(task.postponed.min(10), 1_000, 60_000, jitter);
                self.note_wait(&task, on, &detail, delay).await;
                self.app.ledger.postpone(&lease, delay, &format!("{on}: {detail}")).await.map(|_| ())
            }
            Ok(Err(error)) => {
                tracing::warn!(task = %lease.task, error = %chain(&error), "the work gave an error; trying again");
                let delay = backoff(task.postponed.min(10), 500, 30_000, jitter);
                // A ledger that does not answer is nobody's error; everything else is counted.
                let ours = matches!(error, AppError::Ledger(mercat_store::LedgerError::Unavailable(_)));
                let count = counted(&task, FAILED) + u32::from(!ours);
                let note = format!("{FAILED}{count}: {error}");
                self.app.ledger.postpone(&lease, delay, &note).await.map(|_| ())
            }
            Err(panic) => {
                tracing::error!(task = %lease.task, error = %panic, "the work crashed");
                let count = counted(&task, PANICKED) + 1;
                let delay = backoff(count, 500, 10_000, jitter);
                self.app.ledger.postpone(&lease, delay, &format!("{PANICKED}{count}")).await.map(|_| ())
            }
        };
        if let Err(error) = waited {
            tracing::warn!(task = %lease.task, error = %chain(&error), "the task could not be given back; its lease lapses");
        }
    }

    async fn attempt(&self, task: &Task) -> Result<Tried, AppError> {
        match task.queue.as_str() {
            OUTBOX => self.deliver(task).await,
            DELIVERIES => self.delivery(task).await,
            CLEANUP => self.clean(task).await,
            AGAIN => steps::again::run(self, task).await,
            _ => self.step(task).await,
        }
    }

    async fn step(&self, task: &Task) -> Result<Tried, AppError> {
        let Ok(step) = serde_json::from_str::<StepTask>(&task.body) else {
            return self.drop_task(task).await;
        };
        let (panics, errors) = (counted(task, PANICKED), counted(task, FAILED));
        let waits_max = if step.step == "validate" { SOURCE_WAITS_MAX } else { STEP_WAITS_MAX };
        let ends = panics.max(errors).max(task.crashes()).max(task.postponed);
        if panics >= STEP_PANICS_MAX
            || errors >= STEP_ERRORS_MAX
            || task.crashes() >= STEP_DEATHS_MAX
            || task.postponed >= waits_max
        {
            let mut report = Report::default();
            report.say("error", "message-gave-up", &[("count", &ends.to_string())]);
            self.app.record_step(&task.lease, &step, StepOutcome::GaveUp, report).await?;
            return Ok(Tried::Done);
        }
        let tracker = Tracker::start(self.app.ledger.clone(), &step);
        let limit = Duration::from_secs(STEP_SECS_MAX);
        let done = tokio::time::timeout(limit, steps::run(self, task, &step, &tracker)).await;
        tracker.stop().await;
        let Ok(done) = done else {
            return Ok(Tried::Wait {
                on: "wait-store",
                detail: format!("the step took more than {STEP_SECS_MAX} s"),
            });
        };
        match done? {
            steps::Ended::Wait { on, detail } => Ok(Tried::Wait { on, detail }),
            steps::Ended::Result(outcome, report) => {
                match self.app.record_step(&task.lease, &step, outcome, *report).await {
                    Err(AppError::Ledger(mercat_store::LedgerError::LeaseLost { .. })) | Ok(()) => {
                        Ok(Tried::Done)
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }

    pub(crate) async fn drop_task(&self, task: &Task) -> Result<Tried, AppError> {
        tracing::error!(task = %task.lease.task, "a task that this version cannot read was set aside");
        let mut commit = mercat_store::Commit::new();
        commit.lease = Some((task.lease.clone(), mercat_store::LeaseUse::Finish));
        commit_surely(&*self.app.ledger, &commit).await?;
        Ok(Tried::Done)
    }

    async fn note_wait(&self, task: &Task, on: &'static str, detail: &str, delay: i64) {
        if let Ok(step) = serde_json::from_str::<StepTask>(&task.body) {
            progress::note_wait(&*self.app.ledger, &step, on, detail, delay, task.attempts).await;
        }
    }
}

/// Panics or errors of this task, one after the other, as its note tells.
fn counted(task: &Task, what: &str) -> u32 {
    let rest = task.note.strip_prefix(what).unwrap_or("");
    rest.split(':').next().and_then(|count| count.parse().ok()).unwrap_or(0)
}

pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness the delays lose their jitter and nothing else.
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        out = format!("{out}: {error}");
        cause = error.source();
    }
    out
}

pub(crate) const OUTBOX_TRIES_MAX: u32 = OUTBOX_ATTEMPTS_MAX;
