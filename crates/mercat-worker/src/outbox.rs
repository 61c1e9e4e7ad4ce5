//! Mails out of the outbox, and clearing up after a cancelled preview.

use crate::{OUTBOX_TRIES_MAX, Tried, Worker, chain};
use mercat_app::{AppError, NoticeFacts};
use mercat_courier::{Letter, LetterFinding, Rendered, render};
use mercat_domain::OfferKind;
use mercat_domain::notice::NoticeKind;
use mercat_domain::run::{Step, estimate, itinerary, title_key};
use mercat_store::document::from_json;
use mercat_store::{Commit, Expect, LeaseUse, MailRow, SubmissionRow, Task, commit_surely, load, put};
use mercat_text::Locale;

impl Worker {
    pub(crate) async fn deliver(&self, task: &Task) -> Result<Tried, AppError> {
        let Ok(facts) = serde_json::from_str::<NoticeFacts>(&task.body) else {
            return self.drop_task(task).await;
        };
        let Some(mut letter) = letter(&facts) else { return self.drop_task(task).await };
        let secret = letter.kind == NoticeKind::SignIn;
        if secret {
            // Made now, so that nothing kept holds it.
            let user = facts.args.get("user").map(String::as_str).unwrap_or_default();
            letter.link_url = self.app.issue_link(user).await?;
        }
        let mail = render(&letter);
        let id = facts.message_id();
        let mut sent = false;
        if let Some(mailer) = &self.mailer {
            match mailer.send(&mail, &facts.emails, &id).await {
                Ok(()) => sent = true,
                Err(error) if task.attempts >= OUTBOX_TRIES_MAX => {
                    tracing::error!(mail = %id, error = %chain(&error), "a mail was given up; it is in the mailbox");
                }
                Err(error) => {
                    tracing::warn!(mail = %id, tries = task.attempts, error = %chain(&error), "a mail waits");
                    return Ok(Tried::Wait { on: "wait-store", detail: error.to_string() });
                }
            }
        }
        let mut commit = Commit::new();
        commit.lease = Some((task.lease.clone(), LeaseUse::Finish));
        if !secret {
            let at = if facts.at == 0 { self.app.ledger.now().await? } else { facts.at };
            commit.writes.push(put(&MailRow { at, ..mail_row(&facts, id, mail, sent) }, Expect::Any));
        }
        commit_surely(&*self.app.ledger, &commit).await?;
        Ok(Tried::Done)
    }

    pub(crate) async fn clean(&self, task: &Task) -> Result<Tried, AppError> {
        let submission = load::<SubmissionRow>(&*self.app.ledger, &task.run).await?;
        let document = submission.as_ref().and_then(|row| from_json(&row.row.document).ok());
        if let (Some(submission), Some(document)) = (submission, document) {
            for plan in &document.plans {
                let repository = crate::steps::preview_repository(&submission.row, &plan.id);
                for region in self.regions.iter() {
                    if let Err(error) = region.remove("preview", &repository).await {
                        return Ok(Tried::Wait { on: "wait-region", detail: error.to_string() });
                    }
                }
            }
        }
        let mut commit = Commit::new();
        commit.lease = Some((task.lease.clone(), LeaseUse::Finish));
        commit_surely(&*self.app.ledger, &commit).await?;
        Ok(Tried::Done)
    }
}

/// What the mailbox of a publisher keeps of a mail. Threads of support have readers of their own, and are read where
/// they are; who the customers are is nobody's business.
fn mail_row(facts: &NoticeFacts, id: String, mut mail: Rendered, sent: bool) -> MailRow {
    let kind = NoticeKind::parse(&facts.notice);
    if matches!(kind, Some(NoticeKind::Support | NoticeKind::CustomerTicket)) {
        mail.text = format!("{}{}", facts.base_url, facts.link);
        mail.html = String::new();
        mail.subject = facts.args.get("request").map(|number| format!("#{number}")).unwrap_or_default();
    }
    let own =
        !matches!(kind, Some(NoticeKind::Support | NoticeKind::CustomerTicket | NoticeKind::Deprecation));
    MailRow {
        id,
        notice: facts.notice.clone(),
        publisher: facts.publisher.clone(),
        submission: facts.submission.clone(),
        to: if own { facts.emails.clone() } else { Vec::new() },
        subject: mail.subject,
        text: mail.text,
        html: mail.html,
        at: facts.at,
        sent,
    }
}

