//! Which volume is mounted where, as the guest's own `fstab` says.

use super::{Found, Tree, VolumeTree};
use mercat_disk::ReadAt;
use mercat_domain::finding::Place;
use mercat_guest::{Guest, Kind, Volume};
use std::collections::BTreeSet;

/// Names by which `fstab` may call a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    uuid: String,
    label: String,
    /// The label in the root directory of FAT, which may differ from the one in its boot sector.
    directory_label: String,
    volume: String,
    partition_label: String,
    partition_id: String,
}

/// Reads a volume's names from its superblock; what cannot be read has none.
pub fn names(guest: &Guest, volume: &Volume, file_system: &str) -> Names {
    let number = volume.name.strip_prefix("part").and_then(|number| number.parse::<u32>().ok());
    let partition = guest.partitions.iter().find(|partition| Some(partition.number) == number);
    let mut names = Names { volume: volume.name.clone(), ..Names::default() };
    names.partition_label = partition.map(|partition| partition.name.clone()).unwrap_or_default();
    names.partition_id = partition.map(|partition| partition.unique_id.clone()).unwrap_or_default();
    let Ok(bytes) = guest.bytes(volume) else { return names };
    let field = |at: u64, length: usize| -> Vec<u8> {
        let mut field = vec![0; length];
        if bytes.read_at(at, &mut field).is_err() {
            field.fill(0);
        }
        field
    };
    let text = |bytes: Vec<u8>| {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).trim_end().to_owned()
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let dashed = |bytes: Vec<u8>| {
        let hex = hex(&bytes);
        let cuts = [0..8, 8..12, 12..16, 16..20, 20..32];
        cuts.map(|cut| hex.get(cut).unwrap_or_default().to_owned()).join("-")
    };
    match file_system {
        "ext2" | "ext3" | "ext4" => {
            names.uuid = dashed(field(1024 + 104, 16));
            names.label = text(field(1024 + 120, 16));
        }
        "xfs" => {
            names.uuid = dashed(field(32, 16));
            names.label = text(field(108, 12));
        }
        "fat12" | "fat16" | "fat32" => {
            let at = if file_system == "fat32" { 67 } else { 39 };
            let mut serial = field(at, 4);
            serial.reverse();
            let hex = hex(&serial);
            names.uuid = format!("{}-{}", hex.get(..4).unwrap_or_default(), hex.get(4..).unwrap_or_default());
            names.label = text(field(at + 4, 11));
            names.directory_label = fat_label(&field(0, 512), &field);
        }
        "ntfs" => {
            let mut serial = field(72, 8);
            serial.reverse();
            names.uuid = hex(&serial);
        }
        _ => {}
    }
    names
}

