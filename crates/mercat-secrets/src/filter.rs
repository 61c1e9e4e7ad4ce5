//! The first look at every byte: where could a keyword begin?
//!
//! Of each keyword four bytes in a row are chosen, the rarest. Any three positions in a row hold one that
//! is looked at, so of four bytes one of the three pairs is seen: a table of 65,536 bits says whether a pair
//! belongs to a keyword. Where it does, a second table is asked about the four bytes around it, and only
//! then the keywords themselves are compared.

use std::collections::HashMap;

/// Bytes of a keyword that the tables know.
const GRAM: usize = 4;
const STEP: usize = 3;
/// Positions that are looked at together.
const BLOCK: usize = 36;

/// A keyword, and whether all of it may also be in lower or in upper case. Other mixtures may be missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keyword {
    pub(crate) text: &'static [u8],
    pub(crate) folded: bool,
}

pub(crate) struct Filter {
    /// One bit a pair of bytes.
    pairs: Box<[u64; 1024]>,
    /// One bit a hash of four folded bytes.
    grams: Box<[u64; 1024]>,
    /// Folded four bytes to keywords and where in the keyword they stand.
    needles: HashMap<u32, Vec<(u16, u8)>>,
    keywords: Vec<Keyword>,
}

impl Filter {
    pub(crate) fn new(keywords: Vec<Keyword>) -> Self {
        let mut pairs = Box::new([0; 1024]);
        let mut grams = Box::new([0; 1024]);
        let mut needles: HashMap<u32, Vec<(u16, u8)>> = HashMap::new();
        for (index, keyword) in keywords.iter().enumerate() {
            let at = rarest(keyword, &pairs);
            let gram = &keyword.text[at..at + GRAM];
            for written in written(gram, keyword.folded) {
                for pair in written.windows(2) {
                    set(&mut pairs, u16::from_le_bytes([pair[0], pair[1]]));
                }
            }
            let key = fold([gram[0], gram[1], gram[2], gram[3]]);
            set(&mut grams, hash(key));
            let entry = (u16::try_from(index).expect("few keywords"), u8::try_from(at).expect("short"));
            needles.entry(key).or_default().push(entry);
        }
        Self { pairs, grams, needles, keywords }
    }

    /// Tells each place where a keyword stands, in order of place: index of the keyword, first byte.
    pub(crate) fn find(&self, window: &[u8], mut hit: impl FnMut(usize, usize)) {
        let pair = |word: u64, shift: u32| {
            let pair = (word >> shift) as u16;
            self.pairs[usize::from(pair >> 6)] >> (pair & 63) & 1
        };
        let (blocks, _) = window.as_chunks::<BLOCK>();
        for (index, block) in blocks.iter().enumerate() {
            // A word of eight bytes holds three of the positions: 0, 3 and 6 from its beginning.
            let word = |at: usize| {
                let bytes = [0, 1, 2, 3, 4, 5, 6, 7].map(|byte| block[at + byte]);
                u64::from_le_bytes(bytes)
            };
            let mut found = 0;
            for at in [0, 9, 18, 27] {
                let word = word(at);
                found = found << 3 | pair(word, 0) << 2 | pair(word, 24) << 1 | pair(word, 48);
            }
            while found != 0 {
                let high = 63 - found.leading_zeros();
                found ^= 1 << high;
                self.near(window, index * BLOCK + STEP * (11 - high as usize), &mut hit);
            }
        }
        let tail = blocks.len() * BLOCK;
        for at in (tail..window.len()).step_by(STEP) {
            self.near(window, at, &mut hit);
        }
    }

    /// Looks at the four bytes that the pair at `at` may be the first, second or third of.
    #[inline]
    fn near(&self, window: &[u8], at: usize, hit: &mut impl FnMut(usize, usize)) {
        for start in at.saturating_sub(2)..=at {
            let Some(&[a, b, c, d]) = window.get(start..start + GRAM).and_then(|gram| gram.first_chunk())
            else {
                continue;
            };
            let key = fold([a, b, c, d]);
            let bit = hash(key);
            if self.grams[usize::from(bit >> 6)] >> (bit & 63) & 1 == 1 {
                self.compare(window, start, key, hit);
            }
        }
    }

