//! What is live is judged again when more becomes known, and everybody concerned is told.

use crate::browser::Browser;
use crate::guest::Faults;
use crate::house::{BIN, NOBODYS, layout, run, tar};
use crate::{House, appliance};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const STATUS: &[u8] =
    b"Package: openssl\nStatus: install ok installed\nVersion: 3.0.1-1\nArchitecture: amd64\n";
pub(crate) const RELEASE: &[u8] = b"ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n";

/// An advisory about a package; what it was fixed in decides whether it applies.
pub(crate) fn advisory(package: &str, modified: &str, fixed: &str) -> Value {
    // What nobody fixed does not block.
    let fixed = if fixed.is_empty() {
        json!([{"introduced": "0"}])
    } else {
        json!([{"introduced": "0"}, {"fixed": fixed}])
    };
    json!({
        "id": "CVE-2026-4242", "modified": format!("{modified}T00:00:00Z"),
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "affected": [{
            "package": {"ecosystem": "Debian:12", "name": package},
            "ranges": [{"type": "ECOSYSTEM", "events": fixed}],
        }],
    })
}

/// Imports a snapshot beside the server.
fn import(house: &House, record: &Value) {
    let file = house.dir.path().join("record.json");
    std::fs::write(&file, record.to_string()).expect("written");
    let data = house.data();
    let (data, file) = (data.to_str().expect("plain"), file.to_str().expect("plain"));
    run(BIN, &["--data", data, "advisories", "import", file]);
}

/// The same, and starts the server again: its clock looks at once.
pub(crate) async fn learn(house: &mut House, record: &Value) {
    import(house, record);
    house.kill();
    house.start();
    house.answers().await;
}

