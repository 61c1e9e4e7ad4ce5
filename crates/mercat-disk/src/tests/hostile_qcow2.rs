//! qcow2 files that lie.

use super::layout::Target;
use super::made::{Sparse, changed, content, deflate, laid_out, put};
use super::*;

const CLUSTER: u64 = 65536;
// Clusters of the image: header, L1, refcount table, refcount block, L2, data.
const L1: u64 = CLUSTER;
const REFCOUNTS: u64 = 2 * CLUSTER;
const BLOCK: u64 = 3 * CLUSTER;
const L2: u64 = 4 * CLUSTER;
const DATA: u64 = 5 * CLUSTER;
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;

fn image() -> Vec<u8> {
    laid_out(Target::Qcow2)
}

fn qcow2(bytes: Vec<u8>) -> String {
    code(open_bytes(bytes, Some(Declared::Qcow2)))
}

fn with(at: u64, bytes: &[u8]) -> String {
    qcow2(changed(&image(), usize::try_from(at).unwrap(), bytes))
}

fn with_u32(at: u64, value: u32) -> String {
    with(at, &value.to_be_bytes())
}

fn with_u64(at: u64, value: u64) -> String {
    with(at, &value.to_be_bytes())
}

#[test]
fn the_image_that_is_changed_here_is_right() {
    let disk = open_bytes(image(), Some(Declared::Qcow2)).unwrap();
    assert!(read_all(&disk).unwrap() == content());
    assert_eq!(disk.facts.mapped_bytes, 4 * CLUSTER + 512);
}

#[test]
fn other_files_are_not_named() {
    assert_eq!(with_u64(8, 0x200), "QCW-02");
    assert_eq!(with_u32(16, 11), "QCW-02");
    let mut json = changed(&image(), 8, &0x200_u64.to_be_bytes());
    put(&mut json, 16, &30_u32.to_be_bytes());
    put(&mut json, 0x200, b"json:{\"driver\":\"file\",\"x\":1}  ");
    assert_eq!(qcow2(json), "QCW-02");
    assert_eq!(with_u64(72, 1 << 2), "QCW-03");
    assert_eq!(with(112, &[0x44, 0x41, 0x54, 0x41, 0, 0, 0, 8]), "QCW-03");
    assert_eq!(with(112, &[0xe2, 0x79, 0x2a, 0xca, 0, 0, 0, 8]), "QCW-02");
}

#[test]
fn features_that_are_not_known_are_refused() {
    for version in [0, 1, 4, u32::MAX] {
        assert_eq!(with_u32(4, version), "QCW-01");
    }
    for bit in 5..64 {
        assert_eq!(with_u64(72, 1 << bit), "QCW-04", "bit {bit}");
    }
    assert_eq!(with_u64(72, 1), "QCW-05");
    assert_eq!(with_u64(72, 2), "QCW-05");
    assert_eq!(with_u64(72, 1 << 4), "QCW-06");
    assert_eq!(with_u64(72, 1 << 3), "QCW-09");
    assert_eq!(with(104, &[1]), "QCW-09");
    assert_eq!(qcow2(changed(&changed(&image(), 72, &8_u64.to_be_bytes()), 104, &[2])), "QCW-09");
    assert_eq!(with_u64(88, 1), "QCW-17");
    assert_eq!(with_u64(88, 2), "QCW-17");
    assert_eq!(with(112, &[0x23, 0x85, 0x28, 0x75, 0, 0, 0, 24]), "QCW-17");
    assert_eq!(with(112, b"what\0\0\0\x08"), "QCW-21");
    // Compatible features may be ignored by their definition.
    assert_eq!(with_u64(80, 1), "ok");
}

#[test]
fn encryption_is_inconclusive() {
    for found in [with_u32(32, 1), with_u32(32, 2), with(112, &[0x05, 0x37, 0xbe, 0x77, 0, 0, 0, 16])] {
        assert_eq!(found, "QCW-20");
        assert!(INCONCLUSIVE.contains(&found.as_str()));
    }
}

