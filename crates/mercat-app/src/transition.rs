//! From effects to one commit: rows, history, work and mails together.

use crate::notices::{NoticeFacts, StepFacts};
use crate::webhooks::Happening;
use crate::{App, CLEANUP, OUTBOX, STEPS};
use mercat_domain::notice::NoticeKind;
use mercat_domain::run::{Effect, Fault, Run, State, current_step};
use mercat_domain::{Millis, OfferKey, tags};
use mercat_store::document::from_json;
use mercat_store::{
    CardRow, Commit, Expect, FindingRow, ListingRow, NewEvent, NewTask, NowRow, OfferRow, RunRow, StepRow,
    SubmissionRow, TimingRow, Versioned, Write, put,
};
use serde_json::json;
use std::collections::BTreeSet;

/// Characters of the long texts by which an offer is found.
const FOUND_CHARS_MAX: usize = 2000;

/// An offer and one of its submissions, read together.
pub(crate) struct Pair {
    pub(crate) offer: Versioned<OfferRow>,
    pub(crate) submission: Versioned<SubmissionRow>,
}

/// What came of a decision.
pub(crate) struct Next {
    pub(crate) run: Run,
    pub(crate) effects: Vec<Effect>,
}

/// Who caused a decision, and what goes with it.
pub(crate) struct Because<'a> {
    pub(crate) actor: &'a str,
    pub(crate) facts: &'a StepFacts,
    /// Needed when production opens.
    pub(crate) listing: Option<&'a ListingRow>,
    pub(crate) now: Millis,
}

impl App {
    /// Writes a decision into a commit.
    pub(crate) fn write_transition(
        &self,
        commit: &mut Commit,
        pair: &Pair,
        next: &Next,
        because: &Because<'_>,
    ) {
        let Because { actor, facts, listing, now } = *because;
        let mut offer = pair.offer.row.clone();
        let mut submission = pair.submission.row.clone();
        submission.run = RunRow::from(&next.run);
        let id = submission.id.clone();
        commit.writes.extend(timings(&pair.submission.row, &submission));
        let mut told = Vec::new();
        for effect in &next.effects {
            match effect {
                Effect::Begin(step) => commit.tasks.push(NewTask {
                    id: format!("{id}/{}/{}", step.name(), next.run.turn),
                    run: id.clone(),
                    queue: STEPS,
                    body: json!({"submission": id, "step": step.name(), "turn": next.run.turn}).to_string(),
                    delay: 0,
                }),
                Effect::Stop => commit.stop_run = Some((id.clone(), STEPS)),
                Effect::OpenPreview => {
                    offer.preview_before = offer.preview.take().filter(|before| *before != id);
                    offer.preview = Some(id.clone());
                    offer.audience_before = std::mem::replace(&mut offer.audience, audience(&submission));
                }
                Effect::ClosePreview => {
                    offer.preview = offer.preview_before.take();
                    offer.audience = std::mem::take(&mut offer.audience_before);
                }
                Effect::Clean => commit.tasks.push(NewTask {
                    id: format!("{id}/remove-preview"),
                    run: id.clone(),
                    queue: CLEANUP,
                    body: json!({"submission": id}).to_string(),
                    delay: 0,
                }),
                Effect::OpenProduction => {
                    offer.live = Some(id.clone());
                    // More may have become known since it was certified.
                    commit.tasks.push(crate::standing::again(&OfferKey::new(&offer.publisher, &offer.offer)));
                    if let Some(listing) = listing {
                        offer.card = Some(card(listing, now));
                        // Those that are there may be from before this was kept.
                        remember(&mut offer);
                        offer.tags =
                            listing.plans.iter().map(|plan| (plan.id.clone(), plan.tags.clone())).collect();
                        remember(&mut offer);
                    }
                }
                Effect::Tell(kind) => {
                    let facts = self.notice(*kind, &submission, &offer, actor, facts, now);
                    commit.tasks.push(NewTask {
                        id: format!("{id}/notice/{}", kind.id()),
                        run: id.clone(),
                        queue: OUTBOX,
                        body: serde_json::to_string(&facts).expect("plain data"),
                        delay: 0,
                    });
                    told.push(facts);
                }
            }
        }
        let step = current_step(&next.run).map(|step| step.step.name().to_owned());
        offer.now = NowRow {
            state: next.run.state.name().to_owned(),
            step: step.unwrap_or_else(|| facts.step.clone()),
            ours: next.run.fault == Some(Fault::Ours),
            findings: u32::try_from(facts.findings.len()).unwrap_or(u32::MAX),
            at: now,
        };
        if next.run.state.is_over() && offer.active.as_deref() == Some(&id) {
            offer.active = None;
        }
        let kind = kind_of(&next.run, &next.effects);
        commit.tasks.push(self.announce(&Happening {
            // A turn ends once, and cancelling ends no turn.
            id: format!("{id}.{}.{kind}", next.run.turn),
            kind: kind.to_owned(),
            publisher: submission.publisher.clone(),
            offer: submission.offer.clone(),
            at: now,
            data: json!({
                "submission": id, "number": submission.number, "state": next.run.state.name(), "step": facts.step,
                "next": current_step(&next.run).map(|step| step.step.name()),
                "fault": next.run.fault.map(mercat_domain::run::Fault::name),
                "rules": blocking(&facts.findings),
            }),
            notices: told,
        }));
        commit.events.push(NewEvent {
            subject: format!("offer:{}/{}", submission.publisher, submission.offer),
            run: id,
            kind: kind.to_owned(),
            actor: actor.to_owned(),
            body: json!({
                "state": next.run.state.name(),
                "step": facts.step,
                "next": current_step(&next.run).map(|step| step.step.name()),
                "run": submission.run,
            })
            .to_string(),
        });
        commit.writes.push(put(&offer, expect(pair.offer.version)));
        commit.writes.push(put(&submission, expect(pair.submission.version)));
    }

