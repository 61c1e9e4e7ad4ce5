use super::*;

/// A file system with files in its root, which is all that can be made without mounting it.
fn make(options: &[&str]) -> Option<(tempfile::TempDir, std::path::PathBuf, Snapshot)> {
    if !has("mkntfs") || !has("ntfscp") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    blank(&image, 16 << 20);
    run("mkntfs", &[options, &["-F", "-Q", "-q", image.to_str().unwrap()]].concat(), "");
    let mut wanted = Snapshot::new();
    let mut copy = |name: &str, stream: &str, bytes: &[u8]| {
        let path = folder.path().join("file");
        fs::write(&path, bytes).unwrap();
        let target = ["-q", image.to_str().unwrap(), path.to_str().unwrap(), name];
        let shown = if stream.is_empty() {
            run("ntfscp", &target, "");
            name.to_owned()
        } else {
            run("ntfscp", &[&["-N", stream], &target[..]].concat(), "");
            format!("{name}:{stream}")
        };
        let (size, sha256) = (bytes.len() as u64, digest(bytes));
        wanted.insert(shown, Seen { kind: Kind::File, size, sha256, mode: 0, link: String::new() });
    };
    copy("large.bin", "", &noise(2_000_001, 1));
    copy("small.txt", "", b"small");
    copy("empty", "", b"");
    copy("\u{306b}\u{307b}\u{3093}.txt", "", b"not ASCII");
    copy("small.txt", "hidden", b"X5O!P%@AP");
    copy("small.txt", "large", &noise(100_000, 2));
    for number in 0..120 {
        copy(&format!("a file with a long name, number {number}"), "", &[number; 700]);
    }
    Some((folder, image, wanted))
}

/// Leaves out what the file system made for itself.
fn ordinary(mut seen: Snapshot) -> Snapshot {
    seen.retain(|path, _| !path.starts_with('$'));
    seen
}

#[test]
fn ntfs_reads_as_it_was_filled_with_all_streams() {
    for options in [&[][..], &["-c", "65536"], &["-c", "512"], &["-s", "4096", "-c", "4096"]] {
        let Some((_folder, image, wanted)) = make(options) else { return };
        let guest = Guest::open(Image::open(&image)).unwrap();
        assert_eq!(guest.volumes[0].contents, Contents::FileSystem("ntfs"));
        let found = walk(&guest, &guest.volumes[0]).unwrap_or_else(|error| panic!("{options:?}: {error}"));
        assert_eq!(found.seen["$MFT"].kind, Kind::Special);
        assert_same(&ordinary(found.seen), &wanted);
        let small = found.entries.iter().find(|entry| entry.path == "small.txt").unwrap();
        assert!((small.mtime - 1_700_000_000) > 0 && small.mtime < 1 << 33);
    }
}

/// The byte where a file's record begins.
fn record_of(disk: &[u8], name: &str) -> usize {
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    (0..disk.len())
        .step_by(1024)
        .find(|at| {
            let record = &disk[*at..*at + 1024];
            record.starts_with(b"FILE")
                && record[22] == 1
                && record.windows(name.len()).any(|part| part == name)
        })
        .unwrap()
}

/// The byte where an attribute of a record begins.
fn attribute_of(disk: &[u8], record: usize, kind: u8) -> usize {
    let mut at = record + usize::from(disk[record + 20]);
    while disk[at] != kind {
        at += usize::from(disk[at + 4]) | usize::from(disk[at + 5]) << 8;
    }
    at
}

