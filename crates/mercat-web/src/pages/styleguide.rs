//! Every component in every state, for people who build pages; and what the pages promise to be.

use super::look::{Look, Pager};
use super::{Answer, Frame, show};
use crate::guard::Caller;
use askama::Template;
use axum::http::StatusCode;
use mercat_domain::run::Shown;

#[derive(Template)]
#[template(path = "styleguide.html")]
struct StyleGuide {
    f: Frame,
}

impl StyleGuide {
    fn shown(&self) -> [Shown; 10] {
        Shown::ALL
    }

    fn pager(&self) -> Pager {
        let place = |page: u32| Some(format!("/styleguide?page={page}"));
        Pager { previous: place(1), next: place(3), words: self.f.t1("ui-page", "page", "2") }
    }
}

#[derive(Template)]
#[template(path = "accessibility.html")]
struct Accessibility {
    f: Frame,
}

/// What the pages promise to people who see, hear or move differently.
pub(super) async fn accessibility(caller: Caller) -> Answer {
    Ok(show(StatusCode::OK, &Accessibility { f: Frame::new(&caller) }))
}

pub(super) async fn page(caller: Caller) -> Answer {
    Ok(show(StatusCode::OK, &StyleGuide { f: Frame::new(&caller) }))
}
