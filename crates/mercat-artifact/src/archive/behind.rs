//! Archives behind scripts: installers that unpack themselves.

/// Where something other than text may begin in a script: the line in which the first byte is that is none, and that
/// byte. Nothing for what is no script, and for a script that is text.
pub fn in_script(head: &[u8]) -> [Option<usize>; 2] {
    if !head.starts_with(b"#!") {
        return [None, None];
    }
    let text = match std::str::from_utf8(head) {
        Ok(_) => head.len(),
        // A window may end inside of a character.
        Err(error) if error.error_len().is_none() => head.len(),
        Err(error) => error.valid_up_to(),
    };
    let is_control = |byte: &u8| matches!(byte, 0..=7 | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f);
    let binary = head[..text].iter().position(is_control).unwrap_or(text);
    if binary == head.len() {
        return [None, None];
    }
    let line = head[..binary].iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
    [line, Some(binary)]
}
