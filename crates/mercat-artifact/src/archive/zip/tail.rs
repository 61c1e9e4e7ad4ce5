//! Whether a file ends as a zip, told by its last bytes alone.

/// Whether the end of a file looks like the end of a zip archive (APPNOTE 4.3.16). The four bytes alone
/// are in every program that reads zip; an archive has a central directory in front of them.
/// `whole` says that the bytes are all of the file.
pub fn has_tail(tail: &[u8], whole: bool) -> bool {
    end_records(tail).any(|(at, end)| has_directory(&tail[..at], end, whole))
}

/// Whether the end record of a zip stands at the very end of a file, of which these are the last bytes.
pub fn ends_here(tail: &[u8]) -> bool {
    end_records(tail).any(|(at, end)| {
        let comment = usize::from(end[20]) | usize::from(end[21]) << 8;
        at + end.len() + comment == tail.len() && has_directory(&tail[..at], end, false)
    })
}

/// What may be the end record of a zip, without its comment, and where.
fn end_records(tail: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    const END_BYTES: usize = 22;
    let from = tail.len().saturating_sub(END_BYTES + 65_535);
    let ends = memchr::memmem::find_iter(&tail[from..], b"PK\x05\x06").map(move |at| from + at);
    ends.filter_map(|at| Some((at, tail.get(at..at + END_BYTES)?)))
}

/// Whether the bytes in front of an end record can be the central directory that it tells of.
fn has_directory(before: &[u8], end: &[u8], whole: bool) -> bool {
    let number = |at: usize| {
        end.iter().skip(at).take(2).rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let (entries, size) = (number(10), number(12) | number(14) << 16);
    // Of a zip64 archive the numbers are elsewhere; of a large one the directory may begin before the window.
    let elsewhere = entries == 0xffff || size == 0xffff_ffff;
    match before.len().checked_sub(size) {
        _ if elsewhere || ends_with_entry(before) => true,
        _ if entries == 0 => false,
        None => !whole,
        Some(start) => before[start..].starts_with(b"PK\x01\x02"),
    }
}

/// Whether the last entry of a central directory ends here: some readers do not care what the end record says of it.
fn ends_with_entry(before: &[u8]) -> bool {
    const FIXED_BYTES: usize = 46;
    /// Entries that are tried, from the end.
    const TRIED_MAX: usize = 64;
    let tried = memchr::memmem::rfind_iter(before, b"PK\x01\x02").take(TRIED_MAX);
    tried.filter_map(|at| Some((at, before.get(at..at + FIXED_BYTES)?))).any(|(at, entry)| {
        let number = |from: usize| usize::from(entry[from]) | usize::from(entry[from + 1]) << 8;
        at + FIXED_BYTES + number(28) + number(30) + number(32) == before.len()
    })
}
