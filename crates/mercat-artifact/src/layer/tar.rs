//! Tar (POSIX.1-2001 ustar and pax, GNU long names) that has one reading only.
//!
//! The ordinary tar libraries disagree about entries that container runtimes extract
//! (payload behind directory headers, repeated pax keys, what ends the archive and more).
//! This walker refuses each such stream with its own code instead of choosing a side.

mod header;
mod pax;

use crate::ReadError;
use header::{Header, Magic};
use std::io::Read;

const BLOCK: usize = 512;
const EXTENSION_BYTES_MAX: u64 = 1 << 20;
const PATH_BYTES_MAX: usize = 4096;
const COMPONENT_BYTES_MAX: usize = 255;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A hard link to an earlier path.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A character or block device.
    Device,
    /// A directory.
    Directory,
    /// A FIFO.
    Fifo,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path from the root, without leading or trailing slash; empty for the root itself.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Payload bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Target of a link, as written.
    pub link: String,
    /// Extended attributes.
    pub xattrs: Vec<(String, Vec<u8>)>,
    /// Whether it is a character device with the numbers 0 and 0.
    is_null_device: bool,
}

impl Entry {
    /// What the kernel's overlay file system would take this entry for beside what image-spec says: its own form of a
    /// whiteout (a device 0/0), or a directory or file that its attributes hide or redirect
    /// (Documentation/filesystems/overlayfs.rst). Some runtimes unpack such entries as they are, others leave them out.
    pub fn overlay(&self) -> Option<String> {
        // The others only tell where a copy came from; builders without root leave them.
        const HIDING: [&str; 4] = ["opaque", "redirect", "metacopy", "whiteout"];
        let mark = |(key, _): &&(String, Vec<u8>)| {
            let of_kernel =
                ["trusted.overlay.", "user.overlay."].iter().find_map(|space| key.strip_prefix(space));
            of_kernel.is_some_and(|name| HIDING.contains(&name)) || key == "user.fuseoverlayfs.opaque"
        };
        let marked = self.xattrs.iter().find(mark).map(|(key, _)| format!("the attribute {key}"));
        marked.or_else(|| self.is_null_device.then(|| "a character device 0/0".to_owned()))
    }

    /// What a whiteout hides: the path of a removed entry, or a directory whose lower content goes.
    pub fn whiteout(&self) -> Option<Whiteout> {
        let (directory, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let removed = name.strip_prefix(".wh.")?;
        Some(if removed == ".wh..opq" {
            Whiteout::Opaque(directory.to_owned())
        } else if directory.is_empty() {
            Whiteout::Path(removed.to_owned())
        } else {
            Whiteout::Path(format!("{directory}/{removed}"))
        })
    }
}

/// A whiteout marker (image-spec 1.1, "Whiteouts").
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whiteout {
    /// This path of a lower layer is removed.
    Path(String),
    /// Everything that lower layers have in this directory is removed.
    Opaque(String),
}

/// Walks the entries of an uncompressed tar stream.
pub struct TarReader<R> {
    inner: R,
    offset: u64,
    body_left: u64,
    padding: u64,
    entries: u64,
    entries_max: u64,
    file_bytes: u64,
    done: bool,
    aside: Vec<u8>,
}

#[derive(Default)]
struct Extensions {
    pax: Option<pax::Records>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    /// Names of the headers themselves.
    names: Vec<Vec<u8>>,
}

/// Whether the name of an extension header says nothing that the name of the entry does not.
fn is_of_extension(name: &[u8], of: &[u8]) -> bool {
    // As tools write it, with the number of a process.
    const MARK_BYTES_MAX: usize = 24;
    let is_mark = |part: &[u8]| {
        let part = part.strip_prefix(b"@").unwrap_or(part);
        part == b"LongLink" || part.starts_with(b"PaxHeader") && part.len() <= MARK_BYTES_MAX
    };
    fn parts(path: &[u8]) -> Vec<&[u8]> {
        path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect()
    }
    let (mut rest, of) = (parts(name), parts(of));
    rest.retain(|part| !is_mark(part));
    // The last may be cut.
    let last = rest.pop().unwrap_or_default();
    of.starts_with(&rest) && of.get(rest.len()).is_some_and(|part| part.starts_with(last))
}

impl<R: Read> TarReader<R> {
    /// Wraps a stream.
    pub fn new(inner: R, entries_max: u64) -> Self {
        Self {
            inner,
            offset: 0,
            body_left: 0,
            padding: 0,
            entries: 0,
            entries_max,
            file_bytes: 0,
            done: false,
            aside: Vec::new(),
        }
    }

    /// Payload bytes of regular files passed so far: what scanners must have seen in full.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Entries so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// What stands in the stream beside names and contents, and came since this was last asked: records of pax and names of
    /// owners that change nothing here, names that others stand for, and what fills a block up where that is not zero. Nobody
    /// unpacks it, and whoever has the layer has it.
    pub fn take_aside(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.aside)
    }

