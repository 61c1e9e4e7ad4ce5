//! The certification team: claim a submission, ask about it, let it go on, or send it back.

use crate::go_live::to_run;
use crate::leads::hex;
use crate::notices::{StepFacts, Told};
use crate::transition::{Because, Next};
use crate::{App, AppError};
use mercat_domain::access::{Action, Object, Principal};
use mercat_domain::notice::NoticeKind;
use mercat_domain::offer::{Problem, is_email};
use mercat_domain::run::{self, Input, Refusal, State, Step};
use mercat_domain::{Millis, OfferKey};
use mercat_store::{
    Commit, Expect, FindingRow, LedgerError, NewEvent, NewTask, OfferRow, Query, ReportRow, ReviewRow,
    SubmissionRow, UserRow, Versioned, commit_surely, list, load, put,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Characters of a reason, a question or an answer.
const TEXT_CHARS_MAX: usize = 4000;

/// What is decided about a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It goes on.
    Approve,
    /// It goes back to the publisher.
    Reject {
        /// Why, as a whole; may be empty when findings say it.
        reason: String,
        /// Findings of the report, by place, that must be fixed, each with what to do.
        findings: Vec<(usize, String)>,
    },
}

impl App {
    /// Submissions that wait for the certification team, the longest waiting first.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn reviews(&self) -> Result<Vec<(ReviewRow, OfferRow)>, AppError> {
        let query = Query { index: Some(("open", "yes".to_owned())), limit: 1000, ..Query::default() };
        let mut out = Vec::new();
        for row in list::<ReviewRow>(&*self.ledger, query).await? {
            let key = OfferKey::new(&row.row.publisher, &row.row.offer);
            let Some(offer) = load::<OfferRow>(&*self.ledger, &key.to_string()).await? else { continue };
            // A submission that was cancelled waits for nobody.
            let waits = offer.row.active.as_ref() == Some(&row.row.submission)
                && offer.row.now.state == State::WaitingForApproval.name();
            if waits {
                out.push((row.row, offer.row));
            }
        }
        Ok(out)
    }

    /// The review of a submission, for somebody who may decide it.
    ///
    /// # Errors
    /// [`AppError::NotFound`]; [`AppError::Forbidden`] for a member of the publisher.
    pub async fn review(&self, who: &Principal, submission: &str) -> Result<Versioned<ReviewRow>, AppError> {
        let row = load::<ReviewRow>(&*self.ledger, submission).await?.ok_or(AppError::NotFound)?;
        self.permit(who, Action::Review, Object::Publisher(&row.row.publisher))?;
        Ok(row)
    }

    /// Takes a submission on, also from somebody else.
    ///
    /// # Errors
    /// As [`App::review`].
    pub async fn claim_review(&self, who: &Principal, submission: &str) -> Result<(), AppError> {
        let found = self.review(who, submission).await?;
        let actor = who.user.clone().unwrap_or_default();
        let row = ReviewRow { claimed_by: actor.clone(), ..found.row };
        self.store_review(&row, found.version, &actor, ("review.claimed", ""), Vec::new()).await
    }

    /// Asks the publisher something; the submission waits.
    ///
    /// # Errors
    /// As [`App::review`]; [`AppError::Claimed`] when somebody else looks at it; a problem without a question.
    pub async fn ask_publisher(
        &self,
        who: &Principal,
        submission: &str,
        question: &str,
    ) -> Result<(), AppError> {
        let found = self.review(who, submission).await?;
        let actor = claimed(&found.row, who)?;
        let question = text("question", question)?;
        let row = ReviewRow { claimed_by: actor.clone(), answer: String::new(), question, ..found.row };
        let said = row.question.clone();
        let run = load::<SubmissionRow>(&*self.ledger, submission).await?.ok_or(AppError::NotFound)?.row;
        let told =
            Told::new(NoticeKind::Question, &OfferKey::new(&row.publisher, &row.offer), &unique(&row, &said))
                .link(&format!("/portal/offers/{}/{}/status", row.publisher, row.offer))
                .locale(&run.locale)
                .word("offer", &row.offer)
                .word("message", &said.chars().take(2000).collect::<String>());
        let letters = self.letters(&told, &run.emails);
        self.store_review(&row, found.version, &actor, ("review.asked", &said), letters).await
    }

    /// The publisher's answer to a question.
    ///
    /// # Errors
    /// [`AppError::Refused`] when nothing was asked; a problem without an answer.
    pub async fn answer_review(&self, actor: &str, key: &OfferKey, answer: &str) -> Result<(), AppError> {
        let offer = load::<OfferRow>(&*self.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?.row;
        let active = offer.active.ok_or(Refusal::NotInReview)?;
        let found = load::<ReviewRow>(&*self.ledger, &active).await?.ok_or(Refusal::NotInReview)?;
        if found.row.question.is_empty() || !found.row.decision.is_empty() {
            return Err(Refusal::NotInReview.into());
        }
        let row = ReviewRow { answer: text("answer", answer)?, ..found.row };
        let said = row.answer.clone();
        let to = match load::<UserRow>(&*self.ledger, &row.claimed_by).await? {
            Some(user) if is_email(&user.row.email) => vec![user.row.email],
            _ => self.operators().await?,
        };
        let told = Told::new(NoticeKind::Question, key, &unique(&row, &said))
            .link("/portal/review")
            .word("offer", &row.offer)
            .word("message", &said.chars().take(2000).collect::<String>());
        let letters = self.letters(&told, &to);
        self.store_review(&row, found.version, actor, ("review.answered", &said), letters).await
    }

    async fn store_review(
        &self,
        row: &ReviewRow,
        version: u64,
        actor: &str,
        (kind, reason): (&str, &str),
        letters: Vec<NewTask>,
    ) -> Result<(), AppError> {
        let mut commit = Commit::new();
        commit.tasks = letters;
        commit.writes.push(put(row, Expect::Version(version)));
        commit.events.push(event(row, actor, kind, reason));
        commit_surely(&*self.ledger, &commit).await?;
        // Whoever looks at the Status tab sees it at once.
        self.bell.notify_waiters();
        Ok(())
    }

    /// Decides about a submission: run, report, review, history and mails in one commit.
    ///
    /// # Errors
    /// As [`App::review`]; [`AppError::Claimed`]; [`AppError::Refused`] when it does not wait any more; a
    /// problem when it is sent back without a reason.
    pub async fn decide_review(
        &self,
        who: &Principal,
        submission: &str,
        decision: &Decision,
    ) -> Result<SubmissionRow, AppError> {
        for _ in 0..8 {
            let review = self.review(who, submission).await?;
            let actor = claimed(&review.row, who)?;
            let pair = self.pair(submission).await?;
            let now = self.ledger.now().await?;
            let mut commit = Commit::new();
            let key = format!("{submission}/{}", Step::Certify.name());
            let report = load::<ReportRow>(&*self.ledger, &key).await?;
            let (input, name, reason, findings) = match decision {
                Decision::Approve => (Input::Approve, "approved", String::new(), Vec::new()),
                Decision::Reject { reason, findings } => {
                    let known = report.as_ref().map_or(&[][..], |report| &report.row.findings);
                    let found = rejected(reason, findings, known)?;
                    (Input::Reject, "rejected", cut(reason), found)
                }
            };
            let (run, effects) = run::decide(&to_run(&pair.submission.row)?, &input, now)?;
            let facts = StepFacts {
                step: Step::Certify.name().to_owned(),
                findings: findings.clone(),
                detail: reason.clone(),
                ..StepFacts::default()
            };
            let because = Because { actor: &actor, facts: &facts, listing: None, now };
            self.write_transition(&mut commit, &pair, &Next { run, effects }, &because);
            if let Some(report) = report.filter(|_| !findings.is_empty()) {
                let mut row = report.row;
                row.findings = [findings, row.findings].concat();
                commit.writes.push(put(&row, Expect::Version(report.version)));
            }
            let row = decided(review.row, name, &reason, &actor, now);
            commit.events.push(event(&row, &actor, "submission.reviewed", &format!("{name} {reason}")));
            commit.writes.push(put(&row, Expect::Version(review.version)));
            match commit_surely(&*self.ledger, &commit).await {
                Err(LedgerError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    self.bell.notify_waiters();
                    return Ok(self.pair(submission).await?.submission.row);
                }
            }
        }
        Err(Refusal::NotInReview.into())
    }
}

