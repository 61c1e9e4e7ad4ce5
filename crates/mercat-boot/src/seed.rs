//! A NoCloud seed: a small FAT12 volume labelled `CIDATA` that gives a guest its identity.
//!
//! Format after ECMA-107 and the long names of the FAT specification of 2000; the files and the
//! label after the NoCloud data source of cloud-init.

/// Bytes of the volume: that of a 1.44 MB floppy disk, which every reader knows.
pub const SEED_BYTES: usize = SECTORS * SECTOR;
const SECTOR: usize = 512;
const SECTORS: usize = 2880;
const FAT_SECTORS: usize = 9;
const ROOT_ENTRIES: usize = 224;
const ROOT_AT: usize = (1 + 2 * FAT_SECTORS) * SECTOR;
const DATA_AT: usize = ROOT_AT + ROOT_ENTRIES * 32;
/// Clusters that data may take; numbers start at 2.
const CLUSTERS: usize = SECTORS - DATA_AT / SECTOR;
/// 1 January 2020, as FAT writes dates: a fixed date makes equal seeds equal bytes.
const DATE: u16 = (40 << 9) | (1 << 5) | 1;

/// What a guest is told about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name of the instance; a new one makes cloud-init start afresh.
    pub instance_id: String,
    /// Host name.
    pub hostname: String,
    /// User data: a script, run once as root.
    pub user_data: String,
}

/// Writes a seed.
///
/// # Errors
/// When the user data is larger than the volume.
pub fn seed(identity: &Identity) -> Result<Vec<u8>, String> {
    let meta = format!("instance-id: {}\nlocal-hostname: {}\n", identity.instance_id, identity.hostname);
    let files: [(&str, &[u8; 11], &[u8]); 2] = [
        ("meta-data", b"META-D~1   ", meta.as_bytes()),
        ("user-data", b"USER-D~1   ", identity.user_data.as_bytes()),
    ];
    let needed: usize = files.iter().map(|(_, _, bytes)| bytes.len().div_ceil(SECTOR)).sum();
    if needed > CLUSTERS {
        return Err(format!("the identity needs {needed} sectors, a seed has {CLUSTERS}"));
    }
    let mut out = vec![0; SEED_BYTES];
    out[..SECTOR].copy_from_slice(&boot_sector());
    let mut fat = vec![0xff0, 0xfff];
    let mut root = Vec::new();
    root.extend_from_slice(&entry(b"CIDATA     ", 0x08, 0, 0));
    for (long, short, bytes) in files {
        let clusters = bytes.len().div_ceil(SECTOR);
        let first = fat.len();
        root.extend_from_slice(&long_entry(long, short));
        // Both fit in 16 bits: the volume has less than 2880 sectors.
        root.extend_from_slice(&entry(
            short,
            0x20,
            if clusters == 0 { 0 } else { first as u16 },
            bytes.len() as u32,
        ));
        let at = DATA_AT + (first - 2) * SECTOR;
        out[at..at + bytes.len()].copy_from_slice(bytes);
        for cluster in first..first + clusters {
            fat.push(if cluster + 1 == first + clusters { 0xfff } else { cluster as u16 + 1 });
        }
    }
    let packed = pack(&fat);
    for copy in 0..2 {
        let at = (1 + copy * FAT_SECTORS) * SECTOR;
        out[at..at + packed.len()].copy_from_slice(&packed);
    }
    out[ROOT_AT..ROOT_AT + root.len()].copy_from_slice(&root);
    Ok(out)
}

fn boot_sector() -> [u8; SECTOR] {
    let mut out = [0; SECTOR];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &[0xeb, 0x3c, 0x90]);
    put(3, b"MERCAT  ");
    put(11, &(SECTOR as u16).to_le_bytes());
    put(13, &[1]);
    put(14, &1u16.to_le_bytes());
    put(16, &[2]);
    put(17, &(ROOT_ENTRIES as u16).to_le_bytes());
    put(19, &(SECTORS as u16).to_le_bytes());
    put(21, &[0xf0]);
    put(22, &(FAT_SECTORS as u16).to_le_bytes());
    put(24, &18u16.to_le_bytes());
    put(26, &2u16.to_le_bytes());
    put(38, &[0x29]);
    put(39, b"seed");
    put(43, b"CIDATA     ");
    put(54, b"FAT12   ");
    put(510, &[0x55, 0xaa]);
    out
}

