//! Image archives: an OCI layout in a tar file, or what `docker save` writes.
//!
//! The file is walked by the strict tar reader. Members are found by their place in
//! the file and read from there; nothing is unpacked.

use super::layout::REF_NAME;
use super::{Found, SourceError, Stream};
use bytes::Bytes;
use futures::StreamExt;
use mercat_artifact::layer::HashingReader;
use mercat_artifact::layer::tar::{Kind, TarReader};
use mercat_artifact::oci::{self, Manifest};
use mercat_artifact::{ReadError, json};
use mercat_domain::Digest;
use mercat_domain::limits::{CONFIG_BYTES_MAX, MANIFEST_BYTES_MAX};
use mercat_domain::plain::plain;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

/// Annotation with the whole name of an image, as containerd writes it.
const IMAGE_NAME: &str = "io.containerd.image.name";
/// Indexes inside of indexes.
const INDEX_DEPTH_MAX: usize = 4;
/// Bytes of all documents of one archive.
const DOCUMENTS_BYTES_MAX: usize = 128 << 20;

#[derive(Debug, Clone)]
struct Member {
    offset: u64,
    size: u64,
    digest: Digest,
    /// What it is as a layer, by its first bytes: the list of `docker save` does not say.
    layer: &'static str,
}

pub(crate) struct Archive {
    path: PathBuf,
    members: BTreeMap<Digest, Member>,
    /// Manifests by reference; those of Docker archives are made here.
    manifests: BTreeMap<String, Bytes>,
}

struct Directory {
    files: BTreeMap<String, Member>,
    links: BTreeMap<String, String>,
    small: BTreeMap<String, Vec<u8>>,
}

impl Archive {
    pub(crate) async fn open(path: &Path, docker: bool) -> Result<Self, SourceError> {
        let owned = path.to_owned();
        let read = tokio::task::spawn_blocking(move || read_directory(&owned)).await;
        let directory = read.map_err(|_| SourceError::Refused {
            code: "TAR-18",
            what: "the archive could not be read".to_owned(),
        })??;
        let mut archive =
            Self { path: path.to_owned(), members: BTreeMap::new(), manifests: BTreeMap::new() };
        for member in directory.files.values() {
            archive.members.insert(member.digest.clone(), member.clone());
        }
        directory.agree(docker)?;
        if docker {
            archive.docker(&directory)?
        } else {
            archive.oci(&directory)?
        }
        if archive.manifests.is_empty() {
            let list = if docker { "manifest.json" } else { "index.json" };
            return Err(SourceError::Refused { code: "CTR-13", what: format!("{list} lists no image") });
        }
        Ok(archive)
    }

    fn oci(&mut self, directory: &Directory) -> Result<(), SourceError> {
        let index =
            directory.list("index.json", "manifest.json", "it is one of docker save: say docker-archive:")?;
        let (Manifest::Index(entries), _) = oci::parse_manifest(index, Some(oci::OCI_INDEX))? else {
            return Err(SourceError::Refused { code: "MAN-04", what: "index.json is no index".to_owned() });
        };
        let named = entries.iter().filter_map(|entry| Some((entry.annotation(REF_NAME)?, &entry.digest)));
        super::unambiguous(named)?;
        for entry in entries {
            let name = entry.annotation(REF_NAME).unwrap_or(entry.digest.as_str()).to_owned();
            let file = directory.small.get(&format!("blobs/sha256/{}", entry.digest.hex()));
            let bytes = file.ok_or_else(|| missing(entry.digest.as_str()))?;
            self.manifests.insert(name, Bytes::from(bytes.clone()));
        }
        Ok(())
    }

