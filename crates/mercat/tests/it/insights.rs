//! What a publisher learns about the use of an offer, and what feeds tell everybody.

use crate::House;
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