    fn notice(
        &self,
        kind: NoticeKind,
        submission: &SubmissionRow,
        offer: &OfferRow,
        actor: &str,
        step: &StepFacts,
        now: Millis,
    ) -> NoticeFacts {
        let mut emails = submission.emails.clone();
        if kind == NoticeKind::CertificationFeedback {
            let more = engineer(submission).filter(|email| !emails.contains(email));
            emails.extend(more);
        }
        NoticeFacts {
            notice: kind.id().to_owned(),
            submission: submission.id.clone(),
            publisher: submission.publisher.clone(),
            offer: submission.offer.clone(),
            offer_name: offer.name.clone(),
            kind: offer.kind.clone(),
            number: submission.number,
            emails,
            locale: submission.locale.clone(),
            base_url: self.settings.base_url.clone(),
            actor: actor.to_owned(),
            audience: audience(submission),
            step: step.clone(),
            at: now,
            ..NoticeFacts::default()
        }
    }
}

/// The steps that end in this transition, with how long they took.
fn timings(before: &SubmissionRow, after: &SubmissionRow) -> Vec<Write> {
    let ended = after.run.steps.iter().zip(&before.run.steps).filter(|(_, was)| was.ended.is_none());
    let timing = |(step, _): (&StepRow, &StepRow)| {
        let row = TimingRow {
            submission: after.id.clone(),
            publisher: after.publisher.clone(),
            offer: after.offer.clone(),
            kind: after.run.kind.clone(),
            step: step.step.clone(),
            status: step.status.clone(),
            began: step.started?,
            ended: step.ended?,
        };
        Some(put(&row, Expect::Any))
    };
    ended.filter_map(timing).collect()
}

/// The engineering contact, who hears what certification found (N3).
fn engineer(submission: &SubmissionRow) -> Option<String> {
    let document = from_json(&submission.document).ok()?;
    Some(document.text("engineeringContactEmail").to_owned()).filter(|email| !email.is_empty())
}

/// A row that is not there yet has version 0.
fn expect(version: u64) -> Expect {
    if version == 0 { Expect::Absent } else { Expect::Version(version) }
}

fn audience(submission: &SubmissionRow) -> Vec<String> {
    from_json(&submission.document)
        .map(|document| document.list("allowedSubscriptions").iter().map(|id| id.to_lowercase()).collect())
        .unwrap_or_default()
}

/// What the storefront shows and finds. Plans that are not for everybody add only their audience: what is
/// found, counted or told must not let anybody infer them.
fn card(listing: &ListingRow, now: Millis) -> CardRow {
    let public = || listing.plans.iter().filter(|plan| !plan.hidden && plan.audience.is_none());
    let set =
        |values: Vec<&String>| values.into_iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let plans =
        public().map(|plan| format!("{} {} {} {}", plan.title, plan.summary, plan.ja.title, plan.ja.summary));
    let words = [
        listing.long_summary.clone(),
        listing.ja.long_summary.clone(),
        plain(&listing.description),
        plain(&listing.ja.description),
    ];
    let words = words.into_iter().chain(plans);
    let parents = listing
        .categories
        .iter()
        .flat_map(|category| [category.split('/').next().unwrap_or("").to_owned(), category.clone()]);
    CardRow {
        title: listing.title.clone(),
        summary: listing.summary.clone(),
        title_ja: listing.ja.title.clone(),
        summary_ja: listing.ja.summary.clone(),
        logo: listing.media.get("mediumLogo").cloned().unwrap_or_default(),
        categories: parents.collect::<BTreeSet<_>>().into_iter().collect(),
        public: public().next().is_some(),
        publisher_name: listing.publisher_name.clone(),
        text: words.collect::<Vec<_>>().join(" ").chars().take(FOUND_CHARS_MAX).collect(),
        licenses: set(public().map(|plan| &plan.license).collect()),
        platforms: set(public().flat_map(|plan| &plan.platforms).collect()),
        markets: set(public().flat_map(|plan| &plan.markets).collect()),
        audience: set(listing.plans.iter().flat_map(|plan| plan.audience.iter().flatten()).collect()),
        since: now,
    }
}

/// Sanitised HTML without its tags.
fn plain(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => out.push(c),
            _ => continue,
        }
        if inside {
            out.push(' ');
        }
    }
    out
}

/// The rules that stopped a step, each once.
fn blocking(findings: &[FindingRow]) -> Vec<&str> {
    let stops = findings.iter().filter(|row| ["error", "inconclusive"].contains(&row.severity.as_str()));
    stops.map(|row| row.rule.as_str()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn kind_of(run: &Run, effects: &[Effect]) -> &'static str {
    match run.state {
        State::Failed => "submission.failed",
        State::Canceled => "submission.canceled",
        State::Succeeded => "submission.live",
        State::WaitingForPublisherReview => "submission.waiting",
        State::WaitingForApproval => "submission.in-review",
        State::Running if effects.contains(&Effect::Tell(NoticeKind::Accepted)) => "submission.accepted",
        State::Running => "step.complete",
    }
}

/// Keeps what tags of versions that are in production name for good.
fn remember(offer: &mut OfferRow) {
    for (plan, tags) in &offer.tags {
        let published = offer.published.entry(plan.clone()).or_default();
        for (tag, digest) in tags.iter().filter(|(tag, _)| tags::is_fixed(tag)) {
            published.entry(tag.clone()).or_insert_with(|| digest.clone());
        }
    }
}

#[cfg(test)]
mod tests;
