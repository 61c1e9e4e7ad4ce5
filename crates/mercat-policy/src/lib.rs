//! Policy packs: which rule weighs how much, and the limits. Data, dated, with a digest.

mod vm;

pub use vm::{Boot, Bounds, ContainerPolicy, KernelFloor, VmPolicy};

use mercat_artifact::layer::Caps;
use mercat_domain::{Digest, Finding, Severity};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

const BUILT_IN: &str = include_str!("../policy/default.toml");

/// The packs that come with the program, by name.
const PACKS: [(&str, &str); 3] = [
    ("default", BUILT_IN),
    ("legacy-2017", include_str!("../policy/legacy-2017.toml")),
    ("legacy-2021", include_str!("../policy/legacy-2021.toml")),
];

/// Limits on what is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Unpacked bytes of one layer.
    pub layer_unpacked_bytes: u64,
    /// Unpacked bytes per packed byte.
    pub expansion_ratio: u64,
    /// Tar entries of one layer.
    pub layer_entries: u64,
    /// Packed bytes of all blobs of one image.
    pub image_packed_bytes: u64,
    /// Unpacked bytes of all layers of one image.
    #[serde(default = "image_unpacked_bytes")]
    pub image_unpacked_bytes: u64,
    /// Archives inside archives.
    pub nested_depth: u32,
    /// Packed bytes of an archive inside a layer.
    pub nested_file_bytes: u64,
    /// Unpacked bytes of an archive inside a layer, all levels together.
    pub nested_total_bytes: u64,
}

fn image_unpacked_bytes() -> u64 {
    64 << 30
}

impl Limits {
    /// What a layer may unpack to.
    pub fn caps(&self) -> Caps {
        Caps {
            unpacked_bytes: self.layer_unpacked_bytes,
            ratio: self.expansion_ratio,
            entries: self.layer_entries,
        }
    }
}

/// When a known vulnerability blocks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VulnerabilityPolicy {
    /// The level from which a vulnerability blocks, one of [`LEVELS`].
    pub block_at: String,
    /// Whether only those block for which there is a fix.
    pub fixable_only: bool,
    /// The level of what nobody rated.
    pub unknown_counts_as: String,
    /// Whether what is known to be exploited blocks, whatever its level, and fixed or not.
    #[serde(default)]
    pub block_kev: bool,
    /// The EPSS probability (0 to 1) from which a vulnerability blocks likewise.
    #[serde(default)]
    pub block_epss_at: Option<f64>,
    /// Whether a publisher's own statement that a vulnerability does not matter counts. Else it is told beside the
    /// finding, for whoever decides about exceptions.
    #[serde(default)]
    pub accept_publisher_vex: bool,
    /// Days since the last import of an ecosystem's advisories.
    #[serde(default)]
    pub advisories_max_age_days: Option<u32>,
    /// Days since the newest record of an ecosystem.
    #[serde(default)]
    pub newest_max_age_days: Option<u32>,
}

impl VulnerabilityPolicy {
    /// Whether a vulnerability of a level blocks by it; an empty level is one that nobody rated.
    pub fn blocks(&self, level: &str, fixed: bool) -> bool {
        let rank = |level: &str| LEVELS.iter().position(|known| *known == level);
        let level = if level.is_empty() { &self.unknown_counts_as } else { level };
        rank(level) >= rank(&self.block_at) && (fixed || !self.fixable_only)
    }
}

/// What is asked of scanners for malware.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MalwarePolicy {
    /// Days since signatures were imported, from which nothing is approved by them.
    pub signatures_max_age_days: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    date: String,
    limits: Limits,
    vulnerabilities: VulnerabilityPolicy,
    /// A pack from before there were disks has none: the default pack's is used.
    vm: Option<VmPolicy>,
    #[serde(default)]
    containers: ContainerPolicy,
    #[serde(default)]
    malware: MalwarePolicy,
    rules: BTreeMap<String, String>,
}

/// Why a pack cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Not TOML, or a key is missing or unknown.
    #[error("{0}; a pack is what mercat policy show default prints, with other values")]
    Syntax(String),
    /// A severity that does not exist.
    #[error(
        "rule {rule} has the severity {severity:?}; use error, warning, info, shadow, inconclusive or off"
    )]
    Severity {
        /// Rule id.
        rule: String,
        /// As written.
        severity: String,
    },
    /// A value that cannot be meant.
    #[error("{key} is {value}; it is {required}")]
    Value {
        /// Key, with its table.
        key: &'static str,
        /// As written.
        value: String,
        /// What is right.
        required: &'static str,
    },
    /// A probability that is none.
    #[error("block_epss_at is {0}; it is a probability from 0 to 1")]
    Share(f64),
    /// A vulnerability level that does not exist.
    #[error("{0:?} is not a level; use low, medium, high or critical")]
    Level(String),
}

