//! Disk images that were made by the usual program, by hand, and by somebody hostile.

use super::*;

mod damage;
mod foreign;
mod hostile_qcow2;
mod hostile_vhd;
mod hostile_vmdk;
mod layouts;
mod made;
mod raw_and_vhd;

/// The code of a refusal, or `ok`.
fn code<T>(result: Result<T, ReadError>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(ReadError::Refused { code, .. }) => code.to_owned(),
        Err(ReadError::Io(error)) => format!("io: {error}"),
    }
}

fn open_bytes(bytes: Vec<u8>, declared: Option<Declared>) -> Result<Disk, ReadError> {
    open(Arc::new(bytes), declared)
}

/// Bytes without a pattern that repeats within a cluster, the same for the same seed.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(bytes);
    out
}

fn read_all(disk: &dyn ReadAt) -> Result<Vec<u8>, ReadError> {
    let mut out = vec![0; usize::try_from(disk.size()).expect("test disks fit in memory")];
    for (index, piece) in out.chunks_mut(1 << 20).enumerate() {
        disk.read_at((index << 20) as u64, piece)?;
    }
    Ok(out)
}

#[test]
fn every_code_that_the_readers_give_has_a_meaning() {
    let sources = [
        include_str!("lib.rs"),
        include_str!("detect.rs"),
        include_str!("fields.rs"),
        include_str!("file.rs"),
        include_str!("layout.rs"),
        include_str!("qcow2.rs"),
        include_str!("qcow2/header.rs"),
        include_str!("qcow2/table.rs"),
        include_str!("vhd.rs"),
        include_str!("vhd/dynamic.rs"),
        include_str!("vhdx.rs"),
        include_str!("vhdx/metadata.rs"),
        include_str!("vhdx/regions.rs"),
        include_str!("vmdk.rs"),
        include_str!("vmdk/descriptor.rs"),
        include_str!("vmdk/header.rs"),
        include_str!("vmdk/stream.rs"),
        include_str!("vmdk/table.rs"),
    ];
    let prefixes = ["DSK-", "VHD-", "VHX-", "QCW-", "VMD-"];
    for source in sources {
        for word in source.split('"') {
            let is_code = prefixes.iter().any(|prefix| word.starts_with(prefix)) && !word.contains(' ');
            assert!(!is_code || CODES.iter().any(|(code, _)| *code == word), "{word} has no meaning");
        }
    }
    let all: Vec<_> = sources.concat().split('"').map(str::to_owned).collect();
    for (code, meaning) in CODES {
        assert!(all.iter().any(|word| word == code), "{code} is never given: {meaning}");
        assert_eq!(CODES.iter().filter(|(other, _)| other == code).count(), 1, "{code} is there twice");
    }
}

#[test]
fn names_are_parsed_back() {
    for format in Format::ALL {
        assert_eq!(Format::parse(format.name()), Some(format));
    }
    for declared in Declared::ALL {
        assert_eq!(Declared::parse(declared.name()), Some(declared));
    }
    assert_eq!(Declared::from_extension("VHD"), Some(Declared::Vhd));
    assert_eq!(Declared::from_extension("iso"), None);
}

#[test]
fn facts_survive_as_json() {
    let disk = open_bytes(made::laid_out(layout::Target::VhdFixed), Some(Declared::Vhd)).unwrap();
    let text = serde_json::to_string(&disk.facts).unwrap();
    assert!(text.contains(r#""format":"vhd-fixed""#), "{text}");
    assert_eq!(serde_json::from_str::<Facts>(&text).unwrap(), disk.facts);
}

#[test]
fn disks_and_layouts_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Disk>();
    shared::<FileReadAt>();
    shared::<layout::Layout>();
    shared::<layout::LaidOut>();
}
