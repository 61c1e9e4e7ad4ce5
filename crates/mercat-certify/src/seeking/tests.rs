use super::*;
use proptest::prelude::*;
use std::io::Cursor;

#[derive(Debug, Clone)]
enum Step {
    Read(usize),
    Start(u64),
    End(i64),
    Current(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_usize..3 * AHEAD_BYTES).prop_map(Step::Read),
        (0_usize..40).prop_map(Step::Read),
        (0_u64..50_000).prop_map(Step::Start),
        (-50_000_i64..9).prop_map(Step::End),
        (-20_000_i64..20_000).prop_map(Step::Current),
    ]
}

fn all_of(reader: &mut impl Read, count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    reader.take(count as u64).read_to_end(&mut out).expect("it is in memory");
    out
}

proptest! {
    #[test]
    fn it_reads_what_a_cursor_reads(
        size in 0_usize..40_000,
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let bytes: Vec<u8> = (0..size).map(|at| ((at * 31) >> 3) as u8).collect();
        let watched = Watched::new(&bytes);
        let (mut ours, mut theirs) = (Seeking::new(&watched).expect("a length"), Cursor::new(&bytes));
        for step in steps {
            let to = match step {
                Step::Read(count) => {
                    prop_assert_eq!(all_of(&mut ours, count), all_of(&mut theirs, count));
                    continue;
                }
                Step::Start(at) => SeekFrom::Start(at),
                Step::End(by) => SeekFrom::End(by),
                Step::Current(by) => SeekFrom::Current(by),
            };
            prop_assert_eq!(ours.seek(to).ok(), theirs.seek(to).ok());
        }
        prop_assert!(watched.failed().is_none());
    }
}

#[test]
fn the_first_failure_is_kept() {
    struct Broken;
    impl Positioned for Broken {
        fn read_exact_at(&self, _: &mut [u8], offset: u64) -> io::Result<()> {
            Err(io::Error::other(format!("nothing at {offset}")))
        }
        fn length(&self) -> io::Result<u64> {
            Ok(100)
        }
    }
    let watched = Watched::new(&Broken);
    let mut reader = Seeking::new(&watched).expect("a length");
    for at in [7, 9] {
        reader.seek(SeekFrom::Start(at)).expect("a place");
        assert!(reader.read(&mut [0; 4]).is_err());
    }
    assert_eq!(watched.failed().map(|error| error.to_string()), Some("nothing at 7".to_owned()));
}
