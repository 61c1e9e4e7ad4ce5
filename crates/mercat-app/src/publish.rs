//! Publish: the field check, then a submission over an immutable snapshot.

use crate::notices::StepFacts;
use crate::transition::{Because, Next, Pair};
use crate::{App, AppError};
use mercat_domain::limits::NOTIFY_EMAILS_MAX;
use mercat_domain::offer::{Problem, check, is_email};
use mercat_domain::run::{self, Input};
use mercat_domain::{Digest, OfferKey};
use mercat_store::document::to_json;
use mercat_store::{
    Commit, Expect, LedgerError, MediaRow, OfferRow, ReplayRow, RunRow, SubmissionRow, Versioned,
    commit_surely, find, load, put,
};
use sha2::{Digest as _, Sha256};

/// What comes with Publish.
#[derive(Debug, Clone, Default)]
pub struct PublishRequest {
    /// Who is told how it goes.
    pub emails: Vec<String>,
    /// For the reviewers.
    pub notes: String,
    /// Language of the mails.
    pub locale: String,
    /// The draft version that the caller saw.
    pub version: Option<u64>,
    /// Give up a submission that waits at sign-off.
    pub replace: bool,
    /// The caller's Idempotency-Key with a hash of the request: the same request makes one submission.
    pub once: Option<(String, String)>,
}

impl App {
    /// Checks a draft without publishing it: every problem, also of pictures that were not uploaded.
    ///
    /// # Errors
    /// When there is no draft.
    pub async fn check_draft(&self, key: &OfferKey) -> Result<Vec<Problem>, AppError> {
        self.check_document(key, &self.draft(key).await?.document).await
    }

    async fn check_document(
        &self,
        key: &OfferKey,
        document: &mercat_domain::Document,
    ) -> Result<Vec<Problem>, AppError> {
        let published = self.published(key).await?;
        let mut problems = check(document, published.as_ref());
        problems.extend(self.check_pictures(document).await?);
        problems.extend(self.check_repositories(document).await?);
        problems.extend(Self::check_edge(document));
        Ok(problems)
    }

    /// What an IoT Edge runtime could not read (domain rules 6.4).
    fn check_edge(document: &mercat_domain::Document) -> Vec<Problem> {
        let mut problems = Vec::new();
        for plan in &document.plans {
            let options = plan.text("edgeCreateOptions");
            let object =
                |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok_and(|v| v.is_object());
            if !options.is_empty() && !object(options) {
                let path = format!("plans/{}/edgeCreateOptions", plan.id);
                problems.push(Problem::new("F003", path, options, "a JSON object"));
            }
            let rows = |field: &str| mercat_domain::document::rows(&plan.fields, field).iter().enumerate();
            for (index, row) in rows("edgeRoutes") {
                let value = row.get("value").map_or("", String::as_str);
                if !value.is_empty() && !is_route(value) {
                    let path = format!("plans/{}/edgeRoutes/{index}/value", plan.id);
                    let required = r#"FROM /messages/... [WHERE ...] INTO $upstream or BrokeredEndpoint("/modules/NAME/inputs/NAME")"#;
                    problems.push(Problem::new("F003", path, value, required));
                }
            }
            for (index, row) in rows("edgeEnv") {
                let value = row.get("value").map_or("", String::as_str);
                let inner = value.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
                // Other text between brackets, XML for example, is a value.
                let is_name =
                    |inner: &&str| inner.chars().all(|c| c.is_ascii_alphanumeric() || "_- ".contains(c));
                let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
                if inner.filter(is_name).is_some_and(|name| name.is_empty() || !name.chars().all(upper)) {
                    let path = format!("plans/{}/edgeEnv/{index}/value", plan.id);
                    problems.push(Problem::new(
                        "F003",
                        path,
                        value,
                        "a placeholder such as <CONNECTION_STRING>",
                    ));
                }
            }
            for (index, row) in rows("edgeTwin") {
                let value = row.get("value").map_or("", String::as_str);
                let parsed = serde_json::from_str::<serde_json::Value>(value);
                if !parsed.is_ok_and(|value| is_twin(&value, 4)) {
                    let path = format!("plans/{}/edgeTwin/{index}/value", plan.id);
                    let required = "JSON without arrays, nested at most four deep; text in quotes";
                    problems.push(Problem::new("F003", path, value, required));
                }
            }
        }
        problems
    }

