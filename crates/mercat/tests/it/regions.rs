//! A region that is a registry: down for a while, then caught up without help, with the same digest.

use crate::House;
use crate::house::{NOBODYS, free_port, has, layout, run, tar};
use crate::publish::Registry;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_region_that_is_down_is_our_delay_and_catches_up() {
    if !has("docker-registry") || !has("skopeo") {
        return;
    }
    let host = format!("127.0.0.1:{}", free_port());
    let region = format!("[[region]]\nname = \"tokyo\"\nregistry = {host:?}\nprefix = \"market\"\n");
    let house = House::with(&region, std::slice::from_ref(&host)).await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("a", b"b")])], &["latest", "1.0.0"]);
    let allowed = [NOBODYS.to_owned()];
    let image = format!("oci:{}", root.display());
    house.save(&house.offer("app", &image, &["latest", "1.0.0"], &allowed).await).await;
    house.publish("app").await;
    let mut step = serde_json::Value::Null;
    for _ in 0..200 {
        let status = house.status("app").await;
        step = status["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .find(|s| s["id"] == "package")
            .expect("there")
            .clone();
        if step["progress"]["wait"]["code"] == "wait-region" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(step["progress"]["wait"]["code"], "wait-region", "{step:#}");
    assert!(
        step["progress"]["wait"]["detail"].as_str().is_some_and(|detail| detail.contains("tokyo")),
        "{step:#}"
    );
    assert_eq!(step["status"], "inProgress");
    let page = house.http.get(format!("{}/portal/offers/aurora/app/status", house.base));
    let page = page.bearer_auth(&house.token).send().await.expect("answers").text().await.expect("text");
    assert!(page.contains("package-retry"), "{page}");
    let _registry = Registry::at(host.clone()).expect("installed");
    // Whoever does not want to wait for the next try says so; it may be under way already.
    let retry = "/publishers/aurora/offers/app/retry";
    let (status, body) = house.api(reqwest::Method::POST, retry, None).await;
    assert!(status == 202 && body["retried"].is_u64(), "{status} {body}");
    let waiting = house.until("app", &["waitingForPublisherReview", "failed"]).await;
    assert_eq!(waiting["status"], "waitingForPublisherReview", "{waiting:#}");
    house.go_live("app").await;
    let live = house.until("app", &["succeeded", "failed"]).await;
    let reference = format!("docker://{host}/market/production/aurora/app/standard:latest");
    let digest = run(
        "skopeo",
        &["--insecure-policy", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", &reference],
    );
    assert_eq!(Some(digest.trim()), live["images"][0]["digest"].as_str());
}
