use super::is_class;

#[test]
fn four_bytes_make_no_class() {
    assert!(is_class(b"\xca\xfe\xba\xbe\0\0\0\x34\0\x1d"));
    assert!(is_class(b"\xca\xfe\xba\xbe\xff\xff\0\x41\x01\0"), "a preview of Java 21");
    for other in
        [&b"\xca\xfe\xba\xbe\n-----BEGIN"[..], b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbe\0\0\0\x34\0\0"]
    {
        assert!(!is_class(other), "{other:?}");
    }
}
