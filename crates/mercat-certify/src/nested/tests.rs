use super::*;
use std::io::Cursor;

#[test]
fn four_bytes_are_no_archive_and_an_archive_behind_a_program_is_one() {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(Cursor::new(b"#!/bin/sh\n".to_vec()));
    zip.start_file("a", zip::write::SimpleFileOptions::default()).expect("begins");
    zip.write_all(b"content").expect("written");
    let archive = zip.finish().expect("ends").into_inner();
    let behind = [&b"#!/bin/sh\nexec java -jar $0\n"[..], &archive].concat();
    assert!(
        archive::zip::has_tail(&behind, true)
            && archive::zip::has_tail(&[&behind[..], b"more"].concat(), true)
    );
    let program = [&b"magic = b'PK\x05\x06'"[..], &[7; 40]].concat();
    assert!(!archive::zip::has_tail(&program, true) && archive::zip::has_tail(&program, false));
}

#[test]
fn a_member_with_other_bytes_than_are_announced_is_told() {
    use crate::files::tests::{facts_of, tar};
    use std::io::Write;
    let content = vec![b'a'; 1000];
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("x", zip::write::SimpleFileOptions::default()).expect("begins");
    archive.write_all(&content).expect("written");
    let honest = archive.finish().expect("ends").into_inner();
    let size = 1000_u32.to_le_bytes();
    for announced in [999_u32, 1001, 1 << 20] {
        let mut bytes = honest.clone();
        let places: Vec<usize> = memchr::memmem::find_iter(&honest, &size).collect();
        assert_eq!(places.len(), 2, "in the header and in the directory");
        places.iter().for_each(|at| bytes[*at..at + 4].copy_from_slice(&announced.to_le_bytes()));
        let notes = facts_of(&tar(&[("a.zip", b'0', 0o644, &bytes)])).notes;
        let told = notes.iter().filter(|note| note.rule == "INC-05" && note.path.starts_with("a.zip"));
        assert_eq!(told.count(), 1, "{announced}: {notes:?}");
    }
    assert_eq!(facts_of(&tar(&[("a.zip", b'0', 0o644, &honest)])).notes.len(), 0);
}

#[test]
fn what_is_hidden_in_a_table_of_an_ar_is_found() {
    use crate::files::tests::{facts_of, tar};
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&crate::signatures::test_string()).expect("written");
    let mut packed = packed.finish().expect("ends");
    packed.resize(packed.len().next_multiple_of(2), 0);
    for table in ["/", "/SYM64/", "//", "__.SYMDEF"] {
        let header = format!("{table:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, packed.len());
        let archive = [b"!<arch>\n", header.as_bytes(), &packed].concat();
        let notes = facts_of(&tar(&[("libx.a", b'0', 0o644, &archive)])).notes;
        assert!(notes.iter().any(|note| note.rule == "CTR-20"), "{table}: {notes:?}");
    }
}

#[test]
fn archives_behind_large_scripts_are_opened_inside_of_two_archives_and_told_deeper() {
    use crate::files::tests::{facts_of, tar};
    use std::io::Write;
    let zipped = |name: &str, content: &[u8]| {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file(name, zip::write::SimpleFileOptions::default()).expect("begins");
        archive.write_all(content).expect("written");
        archive.finish().expect("ends").into_inner()
    };
    // Deflated, so that nothing but opening it finds what is in it.
    let padding = "# padding\n".repeat(500_000);
    let script =
        [b"#!/bin/sh\n", padding.as_bytes(), &zipped("x", &crate::signatures::test_string())].concat();
    let mut bytes = script;
    for depth in 0..5 {
        let notes = facts_of(&tar(&[("a", b'0', 0o644, &bytes)])).notes;
        let is_told = |rule: &str| notes.iter().any(|note| note.rule == rule);
        assert_eq!((is_told("CTR-20"), is_told("INC-03")), (depth <= 2, depth > 2), "{depth}: {notes:?}");
        bytes = zipped("a", &bytes);
    }
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(content).expect("written");
    packed.finish().expect("ends")
}

/// Rules and paths of what is told of one file.
fn told(name: &str, content: &[u8]) -> Vec<(String, String)> {
    use crate::files::tests::{facts_of, tar};
    let notes = facts_of(&tar(&[(name, b'0', 0o755, content)])).notes;
    notes.iter().map(|note| (note.rule.clone(), note.path.clone())).collect()
}

/// An ELF file of a head alone: no segments, no sections.
pub(crate) fn elf() -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(64, 0);
    for (at, value) in [(16, 2), (18, 62), (20, 1), (52, 64), (54, 56), (58, 64)] {
        elf[at] = value;
    }
    elf
}

