//! Whether an image can start at all, as far as names, modes and first bytes tell (CTR-25): what a start test would show
//! first.

use crate::facts::LayerFacts;
use crate::files::{GROUPS, USERS};
use mercat_artifact::oci::Config;
use mercat_inventory::Start;
use mercat_machine::accounts::USERS_MAX;
use std::collections::BTreeSet;

/// What container runtimes set when the image does not.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Directories of `PATH` that are looked into.
const PLACES_MAX: usize = 100;
/// Processors by their name in an image, with the machines of ELF (`e_machine`) whose programs they run.
const MACHINES: [(&str, &[u16]); 8] = [
    ("386", &[3, 62]),
    ("amd64", &[62, 3]),
    ("arm", &[40, 183]),
    ("arm64", &[183, 40]),
    ("loong64", &[258]),
    ("ppc64le", &[21]),
    ("riscv64", &[243]),
    ("s390x", &[22]),
];
/// Names that a layer takes away, most, for it to be asked about single ones.
const GONE_MAX: usize = 10_000;
/// Letters of a name that are told.
const NAME_CHARS_MAX: usize = 200;

/// Why its first program or its user is certainly not there; nothing where it is, or where names alone do not tell.
/// `users` and `groups` are the names in `etc/passwd` and `etc/group`, where those were read.
pub(super) fn hindrance(
    config: &Config,
    layers: &[(&str, &LayerFacts)],
    [users, groups]: [Option<&BTreeSet<String>>; 2],
) -> Option<String> {
    // Others have no such paths, or no such file of users.
    if !config.platform.starts_with("linux/") {
        return None;
    }
    let (user, group) = config.user.split_once(':').unwrap_or((&config.user, ""));
    without_program(config, layers)
        .or_else(|| without_name("User", user, (USERS, users), layers))
        .or_else(|| without_name("the group of User", group, (GROUPS, groups), layers))
}

fn without_program(config: &Config, layers: &[(&str, &LayerFacts)]) -> Option<String> {
    let all = config.entry_point.iter().chain(&config.command);
    let Some(program) = all.clone().next() else {
        return Some("the image has neither Entrypoint nor Cmd".to_owned());
    };
    let of = if config.entry_point.is_empty() { "Cmd" } else { "Entrypoint" };
    let starts = || format!("{of} starts {:?}", short(program));
    match place(program, config, layers)? {
        Place::Missing if program.contains('/') => Some(format!("{}, which is not in the image", starts())),
        Place::Missing => Some(format!("{}, which is in no directory of PATH", starts())),
        Place::At(path) => {
            let why = unstartable(&path, config, layers)?;
            Some(format!("{}, {why}", starts()))
        }
    }
}

/// Where a program is.
enum Place {
    Missing,
    /// From the root, without a slash in front.
    At(String),
}

/// Where runtimes find a program by its name or path; nothing where names do not tell.
fn place(program: &str, config: &Config, layers: &[(&str, &LayerFacts)]) -> Option<Place> {
    if program.is_empty() {
        return None;
    }
    if program.contains('/') {
        let base = if program.starts_with('/') { "" } else { config.directory.as_str() };
        let path = resolved(plainly(&format!("{base}/{program}"))?, layers);
        return Some(if is_missing(&path, layers) { Place::Missing } else { Place::At(path) });
    }
    let mut set = config.env.iter().filter_map(|variable| variable.strip_prefix("PATH="));
    let places = set.next().unwrap_or(PATH);
    if set.next().is_some() || places.split(':').count() > PLACES_MAX {
        return None;
    }
    for place in places.split(':') {
        // Of those that do not begin at the root, runtimes differ.
        let path = plainly(&format!("{place}/{program}")).filter(|_| place.starts_with('/'))?;
        let path = resolved(path, layers);
        // Runtimes go on behind a file that may not be executed.
        let is_passed = matches!(how(&path, layers), Some((false, _)));
        if !is_passed && !is_missing(&path, layers) {
            return Some(Place::At(path));
        }
    }
    Some(Place::Missing)
}

