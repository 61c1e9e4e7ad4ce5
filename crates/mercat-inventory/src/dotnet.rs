//! .NET: the dependency manifest beside a program.

use crate::json::{Pairs, Text, parse};
use crate::{Broken, Component, Evidence, component};
use serde::Deserialize;

#[derive(Deserialize)]
struct Deps {
    libraries: Pairs<Library>,
}

#[derive(Deserialize)]
struct Library {
    #[serde(default, rename = "type")]
    kind: Text,
}

/// `NAME.deps.json` (runtime configuration file specification): `libraries` by `name/version`.
pub(crate) fn deps(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let deps: Deps = parse("deps.json", bytes)?;
    let mut out = Vec::new();
    for (key, library) in &deps.libraries.0 {
        let Some((name, version)) = key.rsplit_once('/') else {
            return Err(Broken::syntax("deps.json", format!("the library {:?}", crate::clip(key, 60))));
        };
        // A runtime pack is the runtime itself under the name of its package; "reference" is a file.
        let (name, known) = match library.kind.0.as_str() {
            "runtimepack" => (name.trim_start_matches("runtimepack."), true),
            "package" | "project" => (name, true),
            _ => (name, false),
        };
        if known {
            out.push(component("nuget", name, version, Evidence::Installed));
        }
    }
    Ok(out)
}
