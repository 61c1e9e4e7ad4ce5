//! The verdict document: what was judged, by what, and what was found.

use mercat_domain::finding::{self, Place};
use mercat_domain::{Finding, Outcome, Severity};
use serde_json::{Map, Value, json};

/// What was read of one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerReport {
    /// Digest of the blob.
    pub digest: String,
    /// Digest of the uncompressed stream.
    pub diff_id: String,
    /// Bytes of the blob.
    pub packed_bytes: u64,
    /// Regular files.
    pub files: u64,
    /// Bytes of regular files.
    pub file_bytes: u64,
    /// Bytes that every scanner saw.
    pub scanned_bytes: u64,
    /// Bytes from archives inside, also scanned.
    pub nested_bytes: u64,
}

/// What was read of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReport {
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// Manifest digest.
    pub manifest: String,
    /// Layers, lowest first.
    pub layers: Vec<LayerReport>,
    /// Installed packages found.
    pub packages: usize,
    /// Digest of the SBOM.
    pub sbom: String,
}

/// The judgement over one image or index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Digest of the manifest or index.
    pub subject: String,
    /// Policy name, date and digest.
    pub policy: [String; 3],
    /// Advisory digest and newest record.
    pub advisories: [String; 2],
    /// Digest of the engines and their rules.
    pub engines: String,
    /// The images below the subject.
    pub images: Vec<ImageReport>,
    /// Findings, sorted.
    pub findings: Vec<Finding>,
    /// SBOMs by digest, CycloneDX JSON.
    pub sboms: Vec<(String, String)>,
}

impl Verdict {
    /// The three-valued judgement.
    pub fn outcome(&self) -> Outcome {
        finding::judge(&self.findings)
    }

    /// The document. It holds no clock time and no name of a machine: the same input gives the same bytes.
    pub fn to_json(&self) -> String {
        let layer = |layer: &LayerReport| {
            json!({
                "digest": layer.digest, "diffId": layer.diff_id, "packedBytes": layer.packed_bytes,
                "files": layer.files, "fileBytes": layer.file_bytes, "scannedBytes": layer.scanned_bytes,
                "nestedBytes": layer.nested_bytes,
            })
        };
        let image = |image: &ImageReport| {
            json!({
                "platform": image.platform, "manifest": image.manifest, "packages": image.packages,
                "sbom": image.sbom, "layers": image.layers.iter().map(layer).collect::<Vec<_>>(),
            })
        };
        let document = json!({
            "schema": "mercat.verdict/1",
            "subject": self.subject,
            "outcome": self.outcome().name(),
            "policy": {"name": self.policy[0], "date": self.policy[1], "digest": self.policy[2]},
            "advisories": {"digest": self.advisories[0], "newest": self.advisories[1]},
            "engines": self.engines,
            "images": self.images.iter().map(image).collect::<Vec<_>>(),
            "findings": self.findings.iter().map(finding_json).collect::<Vec<_>>(),
        });
        let mut text = serde_json::to_string_pretty(&document).expect("plain data");
        text.push('\n');
        text
    }

    /// Reads the findings of a document back.
    pub fn findings_of(document: &str) -> Option<(Outcome, Vec<Finding>)> {
        let document: Value = serde_json::from_str(document).ok()?;
        let outcome = Outcome::parse(document.get("outcome")?.as_str()?)?;
        let findings = document.get("findings")?.as_array()?.iter().map(finding_of).collect::<Option<_>>()?;
        Some((outcome, findings))
    }
}

fn finding_json(finding: &Finding) -> Value {
    let mut out = Map::new();
    out.insert("rule".into(), json!(finding.rule));
    out.insert("severity".into(), json!(finding.severity.name()));
    for (key, value) in parts(&finding.place) {
        if !value.is_empty() {
            out.insert(key.into(), json!(value));
        }
    }
    out.insert("observed".into(), json!(finding.observed));
    out.insert("required".into(), json!(finding.required));
    out.insert("fix".into(), json!(finding.fix));
    Value::Object(out)
}

fn parts(place: &Place) -> [(&'static str, &str); 6] {
    [
        ("plan", &place.plan),
        ("platform", &place.platform),
        ("layer", &place.layer),
        ("path", &place.path),
        ("package", &place.package),
        ("field", &place.field),
    ]
}

fn finding_of(value: &Value) -> Option<Finding> {
    let word = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    Some(Finding {
        rule: word("rule"),
        severity: Severity::parse(&word("severity"))?,
        place: Place {
            plan: word("plan"),
            platform: word("platform"),
            layer: word("layer"),
            path: word("path"),
            package: word("package"),
            field: word("field"),
        },
        observed: word("observed"),
        required: word("required"),
        fix: word("fix"),
    })
}
