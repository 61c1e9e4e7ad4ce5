//! Every component in every state, for people who build pages; and what the pages promise to be.

use super::look::{Look, Pager};
use super::{Answer, Frame, show};
use crate::guard::Caller;
use askama::Template;
use axum::http::StatusCode;
use mercat_domain::offer::fields::{FIELDS, Field, LEAD_DESTINATIONS, Need};
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

/// Rules whose ids begin alike.
struct Family {
    id: &'static str,
    title: String,
    rules: Vec<(&'static str, String, Option<String>)>,
}

impl Family {
    fn has_fixes(&self) -> bool {
        self.rules.iter().any(|(.., fix)| fix.is_some())
    }
}

#[derive(Template)]
#[template(path = "rules.html")]
struct Rules {
    f: Frame,
    families: Vec<Family>,
    /// Lead destinations with the fields that each needs.
    destinations: Vec<(String, Vec<String>)>,
    /// Codes of what may go wrong with them, with what to do.
    errors: Vec<(&'static str, String)>,
}

const LEAD_ERRORS: [&str; 8] =
    ["auth", "permission", "not_found", "timeout", "tls", "rejected", "denied", "unreachable"];

fn destinations(f: &Frame) -> Vec<(String, Vec<String>)> {
    let fields = |destination: &'static str| {
        let needs = |field: &&Field| field.need == Need::When("leadDestination", destination);
        FIELDS.iter().filter(needs).map(|field| f.t(&format!("field-{}", field.key))).collect()
    };
    let named = LEAD_DESTINATIONS.iter().filter(|name| **name != "none");
    named.map(|name| (f.t(&format!("choice-{name}")), fields(name))).collect()
}

/// What certification asks for, rule by rule, with what to do (S2-19).
pub(super) async fn rules(caller: Caller) -> Answer {
    let f = Frame::new(&caller);
    let mut families: Vec<Family> = Vec::new();
    for (id, words, fix) in mercat_text::rules(f.locale) {
        let family = id.split(['-', '.']).next().unwrap_or(id);
        let at = families.iter().position(|known| known.id == family).unwrap_or_else(|| {
            let title = mercat_text::rule(f.locale, family);
            families.push(Family { id: family, title, rules: Vec::new() });
            families.len() - 1
        });
        if id != family {
            families[at].rules.push((id, words, fix));
        }
    }
    // Lead destinations have a part of their own; the rules of some families are told about together.
    families.retain(|family| family.id != "lead");
    for family in families.iter_mut().filter(|family| family.rules.is_empty()) {
        let fix = mercat_text::fix(f.locale, family.id);
        family.rules.push((family.id, family.title.clone(), fix));
    }
    families.iter_mut().for_each(|family| family.rules.sort_by_key(|(id, ..)| *id));
    // What the form asks for, before anything is submitted.
    let fields = mercat_domain::offer::CODES.map(|id| (id, f.t(id), None)).to_vec();
    families.insert(0, Family { id: "F", title: f.t("ui-rules-fields"), rules: fields });
    let words = |code: &'static str| (code, f.t(&format!("lead-error-{}", code.replace('_', "-"))));
    let (destinations, errors) = (destinations(&f), LEAD_ERRORS.map(words).to_vec());
    Ok(show(StatusCode::OK, &Rules { f, families, destinations, errors }))
}

pub(super) async fn page(caller: Caller) -> Answer {
    Ok(show(StatusCode::OK, &StyleGuide { f: Frame::new(&caller) }))
}
