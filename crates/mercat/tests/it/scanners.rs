//! Other scanners, behind adapters of the test's own: what they are asked, what they can pull, what weighs.

use crate::House;
use crate::house::{BIN, layout, sha256, tar};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response};
use axum::routing::{get, post};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const REPORT: &str = "application/vnd.security.vulnerability.report; version=1.1";
const OLD_REPORT: &str = "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0";

/// How an adapter answers the question for the report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Manner {
    /// After one redirect, with what it is set to report.
    Good,
    /// It pulls what it was asked about first, and tries what it may not.
    Pulls,
    Fails,
    Hangs,
    Circles,
    Huge,
    Chunked,
    OtherSchema,
    OtherDigest,
}

/// What an adapter was told, and what it tells.
pub(crate) struct Told {
    pub(crate) manner: Manner,
    pub(crate) items: Value,
    /// Requests to scan, in order, with the header that they came with.
    pub(crate) scans: Vec<(Value, String)>,
    polls: u32,
    /// What was pulled and what came of it.
    pulls: Vec<(String, u16)>,
    /// A digest that belongs to another image.
    other: String,
}

/// An adapter on a port of its own.
#[derive(Clone)]
pub(crate) struct Adapter {
    pub(crate) host: String,
    /// What its description says, beside its name.
    version: &'static str,
    pub(crate) told: Arc<Mutex<Told>>,
}

impl Adapter {
    pub(crate) async fn open(version: &'static str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let told = Told {
            manner: Manner::Good,
            items: json!([]),
            scans: vec![],
            polls: 0,
            pulls: vec![],
            other: String::new(),
        };
        let adapter = Self { host, version, told: Arc::new(Mutex::new(told)) };
        let app = axum::Router::new()
            .route("/api/v1/metadata", get(metadata))
            .route("/api/v1/scan", post(scan))
            .route("/api/v1/scan/{id}/report", get(report))
            .with_state(adapter.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        adapter
    }

    pub(crate) fn config(&self, name: &str, mode: &str, more: &str) -> String {
        format!(
            "[[scanner]]\nname = {name:?}\nkind = \"harbor\"\nmode = {mode:?}\nurl = \"http://{}\"\n{more}\n",
            self.host
        )
    }

    pub(crate) fn set(&self, manner: Manner, items: Value) {
        let mut told = self.told.lock().expect("no panic");
        (told.manner, told.items, told.polls) = (manner, items, 0);
    }

    pub(crate) fn scans(&self) -> usize {
        self.told.lock().expect("no panic").scans.len()
    }
}

async fn metadata(State(adapter): State<Adapter>) -> String {
    let mut capability = json!({
        "consumes_mime_types": ["application/vnd.oci.image.manifest.v1+json"],
        "produces_mime_types": [OLD_REPORT],
    });
    let mut properties =
        json!({"harbor.scanner-adapter/vulnerability-database-updated-at": "2026-11-01T00:00:00Z"});
    if adapter.version == "1.2" {
        capability["type"] = json!("vulnerability");
        capability["produces_mime_types"] = json!([OLD_REPORT, REPORT]);
        properties["harbor.scanner-adapter/registry-authorization-type"] = json!("Bearer");
    }
    let scanner = json!({"name": "Lens", "vendor": "Test", "version": adapter.version});
    json!({"scanner": scanner, "capabilities": [capability], "properties": properties}).to_string()
}

async fn scan(State(adapter): State<Adapter>, headers: HeaderMap, body: String) -> (StatusCode, String) {
    let header = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    let mut told = adapter.told.lock().expect("no panic");
    told.scans.push((serde_json::from_str(&body).expect("JSON"), header));
    (StatusCode::ACCEPTED, json!({"id": format!("scan-{}", told.scans.len() - 1)}).to_string())
}

fn answer(status: u16, kind: &str, body: impl Into<Body>) -> Response<Body> {
    let built = Response::builder().status(status).header("content-type", kind).header("refresh-after", "1");
    built.header("location", "report").body(body.into()).expect("an answer")
}

