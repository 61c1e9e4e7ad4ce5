//! Checks a draft against the field table: every problem at once, in a stable order.

use super::disk::DiskSource;
use super::fields::{CATEGORIES, Field, Need, Rule, Scope, fields_of};
use crate::country::is_country;
use crate::document::{Document, Fields, Plan, Value};
use crate::ids::{SlugProblem, check_slug, is_guid};
use crate::lead::TableAccount;
use crate::limits::{OFFER_PLANS_MAX, PLAN_TAGS_MAX};
use crate::{Digest, OfferKind, tags};
use std::collections::{BTreeMap, BTreeSet};

/// One thing wrong with a draft: a rule code, the field's path, and both sides of the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Rule code, `F001` to `F025` (domain rules 3.8).
    pub code: &'static str,
    /// Field path, for example `plans/standard/tags`.
    pub path: String,
    /// What was found; empty for secrets.
    pub observed: String,
    /// What is required.
    pub required: String,
}

impl Problem {
    /// A problem at a path.
    pub fn new(
        code: &'static str,
        path: impl Into<String>,
        observed: impl Into<String>,
        required: impl Into<String>,
    ) -> Self {
        let mut observed = observed.into();
        if observed.chars().count() > 120 {
            observed = observed.chars().take(119).chain(['…']).collect();
        }
        Self { code, path: path.into(), observed, required: required.into() }
    }
}

/// Checks a whole draft. `published` is the document in production, if any;
/// fields locked by it may not differ.
pub fn check(draft: &Document, published: Option<&Document>) -> Vec<Problem> {
    let mut out = Vec::new();
    check_id(&draft.key.offer, "offer", &mut out);
    let before = published.map(|document| &document.fields);
    for field in fields_of(draft.kind, Scope::Offer) {
        check_field(field, &draft.fields, before, field.key.to_owned(), &mut out);
    }
    check_plans(draft, published, &mut out);
    if let Some(published) = published {
        check_against_published(draft, published, &mut out);
    }
    out
}

fn check_id(id: &str, path: &str, out: &mut Vec<Problem>) {
    out.extend(id_problem(id, path));
}

/// What is wrong with an id of at most 50 characters (domain rules 3.1).
pub fn id_problem(id: &str, path: &str) -> Option<Problem> {
    let (code, required) = match check_slug(id, 50) {
        Ok(()) => return None,
        Err(SlugProblem::Empty) => ("F001", "a value"),
        Err(SlugProblem::TooLong) => ("F002", "at most 50 characters"),
        Err(SlugProblem::Charset) => ("F003", "a-z, 0-9, - and _, starting with a letter or digit"),
        Err(SlugProblem::TrailingDash) => ("F004", "no - or _ at the end"),
    };
    Some(Problem::new(code, path, id, required))
}

fn check_plans(draft: &Document, published: Option<&Document>, out: &mut Vec<Problem>) {
    if draft.plans.is_empty() {
        out.push(Problem::new("F016", "plans", "0", "at least one plan"));
    }
    if draft.plans.len() > OFFER_PLANS_MAX {
        let most = format!("at most {OFFER_PLANS_MAX}");
        out.push(Problem::new("F008", "plans", draft.plans.len().to_string(), most));
    }
    let mut seen = BTreeSet::new();
    for plan in &draft.plans {
        let base = format!("plans/{}", plan.id);
        check_id(&plan.id, &base, out);
        if !seen.insert(plan.id.as_str()) {
            out.push(Problem::new("F005", &base, &plan.id, "a plan id that is used once"));
        }
        let before = published.and_then(|document| document.plan(&plan.id));
        for field in fields_of(draft.kind, Scope::Plan) {
            let path = format!("{base}/{}", field.key);
            check_field(field, &plan.fields, before.map(|plan| &plan.fields), path, out);
        }
        check_plan_rules(draft.kind, plan, before, &base, out);
    }
}

fn check_plan_rules(kind: OfferKind, plan: &Plan, before: Option<&Plan>, base: &str, out: &mut Vec<Problem>) {
    if kind == OfferKind::Container && plan.text("licenseModel") == "usage" {
        let path = format!("{base}/licenseModel");
        out.push(Problem::new("F001", path, "usage", "free or byol for container images"));
    }
    if plan.flag("hidden") && plan.flag("private") {
        out.push(Problem::new("F025", format!("{base}/hidden"), "hidden and private", "one of the two"));
    }
    let Some(before) = before else { return };
    check_published_versions(plan, before, base, out);
    if plan.flag("private") && !before.flag("private") {
        out.push(Problem::new("F006", format!("{base}/private"), "true", "false, as published"));
    }
    let price = |plan: &Plan| plan.text("price").parse::<f64>().ok();
    if let (Some(now), Some(then)) = (price(plan), price(before))
        && now > then
    {
        let path = format!("{base}/price");
        out.push(Problem::new("F017", path, now.to_string(), format!("at most {then}, as published")));
    }
}

