//! With what the SSH server and the system are started: options, units and parameters that lead elsewhere.

use super::boot::is_no;
use super::{Case, Found};
use crate::mounts::unit_lines;
use mercat_guest::Kind;
use std::collections::BTreeSet;

/// Files with options of the SSH server that its units and scripts read.
pub(super) const OPTIONS: [&str; 8] = [
    "etc/default/ssh",
    "etc/default/dropbear",
    "etc/sysconfig/sshd",
    "etc/sysconfig/ssh",
    "etc/sysconfig/sshd-permitrootlogin",
    "etc/conf.d/sshd",
    "etc/conf.d/dropbear",
    "etc/crypto-policies/back-ends/opensshserver.config",
];

/// Units of the SSH server, or what adds to them, that show it other files or name it others (systemd.exec(5)), and links
/// in their place that lead where nobody looked.
pub(super) fn units_of_server<'c>(case: &'c Case<'_>) -> impl Iterator<Item = Found<'c>> {
    const PLACES: [&str; 6] = [
        "etc/systemd/system",
        "etc/systemd/system.control",
        "etc/systemd/system.attached",
        "usr/local/lib/systemd/system",
        "usr/lib/systemd/system",
        "lib/systemd/system",
    ];
    let is_unit = |name: &str| {
        let stem = name.strip_suffix(".d").unwrap_or(name);
        let is_its = ["ssh.", "sshd.", "ssh@", "sshd@"].iter().any(|front| stem.starts_with(front));
        stem == "service" && name.ends_with(".d") || is_its && stem.ends_with(".service")
    };
    // What is added to every service is added to this one.
    let is_its = move |found: &Found<'_>| {
        let mut parts = found.node.path.rsplit('/');
        let (name, parent) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        is_unit(name) || parent.ends_with(".d") && is_unit(parent)
    };
    let leads = |found: &Found<'c>| -> bool {
        if found.node.kind != Kind::Symlink {
            return found.node.content.is_some()
                && unit_lines(&found.node.text()).iter().any(|line| is_of_another(line));
        }
        let path = format!("/{}", found.node.path);
        let real = case.tree.real(&path).unwrap_or_default();
        let is_usual = ["usr/lib/systemd/", "lib/systemd/"].iter().any(|place| real.starts_with(place))
            || found.node.link == "/dev/null";
        let target = case.tree.file(&path).filter(|file| file.node.content.is_some());
        !is_usual
            && target.is_none_or(|file| unit_lines(&file.node.text()).iter().any(|line| is_of_another(line)))
    };
    let mut seen = BTreeSet::new();
    let all = PLACES.into_iter().flat_map(|place| case.tree.below(place)).filter(is_its);
    all.filter(move |found| seen.insert((found.volume.volume.clone(), found.node.path.clone()))).filter(leads)
}

/// Whether a line of the server's unit shows it other files, or starts something else or with files elsewhere.
fn is_of_another(line: &str) -> bool {
    const SHOWING: [&str; 8] = [
        "BindPaths",
        "BindReadOnlyPaths",
        "ExtensionDirectories",
        "ExtensionImages",
        "MountImages",
        "RootDirectory",
        "RootImage",
        "TemporaryFileSystem",
    ];
    // Those that units of distributions give.
    const VARIABLES: [&str; 6] =
        ["SSHD_OPTS", "OPTIONS", "CRYPTO_POLICY", "PERMITROOTLOGIN", "DROPBEAR_EXTRA_ARGS", "DROPBEAR_OPTS"];
    let Some((key, value)) = line.split_once('=') else { return false };
    let (key, value) = (key.trim(), value.trim());
    if key == "EnvironmentFile" {
        let file = value.trim_start_matches(['-', '/']);
        return !value.is_empty() && !OPTIONS.contains(&file);
    }
    if key == "Environment" {
        return started_elsewhere(&value.replace(['"', '\''], ""));
    }
    if !key.starts_with("Exec") {
        return SHOWING.contains(&key) && !value.is_empty();
    }
    // What Ubuntu's and Amazon's package adds for keys that the cloud gives.
    const OF_CLOUDS: [&str; 4] = [
        "-o \"AuthorizedKeysCommand /usr/share/ec2-instance-connect/eic_run_authorized_keys %%u %%f\"",
        "-o \"AuthorizedKeysCommand /opt/aws/bin/eic_run_authorized_keys %%u %%f\"",
        "-o \"AuthorizedKeysCommandUser ec2-instance-connect\"",
        "-o \"PermitUserEnvironment EIC_*\"",
    ];
    let value = OF_CLOUDS.iter().fold(value.to_owned(), |rest, option| rest.replace(option, ""));
    let command = value.trim_start_matches(['@', '-', ':', '+', '!']);
    let program = command.split_whitespace().next().unwrap_or_default();
    if !["sshd", "dropbear"].contains(&program.rsplit('/').next().unwrap_or(program)) {
        return key == "ExecStart" && !value.is_empty();
    }
    // Only whole words: what a variable is joined with makes another option.
    let is_known = |word: &str| {
        let name = word.strip_prefix('$').map(|name| name.trim_start_matches('{').trim_end_matches('}'));
        !word.contains('$') || name.is_some_and(|name| VARIABLES.contains(&name))
    };
    !program.starts_with("/usr/sbin/") && !program.starts_with("/usr/bin/") && !program.starts_with("/sbin/")
        || command.contains(['\\', '"', '\'', '%'])
        || !command.split_whitespace().all(is_known)
        || started_elsewhere(command)
}

