//! Whom PAM lets in without a password (the manual page pam.conf(5)).

use super::{Found, lines};
use crate::Tree;
use std::collections::BTreeSet;

/// Services by which somebody signs in, and the files that they share.
const SERVICES: [&str; 11] = [
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
}

/// What a stack has come to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Undecided,
    /// Success, by a step.
    Success(usize),
    Failure,
}

/// The files that let in whoever asks, each with a service.
pub(super) fn open(tree: &Tree) -> Vec<(Found<'_>, &'static str)> {
    let mut out: Vec<(Found<'_>, &'static str)> = Vec::new();
    for service in SERVICES {
        let mut stack = Stack::default();
        stack.service(tree, service);
        let found = stack.opens().and_then(|step| Some(stack.steps.get(step)?.found));
        // One file of several services is told once.
        if let Some(found) = found.filter(|found| out.iter().all(|(known, _)| known.place() != found.place()))
        {
            out.push((found, service));
        }
    }
    out
}

/// What services include of places that are not kept, with the file that says so.
pub(super) fn elsewhere(tree: &Tree) -> Vec<(Found<'_>, String)> {
    let mut out: Vec<(Found<'_>, String)> = Vec::new();
    for service in SERVICES {
        let mut stack = Stack::default();
        stack.service(tree, service);
        for (found, place) in stack.elsewhere {
            if out.iter().all(|(_, known)| *known != place) {
                out.push((found, place));
            }
        }
    }
    out
}

/// The steps of `auth` of one service.
#[derive(Default)]
struct Stack<'t> {
    steps: Vec<Step<'t>>,
    elsewhere: Vec<(Found<'t>, String)>,
    /// Lines that were read: files may include each other over and over.
    lines: usize,
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
        let text = found.node.text().replace("\\\n", " ");
        for line in lines(&text) {
            self.lines += 1;
            if self.lines > LINES_MAX {
                return;
            }
            if self.lines == LINES_MAX || self.steps.len() >= STEPS_MAX || depth > DEPTH_MAX {
                self.lines = LINES_MAX;
                return self.elsewhere.push((found, format!("more than {STEPS_MAX} modules")));
            }
            let Some((control, module, arguments)) = parts(line) else { continue };
            match control {
                "include" => self.include(tree, found, module, (level, depth)),
                "substack" => {
                    // It counts as one module where another jumps.
                    self.steps.push(Step { found, level, actions: vec![(Answer::Ignore, Action::Ignore)] });
                    self.include(tree, found, module, (level + 1, depth));
                }
                _ => {
                    let answer = answer(module, arguments);
                    self.steps.push(Step { found, level, actions: actions(control, answer) });
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
                if name.starts_with('/') && !is_kept {
                    self.elsewhere.push((from, name.to_owned()));
                }
                // The library lets nobody in where a file is missing.
                self.steps.push(Step { found: from, level, actions: vec![(Answer::Failure, Action::Die)] });
            }
        }
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

/// Control, module and arguments of a line of `auth`.
fn parts(line: &str) -> Option<(&str, &str, &str)> {
    if let Some(name) = line.strip_prefix("@include") {
        return name.starts_with(char::is_whitespace).then(|| ("include", name.trim(), ""));
    }
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    if !kind.trim_start_matches('-').eq_ignore_ascii_case("auth") {
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

/// What a module answers to somebody who knows no password and is no superuser. Of those that ask something else than
/// a password it is not known; those that only prepare something say nothing; all others are taken to refuse.
fn answer(module: &str, arguments: &str) -> &'static [Answer] {
    const CONDITIONS: [&str; 5] =
        ["pam_succeed_if", "pam_localuser", "pam_usertype", "pam_listfile", "pam_shells"];
    // What they answer is written elsewhere, in a program, a script or their arguments.
    const TOLD: [&str; 6] =
        ["pam_debug", "pam_exec", "pam_python", "pam_rhosts", "pam_rhosts_auth", "pam_script"];
    const ASIDE: [&str; 22] = [
        "pam_cap",
        "pam_echo",
        "pam_ecryptfs",
        "pam_env",
        "pam_faildelay",
        "pam_faillock",
        "pam_gnome_keyring",
        "pam_group",
        "pam_issue",
        "pam_keyinit",
        "pam_kwallet",
        "pam_kwallet5",
        "pam_loginuid",
        "pam_mail",
        "pam_mount",
        "pam_nologin",
        "pam_securetty",
        "pam_selinux",
        "pam_sepermit",
        "pam_tally",
        "pam_tally2",
        "pam_warn",
    ];
    let name = module.rsplit('/').next().unwrap_or(module).trim_end_matches(".so");
    match name {
        "pam_permit" => &[Answer::Success],
        // Who asks to be another has signed in already.
        _ if CONDITIONS.contains(&name) && !arguments.contains("use_uid") => {
            &[Answer::Success, Answer::Failure]
        }
        _ if TOLD.contains(&name) => &[Answer::Success, Answer::Failure],
        "pam_wheel" if arguments.split_whitespace().any(|word| word == "trust") => {
            &[Answer::Success, Answer::Failure]
        }
        _ if ASIDE.contains(&name) => &[Answer::Ignore],
        _ => &[Answer::Failure],
    }
}

/// What may come of answers, by the control of a line. Failures have many names: each may be the one.
fn actions(control: &str, answers: &[Answer]) -> Vec<(Answer, Action)> {
    let written = match control.to_ascii_lowercase().as_str() {
        "required" => "success=ok ignore=ignore default=bad",
        "requisite" => "success=ok ignore=ignore default=die",
        "sufficient" => "success=done default=ignore",
        "optional" => "success=ok default=ignore",
        _ => control.trim_matches(['[', ']']),
    };
    let pairs = written.split_whitespace().filter_map(|pair| pair.split_once('='));
    let pairs: Vec<(&str, Action)> = pairs.map(|(value, action)| (value, action_of(action))).collect();
    let of = |name: &str| pairs.iter().find(|(value, _)| *value == name).map(|(_, action)| *action);
    let other = of("default").unwrap_or(Action::Bad);
    let one = |answer: &Answer| match answer {
        Answer::Success => vec![(Answer::Success, of("success").unwrap_or(other))],
        Answer::Ignore => vec![(Answer::Ignore, of("ignore").unwrap_or(other))],
        Answer::Failure => {
            let named =
                pairs.iter().filter(|(value, _)| !["success", "new_authtok_reqd", "ignore"].contains(value));
            named.map(|(_, action)| (Answer::Failure, *action)).chain([(Answer::Failure, other)]).collect()
        }
    };
    answers.iter().flat_map(one).collect()
}

fn action_of(text: &str) -> Action {
    match text {
        "ok" => Action::Ok,
        "done" => Action::Done,
        "die" => Action::Die,
        "ignore" => Action::Ignore,
        "reset" => Action::Reset,
        // No jump is as long as the longest stack.
        _ => text.parse().map_or(Action::Bad, |count: usize| Action::Jump(count.min(STEPS_MAX))),
    }
}

#[cfg(test)]
mod tests;
