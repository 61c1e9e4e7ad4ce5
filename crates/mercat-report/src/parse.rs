//! Reading a document back.

use crate::{Check, Disk, Image, Layer, Report, Volume};
use mercat_domain::finding::Place;
use mercat_domain::{Finding, Outcome, Severity};
use serde_json::Value;

/// Why a document cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It is no JSON.
    #[error("the verdict is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It has another schema.
    #[error("the verdict has the schema {0:?}, and this program reads \"mercat.verdict/1\"")]
    Schema(String),
    /// A part is absent or has another shape.
    #[error("the verdict has no usable {0}")]
    Part(&'static str),
}

impl Report {
    /// Reads a document that the caller knows as `name`.
    ///
    /// # Errors
    /// When it is no verdict document; nothing is shown of half of one.
    pub fn parse(name: &str, document: &str) -> Result<Self, ReportError> {
        let document: Value = serde_json::from_str(document)?;
        let schema = word(&document, "schema");
        if schema != "mercat.verdict/1" {
            return Err(ReportError::Schema(schema));
        }
        let outcome = Outcome::parse(&word(&document, "outcome")).ok_or(ReportError::Part("outcome"))?;
        let findings = document["findings"].as_array().ok_or(ReportError::Part("findings"))?;
        let findings: Option<Vec<Finding>> = findings.iter().map(finding).collect();
        let policy = &document["policy"];
        Ok(Self {
            name: name.to_owned(),
            subject: word(&document, "subject"),
            outcome,
            policy: [word(policy, "name"), word(policy, "date"), word(policy, "digest")],
            advisories: newest(&document["advisories"]),
            images: list(&document, "images").iter().map(image).collect(),
            disk: Some(&document["disk"]).filter(|disk| disk.is_object()).map(disk),
            checks: list(&document, "checks").iter().map(check).collect(),
            findings: findings.ok_or(ReportError::Part("findings"))?,
            shadow: list(&document, "shadow").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }
}

/// The newest record of the advisories; where no date of them counts, what they are known by.
fn newest(advisories: &Value) -> String {
    let newest = whole_second(word(advisories, "newest"));
    if newest.is_empty() { word(advisories, "digest") } else { newest }
}

/// A moment of RFC 3339 without the parts of its second.
fn whole_second(moment: String) -> String {
    match moment.split_once('.') {
        Some((second, part)) if part.trim_start_matches(|digit: char| digit.is_ascii_digit()) == "Z" => {
            format!("{second}Z")
        }
        _ => moment,
    }
}

fn word(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn finding(value: &Value) -> Option<Finding> {
    Some(Finding {
        rule: word(value, "rule"),
        severity: Severity::parse(&word(value, "severity"))?,
        place: Place {
            plan: word(value, "plan"),
            platform: word(value, "platform"),
            layer: word(value, "layer"),
            path: word(value, "path"),
            file: word(value, "file"),
            package: word(value, "package"),
            field: word(value, "field"),
            line: value
                .get("line")
                .and_then(Value::as_u64)
                .and_then(|line| line.try_into().ok())
                .filter(|line| *line > 0),
        },
        observed: word(value, "observed"),
        required: word(value, "required"),
        fix: word(value, "fix"),
    })
}

fn image(value: &Value) -> Image {
    let layer = |layer: &Value| Layer {
        digest: word(layer, "digest"),
        packed_bytes: number(layer, "packedBytes"),
        files: number(layer, "files"),
        scanned_bytes: number(layer, "scannedBytes"),
    };
    Image {
        platform: word(value, "platform"),
        manifest: word(value, "manifest"),
        packages: number(value, "packages"),
        components: number(value, "components"),
        layers: list(value, "layers").iter().map(layer).collect(),
    }
}

fn disk(value: &Value) -> Disk {
    let volume = |volume: &Value| Volume {
        name: word(volume, "name"),
        contents: word(volume, "contents"),
        bytes: number(volume, "bytes"),
        files: number(volume, "files"),
        scanned_bytes: number(volume, "scannedBytes"),
    };
    Disk {
        bytes: number(value, "bytes"),
        os: word(value, "os"),
        os_id: word(value, "osId"),
        os_version: word(value, "osVersion"),
        kernel: word(value, "kernel"),
        packages: number(value, "packages"),
        components: number(value, "components"),
        volumes: list(value, "volumes").iter().map(volume).collect(),
    }
}

fn check(value: &Value) -> Check {
    Check {
        rule: word(value, "rule"),
        test_id: word(value, "testId"),
        title: word(value, "title"),
        result: word(value, "result"),
        observed: word(value, "observed"),
        required: word(value, "required"),
    }
}
