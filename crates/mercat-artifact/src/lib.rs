//! Bytes to structure, strictly.
//!
//! Readers here refuse what two programs could read in two ways; see
//! `ARCHITECTURE.md`, "Never trust an artifact". They work over [`std::io::Read`],
//! hold bounded memory, and never touch the network or a temporary directory.

pub mod archive;
pub mod create_options;
pub mod json;
pub mod layer;
pub mod oci;
pub mod pkgdb;
mod positioned;

pub use positioned::Positioned;

use std::io;

/// Why an artifact was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are malformed, ambiguous or over a limit: the publisher's to fix.
    #[error("{code}: {what}, at byte {offset}")]
    Refused {
        /// Stable code, for example `TAR-08`.
        code: &'static str,
        /// Where in the stream that the code is about.
        offset: u64,
        /// What was found.
        what: String,
    },
    /// The bytes could not be had: ours to retry.
    #[error("the bytes could not be read")]
    Io(#[source] io::Error),
}

impl ReadError {
    /// A refusal.
    pub fn refused(code: &'static str, offset: u64, what: impl Into<String>) -> Self {
        Self::Refused { code, offset, what: what.into() }
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => error,
            refused => Self::new(io::ErrorKind::InvalidData, refused),
        }
    }
}

impl From<io::Error> for ReadError {
    /// A refusal that travelled through [`io::Read`] comes out as itself.
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(refused) => refused,
            Err(error) => Self::Io(error),
        }
    }
}
