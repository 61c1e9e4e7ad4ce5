//! What happens because time passes: reminders, overdue steps, digests, old leads.
//!
//! Every process may do it at any time. What is done once leaves a mark in the same commit.

use crate::go_live::to_run;
use crate::notices::{NoticeFacts, Told};
use crate::{App, AppError};
use mercat_domain::calendar::{DAY, HOUR};
use mercat_domain::notice::NoticeKind;
use mercat_domain::run::{State, StepStatus, current_step, estimate};
use mercat_domain::{Millis, OfferKey};
use mercat_store::{
    CollectedRow, Commit, Expect, LedgerError, MarkRow, OfferRow, Query, SubmissionRow, SubscriberRow,
    UserRow, commit_surely, find, list, load, put, remove,
};

/// Days in preview after which somebody is reminded (N5).
const REMINDERS: [i64; 5] = [1, 3, 7, 14, 30];
const PAGE: u32 = 500;

impl App {
    /// Does what is due every minute.
    ///
    /// # Errors
    /// When the ledger does not answer; the next call goes on.
    pub async fn tick(&self) -> Result<(), AppError> {
        let now = self.ledger.now().await?;
        let mut after = String::new();
        loop {
            let query = Query { after: after.clone(), limit: PAGE, ..Query::default() };
            let offers = list::<OfferRow>(&*self.ledger, query).await?;
            let Some(last) = offers.last() else { break };
            after = format!("{}/{}", last.row.publisher, last.row.offer);
            for active in offers.iter().filter_map(|offer| offer.row.active.as_ref()) {
                if let Some(found) = load::<SubmissionRow>(&*self.ledger, active).await? {
                    self.look_at(&found.row, now).await?;
                }
            }
        }
        self.send_digests(now).await
    }

    async fn look_at(&self, submission: &SubmissionRow, now: Millis) -> Result<(), AppError> {
        let run = to_run(submission)?;
        let Some(step) = current_step(&run) else { return Ok(()) };
        let age = now - step.started.unwrap_or(now);
        let key = OfferKey::new(&submission.publisher, &submission.offer);
        let told = |kind, unique: &str| {
            Told::new(kind, &key, unique)
                .about_step(&run, step.step)
                .link(&format!("/portal/offers/{key}/status"))
                .locale(&submission.locale)
                .word("offer", &submission.offer)
                .word("number", &submission.number.to_string())
        };
        if run.state == State::WaitingForPublisherReview {
            let Some(days) = REMINDERS.iter().rev().find(|days| age >= *days * DAY) else { return Ok(()) };
            let unique = format!("{}.{days}", submission.id);
            let told = told(NoticeKind::Reminder, &unique).word("days", &days.to_string());
            return self.once(&format!("reminder/{unique}"), now, &told, &submission.emails).await;
        }
        let promised = estimate(run.kind, step.step).filter(|promised| age > promised.max);
        let (Some(promised), StepStatus::InProgress) = (promised, step.status) else { return Ok(()) };
        let unique = format!("{}.{}", submission.id, run.turn);
        let told = told(NoticeKind::Overdue, &unique)
            .words_of("promised", promised.key)
            .word("hours", &(age / HOUR).to_string());
        let mut to = submission.emails.clone();
        to.extend(self.operators().await?);
        self.once(&format!("overdue/{unique}"), now, &told, &to).await
    }

    /// Tells something under a mark, to subscribers too, unless the mark is there.
    async fn once(&self, key: &str, now: Millis, told: &Told, to: &[String]) -> Result<(), AppError> {
        if load::<MarkRow>(&*self.ledger, key).await?.is_some() {
            return Ok(());
        }
        let mut commit = Commit::new();
        commit.writes.push(put(&MarkRow { key: key.to_owned(), at: now }, Expect::Absent));
        commit.tasks = self.letters(told, to);
        self.to_subscribers(&mut commit, &self.facts(told, to.to_vec())).await?;
        match commit_surely(&*self.ledger, &commit).await {
            // Another process was faster.
            Err(LedgerError::Conflict { .. }) => Ok(()),
            other => {
                self.bell.notify_waiters();
                Ok(other?)
            }
        }
    }

    /// Addresses of those who operate the market.
    pub(crate) async fn operators(&self) -> Result<Vec<String>, AppError> {
        let users = list::<UserRow>(&*self.ledger, Query { limit: 1000, ..Query::default() }).await?;
        let known = users.into_iter().filter(|user| user.row.operator).map(|user| user.row.email);
        Ok(self.settings.operator_emails.iter().cloned().chain(known).collect())
    }

