//! Terms, accepted once a subscription, and the record of every deployment.

use crate::{App, AppError};
use mercat_domain::access::Principal;
use mercat_domain::offer::Problem;
use mercat_domain::{Digest, OfferKey};
use mercat_store::{
    AcceptanceRow, Commit, DeploymentRow, Expect, ListingRow, NewEvent, Query, commit_surely, list, load, put,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// A plan's version as automation names it: `publisher:offer:plan:version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urn {
    /// The offer.
    pub key: OfferKey,
    /// Plan id.
    pub plan: String,
    /// Version or tag; `latest` allowed.
    pub version: String,
}

impl Urn {
    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let [publisher, offer, plan, version] = parts[..] else { return None };
        let plain = |part: &str| {
            !part.is_empty()
                && part.len() <= 128
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        parts.iter().all(|part| plain(part)).then(|| Self {
            key: OfferKey::new(publisher, offer),
            plan: plan.to_owned(),
            version: version.to_owned(),
        })
    }
}

/// The terms of a plan, for one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Sanitised HTML; empty for the standard contract.
    pub text: String,
    /// Digest of what is accepted.
    pub digest: Digest,
    /// When the subscription accepted exactly these.
    pub accepted: Option<i64>,
}

/// What a deployment reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Which plan and version; never `latest`, that is resolved before.
    pub urn: String,
    /// Where to, for example `qemu` or `kubernetes`.
    pub target: String,
    /// Whether it worked.
    pub success: bool,
    /// In words.
    pub detail: String,
}

fn own(who: &Principal, subscription: &str) -> Result<(), AppError> {
    let owned = who.subscriptions.iter().any(|id| id.eq_ignore_ascii_case(subscription));
    if owned { Ok(()) } else { Err(AppError::NotFound) }
}

/// One record for each text that was accepted: none is ever overwritten.
fn acceptance_key(subscription: &str, key: &OfferKey, plan: &str, terms: &Digest) -> String {
    format!("{}/{}/{}/{plan}/{terms}", subscription.to_lowercase(), key.publisher, key.offer)
}

fn terms_digest(listing: &ListingRow) -> Digest {
    let text = if listing.terms.is_empty() { "standard contract" } else { &listing.terms };
    Digest::from_sha256(&Sha256::digest(text.as_bytes()))
}

impl App {
    /// The terms of a plan that the caller may use. `preview` looks at what is in preview.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a subscription, listing or plan that is not the caller's.
    pub async fn terms(
        &self,
        who: &Principal,
        subscription: &str,
        urn: &Urn,
        preview: bool,
    ) -> Result<Terms, AppError> {
        own(who, subscription)?;
        let listing = self.visible_listing(who, &urn.key, preview).await?;
        let plan = listing.plans.iter().find(|plan| plan.id == urn.plan).ok_or(AppError::NotFound)?;
        let pinned = urn.version.strip_prefix("sha256-").map(|hex| format!("sha256:{hex}"));
        let known = plan.tags.contains_key(&urn.version)
            || pinned.is_some_and(|digest| plan.manifests.contains_key(&digest));
        if !known {
            return Err(AppError::NotFound);
        }
        let digest = terms_digest(&listing);
        let key = acceptance_key(subscription, &urn.key, &urn.plan, &digest);
        let accepted = load::<AcceptanceRow>(&*self.ledger, &key).await?.map(|row| row.row.at);
        Ok(Terms { text: listing.terms, digest, accepted })
    }

