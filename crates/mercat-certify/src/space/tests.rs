use super::*;
use proptest::prelude::*;

/// Bytes of the disk in the tests, with data everywhere.
const BYTES: u64 = 3 << 20;

proptest! {
    /// However a disk is cut, each byte that no file has is shown once as new, in its place, and no other.
    #[test]
    fn every_byte_beside_files_is_shown_once(
        cuts in proptest::collection::vec((0..BYTES, 1..400_000_u64), 0..40),
        most in 1..20_usize,
    ) {
        let disk: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8 + 1).collect();
        let given: Vec<Range<u64>> = cuts.iter().map(|(start, length)| *start..(start + length).min(BYTES)).collect();
        let mut free = vec![1_u8; disk.len()];
        for range in &given {
            free[range.start as usize..range.end as usize].fill(0);
        }
        let wanted = free.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        let pieces = pieces(BYTES, given, most);
        prop_assert!(pieces.len() <= most.max(1));
        let mut fresh = 0;
        for piece in &pieces {
            each_part(&disk, piece, &mut |part| {
                fresh += (part.bytes.len() - part.carried) as u64;
                assert!(part.range.end <= BYTES);
                // A run that no file has stands in one part as it stands on the disk.
                let start = part.range.start as usize;
                if part.range.end - part.range.start == part.bytes.len() as u64 {
                    assert_eq!(&disk[start..start + part.bytes.len()], part.bytes);
                }
            }).expect("reads");
        }
        prop_assert_eq!(fresh, wanted);
    }
}