    fn docker(&mut self, directory: &Directory) -> Result<(), SourceError> {
        let text =
            directory.list("manifest.json", "index.json", "it holds an OCI layout: say oci-archive:")?;
        let list = json::parse(text)?;
        let mut tagged: Vec<(String, Bytes)> = Vec::new();
        let bad =
            |what: &str| SourceError::Refused { code: "MAN-05", what: format!("manifest.json: {what}") };
        for image in list.as_array().ok_or_else(|| bad("not a list"))? {
            let config = image.get("Config").and_then(Value::as_str).ok_or_else(|| bad("no Config"))?;
            let config = directory.find(config)?;
            let layers = image.get("Layers").and_then(Value::as_array).ok_or_else(|| bad("no Layers"))?;
            let layers: Vec<&Member> = layers
                .iter()
                .map(|name| directory.find(name.as_str().unwrap_or("")))
                .collect::<Result<_, _>>()?;
            let descriptor = |member: &Member, media_type: &str| json!({"mediaType": media_type, "digest": member.digest.as_str(), "size": member.size});
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": oci::OCI_MANIFEST,
                "config": descriptor(config, oci::OCI_CONFIG),
                "layers": layers.iter().map(|layer| descriptor(layer, layer.layer)).collect::<Vec<_>>(),
            });
            let bytes = Bytes::from(serde_json::to_vec(&manifest).expect("plain data"));
            let tags = image.get("RepoTags").and_then(Value::as_array).cloned().unwrap_or_default();
            let tags: Vec<&str> =
                tags.iter().filter_map(Value::as_str).filter(|tag| tag.contains(':')).collect();
            if tags.is_empty() {
                let digest = Digest::from_sha256(&Sha256::digest(&bytes));
                self.manifests.insert(digest.to_string(), bytes.clone());
            }
            tagged.extend(tags.into_iter().map(|tag| (tag.to_owned(), bytes.clone())));
        }
        // Where two images have a tag in two repositories, the tag alone names neither.
        let mut images: BTreeMap<String, BTreeSet<&Bytes>> = BTreeMap::new();
        for (whole, bytes) in &tagged {
            images.entry(tag_of(whole).to_owned()).or_default().insert(bytes);
        }
        for (whole, bytes) in &tagged {
            let is_shared = images.get(tag_of(whole)).is_some_and(|of| of.len() > 1);
            let name = if is_shared { whole } else { tag_of(whole) };
            if self.manifests.get(name).is_some_and(|other| other != bytes) {
                return Err(super::ambiguous(name));
            }
            self.manifests.insert(name.to_owned(), bytes.clone());
        }
        Ok(())
    }

    pub(crate) fn references(&self) -> Vec<String> {
        self.manifests.keys().cloned().collect()
    }

    pub(crate) async fn manifest(&self, reference: &str) -> Result<Found, SourceError> {
        if let Some(bytes) = self.manifests.get(reference) {
            return Ok(Found { bytes: bytes.clone(), media_type: None });
        }
        let digest = Digest::parse(reference).ok_or_else(|| missing(reference))?;
        let size = self.members.get(&digest).map_or(0, |member| member.size);
        if size > MANIFEST_BYTES_MAX {
            return Err(SourceError::Refused { code: "MAN-01", what: format!("{digest} is too large") });
        }
        let mut stream = self.blob(&digest).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| self.unreadable(&error.to_string()))?;
            bytes.extend_from_slice(&chunk);
        }
        Ok(Found { bytes: bytes.into(), media_type: None })
    }

    pub(crate) async fn blob(&self, digest: &Digest) -> Result<Stream, SourceError> {
        let member = self.members.get(digest).ok_or_else(|| missing(digest.as_str()))?;
        let mut file =
            tokio::fs::File::open(&self.path).await.map_err(|e| self.unreadable(&e.to_string()))?;
        file.seek(SeekFrom::Start(member.offset)).await.map_err(|e| self.unreadable(&e.to_string()))?;
        let part = file.take(member.size);
        Ok(ReaderStream::with_capacity(part, 256 << 10).map(|chunk| chunk.map_err(Into::into)).boxed())
    }

    fn unreadable(&self, why: &str) -> SourceError {
        SourceError::Unreachable { host: self.path.display().to_string(), why: why.to_owned() }
    }
}

impl Directory {
    /// The list of images of one kind of archive; where it is absent and another kind has its own, the hint says what to do.
    fn list(&self, name: &str, other: &str, hint: &str) -> Result<&Vec<u8>, SourceError> {
        self.small.get(name).ok_or_else(|| match self.small.contains_key(other) {
            true => SourceError::NotFound(format!("{name} in the archive ({hint})")),
            false => missing(name),
        })
    }

