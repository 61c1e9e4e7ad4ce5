//! Archives made here, byte by byte.

use super::contents;
use flate2::{Compress, Compression, FlushCompress, Status};
use std::io::Write;

pub(super) fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, content) in members {
        writeln!(out, "{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", format!("{name}/"), 0, 0, 0, 644, content.len())
            .expect("written");
        out.extend_from_slice(content);
        if content.len() % 2 == 1 {
            out.push(b'\n');
        }
    }
    out
}

pub(super) fn cpio(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in members.iter().chain(&[("TRAILER!!!", &b""[..])]) {
        let mode = if *name == "TRAILER!!!" { 0 } else { 0o100_644 };
        let fields = [1, mode, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        out.extend_from_slice(b"070701");
        for field in fields {
            write!(out, "{field:08x}").expect("written");
        }
        out.extend_from_slice(name.as_bytes());
        out.push(0);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}

pub(super) fn rpm(payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0xed, 0xab, 0xee, 0xdb, 3, 0];
    out.resize(96, 0);
    let header = [0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4];
    // One entry and four bytes, for the signature padded to eight.
    out.extend(header.iter().chain(&[0; 16]).chain(b"sign").chain(&[0; 4]));
    out.extend(header.iter().chain(&[0; 16]).chain(b"head"));
    out.extend_from_slice(payload);
    out
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Method {
    Stored,
    MsZip,
    Lzx,
}

/// A cabinet with one folder.
pub(super) fn cab(files: &[(String, Vec<u8>)], method: Method) -> Vec<u8> {
    let content: Vec<u8> = files.iter().flat_map(|file| file.1.clone()).collect();
    let mut before: &[u8] = &[];
    let mut blocks = Vec::new();
    for (at, block) in content.chunks(32 << 10).enumerate() {
        let packed = match method {
            Method::Stored => block.to_vec(),
            Method::MsZip => mszip(block, before),
            Method::Lzx => lzx_uncompressed(block, at == 0),
        };
        before = block;
        let mut sized = (packed.len() as u16).to_le_bytes().to_vec();
        sized.extend_from_slice(&(block.len() as u16).to_le_bytes());
        blocks.extend_from_slice(&sum(&packed, sum(&sized, 0)).to_le_bytes());
        blocks.extend(sized.iter().chain(&packed));
    }
    let mut listed = Vec::new();
    let mut start = 0;
    for (name, file) in files {
        for field in [file.len() as u32, start] {
            listed.extend_from_slice(&field.to_le_bytes());
        }
        listed.extend_from_slice(&[0, 0, 0x21, 0x50, 0, 0, 0x20, 0]);
        listed.extend(name.bytes().chain([0]));
        start += file.len() as u32;
    }
    let kind: u16 = match method {
        Method::Stored => 0,
        Method::MsZip => 1,
        Method::Lzx => 3 | 15 << 8,
    };
    let data_at = 36 + 8 + listed.len();
    let mut out = b"MSCF\0\0\0\0".to_vec();
    for field in [(data_at + blocks.len()) as u32, 0, 44, 0] {
        out.extend_from_slice(&field.to_le_bytes());
    }
    out.extend_from_slice(&[3, 1, 1, 0]);
    out.extend_from_slice(&(files.len() as u16).to_le_bytes());
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&(data_at as u32).to_le_bytes());
    out.extend_from_slice(&(content.len().div_ceil(32 << 10) as u16).to_le_bytes());
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend(listed.iter().chain(&blocks));
    out
}

fn sum(bytes: &[u8], seed: u32) -> u32 {
    bytes.chunks(4).fold(seed, |sum, chunk| {
        let word = match *chunk {
            [a, b, c, d] => [a, b, c, d],
            [a, b, c] => [c, b, a, 0],
            [a, b] => [b, a, 0, 0],
            _ => [chunk[0], 0, 0, 0],
        };
        sum ^ u32::from_le_bytes(word)
    })
}

fn mszip(block: &[u8], dictionary: &[u8]) -> Vec<u8> {
    let mut deflate = Compress::new(Compression::best(), false);
    if !dictionary.is_empty() {
        deflate.set_dictionary(dictionary).expect("a dictionary");
    }
    let mut out = vec![0; block.len() + 1024];
    let status = deflate.compress(block, &mut out, FlushCompress::Finish).expect("deflates");
    assert_eq!(status, Status::StreamEnd);
    out.truncate(deflate.total_out() as usize);
    [b"CK", &out[..]].concat()
}

/// LZX with blocks that are not compressed: one header bit for the whole stream, then each block.
fn lzx_uncompressed(block: &[u8], first: bool) -> Vec<u8> {
    // No translation (one bit, first only), type 3 (three bits), size (24 bits), to the end of a word.
    let size = block.len() as u64;
    let bits = (3 << 24 | size) << if first { 4 } else { 5 };
    let mut out = Vec::new();
    for word in [(bits >> 16) as u16, bits as u16] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&[1, 0, 0, 0].repeat(3));
    out.extend_from_slice(block);
    if block.len() % 2 == 1 {
        out.push(0);
    }
    out
}

