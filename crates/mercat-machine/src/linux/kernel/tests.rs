use super::*;

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
fn a_kernel_is_fixed_in_its_own_line_or_in_a_newer_one() {
    let floors: Vec<String> = ["4.4.182", "4.19.52"].map(str::to_owned).to_vec();
    for (release, fixed) in [
        ("4.4.181-1", false),
        ("4.4.182", true),
        ("4.19.52-x", true),
        ("4.19.51", false),
        ("4.10.1", false),
        ("6.1.0-31-amd64", true),
    ] {
        assert_eq!(is_fixed(release, &floors), fixed, "{release}");
    }
}

#[test]
fn machines_are_read_from_the_first_bytes() {
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(64, 0);
    elf[18] = 62;
    assert_eq!(machine(&elf), Some(Ok("x86_64")));
    elf[4] = 1;
    assert!(machine(&elf).is_some_and(|machine| machine.is_err()));
    assert_eq!(machine(b"#!/bin/sh"), None);
    let mut kernel = vec![0; 0x240];
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    assert!(kernel_machine(&kernel).is_some_and(|machine| machine.is_err()));
    kernel[0x236] = 1;
    assert_eq!(kernel_machine(&kernel), Some(Ok("x86_64")));
}
