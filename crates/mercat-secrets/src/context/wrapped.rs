//! Text that is written in another way than its own: what it says is read in its turn.

use super::{Seen, padded, run, run_back};
use crate::shape;
use std::io::Read;

/// Bytes of what is wrapped, most.
pub(super) const WRAPPED: usize = 16 << 10;
/// Bytes of what is unpacked, most.
const UNPACKED: u64 = 32 << 10;
/// Escapes in a row that are no coincidence.
const ESCAPES_LEAST: usize = 4;

/// A whole file in base64: what is in it is read in its turn.
pub(crate) fn in_base64(window: &[u8], at: usize) -> Seen {
    let end = run(window, at, WRAPPED, |byte| padded(byte) || matches!(byte, b'\r' | b'\n' | b'\\'));
    // The group of four in which the keyword begins.
    let start = match window[at] {
        b'0' => at.checked_sub(2),
        b't' => at.checked_sub(3),
        _ => Some(at),
    };
    let inner = start.and_then(|start| shape::base64(&window[start..end]));
    Seen { looked: end - at, secret: None, inner }
}

/// A compressed file in base64 (gzip, RFC 1952), as cloud-init takes files (`gz+b64`) and Helm keeps what it installed; what
/// is cut off or damaged is read as far as it goes.
pub(crate) fn in_gzip(window: &[u8], at: usize) -> Seen {
    // Elsewhere in what is encoded it begins nothing; behind `\n` it does.
    let is_behind =
        at > 0 && padded(window[at - 1]) && window[at - 1] != b'=' && !window[..at].ends_with(b"\\n");
    if is_behind {
        return Seen::nothing(8);
    }
    // Lines may be indented.
    let rest = &window[at..window.len().min(at + WRAPPED)];
    let is_blank = |byte: u8| matches!(byte, b'\r' | b'\n' | b' ' | b'\t');
    let length = run(rest, 0, rest.len(), |byte| padded(byte) || is_blank(byte) || byte == b'\\');
    let unpacked = shape::base64(&rest[..length]).map(|packed| {
        let mut unpacked = Vec::new();
        let mut all = flate2::bufread::MultiGzDecoder::new(&packed[..]).take(UNPACKED);
        let _ = all.read_to_end(&mut unpacked);
        unpacked
    });
    Seen { looked: length, secret: None, inner: unpacked }
}

/// A key as part of a URL (RFC 3986). The keyword is the end of its first line.
pub(crate) fn in_percent(window: &[u8], at: usize) -> Seen {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"%+-_.~/=".contains(&byte);
    let start = run_back(window, at, 96, is_part);
    let end = run(window, at, WRAPPED, is_part);
    Seen { looked: end - start, secret: None, inner: Some(shape::unescaped_url(&window[start..end])) }
}

/// Bytes of a key in front of the name of its algorithm.
const HEAD_BYTES: usize = 32;

/// A whole file in hexadecimal digits, from where they begin.
pub(crate) fn in_hexadecimal(window: &[u8], at: usize) -> Seen {
    let before = at - run_back(window, at, 2 * HEAD_BYTES, |byte| byte.is_ascii_hexdigit());
    let start = at - before / 2 * 2;
    let end = run(window, at, 2 * WRAPPED, |byte| byte.is_ascii_hexdigit());
    let (pairs, _) = window[start..end].as_chunks::<2>();
    Seen { looked: end - start, secret: None, inner: Some(pairs.iter().filter_map(byte).collect()) }
}

/// Text of which each character is four bytes, in either order: three zeros are between two characters.
pub(crate) fn in_utf_32(window: &[u8], at: usize) -> Seen {
    let (characters, _) = window[at..window.len().min(at + 4 * WRAPPED)].as_chunks::<4>();
    let plain = characters.iter().take_while(|[first, zeros @ ..]| first.is_ascii() && *zeros == [0; 3]);
    let inner: Vec<u8> = plain.map(|character| character[0]).collect();
    Seen { looked: 4 * inner.len() + 4, secret: None, inner: Some(inner) }
}

/// Text in escapes of JSON (RFC 8259) or of languages, `\u002d` or `\x2d`: from several of them in a row to
/// the end of the string.
pub(crate) fn in_escapes(window: &[u8], at: usize) -> Seen {
    let rest = &window[at..window.len().min(at + WRAPPED)];
    let mut row = 0;
    let mut from = 0;
    while let Some((b' '..=b'~', length)) = numbered(&rest[from..]) {
        row += 1;
        from += length;
        if row == ESCAPES_LEAST {
            let (inner, looked) = unescaped(rest);
            return Seen { looked, secret: None, inner: Some(inner) };
        }
    }
    Seen::nothing(from + 8)
}

/// What a string says, to its end, and its length as it is written.
fn unescaped(text: &[u8]) -> (Vec<u8>, usize) {
    let mut out = Vec::new();
    let mut at = 0;
    let goes_on = |byte: &&u8| matches!(byte, b' ' | b'!' | b'#'..=b'~' | b'\r' | b'\n' | b'\t');
    while let Some(next) = text.get(at).filter(goes_on) {
        let (says, length) = match (next, text.get(at + 1)) {
            (b'\\', Some(escaped)) => numbered(&text[at..]).unwrap_or(match escaped {
                b'n' => (b'\n', 2),
                b'r' => (b'\r', 2),
                b't' => (b'\t', 2),
                other => (*other, 2),
            }),
            _ => (*next, 1),
        };
        out.push(says);
        at += length;
    }
    (out, at)
}

/// The character below 256 whose number is escaped here, and the length of the escape.
pub(crate) fn numbered(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'\\', b'u', b'0', b'0', high, low, ..] => Some((byte(&[*high, *low])?, 6)),
        [b'\\', b'x', high, low, ..] => Some((byte(&[*high, *low])?, 4)),
        _ => None,
    }
}

/// The byte that two hexadecimal digits stand for.
fn byte(digits: &[u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? << 4 | low?).ok()
}
