//! `mercat advisories`: OSV records, KEV and EPSS into the snapshot.

mod sources;

use crate::cli::AdvisoriesCommand;
use crate::config::Config;
use anyhow::{Context, bail};
use mercat_certify::advisories::versions::Scheme;
use mercat_certify::advisories::{Content, Coverage, Day, Import, Meta, Snapshot, is_to_come};
use mercat_domain::plain::plain;
use sources::Gathered;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "advisories.bin";
/// Held while a snapshot is made. It stays: who waits for it has it open.
const LOCK: &str = ".advisories.lock";

/// Exit code where the snapshot was made and something of the sources is not in it.
const NOT_ALL: u8 = 2;

pub(crate) async fn run(data: &Path, command: &AdvisoriesCommand) -> anyhow::Result<u8> {
    match command {
        AdvisoriesCommand::Import { sources, allow_older, replace } => {
            let config = Config::load(data)?;
            let gathered = sources::gather(sources, &config.egress.allow).await?;
            import(data, gathered, if *allow_older || *replace { Age::Any } else { Age::Newer }, *replace)
        }
        AdvisoriesCommand::Verify => verify(data),
        AdvisoriesCommand::Show => show(data),
    }
}

/// Whether data may be older than what is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Newer,
    Any,
}

fn open(path: &Path) -> anyhow::Result<Snapshot> {
    let file = File::open(path).with_context(|| {
        format!("no snapshot at {}; use: mercat advisories import DIRECTORY", path.display())
    })?;
    Ok(Snapshot::open(Arc::new(file), Some(mercat_worker::today()))?)
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn import(data: &Path, gathered: Gathered, age: Age, replace: bool) -> anyhow::Result<u8> {
    let Gathered { batch, source, digest, files, skipped } = gathered;
    if batch.records.is_empty() && batch.kev.is_none() && batch.epss.is_none() {
        for why in skipped.iter().take(20) {
            println!("not used: {}", plain(why));
        }
        bail!("no OSV record, KEV catalogue or EPSS table was found in {source}");
    }
    fs_err::create_dir_all(data)?;
    let _alone = alone(data)?;
    let target = data.join(NAME);
    let mut content = match target.exists() && !replace {
        true => open(&target)
            .and_then(|old| Ok(Content::of(&old)?))
            .with_context(|| format!("{} cannot be added to; --replace starts anew", target.display()))?,
        false => Content::default(),
    };
    let at_unix = jiff::Timestamp::now().as_second();
    let today = Day::of_unix(at_unix);
    if age == Age::Newer {
        content.check_newer(&batch, today)?;
    }
    let to_come = batch.records.iter().filter(|record| is_to_come(&record.modified, today)).count();
    let import =
        Import { source, at_unix, digest, tool: env!("CARGO_PKG_VERSION").to_owned(), ..Import::default() };
    // An update may be of these alone, and has no record then.
    let kev = batch.kev.as_ref().map(|table| format!("; {} entries of KEV", table.entries.len()));
    let epss = batch.epss.as_ref().map(|table| format!("; {} entries of EPSS", table.entries.len()));
    let tables = [kev, epss].into_iter().flatten().collect::<String>();
    content.add(batch, age == Age::Any, import);
    let meta = write(data, &target, &content)?;
    let last = meta.imports.last().cloned().unwrap_or_default();
    println!("{} records from {files} files, {} new or changed{tables}", last.records, last.changed);
    if to_come > 0 {
        println!("{to_come} are dated after today: they are used, and their dates do not count");
    }
    print(&meta);
    for why in skipped.iter().take(20) {
        println!("not used: {}", plain(why));
    }
    if skipped.len() > 20 {
        println!("and {} more were not used", skipped.len() - 20);
    }
    println!("snapshot in {}", target.display());
    if !skipped.is_empty() {
        println!("{} could not be read: what they tell of will not be found", skipped.len());
        return Ok(NOT_ALL);
    }
    Ok(0)
}

/// What was there is read, added to and replaced: another import that does so at the same time would be lost.
#[expect(clippy::print_stderr, reason = "why it takes longer")]
fn alone(data: &Path) -> anyhow::Result<fs_err::File> {
    let lock = fs_err::File::create(data.join(LOCK))?;
    // Where nothing can be locked, nothing is.
    if let Err(TryLockError::WouldBlock) = lock.file().try_lock() {
        eprintln!("mercat: another import is at work in {}; this one waits for it", data.display());
        lock.file().lock()?;
    }
    Ok(lock)
}

/// Beside the old one, to the disk, read back whole, and only then in its place.
fn write(data: &Path, target: &Path, content: &Content) -> anyhow::Result<Meta> {
    let part = crate::scratch::beside(data)?;
    let mut out = std::io::BufWriter::with_capacity(1 << 20, part.as_file());
    let meta = content.write(&mut out)?;
    drop(out);
    part.as_file().sync_all()?;
    Snapshot::open(Arc::new(part.reopen()?), None)?.verify()?;
    part.persist(target)?;
    File::open(data)?.sync_all()?;
    Ok(meta)
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn print(meta: &Meta) {
    println!(
        "{} advisories of {} records ({} withdrawn, {} packages by commits alone or without versions), newest of {}",
        meta.advisories,
        meta.records,
        meta.withdrawn,
        meta.by_commits_alone,
        dated(&meta.newest)
    );
    for (ecosystem, known) in &meta.ecosystems {
        let Coverage { advisories, newest, imported } = known;
        let remark = match Scheme::of(ecosystem) {
            None => " (nothing is judged by these)",
            Some(_) if known.is_part(ecosystem) => " (too few to be all: import the whole export)",
            Some(_) => "",
        };
        println!(
            "  {}: {advisories} advisories, newest of {}, imported on {imported}{remark}",
            plain(ecosystem),
            dated(newest)
        );
    }
    for (name, table) in [("KEV", meta.kev), ("EPSS", meta.epss)] {
        if let Some((day, entries)) = table {
            println!("  {name}: {entries} entries of {day}");
        }
    }
    println!("digest sha256:{}", meta.digest);
}

/// The date of the newest record, where one counts.
fn dated(newest: &str) -> &str {
    if newest.is_empty() { "no date that counts" } else { newest }
}

fn path(data: &Path) -> PathBuf {
    data.join(NAME)
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn show(data: &Path) -> anyhow::Result<u8> {
    let snapshot = open(&path(data))?;
    print(snapshot.meta());
    for import in &snapshot.meta().imports {
        println!(
            "imported on {} from {} by {}: {} records, {} new or changed, {} not used, sha256:{}",
            Day::of_unix(import.at_unix),
            plain(&import.source),
            import.tool,
            import.records,
            import.changed,
            import.unread,
            import.digest
        );
    }
    Ok(0)
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn verify(data: &Path) -> anyhow::Result<u8> {
    let snapshot = open(&path(data))?;
    snapshot.verify()?;
    println!("whole: sha256:{}", snapshot.meta().digest);
    Ok(0)
}
