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
    /// Package URLs of the parts; empty means all of it.
    pub parts: Vec<String>,
}

impl Product {
    /// Whether a package of an artifact is meant: the product is the package, or the product is the
    /// artifact and the package is one of its parts.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        let is = |purl: &String| purl_matches(purl, subject.purl);
        if self.purls.iter().any(is) {
            return true;
        }
        let of_purls = self.purls.iter().filter_map(|purl| oci_digest(purl));
        let mut digests = self.digests.iter().map(|digest| Cow::Borrowed(digest.as_str())).chain(of_purls);
        let artifact =
            digests.any(|digest| subject.digests.iter().any(|own| own.eq_ignore_ascii_case(&digest)));
        artifact && (self.parts.is_empty() || self.parts.iter().any(is))
    }
}

/// The digest that an OCI package URL has as its version.
fn oci_digest(purl: &str) -> Option<Cow<'_, str>> {
    let version = purl.strip_prefix("pkg:oci/")?.split(['?', '#']).next()?.split_once('@')?.1;
    let version = version.replace("%3A", ":").replace("%3a", ":");
    version.starts_with("sha256:").then_some(Cow::Owned(version))
}

struct Parts<'a> {
    path: Cow<'a, str>,
    version: Cow<'a, str>,
    qualifiers: Vec<&'a str>,
}

fn parts(purl: &str) -> Option<Parts<'_>> {
    let rest = purl.strip_prefix("pkg:")?;
    let rest = rest.split('#').next().unwrap_or(rest);
    let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    // A scope such as @angular stands before the first slash of the name; the version behind the last.
    let name = rest.rfind('/').unwrap_or(0);
    let (path, version) = match rest[name..].rfind('@') {
        Some(at) => (&rest[..name + at], &rest[name + at + 1..]),
        None => (rest, ""),
    };
    let qualifiers = qualifiers.split('&').filter(|pair| !pair.is_empty()).collect();
    Some(Parts { path: decoded(path), version: decoded(version), qualifiers })
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
/// version unless it names none; and every qualifier that it has.
fn purl_matches(stated: &str, installed: &str) -> bool {
    let (Some(stated), Some(installed)) = (parts(stated), parts(installed)) else { return false };
    let version = stated.version.is_empty() || stated.version == installed.version;
    stated.path == installed.path
        && version
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
        assert!(image.matches(&subject));
        assert!(Product { parts: vec!["pkg:deb/debian/zlib".into()], ..image.clone() }.matches(&subject));
        assert!(!Product { parts: vec!["pkg:deb/debian/bash".into()], ..image }.matches(&subject));
        assert!(Product { digests: digests.to_vec(), ..Product::default() }.matches(&subject));
        assert!(!Product::default().matches(&subject));
    }
}
