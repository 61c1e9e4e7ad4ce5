//! Which files rules look into; everything else is scanned and forgotten.

use super::{Wanted, windows};
use mercat_guest::{Entry, Kind};

/// Bytes of a compiled file of configuration that is kept whole.
const SMALL_BYTES: u64 = 1 << 20;
/// Parts of a path down to which every link is kept that may be a directory on the way to something.
pub(super) const LINK_DEPTH: usize = 6;
/// Bytes of a file that is kept whole because a boot loader may be told to read it, whatever it is called.
const SCRIPT_BYTES_MAX: u64 = 64 << 10;

/// What is kept of a name. Volumes may be mounted below the root, so a path is tried there too.
pub fn wanted(file_system: &str, entry: &Entry) -> Option<Wanted> {
    if file_system == "ntfs" {
        return windows::wanted(&entry.path.to_lowercase());
    }
    let path = entry.path.as_str();
    let places = ["", "boot/", "usr/", "var/"];
    let found = places.iter().filter_map(|place| linux(&format!("{place}{path}"), entry.kind)).max();
    match found.max(boot_loader(file_system, entry)) {
        // What is compiled is no configuration; large texts are, whatever they are padded with.
        Some(Wanted::Whole) if entry.size > SMALL_BYTES && is_compiled(path) => Some(Wanted::Name),
        other => other,
    }
}

/// Whether every name is kept in a place, so that what is not there is not on the disk: directories of GRUB.
/// The path is one of a volume.
pub(super) fn is_of_grub(path: &str) -> bool {
    ["grub/", "grub2/", "boot/grub/", "boot/grub2/"].iter().any(|place| path.starts_with(place))
}

/// What boot loaders may be told to read: everything beside them, and on file systems that firmware reads.
fn boot_loader(file_system: &str, entry: &Entry) -> Option<Wanted> {
    const COMPILED: [&str; 8] = [".mod", ".pf2", ".img", ".mo", ".efi", ".png", ".tga", ".exec"];
    let path = entry.path.to_ascii_lowercase();
    if !is_of_grub(&path) && !file_system.starts_with("fat") {
        return None;
    }
    let is_script = entry.size <= SCRIPT_BYTES_MAX && !COMPILED.iter().any(|end| path.ends_with(end));
    Some(if is_script && entry.kind == Kind::File { Wanted::Whole } else { Wanted::Name })
}

/// Files that programs read in a form of their own: tables of devices, stores of certificates, caches.
fn is_compiled(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.starts_with("etc/")
        && (name == "cacerts"
            || [".bin", ".cache", ".db", ".dat", ".crt", ".pem", ".jks"]
                .iter()
                .any(|end| name.ends_with(end)))
}

/// Names of files in which shells and clients keep what was typed.
pub(super) fn is_history(name: &str) -> bool {
    const OTHERS: [&str; 6] =
        [".history", ".histfile", ".zhistory", ".viminfo", ".lesshst", ".rediscli_history"];
    let Some(plain) = name.strip_prefix('.') else { return name == "fish_history" };
    OTHERS.contains(&name) || plain.ends_with("_history") || plain.contains("sh_history")
}

fn linux(path: &str, kind: Kind) -> Option<Wanted> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if is_history(name) || name == "known_hosts" || is_identity(name) {
        return Some(Wanted::Name);
    }
    if name.starts_with("authorized_keys") || is_user_data(name) {
        return Some(Wanted::Whole);
    }
    // Links of directories lead to everything else. Packages have the most, where rules look anyway.
    let top = path.split('/').next().unwrap_or(path);
    let deep = if matches!(top, "usr" | "lib" | "lib64") { 3 } else { LINK_DEPTH };
    if kind == Kind::Symlink && path.split('/').count() <= deep {
        return Some(Wanted::Name);
    }
    match top {
        "etc" => etc(path),
        "boot" => boot(path, name),
        "var" => var(path),
        "usr" | "lib" | "sbin" | "bin" | "opt" | "lib64" => system(path.trim_start_matches("usr/"), name),
        "home" | "root" => (path.split('/').count() <= 2).then_some(Wanted::Name),
        _ if is_swap_name(name) => Some(Wanted::Head),
        _ => None,
    }
}

/// Files that hold a person's or machine's private key by convention.
fn is_identity(name: &str) -> bool {
    matches!(name, "id_rsa" | "id_dsa" | "id_ecdsa" | "id_ed25519")
}

