//! Catalogue and product pages.

use super::{Answer, Frame, fail, show};
use crate::Site;
use crate::api::listing_key;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use mercat_app::AppError;
use mercat_domain::Digest;
use mercat_domain::offer::fields::CATEGORIES;
use mercat_store::{ListingRow, MediaRow, OfferRow, Query as Listing, find, list};
use serde::Deserialize;
use std::sync::Arc;

const PAGE: u32 = 24;

#[derive(Deserialize, Default)]
pub(super) struct Where {
    page: Option<u32>,
    subcategories: Option<String>,
}

struct Card {
    id: String,
    title: String,
    summary: String,
    logo: String,
    publisher: String,
}

#[derive(Template)]
#[template(path = "catalogue.html")]
struct Catalogue {
    f: Frame,
    category: String,
    subcategory: String,
    categories: Vec<&'static str>,
    subcategories: &'static [&'static str],
    cards: Vec<Card>,
    next: Option<String>,
}

pub(super) async fn catalogue(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Query(place): Query<Where>,
) -> Answer {
    cards(&site, &caller, String::new(), &place).await
}

pub(super) async fn category(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(category): Path<String>,
    Query(place): Query<Where>,
) -> Answer {
    cards(&site, &caller, category, &place).await
}

async fn cards(site: &Site, caller: &Caller, category: String, place: &Where) -> Answer {
    let sub = place.subcategories.clone().unwrap_or_default();
    let index = match (category.as_str(), sub.as_str()) {
        ("", _) => ("live", "yes".to_owned()),
        (category, "") => ("category", category.to_owned()),
        (category, sub) => ("category", format!("{category}/{sub}")),
    };
    let page = place.page.unwrap_or(1).clamp(1, 40);
    let query = Listing { index: Some(index), limit: PAGE * page + 1, ..Listing::default() };
    let rows =
        list::<OfferRow>(&*site.app.ledger, query).await.map_err(|error| fail(caller)(error.into()))?;
    let more = rows.len() > (PAGE * page) as usize;
    let shown = rows.into_iter().skip((PAGE * (page - 1)) as usize).take(PAGE as usize);
    let cards = shown.map(|row| {
        let card = row.row.card.unwrap_or_default();
        Card {
            id: format!("{}.{}", row.row.publisher, row.row.offer),
            title: card.title,
            summary: card.summary,
            logo: card.logo,
            publisher: row.row.publisher,
        }
    });
    let cards = cards.collect();
    let known = CATEGORIES.iter().find(|(name, _)| *name == category);
    let base = if category.is_empty() {
        "/marketplace".to_owned()
    } else {
        format!("/marketplace/apps/category/{category}")
    };
    let next = more.then(|| format!("{base}?page={}&subcategories={sub}", page + 1));
    let page = Catalogue {
        f: Frame::new(caller),
        category,
        subcategory: sub,
        categories: CATEGORIES.iter().map(|(name, _)| *name).collect(),
        subcategories: known.map_or(&[], |(_, subs)| *subs),
        cards,
        next,
    };
    Ok(show(StatusCode::OK, &page))
}

#[derive(Template)]
#[template(path = "product.html")]
struct Product {
    f: Frame,
    listing: ListingRow,
    preview: bool,
    registry: String,
    base: String,
    scheme_note: bool,
}

impl Product {
    fn slot(&self) -> &'static str {
        if self.preview { "preview" } else { "catalogue" }
    }

    /// Bytes for people; files differ in the last digits, which nobody reads.
    fn size(&self, bytes: &u64) -> String {
        match *bytes {
            small if small < 10_000_000 => format!("{} kB", small.div_ceil(1000)),
            medium if medium < 10_000_000_000 => format!("{} MB", medium / 1_000_000),
            large => format!("{} GB", large / 1_000_000_000),
        }
    }

    fn prefix(&self) -> &'static str {
        if self.preview { "preview/" } else { "" }
    }

    fn price(&self, license: &str) -> String {
        self.f.t(&format!("ui-price-{license}"))
    }
}

async fn one(site: &Site, caller: &Caller, id: &str, preview: bool) -> Answer {
    let found = async { site.app.visible_listing(&caller.who, &listing_key(id)?, preview).await };
    let listing = found.await.map_err(fail(caller))?;
    // Publishers who look at their own page are no customers.
    if !preview && caller.who.role(&listing.publisher).is_none() && !caller.who.operator {
        site.count((&listing.publisher, &listing.offer), "view", "", "").await;
    }
    let base = &site.app.settings.base_url;
    let registry = base.split_once("://").map_or(base.as_str(), |(_, host)| host).to_owned();
    let scheme_note = base.starts_with("http://");
    Ok(show(
        StatusCode::OK,
        &Product { f: Frame::new(caller), listing, preview, registry, base: base.clone(), scheme_note },
    ))
}

pub(super) async fn product(State(site): State<Arc<Site>>, caller: Caller, Path(id): Path<String>) -> Answer {
    one(&site, &caller, &id, false).await
}

pub(super) async fn preview(State(site): State<Arc<Site>>, caller: Caller, Path(id): Path<String>) -> Answer {
    one(&site, &caller, &id, true).await
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
