//! Content digests (OCI image-spec 1.1, "Digests").

use std::fmt;

/// A SHA-256 digest in its canonical text form, `sha256:` and 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

impl Digest {
    /// Reads a digest; anything but `sha256:` and 64 lower-case hex digits is refused.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?;
        let ok = hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        ok.then(|| Self(text.to_owned()))
    }

    /// Wraps the 32 bytes of a finished SHA-256.
    pub fn from_sha256(bytes: &[u8]) -> Self {
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in bytes {
            text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
            text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        }
        Self(text)
    }

    /// The text form, `sha256:...`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 32 bytes.
    pub fn to_raw(&self) -> [u8; 32] {
        let hex = self.hex().as_bytes();
        let nibble = |byte: u8| if byte <= b'9' { byte - b'0' } else { byte - b'a' + 10 };
        std::array::from_fn(|at| nibble(hex[at * 2]) << 4 | nibble(hex[at * 2 + 1]))
    }

    /// The 64 hex digits.
    pub fn hex(&self) -> &str {
        &self.0[7..]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_parses() {
        let text = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(Digest::parse(&text).map(|d| d.to_string()), Some(text));
        assert_eq!(Digest::parse(&format!("sha256:{}", "0A".repeat(32))), None);
        assert_eq!(Digest::parse("sha256:../"), None);
        assert_eq!(Digest::parse(&format!("sha512:{}", "0a".repeat(64))), None);
        assert_eq!(Digest::from_sha256(&[10; 32]).hex(), "0a".repeat(32));
        assert_eq!(Digest::from_sha256(&[0xbe; 32]).to_raw(), [0xbe; 32]);
    }
}
