use super::*;

#[test]
fn four_bytes_are_no_archive_and_an_archive_behind_a_program_is_one() {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(Cursor::new(b"#!/bin/sh\n".to_vec()));
    zip.start_file("a", zip::write::SimpleFileOptions::default()).expect("begins");
    zip.write_all(b"content").expect("written");
    let archive = zip.finish().expect("ends").into_inner();
    let behind = [&b"#!/bin/sh\nexec java -jar $0\n"[..], &archive].concat();
    assert!(has_zip_tail(&behind, true) && has_zip_tail(&[&behind[..], b"more"].concat(), true));
    let program = [&b"magic = b'PK\x05\x06'"[..], &[7; 40]].concat();
    assert!(!has_zip_tail(&program, true) && has_zip_tail(&program, false));
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
