//! JSON in which every reader sees the same document: no duplicate keys (also none that
//! differ only by case, which Go readers would merge), bounded depth, nothing after the end.

use crate::ReadError;
use mercat_domain::limits::JSON_DEPTH_MAX;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;

/// Parses one document.
///
/// # Errors
/// `JSON-01` with the byte offset and what is wrong there.
pub fn parse(bytes: &[u8]) -> Result<Value, ReadError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let refuse = |error: serde_json::Error| {
        let line = error.line().saturating_sub(1);
        let start: usize = bytes.split_inclusive(|b| *b == b'\n').take(line).map(<[u8]>::len).sum();
        let offset = (start + error.column()) as u64;
        ReadError::refused("JSON-01", offset, error.to_string())
    };
    let value = Strict { depth: 0 }.deserialize(&mut reader).map_err(refuse)?;
    reader.end().map_err(refuse)?;
    Ok(value)
}

/// A key as Go's reader compares it: in any case, with the two letters outside of ASCII that fold into it.
pub(crate) fn folded(key: &str) -> String {
    let fold = |letter: char| match letter {
        'ſ' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    };
    key.chars().map(fold).collect()
}

/// Refuses fields that are known under another case only: engines read names in any case, so one would be theirs alone.
pub(crate) fn plain_keys(
    code: &'static str,
    map: &Map<String, Value>,
    known: &[&str],
) -> Result<(), ReadError> {
    for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
        let folded = folded(key);
        if let Some(meant) = known.iter().find(|known| self::folded(known) == folded) {
            return Err(ReadError::refused(code, 0, format!("{meant} is written {}", cut(key))));
        }
    }
    Ok(())
}

/// Quoted, and not longer than a line of a report.
pub(crate) fn cut(text: &str) -> String {
    format!("{:?}", text.chars().take(60).collect::<String>())
}

struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: Error>(&self) -> Result<Self, E> {
        if self.depth >= JSON_DEPTH_MAX {
            return Err(E::custom(format!("nested deeper than {JSON_DEPTH_MAX}")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(value) = seq.next_element_seed(self.deeper()?)? {
            out.push(value);
        }
        Ok(Value::Array(out))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        let mut seen = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if !seen.insert(folded(&key)) {
                return Err(A::Error::custom(format!("key {key:?} appears twice")));
            }
            let value = map.next_value_seed(self.deeper()?)?;
            out.insert(key, value);
        }
        Ok(Value::Object(out))
    }
}

/// Every text in a document, names of members among them, in order.
pub fn texts(value: &Value) -> Vec<String> {
    fn collect(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::String(text) => out.push(text.clone()),
            Value::Array(list) => list.iter().for_each(|item| collect(item, out)),
            Value::Object(map) => map.iter().for_each(|(key, item)| {
                out.push(key.clone());
                collect(item, out);
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut out = Vec::new();
    collect(value, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_with_two_readings_are_refused() {
        assert!(parse(br#"{"a": [1, {"b": null}], "c": 1.5}"#).is_ok());
        let deep = [vec![b'['; 70], vec![b']'; 70]].concat();
        let bad: [&[u8]; 9] = [
            "{\"User\": 1, \"U\u{17f}er\": 2}".as_bytes(),
            br#"{"a": 1, "a": 2}"#,
            br#"{"layers": 1, "Layers": 2}"#,
            br#"{} {}"#,
            b"\xef\xbb\xbf{}",
            br#"{"a": 1e400}"#,
            b"{\"a\": \"\xff\"}",
            br#"{"a": "\ud800"}"#,
            &deep,
        ];
        for text in bad {
            assert!(parse(text).is_err(), "{}", String::from_utf8_lossy(text));
        }
    }
}
