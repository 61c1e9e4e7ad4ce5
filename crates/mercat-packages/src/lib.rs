//! What package managers of distributions installed: records, what distribution they are of, and systems below the root. The
//! same for images and disks.

use mercat_artifact::pkgdb::release::contradiction;
use mercat_artifact::pkgdb::{
    OsRelease, Package, is_release, parse_apk, parse_dpkg, parse_os_release, root_of_record, rpm,
};
use mercat_domain::finding::{Finding, Place, Severity};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What to do about what is ours.
pub const OURS: &str = "nothing to do for the publisher: the operator of this server must repair the scanner";

fn finding(rule: &str, place: Place, observed: String, required: &str, fix: &str) -> Finding {
    Finding {
        rule: rule.to_owned(),
        severity: Severity::Error,
        place,
        observed,
        required: required.to_owned(),
        fix: fix.to_owned(),
    }
}

/// A path as it is in the root that its record is about.
fn in_root(path: &str) -> &str {
    root_of_record(path).and_then(|root| path.get(root.len() + 1..)).unwrap_or(path)
}

/// Whether a path is that of an rpm database or what belongs to one.
pub fn is_rpm(path: &str) -> bool {
    let path = in_root(path);
    path.contains("/rpm/") || path.starts_with("rpm/")
}

/// Whether a path is that of a database that also says which files its packages own.
pub fn is_database(path: &str) -> bool {
    let rpm = ["/Packages", "/Packages.db", "/rpmdb.sqlite"].iter().any(|end| path.ends_with(end));
    is_rpm(path) && rpm || path.ends_with("apk/db/installed")
}

/// The package manager whose database a path is.
pub fn format_of(path: &str) -> &'static str {
    match path {
        path if is_rpm(path) => "rpm",
        path if in_root(path).contains("apk/") => "apk",
        _ => "dpkg",
    }
}

/// What is kept of a file that the inventory asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The text of what is no database.
    Text(String),
    /// What a database says, one line a package.
    Packages(String),
    /// A database that cannot be read.
    Broken {
        /// Why.
        why: String,
        /// Whether packages are named in it, so that it is no other file of that name.
        names_packages: bool,
    },
}

/// Bytes of an `os-release` that are read; none has a hundredth of it.
const RELEASE_BYTES_MAX: usize = 64 << 10;
/// Bytes of a name or version of a package, most.
const FIELD_BYTES_MAX: usize = 4 << 10;

impl Record {
    /// Reads a file. The error is a finding without a place, of what a database is never kept of.
    pub fn of(path: &str, bytes: &[u8]) -> Result<Self, Box<Finding>> {
        if is_rpm(path) {
            let listed = match rpm::parse(bytes) {
                Ok(packages) => Self::listed(&packages),
                Err(rpm::Refusal::Unreadable(why)) => {
                    let required = "a database that can be read";
                    return Err(Box::new(finding("INC-08", Place::default(), why, required, OURS)));
                }
                Err(rpm::Refusal::Broken(why)) => Err(why),
            };
            return Ok(listed.unwrap_or_else(|why| Self::Broken { why, names_packages: true }));
        }
        let text = String::from_utf8_lossy(bytes);
        match parse(path, &text).map(|read| read.and_then(|packages| Self::listed(&packages))) {
            Some(Ok(record)) => Ok(record),
            Some(Err(why)) => {
                let is_of = |line: &str, key: &str| {
                    line.get(..key.len()).is_some_and(|start| start.eq_ignore_ascii_case(key))
                };
                let is_field = |line: &str| is_of(line, "package:") || is_of(line, "p:");
                Ok(Self::Broken { why, names_packages: text.lines().any(is_field) })
            }
            None if text.len() > RELEASE_BYTES_MAX => {
                let observed = format!("the name of the distribution in {} bytes", text.len());
                let required = "an os-release that can be read";
                let fix = "ship the true os-release";
                Err(Box::new(finding("PKG-05", Place::default(), observed, required, fix)))
            }
            None => Ok(Self::Text(text.into_owned())),
        }
    }

