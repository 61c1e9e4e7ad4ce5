//! Rules that lead back to themselves. Rego forbids them; an interpreter that met one would end its process.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

type Names = BTreeMap<String, BTreeSet<String>>;

/// One circle of rule names, in the order in which they refer to each other; `None` when there is none. Rules are
/// told apart by the last part of their name, so that two packages with the same names may look like one.
pub(crate) fn circle(syntax: &str) -> Result<Option<Vec<String>>, serde_json::Error> {
    let modules: Value = serde_json::from_str(syntax)?;
    let mut names = Names::new();
    for module in modules.as_array().into_iter().flatten() {
        for rule in module["ast"]["rules"].as_array().into_iter().flatten() {
            let Some(spec) = rule.get("Spec") else { continue };
            let Some(head) = spec["head"].as_object().and_then(|head| head.values().next()) else { continue };
            let Some(name) = name(&head["refr"]) else { continue };
            let used = names.entry(name.to_owned()).or_default();
            let parts = ["key", "args", "assign"].iter().filter_map(|part| head.get(part));
            parts.chain(spec.get("bodies")).for_each(|part| collect(part, used));
        }
    }
    let known: BTreeSet<String> = names.keys().cloned().collect();
    names.values_mut().for_each(|used| used.retain(|name| known.contains(name)));
    Ok(walk(&names))
}

/// The last name of a head: `f` of `f(x)`, `a.b.f`, and `f[x]`.
fn name(refr: &Value) -> Option<&str> {
    if let Some(var) = refr.get("Var") {
        return var["value"].as_str();
    }
    match refr.get("RefDot") {
        Some(dot) => dot["field"][1].as_str(),
        None => name(refr.get("RefBrack")?.get("refr")?),
    }
}

/// Every name that an expression mentions.
fn collect(part: &Value, out: &mut BTreeSet<String>) {
    match part {
        Value::Array(parts) => parts.iter().for_each(|part| collect(part, out)),
        Value::Object(parts) => {
            for (kind, inner) in parts {
                let mentioned = match kind.as_str() {
                    "Var" => inner["value"].as_str(),
                    "RefDot" => inner["field"][1].as_str(),
                    "RefBrack" => inner["index"]["String"]["value"].as_str(),
                    _ => None,
                };
                out.extend(mentioned.map(str::to_owned));
                collect(inner, out);
            }
        }
        _ => {}
    }
}

/// Takes away rules that lead nowhere until none is left, or every one that is left leads to another.
fn walk(names: &Names) -> Option<Vec<String>> {
    let mut left = names.clone();
    loop {
        let done: Vec<String> =
            left.iter().filter(|(_, used)| used.is_empty()).map(|(name, _)| name.clone()).collect();
        if done.is_empty() {
            break;
        }
        for name in &done {
            left.remove(name);
            left.values_mut().for_each(|used| {
                let _ = used.remove(name);
            });
        }
    }
    let mut way: Vec<String> = vec![left.keys().next()?.clone()];
    while let Some(next) = way.last().and_then(|name| left.get(name)?.first()) {
        if let Some(at) = way.iter().position(|seen| seen == next) {
            let mut circle = way.split_off(at);
            circle.push(next.clone());
            return Some(circle);
        }
        way.push(next.clone());
    }
    None
}
