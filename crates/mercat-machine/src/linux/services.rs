//! Services, networks and jobs: LNX-08, 16, 17, 26 and 29.

use super::{Case, Faults, Found, Outcome, at, is_enabled, lines};
use crate::Tree;
use mercat_guest::Kind;

/// The text of the SSH server's configuration in the order in which it is read: `Include` lines stand
/// for the files that they name.
pub(super) fn sshd_config<'t>(tree: &'t Tree) -> Vec<(Found<'t>, String)> {
    let Some(main) =
        ["etc/ssh/sshd_config", "usr/etc/ssh/sshd_config"].iter().find_map(|path| tree.file(path))
    else {
        return Vec::new();
    };
    let mut out = Vec::new();
    include(tree, main, 0, &mut out);
    out
}

/// Depth of includes, as the server limits them.
const INCLUDE_DEPTH_MAX: u32 = 16;
/// Lines that are looked at, whatever includes what.
const LINES_MAX: usize = 100_000;

fn include<'t>(tree: &'t Tree, found: Found<'t>, depth: u32, out: &mut Vec<(Found<'t>, String)>) {
    for line in lines(&found.node.text()) {
        if out.len() >= LINES_MAX {
            return;
        }
        let (word, rest) = keyword(line);
        if word != "include" || depth >= INCLUDE_DEPTH_MAX {
            out.push((found, line.to_owned()));
            continue;
        }
        for pattern in rest.split_whitespace().map(|pattern| pattern.trim_matches('"')) {
            let pattern = match pattern.strip_prefix('/') {
                Some(absolute) => absolute.to_owned(),
                None => format!("etc/ssh/{pattern}"),
            };
            for found in glob(tree, &pattern) {
                include(tree, found, depth + 1, out);
            }
        }
    }
}

/// Files that a pattern with `*` in its last part names, in their order.
fn glob<'t>(tree: &'t Tree, pattern: &str) -> Vec<Found<'t>> {
    let Some((directory, name)) = pattern.rsplit_once('/') else { return Vec::new() };
    let Some((front, back)) = name.split_once('*') else { return tree.file(pattern).into_iter().collect() };
    let fits = |found: &Found<'_>| {
        let name = found.node.name();
        name.len() >= front.len() + back.len() && name.starts_with(front) && name.ends_with(back)
    };
    let below =
        tree.below(directory).filter(|found| found.node.is_file() && !found.node.name().starts_with('.'));
    let depth = directory.split('/').count() + 1;
    below.filter(|found| found.node.path.split('/').count() <= depth).filter(fits).collect()
}

/// A line's keyword in lower case, and what follows.
pub(super) fn keyword(line: &str) -> (String, &str) {
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    (word.to_ascii_lowercase(), rest.trim_start_matches(|c: char| c.is_whitespace() || c == '='))
}

/// Seconds of a time in the server's format: `180`, `3m`, `1h30m`.
fn seconds(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut number = String::new();
    for c in text.trim().trim_matches('"').chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        number.clear();
    }
    if number.is_empty() {
        return (!text.is_empty()).then_some(total);
    }
    total.checked_add(number.parse().ok()?)
}

/// LNX-08: the first `ClientAliveInterval` outside `Match` blocks counts.
pub(super) fn client_alive(case: &Case<'_>) -> Outcome {
    let (bounds, advised) = (case.policy.client_alive, case.policy.client_alive_advised);
    let required = format!("ClientAliveInterval {} to {}, best {advised}", bounds.least, bounds.most);
    let config = sshd_config(case.tree);
    let place = at(case.tree, "etc/ssh/sshd_config");
    if config.is_empty() && !has_server(case.tree) {
        return Outcome::not_applicable("no SSH server");
    }
    let outside = config.iter().take_while(|(_, line)| keyword(line).0 != "match");
    let first = outside
        .map(|(found, line)| (found, keyword(line)))
        .find(|(_, (word, _))| word == "clientaliveinterval");
    let Some((found, (_, value))) = first else {
        return Outcome::found(place, "ClientAliveInterval is not set", required);
    };
    let observed = format!("ClientAliveInterval {value}");
    match seconds(value.split_whitespace().next().unwrap_or_default()) {
        Some(value) if value == advised => Outcome::passed(observed, required),
        Some(value) if bounds.holds(value) => Outcome::advice(found.place(), observed, required),
        _ => Outcome::found(found.place(), observed, required),
    }
}

