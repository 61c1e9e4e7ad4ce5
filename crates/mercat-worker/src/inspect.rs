//! Inspections in a confined child process, for the server and for `mercat certify` alike.

mod listen;

use crate::clamd::{Clamd, ClamdConfig, Connections};
use crate::knowledge::Loaded;
use crate::sandbox::{self, Unconfined};
use listen::{Heed, complaint, listen};
use mercat_certify::advisories::{Advisories, Day, vex};
use mercat_certify::disk::{self, Claims, DiskSpecimen};
use mercat_certify::eligibility::PolicyFile;
use mercat_certify::{
    Blobs, Extra, Knowledge, LayerFacts, PROGRAM_BYTES_MAX, Policy, Reused, Specimen, Verdict, finish,
    inspect,
};
use mercat_depot::disk::{ChunkSource, Stored, read_file};
use mercat_disk::{Declared, Facts, FileReadAt, ReadAt, ReadError};
use mercat_domain::Digest;
use mercat_signatures::Pack;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Seconds that an inspection may take, beyond one for every 2 MiB.
pub const PATIENCE_SECS: u64 = 120;
/// glibc would learn from the first large buffer to keep all such memory for itself: of the same image a child then
/// holds half as much again. What its threads keep for themselves makes nothing faster here and takes more, and so does
/// what is kept at the end. With a lower first threshold a disk costs a tenth more, in pages that are made anew.
const ALLOCATOR: [(&str, &str); 5] = [
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
    ("MALLOC_TOP_PAD_", "16384"),
    ("MALLOC_TRIM_THRESHOLD_", "32768"),
    ("MALLOC_ARENA_MAX", "2"),
    ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0"),
];

/// Where the operator keeps what inspectors know. Files that are not there are not used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnowledgeFiles {
    /// Where the files lie that are not named.
    #[serde(default)]
    pub directory: Option<PathBuf>,
    /// Policy pack: the name of one that comes with the program, or a file; `default` when not set.
    pub policy: Option<PathBuf>,
    /// Compiled advisory snapshot.
    pub advisories: Option<PathBuf>,
    /// Hash signatures.
    pub hashes: Option<PathBuf>,
    /// YARA rules.
    pub yara: Option<PathBuf>,
    /// Signatures compiled by `mercat signatures import`.
    #[serde(default)]
    pub signatures: Option<PathBuf>,
    /// Eligibility policies: `.rego` and `.json`.
    #[serde(default)]
    pub eligibility: Vec<PathBuf>,
    /// ClamAV's daemon, when the operator runs one.
    #[serde(default)]
    pub clamd: Option<ClamdConfig>,
    /// Statements about vulnerabilities: OpenVEX or CycloneDX documents.
    #[serde(default)]
    pub vex: Vec<PathBuf>,
    /// SHA-256 digests, as `sha256:HEX`, of the files that are used: these and no others. Any when empty.
    #[serde(default)]
    pub pins: Vec<String>,
}

