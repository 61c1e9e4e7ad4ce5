use super::*;
use proptest::prelude::*;

fn places(bytes: &[u8], range: Range<u64>, needle: &[u8], max: usize) -> Vec<u64> {
    let mut out = Vec::new();
    let nothing = first_place(&bytes, range, needle, max, |at| {
        out.push(at);
        Ok(None::<()>)
    });
    assert_eq!(nothing, Ok(None));
    out
}

#[test]
fn a_needle_is_found_across_borders_and_once() {
    let border = SEARCHED_BYTES as usize;
    for at in [0, 1, border - 6, border - 5, border - 1, border, border + 1, 2 * border - 3] {
        let mut bytes = vec![0; 3 * border];
        bytes[at..at + 6].copy_from_slice(b"needle");
        let end = bytes.len() as u64;
        assert_eq!(places(&bytes, 0..end, b"needle", 9), [at as u64]);
        assert_eq!(places(&bytes, at as u64 + 1..end, b"needle", 9), [0_u64; 0]);
        assert_eq!(places(&bytes, 0..at as u64 + 5, b"needle", 9), [0_u64; 0]);
    }
}

#[test]
fn no_more_places_are_looked_at_than_asked_for() {
    assert_eq!(places(b"needle needle needle", 0..20, b"needle", 2), [0, 7]);
}

#[test]
fn headers_are_bounded_and_errors_of_the_disk_are_not_the_programs() {
    struct Failing;
    impl Positioned for Failing {
        fn read_exact_at(&self, _: &mut [u8], _: u64) -> std::io::Result<()> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn length(&self) -> std::io::Result<u64> {
            Ok(u64::MAX)
        }
    }
    let headers = Headers::of(&Failing);
    assert_eq!(headers.source().read_exact(&mut [0; 8]), Err(()));
    assert!(matches!(headers.check(), Err(Broken::Unread(_))));

    let bytes = vec![0; 1 << 20];
    let (program, mut all) = (&bytes[..], vec![0; 1 << 20]);
    let headers = Headers::of(&program);
    for _ in 0..HEADER_BYTES_MAX >> 20 {
        assert_eq!(headers.source().read_exact(&mut all), Ok(()));
    }
    assert_eq!(headers.check(), Ok(()));
    assert_eq!(headers.source().read_exact(&mut [0; 1]), Err(()));
    assert!(matches!(headers.check(), Err(Broken::Beyond(_))));

    let outside = Headers::of(&program);
    let mut source = outside.source();
    assert_eq!(source.seek(u64::MAX), Ok(u64::MAX));
    assert_eq!(source.read_exact(&mut [0; 8]), Err(()));
    assert_eq!(outside.check(), Ok(()), "what leads out of a file says nothing of the disk");
}

proptest! {
    #[test]
    fn a_part_is_that_part(bytes in prop::collection::vec(any::<u8>(), 0..64), start in 0_u64..64, count in 0_u64..64, at in 0_u64..80, wanted in 0_usize..80) {
        let end = start.saturating_add(count).min(bytes.len() as u64);
        let start = start.min(end);
        let inner = &bytes[start as usize..end as usize];
        let part = Part { program: &bytes, start, bytes: inner.len() as u64 };
        let (mut ours, mut plain) = (vec![0; wanted], vec![0; wanted]);
        let read = part.read_exact_at(&mut ours, at).is_ok();
        prop_assert_eq!(read, inner.read_exact_at(&mut plain, at).is_ok());
        prop_assert_eq!(ours, plain);
    }
}
