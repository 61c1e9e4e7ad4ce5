//! Fixed VHD: the disk and a footer.

use super::{Build, Layout, Runs, derived};
use crate::vhd::checksum;
use std::ops::Range;

const MIB: u64 = 1 << 20;

pub(super) fn fixed(virtual_bytes: u64, data: &[Range<u64>], identity: [u8; 16]) -> Layout {
    let rounded = virtual_bytes.next_multiple_of(MIB);
    let mut build = Build::default();
    build.data(data, 0..rounded);
    build.bytes(footer(rounded, derived(identity, "vhd unique id")));
    build.finish(rounded, Runs::default())
}

fn footer(virtual_bytes: u64, unique_id: [u8; 16]) -> Vec<u8> {
    let (cylinders, heads, sectors) = geometry(virtual_bytes / 512);
    let mut bytes = vec![0; 512];
    bytes[..8].copy_from_slice(b"conectix");
    bytes[8..12].copy_from_slice(&2_u32.to_be_bytes());
    bytes[12..16].copy_from_slice(&0x0001_0000_u32.to_be_bytes());
    bytes[16..24].fill(0xff);
    // Readers that do not know the creator take the size from the geometry, which rounds it down;
    // this one is known to mean the size field.
    bytes[28..32].copy_from_slice(b"win ");
    bytes[32..36].copy_from_slice(&0x0006_0001_u32.to_be_bytes());
    bytes[36..40].copy_from_slice(b"Wi2k");
    bytes[40..48].copy_from_slice(&virtual_bytes.to_be_bytes());
    bytes[48..56].copy_from_slice(&virtual_bytes.to_be_bytes());
    bytes[56..58].copy_from_slice(&cylinders.to_be_bytes());
    bytes[58] = heads;
    bytes[59] = sectors;
    bytes[60..64].copy_from_slice(&2_u32.to_be_bytes());
    bytes[68..84].copy_from_slice(&unique_id);
    let sum = checksum(&bytes, 64);
    bytes[64..68].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// Cylinders, heads and sectors per track after the appendix "CHS Calculation" of the specification.
pub(crate) fn geometry(total_sectors: u64) -> (u16, u8, u8) {
    let total = total_sectors.min(65535 * 16 * 255);
    let (sectors, heads, tracks) = if total >= 65535 * 16 * 63 {
        (255, 16, total / 255)
    } else {
        let (mut sectors, mut tracks) = (17, total / 17);
        let mut heads = tracks.div_ceil(1024).max(4);
        if tracks >= heads * 1024 || heads > 16 {
            (sectors, heads, tracks) = (31, 16, total / 31);
        }
        if tracks >= heads * 1024 {
            (sectors, heads, tracks) = (63, 16, total / 63);
        }
        (sectors, heads, tracks)
    };
    let cylinders = u16::try_from(tracks / heads).unwrap_or(u16::MAX);
    (cylinders, u8::try_from(heads).unwrap_or(16), sectors)
}
