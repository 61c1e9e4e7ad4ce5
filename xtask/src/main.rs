//! Checks that compilers do not make: `cargo run -p xtask -- tidy`.

use anyhow::{Context, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Which crates each crate may depend on. The program itself may use all.
const ARROWS: &[(&str, &[&str])] = &[
    ("mercat-domain", &[]),
    ("mercat-egress", &[]),
    ("mercat-text", &["mercat-domain"]),
    ("mercat-artifact", &["mercat-domain"]),
    ("mercat-store", &["mercat-domain"]),
    ("mercat-disk", &["mercat-artifact", "mercat-domain"]),
    ("mercat-guest", &["mercat-artifact", "mercat-disk"]),
    ("mercat-depot", &["mercat-artifact", "mercat-disk", "mercat-egress", "mercat-domain"]),
    ("mercat-secrets", &["mercat-domain"]),
    ("mercat-eligibility", &["mercat-domain"]),
    ("mercat-signatures", &["mercat-artifact"]),
    ("mercat-inventory", &["mercat-artifact", "mercat-domain"]),
    ("mercat-packages", &["mercat-advisories", "mercat-artifact", "mercat-domain"]),
    ("mercat-sbom", &["mercat-inventory", "mercat-artifact", "mercat-domain"]),
    ("mercat-advisories", &["mercat-artifact", "mercat-domain"]),
    ("mercat-policy", &["mercat-advisories", "mercat-artifact", "mercat-domain"]),
    ("mercat-listing", &["mercat-artifact", "mercat-policy", "mercat-secrets", "mercat-domain"]),
    (
        "mercat-machine",
        &[
            "mercat-advisories",
            "mercat-artifact",
            "mercat-disk",
            "mercat-domain",
            "mercat-guest",
            "mercat-policy",
        ],
    ),
    (
        "mercat-certify",
        &[
            "mercat-advisories",
            "mercat-inventory",
            "mercat-packages",
            "mercat-sbom",
            "mercat-policy",
            "mercat-secrets",
            "mercat-signatures",
            "mercat-eligibility",
            "mercat-artifact",
            "mercat-disk",
            "mercat-guest",
            "mercat-machine",
            "mercat-domain",
        ],
    ),
    ("mercat-report", &["mercat-text", "mercat-domain"]),
    ("mercat-routes", &["mercat-domain"]),
    ("mercat-boot", &["mercat-artifact", "mercat-disk", "mercat-domain"]),
    ("mercat-courier", &["mercat-text", "mercat-egress", "mercat-domain"]),
    ("mercat-app", &["mercat-store", "mercat-domain"]),
    (
        "mercat-worker",
        &[
            "mercat-app",
            "mercat-store",
            "mercat-boot",
            "mercat-certify",
            "mercat-listing",
            "mercat-signatures",
            "mercat-depot",
            "mercat-artifact",
            "mercat-disk",
            "mercat-courier",
            "mercat-egress",
            "mercat-text",
            "mercat-domain",
        ],
    ),
    (
        "mercat-web",
        &[
            "mercat-app",
            "mercat-store",
            "mercat-depot",
            "mercat-disk",
            "mercat-report",
            "mercat-routes",
            "mercat-text",
            "mercat-domain",
        ],
    ),
];

/// What the pure core may never depend on.
const IMPURE: [&str; 6] = ["tokio", "serde", "sqlx", "jiff", "getrandom", "reqwest"];

const FILE_LINES_MAX: usize = 800;
const CRATE_LINES_MAX: usize = 10_000;
const FILE_BYTES_MAX: u64 = 256 << 10;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => tidy(),
        _ => bail!("usage: cargo run -p xtask -- tidy"),
    }
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn tidy() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?.to_owned();
    let problems = problems(&root)?;
    problems.iter().for_each(|problem| println!("{problem}"));
    if problems.is_empty() {
        println!("tidy");
        return Ok(());
    }
    bail!("{} things are not tidy", problems.len())
}

