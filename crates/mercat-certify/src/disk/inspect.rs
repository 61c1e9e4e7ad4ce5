//! From a disk to its verdict.

use super::DiskSpecimen;
use super::walk::{LIMITS, Limits, Progress, Walked, Walks, walk};
use crate::documents::{self, Documents};
use crate::facts::{Below, LayerFacts, Note, READ_ALIKE};
use crate::files::Files;
use crate::files::whole::{Listing, Part, Whole, whole};
use crate::inventory::{Databases, Record, Root, Rooted};
use crate::scan::OURS;
use crate::verdict::{Check, DiskReport, FilesReport, VolumeReport};
use crate::vulnerabilities::{self, Installed};
use crate::{Knowledge, Verdict, inventory};
use mercat_artifact::ReadError;
use mercat_artifact::pkgdb::{OsRelease, Package, RECORDS, is_release, root_of_record};
use mercat_disk::ReadAt;
use mercat_domain::finding::{Finding, Place, Severity};
use mercat_guest::{Contents, Guest, Table, Volume};
use mercat_machine::mounts::{self, Doubt};
use mercat_machine::{
    Case, Found, Layout, OsFamily, Outcome, Rule, Status, Tree, VolumeTree, container, linux, windows,
};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::sync::Arc;

/// Codes of what could not be looked into, beside those of [`mercat_disk::INCONCLUSIVE`]: ours.
const UNREADABLE: &[&str] =
    &["FS-01", "FS-03", "EXT-03", "EXT-16", "XFS-03", "LVM-06", "LVM-07", "NTF-09", "ISO-08"];

/// The volume that findings in space of no file are told under.
const BESIDE_FILES: &str = "unallocated";

/// Certifies a disk. The verdict depends on the disk and the claims, not on the container that the disk
/// came in, except where the rules are about the container.
///
/// # Errors
/// When bytes could not be had; what is wrong with them is in the verdict.
pub fn inspect(
    specimen: &DiskSpecimen,
    knowledge: &Knowledge,
    progress: Progress<'_>,
) -> io::Result<Verdict> {
    inspect_within(specimen, knowledge, LIMITS, progress)
}

/// As [`inspect`], with other limits.
pub(super) fn inspect_within(
    specimen: &DiskSpecimen,
    knowledge: &Knowledge,
    limits: Limits,
    progress: Progress<'_>,
) -> io::Result<Verdict> {
    knowledge.ready().map_err(io::Error::other)?;
    let disk = &specimen.disk;
    let mut findings = Vec::new();
    let guest = match Guest::open(Arc::clone(disk)) {
        Ok(guest) => Some(guest),
        Err(ReadError::Io(error)) => return Err(error),
        Err(refused) => {
            findings.push(refusal(&refused));
            None
        }
    };
    let walks = match walk(disk, guest.as_ref(), knowledge, limits, progress) {
        Ok(walks) => walks,
        Err(ReadError::Io(error)) => return Err(error),
        Err(refused) => return Ok(refused_verdict(&refused, &specimen.claims.plan, knowledge)),
    };
    let layout = layout(disk, guest.as_ref(), &walks);
    let subject = walks.measure.digest.to_string();
    let mut reports = Vec::new();
    for volume in &layout.volumes {
        reports.push(volume_report(volume, &walks, &layout.volumes));
        findings.extend(unreadable(volume));
    }
    let whole = guest.is_some()
        && walks.passed.is_none()
        && walks.volumes.iter().flatten().all(|walked| !walked.facts.refused);
    for walked in walks.volumes.iter().flatten() {
        findings.extend(note_findings(&walked.tree.volume, &walked.facts));
    }
    findings.extend(note_findings(BESIDE_FILES, &walks.space));
    findings.extend(walks.passed.clone().map(over_the_limits));
    let unallocated_bytes = walks.space.scanned_bytes;
    let Joined { tree, told, captured, doubts } = joined(guest.as_ref(), walks);
    findings.extend(doubts.into_iter().map(doubted));
    let (os, packages, found) = installed(&tree, specimen.claims.data_disk);
    findings.extend(found);
    let names: HashSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut files = on_disk(&tree, &told, &names);
    let of_distribution =
        |package: &str| vulnerabilities::is_of_distribution(&os, &packages, package, knowledge);
    files.keys_of_packages(&mut findings, of_distribution);
    let digests = [subject.clone()];
    let installed =
        Installed { os: &os, packages: &packages, components: &files.components, digests: &digests };
    let judged = vulnerabilities::judge(&installed, knowledge);
    findings.extend(judged.findings);
    let rooted = other_roots(&tree, &captured, &mut findings);
    let of_roots = vulnerabilities::judge_rooted(&rooted, &digests, knowledge);
    findings.extend(of_roots.findings);
    let mut statements = judged.statements;
    statements.extend(of_roots.statements);
    findings.extend(vulnerabilities::unmatched(&statements, knowledge));
    findings.append(&mut files.findings);
    let findings = weighed(findings, &specimen.claims.plan, knowledge);
    let documents = documents::write(("file", subject.as_str()), &os, &packages, &rooted, &files);
    let case = Case {
        tree: &tree,
        layout: &layout,
        facts: &specimen.facts,
        claims: &specimen.claims,
        policy: &knowledge.policy.vm,
        os: &os,
        packages: &packages,
        findings: &findings,
        readings: linux::Readings::default(),
    };
    let outcomes = run_rules(&case, whole);
    let mut disk = disk_report(&case, (reports, unallocated_bytes), &documents, &files);
    disk.packages += rooted.iter().map(|root| root.packages.len()).sum::<usize>();
    let (checks, found) = answers(&outcomes, &findings, &specimen.claims.plan, knowledge);
    let mut verdict = Verdict::blank(subject, knowledge);
    verdict.disk = Some(disk);
    verdict.checks = checks;
    verdict.findings = findings;
    verdict.findings.extend(found);
    verdict.findings.sort();
    verdict.findings.dedup();
    verdict.sboms = vec![documents.cyclonedx, documents.spdx];
    Ok(verdict)
}

