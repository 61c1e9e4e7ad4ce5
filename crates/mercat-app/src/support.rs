//! Support: asked, answered, closed, with a mail each way.

use crate::accounts::event;
use crate::notices::Told;
use crate::{App, AppError};
use mercat_domain::access::{Action, Answer, Object, Principal, Thread, may};
use mercat_domain::notice::NoticeKind;
use mercat_domain::offer::Problem;
use mercat_domain::support::{CATEGORIES, Priority, RequestState, Side, after_message};
use mercat_domain::{Millis, OfferKey};
use mercat_store::document::from_json;
use mercat_store::{
    AttachmentRow, Commit, Expect, LedgerError, OfferRow, Query, ReportRow, RequestRow, SettingRow,
    SubmissionRow, ThreadMessageRow, UserRow, Versioned, commit_surely, find, list, load, put,
};

/// Messages of one thread.
const MESSAGES_MAX: usize = 500;
/// Characters of one message.
const TEXT_MAX: usize = 10_000;
/// Files beside one message.
const ATTACHMENTS_MAX: usize = 5;
const NUMBER: &str = "support-number";

/// What a new request is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Concern {
    /// Whether it goes to the publisher of the offer, and not to the operator.
    pub to_publisher: bool,
    /// Publisher id, or empty.
    pub publisher: String,
    /// Offer id, or empty.
    pub offer: String,
    /// Submission id, or empty.
    pub submission: String,
    /// Step by name, or empty.
    pub step: String,
    /// Rules of the step's findings.
    pub rules: Vec<String>,
}

/// A new request.
#[derive(Debug, Clone, Default)]
pub struct NewRequest {
    /// What it is about; the rules are looked up.
    pub concern: Concern,
    /// One line.
    pub title: String,
    /// Category by name.
    pub category: String,
    /// Priority by name.
    pub priority: String,
    /// What happened.
    pub text: String,
    /// Files, stored already.
    pub attachments: Vec<AttachmentRow>,
    /// Language of the requester's mails.
    pub locale: String,
}

/// A message, and what changes with it.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// Plain text; may be empty when something else changes.
    pub text: String,
    /// Files, stored already.
    pub attachments: Vec<AttachmentRow>,
    /// Ends it.
    pub close: bool,
    /// Another priority, by the helping side.
    pub priority: Option<String>,
    /// Who helps: an address of a user, by the operator.
    pub engineer: Option<String>,
}

impl App {
    /// What is known about a concern: the rules of the step's findings, for the form and for the request.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for an offer that the caller may not read.
    pub async fn concern(&self, who: &Principal, mut concern: Concern) -> Result<Concern, AppError> {
        if concern.to_publisher {
            let key = OfferKey::new(&concern.publisher, &concern.offer);
            if self.visible_listing(who, &key, false).await.is_err() {
                self.visible_listing(who, &key, true).await?;
            }
            return Ok(Concern { submission: String::new(), step: String::new(), rules: vec![], ..concern });
        }
        if concern.publisher.is_empty() {
            return Ok(Concern::default());
        }
        self.permit(who, Action::ReadOffers, Object::Publisher(&concern.publisher))?;
        let key = format!("{}/{}", concern.publisher, concern.offer);
        if !concern.offer.is_empty() {
            load::<OfferRow>(&*self.ledger, &key).await?.ok_or(AppError::NotFound)?;
        }
        if !concern.submission.is_empty() {
            let row = load::<SubmissionRow>(&*self.ledger, &concern.submission)
                .await?
                .ok_or(AppError::NotFound)?
                .row;
            if format!("{}/{}", row.publisher, row.offer) != key {
                return Err(AppError::NotFound);
            }
        }
        let report = format!("{}/{}", concern.submission, concern.step);
        concern.rules = match load::<ReportRow>(&*self.ledger, &report).await? {
            None => Vec::new(),
            Some(found) => {
                let blocks = found.row.findings.iter().filter(|finding| finding.severity != "info");
                let mut rules: Vec<String> = blocks.map(|finding| finding.rule.clone()).collect();
                rules.sort();
                rules.dedup();
                rules
            }
        };
        Ok(concern)
    }

