//! Image references as people write them.

use mercat_domain::{Digest, tags};
use std::path::PathBuf;

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A repository at a registry.
    Registry {
        /// `host[:port]`; `docker.io` names are already expanded.
        host: String,
        /// Repository.
        repository: String,
    },
    /// An OCI layout directory.
    Layout(PathBuf),
    /// An OCI layout in a tar file.
    Archive(PathBuf),
    /// A file made by `docker save` or `skopeo copy ... docker-archive:`.
    DockerArchive(PathBuf),
}

/// What is meant there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// A tag.
    Tag(String),
    /// A digest.
    Digest(Digest),
    /// Everything, or the only thing, in a local source.
    Any,
}

/// What is wrong with a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not an image reference: {why}; use HOST/REPOSITORY:TAG, oci:DIR[:TAG], oci-archive:FILE or docker-archive:FILE"
)]
pub struct BadReference {
    /// As given.
    pub text: String,
    /// Which part.
    pub why: &'static str,
}

/// Parses a reference.
///
/// `alpine` and `a/b` are names at Docker Hub, as the docker client reads them.
///
/// # Errors
/// [`BadReference`] naming the part.
pub fn parse(text: &str) -> Result<(Source, Selector), BadReference> {
    let bad = |why| BadReference { text: text.to_owned(), why };
    if text.starts_with("docker://") {
        return Err(bad("leave docker:// out"));
    }
    // Of the tools that read them; a registry would be asked for them in vain.
    if ["docker-daemon:", "containers-storage:"].iter().any(|scheme| text.starts_with(scheme)) {
        return Err(bad("stores of container engines are not read: save the image first"));
    }
    if let Some(path) = text.strip_prefix("docker-archive:") {
        return local(path, bad).map(|path| (Source::DockerArchive(path), Selector::Any));
    }
    if let Some(path) = text.strip_prefix("oci-archive:") {
        return local(path, bad).map(|path| (Source::Archive(path), Selector::Any));
    }
    if let Some(rest) = text.strip_prefix("oci:") {
        if let Some((path, digest)) = rest.split_once("@sha256:") {
            let digest = Digest::parse(&format!("sha256:{digest}"));
            let digest = digest.ok_or_else(|| bad("the digest is not sha256"))?;
            return Ok((Source::Layout(local(path, bad)?), Selector::Digest(digest)));
        }
        return match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => {
                if !tags::is_tag(tag) {
                    return Err(bad("the tag has a character that tags cannot have"));
                }
                Ok((Source::Layout(local(path, bad)?), Selector::Tag(tag.to_owned())))
            }
            _ => Ok((Source::Layout(local(rest, bad)?), Selector::Any)),
        };
    }
    let (name, selector) = match text.split_once('@') {
        Some((name, digest)) => {
            (name, Selector::Digest(Digest::parse(digest).ok_or_else(|| bad("the digest is not sha256"))?))
        }
        None => match text.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => {
                if !tags::is_tag(tag) {
                    return Err(bad("the tag has a character that tags cannot have"));
                }
                (name, Selector::Tag(tag.to_owned()))
            }
            _ => (text, Selector::Tag("latest".to_owned())),
        },
    };
    let (host, repository) = match name.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest.to_owned()),
        _ => ("docker.io", name.to_owned()),
    };
    let hub = matches!(host, "docker.io" | "index.docker.io");
    let repository =
        if hub && !repository.contains('/') { format!("library/{repository}") } else { repository };
    if !tags::is_repository(&repository) {
        return Err(bad("the repository must be lower-case components of letters, digits, . _ and -"));
    }
    let host = if hub { "registry-1.docker.io" } else { host };
    if !tags::is_repository_reference(&format!("{host}/x")) {
        return Err(bad("the registry is not a host name with an optional port"));
    }
    Ok((Source::Registry { host: host.to_owned(), repository }, selector))
}

fn local(path: &str, bad: impl Fn(&'static str) -> BadReference) -> Result<PathBuf, BadReference> {
    if path.is_empty() { Err(bad("the path is empty")) } else { Ok(PathBuf::from(path)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_the_docker_client_reads_them() {
        let registry = |text: &str| match parse(text) {
            Ok((Source::Registry { host, repository }, selector)) => {
                format!("{host} {repository} {selector:?}")
            }
            other => format!("{other:?}"),
        };
        assert_eq!(registry("alpine"), r#"registry-1.docker.io library/alpine Tag("latest")"#);
        assert_eq!(registry("a/b:1.0"), r#"registry-1.docker.io a/b Tag("1.0")"#);
        assert_eq!(registry("localhost:5000/a"), r#"localhost:5000 a Tag("latest")"#);
        assert_eq!(registry("r.example.org/a/b:x"), r#"r.example.org a/b Tag("x")"#);
        assert!(matches!(parse("oci:/a/b:1.0"), Ok((Source::Layout(_), Selector::Tag(_)))));
        assert!(matches!(parse("oci:/a:b/c"), Ok((Source::Layout(_), Selector::Any))));
    }

    #[test]
    fn malformed_references_name_the_part() {
        for text in [
            "",
            "A",
            "r.example.org/",
            "r.example.org/a:!",
            "r.example.org/a@sha256:1",
            "docker://alpine",
            "docker-daemon:alpine:latest",
            "containers-storage:alpine",
            "oci:",
            "r_x.org:1/a",
            "x.org:99999/a",
            "a/../b",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
