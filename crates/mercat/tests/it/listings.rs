//! Rules on listings that need more than the document: where links lead, and what else the publisher lists.

use crate::House;
use crate::house::{NOBODYS, free_port, layout, tar};
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
async fn links_are_tried_where_the_policy_asks_and_twins_are_told() {
    let nobody = format!("127.0.0.1:{}", free_port());
    let mut house = House::with("", std::slice::from_ref(&nobody)).await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("a", b"b")])], &["latest", "1.0.0"]);
    let reference = format!("oci:{}", root.display());
    let mut offer = house.offer("app", &reference, &["latest", "1.0.0"], &[NOBODYS.into()]).await;
    let crm = house.crm();
    offer["privacyUrl"] = json!(format!("http://{crm}/nothing-here"));
    offer["supportUrl"] = json!(format!("http://{crm}/leads"));
    let closed = format!("http://{nobody}/");
    offer["usefulLinks"] =
        json!([{"title": "Manual", "url": closed}, {"title": "Other", "url": "http://10.1.2.3/"}]);
    house.save(&offer).await;
    house.publish("app").await;
    let waiting = house.until("app", &["waitingForPublisherReview"]).await;
    assert_eq!(listed(&waiting), [], "links are not tried by default");

    let pack = include_str!("../../../mercat-policy/policy/default.toml");
    let pack = pack.replace("LST-08 = \"off\"", "LST-08 = \"warning\"");
    std::fs::write(house.data().join("policy.toml"), pack).expect("written");
    house.kill();
    house.start();
    house.answers().await;
    let body = json!({"notificationEmails": ["ops@example.org"], "replace": true});
    house.api(reqwest::Method::POST, "/publishers/aurora/offers/app/publish", Some(body)).await;
    let waiting = house.until("app", &["waitingForPublisherReview"]).await;
    let found = listed(&waiting);
    let rules: Vec<&str> = found.iter().map(|(rule, _)| rule.as_str()).collect();
    assert_eq!(rules, ["LST-08", "LST-08"], "{found:?}");
    let told = |what: &str| found.iter().any(|(_, observed)| observed.contains(what));
    assert!(told("nothing-here answers with status 404") && told(&format!("{closed}: ")), "{found:?}");

    house.go_live("app").await;
    house.until("app", &["succeeded"]).await;
    let root = house.dir.path().join("images/twin");
    layout(&root, &[tar(&[("a", b"c")])], &["latest", "1.0.0"]);
    let reference = format!("oci:{}", root.display());
    let twin = house.offer("twin", &reference, &["latest", "1.0.0"], &[NOBODYS.into()]).await;
    house.save(&twin).await;
    house.publish("twin").await;
    let waiting = house.until("twin", &["waitingForPublisherReview"]).await;
    assert_eq!(listed(&waiting), [("LST-07".to_owned(), "the title of the offer app".to_owned())]);
}