    /// Opens a request and acknowledges it (N9, N10).
    ///
    /// # Errors
    /// Problems with the text; as [`App::concern`].
    pub async fn open_request(&self, who: &Principal, new: &NewRequest) -> Result<RequestRow, AppError> {
        let user = who.user.clone().ok_or(AppError::SignIn)?;
        let mut problems = check_text(&new.text, &new.attachments);
        if !(1..=100).contains(&new.title.trim().chars().count()) || new.title.chars().any(char::is_control) {
            problems.push(Problem::new("F002", "title", &new.title, "one line of 1 to 100 characters"));
        }
        if new.text.trim().is_empty() {
            problems.push(Problem::new("F001", "text", "", "what happened"));
        }
        if !CATEGORIES.contains(&new.category.as_str()) {
            problems.push(Problem::new("F003", "category", &new.category, CATEGORIES.join(", ")));
        }
        let Some(priority) = Priority::parse(&new.priority).filter(|_| problems.is_empty()) else {
            if Priority::parse(&new.priority).is_none() {
                problems.push(Problem::new("F003", "priority", &new.priority, "low, normal, high or urgent"));
            }
            return Err(AppError::Problems(problems));
        };
        let concern = self.concern(who, new.concern.clone()).await?;
        let email =
            load::<UserRow>(&*self.ledger, &user).await?.map(|found| found.row.email).unwrap_or_default();
        for _ in 0..8 {
            let now = self.ledger.now().await?;
            let mut commit = Commit::new();
            let number = self.next_number(&mut commit, NUMBER).await?;
            let first = message(&user, false, &new.text, &new.attachments, now);
            let row = RequestRow {
                id: uuid::Uuid::now_v7().to_string(),
                number,
                to_publisher: concern.to_publisher,
                publisher: concern.publisher.clone(),
                offer: concern.offer.clone(),
                submission: concern.submission.clone(),
                step: concern.step.clone(),
                rules: concern.rules.clone(),
                requester: user.clone(),
                email: email.clone(),
                locale: new.locale.clone(),
                title: new.title.trim().to_owned(),
                category: new.category.clone(),
                priority: priority.name().to_owned(),
                state: RequestState::New.name().to_owned(),
                engineer: String::new(),
                messages: vec![first],
                created: now,
                updated: now,
            };
            commit.writes.push(put(&row, Expect::Absent));
            commit.events.push(event(&subject(&row), "support.opened", &user, &row.number.to_string()));
            commit.tasks.extend(self.letters(
                &self.about_request(&row, NoticeKind::Support, &row.locale),
                std::slice::from_ref(&email),
            ));
            let kind = if row.to_publisher { NoticeKind::CustomerTicket } else { NoticeKind::Support };
            commit
                .tasks
                .extend(self.letters(&self.about_request(&row, kind, ""), &self.helpers(&row).await?));
            match commit_surely(&*self.ledger, &commit).await {
                // Somebody else got the number.
                Err(LedgerError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    self.bell.notify_waiters();
                    return Ok(row);
                }
            }
        }
        Err(AppError::Ledger(LedgerError::Conflict { kind: "setting".into(), key: NUMBER.into() }))
    }

    /// The next of numbers that people are told; whoever loses the race to the same one commits nothing.
    pub(crate) async fn next_number(&self, commit: &mut Commit, counter: &str) -> Result<u64, AppError> {
        let found = load::<SettingRow>(&*self.ledger, counter).await?;
        let number = found.as_ref().and_then(|found| found.row.value.parse().ok()).unwrap_or(0_u64) + 1;
        let setting = SettingRow { name: counter.to_owned(), value: number.to_string() };
        commit
            .writes
            .push(put(&setting, found.map_or(Expect::Absent, |found| Expect::Version(found.version))));
        Ok(number)
    }

    /// A request, when the caller has a part in it, and on which side.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for everybody else.
    pub async fn request(
        &self,
        who: &Principal,
        id: &str,
    ) -> Result<(Versioned<RequestRow>, Side), AppError> {
        let found = load::<RequestRow>(&*self.ledger, id).await?.ok_or(AppError::NotFound)?;
        let thread = Object::Thread(thread(&found.row));
        self.permit(who, Action::ReadThread, thread)?;
        let helps = may(who, Action::HelpThread, thread) == Answer::Allow;
        Ok((found, if helps { Side::Helper } else { Side::Requester }))
    }