/// The label that stands in the root directory of FAT: an entry of its own kind (Microsoft's FAT specification, section 6),
/// looked for in the directory's first cluster.
fn fat_label(boot: &[u8], field: &dyn Fn(u64, usize) -> Vec<u8>) -> String {
    const ENTRY: usize = 32;
    const ENTRIES_MAX: usize = 512;
    let at = |at: usize, length: usize| {
        boot[at..at + length].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let (sector, per_cluster, reserved) = (at(11, 2), at(13, 1), at(14, 2));
    let (tables, entries, short) = (at(16, 1), at(17, 2), at(22, 2));
    let sectors = if short == 0 { at(36, 4) } else { short };
    let first = reserved + tables * sectors;
    // FAT32 has the directory in a cluster, the others behind the tables.
    let cluster = if entries == 0 { at(44, 4).saturating_sub(2) } else { 0 };
    let directory = field((first + cluster * per_cluster) * sector, ENTRIES_MAX * ENTRY);
    let mut found = directory.chunks_exact(ENTRY).take_while(|entry| entry[0] != 0);
    let label = found.find(|entry| entry[0] != 0xe5 && entry[11] & 0x3f == 0x08);
    label.map(|entry| String::from_utf8_lossy(&entry[..11]).trim_end().to_owned()).unwrap_or_default()
}

/// A name as udev writes it into `/dev/disk`, where `\x20` stands for a byte.
pub(super) fn udev_name(name: &str) -> String {
    decoded(name, "\\x", (2, 16))
}

/// A text in which a mark, and so many digits of a number behind it, stand for a byte.
fn decoded(text: &str, mark: &str, (digits, radix): (usize, u32)) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let number = rest.strip_prefix(mark.as_bytes()).and_then(|rest| rest.get(..digits));
        let number = number.and_then(|digits| std::str::from_utf8(digits).ok());
        match number.and_then(|digits| u8::from_str_radix(digits, radix).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &rest[mark.len() + digits..];
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether a path is a directory or lies below it.
fn within(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Names {
    fn is_label(&self, label: &str) -> bool {
        // Where both are there, the one in the directory is taken.
        let own = if self.directory_label.is_empty() { &self.label } else { &self.directory_label };
        !label.is_empty() && own == label
    }

    fn is(&self, source: &str) -> bool {
        let source = source.trim_matches('"');
        if let Some((key, value)) = source.split_once('=') {
            let value = value.trim_matches('"');
            return !value.is_empty()
                && match key {
                    "UUID" => self.uuid.eq_ignore_ascii_case(value),
                    "LABEL" => self.is_label(value),
                    "PARTLABEL" => self.partition_label == value,
                    "PARTUUID" => self.partition_id.eq_ignore_ascii_case(value),
                    _ => false,
                };
        }
        if let Some(uuid) = source.strip_prefix("/dev/disk/by-uuid/") {
            return self.uuid.eq_ignore_ascii_case(uuid);
        }
        if let Some(label) = source.strip_prefix("/dev/disk/by-label/") {
            return self.is_label(&udev_name(label));
        }
        if let Some(label) = source.strip_prefix("/dev/disk/by-partlabel/") {
            return self.partition_label == udev_name(label);
        }
        if let Some(id) = source.strip_prefix("/dev/disk/by-partuuid/") {
            return self.partition_id.eq_ignore_ascii_case(id);
        }
        if let Some(mapped) = source.strip_prefix("/dev/mapper/") {
            // The device mapper doubles dashes inside names and joins them with one.
            let ours = self.volume.split('/').map(|part| part.replace('-', "--")).collect::<Vec<_>>();
            return self.volume.contains('/') && ours.join("-") == mapped;
        }
        let Some(device) = source.strip_prefix("/dev/") else { return false };
        if self.volume.contains('/') {
            return self.volume == device;
        }
        let letters = device.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = &device[letters.len()..];
        let disk = ["sda", "vda", "xvda", "hda", "nvme0n1p", "mmcblk0p"].contains(&letters);
        disk && !number.is_empty() && self.volume == format!("part{number}")
    }
}

/// One line of `fstab`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub source: String,
    pub point: String,
    pub kind: String,
    options: String,
}

impl Entry {
    /// Whether what is mounted is a volume by its name, and not something that a file system makes of other things.
    fn is_of_volume(&self) -> bool {
        const KINDS: [&str; 13] = [
            "auto", "ext2", "ext3", "ext4", "xfs", "vfat", "msdos", "ntfs", "ntfs3", "ntfs-3g", "iso9660",
            "udf", "squashfs",
        ];
        let is_bind = self.has("bind") || self.has("rbind");
        !is_bind && self.kind.split(',').all(|kind| KINDS.contains(&kind) || kind == "swap")
    }

    fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|word| word == option)
    }
}

/// Reads `fstab` (its manual page's syntax). Lines without two fields mean nothing.
pub fn fstab(text: &str) -> Vec<Entry> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let mut fields = line.split_whitespace().map(unescaped);
            Some(Entry {
                source: fields.next()?,
                point: fields.next()?,
                // systemd finds out what is not told.
                kind: fields.next().unwrap_or_else(|| "auto".to_owned()),
                options: fields.next().unwrap_or_default(),
            })
        })
        .collect()
}

/// A field in which a backslash and three octal digits stand for a byte.
fn unescaped(field: &str) -> String {
    decoded(field, "\\", (3, 8))
}

