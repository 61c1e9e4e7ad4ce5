//! Every WIN rule broken exactly once, on a real NTFS volume: a clean one, one change, and nothing else
//! may differ.

use super::*;
use drive::{CACHE, Drive, HOSTS, KERNEL, SRV, STATE, TASK, clean, program, task};
use std::collections::BTreeSet;

/// As the rules' own tests have it.
#[path = "../../../../mercat-machine/src/windows/tests/drive.rs"]
#[allow(dead_code, unreachable_pub)]
mod drive;
#[path = "ntfs.rs"]
mod ntfs;

/// A disk to make.
#[derive(Clone)]
struct Server {
    drive: Drive,
    /// First bytes of a second partition; none, then no partition.
    second: Vec<u8>,
}

/// A rule, what breaks it, how it then weighs, and findings of other engines that say the same.
struct Broken {
    rule: &'static str,
    breaks: fn(&mut Server),
    result: &'static str,
    also: &'static [&'static str],
    /// Rules that cannot be decided because of it.
    undecided: &'static [&'static str],
}

const fn broken(rule: &'static str, breaks: fn(&mut Server), result: &'static str) -> Broken {
    Broken { rule, breaks, result, also: &[], undecided: &[] }
}

const CASES: &[Broken] = &[
    broken("WIN-01", |s| s.file(KERNEL, program(0x14c, [6, 1, 7601, 1])), "error"),
    broken("WIN-02", |s| s.logs_on(".\\Administrator"), "warning"),
    broken("WIN-02", |s| s.file(TASK, task("HOST\\Administrator")), "warning"),
    broken("WIN-03", |s| s.feature("Failover-Clustering"), "error"),
    broken("WIN-03", |s| s.service("ClusSvc"), "error"),
    broken("WIN-05", |s| s.feature("DHCP"), "error"),
    broken("WIN-05", |s| s.service("DHCPServer"), "error"),
    broken("WIN-06", |s| s.feature("Hyper-V"), "error"),
    broken("WIN-06", |s| s.service("vmms"), "error"),
    broken("WIN-07", |s| s.feature("RemoteAccess"), "error"),
    broken("WIN-07", |s| s.feature("DirectAccess-VPN"), "error"),
    broken("WIN-07", |s| s.service("RaMgmtSvc"), "error"),
    broken("WIN-08", |s| s.feature("ADRMS"), "error"),
    broken("WIN-08", |s| s.service("AdRmsLoggingService"), "error"),
    broken("WIN-09", |s| s.feature("WDS"), "error"),
    broken("WIN-09", |s| s.service("WDSServer"), "error"),
    Broken {
        rule: "WIN-10",
        breaks: |s| s.second = [b"\xeb\x58\x90-FVE-FS-".as_slice(), &[0; 501]].concat(),
        result: "error",
        // What is encrypted cannot be looked into, so nobody can say that it is free of malware.
        also: &["FS-01"],
        undecided: &["WIN-26"],
    },
    broken("WIN-11", |s| s.feature("ISNS"), "error"),
    broken("WIN-11", |s| s.service("MSiSNS"), "error"),
    broken("WIN-12", |s| s.feature("Multipath-IO"), "error"),
    broken("WIN-12", |s| s.service("msdsm"), "error"),
    broken("WIN-13", |s| s.feature("NLB"), "error"),
    broken("WIN-13", |s| s.service("WLBS"), "error"),
    broken("WIN-14", |s| s.feature("PNRP"), "error"),
    broken("WIN-15", |s| s.feature("SNMP-Service"), "error"),
    broken("WIN-15", |s| s.service("SNMP"), "error"),
    broken("WIN-16", |s| s.feature("WINS"), "error"),
    broken("WIN-16", |s| s.service("WINS"), "error"),
    broken("WIN-17", |s| s.feature("Wireless-Networking"), "error"),
    broken(
        "WIN-18",
        |s| {
            s.drive.software.at(STATE).text("ImageState", "IMAGE_STATE_COMPLETE");
        },
        "error",
    ),
    broken("WIN-18", |s| s.system("Setup\\Status\\SysprepStatus", "GeneralizationState", 3), "error"),
    broken(
        "WIN-19",
        |s| s.system("ControlSet001\\Control\\Terminal Server", "fDenyTSConnections", 1),
        "error",
    ),
    broken(
        "WIN-20",
        |s| s.drive.software.at("Microsoft\\Windows\\CurrentVersion\\WSMAN").keys.clear(),
        "warning",
    ),
    broken("WIN-21", |s| s.file(SRV, program(0x8664, [10, 0, 14393, 952])), "error"),
    broken("WIN-21", |s| s.file(SRV2, program(0x8664, [6, 3, 9600, 18603])), "error"),
    broken("WIN-22", |s| s.product("Microsoft SQL Server 2016"), "error"),
    broken("WIN-22", |s| s.product("Microsoft Visual Studio 2022"), "error"),
    broken("WIN-23", |s| s.system("ControlSet001\\Services\\wuauserv", "Start", 4), "warning"),
    broken(
        "WIN-23",
        |s| {
            let key = "Policies\\Microsoft\\Windows\\WindowsUpdate\\AU";
            s.drive.software.at(key).number("NoAutoUpdate", 1);
        },
        "warning",
    ),
    broken("WIN-24", |s| s.account("support"), "error"),
    broken("WIN-24", |s| s.file(HOSTS, b"127.0.0.1 localhost build.example\r\n".to_vec()), "error"),
    broken("WIN-24", |s| s.file(HOSTS, b"10.0.0.1 build.example\r\n".to_vec()), "error"),
    Broken {
        rule: "WIN-26",
        breaks: |s| s.file("Program Files/App/bad.com", crate::signatures::test_string()),
        result: "error",
        // The scanner reports it; the rule only says that it did.
        also: &["CTR-20"],
        undecided: &[],
    },
];

