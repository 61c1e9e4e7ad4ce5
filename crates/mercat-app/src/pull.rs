//! What may be pulled, and by whom.

use crate::accounts::REGISTRY_TOKEN_LIFE;
use crate::{App, AppError};
use mercat_domain::Digest;
use mercat_domain::access::{Action, Audience, Object, Principal};
use mercat_domain::ids::OfferKey;
use mercat_store::{ListedPlan, ListingRow, OfferRow, load};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// Who signs in at the registry with a specimen token instead of a subscription and its pull token.
pub const SPECIMEN_USER: &str = "certify";
/// What a registry token of a specimen begins with; those of pull tokens begin with a hash.
const SPECIMEN: &str = "certify-";

/// A repository that the caller may pull from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub plan: ListedPlan,
}

impl App {
    /// The repository of a name, when the caller may use it. Names are `publisher/offer/plan`, previews
    /// are below `preview/`. What is hidden answers exactly as what does not exist.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for both.
    pub async fn repository(&self, who: &Principal, name: &str) -> Result<Repository, AppError> {
        let (preview, rest) = match name.strip_prefix("preview/") {
            Some(rest) => (true, rest),
            None => (false, name),
        };
        let parts: Vec<&str> = rest.split('/').collect();
        let [publisher, offer, plan] = parts[..] else { return Err(AppError::NotFound) };
        let (listing, audience) = self.listing_in(&OfferKey::new(publisher, offer), preview).await?;
        let plan = listing.plans.into_iter().find(|listed| listed.id == plan).ok_or(AppError::NotFound)?;
        let audience = audience.or_else(|| plan.audience.clone());
        let object = Audience { publisher, preview, subscriptions: audience.as_deref() };
        self.permit(who, Action::UseListing, Object::Listing(object))?;
        Ok(Repository { name: name.to_owned(), plan })
    }

    /// The digest of a specimen's repository, `certify/` and 64 hex digits, when the caller may pull it;
    /// `None` for the name of any other repository.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when the caller may not, whether or not there is such an image.
    pub fn specimen(&self, who: &Principal, name: &str) -> Result<Option<Digest>, AppError> {
        let digest = name.strip_prefix("certify/").and_then(|hex| Digest::parse(&format!("sha256:{hex}")));
        let Some(digest) = digest else { return Ok(None) };
        self.permit(who, Action::PullSpecimen, Object::Specimen(digest.as_str()))?;
        Ok(Some(digest))
    }

