//! Signatures of viruses: the built-in test file, and what the operator imported.

use crate::{KnowledgeError, digest_of};
use mercat_artifact::Positioned;
use mercat_signatures::{Bodies, Builder, Digests, FileKind, Hashes, Hashing, Kind, LateBodies, LoadError};
use std::io;

/// Name under which the industry's antivirus test file is reported.
pub(crate) const TEST_FILE: &str = "Eicar-Test-Signature";

/// The antivirus test string, assembled here so that neither source nor binary carries it whole.
pub(crate) fn test_string() -> Vec<u8> {
    let parts = ["X5O!P%@AP[4\\PZX54", "(P^)7CC)7}$EICAR", "-STANDARD-ANTIVIRUS", "-TEST-FILE!$H+H*"];
    parts.iter().flat_map(|part| part.bytes()).collect()
}

pub(crate) struct Signatures {
    /// The test file's among others, which are found in another way than a few.
    control: Bodies,
    bodies: Vec<LateBodies>,
    hashes: Vec<Hashes>,
    digest: String,
}

impl Signatures {
    /// The built-in signatures, and lines of the operator.
    pub(crate) fn load(lines: &str) -> Result<Self, KnowledgeError> {
        let mut builder = Builder::default();
        let test: String = test_string().iter().map(|byte| format!("{byte:02x}")).collect();
        builder.line(&format!("{TEST_FILE}={test}"));
        for (at, line) in lines.lines().enumerate() {
            builder.line(line);
            if let Some(why) = builder.unusable.by_reason.keys().next() {
                return Err(KnowledgeError::Hashes { line: at + 1, why });
            }
        }
        let mut among = Builder::default();
        among.line(&format!("{TEST_FILE}={test}"));
        (0..16_u8)
            .for_each(|at| among.line(&format!("Control.{at}={}", format!("{:02x}", 0xe0 | at).repeat(12))));
        let unusable = |error: LoadError| KnowledgeError::Signatures(error.to_string());
        let control = Bodies::read(among.compile_bodies()).map_err(unusable)?;
        let mut out = Self { control, bodies: Vec::new(), hashes: Vec::new(), digest: String::new() };
        if builder.hashes() == 0 {
            out.add(Box::new(builder.compile_bodies()), Vec::new())?;
        } else {
            let compiled = builder.compile();
            out.add(Box::new(compiled.bodies), vec![Box::new(compiled.sha256), Box::new(compiled.md5)])?;
        }
        Ok(out)
    }

    /// Adds compiled signatures, and tables.
    pub(crate) fn add(
        &mut self,
        bodies: Box<dyn Positioned>,
        tables: Vec<Box<dyn Positioned>>,
    ) -> Result<(), KnowledgeError> {
        let unusable = |error: LoadError| KnowledgeError::Signatures(error.to_string());
        self.bodies.push(LateBodies::open(bodies).map_err(unusable)?);
        for source in tables {
            let table = Hashes::open(source).map_err(unusable)?;
            if !table.is_empty() {
                self.hashes.push(table);
            }
        }
        let all = self.bodies.iter().map(LateBodies::digest).chain(self.hashes.iter().map(Hashes::digest));
        self.digest = digest_of(&all.collect::<Vec<_>>().concat()).to_string();
        Ok(())
    }

    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// Reads what is not read yet.
    pub(crate) fn ready(&self) -> Result<(), KnowledgeError> {
        let bodies = self.bodies.iter().try_for_each(|late| late.bodies().map(|_| ()));
        let read = bodies.map_err(Clone::clone).and_then(|()| self.hashes.iter().try_for_each(Hashes::ready));
        read.map_err(|error| KnowledgeError::Signatures(error.to_string()))
    }

    /// Whether the test file's signature is found among others.
    pub(crate) fn finds_control(&self, bytes: &[u8]) -> bool {
        let mut hits = 0;
        let scanned = self.control.scan(FileKind::Any, 0, bytes, |_| hits += 1);
        scanned.is_ok() && hits == 1
    }

    /// Names of the byte signatures found in a window that begins at byte `start` of its file.
    pub(crate) fn scan(
        &self,
        kind: FileKind,
        start: u64,
        window: &[u8],
        mut hit: impl FnMut(&str),
    ) -> Result<(), String> {
        self.bodies.iter().try_for_each(|late| {
            let bodies = late.bodies().map_err(ToString::to_string)?;
            bodies.scan(kind, start, window, &mut hit).map_err(|why| why.to_string())
        })
    }

    /// The hashes that a file of this size must be looked up by; all of them when its size is not known yet.
    pub(crate) fn hashing(&self, size: Option<u64>) -> Hashing {
        let any = |kind| self.hashes.iter().any(|table| table.kind() == kind && table.may_know(size));
        Hashing::of(any(Kind::Sha256), any(Kind::Md5))
    }

    /// The name of a known file.
    pub(crate) fn known(&self, digests: &Digests, size: u64) -> io::Result<Option<String>> {
        for table in &self.hashes {
            let hash: Option<&[u8]> = match table.kind() {
                Kind::Sha256 => digests.sha256.as_ref().map(|hash| hash.as_slice()),
                Kind::Md5 => digests.md5.as_ref().map(|hash| hash.as_slice()),
            };
            if let Some(hash) = hash
                && let Some(name) = table.find(hash, size)?
            {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
