//! Support: the form, the thread, the operator's queue.

use super::{Answer, Frame, fail, see, show};
use crate::Site;
use crate::api::support::attach;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use mercat_app::{AppError, Concern, NewRequest, Reply, rfc3339};
use mercat_domain::support::{CATEGORIES, Priority, RequestState, Side};
use mercat_store::{AttachmentRow, RequestRow};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

type Shared = State<Arc<Site>>;

/// What a form sent: texts by name, and files with their names.
pub(super) async fn read(
    mut form: Multipart,
) -> Result<(BTreeMap<String, String>, Vec<(String, Vec<u8>)>), Response> {
    let bad =
        |error: axum::extract::multipart::MultipartError| crate::problem::malformed("", &error.body_text());
    let (mut texts, mut files) = (BTreeMap::new(), Vec::new());
    while let Some(part) = form.next_field().await.map_err(bad)? {
        let name = part.name().unwrap_or("").to_owned();
        match part.file_name().map(str::to_owned) {
            Some(file) => {
                let bytes = part.bytes().await.map_err(bad)?;
                if !bytes.is_empty() {
                    files.push((file, bytes.to_vec()));
                }
            }
            None => drop(texts.insert(name, part.text().await.map_err(bad)?)),
        }
    }
    Ok((texts, files))
}

pub(super) async fn stored(
    site: &Site,
    files: Vec<(String, Vec<u8>)>,
) -> Result<Vec<AttachmentRow>, AppError> {
    let mut out = Vec::new();
    for (name, bytes) in files {
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
    let f = Frame::new(&caller);
    Ok(show(StatusCode::OK, &New { f, concern, categories: CATEGORIES, priorities: Priority::ALL }))
}

pub(super) async fn open(State(site): Shared, caller: Caller, form: Multipart) -> Answer {
    let (texts, files) = read(form).await?;
    let text = |key: &str| texts.get(key).cloned().unwrap_or_default();
    let made = async {
        let about = About {
            publisher: text("publisher"),
            offer: text("offer"),
            submission: text("submission"),
            step: text("step"),
            to: text("to"),
        };
        let concern = about.concern();
        site.app.concern(&caller.who, concern.clone()).await?;
        let request = NewRequest {
            concern,
            title: text("title"),
            category: text("category"),
            priority: text("priority"),
            text: text("text"),
            attachments: stored(&site, files).await?,
            locale: caller.locale.code().to_owned(),
        };
        site.app.open_request(&caller.who, &request).await
    };
    let row = made.await.map_err(fail(&caller))?;
    Ok(see(&format!("/support/{}", row.id)))
}

#[derive(Template)]
#[template(path = "support-thread.html")]
struct Thread {
    f: Frame,
    row: RequestRow,
    helps: bool,
    priorities: [Priority; 4],
}

impl Thread {
    fn state(&self) -> String {
        words_of_state(&self.f, &self.row)
    }

    fn time(&self, at: &i64) -> String {
        rfc3339(*at)
    }

    fn is(&self, priority: &Priority) -> bool {
        priority.name() == self.row.priority
    }
}

pub(super) async fn one(State(site): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    let (found, side) = site.app.request(&caller.who, &id).await.map_err(fail(&caller))?;
    let helps = side == Side::Helper;
    let page = Thread { f: Frame::new(&caller), row: found.row, helps, priorities: Priority::ALL };
    Ok(show(StatusCode::OK, &page))
}

pub(super) async fn reply(
    State(site): Shared,
    caller: Caller,
    Path(id): Path<String>,
    form: Multipart,
) -> Answer {
    let (texts, files) = read(form).await?;
    let text = |key: &str| texts.get(key).cloned().unwrap_or_default();
    let made = async {
        site.app.request(&caller.who, &id).await?;
        let reply = Reply {
            text: text("text"),
            attachments: stored(&site, files).await?,
            close: texts.contains_key("close"),
            priority: texts.get("priority").cloned(),
            engineer: texts.get("engineer").cloned().filter(|email| !email.is_empty()),
        };
        site.app.reply(&caller.who, &id, &reply).await
    };
    made.await.map_err(fail(&caller))?;
    Ok(see(&format!("/support/{id}")))
}
