use super::*;
use crate::lvm::checksum;

const MIB: usize = 1 << 20;
const AREA: usize = 4096;
const AREA_BYTES: usize = MIB - 4096;

/// Writes a physical volume with metadata into a part of a disk, as pvcreate and vgcreate do.
fn physical(disk: &mut [u8], id: char, text: &str, wrap: bool) {
    let size = disk.len() as u64;
    let text = [text.as_bytes(), &[0]].concat();
    // A ring: newer metadata may begin near the end of its area and go on behind its header.
    let first = if wrap { AREA_BYTES - 100 } else { 512 };
    for (index, byte) in text.iter().enumerate() {
        let at = if first + index < AREA_BYTES { first + index } else { first + index - AREA_BYTES + 512 };
        disk[AREA + at] = *byte;
    }
    let area = &mut disk[AREA..AREA + 512];
    area[4..20].copy_from_slice(b" LVM2 x[5A%r0N*>");
    area[20] = 1;
    area[24..32].copy_from_slice(&(AREA as u64).to_le_bytes());
    area[32..40].copy_from_slice(&(AREA_BYTES as u64).to_le_bytes());
    if text.len() > 1 {
        area[40..48].copy_from_slice(&(first as u64).to_le_bytes());
        area[48..56].copy_from_slice(&(text.len() as u64).to_le_bytes());
        area[56..60].copy_from_slice(&checksum(&text).to_le_bytes());
    }
    let label = &mut disk[512..1024];
    label[..8].copy_from_slice(b"LABELONE");
    label[8] = 1;
    label[20] = 32;
    label[24..32].copy_from_slice(b"LVM2 001");
    label[32..64].fill(id as u8);
    label[64..72].copy_from_slice(&size.to_le_bytes());
    label[72..80].copy_from_slice(&(MIB as u64).to_le_bytes());
    label[104..112].copy_from_slice(&(AREA as u64).to_le_bytes());
    label[112..120].copy_from_slice(&(AREA_BYTES as u64).to_le_bytes());
    seal(disk);
}

/// Puts the checksums of label and area right.
fn seal(disk: &mut [u8]) {
    let sum = checksum(&disk[AREA + 4..AREA + 512]);
    disk[AREA..AREA + 4].copy_from_slice(&sum.to_le_bytes());
    let sum = checksum(&disk[512 + 20..1024]);
    disk[512 + 16..512 + 20].copy_from_slice(&sum.to_le_bytes());
}

fn pv(label: &str, id: char, extents: usize) -> String {
    let id = id.to_string();
    let groups: Vec<String> = [6, 4, 4, 4, 4, 4, 6].iter().map(|length| id.repeat(*length)).collect();
    format!(
        "{label} {{ id = \"{}\" device = \"/dev/sda\" # hint\n status = [\"ALLOCATABLE\"] flags = [] \
         dev_size = 1 pe_start = 2048 pe_count = {extents} }}\n",
        groups.join("-")
    )
}

/// A logical volume of segments: first extent, extents, type, stripes.
fn lv(name: &str, segments: &[(usize, usize, &str, &str)]) -> String {
    let mut text = format!(
        "{name} {{ id = \"x\" status = [\"READ\", \"WRITE\", \"VISIBLE\"] segment_count = {}\n",
        segments.len()
    );
    for (index, (start, count, kind, stripes)) in segments.iter().enumerate() {
        let stripe_count = stripes.matches("pv").count();
        text.push_str(&format!(
            "segment{} {{ start_extent = {start} extent_count = {count} type = \"{kind}\" \
             stripe_count = {stripe_count} stripes = [ {stripes} ] }}\n",
            index + 1
        ));
    }
    text + "}\n"
}

fn vg(physical: &str, logical: &str) -> String {
    format!(
        "vg0 {{ id = \"y\" seqno = 3 format = \"lvm2\" status = [\"RESIZEABLE\"] extent_size = 2048 max_lv = 0\n\
         physical_volumes {{ {physical} }} logical_volumes {{ {logical} }} }}\n\
         contents = \"Text Format \\\"Volume\\\" Group\" version = 1 creation_time = 17\n"
    )
}

/// A disk of 16 MiB that is one physical volume with 15 extents of 1 MiB.
fn disk(logical: &str) -> Vec<u8> {
    let mut disk = vec![0; 16 * MIB];
    physical(&mut disk, 'A', &vg(&pv("pv0", 'A', 15), logical), false);
    disk
}

/// A disk for others to change.
pub(super) fn sample() -> Vec<u8> {
    disk(&(lv("root", &[(0, 2, "striped", "\"pv0\", 0"), (2, 1, "striped", "\"pv0\", 9")]) + &lv("b", &[])))
}

