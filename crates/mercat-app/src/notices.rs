//! What a mail needs to know, fixed when it was decided.

use crate::leads::hex;
use crate::{App, AppError, OUTBOX};
use mercat_domain::OfferKey;
use mercat_domain::access::Role;
use mercat_domain::notice::NoticeKind;
use mercat_domain::offer::is_email;
use mercat_domain::run::{Run, Step, title_key};
use mercat_store::{FindingRow, NewTask, UserRow, find};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What makes the Message-ID unique where it is not the submission; empty where it is.
    #[serde(default)]
    pub unique: String,
    /// Stands for the recipient in the Message-ID where each has a mail of their own.
    #[serde(default)]
    pub recipient: String,
    /// Arguments of the words.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
    /// Arguments of the words that are keys of words themselves.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
    /// Path on this server of what it is about; empty for the Status tab.
    #[serde(default)]
    pub link: String,
    /// The notices of a digest.
    #[serde(default)]
    pub digest: Vec<NoticeFacts>,
}

impl NoticeFacts {
    /// The Message-ID: the same facts give the same id, so a repeated sending is one mail.
    pub fn message_id(&self) -> String {
        let unique = if self.unique.is_empty() { &self.submission } else { &self.unique };
        let dot = if self.recipient.is_empty() { "" } else { "." };
        format!("{unique}{dot}{}.{}@mercat", self.recipient, self.notice.to_ascii_lowercase())
    }
}

/// A recipient in a Message-ID: which one it is, and not who.
pub(crate) fn recipient(email: &str) -> String {
    hex(&Sha256::digest(email.to_lowercase().as_bytes())[..6])
}

/// Something to be told that is not a turn of a run.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    facts: NoticeFacts,
}

impl Told {
    /// `unique` is the same for the same facts; together with kind and recipient it makes the Message-ID.
    pub(crate) fn new(kind: NoticeKind, key: &OfferKey, unique: &str) -> Self {
        let facts = NoticeFacts {
            notice: kind.id().to_owned(),
            publisher: key.publisher.clone(),
            offer: key.offer.clone(),
            unique: unique.to_owned(),
            ..NoticeFacts::default()
        };
        Self { facts }
    }

    pub(crate) fn link(mut self, path: &str) -> Self {
        path.clone_into(&mut self.facts.link);
        self
    }

    pub(crate) fn locale(mut self, locale: &str) -> Self {
        locale.clone_into(&mut self.facts.locale);
        self
    }

    pub(crate) fn word(mut self, name: &str, value: &str) -> Self {
        self.facts.args.insert(name.to_owned(), value.to_owned());
        self
    }

    /// An argument that has words of its own.
    pub(crate) fn words_of(mut self, name: &str, key: &str) -> Self {
        self.facts.keys.insert(name.to_owned(), key.to_owned());
        self
    }

    pub(crate) fn about_step(self, run: &Run, step: Step) -> Self {
        self.words_of("step", title_key(run.kind, step))
    }

    pub(crate) fn collected(mut self, notices: Vec<NoticeFacts>) -> Self {
        self.facts.digest = notices;
        self
    }
}

impl App {
    /// One mail a recipient, so that nobody learns who else is told.
    pub(crate) fn letters(&self, told: &Told, to: &[String]) -> Vec<NewTask> {
        let recipients: BTreeSet<String> =
            to.iter().map(|email| email.to_lowercase()).filter(|email| is_email(email)).collect();
        recipients.into_iter().map(|email| self.letter(told, email)).collect()
    }

    /// The facts of a notice for these people.
    pub(crate) fn facts(&self, told: &Told, emails: Vec<String>) -> NoticeFacts {
        let mut facts = NoticeFacts { emails, ..told.facts.clone() };
        facts.offer_name = facts.args.get("offer").cloned().unwrap_or_default();
        facts.base_url.clone_from(&self.settings.base_url);
        if facts.locale.is_empty() {
            facts.locale.clone_from(&self.settings.locale);
        }
        facts
    }

    fn letter(&self, told: &Told, email: String) -> NewTask {
        let recipient = recipient(&email);
        let facts = NoticeFacts { recipient, ..self.facts(told, vec![email]) };
        NewTask {
            id: format!("letter/{}", facts.message_id()),
            run: String::new(),
            queue: OUTBOX,
            body: serde_json::to_string(&facts).expect("plain data"),
            delay: 0,
        }
    }

    /// Addresses of a publisher's owners.
    pub(crate) async fn owners(&self, publisher: &str) -> Result<Vec<String>, AppError> {
        let users = find::<UserRow>(&*self.ledger, "publisher", publisher).await?;
        let owner = |user: &UserRow| {
            user.roles.iter().any(|(id, role)| id == publisher && role == Role::Owner.name())
        };
        Ok(users.into_iter().filter(|user| owner(&user.row)).map(|user| user.row.email).collect())
    }
}
