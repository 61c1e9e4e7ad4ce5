//! Unix `ar` (ar(5), System V/GNU and BSD long names): static libraries and Debian packages.
//!
//! | code | meaning |
//! |---|---|
//! | `AR-01` | not an ar archive |
//! | `AR-02` | a member header without its end mark, or with a number that is none |
//! | `AR-03` | a long name that cannot be found, is too long, or a table of names that is |
//! | `AR-04` | more than [`MEMBERS_MAX`] members |
//! | `AR-05` | the archive ends inside a member |
//! | `AR-06` | a thin archive: the members are in other files |

use super::member::{Source, text};
use super::{MEMBERS_MAX, Member, NAME_BYTES_MAX, Visit};
use crate::ReadError;
use std::io::Read;

const HEADER: usize = 60;
/// Bytes of the table of long names, most.
const TABLE_BYTES_MAX: u64 = 16 << 20;

/// Walks the members. Symbol tables and the table of names are shown as members too: nothing else looks into them, so
/// that something could be hidden there.
///
/// # Errors
/// A refusal with one of the codes above, or what the reader or visitor gave.
pub fn walk(reader: &mut dyn Read, visit: &mut Visit<'_>) -> Result<(), ReadError> {
    let mut source = Source::new(reader, "AR-05");
    let mut magic = [0; 8];
    source.fill(&mut magic)?;
    match &magic {
        b"!<arch>\n" => {}
        b"!<thin>\n" => return Err(source.refused("AR-06", "a thin archive names files outside itself")),
        _ => return Err(source.refused("AR-01", "not an ar archive")),
    }
    let mut table: Option<Vec<u8>> = None;
    for _ in 0..=MEMBERS_MAX {
        let mut header = [0; HEADER];
        match source.fill(&mut header)? {
            0 => return Ok(()),
            HEADER => {}
            // A stray newline pads some archives.
            1 if header[0] == b'\n' => return Ok(()),
            _ => return Err(source.refused("AR-05", "the archive ends inside a member header")),
        }
        if header[58..] != *b"`\n" {
            return Err(source.refused("AR-02", "a member header without its end mark"));
        }
        let Some(size) = decimal(&header[48..58]) else {
            return Err(source.refused("AR-02", "a member size that is no decimal number"));
        };
        member(&mut source, &header[..16], size, &mut table, visit)?;
        if size % 2 == 1 {
            source.fill(&mut [0])?;
        }
    }
    Err(source.refused("AR-04", format!("more than {MEMBERS_MAX} members")))
}

fn member(
    source: &mut Source<'_>,
    field: &[u8],
    size: u64,
    table: &mut Option<Vec<u8>>,
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    let field = field.trim_ascii_end();
    match field {
        b"/" | b"/SYM64/" => show(source, field, size, visit),
        b"//" => {
            if table.is_some() {
                return Err(source.refused("AR-03", "two tables of long names"));
            }
            if size > TABLE_BYTES_MAX {
                let what =
                    format!("a table of long names of {size} bytes, more than {TABLE_BYTES_MAX} bytes");
                return Err(source.refused("AR-03", what));
            }
            let names = source.bytes(usize::try_from(size).unwrap_or(0), "the table of names")?;
            visit(Member { name: "//", size: Some(size) }, &mut &names[..])?;
            *table = Some(names);
            Ok(())
        }
        [b'#', b'1', b'/', digits @ ..] => {
            let length = decimal(digits).filter(|length| *length <= size && *length <= NAME_BYTES_MAX as u64);
            let Some(length) = length else {
                let what = format!("a name longer than its member or than {NAME_BYTES_MAX} bytes");
                return Err(source.refused("AR-03", what));
            };
            let name = source.bytes(usize::try_from(length).unwrap_or(0), "a name")?;
            let end = name.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            show(source, &name[..end], size - length, visit)
        }
        [b'/', digits @ ..] => {
            let name = decimal(digits).and_then(|at| long_name(table.as_deref()?, at));
            let Some(name) = name.map(<[u8]>::to_vec) else {
                return Err(source.refused("AR-03", format!("no long name for {:?}", text(field))));
            };
            show(source, &name, size, visit)
        }
        _ => show(source, field.strip_suffix(b"/").unwrap_or(field), size, visit),
    }
}

fn long_name(table: &[u8], at: u64) -> Option<&[u8]> {
    let rest = table.get(usize::try_from(at).ok()?..)?;
    let rest = &rest[..rest.len().min(NAME_BYTES_MAX + 2)];
    // GNU ends a name with a slash and a newline, the tools of Microsoft with a NUL.
    let end = rest.iter().position(|byte| matches!(byte, b'\n' | 0))?;
    Some(rest[..end].strip_suffix(b"/").unwrap_or(&rest[..end])).filter(|name| !name.is_empty())
}

fn show(source: &mut Source<'_>, name: &[u8], size: u64, visit: &mut Visit<'_>) -> Result<(), ReadError> {
    let name = text(name);
    let mut body = source.body(size, &name);
    visit(Member { name: &name, size: Some(size) }, &mut body)?;
    body.drain()
}

/// A decimal number that fills its field from the left, with blanks behind.
fn decimal(field: &[u8]) -> Option<u64> {
    let digits = field.trim_ascii_end();
    if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}
