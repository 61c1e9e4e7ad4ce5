//! One package's header: an index of tags and a store of their values ("RPM Package File Structure",
//! header section, without its magic).

use super::super::Package;
use super::{Refusal, be32, broken, index, part};

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const ARCHITECTURE: u32 = 1022;
const SOURCE: u32 = 1044;
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
    let [mut name, mut version, mut release, mut architecture, mut source] = [const { String::new() }; 5];
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
    Ok(Some(Package { name, version, architecture, source, source_version }))
}
