//! Every rule broken exactly once: a machine that passes it, one change, and nothing else may differ.

use super::*;
use std::collections::BTreeSet;

type Change = fn(&mut Machine);

/// A rule, what a machine needs to be about it, what breaks it, and how it then weighs.
struct Broken {
    rule: &'static str,
    needs: Change,
    breaks: Change,
    result: &'static str,
}

const fn broken(rule: &'static str, needs: Change, breaks: Change, result: &'static str) -> Broken {
    Broken { rule, needs, breaks, result }
}

fn nothing(_: &mut Machine) {}

fn with_agent(machine: &mut Machine) {
    machine.agent("2.9.1.1-1");
}

/// Private keys as they are not: the beginning of one, then words, so that nobody mistakes them.
pub(super) fn private_key() -> String {
    let body: String =
        (0..200_u32).map(|at| char::from(b"aZ3bY7cX9dW1eV5f"[(at * 7 + at / 5) as usize % 16])).collect();
    format!(
        "-----BEGIN {} KEY-----\nMIIEpAIBAAKCAQEA{body}\n-----END {} KEY-----\n",
        "RSA PRIVATE", "RSA PRIVATE"
    )
}

const CASES: &[Broken] = &[
    broken("VHD-02", |m| m.policy = pack("legacy-2021"), |m| m.format = Format::VhdDynamic, "error"),
    broken(
        "VHD-03",
        |m| m.set("disk_bytes_min = 20971520", "disk_bytes_min = 1073741824"),
        |m| {
            m.set("disk_bytes_min = 1073741824", "disk_bytes_min = 1073741825");
        },
        "error",
    ),
    broken("VHD-04", |m| m.format = Format::VhdFixed, |m| m.bytes += 512, "error"),
    broken("VHD-07", nothing, |m| m.boot_code = false, "error"),
    broken("VHD-08", nothing, |m| m.start = MIB - 4096, "error"),
    broken("VHD-09", nothing, |m| m.bytes -= MIB, "error"),
    broken(
        "VHD-09",
        |m| m.set("linux_bytes_advised = [1073741824", "linux_bytes_advised = [1048576"),
        |m| {
            m.set("linux_bytes_advised = [1048576", "linux_bytes_advised = [2147483648");
        },
        "warning",
    ),
    broken("VHD-10", |m| m.claims.data_disk = true, |m| m.bytes -= MIB, "error"),
    broken(
        "VHD-11",
        |m| m.set("unheld_bytes_max = 2147483648", "unheld_bytes_max = 16777216"),
        |m| {
            m.noise = 20 << 20;
        },
        "warning",
    ),
    broken(
        "VHD-12",
        |m| m.claims.data_disk_luns = vec![0, 1],
        |m| m.claims.data_disk_luns = vec![0, 2],
        "error",
    ),
    broken(
        "VHD-12",
        |m| m.claims.data_disk_luns = vec![0],
        |m| m.claims.data_disks_before = Some(2),
        "error",
    ),
    broken("VHD-13", nothing, |m| m.claims.os_family = Some(OsFamily::Windows), "error"),
    broken("VHD-14", nothing, |m| m.bytes = 251 * GIB, "warning"),
    broken("LNX-01", nothing, |m| m.file("root/.bash_history", "ls\n"), "error"),
    broken(
        "LNX-01",
        |m| m.set("history_bytes_max = 0", "history_bytes_max = 1024"),
        |m| {
            m.file("home/a/.zsh_history", "ls\n");
        },
        "warning",
    ),
    broken(
        "LNX-02",
        |m| {
            with_agent(m);
            m.set("extension_agent_min = \"2.2.41\"", "extension_agent_min = \"2.0\"");
        },
        |m| m.agent("2.2.9-1"),
        "error",
    ),
    broken("LNX-03", nothing, |m| m.command_line("earlyprintk=ttyS0 rootdelay=300"), "error"),
    broken("LNX-03", nothing, |m| m.command_line("console=ttyS0 earlyprintk=ttyS0"), "warning"),
    broken("LNX-04", nothing, |m| m.bytes_of("swapfile", swap_space()), "error"),
    broken(
        "LNX-04",
        nothing,
        |m| m.file("etc/fstab", "LABEL=root / ext4 x 0 1\n/dev/sda5 none swap sw 0 0\n"),
        "error",
    ),
    broken("LNX-04", nothing, |m| m.partition_type = 0x82, "error"),
    broken(
        "LNX-05",
        |m| m.second = true,
        |m| m.file("etc/fstab", "LABEL=root / ext4 x 0 1\nLABEL=home /home ext4 x 0 2\n"),
        "warning",
    ),
    broken("LNX-06", nothing, |m| m.package("libssl3", "1.1.0l-1"), "error"),
    broken("LNX-07", nothing, |m| m.package("python3", "3.5.3-1"), "warning"),
    broken(
        "LNX-08",
        nothing,
        |m| m.file("etc/ssh/sshd_config.d/alive.conf", "ClientAliveInterval 300\n"),
        "warning",
    ),
    broken(
        "LNX-08",
        |m| m.policy = pack("legacy-2017"),
        |m| m.file("etc/ssh/sshd_config.d/alive.conf", "Match all\nClientAliveInterval 180\n"),
        "error",
    ),
    broken("LNX-09", nothing, |m| m.bytes_of("usr/lib/systemd/systemd", elf(1)), "error"),
    broken("LNX-10", nothing, |m| m.package("bash", "4.2-1"), "warning"),
    broken("LNX-11", with_agent, |m| m.file("etc/waagent.conf", "AutoUpdate.Enabled=n\n"), "warning"),
    broken("LNX-12", nothing, |m| m.kernel("4.4.0-1-amd64", ""), "error"),
    broken("LNX-13", nothing, |m| m.file("etc/ssh/ssh_host_ed25519_key", "key\n"), "error"),
    broken("LNX-13", nothing, |m| m.file("etc/machine-id", "0123456789abcdef0123456789abcdef\n"), "error"),
    broken("LNX-13", nothing, |m| m.file("var/lib/dhcp/dhclient.ens3.leases", "lease {}\n"), "error"),
    broken("LNX-14", nothing, |m| m.file("etc/shadow", "root:$6$salt$hash:19000::::::\n"), "error"),
    broken("LNX-14", nothing, |m| m.file("root/.ssh/authorized_keys", "ssh-ed25519 AAAAC3 me\n"), "error"),
    broken(
        "LNX-14",
        |m| m.file("etc/sudoers.d/vendor", "%vendor ALL=(ALL) NOPASSWD: ALL\n"),
        |m| m.file("etc/sudoers.d/vendor", "sshd ALL=(ALL) NOPASSWD: ALL\n"),
        "error",
    ),
    broken("LNX-15", nothing, |m| m.file("etc/sudoers", "Defaults env_reset, targetpw\n"), "error"),
    broken(
        "LNX-16",
        nothing,
        |m| m.remove("etc/systemd/system/multi-user.target.wants/ssh.service"),
        "error",
    ),
    broken(
        "LNX-17",
        nothing,
        |m| m.file("etc/network/interfaces", "iface ens3 inet static\n address 10.0.0.5\n"),
        "error",
    ),
    broken(
        "LNX-17",
        nothing,
        |m| {
            m.remove("etc/resolv.conf");
            m.file("etc/resolv.conf", "nameserver 10.0.0.1\n");
        },
        "warning",
    ),
    broken("LNX-18", nothing, |m| m.partition_type = 0x8e, "warning"),
    broken("LNX-19", nothing, |m| m.file("root/.ssh/known_hosts", "host ssh-ed25519 AAAA\n"), "warning"),
    broken("LNX-19", nothing, |m| m.file("opt/app/key.pem", &private_key()), "error"),
    broken("LNX-20", nothing, |m| m.kernel(KERNEL, "VIRTIO_BLK"), "error"),
    broken("LNX-20", nothing, |m| m.kernel(KERNEL, "HYPERV_NET"), "error"),
    broken("LNX-21", nothing, |m| m.package("omi", "1.6.4.0"), "error"),
    broken(
        "LNX-22",
        nothing,
        |m| m.command_line("console=ttyS0 earlyprintk=ttyS0 rootdelay=300 libata.atapi_enabled=0"),
        "error",
    ),
    broken("LNX-23", nothing, |m| m.claims.supports_extensions = true, "error"),
    broken("LNX-25", nothing, |m| m.package("clamav", "1.0.7+dfsg-1"), "warning"),
    broken("LNX-26", nothing, |m| m.file("var/spool/cron/crontabs/root", "@daily /opt/x\n"), "warning"),
    broken("LNX-27", nothing, |m| m.package("leaky", "1.0"), "error"),
    broken("LNX-28", nothing, |m| m.bytes_of("opt/app/bad", crate::signatures::test_string()), "error"),
    broken(
        "LNX-29",
        nothing,
        |m| {
            m.files.insert(
                "etc/systemd/system/multi-user.target.wants/nftables.service".into(),
                Made::Link("/lib/systemd/system/nftables.service"),
            );
        },
        "warning",
    ),
];

