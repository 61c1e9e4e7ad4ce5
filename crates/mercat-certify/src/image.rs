//! From the root manifest to the verdict.

mod checks;
mod compose;
mod start;

use crate::facts::{LayerFacts, Note, facts_key, scan_layer};
use crate::vulnerabilities::{self, Statements};
use crate::{Blobs, Knowledge, Specimen, Verdict};
use mercat_artifact::ReadError;
use mercat_artifact::layer::HashingReader;
use mercat_artifact::oci::{self, Compression, Config, Descriptor, Manifest};
use mercat_domain::finding::{Finding, Place, Severity};
use mercat_domain::limits::{CONFIG_BYTES_MAX, INDEX_DEPTH_MAX, MANIFEST_BYTES_MAX};
use mercat_domain::{Digest, finding};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Facts of layers from earlier runs, and a place for new ones.
pub trait Reused: Sync {
    /// Facts kept under a key.
    fn find(&self, key: &str) -> Option<LayerFacts>;
    /// Keeps facts.
    fn keep(&self, key: &str, facts: &LayerFacts);
    /// Tells how many packed bytes are done, of how many.
    fn progress(&self, done: u64, total: u64);
}

/// One image of the specimen.
pub(crate) struct Image {
    pub(crate) manifest: Digest,
    pub(crate) platform: String,
    pub(crate) attestation: bool,
    pub(crate) config: Config,
    pub(crate) layers: Vec<Layer>,
}

pub(crate) struct Layer {
    pub(crate) descriptor: Descriptor,
    pub(crate) compression: Option<Compression>,
}

struct Reader<'a> {
    specimen: &'a Specimen<'a>,
    knowledge: &'a Knowledge,
    findings: Vec<Finding>,
    images: Vec<Image>,
    seen: BTreeSet<(Digest, bool)>,
    /// The image that an attestation is about, by the attestation.
    about: BTreeMap<Digest, String>,
}

impl<'a> Reader<'a> {
    fn new(specimen: &'a Specimen<'a>, knowledge: &'a Knowledge) -> Self {
        Self {
            specimen,
            knowledge,
            findings: Vec::new(),
            images: Vec::new(),
            seen: BTreeSet::new(),
            about: BTreeMap::new(),
        }
    }
}

/// Inspects an image or index with everything below it.
///
/// # Errors
/// When bytes could not be had; what is wrong with them is in the verdict.
pub fn inspect(specimen: &Specimen<'_>, knowledge: &Knowledge, reused: &dyn Reused) -> io::Result<Verdict> {
    let mut reader = Reader::new(specimen, knowledge);
    let size = specimen.blobs.size(&specimen.root)?;
    reader.document(&specimen.root.clone(), size, None, None, false, 0)?;
    if reader.images.iter().all(|image| image.attestation) && reader.findings.is_empty() {
        let fix = "push at least one image below the index";
        reader.add("CTR-13", "", "no image below the manifest".into(), "an image", fix);
    }
    let Reader { mut findings, images, about, .. } = reader;
    let facts = read_layers(specimen.blobs, knowledge, &images, reused)?;
    let mut reports = Vec::new();
    let mut sboms = Vec::new();
    let mut statements = Statements::default();
    for image in &images {
        let of_image =
            |other: &&Image| about.get(&other.manifest).is_some_and(|a| a == image.manifest.as_str());
        let claims =
            images.iter().filter(of_image).flat_map(|other| compose::claims(other, &facts, knowledge));
        let composed = compose::compose(image, claims.collect(), &facts, knowledge);
        findings.extend(composed.findings);
        statements.extend(composed.statements);
        reports.push(composed.report);
        sboms.extend(composed.sboms);
    }
    findings.extend(vulnerabilities::unmatched(&statements, knowledge));
    let unknown = checks::unknown(&findings);
    let mut findings: Vec<Finding> = findings.into_iter().filter_map(|f| knowledge.policy.weigh(f)).collect();
    findings.sort();
    findings.dedup();
    sboms.sort();
    sboms.dedup();
    Ok(Verdict {
        images: reports.clone(),
        checks: checks::of((&images, &facts), &reports, (&findings, &unknown), knowledge),
        findings,
        sboms,
        ..Verdict::blank(specimen.root.to_string(), knowledge)
    })
}