fn problems(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(root.join("crates"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        arrows(&path, &name, &mut out)?;
        if !path.join("README.md").is_file() {
            out.push(format!("{name}: no README.md"));
        }
        sizes(&path, &name, &mut out)?;
    }
    fuzz_lock(root, &mut out)?;
    languages(root, &mut out)?;
    ways_out(root, &mut out)?;
    Ok(out)
}

/// The fuzz targets have a lock file of their own, which no build of the workspace brings up to date.
fn fuzz_lock(root: &Path, out: &mut Vec<String>) -> anyhow::Result<()> {
    let lock: toml::Table = std::fs::read_to_string(root.join("fuzz/Cargo.lock"))?.parse()?;
    let packages =
        lock.get("package").and_then(toml::Value::as_array).context("packages of fuzz/Cargo.lock")?;
    for package in packages {
        let name = package.get("name").and_then(toml::Value::as_str).unwrap_or_default();
        let manifest = root.join("crates").join(name).join("Cargo.toml");
        if !manifest.is_file() {
            continue;
        }
        // A dependency is written as `name` or, where several versions are locked, `name version`.
        let listed = package.get("dependencies").and_then(toml::Value::as_array);
        let locked: BTreeSet<&str> =
            listed.into_iter().flatten().filter_map(|one| one.as_str()?.split(' ').next()).collect();
        let manifest: toml::Table = std::fs::read_to_string(manifest)?.parse()?;
        let wanted = manifest.get("dependencies").and_then(toml::Value::as_table);
        for missing in
            wanted.into_iter().flat_map(toml::Table::keys).filter(|key| !locked.contains(key.as_str()))
        {
            out.push(format!(
                "fuzz/Cargo.lock: {name} has no {missing}; run `cargo check --manifest-path fuzz/Cargo.toml`"
            ));
        }
    }
    Ok(())
}

fn arrows(path: &Path, name: &str, out: &mut Vec<String>) -> anyhow::Result<()> {
    let manifest: toml::Table = std::fs::read_to_string(path.join("Cargo.toml"))?.parse()?;
    let dependencies =
        manifest.get("dependencies").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let allowed = ARROWS.iter().find(|(of, _)| *of == name).map(|(_, allowed)| *allowed);
    if allowed.is_none() && name != "mercat" {
        out.push(format!("{name}: not in the list of arrows"));
    }
    for dependency in dependencies.keys() {
        let ours = dependency.starts_with("mercat-");
        if ours && allowed.is_some_and(|allowed| !allowed.contains(&dependency.as_str())) {
            out.push(format!("{name} may not depend on {dependency}"));
        }
        if name == "mercat-domain" && IMPURE.contains(&dependency.as_str()) {
            out.push(format!("{name} is pure and may not depend on {dependency}"));
        }
    }
    Ok(())
}

fn sizes(path: &Path, name: &str, out: &mut Vec<String>) -> anyhow::Result<()> {
    let mut total = 0;
    for file in files(path)? {
        let shown = file.strip_prefix(path).unwrap_or(&file).display().to_string();
        if std::fs::metadata(&file)?.len() > FILE_BYTES_MAX {
            out.push(format!("{name}/{shown}: larger than {FILE_BYTES_MAX} bytes"));
        }
        if file.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let lines = std::fs::read_to_string(&file)?.lines().count();
        let test = shown.contains("tests");
        if lines > FILE_LINES_MAX && !test {
            out.push(format!("{name}/{shown}: {lines} lines, the limit is {FILE_LINES_MAX}"));
        }
        total += if test { 0 } else { lines };
    }
    if total > CRATE_LINES_MAX {
        out.push(format!("{name}: {total} lines, the limit is {CRATE_LINES_MAX}"));
    }
    Ok(())
}

fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    let mut queue = vec![path.to_owned()];
    while let Some(directory) = queue.pop() {
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() { queue.push(path) } else { out.push(path) }
        }
    }
    Ok(out)
}

/// Rooms whose requests go to places that users name: they are sent by `Egress`, which checks them.
const GUESTS: [&str; 5] = ["mercat-app", "mercat-courier", "mercat-depot", "mercat-web", "mercat-worker"];

/// No request is built without `Egress`, or sent past it.
fn ways_out(root: &Path, out: &mut Vec<String>) -> anyhow::Result<()> {
    for name in GUESTS {
        for file in files(&root.join("crates").join(name).join("src"))? {
            let shown = file.display().to_string();
            if shown.contains("tests") || file.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = std::fs::read_to_string(&file)?;
            // Unit tests at the end of a file speak to their own servers.
            let code = text.split("#[cfg(test)]").next().unwrap_or("");
            for way in [".send().await", ".execute(request", "reqwest::get", "reqwest::Client"] {
                if code.contains(way) {
                    out.push(format!("{shown}: {way} goes past mercat-egress"));
                }
            }
        }
    }
    Ok(())
}

/// Families of keys that are put together from names of the domain: `mercat-text` tests that none is missing.
const MADE: [&str; 27] = [
    "field-",
    "column-",
    "category-",
    "choice-",
    "rule-",
    "fix-",
    "step-",
    "mail-",
    "event-",
    "decision-",
    "health-",
    "deploy-",
    "ui-price-",
    "ui-type-",
    "report-",
    "text-",
    "message-boot-",
    "insight-",
    "lead-state-",
    "lead-error-",
    "lead-kind-",
    "advice-",
    "required-",
    "exception-kind-",
    "role-",
    "scope-",
    "environment-",
];

/// Every key that code or templates write out has words, and every key with words is used.
fn languages(root: &Path, out: &mut Vec<String>) -> anyhow::Result<()> {
    let mut words = String::new();
    for file in files(&root.join("crates/mercat-text/locales"))? {
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("en")) {
            words.push_str(&std::fs::read_to_string(&file)?);
        }
    }
    let keys: BTreeSet<&str> = words.lines().filter_map(|line| Some(line.split_once(" =")?.0)).collect();
    let mut used: BTreeMap<String, String> = BTreeMap::new();
    for file in files(&root.join("crates"))? {
        let code = file.extension().is_some_and(|extension| extension == "rs" || extension == "html");
        if !code
            || file.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
        {
            continue;
        }
        let text = std::fs::read_to_string(&file)?;
        for piece in text.split('"').skip(1) {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            if piece.len() > 3 && piece.bytes().all(plain) {
                used.entry(piece.to_owned()).or_insert_with(|| file.display().to_string());
            }
        }
    }
    let families = ["ui-", "message-", "wait-", "shown-"];
    let written = |key: &str| families.iter().any(|family| key.starts_with(family)) && !key.ends_with('-');
    for (key, file) in used.iter().filter(|(key, _)| written(key) && !keys.contains(key.as_str())) {
        out.push(format!("{file}: {key} has no words"));
    }
    let code =
        |key: &str| key.len() == 4 && key.starts_with('F') && key[1..].bytes().all(|b| b.is_ascii_digit());
    let made = |key: &str| code(key) || MADE.iter().any(|family| key.starts_with(family));
    for key in keys.iter().filter(|key| !used.contains_key(**key) && !made(key)) {
        out.push(format!("en.ftl: {key} is not used"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        assert_eq!(super::problems(root).expect("reads"), Vec::<String>::new());
    }
}
