//! Kernels and their command lines: LNX-03, 09, 12, 20 and 22.

use super::boot::Boot;
use super::{Case, Faults, Found, Outcome, at_least, here, lines};
use std::collections::BTreeSet;

/// Parameters of a kernel command line: blanks within quotes part nothing. The kernel knows one kind of quotes
/// (`next_arg`), systemd both (`proc_cmdline_parse`): what either reads is there.
pub(super) fn each_parameter(line: &str) -> Vec<String> {
    let parted = |quotes: &[char]| {
        let mut open = None;
        let words = line.split(|letter: char| {
            open = match open {
                None if quotes.contains(&letter) => Some(letter),
                Some(quote) if quote == letter => None,
                same => same,
            };
            letter.is_whitespace() && open.is_none()
        });
        words.filter(|word| !word.is_empty()).map(plain).collect::<Vec<_>>()
    };
    let mut all = parted(&['"']);
    if line.contains('\'') {
        all.extend(parted(&['"', '\'']));
    }
    all
}

/// A parameter as the kernel reads it: without quotes, and with dashes in its name as underscores.
pub(super) fn plain(word: &str) -> String {
    let word = word.replace(['"', '\''], "");
    match word.split_once('=') {
        Some((name, value)) => format!("{}={value}", name.replace('-', "_")),
        None => word.replace('-', "_"),
    }
}

pub(super) fn has(line: &str, wanted: impl Fn(&str) -> bool) -> bool {
    line.split_whitespace().any(|word| wanted(&plain(word)))
}

/// LNX-03: the serial console, early messages and time for slow disks.
pub(super) fn parameters(case: &Case<'_>) -> Outcome {
    let required = "console=ttyS0 (ttyAMA0 on arm64), earlyprintk=ttyS0, rootdelay=300";
    let found = &case.boot().lines;
    let Some(first) = found.first() else {
        return Outcome::found(here(), "no kernel command line in any boot loader configuration", required);
    };
    let observed = first.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut faults = Faults::default();
    let mut told = BTreeSet::new();
    for line in found {
        let serial = |word: &str| {
            word.strip_prefix("console=")
                .is_some_and(|port| port.starts_with("ttyS0") || port.starts_with("ttyAMA0"))
        };
        let path = &line.found.node.path;
        if !has(&line.text, serial) && told.insert((path, "console")) {
            faults.at(&line.found, "console=ttyS0 is missing");
        }
        let early = |word: &str| word.starts_with("earlyprintk=") || word.starts_with("earlycon");
        if !has(&line.text, early) && told.insert((path, "earlyprintk")) {
            faults.advise(line.found.place(), "earlyprintk=ttyS0 is missing");
        }
        let delay = |word: &str| word.starts_with("rootdelay=") || word == "rootwait";
        if !has(&line.text, delay) && told.insert((path, "rootdelay")) {
            faults.advise(line.found.place(), "rootdelay=300 is missing");
        }
    }
    faults.judge(observed, required)
}

/// LNX-22: parameters that keep the platform's disks or provisioning away.
pub(super) fn harmful_parameters(case: &Case<'_>) -> Outcome {
    let required = "neither libata.atapi_enabled=0 nor reserve=0x1f0,0x8";
    let old = case.os.id == "rhel" && !case.os.version_id.is_empty() && !at_least(&case.os.version_id, "6.6");
    let mut faults = Faults::default();
    for line in &case.boot().lines {
        for harmful in ["libata.atapi_enabled=0", "reserve=0x1f0,0x8"] {
            if has(&line.text, |word| word == harmful) {
                faults.at(&line.found, format!("{harmful} on the kernel command line"));
            }
        }
        if old && !has(&line.text, |word| word == "numa=off") {
            faults.at(&line.found, format!("RHEL {} without numa=off", case.os.version_id));
        }
    }
    faults.0.dedup();
    faults.judge("none of them", required)
}

