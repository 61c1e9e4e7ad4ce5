//! `mercat certify`: the server's inspection, on this machine, without a server.

mod cache;
mod disk;
mod output;
pub(crate) mod sbom;

use crate::cli::{CertifyArgs, RegistryArgs};
use crate::config::Config;
use crate::{EXIT_FINDINGS, EXIT_OURS, EXIT_USAGE, wiring};
use anyhow::{Context, bail};
use cache::Cache;
use indicatif::{ProgressBar, ProgressStyle};
use mercat_artifact::oci::reference::{self, Selector, Source};
use mercat_certify::advisories::{Advisories, vex};
use mercat_certify::{Policy, Verdict};
use mercat_depot::{Credentials, Depot, Imported, Progress, SourceError, import, selected};
use mercat_domain::plain::plain;
use mercat_domain::{Digest, Outcome};
use mercat_egress::Egress;
use mercat_worker::{Inspection, Inspector};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Bar(ProgressBar);

impl Progress for Bar {
    fn at(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }
}

pub(crate) fn bar(what: &str) -> anyhow::Result<ProgressBar> {
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes} {eta}")?);
    bar.set_message(what.to_owned());
    Ok(bar)
}

#[expect(clippy::print_stderr, reason = "said to the person at the keyboard")]
pub(crate) async fn run(data: &Path, args: &CertifyArgs) -> anyhow::Result<u8> {
    // Whoever names a directory has a policy, rules or advisories there.
    if !data.is_dir() && data != crate::config::default_data() {
        let without = "it is judged by the built-in policy, without advisories and rules of your own";
        eprintln!("mercat: --data {}: no such directory; {without}", data.display());
    }
    if let Some(why) = args.disk_format.and(of_images(&args.image)) {
        return Ok(usage(&why));
    }
    let declared = disk::declared(&args.image, args.disk_format);
    if let Some(why) = of_registries(&args.image, declared.is_some(), &args.registry) {
        return Ok(usage(&why));
    }
    if let Some(declared) = declared {
        return disk::run(data, args, declared).await;
    }
    if let Some(why) = local(&args.image).or_else(|| of_others(args)).or_else(|| missing(args)) {
        return Ok(usage(&why));
    }
    let (place, selector) = match reference::parse(&args.image) {
        Ok(parsed) => parsed,
        Err(error) => return Ok(usage(&error.to_string())),
    };
    let inspector = inspector(data, args)?;
    let cache = args.cache.as_deref().map(Cache::open).transpose()?;
    let temporary = crate::scratch::Scratch::new("certify")?;
    let found = match copy(&place, &selector, &args.registry, temporary.path()).await {
        Ok(found) => found,
        Err(error) => {
            // What is wrong with what the publisher gave is a verdict as any other.
            if let (SourceError::Refused { code, what }, Ok(knowledge)) =
                (&error, inspector.knowledge().await)
            {
                let verdict = mercat_certify::refused_source(code, what.clone(), &knowledge);
                output::write(args, &[(args.image.clone(), verdict.to_json())])?;
                hint(&args.image, &error);
                return Ok(EXIT_FINDINGS);
            }
            return refused(&args.image, &error);
        }
    };
    let mut documents = Vec::new();
    let mut worst = Outcome::Pass;
    for (name, image) in &found.images {
        let inspection =
            cache::inspect(&inspector, (&found, image), cache.as_ref(), args.sbom.is_some()).await?;
        let outcome = Verdict::outcome_of(&inspection.verdict).context("the verdict cannot be read")?;
        worst = match (worst, outcome) {
            (Outcome::Findings, _) | (_, Outcome::Findings) => Outcome::Findings,
            (Outcome::Inconclusive, _) | (_, Outcome::Inconclusive) => Outcome::Inconclusive,
            _ => Outcome::Pass,
        };
        write_sboms(args.sbom.as_deref(), &inspection)?;
        let name = match found.images.len() {
            1 => args.image.clone(),
            _ => format!("{} {name}", args.image),
        };
        documents.push((name, inspection.verdict));
    }
    output::write(args, &documents)?;
    Ok(exit_code(worst))
}

