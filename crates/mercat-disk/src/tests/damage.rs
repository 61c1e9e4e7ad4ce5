//! Images that were cut or damaged at random: a refusal or a disk, never a panic, and soon.

use super::layout::Target;
use super::made::{laid_out, packed_qcow2, seal_vhd, seal_vhdx, vhd_dynamic, vmdk_sparse, vmdk_stream};
use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

struct Sample {
    name: &'static str,
    declared: Declared,
    image: Vec<u8>,
    /// Makes the checksums right again.
    seal: fn(&mut [u8]),
    /// Where the tables are; damage there goes deeper.
    tables: Vec<Range<usize>>,
}

fn leave(_: &mut [u8]) {}

fn seal_footer(image: &mut [u8]) {
    let last = image.len() - 512;
    seal_vhd(&mut image[last..], 64);
}

fn seal_dynamic(image: &mut [u8]) {
    seal_vhd(&mut image[512..1536], 36);
    seal_vhd(&mut image[..512], 64);
    let last = image.len() - 512;
    image.copy_within(..512, last);
}

static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(|| {
    let sample = |name, declared, image, seal: fn(&mut [u8]), tables: &[(usize, usize)]| {
        let tables = tables.iter().map(|(start, bytes)| *start..start + bytes).collect();
        Sample { name, declared, image, seal, tables }
    };
    let (mib, cluster) = (1 << 20, 65536);
    vec![
        sample("raw", Declared::Raw, made::content(), leave, &[(0, 512)]),
        sample("vhd", Declared::Vhd, laid_out(Target::VhdFixed), seal_footer, &[(4 * mib, 128)]),
        sample("dynamic vhd", Declared::Vhd, vhd_dynamic(), seal_dynamic, &[(0, 96), (512, 88), (1536, 64)]),
        sample(
            "vhdx",
            Declared::Vhdx,
            laid_out(Target::Vhdx),
            seal_vhdx,
            &[(64 << 10, 100), (192 << 10, 96), (2 * mib, 240), (2 * mib + 65536, 42), (3 * mib, 32)],
        ),
        sample(
            "qcow2",
            Declared::Qcow2,
            laid_out(Target::Qcow2),
            leave,
            &[(0, 128), (cluster, 16), (2 * cluster, 8), (4 * cluster, 416)],
        ),
        sample(
            "packed qcow2",
            Declared::Qcow2,
            packed_qcow2(),
            leave,
            &[(0, 128), (cluster, 16), (4 * cluster, 416), (10 * cluster, 64)],
        ),
        sample("vmdk", Declared::Vmdk, vmdk_sparse(), leave, &[(0, 80), (512, 600), (2560, 8), (3072, 220)]),
        sample("vmdk stream", Declared::Vmdk, vmdk_stream(&[]), leave, &[(0, 80), (512, 600), (cluster, 64)]),
    ]
});

/// Opens and reads, 64 MiB at most.
fn read(image: Vec<u8>, declared: Declared) {
    let Ok(disk) = open_bytes(image, Some(declared)) else { return };
    assert!(disk.facts.mapped_bytes <= disk.size());
    let (mut at, mut left) = (0, 64);
    let mut buffer = vec![0; 1 << 20];
    while let Ok(Some(range)) = disk.next_data(at) {
        assert!(
            range.start >= at && range.start < range.end && range.end <= disk.size(),
            "{range:?} at {at}"
        );
        at = range.start;
        while at < range.end && left > 0 {
            let length = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(buffer.len());
            let _ = disk.read_at(at, &mut buffer[..length]);
            at += length as u64;
            left -= 1;
        }
        if left == 0 {
            break;
        }
    }
    let size = disk.size();
    let _ = disk.read_at(size.saturating_sub(700), &mut buffer[..usize::try_from(size.min(700)).unwrap()]);
}

