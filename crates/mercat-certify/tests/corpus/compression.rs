//! C: compressed layers, and layers that are compressed otherwise than they say.

use super::Case;
use super::Expect::{Accepted, Blocks};
use super::bytes::{bzip2, deflate, entry, gzip, lz4, noise, tar, tar_of, with, xz, zstandard};
use super::image::{Image, TAR, TAR_GZIP, TAR_ZSTD};

fn plain() -> Vec<u8> {
    tar_of(&[("a", &noise(3000, 1)), ("b", b"content")])
}

fn of(kind: &str, blob: Vec<u8>) -> Image {
    Image::of_layers(&[(kind, blob, &plain())])
}

pub(super) fn cases() -> Vec<Case> {
    let mut out = mismatches();
    out.extend(gzip_headers());
    out.extend(gzip_ends());
    out.extend(zstd_frames());
    out.extend(bombs());
    out
}

/// Every declared compression over every real one.
fn mismatches() -> Vec<Case> {
    let plain = plain();
    let real: Vec<(&str, Vec<u8>)> = vec![
        ("tar", plain.clone()),
        ("gzip", gzip(&plain)),
        ("zstd", zstandard(&plain)),
        ("xz", xz(&plain)),
        ("bzip2", bzip2(&plain)),
        ("lz4", lz4(&plain)),
        ("deflate", deflate(&plain)),
        ("gzip twice", gzip(&gzip(&plain))),
        ("zstd in gzip", gzip(&zstandard(&plain))),
        ("gzip in zstd", zstandard(&gzip(&plain))),
        ("noise", noise(5000, 2)),
        ("text", b"<html>Not found</html>".to_vec()),
        ("nothing", Vec::new()),
        ("one byte", vec![0x1f]),
        ("zeros", vec![0; 100]),
        ("a program", [b"\x7fELF\x02\x01\x01\0".to_vec(), noise(600, 3)].concat()),
    ];
    let mut out = Vec::new();
    for (declared, kind, code) in [
        ("tar", TAR, "TAR-|LAY-06"),
        ("gzip", TAR_GZIP, "GZ-|TAR-|LAY-06"),
        ("zstd", TAR_ZSTD, "ZST-|TAR-|LAY-06"),
    ] {
        for (name, blob) in &real {
            let expect = if *name == declared { Accepted } else { Blocks(code) };
            out.push(Case::image(
                'C',
                format!("{name} declared as {declared}"),
                of(kind, blob.clone()),
                expect,
            ));
        }
    }
    out
}

fn gzip_headers() -> Vec<Case> {
    let good = gzip(&plain());
    let (head, body) = good.split_at(10);
    let flagged = |flags: u8, extra: &[u8]| [&with(head, 3, &[flags]), extra, body].concat();
    let long = |length: usize| [vec![b'n'; length], vec![0]].concat();
    let checked = with(head, 3, &[2]);
    let sum = (crc32fast::hash(&checked) & 0xffff) as u16;
    let cases: Vec<(&str, Vec<u8>, super::Expect)> = vec![
        ("an extra field of 65,535 bytes", flagged(4, &[vec![0xff; 2], vec![7; 65_535]].concat()), Accepted),
        ("an extra field that swallows the stream", flagged(4, &[0xff, 0xff]), Blocks("GZ-")),
        ("a name of 4,096 bytes", flagged(8, &long(4096)), Accepted),
        ("a name of 4,097 bytes", flagged(8, &long(4097)), Blocks("GZ-01")),
        ("a name of 1 MiB", flagged(8, &long(1 << 20)), Blocks("GZ-01")),
        ("a comment of 70,000 bytes", flagged(16, &long(70_000)), Blocks("GZ-01")),
        ("a right header checksum", flagged(2, &sum.to_le_bytes()), Accepted),
        ("a wrong header checksum", flagged(2, &(sum ^ 1).to_le_bytes()), Blocks("GZ-01")),
        ("reserved flag 5", flagged(0x20, b""), Blocks("GZ-01")),
        ("reserved flag 6", flagged(0x40, b""), Blocks("GZ-01")),
        ("reserved flag 7", flagged(0x80, b""), Blocks("GZ-01")),
        ("method 7", with(&good, 2, &[7]), Blocks("GZ-01")),
        ("method 9", with(&good, 2, &[9]), Blocks("GZ-01")),
        ("another magic", with(&good, 1, &[0x8c]), Blocks("GZ-01")),
        ("a time in 2106", with(&good, 4, &[0xff; 4]), Accepted),
        ("another system", with(&good, 9, &[13]), Accepted),
    ];
    let mut out: Vec<Case> = cases
        .into_iter()
        .map(|(name, blob, expect)| {
            Case::image('C', format!("gzip header: {name}"), of(TAR_GZIP, blob), expect)
        })
        .collect();
    for end in 0..10 {
        let image = of(TAR_GZIP, good[..end].to_vec());
        out.push(Case::image('C', format!("gzip cut to {end} bytes of header"), image, Blocks("GZ-")));
    }
    out
}

