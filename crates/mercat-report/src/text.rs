//! For people at a terminal.

use crate::{Report, place};
use anstyle::{AnsiColor, Style as Ansi};
use mercat_domain::plain::plain;
use mercat_domain::{Finding, Outcome, Severity};
use mercat_text::Locale;
use std::collections::{BTreeMap, BTreeSet};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// With SGR sequences (ECMA-48, 8.3.117).
    pub colour: bool,
    /// Columns to wrap at; `None` wraps nothing.
    pub width: Option<usize>,
    /// Language of its words.
    pub locale: Locale,
}

/// Narrower than this, wrapping gives no readable column.
pub const WIDTH_MIN: usize = 40;

/// Characters of a digest where only people read it: `sha256:` and 48 bits.
const DIGEST_SHOWN: usize = 19;
/// Rules that are off and named, most.
const OFF_SHOWN: usize = 12;

/// The text of one report.
pub fn text(report: &Report, style: &Style) -> String {
    let none = style.word("text-unreadable", &[]);
    let subject = if report.subject.is_empty() { &none } else { &report.subject };
    let outcome = style.word(&format!("text-outcome-{}", report.outcome.name()), &[]);
    let outcome = style.paint(of_outcome(report.outcome), &outcome);
    let mut out = format!("{} {}: {outcome}\n", plain(&report.name), plain(subject));
    let [name, date, digest] = &report.policy;
    // As much of it as tells one pack of a name from another.
    let digest: String = digest.chars().take(DIGEST_SHOWN).collect();
    let none = style.word("text-none", &[]);
    let advisories = if report.advisories.is_empty() { &none } else { &report.advisories };
    let arguments = [
        ("name", plain(name)),
        ("date", plain(date)),
        ("digest", plain(&digest)),
        ("advisories", plain(advisories)),
    ];
    let about = style.word("text-about", &arguments.each_ref().map(|(key, value)| (*key, value.as_str())));
    out.push_str(&style.paint(Ansi::new().dimmed(), &about));
    out.push('\n');
    for finding in report.by_weight() {
        one(report, finding, style, &mut out);
    }
    let tables = [images(report, style), volumes(report, style)];
    tables.iter().filter(|rows| rows.len() > 1).for_each(|rows| table(rows, style, &mut out));
    if !report.checks.is_empty() {
        let rules = style.word("text-rules", &[("counts", &counts(report, style))]);
        wrapped("  ", "  ", &rules, style, &mut out);
    }
    undecided(report, style, &mut out);
    out
}

/// Why rules could not be decided of which no finding tells.
fn undecided(report: &Report, style: &Style, out: &mut String) {
    let is_told =
        |rule: &str| report.findings.iter().any(|finding| finding.rule.trim_end_matches("-ADVICE") == rule);
    let silent = report.checks.iter().filter(|check| check.result == "inconclusive" && !is_told(&check.rule));
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for check in silent.filter(|check| !check.observed.is_empty()) {
        match reasons.iter_mut().find(|(why, _)| *why == check.observed) {
            Some((_, rules)) => rules.push(&check.rule),
            None => reasons.push((&check.observed, vec![&check.rule])),
        }
    }
    for (why, rules) in reasons {
        let told = format!("{}: {}", mercat_text::observed(style.locale, why), rules.join(", "));
        wrapped("    ", "    ", &plain(&told), style, out);
    }
}

fn of_outcome(outcome: Outcome) -> Ansi {
    Ansi::new().bold().fg_color(Some(
        match outcome {
            Outcome::Pass => AnsiColor::Green,
            Outcome::Findings => AnsiColor::Red,
            Outcome::Inconclusive => AnsiColor::Magenta,
        }
        .into(),
    ))
}

fn of_severity(severity: Severity) -> Ansi {
    Ansi::new().bold().fg_color(Some(
        match severity {
            Severity::Error => AnsiColor::Red,
            Severity::Inconclusive => AnsiColor::Magenta,
            Severity::Warning => AnsiColor::Yellow,
            Severity::Info => AnsiColor::Cyan,
        }
        .into(),
    ))
}

impl Style {
    fn word(&self, key: &str, arguments: &[(&str, &str)]) -> String {
        mercat_text::text(self.locale, key, arguments)
    }

