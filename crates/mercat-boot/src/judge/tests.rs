use super::*;
use crate::{Firmware, Seen};
use std::collections::BTreeMap;

fn probe(name: &str) -> Probe {
    Probe {
        cmdline: "root=/dev/vda1 console=tty0 console=ttyS0,115200 earlyprintk=ttyS0 rootdelay=300".into(),
        machine: "x86_64".into(),
        hostname: name.into(),
        machine_id: format!("id of {name}"),
        host_keys: BTreeSet::from([format!("SHA256:{name}")]),
        sshd: BTreeMap::from([("clientaliveinterval".into(), "180".into())]),
        listening: BTreeSet::from([(22, Transport::Tcp), (68, Transport::Udp)]),
        ..Probe::default()
    }
}

fn report() -> Report {
    Report {
        outcome: Outcome::Passed,
        console: Vec::new(),
        screenshot: None,
        seen: Vec::new(),
        prompts: 2,
        probes: vec![probe("one"), probe("two")],
        given: vec!["one".into(), "two".into()],
        probe_missing: String::new(),
        accelerator: Some(Accelerator::Kvm),
        confinement: "confined".into(),
        seconds: 1,
    }
}

fn plan() -> Plan {
    Plan::new("/tmp".into(), Firmware::Bios)
}

fn rules(change: impl FnOnce(&mut Report, &mut Plan)) -> Vec<(String, Severity)> {
    let (mut report, mut plan) = (report(), plan());
    change(&mut report, &mut plan);
    judge(&report, &plan).into_iter().map(|finding| (finding.rule, finding.severity)).collect()
}

fn one(rule: &str, severity: Severity) -> Vec<(String, Severity)> {
    vec![(rule.to_owned(), severity)]
}

#[test]
fn a_boot_in_which_all_is_well_has_no_findings() {
    assert_eq!(rules(|_, _| {}), []);
}

#[test]
fn each_fault_of_a_guest_gives_its_rule_and_no_other() {
    let error = Severity::Error;
    assert_eq!(
        rules(|report, _| report.probes[0].cmdline = "earlyprintk=ttyS0 rootdelay=300".into()),
        one("LNX-03", error)
    );
    assert_eq!(
        rules(|report, _| report.probes[0].cmdline = "console=ttyS0".into()),
        one("LNX-03-ADVICE", Severity::Warning)
    );
    assert_eq!(rules(|report, _| report.probes[0].swaps = vec!["/swap".into()]), one("LNX-04", error));
    assert_eq!(rules(|report, _| report.probes[0].machine = "i686".into()), one("LNX-09", error));
    for (value, rule, severity) in
        [("0", "LNX-08", error), ("236", "LNX-08", error), ("60", "LNX-08-ADVICE", Severity::Warning)]
    {
        let set =
            |report: &mut Report| report.probes[0].sshd.insert("clientaliveinterval".into(), value.into());
        assert_eq!(rules(|report, _| drop(set(report))), one(rule, severity), "{value}");
    }
    assert_eq!(
        rules(|report, _| report.probes[0].errors = vec!["EXT4-fs error".into()]),
        one("LNX-24", Severity::Warning)
    );
    assert_eq!(
        rules(|report, _| {
            report.probes[0].listening.remove(&(22, Transport::Tcp));
        }),
        one("LNX-16", error)
    );
}

#[test]
fn ports_are_compared_both_ways() {
    let listens = rules(|report, _| {
        report.probes[0].listening.insert((8080, Transport::Tcp));
    });
    assert_eq!(listens, one("BOOT-04", Severity::Warning));
    let declared = rules(|_, plan| plan.open_ports.push((443, Transport::Tcp)));
    assert_eq!(declared, one("BOOT-05", Severity::Warning));
    let both = rules(|report, plan| {
        report.probes[0].listening.insert((443, Transport::Tcp));
        plan.open_ports.push((443, Transport::Tcp));
    });
    assert_eq!(both, []);
    assert_eq!(
        rules(|report, plan| {
            report.probes[0].listening.clear();
            plan.ssh = false;
        }),
        []
    );
}

#[test]
fn an_identity_that_two_machines_share_is_not_generalised() {
    let expected = one("LNX-13", Severity::Error);
    assert_eq!(
        rules(|report, _| report.probes[1].machine_id = report.probes[0].machine_id.clone()),
        expected
    );
    assert_eq!(rules(|report, _| report.probes[1].host_keys = report.probes[0].host_keys.clone()), expected);
    assert_eq!(rules(|report, _| report.probes[1].hostname = "one".into()), expected);
}

#[test]
fn what_was_not_run_is_said_and_never_a_rejection() {
    let silent = rules(|report, _| report.probes.clear());
    assert_eq!(silent, [("BOOT-06".to_owned(), Severity::Info), ("LNX-13".to_owned(), Severity::Info)]);
    assert_eq!(rules(|report, _| drop(report.probes.pop())), one("LNX-13", Severity::Inconclusive));
    let not_run = rules(|report, _| {
        report.outcome = Outcome::NotRun { why: "no QEMU".into() };
        report.probes.clear();
        report.prompts = 0;
    });
    assert_eq!(not_run, one("BOOT-07", Severity::Inconclusive));
}

#[test]
fn a_boot_that_failed_is_told_by_how_far_it_came() {
    let failed = |prompts| {
        rules(move |report, _| {
            report.outcome = Outcome::Failed { why: "panic".into() };
            report.prompts = prompts;
            if prompts == 0 {
                report.probes.clear();
            }
        })
    };
    assert_eq!(failed(0), one("BOOT-01", Severity::Error));
    assert_eq!(failed(1), one("BOOT-02", Severity::Error));
}

#[test]
fn a_lockup_weighs_less_where_processors_are_translated() {
    let lockup = |accelerator| {
        rules(move |report, _| {
            report.accelerator = Some(accelerator);
            report.seen.push(Seen {
                sign: Sign::SoftLockup,
                line: "BUG: soft lockup - CPU#0 stuck for 22s!".into(),
            });
        })
    };
    assert_eq!(lockup(Accelerator::Kvm), one("BOOT-03", Severity::Error));
    assert_eq!(lockup(Accelerator::Tcg), one("BOOT-03-ADVICE", Severity::Warning));
}
