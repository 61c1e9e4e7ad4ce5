//! The text descriptor: every line is understood, and none leads out of this file.

use super::Header;
use crate::ReadAt;
use crate::ReadError;
use crate::fields::read_structure;
use std::collections::BTreeSet;

const SPARSE: &str = "monolithicSparse";
const STREAM: &str = "streamOptimized";
const NO_PARENT: &str = "ffffffff";
const NO_UUID: &str = "00000000-0000-0000-0000-000000000000";

/// Keys of the disk database that do not change what the disk holds.
const DATABASE_KEYS: [&str; 20] = [
    "adapterType",
    "comment",
    "deletable",
    "encoding",
    "geometry.biosCylinders",
    "geometry.biosHeads",
    "geometry.biosSectors",
    "geometry.cylinders",
    "geometry.heads",
    "geometry.sectors",
    "longContentID",
    "thinProvisioned",
    "toolsInstallType",
    "toolsVersion",
    "uuid",
    "uuid.image",
    "uuid.modification",
    "virtualHWVersion",
    "uuid.parent",
    "uuid.parentmodification",
];

/// Reads the descriptor to its last line.
pub(super) fn check(file: &dyn ReadAt, header: &Header) -> Result<(), ReadError> {
    let at = header.descriptor_at;
    let bytes = read_structure(file, at, header.descriptor_bytes, "VMDK descriptor")?;
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (text, padding) = bytes.split_at(end);
    if !is_padding(text, padding) {
        return Err(ReadError::refused("VMD-07", at + end as u64, "bytes behind the end of the descriptor"));
    }
    let text = std::str::from_utf8(text)
        .map_err(|error| ReadError::refused("VMD-07", at + error.valid_up_to() as u64, "not UTF-8"))?;
    let mut lines = Lines { header, seen: BTreeSet::new(), first: true };
    let mut place = at;
    for line in text.split('\n') {
        lines.line(line.strip_suffix('\r').unwrap_or(line), place)?;
        place += line.len() as u64 + 1;
    }
    for needed in ["version", "CID", "parentCID", "createType", "RW"] {
        if !lines.seen.contains(needed) {
            return Err(ReadError::refused("VMD-07", at, format!("no line {needed}")));
        }
    }
    Ok(())
}

/// Whether what stands behind the text is zeros, or what QEMU leaves there: it writes the content id anew
/// without leading zeros, and the end of the longer text before stays behind the new one's zero byte.
fn is_padding(text: &[u8], padding: &[u8]) -> bool {
    const CONTENT_ID_DIGITS: usize = 8;
    let behind = padding.get(1..).unwrap_or(&[]);
    let end = behind.iter().position(|byte| *byte == 0).unwrap_or(behind.len());
    let (left, zeros) = behind.split_at(end);
    left.len() < CONTENT_ID_DIGITS && text.ends_with(left) && zeros.iter().all(|byte| *byte == 0)
}

struct Lines<'a> {
    header: &'a Header,
    seen: BTreeSet<String>,
    first: bool,
}

impl Lines<'_> {
    fn line(&mut self, line: &str, at: u64) -> Result<(), ReadError> {
        let unclear = || Err(ReadError::refused("VMD-07", at, format!("the line {line:?}")));
        if std::mem::take(&mut self.first) {
            return if line.trim_end() == "# Disk DescriptorFile" { Ok(()) } else { unclear() };
        }
        if line.chars().any(|char| char.is_control() && char != '\t') {
            return unclear();
        }
        let line = line.trim_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if ["RW ", "RDONLY ", "NOACCESS "].iter().any(|access| line.starts_with(access)) {
            self.once("RW", at)?;
            return self.extent(line, at);
        }
        let Some((key, value)) = line.split_once('=') else { return unclear() };
        let (key, value) = (key.trim_end_matches([' ', '\t']), value.trim_start_matches([' ', '\t']));
        self.once(key, at)?;
        match key.strip_prefix("ddb.") {
            Some(key) => match unquoted(value) {
                Some(value) => database(key, value, at),
                None => unclear(),
            },
            None => self.setting(key, value, at),
        }
    }

    fn once(&mut self, key: &str, at: u64) -> Result<(), ReadError> {
        if self.seen.insert(key.to_owned()) {
            return Ok(());
        }
        Err(ReadError::refused("VMD-07", at, format!("a second line {key}")))
    }

    fn setting(&self, key: &str, value: &str, at: u64) -> Result<(), ReadError> {
        let unclear = || Err(ReadError::refused("VMD-07", at, format!("the line {key}={value}")));
        let plain = unquoted(value).unwrap_or(value);
        match key {
            "version" if ["1", "2", "3", "4"].contains(&value) => Ok(()),
            "encoding" if plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => Ok(()),
            "CID" if is_hex(value) => Ok(()),
            "parentCID" if value.eq_ignore_ascii_case(NO_PARENT) => Ok(()),
            "parentCID" | "parentFileNameHint" => {
                Err(ReadError::refused("VMD-10", at, format!("the line {key}={value}")))
            }
            "isNativeSnapshot" if plain == "no" => Ok(()),
            "createType" => match (unquoted(value), self.header.packed) {
                (Some(SPARSE), false) | (Some(STREAM), true) => Ok(()),
                _ => Err(ReadError::refused("VMD-08", at, format!("the type {value}"))),
            },
            _ => unclear(),
        }
    }

    /// `RW 40960 SPARSE "disk.vmdk"`: the whole disk, and the name of a file in the same place.
    fn extent(&self, line: &str, at: u64) -> Result<(), ReadError> {
        let refused = || Err(ReadError::refused("VMD-09", at, format!("the extent {line:?}")));
        let mut parts = line.splitn(4, ' ');
        let (access, sectors) = (parts.next(), parts.next().and_then(|sectors| sectors.parse::<u64>().ok()));
        let (kind, name) = (parts.next(), parts.next().and_then(unquoted));
        let right = access != Some("NOACCESS") && kind == Some("SPARSE");
        match name {
            Some(name) if right && sectors == Some(self.header.capacity_sectors) => {
                if name.is_empty() || name.contains(['/', '\\', ':']) || name.starts_with('.') {
                    return refused();
                }
                Ok(())
            }
            _ => refused(),
        }
    }
}

fn database(key: &str, value: &str, at: u64) -> Result<(), ReadError> {
    if key.starts_with("uuid.parent") && value != NO_UUID {
        return Err(ReadError::refused("VMD-10", at, format!("the line ddb.{key}={value:?}")));
    }
    if DATABASE_KEYS.contains(&key) {
        return Ok(());
    }
    Err(ReadError::refused("VMD-07", at, format!("the line ddb.{key}={value:?}")))
}

fn is_hex(value: &str) -> bool {
    (1..=8).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What stands between two quotation marks, when none stands inside.
fn unquoted(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"').filter(|inner| !inner.contains('"'))
}

#[cfg(test)]
mod tests {
    use super::is_padding;

    #[test]
    fn only_the_end_of_the_text_itself_may_stand_behind_it() {
        let text = b"CID=1\nddb.toolsVersion = \"2147483647\"\n";
        assert!(is_padding(text, b""));
        assert!(is_padding(text, b"\0\0\0"));
        assert!(is_padding(text, b"\x00647\"\n\0\0"));
        assert!(!is_padding(text, b"\x00647\"\n\0x"));
        assert!(!is_padding(text, b"\0parent\0"));
        assert!(!is_padding(text, b"\x0047483647\"\n\0"), "longer than a content id can be");
    }
}