    /// Refuses an archive whose two lists have different images: which of them is read, tools decide each in its own way.
    /// `docker` says that `manifest.json` is, `index.json` otherwise. The other may list less: platforms that are not of the
    /// machine, and what has no name.
    fn agree(&self, docker: bool) -> Result<(), SourceError> {
        let refused = |what: String| Err(SourceError::Refused { code: "MAN-05", what });
        for name in ["index.json", "manifest.json"] {
            let is_there = self.links.contains_key(name) || self.files.contains_key(name);
            if is_there && !self.small.contains_key(name) {
                return refused(format!("{name} is no plain document"));
            }
        }
        let (Some(index), Some(list)) = (self.small.get("index.json"), self.small.get("manifest.json"))
        else {
            return Ok(());
        };
        // Docker 25 writes one that lists nothing where no image has a tag.
        let entries = match oci::parse_manifest(index, Some(oci::OCI_INDEX)) {
            Ok((Manifest::Index(entries), _)) => entries,
            _ => Vec::new(),
        };
        let (mut reached, mut left) = (Vec::new(), DOCUMENTS_BYTES_MAX);
        for entry in &entries {
            let mut configs = BTreeSet::new();
            self.reach(&entry.digest, 0, &mut left, &mut configs)?;
            reached.push((entry.annotation(IMAGE_NAME), entry.annotation(REF_NAME), configs));
        }
        let mut listed = BTreeSet::new();
        for image in json::parse(list)?.as_array().into_iter().flatten() {
            let config = &self.find(image.get("Config").and_then(Value::as_str).unwrap_or_default())?.digest;
            let is_reached = reached.iter().any(|(.., configs)| configs.contains(config));
            let tags = image.get("RepoTags").and_then(Value::as_array).into_iter().flatten();
            let tags: Vec<&str> = tags.filter_map(Value::as_str).collect();
            if !is_reached && (!docker || !tags.is_empty()) {
                return refused(format!("manifest.json lists the image {config}, index.json does not"));
            }
            for tag in tags {
                let is_named = |(whole, short, _): &&(Option<&str>, Option<&str>, _)| match (whole, short) {
                    (Some(whole), _) => of_docker(whole) == of_docker(tag),
                    (None, Some(short)) => tag_of(short) == tag_of(tag),
                    (None, None) => false,
                };
                let mut named = reached.iter().filter(is_named).peekable();
                if named.peek().is_some() && !named.any(|(.., configs)| configs.contains(config)) {
                    let tag = plain(tag);
                    return refused(format!("manifest.json has another image as {tag} than index.json"));
                }
            }
            listed.insert(config.clone());
        }
        for (whole, short, configs) in &reached {
            if let Some(name) = whole.or(*short).filter(|_| docker && !configs.is_empty())
                && configs.is_disjoint(&listed)
            {
                let name = plain(name);
                return refused(format!("index.json lists the image {name}, manifest.json does not"));
            }
        }
        Ok(())
    }

    /// The configs of the images below a manifest, as far as the archive holds them; `left` is how many bytes of
    /// documents may be read for it.
    fn reach(
        &self,
        digest: &Digest,
        depth: usize,
        left: &mut usize,
        configs: &mut BTreeSet<Digest>,
    ) -> Result<(), SourceError> {
        let path = format!("blobs/sha256/{}", digest.hex());
        let is_it = self.files.get(&path).is_some_and(|member| member.digest == *digest);
        let Some(bytes) = self.small.get(&path).filter(|_| is_it) else { return Ok(()) };
        let over = || {
            let what = "indexes that name the same images over and over".to_owned();
            SourceError::Refused { code: "MAN-01", what }
        };
        *left = left.checked_sub(bytes.len()).filter(|_| depth <= INDEX_DEPTH_MAX).ok_or_else(over)?;
        match oci::parse_manifest(bytes, None) {
            Ok((Manifest::Index(entries), _)) => {
                entries.iter().try_for_each(|entry| self.reach(&entry.digest, depth + 1, left, configs))?;
            }
            Ok((Manifest::Image { config, .. }, _)) => {
                configs.insert(config.digest);
            }
            // Whoever reads it says what is wrong with it.
            Err(_) => {}
        }
        Ok(())
    }

    /// A member by name; links inside the archive are followed a few times, never outside.
    fn find(&self, name: &str) -> Result<&Member, SourceError> {
        let mut name = name.to_owned();
        for _ in 0..8 {
            if let Some(member) = self.files.get(&name) {
                return Ok(member);
            }
            let Some(target) = self.links.get(&name) else { break };
            let mut parts: Vec<&str> = name.split('/').collect();
            parts.pop();
            for part in target.split('/') {
                match part {
                    "" | "." => {}
                    ".." => {
                        parts.pop();
                    }
                    part => parts.push(part),
                }
            }
            name = parts.join("/");
        }
        Err(missing(&name))
    }
}

/// A name of an image without what Docker puts in front of it.
fn of_docker(name: &str) -> &str {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

/// The tag of a name of an image, or the name where it is a tag alone.
fn tag_of(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, tag)| tag)
}

