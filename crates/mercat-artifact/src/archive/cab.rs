//! Microsoft cabinets (MS-CAB): stored, MSZIP (MS-MCI) and LZX folders of one cabinet.
//!
//! | code | meaning |
//! |---|---|
//! | `CAB-01` | not a cabinet of version 1.3 |
//! | `CAB-02` | a structure that ends behind the file, or a name that is none |
//! | `CAB-03` | a wrong checksum |
//! | `CAB-04` | a file that begins or goes on in another cabinet |
//! | `CAB-05` | the compressed data is damaged or of another size than declared |
//! | `CAB-06` | a compression that is not opened (Quantum, or none that is known) |
//! | `CAB-07` | files of a folder that overlap, leave gaps, or lie behind its data |
//! | `CAB-08` | more unpacked bytes than the caller's limit |

mod folder;

use super::{Member, NAME_BYTES_MAX, Visit, le};
use crate::ReadError;
use folder::Folder;

/// Bytes of one file's name, most (MS-CAB 2.3).
const FILE_NAME_BYTES_MAX: usize = 256;

const PREVIOUS: u64 = 1;
const NEXT: u64 = 2;
const RESERVE: u64 = 4;

struct Head {
    files_at: usize,
    folders: usize,
    files: usize,
    /// Reserved bytes behind each folder and each data block.
    folder_reserve: usize,
    data_reserve: usize,
    folders_at: usize,
}

struct File {
    name: String,
    size: u64,
    start: u64,
    folder: usize,
}

/// Walks the files. `unpacked_bytes_max` bounds what all folders together unpack to.
///
/// # Errors
/// A refusal with one of the codes above, or what the visitor gave.
pub fn walk(bytes: &[u8], unpacked_bytes_max: u64, visit: &mut Visit<'_>) -> Result<(), ReadError> {
    let head = head(bytes)?;
    let files = files(bytes, &head)?;
    let total = files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
    if total > unpacked_bytes_max {
        let what = format!("files of {total} bytes, more than unpacked_bytes_max of {unpacked_bytes_max}");
        return Err(ReadError::refused("CAB-08", 0, what));
    }
    for at in 0..head.folders {
        let mut folder = open(bytes, &head, at)?;
        let mut end = 0;
        for file in files.iter().filter(|file| file.folder == at) {
            if file.start != end {
                let what = format!("{:?} begins at {} of its folder, not at {end}", file.name, file.start);
                return Err(ReadError::refused("CAB-07", 0, what));
            }
            end += file.size;
            let mut body = folder.file(file.size);
            visit(Member { name: &file.name, size: Some(file.size) }, &mut body)?;
            std::io::copy(&mut body, &mut std::io::sink())?;
        }
        folder.finish()?;
    }
    Ok(())
}

fn short(at: usize, what: &str) -> ReadError {
    ReadError::refused("CAB-02", at as u64, format!("{what} ends behind the cabinet"))
}

fn slice<'b>(bytes: &'b [u8], at: usize, count: usize, what: &str) -> Result<&'b [u8], ReadError> {
    let end = at.checked_add(count).ok_or_else(|| short(at, what))?;
    bytes.get(at..end).ok_or_else(|| short(at, what))
}

fn number(bytes: &[u8], at: usize, count: usize, what: &str) -> Result<u64, ReadError> {
    Ok(le(slice(bytes, at, count, what)?))
}

/// A text that a NUL ends, and where it ends.
fn string(bytes: &[u8], at: usize, max: usize) -> Result<(&[u8], usize), ReadError> {
    let rest = bytes.get(at..).ok_or_else(|| short(at, "a name"))?;
    let end = rest.iter().take(max + 1).position(|byte| *byte == 0);
    let end = end.ok_or_else(|| {
        ReadError::refused("CAB-02", at as u64, format!("a name without end, or of more than {max} bytes"))
    })?;
    Ok((&rest[..end], at + end + 1))
}

fn head(bytes: &[u8]) -> Result<Head, ReadError> {
    let what = "the cabinet's header";
    let fixed = slice(bytes, 0, 36, what)?;
    if !fixed.starts_with(b"MSCF\0\0\0\0") || fixed[24..26] != [3, 1] {
        return Err(ReadError::refused("CAB-01", 0, "not a cabinet of version 1.3"));
    }
    let size = le(&fixed[8..12]);
    if size > bytes.len() as u64 {
        return Err(ReadError::refused("CAB-02", 8, format!("{} of {size} bytes are there", bytes.len())));
    }
    let flags = le(&fixed[30..32]);
    let mut at = 36;
    let mut reserve = (0, 0);
    if flags & RESERVE != 0 {
        let sizes = slice(bytes, at, 4, what)?;
        reserve = (usize::from(sizes[2]), usize::from(sizes[3]));
        at += 4 + usize::try_from(le(&sizes[..2])).unwrap_or(0);
    }
    for flag in [PREVIOUS, PREVIOUS, NEXT, NEXT] {
        if flags & flag != 0 {
            at = string(bytes, at, NAME_BYTES_MAX)?.1;
        }
    }
    let count = |at: usize| usize::try_from(le(&fixed[at..at + 2])).unwrap_or(0);
    Ok(Head {
        files_at: usize::try_from(le(&fixed[16..20])).unwrap_or(usize::MAX),
        folders: count(26),
        files: count(28),
        folder_reserve: reserve.0,
        data_reserve: reserve.1,
        folders_at: at,
    })
}

fn files(bytes: &[u8], head: &Head) -> Result<Vec<File>, ReadError> {
    let mut at = head.files_at;
    let mut out = Vec::new();
    for _ in 0..head.files {
        let fixed = slice(bytes, at, 16, "a file's entry")?;
        let folder = usize::try_from(le(&fixed[8..10])).unwrap_or(usize::MAX);
        let (name, end) = string(bytes, at + 16, FILE_NAME_BYTES_MAX)?;
        if name.is_empty() {
            return Err(ReadError::refused("CAB-02", at as u64, "an empty name"));
        }
        let name = super::member::text(name);
        if folder >= 0xfffd {
            let what = format!("{name:?} begins or goes on in another cabinet");
            return Err(ReadError::refused("CAB-04", at as u64, what));
        }
        if folder >= head.folders {
            return Err(ReadError::refused("CAB-02", at as u64, format!("{name:?} is in no folder")));
        }
        out.push(File { name, size: le(&fixed[..4]), start: le(&fixed[4..8]), folder });
        at = end;
    }
    // The list may be in any order; one folder's files are read as they lie. Empty files come first.
    out.sort_by_key(|file| (file.folder, file.start, file.size));
    Ok(out)
}

fn open<'b>(bytes: &'b [u8], head: &Head, index: usize) -> Result<Folder<'b>, ReadError> {
    let at = head.folders_at + index * (8 + head.folder_reserve);
    let what = "a folder's entry";
    let start = usize::try_from(number(bytes, at, 4, what)?).unwrap_or(usize::MAX);
    let blocks = number(bytes, at + 4, 2, what)?;
    let kind = number(bytes, at + 6, 2, what)?;
    Folder::new(bytes, start, blocks, kind, head.data_reserve)
}
