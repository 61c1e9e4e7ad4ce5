//! Drafts: read, saved under an ETag, deleted while never published.

use crate::seal::is_sealed;
use crate::{App, AppError};
use mercat_domain::document::{Fields, Value, text};
use mercat_domain::offer::fields::{FIELDS, Scope};
use mercat_domain::offer::{Change, Problem, check, check_secret, diff};
use mercat_domain::{Document, OfferKey};
use mercat_store::document::{from_json, to_json};
use mercat_store::{
    Commit, DraftRow, Expect, LedgerError, NewEvent, OfferRow, PublisherRow, SubmissionRow, commit_surely,
    find, load, put, remove,
};
use serde_json::Value as Json;

/// A draft as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The document; secrets are sealed.
    pub document: Document,
    /// Its version, which is the ETag.
    pub version: u64,
    /// When it was saved.
    pub saved: i64,
}

impl App {
    /// Reads a draft.
    ///
    /// # Errors
    /// When there is none.
    pub async fn draft(&self, key: &OfferKey) -> Result<Draft, AppError> {
        let found = load::<DraftRow>(&*self.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?;
        let document = from_json(&found.row.document).map_err(|problems| corrupt(key, &problems))?;
        Ok(Draft { document, version: found.version, saved: found.row.saved })
    }

    /// The document in production, if any.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn published(&self, key: &OfferKey) -> Result<Option<Document>, AppError> {
        let Some(offer) = load::<OfferRow>(&*self.ledger, &key.to_string()).await? else { return Ok(None) };
        let Some(live) = offer.row.live else { return Ok(None) };
        let submission = load::<SubmissionRow>(&*self.ledger, &live).await?.ok_or(AppError::NotFound)?;
        from_json(&submission.row.document).map(Some).map_err(|problems| corrupt(key, &problems))
    }

