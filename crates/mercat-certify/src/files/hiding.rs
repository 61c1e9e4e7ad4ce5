//! What a layer takes away from those below it: by whiteouts, and by what lies in the place of something else.

use super::Files;
use super::whole::{Part, outer};
use mercat_inventory::{Component, RecordBeside, record_beside};
use std::collections::{HashMap, HashSet};

/// A layer, as it hides what is below.
pub(super) struct Hiding<'p> {
    here: &'p Files,
    removed: HashSet<&'p str>,
    opaque: HashSet<&'p str>,
    /// Directories in which something was removed that is no record.
    thinned: HashSet<&'p str>,
    /// Files that tell of components and their versions here.
    told: HashSet<&'p str>,
    /// Components with a record here: the directory that they are in, and what they are, without a version.
    renewed: HashSet<(&'p str, String)>,
    /// Whether there is a file of this name, for directories of lower layers.
    files: HashMap<String, bool>,
}

impl<'p> Hiding<'p> {
    pub(super) fn of(part: &Part<'p>) -> Self {
        let mut hiding = Self {
            here: part.files,
            removed: part.removed.iter().map(String::as_str).collect(),
            opaque: part.opaque.iter().map(String::as_str).collect(),
            thinned: HashSet::new(),
            told: HashSet::new(),
            renewed: HashSet::new(),
            files: HashMap::new(),
        };
        for path in part.removed.iter().filter(|path| !is_incidental(path)) {
            hiding.thinned.extend(above(path).chain([""]));
        }
        // One without a version is known by its place alone.
        for component in part.files.components.iter().filter(|component| !component.version.is_empty()) {
            let path = outer(&component.path);
            hiding.told.insert(path);
            if let Some(record) = record_beside(path) {
                hiding.renewed.insert((record.directory, unversioned(component)));
            }
        }
        hiding
    }

    /// Whether a directory above was removed.
    fn is_below_gone(&self, path: &str) -> bool {
        self.opaque.contains("")
            || above(path).any(|top| self.removed.contains(top) || self.opaque.contains(top))
    }

    /// Whether a file lies in the place of a directory above, which takes everything in it away.
    fn is_below_file(&mut self, path: &str) -> bool {
        above(path).any(|top| match self.files.get(top) {
            Some(known) => *known,
            None => {
                let found = self.here.has(top);
                self.files.insert(top.to_owned(), found);
                found
            }
        })
    }

    /// Whether it was removed.
    pub(super) fn removes(&self, path: &str) -> bool {
        self.removed.contains(path) || self.is_below_gone(path)
    }

    /// Whether something else is in its place.
    pub(super) fn replaces(&mut self, path: &str) -> bool {
        self.is_below_file(path) || self.here.has(path)
    }

    /// Whether there is a directory of this name again.
    pub(super) fn has_directory(&self, path: &str) -> bool {
        self.here.has_directory(path)
    }

    /// Whether components stay that a record told of which is removed or replaced: it went alone, and what it was about is
    /// still there, and loaded. Who takes a package away takes its files away, or puts another record in the place.
    pub(super) fn keeps(&mut self, path: &str, components: &[Component]) -> bool {
        let Some(RecordBeside { record, directory, is_shared }) = record_beside(path) else { return false };
        let goes_with_more = self.is_below_gone(record)
            || self.is_below_file(record)
            || is_shared && self.thinned.contains(directory);
        let is_renewed = self.told.contains(path)
            || components.iter().all(|one| self.renewed.contains(&(directory, unversioned(one))));
        !(goes_with_more || is_renewed)
    }
}

/// The directories above a path, the nearest last.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

fn unversioned(component: &Component) -> String {
    Component { version: String::new(), ..component.clone() }.purl()
}

/// Whether that a path went says nothing about packages: records, and what programs make again.
fn is_incidental(path: &str) -> bool {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let is_by_name = [".dist-info", ".egg-info", ".pyc", "__pycache__"].iter().any(|end| path.ends_with(end));
    is_by_name
        || parent.ends_with("/composer")
        || parent.ends_with("/__pycache__")
        || record_beside(path).is_some()
}

#[cfg(test)]
mod tests;
