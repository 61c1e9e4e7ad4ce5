//! `mercat signatures`: signature files into one compiled file, replaced as a whole.

use crate::cli::SignaturesCommand;
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use mercat_signatures::{Builder, Pack, Unusable, pack};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const LINE_BYTES_MAX: usize = 1 << 20;

/// Name of the compiled file in the data directory.
const FILE: &str = "signatures.bin";

pub(crate) fn run(data: &Path, command: &SignaturesCommand) -> anyhow::Result<u8> {
    match command {
        SignaturesCommand::Import { paths } => import(data, paths),
        SignaturesCommand::Show => show(data),
    }
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn import(data: &Path, paths: &[PathBuf]) -> anyhow::Result<u8> {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {pos} lines read, {elapsed}")?);
    let mut builder = Builder::default();
    for path in paths {
        read_file(path, &mut builder, &bar)?;
    }
    bar.finish_and_clear();
    let (bodies, hashes) = (builder.bodies(), builder.hashes());
    let unusable = std::mem::take(&mut builder.unusable);
    if bodies + hashes == 0 {
        tell(&unusable);
        bail!(
            "no signature was found; use .ndb, .hdb or .hsb files, or lines of HEX_OF_SHA256:SIZE:NAME and NAME=HEXADECIMAL"
        );
    }
    let sources = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    let about = serde_json::json!({
        "sources": sources, "bodies": bodies, "hashes": hashes, "notUsed": unusable.count(),
        "imported": jiff::Timestamp::now().to_string(), "by": concat!("mercat ", env!("CARGO_PKG_VERSION")),
    });
    fs_err::create_dir_all(data)?;
    let target = data.join(FILE);
    let mut part = crate::scratch::beside(data)?;
    part.write_all(&pack(&about.to_string(), &builder.compile()))?;
    part.as_file().sync_all()?;
    // What cannot be opened again does not replace what could.
    opened(part.path())?.verify().context("what was written reads back differently")?;
    part.persist(&target)?;
    println!("{bodies} byte signatures and {hashes} hashes in {}", target.display());
    tell(&unusable);
    Ok(0)
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn tell(unusable: &Unusable) {
    if unusable.count() > 0 {
        println!("{} lines are not searched for:", unusable.count());
    }
    for (why, (count, first)) in &unusable.by_reason {
        println!("  {count:>8}  {why}, for example {first:?}");
    }
}

fn read_file(path: &Path, builder: &mut Builder, bar: &ProgressBar) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = std::io::Read::take(&mut reader, LINE_BYTES_MAX as u64).read_until(b'\n', &mut line);
        let count = read.with_context(|| format!("{} cannot be read", path.display()))?;
        if count == 0 {
            return Ok(());
        }
        if count == LINE_BYTES_MAX {
            bail!(
                "{} has a line of more than {LINE_BYTES_MAX} bytes; is it a signature file?",
                path.display()
            );
        }
        // What is taken here replaces what is there.
        if line.contains(&0) {
            let unpack = "; unpack a .cvd or .cld of ClamAV first: sigtool --unpack FILE";
            let unpack = if line.starts_with(b"ClamAV-VDB:") || is_packed(path) { unpack } else { "" };
            bail!("{} is no signature file: it has bytes that no text has{unpack}", path.display());
        }
        builder.line(&String::from_utf8_lossy(&line));
        bar.inc(1);
    }
}

/// Whether a file is one of ClamAV's databases as they are distributed.
fn is_packed(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| ["cvd", "cld", "cud"].iter().any(|known| end.eq_ignore_ascii_case(known)))
}

fn opened(path: &Path) -> anyhow::Result<Pack> {
    let file: File = fs_err::File::open(path)?.into();
    Pack::open(Arc::new(file)).with_context(|| path.display().to_string())
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn show(data: &Path) -> anyhow::Result<u8> {
    let path = data.join(FILE);
    if !path.exists() {
        bail!("no signatures at {}; use: mercat signatures import FILE...", path.display());
    }
    let pack = opened(&path)?;
    let about: serde_json::Value = serde_json::from_str(&pack.about).unwrap_or_default();
    let (bodies, hashes) = pack.verify().with_context(|| path.display().to_string())?;
    println!("{bodies} byte signatures and {hashes} hashes, whole");
    for key in ["imported", "by", "sources", "notUsed"] {
        let value = about.get(key).unwrap_or(&serde_json::Value::Null);
        match (value.as_str(), value.as_array()) {
            (Some(text), _) => println!("{key}: {text}"),
            (_, Some(list)) if list.iter().all(serde_json::Value::is_string) => {
                let list: Vec<&str> = list.iter().filter_map(serde_json::Value::as_str).collect();
                println!("{key}: {}", if list.is_empty() { "-".to_owned() } else { list.join(", ") });
            }
            _ => println!("{key}: {value}"),
        }
    }
    Ok(0)
}