    /// A day after the first notice was collected, all of them go out as one.
    async fn send_digests(&self, now: Millis) -> Result<(), AppError> {
        for subscriber in find::<SubscriberRow>(&*self.ledger, "digest", "yes").await? {
            let key = format!("{}/{}", subscriber.row.publisher, subscriber.row.email);
            let mut collected = find::<CollectedRow>(&*self.ledger, "subscriber", &key).await?;
            collected.sort_by_key(|row| row.row.at);
            let Some(first) = collected.first().filter(|first| now - first.row.at >= DAY) else { continue };
            let facts = collected.iter().filter_map(|row| {
                serde_json::from_value::<NoticeFacts>(row.row.facts.clone())
                    .ok()
                    .filter(|facts| facts.digest.is_empty())
            });
            let about = OfferKey::new(&subscriber.row.publisher, "");
            let told = Told::new(NoticeKind::Digest, &about, &first.row.id)
                .link("/portal")
                .locale(&subscriber.row.locale)
                .word("count", &collected.len().to_string())
                .collected(facts.collect());
            let mut commit = Commit::new();
            commit.tasks = self.letters(&told, std::slice::from_ref(&subscriber.row.email));
            for row in &collected {
                let mut gone = remove::<CollectedRow>(&row.row.id);
                gone.expect = Expect::Version(row.version);
                commit.writes.push(gone);
            }
            match commit_surely(&*self.ledger, &commit).await {
                // Another process sends it.
                Err(LedgerError::Conflict { .. }) => {}
                other => other?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MasterKey, OUTBOX, Settings, Wish};
    use mercat_domain::run::{self, Input};
    use mercat_domain::{Digest, OfferKind};
    use mercat_store::{LeadRow, Lease, Memory, Row, RunRow};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    struct House {
        app: App,
        clock: Arc<AtomicI64>,
    }

    impl House {
        async fn with(rows: Vec<mercat_store::Write>) -> Self {
            let clock = Arc::new(AtomicI64::new(1_000_000));
            let time = clock.clone();
            let ledger = Arc::new(Memory::new(Arc::new(move || time.load(Ordering::Relaxed))));
            let app = App::new(ledger, Settings::new("http://here"), MasterKey::new([7; 32]));
            let mut commit = Commit::new();
            commit.writes = rows;
            commit_surely(&*app.ledger, &commit).await.expect("stored");
            Self { app, clock }
        }

        async fn after(&self, time: Millis) -> Vec<NoticeFacts> {
            self.clock.fetch_add(time, Ordering::Relaxed);
            self.app.tick().await.expect("works");
            let mut out = Vec::new();
            while let Some(task) = self.app.ledger.claim(&[OUTBOX], "t", 1000).await.expect("answers") {
                let mut commit = Commit::new();
                commit.lease = Some((Lease { ..task.lease }, mercat_store::LeaseUse::Finish));
                commit_surely(&*self.app.ledger, &commit).await.expect("finished");
                out.push(serde_json::from_str(&task.body).expect("facts"));
            }
            out
        }
    }

    fn submission(run: &run::Run) -> Vec<mercat_store::Write> {
        let json = serde_json::json!({
            "id": "s1", "publisher": "aurora", "offer": "gateway", "number": 3, "run": RunRow::from(run),
            "emails": ["ops@example.org"], "locale": "ja",
        });
        let row: SubmissionRow = serde_json::from_value(json).expect("a row");
        let offer = serde_json::json!({"publisher": "aurora", "offer": "gateway", "active": "s1"});
        let offer: OfferRow = serde_json::from_value(offer).expect("a row");
        let operator = serde_json::json!({"id": "op", "email": "op@example.org", "operator": true});
        let operator: UserRow = serde_json::from_value(operator).expect("a row");
        vec![put(&row, Expect::Absent), put(&offer, Expect::Absent), put(&operator, Expect::Absent)]
    }

    fn begun() -> run::Run {
        run::start(OfferKind::Container, Digest::from_sha256(&[1; 32]), 1_000_000).0
    }

    #[tokio::test]
    async fn an_overdue_step_is_told_once_to_the_publisher_and_the_operator() {
        let house = House::with(submission(&begun())).await;
        let wish = |digest| Wish { digest, notices: vec!["N8".into()], locale: "en".into() };
        house.app.subscribe("aurora", "team@example.org", None, &wish(false)).await.expect("subscribed");
        house.app.subscribe("aurora", "daily@example.org", None, &wish(true)).await.expect("subscribed");
        assert_eq!(house.after(14 * 60_000).await, []);
        let mut told = house.after(2 * 60_000).await;
        let team = told.iter().position(|facts| facts.emails == ["team@example.org"]).expect("subscribed");
        assert_eq!(told.remove(team).locale, "en");
        let to: Vec<&str> = told.iter().map(|facts| facts.emails[0].as_str()).collect();
        assert_eq!(to, ["op@example.org", "ops@example.org"]);
        assert!(told.iter().all(|facts| facts.notice == "N8" && facts.locale == "ja"));
        assert_eq!(
            (told[0].keys["promised"].as_str(), told[0].keys["step"].as_str()),
            ("estimate-15-minutes", "step-validate")
        );
        assert_ne!(told[0].message_id(), told[1].message_id());
        // Nothing but what was collected.
        let later = house.after(DAY).await;
        assert_eq!((later.len(), later[0].notice.as_str()), (1, "D1"), "{later:?}");
    }

    #[tokio::test]
    async fn somebody_who_has_to_sign_off_is_reminded_again_and_again_but_not_every_day() {
        let mut run = begun();
        for turn in 1..=3 {
            run = run::decide(&run, &Input::Passed { turn }, 1_000_000).expect("passes").0;
        }
        assert_eq!(run.state, State::WaitingForPublisherReview);
        let house = House::with(submission(&run)).await;
        let mut days = Vec::new();
        for day in 1..=40 {
            for facts in house.after(DAY).await {
                assert_eq!((facts.notice.as_str(), facts.args["days"].clone()), ("N5", day.to_string()));
                days.push(day);
            }
        }
        assert_eq!(days, REMINDERS);
    }

    #[tokio::test]
    async fn a_digest_collects_a_day_of_notices_and_goes_out_once() {
        let house = House::with(vec![]).await;
        let wish = |digest| Wish { digest, notices: vec!["N1".into(), "N6".into()], locale: "en".into() };
        house.app.subscribe("aurora", "Daily@example.org", None, &wish(true)).await.expect("subscribed");
        house.app.subscribe("aurora", "now@example.org", None, &wish(false)).await.expect("subscribed");
        let facts = |notice: &str, submission: &str| NoticeFacts {
            notice: notice.into(),
            submission: submission.into(),
            publisher: "aurora".into(),
            emails: vec!["ops@example.org".into()],
            at: house.clock.load(Ordering::Relaxed),
            ..NoticeFacts::default()
        };
        let mut commit = Commit::new();
        for (notice, submission) in [("N1", "s1"), ("N4", "s1"), ("N6", "s1"), ("N1", "s2")] {
            house.app.to_subscribers(&mut commit, &facts(notice, submission)).await.expect("works");
        }
        commit_surely(&*house.app.ledger, &commit).await.expect("stored");
        let mut at_once: Vec<String> = house.after(HOUR).await.iter().map(NoticeFacts::message_id).collect();
        at_once.sort();
        let hash = crate::notices::recipient("now@example.org");
        assert_eq!(
            at_once,
            [format!("s1.{hash}.n1@mercat"), format!("s1.{hash}.n6@mercat"), format!("s2.{hash}.n1@mercat")]
        );
        assert_eq!(house.after(22 * HOUR).await, []);
        let digest = house.after(HOUR).await;
        assert_eq!((digest.len(), digest[0].notice.as_str(), digest[0].digest.len()), (1, "D1", 3));
        assert_eq!(digest[0].emails, ["daily@example.org"]);
        assert_eq!(house.after(2 * DAY).await, []);
        assert!(house.app.subscribe("aurora", "a@b>,<c@d", None, &wish(false)).await.is_err());
        house.app.unsubscribe("aurora", "NOW@example.org", None).await.expect("gone");
        assert!(house.app.unsubscribe("aurora", "now@example.org", None).await.is_err());
    }

    #[tokio::test]
    async fn personal_data_leave_old_leads_and_only_those() {
        let lead = |id: &str, at: Millis| {
            let json = serde_json::json!({
                "id": id, "publisher": "aurora", "offer": "gateway", "state": "delivered", "at": at, "user": "u1",
                "person": {"email": "mia@example.org", "country": "JP"}, "description": "call me",
            });
            let row: LeadRow = serde_json::from_value(json).expect("a row");
            put(&row, Expect::Absent)
        };
        let house = House::with(vec![lead("old", 0), lead("young", 300 * DAY)]).await;
        house.clock.store(366 * DAY, Ordering::Relaxed);
        assert_eq!(house.app.erase_old_leads().await.expect("works"), 1);
        assert_eq!(house.app.erase_old_leads().await.expect("works"), 0);
        let load = async |id: &str| {
            load::<LeadRow>(&*house.app.ledger, id).await.expect("answers").expect("there").row
        };
        let (old, young) = (load("old").await, load("young").await);
        assert!(
            old.erased && old.person.email.is_empty() && old.description.is_empty() && old.user.is_empty()
        );
        assert_eq!((old.person.country.as_str(), old.key().as_str()), ("JP", "old"));
        assert_eq!((young.erased, young.person.email.as_str()), (false, "mia@example.org"));
    }
}
