//! Search and its facets. What is chosen stands in the address.

use super::filled::Query;
use super::look::Pager;
use super::{Answer, Frame, fail, show};
use crate::Site;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use mercat_app::{AppError, Asked, Entry, Facet, Found, Order};
use mercat_domain::Digest;
use mercat_domain::offer::fields::CATEGORIES;
use mercat_store::{MediaRow, find};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

const PAGE: usize = 24;
/// Values of a facet that are shown.
const VALUES_SHOWN: usize = 12;
/// What must be written in another way in the query of an address.
const QUERY: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'&').add(b'+').add(b'%').add(b'=');

/// The query of an address.
#[derive(Deserialize, Default, Clone)]
pub(crate) struct Where {
    #[serde(default)]
    q: String,
    #[serde(default)]
    subcategories: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    license: String,
    #[serde(default)]
    platform: String,
    #[serde(default)]
    publisher: String,
    #[serde(default)]
    market: String,
    #[serde(default)]
    sort: String,
    page: Option<usize>,
}

impl Where {
    /// Whether anything is asked for that a plain list of a category does not tell.
    pub(crate) fn searches(&self) -> bool {
        let words =
            [&self.q, &self.kind, &self.license, &self.platform, &self.publisher, &self.market, &self.sort];
        self.page.is_some() || words.iter().any(|word| !word.is_empty())
    }

    /// The search that the address stands for.
    pub(crate) fn asked(&self, category: &str) -> Asked {
        Place { category: category.to_owned(), at: self.clone() }.asked()
    }
}

/// A place in the storefront: what is asked for, and the address that says so.
#[derive(Clone)]
struct Place {
    category: String,
    at: Where,
}

impl Place {
    fn chosen(&self, facet: Facet) -> &str {
        match facet {
            Facet::Category => "",
            Facet::Type => &self.at.kind,
            Facet::License => &self.at.license,
            Facet::Platform => &self.at.platform,
            Facet::Publisher => &self.at.publisher,
            Facet::Market => &self.at.market,
        }
    }

    /// `category` or `category/subcategory`, when one is chosen.
    fn category(&self) -> Option<String> {
        match (self.category.as_str(), self.at.subcategories.as_str()) {
            ("", _) => None,
            (category, "") => Some(category.to_owned()),
            (category, sub) => Some(format!("{category}/{sub}")),
        }
    }

    fn with(&self, facet: Facet, value: &str) -> Self {
        let mut out = self.clone();
        out.at.page = None;
        let slot = match facet {
            Facet::Category => {
                let (category, sub) = value.split_once('/').unwrap_or((value, ""));
                category.clone_into(&mut out.category);
                sub.clone_into(&mut out.at.subcategories);
                return out;
            }
            Facet::Type => &mut out.at.kind,
            Facet::License => &mut out.at.license,
            Facet::Platform => &mut out.at.platform,
            Facet::Publisher => &mut out.at.publisher,
            Facet::Market => &mut out.at.market,
        };
        value.clone_into(slot);
        out
    }

    fn page(&self, page: usize) -> Self {
        let mut out = self.clone();
        out.at.page = Some(page);
        out
    }

    /// What is chosen, as names and values, without the words.
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut out = vec![("subcategories", self.at.subcategories.clone())];
        out.extend(Facet::ALL.into_iter().map(|facet| (facet.name(), self.chosen(facet).to_owned())));
        out.push(("sort", self.at.sort.clone()));
        out.retain(|(_, value)| !value.is_empty());
        out
    }

    fn path(&self) -> String {
        match self.category.as_str() {
            "" => "/marketplace".to_owned(),
            category => format!("/marketplace/apps/category/{}", utf8_percent_encode(category, QUERY)),
        }
    }

    fn url(&self) -> String {
        let mut pairs = self.pairs();
        if !self.at.q.is_empty() {
            pairs.insert(0, ("q", self.at.q.clone()));
        }
        pairs.extend(self.at.page.map(|page| ("page", page.to_string())));
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)))
            .collect();
        if pairs.is_empty() { self.path() } else { format!("{}?{}", self.path(), pairs.join("&")) }
    }

    fn asked(&self) -> Asked {
        let mut chosen: BTreeMap<Facet, String> = BTreeMap::new();
        chosen.extend(self.category().map(|category| (Facet::Category, category)));
        for facet in Facet::ALL {
            let value = self.chosen(facet);
            if !value.is_empty() {
                chosen.insert(facet, value.to_owned());
            }
        }
        let order = match self.at.sort.as_str() {
            "new" => Order::Newest,
            "name" => Order::Name,
            _ => Order::Best,
        };
        let skip = (self.at.page.unwrap_or(1).clamp(1, 10_000) - 1) * PAGE;
        Asked { words: self.at.q.clone(), chosen, order, skip, limit: PAGE }
    }
}

struct Choice {
    words: String,
    count: usize,
    url: String,
    chosen: bool,
    sub: bool,
}

struct Choices {
    title: String,
    id: &'static str,
    choices: Vec<Choice>,
}

#[derive(Template)]
#[template(path = "catalogue.html")]
struct Catalogue {
    f: Frame,
    title: String,
    place: Place,
    found: Found,
    facets: Vec<Choices>,
    pager: Pager,
    /// The address without the choice that was made last.
    wider: Option<String>,
}

impl Catalogue {
    fn logo(&self, entry: &Entry) -> String {
        match entry.logo.as_str() {
            "" => self.f.default_logo(&entry.kind).to_owned(),
            digest => format!("/media/{digest}"),
        }
    }

