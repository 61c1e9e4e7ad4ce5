//! Support: the form, the thread, the operator's queue.

use super::filled::{Files, Filled, Query, Sent};
use super::{Answer, Frame, fail, see, show};
use crate::Site;
use crate::api::support::attach;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mercat_app::{AppError, Concern, NewRequest, Reply};
use mercat_domain::support::{CATEGORIES, Priority, RequestState, Side};
use mercat_store::{AttachmentRow, RequestRow};
use serde::Deserialize;
use std::sync::Arc;

type Shared = State<Arc<Site>>;

pub(super) async fn stored(site: &Site, sent: &mut Sent) -> Result<Vec<AttachmentRow>, AppError> {
    sent.whole()?;
    let mut out = Vec::new();
    for (name, bytes) in std::mem::take(&mut sent.files) {
        out.push(attach(site, &name, bytes).await?);
    }
    Ok(out)
}

#[derive(Template)]
#[template(path = "support.html")]
struct List {
    f: Frame,
    mine: Vec<RequestRow>,
    queue: Vec<RequestRow>,
}

impl List {
    fn state(&self, row: &RequestRow) -> String {
        words_of_state(&self.f, row)
    }

    fn priority(&self, row: &RequestRow) -> String {
        words_of_priority(&self.f, row)
    }
}

fn words_of_state(f: &Frame, row: &RequestRow) -> String {
    RequestState::parse(&row.state).map(|state| f.t(state.key())).unwrap_or_default()
}

fn words_of_priority(f: &Frame, row: &RequestRow) -> String {
    Priority::parse(&row.priority).map(|priority| f.t(priority.key())).unwrap_or_default()
}

pub(super) async fn all(State(site): Shared, caller: Caller) -> Answer {
    let loaded = async {
        let mine = site.app.my_requests(&caller.who).await?;
        let queue = if caller.who.operator { site.app.request_queue(&caller.who).await? } else { Vec::new() };
        Ok::<_, AppError>((mine, queue))
    };
    let (mine, queue) = loaded.await.map_err(fail(&caller))?;
    Ok(show(StatusCode::OK, &List { f: Frame::new(&caller), mine, queue }))
}

#[derive(Template)]
#[template(path = "support-new.html")]
struct New {
    f: Frame,
    concern: Concern,
    categories: [&'static str; 6],
    priorities: [Priority; 4],
    filled: Filled,
}

impl New {
    /// Somebody who comes from a failed step asks about certification.
    fn usual(&self) -> &'static str {
        if self.concern.step.is_empty() { CATEGORIES[0] } else { "certification" }
    }
}

fn asking(caller: &Caller, concern: Concern, filled: Filled) -> Answer {
    let f = Frame::new(caller);
    let page = New { f, concern, categories: CATEGORIES, priorities: Priority::ALL, filled };
    Ok(show(page.filled.status(), &page))
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct About {
    publisher: String,
    offer: String,
    submission: String,
    step: String,
    to: String,
}

impl About {
    fn concern(self) -> Concern {
        let Self { publisher, offer, submission, step, to } = self;
        Concern { to_publisher: to == "publisher", publisher, offer, submission, step, rules: vec![] }
    }
}

pub(super) async fn form(State(site): Shared, caller: Caller, Query(about): Query<About>) -> Answer {
    let concern = site.app.concern(&caller.who, about.concern()).await.map_err(fail(&caller))?;
    asking(&caller, concern, Filled::default())
}

pub(super) async fn open(State(site): Shared, caller: Caller, Files(form): Files) -> Answer {
    let mut sent = Sent::read(&caller, form).await?;
    let about = About {
        publisher: sent.text("publisher"),
        offer: sent.text("offer"),
        submission: sent.text("submission"),
        step: sent.text("step"),
        to: sent.text("to"),
    };
    let concern = site.app.concern(&caller.who, about.concern()).await.map_err(fail(&caller))?;
    let made = async {
        let request = NewRequest {
            concern: concern.clone(),
            title: sent.text("title"),
            category: sent.text("category"),
            priority: sent.text("priority"),
            text: sent.text("text"),
            attachments: stored(&site, &mut sent).await?,
            locale: caller.locale.code().to_owned(),
        };
        site.app.open_request(&caller.who, &request).await
    };
    match made.await {
        Ok(row) => Ok(see(&format!("/support/{}", row.id))),
        Err(error) => asking(&caller, concern, Filled::refused(&caller, error, &sent.texts)?),
    }
}

#[derive(Template)]
#[template(path = "support-thread.html")]
struct Thread {
    f: Frame,
    row: RequestRow,
    helps: bool,
    priorities: [Priority; 4],
    filled: Filled,
}

impl Thread {
    fn state(&self) -> String {
        words_of_state(&self.f, &self.row)
    }
}

pub(super) async fn one(State(site): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    thread(&site, &caller, &id, Filled::default()).await
}

async fn thread(site: &Site, caller: &Caller, id: &str, filled: Filled) -> Answer {
    let (found, side) = site.app.request(&caller.who, id).await.map_err(fail(caller))?;
    let helps = side == Side::Helper;
    let page = Thread { f: Frame::new(caller), row: found.row, helps, priorities: Priority::ALL, filled };
    Ok(show(page.filled.status(), &page))
}

pub(super) async fn reply(
    State(site): Shared,
    caller: Caller,
    Path(id): Path<String>,
    Files(form): Files,
) -> Answer {
    let mut sent = Sent::read(&caller, form).await?;
    let made = async {
        site.app.request(&caller.who, &id).await?;
        let reply = Reply {
            text: sent.text("text"),
            attachments: stored(&site, &mut sent).await?,
            close: sent.texts.contains_key("close"),
            priority: sent.texts.get("priority").cloned(),
            engineer: sent.texts.get("engineer").cloned().filter(|email| !email.is_empty()),
        };
        site.app.reply(&caller.who, &id, &reply).await
    };
    match made.await {
        Ok(_) => Ok(see(&format!("/support/{id}"))),
        Err(error) => thread(&site, &caller, &id, Filled::refused(&caller, error, &sent.texts)?).await,
    }
}
