//! Leads: made when somebody agrees, delivered by workers, seen by the publisher.

use crate::deliveries::{Try, breaker_key};
use crate::notices::Told;
use crate::webhooks::Happening;
use crate::{App, AppError, DELIVERIES, rfc3339};
use mercat_domain::access::Principal;
use mercat_domain::calendar::DAY;
use mercat_domain::country::is_country;
use mercat_domain::document::flag;
use mercat_domain::lead::{Destination, Lead, LeadKind, Person, destination, test_marker, test_person};
use mercat_domain::notice::NoticeKind;
use mercat_domain::offer::{Problem, is_email};
use mercat_domain::{Document, Millis, OfferKey};
use mercat_store::document::from_json;
use mercat_store::{
    BreakerRow, Commit, DraftRow, Expect, LeadRow, Lease, LeaseUse, LedgerError, NewEvent, NewTask, OfferRow,
    PersonRow, Query, SubmissionRow, Versioned, commit_surely, find, lead_period, list, load, put,
};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Somebody's wish, as sent.
#[derive(Debug, Clone)]
pub struct Interest {
    /// [`LeadKind::GetItNow`] or [`LeadKind::ContactMe`].
    pub kind: LeadKind,
    /// Plan id, or empty.
    pub plan: String,
    /// Who.
    pub person: Person,
    /// Free text.
    pub description: String,
    /// Whether the person agreed that the publisher gets these details.
    pub consent: bool,
}

/// A lead with all that a try of its delivery needs.
#[derive(Debug, Clone)]
pub struct LeadWork {
    /// The record.
    pub row: Versioned<LeadRow>,
    /// The lead for the wire.
    pub lead: Lead,
    /// Where to; `None` when the offer names no destination any more.
    pub destination: Option<Destination>,
    /// Who is told when it arrives.
    pub contacts: Vec<String>,
    /// A secret of the destination does not open: it is not known then, and nothing is sent.
    pub closed: bool,
    breaker: Option<Versioned<BreakerRow>>,
}

/// How a try ended.
#[derive(Debug, Clone)]
pub enum Delivered {
    /// The receiver has it.
    Taken(String),
    /// It does not.
    Failed {
        /// Code and class, as shown to the publisher.
        response: String,
        /// Milliseconds that the receiver asked for.
        retry_after: Option<Millis>,
        /// Whether it was refused for what it is; the receiver as such works.
        about_it: bool,
    },
}

impl Delivered {
    /// What the receiver answered, as shown to the publisher.
    pub fn response(&self) -> &str {
        match self {
            Self::Taken(response) | Self::Failed { response, .. } => response,
        }
    }
}

impl App {
    /// Records that somebody wants an offer, and queues the lead. The same person asking for the same again is
    /// the same lead.
    ///
    /// # Errors
    /// Problems with the details or a missing consent; [`AppError::NotFound`] for a listing that is not theirs.
    pub async fn record_interest(
        &self,
        who: &Principal,
        key: &OfferKey,
        preview: bool,
        interest: &Interest,
    ) -> Result<LeadRow, AppError> {
        let user = who.user.clone().ok_or(AppError::SignIn)?;
        let listing = self.visible_listing(who, key, preview).await?;
        let mut problems = check_interest(interest);
        if !interest.plan.is_empty() && listing.plans.iter().all(|plan| plan.id != interest.plan) {
            problems.push(Problem::new("F003", "plan", &interest.plan, "a plan of this offer"));
        }
        if !problems.is_empty() {
            return Err(AppError::Problems(problems));
        }
        let now = self.ledger.now().await?;
        let own = find::<LeadRow>(&*self.ledger, "user", &user).await?;
        let today = |row: &LeadRow| {
            (row.publisher.as_str(), row.offer.as_str()) == (&key.publisher, &key.offer) && now - row.at < DAY
        };
        let today = own.iter().filter(|found| today(&found.row)).count();
        let environment = if preview { "preview" } else { "live" };
        let kind = interest.kind.name();
        let person: PersonRow = interest.person.to_share().into();
        // Receivers drop a second lead with the same id, so other words are another lead; and one that was taken out
        // does not stand in the way of a new one.
        let told = serde_json::json!([interest.plan, person, interest.description]);
        let mut id = String::new();
        for again in 0..=WISHES_MAX {
            let name = format!("{key}\n{environment}\n{kind}\n{user}\n{told}\n{again}");
            id = format!("lead-{}", hex(&Sha256::digest(name.as_bytes())[..16]));
            match load::<LeadRow>(&*self.ledger, &id).await? {
                Some(found) if found.row.erased => {}
                Some(found) => return Ok(found.row),
                None => break,
            }
        }
        if today >= WISHES_MAX {
            let most = format!("at most {WISHES_MAX} a day for one offer");
            return Err(AppError::Problems(vec![Problem::new("F008", "kind", today.to_string(), most)]));
        }
        let document = self.lead_document(key, environment).await?;
        let to =
            document.as_ref().map(|document| self.lead_destination(key, document)).transpose()?.flatten();
        let row = LeadRow {
            id: id.clone(),
            publisher: key.publisher.clone(),
            offer: key.offer.clone(),
            plan: interest.plan.clone(),
            kind: kind.to_owned(),
            environment: environment.to_owned(),
            title: listing.title.clone(),
            person,
            description: interest.description.clone(),
            user,
            consent: now,
            destination: to.as_ref().map(Destination::shown).unwrap_or_default(),
            state: if to.is_some() { "pending" } else { "kept" }.to_owned(),
            response: String::new(),
            attempts: 0,
            next: if to.is_some() { now } else { 0 },
            round: 0,
            since: now,
            at: now,
            erased: false,
        };
        // History is read by people who may not know whose lead it is.
        match self.queue_lead(&row, Expect::Absent, "lead.created", CUSTOMER).await {
            Err(AppError::Ledger(LedgerError::Conflict { .. })) => {
                Ok(load::<LeadRow>(&*self.ledger, &id).await?.ok_or(AppError::NotFound)?.row)
            }
            other => other.map(|()| row),
        }
    }

