//! The guest's files as rules see them: the few that matter, under the paths that the guest gives them.

use super::KernelFile;
use mercat_domain::finding::Place;
use mercat_guest::{Entry, Kind, resolve};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A name that was kept while the volumes were walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Path in its volume, as written there.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Unix permission bits; 0 where the file system has none.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Bytes of the file, which may be more than were kept.
    pub size: u64,
    /// Target of a symbolic link.
    pub link: String,
    /// The content, or the first bytes of it, where the file was asked for.
    pub content: Option<Vec<u8>>,
    /// What it says of itself, where it is a kernel.
    pub kernel: Option<KernelFile>,
}

impl Node {
    /// A node without content.
    pub fn new(entry: &Entry) -> Self {
        Self {
            path: entry.path.clone(),
            kind: entry.kind,
            mode: entry.mode,
            uid: entry.uid,
            size: entry.size,
            link: entry.link.clone(),
            content: None,
            kernel: None,
        }
    }

    /// The content that was kept; empty when none was.
    pub fn bytes(&self) -> &[u8] {
        self.content.as_deref().unwrap_or_default()
    }

    /// The content as text; what is not UTF-8 shows as replacement characters.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes())
    }

    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == Kind::File
    }
}

/// The files of one volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeTree {
    /// The volume, as [`mercat_guest::Volume::name`] has it.
    pub volume: String,
    /// Its file system, for example `ext4` or `ntfs`.
    pub file_system: String,
    nodes: BTreeMap<String, Node>,
}

impl VolumeTree {
    /// An empty tree.
    pub fn new(volume: &str, file_system: &str) -> Self {
        Self { volume: volume.to_owned(), file_system: file_system.to_owned(), nodes: BTreeMap::new() }
    }

    /// Whether names that differ in case only are one name.
    pub fn folds_case(&self) -> bool {
        self.file_system == "ntfs" || self.file_system.starts_with("fat")
    }

    /// Adds a name.
    pub fn insert(&mut self, node: Node) {
        let key = self.key(&node.path).into_owned();
        self.nodes.insert(key, node);
    }

    fn key<'p>(&self, path: &'p str) -> Cow<'p, str> {
        if self.folds_case() { Cow::Owned(path.to_lowercase()) } else { Cow::Borrowed(path) }
    }

    /// The node of a path from the volume's root, links not followed.
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(self.key(path).as_ref())
    }

    /// Every node, in the order of paths.
    pub fn iter(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// Takes the nodes out.
    pub fn into_nodes(self) -> impl Iterator<Item = Node> {
        self.nodes.into_values()
    }

    /// The nodes below a directory, at any depth.
    pub fn below<'t>(&'t self, directory: &str) -> impl Iterator<Item = &'t Node> + use<'t> {
        let prefix = match self.key(directory.trim_end_matches('/')) {
            key if key.is_empty() => String::new(),
            key => format!("{key}/"),
        };
        let from = prefix.clone();
        self.nodes.range(from..).take_while(move |(key, _)| key.starts_with(&prefix)).map(|(_, node)| node)
    }
}

/// A node with the volume that it is on.
#[derive(Debug, Clone, Copy)]
pub struct Found<'t> {
    /// The volume.
    pub volume: &'t VolumeTree,
    /// The node.
    pub node: &'t Node,
}

impl Found<'_> {
    /// Where it is, for a finding.
    pub fn place(&self) -> Place {
        Place { layer: self.volume.volume.clone(), path: self.node.path.clone(), ..Place::default() }
    }
}

/// All volumes, joined as the guest joins them. Paths are the guest's, without a leading slash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Every volume with a file system.
    pub volumes: Vec<VolumeTree>,
    /// Mount points with the index of their volume, longest first. The root is the empty path.
    mounts: Vec<(String, usize)>,
}

impl Tree {
    /// Joins volumes. A mount names its directory and the index of its volume.
    pub fn new(volumes: Vec<VolumeTree>, mut mounts: Vec<(String, usize)>) -> Self {
        mounts.retain(|(_, volume)| *volume < volumes.len());
        mounts.sort_by(|(one, _), (other, _)| other.len().cmp(&one.len()).then(one.cmp(other)));
        Self { volumes, mounts }
    }

    /// The volume of the guest's root directory (drive C of Windows), where it was found.
    pub fn root(&self) -> Option<&VolumeTree> {
        let (_, at) = self.mounts.iter().find(|(point, _)| point.is_empty())?;
        self.volumes.get(*at)
    }

    /// The mount points below the root with their volumes.
    pub fn mounts(&self) -> impl Iterator<Item = (&str, &VolumeTree)> {
        self.mounts.iter().filter_map(|(point, at)| Some((point.as_str(), self.volumes.get(*at)?)))
    }

    /// The volume that a path is on, and the path there.
    fn locate<'p>(&self, path: &'p str) -> Option<(&VolumeTree, &'p str)> {
        self.mounts().find_map(|(point, volume)| match path.strip_prefix(point) {
            Some(rest) if point.is_empty() || rest.is_empty() || rest.starts_with('/') => {
                Some((volume, rest.trim_start_matches('/')))
            }
            _ => None,
        })
    }

    /// The node of a path, links not followed.
    pub fn node(&self, path: &str) -> Option<Found<'_>> {
        let (volume, path) = self.locate(path)?;
        Some(Found { volume, node: volume.get(path)? })
    }

    /// The path that a path means when links are followed, inside the guest only, whether something is there or not.
    pub fn real(&self, path: &str) -> Option<String> {
        let link = |path: &str| {
            let found = self.node(path)?;
            (found.node.kind == Kind::Symlink).then(|| found.node.link.clone())
        };
        resolve(path, &link)
    }

    /// The node that a path means when links are followed.
    pub fn find(&self, path: &str) -> Option<Found<'_>> {
        self.node(&self.real(path)?)
    }

    /// The regular file that a path means.
    pub fn file(&self, path: &str) -> Option<Found<'_>> {
        self.find(path).filter(|found| found.node.is_file())
    }

    /// The text of the file that a path means.
    pub fn text(&self, path: &str) -> Option<Cow<'_, str>> {
        self.file(path).map(|found| found.node.text())
    }

    /// The nodes below a directory of the guest, at any depth, on the volume that the directory is on.
    pub fn below(&self, directory: &str) -> impl Iterator<Item = Found<'_>> {
        let resolved = self.real(directory);
        let located = resolved.as_deref().and_then(|path| {
            let (volume, path) = self.locate(path)?;
            Some((volume, volume.below(path)))
        });
        located.into_iter().flat_map(|(volume, nodes)| nodes.map(move |node| Found { volume, node }))
    }

    /// The regular files below a directory of the guest, each with the node that stands there: a link to it, or itself.
    pub fn files<'t>(&'t self, directory: &str) -> impl Iterator<Item = (&'t Node, Found<'t>)> {
        self.below(directory).filter_map(|found| match found.node.kind {
            Kind::Symlink => {
                let (point, _) = self.mounts().find(|(_, volume)| volume.volume == found.volume.volume)?;
                Some((found.node, self.file(&format!("{point}/{}", found.node.path))?))
            }
            _ => found.node.is_file().then_some((found.node, found)),
        })
    }

    /// Every node of every volume, mounted or not.
    pub fn all(&self) -> impl Iterator<Item = Found<'_>> {
        self.volumes.iter().flat_map(|volume| volume.iter().map(move |node| Found { volume, node }))
    }
}

#[cfg(test)]
mod tests;
