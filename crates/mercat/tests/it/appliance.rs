//! Virtual machine offers through the real program.

use crate::guest::{self, Faults};
use crate::house::{BIN, House, has, noise, run, skipped};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const GIB: u64 = 1 << 30;

pub(crate) fn can_build() -> bool {
    let can = guest::can_build();
    if !can {
        skipped("skipped: mke2fs is not installed, so virtual machines were not tested");
    }
    can
}

/// A disk in the directory from which the server may read.
pub(crate) fn disk(house: &House, name: &str, faults: Faults, more: &[guest::Item]) -> PathBuf {
    let path = house.dir.path().join("images").join(name);
    let mut files = guest::files(faults);
    files.extend_from_slice(more);
    guest::build(&path, GIB, &files, faults.swap).expect("built");
    path
}

/// A server that knows advisories for the guest's distribution, and starts no disks.
pub(crate) async fn open() -> House {
    furnish(House::open().await).await
}

async fn furnish(mut house: House) -> House {
    // These guests have no kernel; the boot test has tests of its own.
    let pack = include_str!("../../../mercat-policy/policy/default.toml");
    let pack = pack.replace("boot = \"when-available\"", "boot = \"off\"");
    std::fs::write(house.data().join("policy.toml"), pack).expect("written");
    house.learn_debian().await;
    house
}

impl House {
    pub(crate) async fn machine(&self, offer: &str, versions: Value, allowed: &[String]) -> Value {
        let mut document = self.offer(offer, "", &[], allowed).await;
        document["type"] = json!("virtual-machine");
        document["categories"] = json!(["compute/operating-systems"]);
        document["plans"] = json!([{
            "plan": "small", "title": "Small", "summary": "One machine", "description": "<p>One.</p>",
            "markets": ["JP"], "licenseModel": "free", "osFamily": "linux", "osName": "Debian 12",
            "vmSizes": [{"size": "1 vCPU"}], "openPorts": [{"label": "https", "port": "443", "protocol": "tcp"}],
            "versions": versions,
        }]);
        document
    }

