//! Hashing on the way through.

use mercat_domain::Digest;
use sha2::{Digest as _, Sha256};
use std::io::Read;

/// What passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// How many.
    pub size: u64,
}

/// Hashes and counts what is read through it.
pub struct HashingReader<R> {
    inner: R,
    hash: Sha256,
    count: u64,
}

impl<R: Read> HashingReader<R> {
    /// Wraps a reader.
    pub fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new(), count: 0 }
    }

    /// Bytes so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The digest of everything read so far.
    pub fn finish(self) -> Hashed {
        self.finish_with_inner().1
    }

    /// The same, with the reader below.
    pub fn finish_with_inner(self) -> (R, Hashed) {
        (self.inner, Hashed { digest: Digest::from_sha256(&self.hash.finalize()), size: self.count })
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.count += count as u64;
        Ok(count)
    }
}
