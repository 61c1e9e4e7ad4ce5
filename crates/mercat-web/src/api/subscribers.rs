//! Who gets a publisher's notices beside those to whom they are addressed.

use super::{Answer, Shared, body, fail, no_content};
use crate::guard::Caller;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Json};
use mercat_app::{AppError, Wish};
use mercat_store::{SubscriberRow, find};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    notices: Vec<String>,
    #[serde(default)]
    locale: String,
    #[serde(default)]
    digest: bool,
}

impl Wanted {
    /// Whoever names no language gets the one in which they ask.
    fn wish(self, caller: &Caller) -> Wish {
        let asked =
            if self.locale.is_empty() { caller.locale } else { mercat_text::Locale::negotiate(&self.locale) };
        Wish { notices: self.notices, locale: asked.code().to_owned(), digest: self.digest }
    }
}

pub(super) async fn all(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    let rows = find::<SubscriberRow>(&*site.app.ledger, "publisher", &publisher).await;
    let rows = rows.map_err(|error| fail(&caller)(AppError::from(error)))?;
    Ok(Json(rows.into_iter().map(|found| found.row).collect::<Vec<_>>()).into_response())
}

pub(super) async fn put(
    State(site): Shared,
    caller: Caller,
    Path((publisher, email)): Path<(String, String)>,
    bytes: Bytes,
) -> Answer {
    let wish = body::<Wanted>(&bytes)?.wish(&caller);
    let row = site.app.subscribe(&publisher, &email, None, &wish).await.map_err(fail(&caller))?;
    Ok(Json(row).into_response())
}

pub(super) async fn remove(
    State(site): Shared,
    caller: Caller,
    Path((publisher, email)): Path<(String, String)>,
) -> Answer {
    site.app.unsubscribe(&publisher, &email, None).await.map_err(fail(&caller))?;
    Ok(no_content())
}

pub(super) async fn put_own(
    State(site): Shared,
    caller: Caller,
    Path(publisher): Path<String>,
    bytes: Bytes,
) -> Answer {
    let wish = body::<Wanted>(&bytes)?.wish(&caller);
    let row = site.app.subscribe(&publisher, "", Some(caller.actor()), &wish).await.map_err(fail(&caller))?;
    Ok(Json(row).into_response())
}

pub(super) async fn remove_own(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    site.app.unsubscribe(&publisher, "", Some(caller.actor())).await.map_err(fail(&caller))?;
    Ok(no_content())
}
