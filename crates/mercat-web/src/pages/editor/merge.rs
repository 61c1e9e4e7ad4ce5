//! Two people write at once: what each changed is kept, and what both changed is asked.

use super::form::{Sent, mark, on_page, place};
use super::words;
use mercat_domain::Document;
use mercat_domain::document::{Fields, Value};
use mercat_domain::offer::fields::{Rule, Scope, Tab};

/// A field that was changed here and, since it was shown, by somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conflict {
    /// Name of the input.
    pub(super) name: String,
    /// What was sent.
    pub(super) mine: Option<Value>,
    /// What is stored, as text.
    pub(super) theirs: String,
}

/// The draft with what the form changed. A field whose mark is still the one that was shown was not changed
/// by the form, and stays as it is stored; a field that is stored as it was shown takes what was sent.
pub(super) fn merge(stored: &Document, tab: Tab, sent: &Sent) -> (Document, Vec<Conflict>) {
    let mut out = stored.clone();
    let mut conflicts = Vec::new();
    let mut one = |fields: &mut Fields, plan: Option<(usize, &str)>, scope: Scope| {
        for field in on_page(stored, tab, scope) {
            let name = place(plan, field.key).name;
            let Some(mine) = sent.value(field, &name) else { continue };
            let theirs = fields.get(field.key);
            let was = sent.text(&format!("was.{name}")).unwrap_or_default();
            let secret = field.rule.is_secret();
            let (own, other) = (mark(field.rule, mine.as_ref()), mark(field.rule, theirs));
            if !secret && (own == was || own == other) {
                continue;
            }
            if !secret && other != was {
                let theirs = words(field.rule, theirs);
                conflicts.push(Conflict { name, mine, theirs });
                continue;
            }
            match mine {
                Some(value) => fields.insert(field.key.to_owned(), value),
                None if fields.contains_key(field.key) && field.rule == Rule::Flag => {
                    fields.insert(field.key.to_owned(), Value::Flag(false))
                }
                None => fields.remove(field.key),
            };
        }
    };
    one(&mut out.fields, None, Scope::Offer);
    for (at, plan) in out.plans.iter_mut().enumerate() {
        // Plans are numbered in the form: a number that stands for another plan by now changes nothing.
        if sent.text(&format!("p.{at}.was")) == Some(plan.id.as_str()) {
            one(&mut plan.fields, Some((at, &plan.id.clone())), Scope::Plan);
        }
    }
    (out, conflicts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mercat_domain::{OfferKey, OfferKind};

    fn form(pairs: &[(&str, &str)]) -> Sent {
        let mut sent = Sent::default();
        for (name, text) in pairs {
            sent.texts.entry((*name).to_owned()).or_default().push((*text).to_owned());
        }
        sent
    }

    fn stored(title: &str, summary: &str) -> Document {
        let mut out = Document::new(OfferKey::new("aurora", "gateway"), OfferKind::Container);
        for (key, text) in [("title", title), ("summary", summary)] {
            out.fields.insert(key.into(), Value::Text(text.into()));
        }
        out
    }

    fn was(text: &str) -> String {
        mark(Rule::Text(50), Some(&Value::Text(text.into())))
    }

    #[test]
    fn changes_of_two_people_to_two_fields_are_both_kept() {
        let (title, summary) = (was("A"), was("S"));
        let sent = form(&[
            ("f.title", "B"),
            ("was.f.title", &title),
            ("f.summary", "S"),
            ("was.f.summary", &summary),
        ]);
        let (merged, conflicts) = merge(&stored("A", "theirs"), Tab::Marketplace, &sent);
        assert_eq!((merged.text("title"), merged.text("summary")), ("B", "theirs"));
        assert_eq!(conflicts, []);
    }

    #[test]
    fn a_field_that_both_changed_is_asked_and_the_stored_value_stays() {
        let title = was("A");
        let sent = form(&[("f.title", "mine"), ("was.f.title", &title)]);
        let (merged, conflicts) = merge(&stored("theirs", "S"), Tab::Marketplace, &sent);
        assert_eq!(merged.text("title"), "theirs");
        assert_eq!(conflicts.len(), 1);
        assert_eq!(conflicts[0].theirs, "theirs");
        // Sent again with the mark of what was shown then, it is a decision.
        let seen = was("theirs");
        let sent = form(&[("f.title", "mine"), ("was.f.title", &seen)]);
        assert_eq!(merge(&stored("theirs", "S"), Tab::Marketplace, &sent).0.text("title"), "mine");
    }

    #[test]
    fn a_form_of_another_page_changes_nothing() {
        let sent = form(&[("f.title", "B"), ("was.f.title", &was("A"))]);
        assert_eq!(merge(&stored("A", "S"), Tab::Support, &sent).0, stored("A", "S"));
    }
}
