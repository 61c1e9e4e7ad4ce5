//! Logins in the files of the programs that sign in with them.

use super::{BACK, Seen, assign, find, padded, run};
use crate::kind::Class;
use crate::shape;

/// `scheme://user:password@host` (RFC 3986); `at` is the last letter of the scheme. Signs in a password
/// should be escaped, and often are not: what ends it is the last `@` of the authority.
pub(crate) fn url_password(window: &[u8], at: usize) -> Seen {
    let scheme =
        window[at.saturating_sub(9)..=at].iter().rev().take_while(|byte| Class::Lower.has(**byte)).count();
    let user_at = at + 4;
    let user_end = run(window, user_at, 64, |byte| Class::Dotted.has(byte) || b"%+~!=&".contains(&byte));
    if scheme < 2 || window.get(user_end) != Some(&b':') {
        return Seen::nothing(user_end - at);
    }
    let start = user_end + 1;
    let authority =
        run(window, start, 256, |byte| byte.is_ascii_graphic() && !b"/?#\"'<>`\\".contains(&byte));
    let looked = authority - at + 64;
    let Some(length) = window[start..authority].iter().rposition(|byte| *byte == b'@') else {
        return Seen::nothing(looked);
    };
    let end = start + length;
    let password = shape::unescaped_url(&window[start..end]);
    // Words that colons join are no password: of CVS, `:pserver:anonymous@` stands here.
    let is_strong =
        shape::is_mixed(&password) || shape::entropy(&password) >= 3.3 && !password.contains(&b':');
    let fits = (8..=64).contains(&password.len())
        && !shape::is_template(&window[start..end])
        && !begins_with_port(&password)
        && !shape::is_placeholder(&password)
        && shape::entropy(&password) >= 2.9;
    if fits && is_strong && is_host(window, end + 1) {
        Seen::of(looked, start..end)
    } else {
        Seen::nothing(looked)
    }
}

/// Whether what looks like a password is the port of the first of several hosts.
fn begins_with_port(password: &[u8]) -> bool {
    let digits = password.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=5).contains(&digits) && password.get(digits) == Some(&b',')
}

/// Whether the name of a machine stands here: one with dots, or with more of a URL behind it.
fn is_host(window: &[u8], at: usize) -> bool {
    let is_address = window.get(at) == Some(&b'[');
    let end = run(window, at, 64, |byte| Class::Dotted.has(byte));
    let host = window.get(at..end).unwrap_or_default();
    let goes_on = matches!(window.get(end), Some(b':' | b'/'));
    // Nobody has these hosts (RFC 2606), where no other follows.
    let ends =
        window.get(end).is_none_or(|byte| byte.is_ascii_whitespace() || b":/?#\"'`<>)]}".contains(byte));
    let folded = host.to_ascii_lowercase();
    let is_reserved = [&b"example.com"[..], b"example.net", b"example.org"].iter().any(|name| {
        let front = folded.strip_suffix(*name).filter(|_| ends);
        front.is_some_and(|front| front.is_empty() || front.ends_with(b"."))
    });
    let is_reserved = is_reserved && !several(window, end) && !names_host(window, end);
    !is_reserved && (is_address || !host.is_empty() && (host.contains(&b'.') || goes_on))
}

/// Whether behind a host and its port others follow, with commas between.
fn several(window: &[u8], at: usize) -> bool {
    let rest = window.get(at..).unwrap_or_default();
    let port = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b':').count();
    rest.get(port) == Some(&b',')
}

/// Whether the rest of a URL names another host: clients of PostgreSQL take it from there.
fn names_host(window: &[u8], at: usize) -> bool {
    let end = run(window, at, 4096, |byte| byte.is_ascii_graphic() && !b"\"'`<>".contains(&byte));
    let rest = window.get(at..end).unwrap_or_default();
    // Keys may be written in another way, and a service may have a host.
    [&b"?host"[..], b"&host", b"?%", b"&%", b"?service", b"&service"]
        .iter()
        .any(|key| find(rest, key).is_some())
}

/// The password of `user:password` in base64, if somebody signs in with it.
pub(super) fn password_of(text: &[u8]) -> Option<Vec<u8>> {
    let bytes = shape::base64(text)?;
    let colon = bytes.iter().position(|byte| *byte == b':').filter(|colon| *colon > 0)?;
    let password = &bytes[colon + 1..];
    let is_text = bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
    (is_text && !shape::is_placeholder(text) && is_kept(password)).then(|| password.to_vec())
}

