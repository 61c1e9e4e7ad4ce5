//! The boot test of a stored disk, and its evidence.

use super::{Ended, Waiting, Work};
use bytes::Bytes;
use mercat_app::{AppError, Report};
use mercat_boot::{Firmware, Outcome, Plan, Shell, Stage, Transport};
use mercat_certify::disk::{Claims, Protocol};
use mercat_certify::{Boot, Knowledge, Verdict};
use mercat_depot::Imported;
use mercat_depot::disk::{DiskIndex, Stored};
use mercat_domain::Digest;
use mercat_domain::finding::{Finding, Severity};
use mercat_store::{BootRow, Expect, load, put};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

/// Tests of this try of the step, by what they depend on: the same disk may come in several containers.
pub(super) type Tested = BTreeMap<String, BootRow>;

/// Characters of what was seen that are told.
const OBSERVED_MAX: usize = 600;

/// Windows is not started yet; where the policy wants a start, that is ours to say.
pub(super) fn not_for_windows(claims: &Claims, knowledge: &Knowledge) -> Option<Finding> {
    (knowledge.policy.vm.boot == Boot::Required).then(|| Finding {
        rule: "BOOT-07".to_owned(),
        severity: Severity::Inconclusive,
        place: mercat_domain::finding::Place { plan: claims.plan.clone(), ..Default::default() },
        observed: "Windows guests are not started by this version".to_owned(),
        required: "a boot test that ran to its end".to_owned(),
        fix: "for the operator: set boot = \"when-available\" in the policy pack for Windows offers"
            .to_owned(),
    })
}

fn plan(work: &Work<'_>, claims: &Claims, verdict: &str, knowledge: &Knowledge) -> Plan {
    let checks = Verdict::checks_of(verdict).unwrap_or_default();
    let observed =
        |id: &str| checks.iter().find(|check| check.rule == id).map_or("", |check| check.observed.as_str());
    let firmware = if observed("VHD-07").contains("generation 1") { Firmware::Bios } else { Firmware::Uefi };
    let mut plan = Plan::new(work.worker.spool.scratch(), firmware);
    plan.stage_deadline = Duration::from_secs(u64::from(knowledge.policy.vm.boot_seconds));
    plan.ssh = !claims.no_remote_connection;
    let alive = knowledge.policy.vm.client_alive;
    plan.client_alive = (alive.least..=alive.most, knowledge.policy.vm.client_alive_advised);
    let transport = |protocol| match protocol {
        Protocol::Tcp => Transport::Tcp,
        Protocol::Udp => Transport::Udp,
    };
    plan.open_ports = claims.open_ports.iter().map(|open| (open.port, transport(open.protocol))).collect();
    plan
}

