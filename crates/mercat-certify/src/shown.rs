//! Bytes on their way to whoever opens them.

use crate::companion::Before;
use crate::facts::Note;
use crate::files::Asked;
use crate::kept::{ANNOUNCED_BYTES_MAX, Bytes, Kept};
use crate::scan::{Ended, Passed, Rules, Scan, Want, Whence};
use crate::window::Window;
use crate::{nested, yara};
use mercat_artifact::ReadError;
use mercat_artifact::archive::{self, Format};
use mercat_inventory::PROGRAM_MEMORY_BYTES_MAX;
use mercat_secrets::lines::line_behind;
use mercat_signatures::{FileKind, Hasher, Hashing};
use std::borrow::Cow;
use std::io::{self, BufRead, Read};

/// Bytes of a file that scanners see at a time: so many that they stay in the cache of a processor from the first scanner to
/// the last.
pub(crate) const WINDOW_BYTES: usize = 1 << 20;
/// Bytes at the end of a window that the next one begins with: what a signature spans, and the end record of a zip with the
/// longest comment.
pub(crate) const OVERLAP_BYTES: usize = mercat_signatures::SPAN_BYTES_MAX + 128;

/// Archives around a file that may be held whole, for the rules or for an archive at its end; of deeper ones there are
/// only windows, for want of memory.
const WHOLE_DEPTH_MAX: u32 = 2;
/// Bytes of a program of Windows in which an archive at its end is opened; most have something behind their last section.
const BEHIND_PE_BYTES_MAX: u64 = 64 << 20;

/// Bytes of a file system or disk that is held in memory where no file of ours is free for it.
const DISK_MEMORY_BYTES_MAX: u64 = 8 << 20;

/// A file whose bytes go past every scanner, whether or not somebody asks for them.
pub(crate) struct Shown<'s, 'k> {
    scan: &'s Scan<'k>,
    path: &'s str,
    depth: u32,
    inner: &'s mut dyn Read,
    window: Window,
    /// Bytes at the beginning of the window that the scanners saw before.
    carried: usize,
    /// Bytes of the window that were handed on.
    taken: usize,
    size: u64,
    hash: Hasher<'s>,
    kind: FileKind,
    program_end: u64,
    /// Where the next archive may begin that is searched for.
    searched: u64,
    /// Whether it is told as a program.
    program: bool,
    archive: bool,
    /// Whether its reader ends before the file does, or passes over parts of it.
    ends_elsewhere: bool,
    /// Whether a zip begins behind the script or program that it is.
    zip_behind: bool,
    /// Scanners of others; an archive is opened for them.
    before: Option<Vec<Before<'k>>>,
    /// What the rules see when all of it is there, of a file of more than a window, and whether one of them may hit.
    whole: Option<(Kept<'k>, bool)>,
    /// All bytes of a file that may have an archive behind other content.
    all: Option<Kept<'k>>,
    kept: Option<Kept<'k>>,
    /// Its size, where it is known before the bytes are read.
    known_size: Option<u64>,
    /// The most bytes that are kept.
    kept_max: u64,
    ended: bool,
    broken: Option<ReadError>,
    /// Whether credentials were found in its name.
    named: bool,
    /// The line of a text in which the window begins.
    line: Option<u64>,
    /// Whether nothing is won by a second window.
    is_slow: bool,
}

impl<'s, 'k> Shown<'s, 'k> {
    pub(crate) fn new(
        scan: &'s Scan<'k>,
        path: &'s str,
        depth: u32,
        inner: &'s mut dyn Read,
        want: &Want,
    ) -> Self {
        let alone = scan.knowledge().inventory_alone;
        let hash = if alone { Hashing::none() } else { scan.knowledge().signatures.hashing(want.size) };
        let named = depth == 0 && scan.begin_content(path);
        // Archives inside archives may be open together, each with a thread of its own; the outer ones wait anyway.
        let crowded = scan.knowledge().crew.is_full();
        let hash = match depth {
            0 => Hasher::beside(hash, scan.hashing_thread(), crowded),
            _ => Hasher::here(hash),
        };
        Self {
            scan,
            path,
            depth,
            inner,
            window: scan.buffer_for(depth, want.size),
            carried: 0,
            taken: 0,
            size: 0,
            hash,
            kind: FileKind::Any,
            program_end: 0,
            searched: 0,
            program: false,
            archive: false,
            ends_elsewhere: false,
            zip_behind: false,
            before: None,
            whole: None,
            all: None,
            kept: want.bytes.then(Kept::all),
            known_size: want.size,
            kept_max: u64::MAX,
            ended: false,
            broken: None,
            named,
            line: (!want.is_part && !alone).then_some(1),
            is_slow: want.is_slow,
        }
    }

