//! Java archives without coordinates, such as Spring's: advisories know a package by its group and name.

use crate::Knowledge;
use crate::advisories::{Snapshot, SnapshotError, root_of};
use mercat_inventory::{Component, artifacts};
use std::collections::{BTreeMap, BTreeSet};

/// Hosts that many share: whose a group is tells its third word.
const SHARED: [&str; 6] =
    ["com.github", "io.github", "com.gitlab", "org.apache", "org.eclipse", "com.google"];

/// What an archive is taken for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Packages that there are advisories about, as `group:name`, with the version that it has as that.
    Known(BTreeMap<String, String>),
    /// It is known by the name that it has, or no advisory is about anything of whoever made it.
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
    // Some manifests tell the maker, and a title that is for people.
    let (maker, title) = match component.name.split_once(':') {
        Some((maker, title)) => (Some(maker), title),
        None => (None, component.name.as_str()),
    };
    if maker.is_some() && !snapshot.package(ecosystem, &component.name)?.is_empty() {
        return Ok(Identity::Unheard);
    }
    let roots: Vec<&str> = component.roots.iter().map(String::as_str).chain(maker).collect();
    let mut known = BTreeMap::new();
    let mut elsewhere = false;
    for (artifact, version) in artifacts(component).into_iter().flat_map(spellings) {
        let artifact = artifact.strip_prefix(&format!("{}:", maker.unwrap_or_default())).unwrap_or(&artifact);
        let groups = snapshot.groups_of(ecosystem, artifact)?;
        let alone = groups.len() == 1;
        for group in groups {
            // Bundles are named by both (OSGi), and old packages of a name of their own by that twice (log4j:log4j).
            let bundle = format!("{group}.{artifact}");
            let of_bundle = title == bundle || component.also.contains(&bundle);
            if is_of(&group, artifact, &roots) || of_bundle || alone && group == artifact {
                let version = if version.is_empty() { &component.version } else { &version };
                known.insert(format!("{group}:{artifact}"), version.clone());
            } else {
                elsewhere = true;
            }
        }
    }
    if known.values().any(|version| !version.is_empty()) {
        return Ok(Identity::Known(known));
    }
    if is_text(component) {
        return Ok(Identity::Unheard);
    }
    let is_heard = elsewhere || !known.is_empty() || any_heard(snapshot, ecosystem, &roots, title)?;
    Ok(if is_heard || component.roots.is_empty() { Identity::Unclear } else { Identity::Unheard })
}

/// Whether an archive is one of sources or documentation by its name, and no class is in it.
fn is_text(component: &Component) -> bool {
    let path = component.path.strip_suffix("!/META-INF/MANIFEST.MF").unwrap_or(&component.path);
    component.roots.is_empty() && ["-sources.jar", "-javadoc.jar"].iter().any(|end| path.ends_with(end))
}

/// A name as it is, and as repositories write such: modules have points where those have dashes.
fn spellings((name, version): (String, String)) -> impl Iterator<Item = (String, String)> {
    let lower = name.to_lowercase();
    let names = BTreeSet::from([lower.replace('.', "-"), lower, name]);
    names.into_iter().map(move |name| (name, version.clone()))
}

/// Whether classes or a maker with these roots are of a group, of which there is a package of this name.
fn is_of(group: &str, artifact: &str, roots: &[&str]) -> bool {
    let third = |text: &str| text.split('.').nth(2).map(str::to_owned);
    let is_shared = SHARED.contains(&root_of(group));
    roots.iter().filter(|root| root_of(root) == root_of(group)).any(|root| {
        let whose = third(group);
        !is_shared || whose == third(root) || whose.is_some_and(|whose| artifact.contains(&whose))
    })
}

/// Whether there are advisories about others of whoever made it, by its classes or a name that is as theirs.
fn any_heard(
    snapshot: &Snapshot,
    ecosystem: &str,
    roots: &[&str],
    title: &str,
) -> Result<bool, SnapshotError> {
    let title = Some(title).filter(|title| title.contains('.'));
    for root in roots.iter().copied().chain(title) {
        if snapshot.has_root(ecosystem, root_of(root))? {
            return Ok(true);
        }
    }
    Ok(false)
}
