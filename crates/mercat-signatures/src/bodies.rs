//! Byte signatures, compiled: a filter, and each pattern for exact verification.

use crate::filter::{Entry, Filter};
use crate::pattern::{ANCHOR_BYTES, Atom, Pattern, matches_at};
use crate::{FORM, LoadError, TooManySteps, u32_at, u64_at, whole};
use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;
use mercat_artifact::Positioned;
use sha2::{Digest as _, Sha256};
use std::sync::OnceLock;

/// What files a signature is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// All.
    Any,
    /// Programs of Windows.
    Pe,
    /// Programs of Linux.
    Elf,
}

impl FileKind {
    /// The kind of a file, by its first bytes.
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x7f, b'E', b'L', b'F', ..] => Self::Elf,
            [b'M', b'Z', ..] => Self::Pe,
            _ => Self::Any,
        }
    }
}

/// Where in a file a signature may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offset {
    Any,
    Between(u64, u64),
}

/// One byte signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) name: String,
    pub(crate) kind: FileKind,
    pub(crate) offset: Offset,
    pub(crate) pattern: Pattern,
}

const MAGIC: &[u8; 8] = b"mcatbody";
/// So many signatures are found sooner one after the other than by the filter.
const FEW: usize = 4;
const HEAD_BYTES: usize = 8 + 4 + 4 + 32 + 4;
const DIGEST_AT: usize = 16;
const CHECKSUM_AT: usize = 48;

/// Writes compiled signatures.
pub(crate) fn write(bodies: &[Body]) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut places = Vec::new();
    let mut records = Vec::new();
    for (at, body) in bodies.iter().enumerate() {
        let anchor = body.pattern.anchor();
        if anchor.len() == ANCHOR_BYTES && bodies.len() > FEW {
            for ahead in 0..8_usize {
                let key = u32_at(&anchor, ahead);
                entries.push(Entry { key, owner: (at as u32) << 3 | ahead as u32 });
            }
        }
        places.push(records.len() as u32);
        record(body, &mut records);
    }
    let mut held = Vec::new();
    crate::filter::write(&mut entries, &mut held);
    held.extend((records.len() as u32).to_le_bytes());
    places.iter().for_each(|place| held.extend(place.to_le_bytes()));
    held.extend(records);
    let digest: [u8; 32] = Sha256::digest(&held).into();
    let mut out = MAGIC.to_vec();
    out.extend(FORM.to_le_bytes());
    out.extend((bodies.len() as u32).to_le_bytes());
    out.extend(digest);
    out.extend(checksum(&out, &held).to_le_bytes());
    out.extend(held);
    out
}

/// CRC-32 of the head and of what it stands before. It tells what a disk or a copy has damaged, in a tenth of the time
/// that the digest takes; the digest names the signatures.
fn checksum(head: &[u8], held: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(head);
    sum.update(held);
    sum.finalize()
}

/// The run stands first, so that most candidates end at a comparison of it.
fn record(body: &Body, out: &mut Vec<u8>) {
    let anchor = body.pattern.anchor();
    out.push(anchor.len() as u8);
    out.extend(anchor);
    let length = body.name.len().min(usize::from(u8::MAX));
    out.push(length as u8);
    out.extend(&body.name.as_bytes()[..length]);
    out.push(match body.kind {
        FileKind::Any => 0,
        FileKind::Pe => 1,
        FileKind::Elf => 6,
    });
    let (least, most) = match body.offset {
        Offset::Any => (0, u64::MAX),
        Offset::Between(least, most) => (least, most),
    };
    out.extend(least.to_le_bytes());
    out.extend(most.to_le_bytes());
    out.extend((body.pattern.anchor as u32).to_le_bytes());
    out.extend((body.pattern.atoms.len() as u32).to_le_bytes());
    for atom in &body.pattern.atoms {
        match atom {
            Atom::Byte(value, 0xff) => out.extend([0, *value]),
            Atom::Byte(value, mask) => out.extend([1, *value, *mask]),
            Atom::Gap(least, most) => {
                out.push(2);
                out.extend(least.to_le_bytes());
                out.extend(most.to_le_bytes());
            }
            Atom::Either(runs) => {
                out.push(3);
                out.extend((runs.len() as u32).to_le_bytes());
                for run in runs {
                    out.extend((run.len() as u32).to_le_bytes());
                    out.extend(run);
                }
            }
        }
    }
}

