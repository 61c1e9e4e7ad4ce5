//! One verdict in every form, from the command line and from the server.

use crate::House;
use crate::house::{BIN, layout, tar};
use reqwest::StatusCode;
use serde_json::Value;
use std::process::{Command, Output};

/// Whether a document is what the committed schema describes.
pub(crate) fn valid(document: &Value) -> Result<(), String> {
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    let schema = serde_json::from_str(mercat_report::SCHEMA).map_err(|error| error.to_string())?;
    compiler.add_resource("mem:///verdict.json", schema).map_err(|error| error.to_string())?;
    let index = compiler.compile("mem:///verdict.json", &mut schemas).map_err(|error| error.to_string())?;
    schemas.validate(document, index).map_err(|error| format!("{error:#}"))
}

fn certify(reference: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(BIN);
    command.args(["--data", "/nonexistent-mercat", "certify", reference]).args(arguments);
    command.env_remove("NO_COLOR").env("LANG", "C").output().expect("it starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn command_line_and_server_give_the_same_verdict_in_every_form() {
    let house = House::open().await;
    let root = house.dir.path().join("images/forms");
    layout(&root, &[tar(&[("etc/motd", b"hello")])], &["latest", "1.0.0"]);
    let reference = format!("oci:{}", root.display());
    let offer = house
        .offer("forms", &reference, &["latest", "1.0.0"], std::slice::from_ref(&house.subscription().await.0))
        .await;
    house.save(&offer).await;
    house.publish("forms").await;
    let status = house.until("forms", &["waitingForPublisherReview", "failed"]).await;
    let steps = status["steps"].as_array().expect("steps").clone();
    let certify_step = steps.iter().find(|step| step["id"] == "certify").expect("there");
    let digest = certify_step["verdicts"].as_object().expect("verdicts").keys().next().expect("one").clone();
    let place = format!(
        "{}/api/v1/publishers/aurora/offers/forms/submissions/{}/verdicts/{digest}",
        house.base,
        status["submission"].as_str().expect("an id")
    );
    let get = async |query: &str, accept: &str, token: &str| {
        let request = house.http.get(format!("{place}{query}")).header("accept", accept).bearer_auth(token);
        let answer = request.send().await.expect("answers");
        let kind = answer.headers().get("content-type").map(|kind| kind.to_str().expect("text").to_owned());
        (answer.status(), kind.unwrap_or_default(), answer.text().await.expect("text"))
    };
    let reference = format!("{reference}:latest");
    let (_, kind, document) = get("", "*/*", &house.token).await;
    assert_eq!(kind, "application/json");
    valid(&serde_json::from_str(&document).expect("JSON")).expect("by the schema");
    let here = certify(&reference, &["--format", "json"]);
    assert_eq!(String::from_utf8_lossy(&here.stdout), document, "{}", String::from_utf8_lossy(&here.stderr));
    for (name, accept, wanted) in [
        ("sarif", "application/sarif+json", "application/sarif+json"),
        ("junit", "application/xml", "application/xml; charset=utf-8"),
        ("html", "text/html", "text/html; charset=utf-8"),
        ("text", "text/plain", "text/plain; charset=utf-8"),
    ] {
        let (_, kind, by_name) = get(&format!("?format={name}"), "*/*", &house.token).await;
        let (_, _, by_accept) = get("", accept, &house.token).await;
        assert_eq!((kind.as_str(), &by_name), (wanted, &by_accept));
        assert!(by_name.contains(&digest), "{by_name}");
        let here = certify(&reference, &["--format", name]);
        let here = String::from_utf8_lossy(&here.stdout).into_owned();
        // Only the name by which the caller knows the image differs.
        let lines = |text: &str| {
            text.lines().filter(|line| !line.contains(&digest)).map(str::to_owned).collect::<Vec<_>>()
        };
        if name != "html" && name != "sarif" {
            assert_eq!(lines(&here), lines(&by_name), "{name}");
        }
    }
    assert_eq!(get("?format=pdf", "*/*", &house.token).await.0, StatusCode::BAD_REQUEST);
    for format in ["", "?format=html", "?format=sarif"] {
        assert_eq!(get(format, "*/*", "unknown").await.0, StatusCode::UNAUTHORIZED, "{format}");
    }
}

#[test]
fn the_report_goes_to_a_file_and_colour_is_as_asked() {
    let directory = tempfile::tempdir().expect("a directory");
    let disk = directory.path().join("noise.raw");
    std::fs::write(&disk, [7; 4096]).expect("written");
    let disk = disk.to_str().expect("plain");
    let file = directory.path().join("report.json");
    let out = certify(disk, &["--format", "sarif", "--out", file.to_str().expect("plain")]);
    assert!(out.stdout.is_empty() && out.status.code() != Some(0));
    let sarif: Value = serde_json::from_slice(&std::fs::read(&file).expect("written")).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
    let document: Value = serde_json::from_slice(&certify(disk, &["--format", "json"]).stdout).expect("JSON");
    valid(&document).expect("by the schema");
    let has = |arguments: &[&str]| certify(disk, arguments).stdout.contains(&0x1b);
    assert!(has(&["--color", "always"]) && !has(&["--color", "never"]) && !has(&[]));
    let japanese = certify(disk, &["--format", "html", "--lang", "ja"]);
    assert!(String::from_utf8_lossy(&japanese.stdout).contains("<html lang=\"ja\">"));
    assert_eq!(certify(disk, &["--format", "pdf"]).status.code(), Some(64));
}

#[test]
fn a_damaged_list_of_images_is_a_verdict_in_every_form() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().join("image");
    layout(&root, &[tar(&[("etc/motd", b"hello")])], &["latest"]);
    let reference = format!("oci:{}", root.display());
    let index = root.join("index.json");
    let whole = std::fs::read_to_string(&index).expect("read");
    let named: Value = serde_json::from_str(&whole).expect("JSON");
    let digest = named["manifests"][0]["digest"].as_str().and_then(|digest| digest.split_once(':'));
    let (_, manifest) = digest.expect("a digest");
    let judged = |rule: &str| {
        let out = certify(&reference, &["--format", "json"]);
        let document: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        valid(&document).expect("by the schema");
        assert_eq!((out.status.code(), &document["findings"][0]["rule"]), (Some(1), &rule.into()));
        for form in ["junit", "sarif", "html", "text", "self-test"] {
            let out = certify(&reference, &["--format", form]);
            let text = String::from_utf8_lossy(&out.stdout);
            assert!(
                text.contains(rule) && (form != "html" || text.contains("unreadable")),
                "{form}: {out:?}"
            );
        }
    };
    std::fs::write(&index, &whole[..whole.len() / 2]).expect("written");
    judged("JSON-01");
    std::fs::write(&index, &whole).expect("written");
    std::fs::remove_file(root.join("blobs/sha256").join(manifest)).expect("removed");
    judged("CTR-13");
}
