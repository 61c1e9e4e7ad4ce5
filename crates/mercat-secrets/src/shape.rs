//! What distinguishes a credential from text that only looks like one.

use crate::context::numbered;
use std::ops::Range;

/// Values that documentation uses and nobody can sign in with.
const KNOWN_EXAMPLES: [&[u8]; 22] = [
    // Of RFC 6749 and RFC 7617, and what everybody writes.
    b"2YotnFZFEjr1zCsicMWpAA",
    b"tGzv3JOkF0XG5Qx2TlKWIA",
    b"czZCaGRSa3F0MzpnWDFmQmF0M2JW",
    b"QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    b"dXNlcjpwYXNzd29yZA==",
    b"dXNlcm5hbWU6cGFzc3dvcmQ=",
    b"AKIAIOSFODNN7EXAMPLE",
    b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    // The storage emulator's, printed in every manual of Azure.
    b"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    // Cosmos DB's emulator.
    b"C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==",
    b"glpat-xxxxxxxxxxxxxxxxxxxx",
    // WireGuard's, in the manual of systemd.
    b"EEGlnEPYJV//kbvvIqxKkQwOiS+UENyPncC4bF46ong=",
    // The help of kubectl's and of a cloud's command line, and what that and browsers are known by to their makers.
    b"uXFGweU9l35qcif",
    b"secretPassword123",
    b"123Abpassdord",
    b"ZmssLNjJy2998hD4CTg2ejr2",
    b"wbER7576mc_1YOII0dGk7jEE",
    b"d-FL95Q19q7MQmFpd7hHD0Ty",
    b"kdloedMFGdGla2P1zacGjAQh",
    // Of the standard library of Ruby.
    b"V3ry_S3nsit1ve",
    // Signatures of tokens: a well-known page's, and the manual's of a library that distributions ship.
    b"SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    b"4twFt5NiznN84AWoo1d7KO1T_yoc0Z6XOpOVswacPZg",
];

/// Words of values that stand for another one, in lower case.
const STAND_INS: [&[u8]; 18] = [
    b"example",
    b"xxxxx",
    b"your",
    b"changeme",
    b"replace_me",
    b"replaceme",
    b"change_me",
    b"placeholder",
    b"redacted",
    b"dummy",
    b"00000000",
    b"12345678",
    b"abcdefgh",
    b"*****",
    b".....",
    b"insert",
    b"secret_here",
    b"deadbeef",
];

/// Whether the value is a manual's, or tells that another one belongs there.
pub(crate) fn is_placeholder(secret: &[u8]) -> bool {
    let folded = secret.to_ascii_lowercase();
    let says = |word: &&[u8]| folded.windows(word.len()).any(|part| part == *word);
    KNOWN_EXAMPLES.iter().any(|example| secret.ends_with(example)) || STAND_INS.iter().any(says)
}

/// Shannon entropy in bits per byte.
pub(crate) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let total = bytes.len() as f64;
    let share = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / total);
    share.map(|p| -p * p.log2()).sum()
}

/// Whether the entropy is what chance gives a text of this length and alphabet, with much to spare.
pub(crate) fn is_random(secret: &[u8]) -> bool {
    let tail = &secret[secret.len().saturating_sub(64)..];
    let hexadecimal = tail.iter().filter(|b| b.is_ascii_hexdigit() || **b == b'-').count();
    let sorts: f64 = match tail {
        _ if tail.iter().all(u8::is_ascii_digit) => 10.0,
        // A prefix of letters in front does not make it another alphabet.
        _ if hexadecimal * 4 >= tail.len() * 3 => 16.0,
        _ if tail.iter().any(u8::is_ascii_lowercase) && tail.iter().any(u8::is_ascii_uppercase) => 62.0,
        _ => 36.0,
    };
    let most = sorts.min(tail.len() as f64).log2();
    entropy(tail) >= 0.74 * most
}

