//! G: partition tables and file systems that lie.

use super::Case;
use super::Expect::{Blocks, Unfinished};
use super::bytes::with;
use mercat_disk::Declared::Raw;
use std::process::Command;

const SECTOR: usize = 512;
const MIB: usize = 1 << 20;
/// Sectors of the disks made here.
const SECTORS: u64 = 8192;

pub(super) fn cases() -> Vec<Case> {
    let mut out = mbr();
    out.extend(gpt());
    out.extend(signatures());
    out.extend(fat());
    out.extend(file_systems());
    out
}

fn case(name: impl Into<String>, disk: Vec<u8>, code: &'static str) -> Case {
    Case::disk('G', name, disk, Raw, Blocks(code))
}

fn entry(flag: u8, kind: u8, start: u32, sectors: u32) -> [u8; 16] {
    let mut out = [0; 16];
    (out[0], out[4]) = (flag, kind);
    out[8..12].copy_from_slice(&start.to_le_bytes());
    out[12..].copy_from_slice(&sectors.to_le_bytes());
    out
}

fn sector_of(entries: &[[u8; 16]]) -> Vec<u8> {
    let mut out = vec![0; SECTOR];
    for (at, entry) in entries.iter().enumerate() {
        out[446 + 16 * at..462 + 16 * at].copy_from_slice(entry);
    }
    out[510..].copy_from_slice(&[0x55, 0xaa]);
    out
}

fn disk(parts: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![0; 8192 * SECTOR];
    for (sector, bytes) in parts {
        out[sector * SECTOR..sector * SECTOR + bytes.len()].copy_from_slice(bytes);
    }
    out
}

fn mbr() -> Vec<Case> {
    let of = |entries: &[[u8; 16]]| disk(&[(0, sector_of(entries))]);
    let extended = entry(0, 5, 2048, 4096);
    let chain = |records: &[(usize, [[u8; 16]; 2])]| {
        let records = records.iter().map(|(sector, entries)| (*sector, sector_of(entries)));
        disk(&[(0, sector_of(&[extended]))].into_iter().chain(records).collect::<Vec<_>>())
    };
    let none = [0; 16];
    let unsigned = {
        let mut bytes = chain(&[(2048, [entry(0, 0x83, 64, 64), none])]);
        bytes[2048 * SECTOR + 510] = 0;
        bytes
    };
    [
        ("a partition behind the disk", of(&[entry(0, 0x83, 2048, 1 << 30)]), "PRT-09"),
        ("a partition that begins behind the disk", of(&[entry(0, 0x83, u32::MAX, 1)]), "PRT-09"),
        ("2^32 sectors from 2^32", of(&[entry(0, 0x83, u32::MAX, u32::MAX)]), "PRT-09"),
        (
            "two partitions in one place",
            of(&[entry(0, 0x83, 2048, 100), entry(0, 0x83, 2048, 100)]),
            "PRT-08",
        ),
        (
            "two partitions that overlap",
            of(&[entry(0, 0x83, 2048, 100), entry(0, 0x83, 2100, 100)]),
            "PRT-08",
        ),
        ("an unknown boot flag", of(&[entry(0x42, 0x83, 2048, 100)]), "PRT-10"),
        ("a type without sectors", of(&[entry(0, 0x83, 2048, 0)]), "PRT-11"),
        ("sectors without a type", of(&[entry(0, 0, 2048, 100)]), "PRT-11"),
        ("a partition at sector 0", of(&[entry(0, 0x83, 0, 100)]), "PRT-11"),
        ("two extended partitions", of(&[entry(0, 5, 2048, 100), entry(0, 0x0f, 4096, 100)]), "PRT-12"),
        ("a protective entry without a GPT", of(&[entry(0, 0xee, 1, 8191)]), "PRT-05"),
        (
            "a chain that leads to itself",
            chain(&[(2048, [entry(0, 0x83, 64, 64), entry(0, 5, 0, 100)])]),
            "PRT-1",
        ),
        (
            "a chain of two in a circle",
            chain(&[
                (2048, [entry(0, 0x83, 64, 64), entry(0, 5, 512, 100)]),
                (2560, [entry(0, 0x83, 64, 64), entry(0, 5, 512, 100)]),
            ]),
            "PRT-13",
        ),
        ("a record without its signature", unsigned, "PRT-14"),
        (
            "a chain out of its partition",
            chain(&[(2048, [entry(0, 0x83, 64, 64), entry(0, 5, 5000, 100)])]),
            "PRT-09",
        ),
        ("two links in a record", chain(&[(2048, [entry(0, 5, 512, 10), entry(0, 5, 600, 10)])]), "PRT-1"),
        (
            "a partition over the next record",
            chain(&[
                (2048, [entry(0, 0x83, 64, 1000), entry(0, 5, 512, 100)]),
                (2560, [entry(0, 0x83, 64, 16), none]),
            ]),
            "PRT-08",
        ),
    ]
    .into_iter()
    .map(|(name, disk, code)| case(format!("MBR: {name}"), disk, code))
    .collect()
}

