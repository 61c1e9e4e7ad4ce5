//! The first look at every byte: where could a keyword begin?
//!
//! Most keywords hold a sign that programs and text seldom have: `_`, `-`, `:`, `.` or `=`. Those signs are found
//! with vector instructions (`memchr`), and the four bytes around each are asked of a table of bits. Of the
//! other keywords the four rarest bytes are looked for together (`aho_corasick::packed`, the Teddy
//! algorithm). Only then the keywords themselves are compared.

use aho_corasick::{AhoCorasick, Span, packed};
use std::ops::Range;

/// Bytes of a keyword that are looked for.
const GRAM: usize = 4;
/// Keywords that are looked for together, most: of more, too much text is like one of them.
const TOGETHER_MAX: usize = 96;
/// Signs that are looked for together, the best first, and those of keywords that have none of them.
const SIGNS: [u8; 3] = [b'_', b'-', b':'];
const MORE_SIGNS: [u8; 2] = [b'.', b'='];

/// A keyword, and whether all of it may also be in lower or in upper case. Other mixtures may be missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keyword {
    pub(crate) text: &'static [u8],
    pub(crate) folded: bool,
}

/// A keyword that four bytes may belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Needle {
    keyword: usize,
    /// Where in the keyword the four begin.
    at: usize,
    /// Where in the four the sign stands that they are found by.
    place: usize,
}

/// Keywords by four of their bytes, upper and lower case the same.
struct Grams {
    /// One bit a hash of the four.
    bits: Box<[u64; 1024]>,
    /// The four with what they may belong to, sorted.
    needles: Vec<(u32, Vec<Needle>)>,
    /// Whether the sign is anywhere the first, second, third or last of the four.
    places: [bool; GRAM],
}

impl Grams {
    fn new() -> Self {
        Self { bits: Box::new([0; 1024]), needles: Vec::new(), places: [false; GRAM] }
    }

    fn add(&mut self, needle: Needle, text: &[u8]) {
        let Needle { at, place, .. } = needle;
        let key = fold([text[at], text[at + 1], text[at + 2], text[at + 3]]);
        let bit = hash(key);
        self.bits[usize::from(bit >> 6)] |= 1 << (bit & 63);
        self.places[place] = true;
        match self.needles.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(known) => self.needles[known].1.push(needle),
            Err(place) => self.needles.insert(place, (key, vec![needle])),
        }
    }

    /// Whether the table has four bytes.
    #[inline]
    fn has(&self, key: u32) -> bool {
        let bit = hash(key);
        self.bits[usize::from(bit >> 6)] >> (bit & 63) & 1 != 0
    }

    /// Whether the table has any four of eight bytes that hold the sign, which is the fourth of them.
    #[inline]
    fn may_be_around(&self, near: u64) -> bool {
        let near = near | u64::from(FOLDED) << 32 | u64::from(FOLDED);
        let key = |from: u32| (near >> (8 * from)) as u32;
        self.has(key(0)) | self.has(key(1)) | self.has(key(2)) | self.has(key(3))
    }

    /// The keywords that the four bytes at `start` may belong to.
    #[inline]
    fn at(&self, window: &[u8], start: usize) -> &[Needle] {
        let Some(gram) = window.get(start..).and_then(|rest| rest.first_chunk::<GRAM>()) else { return &[] };
        let key = fold(*gram);
        if !self.has(key) {
            return &[];
        }
        let found = self.needles.binary_search_by_key(&key, |(key, _)| *key);
        found.map_or(&[], |found| &self.needles[found].1)
    }
}

/// Keywords without a sign that are looked for together.
struct Others {
    grams: Grams,
    search: Search,
}

/// What looks for four bytes in a row.
enum Search {
    Packed(packed::Searcher),
    /// Where the machine has no vector instructions for it.
    Automaton(AhoCorasick),
}

impl Others {
    /// Keywords by their number.
    fn new(keywords: &[(usize, Keyword)]) -> Self {
        let mut grams = Grams::new();
        let mut texts: Vec<Vec<u8>> = Vec::new();
        for (number, keyword) in keywords {
            let at = rarest(keyword.text);
            grams.add(Needle { keyword: *number, at, place: 0 }, keyword.text);
            texts.extend(written(&keyword.text[at..at + GRAM], keyword.folded));
        }
        texts.sort_unstable();
        texts.dedup();
        let packed = packed::Config::new().heuristic_pattern_limits(false).builder().extend(&texts).build();
        let search = match packed {
            Some(searcher) => Search::Packed(searcher),
            None => Search::Automaton(AhoCorasick::new(&texts).expect("the built-in keywords build")),
        };
        Self { grams, search }
    }

    fn find(&self, window: &[u8], span: Range<usize>) -> Option<usize> {
        let span = Span::from(span);
        let found = match &self.search {
            Search::Packed(searcher) => searcher.find_in(window, span),
            Search::Automaton(automaton) => automaton.find(aho_corasick::Input::new(window).span(span)),
        };
        found.map(|found| found.start())
    }
}

pub(crate) struct Filter {
    signs: Grams,
    more_signs: Grams,
    others: Vec<Others>,
    keywords: Vec<Keyword>,
}

