use super::*;

/// Makes a file system of a directory.
fn make(kind: &[&str], size: u64) -> Option<(tempfile::TempDir, std::path::PathBuf)> {
    if !has("mke2fs") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let (root, image) = (folder.path().join("root"), folder.path().join("image"));
    fs::create_dir(&root).unwrap();
    fill(&root);
    blank(&image, size);
    let mut arguments = vec!["-q", "-F", "-d", root.to_str().unwrap(), "-E", "root_owner=0:0"];
    arguments.extend_from_slice(kind);
    arguments.push(image.to_str().unwrap());
    run("mke2fs", &arguments, "");
    Some((folder, image))
}

fn compare(kind: &[&str], size: u64, name: &'static str) {
    let Some((folder, image)) = make(kind, size) else { return };
    let mut wanted = of_directory(&folder.path().join("root"));
    let guest = Guest::open(Image::open(&image)).unwrap();
    assert_eq!(guest.table, Table::None);
    assert_eq!(guest.volumes[0].name, "disk");
    assert_eq!(guest.volumes[0].contents, Contents::FileSystem(name));
    let mut found = walk(&guest, &guest.volumes[0]).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
    assert!(found.seen.remove("lost+found").is_some());
    wanted.remove("lost+found");
    assert_same(&found.seen, &wanted);
    let inode = |path: &str| found.entries.iter().find(|entry| entry.path == path).unwrap().inode;
    assert_eq!(inode("hard-link"), inode("usr/bin/large"));
    assert_ne!(inode("hard-link"), inode("usr/bin/small"));
}

#[test]
fn ext2_ext3_and_ext4_read_as_the_directory_they_were_made_of() {
    compare(&["-t", "ext2"], 32 << 20, "ext2");
    compare(&["-t", "ext3"], 32 << 20, "ext3");
    compare(&["-t", "ext4"], 32 << 20, "ext4");
}

#[test]
fn the_variants_of_ext4_read_the_same() {
    for options in [
        &["-O", "^64bit"][..],
        &["-O", "inline_data"],
        &["-O", "inline_data", "-I", "512"],
        &["-O", "bigalloc", "-C", "16384"],
        &["-b", "1024"],
        &["-b", "1024", "-O", "bigalloc", "-C", "4096"],
        &["-b", "2048", "-O", "^extents,^64bit"],
        &["-O", "^metadata_csum,uninit_bg"],
        &["-O", "^metadata_csum,uninit_bg,^64bit"],
        &["-O", "meta_bg,^resize_inode", "-b", "1024"],
        &["-O", "^flex_bg,sparse_super2"],
        &["-O", "^has_journal,^metadata_csum", "-I", "128"],
        &["-O", "ea_inode,large_dir,casefold,encrypt,mmp"],
        &["-O", "^filetype"],
        &["-O", "metadata_csum_seed,quota,project"],
    ] {
        compare(&[&["-t", "ext4"], options].concat(), 48 << 20, "ext4");
    }
}

#[test]
fn threads_walk_one_volume_at_once() {
    let Some((_folder, image)) = make(&["-t", "ext4"], 32 << 20) else { return };
    let guest = Guest::open(Image::open(&image)).unwrap();
    let guest = &guest;
    let seen = std::thread::scope(|scope| {
        let threads = [0; 3].map(|_| scope.spawn(move || walk(guest, &guest.volumes[0]).unwrap().seen));
        threads.map(|thread| thread.join().unwrap())
    });
    assert!(seen.iter().all(|one| one == &seen[0] && one.len() > 600));
}

#[test]
fn extended_attributes_are_shown() {
    let Some((_folder, image)) = make(&["-t", "ext4", "-O", "ea_inode"], 32 << 20) else { return };
    let image = image.to_str().unwrap();
    let long = "v".repeat(300);
    let script = format!(
        "ea_set /usr/bin/large security.capability abc\nea_set /usr/bin/large user.long {long}\n\
         ea_set /etc/os-release trusted.t \"x y\"\n"
    );
    run("debugfs", &["-w", "-f", "-", image], &script);
    let found = walk_disk(Image::open(Path::new(image))).unwrap();
    let of = |path: &str| found.entries.iter().find(|entry| entry.path == path).unwrap().xattrs.clone();
    assert!(of("usr/bin/large").contains(&("security.capability".to_owned(), b"abc".to_vec())));
    assert!(of("usr/bin/large").contains(&("user.long".to_owned(), long.into_bytes())));
    assert_eq!(of("hard-link"), of("usr/bin/large"));
    assert_eq!(of("etc/os-release"), [("trusted.t".to_owned(), b"x y".to_vec())]);
}