/// The type of Linux data (GUID 0FC63DAF-8483-4772-8E79-3D69D8477DE4, mixed-endian).
const LINUX: [u8; 16] =
    [0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4];

fn gpt_entry(id: u8, first: u64, last: u64) -> [u8; 128] {
    let mut out = [0; 128];
    out[..16].copy_from_slice(&LINUX);
    out[16..32].fill(id);
    out[32..40].copy_from_slice(&first.to_le_bytes());
    out[40..48].copy_from_slice(&last.to_le_bytes());
    out
}

fn gpt_header(own: u64, other: u64, entries: u64, table: &[u8]) -> [u8; 512] {
    let mut out = [0; 512];
    out[..8].copy_from_slice(b"EFI PART");
    out[8..12].copy_from_slice(&[0, 0, 1, 0]);
    out[12] = 92;
    for (at, value) in [(24, own), (32, other), (40, 34), (48, SECTORS - 34), (72, entries)] {
        out[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    out[56..72].fill(0x77);
    out[80] = 128;
    out[84] = 128;
    out[88..92].copy_from_slice(&crc32fast::hash(table).to_le_bytes());
    seal(&mut out);
    out
}

fn seal(header: &mut [u8; 512]) {
    header[16..20].fill(0);
    let length =
        usize::try_from(u32::from_le_bytes([header[12], header[13], header[14], header[15]])).unwrap_or(0);
    let sum = crc32fast::hash(&header[..length.min(512)]);
    header[16..20].copy_from_slice(&sum.to_le_bytes());
}

fn gpt_of(list: &[[u8; 128]], change: &dyn Fn(&mut [u8; 512])) -> Vec<u8> {
    let mut table = list.concat();
    table.resize(32 * SECTOR, 0);
    let mut primary = gpt_header(1, SECTORS - 1, 2, &table);
    let mut backup = gpt_header(SECTORS - 1, 1, SECTORS - 33, &table);
    for header in [&mut primary, &mut backup] {
        change(header);
        seal(header);
    }
    disk(&[
        (0, sector_of(&[entry(0, 0xee, 1, 8191)])),
        (1, primary.to_vec()),
        (2, table.clone()),
        (8192 - 33, table),
        (8191, backup.to_vec()),
    ])
}

fn gpt() -> Vec<Case> {
    let one = [gpt_entry(1, 2048, 4095)];
    let good = gpt_of(&one, &|_| {});
    let changed =
        |at: usize, bytes: &[u8]| gpt_of(&one, &|header| header[at..at + bytes.len()].copy_from_slice(bytes));
    let last = 8191 * SECTOR;
    let mut out = Vec::new();
    for (name, disk, code) in [
        ("no protective MBR", with(&good, 510, &[0, 0]), "PRT-03"),
        ("a hybrid MBR", with(&good, 462, &entry(0, 0x83, 2048, 100)), "PRT-06"),
        ("a protective entry from sector 2", with(&good, 454, &[2]), "PRT-07"),
        ("a wrong checksum of the header", with(&good, SECTOR + 16, &[good[SECTOR + 16] ^ 1]), "PRT-2"),
        ("a wrong checksum of the backup", with(&good, last + 16, &[good[last + 16] ^ 1]), "PRT-2"),
        ("a wrong checksum of the entries", with(&good, 2 * SECTOR + 60, &[1]), "PRT-2"),
        ("a wrong checksum of the backup's entries", with(&good, (8192 - 33) * SECTOR + 60, &[1]), "PRT-2"),
        ("no backup", with(&good, last, &[0; 512]), "PRT-2"),
        ("another revision", changed(8, &[0, 0, 2, 0]), "PRT-22"),
        ("a header of 0 bytes", changed(12, &[0]), "PRT-2"),
        ("a header of 4 GiB", changed(12, &[0xff; 4]), "PRT-2"),
        ("a header of another place", changed(24, &[9]), "PRT-24"),
        ("2^32 entries", changed(80, &[0xff; 4]), "PRT-2"),
        ("no entries", changed(80, &[0; 4]), "PRT-2"),
        ("entries of 0 bytes", changed(84, &[0; 4]), "PRT-2"),
        ("entries of 4 GiB", changed(84, &[0xff; 4]), "PRT-2"),
        ("entries of 100 bytes", changed(84, &[100]), "PRT-2"),
        ("entries behind the disk", changed(72, &[0xff; 7]), "PRT-2"),
        ("sectors for use behind the disk", changed(48, &[0xff; 7]), "PRT-2"),
        ("sectors for use from 0", changed(40, &[0]), "PRT-2"),
        ("two partitions that overlap", gpt_of(&[one[0], gpt_entry(2, 4000, 5000)], &|_| {}), "PRT-08"),
        ("two partitions with one GUID", gpt_of(&[one[0], gpt_entry(1, 5000, 6000)], &|_| {}), "PRT-28"),
        ("a partition behind the disk", gpt_of(&[gpt_entry(1, 2048, 1 << 40)], &|_| {}), "PRT-09"),
        ("a partition up to 2^64-1", gpt_of(&[gpt_entry(1, 2048, u64::MAX)], &|_| {}), "PRT-09"),
        ("a partition that ends before it begins", gpt_of(&[gpt_entry(1, 4000, 2048)], &|_| {}), "PRT-"),
        ("a partition over the table", gpt_of(&[gpt_entry(1, 1, 4000)], &|_| {}), "PRT-09"),
        ("a disk that was cut", good[..6000 * SECTOR].to_vec(), "PRT-2"),
        ("a disk that grew", [good.clone(), vec![0; MIB]].concat(), "PRT-2"),
        (
            "sectors of 4,096 bytes",
            {
                let mut bytes = vec![0; MIB];
                bytes[4096..4104].copy_from_slice(b"EFI PART");
                bytes
            },
            "PRT-02",
        ),
    ] {
        out.push(case(format!("GPT: {name}"), disk, code));
    }
    let other = gpt_of(&[gpt_entry(1, 2048, 4000)], &|_| {});
    let mut two = good;
    two[(8192 - 33) * SECTOR..].copy_from_slice(&other[(8192 - 33) * SECTOR..]);
    out.push(case("GPT: a backup that differs", two, "PRT-27"));
    out
}

/// What cannot be read here is named, and never passes.
fn signatures() -> Vec<Case> {
    let parted = |at: usize, magic: &[u8]| {
        let mut bytes = disk(&[(0, sector_of(&[entry(0, 0x83, 2048, 4096)]))]);
        bytes[MIB + at..MIB + at + magic.len()].copy_from_slice(magic);
        bytes
    };
    let mut out: Vec<Case> = [
        ("btrfs", parted(65_536 + 64, b"_BHRfS_M")),
        ("LUKS", parted(0, b"LUKS\xba\xbe\0\x01")),
        ("LUKS 2", parted(0, b"LUKS\xba\xbe\0\x02")),
        ("squashfs", parted(0, b"hsqs")),
        ("F2FS", parted(1024, &[0x10, 0x20, 0xf5, 0xf2])),
        ("exFAT", parted(3, b"EXFAT   ")),
        ("BitLocker", parted(3, b"-FVE-FS-")),
        ("unknown data", parted(5000, b"what is this")),
    ]
    .into_iter()
    .map(|(name, bytes)| Case::disk('G', format!("a volume with {name}"), bytes, Raw, Unfinished("FS-0")))
    .collect();
    let two = {
        let mut bytes = parted(0, b"XFSB");
        bytes[MIB + 1024 + 56..MIB + 1024 + 58].copy_from_slice(&[0x53, 0xef]);
        bytes
    };
    out.push(case("a volume with XFS and ext", two, "FS-02|XFS-|EXT-"));
    out
}

/// FAT12 of 512 sectors: a reserved one, two tables of two, a root of two, clusters of one sector.
fn fat() -> Vec<Case> {
    let mut good = vec![0; 512 * SECTOR];
    good[..3].copy_from_slice(&[0xeb, 0x3c, 0x90]);
    good[3..11].copy_from_slice(b"mkfs.fat");
    good[11..13].copy_from_slice(&512_u16.to_le_bytes());
    (good[13], good[14], good[16], good[17], good[21], good[22]) = (1, 1, 2, 32, 0xf8, 2);
    good[19..21].copy_from_slice(&512_u16.to_le_bytes());
    good[38] = 0x29;
    good[54..62].copy_from_slice(b"FAT12   ");
    good[510..512].copy_from_slice(&[0x55, 0xaa]);
    let directory = 5 * SECTOR;
    // Clusters 2 and 3 are one file, 4 is a directory.
    let set = |bytes: &mut Vec<u8>, cluster: usize, value: u16| {
        for table in [SECTOR, 3 * SECTOR] {
            let at = table + cluster + cluster / 2;
            let old = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
            let new =
                if cluster.is_multiple_of(2) { old & 0xf000 | value } else { old & 0x000f | value << 4 };
            bytes[at..at + 2].copy_from_slice(&new.to_le_bytes());
        }
    };
    for (cluster, value) in [(0, 0xff8), (1, 0xfff), (2, 3), (3, 0xfff), (4, 0xfff)] {
        set(&mut good, cluster, value);
    }
    let record = |name: &[u8; 11], attributes: u8, cluster: u16, size: u32| {
        let mut out = [0; 32];
        out[..11].copy_from_slice(name);
        out[11] = attributes;
        out[26..28].copy_from_slice(&cluster.to_le_bytes());
        out[28..].copy_from_slice(&size.to_le_bytes());
        out
    };
    good[directory..directory + 32].copy_from_slice(&record(b"FILE    TXT", 0x20, 2, 700));
    good[directory + 32..directory + 64].copy_from_slice(&record(b"DIR        ", 0x10, 4, 0));
    let chained = |cluster: usize, value: u16| {
        let mut bytes = good.clone();
        set(&mut bytes, cluster, value);
        bytes
    };
    let listed = |slot: usize, record: [u8; 32]| with(&good, directory + 32 * slot, &record);
    [
        ("a chain in a circle", chained(3, 2), "FAT-03"),
        ("a chain to itself", chained(2, 2), "FAT-03"),
        ("a chain behind the volume", chained(3, 0xff0), "FAT-03"),
        ("a chain into nothing", chained(3, 0), "FAT-03|FAT-06"),
        ("a chain to cluster 1", chained(3, 1), "FAT-03"),
        ("two tables that differ", with(&good, 3 * SECTOR + 5, &[0x77]), "FAT-02"),
        (
            "a file that is larger than its clusters",
            listed(0, record(b"FILE    TXT", 0x20, 2, 5000)),
            "FAT-06",
        ),
        ("a file of 4 GiB", listed(0, record(b"FILE    TXT", 0x20, 2, u32::MAX)), "FAT-06"),
        ("two files with one chain", listed(2, record(b"OTHER   TXT", 0x20, 2, 700)), "FAT-03"),
        ("two files of one name", listed(2, record(b"FILE    TXT", 0x20, 5, 0)), "FS-10|FAT-0"),
        ("a directory at the root's place", listed(1, record(b"DIR        ", 0x10, 60_000, 0)), "FAT-0"),
        ("a name with a slash", listed(2, record(b"A/B     TXT", 0x20, 0, 0)), "FS-07|FAT-0"),
        ("a name with a NUL", listed(2, record(b"A\0B     TXT", 0x20, 0, 0)), "FS-07|FAT-0"),
        ("more sectors than the volume has", with(&good, 19, &600_u16.to_le_bytes()), "FAT-01|FS-0"),
        ("a table that is too short", with(&good, 22, &[1]), "FAT-01|FAT-02|FAT-03"),
    ]
    .into_iter()
    .map(|(name, disk, code)| case(format!("FAT: {name}"), disk, code))
    .collect()
}

/// Runs a maker of file systems on an empty file; nothing, and a line that says so, where it is absent.
fn made(name: &str, bytes: u64, arguments: &[&str]) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a directory");
    let image = folder.path().join("image");
    std::fs::File::create(&image).expect("made").set_len(bytes).expect("sized");
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    match Command::new(name).args(arguments).arg(&image).env("PATH", path).output() {
        Ok(out) if out.status.success() => Some(std::fs::read(&image).expect("reads")),
        other => {
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("skipped: {name} made no file system, so its damage is not tested: {other:?}\n"),
            );
            None
        }
    }
}

