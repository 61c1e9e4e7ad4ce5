//! Views, pulls, downloads, leads and deployments of a publisher's offers, counted.

use crate::{App, AppError, rfc3339};
use mercat_domain::Millis;
use mercat_domain::insights::{Told, told};
use mercat_store::{
    Commit, DeploymentRow, Expect, LeadRow, LedgerError, OfferRow, Query, Row, TallyRow, commit_surely, find,
    list, load, put,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What happened where: offer, `view`, `pull` or `download`, plan, version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Publisher id.
    pub publisher: String,
    /// Offer id.
    pub offer: String,
    /// What.
    pub what: &'static str,
    /// Plan id, or empty.
    pub plan: String,
    /// Version, or empty.
    pub version: String,
}

/// Counts in memory until they are written. What a process counted in the last seconds before it died is lost.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    counts: Arc<Mutex<BTreeMap<(Seen, String), u64>>>,
}

impl Tally {
    /// Counts one, on the day of an instant.
    pub fn count(&self, seen: Seen, at: Millis) {
        let day = day_of(at);
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry((seen, day)).or_default() += 1;
    }

    fn take(&self) -> BTreeMap<(Seen, String), u64> {
        std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One line of insights: an offer, what happened, and how often by plan and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insight {
    /// Offer id.
    pub offer: String,
    /// `views`, `pulls`, `downloads`, `leads`, `deployments` or `failedDeployments`.
    pub what: &'static str,
    /// How often, by plan and version.
    pub told: Told<String>,
}

fn day_of(at: Millis) -> String {
    rfc3339(at).chars().take(10).collect()
}

impl App {
    /// Writes what was counted.
    ///
    /// # Errors
    /// When the ledger does not answer; what was not written is counted again.
    pub async fn write_tally(&self, tally: &Tally) -> Result<(), AppError> {
        let mut counts = tally.take();
        while let Some(((seen, day), count)) = counts.pop_first() {
            if let Err(error) = self.add_to_tally(&seen, &day, count).await {
                let mut kept = tally.counts.lock().unwrap_or_else(PoisonError::into_inner);
                counts.insert((seen, day), count);
                for (key, count) in counts {
                    *kept.entry(key).or_default() += count;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    async fn add_to_tally(&self, seen: &Seen, day: &str, count: u64) -> Result<(), AppError> {
        for _ in 0..20 {
            let mut row = TallyRow {
                publisher: seen.publisher.clone(),
                offer: seen.offer.clone(),
                day: day.to_owned(),
                what: seen.what.to_owned(),
                plan: seen.plan.clone(),
                version: seen.version.clone(),
                count,
            };
            let found = load::<TallyRow>(&*self.ledger, &row.key()).await?;
            row.count += found.as_ref().map_or(0, |found| found.row.count);
            let mut commit = Commit::new();
            commit
                .writes
                .push(put(&row, found.map_or(Expect::Absent, |found| Expect::Version(found.version))));
            match commit_surely(&*self.ledger, &commit).await {
                // Another process counts the same.
                Err(LedgerError::Conflict { .. }) => {}
                other => return Ok(other?),
            }
        }
        Err(AppError::Ledger(LedgerError::Conflict { kind: TallyRow::KIND.into(), key: seen.offer.clone() }))
    }

    /// What happened to a publisher's offers from one day to another, both included. Customers are not told apart
    /// where there are few of them; leads are people who made themselves known.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn insights(&self, publisher: &str, from: &str, to: &str) -> Result<Vec<Insight>, AppError> {
        let within = |day: &str| (from.is_empty() || day >= from) && (to.is_empty() || day <= to);
        let mut counts: BTreeMap<(String, &'static str), BTreeMap<String, u64>> = BTreeMap::new();
        let mut add = |offer: &str, what: &'static str, group: String, count: u64| {
            *counts.entry((offer.to_owned(), what)).or_default().entry(group).or_default() += count;
        };
        for row in self.every::<TallyRow>("publisher", publisher).await?.iter().filter(|row| within(&row.day))
        {
            let what = match row.what.as_str() {
                "view" => "views",
                "pull" => "pulls",
                _ => "downloads",
            };
            add(&row.offer, what, group(&row.plan, &row.version), row.count);
        }
        for row in self.every::<LeadRow>("publisher", publisher).await? {
            if row.kind != "test" && row.environment == "live" && within(&day_of(row.at)) {
                add(&row.offer, "leads", row.plan.clone(), 1);
            }
        }
        for offer in find::<OfferRow>(&*self.ledger, "publisher", publisher).await? {
            let key = format!("{publisher}/{}", offer.row.offer);
            let rows = self.every::<DeploymentRow>("offer", &key).await?;
            for row in rows.iter().filter(|row| !row.preview && within(&day_of(row.at))) {
                let mut parts = row.urn.split(':').skip(2);
                let (plan, version) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
                let what = if row.success { "deployments" } else { "failedDeployments" };
                add(&row.offer, what, group(plan, version), 1);
            }
        }
        let floor = |what| if what == "leads" { 1 } else { self.settings.privacy_floor };
        let tell = |((offer, what), groups): ((String, &'static str), BTreeMap<String, u64>)| Insight {
            told: told(&groups, floor(what)),
            offer,
            what,
        };
        Ok(counts.into_iter().map(tell).collect())
    }

    /// Every record under an index value, page by page.
    pub(crate) async fn every<R: Row>(&self, index: &'static str, value: &str) -> Result<Vec<R>, AppError> {
        let (mut out, mut after) = (Vec::<R>::new(), String::new());
        loop {
            let query =
                Query { index: Some((index, value.to_owned())), after, limit: 1000, ..Query::default() };
            let page = list::<R>(&*self.ledger, query).await?;
            let whole = page.len() == 1000;
            out.extend(page.into_iter().map(|found| found.row));
            match out.last().filter(|_| whole) {
                Some(last) => after = last.key(),
                None => return Ok(out),
            }
        }
    }
}

fn group(plan: &str, version: &str) -> String {
    if version.is_empty() { plan.to_owned() } else { format!("{plan} {version}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MasterKey, Settings};
    use mercat_store::Memory;

    fn seen(what: &'static str, version: &str) -> Seen {
        let text = str::to_owned;
        Seen {
            publisher: text("aurora"),
            offer: text("gateway"),
            what,
            plan: text("p"),
            version: text(version),
        }
    }

    #[tokio::test]
    async fn counts_of_many_processes_add_up_and_few_customers_are_not_told_apart() {
        let ledger = std::sync::Arc::new(Memory::new(std::sync::Arc::new(|| 0)));
        let app = App::new(ledger, Settings::new("http://here"), MasterKey::new([7; 32]));
        let (one, two) = (Tally::default(), Tally::default());
        for number in 0..20 {
            let at = number * 86_400_000;
            one.count(seen("pull", "1.0.0"), at);
            two.count(seen("pull", if number < 3 { "2.0.0" } else { "1.0.0" }), at);
            one.count(seen("view", ""), at);
        }
        let (a, b) = tokio::join!(app.write_tally(&one), app.write_tally(&two));
        a.and(b).expect("written");
        app.write_tally(&one).await.expect("nothing more");
        let insights = app.insights("aurora", "", "").await.expect("answers");
        let by =
            |insights: &[Insight], what| insights.iter().find(|i| i.what == what).map(|i| i.told.clone());
        let pulls = by(&insights, "pulls").expect("told");
        // Two versions, of which one is rare: both are told as one.
        assert_eq!((pulls.total, pulls.others, pulls.groups.len()), (Some(40), 40, 0));
        assert_eq!(by(&insights, "views").expect("told").total, Some(20));
        let few = app.insights("aurora", "1970-01-04", "1970-01-06").await.expect("answers");
        assert_eq!(by(&few, "views").expect("told").total, None, "three views are next to nothing");
        assert_eq!(by(&few, "pulls").expect("told").groups, BTreeMap::from([("p 1.0.0".to_owned(), 6)]));
        assert!(app.insights("boreal", "", "").await.expect("answers").is_empty());
    }
}
