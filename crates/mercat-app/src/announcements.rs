//! What an operator or a publisher has to tell many: certification to be repeated (N12), versions withdrawn (N13).

use crate::notices::Told;
use crate::{App, AppError};
use mercat_domain::OfferKey;
use mercat_domain::notice::NoticeKind;
use mercat_domain::offer::Problem;
use mercat_store::document::from_json;
use mercat_store::{
    Commit, DeploymentRow, ListingRow, NewEvent, OfferRow, SubmissionRow, UserRow, commit_surely, load,
};
use std::collections::BTreeSet;

/// Rules changed, and what is live must be certified again.
#[derive(Debug, Clone, Default)]
pub struct Recertification {
    /// Rules concerned, for people.
    pub rules: String,
    /// The last day, `YYYY-MM-DD`.
    pub deadline: String,
    /// Why.
    pub message: String,
}

/// A version will be withdrawn.
#[derive(Debug, Clone, Default)]
pub struct Deprecation {
    /// Plan id.
    pub plan: String,
    /// Version or tag.
    pub version: String,
    /// The last day, `YYYY-MM-DD`.
    pub deadline: String,
    /// Why.
    pub reason: String,
    /// What to use instead.
    pub alternative: String,
}

impl App {
    /// Tells owners and the engineering contact that an offer must be published again. How many are told.
    ///
    /// # Errors
    /// Problems with the words; [`AppError::NotFound`] for an offer that is not live.
    pub async fn announce_recertification(
        &self,
        actor: &str,
        key: &OfferKey,
        about: &Recertification,
    ) -> Result<usize, AppError> {
        check(&[("rules", &about.rules), ("deadline", &about.deadline), ("message", &about.message)])?;
        let offer = load::<OfferRow>(&*self.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?.row;
        let live = offer.live.ok_or(AppError::NotFound)?;
        let submission = load::<SubmissionRow>(&*self.ledger, &live).await?.ok_or(AppError::NotFound)?.row;
        let mut to = self.owners(&key.publisher).await?;
        let document = from_json(&submission.document).ok();
        to.extend(document.map(|document| document.text("engineeringContactEmail").to_owned()));
        let told = Told::new(NoticeKind::Recertification, key, &format!("{live}.{}", about.deadline))
            .link(&format!("/portal/offers/{key}/status"))
            .locale(&submission.locale)
            .word("offer", &offer.name)
            .word("rules", &about.rules)
            .word("deadline", &about.deadline)
            .word("message", &about.message);
        self.tell_all(actor, key, "recertification.announced", &told, &to).await
    }

    /// Tells everybody who deployed a version of a live plan that it will be withdrawn. How many are told.
    ///
    /// # Errors
    /// Problems with the words; [`AppError::NotFound`] for a version that is not live.
    pub async fn announce_deprecation(
        &self,
        actor: &str,
        key: &OfferKey,
        about: &Deprecation,
    ) -> Result<usize, AppError> {
        let words =
            [("deadline", &about.deadline), ("reason", &about.reason), ("alternative", &about.alternative)];
        check(&words)?;
        let offer = load::<OfferRow>(&*self.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?.row;
        let live = offer.live.ok_or(AppError::NotFound)?;
        let listing = load::<ListingRow>(&*self.ledger, &live).await?.ok_or(AppError::NotFound)?.row;
        let plan = listing.plans.iter().find(|plan| plan.id == about.plan).ok_or(AppError::NotFound)?;
        let disk = plan.disks.iter().any(|disk| disk.reference == about.version);
        if !plan.tags.contains_key(&about.version) && !disk {
            return Err(AppError::NotFound);
        }
        let urn = format!("{}:{}:{}:{}", key.publisher, key.offer, about.plan, about.version);
        let mut users = BTreeSet::new();
        for row in self.every::<DeploymentRow>("offer", &key.to_string()).await? {
            if row.urn == urn && !row.preview {
                users.insert(row.user);
            }
        }
        let mut to = Vec::new();
        for user in users {
            to.extend(load::<UserRow>(&*self.ledger, &user).await?.map(|found| found.row.email));
        }
        let told =
            Told::new(NoticeKind::Deprecation, key, &format!("{urn}.{}", about.deadline).replace(':', "."))
                .link(&format!("/marketplace/apps/{}.{}", key.publisher, key.offer))
                .word("offer", &listing.title)
                .word("version", &format!("{} {}", about.plan, about.version))
                .word("deadline", &about.deadline)
                .word("message", &about.reason)
                .word("alternative", &about.alternative);
        self.tell_all(actor, key, "deprecation.announced", &told, &to).await
    }

    async fn tell_all(
        &self,
        actor: &str,
        key: &OfferKey,
        kind: &str,
        told: &Told,
        to: &[String],
    ) -> Result<usize, AppError> {
        let mut commit = Commit::new();
        commit.tasks = self.letters(told, to);
        let count = commit.tasks.len();
        commit.events.push(NewEvent {
            subject: format!("offer:{key}"),
            run: String::new(),
            kind: kind.to_owned(),
            actor: actor.to_owned(),
            body: serde_json::json!({ "told": count }).to_string(),
        });
        commit_surely(&*self.ledger, &commit).await?;
        self.bell.notify_waiters();
        Ok(count)
    }
}

fn check(words: &[(&str, &String)]) -> Result<(), AppError> {
    let bad = |(name, text): &(&str, &String)| {
        let day = *name != "deadline" || text.parse::<jiff::civil::Date>().is_ok();
        let fits =
            !text.trim().is_empty() && text.chars().count() <= 1000 && !text.chars().any(char::is_control);
        !(day && fits)
    };
    let required = "1 to 1000 printable characters; a deadline as YYYY-MM-DD";
    let problems: Vec<Problem> = words
        .iter()
        .filter(|word| bad(word))
        .map(|(name, text)| Problem::new("F003", *name, text.as_str(), required))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(AppError::Problems(problems)) }
}
