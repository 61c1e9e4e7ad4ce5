//! The Status tab: what now, the steps with their evidence, and the same live.
//!
//! The page is made of parts with ids. A live answer sends a part anew when it has changed, so there is
//! one way to draw each.

use super::filled::Form;
use super::look::Look;
use super::{Answer, Frame, fail, see, show};
use crate::Site;
use crate::guard::Caller;
use crate::streams::Watch;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use mercat_app::{App, AppError, StatusView, StepView};
use mercat_domain::exception::ExceptionState;
use mercat_domain::run::{Measured, Shown, State as RunState, Step, StepStatus, estimate};
use mercat_domain::{Millis, OfferKey, OfferKind};
use mercat_store::{ExceptionRow, FindingRow, ImageRow, MessageRow, PartRow, StandingRow, SubmissionRow};
use mercat_text::text;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

type Shared = State<Arc<Site>>;
type Key = Path<(String, String)>;

/// Findings that are shown of a step; the report has all.
const FINDINGS_SHOWN: usize = 20;
/// Letters of a layer's digest that are shown: its algorithm and twelve digits.
const LAYER_LETTERS: usize = "sha256:".len() + 12;
/// How often a live answer looks when nobody rings.
const EVERY: Duration = Duration::from_millis(400);

fn key(path: &(String, String)) -> OfferKey {
    OfferKey::new(&path.0, &path.1)
}

/// Everything that the page tells, read at one time.
struct Told {
    view: StatusView,
    differs: bool,
    measures: Arc<BTreeMap<Step, Measured>>,
    before: Option<usize>,
    /// Requests for exceptions that are open or in force.
    asked: Vec<ExceptionRow>,
    now: Millis,
}

/// Reads a submission as it stands; what steps took before is given, for it hardly changes.
async fn read(
    app: &App,
    key: &OfferKey,
    submission: Option<&str>,
    measures: &Arc<BTreeMap<Step, Measured>>,
) -> Result<Told, AppError> {
    let view = app.status(key, submission).await?;
    let draft = mercat_store::document::to_json(&app.draft(key).await?.document);
    let differs = view.submission.as_ref().is_some_and(|row| row.document != draft);
    let before = match &view.submission {
        Some(row) if view.state == Some(RunState::Running) => app.queue_before(&row.id).await?,
        _ => None,
    };
    let has_findings =
        view.steps.iter().any(|step| step.step == Step::Certify && step.status == StepStatus::Blocked);
    let asked = if has_findings { app.open_exceptions(&key.publisher).await? } else { Vec::new() };
    let now = app.ledger.now().await?;
    Ok(Told { view, differs, measures: measures.clone(), before, asked, now })
}

/// Median and 90th percentile of the steps of an offer's kind.
async fn measures(app: &App, key: &OfferKey) -> Result<Arc<BTreeMap<Step, Measured>>, AppError> {
    let kind = app.draft(key).await?.document.kind;
    Ok(Arc::new(app.measures(kind).await?))
}

/// One sentence, whose turn, since when, and what comes by itself.
#[derive(Template)]
#[template(path = "status/now.html")]
struct Now<'a> {
    f: &'a Frame,
    key: &'a OfferKey,
    told: &'a Told,
    latest: bool,
}