impl Filter {
    pub(crate) fn new(keywords: Vec<Keyword>) -> Self {
        let (mut signs, mut more_signs, mut others) = (Grams::new(), Grams::new(), Vec::new());
        for (number, keyword) in keywords.iter().enumerate() {
            let first = |signs: &[u8]| signs.iter().find_map(|sign| sign_at(keyword.text, *sign));
            let needle = |(at, place): (usize, usize)| Needle { keyword: number, at, place };
            match (first(&SIGNS), first(&MORE_SIGNS)) {
                (Some(found), _) => signs.add(needle(found), keyword.text),
                (None, Some(found)) => more_signs.add(needle(found), keyword.text),
                (None, None) => others.push((number, *keyword)),
            }
        }
        // Those that are alike together: what is like none of them is passed over fastest.
        others.sort_by_key(|(_, Keyword { text, .. })| text[rarest(text)..][..GRAM].to_vec());
        let parts = others.len().div_ceil(TOGETHER_MAX).max(1);
        let others = others.chunks(others.len().div_ceil(parts).max(1)).map(Others::new).collect();
        Self { signs, more_signs, others, keywords }
    }

    /// Tells each place in a part of the window where a keyword stands: index of the keyword, first byte. A
    /// keyword belongs to the part that its four bytes begin in or their sign stands in, and may reach out
    /// of it. Of one keyword, in order of place.
    pub(crate) fn find(&self, window: &[u8], part: Range<usize>, mut hit: impl FnMut(usize, usize)) {
        let [first, second, third] = SIGNS;
        for at in memchr::memchr3_iter(first, second, third, &window[part.clone()]) {
            self.around(&self.signs, window, part.start + at, &mut hit);
        }
        let [first, second] = MORE_SIGNS;
        for at in memchr::memchr2_iter(first, second, &window[part.clone()]) {
            self.around(&self.more_signs, window, part.start + at, &mut hit);
        }
        let end = window.len().min(part.end + GRAM - 1);
        for others in &self.others {
            let mut from = part.start;
            while from + GRAM <= end {
                let Some(found) = others.find(window, from..end) else { break };
                for needle in others.grams.at(window, found) {
                    self.compare(window, found, *needle, &mut hit);
                }
                // Others may begin inside it.
                from = found + 1;
            }
        }
    }

    /// The keywords that a sign may belong to.
    fn around(&self, grams: &Grams, window: &[u8], at: usize, hit: &mut impl FnMut(usize, usize)) {
        // All of its fours are asked at once where nothing ends near it.
        let near = at.checked_sub(GRAM - 1).and_then(|from| window.get(from..)?.first_chunk());
        if near.is_some_and(|near| !grams.may_be_around(u64::from_le_bytes(*near))) {
            return;
        }
        for place in (0..GRAM).filter(|place| grams.places[*place]) {
            if let Some(start) = at.checked_sub(place) {
                // Another sign may stand in the same four; each keyword goes by one of them.
                for needle in grams.at(window, start).iter().filter(|needle| needle.place == place) {
                    self.compare(window, start, *needle, hit);
                }
            }
        }
    }

    fn compare(
        &self,
        window: &[u8],
        start: usize,
        Needle { keyword: number, at, .. }: Needle,
        hit: &mut impl FnMut(usize, usize),
    ) {
        let keyword = self.keywords[number];
        let Some(from) = start.checked_sub(at) else { return };
        let Some(found) = window.get(from..from + keyword.text.len()) else { return };
        let same =
            if keyword.folded { found.eq_ignore_ascii_case(keyword.text) } else { found == keyword.text };
        if same {
            hit(number, from);
        }
    }
}

/// Four bytes of the keyword that hold the sign: where they begin, and where in them the sign stands. Best
/// is at their end or beginning, so that few places are tried.
fn sign_at(text: &[u8], sign: u8) -> Option<(usize, usize)> {
    let signs = || text.iter().enumerate().filter(move |(_, byte)| **byte == sign).map(|(at, _)| at);
    let fits = |at: usize, place: usize| at >= place && at - place + GRAM <= text.len();
    [3, 0, 1, 2]
        .into_iter()
        .find_map(|place| signs().find(|at| fits(*at, place)).map(|at| (at - place, place)))
}

/// Makes four letters small.
const FOLDED: u32 = 0x2020_2020;

fn fold(gram: [u8; 4]) -> u32 {
    u32::from_le_bytes(gram) | FOLDED
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

/// Where the four bytes begin that the least text has, by how common each is.
fn rarest(text: &[u8]) -> usize {
    let cost = |at: &usize| -> u32 { text[*at..*at + GRAM].iter().map(|byte| commonness(*byte)).product() };
    (0..=text.len() - GRAM).min_by_key(cost).expect("keywords have four bytes or more")
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

    const KEYWORDS: [Keyword; 9] = [
        Keyword { text: b"word=", folded: true },
        Keyword { text: b"hs.x=1", folded: false },
        Keyword { text: b"ghp_", folded: false },
        Keyword { text: b"aws_secret_access_key", folded: true },
        Keyword { text: b"ghp_x", folded: false },
        Keyword { text: b"s://", folded: false },
        Keyword { text: b"hvs.", folded: false },
        Keyword { text: b"AKIA", folded: false },
        Keyword { text: b"KIAK", folded: false },
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
            step in 1_usize..200,
            parts in proptest::collection::vec((0_usize..9, proptest::collection::vec(any::<u8>(), 0..40)), 0..12),
        ) {
            let mut window = Vec::new();
            for (keyword, filler) in parts {
                let text = KEYWORDS.get(keyword).map_or(&b"gh"[..], |keyword| keyword.text);
                window.extend(if filler.len() % 2 == 0 { text.to_vec() } else { text.to_ascii_uppercase() });
                window.extend(filler);
            }
            let mut found = Vec::new();
            let filter = Filter::new(KEYWORDS.to_vec());
            for from in (0..window.len()).step_by(step) {
                let part = from..window.len().min(from + step);
                filter.find(&window, part, |index, at| found.push((index, at)));
            }
            found.sort_unstable();
            prop_assert_eq!(found, slowly(&window));
        }
    }
}
