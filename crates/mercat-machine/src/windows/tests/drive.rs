//! What a clean Windows holds that the rules look at: hives and programs from a writer of the tests.

use hives::Node;
use std::collections::BTreeMap;

#[path = "../../../../mercat-guest/src/hive/writer.rs"]
pub(crate) mod hives;

/// A drive C.
#[derive(Clone, Default)]
pub(crate) struct Drive {
    pub(crate) software: Node,
    pub(crate) system: Node,
    pub(crate) sam: Node,
    /// Everything else, by path.
    pub(crate) files: BTreeMap<&'static str, Vec<u8>>,
}

pub(crate) const STATE: &str = "Microsoft\\Windows\\CurrentVersion\\Setup\\State";
pub(crate) const CACHE: &str = "Microsoft\\ServerManager\\ServicingStorage\\ServerComponentCache";
pub(crate) const KERNEL: &str = "Windows/System32/ntoskrnl.exe";
pub(crate) const SRV: &str = "Windows/System32/drivers/srv.sys";
pub(crate) const HOSTS: &str = "Windows/System32/drivers/etc/hosts";

pub(crate) const TASK: &str = "Windows/System32/Tasks/App/Rotate";

impl Drive {
    /// Every file with its content, the hives among them.
    pub(crate) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let hives = [("SOFTWARE", &self.software), ("SYSTEM", &self.system), ("SAM", &self.sam)];
        let hives = hives.map(|(name, hive)| (format!("Windows/System32/config/{name}"), hive.hive()));
        let files = self.files.iter().map(|(path, content)| ((*path).to_owned(), content.clone()));
        files.chain(hives).collect()
    }
}

/// A drive with which every rule is content.
pub(crate) fn clean() -> Drive {
    let mut drive = Drive::default();
    let software = &mut drive.software;
    software.at(STATE).text("ImageState", "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE");
    software.at("Microsoft\\Windows\\CurrentVersion\\WSMAN\\Listener\\*+HTTPS").number("Port", 5986);
    software.at("Microsoft\\Windows\\CurrentVersion\\Uninstall\\App").text("DisplayName", "An application");
    software.at(&format!("{CACHE}\\DHCP")).number("InstallState", 0);
    let system = &mut drive.system;
    system.at("Select").number("Current", 1).number("Default", 1);
    system.at("Setup\\Status\\SysprepStatus").number("GeneralizationState", 7);
    system.at("ControlSet001\\Control\\Terminal Server").number("fDenyTSConnections", 0);
    system.at("ControlSet001\\Services\\Spooler").text("ObjectName", "LocalSystem").number("Start", 2);
    system.at("ControlSet001\\Services\\WINS").number("Start", 4);
    system.at("ControlSet001\\Services\\wuauserv").number("Start", 3);
    for name in ["Administrator", "Guest", "DefaultAccount"] {
        drive.sam.at(&format!("SAM\\Domains\\Account\\Users\\Names\\{name}"));
    }
    drive.files.insert(KERNEL, program(0x8664, [10, 0, 17763, 1]));
    drive.files.insert(SRV, program(0x8664, [10, 0, 14393, 953]));
    drive.files.insert(TASK, task("S-1-5-18"));
    drive.files.insert(HOSTS, b"# comment\r\n127.0.0.1 localhost\r\n::1 localhost\r\n".to_vec());
    drive
}

/// A scheduled task that runs as an account, and waits for another.
pub(crate) fn task(account: &str) -> Vec<u8> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\r\n<Task version=\"1.2\">\
         <Triggers><LogonTrigger><UserId>Administrator</UserId></LogonTrigger></Triggers>\
         <Principals><Principal id=\"Author\"><UserId>{account}</UserId></Principal></Principals></Task>"
    );
    [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// A portable executable with a version resource.
pub(crate) fn program(machine: u16, version: [u16; 4]) -> Vec<u8> {
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
