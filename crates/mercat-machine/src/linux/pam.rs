//! Whom PAM lets in without a password (the manual page pam.conf(5)).

use super::{Found, lines};
use crate::Tree;
use std::collections::BTreeSet;

/// Services by which somebody signs in, and the files that they share.
const SERVICES: [&str; 12] = [
    "common-auth",
    "system-auth",
    "password-auth",
    "sshd",
    "login",
    "remote",
    "su",
    "su-l",
    "sudo",
    "sudo-i",
    "doas",
    "cockpit",
];
/// Where services are described: the first that has a name counts.
const PLACES: [&str; 3] = ["etc/pam.d", "usr/lib/pam.d", "usr/etc/pam.d"];
/// Steps of one service.
const STEPS_MAX: usize = 300;
/// Lines of one service, with all that it includes.
const LINES_MAX: usize = 10_000;
/// Depth of files that include each other, as the library limits them.
const DEPTH_MAX: usize = 16;

/// What comes of an answer of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Ok,
    Done,
    Bad,
    Die,
    Ignore,
    Reset,
    Jump(usize),
}

/// What a module may answer to somebody who knows no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Success,
    Ignore,
    Failure,
}

/// One module of a stack, or the beginning of a stack in it.
struct Step<'t> {
    found: Found<'t>,
    /// Depth of the stack.
    level: usize,
    /// Pairs of an answer and what comes of it.
    actions: Vec<(Answer, Action)>,
    /// Its module, where nobody knows here what it answers.
    unknown: Option<String>,
}

/// What a stack has come to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Undecided,
    /// Success, by a step.
    Success(usize),
    Failure,
}