#[test]
fn what_installers_carry_behind_themselves_is_opened() {
    use crate::files::tests::tar;
    let packed = tar(&[("x", b'0', 0o644, &crate::signatures::test_string())]);
    let zlib = {
        use std::io::Write;
        let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        out.write_all(&packed).expect("written");
        out.finish().expect("ends")
    };
    let script = b"#!/bin/sh\ntail -n +3 $0 | tar xz\nexit 0\n".to_vec();
    let commented = b"#!/bin/sh\necho hello\n# here: ".to_vec();
    let long = [&b"#!/bin/sh\n"[..], "# padding\n".repeat(300_000).as_bytes()].concat();
    let long_script = [&b"#!/bin/sh\n"[..], "# padding\n".repeat(900_000).as_bytes()].concat();
    let far = [elf(), vec![0; 100]].concat();
    for (name, front, archive) in [
        ("a script", &script, gzipped(&packed)),
        ("a script with a tar as it is", &script, packed.clone()),
        ("a script in whose last line it begins", &commented, gzipped(&packed)),
        ("a long script", &long, gzipped(&packed)),
        ("a script with zstd", &script, zstd::encode_all(&packed[..], 0).expect("packs")),
        (
            "a frame that is passed over",
            &b"\x50\x2a\x4d\x18\x04\0\0\0abcd".to_vec(),
            zstd::encode_all(&packed[..], 0).expect("packs"),
        ),
        ("a program", &elf(), gzipped(&packed)),
        ("a program and zeros", &far, gzipped(&packed)),
        ("a program with zlib", &elf(), zlib.clone()),
        ("nothing", &Vec::new(), zlib.clone()),
        ("a script and other bytes", &b"#!/bin/sh\n\x01\x02\x03 rest".to_vec(), gzipped(&packed)),
        ("a program and other bytes", &[elf(), b"other".to_vec()].concat(), gzipped(&packed)),
        ("a program and zeros for windows", &[elf(), vec![0; 9 << 20]].concat(), gzipped(&packed)),
        ("a script of windows", &long_script, gzipped(&packed)),
    ] {
        let found = told("opt/app", &[&front[..], &archive].concat());
        assert!(
            found.iter().any(|(rule, path)| rule == "CTR-20" && path.starts_with("opt/app!/")),
            "{name}: {found:?}"
        );
        assert!(found.iter().all(|(rule, _)| !rule.starts_with("INC")), "{name}: {found:?}");
    }
    for text in [&b"x^2 + y^2 = 1\n"[..], b"x\x9c of something else", b"#!/bin/sh\necho caf\xe9\n", &elf()] {
        assert_eq!(told("opt/app", text), [], "{text:?}");
    }
}

#[test]
fn what_only_looks_like_an_archive_hides_none_behind_it() {
    use crate::files::tests::tar;
    let packed = gzipped(&tar(&[("x", b'0', 0o644, &crate::signatures::test_string())]));
    let small = gzipped(b"small");
    let broken = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xff\xff\xff\xff".to_vec();
    let of_zstd = b"\x28\xb5\x2f\xfd\x04\xff\xff\xff\xff\xff".to_vec();
    for (name, decoys) in [
        ("one that is whole", vec![&small]),
        ("one that is broken", vec![&broken]),
        ("one of zstd", vec![&of_zstd]),
        ("some", vec![&broken; 20]),
    ] {
        for front in [b"#!/bin/sh\n\x01\x02\x03 rest".to_vec(), [elf(), b"other".to_vec()].concat()] {
            let decoys: Vec<u8> =
                decoys.iter().flat_map(|decoy| [&decoy[..], b"123456789"].concat()).collect();
            let found = told("opt/app", &[&front[..], &decoys, &packed].concat());
            assert!(found.iter().any(|(rule, _)| rule == "CTR-20"), "{name}: {found:?}");
        }
    }
    let many = [elf(), b"other".to_vec(), broken.repeat(100)].concat();
    assert_eq!(told("opt/app", &many), [("INC-23".to_owned(), "opt/app".to_owned())]);
}

#[test]
fn a_zip_behind_a_program_whose_table_is_far_from_the_end_is_told() {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("x", zip::write::SimpleFileOptions::default()).expect("begins");
    std::io::Write::write_all(&mut archive, &crate::signatures::test_string()).expect("written");
    let archive = archive.finish().expect("ends").into_inner();
    let rules = |behind: usize| -> Vec<String> {
        let bytes = [elf(), archive.clone(), vec![b'.'; behind]].concat();
        told("opt/app", &bytes).into_iter().map(|(rule, _)| rule).collect()
    };
    assert!(rules(100).contains(&"CTR-20".to_owned()));
    assert_eq!(rules(100_000), ["INC-05"]);
}

/// A file system of a directory with the test file in it, by a tool that makes one.
fn made(tool: &str, arguments: &[&str], padding: usize) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a directory");
    let (root, image) = (folder.path().join("root"), folder.path().join("image"));
    std::fs::create_dir(&root).expect("made");
    std::fs::write(root.join("eicar"), gzipped(&crate::signatures::test_string())).expect("written");
    std::fs::hard_link(root.join("eicar"), root.join("again")).expect("linked");
    let mut state = 1_u64;
    let random = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    std::fs::write(root.join("padding"), random.take(padding).collect::<Vec<_>>()).expect("written");
    let place = |argument: &&str| match *argument {
        "ROOT" => root.display().to_string(),
        "IMAGE" => image.display().to_string(),
        other => other.to_owned(),
    };
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let arguments: Vec<String> = arguments.iter().map(place).collect();
    match std::process::Command::new(tool).env("PATH", path).args(&arguments).output() {
        Ok(done) => assert!(done.status.success(), "{tool}: {}", String::from_utf8_lossy(&done.stderr)),
        Err(_) => {
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("skipped: {tool} is absent\n"),
            );
            return None;
        }
    }
    Some(std::fs::read(image).expect("read"))
}

const SQUASHFS: &[&str] = &["ROOT", "IMAGE", "-quiet", "-no-progress"];

