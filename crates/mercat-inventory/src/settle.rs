//! What several files of one place say about the same thing.

use crate::{Component, Evidence};
use std::collections::{BTreeMap, BTreeSet};

/// Weighs evidence: the name of a jar counts where nothing inside names it, its manifest where no Maven coordinates in it
/// are its own, which have its name or its version: others are of what it was built from. `pom.xml` gives its licence to the coordinates beside it. One component that
/// several files of one archive name is told once. What nothing explains is kept, never guessed away.
pub fn settle(found: Vec<Component>) -> Vec<Component> {
    let licences = licences(&found);
    let roots: BTreeMap<String, Vec<String>> = (found.iter())
        .filter(|c| c.evidence == Evidence::Classes)
        .map(|c| (c.path.clone(), c.roots.clone()))
        .collect();
    let of_archives = |evidence: Evidence| {
        let told = found
            .iter()
            .filter(move |c| c.kind == "maven" && c.evidence == evidence && !c.version.is_empty());
        told.filter_map(|c| Some((archive_of(&c.path)?.to_owned(), c)))
    };
    // By archive: artifacts, and the words of those of each version.
    let mut artifacts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut versions: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for (archive, one) in of_archives(Evidence::Installed) {
        let artifact = one.name.rsplit(':').next().unwrap_or_default();
        versions.entry((archive.clone(), one.version.clone())).or_default().extend(words(artifact));
        artifacts.entry(archive).or_default().insert(artifact.to_owned());
    }
    let with_manifest: BTreeSet<String> =
        of_archives(Evidence::Manifest).map(|(archive, _)| archive).collect();
    let names_itself = |archive: &str, one: &Component| {
        let file = crate::java::name(archive);
        let mut names = file.iter().chain([one]).map(|one| one.name.as_str());
        let of_version = versions.get(&(archive.to_owned(), one.version.clone()));
        names.any(|name| {
            artifacts.get(archive).is_some_and(|all| all.contains(name))
                || of_version.is_some_and(|all| words(name).any(|word| all.contains(&word)))
        })
    };
    let mut out: Vec<Component> = Vec::new();
    for mut component in found {
        let keep = match component.evidence {
            Evidence::Manifest if component.version.is_empty() => false,
            Evidence::Manifest => match archive_of(&component.path) {
                Some(archive) => !names_itself(archive, &component),
                // A manifest that lies in a directory is that of an unpacked application.
                None => true,
            },
            Evidence::Name if component.kind == "maven" => {
                !with_manifest.contains(&component.path) && !names_itself(&component.path, &component)
            }
            Evidence::Classes => false,
            _ => true,
        };
        if !keep {
            continue;
        }
        if component.licence.is_empty()
            && component.kind == "maven"
            && let Some((directory, _)) = component.path.rsplit_once('/')
            && let Some(licence) = licences.get(directory)
        {
            component.licence.clone_from(licence);
        }
        if component.kind == "maven" && matches!(component.evidence, Evidence::Manifest | Evidence::Name) {
            let archive = archive_of(&component.path).filter(|_| component.evidence == Evidence::Manifest);
            let known = roots.get(archive.unwrap_or(&component.path));
            component.roots = known.cloned().unwrap_or_default();
        }
        out.push(component);
    }
    out.sort();
    out.dedup_by(|one, other| {
        let same = one.kind == other.kind && one.name == other.name && one.version == other.version;
        same && one.path == other.path && one.evidence == other.evidence
    });
    out
}

/// The words of a name, in small letters.
fn words(name: &str) -> impl Iterator<Item = String> {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 1);
    words.map(str::to_lowercase)
}

/// Licences of `pom.xml`, by their directory.
fn licences(found: &[Component]) -> BTreeMap<String, String> {
    let poms =
        found.iter().filter(|c| c.kind == "maven" && c.version.is_empty() && c.path.ends_with("/pom.xml"));
    let by_directory = |pom: &Component| {
        let (directory, _) = pom.path.rsplit_once('/')?;
        Some((directory.to_owned(), pom.licence.clone()))
    };
    poms.filter_map(by_directory).collect()
}

/// The archive that a member is in.
fn archive_of(path: &str) -> Option<&str> {
    path.rsplit_once("!/").map(|(archive, _)| archive)
}
