use super::super::kernel::has;
use super::*;
use crate::{Node, VolumeTree};

fn volume(name: &str, file_system: &str, files: &[(&str, &str)]) -> VolumeTree {
    let mut volume = VolumeTree::new(name, file_system);
    for (path, text) in files {
        let content = Some(text.as_bytes().to_vec());
        let (path, link) = ((*path).to_owned(), String::new());
        let kind = Kind::File;
        volume.insert(Node { path, kind, mode: 0o644, uid: 0, size: 0, link, content, kernel: None });
    }
    volume
}

fn root(files: &[(&str, &str)]) -> Tree {
    Tree::new(vec![volume("part1", "ext4", files)], vec![(String::new(), 0)])
}

/// The command lines of one script.
fn entries(text: &str, kernelopts: &str) -> Vec<String> {
    let environment = format!("# GRUB Environment Block\nkernelopts={kernelopts}\n");
    let tree = root(&[("boot/grub/grub.cfg", text), ("boot/grub/grubenv", &environment)]);
    Boot::of(&tree).lines.into_iter().map(|line| line.text).collect()
}

#[test]
fn command_lines_are_found_in_every_boot_loader() {
    let grub = "menuentry 'Linux' {\n\tlinux /vmlinuz root=/dev/sda1 ro console=ttyS0\n}\n\
                menuentry 'Linux (recovery mode)' {\n\tlinux /vmlinuz single root=x\n}\n";
    assert_eq!(entries(grub, ""), ["/vmlinuz root=/dev/sda1 ro console=ttyS0"]);
    let loader = "title Debian\nlinux /vmlinuz\noptions root=/dev/vda1 console=ttyS0\n";
    assert_eq!(entries(loader, ""), ["root=/dev/vda1 console=ttyS0"]);
    let extlinux = "LABEL linux\n KERNEL /vmlinuz\n APPEND root=/dev/sda1 console=ttyS0\n";
    assert_eq!(entries(extlinux, ""), ["root=/dev/sda1 console=ttyS0"]);
    assert_eq!(entries("root=/dev/sda1 console=ttyS0\n", "").len(), 1);
}

#[test]
fn command_lines_are_read_as_the_boot_loader_reads_them() {
    let only = "menuentry 'Debian with rescue tools' {\n\tlinux /vmlinuz root=x ro\n}\n";
    assert_eq!(entries(only, ""), ["/vmlinuz root=x ro"]);
    let continued = "menuentry 'a' {\n linux /vmlinuz root=x \\\n  libata.atapi_enabled=0\n}\n";
    assert!(has(&entries(continued, "")[0], |word| word == "libata.atapi_enabled=0"));
    let variable =
        "set p='libata.atapi-enabled=0'\nmenuentry 'a' {\n linux /vmlinuz root=x ${p} $unknown\n}\n";
    assert!(has(&entries(variable, "")[0], |word| word == "libata.atapi_enabled=0"));
    let saved = "menuentry 'a' {\n linux /vmlinuz $kernelopts\n}\n";
    assert_eq!(entries(saved, "root=x console=ttyS0"), ["/vmlinuz root=x console=ttyS0"]);
    assert!(has("'libata.atapi-enabled=0'", |word| word == "libata.atapi_enabled=0"));
}

#[test]
fn commands_stand_also_behind_others_and_in_words_of_variables() {
    let hidden = "p=libata\nset q=\"${p}.atapi\"\nif true; then linux /k root=x ${q}_enabled=0; fi\n";
    assert!(has(&entries(hidden, "")[0], |word| word == "libata.atapi_enabled=0"));
    let short = "menuentry 'a; b {' { linux /k root=x a=b; initrd /i; }\n";
    assert_eq!(entries(short, ""), ["/k root=x a=b"]);
    assert_eq!(entries("title x\noptions root=x a=b;c\n", ""), ["root=x a=b;c"]);
    assert_eq!(entries("'li'nux /k root=x\n", ""), ["/k root=x"]);
}

