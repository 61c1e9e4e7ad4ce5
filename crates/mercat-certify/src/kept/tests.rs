use super::*;
use proptest::prelude::*;

fn bytes(kept: Kept<'_>) -> Vec<u8> {
    kept.finish().read().expect("read").into_owned()
}

fn scratch(files: usize) -> Scratch {
    Scratch::new((0..files).map(|_| tempfile::tempfile().expect("a file")).collect())
}

proptest! {
    #[test]
    fn what_is_outside_of_holes_is_kept(
        content in proptest::collection::vec(1_u8.., 1..400),
        step in 1_usize..90,
        marks in proptest::collection::btree_set(0_usize..400, 0..9),
    ) {
        let marks: Vec<usize> = marks.into_iter().collect();
        let holes: Vec<Range<usize>> = marks.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect();
        let in_hole = |at: usize| holes.iter().any(|hole| hole.contains(&at));
        let wanted: Vec<u8> =
            content.iter().enumerate().map(|(at, byte)| if in_hole(at) { 0 } else { *byte }).collect();
        let scratch = scratch(1);
        let share = scratch.share();
        let lent = || share.lend(NEEDED_BYTES_MIN).expect("one is free");
        let size = content.len() as u64;
        // The second time it is the same file, in which another stood.
        for mut kept in [
            Kept::sparse(size, holes.clone()),
            Kept::lent(lent(), size + 9, Vec::new()),
        ] {
            let holes_count = kept.holes.len();
            content.chunks(step).for_each(|part| kept.push(part));
            prop_assert_eq!(bytes(kept), if holes_count == 0 { content.clone() } else { wanted.clone() });
        }
        let mut kept = Kept::lent(lent(), size, holes.clone());
        content.chunks(step).for_each(|part| kept.push(part));
        prop_assert_eq!(bytes(kept), wanted);
    }
}

#[test]
fn files_are_lent_to_large_programs_while_there_are_some_and_come_back_empty() {
    let scratch = scratch(2);
    let share = scratch.share();
    assert!(share.lend(LARGE_BYTES_MIN - 1).is_none());
    let (mut first, second) = (share.lend(NEEDED_BYTES_MIN), share.lend(u64::MAX));
    assert!(first.is_some() && second.is_some());
    assert!(share.lend(NEEDED_BYTES_MIN).is_none());
    let mut kept = Kept::lent(first.take().expect("lent"), 3, Vec::new());
    kept.push(b"abc");
    drop(kept);
    assert_eq!(share.lend(NEEDED_BYTES_MIN).expect("lent").length().expect("a length"), 0);
}

#[test]
fn what_memory_has_room_for_leaves_files_to_large_programs_and_disks() {
    let scratch = scratch(SHARE_FILES);
    let share = scratch.share();
    assert!(share.lend_spare(LARGE_BYTES_MIN - 1).is_none());
    let spare: Vec<_> = std::iter::from_fn(|| share.lend_spare(u64::MAX)).collect();
    assert_eq!(spare.len(), SHARE_FILES - RESERVED_FILES);
    assert!(share.lend(NEEDED_BYTES_MIN - 1).is_none());
    let needed: Vec<_> = std::iter::from_fn(|| share.lend(NEEDED_BYTES_MIN)).collect();
    assert_eq!(needed.len(), RESERVED_FILES);
}

#[test]
fn what_one_layer_holds_takes_nothing_from_another() {
    let scratch = scratch(2 * SHARE_FILES + 1);
    let (one, other) = (scratch.share(), scratch.share());
    let all = |share: &Share<'_>| std::iter::from_fn(|| share.lend(u64::MAX)).collect::<Vec<_>>().len();
    let held = one.lend(u64::MAX).expect("one is free");
    assert_eq!((all(&other), all(&one)), (SHARE_FILES, SHARE_FILES - 1));
    // With more layers at work than there are shares, the next waits for one; a file that is still out keeps its share.
    std::thread::scope(|scope| {
        drop(one);
        let third = scope.spawn(|| all(&scratch.share()));
        let fourth = scope.spawn(|| all(&scratch.share()));
        drop((other, held));
        for waited in [third, fourth] {
            assert_eq!(waited.join().expect("no panic"), SHARE_FILES);
        }
    });
    assert_eq!(all(&Scratch::default().share()), 0);
}

#[test]
fn a_file_that_cannot_be_written_is_told() {
    let readable = tempfile::NamedTempFile::new().expect("a file");
    let scratch = Scratch::new(vec![File::open(readable.path()).expect("opened")]);
    let share = scratch.share();
    let mut kept = Kept::lent(share.lend(NEEDED_BYTES_MIN).expect("lent"), 3, Vec::new());
    kept.push(b"abc");
    assert!(matches!(kept.finish(), Bytes::Lent(Err(_))));
    assert!(share.lend(NEEDED_BYTES_MIN).is_none(), "one that cannot be emptied is not lent again");
}
