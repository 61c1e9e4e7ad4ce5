//! F: disk images that name other files, contradict themselves, or end too early.

use super::Case;
use super::Expect::{self, Blocks, Told, Unfinished};
use super::bytes::{noise, with};
use mercat_disk::Declared::{self, Qcow2, Raw, Vhd, Vhdx, Vmdk};
use mercat_disk::ReadAt;
use mercat_disk::layout::{LaidOut, Target, layout};
use std::sync::Arc;

const MIB: usize = 1 << 20;

/// A disk of 2 MiB with something at its start, in the middle and at its end.
fn content() -> Vec<u8> {
    let mut disk = vec![0; 2 * MIB];
    disk[..4096].copy_from_slice(&noise(4096, 11));
    disk[MIB..MIB + 70_000].copy_from_slice(&noise(70_000, 12));
    disk[2 * MIB - 512..].copy_from_slice(&noise(512, 13));
    disk
}

pub(super) fn laid_out(target: Target) -> Vec<u8> {
    let disk = content();
    let size = disk.len() as u64;
    let data = [0..4096, 1 << 20..(1 << 20) + 70_144, size - 512..size];
    let file = LaidOut::new(layout(target, size, &data, [7; 16]).expect("a layout"), Arc::new(disk));
    let mut bytes = vec![0; usize::try_from(file.size()).expect("small")];
    file.read_at(0, &mut bytes).expect("reads");
    bytes
}

pub(super) fn cases() -> Vec<Case> {
    let mut out = qcow2();
    out.extend(vhd());
    out.extend(vhdx());
    out.extend(vmdk());
    out.extend(formats());
    out
}

fn qcow2() -> Vec<Case> {
    const CLUSTER: usize = 65536;
    let good = laid_out(Target::Qcow2);
    let mut out = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>, expect: Expect| {
        out.push(Case::disk('F', format!("qcow2: {name}"), bytes, Qcow2, expect));
    };
    let word = |at: usize, value: u32| with(&good, at, &value.to_be_bytes());
    let long = |at: usize, value: u64| with(&good, at, &value.to_be_bytes());
    for version in [0, 1, 4, u32::MAX] {
        add(format!("version {version}"), word(4, version), Blocks("QCW-01"));
    }
    add("a backing file".into(), long(8, 0x200), Blocks("QCW-02"));
    add("a backing file's name of 1,023 bytes".into(), word(16, 1023), Blocks("QCW-02"));
    let mut json = long(8, 0x200);
    json[0x200..0x210].copy_from_slice(b"json:{\"driver\":1");
    json[16..20].copy_from_slice(&16_u32.to_be_bytes());
    add("a backing file by json".into(), json, Blocks("QCW-02"));
    for bits in [0, 8, 22, 31, 63, u32::MAX] {
        add(format!("clusters of 2^{bits} bytes"), word(20, bits), Blocks("QCW-08"));
    }
    for size in [0, 1, 513, 1 << 63, u64::MAX] {
        add(format!("a disk of {size} bytes"), long(24, size), Blocks("DSK-06"));
    }
    for method in [1, 2] {
        add(format!("encryption {method}"), word(32, method), Unfinished("QCW-20"));
    }
    for entries in [0, 0x0100_0000, u32::MAX] {
        add(format!("an L1 table of {entries} entries"), word(36, entries), Blocks("QCW-10"));
    }
    for (field, name, code) in [(40, "L1 table", "QCW-1"), (48, "refcount table", "QCW-1")] {
        for at in [0, 1, 513, 1 << 50, u64::MAX] {
            add(format!("the {name} at {at}"), long(field, at), Blocks(code));
        }
    }
    for snapshots in [1, u32::MAX] {
        add(format!("{snapshots} snapshots"), word(60, snapshots), Blocks("QCW-16"));
    }
    for bit in (0..64).filter(|bit| *bit != 3) {
        let code = match bit {
            0 | 1 => "QCW-05",
            2 => "QCW-03",
            4 => "QCW-06",
            _ => "QCW-04",
        };
        add(format!("incompatible feature {bit}"), long(72, 1 << bit), Blocks(code));
    }
    for order in [7, 63, u32::MAX] {
        add(format!("refcounts of 2^{order} bits"), word(96, order), Blocks("QCW-08"));
    }
    for length in [0, 72, 103, 105, u32::MAX] {
        add(format!("a header of {length} bytes"), word(100, length), Blocks("QCW-07"));
    }
    add(
        "an extension that names a data file".into(),
        with(&good, 112, &[0x44, 0x41, 0x54, 0x41, 0, 0, 0, 8]),
        Blocks("QCW-03"),
    );
    add("an unknown extension".into(), with(&good, 112, b"what\0\0\0\x08"), Blocks("QCW-21"));
    add("bitmaps".into(), with(&good, 112, &[0x23, 0x85, 0x28, 0x75, 0, 0, 0, 24]), Blocks("QCW-17"));
    for target in [CLUSTER, 2 * CLUSTER, 3 * CLUSTER] {
        let entry = target as u64 | 1 << 63;
        add(format!("an L2 table at {target}"), with(&good, CLUSTER, &entry.to_be_bytes()), Blocks("QCW-13"));
        add(
            format!("a cluster at {target}"),
            with(&good, 4 * CLUSTER, &entry.to_be_bytes()),
            Blocks("QCW-13"),
        );
    }
    for entry in [1_u64 << 56, 1 << 63, 1 << 62, 2] {
        add(
            format!("an L2 entry {entry:#x}"),
            with(&good, 4 * CLUSTER, &entry.to_be_bytes()),
            Blocks("QCW-12"),
        );
    }
    for end in [4, 72, 104, 512, 4096, CLUSTER, 2 * CLUSTER, 4 * CLUSTER, 5 * CLUSTER + 1] {
        add(format!("cut at {end}"), good[..end].to_vec(), Blocks("QCW-|DSK-"));
    }
    out
}

