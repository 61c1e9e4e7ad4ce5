//! Package databases of Linux distributions.

pub mod release;
pub mod rpm;

/// One installed package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Version, as the distribution writes it.
    pub version: String,
    /// Architecture.
    pub architecture: String,
    /// Source package name, where it differs, else the name.
    pub source: String,
    /// Source version, where it differs, else the version.
    pub source_version: String,
    /// The stream of the module that it came with, for example `nodejs:20`; empty for one of none. Of rpm only.
    pub module: String,
}

/// Packages of one database, most. Whole distributions have more, no system does; each costs some kilobytes
/// on the way to a bill of materials.
pub const PACKAGES_MAX: usize = 20_000;

fn too_many(kind: &str) -> String {
    format!("{kind} database with more than {PACKAGES_MAX} packages")
}

/// Databases of packages and the name of the distribution, by the paths at which their tools read them.
pub const RECORDS: [&str; 14] = [
    "usr/share/rpm/Packages",
    "usr/share/rpm/Packages.db",
    "usr/share/rpm/rpmdb.sqlite",
    "usr/lib/sysimage/rpm/Packages",
    "usr/lib/sysimage/rpm/Packages.db",
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "var/lib/rpm/Packages",
    "var/lib/rpm/Packages.db",
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/dpkg/status",
    "lib/apk/db/installed",
    "usr/lib/apk/db/installed",
    "etc/os-release",
    "usr/lib/os-release",
];

/// Whether a path is that of one of [`RECORDS`], or of a record of distroless images.
pub fn is_record(path: &str) -> bool {
    let of_distroless = path.strip_prefix("var/lib/dpkg/status.d/");
    RECORDS.contains(&path)
        || of_distroless.is_some_and(|name| !name.contains('/') && !name.ends_with(".md5sums"))
}

/// Whether a path is that of a record that names the distribution, in the first root or one below it.
pub fn is_release(path: &str) -> bool {
    let is_one = |path: &str| matches!(path, "etc/os-release" | "usr/lib/os-release");
    is_one(path) || root_of_record(path).is_some_and(|root| is_one(&path[root.len() + 1..]))
}

/// The directory that is the root of a system of its own, where a path is that of a record below one: of a container that
/// lies on a disk, or of what something is built in. A database that is not in its place is one, too: directories above it may
/// have another name there, and be links in the root that it is of.
pub fn root_of_record(path: &str) -> Option<&str> {
    const NAMES: [&str; 6] = ["status", "installed", "Packages", "Packages.db", "rpmdb.sqlite", "os-release"];
    const DATABASES: [&str; 5] =
        ["dpkg/status", "apk/db/installed", "rpm/Packages", "rpm/Packages.db", "rpm/rpmdb.sqlite"];
    let (directory, name) = path.rsplit_once('/')?;
    let of_distroless = directory.ends_with("dpkg/status.d");
    if !NAMES.contains(&name) && !of_distroless || is_record(path) {
        return None;
    }
    let mut roots = path.match_indices('/').filter(|(at, _)| is_record(&path[at + 1..]));
    let in_place = roots.next().map(|(at, _)| &path[..at]);
    let elsewhere = || match of_distroless && !name.ends_with(".md5sums") {
        true => directory.strip_suffix("/dpkg/status.d"),
        false => DATABASES.iter().find_map(|database| path.strip_suffix(database)?.strip_suffix('/')),
    };
    in_place.or_else(elsewhere)
}

/// Fields of a stanza that are read.
const ASKED: [&str; 5] = ["package", "status", "version", "source", "architecture"];
/// States of packages of which no file is there.
const GONE: [&str; 2] = ["not-installed", "config-files"];

