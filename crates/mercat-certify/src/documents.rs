//! The bills of materials of one image or disk, with their digests.

use crate::files::whole::Whole;
use crate::inventory::Rooted;
use mercat_artifact::pkgdb::{OsRelease, Package};
use mercat_sbom::{Materials, Unpackaged};

/// Each as digest and text.
pub(crate) struct Documents {
    /// CycloneDX 1.6 JSON.
    pub(crate) cyclonedx: (String, String),
    /// SPDX 2.3 JSON.
    pub(crate) spdx: (String, String),
}

/// Writes both documents; `kind` is `container` or `file`, `subject` a digest.
pub(crate) fn write(
    (kind, subject): (&'static str, &str),
    os: &OsRelease,
    packages: &[Package],
    rooted: &[Rooted],
    whole: &Whole,
) -> Documents {
    let rooted = rooted.iter().map(|Rooted { os, packages }| mercat_sbom::Rooted {
        os,
        packages: packages.iter().map(|(package, roots)| (package, &roots[..])).collect(),
    });
    let rooted: Vec<mercat_sbom::Rooted<'_>> = rooted.collect();
    let unpackaged = whole.unpackaged.iter().map(|(path, program)| Unpackaged {
        path: path.clone(),
        bytes: program.bytes,
        sha256: program.sha256.to_string(),
    });
    let unpackaged: Vec<Unpackaged> = unpackaged.collect();
    let written = mercat_sbom::write(&Materials {
        kind,
        subject,
        os,
        packages,
        rooted: &rooted,
        gone: &whole.gone,
        licences: &whole.licences,
        components: &whole.components,
        removed: &whole.removed,
        unpackaged: &unpackaged,
        left: whole.left,
    });
    let with_digest = |text: String| (crate::digest_of(text.as_bytes()).to_string(), text);
    Documents { cyclonedx: with_digest(written.cyclonedx), spdx: with_digest(written.spdx) }
}