/// A version that was published keeps its disks; a URL may be signed anew.
fn check_published_versions(plan: &Plan, before: &Plan, base: &str, out: &mut Vec<Problem>) {
    let rows = |plan| crate::document::rows(plan, "versions");
    let cell = |row: &BTreeMap<String, String>, key: &str| row.get(key).cloned().unwrap_or_default();
    let disks = |row: &BTreeMap<String, String>| -> Vec<String> {
        let all = format!("{} {}", cell(row, "osDiskUrl"), cell(row, "dataDisks"));
        let identity = |text: &str| DiskSource::parse(text).map_or(text, DiskSource::identity).to_owned();
        all.split_whitespace().map(identity).collect()
    };
    let newest =
        rows(&before.fields).iter().filter_map(|old| tags::parse_triple(&cell(old, "version"))).max();
    let count = |row: &BTreeMap<String, String>| cell(row, "dataDisks").split_whitespace().count();
    let data_disks = rows(&before.fields).first().map(count);
    for (index, row) in rows(&plan.fields).iter().enumerate() {
        let is_new = !rows(&before.fields).iter().any(|old| cell(old, "version") == cell(row, "version"));
        let version = tags::parse_triple(&cell(row, "version"));
        if let (true, Some(version), Some(newest)) = (is_new, version, newest)
            && version <= newest
        {
            let path = format!("{base}/versions/{index}/version");
            let [x, y, z] = newest;
            let required = format!("greater than {x}.{y}.{z}, the newest that was published");
            out.push(Problem::new("F012", path, cell(row, "version"), required));
        }
        if let Some(before) = data_disks.filter(|before| is_new && *before != count(row)) {
            let path = format!("{base}/versions/{index}/dataDisks");
            let required =
                format!("{before}, as in the versions that were published; another number is a new plan");
            out.push(Problem::new("F013", path, count(row).to_string(), required));
        }
        let published = rows(&before.fields).iter().find(|old| cell(old, "version") == cell(row, "version"));
        if published.is_some_and(|old| disks(old) != disks(row)) {
            let path = format!("{base}/versions/{index}/osDiskUrl");
            let required = "the disks of the published version; changed disks are a new version";
            out.push(Problem::new("F006", path, super::disk::shown(&cell(row, "osDiskUrl")), required));
        }
    }
}

fn check_against_published(draft: &Document, published: &Document, out: &mut Vec<Problem>) {
    if draft.kind != published.kind {
        out.push(Problem::new("F006", "type", draft.kind.name(), published.kind.name()));
    }
    if !published.text("hero").is_empty() && draft.text("hero").is_empty() {
        out.push(Problem::new("F024", "hero", "", "a hero picture, as published"));
    }
}

fn check_field(
    field: &Field,
    fields: &Fields,
    before: Option<&Fields>,
    path: String,
    out: &mut Vec<Problem>,
) {
    let value = fields.get(field.key);
    if field.locked
        && let Some(then) = before.and_then(|fields| fields.get(field.key))
        && !then.is_empty()
        && value != Some(then)
    {
        out.push(Problem::new("F006", &path, show(value), show(Some(then))));
    }
    let empty = value.is_none_or(Value::is_empty);
    if empty && needed(field.need, fields) {
        let code = match field.rule {
            Rule::Tags | Rule::Versions => "F016",
            Rule::Countries => "F018",
            _ => "F001",
        };
        out.push(Problem::new(code, path, "", "a value"));
        return;
    }
    if let (Some(value), false) = (value, empty) {
        check_value(field.rule, value, &path, out);
    }
}

fn needed(need: Need, fields: &Fields) -> bool {
    match need {
        Need::Optional => false,
        Need::Required => true,
        Need::When(key, word) => show(fields.get(key)) == word,
        Need::Unless(key) => show(fields.get(key)) != "true",
    }
}

fn show(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Flag(flag)) => flag.to_string(),
        Some(Value::List(list)) => list.join(", "),
        Some(Value::Rows(rows)) => format!("{} rows", rows.len()),
    }
}

