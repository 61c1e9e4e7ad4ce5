//! Registry hives of Windows, read offline from their bytes.
//!
//! Format after the public descriptions of `regf` 1.3 to 1.6 (libyal's `libregf`, "Windows registry
//! file format specification"). Strict: every cell that is read lies inside one bin, is allocated
//! and large enough; a hive whose log must be replayed is refused as `HIV-03`, which is ours.

mod cells;

use crate::ReadError;
use cells::{Cells, latin1, le16, le32, utf16};
use std::borrow::Cow;

/// Bytes of the base block, and the unit of bins.
const BLOCK: usize = 4096;
/// Largest hive.
const BYTES_MAX: usize = 512 << 20;
/// Subkeys or values of one key.
const CHILDREN_MAX: u32 = 1 << 20;
/// Largest value.
const VALUE_BYTES_MAX: usize = 64 << 20;
/// Bytes of a segment of a large value.
const SEGMENT: usize = 16344;
/// Length of a value that lies in its own record.
const INLINE: u32 = 0x8000_0000;
/// Names with one byte a character: flag of keys and of values.
const KEY_NARROW: u16 = 0x20;
const VALUE_NARROW: u16 = 1;

/// A hive.
#[derive(Debug, Clone)]
pub struct Hive<'h> {
    cells: Cells<'h>,
    root: u32,
    large_values: bool,
}

/// A key of a hive.
#[derive(Debug, Clone)]
pub struct Key<'h> {
    hive: &'h Hive<'h>,
    at: u64,
    record: &'h [u8],
    /// Its name.
    pub name: String,
}

/// A value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value<'h> {
    /// Its name; empty for the default value.
    pub name: String,
    /// Its type: 1 text, 2 text with variables, 3 bytes, 4 number, 7 list of texts.
    pub kind: u32,
    /// Its bytes.
    pub data: Cow<'h, [u8]>,
}

impl Value<'_> {
    /// The text of types 1 and 2, up to its end mark.
    pub fn text(&self) -> Option<String> {
        matches!(self.kind, 1 | 2)
            .then(|| utf16(&self.data).split('\0').next().unwrap_or_default().to_owned())
    }

    /// The number of type 4.
    pub fn number(&self) -> Option<u32> {
        let bytes = <[u8; 4]>::try_from(self.data.as_ref()).ok()?;
        (self.kind == 4).then_some(u32::from_le_bytes(bytes))
    }

    /// The texts of type 7.
    pub fn list(&self) -> Option<Vec<String>> {
        let texts =
            || utf16(&self.data).split('\0').filter(|text| !text.is_empty()).map(str::to_owned).collect();
        (self.kind == 7).then(texts)
    }
}

impl<'h> Hive<'h> {
    /// Opens a hive and checks its frame: base block, checksum, sequence numbers and bins.
    ///
    /// # Errors
    /// A refusal with a code `HIV-*`.
    pub fn open(bytes: &'h [u8]) -> Result<Self, ReadError> {
        let base = bytes.get(..BLOCK).ok_or_else(|| bad("HIV-01", 0, "no base block"))?;
        if base.get(..4) != Some(b"regf") || bytes.len() > BYTES_MAX {
            return Err(bad("HIV-01", 0, "no magic, or too large"));
        }
        let sum = (0..508).step_by(4).fold(0, |sum, at| sum ^ le32(base, at));
        let sum = match sum {
            0 => 1,
            u32::MAX => u32::MAX - 1,
            sum => sum,
        };
        if sum != le32(base, 508) {
            return Err(bad("HIV-02", 508, "a wrong checksum of the base block"));
        }
        let (first, second) = (le32(base, 4), le32(base, 8));
        if first != second {
            return Err(bad(
                "HIV-03",
                4,
                format!("sequence numbers {first} and {second}: a log must be replayed"),
            ));
        }
        let (major, minor) = (le32(base, 20), le32(base, 24));
        if major != 1 || !(3..=6).contains(&minor) || le32(base, 28) != 0 || le32(base, 32) != 1 {
            return Err(bad("HIV-01", 20, format!("version {major}.{minor} or another kind of file")));
        }
        let length = le32(base, 40) as usize;
        let bins = bytes.get(BLOCK..).and_then(|rest| rest.get(..length));
        let bins = bins.filter(|_| length > 0 && length.is_multiple_of(BLOCK));
        let bins = bins.ok_or_else(|| bad("HIV-04", 40, format!("{length} bytes of bins")))?;
        Ok(Self { cells: Cells::open(bins)?, root: le32(base, 36), large_values: minor >= 4 })
    }

