//! Passwords in command lines and connection strings: scripts, histories, entry points, settings.

use super::{Seen, run};
use crate::kind::Class;
use crate::shape;
use std::ops::Range;

/// Bytes of a line before the keyword that are looked at, most.
const BACK: usize = 256;
/// Bytes of a value, most.
const VALUE: usize = 128;
/// Letters of an option's name, most.
const NAME: usize = 48;

/// `--password=…`, `--db-password …`, and the same as two strings of a list. The keyword begins with the hyphen.
pub(crate) fn option_password(window: &[u8], at: usize) -> Seen {
    let before = &window[at.saturating_sub(NAME)..at];
    let name = before.iter().rev().take_while(|byte| byte.is_ascii_lowercase() || **byte == b'-').count();
    let begins = match before.len().checked_sub(name + 1) {
        Some(edge) => matches!(before[edge], b' ' | b'\t' | b'\n' | b'"' | b'\'' | b'[' | b'=' | 0),
        None => at == name,
    };
    if !begins || !window[at - name..=at].starts_with(b"-") || (name == 0 && window[at] != b'-') {
        return Seen::nothing(name + 2);
    }
    let named = run(window, at + 1, 16, |byte| byte.is_ascii_lowercase());
    let start = match window.get(named) {
        Some(b'=') => named + 1,
        Some(b' ' | 0) => run(window, named, 4, |byte| matches!(byte, b' ' | b'"' | b'\'' | b'\\' | 0)),
        // The next string of a list, which may stand on a line of its own.
        Some(b'"' | b'\'') => run(window, named, 24, |byte| b"\"' ,\r\n\t".contains(&byte)),
        _ => return Seen::nothing(name + named - at + 2),
    };
    seen(at - name, word(window, start))
}

/// `-pPASSWORD` of the MySQL programs. The keyword is a program's name and the hyphen of an option, or the option that
/// names who signs in.
pub(crate) fn mysql_option(window: &[u8], at: usize) -> Seen {
    let line = line_start(window, at);
    if window[at] == b' ' && !names_one(&window[line..at], &[b"mysql", b"mariadb"]) {
        return Seen::nothing(at - line);
    }
    each_option(window, at, b"p")
}

/// `-p PASSWORD` of programs that sign in at registries. The keyword is the command and the hyphen of an option.
pub(crate) fn login_option(window: &[u8], at: usize) -> Seen {
    each_option(window, at, b"p ")
}

/// `-p PASSWORD` and `-pPASSWORD` of sshpass.
pub(crate) fn sshpass_option(window: &[u8], at: usize) -> Seen {
    let start = run(window, at + b"sshpass -p".len(), 2, |byte| byte == b' ');
    seen(at, word(window, start))
}

/// Options in one letter of programs that sign in at servers. The keyword is the program and the hyphen of an option.
pub(crate) fn ldap_option(window: &[u8], at: usize) -> Seen {
    each_option(window, at, b"w ")
}

/// The same of `redis-cli -a`.
pub(crate) fn redis_option(window: &[u8], at: usize) -> Seen {
    each_option(window, at, b"a ")
}

/// The same of `sqlcmd -P`.
pub(crate) fn sqlcmd_option(window: &[u8], at: usize) -> Seen {
    each_option(window, at, b"P ")
}

/// `-passin pass:…`, `-storepass …`, `--requirepass …` and the like. The keyword begins with the hyphen or in front of the
/// name; the value is behind the next colon, blank or sign.
pub(crate) fn named_option(window: &[u8], at: usize) -> Seen {
    const NAMES: [&[u8]; 6] =
        [b"passin", b"passout", b"passphrase", b"storepass", b"keypass", b"requirepass"];
    let name = run(window, at + 1, 24, |byte| byte.is_ascii_lowercase() || byte == b'-');
    if !NAMES.contains(&&window[at + 1..name]) {
        return Seen::nothing(name - at + 1);
    }
    let start = match window.get(name..) {
        Some([b' ', b'p', b'a', b's', b's', b':', ..]) => name + 6,
        Some([b' ' | b'=' | b'"', ..]) => run(window, name, 4, |byte| b" =\"',".contains(&byte)),
        _ => return Seen::nothing(name - at + 1),
    };
    let start =
        if window[..start].ends_with(b"\"") || window[..start].ends_with(b"'") { start - 1 } else { start };
    // A letter of another language in the help of a program, as source in ASCII has it.
    if window.get(start..).is_some_and(|value| value.starts_with(b"\\u")) {
        return Seen::nothing(start - at);
    }
    seen(at, word(window, start))
}

