//! Layers laid over one another in a directory, by a child that may write nowhere else.
//!
//! Everything belongs to one user; devices, FIFOs and setuid bits are left out: the tree is only there to be started.

use mercat_artifact::ReadError;
use mercat_artifact::layer::tar::{Entry, Kind, TarReader, Whiteout};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// Links that are followed on the way to one path (Linux follows as many).
const LINKS_MAX: usize = 40;

/// Why an image is not unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// The layer cannot be read.
    #[error(transparent)]
    Layer(#[from] ReadError),
    /// A path cannot be made.
    #[error("{path}: {error}")]
    Path {
        /// In the image.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// More bytes than this test unpacks.
    #[error("the image unpacks to more than {0} bytes")]
    Large(u64),
}

/// A directory that becomes the root of a container.
pub(crate) struct Tree {
    root: PathBuf,
    /// Bytes that may still be written.
    left: u64,
    bytes_max: u64,
}

impl Tree {
    pub(crate) fn new(root: PathBuf, bytes_max: u64) -> Self {
        Self { root, left: bytes_max, bytes_max }
    }

    /// Lays a layer over what is there.
    pub(crate) fn lay(&mut self, layer: impl Read, entries_max: u64) -> Result<(), UnpackError> {
        let mut tar = TarReader::new(layer, entries_max);
        // What this layer itself brought is not what its opaque marks hide.
        let mut opaque = Vec::new();
        let mut brought = Vec::new();
        while let Some(entry) = tar.next_entry()? {
            match entry.whiteout() {
                Some(Whiteout::Opaque(path)) => opaque.push(path),
                Some(Whiteout::Path(path)) => self.remove(&path).map_err(|error| at(&path, error))?,
                None => {
                    self.put(&entry, &mut tar)?;
                    if !entry.path.is_empty() {
                        brought.push(PathBuf::from(entry.path));
                    }
                }
            }
        }
        for path in opaque {
            self.hide(&path, &brought).map_err(|error| at(&path, error))?;
        }
        Ok(())
    }

    /// Makes what is there when a program starts: directories to mount on, and the one it starts in, of which this
    /// tells the path without links. Nobody else may make them, where other paths than the tree's can be reached.
    pub(crate) fn furnish(&self, working: &str) -> Result<String, UnpackError> {
        for name in ["proc", "dev", "sys"] {
            directory(&self.root.join(name)).map_err(|error| at(name, error))?;
        }
        let place = self.walk(working, true).map_err(|error| at(working, error))?;
        let inside = place.strip_prefix(&self.root).unwrap_or(Path::new(""));
        Ok(Path::new("/").join(inside).to_string_lossy().into_owned())
    }

    fn put<R: Read>(&mut self, entry: &Entry, tar: &mut TarReader<R>) -> Result<(), UnpackError> {
        let name = &entry.path;
        let place = self.place(name).map_err(|error| at(name, error))?;
        let made = match entry.kind {
            Kind::Directory => directory(&place).and_then(|()| {
                fs::set_permissions(&place, Permissions::from_mode(entry.mode & 0o777 | 0o700))
            }),
            Kind::Symlink => clear(&place).and_then(|()| std::os::unix::fs::symlink(&entry.link, &place)),
            Kind::HardLink => {
                let target = self.place(entry.link.trim_start_matches("./").trim_start_matches('/'));
                target.and_then(|target| clear(&place).and_then(|()| fs::hard_link(target, &place)))
            }
            Kind::File => return self.file(entry, &place, tar),
            Kind::Device | Kind::Fifo => Ok(()),
        };
        made.map_err(|error| at(name, error))
    }

    fn file<R: Read>(
        &mut self,
        entry: &Entry,
        place: &Path,
        tar: &mut TarReader<R>,
    ) -> Result<(), UnpackError> {
        let error = |error| at(&entry.path, error);
        self.left = self.left.checked_sub(entry.size).ok_or(UnpackError::Large(self.bytes_max))?;
        clear(place).map_err(error)?;
        let mode = entry.mode & 0o777 | 0o600;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(mode).open(place).map_err(error)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            match tar.read_body(&mut buffer)? {
                0 => return file.set_permissions(Permissions::from_mode(mode)).map_err(error),
                count => file.write_all(&buffer[..count]).map_err(error)?,
            }
        }
    }

    /// Where a path of the image is, with links in its directories followed as if the tree were the root.
    /// Directories that are missing are made.
    fn place(&self, path: &str) -> io::Result<PathBuf> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok(self.walk(directory, true)?.join(name))
    }

    fn walk(&self, path: &str, make: bool) -> io::Result<PathBuf> {
        let mut rest: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut at = self.root.clone();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." if at != self.root => {
                    at.pop();
                    continue;
                }
                ".." => continue,
                _ => at.push(&part),
            }
            match fs::symlink_metadata(&at) {
                Ok(about) if about.is_dir() => {}
                Ok(about) if about.is_symlink() => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(io::Error::other("too many links"));
                    }
                    let target = fs::read_link(&at)?;
                    let target =
                        target.to_str().ok_or_else(|| io::Error::other("a link that is not UTF-8"))?;
                    at.pop();
                    if target.starts_with('/') {
                        at.clone_from(&self.root);
                    }
                    rest.extend(target.split('/').rev().map(str::to_owned));
                }
                Ok(_) => return Err(io::Error::from(io::ErrorKind::NotADirectory)),
                Err(error) if make && error.kind() == io::ErrorKind::NotFound => fs::create_dir(&at)?,
                Err(error) => return Err(error),
            }
        }
        Ok(at)
    }

    /// Opens a file of the tree as a program inside would.
    pub(crate) fn open(&self, path: &str) -> io::Result<File> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let place = self.walk(directory, false)?.join(name);
        if !fs::symlink_metadata(&place)?.is_file() {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        File::open(place)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        match self.place(path).and_then(|place| clear(&place)) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(()),
            done => done,
        }
    }

    fn hide(&self, path: &str, brought: &[PathBuf]) -> io::Result<()> {
        let directory = self.walk(path, true)?;
        for entry in fs::read_dir(&directory)? {
            let inside = Path::new(path).join(entry?.file_name());
            if !brought.iter().any(|new| new.starts_with(&inside)) {
                clear(&directory.join(inside.file_name().unwrap_or_default()))?;
            }
        }
        Ok(())
    }
}

