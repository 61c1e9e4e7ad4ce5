//! All offers, New offer, Publish, Status, Mailbox.

use super::{Answer, Frame, error_page, fail, see, show};
use crate::Site;
use crate::guard::Caller;
use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mercat_app::{AppError, PublishRequest, StatusView, StepView, rfc3339};
use mercat_domain::offer::status_key;
use mercat_domain::run::{State as RunState, StepStatus};
use mercat_domain::{Document, OfferKey, OfferKind};
use mercat_store::{
    FindingRow, MailRow, MessageRow, OfferRow, PartRow, PublisherRow, Query, SubmissionRow, find, list, load,
};
use mercat_text::text;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::sync::Arc;

type Shared = State<Arc<Site>>;
type Key = Path<(String, String)>;

fn key(path: &(String, String)) -> OfferKey {
    OfferKey::new(&path.0, &path.1)
}

struct OfferLine {
    row: OfferRow,
    status: &'static str,
}

#[derive(Template)]
#[template(path = "offers.html")]
struct Offers {
    f: Frame,
    offers: Vec<OfferLine>,
    publishers: Vec<String>,
}

async fn my_publishers(site: &Site, caller: &Caller) -> Result<Vec<String>, AppError> {
    if !caller.who.operator {
        return Ok(caller.who.roles.iter().map(|(id, _)| id.clone()).collect());
    }
    let rows = list::<PublisherRow>(&*site.app.ledger, Query { limit: 1000, ..Query::default() }).await?;
    Ok(rows.into_iter().map(|row| row.row.id).collect())
}

pub(super) async fn offers(State(site): Shared, caller: Caller) -> Answer {
    let loaded = async {
        let publishers = my_publishers(&site, &caller).await?;
        let mut offers = Vec::new();
        for publisher in &publishers {
            for row in find::<OfferRow>(&*site.app.ledger, "publisher", publisher).await? {
                let state = match &row.row.latest {
                    None => None,
                    Some(id) => load::<SubmissionRow>(&*site.app.ledger, id).await?,
                };
                let state = state.and_then(|row| RunState::parse(&row.row.run.state));
                offers.push(OfferLine { row: row.row, status: status_key(state) });
            }
        }
        Ok::<_, AppError>((publishers, offers))
    };
    let (publishers, offers) = loaded.await.map_err(fail(&caller))?;
    Ok(show(StatusCode::OK, &Offers { f: Frame::new(&caller), offers, publishers }))
}

#[derive(Template)]
#[template(path = "new.html")]
struct New {
    f: Frame,
    publishers: Vec<String>,
    kinds: [OfferKind; 2],
}

pub(super) async fn new_page(State(site): Shared, caller: Caller) -> Answer {
    let publishers = my_publishers(&site, &caller).await.map_err(fail(&caller))?;
    Ok(show(StatusCode::OK, &New { f: Frame::new(&caller), publishers, kinds: OfferKind::ALL }))
}

#[derive(Deserialize)]
pub(super) struct NewOffer {
    offer: String,
    kind: String,
    name: String,
}

pub(super) async fn create(
    State(site): Shared,
    caller: Caller,
    Path(publisher): Path<String>,
    Form(new): Form<NewOffer>,
) -> Answer {
    let kind = OfferKind::parse(&new.kind).unwrap_or(OfferKind::Container);
    let mut document = Document::new(OfferKey::new(&publisher, &new.offer), kind);
    document.fields.insert("name".into(), mercat_domain::Value::Text(new.name));
    document.plans.push(mercat_domain::Plan { id: "standard".into(), ..mercat_domain::Plan::default() });
    site.app.save_draft(caller.actor(), document, None).await.map_err(fail(&caller))?;
    Ok(see(&format!("/portal/offers/{publisher}/{}/editor", new.offer)))
}

#[derive(Template)]
#[template(path = "publish.html")]
struct PublishPage {
    f: Frame,
    key: OfferKey,
    emails: String,
    version: u64,
    waiting: bool,
}

