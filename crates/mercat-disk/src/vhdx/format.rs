//! Places, identifiers and entries of the format, for reader and writer.

/// Regions and blocks begin at multiples of this.
pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const HEADER_AT: [u64; 2] = [64 << 10, 128 << 10];
pub(crate) const HEADER_BYTES: u64 = 4 << 10;
pub(crate) const REGION_TABLE_AT: [u64; 2] = [192 << 10, 256 << 10];
pub(crate) const REGION_TABLE_BYTES: u64 = 64 << 10;
pub(crate) const METADATA_TABLE_BYTES: u64 = 64 << 10;
/// Where headers and region tables have their CRC-32C.
pub(crate) const CHECKSUM_AT: usize = 4;

/// An identifier as it is written in the specification.
const fn guid(text: u128) -> [u8; 16] {
    let mut bytes = text.to_be_bytes();
    let order = [3, 2, 1, 0, 5, 4, 7, 6];
    let source = bytes;
    let mut at = 0;
    while at < 8 {
        bytes[at] = source[order[at]];
        at += 1;
    }
    bytes
}

pub(crate) const REGION_BLOCKS: [u8; 16] = guid(0x2dc27766_f623_4200_9d64_115e9bfd4a08);
pub(crate) const REGION_METADATA: [u8; 16] = guid(0x8b7ca206_4790_4b9a_b8fe_575f050f886e);
pub(crate) const FILE_PARAMETERS: [u8; 16] = guid(0xcaa16737_fa36_4d43_b3b6_33f0aa44e76b);
pub(crate) const VIRTUAL_DISK_SIZE: [u8; 16] = guid(0x2fa54224_cd1b_4876_b211_5dbed83bf4b8);
pub(crate) const PAGE_83_DATA: [u8; 16] = guid(0xbeca12ab_b2e6_4523_93ef_c309e000c746);
pub(crate) const LOGICAL_SECTOR: [u8; 16] = guid(0x8141bf1d_a96f_4709_ba47_f233a8faab5f);
pub(crate) const PHYSICAL_SECTOR: [u8; 16] = guid(0xcda348c7_445d_4471_9cc9_e9885251c556);
pub(crate) const PARENT_LOCATOR: [u8; 16] = guid(0xa8d35f2d_b30b_454d_abf7_d3d84834ab0c);

pub(crate) const ITEM_IS_USER: u32 = 1;
pub(crate) const ITEM_IS_VIRTUAL_DISK: u32 = 2;
pub(crate) const ITEM_IS_REQUIRED: u32 = 4;

pub(crate) const STATE_NOT_PRESENT: u64 = 0;
pub(crate) const STATE_ZERO: u64 = 2;
pub(crate) const STATE_UNMAPPED: u64 = 3;
pub(crate) const STATE_PRESENT: u64 = 6;

/// The state bits of an entry of the block allocation table.
pub(super) fn state(entry: u64) -> u64 {
    entry & 7
}

pub(super) fn reserved(entry: u64) -> u64 {
    entry & 0x000f_fff8
}

/// Offset in the file, a multiple of 1 MiB.
pub(super) fn offset(entry: u64) -> u64 {
    entry & !(MIB - 1)
}
