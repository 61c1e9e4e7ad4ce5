//! The counter: one file per verb, between the doors and the rules.
//!
//! A verb loads rows, asks `mercat-domain` to decide, and commits what follows in
//! one transaction. It never sees a byte of an artifact.

mod accounts;
mod announcements;
mod cancel;
mod clockwork;
mod deliveries;
mod deploy;
mod edit_offer;
mod error;
mod exceptions;
mod go_live;
mod insights;
mod leads;
mod listing;
mod measure;
mod notices;
mod numbers;
mod publish;
mod pull;
mod record_step;
mod review;
mod rotate;
mod sanitise;
mod seal;
mod search;
mod standing;
mod status;
mod subscribers;
mod support;
mod transition;
mod webhooks;

pub use accounts::{NewToken, hash_secret};
pub use announcements::{Deprecation, Recertification};
pub use deploy::{Deployment, Terms, Urn};
pub use edit_offer::{Draft, clone_public};
pub use error::AppError;
pub use exceptions::{ExceptionDecision, ExceptionRequest, bound};
pub use insights::{Insight, Seen, Tally};
pub use leads::{Delivered, Interest, LeadWork, check_interest};
pub use listing::{Media, compose_listing, in_language};
pub use notices::NoticeFacts;
pub use numbers::{Happened, to_preview};
pub use publish::PublishRequest;
pub use pull::{Repository, SPECIMEN_USER};
pub use record_step::{Report, StepOutcome, StepTask};
pub use review::Decision;
pub use seal::{MasterKey, SealError};
pub use search::{Asked, Catalogue, Entry, Facet, Found, Order};
pub use standing::AgainTask;
pub use status::{StatusView, StepView, Words};
pub use subscribers::Wish;
pub use support::{Concern, NewRequest, Reply};
pub use webhooks::{EVENTS as WEBHOOK_EVENTS, Happening, MessageWork};

use mercat_domain::Millis;
use mercat_domain::access::{self, Action, Answer, Object, Principal};
use mercat_domain::calendar::DAY;
use mercat_domain::lead::RetryPolicy;
use mercat_domain::run::{CancelRule, ReviewRule};
use mercat_store::SharedLedger;
use std::sync::Arc;
use tokio::sync::Notify;

/// Queue of publishing steps.
pub const STEPS: &str = "steps";
/// Queue of mails.
pub const OUTBOX: &str = "outbox";
/// Queue of leads and webhooks.
pub const DELIVERIES: &str = "deliveries";
/// Queue of clearing up.
pub const CLEANUP: &str = "cleanup";
/// Queue of live offers that are judged by what is known now.
pub const AGAIN: &str = "again";

/// What the operator sets.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where people reach this server, without a trailing slash.
    pub base_url: String,
    /// `publishing.cancel`.
    pub cancel: CancelRule,
    /// `publishing.review`.
    pub review: ReviewRule,
    /// Language of mails to people who chose none.
    pub locale: String,
    /// `leads`.
    pub leads: LeadSettings,
    /// Names of the regions that copies go to.
    pub regions: Vec<String>,
    /// Whether mails leave this server.
    pub mails: bool,
    /// Who hears what concerns the operator, beside operators whose address is known.
    pub operator_emails: Vec<String>,
    /// Groups of customers smaller than this are not told apart in insights.
    pub privacy_floor: u64,
}

/// How leads are repeated and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeadSettings {
    /// When deliveries are tried again, webhooks too.
    pub retry: RetryPolicy,
    /// Milliseconds after which personal data are taken out; 0 keeps them.
    pub keep: Millis,
}

impl Default for LeadSettings {
    fn default() -> Self {
        Self { retry: RetryPolicy::default(), keep: 365 * DAY }
    }
}

impl Settings {
    /// The defaults of a server that people reach under a URL.
    pub fn new(base_url: impl Into<String>) -> Self {
        let (cancel, leads) = (CancelRule::default(), LeadSettings::default());
        Self {
            base_url: base_url.into(),
            cancel,
            review: ReviewRule::default(),
            locale: "en".to_owned(),
            leads,
            regions: vec![],
            mails: false,
            operator_emails: vec![],
            privacy_floor: mercat_domain::insights::FLOOR,
        }
    }
}

/// The verbs.
#[derive(Clone)]
pub struct App {
    /// The ledger; doors read from it, only verbs write.
    pub ledger: SharedLedger,
    /// What the operator sets.
    pub settings: Arc<Settings>,
    /// Seals secrets.
    pub key: MasterKey,
    /// Rung when there is work; polling is what is relied on.
    pub bell: Arc<Notify>,
    /// The storefront, inverted.
    pub catalogue: Catalogue,
    /// Where this server may go.
    pub way_out: Arc<dyn WayOut>,
}

/// Whether an address that somebody gives could be reached at all, before anything is sent there.
pub trait WayOut: Send + Sync {
    /// # Errors
    /// Why this server would not go there.
    fn check(&self, url: &str) -> Result<(), &'static str>;
}

/// Decides nothing: for who sends nothing.
struct Anywhere;

impl WayOut for Anywhere {
    fn check(&self, _: &str) -> Result<(), &'static str> {
        Ok(())
    }
}

impl App {
    /// The counter over a ledger.
    pub fn new(ledger: SharedLedger, settings: Settings, key: MasterKey) -> Self {
        Self {
            ledger,
            settings: Arc::new(settings),
            key,
            bell: Arc::new(Notify::new()),
            catalogue: Catalogue::default(),
            way_out: Arc::new(Anywhere),
        }
    }

    /// The one place where a request is decided.
    ///
    /// # Errors
    /// The answer, when it is not "allow".
    pub fn permit(&self, who: &Principal, action: Action, object: Object<'_>) -> Result<(), AppError> {
        match access::may(who, action, object) {
            Answer::Allow => Ok(()),
            Answer::Hide => Err(AppError::NotFound),
            Answer::SignIn => Err(AppError::SignIn),
            Answer::Forbid => Err(AppError::Forbidden),
        }
    }
}

/// RFC 3339 in UTC, to the second.
pub fn rfc3339(at: mercat_domain::Millis) -> String {
    jiff::Timestamp::from_millisecond(at)
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}
