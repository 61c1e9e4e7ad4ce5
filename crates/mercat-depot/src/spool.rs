//! Files on their way in: uploads in parts and downloads, both resumed at the last durable byte.

use bytes::Bytes;
use futures::{Stream, StreamExt};
use mercat_domain::Digest;
use mercat_egress::{Egress, EgressError};
use reqwest::StatusCode;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};
use url::Url;

/// Bytes after which what was written is made durable.
const SYNC_BYTES: u64 = 32 << 20;
/// Bytes per second, on average over a minute, below which a download or a part of an upload is given up.
const RATE_MIN: u64 = 1024;
/// Longest wait for the next bytes of a part.
const IDLE: Duration = Duration::from_secs(30);
/// How long files are kept that nobody claimed.
const LEFT_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Uploads that a publisher may have open at a time.
pub const UPLOADS_MAX: usize = 32;
/// Bytes of the disk that stay free where nothing else is said: these, or a tenth of a smaller disk.
const KEEP_FREE: u64 = 16 << 30;
/// How long room is kept for the rest of an upload after its last byte.
const RESERVED_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long an upload is kept after its last byte.
const UPLOAD_LIFE: Duration = Duration::from_secs(14 * 24 * 3600);

/// What is known of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub publisher: String,
    /// File name, for its extension.
    pub name: String,
    /// Bytes in all.
    pub size: u64,
    /// Bytes that are durable here.
    #[serde(default)]
    pub offset: u64,
    /// What the sender recognises its file by.
    #[serde(default)]
    pub fingerprint: String,
}

/// Why bytes were not taken.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// No such upload.
    #[error("there is no such upload")]
    Missing,
    /// The part does not begin where the upload ends.
    #[error("the upload stands at byte {0}")]
    Offset(u64),
    /// More bytes than announced.
    #[error("more than the announced {0} bytes came")]
    TooLong(u64),
    /// Another request writes at this moment.
    #[error("another part of this upload is being received")]
    Busy,
    /// The disk has no room for it.
    #[error(
        "{0} bytes are announced; beside what must stay free, the server has room for {1} (the operator: [depot] keep_free_mib)"
    )]
    NoRoom(u64, u64),
    /// The publisher has too many open.
    #[error("{UPLOADS_MAX} uploads are open; finish or delete one")]
    TooMany,
    /// The sender went away; what came is kept.
    #[error("the stream broke")]
    Stream(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The disk failed or is full.
    #[error("the spool cannot be written")]
    Io(#[from] io::Error),
}

/// Why a URL was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not allowed, or nobody answers.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// An answer that is no success.
    #[error("HTTP {0}")]
    Status(u16),
    /// The answer broke off or does not fit to what came before: tried again.
    #[error("{0}")]
    Broken(String),
    /// Larger than any disk.
    #[error("a file of {0} bytes; the limit is {1}")]
    TooLarge(u64, u64),
    /// Ours.
    #[error("the spool cannot be written")]
    Io(#[from] io::Error),
}

/// How fast a sender is, a minute at a time.
struct Pace {
    since: Instant,
    bytes: u64,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { since: now, bytes: 0 }
    }

    /// Takes note of bytes that came; `false` when the last minute brought too few.
    fn keeps(&mut self, bytes: u64, now: Instant) -> bool {
        self.bytes += bytes;
        let secs = now.duration_since(self.since).as_secs();
        if secs < 60 {
            return true;
        }
        let enough = self.bytes / secs >= RATE_MIN;
        *self = Self::new(now);
        enough
    }
}

/// A directory of incoming files.
#[derive(Debug, Clone)]
pub struct Spool {
    root: PathBuf,
    /// Bytes that stay free, where the operator says how many.
    keep_free: Option<u64>,
}

/// A file that was fetched, with what identifies its content at its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it lies.
    pub path: PathBuf,
    /// Strong entity tag with size, or empty when the source gives none.
    pub validator: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Fetching {
    validator: String,
    size: Option<u64>,
}

