//! The OpenAPI 3.1 document, made from the route table.

use crate::{ROUTES, Route};
use mercat_domain::offer::fields::{FIELDS, Rule, Scope};
use serde_json::{Map, Value, json};

/// The document.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES.iter().filter(|route| route.path.starts_with("/api")) {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Mercat", "version": "1",
            "description": "Publish, certify and deliver container images and virtual machines.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}, {}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {"Problem": {
                "description": "What is wrong, by RFC 9457",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }},
            "schemas": schemas(),
        },
    })
}

fn operation(route: &Route) -> Value {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters: Vec<Value> = names
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    let id: String = format!("{} {}", route.method, route.path)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .collect();
    let mut success = json!({"description": "Done"});
    if route.success != 204 {
        success["content"] = json!({"application/json": {"schema": {}}});
    }
    let mut out = json!({
        "operationId": id, "summary": route.summary, "parameters": parameters,
        "responses": {
            route.success.to_string(): success,
            "default": {"$ref": "#/components/responses/Problem"},
        },
    });
    if route.body == "Picture" {
        out["requestBody"] = json!({"required": true, "content": {"image/png": {"schema": {}}}});
    } else if !route.body.is_empty() {
        let schema = format!("#/components/schemas/{}", route.body);
        out["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": {"$ref": schema}}}});
    }
    out
}

fn schemas() -> Value {
    let text = json!({"type": "string"});
    let list = json!({"type": "array", "items": {"type": "string"}});
    let attachments = json!({"type": "array", "items": object(&[("name", &text), ("content", &text)], &["name", "content"])});
    json!({
        "Problem": {"type": "object", "properties": {
            "type": text, "title": text, "status": {"type": "integer"}, "detail": text, "code": text, "incident": text,
            "errors": {"type": "array", "items": {"type": "object", "properties": {
                "code": text, "pointer": text, "path": text, "message": text, "observed": text, "required": text,
            }}},
        }},
        "NewPublisher": object(&[("id", &text), ("name", &text)], &["id", "name"]),
        "NewMember": object(&[("email", &text), ("role", &json!({"enum": ["contributor", "owner"]}))], &["email", "role"]),
        "NewToken": object(
            &[("label", &text), ("scope", &json!({"enum": ["read", "publish", "golive"]})), ("days", &json!({"type": "integer"}))],
            &["label", "scope"],
        ),
        "NewSubscription": object(&[("name", &text), ("id", &text)], &["name"]),
        "PublishRequest": object(
            &[
                ("notificationEmails", &list),
                ("metadata", &json!({"type": "object"})),
                ("notes", &text),
                ("baseEtag", &text),
                ("replace", &json!({"type": "boolean"})),
                ("locale", &json!({"enum": ["en", "ja"]})),
            ],
            &[],
        ),
        "Acceptance": object(&[("digest", &text)], &["digest"]),
        "NewDeployment": object(
            &[
                ("urn", &text),
                ("target", &text),
                ("success", &json!({"type": "boolean"})),
                ("detail", &text),
                ("preview", &json!({"type": "boolean"})),
            ],
            &["urn", "target", "success"],
        ),
        "GoLiveRequest": object(&[("snapshotDigest", &text)], &[]),
        "NewRequest": object(
            &[
                ("title", &text),
                ("category", &json!({"enum": mercat_domain::support::CATEGORIES})),
                ("priority", &json!({"enum": ["low", "normal", "high", "urgent"]})),
                ("text", &text),
                ("toPublisher", &json!({"type": "boolean"})),
                ("publisher", &text),
                ("offer", &text),
                ("submission", &text),
                ("step", &text),
                ("attachments", &attachments),
            ],
            &["title", "category", "priority", "text"],
        ),
        "NewReply": object(
            &[
                ("text", &text),
                ("close", &json!({"type": "boolean"})),
                ("priority", &text),
                ("engineer", &text),
                ("attachments", &attachments),
            ],
            &[],
        ),
        "NewException": object(
            &[
                ("step", &text),
                ("finding", &json!({"type": "integer", "minimum": 0})),
                ("kind", &json!({"enum": ["exception", "appeal"]})),
                ("reason", &text),
                ("until", &text),
                ("attachments", &attachments),
            ],
            &["finding", "kind", "reason"],
        ),
        "MoreAboutException": object(&[("text", &text), ("attachments", &attachments)], &[]),
        "ExceptionDecision": object(
            &[
                ("state", &json!({"enum": ["granted", "denied", "withdrawn", "needsInformation"]})),
                ("note", &text),
                ("until", &text),
                ("from", &text),
            ],
            &["state"],
        ),
        "Subscription": object(
            &[("notices", &list), ("locale", &text), ("digest", &json!({"type": "boolean"}))],
            &[],
        ),
        "Deprecation": object(
            &[
                ("plan", &text),
                ("version", &text),
                ("deadline", &text),
                ("reason", &text),
                ("alternative", &text),
            ],
            &["plan", "version", "deadline", "reason", "alternative"],
        ),
        "Recertification": object(
            &[("offers", &list), ("rules", &text), ("deadline", &text), ("message", &text)],
            &["rules", "deadline", "message"],
        ),
        "NewWebhook": object(&[("url", &text), ("events", &list)], &["url"]),
        "Replay": object(&[("id", &text)], &["id"]),
        "Interest": object(
            &[
                ("kind", &json!({"enum": ["getItNow", "contactMe"]})),
                ("plan", &text),
                ("firstName", &text),
                ("lastName", &text),
                ("email", &text),
                ("phone", &text),
                ("country", &text),
                ("company", &text),
                ("title", &text),
                ("description", &text),
                ("consent", &json!({"type": "boolean"})),
            ],
            &["kind", "email", "consent"],
        ),
        "Audience": object(&[("subscriptions", &list)], &["subscriptions"]),
        "Offer": offer(),
    })
}

