//! The words: a locale, a key and arguments give text. No logic.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use std::cmp::Reverse;
use std::sync::LazyLock;

/// A language of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Locale {
    /// English.
    #[default]
    En,
    /// Japanese.
    Ja,
}

impl Locale {
    /// Every locale.
    pub const ALL: [Self; 2] = [Self::En, Self::Ja];

    /// The BCP 47 code.
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }

    /// The best locale for an `Accept-Language` header or a plain code.
    pub fn negotiate(accepted: &str) -> Self {
        for range in accepted.split(',') {
            match range.trim().get(..2).map(str::to_ascii_lowercase).as_deref() {
                Some("ja") => return Self::Ja,
                Some("en") => return Self::En,
                _ => {}
            }
        }
        Self::En
    }
}

/// The Fluent files of each language: what the domain says, what the pages say, and what leaves the house.
static SOURCES: [(Locale, [&str; 3]); 2] = [
    (
        Locale::En,
        [
            include_str!("../locales/en.ftl"),
            include_str!("../locales/en-portal.ftl"),
            include_str!("../locales/en-contact.ftl"),
        ],
    ),
    (
        Locale::Ja,
        [
            include_str!("../locales/ja.ftl"),
            include_str!("../locales/ja-portal.ftl"),
            include_str!("../locales/ja-contact.ftl"),
        ],
    ),
];

type Bundle = FluentBundle<FluentResource>;

static BUNDLES: LazyLock<[Bundle; 2]> =
    LazyLock::new(|| SOURCES.map(|(locale, sources)| bundle(locale, &sources)));

fn bundle(locale: Locale, sources: &[&str]) -> Bundle {
    let code = locale.code().parse().expect("the codes above are valid");
    let mut bundle = FluentBundle::new_concurrent(vec![code]);
    bundle.set_use_isolating(false);
    for source in sources {
        // A broken line loses its own key only; the tests below do not let it through.
        let resource = match FluentResource::try_new((*source).to_owned()) {
            Ok(resource) | Err((resource, _)) => resource,
        };
        bundle.add_resource_overriding(resource);
    }
    bundle
}

/// Whether a locale has words for a key.
pub fn has(locale: Locale, key: &str) -> bool {
    BUNDLES[locale as usize].get_message(key).is_some_and(|message| message.value().is_some())
}

/// The words for a key; the key itself when there are none.
pub fn text(locale: Locale, key: &str, args: &[(&str, &str)]) -> String {
    let bundle = &BUNDLES[locale as usize];
    let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else {
        return key.to_owned();
    };
    let args: FluentArgs<'_> = args.iter().map(|(name, value)| (*name, *value)).collect();
    let mut errors = Vec::new();
    bundle.format_pattern(pattern, Some(&args), &mut errors).into_owned()
}

/// What a rule is about, in one line: by its id, else by its family; empty when nobody has words for it.
pub fn rule(locale: Locale, id: &str) -> String {
    let family = id.split(['-', '.']).next().unwrap_or(id);
    let whole = id.trim_end_matches("-ADVICE");
    let keys = [format!("rule-{id}"), id.to_owned(), format!("rule-{whole}"), format!("rule-{family}")];
    keys.iter().find(|key| has(locale, key)).map(|key| text(locale, key, &[])).unwrap_or_default()
}

/// What to do about a finding, by its rule; `None` when the finding's own words are all there is. Those are English,
/// and say more than what the rule says in general: other languages have the rule's.
pub fn fix(locale: Locale, id: &str) -> Option<String> {
    let key = format!("fix-{}", id.trim_end_matches("-ADVICE"));
    if has(locale, &key) {
        return Some(text(locale, &key, &[]));
    }
    by_rule(locale, "advice", id).filter(|_| locale != Locale::En)
}

/// What to do about a finding in the reader's language, where `own` is what it says itself, in English.
pub fn remedy(locale: Locale, id: &str, own: &str) -> String {
    match FIXES.words(own).filter(|_| locale != Locale::En) {
        Some(words) => words,
        None => fix(locale, id).unwrap_or_else(|| own.to_owned()),
    }
}

/// What to do about a rule in general, where that has words.
pub fn advice(locale: Locale, id: &str) -> Option<String> {
    fix(locale, id).or_else(|| by_rule(locale, "advice", id))
}