/// The day of this machine's clock, UTC.
pub fn today() -> Day {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Day::of_unix(i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}

impl KnowledgeFiles {
    /// The files of a data directory, as far as they exist whenever they are loaded.
    pub fn in_directory(data: &Path) -> Self {
        Self { directory: Some(data.to_owned()), ..Self::default() }
    }

    /// The same with those files of the directory that exist at this moment, where no others are named.
    pub(crate) fn as_they_are(&self) -> Self {
        let Some(data) = &self.directory else { return self.clone() };
        let or = |named: &Option<PathBuf>, name: &str| {
            named.clone().or_else(|| Some(data.join(name)).filter(|path| path.is_file()))
        };
        Self {
            directory: None,
            policy: or(&self.policy, "policy.toml"),
            advisories: or(&self.advisories, "advisories.bin"),
            hashes: or(&self.hashes, "hashes.txt"),
            yara: or(&self.yara, "rules.yar"),
            signatures: or(&self.signatures, "signatures.bin"),
            ..self.clone()
        }
    }

    /// The files that are named; of a built-in policy pack there is none.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        let files = [&self.policy, &self.advisories, &self.hashes, &self.yara, &self.signatures];
        files.into_iter().flatten().chain(&self.eligibility).chain(&self.vex).map(PathBuf::as_path).collect()
    }

    /// Whether the files are those that the operator pinned, and none is missing.
    fn check_pins(&self) -> Result<(), String> {
        if self.pins.is_empty() {
            return Ok(());
        }
        // The name of a built-in pack is no file.
        let built_in = |path: &&Path| path.to_str().is_some_and(|name| Policy::named(name).is_some());
        let mut missing: BTreeSet<&String> = self.pins.iter().collect();
        for path in self.paths().into_iter().filter(|path| !built_in(path)) {
            let named = |error: std::io::Error| format!("{}: {error}", path.display());
            let digest = digest_of_file(path).map_err(named)?.to_string();
            if !self.pins.contains(&digest) {
                let what = "which certification.pins does not name; add it when the file is the one you mean";
                return Err(format!("{} has the digest {digest}, {what}", path.display()));
            }
            missing.remove(&digest);
        }
        match missing.first() {
            None => Ok(()),
            Some(pin) => {
                Err(format!("no file has the digest {pin}, which certification.pins names; put it back"))
            }
        }
    }

    /// Loads everything; the age of what is known is judged on the day that is given. An advisory snapshot
    /// that cannot be used is kept as such, and makes verdicts inconclusive.
    ///
    /// # Errors
    /// The file that cannot be used, and why.
    pub fn load(&self, today: Option<Day>) -> Result<Knowledge, String> {
        self.load_for(today, Connections::None)
    }

    /// As [`KnowledgeFiles::load`], with connections to scanners elsewhere for whoever is to scan.
    pub(crate) fn load_for(&self, today: Option<Day>, connections: Connections) -> Result<Knowledge, String> {
        if self.directory.is_some() {
            return self.as_they_are().load_for(today, connections);
        }
        self.check_pins()?;
        let read = |path: &Option<PathBuf>| match path {
            None => Ok(String::new()),
            Some(path) => {
                std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
            }
        };
        let advisories = match &self.advisories {
            None => Advisories::default(),
            // It stays open: the confinement forbids opening, not reading.
            Some(path) => match File::open(path) {
                Ok(file) => Advisories::open(Arc::new(file), today),
                Err(error) => return Err(format!("{}: {error}", path.display())),
            },
        };
        let named = self.policy.as_deref().and_then(Path::to_str).and_then(Policy::named);
        let policy = named.map_or_else(|| read(&self.policy), |text| Ok(text.to_owned()))?;
        let extra = Extra {
            policy,
            hashes: read(&self.hashes)?,
            yara: read(&self.yara)?,
            eligibility: policies(&self.eligibility)?,
        };
        let mut knowledge = Knowledge::load(&extra, advisories).map_err(|error| crate::chain(&error))?;
        if let Some(path) = &self.signatures {
            add_signatures(&mut knowledge, path).map_err(|why| format!("{}: {why}", path.display()))?;
        }
        if let Some(config) = &self.clamd {
            let clamd = Clamd::reach(config, today.unwrap_or_else(crate::today), connections)?;
            knowledge.add_companion(Box::new(clamd));
        }
        knowledge.today = today;
        for path in &self.vex {
            let named = |why: String| format!("{}: {why}", path.display());
            let size = std::fs::metadata(path).map_err(|error| named(error.to_string()))?.len();
            if size > vex::DOCUMENT_BYTES_MAX as u64 {
                return Err(named(format!("{size} bytes; the limit is {} bytes", vex::DOCUMENT_BYTES_MAX)));
            }
            let text = std::fs::read(path).map_err(|error| named(error.to_string()))?;
            knowledge.vex.extend(vex::read(&text).map_err(|error| named(error.to_string()))?);
        }
        Ok(knowledge)
    }
}