#[test]
fn lengths_and_sizes_that_lie_are_refused() {
    for length in [0, 72, 103, 105, 65544, u32::MAX] {
        assert_eq!(with_u32(100, length), "QCW-07", "{length}");
    }
    for length in [65536, 65416 + 8, u32::MAX, u32::MAX - 7, 0x7fff_ffff] {
        let extension = [[0x68, 0x03, 0xf8, 0x57], length.to_be_bytes()].concat();
        assert_eq!(with(112, &extension), "QCW-07", "{length}");
    }
    for bits in [0, 8, 22, 31, 63, 64, u32::MAX] {
        assert_eq!(with_u32(20, bits), "QCW-08", "{bits}");
    }
    for order in [7, 63, u32::MAX] {
        assert_eq!(with_u32(96, order), "QCW-08", "{order}");
    }
    for entries in [0, u32::MAX, 0x0100_0000] {
        assert_eq!(with_u32(36, entries), "QCW-10", "{entries}");
    }
    for size in [0, 1, 513, u64::MAX, (64 << 40) + 512, 1 << 63] {
        assert_eq!(with_u64(24, size), "DSK-06", "{size}");
    }
    assert_eq!(with_u64(24, 1 << 40), "QCW-10");
    for snapshots in [1, u32::MAX] {
        assert_eq!(with_u32(60, snapshots), "QCW-16");
    }
}

#[test]
fn tables_are_in_places_of_their_own() {
    for at in [0, 1, 512, u64::MAX, CLUSTER + 8] {
        assert_eq!(with_u64(40, at), "QCW-10", "L1 at {at}");
        assert_eq!(with_u64(48, at), "QCW-19", "refcounts at {at}");
    }
    assert_eq!(with_u64(40, 1 << 50), "QCW-14");
    assert_eq!(with_u64(48, 1 << 50), "QCW-14");
    assert_eq!(with_u64(48, L1), "QCW-13");
    assert_eq!(with_u32(56, 0), "QCW-19");
    assert_eq!(with_u32(56, u32::MAX), "QCW-19");
    assert_eq!(with_u32(56, 200), "QCW-14");
    for block in [L1, REFCOUNTS, L2, DATA] {
        assert_eq!(with_u64(REFCOUNTS, block), "QCW-13", "a refcount block at {block}");
    }
    assert_eq!(with_u64(REFCOUNTS, 513), "QCW-19");
    assert_eq!(with_u64(REFCOUNTS, 1 << 50), "QCW-14");
    for table in [L1, REFCOUNTS, BLOCK] {
        assert_eq!(with_u64(L1, table | COPIED), "QCW-13", "an L2 table at {table}");
    }
    assert_eq!(with_u64(L1, DATA | COPIED), "QCW-12", "data is no L2 table");
    for entry in [1, 1 << 56, L2 + 512, COPIED, L2 | 1 << 62] {
        assert_eq!(with_u64(L1, entry), "QCW-11", "L1 entry {entry:#x}");
    }
    assert_eq!(with_u64(L1, 1 << 50), "QCW-14");
    let longer =
        changed(&changed(&image(), 36, &2_u32.to_be_bytes()), 65536 + 8, &(DATA | COPIED).to_be_bytes());
    assert_eq!(qcow2(longer), "QCW-15");
}

