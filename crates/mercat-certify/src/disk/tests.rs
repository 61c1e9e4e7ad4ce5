//! A small Debian that passes every rule, made with `mke2fs`, and what becomes of it when one thing changes.

use super::*;
use crate::advisories::{Advisories, Advisory, Day, Interval};
use crate::{Extra, Knowledge, Policy, Verdict};
use mercat_disk::{FileReadAt, Format};
use mercat_domain::{Outcome as Judged, Severity};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

mod formats;
mod hidden;
mod hostile;
mod rules;
mod space;
mod windows;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Bytes of the root partition.
const ROOT_BYTES: u64 = 24 * MIB;

/// What a path is made of.
#[derive(Clone)]
enum Made {
    File(Vec<u8>),
    Link(&'static str),
    /// Another name of a file that sorts before it.
    Hard(&'static str),
    Directory,
}

/// A machine that is about to become an image.
#[derive(Clone)]
struct Machine {
    files: BTreeMap<String, Made>,
    /// Package and version.
    packages: BTreeMap<&'static str, &'static str>,
    claims: Claims,
    /// The policy pack's text.
    policy: String,
    bytes: u64,
    /// First byte of the root partition.
    start: u64,
    boot_code: bool,
    partition_type: u8,
    /// A second partition of 8 MiB with an empty ext4 labelled `home`.
    second: bool,
    /// Bytes of noise behind the partitions.
    noise: usize,
    format: Format,
}

const KERNEL: &str = "6.1.0-31-amd64";

fn elf(class: u8) -> Vec<u8> {
    let mut head = b"\x7fELF".to_vec();
    head.extend([class, 1, 1]);
    head.resize(256, 0);
    head[18] = if class == 2 { 62 } else { 3 };
    head
}

fn kernel() -> Vec<u8> {
    let mut head = vec![0; 2048];
    head[0x202..0x206].copy_from_slice(b"HdrS");
    head[0x236] = 1;
    head
}

impl Machine {
    fn clean() -> Self {
        let mut machine = Self {
            files: BTreeMap::new(),
            packages: BTreeMap::from([
                ("bash", "5.2.15-2+b7"),
                ("cloud-init", "22.4.2-1+deb12u2"),
                ("libc6", "2.36-9+deb12u9"),
                ("libssl3", "3.0.15-1~deb12u1"),
                ("openssh-server", "1:9.2p1-2+deb12u5"),
                ("python3", "3.11.2-1+b1"),
            ]),
            claims: Claims { os_family: Some(OsFamily::Linux), ..Claims::default() },
            policy: Policy::built_in().to_owned(),
            bytes: GIB,
            start: MIB,
            boot_code: true,
            partition_type: 0x83,
            second: false,
            noise: 0,
            format: Format::Raw,
        };
        machine.file(
            "usr/lib/os-release",
            "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
        );
        for (path, target) in [
            ("etc/os-release", "../usr/lib/os-release"),
            ("bin", "usr/bin"),
            ("lib", "usr/lib"),
            ("sbin", "usr/sbin"),
            ("usr/sbin/init", "/lib/systemd/systemd"),
            ("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf"),
            ("etc/systemd/system/multi-user.target.wants/ssh.service", "/lib/systemd/system/ssh.service"),
        ] {
            machine.files.insert(path.to_owned(), Made::Link(target));
        }
        machine.file(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\nsshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n",
        );
        machine.file("etc/shadow", "root:*:19000:0:99999:7:::\nsshd:!:19000::::::\n");
        machine.file("etc/fstab", "LABEL=root / ext4 defaults 0 1\n");
        machine.file("etc/machine-id", "");
        machine.file("etc/sudoers", "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n");
        machine.file(
            "etc/network/interfaces",
            "auto lo\niface lo inet loopback\nauto ens3\niface ens3 inet dhcp\n",
        );
        machine.file("etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n");
        machine.file("etc/ssh/sshd_config.d/alive.conf", "ClientAliveInterval 180\n");
        machine.bytes_of("usr/sbin/sshd", elf(2));
        machine.bytes_of("usr/lib/systemd/systemd", elf(2));
        machine.bytes_of("usr/bin/bash", elf(2));
        machine.kernel(KERNEL, "");
        machine.command_line("console=ttyS0 earlyprintk=ttyS0 rootdelay=300");
        for directory in ["root", "home", "var/log", "proc"] {
            machine.files.insert(directory.to_owned(), Made::Directory);
        }
        machine
    }

    fn file(&mut self, path: &str, text: &str) {
        self.bytes_of(path, text.as_bytes().to_vec());
    }

    fn bytes_of(&mut self, path: &str, bytes: Vec<u8>) {
        self.files.insert(path.to_owned(), Made::File(bytes));
    }

    fn command_line(&mut self, parameters: &str) {
        let text = format!(
            "set default=0\nmenuentry 'Debian' {{\n\tlinux /boot/vmlinuz-{KERNEL} root=LABEL=root ro {parameters}\n\
             \tinitrd /boot/initrd.img-{KERNEL}\n}}\n"
        );
        self.file("boot/grub/grub.cfg", &text);
    }

    /// Puts a kernel in the place of all others, without one option.
    fn kernel(&mut self, release: &str, without: &str) {
        self.files.retain(|path, _| !path.starts_with("boot/vmlinuz") && !path.starts_with("boot/config"));
        let options = ["HYPERV", "HYPERV_STORAGE", "HYPERV_NET", "VIRTIO_PCI", "VIRTIO_BLK", "VIRTIO_NET"];
        let lines = options.iter().filter(|option| **option != without);
        let config: String = lines.map(|option| format!("CONFIG_{option}=y\n")).collect();
        self.bytes_of(&format!("boot/vmlinuz-{release}"), kernel());
        self.file(&format!("boot/config-{release}"), &config);
    }

    /// With a guest agent of a version.
    fn agent(&mut self, version: &'static str) {
        self.packages.insert("waagent-files", "1");
        self.packages.insert("walinuxagent", version);
        self.file("usr/sbin/waagent", "#!/usr/bin/python3\n");
        self.file("etc/waagent.conf", "# AutoUpdate.Enabled=y\n");
    }

    fn write(&self, directory: &Path) {
        let status: String = self
            .packages
            .iter()
            .map(|(name, version)| {
                format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\nArchitecture: amd64\n\n")
            })
            .collect();
        let status = ("var/lib/dpkg/status".to_owned(), Made::File(status.into_bytes()));
        for (path, made) in self.files.clone().into_iter().chain([status]) {
            let path = directory.join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            match made {
                Made::File(bytes) => {
                    fs::write(&path, bytes).expect("written");
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
                }
                Made::Link(target) => symlink(target, &path).expect("linked"),
                Made::Hard(other) => fs::hard_link(directory.join(other), &path).expect("linked"),
                Made::Directory => fs::create_dir_all(&path).expect("made"),
            }
        }
    }

    /// The disk in a sparse file of a directory; `None` where `mke2fs` is absent.
    fn disk(&self, directory: &Path) -> Option<fs::File> {
        let (source, root) = (directory.join("source"), directory.join("root.img"));
        self.write(&source);
        mke2fs(&source, &root, "root", ROOT_BYTES)?;
        let path = directory.join("disk.raw");
        let options = fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
        let mut disk = options.expect("opens");
        disk.set_len(self.bytes).expect("sized");
        let mut sector = vec![0; 512];
        if self.boot_code {
            sector[..3].copy_from_slice(&[0xeb, 0x63, 0x90]);
        }
        let mut entry = |slot: usize, kind: u8, start: u64, bytes: u64| {
            let at = 446 + 16 * slot;
            sector[at + 4] = kind;
            sector[at + 8..at + 12].copy_from_slice(&u32::try_from(start / 512).expect("fits").to_le_bytes());
            sector[at + 12..at + 16]
                .copy_from_slice(&u32::try_from(bytes / 512).expect("fits").to_le_bytes());
        };
        entry(0, self.partition_type, self.start, ROOT_BYTES);
        if self.second {
            entry(1, 0x83, 32 * MIB, 8 * MIB);
        }
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        disk.write_all(&sector).expect("written");
        copy(&root, &mut disk, self.start);
        if self.second {
            let (source, home) = (directory.join("empty"), directory.join("home.img"));
            fs::create_dir_all(&source).expect("made");
            mke2fs(&source, &home, "home", 8 * MIB)?;
            copy(&home, &mut disk, 32 * MIB);
        }
        disk.seek(SeekFrom::Start(64 * MIB)).expect("there");
        disk.write_all(&vec![0x5a; self.noise]).expect("written");
        Some(disk)
    }

    fn inspect(&self) -> Option<Verdict> {
        let directory = tempfile::tempdir().expect("a directory");
        let disk: Arc<dyn ReadAt> = Arc::new(FileReadAt::new(self.disk(directory.path())?).expect("a file"));
        let facts = facts(self.format, disk.size());
        Some(self.judge(disk, facts))
    }

    fn judge(&self, disk: Arc<dyn ReadAt>, facts: Facts) -> Verdict {
        let specimen = DiskSpecimen { disk, facts, claims: self.claims.clone() };
        inspect(&specimen, &knowledge(&self.policy), &|_, _| {}).expect("reads")
    }
}

fn facts(format: Format, bytes: u64) -> Facts {
    Facts {
        format,
        file_bytes: bytes,
        virtual_bytes: bytes,
        mapped_bytes: bytes,
        sector_bytes: 512,
        vhd: None,
    }
}

fn knowledge(policy: &str) -> Knowledge {
    let record = Advisory {
        ecosystem: "Debian:12".into(),
        package: "leaky".into(),
        id: "DSA-1".into(),
        modified: "2026-01-01T00:00:00Z".into(),
        level: "critical".into(),
        ranges: vec![Interval { from: "0".into(), fixed: "2.0".into(), ..Interval::default() }],
        ..Advisory::default()
    };
    // As many as an ecosystem has at least.
    let others = (0..100).map(|number| Advisory {
        package: format!("other-{number}"),
        id: format!("DSA-2-{number}"),
        ..record.clone()
    });
    let records = std::iter::once(record.clone()).chain(others).collect();
    let advisories = Advisories::of(records, Day::default()).expect("fits");
    let extra = Extra { policy: policy.to_owned(), ..Extra::default() };
    Knowledge::load(&extra, advisories).unwrap_or_else(|error| panic!("{error}"))
}

fn mke2fs(source: &Path, image: &Path, label: &str, bytes: u64) -> Option<()> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let made = Command::new("mke2fs")
        .env("PATH", path)
        .args(["-q", "-t", "ext4", "-L", label, "-U", "00112233-4455-6677-8899-aabbccddeeff"])
        .args(["-E", "hash_seed=00112233-4455-6677-8899-aabbccddeeff", "-d"])
        .args([source, image])
        .arg(format!("{}k", bytes / 1024))
        .output();
    let Ok(made) = made else {
        let _ =
            std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("skipped: mke2fs is absent\n"));
        return None;
    };
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(())
}

fn copy(from: &Path, disk: &mut fs::File, at: u64) {
    let mut bytes = Vec::new();
    fs::File::open(from).expect("opens").read_to_end(&mut bytes).expect("reads");
    for (index, chunk) in
        (0_u64..).zip(bytes.chunks(4096)).filter(|(_, chunk)| chunk.iter().any(|byte| *byte != 0))
    {
        disk.seek(SeekFrom::Start(at + index * 4096)).expect("there");
        disk.write_all(chunk).expect("written");
    }
}

/// Rules with their results.
fn results(verdict: &Verdict) -> BTreeMap<&str, &str> {
    verdict.checks.iter().map(|check| (check.rule.as_str(), check.result.as_str())).collect()
}

#[test]
fn an_ordinary_generalised_image_passes_the_default_pack() {
    let Some(verdict) = Machine::clean().inspect() else { return };
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.outcome(), Judged::Pass);
    let disk = verdict.disk.as_ref().expect("a disk");
    assert_eq!((disk.os_id.as_str(), disk.kernel.as_str(), disk.packages), ("debian", KERNEL, 6));
    assert_eq!(disk.volumes[0].file_bytes, disk.volumes[0].scanned_bytes);
    assert_eq!(verdict.checks.len(), 15 + 29);
}
