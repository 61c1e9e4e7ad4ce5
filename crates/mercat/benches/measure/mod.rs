//! What benchmarks and tests measure of processes.

use std::process::Child;
use std::time::Duration;

/// Waits for a child. The most resident memory that it or one of its children had, in bytes, as the kernel counts it.
pub(crate) fn peak_bytes(child: &mut Child) -> u64 {
    let mut most = 0;
    while child.try_wait().expect("a child can be waited for").is_none() {
        for entry in std::fs::read_dir("/proc").expect("it is mounted").flatten() {
            let Ok(status) = std::fs::read_to_string(entry.path().join("status")) else { continue };
            let field = |key: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(key))?;
                line.split_whitespace().next()?.parse::<u64>().ok()
            };
            if [field("PPid:"), field("Pid:")].contains(&Some(u64::from(child.id()))) {
                most = most.max(field("VmHWM:").unwrap_or(0));
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    most * 1024
}
