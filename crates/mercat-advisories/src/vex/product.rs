//! What statements are about, by package URL and digest.

use std::borrow::Cow;

/// An installed package of an artifact.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Digests by which the artifact is known (`sha256:...`).
    pub digests: &'a [String],
    /// Package URL of the package.
    pub purl: &'a str,
}

/// A product of a statement, with the parts of it that are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Product {
    /// Package URLs.
    pub purls: Vec<String>,
    /// SHA-256 digests, as `sha256:` and hex.
    pub digests: Vec<String>,
    /// Package URLs of the parts that alone are meant; those that are told by something else are left out, so that a list
    /// without any means nothing that is known here.
    pub parts: Option<Vec<String>>,
}

impl Product {
    /// Whether a package of an artifact is meant: the product is the package, all of it, or the product is the artifact
    /// and the package is one of its parts. `of_version`: only where the version is meant, not each one.
    pub fn matches(&self, subject: &Subject<'_>, of_version: bool) -> bool {
        let is = |purl: &String| purl_matches(purl, subject.purl);
        let is_of_version =
            |purl: &&String| !of_version || parts(purl).is_some_and(|of| !of.version.is_empty());
        if self.parts.is_none() && self.purls.iter().filter(is_of_version).any(is) {
            return true;
        }
        let of_purls = self.purls.iter().filter_map(|purl| oci_digest(purl));
        let mut digests = self.digests.iter().map(|digest| Cow::Borrowed(digest.as_str())).chain(of_purls);
        let artifact =
            digests.any(|digest| subject.digests.iter().any(|own| own.eq_ignore_ascii_case(&digest)));
        artifact && self.parts.as_ref().is_none_or(|parts| parts.iter().any(is))
    }

    /// The same of these versions alone. What is known by its digest has one, which nobody knows here.
    pub(super) fn of_versions(self, versions: &[String]) -> Self {
        let of_version = |purl: &String, version: &String| {
            let stated = parts(purl)?.version;
            if stated.is_empty() {
                with_version(purl, version)
            } else {
                (stated == *version).then(|| purl.clone())
            }
        };
        let purls =
            self.purls.iter().flat_map(|purl| versions.iter().filter_map(move |one| of_version(purl, one)));
        Self { purls: purls.collect(), ..Self::default() }
    }
}

/// The digest that an OCI package URL has as its version.
fn oci_digest(purl: &str) -> Option<Cow<'_, str>> {
    let version = purl.strip_prefix("pkg:oci/")?.split(['?', '#']).next()?.split_once('@')?.1;
    let version = version.replace("%3A", ":").replace("%3a", ":");
    version.starts_with("sha256:").then_some(Cow::Owned(version))
}

/// A package URL that has no version with this one.
pub(super) fn with_version(purl: &str, version: &str) -> Option<String> {
    if version.is_empty() || !parts(purl)?.version.is_empty() {
        return None;
    }
    let (path, more) = purl.split_at(purl.find(['?', '#']).unwrap_or(purl.len()));
    let mut out = format!("{path}@");
    for c in version.chars() {
        match c {
            '%' | '?' | '#' | '@' | '/' => out.push_str(&format!("%{:02X}", u32::from(c))),
            c => out.push(c),
        }
    }
    Some(out + more)
}

struct Parts<'a> {
    path: Cow<'a, str>,
    version: Cow<'a, str>,
    qualifiers: Vec<&'a str>,
    subpath: &'a str,
}

fn parts(purl: &str) -> Option<Parts<'_>> {
    let rest = purl.strip_prefix("pkg:")?;
    let (rest, subpath) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    // A scope such as @angular stands before the first slash of the name; the version behind the last.
    let name = rest.rfind('/').unwrap_or(0);
    let (path, version) = match rest[name..].rfind('@') {
        Some(at) => (&rest[..name + at], &rest[name + at + 1..]),
        None => (rest, ""),
    };
    let qualifiers = qualifiers.split('&').filter(|pair| !pair.is_empty()).collect();
    Some(Parts { path: decoded(path), version: decoded(version), qualifiers, subpath })
}

