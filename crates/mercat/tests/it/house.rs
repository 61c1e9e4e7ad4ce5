//! A server of its own for a test, and the way in.

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A subscription that exists nowhere.
pub(crate) const NOBODYS: &str = "11111111-2222-4333-8444-555555555555";

/// The beginning of a private key, as certification finds it (CTR-21).
pub(crate) const PLANTED_KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQy\n";

pub(crate) const BIN: &str = env!("CARGO_BIN_EXE_mercat");

/// A data directory and, while it runs, its server.
pub(crate) struct House {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) base: String,
    pub(crate) http: reqwest::Client,
    child: Option<Child>,
    listen: String,
    link: Option<String>,
    pub(crate) token: String,
    /// What the server logs: a filter of `RUST_LOG`.
    pub(crate) log: &'static str,
    pub(crate) operator: String,
    pub(crate) leads: Arc<Mutex<Vec<Value>>>,
    pub(crate) mails: Arc<Mutex<Vec<(String, String)>>>,
}

/// Says that something was not tested, past the capture of the test runner.
pub(crate) fn skipped(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// A fresh PostgreSQL database, where a test server is named; said aloud where none is.
pub(crate) fn postgres() -> Option<String> {
    let Ok(base) = std::env::var("MERCAT_TEST_POSTGRES") else {
        skipped("skipped: MERCAT_TEST_POSTGRES is not set, so PostgreSQL was not tested");
        return None;
    };
    let name = format!("mercat_it_{}", uuid::Uuid::new_v4().simple());
    let made = Command::new("psql").args([&base, "-qc", &format!("CREATE DATABASE {name}")]).status();
    assert!(made.expect("psql starts").success(), "a database for this test");
    let (root, _) = base.rsplit_once('/').expect("a URL with a database");
    Some(format!("{root}/{name}"))
}

/// Whether a program is installed; said aloud when it is not.
pub(crate) fn has(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        skipped(&format!("skipped: {program} is not installed, so this was not tested"));
    }
    found
}

pub(crate) fn run(program: &str, args: &[&str]) -> String {
    let out = Command::new(program).args(args).output().expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{program} {args:?}: {text} {}", String::from_utf8_lossy(&out.stderr));
    text
}

impl House {
    /// A running server with publisher `aurora`, its owner's token and receivers for leads and mails.
    pub(crate) async fn open() -> Self {
        Self::with("", &[]).await
    }

    /// The same, with more configuration and more egress exceptions.
    pub(crate) async fn with(config: &str, allow: &[String]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().expect("a directory");
        let (leads, crm) = crm().await;
        let (mails, smtp) = smtp().await;
        let listen = format!("127.0.0.1:{}", free_port());
        let mut exceptions: Vec<String> = allow.to_vec();
        exceptions.push(crm.clone());
        std::fs::create_dir_all(dir.path().join("data")).expect("a directory");
        std::fs::create_dir_all(dir.path().join("images")).expect("a directory");
        // All the tests once more on the other database, for whoever asks for that.
        let other = std::env::var("MERCAT_TEST_DATABASE").is_ok_and(|database| database == "postgres");
        let database = match other && !config.contains("[database]") {
            true => postgres().map(|url| format!("[database]\nurl = {url:?}\n")).unwrap_or_default(),
            false => String::new(),
        };
        // A test takes little, and the machine may have little: what is left free by default would decide for it.
        let depot = if config.contains("[depot]") { "" } else { "[depot]\nkeep_free_mib = 64\n" };
        let text = format!(
            "{database}[server]\nlisten = {listen:?}\n[egress]\nallow = {exceptions:?}\n[sources]\ndirectories = [{:?}]\n\
             [smtp]\nhost = \"127.0.0.1\"\nport = {smtp}\nfrom = \"Mercat <market@example.org>\"\nsecurity = \"none\"\n\
             {depot}[worker]\nlease_secs = 1\n{config}",
            dir.path().join("images")
        );
        std::fs::write(dir.path().join("data/mercat.toml"), text).expect("written");
        std::fs::write(dir.path().join("crm"), crm).expect("written");
        let mut house = Self {
            dir,
            base: format!("http://{listen}"),
            http: reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .expect("a client"),
            child: None,
            listen,
            link: None,
            token: String::new(),
            log: "warn",
            operator: String::new(),
            leads,
            mails,
        };
        house.start();
        house.answers().await;
        house.move_in().await;
        house
    }

