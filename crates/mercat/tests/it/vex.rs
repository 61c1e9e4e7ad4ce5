//! Statements about vulnerabilities on the server: the operator's count, the publisher's are told.

use crate::House;
use crate::house::{NOBODYS, layout, tar};
use crate::standing::{RELEASE, STATUS, advisory, learn};
use serde_json::{Value, json};

fn statement(status: &str, expires: &str) -> String {
    json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "author": "Aurora Labs", "timestamp": "2026-01-01T00:00:00Z",
        "statements": [{
            "vulnerability": {"name": "CVE-2026-4242"}, "products": [{"@id": "pkg:deb/debian/openssl"}],
            "status": status, "justification": "vulnerable_code_not_in_execute_path", "expires": expires,
        }],
    })
    .to_string()
}

/// An image with a package that an advisory is about.
async fn vulnerable(house: &mut House) {
    let root = house.dir.path().join("images/app");
    layout(
        &root,
        &[tar(&[("var/lib/dpkg/status", STATUS), ("etc/os-release", RELEASE)])],
        &["latest", "1.0.0"],
    );
    learn(house, &advisory("openssl", "2026-06-01", "3.0.2")).await;
}

/// Publishes with what the publisher states, and gives the findings of the certification by rule.
async fn found(house: &House, offer: &str, said: &str) -> Vec<(String, String)> {
    let root = house.dir.path().join("images/app");
    let image = format!("oci:{}", root.display());
    let mut document = house.offer(offer, &image, &["latest", "1.0.0"], &[NOBODYS.to_owned()]).await;
    document["plans"][0]["vex"] = json!(said);
    house.save(&document).await;
    house.publish(offer).await;
    let status = house.until(offer, &["waitingForPublisherReview", "failed"]).await;
    let steps = status["steps"].as_array().expect("steps");
    let findings =
        steps.iter().filter(|step| step["id"] == "certify").flat_map(|step| step["findings"].as_array());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    findings.flatten().map(|finding| (text(&finding["rule"]), text(&finding["observed"]))).collect()
}

fn rules(found: &[(String, String)]) -> Vec<&str> {
    let about = found.iter().map(|(rule, _)| rule.as_str());
    about.filter(|rule| rule.starts_with("CTR-22") || rule.starts_with("VEX")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publishers_statement_is_told_and_lets_pass_where_the_policy_accepts_it() {
    let mut house = House::open().await;
    vulnerable(&mut house).await;
    let holds = statement("not_affected", "2099-01-01");
    let one = found(&house, "one", &holds).await;
    assert_eq!(rules(&one), ["CTR-22"]);
    assert!(
        one.iter().any(|(_, text)| text.contains("the publisher states, as \"Aurora Labs\": not_affected"))
    );
    let broken = found(&house, "broken", "{\"statements\": 1}").await;
    assert_eq!(rules(&broken), ["CTR-22", "VEX-03"]);
    // The publisher's own document never reaches another offer of the same image.
    let plain = found(&house, "plain", "").await;
    assert!(plain.iter().all(|(_, text)| !text.contains("states")), "{plain:?}");

    let pack = include_str!("../../../mercat-policy/policy/default.toml");
    let pack = pack.replace("# accept_publisher_vex = false", "accept_publisher_vex = true");
    std::fs::write(house.data().join("policy.toml"), pack).expect("written");
    house.kill();
    house.start();
    house.answers().await;
    assert_eq!(rules(&found(&house, "accepted", &holds).await), ["CTR-22-VEX"]);
    let over = found(&house, "over", &statement("not_affected", "2026-01-01")).await;
    assert_eq!(rules(&over), ["CTR-22", "VEX-02"]);
    assert_eq!(rules(&found(&house, "still", "").await), ["CTR-22"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_the_operator_trusts_count() {
    let mut house = House::with("[certification]\nvex = [\"ours.json\"]\n", &[]).await;
    vulnerable(&mut house).await;
    std::fs::write(house.data().join("ours.json"), statement("not_affected", "2099-01-01")).expect("written");
    assert_eq!(rules(&found(&house, "one", "").await), ["CTR-22-VEX"]);
    // Another file is noticed without a restart.
    std::fs::write(house.data().join("ours.json"), statement("affected", "2099-01-01")).expect("written");
    assert_eq!(rules(&found(&house, "two", "").await), ["CTR-22"]);
}
