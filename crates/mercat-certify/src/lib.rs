//! The inspectors: what is in an image, and what the policy says about it.
//!
//! [`inspect`] takes a [`Specimen`] (digests and a way to open blobs) and
//! [`Knowledge`] (policy, advisories, signatures) and returns a [`Verdict`].
//! It reaches no network and writes no file; the same call runs in the server's
//! confined child and in `mercat certify`, and gives the same document for the
//! same input.

mod companion;
mod crew;
pub mod disk;
mod documents;
mod eligible;
mod facts;
mod files;
mod image;
mod kept;
mod links;
mod look;
mod nested;
mod pipeline;
#[cfg(test)]
mod records;
mod scan;
mod seeking;
mod shown;
mod signatures;
mod space;
mod verdict;
mod vulnerabilities;
mod whose;
mod window;
mod yara;

pub use companion::{Companion, FileScan};
pub use eligible::finish;
pub use facts::{LayerFacts, facts_key};
pub use files::whole::Privileged;
pub use image::{Reused, facts_keys, fix_of_source, inspect, refused_source};
pub use kept::SHARE_FILES as SCRATCH_FILES;
pub use mercat_artifact::oci::reference;
pub use mercat_inventory::PROGRAM_BYTES_MAX;
pub use mercat_policy::{Boot, Bounds, ContainerPolicy, KernelFloor, Limits, Policy, PolicyError, VmPolicy};
pub use verdict::{Check, DiskReport, FilesReport, ImageReport, LayerReport, Verdict, VolumeReport};

pub use mercat_advisories as advisories;
pub use mercat_eligibility as eligibility;
use mercat_packages as inventory;

use advisories::vex::Statement;
use advisories::{Advisories, Day};
use mercat_domain::Digest;
use mercat_eligibility::{Eligibility, EligibilityError, PolicyFile};
use mercat_secrets as secrets;
use sha2::Digest as _;
use std::io::{self, Read};

/// A way to open blobs by digest, read only.
pub trait Blobs: Sync {
    /// Opens a blob.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read + Send>>;
    /// Its size in bytes.
    ///
    /// # Errors
    /// As [`Blobs::open`].
    fn size(&self, digest: &Digest) -> io::Result<u64>;
}

/// What is inspected: a manifest or index, and everything below it.
pub struct Specimen<'a> {
    /// Digest of the manifest or index.
    pub root: Digest,
    /// Where blobs come from.
    pub blobs: &'a dyn Blobs,
}

/// What the inspectors know: loaded once, shared by all threads.
pub struct Knowledge {
    /// The policy pack.
    pub policy: Policy,
    /// Advisory snapshot.
    pub advisories: Advisories,
    /// The operator's rules over a finished verdict.
    pub eligibility: Eligibility,
    /// Statements about vulnerabilities of the specimen.
    pub vex: Vec<Statement>,
    /// The day on which the age of what is known is judged; it is not judged without one.
    pub today: Option<Day>,
    /// The day on which the compiled signatures were imported, where there are some.
    pub signatures_imported: Option<Day>,
    /// Whether only the inventory is made: no scanner looks, and every verdict is inconclusive.
    inventory_alone: bool,
    scratch: kept::Scratch,
    crew: crew::Crew,
    companions: Vec<Box<dyn Companion>>,
    signatures: signatures::Signatures,
    yara: yara::Rules,
    secrets: secrets::Rules,
}

/// What the operator adds to the built-in rules, as text.
#[derive(Debug, Clone, Default)]
pub struct Extra {
    /// Policy pack (TOML); the built-in pack when empty.
    pub policy: String,
    /// Signatures, one a line: `sha256:size:name`, `md5:size:name` or `name=hexadecimal`.
    pub hashes: String,
    /// YARA rules.
    pub yara: String,
    /// Eligibility policies.
    pub eligibility: Vec<PolicyFile>,
}

