//! Leads: the form of a customer, and what a publisher sees.

use super::filled::{Filled, Form, Texts};
use super::{Answer, Frame, fail, see, show};
use crate::Site;
use crate::api::leads::Asked;
use crate::api::listing_key;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mercat_domain::{Millis, OfferKey};
use mercat_store::{LeadRow, ListingRow, OfferRow, find};
use mercat_text::Locale;
use std::collections::BTreeMap;
use std::sync::Arc;

type Shared = State<Arc<Site>>;

#[derive(Template)]
#[template(path = "contact.html")]
struct Contact {
    f: Frame,
    listing: ListingRow,
    action: String,
    fields: [(&'static str, &'static str, &'static str); 7],
    sent: bool,
    filled: Filled,
}

impl Contact {
    /// Attributes of an input.
    fn rules(&self, name: &str) -> &'static str {
        match name {
            "email" => "required autocomplete='email'",
            "country" => "maxlength='2' placeholder='JP' autocomplete='country'",
            "firstName" => "autocomplete='given-name'",
            "lastName" => "autocomplete='family-name'",
            "phone" => "autocomplete='tel'",
            "company" => "autocomplete='organization'",
            "title" => "autocomplete='organization-title'",
            _ => "",
        }
    }
}

const FIELDS: [(&str, &str, &str); 7] = [
    ("firstName", "lead-first-name", "text"),
    ("lastName", "lead-last-name", "text"),
    ("email", "lead-email", "email"),
    ("phone", "lead-phone", "tel"),
    ("country", "ui-contact-country", "text"),
    ("company", "lead-company", "text"),
    ("title", "lead-title", "text"),
];

/// The form of the preview is its own page under another address.
fn in_preview(caller: &Caller) -> bool {
    caller.path.starts_with("/marketplace/preview/")
}

async fn page(site: &Site, caller: &Caller, id: &str, (sent, filled): (bool, Filled)) -> Answer {
    let preview = in_preview(caller);
    let found = async { site.app.visible_listing(&caller.who, &listing_key(id)?, preview).await };
    let listing = found.await.map_err(fail(caller))?;
    let action = format!("/marketplace/{}/{id}/contact", if preview { "preview" } else { "apps" });
    let f = Frame::new(caller);
    let mut fields = FIELDS;
    // In Japan the family comes first.
    if f.locale == Locale::Ja {
        fields.swap(0, 1);
    }
    Ok(show(filled.status(), &Contact { f, listing, action, fields, sent, filled }))
}

pub(super) async fn form(State(site): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    page(&site, &caller, &id, Default::default()).await
}

pub(super) async fn ask(
    State(site): Shared,
    caller: Caller,
    Path(id): Path<String>,
    Form(asked): Form<Texts>,
) -> Answer {
    let made = async {
        let interest = Asked::from_form(&asked).into_interest()?;
        site.app.record_interest(&caller.who, &listing_key(&id)?, in_preview(&caller), &interest).await
    };
    let end = match made.await {
        Ok(_) => (true, Filled::default()),
        Err(error) => (false, Filled::refused(&caller, error, &asked)?),
    };
    page(&site, &caller, &id, end).await
}

#[derive(Template)]
#[template(path = "leads.html")]
struct Leads {
    f: Frame,
    publisher: String,
    offers: Vec<String>,
    leads: Vec<LeadRow>,
    resting: BTreeMap<String, Millis>,
}

impl Leads {
    fn look(&self, row: &LeadRow) -> (&'static str, &'static str) {
        match row.state.as_str() {
            "delivered" => ("good", "done"),
            "dead" | "failed" => ("bad", "problem"),
            "pending" => ("go", "run"),
            _ => ("", "none"),
        }
    }

    fn state(&self, row: &LeadRow) -> String {
        self.f.t(&format!("lead-state-{}", row.state))
    }

    /// Until when its destination is left alone.
    fn rests(&self, row: &LeadRow) -> Option<Millis> {
        self.resting.get(&row.destination).copied()
    }

    /// Whether a person may send it again.
    fn over(&self, row: &LeadRow) -> bool {
        ["dead", "failed", "kept"].contains(&row.state.as_str()) && !row.erased
    }
}

pub(super) async fn leads(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    let loaded = async {
        let leads = site.app.newest_leads(&publisher, 200).await?;
        let offers = find::<OfferRow>(&*site.app.ledger, "publisher", &publisher).await?;
        let resting = site.app.resting_destinations(&publisher, &leads).await?;
        let offers = offers.into_iter().map(|row| row.row.offer).collect();
        Ok::<_, mercat_app::AppError>((leads, offers, resting))
    };
    let (leads, offers, resting) = loaded.await.map_err(fail(&caller))?;
    Ok(show(StatusCode::OK, &Leads { f: Frame::new(&caller), publisher, offers, leads, resting }))
}

pub(super) async fn replay(
    State(site): Shared,
    caller: Caller,
    Path((publisher, lead)): Path<(String, String)>,
) -> Answer {
    site.app.replay_lead(caller.actor(), &publisher, &lead).await.map_err(fail(&caller))?;
    Ok(see(&format!("/portal/publishers/{publisher}/leads")))
}

pub(super) async fn erase(
    State(site): Shared,
    caller: Caller,
    Path((publisher, lead)): Path<(String, String)>,
) -> Answer {
    site.app.erase_lead(caller.actor(), &publisher, &lead).await.map_err(fail(&caller))?;
    Ok(see(&format!("/portal/publishers/{publisher}/leads")))
}

pub(super) async fn test_lead(
    State(site): Shared,
    caller: Caller,
    Path((publisher, offer)): Path<(String, String)>,
) -> Answer {
    let key = OfferKey::new(&publisher, offer);
    site.app.send_test_lead(caller.actor(), &key).await.map_err(fail(&caller))?;
    Ok(see(&format!("/portal/publishers/{publisher}/leads")))
}
