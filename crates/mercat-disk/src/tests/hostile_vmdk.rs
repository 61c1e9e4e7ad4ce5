//! VMDK files that lie.

use super::foreign::qemu_img;
use super::made::{
    GRAIN, VMDK_DESCRIPTOR, VMDK_DIRECTORY, VMDK_TABLE, changed, content, descriptor, marker, packed_grain,
    put, vmdk_sparse, vmdk_stream, zlib,
};
use super::*;

fn vmdk(bytes: Vec<u8>) -> String {
    code(open_bytes(bytes, Some(Declared::Vmdk)))
}

fn with(at: usize, bytes: &[u8]) -> String {
    vmdk(changed(&vmdk_sparse(), at, bytes))
}

fn sectors() -> usize {
    content().len() / 512
}

#[test]
fn both_kinds_read_as_the_disk_and_the_usual_program_agrees() {
    let dir = tempfile::tempdir().unwrap();
    for (image, format) in [(vmdk_sparse(), Format::VmdkSparse), (vmdk_stream(&[]), Format::VmdkStream)] {
        let (path, raw) = (dir.path().join("disk.vmdk"), dir.path().join("disk.raw"));
        std::fs::write(&path, &image).unwrap();
        std::fs::write(&raw, content()).unwrap();
        let disk = open_bytes(image, Some(Declared::Vmdk)).unwrap();
        assert_eq!(disk.facts.format, format);
        assert_eq!(disk.facts.mapped_bytes, 4 * GRAIN as u64 + 512);
        assert!(read_all(&disk).unwrap() == content());
        qemu_img(&["compare", "-f", "raw", "-F", "vmdk", raw.to_str().unwrap(), path.to_str().unwrap()]);
    }
}

#[test]
fn the_header_of_a_vmdk_is_checked() {
    for version in [0, 4, 0xff] {
        assert_eq!(with(4, &[version]), "VMD-03");
    }
    assert_eq!(with(8, &[9]), "VMD-03");
    for at in 73..77 {
        assert_eq!(with(at, b"x"), "VMD-03");
    }
    assert_eq!(with(72, &[1]), "VMD-19");
    for grain in [0_u64, 1, 4, 127, 4096, u64::MAX] {
        assert_eq!(with(20, &grain.to_le_bytes()), "VMD-04", "{grain}");
    }
    for entries in [0_u32, 511, 1024, u32::MAX] {
        assert_eq!(with(44, &entries.to_le_bytes()), "VMD-04", "{entries}");
    }
    for capacity in [0, u64::MAX, 1 << 60] {
        assert_eq!(with(12, &capacity.to_le_bytes()), "DSK-06", "{capacity}");
    }
    assert_eq!(with(77, &[1]), "VMD-05");
    assert_eq!(with(8, &0x2_0001_u32.to_le_bytes()), "VMD-05");
    assert_eq!(with(8, &0x1_0001_u32.to_le_bytes()), "VMD-05");
    for at in [0, 1 << 40, u64::MAX] {
        assert_eq!(with(28, &at.to_le_bytes()), "VMD-06", "descriptor at {at}");
    }
    for size in [0, 4096, u64::MAX] {
        assert_eq!(with(36, &size.to_le_bytes()), "VMD-06", "descriptor of {size}");
    }
    for at in [0_u64, 1 << 40, u64::MAX - 1] {
        assert_eq!(with(56, &at.to_le_bytes()), "VMD-12", "directory at {at}");
    }
    assert_eq!(with(56, &u64::MAX.to_le_bytes()), "VMD-11");
    assert_eq!(with(56, &1_u64.to_le_bytes()), "VMD-14");
}

/// The code of a file with that descriptor.
fn described(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(2048, 0);
    with(VMDK_DESCRIPTOR * 512, &bytes)
}

fn replaced(line: &str, by: &str) -> String {
    let text = String::from_utf8(descriptor("monolithicSparse", sectors(), "")).unwrap();
    assert!(text.contains(line), "{line}");
    described(text.replace(line, by).trim_end_matches('\0'))
}

