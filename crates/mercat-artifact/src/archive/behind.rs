//! Archives behind scripts and programs: installers that unpack themselves.

/// Where the first byte is that is no text; nothing where all is text, of which the last character may be cut.
pub fn first_binary(bytes: &[u8]) -> Option<usize> {
    let (text, is_broken) = match std::str::from_utf8(bytes) {
        Ok(text) => (text.len(), false),
        Err(error) => (error.valid_up_to(), error.error_len().is_some()),
    };
    let is_control = |byte: &u8| matches!(byte, 0..=7 | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f);
    bytes[..text].iter().position(is_control).or(is_broken.then_some(text))
}

/// Bytes by which the head of compressed data is told.
pub const HEAD_BYTES: usize = 10;

/// Where compressed data begins somewhere in other bytes, by heads that chance hardly makes.
pub fn search(bytes: &[u8]) -> Option<usize> {
    let is_head = |at: &usize| match &bytes[*at..] {
        // Without or with a name, no other flags; a level and a system that there are (RFC 1952, 2.3.1).
        [0x1f, 0x8b, 8, 0 | 8, _, _, _, _, 0 | 2 | 4, 0..=13 | 255, ..] => true,
        [0xfd, b'7', b'z', b'X', b'Z', 0, 0, ..] => true,
        [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', b'S', b'Y', ..] => true,
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, 0, ..] => true,
        // The reserved bit of the frame's head is zero (RFC 8878, 3.1.1.1.1).
        [0x28, 0xb5, 0x2f, 0xfd, head, ..] => head & 0x08 == 0,
        _ => false,
    };
    let firsts = memchr::memchr3_iter(0x1f, 0xfd, b'B', bytes);
    let others = memchr::memchr2_iter(b'7', 0x28, bytes);
    firsts.filter(|at| is_head(at)).take(1).chain(others.filter(|at| is_head(at)).take(1)).min()
}