    /// The offers of a publisher that everybody finds: their ids with the titles that are live.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn listed_titles(&self, publisher: &str) -> Result<Vec<(String, String)>, AppError> {
        let offers = find::<OfferRow>(&*self.ledger, "publisher", publisher).await?.into_iter();
        let listed = offers.filter(|offer| offer.row.live.is_some()).filter_map(|offer| {
            let card = offer.row.card.filter(|card| card.public)?;
            Some((offer.row.offer, card.title))
        });
        Ok(listed.collect())
    }

    /// Saves a draft. `expected` is the version that the caller read; `None` makes a new offer, and
    /// `Some(0)` overwrites whatever is there.
    ///
    /// Only the format of what is there is checked, not completeness; locked fields may not change.
    ///
    /// # Errors
    /// Problems of locked fields, [`AppError::Stale`], [`AppError::Exists`].
    pub async fn save_draft(
        &self,
        actor: &str,
        mut document: Document,
        expected: Option<u64>,
    ) -> Result<Draft, AppError> {
        let key = document.key.clone();
        if load::<PublisherRow>(&*self.ledger, &key.publisher).await?.is_none() {
            return Err(AppError::NotFound);
        }
        let before = load::<DraftRow>(&*self.ledger, &key.to_string()).await?;
        match (&before, expected) {
            (Some(_), None) => return Err(AppError::Exists),
            (None, Some(version)) if version > 0 => return Err(AppError::NotFound),
            (Some(found), Some(version)) if version > 0 && version != found.version => {
                return Err(AppError::Stale { current: found.version });
            }
            _ => {}
        }
        let earlier = before.as_ref().and_then(|found| from_json(&found.row.document).ok());
        self.seal_document(&mut document, earlier.as_ref())?;
        let published = self.published(&key).await?;
        // A draft may be incomplete, but its id stays, and what is published may not move.
        let kept_out = |p: &Problem| p.path == "offer" || ["F005", "F006", "F017", "F024"].contains(&p.code);
        let mut problems: Vec<Problem> =
            check(&document, published.as_ref()).into_iter().filter(|p| kept_out(p)).collect();
        if earlier.as_ref().is_some_and(|earlier| earlier.kind != document.kind) {
            problems.push(Problem::new(
                "F006",
                "type",
                document.kind.name(),
                "the type chosen when it was made",
            ));
        }
        if !problems.is_empty() {
            return Err(AppError::Problems(problems));
        }
        self.store_draft(actor, &document, earlier.as_ref(), before.map(|found| found.version)).await
    }

    async fn store_draft(
        &self,
        actor: &str,
        document: &Document,
        earlier: Option<&Document>,
        before: Option<u64>,
    ) -> Result<Draft, AppError> {
        let key = &document.key;
        let saved = self.ledger.now().await?;
        let row = DraftRow {
            publisher: key.publisher.clone(),
            offer: key.offer.clone(),
            document: to_json(document),
            saved,
            saved_by: actor.to_owned(),
        };
        let mut commit = Commit::new();
        commit.writes.push(put(&row, before.map_or(Expect::Absent, Expect::Version)));
        let offer = load::<OfferRow>(&*self.ledger, &key.to_string()).await?;
        let name = document.text("name").to_owned();
        match offer {
            None => commit.writes.push(put(&new_offer(document, name), Expect::Absent)),
            Some(found) if found.row.name != name => {
                let row = OfferRow { name, ..found.row };
                commit.writes.push(put(&row, Expect::Version(found.version)));
            }
            Some(_) => {}
        }
        commit.events.push(NewEvent {
            subject: format!("offer:{key}"),
            run: String::new(),
            kind: if before.is_none() { "offer.created" } else { "draft.saved" }.to_owned(),
            actor: actor.to_owned(),
            body: changes(earlier, document),
        });
        match commit_surely(&*self.ledger, &commit).await {
            Ok(()) => {
                let version = before.unwrap_or(0) + 1;
                Ok(Draft { document: document.clone(), version, saved })
            }
            Err(LedgerError::Conflict { .. }) => {
                let current =
                    load::<DraftRow>(&*self.ledger, &key.to_string()).await?.map_or(0, |row| row.version);
                Err(AppError::Stale { current })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes an offer that was never published.
    ///
    /// # Errors
    /// [`AppError::Published`] once a submission exists.
    pub async fn delete_offer(&self, actor: &str, key: &OfferKey) -> Result<(), AppError> {
        let offer = load::<OfferRow>(&*self.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?;
        if offer.row.submissions > 0 {
            return Err(AppError::Published);
        }
        let mut commit = Commit::new();
        let mut row = remove::<OfferRow>(&key.to_string());
        row.expect = Expect::Version(offer.version);
        commit.writes.push(row);
        commit.writes.push(remove::<DraftRow>(&key.to_string()));
        commit.events.push(NewEvent {
            subject: format!("offer:{key}"),
            kind: "offer.deleted".to_owned(),
            actor: actor.to_owned(),
            body: "{}".to_owned(),
            ..NewEvent::default()
        });
        Ok(commit_surely(&*self.ledger, &commit).await?)
    }

    /// Seals new secrets and keeps earlier ones: a missing secret stays, an empty one is cleared.
    fn seal_document(&self, document: &mut Document, earlier: Option<&Document>) -> Result<(), AppError> {
        let key = document.key.to_string();
        self.seal_fields(&key, Scope::Offer, &mut document.fields, earlier.map(|earlier| &earlier.fields))?;
        for plan in &mut document.plans {
            let place = format!("{key}/{}", plan.id);
            let before = earlier.and_then(|earlier| earlier.plan(&plan.id)).map(|plan| &plan.fields);
            self.seal_fields(&place, Scope::Plan, &mut plan.fields, before)?;
        }
        Ok(())
    }

    fn seal_fields(
        &self,
        place: &str,
        scope: Scope,
        fields: &mut Fields,
        before: Option<&Fields>,
    ) -> Result<(), AppError> {
        for field in FIELDS.iter().filter(|f| f.scope == scope && f.rule.is_secret()) {
            match fields.get(field.key) {
                None => {
                    // A kept password goes to the registry that it was given for, and to no other.
                    let host =
                        |fields: &Fields| text(fields, "image").split('/').next().unwrap_or("").to_owned();
                    let moved =
                        scope == Scope::Plan && before.is_some_and(|before| host(before) != host(fields));
                    if moved {
                        continue;
                    }
                    if let Some(kept) = before.and_then(|before| before.get(field.key)) {
                        fields.insert(field.key.to_owned(), kept.clone());
                    }
                }
                Some(Value::Text(text)) if text.is_empty() => {
                    fields.remove(field.key);
                }
                // Nobody is shown a seal: one that is sent must be the one that is kept.
                Some(Value::Text(text)) if is_sealed(text) => {
                    if before.and_then(|before| before.get(field.key)) != fields.get(field.key) {
                        let problem = Problem::new("F003", field.key, "a sealed value", "the secret itself");
                        return Err(AppError::Problems(vec![problem]));
                    }
                }
                Some(Value::Text(text)) => {
                    if let Some(problem) = check_secret(field, field.key, text) {
                        return Err(AppError::Problems(vec![problem]));
                    }
                    let sealed = self.key.seal(&format!("{place}:{}", field.key), text)?;
                    fields.insert(field.key.to_owned(), Value::Text(sealed));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Opens a sealed field of an offer or plan; empty when it is not set.
    ///
    /// # Errors
    /// When it was sealed under another key.
    pub fn open_secret(&self, place: &str, field: &str, fields: &Fields) -> Result<String, AppError> {
        match mercat_domain::document::text(fields, field) {
            "" => Ok(String::new()),
            sealed => Ok(self.key.open(&format!("{place}:{field}"), sealed)?),
        }
    }
}

/// What a save changed, for history. Long texts are cut; secrets are only told to have changed.
fn changes(earlier: Option<&Document>, document: &Document) -> String {
    const SHOWN_CHARS_MAX: usize = 500;
    let empty = Document::new(document.key.clone(), document.kind);
    let cut = |text: String| match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    };
    let one = |change: Change| {
        serde_json::json!({
            "path": change.path, "key": change.key, "before": cut(change.before), "after": cut(change.after),
        })
    };
    let all: Vec<Json> = diff(earlier.unwrap_or(&empty), document).into_iter().map(one).collect();
    serde_json::json!({ "changes": all }).to_string()
}

fn new_offer(document: &Document, name: String) -> OfferRow {
    OfferRow {
        publisher: document.key.publisher.clone(),
        offer: document.key.offer.clone(),
        kind: document.kind.name().to_owned(),
        name,
        live: None,
        preview: None,
        preview_before: None,
        audience: Vec::new(),
        audience_before: Vec::new(),
        active: None,
        latest: None,
        submissions: 0,
        emails: Vec::new(),
        tags: std::collections::BTreeMap::new(),
        published: std::collections::BTreeMap::new(),
        card: None,
        now: mercat_store::NowRow::default(),
    }
}

fn corrupt(key: &OfferKey, problems: &[Problem]) -> AppError {
    let why = problems.first().map(|problem| problem.path.clone()).unwrap_or_default();
    AppError::Ledger(LedgerError::Corrupt { kind: "draft".into(), key: key.to_string(), why })
}

/// The document as clients may see it: without secrets.
pub fn clone_public(document: &Document) -> Json {
    let mut public = document.clone();
    let secret = |key: &str| FIELDS.iter().any(|f| f.key == key && f.rule.is_secret());
    public.fields.retain(|key, _| !secret(key));
    for plan in &mut public.plans {
        plan.fields.retain(|key, _| !secret(key));
    }
    to_json(&public)
}

impl App {
    /// Changes who may see the open preview, without a new submission.
    ///
    /// # Errors
    /// Problems with an id, or a missing offer.
    pub async fn set_audience(
        &self,
        actor: &str,
        key: &OfferKey,
        ids: &[String],
    ) -> Result<Vec<String>, AppError> {
        let problems: Vec<Problem> = ids
            .iter()
            .enumerate()
            .filter(|(_, id)| !mercat_domain::ids::is_guid(id))
            .map(|(at, id)| Problem::new("F007", format!("subscriptions/{at}"), id, "a GUID"))
            .collect();
        if !problems.is_empty() {
            return Err(AppError::Problems(problems));
        }
        let found = load::<OfferRow>(&*self.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?;
        let audience: Vec<String> = ids.iter().map(|id| id.to_lowercase()).collect();
        let row = OfferRow { audience: audience.clone(), ..found.row };
        let mut commit = Commit::new();
        commit.writes.push(put(&row, Expect::Version(found.version)));
        commit.events.push(NewEvent {
            subject: format!("offer:{key}"),
            kind: "audience.changed".to_owned(),
            actor: actor.to_owned(),
            body: serde_json::json!({ "subscriptions": audience }).to_string(),
            ..NewEvent::default()
        });
        commit_surely(&*self.ledger, &commit).await?;
        Ok(audience)
    }
}
