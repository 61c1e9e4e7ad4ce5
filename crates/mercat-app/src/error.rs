//! Why a verb did nothing.

use mercat_domain::offer::Problem;
use mercat_domain::run::Refusal;
use mercat_store::LedgerError;

/// Bad news of a verb; the doors turn it into a page or a problem document.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// There is no such thing, or the caller may not know of it.
    #[error("there is nothing here")]
    NotFound,
    /// The caller is not known.
    #[error("sign in first")]
    SignIn,
    /// The caller is known and may not.
    #[error("this is not allowed")]
    Forbidden,
    /// Fields are wrong.
    #[error("{}", attention(.0.len()))]
    Problems(Vec<Problem>),
    /// Somebody else looks at the submission; claim it first.
    #[error("somebody else looks at this submission; claim it first")]
    Claimed,
    /// The run does not allow it.
    #[error("refused: {}", .0.code())]
    Refused(Refusal),
    /// A submission is under way.
    #[error("submission {0} is under way")]
    InProgress(String),
    /// The document was changed since it was read.
    #[error("changed since it was read; the version is now {current}")]
    Stale {
        /// Version now.
        current: u64,
    },
    /// It exists already.
    #[error("it exists already")]
    Exists,
    /// There is a request for an exception from the same, of this number.
    #[error("exception {0} was asked for this finding before, and is open or in force")]
    Asked(u64),
    /// A published offer cannot be deleted.
    #[error("a published offer cannot be deleted")]
    Published,
    /// It was delivered, or is on its way.
    #[error("it was delivered, or is on its way; there is nothing to send again")]
    Settled,
    /// The Idempotency-Key belongs to another request.
    #[error("the Idempotency-Key belongs to another request")]
    KeyReused,
    /// The terms of the plan were not accepted for this subscription.
    #[error("the terms of this plan were not accepted for this subscription")]
    Terms,
    /// The ledger does not answer.
    #[error("the ledger does not answer")]
    Ledger(#[from] LedgerError),
    /// A secret cannot be sealed or opened.
    #[error("a secret cannot be opened with this server's key")]
    Seal(#[from] crate::SealError),
}

fn attention(fields: usize) -> String {
    if fields == 1 {
        "one field needs attention".to_owned()
    } else {
        format!("{fields} fields need attention")
    }
}

impl From<Refusal> for AppError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
