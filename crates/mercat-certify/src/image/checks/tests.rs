use super::*;
use crate::LayerFacts;
use crate::advisories::Advisories;
use crate::verdict::{FilesReport, LayerReport};
use crate::{Extra, Policy};
use mercat_domain::finding::Place;
use std::collections::BTreeMap;

fn knowledge(policy: String) -> Knowledge {
    let extra = Extra { policy, ..Extra::default() };
    Knowledge::load(&extra, Advisories::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn report() -> ImageReport {
    let layer = LayerReport {
        digest: String::new(),
        diff_id: String::new(),
        packed_bytes: 0,
        files: 1,
        file_bytes: 5,
        scanned_bytes: 5,
        nested_bytes: 2,
        nested_scanned_bytes: 2,
    };
    ImageReport {
        platform: "linux/amd64".to_owned(),
        manifest: String::new(),
        layers: vec![layer],
        packages: 2,
        components: 1,
        sbom: String::new(),
        spdx: String::new(),
        files: FilesReport::of(&crate::files::whole::Whole::default()),
        labels: Vec::new(),
    }
}

/// How each check comes out of findings: rule and result, and what was seen where it is that.
fn results(findings: &[(&str, Severity)], knowledge: &Knowledge) -> BTreeMap<String, String> {
    let finding = |(rule, severity): &(&str, Severity)| Finding {
        rule: (*rule).to_owned(),
        severity: *severity,
        place: Place::default(),
        observed: String::new(),
        required: String::new(),
        fix: String::new(),
    };
    let findings: Vec<Finding> = findings.iter().map(finding).collect();
    let checks = of((&[], &Facts::new()), &[report()], (&findings, &unknown(&findings)), knowledge);
    assert_eq!(checks.len(), SOUGHT.len());
    for check in &checks {
        let seen = check.observed == "1 layer, 7 bytes scanned, 3 packages";
        assert_eq!(seen, check.result == "passed", "{check:?}");
    }
    checks.into_iter().map(|check| (check.rule, check.result)).collect()
}

#[test]
fn nothing_passes_over_what_was_not_seen() {
    let knowledge = knowledge(String::new());
    let clean = results(&[], &knowledge);
    assert!(clean.values().all(|result| result == "passed"), "{clean:?}");
    let expected = |others: &[(&str, &str)], otherwise: &str| -> BTreeMap<String, String> {
        let result =
            |rule: &str| others.iter().find(|(other, _)| *other == rule).map_or(otherwise, |(_, r)| r);
        SOUGHT.iter().map(|(rule, ..)| ((*rule).to_owned(), result(rule).to_owned())).collect()
    };
    let documents = [("CTR-13", "passed"), ("CTR-24", "passed"), ("CTR-28", "passed")];
    // Bytes that a scanner did not see.
    let blind = results(&[("INC-02", Severity::Inconclusive)], &knowledge);
    assert_eq!(blind, expected(&documents, "inconclusive"));
    assert_eq!(results(&[("INC-03", Severity::Warning)], &knowledge), blind, "a pack that only warns");
    // What was found is found all the same; a warning says nothing about the rest.
    let found =
        [("INC-02", Severity::Inconclusive), ("CTR-20", Severity::Error), ("CTR-33", Severity::Warning)];
    let mut others = documents.to_vec();
    others.push(("CTR-20", "error"));
    assert_eq!(results(&found, &knowledge), expected(&others, "inconclusive"));
    // Without advisories, and also where the policy pack only warns that some are missing.
    for missing in
        [("INC-06", Severity::Inconclusive), ("INC-18", Severity::Warning), ("PKG-07", Severity::Warning)]
    {
        assert_eq!(results(&[missing], &knowledge), expected(&[("CTR-22", "inconclusive")], "passed"));
    }
    assert_eq!(
        results(&[("CTR-33", Severity::Warning), ("CTR-21-PKG", Severity::Info)], &knowledge),
        expected(&[("CTR-33", "warning")], "passed")
    );
}

#[test]
fn a_layer_that_was_refused_or_is_missing_was_not_seen() {
    let knowledge = knowledge(String::new());
    let digest = crate::digest_of(b"layer");
    let key = facts_key(&digest, None, &knowledge.engine_digest());
    let descriptor = mercat_artifact::oci::Descriptor {
        media_type: String::new(),
        digest,
        size: 5,
        platform: None,
        annotations: Vec::new(),
    };
    let image = Image {
        manifest: crate::digest_of(b"manifest"),
        platform: String::new(),
        attestation: false,
        config: mercat_artifact::oci::Config::default(),
        layers: vec![super::super::Layer { descriptor, compression: None }],
    };
    let result = |facts: Option<LayerFacts>| {
        let facts = BTreeMap::from([(key.clone(), facts)]);
        let checks =
            of((std::slice::from_ref(&image), &facts), &[report()], (&[], &BTreeSet::new()), &knowledge);
        checks.into_iter().find(|check| check.rule == "CTR-20").map(|check| check.result)
    };
    let read = LayerFacts { blob: "sha256:0".to_owned(), ..LayerFacts::default() };
    assert_eq!(result(Some(read.clone())).as_deref(), Some("passed"));
    assert_eq!(result(Some(LayerFacts { refused: true, ..read })).as_deref(), Some("inconclusive"));
    assert_eq!(result(Some(LayerFacts::default())).as_deref(), Some("inconclusive"));
    assert_eq!(result(None).as_deref(), Some("inconclusive"));
}

#[test]
fn what_a_policy_pack_turns_off_is_off() {
    let policy = Policy::built_in().replace("CTR-28 = \"warning\"", "CTR-28 = \"off\"");
    assert_ne!(policy, Policy::built_in());
    assert_eq!(results(&[], &knowledge(policy))["CTR-28"], "off");
}

#[test]
fn without_an_image_nothing_was_checked() {
    assert_eq!(of((&[], &Facts::new()), &[], (&[], &BTreeSet::new()), &knowledge(String::new())), []);
}
