//! 7z archives, opened by `sevenz-rust2` under limits of ours.
//!
//! | code | meaning |
//! |---|---|
//! | `7Z-01` | not a 7z archive, or a header that cannot be read |
//! | `7Z-02` | the compressed data is damaged or of another size than declared |
//! | `7Z-03` | encrypted |
//! | `7Z-04` | more than [`MEMBERS_MAX`] files or [`BLOCKS_MAX`] blocks |
//! | `7Z-05` | a header or dictionary of more than [`MEMORY_KIB_MAX`] KiB, or dictionaries of one block together |
//! | `7Z-06` | a compression that is not opened |
//! | `7Z-07` | a name of more than [`NAME_BYTES_MAX`] bytes |
//! | `7Z-08` | more unpacked bytes than the caller's limit |

use super::{MEMBERS_MAX, Member, NAME_BYTES_MAX, Visit, le};
use crate::ReadError;
use sevenz_rust2::{Archive, ArchiveReader, Block, EntryDecision, Error, Password};
use std::io::{self, Cursor, Read};

/// KiB of the header, of one dictionary, and of all dictionaries of one block, most. The largest preset of
/// 7-Zip asks for 64 MiB up to version 21 and for 256 MiB after.
pub const MEMORY_KIB_MAX: usize = 384 << 10;
/// KiB of the header, most.
const HEADER_KIB_MAX: usize = 64 << 10;
/// Independently compressed blocks, most.
pub const BLOCKS_MAX: usize = 100_000;

const AES: &[u8] = &[6, 0xf1, 7, 1];
const LZMA: &[u8] = &[3, 1, 1];
const LZMA2: &[u8] = &[0x21];
const PPMD: &[u8] = &[3, 4, 1];

/// Walks the files. `unpacked_bytes_max` bounds what all of them together unpack to, whatever the archive
/// declares.
///
/// # Errors
/// A refusal with one of the codes above, or what the visitor gave.
pub fn walk(bytes: &[u8], unpacked_bytes_max: u64, visit: &mut Visit<'_>) -> Result<(), ReadError> {
    let mut source = Cursor::new(bytes);
    let archive = Archive::read_with_memory_limit(&mut source, &Password::empty(), HEADER_KIB_MAX)
        .map_err(|error| refusal("7Z-01", &error))?;
    check(&archive, unpacked_bytes_max)?;
    let mut reader = ArchiveReader::new_with_memory_limit(source, Password::empty(), MEMORY_KIB_MAX)
        .map_err(|error| refusal("7Z-01", &error))?;
    reader.set_thread_count(1);
    let mut left = unpacked_bytes_max;
    let mut stopped = None;
    let done = reader.for_each_entries_with_decision_allowing_surplus(|entry, inner| {
        if entry.is_directory || entry.is_anti_item {
            return Ok(EntryDecision::Continue);
        }
        let mut body = Body { inner, left: &mut left, max: unpacked_bytes_max };
        let shown = visit(Member { name: &entry.name, size: Some(entry.size) }, &mut body);
        // What the visitor did not ask for counts as well.
        let passed = shown.and_then(|()| Ok(io::copy(&mut body, &mut io::sink()).map(drop)?));
        Ok(match passed {
            Ok(()) => EntryDecision::Continue,
            Err(error) => {
                stopped = Some(error);
                EntryDecision::Stop
            }
        })
    });
    match (stopped, done) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(refusal("7Z-02", &error)),
        (None, Ok(())) => Ok(()),
    }
}

struct Body<'a> {
    inner: &'a mut dyn Read,
    left: &'a mut u64,
    max: u64,
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer).map_err(damaged)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => *self.left = left,
            None => {
                let what = format!("more than unpacked_bytes_max of {}", self.max);
                return Err(ReadError::refused("7Z-08", 0, what).into());
            }
        }
        Ok(count)
    }
}

fn check(archive: &Archive, unpacked_bytes_max: u64) -> Result<(), ReadError> {
    let refused = |code, what: String| Err(ReadError::refused(code, 0, what));
    if archive.files.len() as u64 > MEMBERS_MAX {
        let what = format!("{} files, more than {MEMBERS_MAX}", archive.files.len());
        return refused("7Z-04", what);
    }
    if archive.blocks.len() > BLOCKS_MAX {
        return refused("7Z-04", format!("{} blocks, more than {BLOCKS_MAX}", archive.blocks.len()));
    }
    if let Some(file) = archive.files.iter().find(|file| file.name.len() > NAME_BYTES_MAX) {
        let what = format!("a name of {} bytes, more than {NAME_BYTES_MAX}", file.name.len());
        return refused("7Z-07", what);
    }
    if archive.blocks.iter().flat_map(|block| &block.coders).any(|coder| coder.encoder_method_id() == AES) {
        return refused("7Z-03", "encrypted content".into());
    }
    let memory = archive.blocks.iter().map(memory_bytes).max().unwrap_or(0);
    if memory > (MEMORY_KIB_MAX as u64) << 10 {
        let what = format!("dictionaries of {} KiB, more than {MEMORY_KIB_MAX} KiB", memory >> 10);
        return refused("7Z-05", what);
    }
    let total = archive.files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
    if total > unpacked_bytes_max {
        let what = format!("files of {total} bytes, more than unpacked_bytes_max of {unpacked_bytes_max}");
        return refused("7Z-08", what);
    }
    Ok(())
}

/// What the decoders of a block allocate as soon as it is opened.
fn memory_bytes(block: &Block) -> u64 {
    let of = |coder: &sevenz_rust2::Coder| -> u64 {
        let properties = coder.properties();
        match coder.encoder_method_id() {
            LZMA | PPMD => properties.get(1..5).map_or(0, le),
            LZMA2 => properties.first().map_or(0, |bits| match bits & 0x3f {
                bits @ 0..40 => u64::from(2 | bits & 1) << (bits / 2 + 11),
                _ => u64::from(u32::MAX),
            }),
            _ => 1 << 20,
        }
    };
    block.coders.iter().map(of).sum()
}

fn refusal(code: &'static str, error: &Error) -> ReadError {
    let (code, what) = match error {
        Error::PasswordRequired | Error::MaybeBadPassword(_) => ("7Z-03", "encrypted content".to_owned()),
        Error::UnsupportedCompressionMethod(name) if name.contains("AES") => {
            ("7Z-03", "an encrypted header".to_owned())
        }
        Error::UnsupportedCompressionMethod(name) => ("7Z-06", format!("compression {name}")),
        Error::MaxMemLimited { max_kb, actaul_kb } => {
            ("7Z-05", format!("{actaul_kb} KiB of memory; at most {max_kb} KiB are given"))
        }
        Error::Unsupported(what) => ("7Z-06", what.to_string()),
        other => (code, format!("{other}")),
    };
    ReadError::refused(code, 0, what)
}

/// The archive is in memory: whatever the decoder says is about its bytes.
fn damaged(error: io::Error) -> io::Error {
    ReadError::refused("7Z-02", 0, error.to_string()).into()
}
