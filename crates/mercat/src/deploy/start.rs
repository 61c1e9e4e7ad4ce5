//! Starts a machine on this one.

use super::write::Machine;
use anyhow::{Context, bail};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a machine must run before it counts as started.
const SETTLE: Duration = Duration::from_secs(3);

/// A machine that was started.
pub(super) struct Running {
    child: Option<Child>,
    /// What is known, in words.
    pub(super) detail: String,
}

impl Running {
    /// Waits for the machine to end, unless it was left alone.
    pub(super) fn wait(self) -> anyhow::Result<u8> {
        super::say(&self.detail);
        match self.child {
            None => Ok(0),
            Some(mut child) => {
                let status = child.wait()?;
                Ok(if status.success() { 0 } else { crate::EXIT_OURS })
            }
        }
    }
}

fn program(name: &str, package: &str) -> anyhow::Result<()> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&paths).any(|directory| directory.join(name).is_file()) {
        return Ok(());
    }
    bail!("{name} is not installed (Debian: apt install {package}); or write files with --to")
}

/// What a machine writes goes to copies: the files that were fetched keep their digests.
fn copies(machine: &Machine, out: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let mut paths = Vec::new();
    for disk in &machine.disks {
        // Named by what it was copied from: another version is another machine.
        let copy = out.join(format!("running-{}-{}", &disk.sha256[..disk.sha256.len().min(12)], disk.file));
        if !copy.exists() {
            let part = copy.with_extension("part");
            std::fs::copy(out.join(&disk.file), &part).with_context(|| part.display().to_string())?;
            fs_err::rename(&part, &copy)?;
        }
        paths.push(copy.canonicalize()?);
    }
    Ok(paths)
}

/// A port of this host for a port of the guest.
fn forward(port: &str) -> Option<(u16, u16)> {
    let guest: u16 = port.split('-').next()?.parse().ok()?;
    Some((if guest < 1024 { guest + 20_000 } else { guest }, guest))
}

/// Arguments of QEMU.
fn arguments(machine: &Machine, disks: &[std::path::PathBuf], detach: bool) -> Vec<String> {
    let mut network = "user,model=virtio-net-pci".to_owned();
    let mut seen = Vec::new();
    let ssh = ("22".to_owned(), "tcp".to_owned());
    let remote = if machine.os_family == "windows" { ("3389".to_owned(), "tcp".to_owned()) } else { ssh };
    for (port, protocol) in std::iter::once(&remote).chain(&machine.ports) {
        let protocols: &[&str] = match protocol.as_str() {
            "both" => &["tcp", "udp"],
            "udp" => &["udp"],
            _ => &["tcp"],
        };
        for protocol in protocols {
            if let Some((host, guest)) = forward(port)
                && !seen.contains(&(*protocol, host))
            {
                seen.push((protocol, host));
                network.push_str(&format!(",hostfwd={protocol}:127.0.0.1:{host}-:{guest}"));
            }
        }
    }
    let mut out: Vec<String> =
        ["-machine", "q35,accel=kvm:tcg", "-smp", "2", "-m"].map(str::to_owned).to_vec();
    out.push(machine.memory.to_string());
    out.extend(["-name".to_owned(), machine.name.clone(), "-nic".to_owned(), network]);
    if machine.uefi {
        out.extend(["-bios".to_owned(), "/usr/share/ovmf/OVMF.fd".to_owned()]);
    }
    for disk in disks {
        out.push("-drive".to_owned());
        // Commas separate options; a doubled one stands for itself.
        out.push(format!("file={},format=qcow2,if=virtio", disk.display().to_string().replace(',', ",,")));
    }
    out.extend(["-display".to_owned(), "none".to_owned()]);
    if detach {
        out.push("-daemonize".to_owned());
    } else {
        out.extend(["-serial".to_owned(), "mon:stdio".to_owned()]);
    }
    out
}

/// Starts QEMU; its serial console is this terminal.
pub(super) fn qemu(machine: &Machine, out: &Path, detach: bool) -> anyhow::Result<Running> {
    program("qemu-system-x86_64", "qemu-system-x86")?;
    let disks = copies(machine, out)?;
    let arguments = arguments(machine, &disks, detach);
    let mut command = Command::new("qemu-system-x86_64");
    command.args(&arguments);
    if detach {
        let status = command.status()?;
        if !status.success() {
            bail!("qemu-system-x86_64 ended with {status}");
        }
        return Ok(Running { child: None, detail: format!("{} runs under QEMU", machine.name) });
    }
    let mut child = command.spawn()?;
    std::thread::sleep(SETTLE);
    if let Some(status) = child.try_wait()?.filter(|status| !status.success()) {
        bail!("qemu-system-x86_64 ended with {status}");
    }
    let detail = format!("{} runs under QEMU; Ctrl-A X ends it", machine.name);
    Ok(Running { child: Some(child), detail })
}

/// Defines and starts a libvirt domain.
pub(super) fn libvirt(machine: &Machine, out: &Path) -> anyhow::Result<Running> {
    program("virt-install", "virtinst")?;
    let disks = copies(machine, out)?;
    let mut command = Command::new("virt-install");
    command.args(["--import", "--noautoconsole", "--osinfo", "detect=on,require=off", "--vcpus", "2"]);
    command.args(["--name", &machine.name, "--memory", &machine.memory.to_string(), "--network", "default"]);
    if machine.uefi {
        command.args(["--boot", "uefi"]);
    }
    for disk in &disks {
        command.arg("--disk");
        command
            .arg(format!("path={},format=qcow2,bus=virtio", disk.display().to_string().replace(',', ",,")));
    }
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("virt-install: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let detail = format!("{} runs under libvirt; console: virsh console {}", machine.name, machine.name);
    Ok(Running { child: None, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_forwarded_once_and_low_ones_moved() {
        assert_eq!(forward("443"), Some((20_443, 443)));
        assert_eq!(forward("8000-8010"), Some((8000, 8000)));
        assert_eq!(forward("x"), None);
    }
}