/// Starts a disk as the policy says, and keeps the evidence.
pub(super) async fn test(
    work: &Work<'_>,
    claims: &Claims,
    image: &Imported,
    verdict: &str,
    knowledge: &Knowledge,
    (report, tested): (&mut Report, &mut Tested),
) -> Result<Result<Vec<Finding>, Ended>, AppError> {
    let policy = knowledge.policy.vm.boot;
    if policy == Boot::Off {
        report.say("information", "message-boot-off", &[]);
        return Ok(Ok(Vec::new()));
    }
    let plan = plan(work, claims, verdict, knowledge);
    let index = match DiskIndex::load(&work.worker.depot, &image.digest).await {
        Ok(index) => index,
        Err(error) => return Ok(Err(Ended::Wait { on: "wait-store", detail: crate::chain(&error) })),
    };
    let key = key(&index.disk, &plan, knowledge);
    let ledger = &*work.worker.app.ledger;
    let kept = match tested.get(&key) {
        Some(row) => Some(row.clone()),
        None => load::<BootRow>(ledger, &key).await?.map(|row| row.row),
    };
    if let Some(kept) = kept {
        report.say("information", "message-boot-reused", &[]);
        let row = BootRow { key: format!("{}/{}", work.submission.id, image.digest), ..kept };
        report.writes.push(put(&row, Expect::Any));
        return Ok(Ok(row.findings.iter().filter_map(|row| finding(row, &claims.plan)).collect()));
    }
    let done = run(work, image, plan.clone()).await;
    let done = match done {
        Ok(done) => done,
        Err(why) => return Ok(Err(Ended::Wait { on: "wait-store", detail: why })),
    };
    let weighed = done.findings(&plan).into_iter().filter_map(|found| knowledge.policy.weigh_tested(found));
    let mut findings: Vec<Finding> = weighed.collect();
    for finding in &mut findings {
        finding.place.plan.clone_from(&claims.plan);
    }
    if let Outcome::NotRun { .. } = done.outcome
        && mercat_boot::program().is_none()
    {
        // Whether a test that cannot be made here blocks is for the policy to say.
        let severity = if policy == Boot::Required { Severity::Inconclusive } else { Severity::Info };
        findings
            .iter_mut()
            .filter(|found| found.rule == "BOOT-07")
            .for_each(|found| found.severity = severity);
    }
    // A guest that never answered was not tested for what only it can tell.
    let silent = done.prompts > 0 && done.probes.len() < 2;
    if silent {
        let severity = if policy == Boot::Required { Severity::Inconclusive } else { Severity::Warning };
        findings
            .iter_mut()
            .filter(|found| found.severity == Severity::Info)
            .for_each(|found| found.severity = severity);
    }
    for finding in &mut findings {
        if finding.observed.len() > OBSERVED_MAX {
            finding.observed = finding.observed.chars().take(OBSERVED_MAX).chain(['…']).collect();
        }
    }
    let screenshot = match done.screenshot {
        None => String::new(),
        Some(png) => match work.worker.depot.put(Bytes::from(png)).await {
            Ok(digest) => digest.to_string(),
            Err(error) => {
                return Ok(Err(Ended::Wait { on: "wait-store", detail: crate::chain(&error) }));
            }
        },
    };
    let accelerator = done.accelerator.map_or("", mercat_boot::Accelerator::name);
    let (outcome, why) = match &done.outcome {
        Outcome::Passed => ("passed", String::new()),
        Outcome::Failed { why } => ("failed", why.clone()),
        Outcome::NotRun { why } => ("not-run", why.clone()),
    };
    let row = BootRow {
        key: format!("{}/{}", work.submission.id, image.digest),
        outcome: outcome.to_owned(),
        why: why.clone(),
        accelerator: accelerator.to_owned(),
        confinement: done.confinement.clone(),
        seconds: done.seconds,
        console: String::from_utf8_lossy(&done.console).into_owned(),
        screenshot,
        findings: findings.iter().map(mercat_store::FindingRow::from).collect(),
        made: ledger.now().await?,
    };
    report.writes.push(put(&row, Expect::Any));
    if outcome != "not-run" && !silent {
        let row = BootRow { key: key.clone(), ..row };
        report.writes.push(put(&row, Expect::Any));
        tested.insert(key, row);
    }
    let seconds = done.seconds.to_string();
    let code = format!("message-boot-{outcome}");
    report.say("information", &code, &[("seconds", &seconds), ("by", accelerator), ("detail", &why)]);
    Ok(Ok(findings))
}

/// A test holds for the same disk, whatever its container, the same plan of the test and the same rules.
fn key(disk: &Digest, plan: &Plan, knowledge: &Knowledge) -> String {
    let text = format!(
        "{disk}\n{:?} {} {} {:?} {:?} {}\n{}\n{}",
        plan.firmware,
        plan.memory_mib,
        plan.cpus,
        plan.stage_deadline,
        plan.open_ports,
        plan.ssh,
        knowledge.policy.digest,
        env!("CARGO_PKG_VERSION")
    );
    format!("kept/{}", Digest::from_sha256(&Sha256::digest(text.as_bytes())).hex())
}

fn finding(row: &mercat_store::FindingRow, plan: &str) -> Option<Finding> {
    let place = mercat_domain::finding::Place { plan: plan.to_owned(), ..Default::default() };
    Some(Finding {
        rule: row.rule.clone(),
        severity: Severity::parse(&row.severity)?,
        place,
        observed: row.observed.clone(),
        required: row.required.clone(),
        fix: row.fix.clone(),
    })
}

/// Machines that run at a time: each takes a gigabyte, and translated ones all processors that there are.
static MACHINES: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(1);

async fn run(work: &Work<'_>, image: &Imported, plan: Plan) -> Result<mercat_boot::Report, String> {
    let part = work.tracker.handle(&format!("{} boot", image.reference));
    let _turn = MACHINES.acquire().await.map_err(|error| error.to_string())?;
    let (root, depot) = (image.digest.clone(), work.worker.depot.clone());
    let runtime = tokio::runtime::Handle::current();
    let shell = Shell { program: work.worker.inspector.program.clone() };
    // Aborted work stops the machine too.
    let (_waiting, wanted) = Waiting::new();
    let (send, receive) = tokio::sync::oneshot::channel();
    // QEMU ends with the thread that started it: one of its own, not of the pool.
    std::thread::spawn(move || {
        let told =
            Stored::open(&root, depot.chunks(runtime)).map_err(|error| error.to_string()).map(|disk| {
                let progress = |stage| {
                    let (done, total) = match stage {
                        Stage::Copy(done, total) => (done.min(total) / total.max(1), 5),
                        Stage::Boot => (1, 5),
                        Stage::Probe => (2, 5),
                        Stage::Reboot => (3, 5),
                        Stage::SecondIdentity => (4, 5),
                    };
                    part.set(done, total);
                    wanted.still()
                };
                let report = mercat_boot::run(&disk, &plan, &shell, &progress);
                part.set(5, 5);
                report
            });
        let _ = send.send(told);
    });
    receive.await.map_err(|_| "the boot test crashed".to_owned())?
}
