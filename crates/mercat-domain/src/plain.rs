//! Text of strangers that is safe to show: what is not seen, or changes how its neighbours are seen, is written out.

/// Whether a character is invisible, steers a terminal, or turns the direction of its neighbours: C0 and C1
/// controls, line and paragraph separators, bidirectional controls (UAX #9, 2.), zero-width characters, tags,
/// and what is no character at all.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || (c as u32) & 0xfffe == 0xfffe
}

/// The text in one line, with hidden characters as `\n`, `\t`, `\r` or `\u{...}`, and a backslash doubled only
/// where it could be taken for one of these.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' if rest.peek() == Some(&'u') => out.push_str("\\\\"),
            c if is_hidden(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// JSON text in which hidden characters stand as `\uXXXX` (RFC 8259, section 7): the same document for every
/// reader, and harmless on a terminal. Line ends between values stay.
pub fn plain_json(json: &str) -> String {
    // Writers of JSON escape all other hidden characters of ASCII.
    if json.is_ascii() && !json.bytes().any(|byte| byte == 0x7f || byte < b' ' && byte != b'\n') {
        return json.to_owned();
    }
    let mut out = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        if c != '\n' && is_hidden(c) {
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_written_out_and_letters_of_all_languages_stay() {
        assert_eq!(plain("a\u{1b}[31mb\u{202e}c\u{9b}d\ne"), "a\\u{1b}[31mb\\u{202e}c\\u{9b}d\\ne");
        assert_eq!(plain("日本語 é العربية 👍"), "日本語 é العربية 👍");
        assert_eq!(plain("C:\\users \\x"), "C:\\\\users \\x");
        assert_eq!(plain("\u{fffe}\u{10ffff}\u{e0041}"), "\\u{fffe}\\u{10ffff}\\u{e0041}");
    }

    #[test]
    fn json_stays_the_same_document() {
        assert_eq!(plain_json("{\"a\": \"\u{202e}\u{e0041}é\"}\n"), "{\"a\": \"\\u202e\\udb40\\udc41é\"}\n");
    }
}