fn object(properties: &[(&str, &Value)], required: &[&str]) -> Value {
    let properties: Map<String, Value> =
        properties.iter().map(|(key, schema)| ((*key).to_owned(), (*schema).clone())).collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties, "required": required})
}

fn offer() -> Value {
    let fields = |scope: Scope| -> Map<String, Value> {
        let of = FIELDS.iter().filter(|field| field.scope == scope);
        of.map(|field| (field.key.to_owned(), schema(field.rule))).collect()
    };
    let mut plan = fields(Scope::Plan);
    plan.insert("plan".into(), json!({"type": "string"}));
    let mut offer = fields(Scope::Offer);
    for key in ["publisher", "offer"] {
        offer.insert(key.into(), json!({"type": "string"}));
    }
    offer.insert("type".into(), json!({"enum": ["container", "virtual-machine"]}));
    let plan =
        json!({"type": "object", "additionalProperties": false, "properties": plan, "required": ["plan"]});
    offer.insert("plans".into(), json!({"type": "array", "items": plan}));
    json!({
        "type": "object", "additionalProperties": false, "properties": offer,
        "required": ["publisher", "offer", "type"],
    })
}

fn schema(rule: Rule) -> Value {
    match rule {
        Rule::Flag => json!({"type": "boolean"}),
        Rule::Text(max) | Rule::Html(max) | Rule::Lines(max) | Rule::Slug(max) => {
            json!({"type": "string", "maxLength": max})
        }
        Rule::Secret(max) => json!({"type": "string", "maxLength": max, "writeOnly": true}),
        Rule::Connection => json!({"type": "string", "writeOnly": true}),
        Rule::Choice(words) => json!({"enum": words}),
        Rule::Rows(columns, max) => {
            let cells: Map<String, Value> =
                columns.iter().map(|column| ((*column).to_owned(), json!({"type": "string"}))).collect();
            json!({"type": "array", "maxItems": max, "items": {"type": "object", "properties": cells}})
        }
        Rule::Versions => json!({"type": "array", "items": {"type": "object"}}),
        Rule::Guids(..)
        | Rule::Countries
        | Rule::Categories
        | Rule::Pictures(..)
        | Rule::Tags
        | Rule::Emails(_)
        | Rule::Platforms => {
            json!({"type": "array", "items": {"type": "string"}})
        }
        _ => json!({"type": "string"}),
    }
}