/// Writes blocks into the journal and nowhere else.
fn with_journal(options: &[&str], script: &str) -> Option<Result<Collect, ReadError>> {
    let (_folder, image) = make(&[&["-t", "ext4"], options].concat(), 32 << 20)?;
    let image = image.to_str().unwrap();
    let large = image.to_owned() + ".block";
    fs::write(&large, noise(4096, 77)).unwrap();
    run("debugfs", &["-w", "-f", "-", image], &script.replace("BLOCK", &large));
    Some(walk_disk(Image::open(Path::new(image))))
}

#[test]
fn a_journal_is_replayed_as_a_mount_would() {
    let Some((_folder, image)) = make(&["-t", "ext4"], 32 << 20) else { return };
    let map = run("debugfs", &["-R", "bmap /etc/os-release 0", image.to_str().unwrap()], "");
    let block: u64 = map.trim().parse().unwrap();
    let changed = |found: &Collect| found.seen["etc/os-release"].sha256.clone();
    let before = changed(&walk_disk(Image::open(&image)).unwrap());
    let after = digest(&noise(4096, 77)[..10]);
    for options in ["", "-c -v 3", "-c -v 2"] {
        let script = format!("jo {options}\njw -b {block} BLOCK\njc\n");
        let Some(found) = with_journal(&[], &script) else { return };
        assert_eq!(changed(&found.unwrap()), after, "{options}");
        // A block that a later transaction revokes stays as it is in place.
        let script = format!("jo {options}\njw -b {block} BLOCK\njw -r {block}\njc\n");
        assert_eq!(changed(&with_journal(&[], &script).unwrap().unwrap()), before, "{options}");
    }
}

#[test]
fn a_journal_that_some_would_replay_and_some_would_not_is_refused() {
    let Some(mut disk) = super::hostile::journaled() else { return };
    assert!(walk_disk(Arc::new(disk.clone())).is_ok());
    disk[1024 + 0x60] &= !4;
    assert_eq!(code(disk), "EXT-17");
}

#[test]
fn a_directory_that_folds_case_is_not_read() {
    let Some((_folder, image)) = make(&["-t", "ext4", "-O", "casefold"], 32 << 20) else { return };
    let image = image.to_str().unwrap();
    assert!(walk_disk(Image::open(Path::new(image))).is_ok());
    run("debugfs", &["-w", "-f", "-", image], "sif /etc flags 0x40080000\n");
    match walk_disk(Image::open(Path::new(image))) {
        Err(ReadError::Refused { code, .. }) => assert_eq!(code, "EXT-03"),
        _ => panic!("read"),
    }
}

/// An image without checksums, so that what is changed is read.
struct Plain {
    disk: Vec<u8>,
}

impl Plain {
    fn make(options: &[&str]) -> Option<Self> {
        Some(Self { disk: super::hostile::ext(options)? })
    }

    /// The code when a few bytes are others.
    fn with(&self, at: usize, value: &[u8]) -> String {
        let mut disk = self.disk.clone();
        disk[at..at + value.len()].copy_from_slice(value);
        code(disk)
    }

    /// What debugfs prints.
    fn ask(&self, request: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &self.disk).unwrap();
        run("debugfs", &["-R", request, file.path().to_str().unwrap()], "")
    }

    /// The byte where an inode begins.
    fn inode(&self, path: &str) -> usize {
        let answer = self.ask(&format!("imap {path}"));
        let number = |key: &str| {
            let text = answer.split(key).nth(1).unwrap().trim_start_matches([' ', ',']);
            let text = text.split([' ', ',', '\n']).next().unwrap();
            let hex = text.trim_start_matches("0x");
            usize::from_str_radix(hex, if hex.len() < text.len() { 16 } else { 10 }).unwrap()
        };
        number("located at block") * 1024 + number("offset")
    }

    /// The byte where a block of a file begins.
    fn block(&self, path: &str, index: usize) -> usize {
        self.ask(&format!("bmap {path} {index}")).trim().parse::<usize>().unwrap() * 1024
    }

    fn find(&self, from: usize, bytes: &[u8]) -> usize {
        from + self.disk[from..].windows(bytes.len()).position(|part| part == bytes).unwrap()
    }
}

