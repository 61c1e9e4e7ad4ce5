//! Texts as they are compared, and the words of a text.

use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;

/// Full and half width, capitals, hiragana and katakana, and long vowels are each written in one way.
pub(super) fn fold(text: &str) -> String {
    text.nfkc()
        .flat_map(char::to_lowercase)
        .filter(|c| !matches!(c, 'ー' | '\u{3099}' | '\u{309a}'))
        .map(|c| match c {
            // Katakana stands 96 places behind hiragana.
            'ァ'..='ヶ' => char::from_u32(c as u32 - 96).unwrap_or(c),
            c => c,
        })
        .collect()
}

/// Whether a letter belongs to a script that is written without blanks.
fn unspaced(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' | '々' | '〆')
}

/// Pieces of a folded text: words of letters and digits, and runs of an unspaced script.
fn pieces(folded: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = folded;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric() && !unspaced(c));
        let first = rest.chars().next()?;
        let kind = unspaced(first);
        let end = rest
            .find(|c: char| unspaced(c) != kind || !(c.is_alphanumeric() || unspaced(c)))
            .unwrap_or(rest.len());
        let (piece, tail) = rest.split_at(end);
        rest = tail;
        Some((piece, kind))
    })
}

fn bigrams(run: &str) -> Vec<String> {
    let letters: Vec<char> = run.chars().collect();
    match letters.len() {
        1 => vec![run.to_owned()],
        _ => letters.windows(2).map(|pair| pair.iter().collect()).collect(),
    }
}

/// The terms under which a text is found: whole words; pairs of letters and single letters of unspaced scripts.
pub(super) fn terms(text: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for (piece, unspaced) in pieces(&fold(text)) {
        if unspaced {
            out.extend(bigrams(piece));
            out.extend(piece.chars().map(String::from));
        } else {
            out.insert(piece.chars().take(40).collect());
        }
    }
    out
}

/// What a query asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// A word that begins so.
    Begins(String),
    /// Exactly this term.
    Is(String),
}

/// The terms of a query, each once, at most 32.
pub(super) fn query(text: &str) -> Vec<Term> {
    let mut out = Vec::new();
    let short: String = text.chars().take(400).collect();
    for (piece, unspaced) in pieces(&fold(&short)) {
        let terms = match unspaced {
            true => bigrams(piece).into_iter().map(Term::Is).collect(),
            false => vec![Term::Begins(piece.chars().take(40).collect())],
        };
        for term in terms {
            if out.len() < 32 && !out.contains(&term) {
                out.push(term);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_kana_and_long_vowels_are_one() {
        for same in ["サーバー", "ｻｰﾊﾞｰ", "サーバ", "さーばー"] {
            assert_eq!(fold(same), "さば", "{same}");
        }
        assert_eq!(fold("Ｇａｔｅｗａｙ ①"), "gateway 1");
        assert_eq!(fold("ガ"), fold("ｶﾞ"));
    }

    #[test]
    fn japanese_is_divided_into_pairs_and_english_into_words() {
        assert_eq!(query("仮想マシン"), ["仮想", "想ま", "まし", "しん"].map(|t| Term::Is(t.into())));
        assert_eq!(query("Web-Server, pro"), ["web", "server", "pro"].map(|t| Term::Begins(t.into())));
        assert!(terms("仮想マシン用イメージ").contains("しん"));
        assert_eq!(query("%_'\"*"), []);
    }
}
