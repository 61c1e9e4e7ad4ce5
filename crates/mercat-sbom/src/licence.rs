//! What a licence text is worth: an SPDX identifier, an expression of them, or words.

use spdx::identifiers::LICENSES;

/// A licence as documents can say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Licence {
    /// None is told.
    None,
    /// An identifier of the SPDX licence list.
    Id(String),
    /// An expression over such identifiers (SPDX specification, annex D).
    Expression(String),
    /// Anything else.
    Words(String),
}

/// How packages write licences, in lower case, where that means one of the list and no other. "BSD", "GPL" and "Apache
/// Software License" mean several, and stay words.
const WRITTEN: &[(&str, &str)] = &[
    ("3-clause bsd license", "BSD-3-Clause"),
    ("apache 2.0", "Apache-2.0"),
    ("apache license 2.0", "Apache-2.0"),
    ("apache license, version 2.0", "Apache-2.0"),
    ("apache software license 2.0", "Apache-2.0"),
    ("apache-2", "Apache-2.0"),
    ("asl 2.0", "Apache-2.0"),
    ("bsd 2-clause license", "BSD-2-Clause"),
    ("bsd 3-clause license", "BSD-3-Clause"),
    // Debian's name for it (copyright format 1.0).
    ("expat", "MIT"),
    ("isc license", "ISC"),
    ("mit license", "MIT"),
    ("mozilla public license 2.0 (mpl 2.0)", "MPL-2.0"),
    ("mplv2.0", "MPL-2.0"),
    ("the apache software license, version 2.0", "Apache-2.0"),
    ("the mit license", "MIT"),
];

pub(super) fn understand(text: &str) -> Licence {
    let text = text.trim();
    if text.is_empty() {
        return Licence::None;
    }
    if let Some(id) = identifier(text) {
        return Licence::Id(id);
    }
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let words: Option<Vec<String>> = spaced.split_whitespace().map(word).collect();
    let expression = words.map(|words| words.join(" ").replace("( ", "(").replace(" )", ")"));
    match expression.filter(|expression| spdx::Expression::parse(expression).is_ok()) {
        Some(expression) => Licence::Expression(expression),
        None => Licence::Words(text.to_owned()),
    }
}

/// A word of an expression as the specification has it.
fn word(word: &str) -> Option<String> {
    match word {
        "(" | ")" => Some(word.to_owned()),
        "AND" | "OR" | "WITH" | "and" | "or" | "with" => Some(word.to_ascii_uppercase()),
        _ => identifier(word)
            .or_else(|| spdx::exception_id(word).map(|exception| exception.name.to_owned()))
            .or_else(|| Some(identifier(word.strip_suffix('+')?)? + "+")),
    }
}

/// The identifier that a name means; letters of either case are the same (SPDX specification, annex D.2).
fn identifier(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if let Some((_, id)) = WRITTEN.iter().find(|(written, _)| *written == lower) {
        return Some((*id).to_owned());
    }
    let is_none = |id: &str| matches!(id, "NOASSERTION" | "NONE");
    let listed = || LICENSES.iter().map(|license| license.name).find(|id| id.eq_ignore_ascii_case(name));
    of_gnu(&lower).or_else(|| listed().filter(|id| !is_none(id)).map(str::to_owned))
}

/// Versions of GNU's licences as the list had them before (`GPL-2.0`, `GPL-2.0+`), and as Debian (`GPL-2+`, copyright format 1.0) and Fedora (`LGPLv2+`) write them.
fn of_gnu(name: &str) -> Option<String> {
    let (family, rest) = ["agpl", "lgpl", "gfdl", "gpl"]
        .iter()
        .find_map(|family| Some((family, name.strip_prefix(family)?)))?;
    let version = rest.strip_prefix(['-', 'v'])?;
    let (version, end) = match version.strip_suffix('+') {
        Some(version) => (version, "or-later"),
        None => (version, "only"),
    };
    let version = if version.contains('.') { version.to_owned() } else { format!("{version}.0") };
    let id = format!("{}-{version}-{end}", family.to_ascii_uppercase());
    spdx::license_id(&id).map(|license| license.name.to_owned())
}

#[cfg(test)]
mod tests;
