//! Where records come from: files, directories, zip files and URLs; what a file is, its content says.

use anyhow::{Context, bail};
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use mercat_certify::advisories::{Batch, is_kev, osv, read_epss, read_kev};
use mercat_egress::Egress;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Bytes that are fetched from one URL.
const FETCH_BYTES_MAX: u64 = 8 << 30;
/// Bytes of a table or record outside a zip file.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Bytes that a packed EPSS table unpacks to.
const UNPACKED_BYTES_MAX: u64 = 1 << 30;
/// Entries of a zip file.
const ENTRIES_MAX: usize = 2_000_000;
/// Directories inside directories.
const DEPTH_MAX: usize = 16;

/// What was read.
pub(super) struct Gathered {
    pub(super) batch: Batch,
    pub(super) source: String,
    /// SHA-256 over the bytes of all files, in the order in which they were read.
    pub(super) digest: String,
    pub(super) files: u64,
    pub(super) skipped: Vec<String>,
}

struct Gatherer {
    out: Gathered,
    sha: Sha256,
    bar: ProgressBar,
}

/// Reads everything that the sources name.
pub(super) async fn gather(sources: &[String], allowed: &[String]) -> anyhow::Result<Gathered> {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {pos} records read, {elapsed}")?);
    let out = Gathered {
        batch: Batch::default(),
        source: sources.join(", "),
        digest: String::new(),
        files: 0,
        skipped: Vec::new(),
    };
    let mut gatherer = Gatherer { out, sha: Sha256::new(), bar };
    for source in sources {
        if source.starts_with("https://") || source.starts_with("http://") {
            let file = fetch(source, allowed).await?;
            gatherer.file(source, file)?;
        } else {
            gatherer.path(Path::new(source), 0)?;
        }
    }
    gatherer.bar.finish_and_clear();
    gatherer.out.digest = gatherer.sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    gatherer.out.batch.unread = gatherer.out.skipped.len() as u64;
    Ok(gatherer.out)
}

async fn fetch(url: &str, allowed: &[String]) -> anyhow::Result<File> {
    let egress = Egress::new(allowed)?;
    let answer = egress.send(egress.http().get(url).build()?).await?;
    if !answer.status().is_success() {
        bail!("{url} answers {}", answer.status());
    }
    let mut file = tempfile::tempfile()?;
    let (mut bytes, mut stream) = (0_u64, answer.bytes_stream());
    while let Some(chunk) = stream.next().await {
        let chunk =
            chunk.map_err(reqwest::Error::without_url).with_context(|| format!("{url} ended early"))?;
        bytes += chunk.len() as u64;
        if bytes > FETCH_BYTES_MAX {
            bail!("{url} has more than {FETCH_BYTES_MAX} bytes");
        }
        file.write_all(&chunk)?;
    }
    file.rewind()?;
    Ok(file)
}

fn is_named(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

impl Gatherer {
    fn path(&mut self, path: &Path, depth: usize) -> anyhow::Result<()> {
        let about = std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
        if !about.is_dir() && !about.is_file() {
            bail!("{} is neither a file nor a directory", path.display());
        }
        if !about.is_dir() {
            return self.file(&path.display().to_string(), fs_err::File::open(path)?.into());
        }
        if depth > DEPTH_MAX {
            bail!("{} is more than {DEPTH_MAX} directories deep", path.display());
        }
        let entries = fs_err::read_dir(path)?.map(|entry| Ok(entry?.path()));
        let mut entries = entries.collect::<Result<Vec<PathBuf>, std::io::Error>>()?;
        entries.sort();
        for entry in entries {
            let hidden = entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            let known = is_named(&entry, &["json", "yaml", "yml", "zip", "csv", "gz"]);
            if !hidden && (known || entry.is_dir()) {
                self.path(&entry, depth + 1)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, name: &str, mut file: File) -> anyhow::Result<()> {
        self.out.files += 1;
        let mut head = [0; 4];
        let length = read_some(&mut file, &mut head)?;
        file.rewind()?;
        match &head[..length] {
            b"PK\x03\x04" => self.zip(name, file),
            [0x1f, 0x8b, ..] => {
                self.sha.update(hash_of(&mut file)?);
                let unpacked = MultiGzDecoder::new(BufReader::new(file)).take(UNPACKED_BYTES_MAX);
                self.epss(name, &mut BufReader::new(unpacked));
                Ok(())
            }
            [b'#', ..] if !name.ends_with(".yaml") && !name.ends_with(".yml") => {
                self.sha.update(hash_of(&mut file)?);
                self.epss(name, &mut BufReader::new(file));
                Ok(())
            }
            _ => {
                let mut text = Vec::new();
                file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)?;
                if text.len() as u64 > FILE_BYTES_MAX {
                    self.skip(name, &format!("more than {FILE_BYTES_MAX} bytes"));
                    return Ok(());
                }
                self.text(name, &text);
                Ok(())
            }
        }
    }

    fn zip(&mut self, name: &str, file: File) -> anyhow::Result<()> {
        let archive = zip::ZipArchive::new(BufReader::new(file));
        let mut archive = archive.with_context(|| format!("{name} is not a zip file"))?;
        if archive.len() > ENTRIES_MAX {
            bail!("{name} has {} entries; the limit is {ENTRIES_MAX} entries", archive.len());
        }
        for at in 0..archive.len() {
            let entry = match archive.by_index(at) {
                Ok(entry) => entry,
                Err(error) => {
                    self.skip(&format!("{name} entry {at}"), &error.to_string());
                    continue;
                }
            };
            let inside = entry.name().map(|name| name.into_owned()).unwrap_or_default();
            if !is_named(Path::new(&inside), &["json", "yaml", "yml"]) {
                continue;
            }
            let shown = format!("{name}!/{inside}");
            let mut text = Vec::new();
            match entry.take(osv::RECORD_BYTES_MAX + 1).read_to_end(&mut text) {
                Ok(_) => self.text(&shown, &text),
                Err(error) => self.skip(&shown, &error.to_string()),
            }
        }
        Ok(())
    }

    fn epss(&mut self, name: &str, text: &mut dyn BufRead) {
        match read_epss(text) {
            Ok(table) => self.out.batch.epss = Some(table),
            Err(error) => self.skip(name, &mercat_worker::chain(&error)),
        }
    }

    fn text(&mut self, name: &str, text: &[u8]) {
        self.sha.update(text);
        let yaml = is_named(Path::new(name), &["yaml", "yml"]);
        // Only a catalogue says so near its beginning; records are not read twice.
        let head = &text[..text.len().min(4_096)];
        let maybe_kev = !yaml && head.windows(16).any(|window| window == b"\"catalogVersion\"");
        if maybe_kev && serde_json::from_slice(text).is_ok_and(|value| is_kev(&value)) {
            match read_kev(text) {
                Ok(table) => self.out.batch.kev = Some(table),
                Err(error) => self.skip(name, &error.to_string()),
            }
            return;
        }
        self.bar.inc(1);
        match if yaml { osv::read_yaml(text) } else { osv::read_json(text) } {
            Ok(record) => self.out.batch.records.push(record),
            Err(error) => self.skip(name, &error.to_string()),
        }
    }

    fn skip(&mut self, name: &str, why: &str) {
        self.out.skipped.push(format!("{name}: {why}"));
    }
}

fn read_some(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}

/// The digest of a file that is read again afterwards.
fn hash_of(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            length => sha.update(&buffer[..length]),
        }
    }
    file.rewind()?;
    Ok(sha.finalize().to_vec())
}
