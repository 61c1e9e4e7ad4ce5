//! Extended attributes.

use super::super::bytes::{le16, le32, le64};
use super::super::walk::text;
use super::inode::Inode;
use super::table::Place;
use super::{ABSENT, Squash};
use crate::ReadError;

/// What an inode has in the place of a set of attributes where it has none.
const NONE: u32 = u32::MAX;
/// Attributes of one file, and bytes of a value, at most: those of the kernel's interface.
const COUNT_MAX: u32 = 1024;
const VALUE_BYTES_MAX: u32 = 64 << 10;
/// Bytes of all attributes of a file, with their names.
const TOTAL_BYTES_MAX: usize = 1 << 20;
/// The value is elsewhere, and a reference to it stands here.
const ELSEWHERE: u16 = 0x100;

impl Squash {
    pub(super) fn xattrs(&self, inode: &Inode) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
        let broken =
            |what: String| ReadError::refused("SQF-05", inode.at, format!("attributes of a file {what}"));
        let Some(set) = inode.xattrs.filter(|set| *set != NONE) else { return Ok(Vec::new()) };
        if self.xattr_table == ABSENT {
            return Err(broken("where the file system has none".to_owned()));
        }
        let head = self.raw(self.xattr_table, 16, "the table of attributes")?;
        let (values, sets) = (le64(&head, 0), le32(&head, 8));
        if set >= sets {
            return Err(broken(format!("of set {set} of {sets}")));
        }
        let entry = self.entry(self.xattr_table + 16, u64::from(set), 16)?;
        let (reference, count) = (le64(&entry, 0), le32(&entry, 8));
        if count > COUNT_MAX {
            return Err(broken(format!("are {count}")));
        }
        let at = |reference: u64| {
            self.place(values, reference >> 16, u16::try_from(reference & 0xffff).unwrap_or(0))
        };
        let mut place = at(reference)?;
        let mut found = Vec::new();
        let mut total = 0;
        for _ in 0..count {
            let head = self.read(&mut place, 4)?;
            let kind = le16(&head, 0);
            let name = self.read(&mut place, usize::from(le16(&head, 2)))?;
            let prefix = match kind & 0xff {
                0 => "user.",
                1 => "trusted.",
                2 => "security.",
                _ => return Err(broken(format!("of kind {kind}"))),
            };
            let value = |place: &mut Place| {
                let length = le32(&self.read(place, 4)?, 0);
                if length > VALUE_BYTES_MAX {
                    return Err(broken(format!("with a value of {length} bytes")));
                }
                // Blocks that are held cost nothing to read again, and one set may be that of every file.
                self.source.spend_zeros(u64::from(length))?;
                self.read(place, usize::try_from(length).unwrap_or(0))
            };
            let stored = value(&mut place)?;
            let bytes = match kind & ELSEWHERE {
                0 => stored,
                _ => value(&mut at(le64(&stored, 0))?)?,
            };
            total += name.len() + bytes.len();
            if total > TOTAL_BYTES_MAX {
                return Err(broken(format!("of more than {TOTAL_BYTES_MAX} bytes")));
            }
            found.push((format!("{prefix}{}", text(&name)), bytes));
        }
        Ok(found)
    }
}
