//! Offers as JSON: flat field names, `plans` as a list.
//!
//! The same shape is kept in the ledger, spoken by the API and written in `offer.yaml`.

use mercat_domain::document::{Fields, Plan, Value};
use mercat_domain::offer::Problem;
use mercat_domain::offer::fields::{FIELDS, Field, Rule, Scope};
use mercat_domain::{Document, OfferKey, OfferKind};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Writes a document; secrets stay as they are kept (sealed).
pub fn to_json(document: &Document) -> Json {
    let mut out = Map::new();
    out.insert("publisher".into(), json!(document.key.publisher));
    out.insert("offer".into(), json!(document.key.offer));
    out.insert("type".into(), json!(document.kind.name()));
    write_fields(&document.fields, Scope::Offer, &mut out);
    let plans = document.plans.iter().map(|plan| {
        let mut out = Map::new();
        out.insert("plan".into(), json!(plan.id));
        write_fields(&plan.fields, Scope::Plan, &mut out);
        Json::Object(out)
    });
    out.insert("plans".into(), Json::Array(plans.collect()));
    Json::Object(out)
}

fn write_fields(fields: &Fields, scope: Scope, out: &mut Map<String, Json>) {
    for field in FIELDS.iter().filter(|field| field.scope == scope) {
        let value = match fields.get(field.key) {
            None => continue,
            Some(Value::Text(text)) => json!(text),
            Some(Value::Flag(flag)) => json!(flag),
            Some(Value::List(list)) => json!(list),
            Some(Value::Rows(rows)) => json!(rows),
        };
        out.insert(field.key.into(), value);
    }
}

/// Reads a document; every unknown key and wrong shape is reported at once.
///
/// # Errors
/// All problems found, with their paths.
pub fn from_json(json: &Json) -> Result<Document, Vec<Problem>> {
    let mut problems = Vec::new();
    let Json::Object(map) = json else {
        return Err(vec![Problem::new("F003", "", "not an object", "an offer as an object")]);
    };
    let word = |key: &str| map.get(key).and_then(Json::as_str).unwrap_or("").to_owned();
    let kind = OfferKind::parse(&word("type")).unwrap_or_else(|| {
        problems.push(Problem::new("F003", "type", word("type"), "container or virtual-machine"));
        OfferKind::Container
    });
    let mut document = Document::new(OfferKey::new(word("publisher"), word("offer")), kind);
    let skip = ["publisher", "offer", "type", "plans"];
    document.fields = read_fields(map, Scope::Offer, &skip, "", &mut problems);
    match map.get("plans") {
        None | Some(Json::Null) => {}
        Some(Json::Array(plans)) => {
            for (index, plan) in plans.iter().enumerate() {
                let path = format!("plans/{index}");
                let Json::Object(map) = plan else {
                    problems.push(Problem::new("F003", path, "not an object", "a plan as an object"));
                    continue;
                };
                let id = map.get("plan").and_then(Json::as_str).unwrap_or("").to_owned();
                let base = format!("plans/{}/", if id.is_empty() { index.to_string() } else { id.clone() });
                let fields = read_fields(map, Scope::Plan, &["plan"], &base, &mut problems);
                document.plans.push(Plan { id, fields });
            }
        }
        Some(_) => problems.push(Problem::new("F003", "plans", "not a list", "a list of plans")),
    }
    if problems.is_empty() { Ok(document) } else { Err(problems) }
}

fn read_fields(
    map: &Map<String, Json>,
    scope: Scope,
    skip: &[&str],
    base: &str,
    problems: &mut Vec<Problem>,
) -> Fields {
    let mut fields = Fields::new();
    for (key, json) in map.iter().filter(|(key, json)| !skip.contains(&key.as_str()) && !json.is_null()) {
        let path = format!("{base}{key}");
        let Some(field) = FIELDS.iter().find(|field| field.key == key && field.scope == scope) else {
            problems.push(Problem::new("F003", path, key, "a known field; see the field reference"));
            continue;
        };
        match read_value(field, json) {
            Some(value) => {
                fields.insert(key.clone(), value);
            }
            None => problems.push(Problem::new("F003", path, kind_of(json), wanted(field))),
        }
    }
    fields
}

fn wanted(field: &Field) -> &'static str {
    match field.rule {
        Rule::Flag => "true or false",
        Rule::Rows(..) | Rule::Versions => "a list of rows with text cells",
        Rule::Guids(..)
        | Rule::Countries
        | Rule::Categories
        | Rule::Pictures(..)
        | Rule::Tags
        | Rule::Emails(_)
        | Rule::Platforms => "a list of texts",
        _ => "text",
    }
}

fn kind_of(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

fn read_value(field: &Field, json: &Json) -> Option<Value> {
    let text = |json: &Json| match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match wanted(field) {
        "true or false" => json.as_bool().map(Value::Flag),
        "a list of texts" => json.as_array()?.iter().map(text).collect::<Option<_>>().map(Value::List),
        "text" => text(json).map(Value::Text),
        _ => {
            let row = |json: &Json| {
                let cells = json.as_object()?.iter().map(|(key, cell)| Some((key.clone(), text(cell)?)));
                cells.collect::<Option<BTreeMap<_, _>>>()
            };
            json.as_array()?.iter().map(row).collect::<Option<_>>().map(Value::Rows)
        }
    }
}

/// Where a document that was read from YAML holds a number with a fraction, and which. None is meant: 1.10 was written,
/// and 1.1 would be kept.
pub fn fraction(document: &Json) -> Option<(String, String)> {
    fn below(value: &Json, path: &str) -> Option<(String, String)> {
        match value {
            Json::Number(number) if number.as_i64().is_none() => Some((path.to_owned(), number.to_string())),
            Json::Array(list) => {
                list.iter().enumerate().find_map(|(at, item)| below(item, &format!("{path}/{at}")))
            }
            Json::Object(map) => map.iter().find_map(|(key, item)| below(item, &format!("{path}/{key}"))),
            _ => None,
        }
    }
    below(document, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_survives_the_round_trip() {
        let json = json!({
            "publisher": "aurora", "offer": "gateway", "type": "container", "name": "Gateway",
            "allowedSubscriptions": ["a", "b"], "usefulLinks": [{"title": "Docs", "url": "https://x.example"}],
            "useStandardContract": true,
            "plans": [{"plan": "standard", "title": "Standard", "tags": ["latest", "1.0"], "hidden": false}],
        });
        let document = from_json(&json).expect("reads");
        assert_eq!(from_json(&to_json(&document)), Ok(document));
    }

    #[test]
    fn every_unknown_key_and_wrong_shape_is_reported_with_its_path() {
        let json = json!({
            "publisher": "aurora", "offer": "gateway", "type": "boat", "certified": true, "name": ["x"],
            "plans": [{"plan": "standard", "tags": "latest"}, 5],
        });
        let paths: Vec<String> = from_json(&json).expect_err("refused").into_iter().map(|p| p.path).collect();
        assert_eq!(paths, ["type", "certified", "name", "plans/standard/tags", "plans/1"]);
    }
}