#[test]
fn file_systems_and_disks_inside_of_files_are_opened() {
    for (tool, arguments) in [
        ("mksquashfs", SQUASHFS),
        ("mke2fs", &["-q", "-t", "ext4", "-d", "ROOT", "IMAGE", "6m"]),
        ("genisoimage", &["-quiet", "-R", "-o", "IMAGE", "ROOT"]),
    ] {
        let Some(image) = made(tool, arguments, 1_000_000) else { continue };
        let found = told("snap/x.img", &image);
        let eicar = found.iter().filter(|(rule, path)| rule == "CTR-20" && path.starts_with("snap/x.img!/"));
        assert!(eicar.count() >= 1, "{tool}: {found:?}");
        assert!(found.iter().all(|(rule, _)| rule == "CTR-20"), "{tool}: {found:?}");
        // Packed, and as a member of an archive that does not tell its size.
        let found = told("disk.img.gz", &gzipped(&image));
        assert!(
            found.iter().any(|(_, path)| path.starts_with("disk.img.gz!/content!/")),
            "{tool}: {found:?}"
        );
        let cut = told("x.img", &image[..image.len() / 2]);
        assert!(cut.iter().any(|(rule, _)| rule == "INC-23"), "{tool}, cut: {cut:?}");
    }
    assert!(told("x.luks", b"LUKS\xba\xbe\x00\x02").iter().any(|(rule, _)| rule == "INC-23"));
}

#[test]
fn file_systems_and_disks_that_begin_with_a_boot_sector_are_opened() {
    let folder = tempfile::tempdir().expect("a directory");
    let (image, file) = (folder.path().join("image"), folder.path().join("eicar"));
    std::fs::write(&image, vec![0; 1 << 20]).expect("written");
    std::fs::write(&file, gzipped(&crate::signatures::test_string())).expect("written");
    let run = |tool: &str, arguments: &[&str]| {
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
        let done = std::process::Command::new(tool).env("PATH", path).args(arguments).output();
        done.is_ok_and(|done| done.status.success())
    };
    let (image, file) = (image.display().to_string(), file.display().to_string());
    if !run("mkfs.vfat", &[&image]) || !run("mcopy", &["-i", &image, &file, "::eicar"]) {
        let skipped = format_args!("skipped: mkfs.vfat or mcopy is absent\n");
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), skipped);
        return;
    }
    let volume = std::fs::read(&image).expect("read");
    let mut disk = vec![0; 1 << 20];
    let entry = [0x80, 0, 0, 0, 0x0c, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0];
    disk[446..462].copy_from_slice(&entry);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    for whole in [volume.clone(), [disk, volume].concat()] {
        let found = told("x.img", &whole);
        assert!(
            found.iter().any(|(rule, path)| rule == "CTR-20" && path.ends_with("eicar!/content")),
            "{found:?}"
        );
        assert!(found.iter().all(|(rule, _)| rule == "CTR-20"), "{found:?}");
    }
    // Recognised alone; a kernel of Linux and a boot sector without partitions are no disks.
    for (at, magic) in [(0, &b"\x45\x3d\xcd\x28"[..]), (3, b"EXFAT   "), (32, b"NXSB"), (0x400, b"H+\0\x04")]
    {
        let mut volume = vec![0; 1 << 20];
        volume[at..at + magic.len()].copy_from_slice(magic);
        assert_eq!(told("x.img", &volume), [("INC-23".to_owned(), "x.img".to_owned())], "{magic:?}");
    }
    let mut kernel = vec![0; 4096];
    kernel[494..510].copy_from_slice(&[0, 0, 0, 39, 1, 0, 0, 0, 8, 0, 0, 0, 0xff, 0xff, 0, 0]);
    kernel[510..518].copy_from_slice(b"\x55\xaa\xeb\x6aHdrS");
    assert_eq!(told("boot/vmlinuz", &kernel), []);
    assert_eq!(told("boot.img", &[&[0xeb; 446][..], &[0x90; 64], &[0x55, 0xaa]].concat()), []);
}

#[test]
fn what_is_a_disk_and_a_program_at_once_is_opened_as_both() {
    let Some(mut image) = made("genisoimage", &["-quiet", "-R", "-o", "IMAGE", "ROOT"], 0) else { return };
    let carried = [elf(), gzipped(&crate::signatures::test_string())].concat();
    image[..carried.len()].copy_from_slice(&carried);
    let found = told("opt/app", &image);
    for part in ["opt/app!/content", "opt/app!/eicar!/content"] {
        assert!(found.contains(&("CTR-20".to_owned(), part.to_owned())), "{part}: {found:?}");
    }
}

#[test]
fn what_is_in_no_file_of_a_packed_disk_is_looked_at() {
    let Some(mut disk) = made("mke2fs", &["-q", "-t", "ext4", "-d", "ROOT", "IMAGE", "6m"], 0) else {
        return;
    };
    let test = crate::signatures::test_string();
    let free = disk.len() - 4096;
    assert!(disk[free..].iter().all(|byte| *byte == 0));
    disk[free..free + test.len()].copy_from_slice(&test);
    let folder = tempfile::tempdir().expect("a directory");
    let (raw, packed) = (folder.path().join("raw"), folder.path().join("packed"));
    std::fs::write(&raw, &disk).expect("written");
    let convert = ["convert", "-c", "-f", "raw", "-O", "qcow2"];
    let done = std::process::Command::new("qemu-img").args(convert).args([&raw, &packed]).status();
    if !done.is_ok_and(|status| status.success()) {
        let _ =
            std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("skipped: qemu-img is absent\n"));
        return;
    }
    let found = told("opt/disk", &std::fs::read(&packed).expect("read"));
    let beside = found.iter().filter(|(rule, path)| rule == "CTR-20" && path.starts_with("opt/disk!/@"));
    assert_eq!(beside.count(), 1, "{found:?}");
    assert!(found.iter().any(|(_, path)| path.ends_with("!/content")), "{found:?}");
    assert!(found.iter().all(|(rule, _)| rule == "CTR-20"), "{found:?}");
}

