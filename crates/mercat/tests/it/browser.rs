//! A real Chromium, driven over WebDriver, and what every page must pass in it.

use crate::house::{free_port, has, skipped};
use base64::Engine;
use reqwest::Method;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A WebDriver session (W3C WebDriver): the few calls that the test needs, over the HTTP client at hand.
pub(crate) struct Browser {
    http: reqwest::Client,
    session: String,
    child: Child,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A driver that is killed leaves its browser behind.
        self.end_session();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Browser {
    pub(crate) async fn open() -> Option<Self> {
        Self::with(json!({})).await
    }

    /// A browser in which no page runs a script.
    pub(crate) async fn without_scripts() -> Option<Self> {
        Self::with(json!({"profile.managed_default_content_settings.javascript": 2})).await
    }

    async fn with(preferences: Value) -> Option<Self> {
        if !has("chromium") || !has("chromedriver") {
            return None;
        }
        let port = free_port();
        let quiet = Stdio::null;
        let profile = tempfile::tempdir().expect("a directory");
        let child = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .env("TMPDIR", profile.path())
            .stdout(quiet())
            .stderr(quiet())
            .spawn();
        let flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync \
                     --disable-background-networking --disable-component-update --window-size=1280,1400";
        let mut arguments: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments, "prefs": preferences}, "goog:loggingPrefs": {"browser": "ALL"},
        }}});
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

    fn end_session(&self) {
        use std::io::{Read, Write};
        let Some((address, path)) = self.session.strip_prefix("http://").and_then(|at| at.split_once('/'))
        else {
            return;
        };
        let Ok(mut socket) = std::net::TcpStream::connect(address) else { return };
        let _ = socket.set_read_timeout(Some(Duration::from_secs(5)));
        let request = format!("DELETE /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        let _ = socket.write_all(request.as_bytes()).and_then(|()| socket.read(&mut [0; 512]));
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> Result<Value, String> {
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

    pub(crate) async fn goto(&self, url: &str) {
        self.call(Method::POST, "/url", json!({"url": url})).await.expect("loads");
    }

    pub(crate) async fn find(&self, using: &str, value: &str) -> Result<String, String> {
        let found = self.call(Method::POST, "/element", json!({"using": using, "value": value})).await?;
        Ok(found[ELEMENT].as_str().unwrap_or_default().to_owned())
    }

    /// Waits for an element.
    pub(crate) async fn wait(&self, css: &str) -> String {
        for _ in 0..300 {
            if let Ok(element) = self.find("css selector", css).await {
                return element;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{css} never came: {}", self.text().await)
    }

    /// Clicks; again when the element was drawn anew in between.
    pub(crate) async fn click(&self, css: &str) {
        for _ in 0..20 {
            let element = self.wait(css).await;
            match self.call(Method::POST, &format!("/element/{element}/click"), json!({})).await {
                Ok(_) => return,
                Err(why) if why.contains("stale") => {}
                Err(why) => panic!("{css} cannot be clicked: {why}"),
            }
        }
        panic!("{css} never stands still");
    }

    pub(crate) async fn type_into(&self, css: &str, text: &str) {
        let element = self.wait(css).await;
        self.call(Method::POST, &format!("/element/{element}/value"), json!({"text": text}))
            .await
            .expect("typed");
    }

    /// Types into whatever has the focus.
    pub(crate) async fn press(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
            })
            .collect();
        let keyboard = json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]});
        self.call(Method::POST, "/actions", keyboard).await.expect("typed");
    }

    /// Presses Tab until what has the focus fits; everything on the way shows that it has it.
    pub(crate) async fn reach(&self, fits: &str) {
        for _ in 0..120 {
            self.press("\u{e004}").await;
            let seen = "const one = document.activeElement, style = getComputedStyle(one); \
                        return one === document.body || style.outlineStyle !== 'none' || style.outlineWidth !== '0px'";
            assert_eq!(self.run(seen).await, true, "the focus cannot be seen");
            if self.run(&format!("return {fits}")).await == true {
                return;
            }
        }
        panic!("{fits} is never reached: {}", self.text().await);
    }

    pub(crate) async fn run(&self, script: &str) -> Value {
        self.call(Method::POST, "/execute/sync", json!({"script": script, "args": []}))
            .await
            .unwrap_or(Value::Null)
    }

    pub(crate) async fn text(&self) -> String {
        self.run("return document.body ? document.body.innerText : ''")
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) async fn until(&self, part: &str) {
        for _ in 0..300 {
            if self.text().await.contains(part) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{part:?} never came: {}", self.text().await);
    }

    /// A command of the DevTools protocol.
    async fn cdp(&self, command: &str, params: Value) -> Value {
        let body = json!({"cmd": command, "params": params});
        self.call(Method::POST, "/goog/cdp/execute", body).await.expect("a command of the browser")
    }

    /// The page's width in CSS pixels; half of a window's is what a zoom of 200 % leaves.
    pub(crate) async fn width(&self, width: u32) {
        let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    pub(crate) async fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        // A colour on its way to another is no colour of the page.
        let still = json!({"name": "prefers-reduced-motion", "value": "reduce"});
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}, still]});
        self.cdp("Emulation.setEmulatedMedia", features).await;
    }

    /// Chooses the language of the pages that are opened next.
    pub(crate) async fn language(&self, locale: &str) {
        let cookie = json!({"cookie": {"name": "lang", "value": locale, "path": "/"}});
        self.call(Method::POST, "/cookie", cookie).await.expect("a cookie");
    }

    /// Signs in as whoever a cookie stands for.
    pub(crate) async fn sign_in(&self, cookie: &str) {
        let (name, value) = cookie.split_once('=').expect("a cookie");
        let cookie = json!({"cookie": {"name": name, "value": value, "path": "/"}});
        self.call(Method::POST, "/cookie", cookie).await.expect("a cookie");
    }

    /// Errors of the console since the last call: scripts, missing files, and what the content security policy stopped.
    pub(crate) async fn console_errors(&self) -> Vec<String> {
        let log = self.call(Method::POST, "/se/log", json!({"type": "browser"})).await.expect("a log");
        let severe = log.as_array().into_iter().flatten().filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Keeps a picture of the whole page where `MERCAT_TEST_SCREENSHOTS` says, for people to look at.
    pub(crate) async fn picture(&self, name: &str) {
        let Ok(directory) = std::env::var("MERCAT_TEST_SCREENSHOTS") else { return };
        let taken = self.cdp("Page.captureScreenshot", json!({"captureBeyondViewport": true})).await;
        let png = base64::engine::general_purpose::STANDARD
            .decode(taken["data"].as_str().expect("text"))
            .expect("base64");
        std::fs::create_dir_all(&directory).expect("a directory");
        std::fs::write(format!("{directory}/{name}.png"), png).expect("written");
    }

    /// What axe-core finds against WCAG 2.2 A and AA, in words; nothing where it is not installed.
    async fn axe(&self) -> Vec<String> {
        let Some(source) = axe_source() else { return Vec::new() };
        self.run(&source).await;
        let script = "const done = arguments[arguments.length - 1]; \
            const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']; \
            axe.run(document, {runOnly: {type: 'tag', values: tags}}).then(found => done(found.violations.map( \
            one => one.id + ': ' + one.nodes.map(node => node.target + ' ' + node.failureSummary).join(' | '))))";
        let found = self.call(Method::POST, "/execute/async", json!({"script": script, "args": []})).await;
        serde_json::from_value(found.expect("axe runs")).expect("a list")
    }

    /// The page as it stands open, on a telephone and in a wide window: nothing sticks out, axe-core finds nothing, the
    /// console is empty.
    pub(crate) async fn audit_here(&self, name: &str) {
        let locale = self.run("return document.documentElement.lang").await;
        let locale = locale.as_str().expect("a language");
        for (width, size) in [(360, "phone"), (1280, "wide")] {
            self.width(width).await;
            let wide = self.run("return document.documentElement.scrollWidth - window.innerWidth").await;
            assert!(wide.as_i64().unwrap_or(1) <= 0, "{name} in {locale} at {width} is {wide} too wide");
            assert_eq!(self.axe().await, Vec::<String>::new(), "{name} in {locale} at {width}");
            self.picture(&format!("{name}-{locale}-{size}")).await;
        }
        assert_eq!(self.console_errors().await, Vec::<String>::new(), "{name}: the console");
    }

    /// A form that is sent past the checks of the browser and refused, in both languages: it comes back with `kept` in
    /// its first field. Fields are set by selector; `send` is the button, or the form's first.
    pub(crate) async fn audit_refused(&self, name: &str, url: &str, fields: &[(&str, &str)], send: &str) {
        for locale in ["ja", "en"] {
            self.language(locale).await;
            self.goto(url).await;
            self.wait(&format!("html[lang={locale}]")).await;
            let (first, kept) = fields.first().expect("a field");
            let script = format!(
                "for (const [where, text] of {}) document.querySelector(where).value = text; \
                 const form = document.querySelector({}).form; form.noValidate = true; \
                 form.requestSubmit({send:?} ? form.querySelector({send:?}) : undefined)",
                json!(fields),
                json!(first)
            );
            self.run(&script).await;
            self.wait("[role=alert]").await;
            let value = self.run(&format!("return document.querySelector({}).value", json!(first))).await;
            assert_eq!(value, *kept, "{name} in {locale}");
            // A browser writes down that it was refused.
            self.console_errors().await;
            self.audit_here(name).await;
        }
    }

    /// A page that is bad news, with the status that the console tells.
    pub(crate) async fn audit_bad_news(&self, name: &str, url: &str) {
        for locale in ["ja", "en"] {
            self.language(locale).await;
            self.goto(url).await;
            self.wait(&format!("html[lang={locale}]")).await;
            self.console_errors().await;
            self.audit_here(name).await;
        }
    }

    /// The page that is open, in both languages, on a telephone, at 200 % and in a wide window, light and dark:
    /// nothing sticks out, axe-core finds nothing, the console is empty. The page stays open in English.
    pub(crate) async fn audit(&self, name: &str) {
        let url = self.call(Method::GET, "/url", json!({})).await.expect("a page");
        let url = url.as_str().expect("text").to_owned();
        for locale in ["ja", "en"] {
            self.language(locale).await;
            self.goto(&url).await;
            self.wait(&format!("html[lang={locale}]")).await;
            for (width, size) in [(360, "phone"), (640, "zoomed"), (1280, "wide")] {
                self.width(width).await;
                let wide = self.run("return document.documentElement.scrollWidth - window.innerWidth").await;
                assert!(wide.as_i64().unwrap_or(1) <= 0, "{name} in {locale} at {width} is {wide} too wide");
                if width != 640 {
                    assert_eq!(self.axe().await, Vec::<String>::new(), "{name} in {locale} at {width}");
                    self.picture(&format!("{name}-{locale}-{size}")).await;
                }
            }
        }
        self.dark(true).await;
        assert_eq!(self.axe().await, Vec::<String>::new(), "{name} in the dark");
        self.picture(&format!("{name}-en-dark")).await;
        self.dark(false).await;
        if name == "styleguide" {
            let forced = json!({"features": [{"name": "forced-colors", "value": "active"}]});
            self.cdp("Emulation.setEmulatedMedia", forced).await;
            self.picture("styleguide-en-forced").await;
            self.dark(false).await;
        }
        assert_eq!(self.console_errors().await, Vec::<String>::new(), "{name}: the console");
    }
}

/// The text of `axe.min.js`, which `MERCAT_TEST_AXE` names; said aloud when it is not there.
fn axe_source() -> Option<String> {
    static ONCE: std::sync::Once = std::sync::Once::new();
    let source = std::env::var("MERCAT_TEST_AXE").ok().and_then(|path| std::fs::read_to_string(path).ok());
    if source.is_none() {
        ONCE.call_once(|| {
            skipped("skipped: MERCAT_TEST_AXE names no axe.min.js, so accessibility was not tested");
        });
    }
    source
}
