//! Accounts do not leak into each other.

use crate::House;
use crate::house::{layout, tar};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn as_operator(house: &House, path: &str, body: Value) -> (StatusCode, Value) {
    let request = house.http.post(format!("{}/api/v1{path}", house.base)).header("cookie", &house.operator);
    let answer = request.body(body.to_string()).send().await.expect("answers");
    (answer.status(), serde_json::from_str(&answer.text().await.expect("text")).unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_gets_no_link_into_somebody_elses_account() {
    let house = House::open().await;
    as_operator(&house, "/publishers", json!({"id": "rival", "name": "Rival"})).await;
    let (_, rival) =
        as_operator(&house, "/publishers/rival/members", json!({"email": "r@example.org", "role": "owner"}))
            .await;
    let cookie = house.sign_in(rival["signInLink"].as_str().expect("a link")).await;
    let add = async |email: &str| {
        let url = format!("{}/api/v1/publishers/rival/members", house.base);
        let body = json!({"email": email}).to_string();
        house.http.post(url).header("cookie", &cookie).body(body).send().await.expect("answers").status()
    };
    assert_eq!(add("owner@example.org").await, StatusCode::CONFLICT, "that address belongs to aurora");
    assert_eq!(add("new@example.org").await, StatusCode::CREATED);
    // When the operator gives that address a part elsewhere, what the first inviter may hold is ended.
    let (status, _) =
        as_operator(&house, "/publishers/aurora/members", json!({"email": "new@example.org"})).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(house.api(Method::GET, "/me", None).await.0.is_success(), "others are untouched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_token_makes_nothing_and_a_foreign_page_neither() {
    let house = House::open().await;
    let (_, read) = house.api(Method::POST, "/tokens", Some(json!({"label": "r", "scope": "read"}))).await;
    for (path, body) in
        [("/tokens", json!({"label": "x", "scope": "read"})), ("/subscriptions", json!({"name": "x"}))]
    {
        let request = house
            .http
            .post(format!("{}/api/v1{path}", house.base))
            .bearer_auth(read["token"].as_str().expect("shown"));
        assert_eq!(
            request.body(body.to_string()).send().await.expect("answers").status(),
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    let request = house.http.post(format!("{}/api/v1/tokens", house.base)).header("cookie", &house.operator);
    let request = request.header("origin", "https://evil.example").header("sec-fetch-site", "cross-site");
    let answer =
        request.body(json!({"label": "x", "scope": "golive"}).to_string()).send().await.expect("answers");
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let (status, _) = house
        .api(
            Method::POST,
            "/subscriptions",
            Some(json!({"name": "x", "id": "11111111-2222-4333-8444-555555555555"})),
        )
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN, "ids that stand on allow-lists cannot be claimed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_preview_brings_the_earlier_audience_back() {
    let house = House::open().await;
    let (first, second) = (house.subscription().await, house.subscription().await);
    let root = house.dir.path().join("images/app");
    let image = format!("oci:{}", root.display());
    layout(&root, &[tar(&[("a", b"1")])], &["latest", "1.0.0"]);
    house.save(&house.offer("app", &image, &["latest", "1.0.0"], std::slice::from_ref(&first.0)).await).await;
    house.publish("app").await;
    house.until("app", &["waitingForPublisherReview"]).await;
    house.go_live("app").await;
    house.until("app", &["succeeded"]).await;
    layout(&root, &[tar(&[("a", b"2")])], &["latest", "1.0.1"]);
    house
        .save(&house.offer("app", &image, &["latest", "1.0.1"], std::slice::from_ref(&second.0)).await)
        .await;
    house.publish("app").await;
    house.until("app", &["waitingForPublisherReview"]).await;
    let sees = async |who: &(String, String)| {
        crate::house::pull(&house.base, "preview/aurora/app/standard", "latest", Some(who)).await.is_some()
    };
    assert_eq!((sees(&first).await, sees(&second).await), (false, true));
    house.api(Method::POST, "/publishers/aurora/offers/app/cancel", None).await;
    assert_eq!((sees(&first).await, sees(&second).await), (true, false));
}