    /// Queues a test lead to the destination of the draft: the button beside the form.
    ///
    /// # Errors
    /// A problem when the draft names no destination.
    pub async fn send_test_lead(&self, actor: &str, key: &OfferKey) -> Result<LeadRow, AppError> {
        let document = self.lead_document(key, "draft").await?.ok_or(AppError::NotFound)?;
        let id = format!("test-{}", uuid::Uuid::now_v7());
        let now = self.ledger.now().await?;
        let row = self.test_lead_row(&id, key, &document, "draft", now)?;
        let Some(row) = row else {
            let required = "a destination; save the draft first";
            return Err(AppError::Problems(vec![Problem::new("F001", "leadDestination", "none", required)]));
        };
        self.queue_lead(&row, Expect::Absent, "lead.test", actor).await?;
        Ok(row)
    }

    /// A test lead under an id; `None` when the document names no destination.
    ///
    /// # Errors
    /// When a secret does not open.
    pub fn test_lead_row(
        &self,
        id: &str,
        key: &OfferKey,
        document: &Document,
        environment: &str,
        now: Millis,
    ) -> Result<Option<LeadRow>, AppError> {
        let Some(to) = self.lead_destination(key, document)? else { return Ok(None) };
        let marker = test_marker(id, now, flag(&document.fields, "leadLegacyMarker"));
        Ok(Some(LeadRow {
            id: id.to_owned(),
            publisher: key.publisher.clone(),
            offer: key.offer.clone(),
            plan: String::new(),
            kind: LeadKind::Test.name().to_owned(),
            environment: environment.to_owned(),
            title: document.text("title").to_owned(),
            person: test_person(&marker).into(),
            description: marker,
            user: String::new(),
            consent: 0,
            destination: to.shown(),
            state: "pending".to_owned(),
            response: String::new(),
            attempts: 0,
            next: now,
            round: 0,
            since: now,
            at: now,
            erased: false,
        }))
    }

    async fn queue_lead(
        &self,
        row: &LeadRow,
        expect: Expect,
        what: &str,
        actor: &str,
    ) -> Result<(), AppError> {
        let mut commit = Commit::new();
        commit.writes.push(put(row, expect));
        if row.state == "pending" {
            commit.tasks.push(NewTask {
                id: format!("lead/{}/{}", row.id, row.round),
                run: String::new(),
                queue: DELIVERIES,
                body: serde_json::json!({"lead": row.id}).to_string(),
                delay: 0,
            });
        }
        commit.events.push(lead_event(row, what, actor));
        commit.tasks.extend(self.announce_lead(row, what, row.since));
        commit_surely(&*self.ledger, &commit).await?;
        self.bell.notify_waiters();
        Ok(())
    }

