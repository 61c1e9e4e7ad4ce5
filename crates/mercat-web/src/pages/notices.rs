//! Which of a publisher's notices a member gets.

use super::{Answer, Frame, fail, see, show};
use crate::Site;
use crate::guard::Caller;
use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mercat_app::{AppError, Wish};
use mercat_store::{SubscriberRow, find};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Notices of a run, which somebody can subscribe to.
const NOTICES: [(&str, &str); 6] = [
    ("N1", "notice-n1"),
    ("N2", "notice-n2"),
    ("N3", "notice-n3"),
    ("N4", "notice-n4"),
    ("N6", "notice-n6"),
    ("N7", "notice-n7"),
];

#[derive(Template)]
#[template(path = "notices.html")]
struct Notices {
    f: Frame,
    publisher: String,
    own: Option<SubscriberRow>,
    notices: [(&'static str, &'static str); 6],
}

impl Notices {
    fn wants(&self, id: &&str) -> bool {
        let wanted =
            |row: &SubscriberRow| row.notices.is_empty() || row.notices.iter().any(|wanted| wanted == id);
        self.own.as_ref().is_some_and(wanted)
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
    let rows = find::<SubscriberRow>(&*site.app.ledger, "publisher", &publisher).await;
    let rows = rows.map_err(|error| fail(&caller)(AppError::from(error)))?;
    let own = rows.into_iter().map(|found| found.row).find(|row| row.user == caller.actor());
    Ok(show(StatusCode::OK, &Notices { f: Frame::new(&caller), publisher, own, notices: NOTICES }))
}

/// With no notice chosen, none is wanted.
pub(super) async fn save(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(publisher): Path<String>,
    Form(sent): Form<BTreeMap<String, String>>,
) -> Answer {
    let chosen = NOTICES.iter().filter(|(id, _)| sent.contains_key(*id));
    let notices: Vec<String> = chosen.map(|(id, _)| (*id).to_owned()).collect();
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
