//! E: archives inside layers.

use super::Case;
use super::Expect::{self, Accepted, Blocks, Told, Unfinished};
use super::bytes::{bzip2, deflate, gzip, lz4, noise, tar_of, with, xz, zstandard};
use super::image::Image;
use std::io::Write;

fn case(name: impl Into<String>, file: &str, content: &[u8], expect: Expect) -> Case {
    Case::image('E', name, Image::of_file(file, content), expect)
}

pub(super) fn cases() -> Vec<Case> {
    let mut out = whole_and_cut();
    out.extend(headers());
    out.extend(zips());
    out.extend(not_opened());
    out.extend(nesting());
    // As parallel compressors and seekable files have them.
    let frames = [&b"\x50\x2a\x4d\x18\x04\0\0\0\x2a\0\0\0"[..], &zstandard(b"some text")].concat();
    let table =
        [&b"\x5e\x2a\x4d\x18\x11\0\0\0\x12\0\0\0\x09\0\0\0\x01\0\0\0\0\xb1\xea\x92\x8f"[..], b""].concat();
    out.push(case("zstd: skippable frames of its own tools", "x.zst", &[frames, table].concat(), Accepted));
    out
}

pub(super) fn ar(name: &str, size: &str, content: &[u8]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    writeln!(out, "{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`", 0, 0, 0, 644).expect("memory");
    out.extend_from_slice(content);
    out
}

fn cpio(name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content, mode) in [(name, content, 0o100_644), ("TRAILER!!!", &b""[..], 0)] {
        out.extend_from_slice(b"070701");
        for field in [1, mode, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0] {
            write!(out, "{field:08x}").expect("memory");
        }
        out.extend(name.bytes().chain([0]));
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}

fn rpm(payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0xed, 0xab, 0xee, 0xdb, 3, 0];
    out.resize(96, 0);
    let header = [0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4];
    out.extend(header.iter().chain(&[0; 16]).chain(b"sign").chain(&[0; 4]));
    out.extend(header.iter().chain(&[0; 16]).chain(b"head"));
    out.extend_from_slice(payload);
    out
}

