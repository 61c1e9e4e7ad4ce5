//! The product page of a submission, composed once from its snapshot.

use crate::sanitise;
use mercat_domain::document::rows;
use mercat_domain::{Document, Plan};
use mercat_store::{EdgeRow, ListedPlan, ListingRow};
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
