//! Images of the two small kinds that people build on, made of real packages of this machine: nothing in them is an
//! alarm, and what is put into them is.

use crate::house::{BIN, has, layout, skipped};
use serde_json::Value;
use sha1::{Digest as _, Sha1};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

const PACKAGES: &[&str] = &[
    "base-files",
    "bash",
    "busybox",
    "ca-certificates",
    "coreutils",
    "curl",
    "dash",
    "git",
    "grep",
    "gzip",
    "libc6",
    "libcurl4",
    "libssl3",
    "libssl3t64",
    "netbase",
    "openssh-client",
    "openssl",
    "perl-base",
    "tar",
    "tzdata",
    "zlib1g",
];

/// A package of this machine, with its files that a container would carry.
struct Package {
    name: String,
    version: String,
    files: Vec<String>,
}

fn out(program: &str, arguments: &[&str]) -> Option<String> {
    let done = Command::new(program).args(arguments).output().ok()?;
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

/// What dpkg says is installed here; nothing, said aloud, where there is no dpkg.
fn packages() -> Vec<Package> {
    if !has("dpkg-query") {
        skipped("skipped: no dpkg on this machine, so no image was made of its packages");
        return Vec::new();
    }
    let one = |name: &&str| {
        let about = out("dpkg-query", &["-W", "-f=${db:Status-Abbrev} ${Version}", name])?;
        let version = about.strip_prefix("ii ")?.trim().to_owned();
        let listed = out("dpkg-query", &["-L", name])?;
        // Links of directories (`/bin`) are left out: what lies below them has its place anyway.
        let kept = |path: &&str| fs::metadata(path).is_ok_and(|about| !about.is_dir());
        let files: Vec<String> = listed.lines().filter(kept).map(str::to_owned).collect();
        Some(Package { name: (*name).to_owned(), version, files })
    };
    PACKAGES.iter().filter_map(one).collect()
}

/// Copies the packages into a tree.
fn tree(root: &Path, packages: &[Package]) {
    let (list, packed) = (root.with_extension("list"), root.with_extension("tar"));
    let files = packages.iter().flat_map(|package| &package.files);
    fs::write(&list, files.map(|file| format!(".{file}\n")).collect::<String>()).expect("written");
    tar(&["-C", "/", "--no-recursion", "-cf", text(&packed), "-T", text(&list)]);
    tar(&["-C", text(root), "-xf", text(&packed)]);
}

fn text(path: &Path) -> &str {
    path.to_str().expect("plain")
}

fn tar(arguments: &[&str]) {
    let done = Command::new("tar").args(arguments).output().expect("tar starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
    fs::write(path, text).expect("written");
}

/// The regular files of a package with their bytes.
fn regular<'a>(root: &'a Path, package: &'a Package) -> impl Iterator<Item = (&'a str, Vec<u8>)> {
    let names = package.files.iter().map(|file| file.trim_start_matches('/'));
    let with_bytes = |name| {
        let path = root.join(name);
        let is_file = fs::symlink_metadata(&path).is_ok_and(|about| about.is_file());
        is_file.then(|| (name, fs::read(&path).expect("read")))
    };
    names.filter_map(with_bytes)
}

/// As Alpine's package manager leaves it: one database, with the SHA-1 of every file.
fn as_apk(root: &Path, packages: &[Package]) {
    let mut database = String::new();
    for package in packages {
        let _ = write!(
            database,
            "C:Q1{}\nP:{}\nV:{}\nA:x86_64\nL:MIT\n",
            base64([0; 20]),
            package.name,
            package.version
        );
        for (file, bytes) in regular(root, package) {
            let (directory, name) = file.rsplit_once('/').unwrap_or(("", file));
            let digest: [u8; 20] = Sha1::digest(&bytes).into();
            let _ = write!(database, "F:{directory}\nR:{name}\nZ:Q1{}\n", base64(digest));
        }
        database.push('\n');
    }
    put(root, "lib/apk/db/installed", &database);
    put(root, "etc/os-release", "ID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME=\"Alpine Linux v3.20\"\n");
}

/// As Distroless images have it: a file for each package, with dpkg's own MD5 of what it installed.
fn as_distroless(root: &Path, packages: &[Package]) {
    for package in packages {
        let name = &package.name;
        let about = format!("Package: {name}\nVersion: {}\nArchitecture: amd64\n", package.version);
        put(root, &format!("var/lib/dpkg/status.d/{name}"), &about);
        let control = out("dpkg-query", &["--control-path", name, "md5sums"]).unwrap_or_default();
        if let Ok(sums) = fs::read_to_string(control.trim()) {
            put(root, &format!("var/lib/dpkg/status.d/{name}.md5sums"), &sums);
        }
    }
    put(root, "etc/os-release", "ID=debian\nVERSION_ID=12\nPRETTY_NAME=\"Distroless\"\n");
    put(
        root,
        "etc/passwd",
        "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
    );
}

/// The rules of the findings that are more than information, with their paths.
fn alarms(dir: &Path, root: &Path) -> BTreeSet<(String, String)> {
    let packed = dir.join("layer.tar");
    tar(&[
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "-C",
        text(root),
        "-cf",
        text(&packed),
        ".",
    ]);
    let image = dir.join("image");
    let _ = fs::remove_dir_all(&image);
    layout(&image, &[fs::read(&packed).expect("read")], &["latest"]);
    let done = Command::new(BIN)
        .args(["--data", "/nonexistent-mercat", "certify", "--format", "json"])
        .arg(format!("oci:{}:latest", image.display()))
        .output()
        .expect("it starts");
    let verdict: Value = serde_json::from_slice(&done.stdout).expect("a verdict");
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = verdict["findings"].as_array().expect("a list").iter();
    let found = found.filter(|finding| finding["severity"] != "info");
    found.map(|finding| (word(&finding["rule"]), word(&finding["path"]))).collect()
}

/// No advisories were imported, and no more is said than that.
fn only_missing_advisories(alarms: &BTreeSet<(String, String)>) {
    let others: Vec<_> = alarms.iter().filter(|(rule, _)| rule != "INC-06").collect();
    assert!(others.is_empty(), "false alarms: {others:#?}");
}

fn is_clean_until_spoiled(dress: fn(&Path, &[Package])) {
    let packages = packages();
    if packages.len() < 5 {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    fs::create_dir(&root).expect("a directory");
    tree(&root, &packages);
    dress(&root, &packages);
    // What the image starts.
    put(&root, "bin/app", "#!/usr/bin/openssl\n");
    fs::set_permissions(root.join("bin/app"), fs::Permissions::from_mode(0o755)).expect("a mode");
    only_missing_advisories(&alarms(dir.path(), &root));
    let openssl = root.join("usr/bin/openssl");
    let mut program = fs::read(&openssl).expect("it is among the packages");
    *program.last_mut().expect("bytes") ^= 1;
    fs::write(&openssl, program).expect("written");
    fs::create_dir_all(root.join("srv")).expect("a directory");
    fs::write(root.join("srv/virus"), crate::threats::test_string()).expect("written");
    let alarms = alarms(dir.path(), &root);
    for (rule, path) in [("PKG-06", "usr/bin/openssl"), ("CTR-20", "srv/virus")] {
        let found = alarms.iter().any(|(of, at)| of == rule && at.trim_start_matches('/') == path);
        assert!(found, "{rule} at {path} in {alarms:#?}");
    }
}

#[test]
fn an_image_in_the_style_of_alpine_is_clean() {
    is_clean_until_spoiled(as_apk);
}

#[test]
fn an_image_in_the_style_of_distroless_is_clean() {
    is_clean_until_spoiled(as_distroless);
}

fn base64(bytes: [u8; 20]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
