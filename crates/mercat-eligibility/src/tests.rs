//! Policies of operators: good, wrong, endless.

use super::*;
use serde_json::json;

fn rego(text: &str) -> PolicyFile {
    PolicyFile {
        name: "own.rego".to_owned(),
        text: format!("package mercat.eligibility\nimport rego.v1\n{text}"),
    }
}

fn settings(value: serde_json::Value) -> PolicyFile {
    PolicyFile { name: "settings.json".to_owned(), text: json!({"eligibility": value}).to_string() }
}

fn image() -> String {
    json!({"images": [{
        "platform": "linux/amd64", "labels": ["a"], "layers": [{"packedBytes": 60}, {"packedBytes": 50}],
    }]})
    .to_string()
}

fn rules(policies: &Eligibility, document: &str, listing: Option<&str>) -> Vec<String> {
    let found = policies.judge(document, listing).expect("evaluates");
    found.into_iter().map(|found| found.finding.rule).collect()
}

#[test]
fn the_default_policy_changes_nothing_until_a_value_is_set() {
    let default = Eligibility::load(&[]).expect("loads").tried().expect("as those of operators are");
    assert!(!default.is_of_operator());
    let disk = json!({"disk": {"bytes": 1_u64 << 50, "osId": "plan9"}, "checks": []}).to_string();
    for document in [image(), disk, "{}".to_owned()] {
        assert_eq!(rules(&default, &document, Some("{}")), [""; 0]);
    }
}

#[test]
fn every_rule_of_the_default_policy_fires_at_its_limit_and_not_before() {
    let with = |value| Eligibility::load(&[settings(value)]).expect("loads");
    let check = |value, document: &str, rule: &str, fires: bool| {
        let wanted: &[&str] = if fires { &[rule] } else { &[] };
        assert_eq!(rules(&with(value), document, Some("{\"a\": \"x\", \"b\": \"\"}")), wanted, "{rule}");
    };
    let disk = json!({"disk": {"bytes": 100, "osId": "debian"}}).to_string();
    check(json!({"image_bytes_max": 110}), &image(), "ELG-SIZE", false);
    check(json!({"image_bytes_max": 109}), &image(), "ELG-SIZE", true);
    check(json!({"layers_max": 2}), &image(), "ELG-LAYERS", false);
    check(json!({"layers_max": 1}), &image(), "ELG-LAYERS", true);
    check(json!({"labels": ["a"]}), &image(), "ELG-LABEL", false);
    check(json!({"labels": ["a", "b"]}), &image(), "ELG-LABEL", true);
    check(json!({"platforms": ["linux/amd64"]}), &image(), "ELG-PLATFORM", false);
    check(json!({"platforms": ["linux/arm64"]}), &image(), "ELG-PLATFORM", true);
    check(json!({"disk_bytes_max": 100}), &disk, "ELG-DISK-SIZE", false);
    check(json!({"disk_bytes_max": 99}), &disk, "ELG-DISK-SIZE", true);
    check(json!({"operating_systems": ["debian"]}), &disk, "ELG-OS", false);
    check(json!({"operating_systems": ["ubuntu"]}), &disk, "ELG-OS", true);
    check(json!({"listing_fields": ["a"]}), &image(), "ELG-LISTING", false);
    check(json!({"listing_fields": ["a", "b"]}), &image(), "ELG-LISTING", true);
}

#[test]
fn findings_carry_their_place_and_shadow_is_information() {
    let policies =
        Eligibility::load(&[settings(json!({"labels": ["b"], "severity": "shadow"}))]).expect("loads");
    let found = policies.judge(&image(), None).expect("evaluates");
    assert_eq!(found.len(), 1);
    assert!(found[0].shadow && found[0].finding.severity == Severity::Info);
    assert_eq!(found[0].finding.place.platform, "linux/amd64");
}

fn finding(change: &str) -> String {
    format!(
        "findings contains object.union({{\"rule\": \"ELG-X\", \"severity\": \"error\", \"observed\": \"\", \
         \"required\": \"\", \"fix\": \"\"}}, {change}) if {{ input.verdict }}"
    )
}

#[test]
fn what_is_no_finding_of_an_operator_is_an_error_and_never_nothing() {
    let judge = |text: &str| Eligibility::load(&[rego(text)]).expect("loads").judge("{}", None);
    assert!(judge(&finding("{}")).is_ok());
    for change in [
        "{\"rule\": \"CTR-20\"}",
        "{\"rule\": \"ELG-\"}",
        "{\"rule\": \"ELG-a\"}",
        "{\"severity\": \"inconclusive\"}",
        "{\"severity\": \"fatal\"}",
        "{\"more\": 1}",
        "{\"fix\": 1}",
        "{\"place\": {\"line\": \"1\"}}",
        "{\"fix\": concat(\"\", [\"xxxxxxxx\" | some i in numbers.range(1, 1000)])}",
    ] {
        assert!(matches!(judge(&finding(change)), Err(EligibilityError::Result(_))), "{change}");
    }
    assert!(matches!(judge("findings := 7"), Err(EligibilityError::Result(_))));
    let many =
        "findings contains sprintf(\"%d\", [i]) if { input.verdict; some i in numbers.range(1, 1001) }";
    let Err(EligibilityError::Result(why)) = judge(many) else { panic!("too many findings were taken") };
    assert!(why.contains("1001") && why.contains("1000"), "{why}");
}

