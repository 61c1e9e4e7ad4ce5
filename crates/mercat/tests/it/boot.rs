//! The boot test on real machines: QEMU, translated where there is no KVM.

use crate::debian;
use crate::house::{BIN, has, skipped};
use mercat_boot::{Accelerator, Firmware, Outcome, Plan, Report, Shell, Stage, Transport};
use mercat_disk::{Declared, FileReadAt, ReadAt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn plan(scratch: &Path) -> Plan {
    // Translated everywhere: the test must be the same on every machine.
    let accelerator = Some(Accelerator::Tcg);
    let stage_deadline = Duration::from_secs(240);
    Plan { accelerator, stage_deadline, ..Plan::new(scratch.to_owned(), Firmware::Bios) }
}

fn boot(disk: &dyn ReadAt, plan: &Plan) -> Report {
    mercat_boot::run(disk, plan, &Shell { program: BIN.into() }, &|_| true)
}

fn rules(report: &Report, plan: &Plan) -> Vec<String> {
    report
        .findings(plan)
        .into_iter()
        .map(|finding| format!("{} {}", finding.rule, finding.severity.name()))
        .collect()
}

fn shown(report: &Report) -> String {
    format!("{:?}, {} s\n{}", report.outcome, report.seconds, String::from_utf8_lossy(&report.console))
}

#[test]
fn a_debian_boots_answers_boots_again_and_proves_to_be_generalised() {
    if !has("qemu-system-x86_64") {
        return;
    }
    let Some(path) = debian::disk() else { return };
    let _turn = debian::TURN.blocking_lock();
    let file = FileReadAt::new(std::fs::File::open(path).expect("opens")).expect("a file");
    let disk = mercat_disk::open(Arc::new(file), Some(Declared::Raw)).expect("a raw disk");
    let scratch = tempfile::tempdir().expect("a directory");
    let mut plan = plan(scratch.path());
    plan.open_ports.push((8080, Transport::Tcp));
    let report = boot(&disk, &plan);
    skipped(&format!("boot test: {} s, {:?}, {}", report.seconds, report.accelerator, report.confinement));
    assert_eq!(report.outcome, Outcome::Passed, "{}", shown(&report));
    assert_eq!((report.prompts, report.probes.len()), (2, 2), "{}", shown(&report));
    // The Debian has no service on 8080, which the plan promises; all else is well.
    assert_eq!(rules(&report, &plan), ["BOOT-05 warning"], "{:#?}", report.findings(&plan));
    assert!(report.probes[0].agent.contains("WALinuxAgent"), "{:?}", report.probes[0].agent);
    let screen = report.screenshot.expect("a screenshot");
    assert!(image::load_from_memory(&screen).expect("a PNG").width() >= 640);
    assert_eq!(std::fs::read_dir(scratch.path()).expect("reads").count(), 0, "nothing is left");
}

#[test]
fn a_disk_without_boot_loader_is_the_publishers_fault_at_once() {
    if !has("qemu-system-x86_64") {
        return;
    }
    let scratch = tempfile::tempdir().expect("a directory");
    let plan = plan(scratch.path());
    let report = boot(&vec![0; 32 << 20], &plan);
    assert_eq!(rules(&report, &plan), ["BOOT-01 error"], "{}", shown(&report));
    assert!(report.seconds < 60, "{}", shown(&report));
}

#[test]
fn a_disk_that_says_nothing_costs_its_time_and_is_not_judged_where_processors_are_slow() {
    if !has("qemu-system-x86_64") {
        return;
    }
    let scratch = tempfile::tempdir().expect("a directory");
    let mut plan = plan(scratch.path());
    plan.stage_deadline = Duration::from_secs(3);
    let report = boot(&sector(b""), &plan);
    assert_eq!(rules(&report, &plan), ["BOOT-07 inconclusive"], "{}", shown(&report));
}

/// A disk whose boot sector writes a text to the first serial port and stops.
fn sector(text: &[u8]) -> Vec<u8> {
    let mut disk = vec![0; 32 << 20];
    // xor ax,ax; mov ds,ax; mov si,0x7c20; next: lodsb; or al,al; jz end; mov ah,1; xor dx,dx;
    // int 0x14; jmp next; end: hlt; jmp end
    let code = [
        0x31, 0xc0, 0x8e, 0xd8, 0xbe, 0x20, 0x7c, 0xac, 0x08, 0xc0, 0x74, 0x08, 0xb4, 0x01, 0x31, 0xd2, 0xcd,
        0x14, 0xeb, 0xf3, 0xf4, 0xeb, 0xfd,
    ];
    disk[..code.len()].copy_from_slice(&code);
    disk[0x20..0x20 + text.len()].copy_from_slice(text);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

#[test]
fn a_panic_an_emergency_shell_and_a_loaders_prompt_are_told_with_their_line() {
    if !has("qemu-system-x86_64") {
        return;
    }
    let scratch = tempfile::tempdir().expect("a directory");
    let plan = plan(scratch.path());
    for line in [
        "Kernel panic - not syncing: VFS: Unable to mount root fs",
        "You are in emergency mode.",
        "grub rescue> ",
    ] {
        let report = boot(&sector(line.as_bytes()), &plan);
        let findings = report.findings(&plan);
        assert_eq!(rules(&report, &plan), ["BOOT-01 error"], "{}", shown(&report));
        assert!(findings[0].observed.contains(line.trim()), "{findings:#?}");
    }
}

#[test]
fn a_login_prompt_counts_where_nothing_takes_an_identity() {
    if !has("qemu-system-x86_64") {
        return;
    }
    let scratch = tempfile::tempdir().expect("a directory");
    let plan = Plan { takes_identity: false, ..plan(scratch.path()) };
    let report = boot(&sector(b"box login: "), &plan);
    assert_eq!(report.outcome, Outcome::Passed, "{}", shown(&report));
    assert_eq!(rules(&report, &plan), ["BOOT-06 info", "LNX-13 info"]);
}

#[test]
fn a_test_that_is_stopped_is_not_run_and_leaves_no_machine() {
    if !has("qemu-system-x86_64") {
        return;
    }
    let scratch = tempfile::tempdir().expect("a directory");
    let plan = plan(scratch.path());
    let asked = std::cell::Cell::new(0);
    let go_on = |stage| {
        asked.set(asked.get() + u32::from(stage == Stage::Boot));
        asked.get() < 3
    };
    let report = mercat_boot::run(&sector(b""), &plan, &Shell { program: BIN.into() }, &go_on);
    assert!(matches!(report.outcome, Outcome::NotRun { .. }), "{}", shown(&report));
    assert_eq!(std::fs::read_dir(scratch.path()).expect("reads").count(), 0);
}

#[test]
fn a_confined_program_does_not_outlive_the_thread_that_started_it() {
    use mercat_boot::confine::{Job, Limits, Paths};
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::ExitStatusExt;
    let directory = tempfile::tempdir().expect("a directory");
    let program = Path::new("/bin/sleep");
    let paths = Paths::of_program(program, directory.path());
    let limits = Limits { memory_bytes: 1 << 30, cpu_secs: 10, files: 32, file_bytes: 0 };
    let job = Job::new(program.into(), vec!["600".into()], directory.path().to_owned(), paths, limits);
    let started = std::thread::spawn(move || {
        let mut child = job.start(Path::new(BIN)).expect("starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("says how it is confined");
        child
    });
    let mut child = started.join().expect("ends");
    assert_eq!(child.wait().expect("ends").signal(), Some(9));
}