    fn paint(&self, style: Ansi, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

fn one(report: &Report, finding: &Finding, style: &Style, out: &mut String) {
    let weight = style.word(&format!("text-{}", report.weight(finding)), &[]);
    let rule = plain(&finding.rule);
    let head = format!("  [{weight}] {rule} ");
    let painted = format!("  [{}] {rule} ", style.paint(of_severity(finding.severity), &weight));
    let observed = mercat_text::observed(style.locale, &finding.observed);
    wrapped(&head, &painted, &plain(&observed), style, out);
    let place = place(finding);
    let fix = mercat_text::remedy(style.locale, &finding.rule, &finding.fix);
    let required = mercat_text::required(style.locale, &finding.rule, &finding.required);
    for (name, text) in [("text-where", &place), ("text-required", &required), ("text-fix", &fix)] {
        if !text.is_empty() {
            let name = style.word(name, &[]);
            let head = format!("      {name}{} ", " ".repeat(9_usize.saturating_sub(name.width())));
            wrapped(&head, &head, &plain(text), style, out);
        }
    }
}

/// Writes a text behind a head, with further lines below its start. `painted` is the head with its colours.
fn wrapped(head: &str, painted: &str, text: &str, style: &Style, out: &mut String) {
    let indent = head.width().min(16);
    let first = style.width.map(|width| width.max(WIDTH_MIN).saturating_sub(head.width()).max(16));
    let later = style.width.map(|width| width.max(WIDTH_MIN).saturating_sub(indent));
    out.push_str(painted);
    let lines = match (first, later) {
        (Some(first), Some(later)) => wrap(text, first, later),
        _ => vec![text.to_owned()],
    };
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// Breaks at spaces, and within words that are longer than a line.
fn wrap(text: &str, first: usize, later: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let room = if lines.len() == 1 { first } else { later };
        if used > 0 && used + word.trim_end().width() > room {
            lines.push(String::new());
            used = 0;
        }
        for c in word.chars() {
            let room = if lines.len() == 1 { first } else { later };
            let columns = c.width().unwrap_or(0);
            if used > 0 && used + columns > room && c != ' ' {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
            used += columns;
        }
    }
    lines
}

fn images(report: &Report, style: &Style) -> Vec<[String; 5]> {
    let head = ["platform", "layers", "packed", "files", "packages"]
        .map(|key| style.word(&format!("text-{key}"), &[]));
    let row = |image: &crate::Image| {
        [
            plain(&image.platform),
            image.layers.len().to_string(),
            image.layers.iter().map(|layer| layer.packed_bytes).sum::<u64>().to_string(),
            image.layers.iter().map(|layer| layer.files).sum::<u64>().to_string(),
            (image.packages + image.components).to_string(),
        ]
    };
    std::iter::once(head).chain(report.images.iter().map(row)).collect()
}

fn volumes(report: &Report, style: &Style) -> Vec<[String; 5]> {
    let head = ["volume", "contents", "bytes", "files", "scanned"]
        .map(|key| style.word(&format!("text-{key}"), &[]));
    let row = |volume: &crate::Volume| {
        [
            plain(&volume.name),
            plain(&volume.contents),
            volume.bytes.to_string(),
            volume.files.to_string(),
            volume.scanned_bytes.to_string(),
        ]
    };
    let rows = report.disk.iter().flat_map(|disk| disk.volumes.iter().map(row));
    std::iter::once(head).chain(rows).collect()
}

/// Words to the left, numbers to the right.
fn table(rows: &[[String; 5]], style: &Style, out: &mut String) {
    let mut widths = [0; 5];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    for (at, row) in rows.iter().enumerate() {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(widths) {
            let space = " ".repeat(width.saturating_sub(cell.width()));
            let number = at > 0 && cell.bytes().all(|byte| byte.is_ascii_digit());
            line += &if number { format!(" {space}{cell}") } else { format!(" {cell}{space}") };
            line.push(' ');
        }
        let line = line.trim_end();
        out.push_str(&if at == 0 { style.paint(Ansi::new().underline(), line) } else { line.to_owned() });
        out.push('\n');
    }
}

/// How many rules came out how.
fn counts(report: &Report, style: &Style) -> String {
    const RESULTS: [&str; 8] =
        ["passed", "error", "warning", "info", "inconclusive", "not-applicable", "boot-only", "off"];
    // Some rules have findings and no line of their own.
    let listed: BTreeSet<&str> = report.checks.iter().map(|check| check.rule.as_str()).collect();
    let mut others: BTreeMap<&str, Severity> = BTreeMap::new();
    let is_listed = |rule: &str| listed.contains(rule.trim_end_matches("-ADVICE"));
    for finding in report.findings.iter().filter(|finding| !is_listed(&finding.rule)) {
        let worst = others.entry(&finding.rule).or_insert(finding.severity);
        if finding.severity.weight() > worst.weight() {
            *worst = finding.severity;
        }
    }
    let of_check = |result: &str| report.checks.iter().filter(|check| check.result == result).count();
    let other = |result: &str| others.values().filter(|severity| severity.name() == result).count();
    let count = |result: &str| of_check(result) + other(result);
    let counted = RESULTS.iter().map(|result| (count(result), result)).filter(|(count, _)| *count > 0);
    // Those that nobody could decide may have no finding that names them.
    let of_checks = report.checks.iter().filter(|check| check.result == "inconclusive");
    let of_others = others.iter().filter(|(_, severity)| **severity == Severity::Inconclusive);
    let undecided = of_checks.map(|check| plain(&check.rule)).chain(of_others.map(|(rule, _)| plain(rule)));
    let undecided = undecided.collect::<Vec<_>>().join(", ");
    let off = report.checks.iter().filter(|check| check.result == "off").map(|check| plain(&check.rule));
    let off: Vec<String> = off.collect();
    let off = if off.len() <= OFF_SHOWN { off.join(", ") } else { String::new() };
    let parts = counted.map(|(count, result)| {
        let told = style.word(&format!("text-count-{result}"), &[("count", &count.to_string())]);
        match *result {
            "inconclusive" if !undecided.is_empty() => format!("{told} ({undecided})"),
            "off" if !off.is_empty() => format!("{told} ({off})"),
            _ => told,
        }
    });
    parts.collect::<Vec<_>>().join(&style.word("text-and", &[]))
}
