//! One package's header: an index of tags and a store of their values ("RPM Package File Structure",
//! header section, without its magic).

use super::super::Package;
use super::{Record, Refusal, be32, broken, index, part};

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const ARCHITECTURE: u32 = 1022;
const SOURCE: u32 = 1044;
/// `MODULARITYLABEL`: `name:stream:version:context`.
const MODULE: u32 = 5096;
const INT32: u32 = 4;
const STRING: u32 = 6;
const TAGS_MAX: usize = 1 << 16;

/// Reads the header of a package; `None` for one without a name.
pub(super) fn parse(blob: &[u8]) -> Result<Option<Package>, Refusal> {
    let (tags, store_bytes) = (index(be32(blob, 0)?), index(be32(blob, 4)?));
    if tags > TAGS_MAX {
        return Err(broken(format!("a package header with {tags} tags")));
    }
    let entries = part(blob, 8, tags * 16)?;
    let store = part(blob, 8 + tags * 16, store_bytes)?;
    let [mut name, mut version, mut release, mut architecture, mut source, mut label] =
        [const { String::new() }; 6];
    let mut epoch = 0;
    for entry in entries.chunks_exact(16) {
        let (tag, kind, at) = (be32(entry, 0)?, be32(entry, 4)?, index(be32(entry, 8)?));
        let text = || -> Result<String, Refusal> {
            let bytes = store.get(at..).filter(|_| kind == STRING);
            let bytes = bytes.ok_or_else(|| broken(format!("tag {tag} of a package is no text")))?;
            let end = bytes.iter().position(|byte| *byte == 0);
            let end = end.ok_or_else(|| broken(format!("tag {tag} of a package has no end")))?;
            Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
        };
        match tag {
            NAME => name = text()?,
            VERSION => version = text()?,
            RELEASE => release = text()?,
            ARCHITECTURE => architecture = text()?,
            SOURCE => source = text()?,
            MODULE => label = text()?,
            EPOCH if kind == INT32 => epoch = be32(store, at)?,
            EPOCH => return Err(broken("an epoch that is no number")),
            _ => {}
        }
    }
    if name.is_empty() {
        return Ok(None);
    }
    let whole = |version: &str, release: &str| match epoch {
        0 => format!("{version}-{release}"),
        epoch => format!("{epoch}:{version}-{release}"),
    };
    let version = whole(&version, &release);
    // name-version-release.src.rpm; the source has the epoch of its packages.
    let stem = source.strip_suffix(".src.rpm").or_else(|| source.strip_suffix(".nosrc.rpm"));
    let parts = stem.and_then(|stem| {
        let (stem, release) = stem.rsplit_once('-')?;
        let (name, version) = stem.rsplit_once('-')?;
        Some((name.to_owned(), whole(version, release)))
    });
    let (source, source_version) = parts.unwrap_or_else(|| (name.clone(), version.clone()));
    let module = label.splitn(3, ':').take(2).collect::<Vec<_>>().join(":");
    Ok(Some(Package { name, version, architecture, source, source_version, module }))
}

const LICENCE: u32 = 1014;
const FILE_MODES: u32 = 1030;
const FILE_DIGESTS: u32 = 1035;
const FILE_FLAGS: u32 = 1037;
const DIRECTORY_INDEXES: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const DIRECTORY_NAMES: u32 = 1118;
const INT16: u32 = 3;
const STRINGS: u32 = 8;
const INTERNATIONAL: u32 = 9;
/// Files of one package.
const FILES_MAX: usize = 500_000;
/// Flags of files whose content is not the package's: configuration, and what is made later (ghost).
const CHANGES: u32 = 1 | 64;

/// Reads licence and files of a package. Directories, links and devices are left out, and so is the
/// digest of files that are meant to change.
pub(super) fn record(blob: &[u8]) -> Result<Option<Record>, Refusal> {
    let Some(package) = parse(blob)? else { return Ok(None) };
    let (tags, store_bytes) = (index(be32(blob, 0)?), index(be32(blob, 4)?));
    let entries = part(blob, 8, tags * 16)?;
    let store = part(blob, 8 + tags * 16, store_bytes)?;
    let find = |wanted: u32, kinds: &[u32]| -> Result<Option<(usize, usize)>, Refusal> {
        for entry in entries.chunks_exact(16) {
            if be32(entry, 0)? == wanted && kinds.contains(&be32(entry, 4)?) {
                return Ok(Some((index(be32(entry, 8)?), index(be32(entry, 12)?))));
            }
        }
        Ok(None)
    };
    let texts = |tag: u32| -> Result<Vec<String>, Refusal> {
        let Some((at, count)) = find(tag, &[STRING, STRINGS, INTERNATIONAL])? else { return Ok(Vec::new()) };
        let bytes = store.get(at..).unwrap_or_default();
        if count > FILES_MAX || count > bytes.len() {
            return Err(broken(format!("tag {tag} of a package with {count} texts")));
        }
        let parts = bytes.split(|byte| *byte == 0).take(count);
        Ok(parts.map(|text| String::from_utf8_lossy(text).into_owned()).collect())
    };
    let numbers = |tag: u32, kind: u32, width: usize| -> Result<Vec<u32>, Refusal> {
        let Some((at, count)) = find(tag, &[kind])? else { return Ok(Vec::new()) };
        let bytes = part(store, at, count.saturating_mul(width))?;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum: u32, byte| sum << 8 | u32::from(*byte));
        Ok(bytes.chunks_exact(width).map(number).collect())
    };
    let (names, directories) = (texts(BASE_NAMES)?, texts(DIRECTORY_NAMES)?);
    let (digests, places) = (texts(FILE_DIGESTS)?, numbers(DIRECTORY_INDEXES, INT32, 4)?);
    let (modes, flags) = (numbers(FILE_MODES, INT16, 2)?, numbers(FILE_FLAGS, INT32, 4)?);
    let mut files = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let directory = places.get(at).and_then(|place| directories.get(index(*place)));
        let Some(directory) = directory else {
            return Err(broken(format!("file {at} of a package is in no directory")));
        };
        if modes.get(at).is_some_and(|mode| mode & 0o170_000 != 0o100_000) {
            continue;
        }
        let fixed = flags.get(at).is_none_or(|flags| flags & CHANGES == 0);
        let digest = digests.get(at).filter(|_| fixed).cloned().unwrap_or_default();
        files.push((format!("{}{name}", directory.trim_start_matches('/')), digest));
    }
    let licence = texts(LICENCE)?.into_iter().next().unwrap_or_default();
    Ok(Some(Record { name: package.name, licence, files }))
}
