//! Rules on the container and the shape of a disk: VHD-01 to VHD-15 (domain 5.1).

use super::rule::{Case, Fault, Outcome, Rule};
use super::{Bounds, OsFamily};
use mercat_disk::Format;
use mercat_domain::finding::{Finding, Place};
use mercat_guest::{Contents, Table};

const MIB: u64 = 1 << 20;

const fn rule(
    id: &'static str,
    title: &'static str,
    fix: &'static str,
    check: fn(&Case<'_>) -> Outcome,
) -> Rule {
    Rule { id, test_id: None, title, fix, check }
}

/// The rules, in the order of their numbers.
pub const RULES: &[Rule] = &[
    rule("VHD-01", "VHD footer", "re-create the image with a tool that writes VHD files", |_| {
        Outcome::passed(OPENED, "a container that is what it says")
    }),
    rule("VHD-02", "Fixed disk", "convert the image to a fixed VHD", fixed),
    rule("VHD-03", "Least size", "make the disk larger", least_size),
    rule(
        "VHD-04",
        "Whole MiB",
        "resize the raw disk to a whole number of MiB, and convert it to exactly that size (qemu-img: -o subformat=fixed,force_size=on)",
        whole_mib,
    ),
    rule("VHD-05", "Length of the file", "convert the image again, and upload all of it", |_| {
        Outcome::passed(OPENED, "a file as long as its container says")
    }),
    rule("VHD-06", "Footer checksum", "re-create the image; something changed the footer", |_| {
        Outcome::passed(OPENED, "right checksums")
    }),
    rule(
        "VHD-07",
        "Generation",
        "install a boot loader: boot code in the master boot record, or one on an EFI system partition",
        generation,
    ),
    rule("VHD-08", "First MiB free", "let the first partition begin at sector 2048 or behind it", first_mib),
    rule("VHD-09", "Size of an operating system disk", "resize the disk", system_size),
    rule("VHD-10", "Size of a data disk", "resize the disk", data_size),
    rule(
        "VHD-11",
        "Sparse where possible",
        "delete what is not needed and write zeros over free space (fstrim, zerofree) before making the image",
        sparse,
    ),
    rule(
        "VHD-12",
        "Order of data disks",
        "number the data disks 0, 1, 2 and so on, as many as in the version before",
        data_disks,
    ),
    rule(
        "VHD-13",
        "Operating system as declared",
        "correct the operating system of the plan, or upload its right disk",
        declared_system,
    ),
    rule(
        "VHD-14",
        "Very large image",
        "make the disk smaller, or ask the operator for an exception",
        very_large,
    ),
    rule("VHD-15", "Disk container", "upload VHD, VHDX, qcow2, VMDK or raw, declared as what it is", |_| {
        Outcome::passed("a container that is supported", "VHD, VHDX, qcow2, VMDK or raw")
    }),
];

const OPENED: &str = "the container opened without a contradiction";

/// How the rules come out over a file that did not open.
pub fn refused(finding: &Finding) -> Vec<(&'static Rule, Outcome)> {
    let broken = match finding.rule.as_str() {
        code @ ("VHD-01" | "VHD-05" | "VHD-06") => code,
        "VHD-20" | "VHD-21" | "VHD-22" => "VHD-02",
        _ => "VHD-15",
    };
    let ours = mercat_disk::INCONCLUSIVE.contains(&finding.rule.as_str()) || finding.rule == "INC-02";
    let outcome = |rule: &Rule| match rule.id == broken {
        true if ours => Outcome::inconclusive(finding.observed.clone(), ""),
        true => Outcome::elsewhere(finding.observed.clone(), finding.required.clone()),
        false => Outcome::inconclusive("the disk could not be opened", ""),
    };
    RULES.iter().map(|rule| (rule, outcome(rule))).collect()
}

/// The operating system that the disk holds.
pub fn family_on_disk(case: &Case<'_>) -> Option<OsFamily> {
    let root = case.tree.root()?;
    Some(if root.file_system == "ntfs" { OsFamily::Windows } else { OsFamily::Linux })
}

fn here() -> Place {
    Place::default()
}

/// Bytes for people.
pub fn size(bytes: u64) -> String {
    const GIB: u64 = 1 << 30;
    match bytes {
        bytes if bytes >= GIB && bytes.is_multiple_of(GIB) => format!("{} GiB", bytes / GIB),
        bytes if bytes >= MIB && bytes.is_multiple_of(MIB) => format!("{} MiB", bytes / MIB),
        bytes => format!("{bytes} bytes"),
    }
}

fn between(bounds: Bounds) -> String {
    format!("{} to {}", size(bounds.least), size(bounds.most))
}

fn fixed(case: &Case<'_>) -> Outcome {
    match case.facts.format {
        Format::VhdDynamic => Outcome::found(here(), "a dynamic VHD", "a fixed VHD"),
        // One text for all others: the verdict must not depend on the container.
        _ => Outcome::passed("not a dynamic or differencing disk", "a fixed VHD"),
    }
}

fn least_size(case: &Case<'_>) -> Outcome {
    let least = case.policy.disk_bytes_min;
    let (observed, required) = (size(case.layout.bytes), format!("at least {}", size(least)));
    if case.layout.bytes < least {
        return Outcome::found(here(), observed, required);
    }
    Outcome::passed(observed, required)
}

fn whole_mib(case: &Case<'_>) -> Outcome {
    let bytes = case.layout.bytes;
    let required = "a size that is a whole number of MiB";
    if bytes.is_multiple_of(MIB) {
        return Outcome::passed(size(bytes), required);
    }
    match case.facts.format {
        Format::VhdFixed | Format::VhdDynamic => Outcome::found(here(), format!("{bytes} bytes"), required),
        _ => Outcome::passed(format!("{bytes} bytes, rounded up where a VHD is written"), required),
    }
}

fn generation(case: &Case<'_>) -> Outcome {
    if case.claims.data_disk {
        return Outcome::not_applicable("a data disk");
    }
    let (mut able, layout) = (Vec::new(), case.layout);
    if layout.boot_code && (layout.table == Table::Mbr || has_bios_partition(case)) {
        able.push(1);
    }
    if layout.efi_system {
        able.push(2);
    }
    let names =
        |list: &[u8]| list.iter().map(|one| format!("generation {one}")).collect::<Vec<_>>().join(", ");
    let observed = if able.is_empty() {
        "neither boot code in the master boot record nor an EFI system partition".to_owned()
    } else {
        names(&able)
    };
    let required = names(&case.policy.generations).replace(", ", " or ");
    if able.iter().any(|one| case.policy.generations.contains(one)) {
        return Outcome::passed(observed, required);
    }
    Outcome::found(here(), observed, required)
}

/// A GPT disk starts by BIOS when its boot loader has a partition of its own.
fn has_bios_partition(case: &Case<'_>) -> bool {
    const BIOS_BOOT: &str = "21686148-6449-6e6f-744e-656564454649";
    case.layout.partitions.iter().any(|partition| partition.type_id == BIOS_BOOT || partition.bootable)
}

fn first_mib(case: &Case<'_>) -> Outcome {
    if case.claims.data_disk {
        return Outcome::not_applicable("a data disk");
    }
    let required = "nothing but the partition table in the first 1 MiB";
    let first = match case.layout.table {
        Table::None => {
            case.layout.volumes.iter().filter(|v| v.contents != Contents::Empty).map(|v| v.start).min()
        }
        Table::Mbr | Table::Gpt => case.layout.partitions.iter().map(|partition| partition.start).min(),
    };
    match first {
        Some(start) if start < MIB => {
            Outcome::found(here(), format!("a partition or volume that begins at byte {start}"), required)
        }
        Some(start) => Outcome::passed(format!("the first partition begins at {}", size(start)), required),
        None => Outcome::passed("no partitions", required),
    }
}

fn system_size(case: &Case<'_>) -> Outcome {
    if case.claims.data_disk {
        return Outcome::not_applicable("a data disk");
    }
    let policy = case.policy;
    let windows = family_on_disk(case).or(case.claims.os_family) == Some(OsFamily::Windows);
    let (bounds, advised) = match windows {
        true => (policy.windows_bytes, policy.windows_bytes_advised),
        false => (policy.linux_bytes, policy.linux_bytes_advised),
    };
    let bytes = case.layout.bytes;
    if !bounds.holds(bytes) {
        return Outcome::found(here(), size(bytes), between(bounds));
    }
    if !advised.holds(bytes) {
        return Outcome::advice(here(), size(bytes), format!("{} is advised", between(advised)));
    }
    Outcome::passed(size(bytes), between(bounds))
}

fn data_size(case: &Case<'_>) -> Outcome {
    if !case.claims.data_disk {
        return Outcome::not_applicable("an operating system disk");
    }
    let (bytes, bounds) = (case.layout.bytes, case.policy.data_bytes);
    match bounds.holds(bytes) {
        true => Outcome::passed(size(bytes), between(bounds)),
        false => Outcome::found(here(), size(bytes), between(bounds)),
    }
}

fn sparse(case: &Case<'_>) -> Outcome {
    let unheld = case.layout.data_bytes.saturating_sub(case.layout.file_bytes);
    let observed = format!("{unheld} bytes that are not zero and in no file");
    let required = format!("at most {}", size(case.policy.unheld_bytes_max));
    match unheld > case.policy.unheld_bytes_max {
        true => Outcome::found(here(), observed, required),
        false => Outcome::passed(observed, required),
    }
}

fn data_disks(case: &Case<'_>) -> Outcome {
    let luns = &case.claims.data_disk_luns;
    if luns.is_empty() && case.claims.data_disks_before.unwrap_or(0) == 0 {
        return Outcome::not_applicable("no data disks");
    }
    let most = case.policy.data_disks_max;
    let mut sorted = luns.clone();
    sorted.sort_unstable();
    let in_order = sorted.iter().enumerate().all(|(at, lun)| usize::try_from(*lun) == Ok(at));
    let mut faults = Vec::new();
    let mut fault = |observed: String| faults.push(Fault { place: here(), observed, advice: false });
    if !in_order {
        fault(format!("data disks with the numbers {luns:?}"));
    }
    if luns.len() > most {
        fault(format!("{} data disks", luns.len()));
    }
    if let Some(before) = case.claims.data_disks_before.filter(|before| *before != luns.len()) {
        fault(format!("{} data disks, {before} in the version before", luns.len()));
    }
    let required = format!("0, 1, 2 and so on, at most {most}, as many as in the version before");
    Outcome::judged(faults, format!("{} data disks in order", luns.len()), required)
}

fn declared_system(case: &Case<'_>) -> Outcome {
    if case.claims.data_disk {
        return Outcome::not_applicable("a data disk");
    }
    let declared = case.claims.os_family;
    let required = declared.map_or("an operating system", OsFamily::name);
    match family_on_disk(case) {
        Some(found) if declared.is_none_or(|declared| declared == found) => {
            Outcome::passed(found.name(), required)
        }
        Some(found) => Outcome::found(here(), format!("{} on the disk", found.name()), required),
        None if has_unreadable(case) => {
            Outcome::inconclusive("a volume that could hold the operating system cannot be read", required)
        }
        None => Outcome::found(here(), "no operating system on the disk", required),
    }
}

/// Whether something on the disk could not be looked into, or its files not to the end.
fn has_unreadable(case: &Case<'_>) -> bool {
    let hidden = |contents: &Contents| matches!(contents, Contents::Unreadable { .. });
    let scanners = ["CTR-", "PKG-", "INC-"];
    // More files than can be kept: of which is the operating system, nothing is known.
    let too_many = |finding: &Finding| finding.rule == "INC-10";
    let refused = |finding: &Finding| {
        too_many(finding) || !scanners.iter().any(|family| finding.rule.starts_with(family))
    };
    case.layout.volumes.iter().any(|volume| hidden(&volume.contents)) || case.findings.iter().any(refused)
}

fn very_large(case: &Case<'_>) -> Outcome {
    let layout = case.layout;
    let observed = format!("{}, of which {} bytes are data", size(layout.bytes), layout.data_bytes);
    let required = format!("at most {}, or a reason", size(case.policy.justify_bytes));
    match layout.bytes > case.policy.justify_bytes {
        true => Outcome::found(here(), observed, required),
        false => Outcome::passed(observed, required),
    }
}
