//! Disks that are written in another format: what we and the usual program read back.

use super::foreign::{open_path, qemu_img, read_data, sample};
use super::layout::{LaidOut, Layout, Piece, Target, data_ranges, layout};
use super::*;
use proptest::prelude::*;
use std::io::Write;
use std::path::Path;

const TARGETS: [Target; 4] = [Target::Raw, Target::VhdFixed, Target::Vhdx, Target::Qcow2];
const IDENTITY: [u8; 16] = *b"sixteen bytes id";

/// The non-zero sectors of a disk, as ranges.
fn sectors_with_data(disk: &[u8]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for (index, sector) in disk.chunks(512).enumerate() {
        if sector.iter().all(|byte| *byte == 0) {
            continue;
        }
        let start = index as u64 * 512;
        let end = start + sector.len() as u64;
        match ranges.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => ranges.push(start..end),
        }
    }
    ranges
}

fn write_out(layout: &Layout, disk: &[u8], path: &Path) {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    for piece in layout.pieces_in(0..layout.size()) {
        match piece {
            Piece::Bytes(bytes) => out.write_all(&bytes).unwrap(),
            Piece::Disk { offset, size } => {
                out.write_all(&disk[usize::try_from(offset).unwrap()..][..usize::try_from(size).unwrap()])
                    .unwrap();
            }
            Piece::Zeros(size) => out.write_all(&vec![0; usize::try_from(size).unwrap()]).unwrap(),
        }
    }
    out.flush().unwrap();
}

fn disks() -> Vec<Vec<u8>> {
    let mut dense = noise(3 << 20, 9);
    dense[..512].fill(0);
    vec![
        vec![0; 512],
        vec![0; 5 << 20],
        noise(512, 4),
        dense,
        sample((20 << 20) + 1536),
        sample(64 << 20),
        [vec![0; 40 << 20], noise(65536, 5), vec![0; 3 << 20], vec![1; 512]].concat(),
    ]
}

#[test]
fn our_reader_reads_back_what_was_written() {
    for content in disks() {
        for target in TARGETS {
            let data = sectors_with_data(&content);
            let written = layout(target, content.len() as u64, &data, IDENTITY).unwrap();
            let (size, virtual_bytes) = (written.size(), written.virtual_bytes());
            let file = Arc::new(LaidOut::new(written, Arc::new(content.clone())));
            let declared = foreign::declared(target.format());
            let disk = open(Arc::clone(&file) as Arc<dyn ReadAt>, Some(declared)).unwrap();
            let name = format!("{target:?} {}", content.len());
            assert_eq!((disk.size(), disk.facts.format), (virtual_bytes, target.format()), "{name}");
            assert_eq!(disk.facts.file_bytes, size, "{name}");
            let mut expected = content.clone();
            expected.resize(usize::try_from(virtual_bytes).unwrap(), 0);
            assert!(read_all(&disk).unwrap() == expected, "{name}: the content differs");
            assert!(read_data(&disk) == expected, "{name}: data outside the data ranges");
            assert!(read_data(&*file) == read_all(&*file).unwrap(), "{name}: the file differs");
        }
    }
}

#[test]
fn the_usual_program_finds_the_same_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (raw, image) = (dir.path().join("disk.raw"), dir.path().join("image"));
    for content in disks() {
        std::fs::write(&raw, &content).unwrap();
        for target in TARGETS {
            let written =
                layout(target, content.len() as u64, &sectors_with_data(&content), IDENTITY).unwrap();
            write_out(&written, &content, &image);
            let format = match target {
                Target::Raw => "raw",
                Target::VhdFixed => "vpc",
                Target::Vhdx => "vhdx",
                Target::Qcow2 => "qcow2",
            };
            let (raw, image) = (raw.to_str().unwrap(), image.to_str().unwrap());
            let Some(about) = qemu_img(&["info", "-f", format, "--output=json", image]) else { return };
            let about: serde_json::Value = serde_json::from_str(&about).unwrap();
            assert_eq!(about["virtual-size"], written.virtual_bytes(), "{target:?} {}", content.len());
            // Sizes may differ where the format rounds up; the rest is compared as zeros.
            qemu_img(&["compare", "-f", "raw", "-F", format, raw, image]).unwrap();
            if matches!(target, Target::Vhdx | Target::Qcow2) {
                let check = qemu_img(&["check", "-f", format, "--output=json", image]).unwrap();
                let check: serde_json::Value = serde_json::from_str(&check).unwrap();
                assert_eq!(check["check-errors"], 0, "{check}");
                assert!(check.get("leaks").is_none() && check.get("corruptions").is_none(), "{check}");
            }
        }
    }
}

#[test]
fn any_range_is_the_same_bytes_as_the_whole() {
    let content = sample((5 << 20) + 512);
    for target in TARGETS {
        let make = || layout(target, content.len() as u64, &sectors_with_data(&content), IDENTITY).unwrap();
        let whole = read_all(&LaidOut::new(make(), Arc::new(content.clone()))).unwrap();
        let file = LaidOut::new(make(), Arc::new(content.clone()));
        for place in noise(8 * 300, 7).chunks(8) {
            let place = u64::from_le_bytes(place.try_into().unwrap());
            let start = usize::try_from(place >> 20).unwrap() % whole.len();
            let end = (start + usize::try_from(place & 0x3ffff).unwrap()).min(whole.len());
            let mut part = vec![1; end - start];
            file.read_at(start as u64, &mut part).unwrap();
            assert!(part == whole[start..end], "{target:?} {start}..{end}");
        }
        let pieces = |range| file.layout().pieces_in(range).map(|piece| piece.size()).sum::<u64>();
        assert_eq!(pieces(0..u64::MAX), whole.len() as u64);
        assert_eq!(pieces(5..5), 0);
        assert_eq!(pieces(file.size()..u64::MAX), 0);
    }
}

