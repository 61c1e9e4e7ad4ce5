use super::*;
use proptest::prelude::*;

const OPENVEX: &str = r#"{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.org/vex-1", "author": "A. Author",
    "timestamp": "2026-01-08T18:02:03Z", "version": 1, "statements": [{"vulnerability": {"name": "CVE-2026-1", "aliases": ["GHSA-1"]},
    "products": [{"@id": "pkg:oci/app@sha256%3Aaa", "hashes": {"sha-256": "bb"}, "subcomponents": [{"@id": "pkg:deb/debian/zlib"}]}],
    "status": "not_affected", "justification": "vulnerable_code_not_present", "expires": "2026-06-30"}]}"#;

const CYCLONEDX: &str = r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"timestamp": "2026-02-01T00:00:00Z",
    "authors": [{"name": "B. Author"}]}, "components": [{"type": "library", "bom-ref": "z", "purl": "pkg:deb/debian/zlib@1.2"}],
    "vulnerabilities": [{"id": "CVE-2026-1", "analysis": {"state": "not_affected", "justification": "code_not_reachable",
    "detail": "only reads"}, "affects": [{"ref": "z"}], "properties": [{"name": "mercat:expires", "value": "2026-06-30"}]}]}"#;

fn subject<'a>(digests: &'a [String], purl: &'a str) -> Subject<'a> {
    Subject { digests, purl }
}

#[test]
fn openvex_statements_read_and_match_by_digest_and_part() {
    let statements = read(OPENVEX.as_bytes()).expect("reads");
    let names = ["GHSA-1".to_owned()];
    let digests = ["sha256:bb".to_owned()];
    let zlib = "pkg:deb/debian/zlib@1.2?arch=amd64";
    assert!(statements[0].is_about(&names, &subject(&digests, zlib)));
    assert!(!statements[0].is_about(&names, &subject(&digests, "pkg:deb/debian/bash@5")));
    assert!(!statements[0].is_about(&names, &subject(&["sha256:cc".to_owned()], zlib)));
    assert!(!statements[0].is_about(&["CVE-2026-2".to_owned()], &subject(&digests, zlib)));
    let claim = "A. Author claims not_affected: vulnerable_code_not_present (2026-01-08)";
    assert_eq!(statements[0].text(), claim);
    assert!(!statements[0].is_over(Day::parse("2026-06-30")));
    assert!(statements[0].is_over(Day::parse("2026-07-01")));
    assert!(!statements[0].is_over(None));
}

#[test]
fn cyclonedx_statements_read_and_match_by_package_url() {
    let statements = read(CYCLONEDX.as_bytes()).expect("reads");
    let names = ["CVE-2026-1".to_owned()];
    assert!(statements[0].is_about(&names, &subject(&[], "pkg:deb/debian/zlib@1.2?arch=amd64")));
    assert!(!statements[0].is_about(&names, &subject(&[], "pkg:deb/debian/zlib@1.3")));
    assert_eq!(
        statements[0].text(),
        "B. Author claims not_affected: code_not_reachable: only reads (2026-02-01)"
    );
    assert_eq!(statements[0].expires, Day::parse("2026-06-30"));
}

