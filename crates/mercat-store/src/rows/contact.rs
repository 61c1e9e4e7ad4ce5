//! What leaves the system, and who is in touch: leads, webhooks, subscribers.

use super::Row;
use mercat_domain::Millis;
use mercat_domain::calendar::DAY;
use mercat_domain::lead::{Breaker, LeadKind, Person};
use serde::{Deserialize, Serialize};

/// Whom a lead concerns.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PersonRow {
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Address.
    pub email: String,
    /// Telephone.
    pub phone: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Organisation.
    pub company: String,
    /// Job title.
    pub title: String,
}

impl From<Person> for PersonRow {
    fn from(person: Person) -> Self {
        let Person { first_name, last_name, email, phone, country, company, title } = person;
        Self { first_name, last_name, email, phone, country, company, title }
    }
}

impl From<PersonRow> for Person {
    fn from(row: PersonRow) -> Self {
        let PersonRow { first_name, last_name, email, phone, country, company, title } = row;
        Self { first_name, last_name, email, phone, country, company, title }
    }
}

/// The span of thirty days that a time lies in, by number: what is new is found without reading what is old.
pub fn lead_period(at: Millis) -> i64 {
    at.div_euclid(30 * DAY)
}

row!(
    /// A lead, with the state of its delivery.
    LeadRow, "lead", |row| row.id.clone(),
    index: vec![
        ("offer", format!("{}/{}", row.publisher, row.offer)),
        ("publisher", row.publisher.clone()),
        ("period", format!("{}/{}", row.publisher, lead_period(row.at))),
        ("user", row.user.clone()),
    ],
    {
        /// Deterministic id.
        id: String,
        /// Publisher id.
        publisher: String,
        /// Offer id.
        offer: String,
        /// Plan id, or empty.
        plan: String,
        /// Kind by name.
        kind: String,
        /// `draft`, `preview` or `live`: whose destination it is for.
        environment: String,
        /// Offer title.
        title: String,
        /// Whom it concerns; empty once it was erased.
        person: PersonRow,
        /// Free text; empty once it was erased.
        description: String,
        /// The user whom it concerns, or empty.
        user: String,
        /// When that user agreed that the publisher gets their details; 0 for test leads.
        consent: Millis,
        /// Where it goes, without secrets.
        destination: String,
        /// `pending`, `delivered`, `failed` (a test lead), `dead` (given up), or `kept` (there is no destination).
        state: String,
        /// Status class or error code of the last try.
        response: String,
        /// Tries since it was made or sent again.
        attempts: u32,
        /// When it is tried next; 0 for not.
        next: Millis,
        /// Counts how often it was sent again by a person.
        round: u32,
        /// When it was made, or sent again last.
        since: Millis,
        /// When it was made.
        at: Millis,
        /// Whether the personal data were taken out.
        erased: bool,
    }
);

row!(
    /// What is known about a destination, by publisher and place.
    BreakerRow, "breaker", |row| row.key.clone(), index: { let _ = row; vec![] },
    {
        /// Publisher and place.
        key: String,
        /// Failures, one after the other.
        failures: u32,
        /// When it may be tried again; 0 while it is trusted.
        closed_until: Millis,
        /// The delivery that is on trial; empty while none is.
        trial: String,
    }
);

impl LeadRow {
    /// Whether it is made up, to see whether one arrives.
    pub fn is_test(&self) -> bool {
        self.kind == LeadKind::Test.name()
    }
}

impl MessageLogRow {
    /// The type of an event that somebody sends to see whether it arrives.
    pub const TEST: &'static str = "webhook.test";

    /// Whether it is such an event.
    pub fn is_test(&self) -> bool {
        self.kind == Self::TEST
    }
}

impl BreakerRow {
    /// The breaker for the domain.
    pub fn to_breaker(&self) -> Breaker {
        Breaker { failures: self.failures, closed_until: self.closed_until, trial: self.trial.clone() }
    }
}

/// A secret of a webhook and until when receivers may still check by it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WebhookSecretRow {
    /// Sealed.
    pub secret: String,
    /// When it lapses; 0 for never.
    pub until: Millis,
}

row!(
    /// A place of a publisher's that is told of events.
    WebhookRow, "webhook", |row| row.id.clone(), index: vec![("publisher", row.publisher.clone())],
    {
        /// Id.
        id: String,
        /// Publisher id.
        publisher: String,
        /// Where.
        url: String,
        /// Secrets, the newest first.
        secrets: Vec<WebhookSecretRow>,
        /// Types of events; all when empty.
        events: Vec<String>,
        /// Whether it is told of anything.
        active: bool,
        /// When it was made.
        created: Millis,
        /// Who made it.
        created_by: String,
    }
);

row!(
    /// An event on its way to a webhook.
    MessageLogRow, "message", |row| row.id.clone(),
    index: vec![("webhook", row.webhook.clone()), ("publisher", row.publisher.clone())],
    {
        /// Time-ordered: webhook, time and event.
        id: String,
        /// Webhook id.
        webhook: String,
        /// Publisher id.
        publisher: String,
        /// Id of the event, the same in every repeat.
        event: String,
        /// Its type.
        kind: String,
        /// A CloudEvent in JSON.
        body: String,
        /// `pending`, `delivered` or `dead`.
        state: String,
        /// Status class or error code of the last try.
        response: String,
        /// Tries since it was made or sent again.
        attempts: u32,
        /// When it is tried next; 0 for not.
        next: Millis,
        /// Counts how often it was sent again by a person.
        round: u32,
        /// When it was made, or sent again last.
        since: Millis,
        /// When it was made.
        at: Millis,
    }
);

row!(
    /// Somebody who wants a publisher's notices beside those to whom they are addressed.
    SubscriberRow, "subscriber", |row| format!("{}/{}", row.publisher, row.email),
    index: vec![("publisher", row.publisher.clone()), ("digest", if row.digest { "yes" } else { "no" }.to_owned())],
    {
        /// Publisher id.
        publisher: String,
        /// Address, lower case.
        email: String,
        /// Notice ids; all when empty.
        notices: Vec<String>,
        /// Language.
        locale: String,
        /// Collects the notices of a day.
        digest: bool,
        /// The user who chose for themselves, or empty.
        user: String,
    }
);

row!(
    /// A notice that waits for a subscriber's digest.
    CollectedRow, "collected", |row| row.id.clone(),
    index: vec![("subscriber", row.subscriber.clone())],
    {
        /// Message-ID of the notice for this subscriber.
        id: String,
        /// Publisher and address.
        subscriber: String,
        /// Facts of the notice.
        facts: serde_json::Value,
        /// When.
        at: Millis,
    }
);

row!(
    /// Something was done that is done once.
    MarkRow, "mark", |row| row.key.clone(), index: { let _ = row; vec![] },
    {
        /// What.
        key: String,
        /// When.
        at: Millis,
    }
);

row!(
    /// How often something happened on one day.
    TallyRow, "tally", |row| [&row.publisher, &row.offer, &row.day, &row.what, &row.plan, &row.version].map(String::as_str).join("/"),
    index: vec![("publisher", row.publisher.clone())],
    {
        /// Publisher id.
        publisher: String,
        /// Offer id.
        offer: String,
        /// `YYYY-MM-DD` in UTC.
        day: String,
        /// `view`, `pull` or `download`.
        what: String,
        /// Plan id, or empty.
        plan: String,
        /// Version, or empty.
        version: String,
        /// How often.
        count: u64,
    }
);