/// What the files of all volumes tell, under the paths of the guest; a volume that is mounted nowhere
/// keeps its name in front.
fn on_disk(tree: &Tree, told: &[Files], installed: &HashSet<&str>) -> Whole {
    let mount_of = |volume: &VolumeTree| {
        let root = tree.root().is_some_and(|root| root.volume == volume.volume);
        let mount =
            tree.mounts().find(|(_, mounted)| mounted.volume == volume.volume).map(|(point, _)| point);
        match mount {
            _ if root => String::new(),
            Some(point) => format!("{point}/"),
            None => format!("{}:/", volume.volume),
        }
    };
    let places: Vec<_> =
        tree.volumes.iter().zip(told).map(|(volume, files)| (mount_of(volume), volume, files)).collect();
    let parts = places.iter().map(|(mount, volume, files)| Part {
        place: &volume.volume,
        mount: mount.clone(),
        hides: false,
        files,
        removed: &[],
        opaque: &[],
    });
    whole(&parts.collect::<Vec<_>>(), &|package| {
        if installed.contains(package) { Listing::Here } else { Listing::Nowhere }
    })
}

fn disk_report(
    case: &Case<'_>,
    (volumes, unallocated_bytes): (Vec<VolumeReport>, u64),
    documents: &Documents,
    files: &Whole,
) -> DiskReport {
    DiskReport {
        bytes: case.layout.bytes,
        data_bytes: case.layout.data_bytes,
        unallocated_bytes,
        table: table_name(case.layout.table).to_owned(),
        os: case.os.pretty_name.clone(),
        os_id: case.os.id.clone(),
        os_version: case.os.version_id.clone(),
        kernel: linux::kernel_releases(case).join(", "),
        volumes,
        packages: case.packages.len(),
        components: files.components.len(),
        sbom: documents.cyclonedx.0.clone(),
        spdx: documents.spdx.0.clone(),
        files: FilesReport::of(files),
    }
}

/// The verdict over a file that does not open as a disk. It has no subject, because there is no disk.
pub fn refused_verdict(error: &ReadError, plan: &str, knowledge: &Knowledge) -> Verdict {
    let code = match error {
        ReadError::Refused { code, .. } => code,
        ReadError::Io(_) => "",
    };
    let finding = Finding {
        required: "a disk image that is complete in one file, in the format that was declared".to_owned(),
        fix: fix_of_container(code).to_owned(),
        ..refusal(error)
    };
    let outcomes = container::refused(&finding);
    let mut verdict = Verdict::blank(String::new(), knowledge);
    verdict.findings = weighed(vec![finding], plan, knowledge);
    (verdict.checks, _) = answers(&outcomes, &verdict.findings, plan, knowledge);
    verdict
}

