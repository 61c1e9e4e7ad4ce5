//! The editor: a form made from the field table. Lists are lines, rows are lines with cells between bars.

use super::{Answer, Frame, fail, see, show};
use crate::Site;
use crate::guard::Caller;
use crate::media;
use askama::Template;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use mercat_app::AppError;
use mercat_domain::document::{Fields, Value};
use mercat_domain::offer::Problem;
use mercat_domain::offer::fields::{Field, Need, Rule, Scope, Tab, fields_of};
use mercat_domain::{Document, OfferKey, Plan};
use mercat_text::has;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One input.
pub(crate) struct Input {
    name: String,
    label: String,
    /// `text`, `area`, `flag`, `choice`, `picture` or `secret`.
    control: &'static str,
    value: String,
    choices: Vec<(String, bool)>,
    hint: String,
    required: bool,
    problems: Vec<String>,
}

pub(crate) struct Group {
    title: String,
    plan: Option<(usize, String, Vec<String>)>,
    inputs: Vec<Input>,
}

#[derive(Template)]
#[template(path = "editor.html")]
struct Editor {
    f: Frame,
    key: OfferKey,
    version: u64,
    groups: Vec<Group>,
    count: usize,
    /// Problems that belong to no input.
    others: Vec<String>,
    message: String,
    saved: bool,
}

#[derive(Deserialize)]
pub(super) struct Shown {
    check: Option<String>,
    saved: Option<String>,
}

pub(super) async fn page(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer)): Path<(String, String)>,
    Query(shown): Query<Shown>,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let draft = site.app.draft(&key).await.map_err(fail(&caller))?;
    let problems = match shown.check {
        None => Vec::new(),
        Some(_) => site.app.check_draft(&key).await.map_err(fail(&caller))?,
    };
    let page =
        editor(&caller, &draft.document, draft.version, &problems, String::new(), shown.saved.is_some());
    Ok(show(StatusCode::OK, &page))
}

fn editor(
    caller: &Caller,
    document: &Document,
    version: u64,
    problems: &[Problem],
    message: String,
    saved: bool,
) -> Editor {
    let f = Frame::new(caller);
    let mut groups = Vec::new();
    for tab in [Tab::Settings, Tab::Marketplace, Tab::Leads, Tab::Support] {
        let fields = fields_of(document.kind, Scope::Offer).filter(|field| field.tab == tab);
        let inputs = fields.map(|field| input(&f, field, &document.fields, "f.", "", problems)).collect();
        groups.push(Group { title: f.t(tab.key()), plan: None, inputs });
    }
    for (at, plan) in document.plans.iter().enumerate() {
        let (name, path) = (format!("p.{at}."), format!("plans/{}/", plan.id));
        let fields = fields_of(document.kind, Scope::Plan);
        let inputs = fields.map(|field| input(&f, field, &plan.fields, &name, &path, problems)).collect();
        let own = problems.iter().filter(|p| p.path == format!("plans/{}", plan.id)).map(|p| sentence(&f, p));
        let title = format!("{}: {}", f.t("tab-plans"), plan.id);
        groups.insert(1 + at, Group { title, plan: Some((at, plan.id.clone(), own.collect())), inputs });
    }
    let key = document.key.clone();
    let beside = |p: &&Problem| ["plans", "type", "offer"].contains(&p.path.as_str());
    let others = problems.iter().filter(beside).map(|p| format!("{}: {}", p.path, sentence(&f, p))).collect();
    Editor { f, key, version, groups, count: problems.len(), others, message, saved }
}

fn sentence(f: &Frame, problem: &Problem) -> String {
    format!("{}: {} ({})", problem.code, f.t(problem.code), problem.required)
}

