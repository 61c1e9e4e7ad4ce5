//! Words with which a listing praises itself or compares itself with others (policy numbers 100.1.1 and 100.1.3).

/// Phrases that compare with others or claim a rank, in small letters. A blank stands for any space.
const CLAIMS: [&str; 31] = [
    "#1",
    "no. 1",
    "no.1",
    "number one",
    "best in class",
    "best-in-class",
    "world's best",
    "world's first",
    "world's leading",
    "world-leading",
    "market leader",
    "market-leading",
    "industry leader",
    "industry-leading",
    "leading provider",
    "leading solution",
    "the best",
    "unbeatable",
    "unrivaled",
    "unrivalled",
    "second to none",
    "cheaper than",
    "better than",
    "superior to",
    "unlike other",
    "unlike competing",
    "outperforms",
    "than the competition",
    "than our competitors",
    "than competitors",
    "lowest price",
];
/// The same in Japanese, which has no spaces between words.
const CLAIMS_JA: [&str; 13] = [
    "ナンバーワン",
    "業界一の",
    "業界初",
    "業界最",
    "日本一の",
    "日本初",
    "世界一の",
    "世界初",
    "最安値",
    "他社より",
    "他社製品より",
    "競合製品より",
    "唯一無二",
];
/// Words of prices, which have fields of their own.
const PRICES: [&str; 6] = ["free", "on sale", "special offer", "offer ends", "% off", "cheap"];
const PRICES_JA: [&str; 4] = ["無料", "特価", "セール中", "お買い得"];

/// Full-width letters and typographic apostrophes as their plain ones, in small letters, one blank between words.
fn folded(text: &str) -> String {
    let plain = text.chars().map(|letter| match letter {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(letter) - 0xff01 + 0x21).unwrap_or(letter),
        '\u{2019}' => '\'',
        '\u{2010}' | '\u{2011}' => '-',
        letter => letter,
    });
    plain.collect::<String>().to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first of some phrases that stands in a text as words of its own.
fn phrase_in(text: &str, phrases: &[&'static str]) -> Option<&'static str> {
    let is_part = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let stands = |phrase: &str, at: usize| {
        let (before, behind) = (text[..at].chars().next_back(), text[at + phrase.len()..].chars().next());
        // Japanese words may stand right beside.
        let ascii = |letter: Option<char>| letter.filter(char::is_ascii);
        let starts = phrase.starts_with(char::is_alphanumeric);
        let ends = phrase.ends_with(char::is_alphanumeric);
        // What is "lead-free" has no price.
        let is_bound = before == Some('-') || is_part(ascii(before));
        !(starts && is_bound || ends && is_part(ascii(behind)))
    };
    phrases.iter().copied().find(|phrase| text.match_indices(phrase).any(|(at, _)| stands(phrase, at)))
}

/// A phrase of a text that claims a rank, or compares with others.
pub(crate) fn claim(text: &str) -> Option<&'static str> {
    // These are what one follows, not what one is.
    let text = folded(text).replace("best practice", "practice");
    phrase_in(&text, &CLAIMS).or_else(|| CLAIMS_JA.into_iter().find(|phrase| text.contains(phrase)))
}

/// What makes a title something else than the name of a product.
pub(crate) fn not_a_title(title: &str) -> Option<String> {
    let text = folded(title);
    if let Some(claim) = claim(title) {
        return Some(format!("the claim {claim:?}"));
    }
    let price = phrase_in(&text, &PRICES).or_else(|| PRICES_JA.into_iter().find(|word| text.contains(word)));
    if let Some(price) = price {
        return Some(format!("{price:?}: prices are told by plans"));
    }
    if ["http://", "https://", "www."].iter().any(|start| text.contains(start)) {
        return Some("an address".to_owned());
    }
    let is_mark =
        |letter: char| matches!(u32::from(letter), 0x2600..=0x27bf | 0x2b00..=0x2bff | 0x1f000..=0x1faff);
    if let Some(mark) = title.chars().find(|letter| is_mark(*letter)) {
        return Some(format!("the symbol {mark}"));
    }
    if text.contains("!!") || text.contains("??") || text.contains("!?") {
        return Some("repeated punctuation".to_owned());
    }
    let letters = title.chars().filter(|letter| letter.is_alphabetic());
    let words = title.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count();
    // One word may be a name that is written so.
    let shouts = words > 1 && letters.clone().count() > 12 && letters.clone().all(char::is_uppercase);
    shouts.then(|| "capitals only".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_found_as_words_in_both_languages() {
        for (text, found) in [
            ("Our product is the best.", Some("the best")),
            ("Simply  The\nBEST", Some("the best")),
            ("faster and cheaper than anything", Some("cheaper than")),
            ("The world\u{2019}s first gateway", Some("world's first")),
            ("Ｎｏ．１ の実績", Some("no.1")),
            ("他社より安い", Some("他社より")),
            ("ゲートウェイ#1", Some("#1")),
            ("The bestiary of animals", None),
            ("follow the leading slash", None),
            ("Follows the best practices", None),
            ("the best: practices", Some("the best")),
            ("see issue #12 and #100", None),
            ("Routes packets between networks", None),
            ("パケットを転送します", None),
            ("日本一括配送", None),
            ("日本一の速さ", Some("日本一の")),
            ("最安定版、業界一般の規格", None),
            ("ISO standard No.15 and No. 10", None),
            ("", None),
        ] {
            assert_eq!(claim(text), found, "{text}");
        }
    }

    #[test]
    fn titles_are_names() {
        for title in [
            "Contoso Gateway",
            "NGINX",
            "IBM MQ",
            "PostgreSQL 16 on Debian",
            "FreeBSD 14",
            "Freedom Router",
            "Point of Sale Server",
            "Conflict-Free Store",
            "セールス管理",
            "Discount Manager",
            "Salesforce Connector",
            "コントソ ゲートウェイ",
            "Yahoo! Search",
        ] {
            assert_eq!(not_a_title(title), None, "{title}");
        }
        for (title, told) in [
            ("The Best Gateway", "claim"),
            ("Free Gateway", "free"),
            ("Gateway 50% off", "% off"),
            ("ゲートウェイ (無料)", "無料"),
            ("Gateway www.example.com", "an address"),
            ("Gateway ★", "symbol"),
            ("Gateway 🚀", "symbol"),
            ("Gateway!!", "punctuation"),
            ("CONTOSO NETWORK GATEWAY", "capitals"),
        ] {
            assert!(not_a_title(title).is_some_and(|why| why.contains(told)), "{title}");
        }
    }
}