fn check_value(rule: Rule, value: &Value, path: &str, out: &mut Vec<Problem>) {
    match (rule, value) {
        (Rule::Flag, Value::Flag(_)) => {}
        (Rule::Guids(min, max), Value::List(list)) => {
            check_count(list.len(), min, max, path, out);
            check_each(list, path, out, |item| {
                (!is_guid(item)).then_some(("F007", "a GUID, 8-4-4-4-12 hexadecimal digits"))
            });
        }
        (Rule::Countries, Value::List(list)) => check_each(list, path, out, |item| {
            (!is_country(item)).then_some(("F003", "an ISO 3166-1 alpha-2 code such as JP"))
        }),
        (Rule::Categories, Value::List(list)) => check_categories(list, path, out),
        (Rule::Pictures(max, ..), Value::List(list)) => {
            check_count(list.len(), 0, max, path, out);
            check_each(list, path, out, picture);
        }
        (Rule::Tags, Value::List(list)) => {
            check_count(list.len(), 1, PLAN_TAGS_MAX, path, out);
            check_unique(list, path, out);
            check_each(list, path, out, |item| {
                (!tags::is_tag(item) && Digest::parse(item).is_none())
                    .then_some(("F022", "a tag ([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}) or a sha256 digest"))
            });
        }
        (Rule::Emails(max), Value::List(list)) => {
            check_count(list.len(), 1, max, path, out);
            check_unique(list, path, out);
            check_each(list, path, out, |item| (!is_email(item)).then_some(("F023", "name@example.org")));
        }
        (Rule::Platforms, Value::List(list)) => check_each(list, path, out, |item| {
            let parts: Vec<&str> = item.split('/').collect();
            let ok = matches!(parts.len(), 2 | 3) && parts.iter().all(|part| !part.is_empty());
            (!ok).then_some(("F003", "os/architecture[/variant], for example linux/amd64"))
        }),
        (Rule::Rows(columns, max), Value::Rows(rows)) => check_rows(columns, max, rows, path, out),
        (Rule::Versions, Value::Rows(rows)) => check_versions(rows, path, out),
        (_, Value::Text(text)) => check_text(rule, text, path, out),
        _ => out.push(Problem::new("F003", path, show(Some(value)), shape(rule))),
    }
}

/// The codes of what can be wrong with fields (domain rules 4); each has words under its own name.
pub const CODES: [&str; 25] = [
    "F001", "F002", "F003", "F004", "F005", "F006", "F007", "F008", "F009", "F010", "F011", "F012", "F013",
    "F014", "F015", "F016", "F017", "F018", "F019", "F020", "F021", "F022", "F023", "F024", "F025",
];

fn shape(rule: Rule) -> &'static str {
    match rule {
        Rule::Flag => "true or false",
        Rule::Rows(..) | Rule::Versions => "a list of rows",
        Rule::Guids(..)
        | Rule::Countries
        | Rule::Categories
        | Rule::Pictures(..)
        | Rule::Tags
        | Rule::Emails(_)
        | Rule::Platforms => "a list",
        _ => "text",
    }
}

fn check_count(count: usize, min: usize, max: usize, path: &str, out: &mut Vec<Problem>) {
    if !(min..=max).contains(&count) {
        out.push(Problem::new("F008", path, count.to_string(), format!("{min} to {max} entries")));
    }
}

fn check_unique(list: &[String], path: &str, out: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for item in list.iter().filter(|item| !seen.insert(item.as_str())) {
        out.push(Problem::new("F005", path, item, "each entry once"));
    }
}

type Complaint = Option<(&'static str, &'static str)>;

fn check_each(list: &[String], path: &str, out: &mut Vec<Problem>, complain: impl Fn(&str) -> Complaint) {
    for (index, item) in list.iter().enumerate() {
        if let Some((code, required)) = complain(item) {
            out.push(Problem::new(code, format!("{path}/{index}"), item, required));
        }
    }
}

fn check_categories(list: &[String], path: &str, out: &mut Vec<Problem>) {
    let mut by_category: Vec<(&str, usize)> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let (category, sub) = item.split_once('/').map_or((item.as_str(), None), |(c, s)| (c, Some(s)));
        let known = CATEGORIES.iter().find(|(name, _)| *name == category);
        if !known.is_some_and(|(_, subs)| sub.is_none_or(|sub| subs.contains(&sub))) {
            let names: Vec<String> = match known {
                None => CATEGORIES.iter().map(|(name, _)| (*name).to_owned()).collect(),
                Some((name, [])) => vec![(*name).to_owned()],
                Some((name, subs)) => subs.iter().map(|sub| format!("{name}/{sub}")).collect(),
            };
            let required = format!("one of: {}", names.join(", "));
            out.push(Problem::new("F003", format!("{path}/{index}"), item, required));
            continue;
        }
        match by_category.iter_mut().find(|(name, _)| *name == category) {
            Some((_, count)) => *count += 1,
            None => by_category.push((category, 1)),
        }
    }
    if by_category.len() > 2 || by_category.iter().any(|(_, count)| *count > 2) {
        let most = "at most 2 categories with 2 subcategories each";
        out.push(Problem::new("F008", path, list.join(", "), most));
    }
}

