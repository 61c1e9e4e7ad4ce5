//! Hostile words through every form, and each form against its own readers.

use super::*;
use mercat_text::Locale;
use serde_json::{Value, json};

/// Every way to leave a form that the words of a publisher could try.
const HOSTILE: &str =
    "<script>alert(1)</script>\u{1b}[31m\u{202e}gnp\u{9b}0m]]>\"'&amp;\r\n::error::\u{0}\u{feff}\u{fffe}";

fn finding(rule: &str, severity: &str) -> Value {
    json!({
        "rule": rule, "severity": severity, "platform": "linux/amd64", "path": format!("opt/{HOSTILE}"),
        "package": "pkg:deb/debian/x@1", "observed": HOSTILE, "required": HOSTILE, "fix": HOSTILE,
    })
}

fn digest(fill: char) -> String {
    format!("sha256:{}", String::from(fill).repeat(64))
}

fn image(outcome: &str, findings: &[Value]) -> String {
    json!({
        "schema": "mercat.verdict/1", "subject": digest('a'), "outcome": outcome,
        "policy": {"name": "default", "date": "2026-11-25", "digest": digest('b')},
        "advisories": {"digest": digest('c'), "newest": "2026-11-20"}, "engines": digest('d'),
        "shadow": ["CTR-28"],
        "images": [{
            "platform": "linux/amd64", "manifest": digest('e'), "packages": 3, "sbom": digest('f'),
            "layers": [{
                "digest": digest('1'), "diffId": digest('2'), "packedBytes": 10, "files": 2, "fileBytes": 20,
                "scannedBytes": 20, "nestedBytes": 0,
            }],
        }],
        "findings": findings,
    })
    .to_string()
}

fn disk(outcome: &str, result: &str) -> String {
    json!({
        "schema": "mercat.verdict/1", "subject": digest('a'), "outcome": outcome,
        "policy": {"name": "default", "date": "2026-11-25", "digest": digest('b')},
        "advisories": {"digest": "", "newest": ""}, "engines": digest('d'),
        "disk": {
            "bytes": 1_073_741_824, "dataBytes": 4096, "partitionTable": "gpt", "os": "Debian 12", "osId": "debian",
            "osVersion": "12", "kernel": "6.1.0-31-amd64, 5.10", "packages": 1, "sbom": digest('f'),
            "volumes": [{
                "name": "part1", "start": 0, "bytes": 1, "contents": "ext4", "entries": 1, "files": 1,
                "fileBytes": 1, "scannedBytes": 1, "nestedBytes": 0,
            }],
        },
        "checks": [
            {"rule": "VHD-01", "testId": "", "title": "A", "result": "passed", "observed": "", "required": ""},
            {"rule": "LNX-04", "testId": "41", "title": "Swap", "result": result, "observed": "0", "required": ""},
            {"rule": "LNX-05", "testId": "", "title": HOSTILE, "result": "boot-only", "observed": HOSTILE, "required": ""},
        ],
        "findings": [
            {"rule": "LNX-04", "severity": result, "observed": "x", "required": "", "fix": ""},
            {"rule": "CTR-20", "severity": "info", "path": "a", "observed": "", "required": "", "fix": ""},
        ],
    })
    .to_string()
}

fn reports() -> Vec<Report> {
    let found = ["error", "warning", "info", "inconclusive"];
    let found: Vec<Value> = found.iter().map(|severity| finding("CTR-21", severity)).collect();
    let more = [found, vec![finding("CTR-28", "info")]].concat();
    vec![
        Report::parse(HOSTILE, &image("findings", &more)).expect("reads"),
        Report::parse("clean", &image("pass", &[])).expect("reads"),
        Report::parse("disk.vhd", &disk("inconclusive", "inconclusive")).expect("reads"),
    ]
}

fn valid(schema: &str, document: &Value) -> Result<(), String> {
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    let schema = serde_json::from_str(schema).map_err(|error| error.to_string())?;
    compiler.add_resource("mem:///schema.json", schema).map_err(|error| error.to_string())?;
    let index = compiler.compile("mem:///schema.json", &mut schemas).map_err(|error| error.to_string())?;
    schemas.validate(document, index).map_err(|error| format!("{error:#}"))
}