/// Whether a volume looks like the root of an operating system.
fn is_root(volume: &VolumeTree) -> bool {
    let has = |path: &str| volume.get(path).is_some();
    match volume.file_system.as_str() {
        "ntfs" => has("windows/system32/ntoskrnl.exe") || has("windows/system32/config/system"),
        // Links, owners and modes are what a system is made of.
        kind if kind.starts_with("fat") => false,
        _ => has("etc/passwd") || has("etc/os-release") || has("usr/lib/os-release") && has("etc"),
    }
}

/// Something about the layout of which rules cannot know that they saw what the guest sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    pub place: Place,
    pub observed: String,
}

/// Joins the volumes of a disk, and tells what may hide or replace some of it.
pub fn join(volumes: Vec<VolumeTree>, names: &[Names]) -> (Tree, Vec<Doubt>) {
    let roots: Vec<usize> = (0..volumes.len()).filter(|at| is_root(&volumes[*at])).collect();
    let Some(root) = roots.first().copied() else { return (Tree::new(volumes, Vec::new()), Vec::new()) };
    let mut doubts = Vec::new();
    if roots.len() > 1 {
        let which: Vec<&str> = roots.iter().map(|at| volumes[*at].volume.as_str()).collect();
        let observed = format!("more than one volume with an operating system: {}", which.join(", "));
        doubts.push(Doubt { place: Place::default(), observed });
    }
    let mut mounts = vec![(String::new(), root)];
    let alone = Tree::new(volumes, mounts.clone());
    for (found, entry) in lines_of(&alone) {
        // Where a mount is made, links are followed.
        let point = alone.real(&entry.point).unwrap_or_else(|| normal(&entry.point));
        let later = entry.has("noauto") && !entry.options.contains("systemd.");
        if entry.kind == "swap" || later || !entry.point.starts_with('/') {
            continue;
        }
        let mut called = (0..names.len()).filter(|at| entry.is_of_volume() && names[*at].is(&entry.source));
        let (at, other) = (called.next(), called.next());
        let doubt = |observed| Doubt { place: found.clone(), observed };
        match at {
            Some(at) if point.is_empty() && at != root => {
                doubts.push(doubt(format!(
                    "the root is {}, another volume than the one with a system",
                    entry.source
                )));
            }
            // Links of the kernel may lead anywhere from there.
            _ if entry.point.split('/').any(|part| part == "..") || other.is_some() => {
                doubts.push(doubt(format!(
                    "{} is {} there, of which there may be more",
                    entry.point, entry.source
                )));
            }
            Some(at) if at != root && !entry.options.contains("X-mount.subdir") && is_usual(&point) => {
                // The last line of a directory counts.
                mounts.retain(|(known, _)| *known != point);
                mounts.push((point, at));
            }
            _ if !point.is_empty() && hides(&point, &entry, at.is_some()) => {
                doubts.push(doubt(format!(
                    "/{point} is {} there: what it holds was not told apart",
                    entry.source
                )));
            }
            _ => {}
        }
    }
    doubts.extend(units(&alone, names));
    let tree = Tree::new(alone.volumes, mounts);
    doubts.extend(dangling(&tree));
    if tree.root().is_some_and(|root| root.file_system != "ntfs") {
        doubts.extend(super::linux::doubts(&tree));
    }
    (tree, doubts)
}

/// The lines of `fstab`, and where they stand.
fn lines_of(tree: &Tree) -> Vec<(Place, Entry)> {
    let Some(found) = tree.file("etc/fstab") else { return Vec::new() };
    fstab(&found.node.text()).into_iter().map(|entry| (found.place(), entry)).collect()
}

/// A path without its first slash, and without parts that mean nothing.
fn normal(path: &str) -> String {
    mercat_guest::resolve(path, &|_| None).unwrap_or_default()
}

