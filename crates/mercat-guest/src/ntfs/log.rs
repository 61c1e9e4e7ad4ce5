//! The log file, of which only this is asked: whether a mount would replay anything.

use super::super::bytes::{le16, le32, le64, part};
use super::super::source::Content;
use super::attribute::Value;
use super::{Id, LOG_FILE, Ntfs, record};
use crate::ReadError;

const CLEAN: u16 = 2;
const NO_CLIENT: u16 = 0xffff;

/// Refuses a log that was left open. Its first two pages are restart pages, the newer of which counts; a log
/// of ones only is empty.
pub(super) fn check(ntfs: &Ntfs) -> Result<(), ReadError> {
    let (found, file) = ntfs.file(Id { record: LOG_FILE, sequence: 0 })?;
    let refuse = |what: &str| {
        let what = format!("the NTFS log must be replayed ({what}); start Windows and shut it down once");
        ReadError::refused("NTF-11", found.at, what)
    };
    let content = file.content.and_then(|index| file.attributes.get(index));
    let Some(Value::Runs { runs, size, .. }) = content.map(|content| &content.value) else {
        return Err(refuse("it has no content"));
    };
    let mut content = Content::new(&ntfs.source, runs.clone(), *size);
    let mut head = vec![0; 4096];
    content.read_at(0, &mut head)?;
    if head.iter().all(|byte| *byte == 0xff) {
        return Ok(());
    }
    let page = u64::from(le32(&head, 16));
    if !head.starts_with(b"RSTR") || !(512..=65536).contains(&page) || !page.is_power_of_two() {
        return Err(refuse("it does not begin with a restart page"));
    }
    let mut newest: Option<(u64, bool)> = None;
    for number in 0..2 {
        let mut raw = vec![0; usize::try_from(page).unwrap_or(4096)];
        content.read_at(number * page, &mut raw)?;
        if !raw.starts_with(b"RSTR") || record::fix(&mut raw, found.at).is_err() {
            continue;
        }
        let area = part(&raw, usize::from(le16(&raw, 24)), 16);
        let clean = le16(area, 12) == NO_CLIENT || le16(area, 14) & CLEAN != 0;
        let sequence = le64(area, 0);
        if !area.is_empty() && newest.is_none_or(|(other, _)| sequence > other) {
            newest = Some((sequence, clean));
        }
    }
    match newest {
        Some((_, true)) => Ok(()),
        Some((_, false)) => Err(refuse("it was not closed")),
        None => Err(refuse("its restart pages are broken")),
    }
}
