//! What R, Erlang and conda leave where they install.

use crate::json::{Text, parse};
use crate::{Broken, Component, Evidence, component};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Whether a path is that of a package in a library of R, which loads it whatever its `DESCRIPTION` says.
pub(crate) fn in_library(path: &str) -> bool {
    let mut parts = path.rsplit('/').skip(2);
    parts.next().is_some_and(|library| matches!(library, "library" | "site-library"))
}

/// `DESCRIPTION` of an R package (Writing R Extensions, 1.1.1). That it is installed is told by its place or by `Built`; a
/// source has neither. What comes with R itself is R.
pub(crate) fn r(path: &str, bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let text = String::from_utf8_lossy(bytes);
    let mut fields: BTreeMap<&str, String> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        // A field may run over several lines, which then begin with blanks; of two with one name the last counts.
        if line.starts_with([' ', '\t']) {
            if let Some(value) = current.and_then(|key| fields.get_mut(key)) {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((key, value)) = line.split_once(':') {
            fields.insert(key, value.trim().to_owned());
            current = Some(key);
        }
    }
    let field = |key: &str| fields.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
    if field("Built").is_none() && !in_library(path) {
        return Ok(Vec::new());
    }
    let (Some(name), Some(version)) = (field("Package"), field("Version")) else {
        return Err(Broken::syntax("R package", "no Package or no Version"));
    };
    let is_of_bioconductor =
        field("biocViews").is_some() && field("Repository").is_none_or(|of| of.contains("Bioc"));
    let found = match (field("Priority"), is_of_bioconductor) {
        (Some("base"), _) => component("generic", "r", version, Evidence::Installed),
        (_, true) => component("bioconductor", name, version, Evidence::Installed),
        (_, false) => component("cran", name, version, Evidence::Installed),
    };
    Ok(vec![Component { licence: field("License").unwrap_or_default().to_owned(), ..found }])
}

/// Applications of Erlang/OTP and of Elixir, which come with the language: advisories about packages of Hex do not mean
/// them.
const OF_LANGUAGE: [&str; 51] = [
    "asn1",
    "common_test",
    "compiler",
    "cosEvent",
    "cosEventDomain",
    "cosFileTransfer",
    "cosNotification",
    "cosProperty",
    "cosTime",
    "cosTransactions",
    "crypto",
    "debugger",
    "dialyzer",
    "diameter",
    "edoc",
    "eex",
    "eldap",
    "elixir",
    "erl_docgen",
    "erl_interface",
    "erts",
    "et",
    "eunit",
    "ex_unit",
    "ftp",
    "hipe",
    "iex",
    "inets",
    "jinterface",
    "kernel",
    "logger",
    "megaco",
    "mix",
    "mnesia",
    "observer",
    "odbc",
    "orber",
    "os_mon",
    "parsetools",
    "public_key",
    "reltool",
    "runtime_tools",
    "sasl",
    "snmp",
    "ssh",
    "ssl",
    "stdlib",
    "syntax_tools",
    "tftp",
    "tools",
    "wx",
];

/// The type of package URL of an application.
pub(crate) fn kind_of_app(name: &str) -> &'static str {
    if OF_LANGUAGE.contains(&name) || name == "xmerl" { "otp" } else { "hex" }
}

/// A token of Erlang, as far as resource files have them.
#[derive(Debug, PartialEq, Eq)]
enum Token<'t> {
    /// An atom, with or without quotes, or a number.
    Word(&'t str),
    Text(&'t str),
    Sign(char),
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let behind = &rest[first.len_utf8()..];
        rest = match first {
            '%' => behind.split_once('\n').map_or("", |(_, rest)| rest),
            '"' | '\'' => {
                // A backslash takes away what the sign behind it means.
                let mut escaped = false;
                let end = behind.find(|c: char| {
                    let ends = c == first && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                });
                let (inside, rest) = end.map_or((behind, ""), |end| (&behind[..end], &behind[end + 1..]));
                out.push(if first == '"' { Token::Text(inside) } else { Token::Word(inside) });
                rest
            }
            _ if first.is_alphanumeric() || first == '_' => {
                let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@');
                let end = rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len());
                out.push(Token::Word(&rest[..end]));
                &rest[end..]
            }
            _ => {
                out.push(Token::Sign(first));
                behind
            }
        }
        .trim_start();
    }
    out
}

/// `ebin/NAME.app` of Erlang (application resource file): `{application, NAME, [..., {vsn, "VERSION"}, ...]}.`
pub(crate) fn erlang(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    use Token::{Sign, Text, Word};
    let text = String::from_utf8_lossy(bytes);
    let tokens = tokens(&text);
    let [Sign('{'), Word("application"), Sign(','), Word(name), Sign(','), Sign('['), keys @ ..] =
        &tokens[..]
    else {
        return Err(Broken::syntax("Erlang application", "no name"));
    };
    let mut depth = 0_usize;
    let mut version = None;
    for (at, token) in keys.iter().enumerate() {
        match (token, &keys[at..]) {
            (Sign('{'), [_, Word("vsn"), Sign(','), Text(of), ..]) if depth == 0 => {
                version = Some(*of);
                break;
            }
            (Sign('{' | '['), _) => depth += 1,
            (Sign('}' | ']'), _) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    let version = version.ok_or_else(|| Broken::syntax("Erlang application", "no vsn"))?;
    Ok(vec![component(kind_of_app(name), name, version, Evidence::Installed)])
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
