//! Webhooks: what a publisher's own systems are told, and whether it arrived.

use crate::deliveries::{Try, breaker_key};
use crate::leads::Delivered;
use crate::notices::{NoticeFacts, Told};
use crate::{App, AppError, DELIVERIES, rfc3339};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mercat_domain::calendar::DAY;
use mercat_domain::lead::Secret;
use mercat_domain::notice::NoticeKind;
use mercat_domain::offer::{Problem, is_https};
use mercat_domain::{Millis, OfferKey};
use mercat_store::{
    BreakerRow, Commit, Expect, Lease, LeaseUse, LedgerError, MessageLogRow, NewTask, Query, Versioned,
    WebhookRow, WebhookSecretRow, commit_surely, find, list, load, put, remove,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// What webhooks are told of, beside `webhook.test`.
pub const EVENTS: [&str; 11] = [
    "submission.accepted",
    "step.complete",
    "submission.failed",
    "submission.waiting",
    "submission.in-review",
    "submission.live",
    "submission.canceled",
    "lead.created",
    "lead.delivered",
    "lead.dead",
    "lead.replayed",
];

/// Webhooks of one publisher.
const WEBHOOKS_MAX: usize = 20;
/// How long the secret before is still signed with.
const OVERLAP: Millis = DAY;

/// Something that happened to a publisher's offers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Happening {
    /// The same for the same happening.
    pub id: String,
    /// Type, for example `submission.live`.
    pub kind: String,
    /// Publisher id.
    pub publisher: String,
    /// Offer id.
    pub offer: String,
    /// When.
    pub at: Millis,
    /// What is told of it; nothing private.
    pub data: Value,
    /// What people are told of it, for those who subscribed.
    #[serde(default)]
    pub notices: Vec<NoticeFacts>,
}

/// A message with all that a try needs.
#[derive(Debug, Clone)]
pub struct MessageWork {
    /// The record.
    pub row: Versioned<MessageLogRow>,
    /// Where to.
    pub url: String,
    /// What signs it.
    pub secrets: Vec<Secret>,
    /// One of them does not open: nothing is sent then.
    pub closed: bool,
    breaker: Option<Versioned<BreakerRow>>,
}

impl App {
    /// The work of telling a publisher's webhooks; it goes into the commit in which the thing happened.
    pub(crate) fn announce(&self, happening: &Happening) -> NewTask {
        NewTask {
            id: format!("announce/{}", happening.id),
            run: String::new(),
            queue: DELIVERIES,
            body: json!({ "happening": happening }).to_string(),
            delay: 0,
        }
    }

    /// Makes a webhook; the secret comes back once.
    ///
    /// # Errors
    /// Problems with the URL, or too many.
    pub async fn create_webhook(
        &self,
        actor: &str,
        publisher: &str,
        url: &str,
        events: &[String],
    ) -> Result<(WebhookRow, String), AppError> {
        let mut problems = Vec::new();
        if !is_https(url) {
            problems.push(Problem::new("F009", "url", url, "an https link without user name"));
        } else if let Err(why) = self.way_out.check(url) {
            let required = format!("an https link that this server may reach: {why}");
            problems.push(Problem::new("F009", "url", url, required));
        }
        if find::<WebhookRow>(&*self.ledger, "publisher", publisher).await?.len() >= WEBHOOKS_MAX {
            let most = format!("at most {WEBHOOKS_MAX}");
            problems.push(Problem::new("F008", "webhooks", WEBHOOKS_MAX.to_string(), most));
        }
        let kinds = || EVENTS.iter().chain([&MessageLogRow::TEST]);
        let known = |event: &&String| kinds().any(|kind| wants(event, kind));
        for event in events.iter().filter(|event| !known(event)) {
            problems.push(Problem::new("F003", "events", event, "a known event, or one with * at its end"));
        }
        if !problems.is_empty() {
            return Err(AppError::Problems(problems));
        }
        let id = uuid::Uuid::now_v7().to_string();
        let (secret, sealed) = self.webhook_secret(&id)?;
        let row = WebhookRow {
            id,
            publisher: publisher.to_owned(),
            url: url.to_owned(),
            secrets: vec![WebhookSecretRow { secret: sealed, until: 0 }],
            events: events.to_vec(),
            active: true,
            created: self.ledger.now().await?,
            created_by: actor.to_owned(),
        };
        let mut commit = Commit::new();
        commit.writes.push(put(&row, Expect::Absent));
        commit.events.push(crate::accounts::event(
            &format!("publisher:{publisher}"),
            "webhook.created",
            actor,
            &row.id,
        ));
        commit_surely(&*self.ledger, &commit).await?;
        Ok((row, secret))
    }

