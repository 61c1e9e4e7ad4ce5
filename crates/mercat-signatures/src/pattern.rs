//! One byte signature: what must stand where, with gaps and alternatives (the hexadecimal form of ClamAV's
//! signature files, "Body-based Signature Content Format"). All of it within [`SPAN_BYTES_MAX`].

use crate::{SPAN_BYTES_MAX, STEPS_MAX, TooManySteps};

/// Bytes of the fixed run that the filter is made of.
pub(crate) const ANCHOR_BYTES: usize = 11;
/// Fixed bytes that a signature must have in one run to be searched for at all.
pub(crate) const RUN_BYTES_MIN: usize = 4;
/// Least that a gap without a limit of its own must span to be of use.
const OPEN_GAP_BYTES_MIN: u64 = 1 << 10;
/// Why a pattern is not searched for, of which two windows could hold a half each.
const TOO_WIDE: &str =
    "parts that may lie further apart than the 65536 bytes that are searched together; shorten its gaps";
/// Bytes of one signature.
const ATOMS_MAX: usize = 16 << 10;
/// Gaps and alternatives of one signature: each may be a level of recursion.
const BRANCHES_MAX: usize = 32;

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Atom {
    /// A byte, under a mask.
    Byte(u8, u8),
    /// From so many to so many bytes of any kind.
    Gap(u32, u32),
    /// One of several runs of bytes.
    Either(Vec<Vec<u8>>),
}

/// A pattern, and the run by which it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) atoms: Vec<Atom>,
    /// First atom of the run.
    pub(crate) anchor: usize,
    /// Bytes of the run.
    pub(crate) anchor_bytes: usize,
}

impl Pattern {
    /// Reads the hexadecimal form: `41??4?{4-8}*(4142|4344)`.
    ///
    /// # Errors
    /// What is not understood.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut atoms = Vec::new();
        // Gaps whose maker set no limit: they share what the others leave.
        let mut open = Vec::new();
        let mut rest = text.as_bytes();
        while let Some(first) = rest.first() {
            if atoms.len() > ATOMS_MAX {
                return Err("longer than 16384 parts");
            }
            rest = match first {
                b'*' => {
                    open.push(atoms.len());
                    atoms.push(Atom::Gap(0, 0));
                    &rest[1..]
                }
                b'{' => gap(rest, &mut atoms, &mut open)?,
                b'(' => either(rest, &mut atoms)?,
                b'!' | b'[' => return Err("negated alternatives and bracketed gaps are not read"),
                _ => {
                    let pair = rest.get(..2).ok_or("an odd number of hexadecimal digits")?;
                    let (high, high_mask) = nibble(pair[0])?;
                    let (low, low_mask) = nibble(pair[1])?;
                    atoms.push(Atom::Byte(high << 4 | low, high_mask << 4 | low_mask));
                    &rest[2..]
                }
            };
        }
        let branches = atoms.iter().filter(|atom| !matches!(atom, Atom::Byte(..))).count();
        if branches > BRANCHES_MAX {
            return Err("more than 32 gaps and alternatives");
        }
        bound(&mut atoms, &open)?;
        let (anchor, anchor_bytes) = best_run(&atoms).ok_or("no run of 4 fixed bytes")?;
        Ok(Self { atoms, anchor, anchor_bytes })
    }

    /// The bytes of the run by which it is found.
    pub(crate) fn anchor(&self) -> Vec<u8> {
        let run = &self.atoms[self.anchor..self.anchor + self.anchor_bytes];
        run.iter().map(|atom| if let Atom::Byte(value, _) = atom { *value } else { 0 }).collect()
    }
}