    /// A registry token with which an image can be pulled while it is certified: this digest and what lies
    /// below it, for some seconds, and nothing else.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn specimen_token(&self, digest: &Digest, life_secs: u32) -> Result<String, AppError> {
        let expires = self.ledger.now().await? + i64::from(life_secs) * 1000;
        let text = format!("{SPECIMEN}{}.{expires}", digest.hex());
        Ok(format!("{text}.{}", self.mac(&text).await?))
    }

    /// The listing in a slot, when the caller may see it; plans that are not theirs are left out.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when there is none for this caller.
    pub async fn visible_listing(
        &self,
        who: &Principal,
        key: &OfferKey,
        preview: bool,
    ) -> Result<ListingRow, AppError> {
        let (mut listing, audience) = self.listing_in(key, preview).await?;
        let publisher = key.publisher.as_str();
        let own = who.role(publisher).is_some() || who.operator;
        let see = |subscriptions: Option<&[String]>| {
            let object = Object::Listing(Audience { publisher, preview, subscriptions });
            self.permit(who, Action::UseListing, object).is_ok()
        };
        if preview {
            if !see(audience.as_deref()) {
                return Err(AppError::NotFound);
            }
        } else {
            listing.plans.retain(|plan| see(plan.audience.as_deref()) && (own || !plan.hidden));
            if listing.plans.is_empty() {
                return Err(AppError::NotFound);
            }
        }
        if !own {
            // Who else is in a private audience is nobody's business.
            listing
                .plans
                .iter_mut()
                .for_each(|plan| plan.audience = plan.audience.take().map(|_| Vec::new()));
        }
        Ok(listing)
    }

    /// The listing of a slot with the preview's audience.
    async fn listing_in(
        &self,
        key: &OfferKey,
        preview: bool,
    ) -> Result<(ListingRow, Option<Vec<String>>), AppError> {
        let offer = load::<OfferRow>(&*self.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?.row;
        let (slot, audience) =
            if preview { (offer.preview, Some(offer.audience)) } else { (offer.live, None) };
        let listing = load::<ListingRow>(&*self.ledger, &slot.ok_or(AppError::NotFound)?).await?;
        Ok((listing.ok_or(AppError::NotFound)?.row, audience))
    }

    /// A short-lived registry token for whoever showed a pull token; it carries no right of its own,
    /// every request is decided again.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn registry_token(&self, pull_token_hash: &str) -> Result<String, AppError> {
        let expires = self.ledger.now().await? + REGISTRY_TOKEN_LIFE;
        let text = format!("{pull_token_hash}.{expires}");
        Ok(format!("{text}.{}", self.mac(&text).await?))
    }

    /// Who a registry token stands for; a stranger when it is not valid.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn by_registry_token(&self, token: &str) -> Result<Principal, AppError> {
        let stranger = Ok(Principal::default());
        let Some((text, mac)) = token.rsplit_once('.') else { return stranger };
        let Some((hash, expires)) = text.split_once('.') else { return stranger };
        let right = self.mac(text).await?;
        let fresh = expires.parse::<i64>().is_ok_and(|at| at > 0);
        if !bool::from(right.as_bytes().ct_eq(mac.as_bytes())) || !fresh {
            return stranger;
        }
        if expires.parse::<i64>().unwrap_or(0) < self.ledger.now().await? || hash.is_empty() {
            return stranger;
        }
        match hash.strip_prefix(SPECIMEN) {
            Some(hex) => Ok(Principal { specimen: Some(format!("sha256:{hex}")), ..Principal::default() }),
            None => self.by_pull_token(hash).await,
        }
    }

    /// HMAC-SHA-256 (RFC 2104) of a text under the registry key.
    pub(crate) async fn mac(&self, text: &str) -> Result<String, AppError> {
        let key = Sha256::digest(self.registry_key().await?.as_bytes());
        let pad = |byte: u8| {
            let mut block = [byte; 64];
            block.iter_mut().zip(key.iter()).for_each(|(at, byte)| *at ^= byte);
            block
        };
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
        let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
        Ok(outer.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MasterKey, Settings};
    use mercat_store::Memory;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[tokio::test]
    async fn a_specimen_token_names_one_digest_lapses_and_cannot_be_changed() {
        let clock = Arc::new(AtomicI64::new(1_000_000));
        let time = clock.clone();
        let ledger = Arc::new(Memory::new(Arc::new(move || time.load(Ordering::Relaxed))));
        let settings = Settings::new("http://here");
        let app = App::new(ledger, settings, MasterKey::new([7; 32]));
        let (own, other) = (Digest::from_sha256(&[1; 32]), Digest::from_sha256(&[2; 32]));
        let token = app.specimen_token(&own, 30).await.expect("made");
        let who = app.by_registry_token(&token).await.expect("answers");
        assert_eq!(who.specimen.as_deref(), Some(own.as_str()));
        let name = |digest: &Digest| format!("certify/{}", digest.hex());
        assert_eq!(app.specimen(&who, &name(&own)).expect("allowed"), Some(own.clone()));
        assert!(matches!(app.specimen(&who, &name(&other)), Err(AppError::NotFound)));
        assert!(matches!(app.specimen(&Principal::default(), &name(&own)), Err(AppError::NotFound)));
        assert_eq!(app.specimen(&who, "certify/offer/plan").expect("no specimen"), None);
        let longer = token.replacen(".10", ".90", 1);
        for forged in [token.replace(own.hex(), other.hex()), longer, format!("{token}0"), "certify-".into()]
        {
            assert_ne!(forged, token);
            assert_eq!(app.by_registry_token(&forged).await.expect("answers"), Principal::default());
        }
        clock.fetch_add(30_001, Ordering::Relaxed);
        assert_eq!(app.by_registry_token(&token).await.expect("answers"), Principal::default());
    }
}