/// Rules that no disk breaks by itself: decided where the container is opened, and by the boot test.
const ELSEWHERE: [&str; 5] = ["VHD-01", "VHD-05", "VHD-06", "VHD-15", "LNX-24"];

fn pack(name: &str) -> String {
    Policy::named(name).expect("a pack").to_owned()
}

fn swap_space() -> Vec<u8> {
    let mut bytes = vec![0; 65_536];
    bytes[4086..4096].copy_from_slice(b"SWAPSPACE2");
    bytes
}

impl Machine {
    fn set(&mut self, from: &str, to: &str) {
        assert!(self.policy.contains(from), "{from}");
        self.policy = self.policy.replace(from, to);
    }

    fn package(&mut self, name: &'static str, version: &'static str) {
        self.packages.insert(name, version);
    }

    fn remove(&mut self, path: &str) {
        assert!(self.files.remove(path).is_some(), "{path}");
    }
}

#[test]
fn every_rule_is_in_the_table_or_decided_elsewhere() {
    let mut all: BTreeSet<String> = (1..=15).map(|number| format!("VHD-{number:02}")).collect();
    all.extend((1..=29).map(|number| format!("LNX-{number:02}")));
    let mut told: BTreeSet<String> = CASES.iter().map(|case| case.rule.to_owned()).collect();
    told.extend(ELSEWHERE.map(str::to_owned));
    assert_eq!(told, all);
}

