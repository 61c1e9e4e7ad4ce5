//! The serial console: what is kept of it, and what it says about the boot.

use std::collections::VecDeque;

/// Bytes kept from the beginning of a console.
const OLDEST_BYTES: usize = 128 << 10;
/// Bytes kept from its end.
const NEWEST_BYTES: usize = 384 << 10;
/// Longest line that is looked at; what is longer is looked at in pieces.
const LINE_BYTES_MAX: usize = 4096;
/// Signs of one kind that are kept.
const SIGNS_MAX: usize = 32;

/// A log of bounded size: its oldest and its newest bytes.
#[derive(Debug, Default)]
pub(crate) struct Log {
    oldest: Vec<u8>,
    newest: VecDeque<u8>,
    dropped: u64,
}

impl Log {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(OLDEST_BYTES.saturating_sub(self.oldest.len())));
        self.oldest.extend_from_slice(first);
        self.newest.extend(rest);
        let over = self.newest.len().saturating_sub(NEWEST_BYTES);
        self.newest.drain(..over);
        self.dropped = self.dropped.saturating_add(over as u64);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.oldest.is_empty()
    }

    /// Everything that was kept, with a line where bytes are missing.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.oldest.clone();
        if self.dropped > 0 {
            out.extend_from_slice(format!("\n[{} bytes left out]\n", self.dropped).as_bytes());
        }
        out.extend(&self.newest);
        out
    }
}

/// What a line of the console means for the boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sign {
    /// Somebody may log in.
    Login,
    /// The kernel gave up.
    Panic,
    /// The init system asks for somebody to repair the system.
    Emergency,
    /// The boot loader or the initial file system stands at a prompt.
    LoaderPrompt,
    /// The firmware found nothing to start.
    NothingToBoot,
    /// A processor did not answer its kernel for a long time.
    SoftLockup,
}

impl Sign {
    /// Whether the boot is over because of it.
    pub fn ends_boot(self) -> bool {
        !matches!(self, Self::Login | Self::SoftLockup)
    }
}

const PHRASES: &[(&str, Sign)] = &[
    ("Kernel panic - not syncing", Sign::Panic),
    ("You are in emergency mode", Sign::Emergency),
    ("You are in rescue mode", Sign::Emergency),
    ("Entering emergency mode", Sign::Emergency),
    ("root password for maintenance", Sign::Emergency),
    ("Press Enter for maintenance", Sign::Emergency),
    ("Cannot open access to console, the root account is locked", Sign::Emergency),
    ("grub rescue>", Sign::LoaderPrompt),
    ("grub>", Sign::LoaderPrompt),
    ("(initramfs)", Sign::LoaderPrompt),
    ("Dropping to a shell!", Sign::LoaderPrompt),
    ("BUG: soft lockup", Sign::SoftLockup),
];

/// Phrases of firmware; a guest's own lines cannot say them.
const FIRMWARE_PHRASES: &[&str] = &[
    "No bootable device",
    "Boot failed: not a bootable disk",
    "No bootable option or device was found",
    "UEFI Interactive Shell",
];

/// A line that meant something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it means.
    pub sign: Sign,
    /// The line, without control sequences, at most 200 characters.
    pub line: String,
}

/// Reads a console as it comes, in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Watcher {
    line: Vec<u8>,
    escape: Escape,
    told: Vec<Sign>,
    pub(crate) seen: Vec<Seen>,
    firmware: bool,
    pub(crate) lines: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Escape {
    #[default]
    No,
    Started,
    Sequence,
}

impl Watcher {
    /// A watcher of the firmware's own log or console.
    pub(crate) fn firmware() -> Self {
        Self { firmware: true, ..Self::default() }
    }

    /// Reads on. New signs are appended to [`Watcher::seen`].
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.byte(byte);
        }
        // Prompts do not end their line.
        self.look();
    }

    fn byte(&mut self, byte: u8) {
        match (self.escape, byte) {
            (_, 0x1b) => self.escape = Escape::Started,
            (Escape::Started, b'[') => self.escape = Escape::Sequence,
            (Escape::Started, _) => self.escape = Escape::No,
            (Escape::Sequence, 0x40..=0x7e) => self.escape = Escape::No,
            (Escape::Sequence, _) if byte != b'\n' => {}
            (_, b'\n' | b'\r') => {
                self.escape = Escape::No;
                self.look();
                self.lines = self.lines.saturating_add(u64::from(!self.line.is_empty()));
                self.line.clear();
                self.told.clear();
            }
            (_, 0x20..) if self.line.len() < LINE_BYTES_MAX => self.line.push(byte),
            (_, 0x20..) => {
                self.look();
                // A phrase may lie across the cut.
                self.line.drain(..LINE_BYTES_MAX - 128);
                self.line.push(byte);
            }
            _ => {}
        }
    }

    /// Looks for signs in the line as far as it is known; tells each once a line.
    fn look(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        let mut found = PHRASES
            .iter()
            .filter(|(phrase, _)| line.contains(phrase))
            .map(|(_, sign)| *sign)
            .collect::<Vec<_>>();
        if self.firmware && FIRMWARE_PHRASES.iter().any(|phrase| line.contains(phrase)) {
            found.push(Sign::NothingToBoot);
        }
        if prompt(&line) {
            found.push(Sign::Login);
        }
        let shown: String = line.chars().take(200).collect();
        for sign in found {
            if self.told.contains(&sign) {
                // The line went on: tell all of it.
                if let Some(seen) = self.seen.iter_mut().rfind(|seen| seen.sign == sign) {
                    seen.line.clone_from(&shown);
                }
            } else {
                self.told.push(sign);
                // One kind of sign cannot crowd out another.
                if self.seen.iter().filter(|seen| seen.sign == sign).count() < SIGNS_MAX {
                    self.seen.push(Seen { sign, line: shown.clone() });
                }
            }
        }
    }
}

