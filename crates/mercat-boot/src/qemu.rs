//! QEMU: where it is, its command line, and one running machine.

use crate::confine::{Job, Limits, Paths};
use crate::qmp::Qmp;
use crate::{Accelerator, Firmware, Plan};
use serde_json::json;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// The program, by name.
pub(crate) const PROGRAM: &str = "qemu-system-x86_64";
const PLACES: &[&str] = &["/usr/bin", "/usr/local/bin", "/usr/libexec", "/bin"];
/// OVMF code and variables, by distribution.
const UEFI: &[(&str, &str)] = &[
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
];
/// What QEMU reads of the host beside its libraries.
const FIRMWARE: &[&str] =
    &["/usr/share/qemu", "/usr/share/seabios", "/usr/share/OVMF", "/usr/share/ovmf", "/usr/share/edk2"];
/// Address space beyond the guest's memory: code, translated code, screens, stacks.
const OVERHEAD_BYTES: u64 = 4 << 30;
/// Bytes that a guest may write to its copy of the disk.
const OVERLAY_BYTES: u64 = 16 << 30;
/// Open files of QEMU.
const FILES: u64 = 256;
/// How long QEMU may take to make its sockets.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// How long it may take to answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(20);

/// QEMU on this machine: the one that a test would start.
pub fn program() -> Option<PathBuf> {
    PLACES.iter().map(|place| Path::new(place).join(PROGRAM)).find(|path| path.is_file())
}

/// The program and the firmware, or what is missing and which package brings it.
pub(crate) fn find(firmware: Firmware) -> Result<PathBuf, String> {
    let program = program().ok_or_else(|| {
        format!("{PROGRAM} is not installed; install the package qemu-system-x86 (Debian, Ubuntu) or qemu-kvm (Fedora, RHEL)")
    })?;
    if firmware == Firmware::Uefi && uefi().is_none() {
        return Err("UEFI firmware is not installed; install the package ovmf (Debian, Ubuntu) or edk2-ovmf (Fedora, RHEL)".into());
    }
    Ok(program)
}

fn uefi() -> Option<(&'static str, &'static str)> {
    UEFI.iter().copied().find(|(code, variables)| Path::new(code).is_file() && Path::new(variables).is_file())
}

/// Where bytes came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Console,
    Probe,
    Firmware,
    /// QEMU ended and all its streams with it.
    Ended,
}

/// A machine that runs. Dropping it kills it.
pub(crate) struct Machine {
    child: Child,
    qmp: Qmp,
    probe: UnixStream,
    heard: Receiver<(Source, Vec<u8>)>,
    directory: PathBuf,
    pub(crate) confinement: String,
}

impl Drop for Machine {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Kills a child with its process group and waits for it.
fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

impl Machine {
    /// Starts a machine on the files `disk.raw` and `seed.img` of a directory (both absent: a
    /// machine without disks).
    ///
    /// # Errors
    /// Why QEMU did not start, in its own words.
    pub(crate) fn start(
        this_program: &Path,
        plan: &Plan,
        directory: &Path,
        accelerator: Accelerator,
    ) -> Result<Self, String> {
        let program = find(plan.firmware)?;
        if plan.firmware == Firmware::Uefi {
            let (_, variables) = uefi().ok_or("UEFI firmware is not installed")?;
            std::fs::copy(variables, directory.join("vars.fd"))
                .map_err(|error| format!("vars.fd: {error}"))?;
        }
        for socket in ["qmp.sock", "console.sock", "probe.sock", "firmware.sock"] {
            let _ = std::fs::remove_file(directory.join(socket));
        }
        let paths = paths(&program, directory, accelerator);
        let cpu_secs = plan.seconds_max().saturating_mul(u64::from(plan.cpus) + 2);
        let limits = Limits {
            memory_bytes: (plan.memory_mib << 20).saturating_add(OVERHEAD_BYTES),
            cpu_secs,
            files: FILES,
            file_bytes: OVERLAY_BYTES,
        };
        let arguments = arguments(plan, directory, accelerator);
        let job = Job::new(program, arguments, directory.to_owned(), paths, limits);
        let mut child =
            job.start(this_program).map_err(|error| format!("{}: {error}", this_program.display()))?;
        match Self::connect(&mut child, directory) {
            Ok((qmp, probe, heard, confinement)) => {
                Ok(Self { child, qmp, probe, heard, directory: directory.to_owned(), confinement })
            }
            Err(error) => {
                end(&mut child);
                let mut said = String::new();
                let _ = child.stderr.take().map(|errors| errors.take(4096).read_to_string(&mut said));
                let said = said.lines().last().unwrap_or_default().to_owned();
                Err(if said.is_empty() { error.to_string() } else { said })
            }
        }
    }

