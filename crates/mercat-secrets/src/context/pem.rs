//! Private keys as text.

use super::{REACH, Seen, find, numbered, run};
use crate::kind::Class;
use crate::shape;
use std::ops::Range;

/// How keys begin that a manual prints: cloud-init's, which every distribution ships; and the one with which npm's ssh2 sees
/// what it can do.
const KNOWN_KEYS: [&[u8]; 3] = [
    b"MC4CAQAwBQYDK2VwBCIEIHKj+sVa9WcD/q2DJUJaf43Kptc8xYuUQA4bOFj9vC8T",
    b"MIIBxwIBAAJhAKD0YSHy73nUgysO13XsJmd4fHiFyQ+00R7VVu2iV9Qco",
    b"MIIBuwIBAAKBgQDP2HLu7pTExL89USyM0264RCyWX/CMLmukxX0J",
];

/// PEM (RFC 7468, RFC 1421), OpenSSH and OpenPGP private keys. The body must be the beginning of one.
pub(crate) fn private_key(window: &[u8], at: usize) -> Seen {
    let before = &window[at.saturating_sub(32)..at];
    let label_at = before.windows(11).rposition(|part| part == b"-----BEGIN ");
    let Some(label) = label_at.map(|from| &before[from + 11..]) else { return Seen::nothing(32) };
    let dashes = at + 11 + if window[at + 11..].starts_with(b" BLOCK") { 6 } else { 0 };
    if !window[dashes..].starts_with(b"-----") {
        return Seen::nothing(48);
    }
    let from = dashes + 5;
    let rest = &window[from..window.len().min(from + REACH)];
    let (skipped, sealed) = headers(rest);
    let blank = |byte: u8| matches!(byte, b'\r' | b'\n' | b' ' | b'\t' | b'\\');
    let start = skipped;
    let end = run(rest, start, REACH, |byte| Class::Base64.has(byte) || byte == b'=' || blank(byte));
    let body = &rest[start.min(end)..end];
    let looked = 64 + end;
    let is_known = |body: &[u8]| KNOWN_KEYS.iter().any(|known| body.starts_with(known));
    if body.iter().filter(|byte| Class::Base64.has(**byte)).count() < 40
        || !(sealed || begins_key(label, body))
    {
        let pieces = in_pieces(rest).filter(|(body, _)| begins_key(label, body) && !is_known(body));
        return match pieces {
            Some((_, place)) => Seen::of(looked + place.end, from + place.start..from + place.end),
            None => Seen::nothing(looked),
        };
    }
    match is_known(body) {
        true => Seen::nothing(looked),
        false => Seen::of(looked, from + start..from + end),
    }
}

/// The beginning of a body whose lines stand in strings of a program or a list of JSON, or have their ends in escapes of
/// URLs or XML, and where it stands.
fn in_pieces(rest: &[u8]) -> Option<(Vec<u8>, Range<usize>)> {
    /// Characters of the body that tell what it is, and of its shortest piece.
    const ENOUGH: usize = 64;
    const PIECE_LEAST: usize = 16;
    /// What stands between pieces, beside single signs.
    const BETWEEN: [&[u8]; 13] = [
        b"\\n", b"\\r", b"%0A", b"%0a", b"%0D", b"%0d", b"&#10;", b"&#13;", b"&#xA;", b"&#xa;", b"&#xD;",
        b"&quot;", b"+ ",
    ];
    let (mut body, mut at, mut start) = (Vec::new(), 0, None);
    while body.len() < ENOUGH {
        while let Some(first) = rest.get(at) {
            let words = BETWEEN.iter().find(|word| rest[at..].starts_with(word)).map(|word| word.len());
            let sum = *first == b'+' && matches!(rest.get(at + 1), Some(b'\r' | b'\n' | b'"' | b'\''));
            match words {
                Some(length) => at += length,
                None if sum || first.is_ascii_whitespace() || b"\"'`,.&_".contains(first) => at += 1,
                None => break,
            }
        }
        let from = at;
        let length = body.len();
        while let Some(byte) = rest.get(at).filter(|_| body.len() < ENOUGH) {
            match rest.get(at..at + 3) {
                Some(b"%2B" | b"%2b") => body.push(b'+'),
                Some(b"%2F" | b"%2f") => body.push(b'/'),
                _ if Class::Base64.has(*byte) => {
                    body.push(*byte);
                    at += 1;
                    continue;
                }
                _ => break,
            }
            at += 3;
        }
        start.get_or_insert(from);
        if body.len() - length < PIECE_LEAST && body.len() < ENOUGH {
            return None;
        }
    }
    Some((body, start?..at))
}

