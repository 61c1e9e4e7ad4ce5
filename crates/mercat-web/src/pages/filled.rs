//! A form as it was sent: what was typed, and what is wrong with it.

use super::{Frame, fail, unreadable};
use crate::Site;
use crate::guard::Caller;
use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use mercat_app::AppError;
use mercat_domain::offer::Problem;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a form holds when it is shown; nothing at first.
#[derive(Default, Clone)]
pub(super) struct Filled {
    values: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Filled {
    /// The form again, after it was refused.
    ///
    /// # Errors
    /// The page of an error that is not about what was typed.
    pub(super) fn refused(
        caller: &Caller,
        error: AppError,
        values: &BTreeMap<String, String>,
    ) -> Result<Self, Response> {
        match error {
            AppError::Problems(problems) => Ok(Self { values: values.clone(), problems }),
            AppError::Exists => {
                let Some(name) = ["id", "offer"].into_iter().find(|name| values.contains_key(*name)) else {
                    return Err(fail(caller)(error));
                };
                let problem = Problem::new("F005", name, text(values, name), "an id that nobody has yet");
                Ok(Self { values: values.clone(), problems: vec![problem] })
            }
            other => Err(fail(caller)(other)),
        }
    }

    pub(super) fn is_refused(&self) -> bool {
        !self.problems.is_empty()
    }

    /// For a page that has no place for the form any more.
    pub(super) fn into_error(self) -> AppError {
        AppError::Problems(self.problems)
    }

    pub(super) fn status(&self) -> StatusCode {
        if self.problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
    }

    /// What was typed into a field.
    pub(super) fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// Whether a choice of a field is to be shown as chosen; `usual` is, as long as the field was not sent.
    pub(super) fn is(&self, name: &str, choice: &str, usual: &str) -> bool {
        self.values.get(name).map_or(usual, String::as_str) == choice
    }

    /// Whether a box is ticked.
    pub(super) fn ticked(&self, name: &str, usual: bool) -> bool {
        if self.values.is_empty() { usual } else { self.values.contains_key(name) }
    }

    /// All that is wrong, with the field that each is about.
    pub(super) fn told(&self, f: &Frame) -> Vec<(&str, String)> {
        self.problems.iter().map(|problem| (field(problem), sentence(f, problem))).collect()
    }

    /// What is wrong with one field.
    pub(super) fn about(&self, f: &Frame, name: &str) -> String {
        let mine = self.problems.iter().filter(|problem| field(problem) == name);
        mine.map(|problem| sentence(f, problem)).collect::<Vec<_>>().join(" ")
    }

    /// What an input says to those who do not see: whether it is wrong, and where it is told why.
    pub(super) fn marks(&self, name: &str) -> String {
        self.marks_beside(name, "")
    }

    /// The same for an input with a hint, by the hint's id.
    pub(super) fn marks_beside(&self, name: &str, hint: &str) -> String {
        match (self.problems.iter().any(|problem| field(problem) == name), hint) {
            (true, "") => format!(" aria-invalid=\"true\" aria-describedby=\"{name}-problem\""),
            (true, hint) => format!(" aria-invalid=\"true\" aria-describedby=\"{name}-problem {hint}\""),
            (false, "") => String::new(),
            (false, hint) => format!(" aria-describedby=\"{hint}\""),
        }
    }
}

/// `events/2` is about `events`; attachments are chosen in `files`.
fn field(problem: &Problem) -> &str {
    match problem.path.split('/').next().unwrap_or("") {
        "attachments" => "files",
        name => name,
    }
}

/// A problem in words: what is wrong, and what is required.
pub(super) fn sentence(f: &Frame, problem: &Problem) -> String {
    let said = format!("{}: {}", problem.code, f.t(problem.code));
    // "A value" says nothing more than the code does.
    if problem.required == "a value" { said } else { format!("{said} ({})", f.required(&problem.required)) }
}

/// The same where no field stands beside it: what it is about, first.
pub(super) fn whole_sentence(f: &Frame, subject: &str, problem: &Problem) -> String {
    if subject.is_empty() { sentence(f, problem) } else { format!("{subject}: {}", sentence(f, problem)) }
}

/// [`axum::Form`] for people: what cannot be read is told on a page.
pub(super) struct Form<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Site>> for Form<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &Arc<Site>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let read = axum::Form::from_request(Request::from_parts(parts, body), state).await;
        let read = read.map(|axum::Form(sent)| Self(sent));
        read.map_err(|error| unreadable(&caller, error.status(), &error.body_text()))
    }
}

