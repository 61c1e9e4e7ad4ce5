use super::*;

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
        assert_eq!(is_fixed(release, &floors, false), fixed, "{release}");
    }
    let floors: Vec<String> = ["4.4.0-151", "4.15.0-52", "4.15.0-1049"].map(str::to_owned).to_vec();
    for (release, fixed) in [
        ("4.15.0-213-generic", true),
        ("4.15.0-51-generic", false),
        ("4.15.0-1049-azure", true),
        ("4.15.0-1048-azure", false),
        ("4.4.0-1001-aws", false),
        ("4.4.0-210-generic", true),
    ] {
        assert_eq!(is_fixed(release, &floors, true), fixed, "{release}");
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

#[test]
fn names_of_kernels_tell_releases_but_those_of_rescue() {
    assert_eq!(release_of("boot/vmlinuz-6.1.0-31-amd64"), Some("6.1.0-31-amd64"));
    assert_eq!(release_of("0123456789abcdef/6.11.4-301.fc41.aarch64/linux"), Some("6.11.4-301.fc41.aarch64"));
    for other in [
        "6.1.0/vmlinuz",
        "linux-3fb2a1",
        "vmlinuz-virt",
        "vmlinuz-0-rescue-0123456789abcdef0123456789abcdef",
        "bzImage",
    ] {
        assert_eq!(release_of(other), None, "{other}");
    }
}