fn input(f: &Frame, field: &Field, fields: &Fields, name: &str, path: &str, problems: &[Problem]) -> Input {
    let at = format!("{path}{}", field.key);
    let mine = |problem: &&Problem| problem.path == at || problem.path.starts_with(&format!("{at}/"));
    let value = fields.get(field.key);
    let text = match value {
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Flag(flag)) => flag.to_string(),
        Some(Value::List(list)) => list.join("\n"),
        Some(Value::Rows(rows)) => {
            let line = |row: &BTreeMap<String, String>| {
                let cell = |column: &&str| row.get(*column).cloned().unwrap_or_default();
                columns(field.rule).iter().map(cell).collect::<Vec<_>>().join(" | ")
            };
            rows.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        None => String::new(),
    };
    let (control, hint) = match field.rule {
        Rule::Flag => ("flag", String::new()),
        Rule::Choice(_) => ("choice", String::new()),
        Rule::Picture(..) => ("picture", f.t("ui-upload")),
        rule if rule.is_secret() && value.is_some() => ("secret", f.t("ui-secret-set")),
        Rule::Secret(_) | Rule::Connection => ("secret", String::new()),
        Rule::Html(_) => ("area", String::new()),
        Rule::Rows(..) => ("area", f.t1("ui-rows-hint", "columns", &columns(field.rule).join(" | "))),
        Rule::Versions => ("versions", f.t("ui-versions-hint")),
        Rule::Guids(..)
        | Rule::Countries
        | Rule::Categories
        | Rule::Pictures(..)
        | Rule::Tags
        | Rule::Emails(_)
        | Rule::Platforms => ("area", f.t("ui-one-per-line")),
        _ => ("text", String::new()),
    };
    let choices = match field.rule {
        Rule::Choice(words) => words.iter().map(|word| ((*word).to_owned(), *word == text)).collect(),
        _ => Vec::new(),
    };
    let label = format!("field-{}", field.key);
    Input {
        name: format!("{name}{}", field.key),
        label: if has(f.locale, &label) { f.t(&label) } else { field.key.to_owned() },
        control,
        value: if control == "secret" { String::new() } else { text },
        choices,
        hint,
        required: field.need == Need::Required,
        problems: problems.iter().filter(mine).map(|problem| sentence(f, problem)).collect(),
    }
}

fn columns(rule: Rule) -> &'static [&'static str] {
    match rule {
        Rule::Rows(columns, _) => columns,
        Rule::Versions => &["version", "osDiskUrl", "dataDisks"],
        _ => &[],
    }
}

/// What a form sent: texts by name, files by name.
#[derive(Default)]
struct Sent {
    texts: BTreeMap<String, String>,
    files: BTreeMap<String, Vec<u8>>,
}

async fn read(mut form: Multipart) -> Result<Sent, Response> {
    let mut sent = Sent::default();
    let bad =
        |error: axum::extract::multipart::MultipartError| crate::problem::malformed("", &error.body_text());
    while let Some(part) = form.next_field().await.map_err(bad)? {
        let name = part.name().unwrap_or("").to_owned();
        if part.file_name().is_some() {
            let bytes = part.bytes().await.map_err(bad)?;
            if !bytes.is_empty() {
                sent.files.insert(name, bytes.to_vec());
            }
        } else {
            let text = part.text().await.map_err(bad)?.replace("\r\n", "\n");
            sent.texts.insert(name, text);
        }
    }
    Ok(sent)
}

