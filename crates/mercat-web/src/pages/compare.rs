//! The draft beside what is live or in preview, field by field.

use super::filled::Query;
use super::{Answer, Frame, fail, show};
use crate::Site;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mercat_app::AppError;
use mercat_domain::offer::{Change, diff};
use mercat_domain::{Document, OfferKey};
use mercat_store::document::from_json;
use mercat_store::{OfferRow, SubmissionRow, load};
use serde::Deserialize;
use std::sync::Arc;

/// A change with the label of its field.
pub(super) struct Line {
    pub(super) label: String,
    pub(super) change: Change,
}

impl Line {
    pub(super) fn new(f: &Frame, change: Change) -> Self {
        let label = match change.key {
            "plan" => f.t("ui-plan"),
            key => f.t(&format!("field-{key}")),
        };
        let plan = change.path.strip_prefix("plans/").and_then(|rest| rest.split('/').next());
        let label = plan.map_or(label.clone(), |plan| format!("{plan}: {label}"));
        Self { label, change }
    }
}

/// What the draft would change in a slot; everything when the slot is empty.
pub(super) async fn against(
    site: &Site,
    f: &Frame,
    draft: &Document,
    submission: Option<&String>,
) -> Result<Vec<Line>, AppError> {
    let before = match submission {
        None => Document::new(draft.key.clone(), draft.kind),
        Some(id) => {
            let row = load::<SubmissionRow>(&*site.app.ledger, id).await?.ok_or(AppError::NotFound)?.row;
            from_json(&row.document).map_err(AppError::Problems)?
        }
    };
    Ok(diff(&before, draft).into_iter().map(|change| Line::new(f, change)).collect())
}

#[derive(Template)]
#[template(path = "compare.html")]
struct Compare {
    f: Frame,
    key: OfferKey,
    lines: Vec<Line>,
    with: &'static str,
    /// Slots that hold something.
    slots: Vec<(&'static str, &'static str)>,
}

#[derive(Deserialize)]
pub(super) struct With {
    with: Option<String>,
}

pub(super) async fn page(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer)): Path<(String, String)>,
    Query(asked): Query<With>,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let f = Frame::new(&caller);
    let read = async {
        let draft = site.app.draft(&key).await?;
        let offer =
            load::<OfferRow>(&*site.app.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?.row;
        let slots = [("live", "ui-live-link", &offer.live), ("preview", "ui-preview-link", &offer.preview)];
        let filled: Vec<_> = slots.into_iter().filter(|(.., slot)| slot.is_some()).collect();
        let chosen = filled.iter().find(|(name, ..)| asked.with.as_deref() == Some(name)).or(filled.first());
        let lines = match chosen {
            None => Vec::new(),
            Some((.., slot)) => against(&site, &f, &draft.document, slot.as_ref()).await?,
        };
        let with = chosen.map_or("", |(name, ..)| name);
        Ok::<_, AppError>((lines, with, filled.iter().map(|(name, key, _)| (*name, *key)).collect()))
    };
    let (lines, with, slots) = read.await.map_err(fail(&caller))?;
    Ok(show(StatusCode::OK, &Compare { f, key, lines, with, slots }))
}