    /// Adds a message, closes it, changes its priority or says who helps. Each message is mailed to the other side.
    ///
    /// # Errors
    /// As [`App::request`]; problems with the text; [`AppError::Forbidden`] for what only the helping side may do.
    pub async fn reply(&self, who: &Principal, id: &str, reply: &Reply) -> Result<RequestRow, AppError> {
        let (found, side) = self.request(who, id).await?;
        let user = who.user.clone().ok_or(AppError::SignIn)?;
        let mut problems = check_text(&reply.text, &reply.attachments);
        if found.row.messages.len() >= MESSAGES_MAX {
            problems.push(Problem::new("F008", "messages", MESSAGES_MAX.to_string(), "a new request"));
        }
        let mut row = found.row;
        let before = (row.priority.clone(), row.engineer.clone());
        if (reply.priority.is_some() || reply.engineer.is_some()) && side != Side::Helper {
            return Err(AppError::Forbidden);
        }
        if let Some(priority) = &reply.priority {
            match Priority::parse(priority) {
                Some(priority) => row.priority = priority.name().to_owned(),
                None => {
                    problems.push(Problem::new("F003", "priority", priority, "low, normal, high or urgent"))
                }
            }
        }
        if let Some(email) = &reply.engineer {
            // Whoever is named gets to see the offer: only who may see all of them can name somebody.
            self.permit(who, Action::Operate, Object::Market)?;
            match find::<UserRow>(&*self.ledger, "email", &email.to_lowercase()).await?.pop() {
                Some(user) if !email.is_empty() => row.engineer = user.row.id,
                _ => problems.push(Problem::new("F023", "engineer", email, "the address of a user")),
            }
        }
        let said = !reply.text.trim().is_empty() || !reply.attachments.is_empty();
        if !said && !reply.close && (&row.priority, &row.engineer) == (&before.0, &before.1) {
            problems.push(Problem::new("F001", "text", "", "a text or a file"));
        }
        if !problems.is_empty() {
            return Err(AppError::Problems(problems));
        }
        let now = self.ledger.now().await?;
        row.updated = now;
        if said {
            row.messages.push(message(&user, side == Side::Helper, &reply.text, &reply.attachments, now));
        }
        if said || reply.close {
            row.state = after_message(side, reply.close).name().to_owned();
        }
        let mut commit = Commit::new();
        let what = match (reply.close, said) {
            (true, _) => "support.closed",
            (false, true) => "support.answered",
            (false, false) => "support.changed",
        };
        commit.events.push(event(&subject(&row), what, &user, &row.number.to_string()));
        if said || reply.close {
            let told = self.about_request(
                &row,
                NoticeKind::Support,
                if side == Side::Helper { &row.locale } else { "" },
            );
            let to = if side == Side::Helper { vec![row.email.clone()] } else { self.helpers(&row).await? };
            commit.tasks.extend(self.letters(&told, &to));
        }
        commit.writes.push(put(&row, Expect::Version(found.version)));
        match commit_surely(&*self.ledger, &commit).await {
            Err(LedgerError::Conflict { .. }) => Err(AppError::Stale { current: found.version + 1 }),
            other => {
                self.bell.notify_waiters();
                Ok(other.map(|()| row)?)
            }
        }
    }

    /// Who hears of what the requester writes.
    async fn helpers(&self, row: &RequestRow) -> Result<Vec<String>, AppError> {
        if row.to_publisher {
            let key = format!("{}/{}", row.publisher, row.offer);
            let offer = load::<OfferRow>(&*self.ledger, &key).await?.map(|found| found.row);
            let Some(id) = offer.and_then(|offer| offer.live.or(offer.preview)) else {
                return Ok(Vec::new());
            };
            let submission = load::<SubmissionRow>(&*self.ledger, &id).await?;
            let document = submission.and_then(|found| from_json(&found.row.document).ok());
            return Ok(document
                .map(|document| vec![document.text("supportContactEmail").to_owned()])
                .unwrap_or_default());
        }
        match load::<UserRow>(&*self.ledger, &row.engineer).await? {
            Some(user) => Ok(vec![user.row.email]),
            None => self.operators().await,
        }
    }