pub(super) async fn save(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer)): Path<(String, String)>,
    form: Multipart,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let sent = read(form).await?;
    let before = site.app.draft(&key).await.map_err(fail(&caller))?;
    let mut document = Document::new(key.clone(), before.document.kind);
    let kind = document.kind;
    let mut problems = Vec::new();
    let offer_fields = fields_of(kind, Scope::Offer);
    document.fields =
        collect(&site, &key, &sent, ("f.", ""), offer_fields, &before.document.fields, &mut problems)
            .await
            .map_err(fail(&caller))?;
    for at in 0.. {
        let Some(id) = sent.texts.get(&format!("p.{at}.id")) else { break };
        if sent.texts.contains_key(&format!("p.{at}.remove")) {
            continue;
        }
        let earlier = before.document.plan(id).map(|plan| plan.fields.clone()).unwrap_or_default();
        let name = format!("p.{at}.");
        let path = format!("plans/{id}/");
        let plan_fields = fields_of(kind, Scope::Plan);
        let fields = collect(&site, &key, &sent, (&name, &path), plan_fields, &earlier, &mut problems).await;
        document.plans.push(Plan { id: id.clone(), fields: fields.map_err(fail(&caller))? });
    }
    let action = sent.texts.get("action").map(String::as_str).unwrap_or("save");
    if action == "add-plan" {
        let number = document.plans.len() + 1;
        document.plans.push(Plan { id: format!("plan-{number}"), ..Plan::default() });
    }
    let version = sent.texts.get("version").and_then(|text| text.parse().ok()).unwrap_or(0);
    let shown = document.clone();
    if !problems.is_empty() {
        let page = editor(&caller, &shown, version, &problems, String::new(), false);
        return Ok(show(StatusCode::UNPROCESSABLE_ENTITY, &page));
    }
    match site.app.save_draft(caller.actor(), document, Some(version)).await {
        Ok(_) if action == "publish" => Ok(see(&format!("/portal/offers/{key}/publish"))),
        Ok(_) => Ok(see(&format!("/portal/offers/{key}/editor?saved=1"))),
        Err(AppError::Problems(problems)) => {
            let page = editor(&caller, &shown, version, &problems, String::new(), false);
            Ok(show(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        Err(AppError::Stale { current }) => {
            let message = Frame::new(&caller).t("ui-stale");
            Ok(show(StatusCode::PRECONDITION_FAILED, &editor(&caller, &shown, current, &[], message, false)))
        }
        Err(error) => Err(fail(&caller)(error)),
    }
}

async fn collect(
    site: &Site,
    key: &OfferKey,
    sent: &Sent,
    scope: (&str, &str),
    fields: impl Iterator<Item = &'static Field>,
    before: &Fields,
    problems: &mut Vec<Problem>,
) -> Result<Fields, AppError> {
    let (prefix, path) = scope;
    let mut out = Fields::new();
    for field in fields {
        let name = format!("{prefix}{}", field.key);
        if let Some(bytes) = sent.files.get(&name) {
            match media::store(site, &key.publisher, &format!("{path}{}", field.key), bytes.clone()).await {
                Ok(picture) => {
                    out.insert(field.key.to_owned(), Value::Text(picture.digest));
                    continue;
                }
                // The rest of the form is kept; the picture stays as it was.
                Err(AppError::Problems(found)) => problems.extend(found),
                Err(error) => return Err(error),
            }
        }
        let Some(text) = sent.texts.get(&name) else {
            if field.rule == Rule::Flag && before.contains_key(field.key) {
                out.insert(field.key.to_owned(), Value::Flag(false));
            }
            continue;
        };
        if let Some(value) = value(field, text) {
            out.insert(field.key.to_owned(), value);
        }
    }
    Ok(out)
}

fn value(field: &Field, text: &str) -> Option<Value> {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    match field.rule {
        Rule::Flag => Some(Value::Flag(text == "true")),
        Rule::Rows(..) | Rule::Versions => {
            let row = |line: &str| {
                let cells = line.split('|').map(|cell| cell.trim().to_owned());
                columns(field.rule).iter().map(|column| (*column).to_owned()).zip(cells).collect()
            };
            Some(Value::Rows(lines().map(row).collect()))
        }
        Rule::Guids(..)
        | Rule::Countries
        | Rule::Categories
        | Rule::Pictures(..)
        | Rule::Tags
        | Rule::Emails(_)
        | Rule::Platforms => Some(Value::List(lines().map(str::to_owned).collect())),
        // An empty secret means "as it was".
        rule if rule.is_secret() && text.is_empty() => None,
        _ => Some(Value::Text(text.trim_end().to_owned())),
    }
}
