//! With what the SSH server and the system are started: options, units and parameters that lead elsewhere.

use super::boot::is_no;
use super::{Case, Found};
use crate::mounts::unit_lines;
use mercat_guest::Kind;
use std::cell::Cell;
use std::collections::BTreeSet;

/// Files with options of the SSH server that its units and scripts read.
const OPTIONS: [&str; 8] = [
    "etc/default/ssh",
    "etc/default/dropbear",
    "etc/sysconfig/sshd",
    "etc/sysconfig/ssh",
    "etc/sysconfig/sshd-permitrootlogin",
    "etc/conf.d/sshd",
    "etc/conf.d/dropbear",
    "etc/crypto-policies/back-ends/opensshserver.config",
];

/// Bytes of files with variables for services that are looked at.
const VARIABLES_BYTES_MAX: usize = 16 << 20;

/// Variables with options of the SSH server that units of distributions give to it.
const VARIABLES: [&str; 8] = [
    "SSHD_OPTS",
    "OPTIONS",
    "CRYPTO_POLICY",
    "PERMITROOTLOGIN",
    "DROPBEAR_EXTRA_ARGS",
    "DROPBEAR_OPTS",
    "DROPBEAR_PORT",
    "DROPBEAR_RECEIVE_WINDOW",
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
        let is_its = ["ssh.", "sshd.", "ssh@", "sshd@", "dropbear.", "dropbear@"]
            .iter()
            .any(|front| stem.starts_with(front));
        stem == "service" && name.ends_with(".d") || is_its && stem.ends_with(".service")
    };
    let parts = |path: &'c str| {
        let mut parts = path.rsplit('/');
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    };
    // Units of other names may start it, too, and have additions of their own.
    let starts = |found: &Found<'c>| {
        let is_read = found.node.kind != Kind::Symlink && found.node.content.is_some();
        is_read
            && unit_lines(&found.node.text()).iter().any(|line| line.starts_with("Exec") && runs_server(line))
    };
    let others: BTreeSet<&str> = PLACES
        .into_iter()
        .flat_map(|place| case.tree.below(place))
        .filter(starts)
        .map(|found| {
            let (name, parent) = parts(&found.node.path);
            parent.strip_suffix(".d").unwrap_or(name)
        })
        .collect();
    // What is added to every service is added to this one.
    let is_its = move |found: &Found<'c>| {
        let (name, parent) = parts(&found.node.path);
        let of = parent.strip_suffix(".d");
        is_unit(name)
            || of.is_some() && is_unit(parent)
            || others.contains(name)
            || of.is_some_and(|of| others.contains(of))
    };
    // Of files with variables so much is read.
    let budget = Cell::new(VARIABLES_BYTES_MAX);
    let is_of_another = move |line: &String, of_all: bool| match line.split_once('=') {
        // What every service is given is mostly for others.
        Some((key, value)) if of_all && key.trim() == "Environment" => {
            value.contains("\\x") || gives_options(value)
        }
        _ => is_of_another((case, &budget), line),
    };
    let leads = move |found: &Found<'c>| -> bool {
        if found.node.kind != Kind::Symlink {
            if found.node.content.is_none() {
                return false;
            }
            let of_all = found.node.path.contains("/service.d/");
            let lines = unit_lines(&found.node.text());
            return is_its(found) && lines.iter().any(|line| is_of_another(line, of_all));
        }
        if !is_its(found) {
            return false;
        }
        let path = format!("/{}", found.node.path);
        let real = case.tree.real(&path).unwrap_or_default();
        // Of a package, under a name of its own.
        let is_same = is_unit(real.rsplit('/').next().unwrap_or_default());
        let is_usual = ["usr/lib/systemd/", "lib/systemd/"].iter().any(|place| real.starts_with(place))
            && is_same
            || found.node.link == "/dev/null";
        let target = case.tree.file(&path).filter(|file| file.node.content.is_some());
        let lines = |file: Found<'_>| unit_lines(&file.node.text());
        !is_usual && target.is_none_or(|file| lines(file).iter().any(|line| is_of_another(line, false)))
    };
    let mut seen = BTreeSet::new();
    let all = PLACES.into_iter().flat_map(|place| case.tree.below(place));
    all.filter(move |found| seen.insert((found.volume.volume.clone(), found.node.path.clone()))).filter(leads)
}

