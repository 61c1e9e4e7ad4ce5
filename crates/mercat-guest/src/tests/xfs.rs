use super::*;

/// A protofile of mkfs.xfs for a directory: it takes neither blanks in names nor hard links.
fn proto(root: &Path) -> String {
    fn folder(path: &Path, text: &mut String) {
        let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = path.file_name().unwrap().to_str().unwrap();
            let meta = fs::symlink_metadata(&path).unwrap();
            let mode = meta.mode();
            let bit = |bit: u32, letter: char| if mode & bit == 0 { '-' } else { letter };
            let flags = format!("{}{}{:03o}", bit(0o4000, 'u'), bit(0o2000, 'g'), mode & 0o777);
            if meta.is_dir() {
                text.push_str(&format!("{name} d{flags} 0 0\n"));
                folder(&path, text);
                text.push_str("$\n");
            } else if meta.is_symlink() {
                text.push_str(&format!("{name} l--777 0 0 {}\n", fs::read_link(&path).unwrap().display()));
            } else {
                text.push_str(&format!("{name} -{flags} 0 0 {}\n", path.display()));
            }
        }
    }
    let mut text = "/\n0 0\nd--755 0 0\n".to_owned();
    folder(root, &mut text);
    text + "$\n"
}

fn make(options: &[&str], more: usize) -> Option<(tempfile::TempDir, std::path::PathBuf)> {
    if !has("mkfs.xfs") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let (root, image) = (folder.path().join("root"), folder.path().join("image"));
    fs::create_dir(&root).unwrap();
    fill(&root);
    fs::remove_dir_all(root.join("many")).unwrap();
    fs::remove_file(root.join("hard-link")).unwrap();
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o777)).unwrap();
    // mkfs.xfs 6.1 forgets the header of links in blocks of version 5.
    if options.contains(&"crc=0") {
        symlink("x".repeat(900), root.join("remote-link")).unwrap();
    }
    for (folder, count) in [("one", 20), ("leaf", 300), ("node", more)] {
        fs::create_dir(root.join(folder)).unwrap();
        for number in 0..count {
            let name = format!("a-file-with-a-longer-name-and-the-number-{number}");
            fs::write(root.join(folder).join(name), number.to_string()).unwrap();
        }
    }
    blank(&image, 400 << 20);
    let proto_file = folder.path().join("proto");
    fs::write(&proto_file, proto(&root)).unwrap();
    let arguments = [options, &["-q", "-p", proto_file.to_str().unwrap(), image.to_str().unwrap()]].concat();
    run("mkfs.xfs", &arguments, "");
    Some((folder, image))
}

fn compare(options: &[&str], more: usize) {
    let Some((folder, image)) = make(options, more) else { return };
    let mut wanted = of_directory(&folder.path().join("root"));
    // A protofile gives every link its own mode.
    wanted.values_mut().filter(|seen| seen.kind == Kind::Symlink).for_each(|seen| seen.mode = 0o777);
    let guest = Guest::open(Image::open(&image)).unwrap();
    assert_eq!(guest.volumes[0].contents, Contents::FileSystem("xfs"));
    let found = walk(&guest, &guest.volumes[0]).unwrap_or_else(|error| panic!("{options:?}: {error}"));
    assert_same(&found.seen, &wanted);
}

#[test]
fn xfs_of_version_5_reads_as_the_directory_it_was_made_of() {
    compare(&[], 5000);
    compare(&["-b", "size=1024", "-n", "size=4096", "-m", "rmapbt=1,reflink=0,bigtime=0"], 500);
    compare(&["-i", "size=2048", "-n", "size=16384"], 500);
}

#[test]
fn xfs_of_version_4_reads_the_same() {
    compare(&["-m", "crc=0", "-n", "ftype=0"], 500);
    compare(&["-m", "crc=0", "-n", "ftype=1", "-i", "size=256,attr=2", "-b", "size=512"], 5000);
}