#[test]
fn a_superblock_that_lies_is_refused() {
    let Some(plain) = Plain::make(&["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^has_journal"]) else {
        return;
    };
    let with = |field: usize, value: &[u8]| plain.with(1024 + field, value);
    assert_eq!(with(0x78, b"label"), "read");
    assert_eq!(with(0x18, &21_u32.to_le_bytes()), "EXT-01");
    assert_eq!(with(0x18, &u32::MAX.to_le_bytes()), "EXT-01");
    assert_eq!(with(0x58, &[0, 0]), "EXT-01");
    assert_eq!(with(0x58, &[0, 16]), "EXT-01");
    assert_eq!(with(0x4, &u32::MAX.to_le_bytes()), "EXT-01");
    assert_eq!(with(0x14, &2_u32.to_le_bytes()), "EXT-01");
    assert_eq!(with(0x20, &[0; 4]), "EXT-01");
    assert_eq!(with(0x28, &[0; 4]), "EXT-01");
    assert_eq!(with(0, &[0; 4]), "EXT-01");
    assert_eq!(with(0xfe, &[0, 0]), "EXT-01");
    assert_eq!(with(0x62, &[0x80]), "EXT-03");
    assert_eq!(with(0x61, &[0x12]), "EXT-03");
    assert_eq!(with(0x64, &[0xff; 4]), "EXT-03");
    let Some(summed) = Plain::make(&["-t", "ext4", "-b", "1024"]) else { return };
    assert_eq!(summed.with(1024 + 0x78, b"label"), "EXT-02");
    assert_eq!(summed.with(summed.inode("/a"), &[0xee]), "EXT-06");
    assert_eq!(summed.with(summed.block("/a", 0), &[0xff]), "EXT-12");
    assert_eq!(summed.with(2048 + 4, &[0xff]), "EXT-04");
}

#[test]
fn an_extent_tree_that_lies_is_refused() {
    let Some(plain) = Plain::make(&["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^has_journal"]) else {
        return;
    };
    // Twelve pieces do not fit into an inode: its tree has a leaf in a block of its own.
    let root = plain.inode("/pieces") + 0x28;
    assert_eq!(&plain.disk[root..root + 2], &[0x0a, 0xf3]);
    assert_eq!(plain.disk[root + 6], 1);
    let leaf = usize::from(plain.disk[root + 16]) | usize::from(plain.disk[root + 17]) << 8;
    let leaf = leaf * 1024;
    assert_eq!(&plain.disk[leaf..leaf + 2], &[0x0a, 0xf3]);
    assert_eq!(plain.with(root, &[0]), "EXT-08");
    assert_eq!(plain.with(root + 6, &[0xff, 0xff]), "EXT-08");
    assert_eq!(plain.with(root + 6, &[0]), "EXT-18");
    assert_eq!(plain.with(root + 2, &[200]), "EXT-08");
    assert_eq!(plain.with(root + 4, &[200]), "EXT-08");
    assert_eq!(plain.with(root + 16, &[0xff; 4]), "EXT-18");
    assert_eq!(plain.with(leaf, &[0]), "EXT-08");
    // A leaf that is a node again, pointing at itself.
    assert_eq!(plain.with(leaf + 6, &[1]), "EXT-08");
    assert_eq!(plain.with(leaf + 2, &[0, 0]), "EXT-08");
    assert_eq!(plain.with(leaf + 12 + 4, &[0, 0]), "EXT-08");
    assert_eq!(plain.with(leaf + 24, &[0; 4]), "EXT-08");
    assert_eq!(plain.with(leaf + 12 + 8, &[0xff; 4]), "EXT-18");
    assert_eq!(plain.with(leaf + 12 + 8, &[0; 4]), "EXT-18");
}

