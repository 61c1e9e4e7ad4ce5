//! From the facts of layers to the findings of an image.

use super::{Facts, Image, start};
use crate::facts::{Below, Captured, LayerFacts, Note, facts_key};
use crate::files::key_of;
use crate::files::whole::{Listing, Part, Whole, whole};
use crate::inventory::{Databases, Record, Root, Rooted};
use crate::scan::NOTES_OF_RULE_MAX;
use crate::verdict::{FilesReport, ImageReport, LayerReport};
use crate::vulnerabilities::{self, Installed, Statements};
use crate::{Knowledge, documents, inventory, links};
use mercat_artifact::pkgdb::{OsRelease, Package, is_release, root_of_record};
use mercat_domain::finding::{Finding, Place, Severity};
use mercat_inventory::{Component, Evidence};
use mercat_machine::accounts::ROOTS_MAX;
use mercat_secrets::Writing;
use std::collections::{BTreeMap, BTreeSet, HashSet};

pub(super) struct Composed {
    pub(super) findings: Vec<Finding>,
    /// The statements of [`Knowledge::vex`] that are about something in it.
    pub(super) statements: Statements,
    pub(super) report: ImageReport,
    /// Bills of materials by digest.
    pub(super) sboms: Vec<(String, String)>,
}

/// What package managers installed.
struct Inventory {
    os: OsRelease,
    packages: Vec<Package>,
    /// Packages that only lower layers have: their bytes are still there.
    gone: Vec<Package>,
    /// Those of other roots.
    rooted: Vec<Rooted>,
}

/// Records of other roots in one image that are looked at.
const RECORDS_MAX: usize = 5_000;

/// A record of another root, and the layer that it is in.
struct OfRoot<'f> {
    layer: &'f str,
    below: &'f Below,
    removed: bool,
    /// Keys of its root, or of the archive that has it, and of the directories above.
    root: Vec<u64>,
    /// Keys of itself and of the directories above.
    path: Vec<u64>,
}

impl<'f> OfRoot<'f> {
    fn new(layer: &'f str, below: &'f Below) -> Self {
        let keys = |path: &str| {
            let above = path.match_indices('/').map(|(at, _)| key_of(&path[..at], false));
            above.chain([key_of(path, false)]).collect()
        };
        let root = below.file.as_deref().or_else(|| root_of_record(&below.path)).unwrap_or_default();
        Self { layer, below, removed: false, root: keys(root), path: keys(&below.path) }
    }
}

/// What a layer takes away from those below it, by keys of paths.
struct Cut<'f> {
    facts: &'f LayerFacts,
    removed: HashSet<u64>,
    opaque: HashSet<u64>,
}

impl<'f> Cut<'f> {
    fn of(facts: &'f LayerFacts) -> Self {
        let set = |paths: &[String]| paths.iter().map(|path| key_of(path, false)).collect();
        Self { facts, removed: set(&facts.removed), opaque: set(&facts.opaque) }
    }

    /// Whether the root of a record, or the archive that has it, goes with all that is in it: it is removed, or something
    /// else is in its place or in that of a directory above.
    fn takes_root(&self, record: &OfRoot<'_>) -> bool {
        let is_archive = record.below.file.is_some();
        let last = record.root.len().saturating_sub(1);
        let goes = |(at, key): (usize, &u64)| {
            self.removed.contains(key)
                || self.facts.told.has_key(*key)
                || self.opaque.contains(key) && !(is_archive && at == last)
        };
        self.opaque.contains(&key_of("", false)) || record.root.iter().enumerate().any(goes)
    }

    /// Whether a record alone goes, or a directory of its root.
    fn takes_record(&self, record: &OfRoot<'_>) -> bool {
        let goes = |key: &u64| self.removed.contains(key) || self.opaque.contains(key);
        record.below.file.is_none() && record.path.iter().any(goes)
    }
}

struct Composer<'a> {
    image: &'a Image,
    knowledge: &'a Knowledge,
    findings: Vec<Finding>,
}

/// How the places in an image's history begin.
const OF_HISTORY: &str = "config: history";

/// What an attestation says is in the image that it is about.
pub(super) fn claims(attestation: &Image, facts: &Facts, knowledge: &Knowledge) -> Vec<Component> {
    let engines = knowledge.engine_digest();
    let mut out = Vec::new();
    for layer in &attestation.layers {
        let digest = &layer.descriptor.digest;
        let Some(Some(facts)) = facts.get(&facts_key(digest, layer.compression, &engines)) else { continue };
        let claims = facts.told.components.iter().filter(|component| component.evidence == Evidence::Claim);
        let path = format!("attestation {digest}");
        out.extend(claims.map(|component| Component { path: path.clone(), ..component.clone() }));
    }
    out
}

