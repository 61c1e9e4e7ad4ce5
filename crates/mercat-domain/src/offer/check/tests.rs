use super::*;
use crate::ids::OfferKey;
use crate::offer::fields::{FIELDS, Shape};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

fn list(values: &[&str]) -> Value {
    Value::List(values.iter().map(ToString::to_string).collect())
}

fn example(shape: Shape) -> &'static str {
    match shape {
        Shape::Guid => "11111111-2222-4333-8444-555555555555",
        Shape::Organisation => "00D000000000001",
        Shape::HostName => "app-ys12.marketo.example",
        Shape::Munchkin => "123-ABC-456",
        Shape::Number(_) => "1234",
    }
}

#[test]
fn ids_of_other_services_have_their_shape() {
    for shape in [Shape::Guid, Shape::Organisation, Shape::HostName, Shape::Munchkin, Shape::Number(4)] {
        assert!(shape.fits(example(shape)), "{shape:?}");
        for bad in ["", "a b", "x/../y", "12345-67890-1234567", "é"] {
            assert!(!shape.fits(bad), "{shape:?} {bad}");
        }
    }
}

#[test]
fn a_connection_string_is_checked_before_it_is_sealed_and_not_repeated() {
    let field = FIELDS.iter().find(|field| field.rule == Rule::Connection).expect("there is one");
    let problem = check_secret(field, field.key, "AccountName=canary").expect("a problem");
    assert_eq!((problem.code, problem.observed.as_str()), ("F020", ""));
    assert_eq!(check_secret(field, field.key, "AccountName=aurora1;AccountKey=a2V5"), None);
}

#[test]
fn a_chosen_destination_needs_its_fields() {
    for (destination, needed) in [
        ("https", vec!["leadHttpsUrl"]),
        ("table", vec!["leadTableConnection"]),
        (
            "dynamics",
            vec!["leadDynamicsUrl", "leadDynamicsDirectory", "leadDynamicsApplication", "leadDynamicsKey"],
        ),
        ("salesforce", vec!["leadSalesforceId"]),
        ("marketo", vec!["leadMarketoServer", "leadMarketoMunchkin", "leadMarketoForm"]),
        ("hubspot", vec!["leadHubspotPortal", "leadHubspotForm"]),
        ("email", vec!["leadEmails"]),
        ("none", vec![]),
    ] {
        let mut draft = complete();
        draft.fields.retain(|key, _| !key.starts_with("lead"));
        draft.fields.insert("leadDestination".into(), text(destination));
        let missing: Vec<String> = codes(&draft, None).into_iter().map(|(path, _)| path).collect();
        assert_eq!(missing, needed, "{destination}");
    }
}

fn complete() -> Document {
    let picture = format!("sha256:{}", "ab".repeat(32));
    let mut offer = Document::new(OfferKey::new("aurora", "gateway"), OfferKind::Container);
    for field in fields_of(OfferKind::Container, Scope::Offer) {
        let value = match field.rule {
            Rule::Picture(..) => text(&picture),
            Rule::Guids(..) => list(&["11111111-2222-4333-8444-555555555555"]),
            Rule::Categories => list(&["internet-of-things/iot-edge-modules"]),
            Rule::Email => text("e@example.org"),
            Rule::Phone => text("+1 555 0100"),
            Rule::Url | Rule::HttpsUrl => text("https://example.org/x"),
            Rule::Choice(words) => text(words[0]),
            Rule::Flag => Value::Flag(false),
            Rule::Shaped(shape) => text(example(shape)),
            Rule::Emails(_) => list(&["leads@example.org"]),
            Rule::Rows(..) | Rule::Pictures(..) => continue,
            _ => text("gateway"),
        };
        offer.fields.insert(field.key.into(), value);
    }
    let fields = [
        ("title", text("Standard")),
        ("summary", text("One gateway")),
        ("description", text("<p>One <em>gateway</em></p>")),
        ("markets", list(&["JP", "DE"])),
        ("licenseModel", text("free")),
        ("image", text("registry.example.org/aurora/gateway")),
        ("tags", list(&["latest", "1.0.1"])),
    ];
    let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    offer.plans.push(Plan { id: "standard".into(), fields });
    offer
}

fn codes(draft: &Document, published: Option<&Document>) -> Vec<(String, &'static str)> {
    check(draft, published).into_iter().map(|problem| (problem.path, problem.code)).collect()
}

