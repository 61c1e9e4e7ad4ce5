//! `offer.yaml`: written, read, and compared.

use crate::Usage;
use crate::cli::Kind;
use crate::client::Client;
use anyhow::{Context, bail};
use mercat_domain::offer::fields::{FIELDS, Rule};
use mercat_domain::{OfferKey, OfferKind};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::io::Cursor;
use std::path::Path;

/// A commented file to fill in.
pub(crate) fn template(key: &OfferKey, kind: Kind) -> String {
    let OfferKey { publisher, offer } = key;
    let (name, category, technical) = match kind {
        Kind::Container => (
            OfferKind::Container.name(),
            "containers/container-images",
            format!(
                r#"    image: registry.example.org/{publisher}/{offer}   # without a tag
    tags: [latest, "1.0.0"]                          # quote versions
"#
            ),
        ),
        Kind::VirtualMachine => (
            OfferKind::VirtualMachine.name(),
            "compute/operating-systems",
            r#"    osFamily: linux                                  # or windows
    osName: Debian 12
    vmSizes:                                         # up to six, the best first
      - size: 2 vCPU, 4 GiB
    openPorts:
      - {label: https, port: "443", protocol: tcp}
    versions:
      - version: "1.0.0"                             # quote versions
        osDiskUrl: https://example.org/disk.vhd      # or upload:ID, which mercat offer upload prints
"#
            .to_owned(),
        ),
    };
    format!(
        r#"# An offer for Mercat. Fill in, then: mercat offer apply -f offer.yaml
publisher: {publisher}
offer: {offer}
type: {name}
name: {offer}

# Listing
title: {offer}
summary: One sentence for search results
longSummary: Two sentences for the product page.
description: "<p>What it does, for whom, and what it needs.</p>"
marketingId: {offer}
categories: [{category}]
allowedSubscriptions:          # who may see the preview
  - 00000000-0000-4000-8000-000000000000
smallLogo: logo-48.png
mediumLogo: logo-90.png
largeLogo: logo-216.png
wideLogo: logo-wide.png
privacyUrl: https://example.org/privacy
useStandardContract: true

# Leads: none, https with leadHttpsUrl, table, dynamics, salesforce, marketo, hubspot or email
leadDestination: none

# Contacts
engineeringContactName: Engineering
engineeringContactEmail: engineering@example.org
engineeringContactPhone: "+1 555 0100"
supportContactName: Support
supportContactEmail: support@example.org
supportContactPhone: "+1 555 0101"

plans:
  - plan: standard
    title: Standard
    summary: What this plan gives
    description: "<p>What this plan gives, in more words.</p>"
    markets: [JP, DE, US]
    licenseModel: free
{technical}"#
    )
}

/// A plain picture of one colour with a border, to be replaced.
pub(crate) fn placeholder(width: u32, height: u32) -> anyhow::Result<Vec<u8>> {
    let picture = image::RgbaImage::from_fn(width, height, |x, y| {
        let edge = x < 3 || y < 3 || x + 3 >= width || y + 3 >= height;
        image::Rgba(if edge { [8, 66, 77, 255] } else { [11, 92, 107, 255] })
    });
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, image::ImageFormat::Png)?;
    Ok(out.into_inner())
}

/// Reads the file. Numbers are refused where text is meant, because 1.10 would become 1.1.
pub(crate) fn read(file: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let value: Value =
        serde_saphyr::from_str(&text).with_context(|| format!("{} is not YAML", file.display()))?;
    if let Some((path, number)) = mercat_store::document::fraction(&value) {
        bail!("{}: {path} is the number {number}; write it in quotes", file.display());
    }
    Ok(value)
}

