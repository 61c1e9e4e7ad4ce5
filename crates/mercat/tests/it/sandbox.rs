//! Children that touch foreign bytes are confined, or do not start.

use crate::house::{BIN, skipped};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use std::path::Path;
use std::process::{Command, Output};

fn layout(dir: &Path) {
    let config = br#"{"architecture":"amd64","os":"linux","config":{"User":"app"},"rootfs":{"type":"layers","diff_ids":[]}}"#;
    let blobs = dir.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).expect("made");
    let keep = |bytes: &[u8]| {
        use sha2::Digest as _;
        let hex: String = sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(blobs.join(&hex), bytes).expect("written");
        (format!("sha256:{hex}"), bytes.len())
    };
    let (config, size) = keep(config);
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":{size}}},"layers":[]}}"#
    );
    let (manifest, size) = keep(manifest.as_bytes());
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{manifest}","size":{size}}}]}}"#
    );
    std::fs::write(dir.join("index.json"), index).expect("written");
    std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
}

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
    layout(&image);
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
