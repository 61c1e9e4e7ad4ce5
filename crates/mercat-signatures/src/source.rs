//! Signature files as their makers publish them.
//!
//! `.ndb` lines are `name:target:offset:hex[:min[:max]]`, `.hdb` `md5:size:name`, `.hsb` `sha:size:name` (ClamAV,
//! "Signatures"); a line of ours is `sha256:size:name`, with `*` as any size, or `name=hex`.

use crate::bodies::{Body, FileKind, Offset};
use crate::hashes::{Kind, Known};
use crate::pattern::{Pattern, unhex};

/// A line that was understood.
pub(crate) enum Line {
    Body(Body),
    Hash(Kind, Known),
    /// Empty, or a comment.
    Nothing,
}

pub(crate) fn read(line: &str) -> Result<Line, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(Line::Nothing);
    }
    if let Some((name, hex)) = line.split_once('=') {
        return body(name, FileKind::Any, Offset::Any, hex);
    }
    let parts: Vec<&str> = line.split(':').collect();
    match parts[..] {
        [hash, size, name] => hash_line(hash, size, name),
        [hash, size, name, level] if level.bytes().all(|b| b.is_ascii_digit()) && unhex(hash).is_some() => {
            hash_line(hash, size, name)
        }
        [name, target, offset, hex, ..] => extended(name, target, offset, hex),
        _ => Err("neither a hash nor a byte signature"),
    }
}

fn hash_line(hash: &str, size: &str, name: &str) -> Result<Line, &'static str> {
    let hash = unhex(hash).ok_or("a hash that is not hexadecimal")?;
    let kind = match hash.len() {
        32 => Kind::Sha256,
        16 => Kind::Md5,
        20 => return Err("a SHA-1 hash, which is not searched for"),
        _ => return Err("a hash of another length than MD5 or SHA-256"),
    };
    let size = match size {
        "*" => u64::MAX,
        size => size.parse().map_err(|_| "a size that is neither bytes nor *")?,
    };
    if name.is_empty() {
        return Err("no name");
    }
    Ok(Line::Hash(kind, Known { hash, size, name: name.to_owned() }))
}

fn extended(name: &str, target: &str, offset: &str, hex: &str) -> Result<Line, &'static str> {
    let kind = match target {
        "0" => FileKind::Any,
        "1" => FileKind::Pe,
        "6" => FileKind::Elf,
        _ => return Err("a target that is read in another form than it lies in the file"),
    };
    let offset = match offset {
        "*" => Offset::Any,
        text => match text.split_once(',') {
            None => text.parse().map(|at| Offset::Between(at, at)).map_err(|_| RELATIVE)?,
            Some((at, shift)) => {
                let at: u64 = at.parse().map_err(|_| RELATIVE)?;
                let shift: u64 = shift.parse().map_err(|_| RELATIVE)?;
                Offset::Between(at, at.saturating_add(shift))
            }
        },
    };
    body(name, kind, offset, hex)
}

const RELATIVE: &str = "an offset that is relative to a section, the entry point or the end";

fn body(name: &str, kind: FileKind, offset: Offset, hex: &str) -> Result<Line, &'static str> {
    if name.is_empty() {
        return Err("no name");
    }
    Ok(Line::Body(Body { name: name.to_owned(), kind, offset, pattern: Pattern::parse(hex)? }))
}