/// Reads a record; only the places that [`write`] wrote are asked for.
fn read_record(bytes: &[u8]) -> Option<Body> {
    let mut at = 0_usize;
    let mut take = |count: usize| -> Option<&[u8]> {
        let part = bytes.get(at..at.checked_add(count)?)?;
        at += count;
        Some(part)
    };
    let anchor_bytes = usize::from(*take(1)?.first()?);
    take(anchor_bytes)?;
    let length = usize::from(*take(1)?.first()?);
    let name = String::from_utf8_lossy(take(length)?).into_owned();
    let kind = match take(1)?.first()? {
        1 => FileKind::Pe,
        6 => FileKind::Elf,
        _ => FileKind::Any,
    };
    let (least, most) = (u64_at(take(8)?, 0), u64_at(take(8)?, 0));
    let offset = if most == u64::MAX { Offset::Any } else { Offset::Between(least, most) };
    let anchor = u32_at(take(4)?, 0) as usize;
    let count = u32_at(take(4)?, 0);
    let mut atoms = Vec::new();
    for _ in 0..count {
        atoms.push(match take(1)?.first()? {
            0 => Atom::Byte(*take(1)?.first()?, 0xff),
            1 => Atom::Byte(*take(1)?.first()?, *take(1)?.first()?),
            2 => Atom::Gap(u32_at(take(4)?, 0), u32_at(take(4)?, 0)),
            _ => {
                let runs = u32_at(take(4)?, 0);
                let mut all = Vec::new();
                for _ in 0..runs {
                    let length = u32_at(take(4)?, 0) as usize;
                    all.push(take(length)?.to_vec());
                }
                Atom::Either(all)
            }
        });
    }
    let inside = anchor.checked_add(anchor_bytes).is_some_and(|end| end <= atoms.len());
    inside.then_some(Body { name, kind, offset, pattern: Pattern { atoms, anchor, anchor_bytes } })
}

fn digest_in(head: &[u8]) -> Result<[u8; 32], LoadError> {
    if head.get(..8) != Some(MAGIC) {
        return Err(LoadError::Magic);
    }
    if u32_at(head, 8) != FORM {
        return Err(LoadError::Form { found: u32_at(head, 8) });
    }
    head[DIGEST_AT..CHECKSUM_AT].try_into().map_err(|_| LoadError::Damaged)
}

/// Byte signatures that are read when they are first searched for: what was found before is used without them.
pub struct LateBodies {
    source: Box<dyn Positioned>,
    digest: [u8; 32],
    read: OnceLock<Result<Bodies, LoadError>>,
}

impl LateBodies {
    /// Opens compiled signatures, and reads their head.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn open(source: Box<dyn Positioned>) -> Result<Self, LoadError> {
        let mut head = [0; HEAD_BYTES];
        source.read_exact_at(&mut head, 0).map_err(|error| LoadError::of(&error))?;
        Ok(Self { source, digest: digest_in(&head)?, read: OnceLock::new() })
    }

    /// SHA-256 of the compiled signatures, as their head names it.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The signatures, read once.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn bodies(&self) -> Result<&Bodies, &LoadError> {
        let read = || {
            let bodies = whole(&*self.source).and_then(Bodies::read)?;
            // Of a file that was written over since it was opened, nothing is certain.
            if bodies.digest() == self.digest { Ok(bodies) } else { Err(LoadError::Damaged) }
        };
        self.read.get_or_init(read).as_ref()
    }
}

/// Byte signatures in memory.
#[derive(Debug)]
pub struct Bodies {
    digest: [u8; 32],
    /// What was read.
    bytes: Vec<u8>,
    filter: Filter,
    count: usize,
    /// Where in `bytes` the place of each record is told, and where the records begin.
    places_at: usize,
    records_at: usize,
    /// Signatures whose longest run is too short for the filter.
    short: Option<AhoCorasick>,
    short_owners: Vec<u32>,
    /// The runs of signatures, where there are few, with their numbers.
    few: Vec<(Finder<'static>, u32)>,
}

impl Bodies {
    /// Reads compiled signatures.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn read(bytes: Vec<u8>) -> Result<Self, LoadError> {
        let head = bytes.get(..HEAD_BYTES).ok_or(LoadError::Damaged)?;
        let digest = digest_in(head)?;
        let count = u32_at(head, 12) as usize;
        let held = &bytes[HEAD_BYTES..];
        if checksum(&head[..CHECKSUM_AT], held) != u32_at(head, CHECKSUM_AT) {
            return Err(LoadError::Damaged);
        }
        let (filter, used) = Filter::read(held).ok_or(LoadError::Damaged)?;
        let length = u32_at(held, used) as usize;
        let records = held.get(used + 4 + count * 4..).ok_or(LoadError::Damaged)?;
        if records.len() != length {
            return Err(LoadError::Damaged);
        }
        let places_at = HEAD_BYTES + used + 4;
        let mut out = Self {
            digest,
            filter,
            count,
            places_at,
            records_at: places_at + count * 4,
            bytes,
            short: None,
            short_owners: Vec::new(),
            few: Vec::new(),
        };
        out.find_short().ok_or(LoadError::Damaged)?;
        Ok(out)
    }