async fn report(
    State(adapter): State<Adapter>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    let at: usize = id.strip_prefix("scan-").and_then(|at| at.parse().ok()).expect("an id of ours");
    let (manner, items, asked, first) = {
        let mut told = adapter.told.lock().expect("no panic");
        told.polls += 1;
        (told.manner, told.items.clone(), told.scans[at].0.clone(), told.polls == 1)
    };
    let kind = headers["accept"].to_str().expect("text").to_owned();
    let mut digest = asked["artifact"]["digest"].clone();
    match manner {
        Manner::Good | Manner::Pulls if first => return answer(302, "text/plain", ""),
        Manner::Pulls => pull(&adapter, &asked).await,
        Manner::Good => {}
        Manner::Fails => return answer(500, "application/json", "{\"error\": {\"message\": \"no\\nluck\"}}"),
        Manner::Hangs => tokio::time::sleep(Duration::from_secs(120)).await,
        Manner::Circles => return answer(302, "text/plain", ""),
        Manner::Huge => return answer(200, &kind, vec![b' '; (16 << 20) + 1]),
        Manner::Chunked => {
            let part = || Ok::<_, std::io::Error>(vec![b' '; 1 << 20]);
            let parts = futures::stream::repeat_with(part);
            return answer(200, &kind, Body::from_stream(parts));
        }
        Manner::OtherSchema => return answer(200, &kind, "{\"results\": []}"),
        Manner::OtherDigest => digest = json!(sha256(b"another")),
    }
    let report = json!({
        "generated_at": "2026-11-26T00:00:00Z", "artifact": {"digest": digest},
        "scanner": {"name": "Lens", "vendor": "Test", "version": adapter.version},
        "severity": "Critical", "vulnerabilities": items,
    });
    answer(200, &kind, report.to_string())
}

/// Pulls as scanners do: with the authorization of the request, exchanged at the token service when it is a name
/// and a password.
async fn pull(adapter: &Adapter, asked: &Value) {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let word = |at: &str| asked.pointer(at).and_then(Value::as_str).expect("asked").to_owned();
    let (base, mut authorization) = (word("/registry/url"), word("/registry/authorization"));
    let (repository, digest) = (word("/artifact/repository"), word("/artifact/digest"));
    if authorization.starts_with("Basic ") {
        let url = format!("{base}/v2/token?service=mercat");
        let token = http.get(url).header("authorization", &authorization).send().await.expect("answers");
        let token: Value = serde_json::from_str(&token.text().await.expect("text")).expect("JSON");
        authorization = format!("Bearer {}", token["token"].as_str().expect("a token"));
    }
    let other = adapter.told.lock().expect("no panic").other.clone();
    let fetch = async |path: String| {
        let request = http.get(format!("{base}/{path}")).header("authorization", &authorization);
        let answer = request.send().await.expect("answers");
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.expect("bytes");
        adapter.told.lock().expect("no panic").pulls.push((path, status));
        bytes
    };
    let manifest = fetch(format!("v2/{repository}/manifests/{digest}")).await;
    assert_eq!(sha256(&manifest), digest);
    let manifest: Value = serde_json::from_slice(&manifest).expect("a manifest");
    let layers = manifest["layers"].as_array().into_iter().flatten();
    for blob in std::iter::once(&manifest["config"]).chain(layers) {
        let wanted = blob["digest"].as_str().expect("a digest");
        assert_eq!(sha256(&fetch(format!("v2/{repository}/blobs/{wanted}")).await), wanted);
    }
    let hex = &other[7..];
    for hidden in [
        format!("v2/{repository}/manifests/{other}"),
        format!("v2/{repository}/manifests/latest"),
        format!("v2/{repository}/blobs/{other}"),
        format!("v2/certify/{hex}/manifests/{other}"),
        format!("v2/certify/{hex}/blobs/{other}"),
        "v2/preview/aurora/other/standard/manifests/latest".to_owned(),
    ] {
        fetch(hidden).await;
    }
    fetch("api/v1/publishers/aurora/offers".to_owned()).await;
}

/// Publishes an image of its own; the status once it waits or failed.
pub(crate) async fn publish(house: &House, name: &str) -> (String, Value) {
    let root = house.dir.path().join("images").join(name);
    let digest = layout(&root, &[tar(&[("etc/name", name.as_bytes())])], &["latest", "1.0.0"]);
    let allowed = house.subscription().await.0;
    let image = format!("oci:{}", root.display());
    let offer = house.offer(name, &image, &["latest", "1.0.0"], &[allowed]).await;
    house.save(&offer).await;
    house.publish(name).await;
    (digest, house.until(name, &["waitingForPublisherReview", "failed"]).await)
}

/// Rule, severity and observation of what scanners said.
fn said(status: &Value) -> Vec<(String, String, String)> {
    let steps = status["steps"].as_array().cloned().unwrap_or_default();
    let findings = steps.iter().flat_map(|step| step["findings"].as_array().cloned().unwrap_or_default());
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    findings
        .map(|finding| (word(&finding, "rule"), word(&finding, "severity"), word(&finding, "observed")))
        .filter(|(rule, ..)| rule.starts_with("SCN-") || rule == "INC-15")
        .collect()
}

