//! Containers that name files of the host: our reader refuses them, and where somebody else's reader
//! opens them, confinement keeps the files closed. Each defence is shown to suffice alone.

use crate::house::{BIN, has};
use mercat_boot::confine::{Job, Limits, Paths};
use mercat_disk::{Declared, FileReadAt};
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
    let trap = |name, declared, format| Trap { name, file: at.join(name), declared, format };
    let traps = vec![
        trap("backing.qcow2", Declared::Qcow2, Some("qcow2")),
        trap("json.qcow2", Declared::Qcow2, Some("qcow2")),
        trap("external.qcow2", Declared::Qcow2, Some("qcow2")),
        trap("guessed.raw", Declared::Raw, None),
        trap("extent.vmdk", Declared::Vmdk, Some("vmdk")),
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
    for trap in traps(scratch.path(), host.path()) {
        let open = scratch.path().join("open.raw");
        let bare = Command::new(&program).args(arguments(&trap, &open)).output().expect("starts");
        assert!(discloses(&open), "{}: the trap works: {}", trap.name, String::from_utf8_lossy(&bare.stderr));

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
            assert!(!confined.status.success() && !discloses(&closed), "{}: {errors}", trap.name);
            assert!(errors.contains("Permission denied"), "{}: {errors}", trap.name);
        }

        let file = FileReadAt::new(std::fs::File::open(&trap.file).expect("opens")).expect("a file");
        let refused = mercat_disk::open(Arc::new(file), Some(trap.declared));
        assert!(refused.is_err(), "{}: our reader alone", trap.name);
    }
}
