//! What the tests of all file systems share: source directories, tools, and walks that are compared.

use super::*;
use mercat_disk::ReadAt;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

mod ext;
mod fat;
mod hostile;
mod iso;
mod lvm;
mod ntfs;
mod partitions;
mod squash;
mod walk;
mod xfs;

/// What a file system shows of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) sha256: String,
    pub(crate) mode: u32,
    pub(crate) link: String,
}

pub(crate) type Snapshot = BTreeMap<String, Seen>;

/// A disk image in a file.
pub(crate) struct Image(fs::File, u64);

impl Image {
    pub(crate) fn open(path: &Path) -> Arc<dyn ReadAt> {
        let file = fs::File::open(path).unwrap();
        let size = file.metadata().unwrap().len();
        Arc::new(Self(file, size))
    }
}

impl ReadAt for Image {
    fn size(&self) -> u64 {
        self.1
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        Ok(self.0.read_exact_at(buffer, offset)?)
    }
}

/// Whether a program is there; says so when it is not.
pub(crate) fn has(program: &str) -> bool {
    let paths = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let found = paths.split(':').any(|folder| Path::new(folder).join(program).exists());
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

/// Runs a program that must succeed; gives what it prints.
pub(crate) fn run(program: &str, arguments: &[&str], input: &str) -> String {
    use std::io::Write;
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let mut child = Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .env("MTOOLS_SKIP_CHECK", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An empty file of a size.
pub(crate) fn blank(path: &Path, size: u64) {
    fs::File::create(path).unwrap().set_len(size).unwrap();
}

/// Bytes that do not repeat.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// A directory with what makes file systems work: many names, long ones, holes, links, modes.
pub(crate) fn fill(root: &Path) {
    let write = |path: &str, bytes: &[u8]| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    };
    write("etc/os-release", b"ID=debian\n");
    write("etc/empty", b"");
    write("usr/bin/large", &noise(3_000_001, 1));
    write("usr/bin/small", &noise(59, 2));
    write("usr/bin/medium", &noise(100, 3));
    write(&format!("usr/share/{}", "n".repeat(200)), b"a long name");
    write("usr/share/\u{306b}\u{307b}\u{3093}.txt", b"not ASCII");
    write("a/b/c/d/e/f/g/h/deep", b"deep");
    for number in 0..600 {
        write(&format!("many/file with number {number:04}"), format!("{number}").as_bytes());
    }
    fs::set_permissions(root.join("usr/bin/small"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::create_dir(root.join("tmp")).unwrap();
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    let sparse = fs::File::create(root.join("sparse")).unwrap();
    sparse.set_len(5 << 20).unwrap();
    sparse.write_all_at(b"middle", 1 << 20).unwrap();
    sparse.write_all_at(b"end", (5 << 20) - 3).unwrap();
    fs::set_permissions(root.join("sparse"), fs::Permissions::from_mode(0o600)).unwrap();
    symlink("etc/os-release", root.join("short-link")).unwrap();
    symlink(format!("/{}", "very/long/".repeat(20)), root.join("long-link")).unwrap();
    fs::hard_link(root.join("usr/bin/large"), root.join("hard-link")).unwrap();
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The snapshot of a directory of this machine.
pub(crate) fn of_directory(root: &Path) -> Snapshot {
    let mut seen = Snapshot::new();
    let mut todo = vec![root.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let (kind, bytes) = if meta.is_dir() {
                todo.push(path.clone());
                (Kind::Directory, None)
            } else if meta.is_symlink() {
                (Kind::Symlink, None)
            } else {
                (Kind::File, Some(fs::read(&path).unwrap()))
            };
            let link = fs::read_link(&path).map(|link| link.to_str().unwrap().to_owned()).unwrap_or_default();
            seen.insert(
                path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(),
                Seen {
                    kind,
                    size: bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
                    sha256: bytes.map(|bytes| digest(&bytes)).unwrap_or_default(),
                    mode: meta.mode() & 0o7777,
                    link,
                },
            );
        }
    }
    seen
}

/// Takes a snapshot of a walk, with the entries as they came.
#[derive(Default)]
pub(crate) struct Collect {
    pub(crate) seen: Snapshot,
    pub(crate) entries: Vec<Entry>,
}

impl Visit for Collect {
    fn entry(&mut self, entry: &Entry) -> Result<bool, ReadError> {
        let seen = Seen {
            kind: entry.kind,
            size: entry.size,
            sha256: String::new(),
            mode: entry.mode,
            link: entry.link.clone(),
        };
        assert!(self.seen.insert(entry.path.clone(), seen).is_none(), "{} comes twice", entry.path);
        let parent = entry.path.rsplit_once('/').map(|(parent, _)| parent);
        assert!(
            parent.is_none_or(|parent| self.seen.contains_key(parent)),
            "{} before its parent",
            entry.path
        );
        self.entries.push(entry.clone());
        Ok(entry.kind == Kind::File)
    }

    fn content(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), ReadError> {
        let (mut hash, mut count) = (Sha256::new(), 0);
        let mut buffer = vec![0; 100_000];
        loop {
            match content.read(&mut buffer)? {
                0 => break,
                length => {
                    hash.update(&buffer[..length]);
                    count += length as u64;
                }
            }
        }
        assert_eq!(count, entry.size, "{}", entry.path);
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        self.seen.get_mut(&entry.path).unwrap().sha256 = sha256;
        Ok(())
    }
}

/// Walks one volume with all content.
pub(crate) fn walk(guest: &Guest, volume: &Volume) -> Result<Collect, ReadError> {
    let mut collect = Collect::default();
    guest.tree(volume)?.walk(&mut collect)?;
    Ok(collect)
}

/// Walks the only volume of a disk without partition table.
pub(crate) fn walk_disk(disk: Arc<dyn ReadAt>) -> Result<Collect, ReadError> {
    let guest = Guest::open(disk)?;
    assert_eq!(guest.volumes.len(), 1);
    walk(&guest, &guest.volumes[0])
}

/// Opens every volume and reads every file; only the first refusal counts. Must end and not panic.
pub(crate) fn read_all(disk: Arc<dyn ReadAt>) -> Result<(), ReadError> {
    struct All;
    impl Visit for All {
        fn entry(&mut self, _: &Entry) -> Result<bool, ReadError> {
            Ok(true)
        }
        fn content(&mut self, _: &Entry, content: &mut dyn Read) -> Result<(), ReadError> {
            std::io::copy(content, &mut std::io::sink())?;
            Ok(())
        }
    }
    let guest = Guest::open(disk)?;
    for volume in &guest.volumes {
        match &volume.contents {
            Contents::FileSystem(_) => guest.tree(volume)?.walk(&mut All)?,
            Contents::Unreadable { what, code } => return Err(ReadError::refused(code, 0, what.clone())),
            _ => {}
        }
    }
    Ok(())
}

/// The code that a disk is refused with.
pub(crate) fn code(disk: Vec<u8>) -> String {
    match read_all(Arc::new(disk)) {
        Err(ReadError::Refused { code, .. }) => code.to_owned(),
        Err(error) => error.to_string(),
        Ok(()) => "read".to_owned(),
    }
}

/// Compares two snapshots and says what differs first.
pub(crate) fn assert_same(found: &Snapshot, wanted: &Snapshot) {
    for (path, seen) in wanted {
        assert_eq!(found.get(path), Some(seen), "{path}");
    }
    let more: Vec<&String> = found.keys().filter(|path| !wanted.contains_key(*path)).collect();
    assert!(more.is_empty(), "{more:?}");
}

/// For deeper looks by hand: an image of any file system against a directory where it is mounted.
#[test]
fn an_image_named_by_the_environment_reads_as_its_directory() {
    let (Ok(image), Ok(root)) = (std::env::var("GUEST_IMAGE"), std::env::var("GUEST_ROOT")) else {
        eprintln!("skipped: GUEST_IMAGE and GUEST_ROOT are not set");
        return;
    };
    let mut found = walk_disk(Image::open(Path::new(&image))).unwrap();
    let mut wanted = of_directory(Path::new(&root));
    if found.seen.values().all(|seen| seen.mode == 0) {
        wanted.values_mut().for_each(|seen| seen.mode = 0);
        found.seen.retain(|path, _| !path.starts_with('$'));
    }
    assert_same(&found.seen, &wanted);
    let listed =
        run("getfattr", &["-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "--absolute-names", &root], "");
    let prefix = format!("# file: {root}/");
    let mut real = BTreeMap::new();
    for file in listed.split("\n\n").filter_map(|file| file.strip_prefix(&prefix)) {
        let mut lines: Vec<&str> = file.lines().collect();
        let path = lines.remove(0).to_owned();
        lines.sort_unstable();
        real.insert(path, lines.join("\n"));
    }
    for entry in found.entries.iter().filter(|entry| entry.kind != Kind::Symlink) {
        let hex = |value: &[u8]| value.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut lines: Vec<String> =
            entry.xattrs.iter().map(|(name, value)| format!("{name}=0x{}", hex(value))).collect();
        lines.sort_unstable();
        assert_eq!(lines.join("\n"), real.get(&entry.path).cloned().unwrap_or_default(), "{}", entry.path);
    }
}

#[test]
fn every_code_has_a_meaning_and_every_meaning_a_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut text = String::new();
    let mut todo = vec![folder];
    while let Some(path) = todo.pop() {
        if path.is_dir() && !path.ends_with("tests") {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() && !path.ends_with("codes.rs") && !path.ends_with("tests.rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
    let prefixes = ["PRT-", "LVM-", "FS-", "EXT-", "XFS-", "FAT-", "NTF-", "ISO-", "HIV-", "SQF-"];
    let used: std::collections::BTreeSet<&str> = text
        .split('"')
        .filter(|word| word.len() <= 6 && prefixes.iter().any(|prefix| word.starts_with(prefix)))
        .collect();
    let listed: std::collections::BTreeSet<&str> = CODES.iter().map(|(code, _)| *code).collect();
    assert_eq!(used, listed);
    assert_eq!(listed.len(), CODES.len());
}

#[test]
fn links_are_resolved_inside_the_guest_only() {
    let links: BTreeMap<&str, &str> = BTreeMap::from([
        ("etc/os-release", "../usr/lib/os-release"),
        ("bin", "usr/bin"),
        ("up", "../../../../etc/passwd"),
        ("absolute", "/usr/lib"),
        ("loop", "loop"),
        ("ping", "pong"),
        ("pong", "ping/x"),
    ]);
    let lookup = |path: &str| links.get(path).map(|target| (*target).to_owned());
    let resolve = |path: &str| resolve(path, &lookup);
    assert_eq!(resolve("etc/os-release").as_deref(), Some("usr/lib/os-release"));
    assert_eq!(resolve("/bin/sh").as_deref(), Some("usr/bin/sh"));
    assert_eq!(resolve("up").as_deref(), Some("etc/passwd"));
    assert_eq!(resolve("absolute/x/../y").as_deref(), Some("usr/lib/y"));
    assert_eq!(resolve("../../x").as_deref(), Some("x"));
    assert_eq!(resolve("").as_deref(), Some(""));
    assert_eq!(resolve("loop/x"), None);
    assert_eq!(resolve("ping"), None);
}
