//! The course of a boot test: copy, first machine, reboot, second machine.

use crate::console::{Log, Seen, Sign, Watcher};
use crate::probe::{Answer, Probe, script};
use crate::qemu::{Machine, Source, find};
use crate::seed::{Identity, seed};
use crate::{Accelerator, Firmware, Outcome, Plan, Report, Shell, Stage};
use mercat_artifact::ReadError;
use mercat_disk::ReadAt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes that are copied at a time.
const PIECE_BYTES: usize = 1 << 20;
/// How often somebody is asked whether to go on.
const TICK: Duration = Duration::from_millis(500);
/// How long a small program may take to speak where KVM works.
const KVM_PATIENCE: Duration = Duration::from_secs(3);
/// A boot sector that writes `KKKK...` to the first serial port, 256 times, and halts:
/// xor dx,dx; mov cx,256; next: mov ax,0x14b; int 0x14; loop next; end: hlt; jmp end.
const SPEAKS: [u8; 16] =
    [0x31, 0xd2, 0xb9, 0x00, 0x01, 0xb8, 0x4b, 0x01, 0xcd, 0x14, 0xe2, 0xf9, 0xf4, 0xeb, 0xfd, 0x90];
const SPEAKS_BYTES: usize = 256;
/// How long a guest under KVM may write nothing before translation is tried instead.
const SILENCE: Duration = Duration::from_secs(45);
/// Ticks in which a guest may say more about its end.
const LAST_WORDS: usize = 4;
/// Lines of the console that are told when a boot fails.
const TOLD_LINES: usize = 3;

/// Why a course ends early.
enum Stop {
    /// The guest's fault.
    Failed(String),
    /// Ours.
    NotRun(String),
    /// Nothing was written under KVM: it may be KVM that stands still.
    Silent,
}

type Step<T> = Result<T, Stop>;

struct Course<'a> {
    plan: &'a Plan,
    shell: &'a Shell,
    directory: &'a Path,
    accelerator: Accelerator,
    progress: &'a dyn Fn(Stage) -> bool,
    console: Log,
    report: Report,
}

pub(crate) fn run(disk: &dyn ReadAt, plan: &Plan, shell: &Shell, progress: &dyn Fn(Stage) -> bool) -> Report {
    let since = Instant::now();
    let mut report = Report {
        outcome: Outcome::Passed,
        console: Vec::new(),
        screenshot: None,
        seen: Vec::new(),
        prompts: 0,
        probes: Vec::new(),
        given: Vec::new(),
        probe_missing: String::new(),
        accelerator: None,
        confinement: String::new(),
        seconds: 0,
    };
    report = match prepare(disk, plan, shell, progress) {
        Ok((directory, accelerator)) => {
            report.accelerator = Some(accelerator);
            let directory = directory.path();
            let console = Log::default();
            let mut course = Course { plan, shell, directory, accelerator, progress, console, report };
            let mut done = course.whole();
            if matches!(done, Err(Stop::Silent)) {
                course.accelerator = Accelerator::Tcg;
                course.report.accelerator = Some(Accelerator::Tcg);
                course.report.given.clear();
                done = course.whole();
            }
            course.report.console = course.console.bytes();
            course.report.outcome = done.map_or_else(outcome, |()| Outcome::Passed);
            course.report
        }
        Err(stop) => Report { outcome: outcome(stop), ..report },
    };
    report.seconds = since.elapsed().as_secs();
    report
}

fn outcome(stop: Stop) -> Outcome {
    match stop {
        Stop::Failed(why) => Outcome::Failed { why },
        Stop::NotRun(why) => Outcome::NotRun { why },
        Stop::Silent => Outcome::NotRun { why: "the guest wrote nothing".to_owned() },
    }
}

fn prepare(
    disk: &dyn ReadAt,
    plan: &Plan,
    shell: &Shell,
    progress: &dyn Fn(Stage) -> bool,
) -> Step<(tempfile::TempDir, Accelerator)> {
    find(plan.firmware).map_err(Stop::NotRun)?;
    let ours = |what: &str, error: io::Error| Stop::NotRun(format!("{what}: {error}"));
    let directory = tempfile::Builder::new()
        .prefix("boot-")
        .tempdir_in(&plan.scratch)
        .map_err(|error| ours("a scratch directory", error))?;
    let accelerator = plan.accelerator.unwrap_or_else(|| best(shell, plan, directory.path()));
    copy(disk, plan, &directory.path().join("disk.raw"), progress)?;
    Ok((directory, accelerator))
}

/// KVM where a small program runs as fast under it as it should, not merely where its device can
/// be opened: nested and emulated KVM start and then stand still.
fn best(shell: &Shell, plan: &Plan, directory: &Path) -> Accelerator {
    if File::options().read(true).write(true).open("/dev/kvm").is_err() {
        return Accelerator::Tcg;
    }
    let disk = directory.join("disk.raw");
    let runs = speaks(shell, plan, directory, &disk);
    let _ = std::fs::remove_file(disk);
    if runs { Accelerator::Kvm } else { Accelerator::Tcg }
}

