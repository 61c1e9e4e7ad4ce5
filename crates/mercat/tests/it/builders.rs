//! What ordinary builders make is accepted: none of their layers is called ambiguous.

use crate::house::{BIN, has, layout, run, sha256, tar};
use crate::publish::debian;
use serde_json::json;
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

/// What two images are called, and what is in an archive twice, tools read each in its own way.
#[test]
fn archives_that_can_be_read_in_two_ways_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let archive = dir.path().join("a.tar");
    let refused = |kind: &str, files: &[(&str, &[u8])]| {
        std::fs::write(&archive, tar(files)).expect("written");
        let reference = format!("{kind}:{}", archive.display());
        let out = Command::new(BIN)
            .args(["--data", "/nonexistent-mercat", "certify", &reference])
            .output()
            .expect("it starts");
        let told = [out.stdout, out.stderr].concat();
        (out.status.code(), String::from_utf8_lossy(&told).into_owned())
    };
    let (one, other) = (tar(&[("bin/app", b"one")]), tar(&[("bin/app", b"other")]));
    let config = |layer: &[u8]| {
        json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [sha256(layer)]}}).to_string()
    };
    let (config_of_one, config_of_other) = (config(&one), config(&other));
    let list = |tags: [&str; 2]| {
        let image = |config: &str, tag: &str, layer: &str| json!({"Config": config, "RepoTags": [tag], "Layers": [layer]});
        json!([image("one.json", tags[0], "one.tar"), image("other.json", tags[1], "other.tar")]).to_string()
    };
    let files = |list: &[&str]| {
        let parts: [(&str, &[u8]); 4] = [
            ("one.json", config_of_one.as_bytes()),
            ("one.tar", &one),
            ("other.json", config_of_other.as_bytes()),
            ("other.tar", &other),
        ];
        let lists = list.iter().map(|list| ("manifest.json", list.as_bytes()));
        let all: Vec<_> = lists.chain(parts).collect();
        refused("docker-archive", &all)
    };
    let (apart, alike) = (list(["evil:1.0", "good:2.0"]), list(["evil:1.0", "good:1.0"]));
    assert_ne!(files(&[&apart]).0, Some(64), "two images of two tags are both read");
    assert!(!files(&[&apart]).1.contains("MAN-05"));
    // The part that they share names neither; whole tags do.
    let (code, told) = files(&[&alike]);
    assert!(code == Some(0) && told.contains("evil:1.0") && told.contains("good:1.0"), "{code:?} {told}");
    let (code, told) = files(&[&list(["x:1.0", "x:1.0"])]);
    assert!(
        code == Some(1) && told.contains("MAN-05") && told.contains("two images have the tag x:1.0"),
        "{code:?} {told}"
    );
    let (code, told) = files(&[&apart, &alike]);
    assert!(
        code == Some(1) && told.contains("TAR-28") && told.contains("manifest.json is in the archive twice"),
        "{code:?} {told}"
    );
    let escapes = json!([{"Config": "c\u{1b}[31m", "Layers": []}]).to_string();
    let (_, told) = files(&[&escapes]);
    assert!(told.contains("c\\u{1b}[31m") && !told.contains('\u{1b}'), "{told:?}");

    let root = dir.path().join("layout");
    layout(&root, &[one], &["1.0"]);
    let first = std::fs::read_to_string(root.join("index.json")).expect("text");
    layout(&root, &[other], &["1.0"]);
    let second = std::fs::read_to_string(root.join("index.json")).expect("text");
    let mut index: serde_json::Value = serde_json::from_str(&first).expect("JSON");
    let more: serde_json::Value = serde_json::from_str(&second).expect("JSON");
    index["manifests"].as_array_mut().expect("a list").push(more["manifests"][0].clone());
    std::fs::write(root.join("index.json"), index.to_string()).expect("written");
    run("tar", &["-C", &root.display().to_string(), "-cf", &archive.display().to_string(), "."]);
    let out = Command::new(BIN)
        .args(["--data", "/nonexistent-mercat", "certify", &format!("oci-archive:{}", archive.display())])
        .output()
        .expect("it starts");
    let told = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    assert!(out.status.code() == Some(1) && told.contains("MAN-05"), "{:?} {told}", out.status);
}

