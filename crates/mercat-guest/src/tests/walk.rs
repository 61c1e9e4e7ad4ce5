//! The checks of the common walk, with file systems that exist in these tests only.

use super::*;
use crate::source::{Content, Run, Source};
use crate::walk::{Files, Names, Stat, Stream, tree};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A file system that a function makes up: the names in a directory, by its number.
struct Made<L> {
    list: L,
    root: Kind,
    stream: Option<&'static str>,
}

impl<L: Fn(u64, &mut Names<u64>) -> Result<(), ReadError>> Files for Made<L> {
    type Id = u64;
    type File = u64;
    const FOLDS_CASE: bool = true;

    fn given(&self) -> Vec<std::ops::Range<u64>> {
        Vec::new()
    }
    fn kind(&self) -> &'static str {
        "made"
    }
    fn root(&self) -> Result<u64, ReadError> {
        Ok(0)
    }
    fn load(&self, id: &u64) -> Result<(Stat, u64), ReadError> {
        // Even numbers are directories.
        let kind = match id {
            0 => self.root,
            id if id % 2 == 0 => Kind::Directory,
            _ => Kind::File,
        };
        let (link, xattrs) = (String::new(), Vec::new());
        Ok((Stat { kind, mode: 0, uid: 0, gid: 0, size: 0, mtime: 0, inode: *id, link, xattrs }, *id))
    }
    fn list(&self, directory: &u64, names: &mut Names<u64>) -> Result<(), ReadError> {
        (self.list)(*directory, names)
    }
    fn open<'a>(&'a self, _: &'a u64) -> Result<Box<dyn Read + 'a>, ReadError> {
        Ok(Box::new(std::io::empty()))
    }
    fn streams(&self, file: &u64) -> Result<Vec<Stream<u64>>, ReadError> {
        let stream = |name: &str| Stream { name: name.to_owned(), size: 0, file: *file };
        Ok(self.stream.filter(|_| file % 2 == 1).map(stream).into_iter().collect())
    }
}

struct Count(u64);

impl Visit for Count {
    fn entry(&mut self, _: &Entry) -> Result<bool, ReadError> {
        self.0 += 1;
        Ok(true)
    }
    fn content(&mut self, _: &Entry, _: &mut dyn Read) -> Result<(), ReadError> {
        Ok(())
    }
}

fn code_of(result: Result<(), ReadError>) -> &'static str {
    match result {
        Ok(()) => "read",
        Err(ReadError::Refused { code, .. }) => code,
        Err(ReadError::Io(error)) => panic!("{error}"),
    }
}

fn walked(list: impl Fn(u64, &mut Names<u64>) -> Result<(), ReadError>) -> &'static str {
    code_of(tree(Made { list, root: Kind::Directory, stream: None }).walk(&mut Count(0)))
}

#[test]
fn depth_length_and_number_are_bounded() {
    assert_eq!(walked(|_, _| Ok(())), "read");
    let chain = |name: &'static str, last: u64| {
        move |id, names: &mut Names<u64>| {
            if id < last { names.add(name.as_bytes(), id + 2, 0) } else { Ok(()) }
        }
    };
    assert_eq!(walked(chain("d", 2 * 1999)), "read");
    assert_eq!(walked(chain("d", u64::MAX)), "FS-14");
    assert_eq!(walked(chain("a directory with a long name", u64::MAX)), "FS-12");
    let wide = |count: u64| {
        move |_, names: &mut Names<u64>| {
            (0..count).try_for_each(|one| names.add(one.to_string().as_bytes(), 1, 0))
        }
    };
    assert_eq!(walked(wide(1000)), "read");
    assert_eq!(walked(wide(5_000_001)), "FS-08");
}

#[test]
fn a_directory_is_entered_once() {
    assert_eq!(walked(|_, names| names.add(b"again", 0, 0)), "FS-13");
    assert_eq!(walked(|id, names| names.add(b"again", if id < 6 { id + 2 } else { 2 }, 0)), "FS-13");
    let root = Made { list: |_, _: &mut Names<u64>| Ok(()), root: Kind::File, stream: None };
    assert_eq!(code_of(tree(root).walk(&mut Count(0))), "FS-11");
}

