//! Modes and capabilities that let a program do more than its user.

use super::Named;
use serde::{Deserialize, Serialize};

/// What is notable about a file or directory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Mode {
    /// Permission bits with setuid, setgid and sticky.
    pub(crate) mode: u32,
    /// Whether it is a directory.
    pub(crate) directory: bool,
    /// Names of file capabilities, or what stands in their place.
    pub(crate) capabilities: String,
}

impl Mode {
    /// Whether it runs as its owner or group.
    pub(crate) fn is_setuid(&self) -> bool {
        !self.directory && self.mode & 0o6000 != 0
    }

    /// Whether it lets its user do more than they may.
    pub(crate) fn is_privileged(&self) -> bool {
        self.is_setuid() || !self.capabilities.is_empty()
    }

    /// Whether everybody may write it; in a directory with the sticky bit only one's own files.
    pub(crate) fn is_world_writable(&self) -> bool {
        self.mode & 0o002 != 0 && !(self.directory && self.mode & 0o1000 != 0)
    }
}

/// What is notable about a name, or nothing.
pub(crate) fn notable(named: Named, mode: u32, attributes: &[(String, Vec<u8>)]) -> Option<Mode> {
    if named == Named::Other {
        return None;
    }
    let capability = attributes.iter().find(|(key, _)| key == "security.capability");
    let capabilities = capability.map(|(_, value)| capabilities(value)).unwrap_or_default();
    let out = Mode { mode, directory: named == Named::Directory, capabilities };
    (out.is_privileged() || out.is_world_writable()).then_some(out)
}

/// `vfs_cap_data` of Linux, revisions 1 to 3: magic, then permitted and inheritable sets in words.
fn capabilities(value: &[u8]) -> String {
    const NAMES: [&str; 41] = [
        "chown",
        "dac_override",
        "dac_read_search",
        "fowner",
        "fsetid",
        "kill",
        "setgid",
        "setuid",
        "setpcap",
        "linux_immutable",
        "net_bind_service",
        "net_broadcast",
        "net_admin",
        "net_raw",
        "ipc_lock",
        "ipc_owner",
        "sys_module",
        "sys_rawio",
        "sys_chroot",
        "sys_ptrace",
        "sys_pacct",
        "sys_admin",
        "sys_boot",
        "sys_nice",
        "sys_resource",
        "sys_time",
        "sys_tty_config",
        "mknod",
        "lease",
        "audit_write",
        "audit_control",
        "setfcap",
        "mac_override",
        "mac_admin",
        "syslog",
        "wake_alarm",
        "block_suspend",
        "audit_read",
        "perfmon",
        "bpf",
        "checkpoint_restore",
    ];
    let word = |at: usize| {
        let bytes = value.get(at..at + 4)?;
        Some(bytes.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    let sets = match (word(0).map(|magic| magic >> 24), word(4), word(8), word(12), word(16)) {
        (Some(1), Some(permitted), Some(inheritable), _, _) => Some((permitted, inheritable)),
        (Some(2 | 3), Some(low), Some(inherited), Some(high), Some(inherited_high)) => {
            Some((low | high << 32, inherited | inherited_high << 32))
        }
        _ => None,
    };
    let Some((permitted, inheritable)) = sets else { return "unreadable".to_owned() };
    let all = permitted | inheritable;
    let name = |bit: usize| match NAMES.get(bit) {
        Some(name) => format!("cap_{name}"),
        None => format!("cap_{bit}"),
    };
    let names: Vec<String> = (0..64).filter(|bit| all >> bit & 1 == 1).map(name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(",") }
}

#[cfg(test)]
mod tests;