#[test]
fn not_affected_without_a_reason_is_refused() {
    let text = OPENVEX.replace(r#""justification": "vulnerable_code_not_present","#, "");
    assert!(
        read(text.as_bytes())
            .expect_err("is refused")
            .to_string()
            .starts_with("VEX-13: statement 1: not_affected")
    );
    let text = text.replace("\"not_affected\"", r#""not_affected", "impact_statement": "not built in""#);
    assert_eq!(read(text.as_bytes()).expect("reads")[0].reason, "not built in");
    for (document, known) in [(OPENVEX, "vulnerable_code_not_present"), (CYCLONEDX, "code_not_reachable")] {
        assert!(read(document.replace(known, "trust_me").as_bytes()).is_err());
    }
    let text = CYCLONEDX
        .replace(r#""justification": "code_not_reachable","#, "")
        .replace(r#""detail": "only reads""#, r#""detail": """#);
    assert!(read(text.as_bytes()).expect_err("is refused").to_string().contains("not_affected needs"));
}

#[test]
fn other_documents_are_refused_by_code() {
    let code = |text: &str| read(text.as_bytes()).expect_err("is refused").to_string();
    assert!(code("{").starts_with("VEX-11"));
    assert!(code("{}").starts_with("VEX-12"));
    for nobody in ["", "\u{200b}", "\u{202e} "] {
        assert!(code(&OPENVEX.replace("A. Author", nobody)).starts_with("VEX-13"));
    }
    for other in ["/nsEVIL", "/ns/v9.9.9", "/ns/v0.2", "/ns/v0.2.x"] {
        assert!(code(&OPENVEX.replace("/ns/v0.2.0", other)).starts_with("VEX-12"), "{other}");
    }
    assert!(read(OPENVEX.replace("/ns/v0.2.0", "/ns").as_bytes()).is_ok());
    assert!(code(&OPENVEX.replace("2026-06-30", "soon")).contains("expires"));
}

#[test]
fn statements_of_cyclonedx_are_about_no_more_than_they_name() {
    let of = |affects: &str, component: &str| {
        let text = CYCLONEDX
            .replace(r#"{"ref": "z"}"#, affects)
            .replace(r#""purl": "pkg:deb/debian/zlib@1.2""#, component);
        let statements = read(text.as_bytes()).map_err(|error| error.to_string())?;
        let names = ["CVE-2026-1".to_owned()];
        Ok::<bool, String>(statements[0].is_about(&names, &subject(&[], "pkg:deb/debian/zlib@1.2")))
    };
    let zlib = r#""purl": "pkg:deb/debian/zlib""#;
    for (affects, component, expected) in [
        (r#"{"ref": "z"}"#, zlib, true),
        (r#"{"ref": "z"}"#, r#""version": "1.2", "purl": "pkg:deb/debian/zlib""#, true),
        (r#"{"ref": "z"}"#, r#""version": "1.3", "purl": "pkg:deb/debian/zlib""#, false),
        (r#"{"ref": "z", "versions": [{"version": "1.2", "status": "unaffected"}]}"#, zlib, true),
        (r#"{"ref": "z", "versions": [{"version": "1.3", "status": "unaffected"}]}"#, zlib, false),
        (r#"{"ref": "z", "versions": [{"version": "1.2", "status": "affected"}]}"#, zlib, false),
        (r#"{"ref": "z", "versions": [{"version": "1.2"}]}"#, zlib, false),
        (r#"{"ref": "z", "versions": [{"range": "vers:deb/>=1.0", "status": "unaffected"}]}"#, zlib, false),
    ] {
        assert_eq!(of(affects, component), Ok(expected), "{affects} {component}");
    }
    for affects in ["{}", r#"{"ref": 7}"#, r#"{"ref": ""}"#] {
        assert!(of(affects, zlib).expect_err("is refused").contains("has no ref"), "{affects}");
    }
    let long = |end: &str| format!("{}{end}", "z".repeat(TEXT_CHARS_MAX));
    let reference = format!(r#"{{"ref": "{}"}}"#, long("a"));
    let twins = CYCLONEDX.replace(r#""bom-ref": "z""#, &format!(r#""bom-ref": "{}""#, long("b")));
    let statements = read(twins.replace(r#"{"ref": "z"}"#, &reference).as_bytes()).expect("reads");
    assert!(statements[0].products[0].purls.is_empty(), "another name that begins alike");
    let again = r#""components": [{"bom-ref": "z", "purl": "pkg:deb/debian/zlib@1.2"}, "#;
    assert!(read(CYCLONEDX.replace(r#""components": ["#, again).as_bytes()).is_ok());
    let twice = CYCLONEDX.replace(r#""components": ["#, r#""components": [{"bom-ref": "z"}, "#);
    assert!(read(twice.as_bytes()).expect_err("is refused").to_string().contains("same bom-ref"));
}

proptest! {
    #[test]
    fn no_mutation_of_a_document_makes_the_readers_panic(at in 0..2_000_usize, cut in 0..60_usize, odd in "[\\[\\]{}\":,a%@0-9]{0,4}", first: bool) {
        let text = if first { OPENVEX } else { CYCLONEDX };
        let at = at % text.len();
        let end = (at + cut).min(text.len());
        let mutated = format!("{}{odd}{}", &text[..at], &text[end..]);
        for statement in read(mutated.as_bytes()).unwrap_or_default() {
            let _ = statement.is_about(&["CVE-2026-1".to_owned()], &subject(&[], "pkg:deb/debian/zlib@1.2"));
        }
    }

    #[test]
    fn package_urls_of_any_kind_do_not_make_matching_panic(a in "(pkg:)?.{0,40}", b in "pkg:[a-z%@/?#&=.0-9é]{0,40}") {
        let product = Product { purls: vec![a.clone(), b.clone()], ..Product::default() };
        let of_parts = Product { parts: Some(vec![b.clone()]), ..product.clone() };
        let of_versions = product.clone().of_versions(std::slice::from_ref(&a));
        for product in [product, of_parts, of_versions] {
            let _ = (product.matches(&subject(&[], &a), true), product.matches(&subject(&[], &b), false));
        }
    }
}

#[test]
fn a_date_that_is_none_is_refused_and_one_that_is_missing_is_not_known() {
    let openvex = |of_document: &str, of_statement: &str| {
        let text = format!(
            r#"{{"@context": "https://openvex.dev/ns/v0.2.0", "author": "A"{of_document}, "statements": [{{"vulnerability": {{"name": "CVE-1"}},
            "products": [{{"@id": "pkg:npm/a"}}], "status": "not_affected", "justification": "component_not_present"{of_statement}}}]}}"#
        );
        read(text.as_bytes()).map(|statements| statements[0].day)
    };
    let cyclonedx = |of_document: &str, of_statement: &str| {
        let text = format!(
            r#"{{"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {{"authors": [{{"name": "A"}}]{of_document}}},
            "vulnerabilities": [{{"id": "CVE-1", "analysis": {{"state": "not_affected", "justification": "code_not_present"{of_statement}}},
            "affects": [{{"ref": "pkg:npm/a"}}]}}]}}"#
        );
        read(text.as_bytes()).map(|statements| statements[0].day)
    };
    let day = Day::parse("2026-06-30");
    assert_eq!((openvex("", ""), cyclonedx("", "")), (Ok(None), Ok(None)));
    let good = r#", "timestamp": "2026-06-30T10:00:00Z""#;
    assert_eq!((openvex(good, ""), cyclonedx(good, "")), (Ok(day), Ok(day)));
    assert_eq!(
        (openvex("", good), cyclonedx("", r#", "lastUpdated": "2026-06-30T10:00:00Z""#)),
        (Ok(day), Ok(day))
    );
    let refused = Err(VexError::Statement { at: 1, why: "its timestamp is no date" });
    for bad in ["\"yesterday\"", "\"2026-02-31T10:00:00Z\"", "\"12/31/2027\"", "1796069062", "null"] {
        let of = |key: &str| format!(r#", "{key}": {bad}"#);
        assert_eq!(openvex(&of("timestamp"), good), refused, "{bad}");
        assert_eq!(openvex(good, &of("last_updated")), refused, "{bad}");
        assert_eq!(cyclonedx(&of("timestamp"), ""), refused, "{bad}");
        assert_eq!(cyclonedx(good, &of("firstIssued")), refused, "{bad}");
    }
}