fn missing(what: &str) -> SourceError {
    SourceError::NotFound(format!("{what} in the archive"))
}

/// Counts where the tar reader stands, so that members can be found again.
struct Places<R> {
    inner: R,
    at: std::rc::Rc<std::cell::Cell<u64>>,
}

impl<R: Read> Read for Places<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.at.set(self.at.get() + count as u64);
        Ok(count)
    }
}

fn read_directory(path: &Path) -> Result<Directory, SourceError> {
    let mut file = std::fs::File::open(path).map_err(|error| super::layout::file_error(path, &error))?;
    let mut magic = [0; 6];
    let count = file.read(&mut magic).map_err(ReadError::from)?;
    const COMPRESSED: [&[u8]; 4] = [b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
    if COMPRESSED.iter().any(|begin| magic[..count].starts_with(begin)) {
        return Err(SourceError::Compressed(path.display().to_string()));
    }
    file.seek(SeekFrom::Start(0)).map_err(ReadError::from)?;
    let at = std::rc::Rc::new(std::cell::Cell::new(0));
    let mut tar = TarReader::new(Places { inner: file, at: at.clone() }, 100_000);
    let mut documents = 0;
    let mut out = Directory { files: BTreeMap::new(), links: BTreeMap::new(), small: BTreeMap::new() };
    while let Some(entry) = tar.next_entry()? {
        match entry.kind {
            Kind::Symlink | Kind::HardLink => {
                let depth = entry.path.split('/').count() - 1;
                let target = match entry.kind {
                    Kind::HardLink => format!("{}{}", "../".repeat(depth), entry.link),
                    _ => entry.link,
                };
                let is_other = out.links.get(&entry.path).is_some_and(|other| *other != target);
                if is_other || out.files.contains_key(&entry.path) {
                    return Err(twice(&entry.path));
                }
                out.links.insert(entry.path, target);
            }
            Kind::File => {
                let offset = at.get();
                let mut keep = entry.size <= MANIFEST_BYTES_MAX.max(CONFIG_BYTES_MAX);
                let mut small = Vec::new();
                let mut hashing = HashingReader::new(Body(&mut tar));
                let mut chunk = vec![0; 128 << 10];
                let mut layer = oci::OCI_LAYER;
                let mut is_first = true;
                loop {
                    let count = hashing.read(&mut chunk).map_err(ReadError::from)?;
                    if count == 0 {
                        break;
                    }
                    if std::mem::take(&mut is_first) {
                        layer = layer_of(&chunk[..count]);
                    }
                    // Layers are no documents, whatever their size.
                    keep &= !small.is_empty() || may_be_document(&chunk[..count]);
                    if keep {
                        small.extend_from_slice(&chunk[..count]);
                    }
                }
                let digest = hashing.finish().digest;
                if out.files.get(&entry.path).is_some_and(|other| other.digest != digest)
                    || out.links.contains_key(&entry.path)
                {
                    return Err(twice(&entry.path));
                }
                documents += small.len();
                if documents > DOCUMENTS_BYTES_MAX {
                    let what = format!("documents of more than {DOCUMENTS_BYTES_MAX} bytes in one archive");
                    return Err(SourceError::Refused { code: "MAN-01", what });
                }
                if keep {
                    out.small.insert(entry.path.clone(), small);
                }
                out.files.insert(entry.path, Member { offset, size: entry.size, digest, layer });
            }
            Kind::Directory | Kind::Device | Kind::Fifo => {}
        }
    }
    Ok(out)
}

/// The media type of a layer by its first bytes. No tar begins like a compressed one: its first name would.
fn layer_of(head: &[u8]) -> &'static str {
    match head {
        [0x1f, 0x8b, 8, ..] => oci::OCI_LAYER_GZIP,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => oci::OCI_LAYER_ZSTD,
        _ => oci::OCI_LAYER,
    }
}

/// Which of the two is read, tools decide each in its own way.
fn twice(path: &str) -> SourceError {
    let what = format!("{} is in the archive twice", plain(path));
    SourceError::Refused { code: "TAR-28", what }
}

/// Whether bytes are the beginning of JSON, or may still come to it.
fn may_be_document(head: &[u8]) -> bool {
    head.trim_ascii_start().first().is_none_or(|byte| b"{[".contains(byte))
}

struct Body<'t, R>(&'t mut TarReader<R>);

impl<R: Read> Read for Body<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        Ok(self.0.read_body(buffer)?)
    }
}