#[test]
fn a_complete_draft_has_no_problem() {
    assert_eq!(check(&complete(), None), []);
}

#[test]
fn every_missing_required_field_is_reported_at_once() {
    let mut empty = Document::new(OfferKey::new("aurora", "gateway"), OfferKind::Container);
    empty.plans.push(Plan { id: "standard".into(), ..Plan::default() });
    let problems = codes(&empty, None);
    for field in
        FIELDS.iter().filter(|f| f.need == Need::Required && f.kind != Some(OfferKind::VirtualMachine))
    {
        let path = match field.scope {
            Scope::Offer => field.key.to_owned(),
            Scope::Plan => format!("plans/standard/{}", field.key),
        };
        assert!(problems.iter().any(|(at, _)| *at == path), "{path} is not reported");
    }
    assert_eq!(problems, codes(&empty, None), "the order is stable");
}

#[test]
fn each_rule_names_its_field() {
    let cases: &[(&str, Value, &str, &str)] = &[
        ("title", text(&"x".repeat(51)), "title", "F002"),
        ("marketingId", text("Aurora"), "marketingId", "F003"),
        ("marketingId", text("aurora-"), "marketingId", "F004"),
        ("allowedSubscriptions", list(&["not-a-guid"]), "allowedSubscriptions/0", "F007"),
        ("categories", list(&["containers", "web", "media"]), "categories", "F008"),
        ("privacyUrl", text("javascript:alert(1)"), "privacyUrl", "F009"),
        ("smallLogo", text("logo.png"), "smallLogo", "F010"),
        ("description", text("<p onclick=x>a</p>"), "description", "F019"),
        ("description", text("<script>a</script>"), "description", "F019"),
        ("supportContactEmail", text("a@b\r\nBcc: c@d.example"), "supportContactEmail", "F023"),
        ("title", list(&["a"]), "title", "F003"),
    ];
    for (key, value, path, code) in cases {
        let mut draft = complete();
        draft.fields.insert((*key).into(), value.clone());
        assert_eq!(codes(&draft, None), [((*path).to_owned(), *code)], "{key}");
    }
}

#[test]
fn plan_rules_name_the_plan() {
    let mut draft = complete();
    draft.plans.push(draft.plans[0].clone());
    assert_eq!(codes(&draft, None), [("plans/standard".to_owned(), "F005")]);
    let mut draft = complete();
    draft.plans.clear();
    assert_eq!(codes(&draft, None), [("plans".to_owned(), "F016")]);
    for (key, value, path, code) in [
        ("tags", list(&["1.0", "1.0"]), "plans/standard/tags", "F005"),
        ("tags", list(&["-x"]), "plans/standard/tags/0", "F022"),
        ("tags", Value::List(Vec::new()), "plans/standard/tags", "F016"),
        ("markets", Value::List(Vec::new()), "plans/standard/markets", "F018"),
        ("image", text("ubuntu"), "plans/standard/image", "F003"),
    ] {
        let mut draft = complete();
        draft.plans[0].fields.insert(key.into(), value);
        assert_eq!(codes(&draft, None), [(path.to_owned(), code)], "{key}");
    }
}

#[test]
fn locked_fields_may_not_leave_what_was_published() {
    let published = complete();
    let mut draft = complete();
    draft.fields.insert("marketingId".into(), text("other"));
    draft.plans[0].fields.insert("image".into(), text("registry.example.org/other"));
    draft.plans[0].fields.insert("private".into(), Value::Flag(true));
    draft.plans[0].fields.insert("audience".into(), list(&["11111111-2222-4333-8444-555555555555"]));
    draft.fields.remove("hero");
    assert_eq!(
        codes(&draft, Some(&published)),
        [
            ("marketingId".to_owned(), "F006"),
            ("plans/standard/image".to_owned(), "F006"),
            ("plans/standard/private".to_owned(), "F006"),
            ("hero".to_owned(), "F024"),
        ]
        .into_iter()
        .filter(|(path, _)| path != "hero" || !published.text("hero").is_empty())
        .collect::<Vec<_>>()
    );
}

