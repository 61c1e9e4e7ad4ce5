//! `mercat policy`: what comes with the program, and the operator's test cases.

use crate::cli::PolicyCommand;
use crate::{EXIT_FINDINGS, EXIT_OURS, EXIT_USAGE};
use anyhow::Context;
use mercat_certify::Policy;
use mercat_certify::eligibility::{self, CaseResult, Eligibility, PolicyFile, run_case};
use mercat_domain::plain::plain;
use std::path::Path;

const CASE: &str = ".case.json";

pub(crate) fn run(command: &PolicyCommand) -> anyhow::Result<u8> {
    match command {
        PolicyCommand::Show { name } => show(name.as_deref()),
        PolicyCommand::Test { directory } => test(directory),
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the command's result")]
fn show(name: Option<&str>) -> anyhow::Result<u8> {
    let Some(name) = name else {
        println!("{:<12} {:<11} digest", "name", "date");
        for pack in ["default", "legacy-2017", "legacy-2021"] {
            let policy = Policy::parse(Policy::named(pack).context("a pack that comes with the program")?)?;
            println!("{pack:<12} {:<11} {}", policy.date, policy.digest);
        }
        let digest = Eligibility::load(&[])?.digest().clone();
        println!("{:<12} {:<11} {digest}", "eligibility", "");
        println!("{:<12} {:<11} mercat.verdict/1, JSON Schema", "schema", "");
        println!("\nprint one with: mercat policy show NAME");
        return Ok(0);
    };
    let text = match name {
        "eligibility" => Some(eligibility::DEFAULT),
        "schema" => Some(mercat_report::SCHEMA),
        pack => Policy::named(pack),
    };
    match text {
        Some(text) => {
            print!("{text}");
            Ok(0)
        }
        None => {
            eprintln!(
                "mercat: there is no {name:?}; use default, legacy-2017, legacy-2021, eligibility or schema"
            );
            Ok(EXIT_USAGE)
        }
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the command's result")]
fn test(directory: &Path) -> anyhow::Result<u8> {
    let (mut files, mut cases) = (Vec::new(), Vec::new());
    let entries = std::fs::read_dir(directory).with_context(|| format!("{}", directory.display()))?;
    let mut paths: Vec<_> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let read = || std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()));
        if name.ends_with(CASE) {
            cases.push((name.trim_end_matches(CASE).to_owned(), read()?));
        } else if name.ends_with(".rego") || name.ends_with(".json") {
            files.push(PolicyFile { name, text: read()? });
        }
    }
    let policies = match Eligibility::load(&files) {
        Ok(policies) => policies,
        Err(error) => {
            eprintln!("mercat: {error}");
            return Ok(EXIT_OURS);
        }
    };
    println!("policy {} ({})", policies.digest(), policies.names().join(", "));
    if cases.is_empty() {
        eprintln!("mercat: no *{CASE} in {}: nothing was tested", directory.display());
        return Ok(EXIT_OURS);
    }
    let width = cases.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(4);
    println!("{:<width$}  {:<12}  note", "case", "result");
    let mut worst = 0;
    for (name, text) in &cases {
        let (note, result) = match run_case(&policies, text) {
            Ok((note, result)) => (plain(&note), result),
            Err(error) => (String::new(), CaseResult::Inconclusive(error.to_string())),
        };
        let (word, lines, code) = match result {
            CaseResult::Passed(count) => ("passed", vec![format!("findings: {count}")], 0),
            CaseResult::Failed(lines) => ("failed", lines, EXIT_FINDINGS),
            CaseResult::Inconclusive(why) => ("inconclusive", vec![why], EXIT_OURS),
        };
        println!("{name:<width$}  {word:<12}  {note}");
        if code > 0 {
            lines.iter().for_each(|line| println!("{:<width$}  {:<12}  - {}", "", "", plain(line)));
        }
        worst = worst.max(code);
    }
    Ok(worst)
}