    /// A line a package. Whoever has a tab in a version is no package manager.
    fn listed(packages: &[Package]) -> Result<Self, String> {
        let mut lines = String::new();
        for Package { name, version, architecture, source, source_version, module } in packages {
            let fields = [name, version, architecture, source, source_version, module].map(String::as_str);
            if fields.iter().any(|field| field.len() > FIELD_BYTES_MAX || field.contains(char::is_control)) {
                let shown: String = name.chars().take(80).collect();
                return Err(format!("the package {shown:?} has a field that no package manager writes"));
            }
            lines.push_str(&fields.join("\t"));
            lines.push('\n');
        }
        Ok(Self::Packages(lines))
    }

    /// What is kept.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Packages(text) => text,
            Self::Broken { why, .. } => why,
        }
    }

    /// Whether there is nothing in it: a database without a package is none.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) | Self::Packages(text) => text.trim().is_empty(),
            Self::Broken { .. } => false,
        }
    }

    /// The packages of a database.
    pub fn packages(&self) -> Result<Vec<Package>, Box<Finding>> {
        match self {
            Self::Text(_) => Ok(Vec::new()),
            Self::Packages(lines) => lines.lines().map(read_line).collect::<Result<_, _>>().map_err(broken),
            Self::Broken { why, .. } => Err(broken(why.clone())),
        }
    }
}

/// What the databases of one root say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Databases {
    /// Packages, sorted, each once.
    pub packages: Vec<Package>,
    /// Of which package managers they are.
    pub formats: BTreeSet<&'static str>,
    /// What cannot be read.
    pub findings: Vec<Finding>,
}

impl Databases {
    /// Those of the first root, by their places. One that cannot be read is one; one without a package is none.
    pub fn of<'r>(records: impl IntoIterator<Item = (Place, &'r Record)>) -> Self {
        let mut out = Self::default();
        records.into_iter().for_each(|(place, record)| out.add(place, record, |_| true));
        out.sorted()
    }

    /// Those of another root. What has their place there and is none of their kind may be an example: that does not block, and is
    /// told as with records of languages. What names packages and cannot be read is broken as in the first root.
    fn of_other<'r>(records: impl IntoIterator<Item = (Place, &'r Record)>) -> Self {
        let mut out = Self::default();
        records.into_iter().for_each(|(place, record)| {
            out.add(place, record, |finding| {
                if matches!(record, Record::Broken { names_packages: false, .. }) {
                    "PKG-07".clone_into(&mut finding.rule);
                }
                false
            });
        });
        out.sorted()
    }

    /// Adds one; `broken` weighs what is wrong with it, and says whether it still is a database.
    fn add(&mut self, place: Place, record: &Record, broken: impl FnOnce(&mut Finding) -> bool) {
        let format = format_of(&place.path);
        let is_one = match record.packages() {
            Ok(found) => {
                let is_one = !found.is_empty();
                self.packages.extend(found);
                is_one
            }
            Err(mut finding) => {
                let is_one = broken(&mut finding);
                self.findings.push(Finding { place, ..*finding });
                is_one
            }
        };
        self.formats.extend(is_one.then_some(format));
    }

    fn sorted(mut self) -> Self {
        self.packages.sort();
        self.packages.dedup();
        self
    }
}

/// Reads the text of a database; nothing where it has another form, or is none.
fn parse(path: &str, text: &str) -> Option<Result<Vec<Package>, String>> {
    match format_of(path) {
        _ if is_release(path) => None,
        "apk" => Some(parse_apk(text)),
        "dpkg" => Some(parse_dpkg(text)),
        _ => None,
    }
}

fn broken(why: String) -> Box<Finding> {
    let fix = "ship the package manager's own file";
    Box::new(finding("PKG-05", Place::default(), why, "a readable package database", fix))
}

fn read_line(line: &str) -> Result<Package, String> {
    let parts: Vec<&str> = line.split('\t').collect();
    let [name, version, architecture, source, source_version, module] = parts[..] else {
        return Err(format!("the line {line:?} is no package"));
    };
    Ok(Package {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: architecture.to_owned(),
        source: source.to_owned(),
        source_version: source_version.to_owned(),
        module: module.to_owned(),
    })
}

