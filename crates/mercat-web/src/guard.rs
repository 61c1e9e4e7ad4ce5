//! Who asks, and whether they may: before any handler runs.

use crate::routes::{self, About};
use crate::{Site, problem};
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE};
use axum::middleware::Next;
use axum::response::Response;
use mercat_app::{AppError, hash_secret};
use mercat_domain::access::{Object, Principal};
use mercat_text::Locale;
use std::sync::Arc;

/// The caller of a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) who: Principal,
    pub(crate) locale: Locale,
    pub(crate) path: String,
}

impl Caller {
    /// Somebody who showed nothing.
    pub(crate) fn stranger(headers: &HeaderMap) -> Self {
        Self { who: Principal::default(), locale: locale(headers), path: String::new() }
    }

    /// The user's id for history; guarded routes that write have one.
    pub(crate) fn actor(&self) -> &str {
        self.who.user.as_deref().unwrap_or("")
    }
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Self, Response> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| problem::internal("a route without a guard"))
    }
}

pub(crate) const COOKIE_NAMES: [&str; 2] = ["__Host-mercat", "mercat"];

pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

pub(crate) fn locale(headers: &HeaderMap) -> Locale {
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or("");
    Locale::negotiate(cookie(headers, "lang").unwrap_or(accepted))
}

pub(crate) async fn principal(site: &Site, headers: &HeaderMap) -> Result<Principal, AppError> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(token) = bearer.and_then(|value| value.strip_prefix("Bearer ")) {
        let token = token.trim();
        // A pull token stands for its subscription and nothing else: what it may pull, it may download.
        if token.starts_with("pull_") {
            return site.app.by_pull_token(&hash_secret(token)).await;
        }
        return site.app.by_token(token).await;
    }
    match COOKIE_NAMES.iter().find_map(|name| cookie(headers, name)) {
        Some(value) => site.app.by_session(value).await,
        None => Ok(Principal::default()),
    }
}

/// Asks the one decision function. A route that is not in the table is refused.
pub(crate) async fn guard(
    State(site): State<Arc<Site>>,
    matched: MatchedPath,
    params: RawPathParams,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let mut caller = Caller { path: path.clone(), ..Caller::stranger(request.headers()) };
    match principal(&site, request.headers()).await {
        Ok(who) => caller.who = who,
        Err(error) => return problem::answer(&caller, &path, &error),
    }
    let Some(route) = routes::find(request.method().as_str(), matched.as_str()) else {
        return problem::answer(&caller, &path, &AppError::NotFound);
    };
    let part =
        |wanted: &str| params.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned());
    let (publisher, offer) = (part("publisher"), part("offer"));
    let allowed = match route.about {
        About::Market => site.app.permit(&caller.who, route.action, Object::Market),
        About::Publisher => {
            let publisher = publisher.unwrap_or_default();
            let object = match &offer {
                Some(offer) => Object::Offer(&publisher, offer),
                None => Object::Publisher(&publisher),
            };
            site.app.permit(&caller.who, route.action, object)
        }
        About::Listing => Ok(()),
    };
    if let Err(error) = allowed {
        return problem::answer(&caller, &path, &error);
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}