/// Reads a dpkg status file (deb-control syntax; also the files of distroless `status.d`).
/// Packages of which nothing but configuration is left are left out; what is unpacked but not configured is there.
///
/// # Errors
/// The line that is neither a field, a continuation nor blank, or a stanza that names half of a package.
pub fn parse_dpkg(text: &str) -> Result<Vec<Package>, String> {
    let mut packages = Vec::new();
    // Of a stanza only the fields that are asked for; of most others more lines mean nothing to us.
    let mut fields: Vec<(&str, String)> = Vec::new();
    let mut is_asked = false;
    for line in text.lines().chain([""]) {
        if line.is_empty() {
            packages.extend(package_of(&std::mem::take(&mut fields))?);
            is_asked = false;
            if packages.len() > PACKAGES_MAX {
                return Err(too_many("a dpkg"));
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut().filter(|_| is_asked) {
                *value = format!("{value} {}", line.trim()).trim().to_owned();
            }
        } else {
            let (key, value) = line
                .split_once(':')
                .ok_or_else(|| format!("line {} is not a field of a dpkg status file", quoted(line)))?;
            let asked = ASKED.iter().find(|asked| asked.eq_ignore_ascii_case(key.trim_end()));
            is_asked = asked.is_some();
            if let Some(key) = asked {
                if fields.iter().any(|(known, _)| known == key) {
                    return Err(format!("a stanza with the field {key} twice"));
                }
                fields.push((key, value.trim().to_owned()));
            }
        }
    }
    packages.sort();
    packages.dedup();
    Ok(packages)
}

/// The package of a stanza of dpkg, where one is there.
fn package_of(fields: &[(&str, String)]) -> Result<Option<Package>, String> {
    let field = |key: &str| fields.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str());
    let state = field("status").and_then(|status| status.split_whitespace().last());
    if state.is_some_and(|state| GONE.iter().any(|gone| state.eq_ignore_ascii_case(gone))) {
        return Ok(None);
    }
    let (name, version) = match (field("package"), field("version")) {
        (Some(name), Some(version)) => (name, version),
        (None, None) => return Ok(None),
        (Some(name), None) => return Err(format!("the package {} has no version", quoted(name))),
        (None, Some(_)) => return Err("a stanza with a version and no package".to_owned()),
    };
    if [name, version].iter().any(|text| text.contains(char::is_control)) {
        return Err(format!(
            "the package {} has a name or version that no package manager writes",
            quoted(name)
        ));
    }
    let (source, source_version) = match field("source") {
        None => (name, version),
        Some(source) => match source.split_once(" (") {
            Some((source, of)) => (source, of.trim_end_matches(')')),
            None => (source, version),
        },
    };
    Ok(Some(Package {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: field("architecture").unwrap_or_default().to_owned(),
        source: source.to_owned(),
        source_version: source_version.to_owned(),
        module: String::new(),
    }))
}

/// Reads an apk installed database.
///
/// # Errors
/// The line that is not `X:value`.
pub fn parse_apk(text: &str) -> Result<Vec<Package>, String> {
    /// Package, version, architecture, origin.
    const KEYS: [&str; 4] = ["P", "V", "A", "o"];
    let mut packages = Vec::new();
    let mut fields: [Option<&str>; 4] = [None; 4];
    for line in text.lines().chain([""]) {
        if !line.is_empty() {
            let bad = || format!("line {} is not a field of an apk database", quoted(line));
            let (key, value) = line.split_once(':').filter(|(key, _)| key.len() == 1).ok_or_else(bad)?;
            match KEYS.iter().position(|known| *known == key) {
                // Of name and version there is one.
                Some(at @ 0..2) if fields[at].is_some() => {
                    return Err(format!("a package with the field {key} twice"));
                }
                Some(at) => fields[at] = fields[at].or(Some(value)),
                None => {}
            }
            continue;
        }
        let [name, version, architecture, origin] = std::mem::take(&mut fields);
        let (name, version) = match (name, version) {
            (Some(name), Some(version)) => (name.to_owned(), version.to_owned()),
            (None, None) => continue,
            (name, version) => {
                let told = |of: Option<&str>| of.map_or_else(|| "none".to_owned(), quoted);
                return Err(format!("a package {} of version {}", told(name), told(version)));
            }
        };
        if packages.len() == PACKAGES_MAX {
            return Err(too_many("an apk"));
        }
        packages.push(Package {
            architecture: architecture.unwrap_or_default().to_owned(),
            source: origin.map_or_else(|| name.clone(), str::to_owned),
            source_version: version.clone(),
            module: String::new(),
            name,
            version,
        });
    }
    packages.sort();
    packages.dedup();
    Ok(packages)
}

