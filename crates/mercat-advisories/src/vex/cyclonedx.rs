//! VEX in CycloneDX 1.4 to 1.7: vulnerabilities with an analysis, and what they affect.

use super::product::with_version;
use super::{PRODUCTS_MAX, Product, STATEMENTS_MAX, Statement, Status, VexError, date, within, word};
use crate::Day;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the schema of CycloneDX lists.
const JUSTIFICATIONS: [&str; 9] = [
    "code_not_present",
    "code_not_reachable",
    "requires_configuration",
    "requires_dependency",
    "requires_environment",
    "protected_by_compiler",
    "protected_at_runtime",
    "protected_at_perimeter",
    "protected_by_mitigating_control",
];

/// Components that a document may have, nested ones included.
const COMPONENTS_MAX: usize = 500_000;

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn read(document: &Value) -> Result<Vec<Statement>, VexError> {
    let vulnerabilities = list(document, "vulnerabilities");
    within("vulnerabilities", vulnerabilities.len(), STATEMENTS_MAX, "statements")?;
    let author =
        author(document).ok_or(VexError::Document { why: "the document names nobody in its metadata" })?;
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
        if !justification.is_empty() && !JUSTIFICATIONS.contains(&justification.as_str()) {
            return Err(wrong("its justification is none of CycloneDX"));
        }
        if status == Status::NotAffected && justification.is_empty() && reason.is_empty() {
            return Err(wrong("not_affected needs a justification or a detail"));
        }
        let affects = list(value, "affects");
        within("products", affects.len(), PRODUCTS_MAX, "products")?;
        let day = date(analysis, &["lastUpdated", "firstIssued"]).map_err(wrong)?;
        let of_document = document.get("metadata").map(|about| date(about, &["timestamp"]).map_err(wrong));
        out.push(Statement {
            author: author.clone(),
            day: day.or(of_document.transpose()?.flatten()),
            vulnerability,
            products: products(affects, &components, status).map_err(wrong)?,
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

/// What is affected. A statement that something does no harm is one about the versions that it lists as not affected,
/// where it lists versions: ranges are not compared here.
fn products(
    affects: &[Value],
    components: &BTreeMap<&str, Product>,
    status: Status,
) -> Result<Vec<Product>, &'static str> {
    let is_harmless = matches!(status, Status::NotAffected | Status::Fixed);
    let one = |of: &Value| {
        let reference = of.get("ref").and_then(Value::as_str).filter(|reference| !reference.is_empty());
        let product = product(reference.ok_or("what it affects has no ref")?, components);
        let versions = list(of, "versions");
        if versions.is_empty() || !is_harmless {
            return Ok(product);
        }
        let unaffected = versions.iter().filter(|version| word(version, "status") == "unaffected");
        let versions: Vec<String> = unaffected.map(|version| word(version, "version")).collect();
        Ok(product.of_versions(&versions))
    };
    affects.iter().map(one).collect()
}

/// Products by their `bom-ref`.
fn components(document: &Value) -> Result<BTreeMap<&str, Product>, VexError> {
    let mut out = BTreeMap::new();
    let subject = document.get("metadata").and_then(|about| about.get("component"));
    let mut waiting: Vec<&Value> = subject.into_iter().chain(list(document, "components")).collect();
    let mut seen = 0;
    while let Some(component) = waiting.pop() {
        seen += 1;
        within("components", seen, COMPONENTS_MAX, "components")?;
        let hashes = list(component, "hashes").iter().filter(|hash| word(hash, "alg") == "SHA-256");
        let purl = component.get("purl").and_then(Value::as_str).filter(|purl| !purl.is_empty());
        let purl = purl
            .map(|purl| with_version(purl, &word(component, "version")).unwrap_or_else(|| purl.to_owned()));
        let product = Product {
            purls: purl.into_iter().collect(),
            digests: hashes.map(|hash| format!("sha256:{}", word(hash, "content"))).collect(),
            parts: None,
        };
        let reference = component.get("bom-ref").and_then(Value::as_str).filter(|name| !name.is_empty());
        let Some(reference) = reference else {
            waiting.extend(list(component, "components"));
            continue;
        };
        if out.insert(reference, product.clone()).is_some_and(|other| other != product) {
            let why = "two of its components that are not the same have the same bom-ref";
            return Err(VexError::Document { why });
        }
        waiting.extend(list(component, "components"));
    }
    Ok(out)
}

/// A reference names a component of the document, or, across documents, `urn:cdx:serial/version#ref`; many
/// tools use the package URL itself.
fn product(reference: &str, components: &BTreeMap<&str, Product>) -> Product {
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
