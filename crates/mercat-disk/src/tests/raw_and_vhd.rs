use super::*;

/// A footer for a disk of that many bytes, sealed.
fn footer(virtual_bytes: u64) -> Vec<u8> {
    let mut bytes = vec![0; 512];
    bytes[..8].copy_from_slice(b"conectix");
    bytes[8..16].copy_from_slice(&[0, 0, 0, 2, 0, 1, 0, 0]);
    bytes[16..24].fill(0xff);
    bytes[28..32].copy_from_slice(b"test");
    bytes[40..48].copy_from_slice(&virtual_bytes.to_be_bytes());
    bytes[48..56].copy_from_slice(&virtual_bytes.to_be_bytes());
    bytes[60..64].copy_from_slice(&2_u32.to_be_bytes());
    seal(&mut bytes);
    bytes
}

fn seal(footer: &mut [u8]) {
    let sum = vhd::checksum(footer, 64);
    footer[64..68].copy_from_slice(&sum.to_be_bytes());
}

fn fixed(disk: &[u8]) -> Vec<u8> {
    [disk.to_vec(), footer(disk.len() as u64)].concat()
}

/// A fixed VHD whose footer got other bytes and a right checksum.
fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut footer = footer(4096);
    footer[at..at + bytes.len()].copy_from_slice(bytes);
    seal(&mut footer);
    [vec![7; 4096], footer].concat()
}

#[test]
fn a_fixed_vhd_is_its_disk_and_a_footer() {
    let content = noise(1 << 20, 1);
    let disk = open_bytes(fixed(&content), Some(Declared::Vhd)).unwrap();
    assert_eq!(disk.facts.format, Format::VhdFixed);
    assert_eq!(disk.facts.virtual_bytes, 1 << 20);
    assert_eq!(disk.facts.vhd.as_ref().unwrap().creator, "test");
    assert!(read_all(&disk).unwrap() == content);
    assert_eq!(code(disk.read_at((1 << 20) - 1, &mut [0; 2])), "DSK-03");
    assert_eq!(code(disk.read_at(u64::MAX, &mut [0; 2])), "DSK-03");
    assert_eq!(code(open_bytes(fixed(&content), None)), "ok");
}

#[test]
fn a_footer_that_lies_is_refused_with_the_code_of_the_lie() {
    let vhd = |bytes| code(open_bytes(bytes, Some(Declared::Vhd)));
    assert_eq!(vhd(vec![7; 4096]), "VHD-01");
    assert_eq!(vhd([footer(4096), vec![7; 4096]].concat()), "VHD-01");
    assert_eq!(vhd(changed(48, &8192_u64.to_be_bytes())), "VHD-05");
    assert_eq!(vhd(changed(48, &3584_u64.to_be_bytes())), "VHD-05");
    let mut wrong = fixed(&[7; 4096]);
    wrong[4096 + 64] ^= 1;
    assert_eq!(vhd(wrong), "VHD-06");
    assert_eq!(vhd(changed(60, &4_u32.to_be_bytes())), "VHD-20");
    for kind in [0_u32, 1, 5, u32::MAX] {
        assert_eq!(vhd(changed(60, &kind.to_be_bytes())), "VHD-22");
    }
    assert_eq!(vhd(changed(8, &[0, 0, 0, 6])), "VHD-23");
    assert_eq!(vhd(changed(12, &[0, 2, 0, 0])), "VHD-23");
    assert_eq!(vhd(changed(16, &512_u64.to_be_bytes())), "VHD-24");
    assert_eq!(vhd(changed(84, &[2])), "VHD-25");
    // One sector more than the disk has: what is the disk for one reader is not for the other.
    assert_eq!(vhd(changed(56, &[0, 3, 3, 1])), "VHD-35");
    for agreed in [[0, 8, 1, 1], [0, 1, 4, 2], [0, 0, 4, 17], [0xff, 0xff, 16, 255]] {
        assert_eq!(vhd(changed(56, &agreed)), "ok", "{agreed:?}");
    }
    for size in [0, 4097, u64::MAX, (64 << 40) + 512] {
        assert_eq!(vhd(changed(48, &size.to_be_bytes())), "DSK-06");
    }
}

