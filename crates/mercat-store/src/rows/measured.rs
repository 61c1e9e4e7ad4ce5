//! How long steps took: written in the commit that ends a step, read for promises and charts.

use super::Row;
use mercat_domain::Millis;
use serde::{Deserialize, Serialize};

row!(
    /// One ended step of one submission.
    TimingRow, "timing", |row| format!("{}/{}", row.submission, row.step),
    index: vec![("step", format!("{}/{}", row.kind, row.step)), ("publisher", row.publisher.clone())],
    {
        /// Submission id; time-ordered, so the newest keys come last.
        submission: String,
        /// Publisher id.
        publisher: String,
        /// Offer id.
        offer: String,
        /// Kind of offer by name.
        kind: String,
        /// Step by name.
        step: String,
        /// Status in which it ended, by name.
        status: String,
        /// When it began.
        began: Millis,
        /// When it ended.
        ended: Millis,
    }
);
