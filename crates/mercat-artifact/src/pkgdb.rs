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
    RECORDS.contains(&path) || path.starts_with("var/lib/dpkg/status.d/") && !path.ends_with(".md5sums")
}

/// The directory that is the root of a system of its own, where a path is that of a record below one: of a container that
/// lies on a disk, or of what something is built in.
pub fn root_of_record(path: &str) -> Option<&str> {
    let mut roots = path.match_indices('/').filter(|(at, _)| is_record(&path[at + 1..]));
    let (at, _) = roots.next().filter(|_| !is_record(path))?;
    Some(&path[..at])
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
    for stanza in stanzas(text) {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in stanza {
            if line.starts_with([' ', '\t']) {
                // Of most fields more lines mean nothing to us.
                if let Some((_, value)) = fields.last_mut().filter(|(key, _)| ASKED.contains(&key.as_str())) {
                    *value = format!("{value} {}", line.trim()).trim().to_owned();
                }
                continue;
            }
            let (key, value) = line
                .split_once(':')
                .ok_or_else(|| format!("line {line:?} is not a field of a dpkg status file"))?;
            fields.push((key.trim_end().to_ascii_lowercase(), value.trim().to_owned()));
        }
        let twice = ASKED.iter().find(|key| fields.iter().filter(|(name, _)| name == *key).count() > 1);
        if let Some(key) = twice {
            return Err(format!("a stanza with the field {key} twice"));
        }
        let field = |key: &str| fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let state = field("status").and_then(|status| status.split_whitespace().last());
        if state.is_some_and(|state| GONE.iter().any(|gone| state.eq_ignore_ascii_case(gone))) {
            continue;
        }
        let (name, version) = match (field("package"), field("version")) {
            (Some(name), Some(version)) => (name, version),
            (None, None) => continue,
            (Some(name), None) => return Err(format!("the package {name:?} has no version")),
            (None, Some(_)) => return Err("a stanza with a version and no package".to_owned()),
        };
        let (source, source_version) = match field("source") {
            None => (name, version),
            Some(source) => match source.split_once(" (") {
                Some((source, of)) => (source, of.trim_end_matches(')')),
                None => (source, version),
            },
        };
        if packages.len() == PACKAGES_MAX {
            return Err(too_many("a dpkg"));
        }
        packages.push(Package {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: field("architecture").unwrap_or_default().to_owned(),
            source: source.to_owned(),
            source_version: source_version.to_owned(),
            module: String::new(),
        });
    }
    packages.sort();
    packages.dedup();
    Ok(packages)
}

/// Reads an apk installed database.
///
/// # Errors
/// The line that is not `X:value`.
pub fn parse_apk(text: &str) -> Result<Vec<Package>, String> {
    let mut packages = Vec::new();
    for stanza in stanzas(text) {
        let mut fields = Vec::new();
        for line in stanza {
            let bad = || format!("line {line:?} is not a field of an apk database");
            let (key, value) = line.split_once(':').filter(|(key, _)| key.len() == 1).ok_or_else(bad)?;
            fields.push((key, value));
        }
        let twice = ["P", "V"].iter().find(|key| fields.iter().filter(|(name, _)| name == *key).count() > 1);
        if let Some(key) = twice {
            return Err(format!("a package with the field {key} twice"));
        }
        let field =
            |key: &str| fields.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned());
        let (name, version) = match (field("P"), field("V")) {
            (Some(name), Some(version)) => (name, version),
            (None, None) => continue,
            (name, version) => return Err(format!("a package {name:?} of version {version:?}")),
        };
        if packages.len() == PACKAGES_MAX {
            return Err(too_many("an apk"));
        }
        packages.push(Package {
            architecture: field("A").unwrap_or_default(),
            source: field("o").unwrap_or_else(|| name.clone()),
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

fn stanzas(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .split(|line| line.is_empty())
        .map(<[&str]>::to_vec)
        .filter(|stanza| !stanza.is_empty())
        .collect::<Vec<_>>()
        .into_iter()
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