/// The machine of an ELF program; `Err` for one of 32 bits.
fn machine(head: &[u8]) -> Option<Result<&'static str, &'static str>> {
    if !head.starts_with(b"\x7fELF") {
        return None;
    }
    let big = head.get(5) == Some(&2);
    let code = match (head.get(18), head.get(19)) {
        (Some(low), Some(high)) if !big => u16::from_le_bytes([*low, *high]),
        (Some(high), Some(low)) => u16::from_be_bytes([*high, *low]),
        _ => return None,
    };
    Some(match (head.get(4), code) {
        (Some(2), 62) => Ok("x86_64"),
        (Some(2), 183) => Ok("arm64"),
        (Some(2), _) => Err("a 64-bit architecture other than x86_64 and arm64"),
        _ => Err("a 32-bit program"),
    })
}

/// The machine of a kernel file: x86 boot protocol, arm64 image header, or PE.
fn kernel_machine(head: &[u8]) -> Option<Result<&'static str, &'static str>> {
    if is_of_x86(head) {
        // XLF_KERNEL_64 of the boot protocol 2.12.
        let flags = head.get(0x236).copied().unwrap_or(0);
        return Some(if flags & 1 == 1 { Ok("x86_64") } else { Err("a 32-bit kernel") });
    }
    if head.get(56..60) == Some(b"ARM\x64") {
        return Some(Ok("arm64"));
    }
    machine(head)
}

/// LNX-09: programs and kernels of 64 bits.
pub(super) fn architecture(case: &Case<'_>) -> Outcome {
    const PROGRAMS: [&str; 8] = [
        "sbin/init",
        "lib/systemd/systemd",
        "usr/lib/systemd/systemd",
        "bin/busybox",
        "bin/bash",
        "usr/bin/bash",
        "bin/sh",
        "usr/bin/dash",
    ];
    let required = "x86_64 or arm64";
    let mut faults = Faults::default();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let programs = PROGRAMS.iter().filter_map(|path| case.tree.file(path));
    let programs = programs.filter_map(|found| Some((found, machine(found.node.bytes())?)));
    let kernels =
        kernels(case).into_iter().filter_map(|found| Some((found, kernel_machine(found.node.bytes())?)));
    let mut told = BTreeSet::new();
    for (found, machine) in programs.chain(kernels) {
        match machine {
            Ok(name) => {
                seen.insert(name);
            }
            Err(why) if told.insert(&found.node.path) => faults.at(&found, why),
            Err(_) => {}
        }
    }
    if seen.is_empty() && faults.0.is_empty() {
        return Outcome::inconclusive("no program whose architecture could be read", required);
    }
    faults.judge(seen.into_iter().collect::<Vec<_>>().join(", "), required)
}

/// Kernel files: by their names, and those that boot loaders start.
fn kernels<'c>(case: &Case<'c>) -> Vec<Found<'c>> {
    let is_kernel = |found: &Found<'_>| {
        let name = found.node.name();
        let named = name.starts_with("vmlinu") || name.starts_with("Image");
        found.node.is_file() && named
    };
    let is_other = |found: &Found<'_>| !is_kernel(found);
    let started = case.boot().kernels.values().copied().filter(is_other);
    case.tree.all().filter(is_kernel).chain(started).collect()
}

/// The release in the name of a kernel file, or in that of its directory, as `kernel-install` lays them out. That of a
/// rescue kernel is the number of a machine, and digests have no dots.
fn release_of(path: &str) -> Option<&str> {
    let is_release = |text: &&str| {
        let (version, _) = text.split_once('-').unwrap_or((text, ""));
        text.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.')
    };
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or_default();
    let of_name = name.split_once('-').map(|(_, release)| release).filter(is_release);
    of_name.or_else(|| parts.next().filter(|directory| name == "linux" && is_release(directory)))
}

/// Whether a kernel says its release, by its name or itself.
fn tells_release(found: &Found<'_>) -> bool {
    let own = found.node.kernel.as_ref().is_some_and(|kernel| !kernel.releases.is_empty());
    own || release_of(&found.node.path).is_some()
}

