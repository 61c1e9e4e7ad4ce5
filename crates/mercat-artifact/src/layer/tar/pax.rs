//! pax extended header records: `length key=value\n`.

use std::collections::BTreeMap;

/// Records by key; every key once.
pub(super) type Records = BTreeMap<String, Vec<u8>>;

pub(super) fn parse(text: &[u8]) -> Result<Records, (&'static str, String)> {
    let bad = |why: &str| ("TAR-09", format!("a pax record: {why}"));
    let mut records = Records::new();
    let mut rest = text;
    while !rest.is_empty() {
        let blank = rest.iter().take(11).position(|byte| *byte == b' ').ok_or_else(|| bad("no length"))?;
        let digits = std::str::from_utf8(&rest[..blank]).map_err(|_| bad("no length"))?;
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let length: usize = digits.parse().ok().filter(|_| plain).ok_or_else(|| bad("no length"))?;
        let record =
            rest.get(..length).filter(|_| length > blank + 1).ok_or_else(|| bad("a wrong length"))?;
        let body = record[blank + 1..].strip_suffix(b"\n").ok_or_else(|| bad("a wrong length"))?;
        let equals = body.iter().position(|byte| *byte == b'=').ok_or_else(|| bad("no equals sign"))?;
        let key =
            std::str::from_utf8(&body[..equals]).ok().filter(|key| !key.is_empty() && !key.contains('\0'));
        let key = key.ok_or_else(|| bad("a key that is not text"))?;
        if records.insert(key.to_owned(), body[equals + 1..].to_vec()).is_some() {
            return Err(("TAR-08", format!("the pax key {key:?} appears twice")));
        }
        rest = &rest[length..];
    }
    Ok(records)
}
