//! Kinds that are told by what stands around them, or that are wrapped.

mod assigned;
mod calls;
mod commands;
mod der;
mod logins;
mod names;
mod pem;
mod settings;
mod tokens;
mod wrapped;

pub(crate) use assigned::{change_password, default_of_variable, go_login, login_in_front, password, sql};
pub(crate) use calls::{login_call, oracle_login, second_word};
pub(crate) use commands::{
    connection_string, curl_user, ldap_option, login_option, mysql_option, named_option, option_password,
    redis_option, sqlcmd_option, sshpass_option,
};
pub(crate) use der::{blob_key, der_key, onion_key, sealed_der_key};
use logins::password_of;
pub(crate) use logins::{netrc, npm_login, pgpass, registry_login, url_password};
pub(crate) use names::{
    behind_word, htpasswd, in_other_language, in_program, in_settings, lftp_user, marked_password,
    next_string, next_word, openssl, passwd_from_input, samba_user, service_secret,
};
pub(crate) use pem::{bare_key, gnupg_key, private_key, xml_key};
pub(crate) use settings::{
    data_source, object_login, option_file, php_constant, property, string_data, yaml_login,
};
pub(crate) use tokens::{
    curl_login, issuer_key, mail_login, password_list, shared_access, token_in_program, token_in_settings,
};
use wrapped::WRAPPED;
pub(crate) use wrapped::{in_base64, in_escapes, in_gzip, in_hexadecimal, in_percent, in_utf_32, numbered};

use crate::kind::Class;
use crate::shape;
use std::ops::Range;

/// What a reader found.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Bytes that were looked at: the work that it was.
    pub(crate) looked: usize,
    /// Where the secret stands.
    pub(crate) secret: Option<Range<usize>>,
    /// What was wrapped, to be read in its turn.
    pub(crate) inner: Option<Vec<u8>>,
}

impl Seen {
    fn nothing(looked: usize) -> Self {
        Self { looked, ..Self::default() }
    }

    fn of(looked: usize, secret: Range<usize>) -> Self {
        Self { looked, secret: Some(secret), inner: None }
    }
}

/// Bytes behind a keyword that are looked at, most.
const REACH: usize = crate::REACH;
/// Bytes in front of a keyword that are looked at, most.
const BACK: usize = 1024;

/// What stands between a name and its value: its length. Quotes, brackets and blanks, then `=`, `:` or
/// the like, which JSON may escape, then quotes and blanks. A type may be named between, and an object may have the
/// value under a name of its own.
pub(crate) fn assign(rest: &[u8]) -> Option<usize> {
    let skip = |from: usize, most: usize, set: &[u8]| {
        rest[from..].iter().take(most).take_while(|byte| set.contains(byte)).count()
    };
    // Settings are often aligned.
    let mut at = skip(0, 32, b"\"'`] \t\\");
    at += match rest.get(at..)? {
        [b'=' | b':' | b'>', ..] => 1,
        // Of the escape, the sign in front is passed already.
        [b'u', b'0', b'0', b'3', b'a' | b'A' | b'd' | b'D', ..] if rest[..at].ends_with(b"\\") => 5,
        [b',' | b'\r' | b'\n', ..] => value_behind(rest, at)?,
        _ => return None,
    };
    at += skip(at, 1, b"=>:");
    let opened = at + skip(at, 5, b" \t\"'`\\(");
    // Bytes of Python have a letter in front.
    if let [b'b' | b'r' | b'f', b'"' | b'\'', ..] = rest.get(opened..)? {
        return Some(opened + 2);
    }
    Some(typed(rest, at).unwrap_or(opened))
}

/// `name: DB_PASSWORD` and on the next line `value:`, in YAML or JSON: the length from the end of the name's line.
fn value_behind(rest: &[u8], at: usize) -> Option<usize> {
    let line = &rest[at..rest.len().min(at + 96)];
    let start = run(line, 0, 80, |byte| b",\r\n \t\"".contains(&byte));
    let value = line.get(start..)?.strip_prefix(b"value")?;
    let colon = run(value, 0, 2, |byte| byte == b'"');
    let has_line = line[..start].contains(&b'\n') || line[..start].contains(&b'"');
    (value.get(colon) == Some(&b':') && has_line).then_some(start + 5 + colon + 1)
}