    #[expect(clippy::type_complexity, reason = "the parts of a machine, in one place")]
    fn connect(
        child: &mut Child,
        directory: &Path,
    ) -> io::Result<(Qmp, UnixStream, Receiver<(Source, Vec<u8>)>, String)> {
        // Paths of sockets are short; through the descriptor the directory may lie anywhere.
        let open = File::open(directory)?;
        let at = |name: &str| PathBuf::from(format!("/proc/self/fd/{}/{name}", open.as_raw_fd()));
        let since = Instant::now();
        let mut qmp = loop {
            match Qmp::open(&at("qmp.sock"), ANSWER_PATIENCE) {
                Ok(qmp) => break qmp,
                Err(_) if child.try_wait()?.is_none() && since.elapsed() < START_PATIENCE => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => return Err(error),
            }
        };
        let mut confinement = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out.take(64)).read_line(&mut confinement)?;
        }
        let (say, heard) = sync_channel(64);
        let probe = UnixStream::connect(at("probe.sock"))?;
        listen(UnixStream::connect(at("console.sock"))?, Source::Console, say.clone());
        listen(probe.try_clone()?, Source::Probe, say.clone());
        listen(UnixStream::connect(at("firmware.sock"))?, Source::Firmware, say);
        qmp.ask("cont", &json!({}))?;
        Ok((qmp, probe, heard, confinement.trim().to_owned()))
    }

    /// The next bytes, or `None` when none come within the given time.
    pub(crate) fn hear(&mut self, patience: Duration) -> Option<(Source, Vec<u8>)> {
        match self.heard.recv_timeout(patience) {
            Ok(heard) => Some(heard),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => Some((Source::Ended, Vec::new())),
        }
    }

    /// Writes to the guest's second serial port.
    pub(crate) fn tell(&mut self, text: &str) -> io::Result<()> {
        self.probe.set_write_timeout(Some(ANSWER_PATIENCE))?;
        io::Write::write_all(&mut self.probe, text.as_bytes())
    }

    /// The screen as PNG, when there is one.
    pub(crate) fn screenshot(&mut self) -> Option<Vec<u8>> {
        self.qmp.ask("screendump", &json!({"filename": "screen.ppm"})).ok()?;
        let mut pixmap = Vec::new();
        File::open(self.directory.join("screen.ppm")).ok()?.take(256 << 20).read_to_end(&mut pixmap).ok()?;
        crate::screen::png(&pixmap)
    }

    /// How QEMU ended, in its own words; waits for it.
    pub(crate) fn end_words(&mut self) -> String {
        end(&mut self.child);
        let mut said = String::new();
        let _ = self.child.stderr.take().map(|errors| errors.take(4096).read_to_string(&mut said));
        said.lines().last().unwrap_or("it gave no reason").to_owned()
    }
}

fn listen(mut from: UnixStream, source: Source, say: SyncSender<(Source, Vec<u8>)>) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if say.send((source, buffer[..read].to_vec())).is_err() {
                break;
            }
        }
    });
}

fn paths(program: &Path, directory: &Path, accelerator: Accelerator) -> Paths {
    let mut out = Paths::of_program(program, directory);
    out.readable.extend(FIRMWARE.iter().map(PathBuf::from));
    if accelerator == Accelerator::Kvm {
        out.devices.push("/dev/kvm".into());
    }
    out
}

fn arguments(plan: &Plan, directory: &Path, accelerator: Accelerator) -> Vec<String> {
    let machine = if plan.firmware == Firmware::Uefi { "q35" } else { "pc" };
    let mut out: Vec<String> = [
        "-nodefaults",
        "-no-user-config",
        "-nic",
        "none",
        "-display",
        "none",
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        "-S",
        "-vga",
        "std",
        "-device",
        "virtio-rng-pci",
        "-qmp",
        "unix:qmp.sock,server=on,wait=off",
        "-chardev",
        "socket,id=console,path=console.sock,server=on,wait=off",
        "-serial",
        "chardev:console",
        "-chardev",
        "socket,id=probe,path=probe.sock,server=on,wait=off",
        "-serial",
        "chardev:probe",
        "-chardev",
        "socket,id=firmware,path=firmware.sock,server=on,wait=off",
        "-device",
        "isa-debugcon,iobase=0x402,chardev=firmware",
    ]
    .map(str::to_owned)
    .into();
    let mut option = |name: &str, value: String| out.extend([name.to_owned(), value]);
    option("-machine", format!("{machine},usb=off,vmport=off,dump-guest-core=off,mem-merge=off"));
    match accelerator {
        Accelerator::Kvm => {
            option("-accel", "kvm".into());
            option("-cpu", "host".into());
        }
        Accelerator::Tcg => {
            option("-accel", "tcg,thread=multi,tb-size=256".into());
            option("-cpu", "max".into());
        }
    }
    option("-m", plan.memory_mib.to_string());
    option("-smp", plan.cpus.to_string());
    if plan.firmware == Firmware::Uefi
        && let Some((code, _)) = uefi()
    {
        option("-drive", format!("if=pflash,format=raw,readonly=on,file={code}"));
        option("-drive", "if=pflash,format=raw,file=vars.fd".into());
    }
    // The format is always said: QEMU never guesses what a publisher's bytes might be.
    if directory.join("disk.raw").is_file() {
        let file = "if=none,id=os,format=raw,file.driver=file,file.filename=disk.raw,snapshot=on,cache=unsafe,discard=unmap";
        option("-drive", file.into());
        option("-device", "virtio-blk-pci,drive=os,bootindex=0".into());
    }
    if directory.join("seed.img").is_file() {
        option(
            "-drive",
            "if=none,id=seed,format=raw,file.driver=file,file.filename=seed.img,read-only=on".into(),
        );
        option("-device", "virtio-blk-pci,drive=seed".into());
    }
    out
}