impl Now<'_> {
    fn busy(&self) -> Option<&StepView> {
        self.told.view.steps.iter().find(|step| step.status.is_current())
    }

    /// Whether another submission took the place of this one.
    fn is_past(&self) -> bool {
        let view = &self.told.view;
        let live = view.offer.live.as_ref();
        let is_live = view.submission.as_ref().is_some_and(|row| live == Some(&row.id));
        !self.latest && !is_live && view.state.is_some_and(RunState::is_over)
    }

    fn sentence(&self) -> String {
        let view = &self.told.view;
        if self.is_past() {
            let how = match view.state {
                Some(RunState::Failed) => "ui-now-past-failed",
                Some(RunState::Canceled) => "ui-now-past-canceled",
                _ => "ui-now-past-live",
            };
            return self.f.t(how);
        }
        let step = self.busy().map(|step| self.f.t(step.title)).unwrap_or_default();
        let key = match view.state {
            None => "ui-now-none",
            Some(RunState::Running) => "ui-now-running",
            Some(RunState::WaitingForPublisherReview) => "ui-now-waiting",
            Some(RunState::WaitingForApproval) if self.question().is_some() => "ui-now-asked",
            Some(RunState::WaitingForApproval) => "ui-now-review",
            Some(RunState::Failed) if view.ours => "ui-now-failed-ours",
            Some(RunState::Failed) => match self.told.view.exceptions(&self.told.asked) {
                Some(ExceptionState::NeedsInformation) => "ui-now-failed-question",
                Some(ExceptionState::Requested) => "ui-now-failed-asked",
                Some(ExceptionState::Granted) => "ui-now-failed-granted",
                _ => "ui-now-failed",
            },
            Some(RunState::Canceled) => "ui-now-canceled",
            Some(RunState::Succeeded) if self.standing().is_some() => "ui-now-standing",
            Some(RunState::Succeeded) => "ui-now-live",
        };
        self.f.t1(key, "step", &step)
    }

    fn tone(&self) -> &'static str {
        match self.told.view.state {
            _ if self.is_past() => "",
            Some(RunState::Failed) if self.told.view.ours => "warn",
            Some(RunState::Failed) => "bad",
            Some(RunState::Succeeded) if self.standing().is_some() => "warn",
            Some(RunState::Succeeded) => "good",
            _ => "",
        }
    }

    fn icon(&self) -> &'static str {
        match self.told.view.state {
            _ if self.is_past() => "info",
            Some(RunState::Running) => "run",
            Some(RunState::WaitingForApproval) if self.question().is_none() => "run",
            Some(RunState::Failed) if self.told.view.ours => "late",
            Some(RunState::Failed) => "problem",
            Some(RunState::Succeeded) if self.standing().is_none() => "done",
            _ => "you",
        }
    }

    fn turn(&self) -> String {
        self.f.t(match self.told.view.state {
            _ if self.is_past() => "ui-turn-nobody",
            Some(RunState::Running) => "ui-turn-ours",
            Some(RunState::WaitingForApproval) if self.question().is_none() => "ui-turn-team",
            Some(RunState::Failed) if self.told.view.ours => "ui-turn-ours",
            Some(RunState::Failed)
                if self.told.view.exceptions(&self.told.asked) == Some(ExceptionState::Requested) =>
            {
                "ui-turn-team"
            }
            Some(RunState::Succeeded) if self.standing().is_none() => "ui-turn-nobody",
            _ => "ui-turn-yours",
        })
    }

    /// Whether the step at work takes longer than was promised (N8).
    fn overdue(&self) -> bool {
        let kind = OfferKind::parse(&self.told.view.offer.kind);
        let late = |step: &StepView| {
            let promised = estimate(kind?, step.step)?;
            Some(self.f.now - step.started? > promised.max)
        };
        self.told.view.state == Some(RunState::Running) && self.busy().and_then(late).unwrap_or(false)
    }

    fn since(&self) -> Option<Millis> {
        let ended = || self.told.view.steps.iter().filter_map(|step| step.ended).max();
        match self.busy() {
            Some(step) => step.started,
            None => ended(),
        }
    }

    /// What comes without anybody doing anything.
    fn next(&self) -> String {
        let view = &self.told.view;
        match view.state {
            Some(RunState::Running | RunState::WaitingForApproval) => {
                let after = view.steps.iter().skip_while(|step| !step.status.is_current()).nth(1);
                after.map_or_else(
                    || self.f.t("ui-next-live"),
                    |step| self.f.t1("ui-next-step", "step", &self.f.t(step.title)),
                )
            }
            Some(RunState::WaitingForPublisherReview) => self.f.t("ui-next-no-limit"),
            _ => self.f.t("ui-next-nothing"),
        }
    }

    /// What the certification team wants to know and was not told.
    fn question(&self) -> Option<&str> {
        let review = self.told.view.review.as_ref().filter(|_| self.latest)?;
        let open = review.decision.is_empty() && review.answer.is_empty() && !review.question.is_empty();
        open.then_some(review.question.as_str())
    }

    /// What would block the live submission today.
    fn standing(&self) -> Option<&StandingRow> {
        let row = self.told.view.standing.as_ref().filter(|_| self.latest)?;
        row.blocking().next().map(|_| row)
    }

    fn waiting(&self) -> bool {
        self.latest && self.told.view.state == Some(RunState::WaitingForPublisherReview)
    }

    /// Whether Publish is what comes next.
    fn may_publish(&self) -> bool {
        let state = self.told.view.state;
        self.latest
            && matches!(state, None | Some(RunState::Failed | RunState::Canceled | RunState::Succeeded))
    }

    fn submission(&self) -> Option<&SubmissionRow> {
        self.told.view.submission.as_ref()
    }

    fn queue(&self) -> Option<String> {
        let place = self.told.before?.to_string();
        Some(self.f.t1("ui-queue-place", "before", &place))
    }

    fn overall(&self) -> Option<String> {
        let days =
            self.told.view.overall_days.filter(|_| self.told.view.state != Some(RunState::Succeeded))?;
        Some(self.f.t1("ui-overall", "days", &days.to_string()))
    }

    fn cancel_refused(&self) -> Option<String> {
        let busy = self.told.view.state.is_some_and(|state| !state.is_over());
        self.told.view.cancel_refused.filter(|_| busy && self.latest).map(|code| self.f.t(code))
    }
}

