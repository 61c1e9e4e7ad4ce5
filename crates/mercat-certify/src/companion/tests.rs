use super::*;

/// Finds one word in what it is shown, and takes files of 200,000 bytes.
#[derive(Default)]
struct Fake {
    fails: bool,
    trouble: Option<&'static str>,
}

struct FakeScan {
    seen: Vec<u8>,
    fails: bool,
}

impl Companion for Fake {
    fn name(&self) -> &str {
        "fake"
    }
    fn version(&self) -> &str {
        "1"
    }
    fn trouble(&self) -> Option<&str> {
        self.trouble
    }
    fn begin(&self) -> Result<Box<dyn FileScan + '_>, String> {
        Ok(Box::new(FakeScan { seen: Vec::new(), fails: self.fails }))
    }
    fn file_bytes_max(&self) -> u64 {
        200_000
    }
}

impl FileScan for FakeScan {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.seen.extend(bytes);
        if self.seen.len() > 200_000 { Err("too much".to_owned()) } else { Ok(()) }
    }
    fn end(self: Box<Self>) -> Result<Vec<String>, String> {
        if self.fails {
            return Err("gone".to_owned());
        }
        // Of the positive control, the archive is known by how it begins.
        let test = crate::signatures::test_string();
        let found = self.seen.windows(4).any(|window| window == b"evil")
            || self.seen == test
            || self.seen.starts_with(b"\x1f\x8b") && self.seen.len() < 200;
        Ok(if found { vec!["Evil".to_owned()] } else { Vec::new() })
    }
}

fn ask(companion: &Fake, bytes: &[u8]) -> Result<Vec<String>, String> {
    let mut before = Before::new(companion);
    bytes.chunks(70_001).for_each(|part| before.feed(part));
    before.end()
}

#[test]
fn a_long_file_is_shown_in_pieces_that_overlap() {
    let fake = Fake::default();
    for at in [0, 199_998, 200_000, 300_000, 999_996] {
        let mut bytes = vec![b'.'; 1_000_000];
        bytes[at..at + 4].copy_from_slice(b"evil");
        assert_eq!(ask(&fake, &bytes).as_deref().map(<[String]>::is_empty), Ok(false), "at {at}");
    }
    assert_eq!(ask(&fake, &[b'.'; 1_000_000]), Ok(Vec::new()));
    assert_eq!(ask(&Fake { fails: true, ..Fake::default() }, b"x"), Err("gone".to_owned()));
}

#[test]
fn nothing_that_was_kept_is_used_once_a_database_is_too_old() {
    let beside = |trouble| {
        let mut knowledge = crate::Knowledge::load(&crate::Extra::default(), crate::Advisories::default())
            .unwrap_or_else(|error| panic!("{error}"));
        knowledge.add_companion(Box::new(Fake { trouble, ..Fake::default() }));
        (knowledge.engine_digest(), knowledge.verdict_digest())
    };
    let (fresh, old) = (beside(None), beside(Some("8 days old")));
    assert!(fresh.0 != old.0 && fresh.1 != old.1);
    assert_eq!(old, beside(Some("9 days old")), "what is read again every day is not known better");
}

#[test]
fn a_companion_that_misses_or_always_hits_is_broken() {
    let fake = Fake::default();
    assert_eq!(broken(&fake, b"evil", b"(evil)", b"good"), None);
    assert!(broken(&fake, b"evil", b"packed", b"good").is_some_and(|why| why.contains("inside an archive")));
    assert!(broken(&fake, b"evil", b"(evil)", b"devil").is_some_and(|why| why.contains("harmless")));
    assert!(
        broken(&Fake { fails: true, ..Fake::default() }, b"evil", b"evil", b"good")
            .is_some_and(|why| why.contains("gone"))
    );
}

#[test]
fn a_file_of_windows_is_shown_to_its_last_byte() {
    use crate::files::tests::{facts_with, knowledge, tar};
    let mut knowledge = knowledge();
    knowledge.add_companion(Box::new(Fake::default()));
    for windows in 0..3 {
        let bytes = [vec![b'.'; windows * crate::shown::WINDOW_BYTES + 1000], b"evil".to_vec()].concat();
        let notes = facts_with(&knowledge, &tar(&[("a", b'0', 0o644, &bytes)])).notes;
        assert!(
            notes.iter().any(|note| note.rule == "CTR-20" && note.observed.contains("Evil (fake)")),
            "{windows}: {notes:?}"
        );
    }
}