/// Percent-decoding of what is ASCII; other escapes stay as they are.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let byte = rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte.filter(u8::is_ascii) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &rest[at + 3..];
            }
            None => {
                out.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Whether a statement's package URL means an installed one: the same type, namespace and name; the same
/// version unless it names none; and every qualifier and the place inside that it has.
fn purl_matches(stated: &str, installed: &str) -> bool {
    let (Some(stated), Some(installed)) = (parts(stated), parts(installed)) else { return false };
    let version = stated.version.is_empty() || stated.version == installed.version;
    stated.path == installed.path
        && version
        && (stated.subpath.is_empty() || stated.subpath == installed.subpath)
        && stated.qualifiers.iter().all(|pair| installed.qualifiers.contains(pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_match_by_name_and_by_what_they_say_more() {
        let installed = "pkg:deb/debian/openssl@3.0.11-1~deb12u2?arch=amd64&distro=debian-12";
        for yes in [
            "pkg:deb/debian/openssl",
            "pkg:deb/debian/openssl@3.0.11-1~deb12u2",
            "pkg:deb/debian/openssl@3.0.11-1%7Edeb12u2?arch=amd64",
        ] {
            assert!(purl_matches(yes, installed), "{yes}");
        }
        for no in [
            "pkg:deb/debian/openssl@3",
            "pkg:deb/ubuntu/openssl",
            "openssl",
            "pkg:deb/debian/openssl?arch=arm64",
            "pkg:deb/debian/openssl#doc",
            "",
        ] {
            assert!(!purl_matches(no, installed), "{no}");
        }
        assert!(purl_matches("pkg:npm/%40angular/core", "pkg:npm/@angular/core@1.0.0"));
        assert!(purl_matches("pkg:npm/@angular/core@1.0.0", "pkg:npm/%40angular/core@1.0.0"));
        assert!(!purl_matches("pkg:npm/%4", "pkg:npm/%40"));
    }

    #[test]
    fn a_product_that_is_the_artifact_means_its_parts() {
        let digests = [format!("sha256:{}", "a".repeat(64))];
        let subject = Subject { digests: &digests, purl: "pkg:deb/debian/zlib@1" };
        let image =
            Product { purls: vec![format!("pkg:oci/app@sha256%3A{}", "a".repeat(64))], ..Product::default() };
        let of_parts = |product: &Product, parts: &[&str]| {
            let parts = Some(parts.iter().map(|&part| part.to_owned()).collect());
            Product { parts, ..product.clone() }
        };
        assert!(image.matches(&subject, true));
        assert!(of_parts(&image, &["pkg:deb/debian/zlib"]).matches(&subject, true));
        assert!(!of_parts(&image, &["pkg:deb/debian/bash"]).matches(&subject, false));
        assert!(!of_parts(&image, &[]).matches(&subject, false), "parts that nobody knows here");
        assert!(Product { digests: digests.to_vec(), ..Product::default() }.matches(&subject, false));
        assert!(!Product::default().matches(&subject, false));
        let package = Product { purls: vec!["pkg:deb/debian/zlib".to_owned()], ..Product::default() };
        assert!(package.matches(&subject, false) && !package.matches(&subject, true));
        assert!(!of_parts(&package, &["pkg:deb/debian/bash"]).matches(&subject, false), "of a part alone");
        let versions = |of: &[&str]| {
            let versions: Vec<String> = of.iter().map(|&version| version.to_owned()).collect();
            package.clone().of_versions(&versions)
        };
        assert!(versions(&["2", "1"]).matches(&subject, true) && !versions(&["2"]).matches(&subject, false));
    }

    #[test]
    fn versions_are_put_into_package_urls() {
        let with = |purl, version| with_version(purl, version);
        assert_eq!(with("pkg:npm/a?x=1#y", "1@2/3").as_deref(), Some("pkg:npm/a@1%402%2F3?x=1#y"));
        assert!(purl_matches("pkg:npm/a@1%402%2F3", "pkg:npm/a@1%402%2F3"));
        assert_eq!((with("pkg:npm/a@1", "2"), with("pkg:npm/a", ""), with("a", "1")), (None, None, None));
    }
}