fn entry(name: &[u8; 11], attributes: u8, cluster: u16, bytes: u32) -> [u8; 32] {
    let mut out = [0; 32];
    out[..11].copy_from_slice(name);
    out[11] = attributes;
    out[16..18].copy_from_slice(&DATE.to_le_bytes());
    out[18..20].copy_from_slice(&DATE.to_le_bytes());
    out[24..26].copy_from_slice(&DATE.to_le_bytes());
    out[26..28].copy_from_slice(&cluster.to_le_bytes());
    out[28..32].copy_from_slice(&bytes.to_le_bytes());
    out
}

/// One entry of a long name; both names are shorter than the 13 characters that it holds.
fn long_entry(name: &str, short: &[u8; 11]) -> [u8; 32] {
    let sum = short.iter().fold(0u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
    let mut units = [0xffff_u16; 13];
    for (slot, unit) in units.iter_mut().zip(name.encode_utf16().chain([0])) {
        *slot = unit;
    }
    let mut out = [0; 32];
    out[0] = 0x41;
    out[11] = 0x0f;
    out[13] = sum;
    let places = (1..11).step_by(2).chain((14..26).step_by(2)).chain((28..32).step_by(2));
    for (at, unit) in places.zip(units) {
        out[at..at + 2].copy_from_slice(&unit.to_le_bytes());
    }
    out
}

/// Packs 12-bit entries, two in three bytes.
fn pack(fat: &[u16]) -> Vec<u8> {
    fat.chunks(2)
        .flat_map(|pair| {
            let (low, high) = (pair[0], pair.get(1).copied().unwrap_or(0));
            [low as u8, (low >> 8) as u8 & 0x0f | (high << 4) as u8, (high >> 4) as u8]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn identity(user_data: &str) -> Identity {
        Identity { instance_id: "one".into(), hostname: "box".into(), user_data: user_data.into() }
    }

    #[test]
    fn other_programs_read_the_files_back() {
        if Command::new("mtype").arg("--version").output().is_err() {
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("skipped: mtools are not installed, so seeds were not read by others\n"),
            );
            return;
        }
        let script = format!("#!/bin/sh\n{}", "echo hello\n".repeat(500));
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), seed(&identity(&script)).expect("fits")).expect("written");
        let read = |name: &str| {
            let out = Command::new("mtype")
                .arg("-i")
                .arg(file.path())
                .arg(format!("::{name}"))
                .output()
                .expect("runs");
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            String::from_utf8(out.stdout).expect("text")
        };
        assert_eq!(read("user-data"), script);
        assert_eq!(read("meta-data"), "instance-id: one\nlocal-hostname: box\n");
        let label =
            Command::new("mlabel").arg("-s").arg("-i").arg(file.path()).arg("::").output().expect("runs");
        assert!(String::from_utf8_lossy(&label.stdout).contains("CIDATA"));
        let check = Command::new("fsck.fat").arg("-n").arg(file.path()).output();
        assert!(check.is_ok_and(|out| out.status.success()) || Command::new("fsck.fat").output().is_err());
    }

    #[test]
    fn equal_identities_give_equal_bytes() {
        assert_eq!(seed(&identity("x")), seed(&identity("x")));
        assert_ne!(seed(&identity("x")), seed(&identity("y")));
    }

    #[test]
    fn user_data_that_does_not_fit_is_refused() {
        assert!(seed(&identity(&"x".repeat(CLUSTERS * SECTOR))).is_err());
        assert!(seed(&identity(&"x".repeat((CLUSTERS - 1) * SECTOR))).is_ok());
    }
}
