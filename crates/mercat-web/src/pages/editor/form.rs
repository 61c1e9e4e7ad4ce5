//! Between fields and form: how each kind of field is shown, and how what was sent is read back.

use super::super::Frame;
use mercat_domain::Document;
use mercat_domain::document::{Fields, Value};
use mercat_domain::offer::fields::{CATEGORIES, Field, Need, Rule, Scope, Tab, fields_of};
use mercat_domain::offer::{columns, shown};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Rows that a table of inputs has at least beyond those that are filled in.
const SPARE_ROWS: usize = 2;

/// How a field is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    Line,
    Area,
    Flag,
    Choice,
    Choices,
    Picture,
    Pictures,
    Secret,
    Rows,
}

/// One input.
pub(super) struct Input {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) control: Control,
    pub(super) value: String,
    /// The words of a choice, or of categories: value, whether chosen.
    pub(super) choices: Vec<(String, bool)>,
    /// Names of columns, and rows of name and value of each cell.
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<(String, String)>>,
    pub(super) pictures: Vec<String>,
    pub(super) hint: String,
    pub(super) kind: &'static str,
    pub(super) required: bool,
    pub(super) versions: bool,
    /// What tells whether the value is still the one that was shown.
    pub(super) mark: String,
    /// The part with its problems, as HTML.
    pub(super) problems: String,
    pub(super) invalid: bool,
}

/// A part of a page: the offer's fields, or one plan's.
pub(super) struct Group {
    pub(super) title: String,
    /// Index and id of the plan.
    pub(super) plan: Option<(usize, String)>,
    /// What is wrong with the id of the plan, as HTML, and whether anything is.
    pub(super) id_problems: (String, bool),
    pub(super) inputs: Vec<Input>,
    /// What the references of the plan stood for when they were resolved last.
    pub(super) resolved: Vec<Resolved>,
    /// Whether it was looked up just now, and not when it was published.
    pub(super) now: bool,
    /// Why they could not be looked up.
    pub(super) unresolved: String,
}

/// A reference as it was resolved, with the step that judged it.
pub(super) struct Resolved {
    pub(super) reference: String,
    pub(super) digest: String,
    pub(super) platforms: String,
    pub(super) size: u64,
    /// Address of the certification of these bytes, and how it ended; empty when there was none.
    pub(super) url: String,
    pub(super) verdict: String,
}

/// Where a field stands in a form and in a document.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) path: String,
}

/// Names of inputs begin with `f.` for the offer and with `p.0.` for its first plan.
pub(super) fn place(plan: Option<(usize, &str)>, key: &str) -> Place {
    match plan {
        None => Place { name: format!("f.{key}"), path: key.to_owned() },
        Some((at, id)) => Place { name: format!("p.{at}.{key}"), path: format!("plans/{id}/{key}") },
    }
}

/// The fields of a page that are of one scope.
pub(super) fn on_page(document: &Document, tab: Tab, scope: Scope) -> impl Iterator<Item = &'static Field> {
    fields_of(document.kind, scope).filter(move |field| field.tab == tab)
}

