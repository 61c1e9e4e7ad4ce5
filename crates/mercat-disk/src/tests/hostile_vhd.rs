//! Dynamic VHD and VHDX files that lie.

use super::layout::Target;
use super::made::{
    VHD_BLOCK, VHD_FIRST, VHD_TABLE, change_footers, change_header, changed, content, laid_out, put,
    seal_vhdx, vhd_dynamic,
};
use super::*;

fn vhd(bytes: Vec<u8>) -> String {
    code(open_bytes(bytes, Some(Declared::Vhd)))
}

fn vhd_header(at: usize, bytes: &[u8]) -> String {
    vhd(change_header(&vhd_dynamic(), at, bytes))
}

#[test]
fn a_dynamic_vhd_is_read_block_by_block() {
    let disk = open_bytes(vhd_dynamic(), Some(Declared::Vhd)).unwrap();
    assert_eq!(disk.facts.format, Format::VhdDynamic);
    assert!(read_all(&disk).unwrap() == content());
    assert_eq!(disk.facts.mapped_bytes, 2 * VHD_BLOCK as u64 + 512);
}

#[test]
fn footers_of_a_dynamic_vhd_agree() {
    let image = vhd_dynamic();
    assert_eq!(vhd(changed(&image, 85, &[1])), "VHD-26");
    assert_eq!(vhd(image[..image.len() - 512].to_vec()), "VHD-01");
    assert_eq!(vhd(changed(&image, 0, &[0; 512])), "VHD-26");
    assert_eq!(vhd(change_footers(&image, 60, &4_u32.to_be_bytes())), "VHD-20");
    for at in [0, 513, 1024, u64::MAX, 1 << 40] {
        let found = vhd(change_footers(&image, 16, &at.to_be_bytes()));
        assert!(["VHD-27", "DSK-05"].contains(&found.as_str()), "header at {at}: {found}");
    }
    assert_eq!(code(open_bytes(image, Some(Declared::Raw))), "DSK-02");
}

#[test]
fn the_header_of_a_dynamic_vhd_is_checked() {
    assert_eq!(vhd(changed(&vhd_dynamic(), 512 + 200, &[1])), "VHD-28");
    assert_eq!(vhd_header(0, b"cxspars!"), "VHD-27");
    assert_eq!(vhd_header(24, &[0, 2, 0, 0]), "VHD-27");
    for at in [40, 55, 56, 64, 500] {
        assert_eq!(vhd_header(at, &[1]), "VHD-21", "parent byte {at}");
    }
    // Parent locators: the codes of relative and absolute paths, and of UNC.
    for code in [b"W2ru", b"W2ku", b"Wi2r", b"MacX"] {
        assert_eq!(vhd_header(576, code), "VHD-21");
        assert_eq!(vhd_header(744, code), "VHD-21");
    }
    for block in [0_u32, 1, 512, 256 << 10, (512 << 10) + 512, 512 << 20, 1 << 31, u32::MAX] {
        assert_eq!(vhd_header(32, &block.to_be_bytes()), "VHD-29", "{block}");
    }
    for entries in [0_u32, 6, 1 << 23, u32::MAX] {
        assert_eq!(vhd_header(28, &entries.to_be_bytes()), "VHD-30", "{entries}");
    }
    assert_eq!(vhd_header(28, &(1_u32 << 22).to_be_bytes()), "VHD-32");
    for at in [1_u64, 1 << 40, u64::MAX, u64::MAX - 511] {
        assert_eq!(vhd_header(16, &at.to_be_bytes()), "VHD-32", "{at}");
    }
    for at in [0_u64, 512, 1024] {
        let found = vhd_header(16, &at.to_be_bytes());
        assert!(["VHD-31", "VHD-32", "VHD-33"].contains(&found.as_str()), "{at}: {found}");
    }
    let huge = vhd(change_footers(&vhd_dynamic(), 48, &(1_u64 << 40).to_be_bytes()));
    assert_eq!(huge, "VHD-30");
}