/// Whether a line is `<host> login:`. Messages of the kernel may follow on the same line.
fn prompt(line: &str) -> bool {
    line.trim_start().split_once(" login:").is_some_and(|(host, rest)| {
        !host.is_empty()
            && host != "Last"
            && !host.contains(' ')
            && (rest.is_empty() || rest.starts_with(' '))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(pieces: &[&[u8]]) -> Vec<Sign> {
        let mut watcher = Watcher::default();
        pieces.iter().for_each(|piece| watcher.push(piece));
        watcher.seen.iter().map(|seen| seen.sign).collect()
    }

    #[test]
    fn a_login_prompt_is_seen_wherever_the_pieces_are_cut() {
        let text = b"\x1b[0;1mDebian GNU/Linux 12 box ttyS0\r\n\r\nbox login: ";
        assert_eq!(signs(&[text]), [Sign::Login]);
        for at in 0..text.len() {
            assert_eq!(signs(&[&text[..at], &text[at..]]), [Sign::Login], "cut at {at}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(signs(&bytes), [Sign::Login]);
    }

    #[test]
    fn a_note_of_the_last_login_is_no_prompt() {
        assert_eq!(signs(&[b"Last login: Mon\r\nLast login:"]), []);
    }

    #[test]
    fn a_line_that_comes_in_pieces_is_told_whole() {
        let mut watcher = Watcher::default();
        watcher.push(b"Kernel panic - not syncing");
        watcher.push(b": VFS: no root\n");
        let lines: Vec<&str> = watcher.seen.iter().map(|seen| seen.line.as_str()).collect();
        assert_eq!(lines, ["Kernel panic - not syncing: VFS: no root"]);
    }

    #[test]
    fn a_kernel_message_behind_a_prompt_does_not_hide_it() {
        assert_eq!(signs(&[b"box login: [   39.8] kvm: Nested Paging enabled\n"]), [Sign::Login]);
        assert_eq!(signs(&[b"[  1.0] systemd[1]: the next login: never\n"]), []);
    }

    #[test]
    fn colours_inside_a_phrase_do_not_hide_it() {
        assert_eq!(signs(&[b"[  1.0] Kernel \x1b[31mpanic\x1b[0m - not syncing: VFS\n"]), [Sign::Panic]);
    }

    #[test]
    fn every_phrase_has_its_sign() {
        for (phrase, sign) in PHRASES {
            assert!(signs(&[format!("x {phrase} y\n").as_bytes()]).contains(sign), "{phrase}");
        }
    }

    #[test]
    fn only_the_firmware_can_say_that_there_is_nothing_to_boot() {
        let line = b"No bootable device.  Retrying in 60 seconds.\n";
        assert_eq!(signs(&[line]), []);
        let mut watcher = Watcher::firmware();
        watcher.push(line);
        assert_eq!(watcher.seen.first().map(|seen| seen.sign), Some(Sign::NothingToBoot));
    }

    #[test]
    fn a_line_without_end_costs_no_memory_and_hides_nothing() {
        let mut watcher = Watcher::default();
        for _ in 0..100 {
            watcher.push(&[b'x'; 1000]);
        }
        watcher.push(b"Kernel panic - not syncing");
        assert!(watcher.line.len() <= LINE_BYTES_MAX);
        assert_eq!(watcher.seen.len(), 1);
    }

    #[test]
    fn a_log_keeps_its_beginning_and_its_end() {
        let mut log = Log::default();
        log.push(b"first");
        for _ in 0..1000 {
            log.push(&[b'.'; 1000]);
        }
        log.push(b"last");
        let bytes = log.bytes();
        assert!(bytes.starts_with(b"first") && bytes.ends_with(b"last"));
        assert!(bytes.len() < OLDEST_BYTES + NEWEST_BYTES + 100, "{}", bytes.len());
        assert!(String::from_utf8_lossy(&bytes).contains("bytes left out"));
    }
}
