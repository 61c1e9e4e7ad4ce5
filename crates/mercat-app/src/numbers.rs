//! What charts are drawn of.

use crate::{App, AppError};
use mercat_domain::Millis;
use mercat_domain::lead::LeadKind;
use mercat_domain::run::Step;
use mercat_store::{
    DeploymentRow, LeadRow, OfferRow, ProgressRow, Query, ReportRow, TaskView, TimingRow, find, list, load,
};
use std::collections::{BTreeMap, BTreeSet};

/// Rows that are read for a chart, the newest.
const ROWS_MAX: u32 = 1000;

/// When customers did something with a publisher's offers.
#[derive(Debug, Default)]
pub struct Happened {
    /// Asked for one.
    pub leads: Vec<Millis>,
    /// Deployed one.
    pub deployed: Vec<Millis>,
    /// Tried to.
    pub broken: Vec<Millis>,
}

impl App {
    /// The newest steps that ended, of a publisher or of all, newest first.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn timings(&self, publisher: Option<&str>) -> Result<Vec<TimingRow>, AppError> {
        let index = publisher.map(|publisher| ("publisher", publisher.to_owned()));
        let query = Query { index, limit: ROWS_MAX, newest_first: true, ..Query::default() };
        let rows = list::<TimingRow>(&*self.ledger, query).await?;
        Ok(rows.into_iter().map(|row| row.row).collect())
    }

    /// What happened to a publisher's offers.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn happened(&self, publisher: &str) -> Result<Happened, AppError> {
        let mut out = Happened::default();
        for offer in find::<OfferRow>(&*self.ledger, "publisher", publisher).await? {
            let key = format!("{}/{}", offer.row.publisher, offer.row.offer);
            let leads = find::<LeadRow>(&*self.ledger, "offer", &key).await?;
            let asked = leads.into_iter().filter(|lead| lead.row.kind != LeadKind::Test.name());
            out.leads.extend(asked.map(|lead| lead.row.at));
            for found in find::<DeploymentRow>(&*self.ledger, "offer", &key).await? {
                let list = if found.row.success { &mut out.deployed } else { &mut out.broken };
                list.push(found.row.at);
            }
        }
        Ok(out)
    }

    /// What blocks most often in the newest reports: rules with their counts, the most frequent first.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn blocking_rules(&self) -> Result<Vec<(String, usize)>, AppError> {
        let query = Query { limit: ROWS_MAX, newest_first: true, ..Query::default() };
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for report in list::<ReportRow>(&*self.ledger, query).await? {
            let blocks = |severity: &str| matches!(severity, "error" | "inconclusive");
            for finding in report.row.findings.into_iter().filter(|row| blocks(&row.severity)) {
                *counts.entry(finding.rule).or_default() += 1;
            }
        }
        let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Ok(counts)
    }

    /// How many submissions wait for a copy in each region, of those with a task among these.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn behind(&self, tasks: &[TaskView]) -> Result<BTreeMap<String, usize>, AppError> {
        // Each region stands there, also the one that nothing waits for.
        let regions = self.settings.regions.iter();
        let mut counts: BTreeMap<String, usize> = regions.map(|region| (region.clone(), 0)).collect();
        let runs: BTreeSet<&str> = tasks.iter().map(|task| task.run.as_str()).collect();
        for run in runs.into_iter().filter(|run| !run.is_empty()) {
            for step in [Step::Provision, Step::Package, Step::ProvisionProd, Step::Live] {
                let progress = load::<ProgressRow>(&*self.ledger, &format!("{run}/{}", step.name())).await?;
                let parts = progress.into_iter().flat_map(|found| found.row.parts);
                for part in parts.filter(|part| !part.complete) {
                    if let Some(count) = counts.get_mut(&part.name) {
                        *count += 1;
                    }
                }
            }
        }
        Ok(counts)
    }
}

/// From the first step's beginning to the open preview: when it opened and how long that took, of each submission that
/// came so far, in the order of their ids (oldest first).
pub fn to_preview(rows: &[TimingRow]) -> Vec<(Millis, Millis)> {
    let mut begun: BTreeMap<&str, Millis> = BTreeMap::new();
    let mut open: BTreeMap<&str, Millis> = BTreeMap::new();
    for row in rows {
        if row.step == Step::Validate.name() {
            begun.insert(&row.submission, row.began);
        }
        if row.step == Step::Preview.name() {
            open.insert(&row.submission, row.ended);
        }
    }
    open.into_iter().filter_map(|(id, open)| Some((open, open - begun.get(id)?))).collect()
}
