//! What many are told.

use super::{Answer, Shared, body, fail};
use crate::guard::Caller;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json};
use mercat_app::{AppError, Deprecation, Recertification};
use mercat_domain::OfferKey;
use mercat_store::{OfferRow, Query, list};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewDeprecation {
    plan: String,
    version: String,
    deadline: String,
    reason: String,
    alternative: String,
}

pub(super) async fn deprecate(
    State(site): Shared,
    caller: Caller,
    Path((publisher, offer)): Path<(String, String)>,
    bytes: Bytes,
) -> Answer {
    let NewDeprecation { plan, version, deadline, reason, alternative } = body(&bytes)?;
    let about = Deprecation { plan, version, deadline, reason, alternative };
    let key = OfferKey::new(publisher, offer);
    let told = site.app.announce_deprecation(caller.actor(), &key, &about).await.map_err(fail(&caller))?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "told": told }))).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRecertification {
    /// `publisher/offer`; all that are live when empty.
    #[serde(default)]
    offers: Vec<String>,
    rules: String,
    deadline: String,
    message: String,
}

pub(super) async fn recertify(State(site): Shared, caller: Caller, bytes: Bytes) -> Answer {
    let new: NewRecertification = body(&bytes)?;
    let about = Recertification { rules: new.rules, deadline: new.deadline, message: new.message };
    let done = async {
        let mut told = 0;
        let mut after = String::new();
        for offer in &new.offers {
            let (publisher, offer) = offer.split_once('/').ok_or(AppError::NotFound)?;
            let key = OfferKey::new(publisher, offer);
            told += site.app.announce_recertification(caller.actor(), &key, &about).await?;
        }
        while new.offers.is_empty() {
            let query = Query { after: after.clone(), limit: 500, ..Query::default() };
            let rows = list::<OfferRow>(&*site.app.ledger, query).await?;
            let Some(last) = rows.last() else { break };
            after = format!("{}/{}", last.row.publisher, last.row.offer);
            for row in rows.iter().filter(|row| row.row.live.is_some()) {
                let key = OfferKey::new(&row.row.publisher, &row.row.offer);
                told += site.app.announce_recertification(caller.actor(), &key, &about).await?;
            }
        }
        Ok::<_, AppError>(told)
    };
    let told = done.await.map_err(fail(&caller))?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "told": told }))).into_response())
}
