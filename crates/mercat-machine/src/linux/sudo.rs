//! Who may use sudo without a password (the manual page sudoers(5)).

use super::{Case, Found};
use crate::Node;
use std::collections::{BTreeMap, BTreeSet};

/// Files and directories that are read for what others include.
const FILES_MAX: usize = 1000;

/// The sudoers file with what it includes.
pub(super) fn files<'c>(case: &'c Case<'_>) -> Vec<Found<'c>> {
    read(case).0.into_iter().map(|(found, _)| found).collect()
}

/// The files, each with the directory from which what it includes is named, and whether there are more.
fn read<'c>(case: &'c Case<'_>) -> (Vec<(Found<'c>, String)>, bool) {
    // Of the first two sudo reads one, sudo-rs a file of its own in their place.
    let main = ["etc/sudoers", "usr/etc/sudoers"].iter().find_map(|path| case.tree.file(path));
    let main = main.into_iter().chain(case.tree.file("etc/sudoers-rs"));
    // sudo leaves out names with a dot or a tilde at the end.
    let included = |node: &Node| !node.name().contains('.') && !node.name().ends_with('~');
    let mut out: Vec<(Found<'_>, String)> = main.map(|found| (found, "etc".to_owned())).collect();
    let mut places = vec!["etc/sudoers.d".to_owned(), "usr/etc/sudoers.d".to_owned()];
    places.extend(out.iter().flat_map(|(found, directory)| includes(&found.node.text(), directory)));
    let mut seen = BTreeSet::new();
    while let Some(place) = places.pop() {
        // Links could lead around for ever, under longer and longer names.
        if seen.len() == FILES_MAX {
            return (out, true);
        }
        if !seen.insert(place.clone()) {
            continue;
        }
        let front = place.rsplit_once('/').map_or("", |(front, _)| front).to_owned();
        let below = case.tree.files(&place).filter(|(node, _)| included(node));
        let below = below.map(|(_, found)| (found, place.clone()));
        let read: Vec<_> =
            case.tree.file(&place).map(|found| (found, front)).into_iter().chain(below).collect();
        places.extend(read.iter().flat_map(|(found, directory)| includes(&found.node.text(), directory)));
        out.extend(read);
    }
    (out, false)
}

/// What else decides who may use sudo and was not looked into, with the file that says so.
pub(super) fn elsewhere<'c>(case: &'c Case<'_>) -> Vec<(Found<'c>, String)> {
    // What stands for the name of the machine is told by nothing here.
    let is_kept = |place: &String| {
        let real = case.tree.real(place).unwrap_or_else(|| place.clone());
        ["etc/", "usr/etc/"].iter().any(|kept| real.starts_with(kept))
            && !place.contains('%')
            && !place.split('/').any(|part| part == "..")
    };
    let (files, is_over) = read(case);
    let first = files.first().filter(|_| is_over).map(|(found, _)| *found);
    let over = first.map(|found| (found, format!("sudo reads more than {FILES_MAX} files")));
    let all = files.into_iter().flat_map(|(found, directory)| {
        let places = includes(&found.node.text(), &directory).into_iter().filter(|place| !is_kept(place));
        let unread = found.node.content.is_none().then(|| found.node.path.clone());
        let places =
            places.chain(unread).map(|place| format!("sudo reads /{place}, where nothing was looked at"));
        places.map(move |told| (found, told)).collect::<Vec<_>>()
    });
    all.chain(over).chain(by_plugins(case)).collect()
}

/// Plugins that decide in place of the sudoers file, and other files of that name (sudo.conf(5)).
fn by_plugins<'c>(case: &'c Case<'_>) -> Vec<(Found<'c>, String)> {
    // Such as /usr/libexec/sudo/ or /usr/lib/x86_64-linux-gnu/sudo/.
    let is_own = |place: &str| {
        place.is_empty()
            || place.starts_with("/usr/lib") && place.ends_with("/sudo/") && !place.contains("..")
    };
    let Some(found) = ["etc/sudo.conf", "usr/etc/sudo.conf"].iter().find_map(|path| case.tree.file(path))
    else {
        return Vec::new();
    };
    let mut told = Vec::new();
    for line in continued(&found.node.text()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let first = words.first().map(|word| word.to_ascii_lowercase());
        match (first.as_deref(), words.as_slice()) {
            (Some("plugin"), [_, _, program, options @ ..]) => {
                if !program.strip_suffix("sudoers.so").is_some_and(is_own) {
                    told.push(format!("sudo asks the plugin {program}"));
                }
                let files = options.iter().filter_map(|word| word.strip_prefix("sudoers_file="));
                let others = files.filter(|file| *file != "/etc/sudoers");
                told.extend(others.map(|file| format!("sudo reads {file}, where nothing was looked at")));
            }
            (Some("path"), [_, "plugin_dir", place, ..])
                if !is_own(&format!("{}/", place.trim_end_matches('/'))) =>
            {
                told.push(format!("sudo looks for plugins in {place}"));
            }
            _ => {}
        }
    }
    told.into_iter().map(|told| (found, told)).collect()
}

