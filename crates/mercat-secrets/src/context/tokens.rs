//! Tokens and keys by names that are no service's, and logins that files of one program have, in what somebody wrote.

use super::names::{Named, behind_name, is_set, quoted};
use super::settings::{begins_line, lines};
use super::{REACH, Seen, find, run, run_back};
use crate::kind::Class;
use crate::shape;
use std::ops::Range;

/// Bytes of an object or list that are looked at, most.
const AROUND: usize = 512;
/// Bytes of a value, most.
const VALUE: usize = 256;

const TOKEN: Named = Named { is_last: is_token, is_value: is_made };

/// `token: …`, `clientSecret: …`, `apiKey=…` in settings and scripts of a shell. The keyword is all but the first letter of the
/// name's last word.
pub(crate) fn token_in_settings(window: &[u8], at: usize) -> Seen {
    behind_name(window, at, true, &TOKEN)
}

/// The same in programs: values in quotes.
pub(crate) fn token_in_program(window: &[u8], at: usize) -> Seen {
    behind_name(window, at, false, &TOKEN)
}

/// Whether a name, which ends with the word, is that of a token or key that signs in: not one of a page, a form or a request.
fn is_token(name: &[u8], word: &[u8]) -> bool {
    const FIRST: [(&[u8], u8); 5] = [
        (b"oken", b't'),
        (b"ecret", b's'),
        (b"ecretKey", b's'),
        (b"piKey", b'a'),
        (b"ssuerSigningKey", b'i'),
    ];
    const PUBLIC: [&[u8]; 2] = [b"public", b"site"];
    // Of keys and secrets with these there are real ones.
    const TOKENS_OF_REQUESTS: [&[u8]; 20] = [
        b"next",
        b"page",
        b"paging",
        b"pagination",
        b"continue",
        b"continuation",
        b"cancel",
        b"cancellation",
        b"sync",
        b"csrf",
        b"xsrf",
        b"start",
        b"starting",
        b"idempotency",
        b"client",
        b"request",
        b"action",
        b"change",
        b"resume",
        b"delimiter",
    ];
    let first = FIRST.iter().find(|(rest, _)| rest.eq_ignore_ascii_case(word)).map(|(_, first)| *first);
    let front = name.len().checked_sub(word.len() + 1);
    let (Some(first), Some(front)) = (first, front) else { return false };
    // `broken` and `taken` are other words.
    let capital = name[front].is_ascii_uppercase();
    let joined = !capital && front > 0 && name[front - 1].is_ascii_alphabetic();
    let is_other = |part: &[u8]| {
        let part = part.to_ascii_lowercase();
        let is_in = |names: &[&[u8]]| names.contains(&part.as_slice());
        is_in(&PUBLIC) || first == b't' && is_in(&TOKENS_OF_REQUESTS)
    };
    // Of `client.setToken` only the last part is the name.
    let own = name[..front].rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    name[front].eq_ignore_ascii_case(&first) && !joined && !words(own).any(is_other)
}

/// The words of a name: between signs, and from each capital that stands behind a small letter.
fn words(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let parts = name.split(|byte| !byte.is_ascii_alphanumeric());
    parts.flat_map(|part| part.chunk_by(|one, next| !(one.is_ascii_lowercase() && next.is_ascii_uppercase())))
}

/// Whether a program made the value, as far as it tells by itself: it is neither public nor of words.
fn is_made(value: &[u8]) -> bool {
    const PUBLIC: [&[u8]; 6] = [b"pk_", b"pk.", b"phc_", b"0x", b"ssh-", b"http"];
    /// The MD5, SHA-1 and SHA-256 of nothing.
    const OF_NOTHING: [&[u8]; 3] = [
        b"d41d8cd98f00b204e9800998ecf8427e",
        b"da39a3ee5e6b4b0d3255bfef95601890afd80709",
        b"e3b0c44298fc1c14",
    ];
    (20..=VALUE).contains(&value.len())
        && !value.contains(&b' ')
        && (is_bootstrap(value) || shape::is_unnamed(value))
        && !shape::is_of_words(value)
        && !PUBLIC.iter().chain(&OF_NOTHING).any(|start| value.starts_with(start))
        && !shape::is_placeholder(value)
        && shape::is_random(value)
}

