//! What policies refer to, by their syntax: rules that lead back to themselves, which Rego forbids and an interpreter that
//! met one would end its process by; files of which nothing is asked; and what is different each time.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Where the findings of operators are, below `data`.
const FINDINGS: [&str; 3] = ["mercat", "eligibility", "findings"];

/// What is wrong with policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Rules in the order in which they refer to each other.
    Circle(Vec<String>),
    /// A file that no finding comes from.
    Unused(String),
    /// A file whose result would not be the same each time.
    Random(String),
}

/// A rule: its package, and the first part of its name. Those that begin alike (`a.b`, `a.c`) are one.
type Rule = Vec<String>;
type Uses = BTreeMap<Rule, BTreeSet<Rule>>;

/// A name with what is taken of it; `None` where that is told only when it runs.
struct Reference<'s> {
    root: &'s str,
    path: Vec<Option<&'s str>>,
}

/// What names mean in a module.
struct Module<'s> {
    package: Vec<String>,
    /// Names of imports, with what they stand for.
    imports: BTreeMap<&'s str, Reference<'s>>,
    rules: &'s [Value],
    file: &'s str,
}

impl Module<'_> {
    fn rule(&self, name: &str) -> Rule {
        self.package.iter().cloned().chain([name.to_owned()]).collect()
    }
}

/// The first thing that is wrong with policies, from the syntax tree of the interpreter.
pub(crate) fn check(syntax: &str) -> Result<Option<Wrong>, serde_json::Error> {
    let tree: Value = serde_json::from_str(syntax)?;
    let modules: Vec<Module> = tree.as_array().into_iter().flatten().filter_map(module).collect();
    let known: BTreeSet<Rule> = modules.iter().flat_map(rules_of).collect();
    let (mut uses, mut random) = (Uses::new(), None);
    for module in &modules {
        for rule in module.rules {
            let Some((name, head, parts)) = parts_of(rule) else { continue };
            let mut used = BTreeSet::new();
            let mut seen = |reference: Reference<'_>| {
                if reference.root == "rand" {
                    random.get_or_insert_with(|| module.file.to_owned());
                }
                used.extend(meant(&reference, module, &known));
            };
            // Of its own name only what stands in brackets.
            let _ = of_reference(head, &mut seen);
            parts.into_iter().for_each(|part| collect(part, &mut seen));
            uses.entry(module.rule(name)).or_default().extend(used);
        }
    }
    let circle = || circle(&uses).map(Wrong::Circle);
    let unused = || unused(&modules, &uses).map(Wrong::Unused);
    Ok(random.map(Wrong::Random).or_else(circle).or_else(unused))
}

fn module<'s>(module: &'s Value) -> Option<Module<'s>> {
    let ast = &module["ast"];
    let package = whole(&ast["package"]["refr"])?;
    let package = std::iter::once(package.root).chain(package.path.iter().flatten().copied());
    let source = |part: &str| -> &'s str { module["source"][part].as_str().unwrap_or_default() };
    let (file, text) = (source("file"), source("contents"));
    let imports = ast["imports"].as_array().into_iter().flatten();
    Some(Module {
        package: package.map(str::to_owned).collect(),
        imports: imports.filter_map(|one| import(one, text)).collect(),
        rules: ast["rules"].as_array().map(Vec::as_slice).unwrap_or_default(),
        file,
    })
}

/// What an import stands for, by its name.
fn import<'s>(import: &'s Value, text: &'s str) -> Option<(&'s str, Reference<'s>)> {
    let of = whole(&import["refr"])?;
    let at = |key: &str| usize::try_from(import["as"][key].as_u64()?).ok();
    let alias = at("start").zip(at("end")).and_then(|(start, end)| text.get(start..end));
    let last = of.path.iter().rev().flatten().next().copied().unwrap_or(of.root);
    Some((alias.unwrap_or(last), of))
}

fn rules_of(module: &Module<'_>) -> Vec<Rule> {
    module.rules.iter().filter_map(|rule| parts_of(rule).map(|(name, ..)| module.rule(name))).collect()
}

/// The first name of a rule, its head, and the parts of it that refer to others.
fn parts_of(rule: &Value) -> Option<(&str, &Value, Vec<&Value>)> {
    let (head, parts) = match rule.get("Default") {
        Some(default) => (&default["refr"], vec![&default["args"], &default["value"]]),
        None => {
            let spec = rule.get("Spec")?;
            let head = spec["head"].as_object()?.values().next()?;
            let parts = ["key", "args", "assign"].iter().filter_map(|part| head.get(part));
            (&head["refr"], parts.chain(spec.get("bodies")).collect())
        }
    };
    // `f` of `f(x)` and `f[x]`, `a` of `a.b.f`.
    Some((whole(head)?.root, head, parts))
}

