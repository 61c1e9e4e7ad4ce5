//! What a report proves, rule by rule (domain.md 5.2, boot column; issue 3, boot test).

use crate::probe::{Probe, Transport};
use crate::{Accelerator, Outcome, Plan, Report, Sign};
use mercat_domain::finding::{Finding, Place, Severity};
use std::collections::BTreeSet;

/// Every rule that a boot test can speak about.
pub const RULES: &[&str] = &[
    "BOOT-01", "BOOT-02", "BOOT-03", "BOOT-04", "BOOT-05", "BOOT-06", "BOOT-07", "LNX-03", "LNX-04",
    "LNX-08", "LNX-09", "LNX-13", "LNX-16", "LNX-24",
];

/// Lines of kernel messages that are told.
const TOLD_LINES: usize = 10;
/// Kernel messages of level error that a virtual machine without platform devices always has.
const IGNORED_ERRORS: &[&str] = &[
    "ata_piix",
    "i8042",
    "PCI: Fatal: No config space access function found",
    "RETBleed",
    "Spectre",
    "TSC",
    "tsc:",
    "Unstable clock",
    "acpi",
    "ACPI",
    "amd_pstate",
    "kvm",
    "mce:",
    "platform regulatory",
    "piix4_smbus",
    "Invalid PCCT",
    "firmware_class",
];

pub(crate) fn judge(report: &Report, plan: &Plan) -> Vec<Finding> {
    let mut out = boots(report);
    let lockups: Vec<&str> = report
        .seen
        .iter()
        .filter(|seen| seen.sign == Sign::SoftLockup)
        .map(|seen| seen.line.as_str())
        .collect();
    if let Some(line) = lockups.first() {
        // Translation can starve a processor: the guest is not to blame for that.
        let (rule, severity) = match report.accelerator {
            Some(Accelerator::Tcg) => ("BOOT-03-ADVICE", Severity::Warning),
            _ => ("BOOT-03", Severity::Error),
        };
        let observed = format!("{} soft lockups, the first: {line}", lockups.len());
        out.push(finding(rule, severity, observed, "no BUG: soft lockup on the serial console"));
    }
    if report.prompts > 0 && report.probes.is_empty() {
        let why = format!("not run: {}", report.probe_missing);
        let want = "an identity from a NoCloud seed, and the probe's answer";
        out.push(finding("BOOT-06", Severity::Info, why.clone(), want));
        out.push(finding("LNX-13", Severity::Info, why, "two identities that differ"));
    }
    if let Some(probe) = report.probes.first() {
        settings(probe, plan, &mut out);
        ports(probe, plan, &mut out);
    }
    out.extend(generalised(report));
    out
}

fn finding(
    rule: &str,
    severity: Severity,
    observed: impl Into<String>,
    required: impl Into<String>,
) -> Finding {
    Finding {
        rule: rule.to_owned(),
        severity,
        place: Place::default(),
        observed: observed.into(),
        required: required.into(),
        fix: fix(rule.trim_end_matches("-ADVICE")).to_owned(),
    }
}

fn fix(rule: &str) -> &'static str {
    match rule {
        "BOOT-01" => "start the image in a local hypervisor with a serial console and repair what stops it",
        "BOOT-02" => "start the image, restart it, and repair what the first start breaks",
        "BOOT-03" => "update the kernel, or remove the driver that holds a processor",
        "BOOT-04" => "stop the service, bind it to the loopback address, or declare the port",
        "BOOT-05" => "start the service by default, or take the port out of the plan",
        "BOOT-06" => "install cloud-init with its NoCloud data source enabled",
        "BOOT-07" => "for the operator: repair the cause and publish again",
        "LNX-03" => "add console=ttyS0 earlyprintk=ttyS0 rootdelay=300 to the kernel line",
        "LNX-04" => "remove the swap area and its line in /etc/fstab",
        "LNX-08" => "set ClientAliveInterval 180 in the settings of sshd",
        "LNX-09" => "use a 64-bit operating system",
        "LNX-13" => "deprovision before capture: remove host keys, empty /etc/machine-id, clean cloud-init",
        "LNX-16" => "install and enable the SSH server, or declare that remote connections are not supported",
        _ => "read the messages and repair their cause",
    }
}

fn boots(report: &Report) -> Vec<Finding> {
    let again = report.prompts > 0;
    let rule = if again { "BOOT-02" } else { "BOOT-01" };
    let want = if again {
        "everything works again with the next start"
    } else {
        "a login prompt on the serial console"
    };
    match &report.outcome {
        Outcome::Passed => Vec::new(),
        Outcome::Failed { why } => vec![finding(rule, Severity::Error, why.as_str(), want)],
        Outcome::NotRun { why } => {
            vec![finding("BOOT-07", Severity::Inconclusive, why.as_str(), "a boot test that ran to its end")]
        }
    }
}