fn gzip_ends() -> Vec<Case> {
    let plain = plain();
    let good = gzip(&plain);
    let (first, second) = plain.split_at(1024);
    let mut out = Vec::new();
    for cut in 1..=12 {
        let image = of(TAR_GZIP, good[..good.len() - cut].to_vec());
        out.push(Case::image('C', format!("gzip cut by {cut}"), image, Blocks("GZ-07")));
    }
    for at in 1..=8 {
        let place = good.len() - at;
        let image = of(TAR_GZIP, with(&good, place, &[good[place] ^ 0x10]));
        let code = if at <= 4 { "GZ-04" } else { "GZ-03" };
        out.push(Case::image('C', format!("gzip trailer, byte {at} from the end"), image, Blocks(code)));
    }
    for (name, blob, code) in [
        ("two members", [gzip(first), gzip(second)].concat(), "GZ-05"),
        ("an empty second member", [good.clone(), gzip(b"")].concat(), "GZ-05"),
        ("an empty first member", [gzip(b""), good.clone()].concat(), "GZ-05"),
        ("100 members", plain.chunks(60).flat_map(gzip).collect(), "GZ-05"),
        ("half a second member", [good.clone(), gzip(second)[..9].to_vec()].concat(), "GZ-05"),
        ("one byte behind", [good.clone(), vec![1]].concat(), "GZ-06"),
        ("a zero behind", [good.clone(), vec![0]].concat(), "GZ-06"),
        ("512 zeros behind", [good.clone(), vec![0; 512]].concat(), "GZ-06"),
        ("a tar behind", [good.clone(), plain.clone()].concat(), "GZ-06"),
        ("a zstd frame behind", [good.clone(), zstandard(&plain)].concat(), "GZ-06"),
        ("a reserved block type", [&good[..10], &[7]].concat(), "GZ-02"),
        ("a block whose length has a wrong complement", [&good[..10], &[1, 5, 0, 5, 0]].concat(), "GZ-02"),
        (
            "blocks of no bytes without end",
            [&good[..10], &[0, 0, 0, 0xff, 0xff].repeat(10_000)].concat(),
            "GZ-07",
        ),
        ("noise as body", [&good[..10], &noise(3000, 9)].concat(), "GZ-"),
    ] {
        out.push(Case::image('C', format!("gzip: {name}"), of(TAR_GZIP, blob), Blocks(code)));
    }
    out
}

