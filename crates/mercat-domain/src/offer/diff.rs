//! What changed between two documents, field by field; secrets only as "changed".

use super::fields::{Field, Rule, Scope, fields_of};
use crate::document::{Document, Fields, Value};
use std::collections::BTreeSet;

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Field path, for example `plans/standard/tags`.
    pub path: String,
    /// The field's key; `plan` for a plan as a whole.
    pub key: &'static str,
    /// As it was; empty when it was not set.
    pub before: String,
    /// As it is; empty when it is not set.
    pub after: String,
}

/// A value as one text: entries and rows are lines, cells are divided by bars.
pub fn shown(rule: Rule, value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(_) if rule.is_secret() => "•••".to_owned(),
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Flag(flag)) => flag.to_string(),
        Some(Value::List(list)) => list.join("\n"),
        Some(Value::Rows(rows)) => {
            let line = |row: &std::collections::BTreeMap<String, String>| {
                let cell = |column: &&str| row.get(*column).map_or("", String::as_str);
                columns(rule).iter().map(cell).collect::<Vec<_>>().join(" | ")
            };
            rows.iter().map(line).collect::<Vec<_>>().join("\n")
        }
    }
}

/// The columns of a field that holds rows.
pub fn columns(rule: Rule) -> &'static [&'static str] {
    match rule {
        Rule::Rows(columns, _) => columns,
        Rule::Versions => &["version", "osDiskUrl", "dataDisks"],
        _ => &[],
    }
}

/// Every field that differs, in editor order, offer before plans.
pub fn diff(before: &Document, after: &Document) -> Vec<Change> {
    let mut out = Vec::new();
    let kind = after.kind;
    fields(fields_of(kind, Scope::Offer), &before.fields, &after.fields, "", &mut out);
    let ids: BTreeSet<&str> = before.plans.iter().map(|plan| plan.id.as_str()).collect();
    let removed = before.plans.iter().filter(|plan| after.plan(&plan.id).is_none());
    for plan in after.plans.iter().chain(removed) {
        let path = format!("plans/{}", plan.id);
        let (was, is) = (before.plan(&plan.id), after.plan(&plan.id));
        if !ids.contains(plan.id.as_str()) || is.is_none() {
            let id = |there: bool| if there { plan.id.clone() } else { String::new() };
            out.push(Change {
                path: path.clone(),
                key: "plan",
                before: id(was.is_some()),
                after: id(is.is_some()),
            });
        }
        let none = Fields::new();
        let of = |plan: Option<&'_ crate::Plan>| plan.map_or(none.clone(), |plan| plan.fields.clone());
        fields(fields_of(kind, Scope::Plan), &of(was), &of(is), &format!("{path}/"), &mut out);
    }
    out
}

fn fields<'a>(
    of: impl Iterator<Item = &'a Field>,
    before: &Fields,
    after: &Fields,
    path: &str,
    out: &mut Vec<Change>,
) {
    for field in of {
        let (was, is) = (before.get(field.key), after.get(field.key));
        let empty = |value: Option<&Value>| value.is_none_or(Value::is_empty);
        if was == is || (empty(was) && empty(is)) {
            continue;
        }
        out.push(Change {
            path: format!("{path}{}", field.key),
            key: field.key,
            before: shown(field.rule, was),
            after: shown(field.rule, is),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OfferKey, OfferKind, Plan};

    #[test]
    fn changed_fields_new_plans_and_secrets_are_told() {
        let mut before = Document::new(OfferKey::new("aurora", "gateway"), OfferKind::Container);
        before.plans.push(Plan { id: "old".into(), ..Plan::default() });
        before.fields.insert("title".into(), Value::Text("Gateway".into()));
        let mut after = before.clone();
        after.plans[0].id = "new".into();
        after.plans[0].fields.insert("password".into(), Value::Text("sealed:x".into()));
        after.plans[0].fields.insert("tags".into(), Value::List(vec!["latest".into(), "1.0".into()]));
        after.fields.insert("title".into(), Value::Text("Hub".into()));
        after.fields.insert("summary".into(), Value::Text(String::new()));
        let told: Vec<(String, String, String)> =
            diff(&before, &after).into_iter().map(|c| (c.path, c.before, c.after)).collect();
        let line = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(
            told,
            [
                line("title", "Gateway", "Hub"),
                line("plans/new", "", "new"),
                line("plans/new/password", "", "•••"),
                line("plans/new/tags", "", "latest\n1.0"),
                line("plans/old", "old", ""),
            ]
        );
        assert_eq!(diff(&after, &after), []);
    }
}
