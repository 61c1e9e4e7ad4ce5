//! The pages of the editor: which field is on which, and how far each page is.

use super::Problem;
use super::fields::{FIELDS, Scope, Tab, fields_of};
use crate::document::{Document, Value};

/// How far a page of the editor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PageState {
    /// Nothing is filled in.
    NotStarted,
    /// Something is missing or wrong.
    Incomplete,
    /// The checks of its fields find nothing.
    Complete,
}

impl PageState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::NotStarted, Self::Incomplete, Self::Complete];

    /// The key of its words.
    pub fn key(self) -> &'static str {
        match self {
            Self::NotStarted => "page-not-started",
            Self::Incomplete => "page-incomplete",
            Self::Complete => "page-complete",
        }
    }
}

/// The page on which a problem's path is edited; `None` when it belongs to no field.
pub fn tab_of(path: &str) -> Option<Tab> {
    let mut parts = path.split('/');
    let (key, scope) = match parts.next()? {
        "plans" => match parts.nth(1) {
            None => return Some(Tab::Plans),
            Some(key) => (key, Scope::Plan),
        },
        "offer" => return Some(Tab::Settings),
        key => (key, Scope::Offer),
    };
    FIELDS.iter().find(|field| field.key == key && field.scope == scope).map(|field| field.tab)
}

/// How far a page is, given every problem of the whole draft.
pub fn page_state(draft: &Document, tab: Tab, problems: &[Problem]) -> PageState {
    if !problems.iter().any(|problem| tab_of(&problem.path) == Some(tab)) {
        return PageState::Complete;
    }
    let on = |scope| fields_of(draft.kind, scope).filter(move |field| field.tab == tab);
    let filled = |value: Option<&Value>| value.is_some_and(|value| !value.is_empty());
    let offer = on(Scope::Offer).any(|field| filled(draft.fields.get(field.key)));
    let plan = draft.plans.iter().any(|plan| on(Scope::Plan).any(|field| filled(plan.fields.get(field.key))));
    if offer || plan { PageState::Incomplete } else { PageState::NotStarted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offer::check;
    use crate::{OfferKey, OfferKind, Plan};

    #[test]
    fn a_page_goes_from_not_started_over_incomplete_to_complete() {
        let mut draft = Document::new(OfferKey::new("aurora", "gateway"), OfferKind::Container);
        draft.plans.push(Plan { id: "standard".into(), ..Plan::default() });
        let state = |draft: &Document, tab| page_state(draft, tab, &check(draft, None));
        assert_eq!(state(&draft, Tab::Settings), PageState::NotStarted);
        assert_eq!(state(&draft, Tab::Plans), PageState::NotStarted);
        draft.fields.insert("name".into(), Value::Text("Gateway".into()));
        draft.plans[0].fields.insert("title".into(), Value::Text("Standard".into()));
        assert_eq!(state(&draft, Tab::Settings), PageState::Complete);
        assert_eq!(state(&draft, Tab::Plans), PageState::Incomplete);
    }

    #[test]
    fn every_problem_of_an_empty_draft_is_on_a_page() {
        for kind in OfferKind::ALL {
            let mut draft = Document::new(OfferKey::new("aurora", "gateway"), kind);
            draft.plans.push(Plan { id: "standard".into(), ..Plan::default() });
            for problem in check(&draft, None) {
                assert!(tab_of(&problem.path).is_some(), "{}", problem.path);
            }
        }
        assert_eq!(tab_of("plans/standard/tags/0"), Some(Tab::Technical));
        assert_eq!(tab_of("usefulLinks/1/url"), Some(Tab::Marketplace));
    }
}