    /// The first bytes of the file: a window of it.
    pub(crate) fn head(&mut self) -> &[u8] {
        self.more();
        self.kind = FileKind::of(&self.window);
        self.program_end = mercat_inventory::ends_at(&self.window).unwrap_or(0);
        &self.window
    }

    /// Asks for more of a file of which the head was seen.
    pub(crate) fn ask(&mut self, asked: &Asked) {
        if !self.ended && !self.scan.knowledge().inventory_alone {
            let max = if self.depth <= WHOLE_DEPTH_MAX { yara::WHOLE_BYTES_MAX } else { 0 };
            let may_hit = || self.scan.knowledge().yara.may_hit(&self.window);
            self.whole = self.wait(max).map(|kept| (kept, may_hit()));
            let max = self.scan.nested_bytes_max();
            let max = if self.window.starts_with(b"MZ") { max.min(BEHIND_PE_BYTES_MAX) } else { max };
            let may_carry = |size: &u64| mercat_inventory::may_carry(&self.window, *size);
            self.all = match self.known_size.filter(may_carry) {
                Some(_) if self.depth <= WHOLE_DEPTH_MAX => self.wait(max),
                _ => None,
            };
        }
        self.program = asked.program;
        if asked.program {
            self.hash.also(asked.packaged && !self.scan.knowledge().inventory_alone);
        }
        if let Some(max) = asked.bytes_max()
            && self.kept.is_none()
        {
            self.kept_max = max;
            self.kept = self.keep(asked).map(|mut kept| {
                kept.push(&self.window);
                kept
            });
        }
    }

    /// Where the file is kept, unless it is too large to be.
    fn keep(&mut self, asked: &Asked) -> Option<Kept<'k>> {
        let size = self.known_size.unwrap_or(self.size);
        if size > self.kept_max {
            return None;
        }
        if asked.disk {
            let lent = self.scan.lend(self.known_size.unwrap_or(u64::MAX));
            if let Some(lent) = lent {
                return Some(Kept::lent(lent, size, Vec::new()));
            }
            self.kept_max = DISK_MEMORY_BYTES_MAX;
            return (size <= self.kept_max).then(Kept::all);
        }
        if !asked.in_parts() {
            return Some(Kept::all());
        }
        let lent = self.known_size.and_then(|size| self.scan.lend(size));
        let holes = mercat_inventory::unread(&self.window, size);
        if let Some(lent) = lent {
            return Some(Kept::lent(lent, size, holes));
        }
        self.kept_max = self.kept_max.min(PROGRAM_MEMORY_BYTES_MAX);
        (size <= self.kept_max).then(|| match self.known_size {
            // What an archive announces takes no room before it comes.
            Some(size) if self.depth == 0 || size <= ANNOUNCED_BYTES_MAX => Kept::sparse(size, holes),
            _ => Kept::all(),
        })
    }