fn decided(row: ReviewRow, name: &str, reason: &str, actor: &str, now: Millis) -> ReviewRow {
    ReviewRow {
        decision: name.to_owned(),
        reason: reason.to_owned(),
        decided_by: actor.to_owned(),
        decided: now,
        ..row
    }
}

fn event(row: &ReviewRow, actor: &str, kind: &str, reason: &str) -> NewEvent {
    NewEvent {
        subject: format!("offer:{}/{}", row.publisher, row.offer),
        run: row.submission.clone(),
        kind: kind.to_owned(),
        actor: actor.to_owned(),
        body: json!({"step": Step::Certify.name(), "reason": reason}).to_string(),
    }
}

/// The same for the same words, and another for the next.
fn unique(row: &ReviewRow, said: &str) -> String {
    let words = Sha256::digest([row.question.as_str(), "\n", said].concat().as_bytes());
    format!("{}.{}", row.submission, hex(&words[..6]))
}

/// The caller, when nobody else looks at the submission.
fn claimed(row: &ReviewRow, who: &Principal) -> Result<String, AppError> {
    let actor = who.user.clone().unwrap_or_default();
    if row.claimed_by.is_empty() || row.claimed_by == actor {
        return Ok(actor);
    }
    Err(AppError::Claimed)
}

