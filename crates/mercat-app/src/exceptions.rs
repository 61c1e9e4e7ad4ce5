//! Exceptions and appeals: asked for by the publisher, decided by a reviewer, used by certification.

use crate::notices::Told;
use crate::standing::again_anyway;
use crate::support::{check_text, message};
use crate::{App, AppError, rfc3339};
use mercat_domain::access::{Action, Object, Principal};
use mercat_domain::exception::{Exception, ExceptionState, LIFE_MAX, binding, decided};
use mercat_domain::finding::Place;
use mercat_domain::notice::NoticeKind;
use mercat_domain::offer::Problem;
use mercat_domain::{Millis, OfferKey};
use mercat_store::{
    AttachmentRow, Commit, ExceptionRow, Expect, FindingRow, LedgerError, NewEvent, ReportRow, SubmissionRow,
    UserRow, Versioned, commit_surely, find, load, put,
};

/// A request for an exception.
#[derive(Debug, Clone, Default)]
pub struct ExceptionRequest {
    /// Submission id.
    pub submission: String,
    /// Step by name.
    pub step: String,
    /// Which of the step's findings, from 0.
    pub finding: usize,
    /// `exception` or `appeal`.
    pub kind: String,
    /// Why.
    pub reason: String,
    /// The last day, `YYYY-MM-DD`; may be empty for an appeal.
    pub until: String,
    /// Files, stored already.
    pub attachments: Vec<AttachmentRow>,
    /// Language of the requester's mails.
    pub locale: String,
}

/// What a reviewer decides.
#[derive(Debug, Clone)]
pub struct ExceptionDecision {
    /// The state that follows.
    pub state: ExceptionState,
    /// The state that the reviewer saw; whatever it was, where there is none.
    pub from: Option<String>,
    /// Told to the publisher.
    pub note: String,
    /// Another last day, `YYYY-MM-DD`.
    pub until: Option<String>,
}

impl App {
    /// Asks for an exception from one finding of a submission.
    ///
    /// # Errors
    /// Problems with reason and end date; [`AppError::NotFound`] for a finding that is not there or does not block;
    /// [`AppError::Asked`] where there is such a request.
    pub async fn request_exception(
        &self,
        actor: &str,
        key: &OfferKey,
        request: &ExceptionRequest,
    ) -> Result<ExceptionRow, AppError> {
        let submission =
            load::<SubmissionRow>(&*self.ledger, &request.submission).await?.ok_or(AppError::NotFound)?.row;
        if (submission.publisher.as_str(), submission.offer.as_str()) != (&key.publisher, &key.offer) {
            return Err(AppError::NotFound);
        }
        let report = format!("{}/{}", submission.id, request.step);
        let report = load::<ReportRow>(&*self.ledger, &report).await?.ok_or(AppError::NotFound)?.row;
        let finding =
            report.findings.get(request.finding).filter(|finding| finding.severity == "error").cloned();
        let finding = finding.ok_or(AppError::NotFound)?;
        let now = self.ledger.now().await?;
        let mut problems = check_text(&request.reason, &request.attachments);
        // There, the text has another name.
        problems
            .iter_mut()
            .filter(|problem| problem.path == "text")
            .for_each(|problem| problem.path = "reason".into());
        if request.reason.trim().is_empty() {
            problems.push(Problem::new("F001", "reason", "", "why it should pass"));
        }
        if !["exception", "appeal"].contains(&request.kind.as_str()) {
            problems.push(Problem::new("F003", "kind", &request.kind, "exception or appeal"));
        }
        let until = match (request.kind.as_str(), request.until.as_str()) {
            ("appeal", "") => 0,
            (_, "") => {
                problems.push(Problem::new("F001", "until", "", UNTIL));
                0
            }
            (_, day) => last_moment(day, now).unwrap_or_else(|problem| {
                problems.push(problem);
                0
            }),
        };
        if !problems.is_empty() {
            return Err(AppError::Problems(problems));
        }
        let bound = bound(&finding, &submission);
        let email =
            load::<UserRow>(&*self.ledger, actor).await?.map(|found| found.row.email).unwrap_or_default();
        for _ in 0..8 {
            // Whoever asks at the same time takes the same number, and one of both comes here again.
            let mut commit = Commit::new();
            let number = self.next_number(&mut commit, "exception-number").await?;
            self.alone(&key.publisher, &bound, "").await?;
            let row = ExceptionRow {
                id: uuid::Uuid::now_v7().to_string(),
                number,
                kind: request.kind.clone(),
                publisher: key.publisher.clone(),
                offer: key.offer.clone(),
                submission: submission.id.clone(),
                finding: finding.clone(),
                binding: bound.clone(),
                until,
                state: ExceptionState::Requested.name().to_owned(),
                messages: vec![message(actor, false, &request.reason, &request.attachments, now)],
                requester: actor.to_owned(),
                email: email.clone(),
                locale: request.locale.clone(),
                reviewer: String::new(),
                created: now,
                decided: 0,
            };
            commit.writes.push(put(&row, Expect::Absent));
            commit.events.push(exception_event(&row, "exception.requested", actor));
            commit.tasks.extend(self.letters(&self.about_exception(&row, ""), &self.operators().await?));
            match commit_surely(&*self.ledger, &commit).await {
                Err(LedgerError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    self.bell.notify_waiters();
                    return Ok(row);
                }
            }
        }
        Err(AppError::Ledger(LedgerError::Conflict {
            kind: "setting".into(),
            key: "exception-number".into(),
        }))
    }

