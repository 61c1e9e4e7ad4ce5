//! The lines of a text, to tell in which one a credential is.

/// Counts the lines of a window of a text up to places in it. Places come nearly in order: a step back costs what is stepped
/// over, and no more.
pub struct Lines<'b> {
    bytes: &'b [u8],
    /// Up to where they are counted.
    to: usize,
    /// The line there, from 1.
    line: u64,
    /// Where bytes begin that are none of a text.
    text_end: usize,
}

impl<'b> Lines<'b> {
    /// Those of a window that begins in this line.
    pub fn of(bytes: &'b [u8], line: u64) -> Self {
        Self { bytes, to: 0, line, text_end: memchr::memchr(0, bytes).unwrap_or(bytes.len()) }
    }

    /// The line of a place, from 1; nothing where there is none, because a byte before it is none of a text.
    pub fn line_at(&mut self, at: usize) -> Option<u32> {
        if at > self.text_end {
            return None;
        }
        let ends = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count() as u64;
        if at < self.to {
            self.line -= ends(&self.bytes[at..self.to]);
        } else {
            self.line += ends(&self.bytes[self.to..at]);
        }
        self.to = at;
        u32::try_from(self.line).ok()
    }
}

/// The line in which a text goes on behind these bytes of it, which begin in another; nothing where they are none of a text.
pub fn line_behind(bytes: &[u8], line: u64) -> Option<u64> {
    let mut lines = Lines::of(bytes, line);
    lines.line_at(bytes.len()).map(|_| lines.line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_the_line_that_an_editor_shows() {
        let mut lines = Lines::of(b"a\nb\r\n\nc", 1);
        // In order, and then not.
        for (at, line) in [(0, 1), (1, 1), (2, 2), (3, 2), (5, 3), (6, 4), (2, 2), (6, 4), (0, 1)] {
            assert_eq!(lines.line_at(at), Some(line), "{at}");
        }
        assert_eq!(lines.line_at(8), None, "behind the end");
        assert_eq!(
            (line_behind(b"a\nb", 5), line_behind(b"a\n", 5), line_behind(b"", 5)),
            (Some(6), Some(6), Some(5))
        );
    }

    #[test]
    fn what_is_no_text_has_no_lines() {
        let mut lines = Lines::of(b"a\n\0\nb", 1);
        assert_eq!((lines.line_at(2), lines.line_at(4), lines.line_at(1)), (Some(2), None, Some(1)));
        assert_eq!(line_behind(b"a\0b", 1), None);
    }
}
