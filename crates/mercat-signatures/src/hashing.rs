//! Digests of a file while its bytes pass, beside whoever looks at them.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

/// What MD5, SHA-1 and SHA-256 take in at a time.
const BLOCK_BYTES: usize = 64;

/// Hashes of a file while its bytes pass; those that nobody looks up are not taken.
pub struct Hashing {
    sha256: Option<Sha256>,
    sha1: Option<Sha1>,
    md5: Option<Md5>,
}

/// What [`Hashing`] came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digests {
    /// SHA-256 (FIPS 180-4).
    pub sha256: Option<[u8; 32]>,
    /// SHA-1, as apk writes it down.
    pub sha1: Option<[u8; 20]>,
    /// MD5, as dpkg and old signatures write it down.
    pub md5: Option<[u8; 16]>,
}

impl Hashing {
    /// Takes those that are asked for.
    pub fn of(sha256: bool, md5: bool) -> Self {
        Self { sha256: sha256.then(Sha256::new), sha1: None, md5: md5.then(Md5::new) }
    }

    /// Takes no hash.
    pub fn none() -> Self {
        Self { sha256: None, sha1: None, md5: None }
    }

    fn also(&mut self, of_packages: bool) {
        self.sha256.get_or_insert_with(Sha256::new);
        if of_packages {
            self.sha1.get_or_insert_with(Sha1::new);
            self.md5.get_or_insert_with(Md5::new);
        }
    }

    /// Whether nothing is hashed.
    pub fn is_none(&self) -> bool {
        self.sha256.is_none() && self.sha1.is_none() && self.md5.is_none()
    }

    fn update(&mut self, bytes: &[u8]) {
        // Block by block, the processor works on all of them at once: MD5 mostly waits for itself, and the others
        // use units that it leaves idle. The SHA-256 beside it then costs next to nothing.
        let step = if self.md5.is_some() { BLOCK_BYTES } else { bytes.len().max(1) };
        for block in bytes.chunks(step) {
            if let Some(hash) = &mut self.md5 {
                hash.update(block);
            }
            if let Some(hash) = &mut self.sha256 {
                hash.update(block);
            }
            if let Some(hash) = &mut self.sha1 {
                hash.update(block);
            }
        }
    }

    fn finish(self) -> Digests {
        Digests {
            sha256: self.sha256.map(|hash| hash.finalize().into()),
            sha1: self.sha1.map(|hash| hash.finalize().into()),
            md5: self.md5.map(|hash| hash.finalize().into()),
        }
    }
}

/// Fewer bytes are hashed sooner than a thread starts.
const BESIDE_BYTES: usize = 512 << 10;
/// Bytes that are handed over at a time.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces on their way: the hashes may stay behind the scanners by so much.
const PIECES: usize = 4;

/// A thread that hashes large files, one after the other, beside whoever looks at them. It starts with the first.
#[derive(Default)]
pub struct Beside {
    thread: OnceCell<Thread>,
    /// Of each file that ended and was not asked for yet: its digests, or nothing where the thread has them.
    ended: RefCell<VecDeque<Option<Digests>>>,
}

struct Thread {
    work: SyncSender<Work>,
    spare: Receiver<Vec<u8>>,
    done: Receiver<Digests>,
    handle: RefCell<Option<JoinHandle<()>>>,
}

enum Work {
    Begin(Box<Hashing>),
    Piece(Vec<u8>),
    End,
}

impl Beside {
    fn begin(&self, hashing: Hashing) {
        self.thread.get_or_init(Thread::start).give(Work::Begin(Box::new(hashing)));
    }

    fn update(&self, bytes: &[u8]) {
        let Some(thread) = self.thread.get() else { return };
        for part in bytes.chunks(PIECE_BYTES) {
            let mut piece = thread.spare.try_recv().unwrap_or_else(|_| Vec::with_capacity(PIECE_BYTES));
            piece.clear();
            piece.extend_from_slice(part);
            thread.give(Work::Piece(piece));
        }
    }

    /// Ends the file that the thread has, or one that was hashed without it.
    fn end(&self, here: Option<Digests>) {
        if let Some(thread) = self.thread.get().filter(|_| here.is_none()) {
            thread.give(Work::End);
        }
        self.ended.borrow_mut().push_back(here);
    }

    /// The digests of the file that ended first of those that were not asked for yet, as soon as they are there.
    pub fn next_digests(&self) -> Digests {
        let first = self.ended.borrow_mut().pop_front();
        match (first, self.thread.get()) {
            (Some(None), Some(thread)) => thread.done.recv().unwrap_or_else(|_| thread.panicked()),
            (first, _) => first.flatten().unwrap_or_default(),
        }
    }
}

impl Thread {
    fn start() -> Self {
        let (work, incoming) = sync_channel(PIECES);
        let (empty, spare) = channel();
        let (ended, done) = channel();
        let handle = thread::spawn(move || {
            let mut hashing = Hashing::none();
            for work in incoming {
                match work {
                    // Of a file that was given up before its end, nobody asks.
                    Work::Begin(next) => hashing = *next,
                    Work::Piece(piece) => {
                        hashing.update(&piece);
                        let _ = empty.send(piece);
                    }
                    Work::End => {
                        let _ = ended.send(std::mem::replace(&mut hashing, Hashing::none()).finish());
                    }
                }
            }
        });
        Self { work, spare, done, handle: RefCell::new(Some(handle)) }
    }

