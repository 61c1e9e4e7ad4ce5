//! An offer in short: what the storefront finds, and what lists tell of the newest submission.

use mercat_domain::Millis;
use serde::{Deserialize, Serialize};

/// What the catalogue shows of a live offer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CardRow {
    /// Title.
    pub title: String,
    /// One sentence.
    pub summary: String,
    /// Title in Japanese, or empty.
    pub title_ja: String,
    /// One sentence in Japanese, or empty.
    pub summary_ja: String,
    /// Media digest of the logo.
    pub logo: String,
    /// `category` and `category/subcategory`.
    pub categories: Vec<String>,
    /// Whether any plan is for everybody.
    pub public: bool,
    /// Publisher's name.
    pub publisher_name: String,
    /// More words by which it is found: nothing that not everybody may see.
    pub text: String,
    /// Licence models of public plans.
    pub licenses: Vec<String>,
    /// Platforms of public plans.
    pub platforms: Vec<String>,
    /// Countries of public plans.
    pub markets: Vec<String>,
    /// Subscriptions of private plans.
    pub audience: Vec<String>,
    /// When it went live.
    pub since: Millis,
}

/// How the newest submission of an offer stands, so that lists need not read submissions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NowRow {
    /// State of the run by name; empty before the first publish.
    pub state: String,
    /// The step that is worked on or waited for, or in which the run ended; by name.
    pub step: String,
    /// Whether a failure is ours.
    pub ours: bool,
    /// What must be fixed.
    pub findings: u32,
    /// When it changed.
    pub at: Millis,
}
