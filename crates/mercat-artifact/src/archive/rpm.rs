//! RPM packages, versions 3 and 4 (rpm file format: lead, signature, header, payload).
//!
//! | code | meaning |
//! |---|---|
//! | `RPM-01` | not an rpm package |
//! | `RPM-02` | a header without its magic |
//! | `RPM-03` | a header of more than [`HEADER_BYTES_MAX`] bytes or [`HEADER_ENTRIES_MAX`] entries |
//! | `RPM-05` | the package ends inside a header |

use super::member::Source;
use super::{Member, Visit};
use crate::ReadError;
use std::io::Read;

/// Bytes of one header, most (the limit of rpm itself).
pub const HEADER_BYTES_MAX: u64 = 256 << 20;
/// Entries of one header, most (the limit of rpm itself).
pub const HEADER_ENTRIES_MAX: u64 = 0xffff;
/// The name under which the payload is shown: a cpio archive, usually compressed.
pub const PAYLOAD: &str = "payload";

const LEAD: u64 = 96;

/// Shows the payload, compressed as it is: the visitor tells its format as of any file. The headers are
/// not shown.
///
/// # Errors
/// A refusal with one of the codes above, or what the reader or visitor gave.
pub fn walk(reader: &mut dyn Read, visit: &mut Visit<'_>) -> Result<(), ReadError> {
    let mut source = Source::new(reader, "RPM-05");
    let mut lead = [0; 5];
    source.fill(&mut lead)?;
    if !matches!(lead, [0xed, 0xab, 0xee, 0xdb, 3 | 4]) {
        return Err(source.refused("RPM-01", "not an rpm package of version 3 or 4"));
    }
    source.skip(LEAD - 5, "the lead")?;
    let bytes = header(&mut source)?;
    source.skip((8 - bytes % 8) % 8, "the padding of the signature")?;
    header(&mut source)?;
    let mut payload = Payload(&mut source);
    visit(Member { name: PAYLOAD, size: None }, &mut payload)?;
    std::io::copy(&mut payload, &mut std::io::sink())?;
    Ok(())
}

struct Payload<'s, 'r>(&'s mut Source<'r>);

impl Read for Payload<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        Ok(self.0.fill(buffer)?)
    }
}

/// Passes over a header; gives the bytes of its store.
fn header(source: &mut Source<'_>) -> Result<u64, ReadError> {
    let mut intro = [0; 16];
    source.exact(&mut intro, "a header")?;
    if intro[..4] != [0x8e, 0xad, 0xe8, 1] {
        return Err(source.refused("RPM-02", "a header without its magic"));
    }
    let number = |at: usize| intro[at..at + 4].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let (entries, bytes) = (number(8), number(12));
    if entries > HEADER_ENTRIES_MAX || bytes > HEADER_BYTES_MAX {
        let what = format!(
            "a header of {entries} entries and {bytes} bytes; at most {HEADER_ENTRIES_MAX} entries and \
             {HEADER_BYTES_MAX} bytes are read"
        );
        return Err(source.refused("RPM-03", what));
    }
    source.skip(entries * 16 + bytes, "a header")?;
    Ok(bytes)
}
