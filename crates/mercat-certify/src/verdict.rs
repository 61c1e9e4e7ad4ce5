//! The verdict document: what was judged, by what, and what was found.

use crate::Knowledge;
use crate::files::whole::{Privileged, Whole};
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
    /// Bytes from archives inside.
    pub nested_bytes: u64,
    /// Bytes of them that every scanner saw.
    pub nested_scanned_bytes: u64,
}

/// Files with notable modes that a document lists; the others are counted.
const PRIVILEGED_MAX: usize = 500;

/// What the files of an image or disk tell beside their content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilesReport {
    /// Packages of languages, modules of programs and known programs.
    pub components: usize,
    /// Programs and libraries.
    pub programs: usize,
    /// Those of them that belong to no package.
    pub unpackaged: usize,
    /// Setuid, setgid, writable by everybody, or with capabilities: at most 500.
    pub privileged: Vec<Privileged>,
    /// How many more there are.
    pub privileged_left: usize,
    /// Licence and notice files outside of packages.
    pub notices: Vec<String>,
}

impl FilesReport {
    pub(crate) fn of(whole: &Whole) -> Self {
        Self {
            components: whole.components.len(),
            programs: whole.programs,
            unpackaged: whole.unpackaged.len(),
            privileged: whole.privileged.iter().take(PRIVILEGED_MAX).cloned().collect(),
            privileged_left: whole.privileged.len().saturating_sub(PRIVILEGED_MAX),
            notices: whole.notices.clone(),
        }
    }

    fn to_json(&self) -> Value {
        let privileged = |file: &Privileged| {
            json!({
                "path": file.path, "mode": format!("{:04o}", file.mode & 0o7777), "directory": file.directory,
                "capabilities": file.capabilities, "package": file.package,
            })
        };
        json!({
            "components": self.components, "programs": self.programs, "unpackaged": self.unpackaged,
            "privileged": self.privileged.iter().map(privileged).collect::<Vec<_>>(),
            "privilegedNotListed": self.privileged_left, "notices": self.notices,
        })
    }
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
    /// Packages of languages found.
    pub components: usize,
    /// Digest of the SBOM in CycloneDX.
    pub sbom: String,
    /// Digest of the SBOM in SPDX.
    pub spdx: String,
    /// What its files tell beside their content.
    pub files: FilesReport,
    /// Names of the labels of its configuration that have a value; the values may be secrets.
    pub labels: Vec<String>,
}

/// What was read of one volume of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeReport {
    /// `part1`, `vg0/root`, or `disk`.
    pub name: String,
    /// First byte on the disk.
    pub start: u64,
    /// Bytes.
    pub bytes: u64,
    /// Its file system, or what else it holds.
    pub contents: String,
    /// Names.
    pub entries: u64,
    /// Regular files, hard links once.
    pub files: u64,
    /// Bytes of regular files.
    pub file_bytes: u64,
    /// Bytes that every scanner saw.
    pub scanned_bytes: u64,
    /// Bytes from archives inside.
    pub nested_bytes: u64,
    /// Bytes of them that every scanner saw.
    pub nested_scanned_bytes: u64,
}

/// What was read of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskReport {
    /// Bytes of the disk.
    pub bytes: u64,
    /// Bytes of its blocks of 4 KiB that are not all zeros.
    pub data_bytes: u64,
    /// Bytes of data outside of files that every scanner saw: gaps, deleted files, structures of file systems.
    pub unallocated_bytes: u64,
    /// `none`, `mbr` or `gpt`.
    pub table: String,
    /// The operating system, as it calls itself.
    pub os: String,
    /// `ID` of os-release.
    pub os_id: String,
    /// `VERSION_ID` of os-release.
    pub os_version: String,
    /// Kernel releases, newest first.
    pub kernel: String,
    /// Its volumes.
    pub volumes: Vec<VolumeReport>,
    /// Installed packages found.
    pub packages: usize,
    /// Packages of languages found.
    pub components: usize,
    /// Digest of the SBOM in CycloneDX.
    pub sbom: String,
    /// Digest of the SBOM in SPDX.
    pub spdx: String,
    /// What its files tell beside their content.
    pub files: FilesReport,
}

