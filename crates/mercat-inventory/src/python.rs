//! Python: what installers write (core metadata specifications 1.0 to 2.4).

use crate::{Broken, Component, Evidence, component};

/// `METADATA` or `PKG-INFO`: header fields as of a mail, then the description.
pub(crate) fn metadata(bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let text = String::from_utf8_lossy(bytes);
    let [mut name, mut version, mut licence, mut expression, mut class] = [const { String::new() }; 5];
    for line in text.lines() {
        // The description follows an empty line; a field may run over several lines.
        if line.is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        let first = |field: &mut String| {
            if field.is_empty() && value != "UNKNOWN" {
                value.clone_into(field);
            }
        };
        match key.to_ascii_lowercase().as_str() {
            "name" => first(&mut name),
            "version" => first(&mut version),
            "license" => first(&mut licence),
            "license-expression" => first(&mut expression),
            "classifier" => {
                if let Some(value) = value.strip_prefix("License :: ") {
                    class = value.rsplit(" :: ").next().unwrap_or(value).to_owned();
                }
            }
            _ => {}
        }
    }
    if name.is_empty() {
        return Err(Broken::syntax("Python metadata", "no Name"));
    }
    let licence = [expression, licence, class].into_iter().find(|text| !text.is_empty());
    let found = component("pypi", &name, &version, Evidence::Installed);
    Ok(vec![Component { licence: licence.unwrap_or_default(), ..found }])
}