#[test]
fn errors_in_the_evaluation_are_told_and_an_endless_one_ends() {
    let failing = "findings contains 1 if { input.verdict; to_number(\"x\") > 1 }";
    let failing = Eligibility::load(&[rego(failing)]).expect("loads").judge("{}", None);
    assert!(matches!(failing, Err(EligibilityError::Evaluation(_))));
    let endless = "findings contains x if {\n input.verdict\n some a in numbers.range(1, 5000)\n \
                   some b in numbers.range(1, 5000)\n some c in numbers.range(1, 5000)\n x := a * b * c\n x < 0\n}";
    let limited = Eligibility::within(&[rego(endless)], Duration::from_millis(200)).expect("loads");
    let Err(EligibilityError::Evaluation(why)) = limited.judge("{}", None) else {
        panic!("it ended otherwise")
    };
    assert!(why.contains("limit"), "{why}");
}

#[test]
fn rules_that_lead_back_to_themselves_are_refused_before_they_run() {
    for text in [
        "f(x) := g(x)\ng(x) := f(x)\nfindings contains f(1) if { input.verdict }",
        "f(x) := data.mercat.eligibility.f(x)\nfindings contains f(1)",
        "f(x) := data.mercat.eligibility[\"f\"](x)\nfindings contains f(1)",
        "f(x) := [f(y) | some y in x]\nfindings contains f([1])",
        "findings contains x if { some x in findings }",
        "findings contains x if { some x in data[_].deny }",
        "findings contains x if { some k; some x in data.mercat[k].deny }",
        "a if { some x; data.mercat.eligibility[x] }\nfindings contains 1 if { a }",
        "findings contains x if { walk(data, [_, x]) }",
        "default f(x) := [y | y := f(1)]\nf(x) := 1 if x == 2\nfindings contains f(1)",
        "import data.other as f\nf(x) := f(x)\nfindings contains f(1)",
        "a.b.c := x\nx := a\nfindings contains x",
        "p[q] := 1\nq := p\nfindings contains p",
        "import data.mercat.eligibility as me\nfindings contains 1 if { some x; me[x] }",
        "import data as all\nfindings contains 1 if { all.mercat.eligibility.findings }",
    ] {
        assert!(matches!(Eligibility::load(&[rego(text)]), Err(EligibilityError::Circle(_))), "{text}");
    }
    // The verdict has findings of its own, and packages may have rules of the same names.
    let finding = finding("{}");
    for text in [
        finding.replace("input.verdict", "some f in input.verdict.findings; f.rule"),
        finding.replace("input.verdict", "some v in [input.verdict]; some f in v.findings; f.rule"),
        finding.replace("input.verdict", "some f in input.verdict[\"findings\"]; f.rule"),
        finding
            .replace("findings contains", "import input.verdict as v\nfindings contains")
            .replace("input.verdict }", "v.findings }"),
    ] {
        let policies = Eligibility::load(&[rego(&text)]).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(rules(&policies, r#"{"findings": [{"rule": "CTR-21"}]}"#, None), ["ELG-X"], "{text}");
        assert_eq!(rules(&policies, "{}", None), [""; 0], "{text}");
    }
    let checks = |package: &str| {
        let text = finding.replace("findings", "deny");
        PolicyFile {
            name: "checks.rego".to_owned(),
            text: format!("package {package}\nimport rego.v1\n{text}"),
        }
    };
    for text in ["data.checks.a.deny", "data.checks[_].deny", "data[\"checks\"].a.deny", "checks.a.deny"] {
        let own = rego(&format!("import data.checks\nfindings contains x if {{ some x in {text} }}"));
        let policies =
            Eligibility::load(&[own, checks("checks.a")]).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(rules(&policies, "{}", None), ["ELG-X"], "{text}");
    }
    let straight = "f(x) := x + 1\ng(x) := f(f(x))\nfindings contains g(1) if { input.verdict }";
    assert!(Eligibility::load(&[rego(straight)]).is_ok());
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let refused =
        |file: PolicyFile| Eligibility::load(&[file]).err().map(|error| error.to_string()).expect("refused");
    assert!(refused(rego("findings contains")).starts_with("own.rego: "));
    assert!(refused(rego("allow := true")).contains("package mercat.eligibility"));
    for text in ["rand.intn(\"x\", 3)", "x if { y := \"#\"; x := rand.intn(y, 3) }"] {
        assert!(refused(rego(&format!("findings contains {text}"))).contains("rand"), "{text}");
    }
    assert!(
        refused(rego(&format!("findings contains {}1{}", "[".repeat(13), "]".repeat(13))))
            .contains("13 deep")
    );
    assert!(Eligibility::load(&[rego("findings contains \"[[[[\" if { input.verdict } # ((((")]).is_ok());
    let misspelt = PolicyFile {
        name: "more.rego".to_owned(),
        text: "package mercat.eligibilty\nimport rego.v1\nfindings contains 1".to_owned(),
    };
    let limits = PolicyFile {
        name: "limits.rego".to_owned(),
        text: "package mercat.eligibility\nimport rego.v1\nlimits.max := 3".to_owned(),
    };
    let using = rego("findings contains 1 if { some _, most in limits; most > 4 }");
    assert!(Eligibility::load(&[using, limits]).is_ok());
    let above = PolicyFile {
        name: "above.rego".to_owned(),
        text: "package mercat\nimport rego.v1\neligibility.findings contains 1 if { input.verdict }"
            .to_owned(),
    };
    assert!(Eligibility::load(&[above]).is_ok());
    let back = PolicyFile {
        name: "back.rego".to_owned(),
        text: "package mercat\nimport rego.v1\ng(x) := eligibility.f(x)".to_owned(),
    };
    let there = rego("f(x) := data.mercat.g(x)\nfindings contains f(1)");
    assert!(matches!(Eligibility::load(&[there, back]), Err(EligibilityError::Circle(_))));
    let tests = PolicyFile {
        name: "own_test.rego".to_owned(),
        text: "package mercat.eligibility_test\nimport rego.v1\nimport data.mercat.eligibility\ntest_it if { count(eligibility.findings) == 0 }"
            .to_owned(),
    };
    assert!(Eligibility::load(&[rego("findings contains 1 if { input.verdict }"), tests]).is_ok());
    let both = Eligibility::load(&[rego("findings contains 1 if { input.verdict }"), misspelt]);
    assert!(both.err().expect("refused").to_string().starts_with("more.rego: no finding comes from it"));
    assert!(refused(rego("findings contains http.send({})")).contains("http"));
    assert!(refused(PolicyFile { name: "a.txt".into(), text: String::new() }).contains(".rego or .json"));
    let large = PolicyFile { name: "a.json".into(), text: " ".repeat(FILE_BYTES_MAX + 1) };
    assert!(refused(large).contains("1048576"));
    let files = vec![settings(json!({})); FILES_MAX + 1];
    assert!(matches!(Eligibility::load(&files), Err(EligibilityError::Files(65))));
}

#[test]
fn the_digest_follows_names_and_texts() {
    let digest = |files: &[PolicyFile]| Eligibility::load(files).expect("loads").digest().clone();
    let one = digest(&[settings(json!({"layers_max": 1}))]);
    assert_ne!(one, digest(&[settings(json!({"layers_max": 2}))]));
    assert_ne!(one, digest(&[]));
    assert_eq!(one, digest(&[settings(json!({"layers_max": 1}))]));
}

#[test]
fn cases_say_what_differs() {
    let policies =
        Eligibility::load(&[settings(json!({"layers_max": 1, "labels": ["a", "b"]}))]).expect("loads");
    let verdict: serde_json::Value = serde_json::from_str(&image()).expect("JSON");
    let run = |expect: serde_json::Value| {
        let case = json!({"note": "n", "verdict": verdict, "expect": expect});
        run_case(&policies, &case.to_string()).expect("a case").1
    };
    let layers = json!({"rule": "ELG-LAYERS", "severity": "error"});
    assert_eq!(run(json!([layers, {"rule": "ELG-LABEL", "platform": "linux/amd64"}])), CaseResult::Passed(2));
    let CaseResult::Failed(lines) = run(json!([layers, {"rule": "ELG-OS"}])) else { panic!("it passed") };
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(run_case(&policies, "{\"note\": 1}").is_err());
}

#[test]
fn numbers_that_would_be_written_out_for_ever_are_refused() {
    let policy = |body: &str| {
        let text = format!(
            "package mercat.eligibility\n\nfindings contains found if {{\n{body}\n    found := {{\"rule\": \"ELG-X\", \"severity\": \"info\", \
             \"observed\": \"x\", \"required\": \"x\", \"fix\": \"x\"}}\n}}\n"
        );
        Eligibility::load(&[PolicyFile { name: "a.rego".to_owned(), text }]).map(drop)
    };
    let is_refused = |body: &str| match policy(body) {
        Err(EligibilityError::Compile { why, .. }) => why.contains("exponent"),
        Err(other) => panic!("{body}: {other}"),
        Ok(()) => false,
    };
    for long in
        ["    1e1000000000 > 0", "    565 / 0E0100000000 == 1", "    1.5E+12345 > 0", "    2e-0000009 > 0"]
    {
        assert!(is_refused(long), "{long}");
    }
    for short in [
        "    1e3 > 0",
        "    \"9e123456\" != \"x\"",
        "    true # 1e99999",
        "    limit1e12345 := 1\n    limit1e12345 == 1",
    ] {
        assert!(!is_refused(short), "{short}");
    }
    let data = PolicyFile { name: "a.json".to_owned(), text: r#"{"most": 1e1000000000}"#.to_owned() };
    assert!(matches!(Eligibility::load(&[data]), Err(EligibilityError::Compile { .. })));
}
