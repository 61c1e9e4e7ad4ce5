//! What is installed, and what is known about it: the same for images and disks.

use crate::scan::OURS;
use mercat_artifact::pkgdb::{OsRelease, Package, parse_apk, parse_dpkg, rpm};
use mercat_domain::finding::{Finding, Place, Severity};
use std::collections::BTreeSet;

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

/// Whether a path is that of an rpm database or what belongs to one.
pub(crate) fn is_rpm(path: &str) -> bool {
    path.contains("/rpm/") || path.starts_with("rpm/")
}

/// Whether a path is that of a database that also says which files its packages own.
pub(crate) fn is_database(path: &str) -> bool {
    let rpm = ["/Packages", "/Packages.db", "/rpmdb.sqlite"].iter().any(|end| path.ends_with(end));
    is_rpm(path) && rpm || path.ends_with("apk/db/installed")
}

/// The package manager whose database a path is.
pub(crate) fn format_of(path: &str) -> &'static str {
    match path {
        path if is_rpm(path) => "rpm",
        path if path.contains("apk/") => "apk",
        _ => "dpkg",
    }
}

/// What is kept of a database: its text, or for rpm one line a package. The error is a finding without
/// a place.
pub(crate) fn text_of(path: &str, bytes: &[u8]) -> Result<String, Box<Finding>> {
    if !is_rpm(path) {
        return Ok(String::from_utf8_lossy(bytes).into_owned());
    }
    let packages = rpm::parse(bytes).map_err(|refusal| match refusal {
        rpm::Refusal::Unreadable(why) => {
            Box::new(finding("INC-08", Place::default(), why, "a database that can be read", OURS))
        }
        rpm::Refusal::Broken(why) => broken(why),
    })?;
    let line = |p: Package| {
        [p.name, p.version, p.architecture, p.source, p.source_version].join("\t").replace('\n', " ")
    };
    Ok(packages.into_iter().map(line).collect::<Vec<_>>().join("\n"))
}

fn broken(why: String) -> Box<Finding> {
    let fix = "ship the package manager's own file";
    Box::new(finding("PKG-05", Place::default(), why, "a readable package database", fix))
}

/// Reads what [`text_of`] kept.
pub(crate) fn read_text(path: &str, text: &str) -> Result<Vec<Package>, Box<Finding>> {
    let parsed = match format_of(path) {
        "apk" => parse_apk(text),
        "dpkg" => parse_dpkg(text),
        _ => text.lines().map(read_line).collect(),
    };
    parsed.map_err(broken)
}

fn read_line(line: &str) -> Result<Package, String> {
    let parts: Vec<&str> = line.split('\t').collect();
    let [name, version, architecture, source, source_version] = parts[..] else {
        return Err(format!("the line {line:?} is no package"));
    };
    Ok(Package {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: architecture.to_owned(),
        source: source.to_owned(),
        source_version: source_version.to_owned(),
    })
}

/// The package manager of a distribution, where its name says so.
pub(crate) fn family(os: &OsRelease) -> Option<&'static str> {
    match os.id.as_str() {
        "debian" | "ubuntu" | "raspbian" => Some("dpkg"),
        "alpine" | "wolfi" | "chainguard" => Some("apk"),
        "rhel" | "centos" | "fedora" | "rocky" | "almalinux" | "ol" | "amzn" | "sles" | "sled"
        | "mariner" | "azurelinux" | "photon" | "mageia" | "openEuler" => Some("rpm"),
        id if id.starts_with("opensuse") || id.starts_with("sle-") => Some("rpm"),
        _ => None,
    }
}

