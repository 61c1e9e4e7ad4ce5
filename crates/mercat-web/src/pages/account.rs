//! Sign-in, tokens, subscriptions, and the operator's page.

use super::filled::{Filled, Form, Query, Texts, text};
use super::{Answer, Frame, error_page, fail, see, show};
use crate::Site;
use crate::api::people::scope;
use crate::guard::{BACK, COOKIE_NAMES, Caller, cookie, is_inside};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use mercat_app::AppError;
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
/// It leads to the page that was wanted before.
pub(super) async fn sign_in(
    State(site): State<Arc<Site>>,
    caller: Caller,
    headers: HeaderMap,
    Form(link): Form<Link>,
) -> Answer {
    match site.app.redeem_link(link.link.as_deref().unwrap_or("")).await {
        Ok(value) => {
            let secure = site.app.settings.base_url.starts_with("https://");
            let cookie = match secure {
                true => {
                    format!("__Host-mercat={value}; Path=/; Max-Age=604800; Secure; HttpOnly; SameSite=Lax")
                }
                false => format!("mercat={value}; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"),
            };
            let back = self::cookie(&headers, BACK).filter(|path| is_inside(path));
            let mut response = see(back.unwrap_or("/portal"));
            let forgotten = format!("{BACK}=; Path=/sign-in; Max-Age=0; HttpOnly; SameSite=Lax");
            for cookie in [cookie, forgotten].iter().filter_map(|cookie| cookie.parse().ok()) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
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
    filled: Filled,
}

async fn account(
    site: &Site,
    caller: &Caller,
    (secret, filled): (Option<(String, String)>, Filled),
) -> Answer {
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
    let page = Account { f: Frame::new(caller), tokens: tokens.collect(), subscriptions, secret, filled };
    Ok(show(page.filled.status(), &page))
}

pub(super) async fn page(State(site): State<Arc<Site>>, caller: Caller) -> Answer {
    account(&site, &caller, Default::default()).await
}

pub(super) async fn new_token(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Form(sent): Form<Texts>,
) -> Answer {
    let text = |name| text(&sent, name);
    let made = async {
        let scope = scope(&caller, text("scope"))?;
        let days = text("days").parse().unwrap_or(0);
        site.app.create_token(caller.actor(), text("label"), scope, days).await
    };
    let end = match made.await {
        Ok(made) => (Some((text("label").to_owned(), made.secret)), Filled::default()),
        Err(error) => (None, Filled::refused(&caller, error, &sent)?),
    };
    account(&site, &caller, end).await
}

pub(super) async fn revoke_token(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer {
    site.app.revoke_token(caller.actor(), &id).await.map_err(fail(&caller))?;
    Ok(see("/portal/account"))
}

pub(super) async fn new_subscription(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Form(sent): Form<Texts>,
) -> Answer {
    let name = text(&sent, "name");
    match site.app.create_subscription(caller.actor(), name, None).await {
        Ok(_) => Ok(see("/portal/account")),
        Err(error) => account(&site, &caller, (None, Filled::refused(&caller, error, &sent)?)).await,
    }
}

pub(super) async fn new_pull_token(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer {
    let made = site.app.create_pull_token(caller.actor(), &id).await.map_err(fail(&caller))?;
    account(&site, &caller, (Some((id, made.secret)), Filled::default())).await
}

pub(super) async fn revoke_pull_token(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((id, token)): Path<(String, String)>,
) -> Answer {
    site.app.revoke_pull_token(caller.actor(), &id, &token).await.map_err(fail(&caller))?;
    Ok(see("/portal/account"))
}