/// What is wrong with whom services let in, each with the file that says so. `more` are services of the SSH server.
pub(super) fn faults<'t>(tree: &'t Tree, more: &[&str]) -> Vec<(Found<'t>, String)> {
    let mut open: Vec<(Found<'_>, String)> = Vec::new();
    let mut elsewhere: Vec<(Found<'_>, String)> = Vec::new();
    for service in SERVICES.iter().chain(more) {
        let mut stack = Stack { is_of_su: matches!(*service, "su" | "su-l"), ..Stack::default() };
        stack.service(tree, service);
        if let Some(step) = stack.opens().and_then(|step| stack.steps.get(step)) {
            let observed = match &step.unknown {
                Some(module) => format!("PAM asks {module} and no password ({service})"),
                None => format!("PAM lets in without a password ({service})"),
            };
            // One file of several services is told once.
            if open.iter().all(|(known, _)| known.place() != step.found.place()) {
                open.push((step.found, observed));
            }
        }
        for (found, observed) in stack.elsewhere {
            if elsewhere.iter().all(|(_, known)| *known != observed) {
                elsewhere.push((found, observed));
            }
        }
    }
    // One file for all services counts where there is no directory of them.
    let alone =
        tree.file("etc/pam.conf").filter(|_| PLACES.iter().all(|place| tree.below(place).next().is_none()));
    if let Some(found) = alone.filter(|found| lines(&found.node.text()).next().is_some()) {
        elsewhere.push((found, "PAM reads etc/pam.conf, which was not looked into".to_owned()));
    }
    open.into_iter().chain(elsewhere).collect()
}

/// The steps of `auth` of one service.
#[derive(Default)]
struct Stack<'t> {
    steps: Vec<Step<'t>>,
    elsewhere: Vec<(Found<'t>, String)>,
    /// Lines that were read: files may include each other over and over.
    lines: usize,
    is_over: bool,
    /// Whether who asks has signed in already, and asks to be another; sudo asks as the superuser.
    is_of_su: bool,
}

impl<'t> Stack<'t> {
    fn service(&mut self, tree: &'t Tree, name: &str) {
        if let Some(found) = PLACES.iter().find_map(|place| tree.file(&format!("{place}/{name}"))) {
            self.read(tree, found, 0, 0);
        }
        // What a service leaves open is asked of this one.
        let other = PLACES.iter().find_map(|place| tree.file(&format!("{place}/other")));
        if let Some(found) = other.filter(|_| self.steps.is_empty() && !name.ends_with("-auth")) {
            self.read(tree, found, 0, 0);
        }
    }

    fn read(&mut self, tree: &'t Tree, found: Found<'t>, level: usize, depth: usize) {
        let text = found.node.text();
        if has_comment_within(&text) {
            let observed =
                "PAM reads a line that goes on behind a comment, which is read in two ways".to_owned();
            self.elsewhere.push((found, observed));
        }
        let text = joined(&text);
        for line in lines(&text) {
            if self.is_over {
                return;
            }
            self.lines += 1;
            if self.lines > LINES_MAX || self.steps.len() >= STEPS_MAX || depth > DEPTH_MAX {
                self.is_over = true;
                let observed =
                    format!("PAM reads more than {STEPS_MAX} modules, or {DEPTH_MAX} files below each other");
                return self.elsewhere.push((found, observed));
            }
            let Some((control, module, arguments)) = parts(line) else { continue };
            // The library takes brackets off of every word.
            let module = module.trim_matches(['[', ']']);
            match control.trim_matches(['[', ']']).trim().to_ascii_lowercase().as_str() {
                "include" => self.include(tree, found, module, (level, depth)),
                "substack" => {
                    // It counts as one module where another jumps.
                    self.step(found, level, vec![(Answer::Ignore, Action::Ignore)]);
                    self.include(tree, found, module, (level + 1, depth));
                }
                _ => {
                    let answers = answers(name(module), arguments, self.is_of_su);
                    let unknown = answers.is_none().then(|| module.to_owned());
                    let actions = actions(control, answers.unwrap_or(ANY));
                    self.steps.push(Step { found, level, actions, unknown });
                }
            }
        }
    }

    fn include(&mut self, tree: &'t Tree, from: Found<'t>, name: &str, (level, depth): (usize, usize)) {
        let named = match name.strip_prefix('/') {
            Some(path) => tree.file(path),
            None => PLACES.iter().find_map(|place| tree.file(&format!("{place}/{name}"))),
        };
        match named.filter(|found| found.node.content.is_some()) {
            Some(found) => self.read(tree, found, level, depth + 1),
            None => {
                let is_kept =
                    ["/etc/", "/usr/etc/", "/usr/lib/pam.d/"].iter().any(|top| name.starts_with(top));
                if name.starts_with('/') && !is_kept || name.contains("..") {
                    self.elsewhere.push((from, format!("PAM reads {name}, where nothing was looked at")));
                }
                // The library lets nobody in where a file is missing.
                self.step(from, level, vec![(Answer::Failure, Action::Die)]);
            }
        }
    }

    fn step(&mut self, found: Found<'t>, level: usize, actions: Vec<(Answer, Action)>) {
        self.steps.push(Step { found, level, actions, unknown: None });
    }

    /// The step by which somebody without a password comes in.
    fn opens(&self) -> Option<usize> {
        let mut seen = BTreeSet::new();
        let mut todo = vec![(0, State::Undecided)];
        while let Some((at, state)) = todo.pop() {
            let Some(step) = self.steps.get(at) else {
                match state {
                    State::Success(by) => return Some(by),
                    _ => continue,
                }
            };
            if !seen.insert((at, state)) {
                continue;
            }
            for (answer, action) in &step.actions {
                let succeeded = match (state, answer) {
                    (State::Failure, _) => State::Failure,
                    (_, Answer::Failure) => State::Failure,
                    (State::Undecided, Answer::Success) => State::Success(at),
                    (state, _) => state,
                };
                todo.push(match action {
                    Action::Ignore => (at + 1, state),
                    Action::Reset => (at + 1, State::Undecided),
                    Action::Jump(count) => (self.behind(at, *count), state),
                    Action::Ok => (at + 1, succeeded),
                    Action::Done if matches!(succeeded, State::Success(_)) => (self.end(at), succeeded),
                    Action::Done => (at + 1, succeeded),
                    Action::Bad => (at + 1, State::Failure),
                    Action::Die => (self.end(at), State::Failure),
                });
            }
        }
        None
    }

    /// The step behind the stack that a step is in.
    fn end(&self, at: usize) -> usize {
        let level = self.steps.get(at).map_or(0, |step| step.level);
        let behind = self.steps.iter().skip(at).take_while(|step| level > 0 && step.level >= level).count();
        if level == 0 { self.steps.len() } else { at + behind }
    }

    /// The step to which a jump leads, which does not leave its stack.
    fn behind(&self, at: usize, count: usize) -> usize {
        let level = self.steps.get(at).map_or(0, |step| step.level);
        let mut to = at + 1;
        for _ in 0..count {
            if self.steps.get(to).is_none_or(|step| step.level < level) {
                break;
            }
            to += 1;
            to += self.steps.iter().skip(to).take_while(|step| step.level > level).count();
        }
        to
    }
}

/// Lines as the library puts them together: comments are cut first, and do not go on.
fn joined(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let (line, is_cut) = line.split_once('#').map_or((line, false), |(line, _)| (line, true));
        let line = line.trim_end();
        match line.strip_suffix('\\').filter(|_| !is_cut) {
            Some(line) => out.extend([line, " "]),
            None => out.extend([line, "\n"]),
        }
    }
    out
}

/// Whether a line that goes on is followed by a comment or nothing: some versions of the library go on behind it.
fn has_comment_within(text: &str) -> bool {
    let goes_on = |line: &str| line.trim_end().ends_with('\\') && !line.contains('#');
    let mut lines = text.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        if goes_on(line) && lines.peek().is_some_and(|next| next.is_empty() || next.starts_with('#')) {
            return true;
        }
    }
    false
}

