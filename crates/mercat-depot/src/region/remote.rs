//! A region as a registry: the push side of the distribution specification 1.1.

use super::{Copies, RegionError};
use crate::source::Credentials;
use crate::{Depot, Progress};
use futures::{StreamExt, TryStreamExt};
use mercat_domain::Digest;
use mercat_egress::Egress;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode};
use sha2::{Digest as _, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};
use url::Url;

/// Blobs under way at a time.
const CONNECTIONS: usize = 6;

struct Remote<'a> {
    egress: &'a Egress,
    base: Url,
    near: &'a str,
    credentials: &'a Credentials,
}

/// Where copies go.
pub(super) struct Place<'a> {
    /// Host and port.
    pub(super) host: &'a str,
    /// Full name of the repository.
    pub(super) repository: &'a str,
    /// A repository from which blobs may be mounted, or empty.
    pub(super) near: &'a str,
    /// How to sign in.
    pub(super) credentials: &'a Credentials,
}

pub(super) async fn copy(
    egress: &Egress,
    place: &Place<'_>,
    depot: &Depot,
    copies: &Copies,
    progress: &dyn Progress,
) -> Result<u64, RegionError> {
    let host = place.host;
    let port = if host.contains(':') { host.to_owned() } else { format!("{host}:443") };
    let base = format!("{}://{host}/v2/{}/", egress.scheme(&port), place.repository);
    let base = Url::parse(&base).map_err(|error| RegionError::Unreachable(error.to_string()))?;
    let remote = Remote { egress, base, near: place.near, credentials: place.credentials };
    let total: u64 = copies.blobs.iter().map(|(_, size)| size).sum();
    let (done, sent) = (AtomicU64::new(0), AtomicU64::new(0));
    let each = |blob: &(Digest, u64)| {
        let (remote, done, sent, (digest, size)) = (&remote, &done, &sent, blob.clone());
        async move {
            if !remote.has(&digest, size).await? {
                if remote.push_blob(depot, &digest, size).await? {
                    sent.fetch_add(size, Ordering::Relaxed);
                }
                remote.read_back(&digest, size).await?;
            }
            progress.at(done.fetch_add(size, Ordering::Relaxed) + size, total);
            Ok::<_, RegionError>(())
        }
    };
    // Disks come as many small blobs: their round trips overlap.
    futures::stream::iter(copies.blobs.iter().map(each))
        .buffer_unordered(CONNECTIONS)
        .try_collect::<()>()
        .await?;
    // An index may only be pushed after the manifests that it names.
    let mut manifests: Vec<_> = copies.manifests.iter().collect();
    manifests.sort_by_key(|(_, media_type)| media_type.contains("index") || media_type.contains("list"));
    for (digest, media_type) in manifests {
        remote.push_manifest(depot, digest.as_str(), digest, media_type).await?;
    }
    for (tag, digest) in &copies.tags {
        let media_type = copies.manifests.get(digest).map_or("", String::as_str);
        remote.push_manifest(depot, tag, digest, media_type).await?;
    }
    Ok(sent.into_inner())
}

impl Remote<'_> {
    fn broken(&self, what: impl std::fmt::Display) -> RegionError {
        RegionError::Unreachable(format!("{}: {what}", self.base.host_str().unwrap_or("")))
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.egress.http().request(method, url);
        if self.credentials.username.is_empty() {
            return request;
        }
        request.basic_auth(&self.credentials.username, Some(&self.credentials.password))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, RegionError> {
        let request = request.build().map_err(|error| self.broken(error))?;
        self.egress.send(request).await.map_err(|error| self.broken(error))
    }

    fn url(&self, path: &str) -> Result<Url, RegionError> {
        self.base.join(path).map_err(|error| self.broken(error))
    }

    /// Whether the registry says that it has a blob of that size.
    async fn has(&self, digest: &Digest, size: u64) -> Result<bool, RegionError> {
        let url = self.url(&format!("blobs/{digest}"))?;
        let answer = self.send(self.request(Method::HEAD, url)).await?;
        let length = answer.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(answer.status() == StatusCode::OK && length.is_none_or(|length: u64| length == size))
    }

    /// What arrived, hashed as it comes back.
    async fn read_back(&self, digest: &Digest, size: u64) -> Result<(), RegionError> {
        let url = self.url(&format!("blobs/{digest}"))?;
        let answer = self.send(self.request(Method::GET, url)).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.broken(format!("the blob is answered {} after it was sent", answer.status())));
        }
        let (mut hash, mut count) = (Sha256::new(), 0);
        let mut stream = answer.bytes_stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| self.broken(error.without_url()))?;
            count += chunk.len() as u64;
            hash.update(&chunk);
        }
        if count == size && Digest::from_sha256(&hash.finalize()) == *digest {
            return Ok(());
        }
        Err(RegionError::Damaged(digest.to_string()))
    }

    /// Tells whether the bytes were sent: a registry that finds them in another repository only mounts them.
    async fn push_blob(&self, depot: &Depot, digest: &Digest, size: u64) -> Result<bool, RegionError> {
        let mut url = self.url("blobs/uploads/")?;
        if !self.near.is_empty() {
            url.query_pairs_mut().append_pair("mount", digest.as_str()).append_pair("from", self.near);
        }
        let opened = self.send(self.request(Method::POST, url)).await?;
        if opened.status() == StatusCode::CREATED {
            return Ok(false);
        }
        let location = opened.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let (StatusCode::ACCEPTED, Some(location)) = (opened.status(), location) else {
            return Err(self.broken(format!("an upload is answered {}", opened.status())));
        };
        let mut target = self.base.join(location).map_err(|error| self.broken(error))?;
        target.query_pairs_mut().append_pair("digest", digest.as_str());
        let stream = depot.stream(digest, None).await?.map_err(std::io::Error::other);
        // A registry may have its uploads elsewhere; its password stays here.
        let request = match target.origin() == self.base.origin() {
            true => self.request(Method::PUT, target),
            false => self.egress.http().put(target),
        };
        let request = request
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, size)
            .body(Body::wrap_stream(stream));
        match self.send(request).await?.status() {
            StatusCode::CREATED => Ok(true),
            StatusCode::BAD_REQUEST => Err(RegionError::Damaged(digest.to_string())),
            status => Err(self.broken(format!("the blob is answered {status}"))),
        }
    }

    async fn push_manifest(
        &self,
        depot: &Depot,
        reference: &str,
        digest: &Digest,
        media_type: &str,
    ) -> Result<(), RegionError> {
        let bytes = depot.get(digest).await?;
        let url = self.url(&format!("manifests/{reference}"))?;
        let request = self.request(Method::PUT, url).header(CONTENT_TYPE, media_type).body(bytes);
        match self.send(request).await?.status() {
            StatusCode::CREATED => Ok(()),
            status => Err(self.broken(format!("manifest {reference} is answered {status}"))),
        }
    }
}
