//! Passwords in settings of programs, where only the place tells that the value is one.

use super::{REACH, Seen, run};
use crate::kind::Class;
use crate::shape;
use std::ops::Range;

/// Programs whose properties name passwords.
const PROPERTIES: [&[u8]; 6] = [
    b"spring.",
    b"quarkus.datasource.",
    b"jdbc.",
    b"hibernate.connection.",
    b"javax.persistence.jdbc.",
    b"jakarta.persistence.jdbc.",
];
/// How values begin that another program has sealed: Jasypt's, and those of Spring's configuration server.
const SEALED: [&[u8]; 2] = [b"ENC(", b"{cipher}"];

/// `password` below `[client]` and other groups of MySQL's option files.
pub(crate) fn option_file(window: &[u8], at: usize) -> Seen {
    let head = run(window, at + 1, 40, |byte| Class::Dotted.has(byte));
    if !begins_line(window, at) || window.get(head) != Some(&b']') {
        return Seen::nothing(head - at);
    }
    let end = window.len().min(at + REACH);
    for line in lines(window, head + 1..end) {
        match &window[line.clone()] {
            [b'[', ..] => return Seen::nothing(line.start - at),
            text if text.starts_with(b"password") => {
                let found = value(window, line.start + 8..line.end, b"=");
                if let Some(password) = found.filter(|value| shape::is_password(&window[value.clone()])) {
                    return Seen::of(line.end - at, password);
                }
            }
            _ => {}
        }
    }
    Seen::nothing(end - at)
}

/// `password` below `datasource` in YAML, as Spring and Quarkus have it.
pub(crate) fn data_source(window: &[u8], at: usize) -> Seen {
    let blanks = |from: usize| run(window, from, 64, |byte| byte == b' ') - from;
    let indent = window[at.saturating_sub(64)..at].iter().rev().take_while(|byte| **byte == b' ').count();
    let head = at + b"datasource:".len();
    if !begins_line(window, at - indent) || !matches!(window.get(head + blanks(head)), Some(b'\r' | b'\n')) {
        return Seen::nothing(96);
    }
    let end = window.len().min(at + REACH);
    for line in lines(window, head..end).filter(|line| !line.is_empty()) {
        let first = window[..line.start].iter().rev().take_while(|byte| **byte == b' ').count();
        if first <= indent {
            return Seen::nothing(line.start - at);
        }
        if window[line.clone()].starts_with(b"password") {
            let found = value(window, line.start + 8..line.end, b":");
            if let Some(password) = found.filter(|value| is_plain(&window[value.clone()])) {
                return Seen::of(line.end - at, password);
            }
        }
    }
    Seen::nothing(end - at)
}

/// Values below `stringData` of a Kubernetes Secret.
pub(crate) fn string_data(window: &[u8], at: usize) -> Seen {
    let indent = window[at.saturating_sub(64)..at].iter().rev().take_while(|byte| **byte == b' ').count();
    let end = window.len().min(at + REACH);
    if !begins_line(window, at - indent) {
        return Seen::nothing(indent + 1);
    }
    for line in lines(window, at + b"stringData:".len()..end).filter(|line| !line.is_empty()) {
        let first = window[..line.start].iter().rev().take_while(|byte| **byte == b' ').count();
        if first <= indent {
            return Seen::nothing(line.start - at);
        }
        let Some(colon) = window[line.clone()].iter().position(|byte| *byte == b':') else { continue };
        let found = value(window, line.start + colon..line.end, b":");
        let is_secret = |value: &[u8]| is_plain(value) && shape::is_typed(value) && !value.contains(&b' ');
        if let Some(secret) = found.filter(|value| is_secret(&window[value.clone()])) {
            return Seen::of(line.end - at, secret);
        }
    }
    Seen::nothing(end - at)
}