/// The verdict over a source in which no image was found, because what lists its images is damaged. It has no subject.
/// `code` and `what` are those of the refusal.
pub fn refused_source(code: &str, what: String, knowledge: &Knowledge) -> Verdict {
    let finding = Finding {
        rule: code.to_owned(),
        severity: Severity::Error,
        place: Place::default(),
        observed: what,
        required: "a document by the OCI image specification".to_owned(),
        fix: fix_of_source(code).to_owned(),
    };
    // Whatever a policy says of its rule, there is nothing to pass.
    Verdict { findings: vec![finding], ..Verdict::blank(String::new(), knowledge) }
}

/// What to do about a source that is refused with this code.
pub fn fix_of_source(code: &str) -> &'static str {
    match code {
        "MAN-05" | "TAR-28" => "save the images again, each once and into a place of its own",
        _ => "rebuild and push the image",
    }
}

/// The keys of the facts that inspecting this specimen would use, each with its blob: what can be looked up beforehand.
///
/// # Errors
/// As [`inspect`].
pub fn facts_keys(specimen: &Specimen<'_>, knowledge: &Knowledge) -> io::Result<BTreeMap<String, Digest>> {
    let mut reader = Reader::new(specimen, knowledge);
    let size = specimen.blobs.size(&specimen.root)?;
    reader.document(&specimen.root.clone(), size, None, None, false, 0)?;
    let engines = knowledge.engine_digest();
    let layers = reader.images.iter().flat_map(|image| &image.layers);
    let key = |layer: &Layer| {
        let blob = layer.descriptor.digest.clone();
        (facts_key(&blob, layer.compression, &engines), blob)
    };
    Ok(layers.map(key).collect())
}

