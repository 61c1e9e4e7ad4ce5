//! Offers by term, and counts by facet. Pure: no ledger, no clock.

use super::fold::{Term, fold, query, terms};
use mercat_store::OfferRow;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Words that begin alike and are all looked up.
const PREFIX_WORDS_MAX: usize = 200;

/// What a list can be narrowed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Facet {
    /// `category` or `category/subcategory`.
    Category,
    /// Kind of offer.
    Type,
    /// Publisher id.
    Publisher,
    /// Licence model.
    License,
    /// `os/architecture` of images.
    Platform,
    /// Country.
    Market,
}

impl Facet {
    /// Every facet, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::Category, Self::Type, Self::License, Self::Platform, Self::Publisher, Self::Market];

    /// Name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::Type => "type",
            Self::Publisher => "publisher",
            Self::License => "license",
            Self::Platform => "platform",
            Self::Market => "market",
        }
    }
}

/// Which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// The best first; the newest, where nothing is asked for.
    #[default]
    Best,
    /// What went live last, first.
    Newest,
    /// By title.
    Name,
}

/// A search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Words; every one must be found.
    pub words: String,
    /// Chosen values.
    pub chosen: BTreeMap<Facet, String>,
    /// Order.
    pub order: Order,
    /// Offers to leave out at the beginning.
    pub skip: usize,
    /// Offers to give.
    pub limit: usize,
}

/// A live offer, as it is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// Publisher id.
    pub publisher: String,
    /// Publisher's name.
    pub publisher_name: String,
    /// Offer id.
    pub offer: String,
    /// Kind by name.
    pub kind: String,
    /// Title.
    pub title: String,
    /// One sentence.
    pub summary: String,
    /// Title in Japanese, or empty.
    pub title_ja: String,
    /// One sentence in Japanese, or empty.
    pub summary_ja: String,
    /// Media digest of the logo, or empty.
    pub logo: String,
    /// When this version went live.
    pub since: i64,
    /// Platforms of public plans.
    pub platforms: Vec<String>,
    /// Licence models of public plans.
    pub licenses: Vec<String>,
    /// Whether any plan is for everybody.
    pub public: bool,
    /// Subscriptions of private plans.
    pub audience: Vec<String>,
}

/// Publishers of an answer that are given with their names.
const NAMED: usize = 50;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// How many in all.
    pub total: usize,
    /// This page's.
    pub entries: Vec<Entry>,
    /// How many offers would be left by each value, the other choices kept; most first.
    pub facets: BTreeMap<Facet, Vec<(String, usize)>>,
    /// Names of the publishers that are counted most.
    pub publishers: BTreeMap<String, String>,
}

/// What pages are cut from: the first of what was found, in order, and the counts of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ranked {
    total: usize,
    first: Vec<u32>,
    facets: BTreeMap<Facet, Vec<(String, usize)>>,
}

impl Ranked {
    /// Whether the offers before this place are in it.
    pub(super) fn reaches(&self, end: usize) -> bool {
        self.first.len() >= end.min(self.total)
    }
}

struct Held {
    entry: Entry,
    folded_title: String,
    values: Vec<u32>,
}

/// The inverted index. An offer that changes gets a new number, so numbers rise with what went live.
#[derive(Default)]
pub(super) struct Index {
    held: Vec<Option<Held>>,
    numbers: HashMap<String, u32>,
    postings: BTreeMap<String, Vec<(u32, u32)>>,
    values: Vec<(Facet, String)>,
    value_numbers: HashMap<(Facet, String), u32>,
    /// Names of publishers by id, as the newest of their offers tells it.
    publishers: HashMap<String, String>,
    revision: u64,
}

