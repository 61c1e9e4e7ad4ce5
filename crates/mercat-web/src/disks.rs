//! Disks as files: any range of any format, made from the chunks while it is sent.

use crate::api::{Answer, Shared, fail, listing_key};
use crate::guard::Caller;
use crate::ranges::{Asked, asked};
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName,
    IF_RANGE,
};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use base64::Engine;
use mercat_app::AppError;
use mercat_depot::Depot;
use mercat_depot::disk::{DiskError, DiskIndex, Stored};
use mercat_disk::layout::{LaidOut, Target, data_ranges, identity, layout};
use mercat_disk::{ReadAt, ReadError};
use mercat_domain::Digest;
use mercat_store::{DownloadRow, ListedDisk, ListedPlan};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that are made at a time, and held for a client that does not read on.
const WINDOW_BYTES: u64 = 256 << 10;
/// What is remembered of disks that were asked for.
const REMEMBERED: usize = 64;

type File = Arc<LaidOut>;
/// Digests in their raw form, sorted.
type Chunks = Arc<Vec<[u8; 32]>>;

/// What is remembered of disks: opening one reads all its segments.
#[derive(Default)]
pub(crate) struct Disks {
    files: Mutex<Vec<((String, Target), File)>>,
    chunks: Mutex<Vec<(String, Chunks)>>,
    /// One disk is opened at a time: many who ask at once wait for the same one.
    opening: tokio::sync::Mutex<()>,
}

fn remembered<K: PartialEq, V: Clone>(list: &Mutex<Vec<(K, V)>>, key: &K) -> Option<V> {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    let at = list.iter().position(|(known, _)| known == key)?;
    let found = list.remove(at);
    let value = found.1.clone();
    list.push(found);
    Some(value)
}

fn remember<K, V>(list: &Mutex<Vec<(K, V)>>, key: K, value: V) {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    if list.len() >= REMEMBERED {
        list.remove(0);
    }
    list.push((key, value));
}