/// Whether rules look for something at, above or below a directory of the guest by its path.
fn is_looked_into(point: &str) -> bool {
    const TOPS: [&str; 10] = ["etc", "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "boot", "root"];
    const BELOW: [&str; 12] = [
        "var/lib/dpkg",
        "var/lib/rpm",
        "var/lib/cloud",
        "var/lib/waagent",
        "var/lib/dbus",
        "var/lib/dhcp",
        "var/lib/dhclient",
        "var/lib/NetworkManager",
        "var/spool/cron",
        "run/systemd",
        "run/NetworkManager",
        "run/netplan",
    ];
    // A process's root and open files are links to anywhere.
    let of_process = point
        .strip_prefix("proc/")
        .is_some_and(|process| process.starts_with(|c: char| c.is_ascii_digit()) || process.contains("self"));
    // What is looked for by its name, wherever it is.
    let by_name = point.split('/').any(|part| part == ".ssh" || super::wanted::is_history(part))
        || super::is_key_file(point);
    // Deeper than links are kept, a directory may be another one.
    of_process
        || by_name
        || point.split('/').count() > super::wanted::LINK_DEPTH
        || TOPS.iter().any(|top| within(point, top))
        || BELOW.iter().any(|place| within(point, place) || within(place, point))
}

/// Whether a volume may be mounted there and what rules look into is still kept of it: that is chosen by the path on the
/// volume, with these before it.
fn is_usual(point: &str) -> bool {
    ["boot", "boot/efi", "boot/firmware", "efi", "usr", "usr/local", "var", "root"].contains(&point)
        || !is_looked_into(point)
}

/// Whether nothing that rules look at lies in a directory of the guest, whatever is mounted there.
fn is_aside(point: &str) -> bool {
    const ASIDE: [&str; 8] = ["mnt", "media", "tmp", "proc", "sys", "dev", "run", "snap"];
    const BELOW: [&str; 5] =
        ["var/tmp", "var/lib/machines", "var/lib/nfs/rpc_pipefs", "var/snap", "var/lib/snapd"];
    let top = point.split('/').next().unwrap_or_default();
    (ASIDE.contains(&top) || BELOW.iter().any(|place| within(point, place))) && !is_looked_into(point)
}

/// Whether what is mounted at a directory may hide or bring something that rules would see; `is_known` when it is a
/// volume of this disk.
fn hides(point: &str, entry: &Entry, is_known: bool) -> bool {
    // Of a directory under another name the kind means nothing.
    let is_bind = entry.has("bind") || entry.has("rbind");
    // Everything else below it is made when the machine runs.
    if point == "run" && !is_bind && VIRTUAL.contains(&entry.kind.as_str()) {
        return false;
    }
    if is_aside(point) || !is_bind && VIRTUAL.contains(&entry.kind.as_str()) && !is_looked_into(point) {
        return false;
    }
    // What is on this disk is scanned wherever it is mounted: there it matters only where a path is asked for.
    is_looked_into(point) || !is_bind && !is_known && may_be_here(entry)
}

/// File systems that hold nothing when they are mounted.
const VIRTUAL: [&str; 18] = [
    "tmpfs",
    "proc",
    "sysfs",
    "devtmpfs",
    "devpts",
    "ramfs",
    "mqueue",
    "hugetlbfs",
    "debugfs",
    "tracefs",
    "securityfs",
    "cgroup",
    "cgroup2",
    "configfs",
    "efivarfs",
    "binfmt_misc",
    "nfsd",
    "fusectl",
];

/// Whether what a line mounts may be on this disk, though no volume is called so.
fn may_be_here(entry: &Entry) -> bool {
    const ELSEWHERE: [&str; 15] = [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "9p",
        "virtiofs",
        "afs",
        "beegfs",
        "ceph",
        "efs",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "lustre",
    ];
    if ELSEWHERE.contains(&entry.kind.as_str()) {
        return false;
    }
    // One that no volume of these names has is most likely on another disk, which is enough where no rule looks.
    let named =
        ["UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="].iter().any(|key| entry.source.starts_with(key))
            || ["by-uuid/", "by-label/", "by-partuuid/", "by-partlabel/"].iter().any(|place| {
                entry.source.strip_prefix("/dev/disk/").is_some_and(|rest| rest.starts_with(place))
            });
    let device = entry.source.strip_prefix("/dev/").unwrap_or_default();
    let other_disk = ["sd", "vd", "hd", "xvd"]
        .iter()
        .any(|kind| device.strip_prefix(kind).is_some_and(|rest| !rest.starts_with('a')))
        || device.starts_with("nvme") && !device.starts_with("nvme0n1")
        || device.starts_with("sr")
        || matches!(device, "cdrom" | "dvd" | "fd0");
    !named && !other_disk
}

/// Lines of a unit, those that go on joined (systemd.syntax(7)); comments do not go on, and are left out. A line goes on
/// where its very last byte is a backslash that no other one stands before.
pub(crate) fn unit_lines(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text.split(['\n', '\r', '\0']) {
        let is_comment = line.trim_start().starts_with(['#', ';']);
        if is_comment || line.trim().is_empty() && !goes_on {
            continue;
        }
        let slashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
        let plain = if slashes % 2 == 1 { &line[..line.len() - 1] } else { line }.trim();
        match out.last_mut().filter(|_| goes_on) {
            Some(last) => *last = format!("{last} {plain}"),
            None => out.push(plain.to_owned()),
        }
        goes_on = slashes % 2 == 1;
    }
    out
}

/// What a unit mounts, as a line of `fstab` would say it; `None` where it does not say so in plain words.
fn unit(text: &str, point: &str) -> Option<Entry> {
    let mut entry = Entry {
        source: String::new(),
        point: format!("/{point}"),
        kind: String::new(),
        options: String::new(),
    };
    let mut section = String::new();
    for line in unit_lines(text) {
        if line.starts_with('[') {
            section.clone_from(&line);
        }
        let Some((name, value)) = line.split_once('=').filter(|_| section == "[Mount]") else { continue };
        let value = value.trim().to_owned();
        let field = match name.trim() {
            "What" => &mut entry.source,
            "Type" => &mut entry.kind,
            "Options" => &mut entry.options,
            _ => continue,
        };
        // What stands for something else.
        if value.contains('%') {
            return None;
        }
        *field = value;
    }
    (!entry.source.is_empty()).then_some(entry)
}

/// Where units of systemd lie, those first that count first. Below `etc` everything is kept whole, elsewhere only names are.
const UNITS: [&str; 6] = [
    "etc/systemd/system.control",
    "etc/systemd/system",
    "etc/systemd/system.attached",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];

/// The directory that a unit mounts or that its drop-ins are about, by its name; `-` at the end and a bare `mount` are about
/// many.
fn point_of_unit(name: &str) -> Option<&str> {
    let name = name.strip_suffix(".d").unwrap_or(name);
    if matches!(name, "mount" | "automount") {
        return Some("");
    }
    name.strip_suffix(".mount").or_else(|| name.strip_suffix(".automount")).filter(|stem| *stem != "-")
}

/// Units of systemd that mount something where rules look; they are called as the directory is. Drop-ins change them, and
/// what `fstab` says.
fn units(tree: &Tree, names: &[Names]) -> Vec<Doubt> {
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    let mut add = |found: &Found<'_>, point: &str| {
        let observed = format!("a unit mounts /{point}: what it holds was not told apart");
        out.push(Doubt { place: found.place(), observed });
    };
    for (directory, found) in UNITS.iter().flat_map(|at| tree.below(at).map(move |found| (*at, found))) {
        let name = found.node.name();
        let parent = found.node.path.rsplit('/').nth(1).unwrap_or_default();
        let drop_in = point_of_unit(parent).filter(|_| parent.ends_with(".d") && name.ends_with(".conf"));
        let Some(stem) = drop_in.or_else(|| point_of_unit(name)) else { continue };
        let point = stem.replace('-', "/").replace("\\x2d", "-");
        let point = tree.real(&point).unwrap_or(point);
        if is_aside(&point) {
            continue;
        }
        if found.node.link == "/dev/null" {
            // A masked unit is none, whoever brings one of this name; links elsewhere only start units.
            if ["system", "system.control"].contains(&parent) && name.ends_with(".mount") {
                seen.insert(stem.to_owned());
            }
            continue;
        }
        if drop_in.is_some() {
            let says = |line: &String| {
                let (key, value) = line.split_once('=').unwrap_or((line, ""));
                match key.trim() {
                    "What" | "Type" => true,
                    "Options" => value.contains("bind") || value.contains("X-mount.") || value.contains('%'),
                    _ => false,
                }
            };
            let text = tree.file(&format!("/{}", found.node.path)).filter(|file| file.node.content.is_some());
            if text.is_none_or(|file| unit_lines(&file.node.text()).iter().any(says)) {
                add(&found, &point);
            }
            continue;
        }
        if name.ends_with(".d") || !seen.insert(stem.to_owned()) {
            continue;
        }
        let is_kept = directory.starts_with("etc/");
        let file = tree.file(&format!("{directory}/{stem}.mount")).filter(|_| is_kept);
        let entry = file.and_then(|file| unit(&file.node.text(), &point));
        let hidden = match &entry {
            Some(entry) => {
                let is_known = names.iter().any(|names| names.is(&entry.source));
                is_known || hides(&point, entry, false)
            }
            // Those of packages are for directories that they bring, unless rules look there.
            None => is_kept || is_looked_into(&point),
        };
        if hidden {
            add(&found, &point);
        }
    }
    out
}

