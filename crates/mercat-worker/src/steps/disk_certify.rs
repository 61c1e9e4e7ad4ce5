//! Certification of one stored disk.

use super::boot::Tested;
use super::certify::{broken, is_whole, keep, of_plan, spool, verdict_name};
use super::{Ended, Extent, Work, boot};
use crate::{DiskSource, Inspector};
use mercat_app::{AppError, Report};
use mercat_certify::disk::{Claims, OpenPort, OsFamily, Protocol};
use mercat_certify::{Knowledge, Verdict};
use mercat_depot::Imported;
use mercat_domain::document::rows;
use mercat_domain::finding::{Finding, Severity};
use mercat_domain::offer::disk::of_reference;
use mercat_domain::{Digest, Plan};
use mercat_store::{Expect, PaperRow, load, put};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// What the plan says about one of its disks.
fn claims(plan: &Plan, reference: &str) -> Claims {
    let cell = |row: &std::collections::BTreeMap<String, String>, key: &str| {
        row.get(key).map_or_else(String::new, Clone::clone)
    };
    let disks = |row| cell(row, "dataDisks").split_whitespace().count();
    let versions = rows(&plan.fields, "versions");
    let (version, lun) = of_reference(reference).unwrap_or((reference, None));
    let at = versions.iter().position(|row| cell(row, "version") == version);
    let count = at.and_then(|at| versions.get(at)).map_or(0, disks);
    let before = at.and_then(|at| at.checked_sub(1)).and_then(|at| versions.get(at)).map(disks);
    let mut open_ports = BTreeSet::new();
    for row in rows(&plan.fields, "openPorts") {
        let protocols: &[Protocol] = match cell(row, "protocol").as_str() {
            "udp" => &[Protocol::Udp],
            "both" => &[Protocol::Tcp, Protocol::Udp],
            _ => &[Protocol::Tcp],
        };
        let range = cell(row, "port");
        let (low, high) = range.split_once('-').unwrap_or((&range, &range));
        if let (Ok(low), Ok(high)) = (low.trim().parse::<u16>(), high.trim().parse::<u16>()) {
            for protocol in protocols {
                open_ports.extend((low..=high).map(|port| OpenPort { port, protocol: *protocol }));
            }
        }
    }
    Claims {
        plan: plan.id.clone(),
        os_family: OsFamily::parse(plan.text("osFamily")),
        data_disk: lun.is_some(),
        data_disk_luns: (0..u32::try_from(count).unwrap_or(0)).collect(),
        data_disks_before: before,
        open_ports: open_ports.into_iter().collect(),
        no_remote_connection: plan.flag("noRemoteConnection"),
        supports_extensions: plan.flag("supportsExtensions"),
    }
}

/// A verdict holds for the same disk, claims, rules and advisories.
fn reuse_key(root: &Digest, claims: &Claims, knowledge: &Knowledge, inspector: &Inspector) -> String {
    let text = format!(
        "{root}\n{}\n{}\n{}",
        serde_json::to_string(claims).unwrap_or_default(),
        knowledge.verdict_digest(),
        inspector.said(knowledge),
    );
    format!("disk-verdict/{}", Digest::from_sha256(&Sha256::digest(text.as_bytes())))
}

pub(super) async fn one_disk(
    work: &Work<'_>,
    plan: &str,
    image: &Imported,
    knowledge: &Knowledge,
    (report, tested): (&mut Report, Option<&mut Tested>),
) -> Result<Result<Vec<Finding>, Ended>, AppError> {
    let Some(plan) = work.document.plan(plan) else { return Ok(Ok(Vec::new())) };
    let claims = claims(plan, &image.reference);
    let part = work.tracker.handle(&format!("{} {}", plan.id, image.reference));
    let inspector = of_plan(work, &plan.id, knowledge);
    let reuse = reuse_key(&image.digest, &claims, knowledge, &inspector);
    let ledger = &*work.worker.app.ledger;
    if let Some(kept) = load::<PaperRow>(ledger, &reuse).await?
        && let Some((_, findings)) = Verdict::findings_of(&kept.row.text)
        && is_whole(&findings)
    {
        report.layers_reused += 1;
        let name = verdict_name(report, image, &plan.id);
        let key = format!("verdict/{}/{name}", work.submission.id);
        let row = PaperRow { key: key.clone(), ..kept.row };
        report.writes.push(put(&row, Expect::Any));
        report.verdicts.insert(name, key);
        part.set(1, 1);
        return with_boot(work, &claims, image, (&row.text, findings), knowledge, (report, tested)).await;
    }
    let (depot, _spool) = match spool(work, image).await {
        Ok(found) => found,
        Err(why) => return Ok(Err(Ended::Wait { on: "wait-store", detail: why })),
    };
    let bytes = image.blobs.iter().map(|(_, size)| size).sum();
    let source = DiskSource::Stored { depot, root: image.digest.to_string(), bytes };
    let done = inspector.inspect_disk(&source, &claims, |done, total| part.set(done, total)).await;
    match done {
        Ok(inspection) => {
            report.layers_read += 1;
            let verdict = inspection.verdict.clone();
            let found = match keep(work, image, &plan.id, inspection, report).await? {
                Ok(found) => found,
                Err(waits) => return Ok(Err(waits)),
            };
            // The text itself, under everything that it depends on: a pointer could come to mean another.
            if work.extent == Extent::Whole && is_whole(&found) {
                let row = PaperRow { key: reuse, text: verdict.clone(), made: ledger.now().await? };
                report.writes.push(put(&row, Expect::Any));
            }
            with_boot(work, &claims, image, (&verdict, found), knowledge, (report, tested)).await
        }
        Err(error) => Ok(broken(work, &error)),
    }
}

/// Adds what the boot test finds, where it is asked for. A disk that has errors already is not started: they would be met again.
async fn with_boot(
    work: &Work<'_>,
    claims: &Claims,
    image: &Imported,
    (verdict, mut findings): (&str, Vec<Finding>),
    knowledge: &Knowledge,
    (report, tested): (&mut Report, Option<&mut Tested>),
) -> Result<Result<Vec<Finding>, Ended>, AppError> {
    let clean = !findings.iter().any(|finding| finding.severity >= Severity::Error);
    let Some(tested) = tested.filter(|_| clean && !claims.data_disk) else { return Ok(Ok(findings)) };
    if claims.os_family == Some(OsFamily::Windows) {
        findings.extend(boot::not_for_windows(claims, knowledge));
        return Ok(Ok(findings));
    }
    Ok(match boot::test(work, claims, image, verdict, knowledge, (report, tested)).await? {
        Ok(found) => {
            findings.extend(found);
            Ok(findings)
        }
        Err(waits) => Err(waits),
    })
}