/// One step.
#[derive(Template)]
#[template(path = "status/step.html")]
struct StepPart<'a> {
    f: &'a Frame,
    key: &'a OfferKey,
    told: &'a Told,
    step: &'a StepView,
}

impl StepPart<'_> {
    fn current(&self) -> bool {
        self.step.status.is_current()
    }

    fn took(&self) -> Option<Millis> {
        Some(self.step.ended? - self.step.started?).filter(|took| *took > 0)
    }

    /// Promised, and measured on this server.
    fn times(&self) -> String {
        let promised = self.step.estimate.map(|key| self.f.t1("ui-promised", "time", &self.f.t(key)));
        let measured =
            self.told.measures.get(&self.step.step).filter(|_| self.step.estimate.is_some()).map(|m| {
                let (median, p90, count) = (self.f.span(&m.median), self.f.span(&m.p90), m.count.to_string());
                let args = [("median", median.as_str()), ("p90", p90.as_str()), ("count", count.as_str())];
                text(self.f.locale, "ui-measured", &args)
            });
        let took = self.took().map(|took| self.f.t1("ui-took", "span", &self.f.span(&took)));
        [took, promised, measured].into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    fn message(&self, message: &MessageRow) -> String {
        // What happened is said as what was seen is.
        let said = |key: &str, value: &str| match key {
            "detail" => self.f.observed(value),
            _ => value.to_owned(),
        };
        let args: Vec<(&str, String)> = message.args.iter().map(|(k, v)| (k.as_str(), said(k, v))).collect();
        let args: Vec<(&str, &str)> = args.iter().map(|(key, value)| (*key, value.as_str())).collect();
        text(self.f.locale, &message.code, &args)
    }

    fn wait(&self) -> Option<String> {
        let wait = self.step.progress.as_ref()?.wait.as_ref().filter(|_| self.current())?;
        let on = self.f.t1(&wait.on, "detail", &self.f.observed(&wait.detail));
        let (since, next, tries) =
            (self.f.date(&wait.since), self.f.date(&wait.next), wait.tries.to_string());
        let args = [("since", since.as_str()), ("next", next.as_str()), ("tries", tries.as_str())];
        Some(format!("{on} ({})", text(self.f.locale, "wait-since", &args)))
    }

    fn parts(&self) -> &[PartRow] {
        self.step.progress.as_ref().map_or(&[], |progress| &progress.parts)
    }

    /// How far a part is: bytes, or pieces where they are few.
    fn far(&self, part: &PartRow) -> String {
        if part.total < 1000 {
            return format!("{} / {}", part.done, part.total);
        }
        format!("{} / {}", self.f.size(&part.done), self.f.size(&part.total))
    }

    fn regions(&self) -> Option<String> {
        let parts = self.parts();
        let ready = parts.iter().filter(|part| part.complete).count().to_string();
        let (all, args) = (parts.len().to_string(), ready);
        (!parts.is_empty()).then(|| {
            text(self.f.locale, "ui-parts-ready", &[("ready", args.as_str()), ("all", all.as_str())])
        })
    }

    fn all_findings(&self) -> &[FindingRow] {
        self.step.report.as_ref().map_or(&[], |report| &report.findings)
    }

    /// The findings that are shown, those that block first; those that say the same are one, at several places.
    fn findings(&self) -> Vec<(String, Vec<&FindingRow>)> {
        let name = self.step.step.name();
        let id = |at: usize| format!("{name}-finding-{at}");
        self.grouped().into_iter().take(FINDINGS_SHOWN).enumerate().map(|(at, rows)| (id(at), rows)).collect()
    }

    /// Where a finding is; a layer as short as its name still tells it from the others.
    fn found_at(&self, finding: &FindingRow) -> String {
        let short = finding.layer.get(..LAYER_LETTERS).filter(|short| short.len() < finding.layer.len());
        match short {
            Some(short) => FindingRow { layer: format!("{short}…"), ..finding.clone() }.place(),
            None => finding.place(),
        }
    }

    fn grouped(&self) -> Vec<Vec<&FindingRow>> {
        let mut rows: Vec<&FindingRow> = self.all_findings().iter().collect();
        // What exceptions let pass is told nowhere else.
        let place =
            |row: &FindingRow| if row.is_excused() { place_of("warning") } else { place_of(&row.severity) };
        rows.sort_by_key(|row| (place(row), !row.is_excused()));
        let mut groups: Vec<Vec<&FindingRow>> = Vec::new();
        for row in rows {
            match groups.iter_mut().find(|group| said(group[0]) == said(row)) {
                Some(group) => group.push(row),
                None => groups.push(vec![row]),
            }
        }
        groups
    }

    fn more(&self) -> usize {
        self.grouped().iter().skip(FINDINGS_SHOWN).map(Vec::len).sum()
    }

    /// How many findings there are of each severity.
    fn counts(&self) -> Vec<(&'static str, &'static str, String)> {
        let kinds = [
            ("error", "bad", "problem", "ui-blocking"),
            ("inconclusive", "warn", "late", "ui-unfinished"),
            ("warning", "warn", "info", "ui-warnings"),
            ("info", "", "info", "ui-notes"),
        ];
        let count =
            |severity: &str| self.all_findings().iter().filter(|row| row.severity == severity).count();
        kinds
            .into_iter()
            .map(|(severity, tone, icon, key)| (tone, icon, key, count(severity)))
            .filter(|(.., count)| *count > 0)
            .map(|(tone, icon, key, count)| (tone, icon, self.f.t1(key, "count", &count.to_string())))
            .collect()
    }

    fn tone_of(&self, finding: &FindingRow) -> &'static str {
        match finding.severity.as_str() {
            "error" => "bad",
            "warning" | "inconclusive" => "warn",
            _ => "",
        }
    }

    fn severity(&self, finding: &FindingRow) -> String {
        self.f.t(match finding.severity.as_str() {
            "error" => "report-error",
            "warning" => "report-warning",
            "inconclusive" => "report-inconclusive",
            _ => "report-info",
        })
    }

    fn rule(&self, finding: &FindingRow) -> String {
        mercat_text::rule(self.f.locale, &finding.rule)
    }

    fn submission(&self) -> &str {
        self.told.view.submission.as_ref().map_or("", |row| row.id.as_str())
    }

    /// Where support is asked for with everything filled in.
    fn support(&self) -> String {
        let OfferKey { publisher, offer } = self.key;
        let (submission, step) = (self.submission(), self.step.step.name());
        format!("/support/new?publisher={publisher}&offer={offer}&submission={submission}&step={step}")
    }

    /// Whether reports tell of findings that exceptions let pass.
    fn is_excused(&self) -> bool {
        self.all_findings().iter().any(FindingRow::is_excused)
    }

    /// Where an exception is asked for, or the request is that there is, and in which words; only certification has them.
    fn exception(&self, finding: &FindingRow) -> Option<(String, String)> {
        let blocks = self.step.step == Step::Certify && finding.severity == "error";
        let at = self.all_findings().iter().position(|row| row == finding).filter(|_| blocks)?;
        let (submission, step) = (self.submission(), self.step.step.name());
        let OfferKey { publisher, offer } = self.key;
        if let Some(row) = self.told.view.request(finding, &self.told.asked) {
            let state = ExceptionState::parse(&row.state).unwrap_or(ExceptionState::Requested);
            let words =
                format!("{} {}: {}", self.f.t("ui-exception-number"), row.number, self.f.t(state.key()));
            return Some((format!("/portal/publishers/{publisher}/exceptions"), words));
        }
        let asked = format!("submission={submission}&step={step}&finding={at}");
        let place = format!("/portal/offers/{publisher}/{offer}/exceptions/new?{asked}");
        Some((place, self.f.t("ui-exception-ask").to_string()))
    }

    fn images(&self) -> &[ImageRow] {
        self.told.view.submission.as_ref().map_or(&[], |row| &row.images)
    }

    /// The commands that judge the same images on the publisher's own machine.
    fn try_locally(&self) -> Vec<String> {
        let Some(row) = self.told.view.submission.as_ref() else { return Vec::new() };
        if self.step.step != Step::Certify || self.step.status != StepStatus::Blocked {
            return Vec::new();
        }
        let Ok(document) = mercat_store::document::from_json(&row.document) else { return Vec::new() };
        let command = |plan: &mercat_domain::Plan| match plan.text("osFamily") {
            "" => format!("mercat certify {}@{}", plan.text("image"), self.digest_of(&plan.id)),
            family => format!("mercat certify --os {family} DISK.vhd"),
        };
        document.plans.iter().map(command).collect()
    }

    fn digest_of(&self, plan: &str) -> &str {
        self.images().iter().find(|image| image.plan == plan).map_or("sha256:...", |image| &image.digest)
    }

    fn place(&self, tail: &str) -> String {
        let id = self.submission();
        let OfferKey { publisher, offer } = self.key;
        format!("/api/v1/publishers/{publisher}/offers/{offer}/submissions/{id}/{tail}")
    }

    /// Plan and reference of the disks that were started, with the address of the evidence.
    fn boots(&self) -> Vec<(String, String)> {
        let told = self.step.report.iter().flat_map(|report| &report.messages);
        let ran = told
            .into_iter()
            .any(|message| message.code.starts_with("message-boot-") && message.code != "message-boot-off");
        let disks = self.images().iter().filter(|image| ran && !image.reference.contains("-lun"));
        disks
            .map(|image| {
                let place = self.place(&format!("boot/{}", image.digest));
                (format!("{} {}", image.plan, image.reference), place)
            })
            .collect()
    }

    /// Digest and address of each verdict of a step.
    fn verdicts(&self) -> Vec<(String, String)> {
        let names = self.step.report.iter().flat_map(|report| report.verdicts.keys());
        names
            .map(|name| {
                let escaped = utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
                (name.clone(), self.place(&format!("verdicts/{escaped}")))
            })
            .collect()
    }
}