/// Judges one image; `claims` are what attestations say is in it.
pub(super) fn compose(
    image: &Image,
    claims: Vec<Component>,
    facts: &Facts,
    knowledge: &Knowledge,
) -> Composed {
    let mut composer = Composer { image, knowledge, findings: Vec::new() };
    let engines = knowledge.engine_digest();
    let mut layers = Vec::new();
    let mut reports = Vec::new();
    for (at, layer) in image.layers.iter().enumerate() {
        let digest = layer.descriptor.digest.as_str();
        let Some(Some(facts)) = facts.get(&facts_key(&layer.descriptor.digest, layer.compression, &engines))
        else {
            composer.layer_finding("CTR-13", digest, format!("{digest} is missing"), "every layer");
            continue;
        };
        composer.check_layer(at, digest, layer.descriptor.size, facts);
        reports.push(LayerReport {
            digest: digest.to_owned(),
            diff_id: facts.diff_id.clone(),
            packed_bytes: facts.packed_bytes,
            files: facts.files,
            file_bytes: facts.file_bytes,
            scanned_bytes: facts.scanned_bytes,
            nested_bytes: facts.nested_bytes,
            nested_scanned_bytes: facts.nested_scanned_bytes,
        });
        layers.push((digest, facts));
    }
    let unpacked: u64 = layers.iter().map(|(_, facts)| facts.unpacked_bytes).sum();
    let max = knowledge.policy.limits.image_unpacked_bytes;
    if unpacked > max {
        let required = format!("at most {max} bytes in all layers");
        composer.add("CTR-29", Place::default(), format!("{unpacked} bytes"), &required, "make it smaller");
    }
    composer.check_config();
    let Inventory { os, mut packages, gone, rooted } = composer.inventory(&layers);
    let names =
        |of: &[Package]| -> HashSet<String> { of.iter().map(|package| package.name.clone()).collect() };
    let (here, below) = (names(&packages), names(&gone));
    let mut whole = composer.files(&layers, &|package| match package {
        _ if here.contains(package) => Listing::Here,
        _ if below.contains(package) => Listing::Below,
        _ => Listing::Nowhere,
    });
    let (left_behind, gone): (Vec<Package>, _) =
        gone.into_iter().partition(|package| whole.left_behind.contains(&package.name));
    composer.check_left_behind(&left_behind);
    packages.extend(left_behind);
    packages.sort();
    composer.check_user(&whole.roots);
    composer.check_start(&layers, [whole.users.as_ref(), whole.groups.as_ref()]);
    let of_distribution =
        |package: &str| vulnerabilities::is_of_distribution(&os, &packages, package, knowledge);
    whole.keys_of_packages(&mut composer.findings, of_distribution);
    whole.gone = gone;
    whole.components.extend(claims);
    let mut statements = Statements::default();
    if !image.attestation {
        let digests = [image.manifest.to_string()];
        let installed =
            Installed { os: &os, packages: &packages, components: &whole.components, digests: &digests };
        let judged = vulnerabilities::judge(&installed, knowledge);
        let of_roots = vulnerabilities::judge_rooted(&rooted, &digests, knowledge);
        statements = judged.statements;
        statements.extend(of_roots.statements);
        judged.findings.into_iter().chain(of_roots.findings).for_each(|finding| composer.adopt(finding));
    }
    let subject = ("container", image.manifest.as_str());
    let documents = documents::write(subject, &os, &packages, &rooted, &whole);
    Composed {
        findings: composer.findings,
        statements,
        report: ImageReport {
            platform: image.platform.clone(),
            manifest: image.manifest.to_string(),
            layers: reports,
            packages: packages.len() + rooted.iter().map(|root| root.packages.len()).sum::<usize>(),
            components: whole.components.len(),
            sbom: documents.cyclonedx.0.clone(),
            spdx: documents.spdx.0.clone(),
            files: FilesReport::of(&whole),
            labels: label_names(image),
        },
        sboms: vec![documents.cyclonedx, documents.spdx],
    }
}

fn label_names(image: &Image) -> Vec<String> {
    let set = image.config.labels.iter().filter(|(_, value)| !value.is_empty());
    let names: BTreeSet<&String> = set.map(|(name, _)| name).collect();
    names.into_iter().cloned().collect()
}

