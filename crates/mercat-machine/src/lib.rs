//! What is asked of machines: the files of a guest as the guest sees them, and the certification rules over them.

pub mod accounts;
pub mod container;
mod kernel_file;
pub mod linux;
pub mod mounts;
mod pe;
mod rule;
mod tree;
mod wanted;
pub mod windows;

pub use kernel_file::{KernelFile, Passed, Passing};
pub use rule::{Case, Fault, Outcome, Rule, Status};
pub use tree::{Found, Node, Tree, VolumeTree};
pub use wanted::wanted;

use mercat_guest::{Partition, Table, Volume};
use mercat_policy::Bounds;

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

/// Whether a path is that of a file of keys with which somebody may sign in, and no text about such files.
fn is_key_file(path: &str) -> bool {
    let below = path.strip_prefix("usr/").unwrap_or(path);
    let is_text = ["share/doc/", "share/man/"].iter().any(|place| below.starts_with(place))
        // A home may be anywhere.
        && !path.contains("/.ssh/");
    path.rsplit('/').next().unwrap_or(path).starts_with("authorized_keys") && !is_text
}

/// Whether a file begins like swap space, also where a machine sleeps in it, with pages that the first bytes hold.
pub fn is_swap(head: &[u8]) -> bool {
    const MAGIC: [&[u8]; 4] = [b"SWAPSPACE2", b"SWAP-SPACE", b"S1SUSPEND\0", b"S2SUSPEND\0"];
    [4096, 8192, 16_384, 65_536]
        .iter()
        .any(|page| head.get(page - 10..*page).is_some_and(|end| MAGIC.contains(&end)))
}
