use super::*;

/// Packs a directory.
fn make(options: &[&str]) -> Option<(tempfile::TempDir, std::path::PathBuf)> {
    if !has("mksquashfs") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let (root, image) = (folder.path().join("root"), folder.path().join("image"));
    fs::create_dir(&root).unwrap();
    fill(&root);
    let fixed = [root.to_str().unwrap(), image.to_str().unwrap(), "-quiet", "-no-progress"];
    run("mksquashfs", &[&fixed[..], options].concat(), "");
    Some((folder, image))
}

fn packed(options: &[&str]) -> Option<Vec<u8>> {
    make(options).map(|(_folder, image)| fs::read(image).unwrap())
}

#[test]
fn squashfs_reads_as_the_directory_it_was_made_of() {
    for options in [
        &["-comp", "gzip"][..],
        &["-comp", "xz", "-Xbcj", "x86"],
        &["-comp", "zstd", "-b", "4096"],
        &["-comp", "lz4"],
        &["-comp", "gzip", "-noI", "-noD", "-noF", "-noX"],
        &["-comp", "gzip", "-no-fragments", "-no-exports", "-no-xattrs"],
        &["-comp", "zstd", "-always-use-fragments", "-b", "1048576", "-no-sparse"],
        &["-comp", "gzip", "-no-duplicates", "-nopad"],
    ] {
        let Some((folder, image)) = make(options) else { return };
        let guest = Guest::open(Image::open(&image)).unwrap();
        assert_eq!(guest.volumes[0].contents, Contents::FileSystem("squashfs"), "{options:?}");
        let found = walk(&guest, &guest.volumes[0]).unwrap_or_else(|error| panic!("{options:?}: {error}"));
        assert_same(&found.seen, &of_directory(&folder.path().join("root")));
        let inode = |path: &str| found.entries.iter().find(|entry| entry.path == path).unwrap().inode;
        assert_eq!(inode("hard-link"), inode("usr/bin/large"));
        assert_ne!(inode("hard-link"), inode("usr/bin/small"));
    }
}

#[test]
fn attributes_of_squashfs_are_shown() {
    let Some((folder, image)) = make(&["-comp", "gzip"]) else { return };
    let root = folder.path().join("root");
    let script = "import os, sys\nfor path in sys.argv[2:]: os.setxattr(sys.argv[1] + path, 'user.same', b'a' + 200 * b'b')";
    let paths = ["usr/bin/large", "etc/os-release"];
    let set =
        Command::new("python3").args(["-c", script, &format!("{}/", root.display())]).args(paths).status();
    if !set.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no extended attributes, or no python3 to set them");
        return;
    }
    fs::remove_file(&image).unwrap();
    run("mksquashfs", &[root.to_str().unwrap(), image.to_str().unwrap(), "-quiet", "-no-progress"], "");
    let found = walk_disk(Image::open(&image)).unwrap();
    let of = |path: &str| found.entries.iter().find(|entry| entry.path == path).unwrap().xattrs.clone();
    let expected = [("user.same".to_owned(), format!("a{}", "b".repeat(200)).into_bytes())];
    assert_eq!((of("usr/bin/large"), of("etc/os-release")), (expected.to_vec(), expected.to_vec()));
    assert_eq!(of("usr/bin/small"), []);
}

