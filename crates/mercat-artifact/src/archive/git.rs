//! Packs of git (gitformat-pack(5)): the history of a repository, with what was removed from it since.
//!
//! | code | meaning |
//! |---|---|
//! | `GIT-01` | not a pack of version 2 or 3 |
//! | `GIT-02` | an object whose header or base is none, or that is longer than it says |
//! | `GIT-03` | a change that does not fit its base |
//! | `GIT-04` | the pack ends inside of an object |
//! | `GIT-05` | more than [`MEMBERS_MAX`] objects |
//! | `GIT-06` | what follows the last object is no digest |

use super::{MEMBERS_MAX, Member, Visit};
use crate::{Positioned, ReadError};
use flate2::bufread::ZlibDecoder;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, Read};
use std::sync::Arc;

mod change;

/// Bytes of an object that changes are put together with, most. git itself changes none of more than 512 MiB.
pub const OBJECT_BYTES_MAX: u64 = 16 << 20;
/// Bytes of objects that are held because others may be changes of them.
const HELD_BYTES_MAX: usize = 8 << 20;
/// Changes of changes, most; git makes 50 and reads 4,095.
const CHAIN_MAX: usize = 4095;
/// Work for each byte of the pack, most, beyond [`WORK_FREE`]: a byte that is copied is 1, one that is unpacked again 8. Without
/// a limit a small pack of long chains would cost their square.
const WORK_PER_BYTE_MAX: u64 = 512;
const WORK_FREE: u64 = 16 << 30;
const WORK_OF_UNPACKING: u64 = 8;
const AHEAD_BYTES: usize = 32 << 10;

/// Walks the objects, in their order: whole ones are shown as they are, `KIND@OFFSET`, and of a change of another object what
/// is new in it, `change@OFFSET`, with what surrounds it. Gives how many changes could not be put together; their bytes are
/// shown as the pack has them.
///
/// # Errors
/// A refusal with one of the codes above, or what the bytes or the visitor gave.
pub fn walk(pack: &dyn Positioned, visit: &mut Visit<'_>) -> Result<u64, ReadError> {
    let size = pack.length()?;
    let mut reader = At::new(pack, size, 0);
    let mut header = [0; 12];
    reader.fill(&mut header)?;
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if header[..4] != *b"PACK" || !matches!(word(4), 2 | 3) {
        return Err(ReadError::refused("GIT-01", 0, "not a pack of version 2 or 3"));
    }
    let count = word(8);
    if u64::from(count) > MEMBERS_MAX {
        return Err(ReadError::refused("GIT-05", 8, format!("{count} objects")));
    }
    let work = size.saturating_mul(WORK_PER_BYTE_MAX).saturating_add(WORK_FREE);
    let mut objects = Objects { pack, size, starts: Vec::new(), held: Held::default(), work };
    let mut apart = 0;
    for _ in 0..count {
        let start = reader.position();
        objects.starts.push(start);
        let header = Header::read(&mut reader, start)?;
        let changed = match header.kind {
            Kind::Whole(_) => None,
            Kind::Change(base) if header.size <= OBJECT_BYTES_MAX => match objects.content(base)? {
                Some(base) => {
                    let change = inflated(&mut reader, header.size)?;
                    change::applied(&base, &change, start)?
                }
                None => None,
            },
            Kind::Change(_) | Kind::ChangeOfNamed => None,
        };
        match (changed, header.kind) {
            (Some(changed), _) => {
                objects.spend(changed.content.len() as u64);
                let new = changed.new_parts();
                let name = format!("change@{start}");
                visit(Member { name: &name, size: Some(new.len() as u64) }, &mut new.as_slice())?;
                objects.held.keep(start, changed.content.into());
            }
            (None, Kind::Whole(kind)) => {
                let name = format!("{kind}@{start}");
                match shown(&mut reader, &name, header.size, visit)? {
                    Shown::Whole(Some(content)) => objects.held.keep(start, content.into()),
                    Shown::Whole(None) => {}
                    Shown::Cut => return Ok(apart),
                }
            }
            (None, _) => {
                apart += 1;
                let name = format!("change@{start}");
                if matches!(shown(&mut reader, &name, header.size, visit)?, Shown::Cut) {
                    return Ok(apart);
                }
            }
        }
    }
    let rest = size - reader.position();
    // SHA-1 or SHA-256 of what stands before it.
    if !matches!(rest, 20 | 32) {
        let what = format!("{rest} bytes behind the last object");
        return Err(ReadError::refused("GIT-06", reader.position(), what));
    }
    Ok(apart)
}

