//! Rules on the words of a listing (policy numbers 100.x).

mod claims;
mod container;
mod links;

pub use container::inspect_exposed;
pub use links::{Link, Links, Tried, judge_links, links};
use mercat_domain::document::Value;
use mercat_domain::finding::{Finding, Place, Severity};
use mercat_domain::{Document, OfferKind};
use mercat_policy::Policy;
use mercat_secrets::Rules;
use std::collections::BTreeSet;

/// One thing about a listing that a rule is against.
struct Said<'a> {
    rule: &'a str,
    field: &'a str,
    observed: String,
    required: &'a str,
    fix: &'a str,
}

/// The texts in which an offer is described.
const PRAISED: [&str; 6] =
    ["summary", "longSummary", "description", "summaryJa", "longSummaryJa", "descriptionJa"];

/// Whether customers can read a field.
fn is_public(key: &str) -> bool {
    !key.starts_with("lead") && !matches!(key, "password" | "username" | "image")
}

/// Whether a field, of the offer or a plan, holds HTML (F019).
fn is_html(field: &str) -> bool {
    matches!(field.rsplit('/').next(), Some("description" | "descriptionJa" | "termsOfUse"))
}

/// The texts of a value, those of its cells too.
fn texts_of(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::Text(text) => Box::new(std::iter::once(text.as_str())),
        Value::List(texts) => Box::new(texts.iter().map(String::as_str)),
        Value::Rows(rows) => Box::new(rows.iter().flat_map(|row| row.values().map(String::as_str))),
        Value::Flag(_) => Box::new(std::iter::empty()),
    }
}

/// Judges the listing text and the plans' availability.
///
/// `others` are the other offers of the publisher that customers can find: id and title.
pub fn inspect_listing(
    offer: &Document,
    others: &[(String, String)],
    policy: &Policy,
    secrets: &Rules,
) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut say = |said: Said<'_>| {
        out.extend(policy.weigh(Finding {
            rule: said.rule.to_owned(),
            severity: Severity::Info,
            place: Place { field: said.field.to_owned(), ..Place::default() },
            observed: said.observed,
            required: said.required.to_owned(),
            fix: said.fix.to_owned(),
        }));
    };
    if offer.kind == OfferKind::Container {
        container::inspect(offer, &mut say);
    }
    let mut report = |rule: &str, field: &str, observed: String, required: &str, fix: &str| {
        say(Said { rule, field, observed, required, fix });
    };
    let plans = offer.plans.iter().map(|plan| (format!("plans/{}/", plan.id), &plan.fields));
    let texts = std::iter::once((String::new(), &offer.fields)).chain(plans).flat_map(|(base, fields)| {
        let all = fields.iter().filter(|(key, _)| is_public(key));
        all.flat_map(move |(key, value)| texts_of(value).map(move |text| (key, text)))
            .map(move |(key, text)| (format!("{base}{key}"), text))
    });
    let mut credentials = BTreeSet::new();
    for (field, text) in texts {
        // What a browser shows may not be what is written.
        let shown = is_html(&field).then(|| plain(text));
        for text in std::iter::once(text).chain(shown.as_deref()) {
            secrets.scan(text.as_bytes(), |secret| {
                credentials.insert((field.clone(), format!("{}: {}", secret.kind, secret.redacted)));
            });
        }
    }
    for (field, observed) in credentials {
        let fix = "revoke it and remove it from the text";
        report("LST-01", &field, observed, "no credentials in public text", fix);
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
    let title = offer.text("title");
    for field in ["title", "titleJa"] {
        if let Some(why) = claims::not_a_title(offer.text(field)) {
            let required = "the name of the product: no prices, claims, addresses or symbols";
            report("LST-05", field, why, required, "leave it out of the title");
        }
    }
    let of_plans = offer.plans.iter().map(|plan| (format!("plans/{}/", plan.id), &plan.fields));
    for (base, fields) in std::iter::once((String::new(), &offer.fields)).chain(of_plans) {
        for key in PRAISED {
            let Some(Value::Text(text)) = fields.get(key) else { continue };
            let text = if is_html(key) { plain(text) } else { text.clone() };
            if let Some(claim) = claims::claim(&text) {
                let required = "what the offer does, without comparing it with others";
                let field = format!("{base}{key}");
                report(
                    "LST-06",
                    &field,
                    format!("the words {claim:?}"),
                    required,
                    "say what it does instead",
                );
            }
        }
    }
    let known = |title: &str| title.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let same = others.iter().find(|(id, other)| *id != offer.key.offer && known(other) == known(title));
    if let Some((id, _)) = same.filter(|_| !title.is_empty()) {
        let fix = "add a plan to that offer, or say in the title what is different";
        report("LST-07", "title", format!("the title of the offer {id}"), "one listing a product", fix);
    }
    out
}

/// The words of a text in HTML, one blank between them.
fn plain(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    let mut letters = html.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            // Nothing else begins a tag.
            '<' if letters.peek().is_some_and(|next| next.is_ascii_alphabetic() || "/!?".contains(*next)) => {
                inside = true;
            }
            '>' if inside => {
                inside = false;
                out.push(' ');
            }
            _ if inside => {}
            letter => out.push(letter),
        }
    }
    htmlize::unescape(out).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
