//! Leads: what is sent to a publisher's destination (domain rules 7.1 to 7.6).

mod breaker;
mod destination;
mod retry;

pub use breaker::Breaker;
pub use destination::{Destination, Dynamics, Secret, TableAccount, destination};
pub use retry::{Next, RetryPolicy, after_failure};

use crate::Millis;

/// What made the lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeadKind {
    /// A fictitious record that proves the connection.
    Test,
    /// Somebody acquired the offer and agreed to share their details.
    GetItNow,
    /// Somebody asks to be contacted.
    ContactMe,
}

impl LeadKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Test, Self::GetItNow, Self::ContactMe];

    /// The name used in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::GetItNow => "getItNow",
            Self::ContactMe => "contactMe",
        }
    }

    /// Reads [`LeadKind::name`] back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The action code of the legacy payload.
    pub fn action(self) -> &'static str {
        match self {
            Self::Test | Self::GetItNow => "INS",
            Self::ContactMe => "PLT",
        }
    }

    /// The source of the legacy payload.
    pub fn source(self) -> &'static str {
        match self {
            Self::Test | Self::GetItNow => "AzureMarketplace",
            Self::ContactMe => "AppSource",
        }
    }
}

/// The people part of a lead.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
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

impl Person {
    /// What may be passed on: of people at schools nothing but their country is (domain rules 7.1).
    pub fn to_share(&self) -> Self {
        let school = self.email.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("edu"));
        if school { Self { country: self.country.clone(), ..Self::default() } } else { self.clone() }
    }
}

/// One lead, ready to be written in a destination's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// Deterministic id; receivers drop repeats by it.
    pub id: String,
    /// What made it.
    pub kind: LeadKind,
    /// Publisher id.
    pub publisher: String,
    /// Offer id.
    pub offer: String,
    /// Plan id, or empty.
    pub plan: String,
    /// Offer title.
    pub offer_title: String,
    /// `preview` or `live`.
    pub environment: String,
    /// When it was made.
    pub created: Millis,
    /// The same as an RFC 3339 instant.
    pub created_at: String,
    /// Whom it concerns.
    pub person: Person,
    /// Free text.
    pub description: String,
}

impl Lead {
    /// The source as the legacy payload has it: source, action, publisher and offer.
    pub fn source(&self) -> String {
        format!("{}-{}|{}.{}", self.kind.source(), self.kind.action(), self.publisher, self.offer)
    }
}

/// The value that marks a test lead. The legacy one is what older receivers filter by.
pub fn test_marker(id: &str, created: Millis, legacy: bool) -> String {
    // Ticks of 100 ns since the year 1, 18 digits.
    let ticks = 621_355_968_000_000_000 + created * 10_000;
    if legacy { format!("MSFT_TEST_{ticks}") } else { format!("MERCAT_TEST_{id}") }
}

/// The fictitious person of a test lead: every field carries the marker.
pub fn test_person(marker: &str) -> Person {
    Person {
        first_name: marker.to_owned(),
        last_name: marker.to_owned(),
        // A domain that is nobody's (RFC 2606), and that receivers take for an address.
        email: format!("{}@example.com", marker.to_ascii_lowercase()),
        phone: "1234567890".to_owned(),
        country: "US".to_owned(),
        company: marker.to_owned(),
        title: marker.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_lead_is_marked_in_every_field_and_fits_an_address() {
        let marker = test_marker("0190f3a2-0000-7000-8000-000000000000-test", 1_763_683_200_000, false);
        let person = test_person(&marker);
        for field in [&person.first_name, &person.last_name, &person.company, &person.title] {
            assert!(field.starts_with("MERCAT_TEST_"));
        }
        assert!(crate::offer::is_email(&person.email), "{}", person.email);
        let legacy = test_marker("x", 1_763_683_200_000, true);
        assert_eq!((legacy.len(), &legacy[..10]), (28, "MSFT_TEST_"));
    }

    #[test]
    fn details_of_people_at_schools_stay_here() {
        let person = Person { email: "a@uni.EDU".into(), country: "US".into(), ..test_person("m") };
        assert_eq!(person.to_share(), Person { country: "US".into(), ..Person::default() });
        let person = Person { email: "a@edu.example".into(), ..test_person("m") };
        assert_eq!(person.to_share(), person);
    }
}