/// Whether the program of a line is the SSH server.
fn runs_server(line: &str) -> bool {
    let command = line.split_once('=').map_or("", |(_, command)| command);
    let program = command.split_whitespace().next().unwrap_or_default();
    let program = program.trim_start_matches(['@', '-', ':', '+', '!']).replace(['"', '\''], "");
    // What is escaped may be any letter.
    program.contains('\\') || ["sshd", "dropbear"].contains(&program.rsplit('/').next().unwrap_or(&program))
}

/// Whether a line of the server's unit shows it other files, or starts something else or with files elsewhere.
fn is_of_another((case, budget): (&Case<'_>, &Cell<usize>), line: &str) -> bool {
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
    let Some((key, value)) = line.split_once('=') else { return false };
    let (key, value) = (key.trim(), value.trim());
    if key == "EnvironmentFile" {
        let file = value.trim_start_matches(['-', '/']);
        // What every service is given, such as the settings of a proxy.
        let is_plain = !value.contains(['*', '?', '[', '%', '"', '\'', '\\']) && !value.contains("..");
        let is_harmless = || match case.tree.file(file) {
            Some(found) => {
                let left = budget.get().checked_sub(found.node.bytes().len() + 1);
                budget.set(left.unwrap_or(0));
                found.node.content.is_some() && left.is_some() && !gives_options(&found.node.text())
            }
            None => file.starts_with("etc/") && case.tree.node(file).is_none(),
        };
        let is_known = value.is_empty() || OPTIONS.contains(&file);
        return !(is_known || is_plain && is_harmless());
    }
    if key == "Environment" {
        return value.contains('\\') || started_elsewhere(&value.replace(['"', '\''], ""));
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
    if !runs_server(line) {
        return key == "ExecStart" && !value.is_empty();
    }
    // A percent sign that stands for itself.
    let command = value.trim_start_matches(['@', '-', ':', '+', '!']).replace("%%", "");
    let words = words(&command);
    let program = words.first().map(String::as_str).unwrap_or_default();
    !["/usr/sbin/", "/usr/bin/", "/sbin/"].iter().any(|place| program.starts_with(place))
        || program.contains("..")
        || program.contains(['%', '$'])
        || command.contains('\\')
        || !words.iter().all(|word| is_known(word) && !may_be_option(word))
        || started_elsewhere(&words.join(" "))
}

/// Only whole words, and beginnings of paths: what a variable is joined with makes another option. What it holds is looked
/// at where it gets it.
fn is_known(word: &str) -> bool {
    let Some((before, behind)) = word.split_once('$') else { return true };
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let rest = match behind.strip_prefix('{') {
        Some(braced) => braced.trim_start_matches(is_of_name).strip_prefix('}'),
        None => Some(behind.trim_start_matches(is_of_name)),
    };
    before.is_empty()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') && !rest.contains('$'))
}

/// Whether a word with what systemd puts in place of a percent sign (systemd.unit(5), "Specifiers") may be any option:
/// not where it is a part of a path, or of the value of an option that is named.
fn may_be_option(word: &str) -> bool {
    let before = word.split_once('%').map(|(before, _)| before);
    before.is_some_and(|before| !before.contains(['/', '=', ' ']))
}

/// The words of a command line of a unit without their quotes (systemd.syntax(7), "Quoting").
pub(super) fn words(line: &str) -> Vec<String> {
    let (mut out, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, _) if letter.is_whitespace() => out.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    out.extend(word);
    out
}

/// Whether text of variables gives the SSH server keys or a configuration elsewhere.
fn gives_options(text: &str) -> bool {
    let text = uncommented_options(text);
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let begins =
        |line: &str| line.split_once('=').is_some_and(|(name, _)| name.trim().chars().all(is_of_name));
    let mut is_its = false;
    // A value may go on in the next line.
    text.lines().any(|line| {
        is_its &= !begins(line);
        let names = line.split(|letter: char| !is_of_name(letter));
        is_its |= names.into_iter().any(|name| VARIABLES.contains(&name));
        is_its && started_elsewhere(line)
    })
}

/// Files with options of the server that start it with keys or a configuration elsewhere.
pub(super) fn given_by_files<'c>(case: &'c Case<'_>) -> impl Iterator<Item = Found<'c>> {
    // OpenRC gives some to every service, and others to one of them in a runlevel.
    let of_all =
        case.tree.files("etc/rc.conf.d").map(|(_, found)| found).chain(case.tree.file("etc/rc.conf"));
    let of_all = of_all.filter(|found| gives_options(&found.node.text()));
    let of_one = case.tree.files("etc/conf.d").filter(|(node, _)| node.name().starts_with("sshd."));
    let of_one = of_one.map(|(_, found)| found).chain(OPTIONS.iter().filter_map(|path| case.tree.file(path)));
    let of_one = of_one.filter(|found| {
        // Red Hat's policy of cryptography is no script.
        let (text, is_script) = (found.node.text(), !found.node.path.contains("crypto-policies/"));
        gives_options(&text) || options_lead_elsewhere(&text, is_script)
    });
    of_all.chain(of_one)
}

/// Variables that systemd gives to every service (systemd-system.conf(5)), where they are options of the SSH server.
pub(super) fn given_to_all<'c>(case: &'c Case<'_>) -> impl Iterator<Item = Found<'c>> {
    const PLACES: [&str; 4] = [
        "etc/systemd/system.conf.d",
        "usr/local/lib/systemd/system.conf.d",
        "usr/lib/systemd/system.conf.d",
        "lib/systemd/system.conf.d",
    ];
    let main = ["etc/systemd/system.conf", "usr/lib/systemd/system.conf"]
        .iter()
        .filter_map(|path| case.tree.file(path));
    let more = PLACES.iter().flat_map(|place| case.tree.files(place)).map(|(_, found)| found);
    let gives = |line: &String| {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let is_given = ["DefaultEnvironment", "ManagerEnvironment"].contains(&key.trim());
        is_given && (value.contains("\\x") || gives_options(value))
    };
    main.chain(more).filter(move |found| unit_lines(&found.node.text()).iter().any(gives))
}

/// Whether a file of options starts the server with keys or a configuration elsewhere, or as another program, or is told by
/// the script that reads it to do so, where it is one.
fn options_lead_elsewhere(text: &str, is_script: bool) -> bool {
    // Of Alpine's and Gentoo's script.
    const OF_SCRIPT: [&str; 6] =
        ["cfgfile", "command", "SSHD_CONFIG", "SSHD_BINARY", "SSHD_CONFDIR", "sshd_confdir"];
    const OWN: [&str; 4] = ["/etc/ssh/sshd_config", "/etc/ssh", "/usr/sbin/sshd", ""];
    let text = uncommented_options(text);
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    // What is no plain setting may be any command of a script.
    let is_of_script = |line: &str| {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let (name, value) = (name.trim(), value.trim());
        let own = value.strip_prefix("${RC_PREFIX%/}").unwrap_or(value);
        let mut more = value.split_whitespace().filter_map(|word| word.split_once('=')).map(|(name, _)| name);
        let is_plain = !value.contains(['`', '&', '|'])
            && (!VARIABLES.contains(&name)
                || value.split_whitespace().all(|word| is_known(word) && is_its(word))
                    && !value.contains('\\'));
        OF_SCRIPT.contains(&name) && !OWN.contains(&own)
            || !is_plain
            || !is_name(name)
            || more.any(|name| OF_SCRIPT.contains(&name))
    };
    let mut lines = text.lines().flat_map(|line| line.split(';')).filter(|line| !line.trim().is_empty());
    started_elsewhere(&text) || is_script && lines.any(is_of_script)
}

/// Whether a word of a script's options holds no variable, or one of those that hold options.
fn is_its(word: &str) -> bool {
    let name = word.trim_start_matches(['$', '{']).trim_end_matches('}');
    !word.contains('$') || VARIABLES.contains(&name)
}

/// Options without their comments, quotes and line ends: a `#` inside of quotes begins no comment.
fn uncommented_options(text: &str) -> String {
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
fn started_elsewhere(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let named = ["authorizedkeys", "trustedusercakeys", "include", "pamservicename"];
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
        "systemd.setenv" => value.contains("SULOGIN_FORCE") || gives_options(value),
        _ => false,
    }
}