    /// Says more about a request; a reviewer looks at it again.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for one that is not the publisher's or was decided.
    pub async fn inform_exception(
        &self,
        actor: &str,
        publisher: &str,
        id: &str,
        text: &str,
        attachments: &[AttachmentRow],
    ) -> Result<ExceptionRow, AppError> {
        let found = load::<ExceptionRow>(&*self.ledger, id).await?.ok_or(AppError::NotFound)?;
        let state = ExceptionState::parse(&found.row.state);
        let open = matches!(state, Some(ExceptionState::Requested | ExceptionState::NeedsInformation));
        if found.row.publisher != publisher || !open {
            return Err(AppError::NotFound);
        }
        let mut problems = check_text(text, attachments);
        if text.trim().is_empty() && attachments.is_empty() {
            problems.push(Problem::new("F001", "text", "", "what was asked for"));
        }
        if !problems.is_empty() {
            return Err(AppError::Problems(problems));
        }
        let now = self.ledger.now().await?;
        let mut row = found.row;
        row.messages.push(message(actor, false, text, attachments, now));
        row.state = ExceptionState::Requested.name().to_owned();
        let to = self.operators().await?;
        self.store_exception(actor, "exception.informed", row, found.version, ("", &to)).await
    }

    /// Decides a request.
    ///
    /// # Errors
    /// Problems with the end date; [`AppError::NotFound`] when there is none; [`AppError::Forbidden`] for a decision
    /// that does not follow, or by somebody with a part in the publisher; [`AppError::Stale`] where somebody else decided
    /// meanwhile; [`AppError::Asked`] where another is open or in force for the same.
    pub async fn decide_exception(
        &self,
        who: &Principal,
        id: &str,
        decision: &ExceptionDecision,
    ) -> Result<ExceptionRow, AppError> {
        let found: Versioned<ExceptionRow> = load(&*self.ledger, id).await?.ok_or(AppError::NotFound)?;
        self.permit(who, Action::Review, Object::Publisher(&found.row.publisher))?;
        let actor = who.user.as_deref().unwrap_or("");
        let from = ExceptionState::parse(&found.row.state).ok_or(AppError::NotFound)?;
        if decision.from.as_deref().is_some_and(|seen| seen != found.row.state) {
            return Err(AppError::Stale { current: found.version });
        }
        let state = decided(from, decision.state).ok_or(AppError::Forbidden)?;
        let now = self.ledger.now().await?;
        let mut problems = check_text(&decision.note, &[]);
        if state != ExceptionState::Granted && decision.note.trim().is_empty() {
            problems.push(Problem::new("F001", "note", "", "what the publisher is told"));
        }
        let mut row = found.row;
        if let Some(day) = decision.until.as_deref().filter(|day| !day.is_empty()) {
            match last_moment(day, now) {
                Ok(until) => row.until = until,
                Err(problem) => problems.push(problem),
            }
        } else if state == ExceptionState::Granted && !in_force(&row, now) {
            problems.push(Problem::new("F003", "until", shown(&row), UNTIL));
        }
        if !problems.is_empty() {
            return Err(AppError::Problems(problems));
        }
        // Of two that are in force, withdrawing one would change nothing.
        if state == ExceptionState::Granted {
            self.alone(&row.publisher, &row.binding, &row.id).await?;
        }
        row.state = state.name().to_owned();
        row.messages.push(message(actor, true, &decision.note, &[], now));
        if state != ExceptionState::NeedsInformation {
            actor.clone_into(&mut row.reviewer);
            row.decided = now;
        }
        let (locale, email) = (row.locale.clone(), row.email.clone());
        let what = format!("exception.{}", row.state);
        self.store_exception(actor, &what, row, found.version, (&locale, &[email])).await
    }

