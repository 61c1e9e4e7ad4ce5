//! The lines of a text.

/// Counts the lines of a text up to places in it, each byte about once when the places come in order.
pub(crate) struct Lines<'b> {
    bytes: &'b [u8],
    /// Up to where they are counted.
    to: usize,
    /// The line there, from 1.
    line: u32,
}

impl<'b> Lines<'b> {
    /// Those of a text, from its first byte.
    pub(crate) fn of(bytes: &'b [u8]) -> Self {
        Self { bytes, to: 0, line: 1 }
    }

    /// The line of a place, from 1; nothing where there is none, because a byte before it is none of a text.
    pub(crate) fn line_at(&mut self, at: usize) -> Option<u32> {
        if at < self.to {
            (self.to, self.line) = (0, 1);
        }
        let between = self.bytes.get(self.to..at)?;
        if memchr::memchr(0, between).is_some() {
            return None;
        }
        self.line =
            self.line.saturating_add(u32::try_from(memchr::memchr_iter(b'\n', between).count()).ok()?);
        self.to = at;
        Some(self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_the_line_that_an_editor_shows() {
        let mut lines = Lines::of(b"a\nb\r\n\nc");
        // In order, and then not.
        for (at, line) in [(0, 1), (1, 1), (2, 2), (3, 2), (5, 3), (6, 4), (2, 2), (6, 4), (0, 1)] {
            assert_eq!(lines.line_at(at), Some(line), "{at}");
        }
        assert_eq!(lines.line_at(8), None, "behind the end");
    }

    #[test]
    fn what_is_no_text_has_no_lines() {
        let mut lines = Lines::of(b"a\n\0\nb");
        assert_eq!((lines.line_at(2), lines.line_at(4), lines.line_at(1)), (Some(2), None, Some(1)));
    }
}