/// Private keys in base64 with no lines around: DER whose length is that of what stands there. The keyword is in its first
/// groups.
pub(crate) fn bare_key(window: &[u8], at: usize) -> Seen {
    let nothing = Seen::nothing(32);
    let front = match &window[at..at + 3] {
        b"IBA" => 6,
        b"AgE" | b"AQA" | b"AQE" => 4,
        _ => 0,
    };
    let Some(start) = at.checked_sub(front) else { return nothing };
    let rest = &window[start..];
    let begins = shape::base64(&rest[..rest.len().min(64)]).unwrap_or_default();
    let (length, content) = match begins.as_slice() {
        [0x30, length @ 0..=0x7f, content @ ..] => (2 + usize::from(*length), content),
        [0x30, 0x81, length, content @ ..] => (3 + usize::from(*length), content),
        [0x30, 0x82, high, low, content @ ..] => (4 + (usize::from(*high) << 8 | usize::from(*low)), content),
        _ => return nothing,
    };
    let is_key = matches!(content, [2, 1, 0 | 1, 0x30, ..] | [2, 1, 0, 2, ..] | [2, 1, 1, 4, ..]);
    // In the middle of other base64 it is part of something else.
    let before = &window[..start];
    let is_escape = before.len() > 1 && before[start - 2] == b'\\' && b"nrt".contains(&before[start - 1]);
    let is_inside = !is_escape && before.last().is_some_and(|byte| Class::Base64.has(*byte));
    // Below a line of dashes it is for whoever reads those: in comments and manuals it is none.
    let is_headed = find(&window[start.saturating_sub(48)..start], b"-----").is_some();
    if !is_key || is_inside || is_headed || KNOWN_KEYS.iter().any(|known| rest.starts_with(known)) {
        return nothing;
    }
    let wanted = (length * 4).div_ceil(3);
    let (mut have, mut end) = (0, 0);
    while have < wanted {
        match rest.get(end) {
            // A line of dashes is no base64 for URLs.
            Some(b'-') if rest.get(end + 1) == Some(&b'-') => return Seen::nothing(end + 32),
            Some(byte) if Class::Base64.has(*byte) || Class::Url.has(*byte) => have += 1,
            Some(b'\r' | b'\n' | b' ' | b'\t' | b'\\') => {}
            _ => return Seen::nothing(end + 32),
        }
        end += 1;
    }
    Seen::of(end, start..start + end)
}

/// Passes over line ends that are written as `\n`, `\r` or by their number, and blanks.
fn after_escapes(rest: &[u8], mut at: usize) -> usize {
    loop {
        match rest.get(at..) {
            Some([b'\\', b'n' | b'r', ..]) => at += 2,
            Some([b'\r' | b'\n' | b' ' | b'\t', ..]) => at += 1,
            Some(escape) => match numbered(escape) {
                Some((b'\r' | b'\n', length)) => at += length,
                _ => return at,
            },
            None => return at,
        }
    }
}

/// Where the header fields of a body end, and whether one says that it is encrypted.
fn headers(rest: &[u8]) -> (usize, bool) {
    let mut at = after_escapes(rest, 0);
    let mut sealed = false;
    for _ in 0..8 {
        let line = &rest[at..rest.len().min(at + 200)];
        let name = line.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
        if name == 0 || !line[name..].starts_with(b": ") {
            break;
        }
        let end = line.iter().position(|byte| matches!(byte, b'\n' | b'\\')).unwrap_or(line.len());
        sealed |= find(&line[..end], b"ENCRYPTED").is_some();
        at = after_escapes(rest, at + end);
    }
    (at, sealed)
}

/// Whether the bytes are how a key of this label begins.
fn begins_key(label: &[u8], body: &[u8]) -> bool {
    let Some(bytes) = shape::base64(&body[..body.len().min(64)]) else { return false };
    if label.starts_with(b"OPENSSH") {
        return bytes.starts_with(b"openssh-key-v1\0");
    }
    if label.starts_with(b"PGP") {
        // Packets 5 and 7: a secret key or subkey, in the old and the new form.
        return matches!(bytes.first(), Some(0x94..=0x97 | 0x9c..=0x9f | 0xc5 | 0xc7));
    }
    // Sigstore's are JSON, which a password seals.
    if label.starts_with(b"ENCRYPTED SIGSTORE") || label.starts_with(b"ENCRYPTED COSIGN") {
        return bytes.starts_with(b"{\"");
    }
    // A sequence that begins with a version, or with another sequence where it is encrypted.
    let content = match bytes.as_slice() {
        [0x30, length @ 0..=0x7f, rest @ ..] if *length > 8 => rest,
        // Lengths may have zeros in front, or be told by an end: readers take all of them.
        [0x30, long @ 0x80..=0x88, rest @ ..] => rest.get(usize::from(long & 0x7f)..).unwrap_or_default(),
        _ => return false,
    };
    matches!(content, [2, 1, 0..=3, ..] | [0x30, ..])
}

/// A key of RSA as .NET writes it in XML, with its private exponent.
pub(crate) fn xml_key(window: &[u8], at: usize) -> Seen {
    const LEAST: usize = 80;
    let rest = &window[at..window.len().min(at + REACH)];
    let Some(exponent) = find(rest, b"<D>").map(|found| found + 3) else {
        return Seen::nothing(rest.len());
    };
    let end = run(rest, exponent, REACH, |byte| Class::Base64.has(byte) || byte == b'=');
    let is_whole = rest[end..].starts_with(b"</D>") && end - exponent >= LEAST;
    if is_whole { Seen::of(end, at + exponent..at + end) } else { Seen::nothing(end) }
}

/// A file of GnuPG's private keys (`agent/keyformat.txt`): an S-expression, in its readable form behind `Key:`.
pub(crate) fn gnupg_key(window: &[u8], at: usize) -> Seen {
    /// What stands in front: when it was made, and what for.
    const FRONT: usize = 512;
    const LOOKED: usize = 64;
    let before = &window[at.saturating_sub(LOOKED)..at];
    let is_readable = [&b"Key: ("[..], b"Key: (protected-"].iter().any(|front| before.ends_with(front));
    let is_canonical = matches!(before, b"(11" | b"(21");
    let behind = &window[at..window.len().min(at + LOOKED)];
    if at > FRONT || !(is_readable || is_canonical) || behind.len() < LOOKED {
        return Seen::nothing(LOOKED);
    }
    Seen::of(LOOKED, at..at + LOOKED)
}