pub(super) async fn publish_page(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    let key = key(&path);
    let loaded = async {
        let problems = site.app.check_draft(&key).await?;
        let draft = site.app.draft(&key).await?;
        let offer = load::<OfferRow>(&*site.app.ledger, &key.to_string()).await?.ok_or(AppError::NotFound)?;
        Ok::<_, AppError>((problems, draft.version, offer.row))
    };
    let (problems, version, offer) = loaded.await.map_err(fail(&caller))?;
    if !problems.is_empty() {
        return Ok(see(&format!("/portal/offers/{key}/editor?check=1")));
    }
    let waiting = offer.active.is_some();
    let page = PublishPage { f: Frame::new(&caller), key, emails: offer.emails.join("\n"), version, waiting };
    Ok(show(StatusCode::OK, &page))
}

#[derive(Deserialize)]
pub(super) struct Publishing {
    emails: String,
    notes: Option<String>,
    version: Option<u64>,
    replace: Option<String>,
}

pub(super) async fn publish(
    State(site): Shared,
    caller: Caller,
    Path(path): Key,
    Form(asked): Form<Publishing>,
) -> Answer {
    let emails = asked.emails.split(['\n', ',', ';']).map(str::trim).filter(|email| !email.is_empty());
    let request = PublishRequest {
        emails: emails.map(str::to_owned).collect(),
        notes: asked.notes.unwrap_or_default(),
        locale: caller.locale.code().to_owned(),
        version: asked.version,
        replace: asked.replace.is_some(),
        once: None,
    };
    let key = key(&path);
    match site.app.publish(caller.actor(), &key, &request).await {
        Ok(_) => Ok(see(&format!("/portal/offers/{key}/status"))),
        Err(error) => Err(error_page(&caller, &error)),
    }
}

#[derive(Template)]
#[template(path = "status.html")]
struct Status {
    f: Frame,
    key: OfferKey,
    view: StatusView,
    differs: bool,
    now_key: &'static str,
    step_title: String,
}

impl Status {
    fn busy(&self) -> bool {
        self.view.state == Some(RunState::Running)
    }

    fn waiting(&self) -> bool {
        self.view.state == Some(RunState::WaitingForPublisherReview)
    }

    fn message(&self, message: &MessageRow) -> String {
        let args: Vec<(&str, &str)> = message.args.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        text(self.f.locale, &message.code, &args)
    }

    fn wait(&self, step: &StepView) -> Option<String> {
        let wait = step.progress.as_ref()?.wait.as_ref().filter(|_| step.status == StepStatus::InProgress)?;
        let on = self.f.t1(&wait.on, "detail", &wait.detail);
        let (since, next, tries) = (rfc3339(wait.since), rfc3339(wait.next), wait.tries.to_string());
        let args = [("since", since.as_str()), ("next", next.as_str()), ("tries", tries.as_str())];
        Some(format!("{on} ({})", text(self.f.locale, "wait-since", &args)))
    }

