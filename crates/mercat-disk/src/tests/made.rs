//! Images made by hand, to be changed by the tests.

use super::layout::vhd::geometry;
use super::layout::{LaidOut, Target, layout};
use super::*;
use flate2::{Compress, Compression, FlushCompress};
use std::io::Write;

/// Writes bytes over others.
pub(super) fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
    image[at..at + bytes.len()].copy_from_slice(bytes);
}

/// An image with other bytes in one place.
pub(super) fn changed(image: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut image = image.to_vec();
    put(&mut image, at, bytes);
    image
}

/// A disk of 3 MiB and a sector with data in its first two clusters, in the middle and at the end.
pub(super) fn content() -> Vec<u8> {
    let mut disk = vec![0; (3 << 20) + 512];
    put(&mut disk, 0, &noise(100_000, 1));
    put(&mut disk, 2 << 20, &noise(70_000, 2));
    put(&mut disk, 3 << 20, &noise(512, 3));
    disk
}

/// What our writer makes of [`content`].
pub(super) fn laid_out(target: Target) -> Vec<u8> {
    let disk = content();
    let size = disk.len() as u64;
    let data = [0..100_352, 2 << 20..(2 << 20) + 70_144, 3 << 20..size];
    let file = LaidOut::new(layout(target, size, &data, [7; 16]).unwrap(), Arc::new(disk));
    read_all(&file).unwrap()
}

/// The qcow2 image of [`content`] with its second cluster packed at the end of the file.
pub(super) fn packed_qcow2() -> Vec<u8> {
    const L2_SECOND: usize = 4 * 65536 + 8;
    let mut image = laid_out(Target::Qcow2);
    let packed = deflate(&content()[65536..2 * 65536]);
    let entry = (1 << 62) | (((packed.len() as u64).div_ceil(512) - 1) << 54) | image.len() as u64;
    put(&mut image, L2_SECOND, &u64::to_be_bytes(entry));
    image.extend(packed);
    image.resize(image.len().next_multiple_of(512), 0);
    image
}

pub(super) fn seal_vhd(part: &mut [u8], field: usize) {
    let sum = vhd::checksum(part, field);
    put(part, field, &sum.to_be_bytes());
}

pub(super) const VHD_BLOCK: usize = 512 << 10;
/// Where [`vhd_dynamic`] has its block table and its first block.
pub(super) const VHD_TABLE: usize = 1536;
pub(super) const VHD_FIRST: usize = 2048;

/// A dynamic VHD of [`content`] with blocks of 512 KiB.
pub(super) fn vhd_dynamic() -> Vec<u8> {
    let disk = content();
    let mut footer = laid_out(Target::VhdFixed);
    let mut footer = footer.split_off(footer.len() - 512);
    put(&mut footer, 16, &512_u64.to_be_bytes());
    put(&mut footer, 48, &(disk.len() as u64).to_be_bytes());
    let (cylinders, heads, sectors) = geometry(disk.len() as u64 / 512);
    put(&mut footer, 56, &cylinders.to_be_bytes());
    put(&mut footer, 58, &[heads, sectors]);
    put(&mut footer, 60, &3_u32.to_be_bytes());
    seal_vhd(&mut footer, 64);
    let mut header = vec![0; 1024];
    put(&mut header, 0, b"cxsparse");
    put(&mut header, 8, &[0xff; 8]);
    put(&mut header, 16, &(VHD_TABLE as u64).to_be_bytes());
    put(&mut header, 24, &[0, 1, 0, 0, 0, 0, 0, 7]);
    put(&mut header, 32, &(VHD_BLOCK as u32).to_be_bytes());
    seal_vhd(&mut header, 36);
    let mut table = vec![0xff; 512];
    let mut blocks = Vec::new();
    for (index, block) in disk.chunks(VHD_BLOCK).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            put(&mut table, index * 4, &(((VHD_FIRST + blocks.len()) / 512) as u32).to_be_bytes());
            blocks.extend([0xff; 512]);
            let end = blocks.len() + VHD_BLOCK;
            blocks.extend(block);
            blocks.resize(end, 0);
        }
    }
    [footer.clone(), header, table, blocks, footer].concat()
}

/// Changes both copies of the footer of [`vhd_dynamic`].
pub(super) fn change_footers(image: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut image = image.to_vec();
    let last = image.len() - 512;
    for start in [0, last] {
        put(&mut image[start..start + 512], at, bytes);
        seal_vhd(&mut image[start..start + 512], 64);
    }
    image
}

/// Changes the header of [`vhd_dynamic`].
pub(super) fn change_header(image: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut image = changed(image, 512 + at, bytes);
    seal_vhd(&mut image[512..1536], 36);
    image
}

pub(super) fn seal_vhdx(image: &mut [u8]) {
    for (at, size) in
        [(64 << 10, 4 << 10), (128 << 10, 4 << 10), (192 << 10, 64 << 10), (256 << 10, 64 << 10)]
    {
        let sum = checksum::crc32c(&image[at..at + size], 4);
        put(image, at + 4, &sum.to_le_bytes());
    }
}

pub(super) const GRAIN: usize = 64 << 10;

pub(super) fn descriptor(kind: &str, sectors: usize, more: &str) -> Vec<u8> {
    let mut text = format!(
        "# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\nCID=12345678\nparentCID=ffffffff\n\
         createType=\"{kind}\"\n\n# Extent description\nRW {sectors} SPARSE \"disk.vmdk\"\n\n\
         # The Disk Data Base\n#DDB\n\nddb.adapterType = \"ide\"\n{more}"
    )
    .into_bytes();
    assert!(text.len() <= 2048);
    text.resize(2048, 0);
    text
}