/// Control, module and arguments of a line of `auth`.
fn parts(line: &str) -> Option<(&str, &str, &str)> {
    if let Some(name) = line.strip_prefix("@include") {
        let first = name.split_whitespace().next()?;
        return name.starts_with(char::is_whitespace).then_some(("include", first, ""));
    }
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    if !kind.trim_matches(['[', ']', '-']).eq_ignore_ascii_case("auth") {
        return None;
    }
    let rest = rest.trim_start();
    let end = match rest.strip_prefix('[') {
        Some(inside) => inside.find(']')? + 2,
        None => rest.find(char::is_whitespace)?,
    };
    let (control, rest) = rest.split_at_checked(end)?;
    let rest = rest.trim_start();
    let (module, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    Some((control, module, arguments))
}

/// The name of a module; the whole path where it is not among those of the system.
fn name(module: &str) -> &str {
    const DIRECTORIES: [&str; 4] = ["/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/"];
    let rest = DIRECTORIES.iter().find_map(|place| module.strip_prefix(*place));
    let name = match rest {
        Some(rest) => {
            let (front, rest) = rest.split_once('/').unwrap_or(("", rest));
            match front {
                "security" => Some(rest),
                front if front.contains("-linux-") => rest.strip_prefix("security/"),
                _ => None,
            }
        }
        None if module.starts_with("/nix/store/") => {
            module.rsplit_once("/lib/security/").map(|(_, name)| name)
        }
        None => Some(module),
    };
    let name = name.filter(|name| !name.contains('/'));
    name.map_or(module, |name| name.strip_suffix(".so").unwrap_or(name))
}

/// What nobody knows of: it may answer either way.
const ANY: &[Answer] = &[Answer::Success, Answer::Failure];

/// What a module answers to somebody who knows no password and is no superuser; `None` where it is not known here, as
/// of those whose answer is in a program, a script or their arguments. Those that ask for something else than a
/// password refuse too, unless what they compare it with is the image's. `is_of_su` says that who asks has signed in.
fn answers(name: &str, arguments: &str, is_of_su: bool) -> Option<&'static [Answer]> {
    const CONDITIONS: [&str; 8] = [
        "pam_access",
        "pam_lastlog",
        "pam_listfile",
        "pam_localuser",
        "pam_securetty",
        "pam_shells",
        "pam_succeed_if",
        "pam_usertype",
    ];
    const ASIDE: [&str; 37] = [
        "pam_afs_session",
        "pam_apparmor",
        "pam_cap",
        "pam_echo",
        "pam_ecryptfs",
        "pam_elogind",
        "pam_env",
        "pam_faildelay",
        "pam_faillock",
        "pam_fscrypt",
        "pam_gdm",
        "pam_gnome_keyring",
        "pam_group",
        "pam_issue",
        "pam_keyinit",
        "pam_kwallet",
        "pam_kwallet5",
        "pam_limits",
        "pam_loginuid",
        "pam_mail",
        "pam_mkhomedir",
        "pam_motd",
        "pam_mount",
        "pam_namespace",
        "pam_nologin",
        "pam_reauthorize",
        "pam_selinux",
        "pam_sepermit",
        "pam_ssh_add",
        "pam_systemd",
        "pam_systemd_loadkey",
        "pam_tally",
        "pam_tally2",
        "pam_umask",
        "pam_warn",
        "pam_xauth",
        "pam_zfs_key",
    ];
    const ASKING: [&str; 40] = [
        "pam_aad",
        "pam_centrifydc",
        "pam_cockpit_cert",
        "pam_cracklib",
        "pam_deny",
        "pam_duo",
        "pam_fprintd",
        "pam_google_authenticator",
        "pam_himmelblau",
        "pam_krb5",
        "pam_ldap",
        "pam_lsass",
        "pam_oath",
        "pam_oslogin_admin",
        "pam_oslogin_login",
        "pam_otpw",
        "pam_p11",
        "pam_passwdqc",
        "pam_pkcs11",
        "pam_poldi",
        "pam_pwquality",
        "pam_radius_auth",
        "pam_rootok",
        "pam_rssh",
        "pam_slurm",
        "pam_slurm_adopt",
        "pam_ssh",
        "pam_ssh_agent_auth",
        "pam_sss",
        "pam_sss_gss",
        "pam_systemd_home",
        "pam_tacplus",
        "pam_tcb",
        "pam_time",
        "pam_timestamp",
        "pam_u2f",
        "pam_unix",
        "pam_unix2",
        "pam_winbind",
        "pam_yubico",
    ];
    // Files with what is asked for.
    const OF_IMAGE: [&str; 5] = ["usersfile=", "conf=", "authfile=", "file=", "secret="];
    let has = |word: &str| arguments.split_whitespace().any(|argument| argument == word);
    let sets = |key: &str| arguments.split_whitespace().any(|argument| argument.contains(key));
    match name {
        "pam_permit" => Some(&[Answer::Success]),
        // These look at who asks, which elsewhere is the superuser.
        "pam_rootok" if !is_of_su => Some(ANY),
        "pam_succeed_if" | "pam_usertype" if is_of_su && has("use_uid") => Some(&[Answer::Failure]),
        _ if CONDITIONS.contains(&name) => Some(ANY),
        "pam_faillock" if has("authfail") => Some(&[Answer::Failure]),
        "pam_wheel" if has("trust") => Some(ANY),
        "pam_wheel" => Some(&[Answer::Failure, Answer::Ignore]),
        // Some of them succeed when there is nothing for them to do.
        _ if ASIDE.contains(&name) => Some(&[Answer::Success, Answer::Ignore]),
        _ if ASKING.contains(&name)
            && (has("alwaysok") || has("nouserok") || OF_IMAGE.iter().any(|key| sets(key))) =>
        {
            None
        }
        _ if ASKING.contains(&name) => Some(&[Answer::Failure]),
        _ => None,
    }
}