/// What would have been right: in English a finding's own words, else those of its rule. Which version of a package has
/// a fix is told in every language.
pub fn required(locale: Locale, id: &str, own: &str) -> String {
    if locale == Locale::En {
        return own.to_owned();
    }
    let of_package = matches!(id, "CTR-22" | "CTR-22-BELOW");
    match own.strip_suffix(" or newer").filter(|_| of_package) {
        Some(version) => text(locale, "required-newer", &[("version", version)]),
        None if of_package && own == "not fixed yet" => text(locale, "required-unfixed", &[]),
        // Its own words say more than those of its rule.
        None => match REQUIREMENTS.words(own).or_else(|| by_rule(locale, "required", id)) {
            Some(words) => words,
            None => own.to_owned(),
        },
    }
}

/// What a rule asks for, in general, whatever the language; what it is about where that has no words.
pub fn asked(locale: Locale, id: &str) -> String {
    by_rule(locale, "required", id).unwrap_or_else(|| rule(locale, id))
}

/// English texts of a kind, each with its Japanese, the line that says most itself first. In both `#` stands for a
/// number, or a word that begins with one, `*` for a text that is told in Japanese in turn, and `~` for words of
/// somebody else, which stay as they are.
struct Table(Vec<(&'static str, &'static str)>);

/// What stands for something else in the lines of a table.
const MARKS: [char; 3] = ['#', '*', '~'];
/// Texts within each other: strangers could write more of them than a stack holds.
const DEPTH_MAX: usize = 30;

/// What a field requires, as the domain says it.
static REQUIREMENTS: LazyLock<Table> =
    LazyLock::new(|| Table::of(include_str!("../locales/ja-required.tsv")));

/// What was seen, as those say it who looked.
static OBSERVATIONS: LazyLock<Table> =
    LazyLock::new(|| Table::of(include_str!("../locales/ja-observed.tsv")));

/// What to do, as findings say it themselves.
static FIXES: LazyLock<Table> = LazyLock::new(|| Table::of(include_str!("../locales/ja-fix.tsv")));

/// What a field requires, in the reader's language; as it is where there are no words for it.
pub fn requirement(locale: Locale, english: &str) -> String {
    if locale == Locale::En { english.to_owned() } else { REQUIREMENTS.told(english, 0) }
}

/// What was seen, in the reader's language: names, paths, values and what is quoted stay as they are, and so does a text
/// that there are no words for.
pub fn observed(locale: Locale, english: &str) -> String {
    if locale == Locale::En { english.to_owned() } else { OBSERVATIONS.told(english, 0) }
}

impl Table {
    fn of(source: &'static str) -> Self {
        let mut lines: Vec<_> = source.lines().filter_map(|line| line.split_once('\t')).collect();
        lines.sort_by_key(|(pattern, _)| Reverse(pattern.len()));
        Self(lines)
    }

    /// A whole text; `None` where there are no words for it.
    fn words(&self, english: &str) -> Option<String> {
        let has = self.0.iter().any(|(pattern, _)| held(pattern, english).is_some());
        has.then(|| self.told(english, 0))
    }

    /// `depth` counts the texts around this one.
    fn told(&self, english: &str, depth: usize) -> String {
        let mut fitting = self.0.iter().filter_map(|(pattern, words)| Some((words, held(pattern, english)?)));
        let Some((words, held)) = fitting.next().filter(|_| depth < DEPTH_MAX) else {
            return english.to_owned();
        };
        let mut held = held.into_iter();
        let mut pieces = words.split(MARKS);
        let first = pieces.next().unwrap_or_default().to_owned();
        pieces.fold(first, |said, piece| match held.next() {
            Some(("*", part)) => said + &self.told(part, depth + 1) + piece,
            part => said + part.map_or("", |(_, part)| part) + piece,
        })
    }
}

/// What the marks of a pattern stand for in a text, each with its mark; `None` when it does not fit.
fn held<'a>(pattern: &'static str, text: &'a str) -> Option<Vec<(&'static str, &'a str)>> {
    let mut pieces = pattern.split(MARKS);
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let (mut marks, mut held) = (pattern.matches(MARKS).peekable(), Vec::new());
    while let (Some(mark), Some(piece)) = (marks.next(), pieces.next()) {
        let behind = pieces.clone().next();
        let at = match (behind, marks.peek()) {
            (None, _) => rest.strip_suffix(piece)?.len(),
            // The number at the end is the last one.
            (Some(end), Some(&"#")) if pieces.clone().count() == 1 => rest.strip_suffix(end)?.rfind(piece)?,
            _ => rest.find(piece)?,
        };
        let part = &rest[..at];
        let is_number = part.starts_with(|letter: char| letter.is_ascii_digit())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if mark == "#" && !is_number {
            return None;
        }
        held.push((mark, part));
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty().then_some(held)
}

