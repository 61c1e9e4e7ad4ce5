//! What boot loaders start.

use super::*;

/// A kernel whose header names another release than its file does.
fn old_kernel(machine: &mut Machine, path: &str) {
    let mut bytes = kernel();
    bytes[0x20e..0x210].copy_from_slice(&0x4000_u16.to_le_bytes());
    bytes.resize(0x4200, 0);
    bytes.extend(b"4.4.0-1-amd64 (builder@host) #1\0");
    machine.bytes_of(path, bytes);
}

/// A portable executable with one section.
fn image(name: &[u8; 8], text: &str) -> Vec<u8> {
    let mut out = vec![0; 4096];
    out[..2].copy_from_slice(b"MZ");
    out[0x3c] = 0x80;
    out[0x80..0x84].copy_from_slice(b"PE\0\0");
    out[0x86] = 1;
    let length = u32::try_from(text.len()).expect("fits").to_le_bytes();
    for (at, field) in [(0xa0, length), (0xa8, length), (0xac, 4096_u32.to_le_bytes())] {
        out[at..at + 4].copy_from_slice(&field);
    }
    out[0x98..0xa0].copy_from_slice(name);
    out.extend(text.as_bytes());
    out
}

pub(super) const CALM: &str = "console=ttyS0 earlyprintk=ttyS0 rootdelay=300";

fn command(machine: &mut Machine, script: &str) {
    machine.command_line(CALM);
    let Some(Made::File(text)) = machine.files.get_mut("boot/grub/grub.cfg") else { return };
    text.extend(script.as_bytes());
}

pub(super) const CASES: &[Case] = &[
    (
        "parameters of a recovery entry that starts by itself",
        |m| {
            command(
                m,
                "set default=1\nmenuentry 'rescue' {\n\tlinux /boot/vmlinuz-6.1.0-31-amd64 ro libata.atapi_enabled=0\n}\n",
            );
        },
        "LNX-22",
    ),
    (
        "parameters of a recovery entry that is chosen by its id",
        |m| {
            let entry = "linux /boot/vmlinuz-6.1.0-31-amd64 ro libata.atapi_enabled=0";
            command(m, &format!("set x=zz\nset default=$x\nmenuentry 'rescue' --id zz {{\n\t{entry}\n}}\n"));
        },
        "LNX-22",
    ),
    (
        "a test of memory with what only a kernel takes",
        |m| {
            m.bytes_of("boot/memtest86", kernel());
            command(m, "menuentry 'x' {\n\tlinux /boot/memtest86\n\tinitrd /boot/i\n}\n");
        },
        "LNX-03",
    ),
    (
        "parameters of a test of memory",
        |m| {
            m.bytes_of("boot/memtest86-x", kernel());
            command(m, "menuentry 'x' {\n\tlinux /boot/memtest86-x quiet libata.atapi_enabled=0\n}\n");
        },
        "LNX-22",
    ),
    (
        "parameters in a unified kernel image",
        |m| {
            m.bytes_of(
                "boot/efi/EFI/Linux/a.efi",
                image(b".cmdline", &format!("{CALM} libata.atapi_enabled=0")),
            )
        },
        "LNX-22",
    ),
    (
        "a unified kernel image as the program of the firmware",
        |m| m.bytes_of("boot/efi/EFI/BOOT/BOOTX64.EFI", image(b".cmdline", "root=x")),
        "LNX-03",
    ),
    (
        "a unified kernel image under a name that an entry tells",
        |m| {
            m.file("boot/loader/entries/x.conf", "title x\nefi /opt/x\n");
            m.bytes_of("opt/x", image(b".cmdline", &format!("{CALM} reserve=0x1f0,0x8")));
        },
        "LNX-22",
    ),
    (
        "a command line longer than any",
        |m| {
            m.bytes_of(
                "boot/efi/EFI/Linux/a.efi",
                image(b".cmdline", &format!("{CALM}{}", " a".repeat(4096))),
            )
        },
        "INC-11",
    ),
    (
        "a script of GRUB under another name",
        |m| {
            command(m, "configfile ($root)/boot/grub/menu\n");
            m.file(
                "boot/grub/menu",
                &format!("linux /boot/vmlinuz-{KERNEL} {CALM} libata.atapi_enabled=0\n"),
            );
        },
        "LNX-22",
    ),
    ("a script of GRUB elsewhere", |m| command(m, "if true; then source /opt/menu; fi\n"), "INC-11"),
    (
        "an old kernel under another name",
        |m| {
            command(m, "linux /opt/k root=x console=ttyS0\n");
            old_kernel(m, "opt/k");
        },
        "LNX-12",
    ),
    (
        "an old kernel under the name of a newer one",
        |m| old_kernel(m, &format!("boot/vmlinuz-{KERNEL}")),
        "LNX-12",
    ),
    (
        "a kernel that says nothing",
        |m| {
            command(m, &format!("linux /opt/k root=x {CALM}\n"));
            m.bytes_of("opt/k", kernel());
        },
        "INC-11",
    ),
];

/// A boot loader as distributions set it up.
pub(super) fn usual(machine: &mut Machine) {
    command(machine, "if [ -f $prefix/custom.cfg ]; then\n  source $prefix/custom.cfg\nfi\n");
    machine.file(
        "boot/efi/EFI/debian/grub.cfg",
        "search.fs_uuid 0011 root\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n",
    );
    machine.bytes_of("boot/efi/EFI/debian/shimx64.efi", image(b".text\0\0\0", "x"));
    machine.bytes_of(&format!("usr/lib/modules/{KERNEL}/vmlinuz-virt.efi"), image(b".cmdline", "quiet"));
}
