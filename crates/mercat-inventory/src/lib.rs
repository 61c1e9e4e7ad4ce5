//! What is installed besides the packages of a distribution, by the files that package managers, build
//! tools and compilers leave behind.
//!
//! [`reader_of`] decides from a path and the first bytes whether a file is wanted, [`read`] reads it, and
//! [`settle`] weighs what several files of one place say about the same thing. The bytes are hostile:
//! every reader is bounded, and what it cannot read is [`Broken`], never nothing.

mod claims;
mod dotnet;
mod java;
mod json;
mod lists;
mod node;
mod others;
mod php;
mod places;
mod program;
mod purl;
mod python;
mod ruby;
mod settle;
mod start;
mod versions;

pub use java::{ClassRoots, artifacts};
pub use purl::encode;
pub use settle::settle;
pub use start::Start;

use mercat_artifact::Positioned;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Components that one file may name.
pub const COMPONENTS_OF_FILE_MAX: usize = 50_000;
/// Bytes of a record of one package, for example `METADATA`.
pub const RECORD_BYTES_MAX: u64 = 8 << 20;
/// Bytes of a list of packages, for example `package-lock.json`.
pub const LIST_BYTES_MAX: u64 = 32 << 20;
/// Bytes of a program that is kept in memory.
pub const PROGRAM_MEMORY_BYTES_MAX: u64 = 256 << 20;
/// Bytes of a program that waits in a file.
pub const PROGRAM_BYTES_MAX: u64 = 4 << 30;
/// Bytes of a name or version.
const WORD_BYTES_MAX: usize = 1024;
/// Bytes of a licence; longer ones are cut, because some packages write the whole text there.
const LICENCE_BYTES_MAX: usize = 256;

/// What a file proves about a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The record that an installation leaves, or what a compiler writes into a program: it is there.
    #[default]
    Installed,
    /// The text of a program that names its version.
    Text,
    /// The manifest of a jar.
    Manifest,
    /// The name of a file.
    Name,
    /// A lock file: somebody meant to install it.
    Intent,
    /// A bill of materials that the publisher wrote.
    Claim,
    /// Where the classes of a jar are: [`settle`] gives it to what else names that jar.
    Classes,
}

impl Evidence {
    /// The name used in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Text => "text",
            Self::Manifest => "manifest",
            Self::Name => "name",
            Self::Intent => "intent",
            Self::Claim => "claim",
            Self::Classes => "classes",
        }
    }
}

/// A package that a file names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Component {
    /// Type of its package URL, for example `pypi`, `npm`, `maven`, `golang`, `cargo`, `gem`, `nuget`, `cran`, `hex`.
    pub kind: String,
    /// Its name, with the namespace in front where the type has one (`org.apache:commons`, `@scope/name`).
    pub name: String,
    /// Its version as written; empty when the file tells none.
    pub version: String,
    /// Licence expression or text as written; empty when the file tells none.
    pub licence: String,
    /// The file that names it; `!/` separates an archive from its members.
    pub path: String,
    /// What the file proves.
    pub evidence: Evidence,
    /// The distribution package that the file belongs to, by name; empty when none owns it.
    pub owner: String,
    /// Of a Java archive without coordinates: every name that its manifest has for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Of a Java archive without coordinates: the first three words of the packages that its classes are in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roots: Vec<String>,
}

impl Component {
    /// The package URL (purl specification with the rules of its type).
    pub fn purl(&self) -> String {
        purl::of(&self.kind, &self.name, &self.version)
    }
}

/// Why a file that names packages could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It is not what its name says.
    #[error("it is no {format}: {why}")]
    Syntax {
        /// The format.
        format: &'static str,
        /// What is wrong.
        why: String,
    },
    /// It names more than is read.
    #[error("it names more than {COMPONENTS_OF_FILE_MAX} packages")]
    TooMany,
    /// A name or version is longer than any.
    #[error("a name or version of more than {WORD_BYTES_MAX} bytes")]
    LongWord,
    /// It could not be read: not its fault.
    #[error("it could not be read: {0}")]
    Unread(String),
    /// It may be right, and is beyond what is read here.
    #[error("it has {0}")]
    Beyond(String),
}

impl Broken {
    fn syntax(format: &'static str, why: impl ToString) -> Self {
        // What a parser says may repeat the input.
        Self::Syntax { format, why: clip(&why.to_string(), 200) }
    }

