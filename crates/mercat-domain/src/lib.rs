//! The rules of the market, as pure decisions over plain data.
//!
//! Nothing here waits, fails on I/O, reads a clock or draws a random number.
//! Callers pass facts in and carry the returned effects out. Words shown to
//! people live in `mercat-text` under the codes that this crate returns.
#![warn(missing_docs)]

pub mod access;
pub mod calendar;
pub mod country;
pub mod csv;
pub mod digest;
pub mod document;
pub mod exception;
pub mod finding;
pub mod ids;
pub mod insights;
pub mod lead;
pub mod limits;
pub mod notice;
pub mod offer;
pub mod plain;
pub mod retry;
pub mod run;
pub mod support;
pub mod tags;

pub use digest::Digest;
pub use document::{Document, Plan, Value};
pub use finding::{Finding, Outcome, Severity};
pub use ids::{OfferKey, OfferKind};

/// Milliseconds since 1970-01-01T00:00:00Z, as the ledger's clock tells them.
pub type Millis = i64;
