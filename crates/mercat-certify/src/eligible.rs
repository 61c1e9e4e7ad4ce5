//! The end of an inspection: the operator's rules over the composed document.

use crate::{Knowledge, Verdict};
use mercat_domain::Finding;
use mercat_domain::Severity;
use mercat_domain::finding::Place;
use std::collections::BTreeSet;

/// Judges a composed verdict by the operator's rules, once, and notes which findings are recorded only. `listing` is
/// the JSON of the offer's fields. A policy that could not be evaluated is `INC-14`, and nothing of it counts.
pub fn finish(verdict: &mut Verdict, knowledge: &Knowledge, listing: Option<&str>) {
    let policies = &knowledge.eligibility;
    let mut shadow: BTreeSet<String> = verdict
        .findings
        .iter()
        .filter(|finding| knowledge.policy.is_shadow(&finding.rule))
        .map(|finding| finding.rule.clone())
        .collect();
    verdict.eligibility = Some((policies.digest().to_string(), policies.names().to_vec()));
    match policies.judge(&verdict.to_json(), listing) {
        Ok(found) => {
            shadow.extend(found.iter().filter(|found| found.shadow).map(|found| found.finding.rule.clone()));
            verdict.findings.extend(found.into_iter().map(|found| found.finding));
        }
        Err(error) => verdict.findings.extend(
            knowledge.policy.weigh(Finding {
                rule: "INC-14".to_owned(),
                severity: Severity::Inconclusive,
                place: Place::default(),
                observed: error.to_string(),
                required: "an eligibility policy that ends with a set of findings".to_owned(),
                fix: "nothing to do for the publisher: the operator of this server must repair the policy"
                    .to_owned(),
            }),
        ),
    }
    verdict.findings.sort();
    verdict.shadow = shadow.into_iter().collect();
}
