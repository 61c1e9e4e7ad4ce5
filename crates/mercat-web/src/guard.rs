//! Who asks, and whether they may: before any handler runs.

use crate::routes::{self, About};
use crate::{Site, problem};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, Method};
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

/// Cookie with the page that somebody wanted to see before signing in.
pub(crate) const BACK: &str = "back";

/// Whether an address is of a page of this server to return to. Files are none: a browser that is sent to one stays
/// on the page where it was.
pub(crate) fn is_inside(address: &str) -> bool {
    let path = address.split('?').next().unwrap_or_default();
    let inside = ["/portal", "/support", "/marketplace/"].iter().any(|place| path.starts_with(place));
    let file =
        path.contains("/attachments/") || path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    inside && !file
}

/// The address of the page that is asked for, when it is one to return to.
fn back(request: &Request) -> Option<String> {
    let page = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok())?.contains("text/html");
    let address = request.uri().path_and_query()?.as_str();
    let usable = address.len() <= 1000 && !address.contains([';', ',', '"', '\\']);
    (request.method() == Method::GET && page && is_inside(address) && usable).then(|| address.to_owned())
}

/// Remembers where somebody wanted to go who has to sign in first.
fn back_later(mut response: Response, error: &AppError, back: Option<String>) -> Response {
    let cookie =
        back.map(|back| format!("{BACK}={back}; Path=/sign-in; Max-Age=3600; HttpOnly; SameSite=Lax"));
    if let (AppError::SignIn, Some(Ok(cookie))) = (error, cookie.map(|cookie| cookie.parse())) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Asks the one decision function. A route that is not in the table is refused.
pub(crate) async fn guard(
    State(site): State<Arc<Site>>,
    matched: MatchedPath,
    params: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let back = back(&request);
    let mut caller = Caller { path: path.clone(), ..Caller::stranger(request.headers()) };
    match principal(&site, request.headers()).await {
        Ok(who) => caller.who = who,
        Err(error) => return problem::answer(&caller, &path, &error),
    }
    let params = match params {
        Ok(params) => params,
        Err(error) => return problem::no_address(&caller, &path, &error.body_text()),
    };
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
        return back_later(problem::answer(&caller, &path, &error), &error, back);
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}
