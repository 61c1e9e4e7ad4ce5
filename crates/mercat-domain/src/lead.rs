//! Leads: what is sent to a publisher's destination (domain rules 7.3, 7.4).

/// What made the lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeadKind {
    /// A fictitious record that proves the connection.
    Test,
    /// Somebody acquired the offer.
    GetItNow,
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
    /// Offer title.
    pub offer_title: String,
    /// `preview` or `live`.
    pub environment: &'static str,
    /// RFC 3339 instant of creation.
    pub created_at: String,
    /// Whom it concerns.
    pub person: Person,
    /// Free text.
    pub description: String,
}

/// The fictitious person of a test lead: every field carries the marker.
pub fn test_lead(
    id: &str,
    publisher: &str,
    offer: &str,
    offer_title: &str,
    environment: &'static str,
    created_at: String,
) -> Lead {
    let marker = format!("MERCAT_TEST_{id}");
    Lead {
        id: id.to_owned(),
        kind: LeadKind::Test,
        publisher: publisher.to_owned(),
        offer: offer.to_owned(),
        offer_title: offer_title.to_owned(),
        environment,
        created_at,
        person: Person {
            first_name: marker.clone(),
            last_name: marker.clone(),
            email: format!("{}@test.invalid", marker.to_ascii_lowercase()),
            phone: "1234567890".to_owned(),
            country: "US".to_owned(),
            company: marker.clone(),
            title: marker.clone(),
        },
        description: marker,
    }
}