    async fn check_pictures(&self, document: &mercat_domain::Document) -> Result<Vec<Problem>, AppError> {
        use mercat_domain::offer::fields::{Rule, Scope, fields_of};
        let mut problems = Vec::new();
        for field in fields_of(document.kind, Scope::Offer) {
            let (values, width, height): (Vec<(String, String)>, u32, u32) = match field.rule {
                Rule::Picture(w, h) => {
                    (vec![(field.key.to_owned(), document.text(field.key).to_owned())], w, h)
                }
                Rule::Pictures(_, w, h) => {
                    let list = document.list(field.key).iter().enumerate();
                    (list.map(|(at, value)| (format!("{}/{at}", field.key), value.clone())).collect(), w, h)
                }
                _ => continue,
            };
            for (path, digest) in values.into_iter().filter(|(_, digest)| Digest::parse(digest).is_some()) {
                let media =
                    load::<MediaRow>(&*self.ledger, &format!("{}/{digest}", document.key.publisher)).await?;
                let observed =
                    media.map_or("not uploaded".to_owned(), |m| format!("{}x{}", m.row.width, m.row.height));
                if observed != format!("{width}x{height}") {
                    problems.push(Problem::new(
                        "F010",
                        path,
                        observed,
                        format!("a PNG of {width}x{height} pixels"),
                    ));
                }
            }
        }
        Ok(problems)
    }

    /// CTR-12: a repository belongs to one plan of the publisher.
    async fn check_repositories(&self, document: &mercat_domain::Document) -> Result<Vec<Problem>, AppError> {
        let mut problems = Vec::new();
        let offers = find::<OfferRow>(&*self.ledger, "publisher", &document.key.publisher).await?;
        for offer in offers.into_iter().filter(|o| o.row.offer != document.key.offer && o.row.live.is_some())
        {
            let key = OfferKey::new(&offer.row.publisher, &offer.row.offer);
            let Some(other) = self.published(&key).await? else { continue };
            for plan in &document.plans {
                let image = plan.text("image");
                if !image.is_empty() && other.plans.iter().any(|p| p.text("image") == image) {
                    let path = format!("plans/{}/image", plan.id);
                    problems.push(Problem::new(
                        "F005",
                        path,
                        image,
                        format!("a repository that {key} does not use"),
                    ));
                }
            }
        }
        Ok(problems)
    }

