//! Malformed input: a clear answer that names the place, never a panic or a 500.

use crate::House;
use crate::house::{BIN, NOBODYS, layout, tar};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::process::Command;

fn certify(reference: &str) -> (Option<i32>, String) {
    let out = Command::new(BIN)
        .args(["--data", "/nonexistent-mercat", "certify", reference])
        .output()
        .expect("it starts");
    (
        out.status.code(),
        format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_name_the_place() {
    let house = House::open().await;
    let put = async |body: &str| {
        let url = format!("{}/api/v1/publishers/aurora/offers/x", house.base);
        let answer = house
            .http
            .put(url)
            .bearer_auth(&house.token)
            .body(body.to_owned())
            .send()
            .await
            .expect("answers");
        let kind = answer.headers().get("content-type").map(|v| v.to_str().expect("text").to_owned());
        (
            answer.status(),
            kind,
            serde_json::from_str::<Value>(&answer.text().await.expect("text")).unwrap_or(Value::Null),
        )
    };
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    for (body, code) in [
        ("{", "malformed"),
        ("[]", "fields"),
        (deep.as_str(), "malformed"),
        (r#"{"publisher":"aurora","offer":"x","type":"boat"}"#, "fields"),
        (r#"{"publisher":"aurora","offer":"x","type":"container","certified":true}"#, "fields"),
        (r#"{"publisher":"other","offer":"x","type":"container"}"#, "malformed"),
        (r#"{"publisher":"aurora","offer":"x","type":"container","plans":[{"plan":"A B"}]}"#, ""),
    ] {
        let (status, kind, answer) = put(body).await;
        if code.is_empty() {
            assert!(status.is_success(), "an incomplete draft can be saved: {answer}");
            continue;
        }
        assert!(status.is_client_error(), "{body}: {status}");
        assert_eq!(kind.as_deref(), Some("application/problem+json"), "{body}");
        assert_eq!(answer["code"], code, "{body}: {answer}");
    }
    let (status, body) = house
        .api(
            Method::POST,
            "/publishers/aurora/offers/x/publish",
            Some(json!({"notificationEmails": ["a\r\nBcc: b@c.d"]})),
        )
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let pointers: Vec<&str> =
        body["errors"].as_array().expect("errors").iter().filter_map(|e| e["pointer"].as_str()).collect();
    for pointer in ["/title", "/smallLogo", "/plans/A B/image", "/plans/A B", "/notificationEmails/0"] {
        assert!(pointers.contains(&pointer), "{pointer} in {pointers:?}");
    }
    assert_eq!(house.status("x").await["status"], "neverPublished", "no submission was made");
}

/// What the publisher misspelt is told to the publisher, and does not hold up the offer for hours.
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_does_not_exist_is_a_finding() {
    let known = tokio::net::lookup_host(("nobody.invalid", 443)).await.map(|_| ());
    if !known.is_err_and(|error| error.to_string().contains("not known")) {
        return crate::house::skipped(
            "skipped: the resolver of this machine does not say that names do not exist",
        );
    }
    let house = House::open().await;
    let tags = ["latest", "1.0.0"];
    let offer = house.offer("app", "nobody.invalid/app", &tags, &[NOBODYS.to_owned()]).await;
    house.save(&offer).await;
    house.publish("app").await;
    let status = house.until("app", &["failed"]).await;
    let found = House::blocking(&status);
    assert_eq!((found.len(), &found[0]["rule"]), (1, &json!("F021")), "{found:?}");
    assert!(
        found[0]["observed"].as_str().expect("text").contains("there is no host of this name"),
        "{found:?}"
    );
    assert_eq!(status["fault"], "publisher");
    let disk = json!([{"version": "1.0.0", "osDiskUrl": "https://nobody.invalid/disk.vhd"}]);
    house.save(&house.machine("machine", disk, &[NOBODYS.to_owned()]).await).await;
    house.publish("machine").await;
    let status = house.until("machine", &["failed"]).await;
    let found = House::blocking(&status);
    assert_eq!((found.len(), &found[0]["rule"]), (1, &json!("SAS-11")), "{found:?}");
    assert_eq!(status["fault"], "publisher");
}

/// For people on a page, for programs in a problem document.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_in_an_address_is_told_apart_from_what_can_be() {
    let house = House::open().await;
    let page = "<h1>What was sent cannot be read</h1>";
    for path in [
        "/marketplace?page=-1",
        "/marketplace/apps/category/compute?page=x",
        "/portal?page=99999999999999999999",
        "/portal/offers/aurora/x/history?before=x",
        "/portal/publishers/aurora/insights?from=a&from=b",
        "/support/new?publisher=a&publisher=b",
    ] {
        let answer = house.http.get(format!("{}{path}", house.base)).bearer_auth(&house.token).send().await;
        let answer = answer.expect("answers");
        let (status, text) = (answer.status(), answer.text().await.expect("text"));
        assert!(status == StatusCode::BAD_REQUEST && text.contains(page), "{path}: {status} {text}");
    }
    for path in [
        "/catalogue?page=-1",
        "/publishers/aurora/insights?from=a&from=b",
        "/catalogue?category=a&category=b",
    ] {
        let (status, body) = house.api(Method::GET, path, None).await;
        assert_eq!(
            (status, body["code"].as_str()),
            (StatusCode::BAD_REQUEST, Some("malformed")),
            "{path}: {body}"
        );
    }
}

#[test]
fn a_configuration_that_cannot_be_meant_is_refused_with_the_key() {
    let dir = tempfile::tempdir().expect("a directory");
    for (config, said) in [
        ("[leads]\ngive_up_days = -1\n", "leads.give_up_days is -1"),
        ("[leads]\nfirst_retry_ms = 0\n", "leads.first_retry_ms is 0"),
        ("[leads]\nkeep_days = 9000000000000000000\n", "leads.keep_days"),
        ("[egress]\nallow = [\"nonsense\"]\n", "egress.allow \"nonsense\""),
        ("[egress]\nallow = [\"https://crm.internal:8443\"]\n", "use host:port"),
        ("[egress]\nallow = [\" crm.internal:443\"]\n", "use host:port"),
        ("[egress]\nallow = [\"fd00::5\"]\n", "use host:port"),
        ("[egress]\ndeny = [\"nonsense\"]\n", "egress.deny \"nonsense\""),
    ] {
        std::fs::write(dir.path().join("mercat.toml"), config).expect("written");
        let out = Command::new(BIN).arg("--data").arg(dir.path()).arg("serve").output().expect("it starts");
        let told = String::from_utf8_lossy(&out.stderr);
        assert!(!out.status.success() && told.contains(said), "{config}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_told_in_the_readers_language() {
    let house = House::open().await;
    let get = async |path: &str| {
        let request = house.http.get(format!("{}{path}", house.base)).header("accept-language", "ja");
        let answer = request.bearer_auth(&house.token).send().await.expect("answers");
        let kind = answer.headers()["content-type"].to_str().expect("text").to_owned();
        (answer.status(), kind, answer.text().await.expect("text"))
    };
    for path in [
        "/marketplace/apps/%ff",
        "/portal/offers/aurora/%ff/status",
        "/portal/offers/aurora/app/history?before=x",
    ] {
        let (status, kind, page) = get(path).await;
        assert_eq!((status, kind.as_str()), (StatusCode::BAD_REQUEST, "text/html; charset=utf-8"), "{path}");
        let main =
            page.split("<h1>").nth(1).and_then(|rest| rest.split("</section>").next()).expect("a page");
        let (ours, theirs) = main.split_once("lang=\"en\">").expect("the words of the parser stand apart");
        assert!(ours.contains("一部が欠けていないか"), "{path}: {ours}");
        assert!(!ours.contains("nvalid") && !ours.contains("ailed"), "{path}: {ours}");
        assert!(theirs.contains("nvalid"), "{path}: {theirs}");
    }
    let (status, kind, body) = get("/api/v1/catalogue/%ff").await;
    assert_eq!((status, kind.as_str()), (StatusCode::BAD_REQUEST, "application/problem+json"), "{body}");
    assert!(body.contains("\"malformed\""), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etag_of_yesterday_is_refused_with_the_one_of_today() {
    let house = House::open().await;
    let body = json!({"publisher": "aurora", "offer": "x", "type": "container", "name": "a"}).to_string();
    let put = async |etag: Option<&str>| {
        let mut request = house
            .http
            .put(format!("{}/api/v1/publishers/aurora/offers/x", house.base))
            .bearer_auth(&house.token);
        if let Some(etag) = etag {
            request = request.header("if-match", etag);
        }
        let answer = request.body(body.clone()).send().await.expect("answers");
        (answer.status(), answer.headers().get("etag").map(|v| v.to_str().expect("text").to_owned()))
    };
    let (created, first) = put(None).await;
    assert_eq!(created, StatusCode::CREATED);
    assert_eq!(put(None).await.0, StatusCode::PRECONDITION_REQUIRED);
    let (_, second) = put(first.as_deref()).await;
    assert_ne!(first, second);
    assert_eq!(put(first.as_deref()).await.0, StatusCode::PRECONDITION_FAILED);
    assert_eq!(put(second.as_deref()).await.0, StatusCode::OK);
    assert_eq!(put(Some("*")).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn registry_names_and_digests_never_break_the_server() {
    let house = House::open().await;
    let long = "a/".repeat(400);
    let tails = [
        "A/b/c/manifests/latest",
        "../x/manifests/y",
        "a//b/manifests/x",
        "a/b/c/manifests/%00",
        "a/b/c/blobs/sha256:../x",
        "a/b/c/blobs/sha256:baddigeststring",
        "a/b/c/tags/list?n=-1",
        "_catalog",
        "%2e%2e%2f",
        &long,
    ];
    for tail in tails {
        let answer = house.http.get(format!("{}/v2/{tail}", house.base)).send().await.expect("answers");
        assert!(matches!(answer.status().as_u16(), 400 | 404), "{tail}: {}", answer.status());
    }
    let put = house
        .http
        .put(format!("{}/v2/a/b/c/manifests/x", house.base))
        .body("{}")
        .send()
        .await
        .expect("answers");
    assert_eq!(put.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[test]
fn malformed_images_are_findings_and_missing_ones_are_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("image");
    let digest = layout(&root, &[tar(&[("a", b"b")])], &["latest"]);
    let manifest = root.join("blobs/sha256").join(&digest[7..]);
    let reference = format!("oci:{}:latest", root.display());
    let good = std::fs::read_to_string(&manifest).expect("there");
    for (what, broken, code) in [
        ("duplicate key", good.replacen('{', "{\"layers\":[],", 1), "CTR-13"),
        ("not JSON", "nonsense".to_owned(), "CTR-13"),
    ] {
        std::fs::write(&manifest, broken).expect("written");
        let (exit, text) = certify(&reference);
        assert_eq!(exit, Some(1), "{what}: {text}");
        assert!(text.contains(code), "{what}: {text}");
    }
    for (reference, exit) in
        [("oci:/nowhere", 64), ("docker-archive:/etc/hostname", 1), ("oci-archive:/nowhere.tar", 64)]
    {
        let (code, text) = certify(reference);
        assert_eq!(code, Some(exit), "{reference}: {text}");
        assert!(!text.contains("panicked"), "{text}");
    }
    let usage = Command::new(BIN).arg("nonsense").output().expect("it starts");
    assert_eq!(usage.status.code(), Some(64));
}

#[test]
fn a_reader_that_is_gone_ends_a_command_in_silence() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().to_str().expect("plain");
    for command in [&["policy", "show"][..], &["doctor"], &["policy", "show", "default"]] {
        let mut child = Command::new(BIN)
            .args(["--data", data])
            .args(command)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let out = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(!said.contains("panicked") && !said.contains("Broken pipe"), "{command:?}: {said}");
        assert_eq!(out.status.code(), Some(141), "{command:?}: what was not done is no success");
    }
}

#[test]
fn a_typing_error_in_the_data_directory_makes_no_installation() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("typo");
    for command in [&["sign-in-link"][..], &["secrets", "rotate"]] {
        let out = Command::new(BIN).arg("--data").arg(&data).args(command).output().expect("it starts");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success() && said.contains("name it with --data"), "{said}");
        assert!(!data.exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_on_the_command_line_say_whose_mistake_it_is() {
    let house = House::open().await;
    let dir = tempfile::tempdir().expect("a directory");
    let mercat = |token: &str, rest: &[&str]| {
        let out = Command::new(BIN)
            .args(["offer", "--server", &house.base])
            .args(rest)
            .env("MERCAT_TOKEN", token)
            .current_dir(dir.path())
            .output()
            .expect("it starts");
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let (code, said) = mercat("", &["status", "aurora/none"]);
    assert!(code == Some(64) && said.contains("--token"), "{code:?} {said}");
    std::fs::write(dir.path().join("broken.yaml"), "a: [").expect("written");
    for file in ["absent.yaml", "broken.yaml"] {
        let (code, said) = mercat(&house.token, &["apply", "-f", file]);
        assert!(code == Some(64) && said.contains(file), "{code:?} {said}");
    }
    let (code, said) = mercat(&house.token, &["publish", "aurora/none", "--email", "a@example.org"]);
    assert!(code == Some(2) && said.contains("mercat offer apply"), "{code:?} {said}");
    let (code, said) = mercat(&house.token, &["init", "nobody/x", "--file", "n.yaml"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = mercat(&house.token, &["apply", "-f", "n.yaml"]);
    assert!(code == Some(2) && said.contains("no such publisher"), "{code:?} {said}");
}
