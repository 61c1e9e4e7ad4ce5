//! Text in UTF-16, as Windows writes it: registry exports, scripts, strings in programs.

use std::ops::Range;

/// Positions that are looked at are so far apart; a run of [`LEAST`] characters holds one of them.
const STEP: usize = 32;
/// Characters of a run, least: shorter ones hold no credential.
const LEAST: usize = 20;

/// Adds each run of ASCII in UTF-16 (either byte order) that has a character in this part of the window, as
/// the plain text that it is. `past` is where the last one ended.
pub(crate) fn find(window: &[u8], part: Range<usize>, past: &mut usize, texts: &mut Vec<Vec<u8>>) {
    let start = part.start;
    // What is behind the last whole block holds a run as well.
    for (index, block) in window[part].chunks(STEP).enumerate() {
        let word = block.first_chunk().copied().map_or(0, u64::from_le_bytes);
        let at = start + index * STEP;
        let first = match (is_plain(word), is_plain(word.swap_bytes())) {
            (false, false) => continue,
            (true, _) => at,
            (false, true) => at + 1,
        };
        if first < *past {
            continue;
        }
        let run = around(window, first, *past);
        *past = run.end;
        if run.len() >= 2 * LEAST {
            texts.push(window[run].iter().step_by(2).copied().collect());
        }
    }
}

/// Whether four units of 16 bits are each a character of ASCII other than NUL.
fn is_plain(word: u64) -> bool {
    let other = word & 0xff80_ff80_ff80_ff80;
    // Borrows into the highest bit of a unit that is zero.
    let zero = word.wrapping_sub(0x0001_0001_0001_0001) & 0x8000_8000_8000_8000;
    other | zero == 0
}

/// The run of characters that the one at `at` belongs to.
fn around(window: &[u8], at: usize, past: usize) -> Range<usize> {
    let plain = |at: usize| matches!(window.get(at..at + 2), Some([b'\t' | b'\n' | b'\r' | b' '..=b'~', 0]));
    if !plain(at) {
        return at..at;
    }
    let mut start = at;
    while start >= past + 2 && plain(start - 2) {
        start -= 2;
    }
    let mut end = at;
    while plain(end) {
        end += 2;
    }
    start..end
}
