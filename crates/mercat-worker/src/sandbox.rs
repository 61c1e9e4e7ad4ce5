//! What the inspecting child may still do: read a few files, and compute.
//!
//! The child confines itself before it reads a byte of an artifact: Landlock leaves
//! it read access below the named paths and, on kernels that know how, no network;
//! resource limits bound its memory, time, files and output.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::path::PathBuf;

/// Address space of the child in bytes.
const MEMORY_BYTES: u64 = 6 << 30;
/// Open files of the child.
const FILES: u64 = 128;

/// Confines this process for good. Returns what the kernel enforces.
///
/// # Errors
/// When a limit cannot be set.
pub(crate) fn confine(readable: &[PathBuf], cpu_secs: u64) -> Result<&'static str, String> {
    let limit = |resource, value: u64| {
        setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
            .map_err(|error| format!("a resource limit cannot be set: {error}"))
    };
    limit(Resource::As, MEMORY_BYTES)?;
    limit(Resource::Cpu, cpu_secs)?;
    limit(Resource::Nofile, FILES)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Core, 0)?;
    landlock(readable).map_err(|error| format!("landlock: {error}"))
}

fn landlock(readable: &[PathBuf]) -> Result<&'static str, landlock::RulesetError> {
    let abi = ABI::V4;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .create()?;
    for path in readable {
        if let Ok(fd) = PathFd::new(path) {
            // A file takes no rights of directories.
            let directory = path.is_dir();
            let access = if directory { AccessFs::from_read(abi) } else { AccessFs::ReadFile.into() };
            rules = rules.add_rule(PathBeneath::new(fd, access))?;
        }
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => "confined",
        RulesetStatus::PartiallyEnforced => "partly confined",
        RulesetStatus::NotEnforced => "limits only",
    })
}
