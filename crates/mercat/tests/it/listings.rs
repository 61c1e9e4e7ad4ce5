//! Rules on listings that need more than the document: where links lead, and what else the publisher lists.

use crate::House;
use crate::house::{NOBODYS, layout, tar};
use serde_json::{Value, json};

fn listed(status: &Value) -> Vec<(String, String)> {
    let steps = status["steps"].as_array().into_iter().flatten();
    let findings =
        steps.filter(|step| step["id"] == "certify").flat_map(|step| step["findings"].as_array()).flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = findings.map(|finding| (text(&finding["rule"]), text(&finding["observed"])));
    all.filter(|(rule, _)| rule.starts_with("LST-")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_listings_of_one_title_are_told() {
    let house = House::open().await;
    let mut found = Vec::new();
    for name in ["app", "twin"] {
        let root = house.dir.path().join("images").join(name);
        layout(&root, &[tar(&[("a", name.as_bytes())])], &["latest", "1.0.0"]);
        let reference = format!("oci:{}", root.display());
        let offer = house.offer(name, &reference, &["latest", "1.0.0"], &[NOBODYS.into()]).await;
        house.save(&offer).await;
        house.publish(name).await;
        found.push(listed(&house.until(name, &["waitingForPublisherReview"]).await));
        house.go_live(name).await;
        house.until(name, &["succeeded"]).await;
    }
    assert_eq!(found, [vec![], vec![("LST-07".to_owned(), "the title of the offer app".to_owned())]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_tried_where_the_policy_asks_but_no_private_place_is_probed() {
    let mut house = House::open().await;
    let pack = include_str!("../../../mercat-policy/policy/default.toml");
    let pack = pack.replace("LST-08 = \"off\"", "LST-08 = \"warning\"");
    assert!(pack.contains("LST-08 = \"warning\""));
    std::fs::write(house.data().join("policy.toml"), pack).expect("written");
    house.kill();
    house.start();
    house.answers().await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("a", b"b")])], &["latest", "1.0.0"]);
    let reference = format!("oci:{}", root.display());
    let mut offer = house.offer("app", &reference, &["latest", "1.0.0"], &[NOBODYS.into()]).await;
    // The operator lets this server reach it for leads; there is nothing at this path.
    offer["privacyUrl"] = json!(format!("http://{}/nothing-here", house.crm()));
    offer["supportUrl"] = json!("https://no-such-host.invalid/");
    house.save(&offer).await;
    house.publish("app").await;
    let waiting = house.until("app", &["waitingForPublisherReview"]).await;
    // Silence everywhere, and what may not be tried, are told and held against nobody.
    assert_eq!(listed(&waiting), [("LST-08".to_owned(), "2 links were not tried to their end".to_owned())]);
}
