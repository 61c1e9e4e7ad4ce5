//! Programs that carry their version as text, for those that came without a package.
//!
//! Each line was read from the program itself: the text that is in it in every release of the last years,
//! and the name under which it is installed. A text without that name proves nothing: many programs hold
//! the version of a library that they were built with.

use crate::places::{bytes_at, first_place};
use crate::{Broken, Component, Evidence, component};
use mercat_artifact::Positioned;

/// Places in one file that are looked at.
const PLACES_MAX: usize = 256;
/// Bytes of the longest version.
const VERSION_BYTES_MAX: u64 = 32;

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
pub(crate) fn of(path: &str, program: &dyn Positioned) -> Result<Vec<Component>, Broken> {
    let file = path.rsplit('/').next().unwrap_or(path);
    let mut out: Vec<Component> = Vec::new();
    for known in KNOWN.iter().filter(|known| file.starts_with(known.file)) {
        if let Some(version) = behind(program, known.before)? {
            out.push(component("generic", known.name, &version, Evidence::Text));
            break;
        }
    }
    out.extend(python(file, program)?);
    Ok(out)
}

fn behind(program: &dyn Positioned, before: &[u8]) -> Result<Option<String>, Broken> {
    let end = program.length().map_err(Broken::unread)?;
    first_place(program, 0..end, before, PLACES_MAX, |at| {
        let at = at + before.len() as u64;
        Ok(bytes_at(program, at..end.min(at + VERSION_BYTES_MAX))?.as_deref().and_then(version))
    })
}

/// Digits with at least one point between; letters may follow, as in 1.1.1w or 3.12.0rc1.
fn version(bytes: &[u8]) -> Option<String> {
    let of = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'.';
    let word: Vec<u8> = bytes.iter().copied().take_while(of).collect();
    let text = String::from_utf8(word).ok()?;
    let text = text.trim_end_matches('.');
    let numbers = text.split('.').filter(|part| part.starts_with(|c: char| c.is_ascii_digit())).count();
    (text.starts_with(|c: char| c.is_ascii_digit()) && numbers >= 2).then(|| text.to_owned())
}

/// Python's version is a constant of its own, without words around it: NUL, `3.11.2`, NUL or a plus sign.
/// The name of the file says which one to look for.
fn python(file: &str, program: &dyn Positioned) -> Result<Option<Component>, Broken> {
    let Some(before) = before_python(file) else { return Ok(None) };
    let end = program.length().map_err(Broken::unread)?;
    let found = first_place(program, 0..end, before.as_bytes(), PLACES_MAX, |at| {
        // One byte more: what stands behind the longest.
        let text = bytes_at(program, at + 1..end.min(at + VERSION_BYTES_MAX + 2))?.unwrap_or_default();
        let version = version(text.get(..VERSION_BYTES_MAX as usize).unwrap_or(&text));
        Ok(version.filter(|version| matches!(text.get(version.len()), Some(0 | b'+'))))
    })?;
    Ok(found.map(|found| component("generic", "python", &found, Evidence::Text)))
}

fn before_python(file: &str) -> Option<String> {
    let rest = file.strip_prefix("libpython").or_else(|| file.strip_prefix("python"))?;
    let release = rest.split(".so").next().unwrap_or(rest).trim_end_matches(['d', 't']);
    let (major, minor) = release.split_once('.')?;
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(major) && is_number(minor)).then(|| format!("\0{major}.{minor}."))
}