/// What came of showing an object.
enum Shown {
    /// It was read to its end; its content, where it may be the base of another.
    Whole(Option<Vec<u8>>),
    /// The visitor wants no more.
    Cut,
}

fn shown(reader: &mut At<'_>, name: &str, size: u64, visit: &mut Visit<'_>) -> Result<Shown, ReadError> {
    let start = reader.position();
    let keep = (size <= OBJECT_BYTES_MAX).then(Vec::new);
    let mut body = Body { inner: ZlibDecoder::new(reader), left: size, keep, start };
    visit(Member { name, size: Some(size) }, &mut body)?;
    // Whoever leaves the rest unread has said why, and the rest may be much more than the pack.
    if body.left > 0 {
        return Ok(Shown::Cut);
    }
    body.end()?;
    Ok(Shown::Whole(body.keep))
}

/// The bytes of one object.
struct Body<'r, 'p> {
    inner: ZlibDecoder<&'r mut At<'p>>,
    left: u64,
    keep: Option<Vec<u8>>,
    start: u64,
}

impl Body<'_, '_> {
    /// Reads the end of the stream, which has a check of its own.
    fn end(&mut self) -> io::Result<()> {
        match self.inner.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(ReadError::refused("GIT-02", self.start, "an object longer than it says").into()),
        }
    }
}

impl Read for Body<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if want == 0 {
            return Ok(0);
        }
        let count = self.inner.read(&mut buffer[..want])?;
        if count == 0 {
            return Err(ReadError::refused("GIT-04", self.start, "an object shorter than it says").into());
        }
        self.left -= count as u64;
        if let Some(keep) = &mut self.keep {
            keep.extend_from_slice(&buffer[..count]);
        }
        Ok(count)
    }
}

/// All bytes of an object of at most [`OBJECT_BYTES_MAX`].
fn inflated(reader: &mut At<'_>, size: u64) -> Result<Vec<u8>, ReadError> {
    let start = reader.position();
    let mut body = Body { inner: ZlibDecoder::new(reader), left: size, keep: None, start };
    let mut out = Vec::new();
    body.read_to_end(&mut out)?;
    body.end()?;
    Ok(out)
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Whole(&'static str),
    /// A change of the object that begins there.
    Change(u64),
    /// A change of an object by its name, as packs have it that are sent.
    ChangeOfNamed,
}

struct Header {
    kind: Kind,
    /// Bytes of it, or of the change.
    size: u64,
}

impl Header {
    fn read(reader: &mut At<'_>, start: u64) -> Result<Self, ReadError> {
        let bad = |what: &str| ReadError::refused("GIT-02", start, what);
        let mut byte = reader.byte()?;
        let kind = byte >> 4 & 7;
        let mut size = u64::from(byte & 15);
        let mut shift = 4;
        while byte & 0x80 != 0 {
            if shift > 53 {
                return Err(bad("an object of more bytes than there can be"));
            }
            byte = reader.byte()?;
            size |= u64::from(byte & 0x7f) << shift;
            shift += 7;
        }
        let kind = match kind {
            1 => Kind::Whole("commit"),
            2 => Kind::Whole("tree"),
            3 => Kind::Whole("blob"),
            4 => Kind::Whole("tag"),
            6 => {
                let mut byte = reader.byte()?;
                let mut back = u64::from(byte & 0x7f);
                while byte & 0x80 != 0 {
                    if back >> 50 != 0 {
                        return Err(bad("a base in front of the pack"));
                    }
                    byte = reader.byte()?;
                    back = (back + 1) << 7 | u64::from(byte & 0x7f);
                }
                Kind::Change(start.checked_sub(back).ok_or_else(|| bad("a base in front of the pack"))?)
            }
            7 => {
                reader.fill(&mut [0; 20])?;
                Kind::ChangeOfNamed
            }
            _ => return Err(bad("an object of no kind that there is")),
        };
        Ok(Self { kind, size })
    }
}

/// The objects so far.
struct Objects<'p> {
    pack: &'p dyn Positioned,
    size: u64,
    /// Where they begin, in order.
    starts: Vec<u64>,
    held: Held,
    /// What may still be spent.
    work: u64,
}