fn zstd_frames() -> Vec<Case> {
    let plain = plain();
    let good = zstandard(&plain);
    let (first, second) = plain.split_at(1500);
    let skippable = |count: usize| [&b"\x50\x2a\x4d\x18\x01\0\0\0x"[..]].concat().repeat(count);
    let sums = |body: &[u8]| {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).expect("made");
        encoder.include_checksum(true).expect("set");
        std::io::Write::write_all(&mut encoder, body).expect("memory");
        encoder.finish().expect("memory")
    };
    let summed = sums(&plain);
    let last = summed.len() - 1;
    // A frame header (RFC 8878 3.1.1.1) with its window byte, and one raw last block of no bytes.
    let window = |byte: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, byte, 1, 0, 0].to_vec();
    let cases: Vec<(&str, Vec<u8>, super::Expect)> = vec![
        ("two frames", [zstandard(first), zstandard(second)].concat(), Accepted),
        ("a frame for every 100 bytes", plain.chunks(100).flat_map(zstandard).collect(), Accepted),
        ("empty frames between", [zstandard(b""), good.clone(), zstandard(b"")].concat(), Accepted),
        ("a checksum", summed.clone(), Accepted),
        ("a wrong checksum", with(&summed, last, &[summed[last] ^ 1]), Blocks("ZST-02")),
        ("a skippable frame in front", [skippable(1), good.clone()].concat(), Blocks("ZST-03")),
        ("1,000 skippable frames", [skippable(1000), good.clone()].concat(), Blocks("ZST-03")),
        ("a skippable frame behind", [good.clone(), skippable(1)].concat(), Blocks("ZST-03")),
        ("a skippable frame of 4 GiB", b"\x5f\x2a\x4d\x18\xff\xff\xff\xff".to_vec(), Blocks("ZST-03")),
        ("junk behind", [good.clone(), b"junk".to_vec()].concat(), Blocks("ZST-04")),
        ("one byte behind", [good.clone(), vec![0]].concat(), Blocks("ZST-04")),
        ("a gzip behind", [good.clone(), gzip(&plain)].concat(), Blocks("ZST-04")),
        ("a window of 256 MiB", window(18 << 3), Blocks("ZST-")),
        ("a window of 2 GiB", window(21 << 3), Blocks("ZST-")),
        ("a window of 3.75 TiB", window(0xff), Blocks("ZST-")),
        ("a dictionary", [0x28, 0xb5, 0x2f, 0xfd, 1, 0, 9, 1, 0, 0].to_vec(), Blocks("ZST-")),
        ("a reserved bit", [0x28, 0xb5, 0x2f, 0xfd, 8, 0, 1, 0, 0].to_vec(), Blocks("ZST-")),
        ("a reserved block type", [0x28, 0xb5, 0x2f, 0xfd, 0, 0, 7, 0, 0].to_vec(), Blocks("ZST-")),
        ("a frame of nothing", zstandard(b""), Blocks("TAR-16")),
        ("an old frame", with(&good, 0, &[0x27]), Blocks("ZST-01")),
    ];
    let mut out: Vec<Case> = cases
        .into_iter()
        .map(|(name, blob, expect)| Case::image('C', format!("zstd: {name}"), of(TAR_ZSTD, blob), expect))
        .collect();
    for end in (0..14).chain((1..=8).map(|cut| good.len() - cut)) {
        let image = of(TAR_ZSTD, good[..end].to_vec());
        out.push(Case::image('C', format!("zstd cut to {end} bytes"), image, Blocks("ZST-")));
    }
    out
}

/// Few bytes that become many.
fn bombs() -> Vec<Case> {
    let zeros = tar(&[entry("zeros", &vec![0; 80 << 20])]);
    let mut holes = super::bytes::header(b"holes", b'0', 70 << 20).to_vec();
    holes.resize(holes.len() + (66 << 20), 0);
    let of = |kind: &str, blob: Vec<u8>| Image::of_layers(&[(kind, blob, &[])]);
    vec![
        Case::image('C', "80 MiB of zeros in gzip", of(TAR_GZIP, gzip(&zeros)), Blocks("LAY-05")),
        Case::image('C', "80 MiB of zeros in zstd", of(TAR_ZSTD, zstandard(&zeros)), Blocks("LAY-05")),
        Case::image('C', "a gzip bomb that ends inside a file", of(TAR_GZIP, gzip(&holes)), Blocks("LAY-05")),
        Case::image(
            'C',
            "a bomb behind the end of the tar",
            {
                let tail = [tar_of(&[("a", b"x")]), vec![0; 80 << 20]].concat();
                of(TAR_GZIP, gzip(&tail))
            },
            Blocks("LAY-05"),
        ),
    ]
}
