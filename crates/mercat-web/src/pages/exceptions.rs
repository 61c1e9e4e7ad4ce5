//! Exceptions: the publisher's requests and the reviewers' queue.

use super::support::{read, stored};
use super::{Answer, Frame, fail, see, show};
use crate::Site;
use crate::api::exceptions::decision;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::StatusCode;
use mercat_app::{AppError, ExceptionRequest, rfc3339};
use mercat_domain::OfferKey;
use mercat_domain::exception::ExceptionState;
use mercat_store::{ExceptionRow, FindingRow, ReportRow, load};
use serde::Deserialize;
use std::sync::Arc;

type Shared = State<Arc<Site>>;

#[derive(Template)]
#[template(path = "exception-new.html")]
struct New {
    f: Frame,
    key: OfferKey,
    which: Which,
    found: FindingRow,
}

#[derive(Deserialize, Clone)]
pub(super) struct Which {
    submission: String,
    step: String,
    finding: usize,
}

pub(super) async fn form(
    State(site): Shared,
    caller: Caller,
    Path((publisher, offer)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let loaded = async {
        // Whether the submission is this offer's.
        site.app.status(&key, Some(&which.submission)).await?;
        let report =
            load::<ReportRow>(&*site.app.ledger, &format!("{}/{}", which.submission, which.step)).await?;
        let found = report.and_then(|report| report.row.findings.get(which.finding).cloned());
        found.ok_or(AppError::NotFound)
    };
    let found = loaded.await.map_err(fail(&caller))?;
    Ok(show(StatusCode::OK, &New { f: Frame::new(&caller), key, which, found }))
}

pub(super) async fn ask(
    State(site): Shared,
    caller: Caller,
    Path((publisher, offer)): Path<(String, String)>,
    form: Multipart,
) -> Answer {
    let (texts, files) = read(form).await?;
    let text = |key: &str| texts.get(key).cloned().unwrap_or_default();
    let key = OfferKey::new(&publisher, offer);
    let made = async {
        let request = ExceptionRequest {
            submission: text("submission"),
            step: text("step"),
            finding: text("finding").parse().map_err(|_| AppError::NotFound)?,
            kind: text("kind"),
            reason: text("reason"),
            until: text("until"),
            attachments: stored(&site, files).await?,
            locale: caller.locale.code().to_owned(),
        };
        site.app.request_exception(caller.actor(), &key, &request).await
    };
    made.await.map_err(fail(&caller))?;
    Ok(see(&format!("/portal/publishers/{publisher}/exceptions")))
}

#[derive(Template)]
#[template(path = "exceptions.html")]
struct List {
    f: Frame,
    /// Empty for the reviewers' queue.
    publisher: String,
    rows: Vec<(ExceptionRow, String)>,
}

impl List {
    fn state(&self, row: &ExceptionRow) -> String {
        ExceptionState::parse(&row.state).map(|state| self.f.t(state.key())).unwrap_or_default()
    }

    fn until(&self, row: &ExceptionRow) -> String {
        if row.until == 0 { String::new() } else { rfc3339(row.until).chars().take(10).collect() }
    }

    /// Where the files of a request are.
    fn files(&self, row: &ExceptionRow) -> String {
        match self.publisher.as_str() {
            "" => format!("/api/v1/exceptions/{}/attachments", row.id),
            publisher => format!("/api/v1/publishers/{publisher}/exceptions/{}/attachments", row.id),
        }
    }

    fn open(&self, row: &ExceptionRow) -> bool {
        ["requested", "needsInformation"].contains(&row.state.as_str())
    }
}

pub(super) async fn all(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    let rows = site.app.exceptions(&publisher).await.map_err(fail(&caller))?;
    let rows = rows.into_iter().map(|row| (row, String::new())).collect();
    Ok(show(StatusCode::OK, &List { f: Frame::new(&caller), publisher, rows }))
}

pub(super) async fn queue(State(site): Shared, caller: Caller) -> Answer {
    let rows = site.app.exception_queue().await.map_err(fail(&caller))?;
    Ok(show(StatusCode::OK, &List { f: Frame::new(&caller), publisher: String::new(), rows }))
}

pub(super) async fn inform(
    State(site): Shared,
    caller: Caller,
    Path((publisher, id)): Path<(String, String)>,
    form: Multipart,
) -> Answer {
    let (texts, files) = read(form).await?;
    let made = async {
        let files = stored(&site, files).await?;
        let text = texts.get("text").cloned().unwrap_or_default();
        site.app.inform_exception(caller.actor(), &publisher, &id, &text, &files).await
    };
    made.await.map_err(fail(&caller))?;
    Ok(see(&format!("/portal/publishers/{publisher}/exceptions")))
}

pub(super) async fn decide(
    State(site): Shared,
    caller: Caller,
    Path(id): Path<String>,
    form: Multipart,
) -> Answer {
    let (texts, _) = read(form).await?;
    let text = |key: &str| texts.get(key).cloned().unwrap_or_default();
    let made = async {
        let decision = decision(&text("state"), text("note"), texts.get("until").cloned())?;
        site.app.decide_exception(&caller.who, &id, &decision).await
    };
    made.await.map_err(fail(&caller))?;
    Ok(see("/portal/operator/exceptions"))
}