/// What blocks comes first.
/// What a finding says beside its place.
fn said(FindingRow { rule, severity, observed, required, fix, .. }: &FindingRow) -> [&str; 5] {
    [rule, severity, observed, required, fix]
}

fn place_of(severity: &str) -> usize {
    ["error", "inconclusive", "warning", "info"].iter().position(|known| *known == severity).unwrap_or(4)
}

/// Who waited for whom, and how long: a table whose bars are drawn.
#[derive(Template)]
#[template(path = "status/timeline.html")]
struct Timeline<'a> {
    f: &'a Frame,
    bars: Vec<Bar>,
}

struct Bar {
    title: String,
    from: Millis,
    span: Millis,
    /// Tenths of a percent of the whole.
    x: i64,
    width: i64,
    tone: &'static str,
    who: String,
}

impl<'a> Timeline<'a> {
    fn new(f: &'a Frame, told: &Told) -> Self {
        let over = told.view.state.is_none_or(RunState::is_over);
        let steps = &told.view.steps;
        let begin = steps.iter().filter_map(|step| step.started).min().unwrap_or(0);
        let ended = steps.iter().filter_map(|step| step.ended).max().unwrap_or(begin);
        let end = if over { ended } else { told.now.max(ended) };
        let scale = |at: Millis| (at - begin) * 1000 / (end - begin).max(1);
        let bar = |step: &StepView| {
            let from = step.started?;
            let to = step.ended.unwrap_or(end);
            let yours = step.step == Step::Signoff;
            Some(Bar {
                title: f.t(step.title),
                from,
                span: to - from,
                x: scale(from).min(992),
                width: (scale(to) - scale(from)).max(8),
                tone: match step.shown {
                    _ if yours => "b",
                    Shown::NeedsFix => "c",
                    Shown::Delayed | Shown::Ours => "b",
                    _ => "a",
                },
                who: f.t(match step.shown {
                    _ if yours => "ui-turn-yours",
                    Shown::InReview => "ui-turn-team",
                    Shown::NeedsInformation => "ui-turn-yours",
                    _ => "ui-turn-ours",
                }),
            })
        };
        Self { f, bars: steps.iter().filter_map(bar).collect() }
    }
}