/// Rules that no disk breaks: only a running machine shows them.
const BOOT_ONLY: [&str; 2] = ["WIN-04", "WIN-25"];
const SRV2: &str = "Windows/System32/drivers/srv2.sys";

impl Server {
    fn file(&mut self, path: &'static str, content: Vec<u8>) {
        self.drive.files.insert(path, content);
    }

    fn feature(&mut self, name: &str) {
        self.drive.software.at(&format!("{CACHE}\\{name}")).number("InstallState", 1);
    }

    fn system(&mut self, key: &str, name: &str, number: u32) {
        self.drive.system.at(key).number(name, number);
    }

    fn service(&mut self, name: &str) {
        self.system(&format!("ControlSet001\\Services\\{name}"), "Start", 2);
    }

    fn logs_on(&mut self, account: &str) {
        self.drive.system.at("ControlSet001\\Services\\Spooler").text("ObjectName", account);
    }

    fn account(&mut self, name: &str) {
        self.drive.sam.at(&format!("SAM\\Domains\\Account\\Users\\Names\\{name}"));
    }

    fn product(&mut self, name: &str) {
        let key = "Microsoft\\Windows\\CurrentVersion\\Uninstall\\App";
        self.drive.software.at(key).text("DisplayName", name);
    }

    fn inspect(&self, volume: &Path, knowledge: &Knowledge) -> Verdict {
        let disk = fs::File::open(ntfs::disk(volume, &self.second)).expect("opens");
        let disk: Arc<dyn ReadAt> = Arc::new(FileReadAt::new(disk).expect("a file"));
        let facts = facts(Format::Raw, disk.size());
        let claims = Claims { os_family: Some(OsFamily::Windows), ..Claims::default() };
        inspect(&DiskSpecimen { disk, facts, claims }, knowledge, &|_, _| {}).expect("reads")
    }
}

#[test]
fn every_windows_rule_is_in_the_table_or_left_to_the_boot_test() {
    let all: BTreeSet<String> = (1..=26).map(|number| format!("WIN-{number:02}")).collect();
    let told = CASES.iter().map(|case| case.rule).chain(BOOT_ONLY).map(str::to_owned).collect();
    assert_eq!(all, told);
}

#[test]
fn every_pack_weighs_what_only_warns_as_a_warning_and_the_rest_as_a_reason_to_refuse() {
    let warnings = ["WIN-02", "WIN-04", "WIN-20", "WIN-23", "WIN-25"];
    for name in ["default", "legacy-2017", "legacy-2021"] {
        let policy = Policy::parse(Policy::named(name).expect("a pack")).expect("reads");
        for rule in mercat_machine::windows::RULES {
            let expected = if warnings.contains(&rule.id) { Severity::Warning } else { Severity::Error };
            assert_eq!(policy.severity(rule.id), Some(expected), "{name} {}", rule.id);
        }
    }
}

#[test]
fn every_windows_rule_broken_once_changes_that_rule_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server { drive: clean(), second: Vec::new() };
    let Some(volume) = ntfs::volume(directory.path(), &server.drive) else { return };
    let knowledge = knowledge(Policy::built_in());
    let before = server.inspect(&volume, &knowledge);
    passes_everything(&before);
    let mut wrong = Vec::new();
    for (at, case) in CASES.iter().enumerate() {
        let mut after = server.clone();
        (case.breaks)(&mut after);
        let after = after.inspect(&ntfs::changed(&volume, &server.drive, &after.drive), &knowledge);
        let (old, new) = (results(&before), results(&after));
        let changed: BTreeMap<_, _> =
            new.iter().filter(|(rule, result)| old.get(**rule) != Some(*result)).collect();
        let undecided = case.undecided.iter().map(|rule| (rule, &"inconclusive"));
        if changed != undecided.chain([(&case.rule, &case.result)]).collect() {
            wrong.push(format!("case {at} {}: {changed:?}", case.rule));
        }
        let found: BTreeSet<&str> = after.findings.iter().map(|finding| finding.rule.as_str()).collect();
        let mut expected: BTreeSet<&str> = case.also.iter().copied().collect();
        // Malware has its finding from the scanner alone.
        if case.rule != "WIN-26" {
            expected.insert(case.rule);
        }
        if found != expected {
            wrong.push(format!("case {at} {}: found {:?}", case.rule, after.findings));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The clean disk: no finding, every rule decided, and what a disk cannot show left to the boot test.
fn passes_everything(verdict: &Verdict) {
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.outcome(), Judged::Pass);
    assert_eq!(verdict.checks.len(), 15 + 26);
    for check in verdict.checks.iter().filter(|check| check.rule.starts_with("WIN-")) {
        let expected = match BOOT_ONLY.contains(&check.rule.as_str()) {
            true => ("boot-only", "shown by the boot test"),
            false => ("passed", check.observed.as_str()),
        };
        assert_eq!((check.result.as_str(), check.observed.as_str()), expected, "{}", check.rule);
    }
    let disk = verdict.disk.as_ref().expect("a disk");
    assert_eq!((disk.bytes, disk.volumes[0].contents.as_str()), (ntfs::DISK_BYTES, "ntfs"));
    assert_eq!(disk.volumes[0].file_bytes, disk.volumes[0].scanned_bytes);
}
