//! Passwords by their names, in settings, scripts and programs: what a name alone cannot tell in other bytes.

use super::calls::{in_braces, is_option};
use super::commands::{each_option, line_start, names_one, seen, word};
use super::settings::begins_line;
use super::{Seen, find, run};
use crate::kind::Class;
use crate::shape;
use std::ops::Range;

/// Characters of a name, most.
const NAME: usize = 64;
/// Bytes of a value, most.
const VALUE: usize = 256;
/// Bytes of a password, most.
const PASSWORD_BYTES_MAX: usize = 128;
/// Bytes of a line that are looked at, most.
const LINE: usize = 256;

/// In settings and scripts of a shell: values with and without quotes. The keyword is in the last word of the name.
pub(crate) fn in_settings(window: &[u8], at: usize) -> Seen {
    behind_name(window, at, true, &PASSWORD)
}

/// In programs: values in quotes.
pub(crate) fn in_program(window: &[u8], at: usize) -> Seen {
    behind_name(window, at, false, &PASSWORD)
}

/// What a name and the value behind it must be.
pub(super) struct Named {
    /// Whether a name is one, by itself and by the letters of its last word from the keyword on.
    pub(super) is_last: fn(&[u8], &[u8]) -> bool,
    pub(super) is_value: fn(&[u8]) -> bool,
}

const PASSWORD: Named = Named { is_last: is_password_name, is_value: is_set };

/// `bare` says whether values stand without quotes.
pub(super) fn behind_name(window: &[u8], at: usize, bare: bool, sought: &Named) -> Seen {
    let in_name = |byte: u8| Class::Dotted.has(byte);
    let at = at + usize::from(window[at] == b'_');
    let before = &window[at.saturating_sub(NAME)..at];
    let start = at - before.iter().rev().take_while(|byte| in_name(**byte)).count();
    let word = at..run(window, at, NAME, |byte| byte.is_ascii_alphabetic());
    let end = run(window, word.end, 3, |byte| byte.is_ascii_digit());
    let looked = end - start + 8;
    let is_short = is_short(&window[word.clone()]);
    let is_named = (sought.is_last)(&window[start..word.end], &window[word]);
    if !is_named || window.get(end).is_some_and(|byte| in_name(*byte)) {
        return Seen::nothing(looked);
    }
    // What a shell compares or prints.
    let is_read = bare && window[..start].ends_with(b"$");
    let found = in_braces(window, start, end)
        .or_else(|| element(window, start, end))
        .or_else(|| assigned(window, end, bare).filter(|_| !is_read))
        .or_else(|| argument(window, start..end))
        .or_else(|| default(window, end))
        .or_else(|| directive(window, start, end).filter(|_| bare && !is_short));
    let looked = looked + found.as_ref().map_or(0, |value| value.end.saturating_sub(end));
    let secret =
        found.map(|value| taken(window, value)).filter(|value| (sought.is_value)(&window[value.clone()]));
    Seen { looked, secret, inner: None }
}

/// Of `${OTHER:-value}` what is taken where nothing is given, else the value.
fn taken(window: &[u8], value: Range<usize>) -> Range<usize> {
    let text = &window[value.clone()];
    let inner = text.strip_prefix(b"${").and_then(|text| text.strip_suffix(b"}"));
    match inner.and_then(|inner| find(inner, b":-")) {
        Some(sign) => value.start + 2 + sign + 2..value.end - 1,
        None => value,
    }
}

/// `NAME = value` of names in other languages. The keyword is the name.
pub(crate) fn in_other_language(window: &[u8], at: usize) -> Seen {
    let end = run(window, at, NAME, |byte| byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii());
    // A sign of full width is part of what was passed over.
    let wide = ["：", "＝"].iter().find_map(|sign| find(&window[at..end], sign.as_bytes()));
    let found = match wide {
        Some(sign) => {
            let behind = at + sign + "：".len();
            unquoted(window, run(window, behind, 4, |byte| byte == b' '), false)
        }
        None => assigned(window, end, true),
    };
    let looked = end - at + found.as_ref().map_or(8, |value| value.end.saturating_sub(end));
    // Texts of a portal say what to type.
    const TEXTS: [&[u8]; 6] = [b"passw", b"kennw", b"mot", b"contra", b"caract", b"zeichen"];
    let is_text = |value: &[u8]| names_one(&value.to_ascii_lowercase(), &TEXTS);
    let is_secret = |value: &Range<usize>| is_set(&window[value.clone()]) && !is_text(&window[value.clone()]);
    Seen { looked, secret: found.filter(is_secret), inner: None }
}

