//! A digest of a file, which may not have been taken: in memory as bytes, in kept facts as hexadecimal.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A digest of `N` bytes, or none. A layer has tens of thousands of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Taken<const N: usize>(pub(crate) Option<[u8; N]>);

/// In hexadecimal, small letters; nothing where it was not taken.
impl<const N: usize> fmt::Display for Taken<N> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().flatten().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl<const N: usize> Serialize for Taken<N> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Taken<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        if text.is_empty() {
            return Ok(Self(None));
        }
        let wrong = || D::Error::custom(format!("no digest of {N} bytes"));
        let bytes = of_hex(&text).ok_or_else(wrong)?;
        Ok(Self(Some(bytes.try_into().map_err(|_| wrong())?)))
    }
}

/// The bytes that hexadecimal digits say; nothing where these are none, or not in pairs.
pub(super) fn of_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if odd.is_empty() { bytes } else { None }
}

#[cfg(test)]
mod tests {
    use super::Taken;

    #[test]
    fn it_is_kept_as_hexadecimal() {
        for taken in [Taken(Some([0x0a, 0xf1, 0])), Taken(None)] {
            let text = serde_json::to_string(&taken).expect("is written");
            assert_eq!(serde_json::from_str::<Taken<3>>(&text).expect("reads back"), taken);
            assert_eq!(text, format!("\"{taken}\""));
        }
        assert_eq!(Taken(Some([0x0a, 0xf1, 0])).to_string(), "0af100");
        for wrong in ["\"0af1\"", "\"0af1000\"", "\"0af10g\"", "\"0af10000\"", "1"] {
            assert!(serde_json::from_str::<Taken<3>>(wrong).is_err(), "{wrong}");
        }
    }
}
