use super::*;

#[test]
fn what_is_read_stands_behind_what_was_kept() {
    let mut window = Window::of(10);
    let mut reader: &[u8] = b"abcdefghijkl";
    assert!(window.read(&mut reader, 8).expect("reads"));
    let mut next = Window::of(10);
    next.begin_with(&window[5..]);
    assert_eq!(&*next, b"fgh");
    assert!(!next.read(&mut reader, 7).expect("reads"));
    assert_eq!(&*next, b"fghijkl");
    next.truncate(3);
    assert_eq!(&*next, b"fgh");
    next.begin_with(b"0123456789ab");
    assert_eq!(&*next, b"0123456789");
}

#[test]
fn the_last_bytes_stay_and_more_is_read_behind_them() {
    let mut window = Window::of(10);
    let mut reader: &[u8] = b"abcdefghijkl";
    assert!(window.read(&mut reader, 8).expect("reads"));
    window.keep_last(3);
    assert_eq!(&*window, b"fgh");
    assert!(!window.read(&mut reader, 7).expect("reads"));
    assert_eq!(&*window, b"fghijkl");
    window.keep_last(10);
    assert_eq!(&*window, b"fghijkl");
    window.keep_last(0);
    assert_eq!(&*window, b"");
}

#[test]
fn bytes_before_an_error_stay() {
    struct Broken(u8);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => Err(io::ErrorKind::Interrupted.into()),
                2 => {
                    buffer[0] = b'a';
                    Ok(1)
                }
                _ => Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
    let mut window = Window::of(4);
    assert!(window.read(&mut Broken(0), 4).is_err());
    assert_eq!(&*window, b"a");
}

#[test]
fn one_for_few_bytes_takes_as_many_as_come() {
    let bytes = b"abcdefghijkl";
    for size in 1..14 {
        for most in 1..14 {
            let mut window = Window::of(size);
            let all = window.read(&mut &bytes[..], most).expect("reads");
            assert_eq!((all, &*window), (most <= 12, &bytes[..most.min(12)]), "{size} {most}");
        }
    }
}