/// Whether the line that a place is in is a comment, or prints what it says.
fn is_told(window: &[u8], at: usize) -> bool {
    let line = window[line_start(window, at)..at].trim_ascii_start();
    [&b"#"[..], b";", b"//", b"--", b"*"].iter().any(|sign| line.starts_with(sign))
        || names_one(line, &[b"echo ", b"print"])
}

/// `createUser NAME SHA "PASSWORD"` of SNMP, `: PSK "SECRET"` of IPsec: the next string of the line.
pub(crate) fn service_secret(window: &[u8], at: usize) -> Seen {
    let line = run(window, at, 96, |byte| !matches!(byte, b'\n' | b'\r' | b'"'));
    let of_users = window[at..].starts_with(b"createUser ");
    if is_told(window, at) || of_users && !names_one(&window[at..line], &[b" SHA", b" MD5"]) {
        return Seen::nothing(line - at + 1);
    }
    let found = quoted(window, line);
    let looked = line - at + found.as_ref().map_or(1, |value| value.len() + 1);
    Seen { looked, secret: found.filter(|value| is_set(&window[value.clone()])), inner: None }
}

/// A command or setting, and its password as the next word, or behind the name that signs in with it and a colon. The
/// keyword ends with a blank.
pub(crate) fn next_word(window: &[u8], at: usize) -> Seen {
    if is_told(window, at) {
        return Seen::nothing(1);
    }
    let keyword = run(window, at, NAME, |byte| byte != b' ' && byte.is_ascii_graphic());
    // Keywords of two and three words.
    let mut start = keyword;
    for second in [&b" requirepass"[..], b" auth", b" password"] {
        if window[start..].starts_with(second) {
            start += second.len();
        }
    }
    let start = run(window, start, 8, |byte| matches!(byte, b' ' | b'\t'));
    let name = run(window, start, NAME, |byte| Class::Dotted.has(byte));
    let signs_in = window[at..].starts_with(b"stats ") && window.get(name) == Some(&b':');
    seen(at, word(window, if signs_in { name + 1 } else { start }))
}

/// A command that is given its password behind the word ` password ` or the option ` /p:`.
pub(crate) fn behind_word(window: &[u8], at: usize) -> Seen {
    if is_told(window, at) {
        return Seen::nothing(1);
    }
    let end = run(window, at, LINE, |byte| !b"\n\r;|&".contains(&byte));
    let line = &window[at..end];
    for mark in [&b" password "[..], b" /p:"] {
        if let Some(place) = find(line, mark) {
            return seen(at, word(window, at + place + mark.len()));
        }
    }
    Seen::nothing(line.len())
}

/// Words that are the end of others, too.
fn is_short(word: &[u8]) -> bool {
    [&b"pass"[..], b"pw", b"psk"].contains(&word)
}

