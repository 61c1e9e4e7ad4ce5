//! The operator's rules: on the command line, on the server, and in `mercat policy`.

use crate::House;
use crate::house::{BIN, layout, tar};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn mercat(data: &Path, arguments: &[&str]) -> Output {
    Command::new(BIN).arg("--data").arg(data).args(arguments).output().expect("it starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// S4-10, S4-12: what must be kept to, and who may take part, by rules that operators read and change.
#[test]
fn a_value_blocks_an_image_a_broken_policy_is_inconclusive_and_the_default_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, image) = (directory.path().join("data"), directory.path().join("image"));
    std::fs::create_dir_all(&data).expect("made");
    layout(&image, &[tar(&[("etc/motd", b"hello")]), tar(&[("etc/more", b"more")])], &["latest"]);
    let reference = format!("oci:{}:latest", image.display());
    let certify = |files: &[(&str, &str)]| {
        for (name, text) in files {
            std::fs::write(data.join(name), text).expect("written");
        }
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        let config = format!("[certification]\neligibility = {names:?}\n");
        std::fs::write(data.join("mercat.toml"), config).expect("written");
        let out = mercat(&data, &["certify", &reference, "--format", "json"]);
        let document: Value =
            serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", said(&out)));
        crate::reports::valid(&document).expect("by the schema");
        (out.status.code(), document)
    };
    let rules = |document: &Value| -> Vec<String> {
        let findings = document["findings"].as_array().expect("findings").iter();
        findings.filter_map(|finding| finding["rule"].as_str().map(str::to_owned)).collect()
    };
    let (code, plain) = certify(&[]);
    assert_eq!(code, Some(0), "{plain:#}");
    assert_eq!(plain["eligibility"]["policies"], serde_json::json!(["default.rego"]));
    let (code, one) = certify(&[("a.json", "{\"eligibility\": {\"layers_max\": 1}}")]);
    assert!(code == Some(1) && rules(&one).contains(&"ELG-LAYERS".to_owned()), "{one:#}");
    assert_ne!(one["eligibility"]["digest"], plain["eligibility"]["digest"]);
    let shadow = "{\"eligibility\": {\"layers_max\": 1, \"severity\": \"shadow\"}}";
    let (code, shadow) = certify(&[("a.json", shadow)]);
    assert!(code == Some(0) && rules(&shadow).contains(&"ELG-LAYERS".to_owned()), "{shadow:#}");
    assert_eq!(shadow["shadow"], serde_json::json!(["ELG-LAYERS"]));
    let wrong = "package mercat.eligibility\nimport rego.v1\nfindings contains input.verdict.subject\n";
    let (code, wrong) = certify(&[("own.rego", wrong)]);
    assert_eq!((code, wrong["outcome"].as_str()), (Some(2), Some("inconclusive")));
    assert!(rules(&wrong).contains(&"INC-14".to_owned()), "{wrong:#}");
    // Memory is bounded by the child that evaluates: it ends, and there is no verdict.
    let greedy = "package mercat.eligibility\nimport rego.v1\nfindings contains x if {\n input.verdict\n \
                  x := numbers.range(1, 2000000000)[0]\n}\n";
    std::fs::write(data.join("own.rego"), greedy).expect("written");
    let out = mercat(&data, &["certify", &reference, "--format", "json"]);
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_judges_the_listing_by_the_same_policy() {
    let house = House::with("[certification]\neligibility = [\"own.rego\"]\n", &[]);
    let text = "package mercat.eligibility\nimport rego.v1\nfindings contains {\"rule\": \"ELG-NAME\", \
                \"severity\": \"error\", \"observed\": input.listing.offer, \"required\": \"another name\", \
                \"fix\": \"rename it\"} if input.listing.offer == \"barred\"\n";
    let house = house.await;
    std::fs::write(house.data().join("own.rego"), text).expect("written");
    let root = house.dir.path().join("images/barred");
    layout(&root, &[tar(&[("etc/motd", b"hello")])], &["latest", "1.0.0"]);
    for (name, state) in [("barred", "failed"), ("welcome", "waitingForPublisherReview")] {
        let image = format!("oci:{}", root.display());
        let offer = house
            .offer(name, &image, &["latest", "1.0.0"], std::slice::from_ref(&house.subscription().await.0))
            .await;
        house.save(&offer).await;
        house.publish(name).await;
        let status = house.until(name, &["failed", "waitingForPublisherReview"]).await;
        assert_eq!(status["status"], state, "{status:#}");
        assert_eq!(status.to_string().contains("ELG-NAME"), name == "barred");
    }
}

#[test]
fn policy_show_and_test_teach_and_tell() {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, own) = (directory.path().join("data"), directory.path().join("own"));
    std::fs::create_dir_all(&own).expect("made");
    let list = said(&mercat(&data, &["policy", "show"]));
    assert!(
        ["default", "legacy-2017", "eligibility", "schema"].iter().all(|name| list.contains(name)),
        "{list}"
    );
    assert!(said(&mercat(&data, &["policy", "show", "eligibility"])).contains("package mercat.eligibility"));
    assert_eq!(mercat(&data, &["policy", "show", "nothing"]).status.code(), Some(64));
    let test = || {
        let out = mercat(&data, &["policy", "test", own.to_str().expect("plain")]);
        (out.status.code(), said(&out))
    };
    assert_eq!(test().0, Some(2));
    // The example of the help is one that works.
    let help = said(&mercat(&data, &["policy", "test", "--help"]));
    let part = |from: &str, to: &str| {
        let start = help.find(from).unwrap_or_else(|| panic!("{from} in {help}"));
        help[start..start + help[start..].find(to).expect("its end")].to_owned()
    };
    std::fs::write(own.join("eligible.rego"), part("package mercat", "A case")).expect("written");
    std::fs::write(own.join("arm.case.json"), part("{\"note\"", "Then name")).expect("written");
    let (code, text) = test();
    assert!(code == Some(0) && text.contains("arm   passed"), "{text}");
    let other =
        "{\"note\": \"amd64\", \"verdict\": {\"images\": [{\"platform\": \"linux/arm\"}]}, \"expect\": []}";
    std::fs::write(own.join("other.case.json"), other).expect("written");
    let (code, text) = test();
    assert!(code == Some(1) && text.contains("not expected: ELG-ARM"), "{text}");
    std::fs::write(own.join("broken.case.json"), "{}").expect("written");
    assert_eq!(test().0, Some(2));
}
