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
mod tests {
    use super::*;

    #[test]
    fn only_principals_are_accounts_that_a_task_runs_as() {
        let task = "<Task><Triggers><LogonTrigger><UserId>A</UserId></LogonTrigger></Triggers>\
                    <Principals><Principal><UserId> B\\C </UserId></Principal><Principal><UserId>D";
        assert_eq!(principals(task).collect::<Vec<_>>(), ["B\\C", "D"]);
        assert_eq!(principals("<Task/>").count(), 0);
    }

    #[test]
    fn tasks_are_read_in_both_encodings_and_odd_bytes_do_no_harm() {
        let wide: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("<T>é".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(text(&wide), "<T>é");
        assert_eq!(text("<T>é".as_bytes()), "<T>é");
        assert_eq!(text(&[0xff, 0xfe, 0x00, 0xd8, 0x41]), "\u{fffd}");
    }
}
