//! The editor: pages made from the field table, saved field by field, so that two people can write at once.

mod form;
mod merge;

use super::filled::{Files, Query, sentence};
use super::{Answer, Frame, fail, see};
use crate::Site;
use crate::guard::Caller;
use crate::media;
use askama::Template;
use axum::extract::{Multipart, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use form::{Control, Group, Resolved, Sent, input, label, on_page, place};
use mercat_app::{AppError, Draft, compose_listing, in_language};
use mercat_depot::Resolved as Looked;
use mercat_domain::document::Value;
use mercat_domain::offer::fields::{Rule, Scope, Tab};
use mercat_domain::offer::{PageState, Problem, page_state, tab_of};
use mercat_domain::run::{Shown, Step, StepStatus};
use mercat_domain::{Document, OfferKey, Plan};
use mercat_store::{FindingRow, ListingRow, OfferRow, Query as Rows, SubmissionRow, list, load};
use merge::Conflict;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long somebody waits for what references stand for.
const LOOK_PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
/// Submissions among which an earlier verdict is looked for.
const SUBMISSIONS_READ: u32 = 50;

/// Codes of what is missing, which is told when somebody asks whether the draft can be published.
const MISSING: [&str; 3] = ["F001", "F016", "F018"];

/// The last part of a page's address.
fn page_name(tab: Tab) -> &'static str {
    tab.key().trim_start_matches("tab-")
}

fn tab_named(name: &str) -> Option<Tab> {
    Tab::ALL.into_iter().find(|tab| page_name(*tab) == name)
}

/// A page in the list at the side.
struct Side {
    name: &'static str,
    title: String,
    state: PageState,
}

impl Side {
    fn tone(&self) -> &'static str {
        match self.state {
            PageState::NotStarted => "",
            PageState::Incomplete => "warn",
            PageState::Complete => "good",
        }
    }

    fn icon(&self) -> &'static str {
        match self.state {
            PageState::NotStarted => "none",
            PageState::Incomplete => "late",
            PageState::Complete => "done",
        }
    }
}

#[derive(Template)]
#[template(path = "editor/pages.html")]
struct Pages<'a> {
    f: &'a Frame,
    key: &'a OfferKey,
    here: &'static str,
    pages: Vec<Side>,
}

/// A link to a bad field, on whatever page it is.
struct Bad {
    url: String,
    label: String,
    words: String,
}

#[derive(Template)]
#[template(path = "editor/summary.html")]
struct Summary<'a> {
    f: &'a Frame,
    bad: Vec<Bad>,
    conflicts: usize,
}

#[derive(Template)]
#[template(path = "editor/problems.html")]
struct Problems<'a> {
    f: &'a Frame,
    name: &'a str,
    problems: Vec<String>,
    theirs: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "editor/listing.html")]
struct Preview<'a> {
    f: &'a Frame,
    kind: &'static str,
    listing: ListingRow,
}

#[derive(Template)]
#[template(path = "editor.html")]
struct Editor<'a> {
    f: &'a Frame,
    key: &'a OfferKey,
    here: &'static str,
    title: String,
    version: u64,
    groups: Vec<Group>,
    plans: bool,
    saved: bool,
    published: bool,
    pages: String,
    summary: String,
    listing: String,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    check: Option<String>,
    saved: Option<String>,
}

/// A plan, and what its references stand for or why that is not known.
type LookedUp = (String, Result<Vec<Looked>, Box<FindingRow>>);

/// What a page is drawn from.
struct Work<'a> {
    site: &'a Site,
    caller: &'a Caller,
    tab: Tab,
    /// Whether missing fields are told.
    check: bool,
    /// References that were looked up just now, by plan.
    looked: Vec<LookedUp>,
}

/// A page with its parts by id.
struct Drawn {
    html: String,
    parts: Vec<(String, String)>,
    marks: BTreeMap<String, String>,
}

