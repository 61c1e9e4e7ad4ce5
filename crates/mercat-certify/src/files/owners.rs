//! Which package owns which file, and with which digest it was installed.

use super::key_of;
use super::taken::of_hex;
use mercat_artifact::pkgdb::rpm;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::{self, Write as _};

/// As whose files diverted ones are listed.
pub(crate) const DIVERSIONS: &str = "diversions";

/// A package with its files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Owned {
    pub(crate) package: String,
    pub(crate) licence: String,
    pub(crate) files: Listed,
}

/// Paths, as [`key_of`], and digests: MD5, SHA-1, SHA-256, or none. There are as many as files in an image, so they are
/// kept in one piece, a [`Digest`] and the eight bytes of a key behind the other; in kept facts as text, a line each, the
/// digest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Listed(Vec<u8>);

/// A digest in a list: its bytes behind their number, or what is none as it was written, behind its length and [`WRITTEN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest<'l>(&'l [u8]);

/// Marks what is no digest.
const WRITTEN: u8 = 0x80;

impl Digest<'_> {
    const NONE: Digest<'static> = Digest(&[0]);

    fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// In hexadecimal, small letters; what is none as it was written.
impl fmt::Display for Digest<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [form, text @ ..] if form & WRITTEN != 0 => {
                text.iter().try_for_each(|c| out.write_char((*c).into()))
            }
            rest => rest.iter().skip(1).try_for_each(|byte| write!(out, "{byte:02x}")),
        }
    }
}

impl Listed {
    /// Adds a file that may be a program.
    fn push(&mut self, path: &str, digest: &str) {
        if is_kept(path) {
            self.push_key(key_of(path, false), digest);
        }
    }

    fn push_key(&mut self, key: u64, digest: &str) {
        let most = usize::from(WRITTEN - 1);
        match of_hex(digest).filter(|bytes| bytes.len() <= most) {
            Some(bytes) => {
                self.0.extend(u8::try_from(bytes.len()));
                self.0.extend(bytes);
            }
            None => {
                // It is like no digest of its length.
                let graphic = |byte: u8| if byte.is_ascii_alphanumeric() { byte } else { b'?' };
                let text: Vec<u8> = digest.bytes().take(most).map(graphic).collect();
                self.0.extend(u8::try_from(text.len()).map(|length| length | WRITTEN));
                self.0.extend(text);
            }
        }
        self.0.extend(key.to_be_bytes());
    }

    /// Keys of paths, and digests.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, Digest<'_>)> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let length = 1 + usize::from(rest.first()? & !WRITTEN);
            let (digest, behind) = rest.split_at_checked(length)?;
            let (key, behind) = behind.split_first_chunk::<8>()?;
            rest = behind;
            Some((u64::from_be_bytes(*key), Digest(digest)))
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.iter().count()
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|(key, digest)| writeln!(out, "{digest} {key:016x}"))
    }
}

impl Serialize for Listed {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(from)?;
        let mut out = Self::default();
        for line in text.split_terminator('\n') {
            let pair = line.split_once(' ');
            let pair = pair.and_then(|(digest, key)| Some((digest, u64::from_str_radix(key, 16).ok()?)));
            let (digest, key) = pair.ok_or_else(|| D::Error::custom("no digest and key of a path"))?;
            out.push_key(key, digest);
        }
        out.0.shrink_to_fit();
        Ok(out)
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

/// `diversions`: three lines each, from, to, and the package that diverts. The first two are kept, in pairs.
fn diverted(text: &str) -> Listed {
    let lines: Vec<&str> = text.lines().map(|path| path.trim_start_matches('/')).collect();
    let pairs = lines.chunks_exact(3).filter(|three| is_kept(three[0]) && is_kept(three[1]));
    pairs.flat_map(|three| [(three[0], ""), (three[1], "")]).collect()
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

/// Licences of a package that are kept.
const LICENCES_MAX: usize = 32;

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
    // A part of a list is no claim about the whole.
    let rest = (names.len() > LICENCES_MAX).then_some("others");
    mercat_inventory::all_of(names.into_iter().take(LICENCES_MAX).chain(rest))
}

/// The owners of files, over all lists.
#[derive(Debug, Default)]
pub(crate) struct Owners<'f> {
    /// Package and digest by the key of the path.
    files: HashMap<u64, (&'f str, Digest<'f>)>,
    any: bool,
    /// Packages that no record names any more, and all that they had: what others claim later takes nothing from that.
    gone: HashSet<&'f str>,
    had: HashMap<u64, Vec<(&'f str, Digest<'f>)>>,
    /// Licences by package.
    pub(crate) licences: BTreeMap<&'f str, &'f str>,
}

