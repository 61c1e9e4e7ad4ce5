use super::*;
use md5::Md5;
use mercat_signatures::Hasher;
use sha2::{Digest as _, Sha256};

fn known(signatures: &Signatures, bytes: &[u8]) -> Option<String> {
    let mut hashing = Hasher::here(signatures.hashing(Some(bytes.len() as u64)));
    hashing.update(bytes);
    signatures.known(&hashing.finish().unwrap_or_default(), bytes.len() as u64).expect("memory reads")
}

#[test]
fn files_are_known_by_their_hash_and_size() {
    let sha: String = Sha256::digest(b"hello").iter().map(|byte| format!("{byte:02x}")).collect();
    let md5: String = Md5::digest(b"world!").iter().map(|byte| format!("{byte:02x}")).collect();
    let signatures = Signatures::load(&format!("{sha}:5:Bad.File\n# note\n{md5}:6:Old.File\n"))
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(known(&signatures, b"hello").as_deref(), Some("Bad.File"));
    assert_eq!(known(&signatures, b"world!").as_deref(), Some("Old.File"));
    assert_eq!(known(&signatures, b"hullo"), None);
    let nothing = signatures.hashing(Some(7));
    assert!(nothing.is_none(), "a size that nothing known has");
}

#[test]
fn lines_name_what_is_wrong_with_them() {
    for bad in ["x:1:n", "abc", &format!("{}:x:n", "ab".repeat(32)), &format!("{}:1:", "ab".repeat(32))] {
        assert!(matches!(Signatures::load(&format!("\n{bad}")), Err(KnowledgeError::Hashes { line: 2, .. })));
    }
}