/// The distribution, by the texts of `etc/os-release` and `usr/lib/os-release` where they are files of their own, and
/// that they are not the same.
pub fn distribution<'t>(texts: impl IntoIterator<Item = &'t str>) -> (OsRelease, Option<Finding>) {
    let mut all = texts.into_iter().map(parse_os_release);
    let first = all.next().unwrap_or_default();
    let name = |os: &OsRelease| [&*os.id, &os.version_id].join(" ");
    let other = all.map(|os| name(&os)).find(|other| *other != name(&first));
    let told = other.map(|other| {
        let observed = format!("etc/os-release says {}, usr/lib/os-release {other}", name(&first));
        let required = "the same distribution in both";
        finding("PKG-03", Place::default(), observed, required, "ship the true os-release")
    });
    (first, told)
}

/// Roots that are looked at in one image or disk, and packages of different names or versions in them.
const ROOTS_MAX: usize = 20_000;
const ROOTED_MAX: usize = 100_000;
/// Names of distributions among which one without a name is looked for, most.
const CANDIDATES_MAX: usize = 8;

/// A directory or archive that is the root of a system of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The directory, or the archive with `!` behind.
    path: String,
    os: OsRelease,
    packages: Vec<Package>,
    formats: BTreeSet<&'static str>,
}

/// Packages with the roots that have them, by their number.
type Places = BTreeMap<Package, Vec<usize>>;

/// What roots of one distribution have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rooted {
    /// The distribution; without a name where that is not known.
    pub os: OsRelease,
    /// Each with the roots that have it. Of layers nobody says here which of them belong together, so that an older version in
    /// one is not known to be replaced by a newer one in another.
    pub packages: Vec<(Package, Vec<String>)>,
}