/// `password` in YAML beside the name that signs in with it.
pub(crate) fn yaml_login(window: &[u8], at: usize) -> Seen {
    const NAMES: [&[u8]; 11] = [
        b"user:",
        b"username:",
        b"user_name:",
        b"login:",
        b"email:",
        b"host:",
        b"hostname:",
        b"address:",
        b"database:",
        b"dbname:",
        b"url:",
    ];
    /// Bytes around in which the names are looked for.
    const AROUND: usize = 512;
    /// How deep a key may lie, in blanks.
    const DEPTH_MAX: usize = 64;
    let looked = DEPTH_MAX + AROUND;
    // Keys of an element of a list lie behind its hyphen.
    let depth = |key: usize| {
        let before = &window[key.saturating_sub(DEPTH_MAX)..key];
        before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'-')).count()
    };
    let indent = depth(at);
    if !begins_line(window, at - indent) {
        return Seen::nothing(indent + 1);
    }
    let end = run(window, at, 256, |byte| !matches!(byte, b'\n' | b'\r' | 0));
    let found = value(window, at + b"password".len()..end, b":");
    let is_login = |value: &Range<usize>| {
        let value = &window[value.clone()];
        is_plain(value) && shape::is_typed(value) && !value.contains(&b' ')
    };
    let Some(password) = found.filter(is_login) else { return Seen::nothing(indent + end - at) };
    // A comma at the end is another language's.
    let is_name = |line: Range<usize>| {
        let line = &window[line];
        !line.ends_with(b",") && NAMES.iter().any(|name| line.starts_with(name))
    };
    // Only keys of the same object: what is less deep ends it.
    let key = |line: Range<usize>| {
        run(window, line.start, line.len(), |byte| matches!(byte, b'-' | b' '))..line.end
    };
    let beside = |line: &Range<usize>| depth(line.start) >= indent;
    let far = at.saturating_sub(AROUND);
    // The first line may be cut.
    let start = if far == 0 { 0 } else { run(window, far, AROUND, |byte| byte != b'\n') };
    let before: Vec<_> = lines(window, start..at).collect();
    let above = before.into_iter().rev().map(key).filter(|line| !line.is_empty()).take_while(beside);
    let below = lines(window, end..window.len().min(end + AROUND));
    let below = below.map(key).filter(|line| !line.is_empty()).take_while(beside);
    if above.chain(below).any(is_name) { Seen::of(looked, password) } else { Seen::nothing(looked) }
}

/// `"password"` in an object of JSON, or a dictionary of Python, beside the name that signs in with it. The keyword is
/// the name in its quotes, and the colon.
pub(crate) fn object_login(window: &[u8], at: usize) -> Seen {
    const NAMES: [&[u8]; 6] = [b"user", b"username", b"login", b"host", b"hostname", b"engine"];
    /// Bytes around in which the names are looked for.
    const AROUND: usize = 512;
    let looked = 2 * AROUND;
    let quote = window[at];
    let name_end = at + 1 + b"password".len();
    let opened = run(window, name_end + 2, 8, |byte| matches!(byte, b' ' | b'\t'));
    if !matches!(window.get(opened), Some(b'"' | b'\'')) {
        return Seen::nothing(32);
    }
    let closing = window[opened];
    let end = run(window, opened + 1, 128, |byte| byte != closing && (b' '..=b'~').contains(&byte));
    let value = &window[opened + 1..end];
    let sorts = [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit];
    let sorts = sorts.iter().filter(|sort| value.iter().any(sort)).count();
    let signs = value.iter().any(shape::is_strong_sign);
    // In small letters and digits, examples of manuals are more.
    let chosen = (sorts == 3 || sorts == 2 && signs)
        && shape::is_typed(value)
        && !value.contains(&b' ')
        && is_plain(value);
    if window.get(end) != Some(&closing) || !chosen {
        return Seen::nothing(32 + end - opened);
    }
    let far = at.saturating_sub(AROUND);
    let start = window[far..at].iter().rposition(|byte| *byte == b'{').map_or(far, |edge| far + edge);
    let behind = run(window, end, AROUND, |byte| byte != b'}');
    let is_name = |text: &[u8]| {
        // Of `"name":` what is between the quotes.
        let text = text.strip_suffix(&[quote]).unwrap_or_default();
        NAMES.iter().any(|name| {
            text.len() > name.len()
                && text[text.len() - name.len() - 1] == quote
                && text[text.len() - name.len()..].eq_ignore_ascii_case(name)
        })
    };
    let around = &window[start..behind];
    let mut colons = around.iter().enumerate().filter(|(_, byte)| **byte == b':');
    match colons.any(|(colon, _)| is_name(around[..colon].trim_ascii_end())) {
        true => Seen::of(looked, opened + 1..end),
        false => Seen::nothing(looked),
    }
}