fn check_rows(
    columns: &[&str],
    max: usize,
    rows: &[std::collections::BTreeMap<String, String>],
    path: &str,
    out: &mut Vec<Problem>,
) {
    check_count(rows.len(), 0, max, path, out);
    for (index, row) in rows.iter().enumerate() {
        for column in columns {
            let cell = row.get(*column).map_or("", String::as_str);
            let path = format!("{path}/{index}/{column}");
            if cell.trim().is_empty() {
                out.push(Problem::new("F001", path, "", "a value"));
            } else if *column == "url" && !is_url(cell, &["http://", "https://"]) {
                out.push(Problem::new("F009", path, cell, "an http or https link"));
            } else if *column == "port" && !is_port_or_range(cell) {
                out.push(Problem::new("F003", path, cell, "a port from 1 to 65535 or a range a-b"));
            } else if cell.chars().count() > cell_max(column) {
                let most = format!("at most {} characters", cell_max(column));
                out.push(Problem::new("F002", path, cell, most));
            }
        }
        for extra in row.keys().filter(|key| !columns.contains(&key.as_str())) {
            let known = columns.join(", ");
            out.push(Problem::new("F003", format!("{path}/{index}/{extra}"), extra, known));
        }
    }
}

/// Characters of a cell; defaults of IoT Edge modules may be longer (domain rules 6.4).
fn cell_max(column: &str) -> usize {
    if matches!(column, "name" | "value") { 511 } else { 255 }
}

fn is_port_or_range(text: &str) -> bool {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    match text.split_once('-') {
        None => port(text).is_some(),
        Some((low, high)) => matches!((port(low), port(high)), (Some(a), Some(b)) if a <= b),
    }
}

fn check_versions(rows: &[BTreeMap<String, String>], path: &str, out: &mut Vec<Problem>) {
    check_count(rows.len(), 1, 8, path, out);
    let mut newest: Option<[u64; 3]> = None;
    let mut disks: Option<usize> = None;
    for (index, row) in rows.iter().enumerate() {
        let at = |column: &str| format!("{path}/{index}/{column}");
        let cell = |column: &str| row.get(column).map_or("", String::as_str);
        match tags::parse_triple(cell("version")) {
            None => out.push(Problem::new("F011", at("version"), cell("version"), "X.Y.Z, integers")),
            Some(version) if newest.is_some_and(|newest| version <= newest) => {
                let required = "a version greater than all before it";
                out.push(Problem::new("F012", at("version"), cell("version"), required));
            }
            Some(version) => newest = Some(version),
        }
        if let Err((code, observed, required)) = DiskSource::parse(cell("osDiskUrl")) {
            out.push(Problem::new(code, at("osDiskUrl"), observed, required));
        }
        for source in cell("dataDisks").split_whitespace() {
            if let Err((code, observed, required)) = DiskSource::parse(source) {
                out.push(Problem::new(code, at("dataDisks"), observed, required));
            }
        }
        let count = cell("dataDisks").split_whitespace().count();
        if count > 16 {
            out.push(Problem::new("F008", at("dataDisks"), count.to_string(), "at most 16"));
        }
        if disks.is_some_and(|before| before != count) {
            let required = "the same number of data disks in every version";
            out.push(Problem::new("F013", at("dataDisks"), count.to_string(), required));
        }
        disks = disks.or(Some(count));
    }
}

