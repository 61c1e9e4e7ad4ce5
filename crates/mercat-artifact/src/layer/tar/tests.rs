//! The streams on which tar readers disagree, each with the code that refuses it.

use super::*;
use crate::layer::{Caps, LayerReader};
use crate::oci::Compression;
use proptest::prelude::*;
use std::io::{self, Write};

fn header(name: &[u8], kind: u8, size: u64) -> [u8; 512] {
    let mut block = [0; 512];
    block[..name.len()].copy_from_slice(name);
    block[100..108].copy_from_slice(b"0000644\0");
    block[108..116].copy_from_slice(b"0000000\0");
    block[116..124].copy_from_slice(b"0000000\0");
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[136..148].copy_from_slice(b"00000000000\0");
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut block);
    block
}

fn seal(block: &mut [u8; 512]) {
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn padded(body: &[u8]) -> Vec<u8> {
    let mut out = body.to_vec();
    out.resize(body.len().div_ceil(512) * 512, 0);
    out
}

fn file(name: &str, body: &[u8]) -> Vec<u8> {
    [header(name.as_bytes(), b'0', body.len() as u64).to_vec(), padded(body)].concat()
}

fn pax(kind: u8, records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut text = Vec::new();
    for (key, value) in records {
        let body = [key.as_bytes(), b"=", value, b"\n"].concat();
        let mut length = body.len() + 2;
        while format!("{length} ").len() + body.len() != length {
            length += 1;
        }
        text.extend_from_slice(format!("{length} ").as_bytes());
        text.extend_from_slice(&body);
    }
    [header(b"pax", kind, text.len() as u64).to_vec(), padded(&text)].concat()
}

fn gnu(kind: u8, name: &str) -> Vec<u8> {
    let body = [name.as_bytes(), b"\0"].concat();
    [header(b"././@LongLink", kind, body.len() as u64).to_vec(), padded(&body)].concat()
}

fn end() -> Vec<u8> {
    vec![0; 1024]
}

fn changed(mut block: [u8; 512], at: usize, bytes: &[u8]) -> Vec<u8> {
    block[at..at + bytes.len()].copy_from_slice(bytes);
    seal(&mut block);
    block.to_vec()
}

fn walk(stream: &[u8], compression: Compression) -> Result<Vec<String>, ReadError> {
    let mut tar = TarReader::new(LayerReader::new(stream, compression, Caps::default()), 1000);
    let mut names = Vec::new();
    while let Some(entry) = tar.next_entry()? {
        names.push(entry.path);
    }
    Ok(names)
}

fn code(stream: &[u8], compression: Compression) -> String {
    match walk(stream, compression) {
        Ok(names) => names.join(" "),
        Err(ReadError::Refused { code, .. }) => code.to_owned(),
        Err(other) => format!("{other:?}"),
    }
}

#[test]
fn every_stream_on_which_readers_disagree_is_refused_with_its_code() {
    let evil = file("evil", b"x");
    let inner = [evil.clone(), end()].concat();
    let sized = |kind: u8| [header(b"d", kind, inner.len() as u64).to_vec(), padded(&inner), end()].concat();
    let link = |kind: u8| {
        let block = header(b"l", kind, 2048);
        [changed(block, 157, b"target"), padded(&inner), end()].concat()
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("directory with a size", sized(b'5'), "TAR-05"),
        ("hard link with a size", link(b'1'), "TAR-05"),
        ("symlink with a size", link(b'2'), "TAR-05"),
        ("device with a size", sized(b'3'), "TAR-05"),
        ("fifo with a size", sized(b'6'), "TAR-05"),
        (
            "two path records",
            [pax(b'x', &[("path", b"good"), ("path", b"evil")]), file("x", b"y"), end()].concat(),
            "TAR-08",
        ),
        (
            "two pax headers",
            [pax(b'x', &[("path", b"a")]), pax(b'x', &[("path", b"b")]), file("x", b""), end()].concat(),
            "TAR-06",
        ),
        (
            "pax path and GNU name",
            [pax(b'x', &[("path", b"a")]), gnu(b'L', "b"), file("x", b""), end()].concat(),
            "TAR-07",
        ),
        (
            "GNU name and pax path",
            [gnu(b'L', "b"), pax(b'x', &[("path", b"a")]), file("x", b""), end()].concat(),
            "TAR-07",
        ),
        (
            "pax linkpath and GNU link",
            [
                pax(b'x', &[("linkpath", b"a")]),
                gnu(b'K', "b"),
                changed(header(b"l", b'2', 0), 157, b"t"),
                end(),
            ]
            .concat(),
            "TAR-07",
        ),
        ("two GNU names", [gnu(b'L', "a"), gnu(b'L', "b"), file("x", b""), end()].concat(), "TAR-07"),
        ("global path", [pax(b'g', &[("path", b"evil")]), file("x", b""), end()].concat(), "TAR-10"),
        ("global size", [pax(b'g', &[("size", b"512")]), file("x", b""), end()].concat(), "TAR-10"),
        ("lone zero block", [file("a", b""), vec![0; 512], evil.clone(), end()].concat(), "TAR-16"),
        ("one zero block", [file("a", b"x"), vec![0; 512]].concat(), "TAR-16"),
        ("content after the end", [file("a", b""), end(), evil.clone(), end()].concat(), "TAR-17"),
        (
            "NUL in pax path",
            [pax(b'x', &[("path", b"good\0evil")]), file("x", b""), end()].concat(),
            "TAR-12",
        ),
        ("bytes after NUL in name", [changed(header(b"a", b'0', 0), 3, b"evil"), end()].concat(), "TAR-12"),
        (
            "bad pax length",
            [header(b"p", b'x', 12).to_vec(), padded(b"99 path=evil"), file("x", b""), end()].concat(),
            "TAR-09",
        ),
        (
            "pax without newline",
            [header(b"p", b'x', 12).to_vec(), padded(b"12 path=evil"), file("x", b""), end()].concat(),
            "TAR-09",
        ),
        (
            "bad checksum after a good entry",
            [
                file("a", b""),
                {
                    let mut b = header(b"evil", b'0', 0).to_vec();
                    b[0] = b'X';
                    b
                },
                end(),
            ]
            .concat(),
            "TAR-01",
        ),
        (
            "negative size",
            [changed(header(b"a", b'0', 0), 124, &[0xff; 12]), evil.clone(), end()].concat(),
            "TAR-03",
        ),
        (
            "size of 2^63-1",
            [
                changed(
                    header(b"a", b'0', 0),
                    124,
                    &[0x80, 0, 0, 0, 0x7f, 255, 255, 255, 255, 255, 255, 255],
                ),
                end(),
            ]
            .concat(),
            "TAR-03",
        ),
        (
            "size in decimal",
            [changed(header(b"a", b'0', 0), 124, b"00000000089\0"), end()].concat(),
            "TAR-03",
        ),
        (
            "pax sparse",
            [
                pax(b'x', &[("GNU.sparse.major", b"1"), ("GNU.sparse.realsize", b"9223372036854775807")]),
                file("x", b""),
                end(),
            ]
            .concat(),
            "TAR-20",
        ),
        ("GNU sparse", [header(b"x", b'S', 0).to_vec(), end()].concat(), "TAR-20"),
        (
            "prefix under GNU magic",
            [
                changed(
                    {
                        let mut b = header(b"x", b'0', 0);
                        b[257..265].copy_from_slice(b"ustar  \0");
                        b
                    },
                    345,
                    b"pre",
                ),
                end(),
            ]
            .concat(),
            "TAR-21",
        ),
        (
            "pax size below the header",
            [pax(b'x', &[("size", b"512")]), file("x", &[b'y'; 1024]), end()].concat(),
            "TAR-11",
        ),
        (
            "pax size over a zero header",
            [pax(b'x', &[("size", b"512")]), header(b"x", b'0', 0).to_vec(), inner.clone(), end()].concat(),
            "TAR-11",
        ),
        (
            "global header between",
            [pax(b'x', &[("path", b"a")]), pax(b'g', &[("comment", b"c")]), file("x", b""), end()].concat(),
            "TAR-10",
        ),
        ("star trailer", [changed(header(b"a", b'0', 0), 508, b"tar\0"), end()].concat(), "TAR-21"),
        (
            "extension name that is gzip",
            {
                let mut p = pax(b'x', &[("path", b"a")]);
                p[..3].copy_from_slice(b"\x1f\x8b\x08");
                let mut b: [u8; 512] = p[..512].try_into().expect("a block");
                seal(&mut b);
                p[..512].copy_from_slice(&b);
                [p, file("x", b""), end()].concat()
            },
            "LAY-06",
        ),
        ("v7 magic", [changed(header(b"a", b'0', 0), 257, &[0; 8]), end()].concat(), "TAR-02"),
        ("unknown type", [header(b"a", b'Z', 0).to_vec(), end()].concat(), "TAR-04"),
        ("contiguous file", [header(b"a", b'7', 0).to_vec(), end()].concat(), "TAR-04"),
        ("empty name", [header(b"", b'0', 0).to_vec(), end()].concat(), "TAR-13"),
        ("absolute name", [file("/etc/passwd", b""), end()].concat(), "TAR-14"),
        ("dot-dot name", [file("a/../../etc", b""), end()].concat(), "TAR-14"),
        (
            "hard link outside",
            [changed(header(b"l", b'1', 0), 157, b"../etc/passwd"), end()].concat(),
            "TAR-23",
        ),
        ("symlink without target", [header(b"l", b'2', 0).to_vec(), end()].concat(), "TAR-23"),
        ("file with a link target", [changed(header(b"f", b'0', 0), 157, b"x"), end()].concat(), "TAR-23"),
        ("name not UTF-8", [header(b"\xff\xfe", b'0', 0).to_vec(), end()].concat(), "TAR-15"),
        ("long component", [gnu(b'L', &"x".repeat(256)), file("x", b""), end()].concat(), "TAR-19"),
        ("truncated file", header(b"a", b'0', 1000).to_vec(), "TAR-18"),
        ("dangling pax header", [file("a", b""), pax(b'x', &[("path", b"b")]), end()].concat(), "TAR-22"),
        ("file named as a directory", [file("a/", b""), end()].concat(), "TAR-25"),
        ("empty whiteout", [file("a/.wh.", b""), end()].concat(), "TAR-24"),
        ("whiteout of dot-dot", [file("a/.wh...", b""), end()].concat(), "TAR-24"),
        ("aufs whiteout", [file(".wh..wh.plnk", b""), end()].concat(), "TAR-24"),
        ("whiteout with content", [file(".wh.a", b"x"), end()].concat(), "TAR-24"),
        ("whiteout as a directory", [header(b".wh.a/", b'5', 0).to_vec(), end()].concat(), "TAR-24"),
        ("nothing at all", Vec::new(), "TAR-16"),
    ];
    for (what, stream, expected) in cases {
        assert_eq!(code(&stream, Compression::None), expected, "{what}");
    }
}

#[test]
fn what_fills_a_block_up_is_set_aside_whole_however_the_stream_comes() {
    struct Drops<'b>(&'b [u8], usize);
    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }
    let mut stream = header(b"a", b'0', 5).to_vec();
    stream.extend(b"bytes");
    let hidden: Vec<u8> = (0..507).map(|at| b'a' + (at % 26) as u8).collect();
    stream.extend(&hidden);
    stream.extend([file("b", b"x"), end()].concat());
    for drop in [1, 7, 300, 511, 1 << 20] {
        let mut tar = TarReader::new(Drops(&stream, drop), 10);
        let mut aside = Vec::new();
        while tar.next_entry().expect("it is read").is_some() {
            aside.extend(tar.take_aside());
        }
        assert!(aside == [&hidden[..], b"\n"].concat(), "{drop} bytes at a time");
    }
}

