//! Containers that name files of the host: our reader refuses them, and where somebody else's reader
//! opens them, confinement keeps the files closed. Each defence is shown to suffice alone.
//!
//! These are the five classes that a reader was seen to follow, and parents named by VHD and VHDX files,
//! which it does not follow today: that is asserted too, so that a reader that learns it is noticed.

use crate::house::{BIN, has};
use mercat_boot::confine::{Job, Limits, Paths};
use mercat_disk::{Declared, FileReadAt, ReadError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const SECRET: &str = "the-host-keeps-this-secret";

struct Trap {
    name: &'static str,
    file: PathBuf,
    declared: Declared,
    /// Format given to the other reader; none: it guesses.
    format: Option<&'static str>,
    /// With what our reader refuses it.
    code: &'static str,
    /// Whether the other reader, left alone, opens the file that is named.
    followed: bool,
}

fn image(arguments: &[&str]) {
    let out = Command::new("qemu-img").args(arguments).output().expect("qemu-img starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

fn traps(at: &Path, host: &Path) -> Vec<Trap> {
    let secret = host.join("secret");
    let text = SECRET.repeat(4096);
    let secret_text = format!("{text}{}", " ".repeat(text.len().next_multiple_of(1 << 20) - text.len()));
    std::fs::write(&secret, &secret_text).expect("written");
    let named = secret.display().to_string();
    let trap = |name, declared, format, code| Trap {
        name,
        file: at.join(name),
        declared,
        format,
        code,
        followed: true,
    };
    let traps = vec![
        trap("backing.qcow2", Declared::Qcow2, Some("qcow2"), "QCW-02"),
        trap("json.qcow2", Declared::Qcow2, Some("qcow2"), "QCW-02"),
        trap("external.qcow2", Declared::Qcow2, Some("qcow2"), "QCW-03"),
        trap("guessed.raw", Declared::Raw, None, "DSK-07"),
        trap("extent.vmdk", Declared::Vmdk, Some("vmdk"), "VMD-01"),
    ];
    let path = |index: usize| traps[index].file.display().to_string();
    image(&["create", "-q", "-f", "qcow2", "-F", "raw", "-b", &named, &path(0)]);
    let json =
        format!("json:{{\"driver\":\"raw\",\"file\":{{\"driver\":\"file\",\"filename\":\"{named}\"}}}}");
    image(&["create", "-q", "-f", "qcow2", "-u", "-F", "raw", "-b", &json, &path(1), "1M"]);
    let option = format!("data_file={named},data_file_raw=on");
    image(&["create", "-q", "-f", "qcow2", "-o", &option, &path(2), "1M"]);
    // Making the image emptied the file that it names.
    std::fs::write(&secret, &secret_text).expect("written");
    std::fs::copy(&traps[0].file, &traps[3].file).expect("copied");
    let extent = format!(
        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\n\nRW 2048 FLAT \"{named}\" 0\n\n\
         ddb.virtualHWVersion = \"4\"\nddb.geometry.cylinders = \"2\"\nddb.geometry.heads = \"16\"\nddb.geometry.sectors = \"63\"\nddb.adapterType = \"ide\"\n"
    );
    std::fs::write(&traps[4].file, extent).expect("written");
    traps
}

/// Dynamic and differencing VHDs and a VHDX that name a parent.
fn parents(at: &Path, host: &Path) -> Vec<Trap> {
    let named: Vec<u8> =
        host.join("secret").display().to_string().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let trap = |name, declared, format, code, bytes: Vec<u8>| {
        let file = at.join(name);
        std::fs::write(&file, bytes).expect("written");
        Trap { name, file, declared, format: Some(format), code, followed: false }
    };
    vec![
        trap("locator.vhd", Declared::Vhd, "vpc", "VHD-21", vhd(at, &named, 3)),
        trap("differencing.vhd", Declared::Vhd, "vpc", "VHD-20", vhd(at, &named, 4)),
        trap("parent.vhdx", Declared::Vhdx, "vhdx", "VHX-10", vhdx(at, &named)),
    ]
}

/// A dynamic VHD of a type (3 dynamic, 4 differencing) whose header has a parent locator.
fn vhd(at: &Path, named: &[u8], kind: u8) -> Vec<u8> {
    const HEADER: usize = 512;
    let file = at.join("plain.vhd");
    image(&["create", "-q", "-f", "vpc", "-o", "subformat=dynamic", &file.display().to_string(), "8M"]);
    let mut bytes = std::fs::read(file).expect("reads");
    let footer = bytes.len() - 512;
    let mut sector = named.to_vec();
    sector.resize(sector.len().next_multiple_of(512), 0);
    let number = |number: usize| u32::try_from(number).expect("fits").to_be_bytes();
    let locator = [b"W2ku", &number(sector.len())[..], &number(named.len()), &[0; 8], &number(footer)];
    bytes[HEADER + 40..HEADER + 56].fill(7);
    let wide: Vec<u8> = named.chunks(2).flat_map(|unit| [unit[1], unit[0]]).collect();
    bytes[HEADER + 64..HEADER + 64 + wide.len()].copy_from_slice(&wide);
    bytes[HEADER + 576..HEADER + 600].copy_from_slice(&locator.concat());
    let kept = bytes.split_off(footer);
    bytes.extend(sector);
    let end = bytes.len();
    bytes.extend(kept);
    for footer in [0, end] {
        bytes[footer + 63] = kind;
        sum(&mut bytes[footer..footer + 512], 64);
    }
    sum(&mut bytes[HEADER..HEADER + 1024], 36);
    bytes
}

/// Writes the checksum of a structure of a VHD.
fn sum(bytes: &mut [u8], at: usize) {
    bytes[at..at + 4].fill(0);
    let sum = !bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    bytes[at..at + 4].copy_from_slice(&sum.to_be_bytes());
}

/// A VHDX that says that it has a parent, and where.
fn vhdx(at: &Path, named: &[u8]) -> Vec<u8> {
    const ITEMS: usize = 64 << 10;
    const LOCATOR: [u8; 16] = *b"\x2d\x5f\xd3\xa8\x0b\xb3\x4d\x45\xab\xf7\xd3\xd8\x48\x34\xab\x0c";
    const KIND: [u8; 16] = *b"\xb7\xef\x4a\xb0\x9e\xd1\x81\x4a\xb7\x89\x25\xb8\xe9\x44\x59\x13";
    let file = at.join("plain.vhdx");
    image(&["create", "-q", "-f", "vhdx", &file.display().to_string(), "8M"]);
    let mut bytes = std::fs::read(file).expect("reads");
    let region = bytes.chunks(ITEMS).position(|chunk| chunk.starts_with(b"metadata")).expect("metadata");
    let region = &mut bytes[region * ITEMS..];
    let key: Vec<u8> = "absolute_win32_path".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let half = |length: usize| u16::try_from(length).expect("fits").to_le_bytes();
    let word = |length: usize| u32::try_from(length).expect("fits").to_le_bytes();
    let mut locator = [&KIND[..], &[0, 0, 1, 0], &word(32), &word(32 + key.len())].concat();
    locator.extend([half(key.len()), half(named.len())].concat());
    locator.extend([&key, named].concat());
    let count = usize::from(region[10]);
    region[10] += 1;
    let entry = [&LOCATOR[..], &word(ITEMS + 4096), &word(locator.len()), &word(4), &[0; 4]].concat();
    region[32 + count * 32..64 + count * 32].copy_from_slice(&entry);
    // The first item holds the file parameters.
    region[ITEMS + 4] |= 2;
    region[ITEMS + 4096..ITEMS + 4096 + locator.len()].copy_from_slice(&locator);
    bytes
}

fn arguments(trap: &Trap, out: &Path) -> Vec<String> {
    let mut all = vec!["convert".to_owned(), "-O".into(), "raw".into()];
    all.extend(trap.format.into_iter().flat_map(|format| ["-f".to_owned(), format.into()]));
    all.extend([trap.file.display().to_string(), out.display().to_string()]);
    all
}

fn discloses(out: &Path) -> bool {
    std::fs::read(out).is_ok_and(|bytes| bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()))
}

#[test]
fn files_of_the_host_stay_closed_by_either_defence_alone() {
    if !has("qemu-img") {
        return;
    }
    let program = ["/usr/bin/qemu-img", "/usr/local/bin/qemu-img"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.is_file());
    let program = program.expect("it is in one of them");
    let scratch = tempfile::tempdir().expect("a directory");
    let host = tempfile::tempdir().expect("a directory");
    let parents = parents(scratch.path(), host.path());
    for trap in traps(scratch.path(), host.path()).into_iter().chain(parents) {
        let open = scratch.path().join("open.raw");
        let bare = Command::new(&program).args(arguments(&trap, &open)).output().expect("starts");
        let errors = String::from_utf8_lossy(&bare.stderr);
        assert_eq!(discloses(&open), trap.followed, "{}: the trap works: {errors}", trap.name);
        let _ = std::fs::remove_file(&open);

        let closed = scratch.path().join("closed.raw");
        let paths = Paths::of_program(&program, scratch.path());
        let limits = Limits { memory_bytes: 4 << 30, cpu_secs: 60, files: 128, file_bytes: 64 << 20 };
        let job =
            Job::new(program.clone(), arguments(&trap, &closed), scratch.path().to_owned(), paths, limits);
        let confined = job.start(Path::new(BIN)).expect("starts").wait_with_output().expect("ends");
        let said = String::from_utf8_lossy(&confined.stdout).into_owned();
        if said.starts_with("limits only") {
            crate::house::skipped(
                "skipped: this kernel has no Landlock, so confinement alone was not tested",
            );
        } else {
            let errors = String::from_utf8_lossy(&confined.stderr);
            assert!(!discloses(&closed), "{}: {errors}", trap.name);
            if trap.followed {
                assert!(!confined.status.success(), "{}: {errors}", trap.name);
                assert!(errors.contains("Permission denied"), "{}: {errors}", trap.name);
            }
        }

        let file = FileReadAt::new(std::fs::File::open(&trap.file).expect("opens")).expect("a file");
        match mercat_disk::open(Arc::new(file), Some(trap.declared)) {
            Err(ReadError::Refused { code, .. }) => assert_eq!(code, trap.code, "{}", trap.name),
            other => panic!("{}: our reader alone: {:?}", trap.name, other.map(|disk| disk.facts)),
        }
    }
}