/// Why a name that is one of a file or directory here is no reference.
fn local(image: &str) -> Option<String> {
    let path = Path::new(image);
    if path.is_dir() {
        return Some(match path.join("index.json").is_file() {
            true => format!("{image} is a directory; of an OCI layout say oci:{image}"),
            false => format!(
                "{image} is a directory without index.json, so no OCI layout; make one, for example by skopeo copy dir:{image} oci:LAYOUT:TAG"
            ),
        });
    }
    let archives = format!("of an archive of images oci-archive:{image} or docker-archive:{image}");
    if path.is_file() {
        return Some(format!("{image} is a file; of a disk say its --disk-format, {archives}"));
    }
    if path.exists() {
        return Some(format!("{image} is no regular file"));
    }
    let is_path = ["/", "./", "../", "~/"].iter().any(|start| image.starts_with(start));
    if is_path || [".", "..", "~"].contains(&image) {
        return Some(format!("{image}: no such file or directory"));
    }
    let directory = image.split_once('/').map(|(first, _)| first).filter(|first| Path::new(first).is_dir());
    if let Some(directory) = directory.filter(|_| !image.contains(':')) {
        return Some(format!(
            "{image}: no such file in the directory {directory}; an image of that name is docker.io/{image}"
        ));
    }
    // A name on Docker Hub could be this, too; nobody who writes it means that.
    let is_archive = ARCHIVES.iter().any(|end| image.ends_with(end)) && !image.contains(':');
    let beside = path.parent().is_some_and(|parent| parent.as_os_str().is_empty() || parent.is_dir());
    let on_hub = if image.contains('/') { "" } else { "; an image of that name is docker.io/library/NAME" };
    (is_archive && beside).then(|| format!("{image}: no such file{on_hub}"))
}

/// Ends of names of archives that hold images or disks.
const ARCHIVES: [&str; 9] =
    [".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst", ".zip", ".ova", ".tar.bz2"];

/// Why a name is none of a disk, whatever format it is said to have.
fn of_images(image: &str) -> Option<String> {
    let is_image = ["oci:", "oci-archive:", "docker-archive:"].iter().any(|scheme| image.starts_with(scheme));
    (is_image && !Path::new(image).exists())
        .then(|| format!("--disk-format is about disks, and {image} is an image"))
}

/// The first of some arguments that was given.
fn first_given(arguments: &[(&'static str, bool)]) -> Option<&'static str> {
    arguments.iter().find(|(_, given)| *given).map(|(flag, _)| *flag)
}

/// Which argument is about registries, where the image comes from none.
fn of_registries(image: &str, is_disk: bool, registry: &RegistryArgs) -> Option<String> {
    let given = [
        ("--username", !registry.username.is_empty()),
        ("--password-file", registry.password_file.is_some()),
        ("--allow", !registry.allow.is_empty()),
    ];
    let flag = first_given(&given)?;
    let is_file = || {
        let place = reference::parse(image).map(|(place, _)| place);
        matches!(place, Ok(Source::Layout(_) | Source::Archive(_) | Source::DockerArchive(_)))
    };
    (is_disk || is_file()).then(|| format!("{flag} is about registries, and {image} is in none"))
}

/// Which arguments are only about disks.
fn of_others(args: &CertifyArgs) -> Option<String> {
    let given = [
        ("--os", args.os.is_some()),
        ("--data-disk", args.data_disk),
        ("--open-port", !args.open_ports.is_empty()),
        ("--no-remote-connection", args.no_remote_connection),
        ("--extensions", args.extensions),
    ];
    let flag = first_given(&given)?;
    Some(format!("{flag} is about disks, and {} is an image", args.image))
}

/// Which file that the arguments name is not there.
fn missing(args: &CertifyArgs) -> Option<String> {
    let is_pack = |path: &&PathBuf| path.to_str().is_some_and(|name| Policy::named(name).is_some());
    let is_what = |path: &Path| if path.is_dir() { "is a directory" } else { "no such file" };
    if let Some(path) = args.policy.as_ref().filter(|path| !is_pack(path) && !path.is_file()) {
        let (what, packs) = (is_what(path), Policy::names().join(", "));
        return Some(format!("--policy {}: {what}, and no pack of {packs}", path.display()));
    }
    let source = reference::parse(&args.image).map(|(source, _)| source);
    match &source {
        Ok(Source::Layout(path)) if path.is_file() => {
            return Some(format!("{}: a layout is a directory; of an archive say oci-archive:", args.image));
        }
        Ok(Source::Archive(path) | Source::DockerArchive(path)) if path.is_dir() => {
            return Some(format!("{}: an archive is a file; of an OCI layout say oci:", args.image));
        }
        _ => {}
    }
    if let Ok(Source::Archive(path) | Source::DockerArchive(path) | Source::Layout(path)) = &source
        && let Err(error) = std::fs::metadata(path)
    {
        // Other tools name an image in an archive behind a colon.
        let whole = path.to_str().and_then(|path| path.rsplit_once(':')).map(|(front, _)| front);
        let hint = whole.filter(|front| Path::new(front).is_file()).map_or_else(String::new, |front| {
            format!("; an archive is named alone: {front}, and every image in it is certified")
        });
        return Some(format!("{}: {}{hint}", args.image, in_words(&error)));
    }
    let advisories = args.advisories.iter().map(|path| ("--advisories", path));
    let mut named = advisories.chain(args.vex.iter().map(|path| ("--vex", path)));
    let (flag, path) = named.find(|(_, path)| !path.is_file())?;
    Some(format!("{flag} {}: {}", path.display(), is_what(path)))
}

/// Why a file cannot be had, without the number of the error.
pub(crate) fn in_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

fn exit_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Pass => 0,
        Outcome::Findings => EXIT_FINDINGS,
        Outcome::Inconclusive => EXIT_OURS,
    }
}

/// This installation's inspector, with what the command line puts in its place.
#[expect(clippy::print_stderr, reason = "said to the person at the keyboard")]
fn inspector(data: &Path, args: &CertifyArgs) -> anyhow::Result<Inspector> {
    let mut inspector = wiring::inspector(data, &Config::load(data)?)?;
    inspector.knowledge.policy = args.policy.clone().or(inspector.knowledge.policy);
    if let Some(path) = args.policy.as_ref().filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(path).with_context(|| format!("--policy {}", path.display()))?;
        let policy = Policy::parse(&text).with_context(|| format!("--policy {}", path.display()))?;
        for remark in wiring::remarks(&policy) {
            eprintln!("mercat: --policy {}: {remark}", path.display());
        }
    }
    for path in &args.vex {
        let named = || format!("--vex {}", path.display());
        let text = std::fs::read(path).with_context(named)?;
        if text.len() <= vex::DOCUMENT_BYTES_MAX {
            vex::read(&text).with_context(named)?;
        }
    }
    inspector.knowledge.vex.extend(args.vex.iter().cloned());
    // Whoever names a snapshot wants it: that it cannot be used is said before anything is judged without it.
    if let Some(path) = &args.advisories {
        let named = || format!("--advisories {}", path.display());
        let file = std::fs::File::open(path).with_context(named)?;
        let snapshot = Advisories::open(Arc::new(file), None);
        if let Some(error) = snapshot.trouble() {
            bail!("{}: {error}; make one with mercat advisories import", named());
        }
    }
    inspector.knowledge.advisories = args.advisories.clone().or(inspector.knowledge.advisories);
    Ok(inspector)
}