#[test]
fn names_are_names() {
    for name in ["", ".", "..", "a/b", "a\0"] {
        assert_eq!(walked(|_, names| names.add(name.as_bytes(), 1, 0)), "FS-07", "{name:?}");
    }
    let twice = |one: &'static str, other: &'static str| {
        walked(move |_, names| {
            names.add(one.as_bytes(), 1, 0).and_then(|()| names.add(other.as_bytes(), 3, 0))
        })
    };
    assert_eq!(twice("a", "b"), "read");
    assert_eq!(twice("a", "a"), "FS-10");
    assert_eq!(twice("Boot", "BOOT"), "FS-10");
    let streamed = |name: &'static str| {
        let list = |id, names: &mut Names<u64>| if id == 0 { names.add(b"f", 1, 0) } else { Ok(()) };
        code_of(tree(Made { list, root: Kind::Directory, stream: Some(name) }).walk(&mut Count(0)))
    };
    assert_eq!(streamed("hidden"), "read");
    assert_eq!(streamed("../x"), "FS-07");
}

#[test]
fn names_that_are_not_utf_8_show_their_bytes() {
    let list = |_, names: &mut Names<u64>| names.add(b"caf\xe9", 1, 0);
    let mut collect = Collect::default();
    tree(Made { list, root: Kind::Directory, stream: None }).walk(&mut collect).unwrap();
    assert_eq!(collect.entries[0].path, r"caf\xE9");
}

#[test]
fn a_source_gives_what_the_disk_has_and_no_more_than_its_budget() {
    let bytes = noise(3_000_000, 9);
    let source = Source::new(Arc::new(bytes.clone()), bytes.len() as u64);
    for (at, length) in [(0, 10), (65_530, 20), (2_999_990, 10), (1_000_000, 500_000), (0, 3_000_000)] {
        assert_eq!(source.bytes(at, length).unwrap(), bytes[at as usize..at as usize + length]);
    }
    assert_eq!(code_of(source.bytes(2_999_991, 10).map(drop)), "FS-04");
    assert_eq!(code_of(source.bytes(u64::MAX, 10).map(drop)), "FS-04");
    let content = || {
        let run = |at, from| Run { at, length: 1_000_000, from };
        let runs = vec![run(0, 2_000_000), run(1_500_000, 0), run(2_500_000, 1_000_000)];
        let mut found = Vec::new();
        Content::new(&source, runs, 4_000_000).read_to_end(&mut found).map(|_| found)
    };
    let hole = |length| vec![0; length];
    let parts = [
        &bytes[2_000_000..],
        &hole(500_000),
        &bytes[..1_000_000],
        &bytes[1_000_000..2_000_000],
        &hole(500_000),
    ];
    assert_eq!(content().unwrap(), parts.concat());
    let refused = (0..10_000).find_map(|_| content().err()).map(ReadError::from);
    assert_eq!(code_of(Err(refused.unwrap())), "FS-05");
}

/// Counts the bytes that are read of it.
struct Metered(Vec<u8>, AtomicUsize);

impl ReadAt for Metered {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.1.fetch_add(buffer.len(), Ordering::Relaxed);
        self.0.read_at(offset, buffer)
    }
}

#[test]
fn what_was_read_ahead_of_a_large_file_is_not_read_again() {
    let disk = Arc::new(Metered(noise(3_000_000, 4), Default::default()));
    let source = Source::new(Arc::clone(&disk) as Arc<dyn ReadAt>, 3_000_000);
    // The first block, the two behind it, and the last, which is short.
    for at in [0, 65_536, 2_990_000] {
        source.bytes(at, 100).unwrap();
    }
    let ahead = 65_536 * 3 + 3_000_000 % 65_536;
    for (from, length) in [(50_000, 1_000_000), (0, 3_000_000), (2_800_000, 200_000), (70_000, 70_000)] {
        let run = Run { at: 0, length, from };
        let before = disk.1.load(Ordering::Relaxed);
        let mut found = vec![0; length as usize];
        Content::of_file(&source, vec![run], length).read_exact(&mut found).unwrap();
        assert_eq!(found, disk.0[from as usize..][..length as usize], "{from}");
        let read = disk.1.load(Ordering::Relaxed) - before;
        let expected = match from {
            50_000 => 1_050_000 - 65_536 * 3,
            0 => 3_000_000 - ahead,
            2_800_000 => 200_000 - 3_000_000 % 65_536,
            _ => 0,
        };
        assert_eq!(read, expected, "{from}");
    }
}