/// A policy pack.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Name.
    pub name: String,
    /// Date, as written in the pack.
    pub date: String,
    /// Digest of its text.
    pub digest: Digest,
    /// Limits.
    pub limits: Limits,
    /// Parameters for disks.
    pub vm: VmPolicy,
    /// What is asked of container images beyond reading them.
    pub containers: ContainerPolicy,
    /// What is asked of scanners for malware.
    pub malware: MalwarePolicy,
    /// When a known vulnerability blocks.
    pub vulnerabilities: VulnerabilityPolicy,
    rules: BTreeMap<String, Option<Severity>>,
    shadow: BTreeSet<String>,
}

pub use mercat_advisories::LEVELS;

impl Policy {
    /// Reads a pack.
    ///
    /// # Errors
    /// With the key or rule that is wrong.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let file: File = toml::from_str(text)
            .map_err(|error| PolicyError::Syntax(error.to_string().trim_end().to_owned()))?;
        meant(&file)?;
        let mut rules = BTreeMap::new();
        let mut shadow = BTreeSet::new();
        for (rule, severity) in file.rules {
            let parsed = match Severity::parse(&severity) {
                Some(parsed) => Some(parsed),
                None if severity == "off" => None,
                None if severity == "shadow" => {
                    shadow.insert(rule.clone());
                    Some(Severity::Info)
                }
                None => return Err(PolicyError::Severity { rule, severity }),
            };
            rules.insert(rule, parsed);
        }
        for level in [&file.vulnerabilities.block_at, &file.vulnerabilities.unknown_counts_as] {
            if !LEVELS.contains(&level.as_str()) {
                return Err(PolicyError::Level(level.clone()));
            }
        }
        if let Some(share) = file.vulnerabilities.block_epss_at.filter(|share| !(0.0..=1.0).contains(share)) {
            return Err(PolicyError::Share(share));
        }
        Ok(Self {
            name: file.name,
            date: file.date,
            digest: Digest::from_sha256(&Sha256::digest(text.as_bytes())),
            limits: file.limits,
            vm: match file.vm {
                Some(vm) => vm,
                None => Self::vm_of_default()?,
            },
            containers: file.containers,
            malware: file.malware,
            vulnerabilities: file.vulnerabilities,
            rules,
            shadow,
        })
    }

    fn vm_of_default() -> Result<VmPolicy, PolicyError> {
        let file: File = toml::from_str(BUILT_IN)
            .map_err(|error| PolicyError::Syntax(error.to_string().trim_end().to_owned()))?;
        file.vm.ok_or_else(|| PolicyError::Syntax("the built-in pack has no [vm] table".to_owned()))
    }

    /// The built-in pack's text, to copy and change.
    pub fn built_in() -> &'static str {
        BUILT_IN
    }

    /// The text of a pack that comes with the program: `default`, `legacy-2017` or `legacy-2021`.
    pub fn named(name: &str) -> Option<&'static str> {
        PACKS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// Names of the packs that come with the program.
    pub fn names() -> Vec<&'static str> {
        PACKS.iter().map(|(name, _)| *name).collect()
    }

    /// The rules that the pack names.
    pub fn named_rules(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }

    /// The rules that the packs that come with the program name.
    pub fn known_rules() -> BTreeSet<String> {
        let packs = PACKS.iter().filter_map(|(_, text)| toml::from_str::<File>(text).ok());
        packs.flat_map(|pack| pack.rules.into_keys()).collect()
    }

    /// The weight of a rule; `None` when it is off. Rules the pack does not know block.
    pub fn severity(&self, rule: &str) -> Option<Severity> {
        self.rules.get(rule).copied().unwrap_or(Some(Severity::Error))
    }

    /// Whether a vulnerability blocks by `block_at` and `fixable_only`: its level (`low` to `critical`; empty where
    /// nobody rated it; anything else is below `low`), and whether there is a fix.
    pub fn vulnerability_blocks(&self, level: &str, fixed: bool) -> bool {
        self.vulnerabilities.blocks(level, fixed)
    }

    /// Whether a rule is recorded only: it is told as information and never blocks.
    pub fn is_shadow(&self, rule: &str) -> bool {
        self.shadow.contains(rule)
    }

    /// Gives a finding of a test the weight that the pack names, or drops it. What the pack does not name, and what could
    /// not be tested, keeps the weight that it has.
    pub fn weigh_tested(&self, mut finding: Finding) -> Option<Finding> {
        if matches!(finding.severity, Severity::Error | Severity::Warning)
            && let Some(severity) = self.rules.get(&finding.rule)
        {
            finding.severity = (*severity)?;
        }
        Some(finding)
    }

    /// Whether the pack names a rule, and does not switch it off. Of a rule that has effects outside of this server
    /// silence is no order.
    pub fn asks_for(&self, rule: &str) -> bool {
        matches!(self.rules.get(rule), Some(Some(_)))
    }

    /// Gives a finding its weight, or drops it.
    pub fn weigh(&self, mut finding: Finding) -> Option<Finding> {
        finding.severity = self.severity(&finding.rule)?;
        Some(finding)
    }
}