fn without_usr(path: &str) -> &str {
    path.strip_prefix("usr/").unwrap_or(path)
}

/// Keys of the files whose owners will be asked for, in `/usr` and outside of it: of all others nothing is kept.
pub(crate) struct Asked(HashSet<u64>);

pub(crate) fn asked<'p>(paths: impl Iterator<Item = &'p str>) -> Asked {
    let key = |path: &str| key_of(path, false);
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
            if owned.package == DIVERSIONS {
                self.divert(asked, &owned.files);
                continue;
            }
            for (key, digest) in owned.files.iter() {
                self.any = true;
                if !asked.0.contains(&key) {
                    continue;
                }
                match self.files.get_mut(&key) {
                    Some((of, known)) if digest.is_none() && !known.is_none() && !self.gone.contains(of) => {}
                    _ => {
                        self.files.insert(key, (&owned.package, digest));
                    }
                }
            }
        }
    }

    /// Adds what a package had that no record names any more, before those of all others.
    pub(crate) fn add_gone(&mut self, asked: &Asked, owned: &'f Owned) {
        // Its own lists add to each other.
        self.gone.remove(owned.package.as_str());
        self.add(asked, [owned]);
        self.gone.insert(&owned.package);
        for (key, digest) in owned.files.iter().filter(|(key, _)| asked.0.contains(key)) {
            self.had.entry(key).or_default().push((&owned.package, digest));
        }
    }

    /// The packages that had a path and that no record names any more, each with a digest.
    pub(crate) fn had(&self, path: &str) -> impl Iterator<Item = (&'f str, Digest<'f>)> {
        let names = [path.to_owned(), format!("usr/{path}"), without_usr(path).to_owned()];
        let keys: BTreeSet<u64> = names.iter().map(|name| key_of(name, false)).collect();
        keys.into_iter().filter_map(|key| self.had.get(&key)).flatten().copied()
    }

    /// Whether no record names a package any more.
    pub(crate) fn is_gone(&self, package: &str) -> bool {
        self.gone.contains(package)
    }

    /// Of diverted files the digests are not known; whose one was under its own name, it is under the other, too.
    fn divert(&mut self, asked: &Asked, pairs: &Listed) {
        let keys: Vec<u64> = pairs.iter().map(|(key, _)| key).collect();
        for (from, to) in keys.chunks_exact(2).map(|pair| (pair[0], pair[1])) {
            let Some((owner, digest)) = self.files.get_mut(&from) else { continue };
            *digest = Digest::NONE;
            let owner = *owner;
            if asked.0.contains(&to) {
                self.files.insert(to, (owner, Digest::NONE));
            }
        }
    }

    /// Whether any list was found.
    pub(crate) fn is_empty(&self) -> bool {
        !self.any
    }

    /// The package that owns a path, and the digest that it was installed with. `/bin` and its like may
    /// lie in `/usr`, and packages name them either way.
    pub(crate) fn of(&self, path: &str) -> Option<(&'f str, Digest<'f>)> {
        let with_usr;
        let other = match path.strip_prefix("usr/") {
            Some(rest) => rest,
            None => {
                with_usr = format!("usr/{path}");
                &with_usr
            }
        };
        let merged = ["bin/", "sbin/", "lib"].iter().any(|top| without_usr(path).starts_with(top));
        let at = |path: &str| self.files.get(&key_of(path, false)).copied();
        let here = at(path);
        // What is gone yields to what is there under the other name.
        here.filter(|(package, _)| !self.is_gone(package)).or_else(|| at(other).filter(|_| merged)).or(here)
    }
}

#[cfg(test)]
mod tests;