/// `spring.datasource.password=…` and other properties of Java, in files and on command lines.
pub(crate) fn property(window: &[u8], at: usize) -> Seen {
    let before = &window[at.saturating_sub(80)..at];
    let length = before.iter().rev().take_while(|byte| Class::Dotted.has(**byte)).count();
    let name = &before[before.len() - length..];
    let name = name.strip_prefix(b"-D").or_else(|| name.strip_prefix(b"--")).unwrap_or(name);
    // The keyword begins with the dot that ends the name of its group.
    let is_known = |group: &&[u8]| {
        name.starts_with(&group[..group.len() - 1]) && matches!(name.get(group.len() - 1), None | Some(b'.'))
    };
    if !PROPERTIES.iter().any(is_known) {
        return Seen::nothing(length + 1);
    }
    let name_end = at + b".password".len();
    let end = run(window, name_end, 200, |byte| byte == b' ' || byte.is_ascii_graphic());
    let found = value(window, name_end..end, b"=:").and_then(|value| {
        let word = run(window, value.start, value.len(), |byte| byte.is_ascii_graphic());
        is_plain(&window[value.start..word]).then_some(value.start..word)
    });
    Seen { looked: 80 + end - at, secret: found, inner: None }
}

/// `define('DB_PASSWORD', '…')` of PHP, and the keys that WordPress signs cookies with.
pub(crate) fn php_constant(window: &[u8], at: usize) -> Seen {
    let before = &window[at.saturating_sub(40)..at];
    let named = before.iter().rev().take_while(|byte| byte.is_ascii_uppercase() || **byte == b'_').count();
    let Some((quote @ (b'"' | b'\''), front)) = before[..before.len() - named].split_last() else {
        return Seen::nothing(24);
    };
    let end = run(window, at, 24, |byte| byte.is_ascii_uppercase() || byte == b'_');
    let comma = run(window, end + 1, 8, |byte| byte == b' ');
    let opened = run(window, comma + 1, 8, |byte| byte == b' ');
    let closing = window.get(opened).filter(|byte| matches!(byte, b'"' | b'\''));
    let (Some(closing), Some(&b','), true, true) = (
        closing,
        window.get(comma),
        window.get(end) == Some(quote),
        front.trim_ascii_end().ends_with(b"define("),
    ) else {
        return Seen::nothing(96);
    };
    let start = opened + 1;
    let end_of_value = run(window, start, 200, |byte| byte != *closing && (b' '..=b'~').contains(&byte));
    let value = &window[start..end_of_value];
    let is_secret = match &window[at..end] {
        b"DB_PASSWORD" => shape::is_password(value),
        _ => value.len() >= 32 && !shape::is_placeholder(value) && shape::is_random(value),
    };
    let looked = 96 + value.len();
    if window.get(end_of_value) == Some(closing) && is_secret {
        return Seen::of(looked, start..end_of_value);
    }
    Seen::nothing(looked)
}

/// Whether the value is a password and neither a tag, an anchor nor a block of YAML, nor sealed.
fn is_plain(value: &[u8]) -> bool {
    let other = SEALED.iter().any(|sealed| value.starts_with(sealed));
    !other
        && !matches!(value.first(), Some(b'!' | b'&' | b'*' | b'|' | b'>' | b'@'))
        && shape::is_password(value)
}

pub(super) fn begins_line(window: &[u8], at: usize) -> bool {
    at == 0 || matches!(window[at - 1], b'\n' | b'\r' | 0)
}

/// The lines in a range, without the blanks around them.
pub(super) fn lines(window: &[u8], range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut from = range.start;
    std::iter::from_fn(move || {
        let rest = window.get(from..range.end).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let start = from;
        from += length + 1;
        Some(trimmed(window, start..start + length))
    })
}

fn trimmed(window: &[u8], range: Range<usize>) -> Range<usize> {
    let text = &window[range.clone()];
    let start = range.start + text.len() - text.trim_ascii_start().len();
    start..start + text.trim_ascii().len()
}

/// What is assigned behind a name, without quotes and without the comment behind it.
pub(super) fn value(window: &[u8], range: Range<usize>, signs: &[u8]) -> Option<Range<usize>> {
    let named = run(window, range.start, 4, |byte| matches!(byte, b' ' | b'\t' | b'"' | b'\''));
    let sign = window[..range.end].get(named)?;
    let rest = signs.contains(sign).then(|| trimmed(window, named + 1..range.end))?;
    let text = &window[rest.clone()];
    let (start, length) = match text {
        [quote @ (b'"' | b'\''), inner @ ..] => (rest.start + 1, inner.iter().position(|byte| byte == quote)),
        _ => (rest.start, text.windows(2).position(|pair| matches!(pair, b" #" | b"\t#"))),
    };
    let end = length.map_or(rest.end, |length| start + length);
    Some(trimmed(window, start..end))
}
