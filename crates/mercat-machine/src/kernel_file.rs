//! What is kept of a file while its bytes pass: its beginning, and what a kernel says of itself.

use super::HEAD_BYTES;
use super::pe::{self, Section, le16};

/// Bytes of the command lines of one file that are kept; kernels of 64 bits take 2,048.
const LINES_BYTES_MAX: u32 = 4096;
/// Bytes of a kernel's header up to the field that says whether it is of 64 bits.
const HEADER_BYTES: u32 = 0x240;
/// Bytes of the text with a kernel's version that are kept.
const RELEASE_BYTES: u32 = 128;
/// A file of this size could be swap with pages of 64 KiB, and how many of its bytes tell.
const LARGE_SWAP_BYTES: u64 = 640 << 10;
const LARGE_HEAD_BYTES: usize = 64 << 10;

/// What a kernel says of itself, or a unified kernel image: a portable executable with the kernel in one section and
/// its command line in another (UAPI.5 of the UAPI group).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KernelFile {
    /// Release, from the header of the x86 boot protocol or the section `.uname`.
    pub releases: Vec<String>,
    /// Command lines, one of each section `.cmdline`.
    pub lines: Vec<String>,
    /// Whether it has a section with a kernel.
    pub is_unified: bool,
    /// What of it could not be read.
    pub unread: Option<&'static str>,
}

/// What was kept of a file.
pub struct Passed {
    /// Its first bytes.
    pub head: Vec<u8>,
    /// What it says as a kernel; `None` when it is none.
    pub kernel: Option<KernelFile>,
}

/// Looks at a file whose bytes pass once, from the first to the last, and keeps few of them.
pub struct Passing {
    head: Vec<u8>,
    limit: usize,
    passed: u64,
    parts: Option<Parts>,
}

impl Passing {
    /// For a file of a size.
    pub fn new(bytes: u64) -> Self {
        let limit = if bytes >= LARGE_SWAP_BYTES { LARGE_HEAD_BYTES } else { HEAD_BYTES };
        Self { head: Vec::new(), limit, passed: 0, parts: None }
    }

    /// The next bytes.
    pub fn pass(&mut self, bytes: &[u8]) {
        let missing = self.limit.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(missing));
        if self.parts.is_none() && self.head.len() >= HEAD_BYTES {
            self.parts = Some(Parts::of(&self.head));
        }
        if let Some(parts) = &mut self.parts {
            parts.feed(self.passed, bytes);
        }
        self.passed += bytes.len() as u64;
    }

    /// What was kept, after the last byte.
    pub fn finish(self) -> Passed {
        let parts = self.parts.unwrap_or_else(|| Parts::of(&self.head));
        Passed { kernel: parts.kernel(), head: self.head }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    CommandLine,
    /// The section `.uname`.
    Name,
    /// The header of a kernel that begins here.
    Header,
    /// The text that such a header points to.
    Version,
}

/// A range of the file that is kept when it passes.
struct Part {
    what: What,
    at: u64,
    length: usize,
    bytes: Vec<u8>,
}

impl Part {
    fn new(what: What, at: u64, length: u32) -> Self {
        Self { what, at, length: length as usize, bytes: Vec::new() }
    }

    fn is_whole(&self) -> bool {
        self.bytes.len() == self.length
    }

    fn take(&mut self, from: u64, bytes: &[u8]) {
        let next = (self.at + self.bytes.len() as u64).checked_sub(from);
        let Some(next) = next.and_then(|next| usize::try_from(next).ok()) else { return };
        let missing = self.length - self.bytes.len();
        self.bytes.extend(bytes.iter().skip(next).take(missing));
    }

    /// Where the version is: `kernel_version` of the x86 boot protocol counts from the first sector.
    fn version(&self) -> Option<Self> {
        let is_kernel = self.what == What::Header && self.bytes.get(0x202..0x206) == Some(b"HdrS");
        let pointer = le16(&self.bytes, 0x20e).filter(|pointer| is_kernel && *pointer >= 0x40)?;
        Some(Self::new(What::Version, self.at + 0x200 + u64::from(pointer), RELEASE_BYTES))
    }

    /// The text, which ends at its first zero.
    fn text(&self) -> String {
        let text = self.bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// The parts of one file that are kept.
#[derive(Default)]
struct Parts {
    parts: Vec<Part>,
    is_unified: bool,
    unread: Option<&'static str>,
}

impl Parts {
    /// What to keep of a file that begins so.
    fn of(head: &[u8]) -> Self {
        let mut out = Self::default();
        if head.get(0x202..0x206) == Some(b"HdrS") {
            out.parts.push(Part::new(What::Header, 0, HEADER_BYTES));
        }
        if head.starts_with(b"MZ") {
            match pe::sections(head) {
                Some(sections) => sections.iter().for_each(|section| out.section(section)),
                // Kernels of ARM begin so too, and others that are no such program.
                None if out.parts.is_empty() => out.unread = Some("its sections"),
                None => {}
            }
        }
        out.feed(0, head);
        out
    }

    fn section(&mut self, section: &Section) {
        let what = match &section.name {
            b".cmdline" => What::CommandLine,
            b".uname\0\0" => What::Name,
            b".linux\0\0" => What::Header,
            _ => return,
        };
        self.is_unified |= what == What::Header;
        let length = match what {
            What::CommandLine => {
                let lines = self.parts.iter().filter(|part| part.what == What::CommandLine);
                let before: usize = lines.map(|part| part.length).sum();
                if section.bytes as usize + before > LINES_BYTES_MAX as usize {
                    self.unread = Some("its command line");
                    return;
                }
                section.bytes
            }
            _ => section.bytes.min(HEADER_BYTES),
        };
        self.parts.push(Part::new(what, u64::from(section.at), length));
    }

    fn feed(&mut self, from: u64, bytes: &[u8]) {
        let mut at = 0;
        while let Some(part) = self.parts.get_mut(at) {
            let before = part.is_whole();
            part.take(from, bytes);
            let version = if !before && part.is_whole() { part.version() } else { None };
            self.parts.extend(version);
            at += 1;
        }
    }

    fn kernel(mut self) -> Option<KernelFile> {
        if self.parts.iter().any(|part| part.what == What::CommandLine && !part.is_whole()) {
            self.unread = Some("its command line");
        }
        if self.parts.is_empty() && self.unread.is_none() {
            return None;
        }
        let texts = |what: What| self.parts.iter().filter(move |part| part.what == what).map(Part::text);
        let is_release = |text: &String| text.starts_with(|letter: char| letter.is_ascii_digit());
        let releases = texts(What::Name).chain(texts(What::Version));
        let releases = releases.filter_map(|text| text.split(' ').next().map(str::to_owned));
        Some(KernelFile {
            releases: releases.filter(is_release).collect(),
            lines: texts(What::CommandLine).collect(),
            is_unified: self.is_unified,
            unread: self.unread,
        })
    }
}

#[cfg(test)]
mod tests;
