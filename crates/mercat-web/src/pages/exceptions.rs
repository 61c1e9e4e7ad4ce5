//! Exceptions: the publisher's requests and the reviewers' queue.

use super::filled::{Files, Filled, Query, Sent};
use super::support::stored;
use super::{Answer, Frame, fail, see, show};
use crate::Site;
use crate::api::exceptions::decision;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, State};
use mercat_app::{AppError, ExceptionRequest, rfc3339};
use mercat_domain::OfferKey;
use mercat_domain::exception::{ExceptionState, scope};
use mercat_store::{ExceptionRow, FindingRow, ReportRow, UserRow, load};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

type Shared = State<Arc<Site>>;

/// Exceptions that are over, the last ones: the API has all of them.
const OVER_MAX: usize = 50;

#[derive(Template)]
#[template(path = "exception-new.html")]
struct New {
    f: Frame,
    key: OfferKey,
    which: Which,
    found: FindingRow,
    filled: Filled,
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
    asking(&site, &caller, OfferKey::new(publisher, offer), which, Filled::default()).await
}

async fn asking(site: &Site, caller: &Caller, key: OfferKey, which: Which, filled: Filled) -> Answer {
    let loaded = async {
        // Whether the submission is this offer's.
        site.app.status(&key, Some(&which.submission)).await?;
        let report =
            load::<ReportRow>(&*site.app.ledger, &format!("{}/{}", which.submission, which.step)).await?;
        let found = report.and_then(|report| report.row.findings.get(which.finding).cloned());
        found.ok_or(AppError::NotFound)
    };
    let found = loaded.await.map_err(fail(caller))?;
    Ok(show(filled.status(), &New { f: Frame::new(caller), key, which, found, filled }))
}

pub(super) async fn ask(
    State(site): Shared,
    caller: Caller,
    Path((publisher, offer)): Path<(String, String)>,
    Files(form): Files,
) -> Answer {
    let mut sent = Sent::read(&caller, form).await?;
    let key = OfferKey::new(&publisher, offer);
    let finding = sent.text("finding").parse().map_err(|_| fail(&caller)(AppError::NotFound))?;
    let which = Which { submission: sent.text("submission"), step: sent.text("step"), finding };
    let made = async {
        let request = ExceptionRequest {
            submission: which.submission.clone(),
            step: which.step.clone(),
            finding,
            kind: sent.text("kind"),
            reason: sent.text("reason"),
            until: sent.text("until"),
            attachments: stored(&site, &mut sent).await?,
            locale: caller.locale.code().to_owned(),
        };
        site.app.request_exception(caller.actor(), &key, &request).await
    };
    match made.await {
        // Sent twice, it is shown.
        Ok(_) | Err(AppError::Asked(_)) => Ok(see(&format!("/portal/publishers/{publisher}/exceptions"))),
        Err(error) => asking(&site, &caller, key, which, Filled::refused(&caller, error, &sent.texts)?).await,
    }
}

#[derive(Template)]
#[template(path = "exceptions.html")]
struct List {
    f: Frame,
    /// Empty for the reviewers' queue.
    publisher: String,
    rows: Vec<(ExceptionRow, String)>,
    /// What was granted, for reviewers.
    granted: Vec<ExceptionRow>,
    /// What was denied, withdrawn or is over, for reviewers.
    over: Vec<ExceptionRow>,
    /// Addresses of those who decided, by their ids.
    names: BTreeMap<String, String>,
    /// A form that was refused, and the request that it was about.
    filled: Filled,
    about: String,
}

impl List {
    fn state(&self, row: &ExceptionRow) -> String {
        ExceptionState::parse(&row.state).map(|state| self.f.t(state.key())).unwrap_or_default()
    }

    fn day(&self, row: &ExceptionRow) -> String {
        if row.until == 0 { String::new() } else { rfc3339(row.until).chars().take(10).collect() }
    }

    /// What stands in a field of a request's form.
    fn value(&self, row: &ExceptionRow, name: &str) -> String {
        match name {
            _ if row.id == self.about => self.filled.value(name).to_owned(),
            "until" => self.day(row),
            _ => String::new(),
        }
    }

    /// Where the files of a request are.
    fn files(&self, row: &ExceptionRow) -> String {
        match self.publisher.as_str() {
            "" => format!("/api/v1/exceptions/{}/attachments", row.id),
            publisher => format!("/api/v1/publishers/{publisher}/exceptions/{}/attachments", row.id),
        }
    }