fn digest_of_file(path: &Path) -> io::Result<Digest> {
    let (mut file, mut hash) = (File::open(path)?, Sha256::new());
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest::from_sha256(&hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// The hash tables stay in their file, which is open before the confinement closes.
fn add_signatures(knowledge: &mut Knowledge, path: &Path) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let pack = Pack::open(Arc::new(file)).map_err(|error| error.to_string())?;
    let about = serde_json::from_str::<serde_json::Value>(&pack.about).unwrap_or_default();
    knowledge.signatures_imported =
        about["imported"].as_str().and_then(|time| time.get(..10)).and_then(Day::parse);
    knowledge.add_signatures(pack.bodies, pack.tables).map_err(|error| crate::chain(&error))
}

fn policies(paths: &[PathBuf]) -> Result<Vec<PolicyFile>, String> {
    let one = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        // The same policy has the same digest wherever it lies.
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(PolicyFile { name: name.unwrap_or_default(), text })
    };
    paths.iter().map(one).collect()
}

/// Exit code of a child whose parent is gone.
const PARENT_GONE: i32 = 3;
/// Added to the nice value of a gentle child.
const GENTLE: i32 = 10;
/// How many times as long a gentle child may take, on a machine that is busy with others.
const GENTLE_PATIENCE: u64 = 10;

/// The work of a child.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    subject: Subject,
    knowledge: KnowledgeFiles,
    listing: Option<String>,
    statements: Option<String>,
    /// The digest of the files that whoever wants the verdict has loaded.
    expected: Option<String>,
    /// The day on which the age of what is known is judged.
    today: Option<Day>,
    cpu_secs: u64,
    unconfined: Unconfined,
    gentle: bool,
    inventory_alone: bool,
    /// A directory for files without names.
    temporary: PathBuf,
}

/// What is inspected.
#[derive(Debug, Serialize, Deserialize)]
enum Subject {
    Image {
        root: String,
        /// Directory below which blobs are read; each digest has its place in it.
        blobs: PathBuf,
        /// `true` when the directory is an OCI layout, `false` when it is a depot.
        layout: bool,
        facts: BTreeMap<String, LayerFacts>,
    },
    Disk {
        source: DiskSource,
        claims: Box<Claims>,
    },
}

/// Where the bytes of a disk are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskSource {
    /// An image file.
    File {
        /// The file.
        path: PathBuf,
        /// The format that it was declared to have.
        declared: Option<Declared>,
    },
    /// Chunks in a depot.
    Stored {
        /// Directory of the depot.
        depot: PathBuf,
        /// Digest of the disk's index.
        root: String,
        /// Bytes of its chunks.
        bytes: u64,
    },
}

impl DiskSource {
    /// What the child may read.
    fn readable(&self) -> Vec<PathBuf> {
        match self {
            Self::File { path, .. } => vec![path.clone()],
            Self::Stored { depot, .. } => vec![depot.join("sha256")],
        }
    }

    /// Bytes that are stored, which is about what there is to read.
    fn stored_bytes(&self) -> u64 {
        use std::os::unix::fs::MetadataExt;
        match self {
            Self::File { path, .. } => std::fs::metadata(path).map_or(0, |about| about.blocks() * 512),
            Self::Stored { bytes, .. } => *bytes,
        }
    }

    /// Opens the disk, inside the confinement.
    fn open(&self) -> Result<(Arc<dyn ReadAt>, Facts), ReadError> {
        match self {
            Self::File { path, declared } => {
                let named =
                    |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
                let file = FileReadAt::new(File::open(path).map_err(named)?)?;
                let disk = mercat_disk::open(Arc::new(file), *declared)?;
                let facts = disk.facts.clone();
                Ok((Arc::new(disk), facts))
            }
            Self::Stored { depot, root, .. } => {
                let root = Digest::parse(root).ok_or_else(|| io::Error::other("the root is no digest"))?;
                let files = Files { root: depot.clone(), layout: false };
                let disk = Stored::open(&root, Box::new(files))?;
                let facts = disk.index().facts.clone();
                Ok((Arc::new(disk), facts))
            }
        }
    }
}