#[test]
fn a_stream_that_ends_behind_an_entry_has_one_reading() {
    assert_eq!(code(&file("a", b"x"), Compression::None), "a");
    assert_eq!(code(&gz(&file("a", b"x")), Compression::Gzip), "a");
}

#[test]
fn well_formed_streams_are_read_whole() {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let stream = [
        header(b"./", b'5', 0).to_vec(),
        file("./a//b/./c", b"x"),
        pax(b'g', &[("comment", b"made by git")]),
        [
            pax(b'x', &[("path", long.as_bytes()), ("mtime", b"1.5"), ("SCHILY.xattr.user.a", b"\0b")]),
            file("short", b"y"),
        ]
        .concat(),
        [gnu(b'L', &"n".repeat(150)), file("short", b"")].concat(),
        changed(header(b"l", b'2', 0), 157, b"/etc/../x"),
        changed(header(b"h", b'1', 0), 157, b"./a/b/c"),
        changed(header(b"big-uid", b'0', 0), 108, &[0x80, 0, 0, 0, 1, 0, 0, 0]),
        changed(header(b"name", b'0', 0), 345, b"pre/fix"),
        file("gone/.wh.x", b""),
        file("gone/.wh..wh..opq", b""),
        vec![0; 10240],
    ]
    .concat();
    let names = walk(&stream, Compression::None).expect("well-formed");
    assert_eq!(names[..3], ["".to_owned(), "a/b/c".to_owned(), long]);
    assert_eq!(names[4..], ["l", "h", "big-uid", "pre/fix/name", "gone/.wh.x", "gone/.wh..wh..opq"]);
}

