use super::*;
use crate::Policy;
use crate::disk::{Claims, Layout, Node, Status, Tree, VolumeTree};
use hives::Node as Hive;
use mercat_artifact::pkgdb::OsRelease;
use mercat_disk::{Facts, Format};
use mercat_guest::{Contents, Kind, Table, Volume};
use std::collections::BTreeMap;

#[path = "../../../../mercat-guest/src/hive/writer.rs"]
mod hives;

/// A Windows disk as rules see it.
struct Drive {
    software: Hive,
    system: Hive,
    sam: Hive,
    files: BTreeMap<&'static str, Vec<u8>>,
    volumes: Vec<Volume>,
}

const STATE: &str = "Microsoft\\Windows\\CurrentVersion\\Setup\\State";
const CACHE: &str = "Microsoft\\ServerManager\\ServicingStorage\\ServerComponentCache";
const SRV: &str = "windows/system32/drivers/srv.sys";

/// A drive with which every rule is content.
fn clean() -> Drive {
    let mut drive = Drive {
        software: Hive::default(),
        system: Hive::default(),
        sam: Hive::default(),
        files: BTreeMap::new(),
        volumes: Vec::new(),
    };
    let software = &mut drive.software;
    software.at(STATE).text("ImageState", "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE");
    software.at("Microsoft\\Windows\\CurrentVersion\\WSMAN\\Listener\\*+HTTPS").number("Port", 5986);
    software.at("Microsoft\\Windows\\CurrentVersion\\Uninstall\\App").text("DisplayName", "An application");
    software.at(&format!("{CACHE}\\DHCP")).number("InstallState", 0);
    let system = &mut drive.system;
    system.at("Select").number("Current", 1);
    system.at("Setup\\Status\\SysprepStatus").number("GeneralizationState", 7);
    system.at("ControlSet001\\Control\\Terminal Server").number("fDenyTSConnections", 0);
    system.at("ControlSet001\\Services\\Spooler").text("ObjectName", "LocalSystem").number("Start", 2);
    system.at("ControlSet001\\Services\\WINS").number("Start", 4);
    for name in ["Administrator", "Guest", "DefaultAccount"] {
        drive.sam.at(&format!("SAM\\Domains\\Account\\Users\\Names\\{name}"));
    }
    drive.files.insert("windows/system32/ntoskrnl.exe", program(0x8664, [10, 0, 17763, 1]));
    drive.files.insert(SRV, program(0x8664, [10, 0, 14393, 953]));
    drive
        .files
        .insert("windows/system32/drivers/etc/hosts", b"# comment\r\n127.0.0.1 localhost\r\n".to_vec());
    drive
}

/// A portable executable with a version resource.
fn program(machine: u16, version: [u16; 4]) -> Vec<u8> {
    let mut out = vec![0; 0x400];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3c, &[0x80]);
    put(0x80, b"PE\0\0");
    put(0x84, &machine.to_le_bytes());
    put(0x86, &[1]);
    put(0x98, b".rsrc\0\0\0");
    put(0x98 + 12, &0x3000u32.to_le_bytes());
    put(0x98 + 20, &0x200u32.to_le_bytes());
    // Three directories of one entry each, then the data entry.
    for (at, id, to) in [(0x200, 16u32, 0x8000_0020u32), (0x220, 1, 0x8000_0040), (0x240, 1033, 0x60)] {
        put(at + 14, &[1]);
        put(at + 16, &id.to_le_bytes());
        put(at + 20, &to.to_le_bytes());
    }
    put(0x260, &0x3080u32.to_le_bytes());
    put(0x264, &92u32.to_le_bytes());
    put(0x280 + 40, &0xfeef_04bdu32.to_le_bytes());
    let [major, minor, build, revision] = version.map(u32::from);
    put(0x280 + 48, &(major << 16 | minor).to_le_bytes());
    put(0x280 + 52, &(build << 16 | revision).to_le_bytes());
    out
}

fn tree(drive: &Drive) -> Tree {
    let mut volume = VolumeTree::new("part1", "ntfs");
    let mut put = |path: &str, content: Vec<u8>| {
        let size = content.len() as u64;
        let (path, link, content) = (path.to_owned(), String::new(), Some(content));
        volume.insert(Node { path, kind: Kind::File, mode: 0, uid: 0, size, link, content });
    };
    for (name, hive) in [("SOFTWARE", &drive.software), ("SYSTEM", &drive.system), ("SAM", &drive.sam)] {
        put(&format!("Windows/System32/config/{name}"), hive.hive());
    }
    drive.files.iter().for_each(|(path, content)| put(path, content.clone()));
    Tree::new(vec![volume], vec![(String::new(), 0)])
}

/// The ids of the rules that are not content, with how they came out.
fn verdict(drive: &Drive, tree: &Tree) -> Vec<(&'static str, Status)> {
    let layout = Layout {
        bytes: 0,
        table: Table::None,
        boot_code: true,
        efi_system: false,
        partitions: Vec::new(),
        volumes: drive.volumes.clone(),
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
    };
    let outcomes = RULES.iter().map(|rule| (rule.id, (rule.check)(&case).status));
    outcomes.filter(|(_, status)| !matches!(status, Status::Passed | Status::BootOnly)).collect()
}

fn broken(change: impl FnOnce(&mut Drive)) -> Vec<(&'static str, Status)> {
    let mut drive = clean();
    change(&mut drive);
    verdict(&drive, &tree(&drive))
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
    let changes: [(&str, Change); 13] = [
        ("WIN-01", |drive| {
            drop(drive.files.insert("windows/system32/ntoskrnl.exe", program(0x14c, [6, 1, 1, 1])))
        }),
        ("WIN-02", |drive| {
            drive.system.at("ControlSet001\\Services\\Spooler").text("ObjectName", ".\\Administrator");
        }),
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
        ("WIN-24", |drive| {
            drive.sam.at("SAM\\Domains\\Account\\Users\\Names\\support");
        }),
        ("WIN-24", |drive| {
            drop(drive.files.insert("windows/system32/drivers/etc/hosts", b"10.0.0.1 build\n".to_vec()))
        }),
    ];
    for (rule, change) in changes {
        assert_eq!(broken(change), [(rule, Status::Found)]);
    }
}

#[test]
fn an_encrypted_volume_is_told_by_its_name() {
    let encrypt = |drive: &mut Drive| {
        let contents = Contents::Unreadable { what: "BitLocker".into(), code: "FS-01" };
        drive.volumes.push(Volume { name: "part2".into(), start: 0, size: 0, contents });
    };
    assert_eq!(broken(encrypt), [("WIN-10", Status::Found)]);
}

#[test]
fn a_control_set_other_than_the_first_is_the_one_that_counts() {
    let second = |drive: &mut Drive| {
        drive.system.at("Select").number("Current", 2);
        drive.system.at("ControlSet002\\Control\\Terminal Server").number("fDenyTSConnections", 1);
    };
    assert_eq!(broken(second), [("WIN-19", Status::Found)]);
}

#[test]
fn a_hive_that_is_missing_or_not_clean_is_never_a_rejection() {
    let drive = clean();
    let undecided = |tree: &Tree| {
        let found = verdict(&drive, tree);
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