/// Changes bytes of a fresh file system, puts the checksum right, and gives the code.
fn changed(image: &[u8], at: usize, value: &[u8], sum: Option<(usize, usize, usize)>) -> String {
    let mut disk = image.to_vec();
    disk[at..at + value.len()].copy_from_slice(value);
    if let Some((start, length, field)) = sum {
        disk[start + field..start + field + 4].fill(0);
        let sum = crc32c::crc32c(&disk[start..start + length]);
        disk[start + field..start + field + 4].copy_from_slice(&sum.to_le_bytes());
    }
    code(disk)
}

#[test]
fn an_xfs_that_lies_is_refused() {
    let Some((_folder, image)) = make(&[], 10) else { return };
    let disk = fs::read(&image).unwrap();
    let be = |at: usize, bytes: usize| {
        (0..bytes).fold(0_usize, |sum, byte| sum << 8 | usize::from(disk[at + byte]))
    };
    let superblock = Some((0, 512, 224));
    let front = |at: usize, value: &[u8]| changed(&disk, at, value, superblock);
    assert_eq!(front(12, &[0]), "read");
    assert_eq!(changed(&disk, 108, b"label", None), "XFS-02");
    assert_eq!(front(4, &0_u32.to_be_bytes()), "XFS-01");
    assert_eq!(front(4, &(1_u32 << 31).to_be_bytes()), "XFS-01");
    assert_eq!(front(8, &u64::MAX.to_be_bytes()), "XFS-01");
    assert_eq!(front(84, &1_u32.to_be_bytes()), "XFS-01");
    assert_eq!(front(104, &0_u16.to_be_bytes()), "XFS-01");
    assert_eq!(front(192, &[200]), "XFS-01");
    assert_eq!(front(126, &[1]), "XFS-01");
    assert_eq!(front(100, &0xb4a6_u16.to_be_bytes()), "XFS-03");
    assert_eq!(front(216, &0x8000_0003_u32.to_be_bytes()), "XFS-03");
    assert_eq!(front(216, &0x13_u32.to_be_bytes()), "XFS-03");
    assert_eq!(front(56, &u64::MAX.to_be_bytes()), "XFS-04");
    assert_eq!(front(48, &0_u64.to_be_bytes()), "XFS-11");
    // The root directory is short; its inode is the first of its block.
    let root = be(56, 8) * 512;
    let inode = |at: usize, value: &[u8]| changed(&disk, root + at, value, Some((root, 512, 100)));
    assert_eq!(inode(36, &[1]), "read");
    assert_eq!(changed(&disk, root + 36, &[1], None), "XFS-06");
    assert_eq!(inode(0, b"XX"), "XFS-04");
    assert_eq!(inode(16, &[0; 4]), "XFS-04");
    assert_eq!(inode(2, &[0x01, 0]), "XFS-05");
    assert_eq!(inode(2, &[0x81, 0]), "XFS-05");
    assert_eq!(inode(5, &[9]), "XFS-05");
    assert_eq!(inode(82, &[255]), "XFS-05");
    assert_eq!(inode(56, &u64::MAX.to_be_bytes()), "XFS-05");
    assert_eq!(inode(56, &3_u64.to_be_bytes()), "XFS-08");
    assert_eq!(inode(152, &[9]), "XFS-06");
    // The first entry of the root names the root.
    let number = root + 176 + 6;
    let length = be(number, 1);
    assert_eq!(inode(176 + 6 + 3 + length + 1, &(be(56, 8) as u32).to_be_bytes()), "FS-13");
    assert_eq!(inode(176 + 6 + 3, b"/"), "FS-07");
    assert_eq!(inode(176 + 6, &[200]), "XFS-08");
    let log = be(48, 8);
    let shift = be(124, 1);
    let log = ((log >> shift) * be(84, 4) + (log & ((1 << shift) - 1))) * be(4, 4);
    assert_eq!(be(log, 4), 0xfeed_babe);
    assert_eq!(changed(&disk, log + 512 + 9, &[0], None), "XFS-11");
    assert_eq!(changed(&disk, log + 512 * 100, &[0, 0, 0, 7], None), "XFS-11");
    assert_eq!(changed(&disk, log, &[0; 8], None), "XFS-11");
}
