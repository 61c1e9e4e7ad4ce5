use super::*;

fn source(folder: &Path) -> std::path::PathBuf {
    let root = folder.join("root");
    fs::create_dir(&root).unwrap();
    fill(&root);
    fs::create_dir_all(root.join("1/2/3/4/5/6/7/8/9/10")).unwrap();
    fs::write(root.join("1/2/3/4/5/6/7/8/9/10/deep"), b"deeper than plain ISO 9660 goes").unwrap();
    fs::write(root.join("question?.txt"), b"a name that Joliet cannot have").unwrap();
    fs::remove_file(root.join("sparse")).unwrap();
    root
}

fn make(program: &str, options: &[&str]) -> Option<(tempfile::TempDir, std::path::PathBuf)> {
    if !has(program) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let (root, image) = (source(folder.path()), folder.path().join("image.iso"));
    let front: &[&str] = if program == "xorriso" { &["-as", "mkisofs"] } else { &[] };
    let last = ["-quiet", "-o", image.to_str().unwrap(), root.to_str().unwrap()];
    run(program, &[front, options, &last].concat(), "");
    Some((folder, image))
}

#[test]
fn rock_ridge_reads_as_the_directory_it_was_made_of() {
    for (program, options) in [
        ("xorriso", &["-R"][..]),
        ("xorriso", &["-R", "-J", "-joliet-long"]),
        ("genisoimage", &["-R"]),
        ("genisoimage", &["-R", "-J", "-joliet-long", "-input-charset", "utf-8"]),
    ] {
        let Some((folder, image)) = make(program, options) else { continue };
        let guest = Guest::open(Image::open(&image)).unwrap();
        assert_eq!(guest.volumes[0].contents, Contents::FileSystem("iso9660"));
        let mut found =
            walk(&guest, &guest.volumes[0]).unwrap_or_else(|error| panic!("{program} {options:?}: {error}"));
        found.seen.remove("rr_moved");
        let mut wanted = of_directory(&folder.path().join("root"));
        // Rock Ridge keeps the parts of a link, not how they were written.
        wanted.values_mut().for_each(|seen| seen.link = seen.link.trim_end_matches('/').to_owned());
        assert_same(&found.seen, &wanted);
    }
}

#[test]
fn joliet_names_are_read_where_there_is_no_rock_ridge() {
    let options = ["-J", "-joliet-long", "-input-charset", "utf-8"];
    if !has("genisoimage") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (root, image) = (folder.path().join("root"), folder.path().join("image.iso"));
    fs::create_dir_all(root.join("a directory")).unwrap();
    fs::write(root.join("a directory/file with a long name.text"), noise(5000, 1)).unwrap();
    fs::write(root.join("\u{306b}\u{307b}\u{3093}.txt"), b"x").unwrap();
    let last = ["-quiet", "-o", image.to_str().unwrap(), root.to_str().unwrap()];
    run("genisoimage", &[&options, &last[..]].concat(), "");
    let mut wanted = of_directory(&root);
    wanted.values_mut().for_each(|seen| seen.mode = 0);
    assert_same(&walk_disk(Image::open(&image)).unwrap().seen, &wanted);
    run("genisoimage", &last, "");
    let plain = walk_disk(Image::open(&image)).unwrap().seen;
    assert!(plain.contains_key("A_DIRECT/FILE_WIT.TEX"), "{plain:?}");
}

#[test]
fn a_rock_ridge_name_cannot_leave_its_directory() {
    let Some((_folder, image)) = make("xorriso", &["-R"]) else { return };
    let mut disk = fs::read(&image).unwrap();
    let name = b"\x01\x00os-release";
    let at = disk.windows(name.len()).position(|part| part == name).unwrap();
    disk[at + 4] = b'/';
    assert_eq!(code(disk), "FS-07");
}

#[test]
fn a_disc_with_a_partition_table_reads_in_two_ways() {
    let Some((_folder, image)) = make("xorriso", &["-R"]) else { return };
    let mut disk = fs::read(&image).unwrap();
    disk[446 + 4] = 0x83;
    disk[446 + 8] = 200;
    disk[446 + 12] = 200;
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    assert_eq!(code(disk), "PRT-04");
}

#[test]
fn an_iso_that_lies_is_refused() {
    let Some((_folder, image)) =
        make("genisoimage", &["-R", "-J", "-joliet-long", "-input-charset", "utf-8"])
    else {
        return;
    };
    let disk = fs::read(&image).unwrap();
    let with = |at: usize, value: &[u8]| {
        let mut disk = disk.clone();
        disk[at..at + value.len()].copy_from_slice(value);
        code(disk)
    };
    let word = |at: usize| disk[at..at + 4].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let (primary, joliet) = (16 * 2048, 17 * 2048);
    assert_eq!(disk[joliet], 2);
    assert_eq!(code(disk.clone()), "read");
    assert_eq!(with(primary, &[9]), "ISO-01");
    assert_eq!(with(primary + 128, &[0, 4, 4, 0]), "ISO-01");
    assert_eq!(with(primary + 80, &[255, 255, 255, 255, 255, 255, 255, 255]), "ISO-01");
    assert_eq!(with(primary + 80, &[1]), "ISO-02");
    assert_eq!(with(joliet, &[1]), "ISO-01");
    let root = word(primary + 156 + 2) * 2048;
    // The records of the root: itself, its parent, then the directory "1".
    let first = root + usize::from(disk[root]);
    let first = first + usize::from(disk[first]);
    assert_eq!(&disk[first + 33..first + 34], b"1");
    assert_eq!(with(first + 2, &disk[root + 2..root + 10]), "ISO-04");
    assert_eq!(with(first + 2, &[1]), "ISO-02");
    assert_eq!(with(first + 10, &[255; 8]), "ISO-03");
    assert_eq!(with(first, &[3]), "ISO-03");
    assert_eq!(with(first, &[0]), "ISO-03");
    assert_eq!(with(first + 26, &[1]), "ISO-03");
    assert_eq!(with(first + 32, &[200]), "ISO-03");
    let find = |start: usize, text: &[u8]| {
        start + disk[start..].windows(text.len()).position(|at| at == text).unwrap()
    };
    let name = find(first, b"NM");
    assert_eq!(with(name + 2, &[0]), "ISO-03");
    assert_eq!(with(name + 4, &[1]), "ISO-03");
    assert_eq!(with(name + 5, b"/"), "ISO-05");
    assert_eq!(with(find(first, b"PX") + 4, &[0, 0x80, 0, 0, 0, 0, 0x80, 0]), "ISO-03");
    // Continuations in a circle.
    let mut circle = disk.clone();
    let area = find(first, b"CE\x1c\x01");
    let target = word(area + 4) * 2048 + word(area + 12);
    let field = disk[area..area + 28].to_vec();
    circle[target..target + 28].copy_from_slice(&field);
    assert_eq!(code(circle), "ISO-03");
    // One file less in the Joliet tree, and a path table that points elsewhere.
    let wide: Vec<u8> = "os-release".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let wide = find(joliet, &wide);
    assert_eq!(with(wide + 1, b"X"), "ISO-05");
    let size = wide - 33 + 10;
    assert_eq!(with(size, &[9, 0, 0, 0, 0, 0, 0, 9]), "ISO-05");
    assert_eq!(with(word(primary + 140) * 2048 + 2, &[99]), "ISO-06");
}