/// Every reference in an expression.
fn collect<'s>(part: &'s Value, seen: &mut dyn FnMut(Reference<'s>)) {
    match part {
        Value::Array(parts) => parts.iter().for_each(|part| collect(part, seen)),
        Value::Object(parts) => {
            for (kind, inner) in parts {
                match kind.as_str() {
                    "Var" | "RefDot" | "RefBrack" => {
                        if let Some(reference) = of_reference(part, seen) {
                            seen(reference);
                        }
                    }
                    _ => collect(inner, seen),
                }
            }
        }
        _ => {}
    }
}

/// A reference alone, of a package or an import.
fn whole(part: &Value) -> Option<Reference<'_>> {
    of_reference(part, &mut |_| {})
}

/// What a name with fields refers to. What is in its brackets, or in place of a name, is collected.
fn of_reference<'s>(part: &'s Value, seen: &mut dyn FnMut(Reference<'s>)) -> Option<Reference<'s>> {
    let (mut at, mut path) = (part, Vec::new());
    let root = loop {
        if let Some(var) = at.get("Var") {
            break var["value"].as_str();
        } else if let Some(dot) = at.get("RefDot") {
            path.push(dot["field"][1].as_str());
            at = &dot["refr"];
        } else if let Some(brackets) = at.get("RefBrack") {
            let index = &brackets["index"];
            let text = ["String", "RawString"].iter().find_map(|kind| index[kind]["value"].as_str());
            path.push(text);
            if text.is_none() {
                collect(index, seen);
            }
            at = &brackets["refr"];
        } else {
            collect(at, seen);
            break None;
        }
    };
    path.reverse();
    root.map(|root| Reference { root, path })
}

/// The rules that a reference may mean: a name is one of the rules of its package, of an import, or of what lies below it.
fn meant(reference: &Reference<'_>, module: &Module<'_>, known: &BTreeSet<Rule>) -> Vec<Rule> {
    let rest = || reference.path.iter().copied();
    let mut ways: Vec<Vec<Option<&str>>> = Vec::new();
    if reference.root == "data" {
        ways.push(rest().collect());
    } else if reference.root != "input" {
        let package = module.package.iter().map(|name| Some(name.as_str()));
        ways.push(package.chain([Some(reference.root)]).chain(rest()).collect());
    }
    if let Some(of) = module.imports.get(reference.root).filter(|of| of.root == "data") {
        ways.push(of.path.iter().copied().chain(rest()).collect());
    }
    let ways: Vec<Vec<&str>> =
        ways.into_iter().map(|way| way.into_iter().map_while(|name| name).collect()).collect();
    known.iter().filter(|rule| ways.iter().any(|way| is_on_way(rule, way))).cloned().collect()
}

/// Whether a rule is a part of what a path names, or has a part that it names.
fn is_on_way(rule: &[String], way: &[&str]) -> bool {
    rule.iter().zip(way).all(|(a, b)| a == b)
}

/// A file that no finding comes from, though it has rules. Nothing comes from tests, which are named as OPA names them.
fn unused(modules: &[Module<'_>], uses: &Uses) -> Option<String> {
    let mut waiting: Vec<&Rule> = uses.keys().filter(|rule| is_on_way(rule, &FINDINGS)).collect();
    // That there are none at all is told otherwise.
    if waiting.is_empty() {
        return None;
    }
    let mut reached = BTreeSet::new();
    while let Some(rule) = waiting.pop() {
        if reached.insert(rule) {
            waiting.extend(uses.get(rule).into_iter().flatten());
        }
    }
    let is_unused = |module: &&Module<'_>| {
        let rules = rules_of(module);
        !module.file.ends_with("_test.rego")
            && !rules.is_empty()
            && !rules.iter().any(|rule| reached.contains(rule))
    };
    modules.iter().find(is_unused).map(|module| module.file.to_owned())
}

/// Takes away rules that lead nowhere until none is left, or every one that is left leads to another.
fn circle(uses: &Uses) -> Option<Vec<String>> {
    let mut left = uses.clone();
    loop {
        let done: Vec<Rule> =
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
    let mut way: Vec<&Rule> = vec![left.keys().next()?];
    while let Some(next) = way.last().and_then(|name| left.get(*name)?.first()) {
        if let Some(at) = way.iter().position(|seen| *seen == next) {
            return Some(way[at..].iter().chain([&next]).map(|rule| shown(rule)).collect());
        }
        way.push(next);
    }
    None
}

/// A rule as those of its package name it, and others by their package.
fn shown(rule: &Rule) -> String {
    match rule.split_last() {
        Some((name, package)) if package == &FINDINGS[..2] => name.clone(),
        _ => format!("data.{}", rule.join(".")),
    }
}