fn contents(disk: Vec<u8>) -> Vec<(String, u64, Contents)> {
    let guest = Guest::open(Arc::new(disk)).unwrap();
    guest.volumes.into_iter().map(|volume| (volume.name, volume.size, volume.contents)).collect()
}

#[test]
fn a_logical_volume_of_several_pieces_reads_as_one() {
    if !has("mke2fs") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (root, image) = (folder.path().join("root"), folder.path().join("image"));
    fs::create_dir(&root).unwrap();
    fill(&root);
    blank(&image, 12 * MIB as u64);
    run("mke2fs", &["-q", "-F", "-t", "ext4", "-d", root.to_str().unwrap(), image.to_str().unwrap()], "");
    let content = fs::read(&image).unwrap();
    // Two extents near the end, then ten in front; the metadata wraps around the end of its area.
    let mut disk = vec![0; 16 * MIB];
    let logical = lv("root", &[(0, 2, "striped", "\"pv0\", 12"), (2, 10, "striped", "\"pv0\", 1")]);
    physical(
        &mut disk,
        'A',
        &vg(&pv("pv0", 'A', 15), &(logical + &lv("swap", &[(0, 1, "striped", "\"pv0\", 0")]))),
        true,
    );
    disk[13 * MIB..15 * MIB].copy_from_slice(&content[..2 * MIB]);
    disk[2 * MIB..12 * MIB].copy_from_slice(&content[2 * MIB..]);
    disk[MIB + 4086..][..10].copy_from_slice(b"SWAPSPACE2");
    let guest = Guest::open(Arc::new(disk)).unwrap();
    let names: Vec<&str> = guest.volumes.iter().map(|volume| volume.name.as_str()).collect();
    assert_eq!(names, ["disk", "vg0/root", "vg0/swap"]);
    assert_eq!(guest.volumes[0].contents, Contents::LvmPhysical);
    assert_eq!(guest.volumes[1].contents, Contents::FileSystem("ext4"));
    assert_eq!(guest.volumes[1].start, 13 * MIB as u64);
    assert_eq!(guest.volumes[2].contents, Contents::Swap);
    let mut found = walk(&guest, &guest.volumes[1]).unwrap().seen;
    found.remove("lost+found");
    assert_same(&found, &of_directory(&root));
}

#[test]
fn volumes_that_cannot_be_read_are_known_by_kind() {
    let logical = lv("stripes", &[(0, 2, "striped", "\"pv0\", 0, \"pv0\", 1")])
        + &lv("pool", &[(0, 1, "thin-pool", "")])
        + &lv("plain", &[(0, 1, "striped", "\"pv0\", 4")])
        + &lv("mirror", &[(0, 1, "striped", "\"pv0\", 6"), (1, 1, "raid1", "")]);
    let unreadable = |what: &str| Contents::Unreadable { what: what.to_owned(), code: "LVM-07" };
    assert_eq!(
        contents(disk(&logical)),
        [
            ("disk".to_owned(), 16 << 20, Contents::LvmPhysical),
            ("vg0/mirror".to_owned(), 2 << 20, unreadable("LVM raid1 volume")),
            ("vg0/plain".to_owned(), 1 << 20, Contents::Empty),
            ("vg0/pool".to_owned(), 1 << 20, unreadable("LVM thin-pool volume")),
            ("vg0/stripes".to_owned(), 2 << 20, unreadable("LVM striped volume")),
        ]
    );
}

#[test]
fn a_group_that_is_not_complete_cannot_be_read() {
    let mut disk = vec![0; 16 * MIB];
    let logical = lv("root", &[(0, 2, "striped", "\"pv0\", 0")]);
    physical(&mut disk, 'A', &vg(&(pv("pv0", 'A', 15) + &pv("pv1", 'B', 15)), &logical), false);
    let found = contents(disk);
    assert!(matches!(found[1].2, Contents::Unreadable { code: "LVM-06", .. }), "{found:?}");
    let mut orphan = vec![0; 16 * MIB];
    physical(&mut orphan, 'A', "", false);
    assert_eq!(contents(orphan.clone())[0].2, Contents::LvmPhysical);
    orphan[512 + 104..512 + 120].fill(0);
    seal(&mut orphan);
    assert!(matches!(contents(orphan)[0].2, Contents::Unreadable { code: "LVM-06", .. }));
}