    /// The document whose destination counts.
    async fn lead_document(&self, key: &OfferKey, environment: &str) -> Result<Option<Document>, AppError> {
        let body = if environment == "draft" {
            load::<DraftRow>(&*self.ledger, &key.to_string()).await?.map(|found| found.row.document)
        } else {
            let offer = load::<OfferRow>(&*self.ledger, &key.to_string()).await?;
            let slot = offer.and_then(|found| {
                let slots = (found.row.preview, found.row.live);
                if environment == "preview" { slots.0.or(slots.1) } else { slots.1 }
            });
            match slot {
                None => None,
                Some(id) => load::<SubmissionRow>(&*self.ledger, &id).await?.map(|found| found.row.document),
            }
        };
        Ok(body.and_then(|body| from_json(&body).ok()))
    }

    /// The destination that a document names.
    ///
    /// # Errors
    /// When a secret does not open.
    pub fn lead_destination(
        &self,
        key: &OfferKey,
        document: &Document,
    ) -> Result<Option<Destination>, AppError> {
        let place = key.to_string();
        destination(&document.fields, |field| self.open_secret(&place, field, &document.fields))
    }

    /// What a try of a lead's delivery needs; `None` when nothing is to be delivered any more.
    ///
    /// # Errors
    /// When the ledger does not answer or a secret does not open.
    pub async fn lead_work(&self, id: &str) -> Result<Option<LeadWork>, AppError> {
        let Some(row) = load::<LeadRow>(&*self.ledger, id).await? else { return Ok(None) };
        if row.row.state != "pending" {
            return Ok(None);
        }
        let key = OfferKey::new(&row.row.publisher, &row.row.offer);
        let document = self.lead_document(&key, &row.row.environment).await?;
        let to = document.as_ref().map(|document| self.lead_destination(&key, document)).transpose();
        // It fails like one that does not answer: tried again, told to its publisher, given up one day.
        let (to, closed) = match to {
            Err(AppError::Seal(_)) => (None, true),
            to => (to?.flatten(), false),
        };
        let contacts = document.map(|document| document.list("leadEmails").to_vec()).unwrap_or_default();
        let breaker = match &to {
            None => None,
            Some(to) => self.breaker(&breaker_key(&key.publisher, &to.shown())).await?,
        };
        let lead = to_lead(&row.row);
        Ok(Some(LeadWork { row, lead, destination: to, contacts, closed, breaker }))
    }

    /// A lead that is sent at once and recorded by the caller.
    ///
    /// # Errors
    /// When a secret does not open.
    pub fn lead_to_send(
        &self,
        key: &OfferKey,
        document: &Document,
        row: LeadRow,
    ) -> Result<LeadWork, AppError> {
        let destination = self.lead_destination(key, document)?;
        let (lead, contacts) = (to_lead(&row), document.list("leadEmails").to_vec());
        let (row, closed) = (Versioned { version: 0, row }, false);
        Ok(LeadWork { row, lead, destination, contacts, closed, breaker: None })
    }

