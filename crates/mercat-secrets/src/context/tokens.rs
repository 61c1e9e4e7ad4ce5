//! Tokens and keys by names that are no service's, and logins that files of one program have, in what somebody wrote.

use super::names::{Named, behind_name, is_set, quoted};
use super::settings::{begins_line, lines};
use super::{Seen, find, run};
use crate::kind::Class;
use crate::shape;

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
    const FIRST: [(&[u8], u8); 4] =
        [(b"oken", b't'), (b"ecret", b's'), (b"ecretKey", b's'), (b"piKey", b'a')];
    const OTHER: [&[u8]; 22] = [
        b"next",
        b"page",
        b"paging",
        b"pagination",
        b"continu",
        b"cancel",
        b"sync",
        b"csrf",
        b"xsrf",
        b"start",
        b"idempot",
        b"clienttoken",
        b"client_token",
        b"requesttoken",
        b"request_token",
        b"actiontoken",
        b"changetoken",
        b"resume",
        b"public",
        b"delim",
        b"upload",
        b"marker",
    ];
    let first = FIRST.iter().find(|(rest, _)| *rest == word).map(|(_, first)| *first);
    let front = name.len().checked_sub(word.len() + 1);
    let (Some(first), Some(front)) = (first, front) else { return false };
    // `broken` and `taken` are other words.
    let capital = name[front].is_ascii_uppercase();
    let joined = !capital && front > 0 && name[front - 1].is_ascii_alphabetic();
    let folded = name.to_ascii_lowercase();
    folded[front] == first
        && !joined
        && !OTHER.iter().any(|other| folded.windows(other.len()).any(|part| part == *other))
}

/// Whether a program made the value, as far as it tells by itself: no words are in it.
fn is_made(value: &[u8]) -> bool {
    const WORDS: [&[u8]; 9] =
        [b"secret", b"token", b"test", b"demo", b"sample", b"example", b"fake", b"mock", b"database"];
    let folded = value.to_ascii_lowercase();
    let has_word = WORDS.iter().any(|word| folded.windows(word.len()).any(|part| part == *word));
    !has_word
        && (20..=VALUE).contains(&value.len())
        && (is_bootstrap(value) || shape::is_unnamed(value))
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
    let name = run(window, at + 1, 24, |byte| byte.is_ascii_alphabetic());
    let opened =
        run(window, name, 24, |byte| byte != b'{' && (b"\": ".contains(&byte) || byte.is_ascii_whitespace()));
    if window.get(opened) != Some(&b'{') {
        return Seen::nothing(opened - at + 1);
    }
    let end = run(window, opened, AROUND, |byte| byte != b'}');
    let object = &window[opened..end];
    let key = KEYS.iter().find_map(|key| find(object, key).map(|place| opened + place + key.len()));
    let Some(key) = key else { return Seen::nothing(end - at) };
    let start = run(window, key, 24, |byte| byte == b':' || byte.is_ascii_whitespace());
    let is_key = |value: &[u8]| value.len() >= 16 && shape::is_typed(value) && shape::is_password(value);
    let found = quoted(window, start).filter(|value| is_key(&window[value.clone()]));
    Seen { looked: end - at + VALUE, secret: found, inner: None }
}

/// `user = "NAME:PASSWORD"` of curl's settings. The keyword is the name and the sign.
pub(crate) fn curl_login(window: &[u8], at: usize) -> Seen {
    let front = window[at.saturating_sub(6)..at].ends_with(b"proxy-");
    let line = at - if front { 6 } else { 0 };
    let start = run(window, at + b"user".len(), 8, |byte| b" =".contains(&byte));
    let bare = start..run(window, start, VALUE, |byte| byte.is_ascii_graphic());
    let value = quoted(window, start).unwrap_or(bare);
    let end = value.end;
    let colon = window[value.clone()].iter().position(|byte| *byte == b':').filter(|colon| *colon > 0);
    let secret =
        colon.map(|colon| value.start + colon + 1..end).filter(|value| is_set(&window[value.clone()]));
    Seen {
        looked: end.saturating_sub(at) + 8,
        secret: secret.filter(|_| begins_line(window, line)),
        inner: None,
    }
}

/// `[HOST]:PORT NAME:PASSWORD` of Postfix. The keyword is from the bracket to the end of the port.
pub(crate) fn mail_login(window: &[u8], at: usize) -> Seen {
    let host =
        window[at.saturating_sub(80)..at].iter().rev().take_while(|byte| Class::Dotted.has(**byte)).count();
    let opened = (at - host).checked_sub(1).filter(|opened| window[*opened] == b'[');
    let port = run(window, at + 2, 6, |byte| byte.is_ascii_digit());
    let start = run(window, port, 32, |byte| matches!(byte, b' ' | b'\t'));
    let colon = run(window, start, 96, |byte| byte.is_ascii_graphic() && byte != b':');
    let end = run(window, colon + 1, VALUE, |byte| byte.is_ascii_graphic());
    let looked = end.saturating_sub(at) + host + 1;
    let begins = opened.is_some_and(|opened| begins_line(window, opened));
    let is_login = port < start && start < colon && window.get(colon) == Some(&b':');
    let value = window.get(colon + 1..end).unwrap_or_default();
    match begins && is_login && shape::is_password(value) {
        true => Seen::of(looked, colon + 1..end),
        false => Seen::nothing(looked),
    }
}

/// `NAME:PASSWORD` in the lines below `chpasswd:` of cloud-init and `chpasswd <<`.
pub(crate) fn password_list(window: &[u8], at: usize) -> Seen {
    let end = window.len().min(at + AROUND);
    for line in lines(window, at + b"chpasswd:".len()..end) {
        let text = &window[line.clone()];
        let Some(colon) = text.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&text[..colon], &text[colon + 1..]);
        let name = name.trim_ascii_start().strip_prefix(b"- ").unwrap_or(name).trim_ascii_start();
        let is_name = !name.is_empty() && name.iter().all(|byte| Class::Dotted.has(*byte));
        let value = value.trim_ascii_end();
        let given = !value.starts_with(b"$") && shape::is_password(value) && !value.contains(&b' ');
        if is_name && given {
            let start = line.start + colon + 1;
            return Seen::of(line.end - at, start..start + value.len());
        }
    }
    Seen::nothing(end - at)
}

/// `&sig=…` of a URL that is signed for who holds it (Azure's shared access signatures): 32 bytes in base64, beside an expiry.
pub(crate) fn shared_access(window: &[u8], at: usize) -> Seen {
    let start = at + find(&window[at..], b"=").unwrap_or(0) + 1;
    let end = run(window, start, 96, |byte| Class::Dotted.has(byte) || b"%+/=".contains(&byte));
    let looked = 2 * AROUND;
    let signature = shape::unescaped_url(&window[start..end]);
    let is_whole = (43..=44).contains(&signature.len());
    let bytes = shape::base64(&signature).map_or(0, |bytes| bytes.len());
    let around = &window[at.saturating_sub(AROUND)..window.len().min(end + AROUND)];
    let expires = [&b"se="[..], b"sv="].into_iter().any(|name| find(around, name).is_some());
    match is_whole
        && bytes == 32
        && expires
        && shape::is_random(&signature)
        && !shape::is_placeholder(&signature)
    {
        true => Seen::of(looked, start..end),
        false => Seen::nothing(looked),
    }
}
