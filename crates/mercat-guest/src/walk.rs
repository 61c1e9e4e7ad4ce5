//! One walk for all file systems: names, paths, depth and directories are checked here.

use super::{Entry, FileTree, Kind, Visit};
use crate::ReadError;
use std::collections::HashSet;
use std::io::Read;
use std::ops::Range;

const PATH_BYTES_MAX: usize = 4096;
const DEPTH_MAX: usize = 2000;
const ENTRIES_MAX: u64 = 5_000_000;
/// Links to follow before a path counts as a loop, as Linux does.
const LINKS_MAX: usize = 40;

/// What a file system knows about one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) kind: Kind,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    pub(crate) inode: u64,
    pub(crate) link: String,
    pub(crate) xattrs: Vec<(String, Vec<u8>)>,
}

/// A named content beside a file's own one (NTFS).
pub(crate) struct Stream<F> {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) file: F,
}

/// What a reader of one file system has to do; [`Tree`] does the rest.
pub(crate) trait Files {
    /// Where a file is found; sorts by place on the volume.
    type Id: Ord;
    /// A file, loaded.
    type File;
    /// Whether names that differ in case only are one name.
    const FOLDS_CASE: bool = false;

    /// The ranges of the volume that were read as content of files.
    fn given(&self) -> Vec<Range<u64>>;
    fn kind(&self) -> &'static str;
    fn root(&self) -> Result<Self::Id, ReadError>;
    fn load(&self, id: &Self::Id) -> Result<(Stat, Self::File), ReadError>;
    /// Gives all names of a directory but `.` and `..`.
    fn list(&self, directory: &Self::File, names: &mut Names<Self::Id>) -> Result<(), ReadError>;
    fn open<'a>(&'a self, file: &'a Self::File) -> Result<Box<dyn Read + 'a>, ReadError>;
    /// Named contents beside the file's own.
    fn streams(&self, _file: &Self::File) -> Result<Vec<Stream<Self::File>>, ReadError> {
        Ok(Vec::new())
    }
}

/// The names of one directory, checked as they come.
pub(crate) struct Names<I> {
    names: Vec<(Box<str>, I)>,
    left: u64,
}

impl<I> Names<I> {
    /// Adds a name of bytes in any encoding.
    pub(crate) fn add(&mut self, name: &[u8], id: I, offset: u64) -> Result<(), ReadError> {
        self.add_text(text(name), id, offset)
    }

    /// Adds a name.
    pub(crate) fn add_text(&mut self, name: String, id: I, offset: u64) -> Result<(), ReadError> {
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(ReadError::refused("FS-07", offset, format!("the file name {name:?}")));
        }
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            ReadError::refused("FS-08", offset, format!("more than {ENTRIES_MAX} files and directories"))
        })?;
        self.names.push((name.into_boxed_str(), id));
        Ok(())
    }

    /// What the names are of.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &I> {
        self.names.iter().map(|(_, id)| id)
    }
}

/// Text of a name: bytes that are not UTF-8 show as `\xNN`.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02X}")));
    }
    text
}

struct Frame<I> {
    parent_bytes: usize,
    names: std::vec::IntoIter<(Box<str>, I)>,
}

/// A file system that is walked.
pub(crate) struct Tree<F>(pub(crate) F);

impl<F: Files> Tree<F> {
    fn names(&self, file: &F::File, path: &str, entries: &mut u64) -> Result<Frame<F::Id>, ReadError> {
        let mut names = Names { names: Vec::new(), left: ENTRIES_MAX.saturating_sub(*entries) };
        self.0.list(file, &mut names)?;
        let mut names = names.names;
        *entries += names.len() as u64;
        let twice = if F::FOLDS_CASE {
            let mut folded: Vec<String> = names.iter().map(|(name, _)| name.to_lowercase()).collect();
            folded.sort_unstable();
            folded.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone())
        } else {
            names.sort_unstable_by(|one, other| one.0.cmp(&other.0));
            names.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].0.to_string())
        };
        if let Some(twice) = twice {
            let what = format!("the name {twice:?} is twice in the directory {path:?}");
            return Err(ReadError::refused("FS-10", 0, what));
        }
        names.sort_unstable_by(|one, other| (&one.1, &one.0).cmp(&(&other.1, &other.0)));
        Ok(Frame { parent_bytes: path.len(), names: names.into_iter() })
    }

    fn visit_streams(&self, entry: &Entry, file: &F::File, visit: &mut dyn Visit) -> Result<(), ReadError> {
        for stream in self.0.streams(file)? {
            if stream.name.contains(['/', '\0']) {
                let what = format!("the stream {:?} of {:?}", stream.name, entry.path);
                return Err(ReadError::refused("FS-07", 0, what));
            }
            let entry = Entry {
                path: format!("{}:{}", entry.path, stream.name),
                kind: Kind::File,
                size: stream.size,
                link: String::new(),
                xattrs: Vec::new(),
                ..entry.clone()
            };
            if visit.entry(&entry)? {
                visit.content(&entry, &mut self.0.open(&stream.file)?)?;
            }
        }
        Ok(())
    }
}

