//! The doors: storefront, portal, API and registry.
//!
//! Every route stands in [`routes::ROUTES`] with the action that it needs; one
//! guard asks `mercat-domain::access` before any handler runs, and the OpenAPI
//! document and the access matrix test are made from the same table.

#![expect(clippy::result_large_err, reason = "bad news is an answer too; it is made once a request")]

mod api;
mod disks;
mod guard;
mod media;
mod pages;
mod problem;
mod ranges;
mod registry;
mod specimens;
mod streams;

pub use mercat_routes as routes;
pub use mercat_routes::document as openapi_document;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use mercat_app::{App, AppError, Seen, Tally};
use mercat_depot::{Depot, Resolved, Spool};
use mercat_domain::limits::API_BODY_BYTES_MAX;
use mercat_domain::{OfferKey, OfferKind, Plan};
use mercat_store::FindingRow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

/// Attachments of one form, and what stands around them.
const FORM_BYTES_MAX: usize = (24 << 20) + (64 << 10);

/// How something of an installation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    Good(String),
    /// Works, with less.
    Note(String),
    /// Must be repaired.
    Bad(String),
}

/// Looks at the parts of an installation that the doors do not know.
#[async_trait::async_trait]
pub trait Examine: Send + Sync {
    /// What was looked at, and how it is.
    async fn examine(&self) -> Vec<(&'static str, Health)>;
}

/// Looks up what the references of a plan mean right now.
#[async_trait::async_trait]
pub trait Resolve: Send + Sync {
    /// What they mean, or what stands in the way.
    ///
    /// # Errors
    /// When this server cannot look.
    async fn resolve(
        &self,
        key: &OfferKey,
        kind: OfferKind,
        plan: &Plan,
    ) -> Result<Result<Vec<Resolved>, Box<FindingRow>>, AppError>;
}

/// What the doors need.
#[derive(Clone)]
pub struct Site {
    /// The verbs.
    pub app: App,
    /// The blobs.
    pub depot: Depot,
    /// Uploads.
    pub spool: Spool,
    disks: Arc<disks::Disks>,
    specimens: Arc<specimens::Specimens>,
    streams: Arc<streams::Streams>,
    doctor: Option<Arc<dyn Examine>>,
    resolver: Option<Arc<dyn Resolve>>,
    /// What was seen and pulled here, until it is written.
    pub tally: Tally,
    /// Turns to `true` when the server ends; long answers then end too.
    pub stop: watch::Receiver<bool>,
}

impl Site {
    /// Doors onto an app with its blobs; `stop` ends long answers.
    pub fn new(app: App, depot: Depot, spool: Spool, stop: watch::Receiver<bool>) -> Self {
        Self {
            app,
            depot,
            spool,
            disks: Arc::default(),
            specimens: Arc::default(),
            streams: Arc::default(),
            doctor: None,
            resolver: None,
            tally: Tally::default(),
            stop,
        }
    }
}

impl Site {
    /// The same, with somebody who can say how the installation is.
    #[must_use]
    pub fn examined_by(mut self, doctor: Arc<dyn Examine>) -> Self {
        self.doctor = Some(doctor);
        self
    }

    /// The same, with somebody who can look references up.
    #[must_use]
    pub fn resolved_by(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Counts something that a customer did. A clock that does not answer counts nothing.
    pub(crate) async fn count(
        &self,
        (publisher, offer): (&str, &str),
        what: &'static str,
        plan: &str,
        version: &str,
    ) {
        if let Ok(now) = self.app.ledger.now().await {
            let text = str::to_owned;
            let (publisher, offer, plan, version) = (text(publisher), text(offer), text(plan), text(version));
            self.tally.count(Seen { publisher, offer, what, plan, version }, now);
        }
    }
}

/// The whole HTTP service.
pub fn router(site: Site) -> Router {
    let site = Arc::new(site);
    let guarded = |router: Router<Arc<Site>>| {
        router.route_layer(axum::middleware::from_fn_with_state(site.clone(), guard::guard))
    };
    // Browsers send their cookie to the API too; programs with a token send no Origin and pass.
    let api = guarded(api::router()).layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX)).layer(CsrfLayer::new());
    let uploads =
        guarded(api::uploads()).layer(DefaultBodyLimit::max(FORM_BYTES_MAX)).layer(CsrfLayer::new());
    let pages = guarded(pages::router()).layer(DefaultBodyLimit::max(FORM_BYTES_MAX)).layer(CsrfLayer::new());
    let quick = Router::new().merge(api).merge(uploads).merge(pages).layer(TimeoutLayer::with_status_code(
        axum::http::StatusCode::SERVICE_UNAVAILABLE,
        Duration::from_secs(60),
    ));
    let streams = guarded(api::streams()).layer(DefaultBodyLimit::disable()).layer(CsrfLayer::new());
    let registry = registry::router();
    let set = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    Router::new()
        .merge(quick)
        .merge(streams)
        .merge(registry)
        .method_not_allowed_fallback(otherwise)
        .fallback(fallback)
        .with_state(site)
        .layer(set(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; \
             form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ))
        .layer(set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(set(header::REFERRER_POLICY, "same-origin"))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            problem::internal("a handler panicked").into_response()
        }))
}

async fn fallback(State(site): State<Arc<Site>>, request: axum::extract::Request) -> Response {
    let mut caller = guard::Caller::stranger(request.headers());
    // Who is signed in sees their own menu here, too.
    caller.who = guard::principal(&site, request.headers()).await.unwrap_or_default();
    problem::answer(&caller, request.uri().path(), &mercat_app::AppError::NotFound)
}

/// An address that only takes forms was opened, as the switch of languages does behind a form with an error: the page that
/// the form is on stands above it.
async fn otherwise(site: State<Arc<Site>>, request: axum::extract::Request) -> Response {
    let above = request.uri().path().rsplit_once('/').map_or("", |(above, _)| above);
    let is_page =
        ["/portal/", "/marketplace/", "/support/"].iter().any(|place| format!("{above}/").starts_with(place));
    match *request.method() {
        axum::http::Method::GET if is_page => axum::response::Redirect::to(above).into_response(),
        _ => fallback(site, request).await,
    }
}