/// Uploads pictures that are named by file, and puts their digests in.
pub(crate) async fn upload_pictures(
    client: &Client,
    publisher: &str,
    file: &Path,
    offer: &mut Value,
    dry_run: bool,
) -> anyhow::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    for field in FIELDS.iter().filter(|f| matches!(f.rule, Rule::Picture(..) | Rule::Pictures(..))) {
        let Some(value) = offer.get_mut(field.key) else { continue };
        let places: Vec<&mut Value> = match value {
            Value::Array(list) => list.iter_mut().collect(),
            other => vec![other],
        };
        for place in places {
            let Some(name) = place.as_str().filter(|name| !name.starts_with("sha256:") && !name.is_empty())
            else {
                continue;
            };
            let path = directory.join(name);
            let bytes = std::fs::read(&path).map_err(|error| {
                Usage(format!("{}: the picture {} cannot be read: {error}", field.key, path.display()))
            })?;
            let digest = if dry_run {
                mercat_domain::Digest::from_sha256(&Sha256::digest(&bytes)).to_string()
            } else {
                client
                    .upload(publisher, bytes)
                    .await
                    .with_context(|| format!("publisher {publisher}, {}", path.display()))?
            };
            *place = Value::String(digest);
        }
    }
    Ok(())
}

/// The differences, one line each.
pub(crate) fn diff(before: &Value, after: &Value) -> Vec<String> {
    let mut out = Vec::new();
    walk(before, after, "", &mut out);
    out
}

fn walk(before: &Value, after: &Value, path: &str, out: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in b {
                walk(a.get(key).unwrap_or(&Value::Null), value, &format!("{path}/{key}"), out);
            }
            for (key, value) in a.iter().filter(|(key, _)| !b.contains_key(*key)) {
                out.push(format!("- {path}/{key}: {value}"));
            }
        }
        (Value::Array(a), Value::Array(b)) if path == "/plans" => {
            for plan in b {
                let id = plan["plan"].as_str().unwrap_or_default();
                let earlier = a.iter().find(|p| p["plan"] == plan["plan"]).unwrap_or(&Value::Null);
                walk(earlier, plan, &format!("{path}/{id}"), out);
            }
            for plan in a.iter().filter(|p| !b.iter().any(|q| q["plan"] == p["plan"])) {
                out.push(format!("- {path}/{}", plan["plan"].as_str().unwrap_or_default()));
            }
        }
        (Value::Null, Value::Object(map)) => {
            map.iter().for_each(|(key, value)| walk(&Value::Null, value, &format!("{path}/{key}"), out));
        }
        (Value::Null, value) => out.push(format!("+ {path}: {value}")),
        (a, b) if a != b => out.push(format!("~ {path}: {a} -> {b}")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_told_by_field_and_plan() {
        let before = json!({"name": "a", "gone": 1, "plans": [{"plan": "p", "title": "x"}, {"plan": "q"}]});
        let after = json!({"name": "b", "plans": [{"plan": "p", "title": "x", "tags": ["1.0"]}]});
        let expected = ["~ /name: \"a\" -> \"b\"", "+ /plans/p/tags: [\"1.0\"]", "- /plans/q", "- /gone: 1"];
        assert_eq!(diff(&before, &after), expected);
    }

    #[test]
    fn the_template_reads_and_an_unquoted_version_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("offer.yaml");
        for kind in [Kind::Container, Kind::VirtualMachine] {
            let text = template(&OfferKey::new("aurora", "gateway"), kind);
            std::fs::write(&file, &text).expect("written");
            let mut read_back = read(&file).expect("reads");
            // What the server puts in their place when they are uploaded.
            for logo in ["smallLogo", "mediumLogo", "largeLogo", "wideLogo"] {
                read_back[logo] = json!(format!("sha256:{}", "0".repeat(64)));
            }
            let offer = mercat_store::document::from_json(&read_back).expect("an offer");
            let problems = mercat_domain::offer::check(&offer, None);
            assert_eq!(problems, [], "{kind:?}");
            std::fs::write(&file, text.replace("\"1.0.0\"", "1.10")).expect("written");
            assert!(read(&file).expect_err("refused").to_string().contains("quotes"));
        }
    }
}
