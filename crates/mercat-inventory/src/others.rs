//! What R, Erlang and conda leave where they install.

use crate::json::{Text, parse};
use crate::{Broken, Component, Evidence, component};
use serde::Deserialize;

/// `DESCRIPTION` of an R package (Writing R Extensions, 1.1.1), whose installation is told by `Built`; a source has none.
pub(crate) fn r(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let text = String::from_utf8_lossy(bytes);
    // A field may run over several lines, which then begin with blanks.
    let field = |key: &str| {
        let mut lines =
            text.lines().skip_while(|line| !line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
        let first = lines.next()?[key.len() + 1..].trim().to_owned();
        let more = lines.take_while(|line| line.starts_with([' ', '\t'])).map(str::trim);
        Some(
            [first]
                .into_iter()
                .chain(more.map(str::to_owned))
                .collect::<Vec<_>>()
                .join(" ")
                .trim()
                .to_owned(),
        )
    };
    if field("Built").is_none() {
        return Ok(Vec::new());
    }
    let name = field("Package").unwrap_or_default();
    let version = field("Version").unwrap_or_default();
    if name.is_empty() || version.is_empty() {
        return Err(Broken::syntax("R package", "no Package or no Version"));
    }
    let kind = if field("biocViews").is_some() { "bioconductor" } else { "cran" };
    let found = component(kind, &name, &version, Evidence::Installed);
    Ok(vec![Component { licence: field("License").unwrap_or_default(), ..found }])
}

/// `ebin/NAME.app` of Erlang (application resource file): `{application, NAME, [..., {vsn, "VERSION"}, ...]}.`
pub(crate) fn erlang(path: &str, bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    const OF_ELIXIR: [&str; 6] = ["eex", "elixir", "ex_unit", "iex", "logger", "mix"];
    let text = String::from_utf8_lossy(bytes);
    let text: String =
        text.lines().map(|line| format!("{}\n", line.split('%').next().unwrap_or(line))).collect();
    let value = |key: &str| {
        let behind = text.match_indices(key).map(|(at, _)| text[at + key.len()..].trim_start());
        behind.filter_map(|rest| rest.strip_prefix(',')).map(str::trim_start).next()
    };
    let word = |rest: &str| {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '@' | '.')));
        rest[..end.unwrap_or(rest.len())].to_owned()
    };
    let name = value("application").map(|rest| word(rest.trim_start_matches('\''))).unwrap_or_default();
    if name.is_empty() {
        return Err(Broken::syntax("Erlang application", "no name"));
    }
    let version = value("vsn").and_then(|rest| rest.strip_prefix('"')?.split_once('"'));
    let version = version.map_or("", |(version, _)| version);
    // Applications of the language itself come with its releases; advisories about packages do not mean them.
    let is_of_language = path.contains("erlang/lib/") || OF_ELIXIR.contains(&name.as_str());
    let kind = if is_of_language { "otp" } else { "hex" };
    Ok(vec![component(kind, &name, version, Evidence::Installed)])
}

#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    version: Text,
    #[serde(default)]
    license: Text,
}

/// `conda-meta/NAME-VERSION-BUILD.json`.
pub(crate) fn conda(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let Record { name, version, license } = parse("record of conda", bytes)?;
    if name.0.is_empty() {
        return Err(Broken::syntax("record of conda", "no name"));
    }
    let found = component("conda", &name.0, &version.0, Evidence::Installed);
    Ok(vec![Component { licence: license.0, ..found }])
}