/// Whether a value stands in one of three lines of base64, as in keys.
pub(crate) fn goes_on(window: &[u8], value: &Range<usize>) -> bool {
    /// Bytes around the value that are looked at.
    const AROUND: usize = 256;
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let is_line = |line: &[u8]| {
        let is_text = |byte: &u8| !b" \t\r#*".contains(byte);
        let start = line.iter().position(is_text).unwrap_or(line.len());
        let end = line.iter().rposition(is_text).map_or(start, |last| last + 1);
        end - start >= 32 && line[start..end].iter().all(is_base64)
    };
    let start = value.start.saturating_sub(AROUND);
    let around = &window[start..(value.end + AROUND).min(window.len())];
    let at = value.start - start;
    let before = around[..at].iter().filter(|byte| **byte == b'\n').count();
    let lines: Vec<&[u8]> = around.split(|byte| *byte == b'\n').collect();
    let line = |at: Option<usize>| at.and_then(|at| lines.get(at)).is_some_and(|line| is_line(line));
    let lines = |first: Option<usize>| (0..3).all(|more| line(first.map(|first| first + more)));
    lines(before.checked_sub(2)) || lines(before.checked_sub(1)) || lines(Some(before))
}

/// Whether the last six bytes are the checksum of a GitHub or npm token: CRC-32 of what stands between the
/// prefix and them, in base 62.
pub(crate) fn has_checksum(secret: &[u8]) -> bool {
    let Some(under) = secret.iter().position(|byte| *byte == b'_') else { return false };
    let Some((body, sum)) = secret[under + 1..].split_last_chunk::<6>() else { return false };
    checksum(body) == *sum
}

/// CRC-32 in six digits of base 62.
pub(crate) fn checksum(body: &[u8]) -> [u8; 6] {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = crc32fast::hash(body);
    let mut out = [b'0'; 6];
    for digit in out.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    out
}

/// 8-4-4-4-12 hexadecimal digits.
pub(crate) fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether a person or program chose this as password: no variable, path or template, and not one word.
pub(crate) fn is_chosen(secret: &[u8]) -> bool {
    let opens =
        matches!(secret.first(), Some(b'$' | b'%' | b'{' | b'(' | b'/' | b'[' | b'*' | b'@' | b'&' | b'!'));
    let template =
        secret.iter().any(|byte| matches!(byte, b'$' | b'(' | b')' | b'{' | b'}' | b'[' | b']' | b'*'));
    let lower = secret.iter().any(u8::is_ascii_lowercase);
    let upper = secret.iter().any(u8::is_ascii_uppercase);
    let digit = secret.iter().any(u8::is_ascii_digit);
    let sorts = usize::from(lower) + usize::from(upper) + usize::from(digit);
    // Without a digit, only what has letters in both cases and a sign is no word.
    let signs = secret.len() >= 10 && lower && upper && secret.iter().any(is_strong_sign);
    !opens && !template && (digit && sorts >= 2 || signs) && entropy(secret) >= 2.5 && !is_reference(secret)
}

/// Whether a value is an expression of a program: names joined by dots or other signs, a call of one, or a choice.
fn is_code(value: &[u8]) -> bool {
    const OPERATORS: [&[u8]; 7] = [b"&&", b"||", b"==", b"!=", b"=>", b"?.", b"->"];
    if OPERATORS.iter().any(|operator| value.windows(2).any(|part| part == *operator)) {
        return true;
    }
    if value.contains(&b'?') && value.contains(&b':') {
        return true;
    }
    let Some(call) = value.iter().position(|byte| matches!(byte, b'(' | b'[')) else {
        return names(value) > 1;
    };
    // What is called has a word in front, and digits anywhere.
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':');
    let word = value.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'_').count();
    (word >= 2 || call == 1) && value[..call].iter().all(is_name)
}

/// How many names are joined in a text; 0 where one of its parts is none. Chance has digits inside, and hyphens join
/// small letters only.
fn names(text: &[u8]) -> usize {
    let is_name = |part: &&[u8]| {
        let digits = part.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        part.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
            && part[..part.len() - digits].iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
    };
    if text.contains(&b'-') && text.iter().any(u8::is_ascii_uppercase) {
        return 0;
    }
    let joined = text.split(|byte| matches!(byte, b'.' | b':' | b'-' | b'>'));
    let parts: Vec<&[u8]> = joined.filter(|part| !part.is_empty()).collect();
    if parts.iter().all(is_name) { parts.len() } else { 0 }
}

/// Whether a value says where the credential is, instead of being it.
pub(crate) fn is_reference(value: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 14] = [
        b"arn:",
        b"projects/",
        b"file:",
        b"vault:",
        b"ref+",
        b"ssm:",
        b"env:",
        b"secret:",
        b"secrets/",
        b"keyvault:",
        b"!",
        b"sops:",
        b"data:",
        b"kv/",
    ];
    BEGINNINGS.iter().any(|beginning| value.starts_with(beginning))
        || value.windows(3).any(|part| part == b"://")
}

