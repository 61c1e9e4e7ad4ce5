//! The kinds of credentials, by who gives them out. Shapes are from the providers' documentation and from
//! public collections of rules.

mod ai;
mod cloud;
mod forge;
mod general;
mod messaging;
mod operations;
mod passwords;
mod payment;
mod settings;
mod web;
mod written;

use crate::Writing;
use crate::kind::Kind;

/// Every kind. Where two fit the same bytes, the first is told.
pub(crate) fn all() -> impl Iterator<Item = &'static Kind> {
    let tables = [
        written::KINDS,
        cloud::KINDS,
        forge::KINDS,
        ai::KINDS,
        payment::KINDS,
        messaging::KINDS,
        operations::KINDS,
        web::KINDS,
        passwords::KINDS,
        general::KINDS,
    ];
    tables.into_iter().flatten()
}

/// Those of every table.
pub(crate) fn everywhere() -> impl Iterator<Item = &'static Kind> {
    all().chain(of(Writing::Settings)).chain(of(Writing::Program))
}

/// What is looked for besides in a file that somebody wrote.
pub(crate) fn of(writing: Writing) -> &'static [Kind] {
    match writing {
        Writing::Other => &[],
        Writing::Settings => settings::SETTINGS,
        Writing::Program => settings::PROGRAMS,
    }
}