    fn unread(error: std::io::Error) -> Self {
        Self::Unread(error.to_string())
    }
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// `METADATA` or `PKG-INFO` of an installed Python distribution (core metadata specification).
    PythonMetadata,
    /// `package.json`.
    NodePackage,
    /// `package-lock.json` or `npm-shrinkwrap.json`, versions 1 to 3.
    NodeLock,
    /// `yarn.lock`, classic and berry.
    YarnLock,
    /// `pnpm-lock.yaml`, versions 5 to 9.
    PnpmLock,
    /// `pom.properties` that Maven puts into a jar.
    PomProperties,
    /// `pom.xml` in a jar, for its licence.
    Pom,
    /// `MANIFEST.MF` of a jar.
    JarManifest,
    /// The name of a jar; its bytes are not wanted.
    JarName,
    /// `*.gemspec` of an installed gem.
    Gemspec,
    /// `Gemfile.lock`.
    GemfileLock,
    /// `installed.json` of Composer, versions 1 and 2.
    ComposerInstalled,
    /// `composer.lock`.
    ComposerLock,
    /// `*.deps.json` of .NET.
    DotnetDeps,
    /// `Cargo.lock`.
    CargoLock,
    /// `poetry.lock`, `uv.lock`, `pdm.lock` and `pylock.toml`.
    PythonLock,
    /// `Pipfile.lock`.
    PipfileLock,
    /// `packages.lock.json` of NuGet.
    NugetLock,
    /// `mix.lock` of Elixir.
    MixLock,
    /// `rebar.lock` of Erlang.
    RebarLock,
    /// `renv.lock` of R.
    RenvLock,
    /// `DESCRIPTION` of an installed R package.
    RDescription,
    /// `ebin/NAME.app` of Erlang and Elixir.
    ErlangApp,
    /// `conda-meta/NAME.json`.
    CondaRecord,
    /// A program or library in ELF, PE or Mach-O.
    Program,
    /// A CycloneDX document.
    CycloneDx,
}

impl Reader {
    /// Whether it reads what lists all that is installed somewhere: without it nothing of that is known.
    pub fn is_list_of_all(self) -> bool {
        matches!(self, Self::ComposerInstalled | Self::DotnetDeps)
    }

    /// The most bytes that it reads.
    pub fn bytes_max(self) -> u64 {
        match self {
            Self::Program => PROGRAM_BYTES_MAX,
            Self::JarName => 0,
            Self::NodeLock
            | Self::YarnLock
            | Self::PnpmLock
            | Self::GemfileLock
            | Self::ComposerInstalled
            | Self::ComposerLock
            | Self::DotnetDeps
            | Self::PipfileLock
            | Self::NugetLock
            | Self::MixLock
            | Self::RebarLock
            | Self::RenvLock
            | Self::CondaRecord
            | Self::CycloneDx => LIST_BYTES_MAX,
            _ => RECORD_BYTES_MAX,
        }
    }
}

/// The reader that a file is for, by its path (`!/` between an archive and its members) and first bytes.
pub fn reader_of(path: &str, head: &[u8]) -> Option<Reader> {
    let is_program = || program::is_program(head).then_some(Reader::Program);
    // A program under the name of a list is read as a program; a record that cannot be read still says that it is one.
    let is_record = |reader: &Reader| reader.is_list_of_all() || by_place(*reader, path).is_some();
    let by_name = by_name(path, head);
    by_name.filter(is_record).or_else(is_program).or(by_name)
}

/// Parts of a program of `size` bytes that [`Reader::Program`] does not look into, by its first bytes, in order.
pub fn unread(head: &[u8], size: u64) -> Vec<Range<usize>> {
    program::unread(head, size)
}

/// Where an ELF program ends by its own tables, by its first bytes; nothing for what only looks like one.
pub fn ends_at(head: &[u8]) -> Option<u64> {
    program::ends_at(head)
}

/// Whether bytes begin as a class of Java does (JVMS 4.1): the magic number, a version there is, and a pool of constants.
pub fn is_class(bytes: &[u8]) -> bool {
    const VERSIONS: std::ops::RangeInclusive<u16> = 45..=80;
    let word = |at: usize| bytes.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]));
    let has_version = word(4).is_some_and(|minor| matches!(minor, 0..=3 | 0xffff))
        && word(6).is_some_and(|major| VERSIONS.contains(&major));
    bytes.starts_with(&[0xca, 0xfe, 0xba, 0xbe])
        && has_version
        && word(8).is_some_and(|constants| constants > 1)
}

/// Whether something may stand behind what a file begins as: a script, or a program that is shorter than its file.
pub fn may_carry(head: &[u8], size: u64) -> bool {
    head.starts_with(b"#!") || head.starts_with(b"MZ") || program::ends_at(head).is_some_and(|end| end < size)
}