/// Lines of `sudo.conf`: comments are cut first and do not go on, and between parts of a line stands nothing.
fn continued(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    for line in text.lines() {
        let (line, is_cut) = line.split_once('#').map_or((line, false), |(line, _)| (line, true));
        let line = line.trim();
        let part = line.strip_suffix('\\').filter(|_| !is_cut);
        if let Some(last) = out.last_mut() {
            last.push_str(part.unwrap_or(line));
        }
        if part.is_none() {
            out.push(String::new());
        }
    }
    out
}

/// Files and directories that a file includes, without their first slash; `directory` is where that file is.
fn includes(text: &str, directory: &str) -> Vec<String> {
    let mut places = Vec::new();
    for line in joined(text) {
        let Some(rest) = ["@includedir", "#includedir", "@include", "#include"]
            .iter()
            .find_map(|word| line.strip_prefix(word).filter(|rest| rest.starts_with([' ', '\t'])))
        else {
            continue;
        };
        let place = rest.trim().trim_matches('"').replace('\\', "");
        let is_absolute = place.starts_with('/');
        let place = place.trim_matches('/');
        places.push(if is_absolute { place.to_owned() } else { format!("{directory}/{place}") });
    }
    places
}

/// A line without its comment, which does not go on: a sign that begins no number of a user and no word of its own.
fn uncommented(line: &str) -> &str {
    let is_comment = |(at, _): &(usize, &str)| {
        let rest = &line[at + 1..];
        let is_word = line[..*at].trim().is_empty() && rest.starts_with("include");
        !rest.starts_with(|letter: char| letter.is_ascii_digit()) && !is_word && !line[..*at].ends_with('\\')
    };
    line.match_indices('#').find(is_comment).map_or(line, |(at, _)| &line[..at])
}

/// Lines without comments, those that a backslash continues joined.
fn joined(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text.lines().map(uncommented) {
        // Blanks may stand behind.
        let (line, more) = match line.trim_end().strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match out.last_mut().filter(|_| goes_on) {
            Some(last) => last.push_str(line),
            None => out.push(line.trim_start().to_owned()),
        }
        goes_on = more;
    }
    // A sign and digits are the number of a user, and these words are no comments either.
    let is_said = |line: &String| match line.strip_prefix('#') {
        Some(rest) => rest.starts_with(|letter: char| letter.is_ascii_digit()) || rest.starts_with("include"),
        None => !line.is_empty(),
    };
    out.into_iter().filter(is_said).collect()
}

/// Somebody who needs no password.
pub(super) struct Free {
    pub(super) name: String,
    /// No person, and allowed one or more commands that are named.
    pub(super) is_service: bool,
}

/// Names that stand for lists.
#[derive(Default)]
struct Aliases {
    users: BTreeMap<String, Vec<String>>,
    commands: BTreeMap<String, Vec<String>>,
}

impl Aliases {
    fn of<'l>(lines: impl Iterator<Item = &'l String>) -> Self {
        let mut out = Self::default();
        for line in lines {
            let Some((kind, rest)) = line.split_once(char::is_whitespace) else { continue };
            let aliases = match kind {
                "User_Alias" => &mut out.users,
                "Cmnd_Alias" | "Cmd_Alias" => &mut out.commands,
                _ => continue,
            };
            for one in rest.split(':') {
                if let Some((name, members)) = one.split_once('=') {
                    aliases.insert(name.trim().to_owned(), listed(members));
                }
            }
        }
        out
    }
}

/// What a list means, once each: names of other lists stand for what is in those.
fn expanded(list: Vec<String>, aliases: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let (mut out, mut seen, mut todo) = (BTreeSet::new(), BTreeSet::new(), list);
    while let Some(one) = todo.pop() {
        match aliases.get(&one) {
            Some(more) if seen.insert(one.clone()) => todo.extend(more.iter().cloned()),
            Some(_) => {}
            None => drop(out.insert(one)),
        }
    }
    out
}

