//! A publisher's disk image, read by a confined child and stored by its parent.
//!
//! The child may read the one file and nothing else; what it says is data of the disk. The parent
//! cuts, hashes and stores it, and keeps how far it came.

use crate::inspect::{InspectError, Inspector};
use crate::sandbox::{self, Unconfined};
use mercat_depot::Depot;
use mercat_depot::disk::{DiskWriter, Stage};
use mercat_disk::digest::each_data;
use mercat_disk::{Declared, Facts, FileReadAt, INCONCLUSIVE, ReadError, VIRTUAL_BYTES_MAX};
use mercat_domain::Digest;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

/// Seconds that a child may take, beyond one for every MiB of the file: a well packed file holds many times
/// its size, and the depot may be busy.
const FLOOR_SECS: u64 = 900;
/// Longest piece of data that a child sends.
const FRAME_BYTES_MAX: u32 = 1 << 20;
/// Pieces between child and store.
const QUEUE: usize = 8;
/// Marks the end of the data.
const END: u64 = u64::MAX;

#[derive(Debug, Serialize, Deserialize)]
struct Job {
    path: PathBuf,
    declared: Option<Declared>,
    from: u64,
    cpu_secs: u64,
    unconfined: Unconfined,
}

#[derive(Debug, Serialize, Deserialize)]
enum Opened {
    Facts(Box<Facts>),
    Failed(Failed),
}

/// Why a child did not read a disk to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Failed {
    Refused { code: String, offset: u64, what: String },
    Ours(String),
}

impl From<ReadError> for Failed {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Refused { code, offset, what } => {
                Self::Refused { code: code.to_owned(), offset, what }
            }
            ReadError::Io(error) => Self::Ours(error.to_string()),
        }
    }
}

/// A disk that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Digest of its index in the depot.
    pub(crate) root: Digest,
    /// Bytes of the index.
    pub(crate) index_bytes: u64,
    /// Bytes that the depot did not have before.
    pub(crate) new_bytes: u64,
}

/// Why a disk is not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// The image is refused.
    #[error("{code}: {what}, at byte {offset}")]
    Refused {
        /// Code of `mercat_disk`.
        code: String,
        /// Where in the file.
        offset: u64,
        /// What was found.
        what: String,
    },
    /// The image is not the one that an earlier try began with.
    #[error("the image changed while it was stored; it is read again from its beginning")]
    Stale,
    /// The child broke.
    #[error(transparent)]
    Child(#[from] InspectError),
    /// The store failed.
    #[error("the depot could not take it")]
    Depot(#[from] mercat_depot::DepotError),
}

impl DecodeError {
    /// Whether the refusal is ours: a form that this version does not read.
    pub(crate) fn is_inconclusive(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if INCONCLUSIVE.contains(&code.as_str()))
    }
}

/// Progress and how far a disk is stored.
pub(crate) trait Watch: Send + Sync + 'static {
    /// Offset in the disk of its size.
    fn at(&self, offset: u64, size: u64);
    /// Keep this: a next try goes on there.
    fn keep(&self, stage: &Stage);
}

enum Frame {
    Data(u64, Vec<u8>),
    End,
}

/// Stores the disk of an image file. `stage` is what an earlier try at the same file kept.
pub(crate) async fn store(
    inspector: &Inspector,
    depot: &Depot,
    path: &Path,
    declared: Option<Declared>,
    stage: Option<Stage>,
    watch: Arc<dyn Watch>,
) -> Result<Kept, DecodeError> {
    let bytes = std::fs::metadata(path).map_err(InspectError::Start)?.len();
    let budget = FLOOR_SECS + bytes / (1 << 20);
    let from = stage.as_ref().map_or(0, |stage| stage.from);
    let unconfined = inspector.unconfined;
    let job = Job { path: path.to_owned(), declared, from, cpu_secs: budget, unconfined };
    let talk = talk(&inspector.program, depot, &job, stage, watch);
    match tokio::time::timeout(Duration::from_secs(budget), talk).await {
        Ok(done) => done,
        Err(_) => Err(InspectError::TimedOut(budget).into()),
    }
}

async fn talk(
    program: &Path,
    depot: &Depot,
    job: &Job,
    stage: Option<Stage>,
    watch: Arc<dyn Watch>,
) -> Result<Kept, DecodeError> {
    let ended = |what: &str| InspectError::Ended(what.to_owned());
    let mut child = tokio::process::Command::new(program)
        .arg("decode")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(InspectError::Start)?;
    let mut input = child.stdin.take().ok_or_else(|| ended("no pipe"))?;
    let mut output = BufReader::with_capacity(1 << 20, child.stdout.take().ok_or_else(|| ended("no pipe"))?);
    let text = serde_json::to_vec(job).map_err(|error| ended(&error.to_string()))?;
    input.write_all(&text).await.map_err(InspectError::Start)?;
    drop(input);
    let mut line = String::new();
    (&mut output).take(1 << 20).read_line(&mut line).await.map_err(InspectError::Start)?;
    let facts = match serde_json::from_str(&line) {
        Ok(Opened::Facts(facts)) => *facts,
        Ok(Opened::Failed(failed)) => return Err(failed.into()),
        Err(_) => return Err(ended("the reader of the disk died before it could open the image").into()),
    };
    // What the child says is checked again: it may have been taken over by what it read.
    if facts.virtual_bytes == 0 || facts.virtual_bytes > VIRTUAL_BYTES_MAX {
        return Err(ended("a disk of an impossible size").into());
    }
    if stage.as_ref().is_some_and(|stage| !stage.fits(&facts)) {
        return Err(DecodeError::Stale);
    }
    let (send, receive) = mpsc::channel(QUEUE);
    let writer = {
        let (depot, facts, runtime) = (depot.clone(), facts.clone(), tokio::runtime::Handle::current());
        tokio::task::spawn_blocking(move || write(&depot, runtime, facts, stage, receive, &*watch))
    };
    let read = frames(&mut output, facts.virtual_bytes, job.from, send).await;
    let written = writer.await.map_err(|error| ended(&error.to_string()))?;
    // A store that failed closes the channel: its error is the cause of the other.
    let (root, index_bytes, new_bytes) = match (written, read) {
        (Err(error), _) => return Err(error),
        (Ok(_), Err(error)) => return Err(error),
        (Ok(None), Ok(())) => return Err(ended("the data ended early").into()),
        (Ok(Some(kept)), Ok(())) => kept,
    };
    Ok(Kept { root, index_bytes, new_bytes })
}