    /// Gives the stream back; it was read to its end when [`TarReader::next_entry`] returned `None`.
    pub fn into_inner(self) -> R {
        self.inner
    }

    fn refused(&self, code: &'static str, what: impl Into<String>) -> ReadError {
        ReadError::refused(code, self.offset, what)
    }

    /// Reads payload of the current entry; 0 at its end.
    ///
    /// # Errors
    /// `TAR-18` when the stream ends inside the payload.
    pub fn read_body(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let want = usize::try_from(self.body_left).unwrap_or(usize::MAX).min(buffer.len());
        if want == 0 {
            return Ok(0);
        }
        let count = self.inner.read(&mut buffer[..want])?;
        if count == 0 {
            return Err(self.refused("TAR-18", "the stream ends inside a file"));
        }
        self.offset += count as u64;
        self.body_left -= count as u64;
        Ok(count)
    }

    /// The next entry, or `None` after the whole stream was read and found well-formed.
    ///
    /// # Errors
    /// `TAR-01` to `TAR-26`, each for one kind of malformed or ambiguous stream.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        if self.done {
            return Ok(None);
        }
        self.skip_body()?;
        let mut extensions = Extensions::default();
        loop {
            let mut block = [0; BLOCK];
            let dangling =
                extensions.pax.is_some() || extensions.long_name.is_some() || extensions.long_link.is_some();
            let more = self.read_block(&mut block)?;
            if dangling && (!more || is_zero(&block)) {
                return Err(self.refused("TAR-22", "an extension header with no entry after it"));
            }
            if !more {
                // Some builders end the stream right behind the last entry. Every reader takes that as the
                // end, so it has one reading; a stream of nothing at all has not.
                if self.entries == 0 {
                    return Err(
                        self.refused("TAR-16", "neither entries nor the two zero blocks of an empty archive")
                    );
                }
                self.done = true;
                return Ok(None);
            }
            if is_zero(&block) {
                self.finish()?;
                return Ok(None);
            }
            if self.offset == BLOCK as u64 && is_compressed(&block) {
                return Err(self.refused("LAY-06", "a compressed stream where a plain tar is announced"));
            }
            let header = header::parse(&block).map_err(|(code, what)| self.refused(code, what))?;
            match header.kind {
                b'x' | b'g' | b'L' | b'K' => self.read_extension(&header, &mut extensions)?,
                _ => return self.entry(header, extensions).map(Some),
            }
        }
    }

    fn read_block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, ReadError> {
        let mut have = 0;
        while have < BLOCK {
            match self.inner.read(&mut block[have..])? {
                0 if have == 0 => return Ok(false),
                0 => return Err(self.refused("TAR-18", "the stream ends inside a block")),
                count => have += count,
            }
        }
        self.offset += BLOCK as u64;
        Ok(true)
    }

    fn skip_body(&mut self) -> Result<(), ReadError> {
        let mut scratch = [0; 8192];
        while self.read_body(&mut scratch)? > 0 {}
        // Less than a block.
        let padding = usize::try_from(self.padding).unwrap_or(0);
        self.padding = 0;
        let mut have = 0;
        while have < padding {
            match self.inner.read(&mut scratch[have..padding])? {
                0 => return Err(self.refused("TAR-18", "the stream ends inside padding")),
                count => {
                    have += count;
                    self.offset += count as u64;
                }
            }
        }
        if scratch[..padding].iter().any(|byte| *byte != 0) {
            self.set_aside(&[&scratch[..padding]]);
        }
        Ok(())
    }

    fn set_aside(&mut self, parts: &[&[u8]]) {
        if parts.iter().all(|part| part.is_empty()) {
            return;
        }
        parts.iter().for_each(|part| self.aside.extend_from_slice(part));
        self.aside.push(b'\n');
    }

    /// Sets records aside that change nothing.
    fn set_records_aside(&mut self, records: &pax::Records) {
        const READ: [&str; 3] = ["path", "linkpath", "size"];
        for (key, value) in records {
            // Times and numbers of owners in every image; what else is in them would be no number.
            let is_number = value.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
            if !is_number && !READ.contains(&key.as_str()) && !key.starts_with("SCHILY.xattr.") {
                self.set_aside(&[key.as_bytes(), b"=", value]);
            }
        }
    }

    /// After the first zero block: one more, then nothing but zeros.
    fn finish(&mut self) -> Result<(), ReadError> {
        let mut block = [0; BLOCK];
        if !self.read_block(&mut block)? {
            return Err(self.refused("TAR-16", "one zero block instead of two at the end"));
        }
        if block.iter().any(|byte| *byte != 0) {
            return Err(self.refused("TAR-16", "a lone zero block with content after it"));
        }
        let mut scratch = vec![0; 64 << 10];
        loop {
            let count = self.inner.read(&mut scratch)?;
            if count == 0 {
                self.done = true;
                return Ok(());
            }
            if scratch[..count].iter().any(|byte| *byte != 0) {
                return Err(self.refused("TAR-17", "content after the end of the archive"));
            }
            self.offset += count as u64;
        }
    }

    fn read_extension(&mut self, header: &Header, extensions: &mut Extensions) -> Result<(), ReadError> {
        if std::str::from_utf8(&header.name).is_err() {
            return Err(self.refused("TAR-15", "the name of an extension header is not UTF-8"));
        }
        let pending =
            extensions.pax.is_some() || extensions.long_name.is_some() || extensions.long_link.is_some();
        if header.kind == b'g' && pending {
            return Err(self.refused("TAR-10", "a global pax header between an extension and its entry"));
        }
        if header.size > EXTENSION_BYTES_MAX {
            return Err(self.refused("TAR-09", format!("an extension header of {} bytes", header.size)));
        }
        extensions.names.push(header.name.clone());
        self.set_aside(&[&header.owners]);
        self.begin_body(header.size)?;
        let mut text = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match self.read_body(&mut chunk)? {
                0 => break,
                count => text.extend_from_slice(&chunk[..count]),
            }
        }
        self.skip_body()?;
        match header.kind {
            b'g' => {
                let records = pax::parse(&text).map_err(|(code, what)| self.refused(code, what))?;
                if records.keys().any(|key| key != "comment") {
                    return Err(self.refused("TAR-10", "a global pax header that changes entries"));
                }
                self.set_records_aside(&records);
            }
            b'x' => {
                if extensions.pax.is_some() {
                    return Err(self.refused("TAR-06", "two pax headers before one entry"));
                }
                extensions.pax = Some(pax::parse(&text).map_err(|(code, what)| self.refused(code, what))?);
            }
            kind => {
                let slot = if kind == b'L' { &mut extensions.long_name } else { &mut extensions.long_link };
                if slot.is_some() {
                    return Err(ReadError::refused(
                        "TAR-07",
                        self.offset,
                        "two GNU long names before one entry",
                    ));
                }
                if text.pop() != Some(0) || text.contains(&0) {
                    return Err(ReadError::refused(
                        "TAR-12",
                        self.offset,
                        "a GNU long name that does not end with its only NUL",
                    ));
                }
                *slot = Some(text);
            }
        }
        Ok(())
    }

    fn begin_body(&mut self, size: u64) -> Result<(), ReadError> {
        if size > 1 << 50 {
            return Err(self.refused("TAR-03", format!("an entry of {size} bytes")));
        }
        self.body_left = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        Ok(())
    }

    fn entry(&mut self, header: Header, extensions: Extensions) -> Result<Entry, ReadError> {
        self.entries += 1;
        if self.entries > self.entries_max {
            return Err(self.refused("TAR-26", format!("more than {} entries", self.entries_max)));
        }
        let kind = match header.kind {
            0 | b'0' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' | b'4' => Kind::Device,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            b'S' => return Err(self.refused("TAR-20", "a GNU sparse entry")),
            other => return Err(self.refused("TAR-04", format!("the type flag {:?}", char::from(other)))),
        };
        let pax = extensions.pax.unwrap_or_default();
        if pax.keys().any(|key| key.starts_with("GNU.sparse.")) {
            return Err(self.refused("TAR-20", "a pax sparse entry"));
        }
        self.set_records_aside(&pax);
        let long_name = pax.get("path").or(extensions.long_name.as_ref());
        let long_link = pax.get("linkpath").or(extensions.long_link.as_ref());
        for (short, long) in [(&header.name, long_name), (&header.link, long_link)] {
            // Writers put as much of the name there as fits.
            if long.is_some_and(|long| !long.starts_with(short)) {
                self.set_aside(&[short]);
            }
        }
        self.set_aside(&[&header.owners]);
        let of_this = long_name.unwrap_or(&header.name);
        for name in extensions.names.iter().filter(|name| !is_of_extension(name, of_this)) {
            self.set_aside(&[name]);
        }
        let size = self.effective_size(&header, &pax)?;
        if kind != Kind::File && size != 0 {
            return Err(self.refused("TAR-05", format!("a payload of {size} bytes on a {kind:?} entry")));
        }
        let name = self.effective_name("path", &pax, extensions.long_name, header.name)?;
        let link = self.effective_name("linkpath", &pax, extensions.long_link, header.link)?;
        if name.is_empty() {
            return Err(self.refused("TAR-13", "an empty name"));
        }
        if kind == Kind::File && name.ends_with(b"/") {
            return Err(self.refused("TAR-25", "a regular file whose name ends with a slash"));
        }
        let path = self.normal(&name, "TAR-14")?;
        let link = match kind {
            Kind::HardLink => self.normal(&link, "TAR-23")?,
            Kind::Symlink => self.text(link)?,
            _ if link.is_empty() => String::new(),
            _ => return Err(self.refused("TAR-23", "a link target on an entry that is no link")),
        };
        if matches!(kind, Kind::HardLink | Kind::Symlink) && link.is_empty() {
            return Err(self.refused("TAR-23", "a link without a target"));
        }
        if path.is_empty() && kind != Kind::Directory {
            return Err(self.refused("TAR-13", "an entry that is the root but no directory"));
        }
        self.check_whiteout(&path, kind, size)?;
        self.begin_body(size)?;
        self.file_bytes += size;
        let xattrs = pax
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix("SCHILY.xattr.")?.to_owned(), value.clone())))
            .collect();
        let is_null_device = header.kind == b'3' && header.device == (0, 0);
        Ok(Entry { path, kind, size, mode: header.mode, link, xattrs, is_null_device })
    }

    fn effective_size(&self, header: &Header, pax: &pax::Records) -> Result<u64, ReadError> {
        let Some(text) = pax.get("size") else { return Ok(header.size) };
        let size = std::str::from_utf8(text).ok().filter(|t| t.bytes().all(|b| b.is_ascii_digit()));
        let size: u64 = size
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| self.refused("TAR-09", "a pax size that is no number"))?;
        // Writers put zero into a header field that is too small for the size.
        let too_large_for_header = header.size == 0 && size > 0o77_777_777_777;
        if size != header.size && !too_large_for_header {
            let what = format!("pax says {size} bytes, the header {}", header.size);
            return Err(self.refused("TAR-11", what));
        }
        Ok(size)
    }

    fn effective_name(
        &self,
        key: &str,
        pax: &pax::Records,
        long: Option<Vec<u8>>,
        short: Vec<u8>,
    ) -> Result<Vec<u8>, ReadError> {
        match (pax.get(key), long) {
            (Some(_), Some(_)) => Err(self.refused("TAR-07", format!("{key} by pax and by GNU at once"))),
            (Some(name), None) if name.contains(&0) => {
                Err(self.refused("TAR-12", format!("a NUL in pax {key}")))
            }
            (Some(name), None) => Ok(name.clone()),
            (None, Some(name)) => Ok(name),
            (None, None) => Ok(short),
        }
    }

    fn text(&self, bytes: Vec<u8>) -> Result<String, ReadError> {
        let text =
            String::from_utf8(bytes).map_err(|_| self.refused("TAR-15", "a name that is not UTF-8"))?;
        if text.len() > PATH_BYTES_MAX || text.split('/').any(|part| part.len() > COMPONENT_BYTES_MAX) {
            return Err(self.refused("TAR-19", format!("a name of {} bytes", text.len())));
        }
        Ok(text)
    }

    fn normal(&self, bytes: &[u8], code: &'static str) -> Result<String, ReadError> {
        let text = self.text(bytes.to_vec())?;
        if text.starts_with('/') || text.split('/').any(|part| part == "..") {
            return Err(self.refused(code, format!("{text:?} leaves the root")));
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        Ok(parts.join("/"))
    }

    fn check_whiteout(&self, path: &str, kind: Kind, size: u64) -> Result<(), ReadError> {
        for part in path.split('/') {
            let Some(rest) = part.strip_prefix(".wh.") else { continue };
            let last = path.ends_with(part) && kind != Kind::Directory;
            let plain = !rest.is_empty() && (!rest.starts_with(".wh.") || rest == ".wh..opq");
            if !last || !plain || rest == "." || rest == ".." || kind != Kind::File || size != 0 {
                return Err(self.refused("TAR-24", format!("the whiteout {path:?}")));
            }
        }
        Ok(())
    }
}

/// Runtimes look at the first bytes of a layer before they believe its media type.
fn is_compressed(block: &[u8; BLOCK]) -> bool {
    let skippable = block[1..4] == [0x2a, 0x4d, 0x18] && block[0] & 0xf0 == 0x50;
    let magics: [&[u8]; 5] = [
        &[0x1f, 0x8b],
        &[0x28, 0xb5, 0x2f, 0xfd],
        b"BZh",
        &[0xfd, b'7', b'z', b'X', b'Z'],
        b"\x04\x22\x4d\x18",
    ];
    skippable || magics.iter().any(|magic| block.starts_with(magic))
}

fn is_zero(block: &[u8; BLOCK]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

impl Magic {
    fn allows_prefix(self) -> bool {
        matches!(self, Self::Ustar)
    }
}

#[cfg(test)]
mod tests;
