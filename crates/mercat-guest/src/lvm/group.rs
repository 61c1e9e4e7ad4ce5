//! Volume groups: what metadata says of the logical volumes, checked against the physical ones.

use super::text::{Node, Section, parse};
use super::{Physical, SECTOR};
use crate::ReadError;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

const SEGMENTS_MAX: i64 = 100_000;
/// Bytes up to which sizes are believed; sums of them do not overflow.
const BYTES_MAX: u64 = 1 << 60;

/// A logical volume.
pub(in super::super) struct Logical {
    /// `group/volume`.
    pub(in super::super) name: String,
    pub(in super::super) size: u64,
    /// Where it is on the disk, in order; or what it is when that cannot be told, with a code.
    pub(in super::super) pieces: Result<Vec<Range<u64>>, (String, &'static str)>,
}

/// A group while it is read.
struct Group<'a> {
    name: String,
    place: u64,
    extent: u64,
    /// By the name in the metadata: its first extent on the disk, and how many it has; `None` for a
    /// physical volume that is not on this disk.
    physical: BTreeMap<&'a str, Option<(u64, u64)>>,
    complete: bool,
}

/// All logical volumes of the groups that physical volumes of one disk make, and the ids of the physical
/// volumes that no group has.
pub(in super::super) fn groups(physical: &[Physical]) -> Result<(Vec<Logical>, Vec<String>), ReadError> {
    let mut ids = HashSet::new();
    if let Some(twice) = physical.iter().find(|volume| !ids.insert(volume.id.as_str())) {
        let what = format!("two LVM physical volumes have the id {}", twice.id);
        return Err(ReadError::refused("LVM-05", twice.start, what));
    }
    let mut texts: BTreeMap<String, (u64, Section)> = BTreeMap::new();
    for (place, bytes) in physical.iter().flat_map(|volume| &volume.metadata) {
        for (name, node) in parse(bytes, *place)? {
            let Node::Section(section) = node else { continue };
            match texts.get(&name) {
                Some((_, other)) if *other != section => {
                    let what = format!("two copies of the metadata of the LVM group {name:?} differ");
                    return Err(ReadError::refused("LVM-05", *place, what));
                }
                Some(_) => {}
                None => {
                    texts.insert(name, (*place, section));
                }
            }
        }
    }
    let mut found = Vec::new();
    let mut used: Vec<(Range<u64>, String)> = Vec::new();
    let mut orphans: HashSet<String> = physical.iter().map(|volume| volume.id.clone()).collect();
    for (name, (place, section)) in &texts {
        let group = Group::read(name, *place, section, physical, &mut orphans)?;
        for logical in group.volumes(section)? {
            let pieces = logical.pieces.iter().flatten();
            used.extend(pieces.map(|piece| (piece.clone(), logical.name.clone())));
            found.push(logical);
        }
    }
    used.sort_unstable_by_key(|(piece, _)| piece.start);
    if let Some(pair) = used.windows(2).find(|pair| pair[0].0.end > pair[1].0.start) {
        let what = format!("the LVM volumes {:?} and {:?} share bytes", pair[0].1, pair[1].1);
        return Err(ReadError::refused("LVM-04", pair[1].0.start, what));
    }
    Ok((found, orphans.into_iter().collect()))
}

fn name_is_fine(name: &str) -> bool {
    let plain = |char: char| char.is_ascii_alphanumeric() || "+_.-".contains(char);
    !name.is_empty() && name.len() <= 127 && name != "." && name != ".." && name.chars().all(plain)
}

impl<'a> Group<'a> {
    fn refuse(&self, what: impl std::fmt::Display) -> ReadError {
        ReadError::refused("LVM-04", self.place, format!("the LVM group {:?}: {what}", self.name))
    }

    fn number(&self, section: &Section, key: &str, most: i64) -> Result<u64, ReadError> {
        match section.get(key) {
            Some(Node::Number(number)) if (0..=most).contains(number) => Ok(number.unsigned_abs()),
            other => Err(self.refuse(format_args!("{key} is {other:?}"))),
        }
    }

