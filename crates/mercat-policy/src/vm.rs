//! The parameters of a policy pack for virtual machine disks (domain 5.1 to 5.4).

use serde::Deserialize;

/// Whether a disk or an image must have been started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boot {
    /// Never.
    Off,
    /// Where the machine can; else the report says that it was not.
    WhenAvailable,
    /// Without a boot test there is no pass.
    Required,
}

/// Bytes from, and up to and including.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "(u64, u64)")]
pub struct Bounds {
    /// Least.
    pub least: u64,
    /// Most.
    pub most: u64,
}

impl From<(u64, u64)> for Bounds {
    fn from((least, most): (u64, u64)) -> Self {
        Self { least, most }
    }
}

impl Bounds {
    /// Whether a value lies inside.
    pub fn holds(self, value: u64) -> bool {
        (self.least..=self.most).contains(&value)
    }
}

/// The oldest kernels of a distribution that are not vulnerable.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelFloor {
    /// `ID` of os-release; `*` for those that are not listed.
    pub os: String,
    /// How `VERSION_ID` begins; empty for all.
    pub version: String,
    /// Oldest good release of each line.
    pub at_least: Vec<String>,
}

/// What is asked of container images beyond reading them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerPolicy {
    /// Whether entry points are started (CTR-25).
    pub start: Boot,
    /// Seconds that an entry point is given.
    pub start_seconds: u32,
}

impl Default for ContainerPolicy {
    fn default() -> Self {
        Self { start: Boot::Off, start_seconds: 10 }
    }
}

/// Limits and minimum versions for disks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VmPolicy {
    /// Whether disks are started.
    pub boot: Boot,
    /// Seconds that one start may take until the login prompt.
    pub boot_seconds: u32,
    /// Generations that an operating system disk may start as: 1 is BIOS, 2 is UEFI.
    pub generations: Vec<u8>,
    /// Least size of any disk, bytes (VHD-03).
    pub disk_bytes_min: u64,
    /// Size of a Linux operating system disk, bytes (VHD-09).
    pub linux_bytes: Bounds,
    /// Its advised size, bytes.
    pub linux_bytes_advised: Bounds,
    /// Size of a Windows operating system disk, bytes.
    pub windows_bytes: Bounds,
    /// Its advised size, bytes.
    pub windows_bytes_advised: Bounds,
    /// Size of a data disk, bytes (VHD-10).
    pub data_bytes: Bounds,
    /// Data disks of one plan (VHD-12).
    pub data_disks_max: usize,
    /// Bytes of the disk that are not zero and in no file (VHD-11).
    pub unheld_bytes_max: u64,
    /// Size from which the operator must be asked, bytes (VHD-14).
    pub justify_bytes: u64,
    /// Shell history that is tolerated, bytes (LNX-01).
    pub history_bytes_max: u64,
    /// Oldest guest agent (LNX-02).
    pub agent_min: String,
    /// Oldest guest agent that runs extensions (LNX-23).
    pub extension_agent_min: String,
    /// Whether a guest without that agent may be provisioned by cloud-init instead (LNX-02, 11 and 23).
    pub cloud_init_is_agent: bool,
    /// Oldest OpenSSL (LNX-06); releases with extended support count by their own line.
    pub openssl_min: String,
    /// Older lines of it that are still maintained.
    pub openssl_extended: Vec<String>,
    /// Oldest Python (LNX-07).
    pub python_min: String,
    /// Whether a guest without Python gets advice (LNX-07).
    pub python_advised: bool,
    /// `ClientAliveInterval`, seconds (LNX-08).
    pub client_alive: Bounds,
    /// Its advised value, seconds.
    pub client_alive_advised: u64,
    /// Oldest OMI agent (LNX-21).
    pub omi_min: String,
    /// Kernels with the SACK fixes (LNX-12).
    pub kernels: Vec<KernelFloor>,
}