#[derive(Template)]
#[template(path = "status.html")]
struct Page<'a> {
    f: &'a Frame,
    key: &'a OfferKey,
    told: &'a Told,
    /// Identified parts; the steps lie in a list.
    now: String,
    steps: Vec<String>,
    timeline: String,
    live: Option<String>,
}

/// Id and HTML of every part, in the order of the page.
fn parts(f: &Frame, key: &OfferKey, told: &Told, latest: bool) -> askama::Result<Vec<(String, String)>> {
    let mut out = vec![("now".to_owned(), Now { f, key, told, latest }.render()?)];
    for step in &told.view.steps {
        out.push((format!("step-{}", step.step.name()), StepPart { f, key, told, step }.render()?));
    }
    out.push(("timeline".to_owned(), Timeline::new(f, told).render()?));
    Ok(out)
}

async fn page(site: &Site, caller: &Caller, key: &OfferKey, submission: Option<&str>) -> Answer {
    let told = async { read(&site.app, key, submission, &measures(&site.app, key).await?).await };
    let told = told.await.map_err(fail(caller))?;
    let f = Frame::new(caller);
    let latest = told.view.submission.as_ref().map(|row| &row.id) == told.view.offer.latest.as_ref();
    let drawn = parts(&f, key, &told, latest);
    let drawn = drawn.map_err(|error| crate::problem::internal(&format!("a template: {error}")))?;
    let mut drawn = drawn.into_iter().map(|(_, html)| html);
    let now = drawn.next().unwrap_or_default();
    let steps = drawn.by_ref().take(told.view.steps.len()).collect();
    let running = told.view.state.is_some_and(|state| !state.is_over());
    let live = told.view.submission.as_ref().filter(|_| running);
    let live = live.map(|row| format!("/portal/offers/{key}/submissions/{}/events", row.id));
    let timeline = drawn.next().unwrap_or_default();
    Ok(show(StatusCode::OK, &Page { f: &f, key, told: &told, now, steps, timeline, live }))
}

