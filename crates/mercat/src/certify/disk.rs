//! `mercat certify disk.vhd`: the disk of a virtual machine.

use super::{Bar, bar, exit_code, inspector, print, self_test, usage, write_sboms};
use crate::cli::{CertifyArgs, Output, ReportFormat};
use anyhow::Context;
use mercat_certify::disk::Claims;
use mercat_certify::{Check, Verdict};
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
#[expect(clippy::print_stdout, reason = "the command's result")]
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
    let document = &inspection.verdict;
    let (outcome, findings) = Verdict::findings_of(document).context("the verdict cannot be read")?;
    write_sboms(args.sbom.as_deref(), &inspection)?;
    match (args.format, args.output) {
        (Some(ReportFormat::SelfTest), _) => println!("{}", self_test::document(document)?),
        (None, Output::Json) => print!("{document}"),
        (None, Output::Text) => {
            print(&args.image, &subject(document), outcome, &findings);
            println!("  {}", summary(&Verdict::checks_of(document).unwrap_or_default()));
        }
    }
    Ok(exit_code(outcome))
}

fn subject(document: &str) -> String {
    let document: serde_json::Value = serde_json::from_str(document).unwrap_or_default();
    document["subject"].as_str().unwrap_or_default().to_owned()
}

/// How many rules came out how.
fn summary(checks: &[Check]) -> String {
    const WORDS: [(&str, &str); 8] = [
        ("passed", "passed"),
        ("error", "failed"),
        ("warning", "with a warning"),
        ("info", "with a remark"),
        ("inconclusive", "inconclusive"),
        ("not-applicable", "not applicable"),
        ("boot-only", "for the boot test"),
        ("off", "off"),
    ];
    let count = |result: &str| checks.iter().filter(|check| check.result == result).count();
    let parts = WORDS.iter().map(|(result, word)| (count(result), word)).filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, word)| format!("{count} {word}")).collect();
    format!("rules: {}", parts.join(", "))
}
