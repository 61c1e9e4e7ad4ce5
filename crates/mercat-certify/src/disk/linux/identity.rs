//! What is left of whoever made the image: LNX-01, 13, 14, 15 and 19.

use super::{Case, Faults, Found, Outcome, lines};
use crate::accounts::is_password;
use crate::disk::wanted::is_history;
use mercat_guest::Kind;

/// LNX-01: shell histories.
pub(super) fn history(case: &Case<'_>) -> Outcome {
    let most = case.policy.history_bytes_max;
    let required = match most {
        0 => "no shell history".to_owned(),
        most => format!("empty; more than {most} bytes are refused"),
    };
    let mut faults = Faults::default();
    for found in case.tree.all().filter(|found| found.node.is_file() && is_history(found.node.name())) {
        let observed = format!("{} bytes of shell history", found.node.size);
        match found.node.size {
            0 => {}
            size if size > most => faults.at(&found, observed),
            _ => faults.advise(found.place(), observed),
        }
    }
    faults.judge("no shell history", required)
}

/// LNX-13: nothing that two machines made from this image would share.
pub(super) fn generalised(case: &Case<'_>) -> Outcome {
    let required = "no SSH host keys, empty machine-id, no leases, no traces of provisioning";
    let mut faults = Faults::default();
    let host_key = |found: &Found<'_>| {
        let name = found.node.name();
        name.starts_with("ssh_host_") && name.contains("_key") && found.node.size > 0
    };
    for found in case.tree.below("etc/ssh").filter(host_key) {
        faults.at(&found, "an SSH host key");
    }
    for path in ["etc/machine-id", "var/lib/dbus/machine-id"] {
        // A link to the other one is told once.
        let Some(found) = case.tree.node(path).filter(|found| found.node.is_file()) else { continue };
        let text = found.node.text().trim().to_owned();
        if !text.is_empty() && text != "uninitialized" {
            faults.at(&found, "a machine-id");
        }
    }
    const LEASES: [&str; 6] = [
        "var/lib/dhcp",
        "var/lib/dhclient",
        "var/lib/NetworkManager",
        "var/lib/systemd/network",
        "var/lib/dhcpcd",
        "var/lib/systemd/netif/leases",
    ];
    let is_lease = |found: &Found<'_>| {
        let name = found.node.name();
        found.node.is_file() && found.node.size > 0 && name.contains("lease")
    };
    for found in LEASES.iter().flat_map(|place| case.tree.below(place)).filter(is_lease) {
        faults.at(&found, "a DHCP lease");
    }
    if let Some(found) = case.tree.below("var/lib/cloud/instances").next() {
        faults.at(&found, "an instance of cloud-init");
    }
    if let Some(found) = case.tree.node("var/lib/cloud/instance") {
        faults.at(&found, "the current instance of cloud-init");
    }
    if let Some(found) = case.tree.node("var/lib/waagent/provisioned") {
        faults.at(&found, "the mark of an agent that has provisioned this machine");
    }
    faults.judge("nothing of one machine", required)
}

/// LNX-14: nobody can sign in who is not made when the machine is.
pub(super) fn users(case: &Case<'_>) -> Outcome {
    let required = "locked passwords, no authorized keys";
    let mut faults = Faults::default();
    for path in ["etc/shadow", "etc/shadow-", "etc/passwd"] {
        let Some(found) = case.tree.file(path) else { continue };
        for line in lines(&found.node.text()) {
            let mut fields = line.split(':');
            let (Some(name), Some(password)) = (fields.next(), fields.next()) else { continue };
            if path == "etc/passwd" && password.is_empty() {
                faults.at(&found, format!("{name} needs no password"));
            } else if is_password(password) {
                faults.at(&found, format!("{name} has a password"));
            }
        }
    }
    let key_file = |found: &Found<'_>| {
        found.node.is_file()
            && found.node.name().starts_with("authorized_keys")
            && found.node.path.contains(".ssh/")
    };
    for found in case.tree.all().filter(key_file) {
        let text = found.node.text();
        let keys = lines(&text).filter(|line| !is_stub(line)).count();
        if keys > 0 {
            faults.at(&found, format!("{keys} authorized keys"));
        }
    }
    for found in sudoers(case) {
        for name in lines(&found.node.text()).filter_map(free_to_sudo) {
            // Groups and aliases name nobody who is there yet.
            if case.tree.text("etc/passwd").is_some_and(|text| has_user(&text, name)) && name != "root" {
                faults.at(&found, format!("{name} may use sudo without a password"));
            }
        }
    }
    faults.judge("nobody has a password or key", required)
}