#[test]
fn an_image_that_was_cut_is_refused() {
    for sample in SAMPLES.iter() {
        for cut in (0..=1 << 20).step_by(4096).filter(|cut| *cut < sample.image.len()) {
            let opened = open_bytes(sample.image[..cut].to_vec(), Some(sample.declared));
            match (sample.declared, opened) {
                // A raw disk that was cut at a sector is a smaller disk.
                (Declared::Raw, opened) => assert_eq!(opened.is_ok(), cut > 0),
                // What is behind the end of the disk in its last cluster or grain may be missing.
                (Declared::Qcow2 | Declared::Vmdk, Ok(disk)) if cut + 65536 > sample.image.len() => {
                    assert!(read_all(&disk).unwrap() == made::content(), "{} cut at {cut}", sample.name);
                }
                (_, opened) => {
                    let found = code(opened);
                    assert!(
                        found != "ok" && !found.starts_with("io"),
                        "{} cut at {cut}: {found}",
                        sample.name
                    );
                }
            }
        }
        for cut in [1, 3, 511, 513, 65537] {
            let found = code(open_bytes(sample.image[..cut].to_vec(), Some(sample.declared)));
            assert!(found != "ok" && !found.starts_with("io"), "{} cut at {cut}: {found}", sample.name);
        }
    }
}

#[test]
fn a_byte_of_any_value_anywhere_in_the_tables_does_not_panic() {
    for sample in SAMPLES.iter() {
        let mut image = sample.image.clone();
        for at in sample.tables.iter().cloned().flatten() {
            let old = image[at];
            for new in [0, 1, 0x7f, 0x80, 0xff, old ^ 1, old.wrapping_add(1), old.wrapping_sub(1)] {
                image[at] = new;
                let mut sealed = image.clone();
                (sample.seal)(&mut sealed);
                if let Ok(disk) = open_bytes(sealed, Some(sample.declared)) {
                    let _ = disk.read_at(0, &mut [0; 512]);
                    let _ = disk.next_data(0);
                }
            }
            image[at] = old;
        }
    }
}

/// A sample with damage.
fn damaged() -> impl Strategy<Value = (Declared, Vec<u8>)> {
    // Other values, or one bit that turned.
    let turn = prop_oneof![any::<u8>(), (0..8).prop_map(|bit| 1_u8 << bit)];
    let place = (any::<prop::sample::Index>(), turn, any::<bool>());
    let damage = prop::collection::vec(place, 1..8);
    let cut = prop::option::weighted(0.2, any::<prop::sample::Index>());
    (0..8_usize, damage, any::<bool>(), cut).prop_map(|(which, damage, seal, cut)| {
        let sample = &SAMPLES[which];
        let mut image = sample.image.clone();
        let places: Vec<usize> = sample.tables.iter().cloned().flatten().collect();
        for (place, turn, in_tables) in damage {
            let at = if in_tables { *place.get(&places) } else { place.index(image.len()) };
            image[at] ^= turn;
        }
        if seal {
            (sample.seal)(&mut image);
        }
        if let Some(cut) = cut {
            image.truncate(cut.index(image.len()));
        }
        (sample.declared, image)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn damage_anywhere_does_not_panic((declared, image) in damaged()) {
        read(image, declared);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_here_is_what_the_usual_program_reads((declared, image) in damaged()) {
        let Ok(disk) = open_bytes(image.clone(), Some(declared)) else { return Ok(()) };
        if disk.size() > 64 << 20 {
            return Ok(());
        }
        let Ok(ours) = read_all(&disk) else { return Ok(()) };
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("image"), dir.path().join("disk.raw"));
        std::fs::write(&from, image).unwrap();
        let format = if declared == Declared::Vhd { "vpc" } else { declared.name() };
        let convert = ["convert", "-q", "-f", format, "-O", "raw"];
        let output = std::process::Command::new("qemu-img").args(convert).args([&from, &to]).output();
        let Ok(output) = output else {
            eprintln!("skipped: qemu-img is absent");
            return Ok(());
        };
        if output.status.success() {
            let theirs = std::fs::read(to).unwrap();
            // QEMU takes the size from the geometry when it does not know the creator; the footer's size counts.
            let by_geometry = disk.facts.vhd.as_ref().map(|footer| footer.geometry.bytes());
            if by_geometry == Some(theirs.len() as u64) && theirs.len() < ours.len() {
                prop_assert!(theirs == ours[..theirs.len()]);
                return Ok(());
            }
            prop_assert!(theirs == ours, "{} bytes here, {} there", ours.len(), theirs.len());
        }
    }
}
