//! The messengers: mails in words, and leads to a publisher's destination.

mod lead;
mod mail;
mod render;

pub use lead::{LeadFailure, deliver, payload};
pub use mail::{MailError, Mailer, SmtpConfig};
pub use render::{Letter, LetterFinding, Rendered, render};
