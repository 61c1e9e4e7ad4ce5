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
