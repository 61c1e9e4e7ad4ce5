//! Leads and webhooks on their way out.

use crate::{Tried, Worker, chain, random};
use mercat_app::{AppError, Delivered, Happening, LeadWork};
use mercat_courier::{LeadFailure, Letter, render};
use mercat_domain::lead::Destination;
use mercat_domain::notice::NoticeKind;
use mercat_store::{Commit, LeaseUse, LedgerError, Task, commit_surely};
use mercat_text::Locale;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a task of this queue asks for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Wanted {
    Lead(String),
    Happening(Box<Happening>),
    Message(String),
}

/// Deliveries of one publisher at a time, in one process: a slow receiver leaves hands to the others.
const PER_PUBLISHER: usize = 2;
/// Milliseconds after which a delivery asks again whether it is its publisher's turn.
const TURN: i64 = 1_000;
/// The same for each that waits: many of them leave the queue to the deliveries of others.
const TURN_EACH: i64 = 20;
/// The longest of them; one that did not ask for twice as long is gone.
const TURN_MAX: i64 = 60_000;

/// Deliveries under way, by publisher.
#[derive(Debug, Clone, Default)]
pub struct UnderWay(Arc<Mutex<BTreeMap<String, Line>>>);

/// Those of one publisher.
#[derive(Debug, Default)]
struct Line {
    busy: usize,
    /// Tasks that asked in vain, and when they did last.
    waiting: BTreeMap<String, Instant>,
    /// When those were counted that still ask.
    counted: Option<Instant>,
}

/// A place among the deliveries of a publisher; free again when it is dropped.
#[derive(Debug)]
struct Place {
    all: UnderWay,
    publisher: String,
}

impl UnderWay {
    /// A place for a task, or after how many milliseconds it asks again.
    fn enter(&self, publisher: &str, task: &str) -> Result<Place, i64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = all.entry(publisher.to_owned()).or_default();
        if line.busy >= PER_PUBLISHER {
            let now = Instant::now();
            line.waiting.insert(task.to_owned(), now);
            let turn = Duration::from_millis(TURN_MAX.unsigned_abs());
            if line.counted.is_none_or(|counted| now - counted > turn) {
                line.counted = Some(now);
                line.waiting.retain(|_, asked| now.duration_since(*asked) < 2 * turn + turn / 2);
            }
            let all = i64::try_from(line.waiting.len()).unwrap_or(TURN_MAX);
            return Err((TURN_EACH * all).clamp(TURN, TURN_MAX));
        }
        line.waiting.remove(task);
        line.busy += 1;
        Ok(Place { all: self.clone(), publisher: publisher.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = all.get_mut(&self.publisher) {
            line.busy -= 1;
            if line.busy == 0 {
                all.remove(&self.publisher);
            }
        }
    }
}

fn not_yet(turn: i64) -> Result<Tried, AppError> {
    Ok(Tried::Again { delay: spread(turn), note: "others of this publisher are under way".to_owned() })
}

/// Up to twice as long, and half a minute at most: those that wait for the same do not all come at once.
fn spread(delay: i64) -> i64 {
    delay + (random() % delay.clamp(1, 30_000).unsigned_abs()).cast_signed()
}

/// In whose line a delivery stands: a test does not wait for the publisher's other deliveries.
fn line_of(publisher: &str, test: bool) -> String {
    if test { format!("{publisher} test") } else { publisher.to_owned() }
}

/// Why a task of a destination that failed waits.
const RESTS: &str = "the destination is left alone for a while";

/// `of` is what was sent: codes of leads and of webhooks have their own beginning.
fn outcome(of: &str, sent: Result<String, LeadFailure>) -> Delivered {
    match sent {
        Ok(response) => Delivered::Taken(response),
        Err(failure) => Delivered::Failed {
            response: failure.to_string().replacen("lead.", &format!("{of}."), 1),
            retry_after: failure.retry_after,
            about_it: failure.about_the_lead,
        },
    }
}

/// How a try ends whose secret does not open. An operator must act; the publisher is told as of any destination.
fn closed(of: &str, id: &str) -> Delivered {
    tracing::error!(delivery.id = %id, "a secret does not open with this server's key, so nothing was sent");
    Delivered::Failed {
        response: format!("{of}.secret: its secret does not open with this server's key; set it again"),
        retry_after: None,
        about_it: false,
    }
}

/// What a recorded try means for its task.
fn again(recorded: Result<Option<i64>, AppError>, note: String) -> Result<Tried, AppError> {
    match recorded {
        Ok(None) => Ok(Tried::Done),
        Ok(Some(delay)) => Ok(Tried::Again { delay, note }),
        // Another worker has the lease, or somebody changed the record meanwhile.
        Err(AppError::Ledger(LedgerError::LeaseLost { .. })) => Ok(Tried::Done),
        Err(AppError::Ledger(LedgerError::Conflict { .. })) => Ok(Tried::Again { delay: 0, note }),
        Err(error) => Err(error),
    }
}

impl Worker {
    pub(crate) async fn delivery(&self, task: &Task) -> Result<Tried, AppError> {
        let Ok(wanted) = serde_json::from_str::<Wanted>(&task.body) else {
            return self.drop_task(task).await;
        };
        match wanted {
            Wanted::Lead(id) => self.lead(task, &id).await,
            Wanted::Message(id) => self.message(task, &id).await,
            Wanted::Happening(happening) => {
                self.app.fan_out(&task.lease, &happening).await.map(|()| Tried::Done)
            }
        }
    }

