//! Bytes in the forms that archives and streams have.

use std::io::Write;

/// A copy with other bytes in one place.
pub(super) fn with(bytes: &[u8], at: usize, others: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out[at..at + others.len()].copy_from_slice(others);
    out
}

pub(super) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(body).expect("memory");
    out.finish().expect("memory")
}

pub(super) fn deflate(body: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(body).expect("memory");
    out.finish().expect("memory")
}

pub(super) fn zstandard(body: &[u8]) -> Vec<u8> {
    zstd::encode_all(body, 1).expect("memory")
}

pub(super) fn xz(body: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::default();
    let mut out = lzma_rust2::XzWriter::new(Vec::new(), options).expect("options");
    out.write_all(body).expect("memory");
    out.finish().expect("memory")
}

pub(super) fn bzip2(body: &[u8]) -> Vec<u8> {
    let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    out.write_all(body).expect("memory");
    out.finish().expect("memory")
}

pub(super) fn lz4(body: &[u8]) -> Vec<u8> {
    let mut out = lz4_flex::frame::FrameEncoder::new(Vec::new());
    out.write_all(body).expect("memory");
    out.finish().expect("memory")
}

/// Bytes that do not compress, the same in every run.
pub(super) fn noise(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..count).map(next).collect()
}

/// The header of a tar entry (POSIX.1-2001, ustar).
pub(super) fn header(name: &[u8], kind: u8, size: u64) -> [u8; 512] {
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

/// Puts the right checksum into a tar header.
pub(super) fn seal(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A header with other bytes in one place and the right checksum.
pub(super) fn resealed(mut block: [u8; 512], at: usize, others: &[u8]) -> Vec<u8> {
    block[at..at + others.len()].copy_from_slice(others);
    seal(&mut block);
    block.to_vec()
}

pub(super) fn padded(body: &[u8]) -> Vec<u8> {
    let mut out = body.to_vec();
    out.resize(body.len().next_multiple_of(512), 0);
    out
}

pub(super) fn entry(name: &str, body: &[u8]) -> Vec<u8> {
    if name.len() <= 100 {
        return [header(name.as_bytes(), b'0', body.len() as u64).to_vec(), padded(body)].concat();
    }
    [pax(b'x', &[("path", name.as_bytes())]), entry("long", body)].concat()
}

/// A PAX header with its records.
pub(super) fn pax(kind: u8, records: &[(&str, &[u8])]) -> Vec<u8> {
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
    raw_pax(kind, &text)
}

pub(super) fn raw_pax(kind: u8, text: &[u8]) -> Vec<u8> {
    [header(b"pax", kind, text.len() as u64).to_vec(), padded(text)].concat()
}

/// A GNU long name (`L`) or link (`K`).
pub(super) fn gnu(kind: u8, name: &str) -> Vec<u8> {
    let body = [name.as_bytes(), b"\0"].concat();
    [header(b"././@LongLink", kind, body.len() as u64).to_vec(), padded(&body)].concat()
}

/// Entries, and the two blocks at the end.
pub(super) fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

pub(super) fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let entries: Vec<Vec<u8>> = files.iter().map(|(name, body)| entry(name, body)).collect();
    tar(&entries)
}
