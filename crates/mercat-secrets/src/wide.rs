//! Text in UTF-16, as Windows writes it: registry exports, scripts, strings in programs.

use std::ops::Range;

/// Positions that are looked at are so far apart; a run of [`LEAST`] characters holds one of them.
const STEP: usize = 32;
/// Characters of a run, least: shorter ones hold no credential.
const LEAST: usize = 20;
const LOW: u64 = 0x00ff_00ff_00ff_00ff;

/// Tells each run of ASCII in UTF-16 (either byte order) as the plain text that it is.
pub(crate) fn find(window: &[u8], mut text: impl FnMut(Vec<u8>)) {
    let mut past = 0;
    let (blocks, _) = window.as_chunks::<STEP>();
    for (index, block) in blocks.iter().enumerate() {
        let word = u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|at| block[at]));
        let at = index * STEP;
        let first = match word {
            0 => continue,
            _ if word & !LOW == 0 => at,
            _ if word & LOW == 0 => at + 1,
            _ => continue,
        };
        if first < past {
            continue;
        }
        let run = around(window, first, past);
        past = run.end;
        if run.len() >= 2 * LEAST {
            text(window[run].iter().step_by(2).copied().collect());
        }
    }
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