/// Where a pattern whose run stands at `at` begins in `bytes`.
pub(crate) fn matches_at(
    pattern: &Pattern,
    bytes: &[u8],
    at: usize,
    steps: &mut u64,
) -> Result<Option<usize>, TooManySteps> {
    let after = pattern.anchor + pattern.anchor_bytes;
    let run = &pattern.atoms[pattern.anchor..after];
    let Some(found) = bytes.get(at..at + run.len()) else { return Ok(None) };
    *steps += 1;
    let same =
        run.iter().zip(found).all(|(atom, byte)| matches!(atom, Atom::Byte(value, _) if value == byte));
    if !same || !forward(&pattern.atoms[after..], &bytes[at + run.len()..], steps)? {
        return Ok(None);
    }
    backward(&pattern.atoms[..pattern.anchor], &bytes[..at], steps)
}

fn spend(steps: &mut u64) -> Result<(), TooManySteps> {
    *steps += 1;
    if *steps > STEPS_MAX { Err(TooManySteps) } else { Ok(()) }
}

/// Whether `atoms` match from the beginning of `bytes`. Every length of every gap is tried.
fn forward(atoms: &[Atom], bytes: &[u8], steps: &mut u64) -> Result<bool, TooManySteps> {
    let mut at = 0;
    for (place, atom) in atoms.iter().enumerate() {
        spend(steps)?;
        let rest = &atoms[place + 1..];
        match atom {
            Atom::Byte(value, mask) => match bytes.get(at) {
                Some(byte) if byte & mask == *value => at += 1,
                _ => return Ok(false),
            },
            Atom::Either(runs) => {
                for run in runs {
                    if bytes[at..].starts_with(run) && forward(rest, &bytes[at + run.len()..], steps)? {
                        return Ok(true);
                    }
                }
                return Ok(false);
            }
            Atom::Gap(least, most) => {
                for skip in *least as usize..=*most as usize {
                    let Some(from) = bytes.get(at + skip..) else { return Ok(false) };
                    if forward(rest, from, steps)? {
                        return Ok(true);
                    }
                }
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Where `atoms` begin when they end at the end of `bytes`.
fn backward(atoms: &[Atom], bytes: &[u8], steps: &mut u64) -> Result<Option<usize>, TooManySteps> {
    let mut end = bytes.len();
    for (place, atom) in atoms.iter().enumerate().rev() {
        spend(steps)?;
        let before = &atoms[..place];
        match atom {
            Atom::Byte(value, mask) => match bytes[..end].last() {
                Some(byte) if byte & mask == *value => end -= 1,
                _ => return Ok(None),
            },
            Atom::Either(runs) => {
                for run in runs {
                    if let Some(rest) = bytes[..end].strip_suffix(run.as_slice())
                        && let Some(at) = backward(before, rest, steps)?
                    {
                        return Ok(Some(at));
                    }
                }
                return Ok(None);
            }
            Atom::Gap(least, most) => {
                for skip in *least as usize..=*most as usize {
                    let Some(end) = end.checked_sub(skip) else { return Ok(None) };
                    if let Some(at) = backward(before, &bytes[..end], steps)? {
                        return Ok(Some(at));
                    }
                }
                return Ok(None);
            }
        }
    }
    Ok(Some(end))
}

fn nibble(digit: u8) -> Result<(u8, u8), &'static str> {
    match digit {
        b'?' => Ok((0, 0)),
        digit => {
            let value = char::from(digit).to_digit(16).ok_or("something that is no hexadecimal digit")?;
            Ok((value as u8, 0xf))
        }
    }
}

/// Most bytes that a match of an atom may take.
fn span(atom: &Atom) -> u64 {
    match atom {
        Atom::Byte(..) => 1,
        Atom::Gap(_, most) => u64::from(*most),
        Atom::Either(runs) => runs.iter().map(Vec::len).max().unwrap_or(0) as u64,
    }
}

/// Sets the limits of open gaps so that a match as a whole never spans more than [`SPAN_BYTES_MAX`].
fn bound(atoms: &mut [Atom], open: &[usize]) -> Result<(), &'static str> {
    let fixed: u64 = atoms.iter().map(span).sum();
    let left = (SPAN_BYTES_MAX as u64).checked_sub(fixed).ok_or(TOO_WIDE)?;
    let Some(share) = left.checked_div(open.len() as u64) else { return Ok(()) };
    if share < OPEN_GAP_BYTES_MIN {
        return Err(TOO_WIDE);
    }
    for at in open {
        if let Some(Atom::Gap(_, most)) = atoms.get_mut(*at) {
            *most += share as u32;
        }
    }
    Ok(())
}

fn gap<'t>(rest: &'t [u8], atoms: &mut Vec<Atom>, open: &mut Vec<usize>) -> Result<&'t [u8], &'static str> {
    let end = rest.iter().position(|byte| *byte == b'}').ok_or("a gap without end")?;
    let inside = std::str::from_utf8(&rest[1..end]).map_err(|_| "a gap that is no number")?;
    let number = |text: &str, absent: u32| match text {
        "" => Ok(absent),
        text => text.parse::<u32>().map_err(|_| "a gap that is no number"),
    };
    let (least, most) = match inside.split_once('-') {
        Some((least, "")) => {
            open.push(atoms.len());
            (number(least, 0)?, number(least, 0)?)
        }
        Some((least, most)) => (number(least, 0)?, number(most, 0)?),
        None => (number(inside, 0)?, number(inside, 0)?),
    };
    if least > most {
        return Err("a gap that ends before it begins");
    }
    atoms.push(Atom::Gap(least, most));
    Ok(&rest[end + 1..])
}

fn either<'t>(rest: &'t [u8], atoms: &mut Vec<Atom>) -> Result<&'t [u8], &'static str> {
    let end = rest.iter().position(|byte| *byte == b')').ok_or("alternatives without end")?;
    let inside = std::str::from_utf8(&rest[1..end]).map_err(|_| "alternatives that are no text")?;
    let runs = inside.split('|').map(|run| unhex(run).ok_or("alternatives that are not plain bytes"));
    let runs = runs.collect::<Result<Vec<_>, _>>()?;
    if runs.iter().any(Vec::is_empty) {
        return Err("an empty alternative");
    }
    atoms.push(Atom::Either(runs));
    Ok(&rest[end + 1..])
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// The run of fixed bytes that is rarest in files: [`ANCHOR_BYTES`] of them where there are so many.
fn best_run(atoms: &[Atom]) -> Option<(usize, usize)> {
    let fixed = |atom: &Atom| matches!(atom, Atom::Byte(_, 0xff));
    let mut best: Option<(u32, usize, usize)> = None;
    let mut at = 0;
    while at < atoms.len() {
        let length = atoms[at..].iter().take_while(|atom| fixed(atom)).count();
        let width = length.min(ANCHOR_BYTES);
        if width >= RUN_BYTES_MIN {
            for start in at..=at + length - width {
                let rarity = rarity(&atoms[start..start + width]) + width as u32 * 1000;
                if best.is_none_or(|(known, ..)| rarity > known) {
                    best = Some((rarity, start, width));
                }
            }
        }
        at += length.max(1);
    }
    best.map(|(_, start, width)| (start, width))
}

/// How rare the commonest four neighbours of a run are: bytes that fill files, and letters, count little.
fn rarity(run: &[Atom]) -> u32 {
    let weight = |atom: &Atom| match atom {
        Atom::Byte(0x00 | 0xff | 0x20 | 0x90 | 0xcc, _) => 0,
        Atom::Byte(byte, _) if byte.is_ascii_lowercase() => 2,
        Atom::Byte(byte, _) if byte.is_ascii_alphanumeric() => 3,
        Atom::Byte(0x48 | 0x8b | 0x89 | 0x0f | 0x01 | 0x24, _) => 3,
        _ => 6,
    };
    let four = |window: &[Atom]| {
        let same = window.iter().all(|atom| *atom == window[0]);
        if same { 0 } else { window.iter().map(weight).sum::<u32>() }
    };
    run.windows(4).map(four).min().unwrap_or(0)
}