/// Names under which cloud-init is given its data by a volume or directory.
pub(crate) fn is_user_data(name: &str) -> bool {
    let names = ["user-data", "user_data", "vendor-data", "vendor_data"];
    names.iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn is_swap_name(name: &str) -> bool {
    name.contains("swap")
}

fn etc(path: &str) -> Option<Wanted> {
    const LARGE: [&str; 5] =
        ["etc/ssl/certs/", "etc/alternatives/", "etc/selinux/", "etc/ca-certificates/", "etc/pki/ca-trust/"];
    (!LARGE.iter().any(|large| path.starts_with(large))).then_some(Wanted::Whole)
}

fn boot(path: &str, name: &str) -> Option<Wanted> {
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("vmlinu") || lower.starts_with("image") || lower.ends_with(".efi") {
        return Some(Wanted::Head);
    }
    if lower.starts_with("initr") || lower.starts_with("initramfs") {
        return Some(Wanted::Name);
    }
    let text = lower.ends_with(".cfg") || lower.ends_with(".conf") || lower.ends_with(".lst");
    let config = name.starts_with("config-") || name == "grubenv" || name == "cmdline.txt";
    (text || config || path.starts_with("boot/loader/")).then_some(Wanted::Whole)
}

fn var(path: &str) -> Option<Wanted> {
    const WHOLE: [&str; 8] = [
        "var/lib/dpkg/status",
        "var/lib/rpm/Packages",
        "var/lib/rpm/Packages.db",
        "var/lib/rpm/rpmdb.sqlite",
        "var/lib/rpm/rpmdb.sqlite-wal",
        "var/lib/dbus/machine-id",
        "var/lib/waagent/provisioned",
        "var/lib/cloud/data/instance-id",
    ];
    const NAMES: [&str; 11] = [
        "var/lib/dpkg/updates/",
        "var/lib/rpm/rpmdb.sqlite-journal",
        "var/lib/systemd/home/",
        "var/lib/waagent/",
        "var/lib/cloud/",
        "var/lib/dhcp/",
        "var/lib/dhclient/",
        "var/lib/NetworkManager/",
        "var/lib/systemd/network/",
        "var/log/",
        "var/lib/dhcpcd/",
    ];
    if WHOLE.contains(&path)
        || path.starts_with("var/lib/cloud/seed/")
        || path.starts_with("var/spool/cron/")
        || path.starts_with("var/lib/dpkg/status.d/") && !path.ends_with(".md5sums")
    {
        return Some(Wanted::Whole);
    }
    let swap = is_swap_name(path).then_some(Wanted::Head);
    if is_extension(path.trim_start_matches("var/")) {
        return Some(Wanted::Name);
    }
    NAMES.iter().any(|place| path.starts_with(place)).then_some(Wanted::Name).or(swap)
}

/// Whether a path below `/usr` or `/var` is that of an extension of the system, which replaces files of it
/// (systemd-sysext(8)). What is in one matters to nobody here.
fn is_extension(path: &str) -> bool {
    let rest = ["lib/extensions/", "lib/confexts/"].iter().find_map(|place| path.strip_prefix(*place));
    rest.is_some_and(|rest| !rest.contains('/'))
}

/// Whether a path below `/usr` is one of what adds to the unit of the SSH server or of a terminal, as to every service.
fn is_of_ssh_unit(path: &str) -> bool {
    let unit = path.strip_prefix("lib/systemd/system/").and_then(|rest| rest.split_once('/'));
    let is_known = |unit: &str| unit.starts_with("ssh") || unit.contains("getty");
    unit.is_some_and(|(unit, _)| unit == "service.d" || is_known(unit) && unit.ends_with(".d"))
}

/// Below `/usr` or beside it; `path` is without `usr/`.
fn system(path: &str, name: &str) -> Option<Wanted> {
    const HEADS: [&str; 8] = [
        "sbin/init",
        "lib/systemd/systemd",
        "bin/busybox",
        "bin/sh",
        "bin/bash",
        "bin/dash",
        "sbin/runit",
        "sbin/openrc-init",
    ];
    if HEADS.contains(&path) {
        return Some(Wanted::Head);
    }
    let whole = path.starts_with("etc/")
        || matches!(path, "lib/os-release" | "lib/apk/db/installed")
        || path.starts_with("lib/sysimage/rpm/")
        || path.starts_with("lib/systemd/system-preset/")
        || path.starts_with("local/lib/systemd/system/")
        || path.strip_prefix("local/").unwrap_or(path).starts_with("lib/systemd/system.conf.d/")
        || path.starts_with("lib/systemd/network/")
        || path.starts_with("local/lib/systemd/network/")
        || path.starts_with("lib/netplan/")
        || path.starts_with("lib/NetworkManager/system-connections/")
        || path.starts_with("lib/pam.d/")
        // What sshd of Red Hat includes from /etc leads here.
        || path.starts_with("share/crypto-policies/") && name == "opensshserver.txt"
        || path.strip_prefix("local/").unwrap_or(path).starts_with("lib/tmpfiles.d/")
        || path.starts_with("lib/ignition/")
        || is_of_ssh_unit(path.strip_prefix("local/").unwrap_or(path))
        || path.starts_with("lib/userdb/")
        || path.starts_with("lib/modules/") && name == "modules.builtin"
        || path.starts_with("lib/python") && path.ends_with("azurelinuxagent/common/version.py");
    if whole {
        return Some(Wanted::Whole);
    }
    let module = path.starts_with("lib/modules/") && name.contains(".ko");
    let named = module && (name.starts_with("hv_") || name.starts_with("virtio"))
        || path.starts_with("lib/modules/") && matches!(name, "vmlinuz" | "modules.dep")
        || path.starts_with("lib/systemd/system/")
        || path.starts_with("lib/udev/rules.d/")
        || path.strip_prefix("local/").unwrap_or(path).starts_with("lib/credstore")
        || is_extension(path.strip_prefix("local/").unwrap_or(path))
        || name.starts_with("libssl.so")
        || name.starts_with("libcrypto.so")
        || path.starts_with("bin/python")
        || matches!(path, "sbin/waagent" | "bin/waagent" | "bin/cloud-init")
        || matches!(path, "sbin/sshd" | "bin/sshd" | "sbin/dropbear" | "bin/dropbear")
        || matches!(path, "opt/omi/bin/omiserver" | "omi/bin/omiserver")
        || path.starts_with("lib/cloud-init/")
        || matches!(path.split('/').count(), 1 | 2) && path.starts_with("opt/");
    named.then_some(Wanted::Name)
}

#[cfg(test)]
mod tests;