    /// Publishes the draft.
    ///
    /// # Errors
    /// Every problem of the fields; [`AppError::InProgress`] with the id of the submission under way.
    pub async fn publish(
        &self,
        actor: &str,
        key: &OfferKey,
        request: &PublishRequest,
    ) -> Result<SubmissionRow, AppError> {
        if let Some(earlier) = self.published_once(actor, request).await? {
            return Ok(earlier);
        }
        let draft = self.draft(key).await?;
        if request.version.is_some_and(|version| version != draft.version) {
            return Err(AppError::Stale { current: draft.version });
        }
        // What is checked is what is submitted, whatever is saved meanwhile.
        let mut problems = self.check_document(key, &draft.document).await?;
        problems.extend(check_emails(&request.emails));
        if !problems.is_empty() {
            return Err(AppError::Problems(problems));
        }
        for _ in 0..5 {
            let offer = load::<OfferRow>(&*self.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?;
            if let Some(active) = offer.row.active.clone() {
                self.supersede(actor, &active, request.replace).await?;
                continue;
            }
            match self.submit(actor, offer, &draft.document, request).await {
                Err(AppError::Ledger(LedgerError::Conflict { .. })) => {
                    if let Some(earlier) = self.published_once(actor, request).await? {
                        return Ok(earlier);
                    }
                }
                other => return other,
            }
        }
        let offer = load::<OfferRow>(&*self.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?;
        Err(AppError::InProgress(offer.row.active.unwrap_or_default()))
    }

    async fn submit(
        &self,
        actor: &str,
        offer: Versioned<OfferRow>,
        document: &mercat_domain::Document,
        request: &PublishRequest,
    ) -> Result<SubmissionRow, AppError> {
        let now = self.ledger.now().await?;
        let snapshot = to_json(document);
        let digest = Digest::from_sha256(&Sha256::digest(snapshot.to_string().as_bytes()));
        let (run, effects) = run::start(document.kind, digest, now);
        let mut row = offer.row.clone();
        let id = uuid::Uuid::now_v7().to_string();
        row.active = Some(id.clone());
        row.latest = Some(id.clone());
        row.submissions += 1;
        row.emails.clone_from(&request.emails);
        let submission = SubmissionRow {
            id,
            publisher: document.key.publisher.clone(),
            offer: document.key.offer.clone(),
            number: row.submissions,
            document: snapshot,
            run: RunRow::from(&run),
            emails: request.emails.clone(),
            locale: request.locale.clone(),
            notes: request.notes.chars().take(4000).collect(),
            created_by: actor.to_owned(),
            created: now,
            images: Vec::new(),
        };
        let pair = Pair {
            offer: Versioned { version: offer.version, row },
            submission: Versioned { version: 0, row: submission.clone() },
        };
        let mut commit = Commit::new();
        let next = Next { run, effects };
        let because = Because { actor, facts: &StepFacts::default(), listing: None, now };
        self.write_transition(&mut commit, &pair, &next, &because);
        if let Some((key, hash)) = &request.once {
            let row = ReplayRow {
                key: replay_key(actor, key),
                request: hash.clone(),
                status: 202,
                body: submission.id.clone(),
                at: now,
            };
            commit.writes.push(put(&row, Expect::Absent));
        }
        commit_surely(&*self.ledger, &commit).await?;
        self.bell.notify_waiters();
        Ok(submission)
    }

    /// The submission that the same request under the same key made before.
    async fn published_once(
        &self,
        actor: &str,
        request: &PublishRequest,
    ) -> Result<Option<SubmissionRow>, AppError> {
        let Some((key, hash)) = &request.once else { return Ok(None) };
        let Some(found) = load::<ReplayRow>(&*self.ledger, &replay_key(actor, key)).await? else {
            return Ok(None);
        };
        if found.row.request != *hash {
            return Err(AppError::KeyReused);
        }
        let row = load::<SubmissionRow>(&*self.ledger, &found.row.body).await?;
        row.map(|row| Some(row.row)).ok_or(AppError::NotFound)
    }

    async fn supersede(&self, actor: &str, active: &str, replace: bool) -> Result<(), AppError> {
        if !replace {
            return Err(AppError::InProgress(active.to_owned()));
        }
        match self.decide(actor, active, &Input::Supersede).await {
            Ok(_) | Err(AppError::Ledger(LedgerError::Conflict { .. })) => Ok(()),
            Err(AppError::Refused(_)) => Err(AppError::InProgress(active.to_owned())),
            Err(error) => Err(error),
        }
    }
}

/// A route of the IoT Edge hub: where messages come from, which, and where they go.
fn is_route(text: &str) -> bool {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let upper = words.to_ascii_uppercase();
    let Some(from) = words.get(..5).filter(|_| upper.starts_with("FROM ")).map(|_| &words[5..]) else {
        return false;
    };
    let Some(at) = upper[5..].rfind(" INTO ") else { return false };
    let (source, sink) = (&from[..at], from[at + 6..].trim());
    let source = match source.to_ascii_uppercase().find(" WHERE ") {
        Some(end) if source[end + 7..].trim().is_empty() => return false,
        Some(end) => &source[..end],
        None => source,
    };
    let endpoint = |sink: &str| {
        let inner = sink.strip_prefix("BrokeredEndpoint(\"/modules/")?.strip_suffix("\")")?;
        let (module, input) = inner.split_once("/inputs/")?;
        let is_name = |name: &str| !name.is_empty() && !name.contains(['/', '"', ' ']);
        (is_name(module) && is_name(input)).then_some(())
    };
    source.starts_with('/') && !source.contains(' ') && (sink == "$upstream" || endpoint(sink).is_some())
}

fn is_twin(value: &serde_json::Value, depth: u32) -> bool {
    match value {
        serde_json::Value::Array(_) => false,
        serde_json::Value::Object(map) => depth > 0 && map.values().all(|value| is_twin(value, depth - 1)),
        _ => true,
    }
}

fn replay_key(actor: &str, key: &str) -> String {
    crate::hash_secret(&format!("{actor}\n{key}"))
}

fn check_emails(emails: &[String]) -> Vec<Problem> {
    if emails.is_empty() {
        return vec![Problem::new("F001", "notificationEmails", "", "at least one address")];
    }
    let mut problems = Vec::new();
    if emails.len() > NOTIFY_EMAILS_MAX {
        let most = format!("at most {NOTIFY_EMAILS_MAX}");
        problems.push(Problem::new("F008", "notificationEmails", emails.len().to_string(), most));
    }
    for (at, email) in emails.iter().enumerate().filter(|(_, email)| !is_email(email)) {
        problems.push(Problem::new("F023", format!("notificationEmails/{at}"), email, "name@example.org"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_the_hub_are_told_from_what_is_none() {
        for good in [
            "FROM /messages/* INTO $upstream",
            "from /messages/modules/filter/outputs/* where temperature > 25 into $upstream",
            r#"FROM /messages/modules/<FROM_MODULE_NAME>/outputs/o INTO BrokeredEndpoint("/modules/ai/inputs/in")"#,
        ] {
            assert!(is_route(good), "{good}");
        }
        for bad in [
            "",
            "FROM",
            "FROM /messages/*",
            "/messages/* INTO $upstream",
            "FROM messages INTO $upstream",
            "FROM /messages/* WHERE INTO $upstream",
            "FROM /messages/* INTO upstream",
            r#"FROM /messages/* INTO BrokeredEndpoint("/modules//inputs/in")"#,
            "FROM /messages/é INTO $downstream",
        ] {
            assert!(!is_route(bad), "{bad}");
        }
    }
}