#[test]
fn blocks_of_a_dynamic_vhd_have_places_of_their_own() {
    let entry = |index: usize, sector: u32| {
        vhd(changed(&vhd_dynamic(), VHD_TABLE + index * 4, &sector.to_be_bytes()))
    };
    let first = (VHD_FIRST / 512) as u32;
    assert_eq!(entry(1, first), "VHD-31");
    assert_eq!(entry(1, first + 1), "VHD-31");
    for sector in [0, 1, 3] {
        assert_eq!(entry(0, sector), "VHD-31", "{sector}");
    }
    assert_eq!(entry(0, u32::MAX - 1), "VHD-32");
    let last = ((vhd_dynamic().len() - 512 - VHD_BLOCK) / 512) as u32;
    assert_eq!(entry(6, last), "VHD-32");
    let more = change_header(&vhd_dynamic(), 28, &8_u32.to_be_bytes());
    assert_eq!(vhd(more.clone()), "ok");
    assert_eq!(vhd(changed(&more, VHD_TABLE + 28, &first.to_be_bytes())), "VHD-33");
}

#[test]
fn a_sector_bitmap_that_lies_is_found_when_the_sector_is_read() {
    let mut image = vhd_dynamic();
    image[VHD_FIRST] = 0x7f;
    let disk = open_bytes(image.clone(), Some(Declared::Vhd)).unwrap_err();
    assert!(disk.to_string().starts_with("VHD-34"), "the first sector is looked at when opening: {disk}");
    image[VHD_FIRST] = 0xfe;
    let disk = open_bytes(image.clone(), Some(Declared::Vhd)).unwrap();
    assert_eq!(code(disk.read_at(0, &mut [0; 512])), "ok");
    assert_eq!(code(disk.read_at(7 * 512 + 100, &mut [0; 20])), "VHD-34");
    assert_eq!(code(disk.read_at(0, &mut [0; 8192])), "VHD-34");
    image[VHD_FIRST + 512 + 7 * 512..VHD_FIRST + 512 + 8 * 512].fill(0);
    let disk = open_bytes(image, Some(Declared::Vhd)).unwrap();
    let mut expected = content();
    expected[7 * 512..8 * 512].fill(0);
    assert!(read_all(&disk).unwrap() == expected, "an unused sector of zeros is a sector of zeros");
}

fn vhdx(bytes: Vec<u8>) -> String {
    code(open_bytes(bytes, Some(Declared::Vhdx)))
}

/// A VHDX with other bytes and right checksums.
fn vhdx_with(changes: &[(usize, &[u8])]) -> String {
    let mut image = laid_out(Target::Vhdx);
    for (at, bytes) in changes {
        put(&mut image, *at, bytes);
    }
    seal_vhdx(&mut image);
    vhdx(image)
}

const HEADERS: [usize; 2] = [64 << 10, 128 << 10];
const TABLES: [usize; 2] = [192 << 10, 256 << 10];
const METADATA: usize = 2 << 20;
const BLOCKS: usize = 3 << 20;
const DATA: u64 = 4 << 20;

fn in_headers(at: usize, bytes: &[u8]) -> String {
    vhdx_with(&[(HEADERS[0] + at, bytes), (HEADERS[1] + at, bytes)])
}

fn in_tables(at: usize, bytes: &[u8]) -> String {
    vhdx_with(&[(TABLES[0] + at, bytes), (TABLES[1] + at, bytes)])
}

#[test]
fn one_valid_header_and_region_table_are_enough() {
    let image = laid_out(Target::Vhdx);
    let disk = open_bytes(image.clone(), Some(Declared::Vhdx)).unwrap();
    assert!(read_all(&disk).unwrap() == content());
    assert_eq!(disk.facts.sector_bytes, 512);
    for at in HEADERS.into_iter().chain(TABLES) {
        assert_eq!(vhdx(changed(&image, at + 100, &[1])), "ok", "{at}");
    }
    assert_eq!(vhdx(changed(&changed(&image, HEADERS[0] + 100, &[1]), HEADERS[1] + 100, &[1])), "VHX-01");
    assert_eq!(vhdx(changed(&changed(&image, TABLES[0] + 100, &[1]), TABLES[1] + 100, &[1])), "VHX-05");
    assert_eq!(vhdx_with(&[(HEADERS[1] + 8, &[1]), (HEADERS[1] + 16, &[9])]), "VHX-02");
    assert_eq!(vhdx_with(&[(TABLES[1] + 100, &[1])]), "VHX-06");
    // The second header has the higher sequence number, so it is the one that counts.
    assert_eq!(vhdx_with(&[(HEADERS[0] + 48, &[1])]), "ok");
    assert_eq!(vhdx_with(&[(HEADERS[1] + 48, &[1])]), "VHX-04");
    assert_eq!(vhdx_with(&[(HEADERS[0] + 48, &[1]), (HEADERS[0] + 8, &[9])]), "VHX-04");
}

