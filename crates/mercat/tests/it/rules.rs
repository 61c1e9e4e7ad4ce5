//! Rules of the road that need a second submission: moved tags, locked fields, cancel at any time, replace.

use crate::House;
use crate::house::{NOBODYS, layout, noise, tar};
use reqwest::{Method, StatusCode};
use serde_json::json;

async fn live(house: &House, layers: &[Vec<u8>]) -> serde_json::Value {
    let root = house.dir.path().join("images/app");
    layout(&root, layers, &["latest", "1.0.0"]);
    let offer =
        house.offer("app", &format!("oci:{}", root.display()), &["latest", "1.0.0"], &[NOBODYS.into()]).await;
    house.save(&offer).await;
    house.publish("app").await;
    house.until("app", &["waitingForPublisherReview"]).await;
    house.go_live("app").await;
    house.until("app", &["succeeded"]).await;
    offer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_version_never_moves_and_locked_fields_stay() {
    let house = House::open().await;
    let offer = live(&house, &[tar(&[("a", b"one")])]).await;
    let mut changed = offer.clone();
    changed["marketingId"] = json!("other");
    let (status, body) = house.api(Method::PUT, "/publishers/aurora/offers/app", Some(changed)).await;
    assert_eq!(
        (status, body["errors"][0]["code"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("F006"))
    );
    // The same tag with other content is refused, and what is live stays as it was.
    layout(&house.dir.path().join("images/app"), &[tar(&[("a", b"two")])], &["latest", "1.0.0"]);
    house.publish("app").await;
    let failed = house.until("app", &["failed"]).await;
    let rules: Vec<String> =
        House::blocking(&failed).iter().map(|f| f["rule"].as_str().unwrap_or("").to_owned()).collect();
    assert_eq!(rules, ["CTR-06"]);
    assert_eq!(failed["liveLinks"].as_array().map(Vec::len), Some(1));
    assert!(house.api(Method::DELETE, "/publishers/aurora/offers/app", None).await.0 == StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_at_any_time_stops_the_run_and_a_new_one_starts() {
    let house = House::with("[publishing]\ncancel = \"any-time\"\n", &[]).await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("big", &noise(30_000_000, 5))])], &["latest", "1.0.0"]);
    let offer =
        house.offer("app", &format!("oci:{}", root.display()), &["latest", "1.0.0"], &[NOBODYS.into()]).await;
    house.save(&offer).await;
    house.publish("app").await;
    let (status, body) = house.api(Method::POST, "/publishers/aurora/offers/app/cancel", None).await;
    assert_eq!((status, body["status"].as_str()), (StatusCode::OK, Some("canceled")), "{body}");
    let second = house.publish("app").await;
    let waiting = house.until("app", &["waitingForPublisherReview"]).await;
    assert_eq!(waiting["submission"], second["submission"]);
    // Publishing again at sign-off needs to be asked for.
    let body = json!({"notificationEmails": ["ops@example.org"], "replace": true});
    let (status, third) = house.api(Method::POST, "/publishers/aurora/offers/app/publish", Some(body)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{third}");
    let waiting = house.until("app", &["waitingForPublisherReview"]).await;
    assert_eq!(waiting["submission"], third["submission"]);
    let path = format!(
        "/publishers/aurora/offers/app/submissions/{}",
        second["submission"].as_str().expect("an id")
    );
    assert_eq!(house.api(Method::GET, &path, None).await.1["status"], "canceled");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_at_once_make_one_submission() {
    let house = House::open().await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("a", b"b")])], &["latest", "1.0.0"]);
    let offer =
        house.offer("app", &format!("oci:{}", root.display()), &["latest", "1.0.0"], &[NOBODYS.into()]).await;
    house.save(&offer).await;
    let url = format!("{}/api/v1/publishers/aurora/offers/app/publish", house.base);
    let body = json!({"notificationEmails": ["ops@example.org"]}).to_string();
    let all: Vec<_> = (0..64)
        .map(|_| tokio::spawn(house.http.post(&url).bearer_auth(&house.token).body(body.clone()).send()))
        .collect();
    let mut counts = std::collections::BTreeMap::new();
    for one in all {
        let status = one.await.expect("no panic").expect("answers").status().as_u16();
        *counts.entry(status).or_insert(0) += 1;
    }
    assert_eq!(counts, std::collections::BTreeMap::from([(202, 1), (409, 63)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_destination_that_refuses_blocks_with_its_class_and_without_its_words() {
    let house = House::open().await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("a", b"b")])], &["latest", "1.0.0"]);
    let mut offer =
        house.offer("app", &format!("oci:{}", root.display()), &["latest", "1.0.0"], &[NOBODYS.into()]).await;
    offer["leadHttpsUrl"] = json!(format!("http://{}/nowhere?key=hidden-canary", house.crm()));
    offer["leadSecret"] = json!("secret-canary");
    house.save(&offer).await;
    let (_, shown) = house.api(Method::GET, "/publishers/aurora/offers/app", None).await;
    assert!(!shown.to_string().contains("secret-canary"), "secrets are write-only");
    house.publish("app").await;
    let failed = house.until("app", &["failed"]).await;
    assert_eq!(House::blocking(&failed)[0]["rule"], "lead.not_found");
    assert!(!failed.to_string().contains("canary"), "{failed:#}");
}