/// `: str = "…"` of Python: the length up to the value.
fn typed(rest: &[u8], at: usize) -> Option<usize> {
    let name = run(rest, at, 2, |byte| byte == b' ');
    let named = run(rest, name, 32, |byte| byte.is_ascii_alphabetic() || b"[]|. ".contains(&byte));
    let value = run(rest, named + 1, 2, |byte| byte == b' ');
    let is_type = rest[..at].ends_with(b":") && named > name && rest.get(named) == Some(&b'=');
    let quoted = matches!(rest.get(value), Some(b'"' | b'\''));
    (is_type && quoted).then_some(value + 1)
}

fn run(window: &[u8], from: usize, most: usize, has: impl Fn(u8) -> bool) -> usize {
    let rest = window.get(from..).unwrap_or_default();
    from + rest.iter().take(most).take_while(|byte| has(**byte)).count()
}

/// Where the run begins that ends in front of `to`.
fn run_back(window: &[u8], to: usize, most: usize, has: impl Fn(u8) -> bool) -> usize {
    to - window[..to].iter().rev().take(most).take_while(|byte| has(**byte)).count()
}

fn find(window: &[u8], text: &[u8]) -> Option<usize> {
    window.windows(text.len()).position(|part| part == text)
}

/// PuTTY's own format of keys.
pub(crate) fn putty_key(window: &[u8], at: usize) -> Seen {
    let rest = &window[at..window.len().min(at + REACH)];
    let Some(lines) = find(rest, b"Private-Lines: ") else { return Seen::nothing(rest.len()) };
    let start = run(rest, lines + 15, 8, |byte| byte.is_ascii_digit() || matches!(byte, b'\r' | b'\n'));
    let end = run(rest, start, REACH, |byte| Class::Base64.has(byte) || matches!(byte, b'\r' | b'\n' | b'='));
    if end - start < 40 || !shape::is_random(&rest[start..end]) {
        return Seen::nothing(rest.len());
    }
    Seen::of(rest.len(), at + start..at + end)
}

/// JSON Web Tokens with a signature (RFC 7519).
pub(crate) fn web_token(window: &[u8], at: usize) -> Seen {
    let url = |byte| Class::Url.has(byte);
    if at > 0 && url(window[at - 1]) && !matches!(window[at - 1], b'_' | b'-') {
        return Seen::nothing(1);
    }
    let header = run(window, at, 1024, url);
    if window.get(header..header + 4) != Some(b".eyJ") {
        return Seen::nothing(header - at + 4);
    }
    let payload = run(window, header + 1, REACH, url);
    let end = if window.get(payload) == Some(&b'.') { run(window, payload + 1, 1024, url) } else { payload };
    let looked = end - at + 1;
    let says = shape::base64(&window[at..header]).is_some_and(|json| find(&json, b"\"alg\"").is_some());
    let signature = window.get(payload + 1..end).unwrap_or_default();
    if !says || signature.len() < 27 || shape::is_placeholder(signature) || !shape::is_random(signature) {
        return Seen::nothing(looked);
    }
    Seen::of(looked, at..end)
}

fn padded(byte: u8) -> bool {
    Class::Base64.has(byte) || byte == b'='
}

/// `Authorization: Basic …` (RFC 7617).
pub(crate) fn basic_header(window: &[u8], at: usize) -> Seen {
    let start = at + b"uthorization: Basic ".len();
    let end = run(window, start, 512, padded);
    if end - start < 8 || password_of(&window[start..end]).is_none() {
        return Seen::nothing(end - at);
    }
    Seen::of(end - at, start..end)
}