/// `docker save` writes a list of each kind; which one is read, tools decide each in its own way.
#[test]
fn archives_whose_two_lists_name_different_images_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let (root, archive) = (dir.path().join("layout"), dir.path().join("a.tar"));
    let index = |name: &str, tag: &str| -> serde_json::Value {
        layout(&root, &[tar(&[("bin/app", name.as_bytes())])], &[tag]);
        serde_json::from_slice(&std::fs::read(root.join("index.json")).expect("read")).expect("JSON")
    };
    // Layers in gzip, as Docker's own archives have them where containerd keeps its images.
    let (mut both, other) = (index("one", "1.0"), index("other", "2.0"));
    both["manifests"].as_array_mut().expect("a list").push(other["manifests"][0].clone());
    std::fs::write(root.join("index.json"), both.to_string()).expect("written");
    let image = |at: usize, tag: &str| {
        let blob = |descriptor: &serde_json::Value| {
            format!(
                "blobs/sha256/{}",
                descriptor["digest"].as_str().expect("a digest").trim_start_matches("sha256:")
            )
        };
        let manifest = std::fs::read(root.join(blob(&both["manifests"][at]))).expect("read");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
        json!({"Config": blob(&manifest["config"]), "RepoTags": [tag], "Layers": [blob(&manifest["layers"][0])]})
    };
    let read = |kind: &str, list: serde_json::Value| {
        std::fs::write(root.join("manifest.json"), list.to_string()).expect("written");
        run("tar", &["-C", &root.display().to_string(), "-cf", &archive.display().to_string(), "."]);
        let out = Command::new(BIN)
            .args(["--data", "/nonexistent-mercat", "certify", &format!("{kind}:{}", archive.display())])
            .output()
            .expect("it starts");
        (out.status.code(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
    };
    let mut unlisted = image(0, "x:1.0");
    unlisted["Config"] = unlisted["Layers"][0].clone();
    let nameless = |at: usize| {
        let mut image = image(at, "");
        image["RepoTags"] = serde_json::Value::Null;
        image
    };
    for kind in ["docker-archive", "oci-archive"] {
        for agreeing in
            [json!([image(0, "x:1.0"), image(1, "x:2.0")]), json!([image(1, "y:latest"), nameless(0)])]
        {
            let (code, told) = read(kind, agreeing);
            assert!(code == Some(0) && !told.contains("MAN-05"), "{kind} {code:?} {told}");
        }
        let cases = [
            (json!([image(1, "x:1.0")]), "has another image as x:1.0 than index.json"),
            (json!([unlisted.clone()]), "index.json does not"),
        ];
        for (list, why) in cases {
            let (code, told) = read(kind, list);
            assert!(
                code == Some(1) && told.contains("MAN-05") && told.contains(why),
                "{kind} {code:?} {told}"
            );
        }
    }
    // All that is read is in the other list, too; what is not read need not be.
    let (code, told) = read("docker-archive", json!([image(0, "x:1.0")]));
    assert!(
        code == Some(1) && told.contains("lists the image 2.0, manifest.json does not"),
        "{code:?} {told}"
    );
    assert_eq!(read("oci-archive", json!([image(0, "x:1.0")])).0, Some(0));
    let (code, told) = read("docker-archive", json!([]));
    assert!(code == Some(1) && told.contains("MAN-05"), "{code:?} {told}");
    // Whole names tell apart what has one tag in two repositories.
    let mut whole = both.clone();
    for (at, name) in ["docker.io/library/x:1.0", "docker.io/y/x:1.0"].iter().enumerate() {
        whole["manifests"][at]["annotations"] = json!({"io.containerd.image.name": name});
    }
    std::fs::write(root.join("index.json"), whole.to_string()).expect("written");
    let (code, told) = read("docker-archive", json!([image(0, "x:1.0"), image(1, "y/x:1.0")]));
    assert!(code == Some(0) && !told.contains("MAN-05"), "{code:?} {told}");
    let (code, told) = read("docker-archive", json!([image(1, "x:1.0"), image(0, "y/x:1.0")]));
    assert!(code == Some(1) && told.contains("MAN-05"), "{code:?} {told}");
    // One index inside of itself, and one that is none.
    let circle = format!("blobs/sha256/{}", "a".repeat(64));
    let entry = json!({"mediaType": "x", "digest": format!("sha256:{}", "a".repeat(64)), "size": 1});
    let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
    std::fs::write(root.join(circle), &index).expect("written");
    std::fs::write(root.join("index.json"), index).expect("written");
    assert_eq!(read("docker-archive", json!([nameless(0)])).0, Some(0));
    std::fs::write(root.join("index.json"), r#"{"schemaVersion": 2, "manifests": null}"#).expect("written");
    assert_eq!(read("docker-archive", json!([nameless(0)])).0, Some(0));
    // An archive without an image is not certified.
    std::fs::write(root.join("index.json"), r#"{"schemaVersion": 2, "manifests": []}"#).expect("written");
    let (code, told) = read("docker-archive", json!([image(0, "x:1.0")]));
    assert!(code == Some(1) && told.contains("index.json does not"), "{code:?} {told}");
    for (kind, list) in [("docker-archive", "manifest.json"), ("oci-archive", "index.json")] {
        let (code, told) = read(kind, json!([]));
        let why = format!("{list} lists no image");
        assert!(code == Some(1) && told.contains("CTR-13") && told.contains(&why), "{kind} {code:?} {told}");
    }
}
