//! The bills of materials of one image or disk, with their digests.

use crate::files::whole::Whole;
use crate::inventory::Root;
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
    roots: &[Root],
    whole: &Whole,
) -> Documents {
    let roots: Vec<mercat_sbom::Root<'_>> = roots
        .iter()
        .map(|Root { path, os, packages, .. }| mercat_sbom::Root { path, os, packages })
        .collect();
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
        roots: &roots,
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