fn gz(body: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(body).expect("memory");
    out.finish().expect("memory")
}

#[test]
fn compressed_streams_end_once_and_exactly() {
    let tar = [file("a", b"x"), end()].concat();
    let good = gz(&tar);
    assert_eq!(code(&good, Compression::Gzip), "a");
    let flip = |at: usize| {
        let mut bytes = good.clone();
        let at = bytes.len() - at;
        bytes[at] ^= 1;
        bytes
    };
    let half = tar.len() / 2;
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("bad CRC", flip(8), "GZ-03"),
        ("bad length", flip(1), "GZ-04"),
        ("two members", [gz(&tar[..half]), gz(&tar[half..])].concat(), "GZ-05"),
        ("trailing garbage", [good.clone(), b"x".to_vec()].concat(), "GZ-06"),
        ("trailing zeros", [good.clone(), vec![0; 8]].concat(), "GZ-06"),
        ("plain tar", tar.clone(), "GZ-01"),
        ("zstd", zstd::encode_all(&tar[..], 1).expect("memory"), "GZ-01"),
    ];
    for (what, stream, expected) in cases {
        assert_eq!(code(&stream, Compression::Gzip), expected, "{what}");
    }
    for cut in 1..=12 {
        assert_eq!(code(&good[..good.len() - cut], Compression::Gzip), "GZ-07", "cut by {cut}");
    }
}

