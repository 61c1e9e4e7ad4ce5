//! The rpm database in its three forms: Berkeley DB hash (`Packages`), ndb (`Packages.db`) and SQLite
//! (`rpmdb.sqlite`). Each holds one header of tags a package.

mod berkeley;
mod header;
mod ndb;
mod sqlite;

use super::{PACKAGES_MAX, Package};

/// Why a database gives no packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It may be right, but this reader does not know its form.
    Unreadable(String),
    /// It contradicts itself.
    Broken(String),
}

/// Files of all packages of one database.
const FILES_MAX: usize = 4_000_000;

/// Reads a database of any form, decided by its content. An empty file holds no packages. Keys of
/// signers, which rpm keeps as packages named `gpg-pubkey`, are left out.
///
/// # Errors
/// See [`Refusal`].
pub fn parse(bytes: &[u8]) -> Result<Vec<Package>, Refusal> {
    let mut packages = each(bytes, header::parse)?;
    packages.retain(|package| package.name != "gpg-pubkey");
    packages.sort();
    packages.dedup();
    Ok(packages)
}

/// Licence and files of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Name of the package.
    pub name: String,
    /// `LICENSE`, as written.
    pub licence: String,
    /// Regular files without a leading slash, each with its digest in hexadecimal; empty for
    /// configuration and files that are made later.
    pub files: Vec<(String, String)>,
}

/// Reads licences and files from a database of any form.
///
/// # Errors
/// As [`parse`].
pub fn parse_records(bytes: &[u8]) -> Result<Vec<Record>, Refusal> {
    let mut files = 0;
    each(bytes, |blob| {
        let record = header::record(blob)?;
        files += record.as_ref().map_or(0, |record| record.files.len());
        if files > FILES_MAX {
            return Err(broken(format!("an rpm database with more than {FILES_MAX} files")));
        }
        Ok(record)
    })
}

/// Reads every header.
fn each<T>(
    bytes: &[u8],
    mut read: impl FnMut(&[u8]) -> Result<Option<T>, Refusal>,
) -> Result<Vec<T>, Refusal> {
    let mut packages = Vec::new();
    let mut take = |blob: &[u8]| {
        if packages.len() >= PACKAGES_MAX {
            return Err(broken(format!("an rpm database with more than {PACKAGES_MAX} packages")));
        }
        packages.extend(read(blob)?);
        Ok(())
    };
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    if sqlite::is(bytes) {
        sqlite::each(bytes, &mut take)?;
    } else if ndb::is(bytes) {
        ndb::each(bytes, &mut take)?;
    } else if berkeley::is(bytes) {
        berkeley::each(bytes, &mut take)?;
    } else {
        return Err(Refusal::Unreadable("an rpm database of a form that is not known".to_owned()));
    }
    Ok(packages)
}

/// What takes the header of a package.
type Take<'t> = &'t mut dyn FnMut(&[u8]) -> Result<(), Refusal>;

fn broken(what: impl Into<String>) -> Refusal {
    Refusal::Broken(what.into())
}

/// A part of the file.
fn part(bytes: &[u8], at: usize, length: usize) -> Result<&[u8], Refusal> {
    let found = at.checked_add(length).and_then(|end| bytes.get(at..end));
    found.ok_or_else(|| broken(format!("an rpm database that ends before byte {at} plus {length}")))
}

fn word(bytes: &[u8], at: usize) -> Result<[u8; 4], Refusal> {
    part(bytes, at, 4).map(|bytes| [bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn le32(bytes: &[u8], at: usize) -> Result<u32, Refusal> {
    word(bytes, at).map(u32::from_le_bytes)
}

fn be32(bytes: &[u8], at: usize) -> Result<u32, Refusal> {
    word(bytes, at).map(u32::from_be_bytes)
}

/// A number as an index; on machines whose addresses are shorter it is out of bounds anyway.
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Pages that were read; each may be read once, so that nothing goes in circles.
struct Seen(Vec<bool>);

impl Seen {
    fn new(pages: usize) -> Self {
        Self(vec![false; pages])
    }

    fn visit(&mut self, page: usize) -> Result<(), Refusal> {
        let seen = self.0.get_mut(page).ok_or_else(|| broken(format!("page {page} is behind the end")))?;
        if std::mem::replace(seen, true) {
            return Err(broken(format!("page {page} is used twice")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
