//! Archives and streams inside files.

use crate::drain;
use mercat_artifact::ReadError;
use mercat_artifact::archive::{self, CompressReader, Lz4Reader, Member};
use std::io::{BufReader, Read};

fn visit(_: Member<'_>, body: &mut dyn Read) -> Result<(), ReadError> {
    drain(body)?;
    Ok(())
}

/// Zip, its ambiguities.
pub fn zip(data: &[u8]) {
    let Ok(checked) = archive::zip::check(&data) else { return };
    if let Some(members) = checked.members {
        let _ = members.walk(&mut |member, content| {
            // A name has two bytes for its length, and each byte that is no text becomes three.
            assert!(member.name.len() <= 3 * 65_535);
            content.is_ok_and(|content| drain(content).is_ok())
        });
    }
}

/// Unix ar.
pub fn ar(mut data: &[u8]) {
    let _ = archive::ar::walk(&mut data, &mut visit);
}

/// cpio.
pub fn cpio(mut data: &[u8]) {
    let _ = archive::cpio::walk(&mut data, &mut visit);
}

/// Packs of git.
pub fn git(data: &[u8]) {
    let _ = archive::git::walk(&data, &mut visit);
}

/// RPM packages.
pub fn rpm(mut data: &[u8]) {
    let _ = archive::rpm::walk(&mut data, &mut visit);
}

/// Cabinets.
pub fn cab(data: &[u8]) {
    let _ = archive::cab::walk(data, crate::READ_BYTES_MAX, &mut visit);
}

/// 7z.
pub fn sevenz(data: &[u8]) {
    let _ = archive::sevenz::walk(data, crate::READ_BYTES_MAX, &mut visit);
}

/// LZ4 frames.
pub fn lz4(data: &[u8]) {
    let _ = drain(&mut Lz4Reader::new(BufReader::new(data)));
}

/// Unix compress.
pub fn compress(data: &[u8]) {
    let _ = drain(&mut CompressReader::new(data));
}

/// The format of a file, by its first bytes.
pub fn detect(data: &[u8]) {
    let _ = archive::detect(data);
}
