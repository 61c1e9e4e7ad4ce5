//! Changing the master key: every sealed value is wrapped anew.

use crate::{App, AppError, SealError};
use mercat_domain::offer::fields::{FIELDS, Scope};
use mercat_store::{
    Commit, DraftRow, Expect, LedgerError, Query, Row, SettingRow, SubmissionRow, Versioned, WebhookRow,
    commit_surely, list, put,
};
use serde_json::Value as Json;

const PAGE: u32 = 200;

impl App {
    /// Wraps every secret under the key that seals now. How many records changed; 0 says that all are there.
    /// It may be ended and begun again at any time.
    ///
    /// # Errors
    /// When the ledger does not answer, or a secret does not open.
    pub async fn rewrap_secrets(&self) -> Result<u32, AppError> {
        let drafts = self.each::<DraftRow>(|row| {
            Ok(self.rewrap_json(&row.document)?.map(|document| DraftRow { document, ..row.clone() }))
        });
        let drafts = drafts.await?;
        let submissions = self.each::<SubmissionRow>(|row| {
            Ok(self.rewrap_json(&row.document)?.map(|document| SubmissionRow { document, ..row.clone() }))
        });
        let submissions = submissions.await?;
        let settings = self.each::<SettingRow>(|row| {
            let sealed = crate::seal::is_sealed(&row.value);
            let value = if sealed { self.key.rewrap(&row.name, &row.value)? } else { None };
            Ok(value.map(|value| SettingRow { value, ..row.clone() }))
        });
        let settings = settings.await?;
        let webhooks = self.each::<WebhookRow>(|row| {
            let (mut changed, mut next) = (false, row.clone());
            for secret in &mut next.secrets {
                if let Some(value) = self.key.rewrap(&format!("webhook:{}", row.id), &secret.secret)? {
                    (secret.secret, changed) = (value, true);
                }
            }
            Ok(changed.then_some(next))
        });
        Ok(drafts + submissions + settings + webhooks.await?)
    }

    /// Changes every record of a kind for which there is another one.
    async fn each<R: Row + Clone>(
        &self,
        change: impl Fn(&R) -> Result<Option<R>, SealError>,
    ) -> Result<u32, AppError> {
        let (mut after, mut count) = (String::new(), 0);
        loop {
            let query = Query { after: after.clone(), limit: PAGE, ..Query::default() };
            let rows: Vec<Versioned<R>> = list(&*self.ledger, query).await?;
            let Some(last) = rows.last() else { return Ok(count) };
            after = last.row.key();
            for found in &rows {
                let next = change(&found.row).map_err(|why| LedgerError::Corrupt {
                    kind: R::KIND.to_owned(),
                    key: found.row.key(),
                    why: why.to_string(),
                });
                let Some(next) = next? else { continue };
                let mut commit = Commit::new();
                commit.writes.push(put(&next, Expect::Version(found.version)));
                match commit_surely(&*self.ledger, &commit).await {
                    // Written meanwhile; the next pass sees it.
                    Err(LedgerError::Conflict { .. }) => {}
                    other => other?,
                }
                count += 1;
            }
        }
    }

    /// The document with its secrets wrapped anew; `None` when none changes. What other versions of this program
    /// wrote may not be an offer any more, and its secrets are wrapped all the same.
    fn rewrap_json(&self, json: &Json) -> Result<Option<Json>, SealError> {
        let mut next = json.clone();
        let word = |json: &Json, key: &str| json.get(key).and_then(Json::as_str).unwrap_or("").to_owned();
        let place = format!("{}/{}", word(json, "publisher"), word(json, "offer"));
        let mut changed = self.rewrap_fields(&place, Scope::Offer, &mut next)?;
        for plan in next.get_mut("plans").and_then(Json::as_array_mut).into_iter().flatten() {
            let place = format!("{place}/{}", word(plan, "plan"));
            changed |= self.rewrap_fields(&place, Scope::Plan, plan)?;
        }
        Ok(changed.then_some(next))
    }

