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
    assert!(!next.read(&mut &b"0123456789"[..], 8).expect("reads"), "there is room for seven");
    assert_eq!(&*next, b"fgh0123456");
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
