//! Byte and hash signatures.

use crate::{KnowledgeError, digest_of};
use aho_corasick::AhoCorasick;
use std::collections::HashMap;

/// Name under which the industry's antivirus test file is reported.
pub(crate) const TEST_FILE: &str = "Eicar-Test-Signature";

/// The antivirus test string, assembled here so that neither source nor binary carries it whole.
pub(crate) fn test_string() -> Vec<u8> {
    let parts = ["X5O!P%@AP[4\\PZX54", "(P^)7CC)7}$EICAR", "-STANDARD-ANTIVIRUS", "-TEST-FILE!$H+H*"];
    parts.iter().flat_map(|part| part.bytes()).collect()
}

pub(crate) struct Signatures {
    bytes: AhoCorasick,
    names: Vec<String>,
    hashes: HashMap<[u8; 32], (Option<u64>, String)>,
    digest: String,
}

impl Signatures {
    pub(crate) fn load(hashes: &str) -> Result<Self, KnowledgeError> {
        let mut table = HashMap::new();
        for (at, line) in hashes.lines().enumerate() {
            let line_number = at + 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bad = |why| KnowledgeError::Hashes { line: line_number, why };
            let mut parts = line.splitn(3, ':');
            let hex = parts.next().unwrap_or("");
            let size = parts.next().ok_or_else(|| bad("expected sha256:size:name"))?;
            let name = parts.next().filter(|name| !name.is_empty()).ok_or_else(|| bad("expected a name"))?;
            let hash = unhex(hex).ok_or_else(|| bad("expected 64 hex digits"))?;
            let size = match size {
                "*" => None,
                size => Some(size.parse().map_err(|_| bad("expected a size in bytes or *"))?),
            };
            table.insert(hash, (size, name.to_owned()));
        }
        let bytes = AhoCorasick::new([test_string()]).expect("one short pattern builds");
        let digest = digest_of(hashes.as_bytes()).to_string();
        Ok(Self { bytes, names: vec![TEST_FILE.to_owned()], hashes: table, digest })
    }

    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// Names of the byte signatures found.
    pub(crate) fn scan(&self, window: &[u8], mut hit: impl FnMut(&str)) {
        for found in self.bytes.find_iter(window) {
            hit(&self.names[found.pattern().as_usize()]);
        }
    }

    /// The name of a known file.
    pub(crate) fn known(&self, sha256: &[u8; 32], size: u64) -> Option<&str> {
        let (expected, name) = self.hashes.get(sha256)?;
        expected.is_none_or(|expected| expected == size).then_some(name)
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_lines_name_the_line_that_is_wrong() {
        let good = format!("{}:5:Bad.File\n# note\n", "ab".repeat(32));
        let loaded = Signatures::load(&good).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.known(&[0xab; 32], 5), Some("Bad.File"));
        assert_eq!(loaded.known(&[0xab; 32], 6), None);
        for bad in ["x:1:n", "abc", &format!("{}:x:n", "ab".repeat(32)), &format!("{}:1:", "ab".repeat(32))] {
            assert!(matches!(
                Signatures::load(&format!("\n{bad}")),
                Err(KnowledgeError::Hashes { line: 2, .. })
            ));
        }
    }
}
