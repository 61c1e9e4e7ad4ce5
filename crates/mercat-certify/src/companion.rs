//! Scanners of others, which are shown each plain file beside our own.
//!
//! They are never trusted to be whole: each layer shows them what they must find, plain and packed, and what they
//! must not. Whatever is not a clear answer is an error, and an error is inconclusive.

/// A scanner that runs elsewhere.
pub trait Companion: Send + Sync {
    /// Its name, for findings.
    fn name(&self) -> &str;
    /// Everything about it that its answers depend on: program and database versions.
    fn version(&self) -> &str;
    /// Why its database must not be used, if so: older than the operator allows, for example.
    fn trouble(&self) -> Option<&str>;
    /// Begins a file. One that is longer than the scanner takes is begun again, with some of its bytes twice.
    ///
    /// # Errors
    /// Why it cannot be scanned.
    fn begin(&self) -> Result<Box<dyn FileScan + '_>, String>;
    /// Bytes that one file may have; longer ones are shown in pieces.
    fn file_bytes_max(&self) -> u64;
}

/// A file on its way to a scanner.
pub trait FileScan {
    /// Shows more of its bytes.
    ///
    /// # Errors
    /// Why the file cannot be scanned to its end.
    fn feed(&mut self, bytes: &[u8]) -> Result<(), String>;
    /// Ends the file; gives the names of what was found.
    ///
    /// # Errors
    /// Anything but a clear answer.
    fn end(self: Box<Self>) -> Result<Vec<String>, String>;
}

/// Bytes at the end of a piece that the next one begins with.
const OVERLAP_BYTES: usize = 64 << 10;

/// One file before one companion, in as many pieces as it takes.
pub(crate) struct Before<'c> {
    companion: &'c dyn Companion,
    scan: Option<Box<dyn FileScan + 'c>>,
    fed: u64,
    /// The last bytes that were shown.
    tail: Vec<u8>,
    found: Vec<String>,
    failed: Option<String>,
}

impl<'c> Before<'c> {
    pub(crate) fn new(companion: &'c dyn Companion) -> Self {
        let (scan, failed) = match companion.begin() {
            Ok(scan) => (Some(scan), None),
            Err(why) => (None, Some(why)),
        };
        Self { companion, scan, fed: 0, tail: Vec::new(), found: Vec::new(), failed }
    }

    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        let most = self.companion.file_bytes_max().max(2 * OVERLAP_BYTES as u64);
        while !bytes.is_empty() && self.failed.is_none() {
            let room = usize::try_from(most - self.fed).unwrap_or(usize::MAX);
            if room == 0 {
                self.next_piece();
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.give(now);
            self.keep_tail(now);
            bytes = later;
        }
    }

    fn give(&mut self, bytes: &[u8]) {
        if let Some(Err(why)) = self.scan.as_mut().map(|scan| scan.feed(bytes)) {
            self.failed = Some(why);
        }
        self.fed += bytes.len() as u64;
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(OVERLAP_BYTES);
        self.tail.extend_from_slice(&bytes[bytes.len() - kept..]);
        let surplus = self.tail.len().saturating_sub(OVERLAP_BYTES);
        self.tail.drain(..surplus);
    }

    fn next_piece(&mut self) {
        self.end_piece();
        if self.failed.is_some() {
            return;
        }
        match self.companion.begin() {
            Ok(scan) => self.scan = Some(scan),
            Err(why) => self.failed = Some(why),
        }
        self.fed = 0;
        let tail = std::mem::take(&mut self.tail);
        self.give(&tail);
        self.tail = tail;
    }

    fn end_piece(&mut self) {
        match self.scan.take().map(FileScan::end) {
            Some(Ok(names)) => self.found.extend(names),
            Some(Err(why)) => self.failed = Some(why),
            None => {}
        }
    }

    /// What was found, or why that is not known.
    pub(crate) fn end(mut self) -> Result<Vec<String>, String> {
        if self.failed.is_none() {
            self.end_piece();
        }
        match self.failed {
            Some(why) => Err(why),
            None => Ok(self.found),
        }
    }
}

/// What a companion does wrong with what is known: nothing when it works.
pub(crate) fn broken(
    companion: &dyn Companion,
    test: &[u8],
    packed: &[u8],
    near_miss: &[u8],
) -> Option<String> {
    if let Some(why) = companion.trouble() {
        return Some(why.to_owned());
    }
    let ask = |bytes: &[u8]| {
        let mut before = Before::new(companion);
        before.feed(bytes);
        before.end()
    };
    let cases = [
        ("the test file", test, true),
        ("the test file inside an archive", packed, true),
        ("a harmless file", near_miss, false),
    ];
    for (what, bytes, is_bad) in cases {
        match ask(bytes) {
            Err(why) => return Some(format!("{what}: {why}")),
            Ok(found) if found.is_empty() == is_bad => {
                let found = if is_bad { "was not found" } else { "was found to be bad" };
                return Some(format!("{what} {found}"));
            }
            Ok(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
