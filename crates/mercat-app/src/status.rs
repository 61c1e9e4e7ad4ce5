//! How a submission stands, for the Status tab, the API and the command line alike.

use crate::go_live::to_run;
use crate::{App, AppError, rfc3339};
use mercat_domain::exception::ExceptionState;
use mercat_domain::run::{self, Fault, Shown, State, Step, StepStatus};
use mercat_domain::{OfferKey, OfferKind};
use mercat_store::{
    ExceptionRow, FindingRow, OfferRow, ProgressRow, ReportRow, ReviewRow, StandingRow, SubmissionRow, load,
};
use serde_json::{Value, json};

/// Turns a key and its arguments into text.
pub type Words<'a> = &'a dyn Fn(&str, &[(&str, &str)]) -> String;

/// One step, ready to be shown.
#[derive(Debug, Clone)]
pub struct StepView {
    /// Which.
    pub step: Step,
    /// How far.
    pub status: StepStatus,
    /// Key of the title.
    pub title: &'static str,
    /// Key of the promised time.
    pub estimate: Option<&'static str>,
    /// When it began.
    pub started: Option<i64>,
    /// When it ended.
    pub ended: Option<i64>,
    /// What it reported.
    pub report: Option<ReportRow>,
    /// How far it is inside.
    pub progress: Option<ProgressRow>,
    /// What people are shown.
    pub shown: Shown,
}

impl StepView {
    /// Percent done.
    pub fn percent(&self) -> u64 {
        match (&self.status, &self.progress) {
            (StepStatus::Complete, _) => 100,
            (StepStatus::InProgress, Some(p)) if p.total > 0 => (p.done * 100 / p.total).min(99),
            _ => 0,
        }
    }
}

/// How a submission stands.
#[derive(Debug, Clone)]
pub struct StatusView {
    /// The offer.
    pub offer: OfferRow,
    /// The submission, when there ever was one.
    pub submission: Option<SubmissionRow>,
    /// What kind of offer.
    pub kind: OfferKind,
    /// The state of the run.
    pub state: Option<State>,
    /// Steps; those of the itinerary, not begun, when there is no submission.
    pub steps: Vec<StepView>,
    /// Why cancelling would be refused; `None` when it would be accepted.
    pub cancel_refused: Option<&'static str>,
    /// Business days to allow for all of it.
    pub overall_days: Option<u32>,
    /// Whether the failure is ours.
    pub ours: bool,
    /// What the certification team said about it.
    pub review: Option<ReviewRow>,
    /// What was found in the live submission after its certification.
    pub standing: Option<StandingRow>,
}

impl StatusView {
    /// The one of some requests for exceptions that is about a finding of this submission.
    pub fn request<'r>(&self, finding: &FindingRow, asked: &'r [ExceptionRow]) -> Option<&'r ExceptionRow> {
        let bound = crate::bound(finding, self.submission.as_ref()?);
        asked.iter().find(|row| row.binding == bound)
    }

    /// Where it stands with some requests for exceptions, when they are about everything that blocks certification; what
    /// has to be done first.
    pub fn exceptions(&self, asked: &[ExceptionRow]) -> Option<ExceptionState> {
        use ExceptionState::{Granted, NeedsInformation, Requested};
        let step = self.steps.iter().find(|step| step.step == Step::Certify)?;
        let findings = step.report.iter().flat_map(|report| &report.findings);
        let blocking =
            findings.filter(|finding| ["error", "inconclusive"].contains(&finding.severity.as_str()));
        let states: Option<Vec<_>> =
            blocking.map(|finding| ExceptionState::parse(&self.request(finding, asked)?.state)).collect();
        let states = states?;
        [NeedsInformation, Requested, Granted].into_iter().find(|state| states.contains(state))
    }
}

