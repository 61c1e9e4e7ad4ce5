//! The files of all layers together, as the topmost leaves them.

use super::hiding::Hiding;
use super::modes::Mode;
use super::owners::{self, DIVERSIONS, Owned, Owners};
use super::{Files, GROUPS, Program, USERS};
use crate::scan::OURS;
use mercat_artifact::pkgdb::Package;
use mercat_domain::finding::{Finding, Place, Severity};
use mercat_inventory::{Component, Evidence};
use mercat_machine::accounts::{Accounts, IN_USE};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Findings of one rule; more are counted in the last.
const FINDINGS_MAX: usize = 200;

/// One layer or volume.
pub(crate) struct Part<'f> {
    /// Digest of the layer, or name of the volume.
    pub(crate) place: &'f str,
    /// Where a volume is mounted, with a slash behind; empty for layers and the root.
    pub(crate) mount: String,
    /// Whether it hides what earlier parts have under the same names, as layers do.
    pub(crate) hides: bool,
    pub(crate) files: &'f Files,
    pub(crate) removed: &'f [String],
    pub(crate) opaque: &'f [String],
}

/// A file with notable modes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privileged {
    /// Path from the root.
    pub path: String,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Whether it is a directory.
    pub directory: bool,
    /// Capabilities by name, with commas between; empty when it has none.
    pub capabilities: String,
    /// The package that owns it; empty when none does.
    pub package: String,
}

/// What is there when every layer is applied.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    /// Components with the package that owns their file.
    pub(crate) components: Vec<Component>,
    /// Components whose file a later layer removed.
    pub(crate) removed: Vec<Component>,
    /// Packages of the distribution that a later layer removed.
    pub(crate) gone: Vec<Package>,
    /// Programs of no package and no component, with their digest.
    pub(crate) unpackaged: Vec<(String, Program)>,
    pub(crate) privileged: Vec<Privileged>,
    /// Licences of distribution packages.
    pub(crate) licences: BTreeMap<String, String>,
    pub(crate) notices: Vec<String>,
    pub(crate) programs: usize,
    /// Names beside `root` of accounts with its rights.
    pub(crate) roots: BTreeSet<String>,
    /// Names of accounts and of groups, where the files that name them were read.
    pub(crate) users: Option<BTreeSet<String>>,
    pub(crate) groups: Option<BTreeSet<String>>,
    /// Programs as their package installed them, by the digest that it has for them: place and path there; package and
    /// SHA-256.
    pub(crate) as_installed: BTreeMap<(String, String), (String, String)>,
    /// Packages of which a program is as they installed it, though no record names them any more.
    pub(crate) left_behind: BTreeSet<String>,
    /// Where credentials are in a file as its package installed it: place and path there, and the package.
    pub(crate) published: BTreeMap<(String, String), String>,
    /// How much did not fit into the facts of its layer.
    pub(crate) left: u64,
    pub(crate) findings: Vec<Finding>,
}

/// Place, path and digest of a file.
type OfFile = (String, String, String);

/// A path with the place that it came from.
type At<'f, T> = BTreeMap<String, (&'f str, T)>;

#[derive(Default)]
struct Joined<'f> {
    components: BTreeMap<String, (&'f str, Vec<Component>)>,
    removed: Vec<Component>,
    programs: At<'f, &'f Program>,
    /// By the place of the credential: where the file is, and the rest.
    suspects: At<'f, (String, &'f Program)>,
    modes: At<'f, &'f Mode>,
    notices: BTreeSet<String>,
    /// Lists of files by their path, of the lowest layer first.
    owned: BTreeMap<String, Vec<&'f [Owned]>>,
    accounts: At<'f, &'f Accounts>,
    /// Files of accounts that a later layer replaced or removed.
    replaced: Vec<(String, &'f str, &'f Accounts)>,
}

/// Whether records name a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    /// The topmost ones do.
    Here,
    /// Those of lower layers do.
    Below,
    Nowhere,
}