fn by_name(path: &str, head: &[u8]) -> Option<Reader> {
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or(path);
    // Some file systems do not tell letters apart by their size.
    let parent = parts.next().unwrap_or_default().to_ascii_lowercase();
    let lower = name.to_ascii_lowercase();
    let reader = match lower.as_str() {
        _ if lower.ends_with(".deps.json") => Reader::DotnetDeps,
        "metadata" if parent.ends_with(".dist-info") => Reader::PythonMetadata,
        "pkg-info" if parent.ends_with(".egg-info") || parent == "egg-info" => Reader::PythonMetadata,
        "package.json" => Reader::NodePackage,
        "package-lock.json" | "npm-shrinkwrap.json" | ".package-lock.json" => Reader::NodeLock,
        "yarn.lock" => Reader::YarnLock,
        "pnpm-lock.yaml" => Reader::PnpmLock,
        "pom.properties" if path.contains("META-INF/maven/") => Reader::PomProperties,
        "pom.xml" if path.contains("META-INF/maven/") => Reader::Pom,
        "manifest.mf" if parent == "meta-inf" => Reader::JarManifest,
        "gemfile.lock" => Reader::GemfileLock,
        "installed.json" if parent == "composer" => Reader::ComposerInstalled,
        "composer.lock" => Reader::ComposerLock,
        "cargo.lock" => Reader::CargoLock,
        "poetry.lock" | "uv.lock" | "pdm.lock" | "pylock.toml" => Reader::PythonLock,
        _ if lower.starts_with("pylock.") && lower.ends_with(".toml") => Reader::PythonLock,
        "pipfile.lock" => Reader::PipfileLock,
        _ if lower.starts_with("packages.") && lower.ends_with("lock.json") => Reader::NugetLock,
        "mix.lock" => Reader::MixLock,
        "rebar.lock" => Reader::RebarLock,
        "renv.lock" => Reader::RenvLock,
        // Others have files of this name, too.
        "description" if others::in_library(path) || memchr::memmem::find(head, b"Package:").is_some() => {
            Reader::RDescription
        }
        _ if parent == "ebin" && lower.ends_with(".app") => Reader::ErlangApp,
        _ if parent == "conda-meta" && lower.ends_with(".json") => Reader::CondaRecord,
        _ if lower.ends_with(".egg-info") => Reader::PythonMetadata,
        _ if lower.ends_with(".gemspec") && in_specifications(path) => Reader::Gemspec,
        _ if lower == "bom.json" || lower.ends_with(".cdx.json") => Reader::CycloneDx,
        _ if java::is_archive(&lower) && (head.starts_with(b"PK") || head.starts_with(b"#!")) => {
            Reader::JarName
        }
        _ => return None,
    };
    Some(reader)
}

fn in_specifications(path: &str) -> bool {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    directory.ends_with("specifications") || directory.ends_with("specifications/default")
}

/// Reads a file.
///
/// # Errors
/// See [`Broken`].
pub fn read(reader: Reader, path: &str, bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    let found = match reader {
        Reader::PythonMetadata => python::metadata(bytes),
        Reader::NodePackage => node::package(bytes).map(|mut found| {
            // Node loads what lies there, with a version or without.
            if found.is_empty() {
                found.extend(by_place(reader, path));
            }
            found
        }),
        Reader::NodeLock => node::lock(bytes),
        Reader::YarnLock => node::yarn(bytes),
        Reader::PnpmLock => node::pnpm(bytes),
        Reader::PomProperties => java::properties(bytes),
        Reader::Pom => java::pom(bytes),
        Reader::JarManifest => java::manifest(bytes),
        Reader::JarName => Ok(java::name(path)),
        Reader::Gemspec => ruby::gemspec(path, bytes),
        Reader::GemfileLock => ruby::lock(bytes),
        Reader::ComposerInstalled => php::installed(bytes),
        Reader::ComposerLock => php::lock(bytes),
        Reader::DotnetDeps => dotnet::deps(bytes),
        Reader::CargoLock => lists::cargo(bytes),
        Reader::PythonLock => lists::python(bytes),
        Reader::PipfileLock => lists::pipfile(bytes),
        Reader::NugetLock => lists::nuget(bytes),
        Reader::MixLock => lists::mix(bytes),
        Reader::RebarLock => lists::rebar(bytes),
        Reader::RenvLock => lists::renv(bytes),
        Reader::RDescription => others::r(path, bytes),
        Reader::ErlangApp => others::erlang(bytes),
        Reader::CondaRecord => others::conda(bytes),
        Reader::Program => program::read(path, &bytes),
        Reader::CycloneDx => claims::cyclonedx(bytes),
    };
    finish(path, found?)
}

/// Reads a program where it lies, as [`Reader::Program`]: of a large one little is in memory at a time.
///
/// # Errors
/// See [`Broken`].
pub fn read_program(path: &str, program: &dyn Positioned) -> Result<Vec<Component>, Broken> {
    finish(path, program::read(path, program)?)
}

