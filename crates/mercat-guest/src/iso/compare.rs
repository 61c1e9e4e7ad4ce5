//! Whether all trees of a disc hold the same files.

use super::super::bytes::{byte, le16, le32, part};
use super::super::walk::text;
use super::record::{Record, wide};
use super::{Iso, Names9660, View};
use crate::ReadError;
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

const FILES_MAX: usize = 5_000_000;
const DEPTH_MAX: usize = 2000;
const TABLE_BYTES_MAX: u64 = 64 << 20;
/// Joliet cuts names at 64 characters, or less to tell them apart.
const NAME_CHARS: usize = 48;

/// What a tree holds: a hash for every file, and the blocks of its directories.
struct Held {
    files: HashSet<u64>,
    directories: HashSet<u64>,
}

/// Refuses a disc whose trees differ in files, or in directories from their path tables.
pub(super) fn check(iso: &Iso, primary: &View, joliet: Option<&View>) -> Result<(), ReadError> {
    let random = RandomState::new();
    let plain = View { names: Names9660::Plain, ..primary.clone() };
    let own = held(iso, &plain, &random, false)?;
    path_table(iso, &plain, &own.directories)?;
    let Some(joliet) = joliet else { return Ok(()) };
    // Plain names are too short to compare; then only the files' places are.
    let named = primary.names != Names9660::Plain;
    let first = if named { held(iso, primary, &random, true)? } else { own };
    let second = held(iso, joliet, &random, named)?;
    path_table(iso, joliet, &second.directories)?;
    if first.files != second.files {
        let what = format!(
            "the Joliet tree has {} files that the other one has not in the same place with the same name and \
             size, and lacks {}: systems choose either tree",
            second.files.difference(&first.files).count(),
            first.files.difference(&second.files).count()
        );
        return Err(ReadError::refused("ISO-05", joliet.root.at, what));
    }
    Ok(())
}

fn held(iso: &Iso, view: &View, random: &RandomState, named: bool) -> Result<Held, ReadError> {
    let mut found = Held { files: HashSet::new(), directories: HashSet::from([view.root.first()]) };
    let mut todo: Vec<(Record, String, usize)> = vec![(view.root.clone(), String::new(), 0)];
    while let Some((directory, path, depth)) = todo.pop() {
        for (record, name) in iso.records(view, &directory)? {
            let name = match view.names {
                _ if !named => String::new(),
                Names9660::Joliet => wide(&name),
                _ => text(&name),
            };
            let name: String = name.chars().map(common).take(NAME_CHARS).collect();
            let path = if named { format!("{path}/{name}") } else { String::new() };
            if record.is_directory {
                if depth >= DEPTH_MAX || !found.directories.insert(record.first()) {
                    let what = format!("the directory {path:?} is reached a second time or too deep");
                    return Err(ReadError::refused("ISO-04", record.at, what));
                }
                todo.push((record, path, depth + 1));
            } else if record.size() > 0 {
                found.files.insert(random.hash_one((path, record.parts)));
            }
            if found.files.len() > FILES_MAX {
                return Err(ReadError::refused(
                    "FS-08",
                    directory.at,
                    format!("more than {FILES_MAX} files"),
                ));
            }
        }
    }
    Ok(found)
}

/// Joliet forbids some characters and writes `_` instead; those beyond 16 bits differ by program.
fn common(char: char) -> char {
    if matches!(char, '*' | '/' | ':' | ';' | '?' | '\\') || u32::from(char) > 0xffff || char.is_control() {
        '_'
    } else {
        char
    }
}

/// Some systems find directories by the path table, so it must name those of the tree.
fn path_table(iso: &Iso, view: &View, directories: &HashSet<u64>) -> Result<(), ReadError> {
    let (place, length) = view.path_table;
    let refuse = |what: String| Err(ReadError::refused("ISO-06", place, format!("the path table {what}")));
    if length > TABLE_BYTES_MAX {
        return refuse(format!("has {length} bytes"));
    }
    let raw = iso.source.bytes(place, usize::try_from(length).unwrap_or(0))?;
    let mut named = HashSet::new();
    let (mut at, mut number) = (0, 0_u32);
    while at < raw.len() {
        let name = usize::from(byte(&raw, at));
        let here = part(&raw, at, 8 + name);
        number += 1;
        let parent = u32::from(le16(here, 6));
        if name == 0 || here.is_empty() || parent > number.min(0xffff) {
            return refuse(format!("has a broken entry {number}"));
        }
        named.insert(u64::from(le32(here, 2)));
        at += (8 + name).next_multiple_of(2);
    }
    if &named == directories { Ok(()) } else { refuse("names other directories than the tree".to_owned()) }
}
