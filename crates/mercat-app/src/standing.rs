//! What was certified is judged again when more is known.
//!
//! The offer stays live whatever is found: publisher, customers and operator are told, and decide.

use crate::notices::Told;
use crate::{AGAIN, App, AppError, Report, StepOutcome};
use mercat_domain::OfferKey;
use mercat_domain::notice::NoticeKind;
use mercat_store::document::from_json;
use mercat_store::{
    Commit, Expect, FindingRow, Lease, LeaseUse, LedgerError, MarkRow, NewEvent, NewTask, OfferRow, Query,
    StandingRow, SubmissionRow, commit_surely, list, load, put,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;

/// Offers that are queued in one commit.
const PAGE: u32 = 200;
/// Findings that a mail names.
const TOLD_MAX: usize = 5;

/// The work on one live offer, as queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgainTask {
    /// Publisher id.
    pub publisher: String,
    /// Offer id.
    pub offer: String,
    /// The submission that is live.
    pub submission: String,
}

impl AgainTask {
    fn key(&self) -> OfferKey {
        OfferKey::new(&self.publisher, &self.offer)
    }
}

/// What a finding is about: the same in two judgements, whatever the words say.
fn subject(finding: &FindingRow) -> [&str; 7] {
    let FindingRow { rule, plan, platform, path, package, observed, .. } = finding;
    // Where a package is named, its rule's words name the advisory, whose summary may change.
    let advisory = observed.split([' ', ':', ',']).next().unwrap_or_default();
    [rule, plan, platform, path, package, advisory, if package.is_empty() { observed } else { "" }]
}

impl App {
    /// Queues every live offer, once for what is `known`: a digest of it. How many were queued; `None` when that was
    /// done before.
    ///
    /// # Errors
    /// When the ledger does not answer; the next call goes on.
    pub async fn judge_again(&self, known: &str) -> Result<Option<usize>, AppError> {
        let mark = MarkRow { key: format!("again/{known}"), at: self.ledger.now().await? };
        if load::<MarkRow>(&*self.ledger, &mark.key).await?.is_some() {
            return Ok(None);
        }
        let (mut after, mut count) = (String::new(), 0);
        loop {
            let query = Query { after: after.clone(), limit: PAGE, ..Query::default() };
            let offers = list::<OfferRow>(&*self.ledger, query).await?;
            let Some(last) = offers.last() else { break };
            after = format!("{}/{}", last.row.publisher, last.row.offer);
            let mut commit = Commit::new();
            for OfferRow { publisher, offer, live, .. } in offers.into_iter().map(|found| found.row) {
                let Some(submission) = live else { continue };
                let id = format!("again/{publisher}/{offer}/{known}");
                let body = serde_json::to_string(&AgainTask { publisher, offer, submission });
                let body = body.expect("plain data");
                commit.tasks.push(NewTask { id, run: String::new(), queue: AGAIN, body, delay: 0 });
            }
            count += commit.tasks.len();
            commit_surely(&*self.ledger, &commit).await?;
        }
        // Behind the work: whoever is killed before begins again, and queues nothing twice.
        let mut commit = Commit::new();
        commit.writes.push(put(&mark, Expect::Any));
        commit_surely(&*self.ledger, &commit).await?;
        self.bell.notify_waiters();
        Ok(Some(count))
    }

