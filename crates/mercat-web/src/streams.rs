//! Long answers: how many somebody has open, and whether they still may.

use crate::guard::{Caller, principal};
use crate::{Site, problem};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use mercat_domain::OfferKey;
use mercat_domain::access::{Action, Object};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Streams of one account at a time: more than anybody has windows.
const STREAMS_MAX: usize = 32;
/// How long somebody goes on reading who may not any more.
const ASKED_AGAIN: Duration = Duration::from_secs(5);

/// The streams of each account.
#[derive(Default)]
pub(crate) struct Streams(Mutex<HashMap<String, usize>>);

impl Streams {
    fn begin(&self, user: &str) -> bool {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(user.to_owned()).or_default();
        let fits = *count < STREAMS_MAX;
        *count += usize::from(fits);
        fits
    }

    fn end(&self, user: &str) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(user) {
            *count -= 1;
            if *count == 0 {
                open.remove(user);
            }
        }
    }
}

/// One stream about an offer, from its beginning to its end.
pub(crate) struct Watch {
    site: Arc<Site>,
    user: String,
    headers: HeaderMap,
    key: OfferKey,
    asked: Instant,
}

impl Watch {
    /// Begins a stream that the guard allowed.
    ///
    /// # Errors
    /// 429 when the account has as many as it may.
    pub(crate) fn begin(
        site: &Arc<Site>,
        caller: &Caller,
        headers: HeaderMap,
        key: &OfferKey,
    ) -> Result<Self, Response> {
        let user = caller.actor().to_owned();
        if !site.streams.begin(&user) {
            let detail = format!("{STREAMS_MAX} streams of this account are open: close some of them");
            return Err(problem::plain(StatusCode::TOO_MANY_REQUESTS, "streams", &detail));
        }
        Ok(Self { site: site.clone(), user, headers, key: key.clone(), asked: Instant::now() })
    }

    /// Whether who asked may still read the offer; looked up anew every few seconds.
    pub(crate) async fn may_go_on(&mut self) -> bool {
        if self.asked.elapsed() < ASKED_AGAIN {
            return true;
        }
        self.asked = Instant::now();
        let Ok(who) = principal(&self.site, &self.headers).await else { return false };
        let object = Object::Offer(&self.key.publisher, &self.key.offer);
        self.site.app.permit(&who, Action::ReadOffers, object).is_ok()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.site.streams.end(&self.user);
    }
}