#[test]
fn the_disk_is_read_in_rising_order_and_only_where_it_has_data() {
    let content = sample(64 << 20);
    let data = sectors_with_data(&content);
    for target in TARGETS {
        let written = layout(target, content.len() as u64, &data, IDENTITY).unwrap();
        let mut read = Vec::new();
        for piece in written.pieces_in(0..written.size()) {
            if let Piece::Disk { offset, size } = piece {
                read.push(offset..offset + size);
            }
        }
        assert_eq!(read, data, "{target:?}");
    }
}

#[test]
fn identifiers_derive_from_the_identity() {
    for target in [Target::VhdFixed, Target::Vhdx] {
        let bytes = |identity| {
            let written = layout(target, 1 << 20, &[], identity).unwrap();
            read_all(&LaidOut::new(written, Arc::new(vec![0; 1 << 20]))).unwrap()
        };
        assert!(bytes(IDENTITY) == bytes(IDENTITY), "{target:?}");
        assert!(bytes(IDENTITY) != bytes([0; 16]), "{target:?}");
    }
}

#[test]
fn a_large_disk_is_described_in_little_memory() {
    let full = 0..64 << 40;
    let one = (33 << 40)..(33 << 40) + 512;
    for target in TARGETS {
        for data in [&full, &one] {
            let written = layout(target, 64 << 40, std::slice::from_ref(data), IDENTITY).unwrap();
            let middle = written.size() / 2 / 512 * 512;
            let pieces: Vec<_> = written.pieces_in(middle..middle + (1 << 20)).collect();
            assert_eq!(pieces.iter().map(Piece::size).sum::<u64>(), (1 << 20).min(written.size() - middle));
            if data == &one && matches!(target, Target::Vhdx | Target::Qcow2) {
                assert!(written.size() < 64 << 20, "{target:?}");
            }
        }
    }
}

#[test]
fn ranges_out_of_order_are_refused() {
    for data in [[512..1024, 0..512], [0..1024, 512..1536], [0..512, 512..4097], [0..512, 512..512]] {
        assert_eq!(code(layout(Target::Raw, 4096, &data, IDENTITY)), "DSK-09");
    }
    for size in [0, 511, (64 << 40) + 512] {
        assert_eq!(code(layout(Target::Qcow2, size, &[], IDENTITY)), "DSK-06");
    }
}

#[test]
fn an_image_is_written_from_its_data_ranges() {
    let dir = tempfile::tempdir().unwrap();
    let content = sample((20 << 20) + 1536);
    let Some(image) = foreign::convert(dir.path(), &content, "qcow2 -c", "compression_type=zstd") else {
        return;
    };
    let disk = open_path(&image, None).unwrap();
    let data = data_ranges(&disk).unwrap();
    let written = layout(Target::VhdFixed, disk.size(), &data, IDENTITY).unwrap();
    let vhd = open(Arc::new(LaidOut::new(written, Arc::new(disk))), Some(Declared::Vhd)).unwrap();
    assert!(read_all(&vhd).unwrap()[..content.len()] == content);
}

#[test]
fn holes_of_the_file_under_an_allocated_block_are_not_data() {
    let size = 8_u64 << 20;
    let data = [0..512, size - 512..size];
    let inner = Arc::new(made::Sparse { size, start: vec![1; 512], end: vec![2; 512] });
    let file = LaidOut::new(layout(Target::Vhdx, size, &data, IDENTITY).unwrap(), inner);
    let disk = open(Arc::new(file), Some(Declared::Vhdx)).unwrap();
    assert_eq!(disk.facts.mapped_bytes, 4 << 20);
    assert_eq!(data_ranges(&disk).unwrap(), data);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_disk_is_read_back_from_any_target(
        sectors in 1..16384_u64,
        places in prop::collection::vec((any::<prop::sample::Index>(), 1..400_u64), 0..20),
    ) {
        let size = sectors * 512;
        let mut content = vec![0; usize::try_from(size).unwrap()];
        for (seed, (place, length)) in places.iter().enumerate() {
            let start = place.index(usize::try_from(sectors).unwrap()) as u64;
            let end = (start + length).min(sectors);
            let bytes = noise(usize::try_from((end - start) * 512).unwrap(), seed as u64);
            made::put(&mut content, usize::try_from(start * 512).unwrap(), &bytes);
        }
        let data = sectors_with_data(&content);
        for target in TARGETS {
            let file = LaidOut::new(layout(target, size, &data, IDENTITY).unwrap(), Arc::new(content.clone()));
            let disk = open(Arc::new(file), Some(foreign::declared(target.format()))).unwrap();
            prop_assert!(read_all(&disk).unwrap()[..content.len()] == content);
            prop_assert!(read_data(&disk)[..content.len()] == content);
        }
    }
}

#[test]
fn the_geometry_of_a_vhd_says_at_most_its_size() {
    let sizes = (1..600_000).chain((1..4 << 31).step_by(4_000_037)).chain([65535 * 16 * 255, 1 << 37]);
    for total in sizes {
        let (cylinders, heads, sectors) = layout::vhd::geometry(total);
        let said = u64::from(cylinders) * u64::from(heads) * u64::from(sectors);
        assert!(said <= total, "{said} of {total}");
        assert!(said + 16 * 255 > total.min(65535 * 16 * 255), "{said} of {total}");
    }
}