    /// Until when each destination of these leads is left alone, for those that are.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn resting_destinations(
        &self,
        publisher: &str,
        leads: &[LeadRow],
    ) -> Result<BTreeMap<String, Millis>, AppError> {
        let waiting = leads.iter().filter(|row| row.state == "pending");
        let places: BTreeSet<&str> = waiting.map(|row| row.destination.as_str()).collect();
        let mut resting = BTreeMap::new();
        for place in places {
            let until = self.rests(&breaker_key(publisher, place)).await?;
            resting.extend(until.map(|until| (place.to_owned(), until)));
        }
        Ok(resting)
    }

    /// Asks whether the destination may be tried now; a destination on trial gets one lead at a time.
    ///
    /// # Errors
    /// `Ok(Err(milliseconds))` says when to ask again; an error means that the ledger does not answer.
    pub async fn enter_destination(&self, work: &LeadWork) -> Result<Result<(), Millis>, AppError> {
        // A person who tests a connection wants to see what happens now.
        let test = work.row.row.is_test();
        self.enter(&work.row.row.id, work.breaker.as_ref().filter(|_| !test)).await
    }

    /// Records how a try ended, under the task's lease. `Some` says after how many milliseconds to try again;
    /// the task then goes on.
    ///
    /// # Errors
    /// When the ledger does not answer; the lead is then sent again under its id.
    pub async fn record_lead(
        &self,
        lease: &Lease,
        work: &LeadWork,
        ended: Delivered,
        jitter: u64,
    ) -> Result<Option<Millis>, AppError> {
        let mut row = work.row.row.clone();
        row.attempts += 1;
        row.destination = work.destination.as_ref().map(Destination::shown).unwrap_or_default();
        let once = row.is_test();
        let place = breaker_key(&row.publisher, &row.destination);
        let tried = Try { number: row.attempts, since: row.since, place: &place, once };
        let judged = self.judge(&tried, ended, jitter).await?;
        row.state = judged.state.to_owned();
        (row.response, row.next) = (judged.response, judged.next);
        let mut commit = Commit::new();
        commit.writes.extend(judged.write);
        if judged.tell {
            let unique = format!("{}-{}-{}", row.id, row.round, row.attempts);
            let told = self.about_lead(&row, NoticeKind::DeliveryFailing, &unique);
            let mut to = work.contacts.clone();
            to.extend(self.owners(&row.publisher).await?);
            commit.tasks.extend(self.letters(&told, &to));
        }
        if row.state == "delivered" && !once && work.destination != Some(Destination::Email) {
            let told = self.about_lead(&row, NoticeKind::LeadArrived, &row.id);
            commit.tasks.extend(self.letters(&told, &work.contacts));
        }
        let leased = if judged.again.is_some() { LeaseUse::Hold } else { LeaseUse::Finish };
        commit.lease = Some((lease.clone(), leased));
        if judged.again.is_none() {
            let what = format!("lead.{}", row.state);
            commit.events.push(lead_event(&row, &what, "worker"));
            commit.tasks.extend(self.announce_lead(&row, &what, self.ledger.now().await?));
        }
        commit.writes.push(put(&row, Expect::Version(work.row.version)));
        commit_surely(&*self.ledger, &commit).await?;
        self.bell.notify_waiters();
        Ok(judged.again)
    }

    /// Webhooks learn that there is a lead, and not about whom.
    fn announce_lead(&self, row: &LeadRow, what: &str, at: Millis) -> Option<NewTask> {
        let test = row.is_test();
        (!test).then(|| {
            self.announce(&Happening {
                id: format!("{}.{}.{what}", row.id, row.round),
                kind: what.to_owned(),
                publisher: row.publisher.clone(),
                offer: row.offer.clone(),
                at,
                data: lead_facts(row),
                notices: Vec::new(),
            })
        })
    }

    fn about_lead(&self, row: &LeadRow, kind: NoticeKind, unique: &str) -> Told {
        let key = OfferKey::new(&row.publisher, &row.offer);
        let link = format!("/portal/publishers/{}/leads", row.publisher);
        Told::new(kind, &key, unique)
            .link(&link)
            .word("offer", &row.title)
            .word("destination", &row.destination)
            .word("error", &row.response)
            .word("lead", &row.id)
    }

    /// The newest leads of a publisher, newest first: those of the last three years.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn newest_leads(&self, publisher: &str, limit: usize) -> Result<Vec<LeadRow>, AppError> {
        let newest = lead_period(self.ledger.now().await?);
        let mut out = Vec::new();
        for period in (newest - 36..=newest).rev() {
            let rows = find::<LeadRow>(&*self.ledger, "period", &format!("{publisher}/{period}")).await?;
            let mut rows: Vec<LeadRow> = rows.into_iter().map(|found| found.row).collect();
            rows.sort_by_key(|row| std::cmp::Reverse(row.at));
            out.extend(rows);
            if out.len() >= limit {
                break;
            }
        }
        out.truncate(limit);
        Ok(out)
    }

    /// The leads of a publisher, by id.
    ///
    /// # Errors
    /// When the ledger does not answer.
    /// `after` goes by id: with it, all of them are read, page by page.
    pub async fn leads(&self, publisher: &str, after: &str, limit: u32) -> Result<Vec<LeadRow>, AppError> {
        let index = Some(("publisher", publisher.to_owned()));
        let query = Query { index, after: after.to_owned(), limit, ..Query::default() };
        Ok(list::<LeadRow>(&*self.ledger, query).await?.into_iter().map(|found| found.row).collect())
    }

    /// Sends a lead again that was given up or failed.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a lead that is not the publisher's or was erased; [`AppError::Settled`] for one that
    /// needs nothing.
    pub async fn replay_lead(&self, actor: &str, publisher: &str, id: &str) -> Result<LeadRow, AppError> {
        let found = load::<LeadRow>(&*self.ledger, id).await?.ok_or(AppError::NotFound)?;
        let mut row = found.row;
        let over = ["dead", "failed", "kept"].contains(&row.state.as_str());
        if row.publisher != publisher || row.erased {
            return Err(AppError::NotFound);
        }
        if !over {
            return Err(AppError::Settled);
        }
        let now = self.ledger.now().await?;
        row.state = "pending".to_owned();
        row.round += 1;
        row.attempts = 0;
        (row.next, row.since) = (now, now);
        match self.queue_lead(&row, Expect::Version(found.version), "lead.replayed", actor).await {
            // Somebody else was faster.
            Err(AppError::Ledger(LedgerError::Conflict { .. })) => Err(AppError::Settled),
            other => other.map(|()| row),
        }
    }

    /// Takes the personal data out of a lead; what is left says that there was one.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a lead that is not the publisher's.
    pub async fn erase_lead(&self, actor: &str, publisher: &str, id: &str) -> Result<(), AppError> {
        let found = load::<LeadRow>(&*self.ledger, id).await?.ok_or(AppError::NotFound)?;
        if found.row.publisher != publisher {
            return Err(AppError::NotFound);
        }
        self.erase(actor, found).await
    }

    async fn erase(&self, actor: &str, found: Versioned<LeadRow>) -> Result<(), AppError> {
        let mut row = found.row;
        row.person = Person { country: row.person.country.clone(), ..Person::default() }.into();
        row.description = String::new();
        row.user = String::new();
        row.erased = true;
        if row.state == "pending" {
            row.state = "dead".to_owned();
        }
        let mut commit = Commit::new();
        commit.writes.push(put(&row, Expect::Version(found.version)));
        commit.events.push(lead_event(&row, "lead.erased", actor));
        Ok(commit_surely(&*self.ledger, &commit).await?)
    }

    /// Erases what is older than the operator keeps leads. How many there were.
    ///
    /// # Errors
    /// When the ledger does not answer; what was erased stays so.
    pub async fn erase_old_leads(&self) -> Result<u32, AppError> {
        let keep = self.settings.leads.keep;
        let (now, mut after, mut count) = (self.ledger.now().await?, String::new(), 0);
        if keep == 0 {
            return Ok(0);
        }
        loop {
            let query = Query { after: after.clone(), limit: 500, ..Query::default() };
            let rows = list::<LeadRow>(&*self.ledger, query).await?;
            let Some(last) = rows.last() else { return Ok(count) };
            after.clone_from(&last.row.id);
            for found in rows.into_iter().filter(|found| !found.row.erased && now - found.row.at > keep) {
                self.erase("worker", found).await?;
                count += 1;
            }
        }
    }
}

