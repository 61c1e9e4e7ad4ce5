//! The working copy of an offer: a tree of named values, not yet checked.
//!
//! Drafts are kept as documents so that an incomplete form loses nothing. What
//! a field may hold is said once, by the table in [`crate::offer::fields`].

use crate::ids::{OfferKey, OfferKind};
use std::collections::BTreeMap;

/// The value of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// One line or a block of text.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// An ordered list of texts.
    List(Vec<String>),
    /// An ordered list of rows of named cells.
    Rows(Vec<BTreeMap<String, String>>),
}

impl Value {
    /// Whether the value holds nothing that a person would call filled in.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.trim().is_empty(),
            Self::Flag(_) => false,
            Self::List(list) => list.is_empty(),
            Self::Rows(rows) => rows.is_empty(),
        }
    }
}

/// Named values, in key order.
pub type Fields = BTreeMap<String, Value>;

/// One plan of an offer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Plan id, unique within the offer.
    pub id: String,
    /// The plan's fields.
    pub fields: Fields,
}

/// An offer as edited: identity, kind, fields and plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Publisher and offer id.
    pub key: OfferKey,
    /// What is being offered.
    pub kind: OfferKind,
    /// Fields of the offer as a whole.
    pub fields: Fields,
    /// Plans, in the order in which they are listed.
    pub plans: Vec<Plan>,
}

impl Document {
    /// A new, empty draft.
    pub fn new(key: OfferKey, kind: OfferKind) -> Self {
        Self { key, kind, fields: Fields::new(), plans: Vec::new() }
    }

    /// The offer's text field, or the empty string.
    pub fn text(&self, key: &str) -> &str {
        text(&self.fields, key)
    }

    /// The offer's list field, or nothing.
    pub fn list(&self, key: &str) -> &[String] {
        list(&self.fields, key)
    }

    /// The plan with this id.
    pub fn plan(&self, id: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.id == id)
    }
}

impl Plan {
    /// The plan's text field, or the empty string.
    pub fn text(&self, key: &str) -> &str {
        text(&self.fields, key)
    }

    /// The plan's list field, or nothing.
    pub fn list(&self, key: &str) -> &[String] {
        list(&self.fields, key)
    }

    /// The plan's flag, `false` when unset.
    pub fn flag(&self, key: &str) -> bool {
        flag(&self.fields, key)
    }
}

/// The text under `key`, or the empty string.
pub fn text<'a>(fields: &'a Fields, key: &str) -> &'a str {
    match fields.get(key) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

/// The list under `key`, or nothing.
pub fn list<'a>(fields: &'a Fields, key: &str) -> &'a [String] {
    match fields.get(key) {
        Some(Value::List(list)) => list,
        _ => &[],
    }
}

/// The flag under `key`, `false` when unset.
pub fn flag(fields: &Fields, key: &str) -> bool {
    matches!(fields.get(key), Some(Value::Flag(true)))
}

/// The rows under `key`, or nothing.
pub fn rows<'a>(fields: &'a Fields, key: &str) -> &'a [BTreeMap<String, String>] {
    match fields.get(key) {
        Some(Value::Rows(rows)) => rows,
        _ => &[],
    }
}
