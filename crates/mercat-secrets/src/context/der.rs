//! Private keys in DER (X.690). No words stand around them: the structure is what proves them.

use super::{REACH, Seen};
use std::ops::Range;

/// Bytes that one key is as work: its heads are read, not what they hold.
const LOOKED: usize = 96;
/// Bytes of a key, most: RSA of 16384 bits has 9 KiB.
const KEY_BYTES_MAX: usize = 16 << 10;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTETS: u8 = 0x04;
/// Octets in pieces, as BER allows.
const OCTETS_IN_PIECES: u8 = 0x24;
const NAME: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// Keys that nothing seals; the keyword begins with the version, with which each of them begins: PKCS #8
/// (RFC 5958) and curves' own (RFC 5915, SEC 1).
pub(crate) fn der_key(window: &[u8], at: usize) -> Seen {
    let nothing = Seen::nothing(LOOKED);
    let Some(whole) = sequence_around(window, at) else { return nothing };
    let end = window.len().min(whole.end);
    let Some((INTEGER, _, body)) = element(&window[at..end.min(at + REACH)]) else { return nothing };
    let is_key = match body.first() {
        Some(&SEQUENCE) => is_sealed_or_wrapped(body),
        Some(&OCTETS) => is_curve_key(body),
        // A file of its own: programs carry published ones for their self-tests.
        Some(&INTEGER) if whole.start == 0 => is_of_numbers(&window[at..end]),
        _ => false,
    };
    if is_key { Seen::of(LOOKED, whole.start..end) } else { nothing }
}

/// Keys that a password seals (RFC 5958, `EncryptedPrivateKeyInfo`), in files of their own, in the key bags
/// of PKCS #12 (RFC 7292) and in the entries of Java's key stores. Certificates in such files are sealed by
/// the same algorithms, but as content of PKCS #7, whose octets have another tag. The keyword is the name
/// of the algorithm, or the end of it.
pub(crate) fn sealed_der_key(window: &[u8], at: usize) -> Seen {
    /// How the names of RSA Laboratories begin: 1.2.840.113549.
    const RSA_LABORATORIES: [u8; 5] = [0x2a, 0x86, 0x48, 0x86, 0xf7];
    let nothing = Seen::nothing(LOOKED);
    let before = if window[..at].ends_with(&RSA_LABORATORIES) { RSA_LABORATORIES.len() } else { 0 };
    let name = at.checked_sub(before + 2).filter(|name| window[*name] == NAME);
    let Some(algorithm) = name.and_then(|name| sequence_around(window, name)) else { return nothing };
    let Some(whole) = sequence_around(window, algorithm.start) else { return nothing };
    let end = window.len().min(whole.end);
    let is_key = is_sealed_or_wrapped(&window[algorithm.start..end.min(algorithm.start + REACH)]);
    if is_key { Seen::of(LOOKED, whole.start..end) } else { nothing }
}

/// Keys of RSA as Windows has them (`PRIVATEKEYBLOB`, also in files of PVK that nothing seals): the head of a blob for
/// signatures or exchange, the keyword, bits, exponent, and the numbers.
pub(crate) fn blob_key(window: &[u8], at: usize) -> Seen {
    const HEADS: [[u8; 8]; 2] = [[7, 2, 0, 0, 0, 0x24, 0, 0], [7, 2, 0, 0, 0, 0xa4, 0, 0]];
    /// Keyword, bits and exponent.
    const FRONT: usize = 12;
    let nothing = Seen::nothing(LOOKED);
    let is_blob = HEADS.iter().any(|head| window[..at].ends_with(head));
    let Some(bits) = window.get(at + 4..at + 8).map(|bits| usize::from(bits[0]) | usize::from(bits[1]) << 8)
    else {
        return nothing;
    };
    // Half a byte more than one for each bit: the modulus, five numbers of half its length, and the private exponent.
    let end = at + FRONT + bits / 16 * 9;
    match window.get(at + FRONT..end) {
        Some(numbers) if is_blob && bits >= 512 && is_random(numbers) => Seen::of(LOOKED, at..end),
        _ => nothing,
    }
}