/// Why a kernel does not start a file that is there; nothing where it does, or where the layers do not tell.
fn unstartable(path: &str, config: &Config, layers: &[(&str, &LayerFacts)]) -> Option<String> {
    let (may_be_executed, start) = how(path, layers)?;
    if !may_be_executed {
        return Some("which has no permission to be executed".to_owned());
    }
    let is_gone = |path: &str| {
        path.starts_with('/') && plainly(path).is_some_and(|path| is_missing(&resolved(path, layers), layers))
    };
    match start {
        Start::Script { interpreter, .. } if interpreter.ends_with('\r') => {
            Some("a script whose first line ends with a carriage return".to_owned())
        }
        Start::Script { interpreter, .. } if is_gone(interpreter) => {
            Some(format!("a script for {:?}, which is not in the image", short(interpreter)))
        }
        Start::Script { interpreter, argument } if interpreter.ends_with("/env") => {
            // What may stand in front of a name is a variable, or an option, of which this one splits what follows.
            let argument = argument.strip_prefix("-S").map_or(argument.as_str(), str::trim_start);
            let name = argument.split([' ', '\t']).next().filter(|name| !name.starts_with('-'))?;
            if name.ends_with('\r') {
                return Some("a script whose first line ends with a carriage return".to_owned());
            }
            let is_name = !name.is_empty() && !name.contains(['/', '=', '"', '\'', '\\', '$']);
            let is_missing = is_name && matches!(place(name, config, layers), Some(Place::Missing));
            is_missing.then(|| format!("a script for {:?}, which is in no directory of PATH", short(name)))
        }
        Start::Script { .. } => None,
        Start::Text => {
            Some("which is neither a program nor a script with a first line that names one".to_owned())
        }
        Start::Elf { machine, loader } => {
            let architecture = config.platform.split('/').nth(1).unwrap_or_default();
            let fits = MACHINES.iter().find(|(name, _)| *name == architecture);
            if fits.is_some_and(|(_, machines)| !machines.contains(machine)) {
                return Some(format!("a program for another processor than {architecture}"));
            }
            is_gone(loader)
                .then(|| format!("a program that needs {:?}, which is not in the image", short(loader)))
        }
    }
}

/// How the file starts that the topmost layer with this path has there.
fn how<'f>(path: &str, layers: &[(&str, &'f LayerFacts)]) -> Option<&'f (bool, Start)> {
    // What is no directory above it may be a link.
    let is_above = |facts: &LayerFacts| path.match_indices('/').any(|(at, _)| facts.told.has(&path[..at]));
    let mut from_top = layers.iter().rev().map(|(_, facts)| *facts);
    let facts = from_top.find(|facts| facts.told.has(path) || is_above(facts) || is_cut(path, facts))?;
    facts.told.starts.get(path)
}

/// Whether the file in which engines look a name up does not have it.
fn without_name(
    what: &str,
    name: &str,
    (file, known): (&str, Option<&BTreeSet<String>>),
    layers: &[(&str, &LayerFacts)],
) -> Option<String> {
    // Numbers need no name, and of root it is said that it is root.
    if matches!(name, "" | "root") || name.parse::<i64>().is_ok() {
        return None;
    }
    let is_unknown = match known {
        Some(known) => known.len() < USERS_MAX && !known.contains(name),
        None => is_missing(file, layers),
    };
    is_unknown.then(|| format!("{what} is {:?}, which is not in {file}", short(name)))
}

/// A path from the root; nothing where it goes back, which links may turn elsewhere, or where runtimes have what is theirs.
fn plainly(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let is_of_runtime = parts.first().is_none_or(|top| ["dev", "proc", "sys"].contains(top));
    (!parts.contains(&"..") && !is_of_runtime).then(|| parts.join("/"))
}

/// A path whose first part is a link directly below the root, as it is behind that; links behind it are not followed.
fn resolved(path: String, layers: &[(&str, &LayerFacts)]) -> String {
    let Some((top, rest)) = path.split_once('/') else { return path };
    let is_here =
        |facts: &LayerFacts| facts.told.has(top) || facts.told.has_directory(top) || is_cut(top, facts);
    let mut from_top = layers.iter().rev().map(|(_, facts)| *facts);
    match from_top.find(|facts| is_here(facts)).and_then(|facts| facts.told.tops.get(top)) {
        Some(target) if !target.is_empty() => format!("{target}/{rest}"),
        _ => path,
    }
}

fn short(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}

/// Whether no layer leaves anything at a path from the root, and nothing above it that could lead elsewhere.
fn is_missing(path: &str, layers: &[(&str, &LayerFacts)]) -> bool {
    let above = || path.match_indices('/').map(|(at, _)| &path[..at]);
    for (_, facts) in layers.iter().rev() {
        let files = &facts.told;
        // What is no directory there may be a link.
        let is_long = facts.removed.len() + facts.opaque.len() > GONE_MAX;
        if is_long
            || files.left > 0
            || facts.blob.is_empty()
            || files.has(path)
            || above().any(|top| files.has(top))
        {
            return false;
        }
        if is_cut(path, facts) {
            return true;
        }
    }
    true
}

/// Whether a layer takes away what those below have at a path.
pub(super) fn is_cut(path: &str, facts: &LayerFacts) -> bool {
    let is_below = |top: &str| path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
    facts.removed.iter().any(|gone| gone == path || is_below(gone))
        || facts.opaque.iter().any(|gone| gone.is_empty() || is_below(gone))
}

/// Whether the layers leave something below a directory of [`crate::inventory::OTHER_MANAGERS`].
pub(super) fn has_unread(directory: &str, layers: &[(&str, &LayerFacts)]) -> bool {
    let mut from_above = layers.iter().rev();
    from_above
        .find_map(|(_, facts)| match facts.told.unread.contains(directory) {
            true => Some(true),
            false => is_cut(directory, facts).then_some(false),
        })
        .unwrap_or(false)
}

#[cfg(test)]
mod tests;
