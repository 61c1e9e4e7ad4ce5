//! Passwords behind a name that is nobody's: settings, arguments, queries of URLs, attributes, elements.

use super::commands::{is_given, names_one};
use super::settings::{begins_line, value};
use super::{Seen, find, run};
use crate::kind::Class;
use crate::shape;
use std::ops::Range;

/// Bytes around a name that are looked at, most.
const AROUND: usize = 256;
/// Bytes of a value, most.
const VALUE: usize = 128;
/// Bytes of a name in front of its last word, most.
const NAME: usize = 64;
/// What stands beside a password that signs in somewhere.
const PEERS: [&[u8]; 9] = [
    b"host=",
    b"hostname=",
    b"server=",
    b"user=",
    b"username=",
    b"dbname=",
    b"database=",
    b"url=",
    b"driver=",
];

/// `password=…` and the like. The keyword is all but the first letter.
pub(crate) fn password(window: &[u8], at: usize) -> Seen {
    match window.get(at + b"assword".len()..) {
        Some([b'"', b' ', b'v', ..]) => property_value(window, at),
        _ => assigned(window, at),
    }
}

fn assigned(window: &[u8], at: usize) -> Seen {
    let Some(start) = at.checked_sub(1).filter(|start| window[*start].eq_ignore_ascii_case(&b'p')) else {
        return Seen::nothing(2);
    };
    let before = &window[start.saturating_sub(NAME)..start];
    let prefix = before.iter().rev().take_while(|byte| Class::Dotted.has(**byte)).count();
    let name = start - prefix;
    let end = run(window, start, VALUE + NAME, |byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
    let Some(sign) = window[start..end].iter().position(|byte| *byte == b'=').map(|sign| start + sign) else {
        return Seen::nothing(prefix + 16);
    };
    let looked = prefix + end - start + 1;
    // Of `_password` and `-password` others know; small letters in front make another word.
    let is_name = match before.last().filter(|_| prefix > 0) {
        None | Some(b'.') => true,
        Some(b'_' | b'-') => false,
        Some(_) => window[start] == b'P',
    };
    if !is_name || matches!(window.get(sign + 1), Some(b'=' | b'~' | b'>')) {
        return Seen::nothing(looked);
    }
    match name.checked_sub(1).map(|edge| window[edge]) {
        Some(b';') => Seen::nothing(looked),
        Some(b'?' | b'&') => in_query(window, name, sign + 1),
        _ => in_line(window, name, sign..end),
    }
}

/// As setting at the beginning of a line, or beside what else signs in.
fn in_line(window: &[u8], name: usize, rest: Range<usize>) -> Seen {
    let far = name.saturating_sub(AROUND);
    let line = window[far..name].iter().rposition(|byte| matches!(byte, b'\n' | b'\r' | 0));
    let line = line.map_or(far, |edge| far + edge + 1);
    let front = window[line..name].trim_ascii();
    let looked = AROUND + rest.end - name;
    let Some(mut whole) = value(window, rest.clone(), b"=") else { return Seen::nothing(looked) };
    let quoted = window[..whole.start].last().is_some_and(|byte| matches!(byte, b'"' | b'\''));
    // The whole setting may stand in quotes.
    if !quoted
        && let Some(quote @ (b'"' | b'\'')) = front.last()
        && window[whole.clone()].ends_with(&[*quote])
    {
        whole.end -= 1;
    }
    // What declares a name, in a shell, a file of units, a list or a program.
    let is_word = |byte: &u8| byte.is_ascii_alphabetic() || b" -:=\"'$".contains(byte);
    let declares =
        begins_line(window, line) && front.len() <= 40 && front.iter().all(is_word) && !front.ends_with(b":");
    if declares
        && (quoted
            || front.iter().all(|byte| *byte != b' ')
            || front.split(|byte| *byte == b' ').count() <= 2)
    {
        let text = &window[whole.clone()];
        // Behind the end of a statement stands a name of the program.
        if is_set(text) && (quoted || !text.ends_with(b";") && !text.ends_with(b",")) {
            return Seen::of(looked, whole);
        }
    }
    // An argument, attribute or part of a connection string.
    let word = if quoted {
        whole
    } else {
        let start = run(window, rest.start + 1, 4, |byte| byte == b' ');
        start..run(window, start, VALUE, |byte| byte.is_ascii_graphic() && !b"\"';,<>)".contains(&byte))
    };
    let around = &window[far..window.len().min(rest.end + AROUND)];
    if names_one(&around.to_ascii_lowercase(), &PEERS) && is_set(&window[word.clone()]) {
        return Seen::of(looked + 2 * AROUND, word);
    }
    Seen::nothing(looked + 2 * AROUND)
}

/// In the query of a URL, as JDBC has it.
fn in_query(window: &[u8], name: usize, start: usize) -> Seen {
    let before = &window[name.saturating_sub(AROUND)..name];
    let url =
        before.iter().rev().take_while(|byte| byte.is_ascii_graphic() && !b"\"'<>".contains(byte)).count();
    let is_url = find(&before[before.len() - url..], b"://").is_some();
    let end = run(window, start, VALUE, |byte| byte.is_ascii_graphic() && !b"\"'<>&;#\\".contains(&byte));
    let looked = url + end - name;
    let secret = (is_url && is_set(&window[start..end])).then_some(start..end);
    Seen { looked, secret, inner: None }
}

/// `name="…password" value="…"`, as XML has properties. The keyword is all but the first letter of the name.
fn property_value(window: &[u8], at: usize) -> Seen {
    let start = at + b"assword\" value=\"".len();
    let end = run(window, start, VALUE, |byte| (b' '..=b'~').contains(&byte) && byte != b'"');
    let closes = window.get(end) == Some(&b'"');
    let secret = (closes && is_set(&window[start..end])).then_some(start..end);
    Seen { looked: end.saturating_sub(at) + 1, secret, inner: None }
}

/// `… IDENTIFIED WITH mysql_native_password BY '…'` of SQL. The keyword ends with the quote.
pub(crate) fn sql(window: &[u8], at: usize) -> Seen {
    let start = run(window, at, 32, |byte| byte != b'\'') + 1;
    let end = run(window, start, VALUE, |byte| byte != b'\'' && (b' '..=b'~').contains(&byte));
    let text = window.get(start..end).unwrap_or_default();
    if window.get(end) == Some(&b'\'') && is_given(text) && !text.contains(&b' ') {
        return Seen::of(end - at, start..end);
    }
    Seen::nothing(end.saturating_sub(at))
}

/// `echo NAME:PASSWORD | chpasswd`: whoever is told a password there has it, however simple it is.
pub(crate) fn change_password(window: &[u8], at: usize) -> Seen {
    let from = at.saturating_sub(AROUND);
    let line = window[from..at].iter().rposition(|byte| matches!(byte, b'\n' | 0));
    let line = line.map_or(from, |edge| from + edge + 1);
    let looked = at - from + 1;
    // What is printed; a log has times in front.
    let printed = |command: &[u8]| window[line..at].windows(command.len()).rposition(|part| part == command);
    let Some(printed) = printed(b"echo ").max(printed(b"printf ")) else { return Seen::nothing(looked) };
    for word in words(window, line + printed..at) {
        let bytes = &window[word.clone()];
        let Some(colon) = bytes.iter().position(|byte| *byte == b':') else { continue };
        let (name, given) = (&bytes[..colon], &bytes[colon + 1..]);
        let is_name = !name.is_empty() && name.iter().all(|byte| Class::Dotted.has(*byte));
        let is_text = given.len() >= 3 && given.iter().all(u8::is_ascii_graphic);
        // Within single quotes nothing else is put in its place.
        let is_literal = word.start > 0 && window[word.start - 1] == b'\'';
        let is_itself = is_literal || !shape::is_template(given) && !given.contains(&b'$');
        if is_name && is_text && is_itself && !given.starts_with(b"/") {
            return Seen::of(looked, word.start + colon + 1..word.end);
        }
    }
    Seen::nothing(looked)
}

/// The words in a range, without quotes and escapes of line ends.
fn words(window: &[u8], range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let ends = |byte: &u8| b" \t\"'\\|(){}<>;&".contains(byte);
    let mut from = range.start;
    std::iter::from_fn(move || {
        let text = window.get(from..range.end)?;
        let start = from + text.iter().position(|byte| !ends(byte))?;
        let end = start + window[start..range.end].iter().position(ends).unwrap_or(range.end - start);
        from = end;
        Some(start..end)
    })
}

/// `NAME:PASSWORD@tcp(HOST:3306)/`, as programs in Go name a database. The keyword is the port.
pub(crate) fn go_login(window: &[u8], port: usize) -> Seen {
    let before = &window[port.saturating_sub(NAME)..port];
    match before.windows(5).rposition(|part| part == b"@tcp(") {
        Some(at) => login_in_front(window, port - before.len() + at),
        None => Seen::nothing(NAME),
    }
}

/// `NAME:PASSWORD` that ends there, in front of `@tcp(HOST)/` whatever its port.
pub(crate) fn login_in_front(window: &[u8], at: usize) -> Seen {
    let before = &window[at.saturating_sub(VALUE)..at];
    let length =
        before.iter().rev().take_while(|byte| byte.is_ascii_graphic() && !b"\"'`=".contains(byte)).count();
    let text = &before[before.len() - length..];
    let Some(colon) = text.iter().position(|byte| *byte == b':') else { return Seen::nothing(length + 1) };
    let secret = (colon > 0 && is_given(&text[colon + 1..])).then_some(at - length + colon + 1..at);
    Seen { looked: length + 1, secret, inner: None }
}

/// What a program takes where its environment has no password: `getenv("DB_PASSWORD", "…")`. The keyword ends in front of
/// the name.
pub(crate) fn default_of_variable(window: &[u8], at: usize) -> Seen {
    const WORDS: [&[u8]; 5] = [b"PASS", b"SECRET", b"TOKEN", b"_KEY", b"PWD"];
    let from = run(window, at, 16, |byte| {
        byte.is_ascii_lowercase() || matches!(byte, b'.' | b'(' | b'"' | b'\'' | b' ')
    });
    let name =
        run(window, from, NAME, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let is_secret = names_one(&window[from..name], &WORDS);
    let start = run(window, name, 12, |byte| b"\"') ,|?".contains(&byte));
    let between = &window[name..start];
    let quote = between.last().copied().filter(|byte| matches!(byte, b'"' | b'\''));
    let takes = names_one(between, &[b",", b"||", b"??"]);
    let Some(quote) = quote.filter(|_| is_secret && takes) else { return Seen::nothing(start - at) };
    let end = run(window, start, VALUE, |byte| byte != quote && (b' '..=b'~').contains(&byte));
    let closes = window.get(end) == Some(&quote);
    let secret = (closes && is_set(&window[start..end])).then_some(start..end);
    Seen { looked: end - at, secret, inner: None }
}

/// Whether somebody set the value as password where its name says no more than that it is one.
fn is_set(value: &[u8]) -> bool {
    value.len() >= 8
        && !value.iter().any(|byte| b" \\\"".contains(byte))
        && shape::is_unnamed(value)
        && shape::is_password(value)
}