pub(super) async fn latest(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    page(&site, &caller, &key(&path), None).await
}

pub(super) async fn one(
    State(site): Shared,
    caller: Caller,
    Path((publisher, offer, id)): Path<(String, String, String)>,
) -> Answer {
    page(&site, &caller, &OfferKey::new(publisher, offer), Some(&id)).await
}

/// The parts of a submission that change, each when it does, until the submission is over.
pub(super) async fn live(
    State(site): Shared,
    caller: Caller,
    Path((publisher, offer, id)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Answer {
    let key = OfferKey::new(publisher, offer);
    site.app.status(&key, Some(&id)).await.map_err(fail(&caller))?;
    let mut watch = Watch::begin(&site, &caller, headers, &key)?;
    let measures = measures(&site.app, &key).await.map_err(fail(&caller))?;
    let (send, receive) = mpsc::channel::<Result<Event, Infallible>>(16);
    tokio::spawn(async move {
        let mut sent: BTreeMap<String, String> = BTreeMap::new();
        let mut shown: BTreeMap<Step, Shown> = BTreeMap::new();
        let mut stop = site.stop.clone();
        while !*stop.borrow() && watch.may_go_on().await {
            let bell = site.app.bell.notified();
            let Ok(told) = read(&site.app, &key, Some(&id), &measures).await else { break };
            let f = Frame::new(&caller);
            let latest = told.view.offer.latest.as_deref() == Some(&id);
            let mut events = Vec::new();
            for (part, html) in parts(&f, &key, &told, latest).unwrap_or_default() {
                if sent.get(&part) != Some(&html) {
                    let data = serde_json::json!({"id": part, "html": html}).to_string();
                    events.push(Event::default().event("part").data(data));
                    sent.insert(part, html);
                }
            }
            for step in &told.view.steps {
                let before = shown.insert(step.step, step.shown);
                if before.is_some_and(|before| before != step.shown) {
                    let said = format!("{}: {}", f.t(step.title), f.t(step.shown.key()));
                    events.push(Event::default().event("say").data(said));
                }
            }
            let over = told.view.state.is_none_or(RunState::is_over);
            if over {
                events.push(Event::default().event("end").data("end"));
            }
            for event in events {
                if send.send(Ok(event)).await.is_err() {
                    return;
                }
            }
            if over {
                return;
            }
            tokio::select! {
                () = bell => {}
                () = tokio::time::sleep(EVERY) => {}
                () = send.closed() => return,
                _ = stop.changed() => {}
            }
        }
    });
    Ok(Sse::new(ReceiverStream::new(receive)).keep_alive(KeepAlive::default()).into_response())
}

#[derive(Deserialize)]
pub(super) struct Snapshot {
    snapshot: String,
}

pub(super) async fn go_live(
    State(site): Shared,
    caller: Caller,
    Path(path): Key,
    Form(seen): Form<Snapshot>,
) -> Answer {
    let key = key(&path);
    site.app.go_live(caller.actor(), &key, &seen.snapshot).await.map_err(fail(&caller))?;
    Ok(see(&format!("/portal/offers/{key}/status")))
}

#[derive(Template)]
#[template(path = "status/cancel.html")]
struct Cancel {
    f: Frame,
    key: OfferKey,
    number: u32,
}

/// Asks once more, on a page of its own.
pub(super) async fn cancel_page(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    let key = key(&path);
    let view = site.app.status(&key, None).await.map_err(fail(&caller))?;
    let number = view.submission.map_or(0, |row| row.number);
    Ok(show(StatusCode::OK, &Cancel { f: Frame::new(&caller), key, number }))
}

/// Tries at once what waits for its next try.
pub(super) async fn retry(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    let key = key(&path);
    site.app.retry_now(caller.actor(), &key).await.map_err(fail(&caller))?;
    Ok(see(&format!("/portal/offers/{key}/status")))
}

pub(super) async fn cancel(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    let key = key(&path);
    site.app.cancel(caller.actor(), &key).await.map_err(fail(&caller))?;
    Ok(see(&format!("/portal/offers/{key}/status")))
}