/// Options without their comments, quotes and line ends: a `#` inside of quotes begins no comment.
pub(super) fn uncommented_options(text: &str) -> String {
    let (mut out, mut quotes) = (String::new(), 0);
    for line in text.split(['\n', '\r', '\0']) {
        if quotes % 2 == 0 && line.trim_start().starts_with(['#', ';']) {
            continue;
        }
        quotes += line.matches(['"', '\'']).count();
        let line = line.replace(['"', '\''], "");
        match line.strip_suffix('\\') {
            Some(line) => out.push_str(line),
            None => out.extend([line.as_str(), "\n"]),
        }
    }
    out
}

/// Whether options of the SSH server (sshd(8)) name keys, a configuration or a service of PAM of their own.
pub(super) fn started_elsewhere(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    // The last is Alpine's, in a file that its script reads.
    let named = ["authorizedkeys", "trustedusercakeys", "include", "pamservicename", "sshd_confdir"];
    if named.iter().any(|word| lower.contains(word)) {
        return true;
    }
    let parts = text.split(|letter: char| letter.is_whitespace() || "\"'=\\".contains(letter));
    let words: Vec<&str> = parts.filter(|word| !word.is_empty()).collect();
    words.iter().enumerate().any(|(at, word)| {
        let Some(letters) = word.strip_prefix('-') else { return false };
        // These take no argument; what is behind another one is its argument.
        let rest = letters.trim_start_matches(|letter| "46DGQRTVdeiqrt".contains(letter));
        rest.strip_prefix('f').is_some_and(|file| {
            let next = words.get(at + 1).copied().unwrap_or_default();
            (if file.is_empty() { next } else { file }) != "/etc/ssh/sshd_config"
        })
    })
}

/// Whether a parameter of the kernel's command line starts something else than the system, or a shell, or is a credential
/// of systemd (systemd-debug-generator(8), systemd.system-credentials(7), dracut.cmdline(7), initramfs-tools(7)).
pub(super) fn lets_in(word: &str) -> bool {
    const SYSTEMS: [&str; 14] = [
        "/init",
        "/bin/init",
        "/usr/bin/init",
        "/usr/bin/openrc-init",
        "/usr/bin/runit-init",
        "/sbin/init",
        "/usr/sbin/init",
        "/bin/systemd",
        "/usr/bin/systemd",
        "/lib/systemd/systemd",
        "/usr/lib/systemd/systemd",
        "/sbin/openrc-init",
        "/usr/sbin/openrc-init",
        "/sbin/runit-init",
    ];
    let word = word.strip_prefix("rd.").unwrap_or(word);
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    match name {
        // Each version of NixOS has one of its own.
        "init" | "rdinit" => !SYSTEMS.contains(&value) && !value.starts_with("/nix/store/"),
        "break" | "systemd.set_credential" | "systemd.set_credential_binary" => true,
        "systemd.debug_shell" => !is_no(value),
        "systemd.wants" | "systemd.unit" => value.contains("debug-shell"),
        "systemd.setenv" => value.contains("SULOGIN_FORCE"),
        _ => false,
    }
}
