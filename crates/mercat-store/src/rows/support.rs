//! Support requests.

use super::Row;
use mercat_domain::Millis;
use serde::{Deserialize, Serialize};

/// A file beside a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AttachmentRow {
    /// Its name, without a path.
    pub name: String,
    /// Digest in the depot.
    pub digest: String,
    /// Bytes.
    pub size: u64,
}

/// A message of a thread.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ThreadMessageRow {
    /// User id.
    pub author: String,
    /// Whether the helping side wrote it.
    pub helper: bool,
    /// Plain text.
    pub text: String,
    /// Files.
    pub attachments: Vec<AttachmentRow>,
    /// When.
    pub at: Millis,
}

row!(
    /// A request for support, to the operator or to a publisher.
    RequestRow, "request", |row| row.id.clone(),
    index: {
        let mut index = vec![("requester", row.requester.clone())];
        if !row.publisher.is_empty() {
            index.push(("publisher", row.publisher.clone()));
        }
        if row.state != "closed" {
            index.push(("queue", if row.to_publisher { row.publisher.clone() } else { String::new() }));
            if !row.engineer.is_empty() {
                index.push(("engineer", row.engineer.clone()));
            }
        }
        index
    },
    {
        /// Time-ordered UUID.
        id: String,
        /// Told to people.
        number: u64,
        /// Whether a publisher helps a customer, and not the operator a publisher.
        to_publisher: bool,
        /// Publisher concerned, or empty.
        publisher: String,
        /// Offer concerned, or empty.
        offer: String,
        /// Submission concerned, or empty.
        submission: String,
        /// Step by name, or empty.
        step: String,
        /// Rules of the step's findings.
        rules: Vec<String>,
        /// Who asked: a user id.
        requester: String,
        /// Their address, for mails.
        email: String,
        /// Language of their mails.
        locale: String,
        /// One line.
        title: String,
        /// Category by name.
        category: String,
        /// Priority by name.
        priority: String,
        /// State by name.
        state: String,
        /// Who helps: a user id, or empty. Until it is closed, they may look at the offer concerned.
        engineer: String,
        /// The thread, oldest first.
        messages: Vec<ThreadMessageRow>,
        /// When it was made.
        created: Millis,
        /// When it changed last.
        updated: Millis,
    }
);

row!(
    /// A request to let one finding pass, and what became of it.
    ExceptionRow, "exception", |row| row.id.clone(),
    index: {
        let mut index = vec![("publisher", row.publisher.clone()), ("state", row.state.clone())];
        if row.state == "granted" {
            index.push(("granted", row.publisher.clone()));
        }
        index
    },
    {
        /// Time-ordered UUID.
        id: String,
        /// Told to people.
        number: u64,
        /// `exception`, or `appeal` for a finding that is held to be wrong.
        kind: String,
        /// Publisher id.
        publisher: String,
        /// Offer id.
        offer: String,
        /// Submission in which it was found.
        submission: String,
        /// What was found.
        finding: super::FindingRow,
        /// What a decision is bound to: rule and bytes.
        binding: String,
        /// End of the last day; 0 for none, with appeals.
        until: Millis,
        /// State by name.
        state: String,
        /// Reasons, questions, answers and decisions, oldest first.
        messages: Vec<ThreadMessageRow>,
        /// Who asked: a user id.
        requester: String,
        /// Their address, for mails.
        email: String,
        /// Language of their mails.
        locale: String,
        /// Who decided: a user id, or empty.
        reviewer: String,
        /// When it was made.
        created: Millis,
        /// When it was decided; 0 for not.
        decided: Millis,
    }
);
