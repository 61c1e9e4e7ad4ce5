use super::*;

fn of(file_system: &str, path: &str, size: u64) -> Option<Wanted> {
    let entry = Entry {
        path: path.to_owned(),
        kind: Kind::File,
        mode: 0o644,
        uid: 0,
        gid: 0,
        size,
        mtime: 0,
        inode: 1,
        link: String::new(),
        xattrs: Vec::new(),
    };
    wanted(file_system, &entry)
}

#[test]
fn what_boot_loaders_may_read_is_kept_and_no_more() {
    for (file_system, path, size, kept) in [
        ("vfat", "menu", 10, None),
        ("fat32", "menu", 10, Some(Wanted::Whole)),
        ("fat32", "menu", 1 << 20, Some(Wanted::Name)),
        ("fat32", "EFI/Linux/a.efi", 10, Some(Wanted::Head)),
        ("ext4", "boot/grub/menu", 10, Some(Wanted::Whole)),
        ("ext4", "grub2/menu", 10, Some(Wanted::Whole)),
        ("ext4", "boot/grub/x86_64-efi/linux.mod", 10, Some(Wanted::Name)),
        ("ext4", "boot/grub/fonts/unicode.pf2", 2 << 20, Some(Wanted::Name)),
        ("ext4", "boot/grub/grub.cfg", 2 << 20, Some(Wanted::Whole)),
        ("ext4", "srv/menu", 10, None),
    ] {
        assert_eq!(of(file_system, path, size), kept, "{file_system} {path} {size}");
    }
}
