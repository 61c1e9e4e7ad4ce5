use super::*;
use crate::inspect_listing;
use mercat_artifact::oci::parse_config;
use mercat_domain::document::{Plan, Value};
use mercat_domain::{OfferKey, OfferKind};
use std::collections::BTreeMap;

#[test]
fn the_last_paragraph_is_found_in_html_and_plain_text() {
    for (html, last) in [
        ("<p>One</p><p>Needs <b>2 GB</b> of RAM</p>", "Needs 2 GB of RAM"),
        ("<p>One</p><p>Hardware:</p><ul><li>1 core</li></ul>", "Hardware: 1 core"),
        ("<p>One</p><p>Two</p><p>&nbsp;</p><p></p>", "Two"),
        ("One\n\nTwo", "Two"),
        ("One<br>Two<BR/>", "Two"),
        ("<P>É一</P><P class=x>メモリ 1 GB</P>", "メモリ 1 GB"),
        ("", ""),
    ] {
        assert_eq!(last_paragraph(html), last, "{html}");
    }
    assert!(is_of_hardware("Needs 512MB of RAM") && is_of_hardware("最小メモリは 1 ギガバイト"));
    assert!(!is_of_hardware("A program for frames and scores") && !is_of_hardware(""));
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn offer(description: &str, options: &str) -> Document {
    let env =
        BTreeMap::from([("name".to_owned(), "MODE".to_owned()), ("value".to_owned(), "fast".to_owned())]);
    Document {
        key: OfferKey::new("contoso", "app"),
        kind: OfferKind::Container,
        fields: Fields::from([
            ("description".to_owned(), text(description)),
            ("categories".to_owned(), Value::List(vec!["internet-of-things/iot-edge-modules".to_owned()])),
        ]),
        plans: vec![Plan {
            id: "standard".to_owned(),
            fields: Fields::from([
                ("description".to_owned(), text("Keeps what it knows in /var/lib/app.")),
                ("edgeCreateOptions".to_owned(), text(options)),
                ("edgeEnv".to_owned(), Value::Rows(vec![env])),
            ]),
        }],
    }
}

fn judged(offer: &Document) -> Vec<Finding> {
    inspect_listing(offer, &[], &policy(), &mercat_secrets::Rules::load())
}

fn policy() -> Policy {
    Policy::parse(Policy::built_in()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn modules_tell_their_hardware_and_do_not_ask_for_the_host() {
    let rules = |offer: &Document| judged(offer).iter().map(|found| found.rule.clone()).collect::<Vec<_>>();
    assert_eq!(rules(&offer("<p>Fast.</p><p>Needs 1 GB of RAM.</p>", "{}")), [""; 0]);
    assert_eq!(rules(&offer("<p>Fast.</p>", r#"{"HostConfig":{"Privileged":true}}"#)), ["CTR-23", "CTR-26"]);
    assert_eq!(rules(&offer("<p>1 GB of RAM.</p>", "{")), ["CTR-23"]);
    let mut other = offer("<p>Fast.</p>", "");
    other.fields.remove("categories");
    assert_eq!(rules(&other), [""; 0]);
    // Credentials are found in rows of values, too.
    let mut leaky = offer("<p>1 GB of RAM.</p>", "");
    let key = String::from_utf8(mercat_secrets::control()).expect("text");
    let row = BTreeMap::from([("name".to_owned(), "KEY".to_owned()), ("value".to_owned(), key)]);
    leaky.plans[0].fields.insert("edgeEnv".to_owned(), Value::Rows(vec![row]));
    let found = judged(&leaky);
    let found: Vec<_> = found.iter().map(|found| (found.rule.as_str(), found.place.field.as_str())).collect();
    assert_eq!(found, [("LST-01", "plans/standard/edgeEnv")]);
}

#[test]
fn ports_and_volumes_are_named_in_the_listing() {
    let config = |ports: &str, volumes: &str| {
        let text = format!(
            r#"{{"os":"linux","architecture":"amd64","rootfs":{{"type":"layers","diff_ids":[]}},
                "config":{{"ExposedPorts":{ports},"Volumes":{volumes}}}}}"#
        );
        parse_config(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
    };
    let offer = offer("<p>Answers on port 8080 (HTTP). 1 GB of RAM.</p>", "");
    let found = |ports: &str, volumes: &str| {
        inspect_exposed(&offer, "standard", &config(ports, volumes), &policy()).map(|found| found.observed)
    };
    assert_eq!(found(r#"{"8080/tcp":{}}"#, r#"{"/var/lib/app/":{}}"#), None);
    assert_eq!(found("{}", "null"), None);
    let untold = found(r#"{"80/tcp":{},"8080/tcp":{}}"#, r#"{"/data":{}}"#);
    assert_eq!(untold.as_deref(), Some("not told: port 80/tcp, volume /data"));
    assert!(found("{}", r#"{"/var/lib":{}}"#).is_none() && found("{}", r#"{"/var/l":{}}"#).is_some());
    let many: Vec<String> = (1..400).map(|port| format!("\"{port}/udp\":{{}}")).collect();
    let untold = found(&format!("{{{}}}", many.join(",")), "{}").unwrap_or_default();
    assert!(untold.ends_with(", and 79 more") && untold.len() < 600, "{untold}");
}