impl Index {
    /// Rises whenever another answer may be given.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn remove(&mut self, key: &str) {
        if let Some(number) = self.numbers.remove(key) {
            self.revision += 1;
            self.held[number as usize] = None;
        }
    }

    /// Takes an offer in, in place of what was known of it. One that is not live is forgotten.
    pub(super) fn put(&mut self, row: &OfferRow) {
        let key = format!("{}/{}", row.publisher, row.offer);
        let Some(card) = row.card.as_ref().filter(|_| row.live.is_some()) else { return self.remove(&key) };
        let entry = Entry {
            publisher: row.publisher.clone(),
            publisher_name: card.publisher_name.clone(),
            offer: row.offer.clone(),
            kind: row.kind.clone(),
            title: card.title.clone(),
            summary: card.summary.clone(),
            title_ja: card.title_ja.clone(),
            summary_ja: card.summary_ja.clone(),
            logo: card.logo.clone(),
            since: card.since,
            platforms: card.platforms.clone(),
            licenses: card.licenses.clone(),
            public: card.public,
            audience: card.audience.clone(),
        };
        if let Some(number) = self.numbers.get(&key)
            && self.held[*number as usize].as_ref().is_some_and(|held| held.entry == entry)
        {
            return;
        }
        self.remove(&key);
        self.revision += 1;
        self.publishers.insert(row.publisher.clone(), card.publisher_name.clone());
        let number = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        let mut weights: BTreeMap<String, u32> = BTreeMap::new();
        let texts = [
            (&card.title, 8),
            (&card.title_ja, 8),
            (&card.summary_ja, 3),
            (&row.offer, 4),
            (&card.publisher_name, 4),
            (&card.summary, 3),
            (&card.text, 1),
        ];
        for (text, weight) in texts {
            for term in terms(text) {
                *weights.entry(term).or_default() += weight;
            }
        }
        for (term, weight) in weights {
            self.postings.entry(term).or_default().push((number, weight));
        }
        let mut values = vec![(Facet::Type, row.kind.clone()), (Facet::Publisher, row.publisher.clone())];
        for (facet, list) in [
            (Facet::Category, &card.categories),
            (Facet::License, &card.licenses),
            (Facet::Platform, &card.platforms),
            (Facet::Market, &card.markets),
        ] {
            values.extend(list.iter().map(|value| (facet, value.clone())));
        }
        let values = values.into_iter().collect::<BTreeSet<_>>().into_iter().map(|value| self.value(value));
        let values = values.collect();
        self.held.push(Some(Held { folded_title: fold(&entry.title), entry, values }));
        self.numbers.insert(key, number);
        if self.held.len() > 1024 && self.held.len() > 2 * self.numbers.len() {
            self.compact();
        }
    }

    fn value(&mut self, value: (Facet, String)) -> u32 {
        let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let number = *self.value_numbers.entry(value.clone()).or_insert(next);
        if number == next {
            self.values.push(value);
        }
        number
    }

    /// Forgets the numbers of offers that are gone, in the order that there is.
    fn compact(&mut self) {
        let mut renamed: HashMap<u32, u32> = HashMap::new();
        let mut held = Vec::new();
        for (number, one) in std::mem::take(&mut self.held).into_iter().enumerate() {
            if let (Some(one), Ok(number), Ok(next)) = (one, u32::try_from(number), u32::try_from(held.len()))
            {
                renamed.insert(number, next);
                held.push(Some(one));
            }
        }
        self.held = held;
        self.numbers.values_mut().for_each(|number| *number = renamed.get(number).copied().unwrap_or(0));
        for list in self.postings.values_mut() {
            *list = list.iter().filter_map(|(number, w)| Some((*renamed.get(number)?, *w))).collect();
        }
        self.postings.retain(|_, list| !list.is_empty());
    }

    /// Numbers and weights of the offers that hold a term, by number.
    fn holding(&self, term: &Term) -> Cow<'_, [(u32, u32)]> {
        match term {
            Term::Is(term) => Cow::Borrowed(self.postings.get(term).map_or(&[], Vec::as_slice)),
            Term::Begins(start) => {
                let words =
                    self.postings.range(start.clone()..).take_while(|(word, _)| word.starts_with(start));
                let words: Vec<_> = words.take(PREFIX_WORDS_MAX).collect();
                if let [(_, list)] = words[..] {
                    return Cow::Borrowed(list);
                }
                // The whole word counts more than its beginning.
                let weighed = words.into_iter().flat_map(|(word, list)| {
                    let factor = if word == start { 2 } else { 1 };
                    list.iter().map(move |(number, weight)| (*number, weight * factor))
                });
                let mut all: Vec<(u32, u32)> = weighed.collect();
                all.sort_unstable_by_key(|(number, weight)| (*number, std::cmp::Reverse(*weight)));
                all.dedup_by_key(|(number, _)| *number);
                Cow::Owned(all)
            }
        }
    }

    /// Candidates with their weight.
    fn candidates(&self, words: &str) -> Vec<(u32, u32)> {
        let terms = query(words);
        if terms.is_empty() {
            let count = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
            return if words.trim().is_empty() {
                (0..count).map(|number| (number, 0)).collect()
            } else {
                Vec::new()
            };
        }
        let mut lists: Vec<Cow<'_, [(u32, u32)]>> = terms.iter().map(|term| self.holding(term)).collect();
        lists.sort_by_key(|list| list.len());
        let mut lists = lists.into_iter();
        let first = lists.next().unwrap_or_default();
        lists.fold(first.into_owned(), |found, list| {
            let weight = |number: u32| {
                list.binary_search_by_key(&number, |(number, _)| *number).ok().map(|at| list[at].1)
            };
            found.into_iter().filter_map(|(number, sum)| Some((number, sum + weight(number)?))).collect()
        })
    }

    #[cfg(test)]
    fn search(&self, asked: &Asked, sees: &dyn Fn(&Entry) -> bool) -> Found {
        let ranked = self.rank(asked, asked.skip.saturating_add(asked.limit), sees);
        self.page(&ranked, asked.skip, asked.limit)
    }

    /// A page of what was ranked, as the index is now.
    pub(super) fn page(&self, ranked: &Ranked, skip: usize, limit: usize) -> Found {
        let held = |number: &u32| self.held.get(*number as usize)?.as_ref();
        let page = ranked.first.iter().skip(skip).take(limit).filter_map(held);
        let counted = ranked.facets.get(&Facet::Publisher).into_iter().flatten().take(NAMED);
        let named = |(id, _): &(String, usize)| Some((id.clone(), self.publishers.get(id)?.clone()));
        Found {
            total: ranked.total,
            entries: page.map(|held| held.entry.clone()).collect(),
            facets: ranked.facets.clone(),
            publishers: counted.filter_map(named).collect(),
        }
    }

    /// Counts what is asked for, and puts the first `end` of it in order.
    pub(super) fn rank(&self, asked: &Asked, end: usize, sees: &dyn Fn(&Entry) -> bool) -> Ranked {
        let chosen: Vec<(Facet, Option<u32>)> = asked
            .chosen
            .iter()
            .map(|(facet, value)| (*facet, self.value_numbers.get(&(*facet, value.clone())).copied()))
            .collect();
        let mut counts = vec![0_usize; self.values.len()];
        let mut hits: Vec<(u32, u32, &Held)> = Vec::new();
        for (number, weight) in self.candidates(&asked.words) {
            let Some(held) = self.held.get(number as usize).and_then(Option::as_ref) else { continue };
            if !sees(&held.entry) {
                continue;
            }
            let mut failed =
                chosen.iter().filter(|(_, value)| !value.is_some_and(|v| held.values.contains(&v)));
            match (failed.next(), failed.next()) {
                (None, _) => {
                    held.values.iter().for_each(|value| counts[*value as usize] += 1);
                    hits.push((number, weight, held));
                }
                // What another value of the one facet would give.
                (Some((facet, _)), None) => {
                    let of = |value: &&u32| self.values[**value as usize].0 == *facet;
                    held.values.iter().filter(of).for_each(|value| counts[*value as usize] += 1);
                }
                _ => {}
            }
        }
        match asked.order {
            Order::Newest => hits.reverse(),
            Order::Best if asked.words.trim().is_empty() => hits.reverse(),
            Order::Best => {
                // Only the page that is asked for and those before it need an order.
                let rank = |hit: &(u32, u32, &Held)| std::cmp::Reverse((hit.1, hit.0));
                if end < hits.len() {
                    hits.select_nth_unstable_by_key(end, rank);
                    hits[..end].sort_unstable_by_key(rank);
                } else {
                    hits.sort_unstable_by_key(rank);
                }
            }
            Order::Name => hits.sort_by(|a, b| a.2.folded_title.cmp(&b.2.folded_title)),
        }
        let mut facets: BTreeMap<Facet, Vec<(String, usize)>> = BTreeMap::new();
        for ((facet, value), count) in self.values.iter().zip(counts).filter(|(_, count)| *count > 0) {
            facets.entry(*facet).or_default().push((value.clone(), count));
        }
        for values in facets.values_mut() {
            values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        }
        let first = hits.iter().take(end).map(|(number, ..)| *number).collect();
        Ranked { total: hits.len(), first, facets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mercat_store::CardRow;

    fn offer(id: &str, title: &str, category: &str, audience: Option<&str>) -> OfferRow {
        let card = CardRow {
            title: title.into(),
            categories: vec![category.split('/').next().unwrap_or("").into(), category.into()],
            public: audience.is_none(),
            audience: audience.map(str::to_owned).into_iter().collect(),
            ..CardRow::default()
        };
        OfferRow {
            published: std::collections::BTreeMap::new(),
            publisher: "aurora".into(),
            offer: id.into(),
            kind: "container".into(),
            name: String::new(),
            live: Some("s".into()),
            preview: None,
            preview_before: None,
            audience: vec![],
            audience_before: vec![],
            active: None,
            latest: None,
            submissions: 1,
            emails: vec![],
            tags: BTreeMap::new(),
            card: Some(card),
            now: mercat_store::NowRow::default(),
        }
    }

    fn index() -> Index {
        let mut index = Index::default();
        for row in [
            offer("gateway", "Edge Gateway", "internet-of-things/iot-edge-modules", None),
            offer("vm", "仮想マシン イメージ", "compute/operating-systems", None),
            offer("server", "ウェブ サーバー", "web/web-apps", None),
            offer("secret", "Secret Gateway", "internet-of-things/solutions", Some("sub-1")),
        ] {
            index.put(&row);
        }
        index
    }

    fn ids(found: &Found) -> Vec<&str> {
        found.entries.iter().map(|entry| entry.offer.as_str()).collect()
    }

    fn ask(words: &str) -> Asked {
        Asked { words: words.into(), limit: 10, ..Asked::default() }
    }

    #[test]
    fn english_and_japanese_are_found_in_every_way_of_writing() {
        let index = index();
        let find = |words: &str| ids(&index.search(&ask(words), &|entry| entry.public)).join(" ");
        assert_eq!(find("gate"), "gateway");
        assert_eq!(find("ＥＤＧＥ gateway"), "gateway");
        assert_eq!(find("仮想マシン"), "vm");
        assert_eq!(find("仮想ﾏｼﾝ"), "vm");
        assert_eq!(find("サーバ"), "server");
        assert_eq!(find("さーばー"), "server");
        assert_eq!(find("gateway 仮想"), "");
        assert_eq!(find("%"), "");
    }

    #[test]
    fn a_private_offer_is_not_found_not_counted_and_not_inferred() {
        let index = index();
        let category = |found: &Found, name: &str| {
            let values = found.facets.get(&Facet::Category).cloned().unwrap_or_default();
            values.into_iter().find(|(value, _)| value == name).map_or(0, |(_, count)| count)
        };
        let anybody = index.search(&ask("gateway"), &|entry| entry.public);
        assert_eq!((anybody.total, category(&anybody, "internet-of-things")), (1, 1));
        assert_eq!(category(&anybody, "internet-of-things/solutions"), 0);
        let member = index
            .search(&ask("gateway"), &|entry| entry.public || entry.audience.contains(&"sub-1".to_owned()));
        assert_eq!((member.total, category(&member, "internet-of-things")), (2, 2));
    }

    #[test]
    fn a_choice_narrows_the_list_and_keeps_the_counts_of_its_own_facet() {
        let index = index();
        let mut asked = ask("");
        asked.chosen.insert(Facet::Category, "compute".into());
        let found = index.search(&asked, &|entry| entry.public);
        assert_eq!(ids(&found), ["vm"]);
        assert!(found.facets[&Facet::Category].contains(&("web".into(), 1)));
        assert_eq!(found.facets[&Facet::Type], [("container".to_owned(), 1)]);
        asked.chosen.insert(Facet::Category, "nonsense".into());
        assert_eq!(index.search(&asked, &|_| true).total, 0);
    }

    #[test]
    fn an_offer_that_changes_or_goes_is_found_as_it_is_now() {
        let mut index = index();
        index.put(&offer("gateway", "Router", "networking/firewalls", None));
        let find = |index: &Index, words: &str| index.search(&ask(words), &|entry| entry.public).total;
        assert_eq!((find(&index, "edge"), find(&index, "router")), (0, 1));
        index.put(&OfferRow { live: None, ..offer("gateway", "Router", "networking/firewalls", None) });
        assert_eq!(find(&index, "router"), 0);
        for round in 0..3000 {
            index.put(&offer("busy", &format!("Busy {round}"), "web/web-apps", None));
        }
        assert!(index.held.len() < 1100, "{}", index.held.len());
        assert_eq!((find(&index, "busy"), find(&index, "2999"), find(&index, "仮想")), (1, 1, 1));
    }
}