/// The words of a rule, or of its family.
fn by_rule(locale: Locale, what: &str, id: &str) -> Option<String> {
    let family = id.split(['-', '.']).next().unwrap_or(id);
    let keys = [
        format!("{what}-{id}"),
        format!("{what}-{}", id.trim_end_matches("-ADVICE")),
        format!("{what}-{family}"),
    ];
    keys.iter().find(|key| has(locale, key)).map(|key| text(locale, key, &[]))
}

/// Where [`rules`] tells about a rule: under its id, or with its family.
pub fn listed(id: &str) -> &str {
    let own = |id: &str| has(Locale::En, &format!("rule-{id}")) || has(Locale::En, &format!("required-{id}"));
    let whole = id.trim_end_matches("-ADVICE");
    let family = id.split(['-', '.']).next().unwrap_or(id);
    [id, whole].into_iter().find(|id| own(id)).unwrap_or(family)
}

/// Every rule that has words of its own, in the order of the Fluent files: id, what it is about, and what to do,
/// where that has words.
pub fn rules(locale: Locale) -> Vec<(&'static str, String, Option<String>)> {
    let ids = |what: &'static str| {
        let lines = SOURCES[locale as usize].1.into_iter().flat_map(str::lines);
        lines.filter_map(move |line| line.strip_prefix(what)?.split_once(" =")).map(|(id, _)| id)
    };
    let named: Vec<&str> = ids("rule-").collect();
    // Some have no name of their own, and say what they ask for.
    let more = ids("required-").filter(|id| id.contains('-') && !named.contains(id));
    let more = more.map(|id| (id, by_rule(locale, "required", id).unwrap_or_default(), advice(locale, id)));
    let named = named.iter().map(|id| (*id, rule(locale, id), advice(locale, id)));
    named.chain(more).collect()
}

#[cfg(test)]
mod sources;

#[cfg(test)]
mod tests {
    use super::*;
    use mercat_domain::OfferKind;
    use mercat_domain::offer::fields::{CATEGORIES, FIELDS, Tab};
    use mercat_domain::offer::{PageState, columns};
    use mercat_domain::run::{Refusal, Shown, Step, estimate, title_key};
    use std::collections::BTreeSet;

    fn keys(source: &'static str) -> Vec<&'static str> {
        let lines = source.lines().filter(|l| l.starts_with(|c: char| c.is_ascii_alphabetic()));
        lines.filter_map(|line| line.split_once(" =").map(|(key, _)| key)).collect()
    }

    #[test]
    fn what_a_field_requires_is_told_in_japanese() {
        for (english, japanese) in [
            ("at most 50 characters", "50 文字以内"),
            ("at most 8, as published", "公開時の 8 以下"),
            ("1 to 8 entries", "1 ～ 8 件"),
            ("a PNG of 216x216 pixels", "216x216 ピクセルの PNG"),
            ("at most one", "at most one"),
            ("printable text of 1 to 100 characters", "印字可能な 1 ～ 100 文字"),
            (
                "an https link that this server may reach: the address is not public",
                "このサーバーから接続できる https のリンク (公開アドレスではありません)",
            ),
            ("no such words", "no such words"),
            ("a value too many", "a value too many"),
        ] {
            assert_eq!(requirement(Locale::Ja, english), japanese);
            assert_eq!(requirement(Locale::En, english), english);
        }
        use mercat_domain::offer::fields::Shape;
        for shape in [Shape::Guid, Shape::Organisation, Shape::HostName, Shape::Munchkin, Shape::Number(1)] {
            assert_ne!(requirement(Locale::Ja, shape.required()), shape.required());
        }
    }

    #[test]
    fn both_columns_of_a_table_have_the_same_marks_and_no_line_is_there_twice() {
        let marks = |text: &str| text.matches(MARKS).collect::<String>();
        let tables = [
            include_str!("../locales/ja-required.tsv"),
            include_str!("../locales/ja-observed.tsv"),
            include_str!("../locales/ja-fix.tsv"),
        ];
        for table in tables {
            let mut seen = BTreeSet::new();
            for line in table.lines() {
                let (pattern, words) = line.split_once('\t').expect("two columns");
                assert!(marks(words) == marks(pattern) && !words.contains('\t'), "{line}");
                assert!(seen.insert(pattern), "{pattern} is there twice");
                // A pattern that says nothing itself would hold everything.
                assert!(pattern.chars().any(|letter| !MARKS.contains(&letter) && letter != ' '), "{line}");
            }
        }
    }

    /// The last argument of every `Problem::new` in a source, where it is a text; `7` stands for what is filled in.
    fn required_texts(source: &str) -> Vec<String> {
        let mut out = Vec::new();
        for call in source.split("Problem::new(").skip(1) {
            let call = call.split(";\n").next().unwrap_or_default();
            let (mut depth, mut quoted, mut escaped, mut last) = (0_i32, false, false, String::new());
            let mut text = String::new();
            for c in call.chars() {
                match c {
                    '"' if !escaped => {
                        quoted = !quoted;
                        if quoted {
                            text.clear();
                        } else if depth <= 1 {
                            last = std::mem::take(&mut text);
                        }
                    }
                    _ if quoted => text.push(c),
                    '(' => depth += 1,
                    ')' if depth == 0 => break,
                    ')' => depth -= 1,
                    ',' if depth == 0 => last.clear(),
                    _ => {}
                }
                escaped = c == '\\' && !escaped;
            }
            let mut parts = last.split('{');
            let mut filled = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                filled = filled + "7" + part.split_once('}').map_or("", |(_, rest)| rest);
            }
            out.extend((filled.contains(' ') && filled != ", ").then_some(filled));
        }
        out
    }