    /// Where the file waits, with what was read of it, unless it is too large.
    fn wait(&self, max: u64) -> Option<Kept<'k>> {
        let size = self.known_size.map(|size| size.max(self.size));
        if size.unwrap_or(self.size) > max {
            return None;
        }
        let mut kept = self.scan.keep(size);
        kept.push(&self.window);
        Some(kept)
    }

    /// Keeps what the rules, or an archive at the end, are looked for in.
    fn keep_on(&mut self) {
        let fresh = &self.window[self.carried..];
        let max = self.scan.nested_bytes_max();
        if let Some(all) = self.all.as_mut().filter(|all| all.passed() as u64 <= max) {
            all.push(fresh);
        }
        if let Some((kept, may_hit)) = &mut self.whole {
            kept.push(fresh);
            *may_hit = *may_hit || self.scan.knowledge().yara.may_hit(&self.window);
            if kept.passed() as u64 > yara::WHOLE_BYTES_MAX {
                // From here on they see windows, the next of which begins with the end of this.
                self.late_rules(false);
            }
        }
    }

    /// Shows the rules what waited for them, and gives it back.
    fn late_rules(&mut self, whole: bool) -> Option<Bytes<'k>> {
        let (kept, may_hit) = self.whole.take()?;
        let kept = kept.finish();
        if may_hit {
            match kept.read() {
                Ok(bytes) => self.scan.late_rules(self.path, &bytes, whole),
                Err(error) => {
                    self.scan.ended_early(self.path, &format!("what waited for it is lost: {error}"));
                }
            }
        }
        Some(kept)
    }

    /// Shows what the window holds, and reads the next.
    fn more(&mut self) {
        if self.ended {
            return;
        }
        let keep = self.window.len().min(OVERLAP_BYTES);
        let read = self.show_and_read(keep);
        self.carried = keep;
        self.taken = keep;
        let fresh = self.window.len() - keep;
        if !self.scan.count(self.path, self.depth, fresh) {
            self.window.truncate(keep);
            self.ended = true;
            return;
        }
        self.size += fresh as u64;
        if self.size > self.kept_max {
            self.kept = None;
        }
        if let Some(kept) = &mut self.kept {
            kept.push(&self.window[keep..]);
        }
        self.keep_on();
        self.ended = !matches!(read, Ok(true));
        if let Err(error) = read {
            self.broken = Some(ReadError::from(error));
        }
    }

    /// Shows the window to the scanners while the next one is read, which begins with the last bytes of this.
    fn show_and_read(&mut self, keep: usize) -> io::Result<bool> {
        if self.window.is_empty() {
            return self.window.read(&mut *self.inner, WINDOW_BYTES);
        }
        if self.is_slow || self.scan.shows_first(self.depth) {
            let fresh = self.window.len() - self.carried;
            let seen =
                self.hash_fresh().map(|(of, rules)| self.scan.look(self.path, of, &self.window, rules));
            self.count_lines(keep);
            self.window.keep_last(keep);
            let read = self.window.read(&mut *self.inner, WINDOW_BYTES);
            // What is noted while more is read stands in front, as where both are done side by side.
            if let Some(seen) = seen {
                self.scan.saw((self.path, self.depth), fresh, seen);
            }
            return read;
        }
        let mut next = self.scan.buffer();
        next.begin_with(&self.window[self.window.len() - keep..]);
        let read = match self.hash_fresh() {
            None => next.read(&mut *self.inner, WINDOW_BYTES),
            Some((of, rules)) => {
                let Self { inner, window, .. } = self;
                let read = || next.read(&mut **inner, WINDOW_BYTES);
                self.scan.window_while((self.path, self.depth), of, (window, self.carried), rules, read)
            }
        };
        self.count_lines(keep);
        self.scan.give_back(std::mem::replace(&mut self.window, next));
        read
    }

    /// Takes note of the line in which the next window begins, with the last bytes of this.
    fn count_lines(&mut self, keep: usize) {
        self.line = self.line.and_then(|line| line_behind(&self.window[..self.window.len() - keep], line));
    }

    /// Shows the window to the scanners, once.
    fn show(&mut self) {
        if let Some((of, rules)) = self.hash_fresh() {
            self.scan.window((self.path, self.depth), of, (&self.window, self.carried), rules);
            self.carried = self.window.len();
        }
    }

    /// Hashes what is new in the window, and tells as what the scanners see it; nothing when it is not new.
    fn hash_fresh(&mut self) -> Option<(Whence, Rules)> {
        if self.window.len() == self.carried {
            return None;
        }
        let fresh = &self.window[self.carried..];
        let start = self.size - self.window.len() as u64;
        let of = Whence { start, kind: self.kind, program_end: self.program_end, line: self.line };
        self.hash.update(fresh);
        if !self.archive {
            let companions = &self.scan.knowledge().companions;
            let begin = || companions.iter().map(|one| Before::new(&**one)).collect::<Vec<_>>();
            self.before.get_or_insert_with(begin).iter_mut().for_each(|one| one.feed(fresh));
        }
        let rules = match &self.whole {
            _ if self.ended && start == 0 => Rules::Whole,
            Some(_) => Rules::Later,
            None => Rules::Window,
        };
        Some((of, rules))
    }

    /// Asks the scanners of others what they found.
    fn answers(&mut self) {
        let companions = &self.scan.knowledge().companions;
        for (companion, before) in companions.iter().zip(self.before.take().unwrap_or_default()) {
            match before.end() {
                Ok(names) => names.iter().for_each(|name| {
                    self.scan.virus(self.path, &format!("{name} ({})", companion.name()));
                }),
                Err(why) => self.scan.failed(companion.name(), self.path, &why),
            }
        }
    }

    /// Keeps everything from here to the end; `false` when it has more than `max` bytes.
    ///
    /// # Errors
    /// What broke the stream.
    pub(crate) fn rest(&mut self, max: u64, kept: &mut Kept<'_>) -> io::Result<bool> {
        loop {
            let bytes = self.fill_buf()?;
            let count = bytes.len();
            if count == 0 {
                return Ok(true);
            }
            if kept.passed() as u64 + count as u64 > max {
                return Ok(false);
            }
            kept.push(bytes);
            self.consume(count);
        }
    }

    /// Gives memory back that waits for other files, and what of its own window is not needed.
    pub(crate) fn shed(&mut self) {
        if self.ended {
            self.window = Window::exactly(&self.window);
        }
        self.scan.shed();
    }

    /// Its size, where it is known before the bytes are read.
    pub(crate) fn known_size(&self) -> Option<u64> {
        self.known_size
    }

    /// Passes over the script or program that the file begins as, to the archive behind it, and tells its format, and
    /// whether it begins where the other ends; if not, it may be none. A zip is not waited for: its table is at the end.
    pub(crate) fn pass_to_archive(&mut self) -> Option<(Format, bool)> {
        let found = match self.program_end {
            0 if self.window.starts_with(b"#!") => self.pass_script()?,
            0 if !self.ended && is_zero(&self.window) => return self.pass_zeros(),
            0 => return None,
            end => self.pass_program(end)?,
        };
        self.zip_behind = found.0 == Format::Zip;
        Some(found).filter(|_| !self.zip_behind)
    }

    /// Passes over a window of zeros and more. An archive behind them is not opened, and told.
    fn pass_zeros(&mut self) -> Option<(Format, bool)> {
        self.skip_zeros()?;
        self.look_ahead();
        archive::behind_zeros(&self.window[self.taken..]).then_some((Format::Padded, true))
    }

    /// Passes over zeros; nothing where the file ends with them.
    fn skip_zeros(&mut self) -> Option<()> {
        loop {
            let bytes = self.fill_buf().ok().filter(|bytes| !bytes.is_empty())?;
            let have = bytes.len();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            self.consume(zeros);
            if zeros < have {
                return Some(());
            }
        }
    }

    fn pass_program(&mut self, end: u64) -> Option<(Format, bool)> {
        while self.position() < end {
            let have = self.fill_buf().ok().filter(|bytes| !bytes.is_empty())?.len();
            let missing = usize::try_from(end - self.position()).unwrap_or(have);
            self.consume(missing.min(have));
        }
        self.skip_zeros()?;
        self.here_or_behind(0)
    }

    fn pass_script(&mut self) -> Option<(Format, bool)> {
        loop {
            let bytes = self.fill_buf().ok().filter(|bytes| !bytes.is_empty())?;
            let have = bytes.len();
            if let Some(binary) = archive::behind::first_binary(bytes) {
                let line = bytes[..binary].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                self.consume(line);
                return self.here_or_behind(binary - line);
            }
            self.consume(have);
        }
    }

    /// Sees to it that there is enough from here on to tell an archive by, where the file goes on.
    fn look_ahead(&mut self) {
        let left = self.window.len() - self.taken;
        if left <= OVERLAP_BYTES && !self.ended {
            self.more();
            self.taken -= left;
        }
    }

    /// The archive that begins here or at another place, else the next that begins anywhere behind.
    fn here_or_behind(&mut self, other: usize) -> Option<(Format, bool)> {
        self.look_ahead();
        for at in [0, other] {
            if let Some(format) = archive::detect(&self.window[self.taken + at..]) {
                self.consume(at);
                return Some((format, true));
            }
        }
        self.search()
    }

    /// The next archive behind what only looked like one, or was one that ends. Its reader may have taken a few bytes of
    /// what follows.
    pub(crate) fn search_on(&mut self) -> Option<(Format, bool)> {
        self.taken -= self.taken.min(archive::behind::HEAD_BYTES);
        let missing = usize::try_from(self.searched.saturating_sub(self.position())).ok()?;
        self.consume(missing.min(self.window.len() - self.taken));
        self.search()
    }

    fn search(&mut self) -> Option<(Format, bool)> {
        loop {
            if let Some(at) = archive::behind::search(&self.window[self.taken..]) {
                self.consume(at);
                self.searched = self.position() + 1;
                return archive::detect(&self.window[self.taken..]).map(|format| (format, false));
            }
            // What the window cuts is looked at again with the next.
            let left = (self.window.len() - self.taken).min(archive::behind::HEAD_BYTES);
            if self.ended {
                return None;
            }
            self.taken = self.window.len();
            self.more();
            self.taken -= left;
        }
    }

    /// Where in the file the next byte is that is handed on.
    fn position(&self) -> u64 {
        self.size - (self.window.len() - self.taken) as u64
    }

    /// Says that the bytes are an archive that is opened from its beginning.
    pub(crate) fn opened(&mut self, format: Format) {
        // Other files begin with the two bytes of zlib, too.
        self.archive = format != Format::Zlib;
        self.ends_elsewhere = matches!(format, Format::SevenZip | Format::Cab | Format::Gzip | Format::Zstd);
    }

    /// Reads what nobody asked for, and tells what passed.
    ///
    /// # Errors
    /// What broke the stream.
    pub(crate) fn finish(mut self) -> Result<Passed<'k>, ReadError> {
        while !self.ended {
            self.more();
        }
        self.show();
        let waited = self.late_rules(true);
        self.answers();
        let digests = std::mem::replace(&mut self.hash, Hasher::here(Hashing::none())).finish();
        let announced = self.known_size.filter(|_| self.depth > 0 && self.broken.is_none());
        if let Some(size) = announced.filter(|size| *size != self.size) {
            self.other_size(size);
        }
        self.tail(waited.as_ref());
        let all = self.broken.is_none() && self.window.len() as u64 == self.size;
        let credentials = if self.depth == 0 { self.scan.credentials() } else { Vec::new() };
        if !credentials.is_empty() {
            let bytes = match &waited {
                _ if self.named || self.broken.is_some() => None,
                _ if all => Some(Cow::Borrowed(&*self.window)),
                Some(waited) => waited.read().ok(),
                None => None,
            };
            self.scan.with(|facts| facts.told.suspect(self.path, bytes.as_deref(), credentials));
        }
        let ended = Ended {
            path: self.path.to_owned(),
            size: self.size,
            whole: self.broken.is_none(),
            program: self.program,
            noted: self.scan.is_noted(self.path),
        };
        // Of a file that was noted, which may be excused by its digest.
        let digest = || match &waited {
            _ if all => Some(crate::digest_of(&self.window)),
            Some(waited) if self.broken.is_none() => waited.sha256().ok(),
            _ => None,
        };
        match digests {
            Some(digests) => self.scan.hashed(ended, &digests, &digest),
            None => {
                let digest = if ended.noted { digest() } else { None };
                self.scan.hashed_later(ended, digest);
            }
        }
        drop(waited);
        self.scan.give_back(std::mem::take(&mut self.window));
        match self.broken.take() {
            Some(error) => Err(error),
            None => Ok(Passed {
                kept: self.kept.take().map(Kept::finish),
                size: self.size,
                program: self.program,
            }),
        }
    }

    /// Tells that other bytes were announced than came: what is only looked for in files of some size was not.
    fn other_size(&self, announced: u64) {
        if !self.scan.is_cut() {
            let observed = format!("{} bytes, where {announced} are announced", self.size);
            let fix = "rebuild the archive that it is in with a current tool";
            self.scan.note(Note::new("INC-05", self.path, observed, "as many bytes as are announced", fix));
        }
    }

    /// Opens a zip behind other content: an executable jar, a self-extracting program.
    fn tail(&mut self, waited: Option<&Bytes<'k>>) {
        let whole = self.window.len() as u64 == self.size;
        if self.scan.is_cut() {
            return;
        }
        if self.archive {
            if self.ends_elsewhere && archive::zip::ends_here(&self.window) {
                let observed = "a zip archive at the end of another archive".to_owned();
                let fix = "ship the archive as a file of its own";
                let required = "an archive that can be read whole";
                self.scan.note(Note::new("INC-05", self.path, observed, required, fix));
            }
            return;
        }
        if !archive::zip::has_tail(&self.window, whole) {
            if self.zip_behind {
                let observed = "a zip archive behind other content, whose table is not at the end".to_owned();
                let fix = "ship the archive as a file of its own";
                self.scan.note(Note::new(
                    "INC-05",
                    self.path,
                    observed,
                    "an archive that can be read whole",
                    fix,
                ));
            }
            return;
        }
        let all = self.all.take().filter(|all| all.passed() as u64 == self.size);
        if whole {
            nested::behind(self.scan, self.path, self.depth, Ok(&&*self.window));
        } else if let Some(all) = all {
            nested::behind(self.scan, self.path, self.depth, all.finish().positioned());
        } else if let Some(waited) = waited.filter(|_| self.size <= self.scan.nested_bytes_max()) {
            nested::behind(self.scan, self.path, self.depth, waited.positioned());
        } else {
            let observed = format!("a zip archive behind other content, {} bytes in all", self.size);
            let required = "a file in which an archive is opened";
            let fix = "ship the archive as a file of its own";
            self.scan.note(Note::new("INC-03", self.path, observed, required, fix));
        }
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

impl Read for Shown<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Shown<'_, '_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken == self.window.len() && !self.ended {
            self.more();
        }
        if self.taken == self.window.len() && self.broken.is_some() {
            return Err(io::Error::other("the stream below is damaged"));
        }
        Ok(&self.window[self.taken..])
    }

    fn consume(&mut self, count: usize) {
        self.taken = (self.taken + count).min(self.window.len());
    }
}
