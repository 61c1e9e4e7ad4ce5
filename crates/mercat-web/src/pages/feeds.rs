//! Atom feeds (RFC 4287) of what is live for everybody: the catalogue, a category, an offer.

use super::{Answer, fail};
use crate::Site;
use crate::api::listing_key;
use crate::guard::Caller;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use mercat_app::{AppError, rfc3339};
use mercat_domain::access::Principal;
use mercat_domain::run::{State as RunState, Step};
use mercat_store::{ListingRow, OfferRow, Query, SubmissionRow, find, list, load};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::sync::Arc;

type Shared = State<Arc<Site>>;

/// Entries of one feed.
const ENTRIES_MAX: usize = 50;

struct Entry {
    id: String,
    title: String,
    summary: String,
    author: String,
    link: String,
    at: i64,
}

/// When a submission went live.
fn went_live(row: &SubmissionRow) -> Option<i64> {
    row.run.steps.iter().find(|step| step.step == Step::Live.name())?.ended
}

/// `None` for what is not live, and for a version that was for somebody in particular.
fn entry(site: &Site, listing: &ListingRow, submission: &SubmissionRow) -> Option<Entry> {
    if listing.plans.iter().all(|plan| plan.audience.is_some() || plan.hidden) {
        return None;
    }
    let at = went_live(submission)?;
    let base = &site.app.settings.base_url;
    Some(Entry {
        id: format!("urn:uuid:{}", submission.id),
        title: listing.title.clone(),
        summary: listing.summary.clone(),
        author: listing.publisher_name.clone(),
        link: format!("{base}/marketplace/apps/{}.{}", listing.publisher, listing.offer),
        at,
    })
}

async fn of_catalogue(site: &Site, index: (&'static str, String)) -> Result<Vec<Entry>, AppError> {
    let query = Query { index: Some(index), limit: 500, ..Query::default() };
    let mut out = Vec::new();
    for offer in list::<OfferRow>(&*site.app.ledger, query).await? {
        let Some(live) = &offer.row.live else { continue };
        let submission = load::<SubmissionRow>(&*site.app.ledger, live).await?;
        let listing = load::<ListingRow>(&*site.app.ledger, live).await?;
        if let (Some(submission), Some(listing)) = (submission, listing) {
            out.extend(entry(site, &listing.row, &submission.row));
        }
    }
    Ok(out)
}

/// The versions of an offer that went live, as everybody may see them.
async fn of_offer(site: &Site, id: &str) -> Result<(String, Vec<Entry>), AppError> {
    let key = listing_key(id)?;
    // Readers of feeds sign in nowhere, and what is kept for them is not for somebody in particular.
    let now = site.app.visible_listing(&Principal::default(), &key, false).await?;
    let mut out = Vec::new();
    for found in find::<SubmissionRow>(&*site.app.ledger, "offer", &key.to_string()).await? {
        if found.row.run.state == RunState::Succeeded.name()
            && let Some(listing) = load::<ListingRow>(&*site.app.ledger, &found.row.id).await?
        {
            out.extend(entry(site, &listing.row, &found.row));
        }
    }
    Ok((now.title, out))
}

fn write(path: &str, base: &str, title: &str, mut entries: Vec<Entry>) -> std::io::Result<Vec<u8>> {
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    entries.truncate(ENTRIES_MAX);
    let updated = entries.first().map_or(0, |entry| entry.at);
    let mut xml = Writer::new(Vec::new());
    let text = |xml: &mut Writer<Vec<u8>>, name: &str, text: &str| {
        // Neither control characters nor these two have a place in XML.
        let fits = |c: &char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
        let text: String = text.chars().filter(fits).collect();
        xml.create_element(name).write_text_content(BytesText::new(&text)).map(|_| ())
    };
    let link = |xml: &mut Writer<Vec<u8>>, rel: &str, to: &str| {
        xml.create_element("link").with_attributes([("rel", rel), ("href", to)]).write_empty().map(|_| ())
    };
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    let feed = xml.create_element("feed").with_attribute(("xmlns", "http://www.w3.org/2005/Atom"));
    feed.write_inner_content(|xml| {
        text(xml, "id", &format!("{base}{path}"))?;
        text(xml, "title", title)?;
        text(xml, "updated", &rfc3339(updated))?;
        link(xml, "self", &format!("{base}{path}"))?;
        for entry in &entries {
            xml.create_element("entry").write_inner_content(|xml| {
                text(xml, "id", &entry.id)?;
                text(xml, "title", &entry.title)?;
                text(xml, "updated", &rfc3339(entry.at))?;
                xml.create_element("author").write_inner_content(|xml| text(xml, "name", &entry.author))?;
                link(xml, "alternate", &entry.link)?;
                text(xml, "summary", &entry.summary)
            })?;
        }
        Ok(())
    })?;
    Ok(xml.into_inner())
}

fn answer(caller: &Caller, site: &Site, title: &str, entries: Vec<Entry>) -> Response {
    match write(&caller.path, &site.app.settings.base_url, title, entries) {
        Ok(xml) => {
            let headers = [
                (header::CONTENT_TYPE, "application/atom+xml; charset=utf-8"),
                (header::CACHE_CONTROL, "max-age=300"),
            ];
            (headers, xml).into_response()
        }
        Err(error) => crate::problem::internal(&format!("a feed: {error}")),
    }
}

pub(super) async fn catalogue(State(site): Shared, caller: Caller) -> Answer {
    let entries = of_catalogue(&site, ("live", "yes".to_owned())).await.map_err(fail(&caller))?;
    Ok(answer(&caller, &site, "Mercat", entries))
}

pub(super) async fn category(State(site): Shared, caller: Caller, Path(category): Path<String>) -> Answer {
    let entries = of_catalogue(&site, ("category", category.clone())).await.map_err(fail(&caller))?;
    Ok(answer(&caller, &site, &category, entries))
}

pub(super) async fn offer(State(site): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    let (title, entries) = of_offer(&site, &id).await.map_err(fail(&caller))?;
    Ok(answer(&caller, &site, &title, entries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quick_xml::Reader;

    #[test]
    fn a_feed_is_well_formed_whatever_a_title_holds_and_newest_first() {
        let entry = |number: i64, title: &str| Entry {
            id: format!("urn:uuid:{number}"),
            title: title.to_owned(),
            summary: "]]> & <b>".to_owned(),
            author: "Aurora".to_owned(),
            link: format!("http://x/{number}?a=1&b=\"2\""),
            at: number * 1000,
        };
        let entries = (0..60).map(|number| entry(number, "<script>\u{0}\u{1b}&\u{202e}"));
        let xml = write("/feed", "http://x", "T & <t>", entries.collect()).expect("written");
        let text = String::from_utf8(xml).expect("UTF-8");
        assert!(!text.contains("<script>") && !text.contains('\u{1b}'));
        let mut reader = Reader::from_str(&text);
        let (mut depth, mut entries) = (0, 0);
        loop {
            match reader.read_event().expect("well formed") {
                Event::Start(start) => {
                    depth += 1;
                    entries += usize::from(start.name().as_ref() == "entry");
                }
                Event::End(_) => depth -= 1,
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!((depth, entries), (0, ENTRIES_MAX));
        assert!(text.find("urn:uuid:59") < text.find("urn:uuid:58") && !text.contains("urn:uuid:9<"));
    }
}
