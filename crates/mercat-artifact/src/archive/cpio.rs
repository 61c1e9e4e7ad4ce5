//! cpio (cpio(5)): newc and crc of System V, odc of POSIX.1; several archives in a row, as the Linux kernel
//! reads an initial RAM disk.
//!
//! | code | meaning |
//! |---|---|
//! | `CPIO-01` | not a cpio archive, or no entry where one must stand |
//! | `CPIO-02` | a number that is none |
//! | `CPIO-03` | a name that is empty, not ended, holds a NUL, or is longer than [`NAME_BYTES_MAX`] |
//! | `CPIO-04` | more than [`MEMBERS_MAX`] entries |
//! | `CPIO-05` | the archive ends inside an entry |
//! | `CPIO-06` | the checksum of an entry is wrong |
//! | `CPIO-07` | a trailer with content |
//! | `CPIO-08` | an entry of an rpm whose names and sizes are in the package's header |

use super::member::{Source, text};
use super::{MEMBERS_MAX, Member, NAME_BYTES_MAX, Visit};
use crate::ReadError;
use std::io::Read;

/// The name of what stands behind the trailer and is no cpio: in an initial RAM disk, another one,
/// compressed.
pub const BEHIND: &str = "behind-the-trailer";

const TRAILER: &[u8] = b"TRAILER!!!";
const KIND_MASK: u64 = 0o170_000;
const SYMLINK: u64 = 0o120_000;

#[derive(PartialEq)]
enum Form {
    Newc,
    Crc,
    Odc,
}

struct Entry {
    mode: u64,
    size: u64,
    check: u32,
    name: Vec<u8>,
    form: Form,
}

/// Walks the entries with content; targets of symbolic links are not shown.
///
/// # Errors
/// A refusal with one of the codes above, or what the reader or visitor gave.
pub fn walk(reader: &mut dyn Read, visit: &mut Visit<'_>) -> Result<(), ReadError> {
    let mut source = Source::new(reader, "CPIO-05");
    let mut magic = [0; 6];
    if source.fill(&mut magic)? < 6 {
        return Err(source.refused("CPIO-01", "not a cpio archive"));
    }
    for _ in 0..=MEMBERS_MAX {
        let entry = header(&mut source, &magic)?;
        if entry.name == TRAILER {
            if entry.size != 0 {
                return Err(source.refused("CPIO-07", "a trailer with content"));
            }
            match behind(&mut source, visit)? {
                Some(next) => magic = next,
                None => return Ok(()),
            }
            continue;
        }
        content(&mut source, &entry, visit)?;
        source.exact(&mut magic, "the list of entries, before the trailer")?;
    }
    Err(source.refused("CPIO-04", format!("more than {MEMBERS_MAX} entries")))
}

fn content(source: &mut Source<'_>, entry: &Entry, visit: &mut Visit<'_>) -> Result<(), ReadError> {
    let name = text(&entry.name);
    let mut body = source.body(entry.size, &name);
    let kind = entry.mode & KIND_MASK;
    // Whatever carries bytes is shown, also where the kind of file has none.
    if kind != SYMLINK && (entry.size > 0 || kind == 0o100_000) {
        visit(Member { name: &name, size: Some(entry.size) }, &mut body)?;
    }
    body.drain()?;
    let sum = body.sum;
    if entry.form == Form::Crc && kind == 0o100_000 && sum != entry.check && entry.size > 0 {
        return Err(source.refused("CPIO-06", format!("the checksum of {name:?} is wrong")));
    }
    pad(source, &entry.form, entry.size)
}

