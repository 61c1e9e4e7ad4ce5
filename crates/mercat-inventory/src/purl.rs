//! Package URLs (ECMA-427, purl types).

/// The package URL of a component; without a version when it has none.
pub(crate) fn of(kind: &str, name: &str, version: &str) -> String {
    let (namespace, name) = split(kind, name);
    let mut out = format!("pkg:{kind}/");
    if !namespace.is_empty() {
        let parts: Vec<String> = namespace.split('/').filter(|part| !part.is_empty()).map(encode).collect();
        out.push_str(&parts.join("/"));
        out.push('/');
    }
    out.push_str(&encode(&name));
    if !version.is_empty() {
        out.push('@');
        out.push_str(&encode(version));
    }
    out
}

/// Namespace and name, with the case rules of the type.
fn split(kind: &str, name: &str) -> (String, String) {
    let at_slash = |name: &str| match name.rsplit_once('/') {
        Some((namespace, name)) => (namespace.to_owned(), name.to_owned()),
        None => (String::new(), name.to_owned()),
    };
    match kind {
        "pypi" => (String::new(), name.to_ascii_lowercase().replace('_', "-")),
        "npm" | "golang" | "composer" => at_slash(&name.to_ascii_lowercase()),
        "maven" => match name.split_once(':') {
            Some((group, artifact)) => (group.to_owned(), artifact.to_owned()),
            None => (String::new(), name.to_owned()),
        },
        "nuget" | "gem" | "cargo" | "generic" => (String::new(), name.to_owned()),
        _ => at_slash(name),
    }
}

/// Percent-encodes a part of a package URL; what RFC 3986 reserves is encoded, the colon is not.
pub fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_~:".contains(&b);
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match plain(byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
