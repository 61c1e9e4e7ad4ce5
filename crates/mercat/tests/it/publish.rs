//! From a draft to a live listing, with every rule of the road.

use crate::House;
use crate::house::{free_port, has, layout, postgres, pull, run, tar};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn small_image(house: &House, name: &str, files: &[(&str, &[u8])]) -> String {
    let root = house.dir.path().join("images").join(name);
    layout(&root, &[tar(&[("bin/app", b"#!/bin/true\n")]), tar(files)], &["latest", "1.0.0"]);
    format!("oci:{}", root.display())
}

/// S2-16, S2-17, S2-22, S2-25, S2-26, S2-28, S2-30, S2-34, S4-6, S4-15, S4-17, S4-18 and S4-20.
#[tokio::test(flavor = "multi_thread")]
async fn an_offer_goes_from_draft_to_live_on_both_databases() {
    draft_to_live(House::open().await).await;
    if let Some(url) = postgres() {
        draft_to_live(House::with(&format!("[database]\nurl = {url:?}\n"), &[]).await).await;
    }
}

async fn draft_to_live(house: House) {
    let (allowed, stranger) = (house.subscription().await, house.subscription().await);
    let image = small_image(&house, "gateway", &[("etc/motd", b"hello")]);
    let offer = house.offer("gateway", &image, &["latest", "1.0.0"], std::slice::from_ref(&allowed.0)).await;
    house.save(&offer).await;
    let accepted = house.publish("gateway").await;
    let (conflict, body) = house
        .api(
            Method::POST,
            "/publishers/aurora/offers/gateway/publish",
            Some(json!({"notificationEmails": ["a@example.org"]})),
        )
        .await;
    assert!(conflict == StatusCode::CONFLICT, "{conflict} {body}");
    let status = house.until("gateway", &["waitingForPublisherReview", "failed"]).await;
    assert_eq!(status["status"], "waitingForPublisherReview", "{status:#}");
    assert_eq!(status["submission"], accepted["submission"]);

    // The preview is for the allow-list, on every channel.
    let preview = "preview/aurora/gateway/standard";
    let digest =
        pull(&house.base, preview, "latest", Some(&allowed)).await.expect("the allow-listed one can pull");
    assert_eq!(pull(&house.base, preview, "latest", Some(&stranger)).await, None);
    assert_eq!(pull(&house.base, preview, "latest", None).await, None);
    assert_eq!(
        pull(&house.base, "aurora/gateway/standard", "latest", Some(&allowed)).await,
        None,
        "not in production yet"
    );
    for path in [
        "/marketplace/preview/aurora.gateway",
        "/marketplace/apps/aurora.gateway",
        "/api/v1/preview/aurora.gateway",
    ] {
        let answer = house.http.get(format!("{}{path}", house.base)).send().await.expect("answers");
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    // Taking somebody off the list works at once.
    let none = json!({"subscriptions": []});
    assert!(
        house.api(Method::PUT, "/publishers/aurora/offers/gateway/audience", Some(none)).await.0.is_success()
    );
    assert_eq!(pull(&house.base, preview, "latest", Some(&allowed)).await, None);

    // What was previewed goes live, whatever the draft says by then.
    let mut edited = offer.clone();
    edited["title"] = json!("Edited after the preview");
    house.save(&edited).await;
    let wrong = json!({"snapshotDigest": format!("sha256:{}", "0".repeat(64))});
    let (status, body) =
        house.api(Method::POST, "/publishers/aurora/offers/gateway/golive", Some(wrong)).await;
    assert_eq!((status, body["code"].as_str()), (StatusCode::CONFLICT, Some("run-other-snapshot")));
    house.go_live("gateway").await;
    let (status, body) = house.api(Method::POST, "/publishers/aurora/offers/gateway/cancel", None).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    house.until("gateway", &["succeeded"]).await;
    assert_eq!(pull(&house.base, "aurora/gateway/standard", "1.0.0", None).await, Some(digest));
    let page = house
        .http
        .get(format!("{}/marketplace/apps/aurora.gateway", house.base))
        .send()
        .await
        .expect("answers");
    let page = page.text().await.expect("text");
    assert!(page.contains("Gateway") && !page.contains("Edited after the preview"));
    let signed = page.split("Signed off by</dt><dd>").nth(1).unwrap_or_default();
    assert!(signed.starts_with("Aurora Labs, <time") && page.contains("automatic checks</dd>"), "{page}");
    let category = "/marketplace/apps/category/internet-of-things?page=1&subcategories=iot-edge-modules";
    let listed = house.http.get(format!("{}{category}", house.base)).send().await.expect("answers");
    assert!(listed.text().await.expect("text").contains("aurora.gateway"));

    // The stream of events ends by itself and can be taken up where it was left.
    let events = format!(
        "{}/api/v1/publishers/aurora/offers/gateway/submissions/{}/events",
        house.base,
        accepted["submission"].as_str().expect("an id")
    );
    let all = house
        .http
        .get(&events)
        .bearer_auth(&house.token)
        .send()
        .await
        .expect("answers")
        .text()
        .await
        .expect("ends");
    let ids: Vec<i64> = all.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
    assert!(
        ids.is_sorted() && all.contains("submission.accepted") && all.contains("submission.live"),
        "{all}"
    );
    let rest = house
        .http
        .get(&events)
        .bearer_auth(&house.token)
        .header("last-event-id", ids[ids.len() - 2].to_string());
    let rest = rest.send().await.expect("answers").text().await.expect("ends");
    assert_eq!(rest.lines().filter(|line| line.starts_with("id: ")).count(), 1, "{rest}");

    // One lead, and one mail of each kind.
    assert_eq!(house.leads.lock().expect("no panic").len(), 1);
    assert_eq!(house.leads.lock().expect("no panic")[0]["test"], true);
    for _ in 0..100 {
        if house.message_ids().len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let kinds: Vec<String> =
        house.message_ids().iter().filter_map(|id| id.split('.').nth(1).map(|k| k[..2].to_owned())).collect();
    assert_eq!(kinds, ["n1", "n4", "n6"]);
    // The three regions hold it, byte for byte.
    for region in ["east", "north", "west"] {
        let path =
            house.data().join("regions").join(region).join("production/aurora/gateway/standard/index.json");
        assert!(path.is_file(), "{}", path.display());
    }
}

/// S2-41, S2-42, S2-45 to S2-48: fixed and published again, from the first step; cancelled at sign-off.
#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_offer_starts_again_at_step_one_and_reads_only_what_changed() {
    let house = House::open().await;
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQy\n";
    let allowed = house.subscription().await;
    let image = small_image(&house, "app", &[("root/.ssh/id", key.as_bytes())]);
    let offer = house.offer("app", &image, &["latest", "1.0.0"], &[allowed.0]).await;
    house.save(&offer).await;
    let first = house.publish("app").await;
    let failed = house.until("app", &["failed"]).await;
    let findings = House::blocking(&failed);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(
        (findings[0]["rule"].as_str(), findings[0]["path"].as_str()),
        (Some("CTR-21"), Some("root/.ssh/id"))
    );
    small_image(&house, "app", &[("root/readme", b"clean")]);
    let second = house.publish("app").await;
    assert_ne!(first["submission"], second["submission"]);
    let waiting = house.until("app", &["waitingForPublisherReview", "failed"]).await;
    let certify =
        waiting["steps"].as_array().expect("steps").iter().find(|s| s["id"] == "certify").expect("there");
    assert_eq!(certify["reuse"], json!({"layersRead": 1, "layersReused": 1}));
    // Cancel at sign-off: the preview goes, step 1 is shown again, twice is fine.
    for _ in 0..2 {
        let (status, body) = house.api(Method::POST, "/publishers/aurora/offers/app/cancel", None).await;
        assert_eq!((status, body["status"].as_str()), (StatusCode::OK, Some("canceled")), "{body}");
    }
    let canceled = house.status("app").await;
    assert!(canceled["steps"].as_array().expect("steps").iter().all(|step| step["status"] == "notStarted"));
    assert_eq!(canceled["previewLinks"], json!([]));
}

/// A version that left production is not sold again with other content, and that one leaves is told before it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_left_production_comes_back_as_it_was() {
    let house = House::open().await;
    let allowed = house.subscription().await.0;
    let root = house.dir.path().join("images/app");
    let publish = async |version: &str, content: &[u8]| {
        let tags = ["latest", version];
        layout(&root, &[tar(&[("bin/app", content)])], &tags);
        let image = format!("oci:{}", root.display());
        house.save(&house.offer("app", &image, &tags, std::slice::from_ref(&allowed)).await).await;
        house.publish("app").await;
        house.until("app", &["waitingForPublisherReview", "failed"]).await
    };
    let live = async |version: &str, content: &[u8]| {
        let status = publish(version, content).await;
        assert_eq!(status["status"], "waitingForPublisherReview", "{status:#}");
        house.go_live("app").await;
        house.until("app", &["succeeded"]).await;
        status["steps"].to_string()
    };
    assert!(!live("1.0.0", b"one").await.contains("CTR-36"));
    let told = live("2.0.0", b"two").await;
    assert!(told.contains("CTR-36") && told.contains("not listed any more: 1.0.0"), "{told}");
    let told = live("1.0.0", b"one").await;
    assert!(told.contains("not listed any more: 2.0.0"), "{told}");
    let status = publish("2.0.0", b"another two").await;
    let rules: Vec<_> = House::blocking(&status).iter().map(|finding| finding["rule"].clone()).collect();
    assert_eq!(rules, ["CTR-06"], "{status:#}");
}