    /// That no other request of the publisher for the same is open or in force.
    async fn alone(&self, publisher: &str, binding: &str, id: &str) -> Result<(), AppError> {
        let open = self.open_exceptions(publisher).await?;
        match open.iter().find(|row| row.binding == binding && row.id != id) {
            Some(row) => Err(AppError::Asked(row.number)),
            None => Ok(()),
        }
    }

    async fn store_exception(
        &self,
        actor: &str,
        what: &str,
        row: ExceptionRow,
        version: u64,
        (locale, to): (&str, &[String]),
    ) -> Result<ExceptionRow, AppError> {
        let mut commit = Commit::new();
        commit.writes.push(put(&row, Expect::Version(version)));
        commit.events.push(exception_event(&row, what, actor));
        commit.tasks.extend(self.letters(&self.about_exception(&row, locale), to));
        // What is live by an exception, or would be by this one, is judged by it, and once more when it is over.
        let (key, number) = (OfferKey::new(&row.publisher, &row.offer), row.number);
        let state = ExceptionState::parse(&row.state);
        if state.is_some_and(|state| state == ExceptionState::Granted || state.is_over()) {
            commit.tasks.push(again_anyway(&key, &format!("exception-{number}-{}", row.decided), 0));
            if row.until > row.decided {
                let why = format!("exception-{number}-{}-over", row.decided);
                commit.tasks.push(again_anyway(&key, &why, row.until - row.decided + 1000));
            }
        }
        match commit_surely(&*self.ledger, &commit).await {
            Err(LedgerError::Conflict { .. }) => Err(AppError::Stale { current: version + 1 }),
            other => {
                self.bell.notify_waiters();
                Ok(other.map(|()| row)?)
            }
        }
    }

    fn about_exception(&self, row: &ExceptionRow, locale: &str) -> Told {
        let key = OfferKey::new(&row.publisher, &row.offer);
        let state = ExceptionState::parse(&row.state).unwrap_or(ExceptionState::Requested);
        let last = row.messages.last().map(|message| message.text.as_str()).unwrap_or_default();
        Told::new(NoticeKind::Exception, &key, &format!("{}.{}", row.id, row.messages.len()))
            .link(&format!("/portal/publishers/{}/exceptions", row.publisher))
            .locale(locale)
            .word("offer", &row.offer)
            .word("request", &row.number.to_string())
            .word("rule", &row.finding.rule)
            .word("message", &last.chars().take(2000).collect::<String>())
            .words_of("state", state.key())
    }

