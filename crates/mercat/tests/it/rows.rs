//! What the founding documents say, row by row (S2: virtual machines, S4: containers), stands in a test by name.

use std::collections::BTreeSet;
use std::path::Path;

fn sources(dir: &Path, out: &mut String) {
    for entry in std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            sources(&entry, out);
        } else if entry.extension().is_some_and(|end| end == "rs") && !entry.ends_with("rows.rs") {
            out.push_str(&std::fs::read_to_string(&entry).expect("text"));
        }
    }
}

/// Rows as comments name them: `S2-7`, `S2-12..14`, `S4-4 to S4-7`.
fn named(text: &str, seed: &str) -> BTreeSet<u32> {
    let number = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let mut out = BTreeSet::new();
    for (at, _) in text.match_indices(seed) {
        let rest = &text[at + seed.len()..];
        let first = number(rest);
        let Ok(from) = first.parse::<u32>() else { continue };
        let after = &rest[first.len()..];
        let to = after.strip_prefix("..").or_else(|| after.strip_prefix(" to ")?.strip_prefix(seed));
        out.extend(from..=to.and_then(|to| number(to).parse().ok()).unwrap_or(from));
    }
    out
}

#[test]
fn every_row_of_the_founding_documents_is_named_by_a_test() {
    assert_eq!(named("S2-7, S2-12..14 and S2-3 to S2-5", "S2-"), [3, 4, 5, 7, 12, 13, 14].into());
    let mut text = String::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for part in ["tests", "../mercat-domain/src"] {
        sources(&here.join(part), &mut text);
    }
    for (seed, rows) in [("S2-", 48), ("S4-", 23)] {
        let missing: Vec<u32> = (1..=rows).filter(|row| !named(&text, seed).contains(row)).collect();
        assert_eq!(missing, [0; 0], "{seed}");
    }
}
