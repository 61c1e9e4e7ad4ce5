//! The page of one offer, live or in preview: what it is, what was found out about it, and how to get it.

use super::filled::{Form, Query};
use super::{Answer, Frame, error_page, fail, see, show};
use crate::Site;
use crate::api::listing_key;
use crate::guard::Caller;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use mercat_app::{AppError, Interest, Terms, Urn, check_interest, in_language};
use mercat_domain::country::is_country;
use mercat_domain::exception::excused_by;
use mercat_domain::lead::{LeadKind, Person};
use mercat_domain::{Millis, OfferKey};
use mercat_store::{
    FindingRow, ListedPlan, ListingRow, OfferRow, PaperRow, ReportRow, ReviewRow, StandingRow,
    SubscriptionRow, TimingRow, find, load,
};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// What an exception lets pass, as far as everybody may know it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Excused {
    rule: String,
    /// The vulnerability and its package, where it is one.
    about: String,
    words: String,
}

/// What certification found out, as far as everybody may know it.
#[derive(Default)]
struct Trust {
    certified: Option<Millis>,
    /// When the publisher looked at the preview and let it go live.
    signed_off: Option<Millis>,
    /// Whether a person of the certification team looked at it.
    reviewed: bool,
    /// Name and date of the policy pack.
    policies: Vec<String>,
    /// The day of the newest advisory.
    advisories: Vec<String>,
    /// Open findings of each severity that does not block.
    warnings: usize,
    /// Rules that were let pass, and by what.
    excused: Vec<Excused>,
    notes: usize,
    /// What would block a submission of the same today.
    open: usize,
    /// When it was judged again.
    judged: Option<Millis>,
    /// Platform and digest of bills of materials.
    sboms: Vec<(String, String)>,
    /// Digests of what was judged.
    subjects: Vec<String>,
}

/// Reads the verdicts about the plans that the caller sees, and about no others.
async fn trust(site: &Site, listing: &ListingRow) -> Result<Trust, AppError> {
    let ledger = &*site.app.ledger;
    let step = format!("{}/certify", listing.submission);
    let certified = load::<TimingRow>(ledger, &step).await?.map(|row| row.row.ended);
    let signed_off = load::<TimingRow>(ledger, &format!("{}/signoff", listing.submission)).await?;
    let review = load::<ReviewRow>(ledger, &listing.submission).await?;
    let mut out = Trust {
        certified,
        signed_off: signed_off.map(|row| row.row.ended),
        reviewed: review.is_some_and(|row| row.row.decision == "approved"),
        ..Trust::default()
    };
    let Some(mut report) = load::<ReportRow>(ledger, &step).await?.map(|found| found.row) else {
        return Ok(out);
    };
    // What is known now, where it was judged again since.
    let key = format!("{}/{}", listing.publisher, listing.offer);
    let standing = load::<StandingRow>(ledger, &key).await?.map(|found| found.row);
    if let Some(row) = standing.filter(|row| row.submission == listing.submission && row.judged > 0) {
        out.judged = Some(row.judged);
        report.verdicts = row.verdicts;
        // What was let pass of tags and listing stays told, which are not judged again: it is in a field.
        report.findings.retain(|one| one.is_excused() && !one.field.is_empty());
        report.findings.extend(row.findings);
    }
    let shown = |digest: &str| {
        listing.plans.iter().any(|plan| {
            plan.manifests.contains_key(digest)
                || plan.tags.values().any(|tag| tag == digest)
                || plan.disks.iter().any(|disk| disk.digest == digest)
        })
    };
    for (digest, paper) in report.verdicts.iter().filter(|(digest, _)| shown(digest)) {
        let Some(paper) = load::<PaperRow>(ledger, paper).await? else { continue };
        let document: Value = serde_json::from_str(&paper.row.text).unwrap_or_default();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let policy = &document["policy"];
        out.policies.push(format!("{} {}", word(&policy["name"]), word(&policy["date"])));
        out.advisories
            .push(word(&document["advisories"]["newest"]).split('T').next().unwrap_or_default().to_owned());
        let findings = document["findings"].as_array().cloned().unwrap_or_default();
        let count = |severity: &str| findings.iter().filter(|row| row["severity"] == severity).count();
        out.warnings += count("warning");
        out.notes += count("info");
        let images = document["images"].as_array().cloned().unwrap_or_default();
        let parts = images.iter().chain(document.get("disk"));
        let sboms = parts.map(|part| (word(&part["platform"]), word(&part["sbom"])));
        out.sboms.extend(sboms.filter(|(_, sbom)| !sbom.is_empty()));
        out.subjects.push(digest.clone());
    }
    let public = |row: &&FindingRow| listing.plans.iter().any(|plan| plan.id == row.plan);
    let granted = site.app.granted_exceptions(&listing.publisher).await?;
    for row in report.findings.iter().filter(public) {
        let number = excused_by(&row.fix);
        match granted.iter().find(|exception| Some(exception.number) == number) {
            Some(exception) => {
                // Which vulnerability it is, everybody may know; of others, what was seen tells too much.
                let is_known = ["CTR-20", "CTR-20-SUSPECT", "CTR-22"].contains(&row.rule.as_str())
                    && row.package.starts_with("pkg:");
                let about = if is_known { row.observed.split(';').next().unwrap_or_default() } else { "" };
                let (rule, about) = (row.rule.clone(), about.to_owned());
                out.excused.push(Excused { rule, about, words: exception.words() });
            }
            // The exception was withdrawn, or is over.
            None if number.is_some() => out.open += 1,
            None => out.open += usize::from(row.severity == "error"),
        }
    }
    out.excused.sort();
    out.excused.dedup();
    for list in [&mut out.policies, &mut out.advisories] {
        list.retain(|text| !text.trim().is_empty());
        list.sort();
        list.dedup();
    }
    Ok(out)
}

