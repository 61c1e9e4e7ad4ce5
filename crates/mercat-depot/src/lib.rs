//! The goods: content-addressed blobs, the sources they come from and the regions they go to.

mod blobs;
pub mod disk;
mod import;
mod region;
mod resolve;
mod source;
mod spool;

pub use blobs::{Depot, DepotError};
pub use import::{Imported, held, held_disk, import, selected};
pub use region::{Copies, Region, RegionError};
pub use resolve::{Resolved, resolve};
pub use source::{Credentials, SourceError, some_of};
pub use spool::{FetchError, Fetched, Spool, SpoolError, UPLOADS_MAX, Upload};

/// Tells how many bytes of how many are done.
pub trait Progress: Send + Sync {
    /// Called often; must not block.
    fn at(&self, done: u64, total: u64);
}

impl Progress for () {
    fn at(&self, _: u64, _: u64) {}
}