struct Found {
    images: Vec<(String, Imported)>,
    root: PathBuf,
    layout: bool,
}

/// An OCI layout is read where it lies; everything else is first copied by digest, as the server does.
async fn copy(
    place: &Source,
    selector: &Selector,
    registry: &RegistryArgs,
    temporary: &Path,
) -> Result<Found, SourceError> {
    let references = selected(selector);
    if let Source::Layout(root) = place {
        let images = layout_images(root, &references)?;
        return Ok(Found { images, root: root.clone(), layout: true });
    }
    let password = match &registry.password_file {
        None => String::new(),
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| {
                SourceError::NotFound(format!("--password-file {}: {error}; it", file.display()))
            })?
            .trim()
            .to_owned(),
    };
    let credentials = Credentials { username: registry.username.clone(), password };
    let egress = Egress::new(&registry.allow).map_err(|error| SourceError::Denied(error.to_string()))?;
    let depot = Depot::local(&temporary.join("depot"))?;
    let bar = bar("copying").map_err(|error| SourceError::Denied(error.to_string()))?;
    let copied = import(&depot, &egress, place, credentials, &references, &Bar(bar.clone())).await;
    bar.finish_and_clear();
    let images: Vec<_> = copied?.into_iter().map(|image| (image.reference.clone(), image)).collect();
    if images.is_empty() {
        return Err(SourceError::Refused { code: "CTR-13", what: "there is no image in it".into() });
    }
    Ok(Found { images, root: temporary.join("depot"), layout: false })
}

/// The images that a layout lists; their content is checked by the inspection itself.
fn layout_images(root: &Path, references: &[String]) -> Result<Vec<(String, Imported)>, SourceError> {
    use mercat_artifact::oci::{self, Manifest};
    let index = root.join("index.json");
    let bytes = std::fs::read(&index).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => SourceError::NotFound(index.display().to_string()),
        _ => SourceError::Unreachable { host: index.display().to_string(), why: in_words(&error) },
    })?;
    let parsed = oci::parse_manifest(&bytes, Some(oci::OCI_INDEX)).map_err(|error| match error.into() {
        SourceError::Refused { code, what } => {
            SourceError::Refused { code, what: format!("index.json: {what}") }
        }
        other => other,
    });
    let (Manifest::Index(entries), _) = parsed? else {
        return Err(SourceError::Refused { code: "MAN-04", what: "index.json is no index".into() });
    };
    let mut out: BTreeMap<Digest, (String, Imported)> = BTreeMap::new();
    let mut names = Vec::new();
    for entry in entries {
        let tag = entry.annotation("org.opencontainers.image.ref.name").map(str::to_owned);
        let name = tag.unwrap_or_else(|| entry.digest.to_string());
        names.push(name.clone());
        let named = |reference: &String| *reference == name || reference == entry.digest.as_str();
        if !references.is_empty() && !references.iter().any(named) {
            continue;
        }
        let size = entry.size;
        if !root.join("blobs/sha256").join(entry.digest.hex()).is_file() {
            let what = format!("{} is missing", entry.digest);
            return Err(SourceError::Refused { code: "CTR-13", what });
        }
        let image = Imported {
            reference: name.clone(),
            digest: entry.digest.clone(),
            media_type: entry.media_type,
            size,
            children: Vec::new(),
            platforms: Vec::new(),
            manifests: Vec::new(),
            blobs: all_blobs(root),
        };
        out.entry(entry.digest).or_insert((name, image));
    }
    if out.is_empty() {
        if names.is_empty() {
            return Err(SourceError::Refused { code: "CTR-13", what: "index.json lists no image".into() });
        }
        let (what, has) = (references.join(", "), mercat_depot::some_of(&names));
        return Err(SourceError::NotFound(format!("{what} in {}, which has {has},", root.display())));
    }
    Ok(out.into_values().collect())
}

