//! The product page of a submission, composed once from its snapshot.

use crate::sanitise;
use mercat_domain::document::{Fields, rows};
use mercat_domain::{Document, Plan};
use mercat_store::{EdgeRow, ListedPlan, ListingRow, WordsRow};
use std::collections::BTreeMap;

/// What a plan's images hold, by plan id.
pub type Media = BTreeMap<String, ListedPlan>;

const PICTURES: [&str; 5] = ["smallLogo", "mediumLogo", "largeLogo", "wideLogo", "hero"];

/// Composes the page: text sanitised, plans joined with what their images hold.
pub fn compose_listing(
    submission: &str,
    publisher_name: &str,
    offer: &Document,
    images: &Media,
) -> ListingRow {
    let text = |key: &str| offer.text(key).to_owned();
    let cell = |row: &BTreeMap<String, String>, key: &str| row.get(key).cloned().unwrap_or_default();
    let plans = offer.plans.iter().map(|plan| {
        let held = images.get(&plan.id).cloned().unwrap_or_default();
        ListedPlan {
            id: plan.id.clone(),
            title: plan.text("title").to_owned(),
            summary: plan.text("summary").to_owned(),
            description: sanitise::html(plan.text("description")),
            ja: japanese(&plan.fields),
            hidden: plan.flag("hidden"),
            audience: plan
                .flag("private")
                .then(|| plan.list("audience").iter().map(|id| id.to_lowercase()).collect()),
            license: plan.text("licenseModel").to_owned(),
            price: match plan.text("licenseModel") {
                "usage" => plan.text("price").to_owned(),
                _ => String::new(),
            },
            markets: plan.list("markets").to_vec(),
            edge: edge(plan),
            os_family: plan.text("osFamily").to_owned(),
            os_name: plan.text("osName").to_owned(),
            vm_sizes: rows(&plan.fields, "vmSizes").iter().map(|row| cell(row, "size")).collect(),
            open_ports: rows(&plan.fields, "openPorts")
                .iter()
                .map(|row| (cell(row, "label"), cell(row, "port"), cell(row, "protocol")))
                .collect(),
            ..held
        }
    });
    let links = rows(&offer.fields, "usefulLinks");
    let pictures = PICTURES.iter().map(|key| ((*key).to_owned(), text(key)));
    ListingRow {
        submission: submission.to_owned(),
        publisher: offer.key.publisher.clone(),
        publisher_name: publisher_name.to_owned(),
        offer: offer.key.offer.clone(),
        title: text("title"),
        summary: text("summary"),
        long_summary: text("longSummary"),
        description: sanitise::html(offer.text("description")),
        ja: japanese(&offer.fields),
        terms: sanitise::html(offer.text("termsOfUse")),
        privacy_url: text("privacyUrl"),
        support_url: text("supportUrl"),
        links: links.iter().map(|row| (cell(row, "title"), cell(row, "url"))).collect(),
        categories: offer.list("categories").to_vec(),
        media: pictures.filter(|(_, digest)| !digest.is_empty()).collect(),
        screenshots: offer.list("screenshots").to_vec(),
        plans: plans.collect(),
    }
}

fn japanese(fields: &Fields) -> WordsRow {
    let text = |key: &str| mercat_domain::document::text(fields, key).to_owned();
    WordsRow {
        title: text("titleJa"),
        summary: text("summaryJa"),
        long_summary: text("longSummaryJa"),
        description: sanitise::html(&text("descriptionJa")),
    }
}

/// The listing in the language of a reader, as far as its publisher wrote it; the rest stays as it is.
pub fn in_language(mut listing: ListingRow, locale: &str) -> ListingRow {
    if locale != "ja" {
        return listing;
    }
    let pick = |slot: &mut String, words: &str| {
        if !words.is_empty() {
            words.clone_into(slot);
        }
    };
    pick(&mut listing.title, &listing.ja.title);
    pick(&mut listing.summary, &listing.ja.summary);
    pick(&mut listing.long_summary, &listing.ja.long_summary);
    pick(&mut listing.description, &listing.ja.description);
    for plan in &mut listing.plans {
        pick(&mut plan.title, &plan.ja.title);
        pick(&mut plan.summary, &plan.ja.summary);
        pick(&mut plan.description, &plan.ja.description);
    }
    listing
}

fn edge(plan: &Plan) -> Option<EdgeRow> {
    let pairs = |key: &str| {
        let cell = |row: &BTreeMap<String, String>, key: &str| row.get(key).cloned().unwrap_or_default();
        rows(&plan.fields, key).iter().map(|row| (cell(row, "name"), cell(row, "value"))).collect()
    };
    let edge = EdgeRow {
        routes: pairs("edgeRoutes"),
        twin: pairs("edgeTwin"),
        env: pairs("edgeEnv"),
        create_options: plan.text("edgeCreateOptions").to_owned(),
    };
    (edge != EdgeRow::default()).then_some(edge)
}
