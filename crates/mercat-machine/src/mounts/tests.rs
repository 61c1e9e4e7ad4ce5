use super::*;

#[test]
fn volumes_answer_to_every_name_that_fstab_uses() {
    let part = Names {
        uuid: "0a1b-2c3d".into(),
        label: "boot".into(),
        directory_label: String::new(),
        volume: "part2".into(),
        partition_label: "x".into(),
        partition_id: "0a1b2c3d-02".into(),
    };
    for name in [
        "UUID=0A1B-2C3D",
        "LABEL=boot",
        "PARTLABEL=\"x\"",
        "/dev/sda2",
        "/dev/nvme0n1p2",
        "/dev/disk/by-label/boot",
        "PARTUUID=0A1B2C3D-02",
        "/dev/disk/by-partuuid/0a1b2c3d-02",
        "/dev/disk/by-partlabel/x",
    ] {
        assert!(part.is(name), "{name}");
    }
    for name in ["UUID=", "LABEL=", "/dev/sda1", "/dev/sdb2", "/dev/sda", "tmpfs", "/dev/mapper/part2"] {
        assert!(!part.is(name), "{name}");
    }
    let fat = Names { label: "BOOT".into(), directory_label: "BOOT 2".into(), ..Names::default() };
    assert!(fat.is("LABEL=\"BOOT 2\"") && fat.is("/dev/disk/by-label/BOOT\\x202") && !fat.is("LABEL=BOOT"));
    let logical = Names { volume: "my-vg/root".into(), ..Names::default() };
    assert!(logical.is("/dev/mapper/my--vg-root") && logical.is("/dev/my-vg/root"));
}

#[test]
fn fstab_lines_are_two_fields_and_more() {
    let entries = fstab("# x\nUUID=1 / ext4 defaults 0 1\n\n/swapfile none swap sw\nbad\n");
    assert_eq!(entries.len(), 2);
    assert_eq!((entries[1].source.as_str(), entries[1].kind.as_str()), ("/swapfile", "swap"));
}