    /// The requests of a publisher, newest first.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn exceptions(&self, publisher: &str) -> Result<Vec<ExceptionRow>, AppError> {
        let mut rows = find::<ExceptionRow>(&*self.ledger, "publisher", publisher).await?;
        rows.sort_by_key(|found| std::cmp::Reverse(found.row.number));
        Ok(rows.into_iter().map(|found| found.row).collect())
    }

    /// The requests of a publisher that were not denied or withdrawn and are not over: there is one for a finding.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn open_exceptions(&self, publisher: &str) -> Result<Vec<ExceptionRow>, AppError> {
        let now = self.ledger.now().await?;
        let rows = find::<ExceptionRow>(&*self.ledger, "publisher", publisher).await?;
        let is_over =
            |row: &ExceptionRow| ExceptionState::parse(&row.state).is_some_and(ExceptionState::is_over);
        let is_open = |row: &ExceptionRow| !is_over(row) && in_force(row, now);
        Ok(rows.into_iter().map(|found| found.row).filter(is_open).collect())
    }

    /// A file that came with a request; `publisher` is empty for a reviewer.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when there is no such request, or no such file in it.
    pub async fn exception_file(
        &self,
        publisher: &str,
        id: &str,
        digest: &str,
    ) -> Result<AttachmentRow, AppError> {
        let row = load::<ExceptionRow>(&*self.ledger, id).await?.ok_or(AppError::NotFound)?.row;
        if !publisher.is_empty() && row.publisher != publisher {
            return Err(AppError::NotFound);
        }
        let mut files = row.messages.into_iter().flat_map(|message| message.attachments);
        files.find(|file| file.digest == digest).ok_or(AppError::NotFound)
    }

    /// What waits for a reviewer, oldest first, with the notes that came with each submission.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn exception_queue(&self) -> Result<Vec<(ExceptionRow, String)>, AppError> {
        self.exceptions_of(ExceptionState::Requested).await
    }

    /// What waits for a publisher to say more, with the notes that came with each submission.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn exceptions_asked_about(&self) -> Result<Vec<(ExceptionRow, String)>, AppError> {
        self.exceptions_of(ExceptionState::NeedsInformation).await
    }

    async fn exceptions_of(&self, state: ExceptionState) -> Result<Vec<(ExceptionRow, String)>, AppError> {
        let mut out = Vec::new();
        for found in find::<ExceptionRow>(&*self.ledger, "state", state.name()).await? {
            let submission = load::<SubmissionRow>(&*self.ledger, &found.row.submission).await?;
            out.push((found.row, submission.map(|row| row.row.notes).unwrap_or_default()));
        }
        Ok(out)
    }

    /// What was granted and is in force, of all publishers; what ends first is first.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn exceptions_in_force(&self) -> Result<Vec<ExceptionRow>, AppError> {
        let now = self.ledger.now().await?;
        let rows = find::<ExceptionRow>(&*self.ledger, "state", ExceptionState::Granted.name()).await?;
        let mut rows: Vec<_> =
            rows.into_iter().map(|found| found.row).filter(|row| in_force(row, now)).collect();
        rows.sort_by_key(|row| (if row.until == 0 { Millis::MAX } else { row.until }, row.number));
        Ok(rows)
    }

    /// What was denied, withdrawn or is over, of all publishers; what was decided last is first.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn exceptions_over(&self) -> Result<Vec<ExceptionRow>, AppError> {
        let now = self.ledger.now().await?;
        let mut rows = Vec::new();
        for state in [ExceptionState::Granted, ExceptionState::Denied, ExceptionState::Withdrawn] {
            let found = find::<ExceptionRow>(&*self.ledger, "state", state.name()).await?;
            let over = |row: &ExceptionRow| state.is_over() || !in_force(row, now);
            rows.extend(found.into_iter().map(|found| found.row).filter(over));
        }
        rows.sort_by_key(|row| (std::cmp::Reverse(row.decided), row.number));
        Ok(rows)
    }

    /// The exceptions of a publisher that are in force now.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn granted_exceptions(&self, publisher: &str) -> Result<Vec<Exception>, AppError> {
        let now = self.ledger.now().await?;
        let rows = find::<ExceptionRow>(&*self.ledger, "granted", publisher).await?;
        let one = |row: ExceptionRow| Exception {
            binding: row.binding.clone(),
            offer: row.offer.clone(),
            number: row.number,
            until: shown(&row),
        };
        Ok(rows.into_iter().map(|found| found.row).filter(|row| in_force(row, now)).map(one).collect())
    }
}

fn in_force(row: &ExceptionRow, now: Millis) -> bool {
    row.until == 0 || now <= row.until
}

fn shown(row: &ExceptionRow) -> String {
    if row.until == 0 { "further notice".to_owned() } else { rfc3339(row.until).chars().take(10).collect() }
}

/// What a last day must be.
const UNTIL: &str = "a day within a year, as YYYY-MM-DD";

/// The end of a day that lies in the future, and not too far.
fn last_moment(day: &str, now: Millis) -> Result<Millis, Problem> {
    let refuse = || Problem::new("F003", "until", day, UNTIL);
    let date: jiff::civil::Date = day.parse().map_err(|_| refuse())?;
    let end = date.at(23, 59, 59, 0).to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| refuse())?;
    let end = end.timestamp().as_millisecond();
    if end <= now || end > now + LIFE_MAX { Err(refuse()) } else { Ok(end) }
}

/// What a request about a finding of a submission holds to.
pub fn bound(finding: &FindingRow, submission: &SubmissionRow) -> String {
    let place = Place {
        plan: finding.plan.clone(),
        platform: finding.platform.clone(),
        layer: finding.layer.clone(),
        path: finding.path.clone(),
        file: finding.file.clone(),
        package: finding.package.clone(),
        field: finding.field.clone(),
        line: finding.line,
    };
    let images = submission.images.iter().filter(|image| image.plan == finding.plan);
    let images: Vec<String> = images.map(|image| image.digest.clone()).collect();
    binding(&finding.rule, &place, &finding.observed, &images)
}

fn exception_event(row: &ExceptionRow, kind: &str, actor: &str) -> NewEvent {
    NewEvent {
        subject: format!("offer:{}/{}", row.publisher, row.offer),
        run: row.submission.clone(),
        kind: kind.to_owned(),
        actor: actor.to_owned(),
        body: serde_json::json!({"exception": row.number, "rule": row.finding.rule, "state": row.state})
            .to_string(),
    }
}
