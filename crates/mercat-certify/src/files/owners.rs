//! Which package owns which file, and with which digest it was installed.

use mercat_artifact::pkgdb::rpm;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// As whose files diverted ones are listed.
pub(crate) const DIVERSIONS: &str = "diversions";

/// A package with its files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Owned {
    pub(crate) package: String,
    pub(crate) licence: String,
    pub(crate) files: Listed,
}

/// Paths, as [`key`], and digests in hexadecimal: 32 digits MD5, 40 SHA-1, 64 SHA-256, none where there is none. There are
/// as many as files in an image, so they are kept as one text: a line each, the digest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Listed(String);

impl Listed {
    /// Adds a file that may be a program.
    fn push(&mut self, path: &str, digest: &str) {
        if is_kept(path) {
            // What is no digest is like none.
            let digit =
                |digit: char| if digit.is_ascii_hexdigit() { digit.to_ascii_lowercase() } else { '?' };
            self.0.extend(digest.chars().map(digit));
            [" ", &key(path), "\n"].iter().for_each(|part| self.0.push_str(part));
        }
    }

    /// Keys of paths, and digests.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .split_terminator('\n')
            .filter_map(|line| line.split_once(' '))
            .map(|(digest, key)| (key, digest))
    }

    pub(crate) fn len(&self) -> usize {
        memchr::memchr_iter(b'\n', self.0.as_bytes()).count()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Listed {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(files: T) -> Self {
        let mut out = Self::default();
        files.into_iter().for_each(|(path, digest)| out.push(path, digest));
        out.0.shrink_to_fit();
        out
    }
}

/// What stands for a path. Whoever makes another path with the same could as well list that.
fn key(path: &str) -> String {
    format!("{:016x}", super::key_of(path, false))
}

/// Whether a path is that of a list or licence file of a package manager. Of volumes, `/var` may be one
/// of its own.
pub(crate) fn is_list(path: &str) -> bool {
    let dpkg = |path: &str| {
        let info = path.strip_prefix("lib/dpkg/info/").is_some_and(|name| {
            !name.contains('/') && (name.ends_with(".list") || name.ends_with(".md5sums"))
        });
        let distroless = path.starts_with("lib/dpkg/status.d/") && path.ends_with(".md5sums");
        info || distroless || path == "lib/dpkg/diversions"
    };
    dpkg(path.strip_prefix("var/").unwrap_or(path)) || copyright_of(path).is_some()
}

/// The package of `usr/share/doc/PACKAGE/copyright`.
fn copyright_of(path: &str) -> Option<&str> {
    let path = path.strip_prefix("usr/").unwrap_or(path);
    let package = path.strip_prefix("share/doc/")?.strip_suffix("/copyright")?;
    (!package.contains('/')).then_some(package)
}

/// Reads a list, licence file or database.
///
/// # Errors
/// Why a database does not tell its files.
pub(crate) fn read(path: &str, bytes: &[u8]) -> Result<Vec<Owned>, String> {
    if let Some(package) = copyright_of(path) {
        let licence = licence_of(&String::from_utf8_lossy(bytes));
        return Ok(vec![Owned { package: package.to_owned(), licence, files: Listed::default() }]);
    }
    if crate::inventory::is_rpm(path) {
        let whole = rpm::parse_records(bytes).map_err(|refusal| match refusal {
            rpm::Refusal::Unreadable(why) | rpm::Refusal::Broken(why) => why,
        })?;
        let owned = |record: rpm::Record| {
            let files = record.files.iter().map(|(path, digest)| (path.as_str(), digest.as_str())).collect();
            Owned { package: record.name, licence: record.licence, files }
        };
        return Ok(whole.into_iter().map(owned).collect());
    }
    let text = String::from_utf8_lossy(bytes);
    if path.ends_with("apk/db/installed") {
        return Ok(apk(&text));
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let (stem, files): (&str, Listed) = match name.rsplit_once('.') {
        Some((stem, "list")) => (stem, text.lines().map(|line| (line.trim_start_matches('/'), "")).collect()),
        Some((stem, "md5sums")) => (stem, text.lines().filter_map(md5_line).collect()),
        _ if name == DIVERSIONS => (DIVERSIONS, diverted(&text)),
        _ => return Ok(Vec::new()),
    };
    let package = stem.split(':').next().unwrap_or(stem).to_owned();
    Ok(vec![Owned { package, licence: String::new(), files }])
}

/// Whether a file can be a program: manuals and translations are many, and are none.
fn is_kept(path: &str) -> bool {
    const OUT: [&str; 4] = ["usr/share/man/", "usr/share/locale/", "usr/share/zoneinfo/", "usr/share/i18n/"];
    !path.is_empty() && path != "." && !OUT.iter().any(|out| path.starts_with(out))
}

fn md5_line(line: &str) -> Option<(&str, &str)> {
    let (digest, path) = line.split_once(char::is_whitespace)?;
    let hex = digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| (path.trim().trim_start_matches(['/', '*']), digest))
}

/// `diversions`: three lines each, from, to, and the package that diverts. Both places are owned, and
/// nothing is said about their digests.
fn diverted(text: &str) -> Listed {
    let lines: Vec<&str> = text.lines().collect();
    let places = lines.chunks_exact(3).flat_map(|three| [three[0], three[1]]);
    places.map(|path| (path.trim_start_matches('/'), "")).collect()
}

/// apk: `P` package, `L` licence, `F` directory, `R` file in it, `Z` its digest (`Q1` and SHA-1 in base64).
fn apk(text: &str) -> Vec<Owned> {
    let mut out: Vec<Owned> = Vec::new();
    let mut directory = "";
    let mut fresh = true;
    // A digest stands behind its file.
    let mut file: Option<(String, String)> = None;
    let settle = |out: &mut Vec<Owned>, file: Option<(String, String)>| {
        if let (Some(owned), Some((path, digest))) = (out.last_mut(), file) {
            owned.files.push(&path, &digest);
        }
    };
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            fresh = true;
            continue;
        };
        if fresh {
            settle(&mut out, file.take());
            out.push(Owned::default());
            fresh = false;
        }
        let Some(owned) = out.last_mut() else { continue };
        match key {
            "P" => value.clone_into(&mut owned.package),
            "L" => value.clone_into(&mut owned.licence),
            "F" => directory = value,
            "R" => {
                let path =
                    if directory.is_empty() { value.to_owned() } else { format!("{directory}/{value}") };
                let before = file.replace((path, String::new()));
                settle(&mut out, before);
            }
            "Z" => {
                let digest = value.strip_prefix("Q1").and_then(hex_of_base64);
                if let (Some((_, at)), Some(digest)) = (&mut file, digest) {
                    *at = digest;
                }
            }
            _ => {}
        }
    }
    settle(&mut out, file);
    out
}