#[test]
fn a_directory_that_lies_is_refused() {
    let Some(plain) = Plain::make(&["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^has_journal"]) else {
        return;
    };
    let block = plain.block("/a", 0);
    let entry = plain.find(block, b"file-");
    let entry = entry - 8;
    assert_eq!(plain.with(entry + 4, &[0, 0]), "EXT-11");
    assert_eq!(plain.with(entry + 4, &[255, 255]), "EXT-11");
    assert_eq!(plain.with(entry + 4, &[9]), "EXT-11");
    assert_eq!(plain.with(entry + 6, &[255]), "EXT-11");
    assert_eq!(plain.with(entry + 9, b"/"), "FS-07");
    assert_eq!(plain.with(entry + 9, &[0]), "FS-07");
    assert_eq!(plain.with(entry + 6, &[0]), "FS-07");
    assert_eq!(plain.with(entry + 6, &[1, 1, b'.']), "FS-07");
    assert_eq!(plain.with(entry + 6, &[2, 1, b'.', b'.']), "FS-07");
    assert_eq!(plain.with(entry, &[255; 4]), "EXT-05");
    // An inode that is free.
    assert_eq!(plain.with(entry, &[120, 0, 0, 0]), "EXT-05");
    assert_eq!(plain.with(block, &[9]), "EXT-11");
    // The directory "b" is the root, or its own parent.
    let inside = plain.find(block, b"\x01\x02b") - 6;
    assert_eq!(plain.with(inside, &[2, 0, 0, 0]), "FS-13");
    let own: u8 = plain.disk[block];
    assert_eq!(plain.with(inside, &[own, 0, 0, 0]), "FS-13");
    // Two files of one name.
    let twin = plain.find(entry + 16, b"file-") - 8;
    let name = plain.disk[entry + 6..entry + 16].to_vec();
    if plain.disk[twin + 6] == name[0] {
        assert_eq!(plain.with(twin + 6, &name), "FS-10");
    }
    let inode = plain.inode("/a");
    assert_eq!(plain.with(inode + 4, &[0; 4]), "EXT-11");
    assert_eq!(plain.with(inode + 4, &[1, 0, 0, 0]), "EXT-11");
    assert_eq!(plain.with(inode + 4, &[0, 0, 0, 1]), "EXT-11");
    assert_eq!(plain.with(inode + 0x21, &[8]), "EXT-16");
    assert_eq!(plain.with(inode, &[0, 0]), "EXT-07");
    assert_eq!(plain.with(inode + 0x80, &[255, 255]), "EXT-07");
    assert_eq!(plain.with(inode + 0x68, &[255; 4]), "EXT-18");
    let link = plain.inode("/link");
    assert_eq!(plain.with(link + 4, &[0]), "EXT-15");
    assert_eq!(plain.with(link + 0x28 + 1, &[0]), "EXT-15");
}

#[test]
fn a_block_map_that_points_at_itself_ends() {
    let Some(plain) = Plain::make(&["-t", "ext2", "-b", "1024"]) else { return };
    let inode = plain.inode("/a/b/c/large");
    let indirect = inode + 0x28 + 4 * 12;
    let number = plain.disk[indirect..indirect + 4].to_vec();
    let at = (usize::from(number[0]) | usize::from(number[1]) << 8) * 1024;
    let mut disk = plain.disk.clone();
    for entry in disk[at..at + 1024].chunks_mut(4) {
        entry.copy_from_slice(&number);
    }
    // The deeper levels and a size that needs all of them.
    disk[indirect + 4..indirect + 8].copy_from_slice(&number);
    disk[indirect + 8..indirect + 12].copy_from_slice(&number);
    assert_eq!(code(disk.clone()), "read");
    disk[inode + 4..inode + 8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(["EXT-08", "FS-05"].contains(&code(disk).as_str()));
    assert_eq!(plain.with(indirect, &[255; 4]), "EXT-18");
    assert_eq!(plain.with(inode + 0x6c, &[255; 4]), "EXT-07");
}

#[test]
fn a_file_that_is_all_hole_is_refused_before_it_costs_time() {
    let Some(plain) = Plain::make(&["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^has_journal"]) else {
        return;
    };
    let inode = plain.inode("/a/file-1");
    assert_eq!(plain.with(inode + 0x6c, &[255, 3, 0, 0]), "FS-06");
}