/// A form with files, for people.
pub(super) struct Files(pub(super) Multipart);

impl FromRequest<Arc<Site>> for Files {
    type Rejection = Response;

    async fn from_request(request: Request, state: &Arc<Site>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let read = Multipart::from_request(Request::from_parts(parts, body), state).await;
        read.map(Self).map_err(|error| unreadable(&caller, error.status(), &error.body_text()))
    }
}

/// [`axum::extract::Query`] for people.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Site>> for Query<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<Site>) -> Result<Self, Response> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let read = axum::extract::Query::from_request_parts(parts, state).await;
        let read = read.map(|axum::extract::Query(asked)| Self(asked));
        read.map_err(|error| unreadable(&caller, error.status(), &error.body_text()))
    }
}

/// The texts of a form by name.
pub(super) type Texts = BTreeMap<String, String>;

/// One of them without the blanks around it.
pub(super) fn text<'a>(sent: &'a Texts, name: &str) -> &'a str {
    sent.get(name).map_or("", |text| text.trim())
}

/// What a form with files sent.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) texts: Texts,
    /// Names and bytes.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// Why the files could not be read; what was typed before them is there.
    broken: Option<Problem>,
}

impl Sent {
    /// # Errors
    /// A page for what is no form.
    pub(super) async fn read(caller: &Caller, mut form: Multipart) -> Result<Self, Response> {
        let mut sent = Self::default();
        loop {
            let part = match form.next_field().await {
                Ok(None) => return Ok(sent),
                Ok(Some(part)) => part,
                Err(error) => return sent.cut(caller, &error),
            };
            let name = part.name().unwrap_or("").to_owned();
            let read = match part.file_name().map(str::to_owned) {
                Some(file) => part.bytes().await.map(|bytes| match (file.as_str(), bytes.is_empty()) {
                    // Where nothing was chosen, browsers send this.
                    ("", true) => {}
                    (_, true) => {
                        let problem = Problem::new("F001", "attachments", &file, "a file that is not empty");
                        sent.broken = sent.broken.take().or(Some(problem));
                    }
                    _ => sent.files.push((file, bytes.to_vec())),
                }),
                None => part.text().await.map(|text| drop(sent.texts.insert(name, text))),
            };
            if let Err(error) = read {
                return sent.cut(caller, &error);
            }
        }
    }

    /// A form that is too large is one with its texts; any other that ends early is none.
    fn cut(mut self, caller: &Caller, error: &MultipartError) -> Result<Self, Response> {
        if error.status() != StatusCode::PAYLOAD_TOO_LARGE || self.texts.is_empty() {
            return Err(unreadable(caller, error.status(), &error.body_text()));
        }
        self.broken = Some(Problem::new("F008", "attachments", error.body_text(), "at most 24 MiB in all"));
        Ok(self)
    }

    /// # Errors
    /// When it was not read to its end.
    pub(super) fn whole(&mut self) -> Result<(), AppError> {
        self.broken.take().map_or(Ok(()), |problem| Err(AppError::Problems(vec![problem])))
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.texts.get(name).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    #[test]
    fn a_refused_form_keeps_what_was_typed_and_says_what_is_wrong_where() {
        let f = Frame::new(&Caller::stranger(&HeaderMap::new()));
        let empty = Filled::default();
        assert!(empty.is("role", "owner", "owner") && empty.ticked("N1", true) && empty.told(&f).is_empty());
        let problems = vec![
            Problem::new("F003", "events/1", "x", "a type"),
            Problem::new("F008", "attachments", "9", "at most 5 files"),
        ];
        let values = BTreeMap::from([("events".to_owned(), "x".to_owned())]);
        let filled = Filled { values, problems };
        assert_eq!((filled.value("events"), filled.value("url")), ("x", ""));
        assert!(filled.is("role", "owner", "owner") && !filled.ticked("N1", true));
        assert!(filled.about(&f, "events").ends_with("(a type)"), "{}", filled.about(&f, "events"));
        assert_eq!(filled.marks("files"), " aria-invalid=\"true\" aria-describedby=\"files-problem\"");
        assert_eq!(
            (filled.marks("url"), filled.marks_beside("url", "h")),
            (String::new(), " aria-describedby=\"h\"".into())
        );
        assert!(filled.marks_beside("files", "h").ends_with("aria-describedby=\"files-problem h\""));
        assert_eq!(filled.told(&f).iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["events", "files"]);
    }
}