    /// Whoever takes no more has panicked; the end says so.
    fn give(&self, work: Work) {
        let _ = self.work.send(work);
    }

    /// A panic takes the inspection with it: that is inconclusive.
    fn panicked(&self) -> Digests {
        match self.handle.take().map(JoinHandle::join) {
            Some(Err(panic)) => resume_unwind(panic),
            _ => resume_unwind(Box::new("the hashing thread ended early")),
        }
    }
}

/// Hashes a file: many bytes in a thread of their own.
pub struct Hasher<'b> {
    here: Hashing,
    beside: Option<&'b Beside>,
    /// Whether the thread would only wait for a processor.
    crowded: bool,
    /// Whether it has many bytes: its digests are given in its turn.
    large: bool,
    /// Whether the thread has it.
    given: bool,
}

impl<'b> Hasher<'b> {
    /// Without a thread, however many bytes there are.
    pub fn here(here: Hashing) -> Self {
        Self { here, beside: None, crowded: false, large: false, given: false }
    }

    /// With one, when there are many bytes and it is not `crowded`: that all processors have work. It hashes one file at a
    /// time. Which digests there are, and when they are given, does not depend on it.
    pub fn beside(here: Hashing, beside: &'b Beside, crowded: bool) -> Self {
        Self { here, beside: Some(beside), crowded, large: false, given: false }
    }

    /// Takes more hashes of a file of which nothing was hashed yet: the SHA-256, and those of package managers.
    pub fn also(&mut self, of_packages: bool) {
        debug_assert!(!self.large, "nothing was hashed yet");
        self.here.also(of_packages);
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let Some(beside) = self.beside else { return self.here.update(bytes) };
        if !self.large && bytes.len() >= BESIDE_BYTES && !self.here.is_none() {
            // Beside another hash it costs next to nothing, and names the file.
            self.here.also(false);
            self.large = true;
            if !self.crowded {
                beside.begin(std::mem::replace(&mut self.here, Hashing::none()));
                self.given = true;
            }
        }
        match self.given {
            true => beside.update(bytes),
            false => self.here.update(bytes),
        }
    }

    /// The digests of all that was taken in; `None` for many bytes, as the thread may be behind:
    /// [`Beside::next_digests`] gives them, file by file as they ended.
    pub fn finish(self) -> Option<Digests> {
        match self.beside.filter(|_| self.large) {
            Some(beside) => {
                beside.end(if self.given { None } else { Some(self.here.finish()) });
                None
            }
            None => Some(self.here.finish()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_of_its_own_changes_no_digest() {
        let bytes: Vec<u8> =
            (0..3_000_001_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let beside = Beside::default();
        for (window, crowded) in [1 << 20, 700_001, 100_000, usize::MAX]
            .into_iter()
            .zip([false, true].repeat(2))
            .chain([(1 << 20, true), (700_001, false)])
        {
            // One that is given up leaves nothing behind.
            Hasher::beside(Hashing::of(true, true), &beside, crowded).update(&bytes[..700_000]);
            let mut hasher = Hasher::beside(Hashing::of(false, false), &beside, crowded);
            hasher.also(true);
            bytes.chunks(window.min(bytes.len())).for_each(|part| hasher.update(part));
            assert_eq!(hasher.large, window > BESIDE_BYTES);
            assert_eq!(hasher.given, window > BESIDE_BYTES && !crowded);
            let digests = hasher.finish().unwrap_or_else(|| beside.next_digests());
            let whole = (Sha256::digest(&bytes), Sha1::digest(&bytes), Md5::digest(&bytes));
            assert_eq!(digests.sha256.as_ref().map(|d| &d[..]), Some(&whole.0[..]), "{window}");
            assert_eq!(digests.sha1.as_ref().map(|d| &d[..]), Some(&whole.1[..]), "{window}");
            assert_eq!(digests.md5.as_ref().map(|d| &d[..]), Some(&whole.2[..]), "{window}");
        }
        // What ends while others are behind is given in its turn.
        for (end, crowded) in [(600_000, false), (2_000_000, true), (1_000_000, false)] {
            let mut hasher = Hasher::beside(Hashing::of(true, false), &beside, crowded);
            hasher.update(&bytes[..end]);
            assert_eq!(hasher.finish(), None);
        }
        for end in [600_000, 2_000_000, 1_000_000] {
            let sha256 = beside.next_digests().sha256;
            assert_eq!(sha256.as_ref().map(|d| &d[..]), Some(&Sha256::digest(&bytes[..end])[..]));
        }
        let mut alone = Hasher::here(Hashing::of(true, false));
        alone.update(&bytes);
        assert!(!alone.given);
        let mut nothing = Hasher::beside(Hashing::none(), &beside, false);
        nothing.update(&bytes);
        assert!(!nothing.given);
        assert_eq!(nothing.finish(), Some(Digests::default()));
    }
}