impl Root {
    /// From its records, by their places; gives also what is wrong with them.
    pub fn of<'r>(
        path: &str,
        records: impl IntoIterator<Item = (Place, &'r Record)>,
    ) -> (Self, Vec<Finding>) {
        let (releases, databases): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|(place, _)| is_release(&place.path));
        let (os, differs) = distribution(releases.iter().map(|(_, record)| record.text()));
        let Databases { packages, formats, mut findings } = Databases::of_other(databases);
        let root = Self { path: path.to_owned(), os, packages, formats };
        findings.extend(differs.map(|finding| root.place(finding)));
        (root, findings)
    }

    fn place(&self, finding: Finding) -> Finding {
        Finding { place: Place { path: self.path.clone(), ..finding.place }, ..finding }
    }

    /// What keeps it: directories and archives around it, the nearest first, as far as layers of one image lie apart.
    fn around(&self) -> impl Iterator<Item = &str> {
        const LEVELS: usize = 4;
        self.path.rmatch_indices('/').take(LEVELS).map(|(at, _)| &self.path[..at])
    }

    /// Whether it is a layer of something: an archive in an archive, or what container engines keep unpacked.
    fn is_layer(&self) -> bool {
        self.path.matches("!/").count() > 0 && self.path.ends_with('!')
            || self.path.contains("/overlay2/") && self.path.ends_with("/diff")
            || self.path.contains("/snapshots/") && self.path.ends_with("/fs")
    }

    /// Puts together what roots have. Those without an `os-release`, as upper layers of images are, are what the others are
    /// that lie nearest, where one of them fits. Gives what does not.
    pub fn settle(mut roots: Vec<Self>) -> (Vec<Rooted>, Vec<Finding>) {
        let mut findings = Vec::new();
        let all = roots.len();
        roots.truncate(ROOTS_MAX);
        let none = OsRelease::default();
        let mut known: HashMap<&str, Vec<&OsRelease>> = HashMap::new();
        for root in roots.iter().filter(|root| root.os != none) {
            for around in root.around() {
                let here = known.entry(around).or_default();
                if here.len() <= CANDIDATES_MAX && !here.iter().any(|os| is_same(os, &root.os)) {
                    here.push(&root.os);
                }
            }
        }
        let named = |root: &Self| {
            let nearest = root.around().find_map(|around| known.get(around))?;
            let mut fitting = nearest.iter().filter(|os| {
                let is_family = root.formats.iter().all(|format| os.family() == Some(format));
                is_family && contradiction(os, &root.packages).is_none()
            });
            let first = fitting.next().filter(|_| nearest.len() <= CANDIDATES_MAX)?;
            fitting.next().is_none().then(|| (*first).clone())
        };
        let is_unnamed = |root: &Self| root.os == none && !root.formats.is_empty() && root.is_layer();
        let names: Vec<Option<OsRelease>> =
            roots.iter().map(|root| if is_unnamed(root) { named(root) } else { None }).collect();
        for (root, name) in roots.iter_mut().zip(names) {
            root.os = name.unwrap_or_else(|| std::mem::take(&mut root.os));
        }
        let mut rooted: BTreeMap<[String; 3], (Rooted, Places)> = BTreeMap::new();
        let mut count = 0;
        for (at, root) in roots.iter_mut().enumerate().filter(|(_, root)| !root.formats.is_empty()) {
            let found = check_formats(&root.os, &root.formats, &root.packages, true);
            findings.extend(found.into_iter().map(|finding| root.place(finding)));
            let key = [&root.os.id, &root.os.version_id, &root.os.pretty_name].map(Clone::clone);
            let of_this = rooted.entry(key).or_default();
            of_this.0.os.clone_from(&root.os);
            for package in std::mem::take(&mut root.packages) {
                if count < ROOTED_MAX || of_this.1.contains_key(&package) {
                    let places = of_this.1.entry(package).or_insert_with(|| {
                        count += 1;
                        Vec::new()
                    });
                    places.push(at);
                } else {
                    count = usize::MAX;
                }
            }
        }
        if all > ROOTS_MAX || count == usize::MAX {
            findings.push(too_many_roots(all));
        }
        let paths = |places: Vec<usize>| {
            places.into_iter().filter_map(|at| Some(roots.get(at)?.path.clone())).take(PLACES_MAX).collect()
        };
        let whole = |(rooted, packages): (Rooted, Places)| {
            let packages = packages.into_iter().map(|(package, places)| (package, paths(places))).collect();
            Rooted { packages, ..rooted }
        };
        let rooted = rooted.into_values().map(whole).collect();
        (rooted, findings)
    }
}

/// What could not be looked at of so many systems or records.
pub fn too_many_roots(count: usize) -> Finding {
    let observed = format!("more systems below the root, or packages in them, than are looked at: {count}");
    finding("INC-16", Place::default(), observed, "fewer of them", OURS)
}

fn is_same(one: &OsRelease, other: &OsRelease) -> bool {
    (&one.id, &one.version_id) == (&other.id, &other.version_id)
}

/// Roots that are named of one package.
const PLACES_MAX: usize = 50;

/// Directories in which package managers keep what they installed that is not read here.
pub const OTHER_MANAGERS: [(&str, &str); 11] = [
    ("gnu/store", "Guix"),
    ("nix/store", "Nix"),
    ("usr/lib/opkg/info", "opkg"),
    ("usr/share/clear/bundles", "swupd"),
    ("var/db/pkg", "Portage"),
    ("var/db/xbps", "XBPS"),
    ("var/lib/chisel", "Chisel"),
    ("var/lib/opkg/info", "opkg"),
    ("var/lib/pacman/local", "pacman"),
    ("var/lib/pkgtools/packages", "pkgtools"),
    ("var/lib/rpmmanifest", "rpm, as a list alone"),
];

/// Packages of managers that are not read: nobody knows what they are. Some write lists beside databases that are read.
pub fn check_others(formats: &BTreeSet<&str>, is_there: impl Fn(&str) -> bool) -> Option<Finding> {
    const BESIDE: [&str; 2] = ["var/lib/chisel", "var/lib/rpmmanifest"];
    let is_read = |directory: &str| !formats.is_empty() && BESIDE.contains(&directory);
    let found = OTHER_MANAGERS.iter().filter(|(directory, _)| !is_read(directory) && is_there(directory));
    let names: BTreeSet<&str> = found.map(|(_, name)| *name).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    let fix = "build on a distribution that publishes advisories";
    let required = "a distribution with an OSV ecosystem";
    let observed = format!("packages of {names}, which are not read");
    (!names.is_empty()).then(|| finding("INC-07", Place::default(), observed, required, fix))
}

