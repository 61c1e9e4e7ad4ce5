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
pub(super) fn declared(args: &CertifyArgs) -> Option<Option<Declared>> {
    if args.disk_format.is_some() {
        return Some(args.disk_format);
    }
    let extension = Path::new(&args.image).extension()?.to_str()?;
    let declared = Declared::from_extension(extension)?;
    // `registry/app.img:tag` is a reference, and so is everything with a transport.
    (!args.image.contains(':') || Path::new(&args.image).is_file()).then_some(Some(declared))
}

/// Inspects the file where it lies.
pub(super) async fn run(data: &Path, args: &CertifyArgs, declared: Option<Declared>) -> anyhow::Result<u8> {
    let path = PathBuf::from(&args.image);
    let path = match path.canonicalize() {
        Ok(path) if path.is_file() => path,
        Ok(_) => return Ok(usage(&format!("{} is not a file", args.image))),
        Err(error) => return Ok(usage(&format!("{}: {error}", args.image))),
    };
    let inspector = inspector(data, args)?;
    let claims = Claims {
        os_family: args.os,
        data_disk: args.data_disk,
        open_ports: args.open_ports.clone(),
        ..Claims::default()
    };
    let bar = bar("inspecting")?;
    let source = DiskSource::File { path, declared };
    let done = inspector.inspect_disk(&source, &claims, |done, total| Bar(bar.clone()).at(done, total)).await;
    bar.finish_and_clear();
    let inspection = done?;
    let (outcome, _) = Verdict::findings_of(&inspection.verdict).context("the verdict cannot be read")?;
    write_sboms(args.sbom.as_deref(), &inspection)?;
    output::write(args, &[(args.image.clone(), inspection.verdict)])?;
    Ok(exit_code(outcome))
}