/// Whether a name ends with the word that the keyword is in.
fn is_password_name(name: &[u8], word: &[u8]) -> bool {
    // All but the first letter of the longer ones, which may be of either case.
    const WORDS: [&[u8]; 11] = [
        b"uthtok",
        b"assword",
        b"asswd",
        b"assphrase",
        b"pwd",
        b"pass",
        b"pw",
        b"psk",
        b"bindpw",
        b"equirepass",
        b"masterauth",
    ];
    // `bypass` and `compass` are other words.
    let before = name.len().checked_sub(word.len() + 1).map(|before| name[before]);
    let is_other = is_short(word) && before.is_some_and(|before| before.is_ascii_alphabetic());
    !is_other && WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// `<password>…</`, `<property name="…password">…</`, `<add key="…password" value="…"` and `<name>…password</name><value>…</` of XML.
fn element(window: &[u8], start: usize, end: usize) -> Option<Range<usize>> {
    let opened = start.checked_sub(1).map(|at| window[at]);
    let begin = match (opened, window.get(end..)?) {
        (Some(b'<' | b':'), [b'>', ..]) => end + 1,
        (Some(quote @ (b'"' | b'\'')), [closing, b'>', ..]) if *closing == quote => end + 2,
        (Some(b'"'), [b'"', b' ', b'v', b'a', b'l', b'u', b'e', b'=', b'"', ..]) => {
            return quoted(window, end + 8);
        }
        (Some(b'>'), rest @ [b'<', b'/', b'n' | b'k', ..]) => {
            let close = rest.iter().take(16).position(|byte| *byte == b'>')? + 1;
            let next = run(window, end + close, 64, |byte| byte.is_ascii_whitespace());
            let tag =
                [&b"<value>"[..], b"<string>"].into_iter().find(|tag| window[next..].starts_with(tag))?;
            next + tag.len()
        }
        _ => return None,
    };
    let blanks = |from: usize| run(window, from, 32, |byte| byte.is_ascii_whitespace());
    let mut text = blanks(begin);
    // Answer files of Windows have it an element deeper.
    if window[text..].starts_with(b"<Value>") {
        text = blanks(text + b"<Value>".len());
    }
    if window[text..].starts_with(b"<![CDATA[") {
        let begin = text + b"<![CDATA[".len();
        let close = run(window, begin, VALUE, |byte| byte != b']' && byte != b'<');
        return window[close..].starts_with(b"]]>").then_some(begin..close);
    }
    let close = run(window, text, VALUE, |byte| byte != b'<');
    let value = text..text + window[text..close].trim_ascii_end().len();
    window[close..].starts_with(b"</").then_some(value)
}

/// `name = value`, `"name": "value"`, `name => 'value'`, `name := "value"`, `:name: value`.
fn assigned(window: &[u8], end: usize, bare: bool) -> Option<Range<usize>> {
    let skip = |from: usize, most: usize, set: &[u8]| run(window, from, most, |byte| set.contains(&byte));
    let named = skip(end, 3, b"\"'`]\\");
    let sign = skip(named, 32, b" \t");
    let behind = match window.get(sign..)? {
        [b'=', b'=' | b'~', ..] => return None,
        [b'=', b'>', ..] | [b':', b'=', ..] | [b'?', b'=', ..] => sign + 2,
        [b'=' | b':', ..] => sign + 1,
        _ => return None,
    };
    // A type may stand between, and who declares one leaves the value to the next sign.
    let mut opened = typed(window, behind).unwrap_or_else(|| skip(behind, 32, b" \t"));
    // Writers of JSON may begin a line between, and YAML has a value's type, name or form in front of it.
    if named > end && matches!(window.get(opened), Some(b'\r' | b'\n')) {
        opened = skip(opened, 96, b" \t\r\n");
    } else if bare && window[..behind].ends_with(b":") {
        opened = in_yaml(window, opened);
    }
    // Parameters of templates have it a level deeper.
    if window.get(opened) == Some(&b'{') {
        let value = skip(opened + 1, 64, b" \t\r\n\"");
        opened = skip(value + b"value".len(), 8, b"\": ");
        let name = window.get(value..value + b"value".len())?;
        opened = (name == b"value" && window[..opened].ends_with(b"\"")).then_some(opened - 1)?;
    }
    // Strings of some languages have letters or a sign in front.
    let text = run(window, opened, 2, |byte| byte.is_ascii_alphabetic() || byte == b'@');
    match window.get(text) {
        Some(b'"' | b'\'' | b'`') => quoted(window, text),
        Some(b'\\') if matches!(window.get(text + 1), Some(b'"' | b'\'')) => quoted(window, text + 1),
        _ if bare => unquoted(window, opened, window[sign..opened].iter().all(|byte| *byte == b'=')),
        _ => None,
    }
}

/// Where a value of YAML begins behind its tag or anchor, or below the sign of a block.
fn in_yaml(window: &[u8], at: usize) -> usize {
    let blanks = |from: usize| run(window, from, 64, |byte| matches!(byte, b' ' | b'\t'));
    let word = blanks(run(window, at, 64, |byte| byte.is_ascii_graphic()));
    match window.get(at..).unwrap_or_default() {
        [b'!', b'!', b's', b't', b'r', b' ', ..] => word,
        [b'&', first, ..] if first.is_ascii_alphanumeric() => word,
        [b'|' | b'>', ..] => {
            let sign = blanks(run(window, at + 1, 2, |byte| b"-+123456789".contains(&byte)));
            let line = run(window, sign, 2, |byte| matches!(byte, b'\r' | b'\n'));
            if line > sign { blanks(line) } else { at }
        }
        _ => at,
    }
}

/// `: &'static str = "value"` and types of other languages: where the quotes begin.
fn typed(window: &[u8], behind: usize) -> Option<usize> {
    let is_type = |byte: u8| byte.is_ascii_alphanumeric() || b"&'<>[]|?_. ".contains(&byte);
    let sign = run(window, behind, 40, is_type);
    let start = run(window, sign + 1, 2, |byte| byte == b' ');
    let typed = window[..behind].ends_with(b":") && window.get(sign) == Some(&b'=');
    (typed && matches!(window.get(start), Some(b'"' | b'\''))).then_some(start)
}

/// `name value` alone on its line, as many programs have their settings, also behind `ENV` of a build, and `-name value`.
fn directive(window: &[u8], start: usize, end: usize) -> Option<Range<usize>> {
    let line = run(window, end, 16, |byte| matches!(byte, b' ' | b'\t'));
    let before = &window[start.saturating_sub(16)..start];
    let blanks = before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let alone = begins_line(window, start - blanks);
    let of_build = ["ENV ", "ARG "].iter().any(|word| before.ends_with(word.as_bytes()));
    let option = is_option(window, start);
    (line > end && (alone || of_build || option)).then(|| unquoted(window, line, option)).flatten()
}

/// `PASSWORD 'value'` of SQL, `-Password "value"` of PowerShell, `setPassword("value")`, `env('NAME', 'value')`.
fn argument(window: &[u8], name: Range<usize>) -> Option<Range<usize>> {
    let named = run(window, name.end, 1, |byte| matches!(byte, b'"' | b'\''));
    let begin = run(window, named, 16, |byte| b" ,|?:()".contains(&byte));
    let between = window.get(named..begin)?;
    let has = |sign: &[u8]| find(between, sign).is_some();
    let joins = if [&b"||"[..], b"??", b"?:"].into_iter().any(has) {
        true
    } else if named > name.end {
        let before = window[..name.start].strip_suffix(&window[name.end..named]);
        before.is_some_and(|before| before.ends_with(b"(")) && has(b",")
    } else {
        // What is called may as well take a login apart: `splitpasswd("…")`.
        let called = window[name.clone()].rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        let called = called.to_ascii_lowercase();
        let sets = [&b"set"[..], b"with", b"password"].iter().any(|start| called.starts_with(start));
        between.iter().all(|byte| matches!(byte, b' ' | b'('))
            && (between.starts_with(b" ") || sets && has(b"("))
    };
    joins.then(|| quoted(window, begin)).flatten()
}

/// `variable "db_password" { … default = "value" }` of Terraform.
fn default(window: &[u8], end: usize) -> Option<Range<usize>> {
    if !window[end..].starts_with(b"\" {") {
        return None;
    }
    let close = run(window, end + 3, LINE, |byte| byte != b'}');
    let name = end + find(&window[end..close], b"default")? + b"default".len();
    let sign = run(window, name, 32, |byte| byte == b' ');
    let start = run(window, sign + 1, 32, |byte| byte == b' ');
    (window.get(sign) == Some(&b'=')).then(|| quoted(window, start)).flatten()
}

/// What stands in quotes that begin there; some languages have three.
pub(super) fn quoted(window: &[u8], at: usize) -> Option<Range<usize>> {
    let at = at
        + if [&b"\"\"\""[..], b"'''"].iter().any(|three| window[at.min(window.len())..].starts_with(three)) {
            2
        } else {
            0
        };
    let quote = *window.get(at).filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
    // Where the quotes are escaped, so are those at the end.
    let is_end = |byte: u8| byte == quote || byte == b'\\';
    let end = run(window, at + 1, VALUE, |byte| !is_end(byte) && (b' '..=b'~').contains(&byte));
    window.get(end).is_some_and(|byte| is_end(*byte)).then_some(at + 1..end)
}

/// The word that begins there and ends its line; in an assignment of a shell a command may follow.
fn unquoted(window: &[u8], at: usize, of_shell: bool) -> Option<Range<usize>> {
    let end = run(window, at, VALUE, |byte| byte.is_ascii_graphic() && !b"\"'`;,<>&|\\".contains(&byte));
    let next = run(window, end, 16, |byte| matches!(byte, b' ' | b'\t'));
    let ends = match window.get(next) {
        None | Some(b'\n' | b'\r' | b'"' | b'\'' | b'\\' | b'`' | b';' | b'&' | b'#' | 0) => true,
        Some(_) => of_shell && next > end,
    };
    ends.then_some(at..end)
}

/// Whether somebody set this as password: nothing that is put in its place, no code, no address, version, rule or name
/// of something, and not one word.
pub(super) fn is_set(value: &[u8]) -> bool {
    const ALGORITHMS: [&[u8]; 7] = [b"sha1", b"sha2", b"sha5", b"bcrypt", b"argon2", b"pbkdf2", b"scram-"];
    let begins = !matches!(
        value.first(),
        Some(b'-' | b'/' | b'.' | b':' | b'$' | b'%' | b'@' | b'<' | b'[' | b'!' | b'&' | b'*')
    );
    let has = |sort: fn(&u8) -> bool| value.iter().any(sort);
    let (upper, lower) = (has(u8::is_ascii_uppercase), has(u8::is_ascii_lowercase));
    // `min:8`, `php-fpm:9000`, `unix:/run`.
    let behind = value.rsplit(|byte| *byte == b':').next().filter(|behind| behind.len() < value.len());
    let is_address =
        behind.is_some_and(|behind| behind.first() == Some(&b'/') || behind.iter().all(u8::is_ascii_digit));
    // `1.0.0-beta.1`, `10.0.0.1`.
    let is_version = value.windows(5).any(|part| {
        [0, 2, 4].iter().all(|at| part[*at].is_ascii_digit()) && part[1] == b'.' && part[3] == b'.'
    });
    // `api/v1/reset`, `required|min`, `col-md-6`, and constants.
    let is_name = !upper && value.iter().any(|byte| matches!(byte, b'/' | b'|'))
        || !upper && value.contains(&b'-') && !has(shape::is_strong_sign)
        || !lower && value.contains(&b'_');
    (8..=PASSWORD_BYTES_MAX).contains(&value.len())
        && begins
        && (has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) || shape::is_scrambled(value))
        && !value.iter().any(|byte| b" \\\"".contains(byte))
        && !(is_address || is_version || is_name)
        && !ALGORITHMS.iter().any(|name| value.starts_with(name))
        && (shape::is_typed(value) || shape::is_unnamed(value))
        && shape::is_password(value)
}