    /// Whether a field changed.
    fn rewrap_fields(&self, place: &str, scope: Scope, fields: &mut Json) -> Result<bool, SealError> {
        let mut changed = false;
        for (key, value) in fields.as_object_mut().into_iter().flatten() {
            // Whatever stands in a field that holds no secret is somebody's text.
            let known = FIELDS.iter().find(|field| field.key == key && field.scope == scope);
            let Some(sealed) = value.as_str().filter(|text| crate::seal::is_sealed(text)) else { continue };
            if known.is_none_or(|field| field.rule.is_secret())
                && let Some(moved) = self.key.rewrap(&format!("{place}:{key}"), sealed)?
            {
                (*value, changed) = (moved.into(), true);
            }
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MasterKey, Settings};
    use mercat_store::{Ledger, Memory, load};
    use serde_json::json;
    use std::sync::Arc;

    fn app(keys: Vec<[u8; 32]>, ledger: &Arc<Memory>) -> App {
        App::new(ledger.clone(), Settings::new("http://here"), MasterKey::with(keys, None))
    }

    async fn keep(ledger: &Memory, document: Json) -> DraftRow {
        let row =
            DraftRow { publisher: "aurora".into(), offer: "app".into(), document, ..DraftRow::default() };
        let mut commit = Commit::new();
        commit.writes.push(put(&row, Expect::Any));
        ledger.commit(&commit).await.unwrap_or_else(|error| panic!("{error}"));
        row
    }

    #[tokio::test]
    async fn secrets_of_documents_that_are_no_offers_any_more_are_wrapped_too() {
        let ledger = Arc::new(Memory::new(Arc::new(|| 1)));
        let old = MasterKey::new([1; 32]);
        let seal = |place: &str| old.seal(place, "hunter2").unwrap_or_else(|error| panic!("{error}"));
        let document = json!({
            "publisher": "aurora", "offer": "app", "type": "boat", "name": "sealed:2:my words",
            "leadSecret": seal("aurora/app:leadSecret"), "formerSecret": seal("aurora/app:formerSecret"),
            "plans": [5, {"plan": "one", "password": seal("aurora/app/one:password")}],
        });
        let row = keep(&ledger, document.clone()).await;
        let both = app(vec![[2; 32], [1; 32]], &ledger);
        assert_eq!(both.rewrap_secrets().await.unwrap_or_else(|error| panic!("{error}")), 1);
        assert_eq!(both.rewrap_secrets().await.unwrap_or_else(|error| panic!("{error}")), 0);
        let kept = load::<DraftRow>(&*ledger, &row.key()).await.unwrap_or_else(|error| panic!("{error}"));
        let kept = kept.expect("kept").row.document;
        let new = MasterKey::new([2; 32]);
        for (at, place) in [
            ("/leadSecret", "aurora/app:leadSecret"),
            ("/formerSecret", "aurora/app:formerSecret"),
            ("/plans/1/password", "aurora/app/one:password"),
        ] {
            let sealed = kept.pointer(at).and_then(Json::as_str).expect("text");
            assert_eq!(new.open(place, sealed).expect("opens"), "hunter2", "{at}");
        }
        assert_eq!(kept["name"], document["name"]);
    }

    #[tokio::test]
    async fn a_secret_that_does_not_open_is_named_with_its_record() {
        let ledger = Arc::new(Memory::new(Arc::new(|| 1)));
        let sealed = MasterKey::new([9; 32]).seal("aurora/app:leadSecret", "x");
        let sealed = sealed.unwrap_or_else(|error| panic!("{error}"));
        let row = keep(&ledger, json!({"publisher": "aurora", "offer": "app", "leadSecret": sealed})).await;
        let told = app(vec![[2; 32], [1; 32]], &ledger).rewrap_secrets().await;
        let Err(AppError::Ledger(LedgerError::Corrupt { kind, key, .. })) = told else { panic!("{told:?}") };
        assert_eq!((kind.as_str(), key), (DraftRow::KIND, row.key()));
    }
}
