//! Disks of virtual machines: every file scanned once, and the certification rules over what was found.

mod inspect;
mod measure;
#[cfg(test)]
mod tests;
mod walk;

pub use inspect::{inspect, refused_verdict};
pub use mercat_machine::{Claims, OpenPort, OsFamily, Protocol, rules};
pub use walk::Progress;

use mercat_disk::{Facts, ReadAt};
use std::sync::Arc;

/// What is certified.
#[derive(Clone)]
pub struct DiskSpecimen {
    /// The guest's disk, out of its container.
    pub disk: Arc<dyn ReadAt>,
    /// What the container says.
    pub facts: Facts,
    /// What the offer says.
    pub claims: Claims,
}