/// How one certification rule came out, passes too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Rule id.
    pub rule: String,
    /// Test id of the industry's self-test tool, or empty.
    pub test_id: String,
    /// What it is about.
    pub title: String,
    /// `passed`, `not-applicable`, `inconclusive`, `boot-only`, `off`, or the severity of what was found.
    pub result: String,
    /// What was seen.
    pub observed: String,
    /// What is right.
    pub required: String,
}

/// The judgement over one image, index or disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Digest of the manifest or index, or [`mercat_disk::digest::disk_digest`]; empty for what is no disk, or lists no image.
    pub subject: String,
    /// Policy name, date and digest.
    pub policy: [String; 3],
    /// Advisory digest, newest record, and the day on which its age was judged, or empty.
    pub advisories: [String; 3],
    /// Digest of the engines and their rules.
    pub engines: String,
    /// Digest and file names of the eligibility policies; `None` before they judged.
    pub eligibility: Option<(String, Vec<String>)>,
    /// Rules that found something and are recorded only.
    pub shadow: Vec<String>,
    /// The images below the subject.
    pub images: Vec<ImageReport>,
    /// The disk, when the subject is one.
    pub disk: Option<DiskReport>,
    /// Every rule about the disk.
    pub checks: Vec<Check>,
    /// Findings, sorted.
    pub findings: Vec<Finding>,
    /// SBOMs by digest, CycloneDX JSON and SPDX JSON.
    pub sboms: Vec<(String, String)>,
}

impl Verdict {
    /// One in which nothing was found yet.
    pub(crate) fn blank(subject: String, knowledge: &Knowledge) -> Self {
        let policy = &knowledge.policy;
        Self {
            subject,
            policy: [policy.name.clone(), policy.date.clone(), policy.digest.to_string()],
            advisories: knowledge.about_advisories(),
            engines: knowledge.engine_digest().to_string(),
            eligibility: None,
            shadow: Vec::new(),
            images: Vec::new(),
            disk: None,
            checks: Vec::new(),
            findings: Vec::new(),
            sboms: Vec::new(),
        }
    }

    /// The three-valued judgement.
    pub fn outcome(&self) -> Outcome {
        finding::judge(&self.findings)
    }

    fn advisories_json(&self) -> Value {
        let [digest, newest, judged_on] = &self.advisories;
        let mut out = json!({"digest": digest, "newest": newest});
        if let Some(map) = out.as_object_mut().filter(|_| !judged_on.is_empty()) {
            map.insert("judgedOn".to_owned(), json!(judged_on));
        }
        out
    }

    /// The document. It holds no clock time and no name of a machine: the same input gives the same bytes.
    pub fn to_json(&self) -> String {
        let layer = |layer: &LayerReport| {
            json!({
                "digest": layer.digest, "diffId": layer.diff_id, "packedBytes": layer.packed_bytes,
                "files": layer.files, "fileBytes": layer.file_bytes, "scannedBytes": layer.scanned_bytes,
                "nestedBytes": layer.nested_bytes, "nestedScannedBytes": layer.nested_scanned_bytes,
            })
        };
        let image = |image: &ImageReport| {
            json!({
                "platform": image.platform, "manifest": image.manifest, "packages": image.packages,
                "components": image.components,
                "sbom": image.sbom, "spdx": image.spdx, "labels": image.labels, "files": image.files.to_json(),
                "layers": image.layers.iter().map(layer).collect::<Vec<_>>(),
            })
        };
        let mut document = json!({
            "schema": "mercat.verdict/1",
            "subject": self.subject,
            "outcome": self.outcome().name(),
            "policy": {"name": self.policy[0], "date": self.policy[1], "digest": self.policy[2]},
            "advisories": self.advisories_json(),
            "engines": self.engines,
            "images": self.images.iter().map(image).collect::<Vec<_>>(),
            "findings": self.findings.iter().map(finding_json).collect::<Vec<_>>(),
        });
        if let (Some(map), Some((digest, policies))) = (document.as_object_mut(), &self.eligibility) {
            map.insert("eligibility".to_owned(), json!({"digest": digest, "policies": policies}));
        }
        if let Some(map) = document.as_object_mut().filter(|_| !self.shadow.is_empty()) {
            map.insert("shadow".to_owned(), json!(self.shadow));
        }
        if let Some(map) = document.as_object_mut().filter(|_| !self.checks.is_empty()) {
            if self.images.is_empty() {
                map.remove("images");
                map.insert("disk".to_owned(), self.disk.as_ref().map_or(Value::Null, disk_json));
            }
            map.insert("checks".to_owned(), self.checks.iter().map(check_json).collect());
        }
        let mut text = serde_json::to_string_pretty(&document).expect("plain data");
        text.push('\n');
        mercat_domain::plain::plain_json(&text)
    }