    /// The submission that is to be judged, while it is still the live one.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn still_live(&self, task: &AgainTask) -> Result<Option<SubmissionRow>, AppError> {
        let offer = load::<OfferRow>(&*self.ledger, &task.key().to_string()).await?;
        if offer.is_none_or(|offer| offer.row.live.as_ref() != Some(&task.submission)) {
            return Ok(None);
        }
        Ok(load::<SubmissionRow>(&*self.ledger, &task.submission).await?.map(|found| found.row))
    }

    /// What was found last about the submission that is live; nothing while its certification is the latest word.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn standing(&self, offer: &OfferRow) -> Result<Option<StandingRow>, AppError> {
        let key = format!("{}/{}", offer.publisher, offer.offer);
        let found = load::<StandingRow>(&*self.ledger, &key).await?.map(|found| found.row);
        Ok(found.filter(|row| Some(&row.submission) == offer.live.as_ref()))
    }

    /// Records a judgement under its lease; whoever must know of new findings that block is told in the same commit.
    /// Without a report there is nothing to judge any more.
    ///
    /// # Errors
    /// When the ledger does not answer; the work is then done again.
    pub async fn record_standing(
        &self,
        lease: &Lease,
        task: &AgainTask,
        result: Option<(StepOutcome, Report)>,
    ) -> Result<(), AppError> {
        let mut commit = Commit::with_id(format!("{}/{}", lease.task, lease.epoch));
        commit.lease = Some((lease.clone(), LeaseUse::Finish));
        let submission = self.still_live(task).await?;
        if let (Some(submission), Some((outcome, report))) = (submission, result) {
            let key = task.key();
            let before = load::<StandingRow>(&*self.ledger, &key.to_string()).await?;
            let before = before.map(|found| found.row).filter(|row| row.submission == task.submission);
            let mut row = before.clone().unwrap_or(StandingRow {
                publisher: task.publisher.clone(),
                offer: task.offer.clone(),
                submission: task.submission.clone(),
                ..StandingRow::default()
            });
            if outcome == StepOutcome::GaveUp {
                // What could not be judged stands as it stood.
                let why = report.findings.iter().find(|finding| finding.severity == "inconclusive");
                row.trouble = why.map_or_else(|| "no verdict".to_owned(), |finding| finding.observed.clone());
            } else {
                row.judged = self.ledger.now().await?;
                row.trouble = String::new();
                row.verdicts = report.verdicts;
                row.findings = report.findings;
                let told = |row: &FindingRow| {
                    ["error", "warning"].contains(&row.severity.as_str()) || row.is_excused()
                };
                row.findings.retain(told);
                commit.writes.extend(report.writes);
                self.tell_changes(&mut commit, &submission, before.as_ref(), &row).await?;
            }
            commit.writes.push(put(&row, Expect::Any));
        }
        match commit_surely(&*self.ledger, &commit).await {
            Err(LedgerError::LeaseLost { .. }) => Ok(()),
            other => {
                self.bell.notify_waiters();
                Ok(other?)
            }
        }
    }

    async fn tell_changes(
        &self,
        commit: &mut Commit,
        submission: &SubmissionRow,
        before: Option<&StandingRow>,
        now: &StandingRow,
    ) -> Result<(), AppError> {
        let key = OfferKey::new(&now.publisher, &now.offer);
        let known: BTreeSet<_> = before.iter().flat_map(|row| row.blocking()).map(subject).collect();
        let all: BTreeSet<_> = now.blocking().map(subject).collect();
        if known == all {
            return Ok(());
        }
        let new: Vec<&FindingRow> =
            now.blocking().filter(|finding| !known.contains(&subject(finding))).collect();
        commit.events.push(NewEvent {
            subject: format!("offer:{key}"),
            run: String::new(),
            kind: "standing.changed".to_owned(),
            actor: "worker".to_owned(),
            body: json!({"new": new.len(), "blocking": all.len()}).to_string(),
        });
        if new.is_empty() {
            return Ok(());
        }
        let mut words: Vec<String> = new
            .iter()
            .take(TOLD_MAX)
            .map(|finding| format!("{}: {}", finding.rule, finding.observed))
            .collect();
        if new.len() > TOLD_MAX {
            words.push("...".to_owned());
        }
        let unique = format!("{}.{}", now.submission, now.judged);
        let told = Told::new(NoticeKind::Standing, &key, &unique)
            .link(&format!("/portal/offers/{key}/status"))
            .locale(&submission.locale)
            .word("offer", &key.offer)
            .word("count", &new.len().to_string())
            .word("findings", &words.join("; "));
        let mut to = self.owners(&key.publisher).await?;
        to.extend(submission.emails.iter().cloned());
        let document = from_json(&submission.document).ok();
        to.extend(document.map(|document| document.text("engineeringContactEmail").to_owned()));
        commit.tasks.extend(self.letters(&told, &to));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MasterKey, OUTBOX, Settings};
    use mercat_store::{EventQuery, Memory, Task};
    use std::sync::Arc;

    async fn house() -> App {
        let app = App::new(
            Arc::new(Memory::new(Arc::new(|| 7))),
            Settings::new("http://here"),
            MasterKey::new([7; 32]),
        );
        let mut commit = Commit::new();
        for (offer, live) in [("app", Some("s1")), ("draft", None), ("other", Some("s2"))] {
            let row = OfferRow {
                publisher: "aurora".into(),
                offer: offer.into(),
                live: live.map(str::to_owned),
                ..OfferRow::default()
            };
            commit.writes.push(put(&row, Expect::Absent));
            if let Some(id) = live {
                let emails = vec!["ops@example.org".to_owned()];
                let row = SubmissionRow { id: id.to_owned(), emails, ..SubmissionRow::default() };
                commit.writes.push(put(&row, Expect::Absent));
            }
        }
        commit_surely(&*app.ledger, &commit).await.expect("written");
        app
    }

    async fn next(app: &App, queue: &'static str) -> Option<Task> {
        app.ledger.claim(&[queue], "hand", 60_000).await.expect("answers")
    }

    fn cve(id: &str, severity: &str, summary: &str) -> FindingRow {
        FindingRow {
            rule: "CTR-22".into(),
            severity: severity.into(),
            package: "openssl".into(),
            observed: format!("{id} {summary}"),
            ..FindingRow::default()
        }
    }

    async fn judge(app: &App, known: &str, outcome: StepOutcome, findings: &[FindingRow]) -> StandingRow {
        app.judge_again(known).await.expect("queued");
        while let Some(task) = next(app, AGAIN).await {
            let about: AgainTask = serde_json::from_str(&task.body).expect("a task");
            let report = Report { findings: findings.to_vec(), ..Report::default() };
            app.record_standing(&task.lease, &about, Some((outcome, report))).await.expect("recorded");
        }
        load::<StandingRow>(&*app.ledger, "aurora/app").await.expect("answers").expect("there").row
    }

    async fn letters(app: &App) -> usize {
        let mut count = 0;
        while next(app, OUTBOX).await.is_some() {
            count += 1;
        }
        count
    }

    #[tokio::test]
    async fn every_live_offer_is_queued_once_for_what_is_known() {
        let app = house().await;
        assert_eq!(app.judge_again("one").await.expect("queued"), Some(2));
        assert_eq!(app.judge_again("one").await.expect("queued"), None);
        let mut offers = Vec::new();
        while let Some(task) = next(&app, AGAIN).await {
            offers.push(serde_json::from_str::<AgainTask>(&task.body).expect("a task").offer);
        }
        offers.sort();
        assert_eq!(offers, ["app", "other"]);
        assert_eq!(app.judge_again("two").await.expect("queued"), Some(2), "more is known");
    }

    #[tokio::test]
    async fn what_is_new_and_blocks_is_told_once_and_what_cannot_be_judged_stands_as_it_stood() {
        let app = house().await;
        let warning = cve("CVE-1", "warning", "low");
        let row = judge(&app, "one", StepOutcome::Passed, &[warning.clone(), cve("x", "info", "")]).await;
        assert_eq!((row.judged, row.findings.len(), letters(&app).await), (7, 1, 0));
        let error = cve("CVE-2", "error", "bad");
        let row = judge(&app, "two", StepOutcome::Blocked, &[warning.clone(), error.clone()]).await;
        assert_eq!((row.blocking().count(), letters(&app).await), (1, 2), "one for each of the two offers");
        // The same in other words.
        judge(&app, "three", StepOutcome::Blocked, &[cve("CVE-2", "error", "very bad")]).await;
        assert_eq!(letters(&app).await, 0);
        let lost = FindingRow { severity: "inconclusive".into(), observed: "no scanner".into(), ..error };
        let row = judge(&app, "four", StepOutcome::GaveUp, &[lost]).await;
        assert_eq!((row.trouble.as_str(), row.blocking().count(), letters(&app).await), ("no scanner", 1, 0));
        let row = judge(&app, "five", StepOutcome::Passed, &[]).await;
        assert_eq!((row.trouble.as_str(), row.findings.len(), letters(&app).await), ("", 0, 0));
        // What came back is news again, and a mail of its own.
        judge(&app, "six", StepOutcome::Blocked, &[cve("CVE-2", "error", "bad")]).await;
        let query =
            EventQuery { subject: Some("offer:aurora/app".into()), limit: 100, ..EventQuery::default() };
        let events = app.ledger.events(&query).await.expect("answers");
        assert_eq!(events.iter().filter(|event| event.event.kind == "standing.changed").count(), 3);
    }

    #[tokio::test]
    async fn what_is_no_longer_live_is_not_judged() {
        let app = house().await;
        app.judge_again("one").await.expect("queued");
        let task = next(&app, AGAIN).await.expect("a task");
        let mut about: AgainTask = serde_json::from_str(&task.body).expect("a task");
        about.submission = "s0".into();
        assert_eq!(app.still_live(&about).await.expect("answers"), None);
        let report = Report { findings: vec![cve("CVE-2", "error", "bad")], ..Report::default() };
        app.record_standing(&task.lease, &about, Some((StepOutcome::Blocked, report)))
            .await
            .expect("recorded");
        assert!(load::<StandingRow>(&*app.ledger, "aurora/app").await.expect("answers").is_none());
        assert_eq!(letters(&app).await, 0);
    }
}
