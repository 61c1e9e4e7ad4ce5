//! What ordinary builders make is accepted: none of their layers is called ambiguous.

use crate::house::{BIN, has, layout, run, tar};
use crate::publish::debian;
use std::path::Path;
use std::process::Command;

/// Certifies and asserts that nothing about the form of the image was refused.
fn accepted(reference: &str, what: &str) {
    let out = Command::new(BIN)
        .args(["--data", "/nonexistent-mercat", "certify", "--output", "json", reference])
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(!text.is_empty(), "{what}: {}", String::from_utf8_lossy(&out.stderr));
    let verdict: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for finding in verdict["findings"].as_array().expect("a list") {
        let rule = finding["rule"].as_str().expect("a rule");
        for code in ["TAR-", "GZ-", "ZST-", "LAY-", "MAN-", "CFG-", "JSON-", "CTR-13", "CTR-29"] {
            assert!(!rule.starts_with(code), "{what} was refused: {text}");
        }
    }
}

fn make(dir: &Path) -> String {
    let files: &[(&str, &[u8])] = &[("bin/app", b"x"), ("etc/motd", b"hello")];
    layout(dir, &[tar(files), tar(&[("etc/.wh.motd", b"")])], &["latest"]);
    format!("oci:{}:latest", dir.display())
}

#[test]
fn skopeo_archives_are_accepted() {
    if !has("skopeo") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let from = make(&dir.path().join("layout"));
    for (kind, name) in [("docker-archive", "d.tar"), ("oci-archive", "o.tar")] {
        let path = dir.path().join(name);
        run("skopeo", &["--insecure-policy", "copy", &from, &format!("{kind}:{}:x/y:1.0", path.display())]);
        accepted(&format!("{kind}:{}", path.display()), kind);
    }
    let zstd = dir.path().join("zstd");
    run(
        "skopeo",
        &[
            "--insecure-policy",
            "copy",
            "--dest-compress-format",
            "zstd",
            "--dest-compress",
            &from,
            &format!("dir:{}", zstd.display()),
        ],
    );
}

#[test]
fn buildah_images_are_accepted() {
    if !has("buildah") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (root, runroot) = (dir.path().join("root"), dir.path().join("run"));
    let buildah = |args: &[&str]| {
        let base = [
            "--root",
            root.to_str().expect("plain"),
            "--runroot",
            runroot.to_str().expect("plain"),
            "--storage-driver",
            "vfs",
        ];
        run("buildah", &[&base, args].concat()).trim().to_owned()
    };
    let container = buildah(&["from", "scratch"]);
    let file = dir.path().join("file");
    std::fs::write(&file, "hello").expect("written");
    buildah(&["copy", &container, file.to_str().expect("plain"), "/a/long/path/to/the/file"]);
    buildah(&["config", "--user", "1000", &container]);
    let target = dir.path().join("out");
    buildah(&["commit", &container, &format!("oci:{}:latest", target.display())]);
    accepted(&format!("oci:{}:latest", target.display()), "buildah");
}

#[test]
fn umoci_images_are_accepted() {
    if !has("umoci") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let image = dir.path().join("image");
    let named = format!("{}:latest", image.display());
    run("umoci", &["init", "--layout", image.to_str().expect("plain")]);
    run("umoci", &["new", "--image", &named]);
    let tree = dir.path().join("tree");
    std::fs::create_dir_all(tree.join("sub")).expect("a directory");
    std::fs::write(tree.join("sub/file"), "hello").expect("written");
    std::os::unix::fs::symlink("file", tree.join("sub/link")).expect("a link");
    run("umoci", &["insert", "--image", &named, tree.to_str().expect("plain"), "/data"]);
    accepted(&format!("oci:{named}"), "umoci");
}

#[test]
fn a_debian_of_mmdebstrap_is_accepted_and_clean() {
    let Some(rootfs) = debian() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    layout(dir.path(), &[std::fs::read(rootfs).expect("the root file system")], &["latest"]);
    let reference = format!("oci:{}:latest", dir.path().display());
    accepted(&reference, "mmdebstrap");
    let out = Command::new(BIN)
        .args(["--data", "/nonexistent-mercat", "certify", "--output", "json", &reference])
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let verdict: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    // About the image as a whole there is something to say: it has no user and no labels. Of its files only a library
    // with the keys of its self-tests, which without advisories could be anybody's.
    let is_alarm = |finding: &&serde_json::Value| {
        let of_file = finding.get("path").is_some() && finding["rule"] != "CTR-21-ELF";
        finding["severity"] == "error" || finding["severity"] == "warning" && of_file
    };
    let alarms: Vec<_> = verdict["findings"].as_array().expect("a list").iter().filter(is_alarm).collect();
    assert!(alarms.is_empty(), "false alarms on a stock Debian: {alarms:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_tells_its_story() {
    let listen = format!("127.0.0.1:{}", crate::house::free_port());
    let out = Command::new(BIN).args(["demo", "--exit", "--listen", &listen]).output().expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(0), "{text} {}", String::from_utf8_lossy(&out.stderr));
    for part in [
        "CTR-21",
        "srv/.ssh/id_ed25519",
        "results used again 2",
        "404, as for what does not exist",
        "the same as certified",
        "N6 Greeter: live",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    if crate::guest::can_build() {
        for part in ["LNX-01", "LNX-04", "LNX-14", "Provisioning", "vhd-fixed"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
}