    /// The key at the root.
    ///
    /// # Errors
    /// `HIV-05` and on.
    pub fn root(&'h self) -> Result<Key<'h>, ReadError> {
        self.key_at(self.root)
    }

    /// The key of a path from the root, its parts joined by `\`; `None` when it is not there.
    ///
    /// # Errors
    /// As [`Hive::root`].
    pub fn key(&'h self, path: &str) -> Result<Option<Key<'h>>, ReadError> {
        let mut key = self.root()?;
        for part in path.split('\\').filter(|part| !part.is_empty()) {
            match key.key(part)? {
                Some(next) => key = next,
                None => return Ok(None),
            }
        }
        Ok(Some(key))
    }

    fn key_at(&'h self, offset: u32) -> Result<Key<'h>, ReadError> {
        let (at, record) = self.cells.get(offset)?;
        let bytes = usize::from(le16(record, 72));
        let name = record.get(76..).and_then(|rest| rest.get(..bytes));
        let (Some(b"nk"), Some(name)) = (record.get(..2), name) else {
            return Err(bad("HIV-06", at, "a record that should be a key"));
        };
        let name = if le16(record, 2) & KEY_NARROW != 0 { latin1(name) } else { utf16(name) };
        Ok(Key { hive: self, at, record, name })
    }

    fn value_at(&'h self, offset: u32) -> Result<Value<'h>, ReadError> {
        let (at, record) = self.cells.get(offset)?;
        let name = record.get(20..).and_then(|rest| rest.get(..usize::from(le16(record, 2))));
        let (Some(b"vk"), Some(name)) = (record.get(..2), name) else {
            return Err(bad("HIV-07", at, "a record that should be a value"));
        };
        let name = if le16(record, 16) & VALUE_NARROW != 0 { latin1(name) } else { utf16(name) };
        let length = le32(record, 4);
        let data = if length & INLINE != 0 {
            let inline = record.get(8..12).and_then(|data| data.get(..(length & !INLINE) as usize));
            Cow::Borrowed(inline.ok_or_else(|| bad("HIV-07", at, "more than four bytes in a record"))?)
        } else {
            self.data(at, le32(record, 8), length as usize)?
        };
        Ok(Value { name, kind: le32(record, 12), data })
    }

    fn data(&'h self, at: u64, offset: u32, length: usize) -> Result<Cow<'h, [u8]>, ReadError> {
        if length == 0 {
            return Ok(Cow::Borrowed(&[]));
        }
        if length > VALUE_BYTES_MAX {
            return Err(bad("HIV-07", at, format!("a value of {length} bytes")));
        }
        let (at, cell) = self.cells.get(offset)?;
        let short = || bad("HIV-07", at, format!("{length} bytes of a value do not fit its cell"));
        if !self.large_values || length <= SEGMENT {
            return cell.get(..length).map(Cow::Borrowed).ok_or_else(short);
        }
        let count = usize::from(le16(cell, 2));
        if cell.get(..2) != Some(b"db") || count != length.div_ceil(SEGMENT) {
            return Err(bad("HIV-07", at, "a large value without its list of segments"));
        }
        let (_, list) = self.cells.get(le32(cell, 4))?;
        let mut out = Vec::with_capacity(length);
        for index in 0..count {
            let entry = list.get(index * 4..index * 4 + 4).ok_or_else(short)?;
            let (_, segment) = self.cells.get(le32(entry, 0))?;
            let wanted = (length - out.len()).min(SEGMENT);
            out.extend_from_slice(segment.get(..wanted).ok_or_else(short)?);
        }
        Ok(Cow::Owned(out))
    }

    /// Offsets of the subkeys in a list, or in a list of lists.
    fn subkeys(&'h self, offset: u32, nested: bool, out: &mut Vec<u32>) -> Result<(), ReadError> {
        let (at, list) = self.cells.get(offset)?;
        let count = usize::from(le16(list, 2));
        let width = match list.get(..2) {
            Some(b"lf" | b"lh") => 8,
            Some(b"li") => 4,
            Some(b"ri") if !nested => 4,
            _ => return Err(bad("HIV-08", at, "a record that should be a list of keys")),
        };
        let entries = list.get(4..).and_then(|rest| rest.get(..count * width));
        let entries =
            entries.ok_or_else(|| bad("HIV-08", at, format!("{count} entries do not fit their cell")))?;
        for entry in entries.chunks_exact(width) {
            if out.len() > CHILDREN_MAX as usize {
                return Err(bad("HIV-08", at, "too many keys"));
            }
            if list.starts_with(b"ri") {
                self.subkeys(le32(entry, 0), true, out)?
            } else {
                out.push(le32(entry, 0))
            }
        }
        Ok(())
    }
}

impl<'h> Key<'h> {
    /// Its subkeys, in the order of the hive.
    ///
    /// # Errors
    /// As [`Hive::root`]; `HIV-08` when there are more or fewer than it says.
    pub fn keys(&self) -> Result<Vec<Key<'h>>, ReadError> {
        let offsets = self.subkey_offsets()?;
        offsets.into_iter().map(|offset| self.hive.key_at(offset)).collect()
    }

    /// The subkey of a name, in any case.
    ///
    /// # Errors
    /// As [`Key::keys`].
    pub fn key(&self, name: &str) -> Result<Option<Key<'h>>, ReadError> {
        for offset in self.subkey_offsets()? {
            let key = self.hive.key_at(offset)?;
            if same(&key.name, name) {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    fn subkey_offsets(&self) -> Result<Vec<u32>, ReadError> {
        let count = le32(self.record, 20);
        let mut out = Vec::new();
        if count > 0 {
            self.hive.subkeys(le32(self.record, 28), false, &mut out)?;
        }
        if out.len() != count as usize || count > CHILDREN_MAX {
            return Err(bad("HIV-08", self.at, format!("{count} keys are said and {} listed", out.len())));
        }
        Ok(out)
    }

    /// Its values, in the order of the hive.
    ///
    /// # Errors
    /// As [`Hive::root`].
    pub fn values(&self) -> Result<Vec<Value<'h>>, ReadError> {
        let count = le32(self.record, 36);
        if count == 0 {
            return Ok(Vec::new());
        }
        let (at, list) = self.hive.cells.get(le32(self.record, 40))?;
        let entries = list.get(..(count.min(CHILDREN_MAX) as usize) * 4).filter(|_| count <= CHILDREN_MAX);
        let entries =
            entries.ok_or_else(|| bad("HIV-07", at, format!("{count} values do not fit their list")))?;
        entries.chunks_exact(4).map(|entry| self.hive.value_at(le32(entry, 0))).collect()
    }

    /// The value of a name, in any case.
    ///
    /// # Errors
    /// As [`Hive::root`].
    pub fn value(&self, name: &str) -> Result<Option<Value<'h>>, ReadError> {
        Ok(self.values()?.into_iter().find(|value| same(&value.name, name)))
    }
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn bad(code: &'static str, at: u64, what: impl Into<String>) -> ReadError {
    ReadError::refused(code, at, what)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod writer;