    async fn file(&self, path: &str, token: &str, range: Option<&str>) -> (StatusCode, Vec<u8>, String) {
        let mut request = self.http.get(format!("{}{path}", self.base));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let answer = request.send().await.expect("answers");
        let status = answer.status();
        let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).unwrap_or("").to_owned();
        (status, answer.bytes().await.expect("a body").to_vec(), tag.trim_matches('"').to_owned())
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn version(version: &str, disk: &Path) -> Value {
    json!({"version": version, "osDiskUrl": format!("file:{}", disk.display())})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_goes_from_draft_to_live_and_comes_back_in_four_formats() {
    if !can_build() {
        return;
    }
    let house = open().await;
    let (subscription, pull) = house.subscription().await;
    let faults = Faults { swap: true, history: true, password: true };
    let bad = disk(&house, "bad.raw", faults, &[]);
    house
        .save(
            &house
                .machine("appliance", json!([version("1.0.0", &bad)]), std::slice::from_ref(&subscription))
                .await,
        )
        .await;
    house.publish("appliance").await;
    let status = house.until("appliance", &["failed"]).await;
    let rules: Vec<String> =
        House::blocking(&status).iter().filter_map(|f| Some(f["rule"].as_str()?.to_owned())).collect();
    for rule in ["LNX-01", "LNX-04", "LNX-14"] {
        assert!(rules.iter().any(|found| found == rule), "{rule} in {rules:?}");
    }
    let good = disk(&house, "good.raw", Faults::default(), &[]);
    house
        .save(
            &house
                .machine("appliance", json!([version("1.0.0", &good)]), std::slice::from_ref(&subscription))
                .await,
        )
        .await;
    house.publish("appliance").await;
    let status = house.until("appliance", &["waitingForPublisherReview", "failed"]).await;
    assert_eq!(status["status"], "waitingForPublisherReview", "{status:#}");
    let names: Vec<&str> =
        status["steps"].as_array().expect("steps").iter().filter_map(|step| step["id"].as_str()).collect();
    assert!(names.contains(&"provision"), "{names:?}");

    let place = |slot: &str, disk: &str, format: &str| {
        format!("/api/v1/{slot}/aurora.appliance/plans/small/disks/{disk}/{format}")
    };
    assert_eq!(house.file(&place("preview", "1.0.0", "qcow2"), "", None).await.0, StatusCode::NOT_FOUND);
    let (_, stranger) = house.subscription().await;
    assert_eq!(
        house.file(&place("preview", "1.0.0", "qcow2"), &stranger, None).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(house.file(&place("preview", "1.0.0", "qcow2"), &pull, None).await.0, StatusCode::OK);
    assert_eq!(house.file(&place("preview", "1.0.0", "qcow2"), &house.token, None).await.0, StatusCode::OK);
    assert_eq!(
        house.file(&place("catalogue", "1.0.0", "qcow2"), &house.token, None).await.0,
        StatusCode::NOT_FOUND
    );
    house.go_live("appliance").await;
    house.until("appliance", &["succeeded"]).await;

    let original = std::fs::read(&good).expect("there");
    for format in ["raw", "vhd-fixed", "vhdx", "qcow2"] {
        let (status, bytes, announced) = house.file(&place("catalogue", "latest", format), "", None).await;
        assert_eq!((status, hex(&bytes)), (StatusCode::OK, announced), "{format}");
        let (status, part, _) =
            house.file(&place("catalogue", "1.0.0", format), "", Some("bytes=1048000-1150000")).await;
        assert_eq!(status, StatusCode::PARTIAL_CONTENT);
        assert!(part == bytes[1_048_000..=1_150_000], "{format}");
        if format == "raw" {
            assert!(bytes == original, "the disk itself");
        }
        compare(&house, format, &bytes, &good);
    }
    registry(&house).await;
    deploy(&house, &subscription).await;
    second_version(&house, &subscription, &good).await;
}

/// What QEMU makes of a download.
fn compare(house: &House, format: &str, bytes: &[u8], good: &Path) {
    if !has("qemu-img") {
        return;
    }
    let path = house.dir.path().join(format);
    std::fs::write(&path, bytes).expect("written");
    let name = format.replace("vhd-fixed", "vpc");
    let said = run(
        "qemu-img",
        &["compare", "-f", "raw", "-F", &name, good.to_str().expect("plain"), path.to_str().expect("plain")],
    );
    assert!(said.contains("identical"), "{format}: {said}");
}

/// The disk is an artifact of the registry, chunk by chunk.
async fn registry(house: &House) {
    let (status, bytes, _) = house.file("/v2/aurora/appliance/small/manifests/latest", "", None).await;
    assert_eq!(status, StatusCode::OK);
    let index: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(index["artifactType"], "application/vnd.mercat.disk.v1");
    let segment = index["manifests"][0]["digest"].as_str().expect("a digest");
    let (_, bytes, _) =
        house.file(&format!("/v2/aurora/appliance/small/manifests/{segment}"), "", None).await;
    let segment: Value = serde_json::from_slice(&bytes).expect("JSON");
    let chunk = segment["layers"][0]["digest"].as_str().expect("a digest");
    let (status, bytes, _) = house.file(&format!("/v2/aurora/appliance/small/blobs/{chunk}"), "", None).await;
    assert_eq!((status, format!("sha256:{}", hex(&bytes))), (StatusCode::OK, chunk.to_owned()));
    let other = format!("/v2/aurora/appliance/small/blobs/sha256:{}", "ab".repeat(32));
    assert_eq!(house.file(&other, "", None).await.0, StatusCode::NOT_FOUND);
}

fn mercat(house: &House, args: &[&str]) -> (bool, String) {
    let out = Command::new(BIN)
        .args(args)
        .env("MERCAT_SERVER", &house.base)
        .env("MERCAT_TOKEN", &house.token)
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let text = [String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)].concat();
    (out.status.success(), text)
}

async fn deploy(house: &House, subscription: &str) {
    let out = house.dir.path().join("out");
    let out = out.to_str().expect("plain");
    let base = [
        "deploy",
        "aurora:appliance:small:latest",
        "--subscription",
        subscription,
        "--out",
        out,
        "--to",
        "openstack",
    ];
    let (done, said) = mercat(house, &base);
    assert!(!done && said.contains("--accept-terms"), "{said}");
    let (done, said) = mercat(house, &[&base[..], &["--accept-terms"]].concat());
    assert!(done, "{said}");
    let script = std::fs::read_to_string(Path::new(out).join("import.sh")).expect("written");
    assert!(script.contains("os_distro=debian") && script.contains("sha256sum -c"), "{script}");
    let check = Command::new("sh")
        .args([
            "-c",
            &script.lines().filter(|line| line.contains("sha256sum")).collect::<Vec<_>>().join("\n"),
        ])
        .current_dir(out)
        .status();
    assert!(check.expect("sh starts").success());
    // Terms are accepted once: the next deployment does not ask.
    let (done, said) = mercat(house, &[&base[..7], &["kubevirt"]].concat());
    assert!(done && Path::new(out).join("vm.yaml").is_file(), "{said}");
    let path = format!("/subscriptions/{subscription}/deployments");
    let (_, rows) = house.api(Method::GET, &path, None).await;
    let rows: Vec<(&str, &str, bool)> = rows
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| {
            (
                row["urn"].as_str().unwrap_or(""),
                row["target"].as_str().unwrap_or(""),
                row["success"].as_bool().unwrap_or(false),
            )
        })
        .collect();
    let urn = "aurora:appliance:small:1.0.0";
    assert_eq!(rows, [(urn, "kubevirt", true), (urn, "openstack", true)]);
}

fn bytes_of(path: &Path) -> u64 {
    let mut total = 0;
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        let meta = entry.metadata().expect("there");
        total += if meta.is_dir() { bytes_of(&entry.path()) } else { meta.len() };
    }
    total
}