/// Puts layers, lowest first, or volumes together. Lists of files speak for packages that records name only.
pub(crate) fn whole(parts: &[Part<'_>], named: &dyn Fn(&str) -> Listing) -> Whole {
    let mut joined = Joined::default();
    for part in parts {
        if part.hides {
            joined.hide(part);
        }
        joined.add(part);
    }
    let found = joined.components.into_values().flat_map(|(_, found)| found).collect();
    let components = mercat_inventory::settle(found);
    let asked = owners::asked(
        (components.iter().map(|component| outer(&component.path)))
            .chain(joined.notices.iter().map(String::as_str))
            .chain(joined.programs.keys().map(String::as_str))
            .chain(joined.suspects.values().map(|(_, (path, _))| path.as_str()))
            .chain(joined.modes.keys().map(String::as_str)),
    );
    let owners = owners_of(&joined.owned, &asked, named);
    let mut out = Whole { left: parts.iter().map(|part| part.files.left).sum(), ..Whole::default() };
    out.components = owned_components(components, &owners);
    out.removed = mercat_inventory::settle(joined.removed);
    // The notices of a package speak for that package.
    out.notices = joined.notices.into_iter().filter(|path| owners.of(path).is_none()).collect();
    out.programs = joined.programs.len();
    let of_components: HashSet<&str> =
        out.components.iter().filter(|c| c.evidence == Evidence::Installed).map(|c| outer(&c.path)).collect();
    // A place, and a path as it is there.
    let in_part = |place: &str, path: &str| {
        let mount = parts.iter().find(|part| part.place == place).map_or("", |part| &part.mount);
        (place.to_owned(), path.strip_prefix(mount).unwrap_or(path).to_owned())
    };
    for (path, (place, program)) in &joined.programs {
        let is_as_installed =
            |(_, digest): &(&str, owners::Digest<'_>)| of_package(program, &digest.to_string()) == Some(true);
        let owner = owners.of(path);
        // Of a package that took its place, and says so with the digest, it is no longer the other's.
        let is_renamed = owner.as_ref().is_some_and(|of| !owners.is_gone(of.0) && is_as_installed(of));
        if !is_renamed {
            out.left_behind.extend(owners.had(path).filter(is_as_installed).map(|(of, _)| of.to_owned()));
        }
        match owner {
            Some((package, digest)) => match of_package(program, &digest.to_string()) {
                Some(true) => {
                    let sha256 = format!("sha256:{}", program.sha256);
                    out.as_installed.insert(in_part(place, path), (package.to_owned(), sha256));
                }
                Some(false) => {
                    out.findings.push(modified(path, place, program, package, &digest.to_string()));
                }
                None => {}
            },
            None if is_script_of_packages(path) || of_components.contains(path.as_str()) => {}
            None => out.unpackaged.push((path.clone(), **program)),
        }
    }
    for (credential, (place, (path, file))) in &joined.suspects {
        if let Some((package, digest)) = owners.of(path)
            && of_package(file, &digest.to_string()) == Some(true)
            && is_of_documents(path)
        {
            out.published.insert(in_part(place, credential), package.to_owned());
        }
    }
    for (path, (place, mode)) in joined.modes {
        let package = owners.of(&path).map(|(package, _)| package).unwrap_or_default();
        out.findings.extend(of_mode(&path, place, mode, package, owners.is_empty()));
        out.privileged.push(Privileged {
            path,
            mode: mode.mode,
            directory: mode.directory,
            capabilities: mode.capabilities.clone(),
            package: package.to_owned(),
        });
    }
    if let Some((_, of)) = joined.accounts.get(USERS) {
        out.roots = of.roots.clone();
    }
    let names = |path: &str| {
        let of = joined.accounts.get(path).filter(|(_, of)| !of.link);
        of.map(|(_, of)| of.users.clone())
    };
    (out.users, out.groups) = (names(USERS), names(GROUPS));
    out.findings.extend(of_accounts(&joined.accounts, &joined.replaced));
    out.findings.extend(parts.iter().filter(|part| part.files.unknown > 0).map(|part| {
        let observed = format!(
            "{} programs, hard links or privileged files more than are looked at",
            part.files.unknown
        );
        finding("INC-16", part.place, "", observed, "fewer of them", OURS)
    }));
    let licences = owners.licences.iter();
    out.licences =
        licences.map(|(package, licence)| ((*package).to_owned(), (*licence).to_owned())).collect();
    out.findings = bounded(out.findings);
    out
}

/// Whether a package manager would look for a list there.
fn is_where_it_is_read(path: &str) -> bool {
    !path.contains("lib/dpkg/") || path.starts_with("var/lib/dpkg/")
}

impl Whole {
    /// Keys inside of programs are one finding a program. Where that is as a package of the distribution installed it
    /// they are the package's, and published with it: a rule of its own. So is what documentation and modules hold, another
    /// rule. Which packages those are is asked; what a package has is told by the lists on the image.
    pub(crate) fn keys_of_packages(
        &self,
        findings: &mut Vec<Finding>,
        of_distribution: impl Fn(&str) -> bool,
    ) {
        let package_of = |Finding { rule, place, .. }: &Finding| {
            let key = (place.layer.clone(), place.path.clone());
            let package = match rule.as_str() {
                "CTR-21" => self.published.get(&key),
                // Without the digest it may be about another file of this path.
                _ => {
                    self.as_installed.get(&key).filter(|(_, sha256)| place.file == *sha256).map(|(of, _)| of)
                }
            };
            package.map(String::as_str).filter(|package| of_distribution(package))
        };
        let mut files: BTreeMap<OfFile, (usize, Finding, Option<&str>)> = BTreeMap::new();
        findings.retain(|finding| {
            let place = &finding.place;
            let package = package_of(finding);
            // One without a path counts what did not fit.
            let is_one = match finding.rule.as_str() {
                "CTR-21" => package.is_some(),
                rule => rule == "CTR-21-ELF" && !place.path.is_empty(),
            };
            if is_one {
                let key = (place.layer.clone(), place.path.clone(), place.file.clone());
                files.entry(key).or_insert_with(|| (0, finding.clone(), package)).0 += 1;
            }
            !is_one
        });
        findings.extend(files.into_values().map(|(count, finding, package)| {
            let more = match count {
                1 => String::new(),
                _ => format!(", and {} more in it", count - 1),
            };
            match package {
                Some(package) => of_package_alone(finding, package, &more),
                None => Finding { observed: format!("{}{more}", finding.observed), ..finding },
            }
        }));
    }
}

/// Whether a path is one of documentation, examples or modules, where packages have what only looks like a credential.
/// What lets somebody sign in is none.
fn is_of_documents(path: &str) -> bool {
    const PLACES: [&str; 7] =
        ["share/doc/", "share/help/", "share/info/", "share/man/", "share/ruby/", "lib/ruby/", "lib64/ruby/"];
    // Behind these a version, or nothing.
    const VERSIONED: [&str; 3] = ["lib/python", "lib64/python", "share/perl"];
    let path = path.strip_prefix("usr/").unwrap_or(path);
    let of_version = |place: &&str| {
        let rest = path.strip_prefix(*place).and_then(|rest| rest.split_once('/'));
        rest.is_some_and(|(version, _)| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
    };
    let is_place = PLACES.iter().any(|place| path.starts_with(place))
        || VERSIONED.iter().any(of_version)
        || path.starts_with("share/")
            && (["/tests/", "/testdata/", "/examples/", "/samples/"].iter().any(|part| path.contains(part))
                || path.ends_with("_test.go"));
    is_place && !path.contains("/.ssh/")
}

fn of_package_alone(finding: Finding, package: &str, more: &str) -> Finding {
    // Lists of files are the image's own word.
    let (rule, fix) = match finding.rule.as_str() {
        "CTR-21" => (
            "CTR-21-DOC",
            "make sure that it is an example that nothing uses; if it is not, revoke it and build the image again without it",
        ),
        _ => ("CTR-21-PKG", "nothing, unless the package is your own"),
    };
    Finding {
        rule: rule.to_owned(),
        observed: format!("{}{more}, as the package {package} installed it", finding.observed),
        place: Place { package: package.to_owned(), ..finding.place },
        required: "credentials of packages that everybody has".to_owned(),
        fix: fix.to_owned(),
        ..finding
    }
}

impl<'f> Joined<'f> {
    /// Takes away what a layer removes or replaces.
    fn hide(&mut self, part: &Part<'f>) {
        let mut layer = Hiding::of(part);
        let removed = &mut self.removed;
        self.components.retain(|path, (_, found)| {
            let removes = layer.removes(path);
            if !removes && !layer.replaces(path) || layer.keeps(path, found) {
                return true;
            }
            if removes {
                removed.append(found);
            }
            false
        });
        let mut stays = |path: &str| !layer.removes(path) && !layer.replaces(path);
        self.programs.retain(|path, _| stays(path));
        self.suspects.retain(|_, (_, (path, _))| stays(path));
        self.notices.retain(|path| stays(path));
        let left = &mut self.replaced;
        self.accounts.retain(|path, (place, accounts)| {
            let stays = stays(path);
            if !stays {
                left.push((path.clone(), place, accounts));
            }
            stays
        });
        self.modes.retain(|path, _| stays(path));
        self.modes.retain(|path, _| !layer.has_directory(path));
        // What packages own is also known after their lists were removed, as with their databases.
    }

    fn add(&mut self, part: &Part<'f>) {
        let at = |path: &str| format!("{}{path}", part.mount);
        for component in &part.files.components {
            let component = Component { path: at(&component.path), ..component.clone() };
            let place = self.components.entry(outer(&component.path).to_owned());
            place.or_insert_with(|| (part.place, Vec::new())).1.push(component);
        }
        self.programs
            .extend(part.files.programs.iter().map(|(path, program)| (at(path), (part.place, program))));
        let suspects = part.files.suspects.iter();
        self.suspects
            .extend(suspects.map(|(place, (path, file))| (at(place), (part.place, (at(path), file)))));
        let modes = part.files.modes.iter().chain(&part.files.writable);
        self.modes.extend(modes.map(|(path, mode)| (at(path), (part.place, mode))));
        self.notices.extend(part.files.notices.iter().map(|path| at(path)));
        self.accounts.extend(part.files.accounts.iter().map(|(path, of)| (at(path), (part.place, of))));
        for (path, owned) in &part.files.owned {
            self.owned.entry(at(path)).or_default().push(owned);
        }
    }
}

/// The owners of files that are asked for, by lists of files with their path. Those of packages that are gone yield to all
/// others; what a package has is in the topmost list of it, and what a gone one had may be in any.
fn owners_of<'f>(
    lists: &BTreeMap<String, Vec<&'f [Owned]>>,
    asked: &owners::Asked,
    named: &dyn Fn(&str) -> Listing,
) -> Owners<'f> {
    let mut out = Owners::default();
    let read = || lists.iter().filter(|(path, _)| is_where_it_is_read(path));
    for owned in read().flat_map(|(_, all)| all.iter().copied().flatten()) {
        if owned.package != DIVERSIONS && named(&owned.package) == Listing::Below {
            out.add_gone(asked, owned);
        }
    }
    // Diversions change what lists say.
    let (diverted, listed): (Vec<_>, Vec<_>) =
        read().partition(|(path, _)| path.ends_with("lib/dpkg/diversions"));
    for owned in listed.into_iter().chain(diverted).filter_map(|(_, all)| all.last()) {
        let owned = owned
            .iter()
            .filter(|owned| owned.package == DIVERSIONS || named(&owned.package) == Listing::Here);
        out.add(asked, owned);
    }
    out
}

/// The file on the file system that a path of an archive begins with.
pub(super) fn outer(path: &str) -> &str {
    path.split("!/").next().unwrap_or(path)
}

/// Names owners, and leaves out what a package already says of its own program.
fn owned_components(mut components: Vec<Component>, owners: &Owners<'_>) -> Vec<Component> {
    for component in &mut components {
        if let Some((package, _)) = owners.of(outer(&component.path)) {
            package.clone_into(&mut component.owner);
        }
    }
    components.retain(|component| component.owner.is_empty() || component.evidence != Evidence::Text);
    components
}

/// Scripts that package managers keep beside their database are theirs, and in no list.
fn is_script_of_packages(path: &str) -> bool {
    path.contains("lib/dpkg/info/") || path.contains("lib/apk/")
}

fn finding(rule: &str, place: &str, path: &str, observed: String, required: &str, fix: &str) -> Finding {
    Finding {
        rule: rule.to_owned(),
        severity: Severity::Error,
        place: Place { layer: place.to_owned(), path: path.to_owned(), ..Place::default() },
        observed,
        required: required.to_owned(),
        fix: fix.to_owned(),
    }
}

/// The digest of a program that is of the same kind as a package's; empty when it was not taken.
fn alike(program: &Program, digest: &str) -> String {
    match digest.len() {
        32 => program.md5.to_string(),
        40 => program.sha1.to_string(),
        64 => program.sha256.to_string(),
        _ => String::new(),
    }
}

/// Whether a program is the one that its package installed, where that can be told.
fn of_package(program: &Program, digest: &str) -> Option<bool> {
    let found = alike(program, digest);
    (!found.is_empty()).then(|| found.eq_ignore_ascii_case(digest))
}

/// A program that is not the one that its package installed.
fn modified(path: &str, place: &str, program: &Program, package: &str, digest: &str) -> Finding {
    let found = alike(program, digest);
    let observed = format!("{found} in place of what the package {package} installed");
    let fix = "install the package again, or ship the program under a path of its own";
    let found = finding("PKG-06", place, path, observed, &format!("the digest {digest} of the package"), fix);
    Finding { place: Place { package: package.to_owned(), ..found.place }, ..found }
}

/// Passwords that every container of the image has, and such as only lie in one of its layers.
fn of_accounts(in_use: &At<'_, &Accounts>, replaced: &[(String, &str, &Accounts)]) -> Vec<Finding> {
    let mut out = Vec::new();
    let required = "locked passwords";
    let mut left = |path: &str, place: &str, accounts: &Accounts| {
        let observed =
            accounts.with_password().map(|names| format!("{names}, in a layer or copy that is not in use"));
        let fix = "build the image again without ever setting the password, and use it nowhere else";
        out.extend(observed.map(|observed| finding("CTR-35-LEFT", place, path, observed, required, fix)));
    };
    replaced.iter().for_each(|(path, place, accounts)| left(path, place, accounts));
    for (path, (place, accounts)) in in_use.iter().filter(|(path, _)| !IN_USE.contains(&path.as_str())) {
        left(path, place, accounts);
    }
    for (path, (place, accounts)) in in_use.iter().filter(|(path, _)| IN_USE.contains(&path.as_str())) {
        let fix = "lock them (passwd -l), and let whoever deploys the image set one";
        let observed = accounts.with_password();
        out.extend(observed.map(|observed| finding("CTR-35", place, path, observed, required, fix)));
        let empty = [
            (
                &accounts.empty_roots,
                "with the rights of root and no password, where programs accept an empty one",
            ),
            (&accounts.empty_users, "no password, where programs accept an empty one"),
        ];
        for (names, what) in empty.into_iter().filter(|(names, _)| !names.is_empty()) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let observed = format!("{what}: {}", names.join(", "));
            let fix = "lock the password of each (passwd -l)";
            out.push(finding("CTR-35-EMPTY", place, path, observed, required, fix));
        }
        let other_roots = accounts.other_roots();
        if path == "etc/passwd" && !other_roots.is_empty() {
            let observed = format!("with the rights of root beside root: {other_roots}");
            let fix = "remove them, or give each a number of its own";
            out.push(finding("CTR-35-ROOT", place, path, observed, "no user 0 but root", fix));
        }
        if accounts.link {
            let observed = "a link: what it leads to was not looked into".to_owned();
            let fix = "make it a file of its own";
            out.push(finding("CTR-35-LINK", place, path, observed, "a regular file", fix));
        }
    }
    out
}

