//! Changing the master key: every sealed value is wrapped anew.

use crate::{App, AppError};
use mercat_domain::Document;
use mercat_domain::document::{Fields, Value, text};
use mercat_domain::offer::fields::{FIELDS, Scope};
use mercat_store::document::{from_json, to_json};
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
        change: impl Fn(&R) -> Result<Option<R>, AppError>,
    ) -> Result<u32, AppError> {
        let (mut after, mut count) = (String::new(), 0);
        loop {
            let query = Query { after: after.clone(), limit: PAGE, ..Query::default() };
            let rows: Vec<Versioned<R>> = list(&*self.ledger, query).await?;
            let Some(last) = rows.last() else { return Ok(count) };
            after = last.row.key();
            for found in &rows {
                let Some(next) = change(&found.row)? else { continue };
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

    /// The document with its secrets wrapped anew; `None` when none changes.
    fn rewrap_json(&self, json: &Json) -> Result<Option<Json>, AppError> {
        let Ok(mut document) = from_json(json) else { return Ok(None) };
        let before = document.clone();
        self.rewrap_document(&mut document)?;
        Ok((document != before).then(|| to_json(&document)))
    }

    fn rewrap_document(&self, document: &mut Document) -> Result<(), AppError> {
        let key = document.key.to_string();
        self.rewrap_fields(&key, Scope::Offer, &mut document.fields)?;
        for plan in &mut document.plans {
            self.rewrap_fields(&format!("{key}/{}", plan.id), Scope::Plan, &mut plan.fields)?;
        }
        Ok(())
    }

    fn rewrap_fields(&self, place: &str, scope: Scope, fields: &mut Fields) -> Result<(), AppError> {
        for field in FIELDS.iter().filter(|field| field.scope == scope && field.rule.is_secret()) {
            let sealed = text(fields, field.key).to_owned();
            if crate::seal::is_sealed(&sealed)
                && let Some(value) = self.key.rewrap(&format!("{place}:{}", field.key), &sealed)?
            {
                fields.insert(field.key.to_owned(), Value::Text(value));
            }
        }
        Ok(())
    }
}