#[test]
fn scripts_lead_to_others_on_every_volume() {
    let esp = volume(
        "part1",
        "fat32",
        &[("EFI/debian/grub.cfg", "set prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n")],
    );
    let system = volume(
        "part2",
        "ext4",
        &[
            (
                "boot/grub/grub.cfg",
                "p=a=b\nif [ -f $prefix/custom.cfg ]; then source $prefix/custom.cfg; fi\nsource /x/menu\n",
            ),
            ("x/menu", "linux /boot/bzImage root=x $p\nconfigfile ($root)/boot/grub/grub.cfg\n"),
        ],
    );
    let tree = Tree::new(vec![esp, system], vec![(String::new(), 1), ("boot/efi".to_owned(), 0)]);
    let boot = Boot::of(&tree);
    let lines: Vec<&str> = boot.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!((lines, boot.doubts), (vec!["/boot/bzImage root=x a=b"], vec![]));
    assert_eq!(boot.unknown.into_iter().collect::<Vec<_>>(), ["/boot/bzImage"]);
}

#[test]
fn scripts_that_nobody_kept_are_doubts() {
    for text in [
        "configfile /opt/menu\n",
        "if true; then source $where/custom.cfg; fi\n",
        "\u{1f}\u{8b}",
        ". (hd0,gpt2)/menu\n",
        "submenu 'a' { configfile '/boot/grub menu'; }\n",
    ] {
        let tree = root(&[("boot/grub/grub.cfg", text)]);
        let seen = !text.contains('\u{8b}') && Boot::of(&tree).doubts.is_empty();
        assert!(!seen, "{text}");
    }
    let chain: Vec<(String, String)> = (0..10)
        .map(|at| (format!("boot/grub/{at}.cfg"), format!("source $prefix/{}.cfg\n", at + 1)))
        .collect();
    let chain: Vec<(&str, &str)> = chain.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert!(!Boot::of(&root(&chain)).doubts.is_empty());
    for text in
        ["configfile $prefix/grub.cfg\n", "source ${config_directory}/custom.cfg\n", "source /boot/x.cfg\n"]
    {
        assert_eq!(Boot::of(&root(&[("boot/grub/grub.cfg", text)])).doubts, [], "{text}");
    }
    let copy = root(&[("usr/share/grub/example.conf", "source /opt/menu\n")]);
    assert_eq!(Boot::of(&copy).doubts, []);
}

#[test]
fn command_lines_of_unified_images_count_where_something_starts_them() {
    let image =
        |line: &str| KernelFile { lines: vec![line.to_owned()], is_unified: true, ..KernelFile::default() };
    let mut esp = volume("part1", "fat32", &[("loader/entries/x.conf", "title x\nefi /other/x.efi\n")]);
    for (path, kernel) in [
        ("EFI/Linux/a.efi", image("a")),
        ("loader/addons/b.addon.efi", KernelFile { is_unified: false, ..image("b") }),
        ("EFI/BOOT/BOOTX64.EFI", KernelFile { lines: Vec::new(), ..image("") }),
        ("EFI/x.efi", KernelFile { unread: Some("its sections"), ..KernelFile::default() }),
    ] {
        let node = volume("", "fat32", &[(path, "MZ")]).get(path).cloned().expect("a node");
        esp.insert(Node { kernel: Some(kernel), ..node });
    }
    let mut system = volume("part2", "ext4", &[]);
    for path in ["usr/lib/modules/6.1/vmlinuz-virt.efi", "other/x.efi"] {
        let node = volume("", "ext4", &[(path, "MZ")]).get(path).cloned().expect("a node");
        system.insert(Node { kernel: Some(image(path)), ..node });
    }
    let tree = Tree::new(vec![esp, system], vec![(String::new(), 1)]);
    let boot = Boot::of(&tree);
    let lines: Vec<&str> = boot.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(lines, [" b", "a b", "other/x.efi b"]);
    assert_eq!((boot.kernels.len(), boot.doubts.len()), (3, 1));
}

#[test]
fn entries_of_distributions_lead_to_their_kernels() {
    let alpine = root(&[
        (
            "boot/extlinux.conf",
            "DEFAULT menu.c32\nLABEL virt\n  MENU LABEL Linux virt\n  LINUX vmlinuz-virt\n  APPEND root=x\n",
        ),
        ("boot/vmlinuz-virt", "kernel"),
    ]);
    let entry = "title x\nlinux /vmlinuz-5.14\noptions root=x $tuned_params\n";
    let files =
        [("loader/entries/a.conf", entry), ("vmlinuz-5.14", "kernel"), ("grub2/grub.cfg", "blscfg\n")];
    let esp = [(
        "EFI/redhat/grub.cfg",
        "set prefix=($dev)/grub2\nexport $prefix\nconfigfile $prefix/grub.cfg\nnormal\n",
    )];
    let volumes =
        vec![volume("part1", "fat32", &esp), volume("part2", "xfs", &files), volume("part3", "xfs", &[])];
    let mounts = [("boot/efi", 0), ("boot", 1), ("", 2)].map(|(point, at)| (point.to_owned(), at));
    for tree in [alpine, Tree::new(volumes, mounts.to_vec())] {
        let boot = Boot::of(&tree);
        assert_eq!(
            (boot.lines.len(), boot.kernels.len(), boot.unknown.len()),
            (1, 1, 0),
            "{:?}",
            boot.unknown
        );
        assert_eq!(boot.doubts, []);
    }
}

