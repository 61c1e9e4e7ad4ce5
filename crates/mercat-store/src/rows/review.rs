//! Submissions that the certification team looks at.

use super::Row;
use mercat_domain::Millis;
use serde::{Deserialize, Serialize};

row!(
    /// One submission in review; kept when it is decided.
    ReviewRow, "review", |row| row.submission.clone(),
    index: match row.decision.as_str() {
        "" => vec![("open", "yes".to_owned())],
        _ => vec![],
    },
    {
        /// Submission id.
        submission: String,
        /// Publisher id.
        publisher: String,
        /// Offer id.
        offer: String,
        /// Since when it waits.
        since: Millis,
        /// Who looks at it, by user id; empty for nobody.
        claimed_by: String,
        /// What the publisher is asked; empty for nothing.
        question: String,
        /// What the publisher answered.
        answer: String,
        /// Empty, `approved` or `rejected`.
        decision: String,
        /// Why.
        reason: String,
        /// Who decided, by user id.
        decided_by: String,
        /// When.
        decided: Millis,
    }
);