#[test]
fn a_squashfs_that_lies_is_refused() {
    let Some(disk) = packed(&["-comp", "gzip", "-noI", "-noD", "-noF", "-noX", "-all-root"]) else { return };
    let with = |at: usize, value: &[u8]| {
        let mut disk = disk.clone();
        disk[at..at + value.len()].copy_from_slice(value);
        code(disk)
    };
    let le = |at: usize| usize::try_from(u64::from_le_bytes(disk[at..at + 8].try_into().unwrap())).unwrap();
    assert_eq!(with(4, &[9]), "read");
    assert_eq!(with(12, &4095_u32.to_le_bytes()), "SQF-01");
    assert_eq!(with(22, &[40]), "SQF-01");
    assert_eq!(with(40, &u64::MAX.to_le_bytes()), "SQF-01");
    assert_eq!(with(64, &u64::MAX.to_le_bytes()), "SQF-01");
    assert_eq!(with(64, &disk[72..80]), "SQF-01");
    assert_eq!(with(32, &(1_u64 << 40).to_le_bytes()), "SQF-02");
    assert_eq!(with(26, &[0, 0]), "SQF-02");
    assert_eq!(with(80, &u64::MAX.to_le_bytes()), "SQF-02");
    // Not packed, so that metadata can be changed where it is.
    let root = le(64) + (le(32) >> 16) + 2 + (le(32) & 0xffff);
    assert_eq!(disk[root], 1, "a directory");
    assert_eq!(with(root, &[99]), "SQF-02");
    assert_eq!(with(root, &[6]), "FS-11");
    assert_eq!(with(root + 24, &[1, 0]), "SQF-04");
    assert_eq!(with(root + 24, &[255, 255]), "SQF-04");
    assert_eq!(with(le(64), &[0xff, 0x3f]), "SQF-03");
    // The directory of 600 files has an index; its inode is the first of kind 8.
    let large = (le(64) + 2..le(72)).find(|at| disk[*at] == 8 && disk[at + 1] == 0 && disk[at + 32] == 2);
    let index = large.expect("a large directory") + 40;
    assert_eq!(with(index, &[1]), "SQF-04");
    assert_eq!(with(index + 4, &[1]), "SQF-04");
    assert_eq!(with(index + 12, b"X"), "SQF-04");
    let names = le(72) + 2;
    let first = memchr(&disk[names..], b"os-release") + names;
    assert_eq!(with(first, b"/"), "FS-07");
    assert_eq!(with(first, b"empty\0"), "FS-07");
    for cut in [100, 4096, disk.len() / 2] {
        assert_eq!(code(disk[..cut].to_vec()), "SQF-01");
    }
}

fn memchr(bytes: &[u8], word: &[u8]) -> usize {
    bytes.windows(word.len()).position(|window| window == word).unwrap()
}

#[test]
fn two_files_that_give_themselves_one_number_are_two() {
    let Some(disk) = packed(&["-comp", "gzip", "-noI", "-noD", "-noF", "-all-root"]) else { return };
    let found = walk_disk(Arc::new(disk.clone())).unwrap();
    let inode = |path: &str| found.entries.iter().find(|entry| entry.path == path).unwrap().inode;
    let mut disk = disk;
    let table = usize::try_from(u64::from_le_bytes(disk[64..72].try_into().unwrap())).unwrap();
    let place =
        |reference: u64| table + usize::try_from((reference >> 16) + 2 + (reference & 0xffff)).unwrap();
    let (one, other) = (place(inode("usr/bin/small")), place(inode("usr/bin/medium")));
    let number = disk[one + 12..one + 16].to_vec();
    disk[other + 12..other + 16].copy_from_slice(&number);
    let found = walk_disk(Arc::new(disk)).unwrap();
    let inode = |path: &str| found.entries.iter().find(|entry| entry.path == path).unwrap().inode;
    assert_ne!(inode("usr/bin/small"), inode("usr/bin/medium"));
}

#[test]
fn other_compressors_are_told_by_name() {
    let Some(mut disk) = packed(&["-comp", "gzip"]) else { return };
    for (number, name) in [(2, "lzma"), (3, "lzo"), (77, "unknown")] {
        disk[20] = number;
        let guest = Guest::open(Arc::new(disk.clone())).unwrap();
        let Contents::Unreadable { what, code } = &guest.volumes[0].contents else { panic!("{number}") };
        assert!(what.contains(name) && *code == "FS-01", "{what}");
    }
}

pub(super) fn sample() -> Option<Vec<u8>> {
    packed(&["-comp", "gzip", "-noI", "-noF"])
}
