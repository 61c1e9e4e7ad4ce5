//! Pages for people. Real forms; everything works without a script.

mod account;
mod assets;
mod chart;
mod compare;
mod contact;
mod editor;
mod exceptions;
mod feeds;
mod filled;
mod frame;
mod history;
mod insights;
mod look;
mod notices;
mod numbers;
mod offer_file;
mod offers;
mod operator;
mod portal;
mod product;
mod review;
mod status;
mod storefront;
mod styleguide;
mod support;
mod webhooks;

pub(crate) use editor::resolve;
pub(crate) use frame::Frame;
pub(crate) use storefront::Where;

use crate::Site;
use crate::guard::Caller;
use crate::problem::classify;
use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use mercat_app::AppError;
use mercat_text::Locale;
use std::sync::Arc;

pub(crate) type Answer = Result<Response, Response>;

pub(crate) fn router() -> Router<Arc<Site>> {
    let o = |tail: &str| format!("/portal/offers/{{publisher}}/{{offer}}{tail}");
    Router::new()
        .route("/", get(async || Redirect::to("/marketplace")))
        .route("/static/{file}", get(assets::asset))
        .route("/styleguide", get(styleguide::page))
        .route("/rules", get(styleguide::rules))
        .route("/accessibility", get(styleguide::accessibility))
        .route("/language/{locale}", get(language))
        .route("/media/{digest}", get(storefront::picture))
        .route("/marketplace", get(storefront::catalogue))
        .route("/marketplace/apps/category/{category}", get(storefront::category))
        .route("/marketplace/apps/{id}", get(product::live))
        .route("/marketplace/apps/{id}/sbom/{digest}", get(product::sbom))
        .route("/marketplace/apps/{id}/get/{plan}", get(product::get_page).post(product::get))
        .route("/marketplace/preview/{id}", get(product::preview))
        .route("/marketplace/apps/{id}/contact", get(contact::form).post(contact::ask))
        .route("/marketplace/preview/{id}/contact", get(contact::form).post(contact::ask))
        .route("/portal/publishers/{publisher}/leads", get(contact::leads))
        .route("/portal/publishers/{publisher}/leads.csv", get(crate::api::leads::csv))
        .route("/portal/publishers/{publisher}/leads/{lead}/replay", post(contact::replay))
        .route("/portal/publishers/{publisher}/leads/{lead}/erase", post(contact::erase))
        .route(&o("/test-lead"), post(contact::test_lead))
        .route(&o("/exceptions/new"), get(exceptions::form))
        .route(&o("/exceptions"), post(exceptions::ask))
        .route("/portal/publishers/{publisher}/exceptions", get(exceptions::all))
        .route("/portal/publishers/{publisher}/exceptions/{exception}", post(exceptions::inform))
        .route("/portal/operator/exceptions", get(exceptions::queue))
        .route("/portal/operator/exceptions/{exception}", post(exceptions::decide))
        .route("/portal/publishers/{publisher}/insights", get(insights::page))
        .route("/portal/publishers/{publisher}/insights.csv", get(crate::api::insights::csv))
        .route("/marketplace/feed.atom", get(feeds::catalogue))
        .route("/marketplace/apps/category/{category}/feed.atom", get(feeds::category))
        .route("/marketplace/apps/{id}/feed.atom", get(feeds::offer))
        .route("/portal/publishers/{publisher}/notices", get(notices::page).post(notices::save))
        .route("/portal/publishers/{publisher}/subscribers", post(notices::others))
        .route("/support", get(support::all).post(support::open))
        .route("/support/new", get(support::form))
        .route("/support/{id}", get(support::one).post(support::reply))
        .route("/support/{id}/attachments/{digest}", get(crate::api::support::attachment))
        .route("/portal/publishers/{publisher}/webhooks", get(webhooks::all).post(webhooks::create))
        .route("/portal/publishers/{publisher}/webhooks/{webhook}", get(webhooks::one).post(webhooks::act))
        .route("/sign-in", get(account::sign_in_page).post(account::sign_in))
        .route("/sign-out", post(account::sign_out))
        .route("/portal", get(offers::page))
        .route("/portal/new", get(portal::new_page))
        .route("/portal/publishers/{publisher}/offers", post(portal::create))
        .route("/portal/publishers/{publisher}/mail", get(portal::mailbox))
        .route(&o("/editor"), get(editor::first))
        .route(&o("/editor/{page}"), get(editor::page).post(editor::save))
        .route(&o("/compare"), get(compare::page))
        .route(&o("/offer.yaml"), get(offer_file::export))
        .route(&o("/import"), get(offer_file::import_page).post(offer_file::import))
        .route(&o("/clone"), get(offer_file::clone_page).post(offer_file::clone_offer))
        .route(&o("/publish"), get(portal::publish_page).post(portal::publish))
        .route(&o("/status"), get(status::latest))
        .route(&o("/submissions/{submission}"), get(status::one))
        .route(&o("/submissions/{submission}/events"), get(status::live))
        .route(&o("/history"), get(history::page))
        .route(&o("/history.csv"), get(history::csv))
        .route(&o("/versions"), get(history::versions))
        .route(&o("/answer"), post(review::answer))
        .route(&o("/golive"), post(status::go_live))
        .route(&o("/retry"), post(status::retry))
        .route(&o("/cancel"), get(status::cancel_page).post(status::cancel))
        .route(&o("/delete"), get(offer_file::delete_page).post(offer_file::delete))
        .route("/portal/account", get(account::page))
        .route("/portal/account/tokens", post(account::new_token))
        .route("/portal/account/tokens/{id}/revoke", post(account::revoke_token))
        .route("/portal/account/subscriptions", post(account::new_subscription))
        .route("/portal/account/subscriptions/{id}/pull-tokens", post(account::new_pull_token))
        .route(
            "/portal/account/subscriptions/{id}/pull-tokens/{token}/revoke",
            post(account::revoke_pull_token),
        )
        .route("/sign-in/link", post(account::mail_link))
        .route("/portal/operator", get(operator::people))
        .route("/portal/operator/publishers", post(operator::new_publisher))
        .route("/portal/operator/members", post(operator::new_member))
        .route("/portal/publishers/{publisher}/numbers", get(numbers::publisher))
        .route("/portal/review", get(review::queue))
        .route("/portal/review/{submission}", get(review::page).post(review::act))
        .route("/portal/operator/numbers", get(numbers::operator))
        .route("/portal/operator/queues", get(operator::queues))
        .route("/portal/operator/health", get(operator::health))
}

