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

/// What is shown again begins where its first byte is, also before a file that it stands around.
#[test]
fn what_is_shown_again_is_shown_in_its_place() {
    let disk: Vec<u8> = (0..3 * WINDOW_BYTES).map(|at| (at % 251) as u8 + 1).collect();
    let mut ranges = Vec::new();
    let mut show = |part: Part<'_>| {
        assert_eq!(disk[part.range.start as usize], part.bytes[0], "{:?}", part.range);
        ranges.push((part.range, part.bytes.len(), part.carried));
    };
    let mut window = Window { show: &mut show, end: 0, bytes: Vec::new(), runs: Vec::new(), carried: 0 };
    let file = WINDOW_BYTES - 50..WINDOW_BYTES - 38;
    for run in [0..file.start, file.end..file.end + 100, file.end + 100..file.end + 100 + WINDOW_BYTES] {
        window.push(run.start as u64, &disk[run]);
    }
    window.show(0);
    let (first, second) = (file.end as u64 + 100, (file.end + 100 + WINDOW_BYTES) as u64);
    let again = first - 12 - OVERLAP_BYTES as u64;
    let whole = OVERLAP_BYTES + WINDOW_BYTES;
    assert_eq!(ranges[..2], [(0..first, WINDOW_BYTES + 50, 0), (again..second, whole, OVERLAP_BYTES)]);
}
