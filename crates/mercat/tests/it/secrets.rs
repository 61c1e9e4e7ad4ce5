//! Secrets go in and never come out; the master key is changed under them.

use crate::House;
use crate::house::{BIN, NOBODYS, layout, run, tar};
use mercat_web::routes::{About, ROUTES};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// In whatever form a careless writer might give it away.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    use base64::Engine;
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let coded = base64::engine::general_purpose::STANDARD.encode(secret);
    // The end of a coded text depends on what follows it.
    let coded = coded.trim_end_matches('=');
    vec![secret.as_bytes().to_vec(), hex.into_bytes(), coded.as_bytes()[..coded.len() - 1].to_vec()]
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    forms(secret).iter().any(|form| bytes.windows(form.len()).any(|window| window == form))
}

fn files(path: &Path, out: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(path).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, out);
        } else if let Ok(bytes) = std::fs::read(&path) {
            out.push((path.display().to_string(), bytes));
        }
    }
}

/// Repeats in its error whatever it is sent.
async fn echo() -> String {
    let say = |headers: axum::http::HeaderMap, body: String| async move {
        (axum::http::StatusCode::UNAUTHORIZED, format!("{headers:?} {body}"))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let app = axum::Router::new().fallback(say);
    tokio::spawn(async move { axum::serve(listener, app).await });
    host
}

async fn test_lead(house: &House, offer: &str) -> Value {
    let (status, made) =
        house.api(Method::POST, &format!("/publishers/aurora/offers/{offer}/test-lead"), None).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{made}");
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let (_, body) = house.api(Method::GET, "/publishers/aurora/leads", None).await;
        let rows = body["items"].as_array().expect("a list").clone();
        let row = rows.into_iter().find(|row| row["lead"] == made["lead"]).expect("listed");
        if row["delivery"]["state"] != "pending" {
            return row["delivery"].clone();
        }
        assert!(Instant::now() < end, "{row}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_a_log_an_answer_a_mail_an_export_or_a_file() {
    let host = echo().await;
    let config = format!("[leads]\nauthority = \"http://{host}\"\n");
    let mut house = House::with(&config, std::slice::from_ref(&host)).await;
    house.log = "trace";
    house.kill();
    house.start();
    house.answers().await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("a", b"b")])], &["latest", "1.0.0"]);
    let mut offer = house.offer("app", &format!("oci:{}", root.display()), &["latest", "1.0.0"], &[]).await;
    offer["allowedSubscriptions"] = json!([NOBODYS]);
    let secrets =
        ["canary-7f3a-signing", "canary-7f3a-application", "canary-7f3a-registry", "canary7f3aaccountkey"];
    offer["leadSecret"] = json!(secrets[0]);
    offer["leadDynamicsKey"] = json!(secrets[1]);
    offer["plans"][0]["password"] = json!(secrets[2]);
    offer["leadTableConnection"] =
        json!(format!("AccountName=aurora1;AccountKey={};TableEndpoint=http://{host}/aurora1", secrets[3]));
    offer["leadDynamicsUrl"] = json!(format!("http://{host}"));
    offer["leadDynamicsDirectory"] = json!(NOBODYS);
    offer["leadDynamicsApplication"] = json!(NOBODYS);
    offer["leadHttpsUrl"] = json!(format!("http://{host}/in"));
    for destination in ["https", "table", "dynamics"] {
        offer["leadDestination"] = json!(destination);
        house.save(&offer).await;
        let delivery = test_lead(&house, "app").await;
        assert_eq!(delivery["state"], "failed", "{destination}");
        assert!(delivery["response"].as_str().is_some_and(|r| r.starts_with("lead.auth")), "{delivery}");
    }
    house.publish("app").await;
    let failed = house.until("app", &["failed"]).await;
    assert_eq!(House::blocking(&failed)[0]["rule"], "lead.auth");
    let hook = json!({"url": format!("http://{host}/hook")});
    let (_, hook) = house.api(Method::POST, "/publishers/aurora/webhooks", Some(hook)).await;
    let hook_secret = hook["secret"].as_str().expect("shown once").to_owned();
    let path = format!("/publishers/aurora/webhooks/{}", hook["id"].as_str().expect("an id"));
    house.api(Method::POST, &format!("{path}/test"), None).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut all: Vec<&str> = secrets.to_vec();
    all.push(hook_secret.trim_start_matches("whsec_"));

    let submission = failed["submission"].as_str().expect("an id").to_owned();
    let lead = house.api(Method::GET, "/publishers/aurora/leads", None).await.1["items"][0]["lead"].clone();
    let certify = json!({"finding": 0, "step": "package", "kind": "appeal", "reason": "why"});
    let asked = format!("/publishers/aurora/offers/app/submissions/{submission}/exceptions");
    let exception = house.api(Method::POST, &asked, Some(certify)).await.1["id"].clone();
    let upload = json!({"length": 100, "name": "a.raw"});
    let upload = house.api(Method::POST, "/publishers/aurora/uploads", Some(upload)).await.1["id"].clone();
    let logo = offer["smallLogo"].as_str().expect("a digest");
    let id = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    let mut looked = 0;
    for route in ROUTES.iter().filter(|route| route.method == "GET" && !route.path.ends_with("/events")) {
        let path = route
            .path
            .replace("{publisher}", "aurora")
            .replace("{offer}", "app")
            .replace("{submission}", &submission)
            .replace("{slot}", "draft")
            .replace("{lead}", &id(&lead))
            .replace("{exception}", &id(&exception))
            .replace("{upload}", &id(&upload))
            .replace("{digest}", logo)
            .replace("{webhook}", hook["id"].as_str().expect("an id"))
            .replace("{id}", if route.about == About::Market { &submission } else { "aurora.app" });
        for (name, value) in
            [("authorization", format!("Bearer {}", house.token)), ("cookie", house.operator.clone())]
        {
            let answer = house
                .http
                .get(format!("{}{path}", house.base))
                .header(name, value)
                .send()
                .await
                .expect("answers");
            let head = format!("{:?}", answer.headers());
            let body = answer.bytes().await.expect("a body");
            for secret in &all {
                assert!(!holds(&body, secret) && !holds(head.as_bytes(), secret), "{path} tells {secret}");
            }
            looked += 1;
        }
    }
    assert!(looked > 100, "{looked}");
    house.kill();
    let mut found = vec![("log".to_owned(), std::fs::read(house.dir.path().join("log")).expect("a log"))];
    assert!(found[0].1.len() > 100_000, "everything was logged");
    files(&house.data(), &mut found);
    for (name, bytes) in &found {
        for secret in &all {
            assert!(!holds(bytes, secret), "{name} holds {secret}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_changes_while_the_server_runs_and_the_old_one_opens_nothing() {
    let signed: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = signed.clone();
    let take = move |headers: axum::http::HeaderMap, body: String| {
        let signature = headers["x-mercat-signature"].to_str().expect("text").to_owned();
        kept.lock().expect("no panic").push(format!("{signature} {body}"));
        async { "taken" }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let app = axum::Router::new().route("/in", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut house = House::with("", std::slice::from_ref(&host)).await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("a", b"b")])], &["latest", "1.0.0"]);
    let mut offer = house.offer("app", &format!("oci:{}", root.display()), &["latest", "1.0.0"], &[]).await;
    offer["allowedSubscriptions"] = json!([NOBODYS]);
    offer["leadHttpsUrl"] = json!(format!("http://{host}/in"));
    offer["leadSecret"] = json!("the-secret");
    house.save(&offer).await;
    house.publish("app").await;
    house.until("app", &["waitingForPublisherReview"]).await;
    assert_eq!(test_lead(&house, "app").await["state"], "delivered");
    let data = house.data();
    let key = || std::fs::read(data.join("master.key")).expect("a key");
    let rotate = || run(BIN, &["--data", data.to_str().expect("plain"), "secrets", "rotate"]);
    let first = key();
    let said = rotate();
    assert!(said.contains("records are under the new key") && !said.starts_with("0 "), "{said}");
    assert_ne!(first, key());
    // The running server meets the new key and finds it.
    assert_eq!(test_lead(&house, "app").await["state"], "delivered");
    let (_, status) = house.api(Method::GET, "/publishers/aurora/offers/app/status", None).await;
    assert_eq!(status["status"], "waitingForPublisherReview");
    house.go_live("app").await;
    house.until("app", &["succeeded"]).await;
    // After a restart the old key is needed by nothing.
    house.kill();
    std::fs::remove_file(data.join("master.key.previous")).expect("there");
    house.start();
    house.answers().await;
    assert_eq!(test_lead(&house, "app").await["state"], "delivered");
    assert!(signed.lock().expect("no panic").iter().all(|line| line.starts_with("t=")));
    house.kill();
    std::fs::write(data.join("master.key"), &first).expect("written");
    house.start();
    house.answers().await;
    let (status, _) = house.api(Method::POST, "/publishers/aurora/offers/app/test-lead", None).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "the old key opens nothing");
}