fn at(path: &str, error: io::Error) -> UnpackError {
    UnpackError::Path { path: path.to_owned(), error }
}

fn directory(place: &Path) -> io::Result<()> {
    match fs::symlink_metadata(place) {
        Ok(about) if about.is_dir() => Ok(()),
        _ => clear(place).and_then(|()| fs::create_dir(place)),
    }
}

/// Makes room for what a later layer puts in this place.
fn clear(place: &Path) -> io::Result<()> {
    if place.components().next_back().is_none_or(|last| !matches!(last, Component::Normal(_))) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let done = match fs::symlink_metadata(place) {
        Ok(about) if about.is_dir() => fs::remove_dir_all(place),
        Ok(_) => fs::remove_file(place),
        Err(error) => Err(error),
    };
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tar of entries: path, kind, link, body.
    fn layer(entries: &[(&str, u8, &str, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (path, kind, link, body) in entries {
            let mut header = [0; 512];
            header[..path.len()].copy_from_slice(path.as_bytes());
            header[100..108].copy_from_slice(b"0000755\0");
            header[108..116].copy_from_slice(b"0000000\0");
            header[116..124].copy_from_slice(b"0000000\0");
            header[124..136].copy_from_slice(format!("{:011o}\0", body.len()).as_bytes());
            header[136..148].copy_from_slice(b"00000000000\0");
            header[148..156].copy_from_slice(b"        ");
            header[156] = *kind;
            header[157..157 + link.len()].copy_from_slice(link.as_bytes());
            header[257..265].copy_from_slice(b"ustar\x0000");
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            out.extend_from_slice(&header);
            out.extend_from_slice(body);
            out.resize(out.len().div_ceil(512) * 512, 0);
        }
        out.resize(out.len() + 1024, 0);
        out
    }

    fn tree(layers: &[Vec<u8>]) -> (tempfile::TempDir, PathBuf, Result<(), UnpackError>) {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("root");
        fs::create_dir(&root).expect("a directory");
        let mut tree = Tree::new(root.clone(), 1 << 20);
        let done = layers.iter().try_for_each(|layer| tree.lay(&layer[..], 1000));
        (dir, root, done)
    }

    fn read(path: PathBuf) -> Option<String> {
        fs::read_to_string(path).ok()
    }

    #[test]
    fn layers_lie_over_one_another() {
        let base = layer(&[
            ("usr/lib/a", b'0', "", b"a"),
            ("lib", b'2', "usr/lib", b""),
            ("gone/x", b'0', "", b"x"),
            ("opaque/old", b'0', "", b"old"),
            ("file", b'0', "", b"file"),
            ("hard", b'1', "usr/lib/a", b""),
        ]);
        let next = layer(&[
            ("lib/b", b'0', "", b"b"),
            (".wh.gone", b'0', "", b""),
            ("opaque/new", b'0', "", b"new"),
            ("opaque/.wh..wh..opq", b'0', "", b""),
            ("file", b'5', "", b""),
            ("file/inside", b'0', "", b"inside"),
        ]);
        let (_dir, root, done) = tree(&[base, next]);
        done.expect("unpacks");
        assert_eq!(read(root.join("usr/lib/b")).as_deref(), Some("b"), "through the link");
        assert_eq!(read(root.join("hard")).as_deref(), Some("a"));
        assert_eq!(read(root.join("opaque/new")).as_deref(), Some("new"));
        assert_eq!(read(root.join("file/inside")).as_deref(), Some("inside"));
        assert!(!root.join("gone").exists() && !root.join("opaque/old").exists());
    }

    #[test]
    fn links_that_lead_out_lead_into_the_tree() {
        let (dir, root, done) = tree(&[layer(&[
            ("out", b'2', "/../../etc", b""),
            ("out/passwd", b'0', "", b"x"),
            ("up", b'2', "../..", b""),
            ("up/here", b'0', "", b"y"),
            ("loop", b'2', "loop", b""),
        ])]);
        done.expect("unpacks");
        assert_eq!(read(root.join("etc/passwd")).as_deref(), Some("x"));
        assert_eq!(read(root.join("here")).as_deref(), Some("y"));
        assert_eq!(fs::read_dir(dir.path()).expect("reads").count(), 1, "nothing beside the tree");
        let (_dir, _, done) = tree(&[layer(&[("loop", b'2', "loop", b""), ("loop/x", b'0', "", b"")])]);
        assert!(matches!(done, Err(UnpackError::Path { .. })), "{done:?}");
    }

    #[test]
    fn too_much_is_not_unpacked() {
        let body = vec![1; (1 << 20) + 1];
        let (_dir, _, done) = tree(&[layer(&[("x", b'0', "", &body)])]);
        assert!(matches!(done, Err(UnpackError::Large(_))), "{done:?}");
    }
}