fn of_mode(path: &str, place: &str, mode: &Mode, package: &str, unknown: bool) -> Vec<Finding> {
    let mut out = Vec::new();
    let bits = format!("{:04o}", mode.mode & 0o7777);
    if mode.is_setuid() && package.is_empty() {
        let observed = match unknown {
            true => format!("mode {bits}, and no list of files of packages to compare with"),
            false => format!("mode {bits}, and no package owns it"),
        };
        let required = "setuid and setgid programs of packages only";
        let fix = "remove the bit (chmod ug-s), or install the program from a package";
        out.push(finding("CTR-32", place, path, observed, required, fix));
    }
    if mode.is_world_writable() {
        let what = if mode.directory { "directory without the sticky bit" } else { "file" };
        let observed = format!("mode {bits}: a {what} that everybody may write");
        out.push(finding("CTR-33", place, path, observed, "writable for its owner or group", "chmod o-w"));
    }
    if !mode.capabilities.is_empty() {
        let observed = format!("file capabilities: {}", mode.capabilities);
        let fix = "remove them where the program does not need them (setcap -r)";
        out.push(finding("CTR-34", place, path, observed, "capabilities that are needed", fix));
    }
    out
}

/// The first findings of each rule; the last says how many more there are.
fn bounded(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for finding in &findings {
        *counts.entry(finding.rule.clone()).or_default() += 1;
    }
    let mut kept: BTreeMap<String, usize> = BTreeMap::new();
    let mut out = Vec::new();
    for finding in findings {
        let count = kept.entry(finding.rule.clone()).or_default();
        *count += 1;
        if *count == FINDINGS_MAX + 1 {
            let more = counts.get(&finding.rule).copied().unwrap_or(0).saturating_sub(FINDINGS_MAX);
            let observed = format!("{more} more of these");
            out.push(Finding { place: Place::default(), observed, ..finding });
        } else if *count <= FINDINGS_MAX {
            out.push(finding);
        }
    }
    out
}