    fn read(
        name: &str,
        place: u64,
        section: &'a Section,
        physical: &[Physical],
        orphans: &mut HashSet<String>,
    ) -> Result<Self, ReadError> {
        let mut group =
            Self { name: name.to_owned(), place, extent: 0, physical: BTreeMap::new(), complete: true };
        if !name_is_fine(name) {
            return Err(group.refuse("a name that is not one"));
        }
        group.extent = group.number(section, "extent_size", i64::from(u32::MAX))? * SECTOR;
        if group.extent == 0 {
            return Err(group.refuse("extents of no size"));
        }
        let Some(Node::Section(volumes)) = section.get("physical_volumes") else {
            return Err(group.refuse("no physical volumes"));
        };
        for (label, node) in volumes {
            let Node::Section(entry) = node else { return Err(group.refuse("a broken physical volume")) };
            let Some(Node::Text(id)) = entry.get("id") else {
                return Err(group.refuse("a physical volume without id"));
            };
            let id = id.replace('-', "");
            let start = group.number(entry, "pe_start", i64::MAX >> 10)? * SECTOR;
            let count = group.number(entry, "pe_count", i64::from(u32::MAX))?;
            let found = physical.iter().find(|volume| volume.id == id);
            orphans.remove(&id);
            if let Some(volume) = found {
                let end = count.checked_mul(group.extent).and_then(|bytes| bytes.checked_add(start));
                if end.is_none_or(|end| end > volume.size) {
                    let what = format_args!("{count} extents behind the end of physical volume {label:?}");
                    return Err(group.refuse(what));
                }
            }
            group.complete &= found.is_some();
            group.physical.insert(label, found.map(|volume| (volume.start + start, count)));
        }
        Ok(group)
    }

    fn volumes(&self, section: &Section) -> Result<Vec<Logical>, ReadError> {
        let volumes = match section.get("logical_volumes") {
            None => return Ok(Vec::new()),
            Some(Node::Section(volumes)) => volumes,
            Some(_) => return Err(self.refuse("broken logical volumes")),
        };
        let read = |(name, node): (&String, &Node)| match node {
            Node::Section(entry) if name_is_fine(name) => self.volume(name, entry),
            _ => Err(self.refuse(format_args!("a broken logical volume {name:?}"))),
        };
        volumes.iter().map(read).collect()
    }

    fn volume(&self, name: &str, entry: &Section) -> Result<Logical, ReadError> {
        let count = self.number(entry, "segment_count", SEGMENTS_MAX)?;
        let (mut pieces, mut extents, mut kind) = (Vec::new(), 0, None);
        for index in 1..=count {
            let Some(Node::Section(segment)) = entry.get(&format!("segment{index}")) else {
                return Err(self.refuse(format_args!("{name:?} misses segment {index}")));
            };
            let length = self.number(segment, "extent_count", i64::from(u32::MAX))?;
            if self.number(segment, "start_extent", i64::from(u32::MAX))? != extents || length == 0 {
                return Err(self.refuse(format_args!("segment {index} of {name:?} leaves a gap")));
            }
            extents += length;
            match segment.get("type") {
                Some(Node::Text(text)) if text == "striped" => match self.piece(name, segment, length)? {
                    Some(piece) => pieces.push(piece),
                    None => kind = kind.or(Some("striped".to_owned())),
                },
                Some(Node::Text(text)) => kind = Some(text.clone()),
                _ => return Err(self.refuse(format_args!("segment {index} of {name:?} has no type"))),
            }
        }
        let size = extents.checked_mul(self.extent).filter(|size| *size <= BYTES_MAX);
        let size = size.ok_or_else(|| self.refuse(format_args!("{name:?} has {extents} extents")))?;
        let pieces = match kind {
            _ if !self.complete => {
                Err(("LVM volume of a group that is not complete on this disk".to_owned(), "LVM-06"))
            }
            Some(kind) => Err((format!("LVM {kind} volume"), "LVM-07")),
            None => Ok(pieces),
        };
        Ok(Logical { name: format!("{}/{name}", self.name), size, pieces })
    }

    /// The bytes of a segment with one stripe; `None` when it has several.
    fn piece(&self, name: &str, segment: &Section, length: u64) -> Result<Option<Range<u64>>, ReadError> {
        if self.number(segment, "stripe_count", i64::from(u32::MAX))? != 1 {
            return Ok(None);
        }
        let Some(Node::List(stripes)) = segment.get("stripes") else {
            return Err(self.refuse(format_args!("{name:?} has no stripes")));
        };
        let [Node::Text(label), Node::Number(first)] = stripes.as_slice() else {
            return Err(self.refuse(format_args!("{name:?} has the stripes {stripes:?}")));
        };
        let first = u64::try_from(*first).unwrap_or(u64::MAX);
        match self.physical.get(label.as_str()) {
            None => Err(self.refuse(format_args!("{name:?} lies on the unknown volume {label:?}"))),
            // Not on this disk; the group is not complete.
            Some(None) => Ok(Some(0..0)),
            Some(Some((start, count))) if first.checked_add(length).is_some_and(|end| end <= *count) => {
                let start = start + first * self.extent;
                Ok(Some(start..start + length * self.extent))
            }
            Some(Some(_)) => Err(self.refuse(format_args!("{name:?} leaves the physical volume {label:?}"))),
        }
    }
}
