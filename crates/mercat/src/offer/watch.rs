//! Draws the steps of a submission while they happen.

use super::path;
use crate::client::{Answer, Client, problem_text};
use anyhow::{Context, bail};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use mercat_domain::OfferKey;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// How far to watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The preview is open.
    Preview,
    /// It is live.
    Live,
}

/// Watches until the goal or the end; the last status comes back. Bars on a terminal, lines elsewhere.
pub(crate) async fn watch(client: &Client, key: &OfferKey, goal: Goal) -> anyhow::Result<Value> {
    let screen = MultiProgress::new();
    let style = ProgressStyle::with_template("{prefix:<28} [{bar:24}] {msg}")?;
    let mut bars: Vec<(String, ProgressBar)> = Vec::new();
    let hidden = screen.is_hidden();
    let mut told: Vec<String> = Vec::new();
    let mut failures = 0;
    loop {
        let answer = client.call(Method::GET, &path(key, "/status"), None, None).await;
        // A server that restarts is back soon.
        let answer = match answer.and_then(available) {
            Err(error) if failures < AWAY_SECONDS_MAX => {
                if failures == 0 {
                    screen.suspend(|| away(&error));
                }
                failures += 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
            other => other.with_context(|| {
                format!("the submission goes on when the server is back; then: mercat offer status {key}")
            })?,
        };
        if !answer.status.is_success() {
            bail!("{}", problem_text(&answer));
        }
        let status = answer.body;
        failures = 0;
        for step in status["steps"].as_array().into_iter().flatten() {
            let id = step["id"].as_str().unwrap_or_default().to_owned();
            if !bars.iter().any(|(known, _)| *known == id) {
                let bar = screen.add(ProgressBar::new(100));
                bar.set_style(style.clone());
                bar.set_prefix(step["stepName"].as_str().unwrap_or_default().to_owned());
                bars.push((id.clone(), bar));
            }
            let line = line(step);
            if let Some((_, bar)) = bars.iter().find(|(known, _)| *known == id) {
                bar.set_position(step["progressPercentage"].as_u64().unwrap_or(0));
                bar.set_message(line.clone());
            }
            let state = step["status"].as_str().unwrap_or_default();
            let wait = step["progress"]["wait"]["code"].as_str().unwrap_or_default();
            let mark = format!("{id} {state} {wait}");
            if hidden && state != "notStarted" && !told.contains(&mark) {
                told.push(mark);
                say(&format!("  {:<28} {line}", step["stepName"].as_str().unwrap_or_default()));
            }
        }
        let state = status["status"].as_str().unwrap_or_default();
        let there = matches!(state, "succeeded" | "failed" | "canceled")
            || (state == "waitingForPublisherReview" && goal == Goal::Preview);
        if there {
            bars.iter().for_each(|(_, bar)| bar.abandon());
            print_findings(&status);
            return Ok(status);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// How long a server may be away while it is waited for.
const AWAY_SECONDS_MAX: u32 = 60;

/// An answer of the server itself, not of one that stands before it.
fn available(answer: Answer) -> anyhow::Result<Answer> {
    match answer.status {
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            bail!("{}", problem_text(&answer))
        }
        _ => Ok(answer),
    }
}

#[expect(clippy::print_stderr, reason = "said to the person at the keyboard")]
fn away(error: &anyhow::Error) {
    eprintln!("mercat: {error:#}; it is tried for another {AWAY_SECONDS_MAX} seconds");
}

/// The name of a state, as people write it.
pub(super) fn state_words(name: &str) -> String {
    let parted = |letter: char| match letter.is_ascii_uppercase() {
        true => format!(" {}", letter.to_ascii_lowercase()),
        false => letter.to_string(),
    };
    name.chars().map(parted).collect()
}

fn line(step: &Value) -> String {
    let wait = step["progress"]["wait"]["on"].as_str().filter(|_| step["status"] == "inProgress");
    let messages = step["messages"].as_array().into_iter().flatten();
    let texts: Vec<&str> = messages.filter_map(|message| message["text"].as_str()).collect();
    match wait {
        Some(wait) => wait.to_owned(),
        None if texts.is_empty() => state_words(step["status"].as_str().unwrap_or_default()),
        None => texts.join(" "),
    }
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn say(text: &str) {
    println!("{text}");
}

/// Warnings that are told in a line each.
const WARNINGS_TOLD: usize = 8;

/// What was found that does not block: warnings by their words, the rest by their number.
fn beside(status: &Value) -> Vec<String> {
    let steps = status["steps"].as_array().into_iter().flatten();
    let findings = || steps.clone().flat_map(|step| step["findings"].as_array().into_iter().flatten());
    let of = |severity: &'static str| findings().filter(move |finding| finding["severity"] == severity);
    let line = |finding: &Value| {
        let word = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let parts = [word("path"), word("package")];
        let place = parts.iter().find(|part| !part.is_empty()).map(|place| format!(" ({place})"));
        format!("  [warning] {} {}{}", word("rule"), word("observed"), place.unwrap_or_default())
    };
    let mut out: Vec<String> = of("warning").take(WARNINGS_TOLD).map(line).collect();
    let told = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        _ => Some(format!("{count} {what}s")),
    };
    let more = of("warning").count().saturating_sub(WARNINGS_TOLD);
    let parts = [told(more, "more warning"), told(of("info").count(), "note")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        out.push(format!("  {}: see the Status tab, or --output json", parts.join(" and ")));
    }
    out
}

/// The blocking findings of a status, and how many others there are.
pub(crate) fn print_findings(status: &Value) {
    print_blocking(status);
    beside(status).iter().for_each(|line| say(line));
}

fn print_blocking(status: &Value) {
    for step in status["steps"].as_array().into_iter().flatten().filter(|step| step["status"] == "blocked") {
        for finding in step["findings"].as_array().into_iter().flatten() {
            let word = |key: &str| finding[key].as_str().unwrap_or_default();
            if !matches!(word("severity"), "error" | "inconclusive") {
                continue;
            }
            say(&format!("  [{}] {} {}", word("severity"), word("rule"), word("observed")));
            let line = finding["line"].as_u64().and_then(|line| u32::try_from(line).ok());
            let path = mercat_domain::finding::at_line(word("path"), line);
            let parts = ["plan", "platform", "layer", "path", "package", "field"]
                .map(|key| if key == "path" { path.as_str() } else { word(key) });
            let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            if !parts.is_empty() {
                say(&format!("      where:    {}", parts.join(" ")));
            }
            say(&format!("      required: {}", word("required")));
            say(&format!("      fix:      {}", word("fix")));
        }
    }
}

pub(crate) fn print_status(status: &Value) {
    let number = status["number"].as_u64().map(|number| format!(" submission {number}")).unwrap_or_default();
    say(&format!(
        "{}{number}: {}",
        status["offer"].as_str().unwrap_or_default(),
        state_words(status["status"].as_str().unwrap_or_default())
    ));
    for step in status["steps"].as_array().into_iter().flatten() {
        let word = |key: &str| step[key].as_str().unwrap_or_default();
        // How long others take matters as long as it is not over.
        let is_ahead = matches!(word("status"), "notStarted" | "inProgress");
        let estimate = Some(word("estimatedTimeFrame")).filter(|time| is_ahead && !time.is_empty());
        let estimate = estimate.map_or_else(String::new, |time| format!(" (estimate: {time})"));
        say(&format!(
            "  {:<28} {:<26} {}{estimate}",
            word("stepName"),
            state_words(word("status")),
            line(step)
        ));
    }
    print_findings(status);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_block_is_told() {
        let finding = |severity: &str| serde_json::json!({"severity": severity, "rule": "CTR-24", "observed": "User is \"\"", "path": "etc/x"});
        let status = |found: &[&str]| {
            let found: Vec<Value> = found.iter().map(|severity| finding(severity)).collect();
            serde_json::json!({"steps": [{"findings": []}, {"findings": found}, {}]})
        };
        assert_eq!(beside(&status(&["error", "inconclusive"])), [""; 0]);
        let told = beside(&status(&["error", "warning", "info", "warning"]));
        assert_eq!(told[..2], ["  [warning] CTR-24 User is \"\" (etc/x)"; 2]);
        assert!(told.len() == 3 && told[2].starts_with("  1 note: see the Status tab"), "{told:?}");
        let told = beside(&status(&["warning"; 10]));
        assert!(told.len() == 9 && told[8].starts_with("  2 more warnings: see"), "{told:?}");
    }

    #[test]
    fn states_are_told_in_words() {
        for (name, words) in [
            ("waitingForPublisherReview", "waiting for publisher review"),
            ("inProgress", "in progress"),
            ("failed", "failed"),
            ("", ""),
        ] {
            assert_eq!(state_words(name), words);
        }
    }
}