fn all_blobs(root: &Path) -> Vec<(Digest, u64)> {
    let entries = std::fs::read_dir(root.join("blobs/sha256")).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let digest = Digest::parse(&format!("sha256:{}", entry.file_name().to_str()?))?;
            Some((digest, entry.metadata().ok()?.len()))
        })
        .collect()
}

/// Whether one of our own documents is SPDX: its first key tells.
fn is_spdx(text: &str) -> bool {
    text.starts_with("{\n  \"spdxVersion\"")
}

/// Writes the SBOMs of an image or disk; gives back where.
fn write_sboms(directory: Option<&Path>, inspection: &Inspection) -> anyhow::Result<Vec<PathBuf>> {
    let Some(directory) = directory else { return Ok(Vec::new()) };
    fs_err::create_dir_all(directory)?;
    let verdict: serde_json::Value = serde_json::from_str(&inspection.verdict).unwrap_or_default();
    let mut written = Vec::new();
    for (digest, text) in &inspection.sboms {
        let kind = if is_spdx(text) { "spdx" } else { "cdx" };
        let path = directory.join(format!("{}.{kind}.json", name_of(digest, &verdict)));
        crate::scratch::replace(&path, text.as_bytes())?;
        written.push(path);
    }
    Ok(written)
}

/// Characters of a platform in the name of a file.
const PLATFORM_CHARS_MAX: usize = 100;

/// Under which name an SBOM is written: of an image its platform and the beginning of its manifest's digest.
fn name_of(digest: &str, verdict: &serde_json::Value) -> String {
    let images = verdict["images"].as_array().into_iter().flatten();
    let of =
        |about: &serde_json::Value| [&about["sbom"], &about["spdx"]].iter().any(|named| **named == digest);
    let hex = |digest: &str| digest.trim_start_matches("sha256:").to_owned();
    match images.into_iter().find(|image| of(image)) {
        Some(image) => {
            let platform = image["platform"].as_str().unwrap_or_default();
            let plain = |letter: char| letter.is_ascii_alphanumeric() || "._".contains(letter);
            let platform = platform.chars().map(|c| if plain(c) { c } else { '-' });
            let platform: String = platform.take(PLATFORM_CHARS_MAX).collect();
            let manifest = hex(image["manifest"].as_str().unwrap_or_default());
            format!("{platform}-{}", manifest.get(..12).unwrap_or(&manifest))
        }
        None if of(&verdict["disk"]) => "disk".to_owned(),
        None => hex(digest),
    }
}

#[expect(clippy::print_stderr, reason = "the command's result")]
fn usage(text: &str) -> u8 {
    eprintln!("mercat: {text}");
    EXIT_USAGE
}

#[expect(clippy::print_stderr, reason = "the command's result")]
fn refused(image: &str, error: &SourceError) -> anyhow::Result<u8> {
    eprintln!("mercat: {image}: {}", plain(&mercat_worker::chain(error)));
    hint(image, error);
    Ok(match error {
        SourceError::Refused { .. } => EXIT_FINDINGS,
        SourceError::NotFound(_) | SourceError::Compressed(_) => EXIT_USAGE,
        _ => EXIT_OURS,
    })
}

/// What may have been meant.
#[expect(clippy::print_stderr, reason = "the command's result")]
fn hint(image: &str, error: &SourceError) {
    if matches!(error, SourceError::Denied(_)) {
        eprintln!("mercat: pass --allow HOST:PORT to read from a private or plain http registry");
    }
    if matches!(error, SourceError::Refused { code, .. } if code.starts_with("TAR-"))
        && (image.starts_with("oci-archive:") || image.starts_with("docker-archive:"))
    {
        eprintln!("mercat: an archive is a tar file as skopeo, docker save or buildah write it");
    }
}