/// While an offer is written, its references are looked up, and nothing is copied.
#[tokio::test(flavor = "multi_thread")]
async fn references_are_looked_up_while_an_offer_is_written() {
    let house = House::open().await;
    let allowed = house.subscription().await;
    let image = small_image(&house, "app", &[("root/readme", b"clean")]);
    let offer = house.offer("app", &image, &["latest", "1.0.0"], &[allowed.0]).await;
    house.save(&offer).await;
    let look = async || {
        let (status, found) =
            house.api(Method::POST, "/publishers/aurora/offers/app/resolve", Some(json!({}))).await;
        assert_eq!(status, StatusCode::OK, "{found}");
        found[0].clone()
    };
    let found = look().await;
    let tag = &found["references"][1];
    assert_eq!((&tag["reference"], &tag["platforms"]), (&json!("1.0.0"), &json!(["linux/amd64"])), "{found}");
    assert!(tag["size"].as_u64().is_some_and(|size| size > 100));
    let page = async || {
        let url = format!("{}/portal/offers/aurora/app/editor/technical", house.base);
        let form = "--b\r\ncontent-disposition: form-data; name=\"action\"\r\n\r\nresolve\r\n--b--\r\n";
        let sent = house.http.post(url).bearer_auth(&house.token);
        let sent = sent.header("content-type", "multipart/form-data; boundary=b").body(form).send().await;
        sent.expect("answers").text().await.expect("text")
    };
    let digest = tag["digest"].as_str().expect("a digest").to_owned();
    let before = page().await;
    assert!(before.contains(&digest) && before.contains("not certified yet"), "{before}");
    house.publish("app").await;
    let status = house.until("app", &["waitingForPublisherReview"]).await;
    assert_eq!(status["images"][1]["digest"], json!(digest));
    let after = page().await;
    assert!(after.contains(&digest) && after.contains("#step-certify\">Complete"), "{after}");
    // What stands in the way is said as the first step would say it.
    let mut wrong = offer.clone();
    wrong["plans"][0]["image"] = json!("oci:/etc");
    house.save(&wrong).await;
    let finding = &look().await["finding"];
    assert_eq!((&finding["rule"], &finding["severity"]), (&json!("F021"), &json!("error")), "{finding}");
    assert!(page().await.contains("sources.directories"));
    wrong["plans"][0]["image"] = json!("127.0.0.1:9/app");
    house.save(&wrong).await;
    assert_eq!(look().await["finding"]["rule"], "F021");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_idempotency_key_makes_one_submission() {
    let house = House::open().await;
    let image = small_image(&house, "one", &[("a", b"b")]);
    let allowed = house.subscription().await;
    house.save(&house.offer("one", &image, &["latest", "1.0.0"], &[allowed.0]).await).await;
    let send = async |email: &str| {
        let url = format!("{}/api/v1/publishers/aurora/offers/one/publish", house.base);
        let body = json!({"notificationEmails": [email]}).to_string();
        let request =
            house.http.post(url).bearer_auth(&house.token).header("idempotency-key", "k1").body(body);
        let answer = request.send().await.expect("answers");
        (answer.status(), serde_json::from_str::<Value>(&answer.text().await.expect("text")).expect("JSON"))
    };
    let (first, again) = (send("a@example.org").await, send("a@example.org").await);
    assert_eq!(first.1["submission"], again.1["submission"]);
    assert_eq!(send("b@example.org").await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_source_is_our_delay_and_never_a_rejection() {
    let port = free_port();
    let host = format!("127.0.0.1:{port}");
    let house = House::with("", std::slice::from_ref(&host)).await;
    let allowed = house.subscription().await;
    let offer = house.offer("late", &format!("{host}/late"), &["latest", "1.0.0"], &[allowed.0]).await;
    house.save(&offer).await;
    house.publish("late").await;
    let mut seen = Value::Null;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        seen = house.status("late").await["steps"][0].clone();
        if seen["progress"]["wait"]["code"] == "wait-source" {
            break;
        }
    }
    assert_eq!(seen["progress"]["wait"]["code"], "wait-source", "{seen:#}");
    assert_eq!(seen["status"], "inProgress");
    assert!(seen["progress"]["wait"]["next"].as_str().is_some_and(|next| next.ends_with('Z')));
}

/// A registry from the distribution, on a port of its own.
pub(crate) struct Registry {
    child: Child,
    pub(crate) host: String,
    _dir: tempfile::TempDir,
}

impl Registry {
    pub(crate) fn open() -> Option<Self> {
        Self::at(format!("127.0.0.1:{}", free_port()))
    }

    pub(crate) fn at(host: String) -> Option<Self> {
        if !has("docker-registry") || !has("skopeo") {
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let config = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {host}\n",
            dir.path().join("store").display()
        );
        let file = dir.path().join("config.yml");
        std::fs::write(&file, config).expect("written");
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let registry = Self { child: child.expect("it starts"), host, _dir: dir };
        for _ in 0..100 {
            if std::net::TcpStream::connect(&registry.host).is_ok() {
                return Some(registry);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("docker-registry does not answer");
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Debian root file system as a tar file, from `MERCAT_TEST_ROOTFS` or made by mmdebstrap.
pub(crate) fn debian() -> Option<std::path::PathBuf> {
    if let Ok(path) = std::env::var("MERCAT_TEST_ROOTFS") {
        return Some(path.into());
    }
    if !has("mmdebstrap") {
        return None;
    }
    let path = std::env::temp_dir().join("mercat-test-debian.tar");
    if !path.is_file() {
        let part = path.with_extension("part.tar");
        run("mmdebstrap", &["--variant=minbase", "bookworm", part.to_str().expect("plain")]);
        std::fs::rename(&part, &path).expect("renamed");
    }
    Some(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debian_image_goes_from_a_real_registry_to_production() {
    let (Some(registry), Some(rootfs)) = (Registry::open(), debian()) else { return };
    let house = House::with("", std::slice::from_ref(&registry.host)).await;
    let dir = house.dir.path().join("debian");
    let base = std::fs::read(&rootfs).expect("the root file system");
    let layers = [base, tar(&[("srv/app/run", b"#!/bin/sh\necho hello\n"), ("srv/app/words", b"hello")])];
    layout(&dir, &layers, &["1.0.0"]);
    for tag in ["latest", "1.0.0"] {
        let (from, to) = (
            format!("oci:{}:1.0.0", dir.display()),
            format!("docker://{}/aurora/debian:{tag}", registry.host),
        );
        run("skopeo", &["--insecure-policy", "copy", "--dest-tls-verify=false", &from, &to]);
    }
    // Advisories that cover this Debian: one that does not apply.
    let record = r#"{"id": "TEST-1", "modified": "2026-01-01T00:00:00Z", "affected": [{"package": {"ecosystem": "Debian:12", "name": "bash"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.0"}]}]}]}"#;
    let file = house.dir.path().join("TEST-1.json");
    std::fs::write(&file, record).expect("written");
    run(
        crate::house::BIN,
        &[
            "--data",
            house.data().to_str().expect("plain"),
            "advisories",
            "import",
            file.to_str().expect("plain"),
        ],
    );
    let mut house = house;
    house.kill();
    house.start();
    house.answers().await;

    let (allowed, stranger) = (house.subscription().await, house.subscription().await);
    let image = format!("{}/aurora/debian", registry.host);
    house
        .save(&house.offer("debian", &image, &["latest", "1.0.0"], std::slice::from_ref(&allowed.0)).await)
        .await;
    house.publish("debian").await;
    let status = house.until("debian", &["waitingForPublisherReview", "failed"]).await;
    assert_eq!(status["status"], "waitingForPublisherReview", "{:#?}", House::blocking(&status));
    let certified = status["images"][0]["digest"].as_str().expect("a digest").to_owned();

    let host = house.base.trim_start_matches("http://").to_owned();
    let inspect = |repository: &str, who: Option<&(String, String)>| {
        let mut command = Command::new("skopeo");
        command.args(["--insecure-policy", "inspect", "--tls-verify=false", "--format", "{{.Digest}}"]);
        match who {
            Some((name, secret)) => command.args(["--creds", &format!("{name}:{secret}")]),
            None => command.arg("--no-creds"),
        };
        let out = command.arg(format!("docker://{host}/{repository}:latest")).output().expect("it starts");
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    assert_eq!(inspect("preview/aurora/debian/standard", Some(&allowed)), Some(certified.clone()));
    assert_eq!(inspect("preview/aurora/debian/standard", Some(&stranger)), None);
    assert_eq!(inspect("preview/aurora/debian/standard", None), None);
    let copy = |repository: &str, to: &str| {
        let creds = format!("{}:{}", allowed.0, allowed.1);
        let from = format!("docker://{host}/{repository}:latest");
        run(
            "skopeo",
            &[
                "--insecure-policy",
                "copy",
                "--src-tls-verify=false",
                "--preserve-digests",
                "--src-creds",
                &creds,
                &from,
                to,
            ],
        );
    };
    let target = house.dir.path().join("pulled-preview");
    copy("preview/aurora/debian/standard", &format!("oci:{}:latest", target.display()));
    house.go_live("debian").await;
    house.until("debian", &["succeeded"]).await;
    assert_eq!(inspect("aurora/debian/standard", None), Some(certified.clone()));
    if has("podman") {
        let store = house.dir.path().join("podman");
        let root = store.join("root").display().to_string();
        let runroot = store.join("run").display().to_string();
        let reference = format!("{host}/aurora/debian/standard@{certified}");
        run(
            "podman",
            &[
                "--root",
                &root,
                "--runroot",
                &runroot,
                "--storage-driver",
                "vfs",
                "pull",
                "-q",
                "--tls-verify=false",
                &reference,
            ],
        );
    }
    // The command line gives the server's verdict, byte for byte.
    let url = format!(
        "/publishers/aurora/offers/debian/submissions/{}/verdicts/{certified}",
        status["submission"].as_str().expect("an id")
    );
    let answer = house
        .http
        .get(format!("{}/api/v1{url}", house.base))
        .bearer_auth(&house.token)
        .send()
        .await
        .expect("answers");
    let theirs = answer.text().await.expect("text");
    let out = Command::new(crate::house::BIN)
        .args([
            "--data",
            house.data().to_str().expect("plain"),
            "certify",
            "--output",
            "json",
            "--allow",
            &registry.host,
        ])
        .arg(format!("{}/aurora/debian:latest", registry.host))
        .output()
        .expect("it starts");
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(String::from_utf8_lossy(&out.stdout), theirs);
}