#[test]
fn no_cluster_has_two_users() {
    for host in [L1, REFCOUNTS, BLOCK, L2, DATA + CLUSTER] {
        assert_eq!(with_u64(L2, host | COPIED), "QCW-13", "a cluster at {host}");
        assert_eq!(with_u64(L2, host | 1), "QCW-13", "a zero cluster at {host}");
        assert_eq!(with_u64(L2, (host + 8) | COMPRESSED), "QCW-13", "a packed cluster at {host}");
    }
    assert_eq!(with_u64(L2 + 8 * 20, (DATA + 100) | COMPRESSED), "QCW-13");
    for entry in [COPIED, 1 << 56, 1 << 1, DATA + 512, COPIED | COMPRESSED | DATA, COMPRESSED] {
        assert_eq!(with_u64(L2, entry), "QCW-12", "L2 entry {entry:#x}");
    }
    assert_eq!(with_u64(L2, 1 << 50), "QCW-14");
    assert_eq!(with_u64(L2, (1 << 50) | COMPRESSED), "QCW-14");
    assert_eq!(with_u64(L2, (DATA + 4 * CLUSTER) | (0xff << 54) | COMPRESSED), "QCW-14");
    // The disk of 3 MiB and a sector has 49 clusters.
    assert_eq!(with_u64(L2 + 49 * 8, DATA | COPIED), "QCW-15");
    assert_eq!(with_u64(L2 + 49 * 8, 1), "QCW-15");
    let old = changed(&changed(&image(), 7, &[2]), usize::try_from(L2).unwrap(), &1_u64.to_be_bytes());
    assert_eq!(qcow2(old), "QCW-12", "version 2 has no zero clusters");
}

/// The image with its first cluster packed at the end of the file.
fn packed(stream: &[u8]) -> Result<Vec<u8>, ReadError> {
    let mut bytes = image();
    let (host, sectors) = (bytes.len() as u64, (stream.len() as u64).div_ceil(512));
    bytes.extend(stream);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    let entry = COMPRESSED | ((sectors - 1) << 54) | host;
    put(&mut bytes, usize::try_from(L2).unwrap(), &entry.to_be_bytes());
    put(&mut bytes, usize::try_from(L2).unwrap() + 8, &entry.to_be_bytes());
    let disk = open_bytes(bytes, Some(Declared::Qcow2))?;
    let mut whole = vec![1; 65536];
    disk.read_at(0, &mut whole)?;
    let mut part = vec![1; 100];
    disk.read_at(65536 + 500, &mut part)?;
    assert!(part == whole[500..600], "the second user of the packed bytes reads the same");
    Ok(whole)
}

#[test]
fn packed_clusters_unpack_to_exactly_one_cluster() {
    let cluster = b"mercat".repeat(11000)[..65536].to_vec();
    assert!(packed(&deflate(&cluster)).unwrap() == cluster);
    assert_eq!(code(packed(&deflate(&[0; 65537]))), "QCW-18", "more than a cluster");
    assert_eq!(code(packed(&deflate(&vec![0; 16 << 20]))), "QCW-18", "a bomb");
    assert_eq!(code(packed(&deflate(&[0; 65535]))), "QCW-18", "less than a cluster");
    assert_eq!(code(packed(&noise(512, 5))), "QCW-18", "noise");
    assert_eq!(code(packed(&[0; 512])), "QCW-18", "zeros");
    assert_eq!(code(packed(&deflate(&noise(65536, 6))[..512])), "QCW-18", "a stream that is cut");
}

#[test]
fn a_file_with_too_many_clusters_to_check_is_refused() {
    let mut start = image();
    start.truncate(4096);
    put(&mut start, 20, &9_u32.to_be_bytes());
    put(&mut start, 100, &104_u32.to_be_bytes());
    put(&mut start, 104, &[0; 16]);
    let file = Sparse { size: 1 << 40, start, end: Vec::new() };
    assert_eq!(code(open(Arc::new(file), Some(Declared::Qcow2))), "QCW-22");
}

#[test]
fn a_disk_that_is_an_image_itself_is_refused() {
    let outer = |start: &[u8]| with(DATA, start);
    assert_eq!(outer(b"QFI\xfb"), "DSK-07");
    assert_eq!(outer(b"LUKS\xba\xbe\0\x01"), "DSK-LUKS");
    let mut raw = image();
    raw.resize(raw.len() + 512, 0);
    assert_eq!(code(open_bytes(raw, Some(Declared::Raw))), "DSK-07");
    let two = [image(), laid_out(Target::VhdFixed).split_off(4 << 20)].concat();
    assert_eq!(qcow2(two.clone()), "DSK-04");
    assert_eq!(code(open_bytes(two, Some(Declared::Vhd))), "DSK-04");
}
