//! Services: LNX-08, 16 and 29.

use super::{Case, Faults, Found, Outcome, at, is_enabled, lines};
use crate::mounts::Doubt;
use crate::{Node, Tree};

/// A line of the SSH server's configuration.
pub(super) struct Line<'t> {
    pub(super) found: Found<'t>,
    pub(super) text: String,
    /// Whether it counts for some connections only.
    is_in_match: bool,
}

/// The SSH server's configuration.
#[derive(Default)]
pub(super) struct Config<'t> {
    /// Lines that were read: files may include each other over and over.
    read: usize,
    /// Its lines in the order in which they are read: `Include` lines stand for the files that they name.
    pub(super) lines: Vec<Line<'t>>,
    /// What it includes of places that are not kept.
    pub(super) doubts: Vec<Doubt>,
}

impl<'t> Config<'t> {
    pub(super) fn of(tree: &'t Tree) -> Self {
        let mut out = Self::default();
        let main = ["etc/ssh/sshd_config", "usr/etc/ssh/sshd_config"].iter().find_map(|path| tree.file(path));
        if let Some(main) = main {
            include(tree, main, (0, false), &mut out);
        }
        out
    }
}

/// Depth of includes, as the server limits them.
const INCLUDE_DEPTH_MAX: u32 = 16;
/// Lines that are looked at, whatever includes what.
const LINES_MAX: usize = 20_000;

/// Reads a file. A `Match` in it ends with it (sshd_config(5), `Include`).
fn include<'t>(
    tree: &'t Tree,
    found: Found<'t>,
    (depth, mut is_in_match): (u32, bool),
    out: &mut Config<'t>,
) {
    for line in lines(&found.node.text()) {
        out.read += 1;
        if out.read == LINES_MAX {
            let observed = format!("sshd reads more than {LINES_MAX} lines, with what they include");
            out.doubts.push(Doubt { place: found.place(), observed });
        }
        if out.read >= LINES_MAX {
            return;
        }
        let (word, rest) = keyword(line);
        is_in_match |= word == "match";
        if word != "include" || depth >= INCLUDE_DEPTH_MAX {
            out.lines.push(Line { found, text: line.to_owned(), is_in_match });
            continue;
        }
        for pattern in values(rest) {
            let pattern = match pattern.strip_prefix('/') {
                Some(absolute) => absolute.to_owned(),
                None => format!("etc/ssh/{pattern}"),
            };
            let Some(files) = glob(tree, &pattern) else {
                let observed = format!("sshd reads /{pattern}, where nothing was looked at");
                out.doubts.push(Doubt { place: found.place(), observed });
                continue;
            };
            for found in files {
                include(tree, found, (depth + 1, is_in_match), out);
            }
        }
    }
}

/// Files that a pattern with `*` in its last part names, in their order; `None` where not all of them are kept, or the
/// pattern is another one.
fn glob<'t>(tree: &'t Tree, pattern: &str) -> Option<Vec<Found<'t>>> {
    let (directory, name) = pattern.rsplit_once('/')?;
    let is_plain = |text: &str| !text.contains(['*', '?', '[', '\\']);
    let is_kept = |path: &str| {
        let real = tree.real(path).unwrap_or_default() + "/";
        ["etc/", "usr/etc/"].iter().any(|kept| real.starts_with(kept))
    };
    let Some((front, back)) = name.split_once('*') else {
        let found = tree.file(pattern).filter(|found| found.node.content.is_some());
        return (is_plain(pattern) && (found.is_some() || is_kept(pattern)))
            .then(|| found.into_iter().collect());
    };
    if !is_kept(directory) || ![directory, front, back].iter().all(|part| is_plain(part)) {
        return None;
    }
    let fits = |node: &Node| {
        let name = node.name();
        let is_shown = !name.starts_with('.') || front.starts_with('.');
        let long = name.len() >= front.len() + back.len() && is_shown;
        long && name.starts_with(front) && name.ends_with(back)
    };
    let depth = directory.split('/').count() + 1;
    let files = tree.files(directory).filter(|(node, _)| node.path.split('/').count() <= depth && fits(node));
    Some(files.map(|(_, found)| found).collect())
}

/// A line's keyword in lower case, and what follows.
pub(super) fn keyword(line: &str) -> (String, &str) {
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    // The server takes quotes out of a word wherever they stand.
    let word = word.replace('"', "").to_ascii_lowercase();
    (word, rest.trim_start_matches(|c: char| c.is_whitespace() || c == '='))
}

/// The values of a line of the server: blanks part them outside of quotes of either kind, and an unquoted `#` at the
/// beginning of one ends the line.
pub(super) fn values(rest: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in rest.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, _) if letter.is_whitespace() => out.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    out.extend(word);
    out
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
    let config = &case.sshd().lines;
    let place = at(case.tree, "etc/ssh/sshd_config");
    if config.is_empty() && !has_server(case.tree) {
        return Outcome::not_applicable("no SSH server");
    }
    let outside = config.iter().filter(|line| !line.is_in_match);
    let first = outside
        .map(|line| (&line.found, keyword(&line.text)))
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
    let enabled =
        is_enabled(case.tree, &["ssh", "sshd", "ssh@", "sshd@"]) || is_enabled(case.tree, &["dropbear"]);
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
