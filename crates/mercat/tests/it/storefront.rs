//! The storefront: who finds what, in which language, and what is told about it.

use crate::House;
use crate::browser::Browser;
use crate::house::{NOBODYS, layout, tar};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// An offer that goes live, with what makes it different.
async fn goes_live(house: &House, offer: &str, change: impl FnOnce(&mut Value)) {
    let root = house.dir.path().join("images").join(offer);
    layout(&root, &[tar(&[("bin/app", offer.as_bytes())])], &["latest", "1.0.0"]);
    let allowed = [NOBODYS.to_owned()];
    let image = format!("oci:{}", root.display());
    let mut document = house.offer(offer, &image, &["latest", "1.0.0"], &allowed).await;
    change(&mut document);
    house.save(&document).await;
    house.publish(offer).await;
    house.until(offer, &["waitingForPublisherReview"]).await;
    house.go_live(offer).await;
    house.until(offer, &["succeeded"]).await;
}

/// A page as somebody without a cookie sees it.
async fn anybody(house: &House, path: &str) -> (StatusCode, String) {
    let answer = house.http.get(format!("{}{path}", house.base)).send().await.expect("answers");
    (answer.status(), answer.text().await.expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_are_found_in_both_languages_and_by_who_may_see_them() {
    let house = House::open().await;
    let (subscription, _) = house.subscription().await;
    goes_live(&house, "gateway", |_| ()).await;
    goes_live(&house, "vm", |offer| {
        offer["title"] = json!("仮想マシン サーバー");
        offer["categories"] = json!(["compute/operating-systems"]);
        for key in ["summary", "longSummary", "description"] {
            offer[key] = json!("業務用");
        }
        offer["plans"][0]["summary"] = json!("1 台");
    })
    .await;
    goes_live(&house, "secret", |offer| {
        offer["title"] = json!("Secret Gateway");
        offer["plans"][0]["private"] = json!(true);
        offer["plans"][0]["audience"] = json!([subscription]);
        offer["categories"] = json!(["internet-of-things/solutions"]);
    })
    .await;
    let found = async |path: &str| {
        let (status, html) = anybody(&house, path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let ids = ["gateway", "vm", "secret"];
        ids.into_iter()
            .filter(|id| html.contains(&format!("apps/aurora.{id}\"")))
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (words, ids) in [
        ("", "gateway vm"),
        ("gate", "gateway"),
        ("Ｇａｔｅｗａｙ", "gateway"),
        ("仮想マシン", "vm"),
        ("仮想ﾏｼﾝ", "vm"),
        ("サーバ", "vm"),
        ("さーばー", "vm"),
        ("secret", ""),
        ("%25_'\"%20OR", ""),
    ] {
        assert_eq!(found(&format!("/marketplace?q={words}")).await, ids, "{words}");
    }
    // S4-22: category and subcategory with the page in the address, as the founding documents link it.
    let iot = "/marketplace/apps/category/internet-of-things?page=1&subcategories=iot-edge-modules";
    assert_eq!(found(iot).await, "gateway");
    assert_eq!(found("/marketplace/apps/category/compute").await, "vm");
    assert_eq!(found("/marketplace?platform=linux/amd64&type=container&license=free").await, "gateway vm");
    assert_eq!(found("/marketplace?market=DE").await, "");
    // What the publisher wrote in Japanese is found and shown in Japanese; the rest is marked.
    goes_live(&house, "gateway", |offer| {
        offer["titleJa"] = json!("エッジ ゲートウェイ");
        offer["plans"][0]["titleJa"] = json!("標準プラン");
    })
    .await;
    assert_eq!(found("/marketplace?q=げーとうぇい").await, "gateway");
    let page = house.http.get(format!("{}/marketplace/apps/aurora.gateway", house.base));
    let page =
        page.header("accept-language", "ja").send().await.expect("answers").text().await.expect("text");
    for part in ["エッジ ゲートウェイ", "標準プラン", "日本語では提供されていません"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(anybody(&house, "/marketplace/apps/aurora.gateway").await.1.contains("<h1>Gateway</h1>"));
    // What a stranger cannot see is not counted either: one offer of the Internet of Things, not two.
    let (_, html) = anybody(&house, "/marketplace").await;
    let count = html
        .split("Internet of Things</span><span class=\"hint\">")
        .nth(1)
        .and_then(|rest| rest.split('<').next());
    assert_eq!(count, Some("1"));
    assert!(!html.contains("Secret"));
    assert_eq!(anybody(&house, "/marketplace/apps/aurora.secret").await.0, StatusCode::NOT_FOUND);
    // Its publisher finds it, marked as private.
    let own = house.http.get(format!("{}/marketplace?q=secret", house.base)).bearer_auth(&house.token);
    let own = own.send().await.expect("answers").text().await.expect("text");
    assert!(own.contains("apps/aurora.secret\"") && own.contains("Private"));

    let (status, body) =
        house.api(Method::GET, "/catalogue?q=gateway&category=internet-of-things", None).await;
    assert_eq!(
        (status, &body["total"]),
        (StatusCode::OK, &json!(2)),
        "the owner sees the private one too: {body}"
    );
    assert_eq!(body["facets"]["type"], json!([{"value": "container", "count": 2}]));

    // S2-24: the product page, made from the snapshot, with what certification found out.
    let (_, page) = anybody(&house, "/marketplace/apps/aurora.gateway").await;
    for part in ["podman pull", "@sha256:", "Bill of materials", "CycloneDX", "Policy pack", "mercat certify"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
    let sbom = page.split("/sbom/").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
    let (status, text) = anybody(&house, &format!("/marketplace/apps/aurora.gateway/sbom/{sbom}")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("CycloneDX"), "{text}");
    let (status, _) = anybody(&house, &format!("/marketplace/apps/aurora.secret/sbom/{sbom}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    // A change is found at once: the search follows the ledger before it answers.
    goes_live(&house, "gateway", |offer| offer["title"] = json!("Router")).await;
    assert_eq!(found("/marketplace?q=router").await, "gateway");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_searches_and_gets_an_offer_in_a_browser() {
    let Some(browser) = Browser::open().await else { return };
    let house = House::open().await;
    goes_live(&house, "gateway", |_| ()).await;
    house.subscription().await;
    let link = house.member_link("aurora", "owner@example.org", "owner").await;

    browser.goto(&format!("{}/marketplace", house.base)).await;
    browser.type_into("#q", "gateway").await;
    browser.click("main form button").await;
    browser.until("Offers: 1").await;
    browser.audit("search").await;
    browser.type_into("#q", " nothing-like-it").await;
    browser.click("main form button").await;
    browser.until("Nothing was found").await;
    browser.audit("search-empty").await;
    browser.goto(&format!("{}/marketplace/apps/aurora.gateway", house.base)).await;
    browser.audit("product-stranger").await;
    // Get It Now asks who is there first.
    browser.click("a[href$='/get/standard']").await;
    browser.until("Sign in").await;
    browser.goto(&link).await;
    browser.click("main button").await;
    browser.until("All offers").await;
    browser.goto(&format!("{}/marketplace/apps/aurora.gateway/get/standard", house.base)).await;
    browser.audit("get").await;
    browser.type_into("#email", "buyer@example.org").await;
    browser.click("input[name=consent]").await;
    browser.click("input[name=terms]").await;
    browser.click("main form button").await;
    browser.until("are accepted").await;
    let (_, leads) = house.api(Method::GET, "/publishers/aurora/leads", None).await;
    let items = leads["items"].as_array().expect("a list");
    assert!(items.iter().any(|lead| lead["kind"] == "getItNow" && lead["plan"] == "standard"), "{leads:#}");
    let (_, rows) = house.api(Method::GET, "/subscriptions", None).await;
    let id = rows[0]["id"].as_str().expect("an id");
    let (_, terms) = house
        .api(Method::GET, &format!("/subscriptions/{id}/terms/aurora:gateway:standard:1.0.0"), None)
        .await;
    assert!(terms["accepted"].is_string() || terms["acceptedAt"].is_string(), "{terms}");
}