/// A short text that differs when what is shown of a value differs. A secret is shown as nothing.
pub(super) fn mark(rule: Rule, value: Option<&Value>) -> String {
    if rule.is_secret() {
        return String::new();
    }
    let text = shown(rule, value);
    let digest = Sha256::digest(text.trim_end().as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn label(f: &Frame, key: &str) -> String {
    f.t(&format!("field-{key}"))
}

/// One field as an input. `problems` are those of the whole draft that are to be shown.
pub(super) fn input(f: &Frame, field: &Field, fields: &Fields, place: &Place, problems: String) -> Input {
    let value = fields.get(field.key);
    let text = shown(field.rule, value);
    let control = control(field.rule);
    let lines = || text.lines().filter(|line| !line.is_empty()).map(str::to_owned);
    let choices = match field.rule {
        Rule::Choice(words) => words.iter().map(|word| ((*word).to_owned(), *word == text)).collect(),
        Rule::Categories => categories(&lines().collect::<Vec<_>>()),
        _ => Vec::new(),
    };
    Input {
        name: place.name.clone(),
        label: label(f, field.key),
        control,
        choices,
        columns: columns(field.rule).iter().map(|column| f.t(&format!("column-{column}"))).collect(),
        rows: rows(field.rule, value, &place.name),
        pictures: if control == Control::Pictures { lines().collect() } else { Vec::new() },
        hint: hint(f, field.rule, value.is_some()),
        kind: match field.rule {
            Rule::Email => "email",
            Rule::Phone => "tel",
            Rule::Url | Rule::HttpsUrl => "url",
            _ => "text",
        },
        required: field.need == Need::Required,
        versions: field.rule == Rule::Versions,
        mark: mark(field.rule, value),
        invalid: problems.contains("class=\"problem\""),
        problems,
        value: if control == Control::Secret { String::new() } else { text },
    }
}

fn control(rule: Rule) -> Control {
    match rule {
        Rule::Flag => Control::Flag,
        Rule::Choice(_) => Control::Choice,
        Rule::Categories => Control::Choices,
        Rule::Picture(..) => Control::Picture,
        Rule::Pictures(..) => Control::Pictures,
        Rule::Secret(_) | Rule::Connection => Control::Secret,
        Rule::Rows(..) | Rule::Versions => Control::Rows,
        Rule::Html(_)
        | Rule::Lines(_)
        | Rule::Guids(..)
        | Rule::Countries
        | Rule::Tags
        | Rule::Emails(_)
        | Rule::Platforms => Control::Area,
        _ => Control::Line,
    }
}

fn hint(f: &Frame, rule: Rule, set: bool) -> String {
    match rule {
        Rule::Picture(width, height) | Rule::Pictures(_, width, height) => {
            f.t1("ui-png-of", "size", &format!("{width}×{height}"))
        }
        rule if set && rule.is_secret() => f.t("ui-secret-set"),
        Rule::Versions => f.t("ui-versions-hint"),
        Rule::Guids(..) | Rule::Countries | Rule::Tags | Rule::Emails(_) | Rule::Platforms => {
            f.t("ui-one-per-line")
        }
        Rule::Html(most) => f.t1("ui-html-hint", "most", &most.to_string()),
        Rule::Text(most) | Rule::Lines(most) => f.t1("ui-at-most", "most", &most.to_string()),
        _ => String::new(),
    }
}

fn categories(chosen: &[String]) -> Vec<(String, bool)> {
    let names = CATEGORIES.iter().flat_map(|(name, subs)| {
        std::iter::once((*name).to_owned()).chain(subs.iter().map(move |sub| format!("{name}/{sub}")))
    });
    let mut all: Vec<(String, bool)> = names.map(|name| (name.clone(), chosen.contains(&name))).collect();
    // What is not in the list stays to be seen, and is told as a problem.
    let unknown = chosen.iter().filter(|name| !all.iter().any(|(known, _)| known == *name));
    let unknown: Vec<_> = unknown.map(|name| (name.clone(), true)).collect();
    all.extend(unknown);
    all
}

fn rows(rule: Rule, value: Option<&Value>, name: &str) -> Vec<Vec<(String, String)>> {
    let columns = columns(rule);
    if columns.is_empty() {
        return Vec::new();
    }
    let empty = Vec::new();
    let filled = match value {
        Some(Value::Rows(rows)) => rows,
        _ => &empty,
    };
    let cell = |at: usize, column: &str| {
        let value = filled.get(at).and_then(|row| row.get(column)).cloned().unwrap_or_default();
        (format!("{name}.{at}.{column}"), value)
    };
    (0..filled.len() + SPARE_ROWS).map(|at| columns.iter().map(|column| cell(at, column)).collect()).collect()
}

/// What a form sent: texts by name, files by name.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) texts: BTreeMap<String, Vec<String>>,
    pub(super) files: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Sent {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).and_then(|texts| texts.last()).map(String::as_str)
    }

    /// The value of a field without its files; `None` when the form says nothing about it, or empties it.
    /// The outer `None` means that the form has no such field.
    #[expect(clippy::option_option, reason = "absent from the form, and emptied by it, are two things")]
    pub(super) fn value(&self, field: &Field, name: &str) -> Option<Option<Value>> {
        let words = |text: &str| {
            let lines = text.split(['\n', ',', ' ', '\t']).map(str::trim).filter(|line| !line.is_empty());
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        match field.rule {
            // The form names the flags that it shows, for a box without a tick sends nothing.
            Rule::Flag => {
                self.text(&format!("{name}.there"))?;
                Some(self.text(name).map(|text| Value::Flag(text == "true")))
            }
            Rule::Rows(..) | Rule::Versions => self.rows(field.rule, name),
            Rule::Categories | Rule::Pictures(..) => {
                let gone = |entry: &&String| !self.texts.contains_key(&format!("{name}.remove.{entry}"));
                let entries = self.texts.get(name)?.iter().filter(|entry| !entry.is_empty()).filter(gone);
                Some(Some(Value::List(entries.cloned().collect())))
            }
            Rule::Guids(..) | Rule::Countries | Rule::Tags | Rule::Emails(_) | Rule::Platforms => {
                Some(Some(Value::List(words(self.text(name)?))))
            }
            // An empty secret means "as it was".
            Rule::Secret(_) | Rule::Connection => match self.text(name)? {
                "" => None,
                text => Some(Some(Value::Text(text.to_owned()))),
            },
            _ => Some(Some(Value::Text(self.text(name)?.trim_end().to_owned()))),
        }
    }

    #[expect(clippy::option_option, reason = "as above")]
    fn rows(&self, rule: Rule, name: &str) -> Option<Option<Value>> {
        let columns = columns(rule);
        self.text(&format!("{name}.0.{}", columns.first()?))?;
        let row = |at: usize| {
            let cell = |column: &&str| {
                let text = self.text(&format!("{name}.{at}.{column}")).map(str::trim);
                text.map(|text| ((*column).to_owned(), text.to_owned()))
            };
            columns.iter().map(cell).collect::<Option<BTreeMap<_, _>>>()
        };
        let rows = (0..).map_while(row).filter(|row| row.values().any(|cell| !cell.is_empty()));
        Some(Some(Value::Rows(rows.collect())))
    }
}