impl Spool {
    /// Opens a spool directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root.join("uploads"))?;
        std::fs::create_dir_all(root.join("fetched"))?;
        std::fs::create_dir_all(root.join("scratch"))?;
        Ok(Self { root: root.canonicalize()?, keep_free: None })
    }

    /// The same, with so many bytes of its disk left to others.
    #[must_use]
    pub fn keeping_free(self, bytes: Option<u64>) -> Self {
        Self { keep_free: bytes, ..self }
    }

    /// A directory for work that is thrown away.
    pub fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    fn upload(&self, id: &str, what: &str) -> PathBuf {
        self.root.join("uploads").join(format!("{id}.{what}"))
    }

    /// The bytes of an upload.
    pub fn path(&self, id: &str) -> PathBuf {
        self.upload(id, "data")
    }

    /// Begins an upload under a new id.
    ///
    /// # Errors
    /// When the publisher has too many, or the disk fails.
    pub fn begin(&self, upload: &Upload) -> Result<(), SpoolError> {
        self.forget_old()?;
        let open = self.list()?.into_iter().filter(|other| other.publisher == upload.publisher);
        if open.count() >= UPLOADS_MAX {
            return Err(SpoolError::TooMany);
        }
        File::create_new(self.path(&upload.id))?.sync_all()?;
        write_document(&self.upload(&upload.id, "json"), upload)?;
        // Behind that, so that of two that begin at a time one sees the other.
        let (room, promised) = (self.room()?, self.promised()?);
        if promised > room {
            self.remove(&upload.id)?;
            let others = promised.saturating_sub(upload.size);
            return Err(SpoolError::NoRoom(upload.size, room.saturating_sub(others)));
        }
        Ok(())
    }

    /// Bytes that open uploads still wait for, of all publishers.
    fn promised(&self) -> io::Result<u64> {
        let mut sum = 0_u64;
        for upload in self.list()? {
            let idle =
                SystemTime::now().duration_since(std::fs::metadata(self.path(&upload.id))?.modified()?);
            if idle.is_ok_and(|idle| idle > RESERVED_LIFE) {
                continue;
            }
            sum = sum.saturating_add(upload.size.saturating_sub(upload.offset));
        }
        Ok(sum)
    }

    /// Whether the rest of an upload still fits: others may have filled the disk since it was begun.
    fn fits(&self, rest: u64) -> Result<(), SpoolError> {
        let room = self.room()?;
        if rest > room { Err(SpoolError::NoRoom(rest, room)) } else { Ok(()) }
    }

    /// Bytes that may still be taken: what is free, but for what stays so.
    ///
    /// # Errors
    /// When the file system does not say.
    pub fn room(&self) -> io::Result<u64> {
        let about = rustix::fs::statvfs(&self.root)?;
        let free = about.f_bavail.saturating_mul(about.f_frsize);
        let tenth = about.f_blocks.saturating_mul(about.f_frsize) / 10;
        Ok(free.saturating_sub(self.keep_free.unwrap_or(tenth.min(KEEP_FREE))))
    }

    /// Takes away what nobody claimed: downloads of refused sources, scratch of machines that died, and
    /// uploads whose last byte is long ago. Blocking.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sweep(&self) -> io::Result<()> {
        self.forget_old()?;
        for directory in ["fetched", "scratch", "uploads"] {
            for entry in std::fs::read_dir(self.root.join(directory))? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let id = name.strip_suffix(".data").filter(|_| directory == "uploads");
                let claimed = directory == "uploads" && id.is_none_or(|id| self.upload(id, "json").is_file());
                let age = SystemTime::now().duration_since(entry.metadata()?.modified()?).unwrap_or_default();
                if claimed || age < LEFT_LIFE {
                    continue;
                }
                if entry.file_type()?.is_dir() {
                    std::fs::remove_dir_all(entry.path())?;
                } else {
                    remove(&entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// All uploads.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn list(&self) -> io::Result<Vec<Upload>> {
        let mut out = Vec::new();
        for entry in std::fs::read_dir(self.root.join("uploads"))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(id) = name.strip_suffix(".json")
                && let Ok((upload, _)) = self.look(id)
            {
                out.push(upload);
            }
        }
        out.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(out)
    }

    /// An upload with its durable offset.
    ///
    /// # Errors
    /// [`SpoolError::Missing`].
    pub fn find(&self, id: &str) -> Result<Upload, SpoolError> {
        let (upload, file) = self.look(id)?;
        // Bytes that a killed process wrote are in the file; now they are also on the disk.
        file.sync_data()?;
        Ok(upload)
    }

    fn look(&self, id: &str) -> Result<(Upload, File), SpoolError> {
        if id.len() != 36 || !id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
            return Err(SpoolError::Missing);
        }
        let text = std::fs::read(self.upload(id, "json")).map_err(|_| SpoolError::Missing)?;
        let mut upload: Upload = serde_json::from_slice(&text).map_err(|_| SpoolError::Missing)?;
        let file = File::open(self.path(id)).map_err(|_| SpoolError::Missing)?;
        upload.offset = file.metadata()?.len().min(upload.size);
        Ok((upload, file))
    }

    /// Takes a part that begins at the upload's offset; what came before a broken stream is kept.
    /// Tells the new offset.
    ///
    /// # Errors
    /// See [`SpoolError`].
    pub async fn append<E>(
        &self,
        id: &str,
        offset: u64,
        mut stream: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<u64, SpoolError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut file =
            OpenOptions::new().append(true).open(self.path(id)).map_err(|_| SpoolError::Missing)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| SpoolError::Busy)?;
        let (spool, wanted) = (self.clone(), id.to_owned());
        let found = tokio::task::spawn_blocking(move || spool.find(&wanted)).await;
        let upload = found.map_err(io::Error::other)??;
        if upload.offset != offset {
            return Err(SpoolError::Offset(upload.offset));
        }
        self.fits(upload.size - offset)?;
        let (mut at, mut unsynced) = (offset, 0);
        let mut ended = Ok(());
        let mut pace = Pace::new(Instant::now());
        loop {
            // A sender that is gone without a word must not hold the upload.
            let chunk = match tokio::time::timeout(IDLE, stream.next()).await {
                Ok(None) => break,
                Ok(Some(Ok(chunk))) => chunk,
                Ok(Some(Err(error))) => {
                    ended = Err(SpoolError::Stream(error.into()));
                    break;
                }
                Err(_) => {
                    ended = Err(SpoolError::Stream("nothing came for 30 seconds".into()));
                    break;
                }
            };
            let chunk_bytes = chunk.len() as u64;
            let next = at + chunk_bytes;
            if next > upload.size {
                ended = Err(SpoolError::TooLong(upload.size));
                break;
            }
            unsynced += chunk_bytes;
            at = next;
            let sync = unsynced >= SYNC_BYTES;
            file = blocking(move || {
                file.write_all(&chunk)?;
                if sync {
                    file.sync_data()?;
                }
                Ok(file)
            })
            .await?;
            if sync {
                unsynced = 0;
                ended = self.fits(upload.size - at);
            }
            if ended.is_ok() && at < upload.size && !pace.keeps(chunk_bytes, Instant::now()) {
                ended = Err(SpoolError::Stream("slower than 1 KiB/s".into()));
            }
            if ended.is_err() {
                break;
            }
        }
        blocking(move || file.sync_all()).await?;
        ended.map(|()| at)
    }

    /// Takes an upload away; it may be gone already.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn remove(&self, id: &str) -> io::Result<()> {
        // The document last: what it does not name would be found by nobody.
        for path in [self.path(id), self.upload(id, "json")] {
            remove(&path)?;
        }
        Ok(())
    }

    fn forget_old(&self) -> io::Result<()> {
        for upload in self.list()? {
            let changed = std::fs::metadata(self.path(&upload.id))?.modified()?;
            if SystemTime::now().duration_since(changed).is_ok_and(|age| age > UPLOAD_LIFE) {
                self.remove(&upload.id)?;
            }
        }
        Ok(())
    }

    fn fetched(&self, url: &Url, what: &str) -> PathBuf {
        let mut plain = url.clone();
        // The same object signed anew is the same download.
        plain.set_query(None);
        plain.set_fragment(None);
        let name = Digest::from_sha256(&Sha256::digest(plain.as_str().as_bytes()));
        self.root.join("fetched").join(format!("{}.{what}", name.hex()))
    }

    /// Fetches a URL into a file. Goes on behind the bytes of an earlier try when the source
    /// still has the same object, as its entity tag shows. `None` when the object is still the one
    /// of a known [`Fetched::validator`].
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn fetch(
        &self,
        egress: &Egress,
        url: &Url,
        known: &str,
        bytes_max: u64,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Option<Fetched>, FetchError> {
        let (data, note) = (self.fetched(url, "data"), self.fetched(url, "json"));
        let before: Fetching =
            std::fs::read(&note).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&data)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| FetchError::Broken("another worker fetches this URL".to_owned()))?;
        let have = if before.validator.is_empty() { 0 } else { file.metadata()?.len() };
        let mut request = egress.http().get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-")).header(IF_RANGE, &before.validator);
        }
        if let Some((tag, _)) = known.rsplit_once(' ').filter(|(tag, _)| tag.starts_with('"')) {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let request = request.build().map_err(|error| FetchError::Broken(error.to_string()))?;
        let answer = egress.send(request).await?;
        let status = answer.status();
        if status == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let validator = validator(answer.headers());
        let whole = have > 0
            && status == StatusCode::RANGE_NOT_SATISFIABLE
            && before.size == Some(have)
            && header(answer.headers(), CONTENT_RANGE) == Some(&format!("bytes */{have}"));
        if whole {
            return Ok(Some(Fetched { path: data, validator: format!("{} {have}", before.validator) }));
        }
        let length = header(answer.headers(), CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
        let (from, size) = match status {
            StatusCode::OK => (0, length),
            StatusCode::PARTIAL_CONTENT => {
                let range = header(answer.headers(), CONTENT_RANGE).and_then(content_range);
                match range {
                    // Another object's tail behind this one's head would pass for a whole.
                    Some((from, size))
                        if from == have && validator == before.validator && size == before.size =>
                    {
                        (from, size)
                    }
                    Some((from, _)) if from == have => {
                        remove(&note)?;
                        return Err(FetchError::Broken("the object changed; it is fetched anew".into()));
                    }
                    _ => {
                        return Err(FetchError::Broken(
                            "the part does not begin where it was asked for".into(),
                        ));
                    }
                }
            }
            other => {
                if status == StatusCode::RANGE_NOT_SATISFIABLE {
                    remove(&note)?;
                    return Err(FetchError::Broken("the object changed; it is fetched anew".into()));
                }
                return Err(FetchError::Status(other.as_u16()));
            }
        };
        if let Some(size) = size.filter(|size| *size > bytes_max) {
            return Err(FetchError::TooLarge(size, bytes_max));
        }
        file.set_len(from)?;
        file.seek(SeekFrom::Start(from))?;
        write_document(&note, &Fetching { validator: validator.clone(), size })?;
        let at = receive(file, answer, from, size, bytes_max, &mut progress).await?;
        if size.is_some_and(|size| size != at) {
            return Err(FetchError::Broken(format!("{at} of {} bytes came", size.unwrap_or(0))));
        }
        write_document(&note, &Fetching { validator: validator.clone(), size: Some(at) })?;
        let validator = if validator.is_empty() { validator } else { format!("{validator} {at}") };
        Ok(Some(Fetched { path: data, validator }))
    }

    /// Takes a fetched file away.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn remove_fetched(&self, url: &Url) -> io::Result<()> {
        remove(&self.fetched(url, "json"))?;
        remove(&self.fetched(url, "data"))
    }

    /// Keeps a document of the caller's beside a file of the spool.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn keep_note(&self, name: &str, value: &impl Serialize) -> io::Result<()> {
        write_document(&self.note(name), value)
    }

    /// A document that was kept, when there is one that can be read.
    pub fn take_note<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&std::fs::read(self.note(name)).ok()?).ok()
    }

    /// Takes a document away.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn drop_note(&self, name: &str) -> io::Result<()> {
        remove(&self.note(name))
    }

    fn note(&self, name: &str) -> PathBuf {
        let name = Digest::from_sha256(&Sha256::digest(name.as_bytes()));
        self.root.join("fetched").join(format!("{}.note", name.hex()))
    }
}

