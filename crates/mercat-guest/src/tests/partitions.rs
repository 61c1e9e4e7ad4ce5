use super::*;

const MIB: u64 = 1 << 20;

/// A disk of 16 MiB with a GPT of two partitions.
fn gpt() -> Option<Vec<u8>> {
    if !has("sgdisk") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    blank(&image, 16 * MIB);
    let arguments = [
        "-n=1:2048:+4M",
        "-t=1:ef00",
        "-c=1:EFI system",
        "-n=3:0:+2M",
        "-t=3:8300",
        "-A=3:set:2",
        "-n=14:0:+1M",
        "-t=14:ef02",
        image.to_str().unwrap(),
    ];
    run("sgdisk", &arguments, "");
    Some(fs::read(&image).unwrap())
}

/// A disk of 16 MiB with the partitions of an sfdisk script.
fn mbr(script: &str) -> Option<Vec<u8>> {
    if !has("sfdisk") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    blank(&image, 16 * MIB);
    run("sfdisk", &["-q", image.to_str().unwrap()], script);
    Some(fs::read(&image).unwrap())
}

fn open(disk: &[u8]) -> Result<Guest, ReadError> {
    Guest::open(Arc::new(disk.to_vec()))
}

/// Puts the right checksums into both GPT headers after a change.
fn seal(disk: &mut [u8]) {
    let last = disk.len() - 512;
    for at in [512, last] {
        let field = |disk: &[u8], at: usize, bytes: usize| {
            (0..bytes).fold(0, |sum, byte| sum | usize::from(disk[at + byte]) << (8 * byte))
        };
        let entries = field(disk, at + 72, 8).saturating_mul(512);
        let length = field(disk, at + 80, 4) * field(disk, at + 84, 4);
        if let Some(entries) = disk.get(entries..entries.saturating_add(length)) {
            let sum = crc32fast::hash(entries);
            disk[at + 88..at + 92].copy_from_slice(&sum.to_le_bytes());
        }
        disk[at + 16..at + 20].fill(0);
        let size = field(disk, at + 12, 4).min(512);
        let sum = crc32fast::hash(&disk[at..at + size]);
        disk[at + 16..at + 20].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Changes a field in both headers, seals, and gives the code.
fn with_header(disk: &[u8], offset: usize, value: &[u8]) -> String {
    let mut disk = disk.to_vec();
    for at in [512, disk.len() - 512] {
        disk[at + offset..at + offset + value.len()].copy_from_slice(value);
    }
    seal(&mut disk);
    code(disk)
}

/// Changes a field of the first entry in both tables, seals, and gives the code.
fn with_entry(disk: &[u8], offset: usize, value: &[u8]) -> String {
    let mut disk = disk.to_vec();
    for at in [1024, disk.len() - 33 * 512] {
        disk[at + offset..at + offset + value.len()].copy_from_slice(value);
    }
    seal(&mut disk);
    code(disk)
}

#[test]
fn a_gpt_gives_its_partitions() {
    let Some(disk) = gpt() else { return };
    let guest = open(&disk).unwrap();
    assert_eq!(guest.table, Table::Gpt);
    assert!(guest.efi_system && !guest.boot_code);
    assert_eq!(guest.partitions.iter().map(|found| found.number).collect::<Vec<_>>(), [1, 3, 14]);
    assert_eq!(
        guest.partitions[0],
        Partition {
            number: 1,
            name: "EFI system".to_owned(),
            type_id: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b".to_owned(),
            unique_id: guest.partitions[0].unique_id.clone(),
            start: MIB,
            size: 4 * MIB,
            bootable: false,
        }
    );
    assert!(guest.partitions.iter().all(|found| found.unique_id.len() == 36), "{:?}", guest.partitions);
    assert!(guest.partitions[1].bootable);
    let names: Vec<&str> = guest.volumes.iter().map(|volume| volume.name.as_str()).collect();
    assert_eq!(names, ["part1", "part3", "part14"]);
    assert!(guest.volumes.iter().all(|volume| volume.contents == Contents::Empty));
}

#[test]
fn an_mbr_gives_primary_and_logical_partitions() {
    let script = "label: dos\n2048,4096,83,*\n8192,16384,5\n10240,2048,82\n14336,2048,ef\n";
    let Some(mut disk) = mbr(script) else { return };
    let guest = open(&disk).unwrap();
    assert_eq!(guest.table, Table::Mbr);
    assert!(guest.efi_system && !guest.boot_code);
    let found: Vec<(u32, &str, u64, u64, bool)> = guest
        .partitions
        .iter()
        .map(|part| (part.number, part.type_id.as_str(), part.start / 512, part.size / 512, part.bootable))
        .collect();
    let wanted =
        [(1, "0x83", 2048, 4096, true), (5, "0x82", 10240, 2048, false), (6, "0xef", 14336, 2048, false)];
    assert_eq!(found, wanted);
    disk[0] = 0xfa;
    assert!(open(&disk).unwrap().boot_code);
}

#[test]
fn a_disk_without_table_is_one_volume() {
    let guest = open(&[0; 4096]).unwrap();
    assert_eq!((guest.table, guest.volumes[0].contents.clone()), (Table::None, Contents::Empty));
    assert_eq!(code(vec![7; 70_000]), "FS-03");
    assert_eq!(code(Vec::new()), "read");
    assert_eq!(code(vec![1; 100]), "FS-03");
    if has("mkswap") {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("swap");
        blank(&image, MIB);
        run("mkswap", &[image.to_str().unwrap()], "");
        let guest = Guest::open(Image::open(&image)).unwrap();
        assert_eq!(guest.volumes[0].contents, Contents::Swap);
    }
}

#[test]
fn what_cannot_be_read_is_known_by_name() {
    let at = |offset: usize, magic: &[u8]| {
        let mut disk = vec![0; 2 << 20];
        disk[offset..offset + magic.len()].copy_from_slice(magic);
        match &open(&disk).unwrap().volumes[0].contents {
            Contents::Unreadable { what, code: "FS-01" } => what.clone(),
            other => format!("{other:?}"),
        }
    };
    assert_eq!(at(0, b"LUKS\xba\xbe\0\x02"), "LUKS");
    assert_eq!(at(3, b"-FVE-FS-"), "BitLocker");
    assert_eq!(at(0x10040, b"_BHRfS_M"), "btrfs");
    assert_eq!(at(0x400, b"\x10\x20\xf5\xf2"), "f2fs");
    assert_eq!(at(0x1000, b"\xfc\x4e\x2b\xa9"), "linux_raid_member");
    assert_eq!(at((2 << 20) - 0x10000, b"\xfc\x4e\x2b\xa9"), "linux_raid_member");
    assert_eq!(at(0x20000 + 5 * 1024, b"\x0c\xb1\xba\x00\0\0\0\0"), "zfs member");
    assert_eq!(at(4096 - 10, b"S1SUSPEND"), "hibernated memory");
    for (program, arguments, name) in [
        ("mkfs.btrfs", &["-q"][..], "btrfs"),
        ("mkfs.f2fs", &["-q"], "f2fs"),
        ("mkfs.exfat", &[], "exFAT"),
        ("mkfs.ext4", &["-q", "-O", "journal_dev"], "ext4 external journal"),
    ] {
        if has(program) {
            let folder = tempfile::tempdir().unwrap();
            let image = folder.path().join("image");
            blank(&image, 128 << 20);
            run(program, &[arguments, &[image.to_str().unwrap()]].concat(), "");
            let guest = Guest::open(Image::open(&image)).unwrap();
            let wanted = Contents::Unreadable { what: name.to_owned(), code: "FS-01" };
            assert_eq!(guest.volumes[0].contents, wanted);
        }
    }
}

#[test]
fn two_file_systems_on_one_volume_are_refused() {
    let mut disk = vec![0; 2 << 20];
    disk[..4].copy_from_slice(b"XFSB");
    disk[1024 + 0x38..][..2].copy_from_slice(&[0x53, 0xef]);
    assert_eq!(code(disk), "FS-02");
}

#[test]
fn a_member_of_a_raid_is_not_read_as_the_file_system_in_it() {
    let mut disk = vec![0; 2 << 20];
    disk[1024 + 0x38..][..2].copy_from_slice(&[0x53, 0xef]);
    disk[(2 << 20) - 0x10000..][..4].copy_from_slice(b"\xfc\x4e\x2b\xa9");
    let wanted = Contents::Unreadable { what: "linux_raid_member".to_owned(), code: "FS-01" };
    assert_eq!(open(&disk).unwrap().volumes[0].contents, wanted);
    assert_eq!(code(disk), "FS-01");
}

#[test]
fn a_table_in_front_of_a_volume_reads_in_two_ways() {
    let Some(mut disk) = mbr("label: dos\n2048,4096,83\n") else { return };
    disk[1024 + 0x38..][..2].copy_from_slice(&[0x53, 0xef]);
    assert_eq!(code(disk), "PRT-04");
}

#[test]
fn a_gpt_that_lies_is_refused() {
    let Some(disk) = gpt() else { return };
    let last = disk.len() - 512;
    let flip = |at: usize| {
        let mut disk = disk.clone();
        disk[at] ^= 1;
        code(disk)
    };
    assert_eq!(code(disk.clone()), "read");
    assert_eq!(flip(512 + 57), "PRT-23");
    assert_eq!(flip(1024 + 60), "PRT-23");
    assert_eq!(flip(last + 57), "PRT-23");
    assert_eq!(flip(last), "PRT-22");
    let mut differs = disk.clone();
    differs[last - 32 * 512 + 60] ^= 1;
    seal(&mut differs);
    assert_eq!(code(differs), "PRT-27");
    assert_eq!(with_header(&disk, 80, &u32::MAX.to_le_bytes()), "PRT-25");
    assert_eq!(with_header(&disk, 84, &0_u32.to_le_bytes()), "PRT-25");
    assert_eq!(with_header(&disk, 84, &192_u32.to_le_bytes()), "PRT-25");
    assert_eq!(with_header(&disk, 12, &u32::MAX.to_le_bytes()), "PRT-22");
    assert_eq!(with_header(&disk, 72, &u64::MAX.to_le_bytes()), "PRT-26");
    assert_eq!(with_header(&disk, 48, &u64::MAX.to_le_bytes()), "PRT-26");
    // Entries so far away that their place in bytes is no number, in front of what is said to be for use.
    let mut far = disk.clone();
    for at in [512 + 40, 512 + 48] {
        far[at..at + 8].copy_from_slice(&(u64::MAX - 1).to_le_bytes());
    }
    assert_eq!(with_header(&far, 72, &(1_u64 << 56).to_le_bytes()), "PRT-26");
    assert_eq!(with_header(&disk, 24, &9_u64.to_le_bytes()), "PRT-24");
    assert_eq!(with_entry(&disk, 40, &u64::MAX.to_le_bytes()), "PRT-09");
    assert_eq!(with_entry(&disk, 32, &0_u64.to_le_bytes()), "PRT-09");
    assert_eq!(with_entry(&disk, 40, &11_000_u64.to_le_bytes()), "PRT-08");
    let twin = disk[1024 + 2 * 128 + 16..][..16].to_vec();
    assert_eq!(with_entry(&disk, 16, &twin), "PRT-28");
}

#[test]
fn a_disk_that_changed_its_size_is_told_so() {
    let Some(disk) = gpt() else { return };
    assert_eq!(code([disk.clone(), vec![0; 1 << 20]].concat()), "PRT-20");
    assert_eq!(code(disk[..disk.len() - (1 << 20)].to_vec()), "PRT-21");
}

#[test]
fn the_mbr_of_a_gpt_disk_protects_and_nothing_else() {
    let Some(disk) = gpt() else { return };
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut disk = disk.clone();
        change(&mut disk);
        code(disk)
    };
    assert_eq!(with(&|disk| disk[510] = 0), "PRT-03");
    assert_eq!(with(&|disk| disk[446..462].fill(0)), "PRT-03");
    assert_eq!(with(&|disk| disk[446 + 8] = 2), "PRT-07");
    assert_eq!(with(&|disk| disk[462 + 4] = 0x83), "PRT-06");
    assert_eq!(
        with(&|disk| {
            let entry = disk[446..462].to_vec();
            disk[462..478].copy_from_slice(&entry);
        }),
        "PRT-06"
    );
    assert_eq!(with(&|disk| disk[512..520].fill(0)), "PRT-05");
    assert_eq!(
        with(&|disk| {
            disk[..1024].fill(0);
            disk[4096..4104].copy_from_slice(b"EFI PART");
        }),
        "PRT-02"
    );
}

/// One MBR entry.
fn entry(disk: &mut [u8], sector: usize, slot: usize, flag: u8, kind: u8, start: u32, sectors: u32) {
    let at = sector * 512 + 446 + 16 * slot;
    disk[at] = flag;
    disk[at + 4] = kind;
    disk[at + 8..at + 12].copy_from_slice(&start.to_le_bytes());
    disk[at + 12..at + 16].copy_from_slice(&sectors.to_le_bytes());
    disk[sector * 512 + 510..sector * 512 + 512].copy_from_slice(&[0x55, 0xaa]);
}

#[test]
fn an_mbr_that_lies_is_refused() {
    let with = |entries: &[(usize, usize, u8, u8, u32, u32)]| {
        let mut disk = vec![0; 1 << 20];
        for (sector, slot, flag, kind, start, sectors) in entries {
            entry(&mut disk, *sector, *slot, *flag, *kind, *start, *sectors);
        }
        code(disk)
    };
    assert_eq!(with(&[(0, 0, 0x80, 0x83, 10, 20)]), "read");
    assert_eq!(with(&[(0, 0, 0, 0x83, 10, 20), (0, 1, 0, 0x83, 29, 20)]), "PRT-08");
    assert_eq!(with(&[(0, 0, 0, 0x83, 10, 5000)]), "PRT-09");
    assert_eq!(with(&[(0, 0, 0, 0x83, u32::MAX, u32::MAX)]), "PRT-09");
    assert_eq!(with(&[(0, 0, 7, 0x83, 10, 20)]), "PRT-10");
    assert_eq!(with(&[(0, 0, 0, 0, 10, 20)]), "PRT-11");
    assert_eq!(with(&[(0, 0, 0, 0x83, 10, 0)]), "PRT-11");
    assert_eq!(with(&[(0, 0, 0, 0x83, 0, 20)]), "PRT-11");
    assert_eq!(with(&[(0, 0, 0, 5, 10, 20), (0, 1, 0, 15, 40, 20)]), "PRT-12");
    let extended = (0, 0, 0, 5, 100, 1000);
    assert_eq!(with(&[extended, (100, 0, 0, 0x83, 10, 20)]), "read");
    assert_eq!(with(&[extended, (100, 0, 0, 0x83, 10, 2000)]), "PRT-09");
    assert_eq!(with(&[extended, (100, 1, 0, 5, 200, 10), (300, 1, 0, 5, 200, 10)]), "PRT-13");
    assert_eq!(with(&[extended, (100, 1, 0, 5, 200, 10)]), "PRT-14");
    assert_eq!(with(&[extended, (100, 0, 0, 0x83, 10, 20), (100, 2, 0, 0x83, 40, 20)]), "PRT-14");
    let covers = [extended, (100, 0, 0, 0x83, 10, 500), (100, 1, 0, 5, 200, 10), (300, 0, 0, 0x83, 600, 10)];
    assert_eq!(with(&covers), "PRT-08");
}
