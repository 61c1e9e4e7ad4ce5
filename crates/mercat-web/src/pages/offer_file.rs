//! An offer as a file: export, import, and a second offer made from a first.

use super::filled::{Filled, Form, Texts, text, whole_sentence};
use super::{Answer, Frame, fail, see, show};
use crate::Site;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use mercat_app::{AppError, clone_public};
use mercat_domain::offer::Problem;
use mercat_domain::{OfferKey, Value};
use mercat_store::document::{fraction, from_json};
use serde::Deserialize;
use std::sync::Arc;

type Key = Path<(String, String)>;

/// The draft as YAML, without its secrets.
pub(super) async fn export(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer)): Key,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let draft = site.app.draft(&key).await.map_err(fail(&caller))?;
    let text = serde_saphyr::to_string(&clone_public(&draft.document));
    let text = text.map_err(|error| crate::problem::internal(&format!("offer.yaml: {error}")))?;
    let disposition = "attachment; filename=\"offer.yaml\"";
    let headers = [(header::CONTENT_TYPE, "application/yaml"), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, text).into_response())
}

#[derive(Template)]
#[template(path = "import.html")]
struct Import {
    f: Frame,
    key: OfferKey,
    text: String,
    version: u64,
    problems: Vec<String>,
    /// What the reader of YAML says, which speaks English.
    technical: String,
}

pub(super) async fn import_page(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer)): Key,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let version = site.app.draft(&key).await.map_err(fail(&caller))?.version;
    let f = Frame::new(&caller);
    Ok(show(
        StatusCode::OK,
        &Import { f, key, text: String::new(), version, problems: Vec::new(), technical: String::new() },
    ))
}

#[derive(Deserialize)]
pub(super) struct Imported {
    text: String,
    version: u64,
}

/// Replaces the draft by a file. Publisher, id and type stay those of the offer; secrets that the file does
/// not name stay as they are.
pub(super) async fn import(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer)): Key,
    Form(sent): Form<Imported>,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let f = Frame::new(&caller);
    let told = |problem: &Problem| whole_sentence(&f, &problem.path, problem);
    let mut technical = String::new();
    let parsed = serde_saphyr::from_str::<serde_json::Value>(&sent.text).map_err(|error| {
        technical = error.to_string();
        vec![f.t("ui-no-yaml")]
    });
    let parsed = parsed.and_then(|mut json| {
        if let Some((path, number)) = fraction(&json) {
            let problem = Problem::new("F003", path.trim_start_matches('/'), number, "text in quotes");
            return Err(vec![told(&problem)]);
        }
        if let Some(map) = json.as_object_mut() {
            map.insert("publisher".into(), key.publisher.clone().into());
            map.insert("offer".into(), key.offer.clone().into());
        }
        from_json(&json).map_err(|problems| problems.iter().map(told).collect())
    });
    let problems = match parsed {
        Err(problems) => problems,
        Ok(document) => match site.app.save_draft(caller.actor(), document, Some(sent.version)).await {
            Ok(_) => return Ok(see(&format!("/portal/offers/{key}/editor/settings?check=1"))),
            Err(AppError::Problems(problems)) => problems.iter().map(told).collect(),
            Err(AppError::Stale { .. }) => vec![f.t("ui-stale")],
            Err(error) => return Err(fail(&caller)(error)),
        },
    };
    let page = Import { f, key, text: sent.text, version: sent.version, problems, technical };
    Ok(show(StatusCode::UNPROCESSABLE_ENTITY, &page))
}

#[derive(Template)]
#[template(path = "clone.html")]
struct Copied {
    f: Frame,
    key: OfferKey,
    filled: Filled,
}

pub(super) async fn clone_page(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer)): Key,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    site.app.draft(&key).await.map_err(fail(&caller))?;
    Ok(show(StatusCode::OK, &Copied { f: Frame::new(&caller), key, filled: Filled::default() }))
}

/// A new draft with everything of another but its id, its name and its secrets.
pub(super) async fn clone_offer(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer)): Key,
    Form(new): Form<Texts>,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let made = async {
        let draft = site.app.draft(&key).await?;
        let mut document = from_json(&clone_public(&draft.document)).map_err(AppError::Problems)?;
        document.key = OfferKey::new(&key.publisher, text(&new, "offer"));
        document.fields.insert("name".into(), Value::Text(text(&new, "name").to_owned()));
        document.fields.insert("marketingId".into(), Value::Text(document.key.offer.clone()));
        let made = document.key.clone();
        site.app.save_draft(caller.actor(), document, None).await?;
        Ok::<_, AppError>(made)
    };
    match made.await {
        Ok(made) => Ok(see(&format!("/portal/offers/{made}/editor/settings"))),
        Err(error) => {
            let filled = Filled::refused(&caller, error, &new)?;
            Ok(show(filled.status(), &Copied { f: Frame::new(&caller), key, filled }))
        }
    }
}

#[derive(Template)]
#[template(path = "delete.html")]
struct Delete {
    f: Frame,
    key: OfferKey,
}

/// Asks once more, on a page of its own.
pub(super) async fn delete_page(caller: Caller, Path((publisher, offer)): Key) -> Answer {
    let key = OfferKey::new(publisher, offer);
    Ok(show(StatusCode::OK, &Delete { f: Frame::new(&caller), key }))
}

pub(super) async fn delete(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer)): Key,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    site.app.delete_offer(caller.actor(), &key).await.map_err(fail(&caller))?;
    Ok(see("/portal"))
}