/// A 7z with one stored file `x` that holds `abc`.
pub(super) fn sevenz() -> Vec<u8> {
    let content = b"abc";
    let crc = crc32fast::hash(content).to_le_bytes();
    let mut header = vec![1, 4, 6, 0, 1, 9, 3, 0];
    header.extend_from_slice(&[7, 0x0b, 1, 0, 1, 1, 0, 0x0c, 3, 0x0a, 1]);
    header.extend_from_slice(&crc);
    header.extend_from_slice(&[0, 8, 0, 0]);
    header.extend_from_slice(&[5, 1, 0x11, 5, 0, b'x', 0, 0, 0, 0, 0]);
    let mut start = (content.len() as u64).to_le_bytes().to_vec();
    start.extend_from_slice(&(header.len() as u64).to_le_bytes());
    start.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    let mut out = b"7z\xbc\xaf\x27\x1c\0\x04".to_vec();
    out.extend_from_slice(&crc32fast::hash(&start).to_le_bytes());
    out.extend(start.iter().chain(content).chain(&header));
    out
}

fn lz4() -> Vec<u8> {
    // Version 1, independent blocks, content checksum; one stored block.
    let mut out = vec![0x04, 0x22, 0x4d, 0x18, 0x64, 0x40, 0xa7];
    out.extend_from_slice(&(0x8000_0003_u32).to_le_bytes());
    out.extend_from_slice(b"abc");
    out.extend_from_slice(&[0; 4]);
    // xxHash-32 of "abc" with seed 0.
    out.extend_from_slice(&0x32d1_53ff_u32.to_le_bytes());
    out
}

/// `aaaa`: a byte, the code that is defined by itself, and a byte; nine bits each.
fn compress() -> Vec<u8> {
    let codes = [97_u64, 257, 97];
    let bits = codes.iter().rev().fold(0, |sum, code| sum << 9 | code);
    [&[0x1f, 0x9d, 0x90], &bits.to_le_bytes()[..4]].concat()
}

pub(super) fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let small = [("a.txt".to_owned(), b"content of a".repeat(9)), ("b".to_owned(), b"b".to_vec())];
    let payload = cpio(&[("./x", b"abc")]);
    let mut out = vec![
        ("ar", ar(&[("a.txt", b"content of a"), ("b", b"odd")])),
        ("cpio", cpio(&[("a.txt", b"content of a"), ("b", b"odd")])),
        ("rpm", rpm(&payload)),
        ("cab stored", cab(&small, Method::Stored)),
        ("cab mszip", cab(&small, Method::MsZip)),
        ("cab lzx", cab(&small, Method::Lzx)),
        ("7z", sevenz()),
        ("lz4", lz4()),
        ("compress", compress()),
    ];
    out.push(("cab long", cab(&contents()[..1], Method::MsZip)));
    out
}