fn cut(text: &str) -> String {
    text.trim().chars().take(TEXT_CHARS_MAX).collect()
}

fn text(path: &str, given: &str) -> Result<String, AppError> {
    let text = cut(given);
    if text.is_empty() {
        return Err(AppError::Problems(vec![Problem::new("F001", path, "", "a value")]));
    }
    Ok(text)
}

/// The findings with which a submission goes back: those that were chosen, and one for the reason as a whole.
fn rejected(
    reason: &str,
    chosen: &[(usize, String)],
    known: &[FindingRow],
) -> Result<Vec<FindingRow>, AppError> {
    let severity = || "error".to_owned();
    let one = |(at, why): &(usize, String)| {
        let fix = cut(why);
        let finding = known.get(*at)?.clone();
        let fix = if fix.is_empty() { finding.fix.clone() } else { fix };
        Some(FindingRow { severity: severity(), fix, ..finding })
    };
    let mut out: Vec<FindingRow> = chosen.iter().filter_map(one).collect();
    let reason = cut(reason);
    if !reason.is_empty() {
        let required = "what the certification team asks for".to_owned();
        out.push(FindingRow {
            rule: "REV-01".into(),
            severity: severity(),
            required,
            fix: reason,
            ..FindingRow::default()
        });
    }
    if out.is_empty() {
        return Err(AppError::Problems(vec![Problem::new("F001", "reason", "", "a reason, or a finding")]));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_back_without_a_reason() {
        let known =
            [FindingRow { rule: "CTR-24".into(), severity: "warning".into(), ..FindingRow::default() }];
        assert!(rejected(" ", &[], &known).is_err());
        let found = rejected("Too vague", &[(0, "Use another user".into()), (7, "x".into())], &known)
            .expect("a reason");
        let told: Vec<_> =
            found.iter().map(|f| (f.rule.as_str(), f.severity.as_str(), f.fix.as_str())).collect();
        assert_eq!(told, [("CTR-24", "error", "Use another user"), ("REV-01", "error", "Too vague")]);
    }
}
