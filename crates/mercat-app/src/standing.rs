//! What was certified is judged again when more is known.
//!
//! The offer stays live whatever is found: its publisher is told by mail, everybody else by pages and `mercat doctor`.

use crate::notices::Told;
use crate::{AGAIN, App, AppError, Report};
use mercat_domain::notice::NoticeKind;
use mercat_domain::run::Step;
use mercat_domain::{Millis, OfferKey};
use mercat_store::document::from_json;
use mercat_store::{
    Commit, Expect, FindingRow, KnownRow, Lease, LeaseUse, LedgerError, NewEvent, NewTask, OfferRow,
    PaperRow, ProgressRow, Query, StandingRow, SubmissionRow, commit_surely, find, list, load, put, remove,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;

/// Offers that are queued at a time: whoever looks at the queue of a large market sees its other tasks.
const PAGE: u32 = 200;
/// Findings that a mail names.
const TOLD_MAX: usize = 5;

/// The work on what is live of one offer, as queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgainTask {
    /// Publisher id.
    pub publisher: String,
    /// Offer id.
    pub offer: String,
    /// Whether it is judged even where it was judged by the same: exceptions are no part of what is known.
    #[serde(default)]
    pub anyway: bool,
}

impl AgainTask {
    fn key(&self) -> OfferKey {
        OfferKey::new(&self.publisher, &self.offer)
    }
}

/// A row as it was read, and what a write of it expects.
struct Before {
    row: StandingRow,
    expect: Expect,
}

/// The task for an offer. There is one at a time, however often more becomes known meanwhile.
pub(crate) fn again(key: &OfferKey) -> NewTask {
    let about = AgainTask { publisher: key.publisher.clone(), offer: key.offer.clone(), anyway: false };
    queued(format!("again/{key}"), &about, 0)
}

/// The task for an offer after a decision about an exception, or when one has ended.
pub(crate) fn again_anyway(key: &OfferKey, why: &str, delay: Millis) -> NewTask {
    let about = AgainTask { publisher: key.publisher.clone(), offer: key.offer.clone(), anyway: true };
    queued(format!("again/{key}/{why}"), &about, delay)
}

fn queued(id: String, about: &AgainTask, delay: Millis) -> NewTask {
    let body = serde_json::to_string(about).expect("plain data");
    NewTask { id, run: String::new(), queue: AGAIN, body, delay }
}

/// The commit that ends a task. Its id is its own: a task of this id was there before, and will be again.
fn ending(lease: &Lease) -> Commit {
    let mut commit = Commit::new();
    commit.lease = Some((lease.clone(), LeaseUse::Finish));
    commit
}

/// What a finding is about: the same in two judgements, whatever the words say.
fn subject(finding: &FindingRow) -> [&str; 7] {
    let FindingRow { rule, plan, platform, path, package, observed, .. } = finding;
    // Where a package is named, its rule's words name the advisory, whose summary may change.
    let advisory = observed.split([' ', ':', ',']).next().unwrap_or_default();
    [rule, plan, platform, path, package, advisory, if package.is_empty() { observed } else { "" }]
}

