//! Search in the storefront.
//!
//! What is searched lies in the offer's own record, written in the commit that opens production; each process
//! holds it inverted in memory, and follows the history before every answer. So a search sees every commit that
//! was made before it, both databases find the same, and Japanese is divided by us: the full-text engines of the
//! two databases divide it differently from each other, and an engine of its own on disk would be a second truth
//! beside the ledger, without its transactions.

mod fold;
mod index;

pub use index::{Asked, Entry, Facet, Found, Order};

use crate::{App, AppError};
use index::Index;
use mercat_domain::access::{Action, Audience, Object, Principal};
use mercat_store::{EventQuery, Ledger, LedgerError, OfferRow, Query, list, load};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::RwLock;

/// Records that are read at a time.
const BATCH: u32 = 1000;

/// The inverted records, and how far history was followed.
#[derive(Default)]
struct Followed {
    index: Index,
    /// `None` until everything was read once.
    seen: Option<i64>,
}

/// What this process knows of the storefront; clones share it.
#[derive(Clone, Default)]
pub struct Catalogue(Arc<RwLock<Followed>>);

impl Catalogue {
    /// Reads what history tells of that was not read yet.
    async fn follow(&self, ledger: &dyn Ledger) -> Result<(), LedgerError> {
        let after = self.0.read().await.seen;
        if let Some(after) = after {
            let news = EventQuery { after, limit: 1, ..EventQuery::default() };
            if ledger.events(&news).await?.is_empty() {
                return Ok(());
            }
        }
        let mut followed = self.0.write().await;
        if followed.seen.is_none() {
            let newest = EventQuery { newest_first: true, limit: 1, ..EventQuery::default() };
            let seen = ledger.events(&newest).await?.first().map_or(0, |event| event.seq);
            let mut after = String::new();
            loop {
                let query = Query { after: after.clone(), limit: BATCH, ..Query::default() };
                let rows = list::<OfferRow>(ledger, query).await?;
                let Some(last) = rows.last() else { break };
                after = format!("{}/{}", last.row.publisher, last.row.offer);
                rows.into_iter().for_each(|row| followed.index.put(&row.row));
            }
            followed.seen = Some(seen);
        }
        loop {
            let after = followed.seen.unwrap_or(0);
            let query = EventQuery { after, limit: BATCH, ..EventQuery::default() };
            let events = ledger.events(&query).await?;
            let Some(last) = events.last().map(|event| event.seq) else { return Ok(()) };
            let keys: BTreeSet<&str> =
                events.iter().filter_map(|event| event.event.subject.strip_prefix("offer:")).collect();
            for key in keys {
                match load::<OfferRow>(ledger, key).await? {
                    Some(row) => followed.index.put(&row.row),
                    None => followed.index.remove(key),
                }
            }
            followed.seen = Some(last);
        }
    }
}

impl App {
    /// Live offers that the caller may see and that hold every word, with counts of what else could be chosen.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn search(&self, who: &Principal, asked: &Asked) -> Result<Found, AppError> {
        self.catalogue.follow(&*self.ledger).await?;
        let sees = |entry: &Entry| {
            let subscriptions = (!entry.public).then_some(entry.audience.as_slice());
            let audience = Audience { publisher: &entry.publisher, preview: false, subscriptions };
            entry.public || self.permit(who, Action::UseListing, Object::Listing(audience)).is_ok()
        };
        Ok(self.catalogue.0.read().await.index.search(asked, &sees))
    }
}