    fn webhook_secret(&self, id: &str) -> Result<(String, String), AppError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| crate::SealError)?;
        let secret = format!("whsec_{}", STANDARD.encode(bytes));
        let sealed = self.key.seal(&format!("webhook:{id}"), &secret)?;
        Ok((secret, sealed))
    }

    /// A webhook of a publisher.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for one that is not theirs.
    pub async fn webhook(&self, publisher: &str, id: &str) -> Result<Versioned<WebhookRow>, AppError> {
        let found = load::<WebhookRow>(&*self.ledger, id).await?.ok_or(AppError::NotFound)?;
        if found.row.publisher == publisher { Ok(found) } else { Err(AppError::NotFound) }
    }

    /// Gives a webhook a new secret; the one before is signed with for a day. Turns it on again when it was off.
    ///
    /// # Errors
    /// As [`App::webhook`].
    pub async fn rotate_webhook(&self, actor: &str, publisher: &str, id: &str) -> Result<String, AppError> {
        let found = self.webhook(publisher, id).await?;
        let until = self.ledger.now().await? + OVERLAP;
        let (secret, sealed) = self.webhook_secret(id)?;
        let mut row = found.row;
        row.secrets.truncate(1);
        row.secrets.iter_mut().for_each(|before| before.until = until);
        row.secrets.insert(0, WebhookSecretRow { secret: sealed, until: 0 });
        row.active = true;
        let mut commit = Commit::new();
        commit.writes.push(put(&row, Expect::Version(found.version)));
        commit.events.push(crate::accounts::event(
            &format!("publisher:{publisher}"),
            "webhook.rotated",
            actor,
            id,
        ));
        commit_surely(&*self.ledger, &commit).await?;
        Ok(secret)
    }

    /// Removes a webhook; what is on its way to it is given up.
    ///
    /// # Errors
    /// As [`App::webhook`].
    pub async fn remove_webhook(&self, actor: &str, publisher: &str, id: &str) -> Result<(), AppError> {
        self.webhook(publisher, id).await?;
        let mut commit = Commit::new();
        commit.writes.push(remove::<WebhookRow>(id));
        commit.events.push(crate::accounts::event(
            &format!("publisher:{publisher}"),
            "webhook.removed",
            actor,
            id,
        ));
        Ok(commit_surely(&*self.ledger, &commit).await?)
    }

    /// Sends an event to one webhook that says nothing but that it arrives.
    ///
    /// # Errors
    /// As [`App::webhook`].
    pub async fn ping_webhook(&self, publisher: &str, id: &str) -> Result<MessageLogRow, AppError> {
        let found = self.webhook(publisher, id).await?;
        let at = self.ledger.now().await?;
        let happening = Happening {
            id: uuid::Uuid::now_v7().to_string(),
            kind: MessageLogRow::TEST.to_owned(),
            publisher: publisher.to_owned(),
            offer: String::new(),
            at,
            data: json!({}),
            notices: Vec::new(),
        };
        let row = self.message(&happening, &found.row, at);
        let mut commit = Commit::new();
        queue_message(&mut commit, &row, Expect::Absent);
        commit_surely(&*self.ledger, &commit).await?;
        self.bell.notify_waiters();
        Ok(row)
    }

    /// Waits until a message was tried once, but not for ever.
    pub async fn message_tried(&self, id: &str, patience: Duration) {
        let tried = async {
            while let Ok(Some(found)) = load::<MessageLogRow>(&*self.ledger, id).await
                && found.row.attempts == 0
                && found.row.state == "pending"
            {
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        };
        let _ = tokio::time::timeout(patience, tried).await;
    }

    /// Addresses a happening to every webhook and subscriber that wants it, and ends the task.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn fan_out(&self, lease: &Lease, happening: &Happening) -> Result<(), AppError> {
        let now = self.ledger.now().await?;
        let mut commit = Commit::new();
        commit.lease = Some((lease.clone(), LeaseUse::Finish));
        for hook in find::<WebhookRow>(&*self.ledger, "publisher", &happening.publisher).await? {
            let wanted = hook.row.events.is_empty()
                || hook.row.events.iter().any(|event| wants(event, &happening.kind));
            if hook.row.active && wanted {
                queue_message(&mut commit, &self.message(happening, &hook.row, now), Expect::Any);
            }
        }
        for facts in &happening.notices {
            self.to_subscribers(&mut commit, facts).await?;
        }
        commit_surely(&*self.ledger, &commit).await?;
        self.bell.notify_waiters();
        Ok(())
    }

    fn message(&self, happening: &Happening, hook: &WebhookRow, now: Millis) -> MessageLogRow {
        let mut event = json!({
            "specversion": "1.0", "id": happening.id, "type": format!("mercat.{}.v1", happening.kind),
            "source": format!("{}/publishers/{}", self.settings.base_url, happening.publisher),
            "time": rfc3339(happening.at), "datacontenttype": "application/json", "data": happening.data,
        });
        if !happening.offer.is_empty() {
            event["subject"] = json!(format!("{}/{}", happening.publisher, happening.offer));
        }
        MessageLogRow {
            id: format!("{}/{now:015}/{}", hook.id, happening.id),
            webhook: hook.id.clone(),
            publisher: hook.publisher.clone(),
            event: happening.id.clone(),
            kind: happening.kind.clone(),
            body: event.to_string(),
            state: "pending".to_owned(),
            response: String::new(),
            attempts: 0,
            next: now,
            round: 0,
            since: now,
            at: now,
        }
    }

    /// What a try of a message needs; `None` when nothing is to be sent any more.
    ///
    /// # Errors
    /// When the ledger does not answer or a secret does not open.
    pub async fn message_work(&self, id: &str) -> Result<Option<MessageWork>, AppError> {
        let Some(row) = load::<MessageLogRow>(&*self.ledger, id).await? else { return Ok(None) };
        if row.row.state != "pending" {
            return Ok(None);
        }
        let hook = load::<WebhookRow>(&*self.ledger, &row.row.webhook).await?.map(|found| found.row);
        let Some(hook) = hook.filter(|hook| hook.active) else {
            let gone = MessageLogRow {
                state: "dead".to_owned(),
                response: "the webhook is off".to_owned(),
                next: 0,
                ..row.row
            };
            let mut commit = Commit::new();
            commit.writes.push(put(&gone, Expect::Version(row.version)));
            commit_surely(&*self.ledger, &commit).await?;
            return Ok(None);
        };
        let now = self.ledger.now().await?;
        let place = format!("webhook:{}", hook.id);
        let valid = hook.secrets.iter().filter(|secret| secret.until == 0 || secret.until > now);
        let secrets: Result<Vec<Secret>, crate::SealError> =
            valid.map(|secret| self.key.open(&place, &secret.secret).map(Secret::new)).collect();
        let closed = secrets.is_err();
        let secrets = secrets.unwrap_or_default();
        let breaker = self.breaker(&breaker_key(&hook.publisher, &hook.id)).await?;
        Ok(Some(MessageWork { row, url: hook.url, secrets, closed, breaker }))
    }

    /// Until when a webhook's receiver is left alone; `None` while it is trusted.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn webhook_rests(&self, hook: &WebhookRow) -> Result<Option<Millis>, AppError> {
        self.rests(&breaker_key(&hook.publisher, &hook.id)).await
    }

    /// As [`App::enter_destination`], for a webhook.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn enter_webhook(&self, work: &MessageWork) -> Result<Result<(), Millis>, AppError> {
        // Whoever tests a webhook wants to see what happens now, and opens it when it works again.
        let row = &work.row.row;
        self.enter(&row.id, work.breaker.as_ref().filter(|_| !(row.is_test() && row.attempts == 0))).await
    }

    /// Records how a try of a message ended. `Some` says after how many milliseconds to try again. `gone` turns the
    /// webhook off: its receiver said that it wants nothing any more.
    ///
    /// # Errors
    /// When the ledger does not answer; the message is then sent again under its id.
    pub async fn record_message(
        &self,
        lease: &Lease,
        work: &MessageWork,
        ended: Delivered,
        gone: bool,
        jitter: u64,
    ) -> Result<Option<Millis>, AppError> {
        let mut row = work.row.row.clone();
        row.attempts += 1;
        let place = breaker_key(&row.publisher, &row.webhook);
        let tried = Try { number: row.attempts, since: row.since, place: &place, once: false };
        let mut judged = self.judge(&tried, ended, jitter).await?;
        let mut commit = Commit::new();
        if gone {
            (judged.state, judged.next, judged.again, judged.tell) = ("dead", 0, None, true);
            if let Some(found) = load::<WebhookRow>(&*self.ledger, &row.webhook).await? {
                let off = WebhookRow { active: false, ..found.row };
                commit.writes.push(put(&off, Expect::Version(found.version)));
            }
        }
        row.state = judged.state.to_owned();
        (row.response, row.next) = (judged.response, judged.next);
        commit.writes.extend(judged.write);
        if judged.tell {
            let key = OfferKey::new(&row.publisher, "");
            let shown = work.url.split(['?', '#']).next().unwrap_or("");
            let unique = format!("{}-{}-{}-{}", row.event, row.webhook, row.round, row.attempts);
            let told = Told::new(NoticeKind::DeliveryFailing, &key, &unique)
                .link(&format!("/portal/publishers/{}/webhooks", row.publisher))
                .word("offer", &row.publisher)
                .word("destination", shown)
                .word("error", &row.response);
            commit.tasks.extend(self.letters(&told, &self.owners(&row.publisher).await?));
        }
        let leased = if judged.again.is_some() { LeaseUse::Hold } else { LeaseUse::Finish };
        commit.lease = Some((lease.clone(), leased));
        commit.writes.push(put(&row, Expect::Version(work.row.version)));
        commit_surely(&*self.ledger, &commit).await?;
        self.bell.notify_waiters();
        Ok(judged.again)
    }

    /// What was sent to a webhook, newest first.
    ///
    /// # Errors
    /// As [`App::webhook`].
    pub async fn messages(&self, publisher: &str, id: &str) -> Result<Vec<MessageLogRow>, AppError> {
        self.webhook(publisher, id).await?;
        let index = Some(("webhook", id.to_owned()));
        let query = Query { index, limit: 200, newest_first: true, ..Query::default() };
        Ok(list::<MessageLogRow>(&*self.ledger, query).await?.into_iter().map(|found| found.row).collect())
    }

    /// Sends a message again, whatever became of it: receivers know it by its id.
    ///
    /// # Errors
    /// As [`App::webhook`]; [`AppError::Settled`] while it is on its way.
    pub async fn replay_message(&self, publisher: &str, id: &str) -> Result<MessageLogRow, AppError> {
        let found = load::<MessageLogRow>(&*self.ledger, id).await?.ok_or(AppError::NotFound)?;
        if found.row.publisher != publisher {
            return Err(AppError::NotFound);
        }
        if found.row.state == "pending" {
            return Err(AppError::Settled);
        }
        let now = self.ledger.now().await?;
        let mut row = found.row;
        row.state = "pending".to_owned();
        row.round += 1;
        row.attempts = 0;
        (row.next, row.since) = (now, now);
        let mut commit = Commit::new();
        queue_message(&mut commit, &row, Expect::Version(found.version));
        match commit_surely(&*self.ledger, &commit).await {
            Err(LedgerError::Conflict { .. }) => Err(AppError::Settled),
            other => {
                self.bell.notify_waiters();
                Ok(other.map(|()| row)?)
            }
        }
    }
}

