//! The boot test: a disk is started under a confined QEMU and watched over its serial console.
//!
//! Two machines run one after the other, each on a copy of the disk that forgets what was written
//! and with an identity of its own (NoCloud): the first must reach a login prompt, answer the
//! probe, and reach the prompt again after a reboot; the second shows whether the image was
//! generalised. What could not be tried, or what our time limit ended, is *not run*.

pub mod confine;
mod console;
mod course;
mod judge;
mod probe;
mod qemu;
mod qmp;
mod screen;
mod seed;
pub mod start;

pub use console::{Seen, Sign};
pub use judge::RULES;
pub use probe::{Probe, Transport};
pub use qemu::program;
pub use seed::{Identity, SEED_BYTES, seed};

use mercat_domain::finding::Finding;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// What starts the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Firmware {
    /// SeaBIOS (generation 1).
    Bios,
    /// OVMF (generation 2).
    Uefi,
}

/// How the guest's processor is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Accelerator {
    /// By the machine's own.
    Kvm,
    /// By translation; slower by an order of magnitude.
    Tcg,
}

impl Accelerator {
    /// Its name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

/// What to start, and for how long.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What starts the disk.
    pub firmware: Firmware,
    /// Memory of the guest in MiB.
    pub memory_mib: u64,
    /// Processors of the guest.
    pub cpus: u16,
    /// Longest wait for each stage: a prompt, or the probe's answer.
    pub stage_deadline: Duration,
    /// Ports that the plan declares open; 22 is declared by [`Plan::ssh`].
    pub open_ports: Vec<(u16, Transport)>,
    /// Whether the image must answer on TCP port 22.
    pub ssh: bool,
    /// Seconds of `ClientAliveInterval` that are accepted, and those that are advised (LNX-08).
    pub client_alive: (RangeInclusive<u64>, u64),
    /// Whether the image is thought to take an identity from a NoCloud seed.
    pub takes_identity: bool,
    /// Directory in which a directory for this test is made, and removed again.
    pub scratch: PathBuf,
    /// Largest number of bytes of the disk that may be copied there.
    pub copy_bytes_max: u64,
    /// Whether to keep to one accelerator; the best that works when not set.
    pub accelerator: Option<Accelerator>,
}

impl Plan {
    /// A plan with the usual figures: 1 GiB, two processors, five minutes a stage.
    pub fn new(scratch: PathBuf, firmware: Firmware) -> Self {
        Self {
            firmware,
            memory_mib: 1024,
            cpus: 2,
            stage_deadline: Duration::from_secs(300),
            open_ports: Vec::new(),
            ssh: true,
            client_alive: (30..=235, 180),
            takes_identity: true,
            scratch,
            copy_bytes_max: 64 << 30,
            accelerator: None,
        }
    }

    /// Seconds that all stages of one machine take at most.
    fn seconds_max(&self) -> u64 {
        self.stage_deadline.as_secs().saturating_mul(4).saturating_add(60)
    }
}

/// The program that confines itself and becomes QEMU: this one, whose `main` calls
/// [`confine::child`] when its first argument is [`confine::SUBCOMMAND`].
#[derive(Debug, Clone)]
pub struct Shell {
    /// Path of the program.
    pub program: PathBuf,
}

/// What the test is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The disk is copied: bytes done, bytes to look at.
    Copy(u64, u64),
    /// The first machine starts.
    Boot,
    /// It answers the probe.
    Probe,
    /// It starts again.
    Reboot,
    /// A second machine starts with another identity.
    SecondIdentity,
}

/// What came of the test as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran, and nothing in it went wrong for certain; see [`Report::findings`] for the rest.
    Passed,
    /// The guest certainly did not start as it should.
    Failed {
        /// What was seen.
        why: String,
    },
    /// It was not run, or not to its end, for a reason of ours.
    NotRun {
        /// The reason, with what to do about it.
        why: String,
    },
}

/// What happened.
#[derive(Debug, Clone)]
pub struct Report {
    /// As a whole.
    pub outcome: Outcome,
    /// Serial consoles of both machines, the newest and oldest bytes when there were many.
    pub console: Vec<u8>,
    /// The first machine's last screen, PNG.
    pub screenshot: Option<Vec<u8>>,
    /// Lines of the console that meant something.
    pub seen: Vec<Seen>,
    /// Login prompts that the first machine reached: one, and one more behind the reboot.
    pub prompts: u32,
    /// What the guest said under each identity; fewer than two when it did not answer.
    pub probes: Vec<Probe>,
    /// Host names that were given, in the order of [`Report::probes`].
    pub given: Vec<String>,
    /// Why there are fewer than two probes; empty when there are two.
    pub probe_missing: String,
    /// How the guest's processor was made; `None` before any machine ran.
    pub accelerator: Option<Accelerator>,
    /// How QEMU was confined, as [`confine::confine`] says it.
    pub confinement: String,
    /// Wall-clock time.
    pub seconds: u64,
}

impl Report {
    /// What the report says by rule: see [`RULES`]. Severities are those of the specification
    /// (domain.md 5.2); a policy may weigh them anew.
    pub fn findings(&self, plan: &Plan) -> Vec<Finding> {
        judge::judge(self, plan)
    }
}

/// Starts a disk under QEMU and reports what happened. Blocks: it wants a thread of its own, and
/// QEMU ends with that thread. `progress` is asked at least once a second; `false` stops the test.
pub fn run(
    disk: &dyn mercat_disk::ReadAt,
    plan: &Plan,
    shell: &Shell,
    progress: &dyn Fn(Stage) -> bool,
) -> Report {
    course::run(disk, plan, shell, progress)
}
