//! `mercat certify disk.vhd`: the disk of a virtual machine.

use super::{Bar, bar, exit_code, inspector, output, usage, write_sboms};
use crate::cli::CertifyArgs;
use anyhow::Context;
use mercat_certify::Verdict;
use mercat_certify::disk::Claims;
use mercat_depot::Progress;
use mercat_disk::Declared;
use mercat_worker::DiskSource;
use std::path::{Path, PathBuf};

/// The format of the disk that the arguments name; `None` when they name a container image.
pub(super) fn declared(image: &str, format: Option<Declared>) -> Option<Option<Declared>> {
    if format.is_some() {
        return Some(format);
    }
    let extension = Path::new(image).extension()?.to_str()?;
    let declared = Declared::from_extension(extension)?;
    // `registry/app.img:tag` is a reference, and so is everything with a transport.
    (!image.contains(':') || Path::new(image).is_file()).then_some(Some(declared))
}

/// The whole path of a file.
pub(super) fn file(path: &str) -> Result<PathBuf, String> {
    match PathBuf::from(path).canonicalize() {
        Ok(path) if path.is_file() => Ok(path),
        Ok(_) => Err(format!("{path} is not a file")),
        Err(error) => Err(format!("{path}: {error}")),
    }
}

/// Inspects the file where it lies.
pub(super) async fn run(data: &Path, args: &CertifyArgs, declared: Option<Declared>) -> anyhow::Result<u8> {
    let path = match file(&args.image) {
        Ok(path) => path,
        Err(why) => return Ok(usage(&why)),
    };
    if let Some(why) = super::missing(args) {
        return Ok(usage(&why));
    }
    if args.cache.is_some() {
        return Ok(usage("--cache is about images; of disks nothing is kept"));
    }
    let inspector = inspector(data, args)?;
    let claims = Claims {
        os_family: args.os,
        data_disk: args.data_disk,
        open_ports: args.open_ports.clone(),
        no_remote_connection: args.no_remote_connection,
        supports_extensions: args.extensions,
        ..Claims::default()
    };
    let bar = bar("inspecting")?;
    let source = DiskSource::File { path, declared };
    let done = inspector.inspect_disk(&source, &claims, |done, total| Bar(bar.clone()).at(done, total)).await;
    bar.finish_and_clear();
    let inspection = done?;
    let outcome = Verdict::outcome_of(&inspection.verdict).context("the verdict cannot be read")?;
    write_sboms(args.sbom.as_deref(), &inspection)?;
    output::write(args, &[(args.image.clone(), inspection.verdict)])?;
    Ok(exit_code(outcome))
}