fn item(id: &str, level: &str, fix: &str) -> Value {
    json!({"id": id, "package": "lib\u{1b}[2J", "version": "1.0", "fix_version": fix, "severity": level})
}

#[tokio::test(flavor = "multi_thread")]
async fn two_scanners_pull_one_specimen_each_and_only_the_one_in_force_blocks() {
    let (strict, quiet) = (Adapter::open("1.2").await, Adapter::open("1.0").await);
    let directory = tempfile::tempdir().expect("a directory");
    let token = directory.path().join("token");
    std::fs::write(&token, "adapter-token\n").expect("written");
    let config = strict.config("strict", "enforce", &format!("timeout_secs = 60\ntoken_file = {token:?}"))
        + &quiet.config("quiet", "shadow", "timeout_secs = 60")
        + &format!(
            "[[scanner]]\nname = \"gone\"\nkind = \"harbor\"\nmode = \"shadow\"\nurl = \"http://127.0.0.1:{}\"\n",
            crate::house::free_port()
        );
    let house = House::with(&config, &[]).await;
    let (other, first) = publish(&house, "other").await;
    assert_eq!(first["status"], "waitingForPublisherReview", "{first:#}");
    for adapter in [&strict, &quiet] {
        adapter.told.lock().expect("no panic").other.clone_from(&other);
    }
    strict.set(Manner::Pulls, json!([item("CVE-1", "Low", "2.0")]));
    quiet.set(Manner::Pulls, json!([item("CVE-2", "Critical", "2.0")]));
    let (digest, status) = publish(&house, "app").await;
    assert_eq!(status["status"], "waitingForPublisherReview", "{status:#}");
    let told = said(&status);
    let info = |rule: &str, who: &str, id: &str| {
        told.iter().any(|(r, s, o)| r == rule && s == "info" && o.starts_with(who) && o.contains(id))
    };
    assert!(info("SCN-01-BELOW", "strict (Lens 1.2)", "CVE-1 (Low)"), "{told:?}");
    assert!(info("SCN-01", "quiet (Lens 1.0)", "CVE-2 (Critical)"), "{told:?}");
    assert!(info("INC-15", "gone: its adapter does not answer", ""), "{told:?}");
    assert!(told.iter().all(|(.., observed)| !observed.contains('\u{1b}')), "{told:?}");
    for (adapter, typed) in [(&strict, true), (&quiet, false)] {
        let told = adapter.told.lock().expect("no panic");
        let (asked, header) = &told.scans[1];
        assert_eq!(header, if typed { "Bearer adapter-token" } else { "" });
        assert_eq!(asked["artifact"]["digest"], json!(digest));
        assert_eq!(asked["artifact"]["mime_type"], "application/vnd.oci.image.manifest.v1+json");
        let kind = &asked["enabled_capabilities"][0]["type"];
        assert_eq!(kind, &if typed { json!("vulnerability") } else { Value::Null });
        let statuses: Vec<u16> = told.pulls.iter().map(|(_, status)| *status).collect();
        assert_eq!(statuses, [200, 200, 200, 404, 404, 404, 404, 404, 404, 401], "{:?}", told.pulls);
    }
    // The same image again: neither is asked for a scan.
    let cancelled = house.api(Method::POST, "/publishers/aurora/offers/app/cancel", None).await;
    assert!(cancelled.0.is_success(), "{cancelled:?}");
    house.until("app", &["canceled", "cancelled"]).await;
    house.publish("app").await;
    let again = house.until("app", &["waitingForPublisherReview", "failed"]).await;
    assert_eq!((strict.scans(), quiet.scans()), (2, 2));
    assert_eq!(said(&again), told);
    // What the policy blocks, blocks where the scanner is in force.
    strict.set(Manner::Good, json!([item("CVE-3", "Critical", "2.0"), item("CVE-4", "Critical", "")]));
    let (_, status) = publish(&house, "bad").await;
    assert_eq!(status["status"], "failed", "{status:#}");
    let blocking = House::blocking(&status);
    assert_eq!(blocking.len(), 1, "{blocking:?}");
    assert!(blocking[0]["observed"].as_str().is_some_and(|seen| seen.contains("CVE-3")), "{blocking:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_image_below_an_index_is_scanned_under_its_own_digest() {
    let scanner = Adapter::open("1.2").await;
    let house = House::with(&scanner.config("s", "enforce", "timeout_secs = 60"), &[]).await;
    scanner.set(Manner::Good, json!([item("CVE-5", "Low", "")]));
    let root = house.dir.path().join("images/many");
    let mut digests = Vec::new();
    let mut entries = Vec::new();
    for variant in ["v1", "v2"] {
        let digest = layout(&root, &[tar(&[("etc/name", variant.as_bytes())])], &["x"]);
        let size = std::fs::metadata(root.join("blobs/sha256").join(&digest[7..])).expect("a blob").len();
        entries.push(json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size,
            "platform": {"os": "linux", "architecture": "amd64", "variant": variant},
        }));
        digests.push(digest);
    }
    let kind = "application/vnd.oci.image.index.v1+json";
    let index = json!({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).to_string();
    let digest = sha256(index.as_bytes());
    std::fs::write(root.join("blobs/sha256").join(&digest[7..]), &index).expect("written");
    let listed: Vec<Value> = ["latest", "1.0.0"]
        .iter()
        .map(|tag| {
            let name = json!({"org.opencontainers.image.ref.name": tag});
            json!({"mediaType": kind, "digest": digest, "size": index.len(), "annotations": name})
        })
        .collect();
    let listed = json!({"schemaVersion": 2, "manifests": listed}).to_string();
    std::fs::write(root.join("index.json"), listed).expect("written");
    let allowed = house.subscription().await.0;
    let image = format!("oci:{}", root.display());
    house.save(&house.offer("many", &image, &["latest", "1.0.0"], &[allowed]).await).await;
    house.publish("many").await;
    // Whatever else is said about its platforms: both images are scanned, once each.
    let status = house.until("many", &["waitingForPublisherReview", "failed"]).await;
    let asked: Vec<Value> = {
        let told = scanner.told.lock().expect("no panic");
        told.scans.iter().map(|(asked, _)| asked["artifact"]["digest"].clone()).collect()
    };
    assert_eq!(asked, digests, "{status:#}");
    assert_eq!(said(&status).len(), 2, "{status:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_gives_no_usable_report_is_inconclusive_in_force_and_told_in_shadow() {
    let (strict, quiet) = (Adapter::open("1.2").await, Adapter::open("1.0").await);
    let config = strict.config("strict", "enforce", "timeout_secs = 8")
        + &quiet.config("quiet", "shadow", "timeout_secs = 8");
    let house = House::with(&config, &[]).await;
    for (name, manner, why) in [
        ("fails", Manner::Fails, "500: no\\nluck"),
        ("hangs", Manner::Hangs, "no report within 8 seconds"),
        ("circles", Manner::Circles, "no report within 8 seconds"),
        ("huge", Manner::Huge, "REPORT_BYTES_MAX"),
        ("chunked", Manner::Chunked, "REPORT_BYTES_MAX"),
        ("schema", Manner::OtherSchema, "not understood"),
        ("digest", Manner::OtherDigest, "it is about sha256:"),
    ] {
        strict.set(manner, json!([]));
        quiet.set(manner, json!([]));
        let (_, status) = publish(&house, name).await;
        assert_eq!(status["status"], "failed", "{manner:?} {status:#}");
        let mut told = said(&status);
        told.sort();
        let [strict, quiet] = told.as_slice() else { panic!("{manner:?}: {told:?}") };
        assert_eq!((quiet.0.as_str(), quiet.1.as_str()), ("INC-15", "info"), "{told:?}");
        assert_eq!((strict.0.as_str(), strict.1.as_str()), ("INC-15", "inconclusive"), "{told:?}");
        assert!(strict.2.starts_with("strict: ") && strict.2.contains(why), "{manner:?}: {told:?}");
        assert!(quiet.2.starts_with("quiet: ") && quiet.2.contains(why), "{manner:?}: {told:?}");
    }
    // What failed was not kept: the next publish asks again, and what only shadows does not block.
    strict.set(Manner::Good, json!([]));
    house.publish("fails").await;
    let status = house.until("fails", &["waitingForPublisherReview", "failed"]).await;
    assert_eq!(status["status"], "waitingForPublisherReview", "{status:#}");
    let doctor = Command::new(BIN).arg("--data").arg(house.data()).arg("doctor").output().expect("starts");
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.contains("ok    scanner: strict: Lens 1.2 of Test"), "{doctor}");
    assert!(doctor.contains("ok    scanner: quiet (shadow): Lens 1.0"), "{doctor}");
}