    /// Reads the checks of a document back.
    pub fn checks_of(document: &str) -> Option<Vec<Check>> {
        let document: Value = serde_json::from_str(document).ok()?;
        let checks = document.get("checks").and_then(Value::as_array).cloned().unwrap_or_default();
        Some(checks.iter().map(check_of).collect())
    }

    /// The subject that a document is about.
    pub fn subject_of(document: &str) -> Option<String> {
        let document: Value = serde_json::from_str(document).ok()?;
        Some(document.get("subject")?.as_str()?.to_owned())
    }

    /// How many layers a document about an image tells of.
    pub fn layers_of(document: &str) -> u32 {
        let document: Value = serde_json::from_str(document).unwrap_or_default();
        let images = document.get("images").and_then(Value::as_array).into_iter().flatten();
        let layers: usize = images.filter_map(|image| image.get("layers")?.as_array()).map(Vec::len).sum();
        u32::try_from(layers).unwrap_or(u32::MAX)
    }

    /// Reads the findings of a document back.
    pub fn findings_of(document: &str) -> Option<(Outcome, Vec<Finding>)> {
        #[derive(serde::Deserialize)]
        struct Parts {
            findings: Vec<Value>,
        }
        let outcome = Self::outcome_of(document)?;
        let Parts { findings } = serde_json::from_str(document).ok()?;
        Some((outcome, findings.iter().map(finding_of).collect::<Option<_>>()?))
    }

    /// Reads the outcome of a document back, and nothing else of it.
    pub fn outcome_of(document: &str) -> Option<Outcome> {
        #[derive(serde::Deserialize)]
        struct Part<'d> {
            #[serde(borrow)]
            outcome: std::borrow::Cow<'d, str>,
        }
        Outcome::parse(&serde_json::from_str::<Part<'_>>(document).ok()?.outcome)
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
    if let Some(line) = finding.place.line {
        out.insert("line".into(), json!(line));
    }
    out.insert("observed".into(), json!(finding.observed));
    out.insert("required".into(), json!(finding.required));
    out.insert("fix".into(), json!(finding.fix));
    Value::Object(out)
}

fn parts(place: &Place) -> [(&'static str, &str); 7] {
    [
        ("plan", &place.plan),
        ("platform", &place.platform),
        ("layer", &place.layer),
        ("path", &place.path),
        ("file", &place.file),
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
            file: word("file"),
            package: word("package"),
            field: word("field"),
            line: value
                .get("line")
                .and_then(Value::as_u64)
                .and_then(|line| line.try_into().ok())
                .filter(|line| *line > 0),
        },
        observed: word("observed"),
        required: word("required"),
        fix: word("fix"),
    })
}

fn disk_json(disk: &DiskReport) -> Value {
    let volume = |volume: &VolumeReport| {
        json!({
            "name": volume.name, "start": volume.start, "bytes": volume.bytes, "contents": volume.contents,
            "entries": volume.entries, "files": volume.files, "fileBytes": volume.file_bytes,
            "scannedBytes": volume.scanned_bytes, "nestedBytes": volume.nested_bytes,
            "nestedScannedBytes": volume.nested_scanned_bytes,
        })
    };
    json!({
        "bytes": disk.bytes, "dataBytes": disk.data_bytes,
        "unallocatedBytes": disk.unallocated_bytes, "partitionTable": disk.table, "os": disk.os,
        "osId": disk.os_id, "osVersion": disk.os_version, "kernel": disk.kernel, "packages": disk.packages,
        "components": disk.components,
        "sbom": disk.sbom, "spdx": disk.spdx, "files": disk.files.to_json(),
        "volumes": disk.volumes.iter().map(volume).collect::<Vec<_>>(),
    })
}

fn check_json(check: &Check) -> Value {
    json!({
        "rule": check.rule, "testId": check.test_id, "title": check.title, "result": check.result,
        "observed": check.observed, "required": check.required,
    })
}

fn check_of(value: &Value) -> Check {
    let word = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    Check {
        rule: word("rule"),
        test_id: word("testId"),
        title: word("title"),
        result: word("result"),
        observed: word("observed"),
        required: word("required"),
    }
}
