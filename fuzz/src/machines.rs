//! Files of a Linux guest that rules read.

use mercat_disk::{Facts, Format};
use mercat_guest::{Kind, Table};
use mercat_machine::linux::{RULES, Readings};
use mercat_machine::mounts::{self, Names};
use mercat_machine::{Case, Claims, Layout, Node, VolumeTree};
use mercat_policy::Policy;
use std::sync::OnceLock;

/// What rules look for by its path; a byte chooses one.
const PATHS: [&str; 48] = [
    "etc/fstab",
    "etc/passwd",
    "etc/shadow",
    "etc/group",
    "etc/sudoers",
    "etc/sudoers.d/a",
    "etc/ssh/sshd_config",
    "etc/ssh/sshd_config.d/a.conf",
    "root/.ssh/authorized_keys",
    "etc/pam.d/sshd",
    "etc/pam.d/su",
    "etc/pam.d/common-auth",
    "etc/pam.d/other",
    "etc/netplan/a.yaml",
    "etc/network/interfaces",
    "etc/systemd/network/a.network",
    "etc/NetworkManager/system-connections/a",
    "etc/sysconfig/network-scripts/ifcfg-eth0",
    "etc/crontab",
    "etc/anacrontab",
    "etc/cron.d/a",
    "etc/cron.daily/logrotate",
    "var/spool/cron/crontabs/a",
    "etc/systemd/system/a.timer",
    "etc/systemd/system/etc-ssh.mount",
    "etc/systemd/system/etc-ssh.mount.d/a.conf",
    "usr/lib/systemd/system/etc.mount",
    "boot/grub/grub.cfg",
    "boot/grub/grubenv",
    "boot/grub/custom.cfg",
    "boot/grub/menu.lst",
    "boot/loader/entries/a.conf",
    "boot/loader/loader.conf",
    "boot/extlinux/extlinux.conf",
    "etc/default/grub",
    "etc/kernel/cmdline",
    "boot/vmlinuz-6.1.0-1-amd64",
    "boot/config-6.1.0-1-amd64",
    "etc/cloud/cloud.cfg",
    "var/lib/cloud/seed/a",
    "etc/waagent.conf",
    "etc/machine-id",
    "etc/resolv.conf",
    "etc/userdb/a.user",
    "usr/lib/tmpfiles.d/a.conf",
    "etc/ufw/ufw.conf",
    "etc/hostname",
    "etc",
];

/// A guest of some files: each a byte for its path, then text up to a zero; behind a byte of 255 it is a link.
pub fn machine(data: &[u8]) {
    let mut volume = VolumeTree::new("part1", "ext4");
    for part in data.split(|byte| *byte == 0).take(24) {
        let [path, text @ ..] = part else { continue };
        let path = PATHS[usize::from(*path) % PATHS.len()].to_owned();
        let (kind, link, content) = match text {
            [255, link @ ..] => (Kind::Symlink, String::from_utf8_lossy(link).into_owned(), None),
            _ => (Kind::File, String::new(), Some(text.to_vec())),
        };
        let size = text.len() as u64;
        volume.insert(Node { path, kind, mode: 0o644, uid: 0, size, link, content, kernel: None });
    }
    let (tree, _) = mounts::join(vec![volume], &[Names::default()]);
    let layout = Layout {
        bytes: 1 << 30,
        table: Table::Gpt,
        boot_code: false,
        efi_system: false,
        partitions: Vec::new(),
        volumes: Vec::new(),
        data_bytes: 0,
        file_bytes: 0,
    };
    let facts = Facts {
        format: Format::Raw,
        file_bytes: 1 << 30,
        virtual_bytes: 1 << 30,
        mapped_bytes: 1 << 30,
        sector_bytes: 512,
        vhd: None,
    };
    static POLICY: OnceLock<Policy> = OnceLock::new();
    let policy = POLICY.get_or_init(|| Policy::parse(Policy::named("default").expect("a pack")).expect("reads"));
    let os = mercat_artifact::pkgdb::parse_os_release("ID=ubuntu\nVERSION_ID=\"24.04\"\n");
    let case = Case {
        tree: &tree,
        layout: &layout,
        facts: &facts,
        claims: &Claims::default(),
        policy: &policy.vm,
        os: &os,
        packages: &[],
        findings: &[],
        readings: Readings::default(),
    };
    for rule in RULES {
        let _ = (rule.check)(&case);
    }
}
