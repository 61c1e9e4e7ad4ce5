//! Writes a snapshot in one pass.

use super::{
    HEADER, Import, Key, MAGIC, Meta, PAGE, POSTING_BYTES_MAX, Posting, SCHEMA, SLOT, SLOTS, SnapshotError,
};
use crate::content::{Content, is_to_come};
use crate::record::{grouped, root_of};
use crate::{Advisory, Day};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

struct Out<'a> {
    out: &'a mut dyn Write,
    at: u64,
    sha: Sha256,
}

impl Out<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.out.write_all(bytes)?;
        self.sha.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Slot {
    hash: u64,
    offset: u64,
    length: u32,
    crc: u32,
}

/// Writes what is known as a snapshot.
pub(crate) fn write(content: &Content, out: &mut dyn Write) -> Result<Meta, SnapshotError> {
    let mut out = Out { out, at: 0, sha: Sha256::new() };
    out.put(MAGIC)?;
    out.put(&SCHEMA.to_le_bytes())?;
    out.put(&[0; 4])?;
    debug_assert_eq!(out.at, HEADER as u64);
    let mut slots = postings(content, &mut out)?;
    slots.sort_by_key(|slot| (slot.hash, slot.offset));
    let pages_at = out.at;
    let mut fences = Vec::new();
    for slots in slots.chunks(SLOTS) {
        fences.extend(slots[0].hash.to_le_bytes());
        out.put(&page(slots))?;
    }
    let digest: String = out.sha.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let fences_at = out.at;
    out.put(&fences)?;
    let meta = Meta { digest, ..describe(content) };
    let text = postcard::to_stdvec(&meta).map_err(|_| SnapshotError::Damaged { part: "description" })?;
    let meta_at = out.at;
    out.put(&text)?;
    let mut trailer = Vec::new();
    for number in [pages_at, fences_at, meta_at, text.len() as u64, out.at + super::TRAILER as u64, 0] {
        trailer.extend(number.to_le_bytes());
    }
    trailer.extend(crc32c::crc32c(&fences).to_le_bytes());
    trailer.extend(crc32c::crc32c(&text).to_le_bytes());
    trailer.extend(SCHEMA.to_le_bytes());
    trailer.extend(crc32c::crc32c(&trailer).to_le_bytes());
    trailer.extend(MAGIC);
    debug_assert_eq!(trailer.len(), super::TRAILER);
    out.put(&trailer)?;
    out.out.flush()?;
    Ok(meta)
}

fn page(slots: &[Slot]) -> [u8; PAGE] {
    let mut page = [0; PAGE];
    let count = u32::try_from(slots.len()).expect("a page holds few");
    page[..4].copy_from_slice(&count.to_le_bytes());
    for (slot, bytes) in slots.iter().zip(page[4..].chunks_exact_mut(SLOT)) {
        bytes[..8].copy_from_slice(&slot.hash.to_le_bytes());
        bytes[8..16].copy_from_slice(&slot.offset.to_le_bytes());
        bytes[16..20].copy_from_slice(&slot.length.to_le_bytes());
        bytes[20..].copy_from_slice(&slot.crc.to_le_bytes());
    }
    let crc = crc32c::crc32c(&page[..PAGE - 4]);
    page[PAGE - 4..].copy_from_slice(&crc.to_le_bytes());
    page
}

fn postings(content: &Content, out: &mut Out<'_>) -> Result<Vec<Slot>, SnapshotError> {
    let mut packages: BTreeMap<(&str, &str), Vec<&Advisory>> = BTreeMap::new();
    let mut artifacts: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    let mut roots: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut slots = Vec::new();
    for record in content.records.values() {
        for advisory in &record.advisories {
            packages.entry((&advisory.ecosystem, &advisory.package)).or_default().push(advisory);
        }
        if record.advisories.is_empty() || record.by_commits_alone > 0 {
            let bare = Posting::Bare {
                id: record.id.clone(),
                modified: record.modified.clone(),
                withdrawn: record.withdrawn,
                by_commits_alone: record.by_commits_alone,
            };
            slots.push(put(out, Key::Bare(&record.id), &bare, &record.id)?);
        }
    }
    for (ecosystem, package) in packages.keys() {
        if let Some((group, artifact)) = grouped(ecosystem, package) {
            artifacts.entry((ecosystem, artifact)).or_default().push(group.to_owned());
            roots.insert((ecosystem, root_of(group)));
        }
    }
    for ((ecosystem, package), advisories) in packages {
        let posting = Posting::Package(advisories.into_iter().cloned().collect());
        slots.push(put(out, Key::Package(ecosystem, package), &posting, package)?);
    }
    for ((ecosystem, artifact), groups) in artifacts {
        let posting =
            Posting::Artifact { ecosystem: ecosystem.to_owned(), artifact: artifact.to_owned(), groups };
        slots.push(put(out, Key::Artifact(ecosystem, artifact), &posting, artifact)?);
    }
    for (ecosystem, root) in roots {
        let posting = Posting::Root { ecosystem: ecosystem.to_owned(), root: root.to_owned() };
        slots.push(put(out, Key::Root(ecosystem, root), &posting, root)?);
    }
    for (cve, kev) in &content.kev.entries {
        slots.push(put(out, Key::Kev(cve), &Posting::Kev(cve.clone(), kev.clone()), cve)?);
    }
    for (cve, epss) in &content.epss.entries {
        slots.push(put(out, Key::Epss(cve), &Posting::Epss(cve.clone(), *epss), cve)?);
    }
    Ok(slots)
}

fn put(out: &mut Out<'_>, key: Key<'_>, posting: &Posting, name: &str) -> Result<Slot, SnapshotError> {
    let bytes = postcard::to_stdvec(posting).map_err(|_| SnapshotError::Damaged { part: "postings" })?;
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= POSTING_BYTES_MAX);
    let length = length.ok_or_else(|| SnapshotError::TooLarge {
        what: format!("what is known about {name}"),
        bytes: bytes.len() as u64,
        limit: u64::from(POSTING_BYTES_MAX),
    })?;
    let slot = Slot { hash: key.hash(), offset: out.at, length, crc: crc32c::crc32c(&bytes) };
    out.put(&bytes)?;
    Ok(slot)
}

fn describe(content: &Content) -> Meta {
    let last = |import: &Import| Day::of_unix(import.at_unix);
    let today = content.imports.iter().map(last).max().unwrap_or_default();
    let mut meta = Meta { imported: today, ..Meta::default() };
    for record in content.records.values() {
        meta.records += 1;
        meta.withdrawn += u64::from(record.withdrawn);
        meta.by_commits_alone += u64::from(record.by_commits_alone);
        let counts = !is_to_come(&record.modified, today);
        if counts && meta.newest < record.modified {
            meta.newest.clone_from(&record.modified);
        }
        for advisory in &record.advisories {
            meta.advisories += 1;
            let coverage = meta.ecosystems.entry(advisory.ecosystem.clone()).or_default();
            coverage.advisories += 1;
            if counts && coverage.newest < advisory.modified {
                coverage.newest.clone_from(&advisory.modified);
            }
        }
    }
    // An ecosystem whose records were all taken back is still one that was imported.
    for (ecosystem, day) in &content.imported {
        meta.ecosystems.entry(ecosystem.clone()).or_default().imported = *day;
    }
    let side = |day: Day, entries: usize| (entries > 0).then_some((day, entries as u64));
    meta.kev = side(content.kev.day, content.kev.entries.len());
    meta.epss = side(content.epss.day, content.epss.entries.len());
    meta.imports.clone_from(&content.imports);
    meta
}