/// The secret key of an onion service (Tor, `hs_ed25519_secret_key`): the keyword, zeros up to 32 bytes, and 64 bytes.
pub(crate) fn onion_key(window: &[u8], at: usize) -> Seen {
    let key = window.get(at + 32..at + 96).filter(|key| is_random(key) && window[at + 29..at + 32] == [0; 3]);
    key.map_or(Seen::nothing(LOOKED), |_| Seen::of(LOOKED, at + 32..at + 96))
}

/// Whether these are the name of an algorithm and the octets of a key. Public keys and certificates have
/// such names too, but no octets behind them.
fn is_sealed_or_wrapped(body: &[u8]) -> bool {
    let Some((SEQUENCE, [NAME, ..], rest)) = element(body) else { return false };
    match element(rest) {
        Some((OCTETS | OCTETS_IN_PIECES, key, _)) => key.len() >= 22 && is_random(key),
        _ => false,
    }
}

/// Whether these are the numbers of a key of RSA (PKCS #1, RFC 8017 A.1.2), of which there are nine, or as OpenSSL writes
/// those of DSA, six.
fn is_of_numbers(content: &[u8]) -> bool {
    let (mut rest, mut count, mut last) = (content, 0, &content[..0]);
    while let Some((INTEGER, number, behind)) = element(rest) {
        (rest, count, last) = (behind, count + 1, number);
    }
    matches!(count, 6 | 9) && last.len() >= 20 && is_random(last)
}

/// Whether these are the octets of a curve's key, and behind them nothing, the name or numbers of the
/// curve, or the public key. Messages of SNMP begin as they do, and go on otherwise.
fn is_curve_key(body: &[u8]) -> bool {
    let Some((OCTETS, key, rest)) = element(body) else { return false };
    let goes_on = match element(rest) {
        None => rest.is_empty(),
        Some((tag, content, _)) => {
            matches!((tag, content.first()), (0xa0, Some(&(NAME | SEQUENCE))) | (0xa1, Some(&BIT_STRING)))
        }
    };
    (20..=66).contains(&key.len()) && is_random(key) && goes_on
}

/// The sequence whose content begins here. Lengths may have zeros in front, or be told by an end: readers
/// take all of them.
fn sequence_around(window: &[u8], content: usize) -> Option<Range<usize>> {
    (0..=4).find_map(|count| {
        let start = content.checked_sub(count + 2)?;
        let (tag, form) = (window[start], window[start + 1]);
        let length = match count {
            0 if form < 0x80 => usize::from(form),
            0 if form == 0x80 => REACH,
            1.. if usize::from(form) == 0x80 | count => number(&window[start + 2..content]),
            _ => return None,
        };
        (tag == SEQUENCE && length <= KEY_BYTES_MAX).then_some(start..content + length)
    })
}

/// The element that the bytes begin with: tag, as much of its content as is there, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, form, rest @ ..] = bytes else { return None };
    let (length, rest) = match form {
        0..=0x7f => (usize::from(*form), rest),
        0x80 => (rest.len(), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(form & 0x7f))?;
            (number(digits), rest)
        }
        _ => return None,
    };
    let (content, behind) = rest.split_at(length.min(rest.len()));
    Some((*tag, content, behind))
}

fn number(digits: &[u8]) -> usize {
    digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit))
}

/// Whether most of its last bytes differ from each other, as those of chance do.
fn is_random(key: &[u8]) -> bool {
    let tail = &key[key.len().saturating_sub(32)..];
    let mut kinds = [false; 256];
    tail.iter().for_each(|byte| kinds[usize::from(*byte)] = true);
    kinds.iter().filter(|kind| **kind).count() * 16 > tail.len() * 9
}