/// A cabinet with one stored file; checksums of zero are not looked at.
fn cab(content: &[u8]) -> Vec<u8> {
    let mut out = b"MSCF\0\0\0\0".to_vec();
    let total = 44 + 16 + 2 + 8 + content.len();
    for field in [total as u32, 0, 44, 0] {
        out.extend(field.to_le_bytes());
    }
    out.extend([3, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    out.extend(62_u32.to_le_bytes());
    out.extend([1, 0, 0, 0]);
    out.extend((content.len() as u32).to_le_bytes());
    out.extend([0; 4]);
    out.extend([0, 0, 0x21, 0x50, 0, 0, 0x20, 0, b'x', 0]);
    out.extend([0; 4]);
    out.extend((content.len() as u16).to_le_bytes().repeat(2));
    out.extend_from_slice(content);
    out
}

/// A 7z with one stored file `x` that holds `abc`.
fn sevenz() -> Vec<u8> {
    let crc = crc32fast::hash(b"abc").to_le_bytes();
    let mut header = vec![1, 4, 6, 0, 1, 9, 3, 0, 7, 0x0b, 1, 0, 1, 1, 0, 0x0c, 3, 0x0a, 1];
    header.extend(crc);
    header.extend([0, 8, 0, 0, 5, 1, 0x11, 5, 0, b'x', 0, 0, 0, 0, 0]);
    let mut start = 3_u64.to_le_bytes().to_vec();
    start.extend((header.len() as u64).to_le_bytes());
    start.extend(crc32fast::hash(&header).to_le_bytes());
    let mut out = b"7z\xbc\xaf\x27\x1c\0\x04".to_vec();
    out.extend(crc32fast::hash(&start).to_le_bytes());
    out.extend(start.iter().chain(b"abc").chain(&header));
    out
}

/// `aaaa` in nine-bit codes.
fn compress() -> Vec<u8> {
    let bits = [97_u64, 257, 97].iter().rev().fold(0, |sum, code| sum << 9 | code);
    [&[0x1f, 0x9d, 0x90], &bits.to_le_bytes()[..4]].concat()
}

fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let body = noise(700, 4);
    vec![
        ("ar", ar("a/", "700", &body)),
        ("cpio", cpio("a", &body)),
        ("rpm", rpm(&gzip(&cpio("./x", &body)))),
        ("cab", cab(&body)),
        ("7z", sevenz()),
        ("lz4", lz4(&body)),
        ("compress", compress()),
        ("zip", zip(&[Member::new(b"a", b"content"), Member::new(b"b", b"more")])),
        ("gzip", gzip(&body)),
        ("xz", xz(&body)),
        ("bzip2", bzip2(&body)),
        ("zstd", zstandard(&body)),
        ("tar", tar_of(&[("a", &body)])),
    ]
}

/// Each format as it should be, and cut: what is missing is told, never passed over.
fn whole_and_cut() -> Vec<Case> {
    let mut out = Vec::new();
    for (name, bytes) in samples() {
        out.push(case(format!("a whole {name}"), &format!("{name}.bin"), &bytes, Accepted));
        let length = bytes.len();
        for cut in [1, 2, 3, length / 4, length / 3, length / 2, length * 2 / 3] {
            let end = length - cut;
            // Too little of a head to be told from any other file, or only the end of a code's last bits.
            let short =
                end < 8 || name == "compress" || name == "tar" && cut <= 1024 || name == "cpio" && cut <= 3;
            if !short {
                let expect = Blocks("INC-05|ZIP-01|ZIP-02|ZIP-13");
                out.push(case(format!("{name} cut by {cut}"), &format!("{name}.bin"), &bytes[..end], expect));
            }
        }
    }
    out
}

/// Fields of headers that lie.
fn headers() -> Vec<Case> {
    let body = noise(300, 5);
    let (of_ar, of_cpio, of_cab, of_rpm) = (ar("x/", "300", &body), cpio("x", &body), cab(&body), rpm(b""));
    let hidden = zip(&[Member::new(b"x", &body)]);
    let skippable =
        |held: &[u8]| [&b"\x50\x2a\x4d\x18"[..], &(held.len() as u32).to_le_bytes(), held].concat();
    let damaged: Vec<(&str, Vec<u8>)> = vec![
        ("ar: a size of 9,999,999,999", ar("x/", "9999999999", b"abc")),
        ("ar: a negative size", ar("x/", "-1", b"abc")),
        ("ar: a size in letters", ar("x/", "three", b"abc")),
        ("ar: an empty size", ar("x/", "", b"abc")),
        ("ar: a long name without a table", ar("/7", "3", b"abc")),
        ("ar: a BSD name longer than the member", ar("#1/4", "3", b"abc")),
        ("ar: a member header without its end", with(&of_ar, 66, b"xx")),
        ("ar: thin", b"!<thin>\n".to_vec()),
        ("ar: two name tables", [ar("//", "4", b"a/\n\n"), ar("//", "4", b"b/\n\n")[8..].to_vec()].concat()),
        ("cpio: a size of 4 GiB", with(&of_cpio, 6 + 6 * 8, b"ffffffff")),
        ("cpio: a size in letters", with(&of_cpio, 6 + 6 * 8, b"0000000g")),
        ("cpio: a name of 4 GiB", with(&of_cpio, 6 + 11 * 8, b"ffffffff")),
        ("cpio: a name of one byte", with(&of_cpio, 6 + 11 * 8, b"00000001")),
        ("cpio: a name of no byte", with(&of_cpio, 6 + 11 * 8, b"00000000")),
        ("cpio: the checksum form with a wrong one", with(&of_cpio, 0, b"070702")),
        ("cpio: no trailer", of_cpio[..112 + 300].to_vec()),
        ("rpm: a header of 4 GiB", with(&of_rpm, 96 + 12, &[0xff; 4])),
        ("rpm: 2^32 entries", with(&of_rpm, 96 + 8, &[0xff; 4])),
        ("rpm: no magic of a header", with(&of_rpm, 96, b"x")),
        ("rpm: a second header without magic", with(&of_rpm, 136, b"x")),
        ("cab: a file longer than its folder", with(&of_cab, 44, &[0xff; 4])),
        ("cab: a file at 4 GiB", with(&of_cab, 48, &[0xff; 4])),
        ("cab: a file of folder 7", with(&of_cab, 52, &[7])),
        ("cab: a file of the next cabinet", with(&of_cab, 52, &[0xfe, 0xff])),
        ("cab: Quantum", with(&of_cab, 42, &[2])),
        ("cab: an unknown compression", with(&of_cab, 42, &[9])),
        ("cab: data behind the end", with(&of_cab, 36, &[0xff; 4])),
        ("cab: a block longer than it may be", with(&of_cab, 68, &[0xff, 0xff])),
        ("cab: 65,535 folders", with(&of_cab, 26, &[0xff, 0xff])),
        ("cab: 65,535 files", with(&of_cab, 28, &[0xff, 0xff])),
        ("cab: a wrong checksum", with(&of_cab, 62, &[1, 2, 3, 4])),
        ("7z: a header of 2^64 bytes", with(&sevenz(), 20, &[0xff; 8])),
        ("7z: a header at 2^64", with(&sevenz(), 12, &[0xff; 8])),
        ("7z: a wrong checksum of the start", with(&sevenz(), 8, &[1])),
        ("7z: a wrong checksum of the content", {
            let bytes = sevenz();
            with(&bytes, 32, b"abd")
        }),
        ("compress: a code that is not there yet", b"\x1f\x9d\x90\xff\xff".to_vec()),
        ("compress: nothing but a width of nine", b"\x1f\x9d\x89\xff\xff".to_vec()),
        ("gzip: a wrong checksum", flipped(&gzip(&body), 6)),
        ("gzip: a wrong length", flipped(&gzip(&body), 2)),
        ("gzip: a second member that is cut", [gzip(&body), gzip(&body)[..40].to_vec()].concat()),
        ("xz: a wrong check", flipped(&xz(&body), 30)),
        ("xz: a wrong index", flipped(&xz(&body), 14)),
        ("bzip2: a wrong checksum", flipped(&bzip2(&body), 3)),
        ("bzip2: a byte inside", flipped(&bzip2(&body), 120)),
        ("lz4: a wrong checksum of the header", with(&lz4(&body), 6, &[lz4(&body)[6] ^ 1])),
        ("lz4: an unknown version", with(&lz4(&body), 4, &[0xc0])),
        ("zstd: a window of 2 GiB", vec![0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0]),
        (
            "zstd: a skippable frame behind that is cut",
            [zstandard(&body), b"\x50\x2a\x4d\x18\x04\0\0\0x".to_vec()].concat(),
        ),
        ("zstd: a zip in a skippable frame behind", [zstandard(&body), skippable(&hidden)].concat()),
        (
            "zstd: a zip in a skippable frame between",
            [zstandard(&body), skippable(&hidden), zstandard(&body)].concat(),
        ),
        (
            "zstd: a zip at the end of a skippable frame",
            [zstandard(&body), skippable(&[&[7; 100][..], &hidden].concat())].concat(),
        ),
        ("zstd: a skippable frame that is the name of a tar", {
            let tar = tar_of(&[("P*M\x18", &hidden)]);
            let size = (tar.len() as u32 - 8).to_le_bytes();
            [with(&tar, 4, &size), zstandard(&body)].concat()
        }),
        ("tar: a wrong checksum inside", flipped(&tar_of(&[("a", b"x"), ("b", b"y")]), 2048 - 20)),
        ("tar: cut inside a file", tar_of(&[("a", &body)])[..600].to_vec()),
    ];
    damaged.into_iter().map(|(name, bytes)| case(name, "x.bin", &bytes, Unfinished("INC-0"))).collect()
}

fn flipped(bytes: &[u8], from_end: usize) -> Vec<u8> {
    let at = bytes.len() - from_end;
    with(bytes, at, &[bytes[at] ^ 0x11])
}

/// A member of a zip; the fields that cases set otherwise.
#[derive(Clone)]
pub(super) struct Member {
    name: Vec<u8>,
    content: Vec<u8>,
    packed: Vec<u8>,
    flags: u16,
    method: u16,
    local_name: Vec<u8>,
    local_size: u32,
    declared: u32,
    extra: Vec<u8>,
}

impl Member {
    pub(super) fn new(name: &[u8], content: &[u8]) -> Self {
        let size = content.len() as u32;
        Self {
            name: name.to_vec(),
            content: content.to_vec(),
            packed: content.to_vec(),
            flags: 0,
            method: 0,
            local_name: name.to_vec(),
            local_size: size,
            declared: size,
            extra: Vec::new(),
        }
    }

    pub(super) fn deflated(name: &[u8], content: &[u8]) -> Self {
        let packed = deflate(content);
        Self { method: 8, local_size: packed.len() as u32, packed, ..Self::new(name, content) }
    }

    fn local(&self) -> Vec<u8> {
        let mut out = b"PK\x03\x04\x14\0".to_vec();
        out.extend(self.flags.to_le_bytes().iter().chain(&self.method.to_le_bytes()).chain(&[0; 4]));
        out.extend(crc32fast::hash(&self.content).to_le_bytes());
        out.extend(self.local_size.to_le_bytes().iter().chain(&self.declared.to_le_bytes()));
        out.extend((self.local_name.len() as u16).to_le_bytes());
        out.extend([0, 0].iter().chain(&self.local_name).chain(&self.packed));
        out
    }

    fn central(&self, at: usize) -> Vec<u8> {
        let mut out = b"PK\x01\x02\x14\0\x14\0".to_vec();
        out.extend(self.flags.to_le_bytes().iter().chain(&self.method.to_le_bytes()).chain(&[0; 4]));
        out.extend(crc32fast::hash(&self.content).to_le_bytes());
        out.extend((self.packed.len() as u32).to_le_bytes().iter().chain(&self.declared.to_le_bytes()));
        out.extend(
            (self.name.len() as u16).to_le_bytes().iter().chain(&(self.extra.len() as u16).to_le_bytes()),
        );
        out.extend([0; 10]);
        out.extend((at as u32).to_le_bytes().iter().chain(&self.name).chain(&self.extra));
        out
    }
}

fn end(entries: u16, size: usize, offset: usize) -> Vec<u8> {
    let mut out = b"PK\x05\x06\0\0\0\0".to_vec();
    out.extend(entries.to_le_bytes().repeat(2));
    out.extend((size as u32).to_le_bytes().iter().chain(&(offset as u32).to_le_bytes()).chain(&[0, 0]));
    out
}

pub(super) fn zip(members: &[Member]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        directory.extend(member.central(out.len()));
        out.extend(member.local());
    }
    let offset = out.len();
    out.extend_from_slice(&directory);
    out.extend(end(members.len() as u16, directory.len(), offset));
    out
}