fn letter(facts: &NoticeFacts) -> Option<Letter> {
    let kind = NoticeKind::parse(&facts.notice)?;
    if !facts.link.is_empty() {
        return Some(part_letter(kind, facts));
    }
    let offer_kind = OfferKind::parse(&facts.kind)?;
    let finding = |finding: &mercat_store::FindingRow| LetterFinding {
        rule: finding.rule.clone(),
        place: finding.place(),
        observed: finding.observed.clone(),
        required: finding.required.clone(),
        fix: finding.fix.clone(),
    };
    let step_title =
        Step::parse(&facts.step.step).map(|step| title_key(offer_kind, step)).unwrap_or_default();
    let steps = itinerary(offer_kind).iter().map(|step| {
        let promised = estimate(offer_kind, *step).map(|estimate| estimate.key.to_owned());
        (title_key(offer_kind, *step).to_owned(), promised)
    });
    let (base, path) = (&facts.base_url, format!("{}/{}", facts.publisher, facts.offer));
    let listing = match kind {
        NoticeKind::PreviewReady => format!("{base}/marketplace/preview/{}.{}", facts.publisher, facts.offer),
        NoticeKind::Live => format!("{base}/marketplace/apps/{}.{}", facts.publisher, facts.offer),
        _ => String::new(),
    };
    Some(Letter {
        offer: path.clone(),
        offer_name: facts.offer_name.clone(),
        number: facts.number,
        step_title: step_title.to_owned(),
        steps: steps.collect(),
        ours: facts.step.ours,
        findings: facts.step.findings.iter().filter(|f| f.severity != "info").take(20).map(finding).collect(),
        actor: facts.actor.clone(),
        audience: facts.audience.clone(),
        status_url: format!("{base}/portal/offers/{path}/status"),
        listing_url: listing,
        ..Letter::about(kind, Locale::negotiate(&facts.locale))
    })
}

/// A letter about something that is not a turn of a run.
fn part_letter(kind: NoticeKind, facts: &NoticeFacts) -> Letter {
    let locale = Locale::negotiate(&facts.locale);
    let words = facts.keys.iter().map(|(name, key)| (name.clone(), mercat_text::text(locale, key, &[])));
    let subjects = facts.digest.iter().filter_map(letter).map(|letter| {
        let subject = render(&Letter { locale, ..letter }).subject;
        ("mail-notice".to_owned(), subject)
    });
    // Each line a rule and what it saw, in the reader's language.
    let seen = facts.args.get("findings").map(|lines| {
        let told = |line: &str| match line.split_once(": ") {
            Some((rule, observed)) => format!("{rule}: {}", mercat_text::observed(locale, observed)),
            None => line.to_owned(),
        };
        ("findings".to_owned(), lines.lines().map(told).collect::<Vec<_>>().join("; "))
    });
    let key = [facts.publisher.as_str(), &facts.offer].join("/");
    Letter {
        offer: key.trim_end_matches('/').to_owned(),
        offer_name: facts.offer_name.clone(),
        link_url: format!("{}{}", facts.base_url, facts.link),
        args: facts.args.clone().into_iter().chain(words).chain(seen).collect(),
        details: subjects.collect(),
        ..Letter::about(kind, locale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_now_is_told_in_the_language_of_the_mail() {
        let told = |locale: &str| {
            let facts = NoticeFacts {
                notice: NoticeKind::Standing.id().to_owned(),
                publisher: "aurora".to_owned(),
                offer: "vm".to_owned(),
                link: "/portal/offers/aurora/vm/status".to_owned(),
                locale: locale.to_owned(),
                args: [
                    ("count".to_owned(), "2".to_owned()),
                    (
                        "findings".to_owned(),
                        "LNX-14: root has a password\nLNX-03: rootdelay=300 is missing".to_owned(),
                    ),
                ]
                .into(),
                ..NoticeFacts::default()
            };
            render(&letter(&facts).expect("a mail")).text
        };
        let english = told("en");
        assert!(
            english.contains("LNX-14: root has a password; LNX-03: rootdelay=300 is missing"),
            "{english}"
        );
        let japanese = told("ja");
        assert!(japanese.contains("LNX-14: root ") && !japanese.contains("has a password"), "{japanese}");
        assert!(japanese.contains("; LNX-03: rootdelay=300 ") && !japanese.contains("missing"), "{japanese}");
    }
}