fn queue_message(commit: &mut Commit, row: &MessageLogRow, expect: Expect) {
    commit.writes.push(put(row, expect));
    commit.tasks.push(NewTask {
        id: format!("message/{}/{}", row.id, row.round),
        run: String::new(),
        queue: DELIVERIES,
        body: json!({ "message": row.id }).to_string(),
        delay: 0,
    });
}

/// Whether a filter, `submission.live` or `submission.*`, means a type.
fn wants(filter: &str, kind: &str) -> bool {
    filter == kind || filter.strip_suffix('*').is_some_and(|start| kind.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MasterKey, Settings};
    use mercat_store::{Ledger, Memory};
    use std::sync::Arc;

    #[tokio::test]
    async fn a_message_whose_secret_does_not_open_is_work_that_fails_and_no_error_for_ever() {
        let ledger = Arc::new(Memory::new(Arc::new(|| 1)));
        let sealed = MasterKey::new([1; 32]).seal("webhook:hook", "whsec_x");
        let sealed = sealed.unwrap_or_else(|error| panic!("{error}"));
        let hook = WebhookRow {
            id: "hook".to_owned(),
            active: true,
            secrets: vec![WebhookSecretRow { secret: sealed, until: 0 }],
            ..WebhookRow::default()
        };
        let row = MessageLogRow {
            id: "message".to_owned(),
            webhook: "hook".to_owned(),
            state: "pending".to_owned(),
            ..MessageLogRow::default()
        };
        let mut commit = Commit::new();
        commit.writes.extend([put(&hook, Expect::Absent), put(&row, Expect::Absent)]);
        ledger.commit(&commit).await.unwrap_or_else(|error| panic!("{error}"));
        for (key, closed) in [(1, false), (2, true)] {
            let app = App::new(ledger.clone(), Settings::new("http://here"), MasterKey::new([key; 32]));
            let work = app.message_work("message").await.unwrap_or_else(|error| panic!("{error}"));
            let work = work.expect("there is something to do");
            assert_eq!((work.closed, work.secrets.len()), (closed, usize::from(!closed)));
        }
    }

    #[test]
    fn a_filter_means_a_type_or_what_begins_like_it() {
        assert!(
            wants("submission.*", "submission.live")
                && wants("*", "lead.dead")
                && wants("lead.dead", "lead.dead")
        );
        assert!(!wants("submission.live", "submission.failed") && !wants("lead.*", "submission.live"));
    }
}
