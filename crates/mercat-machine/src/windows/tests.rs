use super::*;
use crate::linux::Readings;
use crate::{Claims, Layout, Node, Status, Tree, VolumeTree, pe};
use mercat_artifact::pkgdb::OsRelease;
use mercat_disk::{Facts, Format};
use mercat_guest::{Contents, Kind, Table, Volume};
use mercat_policy::Policy;

mod drive;

use drive::{CACHE, Drive, HOSTS, KERNEL, SRV, STATE, TASK, clean, hives, program, task};

fn tree(drive: &Drive) -> Tree {
    let mut volume = VolumeTree::new("part1", "ntfs");
    let mut put = |path: &str, content: Vec<u8>| {
        let size = content.len() as u64;
        let (path, link, content) = (path.to_owned(), String::new(), Some(content));
        volume.insert(Node { path, kind: Kind::File, mode: 0, uid: 0, size, link, content, kernel: None });
    };
    drive.contents().into_iter().for_each(|(path, content)| put(&path, content));
    Tree::new(vec![volume], vec![(String::new(), 0)])
}

/// The ids of the rules that are not content, with how they came out.
fn verdict(volumes: &[Volume], tree: &Tree) -> Vec<(&'static str, Status)> {
    let layout = Layout {
        bytes: 0,
        table: Table::None,
        boot_code: true,
        efi_system: false,
        partitions: Vec::new(),
        volumes: volumes.to_vec(),
        data_bytes: 0,
        file_bytes: 0,
    };
    let facts = Facts {
        format: Format::Raw,
        file_bytes: 0,
        virtual_bytes: 0,
        mapped_bytes: 0,
        sector_bytes: 512,
        vhd: None,
    };
    let policy = Policy::parse(Policy::built_in()).expect("parses");
    let (claims, os) = (Claims::default(), OsRelease::default());
    let case = Case {
        tree,
        layout: &layout,
        facts: &facts,
        claims: &claims,
        policy: &policy.vm,
        os: &os,
        packages: &[],
        findings: &[],
        readings: Readings::default(),
    };
    let outcomes = RULES.iter().map(|rule| (rule.id, (rule.check)(&case).status));
    outcomes.filter(|(_, status)| !matches!(status, Status::Passed | Status::BootOnly)).collect()
}

fn broken(change: impl FnOnce(&mut Drive)) -> Vec<(&'static str, Status)> {
    let mut drive = clean();
    change(&mut drive);
    verdict(&[], &tree(&drive))
}

#[test]
fn every_rule_is_content_with_a_clean_drive() {
    assert_eq!(broken(|_| {}), []);
    assert_eq!(RULES.len(), 26);
}

#[test]
fn each_feature_breaks_its_rule_and_no_other() {
    let features = [
        ("WIN-03", "Failover-Clustering"),
        ("WIN-05", "DHCP"),
        ("WIN-06", "Hyper-V"),
        ("WIN-07", "DirectAccess-VPN"),
        ("WIN-08", "ADRMS"),
        ("WIN-09", "WDS"),
        ("WIN-11", "ISNS"),
        ("WIN-12", "Multipath-IO"),
        ("WIN-13", "NLB"),
        ("WIN-14", "PNRP"),
        ("WIN-15", "SNMP-Service"),
        ("WIN-16", "WINS"),
        ("WIN-17", "Wireless-Networking"),
    ];
    for (rule, name) in features {
        let install = |drive: &mut Drive| {
            drop(drive.software.at(&format!("{CACHE}\\{name}")).number("InstallState", 1).hive())
        };
        assert_eq!(broken(install), [(rule, Status::Found)], "{name}");
    }
    let start = |drive: &mut Drive| {
        drop(drive.system.at("ControlSet001\\Services\\DHCPServer").number("Start", 2).hive())
    };
    assert_eq!(broken(start), [("WIN-05", Status::Found)]);
}

/// How to break a drive.
type Change = fn(&mut Drive);

