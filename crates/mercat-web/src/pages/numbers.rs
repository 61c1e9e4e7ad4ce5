//! Numbers for publishers and for the operator, as charts with their tables.

use super::chart::{Chart, Column, Labels, Series};
use super::{Answer, Frame, fail, show};
use crate::Site;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mercat_app::{AppError, to_preview};
use mercat_domain::calendar::{per_week, weeks};
use mercat_domain::run::{Measured, Step, StepStatus, itinerary, title_key};
use mercat_domain::{Millis, OfferKind};
use std::sync::Arc;

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
    let chart = Chart::new(f, (title.0, f.t(title.1)), series, (Labels::Days, columns), |value| {
        format!("{value:.0}")
    });
    chart.render().unwrap_or_default()
}

pub(super) async fn publisher(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(publisher): Path<String>,
) -> Answer {
    let f = Frame::new(&caller);
    let read = async {
        let rows = site.app.timings(Some(&publisher)).await?;
        Ok::<_, AppError>((rows, site.app.happened(&publisher).await?, site.app.ledger.now().await?))
    };
    let (rows, happened, now) = read.await.map_err(fail(&caller))?;
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
    let preview =
        Chart::new(&f, ("preview", f.t("ui-to-preview")), series, (Labels::Days, columns.collect()), span);
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
                ("d", "ui-worked", per_week(&weeks, happened.deployed.into_iter())),
                ("c", "ui-failed", per_week(&weeks, happened.broken.into_iter())),
            ],
        ),
        counts(
            &f,
            ("leads", "ui-chart-leads"),
            &weeks,
            &[("a", "ui-leads", per_week(&weeks, happened.leads.into_iter()))],
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
            label: f.t(title_key(kind, *step)),
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
    let chart = Chart::new(f, (id, title), series, (Labels::Names, of.filter_map(column).collect()), span);
    Ok(chart.render().unwrap_or_default())
}

/// How often each of some things is there.
fn numbers(
    f: &Frame,
    title: (&'static str, &str),
    words: &str,
    counted: impl IntoIterator<Item = (String, usize)>,
) -> String {
    let column =
        |(label, count): (String, usize)| Column { label, values: vec![(count as f64, count.to_string())] };
    let series = vec![Series { tone: "c", words: f.t(words) }];
    let columns = counted.into_iter().map(column).collect();
    let chart = Chart::new(f, (title.0, f.t(title.1)), series, (Labels::Names, columns), |value| {
        format!("{value:.0}")
    });
    chart.render().unwrap_or_default()
}

pub(super) async fn operator(State(site): State<Arc<Site>>, caller: Caller) -> Answer {
    let f = Frame::new(&caller);
    let read = async {
        let rows = site.app.timings(None).await?;
        let now = site.app.ledger.now().await?;
        let containers = steps(&site, &f, OfferKind::Container, "containers").await?;
        let machines = steps(&site, &f, OfferKind::VirtualMachine, "machines").await?;
        let tasks = site.app.ledger.tasks("").await?;
        let due = tasks.iter().filter(|task| !task.leased && task.not_before <= now);
        let oldest = due.map(|task| now - task.not_before).max();
        let rules = site.app.blocking_rules().await?.into_iter().take(RULES_SHOWN);
        let rules = numbers(&f, ("rules", "ui-chart-rules"), "ui-findings", rules);
        let behind = site.app.behind(&tasks).await?;
        let behind = numbers(&f, ("behind", "ui-chart-behind"), "ui-submissions", behind);
        let others = [rules, containers, machines, behind];
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