impl Disks {
    /// Whether a blob belongs to one of a plan's disks.
    pub(crate) async fn holds(
        &self,
        depot: &Depot,
        plan: &ListedPlan,
        blob: &Digest,
    ) -> Result<bool, DiskError> {
        let wanted = blob.to_raw();
        for disk in &plan.disks {
            let Some(root) = Digest::parse(&disk.root) else { continue };
            if self.chunks(depot, &root).await?.binary_search(&wanted).is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn chunks(&self, depot: &Depot, root: &Digest) -> Result<Chunks, DiskError> {
        let key = root.to_string();
        if let Some(chunks) = remembered(&self.chunks, &key) {
            return Ok(chunks);
        }
        let _one = self.opening.lock().await;
        if let Some(chunks) = remembered(&self.chunks, &key) {
            return Ok(chunks);
        }
        let holdings = DiskIndex::load(depot, root).await?.holdings(depot).await?;
        let mut chunks: Vec<[u8; 32]> = holdings.blobs.iter().map(|(digest, _)| digest.to_raw()).collect();
        chunks.sort_unstable();
        let chunks: Chunks = Arc::new(chunks);
        remember(&self.chunks, key, chunks.clone());
        Ok(chunks)
    }

    async fn file(&self, depot: &Depot, root: &Digest, target: Target) -> Result<File, ReadError> {
        let key = (root.to_string(), target);
        if let Some(file) = remembered(&self.files, &key) {
            return Ok(file);
        }
        let _one = self.opening.lock().await;
        if let Some(file) = remembered(&self.files, &key) {
            return Ok(file);
        }
        let (root, chunks) = (root.clone(), depot.chunks(tokio::runtime::Handle::current()));
        let opened = tokio::task::spawn_blocking(move || {
            let disk = Arc::new(Stored::open(&root, chunks)?);
            let data = data_ranges(&disk)?;
            let layout = layout(target, disk.size(), &data, identity(&disk.index().disk))?;
            Ok::<_, ReadError>(Arc::new(LaidOut::new(layout, disk)))
        });
        let file = opened.await.map_err(|error| ReadError::Io(std::io::Error::other(error)))??;
        remember(&self.files, key, file.clone());
        Ok(file)
    }
}

/// A disk of a listing by plan, reference (or `latest`) and format.
fn find<'a>(
    plans: &'a [ListedPlan],
    plan: &str,
    reference: &str,
    format: &str,
) -> Option<(&'a ListedDisk, &'a DownloadRow, Target)> {
    let plan = plans.iter().find(|listed| listed.id == plan)?;
    let disk = match plan.tags.get(reference) {
        Some(root) => plan.disks.iter().find(|disk| disk.root == *root)?,
        None => plan.disks.iter().find(|disk| disk.reference == reference)?,
    };
    let download = disk.downloads.iter().find(|download| download.format == format)?;
    Some((disk, download, Target::parse(format)?))
}

pub(crate) async fn live(
    site: Shared,
    caller: Caller,
    Path((id, plan, reference, format)): Path<(String, String, String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    download(site, caller, (id, plan, reference, format), false, (method, headers)).await
}

pub(crate) async fn preview(
    site: Shared,
    caller: Caller,
    Path((id, plan, reference, format)): Path<(String, String, String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    download(site, caller, (id, plan, reference, format), true, (method, headers)).await
}

async fn download(
    axum::extract::State(site): Shared,
    caller: Caller,
    (id, plan, reference, format): (String, String, String, String),
    preview: bool,
    (method, headers): (Method, HeaderMap),
) -> Answer {
    let found = async { site.app.visible_listing(&caller.who, &listing_key(&id)?, preview).await };
    let listing = found.await.map_err(fail(&caller))?;
    let missing = || fail(&caller)(AppError::NotFound);
    let (disk, download, target) = find(&listing.plans, &plan, &reference, &format).ok_or_else(missing)?;
    let root = Digest::parse(&disk.root).ok_or_else(missing)?;
    let etag = format!("\"{}\"", download.sha256);
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let fresh = text(IF_RANGE).is_none_or(|tag| tag == etag);
    // `Range` is for GET, and for the file that the client began with.
    let part = if fresh && method != Method::HEAD { asked(&headers, download.size) } else { Asked::Ignored };
    let range = match part {
        Asked::Ignored => None,
        Asked::Part(range) => Some(range),
        Asked::Beyond => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            set(&mut response, CONTENT_RANGE, &format!("bytes */{}", download.size));
            return Ok(response);
        }
    };
    let wanted = range.clone().unwrap_or(0..download.size);
    // What is fetched in parts is fetched once.
    if method != Method::HEAD && wanted.start == 0 && !preview {
        site.count((&listing.publisher, &listing.offer), "download", &plan, &reference).await;
    }
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        let file = site.disks.file(&site.depot, &root, target).await;
        let file = file.map_err(|error| crate::problem::internal(&format!("{root}: {error}")))?;
        if file.size() != download.size {
            return Err(crate::problem::internal(&format!(
                "{root} as {format} has another size than listed"
            )));
        }
        stream(file, wanted.clone())
    };
    let mut response = Response::new(body);
    set(&mut response, CONTENT_LENGTH, &(wanted.end - wanted.start).to_string());
    set(&mut response, CONTENT_TYPE, "application/octet-stream");
    set(&mut response, ACCEPT_RANGES, "bytes");
    set(&mut response, ETAG, &etag);
    set(&mut response, HeaderName::from_static("repr-digest"), &repr_digest(&download.sha256));
    let name = format!("{}-{plan}-{}.{}", listing.offer, disk.reference, target.extension());
    set(&mut response, CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\""));
    if let Some(range) = range {
        set(
            &mut response,
            CONTENT_RANGE,
            &format!("bytes {}-{}/{}", range.start, range.end - 1, download.size),
        );
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = value.parse() {
        response.headers_mut().insert(name, value);
    }
}

/// `Repr-Digest` of RFC 9530: of the whole file, also on a part of it.
fn repr_digest(hex: &str) -> String {
    let bytes: Vec<u8> = hex
        .as_bytes()
        .chunks_exact(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// The bytes of a range, a window at a time, each made when the client has taken the one before: whoever
/// reads slowly holds no thread. A disk that cannot be read ends the body early, which clients see by its
/// length.
fn stream(file: File, range: Range<u64>) -> Body {
    let windows = futures::stream::try_unfold((file, range), |(file, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let size = (range.end - range.start).min(WINDOW_BYTES);
        let (from, reading) = (range.start, file.clone());
        let read = tokio::task::spawn_blocking(move || {
            let mut window = vec![0; usize::try_from(size).unwrap_or(0)];
            reading.read_at(from, &mut window).map(|()| Bytes::from(window))
        });
        let window = read.await.map_err(std::io::Error::other)?.map_err(std::io::Error::from)?;
        Ok::<_, std::io::Error>(Some((window, (file, range.start + size..range.end))))
    });
    Body::from_stream(windows)
}