/// `IDENTIFIED BY '…'` of SQL and `ConvertTo-SecureString "…"` of PowerShell: the next string.
pub(crate) fn next_string(window: &[u8], at: usize) -> Seen {
    let line = run(window, at, 96, |byte| !matches!(byte, b'\n' | b'\r' | b'\'' | b'"' | b'$' | b';'));
    // Between double quotes of SQL stand names.
    let of_sql = window[at..].starts_with(b"d") || window[at..].starts_with(b"D");
    let found = quoted(window, line).filter(|_| !of_sql || window[line] == b'\'');
    let looked = line - at + found.as_ref().map_or(1, |value| value.len() + 1);
    Seen { looked, secret: found.filter(|value| is_set(&window[value.clone()])), inner: None }
}

/// `-U NAME%PASSWORD` of the programs of Samba.
pub(crate) fn samba_user(window: &[u8], at: usize) -> Seen {
    let start = run(window, at + b" -U".len(), 3, |byte| b" '\"=".contains(&byte));
    let name = run(window, start, NAME, |byte| Class::Dotted.has(byte) || byte == b'\\');
    let line = line_start(window, at);
    match window.get(name) {
        Some(b'%') if names_one(&window[line..at], &[b"smb", b"rpcclient", b"net ", b"winexe"]) => {
            seen(line, word(window, name + 1))
        }
        _ => Seen::nothing(name - at),
    }
}