#[test]
fn entries_that_only_sound_like_recovery_count() {
    const HARM: &str = "libata.atapi_enabled=0";
    let counts = |files: &[(&str, &str)]| {
        let tree = root(files);
        let lines = Boot::of(&tree).lines;
        lines.iter().any(|line| has(&line.text, |word| word == HARM))
    };
    let menu = |default: &str, inner: &str| {
        format!(
            "set default=\"{default}\"\nmenuentry 'a' {{\n linux /v root=x\n}}\nsubmenu 'more' {{\n{inner}}}\n"
        )
    };
    let (normal, rescue) = (
        "menuentry 'b' {\n linux /v root=x\n}\n",
        "menuentry 'b (recovery mode)' {\n linux /v root=x libata.atapi_enabled=0\n}\n",
    );
    for (default, inner, expected) in [
        ("0", format!("{normal}{rescue}"), false),
        ("1>1", format!("{normal}{rescue}"), true),
        // The first of a menu, and at another place than where tools put them.
        ("1>0", format!("{rescue}{normal}"), true),
        ("1>2", format!("{normal}{normal}{rescue}"), true),
        ("1>2", format!("{normal}{rescue}{normal}"), false),
    ] {
        assert_eq!(counts(&[("boot/grub/grub.cfg", &menu(default, &inner))]), expected, "{default} {inner}");
    }
    // In extlinux a title is a line of its own.
    let label = |name: &str, title: &str, append: &str| {
        format!("label {name}\n{title} linux /v\n append root=x {append}\n")
    };
    for (text, expected) in [
        (label("a", " menu label rescue\n", HARM) + &label("b", "", ""), true),
        (label("a", "", "") + &label("b", " menu label rescue\n", HARM), false),
        (label("a", "", "") + &label("b", " menu label rescue\n menu default\n", HARM), true),
    ] {
        assert_eq!(counts(&[("boot/extlinux/extlinux.conf", &text)]), expected, "{text}");
    }
    // Of boot loader entries the highest version starts.
    let entry = |title: &str, more: &str| format!("title {title}\n{more}linux /v\noptions root=x\n");
    let harmful = |more: &str| entry("Rescue", more).replace("root=x", "root=x libata.atapi_enabled=0");
    let one = ("boot/loader/entries/0f-6.1.0.conf", entry("Linux", ""));
    for (name, text, loader, expected) in [
        ("0f-0-rescue.conf", harmful(""), "timeout 3\n", false),
        ("0f-0-rescue.conf", harmful("version 99\n"), "timeout 3\n", true),
        ("0f-0-rescue.conf", harmful("sort-key a\n"), "timeout 3\n", true),
        ("zz-0-rescue.conf", harmful(""), "timeout 3\n", true),
        ("0f-9.9-rescue.conf", harmful(""), "timeout 3\n", true),
        ("0f-0-rescue.conf", harmful(""), "default *-rescue.conf\n", true),
        ("0f-0-rescue.conf", harmful(""), "default 0f-6*\n", false),
    ] {
        let path = format!("boot/loader/entries/{name}");
        let files = [(one.0, one.1.as_str()), (&path, &text), ("boot/loader/loader.conf", loader)];
        assert_eq!(counts(&files), expected, "{name} {text} {loader}");
    }
}

#[test]
fn mounts_of_the_command_line_are_told() {
    for (word, expected) in [
        ("systemd.mount-extra=LABEL=a:/etc", true),
        ("mount.usr=/dev/sda3", true),
        ("systemd.volatile=state", true),
        ("systemd.volatile=no", false),
        ("root=/dev/sda1", false),
    ] {
        let grub = format!("menuentry 'a' {{\n linux /v root=x {word}\n}}\n");
        let tree = root(&[("boot/grub/grub.cfg", &grub)]);
        let told = Boot::of(&tree).doubts.iter().any(|doubt| doubt.observed.contains("mounts something"));
        assert_eq!(told, expected, "{word}");
    }
}
