//! What a mail needs to know, fixed when it was decided.

use mercat_store::FindingRow;
use serde::{Deserialize, Serialize};

/// What is told about the step concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StepFacts {
    /// Step by name, or empty.
    pub step: String,
    /// Whether the failure is ours.
    pub ours: bool,
    /// The findings that matter, the blocking ones first.
    pub findings: Vec<FindingRow>,
    /// One sentence about a failure that has no finding.
    pub detail: String,
}

/// Facts of one mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticeFacts {
    /// Notice id, `N1` and so on.
    pub notice: String,
    /// Submission id.
    pub submission: String,
    /// Publisher id.
    pub publisher: String,
    /// Offer id.
    pub offer: String,
    /// Offer name.
    pub offer_name: String,
    /// Kind by name.
    pub kind: String,
    /// Counts the offer's submissions.
    pub number: u32,
    /// Recipients.
    pub emails: Vec<String>,
    /// Language.
    pub locale: String,
    /// Where this server is.
    pub base_url: String,
    /// Who did it.
    pub actor: String,
    /// Who can see the preview.
    pub audience: Vec<String>,
    /// The step concerned.
    pub step: StepFacts,
    /// When it was decided.
    pub at: i64,
}

impl NoticeFacts {
    /// The Message-ID: the same facts give the same id, so a repeated sending is one mail.
    pub fn message_id(&self) -> String {
        format!("{}.{}@mercat", self.submission, self.notice.to_ascii_lowercase())
    }
}