impl Work<'_> {
    /// Draws a draft. `extra` are problems of what was not saved, and `conflicts` what somebody else changed.
    async fn draw(
        &self,
        draft: &Draft,
        saved: bool,
        extra: &[Problem],
        conflicts: &[Conflict],
    ) -> Result<Drawn, AppError> {
        let f = Frame::new(self.caller);
        let key = &draft.document.key;
        let mut all = self.site.app.check_draft(key).await?;
        all.extend(extra.iter().cloned());
        let told: Vec<&Problem> =
            all.iter().filter(|problem| self.check || !MISSING.contains(&problem.code)).collect();
        let here = page_name(self.tab);
        let side = |tab: Tab| Side {
            name: page_name(tab),
            title: f.t(tab.key()),
            state: page_state(&draft.document, tab, &all),
        };
        let pages = Pages { f: &f, key, here, pages: Tab::ALL.into_iter().map(side).collect() }.render();
        let summary = self.summary(&f, &draft.document, &told, conflicts.len()).render();
        let publisher =
            mercat_store::load::<mercat_store::PublisherRow>(&*self.site.app.ledger, &key.publisher);
        let publisher = publisher.await?.map_or_else(|| key.publisher.clone(), |row| row.row.name);
        let listing = compose_listing("", &publisher, &draft.document, &BTreeMap::new());
        let listing = in_language(listing, f.code());
        let kind = draft.document.kind.name();
        let listing = Preview { f: &f, kind, listing }.render();
        let (pages, summary, listing) =
            (pages.unwrap_or_default(), summary.unwrap_or_default(), listing.unwrap_or_default());
        let mut groups = groups(&f, &draft.document, self.tab, &told, conflicts);
        let mut parts = vec![
            ("pages".to_owned(), pages.clone()),
            ("summary".to_owned(), summary.clone()),
            ("listing".to_owned(), listing.clone()),
        ];
        let inputs = || groups.iter().flat_map(|group| &group.inputs);
        parts.extend(inputs().map(|input| (format!("{}-problems", input.name), input.problems.clone())));
        if self.tab == Tab::Plans {
            let plans =
                groups.iter().filter_map(|group| Some((group.plan.as_ref()?.0, &group.id_problems.0)));
            parts.extend(plans.map(|(at, problems)| (format!("p.{at}.id-problems"), problems.clone())));
        }
        let marks = inputs().map(|input| (format!("was.{}", input.name), input.mark.clone()));
        let marks = std::iter::once(("version".to_owned(), draft.version.to_string())).chain(marks).collect();
        let offer = load::<OfferRow>(&*self.site.app.ledger, &key.to_string()).await?;
        let published = offer.as_ref().is_some_and(|offer| offer.row.submissions > 0);
        if self.tab == Tab::Technical {
            self.resolved(&f, key, &mut groups).await?;
        }
        let page = Editor {
            f: &f,
            key,
            here,
            title: f.t(self.tab.key()),
            version: draft.version,
            groups,
            plans: self.tab == Tab::Plans,
            saved,
            published,
            pages,
            summary,
            listing,
        };
        Ok(Drawn { html: page.render().unwrap_or_default(), parts, marks })
    }

    /// What the references stand for, beside their plans: as they were looked up now, or by the latest submission;
    /// with how the certification of those bytes ended last.
    async fn resolved(&self, f: &Frame, key: &OfferKey, groups: &mut [Group]) -> Result<(), AppError> {
        let index = Some(("offer", key.to_string()));
        let query = Rows { index, limit: SUBMISSIONS_READ, newest_first: true, ..Rows::default() };
        let earlier: Vec<SubmissionRow> = list::<SubmissionRow>(&*self.site.app.ledger, query)
            .await?
            .into_iter()
            .map(|row| row.row)
            .collect();
        let verdict = |digest: &str| {
            let of = |row: &&SubmissionRow| row.images.iter().any(|image| image.digest == digest);
            let judged = earlier.iter().filter(of).find_map(|row| {
                let step = row.run.steps.iter().find(|step| step.step == Step::Certify.name())?;
                let words = match StepStatus::parse(&step.status)? {
                    StepStatus::Complete => Shown::Complete.key(),
                    StepStatus::Blocked => Shown::NeedsFix.key(),
                    _ => return None,
                };
                Some((format!("/portal/offers/{key}/submissions/{}#step-certify", row.id), f.t(words)))
            });
            judged.unwrap_or_default()
        };
        let row = |found: &Looked| {
            let (url, verdict) =
                if found.digest.is_empty() { <_>::default() } else { verdict(&found.digest) };
            Resolved {
                reference: found.reference.clone(),
                digest: found.digest.clone(),
                platforms: found.platforms.join(", "),
                size: found.size,
                url,
                verdict,
            }
        };
        let latest = earlier.first().filter(|_| self.looked.is_empty());
        for group in groups.iter_mut() {
            let Some((_, plan)) = &group.plan else { continue };
            match self.looked.iter().find(|(id, _)| id == plan) {
                Some((_, Ok(found))) => {
                    group.now = true;
                    group.resolved = found.iter().map(row).collect();
                }
                Some((_, Err(finding))) => {
                    let required = f.requires(finding);
                    let observed = f.observed(&finding.observed);
                    group.unresolved = format!("{}: {observed} ({required})", finding.rule);
                }
                None => {
                    let images = latest.iter().flat_map(|row| &row.images);
                    let own = images.filter(|image| image.plan == *plan).map(|image| Looked {
                        reference: image.reference.clone(),
                        digest: image.digest.clone(),
                        size: image.size,
                        platforms: Vec::new(),
                    });
                    group.resolved = own.map(|found| row(&found)).collect();
                }
            }
        }
        Ok(())
    }

    fn summary<'a>(
        &self,
        f: &'a Frame,
        document: &Document,
        told: &[&Problem],
        conflicts: usize,
    ) -> Summary<'a> {
        let bad = told.iter().map(|problem| {
            let tab = tab_of(&problem.path).unwrap_or(self.tab);
            let (name, words) = name_of(f, document, &problem.path);
            let check = if self.check { "?check=1" } else { "" };
            let url = format!("/portal/offers/{}/editor/{}{check}#{name}", document.key, page_name(tab));
            Bad { url, label: words, words: sentence(f, problem) }
        });
        Summary { f, bad: bad.collect(), conflicts }
    }
}

