//! Numbers for publishers and for the operator, as charts with their tables.

use super::chart::{Chart, Column, Series};
use super::{Answer, Frame, fail, show};
use crate::Site;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mercat_app::AppError;
use mercat_domain::calendar::DAY;
use mercat_domain::lead::LeadKind;
use mercat_domain::run::{Measured, Step, StepStatus, itinerary, title_key};
use mercat_domain::{Millis, OfferKind};
use mercat_store::{
    DeploymentRow, LeadRow, OfferRow, ProgressRow, Query, ReportRow, TimingRow, find, list, load,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const WEEK: Millis = 7 * DAY;
const WEEKS: i64 = 12;
/// Rows that are read for a chart.
const ROWS_MAX: u32 = 1000;
/// Rules that a chart shows.
const RULES_SHOWN: usize = 10;

#[derive(Template)]
#[template(path = "numbers.html")]
struct Numbers {
    f: Frame,
    /// Empty for the operator's page.
    publisher: String,
    facts: Vec<(String, String)>,
    charts: Vec<String>,
}

/// The first instant of each of the last weeks, the oldest first; weeks begin on Mondays in UTC.
fn weeks(now: Millis) -> Vec<Millis> {
    // Day 0 of the epoch was a Thursday; the Monday before it is three days earlier.
    let this = (now + 3 * DAY).div_euclid(WEEK) * WEEK - 3 * DAY;
    (0..WEEKS).rev().map(|back| this - back * WEEK).collect()
}

/// How many of these instants lie in each week.
fn per_week(weeks: &[Millis], at: impl Iterator<Item = Millis>) -> Vec<usize> {
    let mut out = vec![0; weeks.len()];
    for at in at {
        if let Some(week) = weeks.iter().rposition(|week| *week <= at) {
            out[week] += 1;
        }
    }
    out
}

fn day(at: Millis) -> String {
    let at = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    at.strftime("%-m/%-d").to_string()
}

fn counts(
    f: &Frame,
    title: (&'static str, &str),
    weeks: &[Millis],
    parts: &[(&'static str, &str, Vec<usize>)],
) -> String {
    let series = parts.iter().map(|(tone, key, _)| Series { tone, words: f.t(key) }).collect();
    let column = |(at, week): (usize, &Millis)| Column {
        label: day(*week),
        values: parts.iter().map(|(.., counts)| (counts[at] as f64, counts[at].to_string())).collect(),
    };
    let columns = weeks.iter().enumerate().map(column).collect();
    let chart = Chart::new(f, (title.0, f.t(title.1)), series, columns, |value| format!("{value:.0}"));
    chart.render().unwrap_or_default()
}

async fn timings(site: &Site, publisher: Option<&str>) -> Result<Vec<TimingRow>, AppError> {
    let index = publisher.map(|publisher| ("publisher", publisher.to_owned()));
    let query = Query { index, limit: ROWS_MAX, newest_first: true, ..Query::default() };
    let rows = list::<TimingRow>(&*site.app.ledger, query).await?;
    Ok(rows.into_iter().map(|row| row.row).collect())
}

/// From the first step's beginning to the open preview, of each submission that came so far; oldest first.
fn to_preview(rows: &[TimingRow]) -> Vec<(Millis, Millis)> {
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

pub(super) async fn publisher(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(publisher): Path<String>,
) -> Answer {
    let f = Frame::new(&caller);
    let read = async {
        let rows = timings(&site, Some(&publisher)).await?;
        let now = site.app.ledger.now().await?;
        let (mut leads, mut deployed, mut broken) = (Vec::new(), Vec::new(), Vec::new());
        for offer in find::<OfferRow>(&*site.app.ledger, "publisher", &publisher).await? {
            let key = format!("{}/{}", offer.row.publisher, offer.row.offer);
            let found = find::<LeadRow>(&*site.app.ledger, "offer", &key).await?;
            leads.extend(
                found.into_iter().filter(|row| row.row.kind != LeadKind::Test.name()).map(|row| row.row.at),
            );
            for row in find::<DeploymentRow>(&*site.app.ledger, "offer", &key).await? {
                if row.row.success { deployed.push(row.row.at) } else { broken.push(row.row.at) }
            }
        }
        Ok::<_, AppError>((rows, now, leads, deployed, broken))
    };
    let (rows, now, leads, deployed, broken) = read.await.map_err(fail(&caller))?;
    let weeks = weeks(now);
    let certified = |status: StepStatus| {
        let of =
            rows.iter().filter(move |row| row.step == Step::Certify.name() && row.status == status.name());
        per_week(&weeks, of.map(|row| row.ended))
    };
    let (passed, failed) = (certified(StepStatus::Complete), certified(StepStatus::Blocked));
    let times = to_preview(&rows);
    let measured = Measured::of(times.iter().map(|(_, took)| *took).collect());
    let all: usize = passed.iter().chain(&failed).sum();
    let share = (passed.iter().sum::<usize>() * 100).checked_div(all);
    let facts = [
        share.map(|share| (f.t("ui-passed-share"), format!("{share} %"))),
        measured.map(|m| (f.t("ui-to-preview"), f.t1("ui-median", "span", &f.span(&m.median)))),
    ];
    let recent = times.iter().rev().take(30).rev();
    let columns =
        recent.map(|(at, took)| Column { label: day(*at), values: vec![(*took as f64, f.span(took))] });
    let series = vec![Series { tone: "a", words: f.t("ui-span") }];
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a chart's scale")]
    let span = |value: f64| f.span(&(value as Millis));
    let preview = Chart::new(&f, ("preview", f.t("ui-to-preview")), series, columns.collect(), span);
    let charts = vec![
        counts(
            &f,
            ("certified", "ui-chart-certified"),
            &weeks,
            &[("d", "ui-passed", passed), ("c", "ui-blocked", failed)],
        ),
        preview.render().unwrap_or_default(),
        counts(
            &f,
            ("deployed", "ui-chart-deployments"),
            &weeks,
            &[
                ("d", "ui-worked", per_week(&weeks, deployed.into_iter())),
                ("c", "ui-failed", per_week(&weeks, broken.into_iter())),
            ],
        ),
        counts(
            &f,
            ("leads", "ui-chart-leads"),
            &weeks,
            &[("a", "ui-leads", per_week(&weeks, leads.into_iter()))],
        ),
    ];
    let facts = facts.into_iter().flatten().collect();
    Ok(show(StatusCode::OK, &Numbers { f, publisher, facts, charts }))
}

/// Median and 90th percentile of each step of a kind.
async fn steps(site: &Site, f: &Frame, kind: OfferKind, id: &'static str) -> Result<String, AppError> {
    let measures = site.app.measures(kind).await?;
    let column = |step: &Step| {
        let measured = measures.get(step)?;
        let rest = (measured.p90 - measured.median).max(0);
        Some(Column {
            label: f.t(title_key(kind, *step)).chars().take(12).collect(),
            values: vec![
                (measured.median as f64, f.span(&measured.median)),
                (rest as f64, f.span(&measured.p90)),
            ],
        })
    };
    // A person's time is no measure of this server.
    let of = itinerary(kind).iter().filter(|step| !matches!(step, Step::Preview | Step::Signoff));
    let series = vec![
        Series { tone: "a", words: f.t("ui-median-word") },
        Series { tone: "b", words: f.t("ui-nine-in-ten") },
    ];
    let title = f.t1("ui-chart-steps", "kind", &f.word("ui-type", kind.name()));
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a chart's scale")]
    let span = |value: f64| f.span(&(value as Millis));
    let chart = Chart::new(f, (id, title), series, of.filter_map(column).collect(), span);
    Ok(chart.render().unwrap_or_default())
}

/// What blocks most often, in the newest reports.
async fn rules(site: &Site, f: &Frame) -> Result<String, AppError> {
    let query = Query { limit: ROWS_MAX, newest_first: true, ..Query::default() };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for report in list::<ReportRow>(&*site.app.ledger, query).await? {
        for finding in
            report.row.findings.iter().filter(|row| matches!(row.severity.as_str(), "error" | "inconclusive"))
        {
            *counts.entry(finding.rule.clone()).or_default() += 1;
        }
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let column = |(rule, count): (String, usize)| Column {
        label: rule,
        values: vec![(count as f64, count.to_string())],
    };
    let columns = counts.into_iter().take(RULES_SHOWN).map(column).collect();
    let series = vec![Series { tone: "c", words: f.t("ui-findings") }];
    let chart =
        Chart::new(f, ("rules", f.t("ui-chart-rules")), series, columns, |value| format!("{value:.0}"));
    Ok(chart.render().unwrap_or_default())
}

/// Submissions that wait for a copy in each region.
async fn behind(site: &Site, f: &Frame) -> Result<String, AppError> {
    // Each stands there, also the one that nothing waits for.
    let regions = site.app.settings.regions.iter();
    let mut counts: BTreeMap<String, usize> = regions.map(|region| (region.clone(), 0)).collect();
    let runs: BTreeSet<String> = site.app.ledger.tasks("").await?.into_iter().map(|task| task.run).collect();
    for run in runs.iter().filter(|run| !run.is_empty()) {
        for step in [Step::Provision, Step::Package, Step::ProvisionProd, Step::Live] {
            let progress = load::<ProgressRow>(&*site.app.ledger, &format!("{run}/{}", step.name())).await?;
            let parts = progress.into_iter().flat_map(|found| found.row.parts);
            for part in parts.filter(|part| !part.complete) {
                if let Some(count) = counts.get_mut(&part.name) {
                    *count += 1;
                }
            }
        }
    }
    let column = |(region, count): (String, usize)| Column {
        label: region,
        values: vec![(count as f64, count.to_string())],
    };
    let series = vec![Series { tone: "c", words: f.t("ui-submissions") }];
    let columns = counts.into_iter().map(column).collect();
    let title = ("behind", f.t("ui-chart-behind"));
    let chart = Chart::new(f, title, series, columns, |value| format!("{value:.0}"));
    Ok(chart.render().unwrap_or_default())
}

pub(super) async fn operator(State(site): State<Arc<Site>>, caller: Caller) -> Answer {
    let f = Frame::new(&caller);
    let read = async {
        let rows = timings(&site, None).await?;
        let now = site.app.ledger.now().await?;
        let containers = steps(&site, &f, OfferKind::Container, "containers").await?;
        let machines = steps(&site, &f, OfferKind::VirtualMachine, "machines").await?;
        let tasks = site.app.ledger.tasks("").await?;
        let due = tasks.iter().filter(|task| !task.leased && task.not_before <= now);
        let oldest = due.map(|task| now - task.not_before).max();
        let others = [rules(&site, &f).await?, containers, machines, behind(&site, &f).await?];
        Ok::<_, AppError>((rows, now, others, oldest))
    };
    let (rows, now, others, oldest) = read.await.map_err(fail(&caller))?;
    let weeks = weeks(now);
    let ended = |step: Step, status: StepStatus| {
        let of = rows.iter().filter(move |row| row.step == step.name() && row.status == status.name());
        per_week(&weeks, of.map(|row| row.ended))
    };
    let outcome = counts(
        &f,
        ("outcome", "ui-chart-certified"),
        &weeks,
        &[
            ("d", "ui-passed", ended(Step::Certify, StepStatus::Complete)),
            ("c", "ui-blocked", ended(Step::Certify, StepStatus::Blocked)),
        ],
    );
    let facts = oldest.map(|oldest| (f.t("ui-oldest"), f.span(&oldest))).into_iter().collect();
    let charts = std::iter::once(outcome).chain(others).collect();
    Ok(show(StatusCode::OK, &Numbers { f, publisher: String::new(), facts, charts }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_begin_on_mondays_and_every_instant_is_in_one() {
        let thursday = 1_764_201_600_000; // 2025-11-27T00:00:00Z
        let weeks = weeks(thursday);
        assert_eq!(weeks.len(), 12);
        assert_eq!(weeks.last(), Some(&(thursday - 3 * DAY)));
        let counted = per_week(&weeks, [thursday, thursday - 3 * DAY, thursday - 4 * DAY, 0].into_iter());
        assert_eq!((counted[11], counted[10], counted.iter().sum::<usize>()), (2, 1, 3));
    }
}
