//! Java archives without a group, such as Spring's: advisories know a package by its group and name.

use crate::Knowledge;
use crate::advisories::{SnapshotError, root_of};
use mercat_inventory::{Component, artifacts};
use std::collections::BTreeSet;

/// What an archive is taken for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Packages that there are advisories about, with their group, and the version that it has.
    Known(Vec<String>, String),
    /// No advisory is about a package that it could be.
    Unheard,
    /// It may be one that there are advisories about.
    Unclear,
}

/// Asks the advisories in which groups there is a package of the archive's name, and takes those whose classes it has.
pub(super) fn identity(
    component: &Component,
    ecosystem: &str,
    knowledge: &Knowledge,
) -> Result<Identity, SnapshotError> {
    let Some(snapshot) = knowledge.advisories.snapshot() else { return Ok(Identity::Unclear) };
    let artifacts = artifacts(component);
    let mut known = BTreeSet::new();
    let mut elsewhere = false;
    let names: BTreeSet<&String> = artifacts.iter().map(|(name, _)| name).collect();
    for artifact in names {
        let groups = snapshot.groups_of(ecosystem, artifact)?;
        let alone = groups.len() == 1;
        for group in groups {
            let of_classes = component.roots.iter().any(|root| root_of(root) == root_of(&group));
            // Bundles are named by both (OSGi), and old packages of a name of their own by that twice (log4j:log4j).
            let of_bundle = component.name == format!("{group}.{artifact}");
            if of_classes || of_bundle || alone && group == *artifact {
                known.insert(format!("{group}:{artifact}"));
            } else {
                elsewhere = true;
            }
        }
    }
    let version = artifacts.iter().map(|(_, version)| version).find(|version| !version.is_empty());
    if let Some(version) = version.filter(|_| !known.is_empty()) {
        return Ok(Identity::Known(known.into_iter().collect(), version.clone()));
    }
    if elsewhere || !known.is_empty() {
        return Ok(Identity::Unclear);
    }
    for root in &component.roots {
        // Others of this maker are known: then two must say what it is called, not to miss one by another name.
        if snapshot.has_root(ecosystem, root_of(root))? {
            let is_agreed = artifacts.iter().skip(1).any(|(_, version)| *version == component.version);
            return Ok(if is_agreed { Identity::Unheard } else { Identity::Unclear });
        }
    }
    Ok(if component.roots.is_empty() { Identity::Unclear } else { Identity::Unheard })
}
