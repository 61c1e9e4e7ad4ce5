//! All compiled signatures in one file, so that replacing them is one rename.

use crate::{Bodies, Compiled, FORM, Hashes, LoadError, u32_at, u64_at};
use mercat_artifact::Positioned;
use std::io;
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"mcatsigs";
const ABOUT_BYTES_MAX: usize = 1 << 20;
const HEAD_BYTES: usize = 8 + 4 + 4 + 3 * 8;

/// Puts compiled signatures into one file; `about` tells where they came from, in whatever form its reader likes.
pub fn pack(about: &str, compiled: &Compiled) -> Vec<u8> {
    let parts = [&compiled.bodies, &compiled.sha256, &compiled.md5];
    let mut out = MAGIC.to_vec();
    out.extend(FORM.to_le_bytes());
    out.extend((about.len() as u32).to_le_bytes());
    parts.iter().for_each(|part| out.extend((part.len() as u64).to_le_bytes()));
    out.extend(about.as_bytes());
    parts.iter().for_each(|part| out.extend(part.iter()));
    out
}

/// A file of compiled signatures.
pub struct Pack {
    /// What was told when it was made.
    pub about: String,
    /// Byte patterns, for [`Bodies::read`] as soon as they are searched for.
    pub bodies: Box<dyn Positioned>,
    /// Hash tables, for [`Hashes::open`].
    pub tables: Vec<Box<dyn Positioned>>,
}

impl Pack {
    /// Opens a file. Hash tables stay where they are.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn open(source: Arc<dyn Positioned>) -> Result<Self, LoadError> {
        let read = |at: u64, count: usize| {
            let mut bytes = vec![0; count];
            source.read_exact_at(&mut bytes, at).map(|()| bytes).map_err(|error| LoadError::of(&error))
        };
        let head = read(0, HEAD_BYTES)?;
        if head[..8] != *MAGIC {
            return Err(LoadError::Magic);
        }
        if u32_at(&head, 8) != FORM {
            return Err(LoadError::Form { found: u32_at(&head, 8) });
        }
        let about_bytes = u32_at(&head, 12) as usize;
        let sizes = [16, 24, 32].map(|at| u64_at(&head, at));
        let whole =
            sizes.iter().try_fold((HEAD_BYTES + about_bytes) as u64, |sum, size| sum.checked_add(*size));
        let length = source.length().map_err(|error| LoadError::Io(error.to_string()))?;
        if whole != Some(length) || about_bytes > ABOUT_BYTES_MAX {
            return Err(LoadError::Damaged);
        }
        let about =
            String::from_utf8(read(HEAD_BYTES as u64, about_bytes)?).map_err(|_| LoadError::Damaged)?;
        let mut from = (HEAD_BYTES + about_bytes) as u64;
        let parts = sizes.map(|length| {
            let part = Part { source: source.clone(), from, length };
            from += length;
            Box::new(part) as Box<dyn Positioned>
        });
        let [bodies, sha256, md5] = parts;
        Ok(Self { about, bodies, tables: vec![sha256, md5] })
    }

    /// Reads everything once, against the digests that it was written with.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn verify(self) -> Result<(usize, u64), LoadError> {
        let bodies = Bodies::verified(whole(&*self.bodies)?)?;
        let mut hashes = 0;
        for source in self.tables {
            let table = Hashes::open(source)?;
            table.verify()?;
            hashes += table.len();
        }
        Ok((bodies.len(), hashes))
    }
}

/// All bytes of a source.
///
/// # Errors
/// When they cannot be read.
pub fn whole(source: &dyn Positioned) -> Result<Vec<u8>, LoadError> {
    let length = source.length().map_err(|error| LoadError::of(&error))?;
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| LoadError::Damaged)?];
    source.read_exact_at(&mut bytes, 0).map_err(|error| LoadError::of(&error))?;
    Ok(bytes)
}

struct Part {
    source: Arc<dyn Positioned>,
    from: u64,
    length: u64,
}

impl Positioned for Part {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let at = self.from.checked_add(offset).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.source.read_exact_at(buffer, at)
    }
    fn length(&self) -> io::Result<u64> {
        Ok(self.length)
    }
}