/// What is wrong with the details of somebody who wants an offer.
pub fn check_interest(interest: &Interest) -> Vec<Problem> {
    let mut out = Vec::new();
    let person = &interest.person;
    if !interest.consent {
        out.push(Problem::new(
            "F001",
            "consent",
            "false",
            "that you agree that the publisher gets these details",
        ));
    }
    if !is_email(&person.email) {
        out.push(Problem::new("F023", "email", &person.email, "name@example.org"));
    }
    let fields = [
        ("firstName", &person.first_name, 100),
        ("lastName", &person.last_name, 100),
        ("phone", &person.phone, 40),
        ("company", &person.company, 100),
        ("title", &person.title, 100),
        ("description", &interest.description, 1000),
    ];
    if !person.country.is_empty() && !is_country(&person.country) {
        let required = "a country by ISO 3166-1, for example JP";
        out.push(Problem::new("F003", "country", &person.country, required));
    }
    for (field, text, max) in fields {
        if text.chars().count() > max {
            out.push(Problem::new(
                "F002",
                field,
                text.chars().count().to_string(),
                format!("at most {max} characters"),
            ));
        }
        if text.chars().any(|c| c.is_control() && !(field == "description" && c == '\n')) {
            out.push(Problem::new("F003", field, "a control character", "printable characters"));
        }
    }
    out
}

fn to_lead(row: &LeadRow) -> Lead {
    Lead {
        id: row.id.clone(),
        kind: LeadKind::parse(&row.kind).unwrap_or(LeadKind::ContactMe),
        publisher: row.publisher.clone(),
        offer: row.offer.clone(),
        plan: row.plan.clone(),
        offer_title: row.title.clone(),
        environment: row.environment.clone(),
        created: row.at,
        created_at: rfc3339(row.at),
        person: row.person.clone().into(),
        description: row.description.clone(),
    }
}

/// Leads that one account may cause at one offer in a day.
const WISHES_MAX: usize = 20;

/// Whoever a lead is of, in history.
const CUSTOMER: &str = "customer";

/// What happened to a lead; nothing about whom it concerns.
fn lead_event(row: &LeadRow, kind: &str, actor: &str) -> NewEvent {
    NewEvent {
        subject: format!("offer:{}/{}", row.publisher, row.offer),
        run: String::new(),
        kind: kind.to_owned(),
        actor: actor.to_owned(),
        body: lead_facts(row).to_string(),
    }
}

fn lead_facts(row: &LeadRow) -> serde_json::Value {
    serde_json::json!({
        "lead": row.id, "kind": row.kind, "plan": row.plan, "environment": row.environment, "state": row.state,
        "response": row.response,
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