impl Objects<'_> {
    fn spend(&mut self, work: u64) {
        self.work = self.work.saturating_sub(work);
    }

    /// The content of an object, unless that takes too much.
    fn content(&mut self, at: u64) -> Result<Option<Arc<[u8]>>, ReadError> {
        let mut changes: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut place = at;
        let mut bytes = 0;
        let mut content = loop {
            if let Some(held) = self.held.get(place) {
                break held;
            }
            if self.starts.binary_search(&place).is_err() {
                return Err(ReadError::refused("GIT-02", at, "a base that is no object"));
            }
            let mut reader = At::new(self.pack, self.size, place);
            let header = Header::read(&mut reader, place)?;
            bytes = header.size.saturating_add(bytes);
            self.spend(header.size.saturating_mul(WORK_OF_UNPACKING));
            if bytes > OBJECT_BYTES_MAX || changes.len() == CHAIN_MAX || self.work == 0 {
                return Ok(None);
            }
            match header.kind {
                Kind::Whole(_) => break inflated(&mut reader, header.size)?.into(),
                Kind::Change(base) if base < place => {
                    changes.push((place, inflated(&mut reader, header.size)?));
                    place = base;
                }
                Kind::Change(_) => {
                    return Err(ReadError::refused("GIT-02", place, "a base that is no object"));
                }
                Kind::ChangeOfNamed => return Ok(None),
            }
        };
        while let Some((start, change)) = changes.pop() {
            let Some(changed) = change::applied(&content, &change, start)? else { return Ok(None) };
            self.spend(changed.content.len() as u64);
            content = changed.content.into();
        }
        self.held.keep(at, Arc::clone(&content));
        Ok(Some(content))
    }
}

/// Objects that are held, those that were asked for last.
#[derive(Default)]
struct Held {
    objects: HashMap<u64, (Arc<[u8]>, u64)>,
    by_use: BTreeMap<u64, u64>,
    uses: u64,
    bytes: usize,
}

impl Held {
    fn get(&mut self, start: u64) -> Option<Arc<[u8]>> {
        let (content, used) = self.objects.get_mut(&start)?;
        self.by_use.remove(used);
        self.uses += 1;
        *used = self.uses;
        self.by_use.insert(self.uses, start);
        Some(Arc::clone(content))
    }

    fn keep(&mut self, start: u64, content: Arc<[u8]>) {
        if content.len() > HELD_BYTES_MAX || self.objects.contains_key(&start) {
            return;
        }
        self.uses += 1;
        self.bytes += content.len();
        self.by_use.insert(self.uses, start);
        self.objects.insert(start, (content, self.uses));
        while self.bytes > HELD_BYTES_MAX
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            let gone = self.objects.remove(&oldest);
            self.bytes -= gone.map_or(0, |(content, _)| content.len());
        }
    }
}

/// A reader from some place in the pack.
struct At<'p> {
    pack: &'p dyn Positioned,
    size: u64,
    /// Where the bytes end that were read ahead.
    next: u64,
    ahead: Vec<u8>,
    used: usize,
}

impl<'p> At<'p> {
    fn new(pack: &'p dyn Positioned, size: u64, at: u64) -> Self {
        Self { pack, size, next: at, ahead: Vec::new(), used: 0 }
    }

    fn position(&self) -> u64 {
        self.next - (self.ahead.len() - self.used) as u64
    }

    /// Fills all of the buffer, or refuses.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ReadError> {
        let at = self.position();
        self.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                ReadError::refused("GIT-04", at, "the pack ends inside of an object")
            }
            _ => error.into(),
        })
    }

    fn byte(&mut self) -> Result<u8, ReadError> {
        let mut byte = [0];
        self.fill(&mut byte)?;
        Ok(byte[0])
    }
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for At<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.ahead.len() {
            let most = self.size.saturating_sub(self.next).min(AHEAD_BYTES as u64);
            self.ahead.resize(usize::try_from(most).map_err(io::Error::other)?, 0);
            self.used = 0;
            self.pack.read_exact_at(&mut self.ahead, self.next)?;
            self.next += most;
        }
        Ok(&self.ahead[self.used..])
    }

    fn consume(&mut self, count: usize) {
        self.used = self.ahead.len().min(self.used + count);
    }
}

#[cfg(test)]
mod tests;