fn sealed(mut part: Vec<u8>, field: usize) -> Vec<u8> {
    part[field..field + 4].fill(0);
    let sum = !part.iter().fold(0_u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    part[field..field + 4].copy_from_slice(&sum.to_be_bytes());
    part
}

fn vhd() -> Vec<Case> {
    let good = laid_out(Target::VhdFixed);
    let split = good.len() - 512;
    let mut out = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>, expect: Expect| {
        out.push(Case::disk('F', format!("vhd: {name}"), bytes, Vhd, expect));
    };
    let footer =
        |at: usize, bytes: &[u8]| [&good[..split], &sealed(with(&good[split..], at, bytes), 64)].concat();
    for at in (0..512).step_by(31) {
        let bytes = with(&good, split + at, &[good[split + at] ^ 0x21]);
        add(format!("byte {at} of the footer"), bytes, Blocks("VHD-|DSK-"));
    }
    add("another disk type".into(), footer(60, &9_u32.to_be_bytes()), Blocks("VHD-22"));
    add("a differencing disk".into(), footer(60, &4_u32.to_be_bytes()), Blocks("VHD-2"));
    add("a dynamic disk without its header".into(), footer(60, &3_u32.to_be_bytes()), Blocks("VHD-|DSK-"));
    add("unknown features".into(), footer(8, &[0xff; 4]), Blocks("VHD-23"));
    add("an unknown version".into(), footer(12, &[9; 4]), Blocks("VHD-23"));
    add("a dynamic header of a fixed disk".into(), footer(16, &512_u64.to_be_bytes()), Blocks("VHD-24"));
    add("a saved state".into(), footer(84, &[7]), Blocks("VHD-25"));
    add("a geometry of more".into(), footer(56, &[0, 0xff, 16, 63]), Blocks("VHD-35"));
    for size in [0, 512, 1 << 40, u64::MAX, (2 * MIB + 512) as u64] {
        add(format!("a disk of {size} bytes"), footer(48, &size.to_be_bytes()), Blocks("VHD-05|DSK-06"));
    }
    add("only a footer".into(), good[split..].to_vec(), Blocks("VHD-|DSK-"));
    add("no footer".into(), good[..split].to_vec(), Blocks("VHD-01|DSK-"));
    for cut in [1, 100, 511] {
        add(format!("cut by {cut}"), good[..good.len() - cut].to_vec(), Blocks("VHD-|DSK-"));
    }
    out
}

fn vhdx() -> Vec<Case> {
    const HEADERS: [usize; 2] = [64 << 10, 128 << 10];
    const TABLES: [usize; 2] = [192 << 10, 256 << 10];
    let good = laid_out(Target::Vhdx);
    let mut out = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>, code: &'static str| {
        out.push(Case::disk('F', format!("vhdx: {name}"), bytes, Vhdx, Blocks(code)));
    };
    // Both copies changed alike; the checksum is right for the tables, which are summed here.
    let both = |places: [usize; 2], length: usize, at: usize, bytes: &[u8]| {
        let mut image = good.clone();
        for place in places {
            image[place + at..place + at + bytes.len()].copy_from_slice(bytes);
            image[place + 4..place + 8].fill(0);
            let sum = crc32c(&image[place..place + length]);
            image[place + 4..place + 8].copy_from_slice(&sum.to_le_bytes());
        }
        image
    };
    let header = |at: usize, bytes: &[u8]| both(HEADERS, 4 << 10, at, bytes);
    let table = |at: usize, bytes: &[u8]| both(TABLES, 64 << 10, at, bytes);
    let broken = |places: [usize; 2]| with(&with(&good, places[0] + 100, &[1]), places[1] + 100, &[1]);
    add("both headers broken".into(), broken(HEADERS), "VHX-01");
    add("both region tables broken".into(), broken(TABLES), "VHX-05");
    add("a log to replay".into(), header(48, &[1]), "VHX-04");
    add("an unknown version of the log".into(), header(64, &[1]), "VHX-03");
    add("an unknown version".into(), header(66, &[2]), "VHX-03");
    add("a log in the metadata".into(), header(72, &(2_u64 << 20).to_le_bytes()), "VHX-15");
    add("a log behind the end".into(), header(72, &(1_u64 << 50).to_le_bytes()), "DSK-05");
    add("a log at 4 KiB".into(), header(72, &4096_u64.to_le_bytes()), "VHX-07");
    add("a log of 4 GiB".into(), header(68, &u32::MAX.to_le_bytes()), "VHX-07");
    for count in [0_u32, 1, 2048, u32::MAX] {
        add(format!("{count} regions"), table(8, &count.to_le_bytes()), "VHX-07");
    }
    for place in [0_u64, 512, 2 << 20, 1 << 60] {
        add(format!("a region at {place}"), table(32, &place.to_le_bytes()), "VHX-07|VHX-15|DSK-05");
    }
    add("a region of no bytes".into(), table(40, &0_u32.to_le_bytes()), "VHX-07");
    add("an unknown region that is required".into(), table(16, &[9]), "VHX-08");
    let metadata = 2 << 20;
    add("no metadata".into(), with(&good, metadata, b"metadat!"), "VHX-09");
    add("65,535 items of metadata".into(), with(&good, metadata + 10, &[0xff, 0xff]), "VHX-09");
    add("one item of metadata".into(), with(&good, metadata + 10, &[1, 0]), "VHX-09");
    add("an unknown item that is required".into(), with(&good, metadata + 32, &[1]), "VHX-08");
    for block in [0_u32, 1 << 19, (1 << 20) + 1, 3 << 20, 1 << 29, u32::MAX] {
        add(
            format!("blocks of {block} bytes"),
            with(&good, metadata + 65536, &block.to_le_bytes()),
            "VHX-11",
        );
    }
    for end in [8, 65536, 196_608, MIB, 2 * MIB, 3 * MIB, 3 * MIB + 8, good.len() - 1] {
        add(format!("cut at {end}"), good[..end].to_vec(), "VHX-|DSK-");
    }
    out
}

