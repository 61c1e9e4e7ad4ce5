use super::*;

fn node(path: &str, kind: Kind, link: &str) -> Node {
    let (path, link) = (path.to_owned(), link.to_owned());
    Node { path, kind, mode: 0o644, uid: 0, size: 0, link, content: Some(b"x".to_vec()), kernel: None }
}

fn volume(name: &str, file_system: &str, nodes: &[(&str, Kind, &str)]) -> VolumeTree {
    let mut volume = VolumeTree::new(name, file_system);
    nodes.iter().for_each(|(path, kind, link)| volume.insert(node(path, *kind, link)));
    volume
}

#[test]
fn links_and_mounts_lead_where_the_guest_would_go() {
    let root = volume(
        "part2",
        "ext4",
        &[
            ("etc/os-release", Kind::Symlink, "../usr/lib/os-release"),
            ("usr/lib/os-release", Kind::File, ""),
            ("lib", Kind::Symlink, "usr/lib"),
            ("out", Kind::Symlink, "../../../../etc/passwd"),
            ("round", Kind::Symlink, "round"),
        ],
    );
    let boot = volume("part1", "ext4", &[("grub/grub.cfg", Kind::File, "")]);
    let tree = Tree::new(vec![root, boot], vec![(String::new(), 0), ("boot".to_owned(), 1)]);
    assert_eq!(tree.file("etc/os-release").map(|f| f.node.path.as_str()), Some("usr/lib/os-release"));
    assert_eq!(tree.file("lib/os-release").map(|f| f.node.path.as_str()), Some("usr/lib/os-release"));
    assert_eq!(tree.file("boot/grub/grub.cfg").map(|f| f.volume.volume.as_str()), Some("part1"));
    assert!(tree.file("bootgrub/grub.cfg").is_none() && tree.file("out").is_none());
    assert!(tree.file("round").is_none(), "a loop is nothing");
    let below: Vec<&str> = tree.below("lib").map(|found| found.node.name()).collect();
    assert_eq!(below, ["os-release"]);
}

#[test]
fn names_on_ntfs_are_found_in_any_case() {
    let drive = volume("part1", "ntfs", &[("Windows/System32/config/SAM", Kind::File, "")]);
    let tree = Tree::new(vec![drive], vec![(String::new(), 0)]);
    assert!(tree.file("windows/system32/CONFIG/sam").is_some());
    assert_eq!(tree.below("WINDOWS").count(), 1);
}
