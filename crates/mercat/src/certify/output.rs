//! The report in the form that was asked for, on standard output or in a file.

use crate::cli::{CertifyArgs, Colour, Output, ReportFormat};
use anyhow::Context;
use mercat_report::{Report, Style};
use mercat_text::Locale;
use std::io::{IsTerminal, Write};

/// Writes documents with their names.
pub(super) fn write(args: &CertifyArgs, documents: &[(String, String)]) -> anyhow::Result<()> {
    let format = args.format.unwrap_or(match args.output {
        Output::Text => ReportFormat::Text,
        Output::Json => ReportFormat::Json,
    });
    let text = compose(args, format, documents)?;
    match &args.out {
        Some(file) => crate::scratch::replace(file, text.as_bytes()),
        None => std::io::stdout().write_all(text.as_bytes()).context("standard output is closed"),
    }
}

fn compose(
    args: &CertifyArgs,
    format: ReportFormat,
    documents: &[(String, String)],
) -> anyhow::Result<String> {
    if format == ReportFormat::Json {
        return Ok(list(documents.iter().map(|(_, document)| document.clone()).collect()));
    }
    let reports = documents.iter().map(|(name, document)| Report::parse(name, document));
    let reports: Vec<Report> = reports.collect::<Result<_, _>>()?;
    let locale = args.lang.unwrap_or_else(locale_of_environment);
    let version = env!("CARGO_PKG_VERSION");
    Ok(match format {
        ReportFormat::Sarif => mercat_report::sarif(&reports, version, locale),
        ReportFormat::Junit => mercat_report::junit(&reports, locale),
        ReportFormat::Html => mercat_report::html(&reports, locale),
        ReportFormat::SelfTest => {
            let created = jiff::Timestamp::now().strftime("%m/%d/%Y %H:%M:%S").to_string();
            list(reports.iter().map(|report| mercat_report::self_test(report, &created)).collect())
        }
        ReportFormat::Text | ReportFormat::Json => {
            let style = style(args, locale);
            reports.iter().map(|report| mercat_report::text(report, &style)).collect()
        }
    })
}

/// One JSON document, or a list of several.
fn list(documents: Vec<String>) -> String {
    match <[String; 1]>::try_from(documents) {
        Ok([one]) => one,
        Err(many) => {
            let many: Vec<&str> = many.iter().map(|document| document.trim_end()).collect();
            format!("[{}]\n", many.join(","))
        }
    }
}

fn style(args: &CertifyArgs, locale: Locale) -> Style {
    let terminal = args.out.is_none() && std::io::stdout().is_terminal();
    let silent = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    let colour = match args.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => terminal && !silent && !dumb,
    };
    let columns = || {
        let told = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        told.unwrap_or_else(|| usize::from(console::Term::stdout().size().1))
    };
    Style { colour, width: args.width.or_else(|| terminal.then(columns)), locale }
}

/// POSIX: the first of these that is set counts.
fn locale_of_environment() -> Locale {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().filter_map(|name| std::env::var(name).ok());
    Locale::negotiate(&set.into_iter().find(|value| !value.is_empty()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use mercat_text::Locale;

    #[test]
    fn fixes_are_the_same_words_in_the_rules_and_in_english() {
        for rule in mercat_certify::disk::rules() {
            assert_eq!(mercat_text::fix(Locale::En, rule.id).as_deref(), Some(rule.fix), "{}", rule.id);
        }
    }
}