#[test]
fn every_line_of_the_descriptor_is_understood() {
    let more = |line: &str| with(512, &descriptor("monolithicSparse", sectors(), line));
    assert_eq!(more(""), "ok");
    assert_eq!(more("ddb.uuid = \"60 00 C2 9a\"\r\n"), "ok");
    assert_eq!(more("ddb.uuid.parent=\"00000000-0000-0000-0000-000000000000\"\n"), "ok");
    assert_eq!(more("ddb.uuid.parent=\"00000000-0000-0000-0000-000000000001\"\n"), "VMD-10");
    assert_eq!(more("parentFileNameHint=\"/etc/passwd\"\n"), "VMD-10");
    assert_eq!(more("RW 1 FLAT \"/etc/passwd\" 0\n"), "VMD-07", "a second extent");
    for line in [
        "changeTrackPath=\"x\"",
        "ddb.nativeParentHandle = \"x\"",
        "ddb.comment = x",
        "ddb.adapterType = \"scsi\"",
        "CID=1",
        "encryptionKeys = \"x\"",
        "what",
        "=",
        "ddb.=\"\"",
        "version=1",
    ] {
        assert_eq!(more(line), "VMD-07", "{line}");
    }
    assert_eq!(replaced("# Disk DescriptorFile", "# A disk"), "VMD-07");
    assert_eq!(replaced("version=1", "version=9"), "VMD-07");
    assert_eq!(replaced("version=1\n", ""), "VMD-07");
    assert_eq!(replaced("CID=12345678", "CID=x"), "VMD-07");
    assert_eq!(replaced("parentCID=ffffffff", "parentCID=12345678"), "VMD-10");
    assert_eq!(replaced("parentCID=ffffffff\n", ""), "VMD-07");
    assert_eq!(replaced("encoding", "\u{7}encoding"), "VMD-07");
    let mut hidden = descriptor("monolithicSparse", sectors(), "");
    put(&mut hidden, 2000, b"RW 1 FLAT \"/etc/passwd\"");
    assert_eq!(with(512, &hidden), "VMD-07");
    put(&mut hidden, 0, b"# Disk \xff");
    assert_eq!(with(512, &hidden), "VMD-07");
}

#[test]
fn only_one_extent_in_this_file_is_accepted() {
    for kind in [
        "streamOptimized",
        "monolithicFlat",
        "twoGbMaxExtentSparse",
        "twoGbMaxExtentFlat",
        "fullDevice",
        "partitionedDevice",
        "vmfs",
        "vmfsSparse",
        "vmfsRaw",
        "vmfsRDM",
        "vmfsRDMP",
        "custom",
        "",
    ] {
        assert_eq!(replaced("createType=\"monolithicSparse\"", &format!("createType=\"{kind}\"")), "VMD-08");
    }
    let line = format!("RW {} SPARSE \"disk.vmdk\"", sectors());
    for name in ["/etc/passwd", "../disk.vmdk", "a/b", "..", "", "/dev/sda", "a\\b", "c:x", "nbd://h"] {
        assert_eq!(replaced(&line, &format!("RW {} SPARSE \"{name}\"", sectors())), "VMD-09", "{name}");
    }
    for other in [
        format!("RW {} FLAT \"disk.vmdk\" 0", sectors()),
        format!("RW {} SPARSE \"disk.vmdk\" 0", sectors()),
        format!("RW {} SPARSE disk.vmdk", sectors()),
        format!("RW {} SPARSE \"disk.vmdk\"", sectors() + 1),
        format!("RW  {} SPARSE \"disk.vmdk\"", sectors()),
        format!("NOACCESS {} SPARSE \"disk.vmdk\"", sectors()),
        format!("RW {} ZERO", sectors()),
        "RW -1 SPARSE \"disk.vmdk\"".to_owned(),
    ] {
        assert_eq!(replaced(&line, &other), "VMD-09", "{other}");
    }
    assert_eq!(replaced(&line, &format!("RDONLY {} SPARSE \"disk.vmdk\"", sectors())), "ok");
    assert_eq!(replaced(&format!("{line}\n"), ""), "VMD-07");
}

