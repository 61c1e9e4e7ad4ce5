//! Logins in calls of programs and in commands, whose place alone tells that a value is a password.

use super::commands::{seen, word};
use super::names::{is_set, quoted};
use super::{Seen, run};
use crate::kind::Class;

/// Bytes of a call or line that are looked at, most.
const LINE: usize = 256;
/// Characters of a name, most.
const NAME: usize = 64;

/// `auth=('NAME', 'PASSWORD')`, `getConnection(url, "NAME", "PASSWORD")`, `mysqli_connect('HOST', 'NAME', 'PASSWORD')`: of the
/// strings behind the first argument the one that somebody set as password.
pub(crate) fn login_call(window: &[u8], at: usize) -> Seen {
    let opened = run(window, at, 24, |byte| byte != b'(') + 1;
    let end = run(window, opened, LINE, |byte| !matches!(byte, b')' | b';' | b'\n'));
    let mut place = run(window, opened, end.saturating_sub(opened), |byte| byte != b',');
    while place < end {
        let start = run(window, place, end - place, |byte| !matches!(byte, b'"' | b'\''));
        let Some(value) = quoted(window, start) else { break };
        if is_set(&window[value.clone()]) {
            return Seen::of(end - at, value);
        }
        place = value.end + 1;
    }
    Seen::nothing(end.saturating_sub(at))
}

/// `NAME/PASSWORD` and `NAME/PASSWORD@HOST` behind a program of Oracle.
pub(crate) fn oracle_login(window: &[u8], at: usize) -> Seen {
    let name = run(window, at, 16, |byte| byte != b' ');
    let start = run(window, name, 4, |byte| matches!(byte, b' ' | b'"' | b'\''));
    let slash = run(window, start, NAME, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let end = run(window, slash + 1, NAME, |byte| byte.is_ascii_graphic() && !b"@\"';/".contains(&byte));
    let is_login = slash > start && window.get(slash) == Some(&b'/') && window.get(end) != Some(&b'/');
    let value = window.get(slash + 1..end).unwrap_or_default();
    match is_login && is_set(value) {
        true => Seen::of(end - at, slash + 1..end),
        false => Seen::nothing(end.saturating_sub(at)),
    }
}

/// `COMMAND NAME PASSWORD`, where the keyword is the command with the blank behind it.
pub(crate) fn second_word(window: &[u8], at: usize) -> Seen {
    let end = run(window, at, LINE, |byte| !matches!(byte, b'\n' | b'\r' | b';' | b'|' | b'&'));
    let line = &window[at..end];
    let words = (1..line.len()).filter(|at| line[at - 1] == b' ' && line[*at] != b' ');
    let words: Vec<usize> = words.collect();
    // `net user` and `rabbitmqctl add_user` are two words themselves.
    match words.get(2) {
        Some(start) => seen(at, word(window, at + start)),
        None => Seen::nothing(end - at),
    }
}

/// `${NAME:PASSWORD}` and `${NAME:-PASSWORD}`: what is taken where nothing else is given. The name ends at `end`.
pub(super) fn in_braces(window: &[u8], start: usize, end: usize) -> Option<std::ops::Range<usize>> {
    if !window[..start].ends_with(b"${") {
        return None;
    }
    let begin = match window.get(end..)? {
        [b':', b'-', ..] => end + 2,
        [b':' | b'-', ..] => end + 1,
        _ => return None,
    };
    let close = run(window, begin, NAME, |byte| byte.is_ascii_graphic() && !b"}\"'".contains(&byte));
    (window.get(close) == Some(&b'}')).then_some(begin..close)
}

/// Whether the name that ends there is an option of a command: `-passwd`, `--db-pass`.
pub(super) fn is_option(window: &[u8], start: usize) -> bool {
    let blank = start.checked_sub(1).is_none_or(|before| matches!(window[before], b' ' | b'\t' | b'\n'));
    blank
        && window.get(start) == Some(&b'-')
        && window.get(start + 1).is_some_and(|byte| Class::Dotted.has(*byte))
}