#[test]
fn an_ntfs_that_lies_is_refused() {
    let Some((_folder, image, _)) = make(&[]) else { return };
    let disk = fs::read(&image).unwrap();
    let with = |at: usize, value: &[u8]| {
        let mut disk = disk.clone();
        disk[at..at + value.len()].copy_from_slice(value);
        code(disk)
    };
    assert_eq!(with(11, &[0, 0]), "NTF-01");
    assert_eq!(with(13, &[200]), "NTF-01");
    assert_eq!(with(40, &[255; 8]), "NTF-01");
    assert_eq!(with(48, &[255; 8]), "NTF-01");
    assert_eq!(with(64, &[128]), "NTF-01");
    let table = (usize::from(disk[48]) | usize::from(disk[49]) << 8) * 4096;
    assert_eq!(with(table, b"BAAD"), "NTF-02");
    assert_eq!(with(table + 510, &[9]), "NTF-02");
    // The table's own content: inside itself, or with a size behind its runs.
    let content = attribute_of(&disk, table, 0x80);
    assert_eq!(with(content + 56, &[255; 8]), "NTF-04");
    assert_eq!(with(content + 24, &[255]), "NTF-05");
    let record = record_of(&disk, "large.bin");
    let content = attribute_of(&disk, record, 0x80);
    let pairs = content + usize::from(disk[content + 32]);
    assert_eq!(with(record + 22, &[0]), "NTF-03");
    assert_eq!(with(record + 16, &[77]), "NTF-03");
    assert_eq!(with(record + 32, &[7]), "NTF-03");
    assert_eq!(with(record + 24, &[255; 4]), "NTF-02");
    assert_eq!(with(content + 4, &[0; 4]), "NTF-04");
    assert_eq!(with(content + 4, &[255; 4]), "NTF-04");
    assert_eq!(with(content + 48, &[255; 8]), "NTF-04");
    assert_eq!(with(content + 34, &[60]), "NTF-04");
    assert_eq!(with(content + 12, &[0, 0x40]), "NTF-09");
    assert_eq!(with(pairs, &[0xff]), "NTF-05");
    assert_eq!(with(pairs, &[0x11, 1]), "NTF-05");
    assert_eq!(with(pairs + 1, &[0xff, 0xff]), "NTF-05");
    let index = (0..disk.len()).step_by(4096).find(|at| disk[*at..].starts_with(b"INDX\x28\0")).unwrap();
    assert_eq!(with(index, b"XXXX"), "NTF-07");
    assert_eq!(with(index + 16, &[9]), "NTF-07");
    assert_eq!(with(index + 28, &[255; 4]), "NTF-07");
    assert_eq!(with(index + 24 + 16 + 24 + 8, &[0, 0]), "NTF-07");
    // A name for DOS that no other goes with.
    let name: Vec<u8> = "large.bin".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let places = (1..disk.len() - name.len()).filter(|at| disk[*at..].starts_with(&name));
    let found: Vec<String> = places.map(|at| with(at - 1, &[2])).collect();
    assert!(found.iter().any(|code| code == "NTF-07"), "{found:?}");
    // The root's tree points at one block from everywhere.
    let root = attribute_of(&disk, table + 5 * 1024, 0x90);
    let value = root + usize::from(disk[root + 20]);
    let first = value + 16 + usize::from(disk[value + 16]);
    let length = usize::from(disk[first + 8]);
    let next = first + length;
    if disk[first + 12] & 2 == 0 {
        let child = disk[first + length - 8..first + length].to_vec();
        let length = usize::from(disk[next + 8]);
        assert_eq!(with(next + length - 8, &child), "NTF-07");
    }
}

#[test]
fn an_open_log_is_refused() {
    let Some((_folder, image, _)) = make(&[]) else { return };
    let disk = fs::read(&image).unwrap();
    let table = (usize::from(disk[48]) | usize::from(disk[49]) << 8) * 4096;
    let content = attribute_of(&disk, table + 2 * 1024, 0x80);
    let pairs = content + usize::from(disk[content + 32]);
    let wide = usize::from(disk[pairs] & 15);
    let first = usize::from(disk[pairs + 1 + wide]) | usize::from(disk[pairs + 2 + wide]) << 8;
    let with = |client: [u8; 2], flags: u8| {
        let mut disk = disk.clone();
        for page in [first * 4096, first * 4096 + 4096] {
            let page = &mut disk[page..page + 4096];
            page.fill(0);
            page[..4].copy_from_slice(b"RSTR");
            page[4..8].copy_from_slice(&[30, 0, 9, 0]);
            page[17] = 16;
            page[24] = 48;
            page[48 + 12..48 + 14].copy_from_slice(&client);
            page[48 + 14] = flags;
        }
        code(disk)
    };
    assert_eq!(with([0xff, 0xff], 0), "read");
    assert_eq!(with([0, 0], 2), "read");
    assert_eq!(with([0, 0], 0), "NTF-11");
}