fn speaks(shell: &Shell, plan: &Plan, directory: &Path, disk: &Path) -> bool {
    let mut sectors = vec![0; 1 << 20];
    sectors[..SPEAKS.len()].copy_from_slice(&SPEAKS);
    sectors[510..512].copy_from_slice(&[0x55, 0xaa]);
    let plan = Plan { firmware: Firmware::Bios, ..plan.clone() };
    if std::fs::write(disk, sectors).is_err() {
        return false;
    }
    let Ok(mut machine) = Machine::start(&shell.program, &plan, directory, Accelerator::Kvm) else {
        return false;
    };
    let until = Instant::now() + KVM_PATIENCE;
    let mut heard = 0;
    while let Some(patience) = until.checked_duration_since(Instant::now()) {
        match machine.hear(patience) {
            Some((Source::Console, bytes)) => heard += bytes.iter().filter(|byte| **byte == b'K').count(),
            Some((Source::Ended, _)) => return false,
            _ => {}
        }
        if heard >= SPEAKS_BYTES {
            return true;
        }
    }
    false
}

/// Copies what is not zero into a sparse file, by our own reader.
fn copy(disk: &dyn ReadAt, plan: &Plan, path: &Path, progress: &dyn Fn(Stage) -> bool) -> Step<()> {
    let read = |error: ReadError| match error {
        refused @ ReadError::Refused { .. } => Stop::Failed(format!("the disk cannot be read: {refused}")),
        ReadError::Io(error) => Stop::NotRun(format!("the disk cannot be read: {error}")),
    };
    let write = |error: io::Error| Stop::NotRun(format!("the copy of the disk cannot be written: {error}"));
    let out = File::create_new(path).map_err(write)?;
    out.set_len(disk.size()).map_err(write)?;
    let mut buffer = vec![0; PIECE_BYTES];
    let (mut at, mut copied) = (0, 0u64);
    while let Some(data) = disk.next_data(at).map_err(read)? {
        at = data.start.max(at);
        while at < data.end {
            let size = usize::try_from(data.end - at).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
            disk.read_at(at, &mut buffer[..size]).map_err(read)?;
            if buffer[..size].iter().any(|byte| *byte != 0) {
                copied += size as u64;
                if copied > plan.copy_bytes_max {
                    let why = format!("more than {} bytes of the disk are in use", plan.copy_bytes_max);
                    return Err(Stop::NotRun(why));
                }
                out.write_all_at(&buffer[..size], at).map_err(write)?;
            }
            at += size as u64;
            if !progress(Stage::Copy(at, disk.size())) {
                return Err(stopped());
            }
        }
    }
    Ok(())
}

fn stopped() -> Stop {
    Stop::NotRun("the test was stopped".to_owned())
}

/// A machine with what was heard of it.
struct Life {
    machine: Machine,
    watcher: Watcher,
    firmware: Watcher,
    answer: Answer,
    token: String,
    probe: Option<Probe>,
    /// Signs that were looked at.
    passed: usize,
}

