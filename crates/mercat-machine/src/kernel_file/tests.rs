use super::*;

/// A kernel of x86 with its version behind the first bytes.
fn kernel(version: &str) -> Vec<u8> {
    let mut kernel = vec![0; 0x5000];
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel[0x20e..0x210].copy_from_slice(&0x4000_u16.to_le_bytes());
    kernel[0x4200..0x4200 + version.len()].copy_from_slice(version.as_bytes());
    kernel
}

/// A portable executable with sections.
fn program(sections: &[(&[u8; 8], &[u8])]) -> Vec<u8> {
    let mut out = vec![0; 4096];
    out[..2].copy_from_slice(b"MZ");
    out[0x3c] = 0x80;
    out[0x80..0x84].copy_from_slice(b"PE\0\0");
    out[0x86] = u8::try_from(sections.len()).expect("few");
    for (at, (name, bytes)) in sections.iter().enumerate() {
        let header = 0x98 + at * 40;
        let (length, place) =
            (u32::try_from(bytes.len()).expect("small"), u32::try_from(out.len()).expect("small"));
        out[header..header + 8].copy_from_slice(*name);
        out[header + 8..header + 12].copy_from_slice(&length.to_le_bytes());
        out[header + 16..header + 20].copy_from_slice(&length.to_le_bytes());
        out[header + 20..header + 24].copy_from_slice(&place.to_le_bytes());
        out.extend(*bytes);
    }
    out
}

fn passed(bytes: &[u8], step: usize) -> Option<KernelFile> {
    let mut passing = Passing::new(bytes.len() as u64);
    bytes.chunks(step).for_each(|chunk| passing.pass(chunk));
    passing.finish().kernel
}

#[test]
fn a_kernel_says_its_release_however_its_bytes_come() {
    let whole = kernel("4.4.0-1-amd64 (someone@there) #1");
    for step in [1, 7, 511, 4096, 5000, usize::MAX] {
        let kernel = passed(&whole, step.min(whole.len())).expect("a kernel");
        assert_eq!((kernel.releases, kernel.is_unified), (vec!["4.4.0-1-amd64".to_owned()], false), "{step}");
    }
    assert_eq!(passed(b"#!/bin/sh\n", 3), None);
    assert_eq!(passed(&vec![0; 1 << 20], 4096), None);
}

#[test]
fn a_unified_image_says_its_command_lines_and_its_kernel() {
    let inner = kernel("5.4.0 x");
    let whole = program(&[
        (b".osrel\0\0", b"ID=x"),
        (b".cmdline", b"root=x\nlibata.atapi_enabled=0\0console=ttyS0"),
        (b".linux\0\0", &inner),
        (b".uname\0\0", b"6.1.0"),
        (b".cmdline", b"of another profile"),
    ]);
    for step in [1, 4096, 4097, usize::MAX] {
        let image = passed(&whole, step.min(whole.len())).expect("an image");
        assert_eq!(image.lines, ["root=x libata.atapi_enabled=0", "of another profile"]);
        assert_eq!(
            (image.releases, image.is_unified, image.unread),
            (vec!["6.1.0".into(), "5.4.0".into()], true, None)
        );
    }
    assert_eq!(passed(&program(&[(b".text\0\0\0", b"x")]), 4096), None);
}

#[test]
fn what_cannot_be_read_of_an_image_is_told() {
    let long = program(&[(b".cmdline", &[b'a'; 5000])]);
    let cut = program(&[(b".cmdline", b"root=x")]);
    let cut = cut[..cut.len() - 1].to_vec();
    let mut far = program(&[]);
    far[0x3c..0x40].copy_from_slice(&0x10_0000_u32.to_le_bytes());
    for (what, whole) in [("its command line", long), ("its command line", cut), ("its sections", far)] {
        assert_eq!(passed(&whole, 1000).and_then(|image| image.unread), Some(what));
    }
    let whole = program(&[(b".cmdline", b"root=x"), (b".linux\0\0", &kernel("5.4.0"))]);
    for at in 0..0x180 {
        let mut changed = whole.clone();
        changed[at] = 0xff;
        let _ = passed(&changed, 4096);
        let _ = passed(&whole[..at], 64);
    }
}