/// Writes a page.
pub(crate) fn show(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => {
            let mut response = (status, Html(html)).into_response();
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => crate::problem::internal(&format!("a template: {error}")),
    }
}

pub(crate) fn see(path: &str) -> Response {
    Redirect::to(path).into_response()
}

pub(crate) fn fail(caller: &Caller) -> impl Fn(AppError) -> Response + '_ {
    |error| error_page(caller, &error)
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    f: Frame,
    title: String,
    what_to_do: String,
    /// Words of a library, which speaks English.
    technical: &'a str,
    problems: Vec<(String, String)>,
}

/// What went wrong, for a person.
pub(crate) fn error_page(caller: &Caller, error: &AppError) -> Response {
    if matches!(error, AppError::SignIn) {
        return see("/sign-in");
    }
    if let AppError::Ledger(_) | AppError::Seal(_) = error {
        tracing::error!(error = %error, "a page failed");
    }
    let (status, _, title) = classify(error);
    let f = Frame::new(caller);
    let problems = match error {
        AppError::Problems(problems) => {
            problems.iter().map(|problem| (problem.path.clone(), filled::sentence(&f, problem))).collect()
        }
        _ => Vec::new(),
    };
    let what_to_do = match error {
        AppError::NotFound => f.t("ui-not-found-next"),
        AppError::Forbidden => f.t("ui-forbidden-next"),
        _ => String::new(),
    };
    show(status, &ErrorPage { title: f.t(title), f, what_to_do, technical: "", problems })
}

/// What was sent is no form of ours, or no address: what to do in the reader's language, and the parser's own words
/// set apart from it.
pub(crate) fn unreadable(caller: &Caller, status: StatusCode, technical: &str) -> Response {
    let f = Frame::new(caller);
    let what_to_do = match status {
        StatusCode::PAYLOAD_TOO_LARGE => f.t("ui-too-large"),
        _ => f.t("ui-unreadable-next"),
    };
    show(status, &ErrorPage { title: f.t("ui-unreadable"), f, what_to_do, technical, problems: Vec::new() })
}

/// Back to where the person was, as a path of this server.
async fn language(Path(locale): Path<String>, headers: HeaderMap) -> Response {
    let code = Locale::negotiate(&locale).code();
    let back = headers.get(header::REFERER).and_then(|value| value.to_str().ok()).unwrap_or("/");
    let path =
        back.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or("/");
    let path = if path.starts_with("//") { "/" } else { path };
    let mut response = see(path);
    if let Ok(cookie) = format!("lang={code}; Path=/; Max-Age=31536000; SameSite=Lax").parse() {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