    /// Imports advisories that cover Debian 12, and starts the server again with them.
    pub(crate) async fn learn_debian(&mut self) {
        let records = self.dir.path().join("advisories");
        whole(&records, "Debian:12");
        let data = self.data();
        let (data, records) = (data.to_str().expect("plain"), records.to_str().expect("plain"));
        run(BIN, &["--data", data, "advisories", "import", records]);
        self.kill();
        self.start();
        self.answers().await;
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn crm(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("crm")).expect("written before")
    }

    /// Starts the server process and reads its first lines.
    pub(crate) fn start(&mut self) {
        let mut command = Command::new(BIN);
        // Who vouches for the certificates of this test's receivers.
        if self.dir.path().join("ca.pem").exists() {
            command.env("SSL_CERT_FILE", self.dir.path().join("ca.pem"));
        }
        // A server of another machine, with a copy of the master key.
        if self.dir.path().join("copy.key").exists() {
            command.env("MERCAT_MASTER_KEY_FILE", self.dir.path().join("copy.key"));
        }
        let mut child = command
            .args(["--data", self.data().to_str().expect("plain"), "serve"])
            .env("RUST_LOG", self.log)
            .stdout(Stdio::piped())
            .stderr(Stdio::from(
                std::fs::OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(self.dir.path().join("log"))
                    .expect("a log"),
            ))
            .spawn()
            .expect("it starts");
        let out = child.stdout.take().expect("a pipe");
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        if self.link.is_none() {
            while let Ok(line) = receive.recv_timeout(Duration::from_secs(30)) {
                if let Some((_, link)) = line.split_once("works once: ") {
                    self.link = Some(link.to_owned());
                    break;
                }
            }
        }
        self.child = Some(child);
    }