/// Members of one archive that all have the same bytes.
pub(super) fn overlapping(members: usize, content: &[u8]) -> Vec<u8> {
    let first = Member::deflated(b"0", content);
    let mut out = first.local();
    let offset = out.len();
    for at in 0..members {
        out.extend(Member { name: at.to_string().into_bytes(), ..first.clone() }.central(0));
    }
    let size = out.len() - offset;
    out.extend(end(members as u16, size, offset));
    out
}

fn zips() -> Vec<Case> {
    let (a, b) = (Member::new(b"a", b"content"), Member::new(b"b", b"more"));
    let whole = zip(&[a.clone(), b.clone()]);
    let one = |change: &dyn Fn(&mut Member)| {
        let mut member = a.clone();
        change(&mut member);
        zip(&[member])
    };
    let named = |name: &[u8]| {
        one(&|member| {
            member.name = name.to_vec();
            member.local_name = name.to_vec();
        })
    };
    let first = zip(std::slice::from_ref(&a));
    let second = zip(std::slice::from_ref(&b));
    let mut comment = first.clone();
    let at = comment.len() - 2;
    comment[at..].copy_from_slice(&(second.len() as u16).to_le_bytes());
    comment.extend_from_slice(&second);
    let listed = a.central(b.local().len());
    let unlisted = [b.local(), a.local(), b.local()].concat();
    let unlisted = [&unlisted[..], &listed, &end(1, listed.len(), unlisted.len())].concat();
    let mut unicode = vec![0x75, 0x70, 6, 0, 1];
    unicode.extend(crc32fast::hash(b"a").to_le_bytes().iter().chain(b"z"));
    let tail = whole.len() - 22;
    let mut out = Vec::new();
    for (name, bytes, expect) in [
        ("two archives, one as comment", comment, Blocks("ZIP-02")),
        ("bytes behind", [&whole[..], b"behind"].concat(), Told("ZIP-03")),
        ("bytes in front", [b"#!/bin/sh\n", &whole[..]].concat(), Told("ZIP-04")),
        ("a PDF in front", [b"%PDF-1.4\n1 0 obj\n", &whole[..]].concat(), Told("ZIP-04")),
        ("a GIF in front", [b"GIF89a\x01\0\x01\0\0\0\0", &whole[..]].concat(), Told("ZIP-04")),
        ("an ELF in front", [b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0", &whole[..]].concat(), Told("ZIP-04")),
        ("another local name", one(&|member| member.local_name = b"z".to_vec()), Blocks("ZIP-05")),
        ("another Unicode name", one(&|member| member.extra = unicode.clone()), Blocks("ZIP-05")),
        ("another local size", one(&|member| member.local_size = 3), Blocks("ZIP-06")),
        ("overlapping members", overlapping(2, b"content"), Blocks("ZIP-07|CTR-29")),
        ("250 members over one bomb", overlapping(250, &vec![0; 1 << 20]), Blocks("ZIP-07|CTR-29")),
        ("two members of one name", zip(&[a.clone(), a.clone()]), Blocks("ZIP-08")),
        ("bzip2 inside", one(&|member| member.method = 12), Unfinished("ZIP-09")),
        ("LZMA inside", one(&|member| member.method = 14), Unfinished("ZIP-09")),
        ("deflate64 inside", one(&|member| member.method = 9), Unfinished("ZIP-09")),
        ("implode inside", one(&|member| member.method = 6), Unfinished("ZIP-09")),
        ("an unknown method", one(&|member| member.method = 0x4242), Unfinished("ZIP-09")),
        ("AES inside", one(&|member| (member.method, member.flags) = (99, 1)), Unfinished("ZIP-10|ZIP-09")),
        ("an encrypted member", one(&|member| member.flags = 1), Unfinished("ZIP-10")),
        ("a strongly encrypted member", one(&|member| member.flags = 0x41), Unfinished("ZIP-10")),
        ("a second disk", with(&whole, tail + 4, &[1]), Unfinished("ZIP-12")),
        ("one member less than there are", with(&whole, tail + 10, &[1]), Blocks("ZIP-13")),
        ("one member more than there are", with(&whole, tail + 10, &[3]), Blocks("ZIP-13")),
        ("65,534 members more", with(&whole, tail + 8, &[0xfe, 0xff, 0xfe, 0xff]), Blocks("ZIP-13")),
        ("a longer directory", with(&whole, tail + 12, &[0xff]), Blocks("ZIP-0|ZIP-13|ZIP-04")),
        ("a directory elsewhere", with(&whole, tail + 16, &[0xff, 0xff]), Blocks("ZIP-")),
        ("a member that is not listed", unlisted, Blocks("ZIP-14")),
        ("a name with dots up", named(b"../../etc/cron.d/x"), Told("ZIP-15")),
        ("an absolute name", named(b"/etc/passwd"), Told("ZIP-15")),
        ("a drive", named(b"c:\\windows\\x"), Told("ZIP-15")),
        ("dots up with backslashes", named(b"..\\x"), Told("ZIP-15")),
        ("a name with a NUL", named(b"a\0b"), Blocks("ZIP-16")),
        ("an empty name", named(b""), Blocks("ZIP-16")),
        ("a name of 5,000 bytes", named(&[b'n'; 5000]), Blocks("ZIP-16")),
        ("a name that is no text", named(b"\xff\xfe"), Accepted),
        (
            "a wrong checksum",
            {
                let mut bytes = zip(std::slice::from_ref(&a));
                bytes[31] ^= 1;
                bytes
            },
            Unfinished("INC-05"),
        ),
        (
            "deflate that is noise",
            {
                let mut member = Member::deflated(b"a", b"content");
                member.packed = noise(member.packed.len(), 6);
                zip(&[member])
            },
            Unfinished("INC-05"),
        ),
        ("no member", zip(&[]), Accepted),
    ] {
        out.push(case(format!("zip: {name}"), "x.zip", &bytes, expect));
    }
    for cut in 1..=22 {
        let bytes = &whole[..whole.len() - cut];
        out.push(case(format!("zip: cut by {cut}"), "x.zip", bytes, Unfinished("ZIP-01")));
    }
    out
}

/// Formats that are recognised, named, and not opened.
fn not_opened() -> Vec<Case> {
    let arj = [&[0x60, 0xea, 40, 0, 30, 11, 1, 3][..], &[0; 60]].concat();
    let lha = [&[0x20, 0x11][..], b"-lh5-", &[0; 13], &[1], &[0; 40]].concat();
    let lzma = [&[0x5d, 0, 0, 0x80, 0][..], &[0xff; 8], &[0; 30]].concat();
    let binary = [&[0xc7, 0x71][..], &[0; 18], &[2, 0], &[0; 4], b"x\0", &[0; 30]].concat();
    [
        ("rar 5", b"Rar!\x1a\x07\x01\0rest".to_vec()),
        ("rar 4", b"Rar!\x1a\x07\0rest".to_vec()),
        ("ARJ", arj),
        ("LHA", lha),
        ("lzma alone", lzma),
        ("binary cpio", binary),
        ("ACE", [&[0; 7][..], b"**ACE**", &[0; 30]].concat()),
        ("lzip", b"LZIP\x01\x0c rest of it".to_vec()),
        ("lzop", b"\x89LZO\0\r\n\x1a\n rest of it".to_vec()),
        ("xar", b"xar!\0\x1c\0\x01 rest of it".to_vec()),
        ("WIM", b"MSWIM\0\0\0 rest of it".to_vec()),
        ("legacy LZ4", b"\x02\x21\x4c\x18 rest of it".to_vec()),
    ]
    .into_iter()
    .map(|(name, bytes)| case(format!("not opened: {name}"), "x.bin", &bytes, Unfinished("INC-04")))
    .collect()
}

/// Archives in archives, and few bytes that become many.
fn nesting() -> Vec<Case> {
    let deep = |count: usize, pack: &dyn Fn(&[u8]) -> Vec<u8>| {
        (0..count).fold(b"innermost".to_vec(), |body, _| pack(&body))
    };
    let zipped = |body: &[u8]| zip(&[Member::deflated(b"x.zip", body)]);
    let taken = |body: &[u8]| tar_of(&[("t", body)]);
    let zeros = vec![0; 100 << 20];
    let sixteen = |body: Vec<u8>| {
        let members: Vec<Member> =
            (0..16).map(|at| Member::deflated(format!("lib {at}.zip").as_bytes(), &body)).collect();
        zip(&members)
    };
    let two = sixteen(sixteen(zip(&[Member::deflated(b"0.dll", &vec![0; 4 << 20])])));
    let mut out = Vec::new();
    for count in [17, 18, 20, 30] {
        out.push(case(format!("zip in zip, {count} deep"), "x.zip", &deep(count, &zipped), Blocks("CTR-29")));
        out.push(case(format!("gzip in gzip, {count} deep"), "x.gz", &deep(count, &gzip), Blocks("CTR-29")));
        out.push(case(format!("tar in tar, {count} deep"), "x.tar", &deep(count, &taken), Blocks("CTR-29")));
        out.push(case(
            format!("zstd in zstd, {count} deep"),
            "x.zst",
            &deep(count, &zstandard),
            Blocks("CTR-29"),
        ));
    }
    for (name, pack) in [("gzip", &gzip as &dyn Fn(&[u8]) -> Vec<u8>), ("tar", &taken), ("xz", &xz)] {
        out.push(case(format!("{name} in {name}, 15 deep"), "x.bin", &deep(15, pack), Accepted));
    }
    for (name, bytes) in [
        ("gzip", gzip(&zeros)),
        ("zstd", zstandard(&zeros)),
        ("xz", xz(&zeros[..70 << 20])),
        ("bzip2", bzip2(&zeros[..70 << 20])),
        ("zip", zip(&[Member::deflated(b"zeros", &zeros)])),
        ("gzip of gzip", gzip(&gzip(&zeros))),
        ("zip of zips of zips", two),
    ] {
        out.push(case(format!("100 MiB of zeros in {name}"), "x.bin", &bytes, Blocks("CTR-29")));
    }
    let token = format!("AKIA{}", "Z7QX4M2LT9WB3KDE");
    for (name, bytes) in [
        ("a zip", zip(&[Member::deflated(b"x", token.as_bytes())])),
        (
            "a zip behind a program",
            [&b"\x7fELF\x02\x01\x01"[..], &[0; 900], &zip(&[Member::deflated(b"x", token.as_bytes())])]
                .concat(),
        ),
        ("a cabinet", cab(token.as_bytes())),
        ("an rpm", rpm(&zstandard(&cpio("./x", token.as_bytes())))),
        ("an ar", ar("x/", &token.len().to_string(), token.as_bytes())),
        (
            "nine formats",
            gzip(&xz(&bzip2(&zstandard(&tar_of(&[(
                "a",
                &lz4(&zip(&[Member::deflated(b"x", token.as_bytes())])),
            )]))))),
        ),
        ("a broken zip, as text", [&b"PK\x03\x04"[..], token.as_bytes()].concat()),
        ("a second gzip member", [gzip(b"nothing\n"), gzip(token.as_bytes())].concat()),
    ] {
        out.push(case(format!("a token in {name}"), "x.bin", &bytes, Blocks("CTR-21")));
    }
    out
}
