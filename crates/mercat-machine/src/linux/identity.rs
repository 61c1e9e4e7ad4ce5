//! What is left of whoever made the image: LNX-01, 13, 14, 15 and 19.

use super::kernel::each_parameter;
use super::services::{Line, keyword, values};
use super::starts::{given_by_files, given_to_all, lets_in, units_of_server};
use super::{Case, Faults, Found, Outcome, here, is_enabled, lines, pam, sudo};
use crate::accounts::{entries, is_password};
use crate::wanted::is_history;
use mercat_guest::Kind;
use std::cell::LazyCell;
use std::collections::BTreeSet;

/// Names in rules of doas that are looked up; nobody writes as many.
const NAMES_MAX: usize = 100;

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
    // Those of OpenSSH, and of dropbear, which may also stand in the directory of its initramfs.
    let host_key = |found: &Found<'_>| {
        let (name, path) = (found.node.name(), found.node.path.as_str());
        let of_openssh = path.contains("ssh/") && name.starts_with("ssh_host_") && name.contains("_key");
        let of_dropbear = name.starts_with("dropbear_") && name.ends_with("_host_key");
        (of_openssh || of_dropbear) && found.node.size > 0
    };
    for found in case.tree.below("etc").filter(host_key) {
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
        for (name, password, _) in entries(&found.node.text()) {
            // As PAM of most distributions is set up (`nullok`), an empty field lets in without a password.
            if path != "etc/shadow-" && password.is_empty() && !name.is_empty() {
                faults.at(&found, format!("{name} needs no password"));
            } else if is_password(password) {
                faults.at(&found, format!("{name} has a password"));
            }
        }
    }
    let key_file = |found: &Found<'_>| found.node.is_file() && crate::is_key_file(&found.node.path);
    for found in case.tree.all().filter(key_file) {
        let text = found.node.text();
        let keys = lines(&text).filter(|line| !is_stub(line)).count();
        if keys > 0 {
            faults.at(&found, format!("{keys} authorized keys"));
        }
    }
    for (found, who) in sudo::free(case) {
        let observed = format!("{} may use sudo without a password", who.name);
        match who.is_service {
            true => faults.advise(found.place(), format!("{observed} for a command")),
            false => faults.at(&found, observed),
        }
    }
    for (found, observed) in sudo::elsewhere(case) {
        faults.at(&found, observed);
    }
    let named = case.sshd().lines.iter().filter_map(|line| match keyword(&line.text) {
        (word, rest) if word == "pamservicename" => values(rest).into_iter().next(),
        _ => None,
    });
    let named: Vec<String> = named.collect();
    for (found, observed) in pam::faults(case.tree, &named.iter().map(String::as_str).collect::<Vec<_>>()) {
        faults.at(&found, observed);
    }
    let people = LazyCell::new(|| sudo::People::of(case));
    let doas = ["etc/doas.conf", "usr/local/etc/doas.conf"].iter().filter_map(|path| case.tree.file(path));
    // Alpine reads these, too.
    let more = case.tree.files("etc/doas.d").filter(|(node, _)| node.name().ends_with(".conf"));
    for found in doas.chain(more.map(|(_, found)| found)) {
        // A comment ends with its line, whatever stands at its end.
        let text = found.node.text();
        let text: Vec<&str> = text.lines().map(of_doas).collect();
        let text = text.join("\n").replace(" \\\n", " ").replace("\\\n", "\\");
        let open: BTreeSet<String> = lines(&text).filter_map(opened_by_doas).collect();
        // What is written otherwise than names mostly are may be anybody.
        let is_plain =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-%#".contains(&byte));
        let is_somebody = || open.iter().any(|entry| !is_plain(entry) || !people.meant(entry).is_empty());
        if open.len() > NAMES_MAX || is_somebody() {
            faults.at(&found, "doas asks for no password");
        }
    }
    if is_enabled(case.tree, &["debug-shell"]) {
        faults.add(here(), "debug-shell.service is enabled, which asks for no password");
    }
    // What the server is started with counts before its file.
    for found in given_by_files(case).chain(units_of_server(case)).chain(given_to_all(case)) {
        faults.at(&found, "the SSH server is started with keys or a configuration elsewhere");
    }
    for line in &case.boot().lines {
        if let Some(word) = each_parameter(&line.text).into_iter().find(|word| lets_in(word)) {
            let name = word.split('=').next().unwrap_or_default();
            faults.at(&line.found, format!("{name} on the kernel command line lets somebody in"));
        }
    }
    provisioned(case, &mut faults);
    faults.judge("nobody has a password or key", required)
}