/// `abcdef.0123456789abcdef`, with which nodes join a cluster of Kubernetes.
fn is_bootstrap(value: &[u8]) -> bool {
    let has =
        |part: &[u8]| part.iter().all(|byte| Class::Lower.has(*byte)) && part.iter().any(u8::is_ascii_digit);
    matches!(value.split_at_checked(6), Some((id, [b'.', secret @ ..])) if secret.len() == 16 && has(id) && has(secret))
}

/// `"Jwt": { "Key": "…" }`: what a program signs tokens with. The keyword is the name of the object with its quotes.
pub(crate) fn issuer_key(window: &[u8], at: usize) -> Seen {
    const KEYS: [&[u8]; 6] =
        [b"\"Key\"", b"\"key\"", b"\"Secret\"", b"\"secret\"", b"\"SecretKey\"", b"\"SigningKey\""];
    let is_key = |value: &[u8]| value.len() >= 16 && is_set(value);
    let name = run(window, at + 1, 24, |byte| byte.is_ascii_alphabetic());
    let opened =
        run(window, name, 24, |byte| byte != b'{' && (b"\": ".contains(&byte) || byte.is_ascii_whitespace()));
    if window.get(opened) != Some(&b'{') {
        return Seen::nothing(opened - at + 1);
    }
    let end = window.len().min(opened + AROUND);
    let mut deep = 0_usize;
    for at in opened..end {
        match window[at] {
            b'{' => deep += 1,
            b'}' => deep = deep.saturating_sub(1),
            b'"' if deep > 0 => {
                let key = KEYS.iter().find(|key| window[at..].starts_with(key));
                let value = key.and_then(|key| {
                    let start =
                        run(window, at + key.len(), 24, |byte| byte == b':' || byte.is_ascii_whitespace());
                    quoted(window, start).filter(|value| is_key(&window[value.clone()]))
                });
                if let Some(value) = value {
                    return Seen::of(value.end - opened, value);
                }
            }
            _ => {}
        }
        if deep == 0 {
            return Seen::nothing(at - opened + 32);
        }
    }
    Seen::nothing(end - opened + 32)
}

/// `user = "NAME:PASSWORD"`, `user NAME:PASSWORD` and `-u NAME:PASSWORD` of curl's settings. The keyword is the name.
pub(crate) fn curl_login(window: &[u8], at: usize) -> Seen {
    // Two letters alone are a keyword with the end of the line in front.
    let at = at + usize::from(window[at] == b'\n');
    let begins = run_back(window, at, 9, |byte| b"proxy-".contains(&byte));
    let line = run_back(window, begins, 32, |byte| matches!(byte, b' ' | b'\t'));
    let name = run(window, at, 4, |byte| byte == b'-' || byte.is_ascii_lowercase());
    let start = run(window, name, 8, |byte| b" \t=".contains(&byte));
    let bare = start..run(window, start, VALUE, |byte| byte.is_ascii_graphic());
    let value = quoted(window, start).unwrap_or(bare);
    let looked = value.end.saturating_sub(line) + 1;
    let colon = window[value.clone()].iter().position(|byte| *byte == b':').filter(|colon| *colon > 0);
    let secret = colon.map(|colon| value.start + colon + 1..value.end);
    let is_login = |value: &Range<usize>| is_set(&window[value.clone()]);
    let secret = secret.filter(|value| start > name && begins_line(window, line) && is_login(value));
    Seen { looked, secret, inner: None }
}

/// `[HOST]:PORT NAME:PASSWORD` and `HOST:PORT NAME:PASSWORD` of Postfix. The keyword is the port and the sign in front of it.
pub(crate) fn mail_login(window: &[u8], at: usize) -> Seen {
    let host = run_back(window, at, 80, |byte| Class::Dotted.has(byte) || matches!(byte, b'[' | b']'));
    let port = run(window, at + 1, 12, |byte| byte.is_ascii_alphanumeric());
    let start = run(window, port, 32, |byte| matches!(byte, b' ' | b'\t'));
    let colon = run(window, start, 96, |byte| byte.is_ascii_graphic() && byte != b':');
    let end = run(window, colon + 1, VALUE, |byte| byte.is_ascii_graphic());
    let looked = end.saturating_sub(host) + 1;
    let begins = at - host > 3 && begins_line(window, host);
    let is_login = port < start && start < colon && window.get(colon) == Some(&b':');
    let ends = window.get(end).is_none_or(u8::is_ascii_whitespace);
    let value = window.get(colon + 1..end).unwrap_or_default();
    match begins && is_login && ends && shape::is_password(value) {
        true => Seen::of(looked, colon + 1..end),
        false => Seen::nothing(looked),
    }
}