/// What to do about a file that does not open as a disk, by the code of its refusal.
fn fix_of_container(code: &str) -> &'static str {
    match code {
        "DSK-LUKS" | "QCW-20" => {
            "make the disk again without encryption: what nobody can read is not certified"
        }
        "DSK-01" => {
            "declare raw if the file is the disk itself, byte for byte; otherwise convert it to VHD, VHDX, qcow2, streamOptimized VMDK or raw"
        }
        "DSK-02" => "declare the format that the file has, or convert it to the one that was declared",
        "DSK-07" => {
            "declare the format that the file has; if it holds a disk image as its content, upload that image instead"
        }
        "DSK-08" => "convert the disk to VHD, VHDX, qcow2, streamOptimized VMDK or raw",
        // A part of the disk is in another file.
        "QCW-02" | "QCW-03" | "VHD-20" | "VHD-21" | "VHX-10" | "VMD-01" | "VMD-02" | "VMD-08" | "VMD-09"
        | "VMD-10" => {
            "put the whole disk into one file where all of its files are (qemu-img convert -O qcow2 IMAGE disk.qcow2), and upload that"
        }
        "QCW-16" | "QCW-17" => {
            "convert the disk to a new file (qemu-img convert -O qcow2 IMAGE disk.qcow2): snapshots and bitmaps stay behind"
        }
        "QCW-05" | "VHX-04" | "VMD-19" => {
            "shut the machine down cleanly, have the file repaired (qemu-img check -r all IMAGE), and convert it to a new one"
        }
        "VHD-01" => {
            "declare raw if the file is the disk itself; if it is a VHD, upload all of it again: it ends too early"
        }
        // What ends too early was mostly not copied to its end.
        "DSK-05" | "DSK-06" | "QCW-14" | "VHX-14" | "VMD-11" | "VMD-13" | "VMD-15" | "VMD-16" | "VHD-05"
        | "VHD-32" => {
            "compare the size of the file with that of the original: if it is shorter, upload it again, and if not, convert the original again with current tools"
        }
        _ => "convert the image again with current tools and declare the format that it has",
    }
}

/// Runs every rule that is about this disk.
fn run_rules(case: &Case<'_>, whole: bool) -> Vec<(&'static Rule, Outcome)> {
    let family = container::family_on_disk(case).or(case.claims.os_family);
    let of_system: &[Rule] = match family {
        _ if case.claims.data_disk => &[],
        Some(OsFamily::Windows) => windows::RULES,
        _ => linux::RULES,
    };
    let readable = whole && (case.tree.root().is_some() || of_system.is_empty());
    let run = |rule: &'static Rule| {
        // These can find something in what was read, but pass only over all of it.
        let scanners = matches!(rule.id, "LNX-28" | "WIN-10" | "WIN-26");
        let outcome = match readable || rule.id.starts_with("VHD-") || scanners {
            true => Some((rule.check)(case)),
            false => None,
        };
        let blind = |outcome: &Outcome| scanners && !readable && outcome.status == Status::Passed;
        // The finding that says why blocks already; without the files there is nothing to say.
        let outcome = outcome
            .filter(|outcome| !blind(outcome))
            .unwrap_or_else(|| Outcome::inconclusive("no operating system could be read to its end", ""));
        (rule, outcome)
    };
    container::RULES.iter().chain(of_system).map(run).collect()
}

