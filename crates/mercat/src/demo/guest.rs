//! A small Linux guest on a disk, built on the spot: GPT, ext4 by `mke2fs`, no root, no network.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

const SECTOR: u64 = 512;
/// First sector of the root partition: 1 MiB stays free.
const FIRST: u64 = 2048;
/// GPT type of a Linux file system.
const LINUX: [u8; 16] =
    [0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4];
/// GPT type of the partition of a boot loader that BIOS starts.
const BIOS_BOOT: [u8; 16] =
    [0x48, 0x61, 0x68, 0x21, 0x49, 0x64, 0x6f, 0x6e, 0x74, 0x4e, 0x65, 0x65, 0x64, 0x45, 0x46, 0x49];
/// GPT type of swap.
const SWAP: [u8; 16] =
    [0x6d, 0xfd, 0x57, 0x06, 0xab, 0xa4, 0xc4, 0x43, 0x84, 0xe5, 0x09, 0x33, 0xc8, 0x4b, 0x4f, 0x4f];

/// A file of the guest: path, mode, content.
pub(crate) type Item = (String, u32, Vec<u8>);

/// What is planted into a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Faults {
    /// A swap partition behind the root file system.
    pub(crate) swap: bool,
    /// A shell history in the home of root.
    pub(crate) history: bool,
    /// A password for the user.
    pub(crate) password: bool,
}

/// Whether this machine can build a guest.
pub(crate) fn can_build() -> bool {
    mke2fs().is_some()
}

fn mke2fs() -> Option<std::path::PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let known = ["/usr/sbin", "/sbin"].map(Into::into);
    std::env::split_paths(&paths).chain(known).map(|dir| dir.join("mke2fs")).find(|path| path.is_file())
}

/// The files of a small, generalised guest that obeys the rules; then the faults.
pub(crate) fn files(faults: Faults) -> Vec<Item> {
    let text = |path: &str, mode, text: &str| (path.to_owned(), mode, text.as_bytes().to_vec());
    let shadow = if faults.password {
        "root:*:19700:0:99999:7:::\noperator:$6$saltsalt$gzVhjVmMSrYqNBVLa8bMJyhBjNwGHXm9dAV5wlMpDnX:19700:0:99999:7:::\n"
    } else {
        "root:*:19700:0:99999:7:::\noperator:!:19700:0:99999:7:::\n"
    };
    let mut out = vec![
        text(
            "usr/lib/os-release",
            0o644,
            "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Mercat demo guest\"\n",
        ),
        text(
            "etc/passwd",
            0o644,
            "root:x:0:0:root:/root:/bin/sh\noperator:x:1000:1000::/home/operator:/bin/sh\n",
        ),
        text("etc/shadow", 0o640, shadow),
        text("etc/group", 0o644, "root:x:0:\noperator:x:1000:\n"),
        text("etc/fstab", 0o644, "LABEL=root / ext4 defaults 0 1\n"),
        text("etc/hostname", 0o644, "localhost\n"),
        text("etc/machine-id", 0o444, ""),
        text(
            "etc/ssh/sshd_config",
            0o600,
            "PasswordAuthentication no\nPermitRootLogin no\nClientAliveInterval 180\n",
        ),
        text("usr/lib/systemd/system/ssh.service", 0o644, "[Service]\nExecStart=/usr/sbin/sshd -D\n"),
        text(
            "boot/grub/grub.cfg",
            0o600,
            &format!(
                "linux /boot/vmlinuz-{KERNEL} root=LABEL=root ro console=ttyS0 earlyprintk=ttyS0 rootdelay=300\n"
            ),
        ),
        text(
            "etc/default/grub",
            0o644,
            "GRUB_CMDLINE_LINUX=\"console=ttyS0 earlyprintk=ttyS0 rootdelay=300\"\n",
        ),
        text("etc/cloud/cloud.cfg", 0o644, "users: [default]\n"),
        text("var/lib/dpkg/status", 0o644, &packages()),
        text("usr/share/doc/greeter/notice", 0o644, "A guest that does nothing but to be inspected.\n"),
        text(&format!("boot/config-{KERNEL}"), 0o644, &drivers()),
        (format!("boot/vmlinuz-{KERNEL}"), 0o644, kernel()),
        ("usr/sbin/init".to_owned(), 0o755, elf()),
        ("usr/sbin/sshd".to_owned(), 0o755, elf()),
    ];
    if faults.history {
        out.push(text(
            "root/.bash_history",
            0o600,
            &"apt install greeter\nvi /etc/greeter.conf\n".repeat(40),
        ));
    }
    out
}