#[derive(Template)]
#[template(path = "product.html")]
struct Product {
    f: Frame,
    listing: ListingRow,
    kind: String,
    untranslated: bool,
    preview: bool,
    /// The preview's audience, for its publisher.
    audience: Vec<String>,
    registry: String,
    base: String,
    plain_http: bool,
    trust: Trust,
    accepted: Option<String>,
}

impl Product {
    fn slot(&self) -> &'static str {
        if self.preview { "preview" } else { "catalogue" }
    }

    fn id(&self) -> String {
        format!("{}.{}", self.listing.publisher, self.listing.offer)
    }

    fn price(&self, plan: &ListedPlan) -> String {
        let words = self.f.t(&format!("ui-price-{}", plan.license));
        if plan.price.is_empty() { words } else { self.f.t1("ui-price-hour", "price", &plan.price) }
    }

    /// The newest tag or version that is not `latest`.
    fn version(&self, plan: &ListedPlan) -> String {
        newest(plan)
    }

    /// What to run, with the name of each way; images are pinned by digest.
    fn commands(&self, plan: &ListedPlan) -> Vec<(String, String)> {
        let Self { listing, base, registry, .. } = self;
        let version = newest(plan);
        let urn = format!("{}:{}:{}:{version}", listing.publisher, listing.offer, plan.id);
        let flag = if self.preview { " --preview" } else { "" };
        let deploy = |to: &str| {
            (self.f.word("deploy", to), format!("mercat deploy --server {base} --to {to}{flag} {urn}"))
        };
        if !plan.disks.is_empty() {
            return ["qemu", "libvirt", "kubevirt", "openstack", "proxmox"].into_iter().map(deploy).collect();
        }
        let prefix = if self.preview { "preview/" } else { "" };
        let place = format!("{registry}/{prefix}{}/{}/{}", listing.publisher, listing.offer, plan.id);
        let Some(digest) = plan.tags.get(&version) else { return Vec::new() };
        let tls = if self.plain_http { "--tls-verify=false " } else { "" };
        let mut out = vec![
            ("Podman".to_owned(), format!("podman pull {tls}{place}@{digest}")),
            ("Docker".to_owned(), format!("docker pull {place}@{digest}")),
        ];
        out.extend(["kubernetes", "compose"].into_iter().map(deploy));
        out.extend(plan.edge.iter().map(|_| deploy("iot-edge")));
        out
    }

    /// How everybody can have the same judgement.
    fn verify(&self) -> Vec<String> {
        let Self { listing, registry, .. } = self;
        let prefix = if self.preview { "preview/" } else { "" };
        let images = listing.plans.iter().filter(|plan| plan.disks.is_empty());
        images
            .filter_map(|plan| {
                let digest = plan.tags.get(&newest(plan))?;
                let place = format!("{}/{}/{}", listing.publisher, listing.offer, plan.id);
                // Without TLS, and on a private address, certify asks for a word.
                let plain = if self.plain_http { format!(" --allow {registry}") } else { String::new() };
                Some(format!("mercat certify {registry}/{prefix}{place}@{digest}{plain}"))
            })
            .collect()
    }
}

