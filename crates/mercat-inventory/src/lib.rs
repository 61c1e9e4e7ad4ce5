//! Packages by the files that name them.

use serde::{Deserialize, Serialize};

/// A package that a file names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Component {
    /// Type of its package URL, for example `pypi`, `npm`, `maven`, `golang`, `cargo`, `gem`, `nuget`.
    pub kind: String,
    /// Its name, with the namespace in front where the type has one (`org.apache:commons`, `@scope/name`).
    pub name: String,
    /// Its version as written.
    pub version: String,
    /// Licence expression or text as written; empty when the file tells none.
    pub licence: String,
    /// The file that names it; `!/` separates an archive from its members.
    pub path: String,
}