impl Reader<'_> {
    fn report(&mut self, platform: &str, error: &ReadError) {
        let (rule, observed) = match error {
            // A place says nothing of a document that is read whole.
            ReadError::Refused { code, what, offset: 0 } => (*code, what.clone()),
            ReadError::Refused { code, what, offset } => (*code, format!("{what}, at byte {offset}")),
            ReadError::Io(_) => ("INC-02", error.to_string()),
        };
        self.add(
            rule,
            platform,
            observed,
            "a document by the OCI image specification",
            "rebuild and push the image",
        );
    }

    fn add(&mut self, rule: &str, platform: &str, observed: String, required: &str, fix: &str) {
        self.findings.push(finding::Finding {
            rule: rule.to_owned(),
            severity: Severity::Error,
            place: Place { platform: platform.to_owned(), ..Place::default() },
            observed,
            required: required.to_owned(),
            fix: fix.to_owned(),
        });
    }

    /// Reads a small blob and checks its digest and size.
    fn small(&mut self, digest: &Digest, size: u64, max: u64, platform: &str) -> io::Result<Option<Vec<u8>>> {
        let what = "the bytes named by the digest and size of the descriptor";
        let fix = "push the image again";
        let stored = match self.specimen.blobs.size(digest) {
            Ok(stored) => stored,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.add("CTR-13", platform, format!("{digest} is missing"), what, fix);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if stored != size || stored > max {
            self.add(
                "CTR-13",
                platform,
                format!("{digest} has {stored} bytes, described as {size}"),
                what,
                fix,
            );
            return Ok(None);
        }
        let mut reader = HashingReader::new(self.specimen.blobs.open(digest)?);
        let mut bytes = Vec::new();
        reader.by_ref().take(max).read_to_end(&mut bytes)?;
        let found = reader.finish().digest;
        if found != *digest {
            self.add("CTR-13", platform, format!("{digest} holds the bytes of {found}"), what, fix);
            return Ok(None);
        }
        Ok(Some(bytes))
    }

    fn document(
        &mut self,
        digest: &Digest,
        size: u64,
        declared: Option<&str>,
        platform: Option<&str>,
        attestation: bool,
        depth: usize,
    ) -> io::Result<()> {
        let shown = platform.unwrap_or_default().to_owned();
        if depth > INDEX_DEPTH_MAX {
            let observed = format!("indexes nested deeper than {INDEX_DEPTH_MAX}");
            self.add("CTR-29", &shown, observed, "a flat index", "list the images in one index");
            return Ok(());
        }
        if !self.seen.insert((digest.clone(), attestation)) {
            return Ok(());
        }
        let Some(bytes) = self.small(digest, size, MANIFEST_BYTES_MAX, &shown)? else { return Ok(()) };
        let mut hits = BTreeSet::new();
        self.knowledge.secrets.scan(&bytes, |secret| {
            hits.insert(secret.told());
        });
        for observed in hits {
            let fix = "revoke the credential and leave it out of the annotations";
            self.add("CTR-21", &shown, observed, "no credentials in manifests", fix);
        }
        // What is no JSON is refused below.
        let texts =
            mercat_artifact::json::parse(&bytes).map(|document| mercat_artifact::json::texts(&document));
        let texts = texts.unwrap_or_default().join("\n");
        for Note { rule, observed, required, fix, .. } in self.knowledge.malware("manifest", texts.as_bytes())
        {
            self.add(&rule, &shown, observed, &required, &fix);
        }
        match oci::parse_manifest(&bytes, declared) {
            Err(error) => self.report(&shown, &error),
            Ok((Manifest::Index(entries), _)) => {
                for entry in entries {
                    let attestation = entry.claims_attestation();
                    let about = entry.annotation("vnd.docker.reference.digest").filter(|_| attestation);
                    if let Some(about) = about {
                        self.about.insert(entry.digest.clone(), about.to_owned());
                    }
                    let platform = entry.platform.as_deref();
                    let media_type = Some(entry.media_type.as_str());
                    self.document(&entry.digest, entry.size, media_type, platform, attestation, depth + 1)?;
                }
            }
            Ok((Manifest::Image { config, layers }, _)) => {
                let attestation = attestation && oci::holds_documents(&layers);
                self.image(digest, platform, attestation, &config, layers)?;
            }
        }
        Ok(())
    }

    fn image(
        &mut self,
        digest: &Digest,
        platform: Option<&str>,
        attestation: bool,
        config: &Descriptor,
        layers: Vec<Descriptor>,
    ) -> io::Result<()> {
        let shown = platform.unwrap_or_default().to_owned();
        let Some(bytes) = self.small(&config.digest, config.size, CONFIG_BYTES_MAX, &shown)? else {
            return Ok(());
        };
        let parsed = match oci::parse_config(&bytes) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.report(&shown, &error);
                return Ok(());
            }
        };
        if !attestation && ![oci::OCI_CONFIG, oci::DOCKER_CONFIG].contains(&config.media_type.as_str()) {
            let observed = format!("a config of the media type {:?}", config.media_type);
            self.add("CTR-13", &shown, observed, oci::OCI_CONFIG, "push an OCI or Docker image");
        }
        if let Some(platform) = platform.filter(|platform| !attestation && **platform != parsed.platform) {
            let same = platform.split('/').take(2).eq(parsed.platform.split('/').take(2));
            if !same {
                let observed = format!("the index says {platform}, the config {}", parsed.platform);
                self.add("CTR-13", platform, observed, "the same platform in both", "rebuild the index");
            }
        }
        if !attestation && parsed.diff_ids.len() != layers.len() {
            let observed = format!("{} layers and {} diff_ids", layers.len(), parsed.diff_ids.len());
            self.add("CTR-13", &shown, observed, "one diff_id a layer", "rebuild the image");
        }
        let total: u64 = layers.iter().map(|layer| layer.size).fold(0, u64::saturating_add);
        let max = self.knowledge.policy.limits.image_packed_bytes;
        if total > max {
            self.add(
                "CTR-29",
                &shown,
                format!("{total} bytes"),
                &format!("at most {max} bytes"),
                "make it smaller",
            );
            return Ok(());
        }
        let mut kept = Vec::new();
        for descriptor in layers {
            let compression = match oci::compression(&descriptor.media_type) {
                Ok(compression) => Some(compression),
                // Attestations and artifacts hold documents; they are scanned as plain bytes.
                Err(_) if attestation => None,
                Err(_) if descriptor.media_type.contains("encrypted") => {
                    let observed = format!("the layer {} is encrypted", descriptor.digest);
                    let fix = "publish the layer unencrypted: nobody can look into this one";
                    self.add("INC-22", &shown, observed, "layers that can be read", fix);
                    continue;
                }
                Err(error) => {
                    self.add(
                        "CTR-13",
                        &shown,
                        format!("{} in layer {}", error, descriptor.digest),
                        "layers as tar, tar+gzip or tar+zstd in the image's own repository",
                        "rebuild the image with ordinary layers",
                    );
                    continue;
                }
            };
            kept.push(Layer { descriptor, compression });
        }
        let platform = if attestation { shown } else { parsed.platform.clone() };
        self.images.push(Image {
            manifest: digest.clone(),
            platform,
            attestation,
            config: parsed,
            layers: kept,
        });
        Ok(())
    }
}