#[test]
fn metadata_that_lies_is_refused() {
    let root = lv("root", &[(0, 2, "striped", "\"pv0\", 0")]);
    let good = disk(&root);
    let with = |at: usize, value: &[u8], sealed: bool| {
        let mut disk = good.clone();
        disk[at..at + value.len()].copy_from_slice(value);
        if sealed {
            seal(&mut disk);
        }
        code(disk)
    };
    assert_eq!(code(good.clone()), "read");
    assert_eq!(with(512 + 40, b"Z", false), "LVM-01");
    assert_eq!(with(512 + 8, &[2], true), "LVM-01");
    assert_eq!(with(512 + 20, &[255; 4], true), "LVM-01");
    assert_eq!(with(512 + 64, &[255; 8], true), "LVM-01");
    assert_eq!(with(1024, &good[512..1024], false), "LVM-01");
    assert_eq!(with(512 + 104, &[255; 16], true), "LVM-02");
    assert_eq!(with(AREA + 4, b"X", true), "LVM-02");
    assert_eq!(with(AREA + 30, &[1], false), "LVM-02");
    assert_eq!(with(AREA + 48, &[255; 8], true), "LVM-02");
    assert_eq!(with(AREA + 40, &[255; 8], true), "LVM-02");
    assert_eq!(with(AREA + 512 + 9, b"!", true), "LVM-02");
    let text = |text: &str| {
        let mut disk = vec![0; 16 * MIB];
        physical(&mut disk, 'A', text, false);
        code(disk)
    };
    let pv0 = pv("pv0", 'A', 15);
    assert_eq!(text("vg0 {"), "LVM-03");
    assert_eq!(text("}"), "LVM-03");
    assert_eq!(text(&"a { ".repeat(5000)), "LVM-03");
    assert_eq!(text("a = \"never ends"), "LVM-03");
    assert_eq!(text("a = [1, 2"), "LVM-03");
    assert_eq!(text("a = 99999999999999999999"), "LVM-03");
    assert_eq!(text("a = 1 a = 2"), "LVM-03");
    assert_eq!(text("vg0 { extent_size = 0 physical_volumes { } }"), "LVM-04");
    assert_eq!(text("vg0 { extent_size = 1 }"), "LVM-04");
    assert_eq!(text(&vg(&pv("pv0", 'A', 16), &root)), "LVM-04");
    assert_eq!(text(&vg(&pv0, &lv("../x", &[]))), "LVM-03");
    assert_eq!(text(&vg(&pv0, &lv("..", &[]))), "LVM-04");
    assert_eq!(text(&vg(&pv0, &lv("a", &[(0, 16, "striped", "\"pv0\", 0")]))), "LVM-04");
    assert_eq!(text(&vg(&pv0, &lv("a", &[(0, 1, "striped", "\"pv0\", -1")]))), "LVM-04");
    assert_eq!(text(&vg(&pv0, &lv("a", &[(1, 1, "striped", "\"pv0\", 0")]))), "LVM-04");
    assert_eq!(text(&vg(&pv0, &lv("a", &[(0, 0, "striped", "\"pv0\", 0")]))), "LVM-04");
    assert_eq!(text(&vg(&pv0, &lv("a", &[(0, 1, "striped", "\"pv9\", 0")]))), "LVM-04");
    let twice = root + &lv("twin", &[(0, 1, "striped", "\"pv0\", 1")]);
    assert_eq!(text(&vg(&pv0, &twice)), "LVM-04");
}

#[test]
fn two_physical_volumes_must_agree() {
    if !has("sfdisk") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    blank(&image, 40 << 20);
    run("sfdisk", &["-q", image.to_str().unwrap()], "label: dos\n2048,32768,8e\n34816,32768,8e\n");
    let empty = fs::read(&image).unwrap();
    let both = pv("pv0", 'A', 15) + &pv("pv1", 'B', 15);
    let logical = |name: &str| lv(name, &[(0, 2, "striped", "\"pv1\", 0"), (2, 1, "striped", "\"pv0\", 3")]);
    let with = |ids: [char; 2], second: &str| {
        let mut disk = empty.clone();
        physical(&mut disk[MIB..17 * MIB], ids[0], &vg(&both, &logical("root")), false);
        physical(&mut disk[17 * MIB..33 * MIB], ids[1], second, true);
        disk
    };
    let guest = Guest::open(Arc::new(with(['A', 'B'], &vg(&both, &logical("root"))))).unwrap();
    let root = guest.volumes.iter().find(|volume| volume.name == "vg0/root").unwrap();
    assert_eq!((root.start, root.size), (18 << 20, 3 << 20));
    assert_eq!(code(with(['A', 'B'], &vg(&both, &logical("other")))), "LVM-05");
    assert_eq!(code(with(['A', 'A'], &vg(&both, &logical("root")))), "LVM-05");
}
