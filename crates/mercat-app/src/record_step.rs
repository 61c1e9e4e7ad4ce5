//! What a worker reports, and what follows.

use crate::go_live::to_run;
use crate::notices::StepFacts;
use crate::transition::{Because, Next};
use crate::{App, AppError};
use mercat_domain::run::{self, Input, ReviewRule, State, Step};
use mercat_store::{
    Commit, Expect, FindingRow, ImageRow, Lease, LeaseUse, LedgerError, ListingRow, MessageRow, ReportRow,
    ReviewRow, SubmissionRow, Write, commit_surely, load, put,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The work of one step, as queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTask {
    /// Submission id.
    pub submission: String,
    /// Step by name.
    pub step: String,
    /// Turn that this work belongs to.
    pub turn: u32,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// Done.
    Passed,
    /// The publisher must fix something.
    Blocked,
    /// Our side cannot finish.
    GaveUp,
}

/// What a step reports.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Messages: level, code of the words, arguments.
    pub messages: Vec<(&'static str, String, BTreeMap<String, String>)>,
    /// Findings.
    pub findings: Vec<FindingRow>,
    /// Verdict keys by image digest.
    pub verdicts: BTreeMap<String, String>,
    /// Layers read.
    pub layers_read: u32,
    /// Layers reused.
    pub layers_reused: u32,
    /// What validation resolved.
    pub images: Option<Vec<ImageRow>>,
    /// The product page, by the package step.
    pub listing: Option<ListingRow>,
    /// Other records that belong to the result.
    pub writes: Vec<Write>,
    /// Whether people of the certification team must look at it.
    pub review: bool,
}

impl Report {
    /// Adds a message.
    pub fn say(&mut self, level: &'static str, code: &str, args: &[(&str, &str)]) {
        let args = args.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.messages.push((level, code.to_owned(), args));
    }
}

impl App {
    /// Records the result of a step under its lease: state, report, history, next work and mails in one
    /// transaction. A result that comes too late is dropped.
    ///
    /// # Errors
    /// When the ledger does not answer; the work is then done again.
    pub async fn record_step(
        &self,
        lease: &Lease,
        task: &StepTask,
        outcome: StepOutcome,
        report: Report,
    ) -> Result<(), AppError> {
        let turn = task.turn;
        let input = match outcome {
            StepOutcome::Passed if self.goes_to_review(task, report.review).await? => {
                Input::PassedForReview { turn }
            }
            StepOutcome::Passed => Input::Passed { turn },
            StepOutcome::Blocked => Input::Blocked { turn },
            StepOutcome::GaveUp => Input::GaveUp { turn },
        };
        for attempt in 0..8 {
            let mut pair = self.pair(&task.submission).await?;
            let now = self.ledger.now().await?;
            let mut commit = Commit::with_id(format!("{}/{}/{attempt}", lease.task, lease.epoch));
            commit.lease = Some((lease.clone(), LeaseUse::Finish));
            let Ok((run, effects)) = run::decide(&to_run(&pair.submission.row)?, &input, now) else {
                // Stale: nothing but the task changes.
                return Ok(commit_surely(&*self.ledger, &commit).await?);
            };
            if let Some(images) = &report.images {
                pair.submission.row.images.clone_from(images);
            }
            let mut findings = report.findings.clone();
            findings.sort_by_key(|finding| (finding.severity != "error", finding.severity != "inconclusive"));
            let facts = StepFacts {
                step: task.step.clone(),
                ours: outcome == StepOutcome::GaveUp,
                findings: findings.iter().filter(|f| f.severity != "info").take(50).cloned().collect(),
                detail: report.messages.last().map(|message| message.1.clone()).unwrap_or_default(),
            };
            let listing = match &report.listing {
                Some(listing) => Some(listing.clone()),
                None => load::<ListingRow>(&*self.ledger, &task.submission).await?.map(|row| row.row),
            };
            if run.state == State::WaitingForApproval {
                let row = ReviewRow {
                    submission: task.submission.clone(),
                    publisher: pair.submission.row.publisher.clone(),
                    offer: pair.submission.row.offer.clone(),
                    since: now,
                    ..ReviewRow::default()
                };
                commit.writes.push(put(&row, Expect::Any));
            }
            let next = Next { run, effects };
            let because = Because { actor: "worker", facts: &facts, listing: listing.as_ref(), now };
            self.write_transition(&mut commit, &pair, &next, &because);
            commit.writes.push(put(&report_row(task, &report, findings, now), Expect::Any));
            commit.writes.extend(report.listing.iter().map(|listing| put(listing, Expect::Any)));
            commit.writes.extend(report.writes.iter().cloned());
            match commit_surely(&*self.ledger, &commit).await {
                Err(LedgerError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    let (id, step, outcome) = (&task.submission, &task.step, format!("{outcome:?}"));
                    tracing::info!(submission.id = %id, step = %step, outcome = %outcome, "a step ended");
                    self.bell.notify_waiters();
                    return Ok(());
                }
            }
        }
        Err(AppError::Ledger(LedgerError::Conflict {
            kind: "submission".into(),
            key: task.submission.clone(),
        }))
    }
}

impl App {
    /// Whether the certification team looks at a submission whose checks have passed.
    async fn goes_to_review(&self, task: &StepTask, asked: bool) -> Result<bool, AppError> {
        if task.step != Step::Certify.name() || self.settings.review == ReviewRule::Never {
            return Ok(false);
        }
        if asked {
            return Ok(true);
        }
        let pair = self.pair(&task.submission).await?;
        Ok(self.settings.review.wants(self.drawn(&pair.submission.row).await?))
    }

    /// The number of a submission among those that may be reviewed. Whoever submits it again with the same images,
    /// whatever the listing says by then, has the same number, and cannot know it.
    async fn drawn(&self, submission: &SubmissionRow) -> Result<u32, AppError> {
        let images: BTreeSet<&str> = submission.images.iter().map(|image| image.digest.as_str()).collect();
        let images: Vec<&str> = images.into_iter().collect();
        let text = format!("review\n{}/{}\n{}", submission.publisher, submission.offer, images.join("\n"));
        let mac = self.mac(&text).await?;
        Ok(mac.get(..8).and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or(0))
    }
}

fn report_row(task: &StepTask, report: &Report, findings: Vec<FindingRow>, now: i64) -> ReportRow {
    let message = |(level, code, args): &(&'static str, String, BTreeMap<String, String>)| MessageRow {
        level: (*level).to_owned(),
        code: code.clone(),
        args: args.clone(),
        at: now,
    };
    ReportRow {
        submission: task.submission.clone(),
        step: task.step.clone(),
        messages: report.messages.iter().map(message).collect(),
        findings,
        verdicts: report.verdicts.clone(),
        layers_read: report.layers_read,
        layers_reused: report.layers_reused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MasterKey, Settings};
    use mercat_store::{ImageRow, Memory};
    use serde_json::json;
    use std::sync::Arc;

    fn app() -> App {
        let ledger = Arc::new(Memory::new(Arc::new(|| 1)));
        App::new(ledger, Settings::new("http://here"), MasterKey::new([7; 32]))
    }

    fn submission(offer: &str, title: &str, digests: &[&str]) -> SubmissionRow {
        let image = |digest: &&str| ImageRow {
            plan: "one".to_owned(),
            reference: "latest".to_owned(),
            digest: (*digest).to_owned(),
            media_type: String::new(),
            size: 1,
        };
        SubmissionRow {
            publisher: "aurora".to_owned(),
            offer: offer.to_owned(),
            document: json!({ "title": title }),
            images: digests.iter().map(image).collect(),
            ..SubmissionRow::default()
        }
    }

    #[tokio::test]
    async fn who_is_reviewed_is_chosen_by_the_images_and_known_to_this_server_only() {
        let (app, other) = (app(), app());
        let drawn =
            async |app: &App, row: SubmissionRow| app.drawn(&row).await.unwrap_or_else(|e| panic!("{e}"));
        let number = drawn(&app, submission("app", "one", &["sha256:a", "sha256:b"])).await;
        assert_eq!(
            number,
            drawn(&app, submission("app", "two", &["sha256:b", "sha256:a", "sha256:a"])).await
        );
        assert_ne!(number, drawn(&app, submission("app", "one", &["sha256:a"])).await);
        assert_ne!(number, drawn(&app, submission("gateway", "one", &["sha256:a", "sha256:b"])).await);
        assert_ne!(number, drawn(&other, submission("app", "one", &["sha256:a", "sha256:b"])).await);
    }
}
