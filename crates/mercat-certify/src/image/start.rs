//! Whether an image can start at all, as far as its names tell (CTR-25): what a start test would show first.

use crate::facts::LayerFacts;
use mercat_artifact::oci::Config;
use mercat_machine::accounts::USERS_MAX;
use std::collections::BTreeSet;

/// What container runtimes set when the image does not.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Directories of `PATH` that are looked into.
const PLACES_MAX: usize = 100;
/// Names that a layer takes away, most, for it to be asked about single ones.
const GONE_MAX: usize = 10_000;
/// Letters of a name that are told.
const NAME_CHARS_MAX: usize = 200;

/// Why its first program or its user is certainly not there; nothing where it is, or where names alone do not tell.
/// `users` are the names in `etc/passwd`, where that was read.
pub(super) fn hindrance(
    config: &Config,
    layers: &[(&str, &LayerFacts)],
    users: Option<&BTreeSet<String>>,
) -> Option<String> {
    // Others have no such paths, or no such file of users.
    if !config.platform.starts_with("linux/") {
        return None;
    }
    without_program(config, layers).or_else(|| without_user(&config.user, layers, users))
}

fn without_program(config: &Config, layers: &[(&str, &LayerFacts)]) -> Option<String> {
    let is_gone = |path: &str| plainly(path).is_some_and(|path| is_missing(&path, layers));
    let program = config.entry_point.first().or(config.command.first()).filter(|word| !word.is_empty())?;
    let of = if config.entry_point.is_empty() { "Cmd" } else { "Entrypoint" };
    if program.contains('/') {
        let base = if program.starts_with('/') { "" } else { config.directory.as_str() };
        return is_gone(&format!("{base}/{program}"))
            .then(|| format!("{of} starts {:?}, which is not in the image", short(program)));
    }
    let mut set = config.env.iter().filter_map(|variable| variable.strip_prefix("PATH="));
    let places = set.next().unwrap_or(PATH);
    if set.next().is_some() || places.split(':').count() > PLACES_MAX {
        return None;
    }
    // Of those that do not begin at the root, runtimes differ.
    let all_gone =
        places.split(':').all(|place| place.starts_with('/') && is_gone(&format!("{place}/{program}")));
    all_gone.then(|| format!("{of} starts {:?}, which is in no directory of PATH", short(program)))
}

fn without_user(
    user: &str,
    layers: &[(&str, &LayerFacts)],
    users: Option<&BTreeSet<String>>,
) -> Option<String> {
    let name = user.split(':').next().unwrap_or_default();
    // Numbers need no name, and of root it is said that it is root.
    if matches!(name, "" | "root") || name.parse::<i64>().is_ok() {
        return None;
    }
    let is_unknown = match users {
        Some(users) => users.len() < USERS_MAX && !users.contains(name),
        None => is_missing("etc/passwd", layers),
    };
    is_unknown.then(|| format!("User is {:?}, which is not in etc/passwd", short(name)))
}

/// A path from the root; nothing where it goes back, which links may turn elsewhere, or where runtimes have what is theirs.
fn plainly(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let is_of_runtime = parts.first().is_none_or(|top| ["dev", "proc", "sys"].contains(top));
    (!parts.contains(&"..") && !is_of_runtime).then(|| parts.join("/"))
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