/// CRC-32C (Castagnoli), bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg()))
    })
}

const DESCRIPTOR: &str = "# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\nCID=12345678\nparentCID=ffffffff\n\
    createType=\"monolithicSparse\"\n\n# Extent description\nRW 128 SPARSE \"disk.vmdk\"\n\n# The Disk Data Base\n#DDB\n\n\
    ddb.adapterType = \"ide\"\n";

/// A monolithicSparse VMDK of one grain.
fn vmdk_of(descriptor: &str) -> Vec<u8> {
    let mut out = vec![0; 512];
    out[..4].copy_from_slice(b"KDMV");
    out[4] = 1;
    out[8] = 1;
    for (at, value) in [(12, 128_u64), (20, 128), (28, 1), (36, 4), (56, 5), (64, 128)] {
        out[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    out[44..48].copy_from_slice(&512_u32.to_le_bytes());
    out[73..77].copy_from_slice(b"\n \r\n");
    out.extend(descriptor.as_bytes());
    out.resize(128 * 512, 0);
    out[5 * 512] = 6;
    out[6 * 512] = 128;
    out.extend(noise(65536, 14));
    out
}

fn vmdk() -> Vec<Case> {
    let good = vmdk_of(DESCRIPTOR);
    let mut out = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>, code: &'static str| {
        out.push(Case::disk('F', format!("vmdk: {name}"), bytes, Vmdk, Blocks(code)));
    };
    let swap = |from: &str, to: &str| {
        assert!(DESCRIPTOR.contains(from), "{from}");
        vmdk_of(&DESCRIPTOR.replacen(from, to, 1))
    };
    for kind in [
        "monolithicFlat",
        "twoGbMaxExtentFlat",
        "twoGbMaxExtentSparse",
        "fullDevice",
        "partitionedDevice",
        "vmfs",
        "vmfsRaw",
        "custom",
        "",
    ] {
        add(format!("the type {kind:?}"), swap("monolithicSparse", kind), "VMD-0");
    }
    for extent in [
        "RW 128 FLAT \"/etc/passwd\" 0",
        "RW 128 FLAT \"../../x\" 0",
        "RW 128 SPARSE \"/dev/sda\"",
        "RW 128 SPARSE \"..\\x.vmdk\"",
        "RW 127 SPARSE \"disk.vmdk\"",
        "RW 128 VMFS \"disk.vmdk\"",
        "NOACCESS 128 SPARSE \"disk.vmdk\"",
        "RW 128 SPARSE \"disk.vmdk\"\nRW 128 SPARSE \"other.vmdk\"",
        "RW 128 ZERO",
        "",
    ] {
        add(format!("the extent {extent:?}"), swap("RW 128 SPARSE \"disk.vmdk\"", extent), "VMD-0");
    }
    add("a parent".into(), swap("parentCID=ffffffff", "parentCID=12345678"), "VMD-10");
    add("a parent's name".into(), swap("#DDB\n", "#DDB\nparentFileNameHint=\"/x\"\n"), "VMD-");
    add("a line that is not understood".into(), swap("#DDB\n", "#DDB\nwhat is this\n"), "VMD-07");
    add("a line twice".into(), swap("version=1\n", "version=1\nversion=1\n"), "VMD-07");
    add("no descriptor".into(), with(&good, 28, &[0]), "VMD-0");
    for (at, name) in [(4, "version"), (8, "flags"), (73, "newline"), (77, "compression")] {
        add(format!("another {name}"), with(&good, at, &[0x77]), "VMD-0|DSK-");
    }
    for grain in [0_u64, 1, 7, 127, 1 << 40, u64::MAX] {
        add(format!("grains of {grain} sectors"), with(&good, 20, &grain.to_le_bytes()), "VMD-|DSK-");
    }
    for capacity in [0_u64, 1 << 50, u64::MAX] {
        add(format!("{capacity} sectors"), with(&good, 12, &capacity.to_le_bytes()), "VMD-|DSK-06");
    }
    for place in [0_u64, 1, 1 << 40, u64::MAX - 1] {
        add(format!("the directory at sector {place}"), with(&good, 56, &place.to_le_bytes()), "VMD-|DSK-05");
    }
    for sector in [1_u32, 5, 200, u32::MAX] {
        add(format!("a grain at sector {sector}"), with(&good, 6 * 512, &sector.to_le_bytes()), "VMD-1");
        add(
            format!("a table at sector {sector}"),
            with(&good, 5 * 512, &sector.to_le_bytes()),
            "VMD-1|DSK-05",
        );
    }
    for end in [4, 100, 512, 2560, 3072, 65536, 66_000] {
        add(format!("cut at {end}"), good[..end].to_vec(), "VMD-|DSK-");
    }
    out.push(Case::disk(
        'F',
        "vmdk: a text descriptor",
        DESCRIPTOR.as_bytes().to_vec(),
        Vmdk,
        Blocks("VMD-01"),
    ));
    out.push(Case::disk(
        'F',
        "vmdk: an ESX extent",
        [b"COWD".to_vec(), vec![0; 2044]].concat(),
        Vmdk,
        Blocks("VMD-02"),
    ));
    out
}

/// Files that are in another format than was said, or in two.
fn formats() -> Vec<Case> {
    let all: [(&str, Declared, Vec<u8>); 4] = [
        ("qcow2", Qcow2, laid_out(Target::Qcow2)),
        ("vhd", Vhd, laid_out(Target::VhdFixed)),
        ("vhdx", Vhdx, laid_out(Target::Vhdx)),
        ("vmdk", Vmdk, vmdk_of(DESCRIPTOR)),
    ];
    let mut out = Vec::new();
    for (name, declared, bytes) in &all {
        out.push(Case::disk('F', format!("a right {name}"), bytes.clone(), *declared, Told("FS-03")));
        for (other, said, _) in all.iter().filter(|(_, said, _)| said != declared) {
            out.push(Case::disk(
                'F',
                format!("{name} declared as {other}"),
                bytes.clone(),
                *said,
                Blocks("DSK-0"),
            ));
        }
        out.push(Case::disk('F', format!("{name} declared as raw"), bytes.clone(), Raw, Blocks("DSK-0")));
    }
    let raw = |start: &[u8]| with(&vec![0; MIB], 0, start);
    for (name, start, expect) in [
        ("qcow2", &b"QFI\xfb\0\0\0\x03"[..], Blocks("DSK-0")),
        ("VMDK", b"KDMV\x01\0\0\0", Blocks("DSK-0")),
        ("a VMDK descriptor", b"# Disk DescriptorFile\n", Blocks("DSK-0")),
        ("VHD", b"conectix", Blocks("DSK-0")),
        ("VHDX", b"vhdxfile", Blocks("DSK-0")),
        ("LUKS", b"LUKS\xba\xbe\0\x01", Unfinished("DSK-LUKS")),
        ("QED", b"QED\0", Blocks("DSK-0")),
        ("Parallels", b"WithoutFreeSpace", Blocks("DSK-0")),
    ] {
        out.push(Case::disk('F', format!("raw that begins like {name}"), raw(start), Raw, expect));
    }
    for size in [0, 1, 511, 513, 1000] {
        out.push(Case::disk(
            'F',
            format!("a raw disk of {size} bytes"),
            vec![1; size],
            Raw,
            Blocks("DSK-06"),
        ));
    }
    let two = [laid_out(Target::Qcow2), laid_out(Target::VhdFixed)[2 * MIB..].to_vec()].concat();
    out.push(Case::disk('F', "qcow2 with the footer of a VHD", two.clone(), Qcow2, Blocks("DSK-04")));
    out.push(Case::disk('F', "VHD that begins like qcow2", two, Vhd, Blocks("DSK-04")));
    let inner = laid_out(Target::Qcow2);
    let mut outer = inner.clone();
    let at = 5 * 65536;
    outer[at..at + 4].copy_from_slice(b"QFI\xfb");
    out.push(Case::disk('F', "qcow2 inside qcow2", outer, Qcow2, Blocks("DSK-07")));
    out
}