fn newest(plan: &ListedPlan) -> String {
    let rank = |tag: &&String| {
        let numbers: Vec<u64> = tag.split(['.', '-']).map_while(|part| part.parse().ok()).collect();
        (tag.as_str() != "latest", numbers)
    };
    plan.tags.keys().max_by_key(rank).cloned().unwrap_or_else(|| "latest".to_owned())
}

#[derive(Deserialize)]
pub(super) struct Shown {
    accepted: Option<String>,
}

async fn one(site: &Site, caller: &Caller, id: &str, preview: bool, shown: Shown) -> Answer {
    let read = async {
        let key = listing_key(id)?;
        let listing = site.app.visible_listing(&caller.who, &key, preview).await?;
        let offer =
            load::<OfferRow>(&*site.app.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?.row;
        let trust = trust(site, &listing).await?;
        Ok::<_, AppError>((listing, offer, trust))
    };
    let (listing, offer, trust) = read.await.map_err(fail(caller))?;
    let base = site.app.settings.base_url.clone();
    let own = caller.who.role(&listing.publisher).is_some() || caller.who.operator;
    // Publishers who look at their own page are no customers.
    if !preview && !own {
        site.count((&listing.publisher, &listing.offer), "view", "", "").await;
    }
    let f = Frame::new(caller);
    // Whoever reads Japanese is told where the publisher did not write it.
    let untranslated = f.code() == "ja" && (listing.ja.title.is_empty() || listing.ja.description.is_empty());
    let listing = in_language(listing, f.code());
    let page = Product {
        f,
        untranslated,
        kind: offer.kind,
        audience: if preview && own { offer.audience } else { Vec::new() },
        registry: base.split_once("://").map_or(base.as_str(), |(_, host)| host).to_owned(),
        plain_http: base.starts_with("http://"),
        base,
        listing,
        preview,
        trust,
        accepted: shown.accepted,
    };
    Ok(show(StatusCode::OK, &page))
}

pub(super) async fn live(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
) -> Answer {
    one(&site, &caller, &id, false, shown).await
}

pub(super) async fn preview(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
) -> Answer {
    one(&site, &caller, &id, true, shown).await
}

/// A bill of materials of what the caller sees.
pub(super) async fn sbom(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((id, digest)): Path<(String, String)>,
) -> Answer {
    let found = async {
        let listing = site.app.visible_listing(&caller.who, &listing_key(&id)?, false).await?;
        let trust = trust(&site, &listing).await?;
        if !trust.sboms.iter().any(|(_, known)| *known == digest) {
            return Err(AppError::NotFound);
        }
        let paper = load::<PaperRow>(&*site.app.ledger, &format!("sbom/{digest}")).await?;
        Ok(paper.ok_or(AppError::NotFound)?.row.text)
    };
    let text = found.await.map_err(fail(&caller))?;
    Ok(([(header::CONTENT_TYPE, "application/vnd.cyclonedx+json")], text).into_response())
}

#[derive(Template)]
#[template(path = "get.html")]
struct Get {
    f: Frame,
    listing: ListingRow,
    plan: ListedPlan,
    subscriptions: Vec<(SubscriptionRow, Option<Millis>)>,
    digest: String,
    /// What was written into the form.
    sent: Wanted,
    problem: Option<String>,
}

async fn asking(site: &Site, caller: &Caller, key: &OfferKey, plan: &str) -> Result<Get, AppError> {
    let listing = site.app.visible_listing(&caller.who, key, false).await?;
    let plan = listing.plans.iter().find(|listed| listed.id == plan).ok_or(AppError::NotFound)?.clone();
    let urn = Urn { key: key.clone(), plan: plan.id.clone(), version: newest(&plan) };
    let rows = find::<SubscriptionRow>(&*site.app.ledger, "user", caller.actor()).await?;
    let mut subscriptions = Vec::new();
    let mut digest = String::new();
    for row in rows {
        let Terms { accepted, digest: now, .. } =
            site.app.terms(&caller.who, &row.row.id, &urn, false).await?;
        digest = now.to_string();
        subscriptions.push((row.row, accepted));
    }
    let f = Frame::new(caller);
    let listing = in_language(listing, f.code());
    let plan = listing.plans.iter().find(|listed| listed.id == plan.id).cloned().unwrap_or(plan);
    Ok(Get { f, listing, plan, subscriptions, digest, sent: Wanted::default(), problem: None })
}

/// Asks for subscription, market and consent, on a page of its own.
pub(super) async fn get_page(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((id, plan)): Path<(String, String)>,
) -> Answer {
    let page = async { asking(&site, &caller, &listing_key(&id)?, &plan).await };
    Ok(show(StatusCode::OK, &page.await.map_err(fail(&caller))?))
}

#[derive(Deserialize, Default, Clone)]
pub(super) struct Wanted {
    #[serde(default)]
    subscription: String,
    #[serde(default)]
    market: String,
    #[serde(default)]
    digest: String,
    terms: Option<String>,
    #[serde(default)]
    email: String,
    /// That the publisher gets the address.
    consent: Option<String>,
}

impl Wanted {
    /// The lead that somebody agrees to become.
    fn interest(&self, plan: &str) -> Option<Interest> {
        self.consent.as_ref()?;
        // Markets of offers that went live before may be no countries.
        let country = if is_country(&self.market) { self.market.clone() } else { String::new() };
        let person = Person { email: self.email.trim().to_owned(), country, ..Person::default() };
        let (kind, plan) = (LeadKind::GetItNow, plan.to_owned());
        Some(Interest { kind, plan, person, description: String::new(), consent: true })
    }
}

pub(super) async fn get(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((id, plan)): Path<(String, String)>,
    Form(wanted): Form<Wanted>,
) -> Answer {
    let key = listing_key(&id).map_err(fail(&caller))?;
    let mut page = asking(&site, &caller, &key, &plan).await.map_err(fail(&caller))?;
    page.sent = wanted.clone();
    let problem = match () {
        () if wanted.terms.is_none() => Some("ui-terms-needed"),
        () if !page.plan.markets.contains(&wanted.market) => Some("ui-market-needed"),
        () if page.subscriptions.iter().all(|(row, _)| row.id != wanted.subscription) => {
            Some("ui-subscription-needed")
        }
        () => None,
    };
    if let Some(problem) = problem {
        page.problem = Some(page.f.t(problem));
        return Ok(show(StatusCode::UNPROCESSABLE_ENTITY, &page));
    }
    let interest = wanted.interest(&plan);
    if interest.as_ref().is_some_and(|interest| !check_interest(interest).is_empty()) {
        page.problem = Some(page.f.t("ui-email-needed"));
        return Ok(show(StatusCode::UNPROCESSABLE_ENTITY, &page));
    }
    let urn = Urn { key: key.clone(), plan: plan.clone(), version: newest(&page.plan) };
    match site
        .app
        .accept_terms(&caller.who, &wanted.subscription, &urn, false, (&wanted.digest, &wanted.market))
        .await
    {
        Ok(_) => {}
        Err(AppError::Problems(_)) => {
            page.problem = Some(page.f.t("ui-terms-changed"));
            return Ok(show(StatusCode::UNPROCESSABLE_ENTITY, &page));
        }
        Err(error) => return Err(error_page(&caller, &error)),
    }
    // Only of who got it does the publisher learn the address.
    if let Some(interest) = interest {
        match site.app.record_interest(&caller.who, &key, false, &interest).await {
            // As many as they may be today are known already.
            Ok(_) | Err(AppError::Problems(_)) => {}
            Err(error) => return Err(error_page(&caller, &error)),
        }
    }
    Ok(see(&format!("/marketplace/apps/{id}?accepted={plan}#plan-{plan}")))
}