async fn standing(house: &House, offer: &str, fits: impl Fn(&Value) -> bool) -> Value {
    // The clock looks every minute.
    for _ in 0..1600 {
        let standing = house.status(offer).await["standing"].clone();
        if fits(&standing) {
            return standing;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = std::fs::read_to_string(house.dir.path().join("log")).unwrap_or_default();
    panic!("{:#}\n{log}", house.status(offer).await["standing"]);
}

fn blocking(standing: &Value) -> usize {
    let findings = standing["findings"].as_array().into_iter().flatten();
    findings.filter(|finding| finding["severity"] == "error").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_advisory_is_found_in_what_is_live_without_reading_it_again() {
    let mut house = House::open().await;
    learn(&mut house, &advisory("openssl", "2026-06-01", "1.0")).await;
    let root = house.dir.path().join("images/app");
    layout(
        &root,
        &[tar(&[("var/lib/dpkg/status", STATUS), ("etc/os-release", RELEASE)])],
        &["latest", "1.0.0"],
    );
    let image = format!("oci:{}", root.display());
    house.save(&house.offer("app", &image, &["latest", "1.0.0"], &[NOBODYS.to_owned()]).await).await;
    house.publish("app").await;
    let status = house.until("app", &["waitingForPublisherReview", "failed"]).await;
    assert_eq!(status["status"], "waitingForPublisherReview", "{:#?}", House::blocking(&status));
    let digest = status["images"][0]["digest"].as_str().expect("a digest").to_owned();
    house.go_live("app").await;
    let status = house.until("app", &["succeeded"]).await;
    // More may have become known between certification and Go Live: it is looked at again.
    standing(&house, "app", |row| row["judgedAt"].is_string() && blocking(row) == 0).await;
    let submission = status["submission"].as_str().expect("an id").to_owned();
    let verdict = async |house: &House| {
        let path = format!("/publishers/aurora/offers/app/submissions/{submission}/verdicts/{digest}");
        house.api(Method::GET, &path, None).await.1
    };
    let certified = verdict(&house).await;

    // The layers are gone from the depot: what is judged is what was learnt of them.
    for layer in certified["images"][0]["layers"].as_array().expect("layers") {
        let hex = layer["digest"].as_str().and_then(|text| text.strip_prefix("sha256:")).expect("a digest");
        let path = house.data().join(format!("depot/sha256/{}/{hex}", &hex[..2]));
        let bytes = std::fs::metadata(&path).expect("there").len();
        std::fs::write(&path, vec![0; usize::try_from(bytes).expect("small")]).expect("written");
    }
    learn(&mut house, &advisory("openssl", "2026-06-02", "3.0.2")).await;
    let found = standing(&house, "app", |row| blocking(row) == 1).await;
    let finding = &found["findings"][0];
    assert_eq!(
        (finding["rule"].as_str(), finding["plan"].as_str()),
        (Some("CTR-22"), Some("standard")),
        "{found:#}"
    );
    assert!(finding["observed"].as_str().is_some_and(|text| text.contains("CVE-2026-4242")), "{found:#}");
    assert_eq!(house.status("app").await["status"], "succeeded", "it stays live");
    assert_eq!(verdict(&house).await, certified, "the certification stays what it was");
    // Its publisher is told once, whatever is restarted.
    let mails = async |house: &House| {
        let (_, mails) = house.api(Method::GET, "/publishers/aurora/mail", None).await;
        let all = mails["items"].as_array().or(mails.as_array()).cloned().unwrap_or_default();
        all.into_iter().filter(|mail| mail["notice"] == "X3").collect::<Vec<_>>()
    };
    for _ in 0..100 {
        if !mails(&house).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    house.kill();
    house.start();
    house.answers().await;
    // A second one would come at once.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let told = mails(&house).await;
    assert!(
        !told.is_empty() && told.iter().all(|mail| mail.to_string().contains("CVE-2026-4242")),
        "{told:?}"
    );
    let recipients: Vec<String> = told.iter().map(|mail| mail["to"].to_string()).collect();
    assert!(
        recipients.len() == recipients.iter().collect::<std::collections::BTreeSet<_>>().len(),
        "{told:?}"
    );
    let page = async |house: &House, path: &str| {
        let request = house.http.get(format!("{}{path}", house.base)).header("cookie", &house.operator);
        request.send().await.expect("answers").text().await.expect("text")
    };
    let product = page(&house, "/marketplace/apps/aurora.app").await;
    assert!(product.contains("Would block today: 1") && product.contains("Judged again"), "{product}");
    let offers = page(&house, "/portal").await;
    assert!(offers.contains("Would block today: 1"), "{offers}");
    let health = page(&house, "/portal/operator/health").await;
    assert!(health.contains("1 would not pass by what is known now: aurora/app"), "{health}");
    assert!(
        page(&house, "/portal/offers/aurora/app/history").await.contains("Judged again by what is known now")
    );
    if let Some(browser) = Browser::open().await {
        browser.goto(&format!("{}/marketplace", house.base)).await;
        browser.sign_in(&house.operator).await;
        for (path, name) in [
            ("/portal", "offers-standing"),
            ("/portal/offers/aurora/app/status", "status-standing"),
            ("/marketplace/apps/aurora.app", "product-standing"),
            ("/portal/offers/aurora/app/history", "history-standing"),
            ("/portal/operator/health", "health-standing"),
        ] {
            browser.goto(&format!("{}{path}", house.base)).await;
            browser.audit(name).await;
        }
    }
    // The advisory is corrected.
    import(&house, &advisory("openssl", "2026-06-03", "2.9"));
    standing(&house, "app", |row| row["judgedAt"].is_string() && blocking(row) == 0).await;
    assert!(!page(&house, "/marketplace/apps/aurora.app").await.contains("Would block today"));

    // A stricter policy, and back to the one before.
    let pack = include_str!("../../../mercat-policy/policy/default.toml");
    let policy = house.data().join("policy.toml");
    std::fs::write(&policy, pack.replace("CTR-22-BELOW = \"info\"", "CTR-22-BELOW = \"error\""))
        .expect("written");
    assert_ne!(std::fs::read_to_string(&policy).expect("there"), pack);
    learn(&mut house, &advisory("openssl", "2026-06-04", "")).await;
    standing(&house, "app", |row| blocking(row) == 1).await;
    std::fs::remove_file(&policy).expect("removed");
    house.kill();
    house.start();
    house.answers().await;
    standing(&house, "app", |row| blocking(row) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_live_is_judged_again_and_not_started() {
    if !appliance::can_build() {
        return;
    }
    let mut house = appliance::open().await;
    let good = appliance::disk(&house, "good.raw", Faults::default(), &[]);
    let versions = json!([appliance::version("1.0.0", &good)]);
    house.save(&house.machine("vm", versions, &[NOBODYS.to_owned()]).await).await;
    house.publish("vm").await;
    let status = house.until("vm", &["waitingForPublisherReview", "failed"]).await;
    assert_eq!(status["status"], "waitingForPublisherReview", "{:#?}", House::blocking(&status));
    house.go_live("vm").await;
    house.until("vm", &["succeeded"]).await;
    learn(&mut house, &advisory("python3", "2026-06-02", "999")).await;
    let found = standing(&house, "vm", |row| blocking(row) == 1).await;
    assert!(found["findings"].to_string().contains("CVE-2026-4242"), "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_says_nothing_of_when_to_judge_again_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("mercat.toml"), "[certification]\njudge_again = \"daily\"\n")
        .expect("written");
    let out = std::process::Command::new(BIN)
        .args(["serve", "--data", dir.path().to_str().expect("plain")])
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success() && said.contains("use advisories, everything or off"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_while_live_offers_are_judged_lose_nothing_and_tell_nothing_twice() {
    const OFFERS: [&str; 3] = ["app", "b1", "b2"];
    let mut house = House::open().await;
    learn(&mut house, &advisory("openssl", "2026-06-01", "1.0")).await;
    for offer in OFFERS {
        let root = house.dir.path().join("images").join(offer);
        let files = [("var/lib/dpkg/status", STATUS), ("etc/os-release", RELEASE), ("x", offer.as_bytes())];
        layout(&root, &[tar(&files)], &["latest", "1.0.0"]);
        let image = format!("oci:{}", root.display());
        house.save(&house.offer(offer, &image, &["latest", "1.0.0"], &[NOBODYS.to_owned()]).await).await;
        house.publish(offer).await;
        house.until(offer, &["waitingForPublisherReview"]).await;
        house.go_live(offer).await;
        house.until(offer, &["succeeded"]).await;
    }
    for round in 0..8 {
        let fixed = if round % 2 == 0 { "3.0.2" } else { "2.9" };
        learn(&mut house, &advisory("openssl", &format!("2026-07-{:02}", round + 1), fixed)).await;
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(20 + round * 47)).await;
            house.kill();
            house.start();
            house.answers().await;
        }
    }
    learn(&mut house, &advisory("openssl", "2026-08-01", "3.0.2")).await;
    let mut news = 0;
    for offer in OFFERS {
        standing(&house, offer, |row| blocking(row) == 1 && row["trouble"] == "").await;
        let path = format!("{}/portal/offers/aurora/{offer}/history?event=standing.changed", house.base);
        let request = house.http.get(path).header("cookie", &house.operator);
        let page = request.send().await.expect("answers").text().await.expect("text");
        news += page.matches("would block today, 1 of them new").count();
        let gone = page.matches("would block today, 0 of them new").count();
        assert_eq!(
            page.matches("would block today, 1 of them new").count(),
            gone + 1,
            "one after the other: {page}"
        );
    }
    // Each to everybody concerned, once.
    let told = async || {
        let (_, mails) = house.api(Method::GET, "/publishers/aurora/mail", None).await;
        let all = mails["items"].as_array().or(mails.as_array()).cloned().unwrap_or_default();
        let told = all.into_iter().filter(|mail| mail["notice"] == "X3");
        told.map(|mail| format!("{} {}", mail["to"], mail["id"])).collect::<std::collections::BTreeSet<_>>()
    };
    let recipients: std::collections::BTreeSet<String> =
        told().await.iter().filter_map(|row| Some(row.split(' ').next()?.to_owned())).collect();
    for _ in 0..200 {
        if told().await.len() >= news * recipients.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(told().await.len(), news * recipients.len(), "{recipients:?}: {:?}", told().await);
}
