//! Package databases of Linux distributions.

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
}

/// Packages of one database, most. Whole distributions have more, no system does; each costs some kilobytes
/// on the way to a bill of materials.
pub const PACKAGES_MAX: usize = 20_000;

fn too_many(kind: &str) -> String {
    format!("{kind} database with more than {PACKAGES_MAX} packages")
}

/// Reads a dpkg status file (deb-control syntax; also the files of distroless `status.d`).
/// Packages that are not fully installed are left out.
///
/// # Errors
/// The line that is neither a field, a continuation nor blank.
pub fn parse_dpkg(text: &str) -> Result<Vec<Package>, String> {
    let mut packages = Vec::new();
    for stanza in stanzas(text) {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in stanza {
            if line.starts_with([' ', '\t']) {
                continue;
            }
            let (key, value) = line
                .split_once(':')
                .ok_or_else(|| format!("line {line:?} is not a field of a dpkg status file"))?;
            fields.push((key.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let field = |key: &str| fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let (Some(name), Some(version)) = (field("package"), field("version")) else { continue };
        if field("status").is_some_and(|status| !status.ends_with(" installed")) {
            continue;
        }
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
        let field =
            |key: &str| fields.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned());
        let (Some(name), Some(version)) = (field("P"), field("V")) else { continue };
        if packages.len() == PACKAGES_MAX {
            return Err(too_many("an apk"));
        }
        packages.push(Package {
            architecture: field("A").unwrap_or_default(),
            source: field("o").unwrap_or_else(|| name.clone()),
            source_version: version.clone(),
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
        .split(|line| line.trim().is_empty())
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

/// Reads `os-release` (the file of that name's own syntax: shell assignments).
pub fn parse_os_release(text: &str) -> OsRelease {
    let value = |key: &str| {
        text.lines()
            .filter_map(|line| line.trim().split_once('='))
            .find(|(name, _)| *name == key)
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