/// Sectors of descriptor, directory and first table in the files made here.
pub(super) const VMDK_DESCRIPTOR: usize = 1;
pub(super) const VMDK_DIRECTORY: usize = 5;
pub(super) const VMDK_TABLE: usize = 6;
const VMDK_DATA: usize = 128;

pub(super) fn vmdk_header(sectors: usize, flags: u32, directory: u64) -> Vec<u8> {
    let mut header = vec![0; 512];
    put(&mut header, 0, b"KDMV");
    put(&mut header, 4, &[if flags & 1 << 16 == 0 { 1 } else { 3 }]);
    put(&mut header, 8, &flags.to_le_bytes());
    put(&mut header, 12, &(sectors as u64).to_le_bytes());
    put(&mut header, 20, &128_u64.to_le_bytes());
    put(&mut header, 28, &(VMDK_DESCRIPTOR as u64).to_le_bytes());
    put(&mut header, 36, &4_u64.to_le_bytes());
    put(&mut header, 44, &512_u32.to_le_bytes());
    put(&mut header, 56, &directory.to_le_bytes());
    put(&mut header, 64, &(VMDK_DATA as u64).to_le_bytes());
    put(&mut header, 73, b"\n \r\n");
    put(&mut header, 77, &[u8::from(flags & 1 << 16 != 0), 0]);
    header
}

/// A monolithicSparse VMDK of [`content`].
pub(super) fn vmdk_sparse() -> Vec<u8> {
    let disk = content();
    let mut image = vmdk_header(disk.len() / 512, 1, VMDK_DIRECTORY as u64);
    image.extend(descriptor("monolithicSparse", disk.len() / 512, ""));
    image.resize(VMDK_DATA * 512, 0);
    put(&mut image, VMDK_DIRECTORY * 512, &(VMDK_TABLE as u32).to_le_bytes());
    for (index, grain) in
        disk.chunks(GRAIN).enumerate().filter(|(_, grain)| grain.iter().any(|byte| *byte != 0))
    {
        let sector = (image.len() / 512) as u32;
        put(&mut image, VMDK_TABLE * 512 + index * 4, &sector.to_le_bytes());
        image.extend(grain);
        image.resize(image.len().next_multiple_of(GRAIN), 0);
    }
    image
}

pub(super) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = flate2::write::ZlibEncoder::new(&mut out, Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap();
    out
}

pub(super) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 4096);
    let mut engine = Compress::new(Compression::best(), false);
    engine.compress_vec(bytes, &mut out, FlushCompress::Finish).unwrap();
    out
}

pub(super) fn marker(value: u64, size: u32, kind: u32) -> Vec<u8> {
    let mut marker = [value.to_le_bytes().as_slice(), &size.to_le_bytes(), &kind.to_le_bytes()].concat();
    marker.resize(512, 0);
    marker
}

/// A packed grain behind its marker, up to the end of its last sector.
pub(super) fn packed_grain(sector: u64, grain: &[u8]) -> Vec<u8> {
    let packed = zlib(grain);
    let mut out = [&sector.to_le_bytes()[..], &(packed.len() as u32).to_le_bytes(), &packed].concat();
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

/// A streamOptimized VMDK of [`content`] in the shape of its inventor: tables behind the grains, and a
/// footer that says where. `extra` goes between the grains and the tables.
pub(super) fn vmdk_stream(extra: &[u8]) -> Vec<u8> {
    let disk = content();
    let header = vmdk_header(disk.len() / 512, 0x3_0001, u64::MAX);
    let mut image = [header.clone(), descriptor("streamOptimized", disk.len() / 512, "")].concat();
    image.resize(VMDK_DATA * 512, 0);
    let mut table = vec![0; 2048];
    for (index, grain) in
        disk.chunks(GRAIN).enumerate().filter(|(_, grain)| grain.iter().any(|byte| *byte != 0))
    {
        put(&mut table, index * 4, &((image.len() / 512) as u32).to_le_bytes());
        image.extend(packed_grain((index * GRAIN / 512) as u64, grain));
    }
    image.extend(extra);
    image.extend(marker(4, 0, 1));
    let table_sector = (image.len() / 512) as u32;
    image.extend(table);
    image.extend(marker(1, 0, 2));
    let directory_sector = (image.len() / 512) as u64;
    image.extend(table_sector.to_le_bytes());
    image.resize(image.len().next_multiple_of(512), 0);
    image.extend(marker(1, 0, 3));
    image.extend(changed(&header, 56, &directory_sector.to_le_bytes()));
    image.extend([0; 512]);
    image
}

/// A file that is mostly hole.
pub(super) struct Sparse {
    pub(super) size: u64,
    pub(super) start: Vec<u8>,
    pub(super) end: Vec<u8>,
}

impl ReadAt for Sparse {
    fn size(&self) -> u64 {
        self.size
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        assert!(offset + buffer.len() as u64 <= self.size, "a read behind the end of the file");
        let end_at = self.size - self.end.len() as u64;
        for (at, byte) in (offset..).zip(buffer.iter_mut()) {
            let from_end = at.checked_sub(end_at).and_then(|at| self.end.get(usize::try_from(at).ok()?));
            *byte = match usize::try_from(at).ok().and_then(|at| self.start.get(at)) {
                Some(byte) => *byte,
                None => from_end.copied().unwrap_or(0),
            };
        }
        Ok(())
    }
}