    #[test]
    fn what_any_field_requires_has_japanese() {
        let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crates");
        let mut open: Vec<_> = ["domain", "store", "app", "web", "worker"]
            .map(|room| crates.join(format!("mercat-{room}/src")))
            .into();
        let (mut seen, mut missing) = (0, BTreeSet::new());
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|kind| kind == "rs") {
                    let source = std::fs::read_to_string(&path).expect("text");
                    // Tests have problems of their own.
                    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
                    for text in required_texts(source) {
                        seen += 1;
                        if requirement(Locale::Ja, &text) == text {
                            missing.insert(text);
                        }
                    }
                }
            }
        }
        assert!(seen > 50, "{seen} are read");
        assert_eq!(missing, BTreeSet::new());
    }

    #[test]
    fn every_rule_is_told_about_somewhere() {
        let told: BTreeSet<&str> = rules(Locale::En).iter().map(|(id, ..)| *id).collect();
        for (id, place) in [
            ("CTR-21", "CTR-21"),
            ("GZ-06", "GZ"),
            ("TAR-03", "TAR"),
            ("JSON-01", "JSON"),
            ("DSK-06", "DSK"),
            ("LNX-02-ADVICE", "LNX-02"),
        ] {
            assert_eq!(listed(id), place);
            assert!(told.contains(place), "{place}");
        }
    }

    #[test]
    fn both_languages_have_the_same_keys_once_and_parse() {
        let [(_, en), (_, ja)] = SOURCES;
        for (en, ja) in en.into_iter().zip(ja) {
            let set = |source| keys(source).into_iter().collect::<BTreeSet<_>>();
            assert_eq!(set(en), set(ja));
        }
        for (locale, sources) in SOURCES {
            let mut seen = BTreeSet::new();
            for source in sources {
                assert!(FluentResource::try_new(source.to_owned()).is_ok(), "{locale:?} has a syntax error");
                for key in keys(source) {
                    assert!(has(locale, key), "{locale:?} {key}");
                    assert!(seen.insert(key), "{locale:?} has {key} twice");
                }
            }
        }
    }

    #[test]
    fn every_code_of_the_domain_has_words() {
        let mut wanted: Vec<String> = Tab::ALL.iter().map(|tab| tab.key().to_owned()).collect();
        wanted.extend((1..=25).map(|n| format!("F{n:03}")));
        wanted.extend(PageState::ALL.iter().map(|state| state.key().to_owned()));
        wanted.extend(CATEGORIES.iter().flat_map(|(name, subs)| {
            std::iter::once(name).chain(subs.iter()).map(|name| format!("category-{name}"))
        }));
        wanted
            .extend(FIELDS.iter().flat_map(|field| columns(field.rule)).map(|name| format!("column-{name}")));
        wanted.extend(Shown::ALL.iter().map(|shown| shown.key().to_owned()));
        wanted.extend(FIELDS.iter().map(|field| format!("field-{}", field.key)));
        for kind in OfferKind::ALL {
            for step in Step::ALL {
                wanted.push(title_key(kind, step).to_owned());
                wanted.push(format!("{}-text", title_key(kind, step)));
                wanted.extend(estimate(kind, step).map(|estimate| estimate.key.to_owned()));
            }
        }
        for refusal in [
            Refusal::Stale,
            Refusal::NotAtSignOff,
            Refusal::NotInReview,
            Refusal::OtherSnapshot,
            Refusal::CancelTooEarly,
            Refusal::CancelTooLate,
            Refusal::Over,
        ] {
            wanted.push(refusal.code().to_owned());
        }
        let missing: Vec<&String> = wanted.iter().filter(|key| !has(Locale::En, key)).collect();
        assert_eq!(missing, Vec::<&String>::new());
    }

    #[test]
    fn rules_have_words_by_id_or_by_family() {
        for id in
            ["CTR-21", "TAR-07", "INC-06", "F021", "lead.timeout", "LST-01", "PKG-02", "MAN-03", "JSON-01"]
        {
            assert!(!rule(Locale::Ja, id).is_empty(), "{id}");
            assert_ne!(rule(Locale::Ja, id), rule(Locale::En, id), "{id}");
        }
    }

    #[test]
    fn rules_about_disks_and_files_have_a_name_and_a_fix_in_both_languages() {
        let files = ["CTR-27", "CTR-32", "CTR-33", "CTR-34", "CTR-35", "PKG-06", "PKG-07", "INC-16"];
        let ids = (1..=15).map(|n| format!("VHD-{n:02}")).chain((1..=29).map(|n| format!("LNX-{n:02}")));
        let ids = ids.chain(files.map(str::to_owned));
        for id in ids {
            assert_ne!(rule(Locale::Ja, &id), rule(Locale::En, &id), "{id}");
            assert_ne!(rule(Locale::En, &id), rule(Locale::En, &id[..3]), "{id}");
            assert_ne!(fix(Locale::Ja, &id), fix(Locale::En, &id), "{id}");
        }
        assert_eq!(rule(Locale::En, "LNX-03-ADVICE"), rule(Locale::En, "LNX-03"));
        assert!(fix(Locale::Ja, "VHD-09-ADVICE").is_some() && fix(Locale::En, "CTR-20").is_none());
        // Where the finding's own words are English, readers of Japanese have the rule's.
        for id in ["CTR-20", "CTR-21-ELF", "CTR-21-PKG", "INC-06", "TAR-07", "ZIP-04", "PKG-05"] {
            assert!(
                fix(Locale::Ja, id).is_some() && required(Locale::Ja, id, "own words") != "own words",
                "{id}"
            );
            assert!(
                fix(Locale::En, id).is_none() && required(Locale::En, id, "own words") == "own words",
                "{id}"
            );
            assert!(rules(Locale::En).iter().all(|(known, _, fix)| known != &id || fix.is_some()), "{id}");
        }
    }

    #[test]
    fn the_version_with_a_fix_is_told_in_every_language() {
        assert_eq!(required(Locale::En, "CTR-22", "4.17.21 or newer"), "4.17.21 or newer");
        assert!(required(Locale::Ja, "CTR-22-BELOW", "4.17.21 or newer").contains("4.17.21"));
        let unfixed = required(Locale::Ja, "CTR-22", "not fixed yet");
        assert_ne!(unfixed, required(Locale::Ja, "CTR-22", "something else"));
    }

    #[test]
    fn the_list_of_rules_is_the_same_in_both_languages() {
        let ids = |locale| rules(locale).into_iter().map(|(id, ..)| id).collect::<BTreeSet<_>>();
        assert_eq!(ids(Locale::En), ids(Locale::Ja));
        assert!(ids(Locale::En).contains("CTR-24") && ids(Locale::En).len() > 100);
    }

    #[test]
    fn the_first_known_language_wins() {
        assert_eq!(Locale::negotiate("ja-JP,en;q=0.5"), Locale::Ja);
        assert_eq!(Locale::negotiate("fr,en;q=0.5"), Locale::En);
        assert_eq!(Locale::negotiate(""), Locale::En);
    }
}