/// `NAME:PASSWORD` in the lines below `chpasswd:` of cloud-init, and in what `chpasswd <<WORD` is given.
pub(crate) fn password_list(window: &[u8], at: usize) -> Seen {
    let head = run(window, at, 96, |byte| !matches!(byte, b'\n' | b'\r'));
    let end = window.len().min(at + REACH);
    let indent = |key: usize| key - run_back(window, key, 64, |byte| byte == b' ');
    let of_yaml = window[at..].starts_with(b"chpasswd:");
    let rest = window[at..head].get(b"chpasswd".len()..).unwrap_or_default();
    let ended = match find(rest, b"<<") {
        // A list within brackets, or a text that is given as it is, is in the line itself.
        _ if of_yaml && rest.contains(&b':') && rest.trim_ascii_end().len() > 1 => {
            return one_of_line(window, at..head);
        }
        Some(sign) if rest[sign + 2..].starts_with(b"<") => return one_of_line(window, at..head),
        Some(sign) => here_word(&rest[sign + 2..]),
        None if of_yaml => &[][..],
        None => return Seen::nothing(head - at),
    };
    for line in lines(window, head..end).filter(|line| !line.is_empty()) {
        let text = &window[line.clone()];
        if of_yaml && indent(line.start) <= indent(at) || !of_yaml && text == ended {
            return Seen::nothing(line.start - at);
        }
        if let Some(secret) = entry(window, line.clone(), of_yaml) {
            return Seen::of(line.end - at, secret);
        }
    }
    Seen::nothing(end - at)
}

/// The word that ends a here-document, behind `<<`: it may be in quotes, and behind a hyphen.
fn here_word(rest: &[u8]) -> &[u8] {
    let mut words = rest.split(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'));
    words.find(|word| !word.is_empty()).unwrap_or_default()
}

/// The first entry among those of a line, each in quotes.
fn one_of_line(window: &[u8], line: Range<usize>) -> Seen {
    let mut from = line.start;
    while from < line.end {
        let start = run(window, from, line.end - from, |byte| !matches!(byte, b'"' | b'\''));
        let Some(value) = quoted(window, start).filter(|value| value.end < line.end) else { break };
        if let Some(secret) = entry(window, value.clone(), false) {
            return Seen::of(line.len(), secret);
        }
        from = value.end + 1;
    }
    Seen::nothing(line.len())
}

/// The password of `NAME:PASSWORD`, which may be an element of a list.
fn entry(window: &[u8], line: Range<usize>, listed: bool) -> Option<Range<usize>> {
    let text = &window[line.clone()];
    let skip = if listed { text.iter().take_while(|byte| b"- \"'".contains(byte)).count() } else { 0 };
    let colon = skip + text[skip..].iter().position(|byte| *byte == b':')?;
    let name = &text[skip..colon];
    let quote = text[..skip].last().filter(|sign| matches!(sign, b'"' | b'\''));
    let value = &text[colon + 1..];
    let value = quote.and_then(|quote| value.strip_suffix(&[*quote])).unwrap_or(value);
    let is_name = !name.is_empty() && name.iter().all(|byte| Class::Dotted.has(*byte));
    let given =
        !matches!(value.first(), Some(b'$' | b'/')) && shape::is_password(value) && !value.contains(&b' ');
    (is_name && given).then_some(line.start + colon + 1..line.start + colon + 1 + value.len())
}

/// `&sig=…` of a URL that is signed for who holds it (Azure's shared access signatures): 32 bytes in base64, beside an expiry.
pub(crate) fn shared_access(window: &[u8], at: usize) -> Seen {
    let start = run(window, at, 8, |byte| byte != b'=') + 1;
    let end = run(window, start, 96, |byte| Class::Dotted.has(byte) || b"%+/=".contains(&byte));
    let signature = shape::unescaped_url(window.get(start..end).unwrap_or_default());
    let bytes = shape::base64(&signature).map_or(0, |bytes| bytes.len());
    if bytes != 32 || !shape::is_random(&signature) || shape::is_placeholder(&signature) {
        return Seen::nothing(end - at);
    }
    let around = &window[at.saturating_sub(AROUND)..window.len().min(end + AROUND)];
    let expires = [&b"se="[..], b"sv="].into_iter().any(|name| find(around, name).is_some());
    let secret = expires.then_some(start..end);
    Seen { looked: around.len(), secret, inner: None }
}