/// Why knowledge could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    /// The policy pack.
    #[error("the policy pack is not usable")]
    Policy(#[from] PolicyError),
    /// The eligibility policies.
    #[error("the eligibility policy is not usable")]
    Eligibility(#[from] EligibilityError),
    /// The YARA rules.
    #[error("the YARA rules do not compile: {0}")]
    Yara(String),
    /// The hash signatures.
    #[error("hash signature line {line}: {why}")]
    Hashes {
        /// Line number, from 1.
        line: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// Compiled signatures.
    #[error("the compiled signatures are not usable: {0}")]
    Signatures(String),
}

impl Knowledge {
    /// Loads the built-in rules and the operator's.
    ///
    /// # Errors
    /// When a rule file cannot be used; nothing is then certified with half of it.
    pub fn load(extra: &Extra, advisories: Advisories) -> Result<Self, KnowledgeError> {
        Ok(Self {
            policy: Policy::parse(if extra.policy.is_empty() { Policy::built_in() } else { &extra.policy })?,
            advisories,
            eligibility: Eligibility::load(&extra.eligibility)?,
            vex: Vec::new(),
            today: None,
            signatures_imported: None,
            inventory_alone: false,
            scratch: kept::Scratch::default(),
            crew: crew::Crew::default(),
            companions: Vec::new(),
            signatures: signatures::Signatures::load(&extra.hashes)?,
            yara: yara::Rules::load(&extra.yara)?,
            secrets: secrets::Rules::load(),
        })
    }

    /// Adds what the publisher of the artifact states about vulnerabilities: an OpenVEX or CycloneDX document. Their
    /// bytes are not to be trusted. What cannot be read is a finding.
    pub fn add_statements(&mut self, document: &str) -> Option<mercat_domain::finding::Finding> {
        match advisories::vex::read(document.as_bytes()) {
            Ok(statements) => {
                let of_publisher = |one: Statement| Statement { of_publisher: true, ..one };
                self.vex.extend(statements.into_iter().map(of_publisher));
                None
            }
            Err(error) => self.policy.weigh(vulnerabilities::unread(&error.to_string())),
        }
    }

    /// Makes the inventory and nothing else: for a bill of materials without a certification.
    pub fn inventory_alone(&mut self) {
        self.inventory_alone = true;
        self.companions.clear();
    }

    /// Lends empty files in which large programs and disks wait, and not in memory, until all of them has passed:
    /// [`SCRATCH_FILES`] for each layer or volume that is read at a time. Each must be allowed to grow to
    /// [`PROGRAM_BYTES_MAX`]; one that cannot be written makes a verdict inconclusive.
    pub fn lend_scratch(&mut self, files: Vec<std::fs::File>) {
        self.scratch = kept::Scratch::new(files);
    }

    /// Adds a scanner of others, which sees every plain file beside our own.
    pub fn add_companion(&mut self, companion: Box<dyn Companion>) {
        self.companions.push(companion);
    }

    /// Reads what is otherwise read when the first bytes are scanned.
    ///
    /// # Errors
    /// When a part is damaged; nothing is then scanned without it.
    pub fn ready(&self) -> Result<(), KnowledgeError> {
        if self.inventory_alone {
            return Ok(());
        }
        self.yara.scanner()?;
        self.signatures.ready()
    }

    /// Adds signatures that [`mercat_signatures::Builder`] compiled: byte patterns, and hash tables.
    ///
    /// # Errors
    /// When a part is damaged or of another form; nothing is then certified without it.
    pub fn add_signatures(
        &mut self,
        bodies: Box<dyn mercat_artifact::Positioned>,
        tables: Vec<Box<dyn mercat_artifact::Positioned>>,
    ) -> Result<(), KnowledgeError> {
        self.signatures.add(bodies, tables)
    }

    /// The kinds of credentials, which are looked for in listings too.
    pub fn secrets(&self) -> &secrets::Rules {
        &self.secrets
    }

    /// Identifies everything that a verdict depends on beside the artifact itself.
    pub fn verdict_digest(&self) -> Digest {
        let parts = [
            self.engine_digest().to_string(),
            self.policy.digest.to_string(),
            self.advisories.digest(),
            self.eligibility.digest().to_string(),
            // The day itself counts only where something ends with it.
            format!("{:?} {:?}", self.stale_advisories().keys(), self.stale_signatures().is_some()),
            format!("{:?}", (!self.vex.is_empty()).then_some((self.today, &self.vex))),
        ];
        digest_of(parts.join("\n").as_bytes())
    }

    /// Identifies what decides about an artifact once its facts are known, as far as files tell: another digest, and
    /// what was judged is judged again.
    pub fn judgement_digest(&self) -> Digest {
        let hold = self.vex.iter().filter(|one| !one.is_over(self.today) && !one.is_ahead(self.today));
        let hold = hold.collect::<Vec<_>>();
        let parts = [
            self.policy.digest.to_string(),
            self.advisories.digest(),
            self.eligibility.digest().to_string(),
            format!("{hold:?}"),
        ];
        digest_of(parts.join("\n").as_bytes())
    }

    /// Identifies the files that were loaded: two processes with the same one judge alike.
    pub fn files_digest(&self) -> Digest {
        let parts = [
            self.judgement_digest().to_string(),
            self.signatures.digest().to_owned(),
            self.yara.digest().to_owned(),
            self.secrets.digest().to_owned(),
        ];
        digest_of(parts.join("\n").as_bytes())
    }

    /// Identifies everything that layer facts depend on.
    pub fn engine_digest(&self) -> Digest {
        let limits = format!("{:?}", self.policy.limits);
        // A database grows old without becoming another: what it found while it was young is not found anew.
        let young = |one: &dyn Companion| if one.trouble().is_some() { " in trouble" } else { "" };
        let named =
            self.companions.iter().map(|one| format!("{} {}{}", one.name(), one.version(), young(&**one)));
        let companions = named.collect::<Vec<_>>().join("\n");
        let parts = [
            facts::FORMAT,
            env!("CARGO_PKG_VERSION"),
            self.signatures.digest(),
            self.yara.digest(),
            self.secrets.digest(),
            limits.as_str(),
            companions.as_str(),
            if self.inventory_alone { "inventory alone" } else { "" },
        ];
        digest_of(parts.join("\n").as_bytes())
    }
}

pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_sha256(&sha2::Sha256::digest(bytes))
}
