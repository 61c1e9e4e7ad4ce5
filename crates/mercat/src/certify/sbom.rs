//! `mercat sbom`: the inventory of an image or disk, without a certification.

use super::{Bar, bar, cache, copy, disk, is_spdx, local, of_registries, refused, usage, write_sboms};
use crate::cli::{SbomArgs, SbomFormat};
use crate::config::Config;
use crate::{EXIT_FINDINGS, EXIT_OURS, wiring};
use anyhow::Context;
use mercat_artifact::oci::reference;
use mercat_certify::Verdict;
use mercat_certify::disk::Claims;
use mercat_depot::Progress;
use mercat_domain::finding::{Finding, Severity};
use mercat_domain::plain::plain;
use mercat_worker::inspect::KnowledgeFiles;
use mercat_worker::{DiskSource, Inspection, Inspector};
use std::path::Path;

/// Rules about what an artifact holds or is, which say nothing about whether all of it was read.
const OF_CONTENT: [&str; 22] = [
    "ZIP-04", "CTR", "PKG-02", "PKG-03", "PKG-04", "PKG-06", "LNX", "WIN", "SAS", "BOOT", "ELG", "VEX",
    "BOX", "NEW", "SCN", "VHD-02", "VHD-03", "VHD-04", "VHD-07", "VHD-08", "VHD-09", "VHD-1",
];
/// Such as say so all the same: bytes that are missing, archives that are not opened.
const OF_READING: [&str; 2] = ["CTR-13", "CTR-29"];
/// For want of scanners or advisories, of which none are asked, or about rules, of which none are.
const OF_JUDGING: [&str; 13] = [
    "INC-01", "INC-06", "INC-07", "INC-10", "INC-11", "INC-12", "INC-13", "INC-14", "INC-15", "INC-17",
    "INC-18", "INC-20", "PKG-08",
];

pub(crate) async fn run(data: &Path, args: &SbomArgs) -> anyhow::Result<u8> {
    // The policy that comes with the program switches nothing off, and nobody needs signatures for an inventory.
    let knowledge = KnowledgeFiles::default();
    let own = wiring::inspector(data, &Config::load(data)?)?;
    let inspector = Inspector { inventory_alone: true, knowledge, ..own };
    let mut inspections = Vec::new();
    let declared = disk::declared(&args.image, args.disk_format);
    if let Some(why) = of_registries(&args.image, declared.is_some(), &args.registry) {
        return Ok(usage(&why));
    }
    if let Some(declared) = declared {
        let path = match disk::file(&args.image) {
            Ok(path) => path,
            Err(why) => return Ok(usage(&why)),
        };
        let (source, bar) = (DiskSource::File { path, declared }, bar("reading")?);
        let at = |done, total| Bar(bar.clone()).at(done, total);
        let done = inspector.inspect_disk(&source, &Claims::default(), at).await;
        bar.finish_and_clear();
        inspections.push(done?);
    } else if let Some(why) = local(&args.image) {
        return Ok(usage(&why));
    } else {
        let (place, selector) = match reference::parse(&args.image) {
            Ok(parsed) => parsed,
            Err(error) => return Ok(usage(&error.to_string())),
        };
        let temporary = crate::scratch::Scratch::new("sbom")?;
        let found = match copy(&place, &selector, &args.registry, temporary.path()).await {
            Ok(found) => found,
            Err(error) => return refused(&args.image, &error),
        };
        for (_, image) in &found.images {
            inspections.push(cache::inspect(&inspector, (&found, image), None, true).await?);
        }
    }
    let mut code = 0;
    for inspection in &inspections {
        let (_, findings) =
            Verdict::findings_of(&inspection.verdict).context("the verdict cannot be read")?;
        for finding in findings.iter().filter(|finding| is_of_reading(&finding.rule)) {
            tell(finding);
            code =
                code.max(if finding.severity == Severity::Inconclusive { EXIT_OURS } else { EXIT_FINDINGS });
        }
    }
    if code > 0 && inspections.iter().any(|inspection| inspection.sboms.is_empty()) {
        return Ok(code);
    }
    match write(args, &inspections)? {
        Some(why) => Ok(usage(&why)),
        None => Ok(code),
    }
}

/// Writes the documents; the text is why it cannot.
fn write(args: &SbomArgs, inspections: &[Inspection]) -> anyhow::Result<Option<String>> {
    if args.out.is_some() {
        for inspection in inspections {
            let written = write_sboms(args.out.as_deref(), inspection)?;
            written.iter().for_each(|path| print(&format!("wrote {}", path.display())));
        }
        return Ok(None);
    }
    let all = inspections.iter().flat_map(|inspection| &inspection.sboms);
    let of_form = all.filter(|(_, text)| is_spdx(text) == (args.format == SbomFormat::Spdx));
    let mut texts: Vec<&String> = of_form.map(|(_, text)| text).collect();
    texts.sort();
    texts.dedup();
    match texts.as_slice() {
        [text] => print(text),
        [] => return Ok(Some(format!("there is no image to read in {}", args.image))),
        many => {
            let why = "images, each with a document of its own: name a directory with --out, or one image";
            return Ok(Some(format!("{} holds {} {why}", args.image, many.len())));
        }
    }
    Ok(None)
}

/// Whatever its weight: a record that cannot be read is a warning in a certification, and a gap here.
fn is_of_reading(rule: &str) -> bool {
    let of_content = OF_CONTENT.iter().chain(&OF_JUDGING).any(|prefix| rule.starts_with(prefix));
    OF_READING.contains(&rule) || !of_content
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn print(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "the command's result")]
fn tell(finding: &Finding) {
    let Finding { rule, place, observed, .. } = finding;
    let path = if place.path.is_empty() { String::new() } else { format!(" {}", place.path) };
    eprintln!("mercat: not whole: {rule}{}: {}", plain(&path), plain(observed));
}