#[test]
fn the_headers_of_a_vhdx_are_checked() {
    assert_eq!(in_headers(48, &[1]), "VHX-04");
    assert_eq!(in_headers(64, &[1]), "VHX-03");
    assert_eq!(in_headers(66, &[2]), "VHX-03");
    assert_eq!(in_headers(72, &(2_u64 << 20).to_le_bytes()), "VHX-15");
    assert_eq!(in_headers(72, &(1_u64 << 50).to_le_bytes()), "DSK-05");
    assert_eq!(in_headers(72, &u64::MAX.to_le_bytes()), "ok", "a log of no bytes after saturation is none");
    assert_eq!(in_headers(72, &4096_u64.to_le_bytes()), "VHX-07");
    assert_eq!(in_headers(68, &u32::MAX.to_le_bytes()), "VHX-07");
}

#[test]
fn regions_of_a_vhdx_are_checked() {
    assert_eq!(in_tables(8, &2048_u32.to_le_bytes()), "VHX-07");
    assert_eq!(in_tables(8, &u32::MAX.to_le_bytes()), "VHX-07");
    assert_eq!(in_tables(8, &[0]), "VHX-07");
    assert_eq!(in_tables(8, &[1]), "VHX-07");
    assert_eq!(in_tables(32, &(2_u64 << 20).to_le_bytes()), "VHX-15", "table and metadata in one place");
    assert_eq!(in_tables(32, &0_u64.to_le_bytes()), "VHX-07");
    assert_eq!(in_tables(32, &512_u64.to_le_bytes()), "VHX-07");
    assert_eq!(in_tables(32, &(1_u64 << 60).to_le_bytes()), "DSK-05");
    assert_eq!(in_tables(40, &0_u32.to_le_bytes()), "VHX-07");
    assert_eq!(in_tables(16, &[9]), "VHX-08", "a required region that is not known");
    let twice = laid_out(Target::Vhdx)[TABLES[0] + 16..TABLES[0] + 32].to_vec();
    assert_eq!(in_tables(48, &twice), "VHX-07", "two block tables");
}

#[test]
fn the_metadata_of_a_vhdx_is_checked() {
    let item = |index: usize, at: usize, bytes: &[u8]| vhdx_with(&[(METADATA + 32 + index * 32 + at, bytes)]);
    let value = |at: usize, bytes: &[u8]| vhdx_with(&[(METADATA + 65536 + at, bytes)]);
    assert_eq!(vhdx_with(&[(METADATA, b"metadat!")]), "VHX-09");
    assert_eq!(vhdx_with(&[(METADATA + 10, &[0xff, 0xff])]), "VHX-09");
    assert_eq!(vhdx_with(&[(METADATA + 10, &[1, 0])]), "VHX-09", "no size");
    assert_eq!(item(0, 0, &[1]), "VHX-08", "a required item that is not known");
    assert_eq!(item(0, 24, &[1]), "VHX-09", "a user item is not the system's");
    assert_eq!(item(0, 16, &0_u32.to_le_bytes()), "VHX-09");
    assert_eq!(item(0, 16, &u32::MAX.to_le_bytes()), "VHX-09");
    assert_eq!(item(0, 20, &u32::MAX.to_le_bytes()), "VHX-09");
    assert_eq!(item(1, 16, &65536_u32.to_le_bytes()), "VHX-09", "two items in one place");
    let locator = format_guid(0xa8d3_5f2d_b30b_454d_abf7_d3d8_4834_ab0c);
    assert_eq!(item(2, 0, &locator), "VHX-10");
    assert_eq!(value(4, &[2]), "VHX-10");
    assert_eq!(value(4, &[4]), "VHX-09");
    for block in [0_u32, 1 << 19, (1 << 20) + 1, 3 << 20, 1 << 29, u32::MAX] {
        assert_eq!(value(0, &block.to_le_bytes()), "VHX-11", "{block}");
    }
    for size in [0, 513, u64::MAX, (64 << 40) + 512] {
        assert_eq!(value(8, &size.to_le_bytes()), "DSK-06", "{size}");
    }
    assert_eq!(value(8, &(64_u64 << 40).to_le_bytes()), "VHX-12");
    for sector in [0_u32, 520, 1024, u32::MAX] {
        assert_eq!(value(32, &sector.to_le_bytes()), "VHX-11", "{sector}");
        assert_eq!(value(36, &sector.to_le_bytes()), "VHX-11", "{sector}");
    }
    assert_eq!(value(32, &4096_u32.to_le_bytes()), "DSK-06", "half a sector at the end");
}