/// What a child says, one a line.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize))]
enum Line {
    Confined(String),
    Progress(u64, u64),
    Facts(String, Box<LayerFacts>),
    Sbom(String, String),
    Verdict(String),
    Failed(String),
}

/// The same as the child writes it, without a copy of what it still has.
#[derive(Debug, Serialize)]
enum Said<'a> {
    Confined(&'a str),
    Progress(u64, u64),
    Facts(&'a str, &'a LayerFacts),
    Sbom(&'a str, &'a str),
    Verdict(&'a str),
    Failed(&'a str),
}

/// Bytes that are written at a time.
const LINE_BUFFER_BYTES: usize = 64 << 10;

/// Why there is no verdict: ours, never the publisher's.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The child did not start.
    #[error("the inspector could not be started")]
    Start(#[source] io::Error),
    /// It ended without a verdict.
    #[error("the inspector gave no verdict: {0}")]
    Ended(String),
    /// It took longer than its budget.
    #[error("the inspector took more than {0} seconds")]
    TimedOut(u64),
}

/// What an inspection gave.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    /// The verdict document, byte for byte.
    pub verdict: String,
    /// SBOMs by digest.
    pub sboms: Vec<(String, String)>,
    /// Facts that are new.
    pub facts: Vec<(String, LayerFacts)>,
    /// How the child was confined.
    pub confinement: String,
}

/// Facts of layers: those from earlier inspections, and which new ones are of use.
#[derive(Debug, Clone, Default)]
pub struct Reuse {
    /// Facts that need not be made again.
    pub facts: BTreeMap<String, LayerFacts>,
    /// Keys under which new facts will be kept, each with the blob that it is about, by [`keys`]. Facts under others
    /// are dropped.
    pub wanted: BTreeMap<String, Digest>,
}

/// Starts children.
#[derive(Debug, Clone)]
pub struct Inspector {
    /// This program.
    pub program: PathBuf,
    /// What the inspectors know.
    pub knowledge: KnowledgeFiles,
    /// What happens where the kernel cannot confine.
    pub unconfined: Unconfined,
    /// Whether others on the same machine go first: a server has readers who wait.
    pub gentle: bool,
    /// Whether only the inventory is made: see [`Knowledge::inventory_alone`].
    pub inventory_alone: bool,
    /// What this process has loaded of it.
    pub loaded: Arc<Loaded>,
    /// Seconds that an inspection may take, beyond those that its bytes take; [`PATIENCE_SECS`] by default.
    pub patience_secs: u64,
    /// JSON of the offer, for the eligibility rules.
    pub listing: Option<String>,
    /// What the publisher states about vulnerabilities: an OpenVEX or CycloneDX document.
    pub statements: Option<String>,
    /// Only a verdict by these files is wanted ([`Knowledge::files_digest`]): it is kept under them.
    pub expected: Option<String>,
}

impl Inspector {
    /// What the inspectors know, loaded at most once for each state of its files.
    ///
    /// # Errors
    /// The file that cannot be used, and why.
    pub async fn knowledge(&self) -> Result<Arc<Knowledge>, String> {
        let (loaded, files) = (self.loaded.clone(), self.knowledge.clone());
        match tokio::task::spawn_blocking(move || loaded.get(&files)).await {
            Ok(knowledge) => knowledge,
            Err(_) => Err("the rules cannot be loaded".to_owned()),
        }
    }

    /// As [`Inspector::knowledge`], with everything read that a scan needs: what is damaged is told before.
    ///
    /// # Errors
    /// The file that cannot be used, and why.
    pub async fn ready(&self) -> Result<Arc<Knowledge>, String> {
        let knowledge = self.knowledge().await?;
        let read = move || knowledge.ready().map(|()| knowledge).map_err(|error| crate::chain(&error));
        tokio::task::spawn_blocking(read)
            .await
            .unwrap_or_else(|_| Err("the rules cannot be loaded".to_owned()))
    }

    /// What else a verdict depends on: the listing, and statements, some of which end on a day.
    pub(crate) fn said(&self, knowledge: &Knowledge) -> String {
        let listing = self.listing.as_deref().unwrap_or_default();
        match &self.statements {
            None => listing.to_owned(),
            Some(statements) => format!("{listing}\n{:?}\n{statements}", knowledge.today),
        }
    }

    /// Inspects one image whose blobs lie below a directory: an OCI layout, or a depot.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub async fn inspect(
        &self,
        root: &Digest,
        blobs: &Path,
        layout: bool,
        bytes: u64,
        reuse: Reuse,
        progress: impl FnMut(u64, u64),
    ) -> Result<Inspection, InspectError> {
        let facts = reuse.facts;
        let subject = Subject::Image { root: root.to_string(), blobs: blobs.to_owned(), layout, facts };
        let heed = Heed { root: Some(root.clone()), wanted: reuse.wanted };
        self.run(subject, heed, self.patience_secs + bytes / (2 << 20), progress).await
    }

    /// Inspects one disk.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub async fn inspect_disk(
        &self,
        source: &DiskSource,
        claims: &Claims,
        progress: impl FnMut(u64, u64),
    ) -> Result<Inspection, InspectError> {
        // Its data is read twice: for the digest, and by the scanners.
        let budget = self.patience_secs + source.stored_bytes() / (1 << 20);
        let subject = Subject::Disk { source: source.clone(), claims: Box::new(claims.clone()) };
        self.run(subject, Heed::default(), budget, progress).await
    }

    async fn run(
        &self,
        subject: Subject,
        heed: Heed,
        budget: u64,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Inspection, InspectError> {
        let knowledge = self.knowledge.as_they_are();
        let (listing, statements, expected) =
            (self.listing.clone(), self.statements.clone(), self.expected.clone());
        let (today, unconfined) = (Some(today()), self.unconfined);
        let cpu_secs = budget * 2;
        let budget = if self.gentle { budget * GENTLE_PATIENCE } else { budget };
        let job = Job {
            subject,
            knowledge,
            listing,
            statements,
            expected,
            today,
            cpu_secs,
            unconfined,
            gentle: self.gentle,
            inventory_alone: self.inventory_alone,
            temporary: std::env::temp_dir(),
        };
        let mut child = tokio::process::Command::new(&self.program)
            .arg("inspect")
            .env_clear()
            .envs(ALLOCATOR)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(InspectError::Start)?;
        let no_pipe = || InspectError::Ended("no pipe".into());
        let mut input = child.stdin.take().ok_or_else(no_pipe)?;
        let output = child.stdout.take().ok_or_else(no_pipe)?;
        let errors = child.stderr.take().ok_or_else(no_pipe)?;
        let text = serde_json::to_string(&job).map_err(|error| InspectError::Ended(error.to_string()))?;
        let give = async move {
            // One that ends before it has read its job says why by how it ends.
            let _ = input.write_all(text.as_bytes()).await;
            Ok::<_, InspectError>(())
        };
        let talk = async {
            let complaint = async { Ok(complaint(errors).await) };
            let (out, (), complaint) =
                tokio::try_join!(listen(output, heed, &mut progress), give, complaint)?;
            let status = child.wait().await.map_err(InspectError::Start)?;
            // Whatever it complains of, it was not as sure of its verdict as a verdict must be.
            if !status.success() || out.verdict.is_empty() || !complaint.is_empty() {
                return Err(InspectError::Ended(format!("{status}; {complaint}")));
            }
            Ok(out)
        };
        match tokio::time::timeout(Duration::from_secs(budget), talk).await {
            Ok(done) => done,
            Err(_) => Err(InspectError::TimedOut(budget)),
        }
    }
}

