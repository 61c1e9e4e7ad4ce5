//! Disks of virtual machines: every file scanned once, and the certification rules over what was found.

mod container;
mod inspect;
mod linux;
mod measure;
mod mounts;
mod rule;
#[cfg(test)]
mod tests;
mod tree;
mod walk;
mod wanted;
pub mod windows;

pub use inspect::{inspect, refused_verdict};

pub use rule::{Case, Fault, Outcome, Rule, Status};
pub use tree::{Found, Node, Tree, VolumeTree};
pub use walk::Progress;

use mercat_disk::{Facts, ReadAt};
use mercat_guest::{Partition, Table, Volume};
use mercat_policy::Bounds;
use std::sync::Arc;

/// The family of an operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OsFamily {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
}

impl OsFamily {
    /// The name used in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Windows => "windows",
        }
    }

    /// The family of that name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Linux, Self::Windows].into_iter().find(|family| family.name().eq_ignore_ascii_case(name))
    }
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A port that the plan opens to customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct OpenPort {
    /// Port number.
    pub port: u16,
    /// Transport.
    pub protocol: Protocol,
}

/// What the offer says about a disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Plan; empty on the command line.
    pub plan: String,
    /// Declared operating system; `None` when nobody declared one.
    pub os_family: Option<OsFamily>,
    /// Whether this is a data disk, not the operating system's.
    pub data_disk: bool,
    /// Logical unit numbers of the plan's data disks, in the offer's order.
    pub data_disk_luns: Vec<u32>,
    /// How many data disks the version before had; `None` for the first version.
    pub data_disks_before: Option<usize>,
    /// Ports that the plan opens.
    pub open_ports: Vec<OpenPort>,
    /// The plan declares that remote connections are not supported (LNX-16).
    pub no_remote_connection: bool,
    /// The plan declares that extensions are supported (LNX-23).
    pub supports_extensions: bool,
}

/// Every rule about disks: the container's, then Linux's, then Windows's.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    container::RULES.iter().chain(linux::RULES).chain(windows::RULES)
}

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

/// Partitions, volumes and how full they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of the disk.
    pub bytes: u64,
    /// Kind of partition table.
    pub table: Table,
    /// Whether the master boot record has boot code.
    pub boot_code: bool,
    /// Whether there is an EFI system partition.
    pub efi_system: bool,
    /// Partitions, in the order of the table.
    pub partitions: Vec<Partition>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// Bytes of the blocks of 4 KiB that are not all zeros.
    pub data_bytes: u64,
    /// Bytes of all regular files.
    pub file_bytes: u64,
}

/// How much of a file rules need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// That it is there, its mode and its size.
    Name,
    /// Its first [`HEAD_BYTES`] bytes.
    Head,
    /// All of it, up to a limit; more makes the check inconclusive.
    Whole,
}

/// Bytes that are kept of a file of which only the head is wanted.
pub const HEAD_BYTES: usize = 4096;
