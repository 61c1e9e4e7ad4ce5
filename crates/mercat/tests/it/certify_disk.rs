//! `mercat certify` on disks: one verdict from every container, the packs, and the self-test document.

use crate::house::{BIN, skipped};
use crate::windows;
use serde_json::Value;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const MIB: u64 = 1 << 20;

fn program(name: &str, arguments: &[&str]) -> bool {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    match Command::new(name).args(arguments).env("PATH", path).output() {
        Ok(out) => {
            assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
            true
        }
        Err(_) => {
            skipped(&format!("skipped: {name} is absent, so no disk was certified"));
            false
        }
    }
}

/// A disk of 1 GiB with one small ext4, a Linux by its files, in a raw file.
fn raw(directory: &Path) -> Option<PathBuf> {
    let source = directory.join("source");
    fs::create_dir_all(source.join("etc")).expect("made");
    fs::create_dir_all(source.join("root")).expect("made");
    fs::write(source.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").expect("written");
    fs::write(source.join("etc/os-release"), "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n")
        .expect("written");
    fs::write(source.join("root/.bash_history"), "ls\n").expect("written");
    let part = directory.join("part.img");
    let made = program("mke2fs", &["-q", "-t", "ext4", "-d", source.to_str()?, part.to_str()?, "16384k"]);
    if !made {
        return None;
    }
    let path = directory.join("disk.raw");
    let mut disk = fs::File::create(&path).expect("made");
    disk.set_len(1024 * MIB).expect("sized");
    let mut sector = [0; 512];
    sector[..2].copy_from_slice(&[0xeb, 0x63]);
    sector[450] = 0x83;
    sector[454..458].copy_from_slice(&2048_u32.to_le_bytes());
    sector[458..462].copy_from_slice(&32_768_u32.to_le_bytes());
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    disk.write_all(&sector).expect("written");
    let mut bytes = Vec::new();
    fs::File::open(&part).expect("opens").read_to_end(&mut bytes).expect("reads");
    disk.seek(SeekFrom::Start(MIB)).expect("there");
    disk.write_all(&bytes).expect("written");
    Some(path)
}

fn converted(raw: &Path, extension: &str, format: &str, options: &str) -> Option<PathBuf> {
    let path = raw.with_extension(extension);
    let mut arguments = vec!["convert", "-f", "raw", "-O", format];
    if !options.is_empty() {
        arguments.extend(["-o", options]);
    }
    arguments.extend([raw.to_str()?, path.to_str()?]);
    program("qemu-img", &arguments).then_some(path)
}

fn certify(directory: &Path, disk: &Path, arguments: &[&str]) -> Output {
    let data = directory.join("data");
    let mut command = Command::new(BIN);
    command.arg("--data").arg(&data).arg("certify").arg(disk).args(arguments);
    command.output().expect("it starts")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn every_container_of_a_disk_gives_the_same_bytes() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(raw) = raw(directory.path()) else { return };
    let expected = certify(directory.path(), &raw, &["--output", "json"]);
    let verdict = json(&expected);
    assert_eq!((verdict["outcome"].as_str(), expected.status.code()), (Some("findings"), Some(1)));
    assert!(verdict["subject"].as_str().is_some_and(|subject| subject.starts_with("sha256:")));
    for (extension, format, options) in [
        ("vhd", "vpc", "subformat=fixed,force_size=on"),
        ("vhdx", "vhdx", ""),
        ("qcow2", "qcow2", ""),
        ("vmdk", "vmdk", ""),
    ] {
        let Some(disk) = converted(&raw, extension, format, options) else { return };
        let out = certify(directory.path(), &disk, &["--output", "json"]);
        assert_eq!(
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&expected.stdout),
            "{extension}"
        );
    }
}