/// `-u NAME:PASSWORD` and `--user NAME:PASSWORD` of curl. The keyword is the option with what stands around it.
pub(crate) fn curl_user(window: &[u8], at: usize) -> Seen {
    let option = run(window, at + 1, 8, |byte| matches!(byte, b'-' | b'a'..=b'z'));
    let start = run(window, option, 6, |byte| matches!(byte, b' ' | b'"' | b'\'' | b'\\' | b',' | b'='));
    let name = run(window, start, 64, |byte| Class::Dotted.has(byte) || byte == b'@');
    if window.get(name) != Some(&b':') || name == start {
        return Seen::nothing(name - at);
    }
    match word(window, name + 1) {
        (end, Some(secret)) => {
            let line = line_start(window, at);
            seen(line, (end, names_one(&window[line..at], &[b"curl"]).then_some(secret)))
        }
        nothing => seen(at, nothing),
    }
}

/// `…;Password=…` in a connection string of ADO.NET or JDBC.
pub(crate) fn connection_string(window: &[u8], at: usize) -> Seen {
    const PEERS: [&[u8]; 8] = [
        b"server=",
        b"data source=",
        b"host=",
        b"user id=",
        b"uid=",
        b"username=",
        b"user=",
        b"sqlserver://",
    ];
    let ends = |byte: u8| matches!(byte, b'"' | b'\'' | b'\n' | b'\r' | b'<' | b'>' | 0);
    let start = run(window, at, 16, |byte| byte != b'=') + 1;
    let end = run(window, start, VALUE, |byte| !ends(byte) && byte != b';');
    let value = start..end.max(start);
    if !is_given(window.get(value.clone()).unwrap_or_default()) {
        return Seen::nothing(end - at);
    }
    let before = &window[at.saturating_sub(BACK)..at];
    let before = &before[before.iter().rposition(|byte| ends(*byte)).map_or(0, |edge| edge + 1)..];
    let behind = &window[end..window.len().min(end + BACK)];
    let behind = &behind[..behind.iter().position(|byte| ends(*byte)).unwrap_or(behind.len())];
    let says = |text: &[u8]| names_one(&text.to_ascii_lowercase(), &PEERS);
    let secret = (says(before) || says(behind)).then_some(value);
    Seen { looked: 2 * BACK + VALUE, secret, inner: None }
}

/// Where the line begins that goes on here, as far as it is looked at. A line goes on behind a backslash.
pub(super) fn line_start(window: &[u8], at: usize) -> usize {
    let from = at.saturating_sub(BACK);
    let before = &window[from..at];
    let begins = |edge: &usize| {
        matches!(before[*edge], b'\n' | 0) && !before[..*edge].trim_ascii_end().ends_with(b"\\")
    };
    from + (0..before.len()).rev().find(begins).unwrap_or(0)
}

/// Whether one of these names is in a text.
pub(super) fn names_one(text: &[u8], names: &[&[u8]]) -> bool {
    names.iter().any(|name| text.windows(name.len()).any(|part| part == *name))
}

/// The options of a command that are given in one letter and their value behind it.
pub(super) fn each_option(window: &[u8], at: usize, letter: &[u8]) -> Seen {
    let end = run(window, at, BACK, |byte| !matches!(byte, b'\n' | b'\r' | 0 | b';' | b'|' | b'&'));
    let line = &window[at..end];
    let mark = [b" -", letter].concat();
    for (place, _) in line.windows(mark.len()).enumerate().filter(|(_, part)| *part == mark) {
        if let (_, Some(secret)) = word(window, at + place + mark.len()) {
            return Seen::of(end - at, secret);
        }
    }
    Seen::nothing(end - at)
}

/// What was looked at from a place to the end of a value.
pub(super) fn seen(from: usize, (end, secret): (usize, Option<Range<usize>>)) -> Seen {
    Seen { looked: end.saturating_sub(from) + 1, secret, inner: None }
}

/// The end of the value that begins there, which may be in quotes, and the value where somebody chose it as password.
pub(super) fn word(window: &[u8], start: usize) -> (usize, Option<Range<usize>>) {
    let opened = run(window, start, 2, |byte| matches!(byte, b'"' | b'\'' | b'\\'));
    let quote = if opened > start { window.get(opened - 1).copied() } else { None };
    let ends = |byte: u8| match quote {
        Some(quote) => byte == quote || matches!(byte, b'\n' | b'\\'),
        None => matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b';' | b',' | b'|' | b'&' | b'`' | b')' | b'\\'),
    };
    let end = run(window, opened, VALUE, |byte| byte >= b' ' && !ends(byte));
    let alone = window.get(end).is_none_or(|byte| ends(*byte) || matches!(byte, b'\n' | b'\r' | 0));
    let chosen = alone && window.get(opened..end).is_some_and(is_given);
    (end, chosen.then_some(opened..end))
}

/// Whether a command is given the value as password: no option, path or variable.
pub(super) fn is_given(value: &[u8]) -> bool {
    !matches!(value.first(), Some(b'-' | b'/' | b'.' | b'$' | b'%' | b'@' | b'<' | b'['))
        && shape::is_typed(value)
        && shape::is_password(value)
}
