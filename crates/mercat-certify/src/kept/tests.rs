use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn what_is_outside_of_holes_is_kept(
        bytes in proptest::collection::vec(1_u8.., 1..400),
        step in 1_usize..90,
        marks in proptest::collection::btree_set(0_usize..400, 0..9),
    ) {
        let marks: Vec<usize> = marks.into_iter().collect();
        let holes: Vec<Range<usize>> = marks.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect();
        let mut kept = Kept::sparse(bytes.len() as u64, holes.clone());
        bytes.chunks(step).for_each(|part| kept.push(part));
        let in_hole = |at: usize| holes.iter().any(|hole| hole.contains(&at));
        let wanted: Vec<u8> =
            bytes.iter().enumerate().map(|(at, byte)| if in_hole(at) { 0 } else { *byte }).collect();
        prop_assert_eq!(kept.into_bytes(), wanted);
    }
}
