//! Who wants a publisher's notices beside those to whom they are addressed.

use crate::notices::NoticeFacts;
use crate::{App, AppError, OUTBOX};
use mercat_domain::offer::{Problem, is_email};
use mercat_store::{
    CollectedRow, Commit, Expect, NewTask, SubscriberRow, UserRow, commit_surely, find, load, put, remove,
};

/// Subscribers of one publisher.
const SUBSCRIBERS_MAX: usize = 100;

/// What somebody wants to be told.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Notice ids; all when empty.
    pub notices: Vec<String>,
    /// Language.
    pub locale: String,
    /// Collects the notices of a day.
    pub digest: bool,
}

impl App {
    /// Subscribes an address. `own` is the user who chooses for themselves; the address is then theirs.
    ///
    /// # Errors
    /// Problems with the address or the ids, or too many.
    pub async fn subscribe(
        &self,
        publisher: &str,
        email: &str,
        own: Option<&str>,
        wish: &Wish,
    ) -> Result<SubscriberRow, AppError> {
        let email = match own {
            None => email.to_lowercase(),
            Some(user) => load::<UserRow>(&*self.ledger, user).await?.ok_or(AppError::NotFound)?.row.email,
        };
        let mut problems = Vec::new();
        if !is_email(&email) {
            problems.push(Problem::new("F023", "email", &email, "name@example.org"));
        }
        let of_a_run = |id: &&String| matches!(id.as_bytes(), [b'N', b'1'..=b'8']);
        for id in wish.notices.iter().filter(|id| !of_a_run(id)) {
            problems.push(Problem::new("F003", "notices", id, "N1 to N8"));
        }
        if find::<SubscriberRow>(&*self.ledger, "publisher", publisher).await?.len() >= SUBSCRIBERS_MAX {
            let most = format!("at most {SUBSCRIBERS_MAX}");
            problems.push(Problem::new("F008", "subscribers", SUBSCRIBERS_MAX.to_string(), most));
        }
        if !problems.is_empty() {
            return Err(AppError::Problems(problems));
        }
        let row = SubscriberRow {
            publisher: publisher.to_owned(),
            email,
            notices: wish.notices.clone(),
            locale: if wish.locale.is_empty() { self.settings.locale.clone() } else { wish.locale.clone() },
            digest: wish.digest,
            user: own.unwrap_or("").to_owned(),
        };
        let mut commit = Commit::new();
        commit.writes.push(put(&row, Expect::Any));
        commit_surely(&*self.ledger, &commit).await?;
        Ok(row)
    }

    /// Takes an address out.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when it is not there.
    pub async fn unsubscribe(&self, publisher: &str, email: &str, own: Option<&str>) -> Result<(), AppError> {
        let rows = find::<SubscriberRow>(&*self.ledger, "publisher", publisher).await?;
        let mine =
            |row: &SubscriberRow| own.map_or(row.email == email.to_lowercase(), |user| row.user == user);
        let found = rows.into_iter().find(|row| mine(&row.row)).ok_or(AppError::NotFound)?;
        let mut commit = Commit::new();
        commit.writes.push(remove::<SubscriberRow>(&format!("{publisher}/{}", found.row.email)));
        Ok(commit_surely(&*self.ledger, &commit).await?)
    }

    /// Addresses a notice to the subscribers who want it: as a mail each, or into their digest.
    pub(crate) async fn to_subscribers(
        &self,
        commit: &mut Commit,
        facts: &NoticeFacts,
    ) -> Result<(), AppError> {
        for found in find::<SubscriberRow>(&*self.ledger, "publisher", &facts.publisher).await? {
            let row = found.row;
            let wants = row.notices.is_empty() || row.notices.contains(&facts.notice);
            if !wants || facts.emails.iter().any(|email| email.eq_ignore_ascii_case(&row.email)) {
                continue;
            }
            let at = if facts.at == 0 { self.ledger.now().await? } else { facts.at };
            let own = NoticeFacts {
                at,
                recipient: crate::notices::recipient(&row.email),
                emails: vec![row.email.clone()],
                locale: row.locale.clone(),
                ..facts.clone()
            };
            let id = own.message_id();
            if row.digest {
                let facts = serde_json::to_value(&own).expect("plain data");
                let subscriber = format!("{}/{}", row.publisher, row.email);
                commit.writes.push(put(&CollectedRow { id, subscriber, facts, at: own.at }, Expect::Any));
            } else {
                commit.tasks.push(NewTask {
                    id: format!("letter/{id}"),
                    run: String::new(),
                    queue: OUTBOX,
                    body: serde_json::to_string(&own).expect("plain data"),
                    delay: 0,
                });
            }
        }
        Ok(())
    }
}