/// Whether a value goes on as the query of a URL does: `&name=`.
fn is_query(value: &[u8]) -> bool {
    let behind = |part: &[u8]| {
        let name = part.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'_').count();
        name >= 2 && part.get(name) == Some(&b'=')
    };
    value.split(|byte| *byte == b'&').skip(1).any(behind)
}

/// Whether a value of small letters, digits and what joins words says what belongs in its place, or what it is for,
/// also where digits stand for letters.
fn is_hinted(value: &[u8]) -> bool {
    const WORDS: [&[u8]; 8] =
        [b"password", b"passwd", b"secret", b"token", b"test", b"demo", b"sample", b"replace"];
    if value.iter().any(|byte| byte.is_ascii_uppercase() || is_strong_sign(byte)) {
        return false;
    }
    let letter = |byte: &u8| match byte {
        b'0' => b'o',
        b'1' => b'i',
        b'3' => b'e',
        b'4' => b'a',
        b'5' => b's',
        other => *other,
    };
    let spelt: Vec<u8> = value.iter().map(letter).collect();
    let says = |text: &[u8]| WORDS.iter().any(|word| text.windows(word.len()).any(|part| part == *word));
    says(value) || says(&spelt)
}

/// Whether a value is something else than a credential: code, the query of a URL, where a credential is, or what
/// belongs in its place.
fn is_other(value: &[u8]) -> bool {
    is_query(value) || is_code(value) || is_hinted(value) || is_reference(value)
}

/// Whether somebody typed the value as password, as far as it tells by itself: letters and digits both, or letters of
/// chance, and nothing else that it could be.
pub(crate) fn is_typed(value: &[u8]) -> bool {
    let both = value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic);
    value.len() >= 8 && (both || is_scrambled(value)) && !is_other(value)
}

/// Whether a value is a credential though its name is one that everybody uses.
pub(crate) fn is_unnamed(value: &[u8]) -> bool {
    let count = |sort: fn(&u8) -> bool| value.iter().filter(|byte| sort(byte)).count();
    let (digits, lower) = (count(u8::is_ascii_digit), count(u8::is_ascii_lowercase));
    let upper = count(u8::is_ascii_uppercase);
    let signs = value.iter().filter(|byte| is_strong_sign(byte)).count();
    let both = lower > 0 && upper > 0;
    let hexadecimal = value.len() >= 32 && value.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    let small = value.len() >= 20 && digits >= 4 && digits + lower == value.len();
    let mixed = digits >= 2 && (both || lower + upper > 0 && signs > 0 || hexadecimal || small)
        || both && signs > 0 && (8..20).contains(&value.len()) && (digits > 0 || value.len() >= 10);
    // What is as long and as mixed as this begins with anything.
    let begins = value.len() >= 32 && signs >= 4
        || !matches!(
            value.first(),
            Some(b'-' | b'/' | b'.' | b'$' | b'%' | b'@' | b'<' | b'[' | b'{' | b'&')
        );
    mixed && begins && !is_template(value) && !is_other(value)
}

/// Whether most letters of a value are in words: runs of letters as long as chance makes few.
pub(crate) fn is_of_words(value: &[u8]) -> bool {
    const WORD_LEAST: usize = 3;
    let is_word = |word: &&[u8]| {
        let rest = word.get(1..).unwrap_or_default();
        word.len() >= WORD_LEAST && word[0].is_ascii_alphabetic() && rest.iter().all(u8::is_ascii_lowercase)
    };
    let letters = value.split(|byte| !byte.is_ascii_alphabetic());
    let parts = letters.flat_map(|part| part.chunk_by(|_, next| next.is_ascii_lowercase()));
    let in_words: usize = parts.filter(is_word).map(<[u8]>::len).sum();
    in_words * 5 > value.len() * 3
}

/// Whether a value of nothing but letters is of chance: in both cases, and not of words.
pub(crate) fn is_scrambled(value: &[u8]) -> bool {
    let count = |sort: fn(&u8) -> bool| value.iter().filter(|byte| sort(byte)).count();
    value.len() >= 10
        && value.iter().all(u8::is_ascii_alphabetic)
        && count(u8::is_ascii_uppercase).min(count(u8::is_ascii_lowercase)) >= 3
        && entropy(value) >= 3.0
        && !is_of_words(value)
        && !is_placeholder(value)
}