/// Whether databases were found, and fit the distribution that the guest says it is.
pub(crate) fn check_formats(os: &OsRelease, formats: &BTreeSet<&str>, is_document: bool) -> Vec<Finding> {
    let mut out = Vec::new();
    let family = family(os);
    if let Some(found) = formats.iter().find(|format| family.is_some_and(|family| family != **format)) {
        let observed = format!("os-release says {}, the packages are {found}", os.id);
        let required = "the same distribution in both";
        out.push(finding("PKG-03", Place::default(), observed, required, "ship the true os-release"));
    }
    if formats.is_empty() && !is_document {
        let fix = "nothing to do when the image holds no distribution packages";
        let observed = "no package database".to_owned();
        out.push(finding("PKG-04", Place::default(), observed, "an inventory", fix));
    }
    out
}

/// The OSV ecosystem of a distribution.
pub(crate) fn ecosystem(os: &OsRelease) -> String {
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
        "azurelinux" => format!("Azure Linux:{major}"),
        "mageia" => format!("Mageia:{major}"),
        "photon" => format!("Photon OS:{version}"),
        "opensuse-leap" => format!("openSUSE:Leap {version}"),
        "opensuse-tumbleweed" => "openSUSE:Tumbleweed".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::advisories::Advisories;
    use crate::{Extra, Knowledge};

    /// An ndb database with one package of one version.
    fn database(name: &str, version: &str) -> Vec<u8> {
        let mut store = Vec::new();
        let mut entries = Vec::new();
        let source = format!("{name}-{version}-1.el9.src.rpm");
        for (tag, value) in
            [(1000_u32, name), (1001, version), (1002, "1.el9"), (1022, "x86_64"), (1044, &source)]
        {
            let at = u32::try_from(store.len()).expect("small");
            [tag, 6, at, 1].iter().for_each(|number| entries.extend(number.to_be_bytes()));
            store.extend_from_slice(value.as_bytes());
            store.push(0);
        }
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("small");
        let header = [&5_u32.to_be_bytes()[..], &length(&store).to_be_bytes(), &entries, &store].concat();
        let mut out = vec![0; 4096];
        out[..4].copy_from_slice(b"RpmP");
        out[12] = 1;
        (32..4096).step_by(16).for_each(|at| out[at..at + 4].copy_from_slice(b"Slot"));
        out.extend(
            [&b"BlbS"[..], &1_u32.to_le_bytes(), &[0; 4], &length(&header).to_le_bytes(), &header].concat(),
        );
        let end = (out.len() + 12).next_multiple_of(16);
        out.resize(end - 4, 0);
        out.extend(b"BlbE");
        out[36] = 1;
        out[40..44].copy_from_slice(&256_u32.to_le_bytes());
        out[44..48].copy_from_slice(&u32::try_from((end - 4096) / 16).expect("small").to_le_bytes());
        out
    }

    fn tar(path: &str, bytes: &[u8]) -> Vec<u8> {
        let mut header = vec![0; 512];
        header[..path.len()].copy_from_slice(path.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        let padding = vec![0; bytes.len().next_multiple_of(512) - bytes.len() + 1024];
        [header, bytes.to_vec(), padding].concat()
    }

    #[test]
    fn a_layer_keeps_the_packages_of_an_rpm_database_and_no_bytes_of_it() {
        let knowledge = Knowledge::load(&Extra::default(), Advisories::default())
            .unwrap_or_else(|error| panic!("{error}"));
        let layer = tar("usr/lib/sysimage/rpm/Packages.db", &database("openssl-libs", "3.0.7"));
        let compression = Some(mercat_artifact::oci::Compression::None);
        let facts = crate::facts::scan_layer(&mut &layer[..], compression, &knowledge).expect("reads");
        let text = "openssl-libs\t3.0.7-1.el9\tx86_64\topenssl-libs\t3.0.7-1.el9";
        assert_eq!(facts.captured[0].text.as_deref(), Some(text));
        assert!(facts.notes.is_empty(), "{:?}", facts.notes);
        let broken = tar("var/lib/rpm/Packages.db", b"RpmP");
        let facts = crate::facts::scan_layer(&mut &broken[..], compression, &knowledge).expect("reads");
        assert!(facts.notes.iter().any(|note| note.rule == "PKG-05"));
    }
}
