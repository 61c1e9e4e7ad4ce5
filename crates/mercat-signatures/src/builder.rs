//! From signature files to compiled ones.

use crate::bodies::Body;
use crate::hashes::{Kind, Known};
use crate::source::{self, Line};
use std::collections::BTreeMap;

/// Lines that are not searched for, by the reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unusable {
    /// How many for each reason, and the first such line.
    pub by_reason: BTreeMap<&'static str, (u64, String)>,
}

impl Unusable {
    /// How many in all.
    pub fn count(&self) -> u64 {
        self.by_reason.values().map(|(count, _)| count).sum()
    }
}

/// Collects signatures.
#[derive(Debug, Default)]
pub struct Builder {
    bodies: Vec<Body>,
    hashes: BTreeMap<Kind, Vec<Known>>,
    /// Lines that were not understood.
    pub unusable: Unusable,
}

/// Compiled files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// For [`crate::Bodies::read`].
    pub bodies: Vec<u8>,
    /// For [`crate::Hashes::open`], of SHA-256.
    pub sha256: Vec<u8>,
    /// The same of MD5.
    pub md5: Vec<u8>,
}

impl Builder {
    /// Takes one line of a signature file.
    pub fn line(&mut self, line: &str) {
        match source::read(line) {
            Ok(Line::Nothing) => {}
            Ok(Line::Body(body)) => self.bodies.push(body),
            Ok(Line::Hash(kind, known)) => self.hashes.entry(kind).or_default().push(known),
            Err(why) => {
                let short = || line.chars().take(80).collect();
                let entry = self.unusable.by_reason.entry(why).or_insert_with(|| (0, short()));
                entry.0 += 1;
            }
        }
    }

    /// Byte signatures so far.
    pub fn bodies(&self) -> usize {
        self.bodies.len()
    }

    /// Hashes so far.
    pub fn hashes(&self) -> usize {
        self.hashes.values().map(Vec::len).sum()
    }

    /// Compiles what was taken. The same signatures give the same bytes, in whatever order they came.
    pub fn compile(mut self) -> Compiled {
        let mut table = |kind| crate::hashes::write(kind, self.hashes.remove(&kind).unwrap_or_default());
        let (sha256, md5) = (table(Kind::Sha256), table(Kind::Md5));
        Compiled { bodies: self.compile_bodies(), sha256, md5 }
    }

    /// The same, of byte signatures alone: for [`crate::Bodies::read`].
    pub fn compile_bodies(mut self) -> Vec<u8> {
        self.bodies.sort_by(|one, other| one.name.cmp(&other.name));
        crate::bodies::write(&self.bodies)
    }
}