    async fn message(&self, task: &Task, id: &str) -> Result<Tried, AppError> {
        let Some(work) = self.app.message_work(id).await? else { return self.finish(task).await };
        let _place = match self
            .under_way
            .enter(&line_of(&work.row.row.publisher, work.row.row.is_test()), &task.lease.task)
        {
            Ok(place) => place,
            Err(turn) => return not_yet(turn),
        };
        if let Err(delay) = self.app.enter_webhook(&work).await? {
            return Ok(Tried::Again { delay: spread(delay), note: RESTS.to_owned() });
        }
        let now = self.app.ledger.now().await? / 1000;
        if work.closed {
            let ended = closed("webhook", id);
            let note = ended.response().to_owned();
            return again(self.app.record_message(&task.lease, &work, ended, false, random()).await, note);
        }
        let row = &work.row.row;
        let sent = self.leads.tell(&work.url, &work.secrets, &row.event, now, &row.body).await;
        let gone = matches!(&sent, Err(failure) if failure.detail == "HTTP 410");
        let ended = outcome("webhook", sent);
        let note = ended.response().to_owned();
        again(self.app.record_message(&task.lease, &work, ended, gone, random()).await, note)
    }

    async fn lead(&self, task: &Task, id: &str) -> Result<Tried, AppError> {
        let Some(work) = self.app.lead_work(id).await? else { return self.finish(task).await };
        let _place = match self
            .under_way
            .enter(&line_of(&work.row.row.publisher, work.row.row.is_test()), &task.lease.task)
        {
            Ok(place) => place,
            Err(turn) => return not_yet(turn),
        };
        if let Err(delay) = self.app.enter_destination(&work).await? {
            return Ok(Tried::Again { delay: spread(delay), note: RESTS.to_owned() });
        }
        let ended = if work.closed { closed("lead", id) } else { self.send_lead(&work).await? };
        let note = ended.response().to_owned();
        again(self.app.record_lead(&task.lease, &work, ended, random()).await, note)
    }

    pub(crate) async fn send_lead(&self, work: &LeadWork) -> Result<Delivered, AppError> {
        let failed = |response: String| Delivered::Failed { response, retry_after: None, about_it: true };
        let sent = match &work.destination {
            None => return Ok(failed("lead.not_found: the offer names no destination".to_owned())),
            Some(Destination::Email) => match self.mail_lead(work).await {
                Ok(()) => Ok("250".to_owned()),
                Err(why) => return Ok(failed(format!("lead.unreachable: {why}"))),
            },
            Some(to) => self.leads.deliver(to, &work.lead, self.app.ledger.now().await? / 1000).await,
        };
        Ok(outcome("lead", sent))
    }

    /// The one mail that holds a person's details; it is not kept in the mailbox.
    async fn mail_lead(&self, work: &LeadWork) -> Result<(), String> {
        let Some(mailer) = &self.mailer else { return Err("this server has no mail server".to_owned()) };
        let (lead, person) = (&work.lead, &work.lead.person);
        let mut letter = Letter::about(NoticeKind::LeadArrived, Locale::negotiate(&self.app.settings.locale));
        letter.offer = format!("{}/{}", lead.publisher, lead.offer);
        letter.offer_name.clone_from(&lead.offer_title);
        let base = &self.app.settings.base_url;
        letter.link_url = format!("{base}/portal/publishers/{}/leads", lead.publisher);
        letter.args.push(("lead".to_owned(), lead.id.clone()));
        letter.details = [
            ("lead-first-name", &person.first_name),
            ("lead-last-name", &person.last_name),
            ("lead-email", &person.email),
            ("lead-phone", &person.phone),
            ("lead-company", &person.company),
            ("lead-title", &person.title),
            ("lead-country", &person.country),
            ("lead-plan", &lead.plan),
            ("lead-environment", &lead.environment),
            ("lead-description", &lead.description),
        ]
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .to_vec();
        let mail = render(&letter);
        for to in &work.contacts {
            let recipient = to.replace('@', ".");
            let id = format!("{}.{recipient}@mercat", lead.id);
            mailer.send(&mail, std::slice::from_ref(to), &id).await.map_err(|error| chain(&error))?;
        }
        Ok(())
    }

    pub(crate) async fn finish(&self, task: &Task) -> Result<Tried, AppError> {
        let mut commit = Commit::new();
        commit.lease = Some((task.lease.clone(), LeaseUse::Finish));
        commit_surely(&*self.app.ledger, &commit).await?;
        Ok(Tried::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_has_two_places_and_leaves_the_others_alone() {
        let all = UnderWay::default();
        let (first, second) = (all.enter("aurora", "1"), all.enter("aurora", "2"));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(all.enter("aurora", "3").err(), Some(TURN));
        assert!(all.enter("boreal", "4").is_ok());
        // The more wait, the less often each asks; to ask again is not to be one more.
        let waits: Vec<i64> = (0..1000).filter_map(|n| all.enter("aurora", &n.to_string()).err()).collect();
        assert_eq!((waits.len(), waits[999]), (1000, 1000 * TURN_EACH));

        assert_eq!(all.enter("aurora", "3").err(), Some(1000 * TURN_EACH));
        drop(first);
        let third = all.enter("aurora", "3");
        assert!(third.is_ok());
        assert_eq!(all.enter("aurora", "5").err(), Some(999 * TURN_EACH));
        drop((second, third));
        assert!(all.enter("aurora", "5").is_ok(), "nothing is kept of who is gone");
    }
}