/// A second version sends what changed, and the first stays as it was.
async fn second_version(house: &House, subscription: &str, good: &Path) {
    let pool = house.data().join("regions/east/blobs");
    let before = bytes_of(&pool);
    let changed =
        disk(house, "second.raw", Faults::default(), &[("srv/new".to_owned(), 0o644, noise(200_000, 7))]);
    let versions = json!([version("1.0.0", good), version("1.1.0", &changed)]);
    house.save(&house.machine("appliance", versions, &[subscription.to_owned()]).await).await;
    house.publish("appliance").await;
    let status = house.until("appliance", &["waitingForPublisherReview", "failed"]).await;
    assert_eq!(status["status"], "waitingForPublisherReview", "{status:#}");
    let sent = bytes_of(&pool) - before;
    assert!(sent > 200_000 && sent < 3_000_000, "{sent} bytes for a change of 200 000");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_after_a_kill_and_is_the_same_disk() {
    let mut house = House::open().await;
    let bytes = noise(40 << 20, 11);
    let base = "/publishers/aurora/uploads";
    let begin = house
        .http
        .post(format!("{}/api/v1{base}", house.base))
        .bearer_auth(&house.token)
        .header("upload-length", bytes.len())
        .header("upload-metadata", "filename Z3cudmhk")
        .send()
        .await
        .expect("answers");
    assert_eq!(begin.status(), StatusCode::CREATED);
    let place = begin.headers()["location"].to_str().expect("text").to_owned();
    let mut offset = 0_usize;
    let mut kills = 0;
    while offset < bytes.len() {
        let body = bytes[offset..].to_vec();
        let sending = house
            .http
            .patch(format!("{}{place}", house.base))
            .bearer_auth(&house.token)
            .header("content-type", "application/offset+octet-stream")
            .header("upload-offset", offset)
            .body(reqwest::Body::wrap_stream(slowly(body)))
            .send();
        if kills < 3 {
            let sending = tokio::spawn(sending);
            tokio::time::sleep(Duration::from_millis(150)).await;
            house.kill();
            kills += 1;
            let _ = sending.await;
            house.start();
            house.answers().await;
        } else {
            assert_eq!(sending.await.expect("answers").status(), StatusCode::NO_CONTENT);
        }
        let (_, upload) = house.api(Method::GET, place.trim_start_matches("/api/v1"), None).await;
        let next = upload["offset"].as_u64().expect("an offset") as usize;
        assert!(next >= offset, "an upload never goes back");
        offset = next;
    }
    let id = place.rsplit('/').next().expect("an id");
    let kept = std::fs::read(house.data().join(format!("depot/spool/uploads/{id}.data"))).expect("there");
    assert!(kept == bytes);
    let stale = house
        .http
        .patch(format!("{}{place}", house.base))
        .bearer_auth(&house.token)
        .header("content-type", "application/offset+octet-stream")
        .header("upload-offset", 5)
        .body("x")
        .send()
        .await
        .expect("answers");
    assert_eq!(stale.status(), StatusCode::CONFLICT);
    assert_eq!(stale.headers()["upload-offset"], bytes.len().to_string().as_str());
}

fn slowly(bytes: Vec<u8>) -> impl futures::Stream<Item = Result<Vec<u8>, std::io::Error>> {
    let parts: Vec<Vec<u8>> = bytes.chunks(256 << 10).map(<[u8]>::to_vec).collect();
    futures::stream::unfold(parts.into_iter(), |mut parts| async {
        tokio::time::sleep(Duration::from_millis(4)).await;
        parts.next().map(|part| (Ok(part), parts))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_while_a_disk_is_stored_and_provisioned_change_nothing() {
    if !can_build() {
        return;
    }
    let made = tempfile::tempdir().expect("a directory");
    let path = made.path().join("good.raw");
    let mut files = guest::files(Faults::default());
    files.extend((0..6).map(|at| (format!("srv/data{at}"), 0o644, noise(8 << 20, at))));
    guest::build(&path, GIB, &files, false).expect("built");
    assert_eq!(publish_with_kills(0, &path).await, publish_with_kills(8, &path).await);
}

/// Publishes to preview, killing the server at moments that differ; what customers would get comes back.
async fn publish_with_kills(kills: u32, made: &Path) -> Value {
    let mut house = open().await;
    let (subscription, _) = house.subscription().await;
    let good = house.dir.path().join("images/good.raw");
    std::fs::copy(made, &good).expect("copied");
    house.save(&house.machine("appliance", json!([version("1.0.0", &good)]), &[subscription]).await).await;
    house.publish("appliance").await;
    let (mut done, end) = (0, Instant::now() + Duration::from_secs(170));
    while done < kills {
        assert!(Instant::now() < end, "{:#}", house.status("appliance").await);
        if house.status("appliance").await["status"] != "running" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100 + u64::from(done) * 250)).await;
        house.kill();
        done += 1;
        house.start();
        house.answers().await;
    }
    let status = house.until("appliance", &["waitingForPublisherReview", "failed"]).await;
    assert_eq!(status["status"], "waitingForPublisherReview", "{status:#}");
    assert!(done >= kills.min(2), "only {done} kills fell into work");
    let (_, listing) = house.api(Method::GET, "/preview/aurora.appliance", None).await;
    listing["plans"][0]["disks"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_cannot_be_used_names_the_rule() {
    let house = House::open().await;
    let (subscription, _) = house.subscription().await;
    let allowed = [subscription];
    let sas = "https://acct.blob.core.example/vhds/gw.vhd?sv=1&st=2026-01-01T00:00:00Z&se=2020-01-01T00:00:00Z&sp=rw&sig=x";
    let offer = house.machine("appliance", json!([{"version": "1.0.0", "osDiskUrl": sas}]), &allowed).await;
    house.save(&offer).await;
    let (_, checked) = house.api(Method::POST, "/publishers/aurora/offers/appliance/validate", None).await;
    assert!(checked.to_string().contains("SAS-03"), "{checked}");

    let image = |name: &str, bytes: &[u8]| {
        let path = house.dir.path().join("images").join(name);
        std::fs::write(&path, bytes).expect("written");
        format!("file:{}", path.display())
    };
    let expired = sas.replace("sp=rw", "sp=r");
    let mut backing = vec![0; 64 << 10];
    backing[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
    let outside = format!("file:{}", house.data().join("master.key").display());
    for (source, rule) in [
        (expired, "SAS-07"),
        ("https://127.0.0.1/gw.vhd".to_owned(), "SAS-11"),
        (outside, "F015"),
        ("upload:0190a5b0-0000-7000-8000-000000000000".to_owned(), "F015"),
        (image("short.vhd", b"conectix"), "VHD-01"),
        (image("lies.qcow2", &backing), "QCW-"),
        (image("table.raw", &[&b"KDMV"[..], &[0; 4092]].concat()), "DSK-"),
    ] {
        let offer =
            house.machine("appliance", json!([{"version": "1.0.0", "osDiskUrl": source}]), &allowed).await;
        house.save(&offer).await;
        house.publish("appliance").await;
        let status = house.until("appliance", &["failed"]).await;
        let blocking = House::blocking(&status);
        let found = blocking.first().and_then(|finding| finding["rule"].as_str()).unwrap_or("nothing");
        assert!(found.starts_with(rule), "{source}: {found} instead of {rule}: {blocking:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_sold_twice_is_judged_twice_and_again_on_the_next_try() {
    if !can_build() {
        return;
    }
    let house = open().await;
    let (subscription, _) = house.subscription().await;
    let faults = Faults { history: true, password: true, ..Faults::default() };
    let bad = disk(&house, "bad.raw", faults, &[]);
    let source = format!("file:{}", bad.display());
    let versions = json!([{"version": "1.0.0", "osDiskUrl": source, "dataDisks": source}]);
    house.save(&house.machine("appliance", versions, &[subscription]).await).await;
    let mut told = Vec::new();
    for _ in 0..2 {
        house.publish("appliance").await;
        let status = house.until("appliance", &["failed", "waitingForPublisherReview"]).await;
        assert_eq!(status["status"], "failed", "{status:#}");
        told.push(House::blocking(&status));
    }
    assert!(told[0].iter().any(|finding| finding["rule"] == "LNX-01"), "{told:?}");
    assert_eq!(told[0], told[1], "the second time by the verdicts that were kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_a_scanner_could_not_judge_is_judged_again() {
    if !can_build() {
        return;
    }
    let (port, well) = crate::sabotage::recovering_clamd();
    let clamd = format!("[certification.clamd]\nsocket = \"127.0.0.1:{port}\"\ndatabase_days_max = 0\n");
    let house = furnish(House::with(&clamd, &[]).await).await;
    let (subscription, _) = house.subscription().await;
    let good = disk(&house, "good.raw", Faults::default(), &[]);
    let versions = json!([version("1.0.0", &good)]);
    house.save(&house.machine("appliance", versions, &[subscription]).await).await;
    house.publish("appliance").await;
    let status = house.until("appliance", &["failed", "waitingForPublisherReview"]).await;
    assert!(status["steps"].to_string().contains("INC-20"), "{status:#}");
    well.store(true, std::sync::atomic::Ordering::SeqCst);
    house.publish("appliance").await;
    let status = house.until("appliance", &["failed", "waitingForPublisherReview"]).await;
    assert_eq!(status["status"], "waitingForPublisherReview", "{status:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_shown_to_nobody() {
    let port = crate::house::free_port();
    let house = House::with("", &[format!("127.0.0.1:{port}")]).await;
    let (subscription, _) = house.subscription().await;
    let query = "sv=1&st=2026-01-01T00:00:00Z&se=2099-01-01T00:00:00Z&sr=b&sp=r&sig=TOPSECRET";
    let source = format!("http://127.0.0.1:{port}/c/gw.vhd?{query}");
    let versions = json!([{"version": "1.0.0", "osDiskUrl": source}]);
    house.save(&house.machine("appliance", versions, &[subscription]).await).await;
    house.publish("appliance").await;
    let end = Instant::now() + Duration::from_secs(30);
    let status = loop {
        let status = house.status("appliance").await;
        if !status["steps"][0]["progress"]["wait"].is_null() {
            break status;
        }
        assert!(Instant::now() < end, "{status:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(status.to_string().contains("SAS-11") && !status.to_string().contains("TOPSECRET"), "{status:#}");
}

/// A picture file as people have it.
pub(crate) fn logo(house: &House, name: &str, width: u32, height: u32) -> String {
    let path = house.dir.path().join(name);
    let picture = image::RgbaImage::from_pixel(width, height, image::Rgba([20, 110, 90, 255]));
    picture.save(&path).expect("written");
    path.display().to_string()
}