fn settings(probe: &Probe, plan: &Plan, out: &mut Vec<Finding>) {
    let words: Vec<&str> = probe.cmdline.split_whitespace().collect();
    if !words.iter().any(|word| word.split(',').next() == Some("console=ttyS0")) {
        out.push(finding(
            "LNX-03",
            Severity::Error,
            format!("/proc/cmdline: {}", probe.cmdline),
            "console=ttyS0",
        ));
    }
    let missing: Vec<&str> = ["earlyprintk=ttyS0", "rootdelay=300"]
        .into_iter()
        .filter(|wanted| !words.iter().any(|word| word.split(',').next() == Some(wanted)))
        .collect();
    if !missing.is_empty() {
        out.push(finding(
            "LNX-03-ADVICE",
            Severity::Warning,
            format!("/proc/cmdline: {}", probe.cmdline),
            missing.join(" "),
        ));
    }
    if !probe.swaps.is_empty() {
        out.push(finding(
            "LNX-04",
            Severity::Error,
            format!("in use: {}", probe.swaps.join(", ")),
            "no swap on the disk",
        ));
    }
    if !matches!(probe.machine.as_str(), "x86_64" | "aarch64") {
        out.push(finding(
            "LNX-09",
            Severity::Error,
            format!("uname -m: {}", probe.machine),
            "x86_64 or aarch64",
        ));
    }
    if !probe.sshd.is_empty() {
        keep_alive(probe, plan, out);
    }
    let errors: Vec<&str> = probe
        .errors
        .iter()
        .map(String::as_str)
        .filter(|line| !IGNORED_ERRORS.iter().any(|ignored| line.contains(ignored)))
        .collect();
    if !errors.is_empty() {
        let lines = if errors.len() == 1 { "line" } else { "lines" };
        let told = errors[..errors.len().min(TOLD_LINES)].join(" / ");
        let observed = format!("{} {lines}: {told}", errors.len());
        out.push(finding("LNX-24", Severity::Warning, observed, "a boot without kernel errors"));
    }
}

fn keep_alive(probe: &Probe, plan: &Plan, out: &mut Vec<Finding>) {
    let (accepted, advised) = &plan.client_alive;
    let value = probe.sshd.get("clientaliveinterval").map_or("absent", String::as_str);
    let (rule, severity) = match value.parse::<u64>() {
        Ok(seconds) if seconds == *advised => return,
        Ok(seconds) if accepted.contains(&seconds) => ("LNX-08-ADVICE", Severity::Warning),
        _ => ("LNX-08", Severity::Error),
    };
    let required = format!("{advised} ({} to {})", accepted.start(), accepted.end());
    out.push(finding(rule, severity, format!("sshd -T: clientaliveinterval {value}"), required));
}

fn ports(probe: &Probe, plan: &Plan, out: &mut Vec<Finding>) {
    let mut declared: BTreeSet<(u16, Transport)> = plan.open_ports.iter().copied().collect();
    let ssh = (22, Transport::Tcp);
    if plan.ssh && !probe.listening.contains(&ssh) {
        out.push(finding(
            "LNX-16",
            Severity::Error,
            "nothing listens on tcp/22",
            "an SSH server on TCP port 22",
        ));
    }
    if plan.ssh {
        declared.insert(ssh);
    }
    // A DHCP client's own port is not a service.
    let client = [(68, Transport::Udp), (546, Transport::Udp)];
    let list = |ports: Vec<&(u16, Transport)>| {
        ports
            .iter()
            .map(|(port, transport)| format!("{}/{port}", transport.name()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let undeclared: Vec<_> =
        probe.listening.difference(&declared).filter(|port| !client.contains(port)).collect();
    if !undeclared.is_empty() {
        let observed = format!("listening and not declared: {}", list(undeclared));
        out.push(finding("BOOT-04", Severity::Warning, observed, "only declared ports"));
    }
    let silent: Vec<_> = declared.difference(&probe.listening).filter(|port| **port != ssh).collect();
    if !silent.is_empty() {
        let observed = format!("declared and nothing listens: {}", list(silent));
        out.push(finding("BOOT-05", Severity::Warning, observed, "a listener on every declared port"));
    }
}

fn generalised(report: &Report) -> Vec<Finding> {
    let [one, two] = report.probes.as_slice() else {
        let pending = report.probes.len() == 1 && report.outcome == Outcome::Passed;
        let why = format!("the second identity was not tried to its end: {}", report.probe_missing);
        return if pending {
            vec![finding("LNX-13", Severity::Inconclusive, why, "two identities that differ")]
        } else {
            Vec::new()
        };
    };
    let mut same = Vec::new();
    if one.machine_id.is_empty() || one.machine_id == two.machine_id {
        same.push(format!("machine id {:?}", one.machine_id));
    }
    let keys: Vec<&str> = one.host_keys.intersection(&two.host_keys).map(String::as_str).collect();
    if !keys.is_empty() {
        same.push(format!("host keys {}", keys.join(" ")));
    }
    for (probe, given) in report.probes.iter().zip(&report.given) {
        if probe.hostname.split('.').next() != Some(given) {
            same.push(format!("host name {:?} instead of the given {given:?}", probe.hostname));
        }
    }
    if same.is_empty() {
        return Vec::new();
    }
    let observed = format!("two machines with two identities share: {}", same.join("; "));
    vec![finding(
        "LNX-13",
        Severity::Error,
        observed,
        "machine id, SSH host keys and host name of its own for every machine",
    )]
}

#[cfg(test)]
mod tests;
