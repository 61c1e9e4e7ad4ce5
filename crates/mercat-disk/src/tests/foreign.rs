//! Images made by the usual program, compared byte for byte with the disk that went in.

use super::*;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Format for the program, its options, and the format that we see.
pub(super) const IMAGES: [(&str, &str, Format); 15] = [
    ("raw", "", Format::Raw),
    ("vpc", "subformat=fixed,force_size=on", Format::VhdFixed),
    ("vpc", "subformat=dynamic,force_size=on", Format::VhdDynamic),
    ("vhdx", "subformat=dynamic", Format::Vhdx),
    ("vhdx", "subformat=dynamic,block_size=1M", Format::Vhdx),
    ("vhdx", "subformat=fixed", Format::Vhdx),
    ("qcow2", "compat=0.10", Format::Qcow2),
    ("qcow2", "compat=1.1", Format::Qcow2),
    ("qcow2", "cluster_size=512", Format::Qcow2),
    ("qcow2", "cluster_size=2M,lazy_refcounts=on,refcount_bits=64", Format::Qcow2),
    ("qcow2 -c", "compression_type=zlib", Format::Qcow2),
    ("qcow2 -c", "compression_type=zstd", Format::Qcow2),
    ("qcow2 -c", "compat=0.10,cluster_size=4096", Format::Qcow2),
    ("vmdk", "subformat=monolithicSparse", Format::VmdkSparse),
    ("vmdk", "subformat=streamOptimized", Format::VmdkStream),
];

pub(super) fn declared(format: Format) -> Declared {
    match format {
        Format::Raw => Declared::Raw,
        Format::VhdFixed | Format::VhdDynamic => Declared::Vhd,
        Format::Vhdx => Declared::Vhdx,
        Format::Qcow2 => Declared::Qcow2,
        Format::VmdkSparse | Format::VmdkStream => Declared::Vmdk,
    }
}

/// Runs the program; `None`, and a line that says so, when it is absent.
pub(super) fn qemu_img(arguments: &[&str]) -> Option<String> {
    match Command::new("qemu-img").args(arguments).output() {
        Ok(output) => {
            let out = String::from_utf8_lossy(&output.stdout).into_owned();
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "qemu-img {arguments:?}: {out}{error}");
            Some(out)
        }
        Err(_) => {
            eprintln!("skipped: qemu-img is absent");
            None
        }
    }
}

/// A disk with data at both ends, a cluster of explicit zeros, text, noise and holes.
pub(super) fn sample(bytes: usize) -> Vec<u8> {
    let mut disk = vec![0; bytes];
    let mut put = |at: usize, content: &[u8]| {
        let room = bytes.saturating_sub(at).min(content.len());
        disk[at.min(bytes)..at.min(bytes) + room].copy_from_slice(&content[..room]);
    };
    put(0, &noise(100_000, 1));
    put(700_000, &b"the same words again and again ".repeat(20_000));
    put(3 << 20, &noise(2 << 20, 2));
    put(9 << 20, &b"z".repeat(300_000));
    put(bytes - 1000, &noise(1000, 3));
    disk
}

/// Converts a raw disk; the path of the image.
pub(super) fn convert(dir: &Path, disk: &[u8], format: &str, options: &str) -> Option<PathBuf> {
    let raw = dir.join("disk.raw");
    std::fs::write(&raw, disk).unwrap();
    let image = dir.join("image");
    let (format, compress) = format.split_once(' ').map_or((format, None), |(name, flag)| (name, Some(flag)));
    let mut arguments = vec!["convert", "-q", "-f", "raw", "-O", format];
    arguments.extend(compress);
    if !options.is_empty() {
        arguments.extend(["-o", options]);
    }
    let (raw, image_name) = (raw.to_str().unwrap(), image.to_str().unwrap());
    arguments.extend([raw, image_name]);
    qemu_img(&arguments)?;
    Some(image)
}

pub(super) fn open_path(path: &Path, declared: Option<Declared>) -> Result<Disk, ReadError> {
    open(Arc::new(FileReadAt::new(std::fs::File::open(path).unwrap()).unwrap()), declared)
}

/// What lies in the ranges of data, and zeros elsewhere.
pub(super) fn read_data(disk: &dyn ReadAt) -> Vec<u8> {
    let mut out = vec![0; usize::try_from(disk.size()).unwrap()];
    let (mut at, mut end) = (0, 0);
    while let Some(range) = disk.next_data(at).unwrap() {
        assert!(range.start >= end && range.start < range.end && range.end <= disk.size(), "{range:?}");
        let part = &mut out[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        disk.read_at(range.start, part).unwrap();
        (at, end) = (range.end, range.end);
    }
    out
}

#[test]
fn every_format_reads_as_the_disk_that_went_in() {
    let dir = tempfile::tempdir().unwrap();
    for (format, options, expected) in IMAGES {
        for bytes in [512_usize, 1 << 20, (20 << 20) + 1536, 64 << 20] {
            let content = sample(bytes.max(1000).next_multiple_of(512));
            let Some(image) = convert(dir.path(), &content, format, options) else { return };
            let name = format!("{format} {options} {bytes}");
            let disk =
                open_path(&image, Some(declared(expected))).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(disk.facts.format, expected, "{name}");
            assert_eq!(disk.size(), content.len() as u64, "{name}");
            assert!(read_all(&disk).unwrap() == content, "{name}: the content differs");
            assert!(read_data(&disk) == content, "{name}: data outside the data ranges");
            assert!(disk.facts.mapped_bytes <= disk.size(), "{name}");
            let whole = matches!(expected, Format::Raw | Format::VhdFixed) || options.contains("fixed");
            assert!(
                whole || bytes < 64 << 20 || disk.facts.mapped_bytes < 33 << 20,
                "{name}: {:?}",
                disk.facts
            );
            if expected != Format::Raw {
                assert_ne!(code(open_path(&image, Some(Declared::Raw))), "ok", "{name}");
                assert_eq!(code(open_path(&image, None)), "ok", "{name}");
            }
        }
    }
}

#[test]
fn reads_at_odd_places_by_several_threads_agree() {
    let dir = tempfile::tempdir().unwrap();
    let content = sample((20 << 20) + 1536);
    for (format, options, expected) in IMAGES {
        let Some(image) = convert(dir.path(), &content, format, options) else { return };
        let disk = open_path(&image, Some(declared(expected))).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4_usize {
                let (disk, content) = (&disk, &content);
                scope.spawn(move || {
                    let places = noise(8 * 400, thread as u64);
                    for place in places.chunks(8) {
                        let place = u64::from_le_bytes(place.try_into().unwrap());
                        let at = usize::try_from(place >> 20).unwrap() % content.len();
                        let length = usize::try_from(place & 0x3ffff).unwrap().min(content.len() - at);
                        let mut buffer = vec![1; length];
                        disk.read_at(at as u64, &mut buffer).unwrap();
                        assert!(buffer == content[at..at + length], "{format} {options}: {length} at {at}");
                    }
                });
            }
        });
    }
}