/// What a message shows of a text.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
    }
}

/// A Linux distribution, from `os-release`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OsRelease {
    /// `ID`.
    pub id: String,
    /// `VERSION_ID`.
    pub version_id: String,
    /// `PRETTY_NAME`.
    pub pretty_name: String,
}

impl OsRelease {
    /// The package manager of the distribution, where its name says so: `dpkg`, `apk` or `rpm`.
    pub fn family(&self) -> Option<&'static str> {
        match self.id.as_str() {
            "debian" | "ubuntu" | "raspbian" => Some("dpkg"),
            "alpine" | "wolfi" | "chainguard" => Some("apk"),
            "rhel" | "centos" | "fedora" | "rocky" | "almalinux" | "ol" | "amzn" | "mariner"
            | "azurelinux" | "photon" | "mageia" | "openEuler" => Some("rpm"),
            id if ["opensuse", "sle", "sl-"].iter().any(|start| id.starts_with(start)) => Some("rpm"),
            _ => None,
        }
    }
}

/// Reads `os-release` (the file of that name's own syntax: shell assignments).
pub fn parse_os_release(text: &str) -> OsRelease {
    let value = |key: &str| {
        text.lines()
            .filter_map(|line| line.trim().split_once('='))
            // The last one counts, as a shell reads it.
            .rfind(|(name, _)| *name == key)
            .map(|(_, value)| value.trim_matches(['"', '\'']).to_owned())
            .unwrap_or_default()
    };
    OsRelease { id: value("ID"), version_id: value("VERSION_ID"), pretty_name: value("PRETTY_NAME") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_below_a_root_are_told_by_their_whole_path() {
        for (path, root) in [
            ("srv/r/var/lib/dpkg/status", Some("srv/r")),
            ("srv/r/var/lib/dpkg/status.d/os-release", Some("srv/r")),
            ("a.tar!/usr/lib/apk/db/installed", Some("a.tar!")),
            ("var/lib/dpkg/status.d/x!/var/lib/dpkg/status", Some("var/lib/dpkg/status.d/x!")),
            ("var/lib/dpkg/status", None),
            ("usr/lib/os-release", None),
            ("srv/r/var/lib/dpkg/status.d/a.md5sums", None),
            // Where the root is cannot be told of these, as `var` may be a link to there.
            ("srv/r/lib/dpkg/status", Some("srv/r/lib")),
            ("srv/r/dpkg/status.d/base", Some("srv/r")),
            ("srv/r/rpm/rpmdb.sqlite", Some("srv/r")),
            ("srv/r/other/status", None),
            ("dpkg/status.d/a.md5sums", None),
            ("srvvar/lib/dpkg/status", Some("srvvar/lib")),
        ] {
            assert_eq!(root_of_record(path), root, "{path}");
        }
        assert!(is_release("a!/etc/os-release") && !is_release("a/var/lib/dpkg/status.d/os-release"));
        assert!(!is_record("var/lib/dpkg/status.d/a/b") && is_record("var/lib/dpkg/status.d/a!b"));
    }

    #[test]
    fn names_without_letters_to_read_are_refused() {
        assert!(parse_dpkg("Package: a\x1bb\nVersion: 1\n").is_err());
        assert!(parse_dpkg("Package: a\nVersion: 1\0\n").is_err());
    }

    #[test]
    fn messages_show_the_beginning_of_a_long_line() {
        let why = parse_dpkg(&"x".repeat(1 << 20)).expect_err("no field");
        assert!(why.len() < 200 && why.contains('…'), "{why}");
        assert!(parse_apk(&"y".repeat(1 << 20)).expect_err("no field").len() < 200);
        // Fields that nobody asks for take no room.
        let many = "a:\n".repeat(1 << 20);
        assert_eq!(parse_dpkg(&format!("{many}Package: p\nVersion: 1\n")).map(|all| all.len()), Ok(1));
    }

    #[test]
    fn dpkg_keeps_installed_packages_with_their_sources() {
        let text = "Package: libssl3\nStatus: install ok installed\nSource: openssl (3.0.11-1)\nVersion: 3.0.11-1+b1\n\
                    Architecture: amd64\nDescription: x\n more\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n";
        let packages = parse_dpkg(text).expect("reads");
        assert_eq!(packages.len(), 1);
        assert_eq!(
            (packages[0].source.as_str(), packages[0].source_version.as_str()),
            ("openssl", "3.0.11-1")
        );
        assert!(parse_dpkg("Package: a\nnonsense\n").is_err());
    }

    #[test]
    fn dpkg_lists_what_is_there_in_whatever_state_and_however_it_is_written() {
        for stanza in [
            "Package: a\nStatus: install ok unpacked\nVersion: 1\n",
            "Package: a\nStatus: install ok half-configured\nVersion: 1\n",
            "Package: a\nStatus: install ok half-installed\nVersion: 1\n",
            "Package: a\nStatus: install ok triggers-pending\nVersion: 1\n",
            "Package: a\nStatus: install ok Installed\nVersion: 1\n",
            "Package : a\nstatus: install ok installed\nVERSION\t: 1\n",
            "Package: a\nDescription: x\n \nVersion: 1\nStatus: install ok installed\n",
            "Package: a\nStatus: install ok\n installed\nVersion:\n 1\n",
        ] {
            let found = parse_dpkg(stanza).expect("reads");
            let found: Vec<_> = found.iter().map(|p| (p.name.as_str(), p.version.as_str())).collect();
            assert_eq!(found, [("a", "1")], "{stanza}");
        }
        for gone in ["deinstall ok config-files", "purge ok not-installed", "deinstall ok Config-Files"] {
            assert_eq!(parse_dpkg(&format!("Package: a\nStatus: {gone}\nVersion: 1\n")), Ok(Vec::new()));
        }
        for half in ["Package: a\n", "Version: 1\n", "Package: a\nPackage: b\nVersion: 1\n"] {
            assert!(parse_dpkg(half).is_err(), "{half}");
        }
        for half in ["P:a\n", "V:1\n", "P:a\nV:1\nV:2\n"] {
            assert!(parse_apk(half).is_err(), "{half}");
        }
        assert_eq!(parse_os_release("ID=debian\nVERSION_ID=13\nVERSION_ID=12\n").version_id, "12");
    }

    #[test]
    fn apk_fields_have_one_letter() {
        let text = "C:Q1x\nP:musl\nV:1.2.4-r2\nA:x86_64\no:musl\n\nP:busybox\nV:1.36.1-r5\nF:bin\n";
        let names: Vec<String> = parse_apk(text).expect("reads").into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["busybox", "musl"]);
        assert!(parse_apk("Package: a\n").is_err());
    }

    #[test]
    fn a_database_of_more_packages_than_any_system_has_is_refused_with_the_limit() {
        let dpkg = |count: usize| -> String {
            (0..count).map(|at| format!("Package: p{at}\nVersion: 1\n\n")).collect()
        };
        assert_eq!(parse_dpkg(&dpkg(PACKAGES_MAX)).expect("reads").len(), PACKAGES_MAX);
        assert!(parse_dpkg(&dpkg(PACKAGES_MAX + 1)).expect_err("too many").contains("20000 packages"));
        let apk: String = (0..=PACKAGES_MAX).map(|at| format!("P:p{at}\nV:1\n\n")).collect();
        assert!(parse_apk(&apk).expect_err("too many").contains("20000 packages"));
    }
}