fn has_server(tree: &Tree) -> bool {
    ["usr/sbin/sshd", "usr/sbin/dropbear", "usr/bin/dropbear"].iter().any(|path| tree.file(path).is_some())
}

/// LNX-16: a server that is started.
pub(super) fn ssh_server(case: &Case<'_>) -> Outcome {
    if case.claims.no_remote_connection {
        return Outcome::not_applicable("the plan does not support remote connections");
    }
    let required = "an SSH server that is installed and enabled";
    if !has_server(case.tree) {
        return Outcome::found(at(case.tree, "usr/sbin/sshd"), "no SSH server", required);
    }
    let enabled = is_enabled(case.tree, &["ssh", "sshd", "dropbear", "ssh@", "sshd@"]);
    if !enabled && !by_preset(case.tree) {
        return Outcome::found(at(case.tree, "usr/sbin/sshd"), "an SSH server that is not enabled", required);
    }
    Outcome::passed("installed and enabled", required)
}

/// Whether presets enable the server: they are applied on the first start of an image without machine-id.
fn by_preset(tree: &Tree) -> bool {
    let fresh = tree.text("etc/machine-id").is_none_or(|text| text.trim() == "uninitialized");
    let directories = ["etc/systemd/system-preset", "usr/lib/systemd/system-preset"];
    let files = directories.iter().flat_map(|directory| tree.below(directory));
    let enables = |text: &str| {
        lines(text).any(|line| {
            let (word, unit) = keyword(line);
            word == "enable" && ["sshd.service", "ssh.service"].contains(&unit.trim())
        })
    };
    fresh && files.into_iter().any(|found| enables(&found.node.text()))
}

/// LNX-17: the first interface takes its address by DHCP, under whatever name it gets.
pub(super) fn network(case: &Case<'_>) -> Outcome {
    let tree = case.tree;
    let mut faults = Faults::default();
    const NAMING: [&str; 4] = [
        "etc/udev/rules.d/70-persistent-net.rules",
        "etc/udev/rules.d/75-persistent-net-generator.rules",
        "lib/udev/rules.d/75-persistent-net-generator.rules",
        "usr/lib/udev/rules.d/75-persistent-net-generator.rules",
    ];
    for found in NAMING.iter().filter_map(|path| tree.file(path)).filter(|found| found.node.size > 0) {
        if !faults.0.iter().any(|fault| fault.place == found.place()) {
            faults.at(&found, "persistent names of network interfaces");
        }
    }
    if let Some(found) = tree.file("etc/network/interfaces") {
        ifupdown(&found, &mut faults);
    }
    tree.below("etc/network/interfaces.d").for_each(|found| ifupdown(&found, &mut faults));
    for found in tree.below("etc/netplan").filter(|found| found.node.name().ends_with(".yaml")) {
        if lines(&found.node.text()).any(|line| line.trim_start_matches("- ").starts_with("addresses:")) {
            faults.at(&found, "a fixed address");
        }
    }
    for found in tree.below("etc/systemd/network").filter(|found| found.node.name().ends_with(".network")) {
        if lines(&found.node.text()).any(|line| keyword(line).0 == "address") {
            faults.at(&found, "a fixed address");
        }
    }
    for found in tree.below("etc/NetworkManager/system-connections") {
        if lines(&found.node.text()).any(|line| line.replace(' ', "") == "method=manual") {
            faults.at(&found, "a fixed address");
        }
    }
    ifcfg(tree, &mut faults);
    // A file that a running machine wrote; links lead to what the next one writes.
    let resolvers = tree.node("etc/resolv.conf").filter(|found| found.node.kind == Kind::File);
    let named = |found: &Found<'_>| lines(&found.node.text()).any(|line| line.starts_with("nameserver"));
    if let Some(found) = resolvers.filter(named) {
        faults.advise(found.place(), "name servers in /etc/resolv.conf");
    }
    faults.judge("nothing fixed", "DHCP on the first interface, no persistent interface names")
}

fn ifupdown(found: &Found<'_>, faults: &mut Faults) {
    let is_static = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.first() == Some(&"iface") && words.get(1) != Some(&"lo") && words.last() == Some(&"static")
    };
    if lines(&found.node.text()).any(is_static) {
        faults.at(found, "a fixed address");
    }
}

