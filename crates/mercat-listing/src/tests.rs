use super::*;
use mercat_domain::OfferKey;
use mercat_domain::document::{Fields, Plan};

pub(crate) fn offer(fields: &[(&str, &str)]) -> Document {
    let value = |text: &str| Value::Text(text.to_owned());
    Document {
        key: OfferKey::new("contoso", "gateway"),
        kind: OfferKind::VirtualMachine,
        fields: fields.iter().map(|(key, text)| ((*key).to_owned(), value(text))).collect(),
        plans: vec![Plan { id: "standard".to_owned(), fields: Fields::new() }],
    }
}

fn judged(fields: &[(&str, &str)], others: &[(String, String)]) -> Vec<(String, String)> {
    let policy = Policy::parse(Policy::built_in()).unwrap_or_else(|error| panic!("{error}"));
    let found = inspect_listing(&offer(fields), others, &policy, &Rules::load());
    found.into_iter().map(|finding| (finding.rule, finding.place.field)).collect()
}

fn told(rule: &str, field: &str) -> Vec<(String, String)> {
    vec![(rule.to_owned(), field.to_owned())]
}

#[test]
fn praise_and_comparisons_are_told_with_their_field() {
    let plain = [("title", "Gateway"), ("summary", "Routes packets"), ("description", "<p>It routes.</p>")];
    assert_eq!(judged(&plain, &[]), []);
    assert_eq!(judged(&[("title", "The best gateway")], &[]), told("LST-05", "title"));
    assert_eq!(judged(&[("summary", "Better than others")], &[]), told("LST-06", "summary"));
    let description = [("description", "<p>It is better<br>than all.</p>")];
    assert_eq!(judged(&description, &[]), told("LST-06", "description"));
    assert_eq!(judged(&[("longSummaryJa", "他社より速い")], &[]), told("LST-06", "longSummaryJa"));
    assert_eq!(judged(&[("titleJa", "無料ゲートウェイ")], &[]), told("LST-05", "titleJa"));
    assert_eq!(judged(&[("summary", "Latency < 1 ms, the best gateway")], &[]), told("LST-06", "summary"));
    assert_eq!(judged(&[("description", "<p>1 < 2, the best</p>")], &[]), told("LST-06", "description"));
    let written = "<p>&#116;he&nbsp;&#x62;est</p>";
    assert_eq!(judged(&[("description", written)], &[]), told("LST-06", "description"));
    // An attribute is no word that customers read.
    assert_eq!(judged(&[("description", "<a href=\"https://example.com/the best\">it</a>")], &[]), []);
}

#[test]
fn one_product_has_one_listing() {
    let others = [("router".to_owned(), "Contoso  GATEWAY".to_owned())];
    assert_eq!(judged(&[("title", "Contoso Gateway")], &others), told("LST-07", "title"));
    assert_eq!(judged(&[("title", "Contoso Gateway 2")], &others), []);
    // An offer is no other one than itself, and two without a title have none in common.
    let itself = [("gateway".to_owned(), "Contoso Gateway".to_owned())];
    assert_eq!(judged(&[("title", "Contoso Gateway")], &itself), []);
    assert_eq!(judged(&[("title", "")], &[("router".to_owned(), String::new())]), []);
}

#[test]
fn credentials_are_found_however_they_are_written_and_told_once() {
    let key = ["AKIA", "Z7QX4M2LT9WB3KDE"].concat();
    let hidden = format!("&#65;{}", &key[1..]);
    for text in [key, hidden] {
        let offer = [("description", text.as_str())];
        let found = judged(&offer, &[]);
        assert_eq!(found, told("LST-01", "description"), "{text}");
    }
}
