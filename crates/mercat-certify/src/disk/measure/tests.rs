use super::*;

#[test]
fn data_is_counted_in_blocks_and_all_of_the_extent_is_told() {
    let mut disk = vec![0_u8; 9 << 20];
    disk[5 << 20] = 1;
    let mut told = 0;
    let measure = measure(&disk, &mut |bytes| told += bytes).expect("reads");
    assert_eq!((measure.data_bytes, told), (4096, 9 << 20));
    assert_eq!(measure.digest, mercat_disk::digest::disk_digest(&disk).expect("reads"));
}
