//! A small Debian on a disk that boots, built once for a recipe and kept in the target directory.

use crate::house::{has, skipped};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Bytes of the disk.
pub(crate) const DISK_BYTES: u64 = 4 << 30;
/// Where its only partition starts, in bytes.
pub(crate) const PARTITION_AT: u64 = 1 << 20;
const GRUB: &str = "/usr/lib/grub/i386-pc";

const PACKAGES: &str = "linux-image-cloud-amd64,initramfs-tools,systemd-sysv,udev,dbus,cloud-init,openssh-server,\
    ifupdown,isc-dhcp-client,waagent,openssl,sudo,iproute2,kmod,python3";

/// Runs before the kernel is installed: initramfs-tools would sleep for all of `rootdelay`, which
/// the platform means as the longest wait.
const BEFORE: &str = r#"set -eu
mkdir -p "$1/etc/initramfs-tools/scripts/init-top"
cat > "$1/etc/initramfs-tools/scripts/init-top/no-sleep" <<'X'
#!/bin/sh
[ "$1" = prereqs ] && exit 0
echo 'ROOTDELAY=' >> /conf/param.conf
X
chmod 755 "$1/etc/initramfs-tools/scripts/init-top/no-sleep"
"#;

/// Runs last: settings that certification asks for, a generalised image, and its file system.
const AFTER: &str = r#"set -eu
r="$1"; out="$2"
k=$(basename "$r"/boot/vmlinuz-*); i=$(basename "$r"/boot/initrd.img-*)
line="console=tty0 console=ttyS0 earlyprintk=ttyS0 rootdelay=300"
echo "/dev/vda1 / ext4 defaults 0 1" > "$r/etc/fstab"
mkdir -p "$r/boot/grub" "$r/etc/ssh/sshd_config.d"
echo "GRUB_CMDLINE_LINUX=\"$line\"" > "$r/etc/default/grub"
printf 'set timeout=0\nmenuentry "Debian" {\n  linux /boot/%s root=/dev/vda1 ro %s\n  initrd /boot/%s\n}\n' "$k" "$line" "$i" > "$r/boot/grub/grub.cfg"
printf 'auto lo\niface lo inet loopback\nsource /etc/network/interfaces.d/*\n' > "$r/etc/network/interfaces"
echo "ClientAliveInterval 180" > "$r/etc/ssh/sshd_config.d/10-keepalive.conf"
rm -f "$r"/etc/ssh/ssh_host_* "$r/var/lib/dbus/machine-id" "$r/etc/resolv.conf" "$r/etc/hostname"
: > "$r/etc/machine-id"
find "$r/var/log" -type f -delete
rm -rf "$r"/var/cache/apt/* "$r"/var/lib/apt/lists/* "$r/root/.bash_history" "$r"/tmp/*
cp -ax "$r" "$out.d"
mke2fs -q -t ext4 -L root -d "$out.d" "$out" 4095M
rm -rf "$out.d"
"#;

/// Machines under translation take all processors: tests that start one take turns.
pub(crate) static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// The disk, as a raw file; nothing, said aloud, where a program for it is missing.
pub(crate) fn disk() -> Option<PathBuf> {
    // One build at a time: tests of one run share it.
    static BUILD: Mutex<()> = Mutex::new(());
    let _one = BUILD.lock().unwrap_or_else(PoisonError::into_inner);
    if !["mmdebstrap", "mke2fs", "grub-mkimage"].into_iter().all(has) {
        return None;
    }
    if !Path::new(GRUB).join("boot.img").is_file() {
        skipped("skipped: grub-pc-bin is not installed, so no Debian was built");
        return None;
    }
    let recipe = Sha256::digest(format!("{PACKAGES}{BEFORE}{AFTER}{DISK_BYTES}1"));
    let name: String = recipe.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let disk = place.join(format!("debian-{name}.raw"));
    if !disk.is_file() {
        let work = tempfile::tempdir_in(&place).expect("a directory");
        let Some(volume) = volume(work.path()) else {
            skipped(
                "skipped: mmdebstrap could not build a Debian (no root, or no network), so none was booted",
            );
            return None;
        };
        let made = work.path().join("disk.raw");
        assemble(&volume, &made);
        std::fs::rename(made, &disk).expect("in place");
    }
    Some(disk)
}

/// The file system of the root partition.
fn volume(work: &Path) -> Option<PathBuf> {
    let volume = work.join("root.ext4");
    std::fs::write(work.join("before.sh"), BEFORE).expect("written");
    std::fs::write(work.join("after.sh"), AFTER).expect("written");
    let hook = |name: &str, more: &str| format!("sh {}/{name} \"$1\" {more}", work.display());
    let out = Command::new("mmdebstrap")
        .args(["--quiet", "--format=null", "--variant=minbase", "--aptopt=Acquire::Languages \"none\""])
        .args(["doc", "man", "locale"].map(|name| format!("--dpkgopt=path-exclude=/usr/share/{name}/*")))
        .arg(format!("--include={PACKAGES}"))
        .arg(format!("--essential-hook={}", hook("before.sh", "")))
        .arg(format!("--customize-hook={}", hook("after.sh", &volume.display().to_string())))
        .args(["bookworm", "/dev/null"])
        .output()
        .expect("mmdebstrap starts");
    if !out.status.success() {
        skipped(&String::from_utf8_lossy(&out.stderr));
    }
    out.status.success().then_some(volume)
}

/// Boot loader, partition table and volume on one disk. GRUB lies in the gap before the first
/// partition, where its first stage looks for it without being told.
fn assemble(volume: &Path, disk: &Path) {
    let core = disk.with_extension("core");
    let made = Command::new("grub-mkimage")
        .args(["-O", "i386-pc", "-p", "(hd0,msdos1)/boot/grub", "-o"])
        .arg(&core)
        .args(["biosdisk", "part_msdos", "ext2", "normal", "linux", "configfile", "serial", "terminal"])
        .status();
    assert!(made.expect("grub-mkimage starts").success(), "a boot loader");
    let core = std::fs::read(&core).expect("reads");
    assert!(core.len() as u64 + 512 <= PARTITION_AT, "it fits into the gap");
    let mut first = std::fs::read(Path::new(GRUB).join("boot.img")).expect("reads");
    first.resize(512, 0);
    let start = u32::try_from(PARTITION_AT / 512).expect("small");
    let sectors = u32::try_from(DISK_BYTES / 512).expect("small") - start;
    first[440..512].fill(0);
    first[440..444].copy_from_slice(b"mrct");
    first[446..454].copy_from_slice(&[0x80, 0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff]);
    first[454..458].copy_from_slice(&start.to_le_bytes());
    first[458..462].copy_from_slice(&sectors.to_le_bytes());
    first[510..].copy_from_slice(&[0x55, 0xaa]);
    let mut out = File::create(disk).expect("made");
    out.set_len(DISK_BYTES).expect("sparse");
    out.write_all(&first).expect("written");
    out.write_all(&core).expect("written");
    out.seek(SeekFrom::Start(PARTITION_AT)).expect("in the file");
    sparse_copy(volume, &mut out);
}

fn sparse_copy(from: &Path, to: &mut File) {
    use std::io::Read;
    let mut from = File::open(from).expect("opens");
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer).expect("reads") {
            0 => break,
            read if buffer[..read].iter().all(|byte| *byte == 0) => {
                to.seek(SeekFrom::Current(i64::try_from(read).expect("small"))).expect("in the file");
            }
            read => to.write_all(&buffer[..read]).expect("written"),
        }
    }
}