/// Whether a password that stood in base64 is one.
fn is_kept(password: &[u8]) -> bool {
    password.len() >= 5
        && password.iter().all(|byte| (0x20..0x7f).contains(byte))
        && !shape::is_placeholder(password)
        && shape::entropy(password) >= 2.2
        && !password.eq_ignore_ascii_case(b"password")
}

/// The logins of a container engine: `"auth"` below `"auths"`. Below many registries the name of the list
/// is far, and the old form of the file has none: then the password must be no word.
pub(crate) fn registry_login(window: &[u8], at: usize) -> Seen {
    let before = &window[at.saturating_sub(BACK)..at];
    let Some(between) = assign(&window[at + 6..]) else { return Seen::nothing(8) };
    let start = at + 6 + between;
    let end = run(window, start, 2048, padded);
    let looked = BACK + end - at;
    let is_login = |password: Vec<u8>| find(before, b"\"auths\"").is_some() || shape::is_password(&password);
    if end - start < 8 || !password_of(&window[start..end]).is_some_and(is_login) {
        return Seen::nothing(looked);
    }
    Seen::of(looked, start..end)
}

/// `_auth` and `_password` of npm's configuration: a login, and a password, in base64. Only at the beginning
/// of a line or behind the registry's address: other names end so too.
pub(crate) fn npm_login(window: &[u8], at: usize) -> Seen {
    let before = &window[..at];
    let is_name =
        matches!(before.last(), None | Some(b'\n' | b'\r' | b':' | b'"' | b'\'')) || before.ends_with(b"\\n");
    let name = run(window, at, 9, |byte| byte == b'_' || byte.is_ascii_lowercase());
    let Some(between) = assign(&window[name..]).filter(|_| is_name) else { return Seen::nothing(10) };
    let start = name + between;
    let end = run(window, start, 2048, padded);
    let value = &window[start..end];
    let is_login = match &window[at..name] {
        b"_auth" => password_of(value).is_some(),
        _ => value.len().is_multiple_of(4) && shape::base64(value).is_some_and(|password| is_kept(&password)),
    };
    if value.len() >= 8 && is_login { Seen::of(end - at, start..end) } else { Seen::nothing(end - at) }
}

/// `machine … login … password …` (netrc(5)).
pub(crate) fn netrc(window: &[u8], at: usize) -> Seen {
    let rest = &window[at..window.len().min(at + 400)];
    let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).skip(1);
    let found = (words.next(), words.next(), words.next(), words.next(), words.next());
    let (Some(_), Some(b"login"), Some(_), Some(b"password"), Some(password)) = found else {
        return Seen::nothing(rest.len());
    };
    if password.len() < 6 || shape::is_placeholder(password) || !shape::is_chosen(password) {
        return Seen::nothing(rest.len());
    }
    let start = find(rest, b"password").unwrap_or(0) + 8;
    let start = run(rest, start, 64, |byte| byte.is_ascii_whitespace());
    Seen::of(rest.len(), at + start..at + start + password.len())
}

/// `host:port:database:user:password` (libpq's password file). Each of the first four may be `*`, and signs in
/// them escaped; the keyword ends with the colon behind the port.
pub(crate) fn pgpass(window: &[u8], at: usize) -> Seen {
    let port_end = at + 3;
    let before = &window[port_end.saturating_sub(80)..port_end];
    let port = before.iter().rev().take_while(|byte| byte.is_ascii_digit() || **byte == b'*').count();
    let Some((b':', front)) = before[..before.len() - port].split_last() else { return Seen::nothing(8) };
    let in_host = |byte: &&u8| Class::Dotted.has(**byte) || matches!(byte, b'*' | b'/' | b'@');
    let host = front.iter().rev().take_while(in_host).count();
    // In lists of users another field is in front.
    if !(1..=5).contains(&port) || host == 0 || front[..front.len() - host].ends_with(b":") {
        return Seen::nothing(80);
    }
    let start = port_end + 1;
    let end = run(window, start, 300, |byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\''));
    let looked = 80 + end - start;
    let line = &window[start..end];
    let colons: Vec<usize> =
        (0..line.len()).filter(|colon| line[*colon] == b':' && !line[..*colon].ends_with(b"\\")).collect();
    let [database, user] = colons[..] else { return Seen::nothing(looked) };
    if database == 0 || user == database + 1 || !shape::is_password(&line[user + 1..]) {
        return Seen::nothing(looked);
    }
    Seen::of(looked, start + user + 1..end)
}