/// Interfaces of Red Hat's and SUSE's network scripts.
fn ifcfg(tree: &Tree, faults: &mut Faults) {
    let places = ["etc/sysconfig/network-scripts", "etc/sysconfig/network"];
    let scripts = places.iter().flat_map(|place| tree.below(place));
    for found in
        scripts.filter(|found| found.node.name().starts_with("ifcfg-") && found.node.name() != "ifcfg-lo")
    {
        let text = found.node.text();
        let value = |key: &str| {
            let values = lines(&text).filter_map(|line| line.split_once('='));
            let value = values.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim()).last();
            value.map(|value| value.trim_matches(['"', '\'']).to_ascii_lowercase())
        };
        let protocol = value("BOOTPROTO").unwrap_or_default();
        if !protocol.starts_with("dhcp") || value("IPADDR").is_some() {
            faults.at(&found, format!("BOOTPROTO is {protocol:?}"));
        }
        if found.node.name() == "ifcfg-eth0" && value("ONBOOT").is_some_and(|value| value == "no") {
            faults.at(&found, "ONBOOT is no");
        }
        if value("HWADDR").is_some() || value("UUID").is_some() && value("DEVICE").is_none() {
            faults.advise(found.place(), "bound to one network card");
        }
    }
}

/// LNX-26: jobs that no package of the distribution brings.
pub(super) fn jobs(case: &Case<'_>) -> Outcome {
    let mut faults = Faults::default();
    for found in case.tree.below("var/spool/cron").filter(|found| found.node.is_file()) {
        let own =
            !found.node.name().starts_with('.') && !found.node.path.contains("/at") && found.node.size > 0;
        if own && lines(&found.node.text()).next().is_some() {
            faults.at(&found, "a user's crontab");
        }
    }
    const KNOWN: [&str; 30] = [
        "e2scrub_all",
        "anacron",
        "0hourly",
        "sysstat",
        "popularity-contest",
        "mdadm",
        "raid-check",
        "php",
        "apt-compat",
        "dpkg",
        "logrotate",
        "man-db",
        "apport",
        "bsdmainutils",
        "passwd",
        "mlocate",
        "plocate",
        "update-notifier-common",
        "ubuntu-advantage-tools",
        "0anacron",
        "rhsmd",
        "cron",
        "aptitude",
        "exim4-base",
        "samba",
        "apache2",
        "ntp",
        "suse.de-backup-rpmdb",
        "suse-clean_catman",
        "dnf-automatic",
    ];
    const PLACES: [&str; 5] =
        ["etc/cron.d", "etc/cron.hourly", "etc/cron.daily", "etc/cron.weekly", "etc/cron.monthly"];
    for found in PLACES.iter().flat_map(|place| case.tree.below(place)).filter(|found| found.node.is_file()) {
        let name = found.node.name();
        if !name.starts_with('.') && !KNOWN.contains(&name) {
            faults.at(&found, "a scheduled job");
        }
    }
    for found in case.tree.below("etc/systemd/system") {
        // A timer of a package is a link; a file was written here.
        if found.node.is_file() && found.node.name().ends_with(".timer") {
            faults.at(&found, "a timer");
        }
    }
    faults.judge("only those of packages", "no scheduled jobs but the distribution's")
}

/// LNX-29: no firewall that is on from the first start.
pub(super) fn firewall(case: &Case<'_>) -> Outcome {
    const UNITS: [&str; 8] = [
        "firewalld",
        "ufw",
        "nftables",
        "iptables",
        "ip6tables",
        "SuSEfirewall2",
        "netfilter-persistent",
        "apf",
    ];
    let on: Vec<&str> = UNITS.into_iter().filter(|unit| is_enabled(case.tree, &[unit])).collect();
    // ufw is started everywhere and does nothing until it is told to.
    let idle = |unit: &str| {
        let config = case.tree.text("etc/ufw/ufw.conf");
        unit == "ufw" && config.is_some_and(|text| lines(&text).any(|line| line == "ENABLED=no"))
    };
    let mut faults = Faults::default();
    for unit in on.into_iter().filter(|unit| !idle(unit)) {
        faults.add(super::here(), format!("the firewall {unit} is enabled"));
    }
    faults.judge("no firewall is enabled", "no firewall, unless the application needs it")
}

#[cfg(test)]
mod tests;