#[test]
fn each_setting_breaks_its_rule_and_no_other() {
    let changes: [(&str, Change); 18] = [
        ("WIN-01", |drive| drop(drive.files.insert(KERNEL, program(0x14c, [6, 1, 1, 1])))),
        ("WIN-02", |drive| {
            drive.system.at("ControlSet001\\Services\\Spooler").text("ObjectName", ".\\Administrator");
        }),
        ("WIN-02", |drive| drop(drive.files.insert(TASK, task("HOST\\administrator")))),
        ("WIN-02", |drive| drop(drive.files.insert(TASK, task("S-1-5-21-1-2-3-500")))),
        ("WIN-18", |drive| {
            drive.software.at(STATE).text("ImageState", "IMAGE_STATE_COMPLETE");
        }),
        ("WIN-18", |drive| {
            drive.system.at("Setup\\Status\\SysprepStatus").number("GeneralizationState", 3);
        }),
        ("WIN-19", |drive| {
            drive.system.at("ControlSet001\\Control\\Terminal Server").number("fDenyTSConnections", 1);
        }),
        ("WIN-20", |drive| {
            drive.software.at("Microsoft\\Windows\\CurrentVersion\\WSMAN").keys.clear();
        }),
        ("WIN-21", |drive| drop(drive.files.insert(SRV, program(0x8664, [10, 0, 14393, 952])))),
        ("WIN-21", |drive| drop(drive.files.insert(SRV, program(0x8664, [6, 1, 7601, 23688])))),
        ("WIN-22", |drive| {
            drive
                .software
                .at("Microsoft\\Windows\\CurrentVersion\\Uninstall\\App")
                .text("DisplayName", "Microsoft SQL Server 2016");
        }),
        ("WIN-23", |drive| {
            drive.software.at("Policies\\Microsoft\\Windows\\WindowsUpdate\\AU").number("NoAutoUpdate", 1);
        }),
        ("WIN-23", |drive| {
            drive.system.at("ControlSet001\\Services\\wuauserv").number("Start", 4);
        }),
        ("WIN-23", |drive| drop(drive.system.at("ControlSet001\\Services").keys.remove("wuauserv"))),
        ("WIN-24", |drive| drop(drive.files.insert(HOSTS, b"127.0.0.1 localhost build.example\n".to_vec()))),
        ("WIN-24", |drive| drop(drive.files.insert(HOSTS, b"10.0.0.1 localhost\n".to_vec()))),
        ("WIN-24", |drive| {
            drive.sam.at("SAM\\Domains\\Account\\Users\\Names\\support");
        }),
        ("WIN-24", |drive| drop(drive.files.insert(HOSTS, b"10.0.0.1 build\n".to_vec()))),
    ];
    for (rule, change) in changes {
        assert_eq!(broken(change), [(rule, Status::Found)]);
    }
}

#[test]
fn an_encrypted_volume_is_told_by_its_name() {
    let contents = Contents::Unreadable { what: "BitLocker".into(), code: "FS-01" };
    let encrypted = Volume { name: "part2".into(), start: 0, size: 0, contents };
    assert_eq!(verdict(&[encrypted], &tree(&clean())), [("WIN-10", Status::Found)]);
}

#[test]
fn a_control_set_other_than_the_first_is_the_one_that_counts() {
    let second = |drive: &mut Drive| {
        let first = drive.system.at("ControlSet001").clone();
        *drive.system.at("ControlSet002") = first;
        drive.system.at("Select").number("Default", 2);
        drive.system.at("ControlSet002\\Control\\Terminal Server").number("fDenyTSConnections", 1);
    };
    assert_eq!(broken(second), [("WIN-19", Status::Found)]);
    let last = |drive: &mut Drive| {
        second(drive);
        drive.system.at("Select").number("Current", 2).values.remove("Default");
    };
    assert_eq!(broken(last), [("WIN-19", Status::Found)]);
}

#[test]
fn a_hive_that_is_missing_or_not_clean_is_never_a_rejection() {
    let drive = clean();
    let undecided = |tree: &Tree| {
        let found = verdict(&[], tree);
        assert!(found.iter().all(|(_, status)| *status == Status::Inconclusive), "{found:?}");
        found.len()
    };
    assert!(undecided(&Tree::default()) > 15);
    let mut dirty = drive.system.hive();
    dirty[4] += 1;
    hives::sign(&mut dirty);
    let mut volume = tree(&drive).volumes.remove(0);
    let old = volume.get("windows/system32/config/system").expect("is there").clone();
    volume.insert(Node { content: Some(dirty), ..old });
    assert!(undecided(&Tree::new(vec![volume], vec![(String::new(), 0)])) > 10);
}

#[test]
fn clients_and_runtimes_of_products_are_not_the_products() {
    for name in [
        "Microsoft SQL Server 2012 Native Client ",
        "Microsoft Visual Studio 2010 Tools for Office Runtime (x64)",
        "Microsoft Visual C++ 2015-2022 Redistributable (x64)",
    ] {
        let install = |drive: &mut Drive| {
            let key = "Microsoft\\Windows\\CurrentVersion\\Uninstall\\App";
            drive.software.at(key).text("DisplayName", name);
        };
        assert_eq!(broken(install), [], "{name}");
    }
}

#[test]
fn hives_without_the_keys_that_every_windows_has_decide_nothing() {
    let bare = broken(|drive| {
        drive.system.at("ControlSet001").keys.remove("Services");
    });
    assert_eq!(bare.len(), 15, "{bare:?}");
    assert!(bare.iter().all(|(_, status)| *status == Status::Inconclusive), "{bare:?}");
    let bare = broken(|drive| drive.sam.at("SAM\\Domains\\Account\\Users").keys.clear());
    assert_eq!(bare, [("WIN-24", Status::Inconclusive)]);
}

#[test]
fn no_cut_of_a_program_makes_its_reader_panic() {
    let whole = program(0x8664, [10, 0, 14393, 953]);
    assert_eq!(pe::version(&whole), Some([10, 0, 14393, 953]));
    for end in 0..whole.len() {
        let _ = pe::version(&whole[..end]);
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] = 0xff;
        let _ = (pe::version(&changed), pe::machine(&changed));
    }
}
