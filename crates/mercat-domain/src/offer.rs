//! Offers: the field table, the checks of a draft, and the status shown for it.

mod check;
mod diff;
pub mod disk;
pub mod fields;
mod pages;

pub use check::{CODES, Problem, check, check_secret, id_problem, is_email, is_https};
pub use diff::{Change, columns, diff, shown};
pub use pages::{PageState, page_state, tab_of};

use crate::run::State;

/// The one-word status of the "All offers" list (domain rules 1.3).
///
/// The list shows it beside the live state, because an offer whose last
/// publish failed may still be live.
pub fn status_key(latest: Option<State>) -> &'static str {
    match latest {
        None => "status-none",
        Some(State::Running) => "status-running",
        Some(State::WaitingForPublisherReview) => "status-waiting",
        Some(State::WaitingForApproval) => "status-review",
        Some(State::Succeeded) => "status-live",
        Some(State::Failed) => "status-failed",
        Some(State::Canceled) => "status-canceled",
    }
}