/// What gives somebody a password or key when the machine starts, or lets in by keys that stand elsewhere.
fn provisioned(case: &Case<'_>, faults: &mut Faults) {
    const OF_CLOUD_INIT: [&str; 10] = [
        // What stands elsewhere is not looked for.
        "seedfrom",
        "plain_text_passwd",
        "hashed_passwd",
        "passwd",
        "password",
        "chpasswd",
        "ssh_authorized_keys",
        "ssh-authorized-keys",
        "ssh_keys",
        "ssh_import_id",
    ];
    // Volumes that are labelled for it have these at their root.
    let of_volumes = case.tree.all().filter(|found| crate::wanted::is_user_data(found.node.name()));
    let config = case.tree.below("etc/cloud").chain(case.tree.below("var/lib/cloud/seed")).chain(of_volumes);
    for found in config.filter(|found| found.node.is_file() && !found.node.path.contains("/templates/")) {
        let text = uncommented(&found.node.text());
        if let Some(word) = OF_CLOUD_INIT.iter().find(|word| sets(&text, word)) {
            faults.at(&found, format!("cloud-init sets {word}"));
        }
    }
    let homed =
        case.tree.below("var/lib/systemd/home").filter(|found| found.node.name().ends_with(".identity"));
    for found in case.tree.below("etc/userdb").chain(case.tree.below("usr/lib/userdb")).chain(homed) {
        if found.node.is_file() {
            faults.at(&found, "a record of a user");
        }
    }
    for found in case.tree.below("usr/lib/ignition").chain(case.tree.below("etc/ignition")) {
        if found.node.is_file() && sets(&found.node.text(), "passwd") {
            faults.at(&found, "Ignition sets passwd");
        }
    }
    let units = ["etc/systemd/system", "usr/lib/systemd/system", "usr/local/lib/systemd/system"];
    let units = units.iter().flat_map(|place| case.tree.below(place)).chain(case.tree.file("etc/inittab"));
    for found in units.filter(|found| found.node.is_file()) {
        if lines(&found.node.text()).any(signs_in_by_itself) {
            faults.at(&found, "a terminal that signs somebody in by itself");
        }
    }
    // Links lead where nobody looked.
    let is_credential = |found: &Found<'_>| match found.node.kind {
        Kind::Directory => false,
        Kind::Symlink => true,
        _ => found.node.size > 0 && !found.node.name().starts_with('.'),
    };
    for place in ["etc", "usr/lib", "usr/local/lib"] {
        for store in ["credstore", "credstore.encrypted"].map(|store| format!("{place}/{store}")) {
            let itself = case.tree.node(&store).filter(|found| found.node.kind == Kind::Symlink);
            for found in itself.into_iter().chain(case.tree.below(&store).filter(is_credential)) {
                faults.at(&found, "a credential that services are given");
            }
        }
    }
    let of_boot = |found: &Found<'_>| {
        found.node.is_file() && found.node.path.to_ascii_lowercase().contains("loader/credentials/")
    };
    for found in case.tree.all().filter(of_boot) {
        faults.at(&found, "a credential that services are given");
    }
    let places = ["etc/tmpfiles.d", "usr/lib/tmpfiles.d", "usr/local/lib/tmpfiles.d"];
    for found in places.iter().flat_map(|place| case.tree.below(place)) {
        // With `^` the content is a credential of the host, not of the image.
        let writes = |line: &str| {
            let mut words = line.split_whitespace();
            let kind = words.next().unwrap_or_default();
            let path = words.next().unwrap_or_default().trim_matches(['"', '\'']);
            let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
            let path = parts.join("/");
            let of_accounts = ["etc/shadow", "etc/passwd", "etc/gshadow", "etc/sudoers"]
                .contains(&path.as_str())
                || ["etc/sudoers.d/", "etc/userdb/", "etc/credstore", "etc/cloud/"]
                    .iter()
                    .any(|place| path.starts_with(place));
            let has_content = kind.starts_with(['f', 'F', 'w', 'C', 'L']);
            // These change modes and owners only.
            let writes =
                !kind.contains('^') && !kind.starts_with(['z', 'Z', 'm', 'h', 'H', 't', 'T', 'a', 'A']);
            writes && (path.contains("authorized_keys") || has_content && of_accounts)
        };
        if lines(&found.node.text()).any(writes) {
            faults.at(&found, "authorized keys or passwords that are written at the start");
        }
    }
    for Line { found, text, .. } in &case.sshd().lines {
        let (word, value) = keyword(text);
        let values = values(value);
        match word.as_str() {
            "trustedusercakeys" if values.iter().any(|value| !value.eq_ignore_ascii_case("none")) => {
                faults.at(found, "whoever holds a key of TrustedUserCAKeys may sign in");
            }
            "authorizedkeysfile" => {
                if let Some(other) = values.iter().find(|value| !is_usual_key_file(value)) {
                    faults.at(found, format!("authorized keys in {other}"));
                }
            }
            "authorizedkeyscommand" => {
                // Of directories of users, and of clouds.
                const KNOWN: [&str; 8] = [
                    "/usr/bin/sss_ssh_authorizedkeys",
                    "/usr/bin/google_authorized_keys",
                    "/usr/bin/google_authorized_keys_sk",
                    "/usr/share/ec2-instance-connect/eic_run_authorized_keys",
                    "/opt/aws/bin/eic_run_authorized_keys",
                    "/usr/sbin/aad_certhandler",
                    "/usr/bin/aad_certhandler",
                    "none",
                ];
                if let Some(program) = values.first().filter(|program| !KNOWN.contains(&program.as_str())) {
                    faults.at(found, format!("sshd asks {program} for authorized keys"));
                }
            }
            _ => {}
        }
    }
}