/// `-u NAME,PASSWORD` of lftp.
pub(crate) fn lftp_user(window: &[u8], at: usize) -> Seen {
    let line = run(window, at, LINE, |byte| !matches!(byte, b'\n' | b'\r' | b';' | b'|'));
    let text = &window[at..line];
    let Some(option) = find(text, b" -u ") else { return Seen::nothing(text.len()) };
    let start = run(window, at + option + 4, 1, |byte| matches!(byte, b'"' | b'\''));
    let name = run(window, start, NAME, |byte| Class::Dotted.has(byte) || byte == b'@');
    match window.get(name) {
        Some(b',') if name > start => seen(at, word(window, name + 1)),
        _ => Seen::nothing(text.len()),
    }
}

/// `openssl passwd … PASSWORD`, `openssl enc … -k PASSWORD`.
pub(crate) fn openssl(window: &[u8], at: usize) -> Seen {
    if !window[at..].starts_with(b"openssl passwd") {
        return each_option(window, at, b"k ");
    }
    let end = run(window, at, LINE, |byte| !b"\n\r;|&<>)`".contains(&byte));
    let line = window[at..end].trim_ascii_end();
    if names_one(line, &[b" -in", b" -stdin"]) {
        return Seen::nothing(line.len());
    }
    let Some(space) = line.iter().rposition(|byte| *byte == b' ') else { return Seen::nothing(end - at) };
    seen(at, word(window, at + space + 1))
}