/// The user of a sudoers line that asks for no password.
fn free_to_sudo(line: &str) -> Option<&str> {
    let name = line.split_whitespace().next()?;
    let open = line.contains("NOPASSWD") && !name.starts_with('%') && !name.starts_with("Defaults");
    open.then_some(name)
}

fn has_user(passwd: &str, name: &str) -> bool {
    lines(passwd).any(|line| line.split(':').next() == Some(name))
}

/// The key that only tells to sign in as another user, as cloud-init writes it for root.
fn is_stub(line: &str) -> bool {
    let command = line.contains("command=\"echo") && line.to_ascii_lowercase().contains("please login as");
    command
        && (line.contains("no-pty") || line.contains("no-port-forwarding") || line.starts_with("restrict"))
}

/// The sudoers file with what it includes.
fn sudoers<'c>(case: &'c Case<'_>) -> Vec<Found<'c>> {
    let main = ["etc/sudoers", "usr/etc/sudoers"].iter().filter_map(|path| case.tree.file(path));
    // sudo leaves out names with a dot or a tilde at the end.
    let included = |found: &Found<'_>| {
        found.node.is_file() && !found.node.name().contains('.') && !found.node.name().ends_with('~')
    };
    let mut out: Vec<Found<'_>> = main.take(1).collect();
    for place in ["etc/sudoers.d", "usr/etc/sudoers.d"] {
        out.extend(case.tree.below(place).filter(included));
    }
    out
}

/// LNX-15: sudo asks for the caller's password.
pub(super) fn targetpw(case: &Case<'_>) -> Outcome {
    let mut on: Option<Found<'_>> = None;
    for found in sudoers(case) {
        for line in lines(&found.node.text()) {
            let Some(settings) = line.strip_prefix("Defaults") else { continue };
            let settings = settings.split('#').next().unwrap_or_default();
            for word in settings.split([',', ' ', '\t']).map(str::trim) {
                match word {
                    // The last setting counts.
                    "targetpw" => on = Some(found),
                    "!targetpw" => on = None,
                    _ => {}
                }
            }
        }
    }
    let mut faults = Faults::default();
    on.iter().for_each(|found| faults.at(found, "Defaults targetpw"));
    faults.judge("targetpw is not set", "no Defaults targetpw")
}

/// LNX-19: keys, which the scanners report, and traces, which are told here.
pub(super) fn secrets(case: &Case<'_>) -> Outcome {
    let required = "no private keys and credentials; known hosts and logs removed";
    let keys = case.findings.iter().filter(|finding| finding.rule == "CTR-21").count();
    if keys > 0 {
        return Outcome::elsewhere(format!("{keys} private keys or credentials (CTR-21)"), required);
    }
    let mut faults = Faults::default();
    let (mut logs, mut first) = (0_u64, None);
    for found in case.tree.all().filter(|found| found.node.kind == Kind::File && found.node.size > 0) {
        if found.node.name() == "known_hosts" {
            faults.advise(found.place(), "hosts that somebody has met");
        }
    }
    for found in case.tree.below("var/log").filter(|found| found.node.is_file() && is_log(found)) {
        logs += found.node.size;
        first.get_or_insert(found);
    }
    if let Some(found) = first {
        faults.advise(found.place(), format!("{logs} bytes of logs of a running machine"));
    }
    faults.judge("none", required)
}

/// Logs of a machine that ran; those of the installation of packages name nobody.
fn is_log(found: &Found<'_>) -> bool {
    const INSTALL: [&str; 9] = [
        "dpkg.log",
        "alternatives.log",
        "bootstrap.log",
        "history.log",
        "term.log",
        "eipp.log.xz",
        "dnf.log",
        "zypper.log",
        "fontconfig.log",
    ];
    let (name, path) = (found.node.name(), found.node.path.as_str());
    let kept = INSTALL.contains(&name) || name.starts_with("dnf.") || name == "README";
    let install = path.contains("log/apt/") || path.contains("log/anaconda/") || path.contains("log/YaST2/");
    // These have a fixed size whatever they hold.
    let fixed = name == "lastlog" || name == "faillog" || name == "tallylog";
    found.node.size > 0 && !kept && !install && !fixed
}

#[cfg(test)]
mod tests;