/// The input and the label of a path.
fn name_of(f: &Frame, document: &Document, path: &str) -> (String, String) {
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or_default();
    if first != "plans" {
        return (place(None, first).name, label(f, first));
    }
    let id = parts.next().unwrap_or_default();
    let at = document.plans.iter().position(|plan| plan.id == id).unwrap_or(0);
    match parts.next() {
        Some(key) => (place(Some((at, id)), key).name, format!("{id}: {}", label(f, key))),
        None => (format!("p.{at}.id"), f.t("ui-plan-id")),
    }
}

fn groups(f: &Frame, document: &Document, tab: Tab, told: &[&Problem], conflicts: &[Conflict]) -> Vec<Group> {
    let inputs = |plan: Option<(usize, &Plan)>| {
        let (scope, fields) = match plan {
            None => (Scope::Offer, &document.fields),
            Some((_, plan)) => (Scope::Plan, &plan.fields),
        };
        let one = |field| {
            let place = place(plan.map(|(at, plan)| (at, plan.id.as_str())), field_key(field));
            let mine = |problem: &&&Problem| {
                problem.path == place.path || problem.path.starts_with(&format!("{}/", place.path))
            };
            let conflict = conflicts.iter().find(|conflict| conflict.name == place.name);
            let problems = Problems {
                f,
                name: &place.name,
                problems: told.iter().filter(mine).map(|problem| sentence(f, problem)).collect(),
                theirs: conflict.map(|conflict| conflict.theirs.as_str()),
            };
            let problems = problems.render().unwrap_or_default();
            let mine = conflict.map(|conflict| {
                let mut fields = fields.clone();
                match &conflict.mine {
                    Some(value) => fields.insert(field.key.to_owned(), value.clone()),
                    None => fields.remove(field.key),
                };
                fields
            });
            let mut shown = input(f, field, mine.as_ref().unwrap_or(fields), &place, problems);
            shown.mark = form::mark(field.rule, fields.get(field.key));
            shown
        };
        on_page(document, tab, scope).map(one).collect::<Vec<_>>()
    };
    let of_id = |at: usize, plan: &Plan| {
        let path = format!("plans/{}", plan.id);
        let mine = told.iter().filter(|problem| problem.path == path);
        let problems: Vec<String> = mine.map(|problem| sentence(f, problem)).collect();
        let invalid = !problems.is_empty();
        let drawn = Problems { f, name: &format!("p.{at}.id"), problems, theirs: None };
        (drawn.render().unwrap_or_default(), invalid)
    };
    let offer = inputs(None);
    let mut out = Vec::new();
    if !offer.is_empty() {
        out.push(Group {
            title: f.t(tab.key()),
            plan: None,
            id_problems: (String::new(), false),
            inputs: offer,
            resolved: Vec::new(),
            now: false,
            unresolved: String::new(),
        });
    }
    if on_page(document, tab, Scope::Plan).next().is_some() {
        for (at, plan) in document.plans.iter().enumerate() {
            let title = format!("{}: {}", f.t("ui-plan"), plan.id);
            out.push(Group {
                title,
                plan: Some((at, plan.id.clone())),
                id_problems: of_id(at, plan),
                inputs: inputs(Some((at, plan))),
                resolved: Vec::new(),
                now: false,
                unresolved: String::new(),
            });
        }
    }
    out
}

