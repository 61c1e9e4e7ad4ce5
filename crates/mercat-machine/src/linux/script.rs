//! The little of GRUB's language that scripts of boot loaders need (the manual of GNU GRUB, chapter 6).

use std::collections::BTreeMap;

/// Variables with their values.
pub(super) type Variables = BTreeMap<String, String>;

/// Bytes of a line with its variables: more than any kernel takes.
const EXPANDED_BYTES_MAX: usize = 8192;
/// Variables that are remembered.
const VARIABLES_MAX: usize = 4000;

/// The commands of a line. Boot loader entries have no more than one, which may hold any sign.
pub(super) fn commands(line: &str) -> Vec<&str> {
    let word = line.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    if ["options", "append", "title", "label", "menu"].contains(&word.as_str()) {
        return vec![line];
    }
    let opens =
        |line: &str| ["menuentry", "submenu", "function"].iter().any(|word| bare(line).starts_with(word));
    let (mut out, mut from, mut quote, mut before) = (Vec::new(), 0, None, ' ');
    let mut has_body = opens(line);
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            (None, '"' | '\'') if before != '\\' => quote = Some(letter),
            (Some(open), _) if open == letter && (open == '\'' || before != '\\') => quote = None,
            (None, ';' | '{')
                if letter == ';' && before != '\\' || letter == '{' && has_body && before != '$' =>
            {
                out.push(&line[from..at]);
                from = at + 1;
                has_body = opens(&line[from..]);
            }
            _ => {}
        }
        before = letter;
    }
    out.push(&line[from..]);
    out.into_iter().map(bare).filter(|command| !command.is_empty()).collect()
}

/// A command without the words of `if` and loops before it.
fn bare(mut command: &str) -> &str {
    command = command.trim();
    while let Some((word, rest)) = command.split_once(char::is_whitespace) {
        if !["if", "elif", "while", "until", "then", "else", "do", "{", "}", "!"].contains(&word) {
            break;
        }
        command = rest.trim();
    }
    command
}

/// Takes in `name=value`, which may stand without a command.
pub(super) fn assign(text: &str, variables: &mut Variables) {
    let Some((name, value)) = text.split_once('=') else { return };
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_name && (variables.len() < VARIABLES_MAX || variables.contains_key(name)) {
        let value = expanded(value.trim().trim_matches(['"', '\'']), variables);
        variables.insert(name.to_owned(), value);
    }
}

/// The first word, without its quotes.
pub(super) fn first_word(line: &str) -> String {
    let (mut out, mut quote) = (String::new(), None);
    let mut letters = line.trim().chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None | Some('"'), '\\') => out.extend(letters.next()),
            (None, _) if letter.is_whitespace() => break,
            _ => out.push(letter),
        }
    }
    out
}

/// A line with the values of its variables, one blank between words; those that are not known stay.
pub(super) fn expanded(line: &str, variables: &Variables) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once('$') {
        out.push_str(before);
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let (name, next) = match behind.strip_prefix('{').and_then(|behind| behind.split_once('}')) {
            Some(braced) => braced,
            None => behind.split_at(behind.find(|letter| !is_name(letter)).unwrap_or(behind.len())),
        };
        match variables.get(name) {
            Some(value) => out.push_str(value),
            None => out.push_str(&rest[before.len()..rest.len() - next.len()]),
        }
        rest = next;
        if out.len() > EXPANDED_BYTES_MAX {
            break;
        }
    }
    out.push_str(rest);
    let mut out = out.split_whitespace().collect::<Vec<_>>().join(" ");
    out.truncate(out.floor_char_boundary(EXPANDED_BYTES_MAX));
    out
}