    fn findings<'a>(&self, step: &'a StepView) -> &'a [FindingRow] {
        step.report.as_ref().map_or(&[], |report| &report.findings)
    }

    fn rule(&self, finding: &FindingRow) -> String {
        mercat_text::rule(self.f.locale, &finding.rule)
    }

    /// What to do, in the reader's language where the rule has words of its own.
    fn fix(&self, finding: &FindingRow) -> String {
        mercat_text::fix(self.f.locale, &finding.rule).unwrap_or_else(|| finding.fix.clone())
    }

    /// How far a part is: bytes, or steps where they are few.
    fn part(&self, part: &PartRow) -> String {
        let unit = if part.total < 1000 { "" } else { " bytes" };
        format!("{}: {} / {}{unit}", part.name, part.done, part.total)
    }

    /// Plan and reference of the disks that were started, with the address of the evidence.
    fn evidence(&self, step: &StepView) -> Vec<(String, String)> {
        let told = step.report.iter().flat_map(|report| &report.messages);
        let ran = told
            .into_iter()
            .any(|message| message.code.starts_with("message-boot-") && message.code != "message-boot-off");
        let Some(row) = self.view.submission.as_ref().filter(|_| ran) else { return Vec::new() };
        let disks = row.images.iter().filter(|image| !image.reference.contains("-lun"));
        disks
            .map(|image| {
                let place = format!(
                    "/api/v1/publishers/{}/offers/{}/submissions/{}/boot/{}",
                    self.key.publisher, self.key.offer, row.id, image.digest
                );
                (format!("{} {}", image.plan, image.reference), place)
            })
            .collect()
    }

    /// Digest and address of each verdict of a step.
    fn verdicts(&self, step: &StepView) -> Vec<(String, String)> {
        let Some(row) = &self.view.submission else { return Vec::new() };
        let names = step.report.iter().flat_map(|report| report.verdicts.keys());
        names
            .map(|name| {
                let escaped = utf8_percent_encode(name, NON_ALPHANUMERIC);
                let place = format!(
                    "/api/v1/publishers/{}/offers/{}/submissions/{}/verdicts/{escaped}",
                    self.key.publisher, self.key.offer, row.id
                );
                (name.clone(), place)
            })
            .collect()
    }

    fn submission(&self) -> &str {
        self.view.submission.as_ref().map_or("", |row| row.id.as_str())
    }

    /// Where support is asked for with everything filled in.
    fn support(&self, step: &StepView) -> String {
        let submission = self.submission();
        let (publisher, offer) = (&self.key.publisher, &self.key.offer);
        format!(
            "/support/new?publisher={publisher}&offer={offer}&submission={submission}&step={}",
            step.step.name()
        )
    }

    fn snapshot(&self) -> &str {
        self.view.submission.as_ref().map_or("", |row| row.run.snapshot.as_str())
    }

    fn overall(&self) -> Option<String> {
        self.view.overall_days.map(|days| self.f.t1("ui-overall", "days", &days.to_string()))
    }

    fn time(&self, at: &Option<i64>) -> String {
        at.map(rfc3339).unwrap_or_default()
    }
}

pub(super) async fn status(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    let key = key(&path);
    let loaded = async {
        let view = site.app.status(&key, None).await?;
        let draft = site.app.draft(&key).await?;
        let now = mercat_store::document::to_json(&draft.document);
        let differs = view.submission.as_ref().is_some_and(|row| row.document != now);
        Ok::<_, AppError>((view, differs))
    };
    let (view, differs) = loaded.await.map_err(fail(&caller))?;
    let f = Frame::new(&caller);
    let busy = view.steps.iter().find(|step| step.status == StepStatus::InProgress);
    let step_title = busy.map(|step| f.t(step.title)).unwrap_or_default();
    let now_key = match view.state {
        None => "ui-now-none",
        Some(RunState::Running) => "ui-now-running",
        Some(RunState::WaitingForPublisherReview) => "ui-now-waiting",
        Some(RunState::Failed) if view.ours => "ui-now-failed-ours",
        Some(RunState::Failed) => "ui-now-failed",
        Some(RunState::Canceled) => "ui-now-canceled",
        Some(RunState::Succeeded) => "ui-now-live",
    };
    Ok(show(StatusCode::OK, &Status { f, key, view, differs, now_key, step_title }))
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

pub(super) async fn cancel(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    let key = key(&path);
    site.app.cancel(caller.actor(), &key).await.map_err(fail(&caller))?;
    Ok(see(&format!("/portal/offers/{key}/status")))
}

pub(super) async fn delete(State(site): Shared, caller: Caller, Path(path): Key) -> Answer {
    site.app.delete_offer(caller.actor(), &key(&path)).await.map_err(fail(&caller))?;
    Ok(see("/portal"))
}

#[derive(Template)]
#[template(path = "mailbox.html")]
struct Mailbox {
    f: Frame,
    publisher: String,
    mails: Vec<MailRow>,
}

impl Mailbox {
    fn time(&self, at: &i64) -> String {
        rfc3339(*at)
    }
}

pub(super) async fn mailbox(State(site): Shared, caller: Caller, Path(publisher): Path<String>) -> Answer {
    let index = Some(("publisher", publisher.clone()));
    let query = Query { index, limit: 200, newest_first: true, ..Query::default() };
    let rows =
        list::<MailRow>(&*site.app.ledger, query).await.map_err(|error| fail(&caller)(error.into()))?;
    let mails = rows.into_iter().map(|row| row.row).collect();
    Ok(show(StatusCode::OK, &Mailbox { f: Frame::new(&caller), publisher, mails }))
}
