//! Rock Ridge (IEEE P1282): names, modes and links in fields behind a directory record.

use super::super::bytes::{byte, part};
use super::super::walk::days;
use super::record::{Record, mtime, refuse};
use super::{Iso, SECTOR, both};
use crate::ReadError;

/// Continuation areas of one record, and bytes of one name or link.
const AREAS_MAX: usize = 16;
const BYTES_MAX: usize = 4096;

/// What the name of a record is.
pub(super) enum Name {
    /// This.
    Given(Vec<u8>),
    /// What ISO 9660 calls it.
    None,
    /// A directory that was moved up to keep the tree flat; it is shown where it belongs.
    Elsewhere,
}

/// How many bytes stand in front of the fields, when a disc has them: the first record of the root says so.
pub(super) fn skip(iso: &Iso) -> Result<Option<usize>, ReadError> {
    let root = iso.view.root.first() * SECTOR;
    let raw = iso.source.bytes(root, 2048)?;
    let fields = part(&raw, 0, usize::from(byte(&raw, 0)));
    let field = fields.get(34..).unwrap_or(&[]);
    let is_mark = part(field, 0, 6) == b"SP\x07\x01\xbe\xef";
    Ok(is_mark.then(|| usize::from(byte(field, 6))))
}

/// A name or a link that may go on in the next field.
#[derive(Default)]
struct Growing {
    bytes: Vec<u8>,
    begun: bool,
    open: bool,
    /// Whether the last part of a link goes on.
    joined: bool,
}

/// Reads the fields of a record into it.
pub(super) fn apply(iso: &Iso, record: &mut Record, fields: &[u8]) -> Result<Name, ReadError> {
    let mut area = fields.to_vec();
    let (mut name, mut link) = (Growing::default(), Growing::default());
    let (mut moved, mut areas) = (None, 0);
    let mut relocated = false;
    loop {
        let mut next = None;
        let mut at = 0;
        while at + 4 <= area.len() && byte(&area, at) != 0 {
            let length = usize::from(byte(&area, at + 2));
            let field = part(&area, at, length);
            if field.len() < 4 {
                return Err(refuse(record.at, format_args!("has a Rock Ridge field of {length} bytes")));
            }
            at += length;
            match part(field, 0, 2) {
                b"ST" => break,
                b"CE" if next.is_none() => next = Some(continuation(iso, record.at, field)?),
                b"CE" => return Err(refuse(record.at, "goes on in two places")),
                b"PX" => {
                    record.mode = both(field, 4, record.at)?;
                    record.uid = both(field, 20, record.at)?;
                    record.gid = both(field, 28, record.at)?;
                }
                b"NM" => grow_name(&mut name, field, record.at)?,
                b"SL" => grow_link(&mut link, field, record.at)?,
                b"TF" => times(record, field),
                b"CL" => moved = Some(both(field, 4, record.at)?),
                b"RE" => relocated = true,
                b"ZF" => record.compressed = true,
                b"SF" => return Err(refuse(record.at, "is of a sparse file")),
                _ => {}
            }
        }
        let Some(more) = next else { break };
        areas += 1;
        if areas > AREAS_MAX {
            return Err(refuse(record.at, format_args!("goes on in more than {AREAS_MAX} places")));
        }
        area = more;
    }
    if name.open || link.open {
        return Err(refuse(record.at, "has a name or link without its end"));
    }
    record.link = link.bytes;
    check(record, moved.is_some())?;
    if let Some(block) = moved {
        move_here(iso, record, block)?;
    }
    Ok(match name.begun {
        _ if relocated => Name::Elsewhere,
        true => Name::Given(name.bytes),
        false => Name::None,
    })
}

/// The mode must agree with the record.
fn check(record: &Record, moved: bool) -> Result<(), ReadError> {
    let kind = record.mode >> 12;
    let directory = kind == 0x4;
    let agrees = record.mode == 0 || directory == (record.is_directory || moved);
    if !agrees || (kind == 0xa) == record.link.is_empty() || record.link.contains(&0) {
        let what = format_args!("has the mode {:#o} and a link of {} bytes", record.mode, record.link.len());
        return Err(refuse(record.at, what));
    }
    Ok(())
}