async fn receive(
    mut file: File,
    answer: reqwest::Response,
    from: u64,
    size: Option<u64>,
    bytes_max: u64,
    progress: &mut impl FnMut(u64, u64),
) -> Result<u64, FetchError> {
    let mut stream = answer.bytes_stream();
    let (mut at, mut unsynced) = (from, 0);
    let started = Instant::now();
    let mut broken = None;
    while let Some(chunk) = stream.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) => {
                broken = Some(format!("the transfer broke off at byte {at}: {}", error.without_url()));
                break;
            }
        };
        at += chunk.len() as u64;
        if at > size.unwrap_or(bytes_max) {
            broken = Some(format!("more than the announced {} bytes came", size.unwrap_or(bytes_max)));
            break;
        }
        let secs = started.elapsed().as_secs();
        if secs > 60 && (at - from) / secs < RATE_MIN {
            broken = Some("slower than 1 KiB/s".to_owned());
            break;
        }
        unsynced += chunk.len() as u64;
        let sync = unsynced >= SYNC_BYTES;
        if sync {
            unsynced = 0;
        }
        file = blocking(move || {
            file.write_all(&chunk)?;
            if sync {
                file.sync_data()?;
            }
            Ok(file)
        })
        .await?;
        progress(at, size.unwrap_or(0));
    }
    blocking(move || file.sync_all()).await?;
    broken.map_or(Ok(at), |why| Err(FetchError::Broken(why)))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn header(headers: &HeaderMap, name: reqwest::header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// What tells that an object is still the same: a strong entity tag. Dates are too coarse (RFC 9110, 8.8.2.2).
fn validator(headers: &HeaderMap) -> String {
    header(headers, ETAG).filter(|tag| !tag.starts_with("W/")).unwrap_or("").to_owned()
}

/// `bytes 5-9/10`: the start, and the size when it is told.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-')?.0.trim().parse().ok()?;
    Some((start, size.trim().parse().ok()))
}

fn write_document(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    file.write_all(&serde_json::to_vec(value).map_err(io::Error::other)?)?;
    file.sync_all()?;
    std::fs::rename(part, path)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