#[test]
fn the_declared_format_and_the_content_must_be_one() {
    let vhd = fixed(&[7; 4096]);
    assert_eq!(code(open_bytes(vhd.clone(), Some(Declared::Raw))), "DSK-02");
    assert_eq!(code(open_bytes(vhd, Some(Declared::Qcow2))), "DSK-02");
    assert_eq!(code(open_bytes(vec![7; 4096], Some(Declared::Vhdx))), "DSK-02");
    assert_eq!(code(open_bytes(vec![7; 4096], None)), "DSK-01");
    assert_eq!(code(open_bytes(vec![7; 4096], Some(Declared::Raw))), "ok");
    for size in [0, 1, 511, 513] {
        assert_eq!(code(open_bytes(vec![7; size], Some(Declared::Raw))), "DSK-06");
    }
}

#[test]
fn a_raw_disk_that_another_program_would_open_as_something_else_is_refused() {
    let starts: [&[u8]; 14] = [
        b"QFI\xfb",
        b"KDMV",
        b"COWD",
        b"# Disk DescriptorFile",
        b"conectix",
        b"vhdxfile",
        b"<<< Oracle VM VirtualBox Disk Image >>>",
        b"QED\0",
        b"WithoutFreeSpace",
        b"WithouFreSpacExt",
        b"Bochs Virtual HD Image",
        b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop",
        b"EVF\x09\x0d\x0a\xff\0",
        b"LUKS\xba\xbe\0\x09",
    ];
    for start in starts {
        let mut disk = vec![7; 8192];
        disk[..start.len()].copy_from_slice(start);
        let expected = if start.starts_with(b"LUKS") { "DSK-LUKS" } else { "DSK-07" };
        assert_eq!(code(open_bytes(disk.clone(), Some(Declared::Raw))), expected, "{}", start.escape_ascii());
        let inside = code(open_bytes(fixed(&disk), Some(Declared::Vhd)));
        let expected = match start {
            b"conectix" => "DSK-07",
            start if start.starts_with(b"LUKS") => "DSK-LUKS",
            _ => "DSK-04",
        };
        assert_eq!(inside, expected, "{} inside a VHD", start.escape_ascii());
    }
    let mut vdi = vec![7; 8192];
    vdi[64..68].copy_from_slice(&[0x7f, 0x10, 0xda, 0xbe]);
    assert_eq!(code(open_bytes(vdi.clone(), Some(Declared::Raw))), "DSK-07");
    assert_eq!(code(open_bytes(vdi, None)), "DSK-08");
    assert_eq!(code(open_bytes([vec![7; 4096], b"koly".to_vec(), vec![0; 508]].concat(), None)), "DSK-08");
}

#[test]
fn a_footer_in_front_of_a_footer_is_refused() {
    assert_eq!(code(open_bytes(fixed(&fixed(&[7; 4096])), Some(Declared::Vhd))), "DSK-07");
}

#[test]
fn vmdk_files_that_name_other_files_are_refused() {
    let text = [b"# Disk DescriptorFile\nRW 8 FLAT \"/etc/passwd\" 0\n".to_vec(), vec![0; 512]].concat();
    assert_eq!(code(open_bytes(text, Some(Declared::Vmdk))), "VMD-01");
    assert_eq!(code(open_bytes([b"COWD".to_vec(), vec![0; 508]].concat(), None)), "VMD-02");
}

#[test]
fn holes_of_a_file_are_not_data() {
    use std::os::unix::fs::FileExt;
    let file = tempfile::tempfile().unwrap();
    file.set_len(64 << 20).unwrap();
    file.write_all_at(&noise(65536, 3), 16 << 20).unwrap();
    let disk = open(Arc::new(FileReadAt::new(file).unwrap()), Some(Declared::Raw)).unwrap();
    match disk.next_data(0).unwrap().unwrap() {
        whole if whole == (0..64 << 20) => eprintln!("skipped: the file system does not tell holes"),
        data => {
            assert_eq!(data, 16 << 20..(16 << 20) + 65536);
            assert_eq!(disk.next_data(data.end).unwrap(), None);
        }
    }
    assert_eq!(disk.next_data(64 << 20).unwrap(), None);
    assert_eq!(code(disk.read_at((64 << 20) - 1, &mut [0; 2])), "DSK-03");
}

#[test]
fn a_sparse_raw_file_larger_than_any_disk_is_refused() {
    let file = tempfile::tempfile().unwrap();
    if file.set_len(i64::MAX as u64 - 4095).is_err() && file.set_len(15 << 40).is_err() {
        eprintln!("skipped: the file system has no files that large");
        return;
    }
    let size = file.metadata().unwrap().len();
    let opened = open(Arc::new(FileReadAt::new(file).unwrap()), Some(Declared::Raw));
    assert_eq!(code(opened), if size > VIRTUAL_BYTES_MAX { "DSK-06" } else { "ok" });
}