#[test]
fn vm_versions_must_rise_and_keep_their_disks() {
    let row = |version: &str, disks: &str| {
        BTreeMap::from([
            ("version".to_owned(), version.to_owned()),
            ("osDiskUrl".to_owned(), "https://store.example.org/gw.vhd?sig=x".to_owned()),
            ("dataDisks".to_owned(), disks.to_owned()),
        ])
    };
    let mut out = Vec::new();
    check_versions(
        &[row("1.0.0", ""), row("1.0.0", ""), row("x", ""), row("1.2.0", "file:/a file:/b")],
        "v",
        &mut out,
    );
    let codes: Vec<_> = out.iter().map(|p| (p.path.as_str(), p.code)).collect();
    assert_eq!(codes, [("v/1/version", "F012"), ("v/2/version", "F011"), ("v/3/dataDisks", "F013")]);
}

#[test]
fn a_new_version_rises_above_all_that_were_published_and_has_as_many_disks() {
    let plan = |versions: &[(&str, &str)]| {
        let rows = versions.iter().map(|(version, disks)| {
            BTreeMap::from([
                ("version".to_owned(), (*version).to_owned()),
                ("osDiskUrl".to_owned(), "https://store.example.org/gw.vhd?sig=x".to_owned()),
                ("dataDisks".to_owned(), (*disks).to_owned()),
            ])
        });
        Plan {
            id: "small".into(),
            fields: Fields::from([("versions".to_owned(), Value::Rows(rows.collect()))]),
        }
    };
    let published = plan(&[("1.0.0", "file:/a"), ("2.0.0", "file:/a")]);
    let codes = |draft: &[(&str, &str)]| {
        let mut out = Vec::new();
        check_published_versions(&plan(draft), &published, "p", &mut out);
        out.iter().map(|p| (p.path.clone(), p.code)).collect::<Vec<_>>()
    };
    assert_eq!(codes(&[("1.0.0", "file:/a"), ("2.0.0", "file:/a"), ("2.0.1", "file:/b")]), []);
    assert_eq!(codes(&[("2.0.0", "file:/a")]), []);
    assert_eq!(codes(&[("1.5.0", "file:/a")]), [("p/versions/0/version".to_owned(), "F012")]);
    assert_eq!(codes(&[("3.0.0", "")]), [("p/versions/0/dataDisks".to_owned(), "F013")]);
}

#[test]
fn a_published_version_keeps_its_disks_but_may_be_signed_anew() {
    let plan = |url: &str| {
        let row = BTreeMap::from([
            ("version".to_owned(), "1.0.0".to_owned()),
            ("osDiskUrl".to_owned(), url.to_owned()),
        ]);
        Plan { id: "small".into(), fields: Fields::from([("versions".to_owned(), Value::Rows(vec![row]))]) }
    };
    let problems = |now: &str| {
        let mut out = Vec::new();
        check_published_versions(
            &plan(now),
            &plan("https://s.example/a/gw.vhd?sig=1"),
            "plans/small",
            &mut out,
        );
        out.into_iter().map(|problem| (problem.code, problem.path)).collect::<Vec<_>>()
    };
    assert_eq!(problems("https://s.example/a/gw.vhd?sig=2"), []);
    assert_eq!(
        problems("https://s.example/a/gw2.vhd?sig=2"),
        [("F006", "plans/small/versions/0/osDiskUrl".into())]
    );
}

proptest! {
    #[test]
    fn fixing_one_field_never_adds_a_problem_elsewhere(key in 0..FIELDS.len(), junk in ".{0,60}") {
        let field = &FIELDS[key];
        let mut draft = complete();
        let fields = match field.scope {
            Scope::Offer => &mut draft.fields,
            Scope::Plan => &mut draft.plans[0].fields,
        };
        fields.insert(field.key.into(), Value::Text(junk));
        for problem in check(&draft, None) {
            prop_assert!(
                problem.path.contains(field.key)
                    || field.rule == Rule::Choice(&["none", "https"])
                    || field.key == "licenseModel",
                "{problem:?}"
            );
        }
    }
}

#[test]
fn an_unknown_category_is_told_which_there_are() {
    let required = |item: &str| {
        let mut out = Vec::new();
        check_categories(&[item.to_owned()], "categories", &mut out);
        out.pop().map(|problem| (problem.code, problem.path, problem.required)).expect("a problem")
    };
    let (code, path, all) = required("boats");
    assert_eq!((code, path.as_str()), ("F003", "categories/0"));
    assert!(all.starts_with("one of: analytics, ") && all.ends_with(", web"), "{all}");
    assert_eq!(required("integration/boats").2, "one of: integration/messaging");
    assert_eq!(required("devops/boats").2, "one of: devops");
}