    fn about_request(&self, row: &RequestRow, kind: NoticeKind, locale: &str) -> Told {
        let key = OfferKey::new(&row.publisher, &row.offer);
        let state = RequestState::parse(&row.state).unwrap_or(RequestState::New);
        let priority = Priority::parse(&row.priority).unwrap_or(Priority::Normal);
        let last = row.messages.last().map(|message| message.text.as_str()).unwrap_or_default();
        Told::new(kind, &key, &format!("{}.{}.{}", row.id, row.messages.len(), row.updated))
            .link(&format!("/support/{}", row.id))
            .locale(locale)
            .word("offer", if row.offer.is_empty() { &row.title } else { &row.offer })
            .word("request", &row.number.to_string())
            .word("title", &row.title)
            .word("message", &last.chars().take(2000).collect::<String>())
            .words_of("state", state.key())
            .words_of("priority", priority.key())
    }

    /// The caller's own requests and those of their publishers, newest first.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn my_requests(&self, who: &Principal) -> Result<Vec<RequestRow>, AppError> {
        let user = who.user.clone().ok_or(AppError::SignIn)?;
        let mut rows = self.requests_by("requester", &user).await?;
        rows.extend(self.requests_by("engineer", &user).await?);
        for (publisher, _) in &who.roles {
            rows.extend(self.requests_by("publisher", publisher).await?);
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.number));
        rows.dedup_by(|a, b| a.id == b.id);
        Ok(rows)
    }

    /// What waits for the operator, the most urgent and oldest first.
    ///
    /// # Errors
    /// [`AppError::Forbidden`] for everybody else.
    pub async fn request_queue(&self, who: &Principal) -> Result<Vec<RequestRow>, AppError> {
        self.permit(who, Action::Operate, Object::Market)?;
        let mut rows = self.requests_by("queue", "").await?;
        rows.sort_by_key(|row| (std::cmp::Reverse(Priority::parse(&row.priority)), row.created));
        Ok(rows)
    }

    async fn requests_by(&self, index: &'static str, value: &str) -> Result<Vec<RequestRow>, AppError> {
        let query = Query {
            index: Some((index, value.to_owned())),
            limit: 500,
            newest_first: true,
            ..Query::default()
        };
        Ok(list::<RequestRow>(&*self.ledger, query).await?.into_iter().map(|found| found.row).collect())
    }

    /// Publisher and offer that a user may look at because they help with them.
    pub(crate) async fn evidence(&self, user: &str) -> Result<Vec<(String, String)>, AppError> {
        let rows = self.requests_by("engineer", user).await?;
        let named = rows.into_iter().filter(|row| !row.to_publisher && !row.offer.is_empty());
        Ok(named.map(|row| (row.publisher, row.offer)).collect())
    }
}

fn thread(row: &RequestRow) -> Thread<'_> {
    Thread {
        requester: &row.requester,
        publisher: Some(row.publisher.as_str()).filter(|id| !id.is_empty()),
        to_publisher: row.to_publisher,
        engineer: Some(row.engineer.as_str()).filter(|id| !id.is_empty()),
    }
}

fn subject(row: &RequestRow) -> String {
    format!("support:{}", row.number)
}

pub(crate) fn message(
    user: &str,
    helper: bool,
    text: &str,
    attachments: &[AttachmentRow],
    at: Millis,
) -> ThreadMessageRow {
    let text = text.replace("\r\n", "\n");
    ThreadMessageRow { author: user.to_owned(), helper, text, attachments: attachments.to_vec(), at }
}

pub(crate) fn check_text(text: &str, attachments: &[AttachmentRow]) -> Vec<Problem> {
    let mut out = Vec::new();
    if text.chars().count() > TEXT_MAX {
        out.push(Problem::new(
            "F002",
            "text",
            text.chars().count().to_string(),
            format!("at most {TEXT_MAX} characters"),
        ));
    }
    if attachments.len() > ATTACHMENTS_MAX {
        let most = format!("at most {ATTACHMENTS_MAX} files");
        out.push(Problem::new("F008", "attachments", attachments.len().to_string(), most));
    }
    out
}
