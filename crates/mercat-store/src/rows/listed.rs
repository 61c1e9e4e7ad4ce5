//! Parts of a listing: disks, and defaults of edge modules.

use serde::{Deserialize, Serialize};

/// A disk as it can be downloaded in one format.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DownloadRow {
    /// Name of the format, for example `vhd-fixed`.
    pub format: String,
    /// Bytes of the file.
    pub size: u64,
    /// SHA-256 of the file, hex.
    pub sha256: String,
}

/// A disk of a plan's version.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListedDisk {
    /// `1.0.0`, or `1.0.0-lun0` for a data disk.
    pub reference: String,
    /// Digest of the index in depot and registry.
    pub root: String,
    /// Digest of the disk, whatever its container.
    pub digest: String,
    /// Bytes of the disk.
    pub size: u64,
    /// The formats.
    pub downloads: Vec<DownloadRow>,
}

/// Defaults of an IoT Edge module; pairs are name and value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EdgeRow {
    /// Routes of the hub.
    pub routes: Vec<(String, String)>,
    /// Desired properties of the module twin; values are JSON.
    pub twin: Vec<(String, String)>,
    /// Environment.
    pub env: Vec<(String, String)>,
    /// JSON of the container engine.
    pub create_options: String,
}

/// The words of a listing or a plan in another language; what is empty is told in the first one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WordsRow {
    /// Title.
    pub title: String,
    /// One sentence.
    pub summary: String,
    /// Two sentences; empty for plans.
    pub long_summary: String,
    /// Sanitised HTML.
    pub description: String,
}

impl WordsRow {
    /// Whether nothing is said in this language.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