/// A line of doas without its comment, which begins where a word would.
fn of_doas(line: &str) -> &str {
    let begins = |(at, _): &(usize, &str)| *at == 0 || line[..*at].ends_with([' ', '\t', '{', '}']);
    line.match_indices('#').find(begins).map_or(line, |(at, _)| &line[..at])
}

/// Whom a rule of doas lets be another without a password (doas.conf(5)), as sudoers would write it.
fn opened_by_doas(line: &str) -> Option<String> {
    let line = line.replace('{', " { ").replace('}', " } ");
    let mut words = line.split_whitespace();
    let is_permit = words.next() == Some("permit");
    let (mut is_open, mut in_braces) = (false, false);
    let who = words.find(|word| {
        if in_braces || *word == "{" {
            in_braces = *word != "}";
            return false;
        }
        is_open |= *word == "nopass";
        !["nopass", "persist", "keepenv", "nolog", "setenv"].contains(word)
    });
    // A group is written with a colon, and either may be a number.
    let who = who.filter(|_| is_permit && is_open)?;
    let (group, name) = who.strip_prefix(':').map_or(("", who), |group| ("%", group));
    Some(match name.parse::<u32>() {
        Ok(number) => format!("{group}#{number}"),
        Err(_) => format!("{group}{name}"),
    })
}

/// YAML without its comments. A quote opens where a value begins.
pub(super) fn uncommented(text: &str) -> String {
    let plain = |line: &str| {
        let (mut quote, mut before) = (None, ' ');
        for (at, letter) in line.char_indices() {
            match (quote, letter) {
                (Some(open), _) if open == letter && before != '\\' => quote = None,
                (None, '"' | '\'') if " [{,".contains(before) => quote = Some(letter),
                (None, '#') if before.is_whitespace() => return line[..at].to_owned(),
                _ => {}
            }
            before = letter;
        }
        line.to_owned()
    };
    lines(text).map(plain).collect::<Vec<_>>().join("\n")
}

/// Whether YAML or JSON without comments gives a value to a key: in a line, in braces, or with the colon on the next one.
pub(super) fn sets(text: &str, key: &str) -> bool {
    text.match_indices(key).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let behind = text[at + key.len()..].trim_start_matches(['"', '\'']).trim_start();
        before.is_none_or(|letter| !letter.is_alphanumeric() && !"_-".contains(letter))
            && behind.starts_with(':')
    })
}

/// Whether a line starts a terminal at which nobody is asked who he is.
fn signs_in_by_itself(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_getty = words.iter().any(|word| word.ends_with("getty"));
    let is_option = |word: &&str| *word == "-a" || word.starts_with("--autologin");
    let is_login = |pair: &[&str]| pair[0].ends_with("/login") && pair[1] == "-f";
    is_getty && words.iter().any(is_option) || words.windows(2).any(is_login)
}

/// Files below the user's own `.ssh`, which are looked at wherever they are.
fn is_usual_key_file(value: &str) -> bool {
    let own = value.strip_prefix("%h/").unwrap_or(value);
    value.eq_ignore_ascii_case("none") || matches!(own, ".ssh/authorized_keys" | ".ssh/authorized_keys2")
}

/// The key that only tells to sign in as another user, as cloud-init writes it for root.
fn is_stub(line: &str) -> bool {
    // Options end at the first blank outside of quotes.
    let mut quoted = false;
    let end = line.char_indices().find(|(at, letter)| {
        quoted ^= *letter == '"' && !line[..*at].ends_with('\\');
        letter.is_whitespace() && !quoted
    });
    let options = end.map_or("", |(at, _)| &line[..at]);
    let command =
        options.contains("command=\"echo") && options.to_ascii_lowercase().contains("please login as");
    command
        && (options.contains("no-pty")
            || options.contains("no-port-forwarding")
            || options.starts_with("restrict"))
}

/// LNX-15: sudo asks for the caller's password.
pub(super) fn targetpw(case: &Case<'_>) -> Outcome {
    let mut on: Option<Found<'_>> = None;
    for found in sudo::files(case) {
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
    const INSTALL: [&str; 14] = [
        "dpkg.log",
        "alternatives.log",
        "bootstrap.log",
        "history.log",
        "term.log",
        "eipp.log.xz",
        "dnf.log",
        "zypper.log",
        "fontconfig.log",
        "hawkey.log",
        "dnf5.log",
        "yum.log",
        "pacman.log",
        "apk.log",
    ];
    let (name, path) = (found.node.name(), found.node.path.as_str());
    let kept = INSTALL.contains(&name) || name.starts_with("dnf.") || name == "README";
    let install = path.contains("log/apt/")
        || path.contains("log/zypp/")
        || path.contains("log/anaconda/")
        || path.contains("log/YaST2/");
    // These have a fixed size whatever they hold.
    let fixed = name == "lastlog" || name == "faillog" || name == "tallylog";
    found.node.size > 0 && !kept && !install && !fixed
}

#[cfg(test)]
mod tests;
