//! Which of a publisher's notices a member gets.

use super::filled::{Filled, Form, Texts, text};
use super::{Answer, Frame, fail, see, show};
use crate::Site;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, State};
use mercat_app::{AppError, Wish};
use mercat_store::{SubscriberRow, find};
use std::sync::Arc;

/// Notices of a run, which somebody can subscribe to.
const NOTICES: [(&str, &str); 8] = [
    ("N1", "notice-n1"),
    ("N2", "notice-n2"),
    ("N3", "notice-n3"),
    ("N4", "notice-n4"),
    ("N5", "notice-n5"),
    ("N6", "notice-n6"),
    ("N7", "notice-n7"),
    ("N8", "notice-n8"),
];

#[derive(Template)]
#[template(path = "notices.html")]
struct Notices {
    f: Frame,
    publisher: String,
    own: Option<SubscriberRow>,
    notices: [(&'static str, &'static str); 8],
    /// Shown to who may choose for them.
    others: Vec<SubscriberRow>,
    filled: Filled,
}

impl Notices {
    fn wants(&self, id: &&str) -> bool {
        let wanted =
            |row: &SubscriberRow| row.notices.is_empty() || row.notices.iter().any(|wanted| wanted == id);
        self.own.as_ref().is_some_and(wanted)
    }

    /// The notices of somebody else, in words.
    fn wanted(&self, row: &SubscriberRow) -> String {
        let wanted = |id: &str| row.notices.is_empty() || row.notices.iter().any(|own| own == id);
        let words = NOTICES.iter().filter(|(id, _)| wanted(id)).map(|(_, key)| self.f.t(key));
        words.collect::<Vec<_>>().join(", ")
    }

    fn digest(&self) -> bool {
        self.own.as_ref().is_some_and(|row| row.digest)
    }
}

pub(super) async fn page(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(publisher): Path<String>,
) -> Answer {
    chosen_page(&site, &caller, publisher, Filled::default()).await
}

async fn chosen_page(site: &Site, caller: &Caller, publisher: String, filled: Filled) -> Answer {
    let rows = find::<SubscriberRow>(&*site.app.ledger, "publisher", &publisher).await;
    let rows = rows.map_err(|error| fail(caller)(AppError::from(error)))?;
    let mut others: Vec<SubscriberRow> = rows.into_iter().map(|found| found.row).collect();
    let at = others.iter().position(|row| row.user == caller.actor());
    let own = at.map(|at| others.remove(at));
    let f = Frame::new(caller);
    Ok(show(filled.status(), &Notices { f, publisher, own, notices: NOTICES, others, filled }))
}

/// With no notice chosen, none is wanted.
pub(super) async fn save(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(publisher): Path<String>,
    Form(sent): Form<Texts>,
) -> Answer {
    let notices = chosen(&sent);
    let done = if notices.is_empty() {
        match site.app.unsubscribe(&publisher, "", Some(caller.actor())).await {
            Ok(()) | Err(AppError::NotFound) => Ok(()),
            other => other,
        }
    } else {
        let wish =
            Wish { notices, locale: caller.locale.code().to_owned(), digest: sent.contains_key("digest") };
        site.app.subscribe(&publisher, "", Some(caller.actor()), &wish).await.map(|_| ())
    };
    done.map_err(fail(&caller))?;
    Ok(see(&format!("/portal/publishers/{publisher}/notices")))
}

fn chosen(sent: &Texts) -> Vec<String> {
    let chosen = NOTICES.iter().filter(|(id, _)| sent.contains_key(*id));
    chosen.map(|(id, _)| (*id).to_owned()).collect()
}

/// Adds an address or takes one out.
pub(super) async fn others(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(publisher): Path<String>,
    Form(sent): Form<Texts>,
) -> Answer {
    let email = text(&sent, "email");
    if text(&sent, "action") == "remove" {
        site.app.unsubscribe(&publisher, email, None).await.map_err(fail(&caller))?;
    } else {
        let (notices, digest) = (chosen(&sent), sent.contains_key("digest"));
        let wish = Wish { notices, locale: caller.locale.code().to_owned(), digest };
        if let Err(error) = site.app.subscribe(&publisher, email, None, &wish).await {
            let filled = Filled::refused(&caller, error, &sent)?;
            return chosen_page(&site, &caller, publisher, filled).await;
        }
    }
    Ok(see(&format!("/portal/publishers/{publisher}/notices")))
}