struct Files {
    root: PathBuf,
    layout: bool,
}

impl Files {
    fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        if self.layout {
            self.root.join("blobs/sha256").join(hex)
        } else {
            self.root.join("sha256").join(&hex[..2]).join(hex)
        }
    }
}

impl Blobs for Files {
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read + Send>> {
        let path = self.path(digest);
        // A link could name any file that may still be read.
        if !std::fs::symlink_metadata(&path)?.is_file() {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        Ok(Box::new(File::open(&path).map_err(named)?))
    }

    fn size(&self, digest: &Digest) -> io::Result<u64> {
        Ok(std::fs::symlink_metadata(self.path(digest))?.len())
    }
}

/// The keys under which facts of an image would be kept, each with the blob that it is about.
///
/// # Errors
/// When its manifests cannot be read.
pub fn keys(
    root: &Digest,
    blobs: &Path,
    layout: bool,
    knowledge: &Knowledge,
) -> io::Result<BTreeMap<String, Digest>> {
    let files = Files { root: blobs.to_owned(), layout };
    mercat_certify::facts_keys(&Specimen { root: root.clone(), blobs: &files }, knowledge)
}

/// The key under which the verdict of an image is kept. It holds for the same image, rules and advisories, and for
/// the same offer where rules look at it: the bytes need not even be looked at again.
pub fn verdict_key(root: &Digest, knowledge: &Knowledge, inspector: Option<&Inspector>) -> String {
    let said = inspector.map(|inspector| inspector.said(knowledge)).unwrap_or_default();
    let text = format!("{root}\n{}\n{said}", knowledge.verdict_digest());
    format!("image-verdict/{}", Digest::from_sha256(&Sha256::digest(text.as_bytes())))
}

impl ChunkSource for Files {
    fn get(&self, digest: &Digest, limit: u64) -> io::Result<Vec<u8>> {
        read_file(&self.path(digest), limit)
    }
}

struct Talk<W: Write + Send> {
    out: Mutex<W>,
    facts: BTreeMap<String, LayerFacts>,
}

impl<W: Write + Send> Talk<W> {
    fn say(&self, line: &Said<'_>) {
        let mut out = self.out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut out = BufWriter::with_capacity(LINE_BUFFER_BYTES, &mut *out);
        let said = serde_json::to_writer(&mut out, line).map_err(io::Error::from);
        if said.and_then(|()| writeln!(out)).and_then(|()| out.flush()).is_err() {
            // The parent is gone, and nobody wants what is still to come. Signals of broken pipes are off in Rust.
            std::process::exit(PARENT_GONE);
        }
    }
}

impl<W: Write + Send> Reused for Talk<W> {
    fn find(&self, key: &str) -> Option<LayerFacts> {
        self.facts.get(key).cloned()
    }
    fn keep(&self, key: &str, facts: &LayerFacts) {
        self.say(&Said::Facts(key, facts));
    }
    fn progress(&self, done: u64, total: u64) {
        self.say(&Said::Progress(done, total));
    }
}

/// The child's whole life: a job on standard input, lines on standard output.
pub fn child() -> i32 {
    let mut text = String::new();
    let read = BufReader::new(io::stdin()).take(1 << 30).read_to_string(&mut text);
    let job: Result<Job, _> = serde_json::from_str(&text);
    let talk = |facts| Talk { out: Mutex::new(io::stdout()), facts };
    let (Ok(_), Ok(job)) = (read, job) else {
        talk(BTreeMap::new()).say(&Said::Failed("the job cannot be read"));
        return 2;
    };
    let done = run(job, &talk);
    match done {
        Ok(()) => 0,
        Err(why) => {
            talk(BTreeMap::new()).say(&Said::Failed(&why));
            2
        }
    }
}

fn run(job: Job, talk: &dyn Fn(BTreeMap<String, LayerFacts>) -> Talk<io::Stdout>) -> Result<(), String> {
    if job.gentle {
        // One that may not be gentle works all the same.
        let _ = rustix::process::nice(GENTLE);
    }
    let mut knowledge = job.knowledge.load_for(job.today, Connections::ToScan)?;
    if job.inventory_alone {
        knowledge.inventory_alone();
    }
    let readable = match &job.subject {
        Subject::Image { blobs, .. } => vec![blobs.clone()],
        Subject::Disk { source, .. } => source.readable(),
    };
    let scratch = scratch(&job.temporary);
    let file_bytes = if scratch.is_empty() { 0 } else { PROGRAM_BYTES_MAX };
    knowledge.lend_scratch(scratch);
    let missing = sandbox::confine(&readable, (job.cpu_secs, file_bytes), job.unconfined)?;
    let loaded = knowledge.files_digest().to_string();
    if job.expected.is_some_and(|expected| expected != loaded) {
        return Err("rules or advisories were replaced meanwhile; it is tried again".to_owned());
    }
    // The publisher's words are read in here, as the publisher's bytes are.
    let mut unread = job.statements.as_deref().and_then(|text| knowledge.add_statements(text));
    if let (Some(finding), Subject::Disk { claims, .. }) = (&mut unread, &job.subject) {
        finding.place.plan.clone_from(&claims.plan);
    }
    let how = missing.as_deref().unwrap_or("confined");
    let (talk, verdict) = match job.subject {
        Subject::Image { root, blobs, layout, facts } => {
            let talk = talk(facts);
            talk.say(&Said::Confined(how));
            let root = Digest::parse(&root).ok_or("the root is no digest")?;
            let files = Files { root: blobs, layout };
            let verdict = inspect(&Specimen { root, blobs: &files }, &knowledge, &talk);
            (talk, verdict)
        }
        Subject::Disk { source, claims } => {
            let talk = talk(BTreeMap::new());
            talk.say(&Said::Confined(how));
            let verdict = inspect_disk(&source, *claims, &knowledge, &talk);
            (talk, verdict)
        }
    };
    let mut verdict = verdict.map_err(|error| error.to_string())?;
    if let Some(missing) = &missing {
        verdict.findings.insert(0, sandbox::finding(missing));
    }
    verdict.findings.extend(unread);
    finish(&mut verdict, &knowledge, job.listing.as_deref());
    for (digest, sbom) in &verdict.sboms {
        talk.say(&Said::Sbom(digest, sbom));
    }
    talk.say(&Said::Verdict(&verdict.to_json()));
    Ok(())
}

/// Files without names for large programs; where there can be none, or they would lie in memory that no limit of the
/// child counts, those wait in its own.
fn scratch(directory: &Path) -> Vec<File> {
    const TMPFS: i64 = 0x0102_1994;
    // As many layers are read side by side as there are processors, and a disk has at least two readers.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).max(2);
    let count = (threads * mercat_certify::SCRATCH_FILES).min(sandbox::SCRATCH_FILES_MAX);
    if rustix::fs::statfs(directory).is_ok_and(|about| about.f_type == TMPFS) {
        return Vec::new();
    }
    let files = (0..count).map(|_| tempfile::tempfile_in(directory));
    files.collect::<io::Result<_>>().unwrap_or_default()
}

fn inspect_disk(
    source: &DiskSource,
    claims: Claims,
    knowledge: &Knowledge,
    talk: &Talk<io::Stdout>,
) -> io::Result<Verdict> {
    let (disk, facts) = match source.open() {
        Ok(opened) => opened,
        Err(ReadError::Io(error)) => return Err(error),
        Err(refused) => return Ok(disk::refused_verdict(&refused, &claims.plan, knowledge)),
    };
    // One line a part of a percent is enough.
    let told = std::sync::atomic::AtomicU64::new(0);
    let progress = |done: u64, total: u64| {
        let step = total / 500;
        let last = told.load(std::sync::atomic::Ordering::Relaxed);
        if done >= last.saturating_add(step) || done == total {
            told.store(done, std::sync::atomic::Ordering::Relaxed);
            talk.progress(done, total);
        }
    };
    disk::inspect(&DiskSpecimen { disk, facts, claims }, knowledge, &progress)
}