/// Release of the kernel that the package database names.
const KERNEL: &str = "6.1.0-30-cloud-amd64";

/// The header of a kernel for x86-64 and nothing behind it: enough to inspect, not to start.
fn kernel() -> Vec<u8> {
    let mut out = vec![0; 4096];
    out[510..512].copy_from_slice(&[0x55, 0xaa]);
    out[0x202..0x206].copy_from_slice(b"HdrS");
    out[0x206..0x208].copy_from_slice(&0x020f_u16.to_le_bytes());
    out[0x236..0x238].copy_from_slice(&0x3f_u16.to_le_bytes());
    out
}

fn drivers() -> String {
    ["HYPERV", "HYPERV_STORAGE", "HYPERV_NET", "VIRTIO_PCI", "VIRTIO_BLK", "VIRTIO_NET"]
        .iter()
        .map(|option| format!("CONFIG_{option}=y\n"))
        .collect()
}

fn packages() -> String {
    let entry = |name: &str, version: &str| {
        format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\nMaintainer: Demo <demo@example.org>\nDescription: {name}\n\n"
        )
    };
    [
        ("linux-image-6.1.0-30-cloud-amd64", "6.1.124-1"),
        ("openssh-server", "1:9.2p1-2+deb12u7"),
        ("openssl", "3.0.17-1~deb12u2"),
        ("cloud-init", "22.4.2-1+deb12u3"),
        ("python3", "3.11.2-1+b1"),
        ("libc6", "2.36-9+deb12u13"),
    ]
    .iter()
    .map(|(name, version)| entry(name, version))
    .collect()
}

/// The header of an x86-64 program that exits; enough to see for what machine it is.
fn elf() -> Vec<u8> {
    let mut out = b"\x7fELF\x02\x01\x01".to_vec();
    out.resize(16, 0);
    for (value, bytes) in [
        (2_u64, 2),
        (62, 2),
        (1, 4),
        (0x40_0078, 8),
        (64, 8),
        (0, 8),
        (0, 4),
        (64, 2),
        (56, 2),
        (1, 2),
        (64, 2),
        (0, 2),
        (0, 2),
    ] {
        out.extend_from_slice(&value.to_le_bytes()[..bytes]);
    }
    for (value, bytes) in
        [(1_u64, 4), (5, 4), (0, 8), (0x40_0000, 8), (0x40_0000, 8), (132, 8), (132, 8), (4096, 8)]
    {
        out.extend_from_slice(&value.to_le_bytes()[..bytes]);
    }
    // mov edi, 0; mov eax, 60; syscall
    out.extend_from_slice(&[0xbf, 0, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05]);
    out
}

/// Builds a raw disk at a path, sparse.
pub(crate) fn build(path: &Path, bytes: u64, items: &[Item], swap: bool) -> io::Result<()> {
    let tree = tempfile::tempdir()?;
    for (name, mode, content) in items {
        let target = tree.path().join(name);
        fs_err::create_dir_all(target.parent().unwrap_or(tree.path()))?;
        fs_err::write(&target, content)?;
        fs_err::set_permissions(&target, std::fs::Permissions::from_mode(*mode))?;
    }
    for directory in ["dev", "proc", "sys", "tmp", "run", "home/operator", "root", "var/log", "usr/bin"] {
        fs_err::create_dir_all(tree.path().join(directory))?;
    }
    fs_err::create_dir_all(tree.path().join("etc/systemd/system/multi-user.target.wants"))?;
    for (link, target) in [
        ("etc/systemd/system/multi-user.target.wants/ssh.service", "/usr/lib/systemd/system/ssh.service"),
        ("etc/os-release", "../usr/lib/os-release"),
        ("sbin", "usr/sbin"),
        ("bin", "usr/bin"),
    ] {
        symlink(target, tree.path().join(link))?;
    }
    build_tree(path, bytes, tree.path(), swap)
}