/// Users that are there and need no password, with the file that says so.
pub(super) fn free<'c>(case: &'c Case<'_>) -> Vec<(Found<'c>, Free)> {
    let files: Vec<(Found<'c>, Vec<String>)> =
        files(case).into_iter().map(|found| (found, joined(&found.node.text()))).collect();
    let aliases = Aliases::of(files.iter().flat_map(|(_, lines)| lines));
    // Who is named, and whether all that is said of somebody is about commands. Each is told once, by the worst.
    let mut entries: BTreeMap<String, (bool, Found<'c>)> = BTreeMap::new();
    for (found, lines) in &files {
        for line in lines {
            let users = if let Some(settings) = line.strip_prefix("Defaults") {
                let plain = settings.replace(char::is_whitespace, "");
                if let Some((_, group)) = plain.split_once("exempt_group=") {
                    let group = group.split(',').next().unwrap_or_default().trim_matches('"');
                    entries.entry(format!("%{group}")).or_insert((false, *found)).0 = false;
                }
                if !plain.contains("!authenticate") {
                    continue;
                }
                match settings.strip_prefix(':') {
                    Some(of) => listed(of.split_whitespace().next().unwrap_or_default()),
                    None => vec!["ALL".to_owned()],
                }
            } else if line.contains("NOPASSWD") {
                // The list ends where the hosts begin: at the first blank that no comma stands beside.
                listed(&user_list(line))
            } else {
                continue;
            };
            let is_told = is_of_commands(line, &aliases.commands);
            for user in expanded(users, &aliases.users) {
                let known = entries.entry(user).or_insert((is_told, *found));
                if known.0 && !is_told {
                    *known = (false, *found);
                }
            }
        }
    }
    let people = People::of(case);
    let mut out: BTreeMap<String, (bool, Found<'c>)> = BTreeMap::new();
    for (entry, (is_told, found)) in &entries {
        for name in people.meant(entry) {
            let is_service = *is_told && people.is_service(&name);
            let known = out.entry(name).or_insert((is_service, *found));
            if known.0 && !is_service {
                *known = (false, *found);
            }
        }
    }
    out.into_iter().map(|(name, (is_service, found))| (found, Free { name, is_service })).collect()
}

/// Whether all that a line allows without a password are commands that it names by whole paths, none of which starts
/// others or writes anywhere.
fn is_of_commands(line: &str, aliases: &BTreeMap<String, Vec<String>>) -> bool {
    // Shells, interpreters, editors and pagers, and what runs or writes what it is told to.
    const STARTING: [&str; 76] = [
        "sh",
        "bash",
        "rbash",
        "dash",
        "ash",
        "zsh",
        "ksh",
        "csh",
        "tcsh",
        "fish",
        "busybox",
        "su",
        "sudo",
        "doas",
        "pkexec",
        "env",
        "python",
        "perl",
        "ruby",
        "lua",
        "node",
        "php",
        "awk",
        "gawk",
        "mawk",
        "sed",
        "ed",
        "vi",
        "vim",
        "nvim",
        "nano",
        "emacs",
        "less",
        "more",
        "man",
        "find",
        "xargs",
        "tar",
        "rsync",
        "ssh",
        "scp",
        "git",
        "gdb",
        "strace",
        "make",
        "tee",
        "cp",
        "mv",
        "dd",
        "ln",
        "install",
        "chmod",
        "chown",
        "chroot",
        "nsenter",
        "unshare",
        "docker",
        "podman",
        "systemd-run",
        "script",
        "screen",
        "tmux",
        "expect",
        "socat",
        "nc",
        "nohup",
        "timeout",
        "nice",
        "setsid",
        "watch",
        "at",
        "crontab",
        "visudo",
        "passwd",
        "chpasswd",
        "usermod",
    ];
    // What changes nothing of who may do what.
    const TAGS: [&str; 8] =
        ["NOEXEC:", "NOSETENV:", "LOG_INPUT:", "LOG_OUTPUT:", "NOFOLLOW:", "MAIL:", "NOMAIL:", "NOPASSWD:"];
    let Some((_, mut commands)) = line.split_once("NOPASSWD:") else { return false };
    while let Some(rest) = TAGS.iter().find_map(|tag| commands.trim_start().strip_prefix(tag)) {
        commands = rest;
    }
    let is_plain = |command: &String| {
        let program = command.split_whitespace().next().unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default();
        // With a version behind it, it is the same.
        let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || ".-".contains(c));
        program.starts_with('/')
            && !name.is_empty()
            && !STARTING.contains(&bare)
            && !program.contains(['*', '?', '[', '\\', '!'])
    };
    // Behind a colon another rule begins.
    let commands = Some(commands).filter(|commands| !commands.contains([':', '=', '(']));
    commands.is_some_and(|commands| expanded(listed(commands), aliases).iter().all(is_plain))
}

fn user_list(line: &str) -> String {
    let mut out = String::new();
    for word in line.split_whitespace() {
        let begins = out.is_empty() || out.ends_with(',') || word.starts_with(',');
        if !begins {
            break;
        }
        out.push_str(word);
    }
    out
}

fn listed(text: &str) -> Vec<String> {
    // A backslash stands before what it does not change, or before a byte in hexadecimal.
    let one = |one: &str| crate::mounts::udev_name(one.trim().trim_matches('"')).replace('\\', "");
    text.split(',').map(one).filter(|one| !one.is_empty()).collect()
}

/// Users of the image, and which groups they are in.
pub(super) struct People {
    /// Name, number, and number of the first group.
    users: Vec<(String, String, String)>,
    /// Name, number and members.
    groups: Vec<(String, String, Vec<String>)>,
    /// Names of those with numbers of the system and without a shell.
    services: Vec<String>,
}

impl People {
    pub(super) fn of(case: &Case<'_>) -> Self {
        let fields = |path: &str| -> Vec<Vec<String>> {
            let text = case.tree.text(path).unwrap_or_default();
            text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
        };
        let field = |fields: &[String], at: usize| fields.get(at).cloned().unwrap_or_default();
        let of_passwd = fields("etc/passwd");
        let is_service = |of: &&Vec<String>| {
            let is_of_system = field(of, 2).parse::<u32>().is_ok_and(|number| number < 1000);
            const NONE: [&str; 5] =
                ["/usr/sbin/nologin", "/sbin/nologin", "/usr/bin/nologin", "/bin/false", "/usr/bin/false"];
            is_of_system && NONE.contains(&field(of, 6).as_str())
        };
        // Of two lines of one name the first counts; what one number may, each of its names may.
        let mut known = BTreeSet::new();
        let persons: BTreeSet<String> =
            of_passwd.iter().filter(|of| !is_service(of)).map(|of| field(of, 2)).collect();
        let first = of_passwd.iter().filter(|of| known.insert(field(of, 0)));
        let services = first.filter(|of| !persons.contains(&field(of, 2))).map(|of| field(of, 0)).collect();
        let users = of_passwd.iter().map(|of| (field(of, 0), field(of, 2), field(of, 3))).collect();
        let groups = fields("etc/group")
            .iter()
            .map(|of| (field(of, 0), field(of, 2), listed(&field(of, 3))))
            .collect();
        Self { users, groups, services }
    }

    /// Whether somebody is no person and has no shell.
    fn is_service(&self, name: &str) -> bool {
        self.services.iter().any(|service| service == name)
    }

    /// Who of those that are there an entry means. The superuser needs no sudo, and of everybody are meant those who can
    /// be persons.
    pub(super) fn meant(&self, entry: &str) -> Vec<String> {
        let mut members: BTreeSet<&str> = BTreeSet::new();
        let mut firsts: BTreeSet<&str> = BTreeSet::new();
        if let Some(group) = entry.strip_prefix('%') {
            let is_it = |(name, number, _): &&(String, String, Vec<String>)| match group.strip_prefix('#') {
                Some(wanted) => number == wanted,
                None => name == group,
            };
            for (_, number, of_group) in self.groups.iter().filter(is_it) {
                members.extend(of_group.iter().map(String::as_str));
                firsts.insert(number);
            }
            if members.is_empty() && firsts.is_empty() {
                return Vec::new();
            }
        }
        let all = self.users.iter().filter(|(name, number, first)| match entry.strip_prefix('%') {
            Some(_) => members.contains(name.as_str()) || firsts.contains(first.as_str()),
            None if entry == "ALL" => {
                number.parse::<u32>().is_ok_and(|number| (1000..65_534).contains(&number))
            }
            None => match entry.strip_prefix('#') {
                Some(wanted) => number == wanted,
                None => name == entry,
            },
        });
        all.filter(|(name, number, _)| name != "root" && number != "0" && !name.is_empty())
            .map(|(name, ..)| name.clone())
            .collect()
    }
}
