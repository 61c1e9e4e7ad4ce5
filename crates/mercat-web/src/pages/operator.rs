//! The operator's pages: people, work, and how this installation is.

use super::filled::{Filled, Form, Texts, text};
use super::look::Look;
use super::{Answer, Frame, fail, see, show};
use crate::api::people::role;
use crate::guard::Caller;
use crate::{Health, Site};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use mercat_app::AppError;
use mercat_domain::Millis;
use mercat_domain::run::Shown;
use mercat_store::{PublisherRow, Query as Listing, TaskView, UserRow, list};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "operator.html")]
struct People {
    f: Frame,
    publishers: Vec<PublisherRow>,
    users: Vec<UserRow>,
    link: Option<(String, String)>,
    filled: Filled,
}

async fn people_page(
    site: &Site,
    caller: &Caller,
    (link, filled): (Option<(String, String)>, Filled),
) -> Answer {
    let all = || Listing { limit: 1000, ..Listing::default() };
    let loaded = async {
        let publishers = list::<PublisherRow>(&*site.app.ledger, all()).await?;
        let users = list::<UserRow>(&*site.app.ledger, all()).await?;
        Ok::<_, mercat_store::LedgerError>((publishers, users))
    };
    let (publishers, users) = loaded.await.map_err(|error| fail(caller)(error.into()))?;
    let page = People {
        f: Frame::new(caller),
        publishers: publishers.into_iter().map(|row| row.row).collect(),
        users: users.into_iter().map(|row| row.row).collect(),
        link,
        filled,
    };
    Ok(show(page.filled.status(), &page))
}

pub(super) async fn people(State(site): State<Arc<Site>>, caller: Caller) -> Answer {
    people_page(&site, &caller, Default::default()).await
}

pub(super) async fn new_publisher(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Form(sent): Form<Texts>,
) -> Answer {
    match site.app.create_publisher(caller.actor(), text(&sent, "id"), text(&sent, "name")).await {
        Ok(_) => Ok(see("/portal/operator")),
        Err(error) => people_page(&site, &caller, (None, Filled::refused(&caller, error, &sent)?)).await,
    }
}

pub(super) async fn new_member(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Form(sent): Form<Texts>,
) -> Answer {
    let added = async {
        let role = role(text(&sent, "role"))?;
        site.app.invite(&caller.who, text(&sent, "publisher"), text(&sent, "email"), role).await
    };
    let end = match added.await {
        Ok((_, link)) => (link.map(|link| (text(&sent, "email").to_owned(), link)), Filled::default()),
        Err(error) => (None, Filled::refused(&caller, error, &sent)?),
    };
    people_page(&site, &caller, end).await
}

/// One queue in numbers.
#[derive(Default)]
struct Queue {
    waiting: usize,
    worked_on: usize,
    later: usize,
    /// How long the oldest due task waits.
    oldest: Millis,
}

#[derive(Template)]
#[template(path = "queues.html")]
struct Queues {
    f: Frame,
    queues: BTreeMap<String, Queue>,
    tasks: Vec<TaskView>,
    now: Millis,
}

impl Queues {
    fn shown(&self, task: &TaskView) -> Shown {
        match task.leased {
            true => Shown::InProgress,
            false if task.not_before > self.now => Shown::Delayed,
            false => Shown::NotStarted,
        }
    }

    fn tone(&self, task: &TaskView) -> &'static str {
        self.shown(task).tone()
    }

    fn icon(&self, task: &TaskView) -> &'static str {
        self.shown(task).icon()
    }

    fn words(&self, task: &TaskView) -> String {
        self.f.t(match self.shown(task) {
            Shown::InProgress => "ui-worked-on",
            Shown::Delayed => "ui-tried-later",
            _ => "ui-waiting-for-worker",
        })
    }
}

pub(super) async fn queues(State(site): State<Arc<Site>>, caller: Caller) -> Answer {
    let read = async { Ok::<_, AppError>((site.app.ledger.tasks("").await?, site.app.ledger.now().await?)) };
    let (tasks, now) = read.await.map_err(fail(&caller))?;
    let mut queues: BTreeMap<String, Queue> = BTreeMap::new();
    for task in &tasks {
        let queue = queues.entry(task.queue.clone()).or_default();
        match (task.leased, task.not_before <= now) {
            (true, _) => queue.worked_on += 1,
            (false, true) => {
                queue.waiting += 1;
                queue.oldest = queue.oldest.max(now - task.not_before);
            }
            (false, false) => queue.later += 1,
        }
    }
    Ok(show(StatusCode::OK, &Queues { f: Frame::new(&caller), queues, tasks, now }))
}

#[derive(Template)]
#[template(path = "health.html")]
struct HealthPage {
    f: Frame,
    found: Vec<(&'static str, Health)>,
}

impl HealthPage {
    fn look(&self, health: &Health) -> (&'static str, &'static str, String) {
        match health {
            Health::Good(_) => ("good", "done", self.f.t("ui-health-good")),
            Health::Note(_) => ("warn", "info", self.f.t("ui-health-note")),
            Health::Bad(_) => ("bad", "problem", self.f.t("ui-health-bad")),
        }
    }

    fn text<'a>(&self, health: &'a Health) -> &'a str {
        let (Health::Good(text) | Health::Note(text) | Health::Bad(text)) = health;
        text
    }

    fn what(&self, name: &str) -> String {
        self.f.word("health", &name.replace(' ', "-"))
    }
}

pub(super) async fn health(State(site): State<Arc<Site>>, caller: Caller) -> Answer {
    let found = match &site.doctor {
        Some(doctor) => doctor.examine().await,
        None => Vec::new(),
    };
    Ok(show(StatusCode::OK, &HealthPage { f: Frame::new(&caller), found }))
}
