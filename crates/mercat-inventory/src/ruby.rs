//! Ruby: installed gems and `Gemfile.lock`.

use crate::{Broken, Component, Evidence, clip, component};

/// `specifications/NAME-VERSION.gemspec`, as RubyGems writes it (`Specification#to_ruby`). A platform may
/// follow the version in the file's name, so the text is asked first.
pub(crate) fn gemspec(path: &str, bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let text = String::from_utf8_lossy(bytes);
    let value = |key: &str| {
        let assigned = |line: &str| {
            let (left, right) = line.trim_start().split_once('=')?;
            let is_key = left.trim().rsplit('.').next() == Some(key) && left.contains('.');
            is_key.then(|| quoted(right)).flatten()
        };
        text.lines().find_map(assigned)
    };
    let file = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".gemspec");
    let by_file = file.rsplit_once('-').unwrap_or((file, ""));
    let name = value("name").unwrap_or_else(|| by_file.0.to_owned());
    let version = value("version").unwrap_or_else(|| by_file.1.to_owned());
    if version.is_empty() {
        return Err(Broken::syntax("gemspec", "no version"));
    }
    let licence = value("licenses").or_else(|| value("license")).unwrap_or_default();
    Ok(vec![Component { licence, ..component("gem", &name, &version, Evidence::Installed) }])
}

/// The first quoted text: `"a".freeze`, `['MIT']`, `Gem::Version.new("1.0")`.
fn quoted(text: &str) -> Option<String> {
    let at = text.find(['"', '\''])?;
    let quote = text[at..].chars().next()?;
    let (inside, _) = text[at + 1..].split_once(quote)?;
    Some(inside.to_owned())
}

/// `Gemfile.lock`: the `specs` of each source, four spaces deep; what is deeper are their dependencies.
pub(crate) fn lock(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let text = std::str::from_utf8(bytes).map_err(|error| Broken::syntax("Gemfile.lock", error))?;
    let mut out = Vec::new();
    let mut section = "";
    for line in text.lines() {
        if !line.starts_with(' ') {
            section = line.trim();
            continue;
        }
        let spec = line.strip_prefix("    ").filter(|rest| !rest.starts_with(' '));
        let Some(spec) = spec.filter(|_| matches!(section, "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE")) else {
            continue;
        };
        let Some((name, version)) = spec.strip_suffix(')').and_then(|spec| spec.split_once(" (")) else {
            return Err(Broken::syntax("Gemfile.lock", format!("the line {:?}", clip(line, 60))));
        };
        // A platform follows a hyphen; versions of gems have none.
        let version = version.split('-').next().unwrap_or(version);
        out.push(component("gem", name, version, Evidence::Intent));
    }
    Ok(out)
}