impl App {
    /// Begins to queue every live offer when a machine knows something else than before: `true` when it does.
    /// [`App::judge_more`] goes on.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn judge_again(&self, machine: &str, known: &str) -> Result<bool, AppError> {
        let before = load::<KnownRow>(&*self.ledger, machine).await?.map(|found| found.row);
        if before.as_ref().is_some_and(|before| before.known == known) {
            return Ok(false);
        }
        // On from where it was, and around: whoever learns more all the time comes to the last offer, too.
        let after = before.and_then(|before| before.after).unwrap_or_default();
        let (machine, known) = (machine.to_owned(), known.to_owned());
        let (at, until) = (self.ledger.now().await?, after.clone());
        let row = KnownRow { machine, known, at, after: Some(after), until, wrapped: false };
        let mut commit = Commit::new();
        commit.writes.push(put(&row, Expect::Any));
        commit_surely(&*self.ledger, &commit).await?;
        self.bell.notify_waiters();
        Ok(true)
    }

    /// Queues the next page of what [`App::judge_again`] began, when a machine has nothing left to judge. How many
    /// offers; `None` when all were queued.
    ///
    /// # Errors
    /// When the ledger does not answer, or the machine began with something else meanwhile.
    pub async fn judge_more(&self, machine: &str) -> Result<Option<usize>, AppError> {
        let Some(found) = load::<KnownRow>(&*self.ledger, machine).await? else { return Ok(None) };
        let Some(after) = found.row.after.clone() else { return Ok(None) };
        let offers =
            list::<OfferRow>(&*self.ledger, Query { after, limit: PAGE, ..Query::default() }).await?;
        let key = |row: &OfferRow| format!("{}/{}", row.publisher, row.offer);
        let wanted = |row: &&OfferRow| !found.row.wrapped || key(row) <= found.row.until;
        let looked_at: Vec<&OfferRow> = offers.iter().map(|found| &found.row).filter(wanted).collect();
        let live = looked_at.iter().filter(|row| row.live.is_some());
        let mut commit = Commit::new();
        commit.tasks = live.map(|row| again(&OfferKey::new(&row.publisher, &row.offer))).collect();
        let around = looked_at.is_empty() && !found.row.wrapped && !found.row.until.is_empty();
        let after = if around { Some(String::new()) } else { looked_at.last().map(|row| key(row)) };
        let row = KnownRow { after, wrapped: found.row.wrapped || around, ..found.row.clone() };
        commit.writes.push(put(&row, Expect::Version(found.version)));
        commit_surely(&*self.ledger, &commit).await?;
        Ok(Some(commit.tasks.len()))
    }

    /// Queues again what could not be judged. How many.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn judge_again_what_was_not(&self) -> Result<usize, AppError> {
        let mut commit = Commit::new();
        for found in find::<StandingRow>(&*self.ledger, "state", "trouble").await? {
            commit.tasks.push(again(&OfferKey::new(&found.row.publisher, &found.row.offer)));
        }
        commit_surely(&*self.ledger, &commit).await?;
        Ok(commit.tasks.len())
    }

    /// What is live of an offer, when it has to be judged by what is `known`.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn to_judge(&self, task: &AgainTask, known: &str) -> Result<Option<SubmissionRow>, AppError> {
        let offer = load::<OfferRow>(&*self.ledger, &task.key().to_string()).await?;
        let Some(live) = offer.and_then(|offer| offer.row.live) else { return Ok(None) };
        let standing = load::<StandingRow>(&*self.ledger, &task.key().to_string()).await?;
        let current = standing.is_some_and(|row| row.row.submission == live && row.row.known == known);
        if current && !task.anyway {
            return Ok(None);
        }
        Ok(load::<SubmissionRow>(&*self.ledger, &live).await?.map(|found| found.row))
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

    /// Ends a task that has nothing to do.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn end_again(&self, lease: &Lease) -> Result<(), AppError> {
        self.end(&ending(lease)).await.map(|_| ())
    }

    /// Records under its lease why there is no judgement: what was found before stands. `false` when the offer changed
    /// meanwhile: it is then tried again.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn record_trouble(
        &self,
        lease: &Lease,
        submission: &SubmissionRow,
        trouble: &str,
    ) -> Result<bool, AppError> {
        let mut commit = ending(lease);
        let Some(before) = self.guarded(&mut commit, submission).await? else { return Ok(false) };
        let known = String::new();
        let row = StandingRow { trouble: trouble.to_owned(), known, ..before.row };
        commit.writes.push(put(&row, before.expect));
        self.end(&commit).await
    }

    /// Records a judgement by what is `known` under its lease; whoever must know of new findings that block is told in
    /// the same commit. `false` when the offer changed meanwhile: it is then tried again.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn record_standing(
        &self,
        lease: &Lease,
        submission: &SubmissionRow,
        known: &str,
        report: Report,
    ) -> Result<bool, AppError> {
        let mut commit = ending(lease);
        let Some(before) = self.guarded(&mut commit, submission).await? else { return Ok(false) };
        let (lost, mut findings): (Vec<_>, Vec<_>) =
            report.findings.into_iter().partition(|finding| finding.severity == "inconclusive");
        findings.retain(|row| ["error", "warning"].contains(&row.severity.as_str()) || row.is_excused());
        // What could not be judged stands as it stood; of a disk that broke its inspector, no plan is told.
        let unsure: BTreeSet<&str> = lost.iter().map(|finding| finding.plan.as_str()).collect();
        let is_unsure = |plan: &str| unsure.contains(plan) || unsure.contains("");
        let stood = before.row.findings.iter().filter(|row| is_unsure(&row.plan));
        let stood: Vec<_> = stood.filter(|row| !findings.contains(row)).cloned().collect();
        findings.extend(stood);
        let row = StandingRow {
            judged: self.ledger.now().await?,
            known: if lost.is_empty() { known.to_owned() } else { String::new() },
            verdicts: report.verdicts,
            findings,
            trouble: lost.first().map(|finding| finding.observed.clone()).unwrap_or_default(),
            ..before.row.clone()
        };
        commit.writes.extend(report.writes);
        self.tell_changes(&mut commit, submission, &before.row, &row).await?;
        commit.writes.push(put(&row, before.expect));
        self.end(&commit).await
    }

    /// What stood before, in a commit that does not come about when the offer changes meanwhile. Nothing when this is
    /// not what is live any more. Papers about what was live before it are dropped with it.
    async fn guarded(
        &self,
        commit: &mut Commit,
        submission: &SubmissionRow,
    ) -> Result<Option<Before>, AppError> {
        let key = OfferKey::new(&submission.publisher, &submission.offer);
        let offer = load::<OfferRow>(&*self.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?;
        if offer.row.live.as_ref() != Some(&submission.id) {
            return Ok(None);
        }
        commit.writes.push(put(&offer.row, Expect::Version(offer.version)));
        let progress = format!("again/{}/{}", submission.id, Step::Certify.name());
        commit.writes.push(remove::<ProgressRow>(&progress));
        let found = load::<StandingRow>(&*self.ledger, &key.to_string()).await?;
        let expect = found.as_ref().map_or(Expect::Absent, |found| Expect::Version(found.version));
        let row = match found.map(|found| found.row) {
            Some(row) if row.submission == submission.id => row,
            other => {
                let papers = other.iter().flat_map(|row| row.verdicts.values());
                commit.writes.extend(papers.map(|key| remove::<PaperRow>(key)));
                StandingRow {
                    publisher: key.publisher,
                    offer: key.offer,
                    submission: submission.id.clone(),
                    ..StandingRow::default()
                }
            }
        };
        Ok(Some(Before { row, expect }))
    }

    /// `false` when something that the commit stands on has changed.
    async fn end(&self, commit: &Commit) -> Result<bool, AppError> {
        match commit_surely(&*self.ledger, commit).await {
            Err(LedgerError::Conflict { .. }) => Ok(false),
            Err(LedgerError::LeaseLost { .. }) => Ok(true),
            other => {
                other?;
                self.bell.notify_waiters();
                Ok(true)
            }
        }
    }

    async fn tell_changes(
        &self,
        commit: &mut Commit,
        submission: &SubmissionRow,
        before: &StandingRow,
        now: &StandingRow,
    ) -> Result<(), AppError> {
        let key = OfferKey::new(&now.publisher, &now.offer);
        let known: BTreeSet<_> = before.blocking().map(subject).collect();
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
            .word("findings", &words.join("\n"));
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
                let row = SubmissionRow {
                    id: id.to_owned(),
                    publisher: "aurora".into(),
                    offer: offer.into(),
                    emails,
                    ..SubmissionRow::default()
                };
                commit.writes.push(put(&row, Expect::Absent));
            }
        }
        commit_surely(&*app.ledger, &commit).await.expect("written");
        app
    }

    /// How many offers a change of what is known queues.
    async fn queue(app: &App, machine: &str, known: &str) -> usize {
        app.judge_again(machine, known).await.expect("begins");
        let mut count = 0;
        while let Some(more) = app.judge_more(machine).await.expect("queued") {
            count += more;
        }
        count
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

    async fn judge(app: &App, known: &str, findings: &[FindingRow]) -> StandingRow {
        queue(app, "here", known).await;
        while let Some(task) = next(app, AGAIN).await {
            let about: AgainTask = serde_json::from_str(&task.body).expect("a task");
            let report = Report { findings: findings.to_vec(), ..Report::default() };
            match app.to_judge(&about, known).await.expect("answers") {
                Some(live) => {
                    assert!(app.record_standing(&task.lease, &live, known, report).await.expect("recorded"));
                }
                None => app.end_again(&task.lease).await.expect("ended"),
            }
        }
        standing(app).await
    }

    async fn standing(app: &App) -> StandingRow {
        load::<StandingRow>(&*app.ledger, "aurora/app").await.expect("answers").expect("there").row
    }

    async fn letters(app: &App) -> usize {
        let mut count = 0;
        while next(app, OUTBOX).await.is_some() {
            count += 1;
        }
        count
    }

    async fn news(app: &App) -> usize {
        let query =
            EventQuery { subject: Some("offer:aurora/app".into()), limit: 100, ..EventQuery::default() };
        let events = app.ledger.events(&query).await.expect("answers");
        events.iter().filter(|event| event.event.kind == "standing.changed").count()
    }

    #[tokio::test]
    async fn every_live_offer_is_queued_when_a_machine_knows_something_else_and_once_at_a_time() {
        let app = house().await;
        assert_eq!(queue(&app, "here", "one").await, 2);
        assert_eq!(queue(&app, "here", "one").await, 0);
        assert_eq!(queue(&app, "here", "two").await, 2, "more is known");
        let mut offers = Vec::new();
        while let Some(task) = next(&app, AGAIN).await {
            offers.push(serde_json::from_str::<AgainTask>(&task.body).expect("a task").offer);
            app.end_again(&task.lease).await.expect("ended");
        }
        offers.sort();
        assert_eq!(offers, ["app", "other"], "one task for both");
        assert_eq!(queue(&app, "here", "one").await, 2, "what was known before");
        assert_eq!(queue(&app, "there", "one").await, 2, "another machine");
    }

    #[tokio::test]
    async fn a_large_market_is_queued_page_by_page_and_all_around_when_more_is_known_meanwhile() {
        let app = house().await;
        let mut commit = Commit::new();
        for number in 0..PAGE {
            let (publisher, offer) = ("birch".to_owned(), format!("offer-{number}"));
            let live = Some(format!("t{number}"));
            let row = OfferRow { publisher, offer, live, ..OfferRow::default() };
            commit.writes.push(put(&row, Expect::Absent));
        }
        commit_surely(&*app.ledger, &commit).await.expect("written");
        assert!(app.judge_again("here", "one").await.expect("begins"));
        let page = PAGE as usize;
        assert_eq!(
            app.judge_more("here").await.expect("queued"),
            Some(page - 1),
            "one of the page is a draft"
        );
        assert_eq!(app.judge_more("there").await.expect("answers"), None, "it began nothing");
        assert!(!app.judge_again("here", "one").await.expect("goes on"));
        let mut queued = std::collections::BTreeSet::new();
        let mut drain = async || {
            while let Some(task) = next(&app, AGAIN).await {
                queued.insert(task.lease.task.clone());
                app.end_again(&task.lease).await.expect("ended");
            }
            std::mem::take(&mut queued).len()
        };
        assert_eq!(drain().await, page - 1);
        // All, from where it was to the end, and from the beginning to where it was.
        assert!(app.judge_again("here", "two").await.expect("goes on, and around"));
        for pages in [Some(3), Some(0), Some(page - 1), Some(0), None] {
            assert_eq!(app.judge_more("here").await.expect("queued"), pages);
        }
        assert_eq!(drain().await, page + 2, "all of them");
        assert!(app.judge_again("here", "one").await.expect("not all were queued with it"));
        // Whoever learns something else before each page comes to the end all the same.
        for (at, pages) in [page - 1, 3].into_iter().enumerate() {
            assert_eq!(app.judge_more("here").await.expect("queued"), Some(pages));
            assert!(app.judge_again("here", &format!("{at}")).await.expect("begins"));
        }
    }

    #[tokio::test]
    async fn what_is_new_and_blocks_is_told_once_and_what_cannot_be_judged_stands_as_it_stood() {
        let app = house().await;
        let warning = cve("CVE-1", "warning", "low");
        let row = judge(&app, "one", &[warning.clone(), cve("x", "info", "")]).await;
        assert_eq!((row.judged, row.findings.len(), letters(&app).await), (7, 1, 0));
        let error = cve("CVE-2", "error", "bad");
        let row = judge(&app, "two", &[warning.clone(), error.clone()]).await;
        assert_eq!((row.blocking().count(), letters(&app).await), (1, 2), "one for each of the two offers");
        // The same in other words.
        judge(&app, "three", &[cve("CVE-2", "error", "very bad")]).await;
        assert_eq!((letters(&app).await, news(&app).await), (0, 1));
        // Back to what was known first, and forth.
        let row = judge(&app, "one", &[]).await;
        assert_eq!((row.known.as_str(), row.findings.len(), news(&app).await), ("one", 0, 2));
        assert_eq!(judge(&app, "two", std::slice::from_ref(&error)).await.blocking().count(), 1);
        // One plan could not be judged: what is known of it stays.
        let lost = FindingRow { severity: "inconclusive".into(), observed: "no scanner".into(), ..error };
        let other = FindingRow { plan: "other".into(), ..cve("CVE-3", "error", "bad") };
        let row = judge(&app, "four", &[lost, other]).await;
        assert_eq!((row.blocking().count(), row.trouble.as_str(), row.known.as_str()), (2, "no scanner", ""));
        assert_eq!(app.judge_again_what_was_not().await.expect("queued"), 2, "both offers");
        let row = judge(&app, "four", &[]).await;
        assert_eq!((row.trouble.as_str(), row.findings.len(), row.known.as_str()), ("", 0, "four"));
        assert_eq!(app.judge_again_what_was_not().await.expect("queued"), 0);
    }

    #[tokio::test]
    async fn what_was_judged_by_the_same_is_judged_again_only_for_an_exception() {
        let app = house().await;
        judge(&app, "one", &[]).await;
        let key = OfferKey::new("aurora", "app");
        let mut commit = Commit::new();
        commit.tasks.push(again(&key));
        commit.tasks.push(again_anyway(&key, "exception-1", 0));
        commit_surely(&*app.ledger, &commit).await.expect("queued");
        let mut due = Vec::new();
        while let Some(task) = next(&app, AGAIN).await {
            let about: AgainTask = serde_json::from_str(&task.body).expect("a task");
            due.push((about.anyway, app.to_judge(&about, "one").await.expect("answers").is_some()));
            app.end_again(&task.lease).await.expect("ended");
        }
        due.sort_unstable();
        assert_eq!(due, [(false, false), (true, true)]);
    }

    #[tokio::test]
    async fn a_judgement_of_what_is_no_longer_live_is_dropped_and_the_task_stays() {
        let app = house().await;
        queue(&app, "here", "one").await;
        let task = next(&app, AGAIN).await.expect("a task");
        let about: AgainTask = serde_json::from_str(&task.body).expect("a task");
        let live = app.to_judge(&about, "one").await.expect("answers").expect("it is live");
        let offer =
            load::<OfferRow>(&*app.ledger, &about.key().to_string()).await.expect("answers").expect("there");
        let mut commit = Commit::new();
        let replaced = OfferRow { live: Some("s9".into()), ..offer.row };
        commit.writes.push(put(&replaced, Expect::Version(offer.version)));
        commit_surely(&*app.ledger, &commit).await.expect("written");
        let report = Report { findings: vec![cve("CVE-2", "error", "bad")], ..Report::default() };
        assert!(!app.record_standing(&task.lease, &live, "one", report).await.expect("answers"));
        assert!(!app.record_trouble(&task.lease, &live, "lost").await.expect("answers"));
        assert!(
            load::<StandingRow>(&*app.ledger, &about.key().to_string()).await.expect("answers").is_none()
        );
        assert_eq!(letters(&app).await, 0);
        assert!(app.ledger.heartbeat(&task.lease, 1000).await.expect("answers"), "the work is done again");
    }
}
