//! What a licence text is worth: an SPDX identifier, an expression of them, or words.

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

/// Identifiers that packages use; the whole list has hundreds that none does. An identifier that is not
/// here is kept as words, which is right, only less useful.
const KNOWN: &[&str] = &[
    "0BSD",
    "AFL-2.1",
    "AFL-3.0",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-1.1",
    "Apache-2.0",
    "Artistic-1.0",
    "Artistic-1.0-Perl",
    "Artistic-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD-4-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC0-1.0",
    "CDDL-1.0",
    "CDDL-1.1",
    "EPL-1.0",
    "EPL-2.0",
    "EUPL-1.2",
    "FTL",
    "GFDL-1.3-only",
    "GFDL-1.3-or-later",
    "GPL-1.0-only",
    "GPL-1.0-or-later",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "HPND",
    "ICU",
    "IJG",
    "ISC",
    "LGPL-2.0-only",
    "LGPL-2.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "Libpng",
    "MIT",
    "MIT-0",
    "MPL-1.1",
    "MPL-2.0",
    "MS-PL",
    "NCSA",
    "OFL-1.1",
    "OLDAP-2.8",
    "OpenSSL",
    "PHP-3.01",
    "PSF-2.0",
    "PostgreSQL",
    "Python-2.0",
    "Ruby",
    "SISSL",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Vim",
    "W3C",
    "WTFPL",
    "X11",
    "ZPL-2.1",
    "Zlib",
    "curl",
    "zlib-acknowledgement",
];
const EXCEPTIONS: &[&str] = &[
    "Classpath-exception-2.0",
    "GCC-exception-3.1",
    "LLVM-exception",
    "OpenSSL-exception",
    "Bison-exception-2.2",
];

pub(super) fn understand(text: &str) -> Licence {
    let text = text.trim();
    if text.is_empty() {
        return Licence::None;
    }
    if KNOWN.contains(&text) {
        return Licence::Id(text.to_owned());
    }
    if is_expression(text) { Licence::Expression(text.to_owned()) } else { Licence::Words(text.to_owned()) }
}

/// Names and operators in turn; brackets in balance.
fn is_expression(text: &str) -> bool {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let (mut depth, mut wants_name, mut exception) = (0_i32, true, false);
    for word in spaced.split_whitespace() {
        let fits = match word {
            "(" => {
                depth += 1;
                wants_name
            }
            ")" => {
                depth -= 1;
                !wants_name && depth >= 0
            }
            "AND" | "OR" => !std::mem::replace(&mut wants_name, true),
            "WITH" => {
                exception = true;
                !std::mem::replace(&mut wants_name, true)
            }
            name if exception => {
                exception = false;
                std::mem::take(&mut wants_name) && EXCEPTIONS.contains(&name)
            }
            name => std::mem::take(&mut wants_name) && KNOWN.contains(&name),
        };
        if !fits {
            return false;
        }
    }
    depth == 0 && !wants_name
}

#[cfg(test)]
mod tests;
