//! Comma-separated values (RFC 4180) that no spreadsheet takes for formulas.

/// What begins a formula in some program, as such or in its full-width form.
const LIVE: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠'];

/// One record with its line end: every cell in quotes, so that no locale's separator splits it.
pub fn line<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|text| cell(text.as_ref())).collect();
    format!("{}\r\n", cells.join(","))
}

fn cell(text: &str) -> String {
    // Some programs look behind blanks and quotes for the first character that counts.
    let first =
        text.trim_start_matches(|c: char| c == '\'' || c == '"' || (c.is_whitespace() && !LIVE.contains(&c)));
    let mark = if first.starts_with(LIVE) { "'" } else { "" };
    format!("\"{mark}{}\"", text.replace('"', "\"\"").replace('\0', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text_and_quotes_stay_inside() {
        for live in [
            "=cmd|' /C calc'!A0",
            "+1",
            "-1",
            "@SUM(1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "\0=1",
            "＝1",
            " =1",
            "\"=1",
            "' =1",
            "\u{a0}=1",
        ] {
            assert!(line([live]).starts_with("\"'"), "{live:?}");
        }
        assert_eq!(line(["=1+1"]), "\"'=1+1\"\r\n");
        assert_eq!(line(["@sum"]), "\"'@sum\"\r\n");
        assert_eq!(line(["a \"b\", c"]), "\"a \"\"b\"\", c\"\r\n");
        assert_eq!(line(["a \"b\"; c", "1,5", ""]), "\"a \"\"b\"\"; c\",\"1,5\",\"\"\r\n");
    }
}
