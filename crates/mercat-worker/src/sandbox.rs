//! What an inspecting or decoding child may still do: read a few files, compute, and keep large programs in files
//! without names that were open before.
//!
//! Landlock closes the file system and the network, seccomp every system call that computing does not need, and
//! resource limits bound memory, time and files. A kernel that cannot do the first two makes a child refuse, unless
//! the operator allows it; every verdict then says so.

use mercat_boot::confine::{Limits, Paths, confine as confined};
use mercat_domain::finding::{Finding, Place, Severity};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Address space of the child in bytes.
const MEMORY_BYTES: u64 = 6 << 30;
/// Open files of the child: those of ours in which something waits, and as many blobs, libraries and connections.
const FILES: u64 = 2 * SCRATCH_FILES_MAX as u64;

/// Files of ours that the child is lent at most.
pub(crate) const SCRATCH_FILES_MAX: usize = 256;

/// What the operator permits where the kernel cannot confine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum Unconfined {
    /// Nothing is inspected.
    #[default]
    Refused,
    /// Inspected all the same; every verdict says so.
    Allowed,
}

/// Confines this process for good; files that are open for writing may grow to `file_bytes`. `None` when it is confined
/// whole; otherwise what is missing.
///
/// # Errors
/// When a limit cannot be set, or the kernel cannot confine and nobody allowed that.
pub(crate) fn confine(
    readable: &[PathBuf],
    (cpu_secs, file_bytes): (u64, u64),
    unconfined: Unconfined,
) -> Result<Option<String>, String> {
    let paths = Paths { readable: readable.to_vec(), ..Paths::default() };
    let limits = Limits { memory_bytes: MEMORY_BYTES, cpu_secs, files: FILES, file_bytes };
    let landlock = confined(&paths, &limits)?;
    let seccomp = restrict_calls();
    judge(landlock, seccomp, unconfined)
}

/// Whether what the kernel enforces is enough. Landlock without its newest parts is: seccomp closes the network.
fn judge(
    landlock: &str,
    seccomp: Result<(), String>,
    unconfined: Unconfined,
) -> Result<Option<String>, String> {
    let mut missing = Vec::new();
    if !matches!(landlock, "confined" | "partly confined") {
        missing.push("this kernel has no Landlock".to_owned());
    }
    if let Err(why) = seccomp {
        missing.push(format!("seccomp: {why}"));
    }
    if missing.is_empty() {
        return Ok(None);
    }
    let missing = missing.join("; ");
    match unconfined {
        Unconfined::Allowed => Ok(Some(missing)),
        Unconfined::Refused => Err(format!(
            "the inspector cannot be confined: {missing}; set certification.allow_unconfined = true to inspect all \
             the same, which every verdict then says"
        )),
    }
}

/// What a verdict says when it was made without confinement.
pub(crate) fn finding(missing: &str) -> Finding {
    Finding {
        rule: "BOX-01".to_owned(),
        severity: Severity::Warning,
        place: Place::default(),
        observed: format!("inspected without confinement: {missing}"),
        required: "Landlock and seccomp".to_owned(),
        fix: "nothing to do for the publisher: the operator of this server should use a kernel with Landlock"
            .to_owned(),
    }
}

fn restrict_calls() -> Result<(), String> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let rules: BTreeMap<i64, _> = calls().into_iter().map(|call| (call, Vec::new())).collect();
    // What is not listed fails as if it were forbidden, so that a library's fallback can still run.
    let denied = SeccompAction::Errno(rustix::io::Errno::PERM.raw_os_error() as u32);
    let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, architecture);
    let program: BpfProgram = filter
        .map_err(|error| error.to_string())?
        .try_into()
        .map_err(|error: seccompiler::BackendError| error.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}

/// The system calls of a program that reads files, computes in threads, and writes to what was open before: its pipes, and
/// files without names.
fn calls() -> Vec<i64> {
    let mut calls = vec![
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_pread64,
        libc::SYS_write,
        libc::SYS_writev,
        // Only files that were open before.
        libc::SYS_pwrite64,
        libc::SYS_ftruncate,
        libc::SYS_close,
        libc::SYS_openat,
        libc::SYS_fstat,
        libc::SYS_newfstatat,
        libc::SYS_statx,
        libc::SYS_lseek,
        libc::SYS_fcntl,
        libc::SYS_getdents64,
        libc::SYS_readlinkat,
        libc::SYS_fadvise64,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_clone,
        libc::SYS_clone3,
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sched_getaffinity,
        libc::SYS_sched_yield,
        libc::SYS_getrandom,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_tgkill,
        libc::SYS_prlimit64,
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        // Over sockets that are open already: none can be made.
        libc::SYS_sendto,
        libc::SYS_recvfrom,
        libc::SYS_ppoll,
        libc::SYS_membarrier,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
        // Names its threads.
        libc::SYS_prctl,
    ];
    #[cfg(target_arch = "x86_64")]
    calls.extend([libc::SYS_open, libc::SYS_stat, libc::SYS_lstat, libc::SYS_readlink, libc::SYS_poll]);
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_cannot_confine_is_refused_unless_allowed_and_then_told() {
        assert_eq!(judge("confined", Ok(()), Unconfined::Refused), Ok(None));
        assert_eq!(judge("partly confined", Ok(()), Unconfined::Refused), Ok(None));
        let refused = judge("limits only", Ok(()), Unconfined::Refused).expect_err("not confined");
        assert!(refused.contains("no Landlock") && refused.contains("allow_unconfined"), "{refused}");
        assert!(judge("confined", Err("not built in".into()), Unconfined::Refused).is_err());
        let told = judge("limits only", Err("not built in".into()), Unconfined::Allowed).expect("allowed");
        assert_eq!(told.as_deref(), Some("this kernel has no Landlock; seccomp: not built in"));
    }

    #[test]
    fn the_filter_leaves_computing_and_takes_the_network_away() {
        let ends = std::thread::spawn(|| {
            restrict_calls()?;
            let socket = std::net::UdpSocket::bind("127.0.0.1:0");
            let refused = socket.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
            let started = std::process::Command::new("/bin/true").status();
            let computes = std::thread::spawn(|| (0..1000_u64).sum::<u64>()).join();
            Ok::<_, String>((refused, started.is_err(), computes.is_ok()))
        });
        assert_eq!(ends.join().expect("no panic"), Ok((true, true, true)));
    }
}
