//! Insights of a publisher.

use super::filled::Query;
use super::{Answer, Frame, fail, show};
use crate::Site;
use crate::api::insights::{Days, of};
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mercat_app::Insight;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "insights.html")]
struct Insights {
    f: Frame,
    publisher: String,
    rows: Vec<Insight>,
    floor: u64,
}

impl Insights {
    fn what(&self, row: &Insight) -> String {
        self.f.t(&format!("insight-{}", row.what))
    }

    fn total(&self, row: &Insight) -> String {
        row.told.total.map_or_else(|| format!("< {}", self.floor), |total| total.to_string())
    }
}

pub(super) async fn page(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(publisher): Path<String>,
    Query(days): Query<Days>,
) -> Answer {
    let rows = of(&site, &publisher, &days).await.map_err(fail(&caller))?;
    let floor = site.app.settings.privacy_floor;
    Ok(show(StatusCode::OK, &Insights { f: Frame::new(&caller), publisher, rows, floor }))
}