/// Takes the place of a directory that was moved up.
fn move_here(iso: &Iso, record: &mut Record, block: u32) -> Result<(), ReadError> {
    let at = u64::from(block) * SECTOR;
    let raw = iso.source.bytes(at, 2048)?;
    let length = usize::from(byte(&raw, 0));
    let (own, name) = super::record::parse(part(&raw, 0, length), at, iso.source.size())?;
    if name != [0] || own.first() != u64::from(block) || !own.is_directory || record.is_directory {
        return Err(refuse(record.at, format_args!("points at block {block}, where no directory is")));
    }
    record.parts = own.parts;
    record.is_directory = true;
    Ok(())
}

fn continuation(iso: &Iso, at: u64, field: &[u8]) -> Result<Vec<u8>, ReadError> {
    let (block, offset, length) = (both(field, 4, at)?, both(field, 12, at)?, both(field, 20, at)?);
    if u64::from(offset) + u64::from(length) > SECTOR || field.len() < 28 {
        return Err(refuse(at, format_args!("goes on in {length} bytes from byte {offset} of a block")));
    }
    let place = u64::from(block) * SECTOR + u64::from(offset);
    iso.source.bytes(place, usize::try_from(length).unwrap_or(0))
}

fn grow_name(name: &mut Growing, field: &[u8], at: u64) -> Result<(), ReadError> {
    let flags = byte(field, 4);
    if flags & !1 != 0 || name.begun && !name.open {
        return Err(refuse(at, "has two Rock Ridge names, or one that is a dot"));
    }
    name.begun = true;
    name.open = flags & 1 != 0;
    name.bytes.extend_from_slice(field.get(5..).unwrap_or(&[]));
    if name.bytes.len() > BYTES_MAX {
        return Err(refuse(at, format_args!("has a name of more than {BYTES_MAX} bytes")));
    }
    Ok(())
}

/// Parts of a path: each a name, or a flag for `.`, `..` or the root.
fn grow_link(link: &mut Growing, field: &[u8], place: u64) -> Result<(), ReadError> {
    if link.begun && !link.open {
        return Err(refuse(place, "has two links"));
    }
    link.begun = true;
    let mut at = 5;
    while at < field.len() {
        let (flags, length) = (byte(field, at), usize::from(byte(field, at + 1)));
        let part = part(field, at + 2, length);
        if part.len() != length || link.bytes.len() > BYTES_MAX {
            return Err(refuse(place, "has a link that does not fit"));
        }
        at += 2 + length;
        if !link.bytes.is_empty() && !link.joined && link.bytes.last() != Some(&b'/') {
            link.bytes.push(b'/');
        }
        match flags & !1 {
            0 => link.bytes.extend_from_slice(part),
            2 => link.bytes.push(b'.'),
            4 => link.bytes.extend_from_slice(b".."),
            8 => link.bytes.push(b'/'),
            other => return Err(refuse(place, format_args!("has a link with the flags {other:#x}"))),
        }
        link.joined = flags & 1 != 0;
    }
    link.open = byte(field, 4) & 1 != 0;
    Ok(())
}

/// The time of the last change: the second one, where the first two are there.
fn times(record: &mut Record, field: &[u8]) {
    let flags = byte(field, 4);
    if flags & 2 == 0 {
        return;
    }
    let width = if flags & 0x80 == 0 { 7 } else { 17 };
    let time = part(field, 5 + width * usize::from(flags & 1), width);
    if time.len() == 7 {
        record.mtime = mtime(time);
    } else if !time.is_empty() {
        let digits = |at: usize, count: usize| {
            part(time, at, count)
                .iter()
                .fold(0, |sum, byte| sum * 10 + i64::from(byte.wrapping_sub(b'0') % 10))
        };
        let zone = i64::from(byte(time, 16).cast_signed()) * 15 * 60;
        let clock = digits(8, 2) * 3600 + digits(10, 2) * 60 + digits(12, 2);
        record.mtime = days(digits(0, 4).max(1900), digits(4, 2), digits(6, 2)) * 86400 + clock - zone;
    }
}
