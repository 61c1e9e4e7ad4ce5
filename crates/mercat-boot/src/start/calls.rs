//! The system calls that an image under test may not make, as a filter for bubblewrap.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};
use std::collections::BTreeMap;

/// What would look at or change the host beyond its namespaces, or has been a way out of them. The answer is that of
/// a kernel without the call, so that programs take their other way.
fn denied() -> Vec<i64> {
    vec![
        libc::SYS_acct,
        libc::SYS_add_key,
        libc::SYS_bpf,
        libc::SYS_clock_adjtime,
        libc::SYS_clock_settime,
        // Its flags lie in memory, where a filter cannot see them; glibc goes back to clone.
        libc::SYS_clone3,
        libc::SYS_delete_module,
        libc::SYS_finit_module,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fsopen,
        libc::SYS_fspick,
        libc::SYS_init_module,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_io_uring_setup,
        libc::SYS_kcmp,
        libc::SYS_kexec_file_load,
        libc::SYS_kexec_load,
        libc::SYS_keyctl,
        libc::SYS_mount,
        libc::SYS_mount_setattr,
        libc::SYS_move_mount,
        libc::SYS_name_to_handle_at,
        libc::SYS_open_by_handle_at,
        libc::SYS_open_tree,
        libc::SYS_perf_event_open,
        libc::SYS_pidfd_getfd,
        libc::SYS_pivot_root,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_ptrace,
        libc::SYS_quotactl,
        libc::SYS_reboot,
        libc::SYS_request_key,
        libc::SYS_setns,
        libc::SYS_settimeofday,
        libc::SYS_swapoff,
        libc::SYS_swapon,
        libc::SYS_syslog,
        libc::SYS_umount2,
        libc::SYS_unshare,
        libc::SYS_userfaultfd,
        libc::SYS_vhangup,
    ]
}

/// The filter in the kernel's form (`struct sock_filter`), as `bwrap --seccomp` reads it.
///
/// # Errors
/// On a processor for which no filter can be made.
pub(crate) fn filter() -> Result<Vec<u8>, String> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let mut rules: BTreeMap<i64, _> = denied().into_iter().map(|call| (call, Vec::new())).collect();
    // A socket of another kind may lie outside of the network namespace: AF_VSOCK reaches the machine below.
    let kinds = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    let other =
        kinds.map(|kind| SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, kind as u64));
    let other = other.into_iter().collect::<Result<_, _>>().and_then(SeccompRule::new);
    rules.insert(libc::SYS_socket, vec![other.map_err(|error| error.to_string())?]);
    let refused = SeccompAction::Errno(rustix::io::Errno::NOSYS.raw_os_error() as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, architecture);
    let program: BpfProgram = filter
        .map_err(|error| error.to_string())?
        .try_into()
        .map_err(|error: seccompiler::BackendError| error.to_string())?;
    let mut out = Vec::new();
    for line in program {
        out.extend(line.code.to_ne_bytes());
        out.extend([line.jt, line.jf]);
        out.extend(line.k.to_ne_bytes());
    }
    Ok(out)
}