#[test]
fn a_large_file_system_waits_in_a_file_that_was_lent_and_is_told_of_where_none_is() {
    use crate::files::tests::tar;
    let Some(image) = made("mksquashfs", SQUASHFS, 9 << 20) else { return };
    let rules = |scratch: Vec<std::fs::File>| -> Vec<String> {
        let mut knowledge = crate::files::tests::knowledge();
        knowledge.lend_scratch(scratch);
        let facts = crate::files::tests::facts_with(&knowledge, &tar(&[("a.snap", b'0', 0o644, &image)]));
        facts.notes.iter().map(|note| note.rule.clone()).collect()
    };
    assert_eq!(rules(vec![tempfile::tempfile().expect("a file")]), ["CTR-20"]);
    assert_eq!(rules(Vec::new()), ["INC-23"]);
}

/// An ELF file of one segment, which is all of it.
fn elf_with(content: &[u8]) -> Vec<u8> {
    let mut elf = elf();
    elf.resize(120, 0);
    for (at, value) in [(32, 64), (54, 56), (56, 1), (64, 1)] {
        elf[at] = value;
    }
    let size = (elf.len() + content.len()) as u64;
    elf[64 + 32..64 + 40].copy_from_slice(&size.to_le_bytes());
    [elf, content.to_vec()].concat()
}

#[test]
fn examples_in_the_help_of_a_program_are_told_and_do_not_block() {
    let example = b"\nExamples:\n  tool login --user admin --password=hK3v9Qz71xWm\n";
    let key = ["AKIA", "Z7QX4M2LT9WB3KDE"].concat();
    // GnuTLS's for its self-test.
    let published = [
        "-----BEGIN PRIV",
        "ATE KEY-----\nMEUCAQAwHAYGKoUDAgITMBIGByqFAwICIwEGByqFAwICHgEEIgQgdNfuHGmmTdPm\n",
        "p5dAa3ea9UYxpdYQPP9lbDwzQwG2bJM=\n-----END PRIV",
        "ATE KEY-----\n",
    ]
    .concat();
    let other = published.replace("JM=", "JN=");
    for (content, expected) in [
        (elf_with(published.as_bytes()), &[][..]),
        (published.clone().into_bytes(), &["CTR-21"]),
        (elf_with(other.as_bytes()), &["CTR-21-ELF"]),
        (elf_with(example), &["CTR-21-ELF"]),
        (elf_with(key.as_bytes()), &["CTR-21"]),
        // Compiled Java.
        ([&b"\xca\xfe\xba\xbe\0\0\0\x3d"[..], &mercat_secrets::control()].concat(), &["CTR-21-ELF"]),
        ([&b"\xca\xfe\xba\xbe\0\0\0\x3d"[..], key.as_bytes()].concat(), &["CTR-21"]),
        // What is behind a program may be anything.
        ([elf_with(b"nothing"), example.to_vec()].concat(), &["CTR-21", "CTR-21-ELF"]),
        (example.to_vec(), &["CTR-21"]),
    ] {
        let rules: Vec<String> = told("tool", &content).into_iter().map(|(rule, _)| rule).collect();
        assert_eq!(rules, expected, "{}", String::from_utf8_lossy(&content));
    }
}

#[test]
fn what_a_file_is_holds_in_each_of_its_windows() {
    use crate::files::tests::{facts_with, tar};
    let example = b" tool --password=hK3v9Qz71xWm\n";
    let hashes = "Bad.Elf:6:*:b4c1d2e3f4a5968778695a4b3c2d1e0f".to_owned();
    let extra = crate::Extra { hashes, ..crate::Extra::default() };
    let knowledge = crate::Knowledge::load(&extra, crate::Advisories::default());
    let knowledge = knowledge.unwrap_or_else(|error| panic!("{error}"));
    let signed = b"\xb4\xc1\xd2\xe3\xf4\xa5\x96\x87\x78\x69\x5a\x4b\x3c\x2d\x1e\x0f";
    for windows in 0..4 {
        let far = vec![b'.'; windows * crate::shown::WINDOW_BYTES + 1000];
        let content = [&far[..], signed, example].concat();
        for (bytes, expected) in [
            (elf_with(&content), &["CTR-20", "CTR-21-ELF"][..]),
            (content.clone(), &["CTR-21"]),
            // Behind the program.
            ([elf_with(&far), b"\n".to_vec(), example.to_vec()].concat(), &["CTR-21", "CTR-21-ELF"]),
        ] {
            let notes = facts_with(&knowledge, &tar(&[("tool", b'0', 0o755, &bytes)])).notes;
            let rules: Vec<&str> = notes.iter().map(|note| note.rule.as_str()).collect();
            assert_eq!(rules, expected, "{windows} windows in front: {notes:?}");
        }
    }
}

