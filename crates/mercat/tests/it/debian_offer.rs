//! A real Debian, as four disk images, from draft to preview: one verdict, one boot test, four downloads.

use crate::House;
use crate::debian;
use crate::house::{has, run};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Name of the plan, file, format of `qemu-img`, format of the download.
const FORMATS: [(&str, &str, &str, &str); 4] = [
    ("raw", "debian.raw", "raw", "raw"),
    ("vhd", "debian.vhd", "vpc", "vhd-fixed"),
    ("vhdx", "debian.vhdx", "vhdx", "vhdx"),
    ("qcow2", "debian.qcow2", "qcow2", "qcow2"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_debian_in_four_formats_gets_one_verdict_boots_and_comes_back_in_four_formats() {
    if !has("qemu-system-x86_64") || !has("qemu-img") {
        return;
    }
    let Some(disk) = tokio::task::spawn_blocking(debian::disk).await.expect("no panic") else { return };
    let _turn = debian::TURN.lock().await;
    let mut house = House::open().await;
    house.learn_debian().await;
    let images = house.dir.path().join("images");
    let text = |path: &Path| path.to_str().expect("plain").to_owned();
    for (_, file, format, _) in FORMATS {
        let options = if format == "vpc" { "subformat=fixed,force_size" } else { "" };
        let target = text(&images.join(file));
        let mut args = vec!["convert", "-f", "raw", "-O", format];
        if !options.is_empty() {
            args.extend(["-o", options]);
        }
        let source = text(&disk);
        args.extend([source.as_str(), target.as_str()]);
        run("qemu-img", &args);
    }
    let plans: Vec<Value> = FORMATS
        .iter()
        .map(|(plan, file, ..)| {
            json!({
                "plan": plan, "title": plan, "summary": "One machine", "description": "<p>One.</p>",
                "markets": ["JP"], "licenseModel": "free", "osFamily": "linux", "osName": "Debian 12",
                "vmSizes": [{"size": "1 vCPU"}],
                "versions": [{"version": "1.0.0", "osDiskUrl": format!("file:{}", images.join(file).display())}],
            })
        })
        .collect();
    let (subscription, _) = house.subscription().await;
    let mut offer = house.offer("debian", "", &[], &[subscription]).await;
    offer["type"] = json!("virtual-machine");
    offer["categories"] = json!(["compute/operating-systems"]);
    offer["plans"] = json!(plans);
    house.save(&offer).await;
    house.publish("debian").await;
    let status = previewed(&house).await;
    one_verdict(&house, &status).await;
    evidence(&house, &status).await;
    downloads(&house, &disk).await;
}

async fn previewed(house: &House) -> Value {
    let end = Instant::now() + Duration::from_secs(1500);
    loop {
        let status = house.status("debian").await;
        match status["status"].as_str() {
            Some("waitingForPublisherReview") => return status,
            Some("failed") => panic!("{status:#}"),
            _ => assert!(Instant::now() < end, "{status:#}"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn get(house: &House, path: &str) -> reqwest::Response {
    let url = format!("{}/api/v1{path}", house.base);
    let answer = house.http.get(url).bearer_auth(&house.token).send().await.expect("answers");
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer
}

/// The verdict is about the disk: its text differs in the name of the plan only.
async fn one_verdict(house: &House, status: &Value) {
    let submission = status["submission"].as_str().expect("an id");
    let mut texts = Vec::new();
    for image in status["images"].as_array().expect("images") {
        let digest = image["digest"].as_str().expect("a digest");
        let path = format!("/publishers/aurora/offers/debian/submissions/{submission}/verdicts/{digest}");
        let text = get(house, &path).await.text().await.expect("text");
        let plan = image["plan"].as_str().expect("a plan");
        texts.push(text.replace(&format!("\"plan\": \"{plan}\""), "\"plan\": \"\""));
    }
    assert_eq!(texts.len(), 4);
    assert!(texts.windows(2).all(|pair| pair[0] == pair[1]), "{} {}", texts[0], texts[1]);
    assert!(texts[0].contains("\"outcome\": \"pass\""), "{}", texts[0]);
}

/// It was started, once for all four, and what was seen is kept.
async fn evidence(house: &House, status: &Value) {
    let certify = status["steps"].as_array().expect("steps").iter().find(|step| step["id"] == "certify");
    let messages = certify.expect("a step")["messages"].as_array().expect("messages").clone();
    let count = |code: &str| messages.iter().filter(|message| message["code"] == code).count();
    assert_eq!((count("message-boot-passed"), count("message-boot-reused")), (1, 3), "{messages:#?}");
    let submission = status["submission"].as_str().expect("an id");
    let digest = status["images"][0]["digest"].as_str().expect("a digest");
    let base = format!("/publishers/aurora/offers/debian/submissions/{submission}/boot/{digest}");
    let console = get(house, &format!("{base}/console")).await.text().await.expect("text");
    assert!(console.contains("login:"), "{console}");
    let screen = get(house, &format!("{base}/screenshot")).await.bytes().await.expect("bytes");
    assert!(image::load_from_memory(&screen).is_ok());
}

async fn downloads(house: &House, disk: &Path) {
    for (plan, _, qemu, format) in FORMATS {
        let path = format!("/preview/aurora.debian/plans/{plan}/disks/1.0.0/{format}");
        let mut answer = get(house, &path).await;
        let announced = answer.headers()["etag"].to_str().expect("text").trim_matches('"').to_owned();
        let target = house.dir.path().join("download");
        let mut file = std::fs::File::create(&target).expect("created");
        let (mut hash, mut size) = (Sha256::new(), 0);
        while let Some(chunk) = answer.chunk().await.expect("a body") {
            hash.update(&chunk);
            size += chunk.len() as u64;
            if chunk.iter().all(|byte| *byte == 0) {
                file.seek(SeekFrom::Current(chunk.len() as i64)).expect("seeks");
            } else {
                file.write_all(&chunk).expect("written");
            }
        }
        file.set_len(size).expect("as long");
        let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, announced, "{format}");
        let (one, other) = (disk.to_str().expect("plain"), target.to_str().expect("plain"));
        let said = run("qemu-img", &["compare", "-f", "raw", "-F", qemu, one, other]);
        assert!(said.contains("identical"), "{format}: {said}");
    }
}
