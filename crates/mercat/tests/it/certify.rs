//! The API document, and the command line's help.

use crate::House;
use crate::house::BIN;
use serde_json::Value;
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
    std::fs::write(data.join("mercat.toml"), "[publishing]\ncancel = \"never\"\n").expect("written");
    let out = Command::new(BIN)
        .args(["--data", data.to_str().expect("plain"), "doctor"])
        .output()
        .expect("it starts");
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stdout).contains("from-sign-off or any-time"));
}