#[test]
fn credentials_are_told_once_and_with_the_line_of_their_file() {
    use crate::files::tests::{facts_with, tar};
    use crate::shown::WINDOW_BYTES;
    let key = ["AKIA", "Z7QX4M2LT9WB3KDE"].concat();
    let knowledge = crate::Knowledge::load(&crate::Extra::default(), crate::Advisories::default());
    let knowledge = knowledge.unwrap_or_else(|error| panic!("{error}"));
    let text = format!("# settings\n\nKEY={key}\n");
    // Lines of sixteen bytes, so many bytes of them.
    let lines = |bytes: usize| "fifteen letters\n".repeat(bytes / 16);
    for (name, path, content, line) in [
        ("a text", "etc/app", text.clone().into_bytes(), Some(3)),
        ("written by Windows", "etc/app", text.replace('\n', "\r\n").into_bytes(), Some(3)),
        ("no text", "etc/app", [b"\0\n", text.as_bytes()].concat(), None),
        ("in an archive", "etc/app.tar", tar(&[("app", b'0', 0o644, text.as_bytes())]), Some(3)),
        ("its name", &format!("srv/a\n{key}"), b"nothing\n".to_vec(), None),
        // The end of the first window is the beginning of the second.
        (
            "in two windows",
            "etc/app",
            [lines(WINDOW_BYTES - 64), text.clone(), lines(WINDOW_BYTES)].concat().into_bytes(),
            Some(65_535),
        ),
        (
            "in the second window",
            "etc/app",
            [lines(WINDOW_BYTES + 64), text.clone()].concat().into_bytes(),
            Some(65_543),
        ),
        (
            "far behind a zero",
            "etc/app",
            [&b"\0"[..], lines(WINDOW_BYTES + 64).as_bytes(), text.as_bytes()].concat(),
            None,
        ),
    ] {
        let notes = facts_with(&knowledge, &tar(&[(path, b'0', 0o644, &content)])).notes;
        // An archive that is not compressed shows what is in it as well.
        let told = notes.iter().filter(|note| note.rule == "CTR-21" && note.path != "etc/app.tar");
        let lines: Vec<Option<u32>> = told.map(|note| note.line).collect();
        assert_eq!(lines, [line], "{name}: {notes:?}");
    }
    // Of each other the reader sees the same.
    let two = format!("{key}\n{}\n", key.replace("Z7QX", "Z8QX"));
    let notes = facts_with(&knowledge, &tar(&[("etc/app", b'0', 0o644, two.as_bytes())])).notes;
    assert_eq!(notes.iter().map(|note| note.line).collect::<Vec<_>>(), [Some(1), Some(2)]);
}

#[test]
fn what_stands_in_a_layer_beside_its_files_is_looked_at() {
    use crate::files::tests::{facts_with, tar};
    use mercat_artifact::oci::Compression;
    use std::io::Write;
    let key = ["AKIA", "Z7QX4M2LT9WB3KDE"].concat();
    let knowledge = crate::Knowledge::load(&crate::Extra::default(), crate::Advisories::default());
    let knowledge = knowledge.unwrap_or_else(|error| panic!("{error}"));
    let told = |layer: &[u8]| -> Vec<(String, String)> {
        let notes = facts_with(&knowledge, layer).notes;
        notes.iter().map(|note| (note.rule.clone(), note.path.clone())).collect()
    };
    let record = |key: &str, value: &str| {
        let text = format!(" {key}={value}\n");
        let length = text.len() + 2;
        assert!((10..100).contains(&length));
        format!("{length}{text}").into_bytes()
    };
    let file = ("etc/app", b'0', 0o644, &b"nothing"[..]);
    let pax = |name: &str, kind: u8, record: &[u8]| tar(&[(name, kind, 0o644, record), file]);
    // The first header of a tar with other bytes in it.
    let with = |at: usize, bytes: &[u8]| {
        let mut out = tar(&[file]);
        out[at..at + bytes.len()].copy_from_slice(bytes);
        out[148..156].fill(b' ');
        let sum: u32 = out[..512].iter().map(|byte| u32::from(*byte)).sum();
        out[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        out
    };
    let found = [("CTR-21".to_owned(), "etc/app#header".to_owned())];
    for (name, layer) in [
        ("a comment", pax("PaxHeaders/app", b'x', &record("comment", &key))),
        ("a record that nobody knows", pax("PaxHeaders/app", b'x', &record("VENDOR.key", &key))),
        ("a comment about all", pax("pax_global_header", b'g', &record("comment", &key))),
        ("the name of an extension", pax(&format!("{key}/PaxHeaders.0/app"), b'x', &record("mtime", "1.5"))),
        ("a name that another stands for", {
            let long = record("path", "etc/app");
            tar(&[("PaxHeaders/x", b'x', 0o644, &long), (&key, b'0', 0o644, b"nothing")])
        }),
        ("an owner", with(265, key.as_bytes())),
        ("a group", with(297, key.as_bytes())),
    ] {
        assert_eq!(told(&layer), found, "{name}");
    }
    let padding = with(600, key.as_bytes());
    assert_eq!(told(&padding), [("CTR-21".to_owned(), "#header".to_owned())]);
    for (name, layer) in [
        ("an owner", with(265, b"www-data")),
        ("a time", pax("etc/PaxHeaders.123/app", b'x', &record("mtime", "1790000000.123"))),
        ("a name of Python", pax("././@PaxHeader", b'x', &record("mtime", "1790000000.123"))),
    ] {
        assert_eq!(told(&layer), [], "{name}");
        let mut reader = mercat_artifact::layer::tar::TarReader::new(&layer[..], 100);
        while reader.next_entry().expect("reads").is_some() {}
        assert_eq!(reader.take_aside(), b"", "nothing of what everybody writes: {name}");
    }
    for (name, header) in [
        ("name", flate2::GzBuilder::new().filename(key.as_str())),
        ("comment", flate2::GzBuilder::new().comment(key.as_str())),
        ("extra", flate2::GzBuilder::new().extra(key.as_str())),
    ] {
        let mut out = header.write(Vec::new(), flate2::Compression::fast());
        out.write_all(&tar(&[file])).expect("packed");
        let layer = out.finish().expect("packed");
        let facts =
            crate::facts::scan_layer(&mut &layer[..], Some(Compression::Gzip), &knowledge).expect("reads");
        let notes: Vec<(&str, &str)> =
            facts.notes.iter().map(|note| (note.rule.as_str(), note.path.as_str())).collect();
        assert_eq!(notes, [("CTR-21", "#header")], "{name}");
    }
}

/// A pack of git: a text, and as a change of it a text with another end.
fn pack_of_git(text: &str, end: &str) -> Vec<u8> {
    let number = |number: usize| [(number & 0x7f) as u8 | 0x80, (number >> 7) as u8];
    let object = |kind: u8, between: &[u8], content: &[u8]| {
        let header = [kind << 4 | (content.len() & 15) as u8 | 0x80, (content.len() >> 4) as u8];
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, content).expect("packed");
        [&header[..], between, &packed.finish().expect("packed")].concat()
    };
    let blob = object(3, &[], text.as_bytes());
    let sizes = [number(text.len()), number(text.len() + end.len())].concat();
    let copy = [&[0x80 | 0x30], &u16::try_from(text.len()).expect("short").to_le_bytes()[..]].concat();
    let change = [&sizes, &copy, &[end.len() as u8][..], end.as_bytes()].concat();
    let [low, high] = [blob.len() & 0x7f, (blob.len() >> 7).wrapping_sub(1) & 0x7f];
    let back = if blob.len() < 0x80 { vec![low as u8] } else { vec![high as u8 | 0x80, low as u8] };
    [&b"PACK\0\0\0\x02\0\0\0\x02"[..], &blob, &object(6, &back, &change), &[7; 20]].concat()
}

