//! Verdict documents, in every form that `mercat certify --format` has.

use super::{Answer, Query, Shared, fail};
use crate::guard::Caller;
use crate::problem;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use mercat_app::{AppError, rfc3339};
use mercat_domain::OfferKey;
use mercat_report::{Report, Style};
use mercat_store::{PaperRow, load};
use serde::Deserialize;

/// The page carries its own style and nothing else; as a sandbox it has no origin either.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; sandbox";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Text,
    Sarif,
    Junit,
    Html,
    SelfTest,
}

/// Name in `format`, media type, and the type that is answered.
const FORMS: [(Form, &str, &str, &str); 6] = [
    (Form::Json, "json", "application/json", "application/json"),
    (Form::Text, "text", "text/plain", "text/plain; charset=utf-8"),
    (Form::Sarif, "sarif", "application/sarif+json", "application/sarif+json"),
    (Form::Junit, "junit", "application/xml", "application/xml; charset=utf-8"),
    (Form::Html, "html", "text/html", "text/html; charset=utf-8"),
    (Form::SelfTest, "self-test", "", "application/json"),
];

#[derive(Deserialize)]
pub(super) struct Wanted {
    format: Option<String>,
}

/// One verdict, for whoever may read the submission.
pub(super) async fn one(
    State(site): Shared,
    caller: Caller,
    Path((publisher, offer, id, digest)): Path<(String, String, String, String)>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Answer {
    let found = async {
        site.app.status(&OfferKey::new(publisher, offer), Some(&id)).await?;
        let paper = load::<PaperRow>(&*site.app.ledger, &format!("verdict/{id}/{digest}")).await?;
        Ok(paper.ok_or(AppError::NotFound)?.row)
    };
    let paper = found.await.map_err(fail(&caller))?;
    let form = match &wanted.format {
        None => accepted(&headers),
        Some(name) => {
            FORMS.iter().find(|(_, known, ..)| known == name).map(|(form, ..)| *form).ok_or_else(|| {
                problem::malformed("format", "use json, text, sarif, junit, html or self-test")
            })?
        }
    };
    write(&caller, form, &digest, paper)
}

/// The first form that the header names with a weight; browsers and tools that take anything get the document.
fn accepted(headers: &HeaderMap) -> Form {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let named = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        let form =
            FORMS.iter().find(|(_, _, known, _)| !known.is_empty() && known.eq_ignore_ascii_case(kind));
        form.filter(|_| !refused).map(|(form, ..)| *form)
    });
    named.into_iter().next().unwrap_or(Form::Json)
}

fn write(caller: &Caller, form: Form, name: &str, paper: PaperRow) -> Answer {
    let body = if form == Form::Json {
        paper.text
    } else {
        let report = match Report::parse(name, &paper.text) {
            Ok(report) => report,
            Err(error) => return Ok(problem::internal(&format!("paper {}: {error}", paper.key))),
        };
        compose(caller, form, report, paper.made)
    };
    let kind = FORMS.iter().find(|(known, ..)| *known == form).map_or("application/json", |(.., kind)| *kind);
    let mut response: Response = ([(header::CONTENT_TYPE, kind)], body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept, accept-language, cookie"));
    if form == Form::Html {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    }
    Ok(response)
}

fn compose(caller: &Caller, form: Form, report: Report, made: i64) -> String {
    let (locale, version) = (caller.locale, env!("CARGO_PKG_VERSION"));
    match form {
        Form::Sarif => mercat_report::sarif(&[report], version, locale),
        Form::Junit => mercat_report::junit(&[report], locale),
        Form::Html => mercat_report::html(&[report], locale),
        Form::SelfTest => mercat_report::self_test(&report, &us_date(&rfc3339(made))),
        Form::Text | Form::Json => {
            mercat_report::text(&report, &Style { colour: false, width: None, locale })
        }
    }
}

/// `2026-11-26T01:02:03Z` as `11/26/2026 01:02:03`, the way of the self-test.
fn us_date(stamp: &str) -> String {
    let (date, time) = stamp.trim_end_matches('Z').split_once('T').unwrap_or((stamp, ""));
    let parts: Vec<&str> = date.split('-').collect();
    match parts[..] {
        [year, month, day] => format!("{month}/{day}/{year} {time}"),
        _ => stamp.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_type_counts_and_anything_means_the_document() {
        let of = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().expect("a value"));
            accepted(&headers)
        };
        assert_eq!(of("text/html,application/xml;q=0.9,*/*;q=0.8"), Form::Html);
        assert_eq!(of("application/sarif+json"), Form::Sarif);
        assert_eq!(of("text/html;q=0, text/plain"), Form::Text);
        assert_eq!(of("*/*"), Form::Json);
        assert_eq!(of("image/png"), Form::Json);
        assert_eq!(accepted(&HeaderMap::new()), Form::Json);
    }

    #[test]
    fn dates_turn_the_way_of_the_self_test() {
        assert_eq!(us_date("2026-11-26T01:02:03Z"), "11/26/2026 01:02:03");
    }
}