fn hex_of_base64(text: &str) -> Option<String> {
    let mut out = String::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes().take_while(|byte| *byte != b'=').take(64) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push_str(&format!("{:02x}", bits >> count & 0xff));
            bits &= (1 << count) - 1;
        }
    }
    (out.len() == 40).then_some(out)
}

/// The short names in the `License` fields of a machine-readable copyright file (DEP-5), each once; of
/// any other text nothing, because its words are for people.
fn licence_of(text: &str) -> String {
    let machine = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .is_some_and(|line| line.starts_with("Format:") || line.starts_with("Format-Specification:"));
    if !machine {
        return String::new();
    }
    let names: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("License:").map(str::trim))
        .filter(|name| !name.is_empty() && name.len() <= 100)
        .collect();
    names.into_iter().take(32).collect::<Vec<_>>().join(" AND ")
}

/// The owners of files, over all lists.
#[derive(Debug, Default)]
pub(crate) struct Owners<'f> {
    /// Package and digest by the key of the path.
    files: HashMap<&'f str, (&'f str, &'f str)>,
    any: bool,
    /// Licences by package.
    pub(crate) licences: BTreeMap<&'f str, &'f str>,
}

fn without_usr(path: &str) -> &str {
    path.strip_prefix("usr/").unwrap_or(path)
}

/// Keys of the files whose owners will be asked for, in `/usr` and outside of it: of all others nothing is kept.
pub(crate) struct Asked(HashSet<String>);

pub(crate) fn asked<'p>(paths: impl Iterator<Item = &'p str>) -> Asked {
    let both = |path: &'p str| [key(without_usr(path)), key(&format!("usr/{}", without_usr(path)))];
    Asked(paths.flat_map(both).collect())
}

impl<'f> Owners<'f> {
    /// Adds the lists of a layer; later ones win. A digest is not lost to a list without digests.
    pub(crate) fn add(&mut self, asked: &Asked, owned: impl IntoIterator<Item = &'f Owned>) {
        for owned in owned {
            if !owned.licence.is_empty() {
                self.licences.insert(&owned.package, &owned.licence);
            }
            for (key, digest) in owned.files.iter() {
                self.any = true;
                if !asked.0.contains(key) {
                    continue;
                }
                // Of a diverted file the digest is not known.
                let unknown = owned.package == DIVERSIONS;
                match self.files.get_mut(key) {
                    Some((_, known)) if unknown => *known = "",
                    Some((_, known)) if digest.is_empty() && !known.is_empty() => {}
                    _ => {
                        self.files.insert(key, (&owned.package, digest));
                    }
                }
            }
        }
    }

    /// Whether any list was found.
    pub(crate) fn is_empty(&self) -> bool {
        !self.any
    }

    /// The package that owns a path, and the digest that it was installed with. `/bin` and its like may
    /// lie in `/usr`, and packages name them either way.
    pub(crate) fn of(&self, path: &str) -> Option<(&'f str, &'f str)> {
        let with_usr;
        let other = match path.strip_prefix("usr/") {
            Some(rest) => rest,
            None => {
                with_usr = format!("usr/{path}");
                &with_usr
            }
        };
        let merged = ["bin/", "sbin/", "lib"].iter().any(|top| without_usr(path).starts_with(top));
        let at = |path: &str| self.files.get(key(path).as_str()).copied();
        at(path).or_else(|| at(other).filter(|_| merged))
    }
}

#[cfg(test)]
mod tests;