/// The checks for the document, and the findings that they make.
fn answers(
    outcomes: &[(&'static Rule, Outcome)],
    known: &[Finding],
    plan: &str,
    knowledge: &Knowledge,
) -> (Vec<Check>, Vec<Finding>) {
    let mut checks = Vec::new();
    let mut all = Vec::new();
    for (rule, outcome) in outcomes {
        let raw = outcome.faults.iter().map(|fault| Finding {
            rule: if fault.advice { format!("{}-ADVICE", rule.id) } else { rule.id.to_owned() },
            severity: Severity::Error,
            place: fault.place.clone(),
            observed: fault.observed.clone(),
            required: outcome.required.clone(),
            fix: rule.fix.to_owned(),
        });
        let found = weighed(raw.collect(), plan, knowledge);
        let explained = |finding: &&Finding| finding.observed == outcome.observed;
        let result = match outcome.status {
            Status::Inconclusive => {
                known.iter().find(explained).map_or(outcome.status.name(), |finding| finding.severity.name())
            }
            Status::Found if outcome.faults.is_empty() => {
                knowledge.policy.severity(rule.id).map_or("off", Severity::name)
            }
            Status::Found => found
                .iter()
                .map(|f| f.severity)
                .max_by_key(|severity| severity.weight())
                .map_or("off", Severity::name),
            status => status.name(),
        };
        checks.push(Check {
            rule: rule.id.to_owned(),
            test_id: rule.test_id.unwrap_or_default().to_owned(),
            title: rule.title.to_owned(),
            result: result.to_owned(),
            observed: outcome.observed.clone(),
            required: outcome.required.clone(),
        });
        all.extend(found);
    }
    let blocks = |f: &&Finding| matches!(f.severity, Severity::Error | Severity::Inconclusive);
    if known.iter().chain(&all).find(blocks).is_none() {
        // A rule that nobody could decide is never a pass, and here nothing else says so.
        all.extend(undecided(&checks, plan, knowledge));
    }
    (checks, all)
}

/// The findings of rules that could not be decided.
fn undecided(checks: &[Check], plan: &str, knowledge: &Knowledge) -> Vec<Finding> {
    let open = checks.iter().filter(|check| check.result == Status::Inconclusive.name());
    let finding = |check: &Check| Finding {
        rule: "INC-11".to_owned(),
        severity: Severity::Inconclusive,
        place: Place::default(),
        observed: format!("{} could not be decided: {}", check.rule, check.observed),
        required: check.required.clone(),
        fix: "put what the rule looks for where it can be read, or ask the operator to decide".to_owned(),
    };
    weighed(open.map(finding).collect(), plan, knowledge)
}

/// Gives findings their weight. What could not be looked into is never held against the publisher.
fn weighed(findings: Vec<Finding>, plan: &str, knowledge: &Knowledge) -> Vec<Finding> {
    let weigh = |mut finding: Finding| {
        plan.clone_into(&mut finding.place.plan);
        let code = finding.rule.as_str();
        if UNREADABLE.contains(&code) || mercat_disk::INCONCLUSIVE.contains(&code) {
            return Some(Finding { severity: Severity::Inconclusive, ..finding });
        }
        knowledge.policy.weigh(finding)
    };
    let mut out: Vec<Finding> = findings.into_iter().filter_map(weigh).collect();
    out.sort();
    out.dedup();
    out
}

fn refusal(error: &ReadError) -> Finding {
    let (rule, observed) = match error {
        ReadError::Refused { code, what, offset } => (*code, format!("{what}, at byte {offset}")),
        ReadError::Io(_) => ("INC-02", error.to_string()),
    };
    Finding {
        rule: rule.to_owned(),
        severity: Severity::Error,
        place: Place::default(),
        observed,
        required: "a disk that every reader understands alike".to_owned(),
        fix: "shut the machine down cleanly and make the image again with current tools".to_owned(),
    }
}

fn unreadable(volume: &Volume) -> Option<Finding> {
    let Contents::Unreadable { what, code } = &volume.contents else { return None };
    Some(Finding {
        rule: (*code).to_owned(),
        severity: Severity::Inconclusive,
        place: Place { layer: volume.name.clone(), ..Place::default() },
        observed: format!("{what}, in the volume at byte {}", volume.start),
        required: "file systems that are read here: ext2, ext3, ext4, XFS, FAT, NTFS, ISO 9660, squashfs"
            .to_owned(),
        fix: "use file systems that are read here, without encryption: what nobody can read is not certified"
            .to_owned(),
    })
}

fn note_findings(volume: &str, facts: &LayerFacts) -> Vec<Finding> {
    let outside = volume == BESIDE_FILES;
    let note = |note: &Note| {
        // Whose key it was is not told there: libraries that were replaced leave their self-tests behind.
        let rule = if outside && note.rule == "CTR-21" { "CTR-21-UNALLOCATED" } else { &note.rule };
        let (required, fix) = match rule {
            "CTR-20" | "CTR-20-SUSPECT" | "CTR-20-SHADOW" | "CTR-21-UNALLOCATED" if outside => (
                "nothing of it on the disk, deleted or hidden".to_owned(),
                "overwrite free space with zeros (fstrim, zerofree) and make the image again; revoke what was secret",
            ),
            "CTR-20" | "CTR-20-SHADOW" => (note.required.clone(), "remove the file and make the image again"),
            "CTR-21" => (
                "no credentials on the disk".to_owned(),
                "revoke the credential, and make the image again without it",
            ),
            "CTR-21-ELF" => (
                "no credentials on the disk".to_owned(),
                "make sure that it is a published key of a self-test, or an example; if it is not, revoke it and make the image again",
            ),
            _ if note.required == READ_ALIKE => (
                "a disk that every reader understands alike".to_owned(),
                "shut the machine down cleanly and make the image again with current tools",
            ),
            _ => (note.required.clone(), note.fix.as_str()),
        };
        Finding {
            rule: rule.to_owned(),
            severity: Severity::Error,
            place: Place {
                layer: volume.to_owned(),
                path: note.path.clone(),
                file: facts.digest_of(&note.path),
                line: note.line,
                ..Place::default()
            },
            observed: note.observed.replace("in this layer", "on this volume"),
            required,
            fix: fix.to_owned(),
        }
    };
    facts.notes.iter().map(note).collect()
}

fn layout(disk: &dyn ReadAt, guest: Option<&Guest>, walks: &Walks) -> Layout {
    let files = walks.volumes.iter().flatten().map(|walked| walked.facts.file_bytes);
    Layout {
        bytes: disk.size(),
        table: guest.map_or(Table::None, |guest| guest.table),
        boot_code: guest.is_some_and(|guest| guest.boot_code),
        efi_system: guest.is_some_and(|guest| guest.efi_system),
        partitions: guest.map(|guest| guest.partitions.clone()).unwrap_or_default(),
        volumes: guest.map(|guest| guest.volumes.clone()).unwrap_or_default(),
        data_bytes: walks.measure.data_bytes,
        file_bytes: files.sum(),
    }
}

fn table_name(table: Table) -> &'static str {
    match table {
        Table::None => "none",
        Table::Mbr => "mbr",
        Table::Gpt => "gpt",
    }
}

fn volume_report(volume: &Volume, walks: &Walks, all: &[Volume]) -> VolumeReport {
    let at = all.iter().position(|other| other == volume).unwrap_or(usize::MAX);
    let facts = walks.volumes.get(at).and_then(Option::as_ref).map(|walked| &walked.facts);
    let count = |of: fn(&LayerFacts) -> u64| facts.map_or(0, of);
    VolumeReport {
        name: volume.name.clone(),
        start: volume.start,
        bytes: volume.size,
        contents: match &volume.contents {
            Contents::FileSystem(kind) => (*kind).to_owned(),
            Contents::Swap => "swap".to_owned(),
            Contents::LvmPhysical => "lvm2".to_owned(),
            Contents::Empty => "empty".to_owned(),
            Contents::Unreadable { what, .. } => what.clone(),
        },
        entries: count(|facts| facts.entries),
        files: count(|facts| facts.files),
        file_bytes: count(|facts| facts.file_bytes),
        scanned_bytes: count(|facts| facts.scanned_bytes),
        nested_bytes: count(|facts| facts.nested_bytes),
        nested_scanned_bytes: count(|facts| facts.nested_scanned_bytes),
    }
}

/// The volumes as the guest joins them.
#[derive(Default)]
struct Joined {
    tree: Tree,
    /// What their files tell, in the same order.
    told: Vec<Files>,
    /// Records of packages of other roots, with the volume.
    captured: Vec<(String, Below)>,
    doubts: Vec<Doubt>,
}

fn joined(guest: Option<&Guest>, walks: Walks) -> Joined {
    let Some(guest) = guest else { return Joined::default() };
    let mut captured = Vec::new();
    let mut trees: Vec<VolumeTree> = Vec::new();
    let mut names = Vec::new();
    let mut told = Vec::new();
    for (volume, walked) in guest.volumes.iter().zip(walks.volumes) {
        if let Some(Walked { tree, facts }) = walked {
            names.push(mounts::names(guest, volume, &tree.file_system));
            captured.extend(facts.below.into_iter().map(|one| (tree.volume.clone(), one)));
            trees.push(tree);
            told.push(facts.told);
        }
    }
    let (tree, doubts) = mounts::join(trees, &names);
    Joined { tree, told, captured, doubts }
}

/// Rules did not run, because not everything that they look at could be kept.
fn over_the_limits(observed: String) -> Finding {
    Finding {
        rule: "INC-10".to_owned(),
        severity: Severity::Inconclusive,
        place: Place::default(),
        observed,
        required: "fewer of them".to_owned(),
        fix: OURS.to_owned(),
    }
}

/// What rules cannot have seen is told as ours.
fn doubted(Doubt { place, observed }: Doubt) -> Finding {
    Finding {
        rule: "INC-11".to_owned(),
        severity: Severity::Inconclusive,
        place,
        observed,
        required: "a layout of which every part can be told apart".to_owned(),
        fix: "use one file system, and plain files where the system has them".to_owned(),
    }
}

/// The distribution and its packages.
fn installed(tree: &Tree, data_disk: bool) -> (OsRelease, Vec<Package>, Vec<Finding>) {
    let texts = ["etc/os-release", "usr/lib/os-release"].map(|path| tree.text(path));
    let (os, differs) = inventory::distribution(texts.iter().flatten().map(|text| &**text));
    let mut findings: Vec<Finding> = differs.into_iter().collect();
    let fixed = RECORDS.iter().filter(|path| !is_release(path));
    let fixed = fixed.filter_map(|path| tree.file(path));
    let records = fixed.chain(tree.below("var/lib/dpkg/status.d"));
    let records = records_of(records, &mut findings);
    let Databases { packages, formats, findings: found } = Databases::of(borrowed(&records));
    findings.extend(found);
    let windows = tree.root().is_some_and(|root| root.file_system == "ntfs");
    let without = data_disk || windows || tree.root().is_none();
    findings.extend(inventory::check_formats(&os, &formats, &packages, without));
    findings.extend(inventory::check_others(&formats, |directory| tree.below(directory).next().is_some()));
    (os, packages, findings)
}

/// The packages of other roots: of containers and archives, and of systems on volumes that nothing mounts.
fn other_roots(tree: &Tree, captured: &[(String, Below)], findings: &mut Vec<Finding>) -> Vec<Rooted> {
    let mut roots = Vec::new();
    let is_other = |volume: &&VolumeTree| tree.root().is_none_or(|root| root.volume != volume.volume);
    for volume in tree.volumes.iter().filter(is_other) {
        let fixed = RECORDS.iter().filter_map(|path| volume.get(path));
        let records = fixed.chain(volume.below("var/lib/dpkg/status.d"));
        let records = records_of(records.map(|node| Found { volume, node }), findings);
        let (root, found) = Root::of(&volume.volume, borrowed(&records));
        findings.extend(found);
        roots.push(root);
    }
    let mut records: BTreeMap<(&str, &str, bool), Vec<&Below>> = BTreeMap::new();
    for (volume, below) in captured {
        let root = root_of_record(&below.path).unwrap_or_default();
        records.entry((volume, root, below.file.is_some())).or_default().push(below);
    }
    for ((volume, root, _), records) in records {
        // Two volumes may have the same directories.
        let root = if tree.root().is_some_and(|first| first.volume == volume) {
            root.to_owned()
        } else {
            format!("{volume}/{root}")
        };
        let place =
            |path: &str| Place { layer: volume.to_owned(), path: path.to_owned(), ..Place::default() };
        let (root, found) = Root::of(&root, records.iter().map(|of| (place(&of.path), &of.record)));
        findings.extend(found);
        roots.push(root);
    }
    let (rooted, found) = Root::settle(roots);
    findings.extend(found);
    rooted
}

/// Records as they are on a volume. What a database has not put into its main file yet is told.
fn records_of<'t>(
    files: impl Iterator<Item = Found<'t>>,
    findings: &mut Vec<Finding>,
) -> Vec<(Place, Record)> {
    let mut records = Vec::new();
    let mut seen = BTreeSet::new();
    for found in files {
        let place = found.place();
        if !seen.insert((place.layer.clone(), place.path.clone())) || !found.node.is_file() {
            continue;
        }
        let path = found.node.path.as_str();
        let logs = [format!("{path}-wal"), format!("{path}-journal")];
        let logs = logs.iter().filter_map(|log| found.volume.get(log)).filter(|log| log.size > 0);
        let updates = found.volume.below(&path.replace("dpkg/status", "dpkg/updates"));
        let updates = updates.filter(|node| path.ends_with("dpkg/status") && node.size > 0);
        for log in logs.chain(updates) {
            let Note { rule, observed, required, fix, .. } = Note::unmerged(&log.path);
            let severity = Severity::Inconclusive;
            findings.push(Finding { rule, severity, place: place.clone(), observed, required, fix });
        }
        let Some(bytes) = &found.node.content else { continue };
        match Record::of(path, bytes) {
            Ok(record) => records.push((place, record)),
            Err(finding) => findings.push(Finding { place, ..*finding }),
        }
    }
    records
}

fn borrowed(records: &[(Place, Record)]) -> impl Iterator<Item = (Place, &Record)> {
    records.iter().map(|(place, record)| (place.clone(), record))
}
