//! The order of Maven's `ComparableVersion`: a list of numbers, qualifiers and lists.

use super::alpine::by_value;
use std::cmp::Ordering;

/// Qualifiers in their order; the empty one is the release.
const QUALIFIERS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
const RELEASE: usize = 5;

#[derive(Debug)]
enum Item {
    Number(String),
    Word(String),
    List(Vec<Item>),
}

/// A version as the list that it is read into.
#[derive(Debug)]
pub(super) struct Version(Item);

impl Version {
    pub(super) fn read(text: &str) -> Option<Self> {
        let printable = text.bytes().all(|b| b.is_ascii_graphic());
        (printable && !text.is_empty()).then(|| Self(read(&text.to_ascii_lowercase())))
    }
}

fn read(text: &str) -> Item {
    // The lists from the outermost to the one that is being filled.
    let mut lists: Vec<Vec<Item>> = vec![Vec::new()];
    let mut start = 0;
    let mut digits = false;
    let add = |lists: &mut Vec<Vec<Item>>, item: Item| {
        lists.last_mut().expect("one list is always open").push(item)
    };
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'.' | b'-' => {
                let item =
                    if at == start { Item::Number(String::new()) } else { leaf(&text[start..at], digits) };
                add(&mut lists, item);
                start = at + 1;
                if byte == b'-' {
                    lists.push(Vec::new());
                }
            }
            _ => {
                let digit = byte.is_ascii_digit();
                if digit != digits && at > start {
                    let run = &text[start..at];
                    if !digits {
                        open_for_word(&mut lists);
                    }
                    add(&mut lists, if digits { leaf(run, true) } else { word(run, true) });
                    start = at;
                    lists.push(Vec::new());
                }
                digits = digit;
            }
        }
    }
    if text.len() > start {
        if !digits {
            open_for_word(&mut lists);
        }
        add(&mut lists, leaf(&text[start..], digits));
    }
    // From the inside: a list that is empty after it is trimmed counts as nothing in the one around it.
    let mut inner: Option<Vec<Item>> = None;
    while let Some(mut list) = lists.pop() {
        list.extend(inner.take().map(Item::List));
        trim(&mut list);
        inner = Some(list);
    }
    Item::List(inner.unwrap_or_default())
}

/// A word before a digit or at the end counts as if `-` stood before it: `1.x` is `1-x`.
fn open_for_word(lists: &mut Vec<Vec<Item>>) {
    if lists.last().is_some_and(|list| !list.is_empty()) {
        lists.push(Vec::new());
    }
}

fn leaf(run: &str, digits: bool) -> Item {
    if digits { Item::Number(run.trim_start_matches('0').to_owned()) } else { word(run, false) }
}

fn word(run: &str, before_digit: bool) -> Item {
    let full = match run {
        "a" if before_digit => "alpha",
        "b" if before_digit => "beta",
        "m" if before_digit => "milestone",
        "ga" | "final" | "release" => "",
        "cr" => "rc",
        other => other,
    };
    Item::Word(full.to_owned())
}

/// Removes what means nothing at the end, and before lists at the end.
fn trim(list: &mut Vec<Item>) {
    for at in (0..list.len()).rev() {
        let empty = match &list[at] {
            Item::Number(digits) => digits.is_empty(),
            Item::Word(word) => word.is_empty(),
            Item::List(items) => items.is_empty(),
        };
        if empty {
            list.remove(at);
        } else if !matches!(list[at], Item::List(_)) {
            break;
        }
    }
}

/// Where a qualifier stands; unknown ones come behind all known, by their text.
fn by_qualifier(a: &str, b: &str) -> Ordering {
    let place = |word: &str| QUALIFIERS.iter().position(|known| *known == word);
    match (place(a), place(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// An item against nothing.
fn by_nothing(item: &Item) -> Ordering {
    match item {
        Item::Number(digits) if digits.is_empty() => Ordering::Equal,
        Item::Number(_) => Ordering::Greater,
        Item::Word(word) => by_qualifier(word, QUALIFIERS[RELEASE]),
        Item::List(items) => {
            items.iter().map(by_nothing).find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
        }
    }
}

fn compare(a: &Item, b: &Item) -> Ordering {
    match (a, b) {
        (Item::Number(a), Item::Number(b)) => by_value(a, b),
        (Item::Number(_), _) => Ordering::Greater,
        (_, Item::Number(_)) => Ordering::Less,
        (Item::Word(a), Item::Word(b)) => by_qualifier(a, b),
        (Item::Word(_), Item::List(_)) => Ordering::Less,
        (Item::List(_), Item::Word(_)) => Ordering::Greater,
        (Item::List(a), Item::List(b)) => {
            for at in 0..a.len().max(b.len()) {
                let order = match (a.get(at), b.get(at)) {
                    (Some(a), Some(b)) => compare(a, b),
                    (Some(a), None) => by_nothing(a),
                    (None, Some(b)) => by_nothing(b).reverse(),
                    (None, None) => Ordering::Equal,
                };
                if order != Ordering::Equal {
                    return order;
                }
            }
            Ordering::Equal
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

super::equal_as_ordered!(Version);
