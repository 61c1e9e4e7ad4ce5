//! Programs that carry their version as text, for those that came without a package.
//!
//! Each line was read from the program itself: the text that is in it in every release of the last years,
//! and the name under which it is installed. A text without that name proves nothing: many programs hold
//! the version of a library that they were built with.

use crate::{Component, Evidence, component};
use memchr::memmem;

/// Places in one file that are looked at.
const PLACES_MAX: usize = 256;

struct Known {
    /// Name of the component.
    name: &'static str,
    /// How the file's name begins.
    file: &'static str,
    /// The text in front of the version.
    before: &'static [u8],
}

const KNOWN: &[Known] = &[
    Known { name: "busybox", file: "busybox", before: b"BusyBox v" },
    Known { name: "openssl", file: "openssl", before: b"OpenSSL " },
    Known { name: "openssl", file: "libcrypto.so", before: b"OpenSSL " },
    Known { name: "openssl", file: "libssl.so", before: b"OpenSSL " },
    Known { name: "node", file: "node", before: b"node.js/v" },
    Known { name: "node", file: "libnode.so", before: b"node.js/v" },
    Known { name: "nginx", file: "nginx", before: b"nginx/" },
    Known { name: "bash", file: "bash", before: b"@(#)Bash version " },
    Known { name: "httpd", file: "httpd", before: b"Apache/" },
    Known { name: "httpd", file: "apache2", before: b"Apache/" },
    Known { name: "haproxy", file: "haproxy", before: b"HAProxy version " },
    Known { name: "postgresql", file: "postgres", before: b"(PostgreSQL) " },
    Known { name: "php", file: "php", before: b"X-Powered-By: PHP/" },
    Known { name: "php", file: "libphp", before: b"X-Powered-By: PHP/" },
    Known { name: "curl", file: "libcurl.so", before: b"libcurl/" },
    Known { name: "redis", file: "redis-server", before: b"redis_version:" },
    Known { name: "memcached", file: "memcached", before: b"memcached " },
];

/// The version that a program says it has.
pub(crate) fn of(path: &str, bytes: &[u8]) -> Vec<Component> {
    let file = path.rsplit('/').next().unwrap_or(path);
    let mut out: Vec<Component> = Vec::new();
    for known in KNOWN.iter().filter(|known| file.starts_with(known.file)) {
        if let Some(version) = behind(bytes, known.before) {
            out.push(component("generic", known.name, &version, Evidence::Text));
            break;
        }
    }
    out.extend(python(file, bytes));
    out
}

fn behind(bytes: &[u8], before: &[u8]) -> Option<String> {
    memmem::find_iter(bytes, before).take(PLACES_MAX).find_map(|at| version(bytes.get(at + before.len()..)?))
}

/// Digits with at least one point between; letters may follow, as in 1.1.1w or 3.12.0rc1.
fn version(bytes: &[u8]) -> Option<String> {
    let of = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'.';
    let word: Vec<u8> = bytes.iter().take(32).copied().take_while(of).collect();
    let text = String::from_utf8(word).ok()?;
    let text = text.trim_end_matches('.');
    let numbers = text.split('.').filter(|part| part.starts_with(|c: char| c.is_ascii_digit())).count();
    (text.starts_with(|c: char| c.is_ascii_digit()) && numbers >= 2).then(|| text.to_owned())
}

/// Python's version is a constant of its own, without words around it: NUL, `3.11.2`, NUL or a plus sign.
/// The name of the file says which one to look for.
fn python(file: &str, bytes: &[u8]) -> Option<Component> {
    let rest = file.strip_prefix("libpython").or_else(|| file.strip_prefix("python"))?;
    let release = rest.split(".so").next().unwrap_or(rest).trim_end_matches(['d', 't']);
    let (major, minor) = release.split_once('.')?;
    if [major, minor].iter().any(|part| part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let before = format!("\0{major}.{minor}.");
    let found = memmem::find_iter(bytes, before.as_bytes()).take(PLACES_MAX).find_map(|at| {
        let version = version(bytes.get(at + 1..)?)?;
        let end = bytes.get(at + 1 + version.len())?;
        matches!(end, 0 | b'+').then_some(version)
    })?;
    Some(component("generic", "python", &found, Evidence::Text))
}
