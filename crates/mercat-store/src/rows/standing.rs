//! What live offers are judged by what is known now.

use super::{FindingRow, Row};
use mercat_domain::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

row!(
    /// The latest judgement of what is live, after its certification. It counts as long as `submission` is the one
    /// that is live.
    StandingRow, "standing", |row| format!("{}/{}", row.publisher, row.offer),
    index: row.blocking().next().map(|_| ("state", "blocked".to_owned())).into_iter()
        .chain((!row.trouble.is_empty()).then(|| ("state", "trouble".to_owned())))
        .collect(),
    {
        /// Publisher id.
        publisher: String,
        /// Offer id.
        offer: String,
        /// The submission that was judged.
        submission: String,
        /// When it was judged; 0 for never.
        judged: Millis,
        /// A digest of what was known then; empty while something could not be judged.
        known: String,
        /// Findings that block a submission, or warn.
        findings: Vec<FindingRow>,
        /// Digests of what was judged, with the key of each verdict document.
        verdicts: BTreeMap<String, String>,
        /// Why the last try came to no judgement, or empty.
        trouble: String,
    }
);

row!(
    /// What a machine knew when it last queued what is live, page by page.
    KnownRow, "known", |row| row.machine.clone(), index: { let _ = row; vec![] },
    {
        /// Which machine.
        machine: String,
        /// A digest of what it knew.
        known: String,
        /// When.
        at: Millis,
        /// The key of the last offer that was looked at, while there are more.
        after: Option<String>,
        /// Where the last change was noticed: from the end it goes on at the beginning, as far as here.
        until: String,
        /// Whether it has gone on at the beginning.
        wrapped: bool,
    }
);

impl StandingRow {
    /// What would block a submission of the same today.
    pub fn blocking(&self) -> impl Iterator<Item = &FindingRow> {
        self.findings.iter().filter(|finding| finding.severity == "error")
    }
}