/// Builds a raw disk with the files of a directory, sparse, without a swap partition.
#[allow(dead_code, reason = "for benchmarks, which share this file")]
pub(crate) fn build_from(path: &Path, bytes: u64, tree: &Path) -> io::Result<()> {
    build_tree(path, bytes, tree, false)
}

fn build_tree(path: &Path, bytes: u64, tree: &Path, swap: bool) -> io::Result<()> {
    let last = bytes / SECTOR - 34;
    let swap_sectors = if swap { 32_768 } else { 0 };
    let root_end = (last - swap_sectors - FIRST) / FIRST * FIRST - 1;
    let loader_end = root_end + FIRST;
    File::create(path)?.set_len(bytes)?;
    let size = (root_end + 1 - FIRST) / 2;
    let program = mke2fs().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "mke2fs (e2fsprogs)"))?;
    let made = Command::new(program)
        .args(["-q", "-F", "-t", "ext4", "-L", "root", "-E"])
        .arg(format!("offset={},root_owner=0:0,lazy_itable_init=1", FIRST * SECTOR))
        .arg("-d")
        .arg(tree)
        .arg(path)
        .arg(format!("{size}k"))
        .output()?;
    if !made.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&made.stderr).into_owned()));
    }
    let mut partitions = vec![(LINUX, FIRST, root_end), (BIOS_BOOT, root_end + 1, loader_end)];
    if swap {
        partitions.push((SWAP, loader_end + 1, loader_end + swap_sectors));
    }
    write_tables(path, bytes, &partitions)?;
    if swap {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.seek(SeekFrom::Start((loader_end + 1) * SECTOR + 4086))?;
        file.write_all(b"SWAPSPACE2")?;
    }
    Ok(())
}

/// A protective MBR and both copies of the GPT (UEFI 2.10, 5.3).
fn write_tables(path: &Path, bytes: u64, partitions: &[([u8; 16], u64, u64)]) -> io::Result<()> {
    let sectors = bytes / SECTOR;
    let mut entries = vec![0; 128 * 128];
    for (index, (kind, first, last)) in partitions.iter().enumerate() {
        let entry = &mut entries[index * 128..(index + 1) * 128];
        entry[..16].copy_from_slice(kind);
        entry[16..32].copy_from_slice(&[index as u8 + 1; 16]);
        entry[32..40].copy_from_slice(&first.to_le_bytes());
        entry[40..48].copy_from_slice(&last.to_le_bytes());
    }
    let header = |own: u64, other: u64, table: u64| {
        let mut out = [0; 512];
        out[..8].copy_from_slice(b"EFI PART");
        out[8..12].copy_from_slice(&0x1_0000_u32.to_le_bytes());
        out[12..16].copy_from_slice(&92_u32.to_le_bytes());
        for (at, value) in [(24, own), (32, other), (40, 34), (48, sectors - 34), (72, table)] {
            out[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        out[56..72].copy_from_slice(&[7; 16]);
        out[80..84].copy_from_slice(&128_u32.to_le_bytes());
        out[84..88].copy_from_slice(&128_u32.to_le_bytes());
        out[88..92].copy_from_slice(&crc32fast::hash(&entries).to_le_bytes());
        let sum = crc32fast::hash(&out[..92]);
        out[16..20].copy_from_slice(&sum.to_le_bytes());
        out
    };
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut boot = [0; 512];
    file.read_exact(&mut boot)?;
    // Boot code that halts (cli, hlt, and again): there is no kernel to start.
    boot[..4].copy_from_slice(&[0xfa, 0xf4, 0xeb, 0xfd]);
    boot[446..462].copy_from_slice(&[0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0]);
    let covered = u32::try_from(sectors - 1).unwrap_or(u32::MAX);
    boot[458..462].copy_from_slice(&covered.to_le_bytes());
    boot[510..].copy_from_slice(&[0x55, 0xaa]);
    let mut put = |sector: u64, bytes: &[u8]| {
        file.seek(SeekFrom::Start(sector * SECTOR))?;
        file.write_all(bytes)
    };
    put(0, &boot)?;
    put(1, &header(1, sectors - 1, 2))?;
    put(2, &entries)?;
    put(sectors - 33, &entries)?;
    put(sectors - 1, &header(sectors - 1, 1, sectors - 33))
}
