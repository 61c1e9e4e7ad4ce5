//! Rules on the words of a listing (policy numbers 100.x).

use crate::Knowledge;
use mercat_domain::Document;
use mercat_domain::document::Value;
use mercat_domain::finding::{Finding, Place, Severity};

/// Judges the listing text and the plans' availability.
pub fn inspect_listing(offer: &Document, knowledge: &Knowledge) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut report = |rule: &str, field: &str, observed: String, required: &str, fix: &str| {
        out.extend(knowledge.policy.weigh(Finding {
            rule: rule.to_owned(),
            severity: Severity::Info,
            place: Place { field: field.to_owned(), ..Place::default() },
            observed,
            required: required.to_owned(),
            fix: fix.to_owned(),
        }));
    };
    let public = |key: &str| !key.starts_with("lead") && !matches!(key, "password" | "username" | "image");
    let plans = offer.plans.iter().map(|plan| (format!("plans/{}/", plan.id), &plan.fields));
    let texts = std::iter::once((String::new(), &offer.fields)).chain(plans).flat_map(|(base, fields)| {
        fields.iter().filter(|(key, _)| public(key)).filter_map(move |(key, value)| match value {
            Value::Text(text) => Some((format!("{base}{key}"), text)),
            _ => None,
        })
    });
    for (field, text) in texts {
        knowledge.secrets.scan(text.as_bytes(), |secret| {
            let observed = format!("{}: {}", secret.kind, secret.redacted);
            report(
                "LST-01",
                &field,
                observed,
                "no credentials in public text",
                "revoke it and remove it from the text",
            );
        });
    }
    let description = offer.text("description");
    let foreign = description.chars().filter(|c| !c.is_ascii() && c.is_alphabetic()).count();
    if foreign * 4 > description.chars().count()
        && !description.to_ascii_lowercase().contains("available only in")
    {
        report(
            "LST-02",
            "description",
            "a description that is not in English".into(),
            "a note such as \"available only in Japanese\"",
            "add the note for customers who search in English",
        );
    }
    if !offer.plans.iter().any(|plan| !plan.flag("private") && !plan.flag("hidden")) {
        let fix = "make a plan public, or keep the offer for its audience";
        report("LST-03", "plans", "only private or hidden plans".into(), "one public plan", fix);
    }
    if !offer.text("summary").is_empty() && offer.text("summary") == offer.text("title") {
        let fix = "say in one sentence what the offer does";
        report("LST-04", "summary", offer.text("summary").to_owned(), "a summary beside the title", fix);
    }
    out
}