/// Whether every value of a pack can be meant.
fn meant(file: &File) -> Result<(), PolicyError> {
    let value = |good: bool, key, value: String, required| match good {
        true => Ok(()),
        false => Err(PolicyError::Value { key, value, required }),
    };
    let is_date = file.date.len() == 10
        && file.date.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    value(!file.name.trim().is_empty(), "name", format!("{:?}", file.name), "the name that reports show")?;
    value(is_date, "date", format!("{:?}", file.date), "a day as 2026-01-31")?;
    let Limits { layer_unpacked_bytes, expansion_ratio, layer_entries, .. } = file.limits;
    let Limits { image_packed_bytes, image_unpacked_bytes, nested_total_bytes, .. } = file.limits;
    for (key, number) in [
        ("limits.layer_unpacked_bytes", layer_unpacked_bytes),
        ("limits.expansion_ratio", expansion_ratio),
        ("limits.layer_entries", layer_entries),
        ("limits.image_packed_bytes", image_packed_bytes),
        ("limits.image_unpacked_bytes", image_unpacked_bytes),
        ("limits.nested_total_bytes", nested_total_bytes),
        ("containers.start_seconds", u64::from(file.containers.start_seconds)),
    ] {
        value(number > 0, key, number.to_string(), "a number above 0")?;
    }
    let Some(vm) = &file.vm else { return Ok(()) };
    for (key, bounds) in [
        ("vm.linux_bytes", vm.linux_bytes),
        ("vm.linux_bytes_advised", vm.linux_bytes_advised),
        ("vm.windows_bytes", vm.windows_bytes),
        ("vm.windows_bytes_advised", vm.windows_bytes_advised),
        ("vm.data_bytes", vm.data_bytes),
        ("vm.client_alive", vm.client_alive),
    ] {
        let written = format!("[{}, {}]", bounds.least, bounds.most);
        value(bounds.least <= bounds.most, key, written, "the least and then the most")?;
    }
    let is_known = !vm.generations.is_empty() && vm.generations.iter().all(|number| [1, 2].contains(number));
    value(is_known, "vm.generations", format!("{:?}", vm.generations), "1 (BIOS), 2 (UEFI), or both")?;
    value(vm.boot_seconds > 0, "vm.boot_seconds", vm.boot_seconds.to_string(), "a number above 0")?;
    for (key, version) in [
        ("vm.agent_min", &vm.agent_min),
        ("vm.extension_agent_min", &vm.extension_agent_min),
        ("vm.openssl_min", &vm.openssl_min),
        ("vm.python_min", &vm.python_min),
        ("vm.omi_min", &vm.omi_min),
    ] {
        let is_version = version.starts_with(|letter: char| letter.is_ascii_digit());
        value(is_version, key, format!("{version:?}"), "a version, which begins with a digit")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_pack_reads_and_unknown_rules_block() {
        let policy = Policy::parse(BUILT_IN).expect("reads");
        assert_eq!(policy.severity("CTR-24"), Some(Severity::Warning));
        assert_eq!(policy.severity("NEW-99"), Some(Severity::Error));
        assert!(policy.asks_for("CTR-24") && !policy.asks_for("NEW-99") && !policy.asks_for("LST-08"));
    }

    #[test]
    fn values_that_cannot_be_meant_are_refused_with_what_is_right() {
        for (written, wrong, told) in [
            ("name = \"default\"", "name = \" \"", "name is "),
            ("date = \"2026-11-25\"", "date = \"yesterday\"", "2026-01-31"),
            ("expansion_ratio = 100 ", "expansion_ratio = 0 ", "limits.expansion_ratio is 0"),
            ("linux_bytes = [1073741824, 1098437885952]", "linux_bytes = [5, 1]", "vm.linux_bytes is [5, 1]"),
            ("generations = [1, 2]", "generations = [3]", "vm.generations is [3]"),
            ("agent_min = \"2.2.53.1\"", "agent_min = \"two\"", "vm.agent_min is \"two\""),
        ] {
            assert!(BUILT_IN.contains(written), "{written}");
            let error = Policy::parse(&BUILT_IN.replacen(written, wrong, 1)).expect_err(wrong).to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_rule_in_shadow_is_recorded_and_never_blocks() {
        let text = BUILT_IN.replace("CTR-20 = \"error\"", "CTR-20 = \"shadow\"");
        let policy = Policy::parse(&text).expect("reads");
        assert_eq!(policy.severity("CTR-20"), Some(Severity::Info));
        assert!(policy.is_shadow("CTR-20") && !policy.is_shadow("CTR-21"));
    }

    #[test]
    fn a_wrong_severity_names_its_rule() {
        let text = BUILT_IN.replace("CTR-01 = \"error\"", "CTR-01 = \"bad\"");
        assert!(matches!(Policy::parse(&text), Err(PolicyError::Severity { rule, .. }) if rule == "CTR-01"));
        assert!(Policy::parse("name = 1").is_err());
        for pack in Policy::names() {
            let policy = Policy::parse(Policy::named(pack).expect("a pack")).expect("reads");
            let named: BTreeSet<String> = policy.named_rules().map(str::to_owned).collect();
            assert_eq!(named, Policy::known_rules(), "{pack}");
        }
    }
}
