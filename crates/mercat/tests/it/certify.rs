//! The API document, and the command line's help.

use crate::House;
use crate::house::{BIN, layout, noise, sha256, tar};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_api_document_names_every_api_route() {
    let house = House::open().await;
    let answer = house.http.get(format!("{}/api/openapi.json", house.base)).send().await.expect("answers");
    let document: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
    assert_eq!(document["openapi"], "3.1.0");
    let routes = mercat_web::routes::ROUTES.iter().filter(|route| route.path.starts_with("/api"));
    for route in routes {
        assert!(
            document["paths"][route.path][route.method.to_lowercase()].is_object(),
            "{} {}",
            route.method,
            route.path
        );
    }
}

#[test]
fn help_teaches_the_references_and_the_exit_codes() {
    let out = Command::new(BIN).args(["certify", "--help"]).output().expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    for part in ["oci:DIR", "docker-archive:FILE", "--output", "--sbom"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let out = Command::new(BIN).arg("--help").output().expect("it starts");
    assert!(String::from_utf8_lossy(&out.stdout).contains("64 usage"));
}

#[test]
fn doctor_says_what_is_missing_and_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let out = Command::new(BIN)
        .args(["--data", data.to_str().expect("plain"), "doctor"])
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(0), "{text}");
    assert!(text.contains("mercat advisories import") && text.contains("confines itself"), "{text}");
    // A mail server that does not answer, and a key that is another than the one before.
    std::fs::write(
        data.join("mercat.toml"),
        "[smtp]\nhost = \"127.0.0.1\"\nport = 9\nfrom = \"m@example.org\"\n",
    )
    .expect("written");
    let out = Command::new(BIN)
        .args(["--data", data.to_str().expect("plain"), "doctor"])
        .env("MERCAT_MASTER_KEY", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=")
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(2), "{text}");
    for part in ["smtp.security is starttls", "does not open what this server has sealed"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    std::fs::write(data.join("mercat.toml"), "[publishing]\ncancel = \"never\"\n").expect("written");
    let out = Command::new(BIN)
        .args(["--data", data.to_str().expect("plain"), "doctor"])
        .output()
        .expect("it starts");
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stdout).contains("from-sign-off or any-time"));
}

#[test]
fn advisories_that_are_named_and_are_none_are_an_error_and_no_pass() {
    let dir = tempfile::tempdir().expect("a directory");
    crate::house::layout(dir.path(), &[crate::house::tar(&[("a", b"b")])], &["latest"]);
    let file = dir.path().join("not-a-snapshot");
    std::fs::write(&file, "root:x:0:0").expect("written");
    let out = Command::new(BIN)
        .args(["--data", "/nonexistent-mercat", "certify", "--advisories", file.to_str().expect("plain")])
        .arg(format!("oci:{}:latest", dir.path().display()))
        .output()
        .expect("it starts");
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() != Some(0) && told.contains("not-a-snapshot"), "{:?} {told}", out.status);
}

fn verdict(image: &Path, cache: &Path) -> Value {
    let out = Command::new(BIN)
        .args(["--data", "/nonexistent-mercat", "certify", "--format", "json", "--cache"])
        .arg(cache)
        .arg(format!("oci:{}:latest", image.display()))
        .output()
        .expect("it starts");
    serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)))
}

/// Makes a layer unreadable, so that reading it cannot go unnoticed.
fn spoil(image: &Path, layer: &[u8]) {
    let blob = image.join("blobs/sha256").join(&sha256(&crate::house::gzip(layer))[7..]);
    let size = std::fs::metadata(&blob).expect("a blob").len();
    std::fs::write(&blob, vec![0; usize::try_from(size).expect("small")]).expect("written");
}

#[test]
fn a_cache_reads_what_is_new_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let (image, cache) = (dir.path().join("image"), dir.path().join("cache"));
    let base = tar(&[("opt/base", &noise(1 << 20, 1))]);
    layout(&image, std::slice::from_ref(&base), &["latest"]);
    let first = verdict(&image, &cache);
    assert_eq!(first["outcome"], "pass", "{first:#}");
    spoil(&image, &base);
    assert_eq!(verdict(&image, &cache), first, "nothing was read");
    let virus = tar(&[("opt/new", &crate::threats::test_string())]);
    layout(&image, &[base.clone(), virus], &["latest"]);
    spoil(&image, &base);
    let rules = |verdict: &Value| -> Vec<String> {
        let findings = verdict["findings"].as_array().expect("a list").iter();
        findings.map(|finding| finding["rule"].as_str().expect("a rule").to_owned()).collect()
    };
    let second = rules(&verdict(&image, &cache));
    assert!(second.contains(&"CTR-20".to_owned()), "the new layer was read: {second:?}");
    let fresh = rules(&verdict(&image, &dir.path().join("another")));
    let broken: Vec<&String> = fresh.iter().filter(|rule| !second.contains(rule)).collect();
    assert!(!broken.is_empty(), "the old layer is unreadable, but only without a cache: {fresh:?}");
}
