//! The bad-input corpus: files that somebody made to break a certification, each made here, each with the
//! verdict that it must get.
//!
//! Sections carry the letters of the plan: B manifests and configs, C compression, D tar, E archives inside,
//! F disk images, G partitions and file systems, H what scanners and operators read.

mod archives;
mod bytes;
mod compression;
mod databases;
mod disks;
mod documents;
mod image;
mod limits;
mod manifests;
mod snapshots;
mod tars;
mod volumes;

use image::Image;
use mercat_certify::advisories::Advisories;
use mercat_certify::disk::{Claims, DiskSpecimen};
use mercat_certify::{Extra, Knowledge, LayerFacts, Reused, Specimen, Verdict};
use mercat_disk::Declared;
use mercat_domain::{Outcome, Severity};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Fewer inputs than this are no corpus.
const INPUTS_MIN: usize = 400;

/// What must become of an input. Rules are given by how they begin, several with `|` between.
#[derive(Debug, Clone, Copy)]
enum Expect {
    /// A rule says so, and certification does not pass.
    Blocks(&'static str),
    /// A rule says that our side could not finish.
    Unfinished(&'static str),
    /// A rule says so; whether it blocks is not the point.
    Told(&'static str),
    /// Nothing is wrong with it.
    Accepted,
}

enum Input {
    Image(Image),
    Disk(Vec<u8>, Option<Declared>),
    /// Something that an operator imports, and what its reader says: the code of the refusal, or nothing.
    Import(Box<dyn Fn() -> String + Send + Sync>),
}

struct Case {
    section: char,
    name: String,
    input: Input,
    expect: Expect,
}

impl Case {
    fn image(section: char, name: impl Into<String>, image: Image, expect: Expect) -> Self {
        Self { section, name: name.into(), input: Input::Image(image), expect }
    }

    fn disk(section: char, name: impl Into<String>, bytes: Vec<u8>, as_: Declared, expect: Expect) -> Self {
        Self { section, name: name.into(), input: Input::Disk(bytes, Some(as_)), expect }
    }

    fn import(
        name: impl Into<String>,
        expect: Expect,
        read: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        Self { section: 'H', name: name.into(), input: Input::Import(Box::new(read)), expect }
    }
}

/// Nothing is remembered, so that every layer is read.
struct Nothing;

impl Reused for Nothing {
    fn find(&self, _: &str) -> Option<LayerFacts> {
        None
    }
    fn keep(&self, _: &str, _: &LayerFacts) {}
    fn progress(&self, _: u64, _: u64) {}
}

fn judge(input: &Input, knowledge: &Knowledge) -> Result<Verdict, String> {
    match input {
        Input::Image(image) => {
            let specimen = Specimen { root: image.root.clone(), blobs: image };
            mercat_certify::inspect(&specimen, knowledge, &Nothing).map_err(|error| error.to_string())
        }
        Input::Disk(bytes, declared) => match mercat_disk::open(Arc::new(bytes.clone()), *declared) {
            Err(refused) => Ok(mercat_certify::disk::refused_verdict(&refused, "", knowledge)),
            Ok(disk) => {
                let facts = disk.facts.clone();
                let specimen = DiskSpecimen { disk: Arc::new(disk), facts, claims: Claims::default() };
                mercat_certify::disk::inspect(&specimen, knowledge, &|_, _| {})
                    .map_err(|error| error.to_string())
            }
        },
        Input::Import(_) => Err("an import has no verdict".to_owned()),
    }
}

fn begins(rule: &str, wanted: &str) -> bool {
    wanted.split('|').any(|start| rule.starts_with(start))
}

/// What is wrong with the answer; nothing when it is the expected one.
fn differs(case: &Case, knowledge: &Knowledge) -> Option<String> {
    if let Input::Import(read) = &case.input {
        let said = read();
        return match case.expect {
            Expect::Accepted if said.is_empty() => None,
            Expect::Blocks(code) | Expect::Told(code) | Expect::Unfinished(code)
                if !said.is_empty() && begins(&said, code) =>
            {
                None
            }
            _ => Some(said),
        };
    }
    let verdict = match judge(&case.input, knowledge) {
        Ok(verdict) => verdict,
        Err(error) => return Some(format!("no verdict: {error}")),
    };
    let told = |wanted: &str, severity: Option<Severity>| {
        verdict.findings.iter().any(|found| {
            begins(&found.rule, wanted) && severity.is_none_or(|severity| found.severity == severity)
        })
    };
    let right = match case.expect {
        Expect::Blocks(rule) => told(rule, None) && verdict.outcome() != Outcome::Pass,
        Expect::Unfinished(rule) => {
            told(rule, Some(Severity::Inconclusive)) && verdict.outcome() != Outcome::Pass
        }
        Expect::Told(rule) => told(rule, None),
        // An image without packages says so.
        // These images start nothing, and most have no packages.
        Expect::Accepted => {
            verdict.findings.iter().all(|found| ["PKG-04", "CTR-25"].contains(&found.rule.as_str()))
        }
    };
    (!right).then(|| {
        let found: Vec<String> =
            verdict.findings.iter().map(|found| format!("{}: {}", found.rule, found.observed)).collect();
        format!("{} with {}", verdict.outcome().name(), found.join("; "))
    })
}

fn cases() -> Vec<Case> {
    [
        manifests::cases(),
        compression::cases(),
        tars::cases(),
        archives::cases(),
        disks::cases(),
        volumes::cases(),
        databases::cases(),
        documents::cases(),
        snapshots::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Judges every case, on as many threads as there are processors; what went wrong, by the case's name.
fn wrong(cases: &[Case]) -> BTreeMap<String, String> {
    let knowledge = Knowledge::load(&Extra::default(), Advisories::default())
        .unwrap_or_else(|error| panic!("the built-in rules load: {error}"));
    let next = AtomicUsize::new(0);
    let out = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let answer = catch_unwind(AssertUnwindSafe(|| differs(case, &knowledge)));
            let answer = answer.unwrap_or_else(|_| Some("it panicked".to_owned()));
            if let Some(answer) = answer {
                let name = format!("{} {} (expected {:?})", case.section, case.name, case.expect);
                out.lock().expect("nobody panics here").insert(name, answer);
            }
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        (0..threads).for_each(|_| {
            scope.spawn(work);
        });
    });
    out.into_inner().expect("nobody panics here")
}

#[test]
fn every_hostile_input_gets_the_verdict_that_it_must_get() {
    let cases = cases();
    let mut sections: BTreeMap<char, usize> = BTreeMap::new();
    let mut names: BTreeMap<(char, &str), usize> = BTreeMap::new();
    for case in &cases {
        *sections.entry(case.section).or_default() += 1;
        *names.entry((case.section, &case.name)).or_default() += 1;
    }
    let twice: Vec<_> = names.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "two inputs of one name: {twice:?}");
    let wrong = wrong(&cases);
    let list: Vec<String> = wrong.iter().map(|(name, answer)| format!("{name}: {answer}")).collect();
    assert!(list.is_empty(), "{} of {} inputs:\n{}", list.len(), cases.len(), list.join("\n"));
    println!("{} inputs, by section {sections:?}", cases.len());
    assert!(cases.len() >= INPUTS_MIN, "{} inputs", cases.len());
}
