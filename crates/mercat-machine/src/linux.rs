//! Linux rules LNX-01 to LNX-29, the static columns (domain 5.2).

mod boot;
mod identity;
mod jobs;
mod kernel;
mod network;
pub mod packages;
mod pam;
mod script;
mod services;
mod starts;
mod storage;
mod sudo;

pub use kernel::kernel_releases;

use super::rule::{Case, Fault, Outcome, Rule};
use super::{Found, Tree};
use crate::mounts::Doubt;
use mercat_domain::finding::Place;
use mercat_guest::Kind;
use std::cell::OnceCell;

const fn rule(
    id: &'static str,
    test_id: Option<&'static str>,
    title: &'static str,
    fix: &'static str,
    check: fn(&Case<'_>) -> Outcome,
) -> Rule {
    Rule { id, test_id, title, fix, check }
}

/// The rules, in the order of their numbers.
pub const RULES: &[Rule] = &[
    rule(
        "LNX-01",
        Some("48"),
        "Bash History",
        "clear the shell history of every user before making the image",
        identity::history,
    ),
    rule(
        "LNX-02",
        Some("39"),
        "Linux Agent Version",
        "install a current guest agent (package walinuxagent or WALinuxAgent) or cloud-init",
        packages::agent,
    ),
    rule(
        "LNX-03",
        Some("40"),
        "Required Kernel Parameters",
        "add console=ttyS0 earlyprintk=ttyS0 rootdelay=300 to the kernel command line of the boot loader",
        kernel::parameters,
    ),
    rule(
        "LNX-04",
        Some("41"),
        "Swap Partition on OS Disk",
        "remove swap partitions, swap files and their lines in /etc/fstab",
        storage::swap,
    ),
    rule(
        "LNX-05",
        Some("42"),
        "Root Partition on OS Disk",
        "keep the system in one root partition",
        storage::one_root,
    ),
    rule("LNX-06", Some("44"), "OpenSSL Version", "upgrade OpenSSL", packages::openssl),
    rule("LNX-07", Some("45"), "Python Version", "upgrade Python", packages::python),
    rule(
        "LNX-08",
        Some("46"),
        "Client Alive Interval",
        "set ClientAliveInterval 180 in /etc/ssh/sshd_config",
        services::client_alive,
    ),
    rule(
        "LNX-09",
        Some("49"),
        "OS Architecture",
        "build the image from a 64-bit system",
        kernel::architecture,
    ),
    rule(
        "LNX-10",
        Some("50"),
        "Security threats",
        "upgrade the packages that are named",
        packages::named_threats,
    ),
    rule(
        "LNX-11",
        Some("51"),
        "Auto Update",
        "set AutoUpdate.Enabled=y in /etc/waagent.conf",
        packages::auto_update,
    ),
    rule("LNX-12", Some("52"), "SACK Vulnerability patch verification", "upgrade the kernel", kernel::sack),
    rule(
        "LNX-13",
        None,
        "Generalised",
        "deprovision before making the image: cloud-init clean --machine-id --logs, or waagent -deprovision, and remove SSH host keys",
        identity::generalised,
    ),
    rule(
        "LNX-14",
        None,
        "No users with passwords or keys",
        "lock every password, remove authorized_keys, and let provisioning create the user",
        identity::users,
    ),
    rule(
        "LNX-15",
        None,
        "No targetpw in sudoers",
        "remove Defaults targetpw from sudoers",
        identity::targetpw,
    ),
    rule("LNX-16", None, "SSH server", "install an SSH server and enable it", services::ssh_server),
    rule(
        "LNX-17",
        None,
        "Network by DHCP",
        "let the first interface use DHCP, and remove fixed addresses, persistent interface names, and name servers from /etc/resolv.conf",
        network::network,
    ),
    rule("LNX-18", None, "No LVM on OS disk", "keep the operating system outside LVM", storage::lvm),
    rule(
        "LNX-19",
        None,
        "Secrets removed",
        "remove keys, known hosts and logs before making the image",
        identity::secrets,
    ),
    rule(
        "LNX-20",
        None,
        "Drivers of hypervisors",
        "use a kernel with the drivers of Hyper-V (hv_vmbus, hv_storvsc, hv_netvsc) and virtio",
        kernel::drivers,
    ),
    rule("LNX-21", None, "OMI agent", "upgrade OMI to 1.6.8.1 or newer, or remove it", packages::omi),
    rule(
        "LNX-22",
        None,
        "No harmful kernel parameters",
        "remove libata.atapi_enabled=0 and reserve=0x1f0,0x8 from the boot loader; old RHEL needs numa=off",
        kernel::harmful_parameters,
    ),
    rule(
        "LNX-23",
        None,
        "Extensions supported",
        "install the guest agent and Python, or do not claim that extensions are supported",
        packages::extensions,
    ),
    rule("LNX-24", None, "Boot log", "repair what fails during the start", |_| {
        Outcome::boot_only("a boot log without errors")
    }),
    rule(
        "LNX-25",
        None,
        "No antivirus or remote management",
        "remove agents that customers did not ask for",
        packages::foreign_agents,
    ),
    rule("LNX-26", None, "Scheduled jobs", "describe or remove jobs that no package brings", jobs::jobs),
    rule("LNX-27", None, "Security patches", "install the newest security updates", packages::patches),
    rule(
        "LNX-28",
        None,
        "Malware",
        "remove what is named and build the image from clean sources",
        packages::malware,
    ),
    rule(
        "LNX-29",
        None,
        "Firewall",
        "leave the firewall off unless the application needs it",
        services::firewall,
    ),
];

/// What several rules look at, read when the first of them does.
#[derive(Default)]
pub struct Readings<'t> {
    boot: OnceCell<boot::Boot<'t>>,
    sshd: OnceCell<services::Config<'t>>,
}