    /// Accepts terms for a subscription, once. `digest` is that of the terms that the caller read,
    /// `market` the country that they chose, or empty.
    ///
    /// # Errors
    /// As [`App::terms`]; a problem when other terms apply by now.
    pub async fn accept_terms(
        &self,
        who: &Principal,
        subscription: &str,
        urn: &Urn,
        preview: bool,
        (digest, market): (&str, &str),
    ) -> Result<Terms, AppError> {
        // Offers that went live before may name what is no country any more; their customers cannot help it.
        let country = market.len() == 2 && market.bytes().all(|b| b.is_ascii_uppercase());
        if !country && !market.is_empty() {
            let required = "a country by ISO 3166-1, for example JP";
            return Err(AppError::Problems(vec![Problem::new("F003", "market", market, required)]));
        }
        let terms = self.terms(who, subscription, urn, preview).await?;
        if terms.digest.as_str() != digest {
            let required = format!("{}, the terms as they are now", terms.digest);
            return Err(AppError::Problems(vec![Problem::new("F003", "digest", digest, required)]));
        }
        if terms.accepted.is_some() {
            return Ok(terms);
        }
        let at = self.ledger.now().await?;
        let user = who.user.clone().unwrap_or_default();
        let row = AcceptanceRow {
            key: acceptance_key(subscription, &urn.key, &urn.plan, &terms.digest),
            subscription: subscription.to_lowercase(),
            terms: terms.digest.to_string(),
            user: user.clone(),
            market: market.to_owned(),
            at,
        };
        let mut commit = Commit::new();
        commit.writes.push(put(&row, Expect::Any));
        commit.events.push(NewEvent {
            // The customer's history, not the publisher's.
            subject: format!("subscription:{}", row.subscription),
            run: String::new(),
            kind: "terms-accepted".to_owned(),
            actor: user,
            body:
                json!({"offer": urn.key.to_string(), "plan": urn.plan, "terms": row.terms, "market": market})
                    .to_string(),
        });
        commit_surely(&*self.ledger, &commit).await?;
        Ok(Terms { accepted: Some(at), ..terms })
    }

    /// Records a deployment.
    ///
    /// # Errors
    /// As [`App::terms`]; [`AppError::Terms`] when they were not accepted.
    pub async fn record_deployment(
        &self,
        who: &Principal,
        subscription: &str,
        deployment: &Deployment,
        preview: bool,
    ) -> Result<DeploymentRow, AppError> {
        let urn = Urn::parse(&deployment.urn).filter(|urn| urn.version != "latest").ok_or_else(|| {
            let required = "publisher:offer:plan:version";
            AppError::Problems(vec![Problem::new("F003", "urn", &deployment.urn, required)])
        })?;
        let terms = self.terms(who, subscription, &urn, preview).await?;
        if terms.accepted.is_none() {
            return Err(AppError::Terms);
        }
        let cut = |text: &str, max: usize| text.chars().take(max).collect::<String>();
        let row = DeploymentRow {
            id: uuid::Uuid::now_v7().to_string(),
            subscription: subscription.to_lowercase(),
            publisher: urn.key.publisher.clone(),
            offer: urn.key.offer.clone(),
            urn: deployment.urn.clone(),
            preview,
            target: cut(&deployment.target, 40),
            success: deployment.success,
            detail: cut(&deployment.detail, 1000),
            user: who.user.clone().unwrap_or_default(),
            at: self.ledger.now().await?,
        };
        let mut commit = Commit::new();
        commit.writes.push(put(&row, Expect::Absent));
        commit_surely(&*self.ledger, &commit).await?;
        Ok(row)
    }

    /// The deployments of a subscription, newest first.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a subscription that is not the caller's.
    pub async fn deployments(
        &self,
        who: &Principal,
        subscription: &str,
    ) -> Result<Vec<DeploymentRow>, AppError> {
        own(who, subscription)?;
        let index = Some(("subscription", subscription.to_lowercase()));
        let query = Query { index, limit: 200, newest_first: true, ..Query::default() };
        let rows = list::<DeploymentRow>(&*self.ledger, query).await?;
        Ok(rows.into_iter().map(|row| row.row).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urns_have_four_plain_parts() {
        let urn = Urn::parse("aurora:gateway:standard:1.0.0").expect("a urn");
        assert_eq!((urn.key.to_string().as_str(), urn.version.as_str()), ("aurora/gateway", "1.0.0"));
        for bad in ["aurora:gateway:standard", "a:b:c:d:e", "a:b:c:", "a:b/..:c:d", "a:b:c:d e"] {
            assert_eq!(Urn::parse(bad), None, "{bad}");
        }
    }
}
