//! `mercat advisories`: OSV records into one snapshot, replaced as a whole.

use crate::cli::AdvisoriesCommand;
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use mercat_certify::advisories::{Advisories, Advisory, read_osv};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const RECORD_BYTES_MAX: u64 = 16 << 20;

#[derive(Default)]
struct Import {
    records: Vec<Advisory>,
    newest: String,
    files: u64,
    skipped: Vec<String>,
}

pub(crate) async fn run(data: &Path, command: &AdvisoriesCommand) -> anyhow::Result<u8> {
    match command {
        AdvisoriesCommand::Import { paths } => import(data, paths),
        AdvisoriesCommand::Show => show(data),
    }
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn import(data: &Path, paths: &[PathBuf]) -> anyhow::Result<u8> {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {pos} records read, {elapsed}")?);
    let mut import = Import::default();
    for path in paths {
        read_path(path, &mut import, &bar)?;
    }
    bar.finish_and_clear();
    if import.records.is_empty() {
        bail!(
            "no OSV record was found in {}",
            paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
        );
    }
    let source = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    let snapshot = Advisories::new(source, import.newest, import.records);
    std::fs::create_dir_all(data)?;
    let target = data.join("advisories.json");
    if let Some(before) =
        std::fs::read_to_string(&target).ok().and_then(|text| Advisories::from_json(&text).ok())
    {
        println!("replaces a snapshot of {} advisories from {}", before.len(), before.source);
    }
    let mut part = tempfile::NamedTempFile::new_in(data)?;
    part.write_all(snapshot.to_json().as_bytes())?;
    part.as_file().sync_all()?;
    part.persist(&target)?;
    println!("{} advisories from {} files, newest of {}", snapshot.len(), import.files, snapshot.newest);
    println!("snapshot {} in {}", snapshot.digest(), target.display());
    for skipped in import.skipped.iter().take(20) {
        println!("not used: {skipped}");
    }
    if import.skipped.len() > 20 {
        println!("and {} more were not used", import.skipped.len() - 20);
    }
    Ok(0)
}

fn read_path(path: &Path, import: &mut Import, bar: &ProgressBar) -> anyhow::Result<()> {
    let meta = std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if meta.is_dir() {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(path)?.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        entries.sort();
        for entry in entries.iter().filter(|e| e.is_dir() || is_json(e) || is_zip(e)) {
            read_path(entry, import, bar)?;
        }
        return Ok(());
    }
    if is_zip(path) {
        let mut archive = zip::ZipArchive::new(std::fs::File::open(path)?)
            .with_context(|| format!("{} is not a zip file", path.display()))?;
        for at in 0..archive.len() {
            let file = archive.by_index(at)?;
            let name = file.name().map(|name| name.into_owned()).unwrap_or_default();
            if name.ends_with(".json") {
                let mut text = Vec::new();
                file.take(RECORD_BYTES_MAX).read_to_end(&mut text)?;
                read_record(&format!("{}!/{name}", path.display()), &text, import, bar);
            }
        }
        return Ok(());
    }
    read_record(&path.display().to_string(), &std::fs::read(path)?, import, bar);
    Ok(())
}

fn read_record(name: &str, text: &[u8], import: &mut Import, bar: &ProgressBar) {
    import.files += 1;
    bar.inc(1);
    match read_osv(text) {
        Ok((records, modified)) => {
            import.records.extend(records);
            import.newest = std::mem::take(&mut import.newest).max(modified);
        }
        Err(why) => import.skipped.push(format!("{name}: {why}")),
    }
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

fn is_zip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "zip")
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn show(data: &Path) -> anyhow::Result<u8> {
    let path = data.join("advisories.json");
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("no snapshot at {}; use: mercat advisories import DIRECTORY", path.display())
    })?;
    let snapshot = Advisories::from_json(&text)?;
    println!("{} advisories, newest of {}, from {}", snapshot.len(), snapshot.newest, snapshot.source);
    println!("snapshot {}", snapshot.digest());
    Ok(0)
}