    /// SIGKILL, and wait until the process is gone.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) async fn answers(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            if self
                .http
                .get(format!("{}/api/v1/health", self.base))
                .send()
                .await
                .is_ok_and(|a| a.status().is_success())
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!(
            "no answer on {}: {}",
            self.listen,
            std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
        );
    }

    /// Signs in by a one-time link; the session cookie comes back.
    pub(crate) async fn sign_in(&self, link: &str) -> String {
        let secret = link.split_once("link=").expect("a link").1;
        let answer = self
            .http
            .post(format!("{}/sign-in", self.base))
            .form(&[("link", secret)])
            .send()
            .await
            .expect("answers");
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "the link works once");
        let cookie = answer.headers()["set-cookie"].to_str().expect("text");
        cookie.split(';').next().expect("a cookie").to_owned()
    }

    /// Adds somebody to a publisher; their one-time sign-in link.
    pub(crate) async fn member_link(&self, publisher: &str, email: &str, role: &str) -> String {
        let body = json!({"email": email, "role": role}).to_string();
        let url = format!("{}/api/v1/publishers/{publisher}/members", self.base);
        let request = self.http.post(url).header("cookie", &self.operator).body(body);
        let made: Value =
            serde_json::from_str(&request.send().await.expect("answers").text().await.expect("text"))
                .expect("JSON");
        made["signInLink"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    async fn move_in(&mut self) {
        let operator = self.sign_in(&self.link.clone().expect("the first start prints a link")).await;
        self.operator = operator.clone();
        let as_operator = async |method: Method, path: &str, body: Value| {
            let request =
                self.http.request(method, format!("{}{path}", self.base)).header("cookie", &operator);
            let answer = request.body(body.to_string()).send().await.expect("answers");
            assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap_or_default());
            serde_json::from_str::<Value>(&answer.text().await.expect("text")).expect("JSON")
        };
        as_operator(Method::POST, "/api/v1/publishers", json!({"id": "aurora", "name": "Aurora Labs"})).await;
        let member = json!({"email": "owner@example.org", "role": "owner"});
        let member = as_operator(Method::POST, "/api/v1/publishers/aurora/members", member).await;
        let owner = self.sign_in(member["signInLink"].as_str().expect("a link")).await;
        let body = json!({"label": "test", "scope": "golive"}).to_string();
        let request =
            self.http.post(format!("{}/api/v1/tokens", self.base)).header("cookie", owner).body(body);
        let token: Value =
            serde_json::from_str(&request.send().await.expect("answers").text().await.expect("text"))
                .expect("JSON");
        self.token = token["token"].as_str().expect("shown once").to_owned();
    }

    /// Calls the API as the publisher's owner.
    pub(crate) async fn api(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request =
            self.http.request(method, format!("{}/api/v1{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("if-match", "*").body(body.to_string());
        }
        let answer = request.send().await.expect("answers");
        let status = answer.status();
        (status, serde_json::from_str(&answer.text().await.unwrap_or_default()).unwrap_or(Value::Null))
    }

    pub(crate) async fn upload_logo(&self, width: u32, height: u32) -> String {
        let picture = image::RgbaImage::from_pixel(width, height, image::Rgba([10, 90, 100, 255]));
        let mut png = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut png, image::ImageFormat::Png).expect("memory");
        let request =
            self.http.post(format!("{}/api/v1/publishers/aurora/media", self.base)).bearer_auth(&self.token);
        let answer = request.body(png.into_inner()).send().await.expect("answers");
        let body: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
        body["digest"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
    }

    /// Makes a customer subscription with a pull token.
    pub(crate) async fn subscription(&self) -> (String, String) {
        let (_, row) = self.api(Method::POST, "/subscriptions", Some(json!({"name": "customer"}))).await;
        let id = row["id"].as_str().expect("an id").to_owned();
        let (_, token) = self.api(Method::POST, &format!("/subscriptions/{id}/pull-tokens"), None).await;
        (id, token["token"].as_str().expect("shown once").to_owned())
    }

    /// A complete offer over an image reference.
    pub(crate) async fn offer(&self, offer: &str, image: &str, tags: &[&str], allowed: &[String]) -> Value {
        json!({
            "publisher": "aurora", "offer": offer, "type": "container", "name": "Gateway",
            "title": "Gateway", "summary": "Connects small sites", "longSummary": "Connects small sites to a hub.",
            "description": "<p>Connects <em>small</em> sites.</p><p>Minimum hardware: one core, 64 MB of RAM.</p>", "marketingId": offer,
            "allowedSubscriptions": allowed, "categories": ["internet-of-things/iot-edge-modules"],
            "smallLogo": self.upload_logo(48, 48).await, "mediumLogo": self.upload_logo(90, 90).await,
            "largeLogo": self.upload_logo(216, 216).await, "wideLogo": self.upload_logo(255, 115).await,
            "privacyUrl": "https://example.org/privacy", "useStandardContract": true,
            "leadDestination": "https", "leadHttpsUrl": format!("http://{}/leads", self.crm()),
            "engineeringContactName": "E", "engineeringContactEmail": "e@example.org", "engineeringContactPhone": "+1 555 0100",
            "supportContactName": "S", "supportContactEmail": "s@example.org", "supportContactPhone": "+1 555 0101",
            "plans": [{
                "plan": "standard", "title": "Standard", "summary": "One gateway", "description": "<p>One.</p>",
                "markets": ["JP"], "licenseModel": "free", "image": image, "tags": tags,
            }],
        })
    }

    pub(crate) async fn save(&self, offer: &Value) {
        let path = format!("/publishers/aurora/offers/{}", offer["offer"].as_str().expect("an id"));
        let (status, body) = self.api(Method::PUT, &path, Some(offer.clone())).await;
        assert!(status.is_success(), "{status} {body}");
    }

    /// Saves an offer with a private key in its image, for a subscription of nobody.
    pub(crate) async fn offer_with_key(&self, offer: &str, more: Value) {
        let root = self.dir.path().join("images").join(offer);
        let tags = ["latest", "1.0.0"];
        layout(&root, &[tar(&[("bin/app", b"\x01app"), ("root/.ssh/id", PLANTED_KEY.as_bytes())])], &tags);
        let image = format!("oci:{}", root.display());
        let mut document = self.offer(offer, &image, &tags, &[NOBODYS.to_owned()]).await;
        let more = more.as_object().expect("an object").clone();
        document.as_object_mut().expect("an object").extend(more);
        self.save(&document).await;
    }

    /// Publishes it; certification finds the key. Gives the submission and the number of the finding.
    pub(crate) async fn fails_on_its_key(&self, offer: &str) -> (String, usize) {
        self.publish(offer).await;
        let status = self.until(offer, &["failed", "waitingForPublisherReview"]).await;
        assert_eq!(status["status"], "failed", "{status:#}");
        let mut steps = status["steps"].as_array().expect("steps").iter();
        let certify = steps.find(|step| step["id"] == "certify").expect("there");
        let mut findings = certify["findings"].as_array().expect("a list").iter();
        let at = findings.position(|finding| finding["rule"] == "CTR-21").expect("found");
        (status["submission"].as_str().expect("an id").to_owned(), at)
    }

    pub(crate) async fn publish(&self, offer: &str) -> Value {
        let body = json!({"notificationEmails": ["ops@example.org"]});
        let (status, body) =
            self.api(Method::POST, &format!("/publishers/aurora/offers/{offer}/publish"), Some(body)).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        body
    }

    pub(crate) async fn go_live(&self, offer: &str) -> Value {
        let body = json!({"snapshotDigest": self.status(offer).await["snapshotDigest"]});
        let path = format!("/publishers/aurora/offers/{offer}/golive");
        let (status, body) = self.api(Method::POST, &path, Some(body)).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        body
    }

    pub(crate) async fn status(&self, offer: &str) -> Value {
        self.api(Method::GET, &format!("/publishers/aurora/offers/{offer}/status"), None).await.1
    }

    /// Waits until the submission has one of the states.
    pub(crate) async fn until(&self, offer: &str, states: &[&str]) -> Value {
        let end = Instant::now() + Duration::from_secs(180);
        loop {
            let status = self.status(offer).await;
            if states.contains(&status["status"].as_str().unwrap_or_default()) {
                return status;
            }
            assert!(Instant::now() < end, "waited for {states:?}, it is {status:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Rules of the findings of the step that blocks.
    pub(crate) fn blocking(status: &Value) -> Vec<Value> {
        let steps = status["steps"].as_array().cloned().unwrap_or_default();
        let blocked = steps.into_iter().filter(|step| step["status"] == "blocked");
        blocked
            .flat_map(|step| step["findings"].as_array().cloned().unwrap_or_default())
            .filter(|f| f["severity"] == "error")
            .collect()
    }

    /// Message-IDs that arrived at the mail server, each once.
    pub(crate) fn message_ids(&self) -> BTreeSet<String> {
        self.mails.lock().expect("no panic").iter().map(|(id, _)| id.clone()).collect()
    }

    /// The mails that arrived, as sent.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.mails.lock().expect("no panic").iter().map(|(_, mail)| mail.clone()).collect()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn crm() -> (Arc<Mutex<Vec<Value>>>, String) {
    let leads: Arc<Mutex<Vec<Value>>> = Arc::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let kept = leads.clone();
    let take = move |body: String| {
        kept.lock().expect("no panic").push(serde_json::from_str(&body).unwrap_or(Value::Null));
        async { "taken" }
    };
    let app = axum::Router::new().route("/leads", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (leads, address)
}

/// A mail server that keeps what it accepts, with its Message-ID.
async fn smtp() -> (Arc<Mutex<Vec<(String, String)>>>, u16) {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
    let mails: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let kept = mails.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let kept = kept.clone();
            tokio::spawn(async move {
                let (read, mut write) = socket.into_split();
                let mut lines = tokio::io::BufReader::new(read).lines();
                let _ = write.write_all(b"220 test\r\n").await;
                let (mut in_data, mut id, mut mail) = (false, String::new(), String::new());
                while let Ok(Some(line)) = lines.next_line().await {
                    let answer: &[u8] = if in_data {
                        if let Some(found) = line.strip_prefix("Message-ID: ") {
                            found.clone_into(&mut id);
                        }
                        if line != "." {
                            mail.push_str(&line);
                            mail.push('\n');
                            continue;
                        }
                        in_data = false;
                        let whole = (std::mem::take(&mut id), std::mem::take(&mut mail));
                        kept.lock().expect("no panic").push(whole);
                        b"250 taken\r\n"
                    } else if line.starts_with("DATA") {
                        in_data = true;
                        b"354 go on\r\n"
                    } else if line.starts_with("QUIT") {
                        b"221 bye\r\n"
                    } else {
                        b"250 ok\r\n"
                    };
                    if write.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (mails, port)
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A tar stream of regular files; an entry without body is a whiteout-like empty file.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, body) in files {
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        let mode = if name.starts_with("bin/") { b"0000755\0" } else { b"0000644\0" };
        header[100..108].copy_from_slice(mode);
        header[108..116].copy_from_slice(b"0000000\0");
        header[116..124].copy_from_slice(b"0000000\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", body.len()).as_bytes());
        header[136..148].copy_from_slice(b"00000000000\0");
        header[148..156].copy_from_slice(b"        ");
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(body);
        out.resize(out.len().div_ceil(512) * 512, 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}

/// Writes an OCI layout of one image with these layers (uncompressed tars) under the tags.
pub(crate) fn layout(root: &Path, layers: &[Vec<u8>], tags: &[&str]) -> String {
    let blobs = root.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).expect("a directory");
    let put = |bytes: &[u8], kind: &str| {
        let digest = sha256(bytes);
        std::fs::write(blobs.join(&digest[7..]), bytes).expect("written");
        json!({"mediaType": kind, "digest": digest, "size": bytes.len()})
    };
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": {"User": "1000", "Entrypoint": ["/bin/app"], "Labels": {
            "org.opencontainers.image.title": "t", "org.opencontainers.image.version": "1", "org.opencontainers.image.source": "s",
            "org.opencontainers.image.licenses": "Apache-2.0", "org.opencontainers.image.vendor": "v"}},
        "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|layer| sha256(layer)).collect::<Vec<_>>()},
    });
    let config = put(config.to_string().as_bytes(), "application/vnd.oci.image.config.v1+json");
    let layers: Vec<Value> =
        layers.iter().map(|layer| put(&gzip(layer), "application/vnd.oci.image.layer.v1.tar+gzip")).collect();
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": layers});
    let manifest = put(manifest.to_string().as_bytes(), "application/vnd.oci.image.manifest.v1+json");
    let entries: Vec<Value> = tags
        .iter()
        .map(|tag| {
            let mut entry = manifest.clone();
            entry["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
            entry
        })
        .collect();
    std::fs::write(root.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
    std::fs::write(root.join("index.json"), json!({"schemaVersion": 2, "manifests": entries}).to_string())
        .expect("written");
    manifest["digest"].as_str().expect("a digest").to_owned()
}

/// Pulls a manifest as a client does; `None` for 404.
pub(crate) async fn pull(
    base: &str,
    repository: &str,
    tag: &str,
    who: Option<&(String, String)>,
) -> Option<String> {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut request = http.get(format!("{base}/v2/token"));
    if let Some((name, secret)) = who {
        request = request.basic_auth(name, Some(secret));
    }
    let token: Value =
        serde_json::from_str(&request.send().await.expect("answers").text().await.expect("text"))
            .expect("JSON");
    let url = format!("{base}/v2/{repository}/manifests/{tag}");
    let answer =
        http.get(url).bearer_auth(token["token"].as_str().unwrap_or_default()).send().await.expect("answers");
    if answer.status() == StatusCode::NOT_FOUND {
        return None;
    }
    assert_eq!(answer.status(), StatusCode::OK);
    let bytes = answer.bytes().await.expect("bytes");
    let manifest: Value = serde_json::from_slice(&bytes).expect("JSON");
    for blob in
        std::iter::once(&manifest["config"]).chain(manifest["layers"].as_array().into_iter().flatten())
    {
        let wanted = blob["digest"].as_str().expect("a digest");
        let body = http
            .get(format!("{base}/v2/{repository}/blobs/{wanted}"))
            .bearer_auth(token["token"].as_str().unwrap_or_default())
            .send()
            .await;
        assert_eq!(sha256(&body.expect("answers").bytes().await.expect("bytes")), wanted);
    }
    Some(sha256(&bytes))
}

/// Bytes that do not compress.
pub(crate) fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(bytes);
    out
}

/// Writes as many advisories of an ecosystem as are taken for all of them, about nothing that anybody has.
pub(crate) fn whole(directory: &Path, ecosystem: &str) {
    std::fs::create_dir_all(directory).expect("made");
    for number in 0..100 {
        let text = json!({
            "id": format!("TEST-2026-1{number:03}"), "modified": "2026-01-01T00:00:00Z",
            "affected": [{
                "package": {"ecosystem": ecosystem, "name": format!("nothing-{number}")},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1"}]}],
            }],
        });
        std::fs::write(directory.join(format!("whole-{number}.json")), text.to_string()).expect("written");
    }
}