#[test]
fn grains_and_tables_have_places_of_their_own() {
    let directory = |sector: u32| with(VMDK_DIRECTORY * 512, &sector.to_le_bytes());
    for sector in [1, 3, VMDK_DIRECTORY as u32, VMDK_DIRECTORY as u32 - 1] {
        assert_eq!(directory(sector), "VMD-14", "a table at {sector}");
    }
    assert_eq!(directory(u32::MAX), "VMD-12");
    let grain = |index: usize, sector: u32| with(VMDK_TABLE * 512 + index * 4, &sector.to_le_bytes());
    assert_eq!(grain(1, 128), "VMD-14", "two grains in one place");
    for sector in [1, 5, 6, 129, 127] {
        assert_eq!(grain(0, sector), "VMD-14", "a grain at {sector}");
    }
    assert_eq!(grain(5, 200), "VMD-14", "a grain across two others");
    assert_eq!(grain(0, u32::MAX), "VMD-13");
    assert_eq!(grain(49, 128), "VMD-13", "a grain behind the end of the disk");
    let zeroed = changed(&vmdk_sparse(), 8, &[5]);
    let disk = open_bytes(changed(&zeroed, VMDK_TABLE * 512, &[1, 0, 0, 0]), Some(Declared::Vmdk)).unwrap();
    let mut grain = vec![1; GRAIN];
    disk.read_at(0, &mut grain).unwrap();
    assert_eq!(grain, vec![0; GRAIN]);
}

#[test]
fn the_second_grain_tables_must_be_equal() {
    let mut image = changed(&vmdk_sparse(), 8, &[3]);
    put(&mut image, 48, &20_u64.to_le_bytes());
    put(&mut image, 20 * 512, &21_u32.to_le_bytes());
    let table = image[VMDK_TABLE * 512..VMDK_TABLE * 512 + 2048].to_vec();
    put(&mut image, 21 * 512, &table);
    assert_eq!(vmdk(image.clone()), "ok");
    assert_eq!(vmdk(changed(&image, 21 * 512, &[9])), "VMD-18");
    assert_eq!(vmdk(changed(&image, 20 * 512, &[0; 4])), "VMD-18");
    assert_eq!(vmdk(changed(&image, 20 * 512, &[VMDK_TABLE as u8])), "VMD-14");
    assert_eq!(vmdk(changed(&image, 48, &[0xff; 8])), "VMD-12");
}

fn stream_with(at: usize, bytes: &[u8]) -> String {
    vmdk(changed(&vmdk_stream(&[]), at, bytes))
}

#[test]
fn the_footer_of_a_stream_repeats_the_header() {
    let end = vmdk_stream(&[]).len();
    for at in [4, 8, 12, 20, 28, 36, 44, 64, 77, 400] {
        assert_eq!(stream_with(end - 1024 + at, &[0x77]), "VMD-11", "footer byte {at}");
    }
    assert_eq!(stream_with(end - 1024 + 56, &[0xff; 8]), "VMD-11", "a footer that points to a footer");
    assert_eq!(stream_with(end - 1024 + 56, &(1_u64 << 40).to_le_bytes()), "VMD-12");
    assert_eq!(stream_with(end - 1536, &[2]), "VMD-11");
    assert_eq!(stream_with(end - 1536 + 12, &[1]), "VMD-11");
    assert_eq!(stream_with(end - 1, &[1]), "VMD-11");
    let image = vmdk_stream(&[]);
    assert_eq!(vmdk(image[..end - 512].to_vec()), "VMD-11");
    assert_eq!(vmdk([image, vec![0; 512]].concat()), "VMD-11");
}