#[test]
fn the_history_of_a_repository_is_looked_through() {
    use crate::files::tests::{facts_with, tar};
    let key = ["AKIA", "Z7QX4M2LT9WB3KDE"].concat();
    let knowledge = crate::Knowledge::load(&crate::Extra::default(), crate::Advisories::default());
    let knowledge = knowledge.unwrap_or_else(|error| panic!("{error}"));
    let told = |pack: &[u8]| {
        let facts = facts_with(&knowledge, &tar(&[("app/.git/objects/pack/a.pack", b'0', 0o444, pack)]));
        assert_eq!(facts.nested_bytes, facts.nested_scanned_bytes);
        let note = |note: &Note| (note.rule.clone(), note.path.clone(), note.line);
        facts.notes.iter().map(note).collect::<Vec<_>>()
    };
    let text = "# settings of the program, without what it needs to sign in\n";
    let (clean, leaked) = (pack_of_git(text, "user = x\n"), pack_of_git(text, &format!("key = {key}\n")));
    assert_eq!(told(&clean), []);
    let [(rule, path, None)] = &told(&leaked)[..] else { panic!("{:?}", told(&leaked)) };
    assert!(rule == "CTR-21" && path.starts_with("app/.git/objects/pack/a.pack!/change@"), "{path}");
    let whole = pack_of_git(&format!("a\nkey = {key}\n"), "user = x\n");
    assert!(told(&whole).contains(&(
        "CTR-21".into(),
        "app/.git/objects/pack/a.pack!/blob@12".into(),
        Some(2)
    )));
    assert_eq!(told(&leaked[..leaked.len() - 30])[0].0, "INC-05");
}

#[test]
fn what_only_looks_like_a_credential_does_not_block_where_others_wrote_the_file() {
    let likely = b"MYAPP_PASSWORD=hK3v9Qz71xWm\n";
    let key = ["AKIA", "Z7QX4M2LT9WB3KDE\n"].concat();
    for (path, content, rule) in [
        ("app/.env", &likely[..], "CTR-21"),
        ("app/node_modules/x/test.js", likely, "CTR-21-MODULE"),
        ("usr/lib/python3.11/site-packages/x/help.py", likely, "CTR-21-MODULE"),
        ("app/README.md", likely, "CTR-21-MODULE"),
        ("app/node_modules/x/test.js", key.as_bytes(), "CTR-21"),
    ] {
        assert_eq!(told(path, content), [(rule.to_owned(), path.to_owned())]);
    }
    // Keywords that cannot all be tried are no credential; what was not read is not known.
    let many = "mysql -p1a1a1a1".repeat(400_000);
    let rules: Vec<String> = told("a", many.as_bytes()).into_iter().map(|(rule, _)| rule).collect();
    assert!(rules.contains(&"INC-02".to_owned()), "{rules:?}");
}