    /// Reads compiled signatures, against the digest that they were written with too.
    ///
    /// # Errors
    /// As [`Bodies::read`].
    pub fn verified(bytes: Vec<u8>) -> Result<Self, LoadError> {
        let out = Self::read(bytes)?;
        let digest: [u8; 32] = Sha256::digest(&out.bytes[HEAD_BYTES..]).into();
        if digest == out.digest { Ok(out) } else { Err(LoadError::Damaged) }
    }

    /// Signatures that the filter does not hold are few; they get an automaton of their own.
    fn find_short(&mut self) -> Option<()> {
        let mut runs = Vec::new();
        let (mut short_owners, mut few) = (Vec::new(), Vec::new());
        for owner in 0..self.count as u32 {
            let record = self.record(owner)?;
            let length = usize::from(*record.first()?);
            if length < ANCHOR_BYTES {
                runs.push(record.get(1..1 + length)?.to_vec());
                short_owners.push(owner);
            } else if self.count <= FEW {
                few.push((Finder::new(record.get(1..1 + length)?).into_owned(), owner));
            }
        }
        (self.short_owners, self.few) = (short_owners, few);
        if !runs.is_empty() {
            self.short = Some(AhoCorasick::new(runs).ok()?);
        }
        Some(())
    }

    /// The record of a signature, and what comes behind it.
    fn record(&self, owner: u32) -> Option<&[u8]> {
        let place = u32_at(&self.bytes, self.places_at + owner as usize * 4) as usize;
        self.bytes.get(self.records_at..)?.get(place..)
    }

    /// SHA-256 of the compiled signatures.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// How many signatures.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Tells the names of the signatures that match in a window of a file that begins at byte `start` of it.
    /// Names may repeat.
    ///
    /// # Errors
    /// When verification takes more steps than honest bytes need; the window is then not scanned.
    pub fn scan(
        &self,
        kind: FileKind,
        start: u64,
        window: &[u8],
        mut hit: impl FnMut(&str),
    ) -> Result<(), TooManySteps> {
        let mut steps = 0;
        let mut check = |at: usize, owner: u32, steps: &mut u64| -> Result<(), TooManySteps> {
            let record = self.record(owner).unwrap_or_default();
            let run = record.first().map_or(0, |length| usize::from(*length));
            if record.get(1..1 + run) != window.get(at..at + run) {
                return Ok(());
            }
            let Some(body) = read_record(record) else { return Ok(()) };
            if body.kind != FileKind::Any && body.kind != kind {
                return Ok(());
            }
            let Some(begins) = matches_at(&body.pattern, window, at, steps)? else { return Ok(()) };
            let begins = start + begins as u64;
            match body.offset {
                Offset::Between(least, most) if begins < least || begins > most => {}
                _ => hit(&body.name),
            }
            Ok(())
        };
        self.filter
            .candidates(&self.bytes[HEAD_BYTES..], window, |at, owner| check(at, owner, &mut steps))?;
        for (finder, owner) in &self.few {
            let mut from = 0;
            while let Some(at) = window.get(from..).and_then(|rest| finder.find(rest)) {
                check(from + at, *owner, &mut steps)?;
                from += at + 1;
            }
        }
        if let Some(short) = &self.short {
            for found in short.find_overlapping_iter(window) {
                let owner = self.short_owners.get(found.pattern().as_usize()).copied().unwrap_or(u32::MAX);
                check(found.start(), owner, &mut steps)?;
            }
        }
        Ok(())
    }
}