/// File systems by their own makers, with fields of the superblock or boot sector that lie.
fn file_systems() -> Vec<Case> {
    let mut out = Vec::new();
    let ext = made("mke2fs", 4 << 20, &["-q", "-F", "-t", "ext2", "-b", "1024", "-N", "64"]);
    for (name, at, bytes) in [
        ("blocks of 2^31 bytes", 24, &[21_u8, 0, 0, 0][..]),
        ("blocks of 2^32 bytes", 24, &[0xff; 4]),
        ("2^32 blocks", 4, &[0xff; 4]),
        ("no blocks", 4, &[0; 4]),
        ("2^32 inodes", 0, &[0xff; 4]),
        ("no blocks in a group", 32, &[0; 4]),
        ("no inodes in a group", 40, &[0; 4]),
        ("2^32 inodes in a group", 40, &[0xff; 4]),
        ("inodes of no bytes", 88, &[0, 0]),
        ("inodes of 100 bytes", 88, &[100, 0]),
        ("inodes of 64 KiB", 88, &[0xff, 0xff]),
        ("an unknown feature", 96, &[0, 0, 0, 0x80]),
        ("a first block elsewhere", 20, &[0xff; 4]),
    ] {
        if let Some(good) = &ext {
            out.push(case(format!("ext: {name}"), with(good, 1024 + at, bytes), "EXT-|FS-0"));
        }
    }
    if let Some(good) = &ext {
        // The group descriptor behind the superblock: bitmaps and the table of inodes.
        for (name, at) in [("table of inodes at 0", 8), ("table of inodes behind the end", 9)] {
            let value = if at == 8 { [0; 4] } else { [0xff; 4] };
            out.push(case(format!("ext: a {name}"), with(good, 2048 + 8, &value), "EXT-|FS-0"));
        }
        for end in [MIB, 2 * MIB] {
            out.push(case(format!("ext: cut at {end}"), good[..end].to_vec(), "EXT-|FS-0|DSK-"));
        }
    }
    let ntfs = made("mkntfs", 4 << 20, &["-F", "-Q", "-q"]);
    for (name, at, bytes) in [
        ("sectors of no bytes", 11, &[0_u8, 0][..]),
        ("sectors of 100 bytes", 11, &[100, 0]),
        ("clusters of 2^200 bytes", 13, &[200]),
        ("more sectors than there are", 40, &[0xff; 6]),
        ("the file table behind the end", 48, &[0xff; 6]),
        ("the file table at the boot sector", 48, &[0; 8]),
        ("records of no bytes", 64, &[0]),
        ("records of 2^128 bytes", 64, &[0x80]),
    ] {
        if let Some(good) = &ntfs {
            out.push(case(format!("NTFS: {name}"), with(good, at, bytes), "NTF-|FS-0"));
        }
    }
    out
}
