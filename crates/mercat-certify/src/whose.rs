//! Whose a file is, by where it lies: what others wrote and published is not judged as what the publisher wrote.

/// Where package managers of languages put modules.
const MODULES: [&str; 9] = [
    "site-packages/",
    "dist-packages/",
    "node_modules/",
    "/gems/",
    "vendor/bundle/",
    "go/pkg/mod/",
    ".cargo/registry/",
    "share/doc/",
    "lib/google-cloud-sdk/",
];
/// Endings of what is read by people.
const TEXTS: [&str; 4] = [".md", ".rst", ".adoc", ".markdown"];

/// Whether somebody else than the publisher wrote the file, by where it lies: modules of package managers of languages,
/// and what is read by people.
pub(crate) fn is_of_others(path: &str) -> bool {
    is_of_modules(path) || is_read(path)
}

/// Whether a file is one that shows or tests the use of a module: what is in there is published with the module, however
/// much it looks like a credential.
pub(crate) fn is_example_of_others(path: &str) -> bool {
    const PARTS: [&str; 7] =
        ["/examples/", "/example/", "/tests/", "/test/", "/testdata/", "/docs/", ".dist-info/METADATA"];
    // Python brings its own tests, in its own directory.
    let of_python = path.rsplit_once("lib/python3.").and_then(|(_, rest)| rest.split_once('/'));
    let of_python = of_python.is_some_and(|(minor, rest)| {
        minor.bytes().all(|byte| byte.is_ascii_digit()) && rest.starts_with("test/")
    });
    // Only what lies in the module counts, and not where the application lies.
    let modules = MODULES.iter().filter(|place| **place != "share/doc/");
    let inside = modules.filter_map(|place| path.rsplit_once(place)).map(|(_, inside)| inside);
    let inside = inside.min_by_key(|inside| inside.len());
    inside.is_some_and(|inside| is_read(inside) || PARTS.iter().any(|part| inside.contains(part)))
        || of_python
}

fn is_of_modules(path: &str) -> bool {
    MODULES.iter().any(|place| path.contains(place))
}

fn is_read(path: &str) -> bool {
    let folded = path.to_ascii_lowercase();
    TEXTS.iter().any(|end| folded.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_and_tests_of_modules_are_of_others_whatever_they_hold() {
        for path in [
            "usr/lib/python3.11/test/certdata/keycert.pem",
            "app/venv/lib/python3.12/site-packages/awscli/examples/ecr/get.rst",
            "app/venv/lib/python3.12/site-packages/joserfc-1.6.5.dist-info/METADATA",
            "app/node_modules/jose/README.md",
            "app/node_modules/tls/test/key.pem",
        ] {
            assert!(is_example_of_others(path), "{path}");
        }
        for path in [
            "app/test/key.pem",
            "app/README.md",
            "usr/share/doc/app/README.md",
            "app/node_modules/tls/key.pem",
            "app/venv/lib/python3.12/site-packages/shop/settings.py",
            "srv/docs/app/node_modules/billing/config/key.pem",
            "srv/test/venv/lib/python3.11/site-packages/acme/live.pem",
            "opt/lib/python3.11/app/test/key.pem",
        ] {
            assert!(!is_example_of_others(path), "{path}");
        }
        assert!(is_of_others("app/README.md") && is_of_others("app/node_modules/tls/key.pem"));
    }
}