impl Composer<'_> {
    fn add(&mut self, rule: &str, place: Place, observed: String, required: &str, fix: &str) {
        self.findings.push(Finding {
            rule: rule.to_owned(),
            severity: Severity::Error,
            place: Place { platform: self.image.platform.clone(), ..place },
            observed,
            required: required.to_owned(),
            fix: fix.to_owned(),
        });
    }

    fn layer_finding(&mut self, rule: &str, layer: &str, observed: String, required: &str) {
        let place = Place { layer: layer.to_owned(), ..Place::default() };
        self.add(rule, place, observed, required, "rebuild and push the image");
    }

    fn check_layer(&mut self, at: usize, digest: &str, size: u64, facts: &LayerFacts) {
        for note in &facts.notes {
            let (layer, path, file) = (digest.to_owned(), note.path.clone(), facts.digest_of(&note.path));
            let place = Place { layer, path, file, line: note.line, ..Place::default() };
            self.add(&note.rule, place, note.observed.clone(), &note.required, &note.fix);
        }
        if facts.blob.is_empty() {
            // The note says where the stream was refused. Whatever the policy makes of that rule, the rest
            // was not read.
            let known =
                facts.notes.iter().any(|n| self.knowledge.policy.severity(&n.rule) == Some(Severity::Error));
            if !known {
                self.layer_finding(
                    "INC-02",
                    digest,
                    "the layer was not read to its end".into(),
                    "every byte read",
                );
            }
            return;
        }
        if facts.blob != digest || facts.packed_bytes != size {
            let observed = format!("{} with {} bytes", facts.blob, facts.packed_bytes);
            self.layer_finding("CTR-13", digest, observed, &format!("{digest} with {size} bytes"));
        }
        if let Some(expected) = self.image.config.diff_ids.get(at).filter(|_| !self.image.attestation)
            && expected.as_str() != facts.diff_id
        {
            let required = format!("the diff_id {expected}");
            self.layer_finding("CTR-13", digest, format!("unpacks to {}", facts.diff_id), &required);
        }
    }

    /// Whether the image starts as root; `roots` are names of accounts with its rights.
    fn check_user(&mut self, roots: &BTreeSet<String>) {
        let config = &self.image.config;
        let user = config.user.split(':').next().unwrap_or("");
        // Engines read a number wherever one stands, with a sign and zeros in front.
        let is_root = matches!(user, "" | "root")
            || user.parse::<i64>() == Ok(0)
            || roots.contains(user)
            || roots.len() >= ROOTS_MAX;
        if is_root && !self.image.attestation {
            let observed = format!("User is {:?}", config.user);
            self.add("CTR-24", Place::default(), observed, "a user other than root", "set USER in the image");
        }
    }

    fn check_start(&mut self, layers: &[(&str, &LayerFacts)], names: [Option<&BTreeSet<String>>; 2]) {
        let is_whole = layers.len() == self.image.layers.len() && !self.image.attestation;
        if is_whole && let Some(observed) = start::hindrance(&self.image.config, layers, names) {
            let fix = "put what the image starts, and who it runs as, into its layers, or name others in its config";
            self.add(
                "CTR-25",
                Place::default(),
                observed,
                "an entry point that starts with default settings",
                fix,
            );
        }
    }

    fn check_config(&mut self) {
        let config = &self.image.config;
        const LABELS: [&str; 5] = ["title", "version", "source", "licenses", "vendor"];
        let lacking: Vec<String> = LABELS
            .iter()
            .map(|label| format!("org.opencontainers.image.{label}"))
            .filter(|label| !config.labels.iter().any(|(key, value)| key == label && !value.is_empty()))
            .collect();
        if !lacking.is_empty() && !self.image.attestation {
            let observed = format!("missing: {}", lacking.join(", "));
            self.add(
                "CTR-28",
                Place::default(),
                observed,
                "the standard OCI labels",
                "set the labels when you build",
            );
        }
        let env = config.env.iter().map(|value| ("config: Env", value));
        let steps: Vec<String> =
            (1..=config.history.len()).map(|step| format!("{OF_HISTORY}, step {step}")).collect();
        let history = steps.iter().map(String::as_str).zip(&config.history);
        let comments = steps.iter().map(String::as_str).zip(&config.comments);
        let health = config.health.iter().map(|value| ("config: Healthcheck", value));
        let labels = config.labels.iter().map(|(_, value)| ("config: Labels", value));
        let of_entry_point = config.entry_point.iter().map(|value| ("config: Entrypoint", value));
        let command = of_entry_point.chain(config.command.iter().map(|value| ("config: Cmd", value)));
        let mut hits: BTreeSet<(&str, String)> = BTreeSet::new();
        let of_parts = env.chain(history.clone()).chain(comments).chain(labels).chain(health).chain(command);
        let named: BTreeSet<&String> = of_parts.clone().map(|(_, text)| text).collect();
        let others = config.texts.iter().filter(|text| !named.contains(text)).map(|text| ("config", text));
        // Names tell what values are, and words what follows them.
        let named = config.labels.iter().map(|(key, value)| ("config: Labels", format!("{key}={value}")));
        let words = [&config.entry_point[..], &config.command].concat().join(" ");
        let place = if config.command.is_empty() { "config: Entrypoint" } else { "config: Cmd" };
        let joined: Vec<(&str, String)> = named.chain([(place, words.clone())]).collect();
        let joined = joined.iter().map(|(place, text)| (*place, text));
        let mut told_already: BTreeSet<&String> = BTreeSet::new();
        // Builders repeat in each step what the steps were given.
        let mut of_history: BTreeSet<String> = BTreeSet::new();
        for (place, text) in of_parts.chain(others).chain(joined) {
            let hit = |secret: mercat_secrets::Secret| {
                let told = secret.told();
                told_already.insert(text);
                if place.starts_with(OF_HISTORY) && !of_history.insert(told.clone()) {
                    return;
                }
                // Both together are read once more, and one of them has it.
                if place != "config: Cmd" || !hits.contains(&("config: Entrypoint", told.clone())) {
                    hits.insert((place, told));
                }
            };
            self.knowledge.secrets.scan_file(text.as_bytes(), Writing::Settings, hit);
        }
        let fix = |place: &str| match place.starts_with(OF_HISTORY) {
            true => "revoke the credential and give the build a secret instead (RUN --mount=type=secret)",
            false => "revoke the credential and pass it at run time instead",
        };
        self.add_each("CTR-21", hits, "no credentials in the image config", fix);
        let others = config.env.iter().filter(|variable| !told_already.contains(variable));
        let of_env: BTreeSet<&str> =
            others.filter_map(|variable| mercat_secrets::fixed_secret(variable)).collect();
        let looks_like_one = |variable: &str| {
            let mut found = false;
            self.knowledge.secrets.scan_file(variable.as_bytes(), Writing::Settings, |_| found = true);
            found
        };
        let of_steps = history.flat_map(|(place, step)| {
            mercat_secrets::variables_of_step(step).map(move |given| (place, given))
        });
        let mut of_history = BTreeSet::new();
        let of_steps = of_steps.filter_map(|(place, variable)| {
            let name = mercat_secrets::fixed_secret(variable)?;
            let is_first = !of_env.contains(name) && of_history.insert(variable);
            (is_first && !looks_like_one(variable)).then_some((place, name))
        });
        let fixed = of_env.iter().map(|name| ("config: Env", *name)).chain(of_steps);
        let fixed =
            fixed.map(|(place, name)| (place, format!("the variable {name} has a fixed value"))).collect();
        let fix = |place: &str| match place.starts_with(OF_HISTORY) {
            true => "give the build a secret instead (RUN --mount=type=secret)",
            false => "leave it empty in the image, and have whoever starts it give the value",
        };
        self.add_each("CTR-21-VARIABLE", fixed, "secrets that are given at run time", fix);
        // What is started is what its parts are together.
        let all = [&config.texts.join("\n"), "\n", &words].concat();
        for Note { rule, path, observed, required, fix, .. } in
            self.knowledge.malware("config", all.as_bytes())
        {
            self.add(&rule, Place { path, ..Place::default() }, observed, &required, &fix);
        }
    }

    /// Adds what was found of one rule in the configuration, up to a number that can be read.
    fn add_each(
        &mut self,
        rule: &str,
        found: BTreeSet<(&str, String)>,
        required: &str,
        fix: fn(&str) -> &'static str,
    ) {
        let all = found.len();
        for (path, observed) in found.into_iter().take(NOTES_OF_RULE_MAX) {
            self.add(
                rule,
                Place { path: path.to_owned(), ..Place::default() },
                observed,
                required,
                fix(path),
            );
        }
        if all > NOTES_OF_RULE_MAX {
            let observed = format!("more than {NOTES_OF_RULE_MAX} of these in the configuration");
            self.add(rule, Place::default(), observed, required, fix(""));
        }
    }

    /// What the files tell beside their content, as the topmost layer leaves them.
    fn files(&mut self, layers: &[(&str, &LayerFacts)], named: &dyn Fn(&str) -> Listing) -> Whole {
        let parts = layers.iter().map(|(place, facts)| Part {
            place,
            mount: String::new(),
            hides: true,
            files: &facts.told,
            removed: &facts.removed,
            opaque: &facts.opaque,
        });
        let parts: Vec<Part<'_>> = parts.collect();
        let mut whole = whole(&parts, named);
        self.check_aliases(layers);
        std::mem::take(&mut whole.findings).into_iter().for_each(|finding| self.adopt(finding));
        if !self.image.attestation {
            self.check_notices(&whole);
        }
        whole
    }

    /// What is read by its path and was written by another one, through a link.
    fn check_aliases(&mut self, layers: &[(&str, &LayerFacts)]) {
        let aliases = layers.iter().flat_map(|(_, facts)| &facts.aliases);
        let of = |(alias, target): &'_ (String, String)| {
            let names = links::by_alias(alias, target).into_iter();
            names.map(|(name, read)| (name, read, alias.clone())).collect::<Vec<_>>()
        };
        let names: BTreeSet<_> = aliases.flat_map(of).collect();
        let is_below =
            |path: &str, top: &str| path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
        for (name, read, alias) in names {
            let takes = |gone: &String| is_below(gone, &alias) && (*gone == name || is_below(&name, gone));
            let is_changed = |facts: &LayerFacts| {
                facts.told.has(&name) || facts.removed.iter().chain(&facts.opaque).any(takes)
            };
            let changed = layers.iter().filter(|(_, facts)| is_changed(facts));
            for (layer, _) in changed.collect::<Vec<_>>() {
                let place = Place { layer: (*layer).to_owned(), path: name.clone(), ..Place::default() };
                let observed = format!("{read}, written through a link, where it was not read");
                let fix = "write the file under its own path";
                self.add("INC-11", place, observed, "files under their own paths", fix);
            }
        }
    }

    fn check_notices(&mut self, whole: &Whole) {
        let labels = &self.image.config.labels;
        let label = labels
            .iter()
            .any(|(key, value)| key == "org.opencontainers.image.licenses" && !value.trim().is_empty());
        if !label && whole.notices.is_empty() {
            let observed =
                "no label org.opencontainers.image.licenses, and no licence or notice file beside those of packages"
                    .to_owned();
            let fix = "set the label, or ship the licence and third-party notices, for example in /licenses";
            let required = "a licence and the notices of what it contains";
            self.add("CTR-27", Place::default(), observed, required, fix);
        }
    }

    /// The package database as the topmost layer leaves it; one that was removed still counts, and is told. Last come
    /// packages that only lower layers have: their bytes are still there.
    fn inventory(&mut self, layers: &[(&str, &LayerFacts)]) -> Inventory {
        let mut replaced = Vec::new();
        let mut files: BTreeMap<&str, (&str, &Captured)> = BTreeMap::new();
        let mut removed: BTreeSet<String> = BTreeSet::new();
        for (digest, facts) in layers {
            for path in files.keys().filter(|path| start::is_cut(path, facts)) {
                removed.insert((*path).to_owned());
            }
            for captured in &facts.captured {
                // A database that was emptied is a database that was removed: the lower one still counts.
                let emptied = captured.record.as_ref().is_some_and(Record::is_empty)
                    && files.contains_key(captured.path.as_str());
                if emptied {
                    removed.insert(captured.path.clone());
                    continue;
                }
                removed.remove(&captured.path);
                replaced.extend(files.insert(&captured.path, (digest, captured)));
            }
        }
        let releases = ["etc/os-release", "usr/lib/os-release"];
        let releases = releases.iter().filter_map(|path| files.get(path)?.1.record.as_ref());
        let (os, differs) = inventory::distribution(releases.map(|record| record.text()));
        differs.into_iter().for_each(|finding| self.adopt(finding));
        let mut records = Vec::new();
        for (path, (layer, captured)) in files.iter().filter(|(path, _)| !is_release(path)) {
            let place = Place { layer: (*layer).to_owned(), path: (*path).to_owned(), ..Place::default() };
            if removed.contains(*path) {
                self.removed_record(place.clone());
            }
            match &captured.record {
                Some(record) => records.push((place, record)),
                None => {
                    let observed = "the package database is a link or device".to_owned();
                    self.add(
                        "PKG-01",
                        place,
                        observed,
                        "a regular file",
                        "ship the package manager's own file",
                    );
                }
            }
        }
        let Databases { packages, formats, findings } = Databases::of(records);
        findings.into_iter().for_each(|finding| self.adopt(finding));
        let found = inventory::check_formats(&os, &formats, &packages, self.image.attestation);
        let others = inventory::check_others(&formats, |directory| start::has_unread(directory, layers));
        found.into_iter().chain(others).for_each(|finding| self.adopt(finding));
        let named: BTreeSet<(&str, &str)> =
            packages.iter().map(|package| (package.name.as_str(), package.architecture.as_str())).collect();
        let lower = replaced.iter().filter(|(_, captured)| !is_release(&captured.path));
        let lower = lower.filter_map(|(_, captured)| captured.record.as_ref()?.packages().ok());
        let is_gone =
            |package: &Package| !named.contains(&(package.name.as_str(), package.architecture.as_str()));
        let gone: BTreeSet<Package> = lower.flatten().filter(is_gone).collect();
        let gone = gone.into_iter().collect();
        let rooted = self.below(layers);
        Inventory { os, packages, gone, rooted }
    }

    /// The packages of other roots, as the topmost layer leaves them. Who takes a whole root or archive away takes its packages
    /// away; a record that goes alone still counts, and is told.
    fn below(&mut self, layers: &[(&str, &LayerFacts)]) -> Vec<Rooted> {
        let mut records: BTreeMap<(&str, bool), OfRoot<'_>> = BTreeMap::new();
        let mut left = 0;
        for (layer, facts) in layers {
            let cut = Cut::of(facts);
            records.retain(|_, record| !cut.takes_root(record));
            for record in records.values_mut().filter(|record| cut.takes_record(record)) {
                record.removed = true;
            }
            for below in &facts.below {
                let key = (below.path.as_str(), below.file.is_some());
                if records.len() >= RECORDS_MAX && !records.contains_key(&key) {
                    left += 1;
                    continue;
                }
                match records.get_mut(&key) {
                    // As with the first root: one that was emptied is one that was removed.
                    Some(known) if below.record.is_empty() => known.removed = true,
                    _ => {
                        records.insert(key, OfRoot::new(layer, below));
                    }
                }
            }
        }
        let mut of_roots: BTreeMap<(&str, bool), Vec<OfRoot<'_>>> = BTreeMap::new();
        for ((path, inside), record) in records {
            of_roots.entry((root_of_record(path).unwrap_or_default(), inside)).or_default().push(record);
        }
        let mut roots = Vec::new();
        for ((root, _), records) in of_roots {
            let place = |of: &OfRoot<'_>| Place {
                layer: of.layer.to_owned(),
                path: of.below.path.clone(),
                ..Place::default()
            };
            for record in records.iter().filter(|of| of.removed && !is_release(&of.below.path)) {
                self.removed_record(place(record));
            }
            let (root, found) = Root::of(root, records.iter().map(|of| (place(of), &of.below.record)));
            found.into_iter().for_each(|finding| self.adopt(finding));
            roots.push(root);
        }
        let (rooted, mut found) = Root::settle(roots);
        found.extend((left > 0).then(|| inventory::too_many_roots(left)));
        found.into_iter().for_each(|finding| self.adopt(finding));
        rooted
    }

    fn removed_record(&mut self, place: Place) {
        let fix = "keep the package database, so that customers can see what is installed";
        self.add("PKG-02", place, "removed by a later layer".into(), "a package database", fix);
    }

    /// Packages that went from the record alone: what they installed is still there.
    fn check_left_behind(&mut self, packages: &[Package]) {
        const SHOWN: usize = 5;
        if packages.is_empty() {
            return;
        }
        let names: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
        let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
        let more =
            if names.len() > SHOWN { format!(", and {} more", names.len() - SHOWN) } else { String::new() };
        let observed =
            format!("no longer in the record, though their programs are still there: {shown}{more}");
        let fix = "remove packages with their package manager, or keep them in its database";
        self.add("PKG-02", Place::default(), observed, "a package database", fix);
    }

    fn adopt(&mut self, finding: Finding) {
        let place = Place { platform: self.image.platform.clone(), ..finding.place };
        self.findings.push(Finding { place, ..finding });
    }
}
