use super::*;

/// Makes a file system of a size in KiB with mkfs.fat, filled with mcopy.
fn make(options: &[&str], kib: u64) -> Option<(tempfile::TempDir, std::path::PathBuf)> {
    if !has("mkfs.fat") || !has("mcopy") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let (root, image) = (folder.path().join("root"), folder.path().join("image"));
    for (path, bytes) in [
        ("EFI/BOOT/BOOTX64.EFI", noise(300_000, 5)),
        ("EFI/BOOT/grub.cfg", b"set default=0\n".to_vec()),
        ("EFI/a directory with a long name/x.y.z", b"z".to_vec()),
        ("\u{306b}\u{307b}\u{3093}", b"not ASCII".to_vec()),
        ("empty", Vec::new()),
        ("lower.txt", noise(5000, 6)),
        ("UPPER.TXT", noise(512, 7)),
        ("Mixed.Txt", noise(513, 8)),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    for number in 0..150 {
        fs::write(root.join("EFI/BOOT").join(format!("file {number}")), [number; 10]).unwrap();
    }
    blank(&image, kib << 10);
    run("mkfs.fat", &[options, &[image.to_str().unwrap()]].concat(), "");
    for entry in fs::read_dir(&root).unwrap() {
        let entry = entry.unwrap().path();
        let arguments = ["-i", image.to_str().unwrap(), "-s", "-m", entry.to_str().unwrap(), "::/"];
        with_locale("mcopy", &arguments);
    }
    Some((folder, image))
}

/// mtools writes names as the locale says.
fn with_locale(program: &str, arguments: &[&str]) {
    let script = format!("LC_ALL=C.UTF-8 MTOOLS_SKIP_CHECK=1 exec {program} \"$@\"");
    run("sh", &[&["-c", &script, program], arguments].concat(), "");
}

fn compare(options: &[&str], kib: u64, name: &'static str) -> Option<Vec<u8>> {
    let (folder, image) = make(options, kib)?;
    let guest = Guest::open(Image::open(&image)).unwrap();
    assert_eq!(guest.table, Table::None);
    assert_eq!(guest.volumes[0].contents, Contents::FileSystem(name));
    let found = walk(&guest, &guest.volumes[0]).unwrap_or_else(|error| panic!("{options:?}: {error}"));
    let mut wanted = of_directory(&folder.path().join("root"));
    wanted.values_mut().for_each(|seen| seen.mode = 0);
    assert_same(&found.seen, &wanted);
    let mtime = |path: &str| found.entries.iter().find(|entry| entry.path == path).unwrap().mtime;
    let real = fs::metadata(folder.path().join("root/lower.txt")).unwrap().mtime();
    assert!((mtime("lower.txt") - real).abs() <= 14 * 3600 + 2, "local time without a zone");
    Some(fs::read(&image).unwrap())
}

#[test]
fn fat12_fat16_and_fat32_read_as_they_were_filled() {
    compare(&["-F", "12", "-s", "1"], 1440, "fat12");
    compare(&["-F", "16"], 40 << 10, "fat16");
    compare(&["-F", "32", "-s", "1"], 40 << 10, "fat32");
    compare(&["-F", "12", "-S", "2048"], 4 << 10, "fat12");
}

#[test]
fn a_chain_that_loops_or_is_shared_is_refused() {
    let Some(mut disk) = compare(&["-F", "16", "-s", "1"], 8 << 10, "fat16") else { return };
    let field = |at: usize| usize::from(disk[at]) | usize::from(disk[at + 1]) << 8;
    let (reserved, length) = (field(14) * 512, field(22) * 512);
    // The largest file is written in one piece; its chain counts up.
    let next = |cluster: usize| field(reserved + 2 * cluster);
    let first =
        (3..8000).find(|cluster| (0..100).all(|step| next(cluster + step) == cluster + step + 1)).unwrap();
    let mut set = |cluster: usize, value: usize| {
        for copy in [reserved, reserved + length] {
            disk[copy + 2 * cluster..][..2].copy_from_slice(&(value as u16).to_le_bytes());
        }
        code(disk.clone())
    };
    let middle = first + 50;
    assert_eq!(set(middle, first + 10), "FAT-03");
    assert_eq!(set(middle, 0), "FAT-03");
    assert_eq!(set(middle, 0xfff7), "FAT-03");
    assert_eq!(set(middle, 0xfff0), "FAT-03");
    assert_eq!(set(middle, 0xffff), "FAT-06");
    assert_eq!(set(middle, middle + 1), "read");
    disk[reserved + 2 * middle] ^= 1;
    assert_eq!(code(disk), "FAT-02");
}

#[test]
fn a_long_name_must_fit_its_entry() {
    let Some(disk) = compare(&["-F", "16", "-s", "1"], 8 << 10, "fat16") else { return };
    let long = (0..disk.len())
        .step_by(32)
        .find(|at| disk[*at] == 0x43 && disk[at + 11] == 0x0f && disk[at + 32] == 2)
        .unwrap();
    let with = |offset: usize, value: u8| {
        let mut disk = disk.clone();
        disk[long + offset] = value;
        code(disk)
    };
    assert_eq!(with(0, 0x44), "FAT-05");
    assert_eq!(with(0, 3), "FAT-05");
    assert_eq!(with(13, disk[long + 13] ^ 1), "FAT-05");
    assert_eq!(with(26, 9), "FAT-05");
    assert_eq!(with(32, 0xe5), "FAT-05");
    assert_eq!(with(96, disk[long + 96] ^ 1), "FAT-05");
    assert_eq!(with(33, b'/'), "FS-07");
}
