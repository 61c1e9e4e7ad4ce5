//! The portal in a real Chromium: an offer is published by clicking, in both languages.

use crate::House;
use crate::browser::Browser;
use crate::house::{layout, tar};
use reqwest::Method;
use serde_json::json;

/// An offer that can be published, and somebody who may: their sign-in link.
async fn ready(house: &House, offer: &str, title: &str) -> String {
    let root = house.dir.path().join("images").join(offer);
    layout(&root, &[tar(&[("bin/app", b"x")])], &["latest", "1.0.0"]);
    let allowed = ["11111111-2222-4333-8444-555555555555".to_owned()];
    let image = format!("oci:{}", root.display());
    let mut document = house.offer(offer, &image, &["latest", "1.0.0"], &allowed).await;
    document["title"] = json!(title);
    house.save(&document).await;
    let member = json!({"email": "owner@example.org", "role": "owner"}).to_string();
    let url = format!("{}/api/v1/publishers/aurora/members", house.base);
    let made =
        house.http.post(url).header("cookie", &house.operator).body(member).send().await.expect("answers");
    let made: serde_json::Value = serde_json::from_str(&made.text().await.expect("text")).expect("JSON");
    made["signInLink"].as_str().expect("a link").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_is_published_by_clicking() {
    let Some(browser) = Browser::open().await else { return };
    let house = House::open().await;
    let link = ready(&house, "app", "").await;

    browser.goto(&link).await;
    browser.click("main button").await;
    browser.until("All offers").await;
    browser.picture("offers-en").await;
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
    browser.picture("editor-problem-en").await;
    assert_eq!(house.status("app").await["status"], "neverPublished");
    browser.type_into("input[name='f.title']", "Gateway").await;
    browser.click("button[value=publish]").await;
    browser.wait("#emails").await;
    browser.picture("publish-en").await;
    browser.type_into("#emails", "ops@example.org").await;
    browser.click("main form button").await;
    // S2-7, S2-10, S2-32, S4-5: the steps with their times; the page follows the run without being loaded again.
    browser.wait("#step-validate").await;
    browser.run("window.untouched = true; document.querySelector('#timeline').closest('main').focus()").await;
    browser.until("It is your turn").await;
    assert_eq!(browser.run("return window.untouched").await, true, "the page was not loaded again");
    let said = browser.run("return document.getElementById('say').textContent").await;
    assert!(said.as_str().is_some_and(|said| said.contains("Waiting for you")), "{said}");
    browser.audit("status-waiting").await;
    browser.click("a[href='/language/ja']").await;
    browser.until("あなたの番です").await;
    // Focus and open details survive a part that is drawn anew.
    browser.run("document.querySelector('#now-go-live').focus()").await;
    browser.click("form[action$='/golive'] button").await;
    browser.until("オファーは公開されています").await;
    browser.language("en").await;
    for (path, name) in [
        ("/marketplace", "catalogue"),
        ("/marketplace/apps/aurora.app", "product"),
        ("/portal", "offers"),
        ("/portal/new", "new"),
        ("/portal/offers/aurora/app/editor", "editor"),
        ("/portal/offers/aurora/app/editor?check=1", "editor-checked"),
        ("/portal/offers/aurora/app/publish", "publish"),
        ("/portal/offers/aurora/app/status", "status-live"),
        ("/portal/account", "account"),
        ("/portal/publishers/aurora/mail", "mailbox"),
        ("/styleguide", "styleguide"),
        ("/sign-in", "sign-in"),
    ] {
        browser.goto(&format!("{}{path}", house.base)).await;
        browser.audit(name).await;
    }
    browser.sign_in(&house.operator).await;
    browser.goto(&format!("{}/portal/operator", house.base)).await;
    browser.until("Aurora Labs").await;
    browser.audit("operator").await;
    browser.goto(&format!("{}/portal/offers/aurora/nix/status", house.base)).await;
    browser.console_errors().await;
    browser.picture("error-en").await;
    let (_, live) = house.api(Method::GET, "/catalogue/aurora.app", None).await;
    assert_eq!(live["title"], "Gateway");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_without_a_script() {
    let Some(browser) = Browser::without_scripts().await else { return };
    let house = House::open().await;
    browser.goto(&ready(&house, "app", "Gateway").await).await;
    browser.click("main button").await;
    browser.click("tbody a").await;
    browser.click("button[value=publish]").await;
    browser.type_into("#emails", "ops@example.org").await;
    browser.click("main form button").await;
    browser.wait("#step-validate").await;
    house.until("app", &["waitingForPublisherReview"]).await;
    // S2-44..47: cancel asks once more, and the status is at step 1 again.
    browser.goto(&format!("{}/portal/offers/aurora/app/status", house.base)).await;
    browser.click("#now-cancel").await;
    browser.click("main form button").await;
    browser.wait("#now-publish").await;
    assert_eq!(house.status("app").await["steps"][0]["status"], "notStarted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_step_says_what_where_and_how_to_fix_it() {
    let house = House::open().await;
    ready(&house, "app", "Gateway").await;
    let root = house.dir.path().join("images/app");
    // S2-39, S2-40: assembled here, so that this file is not taken for one.
    let bytes = ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$EI", "CAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat();
    layout(&root, &[tar(&[("bin/app", bytes.as_bytes())])], &["latest", "1.0.0"]);
    house.publish("app").await;
    house.until("app", &["failed"]).await;
    let page = |path: String| {
        let request = house.http.get(format!("{}{path}", house.base)).header("cookie", &house.operator);
        async { request.send().await.expect("answers").text().await.expect("text") }
    };
    let html = page("/portal/offers/aurora/app/status".into()).await;
    for part in ["CTR-20", "bin/app", "Needs your fix", "mercat certify", "id=\"step-certify\""] {
        assert!(html.contains(part), "{part} is not in {html}");
    }
    assert!(html.len() < 30_000, "the status page has {} bytes", html.len());
    assert!(!html.contains("style=") && !html.contains("onclick"), "nothing inline");
    let script = page("/static/mercat.js".into()).await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, script.as_bytes()).expect("memory");
    let packed = gzip.finish().expect("memory").len();
    assert!(packed < 6_000, "the script has {packed} bytes");
    // The same submission has an address of its own.
    let status = house.status("app").await;
    let id = status["submission"].as_str().expect("an id");
    assert!(page(format!("/portal/offers/aurora/app/submissions/{id}")).await.contains("CTR-20"));
}
