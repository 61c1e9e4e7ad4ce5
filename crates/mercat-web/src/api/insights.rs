//! Insights over the API.

use super::{Answer, Query, Shared, fail};
use crate::guard::Caller;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Json};
use mercat_app::{AppError, Insight};
use mercat_domain::csv;
use mercat_domain::offer::Problem;
use serde::Deserialize;
use serde_json::{Value, json};

/// Days, `YYYY-MM-DD`, both included.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Days {
    from: String,
    to: String,
}

impl Days {
    fn check(&self) -> Result<(), AppError> {
        let day = |text: &str| {
            text.is_empty() || (text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-'))
        };
        let bad = [("from", &self.from), ("to", &self.to)].into_iter().find(|(_, text)| !day(text));
        bad.map_or(Ok(()), |(name, text)| {
            Err(AppError::Problems(vec![Problem::new("F003", name, text, "a day, as YYYY-MM-DD")]))
        })
    }
}

/// What is told for a range of days.
pub(crate) async fn of(site: &crate::Site, publisher: &str, days: &Days) -> Result<Vec<Insight>, AppError> {
    days.check()?;
    site.app.insights(publisher, &days.from, &days.to).await
}

fn document(insight: &Insight) -> Value {
    json!({
        "offer": insight.offer, "what": insight.what, "total": insight.told.total, "groups": insight.told.groups,
        "others": insight.told.others,
    })
}

pub(super) async fn all(
    State(site): Shared,
    caller: Caller,
    Path(publisher): Path<String>,
    Query(days): Query<Days>,
) -> Answer {
    let rows = of(&site, &publisher, &days).await.map_err(fail(&caller))?;
    let items: Vec<Value> = rows.iter().map(document).collect();
    Ok(Json(json!({"privacyFloor": site.app.settings.privacy_floor, "items": items})).into_response())
}

pub(crate) async fn csv(
    State(site): Shared,
    caller: Caller,
    Path(publisher): Path<String>,
    Query(days): Query<Days>,
) -> Answer {
    let rows = of(&site, &publisher, &days).await.map_err(fail(&caller))?;
    let mut text = csv::line(["offer", "what", "group", "count"]);
    for row in &rows {
        for (group, count) in &row.told.groups {
            text.push_str(&csv::line([&row.offer, row.what, group, &count.to_string()]));
        }
        if row.told.others > 0 {
            text.push_str(&csv::line([&row.offer, row.what, "others", &row.told.others.to_string()]));
        }
        let total = row.told.total.map_or_else(String::new, |total| total.to_string());
        text.push_str(&csv::line([&row.offer, row.what, "total", &total]));
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"insights-{publisher}.csv\"")),
    ];
    Ok((headers, text).into_response())
}