    fn compare(&self, window: &[u8], start: usize, key: u32, hit: &mut impl FnMut(usize, usize)) {
        for (index, offset) in self.needles.get(&key).into_iter().flatten() {
            let keyword = self.keywords[usize::from(*index)];
            let Some(from) = start.checked_sub(usize::from(*offset)) else { continue };
            let Some(found) = window.get(from..from + keyword.text.len()) else { continue };
            let same =
                if keyword.folded { found.eq_ignore_ascii_case(keyword.text) } else { found == keyword.text };
            if same {
                hit(usize::from(*index), from);
            }
        }
    }
}

fn set(table: &mut [u64; 1024], bit: u16) {
    table[usize::from(bit >> 6)] |= 1 << (bit & 63);
}

fn fold(gram: [u8; 4]) -> u32 {
    u32::from_le_bytes(gram) | 0x2020_2020
}

fn hash(key: u32) -> u16 {
    (key.wrapping_mul(0x9e37_79b1) >> 16) as u16
}

/// As it is written, and, where case does not matter, in lower and in upper case.
fn written(gram: &[u8], folded: bool) -> Vec<Vec<u8>> {
    match folded {
        true => vec![gram.to_vec(), gram.to_ascii_lowercase(), gram.to_ascii_uppercase()],
        false => vec![gram.to_vec()],
    }
}

/// Where the four bytes begin that the least text has and that others have already put into the table, by
/// how common their pairs are.
fn rarest(keyword: &Keyword, pairs: &[u64; 1024]) -> usize {
    let cost = |at: &usize| -> u32 {
        let grams = written(&keyword.text[*at..*at + GRAM], keyword.folded);
        let all = grams.iter().flat_map(|gram| gram.windows(2));
        let new = all.filter(|pair| {
            let bit = u16::from_le_bytes([pair[0], pair[1]]);
            pairs[usize::from(bit >> 6)] >> (bit & 63) & 1 == 0
        });
        new.map(|pair| commonness(pair[0]) * commonness(pair[1])).sum()
    };
    (0..=keyword.text.len() - GRAM).min_by_key(cost).expect("keywords have four bytes or more")
}

/// How often a byte stands in programs and text, roughly.
fn commonness(byte: u8) -> u32 {
    match byte {
        b'e' | b't' | b'a' | b'i' | b'n' | b'o' | b's' | b'r' | b' ' => 12,
        b'l' | b'c' | b'd' | b'u' | b'm' | b'p' => 8,
        b'_' | b'f' | b'g' | b'h' | b'/' => 6,
        b'b' | b'v' | b'y' | b'k' | b'w' | b'.' | b'-' | b':' | b'=' => 4,
        b'A'..=b'Z' | b'0'..=b'9' => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEYWORDS: [Keyword; 4] = [
        Keyword { text: b"ghp_", folded: false },
        Keyword { text: b"aws_secret_access_key", folded: true },
        Keyword { text: b"ghp_x", folded: false },
        Keyword { text: b"s://", folded: false },
    ];

    fn slowly(window: &[u8]) -> Vec<(usize, usize)> {
        let mut out = Vec::new();
        for (index, keyword) in KEYWORDS.iter().enumerate() {
            for (at, found) in window.windows(keyword.text.len()).enumerate() {
                let same =
                    found == keyword.text || keyword.folded && found.eq_ignore_ascii_case(keyword.text);
                if same {
                    out.push((index, at));
                }
            }
        }
        out.sort_unstable();
        out
    }

    proptest! {
        #[test]
        fn it_finds_what_a_slow_search_finds(
            parts in proptest::collection::vec((0_usize..6, proptest::collection::vec(any::<u8>(), 0..40)), 0..12),
        ) {
            let mut window = Vec::new();
            for (keyword, filler) in parts {
                let text = KEYWORDS.get(keyword).map_or(&b"gh"[..], |keyword| keyword.text);
                window.extend(if filler.len() % 2 == 0 { text.to_vec() } else { text.to_ascii_uppercase() });
                window.extend(filler);
            }
            let mut found = Vec::new();
            Filter::new(KEYWORDS.to_vec()).find(&window, |index, at| found.push((index, at)));
            found.sort_unstable();
            prop_assert_eq!(found, slowly(&window));
        }
    }
}
