use super::*;
use crate::scan::broken_engines;
use crate::shown::WINDOW_BYTES;
use crate::{Extra, advisories::Advisories};
use crate::{signatures, yara};

#[test]
fn a_scanner_that_misses_its_control_makes_the_layer_inconclusive() {
    let mut knowledge =
        Knowledge::load(&Extra::default(), Advisories::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(broken_engines(&knowledge), [""; 0]);
    knowledge.yara = yara::Rules::without_any();
    assert_eq!(broken_engines(&knowledge), ["malware rules"]);
    let mut empty_tar: &[u8] = &[0; 1024];
    let facts = scan_layer(&mut empty_tar, Some(Compression::None), &knowledge).expect("reads");
    assert!(facts.notes.iter().any(|note| note.rule == "INC-01"), "{:?}", facts.notes);
}

#[test]
fn a_threat_across_two_windows_is_found() {
    let knowledge =
        Knowledge::load(&Extra::default(), Advisories::default()).unwrap_or_else(|error| panic!("{error}"));
    let mut bytes = vec![b'x'; WINDOW_BYTES - 30];
    bytes.extend(signatures::test_string());
    bytes.extend(vec![b'x'; WINDOW_BYTES]);
    let facts = scan_layer(&mut &bytes[..], None, &knowledge).expect("reads");
    assert_eq!(facts.scanned_bytes, bytes.len() as u64);
    assert_eq!(facts.notes.iter().filter(|note| note.rule == "CTR-20").count(), 1);
}

#[test]
fn what_is_noted_names_the_bytes_of_its_file_unless_they_are_not_one_file() {
    let knowledge =
        Knowledge::load(&Extra::default(), Advisories::default()).unwrap_or_else(|error| panic!("{error}"));
    let test = signatures::test_string();
    let mut large = vec![b'x'; WINDOW_BYTES];
    large.extend(&test);
    // Of more than rules see whole, nothing waits.
    let mut huge = vec![b'x'; crate::yara::WHOLE_BYTES_MAX as usize];
    huge.extend(&test);
    let mut other = test.clone();
    other.push(b'\n');
    let files = [
        ("a", &test),
        ("calm", &b"nothing".to_vec()),
        ("large", &large),
        ("huge", &huge),
        ("twice", &test),
        ("twice", &other),
    ];
    let tar = crate::files::tests::tar(&files.map(|(path, bytes)| (path, b'0', 0o644, &bytes[..])));
    let facts = scan_layer(&mut &tar[..], Some(Compression::None), &knowledge).expect("reads");
    assert!(!facts.refused, "{:?}", facts.notes);
    assert_eq!(facts.digest_of("a"), crate::digest_of(&test).to_string());
    assert_eq!(facts.digest_of("large"), crate::digest_of(&large).to_string());
    for unknown in ["calm", "huge", "twice"] {
        assert_eq!(facts.digest_of(unknown), "", "{unknown}");
    }
}