#[test]
fn no_form_lets_a_hidden_character_or_a_tag_through() {
    let reports = reports();
    let style = Style { colour: false, width: Some(80), locale: Locale::En };
    let texts: Vec<String> = reports.iter().map(|report| text(report, &style)).collect();
    let forms = [
        texts.concat(),
        sarif(&reports, "1.0.0", Locale::En),
        junit(&reports, Locale::En),
        html(&reports, Locale::Ja),
        html(&reports, Locale::En),
        self_test(&reports[0], "11/26/2026 00:00:00"),
    ];
    for form in &forms {
        let hidden = form.chars().find(|c| *c != '\n' && mercat_domain::plain::is_hidden(*c));
        assert_eq!(hidden, None, "{form}");
        // A line of a publisher's own would be a command to a build server.
        assert!(!form.lines().any(|line| line.trim_start().starts_with("::error::")), "{form}");
    }
    for form in &forms[2..5] {
        assert!(!form.contains("<script") && !form.contains("]]>"), "{form}");
    }
}

#[test]
fn sarif_is_valid_against_the_official_schema_and_never_calls_the_inconclusive_a_pass() {
    let schema = include_str!("../tests/fixtures/sarif-2.1.0.schema.json");
    let document: Value = serde_json::from_str(&sarif(&reports(), "1.0.0", Locale::En)).expect("JSON");
    valid(schema, &document).expect("valid");
    let results = document["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.len(), 5);
    assert_eq!((&results[0]["level"], &results[0]["kind"]), (&json!("error"), &json!("fail")));
    assert_eq!((&results[1]["level"], &results[1]["kind"]), (&json!("none"), &json!("open")));
    assert_eq!(document["runs"][2]["invocations"][0]["executionSuccessful"], false);
    assert_eq!(document["runs"][1]["invocations"][0]["executionSuccessful"], true);
    let kinds: Vec<&str> = document["runs"][2]["results"]
        .as_array()
        .expect("results")
        .iter()
        .filter_map(|r| r["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["open", "fail", "pass", "informational"]);
    let mut broken = document.clone();
    broken["runs"][0]["results"][0]["level"] = json!("fatal");
    assert!(valid(schema, &broken).is_err(), "the schema refuses what is wrong");
}

#[test]
fn junit_is_well_formed_and_counts_what_it_holds() {
    let document = junit(&reports(), Locale::En);
    let mut reader = quick_xml::Reader::from_str(&document);
    reader.config_mut().check_end_names = true;
    let (mut cases, mut failures, mut errors, mut declared) = (0, 0, 0, Vec::new());
    loop {
        use quick_xml::events::Event;
        match reader.read_event().expect("well-formed") {
            Event::Eof => break,
            Event::Start(tag) | Event::Empty(tag) => {
                for attribute in tag.attributes() {
                    attribute.expect("well-formed");
                }
                match tag.name().as_ref() {
                    "testcase" => cases += 1,
                    "failure" => failures += 1,
                    "error" => errors += 1,
                    "testsuites" => {
                        for name in ["tests", "failures", "errors"] {
                            let value = tag.try_get_attribute(name).expect("read").expect("there");
                            declared.push(value.value.parse::<u32>().expect("a number"));
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    assert_eq!(declared, [cases, failures, errors]);
    // The verdict and CTR-21; the verdict and LNX-04 of the disk.
    assert_eq!((cases, failures, errors), (3 + 1 + 5, 2, 2), "{document}");
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_speaks_both_languages() {
    let (en, ja) = (html(&reports(), Locale::En), html(&reports(), Locale::Ja));
    assert!(en.contains("<html lang=\"en\">") && en.contains("Recorded only"), "{en}");
    assert!(ja.contains("<html lang=\"ja\">") && ja.contains("判定不能"), "{ja}");
    for part in ["<script", "<link", "<img", " src=", "http://", "https://", "@import", "url("] {
        assert!(!en.contains(part), "{part}");
    }
    // A key without words would stand there as itself.
    assert!(!en.contains(">report-") && !ja.contains(">report-"));
}

#[test]
fn text_wraps_to_the_width_and_is_coloured_only_when_asked() {
    let reports = reports();
    let narrow = Style { colour: false, width: Some(60), locale: Locale::En };
    for line in text(&reports[0], &narrow).lines().skip(2) {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= 60, "{line}");
    }
    let wide = Style { width: None, ..narrow };
    assert!(!text(&reports[0], &wide).contains('\u{1b}'));
    assert!(text(&reports[0], &Style { colour: true, ..wide }).contains("\u{1b}[1m\u{1b}[31merror\u{1b}[0m"));
    assert!(text(&reports[0], &wide).contains("[shadow] CTR-28"));
    assert!(
        text(&reports[2], &wide).contains(
            "rules: 1 passed, 1 with a remark, 1 inconclusive (LNX-04), 1 for the boot or start test"
        )
    );
}

#[test]
fn text_is_japanese_throughout_where_that_is_asked() {
    let style = Style { colour: false, width: Some(60), locale: Locale::Ja };
    let texts: String = reports().iter().map(|report| text(report, &style)).collect();
    // A key without words would stand there as itself.
    assert!(!texts.contains("text-"), "{texts}");
    for word in [
        "不合格",
        "ポリシー",
        "[エラー]",
        "場所:",
        "要件:",
        "対処:",
        "ルール: 合格 1 件、情報 1 件、判定不能 1 件",
        "(LNX-04)",
    ] {
        assert!(texts.contains(word), "{word} in {texts}");
    }
    for word in ["where:", "required:", "fix:", "rules:", "platform", "policy ", " passed"] {
        assert!(!texts.contains(word), "{word} in {texts}");
    }
    for line in texts.lines().filter(|line| line.starts_with("      ")) {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= 60, "{line}");
    }
}

#[test]
fn the_tool_is_told_what_was_tested_and_readers_of_sarif_what_to_do() {
    let reports = reports();
    let category = |report| {
        let document: Value = serde_json::from_str(&self_test(report, "11/26/2026 00:00:00")).expect("JSON");
        document["AppCertificationCategory"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(category(&reports[0]), "Container Image Certification");
    assert_eq!(category(&reports[2]), "Microsoft Single VM Certification");
    let mut passed = reports[0].clone();
    passed.checks.push(Check {
        rule: "CTR-24".to_owned(),
        test_id: String::new(),
        title: "User".to_owned(),
        result: "passed".to_owned(),
        observed: "app".to_owned(),
        required: String::new(),
    });
    let tests: Value = serde_json::from_str(&self_test(&passed, "11/26/2026 00:00:00")).expect("JSON");
    let user =
        tests["Tests"].as_array().and_then(|tests| tests.iter().find(|test| test["TestID"] == "CTR-24"));
    assert_eq!(user.map(|test| &test["Description"]), Some(&json!("a user other than root")), "{tests}");
    let document: Value = serde_json::from_str(&sarif(&reports, "1.0.0", Locale::En)).expect("JSON");
    let rules = document["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
    let help = |id: &str| rules.iter().find(|rule| rule["id"] == id).map(|rule| rule["help"]["text"].clone());
    assert!(
        help("CTR-21").is_some_and(|text| text.as_str().is_some_and(|text| !text.is_empty())),
        "{rules:?}"
    );
}

#[test]
fn a_rule_is_counted_once_and_a_check_that_passed_says_no_fault() {
    let mut report = reports()[2].clone();
    let mut check = report.checks[0].clone();
    (check.rule, check.result, check.title) = ("LNX-14".into(), "warning".into(), "Users".into());
    report.checks = vec![check.clone()];
    (check.rule, check.result, check.title) = ("CTR-24".into(), "passed".into(), "User".into());
    report.checks.push(check);
    let mut finding = report.findings[0].clone();
    (finding.rule, finding.severity) = ("LNX-14-ADVICE".into(), Severity::Warning);
    report.findings = vec![finding.clone()];
    (finding.rule, finding.severity) = ("INC-06".into(), Severity::Inconclusive);
    report.findings.push(finding);
    let style = Style { colour: false, width: None, locale: Locale::En };
    let told = text(&report, &style);
    assert!(told.contains("rules: 1 passed, 1 with a warning, 1 inconclusive (INC-06)"), "{told}");
    let pages = [Locale::En, Locale::Ja].map(|locale| html(std::slice::from_ref(&report), locale));
    assert!(pages[0].contains("CTR-24<br>User</th>") && !pages[0].contains("Runs as root"));
    assert!(!pages[1].contains("root として実行されます"));
}

#[test]
fn what_was_seen_is_told_in_the_language_of_the_reader() {
    let mut report = reports()[2].clone();
    let (english, japanese) = ("no advisories for Debian:12", "Debian:12 の脆弱性情報がありません");
    let mut finding = report.findings[0].clone();
    (finding.rule, finding.observed) = ("INC-06".into(), english.into());
    report.findings = vec![finding];
    report.checks[1].observed = "No. of Swap Partitions: 0".into();
    let style = |locale| Style { colour: false, width: None, locale };
    let all = std::slice::from_ref(&report);
    let told = [
        text(&report, &style(Locale::Ja)),
        html(all, Locale::Ja),
        sarif(all, "1.0.0", Locale::Ja),
        junit(all, Locale::Ja),
    ];
    assert!(told.iter().all(|told| told.contains(japanese)), "{told:?}");
    // By the fingerprint a finding is known in any language.
    assert!(told.iter().all(|told| !told.contains(english)), "{told:?}");
    assert!(told[1].contains("スワップ パーティション数: 0"), "{}", told[1]);
    let english_alone = [
        text(&report, &style(Locale::En)),
        html(all, Locale::En),
        sarif(all, "1.0.0", Locale::En),
        junit(all, Locale::En),
        self_test(&report, "11/26/2026 00:00:00"),
    ];
    assert!(english_alone.iter().all(|told| told.contains(english) && !told.contains(japanese)));
}

#[test]
fn the_schema_takes_both_kinds_of_documents_and_refuses_what_is_neither() {
    for document in [image("pass", &[]), disk("inconclusive", "inconclusive")] {
        let document: Value = serde_json::from_str(&document).expect("JSON");
        valid(SCHEMA, &document).expect("valid");
        for (key, value) in
            [("outcome", json!("ok")), ("subject", json!("sha256:1")), ("findings", json!([{"rule": "X"}]))]
        {
            let mut wrong = document.clone();
            wrong[key] = value;
            assert!(valid(SCHEMA, &wrong).is_err(), "{key}");
        }
        let mut neither = document.clone();
        neither.as_object_mut().expect("an object").retain(|key, _| key != "images" && key != "checks");
        assert!(valid(SCHEMA, &neither).is_err());
    }
}

#[test]
fn a_document_of_another_schema_or_half_a_document_is_not_shown() {
    let other = image("pass", &[]).replace("verdict/1", "verdict/2");
    assert!(matches!(Report::parse("x", &other), Err(ReportError::Schema(_))));
    let half = image("pass", &[finding("X-1", "fatal")]);
    assert!(matches!(Report::parse("x", &half), Err(ReportError::Part("findings"))));
    assert!(matches!(Report::parse("x", "{"), Err(ReportError::Json(_))));
}

#[test]
fn tests_of_the_tool_come_first_and_other_findings_last() {
    let read = |outcome: &str, result: &str| -> Value {
        let report = Report::parse("x", &disk(outcome, result)).expect("reads");
        serde_json::from_str(&self_test(&report, "11/26/2026 00:00:00")).expect("JSON")
    };
    let document = read("findings", "error");
    assert_eq!(document["TestResult"], "Fail");
    let tests = document["Tests"].as_array().expect("tests");
    let ids: Vec<&str> = tests.iter().filter_map(|t| t["TestID"].as_str()).collect();
    assert_eq!(ids, ["41", "VHD-01", "LNX-05", "CTR-20"]);
    assert_eq!(document["Tests"][0]["Result"], "Failed");
    assert_eq!(document["KernelVersion"], "6.1.0");
    let document = read("inconclusive", "inconclusive");
    assert_eq!(document["TestResult"], "Inconclusive");
    assert_eq!(document["Tests"][0]["Result"], "Inconclusive");
    assert_eq!(read("pass", "warning")["Tests"][0]["Result"], "Warning");
}

#[test]
fn findings_that_differ_in_their_places_only_stand_in_one_row() {
    let at = |path: &str, observed: &str| json!({"rule": "CTR-20", "severity": "error", "path": path, "observed": observed, "required": "r", "fix": "f"});
    let found = [at("a/one", "x"), at("b/other", "y"), at("c/two", "x")];
    let report = Report::parse(&digest('9'), &image("findings", &found)).expect("reads");
    let groups: Vec<usize> = report.grouped().iter().map(Vec::len).collect();
    assert_eq!((groups, report.by_weight().len()), (vec![2, 1], 3));
    let page = html(&[report], Locale::En);
    assert_eq!(page.matches("<td class=\"error\">").count(), 2);
    // In the same layer as the one above it, a place is a path.
    let at = |path: &str, layer: char| {
        json!({
            "rule": "CTR-20", "severity": "error", "layer": digest(layer), "path": path, "observed": "x", "required": "",
            "fix": "",
        })
    };
    let found = [at("a", '1'), at("b", '1'), at("c", '2')];
    let layers = Report::parse("x", &image("findings", &found)).expect("reads");
    let layers = html(&[layers], Locale::En);
    for place in [format!("{} a", digest('1')), "b".to_owned(), format!("{} c", digest('2'))] {
        assert_eq!(layers.matches(&format!("<code class=\"place\">{place}</code>")).count(), 1, "{place}");
    }
    for path in ["a/one", "b/other", "c/two"] {
        assert_eq!(page.matches(&format!("<code class=\"place\">{path}</code>")).count(), 1, "{page}");
    }
    // A digest is no heading.
    assert!(page.contains("<h2>Container image</h2>"), "{page}");
}

#[test]
fn a_line_is_told_behind_its_file_and_no_finding_is_another_because_its_line_or_layer_is() {
    let at = |line: u32, layer: char| {
        let found = json!({
            "rule": "CTR-21", "severity": "error", "layer": digest(layer), "path": "etc/app.conf", "line": line,
            "observed": "x", "required": "r", "fix": "f",
        });
        valid(SCHEMA, &serde_json::from_str(&image("findings", std::slice::from_ref(&found))).expect("JSON"))
            .unwrap_or_else(|error| panic!("{error}"));
        Report::parse("x", &image("findings", &[found])).expect("reads")
    };
    let report = at(12, '1');
    let style = Style { colour: false, width: None, locale: Locale::En };
    let all = std::slice::from_ref(&report);
    for told in [text(&report, &style), html(all, Locale::En), junit(all, Locale::En), self_test(&report, "")]
    {
        assert!(told.contains("etc/app.conf:12"), "{told}");
    }
    let [told, moved] = [&report, &at(13, '2')].map(|report| {
        let log = sarif(std::slice::from_ref(report), "1.0.0", Locale::En);
        let log: Value = serde_json::from_str(&log).expect("JSON");
        log["runs"][0]["results"][0].clone()
    });
    let physical = &told["locations"][0]["physicalLocation"];
    assert_eq!(
        (&physical["artifactLocation"]["uri"], &physical["region"]["startLine"]),
        (&json!("etc/app.conf"), &json!(12))
    );
    assert_eq!(told["partialFingerprints"], moved["partialFingerprints"]);
}

#[test]
fn the_newest_advisory_is_told_to_the_second() {
    let text = |newest: &str| image("pass", &[]).replace("2026-11-20", newest);
    for (newest, told) in [
        ("2026-11-20T08:12:33.123456789Z", "2026-11-20T08:12:33Z"),
        ("2026-11-20T08:12:33Z", "2026-11-20T08:12:33Z"),
        ("2026-11-20T08:12:33.12x", "2026-11-20T08:12:33.12x"),
        ("", &digest('c')),
    ] {
        assert_eq!(Report::parse("x", &text(newest)).expect("reads").advisories, told);
    }
    let none = text("").replace(&digest('c'), "");
    assert_eq!(Report::parse("x", &none).expect("reads").advisories, "");
}

#[test]
fn what_a_policy_pack_lets_pass_unknown_fails_no_build() {
    for (outcome, errors) in [("pass", 0), ("inconclusive", 2)] {
        let mut verdict: Value = serde_json::from_str(&disk(outcome, "inconclusive")).expect("JSON");
        verdict["findings"] = json!([]);
        let report = Report::parse("x", &verdict.to_string()).expect("reads");
        let document = junit(&[report], Locale::En);
        assert!(document.contains(&format!("errors=\"{errors}\"")), "{outcome}: {document}");
    }
}