fn check_text(rule: Rule, text: &str, path: &str, out: &mut Vec<Problem>) {
    let mut complain = |code, observed: &str, required: &str| {
        out.push(Problem::new(code, path, observed, required));
    };
    match rule {
        Rule::Text(max) | Rule::Html(max) | Rule::Lines(max) => {
            let count = text.chars().count();
            if count > max {
                complain("F002", &count.to_string(), &format!("at most {max} characters"));
            }
            let block = !matches!(rule, Rule::Text(_));
            let bad = |c: char| c.is_control() && !(block && matches!(c, '\n' | '\r' | '\t'));
            if text.chars().any(bad) {
                complain("F003", "a control character", "printable characters");
            }
            if matches!(rule, Rule::Html(_))
                && let Some(bad) = forbidden_markup(text)
            {
                complain("F019", &bad, "simple HTML: p, br, em, strong, ul, ol, li, h1 to h6, a, code");
            }
        }
        Rule::Slug(_) => check_id(text, path, out),
        Rule::Email if !is_email(text) => complain("F023", text, "name@example.org"),
        Rule::Phone if !is_phone(text) => complain("F003", text, "digits, spaces and + ( ) - ."),
        Rule::Url if !is_url(text, &["http://", "https://"]) => {
            complain("F009", text, "an http or https link");
        }
        Rule::HttpsUrl if !is_https(text) => {
            complain("F020", text, "an https link");
        }
        Rule::Choice(words) if !words.contains(&text) => complain("F003", text, &words.join(", ")),
        Rule::Picture(..) => {
            if let Some((code, required)) = picture(text) {
                complain(code, text, required);
            }
        }
        Rule::ImageReference if !tags::is_repository_reference(text) => {
            complain("F003", text, "registry[:port]/repository without a tag");
        }
        Rule::Price => {
            let cents = text.split_once('.').map_or(0, |(_, cents)| cents.len());
            let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            if !plain || cents > 4 || text.parse::<f64>().is_err() {
                complain("F003", text, "a decimal number such as 0.25");
            }
        }
        Rule::Shaped(shape) if !shape.fits(text) => complain("F003", text, shape.required()),
        // What is kept is sealed; it was checked before it was, by `check_secret`.
        Rule::Secret(_) | Rule::Connection | Rule::Shaped(_) => {}
        Rule::Email | Rule::Phone | Rule::Url | Rule::HttpsUrl | Rule::Choice(_) | Rule::ImageReference => {}
        _ => complain("F003", text, shape(rule)),
    }
}

/// Checks the text of a secret before it is sealed; the problem does not repeat it.
pub fn check_secret(field: &Field, path: &str, text: &str) -> Option<Problem> {
    match field.rule {
        Rule::Secret(max) if text.chars().count() > max => {
            Some(Problem::new("F002", path, "", format!("at most {max} characters")))
        }
        Rule::Connection if TableAccount::parse(text).is_none() => Some(Problem::new(
            "F020",
            path,
            "",
            "DefaultEndpointsProtocol=https;AccountName=...;AccountKey=...;EndpointSuffix=core.windows.net",
        )),
        _ => None,
    }
}

fn picture(text: &str) -> Complaint {
    Digest::parse(text).is_none().then_some(("F010", "an uploaded PNG, named by its sha256 digest"))
}

/// Whether the text is an absolute link with one of these prefixes, a host and no blanks or user info.
pub(crate) fn is_url(text: &str, prefixes: &[&str]) -> bool {
    let Some(rest) = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)) else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    !host.is_empty()
        && !host.contains(['@', '\\'])
        && text.len() <= 2048
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\')
}

/// Whether the text is a link that the way out may follow: https, or http for the operator's exceptions.
pub fn is_https(text: &str) -> bool {
    is_url(text, &["https://", "http://"])
}

/// Whether the text is a plain address: one `@`, no blanks, controls, quotes or list separators.
pub fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let bad = |c: char| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"@".contains(c);
    !local.is_empty()
        && local.len() <= 64
        && host.len() <= 255
        && host.contains('.')
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !text.chars().any(|c| c != '@' && bad(c))
        && host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        })
        && !local.contains('@')
}

fn is_phone(text: &str) -> bool {
    text.len() <= 40
        && text.bytes().filter(u8::is_ascii_digit).count() >= 3
        && text.bytes().all(|b| b.is_ascii_digit() || b" +()-.".contains(&b))
}

const TAGS_ALLOWED: [&str; 18] = [
    "p", "br", "em", "strong", "b", "i", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "a", "code",
    "pre",
];

/// The first forbidden piece of markup, if any. What is kept is decided again by the sanitiser
/// when the product page is made; this check tells the author before that.
fn forbidden_markup(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let body = rest.strip_prefix('/').unwrap_or(rest);
        let end = body.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(body.len());
        let name = body[..end].to_ascii_lowercase();
        if name.is_empty() && !body.starts_with(['!', '?']) {
            continue;
        }
        if !TAGS_ALLOWED.contains(&name.as_str()) {
            return Some(format!("<{}>", if name.is_empty() { "!" } else { &name }));
        }
        let attributes = body[end..].split('>').next().unwrap_or("").to_ascii_lowercase();
        let attributes = attributes.trim().trim_end_matches('/').trim();
        let link = name == "a" && attributes.starts_with("href=") && !attributes.contains("script:");
        if !attributes.is_empty() && !link {
            return Some(format!("<{name} {attributes}>"));
        }
    }
    None
}

#[cfg(test)]
mod tests;