/// Reads the components of a CycloneDX document, as claims of whoever wrote it.
///
/// # Errors
/// See [`Broken`].
pub fn read_cyclonedx(path: &str, bytes: &[u8]) -> Result<Vec<Component>, Broken> {
    read(Reader::CycloneDx, path, bytes)
}

/// Licences that hold together, as one expression (SPDX specification, annex D): a choice among them stands in brackets.
pub fn all_of<'l>(licences: impl IntoIterator<Item = &'l str>) -> String {
    let all: Vec<&str> = licences.into_iter().collect();
    let is_choice = |licence: &str| licence.split_whitespace().any(|word| word.eq_ignore_ascii_case("or"));
    let one = |licence: &&str| match is_choice(licence) && all.len() > 1 {
        true => format!("({licence})"),
        false => (*licence).to_owned(),
    };
    all.iter().map(one).collect::<Vec<_>>().join(" AND ")
}

/// What a package is by the place of its record: its name, and its version where that is told, too. What loads it looks no
/// further, so that a record that cannot be read, or says too little, hides nothing.
pub fn by_place(reader: Reader, path: &str) -> Option<Component> {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let (kind, name, version) = match reader {
        Reader::NodePackage => {
            // Debian has modules in a directory of its own.
            let place = parent.rsplit_once("node_modules/").or_else(|| parent.rsplit_once("share/nodejs/"));
            let place = place.map(|(_, place)| place);
            let is_own = |place: &&str| place.matches('/').count() == usize::from(place.starts_with('@'));
            ("npm", place.filter(is_own)?.to_owned(), "")
        }
        Reader::PythonMetadata => {
            let directory = parent.rsplit('/').next().unwrap_or(parent);
            let stem =
                directory.strip_suffix(".dist-info").or_else(|| directory.strip_suffix(".egg-info"))?;
            let stem = stem.rsplit_once("-py").map_or(stem, |(stem, _)| stem);
            let (name, version) = stem.split_once('-').unwrap_or((stem, ""));
            ("pypi", name.to_owned(), version)
        }
        Reader::PomProperties => {
            let (group, artifact) = parent.rsplit_once("META-INF/maven/")?.1.split_once('/')?;
            ("maven", format!("{group}:{artifact}"), "")
        }
        Reader::RDescription if others::in_library(path) => {
            ("cran", parent.rsplit('/').next().unwrap_or(parent).to_owned(), "")
        }
        Reader::ErlangApp => {
            let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".app");
            (others::kind_of_app(name), name.to_owned(), "")
        }
        _ => return None,
    };
    let found = component(kind, &name, version, Evidence::Installed);
    finish(path, vec![found]).ok()?.pop()
}

/// A record that stands beside what it is about, which programs load without it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordBeside<'p> {
    /// The file or directory that is the record.
    pub record: &'p str,
    /// The directory in which that lies which it is about.
    pub directory: &'p str,
    /// Whether packages of other records lie there, too.
    pub is_shared: bool,
}

/// What a path is a record of, where it stands beside that.
pub fn record_beside(path: &str) -> Option<RecordBeside<'_>> {
    let above = |path: &'_ str| path.rfind('/').unwrap_or(0);
    let parent = &path[..above(path)];
    let beside = |record, directory, is_shared| Some(RecordBeside { record, directory, is_shared });
    match reader_of(path, b"")? {
        Reader::PythonMetadata if path.ends_with(".egg-info") => beside(path, parent, true),
        Reader::PythonMetadata => beside(parent, &parent[..above(parent)], true),
        Reader::ComposerInstalled => beside(path, &parent[..above(parent)], true),
        Reader::DotnetDeps => beside(path, parent, true),
        reader => by_place(reader, path).and_then(|_| beside(path, parent, false)),
    }
}

fn finish(path: &str, mut found: Vec<Component>) -> Result<Vec<Component>, Broken> {
    found.retain(|component| !component.name.is_empty());
    if found.len() > COMPONENTS_OF_FILE_MAX {
        return Err(Broken::TooMany);
    }
    for component in &mut found {
        if component.name.len().max(component.version.len()) > WORD_BYTES_MAX {
            return Err(Broken::LongWord);
        }
        component.licence = clip(&component.licence, LICENCE_BYTES_MAX);
        path.clone_into(&mut component.path);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn component(kind: &str, name: &str, version: &str, evidence: Evidence) -> Component {
    Component {
        kind: kind.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        evidence,
        ..Component::default()
    }
}

/// The beginning of a text, one line, cut at a character.
fn clip(text: &str, max: usize) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().find(|(at, character)| at + character.len_utf8() > max) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