/// Releases of the installed kernels, newest first: names of kernel files and of module directories, and what kernels
/// say themselves.
pub fn kernel_releases(case: &Case<'_>) -> Vec<String> {
    let mut out = BTreeSet::new();
    let kernels = kernels(case);
    let all_told = !kernels.is_empty() && kernels.iter().all(tells_release);
    for found in kernels {
        out.extend(release_of(&found.node.path).map(str::to_owned));
        out.extend(found.node.kernel.iter().flat_map(|kernel| kernel.releases.clone()));
    }
    for directory in ["lib/modules", "usr/lib/modules"] {
        // Of a kernel that was removed the list of modules stays that was made here; of one that does not say what it
        // is, it may be all there is.
        let is_told = |found: &Found<'_>| !all_told || found.node.name() != "modules.dep";
        for found in case.tree.below(directory).filter(is_told) {
            let mut parts = found.node.path.split('/').skip_while(|part| *part != "modules");
            let release = parts.nth(1).filter(|part| part.starts_with(|c: char| c.is_ascii_digit()));
            out.extend(release.map(str::to_owned));
        }
    }
    let mut out: Vec<String> = out.into_iter().collect();
    out.sort_by(|one, other| mercat_advisories::versions::rpm_part(other, one));
    out
}

/// A kernel that boot loaders start and of which no file tells how old it is, in words.
fn without_release(boot: &Boot<'_>) -> Option<String> {
    let is_silent = |found: &&Found<'_>| {
        let kernel = found.node.kernel.as_ref();
        let name = found.node.name();
        // Kernels of ARM have no header with a release; of those with usual names the modules tell.
        let usual = kernel.is_none_or(|kernel| !kernel.is_unified)
            && !is_of_x86(found.node.bytes())
            && (name.starts_with("vmlinu") || name.starts_with("Image"));
        !tells_release(found) && !usual
    };
    let silent = boot.kernels.values().find(is_silent).map(|found| &found.node.path);
    let silent = silent.map(|path| format!("the kernel {path}, whose release could not be read"));
    let absent = boot.unknown.first();
    silent.or_else(|| {
        absent.map(|path| format!("the kernel {path}, which the boot loader names and no volume has"))
    })
}

fn is_of_x86(head: &[u8]) -> bool {
    head.get(0x202..0x206) == Some(b"HdrS")
}

/// LNX-12: every kernel is as new as its line's fix for CVE-2019-11477, 11478 and 11479.
pub(super) fn sack(case: &Case<'_>) -> Outcome {
    let floors = floors(case);
    let required = format!("a kernel with the fixes: {}, or a newer line", floors.join(", "));
    let releases = kernel_releases(case);
    if releases.is_empty() {
        return Outcome::inconclusive("no kernel whose release could be read", required);
    }
    let mut faults = Faults::default();
    for release in
        releases.iter().filter(|release| !is_fixed(&full(case, release), &floors, case.os.id == "ubuntu"))
    {
        faults.add(here(), format!("kernel {release}"));
    }
    if let Some(silent) = without_release(case.boot()).filter(|_| faults.0.is_empty()) {
        return Outcome::inconclusive(silent, required);
    }
    faults.judge(releases.join(", "), required)
}

/// The package version behind a kernel release where the release is cut short, as Debian's is.
fn full(case: &Case<'_>, release: &str) -> String {
    let package = case.packages.iter().find(|package| package.name == format!("linux-image-{release}"));
    match package {
        Some(package) if case.os.id == "debian" => package.version.clone(),
        _ => release.to_owned(),
    }
}

fn floors(case: &Case<'_>) -> Vec<String> {
    let os = match case.os.id.as_str() {
        "centos" | "rocky" | "almalinux" | "scientific" | "cloudlinux" | "virtuozzo" | "eurolinux" => "rhel",
        "sles_sap" | "sle_hpc" | "sled" => "sles",
        other => other,
    };
    let mut floors = floors_of(case, os);
    // Oracle brings Red Hat's kernels beside its own.
    if os == "ol" {
        floors.extend(floors_of(case, "rhel"));
    }
    floors
}

fn floors_of(case: &Case<'_>, os: &str) -> Vec<String> {
    let version = &case.os.version_id;
    let matches = |floor: &&mercat_policy::KernelFloor| {
        let dotted = version
            .strip_prefix(&floor.version)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || floor.version.is_empty());
        floor.os == os && dotted
    };
    let named = case.policy.kernels.iter().filter(matches).max_by_key(|floor| floor.version.len());
    let found = named.or_else(|| case.policy.kernels.iter().find(|floor| floor.os == "*"));
    found.map(|floor| floor.at_least.clone()).unwrap_or_default()
}