fn field_key(field: &mercat_domain::offer::fields::Field) -> &'static str {
    field.key
}

pub(super) async fn first(Path((publisher, offer)): Path<(String, String)>) -> Response {
    see(&format!("/portal/offers/{publisher}/{offer}/editor/{}", page_name(Tab::Settings)))
}

pub(super) async fn page(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer, page)): Path<(String, String, String)>,
    Query(shown): Query<Asked>,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let drawn = async {
        let tab = tab_named(&page).ok_or(AppError::NotFound)?;
        let draft = site.app.draft(&key).await?;
        let state =
            Work { site: &site, caller: &caller, tab, check: shown.check.is_some(), looked: Vec::new() };
        state.draw(&draft, shown.saved.is_some(), &[], &[]).await
    };
    let drawn = drawn.await.map_err(fail(&caller))?;
    Ok(html(StatusCode::OK, drawn.html))
}

fn html(status: StatusCode, text: String) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, text).into_response()
}

async fn read(caller: &Caller, mut form: Multipart) -> Result<Sent, Response> {
    let mut sent = Sent::default();
    let bad = |error: axum::extract::multipart::MultipartError| {
        super::unreadable(caller, error.status(), &error.body_text())
    };
    while let Some(part) = form.next_field().await.map_err(bad)? {
        let name = part.name().unwrap_or("").to_owned();
        if part.file_name().is_some() {
            let bytes = part.bytes().await.map_err(bad)?;
            if !bytes.is_empty() {
                sent.files.entry(name).or_default().push(bytes.to_vec());
            }
        } else {
            let text = part.text().await.map_err(bad)?.replace("\r\n", "\n");
            sent.texts.entry(name).or_default().push(text);
        }
    }
    Ok(sent)
}