/// Signs that join no words.
pub(crate) fn is_strong_sign(byte: &u8) -> bool {
    byte.is_ascii_punctuation() && !b"_-.:/".contains(byte)
}

/// Whether a value that stands where only a password does is one: unlike elsewhere, every sign may be in it.
pub(crate) fn is_password(value: &[u8]) -> bool {
    value.len() >= 6
        && value.iter().all(|byte| (b' '..=b'~').contains(byte))
        && !is_template(value)
        && !is_placeholder(value)
        && is_mixed(value)
        && entropy(value) >= 2.5
}

/// Whether a value has two or more of letters, digits and signs that do not join words, or letters of chance.
pub(crate) fn is_mixed(value: &[u8]) -> bool {
    let letter = value.iter().any(u8::is_ascii_alphabetic);
    let digit = value.iter().any(u8::is_ascii_digit);
    let sign = value.iter().any(|byte| byte.is_ascii_punctuation() && !b"_-.:".contains(byte));
    usize::from(letter) + usize::from(digit) + usize::from(sign) >= 2 || is_scrambled(value)
}

/// Whether a program puts something else in the place of the value, or of a part of it.
pub(crate) fn is_template(value: &[u8]) -> bool {
    const OPENING: [&[u8]; 6] = [b"${", b"$(", b"{{", b"%(", b"<%", b"%{"];
    let has = |text: &&[u8]| value.windows(text.len()).any(|part| part == *text);
    let is_name =
        |name: &[u8]| name.iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b'_').count() >= 3;
    let has_variable = value.windows(4).any(|part| part[0] == b'$' && is_name(&part[1..]));
    let is_variable = match value {
        [b'$', name @ ..] => name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'),
        // Of URLs, an escape begins so too.
        [b'%', high, low, ..] => !(high.is_ascii_hexdigit() && low.is_ascii_hexdigit()),
        [b'{' | b'(' | b'[' | b'*' | b'<' | b'%', ..] => true,
        _ => value.contains(&b'{') && value.contains(&b'}'),
    };
    is_variable || has_variable || OPENING.iter().any(has)
}

/// What a part of a URL says (RFC 3986, percent-encoding).
pub(crate) fn unescaped_url(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let escaped = match behind {
            [high, low, ..] if *first == b'%' => {
                digit(*high).zip(digit(*low)).and_then(|(high, low)| u8::try_from(high << 4 | low).ok())
            }
            _ => None,
        };
        out.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &behind[2..] } else { behind };
    }
    out
}

/// Base64 of either alphabet; blanks, line ends and their escapes are passed over.
pub(crate) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut have) = (0_u32, 0);
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        // Writers of JSON escape `+`, `/` and `=`, and line ends.
        let (byte, length) = match (numbered(rest), first, behind.first()) {
            (Some(escape), ..) => escape,
            (None, b'\\', Some(b'/')) => (b'/', 2),
            (None, b'\\', _) => (b' ', 2),
            _ => (*first, 1),
        };
        rest = rest.get(length..).unwrap_or_default();
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'\r' | b'\n' | b' ' | b'\t' => continue,
            b'=' => break,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        have += 6;
        if have >= 8 {
            have -= 8;
            out.push((bits >> have) as u8);
        }
    }
    Some(out)
}

/// Whether a length stands in front of the text: of a string in compiled Python (marshal), whose next
/// object follows without a gap. Types: `z Z` with one byte of length, `s t u a A` with four; the high bit
/// says that the object is referred to again.
///
/// `opens` says whether what stands before the text is no part of it: a letter and a sign of ordinary text look like a
/// length, too, and do so somewhere in any large program.
pub(crate) fn is_counted(window: &[u8], text: &Range<usize>, opens: bool) -> bool {
    let most = if opens { 256 } else { 2 };
    let short = (2..=most).any(|back| {
        let Some(at) = text.start.checked_sub(back) else { return false };
        let from = at + 2;
        matches!(window[at] & 0x7f, b'z' | b'Z') && from + usize::from(window[at + 1]) == text.end
    });
    short
        || text.start.checked_sub(5).is_some_and(|at| {
            let length = [window[at + 1], window[at + 2], window[at + 3], window[at + 4]];
            matches!(window[at] & 0x7f, b's' | b't' | b'u' | b'a' | b'A')
                && u32::from_le_bytes(length) as usize == text.len()
        })
}
