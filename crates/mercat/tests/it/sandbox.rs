//! Children that touch foreign bytes are confined, or do not start.

use crate::house::{BIN, layout, skipped};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use std::process::{Command, Output};

/// Runs the program as on a kernel that was built without Landlock.
fn without_landlock(arguments: Vec<String>) -> Option<Output> {
    let run = std::thread::spawn(move || {
        let architecture = TargetArch::try_from(std::env::consts::ARCH).ok()?;
        let calls = [444, 445, 446].map(|call| (call, Vec::new())).into();
        // ENOSYS is 38 on every architecture that the filter knows.
        let filter =
            SeccompFilter::new(calls, SeccompAction::Allow, SeccompAction::Errno(38), architecture).ok()?;
        let program: BpfProgram = filter.try_into().ok()?;
        seccompiler::apply_filter(&program).ok()?;
        Command::new(BIN).args(arguments).output().ok()
    });
    run.join().ok()?
}

#[test]
fn a_kernel_that_cannot_confine_is_refused_and_with_the_flag_every_verdict_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let (image, data) = (dir.path().join("image"), dir.path().join("data"));
    layout(&image, &[], &["latest"]);
    std::fs::create_dir_all(&data).expect("made");
    let arguments = || -> Vec<String> {
        let (data, image) = (data.display().to_string(), format!("oci:{}", image.display()));
        ["--data", &data, "certify", &image, "--output", "json"].map(str::to_owned).into()
    };
    let confined = Command::new(BIN).args(arguments()).output().expect("it starts");
    let text = String::from_utf8_lossy(&confined.stdout).into_owned();
    assert!(!text.contains("BOX-01") && text.contains("mercat.verdict"), "{text}");

    let Some(refused) = without_landlock(arguments()) else {
        return skipped("skipped: no filter of system calls can be set here");
    };
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(
        said.contains("Landlock") && said.contains("allow_unconfined") && refused.stdout.is_empty(),
        "{said}"
    );

    std::fs::write(data.join("mercat.toml"), "[certification]\nallow_unconfined = true\n").expect("written");
    let allowed = without_landlock(arguments()).expect("it ran before");
    let text = String::from_utf8_lossy(&allowed.stdout).into_owned();
    assert!(text.contains("BOX-01") && text.contains("inspected without confinement"), "{text}");
}