    /// The first text that is there, in the reader's language before the other.
    fn text<'a>(&self, plain: &'a str, japanese: &'a str) -> &'a str {
        if self.f.locale == mercat_text::Locale::Ja && !japanese.is_empty() { japanese } else { plain }
    }

    fn price(&self, entry: &Entry) -> String {
        entry.licenses.iter().map(|license| self.f.word("ui-price", license)).collect::<Vec<_>>().join(", ")
    }

    fn sorted(&self, by: &str) -> bool {
        self.place.at.sort == by
    }

    fn hits(&self) -> String {
        self.f.t1("ui-offers-found", "count", &self.found.total.to_string())
    }
}

pub(super) async fn catalogue(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Query(at): Query<Where>,
) -> Answer {
    search(&site, &caller, Place { category: String::new(), at }).await
}

pub(super) async fn category(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(category): Path<String>,
    Query(at): Query<Where>,
) -> Answer {
    search(&site, &caller, Place { category, at }).await
}

async fn search(site: &Site, caller: &Caller, place: Place) -> Answer {
    let found = site.app.search(&caller.who, &place.asked()).await.map_err(fail(caller))?;
    let f = Frame::new(caller);
    let facets = facets(&f, &place, &found);
    let page = place.at.page.unwrap_or(1).max(1);
    let last = found.total.div_ceil(PAGE).max(1);
    let words = f.t1("ui-page", "page", &format!("{page} / {last}"));
    let pager = Pager {
        previous: (page > 1).then(|| place.page((page - 1).min(last)).url()),
        next: (page < last).then(|| place.page(page + 1).url()),
        words,
    };
    let title = match place.category() {
        None => f.t("ui-marketplace"),
        Some(category) if category.contains('/') => {
            format!("{} / {}", f.category(&place.category), f.category(&category))
        }
        Some(category) => f.category(&category),
    };
    let chosen = Facet::ALL.into_iter().rev().find(|facet| !place.chosen(*facet).is_empty());
    let wider = match (chosen, place.category.is_empty()) {
        (Some(facet), _) => Some(place.with(facet, "").url()),
        (None, false) => Some(place.with(Facet::Category, "").url()),
        (None, true) => None,
    };
    Ok(show(StatusCode::OK, &Catalogue { f, title, place, found, facets, pager, wider }))
}

/// The choices beside the list. Categories are shown one level at a time.
fn facets(f: &Frame, place: &Place, found: &Found) -> Vec<Choices> {
    let group = |facet: Facet| {
        let chosen = match facet {
            Facet::Category => place.category().unwrap_or_default(),
            facet => place.chosen(facet).to_owned(),
        };
        let counted = found.facets.get(&facet).cloned().unwrap_or_default();
        let count = |value: &str| counted.iter().find(|(known, _)| known == value).map_or(0, |(_, n)| *n);
        let values: Vec<String> = match facet {
            Facet::Category => {
                let subs = |name: &str| {
                    let open = name == place.category;
                    let of = CATEGORIES.iter().find(|(known, _)| *known == name).filter(|_| open);
                    of.map_or(Vec::new(), |(_, subs)| {
                        subs.iter().map(|sub| format!("{name}/{sub}")).collect()
                    })
                };
                CATEGORIES
                    .iter()
                    .flat_map(|(name, _)| [vec![(*name).to_owned()], subs(name)].concat())
                    .collect()
            }
            _ => counted.iter().take(VALUES_SHOWN).map(|(value, _)| value.clone()).collect(),
        };
        let words = |value: &str| match facet {
            Facet::Category => f.category(value),
            Facet::Type => f.word("ui-type", value),
            Facet::License => f.word("ui-price", value),
            Facet::Publisher => found.publishers.get(value).map_or(value, String::as_str).to_owned(),
            _ => value.to_owned(),
        };
        let choice = |value: String| {
            let on = value == chosen;
            let url = place.with(facet, if on { "" } else { &value }).url();
            Choice {
                words: words(&value),
                count: count(&value),
                url,
                chosen: on,
                sub: value.contains('/') && facet == Facet::Category,
            }
        };
        let choices: Vec<Choice> =
            values.into_iter().map(choice).filter(|choice| choice.count > 0 || choice.chosen).collect();
        let title = f.t(match facet {
            Facet::Category => "ui-categories",
            Facet::Type => "ui-type",
            Facet::License => "ui-price",
            Facet::Platform => "ui-platform",
            Facet::Publisher => "ui-publisher",
            Facet::Market => "ui-market",
        });
        Choices { title, id: facet.name(), choices }
    };
    Facet::ALL.into_iter().map(group).filter(|group| !group.choices.is_empty()).collect()
}

/// A picture by digest. Who does not know the digest of a picture in preview cannot guess it.
pub(super) async fn picture(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(digest): Path<String>,
) -> Answer {
    let found = async {
        let digest = Digest::parse(&digest).ok_or(AppError::NotFound)?;
        find::<MediaRow>(&*site.app.ledger, "digest", digest.as_str())
            .await?
            .pop()
            .ok_or(AppError::NotFound)?;
        site.depot.get(&digest).await.map_err(|_| AppError::NotFound)
    };
    let bytes = found.await.map_err(fail(&caller))?;
    let headers =
        [(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "max-age=31536000, immutable")];
    Ok((headers, bytes).into_response())
}