/// The line of a kernel: its first two numbers.
pub(super) fn line(release: &str) -> Vec<u64> {
    let numbers = release.split(|c: char| !c.is_ascii_digit());
    numbers.take(2).map(|number| number.parse().unwrap_or(0)).collect()
}

/// Whether a kernel has the fixes of its line. Ubuntu counts the kernels of clouds from 1000 on, the others from 1.
fn is_fixed(release: &str, floors: &[String], is_ubuntu: bool) -> bool {
    let own = line(release);
    let is_of_cloud = |release: &str| {
        let build = release.split(['-', '.']).nth(3).and_then(|build| build.parse::<u32>().ok());
        is_ubuntu && build.is_some_and(|build| build >= 1000)
    };
    let newer = floors.iter().map(|floor| line(floor)).max().is_none_or(|newest| own > newest);
    let same: Vec<&String> = floors.iter().filter(|floor| line(floor) == own).collect();
    let alike = |floor: &&String| is_of_cloud(floor) == is_of_cloud(release);
    // Where nothing is said of its sort, the other's number is all there is; those of clouds are past it from the first.
    let is_told = same.iter().any(&alike) || is_of_cloud(release);
    let same = same.into_iter().filter(|floor| !is_told || alike(floor));
    newer || same.into_iter().any(|floor| at_least(release, floor))
}

/// LNX-20: the kernel has the buses on which disks and networks will be.
pub(super) fn drivers(case: &Case<'_>) -> Outcome {
    const BUSES: [(&str, &[&str], &[&str]); 2] = [
        ("Hyper-V", &["HYPERV", "HYPERV_STORAGE", "HYPERV_NET"], &["hv_vmbus", "hv_storvsc", "hv_netvsc"]),
        ("virtio", &["VIRTIO_PCI", "VIRTIO_BLK", "VIRTIO_NET"], &["virtio_pci", "virtio_blk", "virtio_net"]),
    ];
    let required = "drivers of Hyper-V and virtio, built in or as modules";
    let releases = kernel_releases(case);
    if releases.is_empty() {
        return Outcome::inconclusive("no kernel whose drivers could be read", required);
    }
    let mut faults = Faults::default();
    let mut known = Vec::new();
    for release in &releases {
        let config = case.tree.all().find(|found| found.node.name() == format!("config-{release}"));
        let config = config.map(|found| found.node.text());
        let modules = modules(case, release);
        if config.is_none() && modules.is_empty() {
            continue;
        }
        known.push(release.clone());
        for (bus, options, names) in BUSES {
            let lacking: Vec<&str> = options
                .iter()
                .zip(names)
                .filter(|(option, name)| !has_driver(config.as_deref(), &modules, option, name))
                .map(|(_, name)| *name)
                .collect();
            if !lacking.is_empty() {
                let observed = format!("kernel {release} without {} for {bus}", lacking.join(", "));
                faults.add(here(), observed);
            }
        }
    }
    if known.is_empty() {
        return Outcome::inconclusive("neither a kernel configuration nor modules", required);
    }
    faults.judge(format!("kernel {} has them", known.join(", ")), required)
}

/// Names of the modules of a kernel, files and built-in ones.
fn modules(case: &Case<'_>, release: &str) -> BTreeSet<String> {
    let stem = |name: &str| name.split(".ko").next().unwrap_or(name).replace('-', "_");
    let mut out = BTreeSet::new();
    for directory in [format!("lib/modules/{release}"), format!("usr/lib/modules/{release}")] {
        for found in case.tree.below(&directory) {
            if found.node.name() == "modules.builtin" {
                let text = found.node.text();
                out.extend(lines(&text).filter_map(|line| line.rsplit('/').next()).map(stem));
            } else if found.node.name().contains(".ko") {
                out.insert(stem(found.node.name()));
            }
        }
    }
    out
}

fn has_driver(config: Option<&str>, modules: &BTreeSet<String>, option: &str, name: &str) -> bool {
    // A module that is configured but was removed is not there.
    let built_in = config.is_some_and(|text| lines(text).any(|line| line == format!("CONFIG_{option}=y")));
    let as_module = config.is_some_and(|text| lines(text).any(|line| line == format!("CONFIG_{option}=m")));
    built_in || modules.contains(name) || as_module && modules.is_empty()
}

#[cfg(test)]
mod tests;