/// Names under which rules look for something, and that are links to what nobody kept.
fn dangling(tree: &Tree) -> Vec<Doubt> {
    const FIXED: [&str; 33] = [
        "etc/fstab",
        "etc/passwd",
        "etc/shadow",
        "etc/shadow-",
        "etc/group",
        "etc/sudoers",
        "etc/sudoers.d",
        "etc/ssh",
        "etc/ssh/sshd_config",
        "etc/ssh/sshd_config.d",
        "etc/crontab",
        "etc/crontabs",
        "etc/cron.d",
        "etc/cron.daily",
        "etc/cron.hourly",
        "etc/cron.monthly",
        "etc/cron.weekly",
        "etc/cron.yearly",
        "etc/periodic",
        "var/spool/cron",
        "var/spool/cron/crontabs",
        "etc/anacrontab",
        "etc/cloud",
        "etc/default/grub",
        "var/lib/dpkg",
        "var/lib/dpkg/status",
        "var/lib/rpm",
        "lib/apk/db",
        "boot/grub/grub.cfg",
        "boot/grub2/grub.cfg",
        "root/.ssh",
        "etc",
        "var/lib",
    ];
    let is_own = |found: &Found<'_>| {
        let name = found.node.name();
        name == ".ssh" || super::wanted::is_history(name) || super::is_key_file(&found.node.path)
    };
    // Links to jobs are jobs (LNX-26).
    const BELOW: [&str; 10] = [
        "etc/sudoers.d/",
        "etc/ssh/sshd_config.d/",
        "etc/cloud/",
        "var/lib/cloud/seed",
        "etc/crontabs",
        "etc/pam.d",
        "etc/netplan",
        "etc/network/interfaces",
        "etc/systemd/network",
        "etc/NetworkManager/system-connections",
    ];
    // Directories of which everything is kept.
    const KEPT: [&str; 4] = ["etc/", "usr/etc/", "usr/lib/sysimage/rpm", "usr/lib/apk"];
    let mut out = Vec::new();
    for found in tree.all().filter(|found| found.node.kind == Kind::Symlink && found.node.link != "/dev/null")
    {
        let mount = tree.mounts().find(|(_, volume)| volume.volume == found.volume.volume);
        let Some(path) = mount.map(|(point, _)| normal(&format!("{point}/{}", found.node.path))) else {
            continue;
        };
        let matters = FIXED.contains(&path.as_str())
            || is_own(&found)
            || BELOW.iter().any(|place| path.starts_with(place));
        let seen = tree.find(&path).is_some_and(|target| match target.node.kind {
            Kind::Directory => KEPT.iter().any(|place| format!("{}/", target.node.path).starts_with(place)),
            _ => target.node.content.is_some(),
        });
        if matters && !seen {
            let observed = format!("a link to {}, where nothing was looked at", found.node.link);
            out.push(Doubt { place: found.place(), observed });
        }
    }
    out
}

#[cfg(test)]
mod tests;
