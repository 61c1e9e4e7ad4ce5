//! Networks: LNX-17.

use super::kernel::has;
use super::services::keyword;
use super::{Case, Faults, Found, Outcome, lines};
use crate::{Node, Tree};
use mercat_guest::Kind;
use serde_json::Value;

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
    for (path, found) in NAMING.iter().filter_map(|path| Some((path, tree.file(path)?))) {
        let name = path.rsplit('/').next().unwrap_or_default();
        // A file or link in /etc stands for it.
        let is_replaced =
            !path.starts_with("etc/") && tree.node(&format!("etc/udev/rules.d/{name}")).is_some();
        let says = found.node.content.is_none() || lines(&found.node.text()).next().is_some();
        if found.node.size > 0 && says && !is_replaced && !is_told(&faults, &found) {
            faults.at(&found, "persistent names of network interfaces");
        }
    }
    if let Some(found) = tree.file("etc/network/interfaces") {
        ifupdown(&found, &mut faults);
    }
    tree.below("etc/network/interfaces.d").for_each(|found| ifupdown(&found, &mut faults));
    for (_, found) in configured(tree, "netplan", &|node| node.path.ends_with(".yaml")) {
        if gives_address(&found.node.text()) {
            faults.at(&found, "a fixed address");
        }
    }
    let is_network = |node: &Node| {
        node.path.ends_with(".network") || node.path.contains(".network.d/") && node.path.ends_with(".conf")
    };
    for (_, found) in configured(tree, "systemd/network", &is_network) {
        if lines(&found.node.text().replace("\\\n", " ")).any(is_address) {
            faults.at(&found, "a fixed address");
        }
    }
    for (_, found) in configured(tree, "NetworkManager/system-connections", &|_| true) {
        if lines(&found.node.text()).any(is_manual) {
            faults.at(&found, "a fixed address");
        }
    }
    for line in &case.boot().lines {
        if has(&line.text, is_address_of_kernel) && !is_told(&faults, &line.found) {
            faults.at(&line.found, "a fixed address on the kernel command line");
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

fn is_told(faults: &Faults, found: &Found<'_>) -> bool {
    faults.0.iter().any(|fault| fault.place == found.place())
}

/// The files of a service's configuration, of the image's makers and of packages. A name in `/etc` stands for the same
/// name elsewhere, and packages may bring `/lib` apart from `/usr/lib`.
fn configured<'t>(
    tree: &'t Tree,
    service: &str,
    is_read: &dyn Fn(&Node) -> bool,
) -> Vec<(&'t Node, Found<'t>)> {
    let own = format!("etc/{service}");
    let mut out: Vec<(&Node, Found<'_>)> = Vec::new();
    for top in ["etc", "usr/local/lib", "usr/lib", "lib"] {
        for (node, found) in tree.files(&format!("{top}/{service}")).filter(|(node, _)| is_read(node)) {
            let is_replaced = top != "etc" && tree.node(&format!("{own}/{}", node.name())).is_some();
            let is_known = out.iter().any(|(_, known)| known.place() == found.place());
            // Files that add to others are called alike.
            if !is_known && (!is_replaced || node.path.contains(".d/")) {
                out.push((node, found));
            }
        }
    }
    out
}

/// Whether a file of netplan gives an interface an address. What this reader refuses, another may take: it may.
fn gives_address(text: &str) -> bool {
    /// Below `network`, the kind of an interface and its name.
    const OF_INTERFACE: usize = 3;
    fn below(value: &Value, depth: usize) -> bool {
        match value {
            Value::Object(map) => map.iter().any(|(key, value)| match key.as_str() {
                "nameservers" if depth == OF_INTERFACE => false,
                "addresses" if value.as_array().is_none_or(|list| !list.is_empty()) => !value.is_null(),
                _ => below(value, depth + 1),
            }),
            Value::Array(list) => list.iter().any(|value| below(value, depth + 1)),
            _ => false,
        }
    }
    match serde_saphyr::from_str::<Value>(text) {
        Ok(value) => below(&value, 0),
        Err(_) => true,
    }
}

/// Whether a line of systemd-networkd gives an address. Of `0.0.0.0` and `::` it takes a range that is free.
fn is_address(line: &str) -> bool {
    let (word, value) = keyword(line);
    word == "address" && !value.is_empty() && !["0.0.0.0/", "::/"].iter().any(|any| value.starts_with(any))
}

/// Whether a line of a connection of NetworkManager gives an address.
fn is_manual(line: &str) -> bool {
    let Some((key, value)) = line.split_once('=') else { return false };
    let number = key.trim().strip_prefix("address").map(|number| number.trim_start_matches("es"));
    key.trim() == "method" && value.trim() == "manual"
        || number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
            && !value.trim().is_empty()
}

/// Whether a kernel parameter gives an address: `ip=` begins with one, or with a colon, an interface or a protocol
/// (nfsroot.rst of the kernel, and dracut.cmdline(7)).
fn is_address_of_kernel(word: &str) -> bool {
    let value = word.strip_prefix("ip=").or_else(|| word.strip_prefix("nfsaddrs="));
    value.is_some_and(|value| {
        let is_any = value.starts_with("0.0.0.0:");
        value.starts_with(|letter: char| letter.is_ascii_digit() || letter == '[') && !is_any
    })
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
    // Both network scripts and NetworkManager leave out what was put aside under these names.
    const ASIDE: [&str; 4] = ["~", ".bak", ".orig", ".rpmnew"];
    let is_read = |found: &Found<'_>| {
        let name = found.node.name();
        name.starts_with("ifcfg-") && name != "ifcfg-lo" && !ASIDE.iter().any(|end| name.ends_with(end))
    };
    for found in scripts.filter(is_read) {
        let text = found.node.text();
        let value = |key: &str| {
            let values = lines(&text).filter_map(|line| line.split_once('='));
            let value = values.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim()).last();
            value.map(|value| value.trim_matches(['"', '\'']).to_ascii_lowercase())
        };
        let protocol = value("BOOTPROTO").unwrap_or_default();
        // Its master has the address.
        let has_master = ["MASTER", "BRIDGE", "TEAM_MASTER"]
            .iter()
            .any(|key| value(key).is_some_and(|name| !name.is_empty()));
        let is_part = has_master || value("SLAVE").as_deref() == Some("yes");
        let sets_address = lines(&text).any(|line| {
            // Shells read these files.
            ["IPADDR", "IPV6ADDR"].iter().flat_map(|name| line.match_indices(name)).any(|(at, _)| {
                let value = line[at..].split_once('=').map_or("", |(_, value)| value);
                !value.trim().trim_matches(['"', '\'']).is_empty()
            })
        });
        if !protocol.starts_with("dhcp") && !is_part || sets_address {
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

#[cfg(test)]
mod tests;