#[test]
fn what_waits_in_files_that_were_lent_is_judged_as_in_memory_and_told_as_ours_where_they_fail() {
    use crate::files::tests::{facts_with, tar};
    use std::fs::File;
    use std::io::Write;
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    // What packs to next to nothing waits in memory.
    let random: Vec<u8> = (0..5_000_000).map(|_| next()).collect();
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [("big", &random), ("eicar", &crate::signatures::test_string())] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).expect("begins");
        archive.write_all(content).expect("written");
    }
    let archive = archive.finish().expect("ends").into_inner();
    let behind = [b"#!/bin/sh\nexec java -jar $0\n", &*archive].concat();
    let marked = [b"needle one", &*random, b"needle two"].concat();
    let files = [("a.zip", &archive), ("b.run", &behind), ("c", &marked)];
    let layer = tar(&files.map(|(path, bytes)| (path, b'0', 0o644, &bytes[..])));
    let rule = r#"rule apart { strings: $a = "needle one" $b = "needle two" condition: $a at 0 and $b }"#;
    let facts = |yara: &str, lent: Vec<File>| {
        let extra = crate::Extra { yara: yara.to_owned(), ..crate::Extra::default() };
        let knowledge = crate::Knowledge::load(&extra, mercat_advisories::Advisories::default());
        let mut knowledge = knowledge.unwrap_or_else(|error| panic!("{error}"));
        knowledge.lend_scratch(lent);
        facts_with(&knowledge, &layer)
    };
    let told = |facts: &crate::LayerFacts| -> Vec<(String, String)> {
        facts.notes.iter().map(|note| (note.rule.clone(), note.path.clone())).collect()
    };
    let files = |open: &dyn Fn() -> File| (0..crate::SCRATCH_FILES).map(|_| open()).collect::<Vec<_>>();
    let found =
        [("CTR-20", "a.zip!/eicar"), ("CTR-20", "b.run!/eicar"), ("CTR-20", "c"), ("ZIP-04", "b.run")];
    let found = found.map(|(rule, path)| (rule.to_owned(), path.to_owned()));
    let in_memory = facts(rule, Vec::new());
    assert_eq!(told(&in_memory), found);
    assert_eq!(facts(rule, files(&|| tempfile::tempfile().expect("a file"))), in_memory);
    let full = tempfile::NamedTempFile::new().expect("a file");
    let broken = || files(&|| File::open(full.path()).expect("opened"));
    let lost = |paths: &[&str]| -> Vec<(String, String)> {
        paths.iter().map(|path| ("INC-02".to_owned(), (*path).to_owned())).collect()
    };
    // Each is wanted twice: to be opened, and by the rules. When the spare files are used up, what is left waits in memory.
    let mut expected = lost(&["a.zip", "a.zip", "b.run", "b.run"]);
    expected.insert(0, ("CTR-20".to_owned(), "c".to_owned()));
    assert_eq!(told(&facts(rule, broken())), expected);
    // No rule of ours looks at what has nothing in it that one of them needs.
    assert_eq!(told(&facts("", broken())), lost(&["a.zip", "b.run"]));
}

#[test]
fn a_zip_behind_other_bytes_is_opened_or_told_whatever_its_end_record_says() {
    let zip = zipped_test(0);
    let end = zip.len() - 22;
    let changed = |at: usize, bytes: &[u8]| {
        let mut out = [b"some text\n", &zip[..]].concat();
        out[10 + end + at..][..bytes.len()].copy_from_slice(bytes);
        out
    };
    for (name, bytes) in [
        ("as it is", changed(4, &[0; 2])),
        ("no members", changed(10, &[0; 2])),
        ("none here either", changed(8, &[0; 4])),
        ("a directory of a byte", changed(12, &[1, 0, 0, 0])),
        ("a directory of none", changed(12, &[0; 4])),
        ("a directory larger than the file", changed(12, &[0, 0, 0, 0x40])),
    ] {
        let told = told("x", &bytes);
        let is_told = told.iter().any(|(rule, _)| rule.starts_with("CTR-20") || rule == "ZIP-01");
        assert!(is_told, "{name}: {told:?}");
    }
    let none = [b"text".as_slice(), b"PK\x05\x06", &[0; 18]].concat();
    assert_eq!(told("x", &none), [], "the end of an empty one, as programs have it");
}

#[test]
fn a_zip_behind_an_archive_that_ends_before_is_told() {
    let hidden = zipped_test(0);
    let told = |bytes: &[u8]| told("x", bytes).into_iter().any(|(rule, _)| rule == "INC-05");
    let mut gzip = gzipped(b"harmless");
    assert!(!told(&gzip));
    // In its extra field, as the end of which the comment of the zip reaches to the end.
    let mut zip = hidden.clone();
    let comment = zip.len() - 2;
    zip[comment..].copy_from_slice(&((gzip.len() - 10) as u16).to_le_bytes());
    gzip[3] |= 4;
    let extra = [&(zip.len() as u16).to_le_bytes()[..], &zip].concat();
    gzip.splice(10..10, extra);
    assert!(told(&gzip));
}

/// What is in a zip with a comment, packed, so that nothing but opening it finds it.
fn zipped_test(comment: usize) -> Vec<u8> {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("x", zip::write::SimpleFileOptions::default()).expect("begins");
    archive.write_all(&crate::signatures::test_string()).expect("written");
    let mut out = archive.finish().expect("ends").into_inner();
    let at = out.len() - 2;
    out[at..].copy_from_slice(&u16::try_from(comment).expect("small").to_le_bytes());
    out.resize(out.len() + comment, b'c');
    out
}

fn is_found(bytes: &[u8]) -> bool {
    told("opt/app", bytes).iter().any(|(rule, _)| rule == "CTR-20")
}

#[test]
fn archives_far_behind_scripts_and_programs_are_opened() {
    use crate::shown::WINDOW_BYTES;
    let packed = gzipped(&crate::signatures::test_string());
    let far = vec![1_u8; 2 * WINDOW_BYTES + 600_000];
    let mut displaced = elf();
    // Its program headers are where no head reaches.
    displaced.resize(64, 0);
    displaced[32..40].copy_from_slice(&(3_u64 << 20).to_le_bytes());
    displaced[54..58].copy_from_slice(&[56, 0, 1, 0]);
    for front in [b"#!/bin/sh\n".to_vec(), elf(), displaced] {
        assert!(is_found(&[&front, &far[..], &packed].concat()), "{:?}", &front[..4]);
        // Its head is cut by the end of a window.
        for cut in 0..12 {
            let filler = &far[..WINDOW_BYTES - front.len() - cut];
            assert!(is_found(&[&front, filler, &packed].concat()), "{:?} {cut}", &front[..4]);
        }
    }
    let zeros = vec![0; 2 * WINDOW_BYTES + 600_000];
    let rules: Vec<String> =
        told("a.img", &[&zeros[..], &packed].concat()).into_iter().map(|(rule, _)| rule).collect();
    assert_eq!(rules, ["INC-04"]);
    assert_eq!(told("a.img", &[&zeros[..], b"nothing"].concat()), []);
}