/// Whether databases were found, and fit the distribution that the guest says it is. One without a package is none.
pub fn check_formats(
    os: &OsRelease,
    formats: &BTreeSet<&str>,
    packages: &[Package],
    is_document: bool,
) -> Vec<Finding> {
    let mut out = Vec::new();
    if let Some(observed) = contradiction(os, packages) {
        let required = "the same distribution in both";
        out.push(finding("PKG-03", Place::default(), observed, required, "ship the true os-release"));
    }
    let family = os.family();
    if let Some(found) = formats.iter().find(|format| family.is_some_and(|family| family != **format)) {
        let observed = format!("os-release says {}, the packages are {found}", os.id);
        let required = "the same distribution in both";
        out.push(finding("PKG-03", Place::default(), observed, required, "ship the true os-release"));
    }
    if let Some(family) = family.filter(|_| formats.is_empty() && !is_document) {
        let observed = format!("no {family} database, though os-release says {}", os.id);
        let fix = "keep the package manager's own database in the image";
        out.push(finding("INC-08", Place::default(), observed, "a package database that can be read", fix));
    } else if formats.is_empty() && !is_document {
        let fix = "nothing to do when the image holds no distribution packages";
        let observed = "no package database".to_owned();
        out.push(finding("PKG-04", Place::default(), observed, "an inventory", fix));
    }
    out
}

/// The OSV ecosystem of a distribution, as the advisories keep it ([`mercat_advisories::canonical_ecosystem`]); what has none is
/// its own name, which no advisory has. SUSE's modules for release 12 name no service pack, so 12 has none either: part
/// of its packages would be judged by nothing.
pub fn ecosystem(os: &OsRelease) -> String {
    let version = os.version_id.as_str();
    let major = version.split('.').next().unwrap_or(version);
    let major_minor = || version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    match os.id.as_str() {
        "debian" | "raspbian" => format!("Debian:{version}"),
        "ubuntu" if os.pretty_name.contains("LTS") => format!("Ubuntu:{version}:LTS"),
        "ubuntu" => format!("Ubuntu:{version}"),
        "alpine" => format!("Alpine:v{}", major_minor()),
        "wolfi" => "Wolfi".to_owned(),
        "chainguard" => "Chainguard".to_owned(),
        "almalinux" => format!("AlmaLinux:{major}"),
        "rocky" => format!("Rocky Linux:{major}"),
        "rhel" => format!("Red Hat:enterprise_linux:{major}"),
        "sles" | "sled" | "sles_sap" | "sle_hpc" if major == "15" => match version.split_once('.') {
            None | Some((_, "0")) => "SUSE:Linux Enterprise 15".to_owned(),
            Some((_, pack)) => format!("SUSE:Linux Enterprise 15 SP{pack}"),
        },
        "sles" | "sles_sap" if major.parse().is_ok_and(|major: u32| major >= 16) => {
            format!("SUSE:Linux Enterprise {version}")
        }
        "sle-micro" => format!("SUSE:Linux Enterprise Micro {version}"),
        "sl-micro" => format!("SUSE:Linux Micro {version}"),
        "openEuler" => {
            // `openEuler 22.03 (LTS-SP3)`.
            let phase = os.pretty_name.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
            phase.map_or(format!("openEuler:{version}"), |(phase, _)| format!("openEuler:{version}-{phase}"))
        }
        "mariner" | "azurelinux" => format!("Azure Linux:{major}"),
        "mageia" => format!("Mageia:{major}"),
        "photon" => format!("Photon OS:{version}"),
        "opensuse-leap" => format!("openSUSE:Leap {version}"),
        "opensuse-tumbleweed" => "openSUSE:Tumbleweed".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests;
