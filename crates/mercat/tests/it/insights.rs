//! What a publisher learns about the use of an offer, and what feeds tell everybody.

use crate::House;
use crate::house::{layout, tar};
use crate::leads::live_offer;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn views_and_pulls_are_counted_once_and_few_are_not_told_apart() {
    let house = House::open().await;
    live_offer(&house, "gateway", &json!({"leadDestination": "none"})).await;
    let get = async |path: &str, accept: &str| {
        let answer = house
            .http
            .get(format!("{}{path}", house.base))
            .header("accept", accept)
            .send()
            .await
            .expect("answers");
        (answer.status(), answer.text().await.expect("text"))
    };
    for _ in 0..7 {
        assert_eq!(get("/marketplace/apps/aurora.gateway", "text/html").await.0, StatusCode::OK);
    }
    // The publisher's own look at the page is no view.
    let own =
        house.http.get(format!("{}/marketplace/apps/aurora.gateway", house.base)).bearer_auth(&house.token);
    assert_eq!(own.send().await.expect("answers").status(), StatusCode::OK);
    for _ in 0..3 {
        assert_eq!(get("/v2/aurora/gateway/standard/manifests/1.0.0", "*/*").await.0, StatusCode::OK);
    }
    let end = Instant::now() + Duration::from_secs(20);
    let items = loop {
        let (status, body) = house.api(Method::GET, "/publishers/aurora/insights", None).await;
        assert_eq!((status, &body["privacyFloor"]), (StatusCode::OK, &json!(5)));
        let items = body["items"].as_array().expect("a list").clone();
        if items.len() == 2 {
            break items;
        }
        assert!(Instant::now() < end, "{body}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let by = |what: &str| items.iter().find(|item| item["what"] == what).expect("told");
    assert_eq!((&by("views")["total"], &by("pulls")["total"]), (&json!(7), &Value::Null));
    let url = format!("{}/api/v1/publishers/aurora/insights.csv", house.base);
    let csv = house
        .http
        .get(url)
        .bearer_auth(&house.token)
        .send()
        .await
        .expect("answers")
        .text()
        .await
        .expect("text");
    assert!(csv.contains("\"gateway\",\"views\",\"total\",\"7\"") && !csv.contains("\"3\""), "{csv}");
    let (status, _) = house.api(Method::GET, "/publishers/aurora/insights?from=yesterday", None).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let page =
        house.http.get(format!("{}/portal/publishers/aurora/insights", house.base)).bearer_auth(&house.token);
    let page = page.send().await.expect("answers").text().await.expect("text");
    assert!(page.contains("gateway") && (page.contains("&lt; 5") || page.contains("&#60; 5")), "{page}");

    for path in [
        "/marketplace/feed.atom",
        "/marketplace/apps/category/internet-of-things/feed.atom",
        "/marketplace/apps/aurora.gateway/feed.atom",
    ] {
        let (status, feed) = get(path, "*/*").await;
        assert_eq!(status, StatusCode::OK);
        assert!(
            feed.contains("<entry>") && feed.contains("/marketplace/apps/aurora.gateway"),
            "{path} {feed}"
        );
    }
    assert_eq!(get("/marketplace/apps/aurora.none/feed.atom", "*/*").await.0, StatusCode::NOT_FOUND);
    let (_, empty) = get("/marketplace/apps/category/storage/feed.atom", "*/*").await;
    assert!(!empty.contains("<entry>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_leaves_out_the_versions_that_were_for_somebody_in_particular() {
    let house = House::open().await;
    let root = house.dir.path().join("images/app");
    let image = format!("oci:{}", root.display());
    let allowed = house.subscription().await.0;
    let publish = async |title: &str, version: &str, private: bool| {
        layout(&root, &[tar(&[("a", version.as_bytes())])], &["latest", version]);
        let mut offer =
            house.offer("app", &image, &["latest", version], std::slice::from_ref(&allowed)).await;
        offer["title"] = json!(title);
        offer["leadDestination"] = json!("none");
        if private {
            offer["plans"][0]["private"] = json!(true);
            offer["plans"][0]["audience"] = json!([allowed]);
        }
        house.save(&offer).await;
        house.publish("app").await;
        let status = house.until("app", &["waitingForPublisherReview", "failed"]).await;
        assert_eq!(status["status"], "waitingForPublisherReview", "{status:#}");
        house.go_live("app").await;
        house.until("app", &["succeeded"]).await;
    };
    let feed = async || {
        let url = format!("{}/marketplace/apps/aurora.app/feed.atom", house.base);
        let answer = house.http.get(url).send().await.expect("answers");
        (answer.status(), answer.text().await.expect("text"))
    };
    publish("For ACME only", "1.0.0", true).await;
    assert_eq!(feed().await.0, StatusCode::NOT_FOUND);
    publish("For everybody", "1.0.1", false).await;
    let (status, text) = feed().await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("For everybody") && !text.contains("ACME"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_deployed_a_version_hears_of_its_end_and_owners_of_new_rules() {
    let house = House::open().await;
    live_offer(&house, "gateway", &json!({"leadDestination": "none"})).await;
    let (id, _) = house.subscription().await;
    let urn = "aurora:gateway:standard:1.0.0";
    let (_, terms) = house.api(Method::GET, &format!("/subscriptions/{id}/terms/{urn}"), None).await;
    let accepted = json!({"digest": terms["digest"]});
    house.api(Method::POST, &format!("/subscriptions/{id}/terms/{urn}"), Some(accepted)).await;
    let deployment = json!({"urn": urn, "target": "kubernetes", "success": true});
    let (status, _) =
        house.api(Method::POST, &format!("/subscriptions/{id}/deployments"), Some(deployment)).await;
    assert_eq!(status, StatusCode::CREATED);
    let path = "/publishers/aurora/offers/gateway/deprecations";
    let about = |version: &str, deadline: &str| {
        json!({
            "plan": "standard", "version": version, "deadline": deadline, "reason": "It is old.", "alternative": "2.0.0",
        })
    };
    let (status, told) = house.api(Method::POST, path, Some(about("1.0.0", "2027-01-31"))).await;
    assert_eq!((status, &told["told"]), (StatusCode::ACCEPTED, &json!(1)));
    assert_eq!(
        house.api(Method::POST, path, Some(about("9.9.9", "2027-01-31"))).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        house.api(Method::POST, path, Some(about("1.0.0", "soon"))).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let rules = json!({"rules": "CTR-40", "deadline": "2027-02-28", "message": "A new rule."});
    assert_eq!(
        house.api(Method::POST, "/recertifications", Some(rules.clone())).await.0,
        StatusCode::FORBIDDEN
    );
    let asked =
        house.http.post(format!("{}/api/v1/recertifications", house.base)).header("cookie", &house.operator);
    let asked = asked.body(rules.to_string()).send().await.expect("answers");
    assert_eq!(asked.status(), StatusCode::ACCEPTED);
    // The owner and the engineering contact.
    assert!(asked.text().await.expect("text").contains("\"told\":2"));
    // A mail is kept in the mailbox after it was taken.
    let mut mailbox = Value::Null;
    let told = |mail: &&Value| ["N12", "N13"].iter().any(|notice| mail["notice"] == **notice);
    for _ in 0..100 {
        mailbox = house.api(Method::GET, "/publishers/aurora/mail", None).await.1;
        if mailbox.as_array().expect("a list").iter().filter(told).count() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ids = house.message_ids();
    assert_eq!(ids.iter().filter(|id| id.contains(".n12@") || id.contains(".n13@")).count(), 3, "{ids:?}");
    // Who the customers are stands in nobody's mailbox.
    let mails = mailbox.as_array().expect("a list");
    let to = |notice: &str| {
        let found = mails.iter().filter(|mail| mail["notice"] == notice);
        found.map(|mail| mail["to"].as_array().map_or(0, Vec::len)).collect::<Vec<_>>()
    };
    assert_eq!((to("N13"), to("N12")), (vec![0], vec![1, 1]), "{mailbox}");
}