#[test]
fn a_zip_behind_anything_is_opened_wherever_windows_end() {
    use crate::shown::WINDOW_BYTES;
    for front in [&b"\x89PNG\r\n"[..], b"Cr24", &elf()] {
        for comment in [0, 65_535] {
            let archive = zipped_test(comment);
            for (windows, beyond) in [(1, 0), (1, 20), (1, 21), (2, 0), (3, 20)] {
                let size = windows * WINDOW_BYTES + beyond - archive.len() - front.len();
                let bytes = [front, &vec![b'.'; size], &archive].concat();
                assert!(is_found(&bytes), "{front:?} {comment} {windows} {beyond}");
            }
        }
    }
}

#[test]
fn what_is_noted_first_does_not_hang_on_the_number_of_cores() {
    use crate::files::tests::{facts_with, knowledge, tar};
    let mut inner = Vec::new();
    for at in 0..400 {
        inner.extend(vec![b'.'; 15_000]);
        inner.extend(format!("\nX{at}_DB_PASSWORD=hK3v9Q{at}xWm\n").bytes());
    }
    let layer = tar(&[("o.tar", b'0', 0o644, &tar(&[("m", b'0', 0o644, &inner)]))]);
    let free = knowledge();
    let full = knowledge();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let _members: Vec<_> = (0..cores).map(|_| full.crew.join()).collect();
    let (free, full) = (facts_with(&free, &layer), facts_with(&full, &layer));
    assert!(full.notes.len() > 200, "{}", full.notes.len());
    assert_eq!(free, full);
}

#[test]
fn credentials_in_documents_of_several_windows_keep_the_digests_of_their_file() {
    use crate::files::tests::{facts_of, tar};
    let mut text = b"DB_PASSWORD=hK3v9Qz71xWm\n".to_vec();
    text.resize(3 << 20, b'.');
    let facts = facts_of(&tar(&[("usr/share/doc/x/examples.txt", b'0', 0o644, &text)]));
    let digest = crate::digest_of(&text);
    let kept: Vec<String> = facts.told.suspects.values().map(|(_, file)| file.sha256.to_string()).collect();
    assert_eq!(kept, [digest.hex()]);
}

#[test]
fn a_list_that_begins_like_a_disk_is_read_whether_or_not_files_are_lent() {
    use crate::files::tests::{facts_with, knowledge, tar};
    let mut list = b"hsqs\n/usr/bin/tool\n".to_vec();
    list.extend("/usr/share/x/some-file-of-this-package\n".repeat(40_000).bytes());
    let layer = tar(&[("var/lib/dpkg/info/tool.list", b'0', 0o644, &list)]);
    let facts = |files: usize| {
        let mut knowledge = knowledge();
        knowledge.lend_scratch((0..files).map(|_| tempfile::tempfile().expect("a file")).collect());
        facts_with(&knowledge, &layer)
    };
    let in_memory = facts(0);
    assert_eq!(in_memory.told.owned.len(), 1);
    assert_eq!(facts(crate::SCRATCH_FILES), in_memory);
}

/// The archive that is unpacked is the one that was looked at: an end record that our unpacker passes over leads it to a
/// zip that is stored inside.
#[test]
fn a_stored_zip_hides_no_content_of_the_one_around_it() {
    let key = mercat_secrets::control();
    let inner = zipped(&[("harmless", b"x", zip::CompressionMethod::Stored)]);
    let deflated = zip::CompressionMethod::Deflated;
    let outer = zipped(&[("evil.env", &key, deflated), ("in.zip", &inner, zip::CompressionMethod::Stored)]);
    let rules = |bytes: &[u8]| told("opt/x.zip", bytes).into_iter().map(|(rule, _)| rule).collect::<Vec<_>>();
    assert!(rules(&outer).contains(&"CTR-21".to_owned()), "{:?}", rules(&outer));
    assert!(!rules(&outer).iter().any(|rule| rule.starts_with("ZIP")), "{:?}", rules(&outer));
    for (field, value) in [(4, 1), (6, 1), (4, 0xff), (8, 0), (8, 1)] {
        let mut part = outer.clone();
        let at = part.len() - 22 + field;
        part[at] = value;
        assert!(rules(&part).iter().any(|rule| rule.starts_with("ZIP")), "{field}: {:?}", rules(&part));
    }
}

fn zipped(members: &[(&str, &[u8], zip::CompressionMethod)]) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content, method) in members {
        let options = zip::write::SimpleFileOptions::default().compression_method(*method);
        zip.start_file(*name, options).expect("starts");
        zip.write_all(content).expect("is written");
    }
    zip.finish().expect("ends").into_inner()
}

#[test]
fn how_far_back_archives_look_is_bounded_where_many_are_open() {
    let far = |log: u32| {
        use std::io::Write;
        let mut out = zstd::Encoder::new(Vec::new(), 1).expect("begins");
        out.window_log(log).expect("a window");
        out.include_contentsize(false).expect("without a size");
        out.write_all(&crate::signatures::test_string()).expect("written");
        out.finish().expect("ends")
    };
    for (log, layers, is_opened) in [(26, 0, true), (26, 3, false), (22, 3, true), (22, 8, true)] {
        let packed = (0..layers).fold(far(log), |bytes, _| gzipped(&bytes));
        let found = told("opt/app", &packed);
        let has = |start: &str| found.iter().any(|(rule, _)| rule.starts_with(start));
        assert_eq!(has("INC-05"), !is_opened, "{log} {layers}: {found:?}");
    }
}
