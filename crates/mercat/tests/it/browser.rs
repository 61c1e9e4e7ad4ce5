//! The portal in a real Chromium: an offer is published by clicking, in both languages, without a script.

use crate::House;
use crate::house::{PLANTED_KEY, free_port, has, layout, tar};
use base64::Engine;
use reqwest::Method;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A WebDriver session (W3C WebDriver): the few calls that the test needs, over the HTTP client at hand.
struct Browser {
    http: reqwest::Client,
    session: String,
    child: Child,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Browser {
    async fn open() -> Option<Self> {
        if !has("chromium") || !has("chromedriver") {
            return None;
        }
        let port = free_port();
        let quiet = Stdio::null;
        let child = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(quiet())
            .stderr(quiet())
            .spawn();
        let profile = tempfile::tempdir().expect("a directory");
        let flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync \
                     --disable-background-networking --disable-component-update --window-size=1280,1400";
        let mut arguments: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}});
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let mut browser =
            Self { http, session: String::new(), child: child.expect("it starts"), _profile: profile };
        let url = format!("http://127.0.0.1:{port}/session");
        for _ in 0..100 {
            if let Ok(answer) = browser.http.post(&url).body(wanted.to_string()).send().await {
                let body: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
                browser.session = format!(
                    "{url}/{}",
                    body["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{body}"))
                );
                return Some(browser);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("chromedriver does not answer")
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Result<Value, String> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.session));
        if method == Method::POST {
            request = request.body(body.to_string());
        }
        let text = request.send().await.expect("answers").text().await.expect("text");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        match answer["value"]["error"].as_str() {
            Some(_) => Err(answer["value"]["message"].as_str().unwrap_or_default().to_owned()),
            None => Ok(answer["value"].clone()),
        }
    }

    async fn goto(&self, url: &str) {
        self.call(Method::POST, "/url", json!({"url": url})).await.expect("loads");
    }

    async fn find(&self, using: &str, value: &str) -> Result<String, String> {
        let found = self.call(Method::POST, "/element", json!({"using": using, "value": value})).await?;
        Ok(found[ELEMENT].as_str().unwrap_or_default().to_owned())
    }

    /// Waits for an element.
    async fn wait(&self, css: &str) -> String {
        for _ in 0..300 {
            if let Ok(element) = self.find("css selector", css).await {
                return element;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{css} never came: {}", self.text().await)
    }

    async fn click(&self, css: &str) {
        let element = self.wait(css).await;
        self.call(Method::POST, &format!("/element/{element}/click"), json!({})).await.expect("clickable");
    }

    async fn type_into(&self, css: &str, text: &str) {
        let element = self.wait(css).await;
        self.call(Method::POST, &format!("/element/{element}/value"), json!({"text": text}))
            .await
            .expect("typed");
    }

    async fn run(&self, script: &str) -> Value {
        self.call(Method::POST, "/execute/sync", json!({"script": script, "args": []}))
            .await
            .unwrap_or(Value::Null)
    }

    async fn text(&self) -> String {
        self.run("return document.body ? document.body.innerText : ''")
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    async fn until(&self, part: &str) {
        for _ in 0..300 {
            if self.text().await.contains(part) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{part:?} never came: {}", self.text().await);
    }

    async fn width(&self, width: u32) {
        self.call(Method::POST, "/window/rect", json!({"width": width, "height": 1300}))
            .await
            .expect("resized");
    }
}

/// Keeps a picture where `MERCAT_TEST_SCREENSHOTS` says, for people to look at.
async fn picture(browser: &Browser, name: &str) {
    let Ok(directory) = std::env::var("MERCAT_TEST_SCREENSHOTS") else { return };
    let encoded = browser.call(Method::GET, "/screenshot", json!({})).await.expect("a picture");
    let png =
        base64::engine::general_purpose::STANDARD.decode(encoded.as_str().expect("text")).expect("base64");
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(format!("{directory}/{name}.png"), png).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_is_published_by_clicking() {
    let Some(browser) = Browser::open().await else { return };
    let house = House::open().await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("bin/app", b"x")])], &["latest", "1.0.0"]);
    let allowed = ["11111111-2222-4333-8444-555555555555".to_owned()];
    let mut offer =
        house.offer("app", &format!("oci:{}", root.display()), &["latest", "1.0.0"], &allowed).await;
    offer["title"] = json!("");
    house.save(&offer).await;
    let member = json!({"email": "owner@example.org", "role": "owner"}).to_string();
    let url = format!("{}/api/v1/publishers/aurora/members", house.base);
    let made =
        house.http.post(url).header("cookie", &house.operator).body(member).send().await.expect("answers");
    let made: serde_json::Value = serde_json::from_str(&made.text().await.expect("text")).expect("JSON");

    browser.goto(made["signInLink"].as_str().expect("a link")).await;
    browser.click("main button").await;
    browser.until("All offers").await;
    picture(&browser, "offers-en").await;
    browser.click("tbody a").await;

    // A missing field: the warning stands beside it, and nothing is submitted.
    browser.click("button[value=publish]").await;
    browser.until("F001").await;
    let beside = browser
        .find("xpath", "//input[@name='f.title']/following-sibling::p[contains(@class,'problem')][1]")
        .await
        .expect("beside the field");
    let warning =
        browser.call(Method::GET, &format!("/element/{beside}/text"), json!({})).await.expect("text");
    assert!(warning.as_str().is_some_and(|text| text.contains("F001")), "{warning}");
    picture(&browser, "editor-problem-en").await;
    assert_eq!(house.status("app").await["status"], "neverPublished");
    browser.type_into("input[name='f.title']", "Gateway").await;
    browser.click("button[value=publish]").await;
    browser.wait("#emails").await;
    picture(&browser, "publish-en").await;
    browser.type_into("#emails", "ops@example.org").await;
    browser.click("main form button").await;
    browser.until("It is your turn").await;
    picture(&browser, "status-waiting-en").await;
    browser.click("a[href='/language/ja']").await;
    browser.until("あなたの番です").await;
    picture(&browser, "status-waiting-ja").await;
    browser.click("form[action$='/golive'] button").await;
    browser.until("オファーは公開されています").await;
    picture(&browser, "status-live-ja").await;
    browser.width(400).await;
    picture(&browser, "status-live-ja-narrow").await;
    for (path, name, part) in [
        ("/marketplace", "catalogue", "Gateway"),
        ("/marketplace/apps/aurora.app", "product", "podman pull"),
        ("/portal", "offers", "Gateway"),
        ("/portal/offers/aurora/app/editor", "editor", "aurora/app"),
        ("/portal/account", "account", "owner"),
        ("/portal/publishers/aurora/mail", "mailbox", "Gateway"),
    ] {
        for locale in ["en", "ja"] {
            browser.goto(&format!("{}{path}", house.base)).await;
            if browser.find("css selector", &format!("html[lang={locale}]")).await.is_err() {
                browser.click(&format!("a[href='/language/{locale}']")).await;
                browser.wait(&format!("html[lang={locale}]")).await;
            }
            if part != "owner" {
                browser.until(part).await;
            }
            for (width, size) in [(400, "narrow"), (1280, "wide")] {
                browser.width(width).await;
                picture(&browser, &format!("{name}-{locale}-{size}")).await;
                // Nothing sticks out: the page is never wider than the window.
                let wide =
                    browser.run("return document.documentElement.scrollWidth - window.innerWidth").await;
                assert!(wide.as_i64().unwrap_or(0) <= 0, "{path} at {width} in {locale}");
            }
        }
    }
    // The operator's pages, and those of a stranger.
    let (name, value) = house.operator.split_once('=').expect("a cookie");
    let cookie = json!({"cookie": {"name": name, "value": value, "path": "/"}});
    browser.call(Method::POST, "/cookie", cookie).await.expect("the operator");
    for locale in ["en", "ja"] {
        browser.goto(&format!("{}/portal/operator", house.base)).await;
        if browser.find("css selector", &format!("html[lang={locale}]")).await.is_err() {
            browser.click(&format!("a[href='/language/{locale}']")).await;
        }
        browser.wait(&format!("html[lang={locale}]")).await;
        browser.until("Aurora Labs").await;
        picture(&browser, &format!("operator-{locale}")).await;
        for (path, page) in
            [("/portal/new", "new"), ("/sign-in", "sign-in"), ("/portal/offers/aurora/nix/status", "error")]
        {
            browser.goto(&format!("{}{path}", house.base)).await;
            picture(&browser, &format!("{page}-{locale}")).await;
        }
    }
    let (_, live) = house.api(Method::GET, "/catalogue/aurora.app", None).await;
    assert_eq!(live["title"], "Gateway");
}

