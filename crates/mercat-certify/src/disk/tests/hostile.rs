//! Disks that are cut, bent or unreadable: a finding or inconclusive, in bounded time.

use super::*;
use std::time::{Duration, Instant};

/// What may not take longer, on a slow machine too.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn bytes_of(machine: &Machine) -> Option<Vec<u8>> {
    let directory = tempfile::tempdir().expect("a directory");
    let mut disk = machine.disk(directory.path())?;
    let mut bytes = vec![0; usize::try_from(32 * MIB).expect("fits")];
    disk.seek(SeekFrom::Start(0)).expect("there");
    disk.read_exact(&mut bytes).expect("reads");
    Some(bytes)
}

pub(super) fn judge(machine: &Machine, bytes: Vec<u8>) -> Verdict {
    let started = Instant::now();
    let facts = facts(Format::Raw, bytes.len() as u64);
    let verdict = machine.judge(Arc::new(bytes), facts);
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    verdict
}

pub(super) fn small() -> Machine {
    let mut machine = Machine::clean();
    machine.policy = machine.policy.replace("linux_bytes = [1073741824", "linux_bytes = [1048576");
    machine.policy =
        machine.policy.replace("linux_bytes_advised = [1073741824", "linux_bytes_advised = [1048576");
    machine
}

#[test]
fn a_cut_disk_is_a_finding_with_its_code_and_no_rule_passes_for_it() {
    let machine = small();
    let Some(mut bytes) = bytes_of(&machine) else { return };
    assert_eq!(judge(&machine, bytes.clone()).outcome(), Judged::Pass);
    bytes.truncate(usize::try_from(8 * MIB).expect("fits"));
    let verdict = judge(&machine, bytes);
    assert_eq!(verdict.outcome(), Judged::Findings);
    assert!(verdict.findings.iter().any(|finding| finding.rule == "PRT-09"), "{:?}", verdict.findings);
    let passed =
        verdict.checks.iter().filter(|check| check.rule.starts_with("LNX") && check.result == "passed");
    assert_eq!(passed.count(), 0, "nothing was read, so nothing passes");
}

#[test]
fn a_broken_inode_table_names_volume_and_offset() {
    let machine = small();
    let Some(mut bytes) = bytes_of(&machine) else { return };
    // Every inode of the first group gets another checksum.
    let descriptor = usize::try_from(MIB).expect("fits") + 2048;
    let block_bytes = 1024 << bytes[descriptor - 1024 + 24];
    let descriptors =
        usize::try_from(MIB).expect("fits") + if block_bytes == 1024 { 2048 } else { block_bytes };
    let table = u32::from_le_bytes(bytes[descriptors + 8..descriptors + 12].try_into().expect("four"));
    let at = usize::try_from(MIB).expect("fits") + usize::try_from(table).expect("fits") * block_bytes;
    for inode in 0..64 {
        bytes[at + 256 * inode + 8] ^= 0xff;
    }
    let verdict = judge(&machine, bytes);
    let found: Vec<_> = verdict.findings.iter().filter(|finding| finding.rule.starts_with("EXT-")).collect();
    assert!(!found.is_empty(), "{:?}", verdict.findings);
    assert_eq!(found[0].place.layer, "part1");
    assert!(found[0].observed.contains("at byte"));
    assert_ne!(verdict.outcome(), Judged::Pass);
}

#[test]
fn bent_bytes_never_panic_and_end_in_time() {
    let machine = small();
    let Some(bytes) = bytes_of(&machine) else { return };
    let started = Instant::now();
    let held: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    for round in 0..40_usize {
        let mut changed = bytes.clone();
        for step in 0..8_usize {
            let at = held[(round * 7919 + step * 104_729) % held.len()];
            changed[at] ^= 1 << ((round + step) % 8);
        }
        let verdict = judge(&machine, changed);
        assert_eq!(verdict.checks.len(), 44);
        if started.elapsed() > PATIENCE {
            return;
        }
    }
}

#[test]
fn a_file_system_that_is_not_read_here_is_inconclusive_by_name() {
    let machine = small();
    let Some(mut bytes) = bytes_of(&machine) else { return };
    let start = usize::try_from(MIB).expect("fits");
    bytes[start..start + 4 * start].fill(0);
    bytes[start + 65_536 + 64..start + 65_536 + 72].copy_from_slice(b"_BHRfS_M");
    let verdict = judge(&machine, bytes);
    let found = verdict.findings.iter().find(|finding| finding.rule == "FS-01").expect("a finding");
    assert!(found.observed.contains("btrfs"), "{}", found.observed);
    assert_eq!(found.severity, Severity::Inconclusive);
    assert_eq!(verdict.outcome(), Judged::Inconclusive, "{:?}", verdict.findings);
    assert!(verdict.checks.iter().filter(|c| c.rule.starts_with("LNX")).all(|c| c.result == "inconclusive"));
}

#[test]
fn what_does_not_open_has_no_subject_and_never_passes() {
    let refused = mercat_disk::ReadError::refused("QCW-02", 8, "a backing file");
    let verdict = refused_verdict(&refused, "plan", &knowledge(""));
    assert_eq!((verdict.subject.as_str(), verdict.outcome()), ("", Judged::Findings));
    let locked = mercat_disk::ReadError::refused("DSK-LUKS", 0, "LUKS");
    assert_eq!(refused_verdict(&locked, "", &knowledge("")).outcome(), Judged::Inconclusive);
}

#[test]
fn which_files_are_too_many_does_not_depend_on_which_thread_was_faster() {
    let mut machine = small();
    for at in 0..40 {
        machine.files.insert(format!("etc/profile.d/{at}.sh"), Made::File(vec![b'#'; 2000 + 100 * at]));
    }
    let Some(bytes) = bytes_of(&machine) else { return };
    let specimen = DiskSpecimen {
        facts: facts(Format::Raw, bytes.len() as u64),
        disk: Arc::new(bytes),
        claims: machine.claims.clone(),
    };
    let knowledge = knowledge(&machine.policy);
    let within = |limits| inspect::inspect_within(&specimen, &knowledge, limits, &|_, _| {}).expect("reads");
    let limits = walk::LIMITS;
    assert_eq!(within(limits).outcome(), Judged::Pass);
    for (limits, observed) in [
        (walk::Limits { bytes: 100_000, ..limits }, "more than 100000 bytes in files that rules look at"),
        (walk::Limits { names: 60, ..limits }, "more than 60 names that rules look at"),
        (walk::Limits { file_bytes: 5850, ..limits }, "a file of 5900 bytes"),
    ] {
        let first = within(limits);
        assert_eq!(first.outcome(), Judged::Inconclusive, "{:?}", first.findings);
        let told = first.findings.iter().filter(|finding| finding.rule == "INC-10");
        assert_eq!(told.map(|finding| finding.observed.as_str()).collect::<Vec<_>>(), [observed]);
        for _ in 0..10 {
            let again = within(limits);
            assert_eq!(again.findings, first.findings);
            assert_eq!(again.checks, first.checks);
        }
    }
}
