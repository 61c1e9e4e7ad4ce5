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
use index::{Index, Ranked};
use mercat_domain::access::{Action, Audience, Object, Principal};
use mercat_store::{EventQuery, Ledger, LedgerError, OfferRow, Query, list, load};
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
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

/// Answers that are kept for whoever asks the same next.
const ANSWERS_MAX: usize = 256;
/// Offers of an answer that are put in order, so that its next pages are there, too.
const ORDERED_MIN: usize = 1200;

/// Answers to callers who see nothing but what everybody sees, as long as the index stays as it is.
#[derive(Default)]
struct Answers {
    revision: u64,
    known: HashMap<Asked, Arc<Ranked>>,
}

impl Answers {
    fn get(&mut self, revision: u64, asked: &Asked, end: usize) -> Option<Arc<Ranked>> {
        if self.revision != revision {
            (self.revision, self.known) = (revision, HashMap::new());
        }
        self.known.get(asked).filter(|ranked| ranked.reaches(end)).cloned()
    }

    fn keep(&mut self, revision: u64, asked: Asked, ranked: Arc<Ranked>) {
        if self.known.len() >= ANSWERS_MAX {
            self.known.clear();
        }
        if self.revision == revision {
            self.known.insert(asked, ranked);
        }
    }
}

/// What this process knows of the storefront; clones share it.
#[derive(Clone, Default)]
pub struct Catalogue {
    followed: Arc<RwLock<Followed>>,
    answers: Arc<Mutex<Answers>>,
    /// One answers a question; whoever asks the same meanwhile waits for that answer.
    turns: Arc<[tokio::sync::Mutex<()>; TURNS]>,
}

/// Questions that are answered at the same time, by their hash.
const TURNS: usize = 16;

fn turn(asked: &Asked) -> usize {
    let mut hash = DefaultHasher::new();
    asked.hash(&mut hash);
    usize::try_from(hash.finish() % TURNS as u64).unwrap_or(0)
}

impl Catalogue {
    /// Reads what history tells of that was not read yet.
    async fn follow(&self, ledger: &dyn Ledger) -> Result<(), LedgerError> {
        let after = self.followed.read().await.seen;
        if let Some(after) = after {
            let news = EventQuery { after, limit: 1, ..EventQuery::default() };
            if ledger.events(&news).await?.is_empty() {
                return Ok(());
            }
        }
        let mut followed = self.followed.write().await;
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
        let followed = self.catalogue.followed.read().await;
        let revision = followed.index.revision();
        let answers = || self.catalogue.answers.lock().unwrap_or_else(PoisonError::into_inner);
        // The same question by the same eyes: whoever acts for nobody in particular sees what is public.
        let everybody =
            *who == Principal { user: who.user.clone(), scope: who.scope, ..Principal::default() };
        let end = asked.skip.saturating_add(asked.limit);
        if !everybody {
            let ranked = followed.index.rank(asked, end, &sees);
            return Ok(followed.index.page(&ranked, asked.skip, asked.limit));
        }
        // All pages are cut from one answer.
        let question = Asked { skip: 0, limit: 0, ..asked.clone() };
        let known = answers().get(revision, &question, end);
        let ranked = match known {
            Some(ranked) => ranked,
            None => {
                let _turn = self.catalogue.turns[turn(&question)].lock().await;
                let meanwhile = answers().get(revision, &question, end);
                match meanwhile {
                    Some(ranked) => ranked,
                    None => {
                        let ranked = Arc::new(followed.index.rank(asked, end.max(ORDERED_MIN), &sees));
                        answers().keep(revision, question, ranked.clone());
                        ranked
                    }
                }
            }
        };
        Ok(followed.index.page(&ranked, asked.skip, asked.limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MasterKey, Settings};
    use mercat_store::{CardRow, Commit, Expect, Memory, NewEvent, put};

    async fn store(app: &App, offer: &str, title: Option<&str>, audience: Option<&str>) {
        let card = CardRow {
            title: title.unwrap_or_default().into(),
            public: audience.is_none(),
            audience: audience.map(str::to_owned).into_iter().collect(),
            ..CardRow::default()
        };
        let row = OfferRow {
            publisher: "aurora".into(),
            offer: offer.into(),
            kind: "container".into(),
            live: title.map(|_| "s".into()),
            card: Some(card),
            ..OfferRow::default()
        };
        let mut commit = Commit::new();
        commit.writes.push(put(&row, Expect::Any));
        commit.events.push(NewEvent { subject: format!("offer:aurora/{offer}"), ..NewEvent::default() });
        app.ledger.commit(&commit).await.expect("stored");
    }

    #[tokio::test]
    async fn answers_that_are_kept_are_for_everybody_and_end_with_the_next_change() {
        let ledger = Arc::new(Memory::new(Arc::new(|| 1)));
        let app = App::new(ledger, Settings::new("http://here"), MasterKey::new([7; 32]));
        store(&app, "open", Some("Open gateway"), None).await;
        store(&app, "closed", Some("Closed gateway"), Some("sub")).await;
        let asked = Asked { words: "gateway".into(), limit: 9, ..Asked::default() };
        let nobody = Principal::default();
        let somebody = Principal { subscriptions: vec!["sub".into()], ..Principal::default() };
        let count = async |who: &Principal| app.search(who, &asked).await.expect("answers").total;
        for _ in 0..2 {
            assert_eq!((count(&somebody).await, count(&nobody).await), (2, 1));
        }
        store(&app, "more", Some("More gateway"), None).await;
        assert_eq!((count(&nobody).await, count(&somebody).await), (2, 3));
        store(&app, "open", None, None).await;
        assert_eq!((count(&nobody).await, count(&somebody).await), (1, 2));
        // Pages are cut from the same answer, also those far behind.
        let second = Asked { skip: 1, limit: 1, ..asked.clone() };
        store(&app, "last", Some("Last gateway"), None).await;
        let all = app.search(&nobody, &asked).await.expect("answers").entries;
        assert_eq!(app.search(&nobody, &second).await.expect("answers").entries, all[1..2]);
        let far = Asked { skip: 5_000, ..asked.clone() };
        assert_eq!(app.search(&nobody, &far).await.expect("answers").entries, []);
        // Many questions take bounded room.
        for number in 0..2 * ANSWERS_MAX {
            let other = Asked { words: format!("gateway {number}"), ..asked.clone() };
            app.search(&nobody, &other).await.expect("answers");
        }
        let kept = app.catalogue.answers.lock().expect("no panic").known.len();
        assert!((1..=ANSWERS_MAX).contains(&kept), "{kept}");
    }
}