fn format_guid(text: u128) -> Vec<u8> {
    let bytes = text.to_be_bytes();
    [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].into_iter().map(|at: usize| bytes[at]).collect()
}

#[test]
fn a_vhdx_says_how_large_its_sectors_are() {
    use super::layout::{LaidOut, layout};
    let disk = noise(4 << 20, 11);
    let whole = 0..4 << 20;
    let file = layout(Target::Vhdx, 4 << 20, std::slice::from_ref(&whole), [2; 16]).unwrap();
    let mut image = read_all(&LaidOut::new(file, Arc::new(disk.clone()))).unwrap();
    put(&mut image, METADATA + 65536 + 32, &4096_u32.to_le_bytes());
    let opened = open_bytes(image, Some(Declared::Vhdx)).unwrap();
    assert_eq!(opened.facts.sector_bytes, 4096);
    assert!(read_all(&opened).unwrap() == disk);
}

#[test]
fn blocks_of_a_vhdx_have_places_of_their_own() {
    let entry = |index: usize, entry: u64| vhdx_with(&[(BLOCKS + index * 8, &entry.to_le_bytes())]);
    for state in [1, 4, 5, 7] {
        assert_eq!(entry(0, DATA | state), "VHX-13", "state {state}");
    }
    for state in [0, 2, 3] {
        assert_eq!(entry(0, state), "ok", "state {state}");
    }
    for bit in 3..20 {
        assert_eq!(entry(0, DATA | 6 | 1 << bit), "VHX-13", "bit {bit}");
    }
    assert_eq!(entry(1, DATA | 6), "VHX-15");
    assert_eq!(entry(1, (DATA + (1 << 20)) | 6), "VHX-15");
    for at in [0, 1 << 20, 2 << 20, 3 << 20] {
        assert_eq!(entry(0, at | 6), "VHX-15", "{at}");
    }
    assert_eq!(entry(0, (1 << 50) | 6), "VHX-14");
    assert_eq!(entry(0, !0 << 20 | 6), "VHX-14");
    let image = laid_out(Target::Vhdx);
    assert_eq!(vhdx(image[..image.len() - (1 << 20)].to_vec()), "VHX-14");
}

#[test]
fn sector_bitmap_entries_stand_between_chunks_of_blocks() {
    use super::layout::{LaidOut, layout};
    let size = (4_u64 << 30) + (4 << 20);
    let last = size - 512..size;
    let file = LaidOut::new(
        layout(Target::Vhdx, size, std::slice::from_ref(&last), [1; 16]).unwrap(),
        Arc::new(made::Sparse { size, start: Vec::new(), end: vec![7; 512] }),
    );
    let image = read_all(&file).unwrap();
    let disk = open_bytes(image.clone(), Some(Declared::Vhdx)).unwrap();
    assert_eq!(disk.next_data(0).unwrap(), Some(size - (2 << 20)..size));
    let mut sector = [0; 512];
    disk.read_at(size - 512, &mut sector).unwrap();
    assert_eq!(sector, [7; 512]);
    // 2048 blocks of 2 MiB are a chunk; their sector bitmap is only there when there is a parent.
    let bitmap = |entry: u64| vhdx(changed(&image, BLOCKS + 2048 * 8, &entry.to_le_bytes()));
    assert_eq!(bitmap(7), "VHX-13");
    assert_eq!(bitmap(DATA | 6), "VHX-15");
    assert_eq!(bitmap((1 << 50) | 6), "VHX-14");
}