impl Course<'_> {
    fn whole(&mut self) -> Step<()> {
        let mut life = self.start(Stage::Boot)?;
        let first = self.machine(&mut life);
        self.report.screenshot = life.machine.screenshot();
        self.keep(&life);
        first?;
        drop(life);
        if self.report.probes.is_empty() {
            return Ok(());
        }
        let mut life = self.start(Stage::SecondIdentity)?;
        let second = self.until_probe(&mut life, Stage::SecondIdentity);
        self.keep(&life);
        second
    }

    /// The first machine's life.
    fn machine(&mut self, life: &mut Life) -> Step<()> {
        self.until_login(life, Stage::Boot)?;
        self.report.prompts += 1;
        if !self.plan.takes_identity {
            "nothing in the image takes an identity from a NoCloud seed"
                .clone_into(&mut self.report.probe_missing);
            return Ok(());
        }
        self.until_probe(life, Stage::Probe)?;
        if life.probe.is_none() {
            return Ok(());
        }
        let order = format!("reboot-{}\n", life.token);
        life.machine
            .tell(&order)
            .map_err(|error| Stop::NotRun(format!("the second serial port: {error}")))?;
        self.until_login(life, Stage::Reboot)?;
        self.report.prompts += 1;
        Ok(())
    }

    fn start(&mut self, stage: Stage) -> Step<Life> {
        let mut random = [0; 12];
        getrandom::fill(&mut random).map_err(|error| Stop::NotRun(format!("random numbers: {error}")))?;
        let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let token = format!("mercat-{hex}");
        let hostname = format!("m{}", &hex[..8]);
        let identity =
            Identity { instance_id: token.clone(), hostname: hostname.clone(), user_data: script(&token) };
        let volume = seed(&identity).map_err(Stop::NotRun)?;
        std::fs::write(self.directory.join("seed.img"), volume)
            .map_err(|error| Stop::NotRun(format!("the seed cannot be written: {error}")))?;
        if !(self.progress)(stage) {
            return Err(stopped());
        }
        let machine = Machine::start(&self.shell.program, self.plan, self.directory, self.accelerator)
            .map_err(|why| Stop::NotRun(format!("QEMU did not start: {why}")))?;
        self.report.confinement.clone_from(&machine.confinement);
        self.report.given.push(hostname);
        if stage == Stage::SecondIdentity {
            self.console.push(b"\n[another machine with another identity]\n");
        }
        Ok(Life {
            machine,
            watcher: Watcher::default(),
            firmware: Watcher::firmware(),
            answer: Answer::new(&token),
            token,
            probe: None,
            passed: 0,
        })
    }

    fn keep(&mut self, life: &Life) {
        self.report.seen.extend(life.watcher.seen.iter().chain(&life.firmware.seen).cloned());
        self.report.probes.extend(life.probe.clone());
    }

    fn until_login(&mut self, life: &mut Life, stage: Stage) -> Step<()> {
        let since = Instant::now();
        let deadline = since + self.plan.stage_deadline;
        let doubted = self.accelerator == Accelerator::Kvm && self.plan.accelerator.is_none();
        loop {
            if life.next_sign() == Some(Sign::Login) {
                return Ok(());
            }
            self.check(life, stage)?;
            if doubted && self.console.is_empty() && since.elapsed() >= SILENCE {
                return Err(Stop::Silent);
            }
            if Instant::now() >= deadline {
                return Err(self.late());
            }
            self.listen(life, stage)?;
        }
    }

    /// Waits for the probe. Its absence is told, not judged: the image may do without cloud-init.
    fn until_probe(&mut self, life: &mut Life, stage: Stage) -> Step<()> {
        let deadline = Instant::now() + self.plan.stage_deadline;
        while life.probe.is_none() {
            while life.next_sign().is_some() {}
            self.check(life, stage)?;
            if Instant::now() >= deadline {
                let seconds = self.plan.stage_deadline.as_secs();
                self.report.probe_missing =
                    format!("the guest did not answer the probe of its identity within {seconds} seconds");
                return Ok(());
            }
            self.listen(life, stage)?;
        }
        Ok(())
    }

    /// Takes what comes within a tick.
    fn listen(&mut self, life: &mut Life, stage: Stage) -> Step<()> {
        if !(self.progress)(stage) {
            return Err(stopped());
        }
        let until = Instant::now() + TICK;
        while let Some(patience) = until.checked_duration_since(Instant::now()) {
            let Some((source, bytes)) = life.machine.hear(patience) else { break };
            match source {
                Source::Console => {
                    self.console.push(&bytes);
                    life.watcher.push(&bytes);
                }
                Source::Firmware => life.firmware.push(&bytes),
                Source::Probe => {
                    if life.probe.is_none() {
                        life.probe = life.answer.push(&bytes);
                    }
                }
                Source::Ended => {
                    let said = life.machine.end_words();
                    return Err(Stop::NotRun(format!("QEMU ended before the test did: {said}")));
                }
            }
            if matches!(source, Source::Probe) && life.probe.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Fails when the guest said that its boot is over, once it had time to say why.
    fn check(&mut self, life: &mut Life, stage: Stage) -> Step<()> {
        if life.fatal().is_none() {
            return Ok(());
        }
        for _ in 0..LAST_WORDS {
            // A machine that ends now does not change what was seen.
            if self.listen(life, stage).is_err() {
                break;
            }
        }
        match life.fatal() {
            Some(seen) => Err(Stop::Failed(format!("{}: {}", words(seen), seen.line.trim()))),
            None => Ok(()),
        }
    }

    /// No prompt came in time: that may always be the fault of a slow machine of ours.
    fn late(&self) -> Stop {
        let seconds = self.plan.stage_deadline.as_secs();
        let last = self.last_lines();
        let last =
            if last.is_empty() { "nothing was written".to_owned() } else { format!("last lines: {last}") };
        Stop::NotRun(format!("no login prompt on the serial console within {seconds} seconds; {last}"))
    }

    fn last_lines(&self) -> String {
        let bytes = self.console.bytes();
        let tail = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(2000)..]).into_owned();
        let clean: String = tail.chars().filter(|c| !c.is_control() || *c == '\n').collect();
        let lines: Vec<&str> = clean.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(TOLD_LINES)..].join(" / ")
    }
}

impl Life {
    fn fatal(&self) -> Option<&Seen> {
        self.watcher.seen.iter().chain(&self.firmware.seen).find(|seen| seen.sign.ends_boot())
    }

    /// The next sign of the console that was not looked at.
    fn next_sign(&mut self) -> Option<Sign> {
        let sign = self.watcher.seen.get(self.passed)?.sign;
        self.passed += 1;
        Some(sign)
    }
}

fn words(seen: &Seen) -> &'static str {
    match seen.sign {
        Sign::Login => "a login prompt",
        Sign::Panic => "the kernel panicked",
        Sign::Emergency => "the system asks to be repaired",
        Sign::LoaderPrompt => "the boot loader stands at a prompt",
        Sign::NothingToBoot => "the firmware found nothing to boot",
        Sign::SoftLockup => "a processor was locked up",
    }
}
