//! Windows rules WIN-01 to WIN-26, from files and registry hives (domain 5.3).

mod features;
mod registry;
mod settings;
mod tasks;

use super::{Case, Outcome, Rule, Wanted};

/// The rules, in the order of their numbers.
pub const RULES: &[Rule] = &[
    rule("WIN-01", "Windows is 64-bit", "use a 64-bit edition", settings::machine),
    rule(
        "WIN-02",
        "Nothing runs as Administrator",
        "run services under service accounts",
        settings::accounts_of_services,
    ),
    rule("WIN-03", "No failover clustering", REMOVE, |case| features::absent(case, &features::CLUSTER)),
    rule("WIN-04", "No dependence on IPv6", "let every service answer over IPv4", |_| {
        Outcome::boot_only("IPv4 alone suffices")
    }),
    rule("WIN-05", "No DHCP server", REMOVE, |case| features::absent(case, &features::DHCP)),
    rule("WIN-06", "No Hyper-V", REMOVE, |case| features::absent(case, &features::HYPER_V)),
    rule("WIN-07", "No DirectAccess or remote access", REMOVE, |case| {
        features::absent(case, &features::REMOTE_ACCESS)
    }),
    rule("WIN-08", "No Rights Management Services", REMOVE, |case| features::absent(case, &features::RIGHTS)),
    rule("WIN-09", "No Windows Deployment Services", REMOVE, |case| {
        features::absent(case, &features::DEPLOYMENT)
    }),
    rule("WIN-10", "No BitLocker on the system disk", "decrypt the volume", settings::bitlocker),
    rule("WIN-11", "No iSNS server", REMOVE, |case| features::absent(case, &features::ISNS)),
    rule("WIN-12", "No multipath I/O", REMOVE, |case| features::absent(case, &features::MULTIPATH)),
    rule("WIN-13", "No network load balancing", REMOVE, |case| features::absent(case, &features::BALANCING)),
    rule("WIN-14", "No peer name resolution", REMOVE, |case| features::absent(case, &features::PEER_NAMES)),
    rule("WIN-15", "No SNMP service", REMOVE, |case| features::absent(case, &features::SNMP)),
    rule("WIN-16", "No WINS server", REMOVE, |case| features::absent(case, &features::WINS)),
    rule("WIN-17", "No wireless LAN service", REMOVE, |case| features::absent(case, &features::WIRELESS)),
    rule(
        "WIN-18",
        "Generalised with sysprep",
        "run sysprep /generalize /oobe /shutdown and do not start again",
        settings::generalised,
    ),
    rule("WIN-19", "Remote Desktop is enabled", "set fDenyTSConnections to 0", settings::remote_desktop),
    rule(
        "WIN-20",
        "WinRM listens over HTTPS",
        "create an HTTPS listener with winrm quickconfig -transport:https",
        settings::remote_management,
    ),
    rule(
        "WIN-21",
        "The SMB server is patched (MS17-010)",
        "install the security updates",
        settings::file_server,
    ),
    rule(
        "WIN-22",
        "Only approved Microsoft products",
        "start from an approved base image",
        settings::products,
    ),
    rule("WIN-23", "Automatic updates are on", "remove the policy that turns updates off", settings::updates),
    rule(
        "WIN-24",
        "No additional accounts, HOSTS is clean",
        "remove the accounts and the lines in HOSTS",
        settings::accounts,
    ),
    rule("WIN-25", "Final configuration removes itself", "use a start-up task that removes itself", |_| {
        Outcome::boot_only("a start-up task that removes itself")
    }),
    rule("WIN-26", "Free of malware", "remove the malware and rebuild", super::linux::packages::malware),
];

const REMOVE: &str = "remove the role or feature and generalise again";

const fn rule(
    id: &'static str,
    title: &'static str,
    fix: &'static str,
    check: fn(&Case<'_>) -> Outcome,
) -> Rule {
    Rule { id, test_id: None, title, fix, check }
}

/// Which files of an NTFS volume the rules need, by their path in lower case. `None` for all others.
pub fn wanted(path: &str) -> Option<Wanted> {
    use Wanted::{Head, Whole};
    // The COMPONENTS hive is large and no rule reads it.
    let hives = ["system", "software", "sam"];
    if let Some(hive) = path.strip_prefix("windows/system32/config/") {
        return hives.contains(&hive).then_some(Whole);
    }
    if path.starts_with(tasks::DIRECTORY) {
        return Some(Whole);
    }
    match path {
        "windows/system32/ntoskrnl.exe" => Some(Head),
        "windows/system32/drivers/srv.sys" | "windows/system32/drivers/srv2.sys" => Some(Whole),
        "windows/system32/drivers/etc/hosts" => Some(Whole),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
