//! Passwords in command lines and connection strings: scripts, histories, entry points, settings.

use super::{Seen, run};
use crate::kind::Class;
use crate::shape;
use std::ops::Range;

/// Bytes of a line before the keyword that are looked at, most.
const BACK: usize = 256;
/// Bytes of a value, most.
const VALUE: usize = 128;

/// `--password=…`, `--db-password …`, and the same as two strings of a list. The keyword begins with the hyphen.
pub(crate) fn option_password(window: &[u8], at: usize) -> Seen {
    let before = &window[at.saturating_sub(32)..at];
    let name = before.iter().rev().take_while(|byte| byte.is_ascii_lowercase() || **byte == b'-').count();
    let option = &window[at - name..at + 1];
    let begins = match before.len().checked_sub(name + 1) {
        Some(edge) => matches!(before[edge], b' ' | b'\t' | b'\n' | b'"' | b'\'' | b'[' | b'=' | 0),
        None => at == name,
    };
    if !begins || !option.starts_with(b"--") {
        return Seen::nothing(33);
    }
    let named = run(window, at + 1, 16, |byte| byte.is_ascii_lowercase());
    let start = match window.get(named) {
        Some(b'=') => named + 1,
        Some(b' ' | b'"' | b'\'') => run(window, named, 4, |byte| matches!(byte, b' ' | b'"' | b'\'' | b',')),
        _ => return Seen::nothing(33 + named - at),
    };
    Seen { looked: 33 + VALUE, secret: word(window, start), inner: None }
}

/// `-pPASSWORD` of the MySQL programs. The keyword is a program's name and the hyphen of an option.
pub(crate) fn mysql_option(window: &[u8], at: usize) -> Seen {
    each_option(window, at, b"p")
}

/// `-p PASSWORD` and `-pPASSWORD` of sshpass.
pub(crate) fn sshpass_option(window: &[u8], at: usize) -> Seen {
    let start = run(window, at + b"sshpass -p".len(), 2, |byte| byte == b' ');
    Seen { looked: VALUE, secret: word(window, start), inner: None }
}

/// `-u NAME:PASSWORD` and `--user NAME:PASSWORD` of curl. The keyword is the option between blanks.
pub(crate) fn curl_user(window: &[u8], at: usize) -> Seen {
    let before = &window[at.saturating_sub(BACK)..at];
    let line =
        before.iter().rposition(|byte| matches!(byte, b'\n' | 0)).map_or(before, |edge| &before[edge..]);
    if !line.windows(4).any(|part| part == b"curl") {
        return Seen::nothing(BACK);
    }
    let option = run(window, at + 1, 8, |byte| byte != b' ');
    let start = run(window, option, 4, |byte| matches!(byte, b' ' | b'"' | b'\''));
    let name = run(window, start, 64, |byte| Class::Dotted.has(byte) || byte == b'@');
    let secret = if window.get(name) == Some(&b':') && name > start { word(window, name + 1) } else { None };
    Seen { looked: BACK + VALUE, secret, inner: None }
}

/// `…;Password=…` in a connection string of ADO.NET, ODBC or JDBC.
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
    let from = at.saturating_sub(BACK);
    let before = &window[from..at];
    let before = &before[before.iter().rposition(|byte| ends(*byte)).map_or(0, |edge| edge + 1)..];
    let sign = run(window, at, 16, |byte| byte != b'=');
    let start = sign + 1;
    let end = run(window, start, VALUE, |byte| !ends(byte) && byte != b';');
    let behind = &window[end..window.len().min(end + BACK)];
    let behind = &behind[..behind.iter().position(|byte| ends(*byte)).unwrap_or(behind.len())];
    let says = |text: &[u8]| {
        let text = text.to_ascii_lowercase();
        PEERS.iter().any(|peer| text.windows(peer.len()).any(|part| part == *peer))
    };
    let value = start..end.max(start);
    let whole = (says(before) || says(behind)) && is_typed(window.get(value.clone()).unwrap_or_default());
    Seen { looked: 2 * BACK + VALUE, secret: whole.then_some(value), inner: None }
}

/// The options of a command that are given in one letter and their value behind it.
fn each_option(window: &[u8], at: usize, letter: &[u8]) -> Seen {
    let end = run(window, at, BACK, |byte| !matches!(byte, b'\n' | b'\r' | 0 | b';' | b'|' | b'&'));
    let line = &window[at..end];
    let mark = [b" -", letter].concat();
    for (place, _) in line.windows(mark.len()).enumerate().filter(|(_, part)| *part == mark) {
        if let Some(secret) = word(window, at + place + mark.len()) {
            return Seen::of(end - at, secret);
        }
    }
    Seen::nothing(end - at)
}

/// The value that begins there, which may be in quotes, where somebody chose it as password.
fn word(window: &[u8], start: usize) -> Option<Range<usize>> {
    let opened = run(window, start, 1, |byte| matches!(byte, b'"' | b'\''));
    let quote = if opened > start { window.get(start).copied() } else { None };
    let ends = |byte: u8| match quote {
        Some(quote) => byte == quote || byte == b'\n',
        None => matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b';' | b',' | b'|' | b'&' | b'`' | b')'),
    };
    let end = run(window, opened, VALUE, |byte| byte >= b' ' && !ends(byte));
    let value = window.get(opened..end)?;
    let alone = window.get(end).is_none_or(|byte| ends(*byte) || matches!(byte, b'\n' | b'\r' | 0 | b'\\'));
    (alone && is_typed(value)).then_some(opened..end)
}

/// Whether somebody chose the value as password: letters and digits both, and neither a path nor code.
fn is_typed(value: &[u8]) -> bool {
    value.len() >= 8
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_alphabetic)
        && !matches!(value.first(), Some(b'-' | b'/' | b'.' | b'$' | b'%' | b'@' | b'<' | b'['))
        && !shape::is_code(value)
        && !shape::is_hinted(value)
        && shape::is_password(value)
}