impl App {
    /// The status of an offer's latest submission, or of a named one.
    ///
    /// # Errors
    /// When offer or submission do not exist.
    pub async fn status(&self, key: &OfferKey, submission: Option<&str>) -> Result<StatusView, AppError> {
        let offer = load::<OfferRow>(&*self.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?.row;
        let kind = OfferKind::parse(&offer.kind).unwrap_or(OfferKind::Container);
        let id = submission.map(str::to_owned).or_else(|| offer.latest.clone());
        let row = match &id {
            None => None,
            Some(id) => {
                let row = load::<SubmissionRow>(&*self.ledger, id).await?.ok_or(AppError::NotFound)?.row;
                if (row.publisher.as_str(), row.offer.as_str()) != (&key.publisher, &key.offer) {
                    return Err(AppError::NotFound);
                }
                Some(row)
            }
        };
        let run = row.as_ref().map(to_run).transpose()?;
        let review = match &id {
            Some(id) => load::<ReviewRow>(&*self.ledger, id).await?.map(|found| found.row),
            None => None,
        };
        let asked = review.as_ref().is_some_and(|row| !row.question.is_empty() && row.answer.is_empty());
        let mut steps = Vec::new();
        for step in run::itinerary(kind) {
            let of = run.as_ref().and_then(|run| run.steps.iter().find(|s| s.step == *step));
            let status = of.map_or(StepStatus::NotStarted, |s| s.status);
            let (mut report, mut progress) = (None, None);
            if let Some(id) = id.as_ref().filter(|_| status != StepStatus::NotStarted) {
                let key = format!("{id}/{}", step.name());
                report = load::<ReportRow>(&*self.ledger, &key).await?.map(|found| found.row);
                progress = load::<ProgressRow>(&*self.ledger, &key).await?.map(|found| found.row);
            }
            let waits = progress.as_ref().is_some_and(|row| row.wait.is_some());
            let reused = report.as_ref().is_some_and(|row| row.layers_reused > 0 && row.layers_read == 0);
            let fault = run.as_ref().and_then(|run| run.fault);
            steps.push(StepView {
                shown: match Shown::of(status, waits, fault, reused) {
                    Shown::InReview if asked => Shown::NeedsInformation,
                    shown => shown,
                },
                step: *step,
                status,
                title: run::title_key(kind, *step),
                estimate: run::estimate(kind, *step).map(|estimate| estimate.key),
                started: of.and_then(|s| s.started),
                ended: of.and_then(|s| s.ended),
                report,
                progress,
            });
        }
        let cancel =
            run.as_ref().map_or(Err(run::Refusal::Over), |run| run::may_cancel(run, self.settings.cancel));
        Ok(StatusView {
            standing: self.standing(&offer).await?,
            offer,
            kind,
            state: run.as_ref().map(|run| run.state),
            ours: run.as_ref().is_some_and(|run| run.fault == Some(Fault::Ours)),
            submission: row,
            review,
            steps,
            cancel_refused: cancel.err().map(run::Refusal::code),
            overall_days: run::overall_business_days(kind),
        })
    }
}

impl StatusView {
    /// The status as the API gives it; `words` turns keys and arguments into text.
    pub fn to_json(&self, base_url: &str, words: Words<'_>) -> Value {
        let step = |view: &StepView| {
            let messages = view.report.iter().flat_map(|report| &report.messages).map(|message| {
                let args: Vec<(&str, &str)> =
                    message.args.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                json!({
                    "level": message.level, "code": message.code, "text": words(&message.code, &args),
                    "timestamp": rfc3339(message.at),
                })
            });
            let reused = view
                .report
                .as_ref()
                .map(|r| json!({"layersRead": r.layers_read, "layersReused": r.layers_reused}));
            let progress = view.progress.as_ref().map(|p| {
                let wait = p.wait.as_ref().map(|wait| {
                    json!({
                        "on": words(&wait.on, &[("detail", &wait.detail)]), "code": wait.on, "detail": wait.detail,
                        "since": rfc3339(wait.since), "next": rfc3339(wait.next), "tries": wait.tries,
                    })
                });
                json!({"done": p.done, "total": p.total, "parts": p.parts, "wait": wait})
            });
            json!({
                "id": view.step.name(), "stepName": words(view.title, &[]),
                "description": words(&format!("{}-text", view.title), &[]),
                "estimatedTimeFrame": view.estimate.map(|key| words(key, &[])),
                "actor": if view.step == Step::Signoff { "publisher" } else { "mercat" },
                "status": view.status.name(), "progressPercentage": view.percent(),
                "startedAt": view.started.map(rfc3339), "endedAt": view.ended.map(rfc3339),
                "messages": messages.collect::<Vec<_>>(),
                "findings": view.report.as_ref().map(|report| &report.findings),
                "reuse": reused.filter(|_| view.step == Step::Certify), "progress": progress,
                "verdicts": view.report.as_ref().map(|report| &report.verdicts).filter(|v| !v.is_empty()),
            })
        };
        let offer = format!("{}/{}", self.offer.publisher, self.offer.offer);
        let live = json!({"uri": format!("{base_url}/marketplace/apps/{}.{}", self.offer.publisher, self.offer.offer)});
        let preview = json!({"uri": format!("{base_url}/marketplace/preview/{}.{}", self.offer.publisher, self.offer.offer)});
        json!({
            "offer": offer,
            "submission": self.submission.as_ref().map(|row| &row.id),
            "expectedBy": self.submission.as_ref().zip(self.overall_days).map(|(row, days)| {
                rfc3339(mercat_domain::calendar::add_business_days(row.created, days))
            }),
            "number": self.submission.as_ref().map(|row| row.number),
            "status": self.state.map_or("neverPublished", State::name),
            "fault": self.state.filter(|state| *state == State::Failed).map(|_| if self.ours { "ours" } else { "publisher" }),
            "snapshotDigest": self.submission.as_ref().map(|row| &row.run.snapshot),
            "cancellationRequestState": match (self.state, self.cancel_refused) {
                (Some(State::Canceled), _) => "canceled",
                (_, None) => "canCancel",
                _ => "cannotCancel",
            },
            "steps": self.steps.iter().map(step).collect::<Vec<_>>(),
            "previewLinks": self.offer.preview.as_ref().map_or(vec![], |_| vec![preview]),
            "liveLinks": self.offer.live.as_ref().map_or(vec![], |_| vec![live]),
            "notificationEmails": self.submission.as_ref().map(|row| row.emails.join(",")),
            "images": self.submission.as_ref().map(|row| &row.images),
            "standing": self.standing.as_ref().map(|row| json!({
                "submission": row.submission, "judgedAt": (row.judged > 0).then(|| rfc3339(row.judged)),
                "findings": row.findings, "trouble": row.trouble,
            })),
        })
    }
}
