//! A run as kept in the ledger.

use mercat_domain::run::{Fault, Run, State, Step, StepRun, StepStatus};
use mercat_domain::{Digest, Millis, OfferKind};
use serde::{Deserialize, Serialize};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRow {
    /// Step by name.
    pub step: String,
    /// Status by name.
    pub status: String,
    /// When it began.
    pub started: Option<Millis>,
    /// When it ended.
    pub ended: Option<Millis>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRow {
    /// Kind by name.
    pub kind: String,
    /// Snapshot digest.
    pub snapshot: String,
    /// State by name.
    pub state: String,
    /// Whose turn it is after a failure.
    pub fault: Option<String>,
    /// Fences off late results.
    pub turn: u32,
    /// Steps in order.
    pub steps: Vec<StepRow>,
}

impl From<&Run> for RunRow {
    fn from(run: &Run) -> Self {
        let step = |step: &StepRun| StepRow {
            step: step.step.name().to_owned(),
            status: step.status.name().to_owned(),
            started: step.started,
            ended: step.ended,
        };
        Self {
            kind: run.kind.name().to_owned(),
            snapshot: run.snapshot.to_string(),
            state: run.state.name().to_owned(),
            fault: run.fault.map(|fault| fault.name().to_owned()),
            turn: run.turn,
            steps: run.steps.iter().map(step).collect(),
        }
    }
}

impl RunRow {
    /// The run for the domain; `None` when a name in the row is not known to this version.
    pub fn to_run(&self) -> Option<Run> {
        let step = |row: &StepRow| {
            Some(StepRun {
                step: Step::parse(&row.step)?,
                status: StepStatus::parse(&row.status)?,
                started: row.started,
                ended: row.ended,
            })
        };
        Some(Run {
            kind: OfferKind::parse(&self.kind)?,
            snapshot: Digest::parse(&self.snapshot)?,
            state: State::parse(&self.state)?,
            fault: match &self.fault {
                None => None,
                Some(name) => Some(Fault::parse(name)?),
            },
            turn: self.turn,
            steps: self.steps.iter().map(step).collect::<Option<_>>()?,
        })
    }
}