/// `Authorization: Bearer …` (RFC 6750).
pub(crate) fn bearer_header(window: &[u8], at: usize) -> Seen {
    let start = at + b"uthorization: Bearer ".len();
    let end = run(window, start, 2048, |byte| Class::Dotted.has(byte) || padded(byte) || byte == b'~');
    let token = &window[start.min(end)..end];
    let mixed = token.iter().any(u8::is_ascii_digit) && token.iter().any(u8::is_ascii_alphabetic);
    if token.len() < 20 || !mixed || shape::is_placeholder(token) || !shape::is_random(token) {
        return Seen::nothing(end - at);
    }
    Seen::of(end - at, start..end)
}

/// Hashes of passwords with a name in front, as in `shadow` and `htpasswd` (crypt(5)).
pub(crate) fn password_hash(window: &[u8], at: usize) -> Seen {
    let name = |byte: &&u8| Class::Dotted.has(**byte);
    let before = &window[at.saturating_sub(33)..at];
    let length = before.iter().rev().take_while(name).count();
    let begins = match before.len().checked_sub(length + 1) {
        Some(edge) => !before[edge].is_ascii_graphic() || matches!(before[edge], b'"' | b'\''),
        None => at == length,
    };
    let start = at + 1;
    let end = run(window, start, 200, |byte| Class::Alnum.has(byte) || b"./$=,".contains(&byte));
    let looked = end - at + 34;
    let hash = &window[start..end];
    let mut fields = hash.split(|byte| *byte == b'$').skip(1);
    let (method, last) =
        (fields.next().unwrap_or_default(), hash.rsplit(|b| *b == b'$').next().unwrap_or_default());
    let fits = match method {
        b"6" => last.len() == 86,
        b"5" | b"y" | b"gy" | b"7" => last.len() == 43,
        b"1" | b"apr1" => last.len() == 22,
        b"2a" | b"2b" | b"2y" => last.len() == 53,
        _ => false,
    };
    if length == 0 || !begins || !fits || shape::entropy(last) < 3.0 {
        return Seen::nothing(looked);
    }
    Seen::of(looked, start..end)
}

/// Characters in front of a value in which its name is looked for.
const NAME: usize = 80;

/// The name of the value that begins there, as far as it is looked at.
fn name_of(document: &[u8], start: usize) -> &[u8] {
    let before = &document[start.saturating_sub(NAME)..start];
    let edge = before.iter().rposition(|byte| matches!(byte, b'\n' | b',' | b'{')).map_or(0, |edge| edge + 1);
    let is_around = |byte: &u8| byte.is_ascii_whitespace() || b"\"':".contains(byte);
    let name = &before[edge..];
    let from = name.iter().position(|byte| !is_around(byte)).unwrap_or(name.len());
    let to = name.iter().rposition(|byte| !is_around(byte)).map_or(from, |last| last + 1);
    &name[from..to]
}

/// Values of a Kubernetes Secret, in YAML or JSON.
pub(crate) fn kubernetes_secret(window: &[u8], at: usize) -> Seen {
    let from = at.saturating_sub(BACK);
    let around = &window[from..window.len().min(at + REACH)];
    let looked = around.len();
    // The document, not its neighbours: from the separator before to the one behind.
    let middle = at - from;
    let first = around[..middle].windows(4).rposition(|part| part == b"\n---").map_or(0, |edge| edge + 4);
    let last = find(&around[middle..], b"\n---").map_or(around.len(), |edge| middle + edge);
    let document = &around[first..last];
    let Some(data) = find(document, b"data:").or_else(|| find(document, b"\"data\"")) else {
        return Seen::nothing(looked);
    };
    let mut place = data + 5;
    while place < document.len() {
        let start = run(document, place, looked, |byte| !padded(byte));
        let end = run(document, start, WRAPPED, padded);
        let value = &document[start..end];
        let opened = document[..start].iter().rev().find(|byte| !matches!(byte, b' ' | b'"')) == Some(&b':');
        let alone = matches!(document.get(end), None | Some(b'\n' | b'\r' | b'"' | b' '));
        let fits = opened && alone && value.len() >= 8 && value.len().is_multiple_of(4);
        if fits && is_content(value, name_of(document, start)) {
            return Seen::of(looked, from + first + start..from + first + end);
        }
        place = end.max(start + 1);
    }
    Seen::nothing(looked)
}