#[test]
fn packs_are_chosen_by_name_on_the_command_line_and_in_the_configuration() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(raw) = raw(directory.path()) else { return };
    let Some(disk) = converted(&raw, "vhd", "vpc", "subformat=dynamic,force_size=on") else { return };
    let rule = |verdict: &Value, id: &str| {
        let checks = verdict["checks"].as_array().cloned().unwrap_or_default();
        let check = checks.iter().find(|check| check["rule"] == id).cloned().unwrap_or_default();
        check["result"].as_str().unwrap_or_default().to_owned()
    };
    let modern = json(&certify(directory.path(), &disk, &["--output", "json"]));
    assert_eq!((rule(&modern, "VHD-02"), rule(&modern, "LNX-01")), ("off".into(), "error".into()));
    let old = json(&certify(directory.path(), &disk, &["--output", "json", "--policy", "legacy-2021"]));
    assert_eq!((rule(&old, "VHD-02"), rule(&old, "LNX-01")), ("error".into(), "warning".into()));
    fs::create_dir_all(directory.path().join("data")).expect("made");
    fs::write(directory.path().join("data/mercat.toml"), "[certification]\npolicy = \"legacy-2017\"\n")
        .expect("written");
    let configured = json(&certify(directory.path(), &disk, &["--output", "json"]));
    assert_eq!(configured["policy"]["name"], "legacy-2017");
}

#[test]
fn the_self_test_document_lists_every_test_with_its_result() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(raw) = raw(directory.path()) else { return };
    let out = certify(directory.path(), &raw, &["--format", "self-test", "--os", "linux"]);
    let document = json(&out);
    assert_eq!((document["TestResult"].as_str(), out.status.code()), (Some("Fail"), Some(1)));
    assert_eq!(
        (document["SchemaVersion"].as_u64(), document["OSName"].as_str()),
        (Some(1), Some("Debian 12"))
    );
    let tests = document["Tests"].as_array().expect("tests");
    let ids: Vec<&str> = tests.iter().take(12).filter_map(|test| test["TestID"].as_str()).collect();
    assert_eq!(ids, ["48", "39", "40", "41", "42", "44", "45", "46", "49", "50", "51", "52"]);
    assert_eq!((tests[0]["Result"].as_str(), tests[3]["Result"].as_str()), (Some("Failed"), Some("Passed")));
    assert!(tests.iter().all(|test| test["TestCaseName"].as_str().is_some_and(|name| !name.is_empty())));
}

#[test]
fn a_disk_in_disguise_is_refused_and_wrong_arguments_are_usage() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(raw) = raw(directory.path()) else { return };
    let Some(disk) = converted(&raw, "qcow2", "qcow2", "") else { return };
    let disguised = directory.path().join("other.raw");
    fs::rename(&disk, &disguised).expect("moved");
    let out = certify(directory.path(), &disguised, &["--output", "json"]);
    let verdict = json(&out);
    assert_eq!((verdict["findings"][0]["rule"].as_str(), out.status.code()), (Some("DSK-07"), Some(1)));
    assert!(verdict["disk"].is_null());
    let declared = certify(directory.path(), &disguised, &["--disk-format", "qcow2", "--output", "json"]);
    assert!(json(&declared)["disk"].is_object());
    for arguments in [["--open-port", "70000"], ["--disk-format", "qed"], ["--os", "plan9"]] {
        assert_eq!(certify(directory.path(), &raw, &arguments).status.code(), Some(64), "{arguments:?}");
    }
    assert_eq!(certify(directory.path(), &directory.path().join("no.vhd"), &[]).status.code(), Some(64));
}

#[test]
fn a_clean_windows_on_a_real_ntfs_volume_passes_and_one_account_more_fails_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let clean = windows::drive::clean();
    let Some(volume) = windows::ntfs::volume(directory.path(), &clean) else { return };
    let arguments = ["--os", "windows", "--output", "json"];
    let out = certify(directory.path(), &windows::ntfs::disk(&volume, &[]), &arguments);
    let verdict = json(&out);
    assert_eq!((verdict["outcome"].as_str(), out.status.code()), (Some("pass"), Some(0)), "{verdict}");
    assert_eq!(verdict["disk"]["volumes"][0]["contents"], "ntfs");
    let mut drive = clean.clone();
    drive.sam.at("SAM\\Domains\\Account\\Users\\Names\\support");
    let changed = windows::ntfs::changed(&volume, &clean, &drive);
    let out = certify(directory.path(), &windows::ntfs::disk(&changed, &[]), &arguments);
    let verdict = json(&out);
    assert_eq!((verdict["findings"][0]["rule"].as_str(), out.status.code()), (Some("WIN-24"), Some(1)));
    assert_eq!(verdict["findings"].as_array().map(Vec::len), Some(1), "{verdict}");
}