/// Facts of every layer, read in parallel; `None` for a layer whose blob is missing.
type Facts = BTreeMap<String, Option<LayerFacts>>;

fn read_layers(
    blobs: &dyn Blobs,
    knowledge: &Knowledge,
    images: &[Image],
    reused: &dyn Reused,
) -> io::Result<Facts> {
    let engines = knowledge.engine_digest();
    let mut wanted: BTreeMap<String, &Layer> = BTreeMap::new();
    for layer in images.iter().flat_map(|image| &image.layers) {
        wanted.insert(facts_key(&layer.descriptor.digest, layer.compression, &engines), layer);
    }
    let total = wanted.values().map(|layer| layer.descriptor.size).sum();
    let mut work: Vec<(String, &Layer)> = wanted.into_iter().collect();
    // The largest first, so that the last thread does not begin it when the others are done.
    work.sort_by_key(|(key, layer)| (std::cmp::Reverse(layer.descriptor.size), key.clone()));
    let next = AtomicUsize::new(0);
    let done = AtomicU64::new(0);
    let out: Mutex<Facts> = Mutex::default();
    let failed: Mutex<Option<io::Error>> = Mutex::default();
    let one = || {
        let _member = knowledge.crew.join();
        while let Some((key, layer)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            match read_layer(blobs, knowledge, key, layer, reused, &done, total) {
                Ok(facts) => {
                    out.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(key.clone(), facts);
                }
                Err(error) => {
                    *failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
                    return;
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(work.len()).max(1);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(one);
        }
        one();
    });
    match failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(out.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)),
    }
}

fn read_layer(
    blobs: &dyn Blobs,
    knowledge: &Knowledge,
    key: &str,
    layer: &Layer,
    reused: &dyn Reused,
    done: &AtomicU64,
    total: u64,
) -> io::Result<Option<LayerFacts>> {
    let size = layer.descriptor.size;
    if let Some(facts) = reused.find(key) {
        reused.progress(done.fetch_add(size, Ordering::Relaxed) + size, total);
        return Ok(Some(facts));
    }
    let blob = match blobs.open(&layer.descriptor.digest) {
        Ok(blob) => blob,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut counted = Counted { inner: blob, done, total, reused, unreported: 0 };
    let mut facts = scan_layer(&mut counted, layer.compression, knowledge)?;
    if facts.refused {
        // A damaged copy is refused for whatever its bytes come to; what is wrong with it is that it is damaged.
        let mut blob = HashingReader::new(blobs.open(&layer.descriptor.digest)?);
        io::copy(&mut blob, &mut io::sink())?;
        facts.is_of(&blob.finish(), &layer.descriptor);
    }
    // A layer that ended early, or in which a scanner failed, is read again next time; what its bytes alone leave
    // open, a damaged archive for example, stays what it is.
    let failed = |note: &Note| ["INC-01", "INC-02", "INC-20"].contains(&note.rule.as_str());
    if facts.blob == layer.descriptor.digest.as_str() && !facts.notes.iter().any(failed) {
        reused.keep(key, &facts);
    }
    Ok(Some(facts))
}

struct Counted<'a> {
    inner: Box<dyn Read + Send>,
    done: &'a AtomicU64,
    total: u64,
    reused: &'a dyn Reused,
    unreported: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.unreported += count as u64;
        if self.unreported > 4 << 20 || count == 0 {
            let done = self.done.fetch_add(self.unreported, Ordering::Relaxed) + self.unreported;
            self.unreported = 0;
            self.reused.progress(done, self.total);
        }
        Ok(count)
    }
}
