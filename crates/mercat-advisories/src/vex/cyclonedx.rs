//! VEX in CycloneDX 1.4 to 1.7: vulnerabilities with an analysis, and what they affect.

use super::{PRODUCTS_MAX, Product, STATEMENTS_MAX, Statement, Status, VexError, within, word};
use crate::Day;
use serde_json::Value;
use std::collections::BTreeMap;

/// Components that a document may have, nested ones included.
const COMPONENTS_MAX: usize = 500_000;

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn read(document: &Value) -> Result<Vec<Statement>, VexError> {
    let vulnerabilities = list(document, "vulnerabilities");
    within("vulnerabilities", vulnerabilities.len(), STATEMENTS_MAX, "statements")?;
    let author = author(document)
        .ok_or(VexError::Statement { at: 0, why: "the document names nobody in its metadata" })?;
    let components = components(document)?;
    let mut out = Vec::new();
    for (at, value) in vulnerabilities.iter().enumerate() {
        // Without an analysis it is a report, not a statement.
        let Some(analysis) = value.get("analysis") else { continue };
        let wrong = |why| VexError::Statement { at: at + 1, why };
        let mut vulnerability = vec![word(value, "id")];
        vulnerability.extend(list(value, "references").iter().map(|other| word(other, "id")));
        vulnerability.retain(|name| !name.is_empty());
        if vulnerability.is_empty() {
            return Err(wrong("it names no vulnerability"));
        }
        let status = match word(analysis, "state").as_str() {
            "not_affected" | "false_positive" => Status::NotAffected,
            "exploitable" => Status::Affected,
            "resolved" | "resolved_with_pedigree" => Status::Fixed,
            "in_triage" | "" => Status::UnderInvestigation,
            _ => return Err(wrong("its analysis has a state that CycloneDX does not know")),
        };
        let (justification, reason) = (word(analysis, "justification"), word(analysis, "detail"));
        if status == Status::NotAffected && justification.is_empty() && reason.is_empty() {
            return Err(wrong("not_affected needs a justification or a detail"));
        }
        let affects = list(value, "affects");
        within("products", affects.len(), PRODUCTS_MAX, "products")?;
        let day = ["lastUpdated", "firstIssued"].iter().find_map(|key| Day::parse(&word(analysis, key)));
        out.push(Statement {
            author: author.clone(),
            day: day
                .or_else(|| document.get("metadata").and_then(|about| Day::parse(&word(about, "timestamp")))),
            vulnerability,
            products: affects.iter().map(|of| product(&word(of, "ref"), &components)).collect(),
            status,
            justification,
            reason,
            expires: expiry(value).transpose().map_err(wrong)?,
            of_publisher: false,
        });
    }
    Ok(out)
}

/// The document's author, supplier or manufacturer, by name.
fn author(document: &Value) -> Option<String> {
    let about = document.get("metadata")?;
    let persons = list(about, "authors").iter();
    let others = ["manufacturer", "supplier", "manufacture"].iter().filter_map(|key| about.get(key));
    let name = |value: &Value| {
        let name = word(value, "name");
        if name.is_empty() { word(value, "email") } else { name }
    };
    persons.chain(others).map(name).find(|name| !name.is_empty())
}

/// Products by their `bom-ref`.
fn components(document: &Value) -> Result<BTreeMap<String, Product>, VexError> {
    let mut out = BTreeMap::new();
    let subject = document.get("metadata").and_then(|about| about.get("component"));
    let mut waiting: Vec<&Value> = subject.into_iter().chain(list(document, "components")).collect();
    let mut seen = 0;
    while let Some(component) = waiting.pop() {
        seen += 1;
        within("components", seen, COMPONENTS_MAX, "components")?;
        let hashes = list(component, "hashes").iter().filter(|hash| word(hash, "alg") == "SHA-256");
        let product = Product {
            purls: Some(word(component, "purl")).filter(|purl| !purl.is_empty()).into_iter().collect(),
            digests: hashes.map(|hash| format!("sha256:{}", word(hash, "content"))).collect(),
            parts: Vec::new(),
        };
        out.insert(word(component, "bom-ref"), product);
        waiting.extend(list(component, "components"));
    }
    Ok(out)
}

/// A reference names a component of the document, or, across documents, `urn:cdx:serial/version#ref`; many
/// tools use the package URL itself.
fn product(reference: &str, components: &BTreeMap<String, Product>) -> Product {
    if let Some(known) = components.get(reference) {
        return known.clone();
    }
    let local = match reference.strip_prefix("urn:cdx:").and_then(|rest| rest.split_once('#')) {
        Some((_, local)) => local,
        None => reference,
    };
    let purls = Some(local.to_owned()).filter(|purl| purl.starts_with("pkg:"));
    Product { purls: purls.into_iter().collect(), ..Product::default() }
}

/// CycloneDX has no expiry: the property `mercat:expires` of a vulnerability, a day or a timestamp.
fn expiry(value: &Value) -> Option<Result<Day, &'static str>> {
    let property =
        list(value, "properties").iter().find(|property| word(property, "name") == "mercat:expires")?;
    Some(Day::parse(&word(property, "value")).ok_or("mercat:expires is no date"))
}