/// Whether the value is base64 of something that somebody wrote, and not what stands beside a secret.
fn is_content(value: &[u8], name: &[u8]) -> bool {
    /// Names that say that a value is none, where it is neither a key nor a URL that signs in.
    const OPEN: [&[u8]; 14] = [
        b"ca.crt",
        b"tls.crt",
        b"host",
        b"hostname",
        b"port",
        b"user",
        b"username",
        b"dbname",
        b"database",
        b"db",
        b"region",
        b"endpoint",
        b"issuer",
        b"namespace",
    ];
    let is_open = OPEN.iter().any(|open| name.eq_ignore_ascii_case(open));
    shape::base64(value).is_some_and(|bytes| {
        let signs_in = find(&bytes, b"://").is_some() && bytes.contains(&b'@');
        let is_key = find(&bytes, b"PRIVATE KEY").is_some();
        bytes.len() >= 6
            && bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
            && !shape::is_placeholder(&bytes)
            && (is_key || !bytes.starts_with(b"-----BEGIN CERTIFICATE"))
            && (!is_open || signs_in || is_key)
    })
}

/// Private JSON Web Keys (RFC 7517): an object with `kty` and `d`.
pub(crate) fn web_key(window: &[u8], at: usize) -> Seen {
    let from = at.saturating_sub(BACK);
    let around = &window[from..window.len().min(at + REACH)];
    let middle = at - from;
    let first = around[..middle].iter().rposition(|byte| *byte == b'{').unwrap_or(0);
    let last =
        around[middle..].iter().position(|byte| *byte == b'}').map_or(around.len(), |end| middle + end);
    let object = &around[first..last];
    let looked = around.len();
    let Some(name) = find(object, b"\"d\"") else { return Seen::nothing(looked) };
    let Some(between) = assign(&object[name + 3..]) else { return Seen::nothing(looked) };
    let start = name + 3 + between;
    let end = run(object, start, 1024, |byte| Class::Url.has(byte));
    if end - start < 42 || !shape::is_random(&object[start..end]) {
        return Seen::nothing(looked);
    }
    Seen::of(looked, from + first + start..from + first + end)
}

/// OpenAI's keys of the first form: the mark stands in the middle.
pub(crate) fn openai_key(window: &[u8], at: usize) -> Seen {
    let (Some(start), end) = (at.checked_sub(23), at + 28) else { return Seen::nothing(8) };
    let Some(key) = window.get(start..end) else { return Seen::nothing(8) };
    let fits = key.starts_with(b"sk-") && key[3..].iter().all(u8::is_ascii_alphanumeric);
    if fits && shape::is_random(key) { Seen::of(51, start..end) } else { Seen::nothing(51) }
}

/// SendGrid: `SG.` and two runs.
pub(crate) fn sendgrid_key(window: &[u8], at: usize) -> Seen {
    let url = |byte| Class::Url.has(byte);
    let first = run(window, at + 3, 23, url);
    if at > 0 && window[at - 1].is_ascii_alphanumeric()
        || first != at + 25
        || window.get(first) != Some(&b'.')
    {
        return Seen::nothing(first - at);
    }
    let end = run(window, first + 1, 43, url);
    if end != first + 44 || shape::is_placeholder(&window[at..end]) || !shape::is_random(&window[at..end]) {
        return Seen::nothing(end - at);
    }
    Seen::of(end - at, at..end)
}

/// Azure's keys with a mark of the service at the end of 32 random bytes and more: `…+ASt…==` and so on.
pub(crate) fn azure_marked_key(window: &[u8], at: usize) -> Seen {
    let from = at.saturating_sub(76);
    let back = window[from..at].iter().rev().take_while(|byte| Class::Base64.has(**byte)).count();
    let end = run(window, at, 16, padded);
    let key = &window[at - back..end];
    let looked = 96;
    let fits = matches!(key.len(), 44 | 52 | 56 | 84 | 88) && back >= 32;
    if fits && shape::is_random(key) { Seen::of(looked, at - back..end) } else { Seen::nothing(looked) }
}