impl From<Failed> for DecodeError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused { code, offset, what } => Self::Refused { code, offset, what },
            Failed::Ours(why) => InspectError::Ended(why).into(),
        }
    }
}

/// Reads the child's frames and passes them on; refuses what does not rise or lies behind the end.
async fn frames(
    output: &mut (impl tokio::io::AsyncRead + Unpin),
    size: u64,
    from: u64,
    send: mpsc::Sender<Frame>,
) -> Result<(), DecodeError> {
    let died = |_| InspectError::Ended("the reader of the disk died".to_owned());
    let mut next = from;
    loop {
        let offset = output.read_u64_le().await.map_err(died)?;
        let length = output.read_u32_le().await.map_err(died)?;
        if length > FRAME_BYTES_MAX {
            return Err(InspectError::Ended("a piece that is too long".to_owned()).into());
        }
        let mut bytes = vec![0; length as usize];
        output.read_exact(&mut bytes).await.map_err(died)?;
        if offset == END {
            if bytes.is_empty() {
                let _ = send.send(Frame::End).await;
                return Ok(());
            }
            let failed = serde_json::from_slice(&bytes);
            return Err(failed.unwrap_or_else(|error| Failed::Ours(error.to_string())).into());
        }
        let end = offset.checked_add(u64::from(length)).filter(|end| *end <= size && offset >= next);
        next = end.ok_or_else(|| InspectError::Ended("data out of order".to_owned()))?;
        if send.send(Frame::Data(offset, bytes)).await.is_err() {
            // The writer ended; it knows why.
            return Ok(());
        }
    }
}

type Written = Option<(Digest, u64, u64)>;

fn write(
    depot: &Depot,
    runtime: tokio::runtime::Handle,
    facts: Facts,
    stage: Option<Stage>,
    mut frames: mpsc::Receiver<Frame>,
    watch: &dyn Watch,
) -> Result<Written, DecodeError> {
    let size = facts.virtual_bytes;
    let mut writer = DiskWriter::new(depot, runtime, facts, stage);
    while let Some(frame) = frames.blocking_recv() {
        match frame {
            Frame::Data(offset, bytes) => {
                if let Some(stage) = writer.data(offset, &bytes)? {
                    watch.keep(&stage);
                }
                watch.at(offset + bytes.len() as u64, size);
            }
            Frame::End => {
                let new_bytes = writer.new_bytes;
                let (root, index_bytes) = writer.finish()?;
                watch.at(size, size);
                return Ok(Some((root, index_bytes, new_bytes)));
            }
        }
    }
    Ok(None)
}

/// The child's whole life: a job on standard input, data on standard output.
pub fn child() -> i32 {
    let mut text = String::new();
    let read = io::stdin().take(1 << 20).read_to_string(&mut text);
    let mut out = io::BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let job: Result<Job, _> = serde_json::from_str(&text);
    let (Ok(_), Ok(job)) = (read, job) else {
        return 2;
    };
    match decode(&job, &mut out) {
        Ok(()) => 0,
        Err(_) => 2,
    }
}

fn decode(job: &Job, out: &mut impl Write) -> io::Result<()> {
    let disk = match open(job) {
        Ok(disk) => disk,
        Err(failed) => return say(out, &Opened::Failed(failed)),
    };
    say(out, &Opened::Facts(Box::new(disk.facts.clone())))?;
    let done = each_data(&disk, job.from, |offset, bytes| frame(out, offset, bytes).map_err(ReadError::from));
    match done {
        Ok(()) => frame(out, END, &[])?,
        Err(error) => frame(out, END, &serde_json::to_vec(&Failed::from(error))?)?,
    }
    out.flush()
}

fn open(job: &Job) -> Result<mercat_disk::Disk, Failed> {
    let ours = |error: io::Error| Failed::Ours(error.to_string());
    sandbox::confine(std::slice::from_ref(&job.path), (job.cpu_secs, 0), job.unconfined)
        .map_err(Failed::Ours)?;
    let file = std::fs::File::open(&job.path).map_err(ours)?;
    let file = FileReadAt::new(file).map_err(ours)?;
    Ok(mercat_disk::open(Arc::new(file), job.declared)?)
}

fn say(out: &mut impl Write, opened: &Opened) -> io::Result<()> {
    let mut line = serde_json::to_vec(opened)?;
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()
}

fn frame(out: &mut impl Write, offset: u64, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&offset.to_le_bytes())?;
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(bytes)
}
