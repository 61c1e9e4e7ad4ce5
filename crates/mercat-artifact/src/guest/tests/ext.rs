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