#[test]
fn every_rule_broken_once_changes_that_rule_alone() {
    let mut wrong = Vec::new();
    for (at, case) in CASES.iter().enumerate() {
        let mut before = Machine::clean();
        (case.needs)(&mut before);
        let mut after = before.clone();
        (case.breaks)(&mut after);
        let (Some(before), Some(after)) = (before.inspect(), after.inspect()) else { return };
        let (old, new) = (results(&before), results(&after));
        let changed: Vec<_> = new.iter().filter(|(rule, result)| old.get(**rule) != Some(*result)).collect();
        let holds = changed.len() == 1
            && changed[0] == (&case.rule, &case.result)
            && old.get(case.rule).is_some_and(|result| matches!(*result, "passed" | "not-applicable"));
        if !holds {
            let why: Vec<_> = after.checks.iter().filter(|check| check.rule == case.rule).collect();
            wrong.push(format!(
                "case {at} {}: {changed:?}, was {:?}, {why:?}",
                case.rule,
                old.get(case.rule)
            ));
        }
        let family = ["CTR-20", "CTR-21", "CTR-22"];
        let fresh = after
            .findings
            .iter()
            .filter(|finding| !before.findings.iter().any(|old| old.rule == finding.rule));
        for finding in fresh.filter(|finding| !finding.rule.starts_with(case.rule)) {
            if !family.contains(&finding.rule.as_str()) {
                wrong.push(format!("case {at} {}: also {finding:?}", case.rule));
            }
        }
        if after.findings.len() <= before.findings.len() && case.rule != "VHD-13" {
            wrong.push(format!("case {at} {}: no finding", case.rule));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_boot_log_is_left_to_the_boot_test_and_said_so() {
    let Some(verdict) = Machine::clean().inspect() else { return };
    let check = verdict.checks.iter().find(|check| check.rule == "LNX-24").expect("a check");
    assert_eq!((check.result.as_str(), check.observed.as_str()), ("boot-only", "shown by the boot test"));
}

#[test]
fn a_container_that_does_not_open_breaks_the_rule_about_it_alone() {
    for (code, rule) in [
        ("VHD-01", "VHD-01"),
        ("VHD-05", "VHD-05"),
        ("VHD-06", "VHD-06"),
        ("VHD-20", "VHD-02"),
        ("DSK-02", "VHD-15"),
        ("QCW-02", "VHD-15"),
    ] {
        let refused = mercat_disk::ReadError::refused(code, 64, "what was found");
        let verdict = refused_verdict(&refused, "", &knowledge(&pack("legacy-2021")));
        let failed: Vec<&str> = verdict
            .checks
            .iter()
            .filter(|check| check.result == "error")
            .map(|check| check.rule.as_str())
            .collect();
        assert_eq!(failed, [rule], "{code}");
        assert!(verdict.checks.iter().all(|check| check.result != "passed"));
        assert_eq!(verdict.findings[0].rule, code);
    }
}

#[test]
fn what_to_do_about_a_container_is_about_what_is_wrong_with_it() {
    for (code, word) in [
        ("DSK-LUKS", "encryption"),
        ("QCW-20", "encryption"),
        ("QCW-02", "one file"),
        ("VMD-01", "one file"),
        ("QCW-16", "snapshots"),
        ("VHX-04", "cleanly"),
        ("QCW-14", "shorter"),
        ("VMD-15", "shorter"),
        ("VHD-01", "declare raw"),
        ("DSK-01", "declare raw"),
        ("DSK-02", "declare"),
        ("DSK-08", "VHDX, qcow2"),
        ("QCW-11", "current tools"),
    ] {
        let refused = mercat_disk::ReadError::refused(code, 64, "what was found");
        let verdict = refused_verdict(&refused, "", &knowledge(""));
        assert!(verdict.findings[0].fix.contains(word), "{code}: {}", verdict.findings[0].fix);
    }
}

#[test]
fn a_bent_footer_is_refused_with_the_code_of_its_rule() {
    use mercat_disk::layout::{LaidOut, Target, layout};
    let disk: Arc<dyn ReadAt> = Arc::new(vec![0_u8; 21 << 20]);
    let described = layout(Target::VhdFixed, disk.size(), &[], [1; 16]).expect("fits");
    let file = LaidOut::new(described, disk);
    let mut bytes = vec![0; usize::try_from(file.size()).expect("fits")];
    file.read_at(0, &mut bytes).expect("reads");
    let footer = bytes.len() - 512;
    let open = |bytes: Vec<u8>| mercat_disk::open(Arc::new(bytes), Some(mercat_disk::Declared::Vhd));
    assert!(open(bytes.clone()).is_ok());
    let code = |bend: &dyn Fn(&mut Vec<u8>)| {
        let mut bent = bytes.clone();
        bend(&mut bent);
        match open(bent) {
            Err(mercat_disk::ReadError::Refused { code, .. }) => code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code(&|bytes| bytes[footer] = b'C'), "VHD-01");
    assert_eq!(code(&|bytes| bytes[footer + 64] ^= 1), "VHD-06");
    assert_eq!(code(&|bytes| drop(bytes.drain(..512))), "VHD-05");
}

#[test]
fn the_packs_of_2017_and_2021_read_and_weigh_the_agent() {
    for name in ["legacy-2017", "legacy-2021"] {
        let mut machine = Machine::clean();
        machine.policy = pack(name);
        let Some(verdict) = machine.inspect() else { return };
        let results = results(&verdict);
        assert_eq!(results["LNX-02"], "error", "{name}");
        assert_eq!(results["LNX-11"], "warning", "{name}");
        assert_eq!(verdict.policy[0], name);
    }
}

#[test]
fn a_rule_that_nobody_can_decide_is_never_a_pass() {
    let mut machine = Machine::clean();
    machine.files.retain(|path, _| !path.starts_with("boot/vmlinuz") && !path.starts_with("boot/config"));
    let Some(verdict) = machine.inspect() else { return };
    assert_eq!(results(&verdict)["LNX-12"], "inconclusive");
    assert_eq!(verdict.outcome(), Judged::Inconclusive);
    let undecided = verdict.findings.iter().find(|finding| finding.rule == "INC-11").expect("a finding");
    assert!(undecided.observed.starts_with("LNX-12") && undecided.severity == Severity::Inconclusive);
}

#[test]
fn what_an_operator_accepts_shows_with_the_weight_that_it_has() {
    let mut machine = Machine::clean();
    machine.set("INC-06 = \"inconclusive\"", "INC-06 = \"warning\"");
    machine.file("usr/lib/os-release", "ID=debian\nVERSION_ID=\"13\"\nPRETTY_NAME=\"Debian 13\"\n");
    let Some(verdict) = machine.inspect() else { return };
    assert_eq!((results(&verdict)["LNX-27"], verdict.outcome()), ("warning", Judged::Pass));
}

#[test]
fn what_is_found_names_the_bytes_of_its_file_whichever_walk_reads_it() {
    let mut machine = Machine::clean();
    let test = crate::signatures::test_string();
    for at in 0..16 {
        machine.bytes_of(&format!("opt/app/bad{at}"), test.clone());
    }
    let Some(verdict) = machine.inspect() else { return };
    let of_files = |finding: &&mercat_domain::Finding| finding.place.path.starts_with("opt/app/bad");
    let found: Vec<_> = verdict.findings.iter().filter(of_files).collect();
    assert_eq!(found.len(), 16, "{:?}", verdict.findings);
    let digest = crate::digest_of(&test).to_string();
    assert!(found.iter().all(|finding| finding.place.file == digest), "{found:?}");
}
