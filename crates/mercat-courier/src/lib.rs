//! The messengers: mails in words, and leads to a publisher's destination.

mod lead;
mod mail;
mod render;
mod webhook;

pub use lead::{LeadFailure, LeadServices, Leads, payload};
pub use mail::{DkimSettings, MailError, Mailer, SmtpConfig};
pub use render::{Letter, LetterFinding, Rendered, render};
pub use webhook::{SECRET_PREFIX, sign};