#[test]
fn markers_and_grain_tables_agree() {
    let first = 128 * 512;
    for size in [(2 * GRAIN + 1) as u32, u32::MAX] {
        assert_eq!(stream_with(first + 8, &size.to_le_bytes()), "VMD-15", "{size}");
    }
    for sector in [1, 127, u64::MAX, 1 << 40] {
        assert_eq!(stream_with(first, &sector.to_le_bytes()), "VMD-15", "{sector}");
    }
    assert_eq!(stream_with(first, &128_u64.to_le_bytes()), "VMD-16", "another grain");
    assert_eq!(stream_with(first, &[0; 512]), "VMD-16", "an end before the end");
    let hidden = packed_grain(128 * 20, &[7; GRAIN]);
    assert_eq!(vmdk(vmdk_stream(&hidden)), "VMD-16", "a grain that no table names");
    let second = packed_grain(0, &[7; GRAIN]);
    assert_eq!(vmdk(vmdk_stream(&second)), "VMD-16", "a grain that is there twice");
    assert_eq!(vmdk(vmdk_stream(&marker(0, 0, 9))), "VMD-15", "an unknown marker");
    assert_eq!(vmdk(vmdk_stream(&marker(u64::MAX, 0, 1))), "VMD-15");
    assert_eq!(vmdk(vmdk_stream(&marker(0, 0, 1))), "VMD-16", "a table of no bytes");
    assert_eq!(vmdk(vmdk_stream(&[marker(1, 0, 3), vec![0; 512]].concat())), "VMD-16", "a second footer");
    assert_eq!(vmdk(vmdk_stream(&[0; 512])), "VMD-16", "an end marker in the middle");
    let tables: Vec<u8> = [marker(4, 0, 1), vec![0; 2048]].concat().repeat(3);
    assert_eq!(vmdk(vmdk_stream(&tables)), "VMD-16", "tables without end");
}

#[test]
fn packed_grains_unpack_to_exactly_one_grain() {
    let last_at = {
        let image = vmdk_stream(&[]);
        let table = image.len() - 512 * 3 - 1024 - 2048;
        let sector = u32::from_le_bytes(image[table + 48 * 4..][..4].try_into().unwrap());
        sector as usize * 512
    };
    // The last grain holds 512 bytes of the disk; nothing follows but its sectors.
    let read_last = |stream: &[u8]| {
        let mut image = vmdk_stream(&[]);
        assert!(stream.len() + 12 <= 1024);
        put(&mut image, last_at + 8, &(stream.len() as u32).to_le_bytes());
        put(&mut image, last_at + 12, stream);
        let length = image[last_at..].len();
        assert!(length > 1024);
        match open_bytes(image, Some(Declared::Vmdk)) {
            Ok(disk) => code(disk.read_at(3 << 20, &mut [0; 512])),
            Err(error) => code::<()>(Err(error)),
        }
    };
    let whole = |bytes: &[u8]| {
        let packed = zlib(bytes);
        // The stream keeps its two sectors, or the markers behind it would not be found.
        if packed.len() + 12 <= 512 { None } else { Some(read_last(&packed)) }
    };
    assert_eq!(whole(&noise(512, 8)).as_deref(), Some("ok"));
    assert_eq!(whole(&[noise(511, 8), Vec::new()].concat()).as_deref(), Some("VMD-17"), "too short");
    assert_eq!(whole(&[noise(512, 8), vec![0; GRAIN]].concat()).as_deref(), Some("VMD-17"), "too long");
    assert_eq!(whole(&[noise(512, 8), vec![0; 200 << 10]].concat()).as_deref(), Some("VMD-17"), "a bomb");
    assert_eq!(read_last(&[zlib(&noise(512, 8)), vec![0]].concat()), "VMD-17", "bytes behind the stream");
    assert_eq!(read_last(&noise(600, 8)), "VMD-17", "noise");
}