impl<'t> Case<'t> {
    fn boot(&self) -> &boot::Boot<'t> {
        self.readings.boot.get_or_init(|| boot::Boot::of(self.tree))
    }

    fn sshd(&self) -> &services::Config<'t> {
        self.readings.sshd.get_or_init(|| services::Config::of(self.tree))
    }
}

/// What a guest reads that nobody looked into, so that rules cannot have seen it.
pub(crate) fn doubts(tree: &Tree) -> Vec<Doubt> {
    let mut doubts = boot::Boot::of(tree).doubts;
    doubts.extend(services::Config::of(tree).doubts);
    doubts.extend(extensions(tree));
    doubts.extend(overlays(tree));
    doubts
}

/// Extensions that systemd puts over `/usr`, `/opt` and `/etc` (systemd-sysext(8)).
fn extensions(tree: &Tree) -> impl Iterator<Item = Doubt> {
    const PLACES: [&str; 8] = [
        "etc/extensions",
        "etc/confexts",
        "var/lib/extensions",
        "var/lib/confexts",
        "usr/lib/extensions",
        "usr/lib/confexts",
        "usr/local/lib/extensions",
        "usr/local/lib/confexts",
    ];
    // One of a place tells of all, and so does a place that is somewhere else.
    let is_link = |place: &str| tree.node(place).filter(|found| found.node.kind == Kind::Symlink);
    let first = PLACES.iter().filter_map(move |place| tree.below(place).next().or_else(|| is_link(place)));
    first.map(|found| Doubt {
        place: found.place(),
        observed: "an extension of the system, which may replace what rules see".to_owned(),
    })
}