#[tokio::test(flavor = "multi_thread")]
async fn support_is_asked_for_on_a_failed_step_answered_and_closed_by_clicking() {
    let Some(browser) = Browser::open().await else { return };
    let house = House::open().await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("root/.ssh/id", PLANTED_KEY.as_bytes())])], &["latest", "1.0.0"]);
    let allowed = ["11111111-2222-4333-8444-555555555555".to_owned()];
    house
        .save(&house.offer("app", &format!("oci:{}", root.display()), &["latest", "1.0.0"], &allowed).await)
        .await;
    house.publish("app").await;
    house.until("app", &["failed"]).await;
    let member = json!({"email": "owner@example.org", "role": "owner"}).to_string();
    let url = format!("{}/api/v1/publishers/aurora/members", house.base);
    let made =
        house.http.post(url).header("cookie", &house.operator).body(member).send().await.expect("answers");
    let made: Value = serde_json::from_str(&made.text().await.expect("text")).expect("JSON");
    browser.goto(made["signInLink"].as_str().expect("a link")).await;
    browser.click("main button").await;
    browser.wait("a[href='/portal/new']").await;
    browser.goto(&format!("{}/portal/offers/aurora/app/status", house.base)).await;
    browser.click("a[href^='/support/new']").await;
    browser.until("CTR-21").await;
    browser.type_into("#title", "What is CTR-21?").await;
    browser.type_into("#text", "There is no key in it.").await;
    picture(&browser, "support-new-en").await;
    browser.click("main form.card button").await;
    browser.until("received").await;

    // The operator finds it in the queue, answers, and the owner's mail arrives.
    let owner = browser.call(Method::GET, "/cookie/mercat", json!({})).await.expect("a cookie");
    let (name, value) = house.operator.split_once('=').expect("a cookie");
    let cookie = json!({"cookie": {"name": name, "value": value, "path": "/"}});
    browser.call(Method::POST, "/cookie", cookie).await.expect("the operator");
    browser.goto(&format!("{}/support", house.base)).await;
    browser.click("main table a[href^='/support/']").await;
    browser.type_into("#text", "It is in root/.ssh/id.").await;
    browser.click("main form.card button").await;
    browser.until("waiting for your reply").await;
    for _ in 0..100 {
        if house.message_ids().iter().filter(|id| id.contains(".2.") && id.contains(".n9@")).count() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let answered = house.message_ids().iter().filter(|id| id.contains(".2.") && id.contains(".n9@")).count();
    assert_eq!(answered, 1, "{:?}", house.message_ids());

    // The owner closes it.
    let cookie = json!({"cookie": {"name": "mercat", "value": owner["value"], "path": "/"}});
    browser.call(Method::POST, "/cookie", cookie).await.expect("the owner");
    browser.goto(&format!("{}/support", house.base)).await;
    browser.click("main table a[href^='/support/']").await;
    browser.until("It is in root/.ssh/id.").await;
    browser.type_into("#text", "Thank you.").await;
    browser.click("input[name=close]").await;
    browser.click("main form.card button").await;
    browser.until("closed").await;
    picture(&browser, "support-closed-en").await;
}