/// Passes over the zeros behind a trailer. Gives the first bytes of another archive.
fn behind(source: &mut Source<'_>, visit: &mut Visit<'_>) -> Result<Option<[u8; 6]>, ReadError> {
    let mut byte = [0];
    loop {
        if source.fill(&mut byte)? == 0 {
            return Ok(None);
        }
        if byte[0] != 0 {
            break;
        }
    }
    let mut magic = [byte[0], 0, 0, 0, 0, 0];
    let have = 1 + source.fill(&mut magic[1..])?;
    if have == 6 && (magic[..5] == *b"07070") {
        return Ok(Some(magic));
    }
    let mut rest = Rest { head: &magic[..have], source };
    visit(Member { name: BEHIND, size: None }, &mut rest)?;
    std::io::copy(&mut rest, &mut std::io::sink())?;
    Ok(None)
}

struct Rest<'b, 's, 'r> {
    head: &'b [u8],
    source: &'s mut Source<'r>,
}

impl Read for Rest<'_, '_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.head.is_empty() {
            return Ok(self.source.fill(buffer)?);
        }
        self.head.read(buffer)
    }
}

fn header(source: &mut Source<'_>, magic: &[u8; 6]) -> Result<Entry, ReadError> {
    match magic {
        b"070701" => newc(source, Form::Newc),
        b"070702" => newc(source, Form::Crc),
        b"070707" => odc(source),
        b"07070X" => Err(source.refused("CPIO-08", "an entry without name and size of its own")),
        _ => Err(source.refused("CPIO-01", "bytes that begin no cpio entry")),
    }
}

fn newc(source: &mut Source<'_>, form: Form) -> Result<Entry, ReadError> {
    let mut fields = [0; 104];
    source.exact(&mut fields, "an entry's header")?;
    let field = |at: usize| hexadecimal(&fields[at * 8..at * 8 + 8]);
    let numbers = (field(1), field(6), field(11), field(12));
    let (Some(mode), Some(size), Some(length), Some(check)) = numbers else {
        return Err(source.refused("CPIO-02", "a number that is not hexadecimal"));
    };
    let name = name(source, length)?;
    // The header and the name together end at a multiple of four.
    let over = (110 + length) % 4;
    source.skip((4 - over) % 4, "the padding of a name")?;
    Ok(Entry { mode, size, check: u32::try_from(check).unwrap_or(0), name, form })
}

fn odc(source: &mut Source<'_>) -> Result<Entry, ReadError> {
    let mut fields = [0; 70];
    source.exact(&mut fields, "an entry's header")?;
    let numbers = (octal(&fields[12..18]), octal(&fields[53..59]), octal(&fields[59..70]));
    let (Some(mode), Some(length), Some(size)) = numbers else {
        return Err(source.refused("CPIO-02", "a number that is not octal"));
    };
    let name = name(source, length)?;
    Ok(Entry { mode, size, check: 0, name, form: Form::Odc })
}

fn name(source: &mut Source<'_>, length: u64) -> Result<Vec<u8>, ReadError> {
    let fits = usize::try_from(length).ok().filter(|length| (2..=NAME_BYTES_MAX + 1).contains(length));
    let Some(length) = fits else {
        let what = format!("a name of {length} bytes; 1 to {NAME_BYTES_MAX} are read");
        return Err(source.refused("CPIO-03", what));
    };
    let mut name = source.bytes(length, "a name")?;
    if name.pop() != Some(0) || name.contains(&0) {
        return Err(source.refused("CPIO-03", "a name that does not end with its only NUL"));
    }
    Ok(name)
}

fn pad(source: &mut Source<'_>, form: &Form, size: u64) -> Result<(), ReadError> {
    match form {
        Form::Odc => Ok(()),
        Form::Newc | Form::Crc => source.skip((4 - size % 4) % 4, "the padding of an entry"),
    }
}

fn hexadecimal(field: &[u8]) -> Option<u64> {
    number(field, 16)
}

fn octal(field: &[u8]) -> Option<u64> {
    number(field, 8)
}

/// Digits only: no sign, no blanks.
fn number(field: &[u8], radix: u32) -> Option<u64> {
    field.iter().try_fold(0_u64, |sum, byte| {
        let digit = char::from(*byte).to_digit(radix)?;
        Some(sum * u64::from(radix) + u64::from(digit))
    })
}
