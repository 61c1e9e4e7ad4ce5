//! How the disk is divided: LNX-04, 05 and 18.

use super::{Case, Faults, Found, Outcome};
use crate::is_swap;
use crate::mounts::fstab;
use mercat_domain::finding::Place;
use mercat_guest::Contents;

const LINUX_SWAP: [&str; 2] = ["0x82", "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"];
const LINUX_LVM: [&str; 2] = ["0x8e", "e6d6d379-f507-44c2-a23c-238f2a3df928"];

fn on(volume: &str) -> Place {
    Place { layer: volume.to_owned(), ..Place::default() }
}

/// LNX-04: no swap partition, volume or file, and none wanted by `fstab`.
pub(super) fn swap(case: &Case<'_>) -> Outcome {
    let mut faults = Faults::default();
    let mut named = Vec::new();
    for partition in &case.layout.partitions {
        if LINUX_SWAP.contains(&partition.type_id.as_str()) {
            let name = format!("part{}", partition.number);
            faults.add(on(&name), "a swap partition");
            named.push(name);
        }
    }
    for volume in &case.layout.volumes {
        if volume.contents == Contents::Swap && !named.contains(&volume.name) {
            faults.add(on(&volume.name), "swap space");
        }
    }
    for found in case.tree.all().filter(|found| found.node.is_file() && is_swap(found.node.bytes())) {
        faults.at(&found, "a swap file");
    }
    if let Some(found) = case.tree.file("etc/fstab") {
        for entry in fstab(&found.node.text()).iter().filter(|entry| entry.kind == "swap") {
            // Compressed memory is no swap on the disk.
            if !entry.source.contains("zram") {
                faults.at(&found, format!("a swap line for {}", entry.source));
            }
        }
    }
    let is_masked = |found: &Found<'_>| found.node.link == "/dev/null";
    let units = case.tree.below("etc/systemd/system").filter(|found| found.node.name().ends_with(".swap"));
    for found in units.filter(|found| !is_masked(found)) {
        faults.at(&found, "a unit that uses swap");
    }
    faults.judge("No. of Swap Partitions: 0", "no swap on the operating system disk")
}

/// LNX-05: the root file system is the only one beside what booting needs.
pub(super) fn one_root(case: &Case<'_>) -> Outcome {
    let mounts = case.tree.mounts().filter(|(point, _)| !point.is_empty());
    let apart = mounts.filter(|(point, _)| !["boot", "boot/efi", "efi", "boot/firmware"].contains(point));
    let mut faults = Faults::default();
    for (point, volume) in apart {
        faults.add(on(&volume.volume), format!("/{point} on a volume of its own"));
    }
    faults.judge("No. of Root Partitions: 1", "one root partition")
}

/// LNX-18: no LVM.
pub(super) fn lvm(case: &Case<'_>) -> Outcome {
    let mut faults = Faults::default();
    let volumes = case.layout.volumes.iter().filter(|volume| volume.contents == Contents::LvmPhysical);
    let mut names: Vec<String> = volumes.map(|volume| volume.name.clone()).collect();
    for partition in &case.layout.partitions {
        let name = format!("part{}", partition.number);
        if LINUX_LVM.contains(&partition.type_id.as_str()) && !names.contains(&name) {
            names.push(name);
        }
    }
    names.iter().for_each(|name| faults.add(on(name), "LVM"));
    faults.judge("no LVM", "no LVM on the operating system disk")
}