/// Stores the pictures that were sent; the values that name them, and what is wrong with the others.
async fn pictures(
    site: &Site,
    draft: &Document,
    tab: Tab,
    sent: &mut Sent,
) -> Result<Vec<Problem>, AppError> {
    let mut problems = Vec::new();
    for field in on_page(draft, tab, Scope::Offer) {
        let name = place(None, field.key).name;
        for bytes in sent.files.remove(&name).unwrap_or_default() {
            match media::store(site, &draft.key.publisher, field.key, bytes).await {
                Ok(picture) => {
                    let texts = sent.texts.entry(name.clone()).or_default();
                    if matches!(field.rule, Rule::Picture(..)) {
                        texts.clear();
                    }
                    texts.push(picture.digest);
                }
                // The rest of the form is kept; the picture stays as it was.
                Err(AppError::Problems(found)) => problems.extend(found),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(problems)
}

/// Adds, renames and removes plans as the form of the Plans page says.
fn plans(document: &mut Document, sent: &Sent) {
    let before = std::mem::take(&mut document.plans);
    for (at, mut plan) in before.into_iter().enumerate() {
        if sent.text(&format!("p.{at}.remove")).is_some()
            && sent.text(&format!("p.{at}.was")) == Some(&plan.id)
        {
            continue;
        }
        // A plan that somebody else put here in the meantime keeps its name.
        if let Some(id) = sent.text(&format!("p.{at}.id"))
            && sent.text(&format!("p.{at}.was")) == Some(&plan.id)
        {
            id.trim().clone_into(&mut plan.id);
        }
        document.plans.push(plan);
    }
    if sent.text("action") == Some("add-plan") {
        let free = (1..).map(|number| format!("plan-{number}")).find(|id| document.plan(id).is_none());
        document.plans.push(Plan { id: free.unwrap_or_default(), ..Plan::default() });
    }
}

pub(super) async fn save(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer, page)): Path<(String, String, String)>,
    headers: HeaderMap,
    Files(form): Files,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let mut sent = read(&caller, form).await?;
    let script = headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/json");
    let check = sent.text("check").is_some();
    let look = sent.text("action") == Some("resolve") && !script;
    let done = async {
        let tab = tab_named(&page).ok_or(AppError::NotFound)?;
        let mut state = Work { site: &site, caller: &caller, tab, check, looked: Vec::new() };
        let outcome = store(&state, &key, &mut sent).await?;
        // What is kept is looked up; of what was refused, nothing is told as if it had been.
        if look && tab == Tab::Technical && outcome.problems.is_empty() && outcome.conflicts.is_empty() {
            state.looked = looked(&site, &key, &outcome.draft.document).await?;
        }
        let shown = Draft { document: outcome.shown, ..outcome.draft };
        let drawn = state.draw(&shown, false, &outcome.problems, &outcome.conflicts).await?;
        Ok::<_, AppError>((drawn, outcome.problems.is_empty(), outcome.conflicts.is_empty()))
    };
    let (drawn, good, alone) = done.await.map_err(fail(&caller))?;
    let status = match (good, alone) {
        (true, true) => StatusCode::OK,
        (false, _) => StatusCode::UNPROCESSABLE_ENTITY,
        (true, false) => StatusCode::CONFLICT,
    };
    if script {
        let parts: Vec<_> =
            drawn.parts.iter().map(|(id, html)| serde_json::json!({"id": id, "html": html})).collect();
        let body = serde_json::json!({"values": drawn.marks, "parts": parts});
        return Ok((status, axum::Json(body)).into_response());
    }
    if status != StatusCode::OK || look {
        return Ok(html(status, drawn.html));
    }
    let here = format!("/portal/offers/{key}/editor/{page}");
    Ok(match sent.text("action") {
        Some("publish") => see(&format!("/portal/offers/{key}/publish")),
        Some("check") => see(&format!("{here}?check=1")),
        _ => see(&format!("{here}?saved=1")),
    })
}

/// Looks up what every plan names, for as long as somebody waits for a page.
async fn looked(site: &Site, key: &OfferKey, document: &Document) -> Result<Vec<LookedUp>, AppError> {
    let Some(resolver) = &site.resolver else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    let end = tokio::time::Instant::now() + LOOK_PATIENCE;
    for plan in &document.plans {
        let found = tokio::time::timeout_at(end, resolver.resolve(key, document.kind, plan)).await;
        let late = || FindingRow {
            rule: "F021".to_owned(),
            observed: format!("no answer within {} seconds", LOOK_PATIENCE.as_secs()),
            required: "a source that answers".to_owned(),
            ..FindingRow::default()
        };
        out.push((plan.id.clone(), found.unwrap_or_else(|_| Ok(Err(Box::new(late()))))?));
    }
    Ok(out)
}

/// The same for programs.
pub(crate) async fn resolve(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path((publisher, offer)): Path<(String, String)>,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    let found = async {
        let draft = site.app.draft(&key).await?;
        looked(&site, &key, &draft.document).await
    };
    let found = found.await.map_err(fail(&caller))?;
    let one = |(plan, found): &LookedUp| match found {
        Ok(found) => {
            let row = |found: &Looked| {
                serde_json::json!({
                    "reference": found.reference, "digest": found.digest, "platforms": found.platforms,
                    "size": found.size,
                })
            };
            serde_json::json!({"plan": plan, "references": found.iter().map(row).collect::<Vec<_>>()})
        }
        Err(finding) => serde_json::json!({"plan": plan, "finding": finding}),
    };
    Ok(axum::Json(found.iter().map(one).collect::<Vec<_>>()).into_response())
}

/// What came of saving.
struct Outcome {
    draft: Draft,
    /// The draft with what could not be saved, for the form.
    shown: Document,
    problems: Vec<Problem>,
    conflicts: Vec<Conflict>,
}

/// Merges the form into the draft as it is now; once more when somebody saves in between.
async fn store(state: &Work<'_>, key: &OfferKey, sent: &mut Sent) -> Result<Outcome, AppError> {
    let app = &state.site.app;
    let mut draft = app.draft(key).await?;
    let mut problems = pictures(state.site, &draft.document, state.tab, sent).await?;
    for _ in 0..5 {
        let (mut document, conflicts) = merge::merge(&draft.document, state.tab, sent);
        if state.tab == Tab::Plans {
            plans(&mut document, sent);
        }
        if document == draft.document {
            return Ok(Outcome { shown: document, draft, problems, conflicts });
        }
        match app.save_draft(state.caller.actor(), document.clone(), Some(draft.version)).await {
            Ok(draft) => return Ok(Outcome { shown: draft.document.clone(), draft, problems, conflicts }),
            Err(AppError::Stale { .. }) => draft = app.draft(key).await?,
            Err(AppError::Problems(found)) => {
                problems.extend(found);
                return Ok(Outcome { shown: document, draft, problems, conflicts });
            }
            Err(error) => return Err(error),
        }
    }
    Err(AppError::Stale { current: draft.version })
}

/// Text of a value, for a conflict.
fn words(rule: Rule, value: Option<&Value>) -> String {
    mercat_domain::offer::shown(rule, value)
}