/// `htpasswd -b FILE NAME PASSWORD`: without `-b` it asks for the password. With `-n` there is no file.
pub(crate) fn htpasswd(window: &[u8], at: usize) -> Seen {
    let end = run(window, at, LINE, |byte| !b"\n\r;|&>)`".contains(&byte));
    let line = &window[at..end];
    let words: Vec<usize> = (1..line.len()).filter(|at| line[at - 1] == b' ' && line[*at] != b' ').collect();
    let (options, given): (Vec<usize>, Vec<usize>) = words.into_iter().partition(|at| line[*at] == b'-');
    let has = |letter: u8| {
        options
            .iter()
            .any(|at| line[*at..].iter().take_while(|byte| **byte != b' ').any(|byte| *byte == letter))
    };
    let place = if has(b'n') { given.get(1) } else { given.get(2) };
    match place.filter(|_| has(b'b')) {
        Some(start) => seen(at, word(window, at + start)),
        None => Seen::nothing(end - at),
    }
}

/// `echo PASSWORD | passwd --stdin NAME`. The keyword begins with the pipe, or stands behind it.
pub(crate) fn passwd_from_input(window: &[u8], at: usize) -> Seen {
    let line = line_start(window, at);
    let text = &window[line..at];
    let pipe =
        if window[at] == b'|' { Some(text.len()) } else { text.iter().rposition(|byte| *byte == b'|') };
    let Some(pipe) = pipe else { return Seen::nothing(text.len() + 1) };
    // The command whose output it is.
    let begin = text[..pipe].iter().rposition(|byte| b";&|(\n".contains(byte)).map_or(0, |edge| edge + 1);
    let blanks = |from: usize| run(window, from, 8, |byte| matches!(byte, b' ' | b'\t'));
    let mut start = blanks(line + begin);
    let Some(printer) =
        [&b"echo "[..], b"printf "].into_iter().find(|name| window[start..].starts_with(name))
    else {
        return Seen::nothing(text.len() + 1);
    };
    start = blanks(start + printer.len());
    for option in [&b"-n "[..], b"-e ", b"-ne ", b"-en "] {
        if window[start..].starts_with(option) {
            start = blanks(start + option.len());
        }
    }
    let (end, secret) = word(window, start);
    // It may be what the command that gets in as somebody else is to write.
    let secret = secret.filter(|value| !window[value.clone()].iter().any(|byte| b"= ".contains(byte)));
    seen(line, (end, secret))
}

/// `NAME:{SHA}…` and the like in files of passwords (RFC 2307 and the formats of web servers).
pub(crate) fn marked_password(window: &[u8], at: usize) -> Seen {
    let start = run(window, at, 16, |byte| byte != b'}') + 1;
    let end = run(window, start, VALUE, |byte| byte.is_ascii_graphic());
    let value = window.get(start..end).unwrap_or_default();
    let plain = find(&window[at..start.min(window.len())], b"PLAIN").is_some();
    let line =
        window[at.saturating_sub(NAME)..at].iter().rev().take_while(|byte| byte.is_ascii_graphic()).count();
    let is_name =
        line > 0 && begins_line(window, at - line) && window[..start.min(window.len())].ends_with(b"}");
    let fits = if plain { value.len() >= 4 } else { value.len() >= 28 && shape::is_random(value) };
    match is_name && fits && !shape::is_template(value) && !shape::is_placeholder(value) {
        true => Seen::of(end - at + line, start..end),
        false => Seen::nothing(end - at + line),
    }
}