#[test]
fn zstd_frames_are_all_data_and_nothing_follows() {
    let tar = [file("a", b"x"), end()].concat();
    let frame = |body: &[u8]| zstd::encode_all(body, 3).expect("memory");
    let good = frame(&tar);
    assert_eq!(code(&good, Compression::Zstd), "a");
    assert_eq!(code(&[frame(&tar[..700]), frame(&tar[700..])].concat(), Compression::Zstd), "a");
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9][..], &good].concat();
    let after = [&good[..], &[0x5f, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]].concat();
    assert_eq!(code(&skippable, Compression::Zstd), "ZST-03");
    assert_eq!(code(&after, Compression::Zstd), "ZST-03");
    assert_eq!(code(&[&good[..], b"junk"].concat(), Compression::Zstd), "ZST-04");
    assert_eq!(code(&tar, Compression::Zstd), "ZST-01");
    assert_eq!(code(&good[..good.len() - 2], Compression::Zstd), "ZST-06");
    let mut broken = good.clone();
    broken[6] ^= 0xff;
    assert_ne!(code(&broken, Compression::Zstd), "a");
}

#[test]
fn a_bomb_is_stopped_by_its_ratio() {
    let zeros = vec![0; 80 << 20];
    let bomb = gz(&[file("zeros", &zeros), end()].concat());
    assert_eq!(code(&bomb, Compression::Gzip), "LAY-05");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let _ = walk(&bytes, compression);
        }
    }

    #[test]
    fn a_flipped_byte_is_refused_or_leaves_a_readable_archive(at in 0_usize..2560, to: u8) {
        let mut stream = [file("a", b"x"), pax(b'x', &[("path", b"b")]), file("x", b"y"), end()].concat();
        let at = at % stream.len();
        stream[at] = to;
        if let Ok(names) = walk(&stream, Compression::None) {
            prop_assert!(names.len() <= 2, "{names:?}");
        }
    }
}