/// What cloud images lay over their root when they start (overlayroot(8)).
fn overlays(tree: &Tree) -> impl Iterator<Item = Doubt> {
    let files =
        ["etc/overlayroot.conf", "etc/overlayroot.local.conf"].iter().filter_map(|path| tree.file(path));
    // It is a script: what is no plain setting to none may be anything.
    let is_on = |line: &str| {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let value = value.split(" #").next().unwrap_or(value).trim().trim_matches(['"', '\'']);
        let is_own = ["overlayroot", "overlayroot_cfgdisk"].contains(&name);
        let is_off = ["", "disabled"].contains(&value.split(':').next().unwrap_or(value));
        !is_own || !is_off || value.contains(['"', '\'', ';', '&', '|', '$', '`', ' ', '\t'])
    };
    files.filter(move |found| lines(&found.node.text()).any(is_on)).map(|found| Doubt {
        place: found.place(),
        observed: "a file system that is laid over the root, which may replace what rules see".to_owned(),
    })
}

/// Collects faults.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, place: Place, observed: impl Into<String>) {
        self.0.push(Fault { place, observed: observed.into(), advice: false });
    }

    fn advise(&mut self, place: Place, observed: impl Into<String>) {
        self.0.push(Fault { place, observed: observed.into(), advice: true });
    }

    fn at(&mut self, found: &Found<'_>, observed: impl Into<String>) {
        self.add(found.place(), observed);
    }

    fn judge(self, observed: impl Into<String>, required: impl Into<String>) -> Outcome {
        Outcome::judged(self.0, observed, required)
    }
}

/// Lines without comments and blanks.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The enabled systemd units: names of links in `*.wants` and `*.requires`, and of `multi-user.target`
/// links in `/usr`, and System V and OpenRC links.
fn is_enabled(tree: &Tree, names: &[&str]) -> bool {
    let wants = |path: &str| path.contains(".wants/") || path.contains(".requires/");
    let unit = |name: &str| name.rsplit_once('.').map_or(name.to_owned(), |(stem, _)| stem.to_owned());
    let systemd = ["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];
    let systemd = systemd.iter().flat_map(|directory| tree.below(directory));
    let by_systemd = systemd
        .filter(|found| wants(&found.node.path))
        .any(|found| names.contains(&unit(found.node.name()).as_str()));
    let started = |found: &Found<'_>| {
        let name = found.node.name();
        let number = name.strip_prefix('S').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
        number.is_some_and(|service| names.contains(&service))
    };
    let levels = ["etc/rc2.d", "etc/rc3.d", "etc/rc5.d", "etc/rc.d/rc3.d"];
    let by_system_v = levels.iter().flat_map(|level| tree.below(level)).any(|found| started(&found));
    let openrc = ["etc/runlevels/default", "etc/runlevels/boot"];
    let by_openrc =
        openrc.iter().flat_map(|level| tree.below(level)).any(|found| names.contains(&found.node.name()));
    let masked = |name: &&str| {
        let is_mask =
            |found: Found<'_>| found.node.link == "/dev/null" || found.node.is_file() && found.node.size == 0;
        tree.node(&format!("etc/systemd/system/{name}.service")).is_some_and(is_mask)
    };
    by_systemd && !names.iter().any(masked) || by_system_v || by_openrc
}

/// The version of an installed package.
fn version<'c>(case: &'c Case<'_>, names: &[&str]) -> Option<&'c str> {
    let found = case.packages.iter().find(|package| names.contains(&package.name.as_str()))?;
    Some(&found.version)
}

/// The upstream part of a distribution's version: without epoch and revision.
fn upstream(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    let version = version.rsplit_once('-').map_or(version, |(upstream, _)| upstream);
    version.split(['+', '~']).next().unwrap_or(version)
}

/// Whether a version is as new as another, number by number as rpm compares them.
fn at_least(version: &str, least: &str) -> bool {
    mercat_advisories::versions::rpm_part(version, least) != std::cmp::Ordering::Less
}

/// Nowhere in particular.
fn here() -> Place {
    Place::default()
}

/// A path of the guest that is not there, or not as it should be.
fn at(tree: &Tree, path: &str) -> Place {
    match tree.find(path) {
        Some(found) => found.place(),
        None => Place {
            layer: tree.root().map(|root| root.volume.clone()).unwrap_or_default(),
            path: path.to_owned(),
            ..Place::default()
        },
    }
}

#[cfg(test)]
mod tests;
