//! Sign-in, tokens, subscriptions, and the operator's page.

use super::{Answer, Frame, error_page, fail, see, show};
use crate::Site;
use crate::guard::{COOKIE_NAMES, Caller, cookie};
use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use mercat_app::AppError;
use mercat_domain::access::Scope;
use mercat_store::{PullTokenRow, SubscriptionRow, TokenRow, find};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Link {
    link: Option<String>,
}

#[derive(Template)]
#[template(path = "sign-in.html")]
struct SignIn {
    f: Frame,
    link: String,
    used: bool,
    /// Whether a link can be asked for by mail.
    mails: bool,
    /// Whether one was.
    asked: bool,
}

impl SignIn {
    fn new(caller: &Caller, link: String) -> Self {
        Self { f: Frame::new(caller), link, used: false, mails: false, asked: false }
    }
}

#[derive(Deserialize)]
pub(super) struct Address {
    email: String,
}

/// Whoever an address belongs to gets a link; who asks learns nothing about it.
pub(super) async fn mail_link(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Form(address): Form<Address>,
) -> Answer {
    site.app.mail_link(&address.email, caller.locale.code()).await.map_err(fail(&caller))?;
    Ok(show(StatusCode::OK, &SignIn { asked: true, ..SignIn::new(&caller, String::new()) }))
}

pub(super) async fn sign_in_page(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Query(link): Query<Link>,
) -> Answer {
    let page =
        SignIn { mails: site.app.settings.mails, ..SignIn::new(&caller, link.link.unwrap_or_default()) };
    Ok(show(StatusCode::OK, &page))
}

/// The link is used up by a form, not by opening it: mail scanners open links.
pub(super) async fn sign_in(State(site): State<Arc<Site>>, caller: Caller, Form(link): Form<Link>) -> Answer {
    match site.app.redeem_link(link.link.as_deref().unwrap_or("")).await {
        Ok(value) => {
            let secure = site.app.settings.base_url.starts_with("https://");
            let cookie = match secure {
                true => {
                    format!("__Host-mercat={value}; Path=/; Max-Age=604800; Secure; HttpOnly; SameSite=Lax")
                }
                false => format!("mercat={value}; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"),
            };
            let mut response = see("/portal");
            if let Ok(cookie) = cookie.parse() {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            Ok(response)
        }
        Err(AppError::NotFound) => Ok(show(
            StatusCode::FORBIDDEN,
            &SignIn { used: true, mails: site.app.settings.mails, ..SignIn::new(&caller, String::new()) },
        )),
        Err(error) => Err(error_page(&caller, &error)),
    }
}

pub(super) async fn sign_out(State(site): State<Arc<Site>>, caller: Caller, headers: HeaderMap) -> Answer {
    for name in COOKIE_NAMES {
        if let Some(value) = cookie(&headers, name) {
            site.app.sign_out(value).await.map_err(fail(&caller))?;
        }
    }
    Ok(see("/marketplace"))
}

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    f: Frame,
    tokens: Vec<(String, String, String, i64)>,
    subscriptions: Vec<(SubscriptionRow, Vec<PullTokenRow>)>,
    secret: Option<(String, String)>,
}

async fn account(site: &Site, caller: &Caller, secret: Option<(String, String)>) -> Answer {
    let loaded = async {
        let tokens = find::<TokenRow>(&*site.app.ledger, "user", caller.actor()).await?;
        let subscriptions = find::<SubscriptionRow>(&*site.app.ledger, "user", caller.actor()).await?;
        let mut with_tokens = Vec::new();
        for subscription in subscriptions {
            let tokens = site.app.pull_tokens(caller.actor(), &subscription.row.id).await?;
            with_tokens.push((subscription.row, tokens));
        }
        Ok::<_, AppError>((tokens, with_tokens))
    };
    let (tokens, subscriptions) = loaded.await.map_err(fail(caller))?;
    let tokens = tokens.into_iter().map(|t| (t.row.id, t.row.label, t.row.scope, t.row.expires));
    let page = Account { f: Frame::new(caller), tokens: tokens.collect(), subscriptions, secret };
    Ok(show(StatusCode::OK, &page))
}

pub(super) async fn page(State(site): State<Arc<Site>>, caller: Caller) -> Answer {
    account(&site, &caller, None).await
}

#[derive(Deserialize)]
pub(super) struct NewToken {
    label: String,
    scope: String,
    days: u32,
}

pub(super) async fn new_token(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Form(new): Form<NewToken>,
) -> Answer {
    let scope = Scope::parse(&new.scope).unwrap_or(Scope::Read);
    if caller.who.scope.is_some_and(|own| own < scope) {
        return Err(error_page(&caller, &AppError::Forbidden));
    }
    let made =
        site.app.create_token(caller.actor(), &new.label, scope, new.days).await.map_err(fail(&caller))?;
    account(&site, &caller, Some((new.label, made.secret))).await
}

pub(super) async fn revoke_token(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer {
    site.app.revoke_token(caller.actor(), &id).await.map_err(fail(&caller))?;
    Ok(see("/portal/account"))
}

#[derive(Deserialize)]
pub(super) struct NewSubscription {
    name: String,
}

pub(super) async fn new_subscription(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Form(new): Form<NewSubscription>,
) -> Answer {
    site.app.create_subscription(caller.actor(), &new.name, None).await.map_err(fail(&caller))?;
    Ok(see("/portal/account"))
}

pub(super) async fn new_pull_token(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer {
    let made = site.app.create_pull_token(caller.actor(), &id).await.map_err(fail(&caller))?;
    account(&site, &caller, Some((id, made.secret))).await
}

pub(super) async fn revoke_pull_token(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((id, token)): Path<(String, String)>,
) -> Answer {
    site.app.revoke_pull_token(caller.actor(), &id, &token).await.map_err(fail(&caller))?;
    Ok(see("/portal/account"))
}
