//! An object that is written as a change of another.

use super::OBJECT_BYTES_MAX;
use crate::ReadError;
use std::ops::Range;

/// Bytes around what is new that are shown with it: what it is the value of, and what it is in.
const AROUND_BYTES: usize = 512;

/// An object, put together.
pub(super) struct Changed {
    pub(super) content: Vec<u8>,
    /// What the base does not have in this order: bytes that are new, and places where its parts meet.
    new: Vec<Range<usize>>,
}

impl Changed {
    /// What is new, with what surrounds it; parts that do not meet are in lines of their own.
    pub(super) fn new_parts(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut end = None;
        for part in &self.new {
            let from = part.start.saturating_sub(AROUND_BYTES);
            let to = self.content.len().min(part.end + AROUND_BYTES);
            let from = match end {
                Some(end) if from <= end => end,
                Some(_) => {
                    out.push(b'\n');
                    from
                }
                None => from,
            };
            out.extend_from_slice(&self.content[from..to.max(from)]);
            end = Some(to.max(from));
        }
        out
    }
}

/// Puts an object together from the base and a change of it; nothing where it is too large.
pub(super) fn applied(base: &[u8], change: &[u8], start: u64) -> Result<Option<Changed>, ReadError> {
    let bad = |what: &str| ReadError::refused("GIT-03", start, what);
    let mut rest = change;
    let of_base = number(&mut rest).ok_or_else(|| bad("a change without the size of its base"))?;
    let size = number(&mut rest).ok_or_else(|| bad("a change without a size"))?;
    if of_base != base.len() as u64 {
        return Err(bad("a change of an object of another size"));
    }
    if size > OBJECT_BYTES_MAX {
        return Ok(None);
    }
    let size = usize::try_from(size).map_err(|_| bad("a change to more bytes than there can be"))?;
    let mut content = Vec::new();
    let mut new: Vec<Range<usize>> = Vec::new();
    while let [first, behind @ ..] = rest {
        rest = behind;
        let at = content.len();
        let (bytes, is_new) = match *first {
            0 => return Err(bad("a change with an instruction that there is not")),
            first if first & 0x80 != 0 => {
                let mut next = |bit: u8| match first >> bit & 1 {
                    0 => Some(0),
                    _ => {
                        let [byte, behind @ ..] = rest else { return None };
                        rest = behind;
                        Some(usize::from(*byte))
                    }
                };
                let mut word = |bits: Range<u8>| {
                    bits.clone().try_fold(0, |word, bit| Some(word | next(bit)? << (8 * (bit - bits.start))))
                };
                let place = word(0..4).ok_or_else(|| bad("a change that ends inside of an instruction"))?;
                let count = word(4..7).ok_or_else(|| bad("a change that ends inside of an instruction"))?;
                let count = if count == 0 { 0x1_0000 } else { count };
                let part = base.get(place..place.saturating_add(count));
                (part.ok_or_else(|| bad("a change that copies what its base does not have"))?, false)
            }
            first => {
                let part = rest.split_at_checked(usize::from(first));
                let (part, behind) =
                    part.ok_or_else(|| bad("a change that ends inside of an instruction"))?;
                rest = behind;
                (part, true)
            }
        };
        if bytes.len() > size - at {
            return Err(bad("a change to more bytes than it says"));
        }
        content.extend_from_slice(bytes);
        let part = if is_new { at..content.len() } else { at..at };
        match new.last_mut() {
            Some(last) if last.end == part.start => last.end = part.end,
            _ => new.push(part),
        }
    }
    if content.len() != size {
        return Err(bad("a change to fewer bytes than it says"));
    }
    Ok(Some(Changed { content, new }))
}

/// A number of seven bits a byte, the lowest first.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..63).step_by(7) {
        let [byte, behind @ ..] = *bytes else { return None };
        *bytes = behind;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
