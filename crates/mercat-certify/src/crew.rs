//! How many threads read an artifact at once: where there is one for every core, none is started to help another.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The threads that read layers or volumes.
pub(crate) struct Crew {
    busy: AtomicUsize,
    cores: usize,
}

impl Default for Crew {
    fn default() -> Self {
        Self { busy: AtomicUsize::new(0), cores: std::thread::available_parallelism().map_or(1, usize::from) }
    }
}

impl Crew {
    /// Counts this thread until what is given back is dropped.
    pub(crate) fn join(&self) -> Member<'_> {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Member(self)
    }

    /// Whether every core has a thread: one more would only wait.
    pub(crate) fn is_full(&self) -> bool {
        self.busy.load(Ordering::Relaxed) >= self.cores
    }
}

/// A thread that is counted.
pub(crate) struct Member<'c>(&'c Crew);

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crew_is_full_while_as_many_work_as_there_are_cores() {
        let crew = Crew { busy: AtomicUsize::new(0), cores: 2 };
        let first = crew.join();
        assert!(!crew.is_full());
        let second = crew.join();
        assert!(crew.is_full());
        drop(first);
        assert!(!crew.is_full());
        drop(second);
    }
}