    /// What the request, or the exception, holds to.
    fn scope(&self, row: &ExceptionRow) -> String {
        self.f.t(scope(&row.binding))
    }

    /// What the publisher does next.
    fn is_granted(&self, row: &ExceptionRow) -> bool {
        row.state == ExceptionState::Granted.name()
    }

    /// When it was decided, and by whom.
    fn decided(&self, row: &ExceptionRow) -> String {
        let day: String = rfc3339(row.decided).chars().take(10).collect();
        let who = self.names.get(&row.reviewer).filter(|email| !email.is_empty());
        let who = who.cloned().unwrap_or_else(|| self.f.t("ui-operator"));
        mercat_text::text(self.f.locale, "exception-decided", &[("day", &day), ("who", &who)])
    }

    /// In what it ended.
    fn ended(&self, row: &ExceptionRow) -> String {
        if self.is_granted(row) { self.f.t("exception-over") } else { self.state(row) }
    }

    fn open(&self, row: &ExceptionRow) -> bool {
        ["requested", "needsInformation"].contains(&row.state.as_str())
    }
}

async fn list(site: &Site, caller: &Caller, publisher: String, (about, filled): (String, Filled)) -> Answer {
    let rows = async {
        if publisher.is_empty() {
            let mut rows = site.app.exception_queue().await?;
            rows.extend(site.app.exceptions_asked_about().await?);
            return Ok(rows);
        }
        let rows = site.app.exceptions(&publisher).await?;
        Ok(rows.into_iter().map(|row| (row, String::new())).collect())
    };
    let rows = rows.await.map_err(fail(caller))?;
    let (granted, over) = match publisher.as_str() {
        "" => {
            let granted = site.app.exceptions_in_force().await.map_err(fail(caller))?;
            let mut over = site.app.exceptions_over().await.map_err(fail(caller))?;
            over.truncate(OVER_MAX);
            (granted, over)
        }
        _ => (Vec::new(), Vec::new()),
    };
    let mut names = BTreeMap::new();
    for row in granted.iter().chain(&over).filter(|row| !row.reviewer.is_empty()) {
        if !names.contains_key(&row.reviewer) {
            let user = load::<UserRow>(&*site.app.ledger, &row.reviewer)
                .await
                .map_err(|error| fail(caller)(error.into()))?;
            names.insert(row.reviewer.clone(), user.map(|user| user.row.email).unwrap_or_default());
        }
    }
    let known = rows.iter().map(|(row, _)| row).chain(&granted).chain(&over).any(|row| row.id == about);
    // Somebody else decided meanwhile.
    if filled.is_refused() && !known {
        return Err(fail(caller)(filled.into_error()));
    }
    let f = Frame::new(caller);
    Ok(show(filled.status(), &List { f, publisher, rows, granted, over, names, filled, about }))
}

pub(super) async fn all(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    list(&site, &caller, publisher, Default::default()).await
}

pub(super) async fn queue(State(site): Shared, caller: Caller) -> Answer {
    list(&site, &caller, String::new(), Default::default()).await
}

pub(super) async fn inform(
    State(site): Shared,
    caller: Caller,
    Path((publisher, id)): Path<(String, String)>,
    Files(form): Files,
) -> Answer {
    let mut sent = Sent::read(&caller, form).await?;
    let made = async {
        let files = stored(&site, &mut sent).await?;
        site.app.inform_exception(caller.actor(), &publisher, &id, &sent.text("text"), &files).await
    };
    match made.await {
        Ok(_) => Ok(see(&format!("/portal/publishers/{publisher}/exceptions"))),
        Err(error) => {
            let filled = Filled::refused(&caller, error, &sent.texts)?;
            list(&site, &caller, publisher, (id, filled)).await
        }
    }
}

pub(super) async fn decide(
    State(site): Shared,
    caller: Caller,
    Path(id): Path<String>,
    Files(form): Files,
) -> Answer {
    let mut sent = Sent::read(&caller, form).await?;
    let made = async {
        sent.whole()?;
        let decision = decision(
            &sent.text("state"),
            sent.text("note"),
            sent.texts.get("until").cloned(),
            sent.texts.get("from").cloned(),
        )?;
        site.app.decide_exception(&caller.who, &id, &decision).await
    };
    match made.await {
        Ok(_) => Ok(see("/portal/operator/exceptions")),
        Err(error) => {
            let filled = Filled::refused(&caller, error, &sent.texts)?;
            list(&site, &caller, String::new(), (id, filled)).await
        }
    }
}
