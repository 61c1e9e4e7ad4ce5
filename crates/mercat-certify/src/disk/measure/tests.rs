use super::*;

fn measured(disk: &Vec<u8>) -> (Measure, u64) {
    let mut told = 0;
    let stretches = stretches(disk).expect("reads");
    let parts =
        stretches.iter().map(|stretch| measure(disk, stretch, &mut |bytes| told += bytes).expect("reads"));
    (whole(disk, &parts.collect::<Vec<_>>()), told)
}

#[test]
fn data_is_counted_in_blocks_and_all_of_the_extent_is_told() {
    let mut disk = vec![0_u8; 9 << 20];
    disk[5 << 20] = 1;
    let (measure, told) = measured(&disk);
    assert_eq!((measure.data_bytes, told), (4096, 9 << 20));
    assert_eq!(measure.digest, mercat_disk::digest::disk_digest(&disk).expect("reads"));
}

#[test]
fn the_digest_does_not_depend_on_stretches() {
    let stretch = usize::try_from(STRETCH_BYTES).expect("small");
    let mut disk = vec![0_u8; 2 * stretch + 512];
    for at in [0, stretch - 1, stretch, 2 * stretch - 4097, 2 * stretch + 511] {
        disk[at] = 7;
    }
    let (measure, _) = measured(&disk);
    assert_eq!(measure.digest, mercat_disk::digest::disk_digest(&disk).expect("reads"));
    assert_eq!(measured(&Vec::new()).0.digest, mercat_disk::digest::disk_digest(&Vec::new()).expect("reads"));
}
