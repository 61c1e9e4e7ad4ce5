//! Scheduled tasks: XML documents that the Task Scheduler writes, one a file, in UTF-16 or UTF-8.

use std::borrow::Cow;

/// Where they are, in lower case.
pub(super) const DIRECTORY: &str = "windows/system32/tasks/";

/// The text of a task; what cannot be decoded shows as replacement characters.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    let Some(units) = bytes.strip_prefix(&[0xff, 0xfe]) else { return String::from_utf8_lossy(bytes) };
    let units = units.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let chars = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    Cow::Owned(chars.collect())
}

/// The accounts that a task runs as. Triggers name users too, but of whom they wait for.
pub(super) fn principals(text: &str) -> impl Iterator<Item = &str> {
    let after = text.split_once("<Principals").map_or("", |(_, after)| after);
    let section = after.split_once("</Principals").map_or(after, |(section, _)| section);
    section.split("<UserId>").skip(1).map(|rest| rest.split_once('<').map_or(rest, |(user, _)| user).trim())
}

#[cfg(test)]
mod tests;