/// A house whose offer `app` sends its leads, signed, to a receiver that takes all.
async fn signing_house() -> (House, Value) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let app = axum::Router::new().route("/in", axum::routing::post(|| async { "taken" }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let house = House::with("", std::slice::from_ref(&host)).await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("a", b"b")])], &["latest", "1.0.0"]);
    let mut offer = house.offer("app", &format!("oci:{}", root.display()), &["latest", "1.0.0"], &[]).await;
    offer["leadHttpsUrl"] = json!(format!("http://{host}/in"));
    offer["leadSecret"] = json!("the-secret");
    house.save(&offer).await;
    (house, offer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_sealing_under_the_old_key_loses_nothing_and_a_third_key_is_never_made() {
    let (mut house, mut offer) = signing_house().await;
    let data = house.data();
    let key = |name: &str| std::fs::read(data.join(name)).ok();
    let rotate = || run(BIN, &["--data", data.to_str().expect("plain"), "secrets", "rotate"]);
    let first = key("master.key").expect("a key");
    // Another machine has a copy of the key, and is not told of the change.
    std::fs::write(house.dir.path().join("copy.key"), &first).expect("written");
    house.kill();
    house.start();
    house.answers().await;
    let said = rotate();
    assert!(said.contains("run this once more"), "{said}");
    let second = key("master.key").expect("a key");
    assert_ne!(first, second);
    assert_eq!(key("master.key.previous").as_ref(), Some(&first));
    offer["leadSecret"] = json!("another-secret");
    house.save(&offer).await;
    house.kill();
    std::fs::remove_file(house.dir.path().join("copy.key")).expect("there");
    house.start();
    house.answers().await;
    for expected in ["1 records", "0 records"] {
        let said = rotate();
        assert!(said.starts_with(expected) && said.contains("delete"), "{said}");
        assert_eq!((key("master.key").as_ref(), key("master.key.next")), (Some(&second), None));
        assert_eq!(key("master.key.previous").as_ref(), Some(&first));
    }
    std::fs::remove_file(data.join("master.key.previous")).expect("there");
    house.kill();
    house.start();
    house.answers().await;
    assert_eq!(test_lead(&house, "app").await["state"], "delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_key_that_was_cut_short_anywhere_is_gone_on_with() {
    let (mut house, _) = signing_house().await;
    let data = house.data();
    let file = |name: &str| data.join(name);
    let read = |name: &str| std::fs::read(file(name)).ok();
    let rotate = || run(BIN, &["--data", data.to_str().expect("plain"), "secrets", "rotate"]);
    let first = read("master.key").expect("a key");
    // Cut short before a record was changed: the key that was made is the one that is used.
    let second = vec![2; 32];
    std::fs::write(file("master.key.next"), &second).expect("written");
    rotate();
    assert_eq!(read("master.key").as_ref(), Some(&second));
    // Cut short when all records were changed, before the new key took the place of the old one.
    std::fs::rename(file("master.key"), file("master.key.next")).expect("moved");
    std::fs::write(file("master.key"), &first).expect("written");
    assert_eq!(read("master.key.previous").as_ref(), Some(&first));
    rotate();
    assert_eq!((read("master.key").as_ref(), read("master.key.next")), (Some(&second), None));
    // Versions before this one made a third key beside a previous one, and stopped.
    std::fs::write(file("master.key.next"), [3; 32]).expect("written");
    let said = rotate();
    assert!(said.contains("delete"), "{said}");
    assert_eq!((read("master.key").as_ref(), read("master.key.next")), (Some(&second), None));
    house.kill();
    std::fs::remove_file(file("master.key.previous")).expect("there");
    house.start();
    house.answers().await;
    assert_eq!(test_lead(&house, "app").await["state"], "delivered");
}

#[test]
fn a_key_comes_from_the_environment_a_credential_or_a_file_and_is_never_made_over_a_bad_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let credentials = dir.path().join("credentials");
    std::fs::create_dir_all(&data).expect("a directory");
    std::fs::create_dir_all(&credentials).expect("a directory");
    let data_text = data.to_str().expect("plain").to_owned();
    let start = |variables: &[(&str, &str)]| {
        let out = Command::new(BIN)
            .args(["--data", &data_text, "sign-in-link"])
            .envs(variables.iter().copied())
            .output();
        String::from_utf8_lossy(&out.expect("it starts").stderr).into_owned()
    };
    // Whatever else is missing, it is not the key.
    let good = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert!(start(&[("MERCAT_MASTER_KEY", good)]).contains("no operator yet"));
    assert!(!data.join("master.key").exists(), "no file is made beside a key from elsewhere");
    std::fs::write(credentials.join("mercat-master-key"), good).expect("written");
    let place = credentials.to_str().expect("plain");
    assert!(start(&[("CREDENTIALS_DIRECTORY", place)]).contains("no operator yet"));
    assert!(!data.join("master.key").exists());
    assert!(start(&[("MERCAT_MASTER_KEY", "short")]).contains("MERCAT_MASTER_KEY is not base64 of 32 bytes"));
    std::fs::write(data.join("master.key"), b"broken").expect("written");
    assert!(start(&[]).contains("is not a key of 32 bytes"));
    assert_eq!(std::fs::read(data.join("master.key")).expect("there"), b"broken");
}