/// What may come of answers, by the control of a line. Failures have many names: each may be the one.
fn actions(control: &str, answers: &[Answer]) -> Vec<(Answer, Action)> {
    let control = control.trim_matches(['[', ']']);
    let written = match control.trim().to_ascii_lowercase().as_str() {
        "required" => "success=ok ignore=ignore default=bad",
        "requisite" => "success=ok ignore=ignore default=die",
        "sufficient" => "success=done default=ignore",
        "optional" => "success=ok default=ignore",
        _ => control,
    };
    // Where it cannot read one, it refuses whatever is answered.
    let pairs = pairs(written).unwrap_or_default();
    let of = |name: &str| pairs.iter().rfind(|(value, _)| *value == name).map(|(_, action)| *action);
    // Of several of these the first counts.
    let other =
        pairs.iter().find(|(value, _)| *value == "default").map_or(Action::Bad, |(_, action)| *action);
    let one = |answer: &Answer| match answer {
        Answer::Success => vec![(Answer::Success, of("success").unwrap_or(other))],
        Answer::Ignore => vec![(Answer::Ignore, of("ignore").unwrap_or(other))],
        Answer::Failure => {
            let named = pairs
                .iter()
                .filter(|(value, _)| !["success", "new_authtok_reqd", "ignore", "default"].contains(value));
            named.map(|(_, action)| (Answer::Failure, *action)).chain([(Answer::Failure, other)]).collect()
        }
    };
    answers.iter().flat_map(one).collect()
}

/// Pairs of an answer and what comes of it, which need no blank between them; `None` where the library reads none.
fn pairs(mut text: &str) -> Option<Vec<(&str, Action)>> {
    let mut out = Vec::new();
    loop {
        text = text.trim_start();
        if text.is_empty() {
            return Some(out);
        }
        let (name, behind) = text.split_once('=')?;
        let (action, rest) = action(behind.trim_start())?;
        let name = name.trim_end();
        out.push(Some((name, action)).filter(|_| !name.contains(char::is_whitespace))?);
        text = rest;
    }
}

/// The action at the beginning of a text, and what is behind it.
fn action(text: &str) -> Option<(Action, &str)> {
    const WORDS: [(&str, Action); 6] = [
        ("ignore", Action::Ignore),
        ("ok", Action::Ok),
        ("done", Action::Done),
        ("bad", Action::Bad),
        ("die", Action::Die),
        ("reset", Action::Reset),
    ];
    let word = |(word, action): &(&str, Action)| Some((*action, text.strip_prefix(word)?));
    if let Some(found) = WORDS.iter().find_map(word) {
        return Some(found);
    }
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let count = number.parse::<usize>().ok().filter(|count| *count > 0)?;
    // No jump is as long as the longest stack.
    Some((Action::Jump(count.min(STEPS_MAX)), rest))
}

#[cfg(test)]
mod tests;