impl<F: Files> FileTree for Tree<F> {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn given(&self) -> Vec<Range<u64>> {
        self.0.given()
    }

    fn walk(&self, visit: &mut dyn Visit) -> Result<(), ReadError> {
        let (stat, root) = self.0.load(&self.0.root()?)?;
        if stat.kind != Kind::Directory {
            return Err(ReadError::refused("FS-11", 0, "the root is no directory"));
        }
        let mut directories = HashSet::from([stat.inode]);
        let mut entries = 0;
        let mut path = String::new();
        self.visit_streams(&entry(String::new(), stat), &root, visit)?;
        let mut stack = vec![self.names(&root, &path, &mut entries)?];
        while let Some(frame) = stack.last_mut() {
            path.truncate(frame.parent_bytes);
            let Some((name, id)) = frame.names.next() else {
                stack.pop();
                continue;
            };
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(&name);
            if path.len() > PATH_BYTES_MAX {
                let what = format!("a path of more than {PATH_BYTES_MAX} bytes: {}...", head(&path));
                return Err(ReadError::refused("FS-12", 0, what));
            }
            let (stat, file) = self.0.load(&id)?;
            let entry = entry(path.clone(), stat);
            if visit.entry(&entry)? && entry.kind == Kind::File {
                visit.content(&entry, &mut self.0.open(&file)?)?;
            }
            self.visit_streams(&entry, &file, visit)?;
            if entry.kind == Kind::Directory {
                if !directories.insert(entry.inode) {
                    let what = format!("the directory {path:?} is reached a second time");
                    return Err(ReadError::refused("FS-13", 0, what));
                }
                if stack.len() >= DEPTH_MAX {
                    let what = format!("directories deeper than {DEPTH_MAX}: {}...", head(&path));
                    return Err(ReadError::refused("FS-14", 0, what));
                }
                stack.push(self.names(&file, &path, &mut entries)?);
            }
        }
        Ok(())
    }
}

fn entry(path: String, stat: Stat) -> Entry {
    Entry {
        path,
        kind: stat.kind,
        mode: stat.mode,
        uid: stat.uid,
        gid: stat.gid,
        size: if stat.kind == Kind::File { stat.size } else { 0 },
        mtime: stat.mtime,
        inode: stat.inode,
        link: stat.link,
        xattrs: stat.xattrs,
    }
}

/// The first characters of a long path.
fn head(path: &str) -> String {
    path.chars().take(80).collect()
}

/// Makes the file tree of a reader.
pub(crate) fn tree<'a, F: Files + 'a>(files: F) -> Box<dyn FileTree + 'a> {
    Box::new(Tree(files))
}

/// The path that a path means when the symbolic links on it are followed, inside the guest only: `..`
/// stops at the root. `lookup` gives the target of a path that is a link. `None` for a loop (more than
/// 40 links) or a path that grows without end.
pub fn resolve(path: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut todo: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
    let mut done: Vec<String> = Vec::new();
    let mut links = 0;
    while let Some(part) = todo.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                done.pop();
                continue;
            }
            _ => done.push(part),
        }
        let here = done.join("/");
        if here.len() > PATH_BYTES_MAX {
            return None;
        }
        let Some(target) = lookup(&here) else { continue };
        links += 1;
        if links > LINKS_MAX || target.len() > PATH_BYTES_MAX {
            return None;
        }
        if target.starts_with('/') {
            done.clear();
        } else {
            done.pop();
        }
        todo.extend(target.rsplit('/').map(str::to_owned));
    }
    Some(done.join("/"))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, after 1600.
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let since_1600 = year - 1600;
    let leap = since_1600 / 4 - since_1600 / 100 + since_1600 / 400;
    since_1600 * 365 + leap + (153 * month + 2) / 5 + day - 1 - 135_080
}
